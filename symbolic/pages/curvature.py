"""Second derivatives on the page: the Hessian and its eigenvalues, slopes along a direction, Newton's method, Hessian times a vector."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..decimals import Numbers, matrix
from ..derive import Derivation
from ..expr import Expr, Shape
from ..language.arithmetic import MP, Matrix
from ..latex import Printer
from ..lectures import second
from ..lectures.second import Curvature, Entry, Twice
from ..lesson import plan
from ..network import Network, entry_symbols, from_equations
from ..proof.probe import kinks
from ..reading.wanted import Wanted
from ..values import DIGITS, difference, forward
from ..verify import AGREE, certify
from .sheet import Section, Sheet, TexLine

ARRIVED = 1e-4  # the share of the first gradient at which Newton's method is called arrived
MOST_IN_BRACKETS = 4  # rows of a Hessian that is set as a matrix; larger ones are tables


def second_order(sheet: Sheet) -> list[Section]:
    """The sections that ``hessian``, ``direction``, ``newton`` and ``hvp`` ask for; none without them."""
    wanted = sheet.problem.wanted
    with mp.workdps(DIGITS):
        out = list(_hessian(sheet)) if wanted.hessian else []
        out += [_direction(sheet)] if wanted.direction else []
        out += list(_newton(sheet)) if wanted.steps else []
        return out + (list(_product(sheet)) if wanted.hvp else [])


# ---------------------------------------------------------------- the point, and what is known there

@dataclass(frozen=True)
class _Point:
    """Checked second derivatives at a point: numbers that vary, value, gradient, Hessian, eigenvalues."""

    at: list[Any]
    value: Any
    gradient: list[Any]
    hessian: Matrix
    curvature: Curvature


def _twice(sheet: Sheet, names: tuple[str, ...]) -> Twice:
    def make() -> Twice:
        found = second.differentiated_again(sheet.lesson.derivation, names)
        second.check_anywhere(found)
        return found

    return sheet.problem.once(("twice", names), make)


def _leaves(sheet: Sheet) -> dict[Any, Matrix]:
    return second.leaves_of(sheet.network, sheet.values)


def _point(sheet: Sheet, twice: Twice, leaves: Mapping[Any, Matrix], key: str) -> _Point:
    """Everything at one point, compared with first and second differences. Raises SpecError at a kink, CheckError for a wrong number."""
    values = forward(twice.base, leaves)
    _check_smooth(sheet, twice.base, values, key)
    gradient, at = twice.gradient(leaves), twice.flat(leaves)
    f = second.output_at(twice, leaves)
    for k, g in enumerate(gradient):
        unit = [[mp.mpf(i == k) for i in range(len(at))]]
        slope = difference(lambda m: [[f(m[0])]], [at], unit)[0][0]
        second.close(g, slope, second.size_of(values, g), f"the derivative by {twice.places()[k][0]}")
    hessian = second.checked_hessian(twice, leaves)
    return _Point(at, f(at), gradient, hessian, second.curvature(hessian, gradient, second.size_of(values)))


def _check_smooth(sheet: Sheet, network: Network, values: Mapping[Any, Matrix], key: str) -> None:
    """Raises SpecError where a function has a kink at the values."""
    if kinks(network, values):
        raise sheet.problem.refused(key, "at the given numbers a function has a kink, so there are no second derivatives", "move a number a little")


def _here(sheet: Sheet, twice: Twice, key: str) -> _Point | None:
    """The given numbers as a point; None without numbers."""
    leaves = _leaves(sheet)
    if not all(n in leaves for n in sheet.network.names("input", "target", "parameter")):
        return None
    return sheet.problem.once(("point", twice.wrt), lambda: _point(sheet, twice, leaves, key))


def _labels(twice: Twice, printer: Printer) -> list[str]:
    """The LaTeX name of every number that varies."""
    return [printer.symbol(entry_symbols(twice.base.symbols[n])[i][j]) for n, i, j in twice.places()]


class Writer:
    """Numbers as this page prints them."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet, self.printer = sheet, Printer(sheet.network, colour=False)
        self.numbers = sheet.numbers(self.printer)

    def cell(self, value: Any) -> str:
        return self.numbers.cell(value)

    def matrix(self, rows: Matrix) -> str:
        return matrix([[self.cell(v) for v in row] for row in rows], MOST_IN_BRACKETS)

    def column(self, values: Sequence[Any]) -> str:
        return self.matrix([[v] for v in values])

    def given(self, **values: Any) -> TexLine:
        """What a small computation starts from, on one line."""
        (name, first), *rest = ((n, self.matrix(v) if isinstance(v[0], list) else self.column(v)) for n, v in values.items())
        return TexLine(name, first + "".join(rf",\quad {n} = {v}" for n, v in rest))

    def worked(self, equations: Mapping[str, str], given: Mapping[str, Matrix]) -> tuple[list[TexLine], dict[Any, Matrix]]:
        """Small equations worked out: a line in symbols and one in numbers for each, and all their values."""
        shapes: dict[str, Shape] = {n: (len(m), len(m[0])) for n, m in given.items()}
        network = from_equations(equations, shapes)
        values = forward(network, given)
        printer = Printer(network, colour=False)
        exact = self.sheet.between or (lambda rows: None)
        numbers = Numbers(printer, values, self.sheet.digits, {n: found for n, m in values.items() if (found := exact(m))}, MOST_IN_BRACKETS, between=self.sheet.between)
        lines = []
        for eq in network.equations:
            filled, result = numbers.line(eq.rhs, values[eq.name], numbers.exact.get(eq.name))
            lines += [TexLine(printer.name(eq.name), printer(eq.rhs)), TexLine("", result if filled == result else f"{filled} = {result}", kind="numbers")]
        return lines, values


