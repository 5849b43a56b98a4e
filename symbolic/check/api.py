"""Gradients of a function of this very process against the symbolic ones: for notebooks and tests of one's own code.

The function runs here, without a sandbox: use `chainrule check` for the code of others.

>>> import numpy as np
>>> def backward(X, y, W1, b1):
...     d = 2 * (X @ W1 + b1 - y) / y.size
...     return {"dW1": X.T @ d, "db1": d.sum(axis=0)}
>>> check_gradients("4-3 identity", backward, loss="mse", seed=1).right
True
>>> report = check_gradients("4-3 identity", backward, loss="squared_error", seed=1)
>>> report.message, report.causes[0][0].slip
('2 gradients: 2 SCALE. Right but for one constant.', 'mean-twice')
"""

from __future__ import annotations

import ast
import inspect
import secrets
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from textwrap import dedent
from typing import Any

import numpy

from ..errors import ChainruleError, SpecError, nearest
from .adapter import Adapter
from .calls import Script, Supply, path_text
from .findings import network_report
from .interfaces import setting
from .layouts import WORDS, Layout, Plain
from .points import Point
from .readback import Found, PointRead, Read
from .reading import Code, parse
from .report import Report
from .routines import Path, Routine, routines
from .sandbox import Outcome
from .session import MOST_SEED, case, drawn
from .setting import Interface
from .shapes import tensor, value_of
from .subject import Given, subject

OWN = "your own function, called in this process without a sandbox"


def check_gradients(net: Given, backward: Callable[..., Any], layout: str | Sequence[str] = "rows", *, loss: str = "", forward: Callable[..., Any] | None = None,
                    returns: Sequence[str] | str = (), rename: Mapping[str, str] | None = None, seed: int | None = None, strict: bool = False) -> Report:
    """Compare the gradients that a function returns with the symbolic ones.

    Args:
        net: a Network, a spec (path or dict), or a short text ("4-3-2 relu sigmoid").
        backward: takes what its parameters are called (X, y, W1, b1, params, y_pred, z1, cache, m ...) and returns the gradients: a dict,
            a tuple or list in the order of `returns`, of its own names or of the parameters; the loss may come first.
        layout: rows or columns, and where needed in_out or out_in, line or flat (biases), classes (targets).
        loss: the loss of a short text, or of a network that is given as such. forward: called before, where `backward` needs its cache.
        returns: names of what is returned, in order. rename: the function's own names. seed: of the points; anew each time when None.
        strict: a common constant factor is wrong.

    Raises:
        SpecError: the network, a layout or a parameter is not understood.
    """
    start = time.perf_counter()
    seed = secrets.randbelow(MOST_SEED) if seed is None else seed
    words = [w.strip() for w in layout.split(",")] if isinstance(layout, str) else list(layout)
    against = subject(net, loss)
    adapter = Adapter.model_validate({"returns": returns, "rename": dict(rename or {}), "layout": words})
    here = setting(_code(backward), against.network, adapter)
    way = Own(here, [_layout(words, not against.network.plain_stack)], spoken=OWN, function=backward, before=forward, file=getattr(getattr(backward, '__code__', None), 'co_filename', ''))
    at = drawn(against.blueprint, seed, classes="classes" in words)
    at = [at[0], *at]  # twice in a row at the first point: what is left from the first call shows
    name = getattr(backward, "__name__", "backward")
    reads = [way.tried(p, k) for k, p in enumerate(at)]
    got = Read(tuple(reads), way.layouts[0], _notes(way, reads))
    cases = [case(p, r, way) for p, r in zip(at, reads, strict=True) if r.gradients]
    found = Found(against, here.code if here.code.text else replace(here.code, name=name), way, at, Outcome("ok", complete=True), got, cases)
    return replace(network_report(found, strict, True, True, None), seed=seed, seconds=time.perf_counter() - start)


def assert_gradients(net: Given, backward: Callable[..., Any], layout: str | Sequence[str] = "rows", *, hint: int = 4, **options: Any) -> Report:
    """`check_gradients` for a test. Raises AssertionError, with a message short enough to be read, unless every gradient is right."""
    report = check_gradients(net, backward, layout, **options)
    if not report.right:
        raise AssertionError(short(report, hint))
    return report


