"""Compiled programs against the same derivation in 90-digit arithmetic: every node, function, loss and layer."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp
from mpmath import mp

from symbolic import expr as ex
from symbolic.catalogue.entries import layer_network
from symbolic.derive import Derivation, derive
from symbolic.errors import ShapeError, SpecError
from symbolic.expr import Expr
from symbolic.functions import FUNCTIONS, VECTOR_FUNCTIONS
from symbolic.language.matrices import MATRIX_FUNCTIONS, apply as matrix
from symbolic.language.run import load
from symbolic.language.takes import concat, convolve, part, reshape, windows
from symbolic.layers import LAYERS, stack
from symbolic.losses import LOSSES
from symbolic.models.theorems import applied
from symbolic.network import Equation, LayerPlan, Network, Symbol, from_equations
from symbolic.numeric import compile
from symbolic.numeric.backends import BACKENDS as EVERY
from symbolic.numeric.crosscheck import complex_step
from symbolic.rules import RULES
from symbolic.values import DIGITS, forward, gradients

BACKENDS = [b for b in EVERY if b != "numba"]  # which takes a second to compile each program, and is an extra
TOLERANCE = {"float64": 1e-12, "float32": 2e-5}


def values_of(network: Network, seed: int = 1, n: int = 3) -> dict[str, Any]:
    """Random arrays for everything that comes in; targets are positive and sum to one an example."""
    rng = np.random.default_rng(seed)
    out: dict[str, Any] = {}
    for s in network.symbols.values():
        if s.kind in ("input", "parameter", "target", "constant") and s.name not in network.constants:
            shape = tuple(n if isinstance(d, str) else int(d) for d in s.shape)
            out[s.name] = rng.uniform(0.2, 1, shape) if s.kind in ("target", "constant") else rng.uniform(-1.2, 1.2, shape)
            if s.kind == "target" and s.shape:
                out[s.name] /= out[s.name].sum(axis=1 if network.rows else 0, keepdims=True)
    return out


def exact(network: Network, values: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Loss and gradients at 90 digits, entry by entry, rounded to float64."""
    with mp.workdps(DIGITS):
        env: dict[Any, Any] = {n: [[mp.mpf(float(v)) for v in row] for row in np.asarray(a).reshape(np.shape(a) or (1, 1))] for n, a in values.items()}
        env |= {n: [[mp.mpf(v.numerator) / v.denominator for v in row] for row in rows] for n, rows in network.constants.items()}
        env = gradients(derive(network), forward(network, env))
        back = {k[1]: np.array([[float(v) for v in row] for row in rows]) for k, rows in env.items() if isinstance(k, tuple)}
        return float(env[network.output][0][0]), back


def agree(ours: Any, theirs: Any, dtype: str) -> None:
    """Equal to the digits of the type, measured against the largest entry."""
    theirs = np.broadcast_to(np.asarray(theirs).reshape(np.shape(ours) if np.size(theirs) > 1 else ()), np.shape(ours))
    assert np.all(np.abs(ours - theirs) <= TOLERANCE[dtype] * max(1, np.max(np.abs(theirs)))), (ours, theirs)


def same(network: Network, dtype: str = "float64", backend: str = "all", values: Mapping[str, Any] | None = None) -> None:
    """The compiled program gives what the derivation gives."""
    values = values or values_of(network)
    if dtype == "float32":
        values = {n: np.float32(v) for n, v in values.items()}
    expected, back = exact(network, values)
    for way in BACKENDS if backend == "all" else [backend]:
        try:
            compiled = compile(network, dtype=dtype, backend=way)
        except SpecError as error:
            assert way == "floats" and "entry by entry" in str(error)
            continue
        for _ in range(2):  # the second time in the same arrays
            loss, slopes = compiled(values)
            agree(loss, expected, dtype)
            for name, found in slopes.items():
                assert np.shape(found) == network.symbols[name].shape and np.asarray(found).dtype == np.dtype(dtype), (way, name)
                agree(found, back.get(name, 0), dtype)


def net(activation: str = "tanh", loss: str = "half_squared_error", samples: Any = 3, rows: bool = False, out: int = 2, last: str = "identity") -> Network:
    made = stack(("x", 2), "y", [LayerPlan(3, activation), LayerPlan(out, last)], loss, samples=samples, rows=rows)
    return applied(made, loss)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("samples", [None, 1, 3])
def test_a_network(samples: Any, rows: bool, dtype: str) -> None:
    same(net("sigmoid", "cross_entropy", samples, rows, last="softmax"), dtype)


