"""A study as a figure (the training loss of every run, labelled at its line) and as a table."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence

from ..latex import COLOURS
from ..numeric.studies import STUDIES, Trial
from .chart import Chart, Line
from .text import escape

MANY = 20.0       # a loss that falls by more than this factor is drawn on a logarithmic axis
DECADES = 8.0     # more than so many powers of ten below the start nobody reads
LABELS = {"learning-rate": r"$\eta = {value}$", "batch-size": "batch {value}"}


def charts(name: str, title: str, trials: Sequence[Trial]) -> list[Chart]:
    """One chart: the training loss over the epochs; a run that diverges leaves through the top, and its label stands there."""
    epochs = max((t.rows[-1].epoch for t in trials if not t.lost), default=max(t.rows[-1].epoch for t in trials) or 1)
    start = max(t.rows[0].loss for t in trials)
    tame = [r.loss for t in trials if t.verdict != "diverges" for r in t.rows]
    low = min(tame, default=start)
    log = low > 0 and start > MANY * low
    least = max(low, start * 10**-DECADES) if log else low
    most = max([start, *tame])
    if any(t.verdict == "diverges" for t in trials):
        most = max(most, 5 * start if log else 1.5 * start - 0.5 * least)
    y = (least / 1.5, most * 1.25) if log else (least - 0.05 * (most - least), most + 0.02 * (most - least))
    lines = [Line(_points(t, y[1], log), _label(name, t), COLOURS[k % len(COLOURS)], dashed=k >= len(COLOURS), marks=epochs <= 30) for k, t in enumerate(trials)]
    steps = "step" if all(r.epoch == r.steps for t in trials for r in t.rows) else "epoch"
    shown = rf"{escape(title)}\\[1pt]\mdseries {escape(STUDIES[name].title)}"
    first = Chart(lines, steps, "training loss", shown, log_y=log, x=(0.0, float(epochs)), y=y, width=100, height=62, whole=True)
    return [first, *(_parameter(n, trials, steps, epochs) for n in trials[0].places)]


def _parameter(name: str, trials: Sequence[Trial], steps: str, epochs: int) -> Chart:
    """One parameter over the steps: here a rate that is too large is seen to change sides."""
    tame = [v for t in trials if t.verdict != "diverges" for v in t.places[name]] or [trials[0].places[name][0]]
    low, high = min(tame), max(tame)
    air = 0.25 * (high - low) or 1.0
    lines = [Line(_until([(float(k), v) for k, v in enumerate(t.places[name])], low - 3 * air, high + 3 * air), "",
                  COLOURS[k % len(COLOURS)], dashed=k >= len(COLOURS), marks=epochs <= 30) for k, t in enumerate(trials)]
    return Chart(lines, steps, f"${escape(name)}$", x=(0.0, float(epochs)), y=(low - air, high + air), width=100, height=38, whole=True)


def _points(t: Trial, top: float, log: bool) -> list[tuple[float, float]]:
    """The losses; a run that was lost goes up and out of the frame."""
    points = [(float(r.epoch), r.loss) for r in t.rows]
    if t.lost and points[-1][1] < top:
        points.append((points[-1][0] + 1, top * (10 if log else 2)))
    return points


def _until(points: list[tuple[float, float]], low: float, high: float) -> list[tuple[float, float]]:
    """The points up to the first that is far outside."""
    gone = next((k for k, (_, v) in enumerate(points) if not low <= v <= high), len(points) - 1)
    return points[:gone + 1]


def _label(name: str, t: Trial) -> str:
    value = str(escape(t.value))
    return LABELS.get(name, "{value}").replace("{value}", value) + (f" {t.verdict}" if t.verdict else "")


def table(name: str, trials: Sequence[Trial]) -> list[tuple[str, ...]]:
    """Heads and rows: what was tried, loss before and after, accuracy, and what came of it."""
    right, held = any(t.rows[0].accuracy is not None for t in trials), any(t.rows[0].held_loss is not None for t in trials)
    heads = [name.replace("-", " "), "steps", "first loss", "last loss", *(["right"] if right else []), *(["held-out loss"] if held else []),
             *(["held-out right"] if held and right else []), ""]
    rows = [tuple(heads)]
    for t in trials:
        last = t.rows[-1]
        cells = [t.value, f"{last.steps:,}", _number(t.rows[0].loss), _number(last.loss), *([_share(last.accuracy)] if right else []),
                 *([_number(last.held_loss)] if held else []), *([_share(last.held_accuracy)] if held and right else []), t.verdict + (f" ({t.lost})" if t.lost else "")]
        rows.append(tuple(cells))
    return rows


def as_csv(trials: Sequence[Trial]) -> str:
    """One line an epoch, one column a run."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["epoch", *(t.value for t in trials)])
    losses = [{r.epoch: r.loss for r in t.rows} for t in trials]
    for epoch in range(max(max(found) for found in losses) + 1):
        writer.writerow([epoch, *(repr(found[epoch]) if epoch in found else "" for found in losses)])
    return out.getvalue()


def _number(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.4g}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"
