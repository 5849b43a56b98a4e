"""The command line: ``chainrule derive``, ``verify``, ``list``, ``show``, ``catalogue``, ``schema``, ``doctor``.

Heavy imports wait inside the commands, so that help is immediate.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from . import __version__
from .commands.bank import bank
from .commands.check import check
from .commands.code import code
from .commands.exam import exam
from .commands.new import new
from .commands.study import study
from .commands.trace import trace
from .commands.train import train
from .errors import ChainruleError

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Commands(click.Group):
    """A group whose commands report mistakes in one sentence, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ChainruleError as e:
            fail(str(e), e.exit_status)
        except click.exceptions.NoArgsIsHelpError as e:
            e.show()
            sys.exit(e.exit_code)
        except click.ClickException as e:  # an option that click itself turns down
            fail(_plainly(e.format_message().rstrip(".")), e.exit_code)
        except (KeyboardInterrupt, BrokenPipeError):
            fail("stopped", 130)


def _plainly(sentence: str) -> str:
    """What click says, in words for somebody who does not program.

    >>> _plainly("Invalid value for '--rate': '0,5' is not a valid float")
    "Invalid value for '--rate': '0,5' is not a number; write 0.5"
    >>> _plainly("No such command 'net.yaml'")
    "No such command 'net.yaml'; a file comes after a command, as in chainrule derive net.yaml"
    """
    sentence = re.sub(r"a valid (integer|int)( range)?", "a whole number", sentence).replace("a valid float", "a number")
    comma = re.search(r"'(-?\d+),(\d+)' is not a number", sentence)
    file = re.fullmatch(r"No such command '(\S+\.ya?ml)'", sentence)
    if comma:
        return f"{sentence}; write {comma[1]}.{comma[2]}"
    return f"{sentence}; a file comes after a command, as in chainrule derive {file[1]}" if file else sentence


def fail(sentence: str, status: int) -> NoReturn:
    """Print one sentence to standard error and leave with the status."""
    click.echo(f"chainrule: {sentence}", err=True)
    sys.exit(status)


def words(ctx: click.Context, param: click.Parameter, value: str | None) -> tuple[str, ...]:
    """An option that takes names separated by commas."""
    return tuple(w.strip() for w in (value or "").split(",") if w.strip())


@click.group(cls=Commands, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="chainrule")
def main() -> None:
    """Derive, check and print the gradients of neural networks, step by step."""


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=Path("output"), show_default=True, help="Folder for the files.")
@click.option("--to", "formats", callback=words, default="slides,handout,key", show_default=True,
              help="What to make: slides, handout, key (as PDF), tex, md, json.")
@click.option("--level", "levels", callback=words, default="scalar,matrix,numbers", show_default=True,
              help="How to read the derivation: scalar, index, matrix, numbers.")
