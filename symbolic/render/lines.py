r"""Breaking long formulas: at their equals signs, then their terms, then their products; never scaled.

>>> broken("y", r"a + b - c", 10.0, measure=lambda s: len(s))
[('y', '= a + b'), ('', '\\quad - c')]
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .width import width

_TOKEN = re.compile(r"\\(?:left|right)(?:\\[{}|]|[^A-Za-z])|\\[A-Za-z]+|\\.")
_OPENS = frozenset(("{", "(", "[", r"\begin", *(rf"\left{c}" for c in ("(", "[", "|", "."))))
_CLOSES = frozenset(("}", ")", "]", r"\end", *(rf"\right{c}" for c in (")", "]", "|", "."))))
INDENT = r"\quad "
TERMS, FACTORS = (" + ", " - "), (r" \cdot ", r" \odot ")
Measure = Callable[[str], float]


def split(formula: str, signs: tuple[str, ...]) -> list[str]:
    r"""Cut a formula before the given signs, outside all brackets and environments.

    >>> split(r"a + \frac{b + c}{d} - e", TERMS)
    ['a', '+ \\frac{b + c}{d}', '- e']
    """
    pieces, depth, start, i = [], 0, 0, 0
    while i < len(formula):
        sign = next((s for s in signs if depth == 0 and i > start and formula.startswith(s, i)), None)
        if sign is not None:
            pieces.append(formula[start:i])
            start, i = i + 1, i + len(sign)
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
    """Fill rows greedily with terms; a term that is too long is cut at its products."""
    if measure(formula) <= room:
        return [formula]
    rows: list[str] = []
    for term in split(formula, TERMS):
        pieces = [term] if measure(term) <= room else split(term, FACTORS)
        for piece in pieces:
            if rows and measure(f"{rows[-1]} {piece}") + measure(INDENT) * (len(rows) > 1) <= room:
                rows[-1] += f" {piece}"
            else:
                rows.append(piece)
    return rows


def fits(rows: list[tuple[str, str]], available: float, *, measure: Measure | None = None) -> bool:
    """Whether every row is at most so wide."""
    measure = measure or width
    widest = max((measure(left) for left, _ in rows), default=0.0)
    return all(widest + measure(row) <= available for _, row in rows)