# ---------------------------------------------------------------- every row of every table

def equations(*trees: Expr, **shapes: Any) -> Network:
    """L = the sum of all entries of the trees, each weighted by its place."""
    leaves = {n.data: Symbol(n.data, n.shape, "input") for t in trees for n in ex.walk(t) if n.op == "sym"}
    sums = []
    for k, t in enumerate(trees):
        leaves[f"c{k}"] = Symbol(f"c{k}", t.shape, "constant")
        weighted = ex.node("mul", (t, ex.sym(f"c{k}", t.shape)))
        sums.append(ex.node("sum", (weighted,)))
    whole = sums[0] if len(sums) == 1 else ex.node("add", sums)
    return Network((Equation("L", whole),), {**leaves, "L": Symbol("L")})


def inside(network: Network, low: float = 0.2, high: float = 0.8) -> dict[str, Any]:
    """Values in the domain of every function."""
    rng = np.random.default_rng(5)
    return {n: rng.uniform(low, high, tuple(map(int, s.shape))) for n, s in network.symbols.items() if s.kind in ("input", "constant")}


A, B, S = ex.sym("A", (2, 3)), ex.sym("B", (2, 3)), ex.sym("s")
SQUARE, COLUMN, ROW = ex.sym("M", (3, 3)), ex.sym("u", (2, 1)), ex.sym("r", (1, 3))
X = ex.sym("X", (4, 4))
SPREAD, SPREAD_ROW = COLUMN @ ex.ones((1, 3)), ex.ones((2, 1)) @ ROW
NODES = {
    "num": A * 3, "root": A * ex.num(sp.sqrt(2)), "pi": ex.num(sp.pi) * A, "third": A * ex.num(Fraction(1, 3)), "large": A * ex.num(10**25),
    "ones": ex.node("add", (A, ex.ones((2, 3)))), "only ones": ex.node("mul", (S, ex.ones((2, 3)))), "eye": SQUARE @ ex.eye((3, 3)) + ex.eye((3, 3)),
    "add": A + B - S, "neg": -A, "mul": A * S * B, "div": A / (B + 1), "divided by a column": ex.node("div", (A, SPREAD)), "pow": A ** 3, "root of a power": A ** ex.num(Fraction(3, 2)),
    "to a power": ex.node("pow", (A, B)), "inverse power": ex.node("pow", (A, ex.num(-2))), "T": ex.node("T", (A,)) @ B,
    "matmul": A @ SQUARE, "inner": COLUMN.T @ A @ ROW.T, "column and row": ex.node("add", (A, SPREAD, SPREAD_ROW)),
    "nothing whole": ex.node("mul", (SPREAD, SPREAD)), "column plus row": ex.node("add", (SPREAD, SPREAD_ROW)), "repeated": SPREAD, "repeated row": SPREAD_ROW,
    "function of repeated": ex.node("call", (SPREAD,), "tanh") @ SQUARE, "sum of repeated": ex.node("sum", (ex.node("mul", (SPREAD, SPREAD_ROW)),), 0),
    "sum": ex.node("sum", (A,)), "sum of columns": ex.node("sum", (A,), 0), "sum of rows": ex.node("sum", (A,), 1), "sum of a column": ex.node("sum", (COLUMN,), 0),
    "sums by ones": A @ ex.ones((3, 1)), "by ones in front": ex.ones((1, 2)) @ A, "more ones": ex.ones((4, 2)) @ A, "most": ex.node("most", (A,)), "most by column": ex.node("most", (A,), 0),
    "most by row": ex.node("most", (A,), 1), "least": ex.node("least", (A,)), "least by row": ex.node("least", (A,), 1), "least by column": ex.node("least", (A,), 0),
    "cases": ex.node("cases", (A, B, A, B * 2), (">",)), "three cases": ex.node("cases", (A, ex.num(Fraction(1, 2)), ex.ONE, A, ex.num(Fraction(3, 10)), ex.ZERO, ex.num(Fraction(1, 7))), (">", "<=")),
    "mask": ex.node("mul", (A, ex.node("cases", (B, ex.num(Fraction(1, 2)), ex.ONE, ex.ZERO), (">",)))), "masks": ex.node("mul", (ex.node("cases", (B, ex.num(Fraction(1, 2)), ex.ONE, ex.ZERO), (">",)),) * 2),
    "pick": ex.node("pick", (S, S * 2, ex.ONE), ("softmax", 1)), "pick log": ex.node("pick", (S, S * 2, ex.ONE), ("log_softmax", 2)),
    "pick one": ex.node("pick", (S, S * 2, ex.ONE), ("logsumexp", 0)),
    "part": part(X, [1, 2], [0, 1]), "every second": part(X, [0, 2], None), "picked rows": part(X, [3, 0, 0], None), "one entry": part(X, [1], [2]),
    "windows": windows(X, (2, 2), 1, 0), "padded windows": windows(X, (2, 2), 2, 1), "reshape": reshape(X, (2, 8)), "concat": concat([A, B, SPREAD], 0),
    "side by side": concat([COLUMN, A], 1), "joined numbers": concat([S, S * 2], 0),
    "slide": convolve(X, ex.sym("K", (2, 2)), 1, 0), "padded slide": convolve(X, ex.sym("K", (3, 3)), 2, 1), "slide to a number": convolve(X, ex.sym("K", (4, 4)), 1, 0),
    "slide of a number": convolve(X, S, 1, 0),
    "long": ex.node("add", [ex.node("mul", (ex.num(k), A)) for k in range(1, 120)]),
}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", NODES)
def test_every_node(name: str, dtype: str) -> None:
    network = equations(NODES[name])
    same(network, dtype, values=inside(network))


