"""The table of data sets, one row each: generated from a seed by a formula, from a package, or from a folder of files.

>>> made = load("moons", {"examples": 6, "noise": 0})
>>> made.x.shape, made.y.tolist()
((6, 2), [0, 1, 0, 1, 0, 1])
>>> load("moon")
Traceback (most recent call last):
symbolic.errors.SpecError: unknown data 'moon'; did you mean 'moons'?
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy

from ..errors import SpecError, nearest
from ..lectures.gates import KNOWN, inputs
from .data import Array, Data
from .idx import pictures

Made = tuple[Array, Array]
Draw = numpy.random.Generator


class NotHere(SpecError):
    """Data that this machine does not hold: another source may take its place."""


@dataclass(frozen=True)
class Dataset:
    """A row. make: (how many, noise, generator) -> inputs and targets; whole: the numbers are of classes.

    examples, noise: without options; inputs, outputs: names of the columns; read: for what is not generated, (folder) -> Data.
    features: how many numbers an input has.
    """

    name: str
    because: str
    inputs: tuple[str, ...] = ("x1", "x2")
    outputs: tuple[str, ...] = ("class",)
    make: Callable[[int, float, Draw], Made] | None = None
    examples: int = 200
    noise: float = 0.1
    classes: tuple[str, ...] = ()
    read: Callable[[Path], Data] | None = None
    pixels: int = 0

    @property
    def features(self) -> int:
        """How many numbers an input has."""
        return self.pixels or len(self.inputs)


# ---------------------------------------------------------------- formulas

def _gate(table: tuple[int, ...], n: int, noise: float, draw: Draw) -> Made:
    """The rows of a truth table in turn, moved a little where there is noise."""
    rows = numpy.array(inputs(table), dtype=float)
    k = numpy.arange(n) % len(rows)
    return rows[k] + noise * draw.standard_normal((n, rows.shape[1])), numpy.array(table)[k]


def _line(n: int, noise: float, draw: Draw) -> Made:
    x = draw.uniform(-2, 2, (n, 1))
    return x, 1.5 * x + 0.5 + noise * draw.standard_normal((n, 1))


def _plane(n: int, noise: float, draw: Draw) -> Made:
    x = draw.uniform(-2, 2, (n, 2))
    return x, x @ [[1.5], [2.0]] + 5 + noise * draw.standard_normal((n, 1))


def _wave(n: int, noise: float, draw: Draw) -> Made:
    x = draw.uniform(-numpy.pi, numpy.pi, (n, 1))
    return x, numpy.sin(x) + noise * draw.standard_normal((n, 1))


def _lines(n: int, noise: float, draw: Draw) -> Made:
    """Points above and below the line x2 = x1, at least 0.2 away from it where there is no noise."""
    side = numpy.arange(n) % 2
    along, off = draw.uniform(-1.5, 1.5, n), draw.uniform(0.2, 1.5, n) * (2 * side - 1)
    x = numpy.stack([along - off / 2, along + off / 2], axis=1)
    return x + noise * draw.standard_normal(x.shape), side


def _blobs(n: int, noise: float, draw: Draw) -> Made:
    """Three round clouds whose centres stand on a circle of radius 2."""
    k = numpy.arange(n) % 3
    angle = 2 * numpy.pi * k / 3 + numpy.pi / 2
    return 2 * numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1) + noise * draw.standard_normal((n, 2)), k


def _moons(n: int, noise: float, draw: Draw) -> Made:
    """Two half circles that reach into each other."""
    k = numpy.arange(n) % 2
    angle = draw.uniform(0, numpy.pi, n)
    sign = 1 - 2 * k
    x = numpy.stack([k + sign * numpy.cos(angle), 0.5 * k + sign * numpy.sin(angle)], axis=1)
    return x + noise * draw.standard_normal((n, 2)), k


def _spirals(n: int, noise: float, draw: Draw) -> Made:
    """Two arms of one spiral, one and a half turns each."""
    k = numpy.arange(n) % 2
    turn = numpy.sqrt(draw.uniform(0.02, 1, n))
    angle = 3 * numpy.pi * turn + numpy.pi * k
    return 2 * turn[:, None] * numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1) + noise * draw.standard_normal((n, 2)), k


def _circles(n: int, noise: float, draw: Draw) -> Made:
    """A small circle inside a large one."""
    k = numpy.arange(n) % 2
    angle = draw.uniform(0, 2 * numpy.pi, n)
    return (1 - 0.5 * k)[:, None] * numpy.stack([numpy.cos(angle), numpy.sin(angle)], axis=1) + noise * draw.standard_normal((n, 2)), k


def _days(n: int, draw: Draw) -> Array:
    """Hours of studying and sleep, to half an hour."""
    return numpy.round(2 * numpy.stack([draw.uniform(0.5, 10, n), draw.uniform(4, 9, n)], axis=1)) / 2


def _score(n: int, noise: float, draw: Draw) -> Made:
    """Points of an exam, from 0 to 100: five an hour of study, and four an hour of sleep."""
    x = _days(n, draw)
    points = 20 + x @ [[5.0], [4.0]] + 20 * noise * draw.standard_normal((n, 1))
    return x, numpy.clip(numpy.round(points), 0, 100)


def _passed(n: int, noise: float, draw: Draw) -> Made:
    """Passed with 60 points."""
    x, points = _score(n, noise, draw)
    return x[:, :1], (points[:, 0] >= 60).astype(int)


# ---------------------------------------------------------------- what is read

def _digits(folder: Path) -> Data:
    if importlib.util.find_spec("sklearn") is None:
        raise NotHere("the 8x8 digits come with scikit-learn, which is not installed", hint="run: pip install 'chainrule[digits]'")
    from sklearn.datasets import load_digits

    found = load_digits()
    return Data(found.data / 16.0, found.target.astype(int), _grid(8), ("digit",), tuple("0123456789"), "digits")


def _grid(side: int) -> tuple[str, ...]:
    return tuple(f"p{i}_{j}" for i in range(side) for j in range(side))


CLOTHES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot")


def _idx(name: str, classes: tuple[str, ...], folder: Path) -> Data:
    found = pictures(folder, name)
    if found is None:
        raise NotHere(f"{name}: no files train-images-idx3-ubyte and train-labels-idx1-ubyte (or .gz) in {folder}", hint="name their folder, as in {name: mnist, folder: data/mnist}")
    held_out = found.held_out and replace(found.held_out, classes=classes)
    return replace(found, classes=classes, held_out=held_out)


_GATES = {name.lower().replace(" ", "_"): table for table, name in KNOWN.items() if len(table) == 4 or name in ("majority", "parity")}

DATASETS: dict[str, Dataset] = {row.name: row for row in (
    *(Dataset(name, f"The truth table of {name.upper().replace('_', ' ')}.", tuple(f"x{k + 1}" for k in range(len(table).bit_length() - 1)), ("y",),
              partial(_gate, table), len(table), 0.0, ("0", "1")) for name, table in _GATES.items()),
    Dataset("line", "Points near the line y = 1.5 x + 0.5.", ("x",), ("y",), _line, 50, 0.3),
    Dataset("plane", "Points near the plane y = 1.5 x1 + 2 x2 + 5.", ("x1", "x2"), ("y",), _plane, 100),
    Dataset("wave", "Points near the curve y = sin x.", ("x",), ("y",), _wave, 100),
    Dataset("lines", "Two classes on the two sides of a line.", make=_lines, classes=("below", "above")),
    Dataset("blobs", "Three round clouds.", make=_blobs, noise=0.5, classes=("0", "1", "2")),
    Dataset("moons", "Two half moons that reach into each other.", make=_moons, classes=("0", "1")),
    Dataset("circles", "A circle inside another.", make=_circles, classes=("0", "1")),
    Dataset("spirals", "Two arms of a spiral.", make=_spirals, examples=400, noise=0.05, classes=("0", "1")),
    Dataset("study_hours", "Hours of study and of sleep before an exam, and its points (invented by a formula).", ("studied", "slept"), ("score",), _score, 40, 0.3),
    Dataset("pass_fail", "Hours of study, and whether the exam was passed with 60 points (invented by a formula).", ("studied",), ("passed",), _passed, 40, 0.3, ("fail", "pass")),
    Dataset("digits", "1,797 handwritten digits of 8 x 8 pixels, with scikit-learn.", outputs=("digit",), read=_digits, pixels=64, classes=tuple("0123456789")),
    Dataset("mnist", "70,000 handwritten digits of 28 x 28 pixels, from the four IDX files in a folder.", outputs=("digit",),
            read=partial(_idx, "mnist", tuple("0123456789")), pixels=784, classes=tuple("0123456789")),
    Dataset("fashion_mnist", "70,000 pieces of clothing of 28 x 28 pixels, from the four IDX files in a folder.", outputs=("piece",),
            read=partial(_idx, "fashion_mnist", CLOTHES), pixels=784, classes=CLOTHES),
)}  # fmt: skip


def options(row: Dataset) -> tuple[str, ...]:
    """The options that a row takes."""
    return ("examples", "noise", "seed") if row.make else ("folder",)


def load(name: str, given: Mapping[str, Any] | None = None, *, folder: Path = Path(".")) -> Data:
    """The data of a row. given: examples, noise, seed of what is generated; folder of what is read, seen from the given one.

    Raises SpecError for an unknown name or option, NotHere for files or packages that are missing.
    """
    if name not in DATASETS:
        raise SpecError(f"unknown data {name[:60]!r}", hint=nearest(name, DATASETS))
    row, given = DATASETS[name], dict(given or {})
    for key in given:
        if key not in options(row):
            raise SpecError(f"{name} has no option {key!r}", hint=nearest(key, options(row)))
    if row.read is not None:
        return row.read(folder / str(given.get("folder", row.name)))
    assert row.make is not None
    draw = numpy.random.Generator(numpy.random.PCG64(int(given.get("seed", 0))))
    x, y = row.make(int(given.get("examples", row.examples)), float(given.get("noise", row.noise)), draw)
    return Data(x, y, row.inputs, row.outputs, row.classes, name)
