"""Questions on paper: plain data of a question laid out for the templates, and the preview of one with its key."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..pages.sheet import TexLine
from ..problems.question import Line, Part, Question
from ..problems.wording import Piece
from .documents import FALLBACK, directed, make_environment, render, shortened
from .engine import DETERMINISTIC, Engine, compile_pdf
from .text import escape, needs_unicode
from .view import SHEET, Row, Tex, rows_of, spaced
from .width import width

LETTERS = "ABCDEFGH"
REASON = 5.2  # points a letter of a reason takes
GENERIC = ("", "local derivatives", "rule of the equation", "the slope in its own form")  # reasons that say nothing here
MARK = 40.0   # points that a mark takes at the margin


def laid_out(q: Question) -> dict[str, Any]:
    """A question as the templates want it."""
    return {"title": q.title, "points": q.points, "stem": [_piece(p, q) for p in q.stem], "parts": [_part(p) for p in q.parts]}


def _piece(p: Piece, q: Question) -> dict[str, Any]:
    blank = {"words": "", "given": "", "rows": []}
    if p.kind == "words":
        return {**blank, "words": words(p.runs)}
    if p.kind == "numbers":
        return {**blank, "given": Tex(",\\quad ".join(f"${x.left} = {x.right}$" for x in q.numbers))}
    return {**blank, "rows": displayed(q.equations)}


def words(runs: Sequence[tuple[str, str]]) -> Tex:
    """Words, escaped, with formulas between them."""
    out = ""
    for kind, text in runs:
        if kind == "formula":
            out += f"${text}$"
            continue
        body = directed(escape(text))
        out += (" " if text[:1] == " " and out else "") + body.strip() + (" " if text[-1:] == " " and body.strip() else "")
    return Tex(out)


def displayed(lines: Sequence[Line]) -> list[Row]:
    """Lines as rows of a display, each with its reason and its marks at the margin where there is room."""
    room = SHEET.width - (MARK if any(x.marks for x in lines) else 0)
    made = [TexLine(x.left, x.right, x.because) for x in lines]
    behind = {id(t): x for t, x in zip(made, lines, strict=True)}
    rows = rows_of(made, room)
    margin = max((width(r["left"]) for r in rows), default=0.0)
    for k, r in enumerate(rows):
        line, last = behind[id(r["line"])], k + 1 == len(rows) or rows[k + 1]["line"] is not r["line"]
        r["marks"] = line.marks if last else 0
        if r["first"] and line.because not in GENERIC and margin + width(r["right"]) + REASON * len(line.because) + 20 < room:
            r["why"] = Tex(escape(line.because).replace("⊙", r"$\odot$"))
    return spaced(rows)


def _part(p: Part) -> dict[str, Any]:
    a = p.answer
    choice = a.type in ("single_choice", "multiple_choice")
    order = [LETTERS[k] for k in a.right] if a.type == "ordering" else []
    return {
        "label": p.label, "say": words(p.say), "points": p.points, "lines": displayed([_numbered(n, x) for n, x in enumerate(p.lines, 1)]),
        "options": [{"letter": LETTERS[k], "right": o.right and choice, "shown": words(o.runs), "said": words(o.said)} for k, o in enumerate(a.options)],
        "stub": _code(a.stub), "code": _code(a.text) if a.type == "code" else [], "solution": displayed(p.solution),
        "answer": Tex(r"\text{" + ", ".join(order) + "}" if order else a.latex), "tolerance": Tex(_tolerance(p)),
        "errors": [{"said": words(e.said), "gives": Tex(e.latex)} for e in p.errors],
        "carried": [{"said": words(c.said), "cells": Tex(",\\quad ".join(f"${name} = {tex}$" for _, name, tex in c.cells))} for c in p.carried if c.part != p.label],
    }


def _numbered(n: int, x: Line) -> Line:
    return Line(x.left, x.right, f"line {n}")


def _tolerance(p: Part) -> str:
    """The largest tolerance of the entries; nothing where the answer is exact."""
    found = [t for row in p.answer.tolerance for t in row if t != "0"]
    if p.answer.type not in ("numeric", "vector", "matrix") or not found:
        return ""
    return _power(max(found, key=float))


def _power(text: str) -> str:
    head, _, power = text.partition("e")
    return rf"{head}\cdot 10^{{{int(power)}}}" if power else head


def _code(text: str) -> list[Tex]:
    """Lines of a program; blanks at their beginning stay."""
    return [Tex(r"\strut " + r"\ " * (len(line) - len(line.lstrip())) + escape(line.strip()).replace(" ", r"\ ")) for line in text.splitlines()]


def source(questions: Sequence[Question], title: str, templates: Path | None = None) -> str:
    """The LaTeX source of a preview: the questions, then their keys."""
    letters = title + " ".join(t for q in questions for p in q.parts for kind, t in p.say if kind == "words")
    letters += " ".join(t for q in questions for piece in q.stem for kind, t in piece.runs if kind == "words")
    context = {"heading": "Preview", "title": Tex(directed(escape(title))), "long_title": len(title) > 44, "foot": Tex(directed(escape(shortened(title)))),
               "unicode": needs_unicode(letters), "deterministic": Tex(DETERMINISTIC), "fallback_fonts": Tex(FALLBACK),
               "checked": "Every key was worked out by a proved derivation and compared with central differences of the forward pass.",
               "questions": [laid_out(q) for q in questions]}
    return render(make_environment(templates), "bank.tex", context)


def preview(questions: Sequence[Question], title: str, engine: Engine, templates: Path | None = None) -> bytes:
    """The PDF of some questions with their keys. Raises TexError."""
    return compile_pdf(source(questions, title, templates), engine=engine).pdf
