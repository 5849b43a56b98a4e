"""Layer objects with forward and backward: built here, layer by layer, as the network says; chained by the file's own container where it has one.

The gradient that enters at the top comes from the file's own loss where it has one, else it is ours (of the spec's loss), at our values.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from typing import Any

from ..errors import SpecError
from .calls import Script, Supply
from .helpers import SLOPES
from .names import WORDS, Names, plain
from .routines import FORWARD, LOSS, Class, Routine, calls, classes, is_layer, moves, pick, routines, stores
from .setting import Interface, Setting, fixed_rate

BACK = ("backward", "backwardpass", "backprop", "backwardpropagation", "backwards", "backpropagate")
UPDATES = ("update", "step", "updateparams", "updateweights", "applygradients")
HOLDS = {"layers", "modules", "blocks", "stack"}
ADDS = {"add", "append", "addlayer"}
OUT = {"units", "neurons", "nneurons", "nodes", "numneurons", "size", "dim", "width", *WORDS["n_out"].split()}
SENT_ON = {"dinputs", "dinput", "dx", "gradinput", "gradinputs", "inputgradient", "dprev", "dxs", "inputgrad", "deltax"}
ONE = Names(1)  # the names within one layer
LOSS_NAME = re.compile(r"loss|entropy|mse|bce|cost|criterion|squared|error", re.IGNORECASE)
LOSS_SLOPE = re.compile(r"(.+?)_?(?:prime|grad|gradient|derivative|deriv|backward|delta)|(?:d|grad|gradient|delta)_(.+)", re.IGNORECASE)


@dataclass
class Layers(Interface):
    """Objects of the file's layer classes, one or two a layer of the network.

    dense: the class that holds W and b; activations: for each layer its class, a function of the file (with its slope), or nothing.
    """

    dense: Class | None = None
    activations: list[Any] = field(default_factory=list)
    asks_above = True
    rest: bool = False  # the last activation has no class: the gradient enters below it
    loss: Class | None = None  # the file's own loss, by a class, or by a function and the one of its slope
    slope: Routine | None = None
    value: Routine | None = None
    container: Class | None = None  # what chains the layers
    written: dict[str, int] = field(default_factory=dict)  # where the gradients are worked out, where that is not in the class

    def scopes(self) -> list[Any]:
        """The methods of the layer that holds parameters."""
        assert self.dense is not None
        return [m.node for m in self.dense.methods.values()]

    def lines(self) -> dict[str, int]:
        """One line for all layers: W* and b*."""
        out: dict[str, int] = {}
        assert self.dense is not None
        for path, node in self.dense.attributes.items():
            role = ONE.of(path)
            if role and (role.startswith("d:") != self.update):
                out[f"{role.removeprefix('d:')[0]}*"] = node.lineno  # type: ignore[attr-defined]
        own = self._back(self.loss) if self.loss is not None else self.slope
        if own is not None and own.returned is not None:
            out[f"a{len(self.here.network.layers)}"] = own.returned.lineno
        return self.written or out

    def load(self, script: Script) -> None:
        """The layer classes, once."""
        assert self.dense is not None
        roots = {self.dense.name, *(a.name for a in self.activations if isinstance(a, Class)), *(n for a in self.activations if isinstance(a, tuple) for n in (a[0].name, *a[1:]))}
        roots |= {r.name for r in (self.loss, self.slope, self.value, self.container) if r}
        script.add("load", **self.loading(sorted(roots)))

    def point(self, script: Script, supply: Supply) -> None:
        """Build, forward through all, back through all."""
        depth, value = supply.plain.depth, supply.known("x")
        chain: list[tuple[str, Routine]] = []
        for k in range(1, depth + 1):
            self._dense(script, supply, k)
            value = self._forward(script, supply, f"fc{k}", self.dense, value)
            chain.append((f"fc{k}", self._back(self.dense)))
            script.add("get", value=value, optional=True, **{"as": f"{supply.key}/{'forward.a' if self.inside else 'forward.z'}{k}"})
            act = self.activations[k - 1]
            if act is not None and not (self.rest and k == depth):
                owner = self._activation(script, act, f"act{k}")
                value = self._forward(script, supply, f"act{k}", owner, value)
                chain.append((f"act{k}", self._back(owner)))
                script.add("get", value=value, optional=True, **{"as": f"{supply.key}/forward.a{k}"})
        if self.container is not None:
            value = self._chained(script, supply, [n for n, _ in chain])
            chain = [("model", self._back(self.container))]
        gradient = self._top(script, supply, value)
        for name, routine in reversed(chain):
            args = []
            for i, p in enumerate(routine.parameters):
                if i and p in routine.optional and "lr" not in ONE.roles(p):
                    continue
                args.append(gradient if i == 0 else supply.known(next((r for r in ONE.roles(p) if supply.known(r) is not None), "lr")))
            script.add("call", target=f"{name}.{routine.name}", args=args, save=f"g_{name}")
            gradient = {"saved": f"g_{name}" if routine.returned is not None else f"{name}.{self._sent_on(routine)}"}
        for k in range(1, depth + 1):
            self._finish(script, supply, k)

    def _chained(self, script: Script, supply: Supply, names: list[str]) -> Any:
        """The file's container made of the layers that are there, and called."""
        assert self.container is not None
        layers, init = [{"saved": n} for n in names], self.container.init
        listed = bool(init and init.parameters)
        args = layers if init and init.node.args.vararg else [{"list": layers}] if listed else []
        script.add("call", target=f"file.{self.container.name}", args=args, save="model")
        if not args:
            (add,) = (m for m in self.container.methods.values() if plain(m.name) in ADDS)
            for layer in layers:
                script.add("call", target=f"model.{add.name}", args=[layer])
        value = self._forward(script, supply, "model", self.container, supply.known("x"))
        script.add("get", value=value, optional=True, **{"as": f"{supply.key}/forward.a{supply.plain.depth}"})
        return value

    def _top(self, script: Script, supply: Supply, value: Any) -> Any:
        """The gradient that enters: of the file's own loss at its own prediction, or ours."""
        if self.loss is not None:
            script.add("call", target=f"file.{self.loss.name}", save="criterion")
            forward, back = loss_forward(self.loss), self._back(self.loss)
            if forward is not None:
                script.add("call", target=f"criterion.{forward.name}", args=_compared(forward, value, supply), save="r_loss")
                script.add("gather", value={"saved": "r_loss"}, optional=True, **{"as": f"{supply.key}/loss"})
            script.add("call", target=f"criterion.{back.name}", args=_compared(back, value, supply), save="g_top")
            return {"saved": "g_top" if back.returned is not None else f"criterion.{self._sent_on(back)}"}
        if self.slope is not None:
            if self.value is not None:
                script.add("call", target=f"file.{self.value.name}", args=_compared(self.value, value, supply), save="r_loss", optional=True)
                script.add("gather", value={"saved": "r_loss"}, optional=True, **{"as": f"{supply.key}/loss"})
            script.add("call", target=f"file.{self.slope.name}", args=_compared(self.slope, value, supply), save="g_top")
            return {"saved": "g_top"}
        return supply.top(below=self.rest)

    @staticmethod
    def _sent_on(routine: Routine) -> str:
        """The attribute in which a backward that returns nothing leaves the gradient of its input."""
        kept = [str(p[-1])[1:] for p, _ in stores(routine.node) if len(p) == 2 and str(p[-1]).startswith(".")]
        return next((a for a in kept if plain(a) in SENT_ON), "dinputs")

    @property
    def inside(self) -> bool:
        """Whether the dense layer applies the activation itself."""
        assert self.dense is not None
        return bool(self.dense.init and any("activation" in ONE.roles(p) or plain(p).startswith("act") for p in self.dense.init.parameters))

    def _dense(self, script: Script, supply: Supply, k: int) -> None:
        assert self.dense is not None
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        sizes, free = [supply.sizes[k - 1], supply.sizes[k]], 0
        init = self.dense.init
        for p in init.parameters if init else ():
            roles = ONE.roles(p)
            assert init is not None
            if "activation" in roles or plain(p).startswith("act"):
                kwargs[p] = supply.plain.network.layers[k - 1].activation
            elif roles[:1] in (["W1"], ["b1"]):
                args.append(supply.leaf(f"{roles[0][0]}{k}"))
            elif p in init.optional:
                if roles[:1] == ["lr"]:
                    kwargs[p] = 1.0
                elif roles[:1] == ["n_in"]:
                    kwargs[p] = sizes[0]
            elif plain(p) in OUT:
                args.append(sizes[1])
                free = max(free, 1) if len(args) > 1 else free
            elif roles[:1] in (["lr"], ["seed"]):
                args.append(supply.known(roles[0]))
            elif free < 2 and (not roles or {"n_in", "n_out", "x", "n_hidden"} & set(roles)):
                args.append(sizes[0] if "n_in" in roles else sizes[1] if "n_out" in roles else sizes[free])
                free += 1
            else:
                raise SpecError(f"{self.dense.name}() takes {p!r}, which stands for nothing known here", where=self.here.where(init.node),
                                hint=f"say what it is in the spec, as in check: {{rename: {{{p}: n_in}}}}")
        script.add("call", target=f"file.{self.dense.name}", args=args, kwargs=kwargs or None, save=f"fc{k}")
        for at, letter in self._attributes():
            name = f"{letter}{k}"
            if letter == "lr":
                script.add("set", path=f"fc{k}{at}", value=1.0)
            elif name in supply.leaves:
                script.add("set", path=f"fc{k}{at}", value=supply.leaf(name))

    def _attributes(self) -> list[tuple[str, str]]:
        assert self.dense is not None
        out: dict[str, str] = {}
        for path in self.dense.attributes:
            role = ONE.of([p for p in path if p != -1])
            if -1 not in path and role in ("W1", "b1", "lr"):
                text = "".join(p if isinstance(p, str) and p.startswith(".") else f"[{p!r}]" for p in path)
                out.setdefault(text, role[0] if role != "lr" else "lr")
        return list(out.items())

    def _activation(self, script: Script, act: Any, name: str) -> Class:
        owner = act[0] if isinstance(act, tuple) else act
        args = [{"saved": f"file.{f}"} for f in act[1:]] if isinstance(act, tuple) else []
        script.add("call", target=f"file.{owner.name}", args=args, save=name)
        return owner

    def _forward(self, script: Script, supply: Supply, name: str, owner: Class | None, value: Any) -> Any:
        assert owner is not None
        routine = pick(owner.methods, FORWARD, ONE, "forward")
        assert routine is not None
        script.add("call", target=f"{name}.{routine.name}", args=[value], save=f"v_{name}")
        returned = f"v_{name}"
        if routine.returned is None:  # nnfs: self.output
            attribute = next((p for p in owner.attributes if len(p) == 1 and "y_hat" in ONE.roles(str(p[0])[1:])), None)
            returned = f"{name}{attribute[0]}" if attribute else returned
        return {"saved": returned}

    def _back(self, owner: Class | None) -> Routine:
        assert owner is not None
        found = pick(owner.methods, BACK, ONE, "backward")
        assert found is not None
        return found

    def _finish(self, script: Script, supply: Supply, k: int) -> None:
        assert self.dense is not None
        if self.update and not moves(self._back(self.dense).node, ONE):
            routine = pick(self.dense.methods, UPDATES, ONE, "update")
            if routine is not None:
                args = [supply.known(next((r for r in ONE.roles(p) if supply.known(r) is not None), "lr")) for p in routine.parameters if p not in routine.optional or "lr" in ONE.roles(p)]
                script.add("call", target=f"fc{k}.{routine.name}", args=args)
        script.add("gather", value={"saved": f"fc{k}"}, **{"as": f"{supply.key}/net.fc{k}"})


