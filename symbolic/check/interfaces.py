"""From a student's file, read as text only, to the calls that the sandboxed child makes, and back to the network's gradients.

``find`` says how the file is called (a `Way`); ``reach`` writes the plan for given points; ``Reached.read`` sorts what comes back.

>>> from symbolic.check.shortnet import network
>>> from symbolic.check.reading import parse
>>> way = find(parse("def forward(X, W1, b1): return X @ W1 + b1\\ndef backward(X, y, y_pred):\\n    return X.T @ (y_pred - y), sum(y_pred - y)", "a.py"), network("3-2 identity", "mse"))
>>> way.spoken, way.layouts[0].spoken
('functions forward() and backward()', 'examples as rows, W as (in, out), b as (1, n)')
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy

from ..errors import SpecError
from ..network import Network
from .adapter import Adapter
from .calls import Script, Supply
from .frameworks import TENSOR, autograd_functions, losses, modules, prepared
from .layerfunctions import layer_functions
from .layerobjects import layers
from .layouts import WORDS, Plain
from .names import Names, counts_from_zero, plain
from .presets import merged, recognised
from .readback import Read, read_back
from .reading import Code
from .routines import stores
from .sandbox import Outcome
from .scripts import scripts, trainers
from .setting import Interface, Setting
from .stepping import Stepped, add, results
from .ways import Calls, applied, functions, objects

WAYS: list[Callable[[Setting], Interface | None]] = [  # in the order in which they are tried
    modules, autograd_functions, losses, layers, functions, objects, applied, trainers, scripts, layer_functions]
LEAVES = ("input", "target", "parameter", "constant")
OBJECT = re.compile(r"(net|model|fc\d+|act\d+)\b")  # what a step calls an object of the file that it has built


class Point(Protocol):
    """A network at given sizes, and arrays for all its leaves by name, in the network's shapes."""

    @property
    def network(self) -> Network:
        """The network at the sizes of this point."""

    @property
    def leaves(self) -> Mapping[str, Any]:
        """Inputs, targets, parameters, symbolic sizes."""


@dataclass(frozen=True)
class Reached:
    """What the child is asked (plan, inputs, modules to load before the lock), and how its answer is read."""

    plan: dict[str, Any]
    inputs: dict[str, Any]
    preload: tuple[str, ...]
    read: Callable[..., Read]  # of an outcome, and of which points, where not of all
    way: Interface


def setting(code: Code, network: Network, adapter: Adapter | None = None) -> Setting:
    """The file with the vocabulary of its names for this network."""
    adapter = merged(adapter or Adapter())
    written = {str(p) for path, _ in _all_stores(code.tree) for p in path if isinstance(p, str)}
    written |= {a.arg for a in ast.walk(code.tree) if isinstance(a, ast.arg)}
    depth = len(network.layers) if network.plain_stack else 0
    known = () if network.plain_stack else tuple(n for n in network.symbols if network.symbols[n].kind != "size")
    words = {p.strip(".%") for p in written}
    biased = any(re.fullmatch(r"(b|bias|biases)_?\d*", w) for w in words)  # beside them, beta is of an optimizer
    betas = {w: "option" for w in words if biased and plain(w) in ("beta", "beta1", "beta2") and w not in known}
    names = Names(depth, counts_from_zero(words), {**betas, **adapter.renames}, known)
    return Setting(code, network, names, adapter)


def _all_stores(tree: ast.AST) -> list[tuple[tuple[Any, ...], ast.AST]]:
    scopes = [tree, *(n for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.Lambda)))]
    return [s for scope in scopes for s in stores(scope)]


