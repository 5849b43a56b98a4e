"""Points at which a derivation is checked: random numbers, and smaller copies of large networks.

>>> from ..network import from_equations
>>> point = random_point(from_equations({"e": "log(a)*a"}, {}), 0)
>>> sorted(point)
['a', 'e']
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..derive import Step
from ..errors import SpecError
from ..expr import Expr
from ..functions import FUNCTIONS, definition
from ..language.arithmetic import MP, Env, HighPrecision, Matrix
from ..language.takes import MOVES
from ..network import Network, sums_of_one
from ..values import forward, shifted

LARGEST = 8  # sizes above this are checked on a smaller copy of the network
ROW_POINTS = ((-37, -7, -3, 3, 7, 37), (-38, -6, -2, 2, 6, 38))  # in eighths, for the slopes of the table; no two are equal
TRIES = 40   # attempts to find a point inside the domain


class Draw:
    """Random numbers that depend on a name alone, so that every run checks the same points."""

    def __init__(self, seed: str) -> None:
        self.generator = random.Random(f"chainrule/{seed}")

    def number(self, low: float = -1.5, high: float = 1.5) -> Any:
        return mp.mpf(self.generator.randint(int(low * 10**9), int(high * 10**9))) / 10**9

    def matrix(self, shape: ex.Shape, low: float = -1.5, high: float = 1.5) -> Matrix:
        rows, columns = (int(shape[0]), int(shape[1])) if shape else (1, 1)
        return [[self.number(low, high) for _ in range(columns)] for _ in range(rows)]

    def function(self) -> Callable[[Any, int], Any]:
        """A random cubic with its derivative, for a function without a formula."""
        c = [self.number() for _ in range(4)]
        return lambda x, derivative: (c[1] + 2 * c[2] * x + 3 * c[3] * x * x) if derivative else c[0] + x * (c[1] + x * (c[2] + x * c[3]))


def random_point(network: Network, k: int, near: Mapping[Any, Matrix] | None = None) -> dict[Any, Matrix]:
    """Random numbers for all leaves, and the forward pass there; inside every function's domain.

    near: the given numbers; close to them it looks when the usual ranges hold no such point.
    A point on a kink (a dead unit sends exact zeros on) is taken only when there is no other.
    Raises SpecError when no such point is found.
    """
    unnamed = sorted({e.data for eq in network.equations for e in ex.walk(eq.rhs) if e.op == "apply"})
    leaves = network.names("input", "target", "parameter", "constant")
    sums = sums_of_one(network)
    smooth, tied = not _has_pieces(network), None
    for attempt in range(TRIES):
        draw = Draw(f"point/{k}/{attempt}")
        low, high = ((-1.5, 1.5), (0.1, 0.9), (0.5, 2.5), (1.1, 4))[attempt % 4]
        env: dict[Any, Any] = {name: draw.matrix(network.symbols[name].shape, low, high) for name in leaves}
        if near and attempt >= TRIES // 2:
            env.update({name: shifted(near[name], env[name], mp.mpf(2) ** -attempt) for name in leaves if name in near})
        _make_one(env, sums, draw)
        env.update({name: draw.function() for name in unnamed})
        env.update({name: [[MP.number(v) for v in row] for row in rows] for name, rows in network.constants.items()})
        try:
            point = forward(network, env)
        except (ArithmeticError, ValueError):
            continue
        if smooth or not kinks(network, point):
            return point
        tied = tied or point
    if tied is not None:
        return tied
    raise SpecError(f"no point was found at which {network.output} is defined, so its derivation cannot be checked")


def row_points(name: str) -> list[dict[str, Matrix]]:
    """Inputs on every piece of a row of the table, by the names of its arguments; some may lie outside its domain."""
    names = list(FUNCTIONS[name].names)
    around = [mp.mpf(kink) + side for kink in FUNCTIONS[name].kinks for side in (-0.125, 0.125)]
    grids = ([mp.mpf(x) / 8 for x in ROW_POINTS[k % 2]] + around for k in range(len(names)))
    return [{n: [[v]] for n, v in zip(names, values, strict=True)} for values in itertools.product(*grids)]


def _make_one(env: dict[Any, Matrix], sums: list[list[tuple[str, int, int]]], draw: Draw) -> None:
    """Shares that sum to 1 wherever a theorem needs that."""
    for places in sums:
        shares = [draw.number(0.1, 0.9) for _ in places]
        for (name, i, j), share in zip(places, shares, strict=True):
            env[name][i][j] = share / mp.fsum(shares)


def _has_pieces(network: Network) -> bool:
    """Whether any function in it has a kink."""
    def pieces(e: Expr) -> bool:
        form = definition(e.data) if e.op == "call" else None
        return e.op in ("cases", "most", "least") or (form is not None and any(map(pieces, ex.walk(form))))

    return any(pieces(e) for eq in network.equations for e in ex.walk(eq.rhs))


def dimensions(network: Network, above: int) -> list[int]:
    """The sizes above a bound, in order; none where indices are fixed numbers."""
    if network.constants or any(e.op in MOVES for eq in network.equations for e in ex.walk(eq.rhs)):
        return []
    found = {int(d) for s in network.symbols.values() for d in s.shape if isinstance(d, int) and d > above}
    for eq in network.equations:
        found |= {int(d) for e in ex.walk(eq.rhs) for d in e.shape if isinstance(d, int) and d > above}
    return sorted(found)


def resizer(sizes: Mapping[int, int], letters: int = 3) -> Callable[[Expr], Expr]:
    """A function that replaces sizes in a tree (symbolic ones by a number)."""
    def size(d: ex.Dim) -> ex.Dim:
        return ex.Samples(letters) if isinstance(d, str) else type(d)(sizes.get(int(d), int(d)))

    def resize(e: Expr) -> Expr:
        data = e.data
        if e.op == "bigsum":
            data = tuple((letter, size(d)) for letter, d in e.data)
        elif e.op == "best":
            data = (e.data[0], tuple((letter, size(d)) for letter, d in e.data[1]))
        return Expr(e.op, tuple(resize(a) for a in e.args), data, tuple(size(d) for d in e.shape), e.role)

    return resize


def shrink(network: Network) -> tuple[Network, Callable[[Expr], Expr]]:
    """The network with large and symbolic sizes made small; distinct sizes stay distinct."""
    large = dimensions(network, LARGEST)
    if not large and not network.sizes:
        return network, lambda e: e
    resize = resizer({d: 3 + i for i, d in enumerate(large)})
    symbols = {n: replace(s, shape=resize(s.expr).shape) for n, s in network.symbols.items()}
    symbols = {n: replace(s, kind="input") if s.kind == "size" else s for n, s in symbols.items()}
    equations = tuple(replace(eq, rhs=resize(eq.rhs)) for eq in network.equations)
    shortcuts = tuple(replace(s, result=resize(s.result)) for s in network.shortcuts)
    return replace(network, equations=equations, symbols=symbols, shortcuts=shortcuts, ones=tuple(map(resize, network.ones))), resize


def resized(step: Step, resize: Callable[[Expr], Expr]) -> Step:
    """A step with its sizes changed."""
    terms = tuple(replace(t, upstream=resize(t.upstream), expr=resize(t.expr), final=resize(t.final)) for t in step.terms)
    shortcut = step.shortcut and replace(step.shortcut, result=resize(step.shortcut.result))
    return replace(step, terms=terms, shape=resize(ex.sym(step.wrt, step.shape)).shape, shortcut=shortcut)


class Ties(HighPrecision):
    """Counts comparisons that come out equal: there a function has a kink, and no derivative."""

    def __init__(self) -> None:
        self.count = 0

    def cases(self, e: Expr, env: Env) -> Any:
        self.count += any(self.scalar(e.args[3 * i], env) == self.scalar(e.args[3 * i + 1], env) for i in range(len(e.data)))
        return super().cases(e, env)

    def largest(self, xs: Any, sign: int) -> Any:
        best = super().largest(xs, sign)
        self.count += sum(x == best for x in xs) > 1
        return best


def kinks(network: Network, values: Mapping[Any, Matrix]) -> int:
    """How many comparisons of the forward pass are ties at the given numbers."""
    ties = Ties()
    forward(network, values, ties)
    return ties.count
