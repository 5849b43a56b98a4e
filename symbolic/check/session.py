"""A check from beginning to end: the file read, called in the sandbox at test points, its numbers sorted, judged and explained.

Whatever is wrong with a file ends as a `Report` with a sentence, never as an exception: a folder of submissions goes on.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy

from ..errors import ChainruleError, SpecError
from ..slips import SLIPS
from . import engines, interfaces, sandbox, starting
from .findings import engine_report, network_report, steps_report
from .graphs import graph_cases, own_graphs
from .judge import LIMITS, Case, plain_array
from .layouts import Layout
from .points import Blueprint, Point, at_kink, draw, points
from .readback import Found, PointRead, Read
from .reading import Code, read
from .report import Report
from .setting import Interface, Needs
from .subject import Subject, subject
from .why import diagnose, right

SINGLES = ("one example", "another example", "a third example")
MOST_SEED = 2**31
OWN = "4-3-2 tanh identity"  # whose parameters an optimizer moves that comes without a network


@dataclass(frozen=True)
class Options:
    """How to check. seed: of the test points, drawn when None; strict: a common constant, or a point that cannot be run, is wrong; require: refuse
    where the sandbox is not complete; pairs: whether two mistakes at once are tried; mend: whether a corrected line is looked for; limits: of one run."""

    seed: int | None = None
    strict: bool = False
    require: bool = False
    pairs: bool = True
    mend: bool = True
    limits: sandbox.Limits | None = None


@dataclass(frozen=True)
class Run:
    """A file at some points: how it was called and what it gave; whether they have the sizes of the spec, and one example each."""

    way: Interface
    at: Sequence[Point]
    outcome: sandbox.Outcome
    got: Read
    own_sizes: bool
    single: bool

    @property
    def ran(self) -> bool:
        """Whether the first point, the most telling one that the way uses, gave a gradient."""
        used = [r for r in self.got.points if r is not None]
        return bool(used) and used[0].failure is None and bool(used[0].gradients)

    @cached_property
    def cases(self) -> list[Case]:
        """What came back from the points that ran."""
        return _cases(self.at, self.got, self.way)

    @cached_property
    def dtype(self) -> str:
        """In which numbers the file computes."""
        kinds = [numpy.asarray(t.raw).dtype for r in self.got.points if r is not None for t in r.gradients.values()]
        single = any(k.kind == "f" and k.itemsize <= 4 for k in kinds) or re.search(r"\bfloat32\b", self.way.here.code.text)  # perhaps only on the way
        return "float32" if single else "float64"


class Session:
    """Checks files against one subject; the points are drawn once for all of them. Without a subject only scalar engines and optimizers can be checked."""

    def __init__(self, subject: Subject | None, options: Options | None = None) -> None:
        self.subject, self.options = subject, options or Options()
        self.seed = secrets.randbelow(MOST_SEED) if self.options.seed is None else self.options.seed
        self._drawn: dict[tuple[bool, bool, bool], list[Point]] = {}

    def check(self, path: Path | str, name: str = "") -> Report:
        """The report on one file. name: what it is called there."""
        start = time.perf_counter()
        shown = name or Path(path).name
        try:
            found = self._checked(replace(read(path), name=shown))
        except ChainruleError as e:
            found = Report(shown, self._title, "could not run", str(e).replace(str(path), shown))
        except Exception as e:  # noqa: BLE001 - one file that we cannot follow must not stop the others
            found = Report(shown, self._title, "could not run", f"{shown}: this file could not be followed ({type(e).__name__} in chainrule itself, please report it)")
        most = self.subject.adapter.max_hint if self.subject else 4
        return replace(found, seed=self.seed, seconds=time.perf_counter() - start, most=most)

    @property
    def _title(self) -> str:
        return self.subject.title if self.subject else ""

    def _checked(self, code: Code) -> Report:
        engine = engines.find(code)
        plain = self.subject is None or not self.subject.network.layers
        if engine is not None and plain and (self.subject is None or own_graphs(engine, self.subject.network)):
            return self._engine(engine)
        if self.subject is None and (own := self._optimizers(code)) is not None:
            return own
        if self.subject is None:
            raise SpecError("a network is needed to check this file against", where=code.name, hint='say which: --spec net.yaml, or --net "4-3-2 relu sigmoid" --loss mse')
        try:
            way = self._way(code)
        except SpecError:
            if engine is None:
                raise
            return self._engine(engine)
        return self._network(code, way)

    # ------------------------------------------------------------ networks

    def points(self, needs: Needs, own_sizes: bool = False) -> list[Point]:
        """The test points that a way of calling a file needs."""
        assert self.subject is not None
        key = (needs.one_example, needs.classes, own_sizes or needs.own_sizes)
        if key not in self._drawn:
            self._drawn[key] = drawn(self.subject.blueprint, self.seed, one_example=key[0], classes=key[1], own_sizes=key[2])
        return self._drawn[key]

    def _network(self, code: Code, way: Interface) -> Report:
        subject, strict = self.subject, self.options.strict
        assert subject is not None
        first, *others = runs = self._runs(code, way)
        run = next((r for r in runs if r.ran), first)
        if not run.ran and run.outcome.kind != "limit":
            run = next((r for r in self._runs(code, self._way(code), single=True) if r.ran), first)
        only = ""
        fits = right(run.cases, run.dtype, strict=True)
        if run.cases and self.options.mend and not fits:
            starting.begin()  # for the changed files that will be tried; it loads NumPy meanwhile
        for own in others if run is first and run.cases and not strict and not fits else ():
            if len(own.cases) >= min(len(run.cases), len(own.at)) and right(own.cases, own.dtype, strict=True):
                run, only = own, "It is right for the sizes of the spec only: with others it is wrong, as one of them stands in it as a number."
        more = run.got.points[len(run.at)] if len(run.got.points) > len(run.at) else None
        left = left_over(run.cases[0], case(run.at[0], more, run.way), run.dtype) if more is not None and more.gradients and more.failure is None and run.cases else ()
        found = Found(subject, code, run.way, run.at, run.outcome, run.got, run.cases, run.dtype, run.own_sizes and subject.blueprint.resize and not only,
                      run.single and subject.blueprint.batched, (*left, *([only] if only else [])))
        return network_report(found, strict, self.options.pairs, self.options.mend, self._again)

    def _way(self, code: Code) -> Interface:
        assert self.subject is not None
        return interfaces.find(code, self.subject.network, self.subject.adapter)

    def _runs(self, code: Code, way: Interface, *, single: bool = False) -> list[Run]:
        """One run of a file at the points for any sizes, then at those of the sizes of the spec, which the file may hold as numbers."""
        subject = self.subject
        assert subject is not None
        needs = replace(way.needs, one_example=way.needs.one_example or single)
        sets = [self.points(needs, own_sizes=own) for own in ((False, True) if subject.blueprint.resize and not needs.own_sizes and not single else (True,))]
        starts = [sum(map(len, sets[:k])) for k in range(len(sets) + 1)]
        reached = interfaces.reach(code, subject.network, [p for at in sets for p in at], subject.adapter, way, twice=starts[:-1])
        outcome = self._in_sandbox(code, reached)
        out = []
        for k, at in enumerate(sets):
            places = [*range(starts[k], starts[k + 1]), starts[-1] + k]
            got = reached.read(outcome, places) if outcome.arrays or outcome.steps else Read((), None, tuple(way.notes))
            out.append(Run(way, at, outcome, got, k > 0 or len(sets) == 1, single))
        return out

    def _again(self, codes: Sequence[Code], layout: Layout) -> list[list[Case]]:
        """What changed files give in the layout that was found, with the sizes of the spec, which a formula holds as numbers, all in one run; nothing where one does not run."""
        subject = self.subject
        assert subject is not None
        parts: list[tuple[interfaces.Reached, list[Point]] | None] = []
        steps: list[dict[str, Any]] = []
        inputs: dict[str, Any] = {}
        spans = [0]
        for k, code in enumerate(codes):
            try:
                way = self._way(code)
                way.layouts = [layout]
                at = self.points(way.needs, own_sizes=True)
                reached = interfaces.reach(code, subject.network, at, subject.adapter, way)
            except ChainruleError:
                parts.append(None)
            else:
                parts.append((reached, at))
                steps += [{**s, "point": f"{k}/{s.get('point')}", **({"as": f"{k}/{s['as']}"} if "as" in s else {})} for s in reached.plan["steps"]]
                steps.append({"do": "let", "save": "file", "value": None, "point": f"{k}/end"})  # nothing is left for the next one
                inputs |= reached.inputs  # of the same points in the same layout
            spans.append(len(steps))
        ran = next((p[0] for p in parts if p is not None), None)
        outcome = self._in_sandbox(codes[0], replace(ran, plan={"steps": steps}, inputs=inputs)) if ran is not None else None
        found: list[list[Case]] = []
        for k, part in enumerate(parts):
            cases: list[Case] = []
            if part is not None and outcome is not None:
                own = replace(outcome, arrays={n.split("/", 1)[1]: a for n, a in outcome.arrays.items() if n.startswith(f"{k}/")}, steps=outcome.steps[spans[k]:spans[k + 1]])
                got = part[0].read(own)
                cases = _cases(part[1], got, part[0].way)
                cases = cases if len(cases) == sum(r is not None for r in got.points) else []
            found.append(cases)
        return found

    def _in_sandbox(self, code: Code, reached: interfaces.Reached | engines.EngineReached) -> sandbox.Outcome:
        return sandbox.run(code.text.encode(), reached.plan, reached.inputs, self.options.limits, require=self.options.require, name=code.name, preload=reached.preload)

    # ------------------------------------------------------------ optimizers and scalar engines by themselves

    def _optimizers(self, code: Code) -> Report | None:
        at = drawn(subject(OWN).blueprint, self.seed)[0]
        reached = interfaces.optimizers(code, at.network, at)
        if reached is None:
            return None
        outcome = self._in_sandbox(code, reached)
        return steps_report(code, reached.read(outcome), outcome, self.options.strict)

    def _engine(self, engine: engines.Engine) -> Report:
        own = own_graphs(engine, self.subject.network) if self.subject is not None and not self.subject.network.layers else ()
        rng = numpy.random.default_rng(self.seed)
        numbers = [_numbers(rng, self.subject if own else None) for _ in range(2)]
        reached = engines.reach(engine, numbers, own or None)
        outcome = self._in_sandbox(engine.code, reached)
        got = reached.read(outcome)
        return engine_report(engine, reached, outcome, got, graph_cases(reached, got), self._title, self.options.strict)


def drawn(blueprint: Blueprint, seed: int, *, one_example: bool = False, classes: bool = False, own_sizes: bool = False) -> list[Point]:
    """The points for a way of calling. Raises SpecError where no numbers are found at which the network is defined."""
    blueprint = replace(blueprint, resize=blueprint.resize and not own_sizes)
    try:
        found = points(blueprint, seed)
        if one_example and blueprint.batched:
            first = found[0]
            lambdas = {n: float(first.leaves[n][0, 0]) for n in first.network.names("constant") if n in first.leaves and n.startswith("lam")}
            found = [draw(blueprint, first.network, label, seed, lambdas, 1) for label in SINGLES]
            found += at_kink(found[0])
    except ChainruleError as e:
        raise SpecError(e.sentence) from None
    return [one_hot(p) for p in found] if classes else found


def one_hot(point: Point) -> Point:
    """The point with one class an example as its targets, for files that take numbers of classes."""
    (target,) = point.network.names("target")
    y = point.leaves[target]
    axis = 1 if point.network.rows else 0
    made = (numpy.arange(y.shape[axis]).reshape((1, -1) if axis else (-1, 1)) == numpy.expand_dims(y.argmax(axis=axis), axis)).astype(float)
    return replace(point, leaves={**point.leaves, target: made})


def case(point: Point, got: PointRead, way: Interface) -> Case:
    """What the file gave at a point, by the names of the network."""
    values = {point.network.resolve(n): v for n, v in got.values.items() if n != "loss"}
    claimed = {n: t.array if t.array is not None else t.raw for n, t in got.gradients.items()}
    return Case(point, claimed, values, got.values.get("loss"), way.rate, {n: t.clash for n, t in got.gradients.items() if t.clash})


def _cases(at: Sequence[Point], got: Read, way: Interface) -> list[Case]:
    """What came back from the points that ran."""
    return [case(p, r, way) for p, r in zip(at, got.points, strict=False) if r is not None and r.gradients and r.failure is None]


def left_over(first: Case, second: Case, dtype: str) -> tuple[str, ...]:
    """What a second call at the same point shows: gradients that are not those of the first, and why."""
    if first.point is not second.point or not any(_other(first.claimed[n], second.claimed.get(n), LIMITS[dtype]) for n in first.claimed):
        return ()
    why = [c.said for both in diagnose([first, second], dtype, pairs=False).causes for c in both if SLIPS[c.slip].kind == "state"]
    return (" ".join(["Called a second time at the same point, the code gives other gradients.", *why[:1]]),)


def _other(a: object, b: object, limit: float) -> bool:
    x, y = plain_array(a), plain_array(b)
    return x is None or y is None or x.shape != y.shape or not numpy.allclose(x, y, rtol=limit, atol=limit * float(numpy.abs(x[numpy.isfinite(x)]).max(initial=0.0)), equal_nan=True)


def _numbers(rng: numpy.random.Generator, subject: Subject | None) -> dict[str, float]:
    """Numbers for the leaves of graphs, of unit size, of both signs."""
    names = subject.network.names("input", "parameter") if subject is not None else ["a", "b", "d"]
    return {n: float(rng.uniform(0.5, 1.6)) * (-1 if k % 2 else 1) for k, n in enumerate(names)}
