"""Wrong answers that people give: what the right machinery gives with one wrong row, with the sentence a marker writes.

Which mistakes matter for a question is found once for its structure, at random points; at each variant they are worked out in full.

>>> from ..reading.specfile import build as spec
>>> from ..problem import build
>>> from .worked import work
>>> w = work(build(spec({"equations": {"z": "w*x", "y": "sigmoid(z)"}, "at": {"w": 3, "x": 2}})), [("y", "x")])
>>> for m in mistakes(w, ("y", "x"), count=2): print(m.slip, "|", m.said)
hidden-slope | The slope of the sigmoid is missing: `dy/dz` is `dy/dy` times that slope.
own-factor | The slope of a product with respect to one factor is the other factor; the factor itself was taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..derive import Derivation
from ..errors import ChainruleError
from ..language.arithmetic import MP, Env, Matrix
from ..network import Network
from ..proof.probe import Draw, random_point
from ..reading.plans import Plan
from ..slips import SLIPS, Working
from ..values import DIGITS, forward, gradients
from .second import QUANTITIES, quantity
from .stepping import count as steps_of, updated
from .worked import Key, Work, evaluated

LISTED = 5        # common errors of one part, where the file names none
SPARE = 4         # more that are found, for variants at which some change nothing
POINTS = 4        # at one of which mistakes have to differ from the truth and from each other
TRIES = 12        # random points looked at for them
DIFFERENT = 0.02  # the least relative difference of two answers
SAME = mp.mpf(10) ** -20  # the largest relative difference of equal numbers
WORKING = 60      # digits of wrong numbers
FILLER = "operand"  # any two names taken for each other: listed only where nothing better is known
# Mistakes of programs, or that nobody makes by hand: only where a file names them.
UNLIKELY = frozenset({"resent", "assigned", "backward-twice", "not-stored", "clipped", "error-clipped", "log-epsilon", "mask-of-gradient", "updated-first", "inverse", "other-loss"})


# Mistakes in how steps are taken, by name: the plan as they leave it (None where they change nothing), and what a marker writes.
PLAN_SLIPS: dict[str, tuple[Callable[[Plan], Plan | None], str]] = {
    "whole-batch": (lambda p: replace(p, batches=()) if p.batches else None, "All examples were used in every step, and not those of its mini-batch."),
    "step-missing": (lambda p: replace(p, steps=p.steps - 1) if steps_of(p) > 1 else None, "The last step was not taken."),
}


@dataclass(frozen=True)
class Mistake:
    """A mistake in one network: the name of its slip, the working with it, and what a marker writes; plan: the steps as it leaves them; put: equations
    of a quantity that it replaces."""

    slip: str
    working: Working
    said: str
    plan: Plan | None = None
    put: Mapping[str, str] | None = None

    def same(self, other: Mistake) -> bool:
        """Whether it is the same mistake at the same place: "the sign is turned" may be said of two steps."""
        mine, theirs = self.working, other.working
        return self.said == other.said and mine.network.equations == theirs.network.equations and mine.derivation.steps == theirs.derivation.steps


def mistakes(work: Work, key: Key, names: Sequence[str] = (), count: int = LISTED + SPARE, formula: Callable[[Derivation], str] | None = None) -> tuple[Mistake, ...]:
    """The mistakes that change an answer, each in its own way: those named, or the simplest ones. Found once for a structure.

    formula: how the key's line is printed, where mistakes have to change that line itself, each differently.
    """
    memo = work.network.memo
    where = ("mistakes", key, tuple(names), count, formula is not None, repr(work.problem.descent) if not isinstance(key, str) and key[0] is None else None)
    if where not in memo:
        with mp.workdps(DIGITS):
            memo[where] = _found(work, key, names, count, formula)
    found: tuple[Mistake, ...] = memo[where]
    return found


def _found(work: Work, key: Key, names: Sequence[str], count: int, formula: Callable[[Derivation], str] | None) -> tuple[Mistake, ...]:
    network = work.network
    right = Mistake("", Working(network, work.machine.long), "")
    points = _points(work, lambda p: _not_zero(_evaluated(work, right, p, key)))
    seen, used = [_Answers(work, right, points, key)], set[str]()
    kept: list[Mistake] = []
    told = {formula(d) for d in (work.machine.lesson.derivation, work.machine.long)} if formula else set()
    later: list[tuple[Mistake, _Answers, str]] = []
    for mistake in _candidates(work, key, names):
        if len(kept) >= count:
            break
        text = formula(mistake.working.derivation) if formula else mistake.said
        answers = _Answers(work, mistake, points, key)
        if text in told or not all(answers.differ(s) for s in seen):
            continue
        if mistake.slip in used:  # another place for the same mistake: only where nothing else is left
            later.append((mistake, answers, text))
            continue
        used.add(mistake.slip)
        told.add(text)
        seen.append(answers)
        kept.append(mistake)
    for mistake, answers, text in later:
        if len(kept) < count and text not in told and all(answers.differ(s) for s in seen):
            told.add(text)
            seen.append(answers)
            kept.append(mistake)
    return tuple(kept)


class _Answers:
    """What one key comes to at each of some points with a mistake, worked out when it is needed."""

    def __init__(self, work: Work, mistake: Mistake, points: Sequence[Env], key: Key) -> None:
        self.at = cache(lambda k: _moved_by(work, mistake, points[k], key))
        self.count = len(points)

    def differ(self, other: _Answers) -> bool:
        """Whether both exist and differ at one point at least: where units are on, their slope changes nothing."""
        pairs = ((self.at(k), other.at(k)) for k in range(self.count))
        return any(x is not None and y is not None and _apart(x, y) for x, y in pairs)


def _points(work: Work, good: Callable[[Env], bool]) -> list[Env]:
    """Points at which mistakes are told from each other: random ones, so that what is found does not depend on the variant that came first.

    good: what is preferred of a point; where all units are off, most mistakes change nothing.
    """
    nodes = sorted((n for n in work.values if not isinstance(n, (str, tuple))), key=str)
    points: list[Env] = []
    for k in range(TRIES):
        point, draw = random_point(work.network, k), Draw(f"mistakes/{k}")
        points.append({n: point[n] for n in work.network.symbols if n in point and n in work.problem.leaves} | {node: draw.matrix(()) for node in nodes})
        if sum(map(good, points)) == POINTS:
            break
    return sorted(points, key=good, reverse=True)[:POINTS]


def _not_zero(value: Matrix | None) -> bool:
    return value is not None and any(v for row in value for v in row)


def _candidates(work: Work, key: Key, names: Sequence[str]) -> Iterator[Mistake]:
    """Every way to make every mistake that can move a key, in the order of the table or of the file."""
    network, plan = work.network, work.problem.descent
    if plan is not None and not isinstance(key, str) and key[0] is None:
        for name, (change, sentence) in ({} if names else PLAN_SLIPS).items():
            if (other := change(plan)) is not None:
                yield Mistake(name, Working(network, work.machine.long), sentence, other)
    for wrong in QUANTITIES[key[1]].wrong if isinstance(key, tuple) and key[0] == "" and not names else ():
        yield Mistake(wrong.name, Working(network, work.machine.long), wrong.said, put=wrong.put)
    kinds = _kinds(network, key, named=plan is not None and not _once(plan))
    tried = names or sorted((n for group in kinds for n, s in SLIPS.items() if s.kind in group and n not in UNLIKELY and FITS.get(n, _always)(work, key)), key=lambda n: n == FILLER)
    for name in tried:
        if not any(SLIPS[name].kind in group for group in kinds):
            continue
        if SLIPS[name].kind == "optimizer" and plan is not None:
            for changed in SLIPS[name].change(network):
                if changed.row is not None and (row := changed.row(plan.optimizer)) is not None:
                    yield Mistake(name, Working(network, work.machine.long), SLIPS[name].said(changed), replace(plan, optimizer=row))
            continue
        for working in sorted(SLIPS[name].apply(network), key=lambda w: not _made_at(w, key, work.machine.long)):
            yield Mistake(name, working, working.said)


def _made_at(working: Working, key: Key, right: Derivation) -> bool:
    """Whether a mistake is made at a gradient's own step and nowhere else, no value included: there its sentence says most, and nothing beside it moves."""
    if isinstance(key, str) or working.network.equations != right.network.equations:
        return False
    return {n for n, step in working.derivation.steps.items() if step != right.steps.get(n)} == {key[1]}


