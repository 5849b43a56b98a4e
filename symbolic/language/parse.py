"""Equations as a person writes them, read with ``ast`` and a whitelist; nothing is ever evaluated.

>>> from ..expr import sym, text
>>> text(parse("a*a - (b + a)", {"a": sym("a"), "b": sym("b")}))
'a*a - (b + a)'
>>> parse("A * x", {"x": sym("x", (2, 1)), "A": sym("A", (2, 2))})
Traceback (most recent call last):
    ...
symbolic.errors.ShapeError: A is 2 x 2 and x is 2 x 1: they cannot be multiplied entrywise; a matrix product is written @
"""

from __future__ import annotations

import ast
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from .. import expr as ex
from ..errors import SpecError, nearest
from ..expr import Expr
from ..functions import FUNCTIONS, VECTOR_FUNCTIONS
from .matrices import WRITTEN, apply
from .parsemoves import CALLS, call, subscript

LONGEST, DEEPEST = 2000, 60
LARGEST_EXPONENT = 1000
LARGEST_TREE, DEEPEST_CALLS, MOST_PRODUCTS = 150, 12, 6
LARGEST_ONES = 400
LARGEST, SMALLEST = 1e300, 1e-300  # what a float can hold, and so a JSON file
REDUCTIONS = {"sum": "sum", "mean": "sum", "max": "most", "min": "least"}
CONSTANTS = ("pi",)
_BINARY = {ast.Add: "add", ast.Sub: "add", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow", ast.MatMult: "matmul"}


def synonyms() -> dict[str, str]:
    """Other words for functions (ln, swish, logistic), with the names of their rows."""
    return {word: name for table in (FUNCTIONS, VECTOR_FUNCTIONS) for name, row in table.items() for word in row.also if word.isidentifier()}


def known_functions() -> dict[str, Any]:
    """Every function name that an equation may use; with its row where it has one."""
    return {**FUNCTIONS, **VECTOR_FUNCTIONS, **dict.fromkeys([*WRITTEN, "dot", "eye", "sum", "mean", *CALLS, *synonyms()])}


def instead(name: str, known: Mapping[str, Any] | None = None) -> str:
    """What to write for a function that no equation knows."""
    return f"write {_INSTEAD[name]}" if name in _INSTEAD else nearest(name, known or known_functions())


@lru_cache(maxsize=1024)
def tree(source: str) -> ast.expr:
    """The Python syntax tree of one expression: to be read, not changed.

    Raises SpecError for what is not an expression, too long or nested too deeply.
    """
    if len(source) > LONGEST:
        raise SpecError(f"the expression has {len(source)} characters; at most {LONGEST} are read")
    if "#" in source:
        raise SpecError(f"{shorten(source)!r} holds the sign #, which no equation knows")
    _depth_of_brackets(source)
    try:
        body = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        at = f" near column {e.offset}" if isinstance(e, SyntaxError) and e.offset else ""
        raise SpecError(f"{shorten(source)!r} is not an expression{at}", hint=likely(source)) from None
    return body


_WRITTEN = {"\u00b2": "**2", "\u00b3": "**3", "\u00d7": "*", "\u00b7": "* (of matrices @)", "\u2299": "*", "\u2212": "-", "\u2013": "-", "\u00f7": "/", "\u221a": "sqrt( )",
            "\u03a3": "sum( )", "\u2211": "sum( )", "\u22a4": ".T", "\u1d40": ".T", "^T": ".T", "||": "norm( )", "|": "abs( )", "\\": "a name without it"}
_INSTEAD = {"cot": "cos(x)/sin(x)", "sec": "1/cos(x)", "csc": "1/sin(x)", "log10": "ln(x)/ln(10)", "log2": "ln(x)/ln(2)", "lg": "ln(x)/ln(10)", "cbrt": "x**(1/3)",
            "transpose": "W.T", "matmul": "W @ x", "multiply": "a*b", "len": "the number itself", "pow": "x**2", "square": "x**2",
            "diff": "the function alone: its derivative is what chainrule works out", "dx": "the function alone: its derivative is what chainrule works out"}


def likely(source: str) -> str:
    """What a person most likely meant by text that is no expression."""
    for sign, plain in _WRITTEN.items():
        if sign in source:
            return f"write {plain} for {sign}"
    for letter in source:
        if "GREEK" in (full := unicodedata.name(letter, "")):
            return f"write {full.split()[-1].lower().replace('lamda', 'lam')} for {letter}"
    if re.search(r"[\w)]'", source):
        return "a transpose is written .T, a derivative not at all"
    if source.count("(") != source.count(")"):
        return "a bracket is not closed" if source.count("(") > source.count(")") else "a bracket is closed that was not opened"
    if "=" in source:
        return "one equation a name: name: expression"
    if found := re.search(r"\b([A-Za-z]\w*)\s+[A-Za-z0-9]", source):
        return f"write {found[1]}(...)" if found[1] in known_functions() else "a product is written with *, of matrices with @"
    if re.search(r"[\d)]\s*[A-Za-z(]", source):
        return "a product is written with *, as in 2*x"
    return "a power is written **" if "^" in source else ""


def _depth_of_brackets(source: str) -> None:
    depth = 0
    for c in source:
        depth += (c in "([{") - (c in ")]}")
        if depth > DEEPEST:
            raise SpecError(f"more than {DEEPEST} brackets are open at once in {shorten(source)!r}")
    if sum(source.count(c) for c in "-+~") > 400:
        raise SpecError(f"too many signs in {shorten(source)!r}")


def shorten(source: str) -> str:
    """Text of a person, short enough for a sentence."""
    return source if len(source) <= 60 else source[:57] + "..."


def names_in(source: str) -> list[str]:
    """The names of values used in an expression, in order of appearance.

    >>> names_in("relu(W @ x) + b*b")
    ['W', 'x', 'b']
    """
    body = tree(source)
    called = {id(n.func) for n in ast.walk(body) if isinstance(n, ast.Call)}
    found = [n for n in ast.walk(body) if isinstance(n, ast.Name) and id(n) not in called and n.id not in CONSTANTS]
    found.sort(key=lambda n: (n.lineno, n.col_offset))
    return list(dict.fromkeys(n.id for n in found))


def functions_in(source: str) -> list[str]:
    """The names that are called in an expression."""
    return [n.func.id for n in ast.walk(tree(source)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]


def parse(source: str, values: Mapping[str, Expr], unnamed: frozenset[str] = frozenset()) -> Expr:
    """The expression as an ordered tree, exactly as written.

    values: the names that may occur, with their shapes; unnamed: functions without a formula
    (``f`` in ``g(f(x))``). Raises SpecError naming what is unknown, with the nearest valid name.
    """
    reader = _Reader(source, values, unnamed)
    try:
        return _small_enough(reader.read(tree(source), 0), source)
    except RecursionError:
        raise SpecError(f"{shorten(source)!r} is nested too deeply") from None


def _small_enough(e: Expr, source: str) -> Expr:
    """Refuse what nobody could read, and what would take minutes to prove."""
    if (size := sum(1 for _ in ex.walk(e))) > LARGEST_TREE:
        raise SpecError(f"{shorten(source)!r} has {size} parts; at most {LARGEST_TREE} fit one equation", hint="name a part in an equation of its own")
    if sum(n.op == "matmul" for n in ex.walk(e)) > MOST_PRODUCTS:
        raise SpecError(f"{shorten(source)!r} multiplies more than {MOST_PRODUCTS + 1} matrices", hint="name a part in an equation of its own")
    if _nesting(e) > DEEPEST_CALLS:
        raise SpecError(f"{shorten(source)!r} nests more than {DEEPEST_CALLS} functions", hint="name an inner part in an equation of its own")
    return e


def _nesting(e: Expr) -> int:
    return (e.op in ("call", "over", "apply", "pow", "div", "matrix")) + max(map(_nesting, e.args), default=0)


class _Reader:
    def __init__(self, source: str, values: Mapping[str, Expr], unnamed: frozenset[str]) -> None:
        self.source, self.values, self.unnamed = source, values, unnamed

    def read(self, n: ast.expr, depth: int) -> Expr:
        if depth > 4 * DEEPEST:
            raise SpecError(f"{shorten(self.source)!r} is nested too deeply")
        method: Callable[[ast.expr, int], Expr] | None = getattr(self, f"_{type(n).__name__.lower()}", None)
        if method is None:
            raise SpecError(f"{shorten(self.source)!r} holds {_word(n)}; an equation knows names, numbers, "
                            "+ - * / ** @ .T and functions")
        return method(n, depth + 1)

    def _name(self, n: ast.Name, depth: int) -> Expr:
        if n.id in self.values:
            return self.values[n.id]
        if n.id == "pi":
            import sympy

            return ex.num(sympy.pi)
        if n.id in known_functions():
            raise SpecError(f"{n.id!r} is a function: write {n.id}(...)")
        raise SpecError(f"unknown name {n.id!r} in {shorten(self.source)!r}", hint=nearest(n.id, self.values))

    def _constant(self, n: ast.Constant, depth: int) -> Expr:
        if isinstance(n.value, bool) or not isinstance(n.value, (int, float)):
            raise SpecError(f"{n.value!r} is not a number in {shorten(self.source)!r}")
        written = ast.get_source_segment(self.source.strip(), n) or repr(n.value)
        zero = not any(c in "123456789" for c in re.split("[eE]", written)[0])
        if not zero and not SMALLEST < n.value < LARGEST:
            raise SpecError(f"{shorten(written)} is too {'small' if n.value < 1 else 'large'} a number in {shorten(self.source)!r}")
        try:
            value = ex.num(Fraction(written.replace("_", "")))
            return value.with_role("decimal") if any(c in written for c in ".eE") else value
        except ValueError:
            return ex.num(Fraction(n.value))

    def _unaryop(self, n: ast.UnaryOp, depth: int) -> Expr:
        inner = self.read(n.operand, depth)
        if isinstance(n.op, ast.UAdd):
            return inner
        if not isinstance(n.op, ast.USub):
            raise SpecError(f"{shorten(self.source)!r}: only + and - may stand before a value")
        return _opposite(inner) if _rational(inner) else ex.node("neg", (inner,))

    def _binop(self, n: ast.BinOp, depth: int) -> Expr:
        op = _BINARY.get(type(n.op))
        if op is None:
            hint = "a power is written **, a power of a function sin(x)**2" if isinstance(n.op, ast.BitXor) else "known are + - * / ** @"
            if isinstance(n.op, ast.BitXor) and isinstance(n.left, ast.Name) and n.left.id in ("e", "E"):
                hint = "write exp(x) for e^x"
            raise SpecError(f"{shorten(self.source)!r}: this operation is not known", hint=likely(self.source) if "^T" in self.source else hint)
        left, right = self.read(n.left, depth), self.read(n.right, depth)
        if op in ("mul", "div", "matmul") and _negative(left) and not _bracketed(self.source, n.left) and not (_rational(left) and _rational(right)):
            return ex.node("neg", (self._joined(n, op, _opposite(left), right),))  # -a*b is -(a*b), as on the board
        return self._joined(n, op, left, right)

    def _joined(self, n: ast.BinOp, op: str, left: Expr, right: Expr) -> Expr:
        if isinstance(n.op, ast.Sub):
            right = ex.node("neg", (right,))
        if op in ("add", "mul") and left.op == op and isinstance(n.left, ast.BinOp) and not _bracketed(self.source, n.left):
            return self._build(op, (*left.args, right))
        if op == "div" and right == ex.ZERO:
            raise SpecError(f"division by zero in {shorten(self.source)!r}")
        if op == "div" and _rational(left) and _rational(right):
            return ex.num(left.data / right.data) if left.data.denominator == 1 == right.data.denominator else ex.node(op, (left, right))
        if op == "pow" and not right.names and _magnitude(right) > LARGEST_EXPONENT:
            raise SpecError(f"the exponent in {shorten(self.source)!r} is too large; at most {LARGEST_EXPONENT} can be computed with")
        if op == "pow" and left.op == "matrix" and left.data == "norm" and right == ex.num(2):
            return apply("squared_norm", left.args[0])  # its slope needs no root, and exists at 0 too
        if op == "pow" and right.shape:
            raise SpecError(f"the exponent in {shorten(self.source)!r} is {ex.show_shape(right.shape)}; expected a scalar")
        return self._build(op, (left, right))

    def _build(self, op: str, args: tuple[Expr, ...], data: object = None) -> Expr:
        try:
            return ex.node(op, args, data)
        except SpecError as e:
            hint = _repeated(args) if op == "add" else ""
            hint = hint or e.hint
            raise type(e)(e.sentence, hint=hint) from None

    def _attribute(self, n: ast.Attribute, depth: int) -> Expr:
        if n.attr != "T":
            raise SpecError(f".{n.attr} is not known in {shorten(self.source)!r}", hint="only .T (transpose) is")
        inner = self.read(n.value, depth)
        return ex.node("T", (inner,)) if inner.shape else inner

    def _call(self, n: ast.Call, depth: int) -> Expr:
        if not isinstance(n.func, ast.Name):
            name = {"transpose": "T"}.get(n.func.attr, n.func.attr) if isinstance(n.func, ast.Attribute) else ""
            hint = f"write {name}(...)" if name in known_functions() else "a transpose is written .T" if name == "T" else "a product is written with *, as in 2*(x + 1)"
            raise SpecError(f"{shorten(self.source)!r}: a bracket follows what is no function", hint=hint)
        name = synonyms().get(n.func.id, n.func.id)
        if name in CALLS:
            return self._located(lambda: call(name, n.args, n.keywords, lambda v: self.read(v, depth)))
        axis = self._axis(name, n)
        if name in ("ones", "eye"):
            return self._constants(name, n)
        args = tuple(self.read(x, depth) for x in n.args)
        if name in self.unnamed:
            self._count(name, args, 1)
            return Expr("apply", args, name, args[0].shape)
        if name in REDUCTIONS and len(args) == 1:
            return self._reduce(name, args[0], axis)
        if name in VECTOR_FUNCTIONS:
            self._count(name, args, 1)
            return self._over(name, args[0], axis)
        if name in WRITTEN:
            self._count(name, args, 1)
            return self._located(lambda: apply(name, args[0]))
        if name == "dot":
            self._count(name, args, 2)
            return self._located(lambda: _dot(*args))
        if name not in FUNCTIONS:
            raise SpecError(f"unknown function {n.func.id!r} in {shorten(self.source)!r}", hint=instead(n.func.id))
        self._count(name, args, len(FUNCTIONS[name].names))
        return self._build("call", args, name)

    def _subscript(self, n: ast.Subscript, depth: int) -> Expr:
        return self._located(lambda: subscript(self.read(n.value, depth), n.slice))

    def _located(self, build: Callable[[], Expr]) -> Expr:
        """What was built; a mistake says in which expression it stands."""
        try:
            return build()
        except SpecError as e:
            inside = e.sentence if shorten(self.source) in e.sentence else f"{e.sentence}, in {shorten(self.source)!r}"
            raise SpecError(inside, hint=e.hint) from None

    def _constants(self, name: str, n: ast.Call) -> Expr:
        """ones(rows, columns), and eye(size), the identity matrix."""
        wanted, example = (2, "two sizes, as in ones(1, 4),") if name == "ones" else (1, "one size, as in eye(3),")
        sizes = [x.value for x in n.args if isinstance(x, ast.Constant) and isinstance(x.value, int) and x.value is not True and x.value > 0]
        if len(sizes) != wanted or len(n.args) != wanted:
            raise SpecError(f"{name} takes {example} in {shorten(self.source)!r}")
        if max(sizes) > LARGEST_ONES:
            raise SpecError(f"{name} in {shorten(self.source)!r} is larger than {LARGEST_ONES} x {LARGEST_ONES}")
        shape = (sizes[0], sizes[-1])
        return ex.eye(shape) if name == "eye" else Expr("ones", (), None, shape) if shape != (1, 1) else ex.ONE

    def _axis(self, name: str, n: ast.Call) -> int | None:
        for k in n.keywords:
            if k.arg != "axis" or name not in (*REDUCTIONS, *VECTOR_FUNCTIONS):
                raise SpecError(f"{name} has no option {k.arg!r} in {shorten(self.source)!r}",
                                hint=f"axis= belongs to sum, mean, max, min, {', '.join(list(VECTOR_FUNCTIONS)[:-1])} and {list(VECTOR_FUNCTIONS)[-1]}")
            if not isinstance(k.value, ast.Constant) or not isinstance(k.value.value, int | float) or k.value.value not in (0, 1) or isinstance(k.value.value, bool):
                raise SpecError(f"axis must be 0 (down the rows) or 1 (along the columns) in {shorten(self.source)!r}")
            return int(k.value.value)
        return None

    def _count(self, name: str, args: tuple[Expr, ...], expected: int) -> None:
        if len(args) != expected:
            raise SpecError(f"{name} takes {expected} argument{'s' * (expected > 1)}, not {len(args)}, in {shorten(self.source)!r}")

    def _reduce(self, name: str, arg: Expr, axis: int | None) -> Expr:
        if not arg.shape:
            return arg
        out = ex.node(REDUCTIONS[name], (arg,), axis)
        if name != "mean":
            return out
        sizes = arg.shape if axis is None else (arg.shape[axis],)
        return ex.mul(*(1 / ex.size(d) for d in sizes), out)

    def _over(self, name: str, arg: Expr, axis: int | None) -> Expr:
        if not arg.shape:
            raise SpecError(f"{name} needs a vector, and {ex.text(arg)} is a scalar")
        if axis is None:
            axis = 1 if arg.shape[0] == 1 else 0
        return ex.node("over", (arg,), (name, axis))


def _dot(u: Expr, v: Expr) -> Expr:
    """The dot product of two columns, or of two rows."""
    if not u.shape or u.shape != v.shape or 1 not in u.shape:
        raise SpecError(f"dot needs two vectors of the same shape, and {ex.text(u)} is {ex.show_shape(u.shape)}, {ex.text(v)} is {ex.show_shape(v.shape)}")
    return ex.node("matmul", (ex.node("T", (u,)), v) if u.shape[1] == 1 else (u, ex.node("T", (v,))))


def _repeated(args: tuple[Expr, ...]) -> str:
    """How a column or a row of a sum is repeated to the shape of the other term."""
    for a, b in ((a, b) for a in args for b in args if a.shape and b.shape and a.shape != b.shape):
        if a.shape == (1, b.shape[1]):
            return f"repeat it for every row: ones({b.shape[0]}, 1) @ {ex.text(a)}"
        if a.shape == (b.shape[0], 1):
            return f"repeat it for every column: {ex.text(a)} @ ones(1, {b.shape[1]})"
    return ""


def _magnitude(e: Expr) -> float:
    """How large a constant tree is at most; infinite where a float cannot say."""
    sizes = [_magnitude(x) for x in e.args]
    try:
        match e.op:
            case "num": return abs(float(e.data))
            case "add" | "sum": return sum(sizes)
            case "mul": return math.prod(sizes)
            case "div": return sizes[0] / sizes[1]
            case "pow": return sizes[0] ** sizes[1]
            case "call" if e.data == "exp": return math.exp(sizes[0])
            case "call" if e.data in ("sinh", "cosh"): return math.cosh(sizes[0])
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return max(sizes, default=1.0)


def _negative(e: Expr) -> bool:
    return e.op == "neg" or (_rational(e) and e.data < 0)


def _opposite(e: Expr) -> Expr:
    """What stands behind the minus sign; a number keeps how it was written."""
    return e.args[0] if e.op == "neg" else Expr("num", (), -e.data, (), e.role)


def _rational(e: Expr) -> bool:
    return e.op == "num" and isinstance(e.data, Fraction)


def _bracketed(source: str, n: ast.expr) -> bool:
    """Whether a term stood in brackets of its own: a + (b + c) is not a + b + c."""
    text = source.strip()
    return bool(n.end_col_offset is not None and text[n.end_col_offset:].lstrip().startswith(")")
                and text[:n.col_offset].rstrip().endswith("("))


def _word(n: ast.expr) -> str:
    return {"Compare": "a comparison", "BoolOp": "and/or", "List": "a list", "Tuple": "a comma",
            "Lambda": "a lambda", "IfExp": "if/else", "Dict": "braces", "Set": "braces", "JoinedStr": "a string"}.get(
        type(n).__name__, f"a {type(n).__name__}")
