"""Why claimed gradients are wrong: the forward pass first, then the slips whose gradients are the claimed ones.

Slips that give the same numbers are listed together, never one of them claimed. Pairs are tried only where no single one fits.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy

from .. import expr as ex
from ..derive import derive, rebuilt
from ..expr import Expr
from ..functions import FUNCTIONS
from ..network import Network
from ..rules import local_slope
from ..slips import SLIPS
from .judge import LIMITS, Case, TensorVerdict, error_of, fits, fitted, judge, plain_array
from .recovered import Recovered, recover
from .suspects import AGREE, KEY, NEARER, Claims, Field, Suspect, Trial, calls_of, field_of, forward_suspects, worked

LOSS = ("other-loss", "factor-doubled", "factor-halved", "mean-forgotten", "mean-twice", "log-epsilon", "log-forgotten", "penalty-forgotten", "all-pairs", "sign")
TIME_FOR_PAIRS = 4.0  # seconds of the processor
MOST_NEAREST = 2
MOST_CAUSES = 24
MOST_CASES = 3  # that share a network: more of them prove nothing new


@dataclass(frozen=True)
class Cause:
    """A mistake that gives the claimed gradients.

    slip: its name in SLIPS; said: the marker's sentence; value: the value whose gradient it changes first; step: which step of the
    derivation that is, from 1 at the output; equation: the line of the forward pass that it goes back through; yours, right: the two
    formulas of that gradient, as text and as trees; key: which slip at which place, the same in the network at other sizes.
    """

    slip: str
    said: str
    value: str
    step: int
    equation: str
    yours: str
    right: str
    yours_tree: Expr
    right_tree: Expr
    key: tuple[Any, ...] = ()

    def within(self, network: Network, origin: Network) -> Cause:
        """The same mistake in the network at other sizes, as the spec has it; itself where it does not fit there, or another one may be meant."""
        here, there = field_of(origin), field_of(network)
        alike = [sum(key[:-1] == self.key[:-1] for key in f.places(self.slip)) for f in (here, there)]
        suspect = there.named(self.key)
        return self if suspect is None or alike[0] != alike[1] else _cause(there, suspect)


@dataclass(frozen=True)
class ForwardMismatch:
    """The first value of the forward pass that is another one.

    name: the value ('L' for the loss); error: as for gradients; equals: what the claimed values would be right for, as sentences;
    consistent: whether the gradients are right for that forward pass; guarded: it is the loss, and a small number in its logarithm is all.
    """

    name: str
    error: float
    equation: str
    equals: tuple[str, ...] = ()
    consistent: bool = False
    guarded: bool = False


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong and why.

    forward: a mismatch on the way forward, before anything else; verdicts: one a gradient; causes: alternatives that give the same
    numbers, each one slip or two; loss_equals, gradient_equals: losses that the claimed loss, and the claimed gradients, belong to;
    first_wrong: the first wrong gradient from the output side; where no cause was found, nearest: sentences of mistakes that explain that one,
    and recovered: its error signal;
    complete: whether all pairs were tried in time.
    """

    verdicts: tuple[TensorVerdict, ...]
    forward: ForwardMismatch | None = None
    causes: tuple[tuple[Cause, ...], ...] = ()
    loss_equals: tuple[str, ...] = ()
    gradient_equals: tuple[str, ...] = ()
    first_wrong: str = ""
    nearest: tuple[str, ...] = ()
    recovered: Recovered | None = None
    complete: bool = True

    @property
    def right(self) -> bool:
        """Whether there is nothing to mend."""
        return (self.forward is None or self.guarded) and all(v.passed for v in self.verdicts)

    @property
    def guarded(self) -> bool:
        """Whether only the loss is another one, by the small number that keeps its logarithm from 0."""
        return self.forward is not None and self.forward.guarded


