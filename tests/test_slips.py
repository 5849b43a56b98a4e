"""Every slip: it changes the answer, it is found when it is planted, and its sentence says where."""

from __future__ import annotations

import string
from dataclasses import replace
from typing import Any

import pytest
from mpmath import mp

from symbolic import expr as ex
from symbolic.language.arithmetic import MP, Matrix
from symbolic.layers import stack
from symbolic.losses import LOSSES, regularized
from symbolic.network import LayerPlan, Network, from_equations
from symbolic.proof.probe import random_point
from symbolic.rules import RULES
from symbolic.slips import SLIPS, Case, Suspects, Working, explain, misfit, right, same
from symbolic.values import DIGITS

SIGMOIDS = stack(("x", 2), "y", [LayerPlan(3, "sigmoid"), LayerPlan(2, "sigmoid")], "half_squared_error")
SQUARE = stack(("x", 2), "y", [LayerPlan(2, "tanh"), LayerPlan(2, "sigmoid")], "mse", samples=4)
BATCH = stack(("X", 2), "Y", [LayerPlan(3, "relu"), LayerPlan(1, "sigmoid")], "mse", samples=4, rows=True)
SOFTMAX = stack(("x", 2), "y", [LayerPlan(3, "softmax")], "half_squared_error")
GRAPH = from_equations({"b": "4*a", "c": "b + 3", "d": "a + 2", "e": "c*d"}, {})
REGRESSION = from_equations({"P": "W*X + B", "e": "mean((Y - P)**2)"}, {"X": (1, 4), "Y": (1, 4)})
NESTED = from_equations({"y": "sin(x**2 + exp(3*x))*x"}, {})
MATRICES = from_equations({"C": "A @ B", "D": "C*C", "e": "sum(D)"}, {"A": (3, 3), "B": (3, 3)})
def plain(network: Network, *penalties: str) -> Network:
    return replace(regularized(network, penalties) if penalties else network, shortcuts=(), ones=())


LEAKY = stack(("X", 2), "Y", [LayerPlan(3, "leaky_relu"), LayerPlan(3, "tanh"), LayerPlan(1, "sigmoid")], "binary_cross_entropy", samples=4)
CLASSES = plain(stack(("X", 2), "Y", [LayerPlan(3, "sigmoid"), LayerPlan(3, "softmax")], "cross_entropy", samples=3))
PENALIZED = plain(stack(("X", 2), "Y", [LayerPlan(3, "tanh"), LayerPlan(2)], "squared_error", samples=3, rows=True), "l2")
SQUARES = stack(("X", 3), "Y", [LayerPlan(3, "tanh"), LayerPlan(3, "sigmoid")], "half_squared_error", samples=3)
DROPPED = stack(("x", 2), "y", [LayerPlan(3, "tanh"), LayerPlan(type="dropout", units=1, options=(("mask", [1, 0, 1]),)), LayerPlan(2)], "squared_error")
NORMED = plain(stack(("X", 2), "Y", [LayerPlan(3), LayerPlan(type="batch_norm", units=3, activation="tanh"), LayerPlan(1)], "squared_error", samples=4))
RECURRENT = stack(("x", 2), "y", [LayerPlan(2, "tanh", type="rnn"), LayerPlan(1)], "squared_error", samples=3)
IMAGE = stack(({"x": None}, 4), "y", [LayerPlan(1, type="conv2d", options=(("kernel", 2),)), LayerPlan(1, type="max_pool", options=(("size", 2), ("stride", 1))),
                                      LayerPlan(1, type="flatten"), LayerPlan(1)], "squared_error", samples=4)
SHARED = from_equations({"c": "a*b", "e": "c*b + c"}, {})
CHAINED = from_equations({"h": "tanh(w*x)", "k": "tanh(w*h)", "L": "w*k"}, {})
QUOTIENT = from_equations({"y": "(x**3 + 1)/(2 + x**2)"}, {})
NETWORKS = {"sigmoids": SIGMOIDS, "square": SQUARE, "batch": BATCH, "softmax": SOFTMAX, "graph": GRAPH, "regression": REGRESSION, "matrices": MATRICES, "nested": NESTED}

