"""The ways to go wrong: each finds the places in a network where its mistake can be made, and says what changes there.

>>> from ..network import from_equations
>>> [c.places["v"] for c in overwritten(from_equations({"b": "4*a", "e": "a*b"}, {}))]
['a', 'a']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

from .. import expr as ex
from ..derive import Derivation, Step, derived, rebuilt
from ..expr import Expr
from ..functions import FUNCTIONS
from ..language.arithmetic import MP, Env, Matrix, entries, spread_out
from ..losses import LOSSES, loss_equation
from ..network import Equation, Network
from ..rules import local_slope
from .changes import Changed, Pull, Update, Ways, Wrong, updated

# ---------------------------------------------------------------- changed rules

def ruled(places: Mapping[str, str], op: str, eq: str, wrong: Wrong) -> Changed:
    """The table of rules with another row for one operation, which shows in one equation."""
    return Changed(places, wrong={op: wrong}, equations=(eq,))


def activations(network: Network, *, last: bool | None) -> list[Equation]:
    """The equations that apply a function entry by entry; last: only that of the output layer, or all but it."""
    found = [e for e in network.equations if e.rhs.op in ("call", "over") and e.rhs.args[0].op == "sym" and e.rhs.data != "identity"]
    final = network.aliases.get("y_hat")
    return [e for e in found if last is None or (e.name == final) == last]


def names_of(eq: Equation) -> dict[str, str]:
    """The places of an activation: its function, its output, its input."""
    name = eq.rhs.data if isinstance(eq.rhs.data, str) else eq.rhs.data[0]
    return {"function": name.replace("_", " "), "a": eq.name, "z": eq.rhs.args[0].data}


def at(eq: Equation, slope: Wrong) -> Wrong:
    """A wrong pullback at one equation, the right one everywhere else."""
    return lambda e, g, k, pull: slope(e, g, k, pull) if e == eq.rhs else pull(e, g, k)


def slope_missing(last: bool) -> Ways:
    """The slope of an activation left out. last: that of the output layer, or any other."""
    def change(network: Network) -> Iterator[Changed]:
        for eq in activations(network, last=last):
            yield ruled({**names_of(eq), "L": network.output}, eq.rhs.op, eq.name, at(eq, lambda e, g, k, pull: g))

    return change


def slope_twice(network: Network) -> Iterator[Changed]:
    """The slope of an activation multiplied in twice."""
    for eq in activations(network, last=None):
        yield ruled(names_of(eq), eq.rhs.op, eq.name, at(eq, lambda e, g, k, pull: pull(e, pull(e, g, k), k)))


def chain_broken(network: Network) -> Iterator[Changed]:
    """One of two nested functions of an equation without its slope, the inner one first."""
    for eq in network.equations:
        calls = [n for n in ex.walk(eq.rhs) if n.op in ("call", "apply") and n.args[0].names]
        inner = [n for n in calls if any(n is not outer and n in set(ex.walk(outer)) for outer in calls)]
        outer = [n for n in calls if any(n is not m and m in set(ex.walk(n)) for m in calls)]
        for word, found in (("inner", inner), ("outer", outer)):
            for n in found:
                yield ruled({"which": word, "function": n.data.replace("_", " "), "at": eq.name}, n.op, eq.name, lambda e, g, k, pull, n=n: g if e == n else pull(e, g, k))


def own_factor(network: Network) -> Iterator[Changed]:
    """The factor itself as the slope of a product, in place of the other one."""
    for eq in network.equations:
        nodes = {n for n in ex.walk(eq.rhs) if n.op == "mul" and not any(a.op == "num" for a in n.args)}  # nobody takes the slope of 2x to be x
        if not nodes:
            continue
        yield ruled({"at": eq.name}, "mul", eq.name, lambda e, g, k, pull, nodes=nodes: ex.mul(g, e.args[k]) if e in nodes else pull(e, g, k))


def slope_elsewhere(network: Network) -> Iterator[Changed]:
    """f'(f(z)), or the form in the output with the input put in: a(1 - a) of a pre-activation."""
    for eq in (e for e in activations(network, last=None) if e.rhs.op == "call"):
        yield ruled(names_of(eq) | {"where": eq.name}, "call", eq.name, at(eq, lambda e, g, k, pull: g * local_slope(ex.node("call", (e,), e.data))))
        yield ruled(names_of(eq) | {"where": names_of(eq)["z"]}, "call", eq.name,
                     at(eq, lambda e, g, k, pull: g * local_slope(e, 0, e.args[0])))


