"""The questions of one paper: drawn from the exam's secret and the student's identifier, with the points of the exam.

>>> shared(10, [1, 2, 3]), shared(2, [5, 1])
([2, 3, 5], [1, 1])
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from ..errors import SpecError
from ..problems.format import read_text
from ..problems.make import Maker
from ..problems.question import Part, Question, final
from ..problems.variants import seed_of
from .roster import Student
from .spec import Entry, Exam


@dataclass(frozen=True)
class Fingerprint:
    """What is compared between papers: the question in canonical form, and a hash of the final answer of each part."""

    canonical: str
    finals: tuple[str, ...]


@dataclass(frozen=True)
class Paper:
    """One paper. tries: which draw of each problem it holds, 0 unless an earlier paper holds the same one."""

    student: Student
    questions: tuple[Question, ...]
    tries: tuple[int, ...]


@lru_cache(maxsize=200)
def maker(name: str, text: str, where: str) -> Maker:
    """The maker of a problem's file. Raises SpecError for what is wrong with the file."""
    return Maker(read_text(text, where))


def checked(exam: Exam) -> None:
    """Whether every problem of an exam can be asked, and for so many points. Raises SpecError; a problem's derivation is proved here."""
    for entry in exam.entries:
        made = maker(entry.name, entry.text, entry.where)
        made.check()
        made.make(0)  # some draw passes, proved
        parts = len(made.file.ask)
        if entry.points is not None and entry.points < parts:
            raise SpecError(f"{entry.name} has {parts} parts, and cannot be worth {entry.points} point{'s' if entry.points > 1 else ''}", where=entry.place)


def seed(exam: Exam, student: Student, entry: Entry, attempt: int = 0) -> int:
    """The seed of one draw: nothing of it depends on other students or other problems."""
    return seed_of(exam.secret, exam.id, student.id, entry.key, *([str(attempt)] if attempt else []))


def question(exam: Exam, student: Student, place: int, attempt: int = 0) -> Question:
    """The question at a place of a student's paper. Raises SpecError, CheckError."""
    entry = exam.entries[place]
    made = maker(entry.name, entry.text, entry.where).make(seed(exam, student, entry, attempt))
    made = made if entry.points is None else worth(made, entry.points)
    return replace(made, title=entry.title) if entry.title else made


def paper(exam: Exam, student: Student, tries: Sequence[int] = ()) -> Paper:
    """A student's paper, all keys worked out and checked."""
    tries = tuple(tries) or (0,) * len(exam.entries)
    return Paper(student, tuple(question(exam, student, k, t) for k, t in enumerate(tries)), tries)


def fingerprint(q: Question) -> Fingerprint:
    """What a question is compared by."""
    return Fingerprint(q.canonical, tuple(hashlib.sha256(repr(final(p)).encode()).hexdigest()[:16] for p in q.parts))


# ---------------------------------------------------------------- points

def worth(q: Question, points: int) -> Question:
    """The question for another number of points, shared out over its parts and over the marks of their lines."""
    each = shared(points, [p.points for p in q.parts])
    return replace(q, parts=tuple(_revalued(p, n) for p, n in zip(q.parts, each, strict=True)))


def _revalued(p: Part, points: int) -> Part:
    marked = [k for k, x in enumerate(p.solution) if x.marks]
    marks = dict(zip(marked, shared(points, [p.solution[k].marks for k in marked], least=0), strict=True)) if marked else {}
    return replace(p, points=points, solution=tuple(replace(x, marks=marks.get(k, 0)) for k, x in enumerate(p.solution)))


def shared(total: int, weights: Sequence[int], least: int = 1) -> list[int]:
    """A total in whole shares that follow the weights (Sainte-Lague), none below the least but those of weight 0."""
    out = [least if w else 0 for w in weights]
    for _ in range(total - sum(out)):
        k = max(range(len(out)), key=lambda k: (Fraction(weights[k], 2 * out[k] + 1), -k))
        out[k] += 1
    return out
