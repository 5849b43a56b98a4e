"""Claimed gradients against the right ones: an error a tensor, a verdict, and what the number is that was tested.

The error is the largest difference over the largest entry of the right gradient. (Entry by entry, correct code reaches
3e-3; one number for all tensors hides a small one; a published wrong gradient has the cosine 0.9995.)

>>> sorted(VERDICTS)
['KINK', 'MISSING', 'NONFINITE', 'OK', 'SCALE', 'SHAPE', 'SIGN', 'UNTESTED', 'WRONG', 'ZERO']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy

from .. import expr as ex
from ..functions import FUNCTIONS
from ..network import Network
from .arrays import Array
from .points import Point

LIMITS = {"float64": 1e-9, "float32": 1e-4}

VERDICTS = {
    "OK": "right",
    "SCALE": "right but for one constant, the same in every gradient",
    "SIGN": "right but for the sign",
    "SHAPE": "right numbers in another shape",
    "MISSING": "not returned",
    "ZERO": "0, and should not be",
    "NONFINITE": "not a number, or infinite",
    "KINK": "right, with the other convention at a kink",
    "UNTESTED": "the right gradient is 0 at every point, which proves nothing",
    "WRONG": "wrong",
}


@dataclass(frozen=True)
class Case:
    """What somebody's code gave at a point, in the order of the calls.

    claimed: gradients by the names of the network (None: not returned); values: what it computed on the way forward, by name;
    loss: its loss; rate: the learning rate of the call, where it had one; clashes: sentences about shapes that cannot be taken off their parameters.
    """

    point: Point
    claimed: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)
    loss: Any = None
    rate: float | None = None
    clashes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TensorVerdict:
    """One gradient judged.

    error: the largest of all points, to be compared with limit; at: the point and the entry where it is; cosine and scale (the
    number closest to claimed = scale * right) at that point; constant: the name of the scale; said: a sentence; passed: no complaint.
    """

    name: str
    verdict: str
    shape: tuple[int, ...]
    error: float
    limit: float
    at: tuple[str, tuple[int, ...]] | None = None
    cosine: float | None = None
    scale: float | None = None
    constant: str = ""
    said: str = ""

    @property
    def passed(self) -> bool:
        """Whether there is nothing to mend (a common constant is a warning)."""
        return self.verdict in ("OK", "KINK", "SCALE", "UNTESTED")


# ---------------------------------------------------------------- shapes

def plain_array(claimed: Any) -> Array | None:
    """Claimed numbers as an array of floats; None where there are none."""
    try:
        found = numpy.asarray(claimed, dtype=float)
    except (TypeError, ValueError):
        return None
    return None if claimed is None or found.size == 0 else found


def fitted(claimed: Any, shape: tuple[int, ...]) -> Array | None:
    """Claimed numbers in the right shape, where only axes of length 1 differ; None for any other shape."""
    found = plain_array(claimed)
    if found is None:
        return None
    short = tuple(d for d in shape if d != 1)
    if found.shape == shape or (len(short) < 2 and tuple(d for d in found.shape if d != 1) == short and found.ndim <= 2):
        return found.reshape(shape)
    return None


def _other_shapes(x: Array, shape: tuple[int, ...], examples: int) -> Iterator[tuple[str, Callable[[Array], Array]]]:
    """How numbers in another shape could be meant: a sentence, and how to read them."""
    if x.ndim == 2 and x.shape == shape[::-1]:
        yield "It is transposed.", lambda x: x.T
    if x.size == numpy.prod(shape) and x.ndim == 1:
        yield "It is flattened, row by row.", lambda x: x.reshape(shape)
        yield "It is flattened, column by column.", lambda x: x.reshape(shape, order="F")
    if x.ndim > 2 and tuple(d for d in x.shape if d != 1) == tuple(d for d in shape if d != 1):
        yield "It has an extra axis of length 1.", lambda x: x.reshape(shape)
    short = tuple(d for d in shape if d != 1)
    for axis in range(x.ndim) if x.size == examples * numpy.prod(shape) and x.ndim > len(short) else ():
        if x.shape[axis] == examples and tuple(d for d in numpy.delete(x.shape, axis) if d != 1) == short:
            yield "It holds one gradient an example: they are to be added up.", lambda x, axis=axis: x.sum(axis=axis).reshape(shape)
            yield "It holds one gradient an example: their mean is to be taken.", lambda x, axis=axis: x.mean(axis=axis).reshape(shape)


def shape_words(shape: tuple[int, ...]) -> str:
    """A shape as NumPy writes it."""
    return "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"


# ---------------------------------------------------------------- errors

def error_of(claimed: Array, right: Array, nothing: float = 0.0) -> float:
    """The largest difference over the largest right entry; where the right ones are 0, 0 for the same and inf for anything else.

    nothing: below it an entry is 0.
    """
    worst = float(numpy.max(numpy.abs(claimed - right)))
    size = float(numpy.max(numpy.abs(right)))
    if size <= nothing:
        return 0.0 if worst <= 1e4 * nothing else float("inf")
    return worst / size if worst == worst else float("inf")


@lru_cache(maxsize=64)
def constants(examples: int, outputs: int) -> dict[str, float]:
    """Constants that people forget or take twice, by name, the simplest first: m examples, K outputs, 2."""
    found = []
    for powers in product((0, 1, -1), repeat=3):
        if any(powers):
            value = 2.0 ** powers[0] * float(examples) ** powers[1] * float(outputs) ** powers[2]
            found.append((sum(map(abs, powers)), sum(p < 0 for p in powers), _named(dict(zip(("2", "m", "K"), powers, strict=True))), value))
    return {name: value for _, _, name, value in sorted(found, key=lambda f: f[:2])}


def _named(powers: Mapping[str, int]) -> str:
    above, below = ("".join(n for n, p in powers.items() if p == sign) for sign in (1, -1))
    return above if not below else f"{above or 1}/{below}" if len(below) == 1 else f"{above or 1}/({below})"


# ---------------------------------------------------------------- verdicts

def fits(case: Case, limit: float) -> bool:
    """Whether every gradient of one case is right, without asking how the others are wrong."""
    arrays = {n: fitted(case.claimed.get(n), case.point.gradient(n).shape) for n in case.point.wanted}
    return not case.clashes and all(a is not None and bool(numpy.isfinite(a).all()) and error_of(a, case.point.gradient(n), case.point.floor) <= limit for n, a in arrays.items())


def judge(cases: Sequence[Case], dtype: str = "float64", *, strict: bool = False) -> list[TensorVerdict]:
    """A verdict on every gradient that is asked for, from the output side.

    dtype: in which numbers the code computes; strict: a common constant is WRONG, not a warning.
    """
    limit = LIMITS[dtype]
    clear = [c for c in cases if not c.point.at_kink]
    found = [_one(name, clear or cases, limit) for name in cases[0].point.wanted]
    kinked = [c for c in cases if c.point.at_kink] if clear else []
    found = [_at_kink(v, kinked, limit) if v.verdict == "OK" and kinked else v for v in found]
    return found if strict else _scales(found)


def _at_kink(elsewhere: TensorVerdict, cases: Sequence[Case], limit: float) -> TensorVerdict:
    """The verdict on a gradient that is right elsewhere: between the conventions no number is wrong, and differences taken across a kink are of none."""
    there = _one(elsewhere.name, cases, limit)
    if there.verdict in ("KINK", "MISSING", "NONFINITE", "SHAPE"):
        return there
    return elsewhere if there.verdict in ("OK", "UNTESTED") else \
        replace(elsewhere, verdict="KINK", said="Right, except at a kink, where its numbers are those of neither side: there it is not judged.")


def _scales(found: list[TensorVerdict]) -> list[TensorVerdict]:
    """One constant in every gradient that was tested is a convention, not a mistake in one of them."""
    tested = [v for v in found if v.verdict != "UNTESTED"]
    names = {v.constant for v in tested}
    if len(names) != 1 or not all(v.verdict == "WRONG" and v.constant and not v.constant.startswith("-") for v in tested):
        return found
    (name,) = names
    said = f"Every gradient is {name} times the right one."
    return [replace(v, verdict="SCALE", said=said) if v in tested else v for v in found]


def _one(name: str, cases: Sequence[Case], limit: float) -> TensorVerdict:
    shape = cases[0].point.gradient(name).shape
    arrays = [plain_array(c.claimed.get(name)) for c in cases]
    if all(a is None for a in arrays):
        return TensorVerdict(name, "MISSING", shape, float("inf"), limit, said=f"No gradient of `{name}` was returned.")
    rights = [c.point.gradient(name) for c in cases]
    zero = [float(numpy.max(numpy.abs(r))) <= c.point.floor for r, c in zip(rights, cases, strict=True)]
    worst: tuple[float, int, Array] | None = None
    for k, (case, array, right) in enumerate(zip(cases, arrays, rights, strict=True)):
        if array is None:
            return TensorVerdict(name, "MISSING", shape, float("inf"), limit, (case.point.label, ()), said=f"No gradient of `{name}` was returned.")
        if not numpy.isfinite(array).all():
            at = tuple(int(i) for i in numpy.argwhere(~numpy.isfinite(array))[0])
            return TensorVerdict(name, "NONFINITE", array.shape, float("inf"), limit, (case.point.label, at), said="It holds a value that is no finite number.")
        claimed = fitted(array, right.shape)
        if claimed is None:
            return _shape(name, [(c, a) for c, a in zip(cases, arrays, strict=True) if a is not None], limit)
        error = error_of(claimed, right, case.point.floor)
        if worst is None or error > worst[0]:
            worst = error, k, claimed
    assert worst is not None
    error, k, claimed = worst
    whole = [fitted(a, r.shape) for a, r in zip(arrays, rights, strict=True)]
    verdict = TensorVerdict(name, "OK", shape, error, limit, (cases[k].point.label, _place(claimed, rights[k])), *_measures(claimed, rights[k]))
    clash = next((c.clashes[name] for c in cases if name in c.clashes), "")
    if error <= limit and clash:
        return replace(verdict, verdict="SHAPE", said=clash)
    if error <= limit:
        return replace(verdict, verdict="UNTESTED", said="The right gradient is 0 at every point, which proves nothing.") if all(zero) else verdict
    return _wrong(verdict, cases, [a for a in whole if a is not None], rights)


def _wrong(verdict: TensorVerdict, cases: Sequence[Case], claimed: Sequence[Array], rights: Sequence[Array]) -> TensorVerdict:
    """What kind of wrong: the other convention, 0, a sign, a named constant, a square matrix transposed."""
    name, limit = verdict.name, verdict.limit
    floors = [c.point.floor for c in cases]

    def all_within(guesses: Iterable[Array]) -> bool:
        return all(g.shape == c.shape and error_of(c, g, f) <= limit for c, g, f in zip(claimed, guesses, floors, strict=True))

    shares = [_share(c, r, case.point.closed[case.point.network.output, name] - r) for c, r, case in zip(claimed, rights, cases, strict=True)]
    between = [r + s * (case.point.closed[case.point.network.output, name] - r) for s, r, case in zip(shares, rights, cases, strict=True)]
    if all_within(between):
        error = max(error_of(c, g, f) for c, g, f in zip(claimed, between, floors, strict=True))
        other = "the other convention" if max(shares) > 1 - 1e-6 else f"a convention {max(shares):.3g} of the way to the other one"
        return replace(verdict, verdict="KINK", error=error, said=f"Right, with {other} at a kink" + _kinks(cases[0].point.network))
    if not any(c.any() for c in claimed):
        return replace(verdict, verdict="ZERO", said=f"The gradient of `{name}` is 0 everywhere, and should not be.")
    if all_within(-r for r in rights):
        return replace(verdict, verdict="SIGN", constant="-1", said="The sign is turned around.")
    tables = [constants(c.point.examples, c.point.outputs) for c in cases]
    for constant in tables[0]:
        for sign in ("", "-"):
            if all_within(float(f"{sign}1") * t[constant] * r for t, r in zip(tables, rights, strict=True)):
                return replace(verdict, verdict="WRONG", constant=sign + constant, said=f"It is {sign}{constant} times the right one.")
    if all(r.shape[0] == r.shape[1] for r in rights) and all_within(r.T for r in rights):
        return replace(verdict, verdict="SHAPE", said="It is transposed.")
    return replace(verdict, verdict="WRONG", said="It is wrong.")


def _share(claimed: Array, right: Array, step: Array) -> float:
    """How far on the way from one convention at a kink (0) to the other (1) claimed numbers lie."""
    size = float((step * step).sum())
    return min(1.0, max(0.0, float(((claimed - right) * step).sum()) / size)) if size and claimed.shape == right.shape else 0.0


def _kinks(network: Network) -> str:
    """Which convention is ours."""
    names = dict.fromkeys(n.data for eq in network.equations for n in ex.walk(eq.rhs) if n.op == "call" and FUNCTIONS[n.data].at_kink)
    said = [f"{n.replace('_', ' ')}: {FUNCTIONS[n].at_kink}" for n in names]
    return f" (here, {'; '.join(said)})." if said else "."


def _shape(name: str, cases: Sequence[tuple[Case, Array]], limit: float) -> TensorVerdict:
    """Right numbers in another shape, or a shape that fits nothing."""
    case, first = next((c, a) for c, a in cases if fitted(a, c.point.gradient(name).shape) is None)
    right = case.point.gradient(name)
    for said, read in _other_shapes(first, right.shape, case.point.examples):
        found = read(first)
        error = error_of(found, right, case.point.floor)
        if error <= limit:
            return TensorVerdict(name, "SHAPE", first.shape, error, limit, (case.point.label, _place(found, right)), *_measures(found, right),
                                 said=f"{said} Its shape is {shape_words(first.shape)}, expected {shape_words(right.shape)}.")
    return TensorVerdict(name, "WRONG", first.shape, float("inf"), limit, (case.point.label, ()),
                         said=f"Its shape is {shape_words(first.shape)}, expected {shape_words(right.shape)}, and its numbers are others.")


def _place(claimed: Array, right: Array) -> tuple[int, ...]:
    return tuple(int(i) for i in numpy.unravel_index(int(numpy.argmax(numpy.abs(claimed - right))), right.shape))


def _measures(claimed: Array, right: Array) -> tuple[float | None, float | None]:
    """Cosine, and the number k for which k * right is nearest; none where one of them is 0."""
    along, size, own = float((claimed * right).sum()), float((right * right).sum()), float((claimed * claimed).sum())
    return (along / (size * own) ** 0.5 if size and own else None), (along / size if size else None)
