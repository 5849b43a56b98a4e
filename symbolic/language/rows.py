r"""What a row of the table of functions is, and what follows from it; the rows stand in ``functions``.

A row states a formula in the input ``z``, a tree as any other. Its ``slope`` (the form a teacher writes, in the
input ``z`` and the output ``a``) and ``numpy`` (a stable form) are second statements that a test
holds to the first; without them SymPy differentiates the formula. SymPy is imported where a row is asked for its
SymPy form (a proof, a limit, a slope that nobody wrote), not before.

>>> square = row("square_demo", z**2, because="The slope of a square is twice its input.")
>>> square.slope_text(), float(square.numpy(3.0)), float(square.numpy_slope(3.0))
('2*z', 9.0, 6.0)
>>> del FUNCTIONS["square_demo"]
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache, cached_property
from types import FunctionType
from typing import TYPE_CHECKING, Any

from .. import expr as ex
from ..expr import Expr
from .run import load

if TYPE_CHECKING:
    import sympy as sp

z, a, u, v = map(ex.sym, "zauv")
Form = Any  # a tree, a SymPy expression, or a function of nothing that gives one of them: what holds a constant such as pi waits for SymPy
NUMPY_NAMES = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}


@dataclass(frozen=True, eq=False)
class Row:
    """An elementwise function.

    formula: in z (or u and v), None for a primitive that SymPy, mpmath and NumPy
    know by name; slopes: one per argument, in the arguments and the output a (None: SymPy differentiates); because: the
    sentence a teacher says about the slope; kinks: inputs where there is no slope, with the
    convention in ``at_kink``; prime: whether the slope is first written f'(z); range (LaTeX) and
    used: for the catalogue; convention: which of several published versions this is, and whose
    numbers; warning: what a page says wherever it is differentiated (both whole sentences); stable: NumPy source or a
    form that loses no digits, of the value and of each slope; via: for a primitive, the formula from which its slope is derived; inverse: the function that it
    undoes, from whose slope its own is derived; defined: where it is defined and has a slope, where that is not everywhere;
    through: forms of the slope on the way to the stated one; start: a first value for a second
    argument that a layer learns; also: other words for it, which are read as well.
    """

    name: str
    formula: Form
    names: tuple[str, ...]
    slopes: tuple[Form, ...]
    tex: str
    because: str
    kinks: tuple[int, ...] = ()
    at_kink: str = ""
    activation: bool = False
    prime: bool = False
    range: str = ""
    used: str = ""
    convention: str = ""
    warning: str = ""
    stable: tuple[Any, ...] = ()
    via: Form = None
    inverse: str = ""
    defined: str = ""
    through: tuple[Form, ...] = ()
    start: Fraction | None = None
    general: str = ""
    also: tuple[str, ...] = ()

    def __call__(self, *args: Any) -> Any:
        """The function applied: ``sigmoid(z)`` in another row's formula, or of SymPy expressions."""
        return ex.node("call", args, self.name) if any(isinstance(x, Expr) for x in args) else self.function(*args)

    @cached_property
    def args(self) -> tuple[sp.Symbol, ...]:
        """The arguments as SymPy's symbols."""
        import sympy as sp

        return tuple(sp.Symbol(n, real=True) for n in self.names)

    @cached_property
    def sympy_slopes(self) -> tuple[sp.Expr, ...]:
        """The slopes as SymPy writes them; where the row states none, the derivative of the formula."""
        return tuple(as_sympy(self.formula).diff(x) if slope is None else as_sympy(slope) for x, slope in zip(self.args, self.slopes, strict=True))

    @cached_property
    def function(self) -> Any:
        """A genuine SymPy function."""
        import sympy as sp

        return getattr(sp, self.name) if self.formula is None else _sympy_function(self)

    def expand(self, *args: sp.Expr) -> sp.Expr:
        """The defining formula with the SymPy arguments put in, down to SymPy's own functions."""
        if self.formula is None:
            return self.function(*args)
        return expand_rows(as_sympy(self.formula)).subs(dict(zip(self.args, args, strict=True)), simultaneous=True)

    def stated(self, k: int | None) -> str:
        """The NumPy source that the row states for its value (None) or a slope, "" where it states none."""
        form = self.stable[0 if k is None else k + 1]
        if k is None and not form and self.formula is None:
            return f"numpy.{NUMPY_NAMES.get(self.name, self.name)}({{z}})"
        return form if isinstance(form, str) else ""

    @property
    def numpy_code(self) -> str:
        """NumPy source of the function with ``{z}`` for its argument, in the stable form where the row states one."""
        return self.stated(None) or source(as_sympy(self.stable[0]) if self.stable[0] else self.function(*self.args), self.names)

    @property
    def numpy_slope_codes(self) -> tuple[str, ...]:
        """NumPy source of the slope for each argument."""
        return tuple(self.stated(k) or source(self._slope(k), self.names) for k in range(len(self.names)))

    def _slope(self, k: int) -> sp.Expr:
        """The stable SymPy form of a slope, in the arguments alone."""
        import sympy as sp

        return as_sympy(self.stable[k + 1]) if self.stable[k + 1] else self.sympy_slopes[k].subs(sp.Symbol("a", real=True), self.function(*self.args))

    @property
    def numpy(self) -> Callable[..., Any]:
        """The function on NumPy arrays (the stable form where the row states one)."""
        return compiled(self.numpy_code, self.names)

    @property
    def numpy_slope(self) -> Callable[..., Any]:
        """The slope for the first argument on NumPy arrays."""
        return compiled(self.numpy_slope_codes[0], self.names)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a page must say wherever the function is differentiated: the version, the kinks, a warning."""
        return tuple(filter(None, (self.warning, self.at_kink and f"Convention: {self.at_kink}.", self.convention)))

    def slope_text(self, k: int = 0) -> str:
        return ex.text(slope_form(self.name, k))

    def having(self, **fields: Any) -> Row:
        """The same row with more said about it."""
        return replace(self, **fields)


@dataclass(frozen=True, eq=False)
class VectorRow:
    """A function of a whole vector: its defining equation, and its pullback as a teacher writes it.

    define(z, axis) and pull(g, z, a, axis) build trees (g: the gradient of the output a); the
    pullback is a second statement, proved against the definition for every shape in which it is
    used. jacobian(z, a, axis, i, j, at): da_i/dz_j with running
    indices, where at(e, i) is the entry i of the vector e; whole(z, a): the same as one matrix, of columns z and a,
    one row an output. reduces: one number a
    vector, so that the shape shrinks. numpy_code in {z} and {axis}, numpy_pull_code in {g}, {z},
    {a} and {axis}: stable NumPy source.
    """

    name: str
    define: Callable[[Expr, int | None], Expr]
    pull: Callable[[Expr, Expr, Expr, int | None], Expr]
    jacobian: Callable[[Expr, Expr, int | None, str, str, Callable[[Expr, str], Expr]], Expr]
    whole: Callable[[Expr, Expr], Expr]
    tex: str
    because: str
    numpy_code: str
    numpy_pull_code: str
    activation: bool = True
    reduces: bool = False
    range: str = ""
    used: str = ""
    convention: str = ""
    also: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What a page must say wherever the function is differentiated."""
        return (self.convention,) if self.convention else ()

    @property
    def numpy(self) -> Callable[..., Any]:
        """The function on a NumPy array and along an axis (which stays, with size 1, where it reduces)."""
        return compiled(self.numpy_code, ["z", "axis"])

    @property
    def numpy_pull(self) -> Callable[..., Any]:
        """The gradient of the input, from that of the output, the input, the output and the axis."""
        return compiled(self.numpy_pull_code, ["g", "z", "a", "axis"])


