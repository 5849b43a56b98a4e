"""Charts of measured numbers as pgfplots pictures: curves labelled where they end, filled cells, points; and as PDF, SVG or PNG files.

>>> [round(y, 1) for y in apart([5.0, 5.0, 9.0], 2.0)]
[4.0, 6.0, 9.0]
"""

from __future__ import annotations

import math
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import ChainruleError, SpecError, nearest
from ..latex import COLOURS
from .engine import DETERMINISTIC, compile_pdf, find_engine, install_hint
from .filling import make_environment, render
from .text import fallback_fonts, needs_unicode
from .view import Tex

Point = tuple[float, float]

MOST_POINTS = 400   # of a curve: more than a printed line can show
DOTS = ((12, 2.6), (60, 2.1), (400, 1.7), (math.inf, 1.2))  # up to so many points of a kind: the size of a mark, in points
LABEL = 4.3         # millimetres between two labels
FORMATS = ("pdf", "svg", "png", "tex")
DOTS_PER_INCH = 200


@dataclass(frozen=True)
class Line:
    """A curve. label: LaTeX, printed where the curve ends; points may leave the frame."""

    points: Sequence[Point]
    label: str = ""
    colour: str = COLOURS[0]
    dashed: bool = False
    marks: bool = False
    thin: bool = False


@dataclass(frozen=True)
class Dots:
    """Points without a line; label: LaTeX, in a legend below the frame; shape: a mark of TikZ; hollow: an outline on white."""

    points: Sequence[Point]
    colour: str
    label: str = ""
    shape: str = "*"
    hollow: bool = False


@dataclass(frozen=True)
class Cells:
    """Filled rectangles: (left, bottom, right, top)."""

    boxes: Sequence[tuple[float, float, float, float]]
    colour: str


@dataclass(frozen=True)
class Chart:
    """A picture. across, up, title: LaTeX; log_y: a logarithmic axis; x, y: from, to (None: what is drawn); width, height: of the frame, in millimetres.
    """

    lines: Sequence[Line] = ()
    across: str = ""
    up: str = ""
    title: str = ""
    log_y: bool = False
    x: Point | None = None
    y: Point | None = None
    width: float = 90.0
    height: float = 50.0
    dots: Sequence[Dots] = ()
    cells: Sequence[Cells] = ()
    whole: bool = False  # the x-axis counts


def tikz(chart: Chart) -> str:
    """The chart as a TikZ picture."""
    x, y = _span(chart, 0), _span(chart, 1)
    options = ["chart", f"width={chart.width:g}mm", f"height={chart.height:g}mm", f"xmin={x[0]:.8g}", f"xmax={x[1]:.8g}", f"ymin={y[0]:.8g}", f"ymax={y[1]:.8g}",
               f"xlabel={{{chart.across}}}", f"ylabel={{\\strut {chart.up}}}"]
    options += [f"title={{{chart.title}}}"] * bool(chart.title) + ["ymode=log"] * chart.log_y
    if not chart.log_y and max(map(abs, y)) < 1e4:
        options.append("yticklabel style={/pgf/number format/fixed,/pgf/number format/precision=3,text width=8mm,align=right},scaled y ticks=false")
    if any(d.label for d in chart.dots):
        options.append("legend style={draw=none,fill=none,font=\\footnotesize,at={(1.02,1)},anchor=north west,legend columns=1,cells={anchor=west}},legend image post style={mark size=2pt}")
    if chart.whole and x[1] - x[0] <= 12:
        options.append("xtick distance=1")
    options.append("xticklabel style={/pgf/number format/fixed,/pgf/number format/1000 sep={\\,}},scaled x ticks=false")
    out = [r"\begin{tikzpicture}", rf"\begin{{axis}}[{','.join(options)}]"]
    for c in chart.cells:
        out += [rf"\fill[{c.colour}] (axis cs:{a:.5g},{b:.5g}) rectangle (axis cs:{u:.5g},{v:.5g});" for a, b, u, v in c.boxes]
    for line in chart.lines:
        style = [line.colour, "line width=.35pt" if line.thin else "line width=.9pt", "line join=round", *["forget plot"] * line.thin] + ["dashed"] * line.dashed
        style.append("mark=*,mark size=.8pt" if line.marks else "mark=none")
        points = [_held(p, chart, y) for p in thinned(line.points)]
        out.append(rf"\addplot[{','.join(style)}] coordinates {{{' '.join(f'({a:.7g},{b:.7g})' for a, b in points)}}};")
    for d in chart.dots:
        drawn = f"draw={d.colour},line width=.7pt,fill={'white' if d.hollow else d.colour}"
        size = next(size for most, size in DOTS if len(d.points) <= most)
        out.append(rf"\addplot[only marks,mark={d.shape},mark size={size}pt,{d.colour},mark options={{{drawn}}}] "
                   f"coordinates {{{' '.join(f'({a:.6g},{b:.6g})' for a, b in d.points)}}};")
        out += [rf"\addlegendentry{{{d.label}}}"] * bool(d.label)
    out.append(r"\end{axis}")
    return "\n".join([*out, *_labels(chart, x, y), r"\end{tikzpicture}"])


