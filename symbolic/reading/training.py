"""The keys of a spec that say what a network is trained with: data and train.

>>> source(".../scores.csv"), source("moons")
({'file': '.../scores.csv'}, {'name': 'moons'})
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from ..errors import nearest
from .choices import positive, share, truth
from .keys import LISTED, Keys, leaf_of
from .numbers import Number, ValueProblem, leaf, whole

MOST_EPOCHS, MOST_EXAMPLES = 1_000_000, 1_000_000


def source(raw: object) -> object:
    """A name alone, or the name of a CSV file, in place of braces."""
    if isinstance(raw, str):
        return {"file": str(raw)} if raw.lower().endswith((".csv", ".tsv")) else {"name": raw}
    return raw


def _amount(raw: object) -> Number:
    """A number that is not negative."""
    number = leaf(raw)
    if float(number) < 0:
        raise ValueProblem(f"expected a number that is not negative, not {str(raw)[:60]!r}")
    return number


if TYPE_CHECKING:
    Count: TypeAlias = int
    Epochs: TypeAlias = int
    Seed: TypeAlias = int
    Share: TypeAlias = Number
    Amount: TypeAlias = Number
    Level: TypeAlias = Number
    Above: TypeAlias = Number
    Truth: TypeAlias = bool
    Columns: TypeAlias = tuple[str, ...]
else:
    Count = leaf_of(lambda raw: whole(raw, 1, MOST_EXAMPLES), {"type": "integer", "minimum": 1})
    Epochs = leaf_of(lambda raw: whole(raw, 1, MOST_EPOCHS), {"type": "integer", "minimum": 1})
    Seed = leaf_of(lambda raw: whole(raw, 0, 2**32 - 1), {"type": "integer", "minimum": 0})
    Share, Amount, Level, Above = (leaf_of(f, {"type": "number"}) for f in (share, _amount, leaf, positive))
    Truth = leaf_of(truth, {"type": "boolean"})
    Columns = Annotated[tuple[str, ...], LISTED, WithJsonSchema({"type": "array", "items": {"type": "string"}})]


class Source(Keys):
    """Where the examples come from: the name of a data set, or a CSV file."""

    name: str | None = Field(default=None, description="A data set of the table.", examples=["moons", "digits", "mnist"])
    file: str | None = Field(default=None, description="A CSV file with column names, seen from the folder of this file.", examples=["scores.csv"])
    target: str | None = Field(default=None, description="file: the column to learn; default: the last.", examples=["score"])
    inputs: Columns = Field(default=(), description="file: the columns to learn from; default: all others.", examples=[["studied", "slept"]])
    examples: Count | None = Field(default=None, description="How many examples are generated.", examples=[200])
    noise: Amount | None = Field(default=None, description="How far generated examples are moved at random.", examples=[0.1])
    seed: Seed | None = Field(default=None, description="The same seed generates the same examples; default: the seed of train.", examples=[0])
    folder: str | None = Field(default=None, description="mnist, fashion_mnist: the folder of the four IDX files.", examples=["data/mnist"])
    otherwise: str | None = Field(default=None, description="The data set to take where the files of this one are missing.", examples=["digits"])
    standardise: Truth = Field(default=False, description="Give every input mean 0 and deviation 1 over the training examples.")

    def options(self) -> dict[str, Any]:
        """What is given for a data set of the table."""
        return {k: v for k in ("examples", "noise", "seed", "folder") if (v := getattr(self, k)) is not None}


class Train(Keys):
    """How long and with how many examples at once a network is trained."""

    epochs: Epochs = Field(default=100, description="How often every example is used.", examples=[5])
    batch: Count | None = Field(default=None, description="Examples a step; 1 is stochastic gradient descent; default: all.", examples=[128])
    seed: Seed = Field(default=0, description="Draws the first weights (unless init has its own), what is held out, and the order of the examples.", examples=[0])
    test: Share = Field(default=0, description="The share of the examples that is held out.", examples=[0.2])
    patience: Count | None = Field(default=None, description="Stop when the loss (held out, if there is such) has not fallen for so many epochs, and go "
                                   "back to the best parameters.", examples=[10])
    goal: Above | None = Field(default=None, description="Stop when the training loss is below this.", examples=[0.01])
    threshold: Level | None = Field(default=None, description="One output: predictions above it count as 1, others as 0; default: 0.5 for probabilities.", examples=[0.5])
    dtype: Literal["float64", "float32"] = Field(default="float64", description="Precision of the numbers.")


class Trained(BaseModel):
    """The keys of training."""

    data: Annotated[Source | None, BeforeValidator(source)] = Field(
        default=None, description="The examples to train with: a name, a CSV file, or braces with options; in place of inputs and targets, or beside "
        "their sizes.", examples=["moons", {"file": "scores.csv", "target": "score"}])
    train: Train | None = Field(default=None, description="How 'chainrule train' goes about it.", examples=[{"epochs": 100, "batch": 32, "seed": 0, "test": 0.2}])


LEVELS: dict[str, type[BaseModel]] = {"data": Source, "train": Train}  # keys that hold keys


def check_source(found: Source, known: Mapping[str, tuple[str, ...]]) -> None:
    """known: the options of every data set. Raises ValueProblem for an unknown name or an option that does not belong."""
    if (found.name is None) == (found.file is None):
        raise ValueProblem("expected a name or a file", "data", hint="as in data: moons, or data: {file: scores.csv, target: score}")
    for key in ("name", "otherwise"):
        name = getattr(found, key)
        if name is not None and name not in known:
            raise ValueProblem(f"unknown data {name[:60]!r}", "data", *([key] if len(found.model_fields_set) > 1 else []), hint=nearest(name, known))
    allowed = {"name", "otherwise", "standardise", *known[found.name]} if found.name else {"file", "target", "inputs", "standardise"}
    if "otherwise" in found.model_fields_set:
        allowed |= {"examples", "noise", "seed"}
    for key in found.model_fields_set:
        if key not in allowed and getattr(found, key):
            raise ValueProblem(f"{found.name or 'a file'} has no option {key!r}", "data", key, hint="it has " + ", ".join(sorted(allowed - {"name", "file"})))
