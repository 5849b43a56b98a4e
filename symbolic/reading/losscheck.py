"""What a loss asks of a spec: its options and penalties, the last layer, targets given as classes."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ..errors import nearest
from ..losses import LOSSES, PENALTIES
from ..spec import Spec
from .choices import short
from .numbers import ValueProblem


def check_loss(spec: Spec) -> None:
    """The loss, its options, and what is added to it."""
    options = {o.name: o for o in LOSSES[str(spec.loss)].options}
    for name, value in spec.loss_options.items():
        if name not in options:
            hint = nearest(name, options) if options else "delete it"
            raise ValueProblem(f"{spec.loss} has no option {short(name)}", "loss_options", name, hint=hint)
        if not isinstance(value, Fraction) or value < 0 or (options[name].positive and value == 0):
            expected = "a positive decimal or fraction" if options[name].positive else "a decimal or fraction that is not negative"
            raise ValueProblem(f"expected {expected}", "loss_options", name, hint=f"it says {options[name].says}")
    for name in spec.regularization:
        if name not in PENALTIES:
            raise ValueProblem(f"unknown penalty {short(name)}", "regularization", name, hint=nearest(name, PENALTIES))
    if {"l2", "ridge"} <= spec.regularization.keys():
        raise ValueProblem("l2 and ridge are the same squares, with and without the factor 1/2", "regularization", hint="delete one of the two")


def check_last(spec: Spec, units: int) -> None:
    """What the loss asks of the last layer."""
    loss, last = LOSSES[str(spec.loss)], len(spec.layers) - 1
    activation = spec.layers[last].activation
    if loss.logits and activation != "identity":
        raise ValueProblem(f"{activation}, but {loss.name} takes the logits of the last layer, without an activation", "layers", last,
                           "activation", hint="write identity, or the loss " + loss.name.removesuffix("_with_logits"))
    if units < loss.least_outputs:
        raise ValueProblem(f"{loss.name} needs a last layer of at least {loss.least_outputs} units", "loss")


def class_indices(loss: str | None, y: Any, units: int, examples: int | str | None, name: str) -> tuple[int, ...]:
    """The classes that a target counts from 0; none where it is written out.

    A number beside one example, or a flat list beside a batch. Raises ValueProblem for what is no class.
    """
    single = examples is None and isinstance(y, Fraction)
    listed = examples is not None and isinstance(y, tuple) and not isinstance(y[0], tuple)
    if loss is None or not LOSSES[loss].classes or units < 2 or not (single or listed):
        return ()
    found = (y,) if single else y
    if len(found) != examples and not single:
        raise ValueProblem(f"{len(found)} classes, but the input has {examples} examples", "targets", name, hint="one class an example, counted from 0")
    for k, v in enumerate(found):
        if not isinstance(v, Fraction) or v.denominator != 1 or not 0 <= v < units:
            raise ValueProblem(f"{v} is not a class{'' if single else f' (example {k + 1})'}; expected a whole number from 0 to {units - 1}",
                               "targets", name, hint="classes are counted from 0")
    return tuple(int(v) for v in found)
