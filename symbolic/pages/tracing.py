"""Every training step of a file worked through in numbers, in high precision: the forward pass, the gradients, the new parameters; for an answer key and
for the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mpmath import mp

from ..decimals import matrix
from ..errors import SpecError
from ..language.arithmetic import Matrix
from ..lectures.descent import Path as Steps, run
from ..lesson import plan
from ..network import entry_symbols
from ..numeric.job import first_steps
from ..problem import build
from ..reading.specfile import load
from ..spec import Init
from ..values import DIGITS, forward
from ..verify import certify
from .descentpages import listed, steps_section, timed
from .sheet import Section, Sheet, TexLine

SCHEME = "glorot_uniform"  # as training draws weights where the file names no scheme


def traced(file: Path, steps: int, digits: int, batch: int | None = None) -> tuple[Sheet, Steps]:
    """The sheet of a file, and so many steps of its optimizer (gradient descent where none is named) from its numbers.

    batch: examples a step, in place of the file's own; of a data set, the examples that training takes first are worked through.
    Raises SpecError where there are no numbers to work through, CheckError for a step that fails its check.
    """
    spec = load(file)
    examples_of_file = spec.data is None
    if spec.learning_rate is None:
        raise SpecError("a step needs learning_rate", where=spec.where(), hint="for example learning_rate: 0.1")
    if spec.data is not None:
        spec = first_steps(spec, steps, batch)
    elif batch is not None:
        spec = spec.model_copy(update={"optimizer": {**(spec.optimizer or {"name": "gradient_descent"}), "batch": str(batch)}})
    given = {**(spec.optimizer or {"name": "gradient_descent"}), "steps": str(steps)}
    if examples_of_file and spec.train is not None and spec.train.batch is not None and "batch" not in given:
        given |= {"batch": str(spec.train.batch), "seed": str(spec.train.seed)}
    changes: dict[str, Any] = {"optimizer": given, "compare": None}
    if spec.is_network and spec.init is None and any(x.W is None and not x.weights for x in spec.layers):
        changes["init"] = Init(scheme=SCHEME, seed=spec.train.seed if spec.train else 0)
    problem = build(spec.model_copy(update=changes))
    if problem.descent is None:
        raise SpecError("there are no numbers to work through", where=spec.where(), hint="give every number")
    certified = certify(plan(problem.network, ("matrix", "numbers"), wrt=problem.wrt), problem.numbers())
    sheet = Sheet(problem, certified, digits=digits)
    try:
        return sheet, run(problem, sheet.lesson.derivation, problem.descent)
    except ArithmeticError as e:
        raise SpecError(f"the given numbers cannot be computed with: {e}", where=file.name) from None


# ---------------------------------------------------------------- the pages

def trace_sections(sheet: Sheet, path: Steps) -> list[Section]:
    """One section a step, then the table of all steps."""
    with mp.workdps(DIGITS):
        return [*(_step(sheet, path, t) for t in range(1, len(path.moments))), steps_section(sheet, path)]


def _step(sheet: Sheet, path: Steps, t: int) -> Section:
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


def rows(sheet: Sheet, path: Steps) -> list[tuple[str, ...]]:
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
