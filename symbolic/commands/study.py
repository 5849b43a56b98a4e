"""``chainrule study``: one network trained several times with one thing changed; a figure and a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..files import write_all
from .shared import words


@click.command()
@click.argument("name", metavar="STUDY")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--values", callback=words, default="", help="What to try, in place of the usual values: 0.01,0.1,1 or relu,tanh or 1,32.")
@click.option("--data", default=None, metavar="FILE|NAME", help="Examples: a CSV file, a folder with IDX files, or a name such as moons.")
@click.option("--optimizer", default=None, help="In place of the file's own.")
@click.option("--epochs", type=click.IntRange(1), default=None, help="How often every example is used.")
@click.option("--batch", type=click.IntRange(1), default=None, help="Examples a step.")
@click.option("--seed", type=click.IntRange(0), default=None, help="Draws the first weights, the held-out part and the order.")
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=Path("output"), show_default=True, help="Folder for the files.")
@click.option("--to", "formats", callback=words, default="csv,pdf", show_default=True, help="The losses as csv; the figure as pdf, svg, png, tex.")
@click.option("--engine", default=None, help="TeX engine: pdflatex, lualatex or tectonic (default: the first found).")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def study(name: str, file: Path, values: tuple[str, ...], data: str | None, optimizer: str | None, epochs: int | None, batch: int | None,
          seed: int | None, folder: Path, formats: tuple[str, ...], engine: str | None, quiet: bool) -> None:
    """Compare learning-rate, activation, initialisation, optimizer or batch-size on the network in FILE."""
    from ..numeric.job import Wish
    from ..numeric.studies import named, study as run
    from ..reading.specfile import load
    from ..render import chart, studyfigure

    named(name)
    drawn = [f for f in formats if f != "csv"]
    chart.check_formats(drawn)
    spec = load(file)
    trials = run(name, spec, Wish(data, None, optimizer, None, epochs, batch, seed), values)
    made: dict[Path, bytes] = {}
    stem = f"{file.stem}-{name}"
    if "csv" in formats:
        made[folder / f"{stem}.csv"] = studyfigure.as_csv(trials).encode()
    if drawn:
        source = chart.document(studyfigure.charts(name, spec.title or file.stem, trials))
        made |= {folder / n: content for n, content in chart.files({stem: source}, drawn, engine).items()}
    write_all(made)
    if not quiet:
        _print(studyfigure.table(name, trials))
        for path in made:
            click.echo(str(path))


def _print(rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown: Any = Table(box=None, pad_edge=False)
    for heading in rows[0]:
        shown.add_column(heading, overflow="fold")
    for row in rows[1:]:
        shown.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(shown)
