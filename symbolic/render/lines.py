r"""Breaking long formulas: at their equals signs, then their terms, then their products; never scaled.

>>> broken("y", r"a + b - c", 10.0, measure=lambda s: len(s))
[('y', '= a + b'), ('', '\\quad - c')]
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .width import width

_TOKEN = re.compile(r"\\(?:left|right)(?:\\[{}|]|[^A-Za-z])|\\[A-Za-z]+|\\.|[A-Za-z0-9.^_]+")
_OPENS = frozenset(("{", "(", "[", r"\begin", *(rf"\left{c}" for c in ("(", "[", "|", "."))))
_CLOSES = frozenset(("}", ")", "]", r"\end", *(rf"\right{c}" for c in (")", "]", "|", "."))))
INDENT = r"\quad "
TERMS, FACTORS, THIN = (" + ", " - "), (r" \cdot ", r" \odot "), (r"\,",)
Measure = Callable[[str], float]


def split(formula: str, signs: tuple[str, ...]) -> list[str]:
    r"""Cut a formula before the given signs, outside all brackets and environments.

    >>> split(r"a + \frac{b + c}{d} - e", TERMS)
    ['a', '+ \\frac{b + c}{d}', '- e']
    """
    pieces, depth, start, i = [], 0, 0, 0
    last = max(formula.rfind(s) for s in signs)
    while i <= last:
        if depth == 0 and i > start and formula.startswith(signs, i):
            sign = next(s for s in signs if formula.startswith(s, i))
            pieces.append(formula[start:i])
            start, i = i + (sign[0] == " "), i + len(sign)
            continue
        found = _TOKEN.match(formula, i)
        token = found[0] if found else formula[i]
        depth += (token in _OPENS) - (token in _CLOSES)
        i += len(token)
    return [*pieces, formula[start:]]


def broken(left: str, right: str, available: float, *, measure: Measure | None = None) -> list[tuple[str, str]]:
    """Rows (left side, right side) of one line, each at most so wide; left is '' on rows that continue.

    A piece that cannot be cut further stays whole: the caller asks ``fits`` and names a part.
    """
    measure = measure or width
    room = available - measure(left)
    rows: list[tuple[str, str]] = []
    for part in split(right, (" = ",)):
        part = part.removeprefix("= ")
        for k, chunk in enumerate(_filled(part, room - measure("= "), measure)):
            rows.append((left if not rows else "", f"= {chunk}" if k == 0 else INDENT + chunk))
    return _joined(rows, room, measure)


def _joined(rows: list[tuple[str, str]], room: float, measure: Measure) -> list[tuple[str, str]]:
    """Put '= result' behind '= substituted' again where both fit on one row."""
    out: list[tuple[str, str]] = []
    for left, row in rows:
        if out and row.startswith("=") and measure(f"{out[-1][1]} {row}") <= room:
            out[-1] = (out[-1][0], f"{out[-1][1]} {row}")
        else:
            out.append((left, row))
    return out


def _filled(formula: str, room: float, measure: Measure) -> list[str]:
    """Fill rows greedily with terms; a term that is too long is cut at its products, then inside its brackets."""
    if measure(formula) <= room:
        return [formula]
    rows: list[str] = []
    inner = room - measure(INDENT)
    for term in split(formula, TERMS):
        for piece in [term] if measure(term) <= (inner if rows else room) else split(term, FACTORS):
            for part in [piece] if measure(piece) <= (inner if rows else room) else _cut(piece, inner, measure):
                joined = f"{rows[-1]}{'' if part.startswith(THIN) else ' '}{part}" if rows else ""
                if rows and measure(joined) + measure(INDENT) * (len(rows) > 1) <= room:
                    rows[-1] = joined
                else:
                    rows.append(_begun(part))
    return rows


def _cut(piece: str, room: float, measure: Measure) -> list[str]:
    """A product cut between factors that stand side by side, and inside those that are still too long."""
    return [part for factor in split(piece, THIN) for part in ([factor] if measure(_begun(factor)) <= room else opened(factor, room, measure))]


def _begun(part: str) -> str:
    """A row never begins with a gap: there the product gets its dot."""
    return r"\cdot " + part[len(THIN[0]):].lstrip() if part.startswith(THIN) else part


def opened(formula: str, room: float, measure: Measure) -> list[str]:
    r"""Cut a formula inside its widest bracket, colour or fraction, again until the pieces fit or nothing is left to cut.

    The numerator of a fraction moves behind it; brackets that are cut get one size on all rows.

    >>> opened(r"2 \left(a + b\right)^{2}", 4, len)
    ['2 (a', '+ b)^{2}']
    >>> opened(r"\frac{a + b}{c}", 9, len)
    ['\\frac{1}{c} \\cdot (a', '+ b)']
    """
    for start, end, kind in sorted(_groups(formula), key=lambda g: g[0] - g[1]):
        before, whole, after = formula[:start], formula[start:end], formula[end:]
        first, last = "", ""
        if kind == "hl":
            colour, inner = _arguments(whole)
        elif kind == "frac":
            inner, below = _arguments(whole)
            first, last = rf"\frac{{1}}{{{below}}} \cdot (", ")"
        else:
            size = len(r"\left" if kind == "left" else "")
            inner = whole[size + 1:len(whole) - 1 - (size + 1 if size else 0)]
            first, last = whole[size], whole[-1]
        pieces = next((x for x in (split(inner, TERMS), split(inner, FACTORS), split(inner, THIN)) if len(x) > 1), None) or opened(inner, room, measure)
        if len(pieces) < 2:
            continue
        if first and max(map(_tallness, pieces)) > 1:
            first, last = rf"{first[:-1]}\Bigl{first[-1]}", rf"\Bigr{last}"
        pieces = [f"{first}{pieces[0]}", *pieces[1:-1], f"{pieces[-1]}{last}"]
        if kind == "hl":
            pieces = [rf"\hl{{{colour}}}{{{x}}}" for x in pieces]
        pieces = [f"{before}{pieces[0]}", *pieces[1:-1], f"{pieces[-1]}{after}"]
        return [x for p in pieces for x in ([p] if measure(p) <= room else opened(p, room, measure))]
    return [formula]


def _tallness(formula: str) -> int:
    return 2 if re.search(r"\\(frac|begin|sum|underbrace|left|Big)\b", formula) else 1


def _groups(formula: str) -> list[tuple[int, int, str]]:
    """(start, end, kind) of every bracket, colour and fraction that stands in no other; unpaired ones do not count."""
    out: list[tuple[int, int, str]] = []
    stack: list[Any] = []
    i = 0
    while i < len(formula):
        found = _TOKEN.match(formula, i)
        token = found[0] if found else formula[i]
        if not stack and (head := re.match(r"\\(hl|frac)(?=\{)", formula[i:])):
            end = i + len(head[0])
            for _ in range(2):
                end = _closing(formula, end)
            out.append((i, end, head[1]))
            i = end
            continue
        if token in _OPENS:
            stack.append((i, token))
        elif token in _CLOSES and stack:
            start, opening = stack.pop()
            if not stack and opening in ("(", "[", r"\left(", r"\left["):
                out.append((start, i + len(token), "left" if opening.startswith(r"\left") else "bracket"))
        i += len(token)
    return out


def _closing(formula: str, start: int) -> int:
    """The end of the brace group that starts there."""
    depth, i = 0, start
    while i < len(formula):
        if formula[i] == "\\":
            i += 2
            continue
        depth += (formula[i] == "{") - (formula[i] == "}")
        i += 1
        if depth == 0:
            return i
    return i


def _arguments(whole: str) -> tuple[str, str]:
    """The two arguments of a command."""
    start = whole.index("{")
    middle = _closing(whole, start)
    return whole[start + 1:middle - 1], whole[middle + 1:-1]


def fits(rows: list[tuple[str, str]], available: float, *, measure: Measure | None = None) -> bool:
    """Whether every row is at most so wide."""
    measure = measure or width
    widest = max((measure(left) for left, _ in rows), default=0.0)
    return all(widest + measure(row) <= available for _, row in rows)
