"""Studies: the same network trained several times, with one thing changed; one row a study.

>>> list(STUDIES)
['learning-rate', 'activation', 'initialisation', 'optimizer', 'batch-size']
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

from ..errors import SpecError, nearest
from ..functions import VECTOR_FUNCTIONS
from ..layers import activations
from ..models.initial import INITS
from ..optimizers import OPTIMIZERS
from ..spec import Spec
from .data import Array
from .history import Epoch
from .job import Job, Wish, job_of
from .train import Diverged

MOST = 8               # lines that one figure can hold
GRID = (-4.0, 3.0)     # powers of ten between which learning rates are looked for
HALVINGS = 6           # how closely the edge of divergence is looked for
BETWEEN = 3            # rates tried between the best and the edge
OFTEN = 0.25           # a loss that rises in this share of the epochs goes up and down
TYPICAL = {"activation": ("sigmoid", "tanh", "relu", "leaky_relu", "gelu", "softplus"),
           "initialisation": ("zeros", "uniform", "normal", "glorot_uniform", "he_uniform", "lecun_normal"),
           "optimizer": ("gradient_descent", "momentum", "nesterov", "adagrad", "rmsprop", "adam")}


@dataclass(frozen=True)
class Trial:
    """One run of a study. value: what was changed; rows: its epochs; lost: where it ended without a number; verdict: in one word; turns: share
    of the epochs in which the parameters turned back; places: one or two parameters after each epoch, by name."""

    value: str
    rows: tuple[Epoch, ...]
    lost: str = ""
    verdict: str = ""
    turns: float = 0.0
    places: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def fall(self) -> float:
        """By how much the training loss has fallen; minus infinity where it was lost."""
        return -math.inf if self.lost else self.rows[0].loss - self.rows[-1].loss


@dataclass(frozen=True)
class Study:
    """A row. because: what a reader should look for; trials: from the spec, what the command line changes, and the values to try (() for those of the row)."""

    name: str
    title: str
    because: str
    trials: Callable[[Spec, Wish, tuple[str, ...]], list[Trial]]


def tried(value: str, job: Job) -> Trial:
    """One run, followed from epoch to epoch."""
    run = job.run()
    places: list[Array] = [numpy.concatenate([numpy.reshape(v, -1) for v in run.update.values.values()])]

    def follow(row: Epoch, parameters: Mapping[str, Array]) -> None:
        places.append(numpy.concatenate([numpy.reshape(v, -1) for v in parameters.values()]))

    lost = ""
    try:
        with numpy.errstate(all="ignore"):
            run.go(callback=follow)
    except Diverged as e:
        lost = e.sentence
        if not run.rows:
            raise
    moves = [b - a for a, b in zip(places, places[1:], strict=False)]
    turns = [float(numpy.dot(a, b)) < 0 for a, b in zip(moves, moves[1:], strict=False)]
    few = {n: tuple(float(p[k]) for p in places) for k, n in enumerate(run.task.start)} if run.small and all(not v.shape for v in run.task.start.values()) else {}
    return Trial(value, tuple(run.rows), lost, turns=sum(turns) / len(turns) if turns else 0.0, places=few)


# ---------------------------------------------------------------- learning rates

def judged(trials: list[Trial]) -> list[Trial]:
    """Every run with its verdict. A run crawls if its loss has fallen by less than half of what the best one has won."""
    best = max(t.fall for t in trials)
    return [replace(t, verdict=_verdict(t, best)) for t in trials]


def _verdict(t: Trial, best: float) -> str:
    losses = [r.loss for r in t.rows]
    rises = sum(b > a for a, b in zip(losses, losses[1:], strict=False))
    if t.lost or losses[-1] > losses[0]:
        return "diverges"
    if t.turns >= 0.5 or rises >= OFTEN * (len(losses) - 1):
        return "oscillates"
    return "converges" if t.fall > best / 2 else "crawls"


def _rates(spec: Spec, wish: Wish, values: tuple[str, ...]) -> list[Trial]:
    """The rates that are asked for; else four that show what a rate can do: found by trying powers of ten, then the edge of divergence."""
    if values:
        return judged([_at_rate(spec, wish, _positive(v)) for v in values])
    steps = range(round(2 * GRID[0]), round(2 * GRID[1]) + 1)
    known = {rate: _at_rate(spec, wish, rate) for rate in (_round(10 ** (k / 2)) for k in steps)}
    known |= _edge(spec, wish, known)
    found = dict(zip(known, judged(list(known.values())), strict=True))
    of = {v: sorted(rate for rate, t in found.items() if t.verdict == v) for v in ("crawls", "converges", "oscillates", "diverges")}
    chosen = [max(of["crawls"], key=lambda r: (found[r].fall < 0.3 * max(t.fall for t in found.values()), r))] if of["crawls"] else []
    chosen += [max(of["converges"], key=lambda r: found[r].fall)] if of["converges"] else []
    wild = [r for r in of["oscillates"] if not chosen or r > max(chosen)] or of["oscillates"]
    most = max(t.fall for t in found.values())
    chosen += [max(wild, key=lambda r: (found[r].fall > 0.8 * most, r))] if wild else []
    chosen += [of["diverges"][0]] if of["diverges"] else []
    return [found[r] for r in sorted(chosen)]


def _edge(spec: Spec, wish: Wish, known: Mapping[float, Trial]) -> dict[float, Trial]:
    """More rates between the largest that stays and the smallest that diverges."""
    lost = [r for r, t in known.items() if t.lost or t.rows[-1].loss > t.rows[0].loss]
    kept = [r for r in known if not lost or r < min(lost)]
    if not lost or not kept:
        return {}
    low, high, out = max(kept), min(lost), dict[float, Trial]()
    for _ in range(HALVINGS):
        rate = _round(math.sqrt(low * high))
        if rate in (low, high):
            break
        t = out[rate] = _at_rate(spec, wish, rate)
        low, high = (low, rate) if t.lost or t.rows[-1].loss > t.rows[0].loss else (rate, high)
    best = max(known, key=lambda r: known[r].fall)
    for k in range(1, BETWEEN + 1):  # between the best rate and the edge the steps change sides
        rate = _round(best * (low / best) ** (k / (BETWEEN + 1)))
        if rate not in known and rate not in out:
            out[rate] = _at_rate(spec, wish, rate)
    return out


def _at_rate(spec: Spec, wish: Wish, rate: float) -> Trial:
    return tried(f"{rate:g}", job_of(spec, replace(wish, rate=rate)))


def _round(value: float) -> float:
    """Two significant digits."""
    return float(f"{value:.2g}")


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise SpecError(f"--values {text[:40]!r}: expected positive numbers", hint="as in --values 0.01,0.1,1")
    return value


# ---------------------------------------------------------------- names of a table

def _named(key: str, what: str, known: Callable[[], tuple[str, ...]], field: str) -> Callable[[Spec, Wish, tuple[str, ...]], list[Trial]]:
    """Trials of the names of a table; field: of the wish."""

    def trials(spec: Spec, wish: Wish, values: tuple[str, ...]) -> list[Trial]:
        names = values or TYPICAL[key]
        for name in names:
            if name not in known():
                raise SpecError(f"--values {name[:40]!r}: unknown {what}", hint=nearest(name, known()))
        changes: list[dict[str, Any]] = [{field: name} for name in names]
        return [_settled(tried(name.replace("_", " "), job_of(spec, replace(wish, **change)))) for name, change in zip(names, changes, strict=True)]

    return trials


def _settled(t: Trial) -> Trial:
    return replace(t, verdict="diverges" if t.lost or t.rows[-1].loss > t.rows[0].loss else "")


def _batches(spec: Spec, wish: Wish, values: tuple[str, ...]) -> list[Trial]:
    """Powers of four up to all examples."""
    job = job_of(spec, wish)
    if job.train is None:
        raise SpecError("this network has no examples to take batches of", hint="the study needs data")
    count = len(job.train)
    sizes = [4**k for k in range(6) if 4**k < count] + [count]
    if values:
        if not all(v.isdigit() and int(v) > 0 for v in values):
            raise SpecError("--values: expected whole numbers", hint="as in --values 1,16,128")
        sizes = [min(int(v), count) for v in values]
    return [_settled(tried(f"{size}" if size < count else f"{count} (all)", job_of(spec, replace(wish, batch=size)))) for size in dict.fromkeys(sizes)]


STUDIES: dict[str, Study] = {s.name: s for s in (
    Study("learning-rate", "Learning rates", "Too small a rate crawls, too large a one overshoots: it oscillates, and then diverges.", _rates),
    Study("activation", "Activation functions of the hidden layers", "The same first weights and data; only the function of the hidden layers differs.",
          _named("activation", "activation", lambda: tuple(a for a in activations() if a not in VECTOR_FUNCTIONS), "activation")),
    Study("initialisation", "First weights", "The same network and data; only the spread of the first weights differs. Zeros never tell the units apart.",
          _named("initialisation", "scheme", lambda: tuple(INITS), "scheme")),
    Study("optimizer", "Optimizers", "The same first weights and data; each optimizer with its usual learning rate, that of the file with the file's.",
          _named("optimizer", "optimizer", lambda: tuple(OPTIMIZERS), "optimizer")),
    Study("batch-size", "Batch sizes", "An epoch with small batches takes many noisy steps, one with all examples a single exact step.", _batches),
)}  # fmt: skip


def named(name: str) -> Study:
    """The study of a name. Raises SpecError."""
    if name not in STUDIES:
        raise SpecError(f"unknown study {name[:40]!r}", hint=nearest(name, STUDIES))
    return STUDIES[name]


def study(name: str, spec: Spec, wish: Wish = Wish(), values: tuple[str, ...] = ()) -> list[Trial]:
    """The runs of a study. Raises SpecError for an unknown study or value, Diverged where not even the start has a loss."""
    chosen = named(name)
    if len(values) > MOST:
        raise SpecError(f"--values: {len(values)} values; at most {MOST} fit a figure")
    return chosen.trials(spec, wish, values)
