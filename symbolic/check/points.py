"""Test points: where claimed gradients are compared with the right ones, and nowhere can a mistake hide.

Sizes are distinct and there are at least 3 examples (an m is no K, a transpose no accident), then a square and a
single example; weights of unit size, biases that are not 0, ReLUs alive and dead and none near its kink, nothing saturated.
Fresh for every seed, the same for the same seed.

>>> from ..network import LayerPlan
>>> from ..layers import stack
>>> net = stack(("X", 2), "Y", [LayerPlan(3, "relu"), LayerPlan(2, "sigmoid")], "mse", samples="n")
>>> for p in points(Blueprint.of(net, "mse"), seed=1): print(p.label, p.sizes)
distinct sizes {'X': (3, 5), 'W1': (4, 3), 'b1': (4, 1), 'W2': (6, 4), 'b2': (6, 1), 'Y': (6, 5)}
another batch {'X': (3, 7), 'W1': (4, 3), 'b1': (4, 1), 'W2': (6, 4), 'b2': (6, 1), 'Y': (6, 7)}
a third batch {'X': (3, 8), 'W1': (4, 3), 'b1': (4, 1), 'W2': (6, 4), 'b2': (6, 1), 'Y': (6, 8)}
square {'X': (4, 4), 'W1': (4, 4), 'b1': (4, 1), 'W2': (4, 4), 'b2': (4, 1), 'Y': (4, 4)}
a single example {'X': (3, 1), 'W1': (4, 3), 'b1': (4, 1), 'W2': (6, 4), 'b2': (6, 1), 'Y': (6, 1)}
at a kink {'X': (3, 5), 'W1': (4, 3), 'b1': (4, 1), 'W2': (6, 4), 'b2': (6, 1), 'Y': (6, 5)}
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy

from .. import expr as ex
from ..derive import derived
from ..errors import CheckError
from ..functions import FUNCTIONS
from ..layers import stack
from ..losses import LOSSES, WEIGHTS, regularized
from ..network import Network, Symbol
from .arrays import Array, Reader, forward, gradients, matrix

if TYPE_CHECKING:
    from ..problem import Problem

TRIES = 120
NEAR = 0.02        # no comparison of the forward pass is nearer to a tie
SATURATED = 4.0    # no smooth activation gets an input beyond
LAMBDA = 0.3       # the weight of a penalty where the file leaves it open
BATCHES = (5, 7, 8)
SQUARE = 4
SMALL = 0.35
NOTHING = 1e-13     # of the largest gradient at a point: below that a gradient is 0


@dataclass(frozen=True)
class Blueprint:
    """A network as a spec states it, to be built at other sizes.

    loss, options, reduction, penalties: as in the spec; fixed: numbers that the spec gives for lambdas; resize: whether layers may get
    other sizes (a class with its sizes built in may not).
    """

    network: Network
    loss: str
    options: Mapping[str, Any] = field(default_factory=dict)
    reduction: str = "mean"
    penalties: tuple[str, ...] = ()
    fixed: Mapping[str, float] = field(default_factory=dict)
    resize: bool = True

    @classmethod
    def of(cls, network: Network, loss: str = "", **more: Any) -> Blueprint:
        """The blueprint of a network without theorems; sizes change only in a stack of dense layers."""
        return cls(replace(network, shortcuts=(), ones=()), loss, **{"resize": network.plain_stack, **more})

    @classmethod
    def from_problem(cls, problem: Problem, *, resize: bool = True) -> Blueprint:
        """The blueprint of a spec."""
        network, plan = problem.network, problem.loss
        if plan is None:
            return cls.of(network, resize=False)
        fixed = {n: float(cells[0][0]) for n, cells in problem.leaves.items() if network.symbols[n].base.startswith("lam")}
        return cls.of(network, plan.name, options=plan.options, reduction=plan.reduction, penalties=plan.penalties, fixed=fixed, resize=resize and network.plain_stack)

    @property
    def batched(self) -> bool:
        """Whether it takes several examples at once."""
        return any(map(ex.is_samples, self.network.symbols[self._target].shape)) if self._target else False

    @property
    def _target(self) -> str:
        return next(iter(self.network.names("target")), "")

    def at(self, widths: Sequence[int]) -> Network:
        """The network with other numbers of features and units; the number of examples stays open."""
        (x,) = self.network.names("input")
        plans = [replace(p, units=w) for p, w in zip(self.network.layers, widths[1:], strict=True)]
        made = stack((x, widths[0]), self._target, plans, self.loss, samples="n" if self.batched else None, rows=self.network.rows,
                     reduction=self.reduction, options=self.options)
        return _plain(regularized(made, self.penalties) if self.penalties else made)

    def widths(self) -> list[int]:
        """Features and units, as the spec has them."""
        first = self.network.symbols[self.network.names("input")[0]].shape or (1, 1)
        return [int(first[1] if self.network.rows else first[0]), *(int(p.units) for p in self.network.layers)]


def _plain(network: Network) -> Network:
    """Without theorems, which would hide mistakes."""
    return replace(network, shortcuts=(), ones=())


@dataclass(frozen=True)
class Point:
    """A network at given sizes with a number for every leaf.

    label: what is special about it; leaves: arrays by name, symbolic sizes too; said: what could not be had (a unit that is dead);
    at_kink: one unit stands at its kink, where every slope between those of the two sides is a convention.
    """

    label: str
    network: Network
    leaves: Mapping[str, Array]
    said: str = ""
    at_kink: bool = False

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """The shapes of inputs, targets and parameters."""
        return {n: (int(self.leaves[n].shape[0]), int(self.leaves[n].shape[1])) for n in self.network.names("input", "target", "parameter")}

    @cached_property
    def values(self) -> dict[Any, Array]:
        """Every value of the forward pass, and every gradient under (output, name)."""
        return gradients(derived(self.network), forward(self.network, self.leaves))

    @cached_property
    def closed(self) -> dict[Any, Array]:
        """The same with the other convention at kinks."""
        return gradients(derived(self.network), forward(self.network, self.leaves), Reader(closed=True))

    @cached_property
    def wanted(self) -> list[str]:
        """The names whose gradients are asked for, from the output side: parameters (plain equations: what is given)."""
        kinds = ("parameter",) if self.network.names("parameter") else ("input",)
        return [n for n in derived(self.network).steps if self.network.symbols[n].kind in kinds]

    def gradient(self, name: str) -> Array:
        """The right gradient of a parameter."""
        return self.values[self.network.output, name]

    @cached_property
    def floor(self) -> float:
        """Below this a gradient is 0: what rounding leaves of one."""
        return NOTHING * max((float(numpy.max(numpy.abs(self.gradient(n)))) for n in self.wanted), default=0.0)

    @property
    def examples(self) -> int:
        """How many examples there are."""
        y = next((s for s in self.network.symbols.values() if s.kind == "target"), None)
        axes = [k for k, d in enumerate(y.shape) if ex.is_samples(d)] if y else []
        return int(self.leaves[y.name].shape[axes[0]]) if y and axes else 1

    @property
    def outputs(self) -> int:
        """How many numbers there are an example."""
        y = next((s for s in self.network.symbols.values() if s.kind == "target"), None)
        return int(self.leaves[y.name].size) // self.examples if y else 1


# ---------------------------------------------------------------- which points

def points(blueprint: Blueprint, seed: int) -> list[Point]:
    """All points for a spec, the most telling first.

    Raises CheckError when no numbers are found at which the network is defined.
    """
    return list(_points(blueprint, seed))


def _points(b: Blueprint, seed: int) -> Iterator[Point]:
    off = {n: 0.0 for n in _lambdas(b.network)} | dict(b.fixed)
    on = {n: LAMBDA for n in _lambdas(b.network)} | dict(b.fixed)
    labels = ("distinct sizes", "another batch", "a third batch") if b.batched and b.network.plain_stack else ("random numbers", "other numbers", "third numbers")
    if not b.network.plain_stack:
        yield from (draw(b, b.network, label, seed, on, m if b.batched else 1) for label, m in zip(labels, BATCHES, strict=True))
        return
    distinct = b.at(distinct_widths(b) if b.resize else b.widths())
    for label, m in zip(labels, BATCHES, strict=True):
        yield draw(b, distinct, label, seed, off, m)
    if b.resize:
        yield draw(b, b.at([w if w == 1 else SQUARE for w in b.widths()]), "square", seed, off, SQUARE)
    if b.batched:
        yield draw(b, distinct, "a single example", seed, off, 1)
    if on != off:
        yield draw(b, distinct, "with regularization", seed, on, BATCHES[1])
    if on and LOSSES[b.loss].domain == "any" and LOSSES[b.loss].name not in ("mae", "huber"):
        yield alone(draw(b, distinct, "regularization alone", seed, on, BATCHES[0]))
    yield from at_kink(draw(b, distinct, "at a kink", seed, off, BATCHES[0] if b.batched else 1))


def distinct_widths(b: Blueprint) -> list[int]:
    """Sizes that are all different, of each other and of the batches; a single feature or unit stays single."""
    taken, out = set(BATCHES), []
    for w in b.widths():
        size = next(k for k in range(3, 100) if k not in taken) if w > 1 else 1
        taken.add(size)
        out.append(size)
    return out


def alone(point: Point) -> Point:
    """The point with the predictions as targets, so that only what regularization adds has a gradient."""
    final = point.network.aliases["y_hat"]
    (target,) = point.network.names("target")
    values = forward(point.network, point.leaves)
    return Point(point.label, point.network, {**point.leaves, target: values[final].copy()}, point.said)


def at_kink(point: Point) -> Iterator[Point]:
    """The point with the first unit of the first layer that has a kink set there exactly, by its weights and its bias; nothing without such a layer."""
    network = point.network
    for k, plan in enumerate(network.layers, 1):
        row = FUNCTIONS.get(plan.activation)
        if row is None or not row.kinks or not plan.bias and row.kinks[0] != 0:
            continue
        place = (slice(None), slice(0, 1)) if network.rows else (slice(0, 1), slice(None))
        leaves = {**point.leaves, f"W{k}": point.leaves[f"W{k}"].copy()}
        leaves[f"W{k}"][place] = 0.0
        if plan.bias:
            leaves[f"b{k}"] = point.leaves[f"b{k}"].copy()
            leaves[f"b{k}"][0, 0] = float(row.kinks[0])
        yield replace(point, label="at a kink", leaves=leaves, at_kink=True)
        return


def _lambdas(network: Network) -> list[str]:
    return [s.name for s in network.symbols.values() if s.kind == "constant" and s.base.startswith("lam")]


# ---------------------------------------------------------------- numbers

def draw(b: Blueprint, network: Network, label: str, seed: int, lambdas: Mapping[str, float], examples: int = 1) -> Point:
    """A point with numbers that show as much as can be; raises CheckError when the network is defined at none."""
    best: tuple[int, Point] | None = None
    for attempt in range(TRIES):
        generator = numpy.random.default_rng([seed, zlib.crc32(label.encode()), attempt])
        leaves: dict[str, Array] = {n: numpy.array([[float(examples)]]) for n in network.sizes}
        leaves.update({n: matrix([[float(v) for v in row] for row in cells]) for n, cells in network.constants.items()})
        leaves.update({n: numpy.array([[v]]) for n, v in lambdas.items()})
        for s in (s for s in network.symbols.values() if s.kind in ("input", "target", "parameter", "constant") and s.name not in leaves):
            rows, columns = (examples if isinstance(d, str) else int(d) for d in s.shape or (1, 1))
            leaves[s.name] = _numbers(generator, s, (rows, columns), b, attempt)
        missed = _misses(network, leaves)
        if missed is None:
            continue
        if best is None or len(missed) < best[0]:
            best = len(missed), Point(label, network, leaves, "; ".join(missed))
        if not missed:
            break
    if best is None:
        raise CheckError(f"no numbers were found at which {network.output} is defined, so no gradient can be compared")
    return best[1]


def _numbers(generator: Any, s: Symbol, shape: tuple[int, int], b: Blueprint, attempt: int) -> Array:
    """Numbers of unit size for one leaf; small positive ones every other time where plain ones did not do (a logarithm of a ReLU)."""
    if s.kind == "target" and b.loss:
        return _targets(generator, s, shape, b)
    letter = s.base.split("_")[0]
    if s.kind == "parameter" and letter in WEIGHTS:
        into = shape[0] if b.network.rows else shape[1]
        drawn = generator.normal(size=shape) * (1.5 / max(into, 1)) ** 0.5 if s.letters != ("p", "q") else generator.normal(size=shape) * 0.7
    elif s.kind == "parameter" and letter == "gamma":
        return generator.uniform(0.5, 1.5, size=shape)
    elif s.kind == "parameter":
        drawn = generator.uniform(0.2, 0.8, size=shape) * generator.choice([-1.0, 1.0], size=shape)
    else:
        drawn = generator.normal(size=shape)
        drawn = numpy.where(abs(drawn) < 0.1, 0.1, drawn)
    return abs(drawn) * SMALL if attempt > TRIES // 4 and attempt % 2 else drawn


def _targets(generator: Any, s: Symbol, shape: tuple[int, int], b: Blueprint) -> Array:
    """Targets such as the loss is made for: labels where it takes labels, so that code which counts on them is right."""
    rows = b.network.rows
    outputs, examples = (shape[1], shape[0]) if rows else shape
    domain, row = LOSSES[b.loss].domain, LOSSES[b.loss]
    if domain == "distribution":
        drawn = generator.dirichlet(numpy.full(outputs, 3.0), size=examples).T
    elif domain == "one-hot" or (row.classes and outputs > 1):
        classes = generator.permutation(numpy.arange(examples) % outputs)
        drawn = (numpy.arange(outputs)[:, None] == classes[None, :]).astype(float)
    elif domain in ("unit", "sign"):
        drawn = generator.permutation(numpy.arange(outputs * examples) % 2).reshape(outputs, examples).astype(float)
        drawn = 2 * drawn - 1 if domain == "sign" else drawn
    else:
        drawn = generator.normal(size=(outputs, examples))
    return drawn.T.copy() if rows else drawn


def _misses(network: Network, leaves: Mapping[str, Array]) -> list[str] | None:
    """What these numbers leave to be wished; None where the network is not defined."""
    near: list[float] = []
    env = forward(network, leaves, Reader(near=near))
    if not all(numpy.isfinite(env[eq.name]).all() for eq in network.equations):
        return None
    missed = ["a value lies near a kink"] if near and min(near) < NEAR else []
    for eq in network.equations:
        if eq.rhs.op not in ("call", "over") or eq.rhs.args[0].op != "sym":
            continue
        name = eq.rhs.data if eq.rhs.op == "call" else eq.rhs.data[0]
        z = env[eq.rhs.args[0].data]
        kinks = FUNCTIONS[name].kinks if eq.rhs.op == "call" else ()
        if not kinks and name != "identity" and abs(z).max() > SATURATED:
            missed.append(f"{eq.name} is saturated")
        if kinks and z.size > 2 and any((z > k).all() or (z < k).all() for k in kinks[:1]):
            missed.append(f"{eq.name} is on one side of its kink everywhere")
    grads = gradients(derived(network), env)
    if not all(numpy.isfinite(g).all() for g in grads.values()):
        return None
    dead = [n for n in network.names("parameter") if (network.output, n) in grads and not grads[network.output, n].any()]
    return missed + [f"the gradient of {n} is 0" for n in dead]
