"""The pages of a trace: the problem, then every step in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..pages.sheet import Section, Sheet
from . import sectionpages
from .documents import common, statement
from .filling import make_environment, render
from .view import SHEET, View


def source(sheet: Sheet, found: Sequence[Section], templates: Path | None = None) -> str:
    """The LaTeX source of an answer key that holds the sections."""
    view = View(sheet, SHEET)
    pieces = [piece for section in found for piece in sectionpages.pieces(view, section)]
    return render(make_environment(templates), "trace.tex", {**common(view), **statement(view), "heading": "Step by step", "sections": pieces})
