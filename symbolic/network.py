"""A network is a list of named equations, as on the board.

>>> net = stack(inputs=("x", 2), target="y", loss="half_squared_error",
...             layers=[LayerPlan(units=2, activation="sigmoid"), LayerPlan(units=1)])
>>> for eq in net.equations: print(eq)
z1 = W1 @ x + b1
a1 = sigmoid(z1)
z2 = W2 @ a1 + b2
a2 = identity(z2)
L = 1/2*(a2 - y)**2
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

from . import expr as ex
from .arithmetic import TREES, entries
from .errors import SpecError, nearest
from .expr import Dim, Expr, Samples, Shape
from .functions import FUNCTIONS, VECTOR_FUNCTIONS
from .parse import parse


@dataclass(frozen=True)
class Symbol:
    """A named value: what it is and how the board writes it (the printers make LaTeX of it).

    base: the letter ('w', 'x', 'y_hat'); layer: superscript; index: position of an entry;
    letters: preferred running indices for rows and columns.
    """

    name: str
    shape: Shape = ()
    kind: str = "value"  # input, target, parameter, value, size
    base: str = ""
    layer: int | None = None
    index: tuple[int, ...] = ()
    letters: tuple[str, str] = ("i", "j")
    parent: str = ""
    as_written: bool = True  # keep the author's letter; otherwise a matrix takes the capital

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", ex.sym(self.name, self.shape).shape)  # 1 x 1 is a scalar

    @property
    def expr(self) -> Expr:
        return ex.sym(self.name, self.shape)


@dataclass(frozen=True)
class Equation:
    """One line of the forward pass: name = right-hand side."""

    name: str
    rhs: Expr

    def __str__(self) -> str:
        return f"{self.name} = {ex.text(self.rhs)}"


@dataclass(frozen=True)
class LayerPlan:
    """One layer before it is built: sizes, activation, and whether it has a bias."""

    units: Dim
    activation: str = "identity"
    bias: bool = True
    type: str = "dense"


@dataclass(frozen=True)
class Network:
    """Named equations in order; the last one is the output (the loss).

    aliases: other names of a value (y_hat for the last activation); layers: the plan it was
    stacked from, empty for plain equations.
    """

    equations: tuple[Equation, ...]
    symbols: Mapping[str, Symbol]
    aliases: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[LayerPlan, ...] = ()
    rows: bool = False

    @property
    def output(self) -> str:
        return self.equations[-1].name

    def names(self, *kinds: str) -> list[str]:
        """The names of the given kinds, in order."""
        return [s.name for s in self.symbols.values() if s.kind in kinds]

    def equation(self, name: str) -> Equation:
        return next(e for e in self.equations if e.name == name)

    def resolve(self, name: str) -> str:
        """The name behind an alias."""
        return self.aliases.get(name, name)

    @cached_property
    def is_scalar(self) -> bool:
        """Whether every value is a single number."""
        return all(not s.shape for s in self.symbols.values()) and \
            not any(e.shape for eq in self.equations for e in ex.walk(eq.rhs))

    @property
    def sizes(self) -> list[str]:
        """The names of symbolic sizes, such as the n of a batch."""
        return sorted({d for s in self.symbols.values() for d in s.shape if isinstance(d, str)})


# ---------------------------------------------------------------- losses

@dataclass(frozen=True)
class Loss:
    """A loss, read entry by entry in y_hat and y; outputs: 'sum' or 'mean' over the outputs."""

    name: str
    entry: str
    scale: Fraction
    outputs: str
    because: str
    probabilities: bool = False  # whether targets must lie between 0 and 1


LOSSES: dict[str, Loss] = {loss.name: loss for loss in (
    Loss("half_squared_error", "(y_hat - y)**2", Fraction(1, 2), "sum", "Half the square, so that the slope is the plain error."),
    Loss("squared_error", "(y_hat - y)**2", Fraction(1), "sum", "The square of the error."),
    Loss("mse", "(y_hat - y)**2", Fraction(1), "mean", "The mean of the squared errors."),
    Loss("cross_entropy", "y*log(y_hat)", Fraction(-1), "sum", "Minus the logarithm of what the true class got.",
         probabilities=True),
    Loss("binary_cross_entropy", "y*log(y_hat) + (1 - y)*log(1 - y_hat)", Fraction(-1), "mean",
         "Minus the logarithm of the probability given to the true answer.", probabilities=True),
)}


def loss_equation(loss: str, y_hat: Expr, y: Expr, *, outputs: Dim, samples: Dim | None, reduction: str = "mean") -> Equation:
    """L = scale * sum of the entry formula; mean over examples unless reduction is 'sum'.

    Raises SpecError for an unknown loss.
    """
    if loss not in LOSSES:
        raise SpecError(f"unknown loss {loss!r}", hint=nearest(loss, LOSSES))
    row = LOSSES[loss]
    entry = parse(row.entry, {"y_hat": y_hat, "y": y})
    scale = ex.num(row.scale)
    for d in ((outputs,) if row.outputs == "mean" else ()) + ((samples,) if samples is not None and reduction == "mean" else ()):
        scale = scale * (1 / ex.size(d))
    body = ex.node("sum", (entry,)) if entry.shape else entry
    if scale == ex.ONE:
        return Equation("L", body)
    if scale == ex.num(-1):
        return Equation("L", ex.node("neg", (body,)))
    if scale.op == "neg":
        return Equation("L", ex.node("neg", (ex.node("mul", (scale.args[0], body)),)))
    if scale.op == "num" and scale.data < 0:
        return Equation("L", ex.node("neg", (ex.node("mul", (ex.num(-scale.data), body)),)))
    return Equation("L", ex.node("mul", (scale, body)))


# ---------------------------------------------------------------- layers

@dataclass(frozen=True)
class Place:
    """Where a layer stands: its number, what comes in, the batch, the convention."""

    layer: int
    a: Expr
    fan_in: Dim
    samples: Dim | None
    rows: bool

    def oriented(self, features: Dim, samples: Dim | None) -> Shape:
        n: Dim = 1 if samples is None else samples
        return (n, features) if self.rows else (features, n)


def _dense(plan: LayerPlan, at: Place) -> tuple[list[Symbol], Expr]:
    """z = W a + b, or in rows Z = A W + b: one row of W a unit, or one column."""
    shape = (at.fan_in, plan.units) if at.rows else (plan.units, at.fan_in)
    letters = ("i", "j") if at.rows else ("j", "i")
    W = Symbol(f"W{at.layer}", shape, "parameter", "w", at.layer, letters=letters, as_written=False)
    b = Symbol(f"b{at.layer}", at.oriented(plan.units, None), "parameter", "b", at.layer,
               letters=("m", "j") if at.rows else ("j", "m"), as_written=False)
    z = ex.node("matmul", (at.a, W.expr) if at.rows else (W.expr, at.a))
    if not plan.bias:
        return [W], z
    term = b.expr
    if at.samples is not None:
        one = ex.ones((at.samples, 1) if at.rows else (1, at.samples))
        term = ex.node("matmul", (one, term) if at.rows else (term, one)) if one != ex.ONE else term
    return [W, b], ex.node("add", (z, term))


@dataclass(frozen=True)
class LayerType:
    """A kind of layer: the parameters it brings and its pre-activation."""

    name: str
    build: Callable[[LayerPlan, Place], tuple[list[Symbol], Expr]]
    because: str


LAYERS: dict[str, LayerType] = {t.name: t for t in (
    LayerType("dense", _dense, "Every unit sees every input."),
)}


def activate(name: str, z: Expr, *, rows: bool) -> Expr:
    """An activation applied; a function of the whole vector runs over the features of each example."""
    if name in VECTOR_FUNCTIONS:
        if not z.shape:
            raise SpecError(f"{name} over a single unit is always 1; it needs at least 2 units")
        return ex.node("over", (z,), (name, 1 if rows else 0))
    if name not in FUNCTIONS or not FUNCTIONS[name].activation:
        raise SpecError(f"unknown activation {name!r}", hint=nearest(name, activations()))
    return ex.node("call", (z,), name)


def activations() -> list[str]:
    """The names that a layer may have as its activation."""
    return [n for n, r in FUNCTIONS.items() if r.activation] + list(VECTOR_FUNCTIONS)


def stack(inputs: tuple[str, Dim], target: str, layers: Sequence[LayerPlan], loss: str, *,
          samples: Dim | None = None, rows: bool = False, reduction: str = "mean") -> Network:
    """Layers one upon another, and a loss: z1, a1, z2, a2 (= y_hat), L.

    inputs: name and number of features; samples: examples in a batch, None for a single example.
    """
    name, features = inputs
    n = Samples(samples) if isinstance(samples, int) else samples
    place = Place(1, ex.ZERO, features, n, rows)
    feature_letters = ("m", "i") if rows else ("i", "m")
    unit_letters = ("m", "j") if rows else ("j", "m")
    x = Symbol(name, place.oriented(features, n), "input", name, letters=feature_letters, as_written=False)
    symbols, equations = {name: x}, []
    a, width = x.expr, features
    depth = len(layers)
    for number, plan in enumerate(layers, 1):
        parameters, z_rhs = LAYERS[plan.type].build(plan, Place(number, a, width, n, rows))
        shape = place.oriented(plan.units, n)
        z = Symbol(f"z{number}", shape, "value", "z", number, letters=unit_letters, as_written=False)
        out = Symbol(f"a{number}", shape, "value", "y_hat" if number == depth else "a", None if number == depth else number,
                     letters=unit_letters if number == depth else feature_letters, as_written=False)
        symbols.update({s.name: s for s in (*parameters, z, out)})
        equations += [Equation(z.name, z_rhs), Equation(out.name, activate(plan.activation, z.expr, rows=rows))]
        a, width = out.expr, plan.units
    y = Symbol(target, place.oriented(width, n), "target", target, letters=unit_letters, as_written=False)
    symbols[target] = y
    for d in sorted({d for s in symbols.values() for d in s.shape if isinstance(d, str)}):
        symbols[d] = Symbol(d, (), "size", d)
    equations.append(loss_equation(loss, a, y.expr, outputs=width, samples=n, reduction=reduction))
    symbols["L"] = Symbol("L", (), "value", "L")
    if depth == 1:  # with one layer the board writes w, b, z without a number
        symbols = {k: replace(s, layer=None) for k, s in symbols.items()}
    return Network(tuple(equations), symbols, {"y_hat": f"a{depth}"}, tuple(layers), rows)


def from_equations(equations: Mapping[str, str], shapes: Mapping[str, Shape],
                   unnamed: frozenset[str] = frozenset()) -> Network:
    """Plain equations in order; names that no equation defines are inputs, scalars unless shapes says so."""
    from .parse import names_in

    symbols: dict[str, Symbol] = {}
    for name, source in equations.items():
        for used in names_in(source):
            if used not in equations and used not in symbols:
                symbols[used] = Symbol(used, ex.sym(used, shapes.get(used, ())).shape, "input", used)
    values = {k: s.expr for k, s in symbols.items()}
    done: list[Equation] = []
    for name, source in equations.items():
        try:
            rhs = parse(source, values, unnamed)
        except SpecError as e:
            later = [k for k in list(equations)[len(done):] if k in names_in(source)]
            hint = f"{later[0]!r} is defined further down; write equations in the order of computing" if later else e.hint
            raise SpecError(f"equation {name!r}: {e.sentence}", hint=hint) from None
        symbols[name] = Symbol(name, rhs.shape, "value", name)
        values[name] = symbols[name].expr
        done.append(Equation(name, rhs))
    return Network(tuple(done), symbols)


# ---------------------------------------------------------------- every weight its own symbol

def entry_name(symbol: Symbol, i: int, j: int) -> str:
    """The name of one entry, indexed from 0 as in the file: W1[0,1], x[1]."""
    if not symbol.shape:
        return symbol.name
    kept = [k for k, d in zip((i, j), symbol.shape, strict=True) if d != 1]
    return f"{symbol.name}[{','.join(map(str, kept))}]"


def entry_symbols(symbol: Symbol) -> list[list[Symbol]]:
    """One scalar symbol for every entry of a value."""
    if not symbol.shape:
        return [[symbol]]
    rows, columns = (int(d) for d in symbol.shape)
    return [[replace(symbol, name=entry_name(symbol, i, j), shape=(), parent=symbol.name,
                     index=tuple(k for k, d in zip((i, j), symbol.shape, strict=True) if d != 1))
             for j in range(columns)] for i in range(rows)]


def split_values(network: Network, values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Every entry under the name it has at the scalar level."""
    out: dict[Any, Any] = {}
    for key, rows in values.items():
        if isinstance(key, Expr):
            out[key] = rows
            continue
        name = key[1] if isinstance(key, tuple) else key
        for symbols, row in zip(entry_symbols(network.symbols[name]), rows, strict=True):
            for s, v in zip(symbols, row, strict=True):
                out[(key[0], s.name) if isinstance(key, tuple) else s.name] = [[v]]
    return out


