"""A problem worked with rounded intermediate results, as a person with a calculator does it.

>>> from ..network import from_equations
>>> from ..slips import right
>>> working = right(from_equations({"b": "a/3", "c": "3*b"}, {}))
>>> env = rounded_values(working, {"a": [[MP.number(1)]]}, Habit(4))
>>> mp.nstr(env["c"][0][0], 8), str(Habit(4)), str(Habit(3, significant=True, every=True))
('0.9999', 'every intermediate result is rounded to 4 decimals', 'the result of every operation is rounded to 3 significant digits')
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mpmath import mp

from ..language.arithmetic import MP, Arithmetic, Env, HighPrecision, Matrix, entries, spread_out
from ..slips import Working


@dataclass(frozen=True)
class Habit:
    """How somebody rounds: to so many decimals or significant digits, each named value or every operation."""

    digits: int
    significant: bool = False
    every: bool = False

    def __str__(self) -> str:
        what = "significant digit" if self.significant else "decimal"
        which = "the result of every operation" if self.every else "every intermediate result"
        return f"{which} is rounded to {self.digits} {what}{'s' * (self.digits != 1)}"

    def round(self, x: Any) -> Any:
        """A number rounded; a tie goes away from zero, as in school."""
        if x == 0 or not mp.isfinite(x):
            return x
        places = self.digits - 1 - int(mp.floor(mp.log10(abs(x)))) if self.significant else self.digits
        scale = mp.mpf(10) ** places
        return mp.sign(x) * mp.floor(abs(x) * scale + mp.mpf(1) / 2 + mp.mpf(10) ** -30) / scale


def habits(decimals: Sequence[int], significant: Sequence[int], by_hand: bool = True) -> Iterator[Habit]:
    """The ways to round that are tried: first the named values, then every operation; decimals before significant digits.

    by_hand: whether the problem is so small that somebody may have done every operation by hand.
    """
    for every in (False, True) if by_hand else (False,):
        yield from (Habit(k, every=every) for k in decimals)
        yield from (Habit(k, significant=True, every=every) for k in significant if k)


class _Rounded(HighPrecision):
    """mpmath numbers, rounded after every operation."""

    def __init__(self, habit: Habit) -> None:
        self.habit = habit

    def add(self, terms: Sequence[Any]) -> Any:
        return self.habit.round(super().add(terms))

    def mul(self, factors: Sequence[Any]) -> Any:
        return self.habit.round(super().mul(factors))

    def div(self, x: Any, y: Any) -> Any:
        return self.habit.round(super().div(x, y))

    def pow(self, x: Any, y: Any) -> Any:
        return self.habit.round(super().pow(x, y))

    def dot(self, xs: Sequence[Any], ys: Sequence[Any]) -> Any:
        return self.add([self.mul((x, y)) for x, y in zip(xs, ys, strict=True)])

    def call(self, name: str, args: Sequence[Any]) -> Any:
        return self.habit.round(MP.call(name, args))


def rounded_values(working: Working, leaves: Env, habit: Habit, rate: Any = None, trained: Sequence[str] = (), steps: int = 1) -> dict[Any, Matrix]:
    """The values of a working as the habit gives them, under the same keys as `Working.values`.

    Raises ArithmeticError where rounding leads out of a domain (the logarithm of a zero).
    """
    for _ in range(steps - 1):
        env = rounded_values(working, leaves, habit, rate, trained)
        leaves = {**leaves, **{n: env[None, n] for n in trained}}
    arithmetic = _Rounded(habit) if habit.every else MP
    env = _forward(working, dict(leaves), habit, arithmetic)
    for step in working.derivation.steps.values():
        key = (step.of, step.wrt)
        if step.terms:
            env[key] = spread_out(_rounded(entries(step.result, env, arithmetic), habit), step.shape)
        elif step.shape:
            env[key] = [[mp.mpf(1)] * int(step.shape[1]) for _ in range(int(step.shape[0]))]
    output = working.network.output
    if rate is not None and not working.network.symbols[output].shape:
        after = {n: _rounded(m, habit) for n, m in working.update(env, working.derivation, trained, rate).items()}
        env.update({(None, n): m for n, m in after.items()})
        env[None, output] = _forward(working, {**leaves, **after}, habit, arithmetic)[output]
    return env


def _forward(working: Working, env: dict[Any, Matrix], habit: Habit, arithmetic: Arithmetic) -> dict[Any, Matrix]:
    for eq in working.network.equations:
        env[eq.name] = _rounded(entries(eq.rhs, env, arithmetic), habit)
    return env


def _rounded(rows: Matrix, habit: Habit) -> Matrix:
    return [[habit.round(x) for x in row] for row in rows]