def diagnose(cases: Sequence[Case], dtype: str = "float64", *, strict: bool = False, pairs: bool = True) -> Diagnosis:
    """Judge the claimed gradients of some calls, in their order, and say which mistakes explain them.

    dtype: in which numbers the code computes; strict: a common constant is wrong; pairs: whether two mistakes at once are tried.
    """
    verdicts = tuple(judge(cases, dtype, strict=strict))
    ahead = _forward(cases, LIMITS[dtype])
    found = Diagnosis(verdicts, ahead, loss_equals=_losses(cases, LIMITS[dtype]) if ahead is not None else ())
    wrong = [v.name for v in verdicts if v.verdict not in ("OK", "KINK", "UNTESTED")]
    if not wrong or (ahead is not None and ahead.consistent):
        return found
    found = replace(found, first_wrong=wrong[0])
    groups = _grouped(cases, LIMITS[dtype])
    singles, complete = _singles(groups), True
    apart = {v.name for v in verdicts if v.verdict in ("SHAPE", "MISSING", "NONFINITE")}  # what these lack is said already
    if not singles and apart and (rest := _without(groups, apart)):
        groups, singles = rest, _singles(rest)
    singles = singles or _alone(groups)
    if not singles and pairs and _any_wrong(groups):
        singles, complete = _pairs(groups)
    causes = tuple(dict.fromkeys(tuple(_causes(groups[0], s)) for s in singles))[:MOST_CAUSES]
    losses = tuple(dict.fromkeys(c.said for both in causes for c in both if c.slip in LOSS))
    found = replace(found, causes=causes, gradient_equals=losses, complete=complete)
    return found if causes else replace(found, nearest=_nearest(groups[0], wrong[0]), recovered=recover(cases, wrong[0]))


def right(cases: Sequence[Case], dtype: str = "float64", *, strict: bool = False) -> bool:
    """Whether there is nothing to mend, without asking why."""
    return bool(cases) and all(v.passed for v in judge(cases, dtype, strict=strict)) and _forward(cases, LIMITS[dtype]) is None


# ---------------------------------------------------------------- the forward pass

def _compare(case: Case, name: str, claimed: Any, values: Any) -> float | None:
    """The error of a claimed value; inf for another shape, None where nothing is claimed."""
    array = plain_array(claimed)
    if array is None:
        return None
    right = values[name]
    fit = fitted(array, right.shape)
    if fit is None or not numpy.isfinite(fit).all():
        return float("inf")
    return error_of(fit, right, 1e-13)


def _claimed_values(case: Case) -> dict[str, Any]:
    """The claimed values of the forward pass, the loss under its name."""
    return {**case.values, **({case.point.network.output: case.loss} if case.loss is not None else {})}


def _forward(cases: Sequence[Case], limit: float) -> ForwardMismatch | None:
    """The first value that is another one, in the order of computing."""
    network = cases[0].point.network
    for eq in network.equations:
        errors = [(e, c) for c in cases if eq.name in (own := _claimed_values(c)) and (e := _compare(c, eq.name, own[eq.name], c.point.values)) is not None]
        if errors and max(e for e, _ in errors) > limit:
            said, consistent, slips = _explained(cases, eq.name, limit)
            return ForwardMismatch(eq.name, max(e for e, _ in errors), str(eq), said, consistent, eq.name == network.output and slips == {"log-epsilon"})
    return None


def _explained(cases: Sequence[Case], name: str, limit: float) -> tuple[tuple[str, ...], bool, set[str]]:
    """What is said of the slips that give the claimed value in every case, whether the gradients are right for one of them, and their names."""
    said: dict[str, str] = {}
    consistent = False
    network = cases[0].point.network
    own = [c for c in cases if c.point.network is network and name in _claimed_values(c)][:MOST_CASES]
    for slip, changed, other in forward_suspects(network):
        try:
            if not all(_near(_compare(c, name, _claimed_values(c)[name], worked(network, c.point.leaves, changed)),
                             _compare(c, name, _claimed_values(c)[name], c.point.values), limit) for c in own):
                continue
            said[slip.said(changed)] = slip.name
            consistent = consistent or all(_gradients_agree(c, worked(network, c.point.leaves, changed, derive), other, limit) for c in own)
        except (LookupError, ValueError, ArithmeticError):
            continue
    return tuple(said), consistent, set(said.values())


def _near(error: float | None, right: float | None, limit: float) -> bool:
    """Whether a guess explains a number: it comes near, and much nearer than the right value."""
    return error is not None and right is not None and error <= max(limit, min(AGREE, NEARER * right))


def _gradients_agree(case: Case, values: Any, network: Network, limit: float) -> bool:
    claimed = {n: plain_array(case.claimed.get(n)) for n in case.point.wanted}
    return all(a is not None and (network.output, n) in values and (f := fitted(a, values[network.output, n].shape)) is not None
               and error_of(f, values[network.output, n], case.point.floor) <= limit for n, a in claimed.items())


