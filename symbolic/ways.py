"""The ways to go wrong: each finds the places in a network where its mistake can be made, and says what changes there.

>>> from .network import from_equations
>>> [c.places["v"] for c in overwritten(from_equations({"b": "4*a", "e": "a*b"}, {}))]
['a', 'a']
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from . import expr as ex
from .language.arithmetic import MP, Env, Matrix, entries, spread_out
from .derive import Derivation, Step, derive, rebuilt
from .expr import Expr
from .functions import FUNCTIONS
from .losses import LOSSES, loss_equation
from .network import Equation, Network
from .rules import RULES, Rule, local_slope

Update = Callable[[Env, Derivation, Iterable[str], Any], dict[str, Matrix]]
Pull = Callable[[Expr, Expr, int], Expr]


def updated(values: Env, derivation: Derivation, names: Iterable[str], rate: Any) -> dict[str, Matrix]:
    """The right step of gradient descent: W - rate * dL/dW for every name (W itself where the loss does not depend on it)."""
    out = {}
    for name in names:
        g = values.get((derivation.network.output, name))
        out[name] = values[name] if g is None else [[w - rate * d for w, d in zip(ws, ds, strict=True)] for ws, ds in zip(values[name], g, strict=True)]
    return out


@dataclass(frozen=True)
class Changed:
    """The one thing that a slip changes, and the words for its sentence."""

    places: Mapping[str, str]
    network: Network | None = None
    rules: Mapping[str, Rule] = field(default_factory=lambda: RULES)
    gather: Callable[[Step], Step] | None = None
    update: Update = updated


Ways = Callable[[Network], Iterator[Changed]]


# ---------------------------------------------------------------- changed rules

def _ruled(places: Mapping[str, str], op: str, wrong: Callable[[Expr, Expr, int, Pull], Expr]) -> Changed:
    """The table of rules with another row for one operation."""
    rule = RULES[op]
    return Changed(places, rules={**RULES, op: replace(rule, pull=lambda e, g, k: wrong(e, g, k, rule.pull))})


def _activations(network: Network, *, last: bool | None) -> list[Equation]:
    """The equations that apply a function entry by entry; last: only that of the output layer, or all but it."""
    found = [e for e in network.equations if e.rhs.op in ("call", "over") and e.rhs.args[0].op == "sym" and e.rhs.data != "identity"]
    final = network.aliases.get("y_hat")
    return [e for e in found if last is None or (e.name == final) == last]


def _names(eq: Equation) -> dict[str, str]:
    name = eq.rhs.data if isinstance(eq.rhs.data, str) else eq.rhs.data[0]
    return {"function": name.replace("_", " "), "a": eq.name, "z": eq.rhs.args[0].data}


def _at(eq: Equation, slope: Callable[[Expr, Expr, int, Pull], Expr]) -> Callable[[Expr, Expr, int, Pull], Expr]:
    """A wrong pullback at one equation, the right one everywhere else."""
    return lambda e, g, k, pull: slope(e, g, k, pull) if e == eq.rhs else pull(e, g, k)


def slope_missing(last: bool) -> Ways:
    """The slope of an activation left out. last: that of the output layer, or any other."""
    def change(network: Network) -> Iterator[Changed]:
        for eq in _activations(network, last=last):
            yield _ruled({**_names(eq), "L": network.output}, eq.rhs.op, _at(eq, lambda e, g, k, pull: g))

    return change


def slope_twice(network: Network) -> Iterator[Changed]:
    """The slope of an activation multiplied in twice."""
    for eq in _activations(network, last=None):
        yield _ruled(_names(eq), eq.rhs.op, _at(eq, lambda e, g, k, pull: pull(e, pull(e, g, k), k)))


def chain_broken(network: Network) -> Iterator[Changed]:
    """One of two nested functions of an equation without its slope, the inner one first."""
    for eq in network.equations:
        calls = [n for n in ex.walk(eq.rhs) if n.op in ("call", "apply") and n.args[0].names]
        inner = [n for n in calls if any(n is not outer and n in set(ex.walk(outer)) for outer in calls)]
        outer = [n for n in calls if any(n is not m and m in set(ex.walk(n)) for m in calls)]
        for word, found in (("inner", inner), ("outer", outer)):
            for n in found:
                yield _ruled({"which": word, "function": n.data.replace("_", " "), "at": eq.name}, n.op, lambda e, g, k, pull, n=n: g if e == n else pull(e, g, k))


def own_factor(network: Network) -> Iterator[Changed]:
    """The factor itself as the slope of a product, in place of the other one."""
    for eq in (e for e in network.equations if any(n.op == "mul" for n in ex.walk(e.rhs))):
        nodes = set(ex.walk(eq.rhs))
        yield _ruled({"at": eq.name}, "mul", lambda e, g, k, pull, nodes=nodes: ex.mul(g, e.args[k]) if e in nodes else pull(e, g, k))


def slope_elsewhere(network: Network) -> Iterator[Changed]:
    """f'(f(z)), or the form in the output with the input put in: a(1 - a) of a pre-activation."""
    for eq in (e for e in _activations(network, last=None) if e.rhs.op == "call"):
        yield _ruled(_names(eq) | {"where": eq.name}, "call", _at(eq, lambda e, g, k, pull: g * local_slope(ex.node("call", (e,), e.data))))
        yield _ruled(_names(eq) | {"where": _names(eq)["z"]}, "call",
                     _at(eq, lambda e, g, k, pull: g * local_slope(e, 0, e.args[0])))


