"""What a training run leaves behind: one row an epoch, as CSV and JSON, without a clock, so that equal runs give equal bytes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .data import Array


@dataclass(frozen=True)
class Epoch:
    """The state after an epoch (0: before the first step). steps: taken so far; loss, accuracy: over all training examples; held_*: over
    those held out (None where there are none); rate, norms: learning rate and length of the gradient of each layer in the last step."""

    epoch: int
    steps: int
    loss: float
    accuracy: float | None = None
    held_loss: float | None = None
    held_accuracy: float | None = None
    rate: float | None = None
    norms: Mapping[str, float] = field(default_factory=dict)


PLAIN = ("epoch", "steps", "loss", "accuracy", "held_loss", "held_accuracy", "rate")
HEADS = {"loss": "training_loss", "accuracy": "training_accuracy", "held_loss": "held_out_loss", "held_accuracy": "held_out_accuracy", "rate": "learning_rate"}


@dataclass
class History:
    """A run. rows: one an epoch; parameters: what was learned (the best ones after early stopping, which best names); stopped: why it
    ended before the last epoch; path: the parameters after each step where they are one or two numbers; settings: all that decides the run;
    seconds: how long it took, kept out of every file."""

    rows: list[Epoch]
    parameters: dict[str, Array]
    settings: dict[str, Any]
    stopped: str = ""
    best: int | None = None
    path: list[tuple[float, ...]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def last(self) -> Epoch:
        """The row of the parameters that were kept."""
        return self.rows[-1] if self.best is None else next(r for r in self.rows if r.epoch == self.best)

    def layers(self) -> list[str]:
        """The layers whose gradients were measured."""
        return list(self.rows[-1].norms)

    def as_csv(self) -> str:
        """One line an epoch; an empty cell where there is no value."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        layers = self.layers()
        writer.writerow([HEADS.get(n, n) for n in PLAIN] + [f"gradient_norm_{n}" for n in layers])
        for row in self.rows:
            writer.writerow([_cell(getattr(row, n)) for n in PLAIN] + [_cell(row.norms.get(n)) for n in layers])
        return out.getvalue()

    def as_json(self) -> str:
        """Settings, rows and what the run ended with."""
        rows = [{HEADS.get(n, n): getattr(row, n) for n in PLAIN} | {"gradient_norms": dict(row.norms)} for row in self.rows]
        data = {"settings": self.settings, "stopped": self.stopped, "best_epoch": self.best, "history": rows,
                "parameters": {n: v.tolist() for n, v in self.parameters.items()} if sum(v.size for v in self.parameters.values()) <= MOST_PRINTED else {}}
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


MOST_PRINTED = 2000  # more parameters than this are only in the checkpoint


def _cell(value: float | None) -> str:
    return "" if value is None else repr(value)
