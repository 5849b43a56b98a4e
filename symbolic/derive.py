"""Walking the equations backwards: one named gradient a value, by the chain rule.

A step is local: over the equations that use a value, the sum of what the rules send back from
the *named* gradient of each. The gradients are trees in the language of the forward pass.

>>> from .network import from_equations
>>> d = derive(from_equations({"b": "4*a", "c": "b + 3", "d": "a + 2", "e": "c*d"}, {}))
>>> for s in d.steps.values(): print(f"d{s.of}/d{s.wrt} = {ex.text(s.result)}")
de/de = 1
de/dd = c
de/dc = d
de/db = (de/dc)
de/da = 4*(de/db) + (de/dd)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from . import expr as ex
from .expr import ONE, Expr
from .functions import FUNCTIONS
from .network import FIXED, Equation, Network, Shortcut
from .rules import RULES, Rule, local_slope, pull

PLAIN = frozenset({"sum", "constant-multiple", "transpose"})  # rules that need no sentence beside another


@dataclass(frozen=True)
class Term:
    """What one equation sends back to a value.

    through: the equation's name; upstream: its gradient (ONE for the output); expr: the gradient
    with slopes as f'(z); final: with the slopes' own forms; local: the plain derivative
    d(through)/d(value) where both are scalars; used: (rule id, reason) from the root down.
    """

    through: str
    upstream: Expr
    expr: Expr
    final: Expr
    local: Expr | None
    local_final: Expr | None
    used: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Step:
    """The gradient of the output with respect to one value, in terms of named gradients.

    shortcut: a theorem that gives it in a short form; inserted: the gradient with what it needs from
    above put in, which the theorem then shortens.
    """

    of: str
    wrt: str
    shape: ex.Shape
    terms: tuple[Term, ...]
    shortcut: Shortcut | None = None
    inserted: Expr | None = None

    @cached_property
    def chain(self) -> Expr:
        """The sum of the terms with slopes written f'(z)."""
        return _sum([t.expr for t in self.terms]) if self.terms else ONE

    @cached_property
    def general(self) -> Expr:
        """The sum of the terms with every slope in its own form."""
        return _sum([t.final for t in self.terms]) if self.terms else ONE

    @property
    def result(self) -> Expr:
        """The gradient: the short form of a theorem, or else the general form."""
        return self.shortcut.result if self.shortcut else self.general

    @property
    def used(self) -> tuple[tuple[str, str], ...]:
        """The rules that needed a thought, each once, with their reasons."""
        every = tuple(dict.fromkeys(u for t in self.terms for u in t.used))
        return tuple(u for u in every if u[0] not in PLAIN) or every[-1:]

    @property
    def rule(self) -> str:
        """The id of the step's rule: the outermost one, fork-sum over several equations."""
        if not self.terms:
            return "identity"
        if self.shortcut:
            return self.shortcut.rule
        if len(self.terms) > 1:
            return "fork-sum"
        ids = list(dict.fromkeys(u[0] for u in self.used))
        return ids[0] if ids else "identity"  # the outermost rule names the step

    @property
    def because(self) -> str:
        """The reason, as sentences."""
        if not self.terms:
            return "Every value has slope one with respect to itself."
        if self.shortcut:
            return self.shortcut.because
        said = [b for _, b in self.used if b]
        fork = ["This value is used more than once: the gradients of all paths add up."] if len(self.terms) > 1 else []
        return " ".join(dict.fromkeys(fork + said)) or "The value is passed on unchanged."


@dataclass(frozen=True)
class Derivation:
    """All steps of a network, from the output back, by the name of the value."""

    network: Network
    steps: Mapping[str, Step]
    wrt: tuple[str, ...] = field(default=())

    def shown(self) -> list[Step]:
        """The steps on the way to the names asked for (all, when none are named)."""
        if not self.wrt:
            return list(self.steps.values())
        keep = set(self.wrt)
        for name, step in reversed(list(self.steps.items())):
            if name in keep:
                keep.update(t.through for t in step.terms)
        return [s for s in self.steps.values() if s.wrt in keep]


