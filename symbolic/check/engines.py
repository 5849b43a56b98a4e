"""Scalar autograd engines (a class with + and * and backward): graphs of its own operators, judged against ours.

>>> from symbolic.check.reading import parse
>>> code = parse("class Value:\\n  def __init__(self, data): self.data, self.grad = data, 0\\n  def __add__(self, o): pass\\n  def __mul__(self, o): pass\\n"
...              "  def backward(self): pass", "v.py")
>>> engine = find(code)
>>> engine.name, engine.gradient, [g.name for g in graphs(engine)][:3]
('Value', 'grad', ['each used once', 'with a number', 'a*a'])
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from ..errors import SpecError
from ..network import Network, from_equations
from . import helpers
from .calls import Script
from .names import Names, plain
from .readback import PointRead, Read
from .reading import Code
from .rewriting import kept
from .routines import BACKWARD, Class, Routine, classes, pick, routines
from .sandbox import Outcome
from .shapes import Tensor

OPERATORS = {ast.Add: ("add", "__add__", "__radd__"), ast.Sub: ("sub", "__sub__", "__rsub__"), ast.Mult: ("mul", "__mul__", "__rmul__"),
             ast.Div: ("truediv", "__truediv__", "__rtruediv__"), ast.Pow: ("pow", "__pow__", "__rpow__"), ast.USub: ("neg", "__neg__", "__neg__")}
FUNCTIONS = {"relu": ("relu", "ReLU"), "tanh": ("tanh",), "sigmoid": ("sigmoid",), "exp": ("exp",), "log": ("log", "ln")}
GRADIENTS = ("grad", "gradient", "g", "adjoint", "adj", "derivative", "d")
VALUES = ("data", "num", "value", "val", "v", "x")


@dataclass(frozen=True)
class Graph:
    """A small graph: its equations, the last one the output; twice: backward is called twice (then once and twice the gradient are both right)."""

    name: str
    equations: Mapping[str, str]
    twice: bool = False


# From what every engine can do to what the published mistakes are made of; only those are used whose operators the class has.
GRAPHS: tuple[Graph, ...] = (
    Graph("each used once", {"c": "a*b", "e": "c + d"}),
    Graph("with a number", {"b": "a*4", "c": "b + 3"}),
    Graph("a*a", {"c": "a*a"}),
    Graph("a + a", {"c": "a + a"}),
    Graph("a - a", {"c": "a - a"}),
    Graph("shared leaf", {"c": "a*b", "d": "c + a"}),
    Graph("shared node", {"c": "a*b", "d": "c*b", "e": "d + c"}),
    Graph("shared node squared", {"c": "a + b", "d": "c*c"}),
    Graph("diamond", {"b": "a + 2", "c": "a*3", "d": "b*c"}),
    Graph("diamond twice", {"c": "a*b", "d": "c*c", "e": "d*c", "f": "e + d"}),
    Graph("difference and quotient", {"c": "a - b", "d": "c/b"}),
    Graph("power", {"c": "a**3", "d": "c*a"}),
    Graph("negative", {"c": "-a", "d": "c*b"}),
    Graph("number on the left", {"b": "4*a", "c": "3 + b"}),
    Graph("number minus", {"b": "1 - a", "c": "b*a"}),
    Graph("number over", {"b": "1/a", "c": "b*a + b"}),
    Graph("relu on both sides", {"c": "a*b", "d": "relu(c)", "e": "relu(a)", "f": "d + e"}),
    Graph("tanh", {"c": "a*b", "d": "tanh(c)", "e": "d*c"}),
    Graph("sigmoid", {"c": "a*b", "d": "sigmoid(c)", "e": "d*c"}),
    Graph("exp", {"c": "a*b", "d": "exp(c)", "e": "d + c"}),
    Graph("log", {"c": "a*a", "d": "log(c)", "e": "d*a"}),
    Graph("backward called twice", {"c": "a*b"}, twice=True),
)
NUMBERS = {"a": 1.37, "b": -0.62, "d": 0.83}  # of both signs; the caller may draw others


@dataclass(frozen=True)
class Engine:
    """The class of an engine: how it is built, where it keeps value and gradient, what it can do."""

    code: Code
    cls: Class
    value: str
    gradient: str
    backward: Routine
    functions: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.cls.name

    def has(self, method: str) -> bool:
        """Whether the class defines a method, also as __radd__ = __add__."""
        return method in self.cls.methods or any(isinstance(n, ast.Assign) and any(isinstance(t, ast.Name) and t.id == method for t in n.targets) for n in self.cls.node.body)


@dataclass(frozen=True)
class GraphPoint:
    """A graph with numbers: a point like any other, whose network is the graph."""

    name: str
    network: Network
    leaves: Mapping[str, Any]
    twice: bool = False


@dataclass(frozen=True)
class EngineReached:
    """The plan for an engine, its points, and how the results are read."""

    engine: Engine
    plan: dict[str, Any]
    inputs: dict[str, Any]
    points: tuple[GraphPoint, ...]
    steps: tuple[dict[str, Any], ...]
    notes: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def read(self, outcome: Outcome) -> Read:
        """Gradients of the leaves and of the nodes between, by the names of the graph."""
        found = []
        for p, point in enumerate(self.points):
            reports = [(s, r) for s, r in zip(self.steps, outcome.steps, strict=False) if s.get("point") == p or "point" not in s]
            failure = next((r for s, r in reports if r["status"] == "failed" and not s.get("optional")), None)
            gradients, values = {}, {}
            for name in [*point.leaves, *(e.name for e in point.network.equations)]:
                raw = outcome.arrays.get(f"p{p}/grad/{name}")
                if raw is not None:
                    fits = numpy.size(raw) == 1 and numpy.asarray(raw).dtype.kind in "fiu"
                    gradients[name] = Tensor(numpy.asarray(raw, dtype=float).reshape(()) if fits else None, raw, f"{name}.{self.engine.gradient}", self.line(point, name))
                got = outcome.arrays.get(f"p{p}/value/{name}")
                if got is not None and numpy.size(got) == 1:
                    values[name] = numpy.asarray(got, dtype=float).reshape(())
            found.append(PointRead(values, gradients, failure))
        return Read(tuple(found), None, self.notes)

    def line(self, point: GraphPoint, name: str) -> int:
        """The line of the rule that sends the gradient to a value: of the operator that uses it, where each has its own; else of backward."""
        return self.engine.backward.node.lineno


def find(code: Code) -> Engine | None:
    """The engine of a file, None where it has none."""
    names = Names(1)
    for c in classes(code.tree).values():
        if not ({"__add__", "__mul__"} <= set(c.methods)):
            continue
        backward = pick(c.methods, BACKWARD, names, "backward") or pick({r.name: r for r in routines(code.tree)}, BACKWARD, names, "backward")
        kept_as = [str(p[0])[1:] for p in c.attributes if len(p) == 1]
        gradient = next((g for g in GRADIENTS if any(plain(k) == g for k in kept_as)), "")
        first = c.init.parameters[0] if c.init and c.init.parameters else ""
        value = next((k for k in kept_as if k == first or plain(k) in VALUES), "")
        if backward is None or not gradient:
            continue
        gradient = next(k for k in kept_as if plain(k) == gradient)
        functions = {ours: own for ours, theirs in FUNCTIONS.items() for own in theirs if own in c.methods}
        return Engine(code, c, value, gradient, backward, functions)
    return None


def graphs(engine: Engine) -> list[Graph]:
    """The graphs that the class's own operators can build."""
    return [g for g in GRAPHS if possible(engine, g)]


