"""One Lagrange multiplier: the equations grad f = lambda grad g and g = 0, their exact solutions, and what each of them is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import sympy as sp
from mpmath import mp

from .. import expr as ex
from ..derive import derive
from ..expr import Expr
from ..language.arithmetic import MP, Matrix, entries
from ..latex import Printer
from ..lectures.quadratic import plain_number
from ..lectures.second import MOST_NAMES, check_entries, checked_hessian, close, curvature, differentiated_again, gradient_in_leaves, size_of
from ..network import Equation, Network, Symbol
from ..proof.prove import SYMPY
from ..values import DIGITS, forward
from ..verify import AGREE
from .sheet import Section, Sheet, TexLine

MOST_DEGREE = 16       # the product of the degrees of the equations that SymPy is asked to solve: so many solutions there can be
MOST_OPERATIONS = 10   # of an exact solution that is printed; longer ones are printed as decimals
MULTIPLIERS = ("lam", "mu", "nu", "kappa")


@dataclass(frozen=True)
class Multiplier:
    """The problem in the leaves alone: gradients of f and g by name, the name of the multiplier, fixed numbers.

    network: the equations of f, then F = f - lambda g.
    """

    network: Network
    f: str
    sides: tuple[Expr, Expr]
    names: tuple[str, ...]
    of_f: Mapping[str, Expr]
    of_g: Mapping[str, Expr]
    multiplier: str
    fixed: Mapping[str, Any]

    @property
    def constraint(self) -> Expr:
        """What must be 0."""
        return self.sides[0] - self.sides[1]

    @property
    def unknowns(self) -> tuple[str, ...]:
        return (*self.names, self.multiplier)


@dataclass(frozen=True)
class Solution:
    """Exact values of the unknowns (SymPy), the value of f there, and what it is along the constraint."""

    exact: Mapping[str, Any]
    values: Mapping[str, Any]
    f: Any
    kind: str


def lagrange(sheet: Sheet) -> list[Section]:
    """The sections that ``lagrange: {constraint: ...}`` asks for; none without it."""
    sides = sheet.problem.wanted.constraint
    if sides is None:
        return []
    with mp.workdps(DIGITS):
        made = sheet.problem.once("lagrange", lambda: _stated(sheet, sides))
        return _sections(sheet, made, sheet.problem.once("lagrange solved", lambda: _solved(made)))


def _stated(sheet: Sheet, sides: tuple[Expr, Expr]) -> Multiplier:
    """The problem, with both gradients checked against differences.

    Raises SpecError where nothing varies or the gradient is too long, CheckError for a wrong gradient.
    """
    network, given, constraint = sheet.network, sheet.problem.leaves, sides[0] - sides[1]
    names = tuple(n for n in network.names("input") if n not in given)
    if not names:
        raise sheet.problem.refused("lagrange", "every name has a number, so nothing can vary", "leave the names that vary out of 'at'")
    name = next(n for n in MULTIPLIERS if n not in network.symbols)
    bound = Network((Equation("g", constraint),), {**{n: network.symbols[n] for n in network.names("input")}, "g": Symbol("g")})
    of_f, of_g = gradient_in_leaves(sheet.lesson.derivation, names), gradient_in_leaves(derive(bound), names)
    if of_f is None or of_g is None:
        raise sheet.problem.refused("lagrange", f"the gradients are too long to be written out, or more than {MOST_NAMES} names vary",
                                    "give some of the names numbers under 'at'")
    check_entries(network, of_f, [])
    check_entries(bound, of_g, [])
    whole = ex.sym(network.output) - ex.sym(name) * constraint
    last = "F" if "F" not in network.symbols else "F_"
    symbols = {**network.symbols, name: Symbol(name, (), "input", name), last: Symbol(last)}
    joined = replace(network, equations=(*network.equations, Equation(last, whole)), symbols=symbols)
    return Multiplier(joined, network.output, sides, names, of_f, of_g, name, {n: rows[0][0] for n, rows in given.items()})


# ---------------------------------------------------------------- solving

def _solved(problem: Multiplier) -> list[Solution] | str:
    """Every real solution, verified and classified; or the sentence that says why there are no exact ones."""
    unknowns = {n: sp.Symbol(n, real=True) for n in problem.unknowns}
    env: dict[Any, Any] = {n: [[s]] for n, s in unknowns.items()}
    env.update({n: [[SYMPY.number(v)]] for n, v in problem.fixed.items()})
    wanted = [entries(tree, env, SYMPY)[0][0] for tree in _conditions(problem)]
    tops = [sp.numer(sp.together(e)) for e in wanted]
    if not all(t.is_polynomial(*unknowns.values()) for t in tops):
        return "No exact solution is given: the equations are not polynomials."
    if prod(max(1, sp.Poly(t, *unknowns.values()).total_degree()) for t in tops) > MOST_DEGREE:
        return "No exact solution is given: the degrees of these polynomials are too high."
    try:
        found = sp.solve(tops, list(unknowns.values()), dict=True)
    except NotImplementedError:
        return "No exact solution is given: SymPy finds none."
    out = []
    for solution in found:
        exact = {n: solution.get(s, s) for n, s in unknowns.items()}
        if any(v.free_symbols for v in exact.values()):
            return "A whole curve of points solves them, so no single one is given."
        if all(sp.N(v).is_real for v in exact.values()) and all(_finite(e.subs(dict(zip(unknowns.values(), exact.values(), strict=True)))) for e in wanted):
            out.append(_verified(problem, exact, {n: plain_number(v) for n, v in exact.items()}))
    return sorted(out, key=lambda s: [s.values[n] for n in problem.names]) or "They have no real solution."


def _finite(e: Any) -> bool:
    """Whether a solution of the numerators is one of the equations themselves, not a zero of a denominator."""
    return bool(e.is_finite is not False and e is not sp.nan)


def _conditions(problem: Multiplier) -> list[Expr]:
    """What must be 0: df/dx - lambda dg/dx for every name, and g."""
    lam = ex.sym(problem.multiplier)
    return [*(problem.of_f[x] - lam * problem.of_g[x] for x in problem.names), problem.constraint]


def _verified(problem: Multiplier, exact: Mapping[str, Any], values: Mapping[str, Any]) -> Solution:
    """A solution put into our own equations, and classified. Raises CheckError."""
    leaves: dict[Any, Matrix] = {n: [[v]] for n, v in values.items()} | {n: [[MP.number(v)]] for n, v in problem.fixed.items()}
    point = forward(problem.network, leaves)
    for condition in _conditions(problem):
        got = entries(condition, leaves, MP)[0][0]
        close(got, mp.mpf(0), size_of(point, *values.values(), 1), f"the solution put into {ex.text(condition)} = 0")
    return Solution(exact, values, point[problem.f][0][0], _kind(problem, leaves, point))


def _kind(problem: Multiplier, leaves: Mapping[Any, Matrix], point: Mapping[Any, Matrix]) -> str:
    """What f is along the constraint: the eigenvalues of the Hessian of F on the directions in which g does not change."""
    normal = [entries(problem.of_g[x], leaves, MP)[0][0] for x in problem.names]
    if all(v == 0 for v in normal):
        return "undecided"
    if len(normal) == 1:
        return "the only point"
    twice = differentiated_again(derive(problem.network), problem.names)
    hessian = mp.matrix(checked_hessian(twice, leaves))
    q, _ = mp.qr(mp.matrix([[v] for v in normal]))
    along = mp.matrix([[q[i, j] for j in range(1, len(normal))] for i in range(len(normal))])
    for column in range(along.cols):
        close(mp.fdot(normal, [along[i, column] for i in range(along.rows)]), mp.mpf(0), size_of(point, 1, *normal), "a direction along the constraint")
    inside = (along.T * hessian * along).tolist()
    found = curvature([[v for v in row] for row in inside], [mp.mpf(0)], size_of(point)).kind()
    return "undecided" if found == "degenerate" else found


# ---------------------------------------------------------------- the page

def _sections(sheet: Sheet, problem: Multiplier, solutions: Sequence[Solution] | str) -> list[Section]:
    p = Printer(problem.network, colour=False)
    lam = ex.sym(problem.multiplier)
    f, (left, right) = p.name(problem.f), problem.sides
    lines = [TexLine(p(problem.of_f[x]), p(lam * problem.of_g[x])) for x in problem.names] + [TexLine(p(left), p(right))]
    said = (f"Where {problem.f} is largest or smallest under the constraint, its gradient is a multiple of the constraint's gradient: one equation for every name, "
            "and the constraint itself. ")
    blanks = tuple((p.name(n), ()) for n in problem.unknowns) if not isinstance(solutions, str) else ()
    stated = Section("A Lagrange multiplier", said + (solutions if isinstance(solutions, str) else ""), tuple(lines), checked=f"{AGREE} digits", blanks=blanks)
    if isinstance(solutions, str):
        return [stated]
    numbers = sheet.numbers(p)
    heads = (*(f"${p.name(n)}$" for n in problem.unknowns), f"${f}$", "along the constraint")
    cells = tuple((*(f"${_printed(s.exact[n]) or numbers.cell(s.values[n])}$" for n in problem.unknowns), f"${numbers.cell(s.f)}$", s.kind) for s in solutions)
    data = [{**{n: float(s.values[n]) for n in problem.unknowns}, problem.f: float(s.f), "kind": s.kind} for s in solutions]
    return [stated, Section("The solutions", "Every solution was put back into the equations. " + _comparison(solutions), heads=heads, cells=cells,
                            checked=f"{AGREE} digits", data=data)]


def _comparison(solutions: Sequence[Solution]) -> str:
    """What the last columns say when there are several solutions."""
    said = "The last column is what the second derivatives along the constraint say."
    return said if len({mp.nstr(s.f, 20) for s in solutions}) < 2 else f"{said} The values before it tell the largest and the smallest of these."


def _printed(value: Any) -> str:
    """An exact form that fits the row of a table, '' for one that is printed as a decimal."""
    if sp.count_ops(value) > MOST_OPERATIONS or value.has(sp.I):
        return ""
    return str(sp.latex(value, fold_short_frac=True, fold_frac_powers=True)).replace("- ", "-", 1)
