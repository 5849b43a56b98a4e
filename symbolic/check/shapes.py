"""Arrays of a student's file in the network's own shapes, through the layout that the file uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy

from .. import expr as ex
from .calls import Supply
from .layouts import Layout, distinct


@dataclass(frozen=True)
class Tensor:
    """One gradient as the file gave it: raw, and in the network's shape (None where its shape fits nothing).

    path: where it came from; line: of the student's file, 0 where unknown; note: what was done to its shape; clash: why it cannot be
    taken off its parameter as it is, though its numbers are in order.
    """

    array: Any
    raw: Any
    path: str
    line: int = 0
    note: str = ""
    clash: str = ""


def all_differ(supply: Supply) -> bool:
    """Whether shapes say what an array is: all sizes differ, the number of examples too."""
    return bool(supply.sizes) and distinct([*supply.sizes, supply.examples]) and (supply.examples > 1 or supply.layout.vectors)


def reduces_by_mean(supply: Supply) -> bool:
    """Whether the loss is a mean over the examples: whether their number, or a symbol for it, divides it."""
    network = supply.plain.network
    samples = [d for d in network.symbols[supply.plain.x].shape if ex.is_samples(d) or isinstance(d, str)]
    if not samples:
        return False
    loss = next(e for e in network.equations if e.name in ("L", "D"))
    count, outputs = supply.examples, supply.sizes[-1]
    for n in ex.walk(loss.rhs):
        if n.op == "sym" and n.data == str(samples[0]) or n.op == "size":
            return True
        if n.op == "num" and count > 1 and hasattr(n.data, "denominator") and n.data.denominator % count == 0 and n.data.denominator // count in (1, 2, outputs, 2 * outputs):
            return True
    return False


def value_of(supply: Supply, name: str, raw: Any) -> Any | None:
    """A value of the forward pass in the network's shape, None where it does not fit."""
    raw = numpy.asarray(raw)
    network, plain = supply.plain.network, supply.plain
    if name == "loss":
        return raw.reshape(()).astype(float) if raw.size == 1 and raw.dtype.kind in "fiu" else None
    target = network.resolve(name)
    if target not in network.symbols or raw.dtype.kind not in "fiu":
        return None
    if not plain.depth:
        want = tuple(int(d) for d in network.symbols[target].shape if d != 1)
        return raw.astype(float).reshape(tuple(map(int, network.symbols[target].shape)) or (1, 1)) if tuple(d for d in raw.shape if d != 1) == want else None
    layer = int(target[1:]) if target[1:].isdigit() else plain.depth
    units = supply.sizes[layer]
    want = (supply.examples, units)
    layout = supply.layout
    made = numpy.empty(want)
    shaped = numpy.shape(layout.examples(made))
    if raw.shape == shaped or raw.size == made.size and tuple(d for d in raw.shape if d != 1) == tuple(d for d in shaped if d != 1):
        turned = raw.reshape(shaped).astype(float)
        back = turned.reshape(want) if layout.vectors or layout.numbers or layout.rows else turned.T
        return plain.back(target, back)
    return None


def tensor(supply: Supply, name: str, path: str, raw: Any, lines: Mapping[str, int], *, each: bool = False) -> Tensor:
    """A gradient in the network's shape, through the layout of its parameter; each: the file gives one gradient for each example."""
    raw = numpy.asarray(raw)
    line = lines.get(name) or lines.get(f"{name[0]}*") or 0
    if raw.dtype.kind not in "fiub":
        return Tensor(None, raw, path, line, f"holds {raw.dtype}, not numbers")
    array = raw.astype(float)
    shape, layout, plain = supply.shape(name), supply.layout, supply.plain
    if not plain.depth or layout.as_is:
        want = numpy.shape(supply.leaves[name])
        return Tensor(array.reshape(want) if array.size == supply.leaves[name].size else None, raw, path, line)
    note = clash = ""
    if each and array.ndim == len(shape) + 1 and array.shape == (supply.examples, *shape):
        array = array.mean(axis=0) if reduces_by_mean(supply) else array.sum(axis=0)
        note = "one gradient for each example, taken together as the loss does"
    if array.shape != shape and array.size == int(numpy.prod(shape)) and tuple(d for d in array.shape if d != 1) == tuple(d for d in shape if d != 1):
        note = note or (f"{_said(array.shape)} for a parameter of {_said(shape)}" if array.size > 1 else "")
        both = numpy.broadcast_shapes(array.shape, shape)
        if numpy.prod(both) > array.size:
            clash = f"Its shape is {_said(array.shape)}, that of the parameter {_said(shape)}: taken off it, NumPy spreads the two to {_said(both)}."
        array = array.reshape(shape)
    if array.shape != shape:
        return Tensor(None, raw, path, line, f"has the shape {_said(raw.shape)}, its parameter {_said(shape)}")
    return Tensor(plain.back(name, _plain(layout, name, array, supply)).reshape(numpy.shape(supply.raw[name])), raw, path, line, note, clash)


def _said(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))}{',' * (len(shape) == 1)})" if shape else "a number"


def _plain(layout: Layout, name: str, array: Any, supply: Supply) -> Any:
    if name[0] == "b":
        return array.reshape(-1)
    inputs, outputs = supply.leaves[name].shape
    if layout.bias in ("first", "last") and f"b{name[1:]}" in supply.leaves:
        inputs += 1
        whole = array if layout.in_out else array.T
        return whole[1:] if layout.bias == "first" else whole[:-1]
    return array.reshape(inputs, outputs) if layout.numbers or layout.in_out else array.T


def bias_of(supply: Supply, name: str, W: Tensor) -> Tensor:
    """The gradient of a bias that stands in W: its first or last row or column."""
    bias = f"b{name[1:]}"
    if W.array is None:
        return Tensor(None, W.raw, W.path, W.line, W.note)
    whole = numpy.asarray(W.raw, dtype=float).reshape(supply.shape(name))
    whole = whole if supply.layout.in_out else whole.T
    return Tensor(supply.plain.back(bias, whole[0 if supply.layout.bias == "first" else -1]), W.raw, W.path, W.line)
