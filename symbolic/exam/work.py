"""The two pieces of work that are done for every student, wherever a worker stands: plain data in, plain data out.

``draw_one`` makes a student's questions and lays out everything but the PDFs; ``print_some`` runs TeX for several students.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import ChainruleError
from ..problems.question import as_data
from .draw import Fingerprint, Paper, fingerprint, paper
from .pages import KINDS, alone, body, document, draw, is_large, letters_of
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
class Drawn:
    """One student's paper without its PDFs, or why there is none. bodies: LaTeX by kind; texts: finished files by format and kind."""

    student: Student
    tries: tuple[int, ...] = ()
    prints: tuple[Fingerprint, ...] = ()
    own: bool = False
    bodies: tuple[tuple[str, str], ...] = ()
    texts: tuple[tuple[str, str, str], ...] = ()
    failure: str = ""


def draw_one(job: Job, student: Student, tries: tuple[int, ...]) -> Drawn:
    """A student's paper. Never raises for one student's sake: what is wrong is said."""
    try:
        made = paper(job.exam, student, tries)
        bodies = {kind: body(kind, job.exam, made, job.templates) for kind in KINDS} if {"pdf", "tex"} & set(job.formats) else {}
        return Drawn(student, made.tries, tuple(map(fingerprint, made.questions)), alone(job.exam, made), tuple(bodies.items()), _texts(job, made, bodies))
    except ChainruleError as e:
        return Drawn(student, tries, failure=str(e))
    except Exception as e:  # one student must not end the work for all others
        return Drawn(student, tries, failure=f"{type(e).__name__}: {e}")


def _texts(job: Job, made: Paper, bodies: dict[str, str]) -> tuple[tuple[str, str, str], ...]:
    out = []
    if "json" in job.formats:
        out.append(("json", "key", as_json(job.exam, made)))
    if "html" in job.formats:
        from .html import page

        out += [("html", kind, page(kind, job.exam, made, job.templates)) for kind in KINDS]
    if "tex" in job.formats:
        out += [("tex", kind, document([text], unicode=alone(job.exam, made), templates=job.templates)) for kind, text in bodies.items()]
    return tuple(out)


def as_json(exam: Exam, made: Paper) -> str:
    """A paper with its keys as JSON text: the same bytes for the same identifiers."""
    data = {"exam": exam.title, "course": exam.course, "date": exam.date, "id": made.student.id, "name": made.student.name, "large_print": is_large(exam, made),
            "draw": draw(made), "points": sum(q.points for q in made.questions), "questions": [as_data(q) for q in made.questions]}
    return json.dumps(data, indent=2, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n"


def print_some(job: Job, some: tuple[Sheets, ...]) -> list[Printed]:
    """The PDFs of some students."""
    return printed(some, letters_of(job.exam), job.templates)


# ---------------------------------------------------------------- on paper between the two

def to_text(drawn: Drawn) -> str:
    """A drawn paper as JSON, to be kept until it is printed."""
    return json.dumps(asdict(drawn), ensure_ascii=False)


def from_text(text: str) -> Drawn:
    """The same again."""
    d: dict[str, Any] = json.loads(text)
    return Drawn(Student(**d["student"]), tuple(d["tries"]), tuple(Fingerprint(f["canonical"], tuple(f["finals"])) for f in d["prints"]), d["own"],
                 tuple((a, b) for a, b in d["bodies"]), tuple((a, b, c) for a, b, c in d["texts"]), d["failure"])
