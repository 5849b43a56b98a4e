"""Which mistake in an optimizer gives the claimed parameters: its equations on arrays, right and wrong.

>>> from ..optimizers import OPTIMIZERS
>>> adam = OPTIMIZERS["adam"]
>>> wrong = walk(next(row for _, row in rows(adam)), {}, 0.1, [[1.0]], [[[2.0]]])
>>> explain_steps(adam, {}, 0.1, [[1.0]], [[[2.0]]], wrong)[0]
'The running averages start at 0 and were not corrected for it: they are to be divided by 1 minus the power of beta.'
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy

from ..network import Network
from ..optimizers import AFTER, BEFORE, OPTIMIZERS, Optimizer
from ..slips import SLIPS, Slip
from .arrays import READER, Array, matrix
from .judge import error_of, fitted, plain_array
from .suspects import AGREE, NEARER


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


def _moves(start: Array, path: Sequence[Array]) -> list[Array]:
    return [b - a for a, b in zip([start, *path[:-1]], path, strict=True)]


def _error(claimed: Sequence[Array], guess: Sequence[Array]) -> float:
    return max(error_of(c, g) if numpy.isfinite(g).all() else float("inf") for c, g in zip(claimed, guess, strict=True))
