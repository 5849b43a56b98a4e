"""Wrong answers that people give: what the right machinery gives with one wrong row, with the sentence a marker writes.

Which mistakes matter for a question is found once for its structure, at random points; at each variant they are worked out in full.

>>> from ..spec import build as spec
>>> from ..problem import build
>>> from .worked import work
>>> w = work(build(spec({"equations": {"z": "3*x", "y": "sigmoid(z)"}, "at": {"x": 2}})), [("y", "x")])
>>> for m in mistakes(w, ("y", "x"), count=2): print(m.slip, "|", m.said)
hidden-slope | The slope of the sigmoid is missing: `dy/dz` is `dy/dy` times that slope.
own-factor | The slope of a product with respect to one factor is the other factor; the factor itself was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True)
class Mistake:
    """A mistake in one network: the name of its slip, the working with it, and what a marker writes."""

    slip: str
    working: Working
    said: str


def mistakes(work: Work, key: Key, names: Sequence[str] = (), count: int = LISTED, formula: Callable[[Derivation], str] | None = None) -> tuple[Mistake, ...]:
    """The mistakes that change an answer, each in its own way: those named, or the simplest ones. Found once for a structure.

    formula: how the key's line is printed, where mistakes have to change that line itself, each differently.
    """
    memo = work.machine.memo
    plan = work.problem.descent
    where = ("mistakes", key, tuple(names), count, formula is not None, plan and (plan.optimizer.name, plan.rate) if not isinstance(key, str) and key[0] is None else None)
    if where not in memo:
        with mp.workdps(DIGITS):
            memo[where] = _found(work, key, names, count, formula)
    found: tuple[Mistake, ...] = memo[where]
    return found


def _found(work: Work, key: Key, names: Sequence[str], count: int, formula: Callable[[Derivation], str] | None) -> tuple[Mistake, ...]:
    network = work.network
    points = [{n: point[n] for n in network.symbols if n in point and n in work.problem.leaves} for point in
              (random_point(network, k, {n: work.values[n] for n in work.problem.leaves}) for k in range(POINTS))]
    points.append({n: work.values[n] for n in work.problem.leaves})
    points = [p | {node: m for node, m in work.values.items() if not isinstance(node, (str, tuple))} for p in points]
    truth = [_evaluated(work, Working(network, work.machine.long), p, key) for p in points]
    seen, used = [truth], set[str]()
    kept: list[Mistake] = []
    told = {formula(d) for d in (work.machine.lesson.derivation, work.machine.long)} if formula else set()
    later: list[tuple[Mistake, list[Any], str]] = []
    for slip, working in _candidates(network, key, names):
        if len(kept) >= count:
            break
        text = formula(working.derivation) if formula else working.said
        if text in told:
            continue
        answers = [_evaluated(work, working, p, key) for p in points]
        if any(not _differ(answers, s) for s in seen):
            continue
        mistake = Mistake(slip, working, working.said)
        if slip in used and not names:  # another place for the same mistake: only where nothing else is left
            later.append((mistake, answers, text))
            continue
        used.add(slip)
        told.add(text)
        seen.append(answers)
        kept.append(mistake)
    for mistake, answers, text in later:
        if len(kept) < count and text not in told and all(_differ(answers, s) for s in seen):
            told.add(text)
            seen.append(answers)
            kept.append(mistake)
    return tuple(kept)


def _candidates(network: Network, key: Key, names: Sequence[str]) -> Iterator[tuple[str, Working]]:
    """Every way to make every mistake that can move a key, in the order of the table or of the file."""
    kinds = _kinds(network, key)
    tried = names or [n for group in kinds for n, s in SLIPS.items() if s.kind in group]
    for name in tried:
        if any(SLIPS[name].kind in group for group in kinds):
            for working in SLIPS[name].apply(network):
                yield name, working


def _kinds(network: Network, key: Key) -> tuple[tuple[str, ...], ...]:
    """Kinds of slips that say something about a key, in groups; the first groups come first."""
    loss = ("network",) if network.layers else ()  # slips of a loss: of plain equations they only change a factor
    if isinstance(key, str):
        return ("forward", *(loss if key == network.output else ())),
    if network.symbols[network.output].shape:
        return ("rule", "forward"),
    gradient = ("rule", "accumulation", "forward", *loss), ("network",)
    return (("update",), *gradient) if key[0] is None else gradient


def _differ(a: Sequence[Matrix | None], b: Sequence[Matrix | None]) -> bool:
    """Whether two answers differ at every point."""
    return all(x is not None and y is not None and _apart(x, y) for x, y in zip(a, b, strict=True))


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
