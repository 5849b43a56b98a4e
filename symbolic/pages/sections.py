"""What a spec asks for beside the derivation, one reader each: every page and the JSON print what they return.

A reader takes the sheet and gives sections; it gives none where the spec does not ask.
"""

from __future__ import annotations

from collections.abc import Callable

from . import gatepages, jacobianpages, linearpages, transformpages
from .curvature import second_order
from .descentpages import descent_sections
from .lagrange import lagrange
from .losspage import decay_section, loss_section
from .modes import modes
from .sheet import Section, Sheet
from .through_time import through_time

Reader = Callable[[Sheet], list[Section]]
READERS: list[Reader] = [
    modes,
    second_order,
    lagrange,
    through_time,
    descent_sections,
    gatepages.truth_table,
    linearpages.normal_equations,
    linearpages.collapse,
    transformpages.transform,
    jacobianpages.jacobians,
    decay_section,
    loss_section,
]


def sections(sheet: Sheet) -> list[Section]:
    """All sections of a page, in the order of the table."""
    return [section for reader in READERS for section in reader(sheet)]
