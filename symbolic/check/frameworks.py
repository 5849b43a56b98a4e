"""Files that use PyTorch or JAX, where those are installed: modules, autograd functions, losses with custom gradients.

Everything runs in double precision. The gradient that enters a module from above is ours, of the loss in the spec; what is judged is what the file's own
forward and backward make of it.
"""

from __future__ import annotations

import ast
import importlib.util
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ..errors import SpecError
from .calls import Script, Supply, arguments, path_text
from .layouts import Layout
from .names import Part, parts
from .routines import LOSS, Class, Path, Routine, classes, gives_gradients, own, pick, routines
from .setting import Interface, Setting
from .ways import Calls

DOUBLE = {"torch": "import torch\ntorch.set_default_dtype(torch.float64)", "jax": "import jax\njax.config.update('jax_enable_x64', True)"}
TENSOR = {"torch": "torch.tensor", "jax": "jax.numpy.asarray"}


@lru_cache(maxsize=4)
def used(tree: ast.AST) -> str:
    """The library that a file imports: torch, jax, or nothing."""
    for n in ast.walk(tree):
        names = [a.name for a in n.names] if isinstance(n, ast.Import) else [n.module or ""] if isinstance(n, ast.ImportFrom) else []
        for name in names:
            if name.split(".")[0] in TENSOR:
                return name.split(".")[0]
    return ""


def prepared(here: Setting) -> str:
    """The library of a file. Raises SpecError where it is not installed."""
    library = used(here.code.tree)
    if library and importlib.util.find_spec(library) is None:
        raise SpecError(f"the file imports {library}, which is not installed here", where=here.code.name, hint=f"pip install {library}")
    return library


def tensor(library: str, value: Any, *, gradient: bool = False) -> Any:
    """An array of the plan as a tensor; gradient: one that collects its gradient."""
    made = {"call": TENSOR[library], "args": [value]}
    return {"call": "torch.nn.Parameter", "args": [made]} if gradient else made


@dataclass
class Module(Interface):
    """A torch.nn.Module: its parameters are set, it is called, and our gradient is sent back through its output."""

    owner: Class | None = None
    asks_above = True
    places: dict[Path, str] = field(default_factory=dict)  # where each parameter stands
    own_loss: Path | None = None  # where in what it returns its own loss stands, if it takes targets

    def scopes(self) -> list[ast.AST]:
        """Nothing assigns a gradient here."""
        return []

    def load(self, script: Script) -> None:
        """The class, in double precision."""
        assert self.owner is not None
        fields = dict(self.loading([self.owner.name]))
        script.add("load", **{**fields, "before": f"{DOUBLE['torch']}\n{fields.get('before', '')}"})

    def point(self, script: Script, supply: Supply) -> None:
        """Construct, set, forward, backward, read the gradients of the parameters."""
        assert self.owner is not None
        init = self.owner.init
        args, kwargs = arguments(init, self.here.names, supply, self.here.where(init.node)) if init else ([], {})
        script.add("call", target=f"file.{self.owner.name}", args=args, kwargs=kwargs or None, save="net")
        for path, role in self.places.items():
            script.add("set", path=path_text(("net", *path)), value=tensor("torch", supply.leaf(role), gradient=True))
        given = [{"x": "x", "y": "y"}.get(self.here.names.role(p) or "", "") for p in self.owner.methods["forward"].parameters] if self.own_loss is not None else ["x"]
        script.add("call", target="net.__call__", args=[tensor("torch", supply.known(role)) for role in given if role], save="r")
        script.add("gather", value={"saved": "r"}, **{"as": f"{supply.key}/forward"})
        script.add("call", target=f"{path_text(('r', *self.own_loss))}.backward" if self.own_loss is not None else "r.backward",
                   args=[tensor("torch", supply.top())] if self.own_loss is None else [])
        for path, role in self.places.items():
            script.add("get", value={"saved": f"{path_text(('net', *path))}.grad"}, optional=True, **{"as": f"{supply.key}/backward[{role!r}]"})


