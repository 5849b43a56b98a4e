"""Adding an activation is one row; everything else follows from it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from mpmath import mp
from oracle import DIGITS, Forward, flat
from trees import well_formed

from symbolic import functions
from symbolic.functions import FUNCTIONS, Row, row, z
from symbolic.language.parse import known_functions
from symbolic.layers import activations
from symbolic.pages.report import report
from symbolic.pages.sheet import Sheet
from symbolic.problem import build
from symbolic.produce import Request, produce
from symbolic.reading.specfile import build as read
from symbolic.verify import certify

SPEC = {"title": "A new activation", "inputs": {"x": ["0.5", "-0.3"]}, "targets": {"y": ["0.2"]}, "loss": "half_squared_error", "learning_rate": "0.1",
        "layers": [{"units": 2, "activation": "cube_demo", "W": [["0.4", "-0.6"], ["0.7", "0.2"]], "b": ["0.1", "0.3"]},
                   {"units": 1, "activation": "cube_demo", "W": [["0.8", "-0.5"]]}]}


@pytest.fixture
def cube() -> Iterator[Row]:
    """The whole change; it is taken back after the test."""
    yield row("cube_demo", z**3, activation=True)
    del FUNCTIONS["cube_demo"]
    functions.slope_form.cache_clear()
    functions.definition.cache_clear()


def test_it_is_an_activation_and_a_function(cube: Row) -> None:
    assert "cube_demo" in activations() and "cube_demo" in known_functions() and cube.slope_text() == "3*z**2"
    x = sp.Symbol("x", real=True)
    assert np.array_equal(cube.numpy(np.array([-2.0, 0.0, 3.0])), [-8.0, 0.0, 27.0])
    assert sp.diff(cube(2 * x), x).subs(x, 3) == 216 and cube(sp.Rational(1, 2)).evalf() == 0.125
    assert cube.because.endswith("follows from its formula.")


def test_a_network_with_it_derives_and_is_checked(cube: Row) -> None:
    from symbolic.lesson import plan

    problem = build(read(SPEC))
    lesson = plan(problem.network, ("scalar", "index", "matrix", "numbers"))
    out = report(Sheet(problem, certify(lesson, problem.numbers())))
    f = Forward(SPEC)
    with mp.workdps(DIGITS):
        for name in f.names():
            for got, expected in zip(flat(out["gradients"][name]), f.differences(name).flat, strict=True):
                assert abs(got - expected) < 1e-14, name
    shown = [line for s in out["steps"] for line in s["latex"]]
    assert any(r"\operatorname{cube\,demo}'(z^{(1)}" in line or r"3(z^{(1)}" in line for line in shown)
    assert all(well_formed(line) for line in shown) and {s["checked"] for s in out["steps"]} == {"proved"}


def test_it_may_stand_in_an_equation(cube: Row) -> None:
    from symbolic.lesson import plan

    problem = build(read({"equations": {"y": "cube_demo(2*t)"}, "at": {"t": "1"}}))
    out = report(Sheet(problem, certify(plan(problem.network), problem.numbers())))
    assert out["loss"] == 8 and out["gradients"]["t"] == 24


def test_it_is_printed_as_a_pdf(cube: Row, tmp_path: Path) -> None:
    if not any(map(shutil.which, ("pdflatex", "lualatex", "tectonic"))):
        pytest.skip("no TeX engine on this machine")
    (tmp_path / "cube.yaml").write_text(json.dumps(SPEC))
    made = produce(tmp_path / "cube.yaml", tmp_path / "out", Request(("key",)), print)
    assert [p.name for p in made] == ["cube-key.pdf"] and made[0].read_bytes()[:5] == b"%PDF-"


def test_the_row_is_gone_afterwards() -> None:
    assert "cube_demo" not in activations()
