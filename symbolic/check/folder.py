"""Many submissions at once: each in its turn or several beside each other, always told in the order of their names.

What a process hands back is plain data (`report.told`), so that it can be sent; one broken file stops nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import SpecError
from .report import STATUSES
from .session import Options, Session
from .subject import subject

ENDINGS = (".py", ".ipynb")
SKIPPED = ("__pycache__", ".ipynb_checkpoints", "__MACOSX")
MOST_FILES = 20_000
COLUMNS = ("file", "status", "exit_status", "score", "right", "gradients", "first_wrong", "causes", "line", "message", "seed")


@dataclass(frozen=True)
class Wish:
    """What is checked against, in a form that another process can be sent: a spec's path or a short text, the loss, options, the hint."""

    given: str | None
    loss: str
    options: Options
    hint: int

    def session(self) -> Session:
        """The session that it asks for. Raises SpecError for a spec that cannot be used."""
        return Session(None if self.given is None else subject(self.given, self.loss), self.options)


def submissions(folder: Path) -> list[Path]:
    """The files of a folder, in the order of their names. Raises SpecError where there are none, or far too many."""
    found = []
    for path in folder.rglob("*"):
        if path.suffix in ENDINGS and path.is_file() and not any(p in SKIPPED or p.startswith(".") for p in path.relative_to(folder).parts):
            found.append(path)
        if len(found) > MOST_FILES:
            raise SpecError(f"more than {MOST_FILES} files", where=str(folder))
    if not found:
        raise SpecError("no .py or .ipynb file in this folder", where=str(folder))
    return sorted(found, key=lambda p: p.relative_to(folder).as_posix())


def told_all(files: Sequence[tuple[Path, str]], wish: Wish, jobs: int = 1, done: Callable[[Mapping[str, Any]], None] | None = None) -> list[dict[str, Any]]:
    """What is told of each file (path, name), in their order. done: called with each as it is known."""
    out = []
    for data in _told(files, wish, jobs):
        out.append(data)
        if done is not None:
            done(data)
    return out


def _told(files: Sequence[tuple[Path, str]], wish: Wish, jobs: int) -> Iterator[dict[str, Any]]:
    session = wish.session()  # its mistakes are said before any process starts
    wish = replace(wish, options=replace(wish.options, seed=session.seed))
    if jobs < 2 or len(files) < 2:
        for path, name in files:
            yield session.check(path, name).told(wish.hint)
        return
    import multiprocessing

    try:
        with futures.ProcessPoolExecutor(min(jobs, len(files)), mp_context=multiprocessing.get_context("spawn"), initializer=_start, initargs=(wish,)) as pool:
            yield from pool.map(_one, files)
    except futures.BrokenExecutor:
        raise SpecError("the processes for --jobs cannot be started here", hint="leave --jobs out") from None


_SESSION: list[tuple[Session, int]] = []


def _start(wish: Wish) -> None:
    _SESSION.append((wish.session(), wish.hint))


def _one(file: tuple[Path, str]) -> dict[str, Any]:
    session, hint = _SESSION[0]
    return session.check(*file).told(hint)


def row(data: Mapping[str, Any]) -> dict[str, Any]:
    """The line of a file in the CSV."""
    rows = data.get("gradients", ())
    wrong = [r for r in rows if not r["passed"]]
    causes = list(dict.fromkeys(c["slip"] for both in data.get("causes", ()) for c in both))
    lines = [c["source"]["line"] for both in data.get("causes", ()) for c in both if c["source"]]
    first = wrong[0] if wrong else None
    line = lines[0] if lines else first["source"]["line"] if first and first["source"] else ""
    return {"file": data["file"], "status": data["status"], "exit_status": data["exit_status"], "score": data["score"], "right": sum(r["passed"] for r in rows) if rows else "",
            "gradients": len(rows) or "", "first_wrong": (f"{first['group']}: " if first["group"] else "") + first["gradient"] if first else "", "causes": " | ".join(causes),
            "line": line, "message": data["message"], "seed": data["seed"]}


def as_csv(reports: Sequence[Mapping[str, Any]]) -> bytes:
    """One line a file; cells that a spreadsheet would take for formulas are marked as text."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for data in reports:
        writer.writerow({k: f"'{v}" if isinstance(v, str) and v[:1] in ("=", "+", "-", "@", "\t") else v for k, v in row(data).items()})
    return out.getvalue().encode()


def summary(reports: Sequence[Mapping[str, Any]]) -> str:
    """How many files came to what.

    >>> summary([{"status": "right"}, {"status": "wrong"}, {"status": "right"}])
    '3 files: 2 right, 1 wrong.'
    """
    counts = {s: sum(d["status"] == s for d in reports) for s in STATUSES}
    return f"{len(reports)} file{'s' * (len(reports) != 1)}: " + ", ".join(f"{n} {s}" for s, n in counts.items() if n) + "."


def worst(reports: Sequence[Mapping[str, Any]]) -> int:
    """The exit status of a folder: 0 where all are right, else that of the file that most stands in the way."""
    return max((int(d["exit_status"]) for d in reports), default=0)
