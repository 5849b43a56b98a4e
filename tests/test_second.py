"""Second derivatives: the Hessian, its eigenvalues, directions, Newton's method, against SymPy, autograd and differences."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import sympy as sp
from click.testing import CliRunner
from course import example as course
from hypothesis import given, settings
from mpmath import mp
from specs import equations, networks

from symbolic import expr as ex
from symbolic.calculus import Pass
from symbolic.cli import main
from symbolic.derive import derive
from symbolic.errors import CheckError, SpecError
from symbolic.lectures import second
from symbolic.lectures.second import (
    check_entries,
    checked_hessian,
    differentiated_again,
    gradient_in_leaves,
    second_entries,
)
from symbolic.network import from_equations
from symbolic.pages import curvature
from symbolic.pages.sections import sections
from symbolic.pages.sheet import Sheet
from symbolic.problem import build
from symbolic.produce import Request, produce, solve
from symbolic.proof.probe import kinks
from symbolic.reading.specfile import build as spec_of
from symbolic.values import DIGITS, forward


def made(folder: Path, text: str) -> dict[str, Any]:
    path = folder / "spec.yaml"
    path.write_text(text)
    (out,) = produce(path, folder / "out", Request(("json",)), lambda line: None)
    return json.loads(out.read_text())


def data(report: dict[str, Any], title: str) -> Any:
    return next(s["data"] for s in report["sections"] if s["title"] == title)


# ---------------------------------------------------------------- against SymPy and autograd

SCALAR = ["x**2 - y**2 + x*y", "x**3*y + sin(x*y)", "exp(x)*y**2", "x/(1 + y**2)", "log(1 + x**2 + y**2)", "sigmoid(x*y)", "tanh(x) + x*y", "x + 2*y", "x**y",
          "(x - y)**4", "sqrt(1 + x**2)*y", "softplus(x - y)"]


@pytest.mark.parametrize("source", SCALAR)
def test_the_entries_are_those_of_sympy(source: str) -> None:
    net = from_equations({"f": source}, {})
    gradient = gradient_in_leaves(derive(net), ("x", "y"))
    assert gradient is not None
    found = second_entries(gradient)
    assert check_entries(net, gradient, found) in ("proved", "30 digits")
    x, y = sp.symbols("x y", positive=True)
    formula = sp.sympify(source, {"x": x, "y": y, "sigmoid": lambda z: 1 / (1 + sp.exp(-z)), "softplus": lambda z: sp.log(1 + sp.exp(z))})
    at = {x: sp.Rational(7, 10), y: sp.Rational(13, 10)}
    expected = {(a.name, b.name): sp.N(sp.diff(formula, a, b).subs(at), 30) for a in (x, y) for b in (x, y)}
    from symbolic.language.arithmetic import MP, entries

    with mp.workdps(40):
        point = {"x": [[mp.mpf(7) / 10]], "y": [[mp.mpf(13) / 10]]}
        point = forward(net, point)
        for e in found:
            (got,), = entries(e.result, point, MP)
            assert abs(got - mp.mpf(str(expected[e.first, e.second]))) < mp.mpf(10) ** -25 * max(1, abs(got))


MATRIX = {
    "x.T @ A @ x - b.T @ x": (lambda x, A, b: x.T @ A @ x - b.T @ x),
    "norm(A @ x - b)**2": (lambda x, A, b: anp.sum((A @ x - b) ** 2)),
    "norm(A @ x - b)": (lambda x, A, b: anp.sqrt(anp.sum((A @ x - b) ** 2))),
    "logdet(A + x @ x.T) + sum(b)*0": (lambda x, A, b: anp.log(anp.linalg.det(A + x @ x.T))),
    "b.T @ inv(A + x @ x.T) @ b": (lambda x, A, b: b.T @ anp.linalg.inv(A + x @ x.T) @ b),
    "sum(softmax(A @ x)*b)": (lambda x, A, b: anp.sum(anp.exp(A @ x) / anp.sum(anp.exp(A @ x)) * b)),
    "sum(sigmoid(A @ x)**2) + b.T @ x": (lambda x, A, b: anp.sum(1 / (1 + anp.exp(-(A @ x))) ** 2) + anp.sum(b * x)),
    "max(x) + sum(relu(A @ x)**2) + b.T @ x": (lambda x, A, b: anp.max(x) + anp.sum(anp.maximum(A @ x, 0) ** 2) + anp.sum(b * x)),
}


@pytest.mark.parametrize("source", MATRIX)
def test_the_hessian_is_that_of_autograd(source: str) -> None:
    A, b, x = np.array([[2.0, 1.0], [0.5, 3.0]]), np.array([[1.0], [-2.0]]), np.array([[0.75], [0.25]])
    net = from_equations({"f": source}, {"A": (2, 2), "b": (2, 1), "x": (2, 1)})
    twice = differentiated_again(derive(net), ("x",))
    with mp.workdps(DIGITS):
        leaves = {n: [[mp.mpf(v) for v in row] for row in m.tolist()] for n, m in (("A", A), ("b", b), ("x", x))}
        found = checked_hessian(twice, leaves)
    expected = autograd.hessian(lambda flat: anp.sum(MATRIX[source](anp.reshape(flat, (2, 1)), A, b)))(x.ravel())
    assert np.array(found, dtype=float) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(equations())
@settings(max_examples=25)
def test_the_hessian_of_random_graphs_is_that_of_second_differences(spec: dict[str, Any]) -> None:
    problem = build(spec_of(spec))
    net, leaves = problem.network, problem.numbers() or {}
    names = tuple(n for n in net.names("input") if n in ("a", "b", "x"))
    if net.symbols[net.output].shape or not set(net.names("input")) <= set(leaves) or not names:
        return
    with mp.workdps(DIGITS):
        try:
            if not kinks(net, forward(net, leaves)):
                checked_hessian(differentiated_again(derive(net), names), leaves)  # raises where they differ
        except ArithmeticError:
            return


@given(networks(layers=2, units=2, names=("sigmoid", "tanh", "softmax", "identity", "softplus")))
@settings(max_examples=12)
def test_the_hessian_of_random_networks(spec: dict[str, Any]) -> None:
    problem = build(spec_of(spec))
    with mp.workdps(DIGITS):
        checked_hessian(differentiated_again(derive(problem.network), ("W1",)), problem.numbers())


# ---------------------------------------------------------------- what a page says

def test_a_saddle() -> None:
    text = (course("hessian-saddle")).read_text()
    sheet = Sheet(*solve(course("hessian-saddle"), Request()))
    found = {s.title: s for s in sections(sheet)}
    assert "hessian: true" in text and list(found) == ["Second derivatives", "The Hessian", "What the eigenvalues say"]
    assert found["Second derivatives"].checked == "proved"
    assert found["The Hessian"].data["hessian"] == [[2, 1], [1, -2]]
    assert found["The Hessian"].data["eigenvalues"] == pytest.approx([-5**0.5, 5**0.5])
    assert found["What the eigenvalues say"].said.endswith("a saddle, up in one direction and down in another.")


@pytest.mark.parametrize(("source", "at", "sentence"), [
    ("x**2 + y**2", "0, 0", "a local minimum."), ("-x**2 - y**2 + x*y", "0, 0", "a local maximum."), ("x**2 + y**4", "0, 0", "do not decide."),
    ("x**4 + y**4", "0, 0", "do not decide."), ("x*y", "0, 0", "a saddle"), ("x**2 + y**2", "1, 0", "curves upward in every direction. The gradient is not 0 here"),
    ("x**2 + y", "0, 0", "straight to second order"), ("x**2 - 4*x*y", "1, 1", "upward in one direction and downward in another. The gradient is not 0")])
def test_what_the_eigenvalues_say(source: str, at: str, sentence: str, tmp_path: Path) -> None:
    x, y = at.split(", ")
    report = made(tmp_path, f"equations: {{f: {source}}}\nat: {{x: {x}, y: {y}}}\nhessian: true\n")
    assert sentence in next(s["said"] for s in report["sections"] if s["title"] == "What the eigenvalues say")


def test_along_a_direction(tmp_path: Path) -> None:
    report = made(tmp_path, "equations: {f: 1.5*x + 2*y + 5 + x**2}\nat: {x: 1, y: 1}\ndirection: {x: 3, y: 4}\n")
    found = data(report, "Along a direction")
    assert found["direction"] == pytest.approx([0.6, 0.8]) and found["slope"] == pytest.approx(0.6 * 3.5 + 0.8 * 2)
    assert found["steepest"] == pytest.approx((3.5**2 + 4) ** 0.5) and found["curvature"] == pytest.approx(2 * 0.36)


def test_along_a_direction_where_the_gradient_is_zero(tmp_path: Path) -> None:
    report = made(tmp_path, "equations: {f: x**2 + y**2}\nat: {x: 0, y: 0}\ndirection: {x: 1, y: 1}\n")
    section = next(s for s in report["sections"] if s["title"] == "Along a direction")
    assert "no direction is steeper" in section["said"] and not any(x.startswith("a =") for x in section["latex"])


def test_the_hessian_times_a_vector(tmp_path: Path) -> None:
    report = made(tmp_path, "equations: {q: x.T @ A @ x}\nat: {A: [[2, 1], [0, 3]], x: [1, 2]}\nhvp: {x: [1, -1]}\n")
    assert data(report, "The Hessian times a vector") == [3, -5]  # (A + A^T) v
    section = report["sections"][-1]
    assert section["checked"] == "proved" and any(r"A^{\top}" in line for line in section["latex"])
    report = made(tmp_path, "equations: {u: x*y, f: sin(u) + x**2}\nat: {x: 0.5, y: 2}\nhvp: {x: 1, y: -1}\n")
    H = autograd.hessian(lambda w: anp.sin(w[0] * w[1]) + w[0] ** 2)(np.array([0.5, 2.0]))
    assert data(report, "The Hessian times a vector") == pytest.approx(list(H @ [1, -1]), rel=1e-12)


def test_newton(tmp_path: Path) -> None:
    report = made(tmp_path, (course("newton")).read_text())
    path = data(report, "Newton's method: all steps")
    w = np.array([0.75, -1.25])
    f = lambda w: w[0] ** 4 + w[0] * w[1] + (1 + w[1]) ** 2
    for step in path:
        assert step["at"] == pytest.approx(list(w), rel=1e-12) and step["value"] == pytest.approx(f(w), rel=1e-12)
        w = w - np.linalg.solve(autograd.hessian(f)(w), autograd.grad(f)(w))
    assert len(path) == 5 and "leads to a minimum" in report["sections"][-1]["said"]


@pytest.mark.parametrize(("text", "said"), [
    ("equations: {f: x**2 + 3*x}\nat: {x: 5}\nnewton: {steps: 1}\n", "leads to a minimum"), ("equations: {f: 2 - x**2}\nat: {x: 5}\nnewton: {steps: 1}\n", "leads to a maximum"),
    ("equations: {f: x*y}\nat: {x: 5, y: 1}\nnewton: {steps: 2}\n", "leads to a saddle"), ("equations: {f: x**4 + y**2}\nat: {x: 5, y: 1}\nnewton: {steps: 2}\n", "more steps are needed")])
def test_where_newton_leads(text: str, said: str, tmp_path: Path) -> None:
    assert said in made(tmp_path, text)["sections"][-1]["said"]


LAYERS = """inputs: {x: [0.5, 1]}
targets: {y: [1]}
layers: [{units: 2, activation: tanh, W: [[1, 2], [3, 4]], b: [0, 1]}, {units: 1, activation: sigmoid, W: [[1, 2]], b: [0.5]}]
loss: binary_cross_entropy
hessian: [W1, W2]
"""


def test_the_hessian_of_a_loss(tmp_path: Path) -> None:
    found = data(made(tmp_path, LAYERS), "The Hessian")

    def loss(w: Any) -> Any:
        a = anp.tanh(anp.reshape(w[:4], (2, 2)) @ np.array([0.5, 1]) + np.array([0, 1]))
        return -anp.log(1 / (1 + anp.exp(-(anp.sum(w[4:] * a) + 0.5))))

    assert np.array(found["hessian"]) == pytest.approx(autograd.hessian(loss)(np.array([1.0, 2, 3, 4, 1, 2])), rel=1e-9, abs=1e-13)
    assert found["names"] == ["W1[0,0]", "W1[0,1]", "W1[1,0]", "W1[1,1]", "W2[0,0]", "W2[0,1]"]


def test_without_numbers_the_entries_stand_alone(tmp_path: Path) -> None:
    report = made(tmp_path, "equations: {f: x**2*y}\nhessian: [x, y]\n")
    assert [s["title"] for s in report["sections"]] == ["Second derivatives", "The Hessian"]
    assert report["sections"][1]["latex"][-1] == r"\begin{bmatrix}2y & 2x \\ 2x & 0\end{bmatrix}"


# ---------------------------------------------------------------- the checks can fail

@pytest.mark.parametrize("change", ["factor", "symmetric", "entry"])
def test_a_wrong_hessian_is_caught(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = second.Twice.product

    def wrong(self: Any, leaves: Any, v: Any) -> Any:
        out = whole(self, leaves, v)
        return [x * mp.mpf("1.001") for x in out] if change == "factor" else [out[0], out[1] + v[0] / 1000] if change == "symmetric" else [out[0] + v[0] / 1000, *out[1:]]

    monkeypatch.setattr(second.Twice, "product", wrong)
    for text in ("hessian: true", "newton: {steps: 1}", "direction: {x: 1, y: 0}"):
        with pytest.raises(CheckError, match="failed its check"):
            made(tmp_path, f"equations: {{f: x**2*y + y**2}}\nat: {{x: 1, y: 2}}\n{text}\n")


def test_a_wrong_entry_is_caught() -> None:
    net = from_equations({"f": "x**2*y + sin(y)"}, {})
    gradient = gradient_in_leaves(derive(net), ("x", "y"))
    assert gradient is not None
    found = second_entries(gradient)
    with pytest.raises(CheckError):
        check_entries(net, {**gradient, "y": gradient["y"] + 1}, found)
    check_entries(net, gradient, found)
    for k, e in enumerate(found):
        wrong = dataclasses.replace(e, result=ex.add(e.result, ex.num("1/1000")))
        with pytest.raises(CheckError):
            check_entries(net, gradient, [*found[:k], wrong, *found[k + 1:]])
        if e.lines:
            open_line = Pass(ex.mul(2, ex.Expr("diff", (gradient[e.first],), e.second)), ())
            with pytest.raises(CheckError):
                check_entries(net, gradient, [*found[:k], dataclasses.replace(e, lines=(open_line, *e.lines)), *found[k + 1:]])
            with pytest.raises(CheckError):
                check_entries(net, gradient, [*found[:k], dataclasses.replace(e, lines=(*e.lines, Pass(ex.add(e.result, ex.ONE), ()))), *found[k + 1:]])


def test_wrong_eigenvalues_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    with mp.workdps(DIGITS):
        hessian = [[mp.mpf(2), mp.mpf(1)], [mp.mpf(1), mp.mpf(3)]]
        right = mp.eigsy
        second.curvature(hessian, [mp.mpf(0)] * 2, mp.mpf(1))
        monkeypatch.setattr(mp, "eigsy", lambda m: (right(m)[0] * mp.mpf("1.001"), right(m)[1]))
        with pytest.raises(CheckError):
            second.curvature(hessian, [mp.mpf(0)] * 2, mp.mpf(1))


def test_a_wrong_direction_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = curvature.Writer.worked

    def wrong(self: Any, lines: Any, values: Any) -> Any:
        return right(self, {k: v.replace("dot(g, u)", "dot(g, v)") for k, v in lines.items()}, values)

    monkeypatch.setattr(curvature.Writer, "worked", wrong)
    with pytest.raises(CheckError, match="the slope along the direction failed"):
        made(tmp_path, "equations: {f: x**2 + y}\nat: {x: 1, y: 2}\ndirection: {x: 3, y: 4}\n")


# ---------------------------------------------------------------- errors

GRAPH = "equations: {f: x**2*y}\nat: {x: 1, y: 2}\n"


@pytest.mark.parametrize(("text", "sentence"), [
    (GRAPH + "hessian: [z]\n", "spec.yaml:3: hessian: 'z' cannot be varied here; valid names: x, y"),
    (GRAPH + "direction: {x: 0, y: 0}\n", "direction: every number is 0, so it points nowhere"),
    (GRAPH + "direction: {x: 1}\n", "direction: one number alone has no direction"),
    (GRAPH + "hvp: {x: [1, 2]}\n", "hvp: x is a scalar, and its part of the vector is 2 x 1"),
    (GRAPH + "newton: {steps: 99}\n", "newton: 99 steps; at most 20 make a table"),
    (GRAPH + "newton: {step: 9}\n", "unknown key 'step'; did you mean 'steps'?"),
    ("equations: {f: x**2*y}\nnewton: {steps: 1}\n", "newton: x has no number; give one under 'at'"),
    ("equations: {f: x + y**2}\nat: {x: 1, y: 1}\nnewton: {steps: 1}\n", "newton: at step 0 the determinant of the Hessian is 0"),
    ("equations: {f: x*log(x)}\nat: {x: 4}\nnewton: {steps: 3}\n", "newton: after step 1 the numbers cannot be computed with"),
    ("equations: {Y: A @ A}\nat: {A: [[1, 2], [3, 4]]}\nhessian: true\n", "hessian: Y is not a single number; add an equation such as e: sum(...)"),
    ("equations: {y: sum(A)}\nat: {A: [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]}\nhessian: true\n",
     "hessian: 25 numbers vary, so the Hessian is 25 x 25; at most 20 x 20 fit a page"),
    ("equations: {y: f(x)}\ngiven: {\"f'(x)\": 2}\nhessian: true\n", "hessian: needs a formula for every function"),
    ("equations: {y: abs(x) + x**2}\nat: {x: 0}\nhessian: true\n", "hessian: at the given numbers a function has a kink"),
    ("equations: {y: x**2*u + v*w}\nat: {x: 1, u: 2, w: 3}\nhessian: true\n", "hessian: v has no number, and without numbers the second derivatives are too long"),
    ("equations: {f: x*y}\nat: {x: 1, y: 2}\n\nlagrange: {constraint: x + y = 1}\n", "spec.yaml:4: lagrange: every name has a number, so nothing can vary"),
    ("equations: {f: a*b*c*d}\nlagrange:\n  constraint: a + b = 1\n", "spec.yaml:2: lagrange: the gradients are too long to be written out, or more than 3 names vary"),
    (LAYERS + "newton: {steps: 2}\n", "newton: belongs to files with equations, and this one has layers"),
    (LAYERS.replace("[W1, W2]", "[x]"), "hessian: 'x' cannot be varied here; valid names: W1, b1, W2, b2"),
])
def test_a_mistake_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    result = CliRunner().invoke(main, ["derive", str(path), "-o", str(tmp_path / "out"), "--to", "json"])
    assert result.exit_code == 2 and sentence in result.output and re.match(r"chainrule: \S*spec\.yaml:\d+: ", result.output), result.output
    assert not (tmp_path / "out").exists()


def test_from_python_too() -> None:
    with pytest.raises(SpecError, match="cannot be varied"):
        build(spec_of({"equations": {"f": "x"}, "hessian": ["y"]}))


# ---------------------------------------------------------------- a Lagrange multiplier

LAGRANGE: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "equations: {f: x**2 + y**2}\nlagrange: {constraint: x + y - 1}\n": ("", [{"x": 0.5, "y": 0.5, "lam": 1, "f": 0.5, "kind": "minimum"}]),
    "equations: {f: x*y*z}\nlagrange: {constraint: x + y + z = 3}\n": ("", [
        {"x": x, "y": y, "z": z, "lam": f, "f": f, "kind": kind}
        for x, y, z, f, kind in ((0, 0, 3, 0, "saddle"), (0, 3, 0, 0, "saddle"), (1, 1, 1, 1, "maximum"), (3, 0, 0, 0, "saddle"))]),
    "equations: {u: 2*x, f: u + a*y}\nat: {a: 3}\nlagrange: {constraint: x**2 + y**2 = 13}\n": ("", [
        {"x": -2, "y": -3, "lam": -0.5, "f": -13, "kind": "minimum"}, {"x": 2, "y": 3, "lam": 0.5, "f": 13, "kind": "maximum"}]),
    "equations: {f: x**2}\nlagrange: {constraint: x - 3}\n": ("", [{"x": 3, "lam": 6, "f": 9, "kind": "the only point"}]),
    "equations: {f: x**3 + y}\nlagrange: {constraint: y = 0}\n": ("", [{"x": 0, "y": 0, "lam": 1, "f": 0, "kind": "undecided"}]),
    "equations: {f: x**4 + y**4}\nlagrange: {constraint: x = y**3}\n": ("the degrees of these polynomials are too high", []),
    "equations: {f: (x - 2)**2 + y**2}\nlagrange: {constraint: x**2 + y**2 = -1}\n": ("They have no real solution.", []),
    "equations: {f: x + y}\nlagrange: {constraint: x + y = 3}\n": ("A whole curve of points solves them", []),
    "equations: {f: -x*log(x) - y*log(y)}\nlagrange: {constraint: x + y = 1}\n": ("the equations are not polynomials", []),
}


@pytest.mark.parametrize("text", LAGRANGE)
def test_a_multiplier(text: str, tmp_path: Path) -> None:
    said, solutions = LAGRANGE[text]
    sections = made(tmp_path, text)["sections"]
    assert said in sections[0]["said"] and len(sections) == (2 if solutions else 1)
    for got, expected in zip(sections[-1].get("data", []), solutions, strict=True):
        assert {k: v for k, v in got.items() if k != "kind"} == pytest.approx({k: v for k, v in expected.items() if k != "kind"}, abs=1e-12)
        assert got["kind"] == expected["kind"]


def test_the_largest_rectangle() -> None:
    sheet = Sheet(*solve(course("lagrange"), Request()))
    stated, found = sections(sheet)
    assert [x.right for x in stated.lines] == [r"2\lambda\,x", r"2\lambda\,y", "1"] and stated.lines[-1].left == "x^{2} + y^{2}"
    assert found.cells[-1] == (r"$\sqrt{2} / 2$", r"$\sqrt{2} / 2$", "$2$", "$2$", "maximum")


def test_a_wrong_solution_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    right = sp.solve
    monkeypatch.setattr(sp, "solve", lambda *args, **kw: [{k: v + sp.Rational(1, 1000) for k, v in s.items()} for s in right(*args, **kw)])
    with pytest.raises(CheckError, match="the solution put into .* failed its check"):
        made(tmp_path, "equations: {f: x**2 + y**2}\nlagrange: {constraint: x + y - 1}\n")


@pytest.mark.parametrize(("text", "sentence"), [
    ("equations: {f: x + y}\nat: {x: 1, y: 2}\nlagrange: {constraint: x + y = 1}\n", "lagrange: every name has a number, so nothing can vary"),
    ("equations: {f: x + y}\nlagrange: {constraint: z + y = 1}\n", "spec.yaml:2: lagrange: unknown name 'z' in 'z + y '; valid names: x, y"),
    ("equations: {f: x + y}\nlagrange: {constraint: 1 = 2}\n", "lagrange: the constraint holds no name of the equations"),
    ("equations: {f: x + y}\nlagrange: {constrain: x}\n", "unknown key 'constrain'; did you mean 'constraint'?"),
    ("equations: {f: sum(x)}\nat: {x: [1, 2]}\nlagrange: {constraint: x = 1}\n", "lagrange: every name must be a single number here"),
    ("equations: {f: a + b + c + d}\nlagrange: {constraint: a = 1}\n", "lagrange: the gradients are too long to be written out, or more than 3 names vary"),
    (LAYERS + "lagrange: {constraint: x}\n", "lagrange: belongs to files with equations"),
])
def test_a_mistake_in_a_constraint(text: str, sentence: str, tmp_path: Path) -> None:
    test_a_mistake_is_one_sentence(text, sentence, tmp_path)
