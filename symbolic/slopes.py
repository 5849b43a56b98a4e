"""The slope of a row of the table, derived from its formula line by line and certified.

>>> [ex.text(line.rhs) for line in slope_lesson("sigmoid").lesson.steps[0].lines][-2:]
['exp(-z)/(1 + exp(-z))**2', 'a*(1 - a)']
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from . import expr as ex
from .expr import Expr
from .functions import FUNCTIONS, VECTOR_FUNCTIONS, definition, slope_form
from .lesson import Line, plan
from .network import Equation, Network, Symbol
from .verify import Certified, certify


@lru_cache(maxsize=None)
def slope_lesson(name: str) -> Certified:
    """The certified derivation of a row's slopes, one step an argument, each ending in the row's own form.

    For a function of a whole vector: what it sends back, entry by entry and as a whole.
    """
    if name in VECTOR_FUNCTIONS:
        z = Symbol("z", (3, 1), "input", "z")
        out = ex.node("over", (z.expr,), (name, 0))
        return certify(plan(Network((Equation("a", out),), {"z": z, "a": Symbol("a", out.shape, "value", "a")}), ("index", "matrix"), wrt=("z",)))
    row = FUNCTIONS[name]
    letters = [s.name for s in row.args]
    rhs = definition(name) or Expr("call", tuple(map(ex.sym, letters)), name)
    symbols = {n: Symbol(n, (), "input", n) for n in letters} | {"a": Symbol("a", (), "value", "a")}
    lesson = plan(Network((Equation("a", rhs),), symbols), ("scalar",))
    steps = []
    for k, step in enumerate(lesson.steps):
        own = slope_form(name, k)
        lines = list(step.lines)
        if lines[-1].rhs != own:
            lines.append(Line(own, row.because, lines[-1].kind, lines[-1].lhs))
        steps.append(replace(step, lines=tuple(lines), because=row.because))
    return certify(replace(lesson, steps=tuple(steps)))
