"""Gradients checked by numbers alone: the complex step, good to the last digits, without any rule of ours.

For an analytic f, f(w + ih) = f(w) + ih f'(w) + ..., so that the imaginary part over h is the slope, without a
difference of nearly equal numbers (Squire and Trapp 1998).

>>> from ..network import from_equations
>>> from .compiled import compile
>>> compiled = compile(from_equations({"y": "exp(x)*sin(x)"}, {}))
>>> at = {"x": 1.5}
>>> float(abs(complex_step(compiled, at)["x"] - compiled(at)[1]["x"])) < 1e-14
True
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy

from ..errors import SpecError
from ..language.run import load
from .compiled import Compiled
from .passes import called
from .sources import function, lines_of, preamble, size_lines, space

H = 1e-30  # far below the last digit, so that nothing of second order is left
COMPARING = frozenset({"np.where", "np.maximum", "np.minimum", "np.abs", "np.clip", "np.logaddexp", "np.max", "np.min", "np.linalg.slogdet", "np.linalg.norm", "erf", "erfc"})


def complex_step(compiled: Compiled, values: Mapping[str, Any]) -> dict[str, Any]:
    """The gradients that ``compiled`` gives, from one run of the forward pass for each entry of a parameter.

    Raises SpecError where the forward pass compares numbers (relu, a maximum), which complex numbers do not allow.
    """
    made = replace(compiled.program, statements=compiled.program.forward)
    lines = lines_of(made, "complex128")
    if found := next((n for line in lines for n in ast.walk(line.code) if isinstance(n, ast.Compare) or called(n) in COMPARING), None):
        raise SpecError(f"the complex step cannot pass {ast.unparse(found)}", hint="it needs a loss without comparisons")
    source = function("loss", [made.names[n] for n in made.leaves], [*size_lines(made), *map(str, lines), f"return {made.names[made.loss]}"])
    loss = load("\n".join([*preamble(made), source]), space("complex128"))["loss"]
    leaves = dict(zip(made.leaves, (x.astype(complex) for x in compiled.arrays(values)), strict=True))
    arguments, out = list(leaves.values()), {}
    for name in made.gradients:
        if name not in leaves:
            raise SpecError(f"{name} is computed, so it cannot be moved", hint="the complex step moves what is given: " + ", ".join(leaves))
        moved = leaves[name]
        slopes = numpy.empty(moved.shape)
        for place in numpy.ndindex(moved.shape):
            moved[place] += 1j * H
            slopes[place] = loss(*arguments).imag / H
            moved[place] = moved[place].real
        out[name] = slopes
    return out
