"""Which mistake in an optimizer gives the claimed parameters: its equations on arrays, right and wrong.

>>> from ..optimizers import OPTIMIZERS
>>> adam = OPTIMIZERS["adam"]
>>> wrong = walk(next(row for _, row in rows(adam)), {}, 0.1, [[1.0]], [[[2.0]]])
>>> explain_steps(adam, {}, 0.1, [[1.0]], [[[2.0]]], wrong)[0]
'The running averages start at 0 and were not corrected for it: they are to be divided by 1 minus the power of beta.'
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy

from ..derive import Derivation, derived
from ..network import Network
from ..optimizers import AFTER, BEFORE, OPTIMIZERS, Optimizer
from ..slips import SLIPS, Slip
from ..wrong.changes import Update
from .arrays import READER, Array, matrix
from .judge import error_of, fitted, plain_array
from .suspects import AGREE, NEARER


@dataclass(frozen=True)
class Moved:
    """Steps from one start, in the file's own layout: the parameters by name, the gradients of every step, and the parameters after it (those that were found)."""

    rate: float
    start: Mapping[str, Any]
    gradients: tuple[Mapping[str, Any], ...]
    claimed: tuple[Mapping[str, Any], ...]


def walk(row: Optimizer, options: Mapping[str, Any], rate: float, start: Any, gradients: Sequence[Any]) -> list[Array]:
    """The parameter after every step, from the gradients that the steps were given.

    options: numbers for the options of the row; its own defaults for the others.
    """
    env: dict[str, Any] = {"w": matrix(start), **{n: matrix(float(v)) for n, v in row.states.items()}}
    fixed = {n: matrix(float(options.get(n, o.default) or 0)) for n, o in row.options.items()} | {"eta": matrix(rate)}
    out = []
    with numpy.errstate(all="ignore"):
        for t, g in enumerate(gradients, 1):
            step = {**fixed, "t": matrix(float(t)), "g" + AFTER: matrix(g), **{n + BEFORE: v for n, v in env.items()}}
            for target, tree in row.trees:
                step[target] = READER.value(tree, step)
            env = {n: step.get(n + AFTER, v) for n, v in env.items()}
            out.append(env["w"])
    return out


def rows(row: Optimizer) -> Iterator[tuple[Slip, Optimizer]]:
    """Every mistake that can be made in an optimizer, and the row that it leaves."""
    nothing = Network((), {})
    for slip in (s for s in SLIPS.values() if s.kind == "optimizer"):
        for changed in slip.change(nothing):
            if changed.row is not None and (wrong := changed.row(row)) is not None:
                yield slip, wrong


def explain_steps(row: Optimizer, options: Mapping[str, Any], rate: float, start: Any, gradients: Sequence[Any], claimed: Sequence[Any]) -> list[str]:
    """What explains claimed parameters after some steps: sentences of mistakes, then other optimizers; none where they are right.

    The moves are compared, not the parameters, which hardly change.
    """
    first = matrix(start)
    arrays = [fitted(plain_array(c), first.shape) for c in claimed]
    if any(a is None for a in arrays):
        return []
    moves = _moves(first, [a for a in arrays if a is not None])
    right = _error(moves, _moves(first, walk(row, options, rate, start, gradients)))
    if right <= 1e-9:
        return []
    within = min(AGREE, NEARER * right)
    said = [slip.sentence for slip, wrong in rows(row) if _error(moves, _moves(first, walk(wrong, options, rate, start, gradients))) <= within]
    others = [f"This is the step of {o.title}, not of {row.title}." for o in OPTIMIZERS.values() if o.at == "w" and o is not row
              and _error(moves, _moves(first, walk(o, options, rate, start, gradients))) <= within]
    return list(dict.fromkeys(said + others))


def judged(network: Network, moved: Sequence[Moved]) -> tuple[list[str], list[str]]:
    """The parameters that an update moves wrongly, and what explains them in sentences; the name of its optimizer where all are right.

    Steps of one or two learning rates, from gradients that are given; what is right is the step of any optimizer of the table, the plainest first.
    """
    with numpy.errstate(all="ignore"):
        return _judged(network, moved)