FOUND: list[tuple[str, Network, Any]] = [  # the slip, where it is planted, the value that shows it
    ("sign", SIGMOIDS, ("L", "W1")), ("sign", GRAPH, "c"), ("transposed", SIGMOIDS, ("L", "W1")), ("transposed", BATCH, ("L", "W1")),
    ("output-slope", SIGMOIDS, ("L", "z2")), ("output-slope", SIGMOIDS, ("L", "W1")), ("output-slope", BATCH, ("L", "b2")), ("output-slope", SOFTMAX, ("L", "z1")),
    ("hidden-slope", SIGMOIDS, ("L", "z1")), ("hidden-slope", BATCH, ("L", "W1")), ("factor-doubled", SIGMOIDS, ("L", "z2")), ("factor-halved", BATCH, ("L", "z2")),
    ("bias-mean", BATCH, ("L", "b1")), ("mean-forgotten", BATCH, ("L", "W2")), ("mean-forgotten", REGRESSION, ("e", "P")), ("mean-twice", REGRESSION, ("e", "W")),
    ("other-loss", BATCH, ("L", "z2")), ("other-loss", SIGMOIDS, ("L", "z2")), ("overwritten", GRAPH, ("e", "a")), ("path-forgotten", CHAINED, ("L", "w")), ("upstream-ignored", SIGMOIDS, ("L", "W2")),
    ("upstream-ignored", GRAPH, ("e", "b")), ("elementwise", MATRICES, ("e", "A")), ("untransposed", MATRICES, ("e", "B")), ("untransposed", SQUARE, ("L", "z1")),
    ("slope-twice", SIGMOIDS, ("L", "z2")), ("slope-elsewhere", SIGMOIDS, ("L", "z2")), ("slope-elsewhere", SQUARE, ("L", "z1")), ("diagonal", SOFTMAX, ("L", "z1")),
    ("chain-broken", NESTED, ("y", "x")), ("own-factor", GRAPH, ("e", "c")), ("own-factor", REGRESSION, ("e", "W")), ("operand", REGRESSION, "P"), ("term-left-out", SIGMOIDS, "z1"), ("not-applied", SIGMOIDS, "a1"), ("slope-of-another", SIGMOIDS, ("L", "z2")),
    ("function-for-slope", LEAKY, ("L", "W1")), ("slope-inverted", SIGMOIDS, ("L", "W2")), ("slope-incomplete", SIGMOIDS, ("L", "W1")), ("other-leak", LEAKY, ("L", "W1")),
    ("mask-of-gradient", BATCH, ("L", "W1")), ("slope-of-layer", LEAKY, ("L", "W2")), ("slope-of-layer", SQUARES, ("L", "W1")), ("softmax-flattened", CLASSES, ("L", "W2")),
    ("factors-swapped", SQUARES, ("L", "W2")), ("inverse", SQUARES, ("L", "W1")), ("exponent-left", QUOTIENT, ("y", "x")), ("exponent-kept", QUOTIENT, ("y", "x")),
    ("quotient-sign", QUOTIENT, ("y", "x")), ("mask-forgotten", DROPPED, ("L", "W1")), ("kernel-turned", IMAGE, ("L", "W1")), ("pool-spread", IMAGE, ("L", "W1")),
    ("raw-error", SIGMOIDS, ("L", "W1")), ("wrong-input", SIGMOIDS, ("L", "W2")), ("wrong-error", SIGMOIDS, ("L", "W2")), ("statistics-constant", NORMED, ("L", "W1")),
    ("not-carried", RECURRENT, ("L", "W1")), ("not-stored", SIGMOIDS, ("L", "b1")), ("bias-unsummed", BATCH, ("L", "b1")), ("bias-axis", BATCH, ("L", "b1")),
    ("mean-on-some", BATCH, ("L", "b1")), ("clipped", PENALIZED, ("L", "W1")), ("error-clipped", PENALIZED, ("L", "W2")), ("resent", SHARED, ("e", "a")),
    ("assigned", SHARED, ("e", "b")), ("backward-twice", SHARED, ("e", "b")), ("all-pairs", BATCH, ("L", "W2")), ("one-example", BATCH, ("L", "W2")),
    ("log-epsilon", LEAKY, ("L", "W1")), ("penalty-forgotten", PENALIZED, ("L", "W1")), ("penalty-scaled", PENALIZED, ("L", "W1")),
    ("penalty-sign", PENALIZED, ("L", "W2")), ("penalty-on-bias", PENALIZED, ("L", "b1")), ("log-forgotten", LEAKY, "L"), ("kernel-flipped", IMAGE, "a1"),
    ("uphill", SIGMOIDS, (None, "W1")), ("no-rate", SIGMOIDS, (None, "W1")), ("bias-fixed", SIGMOIDS, (None, "b1")), ("one-by-one", SIGMOIDS, (None, "W1")),
]
RATE = "0.5"
ALSO = {"output-slope", "other-loss", "upstream-ignored", "elementwise", "slope-elsewhere", "raw-error", "wrong-error", "statistics-constant", "not-carried", "mean-on-some",
        "assigned", "penalty-forgotten", "penalty-scaled", "penalty-sign"}  # the same numbers come of a slip earlier in the table


