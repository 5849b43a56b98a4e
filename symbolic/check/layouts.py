"""How a file lays out its arrays: examples as rows or columns, W as (in, out) or (out, in), biases (n,), (1, n), (n, 1) or within W.

An array of the network becomes *plain* first: examples x features, W as in x out, b as (out,). A layout turns plain
arrays into the student's and back.

>>> Layout(rows=False, in_out=False, bias="line").spoken
'examples as columns, W as (out, in), b as (n, 1)'
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy

from ..errors import SpecError, nearest
from ..network import Network
from .names import Names

Array = Any
WORDS: dict[str, dict[str, Any]] = {"rows": {"rows": True}, "columns": {"rows": False}, "in_out": {"in_out": True}, "out_in": {"in_out": False},
         "flat": {"bias": "flat"}, "line": {"bias": "line"}, "column": {"bias": "column"}, "first": {"bias": "first"}, "last": {"bias": "last"},
         "vectors": {"vectors": True}, "classes": {"target": "classes"}, "flat_target": {"target": "flat"}, "numbers": {"numbers": True}}


@dataclass(frozen=True)
class Layout:
    """One way to lay out arrays.

    rows: one row an example; in_out: W has one row an input; bias: 'line' (along the units: (1, n) or (n, 1)), 'flat' (n,), 'column' (n, 1) beside rows,
    'first' or 'last': in W, for an input of 1 there. target: 'matrix', 'flat' (examples,), 'classes' (numbers of classes).
    vectors: one example is a vector (n,); numbers: a value of one entry is a number. as_is: the network's own shapes.
    """

    rows: bool = True
    in_out: bool = True
    bias: str = "line"
    target: str = "matrix"
    vectors: bool = False
    numbers: bool = False
    as_is: bool = False

    @property
    def spoken(self) -> str:
        """The layout in words."""
        if self.as_is:
            return "as in the spec"
        if self.numbers:
            return "plain numbers"
        x = "one example as a vector" if self.vectors else f"examples as {'rows' if self.rows else 'columns'}"
        b = "b as (n,)" if self.vectors and self.bias == "line" else {"line": f"b as {'(1, n)' if self.rows else '(n, 1)'}", "flat": "b as (n,)", "column": "b as (n, 1)",
             "first": "b in W, for a first input of 1", "last": "b in W, for a last input of 1"}[self.bias]
        y = {"flat": ", y as (examples,)", "classes": ", y as numbers of classes"}.get(self.target, "")
        return f"{x}, W as {'(in, out)' if self.in_out else '(out, in)'}, {b}{y}"

    # ------------------------------------------------------------ to the student

    def examples(self, plain: Array) -> Array:
        """Values of examples x features."""
        if self.numbers:
            return plain.reshape(()) if plain.size == 1 else plain.reshape(-1) if plain.shape[1] == 1 else plain
        if self.vectors:
            return plain.reshape(-1)
        return plain if self.rows else plain.T

    def targets(self, plain: Array) -> Array:
        """Targets of examples x outputs."""
        if self.target == "classes":
            return plain.argmax(axis=1)
        return plain.reshape(-1) if self.target == "flat" and plain.shape[1] == 1 and not (self.numbers and plain.size == 1) else self.examples(plain)

    def weights(self, W: Array, b: Array | None) -> Array:
        """W of in x out, with b in it where the layout says so."""
        if self.bias in ("first", "last") and b is not None:
            W = numpy.concatenate([b.reshape(1, -1), W] if self.bias == "first" else [W, b.reshape(1, -1)])
        if self.numbers and W.size == 1:
            return W.reshape(())
        if self.numbers and W.shape[1] == 1:
            return W.reshape(-1)
        return W if self.in_out else W.T

    def biases(self, b: Array) -> Array:
        """b of (out,)."""
        if self.numbers and b.size == 1:
            return b.reshape(())
        if self.bias == "flat" or self.vectors and self.bias == "line":
            return b
        return b.reshape(1, -1) if self.rows and self.bias != "column" else b.reshape(-1, 1)


class Plain:
    """The leaves of a stacked network as plain arrays, and plain arrays in the network's own shapes."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.depth = len(network.layers) if network.plain_stack else 0
        self.x, self.y = (network.names("input")[0], network.names("target")[0]) if network.plain_stack else ("", "")

    def sizes(self, values: Mapping[str, Array]) -> list[int]:
        """The number of features, then the units of each layer."""
        return [self.of(self.x, values).shape[1], *(int(p.units) for p in self.network.layers)]

    def of(self, name: str, values: Mapping[str, Array]) -> Array:
        """One leaf or value, plain."""
        return self.turned(name, numpy.asarray(values[name], dtype=float))

    def turned(self, name: str, array: Array) -> Array:
        """An array of the network, plain."""
        symbol = self.network.symbols[name]
        if symbol.kind == "parameter" and name.startswith("b"):
            return array.reshape(-1)
        if array.ndim < 2:
            array = array.reshape(1, 1)
        return array if self.network.rows else array.T

    def back(self, name: str, plain: Array) -> Array:
        """A plain array in the shape that the network gives it."""
        symbol = self.network.symbols[name]
        if not symbol.shape:
            return plain.reshape(())
        if symbol.kind == "parameter" and name.startswith("b"):
            return plain.reshape(1, -1) if self.network.rows else plain.reshape(-1, 1)
        return plain if self.network.rows else plain.T


