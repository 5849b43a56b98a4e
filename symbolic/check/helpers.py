"""Functions that a listing takes for granted (sigmoid, sigmoid_derivative(z), relu ...), written from the table of functions.

>>> print(source(["np", "sigmoid_derivative", "foo"]).text)
import numpy
import numpy as np
def sigmoid_derivative(z):
    return numpy.exp(-numpy.logaddexp(0, z) - numpy.logaddexp(0, -(z)))
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from ..functions import FUNCTIONS, VECTOR_FUNCTIONS
from ..layers import activations

IMPORTS = {"np": "import numpy as np", "numpy": "import numpy", "math": "import math", "random": "import random", "copy": "import copy",
           "exp": "from numpy import exp", "dot": "from numpy import dot", "Union": "from typing import Union", "List": "from typing import List",
           "torch": "import torch", "nn": "import torch.nn as nn", "F": "import torch.nn.functional as F", "jax": "import jax",
           "jnp": "import jax.numpy as jnp"}
SLOPES = ("{}_derivative", "{}_prime", "{}_deriv", "{}_grad", "{}_gradient", "d{}", "d_{}", "{}_der", "{}_d", "derivative_{}", "{}_slope", "deriv_{}")
SAME = {"identity": ("linear", "identity"), "sigmoid": ("expit",)}
STANDINS = {"scipy": "scipy = SimpleNamespace(special=SimpleNamespace({}))", "special": "special = SimpleNamespace({})"}  # scipy.special.expit(z), softmax(z)


@dataclass(frozen=True)
class Supplied:
    """Source of helpers, and a sentence for each that the report must mention (np alone needs none)."""

    text: str = ""
    names: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was supplied, in one sentence."""
        functions = [n for n in self.names if n not in IMPORTS and n not in STANDINS]
        modules = [n for n in self.names if n in IMPORTS]
        said = [", ".join(modules) + (" was" if len(modules) == 1 else " were") + " not imported; supplied"] if modules else []
        said += ["scipy cannot be imported here; its expit and softmax were supplied"] * bool(STANDINS.keys() & set(self.names))
        for n in functions:
            said.append(f"{n}(z) is not in the file; supplied" + (", as the slope at its input z" if _slope_of(n) else ""))
        return tuple(said)


@cache
def _table() -> dict[str, tuple[str, bool]]:
    """Every name that can be supplied: the activation, and whether its slope is meant."""
    out = {}
    for name in activations():
        for said in {name, name.replace("_", ""), *SAME.get(name, ())}:
            out[said.lower()] = (name, False)
            for pattern in SLOPES:
                out[pattern.format(said).lower()] = (name, True)
    return out


def _slope_of(name: str) -> bool:
    return _table().get(name.lower(), ("", False))[1]


def known(name: str) -> bool:
    """Whether a missing name can be supplied."""
    return name in IMPORTS or _definition(name, 1) is not None


def source(missing: Iterable[str], axis: int = -1) -> Supplied:
    """Source for those of the missing names that are known; axis: where the classes of a softmax stand."""
    found = {n: IMPORTS[n] if n in IMPORTS else _definition(n, axis) for n in sorted(missing, key=lambda n: (n not in IMPORTS, n))}
    texts = [t for t in found.values() if t]
    lines = ["import numpy"] * bool(texts) + ["import math"] * any("erf" in t for t in texts)
    return Supplied("\n".join([*lines, *texts]), tuple(n for n, t in found.items() if t))


def _definition(name: str, axis: int) -> str | None:
    if name in STANDINS:
        inside = ", ".join(f"{f}=lambda z, axis={axis}: {row.numpy_code.format(z='z', axis='axis')}"
                           for f, row in (("expit", FUNCTIONS["sigmoid"]), ("softmax", VECTOR_FUNCTIONS["softmax"])))
        return f"from types import SimpleNamespace\n{STANDINS[name].format(inside)}"
    function, slope = _table().get(name.lower(), ("", False))
    if function in VECTOR_FUNCTIONS:
        return None if slope else f"def {name}(z):\n    return " + VECTOR_FUNCTIONS[function].numpy_code.format(z="z", axis=axis)
    if function not in FUNCTIONS or len(FUNCTIONS[function].names) > 1:
        return None
    row = FUNCTIONS[function]
    body = (row.numpy_slope_codes[0] if slope else row.numpy_code).format(z="z")
    return f"def {name}(z):\n    return " + re.sub(r"\b(erfc?)\(", r"numpy.vectorize(math.\1, otypes=[float])(", body)