def modules(here: Setting) -> Interface | None:
    """a torch.nn.Module"""
    if used(here.code.tree) != "torch" or not here.network.plain_stack:
        return None
    found = [c for c in classes(here.code.tree).values() if any(b.split(".")[-1] == "Module" for b in c.bases)]
    for c in reversed(found):
        places = _places(c, here)
        if places and set(places.values()) >= set(here.network.names("parameter")):
            prepared(here)
            way = Module(here, here.layouts(), owner=c, places=places, preload=("torch",), order=("backward",))
            if any(str(p[-1]) in (".weight", ".bias") for p in places):
                way.layouts = [Layout(rows=True, in_out=False, bias="flat", target=t) for t in dict.fromkeys(o.target for o in way.layouts)]
            way.labels["backward"] = {(role,): f"d{role}" for role in places.values()}
            forward = c.methods.get("forward")
            if forward is not None and "y" in [here.names.role(p) for p in forward.parameters]:
                parts_ = forward.returned.elts if isinstance(forward.returned, ast.Tuple) else []
                at = next((k for k, e in enumerate(parts_) if here.names.role(ast.unparse(e)) == "loss"), len(parts_) - 1)
                way.own_loss = (at,) if parts_ else ()
                way.labels["forward"] = {(k,): "y_hat" for k in range(len(parts_)) if k != at} | {way.own_loss: "loss"}
            else:
                way.notes.append("the gradient that enters at the prediction is ours, of the loss in the spec")
            way.spoken = f"torch.nn.Module {c.name}"
            return way
    if found:
        raise SpecError(f"the module {found[-1].name} has not the parameters {', '.join(here.network.names('parameter'))}", where=here.where(found[-1].node),
                        hint="nn.Linear layers are taken in the order in which they are made; say others in the spec, as in check: {attrs: {W1: first.weight}}")
    return None


def _places(c: Class, here: Setting) -> dict[Path, str]:
    """Where a module keeps its parameters: its nn.Linear layers in order, its nn.Parameters by name, or as the spec says."""
    out: dict[Path, str] = {}
    parameters = here.network.names("parameter")
    linear: list[Path] = []
    for n in own(c.init.node) if c.init else ():
        if not isinstance(n, ast.Assign) or not isinstance(n.targets[0], ast.Attribute):
            continue
        at: tuple[Part, ...] = (f".{n.targets[0].attr}",)
        if isinstance(n.value, ast.Call):
            name = ast.unparse(n.value.func).split(".")[-1]
            items = n.value.args[0].elts if name == "ModuleList" and n.value.args and isinstance(n.value.args[0], ast.List) else n.value.args if name == "Sequential" else []
            linear += [at] if name in ("Linear", "LazyLinear") else [(*at, k) for k, a in enumerate(items) if isinstance(a, ast.Call) and ast.unparse(a.func).split(".")[-1] == "Linear"]
            role = here.names.of(at)
            if name == "Parameter" and role in parameters:
                out[at] = str(role)
    for k, path in enumerate(linear, 1):
        out |= {(*path, tail): name for tail, name in ((".weight", f"W{k}"), (".bias", f"b{k}")) if name in parameters}
    for name, where in here.adapter.attrs.items():
        if name in parameters:
            out[parts(f".{where.lstrip('.')}")] = name
    return out


@dataclass
class Function(Interface):
    """A torch.autograd.Function of one layer: apply, then our gradient sent back through it."""

    owner: Class | None = None
    asks_above = True
    forward: Routine | None = None

    def load(self, script: Script) -> None:
        """The class, in double precision."""
        assert self.owner is not None
        fields = dict(self.loading([self.owner.name]))
        script.add("load", **{**fields, "before": f"{DOUBLE['torch']}\n{fields.get('before', '')}"})

    def point(self, script: Script, supply: Supply) -> None:
        """Tensors that collect gradients, apply, backward."""
        assert self.owner is not None and self.forward is not None
        given = []
        for p in self.forward.all_parameters[1:]:
            role = self.here.names.role(p)
            value = supply.known(role) if role else None
            if value is None:
                raise SpecError(f"{self.owner.name}.forward() takes {p!r}, which stands for nothing known here", where=self.here.where(self.forward.node),
                                hint=f"say what it is in the spec, as in check: {{rename: {{{p}: W1}}}}")
            script.add("let", save=f"t_{role}", value=tensor("torch", value, gradient=True))
            given.append(role)
        script.add("call", target=f"file.{self.owner.name}.apply", args=[{"saved": f"t_{r}"} for r in given], save="r")
        script.add("gather", value={"saved": "r"}, **{"as": f"{supply.key}/forward"})
        script.add("call", target="r.backward", args=[tensor("torch", supply.top())])
        for role in given:
            script.add("get", value={"saved": f"t_{role}.grad"}, optional=True, **{"as": f"{supply.key}/backward[{role!r}]"})


