"""The keys of a spec that stand for whole models: what they fill in, and what must fit.

``truth_table`` gives the inputs and targets of a gate; ``transform`` gives equations of plane maps;
``normal_equations`` and ``collapse`` ask for sections that only linear networks have.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ..errors import SpecError, nearest
from ..lectures import gates, transforms
from ..losses import LOSSES
from ..spec import Layer, Size, Spec
from .choices import short
from .numbers import ValueProblem, parse_values, shape
from .training import check_source

MOST_POINTS = 12


def fill(spec: Spec) -> None:
    """Put inputs, targets and equations in the place of the keys that stand for them. Raises ValueProblem."""
    if spec.truth_table is not None:
        _fill_truth_table(spec, spec.truth_table)
    if spec.transform is not None:
        _fill_transform(spec, spec.transform)
    if spec.data is not None and spec.is_network:
        _fill_data(spec)


def _fill_data(spec: Spec) -> None:
    """Sizes of the inputs and targets where the file leaves them to the data."""
    from ..numeric.datasets import DATASETS, options  # brings NumPy

    found = spec.data
    assert found is not None
    check_source(found, {name: options(row) for name, row in DATASETS.items()})
    if spec.truth_table is not None:
        raise ValueProblem("truth_table gives the examples", "data", hint="delete one of the two")
    for key, name in (("inputs", "x"), ("targets", "y")):
        if any(v is not None and not isinstance(v, Size) for v in getattr(spec, key).values()):
            raise ValueProblem("data gives the examples", key, hint=f"write {key}: {{{next(iter(getattr(spec, key)))}: {{batch: n}}}}, or leave {key} out")
        if not getattr(spec, key):
            setattr(spec, key, {name: Size(batch="n") if key == "inputs" else Size()})
    (x,) = list(spec.inputs.values())[:1]
    if isinstance(x, Size):
        x.batch = "n" if x.batch is None else x.batch
        spec._open = x.size is None
        x.size = x.size or (DATASETS[found.name].features if found.name else len(found.inputs) or None)


def _fill_truth_table(spec: Spec, table: Any) -> None:
    size = shape(table)
    if len(size) != 1 or size[0] not in gates.SIZES:
        raise ValueProblem("expected 4 outputs (two inputs) or 8 (three inputs)", "truth_table", hint="as in [0, 0, 0, 1] for the inputs 00, 01, 10, 11")
    bad = next((k for k, v in enumerate(table) if v not in (0, 1)), None)
    if bad is not None:
        raise ValueProblem("expected 0 or 1", "truth_table", bad)
    if not spec.is_network:
        raise ValueProblem("belongs to files with layers", "truth_table", hint="write layers: [{units: 1, activation: sigmoid}]")
    for key in ("inputs", "targets"):
        if getattr(spec, key):
            raise ValueProblem("truth_table gives the inputs and targets", key, hint=f"delete {key} or truth_table")
    if spec.layers and _units(spec.layers[-1], rows=spec.convention == "rows") not in (None, 1):
        raise ValueProblem("a truth table has one output, so the last layer has one unit", "layers", len(spec.layers) - 1)
    rows = gates.inputs(tuple(int(v) for v in table))
    spec.inputs = {"x": tuple(tuple(Fraction(v) for v in row) for row in rows)}
    spec.targets = {"y": tuple((v,) for v in table)}


def _units(layer: Layer, *, rows: bool) -> int | None:
    """The number of units as far as the file says it."""
    w = () if layer.W is None else shape(layer.W)
    return layer.units or (w[1 if rows else 0] if len(w) == 2 else len(layer.b) if isinstance(layer.b, tuple) else None)


def _fill_transform(spec: Spec, raw: dict[str, Any]) -> None:
    for key in ("layers", "equations", "at"):
        if key in spec.model_fields_set:
            raise ValueProblem(f"expected transform or {key}, not both", key, hint="delete one of the two")
    points, steps = transform_of(raw)
    spec.equations, numbers = transforms.equations(steps, points)
    spec.at = {name: _fractions(value) for name, value in numbers.items()}
    if not spec.wrt:
        spec.wrt = ("X",)


def transform_of(raw: dict[str, Any]) -> tuple[tuple[tuple[Any, ...], ...], list[transforms.Step]]:
    """The points and the maps of a ``transform``. Raises ValueProblem."""
    for key in raw:
        if key not in ("points", "by"):
            raise ValueProblem(f"unknown key {short(key)}", "transform", key, hint=nearest(str(key), ["points", "by"]))
    points = transforms.UNIT_SQUARE if raw.get("points") is None else _parsed(raw["points"], "points")
    if len(shape(points)) != 2 or len(points) != 2:
        raise ValueProblem("expected two rows, the x and the y of the points", "transform", "points", hint="as in [[0, 1, 1], [0, 0, 1]]")
    if not 2 <= len(points[0]) <= MOST_POINTS:
        raise ValueProblem(f"{len(points[0])} points, expected 2 to {MOST_POINTS}", "transform", "points")
    by = raw.get("by")
    if not isinstance(by, (list, tuple)) or not by or not all(isinstance(entry, dict) and entry for entry in by):
        raise ValueProblem("expected a list of maps", "transform", "by", hint="as in [{scale: 0.5}, {rotate: 30}]")
    steps = []
    for k, entry in enumerate(by):
        for kind, value in entry.items():
            parsed = _parsed(value, "by", k, kind)
            try:
                steps.append(transforms.made(str(kind), parsed))
            except SpecError as e:
                raise ValueProblem(e.sentence, "transform", "by", k, hint=e.hint) from None
    return points, steps


def _parsed(raw: Any, *path: Any) -> Any:
    try:
        return parse_values(raw)
    except ValueProblem as e:
        raise ValueProblem(e.sentence, "transform", *path, *e.path, hint=e.hint) from None


def _fractions(value: Any) -> Any:
    return tuple(map(_fractions, value)) if isinstance(value, tuple) else Fraction(value) if isinstance(value, int) else value


def check(spec: Spec) -> None:
    """Whether the sections that a file asks for exist for its network. Raises ValueProblem."""
    for key in ("normal_equations", "collapse"):
        if getattr(spec, key) and not spec.is_network:
            raise ValueProblem("belongs to files with layers", key, hint="delete it")
    if asked := next((key for key in ("truth_table", "normal_equations", "collapse") if getattr(spec, key)), None):
        for k, layer in enumerate(spec.layers):
            if layer.type != "dense" or layer.residual:
                raise ValueProblem(f"{asked} needs plain dense layers", "layers", k, "residual" if layer.type == "dense" else "type")
    curved = next((k for k, layer in enumerate(spec.layers) if layer.activation != "identity"), None)
    if spec.collapse:
        if len(spec.layers) < 2:
            raise ValueProblem("collapse needs at least two layers", "collapse", hint="one layer has nothing to collapse")
        if any(isinstance(getattr(value, "batch", None), str) for value in spec.inputs.values()):
            raise ValueProblem("collapse is proved for sizes that are numbers", "inputs", *spec.inputs, "batch", hint="give the number of examples")
        if curved is not None:
            raise ValueProblem("only layers with the identity collapse into one", "layers", curved, "activation")
    if spec.normal_equations:
        if len(spec.layers) != 1:
            raise ValueProblem("the normal equations are those of a single layer", "normal_equations", hint="delete it, or all layers but one")
        if curved is not None:
            raise ValueProblem("the normal equations need the identity as activation", "layers", curved, "activation")
        _check_squared(spec)


def _check_squared(spec: Spec) -> None:
    squared = [name for name, row in LOSSES.items() if row.entry == LOSSES["squared_error"].entry]
    if spec.loss not in squared:
        raise ValueProblem(f"the normal equations need a squared error, not {spec.loss}", "loss", hint="one of " + ", ".join(squared))
    if spec.regularization:
        raise ValueProblem("the normal equations are those of the loss without a penalty", "regularization", hint="delete it, or normal_equations")
    for key in ("inputs", "targets"):
        (name, value), = getattr(spec, key).items()
        if not isinstance(value, tuple) or any(not isinstance(v, Fraction) for row in value for v in (row if isinstance(row, tuple) else (row,))):
            raise ValueProblem("the normal equations are solved exactly, so they need data", key, name, hint="give rational numbers, as in [[0.1], [1/3]]")
        if len(shape(value)) != 2:
            raise ValueProblem("the normal equations need a batch", key, name, hint="write one row an example: [[1], [2]]")
