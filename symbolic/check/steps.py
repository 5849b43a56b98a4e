"""The plan: what the child calls in a student's file, in small steps written as JSON.

The parent writes the plan (`interfaces`), `Machine` below walks through it inside the child. A plan is
``{"steps": [step, ...]}``. Everything a step makes is kept under a name; the names known from the start are ``np``,
``operator``, ``builtins``, ``copy``, and each preloaded module (``torch``).

A **path** names a value: a kept name, then attributes, entries and keys: ``file.backward``, ``net.W1``, ``r1[0]``,
``grads['dW1']``, ``net.layers[0].W``.

A **value** is one of

* a JSON number, string, boolean or null: itself;
* ``{"input": "X"}``: a fresh copy of the array that the parent sent as ``X``; with ``"as": "list"`` nested Python lists, with
  ``"as": "number"`` one Python number;
* ``{"saved": "r1[0]"}``: the value at a path, the very same object each time;
* ``{"list": [value, ...]}``, ``{"tuple": [value, ...]}``, ``{"dict": {"W1": value}}``;
* ``{"copy": value}``: a deep copy;
* ``{"call": "operator.mul", "args": [value, ...], "kwargs": {"axis": value}}``: what a call returns.

A **step** is one of

* ``{"do": "load", "save": "file", "source": "...", "before": "...", "names": {"lr": value}, "watch": {...}}``: runs the student's
  file as a module called ``student`` (so what stands under ``if __name__ == "__main__"`` does not run) and keeps it. All but ``do`` may be left out:
  ``save`` is ``file``; ``source`` is text to run in place of the file; ``before`` is source of ours that runs first in the same module (helpers
  that the file lacks); ``names`` are values put into the module before it runs; with ``"main": true`` it is ``__main__``, so that part runs too.
* ``{"do": "call", "target": "file.backward", "args": [...], "kwargs": {...}, "save": "r1", "watch": {...}}``: calls what the path names
  (a function, a class, a method). Inputs that the call changed in place are reported: ``changed``.
* ``{"do": "let", "save": "net2", "value": value}``: keeps a value.
* ``{"do": "set", "path": "net.W1", "value": value}``: sets an attribute, an entry or a key; an array of the same shape is replaced, not written into.
* ``{"do": "get", "value": value, "as": "p0/dW1"}``: sends one array back under that key (a number is an array of shape ()).
* ``{"do": "gather", "value": value, "as": "p0/r"}``: sends every array and number within the value back, through tuples, lists, dictionaries and
  the attributes of objects of the student's own classes; the key is ``as`` followed by the path: ``p0/r[0]``, ``p0/r['dW1']``, ``p0/r.W1``.
  The step's report lists what was found that is no number (``left``: path and type).

Every step may carry

* ``"point": 3``: steps with the same point belong together: after one fails, the rest of that point is skipped and the other
  points go on. When a step without a point fails, all later steps are skipped.
* ``"optional": true``: its failure is reported but skips nothing.
* ``"watch": {"function": "train", "names": ["dW1", "db1"], "at": "return", "stop": true, "save": "seen"}`` (load and call): keeps a dictionary
  with copies of local variables of a function of the file (``<module>`` for a script): ``at`` is ``"return"`` (at its first return),
  ``"first"`` (each name when it is first bound), or a line number (just before that line first runs, or at the return, whichever is sooner).
  With ``stop`` the call is broken off once all names are seen (a training loop need not end), and the step counts as done.

The report of a step is ``{"step": 4, "status": "done" | "failed" | "skipped"}``, with ``changed``, ``left``, or for a failure ``type``,
``message``, and ``line`` and ``function`` in the student's file (0 and "" when the failure is not in it).
"""

from __future__ import annotations

import ast
import builtins
import copy
import operator
import re
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

OURS = "<chainrule>"
MOST_LEAVES, DEEPEST, LONGEST_MESSAGE = 400, 8, 600
_TOKEN = re.compile(r"\.?([A-Za-z_]\w*)|\[(-?\d+)\]|\[('[^']*'|\"[^\"]*\")\]")
Token = tuple[str, Any]  # ("attribute", name) or ("entry", index or key)


