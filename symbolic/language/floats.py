"""Trees in ordinary float64 arithmetic, through the stable form of every function.

``stable`` rewrites what would lose its digits (1 - sigmoid(z), log(1 - p)); nothing else is changed.

>>> from .parse import parse
>>> p = ex.sym("p")
>>> ex.text(stable(parse("log(1 - p)", {"p": p})))
'log1p(-p)'
>>> float(evaluate(parse("log(1 - p)", {"p": p}), {"p": [[1e-20]]})[0][0])
-1e-20
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache
from typing import Any

from .. import expr as ex
from ..expr import Expr
from ..functions import FUNCTIONS, VECTOR_FUNCTIONS, Row
from .arithmetic import Arithmetic, Env, Matrix, entries


@cache
def _compiled(row: Row) -> Callable[..., Any]:
    return row.numpy


class Floats(Arithmetic):
    """NumPy's float64; functions by the NumPy form of their rows. Overflow gives inf, as in any program."""

    def number(self, value: Any) -> Any:
        import numpy

        return numpy.float64(value if isinstance(value, (Fraction, float)) else value.evalf(20))

    def call(self, name: str, args: Any) -> Any:
        return _compiled(FUNCTIONS[name])(*args)

    def over(self, e: Expr, env: Env) -> Matrix:
        import numpy

        name, axis = e.data
        return [list(row) for row in VECTOR_FUNCTIONS[name].numpy(numpy.array(entries(e.args[0], env, self)), axis)]

    def pick(self, e: Expr, xs: Any) -> Any:
        import numpy

        name, k = e.data
        return VECTOR_FUNCTIONS[name].numpy(numpy.array([[x] for x in xs]), 0)[k][0]


FLOATS = Floats()


def evaluate(e: Expr, env: Mapping[Any, Any]) -> Matrix:
    """All entries of a tree in float64, from rows of numbers."""
    import numpy

    with numpy.errstate(all="ignore"):
        return entries(stable(e), {k: [[numpy.float64(v) for v in row] for row in rows] for k, rows in env.items()}, FLOATS)


# ---------------------------------------------------------------- forms that keep their digits

def _logarithm(e: Expr) -> Expr | None:
    """log(1 + x) as log1p(x), log(sigmoid(z)) as -softplus(-z), log(softmax(z)) as logsoftmax(z)."""
    x = e.args[0]
    if e.data != "log":
        return None
    if x.op == "call" and x.data == "sigmoid":
        return ex.neg(ex.node("call", (ex.neg(x.args[0]),), "softplus"))
    if x.op == "over" and x.data[0] == "softmax":
        return ex.node("over", x.args, ("log_softmax", x.data[1]))
    if x.op == "add" and x.args[0] == ex.ONE:
        return ex.node("call", (ex.add(*x.args[1:]),), "log1p")
    return None


def _one_minus_sigmoid(e: Expr) -> Expr | None:
    """1 - sigmoid(z) as sigmoid(-z)."""
    rest = e.args[1].args[0] if len(e.args) == 2 and e.args[0] == ex.ONE and e.args[1].op == "neg" else None
    if rest is not None and rest.op == "call" and rest.data == "sigmoid":
        return ex.node("call", (ex.neg(rest.args[0]),), "sigmoid")
    return None


def _softmax(e: Expr) -> Expr | None:
    """exp(z) over its own sum as softmax(z), which shifts before it takes exponentials."""
    above, below = e.args
    if above.op == "call" and above.data == "exp" and above.shape:
        for axis in (0, 1):
            if below == ex.spread(ex.total(above, axis), axis, above.shape):
                return ex.node("over", above.args, ("softmax", axis))
    return None


def absent_at_zero(e: Expr, y_hat: Expr, y: Expr) -> Expr:
    """0 ln 0 counts as 0: under a factor y (or 1 - y), logarithms and denominators read the prediction only where that factor is not 0."""
    for factor, sign, bound, instead in ((y, ">", ex.ZERO, ex.ONE), (ex.ONE - y, "<", ex.ONE, ex.ZERO)):
        if factor in _factors(e):
            return _read_as(e, y_hat, ex.node("cases", (y, bound, y_hat, instead), (sign,)), False)
    return Expr(e.op, tuple(absent_at_zero(a, y_hat, y) for a in e.args), e.data, e.shape, e.role) if e.args else e


def _factors(e: Expr) -> tuple[Expr, ...]:
    """What is multiplied, above the fraction bar."""
    if e.op in ("neg", "div"):
        return _factors(e.args[0])
    return tuple(f for a in e.args for f in _factors(a)) if e.op == "mul" else (e,)


def _read_as(e: Expr, name: Expr, instead: Expr, within: bool) -> Expr:
    """A tree with a name replaced inside logarithms and denominators."""
    if e == name:
        return instead if within else e
    inside = [within or (e.op == "call" and e.data in ("log", "log1p")) or (e.op == "div" and k == 1) for k in range(len(e.args))]
    return Expr(e.op, tuple(_read_as(a, name, instead, w) for a, w in zip(e.args, inside, strict=True)), e.data, e.shape, e.role) if e.args else e


STABLE: Mapping[str, Callable[[Expr], Expr | None]] = {"call": _logarithm, "add": _one_minus_sigmoid, "div": _softmax}


def stable(e: Expr) -> Expr:
    """The same value in a form that keeps its digits."""
    if not e.args:
        return e
    made = Expr(e.op, tuple(map(stable, e.args)), e.data, e.shape, e.role)
    rewrite = STABLE.get(e.op)
    return (rewrite(made) if rewrite else None) or made
