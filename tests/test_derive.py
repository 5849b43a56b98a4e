"""Whatever a valid spec says derives correctly: three independent second opinions on random specs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, example, given, settings
from indexreader import read_index
from mpmath import mp
from oracle import DIGITS, Floats, Forward, Kink, Symbols, flat
from specs import Spec, equations, networks

from symbolic.derive import derive
from symbolic.expr import walk
from symbolic.lesson import plan
from symbolic.network import entry_symbols, scalarize
from symbolic.pages.report import report
from symbolic.pages.sheet import Sheet
from symbolic.problem import Problem, build
from symbolic.reading.specfile import build as read
from symbolic.values import forward, gradients
from symbolic.verify import Certified, certify


def solved(spec: Spec, levels: tuple[str, ...] = ("scalar", "index", "matrix", "numbers"), **options: Any) -> tuple[Problem, Certified]:
    """Everything that chainrule derive does before it writes: read, derive, check."""
    problem = build(read(spec))
    certified = certify(plan(problem.network, levels, **options), problem.numbers())
    assert all(s.checked in ("proved", "30 digits") for s in certified.lesson.steps) and certified.worst < 1e-30
    return problem, certified


def same(got: Any, expected: Any) -> bool:
    return bool(abs(mp.mpf(got) - expected) <= abs(expected) * mp.mpf(10) ** -14 + mp.mpf(10) ** -25)


def in_file_shape(spec: Spec, name: str, value: np.ndarray) -> Any:
    """An array in the layout of the file as the nested lists that the README promises."""
    if "layers" not in spec:
        flat_list = isinstance(spec["at"].get(name, value.shape[1] == 1 and value.shape[0] > 1 and [0]), list) and value.shape[1] == 1
        return value[0, 0] if value.shape == (1, 1) else list(value[:, 0]) if flat_list and name not in ("W", "V") else value.tolist()
    if name.startswith("alpha"):
        return value[0, 0]
    batch = isinstance(spec["inputs"]["x"][0], list)
    return value.tolist() if name.startswith("W") or (batch and not name.startswith("b")) else list(value[0])


def agrees(got: Any, expected: Any) -> bool:
    if isinstance(expected, list):
        return isinstance(got, list) and len(got) == len(expected) and all(map(agrees, got, expected))
    return not isinstance(got, (list, str)) and same(got, expected)


def compare_with_differences(spec: Spec) -> None:
    f = Forward(spec)
    with mp.workdps(DIGITS):
        try:
            values = f.run(f.leaves)
            slopes = {n: f.differences(n, values) for n in f.names()}
        except Kink:
            assume(False)
        problem, certified = solved(spec)
        out = report(Sheet(problem, certified))
        assert same(out["loss"], values[f.output][0, 0])
        for name, value in out["forward"].items():
            assert agrees(value, in_file_shape(spec, name, values[aliased(spec, name)])), name
        named = {*slopes, *({"y_hat"} if "layers" in spec else {})}
        assert set(out["gradients"]) == named
        for name, value in out["gradients"].items():
            assert agrees(value, in_file_shape(spec, name, slopes[aliased(spec, name)])), f"gradient of {name}"
        if "learning_rate" in spec:
            parameters = [n for n in f.leaves if n[0] in "Wb" or n.startswith("alpha")]
            after = {n: f.leaves[n] - mp.mpf("0.1") * slopes[n] for n in parameters}
            assert list(out["updated"]) == parameters
            assert all(agrees(out["updated"][n], in_file_shape(spec, n, after[n])) for n in parameters)
            assert same(out["loss_after"], loss_again(f, after))


def loss_again(f: Forward, after: dict[str, Any]) -> Any:
    try:
        return f.run({**f.leaves, **after})["L"][0, 0]
    except Kink:
        assume(False)


def aliased(spec: Spec, name: str) -> str:
    return f"a{len(spec['layers'])}" if name == "y_hat" else name


@given(networks(layers=4, units=5))
@settings(max_examples=6)
def test_any_network_agrees_with_60_digit_differences(spec: Spec) -> None:
    compare_with_differences(spec)


FLAT = {  # all slopes are 0, but not what differences leave
    "inputs": {"x": ["-1.15"]}, "targets": {"y": ["0.05"]}, "loss": "binary_cross_entropy", "learning_rate": "0.1", "convention": "columns",
    "layers": [{"units": 1, "activation": a, "W": [[w]]} for a, w in (("identity", "0"), ("identity", "0"), ("sigmoid", "-0.01"))],
}


@given(networks(layers=3, units=2))
@example(FLAT)
@settings(max_examples=24)
def test_any_small_network_agrees_with_60_digit_differences(spec: Spec) -> None:
    compare_with_differences(spec)


@given(equations())
@settings(max_examples=35)
def test_any_equations_agree_with_60_digit_differences(spec: Spec) -> None:
    assume(spec["at"])
    compare_with_differences(spec)


@given(equations(matrices=False))
@settings(max_examples=30)
def test_any_scalar_equations_agree_with_60_digit_differences(spec: Spec) -> None:
    assume(spec["at"])
    compare_with_differences(spec)


# ---------------------------------------------------------------- SymPy's one-shot derivative, HIPS autograd

SMOOTH = ("sigmoid", "tanh", "softplus", "identity", "softmax")


@given(networks(layers=3, units=2, names=SMOOTH, batches=False))
@settings(max_examples=6)
def test_small_networks_agree_with_sympy_in_one_shot(spec: Spec) -> None:
    f = Forward(spec, Symbols())
    symbols = {n: np.array([[sp.Symbol(f"{n}_{i}_{j}", real=True) for j in range(v.shape[1])] for i in range(v.shape[0])], dtype=object) for n, v in f.leaves.items()}
    loss = f.run(symbols)["L"][0, 0]
    order = [s for v in symbols.values() for s in v.flat]
    wanted = [s for n, v in symbols.items() if n != "y" for s in v.flat]
    one_shot = sp.lambdify(order, [sp.diff(loss, s) for s in wanted], "mpmath", cse=True)
    problem, certified = solved(spec, ("matrix",))
    found = report(Sheet(problem, certified))["gradients"]
    with mp.workdps(50):
        expected = one_shot(*(mp.mpf(v.p) / v.q for n in symbols for v in f.leaves[n].flat))
    got = [v for n in symbols if n != "y" for v in flat(found[n])]
    assert len(got) == len(expected) and all(map(same, got, expected))


@given(networks(layers=3, units=3))
@settings(max_examples=14)
def test_networks_agree_with_hips_autograd(spec: Spec) -> None:
    compare_with_autograd(spec)


@given(equations())
@settings(max_examples=15)
def test_equations_agree_with_hips_autograd(spec: Spec) -> None:
    assume(spec["at"])
    compare_with_autograd(spec)


def compare_with_autograd(spec: Spec) -> None:
    autograd = pytest.importorskip("autograd")
    try:
        values = Forward(spec).run(Forward(spec).leaves)
    except Kink:
        assume(False)
    if spec.get("loss") in ("binary_cross_entropy", "focal"):  # in float64 1 - p has few digits where p is almost 1
        assume(all(1e-3 < p < 0.999 for p in values[f"a{len(spec['layers'])}"].flat))
    f = Forward(spec, Floats())
    found = report(Sheet(*solved(spec, ("matrix",))))["gradients"]
    theirs = autograd.grad(lambda leaves: f.run({**f.leaves, **leaves})[f.output].sum())({n: f.leaves[n] for n in f.leaves if n != "y"})
    for name, expected in theirs.items():
        assert np.allclose(flat(found[name]), expected.ravel(), rtol=1e-8, atol=1e-10), name


# ---------------------------------------------------------------- levels

@given(networks(layers=2, units=3))
@settings(max_examples=12)
def test_the_scalar_level_is_the_matrix_level_entry_by_entry(spec: Spec) -> None:
    problem, certified = solved(spec, ("matrix",))
    network = problem.network
    with mp.workdps(DIGITS):
        split = {n: entry_symbols(s) for n, s in network.symbols.items()}
        leaves = {s.name: [[v]] for n, cells in problem.numbers().items() for ss, vs in zip(split[n], cells, strict=True) for s, v in zip(ss, vs, strict=True)}
        apart = scalarize(network)
        entrywise = gradients(derive(apart), forward(apart, leaves))
        for (_, name), rows in ((k, v) for k, v in certified.values.items() if isinstance(k, tuple)):
            for ss, vs in zip(split[name], rows, strict=True):
                for s, v in zip(ss, vs, strict=True):
                    other = entrywise.get(("L", s.name), [[mp.mpf(0)]])[0][0]
                    assert abs(other - v) < mp.mpf(10) ** -45 * max(1, abs(v)), s.name


@given(networks(layers=2, units=3, names=("sigmoid", "tanh", "identity", "softmax")))
@settings(max_examples=10)
def test_every_index_line_says_its_entry(spec: Spec) -> None:
    _, certified = solved(spec, ("index",))
    read_lines = 0
    with mp.workdps(DIGITS):
        for step in certified.lesson.steps:
            value = certified.values[step.of, step.wrt]
            for line in step.lines:
                if line.kind != "index" or any(n.op in ("local", "slope") or (n.op == "entry" and n.args[0].op not in ("sym", "grad", "over")) for n in walk(line.rhs)):
                    continue
                for p, row in enumerate(value):
                    for q, v in enumerate(row):
                        where = {letter: k for letter, k in zip(line.free, (p, q), strict=True) if letter}
                        assert abs(read_index(line.rhs, certified.values, where) - v) < mp.mpf(10) ** -40
                read_lines += 1
    assert read_lines >= len(certified.lesson.of_level("index"))
