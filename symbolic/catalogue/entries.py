"""How the rows of each table are read as entries of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any

import sympy as sp
from mpmath import mp

from .. import expr as ex
from ..derive import derive
from ..errors import SpecError
from ..expr import Dim, Expr
from ..functions import Row, VectorRow, definition, from_sympy
from ..language.arithmetic import MP, entries
from ..language.floats import absent_at_zero, stable
from ..latex import Printer
from ..layers import stack
from ..lectures.slopes import slope_lesson
from ..lesson import plan
from ..losses import DOMAINS, Loss, loss_equation
from ..models.initial import Init
from ..models.layertypes import LayerType
from ..models.theorems import Theorem, applied
from ..network import Equation, LayerPlan, Network, Symbol
from ..numpytree import tree_code
from ..proof.prove import SYMPY
from ..values import forward, gradients
from ..verify import Certified, certify
from .entry import Entry, Fact, Graph, filled_in, interval, network_code, stated
from .entrytexts import decimal, options

DIGITS = 20        # of a plotted point
OUTPUTS = 3        # of a loss or a function of a vector that is derived
SPAN = (-5.0, 5.0)  # of the plot of a function


# ---------------------------------------------------------------- functions of a number

def function_entry(table: str, name: str, row: Row) -> Entry:
    """An elementwise function: its formula, limits, and the derivation of its slope."""
    network = slope_network(row)
    left = ex.node("call", [ex.sym(n) for n in row.names], name)
    graph = (lambda: _graph(name, row)) if len(row.names) == 1 else None
    return Entry(table, name, row.because, network, ((left, network.equations[0].rhs),), facts=lambda: (*interval(row), *limits(row), *stated(row)),
                 coded=lambda: _function_code(name, row), graph=graph, parts=lambda: (slope_lesson(name),))


def _function_code(name: str, row: Row) -> tuple[str, ...]:
    """a = ..., and a line for each slope; the stable forms where the row states them."""
    names = {n: n for n in row.names}
    value = row.numpy_code
    slopes = row.numpy_slope_codes
    left = ["da"] if len(row.names) == 1 else [f"da_d{s}" for s in names]
    return (f"a = {filled_in(value, **names)}", *(f"{d} = {filled_in(slope, **names)}" for d, slope in zip(left, slopes, strict=True)))


def slope_network(row: Row) -> Network:
    """a = f(z) as a network of one equation."""
    symbols = {n: Symbol(n, (), "input", n) for n in row.names} | {"a": Symbol("a", (), "value", "a")}
    rhs = definition(row.name) or ex.node("call", [ex.sym(n) for n in row.names], row.name)
    return Network((Equation("a", rhs),), symbols)


def _graph(name: str, row: Row) -> Graph:
    z = ex.sym("z")
    call, slope = ex.node("call", (z,), name), ex.node("slope", (z,), (name, 0))

    def at(node: Expr) -> Callable[[float], float]:
        def value(x: float) -> float:
            with mp.workdps(DIGITS):
                return float(entries(node, {"z": [[mp.mpf(x)]]}, MP)[0][0])
        return value

    f, raw = cache(at(call)), at(slope)

    def slope_of(x: float) -> float:
        """The slope, where there is a function to have one."""
        f(x)
        return raw(x)

    kinks = tuple(map(float, row.kinks))
    span = min([SPAN[0], *(k - 2 for k in kinks)]), max([SPAN[1], *(k + 2 for k in kinks)])
    return Graph("z", span, f, slope_of, (f"a = {Printer(slope_network(row), colour=False)(call)}", "da/dz"), kinks)


def limits(row: Row) -> tuple[Fact, ...]:
    """Where the output goes far out, worked out by SymPy; nothing where it does not settle."""
    if len(row.names) != 1:
        return ()
    found = [(v, side) for side in (-sp.oo, sp.oo) if (v := limit(row, side)) is not None]
    said = "; ".join(f"{_spoken(v)} as z goes to {_spoken(side)}" for v, side in found)
    return (Fact("Far out", said, ", ".join(rf"$a \to {sp.latex(v)}$ as $z \to {sp.latex(side)}$" for v, side in found)),) if found else ()


def _spoken(v: sp.Expr) -> str:
    return str(v).replace("oo", "infinity")


@lru_cache(maxsize=256)
def limit(row: Row, side: Any) -> sp.Expr | None:
    """The limit of the piece that holds far out, None where there is none in the real numbers."""
    z = row.args[0]
    far = 1000 if side == sp.oo else -1000

    def piece(e: sp.Piecewise) -> sp.Expr:
        return next(v for v, c in e.args if c == sp.true or c.subs(z, far) == sp.true)

    whole = row.expand(z).replace(lambda e: isinstance(e, sp.Piecewise), piece)
    if not whole.subs(z, far).evalf(5).is_extended_real:
        return None
    try:
        found = sp.limit(whole, z, side)
    except (TypeError, ValueError, NotImplementedError):
        return None
    return found if found.is_extended_real and not found.has(sp.AccumBounds, sp.Limit) and found is not sp.nan else None


# ---------------------------------------------------------------- functions of a whole vector

def vector_entry(table: str, name: str, row: VectorRow) -> Entry:
    """A function of a whole vector: its definition, and what its slope_lesson derives."""
    z = Symbol("z", (OUTPUTS, 1), "input", "z")
    out = ex.node("over", (z.expr,), (name, 0))
    whole = row.define(z.expr, 0)
    network = Network((Equation("a", whole),), {"z": z, "a": Symbol("a", whole.shape, "value", "a")})
    source, back = getattr(row, "numpy_code", ""), getattr(row, "numpy_pull_code", "")
    lines = [f"a = {filled_in(source, z='z', axis='0') if source else tree_code(whole)}"]
    lines += [f"dz = {filled_in(back, g='da', z='z', a='a', axis='0')}"] if back else []
    return Entry(table, name, row.because, network, ((out, whole),), facts=lambda: (*interval(row), *stated(row)), coded=lambda: lines,
                 parts=lambda: (slope_lesson(name),))


# ---------------------------------------------------------------- losses

def loss_entry(table: str, name: str, row: Loss) -> Entry:
    """A loss of one example: line by line for a single output, entry by entry and as a whole for several."""
    several = loss_network(name, OUTPUTS)
    lesson = plan(several, ("index", "matrix"), wrt=("y_hat",))
    right = several.equations[0].rhs

    def facts() -> tuple[Fact, ...]:
        targets = Fact("Targets", DOMAINS[row.domain].expected)
        return (*interval(row), targets, *options(row), *stated(row))

    try:
        single = loss_network(name, 1)
    except SpecError:  # it compares outputs, so that one alone says nothing
        return Entry(table, name, row.because, several, ((ex.sym("L"), right),), facts=facts, coded=lambda: _loss_code(name, row), parts=lambda: (certify(lesson),))
    return Entry(table, name, row.because, several, ((ex.sym("L"), right),), facts=facts, coded=lambda: _loss_code(name, row), graph=lambda: _loss_graph(single),
                 parts=lambda: (certify(plan(single, ("scalar",), wrt=("y_hat",))), certify(lesson)))


def _loss_code(name: str, row: Loss) -> tuple[str, ...]:
    """L and its gradient in NumPy for any number K of outputs, with the options by name, in the form that keeps its digits."""
    network = loss_network(name, "K", {o.name: ex.sym(o.name) for o in row.options})
    y_hat, slope = network.symbols["y_hat"].expr, stable(derive(network).steps["y_hat"].result)
    if any(n.op == "call" and n.data == "log" and y_hat in n.args for n in ex.walk(network.equations[0].rhs)):
        slope = absent_at_zero(slope, y_hat, network.symbols["y"].expr)
    value, back = f"np.{'mean' if row.outputs == 'mean' else 'sum'}({filled_in(row.numpy, axis='0')})", tree_code(slope)
    first = [f"{o.name} = {decimal(o.default)}" for o in row.options if re.search(rf"\b{o.name}\b", f"{value} {back}")]
    return (*first, *(["K = y.size"] if re.search(r"\bK\b", back) else []), f"L = {value}", f"dy_hat = {back}")


def loss_network(name: str, outputs: Dim, options: Mapping[str, Any] | None = None) -> Network:
    """A loss of one example with so many outputs; options may be names. Raises SpecError for a loss that needs more outputs."""
    y_hat, y = Symbol("y_hat", (outputs, 1), "input", "y_hat"), Symbol("y", (outputs, 1), "target", "y")
    equation = loss_equation(name, y_hat.expr, y.expr, outputs=outputs, samples=None, options=options)
    sizes = {outputs: Symbol(outputs, (), "size", outputs)} if isinstance(outputs, str) else {}
    named = {n: Symbol(n, (), "constant", n) for n in options or {}}
    return Network((equation,), {"y_hat": y_hat, "y": y, **sizes, **named, "L": Symbol("L", (), "value", "L")})


def _loss_graph(network: Network) -> Graph:
    """The loss of one output whose target is 1, over the prediction; a loss with a logarithm lives between 0 and 1."""
    derivation = plan(network, ("scalar",), wrt=("y_hat",)).derivation

    def at(key: Any) -> Callable[[float], float]:
        def value(x: float) -> float:
            with mp.workdps(DIGITS):
                env = forward(network, {"y_hat": [[mp.mpf(x)]], "y": [[mp.mpf(1)]]})
                return float(gradients(derivation, env)[key][0][0])
        return value

    f, slope = at("L"), at(("L", "y_hat"))
    try:
        f(-1.0)
        span = (-3.0, 4.0)
    except ArithmeticError:
        span = (0.0, 1.0)
    return Graph(r"\hat{y}", span, f, slope, (r"L \text{ for } y = 1", r"\partial L/\partial\hat{y}"), _bends(slope, span))


def _bends(slope: Callable[[float], float], span: tuple[float, float]) -> tuple[float, ...]:
    """The quarters in a span at which a slope jumps."""
    def jumps(x: float) -> bool:
        try:
            return abs(slope(x + 1e-9) - slope(x - 1e-9)) > 1e-3
        except ArithmeticError:
            return False

    return tuple(k / 4 for k in range(int(span[0] * 4) + 1, int(span[1] * 4)) if jumps(k / 4))


def theorem_entry(table: str, name: str, row: Theorem) -> Entry:
    """An activation and a loss that cancel: the gradient of one layer, entry by entry and as a whole."""
    network = applied(stack(("x", 2), "y", [LayerPlan(OUTPUTS if row.sums_to_one else 1, row.activation)], row.loss), row.loss)
    (short,) = network.shortcuts
    above = [eq.name for eq in network.equations]
    left = ex.grad(network.output, short.wrt, network.symbols[short.wrt].shape)
    return Entry(table, name, row.because, network, ((left, short.result),), facts=lambda: stated(row),
                 coded=lambda: [x for x in network_code(network, (short.wrt,)) if x.split(" ")[0] not in above[:above.index(short.wrt) + 1]],
                 parts=lambda: (certify(plan(network, ("index", "matrix"), wrt=(short.wrt,))),))


# ---------------------------------------------------------------- layers, first weights

SMALL = {"kernel": 2, "size": 2, "vocabulary": 4, "ids": (2, 0), "mask": (1, 0, 1)}  # for options that a file must give
SIZES = {"vectors": (3, 2), "images": (4, 2), "indices": (2, None)}  # features and examples, by what a layer reads


def layer_entry(table: str, name: str, row: LayerType) -> Entry:
    """A layer at a small size: its equations, the shapes, and every gradient that it sends back from the one at its output."""
    network = layer_network(name, row)
    out = network.equations[-2].name
    printer = Printer(network, colour=False)
    values = [s for s in network.symbols.values() if s.kind != "target" and s.name != network.output]
    shapes = Fact("Shapes", ", ".join(f"{s.name}: {ex.show_shape(s.shape)}" for s in values),
                  ", ".join(rf"${printer.symbol(s)}$: {_times(s.shape)}" for s in values))
    sizes = Fact("Sizes", "Samples that fit this page; any others do.")
    arrives = Fact("Comes in", f"dL/d{out}, the gradient of the loss at the output", rf"$\partial L/\partial {printer.name(out)}$, the gradient of the loss at the output")

    def parts() -> tuple[Certified, ...]:
        lesson = plan(network, ("matrix",), wrt=tuple(network.names("parameter", "input")))
        return (certify(replace(lesson, steps=tuple(s for s in lesson.steps if s.wrt != out))),)

    return Entry(table, name, row.because, network, tuple((network.symbols[eq.name].expr, eq.rhs) for eq in network.equations[:-1]),
                 facts=lambda: (shapes, sizes, arrives, *stated(row)), coded=lambda: network_code(network, network.names("parameter", "input"), out), parts=parts)


def layer_network(name: str, row: LayerType) -> Network:
    """The layer alone, as small as it makes sense, under half the squared error."""
    options = tuple((key, SMALL[key]) for key, default in row.options.items() if default is None and key in SMALL)
    features, samples = SIZES[row.reads]
    layer = LayerPlan(units=1 if row.reads == "images" else 2, activation=row.activation, type=name, options=options)
    return stack(("x", features), "y", [layer], "half_squared_error", samples=samples)


def _times(shape: ex.Shape) -> str:
    return r"$%s$" % r" \times ".join(map(str, shape)) if shape else "a number"


def init_entry(table: str, name: str, row: Init) -> Entry:
    """A way to draw first weights: the spread, and the variance that follows from it."""
    letters = sorted(row.tree.names)
    network = Network((Equation("s", row.tree),), {n: Symbol(n, (), "input", n) for n in letters} | {"s": Symbol("s", (), "value", "s")})
    square = sp.simplify(entries(row.tree, {n: [[sp.Symbol(n, positive=True)]] for n in letters}, SYMPY)[0][0] ** 2)
    variance = from_sympy(square if row.normal else square / 3)
    drawn = "Normal with mean 0 and standard deviation s." if row.normal else "Uniform between -s and s."
    draw = "rng.normal(0, s, (fan_out, fan_in))" if row.normal else "rng.uniform(-s, s, (fan_out, fan_in))"
    return Entry(table, name, row.because, network, ((ex.sym("s"), row.tree),),
                 facts=lambda: (Fact("Drawn", drawn), Fact("Variance", ex.text(variance), f"${Printer(network, colour=False)(variance)}$"), *stated(row)),
                 coded=lambda: (f"s = {tree_code(row.tree)}", f"W = {draw}"))
