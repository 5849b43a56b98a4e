"""Which figures a page gets: the network, the path of one weight, the computational graph."""

from __future__ import annotations

from math import prod
from typing import Any

from mpmath import mp

from ..derive import paths
from ..expr import is_samples, show_shape, walk
from ..language.arithmetic import MP, entries
from ..latex import COLOURS, Printer
from ..network import Network
from ..pages.sheet import Sheet, TexStep
from ..values import DIGITS
from .graph import Edge, Node, pictures
from .netfigure import network
from .view import Tex, View

MOST_NODES = 30  # a scalar graph with more nodes than this is drawn with matrices instead
MOST_UNITS = 40


def _units(view: View) -> list[list[str]]:
    """The labels of the units, layer by layer, inputs first."""
    net = view.network
    scalar_symbols = Printer(net)
    x = net.symbols[net.names("input")[0]]
    feature = 1 if net.rows else 0
    out = [_labels(scalar_symbols, x, feature)]
    for i in range(1, len(net.layers) + 1):
        out.append(_labels(scalar_symbols, net.symbols[f"a{i}"], feature))
    return out


def _labels(printer: Printer, symbol: Any, axis: int) -> list[str]:
    size = symbol.shape[axis] if symbol.shape else 1
    count = size if isinstance(size, int) else 1
    if not symbol.shape or count == 1:
        return [printer.symbol(symbol.__class__(symbol.name, (), symbol.kind, symbol.base, symbol.layer))]
    plain = symbol.__class__(symbol.name, (), symbol.kind, symbol.base, symbol.layer)
    return [printer.symbol(plain, (str(k + 1),)) for k in range(count)]


def _captions(net: Network) -> list[str]:
    depth = len(net.layers)
    return ["input", *(f"{'output' if i == depth - 1 else 'hidden'}, {p.activation.replace('_', ' ')}" for i, p in enumerate(net.layers))]


def network_frame(view: View, width: float, height: float) -> dict[str, Tex] | None:
    """The network drawn, with a caption; None for plain equations."""
    net = view.network
    if not net.plain_stack:
        return None
    picture = network(_units(view), loss=view.printer.name(net.output), names=_captions(net), width=width, height=height)
    count = sum(prod(d for d in net.symbols[n].shape if isinstance(d, int)) for n in net.names("parameter"))
    return {"picture": Tex(picture), "caption": Tex(f"{count} parameters")}


def path_figure(view: View, step: TexStep, width: float, height: float) -> str:
    """The network with the path from one weight to the loss, '' where no single path is shown."""
    net, s = view.network, step.shown
    if s.level != "scalar" or not net.plain_stack or not any(x.kind == "path" for x in step.lines):
        return ""
    symbol = view.sheet.scalar_network.symbols[s.wrt]
    widths = [len(u) for u in _units(view)]
    if symbol.base != "w" or max(widths) > MOST_UNITS or symbol.layer is None and len(net.layers) > 1:
        return ""
    if any(is_samples(d) and d != 1 for d in net.symbols[net.names("input")[0]].shape):
        return ""
    marks = _marks(view, step, symbol)
    if not marks:
        return ""
    first = min(marks)[:3]
    return network(_units(view), loss=view.printer.name(net.output), highlight=marks, width=width, height=height,
                   weights={first: view.scalar_printer.name(s.wrt)})


def _marks(view: View, step: TexStep, symbol: Any) -> list[tuple[int, int, int, str]]:
    """The edges of the path: (layer, from unit, to unit, colour), coloured like the factors."""
    scalar = view.sheet.lesson.scalar
    if scalar is None:
        return []
    net = scalar.network
    found = paths(scalar, step.shown.wrt)
    if len(found) != 1:
        return []
    marks = []
    for k, (name, term) in enumerate(found[0]):
        own, through = net.symbols[name], net.symbols[term.through]
        if term.through == net.output:
            marks.append((len(net.layers), _unit(own), 0, COLOURS[k % 5]))
        if own.base == "w" and through.base == "z":
            to, origin = _unit(through), _from(own, view.network, symbol)
            marks.append(((own.layer or 1) - 1, origin, to, COLOURS[k % 5]))
        elif own.base == "a" and through.base == "z":
            marks.append((own.layer or 1, _unit(own), _unit(through), COLOURS[k % 5]))
    return marks


def _unit(symbol: Any) -> int:
    return symbol.index[0] if symbol.index else 0


def _from(own: Any, net: Network, symbol: Any) -> int:
    """The input unit of a weight, whichever way the matrix lies."""
    shape = net.symbols[own.parent or own.name].shape
    if not shape or not own.index:
        return 0
    full = list(own.index)
    if len(full) == 2:
        return int(full[0] if net.rows else full[1])
    lone_input = shape[0 if net.rows else 1] == 1
    return 0 if lone_input else int(full[0])


# ---------------------------------------------------------------- computational graph

def graph(sheet: Sheet, width: float, height: float) -> tuple[list[str], bool]:
    """The computational graph as pictures, and whether its wires carry numbers.

    Scalar where it is small enough, otherwise one node a matrix with shapes on the wires.
    """
    lesson = sheet.lesson
    scalar = lesson.scalar
    small = scalar is not None and sum(s.kind != "size" for s in scalar.network.symbols.values()) <= MOST_NODES
    derivation = scalar if small and scalar is not None else lesson.derivation
    net = derivation.network
    values = sheet.scalar_values if small and not sheet.network.is_scalar else sheet.values
    numbers = bool(small and values)
    printer = Printer(net, colour=False)
    if len(net.symbols) > MOST_NODES or (not net.layers and len(net.symbols) < 2):
        return [], numbers
    nodes = [_node(s, net, printer) for s in net.symbols.values() if s.kind != "size"]
    wires = []
    with mp.workdps(DIGITS):
        decimals = sheet.numbers(printer, scalar=True) if net is not sheet.network else sheet.numbers(printer)
        for eq in net.equations:
            for name in _used(eq.rhs, net):
                wires.append(_wire(net, derivation, eq.name, name, values, decimals, numbers))
        if numbers and net.output in values:
            wires.append(Edge(net.output, "", above=decimals.cells(net.output)[0][0], below="1"))
    return pictures(nodes, wires, width=width, height=height), numbers


def _used(rhs: Any, net: Network) -> list[str]:
    return list(dict.fromkeys(e.data for e in walk(rhs) if e.op == "sym" and net.symbols[e.data].kind != "size"))


def _node(s: Any, net: Network, printer: Printer) -> Node:
    computed = next((eq for eq in net.equations if eq.name == s.name), None)
    kind = "loss" if s.name == net.output else "value" if computed else "parameter" if s.kind == "parameter" else "input"
    sub = printer(computed.rhs) if computed is not None and not net.layers and len(printer(computed.rhs)) <= 24 else ""
    return Node(s.name, printer.name(s.name), kind, sub)


def _wire(net: Network, derivation: Any, target: str, source: str, values: Any, decimals: Any, numbers: bool) -> Edge:
    """One use of a value: what flows forward, and what this use sends back."""
    if not numbers:
        return Edge(source, target, above=show_shape(net.symbols[source].shape).replace("x", r"\times") if net.symbols[source].shape else "")
    above = decimals.cells(source)[0][0] if source in values else ""
    step = derivation.steps.get(source)
    term = next((t for t in step.terms if t.through == target), None) if step else None
    below = ""
    if term is not None:
        try:
            below = decimals.cell(entries(term.final, values, MP)[0][0])
        except KeyError:
            below = ""
    return Edge(source, target, above=above, below=below)
