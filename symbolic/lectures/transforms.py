"""Maps of the plane: scale, rotate, shear, translate, or any matrix, one row each; points are the columns of a matrix.

A row gives the exact matrix and vector of X -> A X + t and says what the map does. Angles are in degrees and turn
counter-clockwise, as in mathematics; a negative angle turns clockwise.

>>> step = made("rotate", Fraction(-90))
>>> step.matrix, step.vector
(((0, 1), (-1, 0)), None)
>>> print(said(step))
turns by 90 degrees clockwise
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..errors import SpecError, nearest

Square = tuple[tuple[Any, Any], tuple[Any, Any]]
UNIT_SQUARE = ((0, 0, 1, 1, 0), (0, 1, 1, 0, 0))  # corner after corner, closed


@dataclass(frozen=True)
class Step:
    """One map X -> A X + t with exact numbers; matrix or vector is None where it does nothing."""

    kind: str
    matrix: Square | None
    vector: tuple[Any, Any] | None


@dataclass(frozen=True)
class Kind:
    """A kind of map. letter: how its matrix or vector is called; make: from what the file says."""

    letter: str
    make: Callable[[Any], Step]
    expects: str


def _pair(value: Any) -> tuple[Any, Any]:
    """Two numbers; one number stands for both."""
    if not isinstance(value, tuple):
        return value, value
    if len(value) != 2 or isinstance(value[0], tuple):
        raise ValueError
    return value[0], value[1]


def _number(value: Any) -> Any:
    if isinstance(value, tuple):
        raise ValueError
    return value


def _square(value: Any) -> Square:
    if not (isinstance(value, tuple) and len(value) == 2 and all(isinstance(r, tuple) and len(r) == 2 for r in value)):
        raise ValueError
    return value


def rotation(degrees: Any) -> Square:
    """The matrix that turns counter-clockwise by an angle in degrees.

    >>> rotation(Fraction(90))
    ((0, -1), (1, 0))
    """
    import sympy as sp

    angle = (sp.Rational(degrees.numerator, degrees.denominator) if isinstance(degrees, Fraction) else sp.S(degrees)) * sp.pi / 180
    c, s = (Fraction(int(v.p), int(v.q)) if v.is_Rational else v for v in (sp.cos(angle), sp.sin(angle)))
    return (_plain(c), _plain(-s)), (_plain(s), _plain(c))


def _plain(v: Any) -> Any:
    return int(v) if isinstance(v, Fraction) and v.denominator == 1 else v


KINDS: dict[str, Kind] = {
    "scale": Kind("S", lambda v: Step("scale", ((_pair(v)[0], 0), (0, _pair(v)[1])), None), "one factor, or one for each axis: 0.5 or [2, 0.5]"),
    "rotate": Kind("R", lambda v: Step("rotate", rotation(_number(v)), None), "an angle in degrees, counter-clockwise: 30"),
    "shear": Kind("H", lambda v: Step("shear", ((1, _number(v)), (0, 1)), None), "how far the height 1 moves to the right: 0.5"),
    "translate": Kind("t", lambda v: Step("translate", None, _pair(v)), "one number, or one for each axis: [0.2, 0.1]"),
    "matrix": Kind("M", lambda v: Step("matrix", _square(v), None), "two rows of two numbers: [[1, 0], [0, 1]]"),
}


def made(kind: str, value: Any) -> Step:
    """One step as the file writes it. Raises SpecError for an unknown kind or a value of another form."""
    if kind not in KINDS:
        raise SpecError(f"unknown map {kind!r}", hint=nearest(kind, KINDS))
    try:
        return KINDS[kind].make(value)
    except ValueError:
        raise SpecError(f"{kind} expects {KINDS[kind].expects}") from None


def names(steps: Sequence[Step]) -> list[str]:
    """The names of the matrices and vectors: a letter a kind, with a number where the kind occurs again."""
    letters = [KINDS[s.kind].letter for s in steps]
    return [x if letters.count(x) == 1 else f"{x}{letters[:k + 1].count(x)}" for k, x in enumerate(letters)]


def equations(steps: Sequence[Step], points: Sequence[Sequence[Any]]) -> tuple[dict[str, str], dict[str, Any]]:
    """The steps as named equations X1 = A X, ..., Y, and the numbers that go with them."""
    lines: dict[str, str] = {}
    numbers: dict[str, Any] = {"X": tuple(map(tuple, points))}
    before = "X"
    for k, (step, name) in enumerate(zip(steps, names(steps), strict=True), 1):
        after = "Y" if k == len(steps) else f"X{k}"
        lines[after] = f"{name} @ {before}" if step.matrix is not None else f"{before} + {name} @ ones(1, {len(points[0])})"
        numbers[name] = step.matrix if step.matrix is not None else step.vector
        before = after
    return lines, numbers


def combined(steps: Sequence[Step], arithmetic: Any) -> tuple[list[list[Any]], list[Any]]:
    """All steps as one affine map (A, t), in the arithmetic given."""
    a: list[list[Any]] = [[arithmetic.number(Fraction(int(i == j))) for j in range(2)] for i in range(2)]
    t: list[Any] = [arithmetic.number(Fraction(0))] * 2
    for step in steps:
        if step.matrix is not None:
            m = [[arithmetic.number(as_exact(v)) for v in row] for row in step.matrix]
            a = [[arithmetic.dot(m[i], [a[0][j], a[1][j]]) for j in range(2)] for i in range(2)]
            t = [arithmetic.dot(m[i], t) for i in range(2)]
        if step.vector is not None:
            t = [arithmetic.add((x, arithmetic.number(as_exact(v)))) for x, v in zip(t, step.vector, strict=True)]
    return a, t


def as_exact(v: Any) -> Any:
    """A whole number as a fraction; anything else as it is."""
    return Fraction(v) if isinstance(v, int) else v


def turn(matrix: Sequence[Sequence[Any]]) -> tuple[Any, Any] | None:
    """(factor, angle in degrees, counter-clockwise) of a matrix that only turns and scales alike; None for any other."""
    from mpmath import mp

    (a, b), (c, d) = matrix
    tiny = mp.mpf(10) ** (10 - mp.dps) * max(abs(a), abs(b), abs(c), abs(d), 1)
    if abs(a - d) > tiny or abs(b + c) > tiny or not (a or c):
        return None
    return mp.sqrt(a * a + c * c), mp.degrees(mp.atan2(c, a))


def said(step: Step) -> str:
    """What a step does, in words; the angle is read off the matrix, whatever the file calls it."""
    from mpmath import mp

    from ..language.arithmetic import MP

    def short(v: Any) -> str:
        return mp.nstr(v, 4, strip_zeros=True).removesuffix(".0")

    with mp.workdps(30):
        if step.vector is not None:
            x, y = (MP.number(as_exact(v)) for v in step.vector)
            return f"moves by {short(x)} to the right and {short(y)} up"
        rows = [[MP.number(as_exact(v)) for v in row] for row in step.matrix or ()]
        (a, b), (c, d) = rows
        if found := turn(rows):
            factor, angle = found
            parts = [f"turns by {short(abs(angle))} degrees {'counter-clockwise' if angle > 0 else 'clockwise'}"] * (abs(angle) > mp.mpf(10) ** -20)
            parts += [f"lengths times {short(factor)}, areas times {short(factor**2)}"] * (abs(factor - 1) > mp.mpf(10) ** -20)
            return ", ".join(parts) or "changes nothing"
        if not b and not c:
            return f"times {short(a)} along x, times {short(d)} along y"
        if a == d == 1 and not c:
            return f"moves a point at height 1 by {short(b)} to the right"
        return f"sends (1, 0) to ({short(a)}, {short(c)}) and (0, 1) to ({short(b)}, {short(d)})"
