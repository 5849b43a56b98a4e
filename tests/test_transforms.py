"""Maps of the plane, their pictures, and the derivative of a vector with respect to a matrix."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from math import cos, pi, radians, sin
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from course import example as course
from hypothesis import given, settings, strategies as st
from mpmath import mp

from symbolic.errors import CheckError, SpecError
from symbolic.language.arithmetic import MP
from symbolic.lectures import transforms
from symbolic.lesson import plan
from symbolic.pages import jacobianpages, transformpages
from symbolic.pages.sheet import Sheet
from symbolic.problem import build
from symbolic.produce import Request, produce
from symbolic.reading.specfile import build as read
from symbolic.values import DIGITS
from symbolic.verify import certify

SQUARE = [[0, 0, 1, 1, 0, 0], [0, 1, 1, 0, 0, 1]]
numbers = st.fractions(-3, 3, max_denominator=4).map(str)
MAPS = st.one_of(st.builds(lambda v: {"scale": v}, numbers), st.builds(lambda a, b: {"scale": [a, b]}, numbers, numbers),
                 st.builds(lambda v: {"rotate": v}, st.integers(-180, 180)), st.builds(lambda v: {"shear": v}, numbers),
                 st.builds(lambda v: {"translate": v}, numbers), st.builds(lambda a, b: {"translate": [a, b]}, numbers, numbers),
                 st.builds(lambda a, b, c, d: {"matrix": [[a, b], [c, d]]}, numbers, numbers, numbers, numbers))


def sheet_of(data: dict[str, Any]) -> Sheet:
    problem = build(read(data))
    return Sheet(problem, certify(plan(problem.network, ("matrix", "numbers"), wrt=problem.wrt), problem.numbers()))


def by_numpy(kind: str, value: Any, points: np.ndarray) -> np.ndarray:
    """A map as NumPy would do it, from the words of the README alone."""
    v = np.array(value if isinstance(value, list) else [value], dtype=object)
    v = np.vectorize(lambda x: float(Fraction(x)))(v)
    match kind:
        case "scale": return points * (v if len(v) == 2 else v.repeat(2))[:, None]
        case "translate": return points + (v if len(v) == 2 else v.repeat(2))[:, None]
        case "shear": return np.array([points[0] + v[0] * points[1], points[1]])
        case "matrix": return v @ points
    c, s = cos(radians(v[0])), sin(radians(v[0]))
    return np.array([[c, -s], [s, c]]) @ points


@given(st.lists(MAPS, min_size=1, max_size=3))
@settings(max_examples=12)
def test_the_points_go_where_numpy_sends_them(by: list[dict[str, Any]]) -> None:
    sheet = sheet_of({"transform": {"points": SQUARE, "by": by}})
    expected = np.array(SQUARE, dtype=float)
    for entry in by:
        ((kind, value),) = entry.items()
        expected = by_numpy(kind, value, expected)
    found = np.array([[float(v) for v in row] for row in sheet.values["Y"]])
    assert found == pytest.approx(expected, abs=1e-9)
    parts = {s.title: s for s in transformpages.transform(sheet)}
    if "All maps in one" in parts:
        whole = parts["All maps in one"].data
        assert np.array(whole["matrix"]) @ np.array(SQUARE) + np.array(whole["vector"])[:, None] == pytest.approx(expected, abs=1e-9)


@given(st.integers(-360, 360), st.integers(-360, 360))
def test_turning_twice_adds_the_angles(a: int, b: int) -> None:
    def entry(degrees: int) -> np.ndarray:
        return np.array([[float(v) for v in row] for row in transforms.rotation(Fraction(degrees))])

    assert entry(a) @ entry(b) == pytest.approx(entry(a + b), abs=1e-12)
    assert np.linalg.det(entry(a)) == pytest.approx(1) and entry(-a) == pytest.approx(entry(a).T)


@pytest.mark.parametrize(("kind", "value", "words"), [
    ("rotate", Fraction(-10), "turns by 10 degrees clockwise"), ("rotate", Fraction(30), "turns by 30 degrees counter-clockwise"),
    ("rotate", Fraction(0), "changes nothing"), ("scale", Fraction(1, 2), "lengths times 0.5, areas times 0.25"),
    ("scale", (Fraction(2), Fraction(1, 2)), "times 2 along x, times 0.5 along y"), ("shear", Fraction(1), "moves a point at height 1 by 1 to the right"),
    ("scale", Fraction(-1), "turns by 180 degrees counter-clockwise"), ("translate", Fraction(1, 5), "moves by 0.2 to the right and 0.2 up"),
    ("matrix", ((Fraction(1), Fraction(2)), (Fraction(3), Fraction(4))), "sends (1, 0) to (1, 3) and (0, 1) to (2, 4)"),
    ("matrix", ((Fraction(0), Fraction(-2)), (Fraction(2), Fraction(0))), "turns by 90 degrees counter-clockwise, lengths times 2, areas times 4"),
])
def test_what_a_map_does_in_words(kind: str, value: Any, words: str) -> None:
    assert transforms.said(transforms.made(kind, value)) == words


def example(name: str, folder: Path) -> dict[str, Any]:
    produce(course(name), folder, Request(formats=("json",)), lambda line: None)
    return json.loads((folder / f"{course(name).stem}.json").read_text())


def test_the_published_matrix_turns_the_other_way(tmp_path: Path) -> None:
    """cos and sin of 0.175 as published: plus 10.03 degrees, not minus 10."""
    published, ours = example("transforms-published", tmp_path), example("transforms", tmp_path)
    assert published["sections"][0]["data"][0] == {"map": "matrix", "said": "turns by 10.03 degrees counter-clockwise"}
    assert ours["sections"][0]["data"][1] == {"map": "rotate", "said": "turns by 10 degrees clockwise"}
    whole = ours["sections"][1]["data"]
    assert np.array(whole["matrix"]) == pytest.approx(0.5 * np.array([[cos(pi / 18), sin(pi / 18)], [-sin(pi / 18), cos(pi / 18)]]))
    assert whole["vector"] == [0.2, 0.2]


@pytest.mark.parametrize("by", [[{"scale": 0.5}, {"rotate": -10}, {"translate": [0.2, 0.2]}], [{"translate": [-2, 1]}], [{"scale": 0}]])
def test_the_picture_shows_the_points(by: list[dict[str, Any]]) -> None:
    """Coordinates in the picture are the points of the page in one unit, shifted."""
    sheet = sheet_of({"transform": {"points": SQUARE, "by": by}})
    figure, scales = transformpages.transform(sheet)[-1].figure, []
    for name, colour in (("X", "soft"), ("Y", "fOne")):
        line = next(x for x in figure.splitlines() if x.startswith(rf"\path[draw={colour},") and "fill=" in x)
        drawn = np.array([[float(v) for v in p] for p in re.findall(r"\((-?[\d.]+),(-?[\d.]+)\)", line)])
        points = np.array([[float(v) for v in row] for row in sheet.values[name]]).T
        sides, moved = drawn - drawn[0], points - points[0]
        scale = np.sum(sides * moved) / np.sum(moved * moved) if moved.any() else 0
        assert sides == pytest.approx(scale * moved, abs=0.011)
        scales += [scale] if moved.any() else []
        assert drawn.min() >= 0 and drawn.max() <= transformpages.SIZE + 0.01
    assert scales == pytest.approx([scales[0]] * len(scales), rel=0.01) and scales[0] > 0


def test_a_wrong_whole_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = sheet_of({"transform": {"by": [{"rotate": 20}, {"scale": [1, 2]}]}})
    true = transforms.combined
    monkeypatch.setattr(transforms, "combined", lambda steps, arithmetic: true(steps[::-1], arithmetic))
    with pytest.raises(CheckError, match="all maps in one"):
        transformpages.transform(sheet)


def test_the_names_count_where_a_kind_occurs_twice() -> None:
    steps = [transforms.made(k, Fraction(1)) for k in ("rotate", "translate", "rotate")]
    assert transforms.names(steps) == ["R1", "t", "R2"]
    assert transforms.equations(steps, SQUARE)[0] == {"X1": "R1 @ X", "X2": "X1 + t @ ones(1, 6)", "Y": "R2 @ X2"}
    with mp.workdps(DIGITS):
        assert transforms.combined([steps[1]], MP) == ([[1, 0], [0, 1]], [1, 1])


@pytest.mark.parametrize(("data", "sentence"), [
    ({"by": [{"turn": 10}]}, "transform by, entry 1: unknown map 'turn'"),
    ({"by": [{"rotate": [1, 2]}]}, "rotate expects an angle in degrees"),
    ({"by": [{"matrix": [1, 2]}]}, "matrix expects two rows of two numbers"),
    ({"by": [{"scale": [1, 2, 3]}]}, "scale expects one factor"),
    ({"by": [{"shear": [[1, 2]]}]}, "shear expects"),
    ({"by": []}, "transform by: expected a list of maps"),
    ({"by": {"scale": 2}}, "transform by: expected a list of maps"),
    ({"by": [{"scale": 2}, {"translate": [0, "zero"]}]}, "zero' is not a number"),
    ({"points": [[0, 1]], "by": [{"scale": 2}]}, "transform points: expected two rows"),
    ({"points": [[0], [1]], "by": [{"scale": 2}]}, "1 points, expected 2 to 12"),
    ({"point": SQUARE, "by": [{"scale": 2}]}, "unknown key 'point'"),
])
def test_what_is_wrong_is_said_in_one_sentence(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as e:
        read({"transform": data})
    assert sentence in str(e.value) and "\n" not in str(e.value)


def test_a_transform_stands_alone() -> None:
    with pytest.raises(SpecError, match="equations: expected transform or equations, not both"):
        read({"transform": {"by": [{"scale": 2}]}, "equations": {"y": "x"}})


def test_the_pages_compile(tmp_path: Path) -> None:
    for name in ("transforms", "xor-two-layers"):
        produce(course(name), tmp_path, Request(formats=("key",), levels=("matrix", "numbers")), lambda line: None)
        assert (tmp_path / f"{course(name).stem}-key.pdf").read_bytes().startswith(b"%PDF")


# ---------------------------------------------------------------- the four houses

X = np.array([[2, 3, 1], [1, 2, 1], [3, 4, 2], [1.5, 2, 2]])
W = np.array([[0.5, -0.25, 0.1], [0.2, 0.4, -0.3], [-0.1, 0.3, 0.2]])
A = 1 / (1 + np.exp(-X @ W))
SLOPES = A * (1 - A) / 3


def test_every_house_has_a_derivative_of_the_shape_of_w(tmp_path: Path) -> None:
    found = example("four-houses", tmp_path)
    (section,) = found["sections"]
    assert np.array(section["data"]["entries"]) == pytest.approx(np.einsum("mi,mk->mik", X, SLOPES), rel=1e-12)
    assert "4 x 3 x 3" in section["said"] and "would be 4 x 3, like A: it is not the derivative" in section["said"]
    assert np.array(found["jacobians"]["W"]) == pytest.approx(np.array(section["data"]["entries"]))


def test_one_house_is_one_of_the_four(tmp_path: Path) -> None:
    assert np.array(example("one-house", tmp_path)["gradients"]["W"]) == pytest.approx(np.outer(X[0], SLOPES[0]), rel=1e-12)


def test_the_gradient_of_a_loss_has_the_shape_of_w(tmp_path: Path) -> None:
    error = 2 * (A.mean(axis=1) - [1, 0, 1, 0]) / 4
    found = example("four-houses-loss", tmp_path)
    assert np.array(found["gradients"]["W"]) == pytest.approx(X.T @ (error[:, None] * SLOPES), rel=1e-12) and "sections" not in found


def test_a_wrong_jacobian_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = sheet_of({"equations": {"H": "X @ W", "O": "mean(tanh(H), axis=1)"}, "at": {"X": [[1, 2], [3, 4]], "W": [["0.1", "0.2"], ["0.3", "0.4"]]}, "wrt": ["W"]})
    assert len(jacobianpages.jacobians(sheet)) == 1
    true = sheet.jacobians()
    true["W"][1][0][0] *= mp.mpf("1.001")
    monkeypatch.setattr(Sheet, "jacobians", lambda self: true)
    with pytest.raises(CheckError, match="entry 2 of O"):
        jacobianpages.jacobians(sheet)


@pytest.mark.parametrize(("name", "expected"), [
    ("dot-product", {"x": [4, -1, 2], "y": [1, 2, 3]}), ("transpose", {"x": [-1, 4]}),
    ("hadamard", {"A": [[5, 6], [7, 8]], "B": [[1, 2], [3, 4]]})])
def test_products(name: str, expected: dict[str, Any], tmp_path: Path) -> None:
    found = example(name, tmp_path)["gradients"]
    assert {k: found[k] for k in expected} == expected
