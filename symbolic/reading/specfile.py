"""From a file, or the same data from a Python program, to a checked spec: the one door.

Whatever is wrong is answered by one SpecError: where, which key, what was expected, the nearest valid name.

>>> spec = build({"inputs": {"x": [2]}, "targets": {"y": [1]}, "loss": "mse",
...               "layers": [{"activation": "sigmoid", "W": [["0.6"]], "b": ["-0.3"]}]})
>>> spec.layers[0].W, spec.layers[0].units, spec.exact
(((Fraction(3, 5),),), 1, False)
>>> spec.names()
['x', 'y', 'W1', 'b1', 'z1', 'a1', 'y_hat', 'L']
>>> build({"equations": {"y": "x**2"}, "wrt": ["u"]})
Traceback (most recent call last):
symbolic.errors.SpecError: wrt, entry 1: 'u' is not known here; valid names: y, x
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from ..errors import nearest
from ..spec import Init, Layer, Size, Spec
from . import beyond, training
from .keys import first, mistakes
from .numbers import ValueProblem, is_decimal
from .paths import Step
from .speccheck import check
from .yamltext import Located, read

_WITH_NUMBERS = ("inputs", "targets", "layers", "learning_rate", "loss_options", "regularization", "equations", "at", "given", "transform", *beyond.WITH_NUMBERS)


def _has_decimal(raw: object) -> bool:
    if isinstance(raw, Mapping):
        return any(map(_has_decimal, raw.values()))
    if isinstance(raw, (list, tuple)):
        return any(map(_has_decimal, raw))
    return isinstance(raw, float) or (isinstance(raw, str) and is_decimal(raw))


def load(path: Path | str) -> Spec:
    """The model of a file; SpecError with file and line for whatever is wrong with it."""
    located = read(path)
    return build(_with_columns(located.data, Path(path).parent), located)


def _with_columns(data: Mapping[str, Any], folder: Path) -> Mapping[str, Any]:
    """The data of the file, with the columns of a CSV file to learn from where it leaves them out: they are the size of the input."""
    found = training.source(data.get("data"))
    if "layers" not in data or not isinstance(found, Mapping) or not isinstance(found.get("file"), str) or found.get("inputs"):
        return data
    from ..numeric.tables import columns  # brings NumPy

    target = found.get("target")
    return {**data, "data": {**found, "inputs": list(columns(folder / found["file"], str(target) if target is not None else None))}}


def build(data: Mapping[str, Any], located: Located | None = None) -> Spec:
    """The model of data as YAML would give it: text, numbers, lists, dicts."""
    where, halves = (located.where, located.halves) if located else (lambda *path: "", {})
    try:
        spec = Spec.model_validate(data)
        spec._exact = not any(_has_decimal(data.get(key)) for key in _WITH_NUMBERS)
        check(spec)
    except ValidationError as error:
        raise first(mistakes(error, _nearest_key), where, halves=halves) from None
    except ValueProblem as problem:
        raise first([problem], where, halves=halves) from None
    spec._located = located
    return spec


# Keys that people write, and those that are meant; with a colon: what to write in their place.
_BELONGS = {"lr": "learning_rate", "eta": "learning_rate", "alpha": "learning_rate", "weights": "W", "biases": "b", "neurons": "units", "nodes": "units",
            "cost": "loss", "function": "activation", "act": "activation", "name": "title", "outputs": "targets", "labels": "targets", "y": "targets",
            "x": "inputs", "X": "inputs", "features": "inputs", "numbers": "at", "point": "at", "values": "at", "variables": "wrt", "questions": "ask",
            "l2": "regularization: {l2: 0.01}", "l1": "regularization: {l1: 0.01}", "weight_decay": "regularization: {l2: 0.01}",
            "momentum": "optimizer: {name: momentum, beta: 0.9}", "steps": "optimizer: {name: adam, steps: 5}",
            "batch_size": "optimizer: {name: gradient_descent, batch: 2}", "epochs": "train: {epochs: 50}"}


def _nearest_key(path: tuple[Step, ...]) -> str:
    levels: dict[str, type[BaseModel]] = {"layers": Layer, "init": Init, "inputs": Size, "targets": Size, **beyond.LEVELS, **training.LEVELS}
    model = levels.get(str(path[0]), Spec) if len(path) > 1 else Spec
    key = str(path[-1]) if path[-1] in model.model_fields else _BELONGS.get(str(path[-1]), str(path[-1]))
    if ":" in key:
        return f"write {key}"
    if key not in model.model_fields and key in Layer.model_fields:
        return f"{key!r} belongs to a layer"
    return nearest(key, sorted(model.model_fields, key=lambda field: field not in model.__annotations__))  # its own first
