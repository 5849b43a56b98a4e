"""Plain Python floats: every entry its own name, straight-line code with ``math``.

For a handful of numbers this is far quicker than arrays of one element. Where a float overflows, NumPy answers.

>>> from ..layers import stack
>>> from ..network import LayerPlan
>>> from .program import program
>>> print(FloatsRunner(program(stack(("x", 1), "y", [LayerPlan(1, "sigmoid")], "half_squared_error")), "float64").source)
def floats(x, y, W1, b1):
    z1 = W1 * x + b1
    a1 = 1.0 / (1.0 + exp(-z1))
    t1 = a1 - y
    L = 0.5 * (t1 * t1)
    dz1 = t1 * a1 * (1.0 - a1)
    dW1 = dz1 * x
    return L, dW1, dz1
<BLANKLINE>
"""

from __future__ import annotations

import ast
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy

from .. import expr as ex
from ..errors import SpecError
from ..expr import Expr, Shape
from ..language.arithmetic import TREES, entries, spread_out
from ..language.run import load
from ..numpytree import Names, tree_code
from .passes import Line, called, changed, parsed, placed, quick, shared, typed_for, without_aliases
from .program import Program
from .sources import NumpyRunner, copying, function

MATH = {"exp": "exp", "log": "log", "log1p": "log1p", "expm1": "expm1", "sqrt": "sqrt", "tanh": "tanh", "sin": "sin", "cos": "cos", "tan": "tan",
        "sinh": "sinh", "cosh": "cosh", "arcsin": "asin", "arccos": "acos", "arctan": "atan", "abs": "fabs"}
SPACE = {name: getattr(math, name) for name in ("erf", "erfc", "pow", *MATH.values())}
FAILS = (OverflowError, ZeroDivisionError, ValueError)  # where Python gives up, NumPy gives inf or nan
OTHERS = (*FAILS, TypeError, AttributeError, KeyError, struct.error)  # what is given is no array of the right shape: the careful way says what is wrong


# ---------------------------------------------------------------- from matrices to entries

def places(shape: Shape) -> list[tuple[int, int]]:
    """Rows and columns of all entries, row by row."""
    rows, columns = (int(shape[0]), int(shape[1])) if shape else (1, 1)
    return [(i, j) for i in range(rows) for j in range(columns)]


def entry(name: str, shape: Shape, i: int, j: int) -> str:
    """What one entry is called: W1_0_1, z1_0."""
    kept = [str(k) for k, d in zip((i, j), shape, strict=True) if d != 1] if shape else []
    return "_".join([name, *kept])


def grids(made: Program, entry: Callable[[str, Shape, int, int], str]) -> dict[Any, list[list[Expr]]]:
    """The entries of every value and gradient as numbers of their own, under the names that ``entry`` gives them."""
    out: dict[Any, list[list[Expr]]] = {}
    for symbol in made.network.symbols.values():
        out[symbol.name] = grid(made.names[symbol.name], symbol.shape, entry)
        out[made.loss, symbol.name] = grid(made.slopes[symbol.name], symbol.shape, entry)
    return out


def grid(name: str, shape: Shape, entry: Callable[[str, Shape, int, int], str]) -> list[list[Expr]]:
    """The entries of one value."""
    rows, columns = (int(shape[0]), int(shape[1])) if shape else (1, 1)
    return [[ex.sym(entry(name, shape, i, j)) for j in range(columns)] for i in range(rows)]


