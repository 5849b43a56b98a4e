"""Second derivatives: the gradient is a list of equations in the same language, so it is differentiated again.

The gradients of a derivation are appended to the network as equations, their inner product with a vector v
becomes the new output, and the same walk backwards gives the Hessian times v. With unit vectors for v come the
columns of the Hessian. Everything is compared with second differences of the forward pass.

>>> from ..network import from_equations
>>> twice = differentiated_again(derive(from_equations({"f": "x**2*y"}, {})), ("x", "y"))
>>> for eq in twice.network.equations: print(eq)
f = x**2*y
x_bar = 2*y*x
y_bar = x**2
s = x_bar*v_x + y_bar*v_y
>>> [[int(v) for v in row] for row in twice.hessian({"x": [[MP.number(3)]], "y": [[MP.number(5)]]})]
[[10, 6], [6, 0]]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import sympy as sp
from mpmath import mp

from .. import expr as ex
from ..calculus import Pass, differentiate, tidied
from ..derive import Derivation, derive, substituted
from ..errors import CheckError
from ..expr import Expr
from ..language.arithmetic import MP, Arithmetic, Matrix, entries
from ..network import Equation, Network, Symbol
from ..proof.lookup import AGREE, Lookup, agreement
from ..proof.probe import Draw, random_point
from ..proof.prove import SYMPY, is_zero
from ..values import DIGITS, difference, forward, gradients

MOST_NODES = 40   # of a gradient that is written out in the leaves alone
MOST_NAMES = 3    # beyond this the entries of a Hessian are shown as numbers only
ZERO_SHARE = 25   # an eigenvalue smaller than 10**-25 of the largest one is 0


# ---------------------------------------------------------------- the network of the gradient

@dataclass(frozen=True)
class Twice:
    """A network with its gradient as equations and the inner product with v as its output.

    base: the network it came from; wrt: the names that vary; vectors: the names of the parts of v, by name.
    """

    base: Network
    network: Network
    wrt: tuple[str, ...]
    vectors: Mapping[str, str]

    @cached_property
    def derivation(self) -> Derivation:
        return derive(self.network, self.wrt)

    def places(self) -> list[tuple[str, int, int]]:
        """Every number that varies, as (name, row, column)."""
        shapes = {n: self.base.symbols[n].shape or (1, 1) for n in self.wrt}
        return [(n, i, j) for n in self.wrt for i in range(int(shapes[n][0])) for j in range(int(shapes[n][1]))]

    def parts(self, flat: Sequence[Any]) -> dict[str, Matrix]:
        """A list of numbers, one a place, as rows by name."""
        out = {n: [[mp.mpf(0)] * int((self.base.symbols[n].shape or (1, 1))[1]) for _ in range(int((self.base.symbols[n].shape or (1, 1))[0]))]
               for n in self.wrt}
        for (n, i, j), v in zip(self.places(), flat, strict=True):
            out[n][i][j] = v
        return out

    def flat(self, parts: Mapping[str, Matrix], zero: Any = mp.mpf(0)) -> list[Any]:
        return [parts[n][i][j] if n in parts else zero for n, i, j in self.places()]

    def gradient(self, leaves: Mapping[Any, Matrix]) -> list[Any]:
        """The gradient at the leaves, one number a place."""
        first = derive(self.base, self.wrt)
        found = gradients(first, forward(self.base, leaves))
        return self.flat({n: found[self.base.output, n] for n in self.wrt if (self.base.output, n) in found})

    def product(self, leaves: Mapping[Any, Matrix], v: Sequence[Any], arithmetic: Arithmetic = MP) -> list[Any]:
        """The Hessian times v at the leaves, in any arithmetic."""
        parts = self.parts(v)
        given = {**leaves, **{self.vectors[n]: m for n, m in parts.items() if n in self.vectors}}
        found = gradients(self.derivation, forward(self.network, given, arithmetic), None, arithmetic)
        return self.flat({n: found[self.network.output, n] for n in self.wrt if (self.network.output, n) in found}, arithmetic.number(0))

    def hessian(self, leaves: Mapping[Any, Matrix], arithmetic: Arithmetic = MP) -> Matrix:
        """All second derivatives at the leaves, one row a place."""
        count = len(self.places())
        units = [[arithmetic.number(int(i == k)) for i in range(count)] for k in range(count)]
        return [list(column) for column in zip(*(self.product(leaves, u, arithmetic) for u in units), strict=True)]


def differentiated_again(derivation: Derivation, wrt: tuple[str, ...]) -> Twice:
    """Append the gradient as equations x_bar = df/dx, and their inner product with v."""
    base = derivation.network
    symbols, equations, table = dict(base.symbols), list(base.equations), dict[Expr, Expr]()

    def free(name: str) -> str:
        while name in symbols:
            name += "_"
        return name

    for step in Derivation(base, derivation.steps, wrt).shown():
        if not step.terms:
            continue
        name = free(f"{step.wrt}_bar")
        rhs = _in_shape(substituted(step.result, table), step.shape)
        symbols[name] = Symbol(name, step.shape, "value", name)
        equations.append(Equation(name, rhs))
        table[ex.grad(step.of, step.wrt, step.shape)] = symbols[name].expr
    vectors, terms = {}, []
    for name in wrt:
        if name in derivation.steps:
            bar, v = table[ex.grad(base.output, name, base.symbols[name].shape)], free(f"v_{name}")
            symbols[v] = Symbol(v, bar.shape, "input", v)
            vectors[name] = v
            terms.append(ex.total(ex.node("mul", (bar, symbols[v].expr))))
    last = free("s")
    symbols[last] = Symbol(last, (), "value", last)
    equations.append(Equation(last, terms[0] if len(terms) == 1 else ex.node("add", terms) if terms else ex.ZERO))
    return Twice(base, replace(base, equations=tuple(equations), symbols=symbols, aliases={}, layers=()), wrt, vectors)


def _in_shape(e: Expr, shape: ex.Shape) -> Expr:
    """A gradient whose terms cancel to a bare number, spread over its full shape."""
    return e if e.shape == shape else ex.node("mul", (e, ex.ones(shape)))


# ---------------------------------------------------------------- checks

def second_difference(f: Callable[[Sequence[Any]], Any], at: Sequence[Any], u: Sequence[Any], w: Sequence[Any]) -> Any:
    """u' H w by second differences of f (h = 10**-22 of the largest number, in 90-digit arithmetic)."""
    h = mp.mpf(10) ** -(mp.dps // 4) * max(mp.mpf(1), *(abs(x) for x in at))

    def moved(a: int, b: int) -> Any:
        return f([x + h * (a * p + b * q) for x, p, q in zip(at, u, w, strict=True)])

    return (moved(1, 1) - moved(1, -1) - moved(-1, 1) + moved(-1, -1)) / (4 * h * h)


def output_at(twice: Twice, leaves: Mapping[Any, Matrix]) -> Callable[[Sequence[Any]], Any]:
    """The output of the network as a function of the numbers that vary."""
    return lambda flat: forward(twice.base, {**leaves, **twice.parts(flat)})[twice.base.output][0][0]


def leaves_of(network: Network, values: Mapping[Any, Matrix]) -> dict[Any, Matrix]:
    """The given values among all values: what no equation computes, and no gradient."""
    computed = {eq.name for eq in network.equations}
    return {n: v for n, v in values.items() if not isinstance(n, tuple) and n not in computed}


def close(got: Any, expected: Any, scale: Any, what: str) -> None:
    """Raises CheckError where a claimed number is not what differences of the forward pass give."""
    if not abs(got - expected) <= scale * mp.mpf(10) ** -AGREE:
        raise CheckError(f"{what} failed its check: it gives {mp.nstr(got, 8)} where second differences of the forward pass "
                         f"give {mp.nstr(expected, 8)}; nothing was written")


def size_of(values: Mapping[Any, Matrix], *more: Any) -> Any:
    """How large the numbers of a computation are, for what rounding may leave of a zero."""
    largest = max((abs(v) for k, rows in values.items() if not callable(rows) for row in rows for v in row), default=mp.mpf(1))
    return max(mp.mpf(10) ** -10, largest * mp.mpf(10) ** -10, *(abs(v) for v in more))


def checked_hessian(twice: Twice, leaves: Mapping[Any, Matrix]) -> Matrix:
    """The Hessian at the leaves: symmetric, and every entry as second differences give it.

    Raises CheckError.
    """
    found, f = twice.hessian(leaves), output_at(twice, leaves)
    at, values = twice.flat(leaves), forward(twice.base, leaves)
    count = len(at)
    units = [[mp.mpf(i == k) for i in range(count)] for k in range(count)]
    scale = size_of(values, *(v for row in found for v in row))
    for i in range(count):
        for j in range(i, count):
            what = f"the second derivative of {twice.base.output} by {twice.places()[i][0]} and {twice.places()[j][0]}"
            expected = second_difference(f, at, units[i], units[j])
            close(found[i][j], expected, scale, what)
            close(found[j][i], expected, scale, what)
    return found


def check_anywhere(twice: Twice) -> None:
    """The Hessian times a vector against second differences, at random points. Raises CheckError."""
    with mp.workdps(DIGITS):
        _check_products(twice)


def _check_products(twice: Twice) -> None:
    for k in range(2):
        point = random_point(twice.base, k)
        leaves = leaves_of(twice.base, point)
        draw = Draw(f"second/{k}")
        at, v, w = twice.flat(leaves), *([draw.number() for _ in twice.places()] for _ in range(2))
        got = mp.fdot(w, twice.product(leaves, v))
        expected = second_difference(output_at(twice, leaves), at, v, w)
        close(got, expected, size_of(point, got), f"the Hessian of {twice.base.output} times a vector")


# ---------------------------------------------------------------- entry by entry, in symbols

@dataclass(frozen=True)
class Entry:
    """A second derivative in symbols: with respect to first, then second; the lines that lead to it."""

    first: str
    second: str
    lines: tuple[Pass, ...]
    result: Expr


def gradient_in_leaves(derivation: Derivation, wrt: Sequence[str]) -> dict[str, Expr] | None:
    """The gradient of a scalar network with every intermediate value put in; None where that is too long to read."""
    network = derivation.network
    if not network.is_scalar or len(wrt) > MOST_NAMES:
        return None
    table: dict[Expr, Expr] = {}
    for eq in network.equations:
        table[ex.sym(eq.name)] = substituted(eq.rhs, table)
    for step in derivation.steps.values():
        table[ex.grad(step.of, step.wrt)] = substituted(step.result, table)
        if sum(1 for _ in ex.walk(table[ex.grad(step.of, step.wrt)])) > 4 * MOST_NODES:
            return None
    found = {x: ex.ordered(tidied(table.get(ex.grad(network.output, x), ex.ZERO))) for x in wrt}
    return found if all(sum(1 for _ in ex.walk(e)) <= MOST_NODES for e in found.values()) else None


def second_entries(gradient: Mapping[str, Expr]) -> list[Entry]:
    """Every second derivative, by the rules for plain functions, line by line."""
    out = []
    for x, slope in gradient.items():
        for y in gradient:
            passes = tuple(differentiate(slope, y)) if y in slope.names else ()
            plain = ex.ONE if slope == ex.sym(y) else ex.ZERO  # what needs no rule
            out.append(Entry(x, y, passes, passes[-1].rhs if passes else plain))
    return out


def check_entries(network: Network, gradient: Mapping[str, Expr], found: Sequence[Entry]) -> str:
    """The gradient and every line of every entry against differences at random points, and the results against SymPy's own second derivative.

    Returns how it was checked: 'proved' where SymPy shows that every difference is zero, else '30 digits'.
    Raises CheckError.
    """
    with mp.workdps(DIGITS):
        for x, slope in gradient.items():
            point = random_point(network, 0)

            def f(m: Matrix, x: str = x, point: Mapping[Any, Matrix] = point) -> Matrix:
                return forward(network, {**point, x: m})[network.output]

            expected = difference(f, point[x], [[mp.mpf(1)]])[0][0]
            agreement(entries(slope, point, MP)[0][0], expected, network.output, x, slope)
        for e in found:
            _check_entry(network, e)
    return "proved" if _proved(network, found) else f"{AGREE} digits"


def _check_entry(network: Network, e: Entry) -> None:
    lines = [*(p.rhs for p in e.lines), e.result]
    twice = Twice(network, network, tuple(dict.fromkeys((e.first, e.second))), {})
    units = [[mp.mpf(n == x) for n, _, _ in twice.places()] for x in (e.first, e.second)]
    for k in range(2):
        point = random_point(network, k)
        leaves = leaves_of(network, point)
        expected = second_difference(output_at(twice, leaves), twice.flat(leaves), *units)
        for line in lines:
            got = entries(line, Lookup(network, point), MP)[0][0]
            close(got, expected, size_of(point, got), f"the second derivative {ex.text(line)}")


def _proved(network: Network, found: Sequence[Entry]) -> bool:
    env: dict[Any, Any] = {n: [[sp.Symbol(n, real=True)]] for n in network.names("input")}
    try:
        for eq in network.equations:
            env[eq.name] = entries(eq.rhs, env, SYMPY)
        whole = env[network.output][0][0]
        return all(is_zero(sp.diff(whole, env[e.first][0][0], env[e.second][0][0]) - entries(e.result, env, SYMPY)[0][0]) for e in found)
    except (NotImplementedError, TypeError, ValueError, RecursionError, sp.PolynomialError):
        return False


# ---------------------------------------------------------------- what the numbers say

@dataclass(frozen=True)
class Curvature:
    """Eigenvalues in rising order with unit eigenvectors, and whether the gradient is 0 here."""

    values: tuple[Any, ...]
    vectors: tuple[tuple[Any, ...], ...]
    stationary: bool

    def signs(self) -> tuple[bool, bool, bool]:
        """Whether there are negative, zero and positive eigenvalues."""
        least = max(map(abs, self.values)) * mp.mpf(10) ** -ZERO_SHARE
        return any(v < -least for v in self.values), any(abs(v) <= least for v in self.values), any(v > least for v in self.values)

    def kind(self) -> str:
        """minimum, maximum, saddle or degenerate, for a point at which the gradient is 0."""
        negative, zero, positive = self.signs()
        if negative and positive:
            return "saddle"
        return "degenerate" if zero else "minimum" if positive else "maximum"


def curvature(hessian: Matrix, gradient: Sequence[Any], size: Any) -> Curvature:
    """Eigenvalues and eigenvectors of a Hessian, checked: H e = lambda e, with unit vectors.

    size: how large the numbers of the computation are. Raises CheckError.
    """
    count = len(hessian)
    values, columns = mp.eigsy(mp.matrix(hessian)) if count > 1 else ([hessian[0][0]], mp.matrix([[1]]))
    vectors = [[columns[i, k] for i in range(count)] for k in range(count)]
    vectors = [[-x for x in v] if next((x for x in v if abs(x) > mp.mpf(10) ** -AGREE), 1) < 0 else v for v in vectors]
    scale = max(size, *(abs(v) for row in hessian for v in row))
    for value, vector in zip(values, vectors, strict=True):
        for row, x in zip(hessian, vector, strict=True):
            close(mp.fdot(row, vector), value * x, scale, "an eigenvalue of the Hessian")
        close(mp.norm(vector), mp.mpf(1), mp.mpf(1), "the length of an eigenvector")
    least = scale * mp.mpf(10) ** -ZERO_SHARE
    snapped = [[mp.mpf(0) if abs(x) < mp.mpf(10) ** -AGREE else x for x in v] for v in vectors]
    return Curvature(tuple(mp.mpf(0) if abs(v) <= least else v for v in values), tuple(map(tuple, snapped)), all(abs(g) <= least for g in gradient))