def test_every_node_of_the_language_is_among_them() -> None:
    """The nodes of a forward pass or a gradient; the others are gradients' names and running indices."""
    named = {"grad", "partial", "apply", "entry", "bigsum", "best", "local", "same", "diff", "val"}
    found = {n.op for tree in NODES.values() for t in (tree, *(s.result for s in derive(equations(tree)).steps.values())) for n in ex.walk(t)}
    assert found - named - {"matrix", "over"} == (set(RULES) | ex.LEAVES) - named - {"matrix", "over"}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", MATRIX_FUNCTIONS)
def test_every_matrix_function(name: str, dtype: str) -> None:
    network = equations(matrix(name, SQUARE))
    same(network, dtype, values=inside(network) | {"M": np.array([[2, 0.5, 0.25], [0.5, 1.5, 0.125], [-0.25, 0.5, 1]])})


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function(name: str, dtype: str) -> None:
    args = [ex.sym(n, (2, 3)) for n in "AB"[:len(FUNCTIONS[name].args)]]
    network = equations(ex.node("call", args, name))
    same(network, dtype, values=inside(network))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("name", VECTOR_FUNCTIONS)
def test_every_vector_function(name: str, axis: int, dtype: str) -> None:
    network = equations(ex.node("over", (A,), (name, axis)), ex.node("over", (COLUMN,), (name, 0)))
    same(network, dtype, values=inside(network))


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(name: str, rows: bool, dtype: str) -> None:
    same(net("tanh", name, 3, rows, last="softmax" if LOSSES[name].domain in ("unit", "distribution") and not LOSSES[name].logits else "identity"), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", LAYERS)
def test_every_layer(name: str, dtype: str) -> None:
    network = layer_network(name, LAYERS[name])
    same(network, dtype)


def test_a_size_that_is_a_letter() -> None:
    network = net("relu", "cross_entropy", "n", last="softmax")
    everything = {w: compile(network, backend=w) for w in ("numpy", "buffers", "auto")} | {"batch": compile(network, batch=5)}
    for n in (1, 2, 5, 200, 5):
        values, fixed = values_of(network, n=n), net("relu", "cross_entropy", min(n, 5), last="softmax")
        expected, back = exact(fixed, values) if n <= 5 else everything["numpy"](values)
        for compiled in everything.values():
            loss, slopes = compiled(values)
            agree(loss, expected, "float64")
            for name, found in slopes.items():
                assert found.shape == network.symbols[name].shape
                agree(found, back[name], "float64")


def test_a_gradient_of_the_input_has_its_batch() -> None:
    network = net("tanh", samples="n", out=1)
    for n in (1, 3, 100):
        _, slopes = compile(network, wrt=("x", "z2"))(values_of(network, n=n))
        assert {k: g.shape for k, g in slopes.items()} == {"x": (2, n), "z2": (1, n)}


def test_the_size_decides() -> None:
    """A few numbers run as floats, a layer of a hundred units in buffers."""
    assert compile(net(samples=None)).backend == "floats" and compile(net(samples=300)).backend == "buffers"
    with pytest.raises(SpecError, match="plain floats need sizes that are numbers, and n is a letter; give the batch"):
        compile(net(samples="n"), backend="floats")


def test_what_is_given_must_fit() -> None:
    network = net(samples="n")
    compiled, values = compile(network), values_of(net(samples="n"))
    with pytest.raises(ShapeError, match="W1 is 2 x 3, expected 3 x 2"):
        compiled({**values, "W1": values["W1"].T})
    with pytest.raises(ShapeError, match="x says n = 3, and y says n = 4"):
        compiled({**values, "y": np.ones((2, 4))})
    with pytest.raises(SpecError, match="b2 has no value; 'B2' is not known: did you mean 'b2'"):
        compiled({("B2" if n == "b2" else n): v for n, v in values.items()})
    with pytest.raises(SpecError, match="W1 must be an array of numbers, 3 x 2"):
        compiled({**values, "W1": "weights"})
    with pytest.raises(SpecError, match="unknown backend 'buffer'; did you mean 'buffers'"):
        compile(network, backend="buffer")
    with pytest.raises(SpecError, match="f.x. has no formula"):
        compile(from_equations({"y": "f(x)**2"}, {}, frozenset({"f"})))
    with pytest.raises(SpecError, match="only a single number has gradients"):
        compile(from_equations({"y": "x*2"}, {"x": (2, 2)}))


def test_the_forward_pass_without_a_target() -> None:
    network = net("relu", "cross_entropy", "n", last="softmax")
    values = values_of(network)
    compiled = compile(network)
    whole, without = compiled.forward(values), compiled.forward({k: v for k, v in values.items() if k != "y"})
    assert set(whole) - set(without) == {"y", "L"} and np.array_equal(whole["a2"], without["a2"])
    assert abs(whole["L"] - compiled(values)[0]) < 1e-15


def test_a_wrong_slope_is_found() -> None:
    """The comparison of these tests fails where a line of the program is wrong."""
    network = net("sigmoid")
    steps = dict(derive(network).steps)
    wrong = replace(steps["z1"], terms=tuple(replace(t, final=t.final * ex.num(Fraction(1001, 1000))) for t in steps["z1"].terms))
    _, slopes = compile(network, Derivation(network, {**steps, "z1": wrong}))(values_of(network))
    with pytest.raises(AssertionError):
        agree(slopes["W1"], exact(network, values_of(network))[1]["W1"], "float32")


@pytest.mark.parametrize("backend", ["numpy", "buffers", "auto"])
def test_parameters_that_change_in_place(backend: str) -> None:
    """Bound parameters are read where they stand, and the gradients stay in their arrays, whatever the batch."""
    network = net("relu", "cross_entropy", "n", last="softmax")
    compiled, values = compile(network, backend=backend), values_of(network, n=5)
    bound = compiled.bind(values)
    slopes = dict(bound.gradients)
    for n in (5, 2, 5):
        data = [values_of(network, seed=n, n=n)[k] for k in compiled.program.data]
        for name in compiled.program.parameters:
            values[name] *= 0.9
        loss = bound(*data)
        expected, back = compile(network, backend="numpy")({**values, **dict(zip(compiled.program.data, data, strict=True))})
        assert abs(loss - expected) < 1e-13
        for name, found in bound.gradients.items():
            assert found is slopes[name] and np.allclose(found, back[name], rtol=0, atol=1e-14)
    with pytest.raises(SpecError, match="W1 must be a NumPy array of float64"):
        compiled.bind({**values, "W1": values["W1"].tolist()})
    with pytest.raises(SpecError, match="1 arrays of data, expected 2: x, y"):
        bound(values["x"])


def test_plain_floats_fill_the_arrays_they_are_bound_to() -> None:
    """New arrays and those bound once hold the same bits; what floats cannot hold is NumPy's, in the same arrays."""
    network = net("sigmoid", samples=None)
    compiled, values = compile(network, backend="floats"), values_of(network)
    bound = compiled.bind(values)
    slopes = dict(bound.gradients)
    for factor in (1.0, 0.5, 1e200):
        for name in compiled.program.parameters:
            values[name] *= factor
        loss, expected = bound(), compiled(values)
        assert np.array_equal(loss, expected[0], equal_nan=True)
        assert all(bound.gradients[n] is slopes[n] and np.array_equal(slopes[n], expected[1][n], equal_nan=True) for n in slopes)
    assert np.any(slopes["W1"] != compile(network)(values_of(network))[1]["W1"])


def test_nothing_of_size_is_allocated() -> None:
    """The second call in buffers makes no new array of the size of a layer."""
    network = applied(stack(("x", 300), "y", [LayerPlan(400, "relu"), LayerPlan(10, "softmax")], "cross_entropy", samples="n"), "cross_entropy")
    values = values_of(network, n=100)
    bound = compile(network, backend="buffers").bind(values)
    bound()
    tracemalloc.start()
    bound()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * 100 * 8 / 4, f"{peak} bytes; NumPy itself takes 64 kB where it multiplies by a mask"


def test_plain_floats() -> None:
    """Numbers in and out; where a float overflows, the limits of NumPy."""
    network = net("sigmoid", samples=None)
    compiled, values = compile(network, backend="floats"), values_of(network)
    found = compiled.floats(*(float(v) for n in compiled.program.leaves for v in np.ravel(values[n])))
    loss, slopes = compiled(values)
    assert found == (loss, *(v for g in slopes.values() for v in g.ravel().tolist())) and len(found) == len(compiled.results)
    assert compiled.results[:2] == ("L", "dW1_0_0") and compiled.arguments[:3] == ("x_0", "x_1", "y_0")
    far = {**values, "W1": values["W1"] * 1e6}
    for way in BACKENDS:
        loss, slopes = compile(network, backend=way)(far)
        expected, back = compile(network, backend="numpy")(far)
        assert np.isfinite(loss) and abs(loss - expected) < 1e-12 and all(np.allclose(slopes[n], back[n], rtol=0, atol=1e-12) for n in slopes)
    roots = from_equations({"y": "log(x)/(x - 1)"}, {})
    assert compile(roots, backend="floats").floats(1.0)[0] != compile(roots, backend="floats").floats(1.0)[0], "0/0 is not a number"
    assert compile(roots, backend="floats")({"x": 0.0})[0] == np.inf


def test_generated_source_is_looked_at_before_it_runs() -> None:
    for source in ("import os", "x = ().__class__", "__import__('os')", "def f():\n    global x", "x = [y for y in z]", "x = lambda: 1"):
        with pytest.raises(ValueError, match="which no printer of ours writes"):
            load(source, {})


STABLE = {  # (last activation, loss): a logit far out, the loss there, and the slope of the loss in that logit
    ("softmax", "cross_entropy"): 2000.0, ("sigmoid", "binary_cross_entropy"): 1000.0,
    ("identity", "binary_cross_entropy_with_logits"): 1000.0, ("identity", "cross_entropy_with_logits"): 2000.0}


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("last, loss", STABLE)
def test_far_logits_keep_their_loss(last: str, loss: str, dtype: str) -> None:
    """Logits of 1000 and -1000 with the wrong answer as target: the loss is the distance, never inf or nan."""
    network = applied(stack(("x", 1), "y", [LayerPlan(2, last)], loss), loss)
    values = {"x": np.ones(()), "W1": np.array([[1000.0], [-1000.0]]), "b1": np.zeros((2, 1)), "y": np.array([[0.0], [1.0]])}
    for way in BACKENDS:
        found, slopes = compile(network, dtype=dtype, backend=way)(values)
        assert abs(found - STABLE[last, loss]) < 1e-3, (way, found)
        share = 0.5 if "binary" in loss else 1  # the mean over the outputs
        assert np.allclose(slopes["b1"], np.array([[share], [-share]]), rtol=0, atol=1e-12), way


def test_numba_where_it_is_installed() -> None:
    pytest.importorskip("numba")
    same(net("sigmoid", "cross_entropy", None, last="softmax"), backend="numba")


def test_without_numba_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(SpecError, match="needs numba; pip install"):
        compile(net(samples=None), backend="numba")


def test_the_complex_step_agrees_and_finds_a_wrong_slope() -> None:
    network = net("tanh", "cross_entropy", 3, last="softmax")
    compiled, values = compile(network), values_of(network)
    _, slopes = compiled(values)
    check = complex_step(compiled, values)
    assert all(np.allclose(check[n], slopes[n], rtol=0, atol=1e-15) for n in slopes) and not np.allclose(check["W1"], slopes["W1"] * 1.001, rtol=0, atol=1e-7)
    with pytest.raises(SpecError, match="cannot pass np.maximum"):
        complex_step(compile(net("relu")), values_of(net("relu")))
    with pytest.raises(SpecError, match="z1 is computed, so it cannot be moved"):
        complex_step(compile(net(), wrt=("z1",)), values_of(net()))
