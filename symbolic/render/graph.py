r"""Computational graphs drawn as TikZ: plain data in, text out.

The pictures rely on `templates/figures.tex`; `layered` says where everything stands.

>>> nodes = [Node("a", "a", "input"), Node("b", "b", "value", "4a")]
>>> edges = [Edge("a", "b", above="3", below="4"), Edge("b", "", above="12", below="1")]
>>> [picture] = pictures(nodes, edges, width=140, height=60)
>>> r"\cgvalue" in picture and picture.startswith(r"\begin{tikzpicture}[cg]")
True
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from .layered import CLEAR, SMALL, STYLES, TIGHT, Box, Edge, Layout, Node, Style, layout, least, ranks

Part = tuple[tuple[Node, ...], tuple[Edge, ...]]


def pictures(nodes: Sequence[Node], edges: Sequence[Edge], *, width: float, height: float) -> list[str]:
    """TikZ pictures of at most width x height: one if gaps and type can shrink enough, else several.

    Several share the graph by its boxes, each with the wires that enter it: column by column, or
    branch by branch where that takes fewer.  A node of several pictures is dashed in all of them.
    """
    def fits(part: Part, style: Style, share: float = 1.0) -> bool:
        narrowest, lowest = least(*part, style)
        return (narrowest <= width * share and lowest <= height
                and layout(*part, style, width=width * share, height=height).fits(width * share, height))

    def merged(groups: Sequence[Part], style: Style, share: float) -> list[Part]:
        parts = [groups[0]]
        for group in groups[1:]:
            both = _part(nodes, parts[-1][1] + group[1], parts[-1][0] + group[0])
            parts[-1:] = [both] if fits(both, style, share) else [parts[-1], group]
        return parts

    def drawn(part: Part, styles: Sequence[Style], repeated: Collection[str]) -> str:
        style = next((style for style in styles[:-1] if fits(part, style)), styles[-1])
        return _tikz(part, layout(*part, style, width=width, height=height), style, repeated)

    whole = (tuple(nodes), tuple(edges))
    if any(fits(whole, style) for style in STYLES):
        return [drawn(whole, STYLES, set())]
    orders = _groups(nodes, edges)
    style = next((style for style in (TIGHT, SMALL) if all(fits(group, style) for group in orders[0])), None)
    if style is None:  # even alone, some box has too many wires: share them out
        style = SMALL
        orders = [[_part(group[0], (edge,)) for group in order for edge in group[1]] for order in orders]
    splits = [merged(order, style, share) for share in (1.0, 0.8, 0.6) for order in orders]
    parts = min(reversed(splits), key=len)  # of equally many, the evenest
    count = Counter(node.id for part in parts for node in part[0])
    repeated = {name for name in count if count[name] > 1}
    return [drawn(part, [SMALL] if style.small else STYLES[:-1], repeated) for part in parts]


def _part(nodes: Sequence[Node], edges: Sequence[Edge], more: Sequence[Node] = ()) -> Part:
    """The edges with the nodes at their ends, and some more, in the order of `nodes`."""
    named = {end for edge in edges for end in (edge.source, edge.target)} | {node.id for node in more}
    return tuple(node for node in nodes if node.id in named), tuple(edges)


def _groups(nodes: Sequence[Node], edges: Sequence[Edge]) -> list[list[Part]]:
    """Each box with the wires that enter it (or leave the graph), by column and by branch."""
    rank = ranks(nodes, edges)
    own = {node.id: [edge for edge in edges if node.id == (edge.target or edge.source)] for node in nodes}
    sources = {edge.source for edge in edges}
    branch: dict[str, None] = {}  # every node after those it is computed from, branches kept together

    def visit(name: str) -> None:
        for edge in own[name] if name not in branch else ():
            if edge.target:
                visit(edge.source)
        branch.setdefault(name)

    for node in sorted(nodes, key=lambda node: -rank[node.id]):
        visit(node.id)
    place = list(branch)
    return [[_part(nodes, own[node.id], (node,)) for node in order if own[node.id] or node.id not in sources]
            for order in (sorted(nodes, key=lambda node: rank[node.id]),
                          sorted(nodes, key=lambda node: place.index(node.id)))]


def _tikz(part: Part, laid: Layout, style: Style, repeated: Collection[str]) -> str:
    nodes, edges = part
    lines = [r"\begin{tikzpicture}[cg" + (",cg small]" if style.small else "]"),
             rf"\useasboundingbox (0,0) rectangle ({laid.width:g},{laid.height:g});"]
    wire = "cg small wire" if style.small else "cg wire"
    for points in laid.wires:
        lines.append(rf"\draw[{wire}] " + " -- ".join(f"({x:g},{y:g})" for x, y in points) + ";")
    for node in nodes:
        lines.append(_tikz_node(node, laid.nodes[node.id], node.id in repeated))
    for edge, box in zip(edges, laid.labels, strict=False):
        if box and edge.above:
            lines.append(rf"\cgvalue{{{box.x:g}}}{{{round(box.y + CLEAR, 2):g}}}{{{edge.above}}}")
        if box and edge.below:
            lines.append(rf"\cggradient{{{box.x:g}}}{{{round(box.y - CLEAR, 2):g}}}{{{edge.below}}}")
    return "\n".join([*lines, r"\end{tikzpicture}"])


def _tikz_node(node: Node, box: Box, repeated: bool) -> str:
    text = rf"\cgtwo{{{node.tex}}}{{{node.sub}}}" if node.sub else f"${node.tex}$"
    options = f"cg {node.kind}"
    if repeated or not node.plain:
        options += f",rounded corners={1 if node.plain else 1.4}mm,minimum width={box.width:g}mm,minimum height={2 * box.up:g}mm"
    return rf"\node[{options}{',cg repeated' if repeated else ''}] at ({box.x:g},{box.y:g}) {{{text}}};"
