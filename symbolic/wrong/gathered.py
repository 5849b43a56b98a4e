"""Terms put together wrongly: errors and inputs of the wrong place, what is never stored, what an engine sends twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

from .. import expr as ex
from ..derive import Step, derived, rebuilt
from ..errors import ChainruleError
from ..expr import Expr, is_samples
from ..language.arithmetic import Env
from ..language.matrices import apply
from ..models.primitives import primitive
from ..network import Network, Symbol
from ..rules import pull
from .changes import Changed
from .ways import at_step, each, gathered

MOST_VISITS = 300  # of a recursive engine
BOUNDS = ("1", "5", "1/2", "1/10", "10")
STATISTICS = ("mu", "v", "s")
STATES = ("h", "c")


def _parameters(network: Network, bias: bool | None = None) -> list[Symbol]:
    """The parameters that have a gradient; bias: those of the letter b, or all others."""
    steps = derived(network).steps
    names = network.names("parameter") if network.layers else [n for n in network.names("input") if n in steps]
    found = [network.symbols[n] for n in names if n in steps]
    return [s for s in found if bias is None or (s.base.split("_")[0] == "b") == bias]


def _grad(network: Network, s: Symbol) -> Expr:
    return ex.grad(network.output, s.name, s.shape)


def swapped(e: Expr, old: Expr, new: Expr) -> Expr:
    """A gradient with another leaf in place of one."""
    if e == old:
        return new
    return rebuilt(e, [swapped(x, old, new) for x in e.args]) if e.args else e


# ---------------------------------------------------------------- the wrong leaf

def _other_leaves(network: Network, kind: str, parameters: bool) -> Iterator[Changed]:
    """A step with another value (kind sym) or another gradient (kind grad) of the same shape in it."""
    steps = derived(network).steps
    names = list(steps)
    values = [s.expr for s in network.symbols.values() if s.kind in ("input", "value") and s.name != network.output]
    for k, name in enumerate(names):
        step = steps[name]
        if not step.terms or (network.symbols[name].kind == "parameter") != parameters:
            continue
        others = values if kind == "sym" else [ex.grad(step.of, n, steps[n].shape) for n in names[1:k]]
        leaves = dict.fromkeys(n for n in ex.walk(step.result) if n.op == kind and (kind == "grad" or network.symbols[n.data].kind in ("input", "value")))
        for old in leaves:
            for new in (o for o in others if o.shape == old.shape and o != old):
                yield Changed({"v": name, "L": step.of, "used": ex.text(old).strip("()"), "other": ex.text(new).strip("()")},
                              gather=at_step(name, lambda s, old=old, new=new: swapped(s.result, old, new)), equations=())


def wrong_input(network: Network) -> Iterator[Changed]:
    """Another value of the same shape in the gradient of a parameter: z for a, h[t] for h[t-1], another layer's input."""
    yield from _other_leaves(network, "sym", True)


def wrong_error(network: Network) -> Iterator[Changed]:
    """The gradient of another value in that of a parameter, such as dA for dZ."""
    yield from _other_leaves(network, "grad", True)


def raw_error(network: Network) -> Iterator[Changed]:
    """The gradient of another value sent on down, such as the raw error in place of the one times the slope."""
    yield from _other_leaves(network, "grad", False)


# ---------------------------------------------------------------- lost on the way

def _lost(network: Network, chosen: Callable[[str], bool]) -> Iterator[Changed]:
    yield from each(network, lambda s: ex.ZERO if chosen(s.wrt) and s.wrt != s.of else None)


def _base(network: Network, name: str) -> str:
    return network.symbols[name].base.split("_")[0]


def statistics_constant(network: Network) -> Iterator[Changed]:
    """Mean or variance of a normalization taken as constants."""
    normalized = {s.name for s in network.symbols.values() if s.kind == "value" and s.base == "x_hat"}
    if normalized:
        yield from _lost(network, lambda n: network.symbols[n].kind == "value" and _base(network, n) in STATISTICS)


def not_carried(network: Network) -> Iterator[Changed]:
    """Nothing sent back from one time step to the one before."""
    recurrent = any(p.type in ("rnn", "lstm") for p in network.layers)
    if recurrent:
        last = max((s.name for s in network.symbols.values() if s.kind == "value" and _base(network, s.name) == "h"), key=list(network.symbols).index)
        yield from _lost(network, lambda n: network.symbols[n].kind == "value" and _base(network, n) in STATES and n != last and "_" in n)


def not_stored(network: Network) -> Iterator[Changed]:
    """The gradient of a parameter that stays 0."""
    for s in _parameters(network):
        yield Changed({"v": s.name, "L": network.output}, handed={s.name: ex.mul(0, _grad(network, s))}, equations=())


