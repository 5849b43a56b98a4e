"""Numbers as somebody wrote them beside numbers as we compute them.

>>> within(Digits("0.0150", Fraction(3, 200)), mp.mpf("0.01504")), within(Digits("0.0150", Fraction(3, 200)), mp.mpf("0.01506"))
(True, False)
>>> shown_value(mp.mpf("0.041249"), 4), shown_value(mp.mpf("0.5"), 4), shown_value(mp.mpf("-0.00000012"), 3)
('0.0412', '0.5', '-1.2e-7')
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from mpmath import mp

from ..language.arithmetic import MP, Matrix
from .claimtext import Digits, flat

MORE_DIGITS = 2  # our values are shown with so many decimals more than the claim has
LEAST_PLACES = 4
PLACES = 6       # decimals of our values where the claim has none of its own
LOST = mp.mpf(10) ** -40  # what high-precision arithmetic may have lost on a tie


def within(claimed: Digits, value: Any) -> bool:
    """Whether a value is within half a unit of the last digit as written, ties included; equal to an exact form."""
    half = Fraction(0) if claimed.unit is None else claimed.unit / 2
    return bool(abs(MP.number(claimed.value) - value) <= MP.number(half) + LOST * max(abs(value), mp.mpf(1)))


def aligned(numbers: Any, ours: Any) -> list[tuple[Digits, Any]] | None:
    """Claimed and our numbers in pairs; None where they do not have the same shape.

    A single number may stand in brackets or not; a flat list serves for a single row or column.
    """
    claimed, values, shapes = flat(numbers), list(leaves(ours)), (sizes(numbers), sizes(ours))
    single = len(claimed) == len(values) == 1
    in_line = len(claimed) == len(values) and 1 in map(len, shapes) and all(sum(d != 1 for d in s) <= 1 for s in shapes)
    return list(zip(claimed, values, strict=True)) if shapes[0] == shapes[1] or single or in_line else None


def like(numbers: Any, ours: Any) -> Any:
    """Our values as the claim has them, where the two agree but for brackets."""
    pairs = aligned(numbers, ours)
    if pairs is None or sizes(numbers) == sizes(ours):
        return ours
    values = [x for _, x in pairs]
    return values[0] if not sizes(numbers) else values if len(sizes(numbers)) == 1 else [values] if len(numbers) == 1 else [[x] for x in values]


def agree(numbers: Any, ours: Any) -> bool:
    """Whether every claimed number is right beside these values."""
    pairs = aligned(numbers, ours)
    return pairs is not None and all(within(d, x) for d, x in pairs)


def leaves(values: Any) -> Iterator[Any]:
    """Every number of a nested list, in order."""
    if isinstance(values, (list, tuple)):
        for v in values:
            yield from leaves(v)
    else:
        yield values


def sizes(values: Any) -> tuple[int, ...]:
    """() for a number, (n,) for a list, (rows, columns) for a list of rows."""
    return (len(values), *sizes(values[0])) if isinstance(values, (list, tuple)) else ()


def size_words(values: Any) -> str:
    """The shape in words: '2 x 3', '3 numbers', 'a single number'."""
    n = sizes(values)
    return " x ".join(map(str, n)) if len(n) > 1 else f"{n[0]} number{'s' * (n[0] != 1)}" if n else "a single number"


def turned(values: Any) -> Any:
    """Rows as columns; None for what has no rows."""
    return [list(c) for c in zip(*values, strict=True)] if len(sizes(values)) == 2 else None


def nested(values: Matrix) -> Any:
    """A value without a form of its own: a number, a list for a single row or column, else rows."""
    if len(values) == 1 == len(values[0]):
        return values[0][0]
    return [x for row in values for x in row] if 1 in (len(values), len(values[0])) else values


def text(values: Any, show: Callable[[Any], str]) -> str:
    """Nested numbers as a person types them."""
    if isinstance(values, (list, tuple)) and not isinstance(values, str):
        return "[" + ", ".join(text(v, show) for v in values) + "]"
    return show(values)


# ------------------------------------------------------------------ digits

def decimals(claimed: Digits) -> int:
    """How many digits stand behind the point; 0 for an exact form."""
    places = 0
    while claimed.unit is not None and claimed.unit * 10**places < 1:
        places += 1
    return places


def significant(claimed: Digits) -> int:
    """How many digits the number has from its first one that is not zero."""
    if claimed.unit is None or claimed.value == 0:
        return 0
    return len(str(int(abs(Fraction(str(claimed.value)) / claimed.unit))))


def places_of(numbers: Any) -> int:
    """With how many decimals our values stand beside claimed ones."""
    digits = flat(numbers) if numbers is not None else []
    return max((max(decimals(d) + MORE_DIGITS, LEAST_PLACES) for d in digits if d.unit is not None), default=PLACES)


def shown_value(value: Any, places: int) -> str:
    """A value to so many decimals as plain text; an exact short decimal keeps no zeros, a tiny one keeps three digits."""
    if value == 0:
        return "0"
    if abs(value) < mp.mpf(10) ** (1 - places) or abs(value) >= 10**9:
        mantissa, power = mp.nstr(value, 3, min_fixed=1, max_fixed=0, strip_zeros=True).split("e")
        return f"{mantissa.removesuffix('.0')}e{int(power)}"
    whole = int(mp.floor(abs(value) * mp.mpf(10) ** places + mp.mpf(1) / 2 + LOST))
    body = f"{whole:0{places + 1}d}"
    body = f"{body[:-places]}.{body[-places:]}" if places else body
    exact = abs(mp.mpf(whole) / mp.mpf(10) ** places - abs(value)) < LOST
    return ("-" if value < 0 else "") + (body.rstrip("0").rstrip(".") if exact and places else body)


def which_off(off: Sequence[int], count: int) -> str:
    """Which of several numbers are off, in words.

    >>> which_off([0, 2], 4), which_off([1], 2)
    ('Numbers 1 and 3 of 4 are off.', 'Number 2 of 2 is off.')
    """
    places = [str(i + 1) for i in off[:4]] + [f"{len(off) - 4} more"] * (len(off) > 4)
    listed = " and ".join([*([", ".join(places[:-1])] if places[1:] else []), places[-1]])
    return f"Number{'s' * (len(off) > 1)} {listed} of {count} {'are' if len(off) > 1 else 'is'} off."
