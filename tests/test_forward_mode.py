"""Forward mode is the transpose of the table of pullbacks: it equals differences, and reverse mode; primitive operations."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from mpmath import mp
from specs import equations
from test_rules import EVERY

from symbolic import expr as ex, rules
from symbolic.cli import main
from symbolic.derive import derive
from symbolic.errors import CheckError, SpecError
from symbolic.expr import Expr
from symbolic.language.arithmetic import MP, entries
from symbolic.lectures.forward_mode import operations, pushforward, sweep
from symbolic.models.primitives import primitive
from symbolic.network import Equation, Network, from_equations
from symbolic.pages import modes
from symbolic.pages.sections import sections
from symbolic.pages.sheet import Sheet
from symbolic.problem import build
from symbolic.produce import Request, produce, solve
from symbolic.proof.probe import Draw, kinks
from symbolic.reading.specfile import build as spec_of
from symbolic.values import DIGITS, forward, gradients, inner
from symbolic.verify import difference

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("e", EVERY)
def test_the_pushforward_of_every_rule_is_the_directional_difference(e: Expr) -> None:
    leaves = {n.data: n.shape for n in ex.walk(e) if n.op == "sym"}
    with mp.workdps(DIGITS):
        point: dict[Any, Any] = {n: Draw(f"at/{n}").matrix(s, 0.1, 0.9) for n, s in leaves.items()} | {"f": Draw("f").function()}
        if kinks(Network((Equation("y", e),), {}), point):
            return  # two entries are equal: no slope
        tree = pushforward(Equation("y", e), {n: ex.grad(n, "t", s) for n, s in leaves.items()})
        for name, shape in leaves.items():
            env = {**point, **{(n, "t"): Draw(f"to/{n}").matrix(s) if n == name else [[mp.mpf(0)] * len(point[n][0]) for _ in point[n]] for n, s in leaves.items()}}
            (expected, got) = difference(lambda m, name=name: entries(e, {**point, name: m}, MP), point[name], env[name, "t"]), entries(tree, env, MP)
            for xs, ys in zip(expected, got if len(got) * len(got[0]) > 1 else [[got[0][0]] * len(expected[0])] * len(expected), strict=True):
                assert all(abs(x - y) < mp.mpf(10) ** -40 * max(1, abs(x)) for x, y in zip(xs, ys, strict=True)), (ex.text(tree), name, shape)


@given(equations())
@settings(max_examples=60)
def test_forward_mode_equals_reverse_mode_on_random_graphs(spec: dict[str, Any]) -> None:
    problem = build(spec_of(spec))
    net, numbers = problem.network, problem.numbers() or {}
    if net.symbols[net.output].shape or not set(net.names("input")) <= set(numbers):
        return
    with mp.workdps(50):
        try:
            values = gradients(derive(net), forward(net, numbers))
        except ArithmeticError:
            return
        directions = {n: Draw(n).matrix(net.symbols[n].shape) for n in net.names("input")}
        env = {**values, **{(n, "t"): d for n, d in directions.items()}}
        moved = {n: ex.grad(n, "t", net.symbols[n].shape) for n in directions}
        for eq in net.equations:
            env[eq.name, "t"] = spread(entries(pushforward(eq, moved), env, MP), eq.rhs.shape)
            moved[eq.name] = ex.grad(eq.name, "t", eq.rhs.shape)
        reverse = sum(inner(values[net.output, n], d) for n, d in directions.items() if (net.output, n) in values)
        assert abs(env[net.output, "t"][0][0] - reverse) <= mp.mpf(10) ** -30 * max(1, abs(reverse))


def spread(rows: Any, shape: ex.Shape) -> Any:
    return rows if not shape or len(rows) * len(rows[0]) > 1 else [[rows[0][0]] * int(shape[1])] * int(shape[0])


@given(equations())
@settings(max_examples=30)
def test_primitive_operations_have_the_same_values_and_gradients(spec: dict[str, Any]) -> None:
    problem = build(spec_of(spec))
    net, numbers = problem.network, problem.numbers()
    if numbers is None:
        return
    fine = primitive(net)
    for eq in fine.equations:
        inside = [n for n in ex.walk(eq.rhs) if n.args and n.names and n.op not in ("T", "neg")]
        assert len(inside) <= 1, f"{eq} is more than one operation"
    with mp.workdps(40):
        try:
            coarse, split = (gradients(derive(n), forward(n, numbers)) for n in (net, fine))
        except (ArithmeticError, KeyError):
            return
        assert set(coarse) <= set(split)
        assert all(abs(x - y) < mp.mpf(10) ** -25 * max(1, abs(x)) for k, m in coarse.items() for xs, ys in zip(m, split[k], strict=True)
                   for x, y in zip(xs, ys, strict=True))


def test_the_operations_are_counted_in_the_formulas() -> None:
    net = primitive(from_equations({"e": "(4*a + 3)*(a + 2)"}, {}))
    assert [str(eq) for eq in net.equations] == ["v1 = 4*a", "v2 = v1 + 3", "v3 = a + 2", "e = v2*v3"]
    assert operations(eq.rhs for eq in net.equations) == {"multiplications": 2, "additions": 2}
    assert operations(sweep(net, "a").values()) == {"multiplications": 2, "additions": 1}
    assert operations([ex.node("call", (ex.sym("x") ** ex.num(3),), "exp")]) == {"multiplications": 1, "function values": 1}


def test_forward_mode_costs_a_sweep_for_each_input_and_reverse_mode_one() -> None:
    """n inputs of a product chain: the cost of all forward sweeps grows with n times the length, reverse mode with the length."""
    costs = []
    for n in (3, 6, 12):
        net = from_equations({f"p{k}": f"{'x0' if k == 1 else f'p{k - 1}'}*x{k}" for k in range(1, n)}, {})
        forwards = operations(t for k in range(n) for t in sweep(net, f"x{k}").values())["multiplications"]
        costs.append((forwards, operations(s.result for s in derive(net).steps.values())["multiplications"]))
    assert [b for _, b in costs] == [2, 8, 20] and [a for a, _ in costs] == [2, 14, 65]


SPEC = "equations: {s: x*y, u: s + x, f: u*sigmoid(s)}\nat: {x: 2, y: 0.5}\nmodes: [forward, reverse]\n"


def made(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "spec.yaml"
    path.write_text(text)
    (out,) = produce(path, folder / "out", Request(("json",)), lambda line: None)
    return json.loads(out.read_text())


def test_the_sections_of_a_graph(tmp_path: Path) -> None:
    report = made(tmp_path, SPEC)
    found = {s["title"]: s for s in report["sections"]}
    assert list(found) == ["Local gradients", "Forward mode: sweep 1 of 2", "Forward mode: sweep 2 of 2", "Reverse mode: one sweep for all inputs",
                           "Forward mode beside reverse mode", "What the modes cost"]
    data = found["Forward mode beside reverse mode"]["data"]
    assert data["tangents"]["x"]["f"] == pytest.approx(report["gradients"]["x"], rel=1e-15) == pytest.approx(data["adjoints"]["x"])
    assert data["tangents"]["y"]["u"] == 2 and data["tangents"]["x"]["u"] == 1.5
    rows = {row[0]: row[1:] for row in found["What the modes cost"]["cells"]}
    assert rows["forward mode"] == ["$2$", "$8$", "$5$", "$6$"] and rows["reverse mode"] == ["$1$", "$4$", "$3$", "$3$"]
    assert r"1.5 \cdot \sigma(1) + 0.5 \cdot 3 \cdot 0.19661 = 1.392" in found["Forward mode: sweep 1 of 2"]["latex"]


@pytest.mark.parametrize(("at", "gradient"), [("e: (4*a + 3)*(a + 2)", {"a": 35}), ("c: a*4 + b", {"a": 4, "b": 1})])
def test_the_graphs_of_the_lectures(at: str, gradient: dict[str, int], tmp_path: Path) -> None:
    values = "{a: 3}" if "b" not in gradient else "{a: 3, b: 3}"
    report = made(tmp_path, f"equations: {{{at}}}\nat: {values}\ngranularity: primitive\nmodes: [forward, reverse]\n")
    data = next(s["data"] for s in report["sections"] if "data" in s)
    assert {n: data["adjoints"][n] for n in gradient} == gradient == {n: list(t.values())[-1] for n, t in data["tangents"].items()}
    assert all(not isinstance(v, list) for v in report["forward"].values()), "an intermediate number is a number"


def test_one_mode_alone_and_no_numbers(tmp_path: Path) -> None:
    titles = [s["title"] for s in made(tmp_path, SPEC.replace("[forward, reverse]", "reverse").replace("at: {x: 2, y: 0.5}\n", ""))["sections"]]
    assert titles == ["Local gradients", "Reverse mode: one sweep for all inputs", "Node by node", "What the modes cost"]


def test_a_layered_network_is_read_entry_by_entry(tmp_path: Path) -> None:
    report = made(tmp_path, "inputs: {x: [0.5, 1]}\ntargets: {y: [1]}\nlayers: [{units: 2, activation: tanh, W: [[1, 2], [3, 4]], b: [0, 1]}, {units: 1, W: [[1, 2]]}]\n"
                            "loss: half_squared_error\nmodes: [forward, reverse]\nwrt: [W1]\n")
    data = next(s["data"] for s in report["sections"] if "data" in s)
    flat = [v for row in report["gradients"]["W1"] for v in row]
    assert [t["L"] for t in data["tangents"].values()] == pytest.approx(flat, rel=1e-12)


@pytest.mark.parametrize("k", range(4))
def test_a_wrong_tangent_is_caught(k: int, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    sheet = Sheet(*solve(path, Request()))
    with mp.workdps(DIGITS):
        graph = modes._graph(sheet)
        modes.check(graph)
        name = ["s", "u", "f", "s"][k]
        tangents = dict(graph.sweeps["x"])
        if k < 3:
            tangents[name] = ex.mul(ex.num("1001/1000"), tangents[name])
        else:
            tangents.pop("f")
        with pytest.raises(CheckError, match="failed its check"):
            modes.check(dataclasses.replace(graph, sweeps={**graph.sweeps, "x": tangents}))


def test_a_wrong_rule_does_not_reach_a_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC)
    sheet = Sheet(*solve(path, Request()))
    rule = rules.RULES["mul"]
    monkeypatch.setitem(rules.RULES, "mul", dataclasses.replace(rule, pull=lambda e, g, k: ex.num("1001/1000") * rule.pull(e, g, k)))
    with pytest.raises(CheckError, match="failed its check"):
        sections(sheet)


@pytest.mark.parametrize(("line", "sentence"), [
    ("modes: [forwards]", "spec.yaml:3: modes: unknown mode 'forwards'; did you mean 'forward'?"),
    ("granularity: fine", "granularity: unknown value 'fine'; valid names: equation, primitive"),
])
def test_a_mistake_is_one_sentence(line: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC.replace("modes: [forward, reverse]", line))
    result = CliRunner().invoke(main, ["derive", str(path), "-o", str(tmp_path / "out")])
    assert result.exit_code == 2 and sentence in result.output and not (tmp_path / "out").exists()


def test_true_asks_for_both_sweeps() -> None:
    graph = {"equations": {"y": "x**2"}, "at": {"x": 1}}
    assert [build(spec_of({**graph, "modes": m})).wanted.modes for m in (True, "true", False, "forward")] == [
        ("forward", "reverse"), ("forward", "reverse"), (), ("forward",)]


def test_what_does_not_fit() -> None:
    for spec, sentence in (({"equations": {"Y": "A @ x"}, "at": {"A": [[1, 2], [3, 4]], "x": [1, 2]}, "modes": ["forward"]}, "modes: Y is not a single number"),
                           ({"equations": {"y": "sum(X)"}, "at": {"X": [[1] * 8] * 8}, "modes": ["forward"]}, "modes: the graph has 65 values; at most 60"),
                           ({"equations": {"y": "f(x)"}, "given": {"f'(x)": 2}, "granularity": "primitive"}, "granularity: primitive needs a formula")):
        with pytest.raises(SpecError, match=sentence):
            build(spec_of(spec))


