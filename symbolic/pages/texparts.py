r"""Small parts of a formula on paper: numbers, brackets, the signs of matrix functions.

>>> around("trace", lambda least: "A X"), around("norm", lambda least: "x")
('\\operatorname{tr}(A X)', '\\lVert x \\rVert')
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

ATOM = 9  # binds as a single letter does
LARGEST_BELOW = 10_000  # a denominator beyond this is written as a decimal: 0.044715
MATRIX_TEX = {"trace": r"\operatorname{tr}", "det": r"\det", "logdet": r"\ln\det"}


def around(name: str, show: Callable[[int], str]) -> str:
    """A function of a whole matrix on paper: tr(A), A^{-1}, ||A||; show writes the argument, in brackets where it binds less."""
    if name == "inv":
        body = show(ATOM)
        return f"{parens(body) if '^' in body and not body.endswith(')') else body}^{{-1}}"
    if name in MATRIX_TEX:
        return MATRIX_TEX[name] + parens(show(0))
    body = show(0)
    left, right = (r"\left\lVert", r"\right\rVert") if parens(body).startswith(r"\left") else (r"\lVert", r"\rVert")
    return f"{left} {body} {right}" + "^{2}" * (name == "squared_norm")


def parens(body: str) -> str:
    """Brackets that grow only where something tall stands in them."""
    tall = any(t in body for t in (r"\frac", r"\sum", r"\begin", r"\left"))
    return rf"\left({body}\right)" if tall else f"({body})"


def number(value: Any, *, decimal: bool = False) -> str:
    """An exact number: integers and terminating decimals as such, fractions, roots and logarithms as written, the positive term first.

    >>> number(Fraction(1, 3)), number(Fraction(1, 4), decimal=True), number(Fraction(-3))
    ('\\\\frac{1}{3}', '0.25', '-3')
    >>> import sympy
    >>> number(sympy.log(3) - 5), number(-sympy.log(2)/2 - 4)
    ('\\\\ln 3 - 5', '-4 - \\\\frac{\\\\ln 2}{2}')
    """
    if not isinstance(value, Fraction):
        return _irrational(value)
    if value.denominator == 1:
        return str(value.numerator)
    if (decimal or value.denominator > LARGEST_BELOW) and (text := terminating(value)):
        return text
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


@lru_cache(maxsize=1024)
def _irrational(value: Any) -> str:
    import sympy

    terms = sorted(sympy.Add.make_args(value), key=lambda t: (t.could_extract_minus_sign(), not t.is_Rational, str(t)))
    told = [re.sub(r"\\ln\{\\left\((\d+) \\right\)\}", r"\\ln \1", sympy.latex(t, ln_notation=True)) for t in terms]
    return told[0] + "".join(f" - {t[1:].strip()}" if t.startswith("-") else f" + {t}" for t in told[1:])


def terminating(value: Fraction) -> str:
    """A fraction as a finite decimal, '' when it has none (of at most 12 places)."""
    for places in range(13):
        scaled = value * 10**places
        if scaled.denominator == 1:
            digits = f"{abs(scaled.numerator):0{places + 1}d}"
            sign = "-" if value < 0 else ""
            return sign + (digits[:-places] + "." + digits[-places:] if places else digits)
    return ""