def _second(f: str, x: str, y: str, *, inline: bool = False) -> str:
    """The sign of a second derivative; inline: with a slash, for an entry of a matrix."""
    below = rf"\partial {x}\,\partial {y}" if x != y or "^" in x else rf"\partial {x}^{{2}}"
    return rf"\partial^{{2}} {f} / {below}" if inline else rf"\frac{{\partial^{{2}} {f}}}{{{below}}}"


# ---------------------------------------------------------------- the Hessian

def _hessian(sheet: Sheet) -> Iterator[Section]:
    twice = _twice(sheet, sheet.problem.wanted.hessian)
    writer = Writer(sheet)
    point, entries = _here(sheet, twice, "hessian"), _entries(sheet, twice)
    labels, f = _labels(twice, writer.printer), writer.printer.name(sheet.network.output)
    if entries:
        yield in_symbols(writer, *entries)
    lines: list[TexLine] = []
    cells: tuple[tuple[str, ...], ...] = ()
    heads: tuple[str, ...] = ()
    small = len(labels) <= MOST_IN_BRACKETS
    if point is None and entries is None:
        missing = next(n for n in sheet.network.names("input", "target", "parameter") if n not in sheet.values)
        raise sheet.problem.refused("hessian", f"{missing} has no number, and without numbers the second derivatives are too long to be written out")
    if len(labels) <= second.MOST_NAMES:
        lines = [TexLine("H", matrix([[_second(f, x, y, inline=True) for y in labels] for x in labels], MOST_IN_BRACKETS))]
        if entries and all(sum(1 for _ in ex.walk(e.result)) <= 12 for e in entries[1]):
            lines.append(TexLine("", matrix([[writer.printer(e.result) for e in entries[1] if e.first == x] for x in twice.wrt], MOST_IN_BRACKETS)))
    if point and small:
        lines.append(TexLine("" if lines else "H", writer.matrix(point.hessian)))
        lines = [x for k, x in enumerate(lines) if k == 0 or x.right != lines[k - 1].right]  # constant second derivatives
    elif point:
        heads = ("", *(f"${x}$" for x in labels))
        cells = tuple((f"${x}$", *(f"${writer.cell(v)}$" for v in row)) for x, row in zip(labels, point.hessian, strict=True))
    data = {"names": ["{}[{},{}]".format(*p) if sheet.network.symbols[p[0]].shape else p[0] for p in twice.places()],
            "hessian": [[float(v) for v in row] for row in point.hessian], "gradient": [float(g) for g in point.gradient],
            "eigenvalues": [float(v) for v in point.curvature.values], "stationary": point.curvature.stationary,
            "kind": point.curvature.kind()} if point else None
    yield Section("The Hessian", "The Hessian holds all second derivatives. It is the gradient of the gradient, and it is symmetric: the order does not matter.",
                  tuple(lines), heads, cells, checked=f"{AGREE} digits", data=data, blanks=(("H", (len(labels), len(labels))),) if small and point else ())
    if point:
        yield _eigenvalues(writer, point.curvature, labels)


