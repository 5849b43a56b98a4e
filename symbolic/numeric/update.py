"""The update equations of an optimizer on arrays: read from its row, done in place.

An equation becomes a list of NumPy operations that write into memory set aside once; what is a single number (the
rate, 1 - beta1**t) is computed as one. All parameters lie behind one another in one piece of memory, which is worked
through in blocks that stay in the cache of the processor.

>>> from .. import optimizers
>>> w = numpy.array([1.0, 2.0])
>>> rule = Update(optimizers.OPTIMIZERS["momentum"], {"beta": 0.5}, {"w": w})
>>> for t in (1, 2): rule.step({"w": numpy.array([2.0, 0.0])}, rate=0.5, t=t)
>>> rule.values["w"]
array([-1.5,  2. ])
>>> print(rule.source)
def update(w, v, g, t_1):
    multiply(c_0, v, t_1)
    add(t_1, g, v)
    multiply(c_1, v, t_1)
    subtract(w, t_1, w)
<BLANKLINE>
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy

from ..expr import Expr
from ..language.floats import FLOATS
from ..language.run import load
from ..numpytree import Names, tree_code
from ..optimizers import AFTER, BEFORE, Optimizer, Schedule, formula
from .buffers import Op, functions, operations
from .data import Array
from .passes import Line, parsed, placed, written
from .sources import function, space

BLOCK = 32_768  # entries: a few arrays of this size fit the second cache


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


# ---------------------------------------------------------------- from equations to operations

class _Function:
    """Equations as a function of a block of arrays, which it changes; single numbers come from ``inputs`` before it runs."""

    def __init__(self, equations: Sequence[tuple[str, Expr]], arrays: Sequence[str], inputs: Sequence[str], dtype: str) -> None:
        self.arrays, self.numbers = frozenset(arrays), list[str]()
        names = Names(lambda name: name.removesuffix(BEFORE).removesuffix(AFTER))
        lines = [Line(names.value(target), parsed(tree_code(e, names))) for target, e in equations]
        self.arrays |= {line.name for line in lines}
        ops = operations([Line(line.name, self.hoisted(line.code)) for line in lines])
        self.temporaries: list[str] = []
        body = self._body(ops, frozenset(arrays))
        self.source = function("update", [*arrays, *self.temporaries], body)
        cells = {f"c_{k}": numpy.zeros((), dtype) for k in range(len(self.numbers))}
        self._cells = list(cells.values())
        self._last: tuple[float, ...] = ()
        self.run: Callable[..., None] = load(self.source, {**functions(), **space(dtype), **cells})["update"]
        self._value: Callable[..., Any] = load(function("numbers", inputs, [f"return [{', '.join(self.numbers)}]"]), {})["numbers"]

    def hoisted(self, code: ast.expr) -> ast.expr:
        """The code with a name for every part that is a single number."""
        if not any(isinstance(n, ast.Name) and n.id in self.arrays for n in ast.walk(code)):
            if (source := written(code)) not in self.numbers:
                self.numbers.append(source)
            return ast.Name(f"c_{self.numbers.index(source)}", ast.Load())
        match code:
            case ast.BinOp(base, ast.Pow(), ast.Constant() as n): return ast.BinOp(self.hoisted(base), ast.Pow(), n)
            case ast.BinOp(left, sign, right): return ast.BinOp(self.hoisted(left), sign, self.hoisted(right))
            case ast.UnaryOp(sign, inner): return ast.UnaryOp(sign, self.hoisted(inner))
            case ast.Call(called, given): return ast.Call(called, [self.hoisted(x) for x in given], code.keywords)
        return code

    def _body(self, ops: Sequence[Op], fixed: frozenset[str]) -> list[str]:
        """Every operation into the array that it is for, or into a temporary that nobody reads later."""
        last = {name: k for k, op in enumerate(ops) for name in op.names}
        at: dict[str, str] = {}
        free: list[str] = []
        body = []
        for k, op in enumerate(ops):
            args = [written(placed(x, at)) for x in op.args]
            where = dict(at)
            free += [at.pop(name) for name in dict.fromkeys(op.names) if name in at and last[name] == k]
            if op.target not in fixed:
                if not free:
                    free.append(f"t_{len(self.temporaries) + 1}")
                    self.temporaries.append(free[0])
                at[op.target] = free.pop()
            out = at.get(op.target, op.target)
            body.append(f"copyto({out}, {written(placed(op.code, where))})" if op.code is not None else f"{op.function}({', '.join(args)}, {out})")
        return body

    def set(self, *inputs: float) -> None:
        """The single numbers of a step; what has not changed since the last one is left."""
        if inputs != self._last:
            self._last = inputs
            for cell, value in zip(self._cells, self._value(*inputs), strict=True):
                cell[...] = value


# ---------------------------------------------------------------- the update of all parameters

class Update:
    """An optimizer with the parameters that it moves and what it remembers of them.

    values: the parameters by name, arrays that ``step`` changes in place; gradients: arrays that a step reads; state: for every state
    of the row, the arrays by name. All are views of the same memory as long as the object lives.
    """

    def __init__(self, row: Optimizer, options: Mapping[str, Any], start: Mapping[str, Array], dtype: str = "float64", block: int = BLOCK) -> None:
        self.row, self.block, self.shapes = row, block, {n: numpy.shape(v) for n, v in start.items()}
        self.options = [float(v) for v in options.values()]
        flat = numpy.concatenate([numpy.empty(0), *(numpy.reshape(v, -1) for v in start.values())]).astype(dtype)
        memory = {"w": flat, **{s: numpy.full_like(flat, float(v)) for s, v in row.states.items()}, "g": numpy.empty_like(flat)}
        self.values, self.gradients = self._views(flat), self._views(memory["g"])
        self.state = {s: self._views(memory[s]) for s in row.states}
        inputs = ["eta", "t", *options]
        self._step = _Function(row.trees, list(memory), inputs, dtype)
        self._blocks = self._cut(self._step, memory)
        self.source = self._step.source
        self._ahead: Mapping[str, Array] | None = None
        if row.point.op != "sym":
            ahead = numpy.empty_like(flat)
            self._look = _Function([("ahead", row.point)], ["ahead", *memory], inputs, dtype)
            self._places, self._ahead = self._cut(self._look, {"ahead": ahead, **memory}), self._views(ahead)

    def _cut(self, made: _Function, memory: Mapping[str, Array]) -> list[list[Array]]:
        """The arrays of every block, in the order of the function."""
        size = len(memory["w"])
        room = [numpy.empty(min(self.block, size), memory["w"].dtype) for _ in made.temporaries]
        return [[*(a[at:at + self.block] for a in memory.values()), *(r[:size - at] for r in room)] for at in range(0, size, self.block)]

    def _views(self, flat: Array) -> dict[str, Array]:
        """The parts of flat memory by the parameters' names, in their shapes."""
        ends = numpy.cumsum([math.prod(shape) for shape in self.shapes.values()])
        return {name: part.reshape(shape) for (name, shape), part in zip(self.shapes.items(), numpy.split(flat, ends[:-1]), strict=True)} if self.shapes else {}

    def point(self, rate: float, t: int) -> Mapping[str, Array]:
        """Where the gradient of step t has to be taken: the parameters, or a point ahead of them."""
        if self._ahead is None:
            return self.values
        self._look.set(rate, t, *self.options)
        for arrays in self._places:
            self._look.run(*arrays)
        return self._ahead

    def step(self, gradients: Mapping[str, Array], rate: float, t: int) -> None:
        """Step t (from 1), given the gradient of every parameter; quickest if it stands in ``self.gradients`` already."""
        if gradients is not self.gradients:
            for name, own in self.gradients.items():
                numpy.copyto(own, gradients[name])
        self._step.set(rate, t, *self.options)
        for arrays in self._blocks:
            self._step.run(*arrays)
