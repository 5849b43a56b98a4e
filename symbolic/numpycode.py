"""SymPy expressions as the NumPy code that a person would type; the code that is printed is the code that runs.

>>> z = sp.Symbol("z", real=True)
>>> print(code(sp.Piecewise((z, z > 0), (z/100, True))))
np.where(z > 0, z, 0.01 * z)
>>> float(compiled((z,), 1/(1 + z**2))(2.0))
0.2
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

import numpy
import sympy as sp
from sympy.printing.numpy import NumPyPrinter


class _Readable(NumPyPrinter):  # type: ignore[misc]
    """SymPy's printer with np.where for cases and operators for comparisons."""

    def _print_Relational(self, e: Any) -> str:
        return f"{self._print(e.lhs)} {e.rel_op} {self._print(e.rhs)}"

    def _print_Piecewise(self, e: Any) -> str:
        *cases, (last, _) = e.args
        out = self._print(last)
        for value, condition in reversed(cases):
            out = f"numpy.where({self._print(condition)}, {self._print(value)}, {out})"
        return str(out)

    def _print_Pow(self, e: Any, **options: Any) -> str:
        if e.exp == -1:
            return f"(1/({self._print(e.base)}))"
        return str(super()._print_Pow(e, **options))


def code(e: sp.Expr) -> str:
    """One line of NumPy, without needless brackets; functions of the table print their stable forms."""
    printed = _Readable({"fully_qualified_modules": True}).doprint(e)
    return typed(printed.replace("numpy.", "np."))


def typed(source: str) -> str:
    """A line of Python as a person types it: no needless brackets, 0.5 for 1/2, powers without spaces.

    >>> typed("((1/2)*(z))**2 + (1/3)")
    '(0.5 * z)**2 + 1 / 3'
    >>> typed("np.select([np.greater(z, 0),True], [z**(-1.0),0], default=np.nan)")
    'np.where(z > 0, 1 / z, 0)'
    """
    return ast.unparse(_Typed().visit(ast.parse(source, mode="eval"))).replace(" ** ", "**")


class _Typed(ast.NodeTransformer):
    """What SymPy writes as a person would: decimals that are short and exact, 1 / x, z > 0, np.where for cases."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.BinOp(ast.Constant(int(above)), ast.Div(), ast.Constant(int(below))) if below and len(repr(above / below)) <= 6:
                return ast.Constant(above / below)
            case ast.BinOp(base, ast.Pow(), ast.UnaryOp(ast.USub(), ast.Constant(1.0))):
                return ast.BinOp(ast.Constant(1), ast.Div(), base)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = ast.unparse(node.func)
        if name in COMPARED:
            return ast.Compare(node.args[0], [COMPARED[name]()], [node.args[1]])
        match node:
            case ast.Call(args=[ast.List([*conditions, ast.Constant(True)]), ast.List([*values, otherwise])]) if name == "np.select":
                for condition, value in reversed(list(zip(conditions, values, strict=True))):
                    otherwise = ast.Call(ast.parse("np.where", mode="eval").body, [condition, value, otherwise], [])
                return otherwise
        return node


COMPARED = {"np.greater": ast.Gt, "np.greater_equal": ast.GtE, "np.less": ast.Lt, "np.less_equal": ast.LtE}


def compiled(args: Sequence[sp.Symbol], e: sp.Expr) -> Callable[..., Any]:
    """The printed line as a function on NumPy arrays."""
    return sp.lambdify(args, e, modules=[{"np": numpy}, "numpy"], printer=code)  # type: ignore[no-any-return]
