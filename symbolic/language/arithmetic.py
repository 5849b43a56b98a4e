"""Reading a tree entry by entry, in whatever arithmetic is asked for.

The same walk gives numbers in high precision, explicit SymPy entries for a proof, and the
scalar network in which every weight has its own symbol.

>>> from ..expr import sym
>>> A, x = sym("A", (2, 2)), sym("x", (2, 1))
>>> env = {"A": [[1, 2], [3, 4]], "x": [[5], [6]]}
>>> [[int(v) for v in row] for row in entries(A @ x, env, MP)]
[[17], [39]]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import mpmath
from mpmath import mp

from .. import expr as ex
from ..expr import Expr
from ..functions import FUNCTIONS, VECTOR_FUNCTIONS, definition, slope_form
from .matrices import MATRIX_FUNCTIONS, determinant, inverse
from .scalars import Env, Matrix, Scalars
from .takes import MOVES, moved

MOST_BITS = 100_000  # numbers beyond 2**this are refused: every further step would take longer


class Arithmetic(Scalars):
    """Scalars that know the tables of functions, and matrices of them."""

    def call(self, name: str, args: Sequence[Any]) -> Any:
        body = definition(name)
        if body is None:
            return self.primitive(name, args[0])
        return self.scalar(body, {n: x for n, x in zip(FUNCTIONS[name].names, args, strict=True)})

    def slope(self, e: Expr, xs: Sequence[Any], env: Env) -> Any:
        name, k = e.data
        if name not in FUNCTIONS:
            return self.unnamed(name, xs[0], env, 1)
        inner = {n: x for n, x in zip(FUNCTIONS[name].names, xs, strict=True)}
        form = slope_form(name, k)
        if "a" in form.names:
            inner["a"] = self.call(name, xs)
        return self.scalar(form, inner)

    def pick(self, e: Expr, xs: Sequence[Any]) -> Any:
        """One output of a vector function of the scalars xs."""
        name, k = e.data
        vector = ex.sym("_v", (len(xs), 1))
        return entries(VECTOR_FUNCTIONS[name].define(vector, 0), {"_v": [[x] for x in xs]}, self)[k][0]

    def determinant(self, rows: Matrix) -> Any:
        return determinant(rows, self)

    def inverse(self, rows: Matrix) -> Matrix:
        return inverse(rows, self)

    def over(self, e: Expr, env: Env) -> Matrix:
        """A vector function: its defining equation."""
        name, axis = e.data
        return entries(VECTOR_FUNCTIONS[name].define(e.args[0], axis), env, self)


class HighPrecision(Arithmetic):
    """mpmath numbers at the precision in force (``mp.workdps``)."""

    def number(self, value: Any) -> Any:
        if isinstance(value, Fraction):
            return _quotient(value.numerator, value.denominator, mp.prec)
        if isinstance(value, (int, mp.mpf)):
            return mp.mpf(value)
        return _constant(value, mp.prec)

    def add(self, terms: Sequence[Any]) -> Any:
        """A sum; what only rounding has left of an exact zero is zero (0.33*0.16 - 0.0528)."""
        total = super().add(terms)
        if total and mp.mag(total) < max(map(mp.mag, terms)) - _bits_left(mp.prec) and abs(total) < max(map(abs, terms)) * ten(12 - mp.dps):
            return mp.mpf(0)
        return total

    def dot(self, xs: Sequence[Any], ys: Sequence[Any]) -> Any:
        """A sum of products, with the same zero as `add`."""
        total = mp.fdot(xs, ys)
        if total and mp.mag(total) < max(map(mp.mag, xs)) + max(map(mp.mag, ys)) - _bits_left(mp.prec) \
                and abs(total) < max(map(abs, xs)) * max(map(abs, ys)) * ten(12 - mp.dps):
            return self.add([x * y for x, y in zip(xs, ys, strict=True)])
        return total

    def determinant(self, rows: Matrix) -> Any:
        """By elimination; what only rounding has left of a singular matrix is zero (Hadamard: |det| <= product of the lengths of the rows)."""
        found = mp.det(mp.matrix(rows))
        largest = mp.fprod(mp.norm(row) for row in rows)
        return found if abs(found) > largest * ten(12 - mp.dps) else mp.mpf(0)

    def inverse(self, rows: Matrix) -> Matrix:
        if self.determinant(rows) == 0:
            raise ArithmeticError("a matrix with the determinant 0 has no inverse")
        return list((mp.matrix(rows) ** -1).tolist())

    def primitive(self, name: str, x: Any) -> Any:
        return _real(getattr(mpmath, name)(x), lambda: f"{name}({mp.nstr(x, 6)})")

    def pow(self, x: Any, y: Any) -> Any:
        if x == 0 and y < 0:
            raise ArithmeticError(f"0**{mp.nstr(y, 6)} is a division by zero")
        return _real(x ** y, lambda: f"{mp.nstr(x, 6)}**{mp.nstr(y, 6)}")

    def div(self, x: Any, y: Any) -> Any:
        if y == 0:
            raise ArithmeticError("division by zero")
        return x / y


# The same few numbers are read again in every working.

@lru_cache(maxsize=4096)
def _quotient(numerator: int, denominator: int, prec: int) -> Any:
    return mp.mpf(numerator) / denominator


@lru_cache(maxsize=1024)
def _constant(value: Any, prec: int) -> Any:
    """A number of SymPy's, as ln(3)."""
    return mp.mpf(value.evalf(mp.dps + 5)._mpf_)


