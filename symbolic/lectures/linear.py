"""Linear regression solved exactly, the learning rates with which gradient descent reaches it, and linear layers in one.

All numbers are fractions but the eigenvalues, which are at working precision.

>>> fit = solve([[1, 1], [2, 1]], [[3], [5]])
>>> fit.solution, fit.rank
([[Fraction(2, 1)], [Fraction(1, 1)]], 2)
>>> solve([[1, 1], [2, 2]], [[3], [5]]).solution is None
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

import sympy as sp
from mpmath import mp

from .. import expr as ex
from ..derive import Derivation
from ..errors import CheckError
from ..expr import Expr
from ..language.arithmetic import MP, Arithmetic, Matrix, entries
from ..network import Network
from ..proof.prove import SYMPY, is_zero
from ..values import DIGITS, forward, gradients

EXACT = Arithmetic()  # fractions stay fractions


@dataclass(frozen=True)
class Fit:
    """The normal equations X'X theta = X'Y of a regression. solution: None where X'X is singular."""

    design: Matrix
    gram: Matrix
    right: Matrix
    solution: Matrix | None
    rank: int


def product(a: Sequence[Sequence[Any]], b: Sequence[Sequence[Any]]) -> Matrix:
    """The matrix product of exact numbers."""
    return [[sum((x * y for x, y in zip(row, column, strict=True)), Fraction(0)) for column in zip(*b, strict=True)] for row in a]


def solve(design: Sequence[Sequence[Any]], targets: Sequence[Sequence[Any]]) -> Fit:
    """Least squares in exact fractions: design n x k, targets n x m.

    Raises CheckError if the solution, put in again, does not satisfy the equations.
    """
    turned = [list(c) for c in zip(*design, strict=True)]
    gram, right = product(turned, design), product(turned, targets)
    a = sp.Matrix([[SYMPY.number(v) for v in row] for row in gram])
    rank = int(a.rank())
    if rank < len(gram):
        return Fit([list(r) for r in design], gram, right, None, rank)
    found = a.LUsolve(sp.Matrix([[SYMPY.number(v) for v in row] for row in right]))
    solution = [[Fraction(int(v.p), int(v.q)) for v in found.row(i)] for i in range(found.rows)]
    if product(gram, solution) != right:
        raise CheckError("the solution does not satisfy the normal equations; nothing was written")
    return Fit([list(r) for r in design], gram, right, solution, rank)


# ---------------------------------------------------------------- one layer of a network, in the row convention

class Layer:
    """The parameters of a single linear layer as one matrix theta: the weights, one row an input, and below them the bias."""

    def __init__(self, network: Network, derivation: Derivation, leaves: Mapping[str, Matrix]) -> None:
        self.network, self.derivation = network, derivation
        self.bias = "b1" in network.symbols
        self.leaves = {n: [[Fraction(v) for v in row] for row in cells] for n, cells in leaves.items() if n not in ("W1", "b1")}
        (x,), (y,) = network.names("input"), network.names("target")
        self.inputs, self.targets = (self.turned(self.leaves[n]) for n in (x, y))
        self.design = [[*row, Fraction(1)] if self.bias else list(row) for row in self.inputs]

    def turned(self, cells: Matrix) -> Matrix:
        """From the network's convention to rows, and back."""
        return [list(r) for r in cells] if self.network.rows else [list(c) for c in zip(*cells, strict=True)]

    def theta(self, values: Mapping[Any, Matrix], key: Any = lambda n: n) -> Matrix:
        """The parameters (or, by key, their gradients) as one matrix."""
        return self.turned(values[key("W1")]) + (self.turned(values[key("b1")]) if self.bias else [])

    def parameters(self, theta: Matrix) -> dict[str, Matrix]:
        """theta as the weights and the bias of the network."""
        k = len(theta) - self.bias
        return {"W1": self.turned(theta[:k])} | ({"b1": self.turned(theta[k:])} if self.bias else {})

    def loss_and_gradient(self, theta: Matrix) -> tuple[Fraction, Matrix]:
        """The network's own loss and gradient at exact parameters."""
        values = forward(self.network, {**self.leaves, **self.parameters(theta)}, EXACT)
        found = gradients(self.derivation, values, arithmetic=EXACT)
        out = self.network.output
        return found[out][0][0], self.theta(found, lambda n: (out, n))


@dataclass(frozen=True)
class Descent:
    """Why gradient descent reaches the solution. hessian: of the loss, for each column of theta;
    eigenvalues: ascending; limit: learning rates below it converge."""

    hessian: Matrix
    eigenvalues: tuple[Any, ...]
    limit: Any