def _once(plan: Plan) -> bool:
    """Whether it is one step of gradient descent on all examples."""
    return plan.plain and steps_of(plan) == 1


def _always(work: Work, key: Key) -> bool:
    return True


def _divides(work: Work, key: Key) -> bool:
    """Whether a factor below 1 stands in the equations that a mistake could have forgotten."""
    return any(x.op == "div" or (x.op == "num" and isinstance(x.data, Fraction) and x.data.denominator > 1) for eq in work.network.equations for x in ex.walk(eq.rhs))


def _halves(work: Work, key: Key) -> bool:
    """Whether a factor 1/2 stands there that a mistake could have forgotten."""
    return any(_whole(x.args[1]) % 2 == 0 if x.op == "div" else x.op == "num" and Fraction(x.data).denominator % 2 == 0
               for eq in work.network.equations for x in ex.walk(eq.rhs))


def _whole(e: ex.Expr) -> int:
    return int(e.data) if e.op == "num" and e.data == int(e.data) else 1


def _squares(work: Work, key: Key) -> bool:
    """Whether the slope of a square brings a factor 2."""
    return not isinstance(key, str) and any(x.op == "pow" or x.data == "norm" for eq in work.network.equations for x in ex.walk(eq.rhs))


def _signed(work: Work, key: Key) -> bool:
    """Whether a sign can be lost: of a value only where a minus stands before it."""
    e = work.network.equations[-1].rhs
    while e.op in ("mul", "div"):
        e = e.args[0]
    return not isinstance(key, str) or e.op == "neg" or (e.op == "num" and e.data < 0)


