"""Rows that state their equations as text, as entries of the catalogue: updates, schedules, penalties, matrix functions, slips.

A row is read by the fields it has, so that any table of such rows is one line in ``catalogue.TABLES``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from . import expr as ex
from .entry import Entry, Fact, stated
from .expr import Expr
from .latex import letter
from .lesson import plan
from .network import Equation, Network, Symbol, from_equations
from .numpytree import tree_code
from .parse import names_in, parse
from .verify import Certified, certify

SIZE = (2, 2)  # of a matrix in an example


def update_entry(table: str, name: str, row: Any) -> Entry:
    """An optimizer: its update equations, each a new value from those above it and the old ones.

    row: equations (target -> text in w, the gradient g, eta, t and options), states, options.
    """
    network, trees = assigned(row.equations)
    starts = ", ".join(f"{s} = {v}" for s, v in getattr(row, "states", {}).items())
    facts = [Fact("Starts at", starts)] if starts else []
    facts += [Fact("Gradient", f"taken at {row.at}", f"taken at ${_shown(network, row.at)}$")] if getattr(row, "at", "w") != "w" else []
    facts += [Fact("First step", f"w <- {row.first}", rf"$\displaystyle w \leftarrow {_shown(network, row.first)}$")] \
        if getattr(row, "first", row.equations.get("w")) != row.equations.get("w") else []
    return Entry(table, name, row.because, network, trees, sign="<-", facts=lambda: (*facts, *options(row), *stated(row)),
                 code=tuple(f"{left.data} = {tree_code(right)}" for left, right in trees))


def assigned(equations: Mapping[str, str]) -> tuple[Network, tuple[tuple[Expr, Expr], ...]]:
    """Lines that give names new values; a name on the right that has none yet is the old one."""
    trees = tuple((ex.sym(target), parse(text, {n: ex.sym(n) for n in names_in(text)})) for target, text in equations.items())
    names = dict.fromkeys(n for left, right in trees for n in (left.data, *sorted(right.names)))
    return Network(tuple(Equation(left.data, right) for left, right in trees), {n: Symbol(n, (), "value", n) for n in names}), trees


def _shown(network: Network, text: str) -> str:
    from .latex import Printer

    tree = parse(text, {n: ex.sym(n) for n in names_in(text)})
    symbols = {**network.symbols, **{n: Symbol(n, (), "value", n) for n in tree.names}}
    return Printer(Network(network.equations, symbols), colour=False)(tree)


def options(row: Any) -> tuple[Fact, ...]:
    """What a person may set, with the values that hold otherwise; a row has a mapping of options or a list of them."""
    given = getattr(row, "options", ())
    pairs: Iterable[tuple[str, Any]] = given.items() if isinstance(given, Mapping) else ((o.name, o) for o in given)
    found = [(n, o, getattr(o, "default", o)) for n, o in pairs]
    said = "; ".join(f"{n} = {decimal(v)}" + (f" ({o.says})" if getattr(o, "says", "") else "") for n, o, v in found if v is not None)
    tex = "; ".join(f"${_letter(n)} = {_tex(v)}$" + (f" ({o.says})" if getattr(o, "says", "") else "") for n, o, v in found if v is not None)
    return (Fact("Options", said, tex),) if said else ()


def _letter(name: str) -> str:
    body, below = letter(name)
    return f"{body}_{{{below}}}" if below else body


def decimal(value: Any) -> str:
    """A number as a person types it.

    >>> decimal(Fraction(9, 10)), decimal(Fraction(1, 10**8)), decimal(2)
    ('0.9', '1e-8', '2')
    """
    return f"{float(value):g}".replace("e-0", "e-") if isinstance(value, Fraction) else str(value)


def _tex(value: Any) -> str:
    return re.sub(r"^1e([+-])(\d+)$", lambda m: rf"10^{{{m[1].strip('+')}{m[2]}}}", decimal(value))


def schedule_entry(table: str, name: str, row: Any) -> Entry:
    """A learning-rate schedule: the rate of step t. row: rate and whole (names that are the whole part of a formula), as text."""
    network, trees = assigned({"eta_t": row.rate})
    whole = tuple(Fact("Where", f"{n} is the whole part of {text}", rf"${_letter(n)} = \lfloor {_shown(network, text)} \rfloor$")
                  for n, text in getattr(row, "whole", {}).items())
    return Entry(table, name, row.because, network, trees, facts=lambda: (*whole, *options(row), *stated(row)),
                 code=(*(f"{n} = np.floor({tree_code(assigned({n: text})[1][0][1])})" for n, text in getattr(row, "whole", {}).items()),
                       f"eta_t = {tree_code(trees[0][1])}"))


def equation_entry(of: Callable[[str, Any], str], left: str, matrix: str) -> Callable[[str, str, Any], Entry]:
    """A reader for rows that are one equation in a matrix: of(name, row) is its right-hand side as text."""
    def read(table: str, name: str, row: Any) -> Entry:
        network = from_equations({left: of(name, row)}, {matrix: SIZE})
        right = network.equations[0].rhs

        def parts() -> tuple[Certified, ...]:
            return (certify(plan(network, ("matrix",), wrt=(matrix,))),)

        return Entry(table, name, row.because, network, ((ex.sym(left, right.shape), right),), facts=lambda: (*options(row), *stated(row)), parts=parts)

    return read


def sentence_entry(table: str, name: str, row: Any) -> Entry:
    """A row that is known by its sentence alone (a slip: what a marker would write), its places by their names."""
    said = getattr(row, "because", "") or row.sentence
    facts = [Fact(head, str(getattr(row, field))) for field, head in (("kind", "Kind"), ("step", "Where")) if getattr(row, field, "")]
    return Entry(table, name, re.sub(r"[`{}]", "", said), facts=lambda: (*facts, *stated(row)))