def derive(network: Network, wrt: tuple[str, ...] = (), rules: Mapping[str, Rule] = RULES) -> Derivation:
    """Derive the gradient of the last equation with respect to every value.

    wrt: limits the steps that are shown, never those that are derived. rules: the table to use;
    a table with one wrong row gives the wrong gradients that a mistake would give (without theorems,
    which would hide it). Raises ChainruleError when an operation has no rule.
    """
    shapes = {s.name: s.shape for s in network.symbols.values()}
    skip = {s.name for s in network.symbols.values() if s.kind in FIXED}
    first_use = _first_uses(network)
    plain, named = not network.layers, _outputs(network)
    found: dict[str, list[Term]] = {name: [] for name in shapes}
    steps: dict[str, Step] = {}
    output = network.output
    shortcuts = {s.wrt: s for s in network.shortcuts if s.of == output} if rules is RULES else {}

    def close(name: str) -> None:
        step = Step(output, name, shapes[name], tuple(found[name]))
        if name in shortcuts:  # a theorem that names gradients goes past what lies between, so nothing is put in
            named_in = any(n.op == "grad" for n in ex.walk(shortcuts[name].result))
            step = replace(step, shortcut=shortcuts[name], inserted=None if named_in else _inserted(step, steps))
        steps[name] = step

    for i in range(len(network.equations) - 1, -1, -1):
        eq = network.equations[i]
        if eq.name == output or found[eq.name]:  # else nothing after it uses it, so its gradient is zero
            close(eq.name)
            direct = eq.name == output or (not plain and steps[eq.name].result == ONE)  # L = D + ...: D has slope one
            for term_name, term in _terms(eq, output, shapes[eq.name], rules, named, plain, direct):
                if term_name not in skip:
                    found[term_name].insert(0, term)  # terms in the order of the equations
        for name in sorted(first_use.get(i, ()), key=lambda n: network.symbols[n].kind != "parameter"):
            if name not in skip and found[name]:
                close(name)
    return Derivation(network, steps, tuple(network.resolve(w) for w in wrt))


def derived(network: Network) -> Derivation:
    """The right derivation of a network, worked out once."""
    found: Derivation = network.__dict__.get("_derived") or derive(network)
    network.__dict__["_derived"] = found
    return found


def rederive(derivation: Derivation, network: Network, equations: Sequence[str], rules: Mapping[str, Rule]) -> Derivation:
    """The derivation again, where only some equations (or the rules in them) are others; all else is kept as it is.

    Right only where the same values are used as before. Raises ChainruleError as `derive` does.
    """
    shapes = {s.name: s.shape for s in network.symbols.values()}
    named, steps = _outputs(network), dict(derivation.steps)
    for eq in (e for e in network.equations if e.name in equations and e.name in steps):
        direct = eq.name == network.output or (bool(network.layers) and steps[eq.name].result == ONE)
        sent: dict[str, list[Term]] = {}
        for name, term in _terms(eq, network.output, shapes[eq.name], rules, named, not network.layers, direct):
            sent.setdefault(name, []).append(term)
        for name, step in steps.items():
            if any(t.through == eq.name for t in step.terms) or name in sent:
                at = next((k for k, t in enumerate(step.terms) if t.through == eq.name), len(step.terms))
                kept = [t for t in step.terms if t.through != eq.name]
                steps[name] = replace(step, terms=(*kept[:at], *sent.get(name, ()), *kept[at:]))
    changed = [n for n, s in steps.items() if s is not derivation.steps[n]]
    if any(bool(steps[n].terms) != bool(derivation.steps[n].terms) or (steps[n].result == ONE) != (derivation.steps[n].result == ONE) for n in changed):
        return derive(network, rules=rules)  # nothing reaches a value any more, or a gradient of one is left out that is none now
    return replace(derivation, network=network, steps=steps)


def _outputs(network: Network) -> dict[Expr, Expr]:
    """Right-hand sides that a slope may call by name: outputs of functions (plain calculus keeps e^x as it is)."""
    whole = ("over", "pick", "matrix", "call") if network.layers else ("over", "pick", "matrix")
    return {e.rhs: ex.sym(e.name, e.rhs.shape) for e in network.equations if e.rhs.op in whole}


def _sum(terms: Sequence[Expr]) -> Expr:
    """A sum of what the rules gave; a single term is tidy already. What goes back to the same place is added first, and sent once."""
    if len(terms) == 1:
        return terms[0]
    sent: dict[Any, list[Expr]] = {}
    for k, t in enumerate(terms):
        sent.setdefault(t.data if t.op == "put" else k, []).append(t)
    return ex.add(*(g[0] if len(g) == 1 else Expr("put", (ex.add(*(t.args[0] for t in g)),), g[0].data, g[0].shape) for g in sent.values()))


