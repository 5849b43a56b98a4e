"""Trees on whole NumPy arrays, node by node: hundreds of wrong gradients are tried once each, so nothing is compiled.

Every value is a matrix, a number a matrix of one entry. What has no whole-array form here (a kernel that slides, a
determinant) is computed entry by entry, as `floats` does.

>>> A, x = ex.sym("A", (2, 2)), ex.sym("x", (2, 1))
>>> value(ex.node("sum", (A @ x,)), {"A": numpy.eye(2), "x": numpy.array([[1.0], [2.0]])})
array([[3.]])
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any

import numpy

from .. import expr as ex
from ..derive import Derivation
from ..expr import Expr
from ..functions import FUNCTIONS, VECTOR_FUNCTIONS, as_tree, definition, slope_form
from ..language.arithmetic import entries
from ..language.floats import FLOATS, stable
from ..language.rows import compiled
from ..network import Network

Array = Any  # numpy.ndarray of float64 with two axes
Values = Mapping[Any, Array]

RELATIONS = {">": numpy.greater, ">=": numpy.greater_equal, "<": numpy.less, "<=": numpy.less_equal}
CLOSED = {">": numpy.greater_equal, ">=": numpy.greater, "<": numpy.less_equal, "<=": numpy.less}  # the other convention at a kink
REDUCED: dict[str, Callable[..., Any]] = {"sum": numpy.sum, "most": numpy.max, "least": numpy.min}


def matrix(x: Any) -> Array:
    """Anything like an array as a float64 matrix: a number as 1 x 1, a list of numbers as a column."""
    found = numpy.asarray(x, dtype=float)
    return found.reshape(1, 1) if found.ndim == 0 else found.reshape(-1, 1) if found.ndim == 1 else found


class Reader:
    """Evaluates trees at one point; what it has found for a tree of the right derivation it remembers.

    closed: at a kink the other side's slope is taken; near: collects how near comparisons are to being ties.
    """

    def __init__(self, *, closed: bool = False, near: list[float] | None = None) -> None:
        self.relations, self.near = CLOSED if closed else RELATIONS, near

    def value(self, e: Expr, env: Values) -> Array:
        """The matrix of a tree. Raises KeyError for a name without a value."""
        if e.op == "sym":
            return env[e.data]
        if e.op in ("grad", "partial"):
            return env[e.data]
        if e.op == "num":
            return _number(e.data)
        handler = _NODES.get(e.op)
        if handler is None:
            return self._slowly(e, env)
        return handler(self, e, env)

    def _all(self, e: Expr, env: Values) -> list[Array]:
        return [self.value(x, env) for x in e.args]

    def _ones(self, e: Expr, env: Values) -> Array:
        return numpy.ones([int(env[d][0, 0]) if isinstance(d, str) else int(d) for d in e.shape])

    def _eye(self, e: Expr, env: Values) -> Array:
        d = e.shape[0]
        return numpy.eye(int(env[d][0, 0]) if isinstance(d, str) else int(d))

    def _add(self, e: Expr, env: Values) -> Array:
        out, *rest = self._all(e, env)
        for x in rest:
            out = out + x
        return out

    def _mul(self, e: Expr, env: Values) -> Array:
        out, *rest = self._all(e, env)
        for x in rest:
            out = out * x
        return out

    def _matmul(self, e: Expr, env: Values) -> Array:
        a, b = e.args
        if a.op == "ones" and a.shape[0] == 1:  # a sum, and a repetition, without a product
            return self.value(b, env).sum(axis=0, keepdims=True)
        if b.op == "ones" and b.shape[1] == 1:
            return self.value(a, env).sum(axis=1, keepdims=True)
        return self.value(a, env) @ self.value(b, env)

    def _call(self, e: Expr, env: Values) -> Array:
        args = self._all(e, env)
        if self.near is not None and _has_pieces(e.data):
            form = definition(e.data)
            assert form is not None
            self.value(form, {n: x for n, x in zip(FUNCTIONS[e.data].names, args, strict=True)})
        return _function(e.data)(*args)

    def _slope(self, e: Expr, env: Values) -> Array:
        name, k = e.data
        if name not in FUNCTIONS:
            return self._slowly(e, env)
        args, row = self._all(e, env), FUNCTIONS[name]
        if row.stated(k):
            return _stated(name, k)(*args)
        form = as_tree(row.stable[k + 1]) if row.stable[k + 1] else slope_form(name, k)
        inner = dict(zip(row.names, args, strict=True))
        return self.value(form, inner | ({"a": _function(name)(*args)} if "a" in form.names else {}))

    def _cases(self, e: Expr, env: Values) -> Array:
        out = self.value(e.args[-1], env)
        for i in reversed(range(len(e.data))):
            left, right, then = (self.value(x, env) for x in e.args[3 * i:3 * i + 3])
            if self.near is not None:
                self.near.append(float(numpy.min(numpy.abs(left - right))))
            out = numpy.where(self.relations[e.data[i]](left, right), then, out)
        return out

    def _over(self, e: Expr, env: Values) -> Array:
        name, axis = e.data
        return _vector_function(name)(self.value(e.args[0], env), axis)

    def _reduce(self, e: Expr, env: Values) -> Array:
        x = self.value(e.args[0], env)
        if self.near is not None and e.op != "sum" and (x.size if e.data is None else x.shape[e.data]) > 1:
            lines = numpy.sort(x.reshape(1, -1) if e.data is None else numpy.moveaxis(x, e.data, -1), axis=-1)
            first, second = (lines[..., -1], lines[..., -2]) if e.op == "most" else (lines[..., 0], lines[..., 1])
            self.near.append(float(numpy.min(numpy.abs(first - second))))
        return numpy.reshape(REDUCED[e.op](x), (1, 1)) if e.data is None else REDUCED[e.op](x, axis=e.data, keepdims=True)

    def _take(self, e: Expr, env: Values) -> Array:
        flat = numpy.append(self.value(e.args[0], env).reshape(-1), 0.0)
        return flat[_cells(e.data.cells)].reshape(e.data.shape)

    def _put(self, e: Expr, env: Values) -> Array:
        x = numpy.broadcast_to(self.value(e.args[0], env), e.data.shape).reshape(-1)
        size = e.data.source[0] * e.data.source[1]
        return numpy.bincount(_cells(e.data.cells) % (size + 1), weights=x, minlength=size + 1)[:size].reshape(e.data.source)

    def _slowly(self, e: Expr, env: Values) -> Array:
        """One node entry by entry."""
        names = [ex.sym(f"_{k}", x.shape) for k, x in enumerate(e.args)]
        inside = {n.data: v.tolist() for n, v in zip(names, self._all(e, env), strict=True)}
        inside.update({k: v for k, v in env.items() if callable(v)})
        return numpy.array(entries(Expr(e.op, tuple(names), e.data, e.shape), inside, FLOATS), dtype=float)


_NODES: dict[str, Callable[[Reader, Expr, Values], Array]] = {
    "ones": Reader._ones, "eye": Reader._eye, "add": Reader._add, "mul": Reader._mul, "matmul": Reader._matmul, "call": Reader._call, "slope": Reader._slope,
    "cases": Reader._cases, "over": Reader._over, "take": Reader._take, "put": Reader._put, **dict.fromkeys(REDUCED, Reader._reduce),
    "neg": lambda self, e, env: -self.value(e.args[0], env),
    "div": lambda self, e, env: operator.truediv(*self._all(e, env)),
    "pow": lambda self, e, env: operator.pow(*self._all(e, env)),
    "T": lambda self, e, env: self.value(e.args[0], env).T,
    "concat": lambda self, e, env: numpy.concatenate(self._all(e, env), axis=e.data),
}
READER, CLOSED_READER = Reader(), Reader(closed=True)


@cache
def _number(data: Any) -> Array:
    return numpy.array([[float(data) if isinstance(data, (Fraction, int, float)) else float(data.evalf(20))]])


@lru_cache(maxsize=256)
def _cells(cells: tuple[int, ...]) -> Array:
    return numpy.array(cells)


@cache
def _function(name: str) -> Callable[..., Array]:
    """A function on arrays: NumPy's own where it has one, else the stable form of the row."""
    row = FUNCTIONS[name]
    own = getattr(numpy, {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "max": "maximum", "min": "minimum"}.get(name, name), None)
    plain = row.formula is None or name in ("max", "min", "abs", "log1p")
    return own if plain and callable(own) else row.numpy


