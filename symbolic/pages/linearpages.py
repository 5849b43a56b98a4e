"""The sections of linear networks: the normal equations, why gradient descent reaches their solution, layers that collapse."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import prod
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..decimals import decimal, matrix
from ..errors import CheckError
from ..language.arithmetic import MP, Matrix, entries
from ..latex import Printer
from ..lectures import linear
from ..lesson import plan
from ..network import from_equations
from ..render.plane import Plane
from ..values import DIGITS
from ..verify import certify
from .sheet import Section, Sheet, TexLine
from .texparts import number, terminating

SHOWN = (0, 1, 2, 3, 10, 100)  # steps of gradient descent in the table
MOST_PARAMETERS = 4  # that get a column of their own
MOST_EXAMPLES = 60
LONGEST_DECIMAL = 7
LARGEST_DENOMINATOR = 10_000


def normal_equations(sheet: Sheet) -> list[Section]:
    """What a spec with ``normal_equations`` shows: the equations, the exact solution, and why descent gets there."""
    spec = sheet.problem.spec
    if spec is None or not spec.normal_equations:
        return []
    with mp.workdps(DIGITS):
        r = _Regression(sheet)
        return [r.stated(), r.solved(), *r.picture(), r.descent(), *r.steps()]


class _Regression:
    """One linear layer with its data, solved."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet, self.digits = sheet, sheet.digits
        network = sheet.network
        self.layer = linear.Layer(network, sheet.lesson.derivation, sheet.problem.leaves)
        if len(self.layer.design) > MOST_EXAMPLES:
            raise sheet.problem.refused("normal_equations", f"{len(self.layer.design)} examples; at most {MOST_EXAMPLES} are solved on a page")
        if not any(v for row in self.layer.design for v in row):
            raise sheet.problem.refused("normal_equations", "the loss does not change with the weights, because every input is 0")
        self.fit = linear.solve(self.layer.design, self.layer.targets)
        self.found = linear.descent(self.layer, self.fit)
        self.k, self.m = len(self.fit.gram), len(self.fit.right[0])
        gram = next(g for row in self.fit.gram for g in row if g)
        self.scale = next(h for row in self.found.hessian for h in row if h) / gram  # of X'X in the Hessian
        self.x, self.y = ("X_tilde" if self.layer.bias else "X"), ("Y" if self.m > 1 else "y")
        (name,) = network.names("target")
        self.target = name
        self._check_loss()

    def _check_loss(self) -> None:
        """The loss is scale/2 times the sum of the squared errors, which is what is printed."""
        theta = [[Fraction(i - j, 2) for j in range(self.m)] for i in range(self.k)]
        made = linear.product(self.layer.design, theta)
        squares = sum((a - b) ** 2 for r, s in zip(made, self.layer.targets, strict=True) for a, b in zip(r, s, strict=True))
        if self.layer.loss_and_gradient(theta)[0] != self.scale / 2 * squares:
            raise CheckError("the loss is not a multiple of the sum of the squared errors; nothing was written")

    # ------------------------------------------------------------ the sections

    def stated(self) -> Section:
        """The gradient set to zero, in symbols."""
        names, lines = _stated(len(self.layer.design), self.k, self.m, self.scale / 2, self.x, self.y)
        x = names[0]
        said = "X has one row an example, theta one row an input. " if not self.layer.bias else \
            "X has one row an example. A column of ones beside it, and the bias below the weights, make a single product of the prediction. "
        first = [TexLine(x, r"\begin{bmatrix}X & \mathbf{1}\end{bmatrix},\quad \theta = \begin{bmatrix}%s \\ b\end{bmatrix}" % ("W" if self.m > 1 else "w"))
                 ] if self.layer.bias else []
        return Section("The normal equations", f"{said}At the lowest loss the gradient is zero.", (*first, *lines), checked="proved")

    def solved(self) -> Section:
        """The equations in numbers, and their exact solution."""
        (x, theta, y), _ = _stated(len(self.layer.design), self.k, self.m, self.scale / 2, self.x, self.y)
        lines = [TexLine(rf"{x}^{{\top}}{x}", rf"{self.cells(self.fit.gram)},\quad {x}^{{\top}}{y} = {self.cells(self.fit.right)}")]
        data: dict[str, Any] = {"rank": self.fit.rank, "parameters": self.k}
        if self.fit.solution is None:
            return Section("Solved exactly", f"The columns of X (with the ones) depend on each other: the rank is {self.fit.rank}, not {self.k}, so infinitely many weights reach the "
                           "same lowest loss and no single solution is printed.", tuple(lines), checked="exact fractions", data=data)
        solution = self.fit.solution
        fractions = matrix([[self.fraction(v) for v in row] for row in solution], 8)
        decimals = matrix([[decimal(MP.number(v), self.digits) for v in row] for row in solution], 8)
        lines.append(TexLine(theta, fractions if fractions == decimals else f"{fractions} = {decimals}"))
        least, _ = self.layer.loss_and_gradient(solution)
        out = self.sheet.printer.name(self.sheet.network.output)
        shown, short = self.fraction(least), decimal(MP.number(least), self.digits)
        inputs = self.k - self.layer.bias
        slopes = "".join(rf",\quad \frac{{\partial \hat{{y}}}}{{\partial x{_sub(i, inputs)}}} = w{_sub(i, inputs)} = {self.fraction(solution[i][0])}"
                         for i in range(inputs) if self.m == 1)
        lines.append(TexLine(rf"{out}_{{\min}}", (shown if shown == short else f"{shown} = {short}") + slopes))
        said = "The gradient of the network at this solution is exactly zero" + (", and so is the loss: every point lies on the fit." if not least else ".")
        return Section("Solved exactly", said, tuple(lines), checked="exact fractions", blanks=((theta, (self.k, self.m)),),
                       data=data | {"solution": [[str(v) for v in row] for row in solution], "loss": str(least)})

    def descent(self) -> Section:
        """What one step does to the error, and the learning rates that converge."""
        (x, theta, _), _ = _stated(len(self.layer.design), self.k, self.m, self.scale / 2, self.x, self.y)
        found = self.found
        scale = "" if self.scale == 1 else number(self.scale)
        lines = [TexLine("H", f"{scale}{x}^{{\\top}}{x} = {self.cells(found.hessian)}"),
                 TexLine(rf"{theta}_{{t+1}} - {theta}^{{*}}", rf"(I - \eta H)({theta}_t - {theta}^{{*}})"),
                 TexLine(r"\lambda(H)", r",\; ".join(decimal(v, self.digits) for v in found.eigenvalues)),
                 TexLine(r"\eta_{\max}", rf"\frac{{2}}{{\lambda_{{\max}}}} = {decimal(found.limit, self.digits)}")]
        return Section("Why gradient descent gets there", "Each step multiplies the error by I - eta H: along an eigenvector of H by 1 - eta lambda. "
                       "Below the limit all these factors lie between -1 and 1, and the error dies out.", tuple(lines), checked="exact fractions",
                       data={"eigenvalues": [_float(v) for v in found.eigenvalues], "limit": _float(found.limit)})

    def steps(self) -> list[Section]:
        """A few steps of gradient descent, where there are a learning rate and a single solution."""
        rate = self.sheet.problem.learning_rate
        if rate is None or self.fit.solution is None:
            return []
        eta = MP.number(rate)
        factors = ", ".join(decimal(1 - eta * v, self.digits) for v in self.found.eigenvalues)
        verdict = "converges" if eta < self.found.limit else "does not converge"
        heads, cells, data = self.table(rate)
        return [Section("Gradient descent beside the solution", f"With eta = {terminating(rate) or rate} the factors are {factors}: it {verdict}.",
                        heads=heads, cells=cells, checked="exact fractions", data={"learning_rate": _float(rate), "steps": data})]

    def table(self, rate: Fraction) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], list[dict[str, Any]]]:
        """Heads, cells and data of a few steps from the given weights (from zero where there are none)."""
        leaves = self.sheet.problem.leaves
        start = self.layer.theta(leaves) if "W1" in leaves else [[Fraction(0)] * self.m for _ in range(self.k)]
        steps = linear.walk(self.layer, self.fit, self.found, start, rate, SHOWN)
        assert self.fit.solution is not None
        few = self.k * self.m <= MOST_PARAMETERS
        inputs = self.k - self.layer.bias
        names = [f"$w{_sub(i, inputs)}$" for i in range(inputs)] + ["$b$"] * self.layer.bias if self.m == 1 else [
            f"$\\theta_{{{i + 1}{j + 1}}}$" for i in range(self.k) for j in range(self.m)]
        out = self.sheet.printer.name(self.sheet.network.output)
        heads = ("step", *(names if few else ()), f"${out}$", r"distance to $\theta^{*}$")
        cells, data = [], []
        for t, theta, loss in steps:
            far = mp.sqrt(sum(MP.number(a - b) ** 2 for r, s in zip(theta, self.fit.solution, strict=True) for a, b in zip(r, s, strict=True)))
            flat = [MP.number(v) for row in theta for v in row]
            cells.append((str(t), *(f"${decimal(v, self.digits)}$" for v in (flat if few else ())), f"${decimal(MP.number(loss), self.digits)}$", f"${decimal(far, self.digits)}$"))
            data.append({"step": t, "theta": [_float(v) for v in flat], "loss": _float(MP.number(loss)), "distance": _float(far)})
        return heads, tuple(cells), data

    def picture(self) -> list[Section]:
        """The points and the fitted line, for one input and one output."""
        if self.m != 1 or self.fit.solution is None or self.k - self.layer.bias != 1:
            return []
        xs, ys = [float(r[0]) for r in self.layer.inputs], [float(r[0]) for r in self.layer.targets]
        if len({*xs}) < 2 or len({*ys}) < 2:
            return []
        wide, high = (0.12 * (max(v) - min(v)) for v in (xs, ys))
        plane = Plane((min(0.0, *xs) - wide, min(0.0, *ys) - high), (max(0.0, *xs) + wide, max(0.0, *ys) + high), (62.0, 38.0), "x", self.sheet.printer.name(self.target))
        w, b = float(self.fit.solution[0][0]), float(self.fit.solution[1][0]) if self.layer.bias else 0.0
        plane.line((w, -1.0), b)
        for p in zip(xs, ys, strict=True):
            plane.dot(p, filled=True)
        return [Section("The line through the data", "The line with the smallest sum of squared vertical distances.", figure=plane.tikz())]

    # ------------------------------------------------------------ numbers

    def cells(self, rows: Matrix) -> str:
        """A matrix of exact numbers: decimals where they end soon, else fractions, else rounded."""
        return matrix([[self.exact(v) for v in row] for row in rows], 8)

    def exact(self, v: Fraction) -> str:
        """One exact number."""
        text = terminating(v)
        return text if text and len(text) <= LONGEST_DECIMAL else self.fraction(v)

    def fraction(self, v: Fraction) -> str:
        """A fraction as such, rounded where it is too long to read."""
        return number(v) if v.denominator <= LARGEST_DENOMINATOR else decimal(MP.number(v), self.digits)


