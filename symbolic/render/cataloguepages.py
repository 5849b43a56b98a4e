"""The catalogue on paper: one entry a block with formula, facts, plot and derivation; a page for one row, or the whole reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..catalogue.entry import Entry, Graph
from ..catalogue.tables import Table, entries_of
from ..errors import ChainruleError
from ..pages.sheet import Sheet, TexLine, TexStep
from . import words
from .cataloguetext import as_json, definition_lines, sheet_of
from .documents import head, md_line
from .engine import compile_pdf, find_engine, install_hint
from .filling import make_environment, render
from .lines import fits
from .plots import frame, marked, plot, sample
from .sectionpages import frames, plain
from .text import escape, markdown
from .view import SHEET, Row, Tex, View, rows_of, spaced, tall
from .width import width

LEFT = 268.0          # points: the column beside a plot
PLOT = (58.0, 40.0)   # millimetres
LIMITS = (-3.0, 4.0)  # a plot shows at most these values
PLOT_HEIGHT = 165.0   # points, with its legend and numbers
COLUMN = 200.0        # points: a derivation that ends above this stands beside the plot
LAYER_TITLE = "Backward"
ONE_LINE = "The derivative"
ONE_OUTPUT = "For one output, line by line"
TITLES = {"scalar": "The derivative, line by line", "index": "Entry by entry", "matrix": "As a whole"}
GENERIC = ("", "local derivatives", "rule of the equation", "the slope in its own form")  # reasons that say nothing here
TOGETHER = 760.0      # points of the measured size: an entry of at most this height is not split between two pages
REASON = (118.0, 190.0)  # points: the least and the most room of a reason beside its line
LONG = 8              # lines of code; more stand in two columns


# ---------------------------------------------------------------- one entry

def block(entry: Entry, label: str) -> dict[str, Any]:
    """An entry as the template wants it: a short derivation stands beside the plot, a long one below it."""
    figure = _figure(entry.graph(), *PLOT) if entry.graph is not None else ""
    columns = not figure and len(entry.code) > LONG
    lines = definition_lines(entry)
    parts = [(sheet, step) for sheet in map(sheet_of, entry.parts()) for step in sheet.steps()]
    narrow = rows_of(lines, LEFT)
    beside = bool(figure) and _fits(narrow, LEFT)
    above = _words_high(entry, bool(figure), columns) + (tall(narrow) if beside else 0.0)
    short = _steps(parts, LEFT) if beside else []
    column = bool(short) and above + sum(s["high"] for s in short) <= COLUMN and all(_fits(s["rows"], LEFT) for s in short)
    steps = short if column else _steps(parts, SHEET.width)
    whole = sum(s["high"] for s in steps)
    high = max(PLOT_HEIGHT, above + whole) if column else max(PLOT_HEIGHT if figure else 0.0, above) + whole + (0.0 if beside else tall(narrow))
    definition = narrow if beside else rows_of(lines, SHEET.width)
    pieces = frames(View(entry.sheet(), SHEET)) if entry.sheet is not None else []
    return {"name": entry.name, "label": Tex(label), "because": entry.because, "figure": Tex(figure), "definition": spaced(definition), "beside": beside,
            "facts": [{"head": f.head, "said": Tex(f.tex) if f.tex else f.said} for f in entry.facts()],
            "code": [Tex(_code(line)) for line in entry.code], "columns": columns, "steps": steps, "column": column, "together": 40 + high <= TOGETHER and not pieces, "pieces": pieces,
            "badge": Tex("".join(rf"\ \checkmarkbox{{{c}}}" for c in sorted({c for s in steps for c in s["checked"]})))}


def _fits(rows: Sequence[Row], room: float) -> bool:
    return fits([(r["left"], r["right"]) for r in rows], room)


def _words_high(entry: Entry, figure: bool, columns: bool) -> float:
    """About how high the words and the code of an entry are, in points; columns: whether the code stands in two."""
    letters = 42 if figure else 86
    high = [13.6 * (1 + len(t) // letters) for t in (entry.because, *(f.said for f in entry.facts()))]
    code = [13.6 * (1 + len(t) // (letters / (1 + columns))) for t in entry.code]
    return 20 + sum(high) + sum(code) / (1 + columns)


def _steps(parts: Sequence[tuple[Sheet, TexStep]], available: float) -> list[dict[str, Any]]:
    """The derivation in groups of one level, each one display under its heading."""
    out: list[dict[str, Any]] = []
    for sheet, step in parts:
        network = sheet.network
        alone = step.shown.level == "scalar" and bool(network.names("target"))  # a loss of one output, before that of several
        title = LAYER_TITLE if network.layers else ONE_OUTPUT if alone else TITLES[step.shown.level]
        if not out or out[-1]["sheet"] is not sheet or out[-1]["title"] != title:
            out.append({"title": title, "sheet": sheet, "lines": [], "checked": set()})
        out[-1]["lines"] += _told(step, bool(network.layers))
        out[-1]["checked"].add(step.shown.checked)
    for g in out:  # their equals signs stand below one another, so they are broken together
        g["rows"] = reasoned(rows_of(g["lines"], available), available)
    for g in out:
        if g["title"] == TITLES["scalar"] and sum(r["first"] for r in g["rows"]) == 1:
            g["title"] = ONE_LINE
    return [{**g, "rows": spaced(g["rows"]), "high": tall(g["rows"]) + 32} for g in out]


def _told(step: TexStep, layer: bool) -> list[TexLine]:
    """The lines of a step; in a layer, where many follow one another, the rule stands beside the first."""
    if not layer:
        return list(step.lines)
    rule = words.RULE_WORDS.get(step.shown.rule, step.shown.rule.replace("-", " "))
    return [replace(line, because="; ".join(x for x in (rule * (k == 0), line.because * ("×" in line.because)) if x)) for k, line in enumerate(step.lines)]


def reasoned(rows: Sequence[Row], available: float) -> list[Row]:
    """Rows with the reason of each line: beside it where there is room, below it where there is none."""
    margin = max((width(r["left"]) for r in rows), default=0.0)
    out: list[Row] = []
    for k, row in enumerate(rows):
        out.append({**row, "why": Tex(""), "below": Tex("")})
        why = row["line"].because.replace(".; ", ". ")
        last = k + 1 == len(rows) or rows[k + 1]["first"]
        if why in GENERIC or not last or row["line"].kind == "forward":
            continue
        left = available - margin - width(row["right"]) - 16
        if left >= REASON[0]:
            out[-1]["why"] = Tex(rf"\reason{{{min(left, REASON[1]):.0f}pt}}{{{_plainly(why)}}}")
        else:
            told = Tex(rf"\reason{{{available - margin - 20:.0f}pt}}{{{_plainly(why)}}}")
            out.append({"left": Tex(""), "right": Tex(r"\quad"), "line": row["line"], "first": False, "why": Tex(""), "below": told})
    return out


def _plainly(words: str) -> str:
    """Words as LaTeX; the sign of the entrywise product, which no text font has, as mathematics."""
    return escape(words).replace("⊙", r"$\odot$")


def _code(line: str) -> str:
    """A line of code that may be broken after a comma or an operator, never inside a name."""
    return escape(line).replace(" ", r"\ \allowbreak{}")


def _figure(graph: Graph, wide: float, high: float) -> str:
    """f and its slope in one frame, with circles at the kinks."""
    low, up = graph.span
    f = sample(graph.f, low, up, kinks=graph.kinks, label=graph.labels[0])
    if graph.slope is not None:
        f = marked(f, graph.f, [k for k in graph.kinks if low < k < up])
    curves = [f] if graph.slope is None else [f, sample(graph.slope, low, up, kinks=graph.kinks, colour="fTwo", dashed=True, label=graph.labels[1])]
    corners = [y for _, y in f.closed]
    limits = min([LIMITS[0], *corners]), max([LIMITS[1], *corners])
    return plot(curves, frame(curves, graph.span, wide, high, limits=limits), across=graph.across)


# ---------------------------------------------------------------- documents

def source(heading: str, title: str, groups: Sequence[tuple[str, Sequence[Entry]]], templates: Path | None = None, *, contents: bool = False) -> str:
    """The LaTeX of a document: groups of entries under their titles, with a table of contents or without."""
    shown = []
    for g, (name, found) in enumerate(groups):
        blocks = [block(e, f"e{g}.{k}") for k, e in enumerate(found)]
        shown.append({"title": name, "entries": blocks if contents else [{**b, "name": e.table} for b, e in zip(blocks, found, strict=True)]})
    context = {"heading": heading, **head(title, ""), "long_title": False, "foot": Tex(escape(heading)), "groups": shown, "contents": contents}
    return render(make_environment(templates), "catalogue.tex", context)


def reference(found: Sequence[Table], templates: Path | None = None) -> str:
    """The whole catalogue as LaTeX."""
    groups = [(t.title, entries_of(t)) for t in found]
    count = sum(len(entries) for _, entries in groups)
    return source("Catalogue", f"{count} entries, every line checked", groups, templates, contents=True)


def card_source(entries: Sequence[Entry], templates: Path | None = None) -> str:
    """One row (or the rows of one name) as LaTeX."""
    return source(entries[0].name, "", [("", entries)], templates)


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
            steps.append({"because": Tex(markdown(step.shown.because)), "checked": Tex(step.shown.checked), "rows": [md_line(x) for x in step.lines]})
    beside = plain(View(entry.sheet(), SHEET)) if entry.sheet is not None else []
    return {"name": Tex(markdown(entry.name)), "table": Tex(entry.table), "sections": beside, "because": Tex(markdown(entry.because)),
            "definition": [md_line(x) for x in definition_lines(entry)], "steps": steps,
            "facts": [{"head": f.head, "said": Tex(f.tex or markdown(f.said))} for f in entry.facts()], "code": [Tex(c) for c in entry.code]}
