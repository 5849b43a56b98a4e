"""Examples to train with: one row each; split, standardised and shuffled by a seed.

>>> data = Data(numpy.arange(10.0).reshape(5, 2), numpy.arange(5.0).reshape(5, 1))
>>> train, test = split(data, 0.4, seed=1)
>>> len(train), len(test)
(3, 2)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy

from ..errors import SpecError

Array: TypeAlias = "numpy.ndarray[Any, Any]"


@dataclass(frozen=True)
class Data:
    """Examples, one row each. x: (n, features); y: (n, outputs), or (n,) numbers of classes from 0.

    inputs, outputs: names of the columns; classes: names of the classes; source: what a sentence calls the data;
    held_out: examples that the source itself keeps apart.
    """

    x: Array
    y: Array
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    source: str = "the data"
    held_out: Data | None = None

    def __post_init__(self) -> None:
        if self.x.ndim != 2 or len(self.x) != len(self.y):
            raise SpecError(f"{self.source}: {len(self.x)} inputs and {len(self.y)} targets", hint="there must be one target for every input")

    def __len__(self) -> int:
        return len(self.x)

    @property
    def features(self) -> int:
        """How many numbers an input has."""
        return int(self.x.shape[1])

    def rows(self, chosen: Array) -> Data:
        """Some of the examples, in the given order."""
        return replace(self, x=self.x[chosen], y=self.y[chosen], held_out=None)


def order(count: int, *seed: int) -> Array:
    """The numbers from 0 to count - 1 in an order that the seed decides (NumPy's PCG64, whose stream is fixed)."""
    return numpy.random.Generator(numpy.random.PCG64(list(seed))).permutation(count)


def split(data: Data, share: float, seed: int) -> tuple[Data, Data | None]:
    """Training and held-out examples: those that the source keeps apart, else a share drawn by the seed; share 0: none.

    Raises SpecError where one of the two would be empty.
    """
    if data.held_out is not None:
        return replace(data, held_out=None), data.held_out
    if not share:
        return data, None
    kept = len(data) - round(len(data) * share)
    if not 0 < kept < len(data):
        raise SpecError(f"a share of {share:g} of {len(data)} examples leaves {kept} for training and {len(data) - kept} held out",
                        hint="both need at least one example")
    mixed = order(len(data), seed, SPLITTING)
    return data.rows(mixed[:kept]), data.rows(mixed[kept:])


SPLITTING, SHUFFLING = 1, 2  # so that one seed gives independent orders for both


def standardised(train: Data, *others: Data | None) -> tuple[Data | None, ...]:
    """Every input column with mean 0 and deviation 1 over the training examples; the others by the same two numbers.

    A column that is the same everywhere only loses its mean.
    """
    mean, deviation = train.x.mean(axis=0), train.x.std(axis=0)
    deviation = numpy.where(deviation > 0, deviation, 1.0)
    return tuple(None if d is None else replace(d, x=(d.x - mean) / deviation) for d in (train, *others))


def one_hot(classes: Array, count: int) -> Array:
    """A row for every number of a class, with a 1 at its place.

    >>> one_hot(numpy.array([1, 0]), 3)
    array([[0., 1., 0.],
           [1., 0., 0.]])
    """
    out = numpy.zeros((len(classes), count))
    out[numpy.arange(len(classes)), classes] = 1.0
    return out
