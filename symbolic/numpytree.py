"""Our trees as NumPy code: names are arrays with rows and columns, a scalar is a single number.

>>> from .language.parse import parse
>>> y_hat, y = ex.sym("y_hat", (3, 1)), ex.sym("y", (3, 1))
>>> print(tree_code(parse("sum(y*log(y_hat))", {"y_hat": y_hat, "y": y})))
np.sum(y * np.log(y_hat))
>>> W, x, b = ex.sym("W", (3, 2)), ex.sym("X", (2, "n")), ex.sym("b", (3, 1))
>>> print(tree_code(W @ x + b @ ex.ones((1, "n"))))  # NumPy repeats the bias by itself
W @ X + b
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

from . import expr as ex
from .expr import Expr
from .functions import FUNCTIONS, VECTOR_FUNCTIONS, as_tree, slope_form
from .language.matrices import MATRIX_FUNCTIONS
from .language.rows import Row
from .language.takes import Slide, Take
from .language.tree import signed
from .numpycode import code, typed

SIGNS = {"mul": " * ", "div": " / ", "pow": " ** ", "matmul": " @ "}
REDUCED = {"sum": "np.sum", "most": "np.max", "least": "np.min"}
CHUNK = 50  # terms of one bracket: Python's own parser gives up on brackets nested a few hundred deep
Index = list[Any]


@dataclass
class Names:
    """What the code calls a value and a gradient; tables: the index tables that it reads, by name (None: written out in place).

    helpers: the functions that it calls by name, as arguments and body (None: every function written out in place).
    """

    value: Callable[[str], str] = str
    gradient: Callable[[str, str], str] = "d{}_d{}".format
    tables: dict[str, Index] | None = field(default=None)
    helpers: dict[str, tuple[tuple[str, ...], str]] | None = field(default=None)

    def helper(self, name: str, arguments: tuple[str, ...], body: str, given: list[str]) -> str:
        """The code for a function: a call by its name, or its body where it is no more than one call of NumPy."""
        if self.helpers is None or _short(body.format(*arguments)):
            return f"({body.format(*(f'({x})' for x in given))})"
        self.helpers[name] = arguments, body.format(*arguments)
        return f"{name}({', '.join(given)})"

    def table(self, word: str, cells: Index) -> str:
        """The code for a table of indices."""
        if self.tables is None:
            return f"np.array({cells})"
        found = next((name for name, known in self.tables.items() if known == cells), None)
        if found is None:
            found = f"{word}{len(self.tables) + 1}"
            self.tables[found] = cells
        return found


def tree_code(e: Expr, names: Names | None = None) -> str:
    """One line of NumPy for a tree of the forward pass or a gradient, without needless brackets.

    A repeated row or column is left to NumPy's own broadcasting where another part has the whole shape.
    Raises ValueError for what has no value on its own (an unnamed function, a running index).
    """
    return typed(_Writer(names or Names()).code(e))


class _Writer:
    """Writes one tree. loose: a row or column may stand for the matrix that it is repeated to."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def code(self, e: Expr, loose: bool = False) -> str:
        if e.op in ex.ENTRYWISE and e.args:
            return self.entrywise(e, loose)
        if (found := _repeated(e)) is not None:
            part, axis = found
            if loose:
                return self.code(part, True)
            return f"np.repeat({self.code(part)}, {e.shape[axis]}, axis={axis})"
        inner = [self.code(a) for a in e.args]
        match e.op:
            case "sym": return self.names.value(e.data)
            case "grad": return self.names.gradient(*e.data)
            case "num": return _number(e)
            case "ones": return "1" if loose else "np.ones(({}, {}))".format(*e.shape)
            case "eye": return f"np.eye({e.shape[0]})"
            case "T": return f"({inner[0]}).T"
            case "matmul": return self.product(e, inner)
            case "over": return self.vector(e)
            case "matrix": return f"({MATRIX_FUNCTIONS[e.data].numpy_code.replace('numpy.', 'np.').format(A=inner[0])})"
            case "onehot": return f"np.where({self.marked(e)}, 1.0, 0.0)"
            case "take": return self.taken(e.args[0], e.data)
            case "put": return self.put(e.args[0], e.data)
            case "concat": return f"np.concatenate([{', '.join(self.block(a) for a in e.args)}], axis={e.data})"
            case "slide": return self.slid(e.args, e.data)
            case op if op in REDUCED:
                return f"{REDUCED[op]}({inner[0]}" + ("" if e.data is None or not e.shape else f", axis={e.data}, keepdims=True") + ")"
        raise ValueError(f"no NumPy for {ex.text(e)}")

    # ------------------------------------------------------------ entry by entry

    def entrywise(self, e: Expr, loose: bool) -> str:
        shaped = [a for a in e.args if a.shape]
        if shaped and not loose and all(map(_narrow, shaped)):  # nothing in it has the whole shape
            rest = [a for a in e.args if a.op != "ones"]
            size = "({}, {})".format(*e.shape)
            if e.op == "mul" and not any(a.shape for a in rest):
                return f"np.full({size}, {self.code(ex.mul(*rest))})"
            return f"np.broadcast_to({self.entrywise(e, True)}, {size})"
        inner = [self.code(a, True) for a in e.args]
        match e.op:
            case "neg": return f"(-{inner[0]})"
            case "add": return _chunks([inner[0], *map(self.term, e.args[1:])], " + ")
            case "mul": return self.times(e)
            case "call": return self.applied(FUNCTIONS[e.data], None, inner)
            case "slope" if e.data[0] in FUNCTIONS: return self.applied(FUNCTIONS[e.data[0]], e.data[1], inner)
            case "pick": return self.picked(e, inner)
            case "cases":
                out = inner[-1]
                for k in reversed(range(len(e.data))):
                    out = f"np.where({inner[3 * k]} {e.data[k]} {inner[3 * k + 1]}, {inner[3 * k + 2]}, {out})"
                return out
            case op if op in SIGNS: return f"({SIGNS[op].join(inner)})"
        raise ValueError(f"no NumPy for {ex.text(e)}")

    def applied(self, row: Row, slope: int | None, inner: list[str]) -> str:
        """A function of the table, or its slope for the argument of that number, in its stable form."""
        arguments = row.names
        name = row.name if slope is None else f"{row.name}_slope" + (f"_{arguments[slope]}" if slope else "")
        return self.names.helper(name, arguments, _form(row, slope), inner)

    def term(self, e: Expr) -> str:
        """A later term of a sum, with its minus in front."""
        minus, rest = signed(e)
        return f"{'-' if minus else ''}{self.code(rest, True)}"

    def times(self, e: Expr) -> str:
        """A product: scalars first, so that few passes run over arrays; last a 0-1 factor as the comparison itself."""
        factors = sorted((a for a in e.args if a.op != "ones"), key=lambda a: (bool(a.shape), _is_mask(a)))
        typed_by = [a for a in factors if a.op != "num" and not _is_mask(a) and (a.shape or not e.shape)]  # True * 0.5 has no type of its own
        return _chunks([self.mask(a) if _is_mask(a) and typed_by else self.code(a, True) for a in factors], " * ")

    def mask(self, e: Expr) -> str:
        if e.op == "onehot":
            return f"({self.marked(e)})"
        return f"({self.code(e.args[0], True)} {e.data[0]} {self.code(e.args[1], True)})"

    def marked(self, e: Expr) -> str:
        """Where the first largest (or smallest) entry of each line stands."""
        (x,), (op, axis) = e.args, e.data
        best, inner = {"most": "np.argmax", "least": "np.argmin"}[op], self.code(x)
        if axis is None:
            return "np.arange({0} * {1}).reshape({0}, {1}) == {2}({3})".format(*x.shape, best, inner)
        if axis == 0:
            return f"np.arange({x.shape[0]}).reshape({x.shape[0]}, 1) == {best}({inner}, axis=0)"
        return f"np.arange({x.shape[1]}) == {best}({inner}, axis=1, keepdims=True)"

    # ------------------------------------------------------------ matrices and vectors

    def product(self, e: Expr, inner: list[str]) -> str:
        """A matrix product; times a column (or row) of ones it is a sum."""
        for k, axis in ((1, 1), (0, 0)):
            if e.args[k].op == "ones" and e.args[k].shape[axis] == 1:
                return f"np.sum({inner[1 - k]}" + (f", axis={axis}, keepdims=True" if e.shape else "") + ")"
        return f"({inner[0]} @ {inner[1]})" + ("" if e.shape else "[0, 0]")

    def vector(self, e: Expr) -> str:
        """A function of a whole vector in the stable form of its row."""
        (z,) = e.args
        inside = str(self.names.value(z.data)) if z.op == "sym" and z.shape else f"({self.block(z)})"
        form = VECTOR_FUNCTIONS[e.data[0]].numpy_code.replace("numpy.", "np.")
        if self.names.helpers is not None:
            return self.names.helper(e.data[0], ("z", "axis"), form.format(z="{0}", axis="{1}"), [inside, f"axis={e.data[1]}"]) + ("" if e.shape else "[0, 0]")
        return f"({form.format(z=inside, axis=e.data[1])})" + ("" if e.shape else "[0, 0]")

    def picked(self, e: Expr, inner: list[str]) -> str:
        """One output of a vector function of numbers: the same stable form, entry by entry."""
        name, k = e.data
        form = ast.parse(VECTOR_FUNCTIONS[name].numpy_code.replace("numpy.", "np.").format(z="_z", axis=0), mode="eval").body
        found = _spell(form, inner)
        return found[k] if isinstance(found, list) else found

    # ------------------------------------------------------------ moved entries

    def block(self, e: Expr, shape: tuple[Any, Any] = (1, 1)) -> str:
        """A value as a matrix of rows and columns; a number is repeated to the shape."""
        if e.shape:
            return self.code(e)
        return f"np.reshape({self.code(e)}, (1, 1))" if shape == (1, 1) else f"np.full({shape}, {self.code(e)})"

    def gathered(self, source: str, word: str, rows: Index) -> str:
        """The entries that a table names, 0 where it says -1."""
        table = self.names.table(word, rows)
        found = f"np.take({source}, {table})"
        return found if min(map(min, rows)) >= 0 else f"np.where({table} < 0, 0.0, {found})"

    def added(self, values: str, word: str, cells: Index, size: tuple[int, int]) -> str:
        """Every value added where its index says; what belongs to -1 is dropped."""
        whole = size[0] * size[1]
        if min(cells) >= 0:
            return f"np.bincount({self.names.table(word, cells)}, {values}, {whole}).reshape{size}"
        table = self.names.table(word, [c if c >= 0 else whole for c in cells])
        return f"np.bincount({table}, {values}, {whole + 1})[:-1].reshape{size}"

    def taken(self, x: Expr, move: Take) -> str:
        source = self.block(x, move.source)
        if move.shape == (1, 1):
            c = move.cells[0]
            return f"({source})[{c // move.source[1]}, {c % move.source[1]}]" if c >= 0 else "0.0"
        if move.cells == tuple(range(move.source[0] * move.source[1])):
            return f"np.reshape({source}, {move.shape})"
        if (span := _slices(move)) is not None:
            return f"({source})[{', '.join(':'.join(map(str, s if s[2] != 1 else s[:2])) for s in span)}]"
        return self.gathered(source, "take", _rows(list(move.cells), move.shape))

    def put(self, g: Expr, move: Take) -> str:
        values, size = self.block(g, move.shape), move.source
        if size == (1, 1):
            kept = [i for i, c in enumerate(move.cells) if c == 0]
            return f"np.sum({values})" if len(kept) == len(move.cells) else f"np.sum(np.take({values}, {self.names.table('kept', kept)}))"
        if move.cells == tuple(range(size[0] * size[1])):
            return f"np.reshape({values}, {size})"
        span = _slices(move)
        if span is not None and all(step == 1 for _, _, step in span):
            before, after = zip(*((low, d - high) for (low, high, _), d in zip(span, size, strict=True)), strict=True)
            return f"np.pad({values}, (({before[0]}, {after[0]}), ({before[1]}, {after[1]})))"
        if max(map(move.cells.count, set(move.cells) - {-1}), default=1) == 1:  # every entry has one place: read it from there
            came = {c: i for i, c in enumerate(move.cells)}
            return self.gathered(values, "put", _rows([came.get(c, -1) for c in range(size[0] * size[1])], size))
        return self.added(f"np.ravel({values})", "put", list(move.cells), size)

    def slid(self, args: tuple[Expr, ...], how: Slide) -> str:
        """A kernel on an image as one matrix product: a row for each place of the kernel, a column for each of its entries."""
        (_, v), (kh, kw), (zh, zw) = how.shapes
        cells = [[-1] * (kh * kw) for _ in range(zh * zw)]
        for at in how.triples():
            (r, c), (p, q), (i, j) = at["x"], at["w"], at["z"]
            cells[i * zw + j][p * kw + q] = r * v + c
        part = {role: self.block(a, how.shape(role)) for role, a in zip(how.takes, args, strict=True)}
        if how.gives == "x":
            found = self.added(f"np.ravel(np.outer({part['z']}, {part['w']}))", "slide", [c for row in cells for c in row], how.shape("x"))
        else:
            windows = self.gathered(part["x"], "slide", cells)
            other, turn, count = ("w", "", kh * kw) if how.gives == "z" else ("z", ".T", zh * zw)
            found = f"np.reshape(({windows}){turn} @ np.reshape({part[other]}, ({count}, 1)), {how.shape(how.gives)})"
        return f"({found})" + ("[0, 0]" if how.shape(how.gives) == (1, 1) else "")


