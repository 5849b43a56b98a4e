"""Python source as a person types it, and SymPy's numbers in it."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sympy as sp


def code(e: sp.Expr) -> str:
    """An exact number of SymPy's as NumPy.

    >>> import sympy
    >>> code(2/sympy.sqrt(sympy.pi))
    '2 / np.sqrt(np.pi)'
    """
    from sympy.printing.numpy import NumPyPrinter

    return typed(NumPyPrinter({"fully_qualified_modules": True}).doprint(e).replace("numpy.", "np."))


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
