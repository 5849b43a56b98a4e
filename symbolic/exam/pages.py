"""Papers and keys as LaTeX: each alone as a whole document, or many bodies in one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from ..problems.question import Part, Question, function_of
from ..render.filling import make_environment, render, shortened
from ..render.questionpages import CARRIED, laid_out, question_texts, wrapped
from ..render.text import clean, directed, escape, needs_unicode
from ..render.view import SHEET, Row, Tex, tall
from .roster import Student
from .spec import Exam, same

KINDS = {"paper": "exam-paper.tex", "key": "exam-key.tex"}
LARGE = 160            # percent: 11 points become 17.5
PAGE = 841.89          # height of A4 in points of a PDF
IN_ONE_TABLE = 8       # questions in one row of the points table, of ordinary print
POINT = 0.3515         # millimetres
GENEROUS = 1.5         # room to write beside the height of the printed solution
LEAST_ROOM, MOST_ROOM = 30, 110   # millimetres
ORDER_ROOM, CODE_LINE, CODE_LEAST = 12, 8, 40
CHECKED = ("Every key was worked out by a derivation that SymPy proved or that agrees to 30 digits, and every number was compared with central "
           "differences of the forward pass.")


@lru_cache(maxsize=8)
def environment(templates: Path | None) -> jinja2.Environment:
    """The templates, read once in a process."""
    return make_environment(templates)


def is_large(exam: Exam, student: Student) -> bool:
    """Whether a student's paper is in large print."""
    return student.large or (exam.large if isinstance(exam.large, bool) else same(student.id) in exam.large)


def scale_of(kind: str, exam: Exam, student: Student) -> int:
    """The size of a page in percent."""
    return LARGE if kind == "paper" and is_large(exam, student) else 100


def texts_of(exam: Exam, student: Student, place: int, q: Question, templates: Path | None = None) -> dict[str, str]:
    """One question on the paper, in the key and in the marker's table, each in LaTeX."""
    scale = scale_of("paper", exam, student)
    paper = laid_out(q, SHEET.width * 100 / scale, _writer(exam.entries[place].room, scale))
    key = paper if scale == 100 else laid_out(q)
    found = question_texts(environment(templates), paper, place + 1, ["paper"]) | question_texts(environment(templates), key, place + 1, ["key", "marker"])
    return {kind: str(text) for kind, text in found.items()}


def body(kind: str, exam: Exam, student: Student, pieces: Sequence[Mapping[str, str]], points: Sequence[int], tries: Sequence[int], templates: Path | None = None) -> str:
    """What stands between the marks of one paper or key, in a run of its own or of many. pieces: the texts of its questions."""
    scale = scale_of(kind, exam, student)
    questions = [{"text": Tex(p[kind]), "marker": Tex(p["marker"]), "points": n, "new_page": e.new_page, "number": k}
                 for k, (e, p, n) in enumerate(zip(exam.entries, pieces, points, strict=True), 1)]
    context: dict[str, Any] = {
        "title": _tex(exam.title), "course": _tex(exam.course), "when": Tex(r"\quad ".join(_tex(t) for t in (exam.date, exam.time) if t)),
        "name": _tex(student.name), "identifier": _tex(student.id), "identifier_word": "Identifier" if student.name else "Paper",
        "foot": _tex(f"{shortened(student.id, 40)}   {shortened(exam.title)}"), "cover": [_tex(p) for p in exam.cover.split("\n\n") if p.strip()],
        "points": sum(points), "tables": _tables(questions, IN_ONE_TABLE * 100 // scale), "questions": questions, "draw": f"Draw {draw(tries)}",
        "checked": CHECKED, "carried": CARRIED, "marked": any(p["marker"] for p in pieces), "scale": scale, "matrix": Tex(_matrix(scale))}
    return render(environment(templates), KINDS[kind], context)


def draw(tries: Sequence[int]) -> str:
    """Which draw of each problem a paper holds: with the identifier it is enough to print the paper again."""
    return "-".join(map(str, tries))


def _tex(text: str) -> Tex:
    return Tex(directed(escape(text)))


def _matrix(scale: int) -> str:
    """The scale of a page as PDF wants it: from the upper left corner."""
    return "" if scale == 100 else f"{scale / 100:g} 0 0 {scale / 100:g} 0 {-(scale / 100 - 1) * PAGE:.3f}"


def _writer(own: int | None, scale: int) -> Any:
    """How many millimetres are left for a part, on a page that is printed at a scale."""
    def millimetres(p: Part, solution: list[Row]) -> int:
        kind = p.answer.type
        if kind in ("single_choice", "multiple_choice") and not p.reasons:
            return 0
        if own is not None:
            return own * 100 // scale
        if kind == "ordering":
            return ORDER_ROOM
        if kind == "code":
            return int(min(CODE_LEAST + CODE_LINE * len(function_of(p.answer).splitlines()), MOST_ROOM * 100 / scale))
        return 5 * round(min(max(GENEROUS * POINT * tall(solution), LEAST_ROOM), MOST_ROOM * 100 / scale) / 5)

    return millimetres


def _tables(questions: Sequence[dict[str, Any]], many: int) -> list[dict[str, Any]]:
    parts = [list(questions[k:k + many]) for k in range(0, len(questions), many)]
    return [{"questions": part, "last": k == len(parts) - 1, "cell": Tex("9mm")} for k, part in enumerate(parts)]


# ---------------------------------------------------------------- documents

def document(bodies: Iterable[str], *, unicode: bool = False, letters: str = "", glyphs: bool = False, templates: Path | None = None) -> str:
    """Bodies as one LaTeX document; see ``questionpages.wrapped``. letters: those of the exam beyond ASCII."""
    return wrapped(environment(templates), "\n".join(bodies), unicode=unicode, letters=letters, glyphs=glyphs)


@lru_cache(maxsize=8)
def letters_of(exam: Exam) -> str:
    """Every letter beyond ASCII that papers of an exam print, whoever they are for."""
    return "".join(sorted({c for c in clean(exam.words() + " ".join(e.text for e in exam.entries)) if ord(c) > 127}))


def alone(exam: Exam, student: Student) -> bool:
    """Whether a paper needs LuaLaTeX, and so a run of its own."""
    return needs_unicode(student.name + student.id + letters_of(exam))
