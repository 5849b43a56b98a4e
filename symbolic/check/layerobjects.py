"""Layer objects with forward and backward: built and chained here, layer by layer, as the network says.

The gradient that enters at the top is ours (of the spec's loss), at our values; a wrong forward pass is reported first in any case.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy

from ..derive import derive
from ..errors import SpecError
from ..language.floats import FLOATS
from ..values import forward, gradients
from .calls import Script, Supply
from .names import WORDS, Names, plain
from .routines import FORWARD, Class, Routine, classes, moves, pick, routines, stores
from .setting import Interface, Setting
from .ways import fixed_rate, is_layer

BACK = ("backward", "backwardpass", "backprop", "backwardpropagation", "backwards", "backpropagate")
UPDATES = ("update", "step", "updateparams", "updateweights", "applygradients")
OUT = {"units", "neurons", "nneurons", "nodes", "numneurons", "size", "dim", "width", *WORDS["n_out"].split()}
SENT_ON = {"dinputs", "dinput", "dx", "gradinput", "gradinputs", "inputgradient", "dprev", "dxs", "inputgrad", "deltax"}
ONE = Names(1)  # the names within one layer


@dataclass
class Layers(Interface):
    """Objects of the file's layer classes, one or two a layer of the network.

    dense: the class that holds W and b; activations: for each layer its class, a function of the file (with its slope), or nothing.
    """

    dense: Class | None = None
    activations: list[Any] = field(default_factory=list)
    asks_above = True
    rest: bool = False  # the last activation has no class: the gradient enters below it

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
        return out

    def load(self, script: Script) -> None:
        """The layer classes, once."""
        assert self.dense is not None
        roots = {self.dense.name, *(a.name for a in self.activations if isinstance(a, Class)), *(n for a in self.activations if isinstance(a, tuple) for n in (a[0].name, *a[1:]))}
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
        top = upstream(supply, below=self.rest)
        name = f"{'z' if self.rest else 'a'}{depth}"
        gradient = script.input(f"{supply.key}/top", supply.layout.examples(supply.plain.turned(name, top)))
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


def upstream(supply: Supply, *, below: bool = False) -> Any:
    """Our gradient of the loss with respect to the prediction (below: to the last pre-activation), in the network's shape.

    A point that knows its gradients (`values`, under (output, name)) is asked; otherwise they are evaluated here.
    """
    network = supply.plain.network
    last = network.resolve("y_hat")
    key = (network.output, f"z{last[1:]}" if below else last)
    if key in supply.right:
        return numpy.asarray(supply.right[key], dtype=float)
    leaves = {n: numpy.atleast_2d(numpy.asarray(a, dtype=float)).tolist() for n, a in supply.raw.items()}
    return numpy.array(gradients(derive(network), forward(network, leaves, FLOATS), arithmetic=FLOATS)[key], dtype=float)


def layers(here: Setting) -> Interface | None:
    """layer objects with forward and backward"""
    found = [c for c in classes(here.code.tree).values() if is_layer(c, ONE)]
    holding = [c for c in found if {"W1"} <= {ONE.of([p for p in path if p != -1]) for path in c.attributes}]
    if not holding or not here.network.layers or here.adapter.script or here.adapter.locals:
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
    way.notes.append("the gradient that enters at the " + ("last pre-activation" if way.rest else "prediction") + " is ours, of the loss in the spec")
    way.spoken = f"layer objects ({', '.join(dict.fromkeys([dense.name, *(_owner(a).name for a in way.activations if a)]))})"
    return way


def _owner(act: Any) -> Class:
    owner: Class = act[0] if isinstance(act, tuple) else act
    return owner


def _activation_class(name: str, others: list[Class], functions: set[str], here: Setting) -> Any:
    """The class of an activation by its name; a class made from two functions, f and its slope; None where there is none."""
    same = [c for c in others if plain(name) in c.name.lower().replace("_", "") and not ("leaky" in c.name.lower()) ^ ("leaky" in name)
            and not re.search(r"loss|entropy", c.name, re.IGNORECASE)]
    if same and (same[0].init is None or all(p in same[0].init.optional for p in same[0].init.parameters)):
        return same[0]
    from .helpers import SLOPES

    slope = next((s for p in SLOPES if (s := p.format(name)) in functions), None)
    for c in [*same, *others]:
        needed = [p for p in c.init.parameters if p not in c.init.optional] if c.init else []
        if len(needed) == 2 and slope and name in functions:
            return (c, name, slope)
    return None

