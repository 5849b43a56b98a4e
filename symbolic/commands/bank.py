"""``chainrule bank list | show | preview | test``: the problem bank on the terminal."""

from __future__ import annotations

import json
import sys
from math import factorial, prod
from pathlib import Path
from typing import Any

import click

from ..errors import ChainruleError
from ..files import write_all

FOLDERS = click.option("--bank", "folders", multiple=True, type=click.Path(path_type=Path), help="A folder of problems of your own; may be given more than once.")


def _table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)


def _opened(folders: tuple[Path, ...]) -> Any:
    """The bank; what is broken in it is said on standard error."""
    from ..problems.library import Bank

    found = Bank(folders)
    for sentence in found.broken:
        click.echo(f"chainrule: {sentence}", err=True)
    return found


def _maker(folders: tuple[Path, ...], name: str) -> Any:
    """One problem, by its name or its file, without reading the others."""
    from ..problems.library import Bank

    file = Path(name)
    if file.suffix in (".yaml", ".yml") and file.is_file():
        folders, name = (*folders, file.parent), file.stem
    return Bank(folders, name)[name]


@click.group()
def bank() -> None:
    """List, show, preview and test the problems of the bank."""


@bank.command("list")
@FOLDERS
@click.option("--json", "as_data", is_flag=True, help="As JSON.")
def list_command(folders: tuple[Path, ...], as_data: bool) -> None:
    """Every problem with its topics, kinds of questions, points and number of draws."""
    found = _opened(folders)
    rows = [(name, m.file.title, ", ".join(m.file.topics), ", ".join(dict.fromkeys(a.kind for a in m.file.ask)), m.file.points, m.variants.size)
            for name, m in sorted(found.makers.items())]
    heads = ("name", "title", "topics", "asks", "points", "draws")
    if as_data:
        click.echo(json.dumps([dict(zip(heads, row, strict=True)) for row in rows], indent=2, ensure_ascii=False))
    else:
        _table(heads, [(*row[:4], str(row[4]), f"{row[5]:,}") for row in rows])
    if found.broken:
        sys.exit(2)


@bank.command()
@click.argument("name")
@FOLDERS
@click.option("--seeds", type=click.IntRange(1, 100), default=5, show_default=True, help="Variants in the table.")
@click.option("--json", "as_data", is_flag=True, help="The first variant as JSON.")
def show(name: str, folders: tuple[Path, ...], seeds: int, as_data: bool) -> None:
    """The space of one problem, and how hard some of its variants are."""
    from ..problems.library import trial_seed
    from ..problems.question import as_json

    maker = _maker(folders, name)
    made = [maker.make(trial_seed(k)) for k in range(1 if as_data else seeds)]
    if as_data:
        click.echo(as_json(made[0]), nl=False)
        return
    click.echo(f"{maker.file.name}: {maker.file.title}")
    orders = prod(factorial(len(p.answer.options)) for p in made[0].parts if p.answer.type == "ordering")
    click.echo(maker.variants.counted() + (f" The steps stand in one of {orders:,} orders." if orders > 1 else ""))
    _table(("variant", "steps", "operations", "digits", "active units", "answers"),
           [(str(q.index), str(q.figures.steps), str(q.figures.operations), str(q.figures.digits), str(q.figures.active), "; ".join(_brief(p.answer) for p in q.parts))
            for q in made])


def _brief(answer: Any) -> str:
    if answer.type in ("numeric", "vector", "matrix"):
        text = ", ".join(v[:9] for row in answer.value for v in row)
        return text if len(text) < 60 else text[:57] + "..."
    return {"symbolic": answer.text, "code": "program"}.get(answer.type) or "".join("ABCDEFGH"[k] for k in answer.right)


@bank.command()
@click.argument("name")
@FOLDERS
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=Path("output"), show_default=True, help="Folder for the file.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Which variant: the same seed gives the same one.")
@click.option("--to", "form", type=click.Choice(["pdf", "tex", "json"]), default="pdf", show_default=True)
@click.option("--templates", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder with templates of your own; they come first.")
def preview(name: str, folders: tuple[Path, ...], folder: Path, seed: int, form: str, templates: Path | None) -> None:
    """One variant of a problem, with its key, as PDF."""
    from ..problems.library import trial_seed
    from ..problems.question import as_json
    from ..render.engine import compile_pdf, find_engine, install_hint
    from ..render.questionpages import source

    q = (maker := _maker(folders, name)).make(trial_seed(seed))
    path = folder / f"{maker.file.name}-{seed}.{form}"
    if form == "json":
        data = as_json(q).encode()
    else:
        page = source([q], q.title, templates)
        data = page.encode()
        if form == "pdf":
            engine = find_engine(unicode=r"\usepackage{fontspec}" in page)
            if engine is None:
                raise ChainruleError("no TeX engine was found", hint=install_hint())
            data = compile_pdf(page, engine=engine).pdf
    write_all({path: data})
    click.echo(str(path))


@bank.command("test")
@click.argument("name", required=False)
@FOLDERS
@click.option("--seeds", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Variants of each problem.")
@click.option("--json", "as_data", is_flag=True, help="As JSON.")
def test_command(name: str | None, folders: tuple[Path, ...], seeds: int, as_data: bool) -> None:
    """Make so many variants of each problem and check them all; exit status 1 if one fails."""
    from ..problems.library import trial

    found = _opened(folders)
    makers = [found[name]] if name else [m for _, m in sorted(found.makers.items())]
    trials = [trial(m, seeds) for m in makers]
    if as_data:
        click.echo(json.dumps([{"name": t.name, "made": t.made, "answers": t.answers, "distinct": t.distinct, "refused": t.refused, "failures": t.failures} for t in trials], indent=2))
    else:
        _table(("problem", "made", "answers", "distinct", "draws refused", "failures"),
               [(t.name, str(t.made), str(t.answers), str(t.distinct), str(t.refused), str(len(t.failures))) for t in trials])
        for t in trials:
            for sentence in t.failures[:5]:
                click.echo(f"{t.name}: {sentence}", err=True)
    if not all(t.passed for t in trials):
        sys.exit(1)
    if found.broken:
        sys.exit(2)