def scalarize(network: Network) -> Network:
    """The same network with every entry of every value as a symbol of its own."""
    if network.is_scalar:
        return network
    split = {name: entry_symbols(s) for name, s in network.symbols.items() if s.kind != "size"}
    env = {name: [[s.expr for s in row] for row in rows] for name, rows in split.items()}
    symbols = {s.name: s for rows in split.values() for row in rows for s in row}
    equations = []
    for eq in network.equations:
        rhs = entries(eq.rhs, env, TREES)
        for row, symbol_row in zip(rhs, split[eq.name], strict=True):
            equations += [Equation(s.name, e) for e, s in zip(row, symbol_row, strict=True)]
    return Network(tuple(equations), symbols, network.aliases, network.layers, network.rows)


# ---------------------------------------------------------------- drawing first weights

@dataclass(frozen=True)
class Init:
    """A way to draw first weights: the half-width or deviation from fan-in and fan-out."""

    name: str
    spread: Callable[[int, int], float]
    normal: bool
    because: str


INITS: dict[str, Init] = {i.name: i for i in (
    Init("zeros", lambda i, o: 0.0, False, "Every weight starts at zero."),
    Init("uniform", lambda i, o: 0.5, False, "Uniform between -1/2 and 1/2."),
    Init("normal", lambda i, o: 1.0, True, "Standard normal."),
    Init("glorot_uniform", lambda i, o: math.sqrt(6 / (i + o)), False, "Glorot and Bengio 2010: variance 2/(fan_in + fan_out)."),
    Init("glorot_normal", lambda i, o: math.sqrt(2 / (i + o)), True, "Glorot and Bengio 2010: variance 2/(fan_in + fan_out)."),
    Init("he_uniform", lambda i, o: math.sqrt(6 / i), False, "He et al. 2015: variance 2/fan_in."),
    Init("he_normal", lambda i, o: math.sqrt(2 / i), True, "He et al. 2015: variance 2/fan_in."),
    Init("lecun_normal", lambda i, o: math.sqrt(1 / i), True, "LeCun et al. 1998: variance 1/fan_in."),
)}


def draw(scheme: str, seed: int, name: str, shape: tuple[int, int], fan_in: int, fan_out: int) -> list[list[Fraction]]:
    """First weights, rounded to 4 decimals so that the page shows exactly what is used.

    The draw depends on seed and name alone, never on what was drawn before.
    """
    import random
    from statistics import NormalDist

    row = INITS[scheme]
    generator = random.Random(f"{seed}/{name}")
    width = row.spread(fan_in, fan_out)

    def one() -> Fraction:
        u = generator.random()
        value = (NormalDist().inv_cdf(min(max(u, 1e-12), 1 - 1e-12)) if row.normal else 2 * u - 1) * width
        return Fraction(round(value * 10_000), 10_000)

    return [[one() for _ in range(shape[1])] for _ in range(shape[0])]
