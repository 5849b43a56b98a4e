"""The same lines of NumPy one operation at a time, each writing into an array that is there already.

The first call with new shapes runs every operation once and looks at what comes out; then arrays are set aside, one
for all values that are never alive together, and every later call allocates nothing that matters.

>>> ops = operations([Line("A", parsed("np.maximum(0, W @ X + b)")), Line("s", parsed("np.sum(A**2)"))])
>>> for op in ops: print(op)
t_1 = np.matmul(W, X)
t_2 = np.add(t_1, b)
A = np.maximum(0, t_2)
t_3 = np.square(A)
s = np.add.reduce(t_3, None)
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy

from ..language.run import load
from .passes import Line, called, number, parsed, placed, without_aliases, written
from .program import Program
from .sources import NumpyRunner, function, lines_of, preamble, size_lines, space

SIGNS = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power", ast.MatMult: "matmul"}
COMPARISONS = {ast.Gt: "greater", ast.GtE: "greater_equal", ast.Lt: "less", ast.LtE: "less_equal", ast.Eq: "equal"}
OPERATORS = {word: sign for sign, word in SIGNS.items()}
POWERS = {2: "square", 0.5: "sqrt", -1: "reciprocal"}
FOLDS = {"np.sum": "add", "np.max": "maximum", "np.min": "minimum", "sum": "add", "max": "maximum", "min": "minimum"}
BY_KEYWORD = {"maximum", "minimum"}
MOST_SHAPES = 8  # sets of shapes whose arrays are kept: a batch, a last smaller batch, a validation set


@dataclass(frozen=True)
class Op:
    """One operation: target = function(args); kind: 'entrywise', 'product', 'fold' (args: array, axis), 'where', or 'other' (code as it is)."""

    target: str
    kind: str
    function: str
    args: tuple[ast.expr, ...]
    code: ast.expr | None = None

    def __str__(self) -> str:
        return f"{self.target} = " + (written(self.code) if self.code is not None else f"np.{self.function}({', '.join(map(written, self.args))})")

    @property
    def names(self) -> list[str]:
        """The values that are read."""
        trees = (self.code,) if self.code is not None else self.args
        return [n.id for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id != "np"]


# ---------------------------------------------------------------- one operation at a time

def operations(lines: Sequence[Line]) -> list[Op]:
    """Lines taken apart, the innermost operation first."""
    taken = {line.name for line in lines} | {n.id for line in lines for n in ast.walk(line.code) if isinstance(n, ast.Name)}
    out: list[Op] = []
    count = 0

    def fresh() -> str:
        nonlocal count
        count += 1
        while f"t_{count}" in taken:
            count += 1
        return f"t_{count}"

    def atom(node: ast.expr) -> ast.expr:
        if isinstance(node, ast.Name) or number(node) is not None:
            return node
        name = fresh_op(node, None)
        return ast.Name(name, ast.Load())

    def put(target: str | None, kind: str, name: str, *args: ast.expr, code: ast.expr | None = None) -> str:
        out.append(Op(target or fresh(), kind, name, args, code))
        return out[-1].target

    def fresh_op(node: ast.expr, target: str | None) -> str:
        match node:
            case ast.BinOp(base, ast.Pow(), exponent) if number(exponent) in POWERS: return put(target, "entrywise", POWERS[number(exponent)], atom(base))  # type: ignore[index]
            case ast.BinOp(base, ast.Pow(), exponent) if number(exponent) in (3, 4):  # NumPy's power is slow
                x = atom(base)
                square = ast.Name(put(None, "entrywise", "square", x), ast.Load())
                return put(target, "entrywise", "multiply", square, x) if number(exponent) == 3 else put(target, "entrywise", "square", square)
            case ast.BinOp(left, sign, right):
                return put(target, "product" if isinstance(sign, ast.MatMult) else "entrywise", SIGNS[type(sign)], atom(left), atom(right))
            case ast.UnaryOp(ast.USub(), inner): return put(target, "entrywise", "negative", atom(inner))
            case ast.Compare(left, [sign], [right]) if type(sign) in COMPARISONS: return put(target, "entrywise", COMPARISONS[type(sign)], atom(left), atom(right))
            case ast.Call() if (fold := _fold(node)) is not None:
                array, name, axis = fold
                return put(target, "fold", name, atom(array), axis)
            case ast.Call(args=args, keywords=[]) if called(node) == "np.where": return put(target, "where", "where", *map(atom, args))
            case ast.Call(args=args, keywords=[]) if _is_ufunc(called(node)): return put(target, "entrywise", called(node)[3:], *map(atom, args))
        return put(target, "other", "", code=_opened(node, atom))

    for line in lines:
        if isinstance(line.code, ast.Name) or number(line.code) is not None:
            put(line.name, "other", "", code=line.code)
        else:
            fresh_op(line.code, line.name)
    return out


def _is_ufunc(name: str) -> bool:
    return name.startswith("np.") and isinstance(getattr(numpy, name[3:], None), numpy.ufunc)


def _fold(node: ast.Call) -> tuple[ast.expr, str, ast.expr] | None:
    """A sum or maximum as (array, function, axis), written as np.sum(x, axis=0, keepdims=True) or x.sum(axis=0, keepdims=True)."""
    keys = {k.arg: k.value for k in node.keywords}
    if not set(keys) <= {"axis", "keepdims"}:
        return None
    axis = keys.get("axis", ast.Constant(None))
    match node:
        case ast.Call(args=[array]) if called(node) in FOLDS: return array, f"{FOLDS[called(node)]}.reduce", axis
        case ast.Call(func=ast.Attribute(array, word), args=[]) if word in FOLDS and written(array) != "np" and (keys or word != "sum"):
            return array, f"{FOLDS[word]}.reduce", axis
    return None


def _opened(node: ast.expr, atom: Callable[[ast.expr], ast.expr]) -> ast.expr:
    """A call, an attribute or a part of an array, with names for what it reads."""
    match node:
        case ast.Attribute(inner, word) if not (isinstance(inner, ast.Name) and inner.id == "np"): return ast.Attribute(atom(inner), word, ast.Load())
        case ast.Subscript(inner, index): return ast.Subscript(atom(inner), index, ast.Load())
        case ast.Call(function_, args, keywords):
            opened = _opened(function_, atom) if isinstance(function_, ast.Attribute) and not written(function_).startswith("np.") else function_
            return ast.Call(opened, [_opened_argument(x, atom) for x in args], keywords)
    return node


def _opened_argument(node: ast.expr, atom: Callable[[ast.expr], ast.expr]) -> ast.expr:
    if isinstance(node, (ast.List, ast.Tuple)):
        return type(node)([_opened_argument(x, atom) for x in node.elts], ast.Load())
    plain = not any(isinstance(n, ast.Name) for n in ast.walk(node)) or isinstance(node, ast.Attribute) and written(node).startswith("np.")
    return node if plain else atom(node)


# ---------------------------------------------------------------- which arrays are needed

class Plan:
    """The operations for one set of shapes: the arrays set aside, and the function that runs."""

    def __init__(self, program: Program, dtype: str, ops: Sequence[Op], results: Sequence[str], leaves: Sequence[Any], into: Sequence[Any] = ()) -> None:
        self.program, self.dtype, self.results = program, numpy.dtype(dtype), list(results)
        self.own = dict(enumerate(into, 1))  # the arrays of the gradients, by their place among the results
        self.leaves = [program.names[n] for n in program.leaves]
        self.samples = _samples(program, dtype, ops, leaves)
        self.ops = self._dots([*ops])
        self.root = self._roots()
        self.arrays: dict[str, Any] = {}  # by the name that the code gives them
        self.at: dict[str, str] = {}  # the array in which a value stands
        self.constants: dict[str, Any] = {}
        self.gradients: list[Any] = []
        body = self._body()
        made = function("make", list(self.arrays), [*(line for line in self.views), *function("run", self.leaves, body).splitlines(), "return run"])
        self.source = function("run", self.leaves, body)
        self.run: Callable[..., Any] = load("\n".join([*preamble(program), made]), {**space(dtype), **functions()})["make"](*self.arrays.values())

    def _dots(self, ops: list[Op]) -> list[Op]:
        """The sum of a product as one dot product; the sum of rows as a product with ones."""
        reads = [n for op in ops for n in op.names] + self.results
        out: list[Op] = []
        made = {op.target: op for op in ops}
        for op in ops:
            before = made.get(op.names[0]) if op.names else None
            if op.kind == "fold" and op.function == "add.reduce" and before is not None and written(op.args[1]) == "None" and reads.count(before.target) == 1 and before in out:
                factors = before.args * 2 if before.function == "square" else before.args if before.function == "multiply" else ()
                shapes = [numpy.shape(self.samples[f.id]) if isinstance(f, ast.Name) else () for f in factors]
                if len(factors) == 2 and shapes[0] and shapes[0] == shapes[1] and all(self.samples[f.id].dtype == self.dtype for f in factors):  # type: ignore[attr-defined]
                    out.remove(before)
                    out.append(replace(op, kind="other", code=ast.Call(parsed("np.vdot"), list(factors), [])))
                    continue
            out.append(op)
        return out

    def _roots(self) -> dict[str, str]:
        """For every value the one whose memory it looks at: its own, or that of what it is a view of."""
        root: dict[str, str] = {n: n for n in self.leaves}
        for op in self.ops:
            mine = self.samples[op.target]
            if op.kind == "other" and isinstance(mine, numpy.ndarray):
                seen = next((n for n in op.names if isinstance(self.samples.get(n), numpy.ndarray) and numpy.may_share_memory(mine, self.samples[n])), None)
                root[op.target] = root[seen] if seen is not None else op.target
            else:
                root[op.target] = op.target
        return root

    def _body(self) -> list[str]:
        """The lines of the function, and the arrays that they write into."""
        last: dict[str, int] = {}
        for k, op in enumerate(self.ops):
            for name in op.names:
                last[self.root.get(name, name)] = k
        kept = {self.root[r] for r in self.results}
        free: dict[tuple[Any, ...], list[str]] = {}
        self.views: list[str] = []
        body: list[str] = list(size_lines(self.program))
        for k, op in enumerate(self.ops):
            dying = [n for n in dict.fromkeys(self.root.get(n, n) for n in op.names) if last[n] == k and n not in kept and n in self.at]
            sample = self.samples[op.target]
            if op.kind == "other" or not isinstance(sample, numpy.ndarray) or not sample.ndim:
                self._runs(op, body)
            else:
                self._writes(op, sample, dying, free, body)
            for name in dying:
                if self.at[name] != self.at.get(op.target):
                    free.setdefault(self._kind(self.arrays[self.at[name]]), []).append(self.at[name])
            if op.target not in last and op.target not in kept and op.target in self.at:
                free.setdefault(self._kind(self.arrays[self.at[op.target]]), []).append(self.at[op.target])
        return [*body, *self._returned()]

    def _runs(self, op: Op, body: list[str]) -> None:
        """An operation whose result is a number, a view, or something new."""
        line = f"{op.target} = {self._spelled(op)}"
        fixed = op.kind == "other" and isinstance(self.samples[op.target], numpy.ndarray) and self.root[op.target] in self.at and len(op.names) == 1
        (self.views if fixed else body).append(line)  # a view of an array that stays where it is

    def _writes(self, op: Op, sample: Any, dying: list[str], free: dict[tuple[Any, ...], list[str]], body: list[str]) -> None:
        """An operation into an array: that of an argument which nobody reads later, a free one, or a new one."""
        kind = self._kind(sample)
        args = op.args[2:] if op.kind == "where" else op.args
        alias = [n.id for n in args if isinstance(n, ast.Name) and n.id in dying] if op.kind in ("entrywise", "where") else []
        own = next((self.at[n] for n in alias if self._kind(self.arrays[self.at[n]]) == kind), None)
        if own is not None and op.kind == "where" and own in [self._name(x) for x in op.args[:2]]:
            own = None
        if op.target in self.results and kind[1] == self.dtype:
            own = self._new(op.target, kind, self._gradient(self.results.index(op.target), sample))
        if own is None:
            own = free[kind].pop() if free.get(kind) else self._new(op.target, kind)
        inputs = [self._name(x) for x in op.args]
        self.at[op.target] = own
        if op.kind == "where":
            condition, yes, no = inputs
            body += [f"copyto({own}, {no})"] * (no != own) + [f"copyto({own}, {yes}, 'same_kind', {condition})"]
        elif op.kind == "fold" and (ones := self._ones(op)) is not None:
            body.append(f"dot({inputs[0]}, {ones}, {own})" if inputs[1] == "1" else f"dot({ones}, {inputs[0]}, {own})")
        elif op.kind == "fold":
            body.append(f"{op.function.replace('.', '_')}({inputs[0]}, {inputs[1]}, None, {own}, True)")
        else:
            out = f"out={own}" if op.function in BY_KEYWORD else own  # by position it is quicker
            if op.kind == "entrywise":
                inputs = [self._number(x, op) for x in op.args]
            body.append(f"{'dot' if op.kind == 'product' else op.function}({', '.join(inputs)}, {out})")

    def _ones(self, op: Op) -> str | None:
        """The ones with which a matrix product adds up rows or columns: quicker than a sum, and as exact."""
        summed, axis = (self.samples.get(x.id) if isinstance(x, ast.Name) else number(x) for x in op.args)
        if op.function != "add.reduce" or not isinstance(summed, numpy.ndarray) or summed.ndim != 2 or summed.dtype != self.dtype or axis not in (0, 1):
            return None
        shape = (summed.shape[1], 1) if axis else (1, summed.shape[0])
        name = "ones_{}_{}".format(*shape)
        if name not in self.arrays:
            self.arrays[name] = numpy.ones(shape, self.dtype)
        return name

    def _gradient(self, place: int, sample: Any) -> Any:
        return self.own.setdefault(place, numpy.empty(numpy.shape(sample), self.dtype))

    def _new(self, target: str, kind: tuple[Any, ...], array: Any = None) -> str:
        name = f"{target}_"
        while name in self.arrays or name in self.samples:
            name += "_"
        self.arrays[name] = numpy.empty(*kind) if array is None else array
        return name

    @staticmethod
    def _kind(array: Any) -> tuple[Any, ...]:
        return array.shape, array.dtype

    def _name(self, node: ast.expr) -> str:
        return written(placed(node, self.at))

    def _number(self, node: ast.expr, op: Op) -> str:
        """What an entrywise operation reads; a number as an array of one, which NumPy takes in at once."""
        value = number(node)
        if value is None or any(self.samples[n].dtype != self.dtype for n in op.names if isinstance(self.samples.get(n), numpy.ndarray)):
            return self._name(node)
        name = next((n for n, a in self.constants.items() if a == value), f"c_{len(self.constants) + 1}")
        self.arrays[name] = self.constants[name] = self.arrays.get(name, numpy.array(value, self.dtype))
        return name

    def _spelled(self, op: Op) -> str:
        if op.code is None:
            inputs = [placed(x, self.at) for x in op.args]
            if op.function in OPERATORS and len(inputs) == 2:  # quicker on single numbers than a function
                return written(ast.BinOp(inputs[0], OPERATORS[op.function](), inputs[1]))
            return f"{op.function.replace('.', '_')}({', '.join(map(written, inputs))})"
        return written(placed(op.code, self.at))

    def _returned(self) -> list[str]:
        """The last lines: every gradient in an array of its own, and the loss."""
        out: list[str] = []
        loss, *gradients = self.results
        for place, name in enumerate(gradients, 1):
            array = self._gradient(place, self.samples[name])
            own = self.at.get(name)
            if own is None or self.arrays[own] is not array:
                own = self._new(name, (), array)
                out.append(f"copyto({own}, {self.at.get(name, name)})")
            self.gradients.append(array)
        return [*out, f"return {self.at.get(loss, loss)}"]


@lru_cache(maxsize=1)
def functions() -> dict[str, Any]:
    """Every ufunc under its plain name, and what else the lines call."""
    ufuncs = {n: f for n in dir(numpy) if isinstance(f := getattr(numpy, n), numpy.ufunc)}
    folds = {f"{n}_reduce": ufuncs[n].reduce for n in ("add", "maximum", "minimum")}
    return {**ufuncs, **folds, "dot": numpy.dot, "copyto": numpy.copyto, "where": numpy.where}


def _samples(program: Program, dtype: str, ops: Sequence[Op], leaves: Sequence[Any]) -> Mapping[str, Any]:
    """What every operation gives for these arrays."""
    names = [program.names[n] for n in program.leaves]
    listed = list(dict.fromkeys(op.target for op in ops))
    source = "\n".join([*preamble(program), function("sample", names, [*size_lines(program), *map(str, ops), f"return [{', '.join(listed)}]"])])
    with numpy.errstate(all="ignore"):
        found = load(_folding(source), space(dtype))["sample"](*leaves)
    return {**dict(zip(names, leaves, strict=True)), **dict(zip(listed, found, strict=True))}


def _folding(source: str) -> str:
    """np.add.reduce(x, 0) keeps the axis, as the lines it was taken from did."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and written(node.func).endswith(".reduce") and written(node.args[1]) != "None":
            node.keywords = [ast.keyword("keepdims", ast.Constant(True))]
    return ast.unparse(tree)


