"""The steps of a file's optimizers: each is called with gradients of ours, at two learning rates, keeping what it remembers, and the parameters are read back."""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

from ..errors import SpecError
from .calls import Script, Supply, arguments, path_text
from .names import plain
from .routines import Class, Path, Routine, classes, gradient_at, routines
from .steppers import COUNTERS, OPTIONS, ROLE_OF, Stepper, steppers
from .updates import Moved
from .ways import Calls

RATES = (0.5, 0.125)
STEPS = 3

@dataclass
class Stepped:
    """What was asked of one stepper: keys of the runs, and what came of them."""

    stepper: Stepper
    start: Mapping[str, Any]
    gradients: list[list[dict[str, Any]]]
    key: str
    given: dict[str, float] = field(default_factory=dict)
    rated: bool = False
    point: str = ""
    moved: tuple[Moved, ...] = ()
    stopped: Mapping[str, Any] | None = None

    def read(self, arrays: Mapping[str, Any]) -> tuple[Moved, ...]:
        """What the parameters became; nothing where it did not come back."""
        out = []
        for k, (rate, every) in enumerate(zip(RATES, self.gradients, strict=True)):
            claimed = tuple({n: numpy.asarray(arrays[key], dtype=float) for n in self.start if (key := f"{self.key}/{k}/{t}/{n}") in arrays} for t in range(len(every)))
            out.append(Moved(rate if self.rated else None, self.start, tuple(every), claimed, self.given, self.stepper.constants))
        return tuple(out) if all(any(c) for m in out for c in m.claimed) else ()