@lru_cache(maxsize=1024)
def _ten(power: int, prec: int) -> Any:
    return mp.mpf(10) ** power


def ten(power: int) -> Any:
    """A power of ten at the precision in force."""
    return _ten(power, mp.prec)


@lru_cache(maxsize=16)
def _bits_left(prec: int) -> int:
    """How many bits smaller such a rest is at least: powers of two are compared first, which costs nothing."""
    return int((mp.dps - 12) * 3.3219) - 3


def _real(value: Any, what: Callable[[], str]) -> Any:
    """The value itself; ArithmeticError where it is complex, infinite, or so large that it only costs time."""
    if not isinstance(value, mp.mpf) or not mp.isfinite(value):
        raise ArithmeticError(f"{what()} is not a finite real number")
    if value and mp.mag(value) > MOST_BITS:
        raise ArithmeticError(f"{what()} is too large")
    return value


class Trees(Arithmetic):
    """Our own scalar trees, as written: used to give every entry its own equation."""

    def number(self, value: Any) -> Any:
        return ex.num(value)

    def leaf(self, e: Expr) -> Any:
        return e  # with how it was written

    def add(self, terms: Sequence[Any]) -> Any:
        terms = [t for t in terms if t != ex.ZERO] or [ex.ZERO]
        flat = [s for t in terms for s in (t.args if t.op == "add" else (t,))]
        return flat[0] if len(flat) == 1 else ex.node("add", flat)

    def mul(self, factors: Sequence[Any]) -> Any:
        factors = [f for f in factors if f != ex.ONE] or [ex.ONE]
        if ex.ZERO in factors:
            return ex.ZERO
        return factors[0] if len(factors) == 1 else ex.node("mul", factors)

    def neg(self, x: Any) -> Any:
        return ex.node("neg", (x,))

    def div(self, x: Any, y: Any) -> Any:
        return ex.node("div", (x, y))

    def pow(self, x: Any, y: Any) -> Any:
        return ex.node("pow", (x, y))

    def call(self, name: str, args: Sequence[Any]) -> Any:
        return ex.node("call", args, name)

    def slope(self, e: Expr, xs: Sequence[Any], env: Env) -> Any:
        return Expr("slope", tuple(xs), e.data, (), e.role)

    def cases(self, e: Expr, env: Env) -> Any:
        return ex.node("cases", [self.scalar(x, env) for x in e.args], e.data)

    def unnamed(self, name: str, x: Any, env: Env, derivative: int) -> Any:
        return ex.node("apply", (x,), name)

    def pick(self, e: Expr, xs: Sequence[Any]) -> Any:
        return ex.node("pick", xs, e.data)

    def over(self, e: Expr, env: Env) -> Matrix:
        name, axis = e.data
        part = entries(e.args[0], env, self)
        lines = part if axis == 1 else [list(c) for c in zip(*part, strict=True)]
        out = [[ex.node("pick", line, (name, k)) for k in range(1 if name in ex.REDUCING else len(line))] for line in lines]
        return out if axis == 1 else [list(c) for c in zip(*out, strict=True)]

    def largest(self, xs: Sequence[Any], sign: int) -> Any:
        out = xs[0]
        for x in xs[1:]:
            out = ex.node("call", (out, x), "max" if sign > 0 else "min")
        return out

    def marks(self, xs: list[Any], sign: int) -> list[Any]:
        """By comparisons: beyond all that stand before it, and not beaten by those behind it."""
        before, behind = (">", ">=") if sign > 0 else ("<", "<=")
        return [self.mul([ex.node("cases", (x, y, ex.ONE, ex.ZERO), (before if j < k else behind,)) for j, y in enumerate(xs) if j != k])
                for k, x in enumerate(xs)]


class Tidy(Trees):
    """Our own scalar trees through the tidy constructors: what a rule produces."""

    def add(self, terms: Sequence[Any]) -> Any:
        return ex.add(*terms)

    def mul(self, factors: Sequence[Any]) -> Any:
        return ex.mul(*factors)

    def neg(self, x: Any) -> Any:
        return ex.neg(x)


