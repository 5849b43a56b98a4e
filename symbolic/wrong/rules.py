"""Wrong pullbacks: slopes that are not the function's own, products in the wrong order, moves that go the wrong way.

>>> from ..functions import slope_form
>>> [ex.text(f) for f in incomplete(slope_form("sigmoid"))]
['1 - a', 'a', '-a*a']
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from .. import expr as ex
from ..errors import SpecError
from ..expr import Expr
from ..functions import FUNCTIONS, slope_form
from ..language.matrices import apply
from ..language.takes import fixed, part
from ..network import Equation, Network
from ..rules import local_slope, put_in
from .changes import Changed, Pull
from .ways import activations, at, names_of, products, ruled

LEAKS = (Fraction(1, 10), Fraction(1, 5), Fraction(3, 10), Fraction(1, 1000))  # slopes on the left that libraries and courses use


def _own(network: Network) -> list[Equation]:
    """Activations that work entry by entry and whose slope is first written f'(z)."""
    return [eq for eq in activations(network, last=None) if eq.rhs.op == "call" and FUNCTIONS[eq.rhs.data].prime]


def _spoken(name: str) -> str:
    return name.replace("_", " ")


def _slopes(network: Network, slope: Callable[[Expr, Expr], Expr | None]) -> Iterator[Changed]:
    """Another slope at one activation: slope(the node, the gradient from above)."""
    for eq in _own(network):
        if slope(eq.rhs, ex.grad(network.output, eq.name, eq.rhs.shape)) is not None:
            yield ruled(names_of(eq), "call", eq.name, at(eq, lambda e, g, k, pull: g * (slope(e, g) or ex.ONE)))


def function_for_slope(network: Network) -> Iterator[Changed]:
    """f(z) in place of f'(z): the flag that asks for the derivative was forgotten."""
    yield from _slopes(network, lambda e, g: e)


def slope_inverted(network: Network) -> Iterator[Changed]:
    """1/f'(z), as when dz/da is taken for da/dz; where the slope is never 0."""
    yield from _slopes(network, lambda e, g: None if FUNCTIONS[e.data].kinks else 1 / local_slope(e))


def mask_of_gradient(network: Network) -> Iterator[Changed]:
    """The slope of a function with a kink, taken where the gradient is, not where the input is: dA > 0 for Z > 0."""
    yield from _slopes(network, lambda e, g: local_slope(ex.node("call", (g,), e.data)) if FUNCTIONS[e.data].kinks else None)


def slope_incomplete(network: Network) -> Iterator[Changed]:
    """A slope with a part left out: a for a(1 - a), 1 - a for 1 - a**2."""
    for eq in _own(network):
        for form in incomplete(slope_form(eq.rhs.data)):
            yield ruled(names_of(eq) | {"form": ex.text(put_in(form, eq.rhs, ex.sym(eq.name, eq.rhs.shape)))}, "call", eq.name,
                        at(eq, lambda e, g, k, pull, form=form: g * put_in(form, e)))


def incomplete(form: Expr) -> list[Expr]:
    """A form with a factor, a term or an exponent left out; never a bare number."""
    found: list[Expr] = []
    if form.op in ("mul", "add"):
        join = ex.mul if form.op == "mul" else ex.add
        for k, x in enumerate(form.args):
            rest = [y for i, y in enumerate(form.args) if i != k]
            found += [join(*rest), *(join(*rest[:k], y, *rest[k:]) for y in incomplete(x))]
    elif form.op == "neg":
        found += [ex.neg(x) for x in incomplete(form.args[0])]
    elif form.op == "pow":
        found.append(form.args[0])
    return [f for f in dict.fromkeys(found) if f.names and f != form]


def other_leak(network: Network) -> Iterator[Changed]:
    """Another slope on the left of a leaky function."""
    for eq in (e for e in _own(network) if e.rhs.data == "leaky_relu"):
        for leak in LEAKS:
            form = _with_number(slope_form(eq.rhs.data), Fraction(1, 100), leak)
            yield ruled(names_of(eq) | {"leak": str(float(leak))}, "call", eq.name, at(eq, lambda e, g, k, pull, form=form: g * put_in(form, e)))


def _with_number(e: Expr, old: Fraction, new: Fraction) -> Expr:
    if e.op == "num":
        return ex.num(new) if e.data == old else e
    return ex.node(e.op, [_with_number(x, old, new) for x in e.args], e.data) if e.args else e


def slope_of_layer(network: Network) -> Iterator[Changed]:
    """The slope of another layer: its function at the own input, or the own function at its input."""
    for eq in _own(network):
        for other in (o for o in _own(network) if o.name != eq.name):
            place = names_of(eq) | {"other": other.name, "of": _spoken(other.rhs.data), "where": names_of(other)["z"]}
            if other.rhs.data != eq.rhs.data:
                yield ruled(place | {"where": names_of(eq)["z"]}, "call", eq.name, at(eq, lambda e, g, k, pull, name=other.rhs.data:
                                                                                    g * local_slope(ex.node("call", e.args, name))))
            if other.rhs.shape == eq.rhs.shape:
                yield ruled(place, "call", eq.name, at(eq, lambda e, g, k, pull, other=other: g * local_slope(other.rhs)))


