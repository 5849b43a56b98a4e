"""``chainrule new KIND FILE``: commented starters, one file each in ``starters/``."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import SpecError
from ..files import write_all

# A kind of starter: what it is, and how it is tried.
KINDS = {
    "network": ("A network with its loss", "chainrule derive {file}"),
    "equations": ("Equations to be differentiated", "chainrule derive {file}"),
    "exam": ("An exam made of problems of the bank", "chainrule exam {file} --variants 2"),
    "problem": ("A problem for the bank", "chainrule bank preview {file}"),
}


@click.group()
def new() -> None:
    """Write a commented starter file."""


def starter(kind: str) -> str:
    """The text of a starter."""
    return (Path(__file__).parents[1] / "starters" / f"{kind}.yaml").read_text(encoding="utf-8")


def _command(kind: str, what: str, trial: str) -> click.Command:
    @click.argument("file", type=click.Path(path_type=Path))
    def write(file: Path) -> None:
        if file.suffix not in (".yaml", ".yml"):
            raise SpecError("the name of a starter ends in .yaml", where=str(file), hint=f"as in {file.stem or kind}.yaml")
        if file.exists():
            raise SpecError("the file exists already", where=str(file), hint="give another name")
        write_all({file: starter(kind).encode()})
        click.echo(f"{file}: change it, and try it with '{trial.format(file=file)}'")

    return click.command(kind, help=f"{what}, ready to be changed: FILE ends in .yaml and must not exist.")(write)


for _kind, _told in KINDS.items():
    new.add_command(_command(_kind, *_told))
