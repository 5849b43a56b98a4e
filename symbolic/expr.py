"""The language of chainrule: an ordered tree that stays as the author wrote it.

A value has the shape ``()`` (a scalar; 1 x 1 products collapse to it) or ``(rows, columns)``.
Forward pass and gradients are written in the same nodes:

    sym num ones eye grad partial   leaves; grad is dL/dv, partial is du/dv
    add neg mul div pow call cases  entrywise; only scalars broadcast
    matmul T sum most least over    matrices; over is a function of a whole vector (softmax),
    matrix                          one of a whole matrix (trace, inverse, determinant, norm)
    slope apply pick                f'(z), an unnamed function f(x), one output of a vector function
    entry bigsum best local same    index level: W_ji, a sum over j, a maximum, du_i/dv_j, 1 where i = j; diff: d/dx[...]

``node`` builds exactly what it is told (for what an author wrote); the Python operators
fold numbers, signs and ones (for what a rule produces).

>>> x = sym("x")
>>> text(node("mul", (x, x))), text(x * 2 * 3 - sym("y"))
('x*x', '6*x - y')
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

from .errors import ShapeError, SpecError
from .language.tree import Dim, Node, Shape, text

ENTRYWISE = frozenset({"add", "neg", "mul", "div", "pow", "call", "cases", "slope", "apply", "pick"})
LEAVES = frozenset({"sym", "num", "ones", "eye", "grad", "partial"})
REDUCING: set[str] = set()  # functions of a whole vector that give one number, filled by their rows


class Samples(int):
    """A size that counts the examples of a batch (its running index is m)."""


def is_samples(size: Dim) -> bool:
    """Whether a size counts examples: a symbolic size always does."""
    return isinstance(size, (Samples, str))


class Expr(Node):
    """One node of the language, with the algebra of the rules: tidy, never more than folding numbers, signs and ones."""

    __slots__ = ()

    def __add__(self, other: Expr | int | Fraction) -> Expr:
        return add(self, other)

    def __radd__(self, other: int | Fraction) -> Expr:
        return add(other, self)

    def __sub__(self, other: Expr | int) -> Expr:
        return add(self, neg(as_expr(other)))

    def __rsub__(self, other: int) -> Expr:
        return add(other, neg(self))

    def __neg__(self) -> Expr:
        return neg(self)

    def __mul__(self, other: Expr | int) -> Expr:
        return mul(self, other)

    def __rmul__(self, other: int) -> Expr:
        return mul(other, self)

    def __truediv__(self, other: Expr | int) -> Expr:
        return mul(self, div(1, other))

    def __rtruediv__(self, other: int) -> Expr:
        return div(other, self)

    def __pow__(self, other: Expr | int) -> Expr:
        return power(self, as_expr(other))

    def __matmul__(self, other: Expr) -> Expr:
        return matmul(self, other)

    @property
    def T(self) -> Expr:
        return transpose(self)


# ---------------------------------------------------------------- leaves

def sym(name: str, shape: Shape = ()) -> Expr:
    """A named value."""
    return Expr("sym", (), name, _scalar_if_single(shape))


def num(value: Any) -> Expr:
    """An exact number: int or Fraction, or a SymPy number such as sqrt(2)."""
    return Expr("num", (), Fraction(value) if isinstance(value, (int, str)) else value)


def ones(shape: Shape) -> Expr:
    """A matrix of ones; a scalar shape gives the number 1."""
    shape = _scalar_if_single(shape)
    return Expr("ones", (), None, shape) if shape else num(1)


def eye(shape: Shape) -> Expr:
    """The identity matrix of a square shape; a scalar shape gives the number 1."""
    return Expr("eye", (), None, shape) if _scalar_if_single(shape) else num(1)


def grad(of: str, wrt: str, shape: Shape = ()) -> Expr:
    """The gradient d(of)/d(wrt), named, in the shape of wrt."""
    return Expr("grad", (), (of, wrt), _scalar_if_single(shape))


def partial(of: str, wrt: str) -> Expr:
    """The local derivative of one scalar equation: d(of)/d(wrt), other values held."""
    return Expr("partial", (), (of, wrt, "local"))


def as_expr(value: Expr | int | Fraction) -> Expr:
    """A number as a tree; a tree as it is."""
    return value if isinstance(value, Expr) else num(value)


ZERO, ONE = num(0), num(1)


# ---------------------------------------------------------------- exactly what is told

def node(op: str, args: Iterable[Expr], data: Any = None) -> Expr:
    """Build a node as written, with its shape inferred.

    Raises SpecError when the shapes do not fit together.
    """
    args = tuple(args)
    if op in ENTRYWISE:
        return Expr(op, args, data, common_shape(op, args))
    if op == "matmul":
        a, b = args
        if not a.shape or not b.shape:
            return Expr("mul", args, None, a.shape or b.shape)
        if a.shape[1] != b.shape[0]:
            raise ShapeError(f"{text(a)} is {show_shape(a.shape)} and {text(b)} is {show_shape(b.shape)}: "
                            "the columns of the first must equal the rows of the second in a product")
        return Expr(op, args, data, _scalar_if_single((a.shape[0], b.shape[1])))
    (a,) = args
    if op == "T":
        return a if not a.shape else Expr(op, args, data, (a.shape[1], a.shape[0]))
    if op == "over":
        return Expr(op, args, data, _reduced(a.shape, data[1]) if data[0] in REDUCING else a.shape)
    if op in ("sum", "most", "least"):
        return Expr(op, args, data, _reduced(a.shape, data)) if a.shape else a
    raise ValueError(f"no node {op!r}")


def common_shape(op: str, args: Iterable[Expr]) -> Shape:
    """The one shape of the non-scalar arguments of an entrywise operation."""
    shape: Shape = ()
    first: Expr | None = None
    for arg in args:
        if not arg.shape:
            continue
        if first is None:
            first, shape = arg, arg.shape
        elif arg.shape != shape:
            verb = {"add": "added", "mul": "multiplied entrywise", "div": "divided"}.get(op, "combined")
            hint = "; a matrix product is written @" if op == "mul" else ""
            raise ShapeError(f"{text(first)} is {show_shape(shape)} and {text(arg)} is "
                            f"{show_shape(arg.shape)}: they cannot be {verb}{hint}")
    return shape


def show_shape(shape: Shape) -> str:
    """A shape in words: '2 x 1', 'a scalar'."""
    return " x ".join(map(str, shape)) if shape else "a scalar"


def _scalar_if_single(shape: Shape) -> Shape:
    return () if shape and all(isinstance(d, int) and d == 1 for d in shape) else shape


def _reduced(shape: Shape, axis: int | None) -> Shape:
    if axis is None:
        return ()
    return _scalar_if_single((1, shape[1]) if axis == 0 else (shape[0], 1))


# ---------------------------------------------------------------- tidy constructors

def split_number(e: Expr) -> tuple[Any, Expr]:
    """A term as (rational coefficient, rest)."""
    if e.op == "neg":
        c, rest = split_number(e.args[0])
        return -c, rest
    if e.op == "num" and isinstance(e.data, Fraction):
        return e.data, ONE
    if e.op == "mul" and e.args[0].op == "num" and isinstance(e.args[0].data, Fraction):
        return e.args[0].data, _product(e.args[1:], e.role)
    return Fraction(1), e


def neg(e: Expr) -> Expr:
    """Minus e, with double signs removed and numbers folded."""
    if e.op == "neg":
        return e.args[0]
    if e.op == "num":
        return num(-e.data)
    if e.op == "mul" and e.args[0].op == "num" and not isinstance(e.args[0].data, Fraction):
        return Expr("neg", (e,), None, e.shape, e.role)
    if e.op == "mul" and e.args[0].op == "num" and e.args[0].data < 0:
        return mul(num(-e.args[0].data), *e.args[1:])
    return Expr("neg", (e,), None, e.shape, e.role)


def add(*terms: Expr | int | Fraction) -> Expr:
    """A sum in the given order; equal terms are collected, zeros dropped."""
    found: dict[Expr, Any] = {}
    shape = common_shape("add", map(as_expr, terms))
    for term in _flat("add", map(as_expr, terms)):
        c, rest = split_number(term)
        found[rest] = found[rest] + c if rest in found else c
    out = [mul(num(c), rest) for rest, c in found.items() if c != 0]
    if not out:
        return ZERO
    if shape and not any(t.shape for t in out):
        out[0] = out[0] * ones(shape)
    return out[0] if len(out) == 1 else Expr("add", tuple(out), None, shape)


def mul(*factors: Expr | int) -> Expr:
    """An entrywise product in the given order; numbers and signs come first, ones vanish."""
    coefficient: Any = 1  # a fraction only where there is one: comparing fractions is slow
    rest: list[Expr] = []
    spread: Expr | None = None
    for f in _flat("mul", map(as_expr, factors)):
        while f.op == "neg":
            coefficient, f = -coefficient, f.args[0]
        for g in f.args if f.op == "mul" else (f,):
            if g.op == "div":  # numbers leave the fraction, so that 2 * (x/2) is x
                (above, top), (below, bottom) = map(split_number, g.args)
                coefficient *= above / below
                g = Expr("div", (top, bottom), None, g.shape, g.role) if bottom != ONE else top
            if g == ONE:
                continue
            if g.op == "num" and isinstance(g.data, Fraction):
                coefficient *= g.data
            elif g.op == "ones":
                spread = g
            else:
                rest.append(g)
    if coefficient == 0:
        return ZERO
    if spread is not None and not any(f.shape for f in rest):
        rest.append(spread)
    common_shape("mul", rest)
    body = _product(_one_fraction(rest))
    if coefficient == 1:
        return body
    if body == ONE:
        return num(coefficient)
    if coefficient == -1:
        return Expr("neg", (body,), None, body.shape)
    parts = body.args if body.op == "mul" else (body,)
    positive = _product((num(abs(coefficient)), *parts))
    return positive if coefficient > 0 else Expr("neg", (positive,), None, positive.shape)


def _one_fraction(factors: list[Expr]) -> list[Expr]:
    """Gather the quotients among scalar-like factors: y * (1/x) becomes y/x; gradients stay in front."""
    if not any(f.op == "div" for f in factors) or len(factors) == 1:
        return factors
    front = [f for f in factors if f.op in ("grad", "partial")]
    inner = [f for f in factors if f.op not in ("grad", "partial")]
    above = [f.args[0] if f.op == "div" else f for f in inner]
    below = [f.args[1] for f in inner if f.op == "div"]
    role = next((f.role for f in inner if f.op == "div"), None)
    fraction = div(mul(*above), mul(*below))
    return [*front, fraction.with_role(role) if role else fraction]


_RANK = {"num": 0, "sym": 1, "pow": 2, "add": 3, "div": 4}


def ordered(e: Expr) -> Expr:
    """Products as a person writes them: numbers, letters, powers, brackets, then functions."""
    if not e.args:
        return e
    args = tuple(ordered(a) for a in e.args)
    if e.op == "mul" and not any(f.op in ("grad", "partial", "diff") for f in args):
        args = tuple(sorted(args, key=lambda f: _RANK.get(f.op, 5)))
    return Expr(e.op, args, e.data, e.shape, e.role)


def _product(factors: Iterable[Expr], role: str | None = None) -> Expr:
    factors = tuple(f for f in factors if f != ONE)
    if not factors:
        return ONE
    if len(factors) == 1:
        return factors[0]
    return Expr("mul", factors, None, common_shape("mul", factors), role)


def div(a: Expr | int, b: Expr | int) -> Expr:
    """A quotient; numbers fold, the sign goes in front, equal factors are not cancelled."""
    a, b = as_expr(a), as_expr(b)
    if a.op == "neg" or (a.op == "num" and isinstance(a.data, Fraction) and a.data < 0):
        return neg(div(neg(a), b))
    if b == ONE:
        return a
    if b == ZERO:
        raise SpecError("division by zero in the derivative: a denominator is always 0")
    if b.op == "num" and isinstance(b.data, Fraction):
        return mul(num(1 / b.data), a)
    if a.op == "num" and isinstance(a.data, Fraction) and a.data.denominator > 1:
        return div(num(a.data.numerator), mul(num(a.data.denominator), b))
    return Expr("div", (a, b), None, common_shape("div", (a, b)))


def power(base: Expr, exponent: Expr) -> Expr:
    """base ** exponent with the exponents 0 and 1 carried out."""
    if exponent == ONE:
        return base
    if exponent == ZERO:
        return ONE
    return Expr("pow", (base, exponent), None, common_shape("pow", (base, exponent)))


def matmul(a: Expr, b: Expr) -> Expr:
    """A matrix product; products with a scalar are entrywise, numbers and signs come first."""
    if not a.shape or not b.shape:
        return mul(a, b)
    (ca, ra), (cb, rb) = split_number(a), split_number(b)
    if ca * cb != 1:
        return mul(num(ca * cb), matmul(ra, rb))
    for one, other in ((a, b), (b, a)):  # a scalar factor moves in front: (c*A) @ B = c*(A @ B)
        scalars = [f for f in one.args if not f.shape] if one.op == "mul" else []
        if scalars:
            rest = _product([f for f in one.args if f.shape])
            return mul(*scalars, matmul(rest, other) if one is a else matmul(other, rest))
    if "eye" in (a.op, b.op):
        return b if a.op == "eye" else a
    return node("matmul", (a, b))


def transpose(e: Expr) -> Expr:
    """The transpose: twice is nothing; a product is reversed where that takes a transpose away."""
    if e.op == "T":
        return e.args[0]
    if not e.shape or e.op == "eye":
        return e
    if e.op == "matmul" and any(n.op == "T" for n in walk(e)):
        a, b = e.args
        return matmul(transpose(b), transpose(a))
    if e.op == "ones":
        return ones((e.shape[1], e.shape[0]))
    if e.op == "matmul":
        return matmul(transpose(e.args[1]), transpose(e.args[0]))
    if e.op in ("mul", "neg", "add", "div", "call", "slope", "pow", "cases"):
        return Expr(e.op, tuple(transpose(a) for a in e.args), e.data, (e.shape[1], e.shape[0]), e.role)
    return node("T", (e,))


def total(e: Expr, axis: int | None = None) -> Expr:
    """The sum of all entries, or along an axis."""
    if not e.shape:
        return e
    c, rest = split_number(e)
    if c != 1:
        return mul(num(c), total(rest, axis))
    if axis is None and e.op == "ones":
        return mul(*(size(d) for d in e.shape))
    scalars = [f for f in e.args if not f.shape] if e.op == "mul" else []
    if scalars:
        return mul(*scalars, total(_product([f for f in e.args if f.shape]), axis))
    return node("sum", (e,), axis)


def size(d: Dim) -> Expr:
    """A size as a number or, when symbolic, as a name."""
    return sym(d) if isinstance(d, str) else num(int(d))


def spread(e: Expr, axis: int | None, shape: Shape) -> Expr:
    """Repeat what a sum along an axis gave over the shape it came from (its adjoint)."""
    if axis is None or not e.shape:
        return e * ones(shape) if not e.shape else e
    return ones((shape[0], 1)) @ e if axis == 0 else e @ ones((1, shape[1]))


def _flat(op: str, args: Iterable[Expr]) -> Iterator[Expr]:
    for a in args:
        if a.op == op:
            yield from a.args
        else:
            yield a


# ---------------------------------------------------------------- reading a tree

def walk(e: Expr) -> Iterator[Expr]:
    """Every node, parents first."""
    yield e
    for a in e.args:
        yield from walk(a)
