"""The YAML of an exam as one checked model, and the exam as workers need it: plain data with the text of its problems.

>>> exam = build({"title": "Midterm", "secret": "not for students", "problems": ["one-neuron", {"name": "graph-fork", "points": 8}]})
>>> [(e.name, e.points) for e in exam.entries], exam.id
([('one-neuron', None), ('graph-fork', 8)], 'Midterm')
>>> build({"title": "Midterm", "secret": "not for students", "problems": ["one-neurone"]})
Traceback (most recent call last):
symbolic.errors.SpecError: problems, entry 1: no problem is called 'one-neurone'; did you mean 'one-neuron'?
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from ..errors import SpecError, nearest, one_line
from ..files import at_most
from ..problems.format import first_mistake
from ..problems.library import OWN
from ..reading.choices import short, truth
from ..reading.keys import LISTED, TRUTH, Keys, within
from ..reading.numbers import ValueProblem
from ..reading.paths import Step, spoken
from ..reading.yamltext import MAX_BYTES, Kind, Located, read

LEAST_SECRET = 8    # letters
MOST_SECRET = 10_000
MOST_PROBLEMS = 40
MOST_ROOM = 240     # millimetres of a page
KIND = Kind("it needs 'title:', 'secret:' and 'problems:', as 'chainrule new exam' writes them")


class Chosen(Keys):
    """A problem of the exam, with what is different from its file."""

    name: str = Field(description="The problem's name: its file without the ending.", examples=["one-neuron"])
    points: Annotated[int | None, within(1, 1000)] = Field(default=None, description="Its points, shared out over its parts; without it those of its file.")
    room: Annotated[int | None, within(0, MOST_ROOM)] = Field(default=None, description="Millimetres to write for each part; without it by the length of the key.")
    new_page: Annotated[bool, TRUTH] = Field(default=False, description="Whether it begins a page.")
    title: str = Field(default="", description="Another title.")

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data


class ExamFile(Keys):
    """An exam as it is written down."""

    title: str = Field(description="The title of every paper.")
    id: str = Field(default="", description="What the draws are seeded with, beside the secret; without it the title.")
    course: str = Field(default="", description="The course.")
    date: str = Field(default="", description="The date, as it is printed.")
    time: str = Field(default="", description="The time, as it is printed.", examples=["90 minutes"])
    secret: str | dict[str, str] = Field(description="A secret, or {file: its file}, or {env: its environment variable}.", examples=[{"env": "EXAM_SECRET"}])
    cover: str = Field(default="", description="Words for the cover; an empty line begins a paragraph.")
    large_print: bool | list[str] = Field(default=False, description="Large print for everybody, or for these identifiers.")
    bank: Annotated[list[str], LISTED] = Field(default_factory=list, description="Folders of problems of your own.")
    roster: str = Field(default="", description="The CSV file of the students, where --roster names none.")
    problems: list[Chosen] = Field(description="The problems in their order: names, or braces with a name and options.")

    @field_validator("large_print", mode="before")
    @classmethod
    def _large_print(cls, raw: object) -> object:
        if isinstance(raw, list):
            for k, r in enumerate(raw):
                if not isinstance(r, str):
                    raise ValueProblem("expected an identifier", k)
            return raw
        try:
            return truth(raw)
        except ValueProblem as e:
            raise ValueProblem(e.sentence, hint=f"for some students write their identifiers as a list: [{raw}]" if isinstance(raw, str) else "") from None

    @field_validator("secret", mode="before")
    @classmethod
    def _secret(cls, raw: object) -> object:
        good = len(raw) == 1 and not set(raw) - {"file", "env"} and isinstance(next(iter(raw.values())), str) if isinstance(raw, Mapping) else isinstance(raw, str)
        if not good:
            raise ValueProblem("expected a text, {file: NAME} or {env: NAME}")
        return raw

    @field_validator("problems", mode="after")
    @classmethod
    def _problems(cls, found: list[Chosen]) -> list[Chosen]:
        if not 1 <= len(found) <= MOST_PROBLEMS:
            raise ValueProblem(f"expected 1 to {MOST_PROBLEMS} problems")
        return found

    @model_validator(mode="after")
    def _titled(self) -> ExamFile:
        if not self.title.strip():
            raise ValueProblem("expected some words", "title")
        return self


@dataclass(frozen=True)
class Entry:
    """A problem of an exam. key: its name within the exam, unlike all others; text: its file; where: its file's name, and place: its line in the exam, for messages."""

    key: str
    name: str
    text: str = field(repr=False)
    where: str
    points: int | None = None
    room: int | None = None
    new_page: bool = False
    title: str = ""
    place: str = ""


