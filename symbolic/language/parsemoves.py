"""What equations write about indices: x[0], X[:, 1:3], conv(x, w), windows, max_pool, reshape, concat.

A row a function: how many values it takes, its options with their defaults, and what it builds.

>>> CALLS["conv"].options
{'stride': 1, 'padding': 0}
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .. import expr as ex
from ..errors import SpecError, nearest
from ..expr import Expr
from .takes import concat, convolve, fixed, part, reach, reshape, windows

LARGEST_INDEX = 10_000


@dataclass(frozen=True)
class Call:
    """A function of values and whole numbers: values (0 for any number), options, builder(values, options)."""

    values: int
    options: Mapping[str, Any]
    build: Callable[[Sequence[Expr], Mapping[str, Any]], Expr]
    sizes: int = 0  # whole numbers that follow the values, as in reshape(x, 2, 3)


def _size(x: Expr, size: Any) -> tuple[int, int]:
    if size is None:
        raise SpecError("missing size, as in size=2 or size=(2, 3)")
    pair = size if isinstance(size, tuple) else (size, size)
    return (1, pair[1]) if fixed(x)[0] == 1 else (pair[0], pair[1])


def _windows(xs: Sequence[Expr], o: Mapping[str, Any]) -> Expr:
    return windows(xs[0], _size(xs[0], o["size"]), o["stride"] or 1, o["padding"])


def pool(x: Expr, size: tuple[int, int], stride: int, fold: Callable[[Expr], Expr]) -> Expr:
    """The largest entry, or the mean, of every window, in the shape of the windows' places."""
    shape = reach(fixed(x), size, stride, 0, ex.text(x))
    return reshape(fold(windows(x, size, stride)), shape)


def largest(u: Expr) -> Expr:
    """The largest entry of every column."""
    return ex.node("most", (u,), 0) if fixed(u)[0] > 1 else u


def average(u: Expr) -> Expr:
    """The mean of every column."""
    return ex.mul(1 / ex.size(u.shape[0]), ex.node("sum", (u,), 0)) if fixed(u)[0] > 1 else u


def _pool(fold: Callable[[Expr], Expr]) -> Callable[[Sequence[Expr], Mapping[str, Any]], Expr]:
    def build(xs: Sequence[Expr], o: Mapping[str, Any]) -> Expr:
        size = _size(xs[0], o["size"])
        if o["stride"] is None and size[0] != size[1] and fixed(xs[0])[0] > 1:
            raise SpecError(f"windows of {ex.show_shape(size)} need a stride", hint="as in stride=1")
        return pool(xs[0], size, o["stride"] or max(size), fold)

    return build


CALLS: dict[str, Call] = {
    "conv": Call(2, {"stride": 1, "padding": 0}, lambda xs, o: convolve(xs[0], xs[1], o["stride"], o["padding"])),
    "windows": Call(1, {"size": None, "stride": None, "padding": 0}, _windows),
    "max_pool": Call(1, {"size": None, "stride": None}, _pool(largest)),
    "average_pool": Call(1, {"size": None, "stride": None}, _pool(average)),
    "reshape": Call(1, {}, lambda xs, o: reshape(xs[0], o["sizes"]), sizes=2),
    "flatten": Call(1, {}, lambda xs, o: reshape(xs[0], (fixed(xs[0])[0] * fixed(xs[0])[1], 1), "vec")),
    "concat": Call(0, {"axis": 0}, lambda xs, o: concat(xs, o["axis"])),
}


def call(name: str, values: Sequence[ast.expr], keywords: Sequence[ast.keyword], read: Callable[[ast.expr], Expr]) -> Expr:
    """One of CALLS as it was written. Raises SpecError that names what is missing, unknown or out of range."""
    row = CALLS[name]
    count = row.values or max(len(values), 1)
    if len(values) != count + row.sizes:
        wanted = f"{count} value{'s' * (count > 1)}" + f" and {row.sizes} whole numbers" * bool(row.sizes)
        raise SpecError(f"{name} takes {wanted}, not {len(values)}")
    options = {**row.options, "sizes": tuple(_whole(name, "size", n, 1) for n in values[count:])}
    for k in keywords:
        if k.arg is None or k.arg not in row.options:
            raise SpecError(f"{name} has no option {k.arg!r}", hint=nearest(str(k.arg), row.options))
        options[k.arg] = _option(name, k.arg, k.value)
    return row.build([read(v) for v in values[:count]], options)


def _option(name: str, key: str, value: ast.expr) -> Any:
    if isinstance(value, ast.Tuple) and key == "size" and len(value.elts) == 2:
        return tuple(_whole(name, key, v, 1) for v in value.elts)
    return _whole(name, key, value, {"padding": 0, "axis": 0}.get(key, 1), 1 if key == "axis" else LARGEST_INDEX)


def _whole(name: str, key: str, n: ast.expr, least: int, most: int = LARGEST_INDEX) -> int:
    if isinstance(n, ast.Constant) and type(n.value) is int and least <= n.value <= most:
        return n.value
    raise SpecError(f"{name}: {key} must be a whole number from {least}" + (f" to {most}" if most < LARGEST_INDEX else ""))


# ---------------------------------------------------------------- x[...]

def subscript(x: Expr, index: ast.expr) -> Expr:
    """x[0] of a vector is an entry, X[0] of a matrix a row; slices and lists of whole numbers, from 0."""
    if not x.shape:
        raise SpecError(f"{ex.text(x)} is a scalar: it has no entries")
    rows, columns = fixed(x)
    if isinstance(index, ast.Tuple):
        if len(index.elts) != 2:
            raise SpecError(f"{ex.text(x)} has rows and columns: write X[0, 1] or X[:, 1]")
        return part(x, _chosen(index.elts[0], rows), _chosen(index.elts[1], columns))
    return part(x, None, _chosen(index, columns)) if rows == 1 else part(x, _chosen(index, rows), None)


def _chosen(n: ast.expr, size: int) -> list[int] | None:
    if isinstance(n, ast.Slice):
        if n.step is not None:
            raise SpecError("a slice has no step here: write x[0:3]")
        if n.lower is None and n.upper is None:
            return None
        start, stop = (_place(b, size) if b is not None else d for b, d in ((n.lower, 0), (n.upper, size)))
        if not 0 <= start < stop <= size:
            raise SpecError(f"the slice {start}:{stop} takes nothing from {size} entries")
        return list(range(start, stop))
    if isinstance(n, ast.List) and n.elts:
        return [_place(x, size) for x in n.elts]
    return [_place(n, size)]


def _place(n: ast.expr, size: int) -> int:
    if isinstance(n, ast.UnaryOp) and isinstance(n.op, ast.USub) and isinstance(n.operand, ast.Constant):
        return size - _whole("an index", "it", n.operand, 1)
    return _whole("an index", "it", n, 0)
