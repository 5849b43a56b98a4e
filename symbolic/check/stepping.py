"""The update of a file: its function or method is called with gradients of ours, at two learning rates, and what it makes of the parameters is read back."""

from __future__ import annotations

import ast
import copy
from collections.abc import Mapping
from typing import Any

import numpy

from ..optimizers import OPTIMIZERS
from .calls import Script, Supply, arguments, path_text
from .names import Part, parts
from .routines import Path, gradient_at
from .updates import Moved
from .ways import Calls

RATES = (0.5, 0.125)
ADAM = OPTIMIZERS["adam"].options
OPTIONS = {"eps": float(ADAM["epsilon"].default or 0), "beta": float(ADAM["beta1"].default or 0), **{n: float(o.default or 0) for n, o in ADAM.items()}}
STEPS = 2  # of an object, which may remember


def add(way: Calls, script: Script, supply: Supply) -> None:
    """The steps of both learning rates. Raises SpecError for a parameter of the routine that is not known."""
    routine, names = way.updater, way.here.names
    assert routine is not None
    for k, (rate, every) in enumerate(zip(RATES, _gradients(way, supply), strict=True)):
        own = copy.copy(supply)
        own.made = {"lr": rate}
        for t, arrays in enumerate(every):
            key = f"{supply.key}/u{k}/{t}"
            if way.owner is None or t == 0:
                own.made = {"lr": rate}
                way._keep(own)
                if way.owner is not None:
                    own.key = key
                    way._construct(script, own)
            given = {n: script.input(f"{key}/d{n}", a) for n, a in arrays.items()}
            own.made |= {f"d:{n}": v for n, v in given.items()} | {"grads": {"dict": {key_: given[r] for key_, r in _keys(way) if r in given}}}
            own.made |= {f"d:{letter}*": {"list": [given[n] for n in sorted(given) if n[0] == letter]} for letter in "Wb"}
            if way.owner is not None:
                _hand(way, script, own)
            extra = {p: way._value("parameters", own, p) if names.role(p) == "parameters" else OPTIONS[p] for p in routine.parameters if names.role(p) == "parameters" or p in OPTIONS}
            args, kwargs = arguments(routine, names, own, way.here.where(routine.node), extra=extra)
            for j, value in enumerate(args):
                script.add("let", save=f"u{j}", value=value)
            script.add("call", target=f"{'net' if routine.owner else 'file'}.{routine.name}", args=[{"saved": f"u{j}"} for j in range(len(args))], kwargs=kwargs or None, save="r_update")
            script.add("gather", value={"saved": "r_update"}, optional=True, **{"as": f"{key}/out"})
            for j, p in enumerate(routine.parameters[:len(args)]):
                role = names.role(p) or ""
                if p not in OPTIONS and (role == "parameters" or role[:1] in ("W", "b") or role in names.known):
                    script.add("gather", value={"saved": f"u{j}"}, **{"as": f"{key}/{p}"})
            if way.owner is not None:
                script.add("gather", value={"saved": "net"}, **{"as": f"{key}/net"})


def _names(supply: Supply) -> list[str]:
    """The parameters that stand alone in the file's layout."""
    within = supply.plain.depth and supply.layout.bias in ("first", "last")
    return [n for n in supply.plain.network.names("parameter") if n in supply.leaves and not (within and n[0] == "b")]


def _gradients(way: Calls, supply: Supply) -> list[list[dict[str, Any]]]:
    """Gradients of unit size for every step at every learning rate, all different."""
    generator = numpy.random.default_rng(len(supply.key))
    return [[{n: generator.uniform(0.3, 1.2, supply.shape(n)) * generator.choice([-1, 1], supply.shape(n)) for n in _names(supply)} for _ in range(STEPS if way.owner else 1)]
            for _ in RATES]


def _keys(way: Calls) -> list[tuple[str, str]]:
    """The keys of a dictionary of gradients: dW1, or W1 where no key of the routine, nor of what backward returns, begins with d."""
    assert way.updater is not None
    written = [c.value for c in ast.walk(way.updater.node) if isinstance(c, ast.Constant) and isinstance(c.value, str) and c.value != ast.get_docstring(way.updater.node, clean=False)]
    returned = [str(p[-1]) for p in (way.backward.returns if way.backward else {}) if p and isinstance(p[-1], str)]
    before = "d" if any(w.startswith("d") for w in [*written, *returned]) else ""
    return [(before + key, role) for key, role in way._keys]


def _hand(way: Calls, script: Script, supply: Supply) -> None:
    """Put gradients where the object keeps its own."""
    assert way.owner is not None
    done: list[Path] = []
    for path in sorted(way.owner.attributes, key=len):
        role = gradient_at(way.here.names, path)
        if role in supply.made and -1 not in path and not str(path[-1]).endswith("%") and not any(path[:len(d)] == d for d in done):
            script.add("set", path=path_text(("net", *path)), value=supply.made[role])
            done.append(path)


def read(way: Calls, supply: Supply, arrays: Mapping[str, Any]) -> tuple[Moved, ...]:
    """What the parameters became; nothing where the steps did not run."""
    assert way.updater is not None
    out = []
    start = {n: numpy.asarray(supply.array(n), dtype=float) for n in _names(supply)}
    for k, (rate, every) in enumerate(zip(RATES, _gradients(way, supply), strict=True)):
        claimed = tuple(_claimed(way, {key.removeprefix(before): a for key, a in arrays.items() if key.startswith(before)}, list(start))
                        for before in (f"{supply.key}/u{k}/{t}/" for t in range(len(every))))
        out.append(Moved(rate, start, tuple(every), claimed))
    return tuple(out) if all(any(c) for m in out for c in m.claimed) else ()


def _claimed(way: Calls, arrays: Mapping[str, Any], wanted: list[str]) -> dict[str, Any]:
    """The parameters after a step: those returned first, then what was changed in place, then those of the object."""
    assert way.updater is not None
    found: dict[str, Any] = {}
    for tag in ("out", *way.updater.parameters, "net"):
        for key, array in arrays.items():
            if key.startswith((f"{tag}[", f"{tag}.")) or key == tag:
                path: tuple[Part, ...] = parts(key[len(tag):])
                told = (way.updater.returns.get(path),) if tag == "out" and path in way.updater.returns else path if tag in ("out", "net") else (tag, *path)
                role = way.here.names.of([p for p in told if p is not None]) if told and told[0] is not None else None
                if role in wanted:
                    found.setdefault(str(role), numpy.asarray(array, dtype=float))
    return found
