"""The table of theorems: where an activation and a loss cancel, the gradient in one short form.

The short form is also the numerically stable one: near saturation y_hat - y keeps its digits, the
quotient of the chain rule does not. A theorem is proved like every other line before it is printed.

>>> from ..layers import stack
>>> from ..network import LayerPlan
>>> net = stack(("x", 2), "y", [LayerPlan(3, "softmax")], "cross_entropy")
>>> for s in applied(net, "cross_entropy").shortcuts: print(f"dL/d{s.wrt} = {ex.text(s.result)}: {s.rule}")
dL/dz1 = a1 - y: softmax-cross-entropy fusion
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .. import expr as ex
from ..language.arithmetic import Matrix
from ..language.parse import parse
from ..losses import LOSSES, scale_of, total_is_one
from ..network import Equation, Network, Shortcut


@dataclass(frozen=True)
class Theorem:
    """Activation and loss cancel: the gradient before the activation is |scale| * gradient (in y_hat, y).

    sums_to_one: whether it needs targets that sum to 1 in every example. With a loss that takes
    logits there is no activation to cancel, and the gradient is that of y_hat itself.
    """

    rule: str
    activation: str
    loss: str
    sums_to_one: bool
    gradient: str
    because: str
    used: str


HYPOTHESIS = "the targets of every example sum to 1"
_SOFTMAX = f"Theorem: if {HYPOTHESIS}, softmax and cross-entropy cancel, and the gradient is the prediction minus the target."

THEOREMS: tuple[Theorem, ...] = (
    Theorem("sigmoid-cross-entropy fusion", "sigmoid", "binary_cross_entropy", False, "y_hat - y",
            "Theorem: the slope of the sigmoid cancels the denominators of the binary cross-entropy, and the gradient is the prediction minus the target.",
            "the last layer of every yes-or-no network"),
    Theorem("softmax-cross-entropy fusion", "softmax", "cross_entropy", True, "y_hat - y", _SOFTMAX, "the last layer of every classifier"),
    Theorem("softmax-cross-entropy fusion", "softmax", "kl_divergence", True, "y_hat - y", _SOFTMAX, "distillation"),
    Theorem("sigmoid-cross-entropy fusion", "identity", "binary_cross_entropy_with_logits", False, "sigmoid(y_hat) - y",
            "Theorem: the slope of the softplus is the sigmoid, so the gradient is the predicted probability minus the target.",
            "programs, which keep the last layer in logits"),
    Theorem("softmax-cross-entropy fusion", "identity", "cross_entropy_with_logits", True, "softmax(y_hat, axis={axis}) - y",
            f"Theorem: if {HYPOTHESIS}, the gradient is the predicted probability minus the target.", "programs, which keep the last layer in logits"),
)


def find(activation: str, loss: str) -> Theorem | None:
    """The theorem for an activation followed by a loss, if there is one."""
    return next((t for t in THEOREMS if (t.activation, t.loss) == (activation, loss)), None)


def applied(network: Network, loss: str, *, targets: Matrix | None = None, reduction: str = "mean") -> Network:
    """The network with the theorem that holds of its last layer, unchanged where none does.

    targets: the given ones, as the network holds them; without them the hypothesis is taken for granted.
    """
    y_hat = network.aliases.get("y_hat", "")
    if not y_hat:
        return network
    last, end = network.equation(y_hat), _only_use(network, y_hat)
    z = last.rhs.args[0] if last.rhs.op in ("call", "over") else None
    theorem = find(last.rhs.data if last.rhs.op == "call" else last.rhs.data[0], loss) if z is not None and z.op == "sym" else None
    if theorem is None or z is None or end is None or _only_use(network, z.data) is not last:
        return network
    (y,) = (network.symbols[n].expr for n in network.names("target"))
    axis = 1 if network.rows else 0
    if theorem.sums_to_one and targets is not None and not all(map(total_is_one, turned(targets, network.rows))):
        return network
    wrt = network.symbols[y_hat].expr if LOSSES[loss].logits else z
    shape = wrt.shape or (1, 1)
    outputs, across = shape[axis], shape[1 - axis]
    if across != 1 and not ex.is_samples(across):
        return network  # an image, not one vector an example
    samples = across if ex.is_samples(across) else None
    scale = scale_of(LOSSES[loss], outputs=outputs, samples=samples, reduction=reduction)
    scale = scale.args[0] if scale.op == "neg" else ex.num(abs(scale.data)) if scale.op == "num" else scale
    gradient = parse(theorem.gradient.format(axis=axis), {"y_hat": network.symbols[y_hat].expr, "y": y})
    shortcut = Shortcut(network.output, wrt.data, ex.mul(scale, gradient), theorem.rule, theorem.because)
    ones = (ex.node("sum", (y,), axis),) if theorem.sums_to_one else ()
    return replace(network, shortcuts=(*network.shortcuts, shortcut), ones=(*network.ones, *ones))


def _only_use(network: Network, name: str) -> Equation | None:
    """The one equation that uses a value; None where several do, so that its gradient has more terms."""
    uses = [eq for eq in network.equations if name in eq.rhs.names]
    return uses[0] if len(uses) == 1 else None


def turned(cells: Matrix, rows: bool) -> Matrix:
    """From one row an example to the network's own convention, and back."""
    return cells if rows else [list(c) for c in zip(*cells, strict=True)]
