"""The loss as a curve or as contour lines, and on it the points of each path: small TikZ pictures of computed points.

A loss of one number is drawn as a curve, a loss of two as contour lines (marching squares on a fixed grid); with
more numbers there is no picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mpmath import mp

from ..latex import COLOURS
from ..lectures.descent import Path
from ..lectures.quadratic import flat, quadratic
from ..network import entry_symbols
from ..values import forward
from .sheet import Sheet

WIDE, GAP, CAPTION = 132.0, 6.0, 5.0  # millimetres: all panels together, between two, below one
HIGH = {1: 44.0, 2: 21.0}  # height of a panel by rows of panels
ACROSS, WIDEST_PANEL = 4, 62.0
CURVE, GRID = 48, 24  # pieces of a curve, cells of the grid along each side
LEVELS = 7
ARROWS = 6  # so many steps have an arrow; later ones are short
ENOUGH = 20  # digits that a picture needs

Point = tuple[float, float]


@dataclass(frozen=True)
class Window:
    """What a panel shows: the values between low and high, along one axis or two."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def share(self, value: float, axis: int) -> float:
        """Where a value lies between low (0) and high (1)."""
        return (value - self.low[axis]) / (self.high[axis] - self.low[axis])


def figure(sheet: Sheet, paths: Sequence[Path], captions: Sequence[str]) -> str:
    """The panels of some paths, one each; '' for more than two numbers."""
    points = [[tuple(float(v) for v in flat([m.values[n] for n in sheet.problem.moved])) for m in p.moments] for p in paths]
    if len(points[0][0]) > 2:
        return ""
    window = _window(sheet, points)
    scene = _curve(sheet, window) if len(window.low) == 1 else _contours(sheet, window)
    if scene is None:
        return ""
    lines, heights = scene
    rows = 1 if len(paths) <= ACROSS else 2
    across = -(-len(paths) // rows)
    wide, high = min(WIDEST_PANEL, (WIDE - GAP * (across - 1)) / across), HIGH[rows]
    out = []
    for k, (path, caption) in enumerate(zip(paths, captions, strict=True)):
        x, y = (k % across) * (wide + GAP), -(k // across) * (high + CAPTION + 2)
        placed = [_place(p, float(m.loss), window, heights) for p, m in zip(points[k], path.moments, strict=True)]
        out.append(_panel((x, y), (wide, high), lines, placed, COLOURS[k % len(COLOURS)], caption, _labels(sheet)))
    return "\\begin{tikzpicture}[x=1mm,y=1mm]\n" + "\n".join(out) + "\n\\end{tikzpicture}"


def _labels(sheet: Sheet) -> list[str]:
    printer = sheet.printer
    names = [printer.symbol(s) for n in sheet.problem.moved for row in entry_symbols(sheet.network.symbols[n]) for s in row]
    return [*names, printer.name(sheet.network.output)][:2]


def _window(sheet: Sheet, points: Sequence[Sequence[tuple[float, ...]]]) -> Window:
    """Around the lowest point that is known, as wide as the start is far, with the points that stay near."""
    start = points[0][0]
    found = quadratic(sheet.problem)
    ends = [p[-1] for p in points]
    losses = {p: _loss(sheet)(p) for p in ends}
    known = [p for p in ends if losses[p] is not None]
    centre = tuple(map(float, found.lowest)) if found and found.lowest else min(known, key=lambda p: losses[p] or 0.0) if known else start
    far = [abs(s - c) for s, c in zip(start, centre, strict=True)]
    far = [max(f, 0.4 * max(far), 1e-6) for f in far]
    near = [p for path in points for p in path if all(abs(v - c) <= 1.6 * f for v, c, f in zip(p, centre, far, strict=True))] + [start, centre]
    low = [min(*(p[i] for p in near), centre[i] - 0.5 * far[i]) for i in range(len(start))]
    high = [max(*(p[i] for p in near), centre[i] + 0.5 * far[i]) for i in range(len(start))]
    pad = [0.15 * (b - a) for a, b in zip(low, high, strict=True)]
    return Window(tuple(a - p for a, p in zip(low, pad, strict=True)), tuple(b + p for b, p in zip(high, pad, strict=True)))


def _loss(sheet: Sheet) -> Callable[[Sequence[float]], float | None]:
    """The loss as a function of the numbers that are learned, precise enough for a picture; None where it has no value."""
    problem, network = sheet.problem, sheet.network
    leaves = problem.numbers() or {}
    shapes = [(n, len(leaves[n]), len(leaves[n][0])) for n in problem.moved]

    def at(point: Sequence[float]) -> float | None:
        rest = iter(point)
        with mp.workdps(ENOUGH):
            new = {n: [[mp.mpf(next(rest)) for _ in range(columns)] for _ in range(rows)] for n, rows, columns in shapes}
            try:
                return float(forward(network, {**leaves, **new})[network.output][0][0])
            except (ArithmeticError, OverflowError):
                return None

    return lambda point: problem.once(("loss", *point), lambda: at(point))


def _place(point: tuple[float, ...], loss: float, window: Window, heights: Window | None) -> Point:
    """A point of a path in the unit square."""
    if heights is not None:
        return window.share(point[0], 0), heights.share(loss, 0)
    return window.share(point[0], 0), window.share(point[1], 1)


# ---------------------------------------------------------------- the loss

def _curve(sheet: Sheet, window: Window) -> tuple[list[list[Point]], Window | None] | None:
    """The curve of a loss of one number, in pieces where it has no value, and the heights of its panel."""
    at = _loss(sheet)
    xs = [window.low[0] + (window.high[0] - window.low[0]) * k / CURVE for k in range(CURVE + 1)]
    values = [at((x,)) for x in xs]
    known = [v for v in values if v is not None]
    if not known or max(known) - min(known) < 1e-12:
        return None
    spread = max(known) - min(known)
    heights = Window((min(known) - 0.08 * spread,), (max(known) + 0.02 * spread,))
    pieces: list[list[Point]] = [[]]
    for x, v in zip(xs, values, strict=True):
        if v is None:
            pieces.append([])
        else:
            pieces[-1].append((window.share(x, 0), heights.share(v, 0)))
    return [p for p in pieces if len(p) > 1], heights


def _contours(sheet: Sheet, window: Window) -> tuple[list[list[Point]], Window | None] | None:
    """Lines of equal loss in the unit square."""
    at = _loss(sheet)
    sides = [[a + (b - a) * k / GRID for k in range(GRID + 1)] for a, b in zip(window.low, window.high, strict=True)]
    grid = [[at((x, y)) for y in sides[1]] for x in sides[0]]
    known = [v for column in grid for v in column if v is not None]
    if not known or max(known) - min(known) < 1e-12:
        return None
    low, spread = min(known), max(known) - min(known)
    lines: list[list[Point]] = []
    for k in range(1, LEVELS + 1):
        lines += joined(cut(grid, low + spread * (k / (LEVELS + 1)) ** 2))
    return lines, None


def cut(grid: Sequence[Sequence[float | None]], level: float) -> list[tuple[Point, Point]]:
    """Where the level crosses the cells of the grid: marching squares, each cell as two triangles."""
    out = []
    size = len(grid) - 1
    for i in range(size):
        for j in range(size):
            corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)]
            for triangle in (corners[:3], [corners[0], *corners[2:]]):
                crossed = [c for a, b in zip(triangle, [*triangle[1:], triangle[0]], strict=True) if (c := _crossing(grid, min(a, b), max(a, b), level)) is not None]
                if len(crossed) == 2 and crossed[0] != crossed[1]:
                    out.append(((crossed[0][0] / size, crossed[0][1] / size), (crossed[1][0] / size, crossed[1][1] / size)))
    return out


