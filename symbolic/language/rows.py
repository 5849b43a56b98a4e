r"""What a row of the table of functions is, and what follows from it; the rows stand in ``functions``.

A row states a formula in the input ``z``. Its ``slope`` (the form a teacher writes, in the
input ``z`` and the output ``a``) and ``numpy`` (a stable form) are second statements that a test
holds to the first; without them SymPy differentiates the formula.

>>> square = row("square_demo", z**2, because="The slope of a square is twice its input.")
>>> square.slope_text(), float(square.numpy(3.0)), float(square.numpy_slope(3.0))
('2*z', 9.0, 6.0)
>>> del FUNCTIONS["square_demo"]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import sympy as sp

from .. import expr as ex
from ..expr import Expr
from .run import load

z, a, u, v = sp.symbols("z a u v", real=True)


@dataclass(frozen=True, eq=False)
class Row:
    """An elementwise function.

    formula: SymPy expression in z (or u and v), None for a primitive that SymPy and mpmath
    know by name; slopes: one per argument, in the arguments and the output a; because: the
    sentence a teacher says about the slope; kinks: inputs where there is no slope, with the
    convention in ``at_kink``; prime: whether the slope is first written f'(z); range (LaTeX) and
    used: for the catalogue; convention: which of several published versions this is, and whose
    numbers; warning: what a page says wherever it is differentiated (both whole sentences); stable: NumPy source or a
    SymPy form that loses no digits, of the value and of each slope; complement: one minus the
    function, in such a form; via: for a primitive, the formula from which its slope is derived; inverse: the function that it
    undoes, from whose slope its own is derived; defined: where it is defined and has a slope, where that is not everywhere;
    through: forms of the slope on the way to the stated one; start: a first value for a second
    argument that a layer learns.
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
    range: str = ""
    used: str = ""
    convention: str = ""
    warning: str = ""
    stable: tuple[Any, ...] = ()
    complement: sp.Expr | None = None
    via: sp.Expr | None = None
    inverse: str = ""
    defined: str = ""
    through: tuple[sp.Expr, ...] = ()
    start: Fraction | None = None
    general: str = ""

    def __call__(self, *args: sp.Expr) -> sp.Expr:
        """The function applied, as SymPy writes it: ``sigmoid(z)`` in another row's formula."""
        return self.function(*args)

    def expand(self, *args: sp.Expr) -> sp.Expr:
        """The defining formula with the arguments put in, down to SymPy's own functions."""
        if self.formula is None:
            return self.function(*args)
        return expand_rows(self.formula).subs(dict(zip(self.args, args, strict=True)), simultaneous=True)

    @property
    def numpy_code(self) -> str:
        """NumPy source of the function with ``{z}`` for its argument, in the stable form where the row states one."""
        return self.stable[0] if isinstance(self.stable[0], str) and self.stable[0] else source(self.stable[0] or self.function(*self.args), self.args)

    @property
    def numpy_slope_codes(self) -> tuple[str, ...]:
        """NumPy source of the slope for each argument."""
        forms = self.stable[1:] or (None,) * len(self.args)
        whole = [s.subs(a, self.function(*self.args)) for s in self.slopes]
        return tuple(f if isinstance(f, str) and f else source(f or w, self.args) for f, w in zip(forms, whole, strict=True))

    @property
    def numpy(self) -> Callable[..., Any]:
        """The function on NumPy arrays (the stable form where the row states one)."""
        return compiled(self.numpy_code, [s.name for s in self.args])

    @property
    def numpy_slope(self) -> Callable[..., Any]:
        """The slope for the first argument on NumPy arrays."""
        return compiled(self.numpy_slope_codes[0], [s.name for s in self.args])

    @property
    def numpy_complement(self) -> Callable[..., Any]:
        """One minus the function on NumPy arrays, without loss of digits; where the row states none, the plain difference."""
        return compiled(source(self.complement, self.args) if self.complement is not None else f"1 - {self.numpy_code}", [s.name for s in self.args])

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


