"""The part of a file that is needed, with our inputs in place of its own; every line keeps its number.

Nothing inside a function that is called changes. What is left out stands as empty lines, so that the line of a
failure is the line in the student's file.

>>> tree = ast.parse("import os\\nk = 2\\nprint(k)\\ndef f(x):\\n    return k*x\\n")
>>> print(kept("import os\\nk = 2\\nprint(k)\\ndef f(x):\\n    return k*x\\n", tree, ["f"]).text, end="")
<BLANKLINE>
k = 2
<BLANKLINE>
def f(x):
    return k*x
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

GIVEN = "given__"  # the dictionary of our inputs in the student's module
Loop = ast.For | ast.While


@dataclass(frozen=True)
class Kept:
    """What is left of a file: its text, and the names that nothing defines."""

    text: str
    missing: tuple[str, ...]


def bound(node: ast.AST) -> set[str]:
    """The names that a statement of a module defines, not those inside its functions."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(a.asname or a.name).split(".")[0] for a in node.names}
    out = {node.id} if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else set()
    if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, ast.Store):  # params['W1'] = ...
        base: ast.AST = node
        while isinstance(base, (ast.Subscript, ast.Attribute)):
            base = base.value
        out |= {base.id} if isinstance(base, ast.Name) else set()
    for child in ast.iter_child_nodes(node):
        out |= bound(child)
    return out


def loaded(node: ast.AST) -> set[str]:
    """Every name that is read anywhere within, also in functions."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)} | \
        {n for g in ast.walk(node) if isinstance(g, ast.Global) for n in g.names}


def needs(node: ast.AST) -> set[str]:
    """The names that a statement needs from outside: what it reads, less what its own functions define."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
        own = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
        body = node.body if isinstance(node.body, list) else [node.body]
        shared = {n for b in body for g in ast.walk(b) if isinstance(g, ast.Global) for n in g.names}
        own |= {n.id for b in body for n in ast.walk(b) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        own |= set().union(*(bound(b) for b in body if isinstance(b, (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom))))
        inner = set().union(*(needs(b) for b in body)) - (own - shared) | shared
        outer = [*node.args.defaults, *filter(None, node.args.kw_defaults), *getattr(node, "decorator_list", [])]
        return inner | set().union(*(needs(e) for e in outer))
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, (ast.Load, ast.Del)) else set()
    if isinstance(node, (ast.AnnAssign, ast.arg)):
        return set().union(*(needs(c) for c in ast.iter_child_nodes(node)))
    if isinstance(node, ast.AugAssign):
        return needs(node.value) | loaded(node.target) | bound(node.target)
    return set().union(*(needs(c) for c in ast.iter_child_nodes(node)))


def annotated(tree: ast.AST) -> set[str]:
    """Names in annotations of functions, which must be defined where a function is."""
    found = [a.annotation for a in ast.walk(tree) if isinstance(a, ast.arg) and a.annotation]
    found += [f.returns for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) and f.returns]
    return set().union(*(loaded(a) for a in found)) if found else set()


def kept(text: str, tree: ast.Module, roots: Iterable[str], *, without: Iterable[str] = (), supplied: Iterable[str] = (),
         upto: int | None = None) -> Kept:
    """The statements that the roots need, and what those need.

    without: names that we put into the module ourselves; supplied: names we have a helper for, used instead of an import from elsewhere.
    """
    wanted, ours, ready = set(roots), set(without), set(supplied)
    body = [s for s in tree.body if upto is None or s.lineno <= upto]
    made = {n for s in body if isinstance(s, ast.FunctionDef) or isinstance(s, ast.Assign) and isinstance(s.value, (ast.List, ast.Dict)) for n in bound(s)}
    making: dict[str, list[ast.stmt]] = {}
    for s in body:
        for name in bound(s) | _changed(s, made) if not _elsewhere(s, ready) else ():
            making.setdefault(name, []).append(s)
    chosen: set[ast.stmt] = set()
    todo = wanted - ours
    while todo:
        for s in making.pop(todo.pop(), ()):
            if s not in chosen:
                chosen.add(s)
                more = (needs(s) | annotated(s)) - wanted
                wanted |= more
                todo |= more - ours
    statements = [s for s in body if s in chosen]
    defined = set().union(*(bound(s) for s in statements), ours, dir(builtins), {"__name__", "__file__"})
    stars = [s for s in body if isinstance(s, ast.ImportFrom) and s.names[0].name == "*" and (s.module or "").split(".")[0] in KNOWN_MODULES]
    missing = wanted - defined
    statements = sorted([*statements, *(stars if missing else [])], key=lambda s: s.lineno)
    future = [s for s in body if isinstance(s, ast.ImportFrom) and s.module == "__future__"]
    return Kept(assemble(text, [*future, *statements]), tuple(sorted(missing)))