def slope_of_another(network: Network) -> Iterator[Changed]:
    """The slope of another activation."""
    for eq in (e for e in _activations(network, last=None) if e.rhs.op == "call"):
        for other in (n for n, r in FUNCTIONS.items() if r.prime and n != eq.rhs.data):
            yield _ruled(_names(eq) | {"other": other.replace("_", " ")}, "call",
                         _at(eq, lambda e, g, k, pull, other=other: g * local_slope(ex.node("call", e.args[:1], other))))


def diagonal(network: Network) -> Iterator[Changed]:
    """The diagonal of a softmax Jacobian alone: g p (1 - p)."""
    for eq in (e for e in _activations(network, last=None) if e.rhs.op == "over"):
        yield _ruled(_names(eq), "over", _at(eq, lambda e, g, k, pull: g * e * (1 - e)))


def _products(network: Network, wrong: Pull) -> Iterator[Changed]:
    """Another pullback for one side of the products of one equation."""
    for eq in (e for e in network.equations if any(n.op == "matmul" for n in ex.walk(e.rhs))):
        nodes = set(ex.walk(eq.rhs))
        for side in (0, 1):
            yield _ruled({"at": eq.name}, "matmul", lambda e, g, k, pull, nodes=nodes, side=side: wrong(e, g, k) if e in nodes and k == side else pull(e, g, k))


def elementwise(network: Network) -> Iterator[Changed]:
    """An entrywise product where a matrix product belongs."""
    yield from _products(network, lambda e, g, k: ex.mul(g, e.args[1 - k]))


def untransposed(network: Network) -> Iterator[Changed]:
    """The other factor of a product, not transposed."""
    yield from _products(network, lambda e, g, k: e.args[0] @ g if k else g @ e.args[1])


# ---------------------------------------------------------------- another network

def _with(network: Network, name: str, rhs: Expr) -> Network:
    """The network with another right-hand side in one equation."""
    return replace(network, equations=tuple(Equation(e.name, rhs) if e.name == name else e for e in network.equations))


def negated(network: Network) -> Iterator[Changed]:
    """The sign of one equation turned, the last one first."""
    for eq in reversed(network.equations):
        yield Changed({}, _with(network, eq.name, ex.neg(eq.rhs)))


def _scaled(network: Network, factors: Iterable[tuple[Expr, str]]) -> Iterator[Changed]:
    """Another factor in front of the loss."""
    eq = network.equations[-1]
    for factor, word in factors:
        yield Changed({"n": word, "L": eq.name}, _with(network, eq.name, ex.mul(factor, eq.rhs)))


def twice(network: Network) -> Iterator[Changed]:
    """Twice the loss."""
    yield from _scaled(network, [(ex.num(2), "")])


def half(network: Network) -> Iterator[Changed]:
    """Half the loss."""
    yield from _scaled(network, [(1 / ex.num(2), "")])


def _counts(network: Network) -> list[tuple[Expr, str]]:
    """The numbers over which the loss sums, with their names."""
    sums = [e.args[0] for e in ex.walk(network.equations[-1].rhs) if e.op == "sum"]
    shapes = [s.shape for s in sums]
    found = [ex.size(d) for s in shapes for d in s if d != 1] + [ex.mul(*map(ex.size, s)) for s in shapes]
    return [(e, ex.text(e)) for e in dict.fromkeys(found)]


def mean_forgotten(network: Network) -> Iterator[Changed]:
    """A mean that is only a sum."""
    yield from _scaled(network, _counts(network))


def mean_too_often(network: Network) -> Iterator[Changed]:
    """A division by a size too many."""
    yield from _scaled(network, [(1 / n, word) for n, word in _counts(network)])


