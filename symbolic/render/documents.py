"""From a sheet to files: slides, worksheet, answer key, Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jinja2

from ..errors import TexError
from ..latex import Printer
from ..pages.sheet import Section, Sheet, TexLine, TexStep
from ..problem import Problem
from ..request import Request
from ..verify import Certified
from . import figures, sectionpages, words
from .engine import DETERMINISTIC, Engine, compile_pdf, find_engine, install_hint
from .filling import make_environment, render, shortened
from .lines import FACTORS, TERMS, fits
from .text import directed, escape, fallback_fonts, markdown, needs_unicode
from .view import SHEET, SLIDE, Paper, Row, Tex, View, numbered, overlaid, pages_of, part_of, portions, rows_of, spaced, tall
from .width import height, width

KINDS = {"slides": "slides.tex", "handout": "handout.tex", "key": "key.tex"}
GIVEN_AREA = 0.6  # the part of a frame that the given numbers may fill
def documents(stem: str, problem: Problem, certified: Certified, request: Request) -> tuple[dict[str, bytes], list[str]]:
    """All files of a request but the JSON, by name, and sentences for the user.

    Raises TexError when TeX fails on a page, ChainruleError for a broken template.
    """
    made: dict[str, bytes] = {}
    sentences: list[str] = []
    pdfs = [k for k in KINDS if k in request.formats]
    kinds = pdfs or (list(KINDS) if "tex" in request.formats else [])
    engine = None
    unicode = needs_unicode(" ".join([problem.title, *problem.notes]))
    if pdfs:
        engine = find_engine(request.engine, unicode=unicode)
        if engine is None:
            why = "the title has letters that only lualatex prints, and it or its fonts are missing" if unicode else "no TeX engine was found"
            sentences.append(f"{why}, so no PDF was made, only its source; {install_hint(unicode=unicode)}")
    environment = make_environment(request.templates)
    sources = {kind: source_of(kind, problem, certified, request, environment) for kind in kinds}
    if "tex" in request.formats or engine is None:
        made.update({f"{stem}-{kind}.tex": source.encode() for kind, source in sources.items()})
    if engine is not None and pdfs:
        with ThreadPoolExecutor(max_workers=2) as pool:  # TeX runs beside us, so two at a time
            for kind, pdf in zip(pdfs, pool.map(lambda k: _compiled(k, sources[k], engine), pdfs), strict=True):
                made[f"{stem}-{kind}.pdf"] = pdf
    if "md" in request.formats:
        made[f"{stem}.md"] = render(environment, "page.md", markdown_context(problem, certified, request)).encode()
    return made, sentences


def _compiled(kind: str, source: str, engine: Engine) -> bytes:
    try:
        return compile_pdf(source, engine=engine).pdf
    except TexError as e:
        raise TexError(f"{kind}: {e.sentence}", where=e.where, hint=e.hint) from None


def source_of(kind: str, problem: Problem, certified: Certified, request: Request, environment: jinja2.Environment | None = None) -> str:
    """The LaTeX source of one kind of page: slides, handout or key."""
    paper = SLIDE if kind == "slides" else SHEET
    sheet = Sheet(problem, certified, digits=request.digits, colour=True, widest=8)
    view = View(sheet, paper)
    context = common(view)
    if kind == "slides":
        context.update(_slides(view))
    elif kind == "key":
        context.update(_key(view))
    else:
        context.update(_handout(view))
    return render(environment or make_environment(request.templates), KINDS[kind], context)


def head(title: str, letters: str) -> dict[str, Any]:
    """Title, foot and fonts of a document; letters: all that people typed in it."""
    return {"title": Tex(directed(escape(title))), "long_title": len(title) > 44, "foot": Tex(directed(escape(shortened(title)))), "unicode": needs_unicode(letters),
            "deterministic": Tex(DETERMINISTIC), "fallback_fonts": Tex(fallback_fonts(letters))}


def common(view: View) -> dict[str, Any]:
    """What every page says about itself: title, foot, fonts, how it was checked."""
    problem = view.problem
    return {**head(problem.title or "Derivation", " ".join([problem.title, *problem.notes])),
            "summary": words.summary(problem), "checked": words.checked(view.sheet.certified),
            "notes": view.sheet.notes, "listed_title": "Jacobians" if view.printer.bar else "More values",
            "network": None, "statement": Tex(words.statement(problem, view.printer)), "graphs": []}


# ---------------------------------------------------------------- steps, shared

def _graph_frames(view: View, width: float, height: float) -> list[dict[str, Tex]]:
    tikz, numbers = figures.graph(view.sheet, width, height)
    shapes = any(s.shape for s in view.network.symbols.values())
    above = "forward value above the wire" if numbers else "shape above the wire" if shapes else "what uses what"
    below = f"gradient of ${view.printer.name(view.network.output)}$ below it" if numbers else ""
    return [{"tikz": Tex(t), "part": part_of(k, len(tikz)), "above": Tex(above), "below": Tex(below)} for k, t in enumerate(tikz)]


def _tables(view: View, size: int) -> list[dict[str, Any]]:
    """The final table in portions that fit."""
    heads, rows = view.table()
    pages = portions(rows, lambda row: max(14.0, *(height(c.strip("$")) + 11 for c in row["cells"] if c)), size)
    return [{"heads": [Tex(h) for h in heads], "rows": p, "part": part} for part, p in numbered(pages)]


# ---------------------------------------------------------------- slides

def _slides(view: View) -> dict[str, Any]:
    paper = view.paper
    forward, update, listed = (numbered(pages_of(rows, paper.height)) for rows in (view.forward(), view.update(), view.too_wide()))
    return {
        "network": figures.network_frame(view, 140, 58),
        "given": _given_pages(view.given(), paper),
        "given_caption": Tex("$\\eta$ is the learning rate" if view.problem.learning_rate is not None else ""),
        "forward": [{"rows": spaced(overlaid(p)[0]), "part": part, "caption": "Each line is computed from the lines above it"} for part, p in forward],
        "steps": [frame for step in view.sheet.steps() for frame in _step_frames(view, step)],
        "graphs": _graph_frames(view, 140, 60),
        "update": [{"rows": spaced(overlaid(p)[0]), "part": part, "caption": Tex(r"New value = old value $-$ learning rate $\times$ gradient")} for part, p in update],
        "sections": sectionpages.frames(view),
        "table": _tables(view, 150),
        "listed": [{"rows": spaced(p), "part": part} for part, p in listed],
    }


def _given_pages(given: list[TexLine], paper: Paper) -> list[dict[str, Any]]:
    """Given numbers flow like text; as many on a frame as its area holds."""
    pages = portions(rows_of(given, paper.width), lambda row: (width(row["left"]) + width(row["right"]) + 24) * (height(row["right"]) + 12),
                     GIVEN_AREA * paper.width * paper.height)
    return [{"rows": p, "part": part} for part, p in numbered(pages)]


def _step_frames(view: View, step: TexStep) -> list[dict[str, Any]]:
    """One frame a step, more where it is too tall; a path gets the network beside it."""
    paper = view.paper
    heading = {**view.heading(step), "because": Tex(escape(_said(step, view)))}
    room = paper.height - 16 - 12 * (len(heading["because"]) // 95)
    figure = figures.path_figure(view, step, 46, 42)
    beside = view.step_rows(step, paper.narrow, room) if figure else []
    wide = view.step_rows(step, paper.width, room)
    crowded = not fits([(r["left"], r["right"]) for r in beside], paper.narrow) or len(beside) > len(wide) + 1
    if figure and (crowded or tall(beside) > room):
        figure = ""
    path = any(x.kind == "path" for x in step.lines)
    cuts = () if not path else TERMS if step.shown.rule == "fork-sum" else FACTORS
    pages = pages_of(beside if figure else wide, room)
    frames = []
    for k, page in enumerate(pages):
        shown, last = overlaid(page, signs=cuts if k == 0 else ())
        frames.append({**heading, "rows": spaced(shown), "part": part_of(k, len(pages)), "figure": Tex(figure) if figure else "",
                       "last": Tex(f"<{last}->"), "because": heading["because"] if k == len(pages) - 1 else ""})
    return frames


def _said(step: TexStep, view: View) -> str:
    """The reason as far as a slide has room for it: whole sentences, first what a function's row says about it."""
    notes = view.notes[id(step.shown)]
    sentences = [f"{x}." for x in step.shown.because.rstrip(".").split(". ")]
    while len(sentences) > 1 and len(" ".join([*sentences, *notes])) > 190:
        sentences.pop()
    return " ".join([*sentences, *notes])