class Asking:
    """Writes the steps that one stepper is to take. Raises SpecError for a parameter that is not known."""

    def __init__(self, way: Calls, stepper: Stepper, script: Script, supply: Supply, key: str) -> None:
        self.way, self.s, self.script, self.supply = way, stepper, script, copy.copy(supply)
        generator = numpy.random.default_rng(len(key))
        wanted = _parameters(supply)
        self.out = Stepped(stepper, {n: numpy.asarray(supply.array(n), dtype=float) for n in wanted}, [
            [{n: generator.uniform(0.03, 0.12, supply.shape(n)) * generator.choice([-1, 1], supply.shape(n)) for n in wanted} for _ in range(STEPS)] for _ in RATES], key)

    def all(self) -> Stepped:
        """Every run: each array by itself where one is moved at a time."""
        if self.s.untold:
            raise SpecError(f"what becomes of {self.s.untold!r} cannot be told from what {self.s.spoken} returns")
        for k, (rate, every) in enumerate(zip(RATES, self.out.gradients, strict=True)):
            layers = [[n for n in self.out.start if n[1:] == w[1:]] for w in self.out.start if w[0] == "W"]
            for unit in [[n] for n in self.out.start] if self.s.alone else layers if self.s.layer else [list(self.out.start)]:
                self._run(f"{self.out.key}/{k}", rate, every, unit)
        return self.out

    def _run(self, key: str, rate: float, every: list[dict[str, Any]], unit: list[str]) -> None:
        s, script, supply = self.s, self.script, self.supply
        if not s.net:
            script.add("load", save="moves", **self.way.loading([s.root]))  # anew: the module may remember
        supply.made, supply.key = {"lr": rate}, f"{key}/start"
        self.way._keep(supply)
        self.kept: dict[str, str] = {}  # parameter of the routine -> where its value is kept
        if s.net:
            init = self.way.owner.init if self.way.owner else None
            given = {p: s.kind(p, init) for p in init.parameters} if init is not None else {}
            self.way._construct(script, supply, {p: self._value(p, kind, init, rate, 0, {}, unit) for p, kind in given.items() if init and (kind in OPTIONS or kind == "betas")})
            self.out.rated |= "lr" in given.values() or "lr" in self.way._attributes(supply).values()
        elif s.maker is not None:
            self._call(s.maker, f"moves.{s.root}", "opt", rate, 0, {}, unit)
        target = f"net.{s.routine.name}" if s.net else "opt" if s.maker is not None and not s.routine.owner else f"opt.{s.routine.name}" if s.maker is not None else f"moves.{s.routine.name}"
        for t, arrays in enumerate(every):
            given = {n: script.input(f"{key}/{t}/d{n}", arrays[n]) for n in unit}
            if s.net:
                self._hand(given)
            self._fill(given)
            for name in (n for n in s.around if n.startswith("pre")):
                script.add("call", target=f"opt.{name}", args=[])
            self._call(s.routine, target, "moved", rate, t, given, unit)
            for name in (n for n in s.around if n.startswith("post")):
                script.add("call", target=f"opt.{name}", args=[])
            for n in unit:
                if (place := self._place(n)) is not None:
                    script.add("get", value={"saved": place}, optional=True, **{"as": f"{key}/{t}/{n}"})

    def _call(self, routine: Routine, target: str, save: str, rate: float, t: int, given: Mapping[str, Any], unit: list[str]) -> None:
        extra: dict[str, Any] = {}
        for p in routine.parameters:
            value = self._value(p, self.s.kind(p, routine), routine, rate, t, given, unit)
            if value is not None:
                extra[p] = value
        args, kwargs = arguments(routine, self.s.names, self.supply, self.way.here.where(routine.node) if hasattr(routine.node, "lineno") else "", extra=extra)
        self.script.add("call", target=target, args=args, kwargs=kwargs or None, save=save)
        for p in self.kept if save == "moved" else ():
            moving = self.s.kind(p) not in ("state", "count", "layer")
            path = self.s.moved(p) if moving else self.s.after(p)
            if path is not None:
                self.script.add("let", save=self.kept[p], value={"saved": path_text(("moved", *path))})

    def _value(self, p: str, kind: str, routine: Routine, rate: float, t: int, given: Mapping[str, Any], unit: list[str]) -> Any:
        """The value of a parameter; None where it is left to its default, or to what is known elsewhere."""
        if kind in OPTIONS and not (kind == "decay" and p in routine.optional):
            self.out.given[kind] = OPTIONS[kind][1]
            return OPTIONS[kind][1]
        if kind == "betas":
            self.out.given |= {n: OPTIONS[n][1] for n in ("beta1", "beta2")}
            return {"tuple": [OPTIONS["beta1"][1], OPTIONS["beta2"][1]]}
        if kind == "lr":
            self.out.rated = True
            return rate
        if kind == "examples":
            self.out.given["examples"] = self.supply.examples
            return self.supply.examples
        if not kind and (held := self._config(p, routine)) is not None:
            assert held.init is not None
            values = {q: v for q in held.init.parameters if (v := self._value(q, self.s.kind(q, held.init), held.init, rate, t, given, unit)) is not None}
            self.script.add("call", target=f"moves.{held.name}", args=[], kwargs=values or None, save=f"config_{p}")
            return {"saved": f"config_{p}"}
        if kind == "slope":
            return given[unit[0]]
        if kind == "grads":
            return self._container(given, grads=p)
        if kind.startswith("d:"):
            return {"list": [given[n] for n in sorted(given) if n[0] == kind[2]]} if kind[-1] == "*" else given.get(kind[2:])
        if kind == "name":
            return unit[0]
        if kind == "count" and routine is not self.s.routine:
            a = routine.node.args  # a number that is counted from is its default
            return next((d.value for q, d in zip([*a.args, *a.kwonlyargs][::-1], [*a.defaults, *a.kw_defaults][::-1], strict=False) if q.arg == p and isinstance(d, ast.Constant)), 0)
        if kind == "count" and self.s.after(p) is None:
            return t + (not self.s.counts_itself)
        if kind == "layer" and p in self.kept:
            for attribute, role in self.s.layer.items():
                if role[:2] == "d:" and f"{role[2]}{unit[0][1:]}" in given:
                    self.script.add("set", path=f"{self.kept[p]}.{attribute}", value=given[f"{role[2]}{unit[0][1:]}"])
        if p in self.kept:
            return {"saved": self.kept[p]}
        first = self._first(p, kind, unit, rate, given)
        if first is not None or kind == "state" and self.s.after(p) is not None:  # what may be left out at first is given from then on
            self.kept[p] = f"kept_{p}"
        if first is None:
            return None
        self.script.add("let", save=self.kept[p], value=first)
        self._fill(given)
        return {"saved": self.kept[p]}

    def _fill(self, given: Mapping[str, Any]) -> None:
        """Put gradients into the parameters that hold their own."""
        held = self.s.maker or self.s.routine
        for at in [at for p, at in self.kept.items() if p in held.parameters and self.s.kind(p, held) == "parameters"] if self.s.cells is not None else []:
            for k, value in enumerate(given.values()):
                self.script.add("set", path=f"{at}[{k}].{self.s.cells[1]}", value=value)  # type: ignore[index]

    def _config(self, p: str, routine: Routine) -> Class | None:
        """The class of the file whose objects hold nothing but options and are what a parameter takes: config: Config."""
        says = next((a.annotation for a in ast.walk(routine.node) if isinstance(a, ast.arg) and a.arg == p), None)
        return next((c for c in classes(self.way.here.code.tree).values() if plain(c.name) in (plain(p), plain(ast.unparse(says)) if says else "") and c.init is not None
                     and all(self.s.kind(q, c.init) in (*OPTIONS, "lr", "betas") for q in c.init.parameters)), None)

    def _first(self, p: str, kind: str, unit: list[str], rate: float, given: Mapping[str, Any]) -> Any:
        """What a parameter that is moved, or that remembers, is at the first step."""
        if kind == "array":
            return self.supply.leaf(unit[0])
        if kind == "layer":  # a class of its own stands in for an object: its attributes can be read and set
            values = {a: given[n] if r[0] == "d" else self.supply.leaf(n) for a, r in self.s.layer.items() if (n := f"{r[-1]}{unit[0][1:]}") in unit}
            return {"call": "builtins.type", "args": ["Layer", {"tuple": []}, {"dict": values}]}
        if kind == "parameters":
            return self._container({n: self.supply.leaf(n) for n in unit})
        if re.fullmatch(r"[Wb](\d+|\*)", kind) or kind in self.s.names.known:
            return self.supply.known(kind)
        if kind == "count":
            return 0 if self.s.counts_itself else 1
        if kind != "state" or p in self.s.routine.optional and not (self.s.alone and self.s.stems(p)):
            return None
        if not self.s.alone and (made := self._initial(p)) is not None:
            return made
        stems, zeros = self.s.stems(p), {n: self._zeros(n) for n in unit}
        if (inside := self.s.unpacked(p)):
            return {"tuple": [0 if plain(q) in COUNTERS else zeros[unit[0]] if self.s.alone else self._zeroed(zeros, self.s.stems(q)) for q in inside]}
        if self.s.alone and stems:
            return {"dict": self._settings(p, stems, zeros[unit[0]], rate)}
        if self.s.alone:
            return zeros[unit[0]]
        role = next((r for m in (re.fullmatch(r"(?:v|m|s|vel|velocity|cache|r|mom|sq|h)_?(d?[Wb]\w*)", p), re.fullmatch(r"(d?[Wb]\d+)_?\w+", p)) if m and (r := self.s.names.role(m[1]))), "")
        if role.removeprefix("d:") in zeros:
            return zeros[role.removeprefix("d:")]
        if any(k in COUNTERS and not re.search(rf"{p}\['{k}'\] (\+=|=) ", self.s.text) for k in stems):
            raise SpecError(f"{self.s.spoken} reads the number of the step from {p!r} and does not raise it")
        if stems and all(k in COUNTERS or self.s.names.role(k) == "lr" or plain(k) in ROLE_OF for k in stems):
            return {"dict": self._settings(p, stems, None, rate)}
        nested = [k for k in stems if k and not (self.s.names.role(f"{k}1") or k.startswith("d"))]
        if nested:
            return {"dict": {k: (self._number(p, k) if k in COUNTERS else self._zeroed(zeros, [""])) for k in nested}}
        return self._zeroed(zeros, stems)

    def _zeroed(self, zeros: Mapping[str, Any], stems: list[str]) -> Any:
        """A container of zeros by the keys of parameters, of gradients, or by place."""
        if self.s.lists:
            return {"list": list(zeros.values())}
        keyed = {key: zeros[r] for key, r in self.way._keys if r in zeros}
        own = {} if stems and all(k.startswith("d") for k in stems) else keyed
        return {"dict": {**own, **({f"d{k}": v for k, v in keyed.items()} if any(k.startswith("d") or not k for k in stems) else {})}}

    def _settings(self, p: str, stems: list[str], zeros: Any, rate: float) -> dict[str, Any]:
        """A dictionary of options and of what is remembered, for one array: options in our numbers, and zeros for what the code does not begin itself."""
        out: dict[str, Any] = {}
        for key in stems:
            option = ROLE_OF.get(plain(key), "")
            begun = re.search(rf"(get|setdefault)\(['\"]{re.escape(key)}['\"]|['\"]{re.escape(key)}['\"] not in {p}", self.s.text)
            if self.s.names.role(key) == "lr" or option:
                out[key] = rate if not option or option == "share" and plain(key) == "alpha" else OPTIONS[option][1]
                self.out.rated |= out[key] == rate
                self.out.given |= {option: out[key]} if option and out[key] != rate else {}
            elif not begun:
                out[key] = self._number(p, key) if plain(key) in COUNTERS else zeros
        return out

    def _number(self, p: str, key: str) -> int:
        """What the number of the step is at first, in a dictionary: 1 where it is used before it is raised."""
        at = rf"{p}\['{re.escape(key)}'\]"
        return int(bool(re.search(rf"(?s){at}(?! (\+=|=|\+ 1)).*{at} (\+= 1|= {at} \+ 1)", self.s.text)))

    def _zeros(self, n: str) -> Any:
        return {"call": "np.zeros", "args": [list(self.supply.shape(n))]}

    def _initial(self, p: str) -> Any:
        """What a function of the file returns that prepares it: v, s = initialize_adam(parameters)."""
        prepare = [r for r in routines(self.way.here.code.tree) if r.name != self.s.routine.name and re.search("init|zero|creat|make|start", plain(r.name))
                   and all(self.s.names.role(q) == "parameters" for q in r.parameters)]
        whole = [r for r in prepare if r.parameters and r.returned is not None and self.s.meant in plain(r.name)]
        for r in prepare:
            path = next((path for path, label in r.returns.items() if plain(label) == plain(p)), None)
            if path is None and whole == [r] and [q for q in self.s.routine.parameters if self.s.kind(q) == "state" and self._is_whole(q)] == [p]:
                path = ()
            if path is not None:
                self.script.add("load", save="before", **self.way.loading([r.name]))
                made = [self._container({n: self.supply.leaf(n) for n in self.out.start}) if self.s.lists else self.way._value("parameters", self.supply, q) for q in r.parameters]
                self.script.add("call", target=f"before.{r.name}", args=made, save="first")
                return {"saved": path_text(("first", *path))}
        return None

    def _is_whole(self, p: str) -> bool:
        """Whether a parameter is all that is remembered: it is no number, nor a dictionary of options, and no other is."""
        return not any(plain(k) in ROLE_OF or self.s.names.role(k) == "lr" for k in self.s.stems(p))

    def _container(self, values: Mapping[str, Any], grads: str = "") -> Any:
        """Parameters or gradients as one value: a list, pairs, or a dictionary with the keys of the file."""
        if self.s.cells is not None and not grads:
            objects = [{"dict": {self.s.cells[0]: v, self.s.cells[1]: self._zeros(n)}} for n, v in values.items()]
            return {"list": [{"call": "builtins.type", "args": ["Parameter", {"tuple": []}, held]} for held in objects]}
        if self.way.pairs[0]:
            return {"list": [{"tuple": [values[n] for n in pair if n in values]} for pair in self.way.pairs[0]]}
        if self.s.lists:
            return {"list": list(values.values())}
        before = "d" if grads and any(k.startswith("d") for k in self.s.stems(grads)) else ""
        found = {before + key: values[r] for key, r in self.way._keys if r in values}
        return {"tuple": list(found.values())} if not grads and self.way._unpacked() else {"dict": found}

    def _place(self, n: str) -> str | None:
        """Where a parameter is after a step."""
        for p, at in self.kept.items():
            kind = self.s.kind(p, self.s.routine if p in self.s.routine.parameters else self.s.maker)
            if kind in ("array", n):
                return at
            if kind == "layer":
                return next((f"{at}.{a}" for a, role in self.s.layer.items() if role == n[0]), None)
            if kind == f"{n[0]}*":
                return f"{at}[{int(n[1:]) - 1}]"
            if kind == "parameters" and self.s.cells is not None:
                return f"{at}[{list(self.out.start).index(n)}].{self.s.cells[0]}"
            if kind == "parameters" and self.way.pairs[0]:
                return next(f"{at}[{i}][{pair.index(n)}]" for i, pair in enumerate(self.way.pairs[0]) if n in pair)
            if kind == "parameters":
                return f"{at}[{list(self.out.start).index(n)}]" if self.s.lists else next((path_text((at, key)) for key, r in self.way._keys if r == n), None)
        return next((path_text(("net", *path)) for path, r in self.way._attributes(self.supply).items() if r == n), None) if self.s.net else None

    def _hand(self, given: Mapping[str, Any]) -> None:
        """Put gradients where the object keeps its own."""
        assert self.way.owner is not None
        returned = [str(p[-1]) for p in (self.way.backward.returns if self.way.backward else {})]
        before = "d" if any(r.startswith("d") for r in returned) or re.search(r"""["']d[Wb"'{%]""", self.s.text) else ""
        made = {f"d:{n}": v for n, v in given.items()} | {"grads": {"dict": {before + key: given[r] for key, r in self.way._keys if r in given}}}
        made |= {f"d:{letter}*": {"list": [given[n] for n in sorted(given) if n[0] == letter]} for letter in "Wb"}
        done: list[Path] = []
        for path in sorted(self.way.owner.attributes, key=len):
            role = gradient_at(self.s.names, path)
            if role in made and -1 not in path and not str(path[-1]).endswith("%") and not any(path[:len(d)] == d for d in done):
                self.script.add("set", path=path_text(("net", *path)), value=made[role])
                done.append(path)