# ---------------------------------------------------------------- pieces

def _repeated(e: Expr) -> tuple[Expr, int] | None:
    """A column times a row of ones (or ones times a row): what is repeated, and along which axis."""
    if e.op != "matmul" or not e.shape:
        return None
    left, right = e.args
    if right.op == "ones" and left.shape[1] == 1:
        return left, 1
    return (right, 0) if left.op == "ones" and right.shape[0] == 1 else None


def _narrow(e: Expr) -> bool:
    """Whether the loose code of a tree may be smaller than its shape."""
    if e.op in ex.ENTRYWISE:
        return all(_narrow(a) for a in e.args if a.shape)
    return e.op == "ones" or _repeated(e) is not None


def _is_mask(e: Expr) -> bool:
    """Whether a factor is 1 or 0 by a comparison."""
    return e.op == "onehot" or e.op == "cases" and len(e.data) == 1 and e.args[2] == ex.ONE and e.args[3] == ex.ZERO


def _chunks(parts: list[str], sign: str) -> str:
    """Many terms in one bracket, in brackets of a bounded number of them."""
    if len(parts) <= CHUNK:
        return f"({sign.join(parts)})".replace("+ -", "- ")
    return _chunks([_chunks(parts[k:k + CHUNK], sign) for k in range(0, len(parts), CHUNK)], sign)


