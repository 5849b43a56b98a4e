"""Backpropagation through time, in numbers: how far back a recurrent network still feels the loss.

The Jacobian of the last state with respect to each earlier one is the product of one Jacobian a step;
its size says whether gradients vanish or explode (Bengio, Simard and Frasconi 1994).
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from mpmath import mp

from ..derive import derive
from ..errors import CheckError
from ..language.arithmetic import Matrix
from ..latex import Printer
from ..network import Network
from ..values import DIGITS, difference, forward, gradients
from .sheet import Section, Sheet, TexLine

VANISHED, EXPLODED = mp.mpf("0.9"), mp.mpf("1.1")  # average factor a step from which the page says so


def through_time(sheet: Sheet) -> list[Section]:
    """A section for every recurrent layer that has numbers."""
    net = sheet.network
    return [section for number, plan in enumerate(net.layers, 1) if plan.type == "rnn"
            for section in _section(sheet, number, _states(net, number))]


def _states(net: Network, number: int) -> list[str]:
    return [n for n, s in net.symbols.items() if s.kind == "value" and n.startswith(f"h{number}_")]


def jacobian(net: Network, of: str, wrt: str, values: dict[Any, Matrix]) -> Matrix:
    """d(of)/d(wrt) for two vectors, one row an entry of ``of``, by pulling every entry back; checked by differences.

    Raises CheckError when the two disagree.
    """
    head = replace(net, equations=net.equations[:1 + [e.name for e in net.equations].index(of)], layers=())
    derivation = derive(head)
    leaves = {k: v for k, v in values.items() if not isinstance(k, tuple)}
    size = len(values[of]) * len(values[of][0])
    wide = len(values[of]) == 1
    rows = []
    for k in range(size):
        seed = [[mp.mpf(j == k) for j in range(size)]] if wide else [[mp.mpf(j == k)] for j in range(size)]
        pulled = gradients(derivation, leaves, None if size == 1 else seed)[of, wrt]
        rows.append([v for line in pulled for v in line])
    _check(head, of, wrt, leaves, rows)
    return rows


def _check(net: Network, of: str, wrt: str, values: dict[Any, Matrix], rows: Matrix) -> None:
    at = values[wrt]
    for k in range(len(rows[0])):
        direction = [[mp.mpf(i * len(at[0]) + j == k) for j in range(len(at[0]))] for i in range(len(at))]
        slopes = difference(lambda m: forward(net, values, override={wrt: m})[of], at, direction)
        for row, slope in zip(rows, (v for r in slopes for v in r), strict=True):
            if abs(slope - row[k]) > mp.mpf(10) ** -30 * max(1, abs(row[k])):
                raise CheckError(f"the Jacobian d{of}/d{wrt} failed its check against differences; nothing was written")


def norm(m: Matrix) -> Any:
    """The square root of the sum of the squares of all entries (Frobenius)."""
    return mp.sqrt(mp.fsum(v * v for row in m for v in row))


def _section(sheet: Sheet, number: int, states: list[str]) -> list[Section]:
    if len(states) < 2 or not all(sheet.has((sheet.network.output, s)) for s in states):
        return []
    net, p = sheet.network, Printer(sheet.network, colour=False)
    last = states[-1]
    with mp.workdps(DIGITS):
        rows = [(s, norm(sheet.values[net.output, s]), norm(jacobian(net, last, s, dict(sheet.values)))) for s in states]
        numbers = sheet.numbers(p)
        steps = len(states) - 1
        factor = (rows[0][2] / rows[-1][2]) ** (mp.mpf(1) / steps)
        shown = numbers.cell(factor)
        cells = tuple((f"${p.name(s)}$", f"${numbers.cell(g)}$", f"${numbers.cell(j)}$") for s, g, j in rows)
    chain = " ".join(p.fraction(p.name(a), p.name(b)) for a, b in zip(states[:0:-1], states[-2::-1], strict=True))
    verdict = "gradients vanish" if factor < VANISHED else "gradients explode" if factor > EXPLODED else "gradients keep their size"
    said = (f"The gradient that reaches an early state is multiplied by one Jacobian a step. Here the product changes by a factor of about {_plain(shown)} "
            f"a step: {verdict}. Sizes are roots of the sum of squares; at the last state the Jacobian is the identity.")
    return [Section("Back through time" + (f", layer {number}" if len(net.layers) > 1 else ""), said,
                    (TexLine(p.fraction(p.name(last), p.name(states[0])), chain),) if steps <= 4 else (),
                    ("state", rf"size of ${p.fraction(p.name(net.output), 'h')}$", rf"size of ${p.fraction(p.name(last), 'h')}$"), cells,
                    checked="30 digits", data={"factor": float(factor), "gradient": [float(g) for _, g, _ in rows], "jacobian": [float(j) for *_, j in rows]})]


def _plain(number: str) -> str:
    return re.sub(r" ?\\cdot ", " times ", number).replace("10^{", "10^").rstrip("}")
