"""What happens to lines of NumPy before they run: shared parts get a name, numbers a type.

A line is Python's own syntax tree, so that every backend reads what the one printer wrote.

>>> lines = [Line("p", parsed("np.exp(z - z.max()) / np.exp(z - z.max()).sum()")), Line("q", parsed("1 - np.exp(-np.logaddexp(0, -z))"))]
>>> for line in shared([Line(x.name, quick(x.code)) for x in lines]): print(line)
t1 = np.exp(z - z.max())
p = t1 / t1.sum()
q = 1 - 1 / (1 + np.exp(-z))
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Line:
    """name = code; said: the rule behind it, where a reader is told."""

    name: str
    code: ast.expr
    said: str = ""

    def __str__(self) -> str:
        return f"{self.name} = {written(self.code)}"


def parsed(source: str) -> ast.expr:
    """An expression of Python as its syntax tree."""
    return ast.parse(source, mode="eval").body


def written(code: ast.expr) -> str:
    """A syntax tree as a person types it."""
    return ast.unparse(code).replace(" ** ", "**")


def called(node: ast.AST) -> str:
    """The name of the function that a node calls, '' for anything else."""
    return ast.unparse(node.func) if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)) else ""


def changed(code: ast.expr, change: Callable[[ast.expr], ast.expr | None]) -> ast.expr:
    """The tree with every node that ``change`` answers for replaced, inner ones first."""
    class Visit(ast.NodeTransformer):
        def generic_visit(self, node: ast.AST) -> ast.AST:
            super().generic_visit(node)
            return (change(node) or node) if isinstance(node, ast.expr) else node

    return Visit().visit(ast.parse(ast.unparse(code), mode="eval").body)  # type: ignore[no-any-return]


def placed(code: ast.expr, table: Mapping[str, ast.expr | str]) -> ast.expr:
    """The tree with expressions, or other names, in place of names."""
    if not any(isinstance(n, ast.Name) and n.id in table for n in ast.walk(code)):
        return code

    def change(node: ast.expr) -> ast.expr | None:
        found = table.get(node.id) if isinstance(node, ast.Name) else None
        return ast.Name(found, ast.Load()) if isinstance(found, str) else found

    return changed(code, change)


# ---------------------------------------------------------------- quick forms and numbers

def sigmoid_of(node: ast.expr) -> ast.expr | None:
    """What stands in exp(-logaddexp(0, e)), the sigmoid of -e: the expression e."""
    match node:
        case ast.Call(args=[ast.UnaryOp(ast.USub(), ast.Call(args=[ast.Constant(0), e]) as inner)]) if called(node) == "np.exp" and called(inner) == "np.logaddexp":
            return e
    return None


def quick(code: ast.expr) -> ast.expr:
    """exp(-logaddexp(0, e)) as 1/(1 + exp(e)): as exact, one slow function less; an overflow of exp gives the right limit 0."""
    def change(node: ast.expr) -> ast.expr | None:
        e = sigmoid_of(node)
        return None if e is None else ast.BinOp(ast.Constant(1), ast.Div(), ast.BinOp(ast.Constant(1), ast.Add(), ast.Call(NP("exp"), [e], [])))

    return changed(code, change)


def NP(name: str) -> ast.expr:
    """np.name"""
    return ast.Attribute(ast.Name("np", ast.Load()), name, ast.Load())


CONSTANTS = {"np.pi": math.pi, "math.pi": math.pi, "np.e": math.e}
FOLDED = {f"np.{name}": getattr(math, name) for name in ("sqrt", "exp", "log", "erf", "sin", "cos") if hasattr(math, name)}
SIGNS: dict[type, Callable[[float, float], float]] = {
    ast.Add: lambda x, y: x + y, ast.Sub: lambda x, y: x - y, ast.Mult: lambda x, y: x * y, ast.Div: lambda x, y: x / y, ast.Pow: lambda x, y: x ** y}


def number(node: ast.expr) -> float | None:
    """The value of an expression without names, None for any other."""
    match node:
        case ast.Constant(int() | float() as value) if not isinstance(value, bool): return value
        case ast.UnaryOp(ast.USub(), inner): return None if (x := number(inner)) is None else -x
        case ast.BinOp(left, sign, right) if type(sign) in SIGNS:
            x, y = number(left), number(right)
            try:
                return None if x is None or y is None else SIGNS[type(sign)](x, y)
            except (ArithmeticError, ValueError):
                return None
        case ast.Attribute() if (name := ast.unparse(node)) in CONSTANTS: return CONSTANTS[name]
        case ast.Call(args=[inner], keywords=[]) if called(node) in FOLDED:
            return None if (x := number(inner)) is None else FOLDED[called(node)](x)
    return None


MADE = {"np.ones", "np.full", "np.eye"}  # what makes an array without one to take the type from


def typed_for(code: ast.expr, dtype: str) -> ast.expr:
    """Numbers folded; arrays that are made from nothing in the asked type."""
    kind = NP(dtype)

    def change(node: ast.expr) -> ast.expr | None:
        name = called(node)
        if not isinstance(node, ast.Constant) and (value := number(node)) is not None and not (isinstance(value, int) and isinstance(node, ast.UnaryOp)):
            return ast.Constant(value) if value >= 0 else ast.UnaryOp(ast.USub(), ast.Constant(-value))
        if isinstance(node, ast.Constant) and type(node.value) is int and abs(node.value) > 2**53:
            return ast.Constant(float(node.value))
        if isinstance(node, ast.Call) and name == "np.where":
            values = [number(v) for v in node.args[1:]]
            if all(v is not None for v in values):  # else NumPy takes the type from the array
                first: ast.expr = ast.Constant(float(values[0] or 0))
                return ast.Call(node.func, [node.args[0], first if dtype == "float64" else ast.Call(kind, [first], []), ast.Constant(float(values[1] or 0))], [])
        if isinstance(node, ast.Call) and name == "np.full" and isinstance(node.args[1], ast.Constant):
            node.args[1] = ast.Constant(float(node.args[1].value))  # type: ignore[arg-type]
        if isinstance(node, ast.Call) and dtype != "float64":
            if name in MADE or any(k.arg == "dtype" for k in node.keywords):
                return ast.Call(node.func, node.args, [k for k in node.keywords if k.arg != "dtype"] + [ast.keyword("dtype", kind)])
            if name in ("np.bincount", "erf", "erfc"):
                return ast.Call(ast.Attribute(node, "astype", ast.Load()), [kind], [])
        return None

    return changed(code, change)


# ---------------------------------------------------------------- parts that occur twice

class _Values:
    """Every expression once: equal ones have the same number."""

    def __init__(self) -> None:
        self.ids: dict[Key, int] = {}
        self.nodes: list[ast.AST] = []
        self.parts: list[list[tuple[str, Any]]] = []  # the fields of a node: a number, a list of numbers, or plain data
        self.uses: list[int] = []

    def number(self, node: ast.AST) -> int:
        fields: list[tuple[str, Any]] = []
        for name, value in ast.iter_fields(node):
            if name in ("ctx", "kind", "type_comment"):
                continue
            if isinstance(value, ast.AST):
                fields.append((name, (self.number(value),)))
            elif isinstance(value, list):
                fields.append((name, tuple(self.number(v) for v in value)))
            else:
                fields.append((name, repr(value)))
        key = (type(node).__name__, tuple(fields))
        if key not in self.ids:
            self.ids[key] = len(self.nodes)
            self.nodes.append(node)
            self.parts.append(fields)
            self.uses.append(0)
            for child in self.children(self.ids[key]):
                self.uses[child] += 1
        return self.ids[key]

    def children(self, k: int) -> Iterable[int]:
        return (c for _, value in self.parts[k] if isinstance(value, tuple) for c in value)


def shared(lines: Sequence[Line], cheap: frozenset[str] = frozenset()) -> list[Line]:
    """The lines with every part that occurs twice computed once, under the name it has or a new one.

    cheap: names of plain numbers (a size), whose quotients are not worth a name.
    """
    values = _Values()
    roots = [values.number(line.code) for line in lines]
    for root in roots:
        values.uses[root] += 1
    names: dict[int, str] = {}
    taken = {line.name for line in lines} | {n.id for n in values.nodes if isinstance(n, ast.Name)}
    out: list[Line] = []
    counter = 0

    def worth(node: ast.AST) -> bool:
        return isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Call, ast.Compare, ast.IfExp)) and \
            any(isinstance(n, ast.Name) and n.id not in cheap and n.id != "np" for n in ast.walk(node))

    def build(k: int, top: bool = False) -> Any:  # a syntax tree
        nonlocal counter
        if k in names:
            return ast.Name(names[k], ast.Load())
        made: Any = type(values.nodes[k])(**{name: value for name, value in ast.iter_fields(values.nodes[k])})
        for name, value in values.parts[k]:
            if isinstance(value, tuple):
                parts = [build(c) for c in value]
                setattr(made, name, parts if isinstance(getattr(values.nodes[k], name), list) else parts[0])
        if top or values.uses[k] < 2 or not worth(values.nodes[k]):
            return made
        counter += 1
        while f"t{counter}" in taken:
            counter += 1
        names[k] = f"t{counter}"
        out.append(Line(names[k], made))
        return ast.Name(names[k], ast.Load())

    for line, root in zip(lines, roots, strict=True):
        code = build(root, top=True)
        if root not in names and not isinstance(code, (ast.Name, ast.Constant)):
            names[root] = line.name
        out.append(Line(line.name, code))
    return out


def without_aliases(lines: Sequence[Line]) -> tuple[list[Line], dict[str, str]]:
    """Lines that only give a second name are dropped; the second names, and what they stand for."""
    same: dict[str, str] = {}
    out = []
    for line in lines:
        code = placed(line.code, same)
        if isinstance(code, ast.Name):
            same[line.name] = code.id
        else:
            out.append(Line(line.name, code))
    return out, same
