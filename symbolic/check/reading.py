"""A student's file as text and as a syntax tree; it is never run here.

>>> code = parse("x = 1\\n", "a.py")
>>> code.where(1)
'a.py:1'
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import SpecError, one_line

MOST_BYTES = 5_000_000
MOST_NODES = 50_000  # of its syntax tree: some thousands of lines


@dataclass(frozen=True)
class Code:
    """A file: its text, its tree, and for a notebook the first line of each cell (number of the cell, line)."""

    name: str
    text: str
    tree: ast.Module
    cells: tuple[tuple[int, int], ...] = ()

    def where(self, line: int) -> str:
        """File and line as its author sees them: 'a.py:3', 'a.ipynb, cell 2, line 3'."""
        if not self.cells:
            return f"{self.name}:{line}"
        cell, first = max((c for c in self.cells if c[1] <= line), key=lambda c: c[1], default=self.cells[0])
        return f"{self.name}, cell {cell}, line {line - first + 1}"


def read(path: Path | str) -> Code:
    """The code of a .py or .ipynb file. Raises SpecError for what cannot be read or is not Python."""
    path = Path(path)
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):  # a pipe never ends; a link may lead to another's file, or to the solution
            raise SpecError("this is no file of its own but a link, a folder or a device", where=str(path), hint="give the file itself")
        raw = path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
    except OSError as error:
        raise SpecError(f"the file cannot be read ({(error.strerror or str(error)).lower()})", where=str(path)) from None
    if raw is None:
        raise SpecError("the file is larger than 5 MB", where=str(path), hint="is it the right file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SpecError("the file is not UTF-8", where=f"{path}:{line}", hint="save it as UTF-8") from None
    if path.suffix == ".ipynb":
        return notebook(text, str(path))
    return parse(text, str(path))


def parse(text: str, name: str, cells: tuple[tuple[int, int], ...] = ()) -> Code:
    """The same for a text at hand. Raises SpecError with the line that Python cannot read."""
    text = lines_of(text)
    code = Code(name, text, ast.Module([], []), cells)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except SyntaxError as error:
        old = " (this is Python 2)" if "print" in (error.msg or "") and "parenthes" in (error.msg or "") else ""
        raise SpecError(f"this is not Python: {one_line(error.msg or 'it cannot be read')}{old}", where=code.where(error.lineno or 1)) from None
    except (ValueError, RecursionError, MemoryError):
        raise SpecError("Python cannot read this file", where=name, hint="it holds a character that no text has, or brackets nested too deep") from None
    tree.body = _live(tree.body)
    if sum(1 for _ in ast.walk(tree)) > MOST_NODES:
        raise SpecError("the file is too long to be looked through", where=name, hint="is it the right file? leave data and output out")
    return Code(name, text, tree, cells)


def _live(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements without functions that are defined again before any statement could call them, as a file grows that is only ever added to."""
    again: set[str] = set()
    out = []
    for s in reversed(body):
        if isinstance(s, ast.FunctionDef) and not (s.decorator_list or s.args.defaults or any(s.args.kw_defaults)):
            if s.name in again:
                continue
            again.add(s.name)
        elif not isinstance(s, (ast.Import, ast.ImportFrom)):
            again.clear()
        out.append(s)
    return out[::-1]


def lines_of(text: str) -> str:
    """A text whose lines end as Python counts them, and nothing else does: ``str.splitlines`` also cuts at a form feed."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def notebook(text: str, name: str) -> Code:
    """The code cells of a notebook, one after another; lines for the notebook itself (%matplotlib, !pip) are left blank."""
    try:
        data = json.loads(text)
        found = data["cells"] if "cells" in data else [c for sheet in data["worksheets"] for c in sheet["cells"]]
        sources = [_source(c) for c in found if c["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise SpecError("this is not a notebook", where=name, hint="save it as .ipynb again, or as .py") from None
    lines: list[str] = []
    cells = []
    for number, source in enumerate(sources, 1):
        cells.append((number, len(lines) + 1))
        whole = source.lstrip().startswith("%%")
        lines += ["" if whole or re.match(r"\s*[%!?]|.*\?\s*$", line) and "#" not in line else line for line in lines_of(source).removesuffix("\n").split("\n")]
    return parse("\n".join(lines) + "\n", name, tuple(cells))


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", cell.get("input", ""))
    return source if isinstance(source, str) else "".join(source)