@pytest.fixture(autouse=True)
def high_precision() -> Any:
    with mp.workdps(DIGITS):
        yield


def trained(network: Network) -> list[str]:
    return network.names("parameter")


SUSPECTS: dict[int, Suspects] = {}


def suspected(network: Network) -> Suspects:
    """The slips of a network, each worked out once for all tests."""
    return SUSPECTS.setdefault(id(network), Suspects(network, mp.mpf(RATE), trained(network)))


def worked(working: Working, leaves: Any, key: Any = None) -> dict[Any, Matrix]:
    try:
        return working.values(leaves, mp.mpf(RATE), trained(working.network), key)
    except ArithmeticError:
        return {}


def test_every_slip_is_planted_somewhere() -> None:
    assert {name for name, _, _ in FOUND} == {name for name, slip in SLIPS.items() if slip.kind not in ("state", "optimizer")}, "those of several calls and steps: tests/test_check_why.py"


def test_the_table_is_well_formed() -> None:
    for name, slip in SLIPS.items():
        assert slip.name == name and slip.kind in ("rule", "network", "accumulation", "update", "forward", "state", "optimizer") and slip.step
        assert slip.sentence.endswith(".") and slip.sentence[0] in string.ascii_uppercase + "`{1" and slip.sentence.count("`") % 2 == 0


@pytest.mark.parametrize(("name", "network", "key"), FOUND)
def test_a_planted_slip_is_found(name: str, network: Network, key: Any) -> None:
    """The slip itself is named, or one earlier in the table that gives the very same answer."""
    leaves = [random_point(network, k) for k in range(2)]
    truth = [worked(right(network), at, key) for at in leaves]
    shown = False
    for working in SLIPS[name].apply(network):
        wrong = [worked(working, at, key) for at in leaves]
        if not all(key in env for env in wrong) or all(same(a[key], b[key]) for a, b in zip(truth, wrong, strict=True)):
            continue  # made elsewhere, it does not reach this value
        shown = True
        cases = [Case(at, lambda m, w=w: same(w[key], m)) for at, w in zip(leaves, wrong, strict=True)]
        found = suspected(network).explain(key, cases)
        assert found is not None
        slip, said = found
        assert "{" not in said and said.endswith(".")
        if slip.name == name:
            return
    assert shown and name in ALSO, "found only under another name"


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_the_right_answer_is_never_a_slip(network: Network) -> None:
    """Many slips leave a value as it is; none of them explains it."""
    leaves = random_point(network, 5)
    truth, suspects = worked(right(network), leaves), suspected(network)
    untouched = [k for k in truth if isinstance(k, str) and network.symbols[k].kind == "value"][-3:] + [k for k in truth if isinstance(k, tuple)][:2]
    for key in untouched:
        assert suspects.explain(key, [Case(leaves, lambda m, key=key: same(truth[key], m))]) is None
        assert suspects.explain(key, [Case(leaves, lambda m: True)]) is not None or key == (network.output, network.output)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_slips_leave_the_right_tables_alone(network: Network) -> None:
    before = dict(RULES), right(network).derivation
    for slip in SLIPS.values():
        for working in slip.apply(network):
            assert working.said and "{" not in working.said
    assert (dict(RULES), right(network).derivation) == before


