"""Graphs of a scalar engine as cases: what it gives at their leaves, to be judged like any other gradients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from .. import expr as ex
from ..network import Network
from .arrays import matrix
from .engines import Engine, EngineReached, Graph, possible
from .judge import Case
from .points import Point
from .readback import Read


def own_graphs(engine: Engine, network: Network) -> tuple[Graph, ...]:
    """The equations of a spec as a graph, where the engine's own operators can build it; none where they cannot."""
    equations = {e.name: ex.text(e.rhs) for e in network.equations}
    graph = Graph("the equations of the spec", equations)
    plain = not network.layers and all(not s.shape for s in network.symbols.values())
    return (graph,) if plain and possible(engine, graph) else ()


def graph_cases(reached: EngineReached, got: Read) -> dict[str, list[Case]]:
    """The cases of every graph, by its name. A graph whose backward is called twice may have once or twice its gradient."""
    out: dict[str, list[Case]] = {}
    for point, one in zip(reached.points, got.points, strict=False):
        if one is None or one.failure is not None:
            continue
        leaves = {n: matrix(v) for n, v in point.leaves.items()}
        made = Point(point.name, _same(out, point.name, point.network), leaves)
        claimed: dict[str, Any] = {n: one.gradients[n].array if one.gradients[n].array is not None else one.gradients[n].raw for n in leaves if n in one.gradients}
        if point.twice and _doubled(claimed, made):
            claimed = {n: numpy.asarray(v, dtype=float) / 2 for n, v in claimed.items()}
        values = {n: v for n, v in one.values.items() if n not in leaves}
        out.setdefault(point.name, []).append(Case(made, claimed, values))
    return out


def _same(found: Mapping[str, list[Case]], name: str, network: Network) -> Network:
    return found[name][0].point.network if name in found else network


def _doubled(claimed: Mapping[str, Any], point: Point) -> bool:
    return all(numpy.size(v) == 1 and abs(float(numpy.asarray(v, dtype=float).reshape(-1)[0]) - 2 * float(point.gradient(n)[0, 0])) < 1e-9 for n, v in claimed.items()) and bool(claimed)
