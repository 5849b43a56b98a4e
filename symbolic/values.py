"""Numbers through the equations, forward and back, in high precision.

>>> from .network import from_equations
>>> from .derive import derive
>>> net = from_equations({"b": "4*a", "e": "b*a"}, {})
>>> env = gradients(derive(net), forward(net, {"a": [[MP.number(3)]]}))
>>> int(env["e"][0][0]), int(env["e", "a"][0][0])
(36, 24)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mpmath import mp

from .derive import Derivation
from .expr import Expr
from .language.arithmetic import MP, Arithmetic, Env, Matrix, entries, spread_out, ten
from .network import Network

LARGEST = 1e300  # numbers beyond this fit no float
DIGITS = 90  # working precision of everything that is printed or compared; differences lose a third on each side


def forward(network: Network, leaves: Env, arithmetic: Arithmetic = MP, *,
            override: Mapping[str, Matrix] | None = None, only: Iterable[str] | None = None,
            partly: bool = False) -> dict[Any, Matrix]:
    """Every value of the forward pass. override: values held fixed instead of computed.

    only: the equations to compute again, when leaves already holds the others. partly: leave out
    what lacks a number instead of raising KeyError.
    """
    env = dict(leaves)
    env.update(override or {})
    again = None if only is None else set(only)
    for eq in network.equations:
        if override and eq.name in override:
            continue
        if again is None or eq.name in again:
            _set(env, eq.name, eq.rhs, arithmetic, partly)
    return env


def _set(env: dict[Any, Matrix], key: Any, rhs: Expr, arithmetic: Arithmetic, partly: bool) -> None:
    try:
        env[key] = entries(rhs, env, arithmetic)
    except KeyError:
        if not partly:
            raise


def gradients(derivation: Derivation, values: Env, seed: Matrix | None = None,
              arithmetic: Arithmetic = MP, *, partly: bool = False) -> dict[Any, Matrix]:
    """The values with every gradient added under the key (of, wrt); seed replaces the leading 1."""
    env: dict[Any, Matrix] = dict(values)
    for step in derivation.steps.values():
        key = (step.of, step.wrt)
        if not step.terms and (seed is not None or step.shape):
            if seed is not None:
                env[key] = seed
            continue
        _set(env, key, step.result, arithmetic, partly)
        if key in env:
            env[key] = spread_out(env[key], step.shape)
    return env


def downstream(network: Network, name: str) -> list[str]:
    """The equations that depend on a value, in order."""
    reached, out = {name}, []
    for eq in network.equations:
        if eq.rhs.names & reached:
            reached.add(eq.name)
            out.append(eq.name)
    return out


def as_data(value: Any) -> Any:
    """A number, or numbers in lists, as JSON holds them: the nearest float, or the integer where it is one."""
    if isinstance(value, (list, tuple)):
        return [as_data(v) for v in value]
    v = value if isinstance(value, mp.mpf) else MP.number(value)
    return int(v) if mp.isint(v) and abs(v) < 2**53 else float(v)


def shifted(matrix: Matrix, direction: Matrix, h: Any) -> Matrix:
    """matrix + h * direction."""
    return [[x + h * d for x, d in zip(xs, ds, strict=True)] for xs, ds in zip(matrix, direction, strict=True)]


def inner(a: Matrix, b: Matrix) -> Any:
    """The sum of the entrywise product."""
    return sum(x * y for xs, ys in zip(a, b, strict=True) for x, y in zip(xs, ys, strict=True))


def difference(f: Callable[[Matrix], Matrix], at: Matrix, direction: Matrix) -> Matrix:
    """The directional derivative by central differences (h = 1e-30 of the value's size, in 90-digit arithmetic)."""
    h = ten(-(mp.dps // 3)) * max(mp.mpf(1), *(abs(x) for row in at for x in row))
    above, below = f(shifted(at, direction, h)), f(shifted(at, direction, -h))
    return [[(a - b) / (2 * h) for a, b in zip(*rows, strict=True)] for rows in zip(above, below, strict=True)]