def find(code: Code, network: Network, adapter: Adapter | None = None) -> Interface:
    """The way in which a file gives its gradients. Raises SpecError with what the spec can say where none is found."""
    here = setting(code, network, adapter)
    library, refused = prepared(here), None
    for make in WAYS:
        try:
            way = make(here)
            if way is None:
                continue
            preset = recognised(code)
            if preset is not None and preset.adapter.layout and not here.adapter.layout:
                first = {k: v for word in preset.adapter.layout for k, v in WORDS[word].items()}
                way.layouts.sort(key=lambda o: any(getattr(o, k) != v for k, v in first.items()))
            if library and not way.preload:
                way.preload, way.tensors = (library,), TENSOR[library]
            if way.layouts and way.layouts[0].target == "classes":
                way.needs = replace(way.needs, classes=True)
            _tried(way)
        except SpecError as e:  # this way cannot be gone; perhaps another one can
            refused = refused or e
        else:
            return way
    if refused is not None:
        raise refused
    defined = [n.name for n in code.tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    has = f"it defines {', '.join(defined[:8])}" if defined else "it defines no function or class"
    raise SpecError(f"no gradients are found in this file: {has}", where=code.where(1),
                    hint="name the function that gives them in the spec, as in check: {rename: {my_function: backward}}, or the local variables of a "
                         f"function, as in check: {{locals: train}}; or add one that gives them all: {_plainest(network)}")


def _tried(way: Interface) -> None:
    """Write the calls once, for numbers that nobody looks at. Raises SpecError where something stands in the way."""
    network, script = way.here.network, Script()
    leaves = {n: numpy.full([d if isinstance(d, int) else 3 for d in s.shape] or [1, 1], 0.5) for n, s in network.symbols.items() if s.kind in LEAVES}
    right = {(network.output, n): leaves.get(n, numpy.zeros((3, 1))) for n in network.symbols}
    way.load(script)
    for layout in way.layouts[:1]:
        supply = Supply(script, "tried", Plain(network), leaves, layout, 0)
        supply.right = right
        way.point(script, supply)


def _plainest(network: Network) -> str:
    """A function of three lines that any file can have: what it takes and returns."""
    leaves = [*network.names("input"), *network.names("target"), *network.names("parameter")]
    return f"def gradients({', '.join(leaves)}), returning {', '.join(f'd{n}' for n in network.names('parameter') or network.names('input'))}"


def reach(code: Code, network: Network, points: Sequence[Point], adapter: Adapter | None = None, way: Interface | None = None, *, twice: Sequence[int] = ()) -> Reached:
    """The plan for a file at some points (of the network, at sizes of their own), and how its results are read.

    twice: points that are called once more with the same objects, and read after all others: whether gradients are left from the call before.
    """
    way = way or find(code, network, adapter)
    script = Script(tensors=way.tensors)
    way.load(script)
    supplies: dict[tuple[int, int], Supply] = {}
    stepped: list[Stepped] = []
    for v, layout in enumerate(way.layouts):
        for p, point in enumerate(points):
            if (way.needs.one_example or layout.vectors) and not way.each and not layout.as_is and _examples(point) > 1:
                continue
            supply = Supply(script, f"v{v}p{p}", Plain(point.network), point.leaves, layout, v * len(points) + p)
            if way.asks_above:
                supply.right = getattr(point, "values", {})
            before = len(script.steps)
            way.point(script, supply)
            for step in script.steps[before:]:
                step.setdefault("point", supply.point)
            mine = script.steps[before:]
            supplies[v, p] = supply
            if p in twice and not way.update and not way.preload and not any(s["do"] == "load" for s in mine):
                place = len(points) + twice.index(p)
                supplies[v, place] = _again(script, mine, supply, place, len(way.layouts) * place + v)
            if not stepped and not way.preload and not way.update:
                stepped = add(way if isinstance(way, Calls) else Calls(way.here, way.layouts, way.notes), script, supply)
    used = way

    def read(outcome: Outcome, places: Sequence[int] | None = None) -> Read:
        chosen = supplies if places is None else {(v, places.index(p)): s for (v, p), s in supplies.items() if p in places}
        return replace(read_back(used, script, chosen, outcome), moved=results(script, outcome, stepped))

    return Reached({"steps": script.steps}, script.inputs, way.preload, read, way)


def optimizers(code: Code, network: Network, point: Point) -> Reached | None:
    """The plan for a file that has no gradients of a network but applies some that it is given; None where it does not."""
    here = setting(code, network)
    way, script = Calls(here, here.layouts()), Script()
    stepped = add(way, script, Supply(script, "alone", Plain(point.network), point.leaves, way.layouts[0], 0))
    if not stepped and not way.notes:
        return None
    return Reached({"steps": script.steps}, script.inputs, (), lambda outcome: Read((), None, tuple(way.notes), moved=results(script, outcome, stepped)), way)


def _again(script: Script, steps: Sequence[dict[str, Any]], supply: Supply, p: int, point: int) -> Supply:
    """The steps of a point once more without building its objects; their results go under a key of their own."""
    key = f"{supply.key.split('p')[0]}p{p}"
    for s in steps:
        built = s["do"] == "call" and OBJECT.fullmatch(str(s.get("save", ""))) or s["do"] == "set" and OBJECT.match(s["path"])
        if not built:
            script.steps.append({**s, "point": point, **({"as": key + s["as"][len(supply.key):]} if s.get("as", "").startswith(supply.key) else {})})
    out = copy.copy(supply)
    out.key, out.point = key, point
    return out


def _examples(point: Point) -> int:
    plain = Plain(point.network)
    return int(plain.of(plain.x, point.leaves).shape[0]) if plain.depth else 1

