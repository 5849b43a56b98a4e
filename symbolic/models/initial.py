"""Drawing first weights: one row a scheme.

>>> draw("zeros", 0, "W1", (1, 2), 2, 1)
[[Fraction(0, 1), Fraction(0, 1)]]
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist

from mpmath import mp

from .. import expr as ex
from ..expr import Expr
from ..language.arithmetic import MP
from ..language.parse import parse

FANS = {n: ex.sym(n) for n in ("fan_in", "fan_out")}


@dataclass(frozen=True)
class Init:
    """A way to draw first weights: the half-width (the deviation if normal) from fan_in and fan_out, as on the board."""

    name: str
    spread: str
    normal: bool
    because: str
    also: tuple[str, ...] = ()

    @property
    def tree(self) -> Expr:
        """The spread as a tree."""
        return parse(self.spread, FANS)

    def width(self, inputs: int, outputs: int) -> float:
        """The spread for a layer of so many inputs and outputs."""
        return _width(self.spread, inputs, outputs)


@lru_cache(maxsize=256)
def _width(spread: str, inputs: int, outputs: int) -> float:
    with mp.workdps(30):
        return float(MP.scalar(parse(spread, FANS), {"fan_in": mp.mpf(inputs), "fan_out": mp.mpf(outputs)}))


INITS: dict[str, Init] = {i.name: i for i in (
    Init("zeros", "0", False, "Every weight starts at zero."),
    Init("uniform", "1/2", False, "Uniform between -1/2 and 1/2.", also=("random",)),
    Init("normal", "1", True, "Standard normal.", also=("gaussian",)),
    Init("glorot_uniform", "sqrt(6/(fan_in + fan_out))", False, "Glorot and Bengio 2010: variance 2/(fan_in + fan_out).", also=("xavier", "glorot", "xavier uniform")),
    Init("glorot_normal", "sqrt(2/(fan_in + fan_out))", True, "Glorot and Bengio 2010: variance 2/(fan_in + fan_out).", also=("xavier normal",)),
    Init("he_uniform", "sqrt(6/fan_in)", False, "He et al. 2015: variance 2/fan_in.", also=("kaiming uniform",)),
    Init("he_normal", "sqrt(2/fan_in)", True, "He et al. 2015: variance 2/fan_in.", also=("he", "kaiming", "kaiming normal")),
    Init("lecun_normal", "sqrt(1/fan_in)", True, "LeCun et al. 1998: variance 1/fan_in.", also=("lecun",)),
)}


def draw(scheme: str, seed: int, name: str, shape: tuple[int, int], fan_in: int, fan_out: int) -> list[list[Fraction]]:
    """First weights, rounded to 4 decimals so that the page shows exactly what is used.

    The draw depends on seed and name alone, never on what was drawn before.
    """
    row = INITS[scheme]
    generator = random.Random(f"{seed}/{name}")
    width = row.width(fan_in, fan_out)

    def one() -> Fraction:
        u = generator.random()
        value = (NormalDist().inv_cdf(min(max(u, 1e-12), 1 - 1e-12)) if row.normal else 2 * u - 1) * width
        return Fraction(round(value * 10_000), 10_000)

    return [[one() for _ in range(shape[1])] for _ in range(shape[0])]
