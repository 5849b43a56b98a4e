"""What was found about a person's code: the forward pass, a verdict a gradient, causes with their step and line, and how it was run.

`told` gives it as plain data, the one thing that every format prints, and no more of it than a hint allows: 0 the verdict alone, 1 where,
2 the cause, 3 the formula, 4 the corrected line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import expr as ex
from ..expr import Expr
from ..latex import Printer
from ..network import Network
from .judge import TensorVerdict

STATUSES = {"right": 0, "wrong": 1, "could not run": 2, "limit hit": 3}
HINTS = ("verdict only", "where", "cause", "formula", "corrected line")
WHERE, CAUSE, FORMULA, LINE = 1, 2, 3, 4
MOST_PRINTED = 2000  # letters of what the file printed
MOST_SHOWN = 4  # causes on a page


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
    of the forward pass gone back through; yours, right: the gradient as it was computed and as it should be; source: the line of the file where
    it enters; assigned: the value whose gradient that line computes; mended: that line corrected, where one was found that makes the file right; written:
    the right formula in NumPy, in the layout and the names of the file.
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
    steps: sentences about what applies the gradients, each with its least hint; updates: whether that is right (None: there is none);
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
    steps: tuple[tuple[int, str], ...] = ()
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
    def update(self) -> tuple[str, ...]:
        """All sentences about what applies the gradients."""
        return tuple(said for _, said in self.steps)

    @property
    def score(self) -> float:
        """The part of the gradients that are right, 0 where the code could not be run."""
        tested = [r.verdict.passed for r in self.rows if r.verdict.verdict != "UNTESTED"]
        tested += [self.updates] if self.updates is not None else []
        return sum(tested) / len(tested) if tested else 0.0

    def told(self, hint: int = 4) -> dict[str, Any]:
        """The report as plain data, no more than a hint allows."""
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


# ---------------------------------------------------------------- as plain data

def told(report: Report, hint: int = 4) -> dict[str, Any]:
    """The report up to a hint, or to what the instructor allows if that is less."""
    level = max(0, min(hint, report.most, len(HINTS) - 1))
    out: dict[str, Any] = {"file": report.file, "subject": report.title, "loss": report.loss, "status": report.status, "exit_status": report.exit_status,
                           "message": _message(report, level), "hint": level, "output": report.network.output if report.network is not None else "", "score": round(report.score, 4)}
    if level >= WHERE:
        out |= {"forward": list(report.forward), "gradients": [_row(r, level) for r in report.rows], **_place(report, level)}
        out |= {"update": [said for least, said in report.steps if least <= level], "update_right": report.updates}
        out |= {"warnings": list(report.warnings), "notes": list(report.notes)}
    if level >= CAUSE:
        causes, shown = _first_shown(report)
        out |= {"equals": list(report.equals), "causes": [[_reason(r, level) for r in both] for both in causes], "shown": shown, "recovered": list(report.recovered)}
    out |= {"seed": report.seed, "numbers": report.dtype, "sandbox": [{"layer": n, "active": a, "note": note} for n, a, note in report.layers],
            "printed": report.printed[:MOST_PRINTED]}
    out["names"] = _names(out, report.network)
    return out


def plain(data: dict[str, Any]) -> dict[str, Any]:
    """The same without what only pages need."""
    return {k: v for k, v in data.items() if k != "names"}


def _message(report: Report, level: int) -> str:
    """Without hints only whether it is right; why it could not run is always said."""
    if level >= WHERE or report.exit_status > 1:
        return report.message
    return "Every gradient is right." if report.right else "Not every gradient is right."


def _place(report: Report, level: int) -> dict[str, Any]:
    """Where to look: the first wrong gradient and its line; short of the cause, the line in which the mistake behind it enters, where one is known."""
    where, enters = _until_cause(report.where, level), {both[0].source for both in report.causes if both}
    source = enters.pop() if level < CAUSE and len(enters) == 1 else Source()
    if not source.line:
        return {"where": where, "first": _source(report.first)}
    return {"where": f"{where} The mistake enters in this line:", "first": _source(source)}


def _first_shown(report: Report) -> tuple[list[tuple[Reason, ...]], int]:
    """The causes, first those that a page shows, and how many these are: of one mistake at one place (the slope of a relu, of a relu6, of an elu) the first."""
    kinds = {tuple((r.slip, r.value) for r in both): k for k, both in reversed(list(enumerate(report.causes)))}
    shown = sorted(kinds.values())[:MOST_SHOWN]
    return [report.causes[k] for k in [*shown, *(k for k in range(len(report.causes)) if k not in shown)]], len(shown)


def _until_cause(sentence: str, level: int) -> str:
    """What a verdict says of the cause (m times the right one) waits for that hint."""
    return sentence if level >= CAUSE else sentence.split(". ")[0].rstrip(".") + "." if sentence else ""


def _row(row: Row, level: int) -> dict[str, Any]:
    v = row.verdict
    out = {"group": row.group, "gradient": v.name, "shape": list(row.shape), "verdict": v.verdict, "passed": v.passed, "error": number(v.error), "limit": v.limit,
           "at": {"point": v.at[0], "entry": list(row.entry)} if v.at else None, "source": _source(row.source)}
    return {**out, "cosine": number(v.cosine), "scale": number(v.scale), "constant": v.constant, "said": v.said} if level >= CAUSE else out


def number(x: float | None) -> float | str | None:
    """A number that JSON can hold, at eight digits.

    >>> number(float("inf")), number(0.123456789123)
    ('infinite', 0.12345679)
    """
    if x is None or math.isfinite(x):
        return None if x is None else float(f"{x:.8g}")
    return "infinite" if x == x else "not a number"


def _source(s: Source) -> dict[str, Any] | None:
    """place: where it stands in its file, as its author counts; of a notebook with the cell.

    >>> [_source(Source(19, where, "x"))["place"] for where in ("a.ipynb, cell 2, line 16", "a.py:19")]
    ['cell 2, line 16', '19']
    """
    _, cell, at = s.where.rpartition(", cell ")
    return {"line": s.line, "place": f"cell {at}" if cell else str(s.line), "where": s.where, "text": s.text} if s.line else None


def _reason(r: Reason, level: int) -> dict[str, Any]:
    out: dict[str, Any] = {"slip": r.slip, "said": r.said, "value": r.value, "step": r.step, "steps": r.steps, "equation": r.equation, "source": _source(r.source)}
    gradient = _gradient(r)
    out["slope"] = f"d{r.network.output}/d{r.value}" if gradient is not None and r.network is not None else ""
    if level >= FORMULA:
        out |= {"gradient": _formula(gradient, r.network), "yours": _formula(r.yours, r.network), "right": _formula(r.right, r.network)}
    if level >= LINE:
        out |= {"corrected": r.mended, "written": r.written}
    return out


def _gradient(r: Reason) -> Expr | None:
    return ex.grad(r.network.output, r.value) if r.network is not None and r.value in r.network.symbols else None


def _formula(e: Expr | None, network: Network | None) -> dict[str, str] | None:
    """A tree as text and LaTeX (empty without a network); None where a mistake brings in names that nobody has seen, as of the last example."""
    if e is None or network is not None and not e.names <= network.symbols.keys():
        return None
    text = ex.text(e)
    text = text[1:-1] if e.op == "grad" else text
    return {"text": text, "latex": Printer(network)(e) if network is not None else ""}


def _quoted(value: Any) -> Iterator[str]:
    """What stands between backticks in the sentences."""
    if isinstance(value, str):
        yield from value.split("`")[1::2]
    elif isinstance(value, dict):
        for v in value.values():
            yield from _quoted(v)
    elif isinstance(value, list):
        for v in value:
            yield from _quoted(v)


def _names(data: dict[str, Any], network: Network | None) -> dict[str, str]:
    """The LaTeX of the names of the network in sentences: dL/dz1, a1."""
    if network is None:
        return {}
    printer, out = Printer(network), {}
    asked = [f"d{network.output}/d{r['gradient']}" for r in data.get("gradients", ())] + [c["slope"] for both in data.get("causes", ()) for c in both if c["slope"]]
    for word in dict.fromkeys([*asked, *_quoted(data)]):
        slope = re.fullmatch(r"d(\w+)/d(\w+)", word)
        names = [network.resolve(n) for n in (slope.groups() if slope else (word,))]
        if all(n in network.symbols for n in names):
            out[word] = rf"\partial {printer.name(names[0])} / \partial {printer.name(names[1])}" if slope else printer.name(names[0])
    return out
