"""The corrected line: the right formula as NumPy in the file's own names and layout, put in place of the wrong line, and run.

Only a line with which the whole file is right is called corrected. Where none is found the formula is given as code beside it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .. import expr as ex
from ..derive import derived
from ..errors import ChainruleError
from ..expr import Expr
from ..network import Network
from ..numpycode import typed
from ..numpytree import tree_code
from .judge import Case, judge
from .layouts import Layout, role_of
from .points import Blueprint
from .readback import Found
from .reading import Code, parse
from .report import Reason

MOST_CAUSES = 2  # alternatives for which a line is looked for
FACTORS = ("", "2 * ", "0.5 * ")
Again = Callable[[Sequence[Code], Layout], list[list[Case]]]  # what changed files give in a layout, with the sizes of the spec
BUILD: dict[str, Callable[..., Expr]] = {"add": ex.add, "mul": ex.mul, "div": ex.div, "neg": ex.neg, "matmul": ex.matmul, "T": ex.transpose}


def mended(causes: Sequence[tuple[Reason, ...]], found: Found, again: Again | None) -> tuple[tuple[Reason, ...], ...]:
    """The causes with their corrected lines."""
    network = in_layout(found.subject.blueprint, found.got.layout)
    if network is None:
        return tuple(causes)
    out = []
    fixed = ""  # alternatives give the same numbers, so one corrected line serves all of them at the same place
    for k, both in enumerate(causes):
        made = tuple(_one(r, found, network, again if k < MOST_CAUSES and len(both) == 1 and not fixed else None) for r in both)
        fixed = fixed or next((r.mended for r in made if r.mended), "")
        out.append(made)
    return tuple(out)


def _one(reason: Reason, found: Found, network: Network, again: Again | None) -> Reason:
    line = reason.source.line
    writer = Writer(found, network, line)
    try:
        trees = list(writer.trees(reason.assigned))
        written = writer.code(trees[0])
    except (ChainruleError, ValueError, KeyError, SyntaxError):
        return reason
    target = writer.target(reason.assigned)
    reason = replace(reason, written=f"{writer.spoken(reason.assigned)} = {written}")
    if again is None or target is None:
        return reason
    lines = dict.fromkeys(f"{f}({c})" if f and " + " in c else f + c for f in FACTORS for c in map(writer.code, trees))
    statements = [f"{ast.unparse(target[1])} = {typed(text)}" for text in lines]
    changed = {s: code for s in statements if (code := replaced(found.code, target[0], s)) is not None}
    tried = again(list(changed.values()), found.got.layout) if changed and found.got.layout is not None else []
    return replace(reason, mended=next((s for s, cases in zip(changed, tried, strict=True) if _right(cases, found.dtype)), ""))


def _right(cases: Sequence[Case], dtype: str) -> bool:
    """Whether a changed file is right."""
    tested = [v for v in judge(cases, dtype, strict=True) if v.verdict != "UNTESTED"] if cases else []
    return bool(tested) and all(v.verdict in ("OK", "KINK") for v in tested)


def replaced(code: Code, statement: ast.stmt, text: str) -> Code | None:
    """The file with another statement in place of one."""
    lines = code.text.split("\n")
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    indent = lines[first - 1][:statement.col_offset]
    if indent.strip():  # it shares its line with another one
        return None
    try:
        return parse("\n".join([*lines[:first - 1], indent + text, *[""] * (last - first), *lines[last:]]) + "\n", code.name, code.cells)
    except ChainruleError:
        return None


def in_layout(b: Blueprint, layout: Layout | None) -> Network | None:
    """The network of the spec with its examples as the file has them; None where it is no stack of dense layers."""
    if not b.network.plain_stack or layout is None or not b.loss:
        return None
    if layout.as_is or layout.vectors or layout.numbers or not b.batched or layout.rows == b.network.rows:
        return b.network
    return replace(b, network=replace(b.network, rows=layout.rows)).at(b.widths())


class Writer:
    """Formulas as code at one line of a file: with the names that the file has there, other values written out."""

    def __init__(self, found: Found, network: Network, line: int) -> None:
        self.network, self.derivation = network, derived(network)
        self.layout, self.names = found.got.layout, found.way.here.names
        self.scope, self.line = _scope(found.code.tree, line), line
        self.have = dict(self._have())
        self.marks: dict[str, ast.expr] = {}
        self.undivided = False

    def _have(self) -> Iterator[tuple[str, ast.expr]]:
        """What the file calls each value before the line, by its role; a name that is assigned wins over one that is only read."""
        arguments = self.scope.args if isinstance(self.scope, ast.FunctionDef) else None
        for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs] if arguments else []:
            if (role := self.names.role(a.arg)) is not None:
                yield role, ast.Name(a.arg, ast.Load())
        for node in sorted((n for n in ast.walk(self.scope) if isinstance(n, (ast.Name, ast.Attribute, ast.Subscript))), key=lambda n: (n.lineno, isinstance(n.ctx, ast.Store))):
            if node.lineno < self.line or node.lineno == self.line and isinstance(node.ctx, ast.Load):
                role = role_of(node, self.names) if _plain(node) else None
                if role is not None and not role.endswith("*"):
                    yield role, node

    def target(self, value: str) -> tuple[ast.stmt, ast.expr] | None:
        """The statement at the line, if all it does is to assign the gradient of a value."""
        for n in ast.walk(self.scope):
            if isinstance(n, ast.Assign) and n.lineno == self.line and len(n.targets) == 1 and role_of(n.targets[0], self.names) == f"d:{value}":
                return n, n.targets[0]
        return None

    def spoken(self, value: str) -> str:
        """What a gradient is called: as the file has it, else dz1."""
        found = self.target(value)
        return ast.unparse(found[1] if found else self.have.get(f"d:{value}", ast.Name(f"d{value}")))

    def trees(self, value: str) -> Iterator[Expr]:
        """The right gradient in what the file has; then without the number of examples, which the file may divide by elsewhere."""
        for self.undivided in (False, True):
            tree = self._known(self.derivation.steps[value].result, value)
            yield ex.transpose(tree) if value[0] == "W" and self._turned() else tree

    def _turned(self) -> bool:
        return self.layout is not None and not self.layout.as_is and not self.layout.vectors and self.layout.in_out != self.network.rows

    def _known(self, e: Expr, within: str, deep: int = 0) -> Expr:
        """A tree in which every value and gradient is one that the file has."""
        if deep > 40:
            raise ValueError("too deep")
        if e.op == "grad":
            name = str(e.data[1])
            if f"d:{name}" in self.have and name != within:
                return self._mark(f"d:{name}", e.shape)
            return self._known(self.derivation.steps[name].result, within, deep + 1)
        if e.op == "sym":
            return self._value(e, within, deep)
        return put(e, {}, lambda x: self._known(x, within, deep)) if e.args else e

    def _value(self, e: Expr, within: str, deep: int) -> Expr:
        name = str(e.data)
        if self.undivided and name in self.network.sizes:
            return ex.ONE
        kinds = {s.name: s.kind for s in self.network.symbols.values()}
        roles = [name, *(r for r, n in self.network.aliases.items() if n == name), {"input": "x", "target": "y", "size": "m"}.get(kinds.get(name, "size"), "")]
        role = next((r for r in roles if r in self.have), None)
        if role is not None:
            marked = self._mark(role, e.shape)
            return ex.transpose(marked) if name[0] == "W" and kinds.get(name) == "parameter" and self._turned() else marked
        if name in kinds and kinds[name] == "value":
            return self._known(self.network.equation(name).rhs, within, deep + 1)
        if name in self.network.sizes:
            x = self.have.get("x", self.have.get("y"))
            if x is not None:
                axis = 0 if self.network.rows else 1
                return self._new(ast.parse(f"{ast.unparse(x)}.shape[{axis}]", mode="eval").body, ())
        raise ValueError(f"the file has no {name} here")

    def _mark(self, role: str, shape: ex.Shape) -> Expr:
        return self._new(self.have[role], shape)

    def _new(self, written: ast.expr, shape: ex.Shape) -> Expr:
        key = next((k for k, v in self.marks.items() if ast.unparse(v) == ast.unparse(written)), f"mark{len(self.marks)}_")
        self.marks[key] = written
        return ex.sym(key, shape)

    def code(self, tree: Expr) -> str:
        """The line, with the file's own names."""
        size = {n: self.have.get("m") for n in self.network.sizes}
        text = _Put({**self.marks, **{n: m for n, m in size.items() if m is not None}}, flat=self.layout is not None and self.layout.bias == "flat")
        return ast.unparse(text.visit(ast.parse(typed(tree_code(tree)), mode="eval"))).replace(" ** ", "**")


