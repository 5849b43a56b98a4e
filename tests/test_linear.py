"""Linear regression solved exactly, why gradient descent gets there, and linear layers that are one."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from course import example as course
from hypothesis import given, settings, strategies as st
from mpmath import mp

from symbolic import expr as ex
from symbolic.errors import CheckError, SpecError
from symbolic.lectures import linear
from symbolic.lesson import plan
from symbolic.pages import linearpages
from symbolic.pages.report import report
from symbolic.pages.sheet import Sheet
from symbolic.problem import build
from symbolic.produce import Request, produce
from symbolic.reading.specfile import build as read
from symbolic.verify import certify

LINE: dict[str, Any] = {"inputs": {"x": [[1], [2], [3], [4]]}, "targets": {"y": [[2], [3], [5], [6]]}, "layers": [{"units": 1, "W": [[0]], "b": [0]}],
                        "loss": "mse", "learning_rate": "0.1", "normal_equations": True}
small = st.fractions(-4, 4, max_denominator=3)


def sheet_of(data: dict[str, Any]) -> Sheet:
    problem = build(read(data))
    return Sheet(problem, certify(plan(problem.network, ("matrix", "numbers")), problem.numbers()))


def sections(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {s["title"]: s for s in report(sheet_of(data))["sections"]}


def layer_of(data: dict[str, Any]) -> tuple[linear.Layer, linear.Fit]:
    sheet = sheet_of(data)
    layer = linear.Layer(sheet.network, sheet.lesson.derivation, sheet.problem.leaves)
    return layer, linear.solve(layer.design, layer.targets)


def as_floats(rows: Any) -> np.ndarray:
    return np.array([[float(v) for v in row] for row in rows])


# ---------------------------------------------------------------- the exact solution

@given(st.integers(1, 3), st.integers(1, 2), st.data())
def test_the_solution_is_that_of_numpy(k: int, m: int, data: Any) -> None:
    n = data.draw(st.integers(k, 5))
    design, targets = (data.draw(st.lists(st.lists(small, min_size=w, max_size=w), min_size=n, max_size=n)) for w in (k, m))
    fit = linear.solve(design, targets)
    assert fit.rank == np.linalg.matrix_rank(as_floats(design), tol=1e-9)
    assert (fit.solution is None) == (fit.rank < k)
    if fit.solution is not None:
        found, *_ = np.linalg.lstsq(as_floats(design), as_floats(targets), rcond=None)
        assert as_floats(fit.solution) == pytest.approx(found, abs=1e-6)


@given(st.lists(small, min_size=2, max_size=2).filter(any))
@settings(max_examples=15)
def test_every_other_line_has_a_larger_loss(move: list[Fraction]) -> None:
    layer, fit = LAYER
    assert fit.solution is not None
    moved = [[a + d for a in row] for row, d in zip(fit.solution, move, strict=True)]
    assert layer.loss_and_gradient(moved)[0] > layer.loss_and_gradient(fit.solution)[0]


LAYER = layer_of(LINE)


def test_the_loss_and_gradient_of_the_layer_are_the_formulas() -> None:
    layer, _ = LAYER
    loss, gradient = layer.loss_and_gradient([[Fraction(1)], [Fraction(0)]])
    errors = [1 - 2, 2 - 3, 3 - 5, 4 - 6]
    assert loss == Fraction(sum(e * e for e in errors), 4)
    assert gradient == [[Fraction(2 * sum(e * x for e, x in zip(errors, (1, 2, 3, 4), strict=True)), 4)], [Fraction(2 * sum(errors), 4)]]


@pytest.mark.parametrize(("loss", "reduction"), [("mse", "mean"), ("squared_error", "mean"), ("half_squared_error", "mean"), ("half_squared_error", "sum")])
def test_every_squared_error_has_the_same_solution(loss: str, reduction: str) -> None:
    found = sections({**LINE, "loss": loss, "reduction": reduction, "learning_rate": "0.01"})
    assert found["Solved exactly"]["data"]["solution"] == [["7/5"], ["1/2"]]


def test_columns_and_rows_solve_alike() -> None:
    data = {"inputs": {"x": [[1, 0], [0, 1], [1, 1], [2, 1]]}, "targets": {"y": [[1, 2], [3, 0], [3, 3], [5, 4]]}, "loss": "mse", "normal_equations": True}
    columns = sections({**data, "layers": [{"units": 2}]})
    rows = sections({**data, "layers": [{"units": 2}], "convention": "rows"})
    assert columns["Solved exactly"]["data"] == rows["Solved exactly"]["data"]
    assert "Gradient descent beside the solution" not in rows, "without a learning rate"


def test_a_layer_without_bias_goes_through_the_origin() -> None:
    found = sections({**LINE, "layers": [{"units": 1, "W": [[0]]}], "learning_rate": "0.01"})
    assert found["Solved exactly"]["data"]["solution"] == [[str(Fraction(2 * 1 + 3 * 2 + 5 * 3 + 6 * 4, 1 + 4 + 9 + 16))]]


def test_dependent_columns_have_no_single_solution() -> None:
    found = sections({**LINE, "inputs": {"x": [[2], [2], [2], [2]]}})
    assert "the rank is 1, not 2" in found["Solved exactly"]["said"] and "solution" not in found["Solved exactly"]["data"]
    assert "Gradient descent beside the solution" not in found and "The line through the data" not in found
    assert found["Why gradient descent gets there"]["data"]["eigenvalues"][0] == 0


def example(name: str, folder: Path) -> dict[str, dict[str, Any]]:
    produce(course(name), folder, Request(formats=("json",)), lambda line: None)
    return {s["title"]: s for s in json.loads((folder / f"{course(name).stem}.json").read_text())["sections"]}


def test_the_surface_is_found_again(tmp_path: Path) -> None:
    found = example("plane-surface", tmp_path)
    assert found["Solved exactly"]["data"] == {"rank": 3, "parameters": 3, "solution": [["3/2"], ["2"], ["5"]], "loss": "0"}
    line = found["Solved exactly"]["latex"][-1]
    assert r"w_1 = \frac{3}{2}" in line and "w_2 = 2" in line


def test_the_slopes_of_the_surface(tmp_path: Path) -> None:
    produce(course("plane-slopes"), tmp_path, Request(formats=("json",)), lambda line: None)
    found = json.loads((tmp_path / f"{course('plane-slopes').stem}.json").read_text())
    assert found["gradients"]["x1"] == 1.5 and found["gradients"]["x2"] == 2 and found["loss"] == 1.5 + 4 + 5


# ---------------------------------------------------------------- gradient descent

def test_the_steps_of_the_page_are_those_of_numpy(tmp_path: Path) -> None:
    found = example("regression", tmp_path)
    steps = {s["step"]: s for s in found["Gradient descent beside the solution"]["data"]["steps"]}
    x, y = np.c_[[1, 2, 3, 4], np.ones(4)], np.array([2, 3, 5, 6.0])
    theta = np.zeros(2)
    for t in range(101):
        if t in steps:
            assert steps[t]["theta"] == pytest.approx(theta, rel=1e-9)
            assert steps[t]["loss"] == pytest.approx(np.mean((x @ theta - y) ** 2), rel=1e-9)
            assert steps[t]["distance"] == pytest.approx(np.linalg.norm(theta - [1.4, 0.5]), rel=1e-9)
        theta = theta - 0.1 * 2 / 4 * x.T @ (x @ theta - y)
    assert steps[100]["distance"] < 0.002 < steps[0]["distance"]
    limit = found["Why gradient descent gets there"]["data"]["limit"]
    assert limit == pytest.approx(2 / np.linalg.eigvalsh(x.T @ x / 2)[-1], rel=1e-12)


@pytest.mark.parametrize(("rate", "word", "nearer"), [("0.11", "converges", True), ("0.119", "converges", True), ("0.12", "does not converge", False),
                                                      ("0.5", "does not converge", False)])
def test_the_limit_parts_what_converges_from_what_does_not(rate: str, word: str, nearer: bool) -> None:
    found = sections({**LINE, "learning_rate": rate})["Gradient descent beside the solution"]
    steps = found["data"]["steps"]
    assert found["said"].endswith(f"it {word}.") and (steps[-1]["distance"] < steps[0]["distance"]) == nearer


def test_a_wrong_hessian_or_solution_stops_the_run() -> None:
    layer, fit = LAYER
    found = linear.descent(layer, fit)
    zero = [[Fraction(0)], [Fraction(0)]]
    assert [t for t, _, _ in linear.walk(layer, fit, found, zero, Fraction(1, 10), (0, 5))] == [0, 5]
    with pytest.raises(CheckError, match="not that of the normal equations"):
        linear.descent(layer, replace(fit, gram=[[Fraction(30), Fraction(10)], [Fraction(10), Fraction(5)]]))
    with pytest.raises(CheckError, match="not that of the normal equations"):
        linear.descent(layer, replace(fit, right=[[Fraction(47)], [Fraction(17)]]))
    with pytest.raises(CheckError, match="is not zero"):
        linear.descent(layer, replace(fit, solution=[[Fraction(7, 5)], [Fraction(1)]]))
    with pytest.raises(CheckError, match="step 1 of gradient descent"):
        linear.walk(layer, fit, replace(found, hessian=[[Fraction(15), Fraction(5)], [Fraction(5), Fraction(1)]]), zero, Fraction(1, 10), (0, 2))


def test_a_wrong_product_or_eigenvalue_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, fit = LAYER
    with monkeypatch.context() as patch:
        patch.setattr(linear.mp, "eigsy", lambda h: (mp.matrix([1, 2]), mp.eye(2)))
        with pytest.raises(CheckError, match="eigenvalue"):
            linear.descent(layer, fit)
    true = linear.product
    monkeypatch.setattr(linear, "product", lambda a, b: [[v + 1 for v in row] for row in true(a, b)])
    with pytest.raises(CheckError, match="does not satisfy"):
        linear.solve(layer.design, layer.targets)


@pytest.mark.parametrize(("change", "sentence"), [
    ({"loss": "binary_cross_entropy", "targets": {"y": [[0], [1], [1], [0]]}}, "loss: the normal equations need a squared error, not binary_cross_entropy"),
    ({"layers": [{"units": 1, "activation": "sigmoid"}]}, "layer 1, activation: the normal equations need the identity"),
    ({"layers": [{"units": 2}, {"units": 1}]}, "normal_equations: the normal equations are those of a single layer"),
    ({"inputs": {"x": {"size": 1, "batch": 4}}}, "inputs x: the normal equations are solved exactly, so they need data"),
    ({"inputs": {"x": [["sqrt(2)"], [1], [2], [3]]}}, "inputs x: the normal equations are solved exactly"),
    ({"inputs": {"x": [1, 2]}, "targets": {"y": [1]}, "layers": [{"units": 1}]}, "inputs x: the normal equations need a batch"),
    ({"normal_equations": "perhaps"}, "normal_equations: expected true or false"),
])
def test_what_is_wrong_is_said_in_one_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as e:
        build(read({**LINE, **change}))
    assert sentence in str(e.value) and "\n" not in str(e.value)


@pytest.mark.parametrize("key", ["normal_equations", "collapse"])
def test_equations_have_no_layers_to_ask_about(key: str) -> None:
    with pytest.raises(SpecError, match=f"{key}: belongs to files with layers"):
        read({"equations": {"y": "x"}, key: True})


# ---------------------------------------------------------------- linear layers collapse

@st.composite
def deep(draw: Any) -> dict[str, Any]:
    widths = draw(st.lists(st.integers(1, 3), min_size=3, max_size=4))
    rows, layers = draw(st.booleans()), []
    for fan_in, units in zip(widths, widths[1:], strict=False):
        shape = (fan_in, units) if rows else (units, fan_in)
        w = draw(st.lists(st.lists(st.integers(-3, 3), min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]))
        b = {"b": draw(st.lists(st.integers(-3, 3), min_size=units, max_size=units))} if draw(st.booleans()) else {}
        layers.append({"units": units, "W": w, **b})
    return {"inputs": {"x": [list(range(1, widths[0] + 1))] * 2}, "targets": {"y": [[0] * widths[-1]] * 2}, "layers": layers, "loss": "squared_error",
            "convention": "rows" if rows else "columns", "collapse": True}


@given(deep())
@settings(max_examples=7)
def test_the_single_layer_is_the_product_of_the_layers(data: dict[str, Any]) -> None:
    turn = (lambda a: a) if data["convention"] == "rows" else np.transpose
    w, b = np.eye(len(data["inputs"]["x"][0])), np.zeros(len(data["inputs"]["x"][0]))
    for layer in data["layers"]:
        own = turn(np.array(layer["W"]))
        w, b = w @ own, b @ own + np.array(layer.get("b", [0] * layer["units"]))
    (section,) = linearpages.collapse(sheet_of(data))
    assert turn(np.array(section.data["W"])) == pytest.approx(w)
    assert np.array(section.data["b"]).ravel() == pytest.approx(b) if "b" in section.data else not b.any()


def test_without_numbers_the_layers_collapse_in_symbols() -> None:
    (section,) = linearpages.collapse(sheet_of({"inputs": {"x": {"size": 2}}, "targets": {"y": {}}, "layers": [{"units": 3}, {"units": 1}], "loss": "mse", "collapse": True}))
    assert [f"{x.left} = {x.right}" for x in section.lines] == ["W = W^{(2)} W^{(1)}", "b = W^{(2)} b^{(1)} + b^{(2)}", r"\hat{y} = W x + b"]
    assert section.data is None and "its 3 numbers" in section.said and "the 13 parameters" in section.said


def test_a_wrong_single_layer_is_rejected() -> None:
    network = build(read({"inputs": {"x": {"size": 2}}, "targets": {"y": {}}, "layers": [{"units": 2}, {"units": 2}], "loss": "mse", "collapse": True})).network
    weights, bias = linear.collapsed(network)
    linear.prove_collapse(network, weights, bias)
    w1, w2, b1, b2 = (network.symbols[n].expr for n in ("W1", "W2", "b1", "b2"))
    for wrong in ((ex.matmul(w1, w2), bias), (weights, ex.add(b1, b2)), (weights, b2), (weights, None), (w2, bias)):
        with pytest.raises(CheckError, match="do not collapse"):
            linear.prove_collapse(network, *wrong)


def test_other_outputs_stop_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    data = {"inputs": {"x": [1, 2]}, "targets": {"y": [1]}, "layers": [{"W": [[1, 2], [3, 4]], "b": [1, 1]}, {"W": [[1, 1]], "b": [0]}], "loss": "mse", "collapse": True}
    monkeypatch.setattr(linear, "prove_collapse", lambda *told: None)
    true = linear.collapsed
    monkeypatch.setattr(linear, "collapsed", lambda network: (true(network)[0], network.symbols["b2"].expr))
    with pytest.raises(CheckError, match="another output"):
        linearpages.collapse(sheet_of(data))


@pytest.mark.parametrize(("layers", "sentence"), [
    ([{"units": 2}, {"type": "layer_norm"}, {"units": 1}], "layer 2, type: collapse needs plain dense layers"),
    ([{"units": 2}, {"units": 2, "residual": True}, {"units": 1}], "layer 2, residual: collapse needs plain dense layers"),
    ([{"units": 1}], "collapse: collapse needs at least two layers"),
    ([{"units": 2}, {"units": 2, "activation": "relu"}, {"units": 1}], "layer 2, activation: only layers with the identity collapse"),
])
def test_what_does_not_collapse(layers: list[Any], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        read({"inputs": {"x": [1, 2]}, "targets": {"y": [1]}, "layers": layers, "loss": "mse", "collapse": True})