def autograd_functions(here: Setting) -> Interface | None:
    """a torch.autograd.Function of one layer"""
    if used(here.code.tree) != "torch" or not here.network.plain_stack or len(here.network.layers) != 1:
        return None
    for c in classes(here.code.tree).values():
        forward = c.methods.get("forward")
        if not any(b.split(".")[-1] == "Function" for b in c.bases) or forward is None:
            continue
        if any((role := here.names.role(p)) and role.startswith("W") for p in forward.all_parameters[1:]):
            prepared(here)
            way = Function(here, here.layouts(), owner=c, forward=forward, preload=("torch",), order=("backward",), spoken=f"torch.autograd.Function {c.name}")
            way.labels["backward"] = {(name,): f"d{name}" for name in here.network.names("parameter")}
            way.notes.append("the gradient that enters at the prediction is ours, of the loss in the spec")
            return way
    return None


@dataclass
class Differentiated(Calls):
    """A loss of a JAX file, differentiated by jax.grad, custom gradients within it and all."""

    moving: tuple[int, ...] = ()

    def load(self, script: Script) -> None:
        """The file, in double precision."""
        fields = dict(self.loading(self.roots(), without=self.globals))
        script.add("load", **{**fields, "before": f"{DOUBLE['jax']}\n{fields.get('before', '')}"})

    def point(self, script: Script, supply: Supply) -> None:
        """jax.grad(loss, argnums)(...)"""
        assert self.loss is not None
        self._keep(supply)
        names = self.here.names
        extra = {p: self._value("parameters", supply, p) for p in self.loss.parameters if names.role(p) == "parameters"}
        args, kwargs = arguments(self.loss, names, supply, self.here.where(self.loss.node), extra=extra)
        argnums: Any = {"tuple": list(self.moving)} if len(self.moving) > 1 else self.moving[0]
        script.add("let", save="g", value={"call": "jax.grad", "args": [{"saved": f"file.{self.loss.name}"}], "kwargs": {"argnums": argnums}})
        script.add("call", target=f"file.{self.loss.name}", args=args, kwargs=kwargs or None, save="r_loss")
        script.add("gather", value={"saved": "r_loss"}, **{"as": f"{supply.key}/loss"})
        script.add("call", target="g", args=args, kwargs=kwargs or None, save="r")
        script.add("gather", value={"saved": "r"}, **{"as": f"{supply.key}/backward"})


def losses(here: Setting) -> Interface | None:
    """a loss that JAX differentiates"""
    if used(here.code.tree) != "jax":
        return None
    found = {r.name: r for r in routines(here.code.tree) if not {"defvjp", "fwd", "bwd"} & {r.name.split("_")[-1]}}
    names = here.names
    if gives_gradients(found, names) is not None:
        return None
    loss = pick(found, LOSS, names, "loss")
    if loss is None:
        return None
    prepared(here)
    roles = [names.role(p) for p in loss.parameters]
    moving = tuple(k for k, r in enumerate(roles) if r == "parameters" or r and re.fullmatch(r"[Wb](\d+|\*)", r))
    if not moving:
        return None
    way = Differentiated(here, here.layouts(), loss=loss, moving=moving, preload=("jax", "jax.numpy"), order=("backward",))
    if len(moving) == 1 and roles[moving[0]] == "parameters":
        keys = [k for k, _ in way._keys]
        way.labels["backward"] = {(i, j): f"d{name}" for i, pair in enumerate(way.pairs[0]) for j, name in enumerate(pair)} or \
            {(k if not way._unpacked() else i,): f"d{k}" for i, k in enumerate(keys)}
    elif len(moving) == 1:
        way.labels["backward"] = {(): f"d{loss.parameters[moving[0]]}"}
    else:
        way.labels["backward"] = {(i,): f"d{loss.parameters[k]}" for i, k in enumerate(moving)}
    way.spoken = f"{loss.name}(), differentiated by jax.grad"
    return way