def _entries(sheet: Sheet, twice: Twice) -> tuple[Mapping[str, Expr], list[Entry], str] | None:
    """Gradient and second derivatives in the leaves, where they are short enough; how they were checked."""
    return sheet.problem.once(("entries", twice.wrt), lambda: checked_entries(sheet.network, sheet.lesson.derivation, twice.wrt))


def checked_entries(network: Network, derivation: Derivation, names: Sequence[str]) -> tuple[Mapping[str, Expr], list[Entry], str] | None:
    """Gradient and second derivatives in the leaves, where they are short enough; how they were checked. Raises CheckError."""
    gradient = second.gradient_in_leaves(derivation, names)
    if gradient is None:
        return None
    found = second.second_entries(gradient)
    return gradient, found, second.check_entries(network, gradient, found)


def in_symbols(writer: Writer, gradient: Mapping[str, Expr], entries: Sequence[Entry], checked: str) -> Section:
    """The second derivatives, line by line."""
    p, f, names = writer.printer, writer.sheet.network.output, list(gradient)
    lines = []
    for x, slope in gradient.items():
        lines.append(TexLine(p.fraction(p.name(f), p.name(x)), p(slope)))
    for e in entries:
        if names.index(e.second) < names.index(e.first):
            continue
        start = Expr("diff", (gradient[e.first],), e.second)
        left = _second(p.name(f), p.name(e.first), p.name(e.second))
        told = [p(start), *(p(x.rhs) for x in e.lines)] if e.lines else [p(start), p(e.result)]
        told = list(dict.fromkeys(told))
        lines += [TexLine(left if k == 0 else "", right) for k, right in enumerate(told)]
    return Section("Second derivatives", "Each first derivative is a function again, and it is differentiated once more, by the same rules.", tuple(lines), checked=checked)


def _eigenvalues(writer: Writer, found: Curvature, labels: Sequence[str]) -> Section:
    vectors = len(labels) <= MOST_IN_BRACKETS
    heads = ("eigenvalue", "direction", "along it")[:: 1 if vectors else 2]
    least = max(map(abs, found.values)) * mp.mpf(10) ** -AGREE
    cells = []
    for value, vector in zip(found.values, found.vectors, strict=True):
        word = "flat" if abs(value) <= least else "curves upward" if value > 0 else "curves downward"
        direction = r",\; ".join(map(writer.cell, vector))
        cells.append((f"${writer.cell(value)}$", *([f"$({direction})$"] if vectors else []), word))
    return Section("What the eigenvalues say", _verdict(found), heads=heads, cells=tuple(cells), checked=f"{AGREE} digits")


_AT_REST = {"minimum": "The gradient is 0 and every eigenvalue is positive: a local minimum.",
            "maximum": "The gradient is 0 and every eigenvalue is negative: a local maximum.",
            "saddle": "The gradient is 0 and the eigenvalues have both signs: a saddle, up in one direction and down in another.",
            "degenerate": "The gradient is 0, and so is an eigenvalue: the second derivatives do not decide."}
_MOVING = {"minimum": "Every eigenvalue is positive: the function curves upward in every direction.",
           "maximum": "Every eigenvalue is negative: the function curves downward in every direction.",
           "saddle": "The eigenvalues have both signs: the function curves upward in one direction and downward in another.",
           "degenerate": "An eigenvalue is 0: along its direction the function is straight to second order."}


def _verdict(found: Curvature) -> str:
    if found.stationary:
        return _AT_REST[found.kind()]
    return _MOVING[found.kind()] + " The gradient is not 0 here, so this is no minimum, maximum or saddle."


# ---------------------------------------------------------------- along a direction