def _first_uses(network: Network) -> dict[int, list[str]]:
    """For every equation the leaves that no earlier equation uses, in order of appearance."""
    seen: set[str] = {eq.name for eq in network.equations}
    out: dict[int, list[str]] = {}
    for i, eq in enumerate(network.equations):
        for e in ex.walk(eq.rhs):
            if e.op == "sym" and e.data not in seen:
                seen.add(e.data)
                out.setdefault(i, []).append(e.data)
    return out


def _terms(eq: Equation, output: str, shape: ex.Shape, rules: Mapping[str, Rule],
           named: Mapping[Expr, Expr], plain: bool, direct: bool) -> Iterator[tuple[str, Term]]:
    """What one equation sends back, a term for every value that it uses; direct: its own gradient is one."""
    # A vector-valued output has no slope of one: its seed is the direction asked about.
    upstream = ex.grad(output, eq.name, shape) if not direct or shape else ONE
    scalar = not shape and all(not e.shape for e in ex.walk(eq.rhs))
    gathered: dict[str, tuple[list[Expr], list[tuple[str, str]]]] = {}
    for name, g, used in passes(eq.rhs, ONE if scalar else upstream, (), rules):
        exprs, rules_used = gathered.setdefault(name, ([], []))
        exprs.append(g)
        rules_used.extend(used)
    for name, (exprs, rules_used) in gathered.items():
        local = _sum(exprs)
        final = rewrite_slopes(local, eq, named)
        used = tuple(dict.fromkeys(rules_used))
        if scalar:
            same = final is local  # no slope to write out, as in most equations
            if plain:
                local = ex.ordered(local)
                final = local if same else ex.ordered(final)
            whole = upstream * local
            yield name, Term(eq.name, upstream, whole, whole if same else upstream * final, local, final, used)
        else:
            yield name, Term(eq.name, upstream, local, final, None, None, used)


def passes(e: Expr, g: Expr, used: tuple[tuple[str, str], ...],
            rules: Mapping[str, Rule]) -> Iterator[tuple[str, Expr, tuple[tuple[str, str], ...]]]:
    """Descend from a right-hand side to every name in it, applying one rule a node."""
    if e.op == "sym":
        yield e.data, (g * ex.ones(e.shape) if e.shape and not g.shape else g), used
        return
    for k, arg in enumerate(e.args):
        if not arg.names:
            continue
        sent = pull(e, g, k, rules)
        if sent != ex.ZERO:
            yield from passes(arg, sent, (*used, rules[e.op].used(e, k)), rules)


def rewrite_slopes(e: Expr, eq: Equation, named: Mapping[Expr, Expr]) -> Expr:
    """Replace every f'(z) by the form of the table; a name stands for the output that it holds.

    named: outputs of vector functions and their names (a softmax slope needs all of them). The slope of a function that the equation
    does not apply, a mistake, stays f'(z).
    """
    if e.op == "slope" and e.data[0] in FUNCTIONS:
        call = ex.node("call", e.args, e.data[0])
        return local_slope(call, e.data[1], ex.sym(eq.name, call.shape) if eq.rhs == call else call) if call in ex.walk(eq.rhs) else e
    if e in named:
        return named[e]
    if not e.args:
        return e
    args = [rewrite_slopes(x, eq, named) for x in e.args]
    return e if all(x is y for x, y in zip(args, e.args, strict=True)) else rebuilt(e, args)


def rebuilt(e: Expr, args: Sequence[Expr]) -> Expr:
    """A node with other arguments, through the tidy constructors where there is one."""
    match e.op:
        case "mul": return ex.mul(*args)
        case "add": return ex.add(*args)
        case "neg": return ex.neg(args[0])
        case "matmul": return ex.matmul(*args)
        case "sum": return ex.total(args[0], e.data)
        case "T": return ex.transpose(args[0])
    return Expr(e.op, tuple(args), e.data, e.shape, e.role)


def _inserted(step: Step, steps: Mapping[str, Step]) -> Expr:
    """The general form with the gradients from above put in."""
    return _put({t.upstream: steps[t.through].result for t in step.terms if t.upstream != ONE}, step.general)


def _put(table: Mapping[Expr, Expr], e: Expr) -> Expr:
    if e in table:
        return table[e]
    return rebuilt(e, [_put(table, x) for x in e.args]) if e.args else e


