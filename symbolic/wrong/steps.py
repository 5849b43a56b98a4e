"""Optimizers with one wrong equation.

>>> from ..optimizers import OPTIMIZERS
>>> wrong = uncorrected(OPTIMIZERS["adam"])
>>> wrong.equations["m_hat"], uncorrected(OPTIMIZERS["momentum"])
('m', None)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from ..network import Network
from ..optimizers import Optimizer
from .changes import Changed, RowChange, Ways


def stepped(change: RowChange) -> Ways:
    """Another equation of the optimizer, whatever the network."""
    def ways(network: Network) -> Iterator[Changed]:
        yield Changed({}, row=change, equations=())

    return ways


def _with(row: Optimizer, change: Callable[[str, str], str]) -> Optimizer | None:
    """A row with other equations; None where none of them changes."""
    equations = {target: change(target, source) for target, source in row.equations.items()}
    return None if equations == dict(row.equations) else replace(row, equations=equations)


def uncorrected(row: Optimizer) -> Optimizer | None:
    """Running averages used as they are, though they start at 0."""
    return _with(row, lambda target, source: source.split("/")[0] if target.endswith("_hat") else source)


def corrected_upside_down(row: Optimizer) -> Optimizer | None:
    """Averages multiplied by what they are to be divided by."""
    return _with(row, lambda target, source: source.replace("/", "*") if target.endswith("_hat") else source)


def gradient_again(row: Optimizer) -> Optimizer | None:
    """The step multiplied by the gradient once more."""
    return _with(row, lambda target, source: f"w + ({source} - w)*g" if target == "w" else source)


def backwards(row: Optimizer) -> Optimizer | None:
    """The step taken in the other direction."""
    return _with(row, lambda target, source: f"w - ({source} - w)" if target == "w" else source)


def epsilon_moved(row: Optimizer) -> Optimizer | None:
    """Epsilon inside the root in place of beside it, or the other way round."""
    def change(target: str, source: str) -> str:
        inside = re.sub(r"sqrt\((\w+)\) \+ epsilon", r"sqrt(\1 + epsilon)", source)
        return inside if inside != source else re.sub(r"sqrt\((\w+) \+ epsilon\)", r"(sqrt(\1) + epsilon)", source)

    return _with(row, change)


def root_forgotten(row: Optimizer) -> Optimizer | None:
    """Divided by the average of the squares, not by its root."""
    return _with(row, lambda target, source: re.sub(r"sqrt\((\w+)\)", r"\1", source) if target == "w" else source)


def share_forgotten(row: Optimizer) -> Optimizer | None:
    """The new gradient added whole to a running average."""
    return _with(row, lambda target, source: re.sub(r"\(1 - (beta\d?|rho)\)\*", "", source) if target in row.states else source)


def memory_lost(row: Optimizer) -> Optimizer | None:
    """What the steps before have left is forgotten."""
    return _with(row, lambda target, source: re.sub(rf"(?<!\w){target}(?!\w)", "0", source) if target in row.states else source)


def decay_forgotten(row: Optimizer) -> Optimizer | None:
    """Weights that do not shrink by themselves."""
    return _with(row, lambda target, source: source.replace(" + lam*w", ""))


def decay_in_gradient(row: Optimizer) -> Optimizer | None:
    """What shrinks the weights added to the gradient, and so into the averages."""
    if "lam" not in row.options:
        return None
    return _with(row, lambda target, source: re.sub(r"(?<!\w)g(?!\w)", "(g + lam*w)", source) if target in row.states else source.replace(" + lam*w", ""))
