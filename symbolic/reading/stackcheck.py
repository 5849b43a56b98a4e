"""Whether the sizes of layers, input and target fit together; what is left out is found from the others."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from ..errors import SpecError
from ..functions import VECTOR_FUNCTIONS
from ..layers import LAYERS, lay
from ..models.layertypes import Place
from ..models.stacked import first_place, network_of, plan_of
from ..spec import Layer, Size, Spec
from .losscheck import check_last, class_indices
from .numbers import ValueProblem, Values, shape
from .paths import Step


def check_sizes(spec: Spec) -> None:
    """Raise ValueProblem for the first size that does not fit; fill in those that follow from others."""
    if any(layer.type != "dense" or layer.residual for layer in spec.layers):
        _check_stack(spec)
        return
    (x_name, x), (y_name, y) = next(iter(spec.inputs.items())), next(iter(spec.targets.items()))
    features, examples = _size_of(x)
    for index, layer in enumerate(spec.layers):
        width = _Width(layer, index, rows=spec.convention == "rows")
        features = width.check(features, x if index == 0 else None, ("inputs", x_name))
    check_last(spec, features or 1)
    _check_target(y, ("targets", y_name), features or 1, examples, spec.loss)


def _check_stack(spec: Spec) -> None:
    """Layers of all types, written one after the other; also learns the names of all values."""
    _check_inputs(spec)
    try:
        place, _ = first_place(spec)
    except SpecError as e:
        raise _at(e, "inputs") from None
    outputs = [place]
    for index, layer in enumerate(spec.layers):
        row = LAYERS[layer.type]
        if layer.type == "dense" and isinstance(place.features, int) and not place.maps:
            _Width(layer, index, rows=spec.convention == "rows").check(place.features, None, ("inputs",))
        elif row.sized and row.reads != "images" and layer.units is None:
            raise ValueProblem("missing units", "layers", index, hint="write the number of units, as in units: 2")
        try:
            place, _ = lay(plan_of(layer, spec, index), replace(place, layer=index + 1), outputs)
        except SpecError as e:
            raise _at(e, "layers", index) from None
        outputs.append(place)
        if layer.units is None:  # what the file says stays: attention that projects back gives other features than units
            layer.units = int(place.features) if isinstance(place.features, int) and not place.maps else 1
    _check_output(spec, place)
    try:
        network = network_of(spec)
    except SpecError as e:
        raise _at(e, "layers") from None
    names = [*network.names("input"), *network.names("target"), *network.names("parameter"), *network.names("value")]
    spec._stacked = [n for n in names if n != "L"] + [*network.aliases, "L"], network.names("parameter")


def _check_inputs(spec: Spec) -> None:
    """Layers other than dense need sizes that are known; images of several channels are equally large."""
    sizes = []
    for name, x in spec.inputs.items():
        if isinstance(x, Size) and x.size is None:
            raise ValueProblem("the number of features is needed", "inputs", name, hint="write {size: 2}")
        sizes.append((x.size, x.batch) if isinstance(x, Size) else shape(x))
        if sizes[-1] != sizes[0]:
            raise ValueProblem("the images of all inputs must be equally large", "inputs", name)


def _check_output(spec: Spec, place: Place) -> None:
    (name, y), = spec.targets.items()
    if not place.maps:
        check_last(spec, int(place.features))
        _check_target(y, ("targets", name), place.features, place.samples, spec.loss)  # type: ignore[arg-type]
        return
    wanted = tuple(int(d) for d in place.a.shape) or (1, 1)
    if not isinstance(y, Size) and (shape(y) if len(shape(y)) == 2 else (1, *shape(y)) if shape(y) else (1, 1)) != wanted:
        raise ValueProblem(f"expected {wanted[0]} rows of {wanted[1]}, like the image that the last layer gives", "targets", name)


def _at(e: SpecError, *path: str | int) -> ValueProblem:
    """The sentence without the number of the layer, which the place in the file says."""
    return ValueProblem(re.sub(r"^layer \d+: ", "", e.sentence), *path, hint=e.hint)


def _size_of(value: Values | Size) -> tuple[int | None, int | str | None]:
    """Features of one example, and how many examples (None: a single one)."""
    if isinstance(value, Size):
        return value.size, value.batch
    size = shape(value)
    return (size[1], size[0]) if len(size) == 2 else (size[0] if size else 1, None)


class _Width:
    """The sizes of one dense layer: given, or found from W or b."""

    def __init__(self, layer: Layer, index: int, *, rows: bool) -> None:
        self.layer, self.index, self.rows = layer, index, rows
        self.w = None if layer.W is None else shape(layer.W) or (1, 1)
        self.b = None if layer.b is None else shape(layer.b) or (1,)
        self.order = "one row an input, one column a unit" if rows else "one row a unit, one column an input"

    def problem(self, key: str, sentence: str, hint: str = "") -> ValueProblem:
        return ValueProblem(sentence, "layers", self.index, *([key] if key else []), hint=hint)

    def check(self, fan_in: int | None, x: Any, x_path: tuple[Step, ...]) -> int:
        """The number of units; fills in what was left out, also the size of the input."""
        self.check_bias()
        if self.w and len(self.w) == 1:
            hint = "write two pairs of brackets, as in [[0.40, 0.45]]"
            raise self.problem("W", f"expected a list of rows ({self.order})", hint)
        units = self.units(fan_in)
        if fan_in is None:
            if self.w is None:
                raise ValueProblem("the number of features cannot be found out", *x_path, hint="write {size: 2}")
            fan_in = self.w[0 if self.rows else 1]
            if isinstance(x, Size):
                x.size = fan_in
        self.check_weights(units, fan_in)
        if self.b and self.b != (units,):
            raise self.problem("b", f"{_times(self.b)}, expected {units} (one a unit)",
                               "a bias is a flat list" if len(self.b) == 2 else "")  # fmt: skip
        if units == 1 and self.layer.activation in VECTOR_FUNCTIONS:
            raise self.problem("activation", f"{self.layer.activation} of a single unit is always the same",
                               "it needs at least 2 units")  # fmt: skip
        self.layer.units = units
        return units

    def check_bias(self) -> None:
        layer = self.layer
        if layer.b is not None and not layer.bias:
            raise self.problem("bias", "false, but b is given", "delete one of the two")
        if layer.W is not None and layer.b is None:
            if layer.bias and "bias" in layer.model_fields_set:
                raise self.problem("bias", "true, and W is given without b", "give b, or leave bias out")
            layer.bias = False  # a layer with W and no b has no bias

    def units(self, fan_in: int | None) -> int:
        if self.layer.units is not None:
            return self.layer.units
        if self.w is not None:
            turned = fan_in is not None and self.w[0 if self.rows else 1] != fan_in == self.w[1 if self.rows else 0]
            return self.w[1 if self.rows != turned else 0]
        if self.b is not None:
            return self.b[0]
        raise self.problem("", "missing units", "write the number of units, as in units: 2")

    def check_weights(self, units: int, fan_in: int) -> None:
        expected = (fan_in, units) if self.rows else (units, fan_in)
        if self.w is None or self.w == expected:
            return
        hint = ""
        if self.w == expected[::-1]:
            hint = "it is transposed: " + ("leave out" if self.rows else "turn it, or write") + " 'convention: rows'"
        raise self.problem("W", f"{_times(self.w)}, expected {_times(expected)} ({self.order})", hint)


def _times(size: tuple[int, ...]) -> str:
    return " x ".join(map(str, size)) if len(size) == 2 else f"{size[0]} number{'s' * (size[0] != 1)}"


def _check_target(y: Values | Size, path: tuple[Step, ...], units: int, examples: int | str | None, loss: str | None) -> None:
    """A target is one number a unit and one row an example; fill in its sizes.

    A loss over classes also takes the number of the class.
    """
    if class_indices(loss, y, units, examples, str(path[-1])):
        return
    if isinstance(y, Size):  # what is left out is as the network has it
        y.size = units if y.size is None else y.size
        y.batch = examples if y.batch is None else y.batch
    size, batch = _size_of(y)
    if batch is None and examples is not None:
        hint = "write one row an example: [[1], [0]]" if not isinstance(y, Size) else ""
        raise ValueProblem(f"expected {examples} rows, one an example, as in the input", *path, hint=hint)
    if batch != examples:
        expected = "a single example" if examples is None else f"{examples} examples"
        raise ValueProblem(f"examples: {batch}, but the last layer gives {expected}", *path)
    if size != units:
        raise ValueProblem(f"{_times((size or 0,))} an example, expected {units} (one a unit of the last layer)", *path)
