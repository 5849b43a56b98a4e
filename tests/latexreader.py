r"""A small reader of the numeric LaTeX that chainrule prints: numbers, matrices, products, sums, powers.

>>> Reader(r"2 \cdot \begin{bmatrix}1 & 2\end{bmatrix} - \left(\begin{bmatrix}0.5 \\ 3\end{bmatrix}\right)^{\top}").value()
[[mpf('1.5'), mpf('1.0')]]
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from mpmath import mp

Rows = list[list[Any]]
AIR = re.compile(r"\\\\\[\d+pt\]")  # more space between two rows
TOKEN = re.compile(r"\\begin\{bmatrix\}|\\end\{bmatrix\}|\\left|\\right|\\[a-zA-Z]+|\\\\|\\,|\d+(?:\.\d+)?|[-+(){}^&|']|[a-zA-Z]|\S")
FUNCTIONS = {r"\ln": mp.log, r"\sin": mp.sin, r"\cos": mp.cos, r"\tanh": mp.tanh, r"\exp": mp.exp, r"\tan": mp.tan,
             r"\sigma": lambda v: 1 / (1 + mp.exp(-v)), "ReLU": lambda v: max(v, mp.mpf(0)), "LReLU": lambda v: max(v, v / 100), "softplus": lambda v: mp.log(1 + mp.exp(v)),
             "SiLU": lambda v: v / (1 + mp.exp(-v)), r"\arctan": mp.atan, r"\sinh": mp.sinh, r"\cosh": mp.cosh}


class Reader:
    """Recursive descent over the tokens; every value is a list of rows."""

    def __init__(self, source: str) -> None:
        self.tokens, self.at = TOKEN.findall(AIR.sub(r"\\\\", source)), 0

    def value(self) -> Rows:
        """The value of the whole text."""
        out = self.sum()
        assert self.at == len(self.tokens), f"not read: {self.tokens[self.at:]}"
        return out

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        assert token and (not expected or token == expected), f"expected {expected!r}, found {token!r} in {self.tokens}"
        self.at += 1
        return token

    def sum(self) -> Rows:
        out = each(lambda v: -v, self.product()) if self.minus() else self.product()
        while self.peek() in ("+", "-"):
            sign = -1 if self.take() == "-" else 1
            out = each(lambda a, b, sign=sign: a + sign * b, out, self.product())
        return out

    def minus(self) -> bool:
        return self.peek() == "-" and bool(self.take())

    def product(self) -> Rows:
        """Factors with a sign between them; what stands side by side belongs together."""
        out = self.beside()
        while True:
            if self.peek() in (r"\cdot", r"\odot"):
                entrywise = self.take() == r"\odot"
                right = self.beside()
                assert not entrywise or (len(out), len(out[0])) == (len(right), len(right[0])), "an entrywise product of two shapes"
                assert entrywise or 1 in (len(out) * len(out[0]), len(right) * len(right[0])), "a dot between two matrices"
                out = each(lambda a, b: a * b, out, right)
            else:
                return out

    def beside(self) -> Rows:
        out = self.power()
        while self.starts():
            if self.peek() == r"\,":
                self.take()
            out = times(out, self.power())
        return out

    def starts(self) -> bool:
        return self.peek() not in (r"\cdot", r"\odot", "", "+", "-", ")", "}", "&", r"\\", r"\end{bmatrix}", r"\right", "|")

    def power(self) -> Rows:
        out = self.atom()
        while self.peek() == "^":
            self.take()
            self.take("{")
            if self.peek() == r"\top":
                self.take()
                out = [list(c) for c in zip(*out, strict=True)]
            else:
                ((n,),) = self.sum()
                out = each(lambda v, n=n: v ** n, out)
            self.take("}")
        return out

    def atom(self) -> Rows:
        token = self.take()
        if token[0].isdigit():
            return [[mp.mpf(token)]]
        if token == r"\left":
            opening = self.take()
            out = self.sum()
            self.take(r"\right")
            self.take({"(": ")", "|": "|"}[opening])
            return each(abs, out) if opening == "|" else out
        if token == "(":
            return self.until(")")
        if token == r"\frac":
            above, below = self.braced(), self.braced()
            return each(lambda a, b: a / b, above, below)
        if token == r"\sqrt":
            return each(mp.sqrt, self.braced())
        if token == "e":
            self.take("^")
            return each(mp.exp, self.braced())
        if token == r"\mathbf":
            raise NotImplementedError("a vector of ones does not say its size")
        if token == r"\operatorname":
            self.take("{")
            name = ""
            while self.peek() != "}":
                name += self.take()
            self.take("}")
            return each(FUNCTIONS[name], self.atom())
        if token in FUNCTIONS:
            return each(FUNCTIONS[token], self.atom())
        assert token == r"\begin{bmatrix}", f"{token!r} in {self.tokens}"
        return self.matrix()

    def braced(self) -> Rows:
        self.take("{")
        return self.until("}")

    def until(self, closing: str) -> Rows:
        out = self.sum()
        self.take(closing)
        return out

    def matrix(self) -> Rows:
        out: Rows = [[]]
        while True:
            ((v,),) = self.sum()
            out[-1].append(v)
            sign = self.take()
            if sign == r"\end{bmatrix}":
                return out
            if sign == r"\\":
                out.append([])


def each(f: Callable[..., Any], *xs: Rows) -> Rows:
    """Entry by entry; a scalar stands beside every entry."""
    rows, columns = max(len(x) for x in xs), max(len(x[0]) for x in xs)
    assert all((len(x), len(x[0])) in ((1, 1), (rows, columns)) for x in xs), "two shapes"
    return [[f(*(x[i][j] if len(x) * len(x[0]) > 1 else x[0][0] for x in xs)) for j in range(columns)] for i in range(rows)]


def times(a: Rows, b: Rows) -> Rows:
    """A product without a sign: of matrices, or with a scalar."""
    if 1 in (len(a) * len(a[0]), len(b) * len(b[0])) and len(a[0]) != len(b):
        return each(lambda u, v: u * v, a, b)
    assert len(a[0]) == len(b), "a matrix product of shapes that do not fit"
    return [[mp.fdot(row, column) for column in zip(*b, strict=True)] for row in a]


def cells(source: str) -> list[list[str]]:
    """The printed entries of a result."""
    found = re.fullmatch(r"\\begin\{bmatrix\}(.*)\\end\{bmatrix\}", source)
    return [[c.strip() for c in row.split("&")] for row in AIR.sub(r"\\\\", found[1]).split(r"\\")] if found else [[source]]