# ---------------------------------------------------------------- sums over a batch

def _summed(network: Network) -> Iterator[tuple[Step, Expr, int]]:
    """Steps that sum over what a value was repeated for, the sum's body, and its axis."""
    for step in derived(network).steps.values():
        r = step.result
        if r.op == "matmul" and any(rule == "broadcast-to-sum" for t in step.terms for rule, _ in t.used):
            for axis in (0, 1):
                if r.args[axis].op == "ones":
                    yield step, r.args[1 - axis], axis


def bias_unsummed(network: Network) -> Iterator[Changed]:
    """The error itself as the gradient of a bias, not its sum."""
    for step, body, _ in _summed(network):
        yield Changed({"v": step.wrt, "L": step.of}, handed={step.wrt: body}, equations=())


def bias_axis(network: Network) -> Iterator[Changed]:
    """The error summed over the units, not over the examples."""
    for step, body, axis in _summed(network):
        yield Changed({"v": step.wrt, "L": step.of}, handed={step.wrt: ex.total(body, 1 - axis)}, equations=())


def mean_on_some(network: Network) -> Iterator[Changed]:
    """The division by the number of examples on weights and not on biases, the other way round, or once more on weights."""
    sizes = dict.fromkeys(d for s in network.symbols.values() for d in s.shape if is_samples(d) and d != 1)
    if len(sizes) != 1:
        return
    (n,) = map(ex.size, sizes)
    word = ex.text(n)
    for bias, factor, what in ((True, n, f"not divided by {word}"), (False, n, f"not divided by {word}"), (False, 1 / n, f"divided by {word} once too often")):
        handed = {s.name: factor * _grad(network, s) for s in _parameters(network, bias)}
        if handed and len(handed) < len(_parameters(network)):
            yield Changed({"which": "biases" if bias else "weights", "what": what}, handed=handed, equations=())


# ---------------------------------------------------------------- clipped

def _between(e: Expr, bound: Expr) -> Expr:
    return ex.node("call", (ex.node("call", (e, ex.neg(bound)), "max"), bound), "min")


def clipped(network: Network) -> Iterator[Changed]:
    """Gradients clipped before they are returned: entry by entry, by the norm of each, or by the norm of all."""
    found = _parameters(network)
    squares = [apply("squared_norm", _grad(network, s)) if s.shape else _grad(network, s) ** 2 for s in found]
    whole = ex.node("call", (ex.add(*squares),), "sqrt") if squares else ex.ONE
    for bound in map(ex.num, map(Fraction, BOUNDS)):
        def scaled(g: Expr, norm: Expr, bound: Expr = bound) -> Expr:
            return ex.node("call", (ex.ONE, ex.node("div", (bound, norm))), "min") * g

        ways: tuple[tuple[str, Callable[[Expr], Expr]], ...] = (
            ("entry by entry", lambda g, bound=bound: _between(g, bound)),  # type: ignore[misc]
            ("by the norm of each", lambda g: scaled(g, apply("norm", g) if g.shape else ex.node("call", (g,), "abs"))),
            ("by the norm of all together", lambda g: scaled(g, whole)))
        for word, change in ways:
            yield Changed({"how": word, "bound": ex.text(bound)}, handed={s.name: change(_grad(network, s)) for s in found}, equations=())


def error_clipped(network: Network) -> Iterator[Changed]:
    """The error of the output clipped; a clipped loss has a slope of 0 beyond the bound."""
    final = network.aliases.get("y_hat")
    names = [final, *(n for n in network.equation(final).rhs.names if n in derived(network).steps)] if final else []
    for name in names:
        yield from each(network, lambda s, name=name: _between(s.result, ex.ONE) if s.wrt == name else None)


# ---------------------------------------------------------------- weights that have moved already

def updated_first(network: Network) -> Iterator[Changed]:
    """Weights moved before the error is sent back through them; _rate: the learning rate of the call."""
    rate = Symbol("_rate", (), "constant")
    steps = derived(network).steps
    names = list(steps)
    moved = {s.expr: s.expr - rate.expr * _grad(network, s) for s in _parameters(network)}

    def gather(step: Step) -> Step:
        result = step.result
        for weight, new in moved.items():
            if weight.data in names[:names.index(step.wrt)]:
                result = swapped(result, weight, new)
        return step if result == step.result or not step.terms else gathered(step, result)

    if any(gather(s) is not s for s in steps.values()):
        yield Changed({}, symbols={rate.name: rate}, gather=gather, recall=lambda calls: {rate.name: calls[-1][rate.name]}, equations=())


