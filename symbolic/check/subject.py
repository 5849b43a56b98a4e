"""What code is checked against: a network with its loss, from a spec, a short text, or a Network at hand.

>>> subject("4-3-2 relu sigmoid", "mse").title
'4-3-2 relu sigmoid, mse'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from .. import expr as ex
from ..errors import ChainruleError, SpecError, meant
from ..expr import is_samples
from ..layers import stack
from ..losses import LOSSES
from ..network import Equation, Network, Symbol
from .adapter import Adapter
from .points import Blueprint
from .shortnet import network as short_network

if TYPE_CHECKING:
    from ..spec import Spec

Given: TypeAlias = "Network | Blueprint | Subject | Mapping[str, Any] | Path | str"
ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Subject:
    """A network to check against: how it is built at other sizes, what the spec says of the files, and what the page is called."""

    title: str
    blueprint: Blueprint
    adapter: Adapter = field(default_factory=Adapter)

    @property
    def network(self) -> Network:
        """The network as it was given."""
        return self.blueprint.network

    @property
    def loss(self) -> str:
        """The loss in words, 'loss' where plain equations have none."""
        return self.blueprint.loss.replace("_", " ") or "loss"


def subject(given: Given, loss: str = "") -> Subject:
    """The subject of a spec (path or data), of a short text ("4-3-2 relu sigmoid"), or of a network.

    loss: for a short text ('mse' where none is said), or for a network that was built without saying which. Raises SpecError.
    """
    if isinstance(given, Subject):
        return given
    if isinstance(given, Blueprint):
        return Subject("", given)
    if isinstance(given, Network):
        return Subject("", Blueprint.of(given, *_own_loss(given, loss)) if given.plain_stack else Blueprint.of(given, loss_of(loss), resize=False))
    if isinstance(given, (Mapping, Path)) or given.endswith(ENDINGS):
        from ..reading import specfile  # brings YAML, which a short text does without

        return from_spec(specfile.build(given), loss) if isinstance(given, Mapping) else from_spec(specfile.load(given), loss, Path(given).stem)
    name = loss or "mse"
    made = short_network(given, name)
    return Subject(f"{given}, {name}", Blueprint.of(made, loss_of(name)))


def _own_loss(network: Network, name: str) -> tuple[str]:
    """The loss of a stack that was built elsewhere: the one that is named, or the one with its last equation. Raises SpecError where that is none."""
    if name:
        return (loss_of(name),)
    (x,), (y,) = network.names("input"), network.names("target")
    first = network.symbols[x].shape or (1, 1)
    samples, features = (first[0], first[1]) if network.rows else (first[1], first[0])
    for row in LOSSES:
        try:
            other = stack((x, features), y, network.layers, row, samples=samples if is_samples(samples) or samples != 1 else None, rows=network.rows)
        except ChainruleError:
            continue
        if other.equations[-1] == network.equations[-1]:
            return (row,)
    raise SpecError("which loss this network has is not known", hint="say it, as in loss='mse'")


def loss_of(name: str) -> str:
    """The row of the table of losses that a short name stands for."""
    found = meant(name, LOSSES)
    return found if found in LOSSES else ""


def from_spec(spec: Spec, loss: str = "", name: str = "") -> Subject:
    """The subject of a spec. Raises SpecError where a loss is named twice, or the output is not a single number."""
    from ..problem import build  # brings YAML

    if loss:
        raise SpecError("--loss goes with --net; a spec names its own loss", hint="leave --loss out")
    problem = build(spec)
    if problem.network.symbols[problem.network.output].shape:
        raise SpecError(f"{problem.network.output} is not a single number, so no gradient can be compared", where=spec.where("equations" if spec.equations else "loss"),
                        hint="sum or average it in a last equation")
    if problem.loss is None:
        problem = replace(problem, network=_asked(problem.network, problem.wrt))
    return Subject(problem.title or name, Blueprint.from_problem(problem), spec.check or Adapter())


def _asked(network: Network, wrt: Sequence[str]) -> Network:
    """Plain equations with what a function is applied to named, as mistakes are made between the two; `wrt`: whose gradients are asked for."""
    symbols = {n: replace(s, kind="parameter") if n in wrt else s for n, s in network.symbols.items()}
    equations: list[Equation] = []
    for eq in network.equations:
        inner = eq.rhs.args[0] if eq.rhs.op in ("call", "over") and len(eq.rhs.args) == 1 else None
        name = f"z_{eq.name}"
        if inner is not None and inner.op not in ("sym", "num") and name not in symbols:
            symbols[name] = Symbol(name, inner.shape, "value", name)
            equations.append(Equation(name, inner))
            eq = Equation(eq.name, ex.node(eq.rhs.op, (symbols[name].expr,), eq.rhs.data))
        equations.append(eq)
    return replace(network, equations=tuple(equations), symbols=symbols)
