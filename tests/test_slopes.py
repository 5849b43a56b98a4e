"""The derivation of every row's slope: complete, checked on every piece, and stopped by a wrong line."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
import sympy as sp
from trees import well_formed

from symbolic import calculus, expr as ex, functions
from symbolic.errors import ChainruleError, CheckError
from symbolic.functions import FUNCTIONS, VECTOR_FUNCTIONS, slope_form
from symbolic.latex import Printer
from symbolic.lectures import slopes
from symbolic.lectures.slopes import slope_lesson
from symbolic.lesson import plan
from symbolic.network import from_equations
from symbolic.verify import certify


@pytest.mark.parametrize("name", [*FUNCTIONS, *VECTOR_FUNCTIONS])
def test_every_slope_is_derived_line_by_line_down_to_the_form_of_the_row(name: str) -> None:
    certified = slope_lesson(name)
    lesson = certified.lesson
    assert all(s.checked in ("proved", "30 digits") for s in lesson.steps) and certified.worst < 1e-30
    for step in lesson.steps:
        show = Printer((lesson.scalar if step.level == "scalar" and lesson.scalar else lesson.derivation).network)
        assert step.lines and all(well_formed(show(line.rhs)) and line.because for line in step.lines)
    if name in FUNCTIONS:
        assert [s.wrt for s in lesson.steps] == [x.name for x in FUNCTIONS[name].args]
        assert [s.lines[-1].rhs for s in lesson.steps] == [slope_form(name, k) for k in range(len(lesson.steps))]
        assert set(lesson.notes) == set(FUNCTIONS[name].notes)
    else:
        assert [s.level for s in lesson.steps] == ["scalar", "index", "matrix"]


def test_the_sigmoid_takes_the_steps_of_the_board() -> None:
    assert [ex.text(line.rhs) for line in slope_lesson("sigmoid").lesson.steps[0].lines][-4:] == [
        "exp(-z)/(1 + exp(-z))**2", "1/(1 + exp(-z)) - 1/(1 + exp(-z))**2", "a - a**2", "a*(1 - a)"]


def test_the_jacobian_of_softmax_is_derived_by_the_quotient_rule() -> None:
    scalar, index, matrix = slope_lesson("softmax").lesson.steps
    own = [line for line in scalar.lines if line.kind == "local" and line.lhs == ex.partial("a[0]", "z[0]")]
    other = [line for line in scalar.lines if line.kind == "local" and line.lhs == ex.partial("a[1]", "z[0]")]
    assert "denominator" in own[0].because and "quotient" in other[0].because
    assert ex.text(own[-1].rhs) == "a[0]*(1 - a[0])" and ex.text(other[-1].rhs) == "-a[1]*a[0]"
    assert [ex.text(line.rhs) for line in index.lines] == [
        "a[i]*([i = j] - a[j])", "sum_i (dL/da)[i]*(da[i]/dz[j])", "sum_i (dL/da)[i]*a[i]*([i = j] - a[j])", "a[j]*((dL/da)[j] - sum_i (dL/da)[i]*a[i])"]
    assert ex.text(matrix.lines[-1].rhs) == "a*((dL/da) - sum((dL/da)*a, axis=0))"


@pytest.mark.parametrize("name", ["sigmoid", "relu6", "gelu", "prelu", "tanh"])
def test_a_wrong_slope_has_no_derivation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = FUNCTIONS[name]
    for wrong in (dataclasses.replace(row, slopes=tuple(s * sp.Rational(1001, 1000) for s in row.sympy_slopes)),
                  dataclasses.replace(row, through=(functions.exp(-functions.z),))):
        monkeypatch.setitem(FUNCTIONS, name, wrong)
        slope_form.cache_clear()
        with pytest.raises(CheckError):
            slope_lesson(name)
    monkeypatch.undo()
    slope_form.cache_clear()


def test_a_formula_that_is_another_function_has_no_derivation(monkeypatch: pytest.MonkeyPatch) -> None:
    z, exp = functions.z, functions.exp
    monkeypatch.setitem(FUNCTIONS, "tanh", FUNCTIONS["tanh"].having(via=(exp(z) - exp(-z)) / (exp(z) + exp(-z)) + 1, through=()))
    with pytest.raises(CheckError):
        slope_lesson("tanh")


@pytest.mark.parametrize("name", ["hard_sigmoid", "elu"])
def test_a_wrong_line_on_a_piece_that_no_random_point_reaches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*args: object) -> list[calculus.Pass]:
        *lines, last = calculus.differentiate(*args)
        beyond = ex.node("cases", (ex.sym("z"), ex.num(4), last.rhs * 2 + 1, last.rhs), (">",))
        return [*lines, calculus.Pass(beyond, last.used), last]

    slope_lesson(name)
    monkeypatch.setattr(slopes, "differentiate", wrong)
    with pytest.raises(CheckError, match="failed its check"):
        slope_lesson(name)


@pytest.mark.parametrize("name", VECTOR_FUNCTIONS)
def test_a_wrong_jacobian_or_pullback_has_no_derivation(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row = VECTOR_FUNCTIONS[name]
    for wrong in (dataclasses.replace(row, jacobian=lambda *x: row.jacobian(*x) * ex.num("1001/1000")), dataclasses.replace(row, pull=lambda *x: row.pull(*x) * ex.num("1001/1000"))):
        monkeypatch.setitem(VECTOR_FUNCTIONS, name, wrong)
        with pytest.raises(CheckError):
            slope_lesson(name)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(ChainruleError, match="did you mean 'softmax'"):
        slope_lesson("soft_max")


@pytest.mark.parametrize(("name", "whole"), [("softmax", "diag(a) - a @ a.T"), ("log_softmax", "eye(3) - ones(3, 1) @ softmax(z).T"), ("logsumexp", "softmax(z).T")])
def test_the_jacobian_is_collected_in_one_matrix(name: str, whole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Derived entry by entry, then as one matrix, which is compared at every entry: a planted mistake has no derivation."""
    lines = [line for line in slope_lesson(name).lesson.steps[-1].lines if line.kind == "jacobian"]
    assert ex.text(lines[-1].rhs) == whole and ex.text(lines[0].lhs) == "(da/dz)"
    assert (lines[0].rhs.op == "grid") == (name == "softmax")
    row = VECTOR_FUNCTIONS[name]
    monkeypatch.setitem(VECTOR_FUNCTIONS, name, dataclasses.replace(row, whole=lambda z, a: row.whole(z, a) * ex.num(Fraction(1001, 1000))))
    with pytest.raises(CheckError):
        slope_lesson(name)


def test_a_network_with_softmax_shows_its_jacobian() -> None:
    """On pages too, in columns and in rows; a batch has one Jacobian an example and shows none."""
    for source, expected in (({"p": "softmax(z)", "L": "c.T @ p"}, "diag(p) - p @ p.T"), ({"p": "softmax(z)", "L": "p @ c"}, "diag(p.T) - p.T @ p")):
        row = "@ c" in source["L"]
        lesson = certify(plan(from_equations(source, {"z": (1, 3) if row else (3, 1), "c": (3, 1)}), ("matrix",))).lesson
        assert [ex.text(x.rhs) for s in lesson.steps for x in s.lines if x.kind == "jacobian"] == [expected]
    batch = plan(from_equations({"p": "softmax(z, axis=0)", "L": "sum(c*p)"}, {"z": (3, 2), "c": (3, 2)}), ("matrix",))
    assert not [x for s in batch.steps for x in s.lines if x.kind == "jacobian"]
