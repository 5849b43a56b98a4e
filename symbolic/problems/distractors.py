"""Wrong answers that people give: what the right machinery gives with one wrong row, with the sentence a marker writes.

Which mistakes matter for a question is found once for its structure, at random points; at each variant they are worked out in full.

>>> from ..spec import build as spec
>>> from ..problem import build
>>> from .worked import work
>>> w = work(build(spec({"equations": {"z": "3*x", "y": "sigmoid(z)"}, "at": {"x": 2}})), [("y", "x")])
>>> for m in mistakes(w, ("y", "x"), count=2): print(m.slip, "|", m.said)
sign | The sign is turned around.
slope-twice | The slope of the sigmoid at `z` was multiplied in twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mpmath import mp

from ..derive import Derivation
from ..errors import ChainruleError
from ..language.arithmetic import Env, Matrix
from ..network import Network
from ..proof.probe import random_point
from ..slips import SLIPS, Working
from ..values import DIGITS, forward
from .worked import Key, Work, evaluated, updated

LISTED = 5        # common errors of one part, where the file names none
POINTS = 2        # at which mistakes have to differ from the truth and from each other
DIFFERENT = 0.02  # the least relative difference of two answers
WORKING = 60      # digits of wrong numbers
RARE = ("update", "state")  # kinds of slip that only matter for some keys


@dataclass(frozen=True)
class Mistake:
    """A mistake in one network: the name of its slip, the working with it, and what a marker writes."""

    slip: str
    working: Working
    said: str


def mistakes(work: Work, key: Key, names: Sequence[str] = (), count: int = LISTED) -> tuple[Mistake, ...]:
    """The mistakes that change an answer, each in its own way: those named, or the simplest ones. Found once for a structure."""
    memo = work.machine.memo
    plan = work.problem.descent
    where = ("mistakes", key, tuple(names), count, plan and (plan.optimizer.name, plan.rate) if not isinstance(key, str) and key[0] is None else None)
    if where not in memo:
        with mp.workdps(DIGITS):
            memo[where] = _found(work, key, names, count)
    found: tuple[Mistake, ...] = memo[where]
    return found


def _found(work: Work, key: Key, names: Sequence[str], count: int) -> tuple[Mistake, ...]:
    network = work.network
    points = [{n: point[n] for n in network.symbols if n in point and n in work.problem.leaves} for point in
              (random_point(network, k, {n: work.values[n] for n in work.problem.leaves}) for k in range(POINTS))]
    points.append({n: work.values[n] for n in work.problem.leaves})
    points = [p | {node: m for node, m in work.values.items() if not isinstance(node, (str, tuple))} for p in points]
    truth = [_evaluated(work, Working(network, work.machine.long), p, key) for p in points]
    seen, kept, used = [truth], [], set[str]()
    later: list[tuple[Mistake, list[Any]]] = []
    for slip, working in _candidates(network, key, names):
        if len(kept) >= count:
            break
        answers = [_evaluated(work, working, p, key) for p in points]
        if any(a is None for a in answers) or any(not _differ(answers, s) for s in seen):
            continue
        mistake = Mistake(slip, working, working.said)
        if slip in used and not names:  # another place for the same mistake: only where nothing else is left
            later.append((mistake, answers))
            continue
        used.add(slip)
        seen.append(answers)
        kept.append(mistake)
    for mistake, answers in later:
        if len(kept) < count and all(_differ(answers, s) for s in seen):
            seen.append(answers)
            kept.append(mistake)
    return tuple(kept)


def _candidates(network: Network, key: Key, names: Sequence[str]) -> Iterator[tuple[str, Working]]:
    """Every way to make every mistake that can move a key."""
    update = isinstance(key, tuple) and key[0] is None
    for name in names or SLIPS:
        slip = SLIPS[name]
        if slip.kind == "state" or (slip.kind in RARE and not update):
            continue
        for working in slip.apply(network):
            yield name, working


def _differ(a: Sequence[Matrix], b: Sequence[Matrix]) -> bool:
    """Whether two answers differ at every point."""
    return all(_apart(x, y) for x, y in zip(a, b, strict=True))


def _apart(x: Matrix, y: Matrix) -> bool:
    if (len(x), len(x[0])) != (len(y), len(y[0])):
        return True
    return any(abs(u - v) > DIFFERENT * max(abs(u), abs(v)) for us, vs in zip(x, y, strict=True) for u, v in zip(us, vs, strict=True))


def _evaluated(work: Work, working: Working, leaves: Env, key: Key) -> Matrix | None:
    """What one key comes to with a mistake; None where it has no value."""
    try:
        return everything(work, working, leaves, [key]).get(key)
    except (ArithmeticError, ValueError, KeyError, IndexError, TypeError, ChainruleError):
        return None


def everything(work: Work, working: Working, leaves: Env, keys: Sequence[Key]) -> dict[Any, Matrix]:
    """All values, gradients, Jacobians and updates as a mistake makes them, the later ones following from the wrong ones."""
    network = working.network
    if network.symbols[network.output].shape:
        return evaluated(work.problem, working.derivation, leaves, keys)
    env = working.values(leaves)
    plan = work.problem.descent
    if plan is not None and any(isinstance(k, tuple) and k[0] is None for k in keys):
        moved = work.problem.moved
        after = working.update(env, working.derivation, moved, mp.mpf(_rate(plan.rate))) if plan.plain else \
            updated(work.problem, replace_network(working.derivation, network), env, leaves)
        env.update({(None, n): m for n, m in after.items()})
        env[None, network.output] = forward(work.network, {**leaves, **after})[network.output]
    return env


def replace_network(derivation: Derivation, network: Network) -> Derivation:
    """The derivation over a network in which a mistake was made."""
    return replace(derivation, network=network)


def _rate(rate: Any) -> Any:
    from ..language.arithmetic import MP

    return MP.number(rate)


def values(work: Work, mistake: Mistake) -> Mapping[Any, Matrix]:
    """Everything at the variant's numbers with the mistake made, under the keys of the right working; what it cannot give is left out."""
    with mp.workdps(WORKING):
        leaves = {k: m for k, m in work.values.items() if k in work.problem.leaves or not isinstance(k, (str, tuple))}
        try:
            return everything(work, mistake.working, leaves, work.keys)
        except (ArithmeticError, ValueError, KeyError, IndexError, TypeError, ChainruleError):
            return {}
