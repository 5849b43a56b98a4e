"""The variants of a problem: counted, walked through from a seed, and held to the same difficulty.

Draws are numbered by mixed digits, one digit a parameter, so that the space is never written out. A seed says where the walk through
it starts and how far each stride goes; the stride is prime to the size, so that every draw comes exactly once.

>>> from .format import read_text
>>> v = Variants(read_text('''
... title: a
... topics: [b]
... parameters: {a: [2, 3], b: {integers: [1, 3]}, c: {is: "{a}*{b}"}}
... where: ["{a} != {b}"]
... spec: {equations: {y: "x**2"}, at: {x: "{c}"}}
... ask: [{find: dy/dx}]
... ''', "a.yaml"))
>>> v.size, v.given(3), sorted(v.walk(7))
(6, {'a': '3', 'b': '2', 'c': '6'}, [0, 1, 2, 3, 4, 5])
>>> [v.plain(k) for k in range(6)]
[True, True, False, True, True, False]
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from functools import cached_property
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..errors import SpecError
from ..functions import FUNCTIONS, slope_form
from ..language.arithmetic import MP, HighPrecision, Matrix, entries
from ..problem import Problem, build
from ..reading.choices import short
from ..reading.numbers import ValueProblem, parse_number
from ..reading.specfile import build as spec_of
from ..reading.yamltext import Located
from ..spec import Spec
from ..values import DIGITS
from .format import ProblemFile, condition
from .question import Figures
from .spaces import Value, computed, filled, names_in, space
from .stepping import numbers
from .worked import Key, Rejected, Work, evaluated, key_of, needed

LEAST = mp.mpf("1e-4")  # answers smaller than this (and not 0) are not asked for
FLAT = mp.mpf("0.002")  # an activation with a smaller slope is saturated
MOST_COUNTED = 3000  # draws that are looked at one by one
SETTLED = mp.mpf(10) ** -30  # numbers closer than this are equal
SIGNS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda a, b: b - a > SETTLED, ">": lambda a, b: a - b > SETTLED, "<=": lambda a, b: a - b <= SETTLED,
    ">=": lambda a, b: b - a <= SETTLED, "==": lambda a, b: abs(a - b) <= SETTLED, "!=": lambda a, b: abs(a - b) > SETTLED}


def seed_of(secret: str | bytes, *names: str) -> int:
    """The seed of one draw: HMAC-SHA256 over the names (exam, student, problem), keyed with the exam's secret.

    >>> seed_of("s", "midterm", "4711", "xor") == seed_of("s", "midterm", "4711", "xor") != seed_of("s", "midterm", "471", "1xor")
    True
    """
    key = secret if isinstance(secret, bytes) else secret.encode()
    return int.from_bytes(hmac.new(key, json.dumps(names).encode(), hashlib.sha256).digest(), "big")


def placed(seed: int, what: str, count: int) -> list[int]:
    """The places 0 to count - 1 in an order that the seed decides; every order is equally likely.

    >>> sorted(placed(5, "a", 4)), placed(5, "a", 4) == placed(5, "a", 4)
    ([0, 1, 2, 3], True)
    """
    return sorted(range(count), key=lambda k: hashlib.sha256(f"{seed}/{what}/{k}".encode()).digest())


class Variants:
    """All draws of one problem file."""

    def __init__(self, file: ProblemFile) -> None:
        self.file = file
        self.spaces = {n: space(raw.get("values", raw)) for n, raw in file.parameters.items() if "is" not in raw}
        self.size = math.prod(s.size for s in self.spaces.values())

    def given(self, index: int) -> dict[str, Value]:
        """The parameters of a draw, in the order of the file. Raises Rejected where an expression has no value."""
        out: dict[str, Value] = {}
        for name, raw in self.file.parameters.items():
            if name in self.spaces:
                index, place = divmod(index, self.spaces[name].size)
                out[name] = self.spaces[name].at(place)
                continue
            try:
                out[name] = computed(raw["is"], out)
            except ValueProblem as e:
                if "parameter" in e.sentence or "list" in e.sentence or "entries" in e.sentence:
                    raise SpecError(f"parameters {name}: {e.sentence}", where=self.file.where_is("parameters", name), hint=e.hint) from None
                raise Rejected(f"{name} has no value") from None
        return out

    def walk(self, seed: int) -> Iterator[int]:
        """Every index once, in an order that the seed decides."""
        mixed = int.from_bytes(hashlib.sha256(f"{seed}".encode()).digest(), "big")
        start, stride = mixed % self.size, (mixed // self.size) % self.size
        while math.gcd(stride, self.size) != 1:
            stride += 1
        for k in range(self.size):
            yield (start + k * stride) % self.size

    def counted(self) -> str:
        """How many draws there are, and how many of them satisfy the conditions on the parameters: counted, or found in a sample."""
        if not self.file.where:
            return f"{self.size:,} draws of the parameters."
        some = range(self.size) if self.size <= MOST_COUNTED else (k for k, _ in zip(self.walk(1), range(MOST_COUNTED), strict=False))
        share = sum(map(self.plain, some))
        if self.size <= MOST_COUNTED:
            return f"{self.size:,} draws of the parameters; {share:,} satisfy the conditions on them."
        return f"{self.size:,} draws of the parameters; about {100 * share // MOST_COUNTED}% satisfy the conditions on them (of {MOST_COUNTED:,} tried)."

    def plain(self, index: int) -> bool:
        """Whether a draw satisfies the comparisons of parameters alone."""
        return not self.unmet(index)

    def unmet(self, index: int) -> str:
        """Which comparison of parameters alone a draw does not satisfy, or that an expression has no value; "" where all is well."""
        try:
            given = self.given(index)
        except Rejected as e:
            return e.reason
        return next((f"not {text}" for k, text in enumerate(self.file.where) if _where(k, given, None, self.file) is False), "")

    def problem(self, given: Mapping[str, Value]) -> Problem:
        """The problem of a draw, with no parameter left open. Raises SpecError located in the problem file."""
        return build(self.spec(given))

    def spec(self, given: Mapping[str, Value]) -> Spec:
        """The spec of a draw."""
        try:
            data = filled(self.file.spec, given)
        except ValueProblem as e:
            raise SpecError(e.sentence, where=self.file.where_is("spec", *e.path), hint=e.hint) from None
        return spec_of(data, self._located)

    @cached_property
    def _located(self) -> Located | None:
        """The lines of the spec within the problem file."""
        whole = self.file._located
        if whole is None:
            return None
        lines = {path[1:]: line for path, line in whole.lines.items() if path and path[0] == "spec"}
        return Located(whole.file, {}, lines)


# ---------------------------------------------------------------- conditions

_NAME = re.compile(r"(?P<abs>abs\()?(?P<name>[A-Za-z_]\w*(?:/d\w+)?)(?P<at>(?:\[\d+\]){0,2})(?(abs)\))")


def judge(text: str, given: Mapping[str, Value], work: Work | None, file: ProblemFile) -> bool | None:
    """Whether a comparison holds for every entry; None where it needs numbers that are not worked out yet.

    Raises SpecError for a name that is not known.
    """
    left, sign, right = condition(text)
    sides = [_numbers(side, given, work, file) for side in (left, right)]
    if sides[0] is None or sides[1] is None:
        return None
    with mp.workdps(DIGITS):
        return all(SIGNS[sign](a, b) for a in sides[0] for b in sides[1])


def _where(k: int, given: Mapping[str, Value], work: Work | None, file: ProblemFile) -> bool | None:
    """One of the file's conditions, what is wrong with it said with its line."""
    try:
        return judge(file.where[k], given, work, file)
    except SpecError as e:
        raise SpecError(f"where, entry {k + 1}: {e.sentence}", where=file.where_is("where", k), hint=e.hint) from None


