"""Questions on paper: plain data of a question laid out for the templates, and the preview of one with its key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..pages.sheet import TexLine
from ..problems.question import Answer, Line, Part, Question
from ..problems.wording import Piece
from .documents import directed, head, make_environment, render
from .engine import Engine, compile_pdf
from .text import escape, escape_within, needs_unicode
from .view import SHEET, Row, Tex, rows_of, spaced
from .width import height, width

LETTERS = "ABCDEFGH"
REASON = 5.2  # points a letter of a reason takes
GENERIC = ("", "local derivatives", "rule of the equation", "the slope in its own form")  # reasons that say nothing here
MARK = 40.0   # points that a mark takes at the margin
QUAD = 12.0   # points between two columns


def laid_out(q: Question, room: float = SHEET.width, write: Callable[[Part, list[Row]], int] | None = None) -> dict[str, Any]:
    """A question as the templates want it. room: points of a line; write: millimetres to write for a part, given the rows of its solution."""
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
            out += f"${text}$"
            continue
        body = directed(escape_within(text))
        out += body if out else body.lstrip()
    return Tex(out)


def displayed(lines: Sequence[Line], room: float = SHEET.width) -> list[Row]:
    """Lines as rows of a display, each with its reason and its marks at the margin where there is room."""
    room -= (MARK if any(x.marks for x in lines) else 0)
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


def _part(p: Part, room: float, write: Callable[[Part, list[Row]], int] | None) -> dict[str, Any]:
    a = p.answer
    choice = a.type in ("single_choice", "multiple_choice")
    order = [LETTERS[k] for k in a.right] if a.type == "ordering" else []
    solution = displayed(p.solution, room)
    return {
        "label": p.label, "say": words(p.say), "points": p.points, "lines": displayed([_numbered(n, x) for n, x in enumerate(p.lines, 1)], room),
        "options": [{"letter": LETTERS[k], "right": o.right and choice, "shown": words(o.runs), "said": words(o.said)} for k, o in enumerate(a.options)],
        "stub": _code(a.stub), "code": _code(function_of(a)) if a.type == "code" else [], "solution": solution,
        "answer": Tex(r"\text{" + ", ".join(order) + "}" if order else a.latex), "tolerance": Tex(tolerance_of(p)),
        "errors": [{"said": words(e.said), "gives": Tex(e.latex)} for e in p.errors],
        "room": write(p, solution) if write else 0, "line": not choice and a.type != "code",
    }


def _numbered(n: int, x: Line) -> Line:
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


def function_of(a: Answer) -> str:
    """The function that was asked for, without what is given with the question."""
    return a.text[a.text.rindex("\ndef ") + 1:]


# ---------------------------------------------------------------- error carried forward

def marker(q: Question, room: float = SHEET.width) -> dict[str, Any] | None:
    """The marker's table of a question: its listed mistakes, and for each step the value that follows from each; None where nothing follows.

    Mistakes that do not fit beside each other stand in a further grid.
    """
    steps: dict[str, tuple[str, str]] = {}
    found: dict[tuple[str, tuple[tuple[str, str], ...]], dict[str, str]] = {}
    for p in q.parts:
        steps |= {key: (name, value) for key, name, value in p.steps if key not in steps}
        for c in p.carried:
            found.setdefault((c.part, c.said), {}).update({key: value for key, _, value in c.cells})
    if not found:
        return None
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
        out[-1]["rows"].append({"name": Tex(name), "cells": [Tex(c) for c in cells], "space": Tex("2pt")})
    return out


def source(questions: Sequence[Question], title: str, templates: Path | None = None) -> str:
    """The LaTeX source of a preview: the questions, then their keys."""
    letters = title + " ".join(t for q in questions for p in q.parts for kind, t in p.say if kind == "words")
    letters += " ".join(t for q in questions for piece in q.stem for kind, t in piece.runs if kind == "words")
    context = {"heading": "Preview", **head(title, needs_unicode(letters)),
               "checked": "Every key was worked out by a proved derivation and compared with central differences of the forward pass.",
               "questions": [laid_out(q) for q in questions]}
    return render(make_environment(templates), "bank.tex", context)


def preview(questions: Sequence[Question], title: str, engine: Engine, templates: Path | None = None) -> bytes:
    """The PDF of some questions with their keys. Raises TexError."""
    return compile_pdf(source(questions, title, templates), engine=engine).pdf
