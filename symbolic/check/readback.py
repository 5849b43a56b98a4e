"""From the arrays that a file gave back to the network's values and gradients, in the network's shapes.

Names decide first, then shapes (only at points where all sizes differ), never values. Of several layouts that run, the one whose shapes fit
best is taken; where two fit and give different numbers, the file is ambiguous and the person is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from ..errors import SpecError
from .calls import Script, Supply
from .judge import Case
from .layouts import Layout
from .names import Part, parts, plain
from .points import Point
from .reading import Code
from .sandbox import Outcome
from .setting import Interface
from .shapes import Tensor, all_differ, bias_of, reduces_by_mean, tensor, value_of
from .stepping import Stepped
from .subject import Subject

PLACES = ("rows", "in_out")
SURE = {"ypred", "yhat", "pred", "preds", "prediction", "predictions", "predicted", "yprob", "probs", "probabilities", "al", "ypredicted"}


@dataclass(frozen=True)
class PointRead:
    """What a file gave at one point. failure: why nothing came (a step's report); changed: inputs that it changed in place."""

    values: Mapping[str, Any]
    gradients: Mapping[str, Tensor]
    failure: Mapping[str, Any] | None = None
    changed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Read:
    """What a file gave: one entry a point (None where the way does not use the point), the layout found, the names used, sentences for the report, steps of its update."""

    points: tuple[PointRead | None, ...]
    layout: Layout | None
    notes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    moved: tuple[Stepped, ...] = ()


@dataclass(frozen=True)
class Found:
    """A file that was run: how it was called, at which points, what it gave; fixed_sizes: only the sizes of the spec could be used."""

    subject: Subject
    code: Code
    way: Interface
    at: Sequence[Point]
    outcome: Outcome
    got: Read
    cases: Sequence[Case]
    dtype: str = "float64"
    fixed_sizes: bool = False
    singles: bool = False
    left: tuple[str, ...] = ()


@dataclass
class _Sorted:
    """The numbers of one point in one layout, by what they stand for."""

    values: dict[str, tuple[str, Any]] = field(default_factory=dict)
    gradients: dict[str, tuple[str, Any]] = field(default_factory=dict)
    loose: list[tuple[str, Any]] = field(default_factory=list)  # returned without a name


def read_back(way: Interface, script: Script, supplies: Mapping[tuple[int, int], Supply], outcome: Outcome) -> Read:
    """Sort everything. Raises SpecError where two layouts fit and disagree."""
    count = 1 + max((p for _, p in supplies), default=-1)
    by_shape: dict[int, dict[str, str]] = {}
    reads: dict[tuple[int, int], PointRead] = {}
    lines = way.lines()
    reports: dict[Any, list[tuple[dict[str, Any], Mapping[str, Any]]]] = {}
    for step, report in zip(script.steps, outcome.steps, strict=False):
        reports.setdefault(step.get("point"), []).append((step, report))
    for v in range(len(way.layouts)):
        points = [p for p in range(count) if (v, p) in supplies]
        points.sort(key=lambda p: not all_differ(supplies[v, p]))
        for p in points:
            mine = [*reports.get(None, ()), *reports.get(supplies[v, p].point, ())]
            reads[v, p] = _point(way, mine, supplies[v, p], outcome, by_shape.setdefault(v, {}), lines)
    best = _best(way, supplies, reads, count)
    if best is None:
        return Read((), None, tuple(way.notes))
    layout = way.layouts[best]
    notes = [*way.notes, f"layout: {layout.spoken}"]
    chosen = tuple(reads.get((best, p)) for p in range(count))
    notes += list(dict.fromkeys(f"{name}: {t.note}" for r in chosen if r for name, t in r.gradients.items() if t.note))
    used = {name: t.path for r in chosen if r for name, t in r.gradients.items()}
    changed = sorted({c for r in chosen if r for c in r.changed})
    if changed:
        notes.append(f"the file changes its inputs in place: {', '.join(changed)}")
    return Read(chosen, layout, tuple(notes), used)


def _best(way: Interface, supplies: Mapping[tuple[int, int], Supply], reads: Mapping[tuple[int, int], PointRead], count: int) -> int | None:
    """The layout whose numbers fit best: most gradients of the right shape at the points whose sizes differ."""
    def score(v: int) -> tuple[int, ...]:
        mine = [(supplies[v, p], reads[v, p]) for p in range(count) if (v, p) in reads]
        sharp = [r for s, r in mine if all_differ(s)] or [r for _, r in mine]
        fits = sum(t.array is not None and not t.note for r in sharp for t in r.gradients.values())
        loosely = sum(t.array is not None for r in sharp for t in r.gradients.values())
        ran = sum(r.failure is None for r in sharp)
        forward = sum("y_hat" in r.values for r in sharp)
        return (min(ran, 1), fits + forward, loosely, sum(len(r.gradients) for r in sharp), ran)

    if not way.layouts or not reads:
        return None
    scores = [score(v) for v in range(len(way.layouts))]
    top = max(scores)
    tied = [v for v, s in enumerate(scores) if s == top]
    first = tied[0]
    if top[1]:
        for other in tied[1:]:
            a, b = way.layouts[first], way.layouts[other]
            if any(getattr(a, k) != getattr(b, k) for k in PLACES) and _differ(reads, first, other, count):
                raise SpecError(f"two layouts fit this file: {a.spoken}; or {b.spoken}", where=way.here.code.name,
                                hint=f"say which in the spec, as in check: {{layout: [{_words(a)}]}}")
    return first


def _words(layout: Layout) -> str:
    return f"{'rows' if layout.rows else 'columns'}, {'in_out' if layout.in_out else 'out_in'}"


def _differ(reads: Mapping[tuple[int, int], PointRead], a: int, b: int, count: int) -> bool:
    for p in range(count):
        if (a, p) in reads and (b, p) in reads:
            for name, t in reads[a, p].gradients.items():
                u = reads[b, p].gradients.get(name)
                if t.array is not None and u is not None and u.array is not None and not numpy.allclose(t.array, u.array, rtol=1e-9, atol=1e-12, equal_nan=True):
                    return True
    return False


# ---------------------------------------------------------------- one point in one layout

def _point(way: Interface, reports: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], supply: Supply, outcome: Outcome, by_shape: dict[str, str], lines: Mapping[str, int]) -> PointRead:
    failure = next((r for s, r in reports if r["status"] == "failed" and not s.get("optional")), None)
    changed = sorted({c.split("/")[-1] for _, r in reports for c in r.get("changed", ())})
    if way.each:
        pieces = [_sorted(way, supply.one(k), _below(outcome.arrays, f"v{_key(supply)}/e{k}/"), by_shape) for k in range(supply.examples)]
        found = _together(pieces, supply)
    else:
        found = _sorted(way, supply, _below(outcome.arrays, f"v{_key(supply)}/"), by_shape)
    whole = [numpy.shape(raw) for name, (_, raw) in found.gradients.items() if name[0] == "W"]
    each = bool(whole) and supply.plain.depth > 0 and all(len(s) == 3 and s[0] == supply.examples for s in whole)  # of W too, not only of a bias
    gradients = {name: tensor(supply, name, path, raw, lines, each=each) for name, (path, raw) in found.gradients.items()}
    if supply.layout.bias in ("first", "last") and supply.plain.depth:
        gradients |= {f"b{n[1:]}": bias_of(supply, n, t) for n, t in gradients.items() if n[0] == "W" and f"b{n[1:]}" in supply.leaves}
    values = {}
    for name, (_, raw) in found.values.items():
        fitted = value_of(supply, name, raw)
        if fitted is not None:
            values[name] = fitted
    return PointRead(values, gradients, failure, tuple(changed))