KNOWN_MODULES = {"numpy", "math", "random", "torch", "jax", "typing", "collections", "functools", "itertools", "dataclasses", "__future__", "abc", "copy", "autograd",
                 "operator", "enum"}


def _changed(statement: ast.stmt, made: set[str]) -> set[str]:
    """The function or list of the file that a statement changes by a method of it: f.defvjp(...), items.append(...)."""
    match statement:
        case ast.Expr(ast.Call(ast.Attribute(ast.Name(name)))) if name in made:
            return {name}
    return set()


def _elsewhere(statement: ast.stmt, supplied: set[str]) -> bool:
    """An import from a file that was not handed in, of names that we can supply."""
    known = isinstance(statement, ast.ImportFrom) and statement.level == 0 and (statement.module or "").split(".")[0] in KNOWN_MODULES
    return isinstance(statement, (ast.Import, ast.ImportFrom)) and not known and bool(bound(statement) & supplied)


def assemble(text: str, statements: Sequence[ast.stmt]) -> str:
    """The statements alone, each on its own lines."""
    lines = text.split("\n")
    out: list[str] = [""] * len(lines)
    for s in statements:
        first, last = start(s), s.end_lineno or s.lineno
        rows = lines[first - 1:last]
        rows[-1] = rows[-1].encode()[:s.end_col_offset].decode()
        if first == s.lineno:  # else it begins with a decorator
            rows[0] = rows[0].encode()[s.col_offset:].decode()
        if out[first - 1]:  # x = 1; y = 2
            rows[0] = f"{out[first - 1]}; {rows[0]}"
        out[first - 1:last] = rows
    return "\n".join(out)


def start(statement: ast.AST) -> int:
    """The first line of a statement, with its decorators."""
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    return min([statement.lineno, *(d.lineno for d in decorators)])  # type: ignore[attr-defined]


def edited(text: str, edits: Iterable[tuple[ast.AST, str]]) -> str:
    """The text with each node replaced; as many lines as before."""
    raw = [line.encode() for line in text.split("\n")]
    for node, new in sorted(edits, key=lambda e: (-e[0].lineno, -e[0].col_offset)):  # type: ignore[attr-defined]
        first, last = node.lineno - 1, node.end_lineno - 1  # type: ignore[attr-defined]
        before, after = raw[first][:node.col_offset], raw[last][node.end_col_offset:]  # type: ignore[attr-defined]
        padding = "\n" * (last - first)
        put = f"({new}{padding})" if padding else new
        raw[first:last + 1] = (before + put.encode() + after).split(b"\n")
    return "\n".join(line.decode() for line in raw)


def one_pass(scope: ast.AST, moves: Iterable[ast.AST]) -> list[tuple[ast.AST, str]]:
    """Edits that let the outermost loops around some nodes run once."""
    nodes = list(moves)
    out: list[tuple[ast.AST, str]] = []
    for loop in outer_loops(scope):
        if any(n is m for n in ast.walk(loop) for m in nodes) and not _over_layers(loop, nodes):
            if isinstance(loop, ast.For) and not isinstance(loop.iter, (ast.Tuple, ast.List)) and _counts(loop.iter):
                out.append((loop.iter, "range(1)"))
            elif isinstance(loop, ast.While):
                out.append((loop.test, f"{GIVEN}.pop('pass', False)"))
    return out


def _over_layers(loop: Loop, moves: Sequence[ast.AST]) -> bool:
    """Whether a loop goes through the layers: what it counts stands in what is changed, as in weights[l] -= ..."""
    changed = [t for m in moves for t in getattr(m, "targets", [getattr(m, "target", None)]) if t is not None]
    return isinstance(loop, ast.For) and any(bound(loop.target) & loaded(t) for t in changed)


def _counts(iterated: ast.expr) -> bool:
    """range(...) over steps, perhaps within tqdm(...); not over the examples or layers."""
    inside = ast.unparse(iterated)
    return "range(" in inside and not any(w in inside for w in ("len(", "shape", "enumerate", "zip("))


def outer_loops(scope: ast.AST) -> Iterator[Loop]:
    """The loops of a function or module that stand in no other loop."""
    for child in ast.iter_child_nodes(scope):
        if isinstance(child, (ast.For, ast.While)):
            yield child
        elif not isinstance(child, (ast.FunctionDef, ast.ClassDef, ast.Lambda)):
            yield from outer_loops(child)
