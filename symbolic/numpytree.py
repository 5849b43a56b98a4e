"""Our trees as NumPy code: names are arrays with rows and columns.

>>> from .language.parse import parse
>>> y_hat, y = ex.sym("y_hat", (3, 1)), ex.sym("y", (3, 1))
>>> print(tree_code(parse("sum(y*log(y_hat))", {"y_hat": y_hat, "y": y})))
np.sum(y * np.log(y_hat))
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from . import expr as ex
from .expr import Expr
from .functions import FUNCTIONS, VECTOR_FUNCTIONS
from .numpycode import code, typed

SIGNS = {"mul": " * ", "div": " / ", "pow": " ** ", "matmul": " @ "}
REDUCED = {"sum": "np.sum", "most": "np.max", "least": "np.min"}


def tree_code(e: Expr) -> str:
    """One line of NumPy for a tree of the forward pass or a gradient, without needless brackets.

    Raises ValueError for what has no value on its own (a named gradient is read by the name dL_dv).
    """
    return typed(_code(e))


def _code(e: Expr) -> str:
    inner = [_code(a) for a in e.args]
    match e.op:
        case "sym": return str(e.data)
        case "grad": return "d{}_d{}".format(*e.data)
        case "num": return _number(e)
        case "ones": return "np.ones(({}, {}))".format(*e.shape)
        case "neg": return f"(-{inner[0]})"
        case "add": return f"({_code(e.args[0])}{''.join(map(_term, e.args[1:]))})"
        case "T": return f"({inner[0]}).T"
        case "call": return f"({code(FUNCTIONS[e.data].function(*map(sp.Symbol, inner)))})"
        case "over": return _vector_code(e)
        case "cases":
            out = inner[-1]
            for k in reversed(range(len(e.data))):
                out = f"np.where({inner[3 * k]} {e.data[k]} {inner[3 * k + 1]}, {inner[3 * k + 2]}, {out})"
            return out
        case op if op in SIGNS: return f"({SIGNS[op].join(inner)})"
        case op if op in REDUCED:
            return f"{REDUCED[op]}({inner[0]}" + ("" if e.data is None else f", axis={e.data}, keepdims=True") + ")"
    raise ValueError(f"no NumPy for {ex.text(e)}")


def _term(e: Expr) -> str:
    """A later term of a sum, with its sign in front."""
    minus, rest = ex.signed(e)
    return f" {'-' if minus else '+'} {_code(rest)}"


def _number(e: Expr) -> str:
    if isinstance(e.data, Fraction):
        return str(e.data) if e.data.denominator == 1 else f"({e.data})"
    return f"({code(e.data)})"


def _vector_code(e: Expr) -> str:
    """A function of a whole vector in the stable form of its row."""
    (z,) = e.args
    inside = str(z.data) if z.op == "sym" else f"({_code(z)})"
    return "({})".format(VECTOR_FUNCTIONS[e.data[0]].numpy_code.replace("numpy.", "np.").format(z=inside, axis=e.data[1]))