def descent(layer: Layer, fit: Fit) -> Descent:
    """The Hessian of the network's loss, checked to be a multiple of X'X, and its eigenvalues.

    Raises CheckError if the network's own gradient is not the one of the normal equations.
    """
    k, m = len(fit.gram), len(fit.right[0])
    zero = [[Fraction(0)] * m for _ in range(k)]
    _, start = layer.loss_and_gradient(zero)
    columns = []
    for i in range(k):  # the gradient is affine, so its differences are exact
        unit = [[Fraction(int(r == i and c == 0)) for c in range(m)] for r in range(k)]
        _, moved = layer.loss_and_gradient(unit)
        columns.append([moved[r][0] - start[r][0] for r in range(k)])
    hessian = [list(c) for c in zip(*columns, strict=True)]
    scale = next((h / g for hs, gs in zip(hessian, fit.gram, strict=True) for h, g in zip(hs, gs, strict=True) if g), Fraction(0))
    if hessian != [[scale * g for g in row] for row in fit.gram] or start != [[-scale * v for v in row] for row in fit.right]:
        raise CheckError("the gradient of the network is not that of the normal equations; nothing was written")
    if fit.solution is not None and any(v for row in layer.loss_and_gradient(fit.solution)[1] for v in row):
        raise CheckError("the gradient at the solution of the normal equations is not zero; nothing was written")
    with mp.workdps(DIGITS):
        h = mp.matrix([[MP.number(v) for v in row] for row in hessian])
        values, vectors = mp.eigsy(h)
        worst = max(mp.norm(h * vectors[:, j] - values[j] * vectors[:, j]) for j in range(k))
        if worst > mp.mpf(10) ** (20 - DIGITS) * (1 + mp.norm(h)):
            raise CheckError("an eigenvalue of the Hessian does not hold; nothing was written")
        ordered = tuple(sorted(mp.chop(v, mp.mpf(10) ** (20 - DIGITS) * (1 + mp.norm(h))) for v in values))
        return Descent(hessian, ordered, 2 / ordered[-1])


def walk(layer: Layer, fit: Fit, found: Descent, theta: Matrix, rate: Fraction, times: Sequence[int]) -> list[tuple[int, Matrix, Fraction]]:
    """(step, parameters, loss) of gradient descent at the given steps, in exact fractions.

    The error after t steps is (I - rate H)^t times the first error; the first steps are also taken with the
    network's own gradient. Raises CheckError where the two differ.
    """
    if fit.solution is None:
        return []
    k = len(theta)
    shrink = [[Fraction(int(i == j)) - rate * found.hessian[i][j] for j in range(k)] for i in range(k)]
    error = [[a - b for a, b in zip(r, s, strict=True)] for r, s in zip(theta, fit.solution, strict=True)]
    taken = theta
    out = []
    for t in range(max(times) + 1):
        at = [[a + b for a, b in zip(r, s, strict=True)] for r, s in zip(fit.solution, error, strict=True)]
        if t <= 3:
            if at != taken:
                raise CheckError(f"step {t} of gradient descent is not (I - eta H)^{t} times the first error; nothing was written")
            taken = [[p - rate * g for p, g in zip(r, s, strict=True)] for r, s in zip(taken, layer.loss_and_gradient(taken)[1], strict=True)]
        if t in times:
            out.append((t, at, layer.loss_and_gradient(at)[0]))
        error = product(shrink, error)
    return out


# ---------------------------------------------------------------- linear layers collapse

def collapsed(network: Network) -> tuple[Expr, Expr | None]:
    """The one layer that a stack of linear layers is: (W, b) as trees in W1, b1, W2, ...; b is None without biases."""
    depth = len(network.layers)
    own = [network.symbols[f"W{k}"].expr for k in range(1, depth + 1)]

    def after(k: int) -> list[Expr]:
        """The weights of the layers above layer k, in the order in which the board multiplies them."""
        return own[k:] if network.rows else own[k:][::-1]

    def times(factors: list[Expr]) -> Expr:
        return reduce(ex.matmul, factors)

    biases = [(k, network.symbols[f"b{k}"].expr) for k in range(1, depth + 1) if f"b{k}" in network.symbols]
    terms = [times([b, *after(k)] if network.rows else [*after(k), b]) for k, b in biases]
    return times(after(0)), ex.add(*terms) if terms else None


def prove_collapse(network: Network, weights: Expr, bias: Expr | None) -> None:
    """Compare the stack with the single layer on explicit entries, for one example of unknown numbers.

    Raises CheckError where an entry differs.
    """
    env: dict[Any, Matrix] = {}
    for s in network.symbols.values():
        if s.kind in ("parameter", "input"):
            rows, columns = (int(d) for d in s.shape) if s.shape else (1, 1)
            env[s.name] = [[sp.Symbol(f"{s.name}_{i}_{j}") for j in range(columns)] for i in range(rows)]
    deep = dict(env)
    for eq in network.equations[:-1]:
        deep[eq.name] = entries(eq.rhs, deep, SYMPY)
    x = network.symbols[network.names("input")[0]]
    single = entries(ex.matmul(x.expr, weights) if network.rows else ex.matmul(weights, x.expr), env, SYMPY)
    shift = entries(bias, env, SYMPY) if bias is not None else None
    for i, row in enumerate(single):
        for j, v in enumerate(row):
            own = 0 if shift is None else shift[0][j if len(shift[0]) > 1 else 0] if network.rows else shift[i if len(shift) > 1 else 0][0]
            if not is_zero(deep[f"a{len(network.layers)}"][i][j] - v - own):
                raise CheckError("the layers do not collapse into W and b; nothing was written")