# ---------------------------------------------------------------- key

def _key(view: View) -> dict[str, Any]:
    steps = []
    for step in view.sheet.steps():
        rows = view.step_rows(step, view.paper.width, view.paper.height)
        steps.append({**view.heading(step), "rows": spaced(_with_reasons(rows, view.paper.width, step.shown.because)), "together": tall(rows) <= view.paper.height})
    update = view.update()
    return {**statement(view), "heading": "Answer key", "forward": [{"rows": spaced(_with_reasons(view.forward(), view.paper.width, ""))}] if view.sheet.values else [],
            "steps": steps, "graphs": _graph_frames(view, 168, 100), "update": [{"rows": spaced(update)}] if update else [],
            "sections": sectionpages.frames(view), "table": _tables(view, 560), "listed": [{"rows": spaced(view.too_wide())}] if view.too_wide() else []}


def _with_reasons(rows: list[Row], available: float, said: str) -> list[Row]:
    """The short reason of a line at the right margin, where there is room for it and the heading has not said it."""
    margin = max(width(r["left"]) for r in rows)
    for r in rows:
        why = r["line"].because
        if r["first"] and why and why != said and len(why) < 70 and margin + width(r["right"]) + 5.2 * len(why) + 20 < available:
            r["why"] = Tex(escape(why).replace("⊙", r"$\odot$"))
    return rows


def statement(view: View) -> dict[str, Any]:
    """The problem as a page states it: the network, its equations, the given numbers."""
    equations = rows_of(view.symbolic_forward(), view.paper.width)
    given = view.given()
    return {"network": figures.network_frame(view, 110, 44), "equations": spaced(equations),
            "given_rows": spaced(rows_of(given, view.paper.width)) if given else []}


