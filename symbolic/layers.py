"""Networks stacked from layers: each layer of the table writes its equations on the board.

>>> net = stack(inputs=("x", 2), target="y", loss="half_squared_error",
...             layers=[LayerPlan(units=2, activation="sigmoid"), LayerPlan(units=1)])
>>> for eq in net.equations: print(eq)
z1 = W1 @ x + b1
a1 = sigmoid(z1)
z2 = W2 @ a1 + b2
a2 = identity(z2)
L = 1/2*(a2 - y)**2
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import expr as ex
from .errors import SpecError
from .expr import Dim, Expr, Samples
from .language.takes import part
from .losses import loss_equation
from .models.layertypes import LAYERS, Board, Place, activate, activations as activations
from .network import Equation, LayerPlan, Network, Shortcut, Symbol


def place_of(inputs: Mapping[str, Any], first: LayerPlan, *, features: Dim, samples: Dim | None, rows: bool) -> tuple[Place, list[Symbol]]:
    """Where the first layer stands, and the symbols of what comes in.

    inputs: names; several only where the first layer reads one image a name. features, samples:
    columns and rows of what the file gives.
    """
    row = LAYERS[first.type]
    n = Samples(samples) if isinstance(samples, int) else samples
    place = Place(1, ex.ZERO, features, n, rows)
    if row.reads == "images":
        shape = (samples or 1, features)
        symbols = [Symbol(name, shape, "input", name, letters=("k", "l"), as_written=False) for name in inputs]
        maps = tuple(s.expr for s in symbols)
        if first.type == "conv1d" and len(maps) == 1 and samples is not None and samples != 1:  # one row a channel
            maps = tuple(part(maps[0], [c], None) for c in range(int(samples)))
        return replace(place, a=maps[0], maps=maps, samples=None), symbols
    (name,) = inputs
    kind, letters = ("constant" if row.reads == "indices" else "input"), ("m", "i") if rows else ("i", "m")
    size = (1, features) if row.reads == "indices" else place.oriented(features, n)
    x = Symbol(name, size, kind, name, letters=letters, as_written=False)
    return replace(place, a=x.expr), [x]


def stack(inputs: tuple[str, Dim] | tuple[Mapping[str, Any], Dim], target: str, layers: Sequence[LayerPlan], loss: str, *,
          samples: Dim | None = None, rows: bool = False, reduction: str = "mean", options: Mapping[str, Any] | None = None) -> Network:
    """Layers one upon another, and a loss: z1, a1, z2, a2 (= y_hat), L.

    inputs: name (or names) and number of features; samples: examples in a batch, None for a single example.
    options: values for the options of the loss. Raises SpecError, naming the layer, for sizes that do not fit.
    """
    given, features = inputs
    names = {given: None} if isinstance(given, str) else given
    place, leaves = place_of(names, layers[0], features=features, samples=samples, rows=rows)
    symbols = {s.name: s for s in leaves}
    equations: list[Equation] = []
    constants: dict[str, Any] = {}
    shortcuts: list[Shortcut] = []
    outputs = [place]
    for number, plan in enumerate(layers, 1):
        place, board = lay(plan, replace(place, layer=number), outputs, last=number == len(layers))
        symbols.update(board.symbols)
        equations += board.equations
        constants.update(board.constants)
        shortcuts += board.shortcuts
        outputs.append(place)
    if place.maps and len(place.maps) > 1:
        raise SpecError(f"the last layer gives {len(place.maps)} images", hint="put {type: flatten} and a dense layer behind it")
    letters = ("m", "j") if rows else ("j", "m")
    y = Symbol(target, place.a.shape if place.maps else place.oriented(place.features, place.samples), "target", target, letters=letters, as_written=False)
    symbols[target] = y
    for d in sorted({d for s in symbols.values() for d in s.shape if isinstance(d, str)}):
        symbols[d] = Symbol(d, (), "size", d)
    count = int(place.a.shape[0]) * int(place.a.shape[1]) if place.maps and place.a.shape else place.features
    equations.append(loss_equation(loss, place.a, y.expr, outputs=count, samples=place.samples, reduction=reduction, rows=rows, options=options))
    symbols["L"] = Symbol("L", (), "value", "L")
    if len(layers) == 1:  # with one layer the board writes w, b, z without a number
        symbols = {k: replace(s, layer=None) for k, s in symbols.items()}
    return Network(tuple(equations), symbols, {"y_hat": equations[-2].name}, tuple(layers), rows, constants,
                   shortcuts=tuple(s for s in shortcuts if sum(s.wrt in eq.rhs.names for eq in equations) == 2))  # a residual adds a third path


def lay(plan: LayerPlan, at: Place, before: Sequence[Place], *, last: bool = False) -> tuple[Place, Board]:
    """One layer written down: where the next one stands, and the board with its equations.

    before: the places of all layers so far, for a residual connection.
    """
    row = LAYERS[plan.type]
    plan = replace(plan, options=tuple({**row.options, **dict(plan.options)}.items()))
    if row.reads == "images" and at.maps is None:
        raise SpecError(f"layer {at.layer}: {plan.type} reads an image, and the layer before gives a vector")
    if row.reads == "vectors" and at.maps is not None:
        raise SpecError(f"layer {at.layer}: {plan.type} reads a vector, and the layer before gives an image", hint="put {type: flatten} between them")
    board = Board(at, plan, last=last, image=row.reads == "images" and plan.type != "flatten")
    written = row.build(plan, at, board)
    outs = written if isinstance(written, tuple) else (written,)
    after = replace(at, features=board.features, samples=board.samples, maps=None)
    made = [_output(plan, at, board, before, rhs, tag=str(k + 1) if len(outs) > 1 else "") for k, rhs in enumerate(outs)]
    return replace(after, a=made[0], maps=tuple(made) if board.images else None), board


def _output(plan: LayerPlan, at: Place, board: Board, before: Sequence[Place], rhs: Expr, tag: str) -> Expr:
    """z, then a = activation(z), then what a residual connection adds."""
    if board.named:  # a recurrent layer has named its last state itself
        return rhs
    if plan.type != "dense" and plan.activation == "identity" and not plan.residual:
        return board.let("a", rhs, tag, out=True)
    z = board.let("z", rhs, tag, letters=board.unit_letters)
    if not plan.residual:
        return board.let("a", activate(plan, z, board), tag, out=True)
    if plan.residual > len(before) or at.maps is not None:
        raise SpecError(f"layer {at.layer}: residual {plan.residual} reaches back before the input")
    h = z if plan.activation == "identity" else board.let("h", activate(plan, z, board), tag)
    skip = before[-plan.residual].a
    if skip.shape != h.shape:
        raise SpecError(f"layer {at.layer}: a residual connection adds {ex.show_shape(skip.shape)} to {ex.show_shape(h.shape)}",
                        hint="both ends need the same number of units")
    return board.let("a", ex.node("add", (h, skip)), tag, out=True)