def _in_a_matrix(work: Work, key: Key) -> bool:
    """Whether rows and columns matter: a vector lying down is no mistake worth a line."""
    return min(len(work.value(key)), len(work.value(key)[0])) > 1


# Where the sentence of a mistake makes sense.
FITS: dict[str, Callable[[Work, Key], bool]] = {"sign": _signed, "factor-doubled": _halves, "mean-forgotten": _divides, "mean-twice": _divides, "factor-halved": _squares,
                                                  "transposed": _in_a_matrix}


def _kinds(network: Network, key: Key, *, named: bool) -> tuple[tuple[str, ...], ...]:
    """Kinds of slips that say something about a key, in groups; the first groups come first."""
    loss = ("network",) if network.layers else ()  # slips of a loss: of plain equations they only change a factor
    if isinstance(key, str):
        return (("forward",), loss) if key == network.output else (("forward",),)
    if network.symbols[network.output].shape:
        return ("rule", "forward"),
    gradient = ("rule", "accumulation", "forward", *loss), ("network",)
    return (("optimizer",) if named else ("update",), *gradient) if key[0] is None else gradient


def _apart(x: Matrix, y: Matrix) -> bool:
    if (len(x), len(x[0])) != (len(y), len(y[0])):
        return True
    return any(abs(u - v) > DIFFERENT * max(abs(u), abs(v)) for us, vs in zip(x, y, strict=True) for u, v in zip(us, vs, strict=True))


def moved(wrong: Matrix, right: Matrix) -> bool:
    """Whether a value is not the right one any more, to 20 digits."""
    if wrong is right:
        return False
    if (len(wrong), len(wrong[0])) != (len(right), len(right[0])):
        return True
    return any(u != v and abs(u - v) > SAME * max(abs(u), abs(v)) for us, vs in zip(wrong, right, strict=True) for u, v in zip(us, vs, strict=True))


