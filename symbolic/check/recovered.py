"""The error signal behind a wrong gradient, for which no known mistake is found: what the claimed numbers say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy

from .. import expr as ex
from ..network import Equation
from ..rules import local_slope
from .arrays import READER, Array
from .judge import Case, fitted, plain_array
from .suspects import field_of


@dataclass(frozen=True)
class Recovered:
    """The error signal behind a wrong gradient of a weight, found from the claimed numbers.

    value: whose gradient it is; claimed, right: the two signals; upstream, slope: what the right one is made of; ratio: claimed over
    upstream, to be compared with the slope (nan where the upstream is 0).
    """

    tensor: str
    value: str
    claimed: Array
    right: Array
    upstream: Array | None
    slope: Array | None
    ratio: Array | None


def recover(cases: Sequence[Case], name: str) -> Recovered | None:
    """The error signal behind the claimed gradient of a weight or a bias; None where the claimed numbers do not determine it.

    dW = delta a^T gives delta wherever the inputs of the examples are linearly independent: with one example always.
    """
    for case in sorted(cases, key=lambda c: c.point.examples):
        network = case.point.network
        field = field_of(network)
        terms = field.right.steps[name].terms
        array = plain_array(case.claimed.get(name))
        if array is None or not terms or (claimed := fitted(array, case.point.gradient(name).shape)) is None:
            continue
        value = terms[0].through
        eq = network.equation(value)
        delta = _delta(eq, name, claimed, case)
        if delta is None or delta.shape != case.point.values[network.output, value].shape:
            continue
        after = next((e for e in network.equations if e.rhs.op == "call" and e.rhs.args[0] == ex.sym(value, eq.rhs.shape)), None)
        slope = READER.value(local_slope(after.rhs), case.point.values) if after is not None else None
        upstream = case.point.values[network.output, after.name] if after is not None else None
        with numpy.errstate(all="ignore"):
            ratio = delta / upstream if upstream is not None else None
        return Recovered(name, value, delta, case.point.values[network.output, value], upstream, slope, ratio)
    return None


def _delta(eq: Equation, name: str, claimed: Array, case: Case) -> Array | None:
    """The gradient of a value from that of a factor in its equation."""
    for node in ex.walk(eq.rhs):
        if node.op == "sym" and node.data == name and eq.rhs.op == "sym":
            return claimed
        for k in (0, 1) if node.op == "matmul" else ():
            if node.args[k].op == "sym" and node.args[k].data == name:
                other = READER.value(node.args[1 - k], case.point.values)
                short = min(other.shape)
                if numpy.linalg.matrix_rank(other) < (other.shape[1] if k == 0 else other.shape[0]) or short == 0:
                    return None
                return claimed @ numpy.linalg.pinv(other.T) if k == 0 else numpy.linalg.pinv(other.T) @ claimed
    if eq.rhs.op == "add" and any(t.op == "sym" and t.data == name for t in eq.rhs.args):
        return claimed
    return None
