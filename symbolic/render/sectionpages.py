"""Sections laid out: frames for slides, blocks for paper, plain data for Markdown."""

from __future__ import annotations

from typing import Any

from ..pages.sections import sections
from ..pages.sheet import Section
from .text import markdown
from .view import LETTER, Tex, View, pages_of, part_of, portions, rows_of, spaced, tall
from .width import height, width

TOGETHER = 300.0  # points: a first piece of at most this height stays with its heading
TABLE_ROW = 14.0  # points; a fraction or a matrix needs more
COLUMN_GAP = 20.0
SMALL = 0.93  # how wide a formula is in the type of a table


def frames(view: View) -> list[dict[str, Any]]:
    """Every section as pieces that fit one page: formulas, then the table, then the figure."""
    return [piece for section in sections(view.sheet) for piece in pieces(view, section)]


def pieces(view: View, s: Section) -> list[dict[str, Any]]:
    """One section as pieces that fit a page: formulas, then the table, then the figure."""
    room = view.paper.height - 12 * (len(s.said) // 95 + 2) if view.paper.overlays else view.paper.height
    out: list[dict[str, Any]] = [{"rows": spaced(page)} for page in pages_of(rows_of(s.lines, view.paper.width), room)]
    out += [{"heads": [Tex(h) for h in heads], "cells": page} for heads, cells in _columns(s, view.paper.width) for page in _table_pages(cells, room)]
    if s.figure:
        out.append({"figure": Tex(s.figure)})
    blank = {"rows": [], "heads": [], "cells": [], "figure": ""}
    return [{**blank, **piece, "title": s.title, "part": part_of(k, len(out)) if view.paper.overlays else "", "first": k == 0,
             "together": k == 0 and _tall(piece) <= TOGETHER, "said": s.said if k == 0 else "", "checked": s.checked} for k, piece in enumerate(out or [{}])]


def _tall(piece: dict[str, Any]) -> float:
    """About how high a piece is."""
    return tall(piece.get("rows", [])) + sum(max(TABLE_ROW, *map(_high, row)) for row in piece.get("cells", []))


def _columns(s: Section, available: float) -> list[tuple[tuple[str, ...], list[tuple[str, ...]]]]:
    """A table cut into tables that fit the width; the columns that say what a row is about stand in each."""
    if not s.cells:
        return []
    keys = tuple(range(s.keys))
    widest = [max(_wide(c) for c in column) + COLUMN_GAP for column in zip(s.heads, *s.cells, strict=True)]
    groups: list[list[int]] = [[]]
    for k in range(s.keys, len(widest)):
        if groups[-1] and sum(widest[:s.keys]) + sum(widest[j] for j in groups[-1]) + widest[k] > available:
            groups.append([])
        groups[-1].append(k)
    return [(tuple(s.heads[k] for k in (*keys, *g)), [tuple(row[k] for k in (*keys, *g)) for row in s.cells]) for g in groups]


def _wide(cell: str) -> float:
    """The width of a cell: mathematics between dollars is measured, words are counted."""
    return sum(SMALL * width(part) if k % 2 else LETTER * len(part) for k, part in enumerate(cell.split("$")))


def _high(cell: str) -> float:
    return max((0.62 * height(part) + 5 for k, part in enumerate(cell.split("$")) if k % 2), default=0.0)


def _table_pages(cells: list[tuple[str, ...]], room: float) -> list[list[list[Tex]]]:
    pages = portions(cells, lambda row: max(TABLE_ROW, *map(_high, row)), room - TABLE_ROW)
    return [[[Tex(c) for c in row] for row in page] for page in pages]


def blanks(view: View) -> list[dict[str, Any]]:
    """What the sections ask of a worksheet."""
    return [{"title": s.title, "hint": s.said, "asked": s.blanks} for s in sections(view.sheet) if s.blanks]


def plain(view: View) -> list[dict[str, Any]]:
    """Every section for Markdown; figures are left to the pages."""
    return [{"title": Tex(markdown(s.title)), "said": Tex(markdown(s.said)), "checked": Tex(s.checked),
             "rows": [{"left": Tex(x.left), "right": Tex(f"= {x.right}" if x.right else "")} for x in s.lines],
             "heads": [Tex(h) for h in s.heads], "cells": [[Tex(c) for c in row] for row in s.cells]} for s in sections(view.sheet)]
