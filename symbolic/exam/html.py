"""Papers and keys as HTML with MathML: one file each, without scripts, fonts or pictures from elsewhere."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from ..problems.question import Line, Part, Question, function_of
from ..problems.wording import Piece
from ..render.filling import render
from ..render.mathml import Html, mathml
from ..render.questionpages import GENERIC, LETTERS, numbered, tolerance_of
from ..render.text import clean
from .pages import CHECKED, draw, environment, is_large
from .roster import Student
from .spec import Exam


def page(kind: str, exam: Exam, student: Student, pieces: Sequence[str], points: Sequence[int], tries: Sequence[int], templates: Path | None = None) -> str:
    """A paper or key as one HTML document. pieces: its questions."""
    return render(_environment(templates), "exam.html", {
        "key": kind == "key", "large": kind == "paper" and is_large(exam, student), "title": clean(exam.title), "course": clean(exam.course),
        "when": clean("  ".join(t for t in (exam.date, exam.time) if t)), "cover": [clean(p) for p in exam.cover.split("\n\n") if p.strip()],
        "name": clean(student.name), "identifier": clean(student.id), "draw": draw(tries), "checked": CHECKED, "points": sum(points),
        "questions": [{"text": Html(p), "points": n} for p, n in zip(pieces, points, strict=True)]})


def question_html(kind: str, q: Question, number: int, templates: Path | None = None) -> str:
    """One question. Raises ChainruleError for a formula that MathML cannot hold."""
    return render(_environment(templates), "exam-question.html", {"q": _question(q), "number": number, "key": kind == "key"})


@lru_cache(maxsize=8)
def _environment(templates: Path | None) -> jinja2.Environment:
    """The templates, with values escaped for HTML."""
    return environment(templates).overlay(autoescape=True, finalize=lambda v: v)


def _words(runs: Sequence[tuple[str, str]]) -> Html:
    return Html("".join(mathml(text) if kind == "formula" else html.escape(clean(text)) for kind, text in runs))


def _lines(lines: Sequence[Line]) -> list[dict[str, Any]]:
    return [{"left": mathml(x.left, display=True) if x.left else "", "right": mathml(f"= {x.right}", display=True), "marks": x.marks,
             "why": "" if x.because in GENERIC else x.because} for x in lines]


def _question(q: Question) -> dict[str, Any]:
    return {"title": clean(q.title), "points": q.points, "stem": [_piece(p, q) for p in q.stem], "parts": [_part(p) for p in q.parts]}


def _piece(p: Piece, q: Question) -> dict[str, Any]:
    if p.kind == "words":
        return {"words": _words(p.runs), "lines": []}
    if p.kind == "numbers":
        return {"words": Html(", ".join(mathml(f"{x.left} = {x.right}") for x in q.blocks[p.kind])), "lines": []}
    return {"words": "", "lines": _lines(q.blocks[p.kind])}


def _part(p: Part) -> dict[str, Any]:
    a = p.answer
    choice, order = a.type in ("single_choice", "multiple_choice"), a.type == "ordering"
    answer: str = ", ".join(LETTERS[k] for k in a.right) if order else mathml(a.latex) if a.latex else ""
    tolerance = tolerance_of(p)
    return {"label": p.label, "say": _words(p.say), "points": p.points, "lines": _lines([numbered(n, x) for n, x in enumerate(p.lines, 1)]),
            "code": function_of(a) if a.type == "code" else "", "stub": a.stub, "room": not choice,
            "options": [{"letter": LETTERS[k], "right": o.right and choice, "shown": _words(o.runs), "said": _words(o.said)} for k, o in enumerate(a.options)],
            "solution": _lines(p.solution), "answer": answer, "tolerance": mathml(rf"\pm {tolerance}") if tolerance else "",
            "errors": [{"said": _words(e.said), "gives": mathml(e.latex) if e.latex else ""} for e in (() if choice else p.errors)],  # of options they stand there
            "carried": [{"part": c.part, "said": _words(c.said), "then": [mathml(f"{name} = {tex}") for _, name, tex in c.cells]} for c in p.carried if c.part < p.label]}
