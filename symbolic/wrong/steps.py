"""Optimizers with one wrong equation: what is replaced in which of them.

>>> from ..optimizers import OPTIMIZERS
>>> wrong = edited(("hat", "/.*", ""))
>>> wrong(OPTIMIZERS["adam"]).equations["m_hat"], wrong(OPTIMIZERS["momentum"])
('m', None)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

from ..network import Network
from ..optimizers import Optimizer
from .changes import Changed, RowChange, Ways

Edit: TypeAlias = tuple[str, str, str]  # which equations (w, hat, state, the name of one, or all), a pattern, what stands there instead
G = r"(?<!\w)g(?!\w)"  # the gradient


def edited(*edits: Edit) -> RowChange:
    """All replacements at once; nothing where the first of them finds nothing."""
    def change(row: Optimizer) -> Optimizer | None:
        equations = dict(row.equations)
        for k, (which, pattern, by) in enumerate(edits):
            found = {t: re.sub(pattern.replace("TARGET", t), by, s) for t, s in equations.items() if _meant(row, t, which)}
            if not k and all(equations[t] == s for t, s in found.items()):
                return None
            equations |= found
        return replace(row, equations=equations)

    return change


def _meant(row: Optimizer, target: str, which: str) -> bool:
    return which in ("", target) or (which == "state" and target in row.states) or (which == "hat" and target.endswith("_hat"))


def each(*edits: Edit) -> Ways:
    """Every replacement by itself, whatever the network."""
    return made(*(edited(e) for e in edits))


def made(*changes: RowChange) -> Ways:
    """Other equations of the optimizer, whatever the network."""
    def ways(network: Network) -> Iterator[Changed]:
        yield from (Changed({}, row=change, equations=()) for change in changes)

    return ways


def stale(row: Optimizer) -> Optimizer | None:
    """The parameter moved before the memory takes in the gradient."""
    return replace(row, equations=dict(sorted(row.equations.items(), key=lambda e: e[0] in row.states))) if row.states else None