# ---------------------------------------------------------------- what the text of a file says

def candidates(tree: ast.AST, names: Names, *, has_bias: bool, outputs: int, given: Sequence[str] = ()) -> list[Layout]:
    """The layouts to try, the likeliest first; what the file's first product says is taken for certain."""
    fixed: dict[str, Any] = {}
    for word in given:
        if word not in WORDS:
            raise SpecError(f"unknown layout {word!r}", hint=nearest(word, WORDS))
        fixed |= WORDS[word]
    if "rows" not in fixed or "in_out" not in fixed:
        said = _product(tree, names)
        fixed = {**(said or {}), **fixed}
    if "bias" not in fixed and has_bias and (ones := _ones(tree)):
        fixed["bias"] = ones
    if "target" not in fixed and outputs > 1 and _classes(tree, names):
        fixed["target"] = "classes"
    pairs = [(r, i) for r in (True, False) for i in (True, False)]
    pairs.sort(key=lambda p: p[0] != p[1])  # (rows, in x out) and (columns, out x in) come first
    out = [Layout(rows=r, in_out=i, bias=b, vectors=v) for r, i in pairs for v in (False, True) for b in ("line", "flat", "column") if not v or b == "line"]
    if outputs == 1:
        out += [replace(o, target="flat") for o in out if not o.vectors and o.rows]
    chosen = [replace(o, **fixed) for o in out if _agrees(o, fixed)]
    return list(dict.fromkeys(chosen)) or [replace(Layout(), **fixed)]


def _agrees(layout: Layout, fixed: Mapping[str, Any]) -> bool:
    return all(getattr(layout, key) == value for key, value in fixed.items() if key in ("rows", "in_out"))


