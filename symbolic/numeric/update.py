"""The update equations of an optimizer on arrays: read from its row, done in place.

An equation becomes a list of NumPy operations that write into memory set aside once; what is a single number (the
rate, 1 - beta1**t) is computed as one. Large arrays are worked through in blocks that stay in the cache of the
processor, small ones are laid side by side and done at once.

>>> from .. import optimizers
>>> w = numpy.array([1.0, 2.0])
>>> rule = Update(optimizers.OPTIMIZERS["momentum"], {"beta": 0.5}, {"w": w})
>>> for t in (1, 2): rule.step({"w": numpy.array([2.0, 0.0])}, rate=0.5, t=t)
>>> rule.values["w"]
array([-1.5,  2. ])
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy

from ..expr import Expr
from ..language.floats import FLOATS
from ..functions import FUNCTIONS
from ..optimizers import AFTER, BEFORE, Optimizer, Schedule, formula
from .data import Array

BLOCK = 32_768  # entries: a few arrays of this size fit the second cache
Memory = dict[str, Array]
Scalars = dict[str, float]
Operation = Callable[[Memory, Scalars], None]
Operand = Callable[[Memory, Scalars], Any]


def rates(schedule: Schedule, rate: Any, options: Mapping[str, Any]) -> Callable[[int], float]:
    """The learning rate as a function of the step, counted from 1."""
    fixed = {name: float(v) for name, v in options.items()} | {"eta": float(rate)}
    tree, whole = formula(schedule.rate), {name: formula(source) for name, source in schedule.whole.items()}
    if "t" not in tree.names and not whole:
        always = _value(tree, fixed)
        return lambda t: always

    def at(t: int) -> float:
        env = fixed | {"t": float(t)}
        return _value(tree, env | {name: float(math.floor(_value(e, env))) for name, e in whole.items()})

    return at


def _value(e: Expr, env: Mapping[str, float]) -> float:
    """A formula of single numbers."""
    if e.op == "sym":
        return env[e.data]
    with numpy.errstate(all="ignore"):
        return float(FLOATS.scalar(e, {n: numpy.float64(env[n]) for n in e.names}))


# ---------------------------------------------------------------- from a tree to operations

@dataclass(frozen=True)
class _Part:
    """What a tree has become: how to get its value, whether that is an array, and the temporary it occupies ('' for none)."""

    get: Operand
    array: bool
    holds: str = ""


class _Writer:
    """Turns right-hand sides into operations on named arrays; temporaries are called _0, _1, ..."""

    def __init__(self, arrays: frozenset[str]) -> None:
        self.arrays, self.operations, self.numbers = arrays, [], []
        self.free: list[str] = []
        self.count = 0

    operations: list[Operation]
    numbers: list[tuple[str, Expr, tuple[str, ...]]]  # with the names they read: single numbers that a step computes before it starts

    def equation(self, target: str, e: Expr) -> None:
        """target = e, where target is an array."""
        part = self.write(e, target)
        if part.holds != target:
            get = part.get
            self.operations.append(lambda m, s: numpy.copyto(m[target], get(m, s)))
        self.release(part)

    def write(self, e: Expr, target: str = "") -> _Part:
        """The operations for a tree; the last of them writes to the target where one is named."""
        if not e.names & self.arrays:
            return self.number(e)
        if e.op == "sym":
            name = e.data
            return _Part(lambda m, s: m[name], True)
        if e.op in ("add", "mul"):
            return self.chain(e, target)
        parts = [self.write(a) for a in e.args]
        return self.operation(_function(e), parts, target)

    def number(self, e: Expr) -> _Part:
        name = f"_{len(self.numbers)}"
        self.numbers.append((name, e, tuple(sorted(e.names))))
        return _Part(lambda m, s: s[name], False)

    def chain(self, e: Expr, target: str) -> _Part:
        """A sum or product: its single numbers first as one, then one array after the other."""
        arrays = [a for a in e.args if a.names & self.arrays]
        single = [a for a in e.args if not a.names & self.arrays]
        done = self.number(single[0] if len(single) == 1 else Expr(e.op, tuple(single))) if single else None
        for k, a in enumerate(arrays):
            into = target if k == len(arrays) - 1 else ""
            minus = e.op == "add" and a.op == "neg" and done is not None
            part = self.write(a.args[0] if minus else a, into if done is None and len(arrays) == 1 else "")
            if done is None:
                done = part
            else:
                u = numpy.subtract if minus else numpy.add if e.op == "add" else numpy.multiply
                done = self.operation(u, [done, part], into)
        assert done is not None
        return done

    def operation(self, function: Any, parts: list[_Part], target: str) -> _Part:
        """One operation; a temporary that it reads may be the one that it writes."""
        for p in parts:
            self.release(p)
        out = target or self.temporary()
        gets = [p.get for p in parts]
        if len(gets) == 1:
            (a,) = gets
            self.operations.append(lambda m, s: function(a(m, s), out=m[out]))
        else:
            a, b = gets
            self.operations.append(lambda m, s: function(a(m, s), b(m, s), out=m[out]))
        return _Part(lambda m, s: m[out], True, out)

    def temporary(self) -> str:
        if not self.free:
            self.free.append(f"_{self.count}")
            self.count += 1
        return self.free.pop()

    def release(self, part: _Part) -> None:
        if part.holds.startswith("_") and part.holds not in self.free:
            self.free.append(part.holds)


_UFUNCS: dict[str, Any] = {"neg": numpy.negative, "div": numpy.divide, "pow": numpy.power}


def _function(e: Expr) -> Any:
    """The NumPy function of a node, called with out=."""
    if e.op == "pow" and e.args[1].op == "num" and e.args[1].data == 2:
        return lambda x, _, out: numpy.multiply(x, x, out=out)
    if e.op in _UFUNCS:
        return _UFUNCS[e.op]
    if e.op == "call":
        found = getattr(numpy, e.data, None)
        if isinstance(found, numpy.ufunc):
            return found
        row = FUNCTIONS[e.data]
        return lambda *args, out: numpy.copyto(out, row.numpy(*args))
    raise ValueError(f"an update cannot hold {e.op!r}")


# ---------------------------------------------------------------- the update of all parameters

class Update:
    """An optimizer with the parameters that it moves and what it remembers of them.

    values: the parameters by name, arrays that ``step`` changes in place; state: for every state of the row, the
    arrays by name. Both are views of the same memory as long as the object lives.
    """

    def __init__(self, row: Optimizer, options: Mapping[str, Any], start: Mapping[str, Array], dtype: str = "float64", block: int = BLOCK) -> None:
        self.row, self.options = row, {name: float(v) for name, v in options.items()}
        self.block = block
        small = [n for n, v in start.items() if numpy.size(v) <= block]
        self.groups = [small] * bool(small) + [[n] for n in start if n not in small]
        self.shapes = {n: numpy.shape(v) for n, v in start.items()}
        self.flat = [_flat([start[n] for n in group], dtype) for group in self.groups]
        self.remembered = [{s: numpy.full_like(w, float(v)) for s, v in row.states.items()} for w in self.flat]
        self.gradient = [numpy.empty_like(w) if len(g) > 1 else None for g, w in zip(self.groups, self.flat, strict=True)]
        self.ahead = [numpy.empty_like(w) for w in self.flat] if row.point.op != "sym" else None
        self.values, self.state = self._views(self.flat), {s: self._views([r[s] for r in self.remembered]) for s in row.states}
        arrays = frozenset({"w" + BEFORE, "g" + AFTER, *(s + BEFORE for s in row.states), *(n + AFTER for n in row.equations)})
        self.look_writer, self.writer = _Writer(arrays), _Writer(arrays)
        self.look_writer.equation("_ahead", row.point)
        for target, rhs in row.trees:
            self.writer.equation(target, rhs)
        self.kept = [n for n in row.equations if n != "w" and n not in row.states]  # such as m_hat: of this step alone
        size = min(block, max(map(len, self.flat), default=0))
        count = max(self.writer.count, self.look_writer.count)
        self.temporaries = {name: numpy.empty(size, dtype) for name in (*(f"_{k}" for k in range(count)), *(n + AFTER for n in self.kept))}
        self._whole = [self._memory(w, r, g, 0) if g is not None and len(w) <= block else None for w, r, g in zip(self.flat, self.remembered, self.gradient, strict=True)]
        self._numbers: dict[tuple[int, str], tuple[tuple[float, ...], float]] = {}

    def _views(self, flat: list[Array]) -> dict[str, Array]:
        """The parts of flat memory by the parameters' names, in their shapes."""
        out = {}
        for group, memory in zip(self.groups, flat, strict=True):
            at = 0
            for name in group:
                size = math.prod(self.shapes[name])
                out[name] = memory[at:at + size].reshape(self.shapes[name])
                at += size
        return {name: out[name] for name in self.shapes}

    def point(self, rate: float, t: int) -> Mapping[str, Array]:
        """Where the gradient of step t has to be taken: the parameters, or a point ahead of them."""
        if self.ahead is None:
            return self.values
        scalars = self._scalars(self.look_writer, rate, t)
        for w, remembered, out in zip(self.flat, self.remembered, self.ahead, strict=True):
            for at in range(0, len(w), self.block):
                memory = self._memory(w, remembered, None, at)
                memory["_ahead"] = out[at:at + self.block]
                for operation in self.look_writer.operations:
                    operation(memory, scalars)
        return self._views(self.ahead)

    def step(self, gradients: Mapping[str, Array], rate: float, t: int) -> None:
        """Step t (from 1), given the gradient of every parameter."""
        scalars = self._scalars(self.writer, rate, t)
        operations = self.writer.operations
        for group, w, remembered, room, whole in zip(self.groups, self.flat, self.remembered, self.gradient, self._whole, strict=True):
            g = self._gathered(group, gradients, w, room)
            if whole is not None:
                for operation in operations:
                    operation(whole, scalars)
                continue
            for at in range(0, len(w), self.block):
                memory = self._memory(w, remembered, g, at)
                for operation in operations:
                    operation(memory, scalars)

    def _gathered(self, group: list[str], gradients: Mapping[str, Array], w: Array, room: Array | None) -> Array:
        """The gradients of a group in one piece of memory."""
        if room is None:
            return numpy.ascontiguousarray(gradients[group[0]], dtype=w.dtype).reshape(-1)
        at = 0
        for name in group:
            g = gradients[name]
            size = math.prod(self.shapes[name])
            room[at:at + size] = numpy.reshape(g, -1)
            at += size
        return room

    def _memory(self, w: Array, remembered: Mapping[str, Array], g: Array | None, at: int) -> Memory:
        """The arrays of one block by the names of the equations; a state is overwritten where it stands."""
        part = w[at:at + self.block]
        memory = {"w" + BEFORE: part, "w" + AFTER: part}
        for name, array in remembered.items():
            memory[name + BEFORE] = memory[name + AFTER] = array[at:at + self.block]
        if g is not None:
            memory["g" + AFTER] = g[at:at + self.block]
        for name, array in self.temporaries.items():
            memory[name] = array[:len(part)]
        return memory

    def _scalars(self, writer: _Writer, rate: float, t: int) -> Scalars:
        """The single numbers of a step; what has not changed since the last one is not computed again."""
        env = self.options | {"eta": rate, "t": float(t)}
        out = {}
        for name, e, names in writer.numbers:
            inputs, key = tuple([env[n] for n in names]), (id(writer), name)
            if self._numbers.get(key, (None, 0.0))[0] != inputs:
                self._numbers[key] = inputs, _value(e, env)
            out[name] = self._numbers[key][1]
        return out


def _flat(arrays: list[Array], dtype: str) -> Array:
    """Arrays behind one another in new memory."""
    return numpy.concatenate([numpy.reshape(a, -1) for a in arrays]).astype(dtype) if arrays else numpy.empty(0, dtype)