def trace_source(sheet: Sheet, found: Sequence[Section], templates: Path | None = None) -> str:
    """The LaTeX source of an answer key that holds the sections: the problem, then every training step in numbers."""
    view = View(sheet, SHEET)
    pieces = [piece for section in found for piece in sectionpages.pieces(view, section)]
    return render(make_environment(templates), "trace.tex", {**common(view), **statement(view), "heading": "Step by step", "sections": pieces})


# ---------------------------------------------------------------- handout

def _handout(view: View) -> dict[str, Any]:
    return {**statement(view), "heading": "Worksheet", "asked": _asked(view)}


def _asked(view: View) -> list[dict[str, Any]]:
    """The blanks: what ``ask`` names, or every intermediate value, gradient and updated parameter."""
    network, printer, problem = view.network, view.printer, view.problem
    output = network.output
    update = view.sheet.update()
    forward = [(name, printer.name(name), network.symbols[name].shape) for name in (eq.name for eq in network.equations)]
    backward = [(f"d{output}/d{s.wrt}", printer.gradient_name(output, s.wrt), s.shape) for s in view.sheet.lesson.derivation.shown() if s.terms]
    after = [(f"{n}_new", view.new_name(n), network.symbols[n].shape) for n in (update.after if update else ())]
    if not view.sheet.values:
        forward = []
    wanted = {w for a in problem.ask for w in _names_of(a, network.aliases)}
    named = problem.descent is not None and problem.descent.named
    if named and not wanted:
        after = []  # the optimizer's own sections ask for them
    parts = [("Forward pass", "Compute each value from the ones before it.", forward, "11mm"),
             ("Backward pass", "Start at the output and use the chain rule." if forward else "Write each gradient in the names above and in the gradients before it.", backward, "19mm"),
             ("One step downhill", "Use the optimizer's equations." if named else "Subtract the learning rate times the gradient.", after, "11mm")]
    out = []
    for title, hint, items, room in parts:
        kept = [{"name": Tex(tex), "blank": Tex(_blank(shape)), "room": Tex(room)} for key, tex, shape in items if not wanted or key in wanted]
        if kept:
            out.append({"title": title, "hint": hint, "blanks": kept})
    for part in sectionpages.blanks(view):
        out.append({"title": part["title"], "hint": part["hint"], "blanks": [
            {"name": Tex(tex), "blank": Tex(_blank(shape)), "room": Tex("19mm")} for tex, shape in part["asked"]]})
    return out


def _names_of(asked: str, aliases: Any) -> set[str]:
    head, _, tail = asked.partition("/d")
    return {asked, aliases.get(asked, asked), f"{head}/d{aliases.get(tail, tail)}" if tail else asked}


def _blank(shape: Sequence[Any]) -> str:
    """Room for a number, or a matrix of rooms."""
    if not shape:
        return r"\blank"
    if any(not isinstance(d, int) or d > 6 for d in shape):
        return r"\blank"
    rows = r"\\".join(r"\rule[-1.8mm]{0pt}{7mm}" + "&".join([r"\blank"] * int(shape[1])) for _ in range(int(shape[0])))  # off the brackets
    return rf"$\begin{{bmatrix}}{rows}\end{{bmatrix}}$"


# ---------------------------------------------------------------- Markdown

def markdown_context(problem: Problem, certified: Certified, request: Request) -> dict[str, Any]:
    """The answer key for Markdown: plain mathematics, no colours, no macros."""
    sheet = Sheet(problem, certified, digits=request.digits, colour=False, widest=6)
    printer = Printer(sheet.network, colour=False)
    scalar = Printer(sheet.scalar_network, colour=False)
    view = View(sheet, SHEET)
    steps = []
    for step in sheet.steps():
        s = step.shown
        title, subtitle = words.step_title(s, view._symbol(step), sheet.network, scalar if s.level == "scalar" else printer)
        steps.append({"title": Tex(title), "subtitle": Tex(subtitle), "because": Tex(markdown(" ".join([s.because, *view.notes[id(s)]]))),
                      "checked": Tex(s.checked), "rows": [md_line(x) for x in (*step.lines, *step.numbers)]})
    heads, rows = view.table()
    return {"title": Tex(markdown(problem.title or "Derivation")), "checked": Tex(markdown(words.checked(certified))),
            "statement": Tex(words.statement(problem, printer)), "equations": [md_line(x) for x in view.symbolic_forward()],
            "given": [md_line(x) for x in view.given()], "steps": steps, "notes": [Tex(markdown(n)) for n in sheet.notes], "heads": [Tex(h) for h in heads], "table": rows,
            "sections": sectionpages.plain(view), "forward": [md_line(n) | {"left": Tex(x.left)} for _, x, n in sheet.forward_lines() if n is not None], "update": [
                {"left": r["left"], "right": r["right"]} for r in view.update()]}


def md_line(line: Any) -> dict[str, Tex]:
    """A line of LaTeX for a template of Markdown."""
    return {"left": Tex(line.left), "right": Tex(f"= {line.right}")}
