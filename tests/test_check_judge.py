"""Points where nothing hides, errors that are what is tested, and verdicts for every kind of wrong."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
from hypothesis import given, settings, strategies as st
from mpmath import mp

from symbolic.check.arrays import forward, gradients, matrix
from symbolic.check.judge import LIMITS, VERDICTS, Case, constants, judge
from symbolic.check.points import NEAR, Blueprint, Point, points
from symbolic.derive import derive
from symbolic.functions import FUNCTIONS
from symbolic.layers import activations, stack
from symbolic.losses import DOMAINS, LOSSES
from symbolic.network import LayerPlan, Network, from_equations
from symbolic.slips import right
from tests.specs import LAST


def dense(hidden: str, last: str, loss: str, *, rows: bool = True, outputs: int = 2, **more: Any) -> Blueprint:
    plans = [LayerPlan(3, hidden), LayerPlan(outputs, last)]
    return Blueprint.of(stack(("X", 2), "Y", plans, loss, samples="n", rows=rows), loss, **more)


NET = dense("relu", "sigmoid", "mse")


def true(point: Point) -> dict[str, Any]:
    return {n: point.gradient(n).copy() for n in point.wanted}


def verdicts(change: Any, blueprint: Blueprint = NET, **how: Any) -> dict[str, Any]:
    cases = [Case(p, change(p, true(p))) for p in points(blueprint, 1)]
    return {v.name: v for v in judge(cases, **how)}


# ---------------------------------------------------------------- arrays

@pytest.mark.parametrize("name", activations())
def test_arrays_agree_with_ninety_digits(name: str) -> None:
    net = stack(("X", 3), "Y", [LayerPlan(4, name), LayerPlan(3, "tanh")], "half_squared_error", samples=5, rows=True)
    point = points(Blueprint.of(net, "half_squared_error"), 7)[0]
    with mp.workdps(40):
        leaves = {n: [[mp.mpf(float(v)) for v in row] for row in x.tolist()] for n, x in point.leaves.items() if n != "n"}
        net = stack(("X", point.sizes["X"][1]), "Y", [LayerPlan(point.sizes["W1"][1], name), LayerPlan(point.sizes["W2"][1], "tanh")], "half_squared_error",
                    samples=point.examples, rows=True)
        want = right(net).values(leaves)
    for key in point.values.keys() & want.keys():
        ours = numpy.array([[float(v) for v in row] for row in want[key]])
        assert numpy.max(abs(point.values[key] - ours)) <= 1e-12 * max(1, numpy.max(abs(ours))), key


def test_every_node_has_a_value() -> None:
    net = from_equations({"u": "inv(A) @ B", "v": "max(u, axis=1)", "w": "sum(v) + det(A) + min(u) + norm(B)"}, {"A": (2, 2), "B": (2, 2)})
    leaves = {"A": matrix([[2, 1], [1, 3]]), "B": matrix([[1, 4], [0.5, 3]])}
    env = gradients(derive(net), forward(net, leaves))
    h = 1e-6
    for i in range(2):
        up, down = ({**leaves, "A": leaves["A"] + sign * h * numpy.eye(2)[i][:, None] * numpy.eye(2)[0]} for sign in (1, -1))
        slope = (forward(net, up)["w"] - forward(net, down)["w"])[0, 0] / (2 * h)
        assert abs(slope - env["w", "A"][i, 0]) < 1e-6


# ---------------------------------------------------------------- points

@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("rows", [True, False])
def test_points_fit_the_loss(loss: str, rows: bool) -> None:
    last = "sigmoid" if loss in LAST and "identity" not in LAST[loss] else "identity"
    found = points(dense("relu", last, loss, rows=rows), 2)
    domain = DOMAINS[LOSSES[loss].domain]
    for p in found:
        y = p.leaves["Y"] if rows else p.leaves["Y"].T
        if LOSSES[loss].domain == "distribution":
            assert numpy.allclose(y.sum(axis=1), 1)
        else:
            assert all(domain.holds([float(v) for v in example]) for example in y)
        assert all(numpy.isfinite(g).all() for g in p.values.values()) and not p.said
    labels = [p.label for p in found]
    assert labels[:5] == ["distinct sizes", "another batch", "a third batch", "square", "a single example"]


def test_points_hide_nothing() -> None:
    found = points(NET, 11)
    first, second, *_ = found
    sizes = [first.examples, *first.sizes["W1"], first.outputs]
    assert len(set(sizes)) == 4 and min(sizes) >= 3 and second.examples != first.examples and found[4].examples == 1
    assert {d for s in found[3].sizes.values() for d in s} <= {4, 1}
    for p in found[:3]:
        z = p.values["z1"]
        assert (z > 0).any() and (z < 0).any() and abs(z).min() >= NEAR and abs(p.values["z2"]).max() < 5
        assert all(numpy.abs(p.leaves[b]).min() > 0.1 for b in ("b1", "b2"))
        assert 0.3 < numpy.abs(p.leaves["W1"]).mean() < 3


def test_points_are_fresh_and_reproducible() -> None:
    one, same, other = (points(NET, s)[0].leaves["W1"] for s in (5, 5, 6))
    assert (one == same).all() and not (one == other).any()


def test_regularization_is_off_then_on_then_alone() -> None:
    from symbolic.losses import regularized

    net = regularized(stack(("X", 2), "Y", [LayerPlan(3, "tanh"), LayerPlan(2)], "mse", samples="n", rows=True), ("l2",))
    found = {p.label: p for p in points(Blueprint.of(net, "mse", penalties=("l2",)), 1)}
    assert found["distinct sizes"].leaves["lam"] == 0 and found["with regularization"].leaves["lam"] == 0.3
    alone = found["regularization alone"]
    assert numpy.allclose(alone.gradient("W1"), 0.3 * alone.leaves["W1"], rtol=1e-12)
    fixed = points(Blueprint.of(net, "mse", penalties=("l2",), fixed={"lam": 0.01}), 1)
    assert all(p.leaves["lam"] == 0.01 for p in fixed)


# ---------------------------------------------------------------- verdicts

def test_the_number_printed_is_the_number_tested() -> None:
    def off(p: Point, g: dict[str, Any]) -> dict[str, Any]:
        g["W1"][0, 1] += 3e-9 * abs(g["W1"]).max()
        return g

    found = verdicts(off)
    assert found["W1"].verdict == "WRONG" and 2.9e-9 < found["W1"].error < 3.1e-9 and found["W1"].at[1] == (0, 1) and found["W1"].error > found["W1"].limit
    assert all(found[n].verdict == "OK" and found[n].error <= found[n].limit for n in ("b1", "W2", "b2"))
    assert verdicts(off, dtype="float32")["W1"].verdict == "OK" and LIMITS["float32"] == 1e-4


KINDS = [  # what is returned, for which gradient, the verdict, a word of its sentence
    (lambda p, g: g | {"W1": 2 * g["W1"]}, "W1", "WRONG", "2 times"),
    (lambda p, g: {n: v * p.examples for n, v in g.items()}, "W1", "SCALE", "m times"),
    (lambda p, g: {n: v / (p.examples * p.outputs) for n, v in g.items()}, "b2", "SCALE", "1/(mK) times"),
    (lambda p, g: g | {"b1": g["b1"] / p.examples}, "b1", "WRONG", "1/m times"),
    (lambda p, g: g | {"W1": -g["W1"]}, "W1", "SIGN", "sign"),
    (lambda p, g: {n: -v for n, v in g.items()}, "b2", "SIGN", "sign"),
    (lambda p, g: g | {"W2": g["W2"].T}, "W2", "SHAPE", "transposed"),
    (lambda p, g: g | {"W2": g["W2"].ravel()}, "W2", "SHAPE", "row by row"),
    (lambda p, g: g | {"W2": g["W2"].ravel(order="F")}, "W2", "SHAPE", "column by column"),
    (lambda p, g: g | {"W2": g["W2"][None]}, "W2", "SHAPE", "extra axis"),
    (lambda p, g: g | {"W2": numpy.repeat(g["W2"][None], p.examples, 0) / p.examples}, "W2", "SHAPE", "added up"),
    (lambda p, g: g | {"b1": p.values["L", "z1"]}, "b1", "SHAPE", "one gradient an example"),
    (lambda p, g: g | {"W1": numpy.zeros((5, 9))}, "W1", "WRONG", "expected"),
    (lambda p, g: {n: v for n, v in g.items() if n != "b1"}, "b1", "MISSING", "No gradient"),
    (lambda p, g: g | {"b1": None}, "b1", "MISSING", "No gradient"),
    (lambda p, g: g | {"b1": 0 * g["b1"]}, "b1", "ZERO", "0 everywhere"),
    (lambda p, g: g | {"b1": g["b1"] + numpy.nan}, "b1", "NONFINITE", "finite"),
    (lambda p, g: g | {"W1": g["W1"] * 1.01}, "W1", "WRONG", "wrong"),
]


@pytest.mark.parametrize(("change", "name", "verdict", "word"), KINDS)
def test_every_kind_of_wrong_has_its_verdict(change: Any, name: str, verdict: str, word: str) -> None:
    found = verdicts(change)
    assert found[name].verdict == verdict and word in found[name].said, found[name]
    assert found[name].verdict in VERDICTS and all(v.verdict == "OK" for n, v in found.items() if n != name or verdict == "OK") or verdict in ("SCALE", "SIGN")


def test_a_common_constant_is_wrong_on_request() -> None:
    found = verdicts(lambda p, g: {n: v * p.examples for n, v in g.items()}, strict=True)
    assert all(v.verdict == "WRONG" and v.constant == "m" and not v.passed for v in found.values())


def test_vectors_may_be_rows_columns_or_lists() -> None:
    for shape in (lambda b: b.ravel(), lambda b: b.reshape(1, -1), lambda b: b.reshape(-1, 1)):
        assert all(v.verdict == "OK" for v in verdicts(lambda p, g, shape=shape: {n: shape(v) if n[0] == "b" else v for n, v in g.items()}).values())


def test_constants_are_told_apart_by_their_sizes() -> None:
    point = points(NET, 1)[0]
    table = constants(point.examples, point.outputs)
    assert table["m"] == point.examples and table["K"] == point.outputs and table["1/(mK)"] == 1 / (point.examples * point.outputs)
    assert len(table) == 26 and next(iter(table)) in ("2", "m", "K")


def kinked(where: float) -> Point:
    """A point with every input of the ReLU at its kink."""
    point = points(NET, 1)[0]
    return Point("at the kink", point.network, {**point.leaves, "W1": 0 * point.leaves["W1"], "b1": 0 * point.leaves["b1"] + where})


def test_both_conventions_at_a_kink_are_accepted_and_named() -> None:
    at = kinked(0.0)
    d = (at.values["L", "a1"]) * 1.0
    closed = true(at) | {"W1": at.leaves["X"].T @ d, "b1": d.sum(axis=0)}
    found = {v.name: v for v in judge([Case(at, closed)])}
    assert found["b1"].verdict == "KINK" and "slope" in found["b1"].said and "relu" in found["b1"].said and found["b1"].error <= found["b1"].limit
    assert found["W2"].verdict == "UNTESTED" and found["b2"].verdict == "OK"
    half = true(at) | {"W1": at.leaves["X"].T @ d / 2, "b1": d.sum(axis=0) / 2}
    found = {v.name: v for v in judge([Case(at, half)])}
    assert found["b1"].verdict == "KINK" and "0.5 of the way" in found["b1"].said, "as JAX has it"
    beyond = true(at) | {"W1": at.leaves["X"].T @ d * 2, "b1": d.sum(axis=0) * 2}
    assert {v.name: v.verdict for v in judge([Case(at, beyond)])}["b1"] == "WRONG"
    assert {v.name: v.verdict for v in judge([Case(at, true(at))])}["b1"] == "UNTESTED"


def test_a_gradient_that_rounding_leaves_of_zero_proves_nothing() -> None:
    net = stack(("X", 2), "Y", [LayerPlan(3), LayerPlan(type="batch_norm", units=3, activation="tanh"), LayerPlan(2)], "squared_error", samples=5, rows=True)
    cases = [Case(p, true(p)) for p in points(Blueprint.of(net, "squared_error"), 1)]
    assert {v.name: v.verdict for v in judge(cases)}["b1"] == "UNTESTED", "a bias before batch normalization"


# ---------------------------------------------------------------- right gradients, computed another way

def by_autograd(network: Network, point: Point) -> dict[str, Any]:
    """The gradients by the chain rule of HIPS autograd, an independent implementation."""
    import autograd.numpy as anp
    from autograd import grad

    rows, acts, loss = network.rows, [p.activation for p in network.layers], point.loss  # type: ignore[attr-defined]
    names = point.wanted

    def cost(params: dict[str, Any]) -> Any:
        a = point.leaves["X"]
        for k, act in enumerate(acts, 1):
            z = (a @ params[f"W{k}"] if rows else params[f"W{k}"] @ a) + params[f"b{k}"]
            a = ACTS[act](anp, z, 1 if rows else 0)
        y = point.leaves["Y"]
        return anp.sum(COSTS[loss](anp, a, y, point.outputs)) / point.examples

    return dict(grad(cost)({n: point.leaves[n] for n in names}))


COSTS: dict[str, Any] = {
    "mse": lambda np, a, y, k: (a - y) ** 2 / k, "squared_error": lambda np, a, y, k: (a - y) ** 2, "half_squared_error": lambda np, a, y, k: 0.5 * (a - y) ** 2,
    "binary_cross_entropy": lambda np, a, y, k: -(y * np.log(a) + (1 - y) * np.log(1 - a)) / k, "cross_entropy": lambda np, a, y, k: -y * np.log(a),
}
ACTS: dict[str, Any] = {
    "identity": lambda np, z, axis: z, "sigmoid": lambda np, z, axis: 1 / (1 + np.exp(-z)), "tanh": lambda np, z, axis: np.tanh(z),
    "relu": lambda np, z, axis: z * (z > 0), "leaky_relu": lambda np, z, axis: np.where(z > 0, z, 0.01 * z), "softplus": lambda np, z, axis: np.log(1 + np.exp(z)),
    "softmax": lambda np, z, axis: np.exp(z) / np.sum(np.exp(z), axis=axis, keepdims=True), "silu": lambda np, z, axis: z / (1 + np.exp(-z)),
}
SMOOTH = ["sigmoid", "tanh", "relu", "leaky_relu", "softplus", "silu"]
ENDS = [("mse", "sigmoid"), ("mse", "identity"), ("squared_error", "tanh"), ("half_squared_error", "relu"), ("binary_cross_entropy", "sigmoid"),
        ("cross_entropy", "softmax"), ("half_squared_error", "softmax")]


@settings(max_examples=25, deadline=None)
@given(hidden=st.lists(st.tuples(st.integers(1, 5), st.sampled_from(SMOOTH)), min_size=0, max_size=3), end=st.sampled_from(ENDS), outputs=st.integers(2, 4),
       features=st.integers(1, 4), rows=st.booleans(), seed=st.integers(0, 999), resize=st.booleans())
def test_right_gradients_are_never_accused(hidden: Any, end: Any, outputs: int, features: int, rows: bool, seed: int, resize: bool) -> None:
    loss, last = end
    plans = [*(LayerPlan(u, act) for u, act in hidden), LayerPlan(outputs, last)]
    net = stack(("X", features), "Y", plans, loss, samples="n", rows=rows)
    if not hidden:  # one layer has no number
        net = stack(("X", features), "Y", [LayerPlan(3, "identity"), *plans], loss, samples="n", rows=rows)
    cases = []
    for p in points(Blueprint.of(net, loss, resize=resize), seed):
        object.__setattr__(p, "loss", loss)
        cases.append(Case(p, by_autograd(p.network, p)))
    assert all(v.verdict in ("OK", "UNTESTED") for v in judge(cases)), judge(cases)
    assert sum(v.verdict == "OK" for v in judge(cases)) >= 2


def test_the_functions_above_are_those_of_the_table() -> None:
    z = numpy.linspace(-2, 2, 7)
    for name in (n for n in ACTS if n in FUNCTIONS):
        assert numpy.allclose(ACTS[name](numpy, z, 0), FUNCTIONS[name].numpy(z), rtol=1e-14)
