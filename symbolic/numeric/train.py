"""Training: the compiled steps of the derivation, the optimizer's own equations, examples in an order that a seed decides.

>>> from ..network import from_equations
>>> run = fit(from_equations({"L": "(w - 3)**2"}, {}), start={"w": 0.0}, optimizer="gradient_descent", learning_rate=0.25, epochs=3)
>>> [row.loss for row in run.rows], run.parameters["w"].item()
([9.0, 2.25, 0.5625, 0.140625], 2.625)
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy

from ..errors import ChainruleError, SpecError
from ..network import Network
from ..optimizers import OPTIMIZERS
from ..reading.plans import Plan, planned
from . import checkpoint as disk
from .compiled import Bound, Compiled, compile as compiled_from
from .data import SHUFFLING, Array, Data, order
from .history import Epoch, History
from .task import Examples, Task
from .update import Update, rates

GROWN = 1e6        # a loss this many times the first one (or 1) has left for good
AT_ONCE = 4096     # examples whose loss is computed at once
SAVES = 50         # checkpoints of a run; the last epoch always has one
MOST_PATH = 20_000  # points of a path that are kept

Callback = Callable[[Epoch, Mapping[str, Array]], Any]
Tick = Callable[[int, int, float, float], None]


class Diverged(ChainruleError):
    """The loss or a number has left for good. step: where; tensor: what was lost first; history: the rows up to there."""

    def __init__(self, sentence: str, hint: str, step: int, tensor: str, rows: list[Epoch]) -> None:
        super().__init__(sentence, hint=hint)
        self.step, self.tensor, self.rows = step, tensor, rows

    def noting(self, words: str) -> Diverged:
        """The same with more to say."""
        return Diverged(self.sentence, f"{self.hint}; {words}", self.step, self.tensor, self.rows)


@dataclass(frozen=True)
class Settings:
    """All that decides a run beside the task and its data. plan: optimizer, rate and schedule; patience, goal: when to stop early."""

    plan: Plan
    epochs: int
    batch: int | None = None
    seed: int = 0
    dtype: str = "float64"
    patience: int | None = None
    goal: float | None = None


def fit(model: Network | Task, data: Data | None = None, *, held_out: Data | None = None, optimizer: str | Mapping[str, Any] = "adam",
        learning_rate: float | None = None, schedule: str | Mapping[str, Any] | None = None, epochs: int = 100, batch: int | None = None, seed: int = 0,
        dtype: str = "float64", patience: int | None = None, goal: float | None = None, start: Mapping[str, Any] | None = None,
        callback: Callback | None = None, checkpoint: Path | None = None, resume: bool = False) -> History:
    """Train a network and return its history.

    model: a task (``task_of(spec)``), or a network whose values that do not move stand in start too.
    batch: examples a step (None: all, 1: stochastic); patience: epochs without a lower loss (held out, where there is such) before the
    run stops and returns to its best parameters; goal: the training loss to stop at; start: first parameters, in place of the task's;
    callback: called after every epoch with its row and the parameters, ends the run by returning True;
    checkpoint: a file that is renewed as the run goes on, and at its end; resume: go on from it.
    Raises SpecError for what does not fit together, Diverged where the numbers are lost.
    """
    task = model if isinstance(model, Task) else _bare(model, start or {})
    if start is not None and isinstance(model, Task):
        task = replace(task, start={**task.start, **{n: _shaped(v, task.network, n) for n, v in start.items()}})
    plan = plan_for(optimizer, learning_rate, schedule, _steps(len(data) if data is not None else 1, batch, epochs))
    settings = Settings(plan, epochs, batch, seed, dtype, patience, goal)
    return Run(task, settings, data, held_out).go(callback=callback, checkpoint=checkpoint, resume=resume)


def plan_for(optimizer: str | Mapping[str, Any], rate: Any, schedule: str | Mapping[str, Any] | None, steps: int) -> Plan:
    """The plan of an optimizer by name, or by name and options; without a rate that of its row. Raises SpecError."""
    given = {"name": optimizer} if isinstance(optimizer, str) else dict(optimizer)
    timing = {"name": schedule} if isinstance(schedule, str) else schedule
    if rate is None and given["name"] in OPTIMIZERS:
        rate = Fraction(OPTIMIZERS[given["name"]].rate)
    return planned({k: v for k, v in given.items() if k not in ("steps", "batch", "order", "seed")}, timing, Fraction(repr(rate)) if isinstance(rate, float) else rate, None, steps=steps)


def _steps(examples: int, batch: int | None, epochs: int) -> int:
    return epochs * math.ceil(examples / min(batch or examples, examples))


def _shaped(value: Any, network: Network, name: str) -> Array:
    """A first value as an array; a single number in the shape that the network has for it."""
    array = numpy.asarray(value, float)
    shape = network.symbols[name].shape if name in network.symbols else array.shape
    return array.reshape(shape) if array.size == math.prod(d for d in shape if isinstance(d, int)) == 1 else array


def _bare(network: Network, start: Mapping[str, Any]) -> Task:
    """A network of equations whose inputs are all in start."""
    arrays = {n: _shaped(v, network, n) for n, v in start.items()}
    missing = [n for n in network.names("input", "target", "parameter", "constant") if n not in arrays and n not in network.constants]
    if missing:
        raise SpecError(f"{missing[0]} has no number", hint="give it in start, or make a task of a spec with task_of")
    moved = network.names("parameter") or network.names("input")
    return Task("", network, {n: arrays[n] for n in moved}, {n: a for n, a in arrays.items() if n not in moved})


_programs: dict[Any, Compiled] = {}
MOST_PROGRAMS = 8


def _program(network: Network, dtype: str, size: int) -> Compiled:
    """The compiled network; a study runs the same one many times."""
    key = (network.equations, tuple(network.symbols.values()), network.shortcuts, network.ones, network.rows, dtype, size)
    if key not in _programs:
        while len(_programs) >= MOST_PROGRAMS:
            _programs.pop(next(iter(_programs)))
        _programs[key] = compiled_from(network, dtype=dtype, batch=size)
    return _programs[key]


@dataclass
class _Best:
    """The lowest loss so far, and for how many epochs there has been none lower."""

    loss: float = math.inf
    epoch: int | None = None
    parameters: dict[str, Array] = field(default_factory=dict)

    def see(self, loss: float, epoch: int, parameters: Mapping[str, Array]) -> None:
        if loss < self.loss:
            self.loss, self.epoch, self.parameters = loss, epoch, {n: v.copy() for n, v in parameters.items()}


class Run:
    """One training run of a task. examples, held: what is trained with and what is held out, as the network takes them; classes: their names."""

    def __init__(self, task: Task, settings: Settings, data: Data | None = None, held_out: Data | None = None, program: Compiled | None = None) -> None:
        self.task, self.settings = task, settings
        self.examples = task.given(data, settings.dtype)
        self.classes = data.classes if data is not None else ()
        self.held = task.given(held_out, settings.dtype) if held_out is not None else None
        if settings.batch is not None and not task.x and settings.batch > 1:
            raise SpecError("this network has no examples to take a batch of", hint="leave batch out")
        self.size = min(settings.batch or len(self.examples), len(self.examples))
        self.program = program or _program(task.network, settings.dtype, self.size)
        self.update = Update(settings.plan.optimizer, settings.plan.options, task.start, settings.dtype)
        self.rate = rates(settings.plan.schedule, settings.plan.rate, settings.plan.schedule_options)
        self.small = sum(numpy.size(v) for v in task.start.values()) <= 2
        self.fed = self.program.program.data if task.x else ()  # what changes from step to step beside the parameters
        self.bound = dict[int, Bound]()
        self.steps, self.rows, self.path = 0, list[Epoch](), list[tuple[float, ...]]()
        self.best = _Best()
        self.first = math.inf

    def describe(self) -> dict[str, Any]:
        """All that decides the run, as plain data: two runs that agree in it agree in every byte."""
        s, plan = self.settings, self.settings.plan
        shown = {"optimizer": plan.optimizer.name, "learning_rate": float(plan.rate), "options": {n: float(v) for n, v in plan.options.items()},
                 "schedule": plan.schedule.name, "schedule_options": {n: float(v) for n, v in plan.schedule_options.items()}, "epochs": s.epochs,
                 "batch": s.batch, "seed": s.seed, "dtype": s.dtype, "patience": s.patience, "goal": s.goal, "examples": len(self.examples),
                 "held_out": len(self.held) if self.held else 0}
        arrays = [self.examples.x, self.examples.y, *self.task.start.values(), *self.examples.fixed.values()]
        if self.held:
            arrays += [self.held.x, self.held.y]
        digest = sha256("\n".join(map(str, self.task.network.equations)).encode())
        for a in arrays:
            digest.update(b"" if a is None else numpy.ascontiguousarray(a).tobytes())
        return {**shown, "fingerprint": digest.hexdigest()[:16]}

    # ------------------------------------------------------------ the run

    def go(self, *, callback: Callback | None = None, checkpoint: Path | None = None, resume: bool = False, tick: Tick | None = None) -> History:
        """Run to the end. tick: called after every step with (epoch, step, loss of the batch, rate). Raises Diverged, SpecError."""
        began, s = time.monotonic(), self.settings
        described = self.describe()
        if resume:
            if checkpoint is None:
                raise SpecError("resume needs a checkpoint to go on from")
            self._restore(disk.load(checkpoint), described, str(checkpoint))
        else:
            self._note(0, None, {})
        self.first = self.rows[0].loss
        stopped = self._enough()
        with numpy.errstate(all="ignore"):
            while not stopped and self.rows[-1].epoch < s.epochs:
                epoch = self.rows[-1].epoch + 1
                rate, gradients = self._epoch(epoch, tick)
                self._note(epoch, rate, self._norms(gradients))
                if callback is not None and callback(self.rows[-1], self.update.values):
                    stopped = "the callback ended the run"
                stopped = stopped or self._enough()
                if checkpoint is not None and (stopped or epoch == s.epochs or epoch % max(1, s.epochs // SAVES) == 0):
                    disk.save(checkpoint, self._point(described))
        kept = self.best.parameters if s.patience else self.update.values
        return History(self.rows, {n: v.copy() for n, v in kept.items()}, described, stopped, self.best.epoch if s.patience else None, self.path,
                       time.monotonic() - began)

    def _epoch(self, epoch: int, tick: Tick | None) -> tuple[float, Mapping[str, Array]]:
        """Every example once; returns rate and gradients of the last step."""
        count = len(self.examples)
        mixed = order(count, self.settings.seed, SHUFFLING, epoch) if self.size < count else None
        rate: float = 0.0
        gradients: Mapping[str, Array] = {}
        for at in range(0, count, self.size):
            chosen = slice(None) if mixed is None else mixed[at:at + self.size]
            self.steps += 1
            rate = self.rate(self.steps)
            values = self.examples.some(chosen, self.update.point(rate, self.steps))
            loss, gradients = self._slopes(min(self.size, count - at), values)
            if not abs(loss) <= GROWN * max(1.0, abs(self.first)):  # also for NaN
                raise self._lost(loss, values, gradients)
            self.update.step(gradients, rate, self.steps)
            if self.small and len(self.path) < MOST_PATH:
                self.path.append(self._place())
            if tick is not None:
                tick(epoch, self.steps, loss, rate)
        return rate, gradients

    def _slopes(self, size: int, values: Mapping[str, Array]) -> tuple[float, Mapping[str, Array]]:
        """Loss and gradients of so many examples, into arrays that the next step fills anew; the parameters are read where they stand."""
        if size not in self.bound:
            self.bound[size] = self.program.bind(values, self.update.gradients)
        bound = self.bound[size]
        return bound(*[values[n] for n in self.fed]), bound.gradients

    def _place(self) -> tuple[float, ...]:
        return tuple(float(v) for value in self.update.values.values() for v in numpy.reshape(value, -1))

    def _norms(self, gradients: Mapping[str, Array]) -> dict[str, float]:
        """The length of the gradient of every layer (of every name in plain equations)."""
        squares: dict[str, float] = {}
        for name in self.task.start:
            layer = self.task.network.symbols[name].layer
            key = name if layer is None else str(layer)
            squares[key] = squares.get(key, 0.0) + float(numpy.sum(numpy.square(gradients[name], dtype=float)))
        return {key: math.sqrt(v) for key, v in squares.items()}

    # ------------------------------------------------------------ what is noted

    def _note(self, epoch: int, rate: float | None, norms: Mapping[str, float]) -> None:
        with numpy.errstate(all="ignore"):
            loss, accuracy = self.measure(self.examples)
            held = self.measure(self.held) if self.held is not None else (None, None)
        if not (math.isfinite(loss) and (held[0] is None or math.isfinite(held[0])) and all(math.isfinite(v) for v in norms.values())):
            raise self._lost(loss, self.examples.some(slice(0, AT_ONCE), self.update.values), {})
        self.rows.append(Epoch(epoch, self.steps, loss, accuracy, held[0], held[1], rate, norms))
        if self.small and not self.path:
            self.path.append(self._place())
        if self.settings.patience:
            self.best.see(loss if held[0] is None else held[0], epoch, self.update.values)

    def measure(self, examples: Examples) -> tuple[float, float | None]:
        """Loss and accuracy over all examples, computed in portions; accuracy is None where nothing is right or wrong."""
        network, judge = self.task.network, self.task.judge
        count = len(examples)
        data_loss, penalty, right = 0.0, 0.0, 0
        for at in range(0, count, AT_ONCE):
            chosen = slice(at, min(at + AT_ONCE, count))
            values = self.program.forward(examples.some(chosen, self.update.values))
            whole = float(values[network.output])
            own = float(values["D"]) if "D" in network.symbols else whole  # the loss without its penalties
            share = (chosen.stop - at) / count if self.task.reduction == "mean" else 1.0
            data_loss, penalty = data_loss + share * own, whole - own
            if judge is not None and examples.y is not None:
                right += judge.right(examples.rows(values[self.task.prediction]), examples.y[chosen])
        return data_loss + penalty, right / count if judge is not None and examples.y is not None else None

    def _enough(self) -> str:
        """Why the run is over before its last epoch; '' while it is not."""
        s, row = self.settings, self.rows[-1]
        if s.goal is not None and row.loss < s.goal:
            return f"the training loss is below {s.goal:g}"
        if s.patience and self.best.epoch is not None and row.epoch - self.best.epoch >= s.patience:
            return f"no lower {'held-out' if self.held else 'training'} loss for {s.patience} epochs; the parameters are those of epoch {self.best.epoch}"
        return ""

    # ------------------------------------------------------------ where it goes wrong

    def _lost(self, loss: float, values: Mapping[str, Array], gradients: Mapping[str, Array]) -> Diverged:
        """The first value that is no number any more, or a loss beyond all bounds; with what to try."""
        tensor, what = self.task.network.output, f"grew beyond {GROWN:,.0f} times its start"
        named = {**self.update.values, **self.program.forward(values), **{f"d{self.task.network.output}/d{n}": g for n, g in gradients.items()}}
        for name, value in named.items():
            if not numpy.isfinite(value).all():
                tensor, what = name, "holds a value that is no number" if numpy.isnan(value).any() else "holds an infinite value"
                break
        rate = self.rate(max(self.steps, 1))
        if not self.rows:
            return Diverged(f"before the first step: {tensor} {what}", "look at the inputs and the first weights", 0, tensor, self.rows)
        hint = f"the learning rate {rate:g} may be too large: try {rate / 10:g}" + ("" if self.settings.dtype == "float64" else ", or float64")
        return Diverged(f"step {self.steps}: {tensor} {what}", hint, self.steps, tensor, self.rows)

    # ------------------------------------------------------------ to disk and back

    def _point(self, described: Mapping[str, Any]) -> disk.Checkpoint:
        return disk.Checkpoint(described, tuple(self.rows), self.update.values, self.update.state, self.best.parameters, self.best.epoch, tuple(self.path))

    def _restore(self, point: disk.Checkpoint, described: Mapping[str, Any], where: str) -> None:
        """Go back to a checkpoint, bit by bit. Raises SpecError where it does not fit."""
        disk.check(point, described, where)
        try:
            for own, found in ((self.update.values, point.parameters), *((self.update.state[s], point.state[s]) for s in self.update.state)):
                for name, array in own.items():
                    if found[name].shape != array.shape or found[name].dtype != array.dtype:
                        raise KeyError(name)
                    numpy.copyto(array, found[name])
        except KeyError as e:
            raise SpecError(f"the checkpoint does not hold {e.args[0]} as this network needs it", where=where, hint="train without --resume") from None
        self.rows, self.steps, self.path = list(point.rows), point.rows[-1].steps, list(point.path)
        losses = [r.loss if r.held_loss is None else r.held_loss for r in self.rows]
        self.best = _Best(min(losses), point.best_epoch, dict(point.best)) if self.settings.patience else self.best
