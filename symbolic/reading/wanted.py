"""What a spec asks for beyond the gradient: modes, second derivatives, a constraint; checked against the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from .. import expr as ex
from ..errors import SpecError, nearest
from ..expr import Expr
from ..language.parse import parse
from ..network import Network
from ..spec import Spec

MODES = ("forward", "reverse")
MOST_NODES = 60     # values of a graph that is shown node by node
MOST_ENTRIES = 20   # rows and columns of a Hessian
MOST_STEPS = 20     # of Newton's method
Cells = list[list[Any]]


@dataclass(frozen=True)
class Wanted:
    """Beyond the gradient.

    modes: of MODES; hessian, newton: names of leaves whose second derivatives count; direction, hvp: exact numbers
    by name, as the network holds them; steps: of Newton's method, 0 for none; constraint: two trees that must be equal.
    """

    modes: tuple[str, ...] = ()
    hessian: tuple[str, ...] = ()
    direction: Mapping[str, Cells] = field(default_factory=dict)
    hvp: Mapping[str, Cells] = field(default_factory=dict)
    newton: tuple[str, ...] = ()
    steps: int = 0
    constraint: tuple[Expr, Expr] | None = None


def wanted(spec: Spec, network: Network, leaves: Mapping[str, Cells]) -> Wanted:
    """What the spec asks for.

    Raises SpecError, located in the file, for what does not fit the network or is too large for a page.
    """
    reader = _Reader(spec, network, leaves)
    return Wanted(reader.modes(), reader.hessian(), reader.vector("direction", spec.direction), reader.vector("hvp", spec.hvp),
                  *reader.newton(), reader.constraint())


class _Reader:
    def __init__(self, spec: Spec, network: Network, leaves: Mapping[str, Cells]) -> None:
        self.spec, self.network, self.leaves = spec, network, leaves
        self.free = network.names("parameter") if network.layers else network.names("input")

    def problem(self, key: str, sentence: str, hint: str = "", *path: Any) -> SpecError:
        return SpecError(f"{key}: {sentence}", where=self.spec.where(key, *path), hint=hint)

    def modes(self) -> tuple[str, ...]:
        for k, name in enumerate(self.spec.modes):
            if name not in (*MODES, "*"):
                raise self.problem("modes", f"unknown mode {name!r}", nearest(name, MODES), k)
        if self.spec.modes:
            self._scalar_output("modes")
            self._whole_sizes("modes")
            if (count := sum(prod(map(int, s.shape)) for s in self.network.symbols.values())) > MOST_NODES:
                raise self.problem("modes", f"the graph has {count:,} values; at most {MOST_NODES} are shown node by node")
        return tuple(m for m in MODES if m in self.spec.modes or "*" in self.spec.modes)

    def hessian(self) -> tuple[str, ...]:
        return self._leaves("hessian", self.spec.hessian) if self.spec.hessian else ()

    def newton(self) -> tuple[tuple[str, ...], int]:
        if self.spec.newton is None:
            return (), 0
        self._equations("newton")
        names = self._leaves("newton", ["*"])
        self._numbers("newton")
        if self.spec.newton.steps > MOST_STEPS:
            raise self.problem("newton", f"{self.spec.newton.steps} steps; at most {MOST_STEPS} make a table", "", "steps")
        return names, self.spec.newton.steps

    def vector(self, key: str, given: Mapping[str, Any]) -> dict[str, Cells]:
        """Numbers by name, in the shapes of the network."""
        if not given:
            return {}
        self._equations(key)
        self._leaves(key, list(given))
        if key == "direction" and sum(prod(map(int, self.network.symbols[n].shape)) for n in given) < 2:
            raise self.problem(key, "one number alone has no direction", "name a second one, with 0 where it stays, as in {x: 1, y: 0}")
        self._numbers(key)
        out = {}
        for name, value in given.items():
            cells = [[value]] if not isinstance(value, (tuple, list)) else \
                [list(row) for row in value] if isinstance(value[0], (tuple, list)) else [[v] for v in value]
            shape = self.network.symbols[name].shape or (1, 1)
            if (len(cells), len(cells[0])) != shape:
                raise self.problem(key, f"{name} is {ex.show_shape(self.network.symbols[name].shape)}, and its part of the vector is "
                                   f"{len(cells)} x {len(cells[0])}", "", name)
            out[name] = cells
        if not any(v for rows in out.values() for row in rows for v in row):
            raise self.problem(key, "every number is 0, so it points nowhere")
        return out

    def constraint(self) -> tuple[Expr, Expr] | None:
        if self.spec.lagrange is None:
            return None
        self._equations("lagrange")
        self._scalar_output("lagrange")
        if not self.network.is_scalar:
            raise self.problem("lagrange", "every name must be a single number here")
        left, equals, right = self.spec.lagrange.constraint.partition("=")
        values = {n: self.network.symbols[n].expr for n in self.free}
        try:
            sides = parse(left, values), parse(right, values) if equals else ex.ZERO
        except SpecError as e:
            raise self.problem("lagrange", e.sentence, e.hint, "constraint") from None
        if not sides[0].names | sides[1].names:
            raise self.problem("lagrange", "the constraint holds no name of the equations", "for example x + y - 1", "constraint")
        return sides

    # ------------------------------------------------------------ what must be there

    def _equations(self, key: str) -> None:
        if self.network.layers:
            raise self.problem(key, "belongs to files with equations, and this one has layers", "write 'hessian: [W1]' for a network")

    def _scalar_output(self, key: str) -> None:
        if self.network.symbols[self.network.output].shape:
            raise self.problem(key, f"{self.network.output} is not a single number", "add an equation such as e: sum(...)")

    def _whole_sizes(self, key: str) -> None:
        if self.network.sizes:
            raise self.problem(key, f"the size {self.network.sizes[0]} is a letter", "give it as a number")

    def _leaves(self, key: str, names: Sequence[str]) -> tuple[str, ...]:
        """Names that no equation computes, small enough together."""
        self._scalar_output(key)
        self._whole_sizes(key)
        if self.spec.given:
            raise self.problem(key, "needs a formula for every function, and 'given' has functions without one")
        chosen = tuple(n for n in self.free if n in self.spec.wrt) or tuple(self.free) if "*" in names else tuple(names)
        for k, name in enumerate(chosen):
            if name not in self.free:
                raise self.problem(key, f"{name!r} cannot be varied here", nearest(name, self.free), name if isinstance(getattr(self.spec, key), dict) else k)
        if (count := sum(prod(map(int, self.network.symbols[n].shape)) for n in chosen)) > MOST_ENTRIES:
            raise self.problem(key, f"{count} numbers vary, so the Hessian is {count} x {count}; at most {MOST_ENTRIES} x {MOST_ENTRIES} fit a page",
                               "name a few of them, as in hessian: [" + self.free[-1] + "]")
        return chosen

    def _numbers(self, key: str) -> None:
        if missing := [n for n in self.free if n not in self.leaves]:
            raise self.problem(key, f"{missing[0]} has no number", "give one under 'at'")