# ---------------------------------------------------------------- the runner

class BuffersRunner:
    """Every operation into an array that is there already; one set of arrays for each set of shapes."""

    def __init__(self, program: Program, dtype: str) -> None:
        self.program, self.dtype = program, dtype
        self.source = NumpyRunner(program, dtype).source
        lines, same = without_aliases(lines_of(program, dtype))
        results = [program.names[program.loss], *program.gradients.values()]
        self.results = [same.get(r, r) for r in results]
        self.ops = operations(lines)
        self._plans: dict[tuple[tuple[int, ...], ...], Plan] = {}

    def run(self, leaves: Sequence[Any]) -> tuple[float, list[Any]]:
        """The loss and new arrays of gradients."""
        key = tuple(x.shape for x in leaves)
        if key not in self._plans:
            while len(self._plans) >= MOST_SHAPES:
                self._plans.pop(next(iter(self._plans)))
            self._plans[key] = Plan(self.program, self.dtype, self.ops, self.results, leaves)
        plan = self._plans[key]
        with numpy.errstate(all="ignore"):
            loss = float(plan.run(*leaves))
        return loss, [g.copy() for g in plan.gradients]

    def bound(self, leaves: Sequence[Any], data: int, into: Sequence[Any]) -> Callable[..., float]:
        """See ``Runner``."""
        run, parameters = Plan(self.program, self.dtype, self.ops, self.results, leaves, into).run, leaves[data:]
        return lambda *given: float(run(*given, *parameters))
