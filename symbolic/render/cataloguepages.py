"""The catalogue on paper: one entry a block with formula, facts, plot and derivation; a page for one row, or the whole reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..catalogue import Entry, Graph, Table, entries_of
from ..errors import ChainruleError
from ..latex import Printer
from ..sheet import TexLine
from . import words
from .cataloguetext import as_json, definition_lines, sheet_of
from .documents import FALLBACK, make_environment, render
from .engine import DETERMINISTIC, compile_pdf, find_engine, install_hint
from .lines import fits
from .plots import Box, frame, marked, plot, sample
from .text import escape, markdown
from .view import SHEET, Row, Tex, rows_of, spaced, tall
from .width import height, width

LEFT = 268.0          # points: the column beside a plot
PLOT = (58.0, 40.0)   # millimetres
LIMITS = (-3.0, 4.0)  # a plot shows at most these values
PLOT_HEIGHT = 165.0   # points, with its legend and numbers
TOGETHER = 640.0      # points: an entry of at most this height is not split between two pages
REASON = (118.0, 190.0)  # points: the least and the most room of a reason beside its line
FORMATS = ("pdf", "tex", "md", "json")


@dataclass(frozen=True)
class Document:
    """A printed document before TeX has seen it."""

    source: str
    entries: int


# ---------------------------------------------------------------- one entry

def block(entry: Entry, label: str) -> dict[str, Any]:
    """An entry as the template wants it."""
    figure = _figure(entry.graph, *PLOT) if entry.graph is not None else ""
    room = LEFT if figure else SHEET.width
    definition = rows_of(definition_lines(entry), room)
    beside = figure and fits([(r["left"], r["right"]) for r in definition], room)
    if figure and not beside:
        definition = rows_of(definition_lines(entry), SHEET.width)
    facts = [{"head": f.head, "said": Tex(f.tex) if f.tex else f.said} for f in entry.facts]
    steps = [step for certified in entry.parts() for step in _steps(certified)]
    checks = sorted({s["checked"] for s in steps})
    high = _estimate(entry, definition, bool(figure)) + sum(s["high"] for s in steps)
    return {"name": entry.name, "label": Tex(label), "because": entry.because, "figure": Tex(figure), "definition": spaced(definition), "beside": bool(beside),
            "facts": facts, "code": [Tex(_code(line)) for line in entry.code], "steps": steps, "together": high <= TOGETHER,
            "badge": Tex("".join(rf"\checkmarkbox{{{c}}}" for c in checks))}


def _estimate(entry: Entry, definition: Sequence[Row], figure: bool) -> float:
    """About how high an entry is above its derivation, in points."""
    column = 46 if figure else 88
    text = sum(13.6 * (1 + len(t) // column) for t in (*(f.said for f in entry.facts), *entry.code))
    return 40 + max(PLOT_HEIGHT if figure else 0.0, text + tall(definition) + 20)


def _steps(certified: Any) -> list[dict[str, Any]]:
    sheet = sheet_of(certified)
    network = sheet.network
    printer = Printer(network, colour=False)
    out = []
    for step in sheet.steps():
        rows = reasoned(rows_of(step.lines, SHEET.width), SHEET.width, step.shown.because)
        scalar = Printer(sheet.scalar_network, colour=False) if step.shown.level == "scalar" else printer
        symbol = scalar.symbols[step.shown.wrt]
        title, subtitle = words.step_title(step.shown, symbol, network, scalar)
        out.append({"title": Tex(title), "subtitle": Tex(subtitle), "because": step.shown.because, "rows": spaced(rows),
                    "high": tall(rows) + 44, "checked": step.shown.checked})
    return out


def reasoned(rows: Sequence[Row], available: float, said: str) -> list[Row]:
    """Rows with the reason of each line: beside it where there is room, below it where there is none."""
    margin = max((width(r["left"]) for r in rows), default=0.0)
    out: list[Row] = []
    for k, row in enumerate(rows):
        out.append({**row, "why": Tex("")})
        why = row["line"].because
        last = k + 1 == len(rows) or rows[k + 1]["first"]
        if not why or not last or row["line"].kind == "forward":
            continue
        left = available - margin - width(row["right"]) - 16
        if left >= REASON[0]:
            out[-1]["why"] = Tex(rf"\reason{{{min(left, REASON[1]):.0f}pt}}{{{escape(why)}}}")
        else:
            out.append({"left": Tex(""), "right": Tex(rf"\below{{{available - margin - 20:.0f}pt}}{{{escape(why)}}}"), "line": row["line"], "first": False, "why": Tex("")})
    return out


def _code(line: str) -> str:
    """A line of code that may be broken after a comma or an operator, never inside a name."""
    return escape(line).replace(" ", r"\ \allowbreak{}")


def _figure(graph: Graph, wide: float, high: float) -> str:
    """f and its slope in one frame, with circles at the kinks."""
    low, up = graph.span
    f = marked(sample(graph.f, low, up, kinks=graph.kinks, label=graph.labels[0]), graph.f, [k for k in graph.kinks if low < k < up])
    slope = sample(graph.slope, low, up, kinks=graph.kinks, colour="fTwo", dashed=True, label=graph.labels[1])
    box = frame([f, slope], graph.span, wide, high, limits=LIMITS)
    return plot([f, slope], box, across=graph.across)


# ---------------------------------------------------------------- documents

def source(heading: str, title: str, groups: Sequence[tuple[str, Sequence[Entry]]], templates: Path | None = None, *, contents: bool = False) -> str:
    """The LaTeX of a document: groups of entries under their titles, with a table of contents or without."""
    shown = []
    for g, (name, found) in enumerate(groups):
        shown.append({"title": name, "entries": [block(e, f"e{g}.{k}") for k, e in enumerate(found)]})
    context = {"heading": heading, "title": Tex(escape(title)), "long_title": False, "foot": Tex(escape(heading)), "unicode": False, "deterministic": Tex(DETERMINISTIC),
               "fallback_fonts": Tex(FALLBACK), "groups": shown, "contents": contents}
    return render(make_environment(templates), "catalogue.tex", context)


def reference(found: Sequence[Table], templates: Path | None = None) -> str:
    """The whole catalogue as LaTeX."""
    groups = [(t.title, entries_of(t)) for t in found]
    count = sum(len(entries) for _, entries in groups)
    return source("Catalogue", f"{count} entries, every line checked", groups, templates, contents=True)


def card_source(entries: Sequence[Entry], templates: Path | None = None) -> str:
    """One row (or the rows of one name) as LaTeX."""
    return source(entries[0].name, " and ".join(dict.fromkeys(e.table for e in entries)), [("", entries)], templates)


def files(entries: Sequence[Entry], formats: Sequence[str], engine: str | None = None, templates: Path | None = None) -> dict[str, bytes]:
    """The files of one row by name. Raises ChainruleError without a TeX engine where a PDF is asked for."""
    stem = entries[0].name
    made: dict[str, bytes] = {}
    if "json" in formats:
        made[f"{stem}.json"] = as_json(entries).encode()
    if "md" in formats:
        made[f"{stem}.md"] = markdown_of(entries, templates).encode()
    if {"tex", "pdf"} & set(formats):
        tex = card_source(entries, templates)
        if "tex" in formats:
            made[f"{stem}.tex"] = tex.encode()
        if "pdf" in formats:
            made[f"{stem}.pdf"] = pdf(tex, engine)
    return made


def pdf(tex: str, engine: str | None = None) -> bytes:
    """The document compiled. Raises ChainruleError where there is no engine, TexError where TeX fails."""
    found = find_engine(engine)
    if found is None:
        raise ChainruleError("no TeX engine was found, so no PDF was made", hint=install_hint())
    return compile_pdf(tex, engine=found).pdf


# ---------------------------------------------------------------- Markdown

def markdown_of(entries: Sequence[Entry], templates: Path | None = None) -> str:
    """One row as Markdown: what the page says, without the plot."""
    return render(make_environment(templates), "entry.md", {"entries": [_md_entry(e) for e in entries]})


def _md_entry(entry: Entry) -> dict[str, Any]:
    steps = []
    for certified in entry.parts():
        for step in sheet_of(certified).steps():
            steps.append({"because": Tex(markdown(step.shown.because)), "checked": Tex(step.shown.checked), "rows": [_md(x) for x in step.lines]})
    return {"name": Tex(markdown(entry.name)), "table": Tex(entry.table), "because": Tex(markdown(entry.because)),
            "definition": [_md(x) for x in definition_lines(entry)], "steps": steps,
            "facts": [{"head": f.head, "said": Tex(f.tex or markdown(f.said))} for f in entry.facts], "code": [Tex(c) for c in entry.code]}


def _md(line: TexLine) -> dict[str, Tex]:
    return {"left": Tex(line.left), "right": Tex(f"= {line.right}")}