class TimeUp(BaseException):
    """The time that the whole run may take is over (`which`: wall or cpu)."""

    which = ""


class TooMuch(Exception):
    """The results are larger than the parent takes."""


class _Seen(BaseException):
    """All that was watched is seen: break off."""


def tokens(path: str) -> list[Token]:
    """The parts of a path.

    >>> tokens("grads['dW1'][0].T")
    [('attribute', 'grads'), ('entry', 'dW1'), ('entry', 0), ('attribute', 'T')]
    """
    found: list[Token] = []
    at = 0
    while at < len(path):
        match = _TOKEN.match(path, at)
        if not match:
            raise ValueError(f"no path: {path!r}")
        name, index, key = match.groups()
        found.append(("attribute", name) if name else ("entry", int(index) if index else ast.literal_eval(key)))
        at = match.end()
    return found


def as_array(value: object) -> np.ndarray:
    """A value as an array of plain numbers, copied (a tensor of PyTorch or JAX, a number, nested lists, objects that are numbers).

    Raises:
        TypeError: it is something else.
    """
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu().numpy()
    out = np.asarray(value)
    if out.dtype.kind == "O" and out.size and all(hasattr(v, "__float__") for v in out.ravel()):
        out = np.array([float(v) for v in out.ravel()]).reshape(out.shape)
    if out.dtype.kind not in "biufc":
        what = type(value).__name__ if out.ndim == 0 else f"{type(value).__name__} of {type(out.ravel()[0]).__name__}" if out.size else "nothing"
        raise TypeError(f"{what} where an array or a number was expected")
    if out.dtype.kind in "fc" and out.dtype.itemsize > (8 if out.dtype.kind == "f" else 16):
        out = out.astype(np.float64 if out.dtype.kind == "f" else np.complex128)
    return np.array(out, subok=False)


def _first(holder: object) -> int:
    """1 where the layers of a list or dictionary are counted from 1: [None, W1, W2], {1: W1, 2: W2}; else 0."""
    return int(isinstance(holder, dict) and 1 in holder and 0 not in holder or isinstance(holder, list) and len(holder) > 1 and holder[0] is None)


def _number(value: object) -> bool:
    return isinstance(value, (int, float, complex, np.number)) and not isinstance(value, bool)


def _numbers(value: object) -> bool:
    """A list of numbers or of such lists; a list of arrays is several arrays, not one."""
    return isinstance(value, list) and bool(value) and all(_number(v) or _numbers(v) for v in value)


def leaves(value: object, path: str = "", seen: tuple[int, ...] = ()) -> Iterator[tuple[str, object]]:
    """Every array, number and stranger within a value, with its path."""
    if len(seen) > DEEPEST or id(value) in seen:
        return
    inner = (*seen, id(value))
    if _number(value) or _numbers(value) or isinstance(value, np.ndarray) or hasattr(value, "__array__") or hasattr(value, "detach"):
        yield path, value
    elif isinstance(value, Mapping):
        for key, v in list(value.items()):
            yield from leaves(v, f"{path}[{key!r}]", inner)
    elif isinstance(value, (list, tuple)):
        for k, v in enumerate(value):
            yield from leaves(v, f"{path}[{k}]", inner)
    elif type(value).__module__ in ("student", "__main__"):
        own = {**{n: getattr(value, n) for n in getattr(type(value), "__slots__", ()) if hasattr(value, n)}, **getattr(value, "__dict__", {})}
        for name, v in own.items():
            yield from leaves(v, f"{path}.{name}", inner)
    else:
        yield path, value


