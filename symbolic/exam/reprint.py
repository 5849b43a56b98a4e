"""One student's paper again, from the identifiers alone, held to what is on record about its first printing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..errors import ChainruleError, SpecError, nearest
from ..files import write_all
from . import manifest as record
from .bulk import named, paths, tex_of
from .draw import checked
from .printing import boxes
from .roster import Student
from .spec import same
from .work import Job, draw_some, print_some


@dataclass
class Reprint:
    """The files of a reprint; notes: what has to be said about it; same: whether every file is what it was, None where nothing is on record."""

    files: dict[str, bytes]
    notes: list[str] = field(default_factory=list)
    same: bool | None = None


def reprint(job: Job, identifier: str, students: list[Student], printed: Path, draws: str = "") -> Reprint:
    """The paper and key of one student.

    students: the roster, where there is one; printed: the folder of the first printing; draws: as the paper's cover says, where that folder
    is lost. Raises SpecError for a student or draw that cannot be, ChainruleError where the paper cannot be made.
    """
    checked(job.exam)
    first = record.read(printed)
    known = {same(k): k for k in first.papers}
    was = first.papers.get(known.get(same(identifier), ""))
    student = next((s for s in students if same(s.id) == same(identifier)), None)
    if student is None and was is not None:
        student = Student(known[same(identifier)], was.name, was.large)
    elif student is None and students:
        raise SpecError(f"no student of the roster has the identifier {identifier!r}",
                        hint=next((f"{s.name} has {s.id}" for s in students if identifier.lower() in s.name.lower()), "") or nearest(identifier, [s.id for s in students]))
    student = student or Student(identifier)
    count = len(job.exam.entries)
    tries = _tries(draws, count) if draws else tuple(was.tries) if was and len(was.tries) == count else (0,) * count
    out = Reprint({})
    if was is None:
        out.notes.append(f"{printed}: nothing is on record about {identifier}, so its first draws are printed" + ("" if students else " and no name"))
    else:
        out.notes += record.same_version(first.versions, record.versions(job.exam, tex_of(job, [student]), job.templates))
    drawn = draw_some(job, replace(student, line=0), tries)
    if drawn.failure:
        raise ChainruleError(f"no paper for {student.id}: {drawn.failure}")
    made = print_some(job, [drawn])[0]
    if made.failure:
        raise ChainruleError(f"no paper for {student.id}: {made.failure}")
    if made.lacking:
        out.notes.append(f"{named(student)}: {boxes(made.lacking)}")
    where = paths(job, student)
    out.files = {where[key]: content for key, content in made.files.items()}
    if was is not None:
        compared = {path: record.version(content) == was.files[path] for path, content in out.files.items() if path in was.files}
        out.same = all(compared.values()) if compared else None
        out.notes += [f"{path} is not what it was when it was first printed" for path, equal in compared.items() if not equal]
    return out


def _tries(draws: str, count: int) -> tuple[int, ...]:
    if not re.fullmatch(r"\d{1,9}(-\d{1,9})*", draws) or draws.count("-") + 1 != count:
        raise SpecError(f"--draw {draws}: expected {count} numbers joined by '-'", hint="as the cover of the paper says")
    return tuple(map(int, draws.split("-")))


def write(found: Reprint, folder: Path) -> None:
    """The files into a folder, all or none."""
    write_all({folder / path: content for path, content in found.files.items()})
