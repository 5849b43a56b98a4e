r"""Layouts of graphs in layers: where boxes, labels and wires stand so that none lies upon another.

Every wire carries its label in a column of its own, so labels cannot lie upon boxes or upon
each other; igraph orders each column so that few wires cross.  All lengths are millimetres.

>>> nodes = [Node("a", "a", "input"), Node("b", "b", "value", "4a")]
>>> laid = layout(nodes, [Edge("a", "b", above="3"), Edge("b", "", above="12")])
>>> laid.nodes["a"].right < laid.labels[0].left < laid.labels[0].right < laid.nodes["b"].left
True
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from .width import measure

Point = tuple[float, float]


@dataclass(frozen=True)
class Node:
    """A box of the graph; `tex` and the small caption `sub` are mathematics without dollars."""

    id: str
    tex: str
    kind: str  # input, parameter, value or loss
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
    box: float  # height of a box
    gap: float  # least free height between neighbours of a column
    lane: float  # least free width between columns
    slope: float  # wires may climb this many mm per mm where width is plenty
    small: bool = False


AIRY = Style(9, 10, 8, box=7.4, gap=6.0, lane=9.0, slope=1.0)
ROOMY = Style(9, 10, 8, box=7.4, gap=2.4, lane=3.4, slope=1.3)
SNUG = Style(9, 10, 8, box=7.0, gap=1.4, lane=2.4, slope=1.6)
TIGHT = Style(9, 10, 8, box=7.0, gap=0.7, lane=2.4, slope=1.6)
SMALL = Style(8, 8, 6, box=5.2, gap=0.6, lane=2.2, slope=1.6, small=True)
STYLES = (AIRY, ROOMY, SNUG, TIGHT, SMALL)
OUT = 4.0  # the arrow behind the last label
CLEAR = 0.4  # between a wire and the text above or below it
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

    def meets(self, a: Point, b: Point) -> bool:
        """Does the segment from a to b pass through the inside (clipping after Liang and Barsky)?"""
        low, high = 0.0, 1.0
        for start, end, least, most in ((a[0], b[0], self.left, self.right), (a[1], b[1], self.bottom, self.top)):
            if start == end and not least < start < most:
                return False
            if start == end:
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
    near: list[tuple[_Vertex, float]] = field(default_factory=list)  # neighbours and their pull


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
    chains: list[list[int]] = []
    labels: list[int] = []
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


def _columns(vertices: Sequence[_Vertex], chains: Sequence[Sequence[int]]) -> list[list[int]]:
    """The vertices of each column from top to bottom, few wires crossing (igraph, no chance)."""
    import igraph  # type: ignore[import-untyped]  # here, because it takes a tenth of a second to load

    graph = igraph.Graph(n=len(vertices), directed=True,
                         edges=[link for chain in chains for link in pairwise(chain)])
    placed = graph.layout_sugiyama(layers=[vertex.column for vertex in vertices], maxiter=200)
    columns: list[list[int]] = [[] for _ in range(1 + max(v.column for v in vertices))]
    for index in sorted(range(len(vertices)), key=lambda i: (round(placed[i][0], 6), i)):
        columns[vertices[index].column].append(index)
    return columns


def _spread(column: Sequence[_Vertex], wanted: Sequence[float], gap: float, room: float) -> None:
    """Put a column as near to the wanted heights as its boxes allow (isotonic least squares)."""
    offsets = [0.0]
    for upper, lower in pairwise(column):
        offsets.append(offsets[-1] + upper.down + gap + lower.up)
    blocks: list[tuple[float, int]] = []  # (mean, members), means rising
    for want, offset in zip(wanted, offsets, strict=False):
        mean, members = want - offset, 1
        while blocks and blocks[-1][0] >= mean:
            before, count = blocks.pop()
            mean = (before * count + mean * members) / (count + members)
            members += count
        blocks.append((mean, members))
    shifts = [mean for mean, members in blocks for _ in range(members)]
    least, most = column[0].up, room - offsets[-1] - column[-1].down
    for vertex, shift, offset in zip(column, shifts, offsets, strict=False):
        vertex.y = max(min(shift, most), least) + offset


def _heights(vertices: list[_Vertex], chains: Sequence[Sequence[int]],
             columns: Sequence[Sequence[int]], gap: float, height: float) -> float:
    """Set every y; return the height in use.  Long wires pull hardest, so they run straight."""
    for chain in chains:
        for one, two in pairwise(chain):
            pull = (1.0, 3.0, 8.0)[vertices[one].bend + vertices[two].bend]
            vertices[one].near.append((vertices[two], pull))
            vertices[two].near.append((vertices[one], pull))
    stacks = [[vertices[index] for index in column] for column in columns]
    tallest = _tallest(stacks, gap)
    room = max(tallest, min(height, 1.25 * tallest + 6))
    for stack in stacks:
        _spread(stack, [room / 2] * len(stack), gap, room)
    for sweep in range(40):
        for stack in stacks if sweep % 2 else reversed(stacks):
            _spread(stack, [_wanted(vertex) for vertex in stack], gap, room)
    top = min(vertex.y - vertex.up for vertex in vertices)
    for vertex in vertices:
        vertex.y -= top
    return max(vertex.y + vertex.down for vertex in vertices)


def _tallest(stacks: Iterable[Sequence[_Vertex]], gap: float) -> float:
    return max(sum(v.up + v.down + gap for v in stack) - gap for stack in stacks if stack)


def _wanted(vertex: _Vertex) -> float:
    """The mean height of the neighbours, by their pull."""
    moment = total = 0.0
    for other, pull in vertex.near:
        moment += other.y * pull
        total += pull
    return moment / total if total else vertex.y


def _across(vertices: Sequence[_Vertex], chains: Sequence[Sequence[int]], columns: int,
            style: Style, width: float) -> list[tuple[float, float]]:
    """Left and right border of each column; steep wires get wide lanes as far as there is room."""
    widths, lanes = [0.0] * columns, [style.lane] * (columns - 1)
    for vertex in vertices:
        widths[vertex.column] = max(widths[vertex.column], vertex.width)
    for chain in chains:
        for one, two in pairwise(chain):
            climb = abs(vertices[one].y - vertices[two].y) / style.slope
            column = vertices[one].column
            lanes[column] = max(lanes[column], min(climb, 5 * style.lane))
    least = sum(widths) + style.lane * len(lanes)
    more = sum(lanes) - style.lane * len(lanes)
    share = 1.0 if more <= 0 else max(0.0, min(1.0, (width - least) / more))
    borders: list[tuple[float, float]] = []
    x = 0.0
    for own, lane in zip(widths, [*lanes, 0.0], strict=False):
        borders.append((x, x + own))
        x += own + style.lane + share * (lane - style.lane)
    return borders


def least(nodes: Sequence[Node], edges: Sequence[Edge], style: Style) -> tuple[float, float]:
    """What no layout is narrower or lower than: much quicker than a layout, and often enough to refuse one."""
    columns: dict[int, list[_Vertex]] = {}
    for vertex in _vertices(nodes, edges, style)[0]:
        columns.setdefault(vertex.column, []).append(vertex)
    width = sum(max(v.width for v in stack) for stack in columns.values()) + style.lane * max(columns, default=0)
    return width - 0.02, _tallest(columns.values(), style.gap) - 0.02  # lengths are rounded to 0.01


def layout(nodes: Sequence[Node], edges: Sequence[Edge], style: Style = ROOMY, *,
           width: float = math.inf, height: float = math.inf) -> Layout:
    """Boxes of nodes and labels and the wires between them, as near to width x height as can be."""
    if not nodes:
        return Layout({}, (), (), 0.0, 0.0)
    vertices, chains, marks = _vertices(nodes, edges, style)
    columns = _columns(vertices, chains)
    used = _heights(vertices, chains, columns, style.gap, height)
    way_out = OUT if any(not edge.target for edge in edges) else 0.0
    borders = _across(vertices, chains, len(columns), style, width - way_out)
    boxes = []
    for index, vertex in enumerate(vertices):
        left, right = borders[vertex.column]
        leaf = index < len(nodes) and nodes[index].plain  # leaves end where their column ends
        x = right - vertex.width / 2 if leaf else (left + right) / 2
        boxes.append(Box(*(round(size, 2) for size in (x, used - vertex.y, vertex.width, vertex.up, vertex.down))))
    wires = tuple(_wire(edge, chain, boxes, vertices, columns, borders) for edge, chain in zip(edges, chains, strict=False))
    labels = tuple(boxes[mark] if edge.above or edge.below else None for edge, mark in zip(edges, marks, strict=False))
    ends = [borders[-1][1], *(wire[-1][0] for wire in wires)]
    return Layout({node.id: box for node, box in zip(nodes, boxes, strict=False)}, labels, wires, round(max(ends), 2), round(used, 2))


def _wire(edge: Edge, chain: Sequence[int], boxes: Sequence[Box],
          vertices: Sequence[_Vertex], columns: Sequence[Sequence[int]],
          borders: Sequence[tuple[float, float]]) -> tuple[Point, ...]:
    """Level through each column, slanting only between columns, where there are no boxes."""
    inner = chain[1:-1] if edge.target else chain[1:]
    points: list[Point] = []
    for index in inner:
        points += [(x, boxes[index].y) for x in borders[vertices[index].column]]
    for end in (chain[0], chain[-1]) if edge.target else (chain[0],):
        at = 0 if end == chain[0] else -1
        column = vertices[end].column
        others = [boxes[i] for i in columns[column] if i != end]
        start = _side(boxes[end], points[at])
        if any(box.meets(start, points[at]) for box in others):  # first level to the border
            stub = (borders[column][1 + at], boxes[end].y)
            start = _side(boxes[end], stub)
            points.insert(0 if at == 0 else len(points), stub)
        points.insert(0 if at == 0 else len(points), start)
    if not edge.target:
        points.append((points[-1][0] + OUT, points[-1][1]))
    return tuple(_straightened((round(x, 2), round(y, 2)) for x, y in points))


def _side(box: Box, to: Point) -> Point:
    """Where a wire to or from `to` leaves the box."""
    return (box.right if to[0] > box.x else box.left), box.y


def _straightened(points: Iterable[Point]) -> list[Point]:
    """Without doubled points and without those in the middle of a level piece."""
    kept: list[Point] = []
    for point in points:
        if kept and kept[-1] == point:
            continue
        if len(kept) > 1 and kept[-2][1] == kept[-1][1] == point[1]:
            kept.pop()
        kept.append(point)
    return kept
