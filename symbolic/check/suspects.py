"""Every slip as arrays: which wrong gradients each would give, computed no further than needed to rule it out.

A slip changes the trees of a few steps of the derivation; all others stay, and read what arrives from above. So only what
lies below a changed step is computed again, one gradient at a time from the output side.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy

from .. import expr as ex
from ..derive import Derivation, Step, derived
from ..expr import Expr
from ..network import Network
from ..slips import MOST_PLACES, SLIPS, Slip, rederived
from ..wrong.changes import Changed
from .arrays import READER, Array, forward, full, gradients, matrix
from .judge import Case, error_of, fitted, plain_array

KEY = 3  # parts of the key of one suspect
_NUMBERS = re.compile(r"(?<![A-Za-z_\d])\d+")  # sizes in a sentence; not the number of a layer
BACKWARD = ("rule", "network", "accumulation", "state")
AGREE = 1e-6    # a slip explains a number to which it comes this near,
NEARER = 1e-3   # and a thousand times nearer than the right gradient does


@dataclass(frozen=True, eq=False)
class Suspect:
    """A slip at one place of a network.

    key: the same for the same place in the network at other sizes (the slip, its places without sizes, which of several); trees: the steps that it changes;
    alone: the one gradient in which it was made.
    """

    slip: Slip
    changed: Changed
    key: tuple[Any, ...]
    derivation: Derivation
    trees: Mapping[str, Step]
    alone: str = ""

    @property
    def said(self) -> str:
        """The sentence, with its place."""
        return self.slip.said(self.changed) + (f" So it is in the gradient of `{self.alone}` alone." if self.alone else "")

    def only(self, name: str) -> Suspect:
        """The same slip in the gradient of one parameter, which the code works out apart from the others."""
        return replace(self, key=(*self.key[:-1], (self.key[-1], name)), alone=name)


class Field:
    """All slips in one network, worked out when they are asked for."""

    def __init__(self, network: Network) -> None:
        self.network, self.right = network, derived(network)
        self.order = list(self.right.steps)
        self.results = {n: s.result for n, s in self.right.steps.items()}
        self.reads = {n: reads(e) for n, e in self.results.items()}
        self._made: dict[tuple[Any, ...], Suspect | None] = {}
        self._places: dict[str, dict[tuple[Any, ...], Changed]] = {}

    def places(self, slip: str) -> dict[tuple[Any, ...], Changed]:
        """Every place where a slip can be made, by the key of the suspect."""
        if slip not in self._places:
            found, seen = {}, Counter[tuple[Any, ...]]()
            for changed in islice(SLIPS[slip].change(self.network), MOST_PLACES):
                place = tuple(sorted((k, _NUMBERS.sub("#", v)) for places in (changed.places, *changed.also) for k, v in places.items()))
                found[slip, place, seen[place]] = changed
                seen[place] += 1
            self._places[slip] = found
        return self._places[slip]

    @cached_property
    def suspects(self) -> list[Suspect]:
        """All slips on the way back that change anything."""
        return [s for slip in SLIPS.values() if slip.kind in BACKWARD for key in self.places(slip.name) if (s := self.named(key)) is not None]

    def named(self, key: tuple[Any, ...]) -> Suspect | None:
        """The suspect of a key; None where it does not fit here."""
        if isinstance(key[-1], tuple):
            count, alone = key[-1]
            whole = self.named((*key[:-1], count))
            return whole.only(alone) if whole is not None else None
        if key not in self._made:
            changed = self.places(key[0]).get(key)
            self._made[key] = self.suspect(SLIPS[key[0]], changed, key) if changed is not None else None
        return self._made[key]

    def suspect(self, slip: Slip, changed: Changed, key: tuple[Any, ...]) -> Suspect | None:
        """A slip worked out; None where it does not fit, or changes nothing."""
        derivation = rederived(self.network, changed)
        if derivation is None:
            return None
        trees = {n: s for n, s in derivation.steps.items() if n in self.results and s is not self.right.steps[n] and s.result != self.results[n]}
        return Suspect(slip, changed, key, derivation, trees) if trees or changed.handed else None

    def both(self, a: Suspect, b: Suspect) -> Suspect | None:
        """Two slips at once; the first one is made first."""
        changed = a.changed.then(b.changed)
        key = (*a.key, *b.key)
        if not a.trees.keys() & b.trees.keys() and not a.changed.handed.keys() & b.changed.handed.keys():
            return Suspect(a.slip, changed, key, self.right, {**a.trees, **b.trees})
        return self.suspect(a.slip, changed, key)

    def below(self, name: str) -> set[str]:
        """The gradients that one needs, itself included."""
        needed, todo = set[str](), [name]
        while todo:
            n = todo.pop()
            if n not in needed:
                needed.add(n)
                todo += self.reads.get(n, ())
        return needed


def reads(e: Expr) -> list[str]:
    """The gradients that a tree reads."""
    return [n.data[1] for n in ex.walk(e) if n.op == "grad"]


class Trial:
    """What a suspect gives in one case, each gradient when it is asked for.

    Raises LookupError where the case lacks what the slip needs (a learning rate, an earlier call).
    """

    def __init__(self, field: Field, suspect: Suspect, values: Mapping[Any, Array], calls: Sequence[Mapping[Any, Any]]) -> None:
        self.field, self.suspect, self.right = field, suspect, values
        recall = suspect.changed.recall
        more = {n: matrix([[float(v) for v in row] for row in cells]) for n, cells in recall(calls).items()} if recall is not None else {}
        self.env: dict[Any, Array] = {**values, **more}
        self._dirty: set[str] = set()
        self._done: set[str] = set()

    def gradient(self, name: str) -> Array:
        """The wrong gradient of a parameter. Raises LookupError where it cannot be computed."""
        output = self.field.network.output
        if self.suspect.alone not in ("", name):
            return self.right[output, name]
        handed = self.suspect.changed.handed.get(name)
        with numpy.errstate(all="ignore"):
            for n in [name] if handed is None else reads(handed):
                self._compute(n)
            if handed is None:
                return self.env[output, name]
            if not self._known(handed):
                return self.right[output, name]  # the first call, before anything could go wrong
            shape = self.field.right.steps[name].shape
            return full(READER.value(handed, self.env), handed.shape or shape, self.env)

    def _known(self, e: Expr) -> bool:
        return all(n in self.env for n in e.names)

    def _compute(self, name: str) -> None:
        """The steps up to a gradient, as far as a changed one reaches."""
        needed = self._needed(name)
        for n in self.field.order:
            if n not in needed or n in self._done:
                continue
            self._done.add(n)
            step = self.suspect.trees.get(n)
            if step is None and not (self._dirty & set(self.field.reads[n])):
                continue
            tree = step.result if step is not None else self.field.results[n]
            if not self._known(tree):
                continue
            self.env[self.field.network.output, n] = full(READER.value(tree, self.env), tree.shape or self.field.right.steps[n].shape, self.env)
            self._dirty.add(n)

    def _needed(self, name: str) -> set[str]:
        needed = self.field.below(name)
        extra = [r for n in needed & self.suspect.trees.keys() for r in reads(self.suspect.trees[n].result) if r not in needed]
        for r in extra:
            needed |= self.field.below(r)
        return needed


class Claims:
    """The claimed gradients of some cases that share a network, and how near a guess must come."""

    def __init__(self, cases: Sequence[Case], limit: float, calls: Sequence[Sequence[Mapping[Any, Any]]] | None = None) -> None:
        self.cases, self.limit = cases, limit
        self.field = field_of(cases[0].point.network)
        self.names = [n for n in cases[0].point.wanted if all(plain_array(c.claimed.get(n)) is not None for c in cases)]
        self.values = [c.point.values for c in cases]
        self.calls = list(calls) if calls is not None else calls_of(cases)
        self.tables = [{n: self._table(c, n) for n in self.names} for c in cases]

    def _table(self, case: Case, name: str) -> tuple[Array, float]:
        """The claimed numbers, in the right shape where that is possible, and the error within which a guess explains them."""
        right = case.point.gradient(name)
        array = plain_array(case.claimed[name])
        assert array is not None
        claimed = fitted(array, right.shape)
        if claimed is None:
            return (array if array.ndim == 2 else matrix(array) if array.ndim < 2 else array), AGREE
        own = error_of(claimed, right, case.point.floor)
        return claimed, max(self.limit, min(AGREE, NEARER * own)) if own == own else AGREE

    def right(self, name: str) -> bool:
        """Whether a gradient is right in every case."""
        return all(t[name][0].shape == c.point.gradient(name).shape and error_of(t[name][0], c.point.gradient(name), c.point.floor) <= self.limit
                   for t, c in zip(self.tables, self.cases, strict=True))

    def agrees(self, k: int, name: str, guess: Array) -> bool:
        """Whether a guess is the claimed gradient of case k."""
        claimed, within = self.tables[k][name]
        if guess.shape != claimed.shape:
            found = fitted(guess, claimed.shape)
            if found is None:
                return False
            guess = found
        if not numpy.isfinite(claimed).all() or not numpy.isfinite(guess).all():
            return bool((numpy.isfinite(claimed) == numpy.isfinite(guess)).all())
        return error_of(guess, claimed, self.cases[k].point.floor) <= within

    def trials(self, suspect: Suspect) -> list[Trial] | None:
        """The suspect in every case; None where a case lacks what it needs."""
        try:
            return [Trial(self.field, suspect, v, self.calls[k]) for k, v in enumerate(self.values)]
        except LookupError:
            return None

    def reach(self, suspect: Suspect, trials: Sequence[Trial] | None = None, upto: int | None = None) -> int:
        """How many gradients, from the output side, a suspect explains in every case."""
        trials = trials if trials is not None else self.trials(suspect)
        if trials is None:
            return -1
        for at, name in enumerate(self.names[:upto]):
            for k, trial in enumerate(trials):
                try:
                    if not self.agrees(k, name, trial.gradient(name)):
                        return at
                except (LookupError, ValueError):  # a step of another shape lies above, or shapes that cannot be joined
                    return at
        return len(self.names[:upto])


def field_of(network: Network) -> Field:
    """The slips of a network, worked out once."""
    found = network.__dict__.get("_field") or Field(network)
    network.__dict__["_field"] = found
    return found


def calls_of(cases: Sequence[Case]) -> list[list[dict[Any, Any]]]:
    """For every case what it and the calls before it had and should have given, as slips that remember read it."""
    every: list[dict[Any, Any]] = [{**c.point.values, **({"_rate": [[c.rate]]} if c.rate is not None else {})} for c in cases]
    return [every[:k + 1] for k in range(len(every))]


def forward_suspects(network: Network, kinds: Sequence[str] = ("network", "forward")) -> Iterator[tuple[Slip, Changed, Network]]:
    """The slips that change values of the forward pass, and the network as each leaves it."""
    for slip in (s for s in SLIPS.values() if s.kind in kinds):
        for changed in islice(slip.change(network), MOST_PLACES):
            if changed.rewrite:
                yield slip, changed, changed.on(network)


def worked(network: Network, leaves: Mapping[Any, Array], changed: Changed, derive: Callable[[Network], Derivation] | None = None) -> dict[Any, Array]:
    """All values (and gradients, where derive is given) of a network as a slip leaves it."""
    more = changed.recall([leaves]) if changed.recall else {}
    env = forward(changed.on(network), {**leaves, **{n: matrix([[float(v) for v in row] for row in cells]) for n, cells in more.items()}})
    return env if derive is None else gradients(derive(changed.on(network)), env)
