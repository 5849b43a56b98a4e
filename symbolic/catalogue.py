"""Every row of every table as one kind of entry: what is listed, shown, plotted and printed.

A new row appears by itself; a new table is one line in ``TABLES``.

>>> from .functions import row, z, FUNCTIONS
>>> _ = row("cube_demo", z**3, activation=True)
>>> find("cube_demo")[0].formula
'cube_demo(z) = z**3'
>>> del FUNCTIONS["cube_demo"]
>>> find("sigmod")
Traceback (most recent call last):
symbolic.errors.SpecError: nothing is called 'sigmod'; did you mean 'sigmoid'?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from mpmath import mp

from . import expr as ex
from .arithmetic import MP, entries
from .errors import SpecError, nearest
from .expr import Expr
from .functions import FUNCTIONS, VECTOR_FUNCTIONS, Row, VectorRow, from_sympy, slope_form
from .initial import INITS, Init
from .latex import Printer
from .layers import LAYERS, LayerType, stack
from .lesson import plan
from .losses import LOSSES, Loss, loss_equation
from .network import Equation, LayerPlan, Network, Symbol
from .numpycode import code
from .numpytree import tree_code
from .prove import SYMPY
from .slopes import slope_lesson
from .values import forward, gradients
from .verify import Certified, certify

DIGITS = 20        # of a plotted point
OUTPUTS = 3        # of a loss or a function of a vector that is derived


@dataclass(frozen=True)
class Fact:
    """One thing to know about a row, in words; tex: the same as LaTeX where words do not say it well."""

    head: str
    said: str
    tex: str = ""


@dataclass(frozen=True)
class Graph:
    """What the plot of a row shows: a function and its slope over a span, with their names as LaTeX."""

    across: str
    span: tuple[float, float]
    f: Callable[[float], float]
    slope: Callable[[float], float]
    labels: tuple[str, str]
    kinks: tuple[float, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One row. equations: (left side, right side) as defined, printed in the names of the network;
    code: NumPy, line by line; parts: its certified derivations, worked out when they are asked for."""

    table: str
    name: str
    because: str
    network: Network | None = None
    equations: tuple[tuple[Expr, Expr], ...] = ()
    facts: tuple[Fact, ...] = ()
    code: tuple[str, ...] = ()
    graph: Graph | None = None
    parts: Callable[[], tuple[Certified, ...]] = field(default=lambda: ())

    @property
    def formula(self) -> str:
        """The defining equations as plain text."""
        return "; ".join(ex.text(right) if left == right else f"{ex.text(left)} = {ex.text(right)}" for left, right in self.equations)


@dataclass(frozen=True)
class Table:
    """A table of rows by name, and how a row of it is read."""

    key: str
    title: str
    rows: Callable[[], Mapping[str, Any]]
    read: Callable[[str, str, Any], Entry]


def entries_of(table: Table) -> list[Entry]:
    """Every row of a table, in its order."""
    return [table.read(table.key, name, row) for name, row in table.rows().items()]


def tables(kind: str | None = None) -> tuple[Table, ...]:
    """All tables, or the one of that name (singular or plural). Raises SpecError for an unknown one."""
    if kind is None:
        return TABLES
    for table in TABLES:
        if kind.lower() in (table.key, table.title.lower()):
            return (table,)
    raise SpecError(f"no table is called {kind!r}", hint=nearest(kind, [t.title.lower() for t in TABLES]))


def find(name: str) -> list[Entry]:
    """The rows of that name (two tables may each have one). Raises SpecError for an unknown name."""
    found = [table.read(table.key, name, table.rows()[name]) for table in TABLES if name in table.rows()]
    if not found:
        raise SpecError(f"nothing is called {name!r}", hint=nearest(name, [n for t in TABLES for n in t.rows()]))
    return found


# ---------------------------------------------------------------- facts that any row may state

FACTS = (("used", "Used"), ("convention", "Convention"), ("source", "Source"))  # fields of rows that are printed as they stand


