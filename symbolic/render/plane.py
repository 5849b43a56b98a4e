r"""Pictures of the plane in TikZ: points, polygons, lines w.x + b = 0 and the side where it is positive.

>>> plane = Plane((0, 0), (1, 1), 20)
>>> plane.clipped((1, 1), -1)
[(1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]
>>> plane.dot((0, 1), filled=True); plane.tikz().count(r"\filldraw")
1
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor

Point = tuple[float, float]
MOST_TICKS = 6


class Plane:
    """One picture. low, high: the corners of what is seen; x, y: names of the axes.

    size: its longer side in millimetres, with the same unit on both axes; or width and height.
    """

    def __init__(self, low: Point, high: Point, size: float | Point, x: str = "x_1", y: str = "x_2", *, ticked: bool = True) -> None:
        self.low, self.high = (float(low[0]), float(low[1])), (float(high[0]), float(high[1]))
        spans = self.high[0] - self.low[0], self.high[1] - self.low[1]
        self.units = (size[0] / spans[0], size[1] / spans[1]) if isinstance(size, tuple) else (size / max(spans),) * 2
        self.names, self.ticked = (x, y), ticked
        self.below: list[str] = []
        self.above: list[str] = []

    def at(self, p: Sequence[float]) -> str:
        """A point in millimetres."""
        return "({:.2f},{:.2f})".format(*((float(v) - low) * unit + 0.0 for v, low, unit in zip(p, self.low, self.units, strict=True)))

    # ------------------------------------------------------------ what is drawn

    def dot(self, p: Sequence[float], *, filled: bool, label: str = "", colour: str = "fOne", left: bool = False) -> None:
        """A point: filled or hollow, with a label in mathematics above it, to the right or left."""
        fill = colour if filled else "white"
        side = "above left" if left else "above right"
        text = rf" node[{side},inner sep=.4mm,outer sep=1mm,fill=white,fill opacity=.8,text opacity=1,font=\scriptsize,text=ink]{{${label}$}}" if label else ""
        self.above.append(rf"\filldraw[draw={colour},fill={fill},line width=.8pt]{self.at(p)} circle[radius=1.1mm]{text};")

    def polygon(self, points: Sequence[Sequence[float]], *, colour: str, filled: bool = False, dashed: bool = False) -> None:
        """Points joined in order."""
        style = f"draw={colour},line width=.8pt,line join=round" + (f",fill={colour}!8" if filled else "") + (",dashed" if dashed else "")
        self.below.append(rf"\path[{style}]" + " -- ".join(map(self.at, points)) + ";")

    def positive(self, w: Sequence[float], b: float, colour: str = "fThree") -> None:
        """Shade where w.x + b > 0 and draw its edge."""
        corners = self.clipped(w, b)
        if corners:
            self.below.insert(0, rf"\fill[{colour}!10]" + " -- ".join(map(self.at, corners)) + " -- cycle;")
        self.line(w, b, colour)

    def line(self, w: Sequence[float], b: float, colour: str = "fThree") -> None:
        """The line w.x + b = 0 as far as it is seen."""
        ends = [p for p in self.clipped(w, b) if abs(w[0] * p[0] + w[1] * p[1] + b) < 1e-9 * (abs(b) + abs(w[0]) + abs(w[1]))]
        if len(ends) >= 2:
            first, last = min(ends), max(ends)
            self.below.append(rf"\draw[{colour},line width=.8pt]{self.at(first)} -- {self.at(last)};")

    def clipped(self, w: Sequence[float], b: float) -> list[Point]:
        """The corners of the part of the picture where w.x + b >= 0 (Sutherland and Hodgman 1974)."""
        (x0, y0), (x1, y1) = self.low, self.high
        box = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        out: list[Point] = []
        for p, q in zip(box, [*box[1:], box[0]], strict=True):
            zp, zq = (w[0] * r[0] + w[1] * r[1] + b for r in (p, q))
            if zp >= 0:
                out.append(p)
            if zp * zq < 0:
                s = zp / (zp - zq)
                out.append((p[0] + s * (q[0] - p[0]), p[1] + s * (q[1] - p[1])))
        return out

    # ------------------------------------------------------------ the whole

    def tikz(self) -> str:
        """The picture."""
        return "\n".join([r"\begin{tikzpicture}[x=1mm,y=1mm,baseline=(current bounding box.center)]", *self.below, *self._axes(), *self.above,
                          r"\end{tikzpicture}"])

    def _axes(self) -> list[str]:
        (x0, y0), (x1, y1) = self.low, self.high
        ox, oy = min(max(0.0, x0), x1), min(max(0.0, y0), y1)
        out = [rf"\draw[soft,line width=.5pt,-{{Stealth[length=1.5mm]}}]{self.at((x0, oy))} -- {self.at((x1, oy))} node[right,font=\scriptsize]{{${self.names[0]}$}};",
               rf"\draw[soft,line width=.5pt,-{{Stealth[length=1.5mm]}}]{self.at((ox, y0))} -- {self.at((ox, y1))} node[above,font=\scriptsize]{{${self.names[1]}$}};"]
        for t in ticks(x0, x1) if self.ticked else ():
            out.append(rf"\draw[soft]{self.at((t, oy))} -- ++(0,-.8) node[below,inner sep=.4mm,font=\tiny]{{${t:g}$}};")
        for t in ticks(y0, y1) if self.ticked else ():
            out.append(rf"\draw[soft]{self.at((ox, t))} -- ++(-.8,0) node[left,inner sep=.4mm,font=\tiny]{{${t:g}$}};")
        return out


def ticks(low: float, high: float) -> list[float]:
    """A few round numbers inside an interval, without 0.

    >>> ticks(-0.4, 1.5), ticks(0, 14)
    ([0.5, 1.0], [5.0, 10.0])
    """
    step = next(s for s in (m * 10.0**p for p in range(-300, 301) for m in (1, 2, 5)) if (high - low) / s <= MOST_TICKS)
    return [k * step for k in range(ceil(low / step), floor(high / step) + 1) if k and (k + 0.3) * step <= high]
