"""No two papers hold the same question, and neighbours differ in every final answer: which draw of each problem a paper takes.

Every draw has a seed of its own, so most papers take their first one. Where it is an earlier paper's, or ends like the neighbour's, the
next draw of the same student is taken. A part that comes to the same for everybody (a shape, a count) is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .draw import Fingerprint

MOST_TRIES = 8
ENOUGH = 4      # answers that are all alike: the part has only this one
GIVEN_UP = 3    # papers in a row without a new draw: the problem has no more


@dataclass
class Settled:
    """The draws of each paper, None for one that could not be made; twins, alike: places where there was no better one."""

    tries: list[tuple[int, ...] | None]
    twins: list[tuple[int, int]] = field(default_factory=list)
    alike: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class _Problem:
    """What was seen of one problem."""

    taken: set[str] = field(default_factory=set)
    finals: dict[int, set[str]] = field(default_factory=dict)
    count: int = 0
    failures: int = 0

    def see(self, f: Fingerprint) -> None:
        self.count += 1
        for k, final in enumerate(f.finals):
            self.finals.setdefault(k, set()).add(final)

    def clash(self, f: Fingerprint, before: Fingerprint | None) -> bool:
        """Whether a final answer is the neighbour's, although it could be another."""
        return before is not None and any(a == b and (len(self.finals[k]) > 1 or self.count < ENOUGH)
                                          for k, (a, b) in enumerate(zip(f.finals, before.finals, strict=False)))


def settle(first: Sequence[Sequence[Fingerprint] | None], fixed: Sequence[tuple[tuple[int, ...], Sequence[Fingerprint]] | None],
           redraw: Callable[[int, int, int], Fingerprint], chosen: Callable[[int, tuple[int, ...]], None] = lambda k, tries: None) -> Settled:
    """Which draws the papers of a roster take, in its order.

    first: the fingerprints of each paper's first draws, None for one that is broken; fixed: draws of papers that are printed already, with
    their fingerprints; redraw(paper, place, attempt): another one; chosen(paper, tries): told
    when a paper is settled.
    """
    out = Settled([])
    problems: dict[int, _Problem] = {}
    for prints in first:
        for place, f in enumerate(prints or ()):
            problems.setdefault(place, _Problem()).see(f)
    for done in fixed:
        for place, f in enumerate(done[1] if done else ()):
            problems.setdefault(place, _Problem()).taken.add(f.canonical)
    before: Sequence[Fingerprint] | None = None
    for k, (prints, done) in enumerate(zip(first, fixed, strict=True)):
        if done is not None:
            out.tries.append(done[0])
            before = done[1]
        elif prints is None:
            out.tries.append(None)
        else:
            found = [_choose(problems[place], f, before[place] if before else None, lambda t, k=k, place=place: redraw(k, place, t))  # type: ignore[misc]
                      for place, f in enumerate(prints)]
            out.twins += [(k, place) for place, (_, _, twin, _) in enumerate(found) if twin]
            out.alike += [(k, place) for place, (_, _, _, same) in enumerate(found) if same]
            out.tries.append(tuple(t for t, *_ in found))
            before = [f for _, f, *_ in found]
            chosen(k, tuple(t for t, *_ in found))
    return out


def _choose(problem: _Problem, f: Fingerprint, before: Fingerprint | None, redraw: Callable[[int], Fingerprint]) -> tuple[int, Fingerprint, bool, bool]:
    """The first draw that is new and unlike the neighbour's; else the first that is new; else the first. With what is wrong with it."""
    tried: list[Fingerprint] = []
    for attempt in range(MOST_TRIES if problem.failures < GIVEN_UP else 1):
        if attempt:
            f = redraw(attempt)
            problem.see(f)
        tried.append(f)
        if f.canonical not in problem.taken and not problem.clash(f, before):
            problem.failures = 0
            problem.taken.add(f.canonical)
            return attempt, f, False, False
    new = [k for k, g in enumerate(tried) if g.canonical not in problem.taken]
    problem.failures += not new
    attempt = new[0] if new else 0
    problem.taken.add(tried[attempt].canonical)
    return attempt, tried[attempt], not new, problem.clash(tried[attempt], before)
