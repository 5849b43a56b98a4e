"""Plain functions, differentiated line by line with the same table of rules.

A ``diff`` node is a derivative still to be taken. One pass applies one rule to every one of
them; a pass is a line on the board. What the reader already knows is applied without a line.

>>> from .expr import sym, text
>>> from .language.parse import parse
>>> e = parse("sin(x**2)", {"x": sym("x")})
>>> for line in differentiate(e, "x"): print(text(line.rhs), "|", ", ".join(r for r, _ in line.used))
cos(x**2)*d/dx[x**2] | local-slope
cos(x**2)*2*x | power
2*x*cos(x**2) | rewrite
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from . import expr as ex
from .errors import ChainruleError, nearest
from .expr import Expr
from .functions import FUNCTIONS
from .rules import RULES, Rule, local_slope, pull

MOST_LINES = 12
ASSUMABLE = ("constant", "sum", "constant-multiple", "product", "quotient", "power", "exp", "log", "chain", "local-slope", "rewrite")


@dataclass(frozen=True)
class Pass:
    """One line: the expression after it, and the rules (id, reason) that were applied."""

    rhs: Expr
    used: tuple[tuple[str, str], ...]


def check_assumed(names: Collection[str]) -> frozenset[str]:
    """The rule ids a reader already knows; 'constant' covers constant multiples too.

    Raises ChainruleError for an unknown id.
    """
    for name in names:
        if name not in ASSUMABLE:
            raise ChainruleError(f"--assume {name}: no such rule", hint=nearest(name, ASSUMABLE))
    return frozenset(names) | (frozenset({"constant-multiple"}) if "constant" in names else frozenset())


def differentiate(e: Expr, x: str, assume: Collection[str] = (), rules: Mapping[str, Rule] = RULES) -> list[Pass]:
    """The lines that lead from d/dx[e] to the derivative of a scalar expression.

    assume: ids of rules that are applied without a line of their own.
    """
    known = frozenset(assume)
    lines: list[Pass] = []
    now = _diff(e, x)
    for _ in range(MOST_LINES):
        used: list[tuple[str, str]] = []
        after = _one_pass(now, x, known, rules, used)
        told = tuple(dict.fromkeys(u for u in used if u[0] not in known))
        if after == now:
            break
        now = after
        if told or not _open(now):
            if not told and lines:
                lines[-1] = Pass(now, lines[-1].used)
            else:
                lines.append(Pass(now, told or tuple(dict.fromkeys(used))[:1]))
    tidy = ex.ordered(tidied(now))
    if tidy != now:
        if "rewrite" in known and lines:
            lines[-1] = Pass(tidy, lines[-1].used)
        else:
            lines.append(Pass(tidy, (("rewrite", "Collect the numbers and write the result in order."),)))
    return lines


def _diff(e: Expr, x: str) -> Expr:
    if e.op == "sym":
        return ex.ONE if e.data == x else ex.ZERO
    return Expr("diff", (e,), x) if x in e.names else ex.ZERO


def _open(e: Expr) -> bool:
    return any(n.op == "diff" for n in ex.walk(e))


def _one_pass(e: Expr, x: str, known: frozenset[str], rules: Mapping[str, Rule], used: list[tuple[str, str]]) -> Expr:
    """Apply one rule to every derivative still to be taken."""
    if e.op == "diff":
        return _apply(e.args[0], x, known, rules, used)
    if not e.args:
        return e
    args = tuple(_one_pass(a, x, known, rules, used) for a in e.args)
    if all(a is b for a, b in zip(args, e.args, strict=True)):
        return e
    if e.op == "mul":
        return _times(args)
    return ex.add(*args) if e.op == "add" else ex.neg(args[0]) if e.op == "neg" else Expr(e.op, args, e.data, e.shape, e.role)


def _times(factors: tuple[Expr, ...]) -> Expr:
    """A product as the rules wrote it; only ones vanish (numbers are collected on the last line)."""
    kept = [g for f in factors if f != ex.ONE for g in (f.args if f.op == "mul" else (f,))]
    if ex.ZERO in kept:
        return ex.ZERO
    return kept[0] if len(kept) == 1 else Expr("mul", tuple(kept)) if kept else ex.ONE


def _apply(e: Expr, x: str, known: frozenset[str], rules: Mapping[str, Rule], used: list[tuple[str, str]]) -> Expr:
    terms = []
    for k, arg in enumerate(e.args):
        if x not in arg.names:
            continue
        rule_id, reason = rules[e.op].used(e, k)
        used.append((rule_id, reason))
        outer = _plain_slopes(pull(e, ex.ONE, k, rules))
        inner = _diff(arg, x)
        if rule_id in known and inner.op == "diff":
            inner = _apply(arg, x, known, rules, used)
        terms.append(_times((outer, inner)) if e.op != "cases" else _on_its_piece(outer, inner))
    return ex.ZERO if not terms else _one_cases(e, terms) if e.op == "cases" else ex.add(*terms)


def _value_at(e: Expr, i: int) -> bool:
    """Whether argument i of cases is the value of a piece, not a side of its condition."""
    return i % 3 == 2 or i == len(e.args) - 1


def _on_its_piece(mask: Expr, inner: Expr) -> Expr:
    """A slope on the piece that a mask of ones and zeros marks."""
    if mask.op != "cases":
        return _times((mask, inner))
    return Expr("cases", tuple(inner if _value_at(mask, i) and x == ex.ONE else x for i, x in enumerate(mask.args)), mask.data)


def _one_cases(e: Expr, terms: list[Expr]) -> Expr:
    """The sum of what the pieces give, piece by piece under the same conditions."""
    terms = [t for t in terms if t != ex.ZERO]
    if any(t.op != "cases" for t in terms):
        return ex.add(*terms)
    found = [ex.add(*(t.args[i] for t in terms)) if _value_at(e, i) else x for i, x in enumerate(e.args)]
    return ex.ZERO if all(x == ex.ZERO for i, x in enumerate(found) if _value_at(e, i)) else Expr("cases", tuple(found), e.data)


def _plain_slopes(e: Expr) -> Expr:
    if e.op == "slope" and e.data[0] in FUNCTIONS:
        return local_slope(ex.node("call", e.args, e.data[0]), e.data[1])
    if not e.args:
        return e
    args = tuple(map(_plain_slopes, e.args))
    return Expr(e.op, args, e.data, e.shape, e.role)


def tidied(e: Expr) -> Expr:
    """The same expression through the tidy constructors: numbers collected, ones gone."""
    if not e.args or e.op == "diff":
        return e
    args = [tidied(a) for a in e.args]
    match e.op:
        case "add": return ex.add(*args)
        case "mul": return ex.mul(*args)
        case "neg": return ex.neg(args[0])
        case "pow": return ex.power(*args)
        case "div": return ex.div(*args)
    return Expr(e.op, tuple(args), e.data, e.shape, e.role)

