"""Trace, inverse, determinant and norm: the standard matrix forms, derived, proved, and compared with HIPS autograd."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest

from symbolic import expr as ex
from symbolic.derive import derive
from symbolic.errors import CheckError, SpecError
from symbolic.expr import Expr
from symbolic.language import matrices
from symbolic.language.matrices import MATRIX_FUNCTIONS
from symbolic.language.parse import names_in, parse
from symbolic.latex import Printer
from symbolic.lesson import plan
from symbolic.network import from_equations
from symbolic.produce import Request, produce, solve
from symbolic.verify import certify

SHAPES = {"A": (3, 3), "B": (2, 3), "X": (3, 3), "R": (3, 2), "M": (3, 2), "x": (2, 1), "u": (3, 1), "v": (3, 1), "c": (3, 1)}
FORMS = {  # the form: its gradients in the form in which a textbook prints them
    "trace(B @ R)": {"B": "R.T", "R": "B.T"},
    "trace(X)": {"X": "eye(3)"},
    "trace(X.T @ A @ X)": {"X": "A @ X + A.T @ X", "A": "X @ X.T"},
    "u.T @ A @ u": {"u": "A @ u + A.T @ u", "A": "u @ u.T"},
    "u.T @ A @ v": {"u": "A @ v", "A": "u @ v.T", "v": "A.T @ u"},
    "norm(M @ x - c)**2": {"x": "2*M.T @ (M @ x - c)", "M": "2*(M @ x - c) @ x.T", "c": "-2*(M @ x - c)"},
    "norm(M @ x - c)**2 + lam*norm(x)**2": {"x": "2*M.T @ (M @ x - c) + 2*lam*x", "lam": "norm(x)**2"},
    "norm(M @ x - c)": {"c": "-(M @ x - c)/y"},
    "logdet(X)": {"X": "inv(X).T"},
    "logdet(A @ A.T + eye(3))": {},
    "det(X)": {"X": "y*inv(X).T"},
    "norm(R)": {"R": "R/y"},
    "trace(A @ inv(X))": {"A": "inv(X).T", "X": "-inv(X).T @ A.T @ inv(X).T"},
    "u.T @ inv(X) @ v": {"v": "inv(X).T @ u"},
    "dot(u, v)": {"u": "v", "v": "u"},
    "trace(inv(X) @ A) + log(det(X))*norm(u)**2": {},
}
DRAWN = np.random.default_rng(3)
POINT: dict[str, Any] = {n: DRAWN.integers(-9, 10, s) / 4 + (3 * np.eye(3) if s == (3, 3) else 0) for n, s in SHAPES.items()} | {"lam": 0.75}


def spec(source: str) -> dict[str, Any]:
    used = set(names_in(source))
    return {n: POINT[n] for n in POINT if n in used}


def numpy_form(source: str, env: dict[str, Any]) -> Any:
    """The form as NumPy computes it; autograd differentiates this."""
    known = {"trace": anp.trace, "det": anp.linalg.det, "inv": anp.linalg.inv, "logdet": lambda m: anp.log(anp.linalg.det(m)), "log": anp.log,
             "norm": lambda m: anp.sqrt(anp.sum(m**2)), "dot": lambda a, b: anp.sum(a * b), "eye": anp.eye}
    return anp.sum(eval(source, {**known, **env, "__builtins__": {}}))  # the test's own text


@pytest.mark.parametrize("source", FORMS)
def test_a_form_is_proved_at_every_level(source: str) -> None:
    net = from_equations({"y": source}, SHAPES)
    found = certify(plan(net, ("scalar", "index", "matrix"))).lesson
    assert {s.checked for s in found.steps} == {"proved"}
    for name, expected in FORMS[source].items():
        step = found.derivation.steps[name]
        assert ex.text(step.result) == expected
    assert all("None" not in Printer(net)(line.rhs) for s in found.steps if s.level != "scalar" for line in s.lines)


@pytest.mark.parametrize("source", FORMS)
def test_the_numbers_are_those_of_autograd(source: str, tmp_path: Path) -> None:
    at = {n: v.tolist() if isinstance(v, np.ndarray) else v for n, v in spec(source).items()}
    path = tmp_path / "form.yaml"
    path.write_text(json.dumps({"equations": {"y": source}, "at": at}))
    _, certified = solve(path, Request())
    for name in at:
        env = {n: np.array(v, dtype=float) for n, v in at.items()}
        expected = autograd.grad(lambda w, name=name, env=env: numpy_form(source, {**env, name: w}))(env[name])
        got = np.array([[float(v) for v in row] for row in certified.values["y", name]])
        assert got == pytest.approx(np.reshape(expected, got.shape), rel=1e-9, abs=1e-12), name


def test_the_inverse_alone_sends_a_direction_back(tmp_path: Path) -> None:
    """A vector-valued output: the pulled-back direction in symbols, the Jacobian in numbers."""
    path = tmp_path / "inverse.yaml"
    path.write_text("equations: {Y: inv(X)}\nat: {X: [[2, 1], [1, 3]]}\n")
    (made,) = produce(path, tmp_path / "out", Request(("json",), ("index", "matrix", "numbers")), lambda line: None)
    jacobian = np.array(json.loads(made.read_text())["jacobians"]["X"])
    expected = autograd.jacobian(anp.linalg.inv)(np.array([[2.0, 1.0], [1.0, 3.0]]))
    assert jacobian == pytest.approx(expected, rel=1e-12)
    assert ex.text(derive(from_equations({"Y": "inv(X)"}, SHAPES)).steps["X"].result) == "-Y.T @ (dY/dY) @ Y.T"


@pytest.mark.parametrize("name", [n for n in MATRIX_FUNCTIONS])
@pytest.mark.parametrize("wrong", ["factor", "transpose"])
def test_a_wrong_row_is_caught(name: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    row, reached = MATRIX_FUNCTIONS[name], []

    def pull(e: Expr, g: Expr) -> Expr:
        reached.append(name)
        right = row.pull(e, g)
        return ex.mul(ex.num("1001/1000"), right) if wrong == "factor" else ex.transpose(right)

    if wrong == "transpose" and name == "trace":
        return  # the identity is its own transpose
    source = "norm(X @ A)**2" if name == "squared_norm" else f"sum(A*{name}(X @ A))"
    net = from_equations({"y": source}, SHAPES)
    certify(plan(net, ("matrix",)))
    monkeypatch.setitem(matrices.MATRIX_FUNCTIONS, name, dataclasses.replace(row, pull=pull))
    with pytest.raises(CheckError):
        certify(plan(net, ("matrix",)))
    assert reached


@pytest.mark.parametrize(("source", "sentence"), [
    ("det(B)", "det needs a square matrix, and B is 2 x 3, in 'det(B)'"), ("trace(lam)", "trace needs a matrix, and lam is a scalar"),
    ("dot(u, x)", "dot needs two vectors of the same shape, and u is 3 x 1, x is 2 x 1"), ("dot(X, X)", "dot needs two vectors"),
    ("inv(X, X)", "inv takes 1 argument, not 2"), ("eye(lam)", "eye takes one size, as in eye(3)"), ("logdte(X)", "did you mean 'logdet'?"),
    ("norm(X, axis=0)", "norm has no option 'axis'"), ("X + inv", "'inv' is a function: write inv(...)"), ("eye(401)", "larger than 400 x 400")])
def test_a_mistake_is_one_sentence(source: str, sentence: str) -> None:
    with pytest.raises(SpecError) as e:
        parse(source, {n: ex.sym(n, s) for n, s in SHAPES.items()} | {"lam": ex.sym("lam")})
    assert sentence in str(e.value)


@pytest.mark.parametrize("source", ["inv(X)", "logdet(X)", "det(X)"])
def test_a_singular_matrix(source: str, tmp_path: Path) -> None:
    path = tmp_path / "singular.yaml"
    path.write_text(f"equations: {{y: sum({source})}}\nat: {{X: [[0.1, 0.2], [0.3, 0.6]]}}\n")
    with pytest.raises(SpecError, match="given numbers cannot be computed with: (inv|logdet)\\(X\\): ") as e:
        solve(path, Request())
    assert "\n" not in str(e.value)


def test_a_number_is_a_matrix_of_one_entry() -> None:
    values = {n: ex.sym(n, s) for n, s in SHAPES.items()}
    assert [ex.text(parse(f"{f}(u.T @ v)", values)) for f in ("trace", "det", "logdet", "inv", "norm")] == [
        "u.T @ v", "u.T @ v", "log(u.T @ v)", "1/(u.T @ v)", "abs(u.T @ v)"]


def test_a_large_determinant_is_not_written_out() -> None:
    found = plan(from_equations({"y": "det(Z)"}, {"Z": (5, 5)}))
    assert found.notes == ("The scalar level is left out because det(Z) has too many products when it is written out; the index and matrix levels say the same.",)
    assert {s.checked for s in certify(found).lesson.steps} == {"proved"}
