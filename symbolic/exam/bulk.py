"""A whole exam into a folder: every paper and key, on all cores, resumed where it was stopped, and nothing half-written.

>>> stem("4711"), stem("con"), stem("a/b") == stem("a_b"), stem("李雷").startswith("paper-")
('4711', 'paper-con-1143da2b', False, True)
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ..errors import SpecError
from ..files import alone_in, tidy_up, write_all
from . import manifest as record
from .draw import Fingerprint, checked
from .manifest import Manifest, Record
from .pages import alone
from .printing import boxes, tex_versions
from .roster import Student
from .settle import settle
from .work import (
    Drawn,
    Job,
    Made,
    Piece,
    draw_piece,
    draw_some,
    from_data,
    print_some,
    to_data,
)
from .workers import Here, Workers

FORMATS = ("pdf", "html", "json", "tex")
FOLDERS = {"paper": "papers", "key": "keys"}
MAKING = ".making"  # drawn papers, until they are printed
BATCH = 32          # students in one run of TeX
Tell = Callable[[str, int, int], None]  # what is being done, how many are done, of how many


@dataclass
class Outcome:
    """How it went. made: papers of this run; kept: those that stood there; failures: a sentence for each that could not be made, or not with its whole name;
    notes: what else is to be said."""

    made: int = 0
    kept: int = 0
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def stem(identifier: str) -> str:
    """An identifier as the name of a file on every system; two identifiers never share one."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", identifier).strip("._")[:60]
    if re.match(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", plain, re.IGNORECASE):  # devices on Windows
        plain = f"paper-{plain}"
    return plain if plain == identifier else f"{plain or 'paper'}-{record.version(identifier.encode())[:8]}"


def named(s: Student) -> str:
    """A student in a sentence."""
    return f"{s.id} ({s.name})" if s.name else s.id


def paths(job: Job, student: Student) -> dict[tuple[str, str], str]:
    """The files of a student within the folder, by format and kind."""
    name = stem(student.id)
    out = {(form, kind): f"{FOLDERS[kind]}/{name}.{form}" for form in job.formats if form != "json" for kind in FOLDERS}
    return out | ({("json", "key"): f"{FOLDERS['key']}/{name}.json"} if "json" in job.formats else {})


def produce(job: Job, students: Sequence[Student], folder: Path, workers: Workers | None = None, tell: Tell = lambda what, done, of: None, *,
            overwrite: bool = False) -> Outcome:
    """Make what is missing of an exam in a folder. overwrite: also where its papers are of another exam, bank or version, and may be handed out already.

    Raises SpecError for problems that cannot be asked and for such a folder, ChainruleError where it cannot be written. One broken student stops no other.
    """
    checked(job.exam)
    with alone_in(folder):
        run = _Run(job, students, folder, workers or Here(), tell, overwrite)
        if run.todo:
            run.draw()
            run.settle()
            run.print()
            run.finish()
        run.tidy()
        return run.out


def tex_of(job: Job, students: Sequence[Student]) -> dict[str, str]:
    """The versions of the engines that print some students' papers."""
    return tex_versions(own=any(alone(job.exam, s) for s in students)) if "pdf" in job.formats else {}


class _Run:
    """The state of one run: who is still to be done, what was drawn, what was printed."""

    def __init__(self, job: Job, students: Sequence[Student], folder: Path, workers: Workers, tell: Tell, overwrite: bool) -> None:
        self.job, self.students, self.folder, self.workers, self.tell = job, students, folder, workers, tell
        self.out = Outcome()
        self.versions = record.versions(job.exam, tex_of(job, students), job.templates)
        self.known = self._known(overwrite)
        self.todo = [s for s in students if not self._is_done(s)]
        self.out.kept = len(students) - len(self.todo)
        self.first: dict[str, tuple[Fingerprint, ...]] = {}
        self.tries: dict[str, tuple[int, ...]] = {}
        self.failed: set[str] = set()

    def _known(self, overwrite: bool) -> Manifest:
        """The record of the folder; an empty one where it is of other versions, and is to be overwritten."""
        found = record.read(self.folder)
        changed = record.same_version(found.versions, self.versions) if found.papers else []
        if changed and not overwrite:
            raise SpecError(f"the papers here are of an earlier printing, and {' and '.join(changed)}", where=str(self.folder),
                            hint="give another folder with -o, or --overwrite if nobody has them yet")
        if changed:
            self.out.notes.append(f"{'; '.join(changed)}: every paper is made anew")
            if left := [i for i in found.papers if i not in {s.id for s in self.students}]:
                self.out.notes.append(f"left as they were, for the roster names them no longer: {', '.join(left)}")
        return Manifest(self.job.exam.title, self.versions | ({} if changed else {k: v for k, v in found.versions.items() if k not in self.versions}),
                        {} if changed else found.papers)

    def _is_done(self, s: Student) -> bool:
        was, count = self.known.papers.get(s.id), len(self.job.exam.entries)
        return was is not None and not was.lacking and {len(was.tries), len(was.first), len(was.prints)} == {count} and (was.name, was.large) == (s.name, s.large) \
            and self.known.done(self.folder, s.id, list(paths(self.job, s).values()))

    def fail(self, s: Student, sentence: str) -> None:
        """One paper that cannot be made."""
        self.failed.add(s.id)
        self.out.failures.append(f"no paper for {named(s)}: {sentence}")

    # ------------------------------------------------------------ first all draws

    def _making(self, s: Student) -> Path:
        return self.folder / MAKING / f"{stem(s.id)}.json"

    def _keep(self, drawn: Drawn) -> None:
        s = drawn.student
        data = {"versions": self.versions, "formats": self.job.formats, "first": [asdict(f) for f in self.first[s.id]], "drawn": to_data(drawn)}
        write_all({self._making(s): json.dumps(data, ensure_ascii=False).encode()})

    def kept(self, s: Student) -> Drawn | None:
        """What was drawn for a student, here or by a run that was stopped."""
        try:
            data = json.loads(self._making(s).read_bytes())
            drawn = from_data(data["drawn"])
            if data["versions"] != self.versions or tuple(data["formats"]) != self.job.formats or drawn.student != s:
                return None
            self.first[s.id] = tuple(Fingerprint(f["canonical"], tuple(f["finals"])) for f in data["first"])
            self.tries[s.id] = drawn.tries
            return drawn
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def draw(self) -> None:
        """The first draw of everybody."""
        left = [s for s in self.todo if self.kept(s) is None]
        tasks = [(self.job, s, (0,) * len(self.job.exam.entries)) for s in left]
        for n, (k, found) in enumerate(self.workers.each(draw_some, tasks), len(self.todo) - len(left) + 1):
            failure = f"the work broke off ({found or type(found).__name__})" if isinstance(found, BaseException) else found.failure
            if failure:
                self.fail(left[k], failure)
            else:
                self.first[found.student.id], self.tries[found.student.id] = tuple(p.print for p in found.pieces), found.tries
                self._keep(found)
            self.tell("Questions", n, len(self.todo))

    def settle(self) -> None:
        """Draw again where two papers would hold the same."""
        job, papers = self.job, self.known.papers
        todo = {s.id for s in self.todo}
        here = [s for s in self.students if s.id not in self.failed]
        fixed = [None if s.id in todo else (tuple(papers[s.id].tries), _prints(papers[s.id].prints)) for s in here]
        first = [self.first[s.id] if s.id in todo else _prints(papers[s.id].first) for s in here]
        again: dict[tuple[int, int, int], Piece] = {}

        def redraw(k: int, place: int, attempt: int) -> Fingerprint:
            again[k, place, attempt] = draw_piece(job, here[k], place, attempt)
            return again[k, place, attempt].print

        def chosen(k: int, tries: tuple[int, ...]) -> None:
            s = here[k]
            if s.id in todo and tries != self.tries[s.id] and (drawn := self.kept(s)):
                pieces = [p if p.attempt == t else again.get((k, place, t)) or draw_piece(job, s, place, t)
                          for place, (p, t) in enumerate(zip(drawn.pieces, tries, strict=True))]
                self._keep(replace(drawn, pieces=tuple(pieces)))
            again.clear()

        found = settle(first, fixed, redraw, chosen)
        self._say(found.twins, here, "{count} papers hold a draw of {name} that another paper holds, because there are too few draws")
        self._say(found.alike, here, "{count} papers share an answer of {name} with the paper before them, because there are too few answers")

    def _say(self, places: Sequence[tuple[int, int]], here: Sequence[Student], sentence: str) -> None:
        for place, entry in enumerate(self.job.exam.entries):
            count = sum(p == place for _, p in places)
            if count:
                self.out.notes.append(sentence.format(count=count, name=entry.key) if count > 1 else
                                      sentence.format(count=1, name=entry.key).replace("papers hold", "paper holds").replace("papers share", "paper shares").replace("them", "it"))

    # ------------------------------------------------------------ then all pages

    def print(self) -> None:
        """Every paper that was drawn, in batches that are written as soon as they are whole."""
        batches = self._batches([s for s in self.todo if s.id not in self.failed])
        for k, found in self.workers.each(print_some, ((self.job, self._drawn(batch)) for batch in batches)):
            if isinstance(found, BaseException):
                for s in batches[k]:
                    self.fail(s, f"the printing broke off ({found or type(found).__name__})")
                continue
            ready = []
            for s, made in zip(batches[k], found, strict=True):
                if made.failure:
                    self.fail(s, made.failure)
                    continue
                ready.append((s, made))
                self.out.notes += [f"{s.id}: {c}" for c in made.complaints if len(batches[k]) == 1]
                if made.lacking:
                    self.out.failures.append(f"{named(s)}: {boxes(made.lacking)}")
            self._write(ready)

    def _batches(self, students: Sequence[Student]) -> list[list[Student]]:
        """Who shares a run: nobody with a student who needs LuaLaTeX; as few runs as the workers and their memory allow."""
        own = [s for s in students if "pdf" in self.job.formats and alone(self.job.exam, s)]
        others = [s for s in students if s not in own]
        size = min(BATCH, max(1, -(-len(others) // self.workers.count)))
        return [others[k:k + size] for k in range(0, len(others), size)] + [[s] for s in own]

    def _drawn(self, batch: Sequence[Student]) -> list[Drawn]:
        return [drawn for s in batch if (drawn := self.kept(s))]

    def _write(self, ready: Sequence[tuple[Student, Made]]) -> None:
        files: dict[Path, bytes] = {}
        for (s, made), drawn in zip(ready, self._drawn([s for s, _ in ready]), strict=True):
            where = paths(self.job, s)
            files |= {self.folder / where[key]: content for key, content in made.files.items()}
            self.known.papers[s.id] = Record(s.name, s.large, list(drawn.tries), [_plain(f) for f in self.first[s.id]], [_plain(p.print) for p in drawn.pieces],
                                             {where[key]: record.version(content) for key, content in made.files.items()}, made.lacking)
        write_all(files)
        self.known.write(self.folder)
        self.out.made += len(ready)
        self.tell("Pages", self.out.made + len(self.failed), len(self.todo))

    def finish(self) -> None:
        """Failures in the order of the roster."""
        names = [f"{named(s)}:" for s in self.students]
        self.out.failures.sort(key=lambda text: next((k for k, name in enumerate(names) if text.removeprefix("no paper for ").startswith(name)), 0))

    def tidy(self) -> None:
        """Away with what was kept, and with what a run that was killed left behind."""
        shutil.rmtree(self.folder / MAKING, ignore_errors=True)
        for name in ("", *FOLDERS.values()):
            tidy_up(self.folder / name)


def _plain(f: Fingerprint) -> tuple[str, list[str]]:
    return f.canonical, list(f.finals)


def _prints(rows: Sequence[tuple[str, list[str]]]) -> tuple[Fingerprint, ...]:
    return tuple(Fingerprint(a, tuple(b)) for a, b in rows)

