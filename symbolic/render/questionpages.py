"""Questions on paper: plain data of a question laid out for the templates, and the preview of one with its key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2

from ..pages.sheet import TexLine
from ..problems.question import CommonError, Line, Part, Question, function_of
from ..problems.wording import Piece
from .engine import DETERMINISTIC
from .filling import make_environment, render, shortened
from .text import directed, escape, escape_within, fallback_fonts, needs_unicode
from .view import SHEET, Row, Tex, rows_of, spaced
from .width import height, width

LETTERS = "ABCDEFGH"
REASON = 5.2  # points a letter of a reason takes
GENERIC = ("", "local derivatives", "rule of the equation", "the slope in its own form")  # reasons that say nothing here
MARK = 40.0   # points that marks take at the margin
HANG = 26.0   # points in which numbers of questions and letters of parts hang
NUMBERED = 52.0  # points that "line 2" takes, with the gap before it
QUAD = 12.0   # points between two columns
JOINED = 0.6  # the part of a line that an equation with its numbers may take
BESIDE = 0.4  # the part of a line that what a mistake gives may take, beside its sentence
CARRIED = "Whoever makes one of these mistakes and goes on correctly gets the values of its column. A dot: the value is the right one. A dash: there is no value."
SMALL = 0.92  # the size of small print
_FRACTION = re.compile(r"\\frac\{({0}|\d+)\}\{({0}|\d+)\}".replace("{0}", r"(?:d|\\partial ?)[^{}]*(?:\{[^{}]*\}[^{}]*)*"))
_FACTOR = re.compile(r"(?:\\[,;!]|\s)*(?:[A-Za-z0-9(]|\\(?=[a-z])(?!(?:right|end|cdot|odot|times|approx|q?quad|le|ge|to|text)\b))")  # what a fraction is multiplied by


def laid_out(q: Question, room: float = SHEET.width, write: Callable[[Part, list[Row]], int] | None = None) -> dict[str, Any]:
    """A question as the templates want it. room: points of a line; write: millimetres to write for a part, given the rows of its solution."""
    room -= HANG
    return {"title": Tex(directed(escape(q.title))), "points": q.points, "stem": [_piece(p, q, room) for p in q.stem], "parts": [_part(p, room, write) for p in q.parts],
            "marker": marker(q, room)}


def _piece(p: Piece, q: Question, room: float) -> dict[str, Any]:
    blank = {"words": "", "given": "", "rows": []}
    if p.kind == "words":
        return {**blank, "words": words(p.runs)}
    if p.kind == "numbers":
        return {**blank, "given": Tex(",\\quad ".join(f"${x.left} = {x.right}$" for x in q.blocks[p.kind]))}
    return {**blank, "rows": displayed(q.blocks[p.kind], room)}


def words(runs: Sequence[tuple[str, str]]) -> Tex:
    """Words, escaped, with formulas between them."""
    out = ""
    for kind, text in runs:
        if kind == "formula":
            out += f"${level(text)}$"
            continue
        body = directed(escape_within(text))
        out += body if out else body.lstrip()
    return Tex(out)


def level(tex: str) -> str:
    """A formula for a line of small print: fractions of two names or whole numbers with a slash, which are too small otherwise.

    >>> print(level(r"\\frac{\\partial L}{\\partial W^{(1)}} = -\\frac{9}{32}"))
    \\partial L/\\partial W^{(1)} = -9/32
    >>> print(level(r"\\frac{\\partial L}{\\partial z} x^{\\top}"))  # not the slope with respect to z times x
    (\\partial L/\\partial z) x^{\\top}
    """
    return _FRACTION.sub(lambda m: f"({m[1]}/{m[2]})" if _FACTOR.match(tex, m.end()) else f"{m[1]}/{m[2]}", tex)


def displayed(lines: Sequence[Line], room: float = SHEET.width, reserved: float = 0.0) -> list[Row]:
    """Lines as rows of a display, each with its reason and its marks at the margin where there is room. reserved: points that are kept free for reasons."""
    room -= MARK if any(x.marks or x.because not in GENERIC for x in lines) else 0
    made = [TexLine(x.left, x.right, x.because) for x in lines]
    behind = {id(t): x for t, x in zip(made, lines, strict=True)}
    rows = rows_of(made, room - reserved)
    margin = max((width(r["left"]) for r in rows), default=0.0)
    for k, r in enumerate(rows):
        line, last = behind[id(r["line"])], k + 1 == len(rows) or rows[k + 1]["line"] is not r["line"]
        r["marks"] = line.marks if last else 0
        if r["first"] and line.because not in GENERIC and margin + width(r["right"]) + REASON * len(line.because) + 20 < room:
            r["why"] = Tex(escape(line.because).replace("⊙", r"$\odot$"))
    return spaced(rows)


def _part(p: Part, room: float, write: Callable[[Part, list[Row]], int] | None) -> dict[str, Any]:
    a = p.answer
    choice = a.type in ("single_choice", "multiple_choice")
    order = [LETTERS[k] for k in a.right] if a.type == "ordering" else []
    solution = displayed(joined(p.solution, room), room)
    return {
        "label": p.label, "say": words(p.say), "points": p.points, "lines": displayed([numbered(n, x) for n, x in enumerate(p.lines, 1)], room, NUMBERED),
        "options": [{"letter": LETTERS[k], "right": o.right and choice, "shown": words(o.runs), "said": words(o.said)} for k, o in enumerate(a.options)],
        "stub": _code(a.stub), "code": _code(function_of(a)) if a.type == "code" else [], "solution": solution,
        "answer": Tex(r"\text{" + ", ".join(order) + "}" if order else a.latex), "tolerance": Tex(tolerance_of(p)),
        **_errors(() if choice else p.errors, room),
        "form": Tex(rf"{p.digits} significant digits\quad " if tolerance_of(p) else ""), "room": write(p, solution) if write else 0, "line": not choice and a.type != "code",
    }


def joined(lines: Sequence[Line], room: float) -> list[Line]:
    """An equation of two short lines, symbols and then numbers, as one line."""
    out: list[Line] = []
    for k, x in enumerate(lines):
        last = k + 1 == len(lines) or lines[k + 1].left
        if (not x.left and last and out and out[-1].left and k and lines[k - 1].left and not out[-1].marks and (out[-1].because in GENERIC or x.because in GENERIC)
                and width(out[-1].left) + width(out[-1].right) + width(x.right) + 2 * QUAD < JOINED * room):
            first = out.pop()
            x = replace(x, left=first.left, right=f"{first.right} = {x.right}", because=x.because if first.because in GENERIC else first.because)
        out.append(x)
    return out


def _errors(errors: Sequence[CommonError], room: float) -> dict[str, Any]:
    """Common errors: what each gives beside its sentence, or within it where that is wide or nothing."""
    gives = [level(e.latex) for e in errors]
    sizes = [SMALL * width(g) + QUAD if g else 0.0 for g in gives]
    return {"errors_width": Tex(f"{max((s for s in sizes if s < BESIDE * room), default=0.0):.1f}pt"),
            "errors": [{"said": words(e.said), "gives": Tex(g)} if s < BESIDE * room else {"said": Tex(rf"{words(e.said)} It gives ${g}$."), "gives": ""}
                       for e, g, s in zip(errors, gives, sizes, strict=True)]}


def numbered(n: int, x: Line) -> Line:
    """A line of a derivation that is to be judged, with its number."""
    return Line(x.left, x.right, f"line {n}")


def tolerance_of(p: Part) -> str:
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
    lines = text.replace("\n\n\n", "\n\n").splitlines()
    return [Tex(r"\strut " + r"\ " * (len(line) - len(line.lstrip())) + escape(line.strip()).replace(" ", r"\ ")) for line in lines]


# ---------------------------------------------------------------- error carried forward

def marker(q: Question, room: float = SHEET.width) -> dict[str, Any] | None:
    """The marker's table of a question: its listed mistakes, and for each step the value that follows from each; None where nothing follows.

    Mistakes that do not fit beside each other stand in a further grid.
    """
    steps: dict[str, tuple[str, str]] = {}  # the name and the right value of each
    found: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, str]] = {}
    for p in q.parts:
        steps |= {key: (level(name), level(value)) for key, name, value in p.steps if key not in steps}
        for c in p.carried:
            found.setdefault((c.part, c.said), {}).update({key: level(value) for key, _, value in c.cells})
    if not found:
        return None
    found = dict(sorted(found.items(), key=lambda item: item[0][0]))  # by the parts that list them
    columns = list(found.values())
    rows = [(key, name, value) for key, (name, value) in steps.items() if any(key in c for c in columns)]
    first = max(width(name) for _, name, _ in rows) + max(max(width(value) for *_, value in rows), MARK) + 2 * QUAD
    groups: list[list[int]] = [[]]
    used = first
    for k, column in enumerate(columns):
        need = max(width(column[key]) for key, *_ in rows if key in column) + QUAD
        if groups[-1] and used + need > room:
            groups.append([])
            used = first
        groups[-1].append(k)
        used += need
    return {"mistakes": [{"name": f"M{k}", "part": part, "said": words(said)} for k, (part, said) in enumerate(found, 1)],
            "grids": [grid for group in groups for grid in _grids(rows, columns, group)]}


def _grids(rows: Sequence[tuple[str, str, str]], columns: Sequence[Mapping[str, str]], group: Sequence[int]) -> list[dict[str, Any]]:
    """Grids of the mistakes of a group, each no taller than a page: the steps that any of them changes."""
    out: list[dict[str, Any]] = []
    used = SHEET.height
    for key, name, value in rows:
        if not any(key in columns[k] for k in group):
            continue
        cells = [value, *(columns[k].get(key, "") for k in group)]
        need = max(height(c) for c in cells if c) + QUAD
        if used + need > SHEET.height:
            out.append({"heads": ["", *(f"M{k + 1}" for k in group)], "rows": []})
            used = 0.0
        used += need
        out[-1]["rows"].append({"name": Tex(name), "cells": [Tex(c or r"\cdot") for c in cells]})
    return out


def source(questions: Sequence[Question], title: str, templates: Path | None = None) -> str:
    """The LaTeX source of a preview: the questions, then their keys."""
    letters = title + " ".join(t for q in questions for p in q.parts for kind, t in p.say if kind == "words")
    letters += " ".join(t for q in questions for piece in q.stem for kind, t in piece.runs if kind == "words")
    environment = make_environment(templates)
    body = render(environment, "bank.tex", {
        "title": Tex(directed(escape(title))), "foot": Tex(directed(escape(shortened(title)))),
        "checked": "Every key was worked out by a proved derivation and compared with central differences of the forward pass.",
        "questions": [question_texts(environment, laid_out(q), number) for number, q in enumerate(questions, 1)]})
    return wrapped(environment, body, unicode=needs_unicode(letters))


def question_texts(environment: jinja2.Environment, laid: Mapping[str, Any], number: int, kinds: Sequence[str] = ("paper", "key", "marker")) -> dict[str, Tex]:
    """A question on the paper, in the key and in the marker's table, each in LaTeX."""
    out = {kind: Tex(render(environment, "question.tex", {"q": laid, "number": number, "key": kind == "key"})) for kind in kinds if kind != "marker"}
    return out | ({"marker": Tex(render(environment, "marker.tex", {"q": laid, "number": number}) if laid["marker"] else "")} if "marker" in kinds else {})


def wrapped(environment: jinja2.Environment, body: str, *, unicode: bool, letters: str = "", glyphs: bool = False) -> str:
    """Bodies of papers as one LaTeX document.

    unicode: for LuaLaTeX with its list of fonts; glyphs: with a page before them that holds every letter a page may use, so that no PDF
    depends on its neighbours in the run; letters: those beyond ASCII.
    """
    return render(environment, "exam.tex", {"body": Tex(body), "unicode": unicode, "glyphs": glyphs, "letters": Tex(directed(escape(letters))),
                                            "deterministic": Tex(DETERMINISTIC), "fallback_fonts": Tex(fallback_fonts(body) if unicode else "")})
