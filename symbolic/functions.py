r"""The table of functions: one row each, and everything follows from the row.

A row states a formula in the input ``z``. Its ``slope`` (the form a teacher writes, in the
input ``z`` and the output ``a``) and ``numpy`` (a stable form) are second statements that a test
holds to the first; without them SymPy differentiates the formula. A new activation is one line:

>>> row("cube_demo", z**3, activation=True).slope_text()
'3*z**2'
>>> FUNCTIONS["sigmoid"].slope_text()
'a*(1 - a)'
>>> del FUNCTIONS["cube_demo"]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import sympy as sp

from . import expr as ex
from .expr import Expr

z, a, u, v = sp.symbols("z a u v", real=True)
SYMBOLS = {"z": z, "a": a, "u": u, "v": v}


@dataclass(frozen=True, eq=False)
class Row:
    """An elementwise function.

    formula: SymPy expression in z (or u and v), None for a primitive that SymPy and mpmath
    know by name; slopes: one per argument, in the arguments and the output a; because: the
    sentence a teacher says about the slope; kinks: inputs where there is no slope, with the
    convention in ``at_kink``; prime: whether the slope is first written f'(z).
    """

    name: str
    formula: sp.Expr | None
    args: tuple[sp.Symbol, ...]
    slopes: tuple[sp.Expr, ...]
    function: Any
    tex: str
    because: str
    kinks: tuple[int, ...] = ()
    at_kink: str = ""
    activation: bool = False
    prime: bool = False

    def __call__(self, *args: sp.Expr) -> sp.Expr:
        """The function applied, as SymPy writes it: ``sigmoid(z)`` in another row's formula."""
        return self.function(*args)

    def expand(self, *args: sp.Expr) -> sp.Expr:
        """The defining formula with the arguments put in, down to SymPy's own functions."""
        if self.formula is None:
            return self.function(*args)
        return expand_rows(self.formula).subs(dict(zip(self.args, args, strict=True)), simultaneous=True)

    @property
    def numpy(self) -> Callable[..., Any]:
        """The function on NumPy arrays (the stable form where the row states one)."""
        return sp.lambdify(self.args, self.function(*self.args), modules="numpy")

    def slope_text(self, k: int = 0) -> str:
        return ex.text(slope_form(self.name, k))


FUNCTIONS: dict[str, Row] = {}


def row(name: str, formula: sp.Expr | None, *, slope: Any = None, tex: str = "", because: str = "",
        numpy: str = "", kinks: tuple[int, ...] = (), at_kink: str = "", activation: bool = False,
        args: tuple[sp.Symbol, ...] = (z,), function: Any = None) -> Row:
    """Add a function to the table.

    slope: a SymPy expression in the arguments and the output ``a`` (a tuple for two arguments);
    left out, SymPy differentiates the formula. numpy: source with ``{z}``, where the formula
    itself would overflow.
    """
    slopes = slope if isinstance(slope, tuple) else (slope,) * len(args)
    if any(s is None for s in slopes):
        whole = formula if formula is not None else function(*args)
        slopes = tuple(sp.diff(whole, x) for x in args)
    tex = tex or r"\operatorname{%s}" % name.replace("_", r"\,")
    made = function or _sympy_function(name, formula, args, slopes, tex, numpy)
    because = because or f"The slope of {name.replace('_', ' ')} follows from its formula."
    FUNCTIONS[name] = Row(name, formula, args, slopes, made, tex, because, kinks, at_kink,
                          activation, prime=activation and name != "identity")
    slope_form.cache_clear()
    definition.cache_clear()
    return FUNCTIONS[name]