def _losses(cases: Sequence[Case], limit: float) -> tuple[str, ...]:
    """The losses that the claimed loss equals, where the values before it are right."""
    network = cases[0].point.network
    own = [c for c in cases if c.loss is not None and c.point.network is network][:MOST_CASES]
    said = []
    for slip, changed, _ in forward_suspects(network, tuple({SLIPS[n].kind for n in LOSS})) if own else ():
        if slip.name in LOSS:
            try:
                guesses = [worked(network, c.point.leaves, changed) for c in own]
            except (LookupError, ValueError, ArithmeticError):
                continue
            if all(_near(_compare(c, network.output, c.loss, g), _compare(c, network.output, c.loss, c.point.values), limit) for c, g in zip(own, guesses, strict=True)):
                said.append(slip.said(changed).replace("gradient under", "value of"))
    return tuple(dict.fromkeys(said))


# ---------------------------------------------------------------- the slips

def _grouped(cases: Sequence[Case], limit: float) -> list[Claims]:
    """Cases that share a network, each kind up to so many, the first kind first: those where something is wrong, and one with a penalty where there is any."""
    calls = calls_of(cases)
    kinds: dict[int, list[int]] = {}
    for k, c in enumerate(cases):
        if not c.point.at_kink:
            kinds.setdefault(id(c.point.network), []).append(k)
    out = []
    for places in kinds.values():
        chosen = sorted(places, key=lambda k: fits(cases[k], limit))[:MOST_CASES]
        chosen += [k for k in places if _penalized(cases[k])][:not any(_penalized(cases[k]) for k in chosen)]
        out.append(Claims([cases[k] for k in chosen], limit, [calls[k] for k in chosen]))
    return [c for c in out if c.names] or out


def _penalized(case: Case) -> bool:
    return any(n.startswith("lam") and a.any() for n, a in case.point.leaves.items() if isinstance(n, str))


def _without(groups: Sequence[Claims], names: set[str]) -> list[Claims]:
    """The same claims without some gradients; none where nothing is left that is wrong."""
    out = [Claims([replace(c, claimed={n: a for n, a in c.claimed.items() if n not in names}) for c in g.cases], g.limit, g.calls) for g in groups]
    return out if _any_wrong(out) else []


def _any_wrong(groups: Sequence[Claims]) -> bool:
    """Whether there are wrong numbers to be explained; what is missing has none."""
    return any(not g.right(n) for g in groups for n in g.names)


def _singles(groups: Sequence[Claims]) -> list[Suspect]:
    """Every slip that explains all gradients of all cases."""
    first, *others = groups
    found = [s for s in first.field.suspects if first.reach(s) == len(first.names)] if _any_wrong(groups) else []
    return [s for s in found if all(_also(s, g) for g in others)]


def _alone(groups: Sequence[Claims]) -> list[Suspect]:
    """Every slip that explains the one gradient that is wrong, made there and not where the same value is used for others."""
    first, *others = groups
    wrong = [n for n in first.names if not first.right(n)]
    if len(wrong) != 1 or any(not g.right(n) for g in others for n in g.names if n not in wrong):
        return []
    every = [s.only(wrong[0]) for s in first.field.suspects if s.trees]
    return [s for s in every if first.reach(s) == len(first.names) and all(_also(s, g) for g in others)]


def _nearest(claims: Claims, name: str) -> tuple[str, ...]:
    """The slips that explain the first wrong gradient, and not all that follows."""
    if name not in claims.names:
        return ()
    upto = claims.names.index(name) + 1
    return tuple(dict.fromkeys(s.said for s in claims.field.suspects if claims.reach(s, upto=upto) == upto))[:MOST_NEAREST]


def _also(suspect: Suspect, claims: Claims) -> bool:
    """Whether the same slip explains a network of other sizes; where it does not fit there, those gradients must be right."""
    found = [claims.field.named(key) for key in parts(suspect)]
    one = found[0]
    same = one if len(found) == 1 or one is None or found[1] is None else claims.field.both(one, found[1])
    if None in found or same is None:
        return all(claims.right(n) for n in claims.names)
    return claims.reach(same) == len(claims.names)