def other_loss(network: Network) -> Iterator[Changed]:
    """The gradient that belongs to another loss; binary cross-entropy, whose error is a - y, is tried first."""
    final = network.aliases.get("y_hat")
    if final is None:
        return
    y_hat, y = network.symbols[final], next(s for s in network.symbols.values() if s.kind == "target")
    outputs, samples = (y_hat.shape[::-1] if network.rows else y_hat.shape) if y_hat.shape else (1, 1)
    data = next(eq for eq in network.equations if y.name in eq.rhs.names)  # without what regularization adds
    made = {data.rhs}
    for name in sorted(LOSSES, key=lambda n: n != "binary_cross_entropy"):
        if LOSSES[name].logits or (isinstance(outputs, int) and outputs < LOSSES[name].least_outputs):
            continue
        for k, n in product((outputs, 1), (samples, None)):  # with its means, or without
            loss = loss_equation(name, y_hat.expr, y.expr, outputs=k, samples=n, rows=network.rows)
            if loss.rhs not in made:
                made.add(loss.rhs)
                yield Changed({"loss": name.replace("_", " ")}, _with(network, data.name, loss.rhs))


# ---------------------------------------------------------------- how terms are gathered

def _gathered(step: Step, final: Expr) -> Step:
    """A step with another result."""
    term = replace(step.terms[0], final=final, expr=final)
    return replace(step, terms=(term,), shape=final.shape)


def _each(network: Network, wrong: Callable[[Step], Expr | None]) -> Iterator[Changed]:
    """A change of one step at a time, for every step where it says something else."""
    for name, step in derive(network).steps.items():
        final = wrong(step) if step.terms else None
        if final is not None and final != step.result:
            yield Changed({"v": name, "L": step.of}, gather=lambda s, name=name, final=final: _gathered(s, final) if s.wrt == name else s)


def transposed(network: Network) -> Iterator[Changed]:
    """One gradient transposed; columns first."""
    yield from _each(network, lambda s: ex.transpose(s.result) if s.shape and s.shape[0] != 1 else None)
    yield from _each(network, lambda s: ex.transpose(s.result) if s.shape and s.shape[0] == 1 else None)


def upstream_ignored(network: Network) -> Iterator[Changed]:
    """The local slope alone, with ones for the gradient from above."""
    def local(e: Expr) -> Expr:
        if e.op == "grad":
            return ex.ones(e.shape)
        if not e.args:
            return e
        return rebuilt(e, [local(a) for a in e.args])

    yield from _each(network, lambda s: _full(local(s.result), s.shape))


def _full(e: Expr, shape: ex.Shape) -> Expr:
    return e * ex.ones(shape) if shape and not e.shape else e


def overwritten(network: Network) -> Iterator[Changed]:
    """One of several uses kept alone, as `=` in place of `+=` does."""
    for place in (0, -1):
        yield from _each(network, lambda s, place=place: s.terms[place].final if len(s.terms) > 1 else None)


def bias_mean(network: Network) -> Iterator[Changed]:
    """The mean over the examples for a bias, in place of the sum."""
    def mean(step: Step) -> Expr | None:
        summed = [t for t in step.terms if any(rule == "broadcast-to-sum" for rule, _ in t.used)]
        if not summed:
            return None
        whole = network.symbols[summed[0].through].shape
        extra = [ex.size(a) for a, b in zip(whole, step.shape or (1, 1), strict=True) if a != b]
        return ex.mul(1 / ex.mul(*extra), step.result) if extra else None

    yield from _each(network, mean)


# ---------------------------------------------------------------- the forward pass

def operands(network: Network) -> Iterator[Changed]:
    """Another given value of the same shape in an equation: the target for the input."""
    given = [s for s in network.symbols.values() if s.kind in ("input", "target")]
    for eq in network.equations:
        for used in sorted(eq.rhs.names):
            for other in given:
                if other.name != used and other.shape == network.symbols[used].shape and other.name not in eq.rhs.names:
                    yield Changed({"other": other.name, "used": used, "at": eq.name}, _with(network, eq.name, _substituted(eq.rhs, used, other.expr)))


def _substituted(e: Expr, name: str, by: Expr) -> Expr:
    if e.op == "sym" and e.data == name:
        return by
    return Expr(e.op, tuple(_substituted(a, name, by) for a in e.args), e.data, e.shape, e.role) if e.args else e


def term_left_out(network: Network) -> Iterator[Changed]:
    """One term of a sum left out, the last one first."""
    for eq in (e for e in network.equations if e.rhs.op == "add"):
        for k in reversed(range(len(eq.rhs.args))):
            rest = ex.add(*(t for i, t in enumerate(eq.rhs.args) if i != k))
            if rest.shape == eq.rhs.shape:
                yield Changed({"term": ex.text(eq.rhs.args[k]), "at": eq.name}, _with(network, eq.name, rest))


def not_applied(network: Network) -> Iterator[Changed]:
    """An activation left out of the forward pass."""
    for eq in _activations(network, last=None):
        yield Changed(_names(eq), _with(network, eq.name, eq.rhs.args[0]))


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