def possible(engine: Engine, graph: Graph) -> bool:
    """Whether the class's own operators can build a graph."""
    return all(_possible(engine, ast.parse(e, mode="eval").body, True) for e in graph.equations.values())


def _possible(engine: Engine, e: ast.expr, top: bool) -> bool:
    match e:
        case ast.Name():
            return True
        case ast.Constant():
            return not top
        case ast.BinOp(left, op, right) if type(op) in OPERATORS:
            usual, mirrored = OPERATORS[type(op)][1:]
            return _possible(engine, left, False) and _possible(engine, right, False) and engine.has(mirrored if isinstance(left, ast.Constant) else usual)
        case ast.UnaryOp(ast.USub(), inner):
            return engine.has("__neg__") and _possible(engine, inner, False)
        case ast.Call(ast.Name(f), [ast.Name()]):
            return f in engine.functions
    return False


def _value(engine: Engine, e: ast.expr) -> Any:
    """An expression as a value of the step language: operators of Python on saved objects."""
    match e:
        case ast.Name(name):
            return {"saved": f"n_{name}"}
        case ast.Constant(number):
            return number
        case ast.BinOp(left, op, right):
            return {"call": f"operator.{OPERATORS[type(op)][0]}", "args": [_value(engine, left), _value(engine, right)]}
        case ast.UnaryOp(_, inner):
            return {"call": "operator.neg", "args": [_value(engine, inner)]}
        case ast.Call(ast.Name(f), [ast.Name(inner)]):
            return {"call": f"n_{inner}.{engine.functions[f]}"}
    raise SpecError(f"no call for {ast.unparse(e)}")


