"""Steps of a plan as they are put together: inputs, calls, what is sent back; and how the parameters of a function get their values."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy

from ..derive import derive
from ..errors import SpecError
from ..language.floats import FLOATS
from ..values import forward, gradients
from .layouts import Layout, Plain
from .names import Names
from .routines import Path, Routine

Value: TypeAlias = Any  # a value of the step language, as JSON
Lazy: TypeAlias = Callable[[], Value]


@dataclass
class Script:
    """The steps, and the arrays that go with them."""

    steps: list[dict[str, Any]] = field(default_factory=list)
    inputs: dict[str, Any] = field(default_factory=dict)
    tensors: str = ""  # what makes a tensor of an array, where the file wants those

    def input(self, key: str, array: Any, *, form: str = "") -> Value:
        """An array that is sent along, under a key; one entry as a number where it has no axis."""
        self.inputs[key] = numpy.asarray(array)
        if self.tensors:
            return {"call": self.tensors, "args": [{"input": key}]}
        return {"input": key, **({"as": form} if form else {"as": "number"} if self.inputs[key].ndim == 0 else {})}

    def add(self, do: str, **rest: Any) -> None:
        """One step."""
        self.steps.append({"do": do, **{k: v for k, v in rest.items() if v is not None}})


def path_text(parts: Path) -> str:
    """A path as the step language writes it: .name for an attribute that follows, ['key'] for a key, [0] for a place.

    >>> path_text(("r1", 0)), path_text(("net", ".W1"))
    ('r1[0]', 'net.W1')
    """
    out = str(parts[0])
    for p in parts[1:]:
        out += f"[{p}]" if isinstance(p, int) else p if p.startswith(".") else f"[{p!r}]"
    return out


class Supply:
    """The values that a call may be given at one point, by what they stand for."""

    def __init__(self, script: Script, key: str, plain: Plain, values: Mapping[str, Any], layout: Layout, point: int) -> None:
        self.script, self.key, self.plain, self.layout, self.point = script, key, plain, layout, point
        self.leaves = {n: plain.of(n, values) for n in plain.network.names("input", "target", "parameter") if n in values} if plain.depth else \
            {n: numpy.asarray(v, dtype=float) for n, v in values.items()}
        self.sizes = plain.sizes(values) if plain.depth else []
        self.raw = values
        self.right: Mapping[Any, Any] = {}  # what the point knows of its own values and gradients
        self.penalty = float(numpy.asarray(values.get("lam", 0.0)).reshape(-1)[0])
        self.made: dict[str, Value] = {}  # what earlier calls have returned

    def one(self, k: int) -> Supply:
        """The same with one example."""
        out = copy.copy(self)
        out.leaves = {n: a[k:k + 1] if n in (self.plain.x, self.plain.y) else a for n, a in self.leaves.items()}
        out.made = {}
        return out

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return int(self.leaves[self.plain.x].shape[0]) if self.plain.depth else 1

    def array(self, name: str) -> Any:
        """A leaf in the student's layout."""
        if not self.plain.depth or self.layout.as_is:
            a = self.leaves[name]
            return a.reshape(()) if a.size == 1 else a.reshape(-1) if self.layout.vectors and 1 in a.shape else a
        if name == self.plain.x:
            return self.layout.examples(self.leaves[name])
        if name == self.plain.y:
            return self.layout.targets(self.leaves[name])
        if name[0] == "b":
            return self.layout.biases(self.leaves[name])
        return self.layout.weights(self.leaves[name], self.leaves.get(f"b{name[1:]}"))

    def leaf(self, name: str) -> Value:
        """A leaf as a value of the step language."""
        return self.script.input(f"{self.key}/{name}", self.array(name))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape a leaf has in the student's layout."""
        return tuple(numpy.shape(self.array(name)))

    def top(self, *, below: bool = False) -> Value:
        """Our gradient of the loss with respect to the prediction (below: to the last pre-activation).

        A point that knows its gradients (`right`, under (output, name)) is asked; otherwise they are evaluated here.
        """
        network = self.plain.network
        name = network.resolve("y_hat") if not below else f"z{self.plain.depth}"
        found: Any = self.right.get((network.output, name))
        if found is None:
            leaves = {n: numpy.atleast_2d(numpy.asarray(a, dtype=float)).tolist() for n, a in self.raw.items()}
            found = gradients(derive(network), forward(network, leaves, FLOATS), arithmetic=FLOATS)[network.output, name]
        return self.script.input(f"{self.key}/top", self.layout.examples(self.plain.turned(name, numpy.asarray(found, dtype=float))))

    def known(self, role: str, *, example: int | None = None) -> Value | None:
        """The value of a role, None where there is none here."""
        if role in self.made:
            return self.made[role]
        names = self.plain.network.names("input", "target", "parameter", "constant")
        role = {"x": self.plain.x, "y": self.plain.y}.get(role, role) if self.plain.depth else role
        if role in names and role in self.leaves:
            return self.leaf(role)
        if role in ("W*", "b*"):
            return {"list": [self.leaf(f"{role[0]}{k + 1}") for k in range(self.plain.depth) if f"{role[0]}{k + 1}" in self.leaves]}
        given: dict[str, Lazy] = {
            "lr": lambda: 1.0, "epochs": lambda: 1, "reg": lambda: float(self.penalty), "seed": lambda: 0, "verbose": lambda: False, "shuffle": lambda: False,
            "m": lambda: self.examples, "batch": lambda: self.examples,
        }
        if self.sizes:
            given |= {f"n{k}": lambda k=k: self.sizes[k] for k in range(1, self.plain.depth)}  # type: ignore[misc]
            given |= {"n_in": lambda: self.sizes[0], "n_out": lambda: self.sizes[-1], "n_hidden": lambda: self.sizes[1] if self.plain.depth == 2 else {"list": self.sizes[1:-1]},
                      "sizes": lambda: {"list": self.sizes}, "hidden_sizes": lambda: {"list": self.sizes[1:-1]},
                      "activation": lambda: self.plain.network.layers[0].activation}
        return given[role]() if role in given else None


LEFT = {"lr", "reg", "seed", "verbose", "shuffle", "epochs", "batch", "activation", "sizes", "n_in", "n_hidden", "n_out", "hidden_sizes"}
ALWAYS = {"lr", "epochs", "reg", "batch", "verbose"}  # what we set even where there is a default


def arguments(routine: Routine, names: Names, supply: Supply, where: str, *, extra: Mapping[str, Value] | None = None) -> tuple[list[Value], dict[str, Value]]:
    """The arguments of a call, by the names of its parameters. Raises SpecError for a parameter that is not known."""
    args: list[Value] = []
    kwargs: dict[str, Value] = {}
    by_name = False
    for p in routine.parameters:
        roles = names.roles(p)
        value = (extra or {}).get(p)
        if value is None:
            value = next((v for v in (supply.known(r) for r in roles) if v is not None), None)
        free = p in routine.optional
        if free and (value is None or not (set(roles) & ALWAYS) and _is_setting(roles)):
            by_name = True
            continue
        if value is None:
            raise SpecError(f"{routine.name}() takes {p!r}, which stands for nothing known here", where=where,
                            hint=f"say what it is in the spec, as in check: {{rename: {{{p}: W1}}}}")
        if by_name or p in routine.keyword_only:
            kwargs[p] = value
        else:
            args.append(value)
    return args, kwargs


def _is_setting(roles: list[str]) -> bool:
    return bool(roles) and roles[0] in LEFT
