"""A network and its derivation as a program: one named statement a line, in the order of the pages.

Forward equations first, then every gradient that the parameters need, as the derivation gives it (theorems
included). Nothing is differentiated here, and nothing that no result needs is kept.

>>> from ..layers import stack
>>> from ..network import LayerPlan
>>> net = stack(("x", 2), "y", [LayerPlan(3, "sigmoid"), LayerPlan(1)], "half_squared_error", samples="n")
>>> for s in program(net).statements: print(s)
Z1 = W1 @ X + b1
A1 = np.exp(-np.logaddexp(0, -Z1))
z2 = W2 @ A1 + b2
a2 = z2
L = 0.5 * (1 / n) * np.sum((a2 - y)**2)
da2 = (a2 - y) / n
dz2 = da2
dW2 = dz2 @ A1.T
db2 = np.sum(dz2)
dA1 = W2.T @ dz2
dZ1 = dA1 * A1 * (1 - A1)
dW1 = dZ1 @ X.T
db1 = np.sum(dZ1, axis=1, keepdims=True)
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .. import expr as ex
from ..derive import Derivation, derive, substituted
from ..errors import SpecError, nearest
from ..expr import Expr
from ..functions import FUNCTIONS
from ..language.floats import absent_at_zero, stable
from ..latex import matrix_like
from ..network import Network
from ..numpytree import Index, Names, tree_code

RESERVED = frozenset({"np", "math", "abs", "min", "max", "erf", "erfc", *keyword.kwlist})


@dataclass(frozen=True)
class Statement:
    """One line: name = expr. kind: 'forward' or 'gradient'; of: the network's name of the value; code: the right-hand side in NumPy."""

    name: str
    expr: Expr
    kind: str
    of: str
    code: str

    def __str__(self) -> str:
        return f"{self.name} = {self.code}"


@dataclass(frozen=True)
class Program:
    """All statements, and what goes in and out.

    names, slopes: what the code calls each value and its gradient, by the network's name; parameters, data: the network's names of what
    comes in (data: inputs, targets, constants); loss: the network's name of the output; gradients: from the network's
    names to the statements that hold them (dW1); tables: index tables that the statements read, by name.
    """

    network: Network
    statements: tuple[Statement, ...]
    names: Mapping[str, str]
    slopes: Mapping[str, str]
    parameters: tuple[str, ...]
    data: tuple[str, ...]
    loss: str
    gradients: Mapping[str, str]
    tables: Mapping[str, Index] = field(default_factory=dict)

    @property
    def forward(self) -> tuple[Statement, ...]:
        return tuple(s for s in self.statements if s.kind == "forward")

    @property
    def backward(self) -> tuple[Statement, ...]:
        return tuple(s for s in self.statements if s.kind == "gradient")

    @property
    def leaves(self) -> tuple[str, ...]:
        """Everything that must be given, in the order of the arguments."""
        return (*self.data, *self.parameters)

    def sizes(self, given: Iterable[str] | None = None) -> dict[str, tuple[str, int]]:
        """Symbolic sizes that the code reads: where each is found, as (name of a value, axis); given: the values to look at."""
        out: dict[str, tuple[str, int]] = {}
        for name in self.leaves if given is None else [n for n in self.leaves if n in given]:
            for axis, d in enumerate(self.network.symbols[name].shape):
                if isinstance(d, str):
                    out.setdefault(d, (name, axis))
        return {d: at for d, at in out.items() if any(re.search(rf"\b{d}\b", s.code) for s in self.statements)}


def program(network: Network, derivation: Derivation | None = None, wrt: Iterable[str] | None = None) -> Program:
    """The statements for the loss and for the gradients of wrt (default: every parameter, or every input where there is none).

    A logarithm of an activation is read as the stable function of its input (log softmax, softplus).
    Raises SpecError for a name without gradient, a loss that is not a number, or a function without formula.
    """
    derivation = derivation or derive(network)
    loss = network.output
    if network.symbols[loss].shape:
        raise SpecError(f"{loss} is {ex.show_shape(network.symbols[loss].shape)}; only a single number has gradients to compute", hint="sum or average it in a last equation")
    wanted = _wanted(network, wrt)
    names = identifiers(network)
    slopes = _slope_names(names)
    steps = {name: _whole(s.result, network.symbols[name].shape) for name, s in derivation.steps.items()}
    needed = _needed(wanted, steps)
    trees = [(names[eq.name], _absent(stable(_through(eq.rhs, network)), network), "forward", eq.name) for eq in network.equations]
    trees += [(slopes[name], _absent(stable(steps[name]), network), "gradient", name) for name in steps if name in needed]
    trees += [(slopes[name], _whole(ex.ZERO, network.symbols[name].shape), "gradient", name) for name in wanted if name not in steps]
    writing = Names(names.__getitem__, lambda of, name: slopes[name], {})
    statements = []
    for name, tree, kind, of in _live(trees, loss, {slopes[w] for w in wanted}, slopes):
        try:
            statements.append(Statement(name, tree, kind, of, tree_code(tree, writing)))
        except ValueError:
            unnamed = next((n for n in ex.walk(tree) if n.op in ("apply", "slope")), tree)
            raise SpecError(f"{ex.text(unnamed)} has no formula, so {of} cannot be computed", hint="write the function out in the equations") from None
    used = frozenset[str]().union(*(s.expr.names for s in statements))
    leaves = [n for n in network.names("input", "target", "constant", "parameter") if n in used or n in wanted]
    parameters = tuple(n for n in leaves if n in wanted and (network.symbols[n].kind == "parameter" or wrt is None))
    return Program(network, tuple(statements), names, slopes, parameters, tuple(n for n in leaves if n not in parameters), loss,
                   {w: slopes[w] for w in wanted}, writing.tables or {})


