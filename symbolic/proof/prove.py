"""Proofs on explicit entries: SymPy's own ``diff`` of the written-out formula against a claim.

Nothing of our rules is used here. A difference is zero when it cancels as a rational function
once every exponential (and any other function value) is a symbol of its own.

>>> import sympy as sp
>>> x = sp.Symbol("x")
>>> s = 1/(1 + sp.exp(-x))
>>> is_zero(sp.diff(s, x) - s*(1 - s)), is_zero(sp.diff(s, x) - s*s)
(True, False)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sympy as sp

from .. import expr as ex
from ..expr import Expr
from ..functions import FUNCTIONS, expand_rows
from ..language.arithmetic import Arithmetic, Env, Matrix, entries, spread_out
from ..language.symbols import Symbols
from ..language.takes import MOVES

MOST_OPERATIONS = 600  # larger differences are left to the numeric check
MOST_CONDITIONS = 4
MOST_PRODUCTS = 6  # matrix products in one step
MOST_MOVED = 36     # entries of a slice or a convolution; beyond it a proof takes too long


class SymPy(Symbols, Arithmetic):
    """SymPy expressions of trees with matrices; every function of the table by its defining formula."""

    def slope(self, e: Expr, xs: Sequence[Any], env: Env) -> Any:
        name, k = e.data
        if name not in FUNCTIONS:
            return self.unnamed(name, xs[0], env, 1)
        row = FUNCTIONS[name]
        table = {**dict(zip(row.args, xs, strict=True)), sp.Symbol("a", real=True): self.call(name, xs)}
        return expand_rows(row.sympy_slopes[k]).subs(table, simultaneous=True)


SYMPY = SymPy(lambda name: FUNCTIONS[name].expand)


def is_zero(e: sp.Expr) -> bool:
    """Whether an expression is identically zero (False when that could not be shown)."""
    if e == 0:
        return True
    if sp.count_ops(e) > MOST_OPERATIONS:
        return False
    conditions = sorted({c.canonical for p in e.atoms(sp.Piecewise) for _, c in p.args if isinstance(c, sp.core.relational.Relational)},
                        key=sp.default_sort_key)
    if len(conditions) > MOST_CONDITIONS:
        return False
    return all(_cancels(_on_one_side(e, dict(zip(conditions, truth, strict=True))))
               for truth in itertools.product((True, False), repeat=len(conditions)))


def _on_one_side(e: sp.Expr, truth: dict[Any, bool]) -> sp.Expr:
    """The expression where every condition is decided."""
    def choose(p: sp.Piecewise) -> sp.Expr:
        for value, condition in p.args:
            if condition == sp.true or truth.get(getattr(condition, "canonical", None), False):
                return _on_one_side(value, truth)
        return sp.nan

    return e.replace(lambda x: isinstance(x, sp.Piecewise), choose) if truth else e


def _cancels(e: sp.Expr) -> bool:
    table: dict[sp.Expr, sp.Symbol] = {}

    def symbol(x: sp.Expr) -> sp.Symbol:
        return table.setdefault(x, sp.Symbol(f"t{len(table)}", positive=isinstance(x, sp.exp) or None, real=True))

    def exponential(x: sp.Expr) -> sp.Expr:
        out = sp.Integer(1)
        for term in sp.Add.make_args(sp.expand(x.args[0])):
            c, rest = term.as_coeff_Mul()
            whole = int(c) if c.is_Integer else 0
            out *= symbol(sp.exp(rest)) ** whole if whole else symbol(sp.exp(term))
        return out

    e = e.replace(lambda x: isinstance(x, sp.exp), exponential)
    e = e.replace(lambda x: isinstance(x, (sp.Function, sp.Derivative, sp.Subs)), symbol)
    roots: dict[sp.Expr, sp.Symbol] = {}

    def root(x: sp.Expr) -> sp.Expr:
        return roots.setdefault(x.base, sp.Symbol(f"r{len(roots)}", positive=True)) ** (2 * x.exp)

    e = e.replace(lambda x: x.is_Pow and x.exp.is_Rational and x.exp.q == 2 and bool(x.base.free_symbols), root)
    top = sp.expand(sp.fraction(sp.together(e))[0])
    for base, r in roots.items():  # the square of a root is what stands under it
        top = sp.rem(top, sp.expand(sp.fraction(sp.together(r**2 - base))[0]), r) if top != 0 else top
    return bool(sp.expand(top) == 0)


def proves(uses: Sequence[tuple[str, Expr]], output: str, direct: Collection[str], wrt: str, shape: ex.Shape, claim: Expr,
           shapes: dict[str, ex.Shape], ones: Sequence[Sequence[tuple[str, int, int]]] = ()) -> bool:
    """Prove a step: the derivative of sum G*r over the equations that use wrt equals the claim.

    uses: (name, right-hand side) of the equations; G: a symbol for every entry of dL/d(name),
    1 for the names in direct (the scalar output itself). ones: places of entries that sum to 1, the
    hypothesis of a theorem. Raises nothing; False when the proof was not found.
    """
    try:
        return _proves(uses, output, direct, wrt, shape, claim, shapes, ones)
    except (NotImplementedError, sp.PolynomialError, TypeError, ValueError, RecursionError):
        return False


def _proves(uses: Sequence[tuple[str, Expr]], output: str, direct: Collection[str], wrt: str, shape: ex.Shape, claim: Expr,
            shapes: dict[str, ex.Shape], ones: Sequence[Sequence[tuple[str, int, int]]]) -> bool:
    if sum(n.op == "matmul" for tree in (*(r for _, r in uses), claim) for n in ex.walk(tree)) > MOST_PRODUCTS:
        return False  # written out, such a product has more terms than anybody waits for
    trees = [*(r for _, r in uses), claim]
    if any(n.op in MOVES and math.prod(map(int, n.shape)) > MOST_MOVED for tree in trees for n in ex.walk(tree)):
        return False
    names = set().union(*(r.names for _, r in uses), claim.names, {wrt}, (n for n, _ in uses))
    env: dict[Any, Matrix] = {name: _symbols(name, shapes[name]) for name in sorted(names)}
    for *others, (last, i, j) in ones:
        env[last][i][j] = 1 - sp.Add(*(env[name][p][q] for name, p, q in others))
    total, meaning = sp.Integer(0), {}
    for name, rhs in uses:
        own = entries(rhs, env, SYMPY)
        # While differentiating, the equation's own name is held; afterwards it means its formula.
        meaning.update({s: r for ss, rs in zip(env[name], own, strict=True) for s, r in zip(ss, rs, strict=True)})
        if name in direct and not shapes[name]:
            total += own[0][0]
            continue
        env[output, name] = _symbols(f"G_{name}", shapes[name])
        total += sp.Add(*(g * r for gs, rs in zip(env[output, name], own, strict=True) for g, r in zip(gs, rs, strict=True)))
    claimed = spread_out(entries(claim, env, SYMPY), shape)
    return all(is_zero(_meant(_diff(total, v) - c, meaning))
               for vs, cs in zip(env[wrt], claimed, strict=True) for v, c in zip(vs, cs, strict=True))


def agree(claim: Expr, truth: Expr, values: Mapping[str, Expr], steps: Mapping[tuple[str, str], Expr],
          shapes: Mapping[str, ex.Shape], shape: ex.Shape, shares: Mapping[str, int]) -> bool:
    """Prove that two formulas of one shape are the same, entry by entry.

    values: what the names of computed values mean; steps: what the named gradients (of, wrt) mean; shapes: of all names;
    shares: names whose entries along an axis add up to one.
    False when no proof was found.
    """
    if sum(n.op == "matmul" for tree in (claim, truth) for n in ex.walk(tree)) > 2 * MOST_PRODUCTS:
        return False
    env: dict[Any, Matrix] = {name: _symbols(name, size) for name, size in shapes.items()}
    for name, axis in shares.items():
        lines = env[name] if axis == 1 else [list(c) for c in zip(*env[name], strict=True)]
        lines = [[*line[:-1], 1 - sp.Add(*line[:-1])] for line in lines]
        env[name] = lines if axis == 1 else [list(c) for c in zip(*lines, strict=True)]

    def fill(e: Expr) -> Matrix:
        for g in (n for n in ex.walk(e) if n.op == "grad" and n.data not in env):
            env[g.data] = spread_out(fill(steps[g.data]), g.shape)
        return entries(e, env, SYMPY)

    try:
        both = (spread_out(fill(e), shape) for e in (claim, truth))
        gaps = [a - b for xs, ys in zip(*both, strict=True) for a, b in zip(xs, ys, strict=True)]
        if all(map(is_zero, gaps)):
            return True
        meaning = {s: r for name, rhs in values.items() for ss, rs in zip(env[name], spread_out(entries(rhs, env, SYMPY), rhs.shape), strict=True)
                   for s, r in zip(ss, rs, strict=True)}
        return all(is_zero(_meant(gap, meaning)) for gap in gaps)
    except (NotImplementedError, sp.PolynomialError, TypeError, ValueError, KeyError, RecursionError):
        return False


def _meant(e: sp.Expr, meaning: dict[sp.Symbol, sp.Expr]) -> sp.Expr:
    while e.free_symbols & meaning.keys():
        e = e.xreplace(meaning)
    return e


def _diff(e: sp.Expr, v: sp.Symbol) -> sp.Expr:
    """SymPy's derivative, with f'(u) of an unnamed function written as a function of its own."""
    d = sp.diff(e, v)
    if not d.has(sp.Subs, sp.Derivative):
        return d
    d = d.replace(lambda x: isinstance(x, sp.Subs), lambda x: sp.Function(f"{x.args[0].args[0].func.__name__}_prime")(x.args[2][0]))
    return d.replace(lambda x: isinstance(x, sp.Derivative), lambda x: sp.Function(f"{x.args[0].func.__name__}_prime")(x.args[0].args[0]))


def _symbols(name: str, shape: ex.Shape) -> list[list[sp.Symbol]]:
    rows, columns = (int(shape[0]), int(shape[1])) if shape else (1, 1)
    return [[sp.Symbol(f"{name}_{i}_{j}", real=True) for j in range(columns)] for i in range(rows)]
