"""One node of a tree, and how a tree reads as plain text in the notation of the spec: for messages, and for values without numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Self, TypeVar

Dim = int | str
Shape = tuple[Dim, ...]
_PREC = {"add": 1, "neg": 2, "mul": 3, "div": 3, "matmul": 3, "pow": 5}


class Node:
    """One node: operation, arguments, data (name, number, axis, ...) and shape; immutable."""

    __slots__ = ("op", "args", "data", "shape", "role", "_hash", "_names")

    def __init__(self, op: str, args: tuple[Self, ...] = (), data: Any = None, shape: Shape = (), role: str | None = None) -> None:
        self.op, self.args, self.data, self.shape, self.role = op, args, data, shape, role
        self._hash: int | None = None
        self._names: frozenset[str] | None = None

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Node) and self.op == other.op and hash(self) == hash(other)
            and self.data == other.data and self.shape == other.shape and self.args == other.args)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.op, self.data, self.shape, self.args))
        return self._hash

    def __repr__(self) -> str:
        return f"<{text(self)}>"

    @property
    def names(self) -> frozenset[str]:
        """The names of the values (not the gradients) that occur."""
        if self._names is None:
            own = frozenset((self.data,)) if self.op == "sym" else frozenset()
            self._names = own.union(*(a.names for a in self.args)) if self.args else own
        return self._names

    def with_role(self, role: str) -> Self:
        """The same node, marked with the part it plays in a product (slope, weight, ...)."""
        args = tuple(a.with_role(role) for a in self.args) if self.op in ("mul", "neg") else self.args
        return type(self)(self.op, args, self.data, self.shape, role)


AnyNode = TypeVar("AnyNode", bound=Node)


def signed(term: AnyNode) -> tuple[bool, AnyNode]:
    """A term of a sum as (is it subtracted, what is added or subtracted)."""
    if term.op == "neg":
        return True, term.args[0]
    if term.op == "num" and isinstance(term.data, Fraction) and term.data < 0:
        return True, type(term)("num", (), -term.data)
    return False, term


def text(e: Node) -> str:
    """The tree as plain text.

    >>> from ..expr import sym
    >>> text(-(sym("a") - 2*sym("b")))
    '-(a - 2*b)'
    """
    def inner(a: Node, least: int) -> str:
        s = text(a)
        own = _PREC.get(a.op, 9)
        if a.op == "num" and isinstance(a.data, Fraction):
            own = 2 if a.data < 0 else 3 if a.data.denominator > 1 else 9
        return f"({s})" if own < least else s

    if e.op == "num":
        return str(e.data)
    if e.op in ("sym", "apply"):
        return e.data if e.op == "sym" else f"{e.data}({text(e.args[0])})"
    if e.op in ("grad", "partial"):
        return "(d{}/d{})".format(*e.data[:2])
    if e.op == "ones":
        return "ones({}, {})".format(*e.shape)
    if e.op == "eye":
        return f"eye({e.shape[0]})"
    if e.op == "diag":
        return f"diag({text(e.args[0])})"
    if e.op == "grid":
        rows = [e.args[k:k + int(e.shape[1])] for k in range(0, len(e.args), int(e.shape[1]))]
        return "[" + "; ".join(", ".join(map(text, row)) for row in rows) + "]"
    if e.op == "matrix":
        return f"norm({text(e.args[0])})**2" if e.data == "squared_norm" else f"{e.data}({text(e.args[0])})"
    if e.op == "add":
        out = inner(e.args[0], 2)
        for t in e.args[1:]:
            minus, t = signed(t)
            out += (" - " + inner(t, 3)) if minus else (" + " + inner(t, 2))
        return out
    if e.op == "neg":
        return "-" + inner(e.args[0], 3)
    if e.op in ("mul", "matmul", "div", "pow"):
        sign = {"mul": "*", "matmul": " @ ", "div": "/", "pow": "**"}[e.op]
        own = _PREC[e.op]
        parts = [inner(a, own + (i > 0 and e.op != "mul" or e.op == "pow")) for i, a in enumerate(e.args)]
        return sign.join(parts)
    if e.op == "T":
        return inner(e.args[0], 9) + ".T"
    if e.op in ("sum", "most", "least"):
        name = {"sum": "sum", "most": "max", "least": "min"}[e.op]
        return f"{name}({text(e.args[0])}{'' if e.data is None else f', axis={e.data}'})"
    if e.op in ("call", "over"):
        name = e.data if e.op == "call" else e.data[0]
        return f"{name}({', '.join(map(text, e.args))})"
    if e.op == "take":
        inside = ", ".join(map(text, e.args))
        return f"{e.data.word}({inside})" if e.data.word else f"{inner(e.args[0], 9)}[{_from_zero(e.data)}]"
    if e.op == "put":
        return f"put_{e.data.word or 'slice'}({text(e.args[0])})"
    if e.op == "concat":
        return f"concat({', '.join(map(text, e.args))}, axis={e.data})"
    if e.op == "slide":
        word = {"z": "conv", "w": "conv_kernel", "x": "conv_image"}[e.data.gives]
        return f"{word}({', '.join(map(text, e.args))})"
    if e.op == "onehot":
        return f"arg{'max' if e.data[0] == 'most' else 'min'}({text(e.args[0])})"
    if e.op == "pick":
        return f"{e.data[0]}({', '.join(map(text, e.args))})[{e.data[1]}]"
    if e.op == "diff":
        return f"d/d{e.data}[{text(e.args[0])}]"
    if e.op == "entry":
        return f"{inner(e.args[0], 9)}[{','.join(e.data)}]" if e.data else text(e.args[0])
    if e.op == "bigsum":
        return "sum_" + ",".join(letter for letter, _ in e.data) + " " + text(e.args[0])
    if e.op == "best":
        return ("max_" if e.data[0] == "most" else "min_") + ",".join(letter for letter, _ in e.data[1]) + " " + text(e.args[0])
    if e.op == "local":
        (u, at), (v, of) = e.data
        return f"(d{u}[{','.join(at)}]/d{v}[{','.join(of)}])".replace("[]", "")
    if e.op == "first":
        return f"[{e.data[3]} = arg{'max' if e.data[0] == 'most' else 'min'}_{e.data[1]} {text(e.args[0])}]"
    if e.op == "same":
        return "[{} = {}]".format(*e.data)
    if e.op == "slope":
        return f"{e.data[0]}'({', '.join(map(text, e.args))})"
    if e.op == "cases":
        conditions = (f"{text(e.args[3 * i])} {op} {text(e.args[3 * i + 1])}: {text(e.args[3 * i + 2])}"
                      for i, op in enumerate(e.data))
        return "{" + ", ".join(conditions) + f", else {text(e.args[-1])}" + "}"
    raise ValueError(f"no text for {e.op!r}")


def shapes(e: Node) -> str:
    """The shapes of what a matrix expression is made of, in its order; '' for a single value.

    >>> from ..expr import sym
    >>> shapes(sym("W", (2, 3)).T @ sym("d", (2, 1)) * sym("s", (3, 1)))
    '(3×2)(2×1) ⊙ (3×1)'
    """
    found = _shapes(e)
    return found if ")(" in found or " " in found else ""


def _shapes(e: Node) -> str:
    inner = [_shapes(a) for a in e.args if a.shape]
    match e.op:
        case "matmul": return "".join(f"[{s}]" if " " in s else s for s in inner)
        case "mul": return " ⊙ ".join(inner)
        case "add": return " + ".join(inner)
        case "neg" | "div" if len(inner) == 1: return inner[0]
    return "({}×{})".format(*e.shape) if e.shape else "(1×1)"


def _from_zero(move: Any) -> str:
    """The index of a slice as an equation writes it, from 0."""
    rows = [c // move.source[1] for c in move.cells[::move.shape[1]]]
    columns = [c % move.source[1] for c in move.cells[:move.shape[1]]]

    def side(found: list[int], size: int) -> str:
        if found == list(range(size)):
            return ":"
        if len(found) == 1:
            return str(found[0])
        return f"{found[0]}:{found[-1] + 1}" if found == list(range(found[0], found[-1] + 1)) else str(found)

    sides = [side(rows, move.source[0]), side(columns, move.source[1])]
    return sides[0] if move.source[1] == 1 else sides[1] if move.source[0] == 1 else ",".join(sides)