def _span(chart: Chart, axis: int) -> Point:
    """From and to along an axis, with a little air where the chart does not say."""
    given, log = (chart.x, False) if axis == 0 else (chart.y, chart.log_y)
    if given is not None:
        return given
    points = [p for part in (*(x.points for x in chart.lines), *(d.points for d in chart.dots)) for p in part]
    values = [p[axis] for p in points if math.isfinite(p[axis]) and (p[axis] > 0 or not log)]
    values += [v for c in chart.cells for box in c.boxes for v in (box[axis], box[axis + 2])]
    low, high = min(values, default=1.0), max(values, default=2.0)
    if log:
        air = max((math.log10(high) - math.log10(low)) * 0.05, 0.05)
        return low / 10**air, high * 10**air
    air = (high - low) * (0.05 if axis else 0.0) or (0.0 if high > low else 0.5)
    return low - air, high + air


def _held(p: Point, chart: Chart, y: Point) -> Point:
    """A point that TeX can hold: not further outside the frame than ten times its height."""
    if chart.log_y:
        least, most = y[0] / (y[1] / y[0]), y[1] * (y[1] / y[0])
    else:
        least, most = y[0] - 10 * (y[1] - y[0]), y[1] + 10 * (y[1] - y[0])
    return p[0], min(max(p[1], least), most)


def thinned(points: Sequence[Point]) -> list[Point]:
    """At most ``MOST_POINTS`` points: of every run of neighbours the lowest and the highest, so that no peak is lost."""
    found = [p for p in points if math.isfinite(p[1])]
    if len(found) <= MOST_POINTS:
        return found
    size = math.ceil(2 * len(found) / (MOST_POINTS - 4))
    out = [found[0]]
    for k in range(1, len(found) - 1, size):
        run = found[k:min(k + size, len(found) - 1)]
        out += sorted({min(run, key=lambda p: p[1]), max(run, key=lambda p: p[1])})
    return [*out, found[-1]]


def _labels(chart: Chart, x: Point, y: Point) -> list[str]:
    """A label at the end of every curve: on the right where it reaches it, else where it leaves the frame: above it, or beside its end at the bottom."""
    right, above, out = list[tuple[Line, Point]](), list[tuple[Line, Point]](), list[str]()
    for line in chart.lines:
        if line.label and line.points:
            inside = [p for p in line.points if math.isfinite(p[1]) and y[0] <= p[1] <= y[1]]
            last = inside[-1] if inside else line.points[0]
            at = _share(last[0], x, False) * chart.width, _share(last[1], y, chart.log_y) * chart.height
            if inside and line.points[-1][1] < y[0]:
                out.append(rf"\node[anchor=west,inner sep=0pt,font=\footnotesize,text={line.colour}] at ({at[0] + 2:.2f}mm,{max(at[1], 0) + 4:.2f}mm) {{{line.label}}};")
                continue
            (right if at[0] > 0.93 * chart.width or inside[-1:] == list(line.points[-1:]) and at[1] < 0.8 * chart.height else above).append((line, at))
    right.sort(key=lambda item: item[1][1])
    for (line, at), up in zip(right, apart([at[1] for _, at in right], LABEL), strict=True):
        if abs(up - at[1]) > 0.5 or at[0] < 0.98 * chart.width:
            out.append(rf"\draw[{line.colour},line width=.3pt] ({min(at[0] + .3, chart.width):.2f}mm,{at[1]:.2f}mm)--({chart.width + 2.5:.2f}mm,{up:.2f}mm);")
        out.append(rf"\node[anchor=west,inner sep=0pt,font=\footnotesize,text={line.colour}] at ({chart.width + 3:.2f}mm,{up:.2f}mm) {{{line.label}}};")
    above.sort(key=lambda item: item[1][0])
    for k, (line, at) in enumerate(above):
        high = chart.height + 2.5 + LABEL * (len(above) - 1 - k)
        out.append(rf"\draw[{line.colour},line width=.3pt] ({at[0]:.2f}mm,{chart.height:.2f}mm)--({at[0]:.2f}mm,{high:.2f}mm);")
        out.append(rf"\node[anchor=west,inner sep=0pt,font=\footnotesize,text={line.colour}] at ({at[0] + 1:.2f}mm,{high:.2f}mm) {{{line.label}}};")
    return out