def short(report: Report, hint: int = 4) -> str:
    """A report in a few lines.

    >>> short(Report("backward", "", "wrong", "4 gradients: 4 WRONG."))
    'backward: 4 gradients: 4 WRONG.'
    """
    d = report.told(hint)
    lines = [f"{d['file']}: {d['message']}" if d["exit_status"] < 2 else d["message"]]
    wrong = [r for r in d.get("gradients", ()) if not r["passed"]]
    lines += [f"  d{d['output']}/d{r['gradient']}: {r['verdict']}, error {r['error'] if isinstance(r['error'], str) else format(r['error'], '.1e')}" for r in wrong[:4]]
    lines += [f"  {s}" for s in [*d.get("forward", ())[:2], *d.get("equals", ())[:1]] if "is right" not in s and not s.startswith("No value")] if wrong or d.get("equals") else []
    for c in [c for both in d.get("causes", ())[:1] for c in both]:
        lines.append(f"  {c['said']}")
        if c.get("gradient"):
            lines += [f"    {word}: {c['gradient']['text']} = {c[word]['text']}" for word in ("yours", "right") if c.get(word)]
    lines += [f"  Reproduce with seed={d['seed']}."] if wrong else []
    return "\n".join(lines).replace("`", "")


class _Failed(Exception):
    """The function stopped: report is what a failed step of the sandbox would say."""

    def __init__(self, report: Mapping[str, Any]) -> None:
        self.report = report


def _code(function: Callable[..., Any]) -> Code:
    """The source of a function at its own lines; an empty file where Python does not have it."""
    try:
        lines, first = inspect.getsourcelines(function)
        name = inspect.getsourcefile(function) or "backward"
        return parse("\n" * (first - 1) + dedent("".join(lines)), name.rsplit("/", 1)[-1])
    except (OSError, TypeError, ChainruleError):
        return Code("backward", "", ast.Module([], []))


def _layout(words: Sequence[str], as_is: bool) -> Layout:
    """The layout that words name; W as (in, out) beside rows, (out, in) beside columns, where they do not say. Raises SpecError."""
    said: dict[str, Any] = {}
    for word in words:
        if word not in WORDS:
            raise SpecError(f"layout: unknown word {word!r}", hint=nearest(word, WORDS))
        said |= WORDS[word]
    return Layout(as_is=True) if as_is else Layout(**{"in_out": said.get("rows", True), **said})


def _notes(way: Own, reads: Sequence[PointRead]) -> tuple[str, ...]:
    changed = sorted({c for r in reads for c in r.changed})
    return (f"layout: {way.layouts[0].spoken}", *([f"it changes its inputs in place: {', '.join(changed)}"] if changed else []))


