"""Rows that state their equations as text, as entries of the catalogue: updates, schedules, penalties, matrix functions, slips.

A row is read by the fields it has, so that any table of such rows is one line in ``catalogue.TABLES``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Any

from .. import expr as ex
from ..expr import Expr
from ..language.parse import names_in, parse
from ..latex import Printer, letter
from ..lectures.descent import check_first, scheduled
from ..lesson import plan
from ..network import Equation, Network, Symbol, from_equations
from ..numpytree import tree_code
from ..optimizers import Optimizer, Schedule
from ..pages.curvature import checked_entries
from ..pages.descentpages import row_lines
from ..pages.sheet import Sheet, TexLine
from ..verify import Certified, certify
from .entry import Entry, Fact, Graph, interval, network_code, stated
from .models import Model, derived, problem

SIZE = (2, 2)  # of a matrix in an example
STEPS = 40     # of a schedule in a picture, and its period where a file would give the number of steps


def update_entry(table: str, name: str, row: Optimizer) -> Entry:
    """An optimizer: its update equations, each a new value from those above it and the old ones; its first step, proved."""
    network, trees = assigned(row.equations)
    starts = ", ".join(f"{s} = {v}" for s, v in row.states.items())
    point = "" if row.at == "w" else f"taken at {row.at}"

    def facts() -> tuple[Fact, ...]:
        check_first(row)
        found = [Fact("Starts at", starts), Fact("Gradient", point, f"taken at ${_shown(network, row.at)}$")]
        if row.first != row.equations["w"]:
            found.append(Fact("First step", f"w <- {row.first}", rf"$\displaystyle w \leftarrow {_shown(network, row.first)}$"))
        return (*(f for f in found if f.said), *options(row), *stated(row))

    return Entry(table, name, row.because, network, trees, sign="<-", facts=facts, lines=lambda: row_lines(name),
                 coded=lambda: [f"{left.data} = {tree_code(right)}" for left, right in trees])


def assigned(equations: Mapping[str, str]) -> tuple[Network, tuple[tuple[Expr, Expr], ...]]:
    """Lines that give names new values; a name on the right that has none yet is the old one."""
    trees = tuple((ex.sym(target), parse(text, {n: ex.sym(n) for n in names_in(text)})) for target, text in equations.items())
    names = dict.fromkeys(n for left, right in trees for n in (left.data, *sorted(right.names)))
    return Network(tuple(Equation(left.data, right) for left, right in trees), {n: Symbol(n, (), "value", n) for n in names}), trees


def _shown(network: Network, text: str) -> str:
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


def schedule_entry(table: str, name: str, row: Schedule) -> Entry:
    """A learning-rate schedule: the rate of step t, and its picture for a first rate of 1."""
    network, trees = assigned({"eta_t": row.rate})
    whole = [(n, assigned({n: text})[1][0][1]) for n, text in row.whole.items()]
    values = {"eta": Fraction(1), **{n: Fraction(STEPS) if o.default is None else o.default for n, o in row.options.items()}}

    def rate(t: float) -> float:
        return float(scheduled(row, values, t))

    return Entry(table, name, row.because, network, trees,
                 facts=lambda: (*(Fact("Where", f"{n} is the whole part of {ex.text(e)}") for n, e in whole), *options(row), *stated(row)),
                 coded=lambda: (*(f"{n} = np.floor({tree_code(e)})" for n, e in whole), f"eta_t = {tree_code(trees[0][1])}"),
                 graph=lambda: Graph("t", (1.0, STEPS + 1.0), rate, None, (r"\eta_{t} \text{ for } \eta = 1", ""), tuple(map(float, range(2, STEPS + 1))) if row.whole else ()),
                 lines=lambda: [x for x in row_lines("gradient_descent", name)[:-2]] or [TexLine(r"\eta_{t}", r"\eta")])


def equation_entry(of: Callable[[str, Any], str], left: str, matrix: str) -> Callable[[str, str, Any], Entry]:
    """A reader for rows that are one equation in a matrix: of(name, row) is its right-hand side as text."""
    def read(table: str, name: str, row: Any) -> Entry:
        network = from_equations({left: of(name, row)}, {matrix: SIZE})
        right = network.equations[0].rhs

        def parts() -> tuple[Certified, ...]:
            return (certify(plan(network, ("matrix",), wrt=(matrix,))),)

        return Entry(table, name, row.because, network, ((ex.sym(left, right.shape), right),), facts=lambda: (*interval(row), *options(row), *stated(row)),
                     coded=lambda: network_code(network, (matrix,)), parts=parts)

    return read


def spec_entry(table: str, name: str, row: Model) -> Entry:
    """A row that is a spec: its equations, its gradients, and what else it asks for."""
    network = problem(row).network
    return Entry(table, name, row.because, network, tuple((network.symbols[eq.name].expr, eq.rhs) for eq in network.equations), facts=lambda: stated(row),
                 coded=lambda: (*network_code(network), *_method_code(row)), parts=lambda: (derived(row),), sheet=(lambda: Sheet(problem(row), derived(row))) if row.sections else None)


def _method_code(row: Model) -> tuple[str, ...]:
    """What a method does beyond the gradient, with the Hessian written out where it needs one."""
    network = problem(row).network
    names = network.names("input")
    if not row.numpy or network.layers or (found := checked_entries(network, derived(row).lesson.derivation, names)) is None:
        return row.numpy
    table = ", ".join(f"[{', '.join(tree_code(e.result) for e in found[1] if e.first == x)}]" for x in names)
    return f"g = np.array([{', '.join(f'd{x}' for x in names)}])", f"H = np.array([{table}])", *row.numpy


def sentence_entry(table: str, name: str, row: Any) -> Entry:
    """A row that is known by its sentence alone (a slip: what a marker would write), its places by their names."""
    said = getattr(row, "because", "") or row.sentence
    facts = [Fact(head, str(getattr(row, field))) for field, head in (("kind", "Kind"), ("step", "Where")) if getattr(row, field, "")]
    return Entry(table, name, re.sub(r"[`{}]", "", said), facts=lambda: (*facts, *stated(row)))
