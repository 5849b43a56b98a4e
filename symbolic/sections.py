"""What a spec asks for beside the derivation, one reader each: every page and the JSON print what they return.

A reader takes the sheet and gives sections; it gives none where the spec does not ask.
"""

from __future__ import annotations

from collections.abc import Callable

from .descentpages import descent_sections
from .sheet import Section, Sheet
from .through_time import through_time

Reader = Callable[[Sheet], list[Section]]
READERS: list[Reader] = [
    through_time,
    descent_sections,
]


def sections(sheet: Sheet) -> list[Section]:
    """All sections of a page, in the order of the table."""
    return [section for reader in READERS for section in reader(sheet)]
