"""``chainrule exam``, ``exam reprint`` and ``exam code``: papers and keys from the problem bank."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ..errors import SpecError, nearest
from ..files import at_most

MOST_BYTES = 20_000_000
FILE = click.argument("file", type=click.Path(path_type=Path))
ROSTER = click.option("--roster", type=click.Path(path_type=Path), default=None, help="CSV file with the columns id and name (default: the one in FILE).")
TEMPLATES = click.option("--templates", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder with templates of your own; they come first.")


def _to(default: str) -> Callable[[Any], Any]:
    return click.option("--to", "formats", default=default, show_default=True, help="What to make: pdf, html, json, tex.")


class _Group(click.Group):
    """``exam FILE`` means ``exam print FILE``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, "-h", "--help"):
            args = ["print", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Group)
def exam() -> None:
    """Print an exam: one paper a student, and all keys. 'exam FILE' is short for 'exam print FILE'."""


@exam.command("print")
@FILE
@ROSTER
@click.option("--variants", type=click.IntRange(1, 2000), default=None, help="So many papers without names, in place of a roster.")
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=None, help="Folder for the papers (default: output/NAME-OF-FILE).")
@_to("pdf")
@click.option("--jobs", type=click.IntRange(0), default=0, help="Processes (default: one a core).")
@click.option("--scheduler", default=None, help="Address of a Dask cluster to work on, as in tcp://host:8786.")
@TEMPLATES
@click.option("--overwrite", is_flag=True, help="Make every paper anew where the folder holds an earlier printing of another exam, bank or version.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing but what went wrong.")
def print_command(file: Path, roster: Path | None, variants: int | None, folder: Path | None, formats: str, jobs: int, scheduler: str | None,
                  templates: Path | None, overwrite: bool, quiet: bool) -> None:
    """One paper a student with its key; a second run makes only what is missing. Exit status 1 if a paper or a line of the roster is amiss."""
    gc.set_threshold(100_000, 50, 50)
    from ..exam import bulk, roster as rosters, spec
    from ..exam.work import Job
    from ..exam.workers import local

    gc.freeze()  # SymPy's tables stay: to look through them again and again takes a tenth of the time
    found = spec.load(file)
    job = Job(found, _formats(formats), _templates(templates))
    if variants and roster:
        raise SpecError("--variants and --roster exclude each other")
    if not variants and not (roster or found.roster):
        raise SpecError("who is it for?", where=str(file), hint="give --roster FILE or --variants N")
    listed = rosters.variants(variants) if variants else rosters.read(roster or found.roster)  # type: ignore[arg-type]
    workers = _cluster(scheduler) if scheduler else local(jobs)
    folder = folder or Path("output") / found.stem
    try:
        with _progress(quiet) as tell:
            out = bulk.produce(job, listed.students, folder, workers, tell, overwrite=overwrite)
    finally:
        workers.close()
    for sentence in (*listed.complaints, *out.notes, *out.failures):
        click.echo(f"chainrule: {sentence}", err=True)
    if not quiet:
        kept = f", {out.kept} stood there already" if out.kept else ""
        click.echo(f"{folder}: {out.made} {'paper with its key' if out.made == 1 else 'papers with their keys'}{kept}")
    if listed.complaints or out.failures:
        sys.exit(1)


@exam.command()
@FILE
@click.option("--student", required=True, help="The identifier.")
@ROSTER
@click.option("--first", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder of the first printing, with its record (default: output/NAME-OF-FILE).")
@click.option("--draw", "draws", default="", help="The draw on the paper's cover, where the record is lost.")
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=None, help="Folder for the paper (default: output/NAME-OF-FILE-reprint).")
@_to("pdf")
@TEMPLATES
def reprint(file: Path, student: str, roster: Path | None, first: Path | None, draws: str, folder: Path | None, formats: str, templates: Path | None) -> None:
    """One student's paper and key again, from the identifiers alone. Exit status 1 if it is not what it was."""
    from ..exam import reprint as again, roster as rosters, spec
    from ..exam.work import Job

    found = spec.load(file)
    job = Job(found, _formats(formats), _templates(templates))
    path = roster or found.roster
    students = rosters.read(path).students if path else []
    made = again.reprint(job, student, students, first or Path("output") / found.stem, draws)
    folder = folder or Path("output") / f"{found.stem}-reprint"
    again.write(made, folder)
    for sentence in made.notes:
        click.echo(f"chainrule: {sentence}", err=True)
    for name in sorted(made.files):
        click.echo(str(folder / name))
    if made.same:
        click.echo("byte for byte what was printed first")
    elif made.same is False:
        sys.exit(1)


@exam.command()
@click.argument("key", type=click.Path(path_type=Path))
@click.argument("program", type=click.Path(path_type=Path))
@click.option("--part", default="", help="Which part, as in 5b, where the paper asks for several programs.")
def code(key: Path, program: Path, part: str) -> None:
    """Try a student's PROGRAM on the hidden points of KEY, the JSON of a paper's key. Exit status 1 if it is wrong. It runs in the locked child process."""
    from ..problems.programs import judged
    from ..problems.question import Answer

    try:
        questions = json.loads(at_most(key, MOST_BYTES))["questions"]
        asked = {f"{n}{p['label']}": Answer("code", text=p["answer"]["text"], hidden=tuple(p["answer"]["hidden"]))
                 for n, q in enumerate(questions, 1) for p in q["parts"] if p["answer"]["type"] == "code"}
        source = at_most(program, MOST_BYTES).decode()
    except OSError as e:
        raise SpecError(f"the file cannot be read ({(e.strerror or str(e)).lower()})", where=str(e.filename)) from None
    except UnicodeDecodeError:
        raise SpecError("the program is not UTF-8", where=str(program)) from None
    except (ValueError, KeyError, TypeError):
        raise SpecError("this is no key of a paper", where=str(key), hint="print the exam with --to json") from None
    if part not in asked and (part or len(asked) != 1):
        raise SpecError(f"--part {part}: no program is asked for there" if part else "which program is it?" if asked else "the paper asks for no program",
                        where=str(key), hint=nearest(part, asked) if asked else "")
    told = judged(source, asked[part or next(iter(asked))])
    for sentence in told or ["right at the numbers of the paper and at the others"]:
        click.echo(sentence)
    sys.exit(bool(told))


def _cluster(address: str) -> Any:
    from ..exam.cluster import Cluster

    return Cluster(address)


def _formats(text: str) -> tuple[str, ...]:
    from ..exam.bulk import FORMATS

    named = tuple(dict.fromkeys(w.strip() for w in text.split(",") if w.strip()))
    for name in named:
        if name not in FORMATS:
            raise SpecError(f"--to {name}: no such format", hint=nearest(name, FORMATS))
    if not named:
        raise SpecError("--to names nothing")
    return named


def _templates(folder: Path | None) -> Path | None:
    if folder is not None and not folder.is_dir():
        raise SpecError(f"--templates {folder}: no such folder")
    return folder


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Bars on a terminal, with rate and remaining time; nothing elsewhere."""
    if quiet or not sys.stderr.isatty():
        yield lambda what, done, of: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.speed:.1f} a second" if task.speed else "")

    bars: dict[str, Any] = {}
    with Progress(TextColumn("{task.description:<9}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn(), console=Console(stderr=True)) as progress:
        def tell(what: str, done: int, of: int) -> None:
            if what not in bars:
                bars[what] = progress.add_task(what, total=of)
            progress.update(bars[what], completed=done)

        yield tell