def _crossing(grid: Sequence[Sequence[float | None]], a: tuple[int, int], b: tuple[int, int], level: float) -> Point | None:
    """Where the level lies between two corners, by straight interpolation."""
    u, v = grid[a[0]][a[1]], grid[b[0]][b[1]]
    if u is None or v is None or (u < level) == (v < level):
        return None
    s = (level - u) / (v - u)
    return a[0] + s * (b[0] - a[0]), a[1] + s * (b[1] - a[1])


def joined(pieces: Sequence[tuple[Point, Point]]) -> list[list[Point]]:
    """Pieces that share an end, joined to lines; a closed one ends where it began.

    >>> joined([((0, 0), (1, 0)), ((1, 1), (1, 0)), ((3, 3), (4, 4))])
    [[(1, 1), (1, 0), (0, 0)], [(4, 4), (3, 3)]]
    """
    ends: dict[Point, list[int]] = {}
    for k, piece in enumerate(pieces):
        for p in piece:
            ends.setdefault(p, []).append(k)
    used: set[int] = set()
    out = []
    for k, (a, b) in enumerate(pieces):
        if k in used:
            continue
        used.add(k)
        line = [a, b]
        for turn in (0, 1):
            while (more := next((m for m in ends[line[-1]] if m not in used), None)) is not None:
                used.add(more)
                line.append(pieces[more][1] if pieces[more][0] == line[-1] else pieces[more][0])
            if turn == 0:
                line.reverse()
        out.append(line)
    return out