def _direction(sheet: Sheet) -> Section:
    given = sheet.problem.wanted.direction
    twice = _twice(sheet, tuple(given))
    point, writer = _here(sheet, twice, "direction"), Writer(sheet)
    if point is None:
        raise sheet.problem.refused("direction", "a name has no number, so there is no slope to compute")
    v = twice.flat({n: [[MP.number(x) for x in row] for row in rows] for n, rows in given.items()})
    flat = all(g == 0 for g in point.gradient)
    equations = {"u": "v/norm(v)", "D": "dot(g, u)", "k": "dot(u, H @ u)"} | ({} if flat else {"r": "norm(g)", "a": "g/norm(g)"})
    lines, values = writer.worked(equations, {"v": [[x] for x in v], "g": [[g] for g in point.gradient], "H": point.hessian})
    unit = [row[0] for row in values["u"]]
    f = second.output_at(twice, _leaves(sheet))
    slope = difference(lambda m: [[f([x + m[0][0] * d for x, d in zip(point.at, unit, strict=True)])]], [[mp.mpf(0)]], [[mp.mpf(1)]])[0][0]
    scale = second.size_of(sheet.values, *point.gradient)
    second.close(values["D"][0][0], slope, scale, "the slope along the direction")
    bend = second.second_difference(f, point.at, unit, unit)
    second.close(values["k"][0][0], bend, second.size_of(sheet.values, *(h for row in point.hessian for h in row)), "the curvature along the direction")
    before = writer.given(v=v, g=point.gradient, H=point.hessian)
    steepest = "The gradient is 0: no direction is steeper than another." if flat else \
        "No direction rises faster than a, the gradient at length 1; its rate r is the length of the gradient. The opposite direction falls fastest."
    data = {"direction": [float(x) for x in unit], "slope": float(slope), "curvature": float(bend), "steepest": float(mp.norm(point.gradient))}
    return Section("Along a direction", "The direction v is scaled to length 1 (u), so D is the change of the function per unit of length, with g the gradient; "
                   f"k is the curvature along it, with H the Hessian. {steepest}", (before, *lines), checked=f"{AGREE} digits", data=data, blanks=(("D", ()),))


# ---------------------------------------------------------------- Newton's method

def _newton(sheet: Sheet) -> Iterator[Section]:
    names = sheet.problem.wanted.newton
    twice, writer = _twice(sheet, names), Writer(sheet)
    path = sheet.problem.once(("newton", names), lambda: _newton_path(sheet, twice))
    labels = _labels(twice, writer.printer)
    first, alone = path[0], len(labels) == 1
    given = {"p": [first.at] if alone else [[x] for x in first.at], "g": [first.gradient] if alone else [[g] for g in first.gradient], "H": first.hessian}
    names_of = {"d": "-g/H" if alone else "-inv(H) @ g", "p_new": "p + d"}
    lines, values = writer.worked(names_of, given)
    for got, reached in zip([row[0] for row in values["p_new"]], path[1].at, strict=True):
        second.close(got, reached, max(abs(reached), mp.mpf(1)), "the first step of Newton's method")
    before = writer.given(p=first.at, g=first.gradient, H=first.hessian)
    yield Section("Newton's method: the first step", f"p is the starting point ({len(labels)} number{'s' * (not alone)}), g the gradient and H the Hessian there. "
                  "The step d solves H d = -g: it leads to where the slope of the parabola that fits the function here is 0.",
                  (before, *lines), checked=f"{AGREE} digits", blanks=(("d", (len(labels), 1)), (r"p_{\mathit{new}}", (len(labels), 1))))
    f = writer.printer.name(sheet.network.output)
    heads = ("step", *(f"${x}$" for x in labels), f"${f}$", "length of the gradient")
    cells = tuple((str(k), *(f"${writer.cell(x)}$" for x in p.at), f"${writer.cell(p.value)}$", f"${writer.cell(mp.norm(p.gradient))}$")
                  for k, p in enumerate(path))
    data = [{"at": [float(x) for x in p.at], "value": float(p.value), "gradient": [float(g) for g in p.gradient]} for p in path]
    yield Section("Newton's method: all steps", _newton_end(first, path[-1]), heads=heads, cells=cells, checked=f"{AGREE} digits", data=data)


_ENDS = {"minimum": "The last Hessian has only positive eigenvalues: the path leads to a minimum.",
         "maximum": "The last Hessian has only negative eigenvalues: the path leads to a maximum, since Newton's method only looks for a gradient of 0.",
         "saddle": "The last Hessian has eigenvalues of both signs: the path leads to a saddle, since Newton's method only looks for a gradient of 0.",
         "degenerate": "The last Hessian has an eigenvalue 0: the second derivatives do not say where the path leads."}


def _newton_end(first: _Point, last: _Point) -> str:
    if mp.norm(last.gradient) > ARRIVED * mp.norm(first.gradient):
        return "The gradient is not close to 0 yet: more steps are needed."
    return _ENDS[last.curvature.kind()]


