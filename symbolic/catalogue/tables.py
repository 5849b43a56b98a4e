"""Every row of every table as one kind of entry: what is listed, shown, plotted and printed.

A new row appears by itself; a new table is one line in ``TABLES``.

>>> from ..functions import row, z, FUNCTIONS
>>> _ = row("cube_demo", z**3, activation=True)
>>> find("cube_demo")[0].formula
'cube_demo(z) = z**3'
>>> del FUNCTIONS["cube_demo"]
>>> find("sigmod")
Traceback (most recent call last):
symbolic.errors.SpecError: nothing is called 'sigmod'; did you mean 'sigmoid'?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import SpecError, meant, nearest
from ..functions import FUNCTIONS, VECTOR_FUNCTIONS
from ..language.matrices import MATRIX_FUNCTIONS
from ..language.parse import known_functions
from ..losses import LOSSES, PENALTIES
from ..models.initial import INITS
from ..models.layertypes import LAYERS
from ..models.theorems import THEOREMS
from ..numeric.datasets import DATASETS
from ..numeric.studies import STUDIES
from ..optimizers import OPTIMIZERS, SCHEDULES
from ..slips import SLIPS
from .entries import function_entry, init_entry, layer_entry, loss_entry, theorem_entry, vector_entry
from .entry import Entry
from .entrytexts import equation_entry, schedule_entry, sentence_entry, spec_entry, update_entry
from .models import METHODS, MODELS, OPERATIONS


@dataclass(frozen=True)
class Table:
    """A table of rows by name, and how a row of it is read; key: what one row is called."""

    key: str
    title: str
    rows: Callable[[], Mapping[str, Any]]
    read: Callable[[str, str, Any], Entry]


def _theorems() -> dict[str, Any]:
    """Theorems by what cancels: softmax+cross_entropy, logits+cross_entropy."""
    return {f"{'logits' if t.activation == 'identity' else t.activation}+{t.loss.removesuffix('_with_logits')}": t for t in THEOREMS}


TABLES: list[Table] = [
    Table("activation", "Activations", lambda: {n: r for n, r in FUNCTIONS.items() if r.activation}, function_entry),
    Table("vector function", "Vector functions", lambda: VECTOR_FUNCTIONS, vector_entry),
    Table("function", "Functions", lambda: {n: r for n, r in FUNCTIONS.items() if not r.activation}, function_entry),
    Table("matrix function", "Matrix functions", lambda: {n: r for n, r in MATRIX_FUNCTIONS.items() if n in known_functions()}, equation_entry(lambda n, r: f"{n}(A)", "y", "A")),
    Table("loss", "Losses", lambda: LOSSES, loss_entry),
    Table("penalty", "Penalties", lambda: PENALTIES, equation_entry(lambda n, r: f"{r.factor}*sum({r.entry})", "R", "w")),
    Table("theorem", "Theorems", _theorems, theorem_entry),
    Table("layer", "Layers", lambda: LAYERS, layer_entry),
    Table("operation", "Operations", lambda: OPERATIONS, spec_entry),
    Table("model", "Models", lambda: MODELS, spec_entry),
    Table("method", "Methods", lambda: METHODS, spec_entry),
    Table("optimizer", "Optimizers", lambda: OPTIMIZERS, update_entry),
    Table("schedule", "Schedules", lambda: SCHEDULES, schedule_entry),
    Table("initialisation", "Initialisations", lambda: INITS, init_entry),
    Table("data set", "Data sets", lambda: DATASETS, sentence_entry),
    Table("study", "Studies", lambda: STUDIES, sentence_entry),
    Table("slip", "Slips", lambda: SLIPS, sentence_entry),
]


def entries_of(table: Table) -> list[Entry]:
    """Every row of a table, in its order."""
    return [table.read(table.key, name, row) for name, row in table.rows().items()]


def tables(kind: str | None = None) -> list[Table]:
    """All tables, or the one of that name (singular or plural). Raises SpecError for an unknown one."""
    found = [t for t in TABLES if kind is None or kind.lower().replace("_", " ").replace("-", " ") in (t.key, t.title.lower())]
    if not found:
        row = next((f"write 'chainrule show {n}'" for t in TABLES if (n := meant(str(kind), t.rows())) in t.rows()), "")
        raise SpecError(f"no table is called {kind!r}", hint=row or nearest(str(kind), [name for t in TABLES for name in (t.title.lower(), t.key)]))
    return found


def find(name: str) -> list[Entry]:
    """The rows of that name (two tables may each have one), or those that another word for it names. Raises SpecError for an unknown name."""
    for named in (lambda rows: name, lambda rows: meant(name, rows)):
        found = [table.read(table.key, n, rows[n]) for table in TABLES if (n := named(rows := table.rows())) in rows]
        if found:
            return found
    raise SpecError(f"nothing is called {name!r}", hint=nearest(name, {n: row for t in reversed(TABLES) for n, row in t.rows().items()}))