def _evaluated(work: Work, mistake: Mistake, leaves: Env, key: Key) -> Matrix | None:
    """What one key comes to with a mistake; None where it has no value."""
    try:
        return everything(work, mistake, leaves, [key]).get(key)
    except (ArithmeticError, ValueError, KeyError, IndexError, TypeError, ChainruleError):
        return None


def _moved_by(work: Work, mistake: Mistake, leaves: Env, key: Key) -> Matrix | None:
    """The same; of an updated parameter only how far it has moved: beside its own size mistakes in a short step would look alike."""
    found = _evaluated(work, mistake, leaves, key)
    start = leaves.get(key[1]) if not isinstance(key, str) and key[0] is None else None
    if found is None or start is None or (len(found), len(found[0])) != (len(start), len(start[0])):
        return found
    return [[a - b for a, b in zip(xs, ys, strict=True)] for xs, ys in zip(found, start, strict=True)]


def everything(work: Work, mistake: Mistake, leaves: Env, keys: Sequence[Key], again: Sequence[str] | None = None) -> dict[Any, Matrix]:
    """All values, gradients, Jacobians and updates as a mistake makes them, the later ones following from the wrong ones.

    again: the equations that the mistake moves, where leaves holds the values of the others.
    """
    working, network = mistake.working, mistake.working.network
    if network.symbols[network.output].shape:
        return evaluated(work.problem, working.derivation, leaves, keys)
    if mistake.slip in SLIPS and SLIPS[mistake.slip].kind == "forward":  # only values are wrong: the gradients' formulas are the right ones, at wrong values
        derivation = work.machine.lesson.derivation
        env = gradients(derivation, forward(network, leaves, only=again, partly=True), partly=True)
    else:
        derivation = working.derivation
        env = working.values(leaves, key=keys[0] if len(keys) == 1 and (isinstance(keys[0], str) or keys[0][0]) else None, only=again)
    env |= {k: quantity(work.problem, derivation, env, k[1], put=mistake.put) for k in keys if isinstance(k, tuple) and k[0] == ""}
    plan = work.problem.descent
    if plan is None or not any(isinstance(k, tuple) and k[0] is None for k in keys):
        return env
    try:
        after = working.update(env, working.derivation, work.problem.moved, MP.number(plan.rate)) if _once(plan) else \
            updated(work.problem, working.derivation, env, leaves, plan=mistake.plan)
        later = forward(work.network, {**leaves, **after})[network.output]
    except (ArithmeticError, ValueError, IndexError, ChainruleError):  # a gradient of another shape moves nothing
        return env
    return env | {(None, n): m for n, m in after.items()} | {(None, network.output): later}


def _again(work: Work, mistake: Mistake) -> Sequence[str]:
    """The equations that a mistake moves: those that it changes, and what depends on them."""
    where = ("again", id(mistake))
    if where not in work.network.memo:
        right = {eq.name: eq.rhs for eq in work.network.equations}
        moved: dict[str, None] = {}
        for eq in mistake.working.network.equations:
            if mistake.working.recall or right.get(eq.name) != eq.rhs or not moved.keys().isdisjoint(eq.rhs.names):
                moved[eq.name] = None
        work.network.memo[where] = mistake, tuple(moved)  # with the mistake, so that no other one gets its id
    found: Sequence[str] = work.network.memo[where][1]
    return found


def values(work: Work, mistake: Mistake) -> Mapping[Any, Matrix]:
    """Everything at the variant's numbers with the mistake made, under the keys of the right working; what it cannot give is left out."""
    with mp.workdps(WORKING):
        leaves = {k: m for k, m in work.values.items() if k in work.problem.leaves or not isinstance(k, (str, tuple))}
        again = _again(work, mistake)
        leaves |= {eq.name: work.values[eq.name] for eq in mistake.working.network.equations if eq.name not in again}
        try:
            return everything(work, mistake, leaves, work.keys, again)
        except (ArithmeticError, ValueError, KeyError, IndexError, TypeError, ChainruleError):
            return {}
