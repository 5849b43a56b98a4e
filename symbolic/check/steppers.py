"""What applies gradients in a file: functions, methods, inner functions; and what each of their parameters stands for.

>>> from .names import Names
>>> code = "def adam(w, dw, m, v, t): return w, m, v\\ndef step(x): return x\\nclass SGD:\\n    def step(self, params, grads): return [p - g for p, g in zip(params, grads)]"
>>> [(s.spoken, s.alone) for s in steppers(ast.parse(code), Names(2))]
[('adam()', True), ('SGD.step()', False)]
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

from .layouts import role_of
from .names import Names, plain
from .routines import Class, Path, Routine, classes, counts, gradient_at, moves, own, routines, stores

NAMED = re.compile(r"update|step|apply|optimi|descent|^gd|sgd|momentum|nesterov|nag$|adam|rms|adagrad")
FAMILIES = ("adamw", "adam", "rmsprop", "adagrad", "nesterov", "momentum")
OTHERS = re.compile(r"sign|nadam|adamax|amsgrad|adadelta|belief|lamb|lion|radam|lars|newton|bfgs|^rprop|adafactor|adamod|quasi")  # that no row stands for
# role: what an option is called in people's files, and the number that it is given
OPTIONS: dict[str, tuple[str, float]] = {
    "beta1": ("beta1 b1 betaone", 0.7), "beta2": ("beta2 b2 betatwo", 0.95), "epsilon": ("epsilon eps fuzz", 0.01), "decay": ("decay", 0.85),
    "share": ("beta momentum mu rho gamma decayrate alpha momentumrate friction", 0.8), "lam": ("weightdecay wd lam lambda lambd lmbda lmda lamb l2 reg l2reg regstrength", 0.3)}
ROLE_OF = {word: role for role, (words, _) in OPTIONS.items() for word in words.split()}
COUNTERS = {"t", "step", "iter", "iteration", "it", "timestep", "tstep", "nstep", "steps", "iterations", "numupdates", "i", "counter", "count", "time"}
TENSORS = {"w", "p", "x", "theta", "var", "value", "weight", "weights", "param", "parameter", "params", "array", "tensor", "old", "b"}
SLOPES = {"dw", "g", "grad", "gradient", "dx", "dtheta", "dp", "dparam", "grads", "gradients", "gw", "delta", "d"}


@dataclass(frozen=True)
class Stepper:
    """What takes a step: a function; a method, or an inner function, of what `maker` returns (a class or a function); a method of the network's own object."""

    routine: Routine
    names: Names
    root: str
    maker: Routine | None = None
    net: bool = False
    outer: ast.AST | None = None
    above: tuple[ast.stmt, ...] = ()  # the assignments of the module
    around: tuple[str, ...] = ()      # methods without parameters that are called before and after: pre_update_params, post_update_params

    @property
    def spoken(self) -> str:
        """How a report calls it."""
        return f"{self.root}.{self.routine.name}()" if self.root != self.routine.name and not self.net else f"{self.routine.name}()"

    @cached_property
    def text(self) -> str:
        """Its code."""
        return ast.unparse(self.outer or self.routine.node)

    @cached_property
    def meant(self) -> str:
        """The optimizer that its name says: how the names of its rows begin."""
        called = plain(self.routine.name + ("" if self.net else self.root))
        return next((f for f in FAMILIES if f in called or f == "rmsprop" and "rms" in called), "")

    @cached_property
    def unknown(self) -> bool:
        """Whether its name says an optimizer that no row stands for."""
        return bool(OTHERS.search(plain(self.routine.name + self.root)))

    @cached_property
    def pair(self) -> tuple[str, str] | None:
        """The parameters that take one array and its gradient, where it moves one array at a time."""
        takes = [p for p in self.routine.parameters if not self._holds_several(p)]
        slope = next((p for p in takes if plain(p) in SLOPES or plain(p).startswith("grad") or (self.names.role(p) or "").startswith("d:")), "")
        array = next((p for p in takes if p != slope and (plain(p) in TENSORS or slope in (f"d{p}", f"d_{p}", f"grad_{p}", f"g_{p}"))), "")
        return (array, slope) if array and slope and len([p for p in takes if re.fullmatch(r"d:[Wb]\d", self.names.role(p) or "") and self.names.depth > 1]) < 2 else None

    @property
    def alone(self) -> bool:
        """Whether it moves one array at a time."""
        return self.pair is not None

    @cached_property
    def layer(self) -> dict[str, str]:
        """Where it moves a layer object, the attributes that are parameters and gradients of it, each with its role: weights: W, dweights: d:W; the object's own name: object."""
        for p in self.routine.parameters:
            read = {n.attr for n in ast.walk(self.routine.node) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == p}
            roles = {a: role.rstrip("*") for a in read if (role := self.names.role(a) or "") in ("W*", "b*", "d:W*", "d:b*")}
            if {"W", "d:W"} <= set(roles.values()):
                return {**roles, p: "object"}
        return {}

    @cached_property
    def cells(self) -> tuple[str, str] | None:
        """Where parameters are objects that hold their own gradients, the attributes of both: data and grad of p.data -= lr * p.grad."""
        mine = [n for n in ast.walk(self.routine.node) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id != "self"]
        data = [n.attr for n in mine if isinstance(n.ctx, ast.Store) and plain(n.attr) in TENSORS | {"data"}]
        slope = [n.attr for n in mine if plain(n.attr) in ("grad", "gradient")]
        return (data[0], slope[0]) if data and slope else None

    def _holds_several(self, p: str) -> bool:
        """Whether a parameter is used as a container: params[key], for p in params, zip(params, grads), params.items()."""
        for n in ast.walk(self.routine.node):
            inside = n.value if isinstance(n, ast.Subscript) and not isinstance(n.slice, (ast.Slice, ast.Compare)) and not (isinstance(n.slice, ast.Constant) and n.slice.value is ...) else \
                n.value if isinstance(n, ast.Attribute) and n.attr in ("items", "keys", "values") else n.iter if isinstance(n, (ast.For, ast.comprehension)) else None
            given = n.args if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in ("zip", "enumerate", "len", "range") else []
            if any(isinstance(x, ast.Name) and x.id == p for x in (inside, *given)):
                return True
        return False

    def kind(self, p: str, routine: Routine | None = None) -> str:
        """What a parameter stands for: array, slope, count, lr, an option, examples (how many), parameters, grads, W1, d:W1, name, or state for what is remembered; else nothing."""
        routine = routine or self.routine
        if routine is self.routine and self.pair and p in self.pair:
            return ("array", "slope")[self.pair.index(p)]
        if routine is self.routine and self.layer.get(p) == "object":
            return "layer"
        low, role = plain(p), self.names.role(p) or ""
        all_roles = {self.names.role(q) for q in routine.parameters}
        if low in COUNTERS and (low != "i" or "**" in self.text):
            return "count"
        option = ROLE_OF.get(low, "")
        if option and not (low in ("b1", "b2") and all_roles & {"W1", "d:W1", "d:b1"}) and not (low == "alpha" and not any(self.names.role(q) == "lr" for q in routine.parameters if q != p)):
            return option
        if role in ("m", "batch") and (low.endswith("batchsize") or counts(routine.node, p)):
            return "examples"
        if routine is self.routine and not all_roles & {"b*", "d:b*"} and low in TENSORS | SLOPES and self._holds_several(p):
            return "grads" if low in SLOPES else "parameters"
        if low == "betas" or role in ("lr", "parameters", "grads") or re.fullmatch(r"(d:)?[Wb](\d+|\*)", role) or role.removeprefix("d:") in self.names.known:
            return "betas" if low == "betas" else role
        return "name" if low in ("name", "key") else "state" if routine is self.routine and (p in self._remembered or p in self._carried) else ""

    @cached_property
    def _changed(self) -> set[str]:
        """The parameters that are changed within."""
        stored = {t.id for n in own(self.routine.node) if isinstance(n, (ast.Assign, ast.AugAssign)) for target in (n.targets if isinstance(n, ast.Assign) else [n.target])
                  for t in ast.walk(target) if isinstance(t, ast.Name)}
        called = {n.func.value.id for n in own(self.routine.node) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and isinstance(n.func.value, ast.Name)}
        looped = {x.id for n in own(self.routine.node) if isinstance(n, ast.For) for x in ast.walk(n.iter) if isinstance(x, ast.Name)}
        return stored | called | looped

    @cached_property
    def _remembered(self) -> set[str]:
        """The parameters that are changed, read by a key, or returned."""
        return self._changed | {q for q in self.routine.parameters if self._labelled(q) is not None or self._holds_several(q)}

    @cached_property
    def _nameless(self) -> tuple[list[str], list[int]]:
        """What may be remembered and is neither changed nor returned by its name, and the places of what is returned, after what is moved, under no name that is known."""
        e, r = self.routine.returned, self.routine
        anew = {t.id for n in own(r.node) if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}  # v = ..., which changes nothing outside
        within = {x.id for n in own(r.node) if isinstance(n, (ast.Assign, ast.AugAssign)) for t in (n.targets if isinstance(n, ast.Assign) else [n.target])
                  if not isinstance(t, ast.Name) or isinstance(n, ast.AugAssign) for x in ast.walk(t) if isinstance(x, ast.Name)}
        held = [p for p in r.parameters if (p not in self._changed or p in anew - within) and self._labelled(p) is None and p not in (self.pair or ())]
        roles = {p: ROLE_OF.get(plain(p)) or str(self.names.role(p) or "").replace("cache", "") or (plain(p) in COUNTERS | {"name", "key"}) for p in r.parameters}
        named = {path[0] for p in r.parameters if (path := self._labelled(p))}
        moving = [p for p in r.parameters if p in (self.pair or ())[:1] or re.fullmatch(r"[Wb](\d+|\*)|parameters", str(roles[p]))]
        return [p for p in held if not roles[p]], [k for k in range(len(e.elts)) if k not in named][sum(self._labelled(p) is None for p in moving):] if isinstance(e, ast.Tuple) else []

    @cached_property
    def _carried(self) -> dict[str, Path]:
        """Where their new values stand: one place for each, in their order."""
        held, places = self._nameless
        return {p: (k,) for p, k in zip(held, places, strict=True)} if len(held) == len(places) else {}

    @property
    def guessed(self) -> bool:
        """Whether it is only their order that tells what is remembered apart."""
        return len(self._carried) > 1

    @cached_property
    def untold(self) -> str:
        """What is remembered and cannot be found in what is returned, though it may stand there; nothing where all is found."""
        held, places = self._nameless
        return held[0] if held and places and not self._carried else ""

    def after(self, p: str) -> Path | None:
        """Where in what is returned the new value of a parameter stands; None where it is changed in place."""
        return self._labelled(p) or self._carried.get(p)

    def _labelled(self, p: str) -> Path | None:
        for path, label in self.routine.returns.items():
            if re.sub(r"^(new|next|updated)|(new|next|updated|t)$", "", plain(label)) in (plain(p), re.sub("t$", "", plain(p))):
                return path
        return None

    def moved(self, p: str) -> Path | None:
        """The same for a parameter that is moved: where nothing is named so, what is returned first and is nothing else that is known."""
        found = self.after(p)
        e = self.routine.returned
        if found is not None or e is None:
            return found
        parts = list(e.elts) if isinstance(e, ast.Tuple) else [e]
        array = [q for q in self.routine.parameters if self.kind(q) == "array" or re.fullmatch(r"[Wb]\d+", self.kind(q))]
        place = array.index(p) if p in array and len(parts) >= len(array) else 0
        taken = {plain(q) for q in self.routine.parameters if q != p} | {"grads", "loss"}
        label = parts[place].id if isinstance(parts[place], ast.Name) else ""  # type: ignore[attr-defined]
        return None if plain(label) in taken else (place,) if isinstance(e, ast.Tuple) else ()

    @cached_property
    def lists(self) -> bool:
        """Whether parameters are a list: zip(params, grads), enumerate(params), params[i]."""
        named = {p for r in (self.routine, self.maker) if r is not None for p in r.parameters if self.kind(p, r) == "parameters"}
        counted = {x.id for n in ast.walk(self.outer or self.routine.node) if isinstance(n, (ast.For, ast.comprehension)) and re.match(r"range|enumerate", ast.unparse(n.iter))
                   for x in ast.walk(n.target) if isinstance(x, ast.Name)}
        for n in ast.walk(self.outer or self.routine.node):
            if isinstance(n, ast.Call) and ast.unparse(n.func) in ("zip", "enumerate") and any(ast.unparse(a).split(".")[-1] in named for a in n.args):
                return True
            if isinstance(n, ast.Subscript) and ast.unparse(n.value).split(".")[-1] in named and isinstance(n.slice, ast.Name) and n.slice.id in counted:
                return True
        return False

    def stems(self, p: str) -> list[str]:
        """How the keys begin by which a parameter is read: dW for v["dW" + str(l)], nothing for v[key]."""
        found = []
        for n in ast.walk(self.routine.node):
            key = n.slice if isinstance(n, ast.Subscript) and ast.unparse(n.value) == p else \
                n.args[0] if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and ast.unparse(n.func.value) == p and n.func.attr in ("get", "setdefault") and n.args else None
            if key is not None:
                found.append("".join(c.value for c in ast.walk(key) if isinstance(c, ast.Constant) and isinstance(c.value, str)) or ("d" if "[1:]" in self.text and p == "" else ""))
        return list(dict.fromkeys(found))

    def unpacked(self, p: str) -> list[str]:
        """The names that a parameter is taken apart into: m, v = state."""
        return next(([ast.unparse(e) for e in n.targets[0].elts] for n in own(self.routine.node)
                     if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Tuple) and ast.unparse(n.value) == p), [])

    @cached_property
    def counts_itself(self) -> bool:
        """Whether the number of the step is the one before: it is raised inside, or used as t + 1."""
        return any(self.kind(p) == "count" and re.search(rf"\b{p} \+= 1|\b{p} = {p} \+ 1|\*\* ?\({p} \+ 1\)|\({p} \+ 1\)", self.text) for p in self.routine.parameters)

    @cached_property
    def keeps(self) -> bool:
        """Whether it may remember anything between steps."""
        kept = [self.names.of([p for p in path[1:] if p != -1]) or "" for path, _ in stores(self.routine.node) if len(path) > 1] if self.net else []
        return self.maker is not None or any(not re.match("(d:)?[Wb]|grads", k) for k in kept) or any(self.kind(p) in ("state", "count") for p in self.routine.parameters)

    @cached_property
    def bent(self) -> bool:
        """Whether its step may be another on purpose: gradients are clipped, or the rate falls."""
        kinds = {self.kind(p, r) for r in (self.routine, self.maker) if r is not None for p in r.parameters}
        return bool(kinds & {"", "count", "decay", "lam"} or re.search(r"\bglobal\b|clip|norm|\bmin|\bmax|sqrt|exp\b|where|epoch|decay", self.text))

    @cached_property
    def lenient(self) -> bool:
        """Whether it has choices of its own, such as a method by name, so that numbers may stay unused."""
        both = [(r, p) for r in (self.routine, self.maker) if r is not None for p in r.optional]
        return any(not self.kind(p, r) for r, p in both)

    @cached_property
    def constants(self) -> tuple[float, ...]:
        """The numbers that stand in its code."""
        return tuple(dict.fromkeys(float(n.value) for s in (self.outer or self.routine.node, *self.above) for n in ast.walk(s) if isinstance(n, ast.Constant) and isinstance(n.value, float)))


    def line(self, targets: Sequence[str], wrong: Sequence[str]) -> int:
        """The line where a quantity of the optimizer gets its value, w where none is said: as near as the code tells."""
        lines = {str(role_of(n.target if isinstance(n, ast.AugAssign) else n.targets[0], self.names)): n.lineno for n in moves(self.routine.node, self.names)}  # type: ignore[attr-defined]
        last = next((lines[k] for n in wrong for k in (n, f"{n[0]}*") if k in lines), 0)
        made = [n for n in own(self.routine.node) if isinstance(n, (ast.Assign, ast.AugAssign))]
        array = [n.lineno for n in made if re.search(r"\b(lr|l_r|learning_rate|eta|alpha|step_size)\b", ast.unparse(n))]
        look = {"m_hat": r"^[^+]*[/*] \(1(\.0)? - ", "v_hat": r"^[^+]*[/*] \(1(\.0)? - ", "m": r"\+ ?\(?1?", "s": r"\*\* ?2|square", "v": r"\*\* ?2|square|\+|-"}
        found = [n.lineno for t in targets[:1] if t in look for n in sorted(made, key=lambda n: n.lineno) if re.search(look[t], ast.unparse(n))]
        return (found[-1] if targets[0] == "v_hat" else found[0]) if found else last or max(array or [n.lineno for n in made], default=self.routine.node.lineno)


