"""What a mistake changes: pullbacks, right-hand sides, how terms are gathered, what is handed out, the update; and how two go together.

>>> from ..expr import ONE
>>> both = Changed({"v": "a"}, handed={"a": ONE}).then(Changed({"w": "b"}, handed={"b": ONE}))
>>> both.places, sorted(both.handed)
({'v': 'a', 'w': 'b'}, ['a', 'b'])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

from ..derive import Derivation, Step
from ..expr import Expr
from ..language.arithmetic import Env, Matrix
from ..network import Equation, Network, Symbol
from ..optimizers import Optimizer
from ..rules import RULES, Rule

Update = Callable[[Env, Derivation, Iterable[str], Any], dict[str, Matrix]]
Pull = Callable[[Expr, Expr, int], Expr]


def updated(values: Env, derivation: Derivation, names: Iterable[str], rate: Any) -> dict[str, Matrix]:
    """The right step of gradient descent: W - rate * dL/dW for every name (W itself where the loss does not depend on it)."""
    out = {}
    for name in names:
        g = values.get((derivation.network.output, name))
        out[name] = values[name] if g is None else [[w - rate * d for w, d in zip(ws, ds, strict=True)] for ws, ds in zip(values[name], g, strict=True)]
    return out


Wrong = Callable[[Expr, Expr, int, Pull], Expr]  # (e, g, k, the right pullback) -> what is sent back instead
RowChange = Callable[[Optimizer], Optimizer | None]  # None where there is nothing to change
Recall = Callable[[Sequence[Env]], Env]           # the calls so far, the present one last -> more leaves


@dataclass(frozen=True)
class Changed:
    """The one thing that a slip changes, and the words for its sentence.

    wrong: pullbacks by operation; rewrite: other right-hand sides, by the name of the equation; symbols: leaves that only the
    slip knows, whose numbers ``recall`` finds in this call and the earlier ones; gather: how the terms of a step are put together;
    handed: what is returned for a value, in terms of values and named gradients; update: how parameters move; equations: those that
    send back something else, None where that is not known; also: the other places of a mistake made at several at once;
    row: another row of the table of optimizers.
    """

    places: Mapping[str, str]
    wrong: Mapping[str, Wrong] = field(default_factory=dict)
    rewrite: Mapping[str, Callable[[Expr], Expr]] = field(default_factory=dict)
    symbols: Mapping[str, Symbol] = field(default_factory=dict)
    recall: Recall | None = None
    gather: Callable[[Step], Step] | None = None
    handed: Mapping[str, Expr] = field(default_factory=dict)
    update: Update = updated
    equations: tuple[str, ...] | None = None
    also: tuple[Mapping[str, str], ...] = ()
    row: RowChange | None = None

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The table of rules with the wrong rows."""
        return {**RULES, **{op: replace(RULES[op], pull=_instead(w, RULES[op].pull)) for op, w in self.wrong.items()}} if self.wrong else RULES

    def on(self, network: Network) -> Network:
        """The network as the slip leaves it."""
        if not self.rewrite and not self.symbols:
            return network
        equations = tuple(Equation(e.name, self.rewrite[e.name](e.rhs)) if e.name in self.rewrite else e for e in network.equations)
        return replace(network, equations=equations, symbols={**network.symbols, **self.symbols})

    def then(self, other: Changed) -> Changed:
        """Both mistakes at once; this one is made first."""
        gathers = [c.gather for c in (self, other) if c.gather is not None]
        recalls = [c.recall for c in (self, other) if c.recall is not None]
        touched = None if self.equations is None or other.equations is None else tuple(dict.fromkeys(self.equations + other.equations))
        return Changed({**self.places, **other.places}, _both(self.wrong, other.wrong, _after), _both(self.rewrite, other.rewrite, _through),
                       {**self.symbols, **other.symbols}, (lambda calls: {k: v for r in recalls for k, v in r(calls).items()}) if recalls else None,
                       (lambda step: _all(gathers, step)) if gathers else None, {**self.handed, **other.handed},
                       other.update if self.update is updated else self.update, touched)


def _instead(wrong: Wrong, pull: Pull) -> Pull:
    return lambda e, g, k: wrong(e, g, k, pull)


def _after(first: Wrong, second: Wrong) -> Wrong:
    return lambda e, g, k, pull: second(e, g, k, lambda e, g, k: first(e, g, k, pull))


def _through(first: Callable[[Expr], Expr], second: Callable[[Expr], Expr]) -> Callable[[Expr], Expr]:
    return lambda rhs: second(first(rhs))


def _all(gathers: Iterable[Callable[[Step], Step]], step: Step) -> Step:
    for gather in gathers:
        step = gather(step)
    return step


def _both(one: Mapping[str, Any], other: Mapping[str, Any], join: Callable[[Any, Any], Any]) -> dict[str, Any]:
    """Two tables in one; what stands in both is joined."""
    return {**one, **other, **{k: join(one[k], other[k]) for k in one.keys() & other.keys()}}


Ways = Callable[[Network], Iterator[Changed]]


def and_all(ways: Ways, by: str = "") -> Ways:
    """A mistake at each of its places, then at all of them at once, as a loop or a class makes it; by: the word that must agree."""
    def change(network: Network) -> Iterator[Changed]:
        found = list(ways(network))
        yield from found
        for word in dict.fromkeys(c.places.get(by, "") for c in found):
            same = [c for c in found if c.places.get(by, "") == word]
            if len(same) > 1:
                yield replace(reduce(Changed.then, same), places=same[0].places, also=tuple(c.places for c in same[1:]))

    return change
