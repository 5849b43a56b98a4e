"""CSV files: a line of column names, then one line an example; every mistake with file, line and column."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

import numpy

from ..errors import SpecError, nearest, one_line
from ..files import at_most
from ..reading.yamltext import neighbour
from .data import Data

MOST = 500_000_000  # bytes


def read(path: Path, target: str | None = None, inputs: Sequence[str] = ()) -> Data:
    """The examples of a file. target: the column to learn (default: the last); inputs: the columns to learn from (default: all others).

    A target in words is the name of a class; classes are numbered in alphabetical order.
    Raises SpecError, with file and line, for whatever cannot be used.
    """
    rows, delimiter = _rows(path)
    if not rows:
        raise SpecError("the file is empty", where=str(path), hint="its first line names the columns, as in hours,slept,score")
    (_, heads), *lines = rows
    names = _heads(heads, str(path), delimiter)
    chosen = _column(target, names, path) if target is not None else names[-1]
    wanted = [_column(name, names, path) for name in inputs] or [n for n in names if n != chosen]
    if chosen in wanted or not wanted:
        raise SpecError(f"column {chosen!r} is both input and target" if wanted else "one column is not enough", where=f"{path}:1")
    if not lines:
        raise SpecError("no examples follow the names of the columns", where=f"{path}:1")
    for number, cells in lines:
        if len(cells) != len(names):
            raise SpecError(f"{len(cells)} cells, but line 1 names {len(names)} columns", where=f"{path}:{number}")
    x = numpy.array([[_number(cells[names.index(n)], n, f"{path}:{number}") for n in wanted] for number, cells in lines])
    at = names.index(chosen)
    labels = sorted({cells[at].strip() for _, cells in lines})
    if all(_float(label) is None for label in labels) and "" not in labels:
        return Data(x, numpy.array([labels.index(cells[at].strip()) for _, cells in lines]), tuple(wanted), (chosen,), tuple(labels), path.name)
    y = numpy.array([[_number(cells[at], chosen, f"{path}:{number}")] for number, cells in lines])
    return Data(x, y, tuple(wanted), (chosen,), (), path.name)


def columns(path: Path, target: str | None = None) -> tuple[str, ...]:
    """The columns that are learned from where none are named: all but the target. Raises SpecError as ``read`` does."""
    return read(path, target).inputs


def _rows(path: Path) -> tuple[list[tuple[int, list[str]]], str]:
    """The lines that hold anything, each with its number, and what stands between their cells."""
    try:
        raw = at_most(path, MOST)
        if len(raw) > MOST:
            raise SpecError("the file is larger than 500 MB", where=str(path), hint="is it the right file?")
        text = raw.decode("utf-8-sig")
    except FileNotFoundError:
        raise SpecError("no such file", where=str(path), hint=neighbour(path)) from None
    except IsADirectoryError:
        raise SpecError("this is a folder", where=str(path), hint="name the CSV file in it") from None
    except OSError as e:
        raise SpecError(f"the file cannot be read ({(e.strerror or str(e)).lower()})", where=str(path)) from None
    except UnicodeDecodeError as e:
        raise SpecError("the file is not UTF-8", where=f"{path}:{e.object.count(10, 0, e.start) + 1}", hint="save it as UTF-8") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows = []
    try:
        for cells in reader:
            if any(c.strip() for c in cells):
                rows.append((reader.line_num, cells))
    except csv.Error as e:
        raise SpecError(f"this line cannot be read ({e})", where=f"{path}:{max(reader.line_num, 1)}") from None
    return rows, delimiter


def _heads(cells: Sequence[str], path: str, delimiter: str) -> list[str]:
    names = [c.strip() for c in cells]
    if all(_float(n) is not None for n in names):
        raise SpecError("the first line holds numbers, expected the names of the columns", where=f"{path}:1", hint="write a line such as hours,slept,score above it")
    for k, name in enumerate(names):
        if not name:
            raise SpecError(f"column {k + 1} has no name", where=f"{path}:1")
        if name in names[:k]:
            raise SpecError(f"two columns are called {_short(name)}", where=f"{path}:1")
    return names


def _column(name: str, names: list[str], path: Path) -> str:
    if name not in names:
        raise SpecError(f"no column is called {_short(name)}", where=f"{path}:1", hint=nearest(name, names))
    return name


def _number(cell: str, column: str, where: str) -> float:
    value = _float(cell)
    if value is None:
        text = cell.strip()
        hint = f"write {text.replace(',', '.')}" if _float(text.replace(",", ".")) is not None else ""
        raise SpecError(f"column {_short(column)}: " + (f"{_short(text)} is not a number" if text else "a number is missing"), where=where, hint=hint)
    return value


def _float(cell: str) -> float | None:
    """The finite number that a cell holds; None where it holds none."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in cell else None


def _short(text: str) -> str:
    return repr(one_line(text)[:40])
