r"""Curves in a frame: TikZ paths from computed points, cut at jumps and poles and clipped to the frame.

>>> step = sample(lambda x: float(x > 0), -1, 1, kinks=(0,), colour="fTwo", dashed=True)
>>> len(step.pieces), step.open, step.closed
(2, ((0.0, 1.0),), ((0.0, 0.0),))
>>> ticks(-5, 5)
[-4.0, -2.0, 0.0, 2.0, 4.0]
>>> plot([step], Box((-1, 1), (-0.1, 1.1), 40, 30)).startswith(r"\begin{tikzpicture}[plot]")
True
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .width import measure

Point = tuple[float, float]
Span = tuple[float, float]

POINTS = 160        # evaluations of a curve
NEAR = 1e-9         # how far from a kink a side of it is read
SAME = 1e-6         # two sides of a kink that are this close are one point
FINE = 0.02         # millimetres by which a drawn curve may miss a computed point
TICKS = 5           # about as many on each axis
LABEL = 8.0         # points: the size of the labels


@dataclass(frozen=True)
class Curve:
    """A curve ready to be drawn. pieces: points that a line joins; open, closed: marked points at kinks; label: LaTeX."""

    pieces: tuple[tuple[Point, ...], ...]
    colour: str = "fOne"
    dashed: bool = False
    label: str = ""
    open: tuple[Point, ...] = ()
    closed: tuple[Point, ...] = ()


@dataclass(frozen=True)
class Box:
    """What is shown (x and y from, to) and the size of the frame in millimetres."""

    x: Span
    y: Span
    width: float
    height: float

    def at(self, p: Point) -> Point:
        """A point in millimetres from the lower left corner."""
        return ((p[0] - self.x[0]) / (self.x[1] - self.x[0]) * self.width, (p[1] - self.y[0]) / (self.y[1] - self.y[0]) * self.height)


# ---------------------------------------------------------------- computing

def sample(f: Callable[[float], float], low: float, high: float, *, kinks: Sequence[float] = (), colour: str = "fOne",
           dashed: bool = False, label: str = "") -> Curve:
    """A function computed from low to high; f raises ArithmeticError where it is not defined.

    kinks: where it may bend or jump. A jump is not joined: its two sides end in open circles, the value itself is a
    closed one; where the two sides meet but the slope jumps, the caller marks the point (``marked``).
    """
    inside = sorted(k for k in kinks if low < k < high)
    pieces: list[list[Point]] = []
    hollow: list[Point] = []
    full: list[Point] = []
    for left, right in zip([low, *inside], [*inside, high], strict=True):
        found = _runs(f, left + NEAR * (left in inside), right - NEAR * (right in inside))
        jump = _jump(pieces, found, f, left) if left in inside else None
        if jump is None and left in inside and pieces and found:
            pieces[-1] += found.pop(0)
        elif jump is not None:
            hollow += jump[0]
            full += jump[1]
        pieces += found
    return Curve(tuple(map(tuple, pieces)), colour, dashed, label, tuple(hollow), tuple(full))


def marked(curve: Curve, f: Callable[[float], float], at: Sequence[float]) -> Curve:
    """The same curve with a closed circle where it bends, unless it has one there."""
    taken = {x for x, _ in (*curve.closed, *curve.open)}
    dots = tuple((float(x), f(x)) for x in at if x not in taken)
    return Curve(curve.pieces, curve.colour, curve.dashed, curve.label, curve.open, curve.closed + dots)


def _runs(f: Callable[[float], float], low: float, high: float) -> list[list[Point]]:
    """The stretches of an interval on which f is defined, each up to where its domain ends."""
    xs = [low + (high - low) * k / (POINTS - 1) for k in range(POINTS)]
    runs: list[list[Point]] = []
    before: Point | None = None
    last = low
    for x in xs:
        here = _value(f, x)
        if here is not None:
            if before is None:
                runs.append([_edge(f, here, last)] if x > low else [])
            runs[-1].append(here)
        elif before is not None:
            runs[-1].append(_edge(f, before, x))
        before, last = here, x
    return runs


def _value(f: Callable[[float], float], x: float) -> Point | None:
    try:
        y = float(f(x))
    except (ArithmeticError, ValueError):
        return None
    return (x, y) if math.isfinite(y) else None


def _edge(f: Callable[[float], float], inside: Point, outside: float) -> Point:
    """The last point of the domain towards a point where f is not defined."""
    best = inside
    for _ in range(40):
        middle = (best[0] + outside) / 2
        here = _value(f, middle)
        if here is None:
            outside = middle
        else:
            best = here
    return best


def _jump(before: list[list[Point]], after: list[list[Point]], f: Callable[[float], float], at: float) -> tuple[list[Point], list[Point]] | None:
    """Open and closed circles at a jump, None where the two sides meet."""
    if not before or not after:
        return None
    left, right, own = before[-1][-1][1], after[0][0][1], _value(f, at)
    if abs(left - right) < SAME:
        return None
    sides = [y for y in (left, right) if own is None or abs(y - own[1]) > SAME]
    return [(float(at), round(y, 6)) for y in sides], [(float(at), own[1])] if own is not None else []


def ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) between low and high, about so many."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.8)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) + 0.0 for k in range(first, math.floor(high / step + 1e-9) + 1)]


def frame(curves: Sequence[Curve], x: Span, width: float, height: float, *, limits: Span = (-4.0, 4.0)) -> Box:
    """The box that shows the curves: what they reach, within the limits, with a little air."""
    ys = [y for c in curves for piece in c.pieces for _, y in piece] + [y for c in curves for _, y in (*c.closed, *c.open)]
    low, high = max(min(ys, default=0.0), limits[0]), min(max(ys, default=1.0), limits[1])
    if high - low < 0.5:
        low, high = low - 0.5, high + 0.5
    air = 0.08 * (high - low)
    return Box(x, (low - air, high + air), width, height)


# ---------------------------------------------------------------- drawing

def plot(curves: Sequence[Curve], box: Box, *, across: str = "z") -> str:
    """A TikZ picture: frame, axes, ticks, curves, marks at kinks, and a legend above. across: the name of the x-axis, LaTeX."""
    out = [r"\begin{tikzpicture}[plot]", *_axes(box, across)]
    for c in curves:
        style = f"plot line={c.colour}" + (",plot dashed" if c.dashed else "")
        paths = [part for piece in c.pieces for part in clipped([box.at(p) for p in piece], box.height)]
        drawn = "".join(" " + "--".join(map(_tex, simplified(path))) for path in paths if len(path) > 1)
        if drawn:
            out.append(rf"\draw[{style}]{drawn};")
    for c in curves:
        for kind, points in (("open", c.open), ("closed", c.closed)):
            out += [rf"\node[plot {kind}={c.colour}] at {_tex(box.at(p))} {{}};" for p in points if box.y[0] <= p[1] <= box.y[1]]
    return "\n".join([*out, *_legend(curves, box), r"\end{tikzpicture}"])


def _axes(box: Box, across: str) -> list[str]:
    out = []
    for value in ticks(*box.x):
        x = box.at((value, 0))[0]
        out += [rf"\draw[plot grid] ({_mm(x)},0)--({_mm(x)},{_mm(box.height)});", rf"\plotbelow{{{_mm(x)}}}{{{_plain(value)}}}"]
    for value in ticks(*box.y, count=4):
        y = box.at((0, value))[1]
        out += [rf"\draw[plot grid] (0,{_mm(y)})--({_mm(box.width)},{_mm(y)});", rf"\plotleft{{{_mm(y)}}}{{{_plain(value)}}}"]
    x0, y0 = box.at((0, 0))
    if 0 <= x0 <= box.width:
        out.append(rf"\draw[plot axis] ({_mm(x0)},0)--({_mm(x0)},{_mm(box.height)});")
    if 0 <= y0 <= box.height:
        out.append(rf"\draw[plot axis] (0,{_mm(y0)})--({_mm(box.width)},{_mm(y0)});")
    return [*out, rf"\plotacross{{{_mm(box.width)}}}{{{across}}}"]


def _legend(curves: Sequence[Curve], box: Box) -> list[str]:
    out, x = [], 0.0
    for c in curves:
        if c.label:
            style = f"plot line={c.colour}" + (",plot dashed" if c.dashed else "")
            y = _mm(box.height + 3)
            out += [rf"\draw[{style}] ({_mm(x)},{y})--({_mm(x + 7)},{y});", rf"\plotlabel{{{_mm(x + 8.5)}}}{{{y}}}{{{c.colour}}}{{{c.label}}}"]
            x += 8.5 + measure(c.label, LABEL)[0] + 6
    return out


def clipped(points: Sequence[Point], height: float) -> list[list[Point]]:
    """A path in pieces that stay between 0 and the height; what crosses the whole frame in one stride is a pole and is left out."""
    out: list[list[Point]] = []
    for a, b in zip(points, points[1:], strict=False):
        if min(a[1], b[1]) > height or max(a[1], b[1]) < 0 or (min(a[1], b[1]) < 0 and max(a[1], b[1]) > height):
            continue
        start, end = _cut(a, b, height), _cut(b, a, height)
        if out and out[-1][-1] == start:
            out[-1].append(end)
        else:
            out.append([start, end])
    return out


def _cut(a: Point, b: Point, height: float) -> Point:
    """The point a, or where the line from a to b enters the frame."""
    if 0 <= a[1] <= height:
        return a
    edge = 0.0 if a[1] < 0 else height
    return a[0] + (b[0] - a[0]) * (edge - a[1]) / (b[1] - a[1]), edge


def simplified(points: Sequence[Point]) -> list[Point]:
    """The path without the points that a straight line passes anyway (Ramer 1972, Douglas and Peucker 1973)."""
    first, last = points[0], points[-1]
    length = math.dist(first, last)
    far, at = 0.0, 0
    for k, p in enumerate(points[1:-1], 1):
        off = abs((last[0] - first[0]) * (first[1] - p[1]) - (first[0] - p[0]) * (last[1] - first[1])) / length if length else math.dist(first, p)
        if off > far:
            far, at = off, k
    if far <= FINE:
        return [first, last]
    return simplified(points[:at + 1])[:-1] + simplified(points[at:])


def _tex(p: Point) -> str:
    return f"({_mm(p[0])},{_mm(p[1])})"


def _mm(value: float) -> str:
    """Millimetres to two decimals, without a minus before zero."""
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def _plain(value: float) -> str:
    return f"{value:g}"
