"""Another loss than the one asked for: the wrong examples, a logarithm changed, what regularization adds.

Leaves that only a slip knows begin with an underscore.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from .. import expr as ex
from ..expr import Expr, is_samples
from ..language.arithmetic import MP, Env
from ..language.takes import convolve
from ..losses import WEIGHTS
from ..network import Equation, Network, Symbol
from .changes import Changed
from .rules import turned
from .ways import data_loss, gathered

EPSILONS = ("1e-5", "1e-6", "1e-7", "1e-8", "1e-9", "1e-10", "1e-12", "1e-15")  # what people put inside a logarithm


def made_of(e: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """A tree built again, shapes and all, with some of its nodes changed; change gives None for what stays."""
    found = change(e)
    if found is not None:
        return found
    return ex.node(e.op, [made_of(x, change) for x in e.args], e.data) if e.args else e


def _changed(places: dict[str, str], eq: Equation, change: Callable[[Expr], Expr | None]) -> Iterator[Changed]:
    """The equation rewritten, where that changes anything."""
    if any(change(n) is not None for n in ex.walk(eq.rhs)):
        yield Changed(places, rewrite={eq.name: lambda rhs: made_of(rhs, change)}, equations=(eq.name,))


def log_forgotten(network: Network) -> Iterator[Changed]:
    """The loss without its logarithm."""
    def change(e: Expr) -> Expr | None:
        if e.op == "call" and e.data == "log":
            return e.args[0]
        return ex.node("over", e.args, ("softmax", e.data[1])) if e.op == "over" and e.data[0] == "log_softmax" else None

    if eq := data_loss(network):
        yield from _changed({"L": eq.name}, eq, change)


def log_epsilon(network: Network) -> Iterator[Changed]:
    """A small number added inside the logarithms of the loss."""
    if eq := data_loss(network):
        for epsilon in EPSILONS:
            def change(e: Expr, epsilon: str = epsilon) -> Expr | None:
                return ex.node("call", (ex.node("add", (e.args[0], ex.num(Fraction(epsilon)))),), "log") if e.op == "call" and e.data == "log" else None

            yield from _changed({"L": eq.name, "epsilon": epsilon}, eq, change)


def _batch(network: Network) -> tuple[Symbol, int] | None:
    """The target and the axis along which its examples lie; None without a batch."""
    y = next((s for s in network.symbols.values() if s.kind == "target"), None)
    axes = [k for k, d in enumerate(y.shape) if is_samples(d)] if y else []
    return (y, axes[0]) if y and len(axes) == 1 and y.shape[axes[0]] != 1 else None


def all_pairs(network: Network) -> Iterator[Changed]:
    """One number an example as a list minus one as a column: NumPy compares every example with every target."""
    found, final, eq = _batch(network), network.aliases.get("y_hat"), data_loss(network)
    if found is None or final is None or eq is None or found[0].shape[1 - found[1]] != 1:
        return
    y, axis = found
    n = y.shape[axis]
    down, across = ex.ones((n, 1)), ex.ones((1, n))

    def change(e: Expr) -> Expr | None:
        if e.op != "sym" or e.data not in (final, y.name):
            return None
        column = e if axis == 0 else ex.transpose(e)
        return column @ across if e.data == final else down @ ex.transpose(column)

    for word, scale in (("mean", 1 / ex.size(n)), ("sum", ex.ONE)):
        yield Changed({"L": eq.name, "how": word, "n": ex.text(ex.size(n))}, rewrite={eq.name: lambda rhs, scale=scale: ex.mul(scale, made_of(rhs, change))},
                      equations=(eq.name,))


def one_example(network: Network) -> Iterator[Changed]:
    """The last (or the first) example alone, as a loop leaves it that overwrites; with or without the division by their number."""
    found, eq = _batch(network), data_loss(network)
    if found is None or eq is None:
        return
    y, axis = found
    line = Symbol("_one", (y.shape[0], 1) if axis == 0 else (1, y.shape[1]), "constant")
    full = line.expr @ ex.ones((1, y.shape[1])) if axis == 0 else ex.ones((y.shape[0], 1)) @ line.expr
    mask = line.expr if line.shape == y.shape else full

    def change(e: Expr) -> Expr | None:
        return ex.node("sum", (ex.node("mul", (mask, e.args[0])),)) if e.op == "sum" and e.data is None and e.args[0].shape == y.shape else None

    if not any(change(n) is not None for n in ex.walk(eq.rhs)):
        return
    for word, at in (("last", -1), ("first", 0)):
        for divided, scale in ((True, ex.ONE), (False, ex.size(y.shape[axis]))):
            yield Changed({"which": word, "how": "still" if divided else "not", "n": ex.text(ex.size(y.shape[axis]))}, symbols={line.name: line},
                          rewrite={eq.name: lambda rhs, scale=scale: ex.mul(scale, made_of(rhs, change))}, equations=(eq.name,),
                          recall=lambda calls, at=at: {line.name: _unit(calls[-1][y.name], axis, at)})


def _unit(y: Any, axis: int, at: int) -> list[list[Any]]:
    """A row or a column of zeros with a one at the place of an example."""
    count = len(y) if axis == 0 else len(y[0])
    ones = [MP.number(Fraction(int(k == at % count))) for k in range(count)]
    return [[v] for v in ones] if axis == 0 else [ones]


def batch_cached(network: Network) -> Iterator[Changed]:
    """Divided by the batch size of the first call, in all gradients, or only those of weights, or of biases."""
    found = _batch(network)
    eq = data_loss(network)
    if found is None or eq is None:
        return
    y, axis = found
    first = Symbol("_n_first", (), "constant")
    factor = ex.size(y.shape[axis]) / first.expr

    def recall(calls: Sequence[Env]) -> Env:
        return {first.name: [[MP.number(Fraction(_count(calls[0][y.name], axis)))]]}

    shown = {"n": ex.text(ex.size(y.shape[axis]))}
    yield Changed(shown | {"what": "All gradients are"}, symbols={first.name: first}, recall=recall, rewrite={eq.name: lambda rhs: ex.mul(factor, rhs)}, equations=(eq.name,))
    for word, bias in (("The gradients of the weights are", False), ("The gradients of the biases are", True)):
        handed = {s.name: factor * ex.grad(network.output, s.name, s.shape) for s in network.symbols.values()
                  if s.kind == "parameter" and (s.base.split("_")[0] == "b") == bias}
        if handed:
            yield Changed(shown | {"what": word}, symbols={first.name: first}, recall=recall, handed=handed, equations=())


def _count(y: Any, axis: int) -> int:
    return len(y) if axis == 0 else len(y[0])


# ---------------------------------------------------------------- what regularization adds

def _penalties(network: Network) -> tuple[Equation, list[Expr]] | None:
    """The last equation and the penalties in it; None where nothing is added to the loss."""
    eq = network.equations[-1]
    lambdas = {s.name for s in network.symbols.values() if s.kind == "constant" and s.base.startswith("lam")}
    found = [t for t in eq.rhs.args if t.names & lambdas] if eq.rhs.op == "add" else []
    return (eq, found) if found else None


def _with_penalties(network: Network, change: Callable[[Expr], Expr | None], places: dict[str, str], equations: tuple[str, ...] | None = ()) -> Iterator[Changed]:
    """Every penalty changed; change gives None for one that is left out."""
    if (found := _penalties(network)) is not None:
        eq, penalties = found

        def rewrite(rhs: Expr) -> Expr:
            kept = [t if t not in penalties else change(t) for t in (rhs.args if rhs.op == "add" else (rhs,))]
            return ex.add(*(t for t in kept if t is not None))

        yield Changed(places, rewrite={eq.name: rewrite}, equations=(eq.name,) if equations == () else equations)


def penalty_forgotten(network: Network) -> Iterator[Changed]:
    """What regularization adds left out, of all weights or of one."""
    yield from _with_penalties(network, lambda t: None, {"what": ""})
    weights = [s for s in network.symbols.values() if s.kind == "parameter" and s.base.split("_")[0] in WEIGHTS]
    for s in weights if len(weights) > 1 else ():
        yield Changed({"what": f" in the gradient of `{s.name}`"}, handed={}, gather=_without_penalty(network, s.name), equations=())


def _without_penalty(network: Network, name: str) -> Callable[[Any], Any]:
    def gather(step: Any) -> Any:
        kept = [t for t in step.terms if t.through != network.output]
        return gathered(step, ex.add(*(t.final for t in kept))) if step.wrt == name and kept else step

    return gather


def penalty_scaled(network: Network) -> Iterator[Changed]:
    """What regularization adds taken twice, half, or as a mean over the examples."""
    found = _batch(network)
    count = [("divided by the number of examples", 1 / ex.size(found[0].shape[found[1]]))] if found else []
    for word, factor in (("twice the right size", ex.num(2)), ("half the right size", 1 / ex.num(2)), *count):
        yield from _with_penalties(network, lambda t, factor=factor: ex.mul(factor, t), {"what": word})


def penalty_sign(network: Network) -> Iterator[Changed]:
    """What regularization adds with the wrong sign."""
    yield from _with_penalties(network, ex.neg, {})


def penalty_on_bias(network: Network) -> Iterator[Changed]:
    """Biases that are penalized as well."""
    biases = [s.expr for s in network.symbols.values() if s.kind == "parameter" and s.base.split("_")[0] == "b"]

    def more(t: Expr) -> Expr:
        """The factor times the same sum over the biases too."""
        factor, sums = t.args
        one = sums.args[0] if sums.op == "add" else sums
        weight = next(n for n in ex.walk(one) if n.op == "sym")
        extra = [made_of(one, lambda n, b=b: b if n == weight else None) for b in biases]
        return ex.node("mul", (factor, ex.node("add", (*(sums.args if sums.op == "add" else (sums,)), *extra))))

    if biases:
        yield from _with_penalties(network, more, {}, None)


# ---------------------------------------------------------------- the forward pass

def kernel_flipped(network: Network) -> Iterator[Changed]:
    """A convolution with the kernel turned, as mathematics defines it; layers take a cross-correlation."""
    def change(e: Expr) -> Expr | None:
        return convolve(e.args[0], turned(e.args[1]), e.data.stride, e.data.padding) if e.op == "slide" else None

    for eq in network.equations:
        if any(n.op == "slide" and n.args[1].shape for n in ex.walk(eq.rhs)):
            yield Changed({"at": eq.name}, rewrite={eq.name: lambda rhs: made_of(rhs, change)})
