"""Conventions that many files follow, one row each: how one is told, and what it says about names, results and layout.

A row that is recognised only says which layout is tried first; one that the spec names (``check: {preset: nielsen}``) decides.

>>> PRESETS["nielsen"].adapter.layout
['columns', 'out_in', 'line']
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ..errors import SpecError, nearest
from .adapter import Adapter
from .reading import Code


@dataclass(frozen=True)
class Preset:
    """A convention: words that a file of it holds (patterns, all of them), what it fixes, and where it comes from."""

    name: str
    signs: tuple[str, ...]
    because: str
    fixed: dict[str, Any] = field(default_factory=dict)

    @property
    def adapter(self) -> Adapter:
        """The lines of a spec that say the same."""
        return Adapter.model_validate(self.fixed)

    def matches(self, code: Code) -> bool:
        """Whether the file holds all its words."""
        return all(re.search(sign, code.text) for sign in self.signs)


PRESETS: dict[str, Preset] = {p.name: p for p in (
    Preset("cs231n", (r"self\.params\[['\"]W1['\"]\]", r"def loss\(self, X, y", r"grads\[['\"]W1['\"]\]"),
           "The assignments of CS231n: loss(X, y, reg) returns the loss and grads['W1'], classes as numbers.", {"layout": ["rows", "in_out", "flat"]}),
    Preset("deeplearning.ai", (r"parameters\[['\"]W", r"grads\[?|\"dW1\"", r"def \w*(backward|propagat)"),
           "The courses of deeplearning.ai: parameters['W1'], caches, grads['dW1'], examples as columns.", {"layout": ["columns", "out_in", "line"]}),
    Preset("nielsen", (r"nabla_w", r"nabla_b", r"def backprop\(self, x, y\)"),
           "Nielsen's network.py: backprop(x, y) of one example returns (nabla_b, nabla_w), lists over the layers.", {"layout": ["columns", "out_in", "line"]}),
    Preset("iamtrask", (r"syn0", r"syn1", r"def nonlin\("),
           "The eleven-line network: syn0 and syn1 grow by the negative gradient, without biases.", {"layout": ["rows", "in_out"], "recover_from_update": True}),
    Preset("weights1", (r"self\.weights1", r"self\.weights2", r"def backprop\(self\)"),
           "A class that holds its data and adds d_weights1 to weights1.", {"layout": ["rows", "in_out"], "recover_from_update": True}),
    Preset("ng-octave", (r"[Tt]heta1", r"[Tt]heta2", r"ones\("),
           "The exercises of Machine Learning in NumPy: Theta1 with the bias in its first column.", {"layout": ["rows", "out_in", "first"]}),
    Preset("nnfs", (r"dweights", r"dbiases", r"dinputs"),
           "Layer_Dense with dweights, dbiases and dinputs.", {"layout": ["rows", "in_out", "line"]}),
    Preset("layers-with-rate", (r"def backward\(self, output_gradient, learning_rate\)",),
           "Layers whose backward(output_gradient, learning_rate) changes the weights at once.", {"recover_from_update": True}),
    Preset("affine", (r"class Affine", r"self\.dW\s*=", r"def __init__\(self, W, b\)"),
           "Affine(W, b) with dW and db, from books on deep learning from scratch.", {"layout": ["rows", "in_out", "flat"]}),
    Preset("keras-like", (r"class Dense", r"\bunits\b", r"def (call|forward)\("),
           "Dense(units) with kernel and bias.", {"layout": ["rows", "in_out"]}),
    Preset("micrograd", (r"class \w+", r"_prev|depends_on|_children", r"def __mul__", r"def backward"),
           "A scalar engine: values with data, grad and backward().", {}),
)}


def find(name: str) -> Preset:
    """The preset that a spec names. Raises SpecError with the nearest name."""
    if name not in PRESETS:
        raise SpecError(f"check, preset: unknown preset {name!r}", hint=nearest(name, PRESETS))
    return PRESETS[name]


def recognised(code: Code) -> Preset | None:
    """The first convention whose words a file holds."""
    return next((p for p in PRESETS.values() if p.matches(code)), None)


def merged(adapter: Adapter) -> Adapter:
    """The person's own lines over those of the preset they name."""
    if not adapter.preset:
        return adapter
    return Adapter.model_validate({**find(adapter.preset).fixed, **{k: getattr(adapter, k) for k in adapter.model_fields_set}})