def layers(here: Setting) -> Interface | None:
    """layer objects with forward and backward"""
    found = [c for c in classes(here.code.tree).values() if is_layer(c, ONE)]
    holding = [c for c in found if {"W1"} <= {ONE.of([p for p in path if p != -1]) for path in c.attributes}]
    if not holding or not here.network.plain_stack or here.adapter.script or here.adapter.locals:
        return None
    dense = next((c for c in holding if re.search(r"dense|linear|fc|affine|fullyconnected|layer", c.name, re.IGNORECASE)), holding[0])
    way = Layers(here, here.layouts(), dense=dense, order=("net",))
    others = [c for c in found if c is not dense and c not in holding]
    functions = {r.name for r in routines(here.code.tree)}
    if not way.inside:
        for k, plan in enumerate(here.network.layers, 1):
            act = _activation_class(plan.activation, others, functions, here)
            if act is None and plan.activation != "identity":
                if k < len(here.network.layers):
                    raise SpecError(f"no class for the activation {plan.activation} is found", where=here.code.name,
                                    hint="a class with forward and backward, named after it")
                way.rest = True
            way.activations.append(act)
    else:
        way.activations = [None] * len(here.network.layers)
    keeps = {(ONE.of([p for p in path if p != -1]) or "")[:3] for path in dense.attributes}
    way.update = "d:W" not in keeps or bool(here.adapter.recover_from_update)
    if way.update:
        way.order = ()
        moving = [m for m in dense.methods.values() if moves(m.node, ONE)]
        if not moving:
            return None
        way.rate = fixed_rate(moving, here)
    _own_loss(way, here)
    own = way.loss or way.slope
    way.notes.append("the gradient that enters at the " + ("last pre-activation" if way.rest else "prediction") + (f" comes from {own.name}" if own else " is ours, of the loss in the spec"))
    way.container = _container(others, here)
    chained = f", chained by {way.container.name}" if way.container else ""
    way.spoken = f"layer objects ({', '.join(dict.fromkeys([dense.name, *(_owner(a).name for a in way.activations if a)]))}){chained}"
    return way