def softmax_flattened(network: Network) -> Iterator[Changed]:
    """One softmax Jacobian over the whole batch: every example gets a share of the others."""
    for eq in (e for e in activations(network, last=None) if e.rhs.op == "over" and e.rhs.data[0] == "softmax"):
        if 1 not in eq.rhs.shape:
            yield ruled(names_of(eq), "over", eq.name, at(eq, lambda e, g, k, pull: e * (g - ex.total(g * e))))


# ---------------------------------------------------------------- products

def factors_swapped(network: Network) -> Iterator[Changed]:
    """The factors of a product in the other order, each as it should be; a product that is one number then fits nowhere."""
    def swapped(e: Expr, g: Expr, k: int) -> Expr:
        made = e.args[1].T @ g if k == 0 else g @ e.args[0].T
        if made.shape != e.args[k].shape:
            raise SpecError(f"a product of the shape {made.shape} for one of the shape {e.args[k].shape}")
        return made

    yield from products(network, swapped)


def inverse(network: Network) -> Iterator[Changed]:
    """The inverse of a square matrix for its transpose."""
    yield from products(network, lambda e, g, k: g @ apply("inv", e.args[1]) if k == 0 else apply("inv", e.args[0]) @ g)


# ---------------------------------------------------------------- powers and quotients

def _everywhere_in(network: Network, op: str, wrong: Pull, sides: tuple[int, ...]) -> Iterator[Changed]:
    """Another pullback for one operation in one equation."""
    for eq in network.equations:
        nodes = {n for n in ex.walk(eq.rhs) if n.op == op and any(n.args[k].names for k in sides)}
        if nodes:
            yield ruled({"at": eq.name}, op, eq.name, lambda e, g, k, pull, nodes=nodes: wrong(e, g, k) if e in nodes and k in sides else pull(e, g, k))


def exponent_left(network: Network) -> Iterator[Changed]:
    """The exponent drops by one and does not come down."""
    yield from _everywhere_in(network, "pow", lambda e, g, k: g * e.args[0] ** (e.args[1] - 1), (0,))


def exponent_kept(network: Network) -> Iterator[Changed]:
    """The exponent comes down and does not drop."""
    yield from _everywhere_in(network, "pow", lambda e, g, k: g * e.args[1] * e, (0,))


def quotient_sign(network: Network) -> Iterator[Changed]:
    """The minus sign of the quotient rule left out."""
    yield from _everywhere_in(network, "div", lambda e, g, k: g * ex.div(e.args[0], ex.power(e.args[1], ex.num(2))), (1,))


# ---------------------------------------------------------------- masks, kernels, pools

def mask_forgotten(network: Network) -> Iterator[Changed]:
    """Dropout without its mask on the way back, or without its factor, or with the factor upside down."""
    masks = {s.name for s in network.symbols.values() if s.kind == "constant" and s.base == "m"}
    ways: tuple[tuple[str, Callable[[Expr], Expr]], ...] = (
        ("its mask is not applied", lambda f: ex.ONE if f.names & masks else f),
        ("the factor 1/(1 - rate) is not applied", lambda f: ex.ONE if f.op == "num" else f),
        ("it is multiplied by 1 - rate in place of 1/(1 - rate)", lambda f: 1 / f if f.op == "num" else f))
    for eq in (e for e in network.equations if e.rhs.names & masks):
        for word, change in ways:
            yield ruled({"at": eq.name, "what": word}, "mul", eq.name,
                        lambda e, g, k, pull, eq=eq, change=change: ex.mul(g, *(change(f) for i, f in enumerate(e.args) if i != k)) if e == eq.rhs else pull(e, g, k))


def turned(w: Expr) -> Expr:
    """A kernel turned by half a circle."""
    rows, columns = fixed(w)
    return part(w, range(rows)[::-1], range(columns)[::-1]) if w.shape else w


def kernel_turned(network: Network) -> Iterator[Changed]:
    """A kernel turned on the way back, to the image or in its own gradient."""
    for eq in (e for e in network.equations if any(n.op == "slide" for n in ex.walk(e.rhs))):
        yield ruled({"at": eq.name, "what": "on the way back to the image"}, "slide", eq.name,
                    lambda e, g, k, pull: pull(Expr(e.op, (e.args[0], turned(e.args[1])), e.data, e.shape, e.role), g, k) if k == 0 else pull(e, g, k))
        yield ruled({"at": eq.name, "what": "in its own gradient"}, "slide", eq.name, lambda e, g, k, pull: turned(pull(e, g, k)) if k == 1 else pull(e, g, k))


def pool_spread(network: Network) -> Iterator[Changed]:
    """The gradient of a maximum given to every entry of the window, whole or in equal shares."""
    for eq in (e for e in network.equations if any(n.op in ("most", "least") for n in ex.walk(e.rhs))):
        for word, share in (("whole", False), ("in equal shares", True)):
            def back(e: Expr, g: Expr, k: int, pull: Pull, share: bool = share) -> Expr:
                shape = e.args[0].shape
                count = ex.mul(*map(ex.size, shape if e.data is None else shape[e.data:e.data + 1]))
                return ex.spread(g * (1 / count) if share else g, e.data, shape)

            changes = [ruled({"at": eq.name, "what": word}, op, eq.name, back) for op in ("most", "least")]
            yield changes[0].then(changes[1])
