"""The roster: a CSV file with an identifier and a name in each line. Lines that cannot be used are named, and nothing else is lost.

>>> roster = parse("\\ufeffName;ID\\nO'Brien;17\\n\\nZoë;17\\n李雷;18\\n", "s.csv")
>>> [(s.id, s.name, s.line) for s in roster.students]
[('17', "O'Brien", 2), ('18', '李雷', 5)]
>>> for sentence in roster.complaints: print(sentence)
s.csv:3: an empty line
s.csv:4: the identifier 17 stands already in line 2 (O'Brien); no paper for Zoë
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SpecError, one_line
from ..files import at_most
from ..reading.choices import truth
from ..reading.numbers import ValueProblem
from .spec import same

MAX_BYTES = 20_000_000
DELIMITERS = ",;\t|"
# What the columns may be called, in any order and any case.
HEADINGS = {"id": ("id", "identifier", "student", "student id", "student number", "number", "id number"),
            "name": ("name", "full name", "student name", "last name", "surname", "family name"), "first": ("first name", "given name", "forename"),
            "large_print": ("large print", "large")}


@dataclass(frozen=True)
class Student:
    """Whose paper it is. A paper without a name has a line to write it on."""

    id: str
    name: str = ""
    large: bool = False
    line: int = 0


@dataclass
class Roster:
    """The students in the order of the file, and one sentence for every line that cannot be used."""

    students: list[Student] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


def read(path: Path) -> Roster:
    """The roster of a file. Raises SpecError for a file that is none."""
    try:
        raw = at_most(path, MAX_BYTES)
    except OSError as e:
        raise SpecError(f"the roster cannot be read ({(e.strerror or str(e)).lower()})", where=str(path)) from None
    if len(raw) > MAX_BYTES:
        raise SpecError("the roster is larger than 20 MB", where=str(path), hint="is it the right file?")
    if b"\0" in raw and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError("the roster holds bytes that are 0: is it UTF-16 without its mark?", where=f"{path}:{raw[:raw.index(0)].count(10) + 1}", hint="save it as 'CSV UTF-8'")
    encoding = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        found = parse(raw.decode(encoding), str(path))
        return found if found.students else Roster([], [*found.complaints, f"{path}: nobody is named"])
    except UnicodeDecodeError as e:
        line = raw.count(b"\n", 0, e.start) + 1
        raise SpecError("the roster is not UTF-8", where=f"{path}:{line}", hint="save it as 'CSV UTF-8'") from None


def parse(text: str, file: str) -> Roster:
    """The same for a text at hand. Raises SpecError where the first line does not name the columns."""
    text = text.removeprefix("\ufeff")
    first = next((line for line in text.splitlines() if line.strip()), "")
    if not first:
        raise SpecError("the roster is empty", where=file, hint="its first line is 'id,name'")
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=max(DELIMITERS, key=first.count), skipinitialspace=True)
    out = Roster()
    columns: dict[str, int] = {}
    seen: dict[str, Student] = {}
    before = width = 0
    try:
        for cells in lines:
            number, before = before + 1, lines.line_num
            if any("\n" in c or "\r" in c for c in cells):
                out.complaints.append(one_line(f"{file}:{number}: a quotation mark joins lines {number} to {before}; is it closed? No paper for {' '.join(cells)[:80]}"))
                continue
            cells = [" ".join(c.split()) for c in cells]
            if not any(cells):
                out.complaints.append(f"{file}:{number}: an empty line")
            elif not columns:
                columns, width = _columns(cells, f"{file}:{number}"), len(cells)
            else:
                _take(cells, columns, width, (f"{file}:{number}", number), seen, out)
    except csv.Error as e:
        raise SpecError(f"the line cannot be read ({e})", where=f"{file}:{lines.line_num}") from None
    return out


def _columns(cells: Sequence[str], where: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for k, cell in enumerate(cells):
        plain = cell.lower().replace("_", " ").replace("-", " ")
        for what, names in HEADINGS.items():
            if plain in names:
                if what in found:
                    raise SpecError(f"two columns hold the {what.replace('_', ' ')}", where=where)
                found[what] = k
    if "id" not in found:
        raise SpecError("no column is called 'id'", where=where, hint=one_line(f"the first line names the columns, as in id,name; here it is {', '.join(map(repr, cells))[:120]}"))
    return found


def _take(cells: Sequence[str], columns: dict[str, int], width: int, place: tuple[str, int], seen: dict[str, Student], out: Roster) -> None:
    """One line as a student, or as a complaint. width: how many columns the first line names; place: of the line, in words and as a number."""
    where, number = place

    def cell(what: str) -> str:
        return cells[columns[what]] if what in columns and columns[what] < len(cells) else ""

    own, name = cell("id"), f"{cell('first')} {cell('name')}".strip()
    if any(cells[width:]):
        out.complaints.append(one_line(f"{where}: {len(cells)} cells under {width} columns; no paper for {own or name}; a name with a delimiter needs quotes"))
        return
    if not own:
        out.complaints.append(one_line(f"{where}: the identifier is missing; no paper for {name or 'this line'}"))
        return
    if "name" in columns and not name:
        out.complaints.append(one_line(f"{where}: the name of {own} is missing; the paper has a line for it"))
    if same(own) in seen:
        first = seen[same(own)]
        out.complaints.append(one_line(f"{where}: the identifier {own} stands already in line {first.line} ({first.name or first.id}); no paper for {name or own}"))
        return
    try:
        large = bool(cell("large_print")) and truth(cell("large_print"))
    except ValueProblem as e:
        out.complaints.append(one_line(f"{where}: large print of {own}: {e.sentence}; the paper is in ordinary print"))
        large = False
    seen[same(own)] = student = Student(own, name, large, number)
    out.students.append(student)


def variants(count: int) -> Roster:
    """Papers without names: A, B, C, ... or, of more than 26, numbers.

    >>> [s.id for s in variants(3).students], variants(100).students[0].id
    (['A', 'B', 'C'], '001')
    """
    names = [chr(ord("A") + k) for k in range(count)] if count <= 26 else [f"{k + 1:0{len(str(count))}d}" for k in range(count)]
    return Roster([Student(name) for name in names])
