"""The bank: every problem file of the package and of a course's own folders. A broken file says so, and the others go on working.

>>> bank = Bank()
>>> bank.broken, "one-neuron" in bank.makers
([], True)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mpmath import mp

from ..errors import ChainruleError, SpecError, nearest
from .format import load
from .make import Maker
from .question import Question, as_json
from .variants import seed_of

OWN = Path(__file__).parent / "bank"


class Bank:
    """The problems of some folders by name; those of the package come first.

    only: the name of the one problem that is wanted. names: of all files. broken: the sentences for files that cannot be used. Raises SpecError for a folder that does not exist.
    """

    def __init__(self, folders: Sequence[Path] = (), only: str = "") -> None:
        self.makers: dict[str, Maker] = {}
        self.broken: list[str] = []
        self.names: list[str] = []
        for folder in (OWN, *folders):
            if not folder.is_dir():
                raise SpecError("no such folder of problems", where=str(folder))
            for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
                self.names.append(path.stem)
                if only in ("", path.stem):
                    self._add(path)
        self._twins()

    def _add(self, path: Path) -> None:
        try:
            if path.stem in self.makers:
                raise SpecError(f"a problem called {path.stem!r} is in the bank already", where=str(path), hint="rename the file")
            maker = Maker(load(path))
            maker.check()
            self.makers[path.stem] = maker
        except ChainruleError as e:
            self.broken.append(str(e))

    def _twins(self) -> None:
        """No two problems have the same model and ask the same."""
        seen: dict[str, str] = {}
        for name, maker in list(self.makers.items()):
            asked = [(a.kind, a.target) for a in maker.file.ask]
            key = repr((maker.file.spec, asked))
            if key in seen:
                self.broken.append(f"{maker.file.where_is('spec')}: the same model and the same question as {seen[key]!r}")
                del self.makers[name]
            seen.setdefault(key, name)

    def __getitem__(self, name: str) -> Maker:
        if name not in self.makers:
            told = next((b for b in self.broken if f"{name}." in b), "")
            near = nearest(Path(name).stem, self.names)
            own = "'chainrule bank list' prints the names; a problem of your own needs its folder: --bank FOLDER, in an exam the line bank: FOLDER"
            raise SpecError(told or f"no problem is called {name!r}", hint="" if told else near if near.startswith("did") else own)
        return self.makers[name]


# ---------------------------------------------------------------- trying a problem at many seeds

@dataclass
class Trial:
    """How a problem did: questions made, answers checked, draws turned down, and one sentence for every failure."""

    name: str
    made: int = 0
    answers: int = 0
    distinct: int = 0
    refused: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return bool(self.made) and not self.failures


TWICE = 1  # seeds at which a variant is made again, to be the same bytes
Check = Callable[[Question], Iterator[str]]


def trial(maker: Maker, seeds: int, checks: Sequence[Check] = ()) -> Trial:
    """A problem at so many seeds: every key is checked as it is made, then the finished question by every check."""
    out, seen, before = Trial(maker.file.name), set[str](), sum(maker.refused.values())
    for seed in range(seeds):
        try:
            q = maker.make(trial_seed(seed))
            if seed < TWICE and as_json(q) != as_json(maker.at(q.index, trial_seed(seed))):
                out.failures.append(f"seed {seed}: the same variant was not made twice alike")
        except ChainruleError as e:
            out.failures.append(f"seed {seed}: {e}")
            continue
        out.made += 1
        out.answers += len(q.parts)
        seen.add(q.canonical)
        out.failures += [f"seed {seed}: {sentence}" for check in (sound, *checks) for sentence in check(q)]
    out.distinct, out.refused = len(seen), sum(maker.refused.values()) - before
    return out


def trial_seed(seed: int) -> int:
    """The seed of a number that a person gives, far from its neighbours."""
    return seed_of("bank test", str(seed))


def sound(q: Question) -> Iterator[str]:
    """What every finished question has to be: right options right, wrong ones wrong and all different, mistakes far from the truth."""
    for p in q.parts:
        shown = [o.runs for o in p.answer.options]
        if len(set(shown)) != len(shown):
            yield f"part {p.label}: two options are the same"
        if p.answer.type == "single_choice" and len(p.answer.right) != 1:
            yield f"part {p.label}: {len(p.answer.right)} options are right"
        for e in p.errors if p.answer.value else ():
            if (len(e.value), len(e.value[0])) != (len(p.answer.value), len(p.answer.value[0])):
                continue
            gaps = [abs(mp.mpf(w) - mp.mpf(v)) >= 2 * mp.mpf(t) and w != v for ws, vs, ts in zip(e.value, p.answer.value, p.answer.tolerance, strict=True)
                    for w, v, t in zip(ws, vs, ts, strict=True)]
            if not any(gaps):
                yield f"part {p.label}: the mistake {e.slip} is within twice the tolerance"
        if len({e.latex for e in p.errors}) != len(p.errors):
            yield f"part {p.label}: two mistakes give the same"
        marks = sum(x.marks for x in p.solution)
        if p.solution and p.points and marks != p.points:
            yield f"part {p.label}: {marks} marks stand in the solution of {p.points} points"
