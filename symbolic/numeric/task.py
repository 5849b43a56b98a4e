"""What is trained: a network that takes any number of examples, the numbers it starts from, and how its predictions are judged.

A network of layers whose target has examples (or that is a stack of dense layers) gets a symbolic number of them; any
other network, and plain equations, keep the numbers of the file as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy

from .. import expr as ex
from ..errors import SpecError
from ..language.arithmetic import MP
from ..losses import DOMAINS, LOSSES
from ..models.stacked import measure, network_of, parameters
from ..network import Network
from ..problem import Problem, build, completed
from ..spec import Init, Size, Spec
from .data import Array, Data, one_hot

SCHEME = "glorot_uniform"  # where the file draws weights and names no scheme
OPEN = "n"  # the name of the number of examples, unless it is taken


@dataclass(frozen=True)
class Judge:
    """What counts as right. classes: the largest output wins (one example's outputs are a row); else an output above the threshold counts as 1."""

    classes: bool
    threshold: float = 0.5

    def right(self, predicted: Array, target: Array) -> int:
        """How many examples are right; one row each."""
        if self.classes:
            return int((predicted.argmax(axis=1) == target.argmax(axis=1)).sum())
        low = min(float(target.min(initial=0.0)), 0.0)
        return int(((predicted > self.threshold) == (target > (low + 1) / 2)).all(axis=1).sum())


@dataclass(frozen=True)
class Task:
    """x, y: names of input and target, '' where the numbers of the file are all there is; fixed: values that never change;
    start: the parameters; judge: None where nothing is right or wrong; prediction: the name of the last activation.
    """

    title: str
    network: Network
    start: Mapping[str, Array]
    fixed: Mapping[str, Array] = field(default_factory=dict)
    x: str = ""
    y: str = ""
    judge: Judge | None = None
    domain: str = "any"
    reduction: str = "mean"

    @property
    def prediction(self) -> str:
        """The name of the last activation."""
        return self.network.aliases.get("y_hat", "")

    def given(self, data: Data | None, dtype: str) -> Examples:
        """The examples as the network takes them. Raises SpecError where they do not fit it."""
        if not self.x:
            return Examples(self, None, None, {n: v.astype(dtype) for n, v in self.fixed.items()})
        if data is None:
            raise SpecError("there are no examples to train with", hint="write data: FILE.csv or data: moons, or numbers under inputs and targets")
        network = self.network
        features = _extent(network.symbols[self.x].shape, network.rows)
        if data.features != features:
            raise SpecError(f"{data.source} has {data.features} number{'s' * (data.features != 1)} for each example, but the network reads {features}", hint="change the size of the input")
        outputs = _extent(network.symbols[self.y].shape, network.rows)
        targets = self._targets(data, outputs)
        fixed = {n: v.astype(dtype) for n, v in self.fixed.items()}
        return Examples(self, numpy.ascontiguousarray(data.x, dtype=dtype), numpy.ascontiguousarray(targets, dtype=dtype), fixed)

    def _targets(self, data: Data, outputs: int) -> Array:
        """One row an example, as the loss wants them. Raises SpecError."""
        y = data.y
        if y.ndim == 2 and y.shape[1] == 1 and outputs > 1 and (y == y.round()).all() and (y >= 0).all():
            y = y[:, 0].astype(int)
        known = y.ndim == 1 and outputs > 1
        if known:
            count = max(int(y.max(initial=0)) + 1, len(data.classes))
            if count > outputs:
                raise SpecError(f"{data.source} has {count} classes, but the last layer has {outputs} units", hint=f"give it {count} units")
            y = one_hot(y, outputs)
        if y.ndim == 1 and outputs == 1 and max(int(y.max(initial=0)) + 1, len(data.classes)) > 2 and self.domain in ("unit", "sign"):
            count = max(int(y.max(initial=0)) + 1, len(data.classes))
            raise SpecError(f"{data.source} has {count} classes, and one unit tells only two apart", hint=f"give the last layer {count} units, with softmax and cross_entropy")
        y = y.reshape(len(y), -1).astype(float)
        if y.shape[1] != outputs:
            raise SpecError(f"{data.source} has {y.shape[1]} targets an example, but the last layer has {outputs} units")
        if self.domain == "sign" and not (y < 0).any():
            y = 2 * y - 1  # classes 0 and 1, as a loss of signs wants them
        row = DOMAINS[self.domain]
        bad = next((k for k, example in enumerate(y.tolist() if not known else []) if not row.holds([Fraction(v) for v in example])), None)
        if bad is not None:
            raise SpecError(f"{data.source}, example {bad + 1}: the loss needs {row.expected}")
        if self.network.ones and not numpy.allclose(y.sum(axis=1), 1, rtol=0, atol=1e-12):
            raise SpecError(f"{data.source}: the targets of an example do not sum to 1, as {self.prediction} does", hint="give the number of the class")
        return y


@dataclass(frozen=True)
class Examples:
    """The arrays of a task: x and y hold one row an example; None where the file's own numbers are all there is."""

    task: Task
    x: Array | None
    y: Array | None
    fixed: Mapping[str, Array]

    def __len__(self) -> int:
        return 1 if self.x is None else len(self.x)

    def some(self, chosen: Any, parameters: Mapping[str, Array]) -> dict[str, Array]:
        """All values for the examples chosen by an index or a slice."""
        if self.x is None or self.y is None:
            return {**self.fixed, **parameters}
        x, y = self.x[chosen], self.y[chosen]
        turned = (x, y) if self.task.network.rows else (x.T, y.T)
        return {**self.fixed, **parameters, self.task.x: turned[0], self.task.y: turned[1]}

    def rows(self, value: Array) -> Array:
        """A value of the network with one row an example."""
        return value if self.task.network.rows else value.T


def _extent(shape: tuple[Any, ...], rows: bool) -> int:
    return int((shape or (1, 1))[1 if rows else 0])


# ---------------------------------------------------------------- from a file

def data_of(spec: Spec) -> Data | None:
    """The examples that stand in the file itself; None where it has none."""
    if not spec.is_network or len(spec.inputs) != 1:
        return None
    (x,), (y,) = spec.inputs.values(), spec.targets.values()
    if x is None or y is None or measure(x)[2] == "unknown" or hasattr(x, "batch") or hasattr(y, "batch"):
        return None
    inputs, targets = _table(x), _table(y)
    if len(targets) != len(inputs):  # a flat list of numbers of classes
        targets = targets.reshape(len(inputs), -1)
    return Data(inputs, targets, tuple(f"{n}{k + 1}" if inputs.shape[1] > 1 else n for n in spec.inputs for k in range(inputs.shape[1])), tuple(spec.targets), (), "the file")


def _table(value: Any) -> Array:
    rows = value if isinstance(value, tuple) and isinstance(value[0], tuple) else (value,) if isinstance(value, tuple) else ((value,),)
    return numpy.array([[float(v) for v in row] for row in rows])


def task_of(spec: Spec, *, seed: int | None = None, features: int | None = None) -> Task:
    """The task of a spec. seed: draws the weights that the file does not give, in place of the seed of init; features: takes the place of
    the size of the input. Raises SpecError for numbers that are missing."""
    init = spec.init.model_copy(update={} if seed is None else {"seed": seed}) if spec.init else None
    if init is None and spec.is_network:
        init = Init(scheme=SCHEME, seed=seed or 0)
    quiet = {"optimizer": None, "schedule": None, "compare": None, "learning_rate": None, "claims": (), "init": init}
    changed = spec.model_copy(update=quiet)
    if not spec.is_network or not takes_batches(spec):
        return _as_it_stands(build(changed))
    return _open(changed, features)


def takes_batches(spec: Spec) -> bool:
    """Whether the network of a spec reads examples that may be any in number."""
    network = network_of(spec)
    if network.plain_stack:
        return True
    if len(spec.inputs) != 1 or not any(map(ex.is_samples, network.symbols[network.names("target")[0]].shape)):
        return False
    try:
        network_of(_opened(spec, None))
    except SpecError:
        return False  # a sequence: its rows are steps in time
    return True


def _as_it_stands(problem: Problem) -> Task:
    """A task without examples: every number of the file that does not move is fixed."""
    network = problem.network
    if network.symbols[network.output].shape:
        raise SpecError(f"{network.output} is not a single number, so there is nothing to make small")
    missing = [n for n in network.names("input", "target", "parameter", "constant") if n not in problem.leaves]
    if missing or problem.known or not problem.moved:
        raise SpecError(f"{missing[0]} has no number" if missing else "no name can be changed", hint="give every number" + ("" if network.layers else " under 'at'"))
    arrays = {n: array_of(cells, network.symbols[n].shape) for n, cells in problem.leaves.items()}
    return Task(problem.title, network, {n: arrays[n] for n in problem.moved}, {n: a for n, a in arrays.items() if n not in problem.moved})


def _opened(spec: Spec, features: int | None) -> Spec:
    """The spec with a letter for the number of examples."""
    taken = {*spec.inputs, *spec.targets}
    letter = next(c for c in (OPEN, "m", "N", "n_examples") if c not in taken)
    (x,), (y,) = spec.inputs.items(), spec.targets.items()
    size, units = features or measure(x[1])[0], _units(spec, y[1])
    return spec.model_copy(update={"inputs": {x[0]: Size(size=size, batch=letter)}, "targets": {y[0]: Size(size=units, batch=letter)}})


def _units(spec: Spec, y: Any) -> int:
    """How many outputs an example has."""
    return int(spec.layers[-1].units or measure(y)[0])


def _open(spec: Spec, features: int | None) -> Task:
    """The network for any number of examples."""
    spec = _opened(spec, features)
    network = network_of(spec)
    leaves: dict[str, Any] = dict(network.constants)
    parameters(spec, network, leaves)
    network = completed(spec, network, leaves)
    missing = [n for n in network.names("parameter", "constant") if n not in leaves]
    if missing:
        raise SpecError(f"{missing[0]} has no number", where=spec.where("layers"))
    arrays = {n: array_of(cells, network.symbols[n].shape) for n, cells in leaves.items()}
    moved = network.names("parameter")
    return Task(spec.title, network, {n: arrays[n] for n in moved}, {n: a for n, a in arrays.items() if n not in moved}, next(iter(spec.inputs)), next(iter(spec.targets)),
                judge_of(spec, network), LOSSES[str(spec.loss)].domain, spec.reduction)


def judge_of(spec: Spec, network: Network) -> Judge | None:
    """How right and wrong are told apart: by the largest output, by a threshold, or not at all (a loss for any number)."""
    row = LOSSES[str(spec.loss)]
    outputs = _extent(network.symbols[network.names("target")[0]].shape, network.rows)
    given = spec.train.threshold if spec.train is not None and "threshold" in spec.train.model_fields_set else None
    if row.classes and outputs > 1:
        return Judge(True)
    if given is not None:
        return Judge(False, float(given))
    if row.domain == "unit":
        return Judge(False, 0.0 if row.logits else 0.5)
    return Judge(False, 0.0) if row.domain == "sign" else None


def array_of(cells: Any, shape: tuple[Any, ...]) -> Array:
    """Exact numbers in rows as an array of the shape that the network has."""
    rows = numpy.array([[float(v) if isinstance(v, (int, float, Fraction)) else float(MP.number(v)) for v in row] for row in cells])
    return rows if shape else rows.reshape(())