def slope_of_another(network: Network) -> Iterator[Changed]:
    """The slope of another activation: first of those that the network has, then of the common ones."""
    found = [e for e in activations(network, last=None) if e.rhs.op == "call"]
    others = [n for n in dict.fromkeys([*(e.rhs.data for e in found), "sigmoid", "relu", "tanh", *FUNCTIONS]) if FUNCTIONS[n].prime]
    for eq in found:
        for other in (n for n in others if n != eq.rhs.data):
            yield ruled(names_of(eq) | {"other": other.replace("_", " ")}, "call", eq.name,
                         at(eq, lambda e, g, k, pull, other=other: g * Expr("slope", e.args[:1], (other, 0), e.shape, "slope")))


def diagonal(network: Network) -> Iterator[Changed]:
    """The diagonal of a softmax Jacobian alone: g p (1 - p)."""
    for eq in (e for e in activations(network, last=None) if e.rhs.op == "over"):
        yield ruled(names_of(eq), "over", eq.name, at(eq, lambda e, g, k, pull: g * e * (1 - e)))


def products(network: Network, wrong: Pull) -> Iterator[Changed]:
    """Another pullback for one side of the products of one equation."""
    for eq in network.equations:
        nodes = {n for n in ex.walk(eq.rhs) if n.op == "matmul" and all(x.op != "ones" for x in n.args)}
        if not nodes:
            continue
        for side in (0, 1):
            yield ruled({"at": eq.name}, "matmul", eq.name, lambda e, g, k, pull, nodes=nodes, side=side: wrong(e, g, k) if e in nodes and k == side else pull(e, g, k))


def elementwise(network: Network) -> Iterator[Changed]:
    """An entrywise product where a matrix product belongs."""
    yield from products(network, lambda e, g, k: ex.mul(g, e.args[1 - k]))


def untransposed(network: Network) -> Iterator[Changed]:
    """The other factor of a product, not transposed."""
    yield from products(network, lambda e, g, k: e.args[0] @ g if k else g @ e.args[1])


# ---------------------------------------------------------------- another network

def rewritten(places: Mapping[str, str], name: str, rhs: Expr, equations: tuple[str, ...] | None = None) -> Changed:
    """Another right-hand side in one equation; equations: that one, where the same values are used in it."""
    return Changed(places, rewrite={name: lambda _: rhs}, equations=equations)


def negated(network: Network) -> Iterator[Changed]:
    """The sign of one equation turned, the last one first."""
    for eq in reversed(network.equations):
        yield Changed({"at": eq.name}, rewrite={eq.name: ex.neg}, equations=(eq.name,))


def data_loss(network: Network) -> Equation | None:
    """The equation that compares with the target, without what regularization adds."""
    targets = set(network.names("target"))
    return next((eq for eq in network.equations if eq.rhs.names & targets), None)


def _losses(network: Network) -> list[Equation]:
    """The last equation, then the loss without what regularization adds."""
    return list(dict.fromkeys((network.equations[-1], data_loss(network) or network.equations[-1])))


def _scaled(network: Network, factors: Callable[[Equation], Iterable[tuple[Expr, str]]]) -> Iterator[Changed]:
    """Another factor in front of the loss."""
    for eq in _losses(network):
        for factor, word in factors(eq):
            yield Changed({"n": word, "L": eq.name}, rewrite={eq.name: lambda rhs, factor=factor: ex.mul(factor, rhs)}, equations=(eq.name,))


def twice(network: Network) -> Iterator[Changed]:
    """Twice the loss."""
    yield from _scaled(network, lambda eq: [(ex.num(2), "")])


def half(network: Network) -> Iterator[Changed]:
    """Half the loss."""
    yield from _scaled(network, lambda eq: [(1 / ex.num(2), "")])


