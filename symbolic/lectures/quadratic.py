"""Whether a loss is a quadratic in what is learned; if it is, its curvature, its lowest point, and the fate of each learning rate.

For a quadratic with the curvature lam along a direction, a step of gradient descent multiplies the distance from the
lowest point in that direction by 1 - eta*lam; so curvature alone says whether a rate crawls, oscillates or diverges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy as sp
from mpmath import mp

from ..language.arithmetic import MP, Matrix, entries, spread_out
from ..problem import Problem
from ..proof.prove import SYMPY

MOST = 12  # numbers that are learned; beyond this no polynomial is written out
MOST_CELLS = 200


@dataclass(frozen=True)
class Quadratic:
    """Curvatures from the smallest up, a unit direction for each, and the lowest point (None unless all are positive)."""

    curvatures: tuple[Any, ...]
    directions: tuple[tuple[Any, ...], ...]
    hessian: Matrix
    lowest: tuple[Any, ...] | None


def flat(values: Sequence[Matrix]) -> list[Any]:
    """All numbers of several values, one after the other."""
    return [v for rows in values for row in rows for v in row]


def quadratic(problem: Problem) -> Quadratic | None:
    """The loss as a quadratic in the moved names, None where it is none; read off the exact polynomial."""
    names = problem.moved
    if sum(len(flat([problem.leaves[n]])) for n in names) > MOST or sum(len(flat([c])) for c in problem.leaves.values()) > MOST_CELLS:
        return None
    poly = _polynomial(problem, names)
    if poly is None or poly.total_degree() > 2:
        return None
    gens = poly.gens
    exact = sp.Matrix(len(gens), len(gens), lambda i, j: sp.diff(poly.as_expr(), gens[i], gens[j]))
    down = sp.Matrix([-sp.diff(poly.as_expr(), x) for x in gens]).subs(dict.fromkeys(gens, 0))
    size = range(len(gens))
    hessian = [[plain_number(exact[i, j]) for j in size] for i in size]
    values, vectors = mp.eigsy(mp.matrix(hessian))
    positive = all(v > mp.mpf(10) ** -40 for v in values)
    lowest = tuple(plain_number(v) for v in exact.LUsolve(down)) if positive else None
    return Quadratic(tuple(values), tuple(tuple(vectors[i, k] for i in size) for k in size), hessian, lowest)


def plain_number(value: sp.Expr) -> Any:
    """An exact number of SymPy at working precision."""
    return MP.number(Fraction(int(value.p), int(value.q)) if value.is_Rational else value)


def _polynomial(problem: Problem, names: Sequence[str]) -> sp.Poly | None:
    env: dict[Any, Any] = {}
    for name, cells in problem.leaves.items():
        if name in names:
            env[name] = [[sp.Symbol(f"{name}_{i}_{j}", real=True) for j in range(len(row))] for i, row in enumerate(cells)]
        else:
            env[name] = [[SYMPY.number(v) for v in row] for row in cells]
    try:
        for eq in problem.network.equations:
            env[eq.name] = spread_out([[sp.expand(v) for v in row] for row in entries(eq.rhs, env, SYMPY)], eq.rhs.shape)
        return sp.Poly(env[problem.network.output][0][0], *[g for n in names for row in env[n] for g in row])
    except (sp.PolynomialError, ValueError, TypeError, KeyError):
        return None


def factors(found: Quadratic, rate: Any, start: Sequence[Any]) -> list[Any]:
    """1 - eta*lam for every direction along which the start has to move; start: the gradient there."""
    used = [lam for lam, d in zip(found.curvatures, found.directions, strict=True) if abs(mp.fdot(d, start)) > mp.mpf(10) ** -40]
    return [1 - rate * lam for lam in used]


def fate(found: Quadratic, rate: Any, start: Sequence[Any], steps: int) -> str:
    """What a learning rate does on a quadratic: one word of the table of verdicts."""
    inside = factors(found, rate, start)
    if not inside:
        return "rests"
    edge = max(map(abs, inside))
    tiny = mp.mpf(10) ** -40
    if edge > 1 + tiny:
        return "diverges"
    if edge > 1 - tiny:
        return "never settles"
    if min(inside) < -tiny:
        return "oscillates"
    return "crawls" if edge**steps > mp.mpf(1) / 2 else "converges"