def _float(v: Any) -> float | None:
    return float(v) if abs(v) < 10**300 else None


def _sub(i: int, count: int) -> str:
    return f"_{i + 1}" if count > 1 else ""


@lru_cache(maxsize=64)
def _stated(n: int, k: int, m: int, half: Fraction, x: str, y: str) -> tuple[tuple[str, str, str], tuple[TexLine, ...]]:
    """The names as LaTeX, and the lines from the loss to the normal equations; the gradient is derived and certified."""
    factor = "" if half == 1 else f"{half}*"
    network = from_equations({"L": f"{factor}sum(({x} @ theta - {y})**2)"}, {x: (n, k), "theta": (k, m), y: (n, m)})
    certified = certify(plan(network, ("matrix",), wrt=("theta",)))
    printer = Printer(network)
    (step,) = (s for s in certified.lesson.steps if s.wrt == "theta")
    tx, ttheta, ty = (printer.name(v) for v in (x, "theta", y))
    gradient = printer(step.lines[-1].rhs)
    turned = printer(ex.transpose(network.symbols[x].expr))
    return (tx, ttheta, ty), (
        TexLine("L", rf"{number(half) if half != 1 else ''}\left\|{tx} {ttheta} - {ty}\right\|^{{2}}"),
        TexLine(printer.gradient_name("L", "theta"), f"{gradient} = 0"),
        TexLine(f"{turned} {tx} {ttheta}", f"{turned} {ty}"))


