"""The spaces that a problem's parameters are drawn from: each is counted, and each draw has an index.

A value is the text of an exact number, a word, or a (nested) tuple of these, just as a person would write it in YAML.

>>> s = space({"ln": ["2", "3"], "signs": "true"})
>>> s.size, [s.at(k) for k in range(s.size)]
(4, ['ln(2)', '-ln(2)', 'ln(3)', '-ln(3)'])
>>> pairs = space({"list": "2", "of": ["0", "1", "2"], "distinct": "true"})
>>> pairs.size, pairs.at(0), pairs.at(5)
(6, ('0', '1'), ('2', '1'))
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from ..errors import nearest
from ..reading.choices import short, truth
from ..reading.numbers import Number, ValueProblem, is_decimal, last_digit, parse_number, whole

Value: TypeAlias = "str | tuple[Value, ...]"

MOST_LISTED = 10_000  # entries of a space that is written out
MOST_ENTRIES = 400    # of a matrix of parameters
MOST_BELOW = 1000     # denominators
_PLACE = re.compile(r"\{(\w+)((?:\[\d+\])*)\}")
_WORD = re.compile(r"[A-Za-z_][\w -]*")


@dataclass(frozen=True)
class Space:
    """How many values there are, and the value of each index from 0."""

    size: int
    at: Callable[[int], Value]


def space(raw: object) -> Space:
    """The space that a person wrote: a list of values, or braces with the name of a row of ``SPACES``.

    Raises ValueProblem, with the path inside the space.
    """
    if isinstance(raw, (list, tuple)):
        return _listed(tuple(_value(v, k) for k, v in enumerate(raw)))
    if not isinstance(raw, Mapping):
        raise ValueProblem("expected a list of values or braces", hint="as in [1, 2, 3] or {integers: [-3, 3]}")
    kinds = [key for key in raw if key in SPACES]
    if len(kinds) != 1:
        unknown = next((str(key) for key in raw if key not in SPACES), "")
        raise ValueProblem("expected one kind of space" if not unknown else f"{short(unknown)} is no kind of space", hint=nearest(unknown, SPACES))
    row = SPACES[kinds[0]]
    for key in raw:
        if key not in (kinds[0], *row.options):
            raise ValueProblem(f"unknown key {short(key)}", str(key), hint=nearest(str(key), row.options) if row.options else "delete it")
    made = row.make(raw[kinds[0]], {key: raw[key] for key in row.options if raw.get(key) is not None})
    if not made.size:
        raise ValueProblem("the space is empty", kinds[0])
    return made


def _listed(values: Sequence[Value]) -> Space:
    if not values:
        raise ValueProblem("the list is empty", hint="give at least one value")
    if len(set(map(_exact, values))) < len(values):
        raise ValueProblem("a value stands twice, so that it would be drawn more often")
    return Space(len(values), lambda k: values[k])


def _exact(value: Value) -> object:
    """What a value is, however it is written: 1/2 and 0.5 are one."""
    if isinstance(value, tuple):
        return tuple(map(_exact, value))
    return value if _WORD.fullmatch(value) else parse_number(value)


def _value(raw: object, *path: int | str) -> Value:
    """A number, a word, or a list of these, as text."""
    if isinstance(raw, (list, tuple)):
        return tuple(_value(v, *path, k) for k, v in enumerate(raw))
    text = "" if raw is None else str(raw).strip()
    if _WORD.fullmatch(text):
        return text
    try:
        parse_number(text)
    except ValueProblem as e:
        raise ValueProblem(e.sentence, *path, hint=e.hint) from None
    return text


# ---------------------------------------------------------------- the table

Options: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """One kind of space: what makes it, its further keys, and an example for the reader."""

    make: Callable[[Any, Options], Space]
    options: tuple[str, ...]
    example: str
    because: str


def _numbers(raw: object, key: str) -> list[Number]:
    if not isinstance(raw, (list, tuple)) or not raw:
        raise ValueProblem("expected a list of numbers", key)
    return [parse_number(str(v)) for v in raw]


def _bounds(raw: object, key: str) -> tuple[Fraction, Fraction]:
    numbers = _numbers(raw, key)
    if len(numbers) != 2 or not all(isinstance(n, Fraction) for n in numbers) or not numbers[0] <= numbers[1]:
        raise ValueProblem("expected the least and the largest number", key, hint="as in [-3, 3]")
    return numbers[0], numbers[1]


def _except(options: Options) -> set[Fraction]:
    raw = options.get("except", [] if truth(options.get("zero", True)) else ["0"])
    return {n for n in _numbers(raw, "except") if isinstance(n, Fraction)} if raw else set()


def _grid(low: Fraction, high: Fraction, step: Fraction, left_out: set[Fraction], show: Callable[[Fraction], str], key: str) -> Space:
    count = int((high - low) / step) + 1
    if count > MOST_LISTED:
        raise ValueProblem(f"{count:,} values; at most {MOST_LISTED:,} are listed", key)
    return _listed([show(low + k * step) for k in range(count) if low + k * step not in left_out])


def _integers(raw: Any, options: Options) -> Space:
    low, high = _bounds(raw, "integers")
    if low.denominator != 1 or high.denominator != 1:
        raise ValueProblem("expected whole numbers", "integers")
    return _grid(low, high, Fraction(1), _except(options), str, "integers")


def _decimals(raw: Any, options: Options) -> Space:
    low, high = _bounds(raw, "decimals")
    step = parse_number(str(options.get("step", "0.1")))
    if not isinstance(step, Fraction) or step <= 0:
        raise ValueProblem("expected a positive number", "step")
    units = [last_digit(str(v)) for v in (raw[0], options.get("step", "0.1"))]  # None: a fraction, so that all are fractions
    places = 0 if None in units else max(len(str(u.denominator)) - 1 for u in units if u)
    return _grid(low, high, step, _except(options), lambda v: f"{float(v):.{places}f}" if places else str(v), "decimals")


def _fractions(raw: Any, options: Options) -> Space:
    """Every p/q between 0 and 1 with a denominator of the list."""
    below = [whole(v, 2, MOST_BELOW) for v in (raw if isinstance(raw, (list, tuple)) else [raw])]
    if sum(below) > MOST_LISTED:
        raise ValueProblem(f"more than {MOST_LISTED:,} fractions", "fractions")
    found = sorted({Fraction(p, q) for q in below for p in range(1, q)})
    return _signed([str(v) for v in found], options)


def _signed(texts: Sequence[str], options: Options) -> Space:
    both = truth(options.get("signs", "false"))
    return _listed([t for text in texts for t in ((text, f"-{text}") if both else (text,))])


def _logarithms(form: str) -> Callable[[Any, Options], Space]:
    def make(raw: Any, options: Options) -> Space:
        numbers = _numbers(raw, "ln")
        if not all(isinstance(n, Fraction) and n > 0 and n != 1 for n in numbers):
            raise ValueProblem("expected positive rational numbers other than 1", hint="as in {ln: [2, 3, 4]}")
        return _signed([form.format(n) for n in numbers], options)
    return make


def _pythagorean(raw: Any, options: Options) -> Space:
    """Pairs of whole numbers whose norm is a whole number, in both orders; signs: with every sign."""
    most = whole(raw, 5, 1000)
    pairs = [(a, b) for a in range(1, most) for b in range(1, most) if math.isqrt(a * a + b * b) ** 2 == a * a + b * b <= most * most]
    signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)] if truth(options.get("signs", "false")) else [(1, 1)]
    return _listed([(str(s * a), str(t * b)) for a, b in pairs for s, t in signs])


def _entries(count: int, inner: Space, distinct: bool) -> Space:
    """Sequences of so many entries of a space."""
    if count > MOST_ENTRIES:
        raise ValueProblem(f"{count} entries; at most {MOST_ENTRIES} are drawn")
    if distinct and count > inner.size:
        raise ValueProblem(f"{count} distinct entries of a space with {inner.size}")

    def at(index: int) -> Value:
        left, out = list(range(inner.size)) if distinct else [], []
        for k in range(count):
            index, place = divmod(index, inner.size - (k if distinct else 0))
            out.append(inner.at(left.pop(place) if distinct else place))
        return tuple(out)

    return Space(math.perm(inner.size, count) if distinct else inner.size ** count, at)


def _inner(options: Options) -> Space:
    if "of" not in options:
        raise ValueProblem("the key 'of' is missing: the space of the entries", hint="as in {list: 2, of: {integers: [-3, 3]}}")
    try:
        return space(options["of"])
    except ValueProblem as e:
        raise ValueProblem(e.sentence, "of", *e.path, hint=e.hint) from None


def _list(raw: Any, options: Options) -> Space:
    return _entries(whole(raw), _inner(options), truth(options.get("distinct", "false")))


def _matrix(raw: Any, options: Options) -> Space:
    if not isinstance(raw, (list, tuple)) or len(raw) != 2:
        raise ValueProblem("expected rows and columns", "matrix", hint="as in {matrix: [2, 3], of: [-1, 0, 1]}")
    rows, columns = whole(raw[0]), whole(raw[1])
    flat = _entries(rows * columns, _inner(options), truth(options.get("distinct", "false")))
    return Space(flat.size, lambda k: tuple(flat.at(k)[i * columns:(i + 1) * columns] for i in range(rows)))


SPACES: dict[str, Kind] = {
    "integers": Kind(_integers, ("except", "zero"), "{integers: [-3, 3], zero: false}", "Whole numbers between two bounds; zero: false leaves 0 out."),
    "decimals": Kind(_decimals, ("step", "except", "zero"), "{decimals: [0.1, 0.9], step: 0.1}", "Decimals between two bounds, printed with the digits of the step."),
    "fractions": Kind(_fractions, ("signs",), "{fractions: [2, 3, 4]}", "Fractions between 0 and 1 with these denominators."),
    "ln": Kind(_logarithms("ln({})"), ("signs",), "{ln: [2, 3, 4], signs: true}", "ln k: there sigmoid and softmax are rational."),
    "half_ln": Kind(_logarithms("ln({})/2"), ("signs",), "{half_ln: [2, 3, 5]}", "ln(k)/2: there tanh is rational."),
    "pythagorean": Kind(_pythagorean, ("signs",), "{pythagorean: 13}", "Pairs of whole numbers with a whole norm up to this."),
    "list": Kind(_list, ("of", "distinct"), "{list: 2, of: {integers: [-3, 3]}}", "A vector of entries from a space."),
    "matrix": Kind(_matrix, ("of", "distinct"), "{matrix: [2, 3], of: [-1, 1, 2]}", "A matrix, row by row, of entries from a space."),
}


# ---------------------------------------------------------------- values that are computed, and values put in

def computed(raw: Any, given: Mapping[str, Value]) -> Value:
    """The exact value of an expression of parameters in braces, as text; lists entry by entry.

    >>> computed("ln({k}) - {w}*2", {"k": "3", "w": "1/2"})
    '-1 + log(3)'
    """
    if isinstance(raw, (list, tuple)):
        return tuple(computed(v, given) for v in raw)
    text: Value = filled(str(raw), given)
    if not isinstance(text, str):
        return text
    number = parse_number(text)
    if isinstance(number, Fraction) and is_decimal(text) and (shown := _decimal(number)) is not None:
        return shown
    return str(number)


def _decimal(value: Fraction) -> str | None:
    """A fraction as a decimal, None where it does not end."""
    for places in range(1, 13):
        if (value * 10**places).denominator == 1:
            sign, digits = "-" * (value < 0), str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
            return f"{sign}{digits[:-places]}.{digits[-places:]}"
    return "0.0" if value == 0 else None


def names_in(raw: Any) -> set[str]:
    """The parameters that stand in braces anywhere in data."""
    if isinstance(raw, Mapping):
        return {n for v in raw.values() for n in names_in(v)}
    if isinstance(raw, (list, tuple)):
        return {n for v in raw for n in names_in(v)}
    return {m[1] for m in _PLACE.finditer(str(raw))} if raw is not None else set()


def filled(raw: Any, given: Mapping[str, Value]) -> Any:
    """Data with every parameter in braces put in: alone as it is, within a text as a number in brackets or a word.

    Raises ValueProblem for a name that is no parameter, and for a list inside a text.

    >>> filled({"z": "{w}*x + {b}", "act": "{f}"}, {"w": "-1/2", "b": "3", "f": "tanh"})
    {'z': '(-1/2)*x + 3', 'act': 'tanh'}
    """
    if isinstance(raw, Mapping):
        if len(raw) == 1 and None in raw.values() and next(iter(raw)) in given:  # {a} without quotes, as YAML reads it
            return given[next(iter(raw))]
        return {key: _under(key, v, given) for key, v in raw.items()}
    if isinstance(raw, (list, tuple)):
        return tuple(_under(k, v, given) for k, v in enumerate(raw))
    if raw is None:
        return None
    if whole_text := _PLACE.fullmatch(str(raw).strip()):
        return _looked_up(whole_text, given)
    return _PLACE.sub(lambda m: _inside(m, given), raw) if "{" in str(raw) else raw


def _under(key: Any, raw: Any, given: Mapping[str, Value]) -> Any:
    try:
        return filled(raw, given)
    except ValueProblem as e:
        raise ValueProblem(e.sentence, key, *e.path, hint=e.hint) from None


def _looked_up(place: re.Match[str], given: Mapping[str, Value]) -> Value:
    if place[1] not in given:
        raise ValueProblem(f"{{{place[1]}}} is no parameter", hint=nearest(place[1], given))
    value = given[place[1]]
    for k in map(int, re.findall(r"\d+", place[2])):
        if isinstance(value, str) or k >= len(value):
            raise ValueProblem(f"{place[0]} is beyond the entries of {place[1]}", hint="entries are counted from 0")
        value = value[k]
    return value


def _inside(place: re.Match[str], given: Mapping[str, Value]) -> str:
    value = _looked_up(place, given)
    if not isinstance(value, str):
        raise ValueProblem(f"{place[0]} is a list and stands inside a text", hint="name one entry, as in {w[0]}")
    return value if re.fullmatch(r"[\d.]+|[A-Za-z_]\w*", value) else f"({value})"