@dataclass(frozen=True)
class Exam:
    """An exam, complete in itself: what is made of it depends on nothing but this, a student and the program."""

    title: str
    id: str
    course: str
    date: str
    time: str
    cover: str
    secret: bytes = field(repr=False)
    entries: tuple[Entry, ...]
    large: bool | frozenset[str] = False
    roster: Path | None = None
    stem: str = "exam"

    @property
    def bank_version(self) -> str:
        """A hash over the text of its problems."""
        return hashlib.sha256("\0".join(f"{e.name}\0{e.text}" for e in self.entries).encode()).hexdigest()[:16]

    def words(self) -> str:
        """Everything of its own that is printed on papers."""
        return " ".join([self.title, self.course, self.date, self.time, self.cover, *(e.title for e in self.entries)])


def load(path: Path) -> Exam:
    """The exam of a file. Raises SpecError with file and line for whatever is wrong with it."""
    located = read(path, KIND)
    return _exam(_model(located.data, located), path.parent, located, path.stem)


def build(data: Mapping[str, Any], folder: Path = Path()) -> Exam:
    """The same from data at hand; paths are relative to a folder."""
    return _exam(_model(data, Located("", {}, {})), folder, None, "exam")


def _model(data: Any, located: Located) -> ExamFile:
    try:
        return ExamFile.model_validate(data)
    except ValidationError as error:
        found = first_mistake(error, located, lambda path: Chosen if path[0] == "problems" else ExamFile)
        raise SpecError(found.sentence, where=found.where if located.file else "", hint=found.hint) from None


def _exam(file: ExamFile, folder: Path, located: Located | None, stem: str) -> Exam:
    def fail(path: tuple[Step, ...], sentence: str, hint: str = "") -> SpecError:
        return SpecError(one_line(f"{spoken(path)}: {sentence}"), where=located.where(*path) if located else "", hint=hint)

    try:
        secret = _secret(file.secret, folder)
    except ValueProblem as e:
        raise fail(("secret",), e.sentence, e.hint) from None
    files = {p.stem: p for p in sorted(OWN.glob("*.y*ml"))}
    for k, name in enumerate(file.bank):
        own = folder / name
        if not own.is_dir():
            raise fail(("bank", k), f"no such folder: {own}")
        for p in sorted([*own.glob("*.yaml"), *own.glob("*.yml")]):
            if p.stem in files:
                raise fail(("bank", k), f"{p} has the name of another problem, {files[p.stem]}", "rename the file")
            files[p.stem] = p
    entries: list[Entry] = []
    for k, c in enumerate(file.problems):
        if c.name not in files:
            raise fail(("problems", k), f"no problem is called {short(c.name)}", nearest(c.name, files))
        text = _text(files[c.name])
        again = sum(e.name == c.name for e in entries)
        key = f"{c.name}#{again + 1}" if again else c.name
        entries.append(Entry(key, c.name, text, str(files[c.name]), c.points, c.room, c.new_page, c.title, located.where("problems", k) if located else ""))
    large = file.large_print if isinstance(file.large_print, bool) else frozenset(map(same, file.large_print))
    return Exam(file.title, file.id or file.title, file.course, file.date, file.time, file.cover, secret, tuple(entries), large,
                folder / file.roster if file.roster else None, stem)


def same(identifier: str) -> str:
    """An identifier in the form in which two are compared: composed letters, no case, nothing that cannot be seen.

    >>> same(" Ab1 ") == same("aB1\\u200b")
    True
    """
    return unicodedata.normalize("NFC", "".join(c for c in identifier.strip() if unicodedata.category(c) != "Cf")).casefold()


def _text(path: Path) -> str:
    try:
        return at_most(path, MAX_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise SpecError("the file cannot be read as UTF-8 text", where=str(path)) from None


def _secret(given: str | Mapping[str, str], folder: Path) -> bytes:
    if isinstance(given, str):
        text = given
    elif "env" in given:
        text = os.environ.get(given["env"], "")
        if not text:
            raise ValueProblem(f"the environment variable {short(given['env'])} is not set")
    else:
        try:
            text = at_most(folder / given["file"], MOST_SECRET).decode("utf-8-sig").strip()
        except (OSError, UnicodeDecodeError):
            raise ValueProblem(f"the file {short(given['file'])} cannot be read") from None
        if len(text) > MOST_SECRET or "\0" in text:
            raise ValueProblem(f"the file {short(given['file'])} is no text of at most {MOST_SECRET:,} letters")
    if len(text) < LEAST_SECRET:
        raise ValueProblem(f"expected at least {LEAST_SECRET} letters", hint="whoever knows it can work out every paper")
    return text.encode()