def _number(e: Expr) -> str:
    if isinstance(e.data, Fraction):
        return str(e.data) if e.data.denominator == 1 else f"({e.data})"
    return f"({code(e.data)})"


@cache
def _form(row: Row, slope: int | None) -> str:
    """The stable NumPy form of a row's value or slope, with {0}, {1} for its arguments."""
    marks = [f"{{{k}}}" for k in range(len(row.names))]
    if form := row.stated(slope):
        return form.replace("numpy.", "np.").format(**dict(zip(row.names, marks, strict=True)))
    stable = row.stable[0 if slope is None else slope + 1]
    tree = as_tree(stable if stable else row.formula) if slope is None or stable else slope_form(row.name, slope)
    known = {n: f"ARG{k}" for k, n in enumerate(row.names)}
    known["a"] = f"({_form(row, None)})".format(*known.values()) if slope is not None else "a"
    written = tree_code(tree, Names(known.__getitem__))
    for k, mark in enumerate(marks):
        written = written.replace(f"ARG{k}", mark)
    return written


def _short(body: str) -> bool:
    """Whether a body is a name, a number, or one call with nothing to work out in it."""
    code = ast.parse(body, mode="eval").body
    while isinstance(code, ast.Call) and len(code.args) == 1 and isinstance(code.args[0], ast.UnaryOp):
        code = code.args[0].operand
    plain = (ast.Name, ast.Constant, ast.Attribute)
    return isinstance(code, plain) or isinstance(code, ast.Call) and all(isinstance(a, plain) for a in code.args)


