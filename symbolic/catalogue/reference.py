"""What ``chainrule list``, ``show`` and ``catalogue`` do: rows of the tables to the terminal or to files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import SpecError, nearest
from ..files import write_all
from ..render.cataloguetext import card, listed, rows_as_table
from .tables import entries_of, find, tables

LIST, SHOW, WHOLE = ("table", "json"), ("md", "json", "tex", "pdf"), ("pdf", "tex")
Say = Callable[[str], None]


def list_rows(kind: str | None, form: str, say: Say) -> None:
    """Print every row of every table, or of one. Raises SpecError for an unknown table or format."""
    _check((form,), LIST)
    found = [(t, entries_of(t)) for t in tables(kind)]
    say((listed(e for _, rows in found for e in rows) if form == "json" else rows_as_table([(t.title, rows) for t, rows in found])).rstrip("\n"))


def show_row(name: str, folder: Path | None, formats: Sequence[str], say: Say, *, engine: str | None = None, templates: Path | None = None) -> None:
    """Derive one row: on the terminal, or into files where a folder is named or a PDF is wanted.

    Raises SpecError for an unknown row or format, CheckError for a line that fails its check.
    """
    from ..render.cataloguepages import files

    found = find(name)
    if not formats and folder is None:
        say("\n".join(card(e) for e in found).rstrip("\n"))
        return
    wanted = formats or ("pdf",)
    _check(wanted, SHOW)
    made = files(found, wanted, engine, templates)
    if folder is None and "pdf" not in wanted:
        say("\n".join(content.decode() for content in made.values()).rstrip("\n"))
        return
    placed = {(folder or Path("output")) / file: content for file, content in made.items()}
    write_all(placed)
    for path in placed:
        say(str(path))


def write_catalogue(folder: Path, formats: Sequence[str], say: Say, *, engine: str | None = None, templates: Path | None = None) -> None:
    """The whole reference as one document. Raises SpecError for an unknown format, CheckError for a line that fails its check."""
    from ..render.cataloguepages import pdf, reference

    _check(formats, WHOLE)
    tex = reference(tables(), templates)
    made = {folder / f"catalogue.{form}": pdf(tex, engine) if form == "pdf" else tex.encode() for form in formats}
    write_all(made)
    for path in made:
        say(str(path))


def _check(formats: Sequence[str], known: Sequence[str]) -> None:
    if not formats:
        raise SpecError("--to names nothing")
    for name in formats:
        if name not in known:
            raise SpecError(f"--to {name}: no such format", hint=nearest(name, known))
