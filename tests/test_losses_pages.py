"""The theorems about losses, penalties, and what pages and float64 make of them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mp
from oracle import flat
from test_losses import CASES, LEVELS, PROBABILITIES, TARGETS, compare, solved, spec_for

from symbolic import expr as ex, losses
from symbolic.derive import derive
from symbolic.errors import CheckError, SpecError
from symbolic.language.arithmetic import MP, HighPrecision, entries
from symbolic.language.floats import evaluate, stable
from symbolic.language.parse import parse
from symbolic.layers import stack
from symbolic.lesson import plan
from symbolic.losses import LOSSES, PENALTIES, loss_equation
from symbolic.models import theorems
from symbolic.models.theorems import THEOREMS
from symbolic.network import LayerPlan, Network, scalarize
from symbolic.numeric import compile
from symbolic.pages import losspage
from symbolic.pages.report import report
from symbolic.pages.sheet import Section, Sheet
from symbolic.problem import build
from symbolic.produce import Request, produce
from symbolic.reading.specfile import build as spec_of
from symbolic.rules import RULES
from symbolic.values import DIGITS, forward, gradients
from symbolic.verify import Certified

# ---------------------------------------------------------------- theorems

@pytest.fixture
def tables() -> Iterator[None]:
    before = theorems.THEOREMS
    yield
    theorems.THEOREMS = before


def fused_spec(theorem: theorems.Theorem, **layout: Any) -> dict[str, Any]:
    spec = spec_for(theorem.loss, **layout)
    spec["layers"][0]["activation"] = theorem.activation
    batch = layout.get("batch", False)
    return spec | {"targets": {"y": [[0.2, 0.7, 0.1], [0, 1, 0]] if batch else [0.2, 0.7, 0.1]}}


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: f"{t.activation}-{t.loss}")
def test_a_theorem_agrees_with_the_general_form_and_is_proved_at_every_level(theorem: theorems.Theorem) -> None:
    for batch, rows, reduction in CASES:
        spec = fused_spec(theorem, batch=batch, rows=rows, reduction=reduction)
        problem = build(spec_of(spec))
        assert problem.network.shortcuts, "the theorem applies"
        short, general = (derive(problem.network, (), table) for table in (RULES, dict(RULES)))
        assert any(s.shortcut for s in short.steps.values()) and not any(s.shortcut for s in general.steps.values())
        with mp.workdps(DIGITS):
            values = forward(problem.network, problem.numbers() or {})
            a, b = gradients(short, values), gradients(general, values)
            for key in a:
                assert all(abs(p - q) < mp.mpf(10) ** -40 for ps, qs in zip(a[key], b[key], strict=True) for p, q in zip(ps, qs, strict=True)), key
    certified = compare(spec)
    said = [s for s in certified.lesson.steps if theorem.because in s.because]
    assert {s.level for s in said} == set(LEVELS) and all(s.checked == "proved" for s in said)
    found = [s for s in said if s.rule == theorem.rule]
    assert {s.level for s in found} >= {"index", "matrix"} and all(s.lines[-1].rhs != s.source.general and len(s.lines) >= 2 for s in found)
    assert next(s for s in found if s.level == "matrix").lines[-1].rhs == found[-1].source.result


@pytest.mark.parametrize("theorem", THEOREMS, ids=lambda t: f"{t.activation}-{t.loss}")
@pytest.mark.parametrize("wrong", ["1001/1000*({})", "({}) + 1/1000", "-({})", "({}) * y_hat"])
def test_a_wrong_theorem_stops_the_run(theorem: theorems.Theorem, wrong: str, tables: None) -> None:
    theorems.THEOREMS = (dataclasses.replace(theorem, gradient=wrong.format(theorem.gradient)),)
    with pytest.raises(CheckError, match="nothing was written"):
        solved(fused_spec(theorem), ("matrix",))


def test_a_theorem_without_its_hypothesis_stops_the_run(tables: None) -> None:
    for theorem in THEOREMS:
        if theorem.sums_to_one:
            theorems.THEOREMS = (dataclasses.replace(theorem, sums_to_one=False),)
            with pytest.raises(CheckError):
                solved(fused_spec(theorem), ("matrix",))


def test_targets_that_do_not_sum_to_one_get_the_general_form() -> None:
    for loss in ("cross_entropy", "cross_entropy_with_logits"):
        spec = fused_spec(next(t for t in THEOREMS if t.loss == loss)) | {"targets": {"y": [0.2, 0.7, 0.2]}}
        certified = compare(spec)
        assert not certified.lesson.network.shortcuts and all("fusion" not in s.rule and "Theorem" not in s.because for s in certified.lesson.steps)
        assert "The targets do not sum to 1, so they are no probabilities of classes" in said(spec).said and f"use binary_{loss}." in said(spec).said
        rows = [[1, 0, 0], [1, 1, 0]]
        assert "The targets of example 2 do not sum to 1" in said(spec | {"inputs": {"x": [[1, 2], [0, 1]]}, "targets": {"y": rows}}).said
        assert "do not sum to 1" not in said(spec | {"targets": {"y": ["0.1", "0.8", "0.1"]}}).said


def test_symbolic_targets_have_the_hypothesis_stated() -> None:
    spec = {"inputs": {"x": {"size": 2, "batch": "n"}}, "targets": {"y": {}}, "layers": [{"units": 3, "activation": "softmax"}], "loss": "cross_entropy"}
    problem, certified = solved(spec)
    (step,) = (s for s in certified.lesson.steps if s.wrt == "z1" and s.level == "matrix")
    assert "if the targets of every example sum to 1" in step.because and ex.text(step.lines[-1].rhs) == "(a1 - y)/n" and step.checked == "proved"
    (section,) = losspage.loss_section(Sheet(problem, certified))
    assert "Taken for granted here: the targets of every example sum to 1." in section.said


def test_whole_paths_end_in_the_short_form() -> None:
    spec = spec_for("binary_cross_entropy") | {"layers": [{"activation": "sigmoid", "W": [[0.7, -0.4]], "b": [0.1]}], "targets": {"y": [1]}}
    _, certified = solved(spec, ("scalar",))
    (step,) = (s for s in certified.lesson.steps if s.wrt == "W1[1]")
    assert ex.text(step.lines[-1].rhs) == "(a1 - y)*x[1]" and len(step.lines) == 3 and "Theorem" in step.because


def test_the_scalar_network_keeps_theorem_and_hypothesis() -> None:
    network = scalarize(build(spec_of(fused_spec(THEOREMS[1], batch=True))).network)
    assert [ex.text(s.result) for s in network.shortcuts][:2] == ["1/2*(a1[0,0] - y[0,0])", "1/2*(a1[0,1] - y[0,1])"]
    assert [ex.text(e) for e in network.ones] == ["y[0,0] + y[1,0] + y[2,0]", "y[0,1] + y[1,1] + y[2,1]"]


# ---------------------------------------------------------------- regularization

@pytest.mark.parametrize("added", [{"l2": 0.1}, {"ridge": 0.1}, {"l1": 0.05}, {"l1": 0.05, "l2": 0.1}])
def test_a_penalty_is_added_to_weights_and_not_to_biases(added: dict[str, float]) -> None:
    deep = {"layers": [{"activation": "tanh", "W": [[0.7, -0.4]], "b": [0.1]}, {"activation": "sigmoid", "W": [[0.3], [0.2], [-0.6]], "b": [0.1, 0, 1]}]}
    spec = spec_for("mse", batch=True, regularization=added)
    values = compare(spec).values
    plain = solved({k: v for k, v in spec.items() if k != "regularization"}, ("matrix",))[1].values
    assert values is not None and plain is not None and values["L", "b1"] == plain["L", "b1"] and values["D"] == plain["L"]
    compare(spec_for("binary_cross_entropy", regularization=added, **deep), ("matrix",))


def test_lambda_may_be_left_symbolic_and_the_loss_stays_the_total() -> None:
    problem, certified = solved(spec_for("mse", regularization={"l2": None}))
    assert [ex.text(eq.rhs) for eq in problem.network.equations][-1] == "D + lam/2*sum(W1**2)"
    assert ex.text(certified.lesson.derivation.steps["W1"].result) == "(dL/dz1) @ x.T + lam*W1"
    assert "lam" not in report(Sheet(problem, certified))["gradients"]
    problem, certified = solved(spec_for("mse", regularization={"l2": 0.5}), ("matrix",))
    found = report(Sheet(problem, certified))
    assert found["loss"] > found["forward"]["D"] and found["gradients"]["D"] == 1


def test_weight_decay_is_shown_and_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, line in (("l2", r"(1 - \eta\,\lambda)\,W - \eta"), ("ridge", r"(1 - 2\eta\,\lambda)\,W - \eta")):
        sheet = Sheet(*solved(spec_for("mse", batch=True, regularization={name: 0.1}), ("matrix",)))
        (section,) = losspage.decay_section(sheet)
        assert section.lines[0].right.startswith(line) and section.checked
    monkeypatch.setitem(losspage.DECAY, "ridge", losspage.DECAY["l2"])
    with pytest.raises(CheckError, match="weight decay of W1"):
        losspage.decay_section(sheet)
    assert losspage.decay_section(Sheet(*solved(spec_for("mse", regularization={"l1": 0.1}), ("matrix",)))) == []


# ---------------------------------------------------------------- what the page says

def said(spec: dict[str, Any]) -> Section:
    problem = build(spec_of(spec))
    (section,) = losspage.loss_section(Sheet(problem, Certified(plan(problem.network, ("matrix",)), problem.numbers(), 0.0)))
    return section


def test_the_page_says_conventions_options_and_classes() -> None:
    for loss, row in LOSSES.items():
        section = said(spec_for(loss, batch=True))
        assert row.because in section.said and row.convention in section.said and "the mean over the examples" in section.said
    assert "KL(y || y_hat)" in said(spec_for("kl_divergence")).said
    huber = said(spec_for("huber", loss_options={"delta": 0.5}))
    assert "delta = 0.5" in huber.said and r"\begin{cases}" in huber.lines[0].right
    counted = "Classes are counted from 0 to 2, outputs on these pages from 1 to 3: class 2 has its 1 at output 3."
    assert f"The target is class 2. {counted}" in said(spec_for("multiclass_hinge") | {"targets": {"y": 2}}).said
    assert f"The targets are the classes 2, 0. {counted}" in said(spec_for("multiclass_hinge", batch=True) | {"targets": {"y": [2, 0]}}).said


def test_pages_are_made(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("title: Losses\ninputs: {x: [0.5, 0.8]}\ntargets: {y: 2}\nlayers: [{units: 3, activation: softmax, W: [[1, 2], [0, 1], [1, 1]]}]\n"
                    "loss: cross_entropy\nregularization: {l2: 0.1}\n")
    made = produce(path, tmp_path / "out", Request(("md", "json")), lambda line: None)
    texts = {p.suffix: p.read_text() for p in made}
    assert "Weight decay" in texts[".md"] and "The target is class 2." in texts[".md"] and '"softmax-cross-entropy fusion"' in texts[".json"]


# ---------------------------------------------------------------- float64

class Terms(HighPrecision):
    """High precision that remembers the largest term of any sum."""

    largest_term = mp.mpf(0)

    def add(self, terms: Any) -> Any:
        self.largest_term = max(self.largest_term, *map(abs, terms))
        return super().add(terms)


LOGITS = (-1000.0, -746.0, -40.0, -1.5, 1e-3, 0.7, 36.7, 1000.0)
SHARES = (1e-300, 1e-20, 1e-9, 0.3, 0.5, 0.999, 1 - 2.0**-50, 1 - 2.0**-53)


def close(tree: ex.Expr, env: dict[Any, Any], what: Any, found: Any = None) -> None:
    """A tree in float64 (or what was found for it) against the truth: 1e-12 of the larger of the value and its largest term, plus 1e-300."""
    with mp.workdps(120):
        terms = Terms()
        truth = entries(tree, {k: [[mp.mpf(v) for v in row] for row in rows] for k, rows in env.items()}, terms)
        for mine, exact in zip(flat(evaluate(tree, env) if found is None else found), flat(truth), strict=True):
            assert np.isfinite(mine) or abs(exact) > 1e308, (what, env)
            error = abs(mp.mpf(float(mine)) - exact)
            assert error <= mp.mpf("1e-12") * max(abs(exact), terms.largest_term) + mp.mpf("1e-300"), (what, env, mine, mp.nstr(exact, 20))


def stacked(loss: str) -> Network:
    spec = spec_for(loss)
    return build(spec_of({k: v for k, v in spec.items() if k != "targets"} | {"targets": {"y": {}}})).network


@pytest.mark.parametrize("loss", LOSSES)
def test_value_and_slope_are_stable_in_float64(loss: str) -> None:
    row, network = LOSSES[loss], stacked(loss)
    slope = derive(network).steps["a1"].result
    rhs = network.equations[-1].rhs
    inputs = SHARES if loss in PROBABILITIES else LOGITS
    for k, values in enumerate(itertools.product(inputs, repeat=2)):
        for y in TARGETS[row.domain]:
            env = {"a1": [[values[0]], [values[1]], [inputs[k % len(inputs)]]], "y": [[float(v)] for v in y]}
            close(rhs, env, loss)
            close(slope, env, f"slope of {loss}")


@pytest.mark.parametrize("backend", ["numpy", "floats"])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_compiled_loss_is_stable_in_float64(loss: str, backend: str) -> None:
    """Through a layer that passes its bias on; where a prediction is exactly 0 or 1 and right, 0 ln 0 counts as 0 and nothing is nan."""
    network = stack(("x", 1), "y", [LayerPlan(3)], loss)
    slope, compiled = derive(network).steps["a1"].result, compile(network, backend=backend)

    def found(values: Any, y: Any) -> tuple[float, Any]:
        total, slopes = compiled({"x": np.zeros(()), "W1": np.zeros((3, 1)), "b1": np.array([[v] for v in values]), "y": np.array([[float(v)] for v in y])})
        return total, slopes["b1"].tolist()

    inputs = SHARES if loss in PROBABILITIES else LOGITS
    for k, values in enumerate(itertools.product(inputs, repeat=2)):
        for y in TARGETS[LOSSES[loss].domain]:
            env = {"a1": [[values[0]], [values[1]], [inputs[k % len(inputs)]]], "y": [[float(v)] for v in y]}
            total, slopes = found((*values, inputs[k % len(inputs)]), y)
            close(network.equations[-1].rhs, env, loss, [[total]])
            close(slope, env, f"slope of {loss}", slopes)
    if loss in PROBABILITIES:
        total, slopes = found((0.0, 1.0, 0.0), (0, 1, 0))
        with mp.workdps(90):
            near = mp.mpf(10) ** -40
            limit = entries(slope, {"a1": [[near], [1 - near], [near]], "y": [[mp.mpf(v)] for v in (0, 1, 0)]}, MP)
        assert abs(total) < 1e-30 and np.allclose(flat(slopes), [float(v) for v in flat(limit)], rtol=1e-12, atol=1e-30)


@pytest.mark.parametrize("theorem", [t for t in THEOREMS if t.activation != "identity"], ids=lambda t: f"{t.activation}-{t.loss}")
def test_the_error_signal_is_stable_near_saturation(theorem: theorems.Theorem) -> None:
    network = build(spec_of(fused_spec(theorem) | {"targets": {"y": {}}})).network
    signal = derive(network).steps["z1"].result
    prediction = network.equation("a1").rhs

    def put(e: ex.Expr) -> ex.Expr:
        return prediction if e.op == "sym" and e.data == "a1" else ex.Expr(e.op, tuple(map(put, e.args)), e.data, e.shape) if e.args else e

    for values in ((a, b, LOGITS[k % len(LOGITS)]) for k, (a, b) in enumerate(itertools.product(LOGITS, repeat=2))):
        for y in ([0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.25, 0.5, 0.25]):
            close(put(signal), {"z1": [[v] for v in values], "y": [[v] for v in y]}, theorem.loss)
    z, y = [[-700.0], [-30.0], [-40.0]], [[0.0], [0.0], [0.0]]
    if theorem.activation == "sigmoid":  # no digit is lost where the target is 0
        got = flat(evaluate(put(signal), {"z1": z, "y": y}))
        assert np.allclose(got, [np.exp(v) / (1 + np.exp(v)) / 3 for (v,) in z], rtol=1e-12, atol=0)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_numpy_form_of_a_row_is_its_entry(loss: str) -> None:
    row = LOSSES[loss]
    y_hat, y = ex.sym("y_hat", (3, 1)), ex.sym("y", (3, 1))
    tree = loss_equation(loss, y_hat, y, outputs=3, samples=None).rhs
    factor = abs(row.scale) / (3 if row.outputs == "mean" else 1)
    inputs = SHARES if loss in PROBABILITIES else LOGITS
    for values in ((a, inputs[-1], a, b)[k % 2:k % 2 + 3] for k, (a, b) in enumerate(itertools.product(inputs, repeat=2))):
        for targets in TARGETS[row.domain]:
            names = {"numpy": np, "y_hat": np.array([[v] for v in values]), "y": np.array([[float(v)] for v in targets]),
                     **{o.name: float(o.default) for o in row.options}}
            entry = eval(row.numpy.format(axis=0), names) * (2 if loss == "half_squared_error" else 1)  # the table's own text
            mine = flat(evaluate(tree, {"y_hat": names["y_hat"].tolist(), "y": names["y"].tolist()}))[0]
            assert np.isclose(entry.sum() * float(factor), mine, rtol=1e-12, atol=1e-15), (values, targets)


def test_what_would_lose_digits_is_rewritten() -> None:
    p = {"p": ex.sym("p"), "z": ex.sym("z")}
    for source, safe in (("log(1 - p)", "log1p(-p)"), ("log(1 + p*p)", "log1p(p*p)"), ("1 - sigmoid(z)", "sigmoid(-z)"), ("2 - sigmoid(z)", "2 - sigmoid(z)"),
                         ("log(p)", "log(p)"), ("log(1 - p - z)", "log1p(-p - z)")):
        assert ex.text(stable(parse(source, p))) == safe
    for name, penalty in PENALTIES.items():
        assert parse(penalty.entry, {"w": p["p"]}).names == {"p"} and parse(penalty.factor, {"lam": p["p"]}).names == {"p"}, name
    with pytest.raises(SpecError, match="unknown penalty 'l7'"):
        losses.regularized(stacked("mse"), ("l7",))


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_stays_in_its_range(name: str) -> None:
    """Every row states [0, infinity): no loss is below 0 for targets that it is made for, and 0 or nearly so where the prediction is perfect."""
    row = LOSSES[name]
    assert row.range == "[0, infinity)" and row.used
    targets = {"sign": [[1], [-1], [1]], "one-hot": [[0], [1], [0]], "distribution": [[Fraction(1, 5)], [Fraction(1, 2)], [Fraction(3, 10)]]}
    y = targets.get(row.domain, [[0], [1], [0]])
    for y_hat in ([0.2, 0.5, 0.3], [0.9, 0.05, 0.05], [0.01, 0.01, 0.98]):
        equation = loss_equation(name, ex.sym("y_hat", (3, 1)), ex.sym("y", (3, 1)), outputs=3, samples=None)
        with mp.workdps(30):
            assert entries(equation.rhs, {"y_hat": [[mp.mpf(v)] for v in y_hat], "y": [[MP.number(Fraction(v[0]))] for v in y]}, MP)[0][0] >= 0