def _key(supply: Supply) -> str:
    return supply.key.split("/")[0].removeprefix("v")


def _below(arrays: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {k[len(prefix):]: a for k, a in arrays.items() if k.startswith(prefix)}


def _together(pieces: list[_Sorted], supply: Supply) -> _Sorted:
    """The gradients of single examples as those of the batch: their mean, or their sum where the loss sums."""
    out = _Sorted()
    mean = reduces_by_mean(supply)
    for name in pieces[0].gradients:
        found = [p.gradients[name] for p in pieces if name in p.gradients]
        if len(found) == len(pieces) and len({numpy.shape(a) for _, a in found}) == 1:
            total = sum(numpy.asarray(a, dtype=float) for _, a in found)
            out.gradients[name] = (found[0][0], total / len(found) if mean else total)
    if len(pieces) == 1:
        out.values = pieces[0].values
    return out


def _sorted(way: Interface, supply: Supply, arrays: Mapping[str, Any], by_shape: dict[str, str]) -> _Sorted:
    """Every number by what its name stands for; what has no name by its shape."""
    names, out = way.here.names, _Sorted()
    predictions: list[tuple[bool, int, str, Any]] = []  # a sure name first, then what is assigned last
    keyed: dict[str, tuple[str, Any]] = {}
    wanted = supply.plain.network.names("parameter") or list(supply.leaves)
    arrays = _from_zero(arrays, names.depth)
    for tag in dict.fromkeys([*way.order, "forward", "loss", "backward", "net", "seen", "file"]):
        for key, raw in arrays.items():
            if key != tag and not key.startswith((f"{tag}[", f"{tag}.")):
                continue
            path = parts(key[len(tag):])
            named = _named(way.labels.get(tag, {}), path)
            role = names.of(named) if named else None
            if key in by_shape:
                out.gradients.setdefault(by_shape[key], (key, raw))
                continue
            role = role if role != "loss" or numpy.size(raw) == 1 and numpy.asarray(raw).dtype.kind == "f" else None  # self.L = 3 counts layers
            if role and role.startswith("d:") and role[2:] in wanted:
                if tag in way.order:
                    out.gradients.setdefault(role[2:], (f"{tag}{key[len(tag):]}", raw))
            elif role in by_shape.values() or role == "y_hat" and tag == "net" and len(path) > 1:
                pass
            elif role == "y_hat":
                predictions.append((plain(str(named[-1])) in SURE, len(predictions), str(key), raw))
            elif role == "loss" or role and (re.fullmatch(r"[za]\d+", role) or role in names.known and role not in supply.leaves):
                out.values.setdefault(str(role), (key, raw))
            elif role in wanted and tag == "backward":
                keyed.setdefault(str(role), (key, raw))
            elif role is None or role in ("grads", "upstream") or role.startswith("d:"):
                out.loose.append((key, raw))
    if predictions:
        _, _, key, raw = max(predictions, key=lambda p: p[:2])
        out.values.setdefault("y_hat", (key, raw))
    if not way.update and "backward" in way.order and keyed and not out.gradients:  # a gradient function that returns {'W1': ...}
        out.gradients |= keyed
    if way.update:
        _updates(way, supply, arrays, out, wanted)
    if not way.update and not by_shape:
        _last_first(way, supply, out, by_shape)
    if not way.update and len(out.gradients) < len(wanted):
        _by_shape(way, supply, arrays, out, wanted, by_shape)
        _by_order(way, out, wanted, by_shape)
    scalars = [(k, a) for k, a in out.loose if k.startswith("loss") and numpy.size(a) == 1]
    if "loss" not in out.values and len(scalars) == 1:
        out.values["loss"] = scalars[0]
    if supply.plain.depth and supply.plain.network.layers[-1].activation == "identity" and f"z{supply.plain.depth}" in out.values:
        out.values.setdefault("y_hat", out.values[f"z{supply.plain.depth}"])
    if f"a{supply.plain.depth}" in out.values:
        out.values.setdefault("y_hat", out.values[f"a{supply.plain.depth}"])
    if "y_hat" not in out.values:
        _prediction(way, supply, arrays, out)
    return out


def _from_zero(arrays: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """Entries that are counted from 1 to the number of layers, counted from 0: [None, dW1, dW2], {1: dW1, 2: dW2}. What a call returns keeps its places."""
    places: dict[str, set[int]] = {}
    found = {key: [m for m in re.finditer(r"\[(\d+)\]", key) if m.start() > len(re.split(r"[.\[]", key)[0])] for key in arrays}
    for key, entries in found.items():
        for m in entries:
            places.setdefault(key[:m.start()], set()).add(int(m[1]))
    shifted = {at for at, counted in places.items() if depth > 1 and counted == set(range(1, depth + 1))}
    out = {}
    for key, array in arrays.items():
        for m in found[key]:
            if key[:m.start()] in shifted:
                out[f"{key[:m.start()]}[{int(m[1]) - 1}]{key[m.end():]}"] = array
                break
        else:
            out[key] = array
    return out


def _named(labels: Mapping[tuple[Part, ...], str], path: tuple[Part, ...]) -> tuple[Part, ...]:
    """A path in words: the label of its longest part that has one, then the rest."""
    for k in range(len(path), -1, -1):
        if path[:k] in labels:
            holders = tuple(labels[path[:i]] for i in range(1, k) if path[:i] in labels)
            return (*holders, labels[path[:k]], *path[k:])
    return path


def _updates(way: Interface, supply: Supply, arrays: Mapping[str, Any], out: _Sorted, wanted: list[str]) -> None:
    """Gradients as old minus new, over the learning rate."""
    names = way.here.names
    for key, raw in arrays.items():
        tag = re.split(r"[.\[/]", key)[0]
        if tag not in ("net", "seen", "file", "backward", "after", "new"):
            continue
        path = parts(key[len(tag):])
        named = _named(way.labels.get(tag, {}), path)
        role = names.of(named) if named else None
        if role in wanted and role not in out.gradients:
            old = numpy.asarray(supply.array(str(role)), dtype=float)
            if numpy.shape(raw) == old.shape:
                out.gradients[str(role)] = (f"{key}: old minus new", (old - raw) / way.rate)
            else:
                out.gradients[str(role)] = (f"{key}: after the update", raw)


def _last_first(way: Interface, supply: Supply, out: _Sorted, by_shape: dict[str, str]) -> None:
    """A list of gradients that begins with the last layer: the shapes fit from the other end, and no other way."""
    returned = getattr(getattr(way, "backward", None), "returns", {})
    listed = {name: (key, raw) for name, (key, raw) in out.gradients.items() if key.startswith("backward[") and parts(key[len("backward"):]) not in returned}
    names = {name: f"{name[0]}{supply.plain.depth + 1 - int(name[1:])}" for name in listed if supply.plain.depth and name[1:].isdigit()}
    if not names or not all_differ(supply) or all(numpy.shape(listed[n][1]) == supply.shape(n) for n in names):
        return
    if names.keys() == set(names.values()) and all(numpy.shape(raw) == supply.shape(names[n]) for n, (_, raw) in listed.items()):
        by_shape.update({key: names[n] for n, (key, _) in listed.items()})
        out.gradients |= {names[n]: both for n, both in listed.items()}
        way.notes.append("the list of gradients begins with the last layer")


def _by_shape(way: Interface, supply: Supply, arrays: Mapping[str, Any], out: _Sorted, wanted: list[str], by_shape: dict[str, str]) -> None:
    """What was returned without a name, by its shape, where all sizes differ."""
    if not all_differ(supply):
        return
    missing = [n for n in wanted if n not in out.gradients]
    tag = way.order[0] if way.order else "backward"
    for name in missing:
        shape = supply.shape(name)
        fits = [(k, a) for k, a in out.loose if k.split("[")[0].split(".")[0] == tag and (numpy.shape(a) == shape or _bias_like(name, numpy.shape(a), shape)) and k not in by_shape]
        rivals = [n for n in missing if n != name and (supply.shape(n) == shape)]
        if len(fits) == 1 and not rivals:
            by_shape[fits[0][0]] = name
            out.gradients[name] = fits[0]


def _by_order(way: Interface, out: _Sorted, wanted: list[str], by_shape: dict[str, str]) -> None:
    """Gradients returned without names, one for each parameter, are taken in the order in which the function takes those."""
    routine = getattr(way, "backward", None)
    elements = getattr(routine.returned, "elts", ()) if routine is not None and not way.update else ()
    taken = [r for p in (routine.parameters if routine is not None else ()) if (r := way.here.names.role(p)) in wanted]
    said = {path[0]: (way.here.names.role(label) or "").removeprefix("d:") for path, label in way.labels.get("backward", {}).items() if len(path) == 1}
    if routine is not None and len(taken) == len(elements) == len(wanted) and all(said.get(k) not in wanted or said[k] == name for k, name in enumerate(taken)):
        loose = dict(out.loose)
        for k, name in enumerate(taken):
            key = f"backward[{k}]"
            if name not in out.gradients and key in loose and key not in by_shape:
                by_shape[key] = str(name)
                out.gradients[str(name)] = (key, loose[key])
                note = f"{routine.name}() returns gradients without names: taken in the order of its parameters"
                way.notes += [note] * (note not in way.notes)


def _bias_like(name: str, found: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    squeezed = tuple(d for d in found if d != 1)
    return name[0] == "b" and squeezed == tuple(d for d in shape if d != 1) and bool(squeezed)


def _prediction(way: Interface, supply: Supply, arrays: Mapping[str, Any], out: _Sorted) -> None:
    """The prediction: what forward returns without a name, in the shape of the target."""
    if not supply.plain.depth:
        return
    shape = numpy.shape(supply.layout.examples(supply.leaves[supply.plain.y]))
    found = [(k, a) for k, a in out.loose if k.startswith("forward") and numpy.shape(a) == shape]
    if len(found) == 1:
        out.values["y_hat"] = found[0]