FUNCTIONS: dict[str, Row] = {}
VECTOR_FUNCTIONS: dict[str, VectorRow] = {}


def row(name: str, formula: Form, *, slope: Form | tuple[Form, ...] = None, tex: str = "", because: str = "", numpy: Form = "",
        numpy_slope: Form = "", activation: bool = False, args: tuple[Expr, ...] = (z,), **more: Any) -> Row:
    """Add a function to the table; more: the other fields of ``Row``.

    slope: in the arguments and the output ``a`` (a tuple for two arguments);
    left out, SymPy differentiates the formula. numpy, numpy_slope: source with ``{z}``, or a
    tree, where the formula itself would overflow or lose digits.
    """
    slopes = slope if isinstance(slope, tuple) else (slope,) * len(args)
    tex = tex or r"\operatorname{%s}" % name.replace("_", r"\,")
    stable = (numpy, *(numpy_slope if isinstance(numpy_slope, tuple) else (numpy_slope,) * len(args)))
    because = because or f"The slope of {name.replace('_', ' ')} follows from its formula."
    prime = activation and name != "identity" and len(args) == 1
    FUNCTIONS[name] = Row(name, formula, tuple(x.data for x in args), slopes, tex, because, activation=activation, prime=prime, stable=stable, **more)
    slope_form.cache_clear()
    definition.cache_clear()
    return FUNCTIONS[name]