MP, TREES, TIDY = HighPrecision(), Trees(), Tidy()


def spread_out(rows: Matrix, shape: ex.Shape) -> Matrix:
    """A matrix at its full shape: terms that cancel leave a bare 0 behind."""
    if not shape or len(rows) * len(rows[0]) > 1:
        return rows
    return [rows[0] * int(shape[1]) for _ in range(int(shape[0]))]


NAMED = frozenset(("sym", "grad", "partial"))


def entries(e: Expr, env: Env, arithmetic: Arithmetic) -> Matrix:
    """All entries of a tree as rows; env maps names (and grad/partial data) to rows of scalars."""
    op = e.op  # the commonest first: this is called for every node of every working
    if op in NAMED:
        return env[e.data]
    if op == "num":
        return [[arithmetic.leaf(e)]]
    if op in ("apply", "slope") and e in env:  # a given value, such as f'(1) = 2
        return env[e]
    if op in ex.ENTRYWISE:
        return _entrywise(e, [entries(x, env, arithmetic) for x in e.args], env, arithmetic)
    if op == "val":  # numbers as printed
        return e.data
    if op == "diff":  # a derivative still to be taken: the environment knows how
        return env[e]
    if op == "ones":
        one = arithmetic.number(Fraction(1))
        return [[one] * int(e.shape[1]) for _ in range(int(e.shape[0]))]
    if op == "eye":
        one, zero = arithmetic.number(Fraction(1)), arithmetic.number(Fraction(0))
        return [[one if i == j else zero for j in range(int(e.shape[1]))] for i in range(int(e.shape[0]))]
    if op == "over":
        return arithmetic.over(e, env)
    parts = [entries(x, env, arithmetic) for x in e.args]
    if op == "matmul":
        columns = list(zip(*parts[1], strict=True))
        return [[arithmetic.dot(row, column) for column in columns] for row in parts[0]]
    if op == "T":
        return [list(column) for column in zip(*parts[0], strict=True)]
    if op in MOVES:
        return moved(e, parts, arithmetic.number(Fraction(0)), arithmetic.add, arithmetic.dot)
    if op == "matrix":
        try:
            return MATRIX_FUNCTIONS[e.data].entries(parts[0], arithmetic)
        except ArithmeticError as error:
            raise ArithmeticError(f"{ex.text(e)}: {error}") from None
    if op == "diag":
        zero = arithmetic.number(Fraction(0))
        return [[row[0] if i == j else zero for j in range(len(parts[0]))] for i, row in enumerate(parts[0])]
    return _onehot(e, parts[0], arithmetic) if op == "onehot" else _reduce(e, parts[0], arithmetic)


def _entrywise(e: Expr, parts: list[Matrix], env: Env, arithmetic: Arithmetic) -> Matrix:
    combine, args = arithmetic.combine, e.args
    if e.op == "cases":
        e = ex.Expr("cases", tuple(ex.sym(f"_{k}") for k in range(len(parts))), e.data, e.shape)

        def combine(e: Expr, xs: Sequence[Any], env: Env) -> Any:
            return arithmetic.cases(e, {f"_{k}": x for k, x in enumerate(xs)})

    if not e.shape:
        return [[combine(e, [p[0][0] for p in parts], env)]]
    wide = [(p, bool(x.shape)) for x, p in zip(args, parts, strict=True)]
    return [[combine(e, [p[i][j] if w else p[0][0] for p, w in wide], env) for j in range(int(e.shape[1]))] for i in range(int(e.shape[0]))]


def _onehot(e: Expr, part: Matrix, arithmetic: Arithmetic) -> Matrix:
    """One at the first largest (or smallest) entry of each line, zero elsewhere."""
    sign, axis = (1 if e.data[0] == "most" else -1), e.data[1]

    def mark(line: Sequence[Any]) -> list[Any]:
        return arithmetic.marks(list(line), sign)

    if axis == 1:
        return [mark(row) for row in part]
    if axis == 0:
        return [list(row) for row in zip(*(mark(column) for column in zip(*part, strict=True)), strict=True)]
    flat, width = mark([x for row in part for x in row]), len(part[0])
    return [flat[i:i + width] for i in range(0, len(flat), width)]


def _reduce(e: Expr, part: Matrix, arithmetic: Arithmetic) -> Matrix:
    fold = arithmetic.add if e.op == "sum" else lambda xs: arithmetic.largest(xs, 1 if e.op == "most" else -1)
    if e.data is None:
        return [[fold([x for row in part for x in row])]]
    if e.data == 0:
        return [[fold(list(column)) for column in zip(*part, strict=True)]]
    return [[fold(row)] for row in part]
