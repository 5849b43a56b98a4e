"""Numbers exactly as a person writes them: decimals, fractions, roots, logarithms.

A rational number is a Fraction; anything else is an exact real SymPy number. SymPy is imported
only for the latter, and text is never given to `eval` or `sympify`.

>>> parse_number("0.10"), parse_number("1/3"), parse_number("2**-3")
(Fraction(1, 10), Fraction(1, 3), Fraction(1, 8))
>>> parse_number("-ln(3)/2")
-log(3)/2
>>> parse_number("1e-3")
Traceback (most recent call last):
symbolic.reading.numbers.ValueProblem: 1e-3 is read as text by YAML; write 1.0e-3 or 0.001
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from ..errors import SpecError, nearest

if TYPE_CHECKING:
    import sympy

Number: TypeAlias = "Fraction | sympy.Expr"
Values: TypeAlias = "Number | tuple[Number, ...] | tuple[tuple[Number, ...], ...]"

MAX_LENGTH, MAX_DEPTH, MAX_EXPONENT = 200, 30, 64
MAX_POWER_OF_TEN = 300  # beyond it a number has no counterpart in ordinary arithmetic
MAX_BITS = 1024  # of a numerator or denominator, so that 9**9**9 cannot hang
TOO_CLOSE = 1e-12  # an irrational divisor below this cannot be told from zero

_DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE]([+-]?\d+))?")
_HAS_DECIMAL = re.compile(r"(?<![\w.])(\d+\.\d*|\.\d+|\d+(?=[eE][+-]?\d))")
_TRUTH = ("true", "false", "yes", "no", "on", "off")
_FUNCTIONS = ("sqrt", "exp", "ln", "log", "sin", "cos", "tan")
_NAMES = (*_FUNCTIONS, "pi")


class ValueProblem(SpecError, ValueError):
    """A value that cannot be used; `path` leads to it from the key that was read.

    As a ValueError it passes through pydantic, which adds the way to that key.
    """

    def __init__(self, sentence: str, *path: str | int, hint: str = "") -> None:
        super().__init__(sentence, hint=hint)
        self.path = path


def is_decimal(text: str) -> bool:
    """Whether a number in the text has a decimal point or exponent, so is not meant exactly.

    >>> is_decimal("0.5*x"), is_decimal("1/3"), is_decimal("X.T @ w2")
    (True, False, False)
    """
    return _HAS_DECIMAL.search(text) is not None


def last_digit(text: str) -> Fraction | None:
    """What one more in the last digit of a decimal adds; None for anything but a decimal.

    >>> last_digit("0.0150"), last_digit("35"), last_digit("1.5e3"), last_digit("1/3")
    (Fraction(1, 10000), Fraction(1, 1), Fraction(100, 1), None)
    """
    match = _DECIMAL.fullmatch(text.strip())
    return Fraction(10) ** (int(match[4] or 0) - len(match[1].partition(".")[2])) if match else None


@lru_cache(maxsize=4096)
def parse_number(text: str) -> Number:
    """The exact value of a decimal, fraction or constant expression; ValueProblem if it has none."""
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise ValueProblem(f"a number of {len(text)} characters; at most {MAX_LENGTH} are read")
    if not text.isascii() or not text or text.lower() in _TRUTH or re.fullmatch(r"[+-]?\d+,\d+", text):
        raise _not_a_number(text)
    if re.search(r"\d\s+[-+]?\.?\d", text):
        raise ValueProblem(f"{text!r} is not one number", hint="a comma is missing between two numbers")
    if ";" in text:
        raise ValueProblem(f"{text!r} is not one number", hint="numbers are separated by commas, and every row has brackets: [[1, 2], [3, 4]]")
    if match := _DECIMAL.fullmatch(text):
        if match[3] and "." not in match[1]:
            raise ValueProblem(f"{text} is read as text by YAML", hint=f"write {_repaired(text)}")
        return _decimal(text)
    if re.fullmatch(r"[+-]?\.?(inf|nan|infinity)", text, re.IGNORECASE):
        raise ValueProblem(f"{text} is not a finite number", hint="every number must be finite")
    return _Reader(text).number()


def _not_a_number(text: str) -> ValueProblem:
    """The sentence for text that is no number, with the likeliest reason."""
    if not text:
        return ValueProblem("a number is missing")
    plain = text.replace("\u2212", "-").replace("\u2013", "-").replace("\u00a0", "")
    if plain != text and plain.isascii():
        return ValueProblem(f"{text!r} has a sign or blank from a word processor", hint=f"type {plain}")
    if text.lower() in _TRUTH:
        return ValueProblem(f"{text!r} is a truth value; expected a number", hint="write 1 or 0")
    if "," in text:
        return ValueProblem(f"{text!r} has a comma; expected a number", hint=f"write {text.replace(',', '.')}")
    return ValueProblem(f"{text!r} is not a number", hint="for example 0.5, 1/3, sqrt(2) or ln(3)")


def _repaired(text: str) -> str:
    """`1e-3` as YAML would read it; beside it the plain decimal where that is short."""
    digits, power = re.split("[eE]", text)
    sign = "" if power[0] in "+-" else "+"
    exact = _decimal(text)
    tenths = min(max(0, -int(power)), 12)
    shown = f"{float(exact):.{tenths}f}"
    short = Fraction(shown) == exact and len(shown) <= 12
    return f"{digits}.0e{sign}{power}" + (f" or {shown}" if short else "")


def _decimal(text: str) -> Fraction:
    """The exact value of a decimal literal."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise _not_a_number(text)
    if match[4] and abs(int(match[4])) > MAX_POWER_OF_TEN:
        raise ValueProblem(f"{text} is too large or too small", hint="exponents go from -300 to 300")
    return _bounded(Fraction(text), text)


