"""The two pieces of work that are done for every student, wherever a worker stands: plain data in, plain data out.

``draw_some`` makes questions of a student and lays them out; ``print_some`` puts papers together and runs TeX for several students.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ChainruleError
from ..problems.question import as_data
from .draw import Fingerprint, fingerprint, question
from .pages import (
    KINDS,
    alone,
    body,
    document,
    draw,
    is_large,
    letters_of,
    texts_of,
)
from .printing import Printed, Sheets, printed
from .roster import Student
from .spec import Exam


@dataclass(frozen=True)
class Job:
    """What is wanted of every student of an exam."""

    exam: Exam
    formats: tuple[str, ...]
    templates: Path | None = None


@dataclass(frozen=True)
class Piece:
    """One question, made and laid out. attempt: which draw; texts: LaTeX, HTML and JSON of it, by what they are for."""

    attempt: int
    print: Fingerprint
    points: int
    texts: Mapping[str, str]


@dataclass(frozen=True)
class Drawn:
    """The questions of one student, or why there are none."""

    student: Student
    pieces: tuple[Piece, ...] = ()
    failure: str = ""

    @property
    def tries(self) -> tuple[int, ...]:
        """Which draw of each problem it is."""
        return tuple(p.attempt for p in self.pieces)

    @property
    def points(self) -> tuple[int, ...]:
        """The points of each question."""
        return tuple(p.points for p in self.pieces)


def draw_piece(job: Job, student: Student, place: int, attempt: int = 0) -> Piece:
    """The question at one place of a paper. Raises ChainruleError."""
    q = question(job.exam, student, place, attempt)
    texts: dict[str, str] = {}
    if {"pdf", "tex"} & set(job.formats):
        texts |= texts_of(job.exam, student, place, q, job.templates)
    if "html" in job.formats:
        from .html import question_html

        texts |= {f"html {kind}": question_html(kind, q, place + 1, job.templates) for kind in KINDS}
    if "json" in job.formats:
        texts["json"] = json.dumps(as_data(q), ensure_ascii=False)
    return Piece(attempt, fingerprint(q), q.points, texts)


def draw_some(job: Job, student: Student, tries: tuple[int, ...]) -> Drawn:
    """A student's questions. Never raises for one student's sake: what is wrong is said."""
    try:
        return Drawn(student, tuple(draw_piece(job, student, k, t) for k, t in enumerate(tries)))
    except ChainruleError as e:
        return Drawn(student, failure=str(e))
    except Exception as e:  # one student must not end the work for all others
        return Drawn(student, failure=f"{type(e).__name__}: {e}")


class Made(NamedTuple):
    """The finished files of a student by format and kind, or why there are none; what TeX complained of; letters of the name that no font has."""

    files: dict[tuple[str, str], bytes]
    failure: str = ""
    complaints: tuple[str, ...] = ()
    lacking: str = ""


def print_some(job: Job, some: Sequence[Drawn]) -> list[Made]:
    """The finished files of some students, in their order."""
    out, sheets = [], []
    for drawn in some:
        try:
            files, bodies = _files(job, drawn)
            failure = ""
        except ChainruleError as e:
            files, bodies, failure = {}, {}, str(e)
        except Exception as e:
            files, bodies, failure = {}, {}, f"{type(e).__name__}: {e}"
        out.append((files, failure))
        if "pdf" in job.formats and not failure:
            sheets.append(Sheets(drawn.student.id, drawn.student.name, tuple(bodies.items()), alone(job.exam, drawn.student)))
    pages = {p.student: p for p in printed(sheets, letters_of(job.exam), job.templates)} if sheets else {}
    found = [(files, failure, pages.get(d.student.id, Printed(d.student.id))) for d, (files, failure) in zip(some, out, strict=True)]
    return [Made(files | {("pdf", kind): pdf for kind, pdf in p.pdfs}, failure or p.failure, p.complaints, p.lacking) for files, failure, p in found]


def _files(job: Job, drawn: Drawn) -> tuple[dict[tuple[str, str], bytes], dict[str, str]]:
    """The files of a student that need no TeX, and the bodies of those that do."""
    s, exam, texts = drawn.student, job.exam, [p.texts for p in drawn.pieces]
    files: dict[tuple[str, str], str] = {}
    bodies = {kind: body(kind, exam, s, texts, drawn.points, drawn.tries, job.templates) for kind in KINDS} if {"pdf", "tex"} & set(job.formats) else {}
    if "tex" in job.formats:
        files |= {("tex", kind): document([text], unicode=alone(exam, s), templates=job.templates) for kind, text in bodies.items()}
    if "html" in job.formats:
        from .html import page

        files |= {("html", kind): page(kind, exam, s, [t[f"html {kind}"] for t in texts], drawn.points, drawn.tries, job.templates) for kind in KINDS}
    if "json" in job.formats:
        files["json", "key"] = as_json(exam, drawn)
    return {k: text.encode() for k, text in files.items()}, bodies


def as_json(exam: Exam, drawn: Drawn) -> str:
    """A paper with its keys as JSON text: the same bytes for the same identifiers."""
    s = drawn.student
    data = {"exam": exam.title, "course": exam.course, "date": exam.date, "id": s.id, "name": s.name, "large_print": is_large(exam, s),
            "draw": draw(drawn.tries), "points": sum(drawn.points), "questions": [json.loads(p.texts["json"]) for p in drawn.pieces]}
    return json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n"


# ---------------------------------------------------------------- on disk between the two

def to_data(drawn: Drawn) -> dict[str, Any]:
    """A student's questions as JSON data, to be kept until they are printed."""
    return asdict(drawn)


def from_data(d: Mapping[str, Any]) -> Drawn:
    """The same again."""
    pieces = tuple(Piece(p["attempt"], Fingerprint(p["print"]["canonical"], tuple(p["print"]["finals"])), p["points"], p["texts"]) for p in d["pieces"])
    return Drawn(Student(**d["student"]), pieces, d["failure"])
