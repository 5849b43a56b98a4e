"""What has to fit together in layers of all types: sizes are found by writing one layer after the other."""

from __future__ import annotations

import re
from dataclasses import replace

from ..errors import SpecError
from ..layers import LAYERS, lay
from ..models.layertypes import Place
from ..models.stacked import first_place, network_of, plan_of
from ..spec import Size, Spec
from .losscheck import check_last
from .numbers import ValueProblem, shape
from .speccheck import Width, check_target


def check_stack(spec: Spec) -> None:
    """Raise ValueProblem for the first layer that does not fit; fill in units, and learn the names of all values."""
    _check_inputs(spec)
    try:
        place, _ = first_place(spec)
    except SpecError as e:
        raise _at(e, "inputs") from None
    outputs = [place]
    for index, layer in enumerate(spec.layers):
        row = LAYERS[layer.type]
        if layer.type == "dense" and isinstance(place.features, int) and not place.maps:
            Width(layer, index, rows=spec.convention == "rows").check(place.features, None, ("inputs",))
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
        check_target(y, ("targets", name), place.features, place.samples, spec.loss)  # type: ignore[arg-type]
        return
    wanted = tuple(int(d) for d in place.a.shape) or (1, 1)
    if not isinstance(y, Size) and (shape(y) if len(shape(y)) == 2 else (1, *shape(y)) if shape(y) else (1, 1)) != wanted:
        raise ValueProblem(f"expected {wanted[0]} rows of {wanted[1]}, like the image that the last layer gives", "targets", name)


def _at(e: SpecError, *path: str | int) -> ValueProblem:
    """The sentence without the number of the layer, which the place in the file says."""
    return ValueProblem(re.sub(r"^layer \d+: ", "", e.sentence), *path, hint=e.hint)