def _numbers(side: str, given: Mapping[str, Value], work: Work | None, file: ProblemFile) -> list[Any] | None:
    """One side of a comparison as numbers: a constant expression of parameters, or the entries of a value."""
    text = filled(side, given)
    if isinstance(text, tuple):
        flat = [v for row in text for v in (row if isinstance(row, tuple) else (row,))]
        return [MP.number(parse_number(v)) for v in flat]
    if found := _NAME.fullmatch(text):
        if work is None:
            return None
        rows = work.values.get(key_of(found["name"], work.network, work.problem))
        if rows is None:
            raise SpecError(f"{found['name']} has no number here", where=file.where_is("where"))
        chosen = _entries(rows, [int(k) for k in re.findall(r"\d+", found["at"])], text)
        return [abs(v) for v in chosen] if found["abs"] else chosen
    try:
        with mp.workdps(DIGITS):
            return [MP.number(parse_number(text))]
    except ValueProblem as e:
        raise SpecError(f"{short(side)}: {e.sentence}", hint=e.hint or "a side is a number, a parameter in braces, or the name of a value") from None


def _entries(rows: Matrix, at: list[int], text: str) -> list[Any]:
    flat = [v for row in rows for v in row]
    try:
        return flat if not at else [flat[at[0]]] if len(at) == 1 and 1 in (len(rows), len(rows[0])) else [rows[at[0]][at[1]]] if len(at) == 2 else list(rows[at[0]])
    except IndexError:
        raise SpecError(f"{text} is beyond the entries of the value", hint="entries are counted from 0") from None


