"""From a spec and what the command line changes in it to a run: data, split, network, settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy

from ..errors import SpecError, nearest
from ..functions import VECTOR_FUNCTIONS
from ..layers import activations
from ..models.initial import INITS
from ..optimizers import OPTIMIZERS
from ..reading.numbers import ValueProblem
from ..reading.training import Train
from ..spec import Init, Spec
from . import tables
from .compiled import Compiled
from .data import SHUFFLING, Data, order, split, standardised
from .datasets import DATASETS, NotHere, load, options
from .idx import pictures
from .task import Task, data_of, takes_batches, task_of
from .train import Run, Settings, _steps, plan_for

MOST_WORKED = 12  # examples that a person works through with pencil and paper


@dataclass(frozen=True)
class Wish:
    """What takes the place of the file's own keys; None leaves them as they are.

    data: a name of the table, a CSV file, or a folder of IDX files; activation, scheme: of the hidden layers, of the first weights.
    """

    data: str | None = None
    target: str | None = None
    optimizer: str | None = None
    rate: float | None = None
    epochs: int | None = None
    batch: int | None = None
    seed: int | None = None
    activation: str | None = None
    scheme: str | None = None


@dataclass(frozen=True)
class Job:
    """A run that is ready to go. said: sentences about what was chosen."""

    task: Task
    settings: Settings
    train: Data | None
    held_out: Data | None
    said: tuple[str, ...] = ()

    def run(self, program: Compiled | None = None) -> Run:
        """A new run from the start; program: compiled before, for the same network."""
        return Run(self.task, self.settings, self.train, self.held_out, program)


def job_of(spec: Spec, wish: Wish = Wish()) -> Job:
    """The job of a spec. Raises SpecError, located in the file where it is a matter of the file."""
    keys = spec.train or Train()
    seed = keys.seed if wish.seed is None else wish.seed
    spec = _changed(spec, wish)
    found, said = _data(spec, wish, seed) if spec.is_network and takes_batches(spec) or wish.data else (None, [])
    features = found.features if found is not None and (spec._open or (wish.data and _sizes_are_free(spec))) else None
    own_seed = wish.seed if wish.seed is not None else spec.init.seed if spec.init is not None else seed
    task = task_of(spec, seed=own_seed, features=features)
    if not task.x:
        found = None
    try:
        train, held_out = (None, None) if found is None else _divided(spec, found, float(keys.test), seed)
        task.given(train, keys.dtype)
    except SpecError as e:  # what does not fit is a matter of the file
        raise e if e.where else SpecError(e.sentence, where=spec.where("layers" if "unit" in e.hint else "data"), hint=e.hint) from None
    epochs = keys.epochs if wish.epochs is None else wish.epochs
    batch = wish.batch if wish.batch is not None else keys.batch
    if batch is None and spec.optimizer is not None and "batch" in spec.optimizer:
        batch = int(spec.optimizer["batch"])
    plan, note = _plan(spec, wish, _steps(len(train) if train is not None else 1, batch, epochs))
    goal = None if keys.goal is None else float(keys.goal)
    settings = Settings(plan, epochs, batch, seed, keys.dtype, keys.patience, goal)
    sizes = f"{_arrow(task)}, {f'{len(train)} example' + 's' * (len(train) != 1) if train is not None else 'its own numbers'}"
    held = f", {len(held_out)} held out" if held_out is not None else ""
    return Job(task, settings, train, held_out, (*said, f"{sizes}{held}; {note}"))


def first_steps(spec: Spec, steps: int, batch: int | None = None) -> Spec:
    """The spec with the examples of its first training steps in place of its data: those that a run takes, in its order.

    batch: examples a step, in place of the file's own. Raises SpecError where they are more than one works through.
    """
    job = job_of(spec, Wish(batch=batch))
    given = job.task.given(job.train, "float64")
    assert given.x is not None and given.y is not None  # data belong to layers
    count, size = len(given), min(job.settings.batch or len(given), len(given))
    mixed = numpy.concatenate([order(count, job.settings.seed, SHUFFLING, epoch) if size < count else numpy.arange(count) for epoch in range(1, -(-steps // -(-count // size)) + 1)])
    taken = mixed[:steps * size] if size < count else mixed[:count]
    if len(taken) > MOST_WORKED:
        few = max(1, MOST_WORKED // steps)
        raise SpecError(f"{size} examples a step and {steps} step{'s' * (steps > 1)} are more than one works through; at most {MOST_WORKED} examples are",
                        where=spec.where("train" if spec.train else "data"), hint=f"--batch {few} works through the run of train --batch {few}")
    rows = {name: tuple(tuple(map(Fraction, row)) for row in array[taken].tolist()) for name, array in ((job.task.x, given.x), (job.task.y, given.y))}
    optimizer = {**(spec.optimizer or {"name": "gradient_descent"}), **({"batch": str(size)} if size < len(taken) else {})}
    optimizer = {k: v for k, v in optimizer.items() if k not in ("order", "seed")}
    return spec.model_copy(update={"data": None, "inputs": {job.task.x: rows[job.task.x]}, "targets": {job.task.y: rows[job.task.y]}, "optimizer": optimizer})


def _changed(spec: Spec, wish: Wish) -> Spec:
    """The spec with other activations of the hidden layers or another way to draw weights. Raises SpecError."""
    if wish.activation is not None:
        known = [a for a in activations() if a not in VECTOR_FUNCTIONS]
        if wish.activation not in known:
            raise SpecError(f"unknown activation {wish.activation!r}", hint=nearest(wish.activation, known))
        layers = [x.model_copy(update={"activation": wish.activation}) if k < len(spec.layers) - 1 and x.activation != "identity" else x for k, x in enumerate(spec.layers)]
        spec = spec.model_copy(update={"layers": layers})
    if wish.scheme is not None:
        if wish.scheme not in INITS:
            raise SpecError(f"unknown scheme {wish.scheme!r}", hint=nearest(wish.scheme, INITS))
        seed = spec.init.seed if spec.init is not None else 0 if spec.train is None else spec.train.seed
        layers = [x.model_copy(update={"W": None, "b": None, "weights": {}, "bias": x.bias or x.b is not None}) for x in spec.layers]
        spec = spec.model_copy(update={"init": Init(scheme=wish.scheme, seed=seed), "layers": layers})
    return spec


def _sizes_are_free(spec: Spec) -> bool:
    """Whether no weight is given, so that the first layer fits an input of any size."""
    return all(layer.W is None and not layer.weights for layer in spec.layers)


def _plan(spec: Spec, wish: Wish, steps: int) -> tuple[Any, str]:
    """The optimizer with its rate, and a sentence about both. A rate in the file belongs to the optimizer of the file."""
    given: Any = spec.optimizer or {"name": "gradient_descent"}
    rate: Any = spec.learning_rate
    if wish.optimizer is not None and wish.optimizer != given["name"]:
        if wish.optimizer not in OPTIMIZERS:
            raise SpecError(f"unknown optimizer {wish.optimizer[:60]!r}", hint=nearest(wish.optimizer, OPTIMIZERS))
        given, rate = {"name": wish.optimizer}, Fraction(OPTIMIZERS[wish.optimizer].rate)
    if wish.rate is not None:
        rate = Fraction(repr(wish.rate))
    try:
        plan = plan_for(given, rate, spec.schedule, steps)
    except ValueProblem as e:
        raise SpecError(e.sentence, where=spec.where(*e.path), hint=e.hint) from None
    return plan, f"{plan.optimizer.title}, learning rate {float(plan.rate):g}"


def _divided(spec: Spec, found: Data, share: float, seed: int) -> tuple[Data, Data | None]:
    train, held_out = split(found, share, seed)
    if spec.data is not None and spec.data.standardise:
        scaled, other = standardised(train, held_out)
        assert scaled is not None
        return scaled, other
    return train, held_out


def _arrow(task: Task) -> str:
    """The widths of the layers: 64-512-10."""
    network = task.network
    if not network.layers or not task.x:
        return f"{sum(v.size for v in task.start.values())} numbers to learn"
    first = network.symbols[task.x].shape[1 if network.rows else 0]
    return "-".join(map(str, (first, *(p.units for p in network.layers))))


# ---------------------------------------------------------------- where the data come from

def _data(spec: Spec, wish: Wish, seed: int) -> tuple[Data | None, list[str]]:
    """The data that the command line or the file names, else those in the file; and what has to be said about them."""
    if wish.data is not None:
        if not spec.is_network:
            raise SpecError("--data belongs to files with layers, and this one has equations")
        return _wished(wish, spec, seed), []
    if spec.data is None:
        return data_of(spec), []
    folder = Path(spec.where().rpartition(":")[0] or ".").parent
    if spec.data.file is not None:
        return tables.read(folder / spec.data.file, spec.data.target, spec.data.inputs), []
    given = {"seed": seed, **spec.data.options()}
    try:
        return _from_table(str(spec.data.name), given, folder), []
    except NotHere as missing:
        if spec.data.otherwise is None:
            raise SpecError(missing.sentence, where=spec.where("data"), hint=missing.hint) from None
        return _from_table(spec.data.otherwise, given, folder), [f"{missing.sentence}: {spec.data.otherwise} in its place"]


def _from_table(name: str, given: Mapping[str, Any], folder: Path) -> Data:
    known = options(DATASETS[name]) if name in DATASETS else tuple(given)
    return load(name, {k: v for k, v in given.items() if k in known}, folder=folder)


def _wished(wish: Wish, spec: Spec, seed: int) -> Data:
    """--data: a name of the table, else a file or a folder. Raises SpecError."""
    assert wish.data is not None
    if wish.data in DATASETS:
        return _from_table(wish.data, {"seed": seed}, Path("."))
    path = Path(wish.data)
    if path.is_dir():
        found = pictures(path, path.name)
        if found is None:
            raise SpecError("this folder has no IDX files", where=wish.data, hint="expected train-images-idx3-ubyte and train-labels-idx1-ubyte, or .gz")
        return found
    if path.suffix.lower() in (".csv", ".tsv") or path.exists():
        return tables.read(path, wish.target)
    raise SpecError(f"--data {wish.data}: neither a data set nor a file", hint=nearest(wish.data, DATASETS))
