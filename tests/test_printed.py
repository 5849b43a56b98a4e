"""What is displayed multiplies out to what is displayed: the numbers are read back out of the LaTeX."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st
from latexreader import Reader, cells
from mpmath import mp
from specs import Spec, equations, networks
from trees import well_formed

from symbolic.lesson import plan
from symbolic.pages.report import report
from symbolic.pages.sheet import Sheet
from symbolic.problem import build
from symbolic.reading.specfile import build as read
from symbolic.verify import certify

PLAIN = ("identity", "relu", "sigmoid", "tanh", "softmax", "leaky_relu", "softplus")


def parts(line: str) -> list[str]:
    """What stands between the equals signs of a line of numbers; the name on the left is not a number."""
    return [p.strip() for p in re.split(r"(?<![\\<>])=", line)][1:]


def rounded(value: Any, printed: str, digits: int) -> bool:
    """Whether a value rounds to what is printed, at the digits that are printed (a tie may go either way)."""
    if "frac" in printed or re.search(r"\\(ln|sqrt)", printed):
        return bool(abs(value - Reader(printed).value()[0][0]) <= abs(value) * mp.mpf(10) ** -digits)  # an exact form
    printed = re.sub(r"^(-?)10\^\{", r"\g<1>1\\cdot 10^{", printed)
    head, _, power = printed.partition(r"\cdot 10^{")
    last = len(head.partition(".")[2])
    unit = mp.mpf(10) ** (int(power[:-1] or 0) - last if power else -last)
    shown = Reader(printed).value()[0][0]
    if "." not in head and not power:  # a whole number with fewer digits than asked for is exact
        unit = mp.mpf(1) if len(head.lstrip("-")) >= digits else mp.mpf(10) ** (1 - digits)
    return bool(abs(value - shown) <= unit / 2 * (1 + mp.mpf(10) ** -9))


def check_line(line: str, digits: int = 4) -> bool:
    """Every part computes to the last one; False where there is nothing to compute."""
    *left, result = parts(line)
    if not left or any(re.search(r"\\(dots|vdots|cdots|ddots|sum|mathbf|max|min|text|le|ge)|cases|softmax", p) for p in (*left, result)):
        return False
    for part in left:
        value, printed = Reader(part).value(), cells(result)
        if len(value) * len(value[0]) == 1 < len(printed) * len(printed[0]):
            value = [value[0] * len(printed[0])] * len(printed)
        assert (len(value), len(value[0])) == (len(printed), len(printed[0])), line
        for vs, ps in zip(value, printed, strict=True):
            for v, p in zip(vs, ps, strict=True):
                assert rounded(v, p, digits), f"{part} computes to {mp.nstr(v, 12)}, printed is {p}, in {line}"
    return True


def check_spec(spec: Spec, digits: int = 4) -> int:
    """How many lines of numbers a spec shows and the reader has computed."""
    problem = build(read(spec))
    sheet = Sheet(problem, certify(plan(problem.network, ("scalar", "matrix", "numbers")), problem.numbers()), digits=digits)
    steps = report(sheet)["steps"]
    for s in steps:
        for line in s["latex"]:
            well_formed(line)
    lines = [line for s in steps if s["level"] == "numbers" for line in s["latex"]]
    forward = [f"{n.left} = {n.right}" for _, _, n in sheet.forward_lines() if n]
    with mp.workdps(40):
        return sum(check_line(line, digits) for line in (*lines, *forward))


def test_networks_multiply_out_as_printed() -> None:
    read_lines = []

    @given(networks(layers=3, units=2, names=PLAIN), st.integers(2, 6))
    @settings(max_examples=25)
    def every(spec: Spec, digits: int) -> None:
        read_lines.append(check_spec(spec, digits))

    every()
    assert sum(read_lines) > 200


def test_equations_multiply_out_as_printed() -> None:
    read_lines = []

    @given(equations())
    @settings(max_examples=24)
    def every(spec: Spec) -> None:
        assume(spec["at"])
        read_lines.append(check_spec(spec))

    every()
    assert sum(read_lines) > 60


def test_a_power_of_ten_stands_alone_and_in_brackets_under_a_power() -> None:
    tiny: Spec = {"equations": {"a": "x**2*y", "b": "x*y", "f": "-a + b"}, "at": {"x": "0.00001", "y": "-0.00001"}}
    problem = build(read(tiny))
    sheet = Sheet(problem, certify(plan(problem.network, ("scalar", "matrix", "numbers")), problem.numbers()))
    assert [n.right for _, _, n in sheet.forward_lines() if n][0] == r"(10^{-5})^{2} \cdot (-10^{-5}) = -10^{-15}" and check_spec(tiny) >= 5


@pytest.mark.parametrize(("line", "right"), [
    (r"x = 3 \cdot 10^{-5} = 0.00003", True), (r"x = (10^{-5})^{2} = 10^{-10}", True), (r"x = (10^{-5})^{2} = 10^{-9}", False),
    (r"x = 2.00 \cdot 0.20 = 0.39", False), (r"x = 0.7414 \cdot 0.1868 \cdot 0.5969 = 0.08267", True), (r"x = 0.7414 \cdot 0.1868 \cdot 0.5969 = 0.08268", False),
    (r"x = \begin{bmatrix}1 \\ 2\end{bmatrix}\, \begin{bmatrix}3 & 4\end{bmatrix} = \begin{bmatrix}3 & 4 \\ 6 & 8\end{bmatrix}", True),
    (r"x = \begin{bmatrix}1 \\ 2\end{bmatrix}\, \begin{bmatrix}3 & 4\end{bmatrix} = \begin{bmatrix}3 & 6 \\ 4 & 8\end{bmatrix}", False),
    (r"x = \begin{bmatrix}1 \\ 2\end{bmatrix} \odot \begin{bmatrix}3 \\ 4\end{bmatrix} = \begin{bmatrix}3 \\ 8\end{bmatrix}", True),
    (r"x = 3 - (-2) \cdot 2.5 = 8", True), (r"x = 3 \cdot 1.5\cdot 10^{-5} = 4.5\cdot 10^{-5}", True), (r"x = 3 \cdot 1.5\cdot 10^{-5} = 4.6\cdot 10^{-5}", False),
    (r"x = \frac{1}{2} \cdot 0.5^{2} = 0.125 = \frac{1}{8}", True), (r"x = \ln(2) + e^{-1} = 1.061", True), (r"x = 0.333 = \frac{1}{2}", False),
])
def test_the_reader_tells_right_from_wrong(line: str, right: bool) -> None:
    if right:
        assert check_line(line)
    else:
        with pytest.raises(AssertionError):
            check_line(line)