def test_the_order_of_the_table_decides() -> None:
    """y_hat - y under half the square: the slope is missing, though binary cross-entropy gives the same."""
    one = stack(("x", 2), "y", [LayerPlan(1, "sigmoid")], "half_squared_error")
    leaves = random_point(one, 1)
    wrong = [[worked(right(one), leaves)["a1"][0][0] - leaves["y"][0][0]]]
    found = [explain(one, leaves, ("L", "z1"), lambda m: same(wrong, m)) for _ in range(2)]
    assert found[0] == found[1] and found[0] is not None and found[0][0].name == "output-slope"
    mean = stack(("x", 2), "y", [LayerPlan(1, "sigmoid")], "mse")
    other = explain(mean, leaves, ("L", "z1"), lambda m: same(wrong, m))
    assert other is not None and other[0].name == "other-loss" and "binary cross entropy" in other[1]


def test_the_sentence_names_the_place() -> None:
    said = {w.said for w in SLIPS["hidden-slope"].apply(SIGMOIDS)}
    assert said == {"The slope of the sigmoid is missing: `dL/dz1` is `dL/da1` times that slope."}
    assert {w.said for w in SLIPS["operand"].apply(REGRESSION)} == {
        "`Y` was used in place of `X`.", "`X` was used in place of `Y`.", "`X` was used in place of `P`."}


def test_one_by_one_moves_only_what_lies_below() -> None:
    leaves = random_point(SIGMOIDS, 3)
    truth, wrong = (worked(w, leaves) for w in (right(SIGMOIDS), next(SLIPS["one-by-one"].apply(SIGMOIDS))))
    assert all(same(truth[None, n], wrong[None, n]) for n in ("W2", "b2"))
    assert not any(same(truth[None, n], wrong[None, n]) for n in ("W1", "b1"))


def test_a_new_row_of_losses_is_a_suspect_at_once() -> None:
    said = {w.said for w in SLIPS["other-loss"].apply(stack(("x", 2), "y", [LayerPlan(3, "sigmoid")], "half_squared_error"))}
    assert {loss for loss in LOSSES if any(loss.replace("_", " ") in s for s in said)} >= {n for n, row in LOSSES.items() if not row.logits} - {"half_squared_error"}


def test_a_misfit_needs_a_product_on_both_sides() -> None:
    A, g = ex.sym("A", (3, 2)), ex.sym("g", (3, 4))
    assert misfit(["*"], A.T @ g) is not None and misfit(["*", "*"], A.T @ g) is not None
    assert misfit(["@"], A.T @ g) is None and misfit([], A.T @ g) is None and misfit(["*"], A * A) is None


def test_a_vector_valued_output_starts_from_ones() -> None:
    net = from_equations({"U": "X @ W", "O": "sum(U, axis=1)"}, {"X": (4, 3), "W": (3, 2)})
    leaves = random_point(net, 0)
    env = right(net).values(leaves)
    columns = [[sum(row[i] for row in leaves["X"])] * 2 for i in range(3)]
    assert same(env["O", "W"], columns) and same(env["O", "O"], [[MP.number(1)]] * 4)


def test_only_as_much_is_computed_as_is_asked() -> None:
    leaves = random_point(SIGMOIDS, 0)
    whole = right(SIGMOIDS).values(leaves, mp.mpf(RATE), trained(SIGMOIDS))
    for key in ("a1", ("L", "z2"), ("L", "W1"), (None, "b1"), (None, "L")):
        part = right(SIGMOIDS).values(leaves, mp.mpf(RATE), trained(SIGMOIDS), key)
        assert same(part[key], whole[key]) and (key[0] is None or len(part) < len(whole))
