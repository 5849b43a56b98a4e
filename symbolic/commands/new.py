"""``chainrule new problem``: a commented starter for a problem file."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import SpecError
from ..files import write_all


@click.group()
def new() -> None:
    """Write a commented starter file."""


@new.command()
@click.argument("file", type=click.Path(path_type=Path))
def problem(file: Path) -> None:
    """A problem for the bank, ready to be changed: FILE ends in .yaml and must not exist."""
    from ..problems.starter import STARTER

    if file.suffix not in (".yaml", ".yml"):
        raise SpecError("the name of a problem file ends in .yaml", where=str(file))
    if file.exists():
        raise SpecError("the file exists already", where=str(file), hint="give another name")
    write_all({file: STARTER.encode()})
    click.echo(f"{file}: try it with 'chainrule bank preview {file.stem} --bank {file.parent}'")
