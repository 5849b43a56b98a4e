"""Layers written as functions, each with its backward: they are put into classes, and called as layer objects are.

A backward is the function of the same name (affine_forward, affine_backward), or what the layer itself returns (`return out, backward`).

>>> import ast
>>> f, back = routines(ast.parse("def fc(x, W, b): return x @ W + b, (x, W)\\ndef fc_backward(dout, cache): return dout @ cache[1].T, cache[0].T @ dout, dout.sum(0)"))
>>> print("\\n".join(as_class("fc_layer", f, back)))
class fc_layer:
    def __init__(self, W, b): self.W, self.b = W, b
    def forward(self, x): out, self.memory = fc(x, self.W, self.b); return out
    def backward(self, dout): dx, self.dW, self.db = fc_backward(dout, self.memory); return dx
"""

from __future__ import annotations

import re
from dataclasses import replace

from .layerobjects import ONE, Layers, layers
from .reading import parse
from .routines import Routine, classes, routines
from .setting import Interface, Setting


def layer_functions(here: Setting) -> Interface | None:
    """layer functions, each with its backward"""
    found = {r.name: r for r in routines(here.code.tree)}
    pairs: dict[str, tuple[Routine, Routine]] = {}
    lines: list[str] = []
    for r in found.values():
        stem = re.sub(r"_?(forward|fwd)$", "", r.name)
        back = next(iter(r.closures), None) or found.get(f"{stem}_backward") or found.get(f"{stem}_bwd") or (r if _loss(r) else None)
        if back is not None and (text := as_class(f"{stem}_layer", r, back)):
            pairs[f"{stem}_layer"] = r, back
            lines += text
    for c in classes(here.code.tree).values():
        call = c.methods.get("__call__")
        if call is not None and call.closures:
            pairs[f"{c.name}_layer"] = call, call.closures[0]
            lines += [f"class {c.name}_layer({c.name}):", "    def forward(self, x): out, self.memory = self(x); return out", "    def backward(self, dout): return self.memory(dout)"]
    if not lines:
        return None
    whole = "\n".join([here.code.text.rstrip("\n"), *lines, ""])
    way = layers(replace(here, code=parse(whole, here.code.name, here.code.cells)))
    if not isinstance(way, Layers) or way.dense is None or way.dense.name not in pairs:
        return way
    layer, back = pairs[way.dense.name]
    way.written = dict.fromkeys(("W*", "b*"), getattr(back.returned, "lineno", back.node.lineno))
    way.spoken = f"layers that are functions: {layer.owner or layer.name}() and what goes back through it"
    return way


def _loss(r: Routine) -> bool:
    """Whether a function compares two things, and returns a number and its gradient."""
    return len(r.parameters) == 2 and "y" in ONE.roles(r.parameters[1]) and len(getattr(r.returned, "elts", ())) == 2


def as_class(name: str, forward: Routine, back: Routine) -> list[str]:
    """A class that does what a layer function and its backward do; nothing where the function takes what no layer does."""
    first, *rest = [p for p in forward.parameters if p not in forward.optional]
    again = "self.memory(%s)" if forward.closures else f"{back.name}(%s, self.memory)"
    if _loss(forward):
        sent = again % "" if forward.closures else "self.memory"
        return [f"class {name}:", f"    def forward(self, {first}, {rest[0]}): out, self.memory = {forward.name}({first}, {rest[0]}); return out", f"    def backward(self): return {sent}"]
    roles = [ONE.role(p) for p in rest]
    if roles not in ([], ["W1"], ["W1", "b1"]):
        return []
    told = {path[0]: ONE.role(label) for path, label in back.returns.items() if len(path) == 1}
    places = {role: f"self.d{p}" for role, p in zip((f"d:{r}" for r in roles), rest, strict=True)}
    order = ["dx", *places.values()]
    if set(places) <= set(told.values()):
        order = [places.get(str(told.get(k)), "dx") for k in range(len(order))]
    build = [f"    def __init__(self, {', '.join(rest)}): {', '.join(f'self.{p}' for p in rest)} = {', '.join(rest)}"] if rest else []
    return [f"class {name}:", *build, f"    def forward(self, {first}): out, self.memory = {forward.name}({', '.join([first, *(f'self.{p}' for p in rest)])}); return out",
            f"    def backward(self, dout): {', '.join(order)} = {again % 'dout'}; return dx"]
