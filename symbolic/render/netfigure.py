r"""The network drawn as units and connections, and the sizes of small formulas in a figure.

All lengths are millimetres; the TikZ relies on `templates/figures.tex`.

>>> picture = network([["x_1", "x_2"], ["h_1", "h_2"], [r"\hat y"]], loss="L", width=50, height=60)
>>> picture.count(r"\node"), picture.count("net loss")
(6, 1)
>>> shown(512, 8, {200})
[0, 1, 2, None, 200, None, 511]
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

# --- how large a formula is ------------------------------------------------------------------

MM = 0.3515  # one TeX point
SCRIPT = {11: 8, 10: 7, 9: 6, 8: 6, 7: 5, 6: 5, 5: 5}  # size of sub- and superscripts
WIDEN = {11: 1.0, 10: 1.0, 9: 1.03, 8: 1.07, 7: 1.14, 6: 1.23, 5: 1.37}  # small letters are wider
TOKEN = re.compile(r"\\[A-Za-z]+ ?|\\.|.", re.S)
SILENT = set(r"\text \mathrm \mathbf \mathcal \mathit \operatorname \hat \bar \tilde \vec \dot "
             r"\left \right \displaystyle \textstyle \! \limits".split())
NAMES = {rf"\{name}" for name in "exp log ln max min sin cos tan sinh cosh tanh arctan det".split()}
# in em, with the space that binary operators and relations take
WIDTH = {r"\times": 1.25, r"\odot": 1.25, r"\cdot": 0.75, r"\partial": 0.6, r"\sum": 1.25,
         r"\to": 1.6, r"\quad": 1.0, r"\,": 0.18, r"\;": 0.3, r"\dots": 1.25, r"\cdots": 1.5,
         r"\sqrt": 0.9, r"\le": 1.35, r"\ge": 1.35, r"\infty": 1.02, r"\circ": 1.0, r"\{": 0.5,
         r"\}": 0.5, r"\top": 0.8, "=": 1.35, "<": 1.35, ">": 1.35, "+": 1.25, "*": 1.0, ".": 0.3,
         ",": 0.46, ";": 0.46, "(": 0.4, ")": 0.4, "[": 0.3, "]": 0.3, "|": 0.3, "/": 0.52,
         "'": 0.3, " ": 0.35, "m": 0.9, "w": 0.75, "M": 1.1, "W": 1.1}


def measure(tex: str, pt: int) -> tuple[float, float]:
    r"""Width and height (with depth) of a formula set at `pt` points: never too small.

    >>> width, height = measure(r"-0.001234", 8)
    >>> 13 < width < 15 and 2 < height < 3
    True
    """
    tokens = [token.strip() or " " for token in TOKEN.findall(tex)][::-1]
    width = 0.0
    while tokens:
        width += _run(tokens, pt)
    fraction = r"\frac" in tex
    up = 1.15 if fraction else 1.0 if re.search(r"\^|'|\\hat|\\bar|\\sqrt", tex) else 0.72
    down = 0.6 if fraction else 0.35 if "_" in tex else 0.25 if re.search(r"[^\d.\s+-]", tex) else 0.08
    return width * MM, (up + down) * pt * MM


def _run(tokens: list[str], pt: int) -> float:
    """Width in points up to the closing brace; `tokens` is a stack."""
    total = 0.0
    while tokens and tokens[-1] != "}":
        if tokens[-1] in "^_":
            scripts = 0.0
            while tokens and tokens[-1] in ("^", "_"):  # one stands above the other
                tokens.pop()
                scripts = max(scripts, _atom(tokens, SCRIPT[pt]))
            total += scripts + 0.1 * pt
        elif tokens[-1] in (r"\frac", r"\tfrac", r"\dfrac"):
            tokens.pop()
            total += max(_atom(tokens, SCRIPT[pt]), _atom(tokens, SCRIPT[pt])) + 0.3 * pt
        else:
            total += _atom(tokens, pt, first=total == 0)
    if tokens:
        tokens.pop()
    return total


def _atom(tokens: list[str], pt: int, first: bool = True) -> float:
    """Width in points of one symbol or braced group."""
    if not tokens:
        return 0.0
    token = tokens.pop()
    if token == "{":
        return _run(tokens, pt)
    if token in SILENT:
        return 0.0
    if token in NAMES:
        em = 0.52 * len(token)
    elif token.isdigit():
        em = 0.51
    elif token == "-":  # a sign is narrower than an operator
        em = 0.8 if first else 1.25
    else:
        em = WIDTH.get(token, 0.8 if token.isupper() else 0.68 if token[0] == "\\" else 0.6)
    return em * pt * WIDEN[pt]