def _sympy_function(name: str, formula: sp.Expr, args: tuple[sp.Symbol, ...], slopes: tuple[sp.Expr, ...],
                    tex: str, numpy: str) -> Any:
    """A genuine SymPy function, so that diff, latex and lambdify work on it at once."""
    def put(self: Any, e: sp.Expr) -> sp.Expr:
        return e.subs({**dict(zip(args, self.args, strict=True)), a: self}, simultaneous=True)

    def numpycode(self: Any, printer: Any) -> str:
        if numpy:
            return numpy.format(**{str(s): printer._print(x) for s, x in zip(args, self.args, strict=True)})
        return printer._print(put(self, formula))  # the rows in it print their own stable forms

    return type(name, (sp.Function,), {
        "nargs": len(args),
        "fdiff": lambda self, argindex=1: put(self, slopes[argindex - 1]),
        "_eval_is_extended_real": lambda self: all(x.is_extended_real for x in self.args),
        "_eval_evalf": lambda self, prec: put(self, expand_rows(formula))._eval_evalf(prec),
        "_latex": lambda self, printer: rf"{tex}\left({', '.join(map(printer._print, self.args))}\right)",
        "_numpycode": numpycode,
        "formula": formula,
    })


def expand_rows(e: sp.Expr) -> sp.Expr:
    """Replace every function of our table by its formula, until only SymPy's own are left."""
    def ours(f: Any) -> bool:
        return isinstance(f, sp.Function) and getattr(FUNCTIONS.get(type(f).__name__), "formula", None) is not None

    return e.replace(ours, lambda f: FUNCTIONS[type(f).__name__].expand(*f.args))


# ---------------------------------------------------------------- SymPy -> our trees

@lru_cache(maxsize=None)
def slope_form(name: str, k: int = 0) -> Expr:
    """The slope of a row for its k-th argument, as a tree in the names of its arguments and ``a``."""
    return from_sympy(FUNCTIONS[name].slopes[k])


@lru_cache(maxsize=None)
def definition(name: str) -> Expr | None:
    """The formula of a row as a tree; None for a primitive."""
    formula = FUNCTIONS[name].formula
    return None if formula is None else from_sympy(formula)


def from_sympy(e: sp.Expr) -> Expr:
    """A SymPy scalar as an ordered tree: numbers first, symbols before sums, positive terms first."""
    if isinstance(e, sp.Symbol):
        return ex.sym(e.name)
    if e.is_Rational:
        return ex.num(Fraction(int(e.p), int(e.q)))
    if e.is_number:
        return ex.num(e)
    if isinstance(e, sp.Add):
        terms = sorted(e.args, key=lambda t: (t.could_extract_minus_sign(), bool(t.is_number and t != 1), sp.default_sort_key(t)))
        return ex.add(*map(from_sympy, terms))
    if isinstance(e, sp.Mul):
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


def _cases(e: sp.Piecewise) -> Expr:
    args: list[Expr] = []
    signs: list[str] = []
    for value, condition in e.args:
        if condition == sp.true:
            return ex.node("cases", (*args, from_sympy(value)), tuple(signs))
        args += [from_sympy(condition.lhs), from_sympy(condition.rhs), from_sympy(value)]
        signs.append(condition.rel_op)
    raise ValueError(f"{e} needs a last case 'otherwise'")


# ---------------------------------------------------------------- the rows

def _either(value: Any, condition: Any, otherwise: Any) -> sp.Expr:
    return sp.Piecewise((value, condition), (otherwise, True))


row("exp", None, function=sp.exp, slope=a, tex=r"\exp", because="The exponential is its own slope.")
row("log", None, function=sp.log, slope=1/z, tex=r"\ln", because="The slope of the natural logarithm is one over its input.")
row("sqrt", None, function=sp.sqrt, slope=1/(2*a), tex=r"\sqrt", because="The slope of the root is one over twice the root.")
row("sin", None, function=sp.sin, slope=sp.cos(z), tex=r"\sin", because="The slope of the sine is the cosine.")
row("cos", None, function=sp.cos, slope=-sp.sin(z), tex=r"\cos", because="The slope of the cosine is minus the sine.")
row("tan", None, function=sp.tan, slope=1 + a**2, tex=r"\tan", because="The slope of the tangent is one plus its square.")
row("asin", None, function=sp.asin, slope=1/sp.sqrt(1 - z**2), tex=r"\arcsin", because="The slope of the arcsine comes from the inverse function rule.")
row("acos", None, function=sp.acos, slope=-1/sp.sqrt(1 - z**2), tex=r"\arccos", because="The slope of the arccosine is minus that of the arcsine.")
row("atan", None, function=sp.atan, slope=1/(1 + z**2), tex=r"\arctan", because="The slope of the arctangent is one over one plus the square.")
row("sinh", None, function=sp.sinh, slope=sp.cosh(z), tex=r"\sinh", because="The slope of the hyperbolic sine is the hyperbolic cosine.")
row("cosh", None, function=sp.cosh, slope=sp.sinh(z), tex=r"\cosh", because="The slope of the hyperbolic cosine is the hyperbolic sine.")
row("tanh", None, function=sp.tanh, slope=1 - a**2, tex=r"\tanh", activation=True,
    because="The slope of tanh is one minus its output squared.")
