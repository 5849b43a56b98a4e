"""What a template needs: frames, rows and tables of ready LaTeX. Layout lives here and in the templates;
the formulas come from the sheet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mpmath import mp

from ..expr import show_shape
from ..latex import Printer, matrix_like
from ..network import Symbol
from ..sheet import Sheet, TexLine, TexStep
from ..values import DIGITS
from . import words
from .lines import broken, fits, split
from .text import escape
from .width import height, width

ROW_GAP = 7.0  # points between two rows of a display
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


SLIDE = Paper(width=400.0, height=150.0, overlays=True, narrow=262.0)
SHEET = Paper(width=478.0, height=560.0, overlays=False)

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
    return sum(max(height(r["left"]) if r["left"] else 0.0, height(r["right"])) + ROW_GAP for r in rows)


def spaced(rows: Sequence[Row]) -> list[Row]:
    """Rows with the extra space below each (more after a tall one)."""
    return [{**r, "space": Tex("[3pt]")} for r in rows]


def pages_of(rows: Sequence[Row], room: float) -> list[list[Row]]:
    """Rows in portions that fit a frame; a row stays with the equation that it continues where that fits."""
    groups: list[list[Row]] = []
    for row in rows:
        if groups and not row["left"] and tall([*groups[-1], row]) <= room:
            groups[-1].append(row)
        else:
            groups.append([row])
    pages: list[list[Row]] = []
    for group in groups:
        if pages and tall([*pages[-1], *group]) <= room:
            pages[-1] += group
        else:
            pages.append(list(group))
    return pages


def part_of(k: int, count: int) -> Tex:
    """' (2 of 3)' behind a title, nothing for a single page."""
    return Tex(f" {{\\normalfont({k + 1} of {count})}}" if count > 1 else "")


class View:
    """The view of one sheet on one kind of paper."""

    def __init__(self, sheet: Sheet, paper: Paper) -> None:
        self.sheet, self.paper = sheet, paper
        self.network, self.problem = sheet.network, sheet.problem
        self.printer = Printer(self.network, colour=False)
        self.fitted = fitted(sheet, paper.width)

    # ------------------------------------------------------------ what is given

    def given(self) -> list[TexLine]:
        """name = number for every number of the file."""
        out = []
        numbers = self.fitted.numbers(self.printer)
        with mp.workdps(DIGITS):
            for name in self.problem.leaves:
                out.append(TexLine(self.printer.name(name), numbers.value(name)))
            for node, value in self.problem.known.items():
                out.append(TexLine(self.printer(node), numbers.cell(MP_number(value), value)))
            if self.problem.learning_rate is not None:
                out.append(TexLine(r"\eta", numbers.cell(MP_number(self.problem.learning_rate))))
        return out

    def symbolic_forward(self) -> list[TexLine]:
        return [line for _, line, _ in self.sheet.forward_lines()]

    def forward(self) -> list[Row]:
        """The forward pass: symbols, and numbers below each equation where there are any."""
        out: list[TexLine] = []
        for (_, line, _), (_, _, numbers) in zip(self.sheet.forward_lines(), self.fitted.forward_lines(), strict=True):
            out.append(line)
            if numbers is not None and "numbers" in self.sheet.lesson.levels:
                out.append(TexLine("", numbers.right, kind="numbers"))
        return rows_of(out, self.paper.width)

    # ------------------------------------------------------------ steps

    def step_rows(self, step: TexStep, narrow: TexStep, available: float) -> list[Row]:
        """All rows of a step; numbers from the narrower reading where the wide one does not fit."""
        rows = rows_of([*step.lines, *step.numbers], available)
        if not fits([(r["left"], r["right"]) for r in rows], available):
            rows = rows_of([*step.lines, *narrow.numbers], available)
        return rows

    def heading(self, step: TexStep) -> dict[str, Tex]:
        """Title, subtitle, reason and mark of a step."""
        s = step.shown
        symbol = self._symbol(step)
        title, subtitle = words.step_title(s, symbol, self.network, self.scalar_printer if s.level == "scalar" else self.printer)
        if s.shape and s.level != "scalar":
            subtitle = f"{subtitle}\\quad ${show_shape(s.shape).replace('x', chr(92) + 'times')}$"
        kinks = words.kink_notes(s, self.network)
        return {"title": Tex(title), "subtitle": Tex(subtitle), "because": Tex(escape(" ".join([s.because, *kinks]))),
                "badge": Tex(rf"\checkmarkbox{{{s.checked}}}")}

    @property
    def scalar_printer(self) -> Printer:
        return Printer(self.sheet.scalar_network, colour=False)

    def _symbol(self, step: TexStep) -> Symbol:
        symbols = self.sheet.scalar_network.symbols if step.shown.level == "scalar" else self.network.symbols
        return symbols[step.shown.wrt]

    # ------------------------------------------------------------ update and table

    def update(self) -> list[Row]:
        """New parameters, loss before and after."""
        update = self.sheet.update()
        if update is None:
            return []
        lines = []
        numbers = self.fitted.numbers(self.printer)
        with mp.workdps(DIGITS):
            for name, after in update.after.items():
                key = (self.network.output, name)
                new = self.printer.name(name)
                gradient = self.printer.grad(*key)
                lines.append(TexLine(rf"{new} \leftarrow {new}", rf"- \eta\, {gradient}".removeprefix("- "), kind="update"))
                lines.append(TexLine("", self._update_numbers(numbers, name, after), kind="numbers"))
            out = self.printer.name(self.network.output)
            lines.append(TexLine(rf"{out}_{{\text{{before}}}}", numbers.cell(update.loss_before)))
            lines.append(TexLine(rf"{out}_{{\text{{after}}}}", numbers.cell(update.loss)))
        rows = rows_of(lines, self.paper.width)
        for r in rows:
            if r["line"].kind == "update" and r["first"]:
                r["right"] = Tex("- " + r["right"].removeprefix("= "))
        return rows

    def _update_numbers(self, numbers: Any, name: str, after: Any) -> str:
        from .. import expr as ex

        eta = self.problem.learning_rate
        key = (self.network.output, name)
        if key not in self.sheet.values:
            return str(numbers.value(name))
        shape = self.network.symbols[name].shape
        step = ex.Expr("add", (ex.sym(name, shape), ex.Expr("neg", (ex.Expr("mul", (ex.num(eta).with_role("decimal"), ex.grad(*key, shape)), None, shape),), None, shape)), None, shape)
        filled, result = numbers.line(step, after)
        return f"{filled} = {result}"

    def table(self) -> tuple[list[str], list[Row]]:
        """Heads and rows of the final table: value, gradient, new value of every name."""
        update = self.sheet.update()
        output = self.network.output
        numbers = self.fitted.numbers(self.printer)
        heads = ["value"] * bool(self.sheet.values) + ["gradient of $%s$" % self.printer.name(output)] + ["after the step"] * (update is not None)
        rows: list[Row] = []
        if not self.sheet.values or self.printer.bar:
            return [], []
        with mp.workdps(DIGITS):
            for name, symbol in self.network.symbols.items():
                if symbol.kind == "size":
                    continue
                cells = [f"${numbers.value(name)}$" if name in self.sheet.values else "---"]
                key = (output, name)
                cells.append(f"${numbers.value(key)}$" if key in self.sheet.values else "---")
                if update is not None:
                    after = update.after.get(name)
                    cells.append(f"${matrix_of(numbers, after)}$" if after is not None else "")
                grows = matrix_like(symbol.shape) or bool(symbol.shape)
                rows.append({"name": Tex(self.printer.name(name)), "cells": [Tex(c) for c in cells], "space": Tex("7pt" if grows else "1pt")})
        return heads, rows


def MP_number(value: Any) -> Any:
    from ..arithmetic import MP

    return MP.number(value)


def matrix_of(numbers: Any, value: Any) -> str:
    from ..decimals import matrix

    return matrix([[numbers.cell(v) for v in row] for row in value], numbers.widest)


def fitted(sheet: Sheet, available: float) -> Sheet:
    """The same sheet with matrices elided until its widest forward line of numbers fits."""
    best = sheet
    for widest in WIDEST:
        best = Sheet(sheet.problem, sheet.certified, digits=sheet.digits, colour=sheet.colour, widest=widest)
        lines = [n for _, _, n in best.forward_lines() if n is not None]
        rows = rows_of(lines, available)
        if fits([(r["left"], r["right"]) for r in rows], available):
            return best
    return best


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
