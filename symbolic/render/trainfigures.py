"""The figures of a training run: loss and accuracy, gradients by layer, the path on the contours of the loss, the decision boundary."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy

from ..errors import SpecError
from ..latex import COLOURS, Printer
from ..network import entry_symbols
from ..numeric.history import History
from ..numeric.train import Run
from ..pages.descentfigure import cut, joined
from .chart import Cells, Chart, Dots, Line
from .text import escape

GRID = 90        # cells along each side of a decision boundary
FINE = 60        # cells along each side of a contour picture
LEVELS = 9
PALE = 18        # per cent of its colour that a region has
MANY = 20.0      # a loss that falls by more than this factor is drawn on a logarithmic axis


def figures(run: Run, history: History) -> dict[str, list[Chart]]:
    """Every figure that this run has, by name: a list of charts each, drawn below one another."""
    makers: Mapping[str, Callable[[Run, History], list[Chart]]] = {"loss": loss, "gradients": gradients, "path": path, "boundary": boundary}
    made = {name: make(run, history) for name, make in makers.items()}
    return {name: charts for name, charts in made.items() if charts}


def loss(run: Run, history: History) -> list[Chart]:
    """Loss, and accuracy where there is any, over the epochs: training and held out told apart."""
    rows = history.rows
    if len(rows) < 2:
        return []
    x = (0.0, float(rows[-1].epoch))
    values = [v for r in rows for v in (r.loss, r.held_loss) if v is not None]
    log = min(values) > 0 and max(values) > MANY * min(values)
    curves = _pair([(r.epoch, r.loss) for r in rows], [(r.epoch, r.held_loss) for r in rows if r.held_loss is not None])
    out = [Chart(curves, "" if rows[0].accuracy is not None else "epoch", "loss", log_y=log, x=x, height=42, whole=True)]
    if rows[0].accuracy is not None:
        curves = _pair([(r.epoch, 100 * (r.accuracy or 0)) for r in rows], [(r.epoch, 100 * r.held_accuracy) for r in rows if r.held_accuracy is not None])
        low = min(p[1] for line in curves for p in line.points)
        out.append(Chart(curves, "epoch", r"right, in \%", x=x, y=(min(low - 2, 98.0), 101.0), height=42, whole=True))
    return out


def _pair(train: Sequence[Any], held: Sequence[Any]) -> list[Line]:
    marks = len(train) <= 12
    return [Line(train, "training", COLOURS[0], marks=marks), *([Line(held, "held out", COLOURS[1], marks=marks)] if held else [])]


def gradients(run: Run, history: History) -> list[Chart]:
    """The length of the gradient of each layer, at the last step of every epoch."""
    rows = [r for r in history.rows if r.norms]
    if not rows or len(rows) < 2:
        return []
    network = run.task.network
    lines = []
    for k, name in enumerate(history.layers()):
        points = [(r.epoch, r.norms[name]) for r in rows if r.norms[name] > 0]
        label = f"layer {name}" if network.layers else f"${Printer(network, colour=False).name(name)}$"
        if points:
            lines.append(Line(points, label, COLOURS[k % len(COLOURS)], dashed=k >= len(COLOURS)))
    return [Chart(lines, "epoch", "length of the gradient", log_y=True, x=(0.0, float(rows[-1].epoch)), height=55, whole=True)] if lines else []


# ---------------------------------------------------------------- two parameters

def path(run: Run, history: History) -> list[Chart]:
    """The path of two parameters on lines of equal loss."""
    if len(history.path) < 2 or len(history.path[0]) != 2:
        return []
    points = numpy.array(history.path)
    low, high = points.min(axis=0), points.max(axis=0)
    spread = numpy.maximum(high - low, 0.3 * max(float((high - low).max()), 1e-6))
    middle = (low + high) / 2
    low, high = middle - 0.7 * spread, middle + 0.7 * spread
    sides = [numpy.linspace(low[k], high[k], FINE + 1) for k in range(2)]
    heights = [[_loss_at(run, (float(a), float(b))) for b in sides[1]] for a in sides[0]]
    known = sorted(v for column in heights for v in column if v is not None)
    if not known or known[-1] - known[0] < 1e-12:
        return []
    levels = [known[0] + (known[-1] - known[0]) * (k / (LEVELS + 1)) ** 2 for k in range(1, LEVELS + 1)]
    contours = [Line([(float(low[0] + x * (high[0] - low[0])), float(low[1] + y * (high[1] - low[1]))) for x, y in line], "", "soft!60", thin=True)
                for level in levels for line in joined(cut(heights, level))]
    own = Printer(run.task.network, colour=False)
    names = [f"${own.symbol(s)}$" for n in run.task.start for row in entry_symbols(run.task.network.symbols[n]) for s in row]
    track = Line([tuple(map(float, p)) for p in points], "", COLOURS[1], marks=len(points) <= 100)  # type: ignore[misc]
    ends = [Dots([tuple(map(float, points[0]))], "soft"), Dots([tuple(map(float, points[-1]))], COLOURS[2])]  # type: ignore[list-item]
    return [Chart([*contours, track], names[0], names[1], x=(float(low[0]), float(high[0])), y=(float(low[1]), float(high[1])), width=75, height=65, dots=ends)]


def _loss_at(run: Run, point: Sequence[float]) -> float | None:
    """The training loss with other parameters; None where it has no value."""
    rest = iter(point)
    values = {n: numpy.array([next(rest) for _ in range(v.size)], dtype=v.dtype).reshape(v.shape) for n, v in run.update.values.items()}
    found = float(run.program.forward(run.examples.some(slice(None), values))[run.task.network.output])
    return found if numpy.isfinite(found) else None


# ---------------------------------------------------------------- two inputs

def boundary(run: Run, history: History) -> list[Chart]:
    """What the network says in the plane of its two inputs, with the examples."""
    task, examples = run.task, run.examples
    if examples.x is None or examples.y is None or task.judge is None or examples.x.shape[1] != 2:
        return []
    x, y = examples.x, examples.y
    low, high = x.min(axis=0), x.max(axis=0)
    air = 0.12 * numpy.maximum(high - low, 1e-6)
    low, high = low - air, high + air
    step = (high - low) / GRID
    middle = [low[k] + step[k] * (numpy.arange(GRID) + 0.5) for k in range(2)]
    grid = numpy.stack(numpy.meshgrid(*middle, indexing="ij"), axis=-1).reshape(-1, 2)
    said = _classes(run, _predicted(run, history, grid)).reshape(GRID, GRID)
    truth = _classes(run, y, target=True)
    count = int(max(said.max(), truth.max())) + 1
    if count > len(COLOURS):
        return []
    cells = [Cells(_runs(said == k, low, step), f"{COLOURS[k]}!{PALE}") for k in range(count)]
    shapes = ("*", "square*", "triangle*", "diamond*", "pentagon*")
    words = run.classes or tuple(map(str, range(count)))
    dots = [Dots([(float(a), float(b)) for a, b in x[truth == k]], COLOURS[k], str(escape(words[k])), shapes[k], hollow=k % 2 == 1) for k in range(count) if (truth == k).any()]
    names = [rf"${Printer(task.network, colour=False).name(task.x)[0].lower()}_{{{k}}}$" for k in (1, 2)]
    ratio = float((high[1] - low[1]) / (high[0] - low[0]))
    return [Chart((), names[0], names[1], x=(float(low[0]), float(high[0])), y=(float(low[1]), float(high[1])), width=75, height=min(max(75 * ratio, 40), 90), dots=dots, cells=cells)]


def _predicted(run: Run, history: History, inputs: Any) -> Any:
    """Predictions for inputs, one row each."""
    task, dtype = run.task, run.settings.dtype
    x = numpy.ascontiguousarray(inputs, dtype=dtype)
    values = run.program.forward({**run.examples.fixed, **history.parameters, task.x: x if task.network.rows else x.T})
    return run.examples.rows(values[task.prediction])


def _classes(run: Run, values: Any, *, target: bool = False) -> Any:
    """The number of the class of every row."""
    judge = run.task.judge
    assert judge is not None
    if judge.classes:
        return values.argmax(axis=1)
    middle = (min(float(values.min()), 0.0) + 1) / 2 if target else judge.threshold
    return (values[:, 0] > middle).astype(int)


def _runs(inside: Any, low: Any, step: Any) -> list[tuple[float, float, float, float]]:
    """The cells of a class, neighbours in a column as one rectangle."""
    out = []
    for i, column in enumerate(inside):
        edges = numpy.flatnonzero(numpy.diff(numpy.concatenate([[False], column, [False]]).astype(int)))
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            out.append((float(low[0] + step[0] * i), float(low[1] + step[1] * start), float(low[0] + step[0] * (i + 1.15)), float(low[1] + step[1] * end)))
    return out


def titled(charts: list[Chart], title: str) -> list[Chart]:
    """The charts with the title above the first. Raises SpecError where there is none to put it on."""
    if not charts:
        raise SpecError("there is nothing to draw")
    return [replace(charts[0], title=str(escape(title))), *charts[1:]]