def _bounded(value: Fraction, text: str) -> Fraction:
    limit = 10**MAX_POWER_OF_TEN
    if abs(value) > limit or max(abs(value.numerator), value.denominator).bit_length() > MAX_BITS:
        raise ValueProblem(f"{text} is too large or too long a number")
    return value


class _Reader:
    """One constant expression: a syntax tree of whitelisted nodes, walked once.

    Every node gives its exact value and a float; the float sees poles, non-real values and
    overflow before SymPy is asked anything.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    def number(self) -> Number:
        if self.text.count("(") > MAX_DEPTH:  # brackets around nothing leave no node in the tree
            raise ValueProblem(f"{self.text} has more than {MAX_DEPTH} pairs of brackets")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "1if": Python's remarks are not for our readers
                tree = ast.parse(self.text, mode="eval").body
            exact, approx = self.walk(tree, 0)
        except (SyntaxError, RecursionError, MemoryError):
            hint = "a power is written **" if "^" in self.text else ""
            raise ValueProblem(f"{self.text!r} is not a number", hint=hint or _not_a_number("?").hint) from None
        if isinstance(exact, Fraction):
            return exact
        if exact.is_finite is False or exact.is_real is False:
            raise self.refused("is not a finite real number")
        return exact

    def refused(self, why: str) -> ValueProblem:
        return ValueProblem(f"{self.text} {why}", hint="every number must be real and finite")

    def walk(self, node: ast.expr, depth: int) -> tuple[Number, float]:
        if depth > MAX_DEPTH:
            raise ValueProblem(f"{self.text} is nested deeper than {MAX_DEPTH} levels")
        try:
            exact, approx = self.value(node, depth + 1)
        except (ZeroDivisionError, OverflowError):
            raise self.refused("divides by zero or grows beyond all bounds") from None
        if isinstance(exact, Fraction):
            return _bounded(exact, self.text), float(exact)
        if not math.isfinite(approx):
            raise self.refused("is not a finite real number")
        if exact.is_Rational:
            return self.rational(exact)
        return exact, approx

    def rational(self, exact: Any) -> tuple[Fraction, float]:
        value = _bounded(Fraction(int(exact.p), int(exact.q)), self.text)
        return value, float(value)

    def value(self, node: ast.expr, depth: int) -> tuple[Number, float]:
        match node:
            case ast.Constant():
                value = _decimal(ast.get_source_segment(self.text, node) or "")
                return value, float(value)
            case ast.Name(id="pi"):
                import sympy

                return sympy.pi, math.pi
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                exact, approx = self.walk(operand, depth)
                return -exact, -approx
            case ast.UnaryOp(op=ast.UAdd(), operand=operand):
                return self.walk(operand, depth)
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(op, self.walk(left, depth), self.walk(right, depth))
            case ast.Call(func=ast.Name(id=name), args=[arg], keywords=[]) if name in _FUNCTIONS:
                return self.call(name, *self.walk(arg, depth))
            case ast.Call(func=ast.Name(id=name)) | ast.Name(id=name) if name in _FUNCTIONS:
                raise ValueProblem(f"{name} takes one number", hint=f"write {name}(2)")
            case ast.Call(func=ast.Name(id=name)) | ast.Name(id=name):
                raise ValueProblem(f"{self.text!r} is not a number: {name!r} is not known here", hint=_instead(name))
        raise ValueProblem(f"{self.text!r} is not a number", hint=_not_a_number("?").hint)

    def binary(self, op: ast.operator, left: tuple[Number, float], right: tuple[Number, float]) -> tuple[Number, float]:
        (a, x), (b, y) = _together(left, right)
        match op:
            case ast.Add():
                return a + b, x + y
            case ast.Sub():
                return a - b, x - y
            case ast.Mult():
                return a * b, x * y
            case ast.Div():
                self.check_not_zero(b, y)
                return a / b, x / y
            case ast.Pow():
                return self.power(left, right)
        hint = "a power is written **" if isinstance(op, ast.BitXor) else "known are + - * / **"
        raise ValueProblem(f"{self.text!r} has an operation that is not known here", hint=hint)

    def check_not_zero(self, exact: Number, approx: float) -> None:
        if exact == 0 or (not isinstance(exact, Fraction) and abs(approx) < TOO_CLOSE):
            raise self.refused("divides by zero")

    def power(self, base: tuple[Number, float], exponent: tuple[Number, float]) -> tuple[Number, float]:
        (a, x), (b, y) = base, exponent
        if abs(y) > MAX_EXPONENT:
            raise ValueProblem(f"{self.text} has an exponent beyond {MAX_EXPONENT}")
        if y < 0:
            self.check_not_zero(a, x)
        whole = isinstance(b, Fraction) and b.denominator == 1
        if not whole and x < TOO_CLOSE and a != 0:
            raise self.refused("is a root of a negative number")
        if isinstance(a, Fraction) and isinstance(b, Fraction) and whole:
            bits = max(abs(a.numerator), a.denominator).bit_length() * abs(b.numerator)
            if bits > MAX_BITS + MAX_EXPONENT:  # judged before the power is taken
                raise ValueProblem(f"{self.text} is too large or too long a number")
            return a**b.numerator, float(a) ** b.numerator
        (a, _), (b, _) = _together(base, exponent, always=True)
        return a**b, x**y

    def call(self, name: str, exact: Number, approx: float) -> tuple[Number, float]:
        import sympy

        small = 0.0 if isinstance(exact, Fraction) else TOO_CLOSE
        if name in ("ln", "log") and (exact == 0 or approx <= small):
            raise self.refused("is the logarithm of zero or a negative number")
        if name == "sqrt" and exact != 0 and approx <= small:
            raise self.refused("is a root of a negative number")
        if name == "exp" and abs(approx) > math.log(10) * MAX_POWER_OF_TEN:
            raise ValueProblem(f"{self.text} is too large or too small")
        name = "log" if name == "ln" else name
        exact_function: Callable[[Any], Any] = getattr(sympy, name)
        result = exact_function(_sympy(exact))
        if result.is_finite is False:  # tan(pi/2)
            raise self.refused("is not finite")
        return result, float(getattr(math, name)(approx))


def _instead(name: str) -> str:
    """What may have been meant by a name that no number has."""
    if name in ("e", "E"):
        return "write exp(1)"
    close = nearest(name, _NAMES)
    return close if close.startswith("did") else "write a number; a value left out altogether stays symbolic"


def _together(left: tuple[Number, float], right: tuple[Number, float], *, always: bool = False) -> Any:
    """Both values in one arithmetic: Fractions, or SymPy as soon as one of them is not."""
    if not always and isinstance(left[0], Fraction) and isinstance(right[0], Fraction):
        return left, right
    return (_sympy(left[0]), left[1]), (_sympy(right[0]), right[1])


def _sympy(value: Number) -> Any:
    import sympy

    return sympy.Rational(value.numerator, value.denominator) if isinstance(value, Fraction) else value


# ------------------------------------------------------------------ lists of numbers


def parse_values(raw: object) -> Values:
    """A number, a list, or a list of rows of equal length; text and Python numbers alike.

    >>> parse_values([["1/2", "0.25"], [3, 4]])
    ((Fraction(1, 2), Fraction(1, 4)), (Fraction(3, 1), Fraction(4, 1)))
    """
    if not isinstance(raw, (list, tuple)):
        return leaf(raw)
    if not raw:
        raise ValueProblem("an empty list", hint="write its numbers, as in [0.1, 0.2]")
    if not any(isinstance(row, (list, tuple)) for row in raw):
        return tuple(leaf(item, index) for index, item in enumerate(raw))
    rows = []
    for i, row in enumerate(raw):
        if not isinstance(row, (list, tuple)) or not row:
            raise ValueProblem("expected a list like the other rows", i, hint="write every row in brackets: [[1], [2]]")
        if len(row) != len(raw[0]):
            raise ValueProblem(f"{_count(row)}, but the first row has {len(raw[0])}", i, hint="all rows must be equally long")
        rows.append(tuple(leaf(item, i, j) for j, item in enumerate(row)))
    return tuple(rows)


def _count(row: object) -> str:
    size = len(row) if isinstance(row, (list, tuple)) else 0
    return f"{size} number{'s' * (size != 1)}"


def leaf(raw: object, *path: int) -> Number:
    """One number, written as text or given by a Python program."""
    if raw is None:
        raise ValueProblem("a number is missing", *path, hint="give all numbers, or none to keep it symbolic")
    if isinstance(raw, (list, tuple)):
        raise ValueProblem("brackets nested three deep; expected a number", *path, hint="a matrix is a list of rows")
    if isinstance(raw, dict):
        raise ValueProblem("expected a number, not braces", *path)
    if isinstance(raw, Fraction) or hasattr(raw, "free_symbols"):
        return cast(Number, raw)  # a SymPy number, without importing SymPy to say so
    if isinstance(raw, float) and math.isfinite(raw):
        return Fraction(repr(raw))  # the decimal that Python shows, as a person would have typed it
    try:
        return parse_number(str(raw))
    except ValueProblem as problem:
        raise ValueProblem(problem.sentence, *path, hint=problem.hint) from None


def shape(values: Values) -> tuple[int, ...]:
    """() for a number, (n,) for a list, (rows, columns) for a list of rows."""
    if not isinstance(values, tuple):
        return ()
    first = values[0]
    return (len(values), len(first)) if isinstance(first, tuple) else (len(values),)


def whole(raw: object, least: int = 1, most: int = 1_000_000) -> int:
    """A whole number such as a size or a seed."""
    text = str(raw).strip()
    if isinstance(raw, (list, tuple, dict)) or not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
        shown = repr(text) if isinstance(raw, (str, int, float, Fraction)) else "a list or braces"
        raise ValueProblem(f"expected a whole number from {least} to {most:,}, not {shown}")
    return int(text)