@dataclass
class Own(Interface):
    """A function of this process, with the one that goes before it."""

    function: Callable[..., Any] = field(default=lambda: None)
    before: Callable[..., Any] | None = None
    file: str = ""

    @property
    def backward(self) -> Routine | None:
        """The function as its source has it, where that is known."""
        return next(iter(routines(self.here.code.tree)), None)

    def tried(self, point: Point, k: int) -> PointRead:
        """What the function gives at a point, or how it stopped there."""
        try:
            return self.called(point, k)
        except _Failed as e:
            return PointRead({}, {}, e.report)

    def called(self, point: Point, k: int) -> PointRead:
        """What the function gives at a point. Raises _Failed with the line where it stops, SpecError for a parameter that stands for nothing."""
        supply = Supply(Script(), f"p{k}", Plain(point.network), point.leaves, self.layouts[0], k)
        given = self._values(supply, point)
        if self.before is not None:
            out = self._call(self.before, given)
            first, rest = (out[0], out[1:]) if isinstance(out, tuple) and out else (out, ())
            given |= {"y_hat": first, "cache": rest[0] if len(rest) == 1 else rest if rest else first}
        handed: dict[str, Any] = {}
        out = self._call(self.function, given, handed)
        changed = [n for n, v in handed.items() if isinstance(v, numpy.ndarray) and not numpy.array_equal(v, given[n], equal_nan=True)]
        gradients, values = self._sorted(out, supply)
        lines = self.lines()
        return PointRead(values, {n: tensor(supply, n, path_text(("backward", *path)), numpy.asarray(raw), lines) for n, (path, raw) in gradients.items()}, None, tuple(changed))

    def _values(self, supply: Supply, point: Point) -> dict[str, Any]:
        """Everything that a parameter may stand for, in the layout asked for: our own values of the forward pass too."""
        network, plain, layout = point.network, supply.plain, self.layouts[0]
        out: dict[str, Any] = {n: supply.array(n) for n in network.names("input", "target", "parameter", "constant") if n in supply.leaves}
        if plain.depth:
            out |= {"x": supply.array(plain.x), "y": supply.array(plain.y)}
            for e in network.equations[:-1]:
                value = point.values[e.name]
                out[e.name] = layout.examples(plain.turned(e.name, value)) if e.name[0] in "za" else value
            out["y_hat"] = out[network.resolve("y_hat")]
        else:
            out |= {e.name: point.values[e.name] for e in network.equations}
        parameters = {n: out[n] for n in network.names("parameter") if n in out}
        return out | {"parameters": parameters, "W*": [v for n, v in parameters.items() if n[0] == "W"], "b*": [v for n, v in parameters.items() if n[0] == "b"],
                      "m": supply.examples, "lr": 1.0, "reg": supply.penalty, "sizes": supply.sizes}

    def _call(self, function: Callable[..., Any], given: Mapping[str, Any], handed: dict[str, Any] | None = None) -> Any:
        args: dict[str, Any] = {}
        for p in inspect.signature(function).parameters.values():
            if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
                continue
            role = next((r for r in [p.name, *self.here.names.roles(p.name)] if r in given), None)
            if role is None and p.default is p.empty:
                raise SpecError(f"{getattr(function, '__name__', 'the function')}() takes {p.name!r}, which stands for nothing known here",
                                hint=f"say what it is, as in rename={{'{p.name}': 'W1'}}" + ("" if role else "; a cache comes from forward=..."))
            if role is not None and not (p.default is not p.empty and role in ("reg", "sizes", "m")):
                args[p.name] = _copied(given[role])
                if handed is not None:
                    handed[role] = args[p.name]
        positional = [args.pop(p.name) for p in inspect.signature(function).parameters.values() if p.kind is p.POSITIONAL_ONLY and p.name in args]
        try:
            return function(*positional, **args)
        except Exception as e:  # noqa: BLE001 - whatever the person's own function raises is told, with its line
            own = [f for f in traceback.extract_tb(e.__traceback__) if f.filename == self.file]
            raise _Failed({"type": type(e).__name__, "message": str(e), "line": own[-1].lineno if own else 0}) from None

    def _sorted(self, out: Any, supply: Supply) -> tuple[dict[str, tuple[Path, Any]], dict[str, Any]]:
        """Gradients with their path by the network's names, and values of the forward pass (the loss)."""
        names, wanted = self.here.names, supply.plain.network.names("parameter") or list(supply.leaves)
        gradients: dict[str, tuple[Path, Any]] = {}
        values: dict[str, Any] = {}
        leaves = dict(_leaves(out, ()))
        labels = self._labels(leaves, wanted)
        for path, raw in leaves.items():
            label = labels.get(path)
            role = label if label in wanted else names.of(label if isinstance(label, tuple) else (label,)) if label else None
            of = role.removeprefix("d:") if role else ""
            if of in wanted:
                gradients[of] = path, raw
            elif role in ("loss", "y_hat") or of in supply.plain.network.symbols:
                fitted = value_of(supply, str(role), raw)
                if fitted is not None:
                    values[str(role)] = fitted
        return gradients, values

    def _labels(self, leaves: Mapping[Path, Any], wanted: Sequence[str]) -> dict[Path, Any]:
        """The name of each part of what was returned: its key, what `returns` says, what the function calls it; else the order of the parameters."""
        said: dict[Path, Any] = {p: p for p in leaves if p and any(isinstance(x, str) for x in p)}
        loose = [p for p in leaves if p not in said]
        if self.here.adapter.returns:
            return said | dict(zip(loose, self.here.adapter.returns, strict=False))
        own = self.backward.returns if self.backward is not None else {}
        known = {p: own[p] for p in loose if p in own and self.here.names.role(own[p])}
        rest = [p for p in loose if p not in known]
        if len(rest) == len(loose) and len(loose) in (len(wanted), len(wanted) + 1):
            if len(loose) > len(wanted) and numpy.size(leaves[loose[0]]) == 1:
                said[loose[0]] = "loss"
                loose = loose[1:]
            return said | dict(zip(loose, wanted, strict=False))
        if len(rest) == 1 and said and numpy.size(leaves[rest[0]]) == 1:
            known[rest[0]] = "loss"
        return said | known


def _copied(value: Any) -> Any:
    if isinstance(value, numpy.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {n: _copied(v) for n, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, list) else value


def _leaves(value: Any, path: Path) -> Any:
    """Arrays and numbers within what was returned, with their paths."""
    if isinstance(value, Mapping):
        for k, v in value.items():
            yield from _leaves(v, (*path, str(k)))
    elif isinstance(value, (tuple, list)) and not all(isinstance(v, (int, float)) for v in value):
        for k, v in enumerate(value):
            yield from _leaves(v, (*path, k))
    elif value is not None:
        yield path, numpy.asarray(value.detach().cpu().numpy() if hasattr(value, "detach") else value)

