"""Equations split into one primitive operation a line, as a computer carries them out.

>>> from ..network import from_equations
>>> for eq in primitive(from_equations({"e": "(4*a + 3)*(a + 2)"}, {})).equations: print(eq)
v1 = 4*a
v2 = v1 + 3
v3 = a + 2
e = v2*v3
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .. import expr as ex
from ..expr import Expr
from ..network import Equation, Network, Symbol


def primitive(network: Network) -> Network:
    """The same network with a name v1, v2, ... for every intermediate result.

    A minus sign in a sum is part of the subtraction, a transposed name no operation of its own.
    """
    equations: list[Equation] = []
    symbols = {n: s for n, s in network.symbols.items() if s.kind != "value"}
    count = 0

    for eq in network.equations:
        own = network.symbols[eq.name]

        def named(e: Expr, own: Symbol = own) -> Expr:
            nonlocal count
            count += 1
            while f"v{count}" in network.symbols:
                count += 1
            name = f"v{count}"
            symbols[name] = Symbol(name, e.shape, "value", name, letters=own.letters)
            equations.append(Equation(name, e))
            return symbols[name].expr

        equations.append(Equation(eq.name, _one(eq.rhs, named)))
        symbols[eq.name] = own
    return replace(network, equations=tuple(equations), symbols=symbols)


def _one(e: Expr, named: Callable[[Expr], Expr]) -> Expr:
    """One operation on names and numbers; what is inside gets names first."""
    if not e.args or not e.names:
        return e
    parts = [_operand(x, e, named) for x in e.args]
    if e.op not in ("add", "mul"):
        return Expr(e.op, tuple(parts), e.data, e.shape, e.role)
    done = parts[0]
    for k, x in enumerate(parts[1:], 1):
        done = ex.node(e.op, (done, x))
        if k < len(parts) - 1:
            done = named(done)
    return done


def _operand(e: Expr, parent: Expr, named: Callable[[Expr], Expr]) -> Expr:
    if not e.args or not e.names or (e.op == "T" and not e.args[0].args):
        return e
    if e.op == "neg" and parent.op == "add":
        return Expr("neg", (_operand(e.args[0], e, named),), None, e.shape)
    return named(_one(e, named))