def _counts(eq: Equation) -> list[tuple[Expr, str]]:
    """The numbers over which a loss sums, with their names."""
    sums = [e.args[0] for e in ex.walk(eq.rhs) if e.op == "sum"]
    shapes = [s.shape for s in sums]
    found = [ex.size(d) for s in shapes for d in s if d != 1] + [ex.mul(*map(ex.size, s)) for s in shapes]
    return [(e, ex.text(e)) for e in dict.fromkeys(found)]


def mean_forgotten(network: Network) -> Iterator[Changed]:
    """A mean that is only a sum; a loss that is a sum already has no division to forget."""
    yield from _scaled(network, lambda eq: [(n, word) for n, word in _counts(eq) if _divides(network, eq, n)])


def _divides(network: Network, eq: Equation, n: Expr) -> bool:
    """Whether a division by n, by a number with the factor n, or by a letter for a size stands in an equation."""
    below = [x for e in ex.walk(eq.rhs) if e.op == "div" for x in ex.walk(e.args[1])]
    if any(x.op == "sym" and network.symbols[str(x.data)].kind in ("size", "input") for x in below):  # an input where letters were given numbers
        return True
    numbers = [e.data for e in below if e.op == "num"] + [e.data.denominator for e in ex.walk(eq.rhs) if e.op == "num" and isinstance(e.data, Fraction)]
    return all(f in below or (f.op == "num" and any(k % f.data == 0 for k in numbers)) for f in (n.args if n.op == "mul" else (n,)))


def mean_too_often(network: Network) -> Iterator[Changed]:
    """A division by a size too many."""
    yield from _scaled(network, lambda eq: [(1 / n, word) for n, word in _counts(eq)])


def other_loss(network: Network) -> Iterator[Changed]:
    """The gradient that belongs to another loss; binary cross-entropy, whose error is a - y, is tried first."""
    final = network.aliases.get("y_hat")
    if final is None:
        return
    y_hat, y = network.symbols[final], next(s for s in network.symbols.values() if s.kind == "target")
    outputs, samples = (y_hat.shape[::-1] if network.rows else y_hat.shape) if y_hat.shape else (1, 1)
    data = data_loss(network)
    assert data is not None
    made = {data.rhs}
    for name in sorted(LOSSES, key=lambda n: n != "binary_cross_entropy"):
        if LOSSES[name].logits or (isinstance(outputs, int) and outputs < LOSSES[name].least_outputs):
            continue
        for k, n in product((outputs, 1), (samples, None)):  # with its means, or without
            loss = loss_equation(name, y_hat.expr, y.expr, outputs=k, samples=n, rows=network.rows)
            if loss.rhs not in made:
                made.add(loss.rhs)
                yield rewritten({"loss": name.replace("_", " ")}, data.name, loss.rhs, (data.name,))


# ---------------------------------------------------------------- how terms are gathered

def gathered(step: Step, final: Expr) -> Step:
    """A step with another result."""
    term = replace(step.terms[0], final=final, expr=final)
    return replace(step, terms=(term,), shape=final.shape or step.shape)


def at_step(name: str, wrong: Callable[[Step], Expr | None]) -> Callable[[Step], Step]:
    """A gatherer that changes one step; wrong gives None for what stays."""
    def gather(step: Step) -> Step:
        final = wrong(step) if step.wrt == name and step.terms else None
        return step if final is None else gathered(step, final)

    return gather


def each(network: Network, wrong: Callable[[Step], Expr | None]) -> Iterator[Changed]:
    """A change of one step at a time, for every step where it says something else."""
    for name, step in derived(network).steps.items():
        final = wrong(step) if step.terms else None
        if final is not None and final != step.result:
            yield Changed({"v": name, "L": step.of}, gather=at_step(name, wrong), equations=())


def transposed(network: Network) -> Iterator[Changed]:
    """One gradient transposed; columns first."""
    yield from each(network, lambda s: ex.transpose(s.result) if s.shape and s.shape[0] != 1 else None)
    yield from each(network, lambda s: ex.transpose(s.result) if s.shape and s.shape[0] == 1 else None)


