"""``chainrule check``: hand-written backprop against the symbolic gradients."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..errors import SpecError
from ..files import write_all


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--spec", type=click.Path(path_type=Path), default=None, help="The network and its loss, as a YAML file.")
@click.option("--net", default=None, metavar="TEXT", help='The network in short: "4-3-2 relu sigmoid".')
@click.option("--loss", default="", metavar="NAME", help="The loss, with --net: mse, bce, cross_entropy, ... (default: mse).")
@click.option("--format", "form", default="table", show_default=True, help="table, json, md, html, latex, pdf, junit, gradescope, prairielearn.")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=None, help="File for the report (of a folder: a folder for one report a file); without it the terminal.")
@click.option("--hint", type=click.IntRange(0, 4), default=4, show_default=True,
              help="How much is said: 0 the verdict, 1 where, 2 the cause, 3 the formula, 4 the corrected line. The spec may set a maximum.")
@click.option("--strict", is_flag=True, help="A common constant factor, or a size that does not run, is wrong.")
@click.option("--seed", type=click.IntRange(0), default=None, help="Draws the test points (default: anew each time).")
@click.option("--sandbox", type=click.Choice(["auto", "require"]), default="auto", show_default=True, help="require: refuse where the file cannot be locked in.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="Files of a folder at the same time.")
@click.option("--csv", "table", type=click.Path(path_type=Path), default=None, help="One line a file, as CSV.")
@click.option("--engine", default=None, help="TeX engine for pdf: pdflatex, lualatex or tectonic (default: the first found).")
@click.option("--templates", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder with templates of your own; they come first.")
def check(file: Path, spec: Path | None, net: str | None, loss: str, form: str, output: Path | None, hint: int, strict: bool, seed: int | None, sandbox: str, jobs: int,
          table: Path | None, engine: str | None, templates: Path | None) -> None:
    """Check the backprop in FILE (.py, .ipynb, or a folder of them): which gradients are right, and why the others are wrong.

    The code runs in a locked child process. Exit status: 0 all right, 1 wrong, 2 could not run, 3 limit hit.
    """
    from ..check import starting

    starting.begin()  # it loads NumPy while this process imports the rest
    from ..check import folder
    from ..check.formats import Paper, format_named
    from ..check.session import Options
    from ..check.subject import ENDINGS

    row = format_named(form)
    if spec is not None and net is not None:
        raise SpecError("--spec and --net both say what the network is", hint="leave one out")
    if loss and net is None:
        raise SpecError("--loss goes with --net; a spec names its own loss", hint="leave --loss out")
    if spec is not None and spec.suffix not in ENDINGS:
        raise SpecError("--spec: a spec is a YAML file", where=str(spec), hint="as in --spec net.yaml")
    if not file.exists():
        raise SpecError("there is no such file or folder", where=str(file))
    many = file.is_dir()
    if form == "pdf" and output is None:
        raise SpecError("a PDF needs a file", hint="say which, with -o report.pdf")
    files = [(p, p.relative_to(file).as_posix()) for p in folder.submissions(file)] if many else [(file.resolve(), file.name)]
    wish = folder.Wish(net if net is not None else None if spec is None else str(spec), loss, Options(seed, strict, sandbox == "require", mend=hint == 4), hint)
    reports = folder.told_all(files, wish, jobs, _line if many and form == "table" and output is None else None)
    paper = Paper(templates, engine)
    made: dict[Path, bytes] = {} if table is None else {table: folder.as_csv(reports)}
    if output is not None and many:
        made |= {output / Path(d["file"]).with_suffix(row.ending): row.make([d], paper) for d in reports}
    elif output is not None:
        made[output] = row.make(reports, paper)
    write_all(made)
    if output is None and not (many and form == "table"):
        _show(reports, row, paper)
    if many:
        click.echo(folder.summary(reports), err=form != "table" and output is None)
    for path in made if len(made) < 20 else ():
        click.echo(str(path), err=True)
    sys.exit(folder.worst(reports))


def _line(data: Mapping[str, Any]) -> None:
    """A file of a folder in one line."""
    from ..check.folder import row

    found = row(data)
    why = f"  {found['causes']}" if found["causes"] else ""
    click.echo(f"{data['status']:<14}{data['file']}: {data['message']}{why}")


def _show(reports: list[dict[str, Any]], row: Any, paper: Any) -> None:
    """A report on the terminal: in colour and as wide as that is, where it is one."""
    from ..check.terminal import terminal

    if row.name == "table" and sys.stdout.isatty():
        for data in reports:
            click.echo(terminal(data, _columns(), colour=True))
        return
    if len(reports) > 1 and not row.several:
        raise SpecError(f"--format {row.name} is for one file", hint="write one report a file with -o FOLDER")
    click.echo(row.make(reports, paper).decode(), nl=False)


def _columns() -> int:
    return max(60, shutil.get_terminal_size((120, 40)).columns)
