"""What was found about a person's code: the forward pass, a verdict a gradient, causes with their step and line, and how it was run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..expr import Expr
from ..network import Network
from .judge import TensorVerdict

STATUSES = {"right": 0, "wrong": 1, "could not run": 2, "limit hit": 3}
HINTS = ("verdict only", "where", "cause", "formula", "corrected line")


@dataclass(frozen=True)
class Source:
    """A place in the file: its line (0: not known), where that is as its author sees it, and its text."""

    line: int = 0
    where: str = ""
    text: str = ""


@dataclass(frozen=True)
class Row:
    """A verdict with its place: the gradient, the group it belongs to (a graph of an engine), the line that assigns it; shape, entry: as
    the file has them, where it lays its arrays out in another way."""

    verdict: TensorVerdict
    group: str = ""
    source: Source = Source()
    shape: tuple[int, ...] = ()
    entry: tuple[int, ...] = ()


@dataclass(frozen=True)
class Reason:
    """One mistake: the sentence, where in the derivation it enters, and the two formulas.

    value: whose gradient it changes first; step of steps: which step of the derivation that is, from the output; equation: the line
    of the forward pass gone back through; yours, right: the gradient as it was computed and as it should be; source: the line of the file where it enters; assigned: the value whose gradient that line computes; mended: that line corrected, where one was found that
    makes the file right; written: the right formula in NumPy, in the layout and the names of the file.
    """

    slip: str
    said: str
    value: str = ""
    step: int = 0
    steps: int = 0
    equation: str = ""
    yours: Expr | None = None
    right: Expr | None = None
    network: Network | None = None
    source: Source = Source()
    assigned: str = ""
    mended: str = ""
    written: str = ""


@dataclass(frozen=True)
class Report:
    """A check of one file or function.

    message: one sentence of what it comes to; forward: sentences about the forward pass and the loss, the first thing to read; equals: which loss
    the claimed loss, and the claimed gradients, belong to;
    causes: alternatives that give the same numbers, each one mistake or two; where: the first wrong gradient from the output, in a sentence;
    update: sentences about the function that applies the gradients, updates: whether it is right (None: there is none);
    recovered: the error signal behind it, where there is no cause; notes: what was supplied, found and assumed; warnings: what is no mistake
    but should be known; layers: the sandbox, as (name, active, note); printed: what the code printed.
    """

    file: str
    title: str
    status: str
    message: str
    loss: str = ""
    forward: tuple[str, ...] = ()
    equals: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    causes: tuple[tuple[Reason, ...], ...] = ()
    where: str = ""
    first: Source = Source()
    recovered: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    updates: bool | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    layers: tuple[tuple[str, bool, str], ...] = ()
    printed: str = ""
    seed: int = 0
    seconds: float = field(default=0.0, compare=False)
    dtype: str = "float64"
    most: int = 4
    network: Network | None = None

    @property
    def exit_status(self) -> int:
        """0 right, 1 wrong, 2 could not run, 3 limit hit."""
        return STATUSES[self.status]

    @property
    def right(self) -> bool:
        """Whether there is nothing to mend."""
        return self.status == "right"

    @property
    def score(self) -> float:
        """The part of the gradients that are right, 0 where the code could not be run."""
        tested = [r.verdict.passed for r in self.rows if r.verdict.verdict != "UNTESTED"]
        tested += [self.updates] if tested and self.updates is not None else []
        return sum(tested) / len(tested) if tested else 0.0

    def told(self, hint: int = 4) -> dict[str, Any]:
        """The report as plain data, no more than a hint allows. See `telling`."""
        from .telling import told

        return told(self, hint)

    def text(self, hint: int = 4, width: int = 120, *, colour: bool = False) -> str:
        """The report as text for a terminal."""
        from .terminal import terminal

        return terminal(self.told(hint), width, colour=colour)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        from ..render.checkpage import fragment

        return fragment(self.told())


def counted(rows: Sequence[Row]) -> str:
    """How many gradients there are of each verdict.

    >>> counted([Row(TensorVerdict("W1", "OK", (2, 2), 0.0, 1e-9)), Row(TensorVerdict("b1", "WRONG", (2,), 0.5, 1e-9))])
    '2 gradients: 1 OK, 1 WRONG'
    """
    found: dict[str, int] = {}
    for r in rows:
        found[r.verdict.verdict] = found.get(r.verdict.verdict, 0) + 1
    total = len(rows)
    return f"{total} gradient{'s' * (total != 1)}: " + ", ".join(f"{n} {name}" for name, n in found.items())
