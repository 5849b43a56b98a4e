"""The product of Jacobians of a recurrent cell, beside autograd and in numbers that vanish or explode."""

from __future__ import annotations

from typing import Any

import autograd.numpy as np
import pytest
from autograd import jacobian
from mpmath import mp

from symbolic.errors import CheckError
from symbolic.lesson import plan
from symbolic.pages import through_time
from symbolic.pages.sheet import Sheet
from symbolic.problem import build as problem_of
from symbolic.reading.specfile import build
from symbolic.verify import certify


def sheet(scale: float, activation: str = "tanh", rows: bool = False) -> Sheet:
    u = [[round(0.8 * scale, 6), round(0.1 * scale, 6)], [round(-0.2 * scale, 6), round(0.6 * scale, 6)]]
    problem = problem_of(build({
        "inputs": {"x": [["1"], ["0.5"], ["-1"], ["0.25"], ["2"]]}, "targets": {"y": ["0.5"]}, "loss": "mse", **({"convention": "rows"} if rows else {}),
        "layers": [{"type": "rnn", "units": 2, "activation": activation, "W": [["0.5", "-0.3"]] if rows else [["0.5"], ["-0.3"]], "weights": {"U": u}},
                   {"units": 1, "W": [["1"], ["-1"]] if rows else [["1", "-1"]]}]}))
    return Sheet(problem, certify(plan(problem.network, ("matrix", "numbers")), problem.numbers()))


def test_the_product_is_that_of_autograd() -> None:
    s = sheet(1.0)
    u, w, xs = np.array([[0.8, 0.1], [-0.2, 0.6]]), np.array([0.5, -0.3]), [1, 0.5, -1, 0.25, 2]

    def last(h: Any, start: int) -> Any:
        for x in xs[start:]:
            h = np.tanh(w * x + u @ h)
        return h

    h = np.zeros(2)
    for t, x in enumerate(xs, 1):
        h = np.tanh(w * x + u @ h)
        with mp.workdps(90):
            ours = through_time.jacobian(s.network, "h1_5", f"h1_{t}", dict(s.values))
        assert np.allclose([[float(v) for v in row] for row in ours], jacobian(last)(h, t), atol=1e-12)


@pytest.mark.parametrize(("scale", "activation", "word"), [(0.3, "tanh", "vanish"), (2.5, "identity", "explode"), (1.6, "identity", "keep|explode")])
def test_the_page_says_what_happens(scale: float, activation: str, word: str) -> None:
    (section,) = through_time.through_time(sheet(scale, activation))
    assert any(w in section.said for w in word.split("|"))
    assert len(section.cells) == 5 and section.data["jacobian"][-1] == pytest.approx(2**0.5)
    ratio = section.data["jacobian"][0] / section.data["jacobian"][-1]
    assert section.data["factor"] == pytest.approx(ratio ** (1 / 4))


def test_a_wrong_product_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    s = sheet(1.0)
    honest = through_time.gradients

    def wrong(*args: Any) -> Any:
        return {k: [[v * mp.mpf("1.001") for v in row] for row in rows] if isinstance(k, tuple) else rows for k, rows in honest(*args).items()}

    monkeypatch.setattr(through_time, "gradients", wrong)
    with pytest.raises(CheckError, match="failed its check"):
        through_time.through_time(s)


def test_without_numbers_or_recurrence_there_is_no_section() -> None:
    problem = problem_of(build({"inputs": {"x": [1, 2]}, "targets": {"y": [1]}, "loss": "mse", "layers": [{"units": 1}]}))
    assert through_time.through_time(Sheet(problem, certify(plan(problem.network, ("matrix",)), problem.numbers()))) == []
