"""Constant maps of indices: slices, windows, look-ups, blocks side by side, and a kernel that slides.

``take`` copies entries by a fixed map and ``put`` sends them back and adds (its adjoint); ``concat`` sets
blocks beside each other; ``slide`` is the sum over g_ij w_pq x_(si+p-pad, sj+q-pad) in which any one of the
three stands open: convolution and both of its gradients are the same node.

>>> from ..expr import sym
>>> text(part(sym("X", (2, 3)), None, [2])), convolve(sym("X", (4, 4)), sym("K", (2, 2)), 2, 0).shape
('X[:,2]', (2, 2))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from ..errors import SpecError
from ..expr import Expr, Shape, show_shape
from .scalars import Matrix
from .tree import text

Full = tuple[int, int]
LARGEST_PADDING = 50
MOVES = frozenset({"take", "put", "concat", "slide"})  # nodes whose sizes are fixed numbers


def fixed(e: Expr) -> Full:
    """The rows and columns of a value, as numbers. Raises SpecError for a size that is a letter."""
    if any(isinstance(d, str) for d in e.shape):
        raise SpecError(f"{text(e)} is {show_shape(e.shape)}; indices need sizes that are numbers")
    return (int(e.shape[0]), int(e.shape[1])) if e.shape else (1, 1)


def _scalar_if_single(shape: Full) -> Shape:
    return () if shape == (1, 1) else shape


# ---------------------------------------------------------------- take and put

@dataclass(frozen=True)
class Take:
    """Where each entry comes from: positions in the source, row by row, -1 for a zero of the padding.

    word: how it is printed ('' for an index); label: the printed index, counted from 1; window: size, step and
    padding, and across: how many places there are, of windows.
    """

    word: str
    label: str
    source: Full
    shape: Full
    cells: tuple[int, ...]
    window: tuple[Full, int, int] = ((1, 1), 1, 0)
    across: Full = (1, 1)


def take(x: Expr, move: Take) -> Expr:
    """The entries that a map takes from a value."""
    if move.word == "reshape" and move.source == move.shape:
        return x
    return Expr("take", (x,), move, _scalar_if_single(move.shape))


def put(g: Expr, move: Take) -> Expr:
    """The adjoint of ``take``: every entry goes back to where it was taken from, and they add up."""
    return Expr("put", (g,), move, _scalar_if_single(move.source))


def part(x: Expr, rows: Sequence[int] | None, columns: Sequence[int] | None) -> Expr:
    """Matrix and columns of a value by their indices from 0, in that order; None for all of them.

    Raises SpecError for an index that is out of range.
    """
    source = fixed(x)
    chosen = []
    for wanted, size, word in ((rows, source[0], "row"), (columns, source[1], "column")):
        for k in wanted or ():
            if not 0 <= k < size:
                raise SpecError(f"{word} {k} of {text(x)}, which has {word}s 0 to {size - 1}")
        chosen.append(list(range(size)) if wanted is None else list(wanted))
    labels = [":" if w is None else _listed(w) for w in (rows, columns)]
    label = labels[0] if source[1] == 1 else labels[1] if source[0] == 1 else ",".join(labels)
    cells = tuple(i * source[1] + j for i in chosen[0] for j in chosen[1])
    return take(x, Take("", label, source, (len(chosen[0]), len(chosen[1])), cells))


def _listed(wanted: Sequence[int]) -> str:
    """Indices as they are printed, from 1: 2, 1:3 or (4,2)."""
    if len(wanted) == 1:
        return str(wanted[0] + 1)
    if list(wanted) == list(range(wanted[0], wanted[-1] + 1)):
        return f"{wanted[0] + 1}:{wanted[-1] + 1}"
    return "({})".format(",".join(str(k + 1) for k in wanted))


def reshape(x: Expr, shape: Full, word: str = "reshape") -> Expr:
    """The same entries, row by row, in another shape. Raises SpecError when their number differs."""
    source = fixed(x)
    if source[0] * source[1] != shape[0] * shape[1]:
        raise SpecError(f"{text(x)} is {show_shape(source)}: its {source[0] * source[1]} entries do not fill {show_shape(shape)}")
    return take(x, Take(word, "", source, shape, tuple(range(source[0] * source[1]))))


def windows(x: Expr, size: Full, stride: int, padding: int = 0) -> Expr:
    """One column a window of a matrix, top left to bottom right; its entries row by row (im2col)."""
    source = fixed(x)
    down, across = reach(source, size, stride, padding, text(x))
    cells = [_cell(source, stride * i + p - padding, stride * j + q - padding)
             for p, q in product(range(size[0]), range(size[1])) for i, j in product(range(down), range(across))]
    return take(x, Take("windows", "", source, (size[0] * size[1], down * across), tuple(cells), (size, stride, padding), (down, across)))


def reach(source: Full, size: Full, stride: int, padding: int, name: str) -> Full:
    """How many windows fit down and across. Raises SpecError when none does."""
    if padding > LARGEST_PADDING:
        raise SpecError(f"padding {padding:,}; at most {LARGEST_PADDING} zeros are put around {name}")
    pads = tuple(padding if d > 1 else 0 for d in source)  # a row of numbers is padded left and right only
    out = tuple((d + 2 * p - k) // stride + 1 for d, p, k in zip(source, pads, size, strict=True))
    if min(out) < 1 or min(size) < 1:
        raise SpecError(f"a window of {show_shape(size)} does not fit into {name}, which is {show_shape(source)}")
    return out[0], out[1]


def _cell(source: Full, i: int, j: int) -> int:
    return i * source[1] + j if 0 <= i < source[0] and 0 <= j < source[1] else -1


def concat(parts: Sequence[Expr], axis: int) -> Expr:
    """Blocks below each other (axis 0) or side by side (axis 1). Raises SpecError when they do not fit."""
    sizes = [fixed(p) for p in parts]
    other = 1 - axis
    for p, size in zip(parts[1:], sizes[1:], strict=True):
        if size[other] != sizes[0][other]:
            raise SpecError(f"{text(parts[0])} is {show_shape(sizes[0])} and {text(p)} is {show_shape(size)}: they cannot be joined along axis {axis}")
    joined = [0, 0]
    joined[axis], joined[other] = sum(s[axis] for s in sizes), sizes[0][other]
    return parts[0] if len(parts) == 1 else Expr("concat", tuple(parts), axis, (joined[0], joined[1]))


def block(e: Expr, g: Expr, k: int) -> Expr:
    """The part of a gradient that belongs to block k of a ``concat``."""
    axis = e.data
    start = sum(fixed(p)[axis] for p in e.args[:k])
    span = range(start, start + fixed(e.args[k])[axis])
    return part(g, span, None) if axis == 0 else part(g, None, span)


# ---------------------------------------------------------------- a sliding kernel

ROLES = ("x", "w", "z")  # image, kernel, what comes out


@dataclass(frozen=True)
class Slide:
    """A kernel that slides over an image: step, padding, the three shapes, and which of them the node gives."""

    stride: int
    padding: int
    shapes: tuple[Full, Full, Full]
    gives: str = "z"

    @property
    def pads(self) -> Full:
        """The padding above and to the left; a single row is padded to the left only."""
        (rows, columns), *_ = self.shapes
        return (self.padding if rows > 1 else 0), (self.padding if columns > 1 else 0)

    def shape(self, role: str) -> Full:
        return self.shapes[ROLES.index(role)]

    @property
    def takes(self) -> tuple[str, str]:
        """The roles of the two arguments, in order."""
        first, second = (r for r in ROLES if r != self.gives)
        return first, second

    def triples(self) -> Iterator[dict[str, tuple[int, int]]]:
        """All positions (x, w, z) that meet, row by row."""
        (h, v), (kh, kw), (zh, zw) = self.shapes
        for i, j, p, q in product(range(zh), range(zw), range(kh), range(kw)):
            r, c = self.stride * i + p - self.pads[0], self.stride * j + q - self.pads[1]
            if 0 <= r < h and 0 <= c < v:
                yield {"x": (r, c), "w": (p, q), "z": (i, j)}


def convolve(x: Expr, w: Expr, stride: int, padding: int) -> Expr:
    """The kernel w slid over x (a cross-correlation, as deep learning says convolution).

    Raises SpecError when the kernel does not fit.
    """
    image, kernel = fixed(x), fixed(w)
    return slide((x, w), Slide(stride, padding, (image, kernel, reach(image, kernel, stride, padding, text(x)))))


def slide(args: tuple[Expr, Expr], how: Slide) -> Expr:
    """The node that gives one of image, kernel and output from the other two."""
    return Expr("slide", args, how, _scalar_if_single(how.shape(how.gives)))


def slide_back(e: Expr, g: Expr, k: int) -> Expr:
    """The gradient of one argument: the same sum with that argument open and the gradient in its place."""
    how: Slide = e.data
    known = {how.takes[1 - k]: e.args[1 - k], how.gives: g}
    turned = replace(how, gives=how.takes[k])
    first, second = turned.takes
    return slide((known[first], known[second]), turned)


# ---------------------------------------------------------------- entry by entry

def moved(e: Expr, parts: list[Matrix], zero: Any, add: Callable[[list[Any]], Any], dot: Callable[[list[Any], list[Any]], Any]) -> Matrix:
    """The entries of a node of this room, given those of its arguments; zero, add and dot are those of the arithmetic."""
    if e.op == "concat":
        return [row for p in parts for row in p] if e.data == 0 else [[v for line in lines for v in line] for lines in zip(*parts, strict=True)]
    flat = [v for row in parts[0] for v in row]
    if e.op == "take":
        return _rows([flat[c] if c >= 0 else zero for c in e.data.cells], e.data.shape)
    if e.op == "put":
        back: Matrix = [[] for _ in range(e.data.source[0] * e.data.source[1])]
        for value, c in zip(flat if len(flat) > 1 else flat * len(e.data.cells), e.data.cells, strict=True):
            if c >= 0:
                back[c].append(value)
        return _rows([add(vs) if vs else zero for vs in back], e.data.source)
    return _slid(e.data, parts, zero, dot)


def _slid(how: Slide, parts: list[Matrix], zero: Any, dot: Callable[[list[Any], list[Any]], Any]) -> Matrix:
    shape = how.shape(how.gives)
    found: dict[tuple[int, int], tuple[list[Any], list[Any]]] = {at: ([], []) for at in product(range(shape[0]), range(shape[1]))}
    for at in how.triples():
        for xs, p, role in zip(found[at[how.gives]], parts, how.takes, strict=True):
            i, j = at[role]
            xs.append(p[i][j] if len(p) * len(p[0]) > 1 else p[0][0])
    return _rows([dot(*pair) if pair[0] else zero for pair in found.values()], shape)


def _rows(flat: list[Any], shape: Full) -> Matrix:
    return [flat[i * shape[1]:(i + 1) * shape[1]] for i in range(shape[0])]
