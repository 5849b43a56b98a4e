"""The sections of a truth table: its rows through the network, weights or a proof that there are none, and a picture."""

from __future__ import annotations

from typing import Any

from mpmath import mp

from ..errors import CheckError
from ..expr import Expr
from ..language.arithmetic import MP, Arithmetic, entries
from ..lectures import gates
from ..render.plane import Plane
from ..values import DIGITS
from .sheet import Section, Sheet

CLOSE = 30  # digits to which two ways to compute a number must agree
MOST_HIDDEN = 3  # hidden activations that get a column
PANEL = 40.0  # millimetres
UNITS = ("fThree", "fTwo", "fFour")


def truth_table(sheet: Sheet) -> list[Section]:
    """What a spec with ``truth_table`` shows beside its derivation."""
    spec = sheet.problem.spec
    if spec is None or spec.truth_table is None:
        return []
    values: Any = spec.truth_table
    table = tuple(int(v) for v in values)
    with mp.workdps(DIGITS):
        known = all(sheet.has(n) for n in sheet.network.names("parameter"))
        rows = _Rows(sheet, table) if known else None
        found = [*([rows.section()] if rows else []), possible(table), *_pictures(sheet, table, rows)]
        return [*found, rows.slopes()] if rows else found


class _Rows:
    """The rows of the table through the network: z of the output unit and the hidden activations."""

    def __init__(self, sheet: Sheet, table: gates.Table) -> None:
        self.sheet, self.table, self.inputs = sheet, table, gates.inputs(table)
        self.depth = len(sheet.network.layers)
        self.z = [row[0] for row in self.examples(f"z{self.depth}")]
        self.steps = [int(z > 0) for z in self.z]
        self.sigmoids = [MP.call("sigmoid", [z]) for z in self.z]
        self._check()

    def examples(self, name: str) -> list[list[Any]]:
        """A value of the network with one row an example."""
        rows = self.sheet.values[name]
        return rows if self.sheet.network.rows else [list(c) for c in zip(*rows, strict=True)]

    def _check(self) -> None:
        """z again in exact fractions where there is one layer; the sigmoid on the same side as the step."""
        leaves = self.sheet.problem.leaves
        if self.depth == 1:
            cells = entries(self.sheet.network.equation("z1").rhs, leaves, Arithmetic())
            exact = [v for row in cells for v in row]
            if any(abs(MP.number(e) - z) > mp.mpf(10) ** -CLOSE * (abs(z) + 1) for e, z in zip(exact, self.z, strict=True)):
                raise CheckError("a row of the truth table does not come out again in exact fractions; nothing was written")
        if any((s > mp.mpf(1) / 2) != bool(k) for s, k in zip(self.sigmoids, self.steps, strict=True)):
            raise CheckError("step and sigmoid disagree on a row of the truth table; nothing was written")

    def section(self) -> Section:
        """The truth table, row by row."""
        sheet = self.sheet
        numbers = sheet.numbers(sheet.printer)
        hidden = [h for k in range(1, self.depth) for h in self._hidden(k)]
        hidden = hidden if len(hidden) <= MOST_HIDDEN else []
        heads = (*(f"$x_{k + 1}$" for k in range(len(self.inputs[0]))), *(name for name, _ in hidden), "$z$", "step", r"$\sigma(z)$", "target", "right?")
        cells = tuple((*map(str, x), *(f"${numbers.cell(column[i])}$" for _, column in hidden), f"${numbers.cell(self.z[i])}$", str(self.steps[i]),
                       f"${numbers.cell(self.sigmoids[i])}$", str(self.table[i]), "yes" if self.steps[i] == self.table[i] else "no")
                      for i, x in enumerate(self.inputs))
        right = sum(s == t for s, t in zip(self.steps, self.table, strict=True))
        unit = "z is that of the output unit. " if self.depth > 1 else ""
        return Section(f"The truth table{_called(self.table)}", f"{unit}Step: 1 where z > 0, else 0. Sigmoid: read as 1 above one half. "
                       f"{_count(right, len(self.table))} right.", heads=heads, cells=cells, checked="every row computed twice",
                       keys=len(self.inputs[0]), data={"z": [float(z) for z in self.z], "step": self.steps, "sigmoid": [float(s) for s in self.sigmoids],
                             "target": list(self.table), "right": right})

    def _hidden(self, layer: int) -> list[tuple[str, list[Any]]]:
        rows = self.examples(f"a{layer}")
        return [(f"$a^{{({layer})}}_{{{j + 1}}}$", [row[j] for row in rows]) for j in range(len(rows[0]))]

    def slopes(self) -> Section:
        """Why the step is not trained: its slope beside that of the sigmoid."""
        numbers = self.sheet.numbers(self.sheet.printer)
        distinct = sorted({numbers.cell(z): z for z in self.z}.values())
        slopes = [MP.slope(Expr("slope", (), ("sigmoid", 0)), [z], {}) for z in distinct]
        h = mp.mpf(10) ** -(DIGITS // 3)
        for z, s in zip(distinct, slopes, strict=True):
            if abs((MP.call("sigmoid", [z + h]) - MP.call("sigmoid", [z - h])) / (2 * h) - s) > mp.mpf(10) ** -CLOSE:
                raise CheckError("the slope of the sigmoid is not that of its differences; nothing was written")
        cells = tuple((f"${numbers.cell(z)}$", "0" if z else "none: a jump", f"${numbers.cell(s)}$") for z, s in zip(distinct, slopes, strict=True))
        return Section("Why a step cannot be trained", "The step is flat left and right of 0, so its slope is 0. The chain rule multiplies by this slope: every gradient "
                       "behind a step is 0, and gradient descent never moves. The sigmoid rises everywhere, so it is trained in place of the step.",
                       heads=("$z$", "slope of the step", r"$\sigma'(z)$"), cells=cells, checked="agreed with differences")


def _called(table: gates.Table) -> str:
    return f" of {gates.KNOWN[table]}" if table in gates.KNOWN else ""


def _count(right: int, of: int) -> str:
    return f"All {of} rows are" if right == of else f"{right} of {of} rows {'is' if right == 1 else 'are'}"


# ---------------------------------------------------------------- weights, or a proof that there are none

def possible(table: gates.Table) -> Section:
    """Weights of one unit for a table, checked on every row, or the sum of its demands that comes to 0 > 0."""
    unit = gates.separator(table)
    return _separable(table, unit) if unit is not None else _impossible(table)


def _separable(table: gates.Table, unit: gates.Unit) -> Section:
    count = len(unit.weights)
    names = [f"w_{k + 1}" for k in range(count)] + ["b"]
    cells = []
    for x, y in zip(gates.inputs(table), table, strict=True):
        z = unit.z(x)
        if (z > 0) != bool(y):
            raise CheckError(f"the weights {unit.weights} get the row {x} wrong; nothing was written")
        cells.append((_row(x), f"${linear((*x, 1), names)} {'>' if y else '<'} 0$", f"${z} {'>' if y else '<'} 0$"))
    formula = linear((*unit.weights, unit.bias), [*(f"x_{k + 1}" for k in range(count)), ""])
    return Section("One perceptron can do it", "Each row is one demand on the weights. Last column: the smallest whole weights that meet all.",
                   heads=("inputs", "demand", f"with $z = {formula}$"), cells=tuple(cells), checked="checked on every row",
                   data={"separable": True, "weights": list(unit.weights), "bias": unit.bias})


def _impossible(table: gates.Table) -> Section:
    factors = gates.certificate(table)
    if factors is None or not gates.contradicts(table, factors):
        raise CheckError(f"neither weights nor a proof were found for {table}; nothing was written")
    count = len(gates.inputs(table)[0])
    names = [f"w_{k + 1}" for k in range(count)] + ["b"]
    cells, total = [], [0] * (count + 1)
    for x, y, demand, factor in zip(gates.inputs(table), table, gates.demands(table), factors, strict=True):
        if factor:
            total = [t + factor * d for t, d in zip(total, demand, strict=True)]
            times = "" if factor == 1 else rf"{factor} \cdot "
            turned = linear(demand, names)
            body = f"({turned})" if times and (" " in turned or turned.startswith("-")) else turned
            asked, given = (">", ">") if y else (r"\le", r"\ge")
            cells.append((_row(x), str(y), rf"${linear((*x, 1), names)} {asked} 0$", rf"${times}{body} {given} 0$"))
    cells.append(("sum", "", "", rf"${linear(total, names, zeros=True)} > 0$"))
    rest = "" if all(factors) else " The other rows are not needed."
    return Section("No single perceptron can do it", "Each row is one demand on the weights; turned to one side and added up, the demands leave 0\u00a0>\u00a00, whatever the weights are. "
                   f"(The step says 0 at z\u00a0=\u00a00; with 1 there, the strict signs change sides and the sum stays impossible.){rest}",
                   heads=("inputs", "target", "demand", "turned to one side"), cells=tuple(cells), checked="added up exactly",
                   data={"separable": False, "multipliers": list(factors), "sum": total})


def _row(x: tuple[int, ...]) -> str:
    return f"$({', '.join(map(str, x))})$"


def linear(coefficients: Any, names: list[str], *, zeros: bool = False) -> str:
    """A linear expression in whole coefficients; a name '' stands for a constant.

    >>> linear((1, -2, 0), ["w_1", "w_2", "b"]), linear((0, 0), ["w_1", "b"], zeros=True), linear((2, -3), ["x_1", ""])
    ('w_1 - 2w_2', '0\\\\,w_1 + 0\\\\,b', '2x_1 - 3')
    """
    out = ""
    for c, name in zip(coefficients, names, strict=True):
        if not c and not zeros:
            continue
        size = str(abs(c)) if abs(c) != 1 or not name else ""
        gap = r"\," if size == "0" else ""
        sign = (" - " if c < 0 else " + ") if out else "-" if c < 0 else ""
        out += sign + size + gap + name
    return out or "0"


# ---------------------------------------------------------------- the plane

def _pictures(sheet: Sheet, table: gates.Table, rows: _Rows | None) -> list[Section]:
    """The four points with the lines of the first layer; beside it the plane of two hidden units."""
    if len(table) != 4:
        return []
    plane = Plane((-0.45, -0.45), (1.6, 1.6), PANEL, ticked=False)
    units = _units(sheet, 1) if rows else []
    if len(units) == 1:
        plane.positive(*units[0])
    elif len(units) <= len(UNITS):
        for (w, b), colour in zip(units, UNITS, strict=False):
            plane.line(w, b, colour)
    for x, y in zip(gates.inputs(table), table, strict=True):
        plane.dot(x, filled=bool(y), label=f"({x[0]},{x[1]})")
    said = "Filled points have the target 1, hollow ones 0."
    figures = [plane.tikz()]
    if len(units) == 1:
        said += " The unit says 1 on the shaded side of its line." if any(units[0][0]) else " With both weights 0 there is no line yet."
    if rows and rows.depth == 2 and len(units) == 2:
        figures.append(_hidden_plane(sheet, table, rows))
        said += " Left: the lines of the two hidden units. Right: the same points in the plane of the hidden activations, where the line of the output unit parts them."
    if gates.separator(table) is None:
        said += " No straight line has both filled points on one side and both hollow ones on the other."
    return [Section("In the plane", said, figure=r"\qquad ".join(figures))]


def _units(sheet: Sheet, layer: int) -> list[tuple[list[float], float]]:
    """Weights and bias of every unit of a layer."""
    w = [[float(v) for v in row] for row in sheet.values[f"W{layer}"]]
    w = [list(c) for c in zip(*w, strict=True)] if sheet.network.rows else w
    b = [float(v) for row in sheet.values[f"b{layer}"] for v in row] if sheet.has(f"b{layer}") else [0.0] * len(w)
    return list(zip(w, b, strict=True))


def _hidden_plane(sheet: Sheet, table: gates.Table, rows: _Rows) -> str:
    points = [(float(a), float(b)) for a, b in rows.examples("a1")]
    low, high = min(0.0, *(v for p in points for v in p)), max(1.0, *(v for p in points for v in p))
    span = high - low
    plane = Plane((low - 0.22 * span,) * 2, (high + 0.3 * span,) * 2, PANEL, "a^{(1)}_1", "a^{(1)}_2", ticked=False)
    (unit,) = _units(sheet, 2)
    plane.positive(*unit, colour="fOne")
    groups: list[tuple[tuple[float, float], int, list[str]]] = []
    for p, x, y in zip(points, gates.inputs(table), table, strict=True):
        near = next((g for g in groups if g[1] == y and abs(g[0][0] - p[0]) + abs(g[0][1] - p[1]) < 0.02 * span), None)
        if near:
            near[2].append(f"({x[0]},{x[1]})")
        else:
            groups.append((p, y, [f"({x[0]},{x[1]})"]))
    for p, y, labels in groups:
        plane.dot(p, filled=bool(y), label=r",\,".join(labels), left=len(labels) > 1 and p[0] > low + 0.5 * span)
    return plane.tikz()
