"""``chainrule trace``: the numbers of each training step, in the terminal and as pages of an answer key."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..errors import SpecError, TexError, nearest
from ..files import write_all
from ..render.text import needs_unicode
from .shared import words


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--steps", type=click.IntRange(1, 60), default=3, show_default=True, help="How many steps are taken.")
@click.option("--batch", type=click.IntRange(1), default=None, help="Examples a step, in place of the file's own.")
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=None, help="Folder for the answer key; without it the terminal alone.")
@click.option("--to", "formats", callback=words, default="pdf", show_default=True, help="With -o: pdf, tex.")
@click.option("--digits", type=click.IntRange(2, 15), default=4, show_default=True, help="Significant digits.")
@click.option("--engine", default=None, help="TeX engine: pdflatex, lualatex or tectonic (default: the first found).")
@click.option("--templates", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder with templates of your own; they come first.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def trace(file: Path, steps: int, batch: int | None, folder: Path | None, formats: tuple[str, ...], digits: int, engine: str | None, templates: Path | None, quiet: bool) -> None:
    """Work through the first training steps of FILE in numbers, every one checked in high precision."""
    from ..pages.tracing import rows, trace_sections, traced

    for name in formats:
        if name not in ("pdf", "tex"):
            raise SpecError(f"--to {name}: no such format", hint=nearest(name, ("pdf", "tex")))
    sheet, path = traced(file, steps, digits, batch)
    made: dict[Path, bytes] = {}
    if folder is not None:
        from ..render.documents import trace_source
        from ..render.engine import compile_pdf, find_engine, install_hint

        page = trace_source(sheet, trace_sections(sheet, path), templates)
        if "tex" in formats:
            made[folder / f"{file.stem}-trace.tex"] = page.encode()
        if "pdf" in formats:
            unicode = needs_unicode(" ".join([sheet.problem.title, *sheet.problem.notes]))
            found = find_engine(engine, unicode=unicode)
            if found is None:
                raise TexError("no TeX engine for this page was found", hint=install_hint(unicode=unicode))
            made[folder / f"{file.stem}-trace.pdf"] = compile_pdf(page, engine=found).pdf
    write_all(made)
    if not quiet:
        _print(rows(sheet, path))
        if path.stopped:
            click.echo(path.stopped)
        for written in made:
            click.echo(str(written))


def _print(found: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    shown: Any = Table(box=None, pad_edge=False)
    for k, heading in enumerate(found[0]):
        shown.add_column(heading, justify="left" if k in (0, 3) else "right", overflow="fold")
    for row in found[1:]:
        shown.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False).print(shown)