def _newton_path(sheet: Sheet, twice: Twice) -> list[_Point]:
    """The points of Newton's method from the given numbers on.

    Raises SpecError where the Hessian has no inverse or the numbers leave the domain.
    """
    leaves, elsewhere = _leaves(sheet), "start elsewhere, or take fewer steps"
    path = [_point(sheet, twice, leaves, "newton")]
    for k in range(sheet.problem.wanted.steps):
        last = path[-1]
        if MP.determinant(last.hessian) == 0:
            raise sheet.problem.refused("newton", f"at step {k} the determinant of the Hessian is 0, or too close to it, so there is no Newton step", elsewhere)
        step = [row[0] for row in mp.lu_solve(mp.matrix(last.hessian), -mp.matrix(last.gradient)).tolist()]
        for row, g in zip(last.hessian, last.gradient, strict=True):
            second.close(mp.fdot(row, step), -g, max(abs(g), mp.mpf(1)), "a step of Newton's method")
        try:
            path.append(_point(sheet, twice, {**leaves, **twice.parts([x + d for x, d in zip(last.at, step, strict=True)])}, "newton"))
        except ArithmeticError as e:
            raise sheet.problem.refused("newton", f"after step {k + 1} the numbers cannot be computed with: {e}", elsewhere) from None
    return path


# ---------------------------------------------------------------- Hessian times a vector

def _product(sheet: Sheet) -> Iterator[Section]:
    given = sheet.problem.wanted.hvp
    names = tuple(n for n in sheet.problem.wanted.hvp)
    twice = _twice(sheet, names)
    _check_smooth(sheet, twice.base, forward(twice.base, _leaves(sheet)), "hvp")
    inner = sheet.problem.once(("hvp", names), lambda: _certified_product(sheet, twice))
    page = Sheet(*inner, digits=sheet.digits, widest=sheet.widest)
    old = {eq.name for eq in sheet.network.equations}
    lines = [x for name, symbols, filled in page.forward_lines() if name not in old for x in _both(symbols, filled)]
    yield Section("The gradient as equations", f"A bar marks the gradient of {sheet.network.output}. The last line is its inner product with the vector v.",
                  tuple(lines), checked=f"{AGREE} digits")
    steps = []
    for shown in page.lesson.steps:
        of, wrt, tree = shown.of, shown.wrt, shown.source.result
        filled, result = page.numbers(page.printer).line(tree, page.values[of, wrt])
        steps += [TexLine(page.printer.gradient_name(of, wrt), page.printer(tree)), TexLine("", result if filled == result else f"{filled} = {result}", kind="numbers")]
    writer = Writer(sheet)
    product = twice.flat({n: page.values[twice.network.output, n] for n in names if (twice.network.output, n) in page.values})
    v = twice.flat({n: [[MP.number(x) for x in row] for row in rows] for n, rows in given.items()})
    _check_product(sheet, twice, v, product)
    steps += [TexLine("Hv", writer.column(product))] if len(product) <= MOST_IN_BRACKETS else []
    checked = "proved" if all(s.checked == "proved" for s in page.lesson.steps) else f"{AGREE} digits"
    yield Section("The Hessian times a vector", "The same walk backwards, now from that product, gives the Hessian times v. "
                  "The Hessian itself is never written down.", tuple(steps), checked=checked, data=[float(x) for x in product])


def _both(symbols: TexLine, filled: TexLine | None) -> list[TexLine]:
    return [symbols] + ([TexLine("", filled.right, kind="numbers")] if filled else [])


def _certified_product(sheet: Sheet, twice: Twice) -> Any:
    """The second derivation, planned and certified like any other."""
    problem = sheet.problem
    leaves = {**problem.leaves, **{twice.vectors[n]: rows for n, rows in problem.wanted.hvp.items() if n in twice.vectors}}
    inner = replace(problem, network=twice.network, leaves=leaves, learning_rate=None, wrt=twice.wrt, ask=(), wanted=Wanted(), memo={})
    level = "scalar" if twice.network.is_scalar else "matrix"
    return inner, certify(plan(twice.network, (level, "numbers"), wrt=twice.wrt), inner.numbers())


def _check_product(sheet: Sheet, twice: Twice, v: Sequence[Any], result: Sequence[Any]) -> None:
    """The product against second differences, and against the Hessian's columns."""
    f, at, hessian = second.output_at(twice, _leaves(sheet)), twice.flat(_leaves(sheet)), twice.hessian(_leaves(sheet))
    scale = second.size_of(sheet.values, *result)
    for k, value in enumerate(result):
        unit = [mp.mpf(i == k) for i in range(len(at))]
        second.close(value, second.second_difference(f, at, unit, v), scale, "the Hessian times the vector")
        second.close(value, mp.fdot(hessian[k], v), scale, "the Hessian times the vector")