# ---------------------------------------------------------------- TikZ

def _panel(at: Point, size: Point, lines: Sequence[Sequence[Point]], path: Sequence[Point], colour: str, caption: str, labels: Sequence[str]) -> str:
    """One panel: the loss, the path with its points, the start as a ring, the caption below."""
    wide, high = size

    def mm(p: Point) -> str:
        return f"({p[0] * wide:.2f},{p[1] * high:.2f})"

    out = [rf"\begin{{scope}}[shift={{({at[0]:.2f},{at[1]:.2f})}}]",
           rf"\draw[hair,line width=.5pt] (0,0) rectangle ({wide:.2f},{high:.2f});",
           rf"\begin{{scope}}\clip (0,0) rectangle ({wide:.2f},{high:.2f});"]
    out += [r"\draw[soft,line width=.5pt] " + "--".join(map(mm, line)) + ";" for line in lines]
    shown = _visible(path)
    for k, (a, b) in enumerate(zip(shown, shown[1:], strict=False)):
        head = "-{Stealth[length=1.5mm,width=1.2mm]}," if k < ARROWS and _far(a, b, size) > 2.5 else ""
        out.append(rf"\draw[{head}{colour},line width=.7pt] {mm(a)}--{mm(b)};")
    out += [rf"\fill[{colour}] {mm(p)} circle[radius=.55];" for p in shown[1:] if 0 <= p[0] <= 1 and 0 <= p[1] <= 1]
    out += [rf"\draw[{colour},fill=white,line width=.8pt] {mm(shown[0])} circle[radius=.9];", r"\end{scope}"]
    out.append(rf"\node[anchor=south west,inner sep=1pt,font=\tiny,text=soft] at ({wide:.2f},0) {{${labels[0]}$}};")
    out.append(rf"\node[anchor=south west,inner sep=1pt,font=\tiny,text=soft] at (0,{high:.2f}) {{${labels[1]}$}};")
    if caption:
        out.append(rf"\node[anchor=base,inner sep=0pt,font=\scriptsize,text={colour}] at ({wide / 2:.2f},-3.4) {{{caption}}};")
    return "\n".join([*out, r"\end{scope}"])


def _visible(path: Sequence[Point]) -> list[Point]:
    """The path up to where it has left for good: the first point outside, cut to what TeX can hold."""
    out: list[Point] = []
    for x, y in path:
        inside = -0.02 <= x <= 1.02 and -0.02 <= y <= 1.02
        if inside or out:
            out.append((max(-8.0, min(9.0, x)), max(-8.0, min(9.0, y))))
        if not inside:
            break
    return out


def _far(a: Point, b: Point, size: Point) -> float:
    """The distance of two points on paper, in millimetres."""
    return float(((a[0] - b[0]) ** 2 * size[0] ** 2 + (a[1] - b[1]) ** 2 * size[1] ** 2) ** 0.5)