def products(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The two sides of every matrix product."""
    for n in ast.walk(tree):
        if isinstance(n, ast.BinOp) and isinstance(n.op, ast.MatMult):
            yield n.left, n.right
        elif isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in ("dot", "matmul"):
            if len(n.args) == 2:
                yield n.args[0], n.args[1]
            elif len(n.args) == 1:
                yield n.func.value, n.args[0]
        elif isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in ("dot", "matmul") and len(n.args) == 2:
            yield n.args[0], n.args[1]


def _operand(e: ast.expr, names: Names) -> tuple[str | None, bool]:
    """The letter of what is multiplied ('W', 'x' for a value of examples), and whether it is transposed."""
    turned = False
    while True:
        if isinstance(e, ast.Attribute) and e.attr == "T":
            e, turned = e.value, not turned
        elif isinstance(e, ast.Call) and isinstance(e.func, ast.Attribute) and e.func.attr in ("transpose", "t") and not e.args:
            e, turned = e.func.value, not turned
        elif isinstance(e, ast.Call) and ast.unparse(e.func) in ("np.transpose", "numpy.transpose") and len(e.args) == 1:
            e, turned = e.args[0], not turned
        else:
            break
    role = role_of(e, names)
    if role is None:
        return None, turned
    if re.fullmatch(r"W(\d+|\*)", role):
        return "W", turned
    if role == "x" or re.fullmatch(r"a\d+", role):
        return "x", turned
    return ("g" if role.startswith("d:") else None), turned


def parts_of(e: ast.expr) -> list[str | int] | None:
    """An expression as a path: self.params['W1'] is [self, .params, W1]; a variable place is -1, a key such as 'W' + str(l) is W%."""
    if isinstance(e, ast.Name):
        return [e.id]
    if isinstance(e, ast.Attribute):
        inner = parts_of(e.value)
        return None if inner is None else [*inner, f".{e.attr}"]
    if isinstance(e, ast.Subscript):
        inner = parts_of(e.value)
        key = e.slice.value if isinstance(e.slice, ast.Constant) else -1
        if isinstance(e.slice, (ast.BinOp, ast.JoinedStr)):
            stem = re.match(r"[A-Za-z_]+", "".join(str(c.value) for c in ast.walk(e.slice) if isinstance(c, ast.Constant) and isinstance(c.value, str)))
            key = f"{stem[0]}%" if stem else -1
        return None if inner is None or not isinstance(key, (str, int)) else [*inner, key]
    return None


def role_of(e: ast.expr, names: Names) -> str | None:
    """What a name, attribute or entry in the file stands for."""
    parts = parts_of(e)
    if parts is None:
        return None
    if parts[-1] == -1:
        return names.of(parts[:-1]) if len(parts) > 1 else None
    return names.of(parts)


def _product(tree: ast.AST, names: Names) -> dict[str, Any] | None:
    """Rows or columns, (in, out) or (out, in), from a product of data with a matrix of weights."""
    for sure in (True, False):  # with the input or a named activation first; then with any value that is not a gradient
        for left, right in products(tree):
            (a, a_turned), (b, b_turned) = _operand(left, names), _operand(right, names)
            if b == "W" and (a == "x" or not sure and a is None and not a_turned and not _backward_like(left)):
                return {"rows": True, "in_out": not b_turned}
            if a == "W" and (b == "x" or not sure and b is None and not b_turned and not _backward_like(right)):
                return {"rows": False, "in_out": a_turned}
    return None


def _backward_like(e: ast.expr) -> bool:
    return bool(re.search(r"\bd|grad|delta|err", ast.unparse(e), re.IGNORECASE))


def _ones(tree: ast.AST) -> str | None:
    """Whether inputs get a column of ones, first or last, so that the bias stands in W."""
    for n in ast.walk(tree):
        text, parts = "", []
        if isinstance(n, ast.Call) and ast.unparse(n.func).split(".")[-1] in ("hstack", "concatenate", "column_stack", "vstack", "append") and n.args:
            first = n.args[0]
            parts = list(first.elts) if isinstance(first, (ast.Tuple, ast.List)) else list(n.args[:2])
        elif isinstance(n, ast.Subscript) and ast.unparse(n.value) in ("np.c_", "np.r_", "numpy.c_", "numpy.r_") and isinstance(n.slice, ast.Tuple):
            parts = list(n.slice.elts)
        elif isinstance(n, ast.Call) and ast.unparse(n.func).split(".")[-1] == "insert" and len(n.args) >= 3 and ast.unparse(n.args[2]) in ("1", "1.0"):
            return "first" if ast.unparse(n.args[1]) == "0" else "last"
        if len(parts) == 2:
            text = [("ones(" in ast.unparse(p) or "ones_like(" in ast.unparse(p)) for p in parts]  # type: ignore[assignment]
            if text == [True, False]:
                return "first"
            if text == [False, True]:
                return "last"
    return None


def _classes(tree: ast.AST, names: Names) -> bool:
    """Whether the target picks entries: probs[range(m), y]."""
    for n in ast.walk(tree):
        if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Tuple) and len(n.slice.elts) == 2:
            first, second = n.slice.elts
            if isinstance(first, ast.Call) and ast.unparse(first.func).split(".")[-1] in ("range", "arange") and role_of(second, names) == "y":
                return True
        if isinstance(n, ast.Subscript) and ast.unparse(n.value).endswith((".eye", ")")) and ".eye(" in ast.unparse(n.value) and role_of(n.slice, names) == "y":
            return True
    return False


def distinct(sizes: Iterable[int]) -> bool:
    """Whether no two sizes are the same and none is 1, so that a shape says what an array is."""
    found = [s for s in sizes if s != 1]
    return len(set(found)) == len(found)
