"""Gates: which truth tables one perceptron computes, the proof where it cannot, and the pages of both."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from course import example as course
from hypothesis import given, strategies as st

from symbolic.errors import CheckError, SpecError
from symbolic.lectures import gates
from symbolic.lectures.gates import Unit, certificate, contradicts, demands, inputs, margin, separator
from symbolic.lesson import plan
from symbolic.pages import gatepages
from symbolic.pages.report import report
from symbolic.pages.sheet import Sheet
from symbolic.problem import build
from symbolic.produce import Request, produce
from symbolic.reading.specfile import build as read
from symbolic.render.plane import Plane
from symbolic.verify import certify

TABLES = {size: list(product((0, 1), repeat=size)) for size in gates.SIZES}
XOR = (0, 1, 1, 0)
tenths = st.integers(-30, 30).map(lambda k: k / 10)


def pages(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The sections of a spec by their titles."""
    problem = build(read(data))
    sheet = Sheet(problem, certify(plan(problem.network, ("matrix", "numbers")), problem.numbers()))
    return {s["title"]: s for s in report(sheet)["sections"]}


def gate(table: Any, **layer: Any) -> dict[str, Any]:
    return {"truth_table": list(table), "layers": [{"units": 1, "activation": "sigmoid", **layer}], "loss": "binary_cross_entropy"}


# ---------------------------------------------------------------- the mathematics

@pytest.mark.parametrize(("size", "possible"), [(4, 14), (8, 104)])
def test_how_many_tables_one_perceptron_computes(size: int, possible: int) -> None:
    """14 of 16 and 104 of 256 are the known numbers of threshold functions; every other table has a proof."""
    assert sum(separator(t) is not None for t in TABLES[size]) == possible
    without = [t for t in TABLES[size] if separator(t) is None]
    assert all(contradicts(t, certificate(t) or ()) for t in without)
    if size == 4:
        assert without == [XOR, (1, 0, 0, 1)]


@given(st.sampled_from([*TABLES[4], *TABLES[8]]))
def test_weights_or_a_proof_but_never_both(table: gates.Table) -> None:
    unit, factors = separator(table), certificate(table)
    assert (unit is None) != (factors is None)
    if unit is not None:
        assert margin(table, unit) >= 1 and all((unit.z(x) > 0) == bool(y) for x, y in zip(inputs(table), table, strict=True))


@given(st.integers(2, 3), st.data())
def test_whatever_a_perceptron_computes_is_separable(count: int, data: Any) -> None:
    w = data.draw(st.lists(st.fractions(-9, 9, max_denominator=7), min_size=count, max_size=count))
    b = data.draw(st.fractions(-9, 9, max_denominator=7))
    table = tuple(int(sum(a * x for a, x in zip(w, row, strict=True)) + b > 0) for row in product((0, 1), repeat=count))
    assert separator(table) is not None and certificate(table) is None


@given(st.sampled_from([t for t in TABLES[8] if separator(t) is None]), st.lists(st.fractions(-5, 5), min_size=4, max_size=4))
def test_a_proof_holds_at_any_weights(table: gates.Table, weights: list[Fraction]) -> None:
    """The demands times their factors come to exactly 0, so they cannot all be positive."""
    factors = certificate(table)
    assert factors is not None
    values = [sum(c * w for c, w in zip(row, weights, strict=True)) for row in demands(table)]
    assert sum(f * v for f, v in zip(factors, values, strict=True)) == 0


@pytest.mark.parametrize("wrong", [(1, 1, 1, 2), (1, 1, 1, 0), (0, 0, 0, 0), (-1, -1, -1, -1), (1, 1, 1), (0, 1, 1, 0), (1, -1, -1, 1)])
def test_a_wrong_proof_is_rejected(wrong: tuple[int, ...]) -> None:
    assert contradicts(XOR, (1, 1, 1, 1)) and contradicts(XOR, (2, 2, 2, 2))
    assert not contradicts(XOR, wrong)


@pytest.mark.parametrize("table", [t for t in TABLES[4] if t not in (XOR, (1, 0, 0, 1))])
def test_no_factors_refute_what_is_possible(table: gates.Table) -> None:
    assert not any(contradicts(table, f) for f in product(range(3), repeat=4))