def parts(suspect: Suspect) -> list[tuple[Any, ...]]:
    """The keys of the slips that a suspect is made of."""
    return [suspect.key[k:k + KEY] for k in range(0, len(suspect.key), KEY)]


def _pairs(groups: Sequence[Claims]) -> tuple[list[Suspect], bool]:
    """Two slips at once, pruned gradient by gradient: together they must explain the first wrong one before anything else is computed."""
    first = groups[0]
    stop = time.process_time() + TIME_FOR_PAIRS
    found: list[Suspect] = []
    touching = [s for s in first.field.suspects if first.trials(s) is not None]
    reach = {id(s): first.reach(s) for s in touching}
    start = next((k for k, n in enumerate(first.names) if not first.right(n)), 0)
    ahead = [s for s in touching if reach[id(s)] > start]
    for a, b in _candidates(touching, ahead, first.names[start], first):
        if time.process_time() > stop:
            return found, False
        both = first.field.both(a, b)
        if both is None:
            continue
        trials = first.trials(both)
        if trials is not None and first.reach(both, trials[:1]) == len(first.names) == first.reach(both, trials) and all(_also(both, g) for g in groups[1:]):
            found.append(both)
    return found, True


def _candidates(every: Sequence[Suspect], ahead: Sequence[Suspect], name: str, claims: Claims) -> Iterator[tuple[Suspect, Suspect]]:
    """Pairs that may explain the claims: one that explains the first wrong gradient alone with any other, then two that both change it."""
    for a in ahead:
        yield from ((a, b) for b in every if b is not a and _apart(a, b))
    changing = [s for s in every if s not in ahead and _changes(s, name, claims)]
    for k, a in enumerate(changing):
        yield from ((a, b) for b in changing[k + 1:] if _apart(a, b))


def _apart(a: Suspect, b: Suspect) -> bool:
    """Whether two slips can be made at once: not two pullbacks of one operation in one equation, nor one kind of slip twice."""
    same = set(a.changed.equations or ()) & set(b.changed.equations or ())
    return not (a.changed.wrong.keys() & b.changed.wrong.keys() and same) and not (a.slip is b.slip and a.changed.rewrite.keys() & b.changed.rewrite.keys())


def _changes(suspect: Suspect, name: str, claims: Claims) -> bool:
    """Whether a slip makes another gradient of a parameter."""
    try:
        guess = Trial(claims.field, suspect, claims.values[0], claims.calls[0]).gradient(name)
    except (LookupError, ValueError):
        return False
    right = claims.cases[0].point.gradient(name)
    return guess.shape != right.shape or not numpy.allclose(guess, right, rtol=1e-12, atol=0)


# ---------------------------------------------------------------- what is said

def _causes(claims: Claims, suspect: Suspect) -> Iterator[Cause]:
    """A suspect as one cause, or as two where it is a pair."""
    keys = parts(suspect)
    for key in keys:
        part = suspect if len(keys) == 1 else claims.field.named(key)
        assert part is not None
        yield _cause(claims.field, part)


def _cause(field: Field, suspect: Suspect) -> Cause:
    """Where a slip enters: the first step that it changes, or else what it hands out."""
    network = field.network
    name = next((n for n in field.order if n in suspect.trees), None)
    if name is not None:
        yours, right = _written(suspect.trees[name].result), field.right.steps[name].result
    else:
        name = next(n for n in field.order if n in suspect.changed.handed)
        yours, right = suspect.changed.handed[name], ex.grad(network.output, name, network.symbols[name].shape)
    through = field.right.steps[name].terms
    equation = str(network.equation(through[0].through)) if through else ""
    return Cause(suspect.slip.name, suspect.said, name, field.order.index(name), equation, _text(yours), _text(right), yours, right, suspect.key)


def _written(e: Expr) -> Expr:
    """A formula with the slope of another function written out."""
    if e.op == "slope" and e.data[0] in FUNCTIONS:
        return local_slope(ex.node("call", e.args, e.data[0]), e.data[1])
    return rebuilt(e, [_written(x) for x in e.args]) if e.args else e


def _text(e: Expr) -> str:
    """A formula on a line, without brackets around a gradient that stands alone."""
    said = ex.text(e)
    return said[1:-1] if e.op == "grad" else said
