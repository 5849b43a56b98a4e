"""The sections of plane maps: what each map does, all of them in one, and the picture before and after."""

from __future__ import annotations

from functools import reduce
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..decimals import decimal, matrix
from ..errors import CheckError
from ..expr import Expr
from ..language.arithmetic import MP, Matrix, entries
from ..lectures import transforms
from ..reading.specmodels import transform_of
from ..render.plane import Plane
from ..values import DIGITS
from .sheet import Section, Sheet, TexLine

SIZE = 46.0  # millimetres
CLOSE = 30  # digits


def transform(sheet: Sheet) -> list[Section]:
    """What a spec with ``transform`` shows."""
    spec = sheet.problem.spec
    if spec is None or spec.transform is None:
        return []
    _, steps = transform_of(spec.transform)
    with mp.workdps(DIGITS):
        return [_each(sheet, steps), *_in_one(sheet, steps), _picture(sheet, steps)]


def _each(sheet: Sheet, steps: list[transforms.Step]) -> Section:
    """One row a map: its numbers, what it does in words."""
    cells = []
    for name, step in zip(transforms.names(steps), steps, strict=True):
        value = sheet.values[name]
        shown = matrix([[decimal(v, sheet.digits) for v in row] for row in value], 2)
        cells.append((f"${sheet.printer.name(name)}$", f"${shown}$", transforms.said(step)))
    return Section("What each map does", "A point is a column of X. A matrix from the left turns, scales or shears all columns at once; a vector is added to every column. "
                   "Positive angles turn counter-clockwise.", heads=("", "numbers", "what it does"), cells=tuple(cells),
                   data=[{"map": s.kind, "said": transforms.said(s)} for s in steps])


def _settled(v: Any) -> Any:
    """A number that only rounding keeps from being whole."""
    return mp.nint(v) if abs(v - mp.nint(v)) < mp.mpf(10) ** (10 - DIGITS) else v


def _in_one(sheet: Sheet, steps: list[transforms.Step]) -> list[Section]:
    """Y = A X + v: the matrices multiplied, later ones on the left; each vector carried through the matrices after it.

    Nothing where that is what the file says already.
    """
    symbols = [sheet.network.symbols[n].expr for n in transforms.names(steps)]
    matrices = [s for s, step in zip(symbols, steps, strict=True) if step.matrix is not None]
    terms = [reduce(ex.matmul, [*(m for m, later in zip(symbols[k + 1:][::-1], steps[k + 1:][::-1], strict=True) if later.matrix is not None), symbols[k]])
             for k, step in enumerate(steps) if step.vector is not None]
    parts: list[tuple[str, Expr]] = [("A", reduce(ex.matmul, matrices[::-1]))] if matrices else []
    parts += [(r"\vec{v}", ex.add(*terms))] if terms else []
    a, t = transforms.combined(steps, MP)
    _check(sheet, a, t)
    if all(tree.op == "sym" for _, tree in parts):
        return []
    lines = [TexLine("Y", ("A X" if matrices else "X") + (r" + \vec{v}\,\mathbf{1}^{\top}" if terms else ""))]
    for name, tree in parts:
        value = entries(tree, sheet.values, MP)
        shown = matrix([[decimal(_settled(v), sheet.digits) for v in row] for row in value], 2)
        lines.append(TexLine(name, f"{sheet.printer(tree)} = {shown}"))
    return [Section("All maps in one", "The map that acts first stands on the right, next to X." if len(matrices) > 1 else "", tuple(lines), checked="proved on every point",
                   data={"matrix": [[float(v) for v in row] for row in a], "vector": [float(v) for v in t]})]


def _check(sheet: Sheet, a: Matrix, t: list[Any]) -> None:
    """The one map sends every point where the steps send it. Raises CheckError."""
    x, y = sheet.values["X"], sheet.values[sheet.network.output]
    for k in range(len(x[0])):
        for i in range(2):
            if abs(a[i][0] * x[0][k] + a[i][1] * x[1][k] + t[i] - y[i][k]) > mp.mpf(10) ** -CLOSE * (1 + abs(y[i][k])):
                raise CheckError(f"all maps in one send point {k + 1} elsewhere than the maps one by one; nothing was written")


def _picture(sheet: Sheet, steps: list[transforms.Step]) -> Section:
    """The points before, on the way and after."""
    stages = [[(float(x), float(y)) for x, y in zip(*sheet.values[n], strict=True)] for n in ("X", *(eq.name for eq in sheet.network.equations))]
    xs, ys = [p[0] for s in stages for p in s] + [0.0], [p[1] for s in stages for p in s] + [0.0]
    pad = 0.15 * max(max(xs) - min(xs), max(ys) - min(ys), 1e-6)
    plane = Plane((min(xs) - pad, min(ys) - pad), (max(xs) + pad, max(ys) + pad), SIZE, "x", "y")
    plane.polygon(stages[0], colour="soft", filled=True)
    for between in stages[1:-1]:
        plane.polygon(between, colour="soft", dashed=True)
    plane.polygon(stages[-1], colour="fOne", filled=True)
    for stage, colour in ((stages[0], "soft"), (stages[-1], "fOne")):
        plane.dot(stage[0], filled=True, colour=colour)
        plane.dot(stage[1], filled=False, colour=colour)
    dashed = " Dashed: on the way." if len(stages) > 2 else ""
    return Section("Before and after", f"Grey: the points of X. Blue: the points of Y.{dashed} The filled dot is the first point, the hollow one the second.",
                   figure=plane.tikz())
