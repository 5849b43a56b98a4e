"""Trees as SymPy expressions: the one place where our sums, products, powers and cases become SymPy's.

>>> from ..expr import node, sym
>>> Symbols(lambda name: getattr(sp, name)).scalar(node("call", (sym("z") - 1,), "exp"), Letters())
exp(z - 1)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import sympy as sp

from ..expr import Expr
from .scalars import Env, Scalars

MOST_EXPONENT = 1000


class Letters(dict[Any, Any]):
    """An environment in which every name is a real symbol of its own."""

    def __missing__(self, name: str) -> sp.Symbol:
        return sp.Symbol(name, real=True)


class Symbols(Scalars):
    """SymPy expressions. function: what SymPy is given for the name of a function of the table."""

    def __init__(self, function: Callable[[str], Callable[..., sp.Expr]]) -> None:
        self.function = function

    def number(self, value: Any) -> Any:
        return sp.Rational(value.numerator, value.denominator) if isinstance(value, Fraction) else value.doit()

    def add(self, terms: Sequence[Any]) -> Any:
        return sp.Add(*terms)

    def mul(self, factors: Sequence[Any]) -> Any:
        return sp.Mul(*factors)

    def pow(self, x: Any, y: Any) -> Any:
        if x.is_number and y.is_number and abs(y) > MOST_EXPONENT:
            raise ValueError(f"{x}**{y} is too long to be written out")  # SymPy would compute every digit
        return x ** y

    def call(self, name: str, args: Sequence[Any]) -> Any:
        return self.function(name)(*args)

    def cases(self, e: Expr, env: Env) -> Any:
        values = [self.scalar(a, env) for a in e.args]
        pieces = [(values[3 * i + 2], sp.Rel(values[3 * i], values[3 * i + 1], sign)) for i, sign in enumerate(e.data)]
        return sp.Piecewise(*pieces, (values[-1], True))

    def largest(self, xs: Sequence[Any], sign: int) -> Any:
        return sp.Max(*xs) if sign > 0 else sp.Min(*xs)

    def unnamed(self, name: str, x: Any, env: Env, derivative: int) -> Any:
        f = sp.Function(name)
        return f(x) if not derivative else sp.Function(f"{name}_prime")(x)