def substituted(e: Expr, table: Mapping[Expr, Expr]) -> Expr:
    """A tree with some of its parts replaced."""
    if e in table:
        return table[e]
    return Expr(e.op, tuple(substituted(a, table) for a in e.args), e.data, e.shape, e.role) if e.args else e


def composed(network: Network, step: Step) -> tuple[list[tuple[str, Expr]], Expr]:
    """What a theorem is about and its claim, both written in the value itself: what lies between is put in.

    That is the loss; or, where the claim names gradients, the values that these belong to.
    """
    if ends := dict.fromkeys(n.data[1] for n in ex.walk(step.result) if n.op == "grad"):
        return _between(network, step, tuple(ends))
    rhs = {t.through: network.equation(t.through).rhs for t in step.terms if t.upstream != ONE}
    loss = next(eq.rhs for eq in network.equations if eq.rhs.names & (rhs.keys() or {step.wrt}))

    def put(e: Expr) -> Expr:
        if e.op == "sym" and e.data in rhs:
            return rhs[e.data]
        return Expr(e.op, tuple(map(put, e.args)), e.data, e.shape, e.role) if e.args else e

    return [(step.of, put(loss))], put(step.result)


def _between(network: Network, step: Step, ends: tuple[str, ...]) -> tuple[list[tuple[str, Expr]], Expr]:
    """Right-hand sides of some values in terms of an earlier one alone, and the claim in terms of it and them."""
    table: dict[Expr, Expr] = {}
    for eq in network.equations:
        if step.wrt in eq.rhs.names or table.keys() & {n for n in ex.walk(eq.rhs) if n.op == "sym"}:
            table[ex.sym(eq.name, eq.rhs.shape)] = _put(table, eq.rhs)
        if all(any(k.data == end for k in table) for end in ends):
            break
    claim = _put({k: v for k, v in table.items() if k.data not in ends}, step.result)
    return [(k.data, v) for k, v in table.items() if k.data in ends], claim


# ---------------------------------------------------------------- whole paths

def count_paths(derivation: Derivation, name: str) -> int:
    """How many paths lead from a value to the output."""
    counts: dict[str, int] = {derivation.network.output: 1}
    for step in derivation.steps.values():
        if step.terms:
            counts[step.wrt] = sum(counts[t.through] for t in step.terms)
    return counts.get(name, 0)


def paths(derivation: Derivation, name: str, *, short: bool = False) -> list[list[tuple[str, Term]]]:
    """Every path from the output to a value: (value reached, term) from the output down.

    short: a path begins where a theorem gives the gradient already; all that lies above it is in its first step.
    """
    step = derivation.steps[name]
    if not step.terms:
        return [[]]
    if short and step.shortcut:
        return [[(name, step.terms[0])]]
    return [[*before, (name, t)] for t in step.terms for before in paths(derivation, t.through, short=short)]


def path_product(path: list[tuple[str, Term]], *, final: bool, after: Expr | None = None) -> Expr:
    """The product of the local derivatives along a path, each marked with its place on it; after: in place of the first."""
    factors = [(t.local_final if final else t.local) or ONE for _, t in path]
    return ex.mul(*(f.with_role(str(k)) for k, f in enumerate(factors if after is None else [after, *factors[1:]])))


def path_partials(path: list[tuple[str, Term]], network: Network) -> Expr:
    """The same product as dL/da * da/dz * ..., each factor named and marked with the part it plays."""
    factors = [ex.partial(t.through, name).with_role(f"{k}:{_part(t, name, network)}") for k, (name, t) in enumerate(path)]
    return factors[0] if len(factors) == 1 else ex.node("mul", factors)


def _part(term: Term, name: str, network: Network) -> str:
    """What a factor of a path is: the loss, a slope, a weight, an input."""
    if not network.layers:
        return ""
    if term.through == network.output:
        return "loss" if network.symbols[name].kind != "parameter" else "penalty"
    if term.upstream == ONE:
        return "data loss"
    slope = next((e.data for e in ex.walk(network.equation(term.through).rhs) if e.op in ("call", "pick")), None)
    if slope is not None:
        return f"slope {slope if isinstance(slope, str) else slope[0]}"
    if network.symbols[name].kind != "parameter":
        return "weight"
    if term.local_final != ONE:
        return "input"
    return "bias" if network.symbols[name].base == "b" else ""
