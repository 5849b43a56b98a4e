r"""Computational graphs laid out in layers and drawn as TikZ: plain data in, text out.

Every wire carries its label in a column of its own, so labels cannot lie upon boxes or upon
each other; igraph orders each column so that few wires cross.  All lengths are millimetres.

>>> nodes = [Node("a", "a", "input"), Node("b", "b", "value", "4a")]
>>> edges = [Edge("a", "b", above="3", below="4"), Edge("b", "", above="12", below="1")]
>>> [picture] = pictures(nodes, edges, width=140, height=60)
>>> r"\cgvalue" in picture and picture.startswith(r"\begin{tikzpicture}[cg]")
True
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import igraph

from symbolic.render.measure import measure

Point = tuple[float, float]
KINDS = ("input", "parameter", "value", "gate", "loss")


@dataclass(frozen=True)
class Node:
    """A box of the graph; `tex` and the small caption `sub` are mathematics without dollars."""

    id: str
    tex: str
    kind: str
    sub: str = ""

    @property
    def plain(self) -> bool:
        """Leaves are bare letters; everything computed has a box."""
        return self.kind in ("input", "parameter")


@dataclass(frozen=True)
class Edge:
    """A wire with the forward value above it and the gradient below; no target: the way out."""

    source: str
    target: str
    above: str = ""
    below: str = ""


@dataclass(frozen=True)
class Style:
    """Sizes of one step of compactness; the least is 70% of the largest."""

    node_pt: int
    leaf_pt: int
    label_pt: int
    box: float  # height of a box, diameter of a gate
    gap: float  # least free height between neighbours of a column
    lane: float  # least free width between columns
    slope: float  # wires may climb this many mm per mm where width is plenty
    small: bool = False


ROOMY = Style(9, 10, 8, box=7.4, gap=2.4, lane=3.4, slope=1.3)
TIGHT = Style(9, 10, 8, box=7.0, gap=0.9, lane=2.6, slope=1.6)
SMALL = Style(8, 8, 6, box=5.2, gap=0.7, lane=2.4, slope=1.6, small=True)
CLEAR = 0.5  # between a wire and the text above or below it
PAD = 1.2  # between a box's text and its frame, left and right


@dataclass(frozen=True)
class Box:
    """A rectangle around the point (x, y), where wires come in and go out; y grows upwards."""

    x: float
    y: float
    width: float
    up: float
    down: float

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        return self.y + self.up

    @property
    def bottom(self) -> float:
        return self.y - self.down

    def overlaps(self, other: Box) -> bool:
        return (self.left < other.right and other.left < self.right
                and self.bottom < other.top and other.bottom < self.top)

    def meets(self, a: Point, b: Point) -> bool:
        """Does the segment from a to b pass through the inside (clipping after Liang and Barsky)?"""
        low, high = 0.0, 1.0
        for start, end, least, most in ((a[0], b[0], self.left, self.right),
                                        (a[1], b[1], self.bottom, self.top)):
            if start == end:
                if not least < start < most:
                    return False
                continue
            first, last = sorted(((least - start) / (end - start), (most - start) / (end - start)))
            low, high = max(low, first), min(high, last)
        return low < high


@dataclass(frozen=True)
class Layout:
    """Where everything stands; `labels` and `wires` follow the order of the edges."""

    nodes: dict[str, Box]
    labels: tuple[Box | None, ...]
    wires: tuple[tuple[Point, ...], ...]
    width: float
    height: float

    def fits(self, width: float, height: float) -> bool:
        return self.width <= width + 1e-6 and self.height <= height + 1e-6


@dataclass
class _Vertex:
    """A node, a label, or the bend of a long wire, in one column; y grows downwards here."""

    column: int
    width: float = 0.0
    up: float = 0.3
    down: float = 0.3
    bend: bool = False
    y: float = 0.0
    near: list[tuple[int, float]] = field(default_factory=list)  # neighbours and their pull


# --- what stands in which column -------------------------------------------------------------


def ranks(nodes: Sequence[Node], edges: Sequence[Edge]) -> dict[str, int]:
    """Steps from the inputs to each node; a leaf stands just before the first box that uses it."""
    rank = {node.id: 0 for node in nodes}
    if len(rank) < len(nodes):
        raise ValueError("two nodes of the graph have the same id")
    wires = [edge for edge in edges if edge.target]
    for edge in edges:
        for end in (edge.source, edge.target or edge.source):
            if end not in rank:
                raise ValueError(f"an edge ends at {end!r}, which is no node of the graph")
    for _ in range(len(nodes) + 1):
        late = [edge for edge in wires if rank[edge.target] <= rank[edge.source]]
        if not late:
            break
        for edge in late:
            rank[edge.target] = max(rank[edge.target], rank[edge.source] + 1)
    else:
        raise ValueError("the graph has a cycle; a computational graph must not")
    entered = {edge.target for edge in wires}
    for node in nodes:
        users = [rank[edge.target] for edge in wires if edge.source == node.id]
        if node.id not in entered and users:
            rank[node.id] = min(users) - 1
    return rank


def _node_vertex(node: Node, column: int, style: Style) -> _Vertex:
    width, height = measure(node.tex, style.leaf_pt if node.plain else style.node_pt)
    if node.sub:
        below, more = measure(node.sub, 6)
        width, height = max(width, below), height + more + 0.4
    if node.plain:
        return _Vertex(column, width + 0.8, height / 2, height / 2)
    half = max(style.box, height + 1.4) / 2
    return _Vertex(column, max(2 * half, width + 2 * PAD), half, half)


def _label_vertex(edge: Edge, column: int, style: Style) -> _Vertex:
    vertex = _Vertex(column, bend=not (edge.above or edge.below))
    if edge.above:
        width, height = measure(edge.above, style.label_pt)
        vertex.width, vertex.up = width, height + CLEAR
    if edge.below:
        width, height = measure(edge.below, style.label_pt)
        vertex.width, vertex.down = max(vertex.width, width), height + CLEAR
    return vertex


def _vertices(nodes: Sequence[Node], edges: Sequence[Edge],
              style: Style) -> tuple[list[_Vertex], list[list[int]], list[int]]:
    """All vertices, the chain of vertices along each edge, and each edge's label vertex.

    Nodes stand in even columns, labels in odd ones: along a long wire, in the emptiest.
    """
    rank = ranks(nodes, edges)
    place = {node.id: index for index, node in enumerate(nodes)}
    vertices = [_node_vertex(node, 2 * rank[node.id], style) for node in nodes]
    load: dict[int, float] = {}
    chains, labels = [], []
    for edge in edges:
        first = 2 * rank[edge.source] + 1
        last = 2 * rank[edge.target] if edge.target else first + 1
        label = _label_vertex(edge, first, style)
        label.column = min(range(first, last, 2), key=lambda c: (load.get(c, 0.0), c))
        load[label.column] = load.get(label.column, 0.0) + label.up + label.down + style.gap
        chain = [place[edge.source]]
        for column in range(first, last):
            if column == label.column:
                labels.append(len(vertices))
            chain.append(len(vertices))
            vertices.append(label if column == label.column else _Vertex(column, bend=True))
        chains.append(chain + ([place[edge.target]] if edge.target else []))
    return vertices, chains, labels


# --- heights and widths ----------------------------------------------------------------------


def _columns(vertices: Sequence[_Vertex], chains: Sequence[Sequence[int]]) -> list[list[int]]:
    """The vertices of each column from top to bottom, few wires crossing (igraph, no chance)."""
    graph = igraph.Graph(n=len(vertices), directed=True,
                         edges=[link for chain in chains for link in zip(chain, chain[1:])])
    placed = graph.layout_sugiyama(layers=[vertex.column for vertex in vertices], maxiter=200)
    columns: list[list[int]] = [[] for _ in range(1 + max(v.column for v in vertices))]
    for index in sorted(range(len(vertices)), key=lambda i: (round(placed[i][0], 6), i)):
        columns[vertices[index].column].append(index)
    return columns


def _spread(column: Sequence[_Vertex], wanted: Sequence[float], gap: float, room: float) -> None:
    """Put a column as near to the wanted heights as its boxes allow (isotonic least squares)."""
    offsets = [0.0]
    for upper, lower in zip(column, column[1:]):
        offsets.append(offsets[-1] + upper.down + gap + lower.up)
    blocks: list[tuple[float, int]] = []  # (mean, members), means rising
    for want, offset in zip(wanted, offsets):
        mean, members = want - offset, 1
        while blocks and blocks[-1][0] >= mean:
            before, count = blocks.pop()
            mean = (before * count + mean * members) / (count + members)
            members += count
        blocks.append((mean, members))
    shifts = [mean for mean, members in blocks for _ in range(members)]
    least, most = column[0].up, room - offsets[-1] - column[-1].down
    for vertex, shift, offset in zip(column, shifts, offsets):
        vertex.y = max(min(shift, most), least) + offset


def _heights(vertices: list[_Vertex], chains: Sequence[Sequence[int]],
             columns: Sequence[Sequence[int]], gap: float, height: float) -> float:
    """Set every y; return the height in use.  Long wires pull hardest, so they run straight."""
    for chain in chains:
        for one, two in zip(chain, chain[1:]):
            pull = 8.0 if vertices[one].bend and vertices[two].bend else 1.0
            pull = max(pull, 3.0 if vertices[one].bend or vertices[two].bend else 1.0)
            vertices[one].near.append((two, pull))
            vertices[two].near.append((one, pull))
    stacks = [[vertices[index] for index in column] for column in columns]
    tallest = max(sum(v.up + v.down + gap for v in stack) - gap for stack in stacks if stack)
    room = max(tallest, min(height, 1.25 * tallest + 6))
    for stack in stacks:
        _spread(stack, [room / 2] * len(stack), gap, room) if stack else None
    for sweep in range(40):
        for stack in stacks if sweep % 2 else reversed(stacks):
            if stack:
                _spread(stack, [_wanted(vertices, vertex) for vertex in stack], gap, room)
    top = min(vertex.y - vertex.up for vertex in vertices)
    for vertex in vertices:
        vertex.y -= top
    return max(vertex.y + vertex.down for vertex in vertices)


def _wanted(vertices: Sequence[_Vertex], vertex: _Vertex) -> float:
    total = sum(pull for _, pull in vertex.near)
    return sum(vertices[i].y * pull for i, pull in vertex.near) / total if total else vertex.y