def _own_loss(way: Layers, here: Setting) -> None:
    """The file's own loss: the only class, or function with one of its slope, or the only one that the file uses."""
    def the_one(found: list[Any]) -> Any:
        used = [f for f in found if f.name in named]
        return used[0] if len(used) == 1 else found[0] if len(found) == 1 else None

    tree, all_classes = here.code.tree, classes(here.code.tree)
    named = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    bases = {b for c in all_classes.values() for b in c.bases}
    found = [c for c in all_classes.values() if LOSS_NAME.search(c.name) and c.name not in bases and (c.init is None or set(c.init.parameters) <= set(c.init.optional))
             and (back := pick(c.methods, BACK, ONE, "backward")) is not None and _takes_two(back, none=loss_forward(c) is not None)]
    functions = {r.name: r for r in routines(tree)}
    slopes = [r for r in functions.values() if (m := LOSS_SLOPE.fullmatch(r.name)) and LOSS_NAME.search(m[1] or m[2]) and _takes_two(r) and len(r.parameters) == 2]
    loss = the_one(found)
    if loss is not None and (not way.rest or not _predictions(pick(loss.methods, BACK, ONE, "backward"))):
        way.loss = loss
    elif not found and not way.rest and (slope := the_one(slopes)) is not None and (m := LOSS_SLOPE.fullmatch(slope.name)):
        way.slope, way.value = slope, functions.get(m[1] or m[2])