def vector_row(name: str, **fields: Any) -> VectorRow:
    """Add a function of a whole vector to the table."""
    VECTOR_FUNCTIONS[name] = VectorRow(name, **fields)
    (ex.REDUCING.add if VECTOR_FUNCTIONS[name].reduces else ex.REDUCING.discard)(name)
    return VECTOR_FUNCTIONS[name]


# ---------------------------------------------------------------- NumPy

def source(e: sp.Expr, names: tuple[str, ...]) -> str:
    """NumPy source of a SymPy expression, with ``{z}`` for its arguments."""
    import sympy as sp
    from sympy.printing.numpy import NumPyPrinter

    printer = NumPyPrinter({"allow_unknown_functions": True})
    return str(printer.doprint(e.xreplace({sp.Symbol(n, real=True): sp.Symbol("({%s})" % n, real=True) for n in names})))


def numpy_names() -> dict[str, Any]:
    """What the sources use beside NumPy: erf and erfc of Python's own ``math``, entry by entry."""
    import numpy

    return {f.__name__: numpy.vectorize(f, otypes=[float]) for f in (math.erf, math.erfc)}


def compiled(code: str, names: Sequence[str]) -> Callable[..., Any]:
    """NumPy source with ``{z}`` as a function of the named arguments."""
    import numpy

    return load(f"def f({', '.join(names)}):\n    return {code.format(**{n: n for n in names})}\n", {"numpy": numpy, **numpy_names()})["f"]  # type: ignore[no-any-return]


def _sympy_function(row: Row) -> Any:
    """A genuine SymPy function, so that diff, latex and lambdify work on it at once."""
    import sympy as sp

    def put(self: Any, e: sp.Expr) -> sp.Expr:
        return e.subs({**dict(zip(row.args, self.args, strict=True)), sp.Symbol("a", real=True): self}, simultaneous=True)

    def numpycode(self: Any, printer: Any) -> str:
        if row.stated(None):
            return row.stated(None).format(**{n: printer._print(x) for n, x in zip(row.names, self.args, strict=True)})
        return printer._print(put(self, as_sympy(row.stable[0] or row.formula)))  # the rows in it print their own stable forms

    return type(row.name, (sp.Function,), {
        "nargs": len(row.names),
        "fdiff": lambda self, argindex=1: put(self, row.sympy_slopes[argindex - 1]),
        "_eval_is_extended_real": lambda self: all(x.is_extended_real for x in self.args),
        "_eval_evalf": lambda self, prec: put(self, expand_rows(as_sympy(row.formula)))._eval_evalf(prec),
        "_latex": lambda self, printer: rf"{row.tex}\left({', '.join(map(printer._print, self.args))}\right)",
        "_numpycode": numpycode,
    })


def expand_rows(e: sp.Expr) -> sp.Expr:
    """Replace every function of our table by its formula, until only SymPy's own are left."""
    import sympy as sp

    def ours(f: Any) -> bool:
        return isinstance(f, sp.Function) and getattr(FUNCTIONS.get(type(f).__name__), "formula", None) is not None

    return e.replace(ours, lambda f: FUNCTIONS[type(f).__name__].expand(*f.args))


# ---------------------------------------------------------------- our trees and SymPy

def as_tree(form: Form) -> Expr:
    """A form of a row as a tree."""
    form = form() if isinstance(form, FunctionType) else form
    return form if isinstance(form, Expr) else from_sympy(form)


def as_sympy(form: Form) -> sp.Expr:
    """A form of a row as a SymPy expression, with the rows in it as functions of their own."""
    from .symbols import Letters, Symbols

    form = form() if isinstance(form, FunctionType) else form
    return Symbols(lambda name: FUNCTIONS[name].function).scalar(form, Letters()) if isinstance(form, Expr) else form