def steppers(tree: ast.Module, names: Names, owner: Class | None = None, taken: Collection[str] = ()) -> list[Stepper]:
    """Everything in a file that applies gradients. owner: the class of the network; taken: functions that have another task."""
    found = []
    above = tuple(s for s in tree.body if isinstance(s, ast.Assign))
    for r in routines(tree):
        inner = [Routine(n.name, n) for n in r.node.body if isinstance(n, ast.FunctionDef) and r.returned is not None and ast.unparse(r.returned) == n.name]
        if r.name not in taken:
            found += [Stepper(r, names, r.name, outer=r.node, above=above), *(Stepper(n, names, r.name, r, outer=r.node, above=above) for n in inner)]
    for c in classes(tree).values():
        net = owner is not None and c.name == owner.name
        init = None if net else c.init or c.made({})
        around = tuple(n for n, m in c.methods.items() if re.match("pre|post", plain(n)) and not m.parameters)
        found += [Stepper(m, names, c.name, init, net, None if net else c.node, above, around) for m in c.methods.values() if m.name != "__init__" and m.name not in taken]
    return [s for s in found if _applies(s, owner)]


def _applies(s: Stepper, owner: Class | None) -> bool:
    if all(isinstance(n, (ast.Expr, ast.Pass, ast.Raise)) for n in s.routine.node.body):  # of a class to be filled in
        return False
    kinds = {s.kind(p) for p in s.routine.parameters}
    data = {"x", "y"} & {s.names.role(p) for p in s.routine.parameters if s.kind(p) != "count"}
    if not NAMED.search(plain(s.routine.name) + plain(s.root) * (s.maker is not None)) or data and not s.alone:
        return False
    given = "grads" in kinds or any(k.startswith("d:") for k in kinds)
    held = {s.kind(p, s.maker) for p in s.maker.parameters} if s.maker is not None else set()
    placed = "parameters" in kinds | held or any(re.fullmatch(r"[Wb](\d+|\*)", k) or k in s.names.known for k in kinds)
    if s.net and owner is not None:
        return given and not s.alone or any(gradient_at(s.names, path) for path in owner.attributes) and bool(moves(s.routine.node, s.names))
    return s.alone or bool(s.layer) or (given or s.cells is not None) and placed