class _Put(ast.NodeTransformer):
    """Names for marks; sums without the axis of length 1 where biases have none."""

    def __init__(self, names: Mapping[str, Any], *, flat: bool) -> None:
        self.names, self.flat = names, flat

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.names.get(node.id, node)  # type: ignore[no-any-return]

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if self.flat:
            node.keywords = [k for k in node.keywords if k.arg != "keepdims"]
        return node


def _plain(node: ast.expr) -> bool:
    """Whether an expression can stand in another line as it is: no index that a loop counts."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and _plain(node.value)
    return isinstance(node, ast.Name) or isinstance(node, ast.Attribute) and node.attr not in ("T", "shape", "size", "ndim", "dtype") and _plain(node.value)


def put(e: Expr, table: Mapping[str, Expr], each: Callable[[Expr], Expr] | None = None) -> Expr:
    """A tree with other parts put in, as tidy as rules write it."""
    if e.op == "sym" and e.data in table:
        return table[e.data]
    if not e.args:
        return e
    inner = [each(a) if each else put(a, table) for a in e.args]
    if list(e.args) == inner:
        return e
    return BUILD[e.op](*inner) if e.op in BUILD else ex.node(e.op, inner, e.data)


def _scope(tree: ast.Module, line: int) -> ast.Module | ast.FunctionDef:
    """The function that holds a line, or else the module."""
    holding = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.lineno <= line <= (n.end_lineno or n.lineno)]
    return max(holding, key=lambda n: n.lineno, default=tree)