@cache
def slope_form(name: str, k: int = 0) -> Expr:
    """The slope of a row for its k-th argument, as a tree in the names of its arguments and ``a``."""
    slope = FUNCTIONS[name].slopes[k]
    return from_sympy(FUNCTIONS[name].sympy_slopes[k]) if slope is None else as_tree(slope)


@cache
def definition(name: str) -> Expr | None:
    """The formula of a row as a tree; None for a primitive."""
    formula = FUNCTIONS[name].formula
    return None if formula is None else as_tree(formula)


def from_sympy(e: sp.Expr) -> Expr:
    """A SymPy scalar as an ordered tree: numbers first, symbols before sums, positive terms first."""
    import sympy as sp

    if isinstance(e, sp.Symbol):
        return ex.sym(e.name)
    if e.is_Rational:
        return ex.num(Fraction(int(e.p), int(e.q)))
    if e.is_number:
        return ex.num(_one_root(e))
    if isinstance(e, sp.Add):
        terms = sorted(e.args, key=lambda t: (t.could_extract_minus_sign(), bool(t.is_number and t != 1), sp.count_ops(t), sp.default_sort_key(t)))
        return ex.add(*map(from_sympy, terms))
    if isinstance(e, sp.Mul):
        number = sp.Mul(*(f for f in e.args if f.is_number))
        if not number.is_Rational:
            rest = from_sympy(e / number)
            return ex.div(rest, ex.num(1 / number)) if (1 / number)**2 == 2 and rest.op == "sym" else ex.mul(from_sympy(number), rest)
        below = [p for p in e.args if p.is_Pow and p.exp.is_Rational and p.exp.is_negative]
        above = sorted((p for p in e.args if p not in below), key=lambda t: (not t.is_number, t.is_Add, sp.default_sort_key(t)))
        top = ex.mul(*map(from_sympy, above))
        return ex.div(top, ex.mul(*(from_sympy(1 / p) for p in below))) if below else top
    if isinstance(e, sp.exp):
        return ex.node("call", (from_sympy(e.args[0]),), "exp")
    if isinstance(e, sp.Pow):
        if e.exp.is_Rational and e.exp.is_negative:
            return ex.div(1, from_sympy(1 / e))
        if e.exp == sp.Rational(1, 2):
            return ex.node("call", (from_sympy(e.base),), "sqrt")
        return ex.power(from_sympy(e.base), from_sympy(e.exp))
    if isinstance(e, sp.Piecewise):
        return _cases(e)
    if isinstance(e, sp.Heaviside):
        return ex.node("cases", (from_sympy(e.args[0]), ex.ZERO, ex.ONE, ex.ZERO), (">",))
    name = "abs" if isinstance(e, sp.Abs) else type(e).__name__
    if name in FUNCTIONS:
        return ex.node("call", map(from_sympy, e.args), name)
    raise ValueError(f"no row for {name} in {e}; add a row to symbolic.functions.FUNCTIONS")


def _one_root(e: sp.Expr) -> sp.Expr:
    """A number with its roots under one root, as on paper: sqrt(2)/(2 sqrt(pi)) is 1/sqrt(2 pi)."""
    import sympy as sp

    square = e**2
    if square.replace(sp.pi, sp.Integer(1)).is_Rational is not True or square.is_Rational or e.is_negative:
        return e
    above, below = sp.fraction(square)
    root = sp.sqrt(above)
    over = sp.Pow(below, -sp.Rational(1, 2), evaluate=False)
    return over if root == 1 else sp.Mul(root, over, evaluate=False) if root.is_Integer else sp.Pow(square, sp.Rational(1, 2), evaluate=False)


def _cases(e: sp.Piecewise) -> Expr:
    import sympy as sp

    args: list[Expr] = []
    signs: list[str] = []
    for value, condition in e.args:
        if condition == sp.true:
            return ex.node("cases", (*args, from_sympy(value)), tuple(signs))
        args += [from_sympy(condition.lhs), from_sympy(condition.rhs), from_sympy(value)]
        signs.append(condition.rel_op)
    raise ValueError(f"{e} needs a last case 'otherwise'")