class _Watch:
    """Local variables of one function of the file, copied while it runs (a trace function of `sys.settrace`)."""

    def __init__(self, spec: Mapping[str, Any], file: str) -> None:
        self.function, self.names, self.at, self.file = spec["function"], list(spec["names"]), spec.get("at", "return"), file
        self.stop, self.over = bool(spec.get("stop")), False
        self.seen: dict[str, object] = {}

    def __call__(self, frame: types.FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        code = frame.f_code
        return self.inside if not self.over and code.co_filename == self.file and code.co_name == self.function else None

    def inside(self, frame: types.FrameType, event: str, arg: object) -> Callable[..., Any] | None:
        if self.over:
            return None
        due = self.at == "first" or event == "return" or (event == "line" and frame.f_lineno == self.at)
        if due:
            bound = frame.f_locals
            for name in self.names:
                if name in bound and name not in self.seen:
                    self.seen[name] = _copied(bound[name])
            self.over = len(self.seen) == len(self.names) or self.at != "first"
            if self.over and self.stop and event != "return":
                raise _Seen
        return self.inside


def _copied(value: object) -> object:
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - what cannot be copied is kept as it is
        return value


class Machine:
    """Walks through a plan.

    Args:
        source: the student's file. name: what it is called in messages. inputs: the arrays of the parent.
        modules: what can be named beside ``np``. most: bytes that all results together may have. before_step: told the number of each step.
    """

    def __init__(self, source: bytes, name: str, inputs: Mapping[str, np.ndarray], modules: Mapping[str, object], most: int,
                 before_step: Callable[[int], object]) -> None:
        self.source, self.file, self.inputs, self.most, self.before_step = source, name, inputs, most, before_step
        self.kept: dict[str, Any] = {"np": np, "operator": operator, "builtins": builtins, "copy": copy, **modules}
        self.results: dict[str, np.ndarray] = {}
        self.report: list[dict[str, Any]] = []
        self.limit = ""
        self._given: list[tuple[str, object]] = []

    def run(self, steps: list[dict[str, Any]]) -> None:
        """Do all steps; every failure is caught and reported."""
        failed: set[object] = set()
        for k, step in enumerate(steps):
            point = step.get("point")
            if self.limit or None in failed or point in failed:
                self.report.append({"step": k, "status": "skipped"})
                continue
            self.before_step(k)
            try:
                extra = getattr(self, f"_do_{step['do']}")(step) or {}
                self.report.append({"step": k, "status": "done", **extra})
            except BaseException as e:  # noqa: BLE001 - also SystemExit and what students invent
                sys.settrace(None)
                self.report.append({"step": k, "status": "failed", **self._explained(e)})
                if isinstance(e, TimeUp):
                    self.limit = e.which
                if not step.get("optional"):
                    failed.add(point)

    def _explained(self, e: BaseException) -> dict[str, Any]:
        line, function, trace = 0, "", e.__traceback__
        for _ in range(100_000):  # a deep recursion has many
            if trace is None:
                break
            if trace.tb_frame.f_code.co_filename == self.file:
                line, function = trace.tb_lineno, trace.tb_frame.f_code.co_name
            trace = trace.tb_next
        if isinstance(e, SyntaxError) and e.filename == self.file:
            line = e.lineno or 0
        try:
            said = e.msg if isinstance(e, SyntaxError) else str(e)
        except BaseException:  # noqa: BLE001 - the student's own __str__
            said = ""
        kind = next((t.__name__ for t in (MemoryError, TimeUp, TooMuch) if isinstance(e, t)), type(e).__name__)
        return {"type": kind, "message": str(said)[:LONGEST_MESSAGE], "line": line, "function": function}

    # values

    def at(self, path: list[Token]) -> Any:
        """The value at a path."""
        root = path[0][1]
        if root not in self.kept:
            raise NameError(f"nothing was kept as {root!r}")
        found = self.kept[root]
        for kind, part in path[1:]:
            found = getattr(found, part) if kind == "attribute" else found[part + _first(found) if isinstance(part, int) else part]
        return found

    def value(self, v: Any) -> Any:
        """What a value of the plan stands for."""
        if not isinstance(v, dict):
            return v
        if "call" in v:
            return self.at(tokens(v["call"]))(*[self.value(a) for a in v.get("args", ())], **{n: self.value(a) for n, a in v.get("kwargs", {}).items()})
        return self._VALUES[next(n for n in self._VALUES if n in v)](self, v)

    def _input(self, v: dict[str, Any]) -> object:
        array = self.inputs[v["input"]]
        as_kind: dict[str, Callable[[], object]] = {"array": array.copy, "list": array.tolist, "number": array.item}
        made = as_kind[v.get("as", "array")]()
        self._given.append((v["input"], made))
        return made

    _VALUES: ClassVar[dict[str, Callable[[Machine, dict[str, Any]], Any]]] = {
        "input": _input,
        "saved": lambda self, v: self.at(tokens(v["saved"])),
        "list": lambda self, v: [self.value(x) for x in v["list"]],
        "tuple": lambda self, v: tuple(self.value(x) for x in v["tuple"]),
        "dict": lambda self, v: {n: self.value(x) for n, x in v["dict"].items()},
        "copy": lambda self, v: copy.deepcopy(self.value(v["copy"])),
    }

    # steps

    def _watched(self, step: dict[str, Any], work: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
        spec = step.get("watch")
        if not spec:
            return work(), {}
        watch, out = _Watch(spec, self.file), None
        sys.settrace(watch)
        try:
            out = work()
        except _Seen:
            pass
        finally:
            sys.settrace(None)
        self.kept[spec.get("save", "seen")] = watch.seen
        return out, {"unseen": missing} if (missing := [n for n in watch.names if n not in watch.seen]) else {}

    def _do_load(self, step: dict[str, Any]) -> dict[str, Any]:
        module = types.ModuleType("__main__" if step.get("main") else "student")
        module.__file__ = self.file
        sys.modules[module.__name__] = module
        self.kept[step.get("save", "file")] = module
        if step.get("before"):
            exec(compile(step["before"], OURS, "exec", dont_inherit=True), module.__dict__)  # noqa: S102 - our own helpers
        module.__dict__.update({n: self.value(v) for n, v in step.get("names", {}).items()})
        code = compile(step.get("source", self.source), self.file, "exec", dont_inherit=True)
        return self._watched(step, lambda: exec(code, module.__dict__))[1]  # noqa: S102 - what this locked process is for

    def _do_call(self, step: dict[str, Any]) -> dict[str, Any]:
        target = self.at(tokens(step["target"]))
        self._given = []
        args, named = [self.value(a) for a in step.get("args", ())], {n: self.value(a) for n, a in step.get("kwargs", {}).items()}
        given = self._given
        out, extra = self._watched(step, lambda: target(*args, **named))
        if step.get("save"):
            self.kept[step["save"]] = out
        changed = [name for name, now in given if not np.array_equal(np.asarray(now), self.inputs[name], equal_nan=True)]
        return {**extra, **({"changed": sorted(set(changed))} if changed else {})}

    def _do_let(self, step: dict[str, Any]) -> None:
        self.kept[step["save"]] = self.value(step["value"])

    def _do_set(self, step: dict[str, Any]) -> None:
        *owner, (kind, last) = tokens(step["path"])
        value = self.value(step["value"])
        if not owner:
            self.kept[last] = value
        elif kind == "attribute":
            setattr(self.at(owner), last, value)
        else:
            holder = self.at(owner)
            holder[last + _first(holder) if isinstance(last, int) else last] = value

    def _do_get(self, step: dict[str, Any]) -> None:
        self._send(step["as"], as_array(self.value(step["value"])))

    def _do_gather(self, step: dict[str, Any]) -> dict[str, Any]:
        left = []
        for k, (path, found) in enumerate(leaves(self.value(step["value"]))):
            try:
                if k >= MOST_LEAVES or len(path) > 200:
                    raise TypeError("too many")
                self._send(step["as"] + path, as_array(found))
            except (TypeError, ValueError):
                left.append([path[:200], type(found).__name__])
            if k >= MOST_LEAVES:
                break
        return {"left": left[:MOST_LEAVES]} if left else {}

    def _send(self, name: str, array: np.ndarray) -> None:
        if array.nbytes + sum(a.nbytes for a in self.results.values()) > self.most:
            raise TooMuch(f"more than {self.most} bytes of results")
        self.results[name] = array
