r"""The index level: one typical entry of an expression, written out with its running indices.

>>> from .expr import sym, grad
>>> W, d = sym("W", (3, 2)), grad("L", "z", (3, 1))
>>> entry(W.T @ d, "i", None)
<sum_j W[j,i]*(dL/dz)[j]>
"""

from __future__ import annotations

from typing import Any

from . import expr as ex
from .arithmetic import Arithmetic, Env, entries
from .expr import Expr

UNITS, EXAMPLES = "jiklpqrstuv", "mnuvw"


def entry(e: Expr, i: str | None, j: str | None, taken: frozenset[str] = frozenset()) -> Expr:
    """The entry (i, j) of a tree; None stands for a dimension of size 1. Bound indices are fresh letters."""
    taken = taken | {x for x in (i, j) if x}
    if not e.shape and e.op in ex.LEAVES:
        return e
    if e.op in ("sym", "grad", "over", "onehot"):
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


def _reduced(e: Expr, i: str | None, j: str | None, taken: frozenset[str]) -> Expr:
    (inner,) = e.args
    rows, columns = inner.shape
    over = []
    if e.data in (None, 0):
        i = fresh(rows, taken) if rows != 1 else None
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
    over = tuple((letter, size) for letter, size in over if letter in at)  # one term for every entry of u, not of what is in it
    line = Expr("mul", (leaves[0], Expr("local", (), ((through, at), (wrt, free)))))
    return _sum(line, over) if over else line


def _upstream(e: Expr) -> Any:
    if e.op == "entry" and e.args[0].op == "grad":
        return e.args[0].data
    return e.data if e.op == "grad" and not e.shape else None


def at_index(e: Expr, env: Env, where: dict[str, int], arithmetic: Arithmetic) -> Any:
    """The value of an index expression with every free letter given."""
    if e.op == "entry":
        matrix = entries(e.args[0], env, arithmetic)
        letters = iter(e.data)
        i, j = (where[next(letters)] if d != 1 else 0 for d in e.args[0].shape)
        return matrix[i][j]
    if e.op == "local":
        return env[e.data](where)
    if e.op in ("bigsum", "best"):
        over = e.data if e.op == "bigsum" else e.data[1]
        found = [at_index(e.args[0], env, w, arithmetic) for w in _positions(over, where)]
        return arithmetic.add(found) if e.op == "bigsum" else arithmetic.largest(found, 1 if e.data[0] == "most" else -1)
    if e.op in ("sym", "grad"):
        return env[e.data][0][0]
    if e.op == "num":
        return arithmetic.number(e.data)
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
