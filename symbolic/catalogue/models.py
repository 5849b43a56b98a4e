"""Whole models, methods and primitive operations as rows: each is a spec such as a person writes, and everything follows from it.

>>> problem(MODELS["perceptron"]).network.equations[0].rhs
<W1 @ x + b1>
>>> sorted(OPERATIONS)
['add', 'divide', 'matrix_multiply', 'multiply', 'subtract']
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .. import problem as problems
from ..lesson import plan
from ..reading import specfile
from ..reading.yamltext import read
from ..verify import Certified, certify


@dataclass(frozen=True, eq=False)
class Model:
    """A row of ``models.yaml``, which says what its keys mean."""

    name: str
    spec: Mapping[str, Any]
    because: str
    used: str
    convention: str = ""
    warning: str = ""
    sections: bool = False
    numpy: tuple[str, ...] = ()


def _rows(table: Any) -> dict[str, Model]:
    return {name: Model(name, **{**row, "sections": "sections" in row, "numpy": tuple(row.get("numpy", ()))}) for name, row in table.items()}


MODELS, METHODS, OPERATIONS = map(_rows, read(Path(__file__).with_name("models.yaml")).data.values())


@cache
def problem(row: Model) -> problems.Problem:
    """The problem that a row states."""
    return problems.build(specfile.build(row.spec))


@cache
def derived(row: Model) -> Certified:
    """All gradients of the parameters of a row (of plain equations: of every name), certified; with numbers where its sections need them."""
    found = problem(row)
    lesson = plan(found.network, ("index", "matrix") if not found.network.layers else ("matrix",), wrt=tuple(found.network.names("parameter")))
    return certify(lesson, found.numbers() if row.sections else None)
