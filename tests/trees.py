"""Our trees read entry by entry by a second hand, in SymPy: no module of ours computes anything here.

>>> from symbolic.expr import sym
>>> cells(sym("A", (2, 1)).T @ sym("B", (2, 1)), {})[0, 0]
A_0_0*B_0_0 + A_1_0*B_1_0
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from pylatexenc.latexwalker import LatexWalker

from symbolic.expr import Expr
from symbolic.functions import FUNCTIONS

Cells = Any  # a two-dimensional NumPy array of SymPy expressions
RELATIONS = {">": sp.Gt, ">=": sp.Ge, "<": sp.Lt, "<=": sp.Le}


def symbols(name: str, shape: tuple[Any, ...]) -> Cells:
    """One real symbol for every entry."""
    shape = shape or (1, 1)
    return np.array([[sp.Symbol(f"{name}_{i}_{j}", real=True) for j in range(int(shape[1]))] for i in range(int(shape[0]))], dtype=object)


def cells(e: Expr, env: Mapping[Any, Cells]) -> Cells:
    """Every entry of a tree; names and gradients that env lacks become symbols."""
    if e.op in ("sym", "grad", "partial"):
        return env[e.data] if e.data in env else symbols("_".join(e.data) if e.op != "sym" else e.data, e.shape)
    if e.op == "num":
        v = e.data
        return np.array([[sp.Rational(v.numerator, v.denominator) if isinstance(v, Fraction) else v]], dtype=object)
    if e.op == "ones":
        return np.array([[sp.Integer(1)] * int(e.shape[1])] * int(e.shape[0]), dtype=object)
    if e.op == "eye":
        return np.array(sp.eye(int(e.shape[0])), dtype=object)
    xs = [cells(x, env) for x in e.args]
    rows, columns = e.shape or (1, 1)
    if e.op == "matmul":
        return np.dot(*xs)
    if e.op == "T":
        return xs[0].T
    if e.op == "matrix":
        return of_matrix(e.data, sp.Matrix(xs[0]))
    if e.op == "sum":
        return np.array(xs[0].sum(axis=e.data), dtype=object).reshape(int(rows), int(columns))
    if e.op in ("most", "least"):
        best = sp.Max if e.op == "most" else sp.Min
        lines = [list(xs[0].flat)] if e.data is None else list(xs[0].T if e.data == 0 else xs[0])
        return np.array([best(*line) for line in lines], dtype=object).reshape(int(rows), int(columns))
    if e.op == "onehot":  # one at the largest entry of a line
        turned = xs[0].T if e.data[1] == 0 else xs[0] if e.data[1] == 1 else xs[0].reshape(1, -1)
        sign = 1 if e.data[0] == "most" else -1
        lines = [[sp.Piecewise((1, sp.And(*(sign * v >= sign * w for w in line))), (0, True)) for v in line] for line in turned]
        out = np.array(lines, dtype=object)
        return out.T if e.data[1] == 0 else out.reshape(int(rows), int(columns))
    if e.op == "take":
        return np.array([xs[0].flat[k] if k >= 0 else sp.Integer(0) for k in e.data.cells], dtype=object).reshape(e.data.shape)
    if e.op == "put":
        back = np.full(e.data.source, sp.Integer(0), dtype=object)
        np.add.at(back.reshape(-1), [k for k in e.data.cells if k >= 0], [v for v, k in zip(np.broadcast_to(xs[0], e.data.shape).flat, e.data.cells, strict=True) if k >= 0])
        return back
    if e.op == "concat":
        return np.concatenate(xs, axis=e.data)
    if e.op == "slide":
        return slid(e.data, xs)
    if e.op == "over":
        return over(e.data[0], xs[0], e.data[1])
    if e.op == "pick":
        name, k = e.data
        return over(name, np.array([[x[0, 0]] for x in xs], dtype=object), 0)[k:k + 1]
    shape = (int(rows), int(columns))
    return np.frompyfunc(lambda *v: one(e, v), len(xs), 1)(*(np.broadcast_to(x, shape) for x in xs))


def slid(how: Any, xs: list[Cells]) -> Cells:
    """A kernel on a padded image, and its two gradients, by the textbook's double sum."""
    (h, w), (kh, kw), (zh, zw) = how.shapes
    s, (up, left) = how.stride, how.pads
    known = dict(zip([r for r in "xwz" if r != how.gives], (np.broadcast_to(x, how.shape(r)) for x, r in zip(xs, [r for r in "xwz" if r != how.gives], strict=True)), strict=True))
    padded = np.full((h + 2 * up, w + 2 * left), sp.Integer(0), dtype=object)
    if how.gives != "x":
        padded[up:up + h, left:left + w] = known["x"]
    out = {"z": np.full((zh, zw), sp.Integer(0), dtype=object), "w": np.full((kh, kw), sp.Integer(0), dtype=object), "x": padded}
    for i in range(zh):
        for j in range(zw):
            window = np.s_[s * i:s * i + kh, s * j:s * j + kw]
            if how.gives == "z":
                out["z"][i, j] = (padded[window] * known["w"]).sum()
            elif how.gives == "w":
                out["w"] = out["w"] + padded[window] * known["z"][i, j]
            else:
                padded[window] = padded[window] + known["w"] * known["z"][i, j]
    return out[how.gives] if how.gives != "x" else padded[up:up + h, left:left + w]