def upstream_ignored(network: Network) -> Iterator[Changed]:
    """The local slope alone, with ones for the gradient from above."""
    def local(e: Expr) -> Expr:
        if e.op == "grad":
            return ex.ones(e.shape)
        if not e.args:
            return e
        return rebuilt(e, [local(a) for a in e.args])

    yield from each(network, lambda s: local(s.result))


def overwritten(network: Network) -> Iterator[Changed]:
    """One of several uses kept alone, as `=` in place of `+=` does."""
    for place in (0, -1):
        yield from each(network, lambda s, place=place: s.terms[place].final if len(s.terms) > 1 else None)


def path_forgotten(network: Network) -> Iterator[Changed]:
    """One of three or more uses left out; of two the other one is kept alone."""
    for name, step in derived(network).steps.items():
        for k, term in enumerate(step.terms if len(step.terms) > 2 else ()):
            rest = ex.add(*(t.final for i, t in enumerate(step.terms) if i != k))
            yield Changed({"v": name, "at": term.through}, gather=at_step(name, lambda s, rest=rest: rest), equations=())


def bias_mean(network: Network) -> Iterator[Changed]:
    """The mean over the examples for a bias, in place of the sum."""
    def mean(step: Step) -> Expr | None:
        summed = [t for t in step.terms if any(rule == "broadcast-to-sum" for rule, _ in t.used)]
        if not summed:
            return None
        whole = network.symbols[summed[0].through].shape
        extra = [ex.size(a) for a, b in zip(whole, step.shape or (1, 1), strict=True) if a != b]
        return ex.mul(1 / ex.mul(*extra), step.result) if extra else None

    yield from each(network, mean)


# ---------------------------------------------------------------- the forward pass

def operands(network: Network) -> Iterator[Changed]:
    """Another given value of the same shape in an equation: the target for the input."""
    given = [s for s in network.symbols.values() if s.kind in ("input", "target")]
    for eq in network.equations:
        for used in sorted(eq.rhs.names):
            for other in given:
                if other.name != used and other.shape == network.symbols[used].shape and other.name not in eq.rhs.names:
                    yield rewritten({"other": other.name, "used": used, "at": eq.name}, eq.name, substituted(eq.rhs, used, other.expr))


def substituted(e: Expr, name: str, by: Expr) -> Expr:
    """A tree with another value in place of one."""
    if e.op == "sym" and e.data == name:
        return by
    return Expr(e.op, tuple(substituted(a, name, by) for a in e.args), e.data, e.shape, e.role) if e.args else e


def term_left_out(network: Network) -> Iterator[Changed]:
    """One term of a sum left out, the last one first."""
    for eq in (e for e in network.equations if e.rhs.op == "add"):
        for k in reversed(range(len(eq.rhs.args))):
            rest = ex.add(*(t for i, t in enumerate(eq.rhs.args) if i != k))
            if rest.shape == eq.rhs.shape:
                yield rewritten({"term": ex.text(eq.rhs.args[k]), "at": eq.name}, eq.name, rest)


def not_applied(network: Network) -> Iterator[Changed]:
    """An activation left out of the forward pass."""
    for eq in activations(network, last=None):
        yield rewritten(names_of(eq), eq.name, eq.rhs.args[0])


# ---------------------------------------------------------------- the update

def moved(update: Update) -> Ways:
    """Another update, whatever the network."""
    return lambda network: iter([Changed({}, update=update)])


def one_by_one(values: Env, derivation: Derivation, names: Iterable[str], rate: Any) -> dict[str, Matrix]:
    """Every parameter is moved as soon as its gradient is known, so that the layers below see the new one."""
    env, trained, out = dict(values), set(names), {}
    for step in derivation.steps.values():
        if step.terms:
            env[step.of, step.wrt] = spread_out(entries(step.result, env, MP), step.shape)
        if step.wrt in trained:
            out.update(updated(env, derivation, [step.wrt], rate))
            env[step.wrt] = out[step.wrt]
    return {**updated(values, derivation, trained, rate), **out}


def weights_only(values: Env, derivation: Derivation, names: Iterable[str], rate: Any) -> dict[str, Matrix]:
    """Biases that stay as they are."""
    symbols = derivation.network.symbols
    return {n: values[n] if symbols[n].base == "b" else updated(values, derivation, [n], rate)[n] for n in names}