@click.option("--assume", callback=words, default="", help="Rules the reader knows, applied without a line: constant,sum,power,...")
@click.option("--all", "every", is_flag=True, help="Every weight at the scalar level, not one of each matrix.")
@click.option("--digits", type=click.IntRange(2, 15), default=4, show_default=True, help="Significant digits of results.")
@click.option("--engine", default=None, help="TeX engine: pdflatex, lualatex or tectonic (default: the first found).")
@click.option("--templates", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder with templates of your own; they come first.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def derive(file: Path, folder: Path, formats: tuple[str, ...], levels: tuple[str, ...], assume: tuple[str, ...], every: bool,
           digits: int, engine: str | None, templates: Path | None, quiet: bool) -> None:
    """Derive every gradient of the network or the equations in FILE and print the pages."""
    from .produce import produce
    from .request import Request

    request = Request(formats, levels, assume, every, digits, engine, templates)
    say: Callable[[str], None] = (lambda line: None) if quiet else click.echo
    produce(file, folder, request, say)


@main.command("list")
@click.argument("kind", required=False)
@click.option("--to", "form", default="table", show_default=True, help="table or json.")
def list_command(kind: str | None, form: str) -> None:
    """Print every row of every table with its formula, or those of one KIND (activations, losses, ...)."""
    from .catalogue.reference import list_rows

    list_rows(kind, form, click.echo)


@main.command()
@click.argument("name")
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=None, help="Folder for files; without it the terminal.")
@click.option("--to", "formats", callback=words, default="", help="md, json, tex or pdf (with -o alone: pdf).")
@click.option("--engine", default=None, help="TeX engine: pdflatex, lualatex or tectonic (default: the first found).")
@click.option("--templates", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder with templates of your own; they come first.")
def show(name: str, folder: Path | None, formats: tuple[str, ...], engine: str | None, templates: Path | None) -> None:
    """Derive, check and plot one row of the tables, such as sigmoid."""
    from .catalogue.reference import show_row

    show_row(name, folder, formats, click.echo, engine=engine, templates=templates)


@main.command()
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=Path("output"), show_default=True, help="Folder for the file.")
@click.option("--to", "formats", callback=words, default="pdf", show_default=True, help="pdf, tex.")
@click.option("--engine", default=None, help="TeX engine: pdflatex, lualatex or tectonic (default: the first found).")
@click.option("--templates", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder with templates of your own; they come first.")
def catalogue(folder: Path, formats: tuple[str, ...], engine: str | None, templates: Path | None) -> None:
    """Print the whole catalogue as one reference: every row with formula, plot, derivation and NumPy."""
    from .catalogue.reference import write_catalogue

    write_catalogue(folder, formats, click.echo, engine=engine, templates=templates)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=Path("output"), show_default=True, help="Folder for the files.")
@click.option("--to", "formats", callback=words, default="", help="Files to make beside the table: json, pdf (an errata page), tex.")
@click.option("--engine", default=None, help="TeX engine: pdflatex, lualatex or tectonic (default: the first found).")
@click.option("--templates", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder with templates of your own; they come first.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but errors.")
def verify(file: Path, folder: Path, formats: tuple[str, ...], engine: str | None, templates: Path | None, quiet: bool) -> None:
    """Check the published numbers and formulas under 'claims:' in FILE; exit status 1 if any is wrong."""
    from .claims.errata import verify
    from .request import Request

    say: Callable[[str], None] = (lambda line: None) if quiet else click.echo
    verdicts = verify(file, folder, Request(formats, engine=engine, templates=templates), (lambda found, counted: None) if quiet else print_verdicts, say)
    if any(v.is_wrong for v in verdicts):
        sys.exit(1)


HUES = {"right": "green", "rounding drift": "yellow", "wrong": "red", "undecidable": "cyan", "note": "magenta"}


def print_verdicts(verdicts: Any, counted: str) -> None:
    """The verdicts as a table: claim, claimed, ours, verdict, why."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading, share in (("claim", 2), ("claimed", 3), ("ours", 3), ("verdict", 2), ("why", 6)):
        table.add_column(heading, overflow="fold", ratio=share)
    for v in verdicts:
        cells = (v.claim, v.claimed, v.ours, v.verdict, v.said)
        table.add_row(*(Text(cell, style=HUES[v.verdict] if k == 3 else "") for k, cell in enumerate(cells)))
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    console.print(table)
    console.print(Text(counted))


@main.command()
def schema() -> None:
    """Print the format of the YAML file as JSON Schema."""
    from .spec import Spec

    click.echo(json.dumps(Spec.model_json_schema(), indent=2))


@main.command()
def doctor() -> None:
    """Say what is installed, what is missing, and how to get it."""
    from rich.console import Console
    from rich.table import Table

    from .doctor import examine

    table = Table(box=None, pad_edge=False)
    for heading in ("", "part", "found", "remedy"):
        table.add_column(heading, overflow="fold")
    findings = examine()
    for f in findings:
        table.add_row("[green]ok[/]" if f.ok else "[red]missing[/]" if f.required else "-", f.name, f.found, "" if f.ok else f.remedy)
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    if not all(f.ok for f in findings if f.required):
        sys.exit(1)


for command in (bank, check, code, exam, new, study, trace, train):
    main.add_command(command)