row("abs", sp.Piecewise((z, z > 0), (-z, z < 0), (0, True)), slope=sp.Piecewise((1, z > 0), (-1, z < 0), (0, True)),
    kinks=(0,), at_kink="at 0, where there is no slope, 0 is used",
    because="The slope of the absolute value is the sign of its input.")
row("max", _either(u, u > v, v), args=(u, v), slope=(_either(1, u > v, 0), _either(0, u > v, 1)), tex=r"\max",
    at_kink="where both are equal the second counts", because="The larger one passes the gradient on, the other gets nothing.")
row("min", _either(v, u > v, u), args=(u, v), slope=(_either(0, u > v, 1), _either(1, u > v, 0)), tex=r"\min",
    at_kink="where both are equal the first counts", because="The smaller one passes the gradient on, the other gets nothing.")

row("identity", z, slope=sp.Integer(1), activation=True, because="The identity has slope one.")
sigmoid = row("sigmoid", 1/(1 + sp.exp(-z)), slope=a*(1 - a), tex=r"\sigma", activation=True,
              numpy="(0.5*(1 + numpy.tanh(0.5*({z}))))",
              because="The slope of the sigmoid is its output times one minus its output.")
row("relu", _either(z, z > 0, 0), slope=_either(1, z > 0, 0), tex=r"\operatorname{ReLU}", activation=True,
    kinks=(0,), at_kink="at 0, where there is no slope, 0 is used",
    because="ReLU passes the gradient where its input is positive and stops it elsewhere.")
row("leaky_relu", _either(z, z > 0, z/100), slope=_either(1, z > 0, sp.Rational(1, 100)), tex=r"\operatorname{LReLU}",
    activation=True, kinks=(0,), at_kink="at 0, where there is no slope, 1/100 is used",
    because="Leaky ReLU has slope one where its input is positive and 1/100 elsewhere.")
row("softplus", sp.log(1 + sp.exp(z)), slope=sigmoid(z), tex=r"\operatorname{softplus}", activation=True,
    numpy="numpy.logaddexp(0, {z})", because="The slope of softplus is the sigmoid.")
row("silu", z*sigmoid(z), tex=r"\operatorname{SiLU}", activation=True,
    because="Product rule: the sigmoid, plus the input times the slope of the sigmoid.")


# ---------------------------------------------------------------- functions of a whole vector

@dataclass(frozen=True, eq=False)
class VectorRow:
    """A function of a whole vector: its defining equation, and its pullback as a teacher writes it.

    define(z, axis) and pull(g, a, axis) build trees; the pullback is a second statement, proved
    against the definition for every shape in which it is used.
    """

    name: str
    define: Callable[[Expr, int | None], Expr]
    pull: Callable[[Expr, Expr, int | None], Expr]
    tex: str
    because: str
    activation: bool = True


def _softmax(z: Expr, axis: int | None) -> Expr:
    e = ex.node("call", (z,), "exp")
    below = ex.total(e, axis)
    return ex.node("div", (e, ex.spread(below, axis, z.shape) if below.shape else below))


def _softmax_pull(g: Expr, p: Expr, axis: int | None) -> Expr:
    inner = ex.total(g * p, axis)
    return p * (g - (ex.spread(inner, axis, p.shape) if inner.shape else inner))


VECTOR_FUNCTIONS: dict[str, VectorRow] = {
    "softmax": VectorRow("softmax", _softmax, _softmax_pull, r"\operatorname{softmax}",
                         "Every output of softmax depends on every input: each gets its own share minus the average."),
}