def stated(row: Any) -> tuple[Fact, ...]:
    """What the row says in words about itself."""
    return tuple(Fact(head, str(getattr(row, name))) for name, head in FACTS if getattr(row, name, ""))


def plain(table: str, name: str, row: Any) -> Entry:
    """A row of which only the sentence is known."""
    return Entry(table, name, row.because, facts=stated(row))


# ---------------------------------------------------------------- functions of a number

def _function(table: str, name: str, row: Row) -> Entry:
    network = slope_network(row)
    left = ex.node("call", [ex.sym(s.name) for s in row.args], name)
    lines = tuple(f"d{'a' if len(row.args) == 1 else f'a_d{s}'} = {tree_code(slope_form(name, k))}" for k, s in enumerate(row.args))
    graph = _graph(name, row) if len(row.args) == 1 else None
    kinks = (Fact("Kinks", row.at_kink),) if row.at_kink else ()
    return Entry(table, name, row.because, network, ((left, network.equations[0].rhs),), (*limits(row), *kinks, *stated(row)),
                 (f"a = {code(row.function(*row.args))}", *lines), graph, lambda: (slope_lesson(name),))


def slope_network(row: Row) -> Network:
    """a = f(z) as a network of one equation."""
    symbols = {s.name: Symbol(s.name, (), "input", s.name) for s in row.args} | {"a": Symbol("a", (), "value", "a")}
    rhs = from_sympy(row.formula) if row.formula is not None else ex.node("call", [ex.sym(s.name) for s in row.args], row.name)
    return Network((Equation("a", rhs),), symbols)


def _graph(name: str, row: Row) -> Graph:
    def at(node: Expr) -> Callable[[float], float]:
        def value(x: float) -> float:
            with mp.workdps(DIGITS):
                return float(entries(node, {"z": [[mp.mpf(x)]]}, MP)[0][0])
        return value

    z = ex.sym("z")
    call, slope = ex.node("call", (z,), name), ex.node("slope", (z,), (name, 0))
    printer = Printer(slope_network(row), colour=False)
    return Graph("z", (-5, 5), at(call), at(slope), (f"a = {printer(call)}", "da/dz"), tuple(map(float, row.kinks)))


def limits(row: Row) -> tuple[Fact, ...]:
    """Where the output goes far out, worked out by SymPy; nothing where it does not settle."""
    if len(row.args) != 1:
        return ()
    low, high = (_limit(row, side) for side in (-sp.oo, sp.oo))
    said = [(f"{_signed(v)} as z goes to {_signed(side)}", rf"$a \to {sp.latex(v)}$ as $z \to {sp.latex(side)}$")
            for v, side in ((low, -sp.oo), (high, sp.oo)) if v is not None]
    return (Fact("Far out", "; ".join(s for s, _ in said), ", ".join(t for _, t in said)),) if said else ()


def _signed(v: sp.Expr) -> str:
    return str(v).replace("oo", "infinity")


def _limit(row: Row, side: Any) -> sp.Expr | None:
    """The limit of the piece that holds far out, None where there is none in the real numbers."""
    z = row.args[0]
    far = 10**6 if side == sp.oo else -10**6
    whole = row.expand(z).replace(lambda e: isinstance(e, sp.Piecewise), lambda e: next(v for v, c in e.args if c == sp.true or c.subs(z, far) == sp.true))
    try:
        found = sp.limit(whole, z, side)
        defined = whole.subs(z, far).evalf(5).is_extended_real
    except (TypeError, ValueError, NotImplementedError, StopIteration):
        return None
    return found if defined and found.is_extended_real and not found.has(sp.AccumBounds) and found is not sp.nan else None


# ---------------------------------------------------------------- functions of a whole vector

def _vector(table: str, name: str, row: VectorRow) -> Entry:
    z = Symbol("z", (OUTPUTS, 1), "input", "z")
    out = ex.node("over", (z.expr,), (name, 0))
    whole = row.define(z.expr, 0)
    symbols = {"z": z, "p": Symbol("p", out.shape, "value", "p")}
    network = Network((Equation("p", whole),), symbols)
    lines = (getattr(row, "numpy", "") or tree_code(whole),)

    def parts() -> tuple[Certified, ...]:
        return (certify(plan(Network((Equation("p", out),), symbols), ("index", "matrix"), wrt=("z",))),)

    return Entry(table, name, row.because, network, ((out, whole),), stated(row), tuple(f"p = {line}" for line in lines), None, parts)


