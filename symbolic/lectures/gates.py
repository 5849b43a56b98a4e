"""Truth tables and the perceptron: weights for a table that one unit can compute, a proof for one that it cannot.

A perceptron says 1 where z = w.x + b > 0, else 0. Turned to one side, every row of the table is a demand
s (w.x + b) > 0 with s = 1 for a target 1 and s = -1 for a target 0. By Gordan's theorem (1873) either some
weights meet all demands, or nonnegative multipliers, not all zero, add them up to 0 > 0; never both.

>>> separator((0, 0, 0, 1))
Unit(weights=(2, 2), bias=-3)
>>> separator((0, 1, 1, 0)) is None, certificate((0, 1, 1, 0))
(True, (1, 1, 1, 1))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import combinations, product
from math import gcd, lcm

from ..errors import CheckError

Table = tuple[int, ...]  # the outputs for 00, 01, 10, 11, ...: the inputs count in binary
SIZES = (4, 8)  # two or three inputs
LARGEST_WEIGHT = 4  # every separable table of three inputs needs at most this, with |z| >= 1 on every row
KNOWN = {(0, 0, 0, 1): "AND", (0, 1, 1, 1): "OR", (1, 1, 1, 0): "NAND", (1, 0, 0, 0): "NOR", (0, 1, 1, 0): "XOR", (1, 0, 0, 1): "XNOR",
         (0, 0, 1, 0): "x1 and not x2", (0, 1, 0, 0): "x2 and not x1", (0, 0, 0, 0): "always 0", (1, 1, 1, 1): "always 1",
         (0, 0, 0, 0, 0, 0, 0, 1): "AND", (0, 1, 1, 1, 1, 1, 1, 1): "OR", (0, 1, 1, 0, 1, 0, 0, 1): "parity",
         (0, 0, 0, 1, 0, 1, 1, 1): "majority"}  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """A perceptron: weights and bias."""

    weights: tuple[int, ...]
    bias: int

    def z(self, row: Sequence[int]) -> int:
        """w.x + b."""
        return sum(w * x for w, x in zip(self.weights, row, strict=True)) + self.bias


def inputs(table: Table) -> list[tuple[int, ...]]:
    """The rows of inputs of a table, counting in binary.

    >>> inputs((0, 1, 1, 0))
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    return list(product((0, 1), repeat=len(table).bit_length() - 1))


def demands(table: Table) -> list[tuple[int, ...]]:
    """Every row as the coefficients of (w_1, ..., w_n, b) in what must be positive."""
    return [tuple((1 if y else -1) * v for v in (*x, 1)) for x, y in zip(inputs(table), table, strict=True)]


def margin(table: Table, unit: Unit) -> int:
    """How far the worst row is on the right side of 0: positive where every row comes out right."""
    return min(unit.z(x) if y else -unit.z(x) for x, y in zip(inputs(table), table, strict=True))


@cache
def separator(table: Table) -> Unit | None:
    """The smallest whole weights with |z| >= 1 and the right sign on every row; None where there are none.

    Raises CheckError if what was found does not hold.
    """
    for w, sums in _weighted(len(inputs(table)[0])):
        ones, zeros = [s for s, y in zip(sums, table, strict=True) if y], [s for s, y in zip(sums, table, strict=True) if not y]
        low = 1 - min(ones) if ones else -1 - max(zeros)
        high = -1 - max(zeros) if zeros else low
        if low <= high:
            found = Unit(w, min(range(low, high + 1), key=abs))
            if margin(table, found) < 1:
                raise CheckError(f"the weights {found.weights} with bias {found.bias} do not compute {table}; nothing was written")
            return found
    return None


@cache
def _weighted(count: int) -> list[tuple[tuple[int, ...], list[int]]]:
    """Whole weights, smallest first, each with its weighted sum on every row of inputs."""
    span = range(-LARGEST_WEIGHT, LARGEST_WEIGHT + 1)
    ordered = sorted(product(span, repeat=count), key=lambda w: (sum(map(abs, w)), max(map(abs, w)), tuple(-x for x in w)))
    return [(w, [sum(a * b for a, b in zip(w, x, strict=True)) for x in product((0, 1), repeat=count)]) for w in ordered]


@cache
def certificate(table: Table) -> tuple[int, ...] | None:
    """Multipliers of the demands, one a row, that add up to 0 > 0; None where there are none.

    The fewest rows are used: sets of rows are tried from small to large, each solved exactly.
    Raises CheckError if what was found does not add up.
    """
    rows = demands(table)
    for count in range(2, len(rows[0]) + 2):  # by Caratheodory no more are needed
        for chosen in combinations(range(len(rows)), count):
            factors = _positive_relation([rows[k] for k in chosen])
            if factors is not None:
                found = tuple(factors[chosen.index(k)] if k in chosen else 0 for k in range(len(rows)))
                if not contradicts(table, found):
                    raise CheckError(f"the multipliers {found} do not refute {table}; nothing was written")
                return found
    return None


def contradicts(table: Table, multipliers: Sequence[int | Fraction]) -> bool:
    """Whether the multipliers prove that no perceptron computes the table.

    They are nonnegative, and the demands times them add up to 0 w + 0 b > 0. With the step at 0 giving 0 a demand
    of a 0-row is only >= 0, so a 1-row must take part; with it giving 1, a 0-row must.
    """
    rows = demands(table)
    if len(multipliers) != len(rows) or any(m < 0 for m in multipliers):
        return False
    used = {y for m, y in zip(multipliers, table, strict=True) if m}
    return used == {0, 1} and all(sum(m * r[k] for m, r in zip(multipliers, rows, strict=True)) == 0 for k in range(len(rows[0])))


def _positive_relation(rows: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    """Positive whole factors of the rows with sum zero, where the rows have just one relation; else None."""
    reduced = [[Fraction(r[k]) for r in rows] for k in range(len(rows[0]))]  # one equation a coefficient
    pivots: list[int] = []
    for j in range(len(rows)):  # Gauss and Jordan
        done = len(pivots)
        k = next((k for k in range(done, len(reduced)) if reduced[k][j]), None)
        if k is None:
            continue
        reduced[done], reduced[k] = reduced[k], reduced[done]
        reduced[done] = [v / reduced[done][j] for v in reduced[done]]
        reduced = [r if i == done or not r[j] else [v - r[j] * p for v, p in zip(r, reduced[done], strict=True)] for i, r in enumerate(reduced)]
        pivots.append(j)
    free = [j for j in range(len(rows)) if j not in pivots]
    if len(free) != 1:
        return None
    relation = [Fraction(1)] * len(rows)
    for row, j in zip(reduced, pivots, strict=False):
        relation[j] = -row[free[0]]
    if any(v <= 0 for v in relation):
        return None
    scale = lcm(*(v.denominator for v in relation))
    whole = [int(v * scale) for v in relation]
    return tuple(v // gcd(*whole) for v in whole)
