"""The table of losses: one row each, read entry by entry in y_hat and y, in the equation language.

>>> y_hat, y = ex.sym("y_hat", (2, 1)), ex.sym("y", (2, 1))
>>> print(loss_equation("mse", y_hat, y, outputs=2, samples=None))
L = 1/2*sum((y_hat - y)**2)
>>> print(loss_equation("multiclass_hinge", y_hat, y, outputs=2, samples=None))
L = sum((1 - y)*max(1 + y_hat - sum(y*y_hat, axis=0), 0))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from . import expr as ex
from .errors import SpecError, nearest
from .expr import Dim, Expr
from .language.parse import parse
from .network import Equation, Network, Symbol

# ---------------------------------------------------------------- what a target may be

@dataclass(frozen=True)
class Domain:
    """Which targets a loss is made for: a test of one example, and what was expected."""

    name: str
    holds: Callable[[Sequence[Any]], bool]
    expected: str


DOMAINS: dict[str, Domain] = {d.name: d for d in (
    Domain("any", lambda ys: True, "any number"),
    Domain("unit", lambda ys: all(0 <= v <= 1 for v in ys), "targets between 0 and 1"),
    Domain("distribution", lambda ys: all(0 <= v <= 1 for v in ys) and total_is_one(ys), "targets between 0 and 1 that sum to 1"),
    Domain("sign", lambda ys: all(v in (-1, 1) for v in ys), "targets that are -1 or 1"),
    Domain("one-hot", lambda ys: sorted(ys) == [0] * (len(ys) - 1) + [1], "one target 1 and the others 0, or the number of the class"),
)}


def total_is_one(values: Sequence[Any]) -> bool:
    """Whether exact numbers sum to exactly 1."""
    total = sum(values[1:], start=values[0])
    if isinstance(total, (int, Fraction)):
        return total == 1
    return (total - 1).equals(0) is True


# ---------------------------------------------------------------- the rows

@dataclass(frozen=True)
class Option:
    """A number that a loss may be given; positive: whether 0 is too small."""

    name: str
    default: Fraction
    positive: bool
    says: str


@dataclass(frozen=True)
class Loss:
    """A loss: scale * sum over outputs of entry, averaged as ``outputs`` ('sum' or 'mean') says.

    entry: in y_hat, y, the options and the parts; parts: formulas that are summed over the outputs
    of an example before the entry uses them; axis in a formula: the outputs. logits: y_hat holds
    logits, so that the last layer has no activation; classes: a target may be the number of a class.
    because: the idea in a sentence; convention: where sources differ, what is done here; used: where
    it is used; at_kink: where there is no slope, and what is used there; range: of the loss;
    numpy: the stable form of an entry, times the sign of the scale; also: other words for it.
    """

    name: str
    entry: str
    scale: Fraction
    outputs: str
    because: str
    convention: str
    used: str
    numpy: str
    domain: str = "any"
    parts: Mapping[str, str] = field(default_factory=dict)
    options: tuple[Option, ...] = ()
    logits: bool = False
    classes: bool = False
    least_outputs: int = 1
    at_kink: str = ""
    range: str = "[0, infinity)"
    also: tuple[str, ...] = ()


DELTA = Option("delta", Fraction(1), True, "where the square turns into a straight line")
GAMMA = Option("gamma", Fraction(2), False, "how much an easy example is played down")

LOSSES: dict[str, Loss] = {loss.name: loss for loss in (
    Loss("half_squared_error", "(y_hat - y)**2", Fraction(1, 2), "sum",
         "Half the square, so that the slope is the plain error.",
         "the sum over the outputs, with the factor 1/2", "Regression; most worked examples by hand.",
         "0.5*(y_hat - y)**2", also=("half mse", "quadratic cost")),
    Loss("squared_error", "(y_hat - y)**2", Fraction(1), "sum",
         "The square of the error.",
         "the sum over the outputs, without the factor 1/2", "Regression; least squares.",
         "(y_hat - y)**2", also=("sse", "rss", "l2 loss", "sum of squared errors", "residual sum of squares")),
    Loss("mse", "(y_hat - y)**2", Fraction(1), "mean",
         "The mean of the squared errors.",
         "the mean over the outputs, without the factor 1/2", "Regression.",
         "(y_hat - y)**2", also=("mean squared error", "least squares", "quadratic", "l2")),
    Loss("mae", "abs(y_hat - y)", Fraction(1), "mean",
         "The mean distance from the target, so that one wild target counts no more than its distance.",
         "the mean over the outputs", "Regression with outliers.",
         "numpy.abs(y_hat - y)", at_kink="where y_hat = y there is no slope, and 0 is used", also=("mean absolute error", "absolute error", "l1", "l1 loss")),
    Loss("huber", "huber(y_hat - y, delta)", Fraction(1), "mean",
         "Half the square of a small error, a straight line for a large one, so that the slope never exceeds delta.",
         "the mean over the outputs; the square has the factor 1/2", "Regression with outliers; reinforcement learning.",
         "numpy.where(numpy.abs(y_hat - y) <= delta, 0.5*(y_hat - y)**2, delta*(numpy.abs(y_hat - y) - 0.5*delta))",
         options=(DELTA,), at_kink="there is no kink: at a distance of delta both pieces have the same slope", also=("smooth l1",)),
    Loss("binary_cross_entropy", "y*log(y_hat) + (1 - y)*log(1 - y_hat)", Fraction(-1), "mean",
         "Minus the logarithm of the probability given to the true answer.",
         "natural logarithm, nothing added inside it; in NumPy 0 ln 0 counts as 0; the mean over the outputs", "Yes-or-no questions, one output each.",
         "-(y*numpy.log(numpy.where(y > 0, y_hat, 1)) + (1 - y)*numpy.log1p(-numpy.where(y < 1, y_hat, 0)))", domain="unit",
         also=("bce", "log loss", "logistic loss", "binary crossentropy")),
    Loss("binary_cross_entropy_with_logits", "softplus(y_hat) - y*y_hat", Fraction(1), "mean",
         "Binary cross-entropy of the sigmoid, written in the logit z: it cannot overflow and takes no logarithm of 0.",
         "natural logarithm; the mean over the outputs; the last layer gives the logit and has no activation",
         "Yes-or-no questions, in programs.",
         "numpy.logaddexp(0, y_hat) - y*y_hat", domain="unit", logits=True, also=("logits bce", "bce with logits")),
    Loss("cross_entropy", "y*log(y_hat)", Fraction(-1), "sum",
         "Minus the logarithm of what the true class got.",
         "natural logarithm, nothing added inside it; in NumPy 0 ln 0 counts as 0; the sum over the classes", "One class of several, behind a softmax.",
         "-y*numpy.log(numpy.where(y > 0, y_hat, 1))", domain="unit", classes=True,
         also=("ce", "crossentropy", "nll", "negative log likelihood", "categorical crossentropy", "categorical cross entropy", "sparse categorical crossentropy")),
    Loss("cross_entropy_with_logits", "y*log_softmax(y_hat, axis={axis})", Fraction(-1), "sum",
         "Cross-entropy of the softmax, written in the logits: the largest logit is taken out before any exponential.",
         "natural logarithm; the sum over the classes; the last layer gives the logits and has no activation",
         "One class of several, in programs.",
         "-y*(y_hat - numpy.logaddexp.reduce(y_hat, axis={axis}, keepdims=True))",
         domain="unit", logits=True, classes=True, least_outputs=2, also=("softmax cross entropy", "softmax loss")),
    Loss("kl_divergence", "xlogx(y) - y*log(y_hat)", Fraction(1), "sum",
         "How much longer a message gets when y_hat is believed and y is true; cross-entropy less what no prediction can save.",
         "the direction is KL(y || y_hat), the target first; natural logarithm, and 0 ln 0 counts as 0; the sum over the classes",
         "Soft targets; distillation.",
         "y*numpy.log(numpy.where(y > 0, y, 1)/numpy.where(y > 0, y_hat, 1))", domain="distribution", classes=True, also=("kl", "relative entropy")),
    Loss("hinge", "max(1 - y*y_hat, 0)", Fraction(1), "mean",
         "Nothing to pay once the score is on the right side by at least 1.",
         "targets are -1 and 1; the mean over the outputs", "Support vector machines.",
         "numpy.maximum(0, 1 - y*y_hat)", domain="sign", at_kink="where y times y_hat is 1 there is no slope, and 0 is used", also=("hinge loss", "svm loss")),
    Loss("multiclass_hinge", "(1 - y)*max(1 + y_hat - s, 0)", Fraction(1), "sum",
         "Every wrong class pays for coming closer than 1 to the score of the true class.",
         "the sum over the wrong classes (Weston and Watkins 1999), not divided by the number of classes",
         "Support vector machines with several classes.",
         "(1 - y)*numpy.maximum(0, 1 + y_hat - (y*y_hat).sum(axis={axis}, keepdims=True))",
         domain="one-hot", parts={"s": "y*y_hat"}, classes=True, least_outputs=2,
         at_kink="where a wrong class comes to exactly 1 below the true one there is no slope, and 0 is used", also=("categorical hinge",)),
    Loss("focal", "y*(1 - y_hat)**gamma*log(y_hat) + (1 - y)*y_hat**gamma*log(1 - y_hat)", Fraction(-1), "mean",
         "Binary cross-entropy in which an example that is right already hardly counts.",
         "the mean over the outputs; natural logarithm, in NumPy 0 ln 0 counts as 0; no weight alpha for the classes (Lin et al. 2017)",
         "Yes-or-no questions in which one answer is rare, such as object detection.",
         "-(y*(1 - y_hat)**gamma*numpy.log(numpy.where(y > 0, y_hat, 1)) + (1 - y)*y_hat**gamma*numpy.log1p(-numpy.where(y < 1, y_hat, 0)))",
         domain="unit", options=(GAMMA,)),
)}


def find(loss: str) -> Loss:
    """The row of a loss. Raises SpecError for an unknown one."""
    if loss not in LOSSES:
        raise SpecError(f"unknown loss {loss!r}", hint=nearest(loss, LOSSES))
    return LOSSES[loss]


def scale_of(row: Loss, *, outputs: Dim, samples: Dim | None, reduction: str) -> Expr:
    """The number in front of the sum over all entries: the scale, 1/outputs and 1/examples where the mean is meant."""
    scale = ex.num(row.scale)
    for d in ((outputs,) if row.outputs == "mean" else ()) + ((samples,) if samples is not None and reduction == "mean" else ()):
        scale = scale * (1 / ex.size(d))
    return scale


def loss_equation(loss: str, y_hat: Expr, y: Expr, *, outputs: Dim, samples: Dim | None, reduction: str = "mean",
                  rows: bool = False, options: Mapping[str, Any] | None = None) -> Equation:
    """L = scale * sum of the entry formula; mean over examples unless reduction is 'sum'.

    rows: examples are rows, so that the outputs run along axis 1. options: values for the row's options.
    Raises SpecError for an unknown loss, or for too few outputs.
    """
    row = find(loss)
    if row.least_outputs > 1 and not y_hat.shape:
        raise SpecError(f"{loss} of a single output is always the same; it needs at least {row.least_outputs}")
    entry = _entry(row, y_hat, y, 1 if rows else 0, options or {})
    scale = scale_of(row, outputs=outputs, samples=samples, reduction=reduction)
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


def _entry(row: Loss, y_hat: Expr, y: Expr, axis: int, options: Mapping[str, Any]) -> Expr:
    """The entry formula as a tree; a part is summed over the outputs and repeated for each of them."""
    values = {"y_hat": y_hat, "y": y}
    for name, source in row.parts.items():
        part = ex.node("sum", (parse(source, values),), axis)
        values[name] = ex.spread(part, axis, y_hat.shape) if part.shape else part
    for option in row.options:
        value = options.get(option.name, option.default)
        values[option.name] = value if isinstance(value, Expr) else ex.num(Fraction(value)).with_role("decimal")
    return parse(row.entry.format(axis=axis), values)


# ---------------------------------------------------------------- what is added to a loss

@dataclass(frozen=True)
class Penalty:
    """What keeps weights small: factor (in lam) * sum over all weights of entry (in w)."""

    name: str
    factor: str
    entry: str
    because: str
    convention: str
    used: str
    at_kink: str = ""
    range: str = "[0, infinity)"
    also: tuple[str, ...] = ()


PENALTIES: dict[str, Penalty] = {p.name: p for p in (
    Penalty("l2", "lam/2", "w**2", "Half of lambda times the sum of the squares of all weights, so that the slope is lambda times the weight.",
            "weight decay, with the factor 1/2; biases are not penalized", "in nearly all training of networks", also=("weight decay", "tikhonov")),
    Penalty("ridge", "lam", "w**2", "Lambda times the sum of the squares of all weights; its slope is 2 lambda times the weight.",
            "ridge regression, without the factor 1/2; biases are not penalized", "regression with features that are alike"),
    Penalty("l1", "lam", "abs(w)", "Lambda times the sum of the sizes of all weights; its slope is lambda times the sign of the weight.",
            "the lasso; biases are not penalized", "where many weights should become exactly zero",
            "at a weight of 0, where there is no slope, 0 is used", also=("lasso",)),
)}


WEIGHTS = ("w", "u", "e")  # letters of parameters that are weights, neither biases nor scales


def lambdas(penalties: Sequence[str]) -> dict[str, str]:
    """The name of each penalty's lambda: one name alone, numbered names beside one another.

    >>> lambdas(("l2",)), lambdas(("l1", "l2"))
    ({'l2': 'lam'}, {'l1': 'lam_1', 'l2': 'lam_2'})
    """
    if len(penalties) == 1:
        return {penalties[0]: "lam"}
    return {p: "lam_1" if p == "l1" else "lam_2" for p in penalties}


def regularized(network: Network, penalties: Sequence[str]) -> Network:
    """The network with D for what it had as loss, and L = D + the penalties of all weights.

    Raises SpecError for an unknown penalty.
    """
    weights = [s.expr for s in network.symbols.values() if s.kind == "parameter" and s.base.split("_")[0] in WEIGHTS]
    if not weights:
        raise SpecError("regularization needs weights, and these layers have none")
    symbols = dict(network.symbols)
    last = network.equations[-1]
    symbols["D"] = replace(symbols.pop(last.name), name="D", base="D")
    terms = [symbols["D"].expr]
    for name, lam in lambdas(penalties).items():
        if name not in PENALTIES:
            raise SpecError(f"unknown penalty {name!r}", hint=nearest(name, PENALTIES))
        row = PENALTIES[name]
        symbols[lam] = Symbol(lam, (), "constant", lam)
        squares = [parse(f"sum({row.entry})", {"w": w}) for w in weights]
        terms.append(ex.node("mul", (parse(row.factor, {"lam": symbols[lam].expr}), squares[0] if len(squares) == 1 else ex.node("add", squares))))
    symbols["L"] = Symbol("L", (), "value", "L")
    return replace(network, symbols=symbols, equations=(*network.equations[:-1], Equation("D", last.rhs), Equation("L", ex.node("add", terms))))