def conditions_met(file: ProblemFile, given: Mapping[str, Value], work: Work, asked: list[Key]) -> None:
    """Every condition on the numbers of a variant. Raises Rejected for the first that does not hold."""
    for k, text in enumerate(file.where):
        if not _where(k, given, work, file):
            raise Rejected(f"not {text}")
    for name, pattern in file.active.items():
        try:
            key = key_of(name, work.network, work.problem)
        except SpecError as e:
            raise SpecError(f"active {e.sentence}", where=file.where_is("active", name), hint=e.hint) from None
        flat = [v for row in work.value(key) for v in row]
        if len(flat) != len(pattern):
            raise SpecError(f"active {name}: {len(pattern)} entries, and the value has {len(flat)}", where=file.where_is("active", name))
        if [int(v > 0) for v in flat] != pattern:
            raise Rejected(f"the pattern of {name} is another")
    _answers_large(file, work, asked)
    _not_saturated(work)


def _answers_large(file: ProblemFile, work: Work, asked: list[Key]) -> None:
    for key in asked:
        flat = [v for row in work.value(key) for v in row]
        if any(0 < abs(v) < LEAST for v in flat):
            raise Rejected("an answer is smaller than 0.0001")
        if not file.zeros and not any(flat):
            raise Rejected("an answer is zero")


def _not_saturated(work: Work) -> None:
    """Activations with pieces may be off; smooth ones may not be flat."""
    for eq in work.network.equations if work.values else ():
        call = eq.rhs
        if call.op == "over" and any(0 < 1 - v < FLAT for row in work.values.get(eq.name, ()) for v in row):  # shares, one of which is all but 1
            raise Rejected("an activation is saturated")
        if call.op != "call" or not FUNCTIONS[call.data].activation or FUNCTIONS[call.data].kinks or call.data in ("step", "identity"):
            continue
        slopes = entries(ex.Expr("slope", call.args, (call.data, 0), call.shape), work.values, HighPrecision())
        if any(abs(v) < FLAT for row in slopes for v in row):
            raise Rejected("an activation is saturated")


# ---------------------------------------------------------------- how hard a variant is

class _Counting(HighPrecision):
    """Counts the operations on numbers."""

    def __init__(self) -> None:
        self.count = 0

    def add(self, terms: Any) -> Any:
        self.count += len(terms) - 1
        return super().add(terms)

    def mul(self, factors: Any) -> Any:
        self.count += len(factors) - 1
        return super().mul(factors)

    def div(self, x: Any, y: Any) -> Any:
        self.count += 1
        return super().div(x, y)

    def pow(self, x: Any, y: Any) -> Any:
        self.count += 1
        return super().pow(x, y)

    def dot(self, xs: Any, ys: Any) -> Any:
        after = self.count + 2 * len(xs) - 1
        out = super().dot(xs, ys)
        self.count = after  # however a sum of exactly 0 is made sure of
        return out

    def call(self, name: str, args: Any) -> Any:
        self.count += 1
        before = self.count
        out = super().call(name, args)
        self.count = before  # one press of a key
        return out


def figures(work: Work, asked: list[Key]) -> Figures:
    """How hard a variant is, in numbers."""
    counting = _Counting()
    with mp.workdps(20):
        if work.values:
            evaluated(work.problem, work.machine.lesson.derivation, numbers(work.problem, counting), work.keys, counting)
    active = sum(v > 0 for eq in work.network.equations if eq.rhs.op == "call" and FUNCTIONS[eq.rhs.data].kinks and slope_form(eq.rhs.data) != ex.ZERO
                 for row in work.values.get(eq.name, ()) for v in row)
    digits = max((_digits(v, work.problem.exact) for cells in work.problem.leaves.values() for row in cells for v in row), default=0)
    return Figures(len(needed(work, asked)), counting.count, digits, active)


def _digits(value: Any, exact: bool) -> int:
    """Digits that a given number has on paper: of a fraction or logarithm those that are written."""
    if isinstance(value, Fraction) and not exact:
        for places in range(13):
            if (value * 10**places).denominator == 1:
                return len(str(abs(int(value * 10**places))).strip("0") or "0")
    return len(re.sub(r"\D", "", str(value)))


__all__ = ["Variants", "conditions_met", "figures", "judge", "names_in", "placed", "seed_of"]