def row(name: str, formula: sp.Expr | None, *, slope: Any = None, tex: str = "", because: str = "", numpy: Any = "",
        numpy_slope: Any = "", activation: bool = False, args: tuple[sp.Symbol, ...] = (z,), function: Any = None, **more: Any) -> Row:
    """Add a function to the table; more: the other fields of ``Row``.

    slope: a SymPy expression in the arguments and the output ``a`` (a tuple for two arguments);
    left out, SymPy differentiates the formula. numpy, numpy_slope: source with ``{z}``, or a SymPy
    expression, where the formula itself would overflow or lose digits.
    """
    slopes = slope if isinstance(slope, tuple) else (slope,) * len(args)
    if any(s is None for s in slopes):
        whole = formula if formula is not None else function(*args)
        slopes = tuple(sp.diff(whole, x) for x in args)
    tex = tex or r"\operatorname{%s}" % name.replace("_", r"\,")
    stable = (numpy, *(numpy_slope if isinstance(numpy_slope, tuple) else (numpy_slope,) * len(args)))
    made = function or _sympy_function(name, formula, args, slopes, tex, numpy)
    because = because or f"The slope of {name.replace('_', ' ')} follows from its formula."
    prime = activation and name != "identity" and len(args) == 1
    FUNCTIONS[name] = Row(name, formula, args, slopes, made, tex, because, activation=activation, prime=prime, stable=stable, **more)
    slope_form.cache_clear()
    definition.cache_clear()
    return FUNCTIONS[name]


def vector_row(name: str, **fields: Any) -> VectorRow:
    """Add a function of a whole vector to the table."""
    VECTOR_FUNCTIONS[name] = VectorRow(name, **fields)
    (ex.REDUCING.add if VECTOR_FUNCTIONS[name].reduces else ex.REDUCING.discard)(name)
    return VECTOR_FUNCTIONS[name]


# ---------------------------------------------------------------- NumPy

def source(e: sp.Expr, args: tuple[sp.Symbol, ...]) -> str:
    """NumPy source of a SymPy expression, with ``{z}`` for its arguments."""
    from sympy.printing.numpy import NumPyPrinter

    printer = NumPyPrinter({"allow_unknown_functions": True})
    return str(printer.doprint(e.xreplace({s: sp.Symbol("({%s})" % s.name, real=True) for s in args})))


def numpy_names() -> dict[str, Any]:
    """What the sources use beside NumPy: erf and erfc of Python's own ``math``, entry by entry."""
    import math

    import numpy

    return {f.__name__: numpy.vectorize(f, otypes=[float]) for f in (math.erf, math.erfc)}


def compiled(code: str, names: list[str]) -> Callable[..., Any]:
    """NumPy source with ``{z}`` as a function of the named arguments."""
    import numpy

    return load(f"def f({', '.join(names)}):\n    return {code.format(**{n: n for n in names})}\n", {"numpy": numpy, **numpy_names()})["f"]  # type: ignore[no-any-return]


def _sympy_function(name: str, formula: sp.Expr, args: tuple[sp.Symbol, ...], slopes: tuple[sp.Expr, ...],
                    tex: str, numpy: Any) -> Any:
    """A genuine SymPy function, so that diff, latex and lambdify work on it at once."""
    def put(self: Any, e: sp.Expr) -> sp.Expr:
        return e.subs({**dict(zip(args, self.args, strict=True)), a: self}, simultaneous=True)

    def numpycode(self: Any, printer: Any) -> str:
        if isinstance(numpy, str) and numpy:
            return numpy.format(**{str(s): printer._print(x) for s, x in zip(args, self.args, strict=True)})
        return printer._print(put(self, numpy or formula))  # the rows in it print their own stable forms

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

@cache
def slope_form(name: str, k: int = 0) -> Expr:
    """The slope of a row for its k-th argument, as a tree in the names of its arguments and ``a``."""
    return from_sympy(FUNCTIONS[name].slopes[k])


@cache
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
    square = e**2
    if square.replace(sp.pi, sp.Integer(1)).is_Rational is not True or square.is_Rational or e.is_negative:
        return e
    above, below = sp.fraction(square)
    root = sp.sqrt(above)
    over = sp.Pow(below, -sp.Rational(1, 2), evaluate=False)
    return over if root == 1 else sp.Mul(root, over, evaluate=False) if root.is_Integer else sp.Pow(square, sp.Rational(1, 2), evaluate=False)


def _cases(e: sp.Piecewise) -> Expr:
    args: list[Expr] = []
    signs: list[str] = []
    for value, condition in e.args:
        if condition == sp.true:
            return ex.node("cases", (*args, from_sympy(value)), tuple(signs))
        args += [from_sympy(condition.lhs), from_sympy(condition.rhs), from_sympy(value)]
        signs.append(condition.rel_op)
    raise ValueError(f"{e} needs a last case 'otherwise'")


