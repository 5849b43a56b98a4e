"""Entries of the catalogue as plain text: rows of a list, a card for the terminal, JSON."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Any

from .. import expr as ex
from ..catalogue.entry import Entry, equation_text
from ..latex import Printer
from ..lesson import Line, Shown
from ..network import Network
from ..pages.sections import sections
from ..pages.sheet import Sheet, TexLine, TexStep
from ..problem import Problem
from ..verify import Certified

WIDTH = 100    # columns of a terminal
LONGEST = 110  # letters of a formula in a list


def sheet_of(certified: Certified) -> Sheet:
    """A certified derivation without numbers as a sheet of LaTeX lines."""
    return Sheet(Problem("", certified.lesson.network, {}), certified)


def brief(entry: Entry) -> str:
    """The formula of a row in a list: the first equation, and how many follow, where there are many."""
    whole = entry.formula
    if len(whole) <= LONGEST:
        return whole
    first, *others = whole.split("; ")
    return f"{first}; and {len(others)} more" if others else whole


def phrase(entry: Entry) -> str:
    """The first sentence of what a row says ('et al.' ends none)."""
    return re.split(r"(?<!\bal)\. ", entry.because)[0].rstrip(".") + "."


def rows_as_table(groups: Sequence[tuple[str, Sequence[Entry]]]) -> str:
    """The list for a terminal: name, formula and the first sentence of every row, in 100 columns."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    longest = max((len(e.name) for _, entries in groups for e in entries), default=0)
    out = StringIO()
    console = Console(width=WIDTH, file=out, color_system=None)
    for title, entries in groups:
        table = Table(box=None, pad_edge=False, title=title, title_justify="left", title_style="bold", show_header=False, padding=(0, 2, 0, 0), expand=True)
        table.add_column(no_wrap=True, width=longest)
        table.add_column(ratio=5, overflow="fold")
        table.add_column(ratio=4, overflow="fold")
        for e in entries:
            table.add_row(*map(Text, (e.name, brief(e), phrase(e))))
        console.print(table)
        console.print()
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def listed(entries: Iterable[Entry]) -> str:
    """The list as JSON: table, name, formula and phrase of every row."""
    rows = [{"table": e.table, "name": e.name, "formula": e.formula, "because": e.because} for e in entries]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


# ---------------------------------------------------------------- a card for the terminal

def card(entry: Entry) -> str:
    """One row as a person reads it in a terminal of 100 columns."""
    out = [f"{entry.name}  ({entry.table})", *(f"  {line}" for line in textwrap.wrap(entry.because, WIDTH - 2)), ""]
    out += [f"  {line}" for left, right in entry.equations for line in _filled(equation_text(left, right, entry.sign), WIDTH - 2)]
    for certified in entry.parts():
        for step in certified.lesson.steps:
            out += ["", *_step(step, certified.lesson.network, entry.because)]
    for section in sections(entry.sheet()) if entry.sheet else ():
        out += ["", f"  {section.title}" + (f"  (checked: {section.checked})" if section.checked else ""), *(f"    {line}" for line in textwrap.wrap(section.said, WIDTH - 4))]
    out.append("")
    for head, lines in (*((f.head, [f.said]) for f in entry.facts()), *([("NumPy", list(entry.code))] if entry.code else [])):
        wrapped = [part for line in lines for part in (textwrap.wrap(line, WIDTH - 14) or [""])]
        out += [f"  {head if k == 0 else '':<12}{line}" for k, line in enumerate(wrapped)]
    return "\n".join([*out, ""])


def _step(step: Shown, network: Network, said: str) -> list[str]:
    vector = bool(network.symbols[step.of].shape)
    free = next((x.free for x in step.lines if x.kind == "index"), (None, None))
    entry = ",".join(x for x in free if x)
    left = (f"{step.wrt}_bar" if vector else f"d{step.of}/d{step.wrt}") + (f"[{entry}]" if entry else "")
    out = [f"  {left}  ({step.level}, checked: {step.checked})", *(f"    {line}" for line in textwrap.wrap(step.because if step.because != said else "", WIDTH - 4))]
    before: tuple[str, list[str]] = ("", [])
    for line in step.lines:
        name = left if line.lhs is None else ex.text(line.lhs).removeprefix("(").removesuffix(")")
        rows = _filled(_barred(ex.text(line.rhs), step.of if vector else ""), WIDTH - 9 - len(name))
        pad = " " * len(name)
        if (name, rows) == before:  # the same line on paper
            continue
        out += [f"    {name if name != before[0] else pad} = {rows[0]}", *(f"    {pad}     {row}" for row in rows[1:])]
        before = name, rows
        if line.because and line.because != step.because and line.kind != "forward":
            out += [f"    {pad}     | {row}" for row in textwrap.wrap(line.because.replace(".; ", ". "), WIDTH - 12 - len(pad))]
    return out


def _barred(text: str, output: str) -> str:
    """For an output that is not one number: what a direction in it pulls back, written v_bar."""
    return re.sub(rf"\(d{re.escape(output)}/d(\w+)\)", r"\1_bar", text) if output else text


def _filled(text: str, room: int) -> list[str]:
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False, subsequent_indent="  ") or [text]


# ---------------------------------------------------------------- data

def data(entry: Entry) -> dict[str, Any]:
    """One row as plain data, formulas as text and as LaTeX."""
    steps = [_data(s) for certified in entry.parts() for s in sheet_of(certified).steps()]
    return {"table": entry.table, "name": entry.name, "formula": entry.formula, "because": entry.because,
            "latex": [x.text for x in definition_lines(entry)], "steps": steps,
            "facts": {f.head.lower(): f.said for f in entry.facts()}, "numpy": list(entry.code), **_beside(entry)}


def _beside(entry: Entry) -> dict[str, Any]:
    """The sections beside the derivation, where a row has any."""
    if entry.sheet is None:
        return {}
    return {"sections": [{"title": s.title, "said": s.said, "latex": [x.text for x in s.lines], "heads": list(s.heads), "cells": [list(c) for c in s.cells],
                          "checked": s.checked, "data": s.data} for s in sections(entry.sheet())]}


def _data(step: TexStep) -> dict[str, Any]:
    s = step.shown
    return {"of": s.of, "wrt": s.wrt, "level": s.level, "rule": s.rule, "because": s.because,
            "lines": [_text(line) for line in s.lines], "latex": [x.text for x in step.lines], "checked": s.checked}


def _text(line: Line) -> dict[str, str]:
    out = {"formula": ex.text(line.rhs), "because": line.because}
    return out if line.lhs is None else {"of": ex.text(line.lhs), **out}


def definition_lines(entry: Entry) -> list[TexLine]:
    """The defining equations as LaTeX: a = sigma(z) = ..., or name = right-hand side."""
    if entry.lines is not None:
        return entry.lines()
    if entry.network is None:
        return []
    printer, out = Printer(entry.network, colour=False), []
    for left, right in entry.equations:
        name, shown, body = printer.name(entry.network.output), printer(left), printer(right)
        if left.op in ("sym", "grad"):
            out.append(TexLine(shown, body))
        else:  # a function applied: its output has a letter of its own
            out.append(TexLine(name, body if shown == body else f"{shown} = {body}"))
    return out


def as_json(entries: Iterable[Entry]) -> str:
    """One row as a JSON object; several of the same name as a list."""
    rows = [data(e) for e in entries]
    return json.dumps(rows[0] if len(rows) == 1 else rows, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