def reach(engine: Engine, numbers: Sequence[Mapping[str, float]] = (NUMBERS,), chosen: Sequence[Graph] | None = None) -> EngineReached:
    """The plan: every graph (or those chosen) at every set of numbers (for a, b, d), backward from its output, the gradients of all its nodes."""
    script = Script()
    roots = [engine.name] + ([] if engine.backward.owner else [engine.backward.name])
    part = kept(engine.code.text, engine.code.tree, roots)
    supplied = helpers.source(part.missing)
    script.add("load", source=part.text, before=supplied.text or None)
    points: list[GraphPoint] = []
    for graph in graphs(engine) if chosen is None else chosen:
        network = from_equations(graph.equations, {})
        for given in numbers:
            values = {n: numpy.float64(given[n]) for n in network.names("input")}
            point = GraphPoint(graph.name, network, values, graph.twice)
            before = len(script.steps)
            _graph(script, engine, graph, point, f"p{len(points)}")
            for step in script.steps[before:]:
                step["point"] = len(points)
            points.append(point)
    return EngineReached(engine, {"steps": script.steps}, script.inputs, tuple(points), tuple(script.steps), supplied.notes)


def _graph(script: Script, engine: Engine, graph: Graph, point: GraphPoint, key: str) -> None:
    for name, value in point.leaves.items():
        script.add("let", save=f"n_{name}", value={"call": f"file.{engine.name}", "args": [script.input(f"{key}/{name}", value)]})
    for name, text in graph.equations.items():
        script.add("let", save=f"n_{name}", value=_value(engine, ast.parse(text, mode="eval").body))
    last = f"n_{list(graph.equations)[-1]}"
    for _ in range(1 + graph.twice):
        needed = [p for p in engine.backward.parameters if p not in engine.backward.optional]
        if engine.backward.owner:
            script.add("call", target=f"{last}.{engine.backward.name}", args=[1.0] * len(needed))
        else:
            script.add("call", target=f"file.{engine.backward.name}", args=[{"saved": last}, *[1.0] * (len(needed) - 1)])
    for name in [*point.leaves, *graph.equations]:
        script.add("get", value={"saved": f"n_{name}.{engine.gradient}"}, optional=True, **{"as": f"{key}/grad/{name}"})
        if engine.value:
            script.add("get", value={"saved": f"n_{name}.{engine.value}"}, optional=True, **{"as": f"{key}/value/{name}"})
