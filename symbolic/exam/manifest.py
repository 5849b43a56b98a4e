"""What was printed, when it is asked for again: a folder's papers with their draws, versions and a hash of every file.

>>> version(b"a"), same_version({"bank": "1"}, {"bank": "2"})
('ca978112ca1bbdca', ['the problems have changed (bank 1, now 2)'])
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

from pydantic import TypeAdapter

from .. import __version__
from ..errors import ChainruleError
from ..files import write_all
from .spec import Exam

NAME = "manifest.json"
PACKAGE = Path(__file__).resolve().parent.parent
WHAT = {"exam": "the exam has changed", "bank": "the problems have changed", "program": "chainrule has changed",
        "pdflatex": "pdfLaTeX is another version", "lualatex": "LuaLaTeX is another version"}


@dataclass
class Record:
    """One paper that was printed. first, prints: fingerprints of its first draws and of those it holds; files: their hashes by path;
    lacking: letters that no font had."""

    name: str
    large: bool
    tries: list[int]
    first: list[tuple[str, list[str]]]
    prints: list[tuple[str, list[str]]]
    files: dict[str, str] = field(default_factory=dict)
    lacking: str = ""


@dataclass
class Manifest:
    """The record of one folder."""

    title: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    papers: dict[str, Record] = field(default_factory=dict)

    def done(self, folder: Path, student: str, wanted: list[str]) -> bool:
        """Whether every wanted file of a student stands there as it was written."""
        record = self.papers.get(student)
        return record is not None and all(_is(folder / path, record.files.get(path, "")) for path in wanted)

    def write(self, folder: Path) -> None:
        """Whole or not at all."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        write_all({folder / NAME: text.encode()})


def read(folder: Path) -> Manifest:
    """The manifest of a folder; an empty one where there is none. Raises ChainruleError for one that is broken."""
    path = folder / NAME
    if not path.exists():
        return Manifest()
    try:
        return TypeAdapter(Manifest).validate_json(path.read_bytes(), strict=True)
    except (OSError, ValueError):
        raise ChainruleError("this is no manifest of an exam", where=str(path), hint="delete it, or give another folder") from None


def _is(path: Path, wanted: str) -> bool:
    try:
        return bool(wanted) and version(path.read_bytes()) == wanted
    except OSError:
        return False


def version(content: bytes) -> str:
    """A hash, short enough to be read out."""
    return hashlib.sha256(content).hexdigest()[:16]


def versions(exam: Exam, tex: Mapping[str, str], templates: Path | None) -> dict[str, str]:
    """What the bytes of an exam's papers depend on, beside the students. The secret is there as a hash that does not give it away."""
    words = repr((exam.title, exam.id, exam.course, exam.date, exam.time, exam.cover, [(e.key, e.points, e.room, e.new_page, e.title) for e in exam.entries],
                  exam.large if isinstance(exam.large, bool) else sorted(exam.large)))
    own = sorted(templates.rglob("*")) if templates else []
    return {"exam": version(hmac.new(exam.secret, words.encode(), hashlib.sha256).digest()), "bank": exam.bank_version,
            "program": f"{__version__} {_program()}" + (f" {_hash(own)}" if own else ""), **tex}


def same_version(then: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """One sentence for each version that is another one than it was."""
    return [f"{WHAT[k]} ({k} {then[k]}, now {now[k]})" for k in WHAT if k in then and k in now and then[k] != now[k]]


@lru_cache(maxsize=1)
def _program() -> str:
    templates = next((p for p in (PACKAGE / "templates", PACKAGE.parent / "templates") if p.is_dir()), PACKAGE)
    return _hash([*sorted(PACKAGE.rglob("*.py")), *sorted(templates.glob("*"))])


def _hash(paths: list[Path]) -> str:
    found = hashlib.sha256()
    for path in paths:
        if path.is_file():
            found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]
