"""One network as a claim sees it: values at the given numbers, random points, proofs, and what a part of it gives.

>>> from ..network import from_equations
>>> scene = Scene(from_equations({"z": "w*x", "a": "sigmoid(z)"}, {}), {})
>>> ex.text(scene.whole("w")), scene.entrywise("z"), len(scene.points())
('a*(1 - a)*x', True, 3)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..derive import Derivation, derive, rebuilt
from ..errors import CheckError
from ..expr import Expr
from ..functions import VECTOR_FUNCTIONS
from ..language.arithmetic import MP, Matrix, entries, spread_out
from ..lesson import plan
from ..network import Network
from ..proof.probe import dimensions, random_point, resizer, shrink
from ..slips import Case, Slip, Suspects, Working, same
from ..values import downstream, gradients
from ..verify import AGREE, certify

POINTS = 3        # random points for a formula
LETTERS = 3       # what a size that is a letter is in a small copy (see probe.resizer)
MOST_NAMED = 3    # numbers of a random point that a sentence names
MOST_SLOPES = 400  # entries of a Jacobian


@dataclass(frozen=True)
class Point:
    """A network with a number for every name: at the given numbers, or a smaller copy at random ones."""

    network: Network
    leaves: Mapping[Any, Any]
    env: Mapping[Any, Matrix]
    resize: Callable[[Expr], Expr]
    where: str

    def entries(self, e: Expr, shape: ex.Shape) -> Matrix:
        """A formula in numbers, at its full shape."""
        return spread_out(entries(self.resize(e), self.env, MP), self.resize(ex.sym("_", shape)).shape)

    def counterexample(self, name: str, gap: tuple[int, int, Any, Any], shape: ex.Shape) -> str:
        """What a wrong formula gives here, in words; gap: row, column, the claimed number and ours."""
        i, j, claimed, ours = gap
        where = f" in row {i + 1}, column {j + 1}" if shape and 1 not in shape else f" in entry {i + j + 1}" if shape else ""
        return f"{self.where} the formula gives {mp.nstr(claimed, 5)}{where}, and `{name}` is {mp.nstr(ours, 5)}."


class Scene:
    """A network, the numbers given for it, and all that claims about it need; each part is worked out once.

    rate, trained, steps: the learning rate, the parameters it moves, and how often. derivation: where it is there (and certified) already.
    shares: targets of exclusive classes, and the axis along which they add up to one.
    """

    def __init__(self, network: Network, leaves: Mapping[Any, Any], rate: Any = None, trained: tuple[str, ...] = (),
                 derivation: Derivation | None = None, shares: Mapping[str, int] | None = None, steps: int = 1) -> None:
        self.network, self.leaves, self.trained, self.shares, self.steps = network, leaves, trained, shares or {}, steps
        self.exact_rate, self.rate = rate, None if rate is None else MP.number(rate)
        self.working = Working(network, derivation or derive(network))
        self.rounded: dict[Any, dict[Any, Matrix]] = {}

    @cached_property
    def env(self) -> dict[Any, Matrix]:
        """Values, gradients and update at the given numbers; without what lacks a number (everything, where a size is a letter)."""
        if self.network.sizes:
            return {}
        try:
            return self.working.values(self.leaves, self.rate, self.trained, steps=self.steps)
        except (ArithmeticError, KeyError):  # no number, or no loss to take several steps on
            return {}

    @cached_property
    def suspects(self) -> Suspects:
        """The slips of this network."""
        return Suspects(self.network, self.rate, self.trained, self.steps)

    # ------------------------------------------------------------ points

    def points(self) -> list[Point]:
        """The given numbers, where they are complete, then random points.

        Raises CheckError when no point is found at which the network is defined.
        """
        given = [Point(self.network, self.leaves, self.env, lambda e: e, "With the numbers of the file")] if self._complete else []
        return given + self._random

    @property
    def _complete(self) -> bool:
        return bool(self.env) and not self.network.sizes and all(n in self.env for n in self.network.symbols)

    @cached_property
    def _random(self) -> list[Point]:
        return self._drawn(self.shares)

    def without_shares(self) -> list[Point]:
        """Random points at which targets are any numbers."""
        return self._drawn({})

    def _drawn(self, shares: Mapping[str, int]) -> list[Point]:
        small, resize = shrink(self.network)
        if small.ones and not shares:  # nor does a theorem hold then that needs them
            small = replace(small, shortcuts=(), ones=())
        working = Working(small, derive(small))
        near = self.leaves if small.symbols is self.network.symbols else None
        sizes = {n: [[MP.number(LETTERS)]] for n in self.network.sizes}  # the letter m means how many examples the copy has
        found = []
        for k in range(POINTS):
            leaves = {**random_point(small, k, near), **sizes}
            leaves.update({n: _shared(leaves[n], axis) for n, axis in shares.items()})
            found.append(Point(small, leaves, working.values(leaves, self.rate, self.trained), resize, _random_words(small, leaves)))
        return found

    def explain(self, key: Any, claim: Expr, shape: ex.Shape) -> tuple[Slip, str] | None:
        """The slip that gives a wrong formula at every random point."""
        points = self._random
        suspects = self.suspects if points[0].network is self.network else Suspects(points[0].network, self.rate, self.trained)
        return suspects.explain(key, [Case(p.leaves, lambda m, p=p: same(p.entries(claim, shape), m)) for p in points])

    # ------------------------------------------------------------ proofs and parts

    def proves(self, claim: Expr, truth: Expr, shape: ex.Shape) -> bool:
        """Whether two formulas are the same, entry by entry at a small shape."""
        from ..proof.prove import agree

        resize = resizer({d: 2 + i % 2 for i, d in enumerate(dimensions(self.network, 2))})
        values = {eq.name: resize(eq.rhs) for eq in self.network.equations}
        steps = {(s.of, k): resize(s.result) if s.terms else ex.ones(resize(ex.sym(k, s.shape)).shape) for k, s in self.working.derivation.steps.items()}
        shapes = {n: resize(s.expr).shape for n, s in self.network.symbols.items()}
        return agree(resize(claim), resize(truth), values, steps, shapes, resize(ex.sym("_", shape)).shape, self.shares)

    def entrywise(self, v: str) -> bool:
        """Whether the output is a single number, or each of its entries depends on the same entry of v alone."""
        network = self.network
        shape = network.symbols[network.output].shape
        if not shape:
            return True
        reached = {v, *downstream(network, v)}
        nodes = [n for eq in network.equations if eq.name in reached for n in ex.walk(eq.rhs) if n.names & reached]
        return shape == network.symbols[v].shape and all((n.op in ex.ENTRYWISE or n.op == "sym") and n.shape == shape for n in nodes)

    def whole(self, v: str) -> Expr:
        """The derivative of the output with respect to v in the names of the forward pass alone."""
        steps = self.working.derivation.steps

        def put_in(e: Expr) -> Expr:
            if e.op == "grad":
                return result(e.data[1])
            return rebuilt(e, [put_in(a) for a in e.args]) if e.args else e

        def result(name: str) -> Expr:
            step, shape = steps.get(name), self.network.symbols[name].shape
            if step is None:
                return ex.ZERO
            return put_in(step.result) if step.terms else ex.ones(shape)

        return result(v)


def exclusive(network: Network, leaves: Mapping[Any, Matrix]) -> dict[str, int]:
    """The targets behind a function of the whole vector, where nothing given says that they do not add up to one."""
    if not network.layers or network.layers[-1].activation not in VECTOR_FUNCTIONS:
        return {}
    axis = 1 if network.rows else 0
    found = {n: axis for n in network.names("target")}
    return {n: axis for n in found if n not in leaves or all(abs(sum(line) - 1) < mp.mpf(10) ** -AGREE for line in _lines(leaves[n], axis))}


def _lines(rows: Matrix, axis: int) -> Matrix:
    return rows if axis == 1 else [list(c) for c in zip(*rows, strict=True)]


def _shared(rows: Matrix, axis: int) -> Matrix:
    """Random numbers as positive parts of one."""
    parts = [[abs(x) + mp.mpf(1) / 10 for x in line] for line in _lines(rows, axis)]
    return _lines([[x / sum(line) for x in line] for line in parts], axis)


def part(scene: Scene, of: str) -> Scene:
    """The network as far as one value, certified like the whole. Raises CheckError."""
    network, needed = scene.network, {of}
    for eq in reversed(network.equations):
        if eq.name in needed:
            needed |= eq.rhs.names
    equations = tuple(eq for eq in network.equations if eq.name in needed)
    if not equations or equations[-1].name != of:
        raise CheckError(f"{of} is given, so nothing moves it")
    symbols = {n: s for n, s in network.symbols.items() if n in needed or s.kind == "size"}
    small = replace(network, equations=equations, symbols=symbols, aliases={}, layers=())
    leaves = {k: m for k, m in scene.leaves.items() if isinstance(k, Expr) or k in symbols}
    derivation = certify(plan(small, ("matrix",)), leaves or None).lesson.derivation
    return Scene(small, leaves, derivation=derivation)


def jacobian(scene: Scene, v: str) -> Matrix | str:
    """All slopes of the output with respect to v, a row for each entry of the output; a sentence where there is no such table."""
    network = scene.network
    shapes = [network.symbols[n].shape for n in (network.output, v)]
    if any(1 not in (s or (1,)) for s in shapes):
        return f"`d{network.output}/d{v}` has {' x '.join(ex.show_shape(s) for s in shapes)} entries, which no table on paper holds."
    if not scene.env or v not in scene.env or network.output not in scene.env:
        return "The file gives no numbers for it."
    rows, columns = (int(d) for d in shapes[0])
    if rows * columns > MOST_SLOPES:
        return f"`d{network.output}/d{v}` has more than {MOST_SLOPES} rows."
    out = []
    for k in range(rows * columns):
        seed = [[mp.mpf(i * columns + j == k) for j in range(columns)] for i in range(rows)]
        env = gradients(scene.working.derivation, scene.working.values(scene.leaves), seed)
        out.append([x for row in env[network.output, v] for x in row])
    return out


def _random_words(network: Network, leaves: Mapping[Any, Any]) -> str:
    """A random point in words, with its numbers where they are few."""
    names = network.names("input", "target", "parameter")
    if len(names) > MOST_NAMED or any(network.symbols[n].shape for n in names):
        return "At a random point"
    return "At " + ", ".join(f"{n} = {mp.nstr(leaves[n][0][0], 4)}" for n in names)
