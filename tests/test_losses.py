"""Every row of the losses: derived, checked, compared with HIPS autograd, and stable in float64; theorems, classes, regularization."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mp
from oracle import Floats as AutogradFloats, Forward, flat

from symbolic import expr as ex
from symbolic.errors import SpecError
from symbolic.language.arithmetic import MP, entries
from symbolic.lesson import plan
from symbolic.losses import DOMAINS, LOSSES, PENALTIES, loss_equation
from symbolic.pages.report import report
from symbolic.pages.sheet import Sheet
from symbolic.problem import Problem, build
from symbolic.reading.specfile import build as spec_of, load
from symbolic.verify import Certified, certify

LEVELS = ("scalar", "index", "matrix")
TARGETS = {"any": ([0.4, -1.3, 2.5], [1.1, 0.2, 0.3]), "unit": ([0.2, 0.9, 0.4], [1, 0, 1]), "distribution": ([0.2, 0.7, 0.1], [0, 1, 0]),
           "sign": ([-1, 1, 1], [1, -1, -1]), "one-hot": ([0, 0, 1], [1, 0, 0])}
LAST = {"unit": "sigmoid", "distribution": "softmax"}
PROBABILITIES = ("cross_entropy", "binary_cross_entropy", "kl_divergence", "focal")


def spec_for(loss: str, *, batch: bool = False, rows: bool = False, reduction: str = "mean", **more: Any) -> dict[str, Any]:
    """One layer of two inputs and three outputs, with targets that the loss is made for."""
    row = LOSSES[loss]
    W = [[0.7, -0.4], [0.5, 0.9], [-0.3, 0.2]]
    last = LAST[row.domain] if loss in PROBABILITIES else "identity"
    layer = {"activation": last, "W": [list(c) for c in zip(*W, strict=True)] if rows else W, "b": [0.1, 0.2, -0.3]}
    x, y = [[0.3, 0.9], [-1.2, 0.4]], list(TARGETS[row.domain])
    return {"inputs": {"x": x if batch else x[0]}, "targets": {"y": y if batch else y[0]}, "layers": [layer], "loss": loss,
            "convention": "rows" if rows else "columns"} | ({"reduction": reduction} if batch else {}) | more


def solved(spec: dict[str, Any], levels: tuple[str, ...] = LEVELS) -> tuple[Problem, Certified]:
    problem = build(spec_of(spec))
    return problem, certify(plan(problem.network, levels), problem.numbers())


def compare(spec: dict[str, Any], levels: tuple[str, ...] = LEVELS) -> Certified:
    """Loss and gradients of every parameter and of the input, against autograd on the test's own transcription."""
    autograd = pytest.importorskip("autograd")
    problem, certified = solved(spec, levels)
    f = Forward(spec, AutogradFloats())
    found = report(Sheet(problem, certified))
    value, theirs = autograd.value_and_grad(lambda leaves: f.run({**f.leaves, **leaves})["L"].sum())({n: f.leaves[n] for n in f.leaves if n != "y"})
    assert np.isclose(found["loss"], value, rtol=1e-11)
    for name, expected in theirs.items():
        assert np.allclose(flat(found["gradients"][name]), expected.ravel(), rtol=1e-10, atol=1e-12), name
    return certified


CASES = [(False, rows, "mean") for rows in (False, True)] + [(True, rows, r) for rows in (False, True) for r in ("mean", "sum")]


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_in_every_layout_is_certified_and_agrees_with_autograd(loss: str) -> None:
    for k, (batch, rows, reduction) in enumerate(CASES):
        compare(spec_for(loss, batch=batch, rows=rows, reduction=reduction), LEVELS if k == 5 else ("matrix",))