def _parameters(supply: Supply) -> list[str]:
    """The parameters that stand alone in the file's layout."""
    within = supply.plain.depth and supply.layout.bias in ("first", "last")
    return [n for n in supply.plain.network.names("parameter") if n in supply.leaves and not (within and n[0] == "b")]


def add(way: Calls, script: Script, supply: Supply) -> list[Stepped]:
    """The steps of everything in a file that applies gradients; what takes a parameter that is not known is left out, with a note."""
    taken = [r.name for r in (way.forward, way.loss, way.backward, way.after) if r is not None]
    out = []
    for k, s in enumerate(steppers(way.here.code.tree, way.here.names, way.owner, taken)):
        before = len(script.steps)
        try:
            out.append(replace(Asking(way, s, script, supply, f"{supply.key}/u{k}").all(), point=f"{supply.point} moved {k}"))
        except SpecError as e:
            del script.steps[before:]
            note = f"the update is not judged: {e.sentence}"
            way.notes += [note] * (note not in way.notes)
        for step in script.steps[before:]:
            step["point"] = f"{supply.point} moved {k}"
    return out


def results(script: Script, outcome: Any, every: Sequence[Stepped]) -> tuple[Stepped, ...]:
    """What came of all steps, or why one of them failed."""
    failed: dict[Any, Mapping[str, Any]] = {}
    for step, report in zip(script.steps, outcome.steps, strict=False):
        if report["status"] == "failed" and not step.get("optional"):
            failed.setdefault(step.get("point"), report)
    return tuple(replace(s, stopped=failed.get(s.point), moved=() if s.point in failed else s.read(outcome.arrays)) for s in every)