def of_matrix(name: str, m: sp.Matrix) -> Cells:
    """The functions of a whole matrix, as SymPy's own matrices know them."""
    if name == "inv":
        return np.array(m.inv(method="ADJ"), dtype=object)
    squares = sum(v**2 for v in m)
    found = {"trace": m.trace if m.is_square else None, "det": m.det, "logdet": lambda: sp.log(m.det()), "norm": lambda: sp.sqrt(squares), "squared_norm": lambda: squares}
    return np.array([[found[name]()]], dtype=object)


def over(name: str, x: Cells, axis: int) -> Cells:
    """The functions of a whole vector, by their textbook definitions."""
    below = sum(np.frompyfunc(sp.exp, 1, 1)(x).T if axis else np.frompyfunc(sp.exp, 1, 1)(x))
    exp = np.frompyfunc(sp.exp, 1, 1)(x)
    match name:
        case "softmax": return exp / (below.reshape(-1, 1) if axis else below.reshape(1, -1))
        case "logsumexp": return np.frompyfunc(sp.log, 1, 1)(below.reshape(-1, 1) if axis else below.reshape(1, -1))
        case "log_softmax": return x - np.frompyfunc(sp.log, 1, 1)(below.reshape(-1, 1) if axis else below.reshape(1, -1))
    raise AssertionError(f"tests/trees.py: write down the textbook definition of {name}")


def one(e: Expr, xs: tuple[Any, ...]) -> Any:
    """One entry of an entrywise node."""
    match e.op:
        case "add": return sp.Add(*xs)
        case "mul": return sp.Mul(*xs)
        case "neg": return -xs[0]
        case "div": return xs[0] / xs[1]
        case "pow": return xs[0] ** xs[1]
        case "call": return FUNCTIONS[e.data].expand(*xs)
        case "apply": return sp.Function(e.data)(*xs)
        case "slope" if e.data[0] in FUNCTIONS:
            formula, dummies = FUNCTIONS[e.data[0]], sp.symbols("s:2", real=True)[:len(xs)]
            return sp.diff(formula.expand(*dummies), dummies[e.data[1]]).subs(dict(zip(dummies, xs, strict=True)), simultaneous=True)
        case "slope":
            t = sp.Dummy()
            return sp.Subs(sp.Derivative(sp.Function(e.data[0])(t), t), t, xs[0])
        case "cases":
            pieces = [(xs[3 * i + 2], RELATIONS[s](xs[3 * i], xs[3 * i + 1])) for i, s in enumerate(e.data)]
            return sp.Piecewise(*pieces, (xs[-1], True))
    raise AssertionError(f"not entrywise: {e.op}")


def well_formed(tex: str) -> str:
    r"""The text itself, when TeX can read it: braces, \left and \right, environments, no alignment outside one."""
    LatexWalker(f"${tex}$", tolerant_parsing=False).get_latex_nodes()
    assert tex.count(r"\left") == tex.count(r"\right"), tex
    assert tex.count("{") == tex.count("}"), tex
    assert tex.count(r"\begin{") == tex.count(r"\end{"), tex
    assert "&" not in tex or r"\begin{" in tex, tex
    assert "None" not in tex and "Expr" not in tex and "<" not in tex.replace(" < ", ""), tex
    return tex
