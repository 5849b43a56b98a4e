"""``chainrule train``: train the network of a spec; history, checkpoint and figures into a folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..errors import SpecError, nearest
from ..files import write_all
from .shared import words


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--data", default=None, metavar="FILE|NAME", help="Examples: a CSV file, a folder with IDX files, or a name such as moons.")
@click.option("--target", default=None, metavar="COLUMN", help="With a CSV file: the column to learn (default: the last).")
@click.option("--optimizer", default=None, help="In place of the file's own: adam, momentum, ... with its usual learning rate.")
@click.option("--rate", type=float, default=None, help="Learning rate.")
@click.option("--epochs", type=click.IntRange(1, 1_000_000), default=None, help="How often every example is used.")
@click.option("--batch", type=click.IntRange(1), default=None, help="Examples a step; 1 is stochastic gradient descent.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=None, help="Draws the first weights, the held-out part and the order.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in the folder.")
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=Path("output"), show_default=True, help="Folder for the files.")
@click.option("--to", "formats", callback=words, default="csv,json,pdf", show_default=True, help="History as csv, json; figures as pdf, svg, png, tex.")
@click.option("--engine", default=None, help="TeX engine: pdflatex, lualatex or tectonic (default: the first found).")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def train(file: Path, data: str | None, target: str | None, optimizer: str | None, rate: float | None, epochs: int | None, batch: int | None,
          seed: int | None, resume: bool, folder: Path, formats: tuple[str, ...], engine: str | None, quiet: bool) -> None:
    """Train the network in FILE and write history, checkpoint and figures."""
    from ..numeric.history import Epoch, History
    from ..numeric.job import Wish, job_of
    from ..numeric.train import Diverged
    from ..reading.specfile import load

    written = [f for f in formats if f in ("csv", "json")]
    drawn = [f for f in formats if f not in written]
    if drawn:  # a history alone needs no pages
        from ..render import chart, trainfigures

        for form in drawn:
            if form not in chart.FORMATS:
                raise SpecError(f"--to {form}: no such format", hint=nearest(form, ("csv", "json", *chart.FORMATS)))
        chart.check_formats(drawn)
    if rate is not None and not 0 < rate < float("inf"):
        raise SpecError(f"--rate {rate:g}: expected a positive number")
    spec = load(file)
    job = job_of(spec, Wish(data, target, optimizer, rate, epochs, batch, seed))
    say: Any = (lambda line: None) if quiet else click.echo
    for sentence in job.said:
        say(sentence)
    run = job.run()
    saved = folder / f"{file.stem}-checkpoint.npz"
    try:
        with _progress(run, quiet) as (tick, show):
            history = run.go(checkpoint=saved, resume=resume, tick=tick, callback=show)
    except Diverged as lost:
        if not (lost.rows and written):
            raise
        kept = _histories(History(lost.rows, {}, run.describe(), lost.sentence), folder / file.stem, written)
        write_all(kept)
        raise lost.noting(f"the history up to epoch {lost.rows[-1].epoch} is in {' and '.join(map(str, kept))}") from None
    made = _histories(history, folder / file.stem, written)
    if drawn:
        title = spec.title or file.stem
        sources = {f"{file.stem}-{name}": chart.document(trainfigures.titled(charts, title)) for name, charts in trainfigures.figures(run, history).items()}
        made |= {folder / name: content for name, content in chart.files(sources, drawn, engine).items()}
    write_all(made)
    first, last = history.rows[0], history.last
    say(f"{last.epoch} epoch{'s' * (last.epoch != 1)}, {last.steps:,} steps: training loss {first.loss:.4g} to {last.loss:.4g}{_right(last.accuracy)}")
    if isinstance(last, Epoch) and last.held_loss is not None:
        say(f"held out: loss {last.held_loss:.4g}{_right(last.held_accuracy)}")
    if history.stopped:
        say(f"stopped early: {history.stopped}")
    for path in [saved, *made]:
        say(str(path))


def _histories(history: Any, stem: Path, formats: list[str]) -> dict[Path, bytes]:
    """The history in its files."""
    makers = {"csv": history.as_csv, "json": history.as_json}
    return {stem.with_name(f"{stem.name}-history.{form}"): makers[form]().encode() for form in formats}


def _right(accuracy: float | None) -> str:
    return "" if accuracy is None else f", {100 * accuracy:.2f}% right"


class _progress:
    """A bar with loss, rate and remaining time on a terminal; nothing anywhere else."""

    def __init__(self, run: Any, quiet: bool) -> None:
        self.run, self.bar, self.task = run, None, None
        self.shown = not quiet and sys.stderr.isatty()

    bar: Any

    def __enter__(self) -> tuple[Any, Any]:
        if not self.shown:
            return None, None
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(TextColumn("epoch {task.fields[epoch]}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"),
                            TextColumn("loss {task.fields[loss]:.4g}  rate {task.fields[rate]:.3g}"), TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        self.bar.start()
        steps = self.run.settings.epochs * -(-len(self.run.examples) // self.run.size)
        self.task = self.bar.add_task("", total=steps, epoch=0, loss=float("nan"), rate=0.0)
        return self.tick, None

    def tick(self, epoch: int, step: int, loss: float, rate: float) -> None:
        """After every step."""
        self.bar.update(self.task, completed=step, epoch=epoch, loss=loss, rate=rate)

    def __exit__(self, *error: object) -> None:
        if self.bar is not None:
            self.bar.stop()
