"""Drawing first weights: one row a scheme.

>>> draw("zeros", 0, "W1", (1, 2), 2, 1)
[[Fraction(0, 1), Fraction(0, 1)]]
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Init:
    """A way to draw first weights: the half-width or deviation from fan-in and fan-out."""

    name: str
    spread: Callable[[int, int], float]
    normal: bool
    because: str


INITS: dict[str, Init] = {i.name: i for i in (
    Init("zeros", lambda i, o: 0.0, False, "Every weight starts at zero."),
    Init("uniform", lambda i, o: 0.5, False, "Uniform between -1/2 and 1/2."),
    Init("normal", lambda i, o: 1.0, True, "Standard normal."),
    Init("glorot_uniform", lambda i, o: math.sqrt(6 / (i + o)), False, "Glorot and Bengio 2010: variance 2/(fan_in + fan_out)."),
    Init("glorot_normal", lambda i, o: math.sqrt(2 / (i + o)), True, "Glorot and Bengio 2010: variance 2/(fan_in + fan_out)."),
    Init("he_uniform", lambda i, o: math.sqrt(6 / i), False, "He et al. 2015: variance 2/fan_in."),
    Init("he_normal", lambda i, o: math.sqrt(2 / i), True, "He et al. 2015: variance 2/fan_in."),
    Init("lecun_normal", lambda i, o: math.sqrt(1 / i), True, "LeCun et al. 1998: variance 1/fan_in."),
)}


def draw(scheme: str, seed: int, name: str, shape: tuple[int, int], fan_in: int, fan_out: int) -> list[list[Fraction]]:
    """First weights, rounded to 4 decimals so that the page shows exactly what is used.

    The draw depends on seed and name alone, never on what was drawn before.
    """
    import random
    from statistics import NormalDist

    row = INITS[scheme]
    generator = random.Random(f"{seed}/{name}")
    width = row.spread(fan_in, fan_out)

    def one() -> Fraction:
        u = generator.random()
        value = (NormalDist().inv_cdf(min(max(u, 1e-12), 1 - 1e-12)) if row.normal else 2 * u - 1) * width
        return Fraction(round(value * 10_000), 10_000)

    return [[one() for _ in range(shape[1])] for _ in range(shape[0])]
