"""The ways in which files give gradients: functions, and classes that return, keep or only apply them. The others register in `WAYS` as well."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ..errors import SpecError
from .calls import Script, Supply, arguments, path_text
from .layouts import parts_of
from .names import parts
from .rewriting import bound, needs, one_pass
from .routines import (
    FORWARD,
    LOSS,
    TRAIN,
    UPDATE,
    Class,
    Path,
    Routine,
    called_for_each,
    calls,
    classes,
    counts,
    gives_gradients,
    gradient_labels,
    is_layer,
    moves,
    own,
    pairs as pairs_of,
    per_example,
    pick,
    routines,
    stores,
)
from .setting import Interface, Needs, Setting, fixed_rate


@dataclass
class Calls(Interface):
    """Functions or methods called one after another: forward, loss, backward, perhaps update."""

    owner: Class | None = None
    forward: Routine | None = None
    loss: Routine | None = None
    backward: Routine | None = None
    after: Routine | None = None
    edits: list[tuple[ast.AST, str]] = field(default_factory=list)
    locals: tuple[str, ...] = ()

    def scopes(self) -> list[ast.AST]:
        """The routines that are called, and for a class all its methods."""
        called = [r.node for r in (self.backward, self.after) if r]
        return [*([m.node for m in self.owner.methods.values()] if self.owner else []), *called]

    @property
    def called(self) -> list[Routine]:
        """The functions that are called, one after another."""
        return [r for r in (self.forward, self.loss, self.backward, self.after) if r]

    def roots(self) -> list[str]:
        """What must be loaded."""
        return [self.owner.name] if self.owner else [r.name for r in self.called if not r.at]

    def load(self, script: Script) -> None:
        """The file, once."""
        script.add("load", **self.loading(self.roots(), edits=self.edits, without=self.globals))

    @cached_property
    def globals(self) -> dict[str, str]:
        """Names of the module that hold our inputs, read by the routines: X, W1, learning_rate."""
        called = [self.owner.node] if self.owner else [r.node for r in self.called if not r.at]
        out = {}
        defined = set().union(*(bound(s) for s in self.here.code.tree.body if not isinstance(s, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom))))
        for name in sorted(set().union(*(needs(n) for n in called)) & defined):
            role = self.here.names.role(name)
            if role and (re.fullmatch(r"[Wb](\d+|\*)", role) or role in ("x", "y", "lr", "parameters") or role == "m" and any(counts(n, name) for n in called)):
                out[name] = role
        return out

    def point(self, script: Script, supply: Supply) -> None:
        """Construct, set, call, send back."""
        pieces = [(f"{supply.key}/e{k}", supply.one(k)) for k in range(supply.examples)] if self.each else [(supply.key, supply)]
        for key, each in pieces:
            each.key = key
            self._once(script, each)

    def _once(self, script: Script, supply: Supply) -> None:
        key, prefix = supply.key, "file"
        for name, role in self.globals.items():
            script.add("set", path=f"file.{name}", value=self._value(role, supply, name))
        self._keep(supply)
        if self.owner is not None:
            prefix = "net"
            self._construct(script, supply)
        if self.forward is not None and self.forward is not self.backward:
            self._call(script, supply, prefix, self.forward, "forward", optional=self._not_needed(self.forward))
        if self.loss is not None and self.loss is not self.backward and (self.loss is not self.forward):
            try:
                before = len(script.steps)
                self._call(script, supply, prefix if self.loss.owner else "file", self.loss, "loss", optional=True)
            except SpecError:
                del script.steps[before:]
        assert self.backward is not None
        self._call(script, supply, prefix, self.backward, "backward", watch=self.locals)
        if self.after is not None:
            self._call(script, supply, prefix if self.after.owner else "file", self.after, "after")
        if self.owner is not None:
            script.add("gather", value={"saved": "net"}, **{"as": f"{key}/net"})

    def _not_needed(self, routine: Routine) -> bool:
        """Whether the gradients come without this call: the backward function calls it itself."""
        return routine.name in self._called

    @cached_property
    def _called(self) -> set[str]:
        return calls(self.backward.node) if self.backward is not None else set()

    def _keep(self, supply: Supply) -> None:
        parameters = {}
        for key, role in self._keys:
            if (value := supply.known(role)) is not None:
                parameters[key] = value
        if parameters:
            supply.made["parameters"] = {"dict": parameters}

    @cached_property
    def _keys(self) -> list[tuple[str, str]]:
        """The keys of a dictionary of parameters, from wherever the file uses one; W1, b1 ... where it makes them up."""
        names, found, stems = self.here.names, {}, {}
        order: list[str] = []
        for n in ast.walk(self.here.code.tree):
            parts = parts_of(n) if isinstance(n, ast.Subscript) else None
            if parts and isinstance(parts[-1], str) and not parts[-1].startswith("."):
                holder = names.role(str(parts[-2]).strip(".%"))
                role = names.of([parts[-1]])
                if holder in ("grads", "cache"):
                    continue
                if parts[-1].endswith("%") and role and role[0] in "Wb":
                    stems[role[0]] = parts[-1][:-1]
                elif role and re.fullmatch(r"[Wb]\d+", role) or role in names.known:
                    found[parts[-1]] = str(role)
            if isinstance(n, ast.Assign) and isinstance(n.value, ast.Tuple) is False and isinstance(n.targets[0], (ast.Tuple, ast.List)) \
                    and isinstance(n.value, ast.Name) and names.role(n.value.id) == "parameters":
                order = [ast.unparse(t) for t in n.targets[0].elts if not isinstance(t, (ast.Tuple, ast.List))]
        if order and not found:
            return [(k, str(names.role(k))) for k in order]
        for letter in "Wb":
            if stems.get(letter) or not any(r[0] == letter for r in found.values()):
                for k in range(1, names.depth + 1):
                    found.setdefault(f"{stems.get(letter, letter)}{k - names.zero}", f"{letter}{k}")
        return list(found.items())

    def _unpacked(self) -> bool:
        """Whether `W1, b1 = parameters` takes the parameters as a tuple."""
        return any(isinstance(n, ast.Assign) and isinstance(n.targets[0], (ast.Tuple, ast.List)) and isinstance(n.value, ast.Name)
                   and self.here.names.role(n.value.id) == "parameters" for n in ast.walk(self.here.code.tree))

    @cached_property
    def pairs(self) -> tuple[list[list[str]], set[str]]:
        """The parameters as a list of pairs, one a layer, and the names of what holds them."""
        return pairs_of(self.here.code.tree, self.here.names)

    def _value(self, role: str, supply: Supply, name: str) -> Any:
        if role == "parameters" and self.pairs[0]:
            return {"list": [{"tuple": [supply.known(r) for r in pair]} for pair in self.pairs[0]]}
        if role == "parameters" and self._unpacked():
            return {"tuple": list(supply.made["parameters"]["dict"].values())}
        value = supply.known(role)
        if value is None:
            raise SpecError(f"{name!r} is used in the file and has no value here", where=self.here.code.name,
                            hint=f"say what it is in the spec, as in check: {{rename: {{{name}: W1}}}}")
        return value

    def _call(self, script: Script, supply: Supply, prefix: str, routine: Routine, tag: str, *, optional: bool = False, watch: tuple[str, ...] = ()) -> None:
        names = self.here.names
        extra = {p: self._value("parameters", supply, p) for p in routine.parameters
                 if (names.role(p) == "parameters" or p in self.pairs[1]) and "parameters" in supply.made and p not in supply.made}
        extra |= {p: supply.made[f"={p}"] for p in routine.parameters if f"={p}" in supply.made and (names.role(p) not in ("x", "y") or names.role(p) is None)}
        if routine.at and (needed := [p for p in routine.parameters if p not in routine.optional]):
            extra[needed[0]] = self._entering(supply, needed[0])
        if routine.owner == "" and any(names.role(p) == "parameters" and p in ("net", "model", "network") for p in routine.parameters) and self.owner:
            extra |= {p: {"saved": "net"} for p in routine.parameters if p in ("net", "model", "network")}
        if tag == "forward" and "x" not in {r for p in routine.parameters for r in names.roles(p)}:  # def feedforward(self, a)
            unknown = [p for p in routine.parameters if p not in extra and p not in routine.optional and not any(supply.known(r) is not None for r in names.roles(p))]
            extra |= {p: supply.known("x") for p in unknown[:1]}
        args, kwargs = arguments(routine, names, supply, self.here.where(routine.node), extra=extra)
        saved = f"r_{tag}"
        script.add("call", target=path_text(("r_forward", *routine.at)) if routine.at else f"{prefix}.{routine.name}",
                   args=args, kwargs=kwargs or None, save=saved, optional=optional or None, seed=None,
                   watch={"function": routine.name, "names": list(watch), "at": "return", "save": "seen"} if watch else None)
        if watch:
            script.add("gather", value={"saved": "seen"}, **{"as": f"{supply.key}/seen"})
        script.add("gather", value={"saved": saved}, optional=optional or None, **{"as": f"{supply.key}/{tag}"})
        paired = tag == "backward" and not any((names.role(label) or "").startswith("d:") for label in routine.returns.values())
        pairs: dict[Path, str] = {(i, j): f"d{n}" for i, pair in enumerate(self.pairs[0]) for j, n in enumerate(pair)} if paired else {}
        self.labels[tag] = {**pairs, **routine.returns, **({} if tag != "backward" else {(k,): n for k, n in enumerate(self.here.adapter.returns)})}
        if optional and tag == "forward":
            return
        self._learn(supply, routine, tag, saved)

    def _entering(self, supply: Supply, name: str) -> Any:
        """What a backward that forward returned is given: 1 for a loss, else our gradient of the loss, at the last pre-activation where that is what came out."""
        assert self.forward is not None
        first, depth = self.here.names.role(self.forward.returns.get((0,), "")), supply.plain.depth
        if first == "loss":
            return 1.0
        below = f"z{depth}" in (first, (self.here.names.role(name) or "").removeprefix("d:"))
        return supply.top(below=below)

    def _learn(self, supply: Supply, routine: Routine, tag: str, saved: str) -> None:
        """What later calls may use of what this one returns."""
        names, top = self.here.names, [p for p in routine.returns if len(p) == 1]
        for path, label in routine.returns.items():
            value = {"saved": path_text((saved, *path))}
            supply.made[f"={label}"] = value
            role = names.role(label)
            if role and role not in ("x", "y", "n_hidden", "m") and tag == "forward":
                supply.made.setdefault(role, value)
                if role == f"a{names.depth}":
                    supply.made.setdefault("y_hat", value)
        if tag != "forward":
            return
        returned = routine.returned
        parts = returned.elts if isinstance(returned, ast.Tuple) else []
        if returned is not None and not parts:
            supply.made.setdefault("y_hat" if not isinstance(returned, ast.Dict) else "cache", {"saved": saved})
            supply.made.setdefault("cache", {"saved": saved})
        for k, _ in enumerate(parts):
            known = names.role(routine.returns[(k,)]) if (k,) in routine.returns else None
            if known not in ("y_hat", f"a{names.depth}", "loss") and "cache" not in supply.made and (isinstance(parts[k], (ast.Tuple, ast.Dict, ast.List)) or known is None and k > 0):
                supply.made["cache"] = {"saved": f"{saved}[{k}]"}
        if parts and "y_hat" not in supply.made and len(top) <= len(parts):
            supply.made["y_hat"] = {"saved": f"{saved}[0]"}

    # ------------------------------------------------------------ objects

    def _construct(self, script: Script, supply: Supply, extra: Mapping[str, Any] | None = None) -> None:
        assert self.owner is not None
        init = self.owner.init
        args, kwargs = arguments(init, self.here.names, supply, self.here.where(init.node), extra=extra) if init else ([], {})
        script.add("call", target=f"file.{self.owner.name}", args=args, kwargs=kwargs or None, save="net")
        for path, role in self._attributes(supply).items():
            at = path_text(("net", *path))
            if role in ("lr", "reg"):
                script.add("set", path=at, value=supply.known(role))
                continue
            if role not in ("x", "y", "parameters"):
                script.add("get", value={"saved": at}, optional=True, **{"as": f"{supply.key}/start/{role}"})
            script.add("set", path=at, value=supply.known(role) if role != "parameters" else self._value(role, supply, str(path[-1])))

    def _attributes(self, supply: Supply) -> dict[Path, str]:
        """The attributes that hold parameters and the learning rate, each with its role at this point."""
        assert self.owner is not None
        out: dict[Path, str] = {}
        parameters = supply.plain.network.names("parameter") or list(supply.leaves)
        names = self.here.names
        for path in self.owner.attributes:
            role = names.of([p for p in path if p != -1])
            if role in ("lr", "reg") and len(path) == 1:
                out[path] = role
            elif role and re.fullmatch(r"[Wb]\d+", role) and role in parameters and -1 not in path and not str(path[-1]).endswith("%"):
                out.setdefault(path, role)
            elif role in names.known and role in parameters:
                out.setdefault(path, str(role))
        for path in self.owner.attributes:
            role = names.of([p for p in path if p != -1])
            if str(path[-1]) in self.pairs[1]:
                out[path] = "parameters"
            listed = role and re.fullmatch(r"[Wb]\*", role)
            if not listed or any(r[0] == role[0] for p, r in out.items() if r not in ("lr", "reg")):  # type: ignore[index]
                continue
            for k in range(1, names.depth + 1):
                name = f"{role[0]}{k}"  # type: ignore[index]
                if name in parameters:
                    last = str(path[-1])
                    tail: Path = (*path[:-1], f"{last[:-1]}{k - names.zero}") if last.endswith("%") else tuple(k - 1 if p == -1 else p for p in path if -1 in path) or (*path, k - 1)
                    out[tail] = name
        for name, where in self.here.adapter.attrs.items():
            if name in parameters:
                out = {p: r for p, r in out.items() if r != name}
                out[parts(f".{where.lstrip('.')}")] = name
        return out


def functions(here: Setting) -> Interface | None:
    """functions forward() and backward()"""
    found = {r.name: r for r in routines(here.code.tree)}
    names = here.names
    backward, outer = gives_gradients(found, names), None
    if backward is None:
        backward, outer = next(((c, r) for r in found.values() for c in r.closures if gradient_labels(c, names)), (None, None))
    if backward is None or here.adapter.script or here.adapter.locals:
        return None
    if not gradient_labels(backward, names) and not here.adapter.returns and (backward.returned is None or moves(backward.node, names)):
        if not moves(backward.node, names):
            raise SpecError(f"{backward.name}() returns nothing, so no gradient comes back", where=here.where(backward.node), hint="return them, as in return dW1, db1")
        return None
    others = {n: r for n, r in found.items() if r is not backward}
    way = Calls(here, here.layouts(), forward=outer or pick(others, FORWARD, names, "forward"), loss=pick(others, LOSS, names, "loss"), backward=backward)
    way.asks_above = outer is not None
    if way.forward is not None and way.loss is way.forward:
        way.loss = None
    way.each = called_for_each(here.code.tree, backward.name, names)
    called = [r.name for r in (way.forward, backward) if r]
    way.spoken = f"function{'s' * (len(called) > 1)} " + " and ".join(f"{n}()" for n in called) + (f", which {outer.name}() returns" if outer else "")
    return way


def applied(here: Setting) -> Interface | None:
    """a class of a whole network of which only the training step can be called"""
    return objects(replace(here, adapter=here.adapter.model_copy(update={"recover_from_update": here.adapter.recover_from_update or True})), trained=True)


def objects(here: Setting, *, trained: bool = False) -> Interface | None:
    """a class of a whole network"""
    names = here.names
    found = []
    for c in classes(here.code.tree).values():
        roles = {names.of([p for p in path if p != -1]) for path in c.attributes}
        holds = {r for r in roles if r and (re.fullmatch(r"[Wb](\d+|\*)", r) or r in names.known)} | {
            n for n, where in here.adapter.attrs.items() if parts(f".{where.lstrip('.')}")[:1] in c.attributes} | {str(p[-1]) for p in c.attributes} & pairs_of(c.node, names)[1]
        if holds and not is_layer(c, names) and "__add__" not in c.methods:
            found.append((len(holds), len(c.methods), c))
    if not found or here.adapter.script:
        return None
    owner = max(found, key=lambda f: f[:2])[2]
    methods = {n: m for n, m in owner.methods.items() if n != "__init__"}
    backward = gives_gradients(methods, names) if not trained else None
    train = pick(methods, TRAIN, names, "train")
    others = {n: r for n, r in methods.items() if r is not backward}
    update = pick(others, UPDATE, names, "update")
    stored = [*owner.attributes, *(path[1:] for m in owner.methods.values() for path, _ in stores(m.node) if str(path[-1]).startswith("."))]  # layer.dW = ...
    kept_gradients = any((r := names.of([p for p in path if p != -1])) and r.startswith("d:") and r[2] in "Wb" for path in stored) or \
        any(k.startswith("d") for k in here.adapter.attrs)
    way = Calls(here, here.layouts(), owner=owner, forward=pick(others, FORWARD, names, "forward"), loss=pick(others, LOSS, names, "loss"))
    if backward is not None and (gradient_labels(backward, names) or kept_gradients) and not here.adapter.recover_from_update:
        way.backward = backward
        way.order = ("backward", "net")
    else:
        way.update, way.order = True, ()
        moving = [m for m in methods.values() if moves(m.node, names)]
        reaching = [m for m in methods.values() if m in moving or calls(m.node) & {r.name for r in moving}]
        if backward is not None and backward in reaching:
            way.backward = backward
        elif backward is not None and update is not None and update in reaching:
            way.backward, way.after = backward, update
        elif train is not None and train in reaching:
            way.backward = train
        else:
            way.backward = next(iter(reaching), None)
        if way.backward is None:
            return None
        if way.backward is train or way.forward is way.backward:
            way.forward = None if way.forward is way.backward else way.forward
        for m in reaching:
            targets = [n for n in own(m.node) if n in moves(m.node, names) or isinstance(n, ast.Call) and calls(n) & {r.name for r in reaching}]
            way.edits += one_pass(m.node, targets)
            if per_example(m.node, targets, names):
                way.needs = Needs(one_example=True)
        way.rate = fixed_rate(moving, here)
    assert way.backward is not None
    way.each = called_for_each(here.code.tree, way.backward.name, names)
    how = "gradients are what one update changes" if way.update else ""
    way.spoken = f"class {owner.name}" + (f"; {how}" if how else "")
    return way
