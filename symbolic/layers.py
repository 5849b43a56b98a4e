"""The table of layers, and the networks that are stacked from them.

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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from . import expr as ex
from .errors import SpecError, nearest
from .expr import Dim, Expr, Samples, Shape
from .functions import FUNCTIONS, VECTOR_FUNCTIONS
from .losses import loss_equation
from .network import Equation, LayerPlan, Network, Symbol


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
