"""The derivative of a vector with respect to a matrix: one matrix for each entry of the vector."""

from __future__ import annotations

from mpmath import mp

from ..decimals import matrix
from ..errors import CheckError
from ..expr import show_shape
from ..language.arithmetic import Matrix
from ..values import DIGITS, difference, forward, inner
from .sheet import Section, Sheet, TexLine

MOST = 6  # entries of the output, rows and columns of a matrix
CLOSE = 25  # digits


def jacobians(sheet: Sheet) -> list[Section]:
    """A section for every matrix that a vector-valued output depends on, where there are numbers."""
    network = sheet.network
    out = network.symbols[network.output]
    if network.layers or 1 not in out.shape or any(not isinstance(d, int) or d > MOST for d in out.shape):
        return []
    wanted = sheet.problem.wrt or network.names("input")
    names = [n for n in network.names("input") if n in wanted and _matrix(network.symbols[n].shape)]
    if not names:
        return []
    with mp.workdps(DIGITS):
        found = sheet.jacobians()
        return [_section(sheet, n, found[n]) for n in names if n in found]


def _matrix(shape: tuple[object, ...]) -> bool:
    return bool(shape) and all(isinstance(d, int) and 1 < d <= MOST for d in shape)


def _section(sheet: Sheet, name: str, parts: list[Matrix]) -> Section:
    network, p = sheet.network, sheet.printer
    out, own = network.symbols[network.output], network.symbols[name]
    _check(sheet, name, parts)
    numbers = sheet.numbers(p)
    lines = [TexLine(p.fraction(p.name(out.name, (str(k + 1),)), p.name(name)), matrix([[numbers.cell(v) for v in row] for row in m], MOST))
             for k, m in enumerate(parts)]
    said = f"{out.name} is {show_shape(out.shape)} and {name} is {show_shape(own.shape)}, so the derivative has {len(parts)} x {own.shape[0]} x {own.shape[1]} numbers: " \
        f"for each entry of {out.name} one matrix of the shape of {name}."
    other = next((network.symbols[eq.name] for eq in reversed(network.equations[:-1]) if network.symbols[eq.name].shape not in (own.shape, ())), None)
    if other is not None:
        said += f" An entrywise product of the slopes of single steps would be {show_shape(other.shape)}, like {other.name}: it is not the derivative."
    return Section(f"Derivative of {out.name} with respect to {name}", said, tuple(lines), checked="agreed with differences",
                   data={"of": out.name, "wrt": name, "entries": [[[float(v) for v in row] for row in m] for m in parts]})


def _check(sheet: Sheet, name: str, parts: list[Matrix]) -> None:
    """Every entry's matrix against a difference of the forward pass along a direction. Raises CheckError."""
    network = sheet.network
    leaves = {k: v for k, v in sheet.values.items() if not isinstance(k, tuple)}
    rows, columns = len(leaves[name]), len(leaves[name][0])
    direction = [[mp.mpf(1 + (3 * i + 5 * j) % 7) / 4 for j in range(columns)] for i in range(rows)]
    slopes = difference(lambda m: forward(network, {**leaves, name: m})[network.output], leaves[name], direction)
    for k, (part, slope) in enumerate(zip(parts, (v for row in slopes for v in row), strict=True)):
        if abs(inner(part, direction) - slope) > mp.mpf(10) ** -CLOSE * (1 + abs(slope)):
            raise CheckError(f"entry {k + 1} of {network.output} does not change with {name} as its derivative says; nothing was written")
