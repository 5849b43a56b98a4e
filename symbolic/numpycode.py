"""SymPy expressions as the NumPy code that a person would type; the code that is printed is the code that runs.

>>> z = sp.Symbol("z", real=True)
>>> print(code(sp.Piecewise((z, z > 0), (z/100, True))))
np.where(z > 0, z, 1 / 100 * z)
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
    return ast.unparse(ast.parse(printed.replace("numpy.", "np."), mode="eval"))


def compiled(args: Sequence[sp.Symbol], e: sp.Expr) -> Callable[..., Any]:
    """The printed line as a function on NumPy arrays."""
    return sp.lambdify(args, e, modules=[{"np": numpy}, "numpy"], printer=code)  # type: ignore[no-any-return]
