"""The table of losses: one row each, read entry by entry in y_hat and y.

>>> y_hat, y = ex.sym("y_hat", (2, 1)), ex.sym("y", (2, 1))
>>> print(loss_equation("mse", y_hat, y, outputs=2, samples=None))
L = 1/2*sum((y_hat - y)**2)
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from . import expr as ex
from .errors import SpecError, nearest
from .expr import Dim, Expr
from .network import Equation
from .parse import parse


@dataclass(frozen=True)
class Loss:
    """A loss, read entry by entry in y_hat and y; outputs: 'sum' or 'mean' over the outputs."""

    name: str
    entry: str
    scale: Fraction
    outputs: str
    because: str
    probabilities: bool = False  # whether targets must lie between 0 and 1


LOSSES: dict[str, Loss] = {loss.name: loss for loss in (
    Loss("half_squared_error", "(y_hat - y)**2", Fraction(1, 2), "sum", "Half the square, so that the slope is the plain error."),
    Loss("squared_error", "(y_hat - y)**2", Fraction(1), "sum", "The square of the error."),
    Loss("mse", "(y_hat - y)**2", Fraction(1), "mean", "The mean of the squared errors."),
    Loss("cross_entropy", "y*log(y_hat)", Fraction(-1), "sum", "Minus the logarithm of what the true class got.",
         probabilities=True),
    Loss("binary_cross_entropy", "y*log(y_hat) + (1 - y)*log(1 - y_hat)", Fraction(-1), "mean",
         "Minus the logarithm of the probability given to the true answer.", probabilities=True),
)}


def loss_equation(loss: str, y_hat: Expr, y: Expr, *, outputs: Dim, samples: Dim | None, reduction: str = "mean") -> Equation:
    """L = scale * sum of the entry formula; mean over examples unless reduction is 'sum'.

    Raises SpecError for an unknown loss.
    """
    if loss not in LOSSES:
        raise SpecError(f"unknown loss {loss!r}", hint=nearest(loss, LOSSES))
    row = LOSSES[loss]
    entry = parse(row.entry, {"y_hat": y_hat, "y": y})
    scale = ex.num(row.scale)
    for d in ((outputs,) if row.outputs == "mean" else ()) + ((samples,) if samples is not None and reduction == "mean" else ()):
        scale = scale * (1 / ex.size(d))
    body = ex.node("sum", (entry,)) if entry.shape else entry
    if scale == ex.ONE:
        return Equation("L", body)
    if scale == ex.num(-1):
        return Equation("L", ex.node("neg", (body,)))
    if scale.op == "neg":
        return Equation("L", ex.node("neg", (ex.node("mul", (scale.args[0], body)),)))
    if scale.op == "num" and scale.data < 0:
        return Equation("L", ex.node("neg", (ex.node("mul", (ex.num(-scale.data), body)),)))
    return Equation("L", ex.node("mul", (scale, body)))
