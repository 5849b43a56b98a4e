"""What a template needs: frames, rows and tables of ready LaTeX. Layout lives here and in the templates;
the formulas come from the sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from mpmath import mp

from .. import expr as ex
from ..decimals import matrix
from ..expr import show_shape
from ..language.arithmetic import MP
from ..latex import Printer
from ..network import Symbol
from ..pages.sheet import Sheet, TexLine, TexStep, Update
from ..values import DIGITS
from . import words
from .lines import broken, fits, split
from .text import escape
from .width import height, width

ROW_GAP = 7.0  # points between two rows of a display
LEAST_ROW = 12.0  # no row is set closer than the lines of a text
ONE_PAGE = 200.0  # an equation of at most this height is not split between two pages
LETTER = 5.2  # points: about how wide a letter of a word is
WIDEST = (8, 6, 5, 4, 3)  # rows and columns of a matrix that are shown, as the page narrows


class Tex(str):
    """Text that is LaTeX already; everything else is escaped by the templates."""


@dataclass(frozen=True)
class Paper:
    """The room on a page: width and height of a display in points, overlays or not."""

    width: float
    height: float
    overlays: bool
    narrow: float = 0.0  # width beside a figure


SLIDE = Paper(width=396.0, height=145.0, overlays=True, narrow=262.0)
SHEET = Paper(width=477.0, height=560.0, overlays=False)

Row = dict[str, Any]


def rows_of(lines: Iterable[TexLine], available: float) -> list[Row]:
    """Display rows of formula lines, broken to the width."""
    lines = list(lines)
    margin = max((width(x.left) for x in lines), default=0.0)
    out: list[Row] = []
    for line in lines:
        for k, (left, right) in enumerate(broken("", line.right, available - margin)):
            out.append({"left": Tex(line.left if k == 0 else left), "right": Tex(right), "why": Tex(""), "line": line, "first": k == 0})
    return out


def tall(rows: Sequence[Row]) -> float:
    """The height of a display."""
    return sum(max(LEAST_ROW, height(r["left"]) if r["left"] else 0.0, height(r["right"])) + ROW_GAP for r in rows)


def spaced(rows: Sequence[Row]) -> list[Row]:
    """Rows with the extra space below each; the rows of a short equation stay on one page."""
    out: list[Row] = []
    for equation in _starting(rows, lambda r: bool(r["left"])):
        star = "*" if tall(equation) <= ONE_PAGE else ""
        out += [{**r, "space": Tex(f"{star if k < len(equation) - 1 else ''}[3pt]")} for k, r in enumerate(equation)]
    return out


def pages_of(rows: Sequence[Row], room: float) -> list[list[Row]]:
    """Rows in portions that fit a frame: whole equations where they fit, else from one equals sign to the next, else rows."""
    groups: list[list[Row]] = []
    for equation in _starting(rows, lambda r: bool(r["left"])):
        if tall(equation) <= room:
            groups.append(equation)
            continue
        for line in _starting(equation, lambda r: bool(r["left"]) or r["right"].startswith("=")):
            groups += [line] if tall(line) <= room else [[r] for r in line]
    pages: list[list[Row]] = []
    for group in groups:
        if pages and tall([*pages[-1], *group]) <= room:
            pages[-1] += group
        else:
            pages.append(list(group))
    return pages


def _starting(rows: Sequence[Row], begins: Callable[[Row], bool]) -> list[list[Row]]:
    """Rows in groups; a new one where a row begins something."""
    out: list[list[Row]] = []
    for row in rows:
        if out and not begins(row):
            out[-1].append(row)
        else:
            out.append([row])
    return out


T = TypeVar("T")


def portions(items: Iterable[T], need: Callable[[T], float], room: float) -> list[list[T]]:
    """Items in as few portions as the room allows, about equally large; one that needs more than the room stands alone.

    >>> portions(range(7), lambda item: 1.0, 6.0)
    [[0, 1, 2, 3], [4, 5, 6]]
    """
    every = list(items)
    full = _filled(every, need, room)
    share = sum(map(need, every)) / max(1, len(full))
    return next((even for k in range(10) if share * (1 + k / 10) < room and len(even := _filled(every, need, share * (1 + k / 10))) == len(full)), full)


def _filled(items: Iterable[T], need: Callable[[T], float], room: float) -> list[list[T]]:
    """Each portion as full as it gets."""
    out: list[list[T]] = []
    used = 0.0
    for item in items:
        used += need(item)
        if not out or used > room:
            out.append([])
            used = need(item)
        out[-1].append(item)
    return out


def numbered(pages: Sequence[T]) -> list[tuple[Tex, T]]:
    """Every page with its part_of."""
    return [(part_of(k, len(pages)), page) for k, page in enumerate(pages)]


def part_of(k: int, count: int) -> Tex:
    """' (2 of 3)' behind a title, nothing for a single page."""
    return Tex(f" {{\\normalfont({k + 1} of {count})}}" if count > 1 else "")


class View:
    """The view of one sheet on one kind of paper."""

    def __init__(self, sheet: Sheet, paper: Paper) -> None:
        self.sheet, self.paper = sheet, paper
        self.network, self.problem = sheet.network, sheet.problem
        self.printer = Printer(self.network, colour=False)
        self._table: dict[str, list[str]] | None = None
        self._strings: dict[Any, list[list[str]] | None] = {}
        self._readings: dict[int, Sheet] = {}
        self._worked = any(sheet.has(eq.name) for eq in sheet.network.equations)  # given numbers alone say nothing new

    # ------------------------------------------------------------ what is given

    def given(self) -> list[TexLine]:
        """name = number for every number of the file."""
        out = []
        numbers = self.sheet.numbers(self.printer)
        with mp.workdps(DIGITS):
            for name in self.problem.leaves:
                left = self.printer.name(name)
                out.append(TexLine(left, self._widest(name, width(left)) or ""))
            for node, value in self.problem.known.items():
                out.append(TexLine(self.printer(node), numbers.cell(MP.number(value), value)))
            if self.problem.learning_rate is not None:
                out.append(TexLine(r"\eta", numbers.cell(MP.number(self.problem.learning_rate))))
        return out

    def symbolic_forward(self) -> list[TexLine]:
        return [line for _, line, _ in self.sheet.forward_lines()]

    def forward(self) -> list[Row]:
        """The forward pass: symbols, and numbers below each equation where there are any."""
        readings = {w: self.reading(w).forward_lines() for w in WIDEST} if "numbers" in self.sheet.lesson.levels else {}
        lefts = [line.left for _, line, _ in self.sheet.forward_lines()]
        available = self.paper.width - max(map(width, lefts))
        out: list[TexLine] = []
        for k, (_, line, numbers) in enumerate(self.sheet.forward_lines()):
            out.append(line)
            if numbers is not None and readings:
                out.append(self._shortest([readings[w][k][2] for w in WIDEST], line, available))
        return rows_of(out, self.paper.width)

    def _shortest(self, readings: Sequence[TexLine | None], above: TexLine, available: float) -> TexLine:
        """The fullest line of numbers that fits the page together with its equation."""
        lines = [TexLine("", x.right, kind="numbers") for x in readings if x is not None]
        for line in lines:
            rows = rows_of([TexLine("", above.right), line], available)
            if fits([("", r["right"]) for r in rows], available) and tall(rows) <= self.paper.height:
                return line
        return lines[-1]

    # ------------------------------------------------------------ steps

    def step_rows(self, step: TexStep, available: float, room: float) -> list[Row]:
        """All rows of a step, with matrices elided until they fit the width and, if that can be, the height."""
        best: list[Row] | None = None
        for widest in WIDEST:
            reading = step if widest == WIDEST[0] or not step.numbers else self.reading(widest).step(step.shown)
            rows = rows_of([*step.lines, *reading.numbers], available)
            if fits([(r["left"], r["right"]) for r in rows], available):
                if tall(rows) <= room:
                    return rows
                best = best if best is not None and len(best) <= len(rows) else rows
            if not step.numbers:
                return rows
        return best if best is not None else rows

    def reading(self, widest: int) -> Sheet:
        """The sheet with matrices of at most so many rows and columns."""
        if widest not in self._readings:
            self._readings[widest] = Sheet(self.problem, self.sheet.certified, digits=self.sheet.digits, colour=self.sheet.colour, widest=widest,
                                           like=self.sheet)
        return self._readings[widest]

    def heading(self, step: TexStep) -> dict[str, Tex]:
        """Title, subtitle, reason and mark of a step."""
        s = step.shown
        symbol = self._symbol(step)
        title, subtitle = words.step_title(s, symbol, self.network, self.scalar_printer if s.level == "scalar" else self.printer)
        if s.shape and s.level != "scalar":
            subtitle = f"{subtitle}\\quad ${show_shape(s.shape).replace('x', chr(92) + 'times')}$"
        kinks = self.notes[id(s)]
        return {"title": Tex(title), "subtitle": Tex(subtitle), "because": Tex(escape(" ".join([s.because, *kinks]))),
                "badge": Tex(rf"\checkmarkbox{{{s.checked}}}")}

    @cached_property
    def notes(self) -> dict[int, list[str]]:
        """What is said once about the functions that a step passes."""
        return words.notes(self.sheet.lesson)

    @property
    def scalar_printer(self) -> Printer:
        return Printer(self.sheet.scalar_network, colour=False)

    def _symbol(self, step: TexStep) -> Symbol:
        symbols = self.sheet.scalar_network.symbols if step.shown.level == "scalar" else self.network.symbols
        return symbols[step.shown.wrt]

    # ------------------------------------------------------------ update and table

    def update(self) -> list[Row]:
        """New parameters, loss before and after."""
        update = self._update
        if update is None or self.problem.descent is None or self.problem.descent.named:  # a named optimizer has sections of its own
            return []
        lines: list[TexLine] = []
        numbers = self.sheet.numbers(self.printer)
        room = self.paper.width - max(width(rf"{self.printer.name(n)} \leftarrow {self.printer.name(n)}") for n in update.after)
        with mp.workdps(DIGITS):
            for name, after in update.after.items():
                new = self.printer.name(name)
                first = TexLine(rf"{new} \leftarrow {new}", rf"\eta\, {self.printer.grad(self.network.output, name)}", kind="update")
                readings = [TexLine("", self._update_numbers(self.reading(w).numbers(self.printer), name, after)) for w in WIDEST]
                lines += [first, self._shortest(readings, first, room)]
            out = self.printer.name(self.network.output)
            lines.append(TexLine(rf"{out}_{{\text{{before}}}}", numbers.cell(update.loss_before)))
            lines.append(TexLine(rf"{out}_{{\text{{after}}}}", numbers.cell(update.loss)))
        rows = rows_of(lines, self.paper.width)
        for r in rows:
            if r["line"].kind == "update" and r["first"]:
                r["right"] = Tex("- " + r["right"].removeprefix("= "))
        return rows

    def _update_numbers(self, numbers: Any, name: str, after: Any) -> str:

        eta = self.problem.learning_rate
        key = (self.network.output, name)
        if key not in self.sheet.values:
            return str(numbers.value(name))
        shape = self.network.symbols[name].shape
        step = ex.Expr("add", (ex.sym(name, shape), ex.Expr("neg", (ex.Expr("mul", (ex.num(eta).with_role("decimal"), ex.grad(*key, shape)), None, shape),), None, shape)), None, shape)
        filled, result = numbers.line(step, after)
        return f"{filled} = {result}"

    def table(self) -> tuple[list[str], list[Row]]:
        """Heads and rows of the final table: value, gradient, new value of every name that fits in columns."""
        if not self._worked or self.printer.bar:
            return [], []
        rows = []
        for name, cells in self._cells().items():
            if name in self._narrow:
                space = "4pt" if self.network.symbols[name].shape else "0pt"
                shown = [Tex(f"${c}$" if c else "---" if k < 2 else "") for k, c in enumerate(cells)]
                rows.append({"name": Tex(self.printer.name(name)), "cells": shown, "space": Tex(space)})
        kept = [k for k in range(len(self._heads)) if any(r["cells"][k] for r in rows)]
        return [self._heads[k] for k in kept], [{**r, "cells": [r["cells"][k] for k in kept]} for r in rows]

    def too_wide(self) -> list[Row]:
        """The values that do not fit in columns, one below the other."""
        if self.printer.bar:
            return self.jacobians()
        if not self._worked:
            return []
        wanted = []
        for name in self._cells():
            if name not in self._narrow:
                wanted += [(name, self.printer.name(name)), ((self.network.output, name), self.printer.grad(self.network.output, name)),
                           *([(("batch", name), self.batch_name(name))] if self._portion else []), (("after", name), self.new_name(name))]
        margin = max((width(left) for _, left in wanted), default=0.0)
        shown = [(left, self._widest(key, margin)) for key, left in wanted]
        return rows_of([TexLine(left, text) for left, text in shown if text is not None], self.paper.width)

    def jacobians(self) -> list[Row]:
        """The Jacobian with respect to each scalar or vector, one row an entry of the output."""
        out = self.network.output
        numbers = self.sheet.numbers(self.printer)
        lines = []
        if 1 not in self.network.symbols[out].shape:
            return []
        with mp.workdps(DIGITS):
            for name, rows in self.sheet.jacobians().items():
                shape = self.network.symbols[name].shape
                if not shape or 1 in shape:
                    cells = [[numbers.cell(v) for row in m for v in row] for m in rows]
                    lines.append(TexLine(self.printer.fraction(self.printer.name(out), self.printer.name(name)), matrix(cells, 10)))
        return rows_of(lines, self.paper.width)

    def new_name(self, name: str) -> str:
        """The name of an updated parameter."""
        plain = self.printer.name(name)
        return rf"{plain}^{{\text{{new}}}}" if "^" not in plain else rf"\text{{new }}{plain}"

    def batch_name(self, name: str) -> str:
        """The gradient by the examples of the first step alone."""
        return rf"{self.printer.grad(self.network.output, name)} \text{{ of the batch}}"

    @property
    def _portion(self) -> bool:
        """Whether the first step uses only some of the examples, so that its gradient is not that of the table."""
        return self._update is not None and bool(self._update.batch)

    @property
    def _heads(self) -> list[str]:
        heads = ["value", f"gradient of ${self.printer.name(self.network.output)}$"]
        return heads + ["gradient of the batch"] * self._portion + ["after the step"] * (self._update is not None)

    @cached_property
    def _narrow(self) -> frozenset[str]:
        """The names whose row fits beside the others; the widest leave the table until the rest does."""
        heads = [0.0, *(LETTER * len(h.split("$")[0]) for h in self._heads)]
        widths = {name: [width(self.printer.name(name)), *(width(c) if c else 0.0 for c in cells)] for name, cells in self._cells().items()}
        gap = 22  # between two columns
        while widths and sum(max(column) + gap for column in zip(heads, *widths.values(), strict=True)) - gap > self.paper.width:
            widths.pop(max(widths, key=lambda n: sum(widths[n])))
        return frozenset(widths)

    def _cells(self) -> dict[str, list[str]]:
        """Value, gradient and new value of every name, as LaTeX with nothing left out."""
        if self._table is None:
            names = [n for n, s in self.network.symbols.items() if s.kind != "size"]
            keys = ["value", "gradient"] + ["batch"] * self._portion + ["after"] * (self._update is not None)
            self._table = {n: [self._shown((self.network.output, n) if k == "gradient" else (k, n) if k in ("after", "batch") else n, 99) or ""
                               for k in keys] for n in names}
        return self._table

    def _shown(self, key: Any, widest: int) -> str | None:
        if key not in self._strings:
            self._strings[key] = self._printed(key)
        cells = self._strings[key]
        return None if cells is None else matrix(cells, widest)

    def _printed(self, key: Any) -> list[list[str]] | None:
        """Every entry of a value, a gradient or an updated parameter as a decimal."""
        numbers = self.sheet.numbers(self.printer)
        with mp.workdps(DIGITS):
            if isinstance(key, tuple) and key[0] in ("after", "batch"):
                value = getattr(self._update, key[0]).get(key[1]) if self._update else None
                return None if value is None else [[numbers.cell(v) for v in row] for row in value]
            return numbers.cells(key) if key in self.sheet.values else None

    @cached_property
    def _update(self) -> Update | None:
        return self.sheet.update()

    def _widest(self, key: Any, margin: float) -> str | None:
        """A value with as many rows and columns as the page holds."""
        text = None
        for widest in (20, 16, 12, 10, *WIDEST):
            text = self._shown(key, widest)
            if text is None or margin + width(text) + 20 <= self.paper.width and height(text) <= self.paper.height:
                return text
        return text


def overlaid(rows: Sequence[Row], signs: tuple[str, ...] = ()) -> tuple[list[Row], int]:
    """Rows with overlay numbers, and the last of them; the first row appears piece by piece at the signs."""
    out, k = [], 1
    for n, row in enumerate(rows):
        pieces = []
        for piece in split(row["right"], signs) if signs and n == 0 else [row["right"]]:
            pieces.append({"tex": Tex(piece + " "), "overlay": Tex(f"<{k}->")})
            k += 1
        out.append({**row, "overlay": pieces[0]["overlay"], "pieces": pieces})
    return out, k - 1