def test_a_wrong_finder_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "_positive_relation", lambda rows: tuple(range(1, len(rows) + 1)))
    certificate.cache_clear()
    with pytest.raises(CheckError, match="do not refute"):
        certificate(XOR)
    certificate.cache_clear()
    monkeypatch.setattr(gates, "margin", lambda table, unit: 0)
    separator.cache_clear()
    with pytest.raises(CheckError, match="do not compute"):
        separator((0, 0, 0, 1))
    separator.cache_clear()


def test_a_wrong_page_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gatepages.gates, "certificate", lambda table: (1, 1, 1, 2))
    with pytest.raises(CheckError, match="neither weights nor a proof"):
        gatepages.possible(XOR)
    monkeypatch.setattr(gatepages.gates, "separator", lambda table: Unit((1, 1), 0))
    with pytest.raises(CheckError, match="wrong"):
        gatepages.possible((0, 0, 0, 1))


# ---------------------------------------------------------------- what is printed

def coefficients(tex: str, names: list[str]) -> list[int]:
    """A printed linear expression read back."""
    out = [0] * len(names)
    for sign, size, name in re.findall(r"(^-|[+-] |^)(\d*)(?:\\,)?([a-z]_?\d?)", tex):
        out[names.index(name)] += (-1 if "-" in sign else 1) * int(size or 1)
    return out


@given(st.lists(st.integers(-9, 9), min_size=3, max_size=3))
def test_a_linear_expression_reads_back(values: list[int]) -> None:
    names = ["w_1", "w_2", "b"]
    assert coefficients(gatepages.linear(values, names), names) == values
    assert coefficients(gatepages.linear(values, names, zeros=True), names) == values


@pytest.mark.parametrize("table", [XOR, (1, 0, 0, 1), (0, 1, 1, 0, 1, 0, 0, 1), (0, 1, 1, 1, 1, 1, 1, 0)])
def test_the_printed_inequalities_add_up(table: gates.Table) -> None:
    section = gatepages.possible(table)
    assert section.title == "No single perceptron can do it"
    names = [f"w_{k + 1}" for k in range(len(inputs(table)[0]))] + ["b"]
    *rows, total = section.cells
    read_back = []
    for row in rows:
        factor, body, relation = re.fullmatch(r"\$(?:(\d+) \\cdot )?\(?([^()]*?)\)? (>|\\ge) 0\$", row[3]).groups()  # type: ignore[union-attr]
        assert (relation == ">") == (row[1] == "1"), "strict where the target is 1, since the step at 0 says 0"
        read_back.append([int(factor or 1) * c for c in coefficients(body, names)])
    assert [sum(c) for c in zip(*read_back, strict=True)] == [0] * len(names) == coefficients(total[3].strip("$").removesuffix(" > 0"), names)
    assert {r[1] for r in rows} == {"0", "1"}


@pytest.mark.parametrize(("name", "z", "right"), [
    ("gates-and", [-15, -5, -5, 5], 4), ("gates-or", [-5, 5, 5, 15], 4), ("gates-nand", [15, 5, 5, -5], 4),
    ("gates-majority", [-15, -5, -5, 5, -5, 5, 5, 15], 8), ("xor-impossible", [0, 0, 0, 0], 2), ("xor-relu", [-1, 1, 1, -1], 4), ("xor-two-layers", None, 4)])
def test_the_examples(name: str, z: list[int] | None, right: int, tmp_path: Path) -> None:
    produce(course(name), tmp_path, Request(formats=("json",)), lambda line: None)
    found = json.loads((tmp_path / f"{course(name).stem}.json").read_text())["sections"]
    table = found[0]["data"]
    assert found[0]["title"].startswith("The truth table") and table["right"] == right
    assert z is None or table["z"] == z
    assert table["step"] == [int(v > 0) for v in table["z"]]
    assert [c[-1] for c in found[0]["cells"]] == ["yes" if s == t else "no" for s, t in zip(table["step"], table["target"], strict=True)]
    assert found[1]["data"]["separable"] == (not name.startswith("xor"))


def test_xor_at_zero_has_no_gradient() -> None:
    problem = build(read(gate(XOR, W=[[0, 0]], b=[0])))
    found = report(Sheet(problem, certify(plan(problem.network, ("matrix", "numbers")), problem.numbers())))
    assert found["gradients"]["W1"] == [[0, 0]] and found["gradients"]["b1"] == [0]