class Entries:
    """A program with every entry of every value as a number of its own."""

    def __init__(self, made: Program) -> None:
        self.program = made
        if made.network.sizes:
            raise SpecError(f"plain floats need sizes that are numbers, and {made.network.sizes[0]} is a letter", hint="give the batch")
        self.shapes: dict[Any, Shape] = {s.name: s.shape for s in made.network.symbols.values()}
        env = grids(made, entry)
        self.lines: list[tuple[str, Expr]] = []
        for s in made.statements:
            try:
                cells = spread_out(entries(s.expr, env, TREES), self.shapes[s.of])
            except (ValueError, NotImplementedError) as error:
                raise SpecError(f"{s.name} cannot be computed entry by entry: {error}", hint="use arrays") from None
            flat = [cell for row in cells for cell in row]
            self.lines += [(entry(s.name, self.shapes[s.of], i, j), e) for (i, j), e in zip(places(self.shapes[s.of]), flat, strict=True)]

    def of(self, name: str, value: str) -> list[str]:
        """The names of all entries of a value that the code calls so."""
        return [entry(name, self.shapes[value], i, j) for i, j in places(self.shapes[value])]

    @cached_property
    def arguments(self) -> list[str]:
        return [n for leaf in self.program.leaves for n in self.of(self.program.names[leaf], leaf)]

    @cached_property
    def results(self) -> list[str]:
        return [self.program.names[self.program.loss], *(n for of, name in self.program.gradients.items() for n in self.of(name, of))]


# ---------------------------------------------------------------- from NumPy to math

class _Plain:
    """Turns the NumPy of single numbers into plain Python, with a name for what is read twice."""

    def __init__(self, taken: set[str]) -> None:
        self.taken, self.out, self.count = taken, list[Line](), 0

    def line(self, line: Line) -> None:
        """Add one line, and what it needs in front of it."""
        code = changed(line.code, self.change)
        self.out.append(Line(line.name, changed(code, _all_floats)))

    def atom(self, node: ast.expr) -> ast.expr:
        """A name for an expression that is read more than once."""
        if isinstance(node, (ast.Name, ast.Constant)):
            return node
        self.count += 1
        while f"s{self.count}" in self.taken:
            self.count += 1
        self.out.append(Line(f"s{self.count}", node))
        return ast.Name(f"s{self.count}", ast.Load())

    def change(self, node: ast.expr) -> ast.expr | None:
        match node:
            case ast.BinOp(left, ast.Mult(), ast.Compare() as mask): return ast.IfExp(mask, left, ast.Constant(0.0))
            case ast.BinOp(base, ast.Pow(), exponent): return self.power(base, exponent)
            case ast.Call(args=[ast.Constant(0), argument]) if called(node) == "np.logaddexp":
                return _read("z + log1p(exp(-z)) if z > 0 else log1p(exp(z))", z=self.atom(argument))
            case ast.Call(args=[ast.Constant() as c, other] | [other, ast.Constant() as c]) if called(node) in ("np.maximum", "np.minimum"):
                return _read(f"c if z {'<=' if called(node) == 'np.maximum' else '>='} c else z", z=self.atom(other), c=ast.Constant(float(c.value)))  # type: ignore[arg-type]
            case ast.Call(args=[one, other]) if called(node) in ("np.maximum", "np.minimum"):
                return _read(f"u if u {'>' if called(node) == 'np.maximum' else '<'} v or u != u else v", u=self.atom(one), v=self.atom(other))
            case ast.Call(args=[argument, low, high]) if called(node) == "np.clip":
                return _read("low if z < low else high if z > high else z", z=self.atom(argument), low=low, high=high)
            case ast.Call(args=[condition, yes, no]) if called(node) == "np.where": return ast.IfExp(condition, yes, no)
            case ast.Call(args=[argument]) if called(node).removeprefix("np.") in MATH and called(node).startswith("np."):
                return ast.Call(ast.Name(MATH[called(node)[3:]], ast.Load()), [argument], [])
            case ast.Call(args=[argument]) if called(node) in ("np.ones_like", "np.zeros_like"): return ast.Constant(float(called(node) == "np.ones_like"))
        return None

    def power(self, base: ast.expr, exponent: ast.expr) -> ast.expr:
        """Whole powers as products, the root as sqrt, the rest by math.pow (which gives no complex numbers)."""
        try:
            n = ast.literal_eval(exponent)
        except ValueError:
            n = None
        if n == 0.5:
            return _read("sqrt(z)", z=base)
        if n is not None and n == int(n) and 1 < abs(n) <= 4 or n == -1:
            z = self.atom(base)
            product = _read(" * ".join("z" * abs(int(n))), z=z)
            return product if n > 0 else ast.BinOp(ast.Constant(1), ast.Div(), product)
        return _read("pow(z, n)", z=base, n=exponent)


