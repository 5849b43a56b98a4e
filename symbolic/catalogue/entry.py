"""One row of a table as the catalogue sees it, whatever the table: formula, facts, code, plot, certified derivations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from .. import expr as ex
from ..derive import derive
from ..expr import Expr
from ..network import Equation, Network, Symbol
from ..numeric.listing import listing, written
from ..numpycode import typed
from ..pages.sheet import Sheet, TexLine
from ..verify import Certified


@dataclass(frozen=True)
class Fact:
    """One thing to know about a row, in words; tex: the same as LaTeX where words do not say it well."""

    head: str
    said: str
    tex: str = ""


@dataclass(frozen=True)
class Graph:
    """What the plot of a row shows: a function over a span, its slope (None: it has none), and their names as LaTeX."""

    across: str
    span: tuple[float, float]
    f: Callable[[float], float]
    slope: Callable[[float], float] | None
    labels: tuple[str, str]
    kinks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One row. equations: (left side, right side) as defined, in the names of the network; sign: what stands between them;
    lines: the equations as LaTeX, where a page of their own has them; coded, facts, graph, parts: NumPy by lines, what is known, its plot and its derivations, worked out when asked for;
    sheet: where more sections belong to it than the derivation."""

    table: str
    name: str
    because: str
    network: Network | None = None
    equations: tuple[tuple[Expr, Expr], ...] = ()
    sign: str = "="
    facts: Callable[[], tuple[Fact, ...]] = field(default=lambda: ())
    coded: Callable[[], Iterable[str]] = field(default=lambda: ())
    graph: Callable[[], Graph] | None = None
    lines: Callable[[], list[TexLine]] | None = None
    parts: Callable[[], tuple[Certified, ...]] = field(default=lambda: ())
    sheet: Callable[[], Sheet] | None = None

    @cached_property
    def code(self) -> tuple[str, ...]:
        """NumPy, line by line."""
        return tuple(self.coded())

    @property
    def formula(self) -> str:
        """The defining equations as plain text."""
        return "; ".join(equation_text(*both, self.sign) for both in self.equations)


def equation_text(left: Expr, right: Expr, sign: str = "=") -> str:
    """left = right, or the right side alone where a primitive stands for itself."""
    return ex.text(right) if left == right else f"{ex.text(left)} {sign} {ex.text(right)}"


SPOKEN = (("also", "Also"), ("defined", "Domain"), ("at_kink", "Kinks"), ("convention", "Convention"), ("warning", "Warning"), ("used", "Used"), ("source", "Source"))


def stated(row: Any) -> tuple[Fact, ...]:
    """What a row says in words about itself: whichever of the fields above it has."""
    return tuple(Fact(head, _sentence(said if isinstance(said, str) else "called " + ", ".join(filter(str.isascii, said)))) for name, head in SPOKEN if (said := getattr(row, name, "")))


def _sentence(words: str) -> str:
    """A capital in front and a full stop behind, unless it starts with a formula."""
    return (words[0].upper() + words[1:] if words[1:2].islower() or words[1:2] == " " else words).rstrip(".") + "."


def interval(row: Any) -> tuple[Fact, ...]:
    """The range that a row states, as LaTeX and in plain letters."""
    tex = getattr(row, "range", "").replace("infinity", r"\infty")
    return (Fact("Range", plain_range(tex), f"${tex}$"),) if tex else ()


def plain_range(tex: str) -> str:
    r"""A range in LaTeX as plain text.

    >>> plain_range(r"\left[-\tfrac{\pi}{2}, \infty\right)"), plain_range(r"\{0, 1\}")
    ('[-pi/2, infinity)', '{0, 1}')
    """
    out = re.sub(r"\\[td]?frac\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2", tex)
    out = re.sub(r"\\(left|right|[,;!])", "", out)
    out = re.sub(r"(\\[a-zA-Z]+)(?=\\)", r"\1 ", out)  # two letters in a row stay apart
    return re.sub(r"\\([a-zA-Z]+)", lambda m: {"infty": "infinity", "mathbb": "", "lbrace": "{", "rbrace": "}"}.get(m[1], m[1]), out).replace("\\", "")


def filled_in(source: str, **names: str) -> str:
    """NumPy source of a row with its names put in, as a person types it."""
    return typed(source.format(**names).replace("numpy.", "np."))


def network_code(network: Network, wrt: Sequence[str] | None = None, upstream: str = "") -> tuple[str, ...]:
    """Forward pass and gradients of a network in NumPy; functions by the names of their own entries.

    wrt: as in ``listing``; upstream: the value whose gradient comes in, so that the loss behind it needs no line. What is no
    single number is summed after all, and its gradient is what comes in.
    """
    out = network.symbols[network.output]
    if out.shape:
        end, upstream = Equation("total", ex.node("sum", (out.expr,))), out.name
        network = replace(network, equations=(*network.equations, end), symbols={**network.symbols, end.name: Symbol(end.name)})
    made = listing(network, derive(network), wrt, update=False)
    left = {made.output, made.program.slopes[upstream]} if upstream else set()
    tables = [f"{name} = np.array({cells})" for name, cells in made.tables.items()]
    return (*tables, *dict.fromkeys(f"{x.name} = {written(x.code)}" for f in made.functions for x in f.lines if x.name not in left))