def not_reset(network: Network) -> Iterator[Changed]:
    """Gradients of earlier calls that were not set back to 0."""
    before = {s.name: Symbol(f"_before_{s.name}", s.shape, "constant") for s in _parameters(network)}

    def recall(calls: Sequence[Env]) -> Env:
        """What earlier calls at the same sizes returned; nothing for the first one."""
        earlier = [c for c in calls[:-1] if all(len(c[n]) == len(calls[-1][n]) and len(c[n][0]) == len(calls[-1][n][0]) for n in before)]
        return {b.name: _sum([call[network.output, n] for call in earlier]) for n, b in before.items()} if earlier else {}

    yield Changed({}, symbols={b.name: b for b in before.values()}, recall=recall, equations=(),
                  handed={n: _grad(network, network.symbols[n]) + b.expr for n, b in before.items()})


def _sum(matrices: Sequence[Any]) -> list[list[Any]]:
    """The sum of what earlier calls returned, entry by entry."""
    return [[sum(xs[1:], start=xs[0]) for xs in zip(*rows, strict=True)] for rows in zip(*matrices, strict=True)]


# ---------------------------------------------------------------- engines that walk a graph of operations

def _engine(network: Network, *, resend: bool = False, assign: bool = False, sweeps: int = 1) -> dict[str, Expr]:
    """What an engine leaves at every name: each operation is a node that keeps a gradient and sends it to its arguments.

    resend: a node sends all that it has whenever something arrives (recursion without an order); assign: what arrives replaces
    what was there; sweeps: how often backward is called without setting gradients back. Raises ChainruleError beyond MOST_VISITS.
    """
    nodes, args, named = _graph(primitive(network))
    held: dict[int, Expr] = {}
    visits = 0

    def arrive(k: int, g: Expr) -> None:
        nonlocal visits
        visits += 1
        if visits > MOST_VISITS:
            raise ChainruleError("an engine that walks through more nodes than can be followed")
        held[k] = g if assign or k not in held else ex.add(held[k], g)

    def send(k: int) -> None:
        for i, child in args[k]:
            arrive(child, pull(nodes[k], held[k], i))
            if resend:
                send(child)

    root = named[network.output]
    for _ in range(sweeps):
        arrive(root, ex.ONE)
        if sweeps > 1 and not assign:
            held[root] = ex.ONE
        if resend:
            send(root)
        else:
            for k in range(root, -1, -1):
                if k in held:
                    send(k)
    return {name: held[k] for name, k in named.items() if k in held}


def _graph(network: Network) -> tuple[list[Expr], list[list[tuple[int, int]]], dict[str, int]]:
    """Operations and given values in the order of computing, for each its (place of the argument, node), and the nodes by name."""
    nodes: list[Expr] = []
    args: list[list[tuple[int, int]]] = []
    named: dict[str, int] = {}

    def visit(e: Expr) -> int:
        if e.op == "sym" and e.data in named:
            return named[e.data]
        children = [(i, visit(x)) for i, x in enumerate(e.args) if x.names]
        nodes.append(e)
        args.append(children)
        if e.op == "sym":
            named[e.data] = len(nodes) - 1
        return len(nodes) - 1

    for eq in network.equations:
        named[eq.name] = visit(eq.rhs)
    return nodes, args, named


def engine(**how: Any) -> Callable[[Network], Iterator[Changed]]:
    """Such an engine on plain equations of single numbers with a value that is used more than once, or called again."""
    def change(network: Network) -> Iterator[Changed]:
        if network.layers or not network.is_scalar:
            return
        try:
            found, right = [_engine(network, **how)], _engine(network)
        except ChainruleError:
            return
        if how.get("sweeps"):  # an engine that sends only what is new does all of it again
            found.append({n: ex.mul(ex.num(how["sweeps"]), e) for n, e in right.items()})
        for given in found:
            wrong = {n: e for n, e in given.items() if e != right[n] and n != network.output}
            if wrong:
                yield Changed({"v": next(iter(_shared(network)), "")}, equations=(),
                              gather=lambda s, wrong=wrong: gathered(s, wrong[s.wrt]) if s.wrt in wrong and s.terms else s)  # type: ignore[misc]

    return change


def _shared(network: Network) -> Iterator[str]:
    """Names that are used more than once, those computed from others first."""
    uses = [n.data for eq in network.equations for n in ex.walk(eq.rhs) if n.op == "sym"]
    defined = {eq.name for eq in network.equations}
    yield from (n for n in sorted(dict.fromkeys(uses), key=lambda n: n not in defined) if uses.count(n) > 1)
