"""How far an answer may be off: far enough for everyone who rounds each intermediate result, never as far as a mistake.

The bound is rigorous: the whole working is done in interval arithmetic (mpmath's ``iv``), in which every result of every
operation is widened by half a unit of the last digit that is kept. It is done twice, with theorems such as p - y and
the long way without them, and the tolerance holds for both.

>>> half = Rounded(4)
>>> third = half.div(half.number(1), half.number(3))
>>> bool(third.a < 0.33333 < third.b), float(third.delta) < 4e-4
(True, True)
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import floor, log10
from typing import Any

from mpmath import iv, mp

from ..decimals import leading
from ..derive import Derivation
from ..errors import CheckError
from ..expr import Expr
from ..language.arithmetic import Arithmetic, Env, Matrix, ten
from ..language.scalars import RELATIONS
from .stepping import numbers
from .worked import Key, Rejected, Work, evaluated

DIGITS = 4     # a right method keeps at least so many significant digits in every intermediate result
SWAMPED = 6    # an answer is at least so many tolerances in size
APART = 2      # a mistake is at least so many tolerances away
WORKING = 40   # digits of the intervals' own arithmetic

RISING = frozenset({"asin", "atan", "sinh", "tanh", "erf"})
FALLING = frozenset({"acos"})


class Rounded(Arithmetic):
    """Intervals that hold every result of a person who rounds each intermediate result to so many significant digits.

    Raises ArithmeticError where a comparison cannot be decided any more.
    """

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def wide(self, x: Any) -> Any:
        """An interval with half a unit of the last kept digit on both sides."""
        largest = max(abs(float(x.a)), abs(float(x.b)))
        if not 0 < largest < float("inf"):
            return x
        return x + _half(floor(log10(largest) + 1e-9) + 1 - self.digits, iv.prec)

    def number(self, value: Any) -> Any:
        """A given number: exact where it has few digits, rounded where it does not end (ln 3, 1/3)."""
        if isinstance(value, (int, Fraction)):
            exact = Fraction(value)
            ends = (exact.numerator * 10**self.digits) % exact.denominator == 0 and abs(exact) < 10 ** (2 * self.digits)
            whole = iv.mpf(exact.numerator) / exact.denominator
            return whole if ends else self.wide(whole)
        if isinstance(value, mp.mpf):
            return iv.mpf(value) if mp.isint(value) else self.wide(iv.mpf(value))
        return self.wide(iv.mpf(mp.mpf(value.evalf(WORKING)._mpf_)))

    def add(self, terms: Sequence[Any]) -> Any:
        out = terms[0]
        for t in terms[1:]:
            out = self.wide(out + t)
        return out

    def mul(self, factors: Sequence[Any]) -> Any:
        out = factors[0]
        for f in factors[1:]:
            out = self.wide(out * f)
        return out

    def div(self, x: Any, y: Any) -> Any:
        if 0 in y:
            raise ArithmeticError("a divisor may be zero once it is rounded")
        return self.wide(x / y)

    def pow(self, x: Any, y: Any) -> Any:
        if y.delta == 0 and y.a == int(y.a):
            return self.wide(x ** int(y.a))
        if not x.a > 0:
            raise ArithmeticError("a power may not exist once its base is rounded")
        return self.wide(iv.exp(y * iv.log(x)))

    def primitive(self, name: str, x: Any) -> Any:
        if name in RISING | FALLING:
            ends = sorted(getattr(mp, name)(mp.mpf(e)) for e in (x.a, x.b))
            return self.wide(iv.mpf(ends))
        if name == "cosh":
            return self.wide((iv.exp(x) + iv.exp(-x)) / 2)
        if name == "log" and not x.a > 0:
            raise ArithmeticError("a logarithm may not exist once its argument is rounded")
        return self.wide(getattr(iv, name)(x))

    def cases(self, e: Expr, env: Env) -> Any:
        for i, sign in enumerate(e.data):
            left, right = (self.scalar(e.args[3 * i + j], env) for j in (0, 1))
            holds = RELATIONS[sign](left, right)
            if holds is None:
                raise ArithmeticError("a comparison cannot be decided once its sides are rounded")
            if holds:
                return self.scalar(e.args[3 * i + 2], env)
        return self.scalar(e.args[-1], env)

    def largest(self, xs: Sequence[Any], sign: int) -> Any:
        """The one that is the largest for certain."""
        for x in xs:
            if all(o is x or ((x > o) if sign > 0 else (x < o)) for o in xs):
                return x
        raise ArithmeticError("which entry is the largest cannot be decided once they are rounded")


@lru_cache(maxsize=256)
def _half(power: int, prec: int) -> Any:
    """Half a unit to both sides, of a digit at a power of ten."""
    unit = iv.mpf(10) ** power / 2
    return iv.mpf([-unit.b, unit.b])


def intervals(work: Work, digits: int = DIGITS) -> dict[Key, Matrix]:
    """For every key that is asked for, the intervals of what a right method may come to. Raises Rejected where rounding undoes a decision."""
    if not work.keys:
        return {}
    before, iv.dps = iv.dps, WORKING
    try:
        with mp.workdps(WORKING):
            found = [_intervals(work, derivation, digits) for derivation in work.machine.ways]
    except (ArithmeticError, ValueError) as e:
        raise Rejected(f"rounding decides: {e}") from None
    finally:
        iv.dps = before
    return {key: [[_hull(cells) for cells in zip(*rows, strict=True)] for rows in zip(*(f[key] for f in found), strict=True)] for key in work.keys}


def _intervals(work: Work, derivation: Derivation, digits: int) -> dict[Any, Matrix]:
    arithmetic = Rounded(digits)
    return evaluated(work.problem, derivation, numbers(work.problem, arithmetic), work.keys, arithmetic)


def _hull(cells: Sequence[Any]) -> Any:
    """The least interval around some."""
    return cells[0] if len(cells) == 1 else iv.mpf([min(mp.mpf(c.a) for c in cells), max(mp.mpf(c.b) for c in cells)])


def tolerances(work: Work) -> dict[Key, Matrix]:
    """How far each entry of each answer may be off: the bound, rounded up to two digits.

    Raises CheckError where an interval misses the truth, Rejected where rounding leaves next to nothing of an answer.
    """
    out: dict[Key, Matrix] = {}
    for key, rows in intervals(work).items():
        value = work.value(key)
        out[key] = [[_tolerance(x, v, key) for x, v in zip(xs, vs, strict=True)] for xs, vs in zip(rows, value, strict=True)]
        if any(v and SWAMPED * t >= abs(v) for ts, vs in zip(out[key], value, strict=True) for t, v in zip(ts, vs, strict=True)):
            raise Rejected("rounding leaves next to nothing of an answer")
    return out


def _tolerance(interval: Any, value: Any, key: Key) -> Any:
    low, high = mp.mpf(interval.a), mp.mpf(interval.b)
    slack = ten(6 - WORKING) * max(abs(value), mp.mpf(1))
    if not low - slack <= value <= high + slack:
        raise CheckError(f"the interval of {key} does not hold its value {mp.nstr(value, 10)}; no question was made")
    return rounded_up(max(high - value, value - low, mp.mpf(0)))


def rounded_up(x: Any) -> Any:
    """A number rounded up to two significant digits.

    >>> mp.nstr(rounded_up(mp.mpf("0.001234")), 5), int(rounded_up(mp.mpf(0)))
    ('0.0013', 0)
    """
    if not x:
        return mp.mpf(0)
    with mp.workdps(WORKING):
        power = ten(leading(x) - 1)
        return mp.ceil(x / power - ten(-20)) * power


def passes(answer: Matrix, value: Matrix, tolerance: Matrix) -> bool:
    """Whether an answer is right: every entry within its tolerance."""
    if (len(answer), len(answer[0])) != (len(value), len(value[0])):
        return False
    return all(abs(a - v) <= t for rows in zip(answer, value, tolerance, strict=True) for a, v, t in zip(*rows, strict=True))


def apart(wrong: Matrix, value: Matrix, tolerance: Matrix) -> bool:
    """Whether a wrong answer cannot be taken for the right one: another shape, or an entry at least twice its tolerance away."""
    if (len(wrong), len(wrong[0])) != (len(value), len(value[0])):
        return True
    return any(abs(a - v) >= APART * t and a != v for rows in zip(wrong, value, tolerance, strict=True) for a, v, t in zip(*rows, strict=True))
