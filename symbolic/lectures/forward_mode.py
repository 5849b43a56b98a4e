"""Forward mode: how a change of an input is pushed forward, from the same table of pullbacks.

A pullback is linear in the gradient that it sends back, and its transpose is the pushforward: the
pullback is itself a tree, and the rules send a tangent through that tree to where the gradient stands.
So there is no second table of derivatives.

>>> from ..network import from_equations
>>> net = from_equations({"b": "4*a", "c": "b + 3", "d": "a + 2", "e": "c*d"}, {})
>>> for name, tangent in sweep(net, "a").items(): print(f"d{name}/da = {ex.text(tangent)}")
db/da = 4
dc/da = (db/da)
dd/da = 1
de/da = (dc/da)*d + (dd/da)*c
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from .. import expr as ex
from ..derive import passes, rewrite_slopes
from ..expr import ONE, ZERO, Expr
from ..network import Equation, Network
from ..rules import RULES, pull


def pushforward(eq: Equation, tangents: Mapping[str, Expr]) -> Expr:
    """The tangent of an equation's value, from the tangents of the names in it (what is not there does not move)."""
    seed = ex.grad("", eq.name, eq.rhs.shape)
    terms = [t for name, sent, _ in passes(eq.rhs, seed, (), RULES) if name in tangents
             for t in _transposed(sent, seed, tangents[name])]
    return ex.add(*terms) if terms else ZERO


def _transposed(sent: Expr, seed: Expr, tangent: Expr) -> Iterator[Expr]:
    """Send a tangent through a pullback, back to where its gradient stands."""
    if sent == seed:
        yield tangent
        return
    for k, arg in enumerate(sent.args):
        if seed in ex.walk(arg):
            yield from _transposed(arg, seed, pull(sent, tangent, k, RULES))


def sweep(network: Network, name: str) -> dict[str, Expr]:
    """One sweep for a scalar input: the tangent of every value that moves with it, in the named tangents before it."""
    moved: dict[str, Expr] = {name: ONE}
    named = {e.rhs: ex.sym(e.name, e.rhs.shape) for e in network.equations if e.rhs.op in ("over", "pick", "matrix")}
    out: dict[str, Expr] = {}
    for eq in network.equations:
        tangent = rewrite_slopes(pushforward(eq, moved), eq, named)
        if tangent != ZERO:
            out[eq.name] = tangent
            moved[eq.name] = ex.grad(eq.name, name, eq.rhs.shape)
    return out


def operations(trees: Iterable[Expr]) -> Counter[str]:
    """The operations in scalar formulas: multiplications (with divisions and powers), additions (with subtractions), function values.

    >>> x = ex.sym("x")
    >>> sorted(operations([ex.node("add", (x * x, x / 2, ex.num(1)))]).items())
    [('additions', 2), ('multiplications', 2)]
    """
    count: Counter[str] = Counter()
    for e in (n for tree in trees for n in ex.walk(tree)):
        if e.op == "mul":
            count["multiplications"] += len(e.args) - 1
        elif e.op in ("div", "pow"):
            count["multiplications"] += 1
        elif e.op == "add":
            count["additions"] += len(e.args) - 1
        elif e.op in ("call", "slope", "apply", "pick", "cases"):
            count["function values"] += 1
    return count