# ---------------------------------------------------------------- losses

def _loss(table: str, name: str, row: Loss) -> Entry:
    network = loss_network(name, OUTPUTS)
    equation = network.equations[0]
    lesson = plan(network, ("index", "matrix"), wrt=("y_hat",))
    single = loss_network(name, 1)
    gradient = lesson.derivation.steps["y_hat"].result
    return Entry(table, name, row.because, network, ((ex.sym("L"), equation.rhs),), stated(row),
                 (f"L = {tree_code(equation.rhs)}", f"dy_hat = {tree_code(gradient)}"), _loss_graph(single),
                 lambda: (certify(plan(single, ("scalar",), wrt=("y_hat",))), certify(lesson)))


def loss_network(name: str, outputs: int) -> Network:
    """A loss of one example with so many outputs."""
    y_hat, y = Symbol("y_hat", (outputs, 1), "input", "y_hat"), Symbol("y", (outputs, 1), "target", "y")
    equation = loss_equation(name, y_hat.expr, y.expr, outputs=outputs, samples=None)
    return Network((equation,), {"y_hat": y_hat, "y": y, "L": Symbol("L", (), "value", "L")})


def _loss_graph(network: Network) -> Graph:
    """The loss of one output whose target is 1, over the prediction."""
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


# ---------------------------------------------------------------- layers, first weights

def _layer(table: str, name: str, row: LayerType) -> Entry:
    network = stack(("x", 2), "y", [LayerPlan(units=3, type=name)], "half_squared_error", samples=4)
    shown = [eq for eq in network.equations if eq.name != network.output]
    shapes = ", ".join(f"{s.name}: {ex.show_shape(s.shape)}" for s in network.symbols.values() if s.name != network.output)
    wrt = tuple(network.names("parameter", "input"))
    return Entry(table, name, row.because, network, tuple((network.symbols[eq.name].expr, eq.rhs) for eq in shown),
                 (Fact("Shapes", shapes), *stated(row)), tuple(f"{eq.name} = {tree_code(eq.rhs)}" for eq in shown), None,
                 lambda: (certify(plan(network, ("matrix",), wrt=wrt)),))


def _init(table: str, name: str, row: Init) -> Entry:
    spread = row.tree
    letters = sorted(spread.names)
    network = Network((Equation("s", spread),), {n: Symbol(n, (), "input", n) for n in letters} | {"s": Symbol("s", (), "value", "s")})
    drawn = "normal with mean 0 and standard deviation s" if row.normal else "uniform between -s and s"
    square = sp.simplify(entries(spread, {n: [[sp.Symbol(n, positive=True)]] for n in letters}, SYMPY)[0][0] ** 2)
    draw = "rng.normal(0, s, (fan_out, fan_in))" if row.normal else "rng.uniform(-s, s, (fan_out, fan_in))"
    return Entry(table, name, row.because, network, ((ex.sym("s"), spread),),
                 (Fact("Drawn", drawn), Fact("Variance", ex.text(from_sympy(square if row.normal else square / 3))), *stated(row)),
                 (f"s = {tree_code(spread)}", f"W = {draw}"))


TABLES: tuple[Table, ...] = (
    Table("activation", "Activations", lambda: {n: r for n, r in FUNCTIONS.items() if r.activation}, _function),
    Table("vector function", "Vector functions", lambda: VECTOR_FUNCTIONS, _vector),
    Table("function", "Functions", lambda: {n: r for n, r in FUNCTIONS.items() if not r.activation}, _function),
    Table("loss", "Losses", lambda: LOSSES, _loss),
    Table("layer", "Layers", lambda: LAYERS, _layer),
    Table("initialisation", "Initialisations", lambda: INITS, _init),
)