def _rows(cells: Index, shape: tuple[int, int]) -> Index:
    return [cells[i * shape[1]:(i + 1) * shape[1]] for i in range(shape[0])]


def _slices(move: Take) -> list[tuple[int, int, int]] | None:
    """A table as a slice of rows and one of columns (start, stop, step), where it is one."""
    (rows, columns), width, cells = move.shape, move.source[1], move.cells
    if min(cells) < 0:
        return None
    r, c = divmod(cells[0], width)
    down = cells[columns] // width - r if rows > 1 else 1
    right = cells[1] - cells[0] if columns > 1 else 1
    last = c + (columns - 1) * right
    if down < 1 or right < 1 or last >= width or cells != tuple((r + i * down) * width + c + j * right for i in range(rows) for j in range(columns)):
        return None
    return [(r, r + (rows - 1) * down + 1, down), (c, last + 1, right)]


def _spell(form: ast.expr, entries: list[str]) -> str | list[str]:
    """The NumPy form of a function of the vector _z, entry by entry: a list for a vector, text for a number."""
    match form:
        case ast.Name("_z"): return [f"({x})" for x in entries]
        case ast.Call(ast.Attribute(inner, "max" | "min" | "sum" as fold), []):
            found = _spell(inner, entries)
            xs = found if isinstance(found, list) else [found]
            if fold == "sum":
                return _chunks(xs, " + ")
            out = xs[0]
            for x in xs[1:]:
                out = f"np.{fold}imum({out}, {x})"
            return out
        case ast.Call(function, arguments):
            parts, write = [_spell(a, entries) for a in arguments], lambda *xs: f"{ast.unparse(function)}({', '.join(xs)})"
        case ast.BinOp(left, sign, right):
            parts = [_spell(left, entries), _spell(right, entries)]
            symbol = ast.unparse(ast.BinOp(ast.Name("a"), sign, ast.Name("b")))[1:-1]
            write = lambda *xs: f"({symbol.join(xs)})"
        case ast.UnaryOp(ast.USub(), inner):
            parts, write = [_spell(inner, entries)], lambda *xs: f"(-{xs[0]})"
        case ast.Constant(): return ast.unparse(form)
        case _: raise ValueError(f"no scalar form of {ast.unparse(form)}")
    if not any(isinstance(p, list) for p in parts):
        return write(*parts)
    return [write(*(p[k] if isinstance(p, list) else p for p in parts)) for k in range(len(entries))]
