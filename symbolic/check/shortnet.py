"""A network from a short text: sizes, then one activation a layer.

>>> net = network("4-3-2 relu sigmoid", "mse")
>>> for eq in net.equations: print(eq)
z1 = x @ W1 + ones(n, 1) @ b1
a1 = relu(z1)
z2 = a1 @ W2 + ones(n, 1) @ b2
a2 = sigmoid(z2)
L = 1/2*1/n*sum((a2 - y)**2)
>>> network("4-3-2 relu sigmod", "mse")
Traceback (most recent call last):
symbolic.errors.SpecError: --net '4-3-2 relu sigmod': unknown activation 'sigmod'; did you mean 'sigmoid'?
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import SpecError, meant, nearest
from ..layers import activations, stack
from ..losses import LOSSES
from ..network import LayerPlan, Network

MOST_UNITS, MOST_LAYERS = 200, 12


def network(text: str, loss: str = "mse", *, samples: int | str | None = "n", rows: bool = True, reduction: str = "mean") -> Network:
    """The network that ``--net`` and ``--loss`` describe, by rows with a batch of any size.

    One activation serves all layers; one less than there are layers leaves the last one without. Raises SpecError with the nearest name.
    """
    where = f"--net {text!r}"
    words = text.replace(",", " ").split()
    if not words or not re.fullmatch(r"\d+(-\d+)+", words[0]):
        raise SpecError(f"{where}: expected sizes, then activations", hint='as in "4-3-2 relu sigmoid"')
    sizes = [int(s) for s in words[0].split("-")]
    layers = len(sizes) - 1
    if not all(1 <= s <= MOST_UNITS for s in sizes) or layers > MOST_LAYERS:
        raise SpecError(f"{where}: expected 1 to {MOST_UNITS} units a layer and at most {MOST_LAYERS} layers")
    bias = "nobias" not in words[1:]
    chosen = [_named(w, activations(), f"{where}: unknown activation") for w in words[1:] if w != "nobias"]
    if len(chosen) == 1 and layers > 1:
        chosen *= layers
    if len(chosen) == layers - 1:
        chosen.append("identity")
    if len(chosen) != layers:
        raise SpecError(f"{where}: {len(chosen)} activations for {layers} layers", hint="write one for each layer after the input")
    named_loss = _named(loss, LOSSES, "--loss: unknown loss")
    plans = [LayerPlan(units, activation, bias) for units, activation in zip(sizes[1:], chosen, strict=True)]
    return stack(("x", sizes[0]), "y", plans, named_loss, samples=samples, rows=rows, reduction=reduction)


def _named(word: str, rows: Mapping[str, Any], problem: str) -> str:
    found = meant(word, rows)
    if found not in rows:
        raise SpecError(f"{problem} {word!r}", hint=nearest(word, rows))
    return found
