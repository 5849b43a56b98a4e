"""Every training step worked through in numbers: the forward pass, the gradients, the new parameters; for an answer key and for the terminal."""

from __future__ import annotations

from typing import Any

from mpmath import mp

from ..decimals import matrix
from ..language.arithmetic import Matrix
from ..lectures.descent import Path
from ..network import entry_symbols
from ..values import DIGITS, forward
from .descentpages import listed, steps_section, timed
from .sheet import Section, Sheet, TexLine


def trace_sections(sheet: Sheet, path: Path) -> list[Section]:
    """One section a step, then the table of all steps."""
    with mp.workdps(DIGITS):
        return [*(_step(sheet, path, t) for t in range(1, len(path.moments))), steps_section(sheet, path)]


def _step(sheet: Sheet, path: Path, t: int) -> Section:
    """Step t: all values of the forward pass, the gradient and the new value of every parameter."""
    before, after = path.moments[t - 1], path.moments[t]
    problem = sheet.problem.portions[after.examples] if after.examples else sheet.problem
    network, printer = problem.network, sheet.printer
    values = forward(network, {**(problem.numbers() or {}), **before.values})

    def cells(rows: Matrix, *, beside: bool = False) -> str:
        widest = sheet.widest - 2 if beside and len(rows[0]) >= sheet.widest - 1 else sheet.widest  # two of them have to fit a line
        return matrix([[sheet.numbers(printer).cell(v) for v in row] for row in rows], widest)

    lines = [TexLine(printer.name(eq.name), cells(values[eq.name]), kind="numbers") for eq in network.equations]
    loss = printer.name(network.output)
    for name in sheet.problem.moved:
        own = printer.name(name)
        lines.append(TexLine(printer.fraction(loss, own), cells(after.gradient[name]), kind="numbers"))
        lines.append(TexLine(own, rf"{cells(before.values[name], beside=True)} \;\longrightarrow\; {cells(after.values[name], beside=True)}", kind="numbers"))
    said = "The forward pass before the step, then gradient and new value of every parameter."
    if path.plan.optimizer.at != "w":
        said = "The forward pass before the step; the gradients are taken ahead of the parameters."
    if after.examples:
        said += f" The step uses {listed(after.examples)}."
    blanks = tuple((timed(printer.name(n), str(t)), network.symbols[n].shape) for n in sheet.problem.moved)
    return Section(f"Step {t}", said, tuple(lines), checked="30 digits", blanks=blanks)


def rows(sheet: Sheet, path: Path) -> list[tuple[str, ...]]:
    """Heads and rows of plain text for the terminal: one row a number that is learned, step after step."""
    names = sheet.problem.moved
    out: list[tuple[str, ...]] = [("step", "loss before", "learning rate", "name", "value", "gradient", "new value")]
    for before, after in zip(path.moments, path.moments[1:], strict=False):
        first = (str(after.t), _plain(after.batch_loss, sheet.digits), _plain(after.rate, sheet.digits))
        for name in names:
            for i, row in enumerate(entry_symbols(sheet.network.symbols[name])):
                for j, symbol in enumerate(row):
                    numbers = (m[name][i][j] for m in (before.values, after.gradient, after.values))
                    out.append((*first, symbol.name, *(_plain(v, sheet.digits) for v in numbers)))
                    first = ("", "", "")
    return [*out, ("end", _plain(path.last.loss, sheet.digits), "", "", "", "", "")]


def _plain(value: Any, digits: int) -> str:
    return "" if value is None else str(mp.nstr(value, digits, strip_zeros=False))
