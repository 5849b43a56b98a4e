"""A training run on disk: one file with arrays (NumPy's npz, never pickle) and the rest as JSON inside it.

It is written beside its place and then moved there, so that a run that is killed leaves the last whole one.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy

from ..errors import SpecError
from ..files import write_all
from .data import Array
from .history import Epoch

FORMAT = "chainrule checkpoint 1"


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on: settings, rows so far, parameters, what the optimizer remembers, and the best parameters so far
    with their epoch (early stopping)."""

    settings: Mapping[str, Any]
    rows: tuple[Epoch, ...]
    parameters: Mapping[str, Array]
    state: Mapping[str, Mapping[str, Array]]
    best: Mapping[str, Array]
    best_epoch: int | None = None
    path: tuple[tuple[float, ...], ...] = ()


def save(path: Path, point: Checkpoint) -> None:
    """Write a checkpoint; the file is whole at every moment. Raises ChainruleError where it cannot be written."""
    about = {"format": FORMAT, "settings": point.settings, "rows": [asdict(r) for r in point.rows], "best_epoch": point.best_epoch, "path": point.path}
    arrays = {"about": numpy.frombuffer(json.dumps(about, allow_nan=False).encode(), numpy.uint8)}
    arrays |= {f"parameter/{n}": v for n, v in point.parameters.items()} | {f"best/{n}": v for n, v in point.best.items()}
    arrays |= {f"state/{s}/{n}": v for s, found in point.state.items() for n, v in found.items()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as out:
        for name, array in arrays.items():
            with out.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as part:  # no clock in the file
                numpy.lib.format.write_array(part, numpy.ascontiguousarray(array).reshape(numpy.shape(array)), allow_pickle=False)
    write_all({path: stream.getvalue()})


def load(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises SpecError for a file that is none."""
    where = str(path)
    try:
        with numpy.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        about = json.loads(arrays.pop("about").tobytes())
        if about["format"] != FORMAT:
            raise ValueError
        rows = tuple(Epoch(**row) for row in about["rows"])
        state: dict[str, dict[str, Array]] = {}
        groups: dict[str, dict[str, Array]] = {"parameter": {}, "best": {}}
        for name, array in arrays.items():
            kind, _, rest = name.partition("/")
            if kind == "state":
                which, _, rest = rest.partition("/")
                state.setdefault(which, {})[rest] = array
            else:
                groups[kind][rest] = array
        return Checkpoint(about["settings"], rows, groups["parameter"], state, groups["best"], about["best_epoch"], tuple(map(tuple, about["path"])))
    except FileNotFoundError:
        raise SpecError("no such checkpoint", where=where, hint="train without --resume first") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        raise SpecError("this is no checkpoint of chainrule, or it is damaged", where=where, hint="train without --resume") from None


def check(point: Checkpoint, settings: Mapping[str, Any], where: str) -> None:
    """Raises SpecError for a checkpoint of another run; only the number of epochs may differ."""
    for key, value in settings.items():
        if key == "fingerprint" and point.settings.get(key) != value:
            raise SpecError("the checkpoint is of another run: the network, its first weights or its examples are others", where=where, hint="train without --resume")
        if key != "epochs" and point.settings.get(key) != json.loads(json.dumps(value)):
            raise SpecError(f"the checkpoint is of another run: its {key} is {_short(point.settings.get(key))}, and this run's is {_short(value)}", where=where,
                            hint="train without --resume")


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."
