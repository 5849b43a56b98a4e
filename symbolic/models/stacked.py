"""From the layers of a spec to a stacked network: plans, sizes, and the numbers of the parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import Any

from ..errors import SpecError, nearest
from ..expr import Samples, Shape, show_shape
from ..functions import FUNCTIONS
from ..layers import LAYERS, lay, place_of, stack
from ..network import LayerPlan, Network, Symbol
from ..reading.paths import spoken
from ..spec import Layer, Spec
from .initial import draw
from .layertypes import Place

Cells = list[list[Any]]
DRAWN = ("w", "u", "e")  # letters of parameters that are drawn; a scale starts at 1, everything else at 0

STARTS = {name: row.start for row in FUNCTIONS.values() if row.start is not None for name in row.names[1:]}  # what an activation learns


def plan_of(layer: Layer, spec: Spec, index: int) -> LayerPlan:
    """The plan of a checked layer; an embedding takes its indices from the input."""
    options = {key: getattr(layer, key) for key in (*LAYERS[layer.type].options, "alpha") if key in layer.model_fields_set}
    if LAYERS[layer.type].reads == "indices" and index == 0:
        x: Any = next(iter(spec.inputs.values()))
        options["ids"] = [int(v) for v in x] if isinstance(x, tuple) and not isinstance(x[0], tuple) and all(v == int(v) for v in x) else None
    bias = layer.bias and not (layer.W is not None and layer.b is None)
    units = layer.units if layer.units is not None else 1
    return LayerPlan(units, layer.activation, bias, layer.type, layer.residual, tuple(options.items()))


def first_place(spec: Spec) -> tuple[Place, list[Symbol]]:
    """Where the first layer stands. Raises SpecError where the sizes of the input are not known."""
    features, samples = measure(next(iter(spec.inputs.values())))[:2]
    return place_of(spec.inputs, plan_of(spec.layers[0], spec, 0), features=features, samples=samples, rows=spec.convention == "rows")


def measure(value: Any) -> tuple[Any, Any, str]:
    """(features, examples or None, form) of an input or target as the file gives it."""
    if value is None or not isinstance(value, (tuple, list)):
        if value is not None and hasattr(value, "size"):
            return value.size if value.size is not None else 1, value.batch, "rows" if value.batch is not None else \
                "list" if value.size is not None else "unknown"
        return 1, None, "number" if value is not None else "unknown"
    if value and isinstance(value[0], (tuple, list)):
        return len(value[0]), len(value), "rows"
    return len(value), None, "list"


def network_of(spec: Spec) -> Network:
    """The network that a checked spec describes. Raises SpecError, naming the layer."""
    features, samples, _ = measure(next(iter(spec.inputs.values())))
    (target,) = spec.targets
    plans = [plan_of(layer, spec, k) for k, layer in enumerate(spec.layers)]
    return stack((dict(spec.inputs), features), target, plans, str(spec.loss), samples=samples, rows=spec.convention == "rows",
                 reduction=spec.reduction, options=spec.loss_options)


def keys_of(spec: Spec, network: Network) -> dict[int, dict[str, str]]:
    """For every layer the parameters as its ``weights`` name them: {'W_q': 'W1_q'}, counting layers from 1."""
    out: dict[int, dict[str, str]] = {}
    place, _ = first_place(spec)
    outputs = [place]
    for number, plan in enumerate(network.layers, 1):
        place, board = lay(plan, replace(place, layer=number), outputs)
        outputs.append(place)
        out[number] = {_without_number(n, number): n for n, s in board.symbols.items() if s.kind == "parameter"}
    return out


def _without_number(name: str, number: int) -> str:
    head, _, tag = name.partition(f"{number}_")
    return f"{head}_{tag}" if tag else name.removesuffix(str(number))


def parameters(spec: Spec, network: Network, leaves: dict[str, Cells]) -> tuple[str, ...]:
    """Weights and biases as given or drawn, put into leaves; returns the names of the drawn ones.

    Raises SpecError for a name that the layer does not have, and for a wrong shape.
    """
    drawn = []
    for number, names in keys_of(spec, network).items():
        layer = spec.layers[number - 1]
        given = {**({"W": layer.W} if layer.W is not None else {}), **({"b": layer.b} if layer.b is not None else {}), **layer.weights}
        for key in given:
            if key not in names:
                path = _path(layer, number, key)
                raise SpecError(f"{spoken(path)}: {key!r} is no parameter of this layer", where=spec.where(*path),
                                hint=nearest(key, names) if names else f"a layer of type {layer.type} has none")
        for key, name in names.items():
            if key in given:
                leaves[name] = _cells_of(given[key], network.symbols[name], spec, layer, number, key)
            elif spec.init is not None and all(isinstance(d, int) for d in network.symbols[name].shape):
                leaves[name] = _first(network, name, spec)
                drawn.append(name)
            elif key in STARTS and given:
                leaves[name] = [[STARTS[key]]]
    return tuple(drawn)


def _cells_of(value: Any, symbol: Symbol, spec: Spec, layer: Layer, number: int, key: str) -> Cells:
    """Numbers of the file in the shape of the network; a flat list is a column or a row, as it fits."""
    shape = symbol.shape or (1, 1)
    if not isinstance(value, tuple):
        cells = [[value]]
    elif isinstance(value[0], tuple):
        cells = [list(row) for row in value]
    else:
        cells = [[v] for v in value] if shape[1] == 1 and shape[0] != 1 else [list(value)]
    if (len(cells), len(cells[0])) != tuple(shape):
        path, flat = _path(layer, number, key), not isinstance(value, tuple) or not isinstance(value[0], tuple)
        count = len(cells) * len(cells[0])
        found = f"{count} number{'s' * (count != 1)}" if flat else show_shape((len(cells), len(cells[0])))
        expected = f"{prod(map(int, shape))} in a flat list" if 1 in shape else show_shape(shape)
        raise SpecError(f"{spoken(path)}: {found}, expected {expected}", where=spec.where(*path),
                        hint="write every row in brackets, as in [[1, 2], [3, 4]]" if flat and 1 not in shape else "")
    return cells


def _path(layer: Layer, number: int, key: str) -> tuple[str | int, ...]:
    """Where a parameter stands in the file: beside the layer's own keys, or under 'weights'."""
    return ("layers", number - 1, *(() if key in ("W", "b") and key not in layer.weights else ("weights",)), key)