def _share(value: float, span: Point, log: bool) -> float:
    if log:
        return (math.log(value) - math.log(span[0])) / (math.log(span[1]) - math.log(span[0])) if value > 0 else 0.0
    return (value - span[0]) / (span[1] - span[0])


def apart(wanted: Sequence[float], distance: float) -> list[float]:
    """Places as near as possible to those wanted, in rising order, none nearer to the next than the distance: neighbours that are too close move together."""
    groups: list[list[float]] = []
    for value in wanted:
        groups.append([value])
        while len(groups) > 1 and _top(groups[-2], distance) + distance > _bottom(groups[-1], distance):
            last = groups.pop()
            groups[-1] += last
    return [_bottom(g, distance) + k * distance for g in groups for k in range(len(g))]


def _bottom(group: Sequence[float], distance: float) -> float:
    return sum(group) / len(group) - distance * (len(group) - 1) / 2


def _top(group: Sequence[float], distance: float) -> float:
    return sum(group) / len(group) + distance * (len(group) - 1) / 2


# ---------------------------------------------------------------- files

def check_formats(formats: Sequence[str]) -> None:
    """Raises SpecError for a format that is not known, or one that a missing program would make."""
    for name in formats:
        if name not in FORMATS:
            raise SpecError(f"--to {name}: no such format", hint=nearest(name, FORMATS))
        if name in ("svg", "png") and shutil.which("pdftocairo") is None:
            raise ChainruleError(f"--to {name} needs pdftocairo, which is not installed", hint="install poppler-utils, or take pdf")


def document(charts: Sequence[Chart], templates: Path | None = None, gap: float = 3.0) -> str:
    """The LaTeX source of one figure: charts below one another on a page of their size."""
    titles = " ".join(c.title for c in charts)
    context = {"pictures": [Tex(tikz(c)) for c in charts], "gap": f"{gap:g}", "unicode": needs_unicode(titles), "deterministic": Tex(DETERMINISTIC),
               "fallback_fonts": Tex(fallback_fonts(titles))}
    return render(make_environment(templates), "figure.tex", context)


def files(figures: dict[str, str], formats: Sequence[str], engine: str | None = None) -> dict[str, bytes]:
    """Every figure (name: LaTeX source) in every format. Raises ChainruleError where a program fails or is missing."""
    made: dict[str, bytes] = {}
    wanted = [f for f in formats if f != "tex"]
    found = find_engine(engine, unicode=any("\\usepackage{fontspec}" in source for source in figures.values())) if wanted else None
    if wanted and found is None:
        raise ChainruleError("no TeX engine was found, so no figure was made", hint=install_hint())
    for name, source in figures.items():
        if "tex" in formats:
            made[f"{name}.tex"] = source.encode()
        if found is not None:
            pdf = compile_pdf(source, engine=found).pdf
            made |= {f"{name}.{form}": pdf if form == "pdf" else _converted(pdf, form) for form in wanted}
    return made


def _converted(pdf: bytes, form: str) -> bytes:
    """The PDF as SVG or PNG."""
    with tempfile.TemporaryDirectory(prefix="chainrule-") as folder:
        source, out = Path(folder, "figure.pdf"), Path(folder, f"out.{form}")
        source.write_bytes(pdf)
        options = ["-svg", str(source), str(out)] if form == "svg" else ["-png", "-r", str(DOTS_PER_INCH), "-singlefile", str(source), str(out.with_suffix(""))]
        done = subprocess.run(["pdftocairo", *options], capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
        if done.returncode or not out.is_file():
            raise ChainruleError(f"pdftocairo could not make {form}: {done.stderr.decode('utf-8', 'replace').strip()[:200]}")
        return out.read_bytes()
