"""How wide and how high TeX will set a formula, without running TeX.

Pages break their formulas into lines by these numbers, so a formula judged to fit must fit.  `texread` reads
the LaTeX; `texmath` and `texboxes` follow the rules of TeX with the metrics in `texmetrics`, so the result is
TeX's own to a fraction of a point.  `check` is also the test that a formula is well formed.

>>> [round(width(f), 1) for f in ("x+y", "-x", r"\\pd{L}{w_1}", r"\\sum_{i=1}^{n} x_i")]
[25.4, 14.8, 21.4, 25.9]
>>> round(height(r"\\pd{L}{w_1}"), 1)
24.2
>>> [round(mm, 1) for mm in measure(r"-0.001234", 8)]
[13.8, 2.3]
>>> check(r"\\frac{a}{b")
Traceback (most recent call last):
ValueError: malformed LaTeX at position 10: Unexpected end of stream, was expecting '}'
"""

from __future__ import annotations

import re
from functools import lru_cache

from .texboxes import Box
from .texmath import Setter
from .texread import bad

__all__ = ["check", "height", "measure", "width"]

SIZE = 10.95  # of the documents' text, in points
POINT = 0.3515  # millimetres
_DIGIT = re.compile(r"[1-9](?![\d.]*(?:pt|em|mm|mu))")  # all digits have one size, so a formula with other numbers need not be measured again
SPARE = 0.6  # points: what the rules may be wrong by, so that nothing measured for a figure is too small


@lru_cache(maxsize=32)
def _setter(size: float) -> Setter:
    return Setter(size)


def _of(formula: str, size: float, style: int = 0) -> Box:
    return _box(_DIGIT.sub("0", formula), size, style)


@lru_cache(maxsize=8192)
def _box(formula: str, size: float, style: int) -> Box:
    try:
        return _setter(size).formula(formula, style)
    except RecursionError:
        raise bad(0, "nested too deep") from None


def width(formula: str, *, size: float = SIZE) -> float:
    """Width in TeX points of a formula in display style, given without its dollar signs."""
    return _of(formula, size).w


def height(formula: str, *, size: float = SIZE) -> float:
    """Height and depth together, in TeX points."""
    return sum(_of(formula, size)[1:])


def measure(formula: str, pt: float) -> tuple[float, float]:
    """Width and height (with depth) in millimetres of a formula inside text of `pt` points: never too small."""
    w, h, d = _of(formula, pt, 2)
    return (w + SPARE) * POINT, (h + d + SPARE) * POINT


def check(formula: str) -> None:
    """Raise ValueError, naming the position, if a formula is not well-formed LaTeX."""
    _of(formula, SIZE)