def _first(network: Network, name: str, spec: Spec) -> Cells:
    symbol = network.symbols[name]
    shape = symbol.shape or (1, 1)
    rows, columns = int(shape[0]), int(shape[1])
    letter = symbol.base.split("_")[0]
    if letter in STARTS:
        return [[STARTS[letter]] * columns for _ in range(rows)]
    if letter == "gamma":
        return [[1] * columns for _ in range(rows)]
    assert spec.init is not None
    into, out = (rows, columns) if network.rows else (columns, rows)
    if symbol.letters == ("p", "q"):  # every entry of a kernel meets one entry of the output
        into, out = rows * columns, 1
    return draw(spec.init.scheme if letter in DRAWN else "zeros", spec.init.seed, name, (rows, columns), into, out)


def count(network: Network) -> int:
    """How many numbers the network has, as far as its sizes are known."""
    shapes = [network.symbols[n].shape for n in network.names("parameter", "input", "value")]
    return sum(prod(int(d) for d in s) for s in shapes if all(isinstance(d, int) for d in s))


def forms(network: Network, given: Mapping[str, str]) -> dict[str, str]:
    """How the JSON writes every value: in the shape of the file.

    given: the forms of inputs and target as the file has them.
    """
    out = {name: _form(s, s.shape) for name, s in network.symbols.items()}
    if network.plain_stack:  # a unit of its own is a list of one, unless the file writes its neighbour as a number
        x, y = (given.get(n, "list") for n in (network.names("input")[0], network.names("target")[0]))
        batch = any(isinstance(d, (Samples, str)) for d in network.symbols[network.names("input")[0]].shape) or x == "rows"
        for i, plan in enumerate(network.layers, 1):
            lone = plan.units == 1 and (y if i == len(network.layers) else x) == "number"
            out.update({f"{letter}{i}": "number" if lone else "rows" if batch else "list" for letter in "za"})
            out.update({f"W{i}": "matrix", f"b{i}": "list"})
    return {**out, **given, network.output: "number"}


def _form(symbol: Symbol, shape: Shape) -> str:
    examples = [isinstance(d, (Samples, str)) for d in shape]
    if not shape:
        return "number"
    if sum(examples) == 1:
        return "rows"
    return "list" if 1 in shape and symbol.letters != ("p", "q") else "matrix"