def loss_forward(c: Class) -> Routine | None:
    """The method of a loss that takes prediction and target."""
    return next((m for m in c.methods.values() if plain(m.name) in (*FORWARD, *LOSS, "call", "calculate", "compute", "value") and _takes_two(m) and len(m.parameters) >= 2), None)


def _predictions(routine: Routine | None) -> list[str]:
    """The parameters of a loss that are not the target."""
    return [p for p in routine.parameters if p not in routine.optional and "y" not in ONE.roles(p)] if routine is not None else []


def _takes_two(routine: Routine, *, none: bool = False) -> bool:
    """Whether it takes a prediction and a target; none: or nothing, as its forward has kept them."""
    needed = [p for p in routine.parameters if p not in routine.optional]
    return not needed if none and not needed else len(needed) == 2 and len(_predictions(routine)) <= 2


def _compared(routine: Routine, value: Any, supply: Supply) -> list[Any]:
    """Prediction and target in the order in which a loss takes them: by their names, else the prediction first."""
    needed = [p for p in routine.parameters if p not in routine.optional]
    if len(needed) != 2:
        return []
    target_first = "y" in ONE.roles(needed[0]) and "y" not in ONE.roles(needed[1])
    return [supply.known("y"), value] if target_first else [value, supply.known("y")]


def _container(others: list[Class], here: Setting) -> Class | None:
    """The class that holds a list of layers and calls them in turn; None where it wants more than the layers, and one value each way."""
    for c in others:
        forward, back = pick(c.methods, FORWARD, ONE, "forward"), pick(c.methods, BACK, ONE, "backward")
        held = [p for p in c.attributes if len(p) == 1 and plain(str(p[0])[1:]) in HOLDS]
        needed = [p for p in c.init.parameters if p not in c.init.optional] if c.init else []
        fits = c.init is not None and (bool(c.init.node.args.vararg) and not needed or len(needed) == 1 and plain(needed[0]) in HOLDS)
        grows = not needed and sum(plain(m.name) in ADDS and len(m.parameters) == 1 for m in c.methods.values()) == 1
        if held and forward is not None and back is not None and len(forward.parameters) == 1 and (fits or grows) and {"forward", "backward"} & calls(c.node):
            return c
    return None


def _owner(act: Any) -> Class:
    owner: Class = act[0] if isinstance(act, tuple) else act
    return owner


def _activation_class(name: str, others: list[Class], functions: set[str], here: Setting) -> Any:
    """The class of an activation by its name; a class made from two functions, f and its slope; None where there is none."""
    same = [c for c in others if plain(name) in c.name.lower().replace("_", "") and not ("leaky" in c.name.lower()) ^ ("leaky" in name)
            and not re.search(r"loss|entropy", c.name, re.IGNORECASE)]
    if same and (same[0].init is None or all(p in same[0].init.optional for p in same[0].init.parameters)):
        return same[0]
    slope = next((s for p in SLOPES if (s := p.format(name)) in functions), None)
    for c in [*same, *others]:
        needed = [p for p in c.init.parameters if p not in c.init.optional] if c.init else []
        if len(needed) == 2 and slope and name in functions:
            return (c, name, slope)
    return None