def test_both_conventions_say_the_same() -> None:
    rows = pages({**gate((0, 0, 0, 1), W=[[10], [10]], b=[-15]), "convention": "rows"})
    columns = pages(gate((0, 0, 0, 1), W=[[10, 10]], b=[-15]))
    assert {t: s["cells"] for t, s in rows.items()} == {t: s["cells"] for t, s in columns.items()}


def test_without_weights_the_question_is_still_answered() -> None:
    assert list(pages(gate(XOR))) == ["No single perceptron can do it", "In the plane", "The loss"]


def test_the_step_has_no_slope_at_its_jump() -> None:
    slopes = pages(gate(XOR, W=[[0, 0]], b=[0]))["Why a step cannot be trained"]["cells"]
    assert slopes == [["$0$", "none: a jump", "$0.25$"]]


def test_a_wrong_sigmoid_stops_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = build(read(gate((0, 0, 0, 1), W=[[10, 10]], b=[-15])))
    sheet = Sheet(problem, certify(plan(problem.network, ("matrix", "numbers")), problem.numbers()))
    sheet.certified.values["z1"][0][0] += 1  # type: ignore[index]
    with pytest.raises(CheckError, match="exact fractions"):
        gatepages.truth_table(sheet)


@pytest.mark.parametrize(("change", "sentence"), [
    ({"truth_table": [0, 1, 1]}, "expected 4 outputs"),
    ({"truth_table": 1}, "expected 4 outputs"),
    ({"truth_table": [[0, 1], [1, 0]]}, "expected 4 outputs"),
    ({"truth_table": [0, 1, 2, 0]}, "truth_table, entry 3: expected 0 or 1"),
    ({"inputs": {"x": [1, 2]}}, "inputs: truth_table gives the inputs and targets"),
    ({"targets": {"y": [1]}}, "targets: truth_table gives the inputs and targets"),
    ({"layers": [{"units": 2}]}, "layer 1: a truth table has one output"),
    ({"layers": [{"W": [[1, 2], [3, 4]], "activation": "relu"}]}, "layer 1: a truth table has one output"),
    ({"layers": [{"units": 1, "W": [[1, 2, 3]]}]}, "1 x 3, expected 1 x 2"),
])
def test_what_is_wrong_is_said_in_one_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError) as e:
        build(read({**gate(XOR), **change}))
    assert sentence in str(e.value) and "\n" not in str(e.value)


def test_a_table_needs_layers() -> None:
    with pytest.raises(SpecError, match="truth_table: belongs to files with layers"):
        read({"truth_table": [0, 1, 1, 0], "equations": {"y": "x"}})


# ---------------------------------------------------------------- the plane

@given(st.tuples(tenths, tenths).filter(any), tenths, st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_the_shaded_side_is_where_z_is_positive(w: tuple[float, float], b: float, p: tuple[float, float]) -> None:
    corners = Plane((0, 0), (1, 1), 10).clipped(w, b)
    z = w[0] * p[0] + w[1] * p[1] + b
    assert all(w[0] * c[0] + w[1] * c[1] + b > -1e-9 for c in corners)
    turns = [(q[0] - c[0]) * (p[1] - c[1]) - (q[1] - c[1]) * (p[0] - c[0]) for c, q in zip(corners, [*corners[1:], *corners[:1]], strict=True)]
    inside = len(corners) > 2 and min(turns) > -1e-9
    assert abs(z) < 1e-6 or inside == (z > 0)


def test_the_line_of_the_page_parts_the_points() -> None:
    source = gatepages.truth_table(_sheet(gate((0, 0, 0, 1), W=[[10, 10]], b=[-15])))[2].figure
    ends = [tuple(map(float, p)) for p in re.findall(r"\(([\d.]+),([\d.]+)\)", re.search(r"\\draw\[fThree.*", source)[0])]  # type: ignore[index]
    unit, low = 40 / 2.05, -0.45
    assert all(10 * (x / unit + low) + 10 * (y / unit + low) - 15 == pytest.approx(0, abs=0.02) for x, y in ends)
    assert source.count("fill=fOne") == 1 and source.count("fill=white,line width") == 3


def _sheet(data: dict[str, Any]) -> Sheet:
    problem = build(read(data))
    return Sheet(problem, certify(plan(problem.network, ("matrix", "numbers")), problem.numbers()))
