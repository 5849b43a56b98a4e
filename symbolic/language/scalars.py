"""Scalar trees in whatever numbers are asked for, without the tables of functions: `arithmetic` adds those, and matrices."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from ..expr import Expr

Matrix = list[list[Any]]
Env = Mapping[Any, Any]
RELATIONS = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


class Scalars:
    """Scalars that know + - * / **; a subclass says how numbers, functions and cases are made."""

    def number(self, value: Any) -> Any:
        return value

    def leaf(self, e: Expr) -> Any:
        """A number as it stands in a tree."""
        return self.number(e.data)

    def add(self, terms: Sequence[Any]) -> Any:
        out = terms[0]
        for t in terms[1:]:
            out = out + t
        return out

    def mul(self, factors: Sequence[Any]) -> Any:
        out = factors[0]
        for f in factors[1:]:
            out = out * f
        return out

    def neg(self, x: Any) -> Any:
        return -x

    def div(self, x: Any, y: Any) -> Any:
        return x / y

    def pow(self, x: Any, y: Any) -> Any:
        return x ** y

    def dot(self, xs: Sequence[Any], ys: Sequence[Any]) -> Any:
        return self.add([self.mul((x, y)) for x, y in zip(xs, ys, strict=True)])

    def scalar(self, e: Expr, env: Env) -> Any:
        """A scalar tree; env holds bare scalars."""
        if e.op in ("sym", "grad", "partial"):
            return env[e.data]
        if e.op == "num":
            return self.number(e.data)
        if e.op == "cases":
            return self.cases(e, env)
        return self.combine(e, [self.scalar(x, env) for x in e.args], env)

    def combine(self, e: Expr, xs: Sequence[Any], env: Env) -> Any:
        """One entrywise node, given the values of its arguments."""
        match e.op:
            case "add": return self.add(xs)
            case "mul": return self.mul(xs)
            case "neg": return self.neg(xs[0])
            case "div": return self.div(xs[0], xs[1])
            case "pow": return self.pow(xs[0], xs[1])
            case "call": return self.call(e.data, xs)
            case "apply": return self.unnamed(e.data, xs[0], env, 0)
            case "slope": return self.slope(e, xs, env)
            case "pick": return self.pick(e, xs)
        raise ValueError(f"{e.op!r} is not entrywise")

    def call(self, name: str, args: Sequence[Any]) -> Any:
        """A function of the table."""
        raise NotImplementedError(name)

    def slope(self, e: Expr, xs: Sequence[Any], env: Env) -> Any:
        """The slope of a function of the table."""
        raise NotImplementedError(e.data)

    def pick(self, e: Expr, xs: Sequence[Any]) -> Any:
        """One output of a vector function of the scalars xs."""
        raise NotImplementedError(e.data)

    def cases(self, e: Expr, env: Env) -> Any:
        for i, sign in enumerate(e.data):
            left, right = (self.scalar(e.args[3 * i + j], env) for j in (0, 1))
            if RELATIONS[sign](left, right):
                return self.scalar(e.args[3 * i + 2], env)
        return self.scalar(e.args[-1], env)

    def largest(self, xs: Sequence[Any], sign: int) -> Any:
        return max(xs) if sign > 0 else min(xs)

    def marks(self, xs: list[Any], sign: int) -> list[Any]:
        """One for the first largest (or smallest), zero for the others."""
        first = xs.index(self.largest(xs, sign))
        return [self.number(Fraction(int(k == first))) for k in range(len(xs))]

    def primitive(self, name: str, x: Any) -> Any:
        raise NotImplementedError(name)

    def unnamed(self, name: str, x: Any, env: Env, derivative: int) -> Any:
        """f(x) or f'(x) of a function without a formula: the environment holds a callable."""
        return env[name](x, derivative)
