r"""The index level: one typical entry of an expression, written out with its running indices.

>>> from .expr import sym, grad
>>> W, d = sym("W", (3, 2)), grad("L", "z", (3, 1))
>>> entry(W.T @ d, "i", None)
<sum_j W[j,i]*(dL/dz)[j]>
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from . import expr as ex
from .expr import Expr
from .functions import VECTOR_FUNCTIONS
from .language.arithmetic import Arithmetic, Env, entries
from .language.places import Listed, Reading, Shifted, at_kept, letters_of, position, reading, row_by_row
from .language.takes import MOVES, ROLES

UNITS, EXAMPLES = "jiklpqrstuv", "mnuvw"
LETTERS = {"z": "ij", "w": "pq", "x": "kl"}  # rows and columns of what a kernel gives, of the kernel, of the image


def entry(e: Expr, i: str | None, j: str | None, taken: frozenset[str] = frozenset()) -> Expr:
    """The entry (i, j) of a tree; None stands for a dimension of size 1. Bound indices are fresh letters."""
    taken = taken | {x for x in (i, j) if x}
    if not e.shape and (e.op in ex.LEAVES or e.op == "over"):
        return e
    if e.op == "matrix" and not e.shape:
        return _whole(e, taken)
    if not e.shape and e.op in MOVES:
        return Expr("entry", (e,), ())
    if e.op == "slide":
        return _slid(e, i, j, taken)
    if e.op == "take":
        return _taken(e, i, j, taken)
    if e.op == "put":
        return _put(e, i, j, taken)
    if e.op == "onehot" and e.data[1] is not None:
        return _marked(e, i, j, taken)
    if e.op in ("sym", "grad", "over", "onehot", "eye", "matrix", *MOVES):
        kept = tuple(x for x, d in zip((i, j), e.shape, strict=True) if d != 1)
        return Expr("entry", (e,), kept)
    if e.op == "ones":
        return ex.ONE
    if e.op in ex.ENTRYWISE:
        parts = [entry(a, i if a.shape else None, j if a.shape else None, taken) for a in e.args]
        return _entrywise(e, parts)
    if e.op == "T":
        return entry(e.args[0], j, i, taken)
    if e.op == "matmul":
        return _product(e, i, j, taken)
    return _reduced(e, i, j, taken)


def _whole(e: Expr, taken: frozenset[str]) -> Expr:
    """A number made of a whole matrix: trace and norms as sums over its entries; a determinant stays as it is."""
    (x,) = e.args
    i = fresh(x.shape[0], taken)
    if e.data == "trace":
        return _sum(entry(x, i, i, taken), ((i, x.shape[0]),))
    if e.data not in ("norm", "squared_norm"):
        return e
    j = fresh(x.shape[1], taken | {i})
    over = tuple((letter, d) for letter, d in ((i, x.shape[0]), (j, x.shape[1])) if d != 1)
    cell = entry(x, i if x.shape[0] != 1 else None, j if x.shape[1] != 1 else None, taken)
    squares = Expr("bigsum", (ex.node("pow", (cell, ex.num(2))),), over)
    return squares if e.data == "squared_norm" else ex.node("call", (squares,), "sqrt")


def _entrywise(e: Expr, parts: list[Expr]) -> Expr:
    if e.op == "mul":
        sums = [p for p in parts if p.op == "bigsum"]
        rest = [p for p in parts if p.op != "bigsum" and p != ex.ONE]
        flat = [*rest, *sums]
        return flat[0] if len(flat) == 1 else Expr("mul", tuple(flat), None, (), e.role) if flat else ex.ONE
    return Expr(e.op, tuple(parts), e.data, (), e.role)


def fresh(size: ex.Dim, taken: frozenset[str]) -> str:
    """The first running index that is still free."""
    letters = EXAMPLES if ex.is_samples(size) else UNITS
    return next((c for c in letters if c not in taken), f"k_{{{len(taken)}}}")


def _product(e: Expr, i: str | None, j: str | None, taken: frozenset[str]) -> Expr:
    left, right = e.args
    size = left.shape[1]
    if size == 1:
        return _times(entry(left, i, None, taken), entry(right, None, j, taken))
    k = fresh(size, taken)
    inner = taken | {k}
    return _sum(_times(entry(left, i, k, inner), entry(right, k, j, inner)), ((k, size),))


def _times(a: Expr, b: Expr) -> Expr:
    parts = [p for x in (a, b) for p in (x.args if x.op == "mul" else (x,)) if p != ex.ONE]
    return parts[0] if len(parts) == 1 else Expr("mul", tuple(parts)) if parts else ex.ONE


def _sum(body: Expr, over: tuple[tuple[str, ex.Dim], ...]) -> Expr:
    if body.op == "bigsum":
        return Expr("bigsum", body.args, (*over, *body.data))
    return Expr("bigsum", (body,), over)


def _taken(e: Expr, i: str | None, j: str | None, taken: frozenset[str]) -> Expr:
    """An entry of a slice or of a reshaped value: the entry of the whole, at a computed place."""
    (x,), move = e.args, e.data
    if move.word == "windows" or move.word and 1 not in move.source:
        return Expr("entry", (e,), tuple(k for k in (i, j) if k))
    if move.word:
        return entry(x, *at_kept(row_by_row(move.shape, i, j), move.source), taken)
    letters = iter((i, j))

    def given(size: ex.Dim, _: str) -> str | None:
        k = next(letters)
        return k if size != 1 else None

    how = reading(move, given)
    assert how is not None
    return entry(x, *how.of, taken)


def spelled(name: Expr, rhs: Expr, letters: tuple[str, str]) -> tuple[Expr, Expr, Reading] | None:
    """An equation that only moves entries, z[2i+j-2] = x[i,j]; None where its left side has plain indices. letters: those of the value moved."""
    if rhs.op != "take" or not rhs.data.word or 1 in rhs.data.source:
        return None
    used: set[str] = set()
    plain = iter(letters)

    def letter(size: ex.Dim, usual: str) -> str | None:
        x = _usual(usual or next(plain), size, frozenset(used))
        used.update({x} if x else ())
        return x

    how = reading(rhs.data, letter)
    if how is None:
        return None
    return entry(name, *how.at), entry(rhs.args[0], *how.of), how


def _put(e: Expr, i: str | None, j: str | None, taken: frozenset[str]) -> Expr:
    """An entry of what was sent back: the sum over all that came from there, marked by an indicator."""
    (g,), move = e.args, e.data
    used = set(taken)

    def letter(size: ex.Dim, usual: str) -> str | None:
        x = _usual(usual, size, frozenset(used))
        used.update({x} if x else ())
        return x

    how = reading(move, letter)
    if how is None:
        return Expr("entry", (e,), tuple(x for x in (i, j) if x))
    same = [(a, b) for a, b in zip(how.of, (i, j), strict=True) if b is not None]
    named = {a: b for a, b in same if a in dict(how.over)}  # a plain letter is the index asked for
    marks = [Expr("same", (), (b, a) if isinstance(a, Shifted) and not a.terms else (a, b)) for a, b in same if a not in named]
    over = tuple((x, d) for x, d in how.over if x not in named)
    row, column = (_renamed(x, named) if x else None for x in how.at)
    body = entry(g, row, column, frozenset(used)) if g.shape else entry(g, None, None, frozenset(used))
    for mark in marks:
        body = _times(body, mark)
    return _sum(body, over) if over else body


def _renamed(index: str, names: dict[str, str]) -> str:
    """A computed index in other letters."""
    if isinstance(index, Listed):
        return Listed.of(index.places, _renamed(index.letter, names))
    if isinstance(index, Shifted):
        return Shifted.of(tuple((names.get(x, x), c) for x, c in index.terms), index.start)
    return names.get(index, index)


def _marked(e: Expr, i: str | None, j: str | None, taken: frozenset[str]) -> Expr:
    """An entry of the mark at the largest (smallest): 1 where the index is the first best one."""
    (x,), (op, axis) = e.args, e.data
    own = j if axis else i
    if own is None:
        return ex.ONE
    k = fresh(x.shape[axis], taken)
    return Expr("first", (entry(x, i if axis else k, k if axis else j, taken | {k}),), (op, k, x.shape[axis], own))


def _slid(e: Expr, i: str | None, j: str | None, taken: frozenset[str]) -> Expr:
    """An entry of a convolution or of one of its gradients: the sum over all places that meet in it."""
    how = e.data
    over_role = "w" if how.gives == "z" else "z"
    over, at, letters = [], {how.gives: (i, j)}, []
    for axis, size in enumerate(how.shape(over_role)):
        only = how.gives == "x" and how.shape("x")[axis] > 1 == how.shape("w")[axis]  # a kernel one entry wide meets each place once
        if only and how.stride > 1:
            return Expr("entry", (e,), tuple(x for x in (i, j) if x))
        letter = Shifted.of(((at["x"][axis], 1),), how.pads[axis]) if only else _usual(LETTERS[over_role][axis], size, taken)
        taken = taken | {letter} if letter else taken
        letters.append(letter)
        over += [(letter, size)] if letter and not only else []
    at[over_role] = (letters[0], letters[1])
    at.update(_third(how, at))
    parts = []
    for x, role in zip(e.args, how.takes, strict=True):
        p, q = (k if d != 1 else None for k, d in zip(at[role], how.shape(role), strict=True))
        parts.append(entry(x, p, q, taken))
    body = _times(parts[0], parts[1])
    return _sum(body, tuple(over)) if over else body


def _usual(letter: str, size: ex.Dim, taken: frozenset[str]) -> str | None:
    """The letter that is usual at this place, or one that is free; None for the size 1."""
    return None if size == 1 else letter if letter and letter not in taken else fresh(size, taken)


def _third(how: Any, at: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    """The index of the role that is not yet placed, from x = stride * z + w - padding."""
    missing = next(r for r in ROLES if r not in at)
    out = []
    for axis in (0, 1):
        pad = how.pads[axis]
        if missing == "x":
            out.append(Shifted.of(((at["z"][axis], how.stride), (at["w"][axis], 1)), -pad))
        else:
            out.append(Shifted.of(((at["x"][axis], 1), (at["z"][axis], -how.stride)), pad))
    return {missing: (out[0], out[1])}


def _reduced(e: Expr, i: str | None, j: str | None, taken: frozenset[str]) -> Expr:
    (inner,) = e.args
    rows, columns = inner.shape
    over = []
    if e.data in (None, 0):
        both = e.data is None and 1 not in inner.shape and not any(map(ex.is_samples, inner.shape))
        i = _usual("i" if both else "", rows, taken)  # the rows of an image are counted by i, as everywhere
        over += [(i, rows)] if i else []
        taken = taken | {x for x in (i,) if x}
    if e.data in (None, 1):
        j = fresh(columns, taken) if columns != 1 else None
        over += [(j, columns)] if j else []
        taken = taken | {x for x in (j,) if x}
    body = entry(inner, i, j, taken)
    if e.op == "sum":
        return _sum(body, tuple(over)) if over else body
    return Expr("best", (body,), (e.op, tuple(over)))


def chain(of: str, term_entry: Expr, through: str, wrt: str, free: tuple[str, ...]) -> Expr | None:
    """The line dL/dv_pq = sum dL/du_ij * du_ij/dv_pq that stands behind an entry of a term.

    None where the upstream gradient does not occur exactly once, so that no single sum says it.
    """
    body, over = (term_entry.args[0], term_entry.data) if term_entry.op == "bigsum" else (term_entry, ())
    leaves = [x for x in ex.walk(body) if _upstream(x) == (of, through)]
    if len(leaves) != 1 or any(x.op == "bigsum" for x in ex.walk(body)):
        return None
    at = leaves[0].data if leaves[0].op == "entry" else ()
    reached = {x for k in at for x in letters_of(k)}
    over = tuple((letter, size) for letter, size in over if letter in reached)  # one term for every entry of u, not of what is in it
    line = Expr("mul", (leaves[0], Expr("local", (), ((through, at), (wrt, free)))))
    return _sum(line, over) if over else line


def vector_chain(of: str, through: Expr, call: Expr, wrt: Expr, free: tuple[str | None, str | None]) -> tuple[Expr, Expr]:
    """For u = f(v), a function of a whole vector: dL/dv_j as the sum of dL/du_i * du_i/dv_j, named and with the entry of the Jacobian put in.

    call: the function applied to v; free: the running indices of v.
    """
    name, axis = call.data
    row, taken = VECTOR_FUNCTIONS[name], frozenset(x for x in free if x)
    j = free[axis]
    assert j is not None
    i = None if row.reduces else fresh(wrt.shape[axis], taken)

    def place(letter: str | None) -> tuple[str, ...]:
        both = (letter, free[1]) if axis == 0 else (free[0], letter)
        return tuple(x for x in both if x)

    def at(e: Expr, letter: str) -> Expr:
        return Expr("entry", (e,), place(letter))

    g = Expr("grad", (), (of, through.data), through.shape)
    upstream = Expr("entry", (g,), place(i)) if through.shape else g
    factors = Expr("local", (), ((through.data, place(i)), (wrt.data, place(j)))), row.jacobian(wrt, through, axis, i or j, j, at)
    lines = [_times(upstream, f) for f in factors]
    return (lines[0], lines[1]) if i is None else (_sum(lines[0], ((i, wrt.shape[axis]),)), _sum(lines[1], ((i, wrt.shape[axis]),)))


def _upstream(e: Expr) -> Any:
    if e.op == "entry" and e.args[0].op == "grad":
        return e.args[0].data
    return e.data if e.op == "grad" and not e.shape else None


def at_index(e: Expr, env: Env, where: dict[str, int], arithmetic: Arithmetic) -> Any:
    """The value of an index expression with every free letter given."""
    if e.op == "entry":
        matrix = entries(e.args[0], env, arithmetic)
        letters = iter(e.data)
        i, j = (position(next(letters), where) if d != 1 else 0 for d in e.args[0].shape or (1, 1))
        inside = 0 <= i < len(matrix) and 0 <= j < len(matrix[0])
        return matrix[i][j] if inside else arithmetic.number(Fraction(0))  # around an image stand zeros
    if e.op == "local":
        return env[e.data](where)
    if e.op in ("bigsum", "best"):
        over = e.data if e.op == "bigsum" else e.data[1]
        found = [at_index(e.args[0], env, w, arithmetic) for w in _positions(over, where)]
        return arithmetic.add(found) if e.op == "bigsum" else arithmetic.largest(found, 1 if e.data[0] == "most" else -1)
    if e.op in ("sym", "grad"):
        return env[e.data][0][0]
    if e.op == "matrix":
        return entries(e, env, arithmetic)[0][0]
    if e.op == "num":
        return arithmetic.number(e.data)
    if e.op == "same":
        return arithmetic.number(Fraction(position(e.data[0], where) == position(e.data[1], where)))
    if e.op == "first":
        op, k, size, own = e.data
        values = [at_index(e.args[0], env, {**where, k: p}, arithmetic) for p in range(int(size))]
        return arithmetic.number(Fraction(values.index(arithmetic.largest(values, 1 if op == "most" else -1)) == where[own]))
    if e.op == "over":
        return entries(e, env, arithmetic)[0][0]
    xs = [at_index(x, env, where, arithmetic) for x in e.args]
    if e.op == "cases":
        names = tuple(ex.sym(f"_{k}") for k in range(len(xs)))
        return arithmetic.cases(Expr("cases", names, e.data), {f"_{k}": x for k, x in enumerate(xs)})
    return arithmetic.combine(e, xs, env)


def _positions(over: tuple[tuple[str, ex.Dim], ...], where: dict[str, int]) -> list[dict[str, int]]:
    out = [where]
    for letter, size in over:
        out = [{**w, letter: k} for w in out for k in range(int(size))]
    return out