def _all_floats(node: ast.expr) -> ast.expr | None:
    """Whole numbers in a calculation as floats: Python adds two floats faster than an int and a float."""
    def as_float(x: ast.expr) -> ast.expr:
        return ast.Constant(float(x.value)) if isinstance(x, ast.Constant) and type(x.value) is int else x

    if isinstance(node, ast.BinOp):
        return ast.BinOp(as_float(node.left), node.op, as_float(node.right))
    return None


def _read(source: str, **parts: ast.expr) -> ast.expr:
    """Python source with parts put in for its names."""
    return placed(parsed(source), parts)


def plain_lines(made: Entries) -> tuple[list[Line], dict[str, str]]:
    """Lines of plain Python, and the names that are only other names of a line."""
    names = Names(gradient=lambda of, wrt: wrt)
    raw = [Line(name, quick(typed_for(parsed(tree_code(e, names)), "float64"))) for name, e in made.lines]
    lines, same = without_aliases(raw)
    plain = _Plain({*made.arguments, *(line.name for line in lines)} | set(SPACE))
    for line in shared(lines):
        plain.line(line)
    lines, more = without_aliases(plain.out)
    same = {**{name: more.get(first, first) for name, first in same.items()}, **more}
    return _read_ones(lines, {same.get(r, r) for r in made.results}), same


def _read_ones(lines: Sequence[Line], results: set[str]) -> list[Line]:
    """The lines that a result reads."""
    kept, read = [], set(results)
    for line in reversed(lines):
        if line.name in read:
            kept.append(line)
            read |= {n.id for n in ast.walk(line.code) if isinstance(n, ast.Name)}
    return kept[::-1]


# ---------------------------------------------------------------- the runner