@pytest.mark.parametrize("loss", LOSSES)
def test_a_wrong_constant_in_a_row_is_noticed(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = LOSSES[loss]
    monkeypatch.setitem(LOSSES, loss, dataclasses.replace(row, scale=row.scale * 1001 / 1000))
    with pytest.raises(AssertionError):
        compare(spec_for(loss), ("matrix",))


@pytest.mark.parametrize("loss", LOSSES)
def test_the_mean_over_the_outputs_is_where_the_row_says(loss: str) -> None:
    y_hat, y = ex.sym("y_hat", (3, 1)), ex.sym("y", (3, 1))
    row = LOSSES[loss]
    assert (row.outputs == "mean") == (loss in ("mae", "huber", "binary_cross_entropy", "binary_cross_entropy_with_logits", "hinge", "focal", "mse"))
    leaves = {"y_hat": [[mp.mpf(v)] for v in (0.3, 0.6, 0.1)], "y": [[mp.mpf(v)] for v in TARGETS[row.domain][1]]}
    alone = Forward({"inputs": {"x": [0]}, "targets": {"y": [0]}, "layers": [], "loss": loss})
    with mp.workdps(40):
        got = entries(loss_equation(loss, y_hat, y, outputs=3, samples=None).rhs, leaves, MP)[0][0]
        expected = alone._network({"x": np.array([[v[0] for v in leaves["y_hat"]]]), "y": np.array([[v[0] for v in leaves["y"]]])}, {})["L"][0, 0]
        assert abs(got - expected) < mp.mpf(10) ** -35


def test_options_move_the_loss() -> None:
    compare(spec_for("huber", loss_options={"delta": 0.25}))
    compare(spec_for("focal", batch=True, loss_options={"gamma": 1}))
    compare(spec_for("focal", loss_options={"gamma": 0}), ("matrix",))
    cross = solved(spec_for("binary_cross_entropy"), ("matrix",))[1].values
    focal = solved(spec_for("focal", loss_options={"gamma": 0}), ("matrix",))[1].values
    assert cross is not None and focal is not None and abs(cross["L"][0][0] - focal["L"][0][0]) < mp.mpf(10) ** -60


def test_rows_are_complete() -> None:
    for row in LOSSES.values():
        assert row.because.endswith(".") and row.used.endswith(".") and not row.convention.endswith(".") and row.domain in DOMAINS
        assert row.outputs in ("sum", "mean") and row.outputs in row.convention
    assert all(p.because.endswith(".") and not p.convention.endswith(".") for p in PENALTIES.values())


# ---------------------------------------------------------------- what may be written

YAML = "inputs: {{x: {x}}}\ntargets:\n  y:\n    {y}\nlayers: [{{units: {units}, activation: {last}}}]\nloss: {loss}\n{more}"
MISTAKES = [
    (dict(loss="binary_cross_entropy", last="sigmoid", y="[0.5, 2]"), "net.yaml:3: targets, y: binary_cross_entropy needs targets between 0 and 1"),
    (dict(loss="focal", last="sigmoid", y="[0.5, -1]"), "net.yaml:3: targets, y: focal needs targets between 0 and 1"),
    (dict(loss="cross_entropy", x="[[1], [2]]", last="softmax", y="- [1, 0]\n    - [1.5, 0]"),
     "net.yaml:5: targets, y, row 2: cross_entropy needs targets between 0 and 1"),
    (dict(loss="kl_divergence", last="softmax", y="[0.5, 0.4]"), "targets, y: kl_divergence needs targets between 0 and 1 that sum to 1"),
    (dict(loss="hinge", y="[1, 0]"), "net.yaml:3: targets, y: hinge needs targets that are -1 or 1"),
    (dict(loss="multiclass_hinge", y="[1, 1]"), "net.yaml:3: targets, y: multiclass_hinge needs one target 1 and the others 0, or the number of the class"),
    (dict(loss="cross_entropy", last="softmax", y="2"), "net.yaml:3: targets y: 2 is not a class; expected a whole number from 0 to 1; classes are counted from 0"),
    (dict(loss="cross_entropy", last="softmax", x="[[1], [2]]", y="[0, 0.5]"), "1/2 is not a class (example 2); expected a whole number from 0 to 1"),
    (dict(loss="multiclass_hinge", x="[[1], [2]]", y="[0, 1, 1]"), "3 classes, but the input has 2 examples"),
    (dict(loss="mse", x="[[1], [2]]", y="[0, 1]"), "expected 2 rows, one an example"),
    (dict(loss="binary_cross_entropy_with_logits", last="sigmoid", y="[0, 1]"),
     "net.yaml:5: layer 1, activation: sigmoid, but binary_cross_entropy_with_logits takes the logits of the last layer, without an activation; "
     "write identity, or the loss binary_cross_entropy"),
    (dict(loss="cross_entropy_with_logits", units=1, y="[1]"), "loss: cross_entropy_with_logits needs a last layer of at least 2 units"),
    (dict(loss="huber", y="[0, 1]", more="loss_options: {gamma: 1}"), "net.yaml:7: loss_options gamma: huber has no option 'gamma'; valid names: delta"),
    (dict(loss="mse", y="[0, 1]", more="loss_options: {delta: 1}"), "net.yaml:7: loss_options delta: mse has no option 'delta'; delete it"),
    (dict(loss="huber", y="[0, 1]", more="loss_options: {delta: 0}"), "net.yaml:7: loss_options delta: expected a positive decimal or fraction"),
    (dict(loss="mse", y="[0, 1]", more="regularization: {l3: 1}"), "net.yaml:7: regularization l3: unknown penalty 'l3'; valid names: l2, ridge, l1"),
    (dict(loss="mse", y="[0, 1]", more="regularization: {l2: 1, ridge: 2}"), "regularization: l2 and ridge are the same squares"),
    (dict(loss="mse", y="[0, 1]", more="regularization: {l2: -1}"), "regularization l2: expected a number that is not negative, not '-1'"),
    (dict(loss="hubber", y="[0, 1]"), "loss: unknown loss 'hubber'; did you mean 'huber'?"),
]


@pytest.mark.parametrize(("parts", "sentence"), MISTAKES)
def test_a_mistake_is_told_in_one_sentence_with_its_line(parts: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(YAML.format(**{"x": "[1]", "units": 2, "last": "identity", "more": ""} | parts))
    with pytest.raises(SpecError) as e:
        build(load(path))
    assert sentence in str(e.value)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("loss", [n for n, row in LOSSES.items() if row.classes])
def test_the_number_of_a_class_is_its_one_hot_target(loss: str, rows: bool) -> None:
    for batch, number, written in ((False, 2, [0, 0, 1]), (True, [2, 0], [[0, 0, 1], [1, 0, 0]])):
        by_number, by_hand = (spec_for(loss, batch=batch, rows=rows) | {"targets": {"y": y}} for y in (number, written))
        one, other = build(spec_of(by_number)), build(spec_of(by_hand))
        assert one.leaves == other.leaves and one.network.equations == other.network.equations and one.network.shortcuts == other.network.shortcuts
        assert one.loss is not None and one.loss.classes == tuple(flat(number) if batch else [number])


def test_a_list_beside_one_example_is_taken_as_written() -> None:
    problem = build(spec_of(spec_for("cross_entropy") | {"targets": {"y": [0, 1, 0]}}))
    assert problem.leaves["y"] == [[0], [1], [0]] and problem.loss is not None and not problem.loss.classes