def _wanted(network: Network, wrt: Iterable[str] | None) -> tuple[str, ...]:
    if wrt is None:
        return tuple(network.names("parameter") or network.names("input"))
    wanted = tuple(map(network.resolve, wrt))
    for name in wanted:
        if name not in network.symbols or network.symbols[name].kind in ("target", "constant", "size"):
            raise SpecError(f"{name!r} has no gradient", hint=nearest(name, network.names("parameter", "input", "value")))
    return wanted


def _needed(wanted: Iterable[str], steps: Mapping[str, Expr]) -> set[str]:
    """The gradients that the wanted ones read, directly or not."""
    found, todo = set[str](), [w for w in wanted if w in steps]
    while todo:
        name = todo.pop()
        if name not in found:
            found.add(name)
            todo += [n.data[1] for n in ex.walk(steps[name]) if n.op == "grad"]
    return found


def _live(trees: list[tuple[str, Expr, str, str]], loss: str, results: set[str], slopes: Mapping[str, str]) -> list[tuple[str, Expr, str, str]]:
    """The statements that the loss and the results need."""
    kept: list[tuple[str, Expr, str, str]] = []
    read: set[str] = {loss}  # names of values, and of gradients with an apostrophe behind
    for name, tree, kind, of in reversed(trees):
        if (kind == "gradient" and (name in results or f"{of}'" in read)) or (kind == "forward" and of in read):
            kept.append((name, tree, kind, of))
            read |= tree.names | {f"{n.data[1]}'" for n in ex.walk(tree) if n.op == "grad"}
    return kept[::-1]


def _whole(e: Expr, shape: ex.Shape) -> Expr:
    """A gradient in its full shape: one that is zero, or the same everywhere, may be left as a number."""
    return e if e.shape or not shape else ex.node("mul", (e, ex.ones(shape)))


# ---------------------------------------------------------------- logarithms of activations

def _through(e: Expr, network: Network) -> Expr:
    """The same tree where log(a) and log(1 - a) are read through the equation of the activation a, if that has a stable form."""
    if not e.args:
        return e
    if e.op == "call" and e.data == "log":
        rhs = {ex.sym(eq.name, eq.rhs.shape): eq.rhs for eq in network.equations if eq.rhs.op in ("call", "over")}
        opened = Expr("call", (substituted(e.args[0], rhs),), "log", e.shape)
        short = stable(opened)
        if short != opened and not any(n.op == "call" and n.data in ("log", "log1p") for n in ex.walk(short)):
            return short
    return Expr(e.op, tuple(_through(a, network) for a in e.args), e.data, e.shape, e.role)


def _absent(e: Expr, network: Network) -> Expr:
    """The same tree where 0 ln 0 counts as 0 in the prediction of layers, as the losses with a logarithm say."""
    y_hat, targets = network.aliases.get("y_hat", ""), network.names("target")
    return absent_at_zero(e, network.symbols[y_hat].expr, network.symbols[targets[0]].expr) if y_hat in e.names and len(targets) == 1 else e


# ---------------------------------------------------------------- names in code

def identifiers(network: Network) -> dict[str, str]:
    """What code calls each value: the letter of the page, a capital for a matrix, W1_0_1 for one entry; never twice the same."""
    out: dict[str, str] = {}
    taken = set(RESERVED) | set(FUNCTIONS)
    for name, s in network.symbols.items():
        letter = name
        if not s.as_written and not s.index and not s.parent and (matrix_like(s.shape) or (s.base == "w" and s.shape)):
            letter = name[0].upper() + name[1:]
        out[name] = _free(re.sub(r"\W+", "_", letter).strip("_"), taken)
    return out


def _slope_names(names: Mapping[str, str]) -> dict[str, str]:
    taken = set(names.values()) | RESERVED
    return {name: _free(f"d{code}", taken) for name, code in names.items()}


def _free(name: str, taken: set[str]) -> str:
    name = name if name.isidentifier() else f"v_{name}"
    while name in taken:
        name += "_"
    taken.add(name)
    return name