class FloatsRunner:
    """Straight-line code on floats.

    floats: plain numbers in (``arguments``) and out (``results``); call: a mapping of arrays in, loss and arrays out, or None
    where the mapping needs a closer look; run: as every runner.
    """

    def __init__(self, made: Program, dtype: str) -> None:
        self.program, self.dtype = made, dtype
        self.entries = Entries(made)
        self.arguments, self.results = tuple(self.entries.arguments), tuple(self.entries.results)
        self.lines, same = plain_lines(self.entries)
        self.returned = [same.get(r, r) for r in self.results]
        body = [*map(str, self.lines), f"return {', '.join(self.returned)}" + ("," if len(self.returned) == 1 else "")]
        self.source = function("floats", self.arguments, body)
        self.floats: Callable[..., tuple[float, ...]] = self._entry(body)
        self.call: Callable[[Mapping[str, Any]], Any] = load(self._array_source(None), self._array_space())["call"]

    def _entry(self, body: Sequence[str]) -> Callable[..., tuple[float, ...]]:
        spaces = {**SPACE, "fails": FAILS, "by_arrays": self._by_arrays}
        source = function("floats", self.arguments, [*_tried(body), "except fails:", f"    return by_arrays(({', '.join(self.arguments)},))"])
        return load(source, spaces)["floats"]  # type: ignore[no-any-return]

    def _inner(self) -> list[str]:
        """What stands between arrays taken apart and arrays put together."""
        return list(map(str, self.lines))

    def bound(self, leaves: Sequence[Any], data: int, into: Sequence[Any]) -> Callable[..., float]:
        """See ``Runner``."""
        slow = copying(self._safe, leaves, data, into)
        if not all(x.flags.c_contiguous for x in leaves[data:]):
            return copying(self, leaves, data, into)
        views = {f"{'given' if k < len(leaves) else 'array'}_{k}": memoryview(x).cast("B").cast(x.dtype.char) for k, x in enumerate([*leaves, *into]) if k >= data}
        fill = load(self._array_source(data), {**self._array_space(), **views})["fill"]

        def run(*given: Any) -> float:
            found = fill(*given)
            return slow(*given) if found is None else found  # type: ignore[no-any-return]

        return run

    def _array_source(self, data: int | None) -> str:
        """``call``, which makes new arrays; or ``fill`` of so many arrays of data, which reads and fills those it is bound to."""
        names, shapes, count = self.program.names, self.entries.shapes, len(self.program.leaves)
        opened = []
        for k, leaf in enumerate(self.program.leaves):
            if data is None or k < data:
                opened.append(f"{_pattern(names[leaf], shapes[leaf])} = {f'values[{leaf!r}]' if data is None else f'given_{k}'}.tolist()")
            else:
                opened.append(f"{', '.join(self.entries.of(names[leaf], leaf))}, = given_{k}")
        filled, made, returned = [], [], self.returned[1:]
        for k, name in enumerate(self.program.gradients, count):
            shape = tuple(map(int, shapes[name]))
            mine, returned = returned[:prod(shape)], returned[prod(shape):]
            filled += [f"array_{k} = empty({shape}{'' if self.dtype == 'float64' else ', kind'})"] * (data is None) + [f"pack_{prod(shape)}(array_{k}, 0, {', '.join(mine)})"]
            made.append(f"{name!r}: array_{k}")
        last = f"return {self.returned[0]} + 0.0" + (f", {{{', '.join(made)}}}" if data is None else "")
        name, arguments = ("call", ["values"]) if data is None else ("fill", [f"given_{k}" for k in range(data)])
        return function(name, arguments, [*_tried([*opened, *self._inner(), *filled, last]), "except fails:", "    return None"])

    def _array_space(self) -> dict[str, Any]:
        counts = {prod(map(int, self.entries.shapes[n])) for n in self.program.gradients}
        packs = {f"pack_{n}": struct.Struct(f"={n}{'d' if self.dtype == 'float64' else 'f'}").pack_into for n in counts}
        return {**SPACE, **packs, "fails": OTHERS, "empty": numpy.empty, "kind": numpy.dtype(self.dtype)}

    @cached_property
    def _safe(self) -> NumpyRunner:
        return NumpyRunner(self.program, self.dtype)

    def run(self, leaves: Sequence[Any]) -> tuple[float, list[Any]]:
        """The loss and new arrays of gradients."""
        found = self.call(dict(zip(self.program.leaves, leaves, strict=True)))
        return self._safe.run(leaves) if found is None else (found[0], list(found[1].values()))

    def _by_arrays(self, numbers: Sequence[float]) -> tuple[float, ...]:
        """What plain floats cannot hold (an overflow, a division by 0): NumPy's inf and nan."""
        given, out = iter(numbers), []
        for leaf in self.program.leaves:
            shape = self.entries.shapes[leaf]
            out.append(numpy.array([next(given) for _ in places(shape)], dtype=self.dtype).reshape([int(d) for d in shape]))
        loss, gradients = self._safe.run(out)
        return (loss, *(float(v) for g in gradients for v in numpy.ravel(g)))


class NumbaRunner(FloatsRunner):
    """The same floats compiled to machine code by numba (the extra ``chainrule[fast]``); float64 inside."""

    def _entry(self, body: Sequence[str]) -> Callable[..., tuple[float, ...]]:
        try:
            import numba
        except ImportError:
            raise SpecError("the backend 'numba' needs numba", hint="pip install 'chainrule[fast]', or leave the backend to 'auto'") from None
        self._machine = numba.njit(load(self.source, SPACE)["floats"], error_model="numpy")
        self.returned = [f"r_{k}" for k in range(len(self.results))]
        return self._machine  # type: ignore[no-any-return]

    def _inner(self) -> list[str]:
        return [f"{', '.join(self.returned)}{',' * (len(self.returned) == 1)} = machine({', '.join(self.arguments)})"]

    def _array_space(self) -> dict[str, Any]:
        return {**super()._array_space(), "machine": self._machine}


def _tried(lines: Sequence[str]) -> list[str]:
    return ["try:", *(f"    {line}" for line in lines)]


def _pattern(name: str, shape: Shape) -> str:
    """The names of all entries, nested as ``tolist`` nests them."""
    if not shape:
        return name
    rows = [[entry(name, shape, i, j) for j in range(int(shape[1]))] for i in range(int(shape[0]))]
    return ", ".join("({},)".format(", ".join(row)) for row in rows) + ","