# ---------------------------------------------------------------- layers that collapse

def collapse(sheet: Sheet) -> list[Section]:
    """What a spec with ``collapse`` shows: the one layer that its linear layers are."""
    spec = sheet.problem.spec
    if spec is None or not spec.collapse:
        return []
    network, p = sheet.network, sheet.printer
    weights, bias = linear.collapsed(network)
    linear.prove_collapse(network, weights, bias)
    named: Sequence[tuple[str, ex.Expr]] = [("W", weights), *([("b", bias)] if bias is not None else [])]
    lines, data = [], {}
    depth = len(network.layers)
    x, y = network.names("input")[0], p.name(f"a{depth}")
    with mp.workdps(DIGITS):
        for name, tree in named:
            lines.append(TexLine(name, p(tree)))
            if all(sheet.has(n) for n in tree.names):
                value = entries(tree, sheet.values, MP)
                filled, result = sheet.numbers(p).line(tree, value)
                lines.append(TexLine("", result if filled == result else f"{filled} = {result}"))
                data[name] = [[float(v) for v in row] for row in value]
        product = f"{p.name(x)} W" if network.rows else f"W {p.name(x)}"
        lines.append(TexLine(y, product if bias is None else rf"{product} + b"))
        _same_outputs(sheet, weights, bias)
    before, after = (sum(prod(map(int, shape)) for shape in shapes) for shapes in (
        [network.symbols[n].shape for n in network.names("parameter")], [tree.shape for _, tree in named]))
    said = f"Without an activation in between, {depth} layers are one: its {after} numbers do whatever the {before} parameters of the {depth} layers do. " \
        "Depth pays only with a bent activation between the layers."
    return [Section(f"{depth} linear layers are one", said, tuple(lines), checked="proved", data=data or None)]


def _same_outputs(sheet: Sheet, weights: ex.Expr, bias: ex.Expr | None) -> None:
    """The outputs of the page again through the single layer. Raises CheckError."""
    network = sheet.network
    out, x = f"a{len(network.layers)}", network.symbols[network.names("input")[0]]
    if not sheet.has(out):
        return
    made = entries(ex.matmul(x.expr, weights) if network.rows else ex.matmul(weights, x.expr), sheet.values, MP)
    shift = entries(bias, sheet.values, MP) if bias is not None else [[mp.mpf(0)]]
    for i, row in enumerate(sheet.values[out]):
        for j, v in enumerate(row):
            b = shift[0][j % len(shift[0])] if network.rows else shift[i % len(shift)][0]
            if abs(made[i][j] + b - v) > mp.mpf(10) ** -30 * (1 + abs(v)):
                raise CheckError("the collapsed layer gives another output; nothing was written")
