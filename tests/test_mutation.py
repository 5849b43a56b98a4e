"""The check can fail: a wrong row, rule, term or line stops the run with exit status 1, and nothing is written."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sympy as sp
from click.testing import CliRunner

from symbolic import cli, derive, expr, functions, layers, lesson, network, rules, verify
from symbolic.errors import CheckError
from symbolic.expr import Expr
from symbolic.functions import FUNCTIONS, VECTOR_FUNCTIONS, Row
from symbolic.language import takes
from symbolic.produce import Request, produce

OFF = Fraction(1001, 1000)
LEVELS = ("scalar", "index", "matrix", "numbers")
AT = {"acos": "0.3", "asin": "0.3"}


def no_pages(line: str) -> None:
    """Says nothing."""


@pytest.fixture(autouse=True)
def tables() -> Iterator[None]:
    """Every test leaves the tables as it found them."""
    before = dict(FUNCTIONS), dict(VECTOR_FUNCTIONS), dict(rules.RULES)
    yield
    for table, old in zip((FUNCTIONS, VECTOR_FUNCTIONS, rules.RULES), before, strict=True):
        table.clear()
        table.update(old)
    forget()


def forget() -> None:
    functions.slope_form.cache_clear()
    functions.definition.cache_clear()


class Run:
    """A spec, run by the program and from the command line."""

    def __init__(self, folder: Path, text: str) -> None:
        self.path, self.out = folder / "spec.yaml", folder / "out"
        self.path.write_text(text)

    def succeeds(self) -> None:
        (made,) = produce(self.path, self.out, Request(("json",), LEVELS, (), True), no_pages)
        made.unlink()
        self.out.rmdir()

    def fails(self) -> str:
        result = CliRunner().invoke(cli.main, ["derive", str(self.path), "-o", str(self.out), "--to", "json", "--level", ",".join(LEVELS), "--all"])
        assert result.exit_code == 1 and "Traceback" not in result.output and not self.out.exists()
        assert "nothing was written" in result.stderr
        return result.stderr


def specs_for(name: str) -> list[str]:
    """Specs made from the row: the function alone, of a matrix, and as an activation."""
    two = len(FUNCTIONS[name].args) == 2
    x, argument = AT.get(name, "0.7"), "x, t" if two else "x"
    more = ", t: 0.4" if two else ""
    alone = f'equations: {{y: "{name}({argument})"}}\nat: {{x: {x}{more}}}\n'
    matrix = f'equations: {{Y: "{name}({argument})", e: sum(Y*Y)}}\nat: {{x: [[{x}, 0.2], [0.5, 0.6]]{more}}}\n'
    return [alone, matrix, layered(name)] if FUNCTIONS[name].activation else [alone, matrix]


def layered(activation: str) -> str:
    return (f"inputs: {{x: [0.3, 0.9]}}\ntargets: {{y: [0.2, 0.8]}}\nlayers: [{{activation: {activation}, W: [[0.7, 0.4], [0.5, 0.9]], b: [0.1, 0.2]}}, "
            "{W: [[0.3, 0.8], [0.6, 0.1]]}]\nloss: half_squared_error\nlearning_rate: 0.1\n")


def mutants(row: Row) -> Iterator[tuple[str, tuple[sp.Expr, ...]]]:
    """The slopes of a row with one mistake: a factor, a summand, one piece, the sign."""
    for k, slope in enumerate(row.sympy_slopes):
        def put(wrong: sp.Expr, k: int = k) -> tuple[sp.Expr, ...]:
            return tuple(wrong if i == k else s for i, s in enumerate(row.sympy_slopes))
        if slope != 0:
            yield "factor", put(slope * sp.Rational(1001, 1000))
        yield "summand", put(slope + sp.Rational(1, 1000))
        for i in range(len(slope.args) if isinstance(slope, sp.Piecewise) else 0):
            wrong = sp.Piecewise(*((v + sp.Rational(int(i == j), 1000), c) for j, (v, c) in enumerate(slope.args)))
            sides = [dict(zip(row.args, p, strict=False)) for p in ((3, 2), (-3, 2), (sp.Rational(1, 2), 2), (7, 2))]
            if any(wrong.subs(p) != slope.subs(p) for p in sides):  # else it differs at the kink alone, where a convention rules
                yield f"piece {i}", put(wrong)
        for term in slope.args if slope.is_Add else ():
            yield "dropped term", put(slope - term)


def plant(name: str, slopes: tuple[sp.Expr, ...]) -> None:
    FUNCTIONS[name] = dataclasses.replace(FUNCTIONS[name], slopes=slopes)
    forget()


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_a_wrong_slope_in_any_row(name: str, tmp_path: Path) -> None:
    row = FUNCTIONS[name]
    run = Run(tmp_path, specs_for(name)[-1])
    run.succeeds()
    planted = list(mutants(row))
    for _, slopes in planted:
        plant(name, slopes)
        assert f"d{name}/d" in run.fails()
    assert planted


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_a_wrong_slope_does_not_survive_the_lines_either(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify._Checker, "rows", lambda self: None)
    row = FUNCTIONS[name]
    for text in specs_for(name):
        run = Run(tmp_path, text)
        run.succeeds()
        for what, slopes in mutants(row):
            if what == "factor":
                plant(name, slopes)
                run.fails()
        plant(name, row.sympy_slopes)


@pytest.mark.parametrize("source", ["relu(x - 100)", "leaky_relu(x - 100)", "abs(x + 100)", "max(x, 100)", "min(x, 100)"])
def test_a_piece_that_no_random_point_reaches(source: str, tmp_path: Path) -> None:
    run = Run(tmp_path, f'equations: {{y: "{source}"}}\nat: {{x: 2}}\n')
    run.succeeds()
    name = source.split("(")[0]
    for _, slopes in mutants(FUNCTIONS[name]):
        plant(name, slopes)
        run.fails()


VECTOR_SPECS = ["equations: {p: 'NAME(x)', e: sum(p*p)}\nat: {x: [0.1, 0.5, 0.9]}\n", "equations: {p: 'NAME(x, axis=1)', e: sum(p*p)}\nat: {x: [[0.1, 0.5], [0.9, 0.3]]}\n",
                layered("NAME")]


@pytest.mark.parametrize(("name", "spec"), [(n, s) for n, r in VECTOR_FUNCTIONS.items() for s in VECTOR_SPECS if r.activation or "layers" not in s])
def test_a_wrong_pullback_of_a_vector_function(name: str, spec: str, tmp_path: Path) -> None:
    row, run = VECTOR_FUNCTIONS[name], Run(tmp_path, spec.replace("NAME", name))
    run.succeeds()
    reached = []

    def off(g: Expr, z: Expr, a: Expr, axis: int | None) -> Expr:
        reached.append(axis)
        return expr.num(OFF) * row.pull(g, z, a, axis)

    def plus(g: Expr, z: Expr, a: Expr, axis: int | None) -> Expr:
        return row.pull(g, z, a, axis) + expr.total(g * a) * z * Fraction(1, 1000)

    for pull in (off, lambda g, z, a, axis: expr.total(g * a) * z, plus):
        VECTOR_FUNCTIONS[name] = dataclasses.replace(row, pull=pull)
        run.fails()
    assert reached


SQUARE = "at: {A: [[0.3, 0.8], [0.6, 0.1]], B: [[0.5, 0.2], [0.7, 0.4]], x: [0.2, 0.9]}\n"
RULE_SPECS = {  # a spec that uses the rule for every one of its arguments
    "add": "equations: {y: a + b*a}\nat: {a: 0.3, b: 0.4}", "neg": "equations: {y: '-a'}\nat: {a: 0.3}", "mul": "equations: {y: a*b}\nat: {a: 0.3, b: 0.4}",
    "div": "equations: {y: a/b}\nat: {a: 0.3, b: 0.4}", "pow": "equations: {y: a**b}\nat: {a: 0.3, b: 0.4}", "call": "equations: {y: 'max(a, b)*max(b/9, a)'}\nat: {a: 0.3, b: 0.4}",
    "apply": "equations: {y: f(a)}\nat: {a: 0.3}\ngiven: {\"f'(a)\": 2}", "over": VECTOR_SPECS[1].replace("NAME", "softmax"), "pick": layered("softmax"),
    "matmul": "equations: {C: A @ B, y: sum(C*C)}\n" + SQUARE.replace(", x: [0.2, 0.9]", ""), "T": "equations: {C: A.T, y: sum(C*B)}\n" + SQUARE.replace(", x: [0.2, 0.9]", ""),
    "matrix": "equations: {B: inv(A), y: sum(B*B)}\nat: {A: [[0.3, 0.8], [0.6, 0.1]]}",
    "sum": "equations: {y: sum(A*A)}\nat: {A: [[0.3, 0.8], [0.6, 0.1]]}", "most": "equations: {y: max(A)}\nat: {A: [[0.3, 0.8], [0.6, 0.1]]}",
    "take": "equations: {u: 'A[0, :]', y: sum(u*u)}\nat: {A: [[0.3, 0.8], [0.6, 0.1]]}",
    "concat": "equations: {u: 'concat(A[0, :], b)', y: sum(u*u)}\nat: {A: [[0.3, 0.8], [0.6, 0.1]], b: [[0.2, 0.4]]}",
    "slide": "equations: {u: 'conv(A, b)', y: sum(u*u)}\nat: {A: [[0.3, 0.8], [0.6, 0.1]], b: [[0.2, 0.4]]}",
    "least": "equations: {u: 'min(A, axis=0)', y: sum(u*u)}\nat: {A: [[0.3, 0.8], [0.6, 0.1]]}",
}


def wrong(op: str, k: int, change: Callable[[Expr, Expr, Expr], Expr], reached: list[int]) -> None:
    """Plant a rule that is wrong for its k-th argument."""
    rule = rules.RULES[op]

    def pull(e: Expr, g: Expr, at: int) -> Expr:
        right = rule.pull(e, g, at)
        if at != k:
            return right
        reached.append(at)
        return change(right, e, g)

    rules.RULES[op] = dataclasses.replace(rule, pull=pull)


CHANGES = {"factor": lambda right, e, g: expr.num(OFF) * right, "sign": lambda right, e, g: -right, "dropped": lambda right, e, g: expr.ZERO}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("op", RULE_SPECS)
def test_a_wrong_rule(op: str, change: str, tmp_path: Path) -> None:
    run, rule, reached = Run(tmp_path, RULE_SPECS[op]), rules.RULES[op], []
    run.succeeds()
    for k in range(2 if op in ("add", "mul", "div", "pow", "call", "matmul", "pick", "concat", "slide") else 1):
        wrong(op, k, CHANGES[change], reached)
        run.fails()
        rules.RULES[op] = rule
        assert k in reached


def test_every_rule_is_mutated() -> None:
    assert set(RULE_SPECS) | {"cases", "put", "onehot"} == set(rules.RULES)  # cannot be written: tests of their own, and onehot has the slope 0


def test_a_wrong_rule_for_put() -> None:
    move = takes.part(expr.sym("A", (2, 2)), [0, 0, 1], None).data
    g = expr.sym("g", (3, 2))
    equations = (network.Equation("u", takes.put(g, move)), network.Equation("y", expr.node("sum", (expr.sym("u", (2, 2)) * expr.sym("u", (2, 2)),))))
    net = network.Network(equations, {"g": network.Symbol("g", (3, 2), kind="input"), "u": network.Symbol("u", (2, 2)), "y": network.Symbol("y")})
    verify.certify(lesson.plan(net))
    rule = rules.RULES["put"]
    for change in CHANGES:
        wrong("put", 0, CHANGES[change], reached := [])
        with pytest.raises(CheckError):
            verify.certify(lesson.plan(net))
        rules.RULES["put"] = rule
        assert reached


def test_a_wrong_rule_for_cases() -> None:
    a, b = expr.sym("a"), expr.sym("b")
    net = network.Network((network.Equation("y", expr.node("cases", (a, expr.num(0), a * b, a), (">",))),),
                          {"a": network.Symbol("a", kind="input"), "b": network.Symbol("b", kind="input"), "y": network.Symbol("y")})
    verify.certify(lesson.plan(net))
    rule = rules.RULES["cases"]
    for k in (2, 3):
        wrong("cases", k, CHANGES["factor"], reached := [])
        with pytest.raises(CheckError):
            verify.certify(lesson.plan(net))
        rules.RULES["cases"] = rule
        assert reached


LOST = {  # op, argument: the rule without its transpose (or with one too many)
    ("matmul", 0): lambda right, e, g: expr.matmul(g, e.args[1]),
    ("matmul", 1): lambda right, e, g: expr.matmul(e.args[0], g),
    ("T", 0): lambda right, e, g: g,
    ("add", 0): lambda right, e, g: expr.transpose(right),
}


@pytest.mark.parametrize("shape", ["square", "oblong"])
@pytest.mark.parametrize(("op", "k"), LOST)
def test_a_lost_transpose(op: str, k: int, shape: str, tmp_path: Path) -> None:
    numbers = SQUARE if shape == "square" else "at: {A: [[0.3, 0.8], [0.6, 0.1], [0.7, 0.5]], B: [[0.5, 0.2, 0.4, 0.1], [0.7, 0.4, 0.2, 0.6]], x: [0.2, 0.9, 0.4]}\n"
    run, reached = Run(tmp_path, "equations: {C: A @ B, D: C.T + C.T*x[0], e: sum(D*D)}\n".replace("*x[0]", "*sum(x)") + numbers), []
    run.succeeds()
    wrong(op, k, LOST[op, k], reached)
    run.fails()
    assert reached


@pytest.mark.parametrize(("value", "through"), [("a", "b"), ("a", "d"), ("c", "e"), ("W", "z"), ("x", "z")])
def test_a_term_that_the_walk_forgets(value: str, through: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = "equations: {b: 4*a, c: b + 3, d: a + 2, e: c*d}\nat: {a: 3}\n"
    run = Run(tmp_path, graph if value in "ac" else "equations: {z: W @ x, s: sum(x), L: sum(z*z) + s}\nat: {W: [[1, 2], [3, 4]], x: [1, 2]}\n")
    run.succeeds()
    whole = derive._terms

    def forgetful(eq: Any, *rest: Any) -> Any:
        return ((n, t) for n, t in whole(eq, *rest) if n.split("[")[0] != value or eq.name.split("[")[0] != through)

    monkeypatch.setattr(derive, "_terms", forgetful)
    run.fails()


# ---------------------------------------------------------------- wrong lines in a right derivation

LESSONS = [
    ({"b": "4*a", "c": "b + 3", "d": "a + 2", "e": "c*d"}, {}), ({"y": "sin(x**2)/x"}, {}), ({"h": "x*exp(x)", "L": "(h - x)**2"}, {}),
    ({"z": "W @ x + b", "a": "sigmoid(z)", "s": "softmax(W.T @ a)", "L": "sum(s*x)"}, {"W": (2, 2), "x": (2, 1), "b": (2, 1)}),
]


KINDS = [{("scalar", "path"), ("scalar", "gradient")}, {("scalar", "local")}, {("scalar", "local"), ("scalar", "path")},
         {("index", "forward"), ("index", "index"), ("matrix", "gradient")},
         {("scalar", "path"), ("index", "forward"), ("index", "index"), ("matrix", "gradient")}]


def planned(k: int) -> lesson.Lesson:
    if k == len(LESSONS):
        net = layers.stack(("x", 2), "y", [network.LayerPlan(2, "sigmoid"), network.LayerPlan(2, "softmax")], "cross_entropy")
    else:
        net = network.from_equations(*LESSONS[k])
    return lesson.plan(net, LEVELS)


def replaced(whole: lesson.Lesson, i: int, j: int, rhs: Expr) -> lesson.Lesson:
    """Step i of a lesson, with another right-hand side in line j."""
    step = whole.steps[i]
    lines = (*step.lines[:j], dataclasses.replace(step.lines[j], rhs=rhs), *step.lines[j + 1:])
    return dataclasses.replace(whole, steps=(dataclasses.replace(step, lines=lines),))


@pytest.mark.parametrize("k", range(len(LESSONS) + 1))
def test_a_wrong_line_of_any_kind(k: int) -> None:
    right = planned(k)
    verify.certify(right)
    kinds = set()
    for i, step in enumerate(right.steps):
        verify.certify(dataclasses.replace(right, steps=(step,)))
        for j, line in enumerate(step.lines):
            kinds.add((step.level, line.kind))
            off = Expr("add", (line.rhs, expr.num(1 / OFF - 1)), None, line.rhs.shape)
            with pytest.raises(CheckError):
                verify.certify(replaced(right, i, j, off))
    assert KINDS[k] <= kinds


@pytest.mark.parametrize("k", [0, len(LESSONS)])
def test_a_wrong_factor_inside_a_path_or_a_sum_over_indices(k: int) -> None:
    right, tried = planned(k), 0
    for i, step in enumerate(right.steps):
        for j, line in enumerate(step.lines):
            inner = line.rhs.args[0] if line.rhs.op == "bigsum" else line.rhs
            if line.kind in ("path", "index") and inner.op == "mul":
                shorter = Expr("mul", inner.args[1:], None, inner.shape)
                tried += 1
                with pytest.raises(CheckError):
                    verify.certify(replaced(right, i, j, shorter if inner is line.rhs else Expr("bigsum", (shorter,), line.rhs.data)))
    assert tried or k == 0