def _judged(network: Network, moved: Sequence[Moved]) -> tuple[list[str], list[str]]:
    names = [n for n in moved[0].start if any(n in c for m in moved for c in m.claimed)]
    missing = [n for n in moved[0].start if n not in names]
    plain = OPTIMIZERS["gradient_descent"]
    off = names
    for row in [o for o in OPTIMIZERS.values() if o.at == "w"]:
        wrong = [n for n in names if _off(moved, n, lambda m, n, row=row: walk(row, {}, m.rate, m.start[n], [g[n] for g in m.gradients])) > 1e-9]  # type: ignore[misc]
        if not wrong:
            return missing, [f"It gives nothing for {', '.join(f'`{n}`' for n in missing)}." if missing else "gradient descent" if row is plain else row.title]
        off = wrong if row is plain else off
    if len(moved) > 1 and (c := _constant(moved, off)) is not None:
        return off, [c]
    said = [s for s, path in _mistakes(network) if all(_off(moved, n, lambda m, n, path=path: path(m, n)) <= AGREE for n in off)]  # type: ignore[misc]
    return off, list(dict.fromkeys(said))[:2]


def _off(moved: Sequence[Moved], name: str, path: Callable[[Moved, str], list[Array]]) -> float:
    """How far the moves of a parameter are from those of a path, in every run."""
    worst = 0.0
    for m in moved:
        shape = matrix(m.start[name]).shape
        claimed = [fitted(c.get(name), shape) for c in m.claimed]
        if any(c is None or not numpy.isfinite(c).all() for c in claimed):
            return float("inf")
        start = matrix(m.start[name])
        worst = max(worst, _error(_moves(start, path(m, name)), _moves(start, [c for c in claimed if c is not None])))
    return worst


def _constant(moved: Sequence[Moved], names: Sequence[str]) -> str | None:
    """The one number by which every gradient is multiplied, where that is not the learning rate."""
    found = set()
    for m in moved:
        before = m.start
        for g, after in zip(m.gradients, m.claimed, strict=True):
            for n in names:
                move = fitted(after.get(n), matrix(before[n]).shape)
                ratio = (matrix(before[n]) - move) / matrix(g[n]) if move is not None else numpy.array([numpy.nan])
                if not (numpy.ptp(ratio) <= AGREE * abs(ratio).max()):
                    return None
                found.add((m.rate, float(f"{ratio.mean():.6g}")))
            before = after
    constants, factors = {c for _, c in found}, {float(f"{c / r:.6g}") for r, c in found}
    if len(constants) == 1 and not constants & {0.0, 1.0}:
        return f"The gradient is multiplied by {constants.pop():g}, whatever the learning rate is."
    return f"The step is {factors.pop():g} times what it should be." if len(factors) == 1 and not factors & {0.0, -1.0} else None


def _mistakes(network: Network) -> Iterator[tuple[str, Callable[[Moved, str], list[Array]]]]:
    """Sentences with the path that each mistake gives: of updates, then of optimizers, the plainest optimizer first."""
    right = derived(network)
    for slip in (s for s in SLIPS.values() if s.kind == "update"):
        for changed in slip.change(network):
            yield slip.said(changed), lambda m, n, changed=changed: _updated(changed.update, right, m, n)  # type: ignore[misc]
    yield "It stays as it is.", lambda m, n: [matrix(m.start[n])] * len(m.gradients)
    for row in (o for o in OPTIMIZERS.values() if o.at == "w"):
        for slip, wrong in rows(row):
            yield slip.sentence, lambda m, n, wrong=wrong: walk(wrong, {}, m.rate, m.start[n], [g[n] for g in m.gradients])  # type: ignore[misc]


def _updated(update: Update, right: Derivation, m: Moved, name: str) -> list[Array]:
    """A parameter after every step of a mistaken update."""
    out, now = [], matrix(m.start[name])
    for g in m.gradients:
        values = {name: now.tolist(), (right.network.output, name): matrix(g[name]).tolist()}
        try:
            now = matrix(update(values, right, [name], m.rate)[name])
        except (LookupError, ValueError):  # it needs more than one gradient
            now = numpy.full_like(now, numpy.inf)
        out.append(now)
    return out


def _moves(start: Array, path: Sequence[Array]) -> list[Array]:
    return [b - a for a, b in zip([start, *path[:-1]], path, strict=True)]


def _error(claimed: Sequence[Array], guess: Sequence[Array]) -> float:
    return max(error_of(c, g) if numpy.isfinite(g).all() else float("inf") for c, g in zip(claimed, guess, strict=True))