@cache
def _stated(name: str, k: int) -> Callable[..., Array]:
    """The slope of a function on arrays, as its row states it."""
    return compiled(FUNCTIONS[name].stated(k), FUNCTIONS[name].names)


@cache
def _vector_function(name: str) -> Callable[..., Array]:
    return VECTOR_FUNCTIONS[name].numpy


@cache
def _has_pieces(name: str) -> bool:
    """Whether the formula of a function has cases."""
    form = definition(name)
    return form is not None and any(x.op == "cases" for x in ex.walk(form))


def value(e: Expr, env: Values) -> Array:
    """The matrix of a tree."""
    return READER.value(e, env)


def full(x: Array, shape: ex.Shape, env: Values) -> Array:
    """A value at the shape it has in the network: terms that cancel leave a bare number behind."""
    wanted = tuple(int(env[d][0, 0]) if isinstance(d, str) else int(d) for d in shape) or (1, 1)
    return x if x.shape == wanted or x.shape != (1, 1) else numpy.broadcast_to(x, wanted)


@lru_cache(maxsize=4096)
def _stable(e: Expr) -> Expr:
    return stable(e)


def forward(network: Network, leaves: Values, reader: Reader = READER) -> dict[Any, Array]:
    """All values of the forward pass; overflow gives inf, as in any program."""
    env = dict(leaves)
    with numpy.errstate(all="ignore"):
        for eq in network.equations:
            env[eq.name] = full(reader.value(_stable(eq.rhs), env), eq.rhs.shape, env)
    return env


def gradients(derivation: Derivation, env: Values, reader: Reader = READER) -> dict[Any, Array]:
    """The values with every gradient added under (of, wrt)."""
    out = dict(env)
    with numpy.errstate(all="ignore"):
        for step in derivation.steps.values():
            out[step.of, step.wrt] = full(reader.value(step.result, out), step.shape, out)
    return out
