"""The catalogue's limits and plots, rows that are new or wrong, and the printed reference."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, strategies as st
from mpmath import mp
from test_catalogue import EVERY, entry, evaluated, needs_tex, of, only, run
from trees import well_formed

from symbolic import functions
from symbolic.catalogue import tables as catalogue
from symbolic.catalogue.entries import limit
from symbolic.catalogue.entry import plain_range
from symbolic.catalogue.entrytexts import equation_entry, sentence_entry
from symbolic.catalogue.tables import TABLES, Table, entries_of, find, tables
from symbolic.errors import CheckError, SpecError
from symbolic.functions import FUNCTIONS, Row, row, z
from symbolic.language.arithmetic import MP
from symbolic.lectures.slopes import slope_lesson
from symbolic.network import Network
from symbolic.optimizers import OPTIMIZERS, SCHEDULES, Optimizer, Option, Schedule
from symbolic.render import cataloguepages
from symbolic.render.cataloguetext import card, data, definition_lines
from symbolic.render.engine import compile_pdf, find_engine
from symbolic.render.plots import FINE, Box, clipped, frame, marked, plot, sample, simplified, ticks

# ---------------------------------------------------------------- limits, ranges

@pytest.mark.parametrize("name", [n for n in (*of("activation"), *of("function")) if len(FUNCTIONS[n].args) == 1])
def test_limits(name: str) -> None:
    """A limit that is printed is where the numbers go."""
    for side, far in ((-sp.oo, -10.0**4), (sp.oo, 10.0**4)):
        found = limit(FUNCTIONS[name], side)
        if found is None:
            continue
        with mp.workdps(30):
            near, value = MP.call(name, [mp.mpf(far) / 100]), MP.call(name, [mp.mpf(far)])
        if found.is_finite:
            assert abs(value - mp.mpf(str(found.evalf(20)))) < 1e-3
        else:
            assert value * (1 if found > 0 else -1) > abs(near) + 2


BOUNDS = {"infinity": math.inf, "pi": math.pi, "e": math.e, "scale": 1.0507009873554805, "alpha": 1.6732632423543772}


def bounds(text: str) -> tuple[float, float, bool, bool] | None:
    """An interval that is written in words: its ends, and whether they belong to it."""
    found = re.fullmatch(r"([\[(])(.+), (.+)([\])])", text)
    if found is None:
        return None
    low, high = (float(eval(re.sub(r"(\w) (\w)", r"\1*\2", part.replace("lambda", "scale")), {**BOUNDS})) for part in (found[2], found[3]))  # noqa: S307
    return low, high, found[1] == "[", found[4] == "]"


def outside(name: str, stated: str) -> list[float]:
    """The inputs of a grid at which a function leaves its range, and the ends that it never comes near."""
    found = bounds(stated)
    if found is None:
        return []
    low, high, with_low, with_high = found
    wrong, seen = [], []
    for x in (-1000.0, *(k / 50 for k in range(-500, 501)), 1000.0):
        try:
            with mp.workdps(60):
                value = MP.call(name, [mp.mpf(x)])
        except ArithmeticError:
            continue
        seen.append(float(value))
        if abs(x) > 10:  # far out an open end is reached to all digits
            continue
        if not (low - 1e-4 <= value if with_low else low < value) or not (value <= high + 1e-4 if with_high else value < high):
            wrong.append(x)
    ends = [end for end, reached in ((low, min(seen)), (high, max(seen))) if math.isfinite(end) and abs(end - reached) > 0.05]
    return wrong + ends


@pytest.mark.parametrize("name", [n for n in (*of("activation"), *of("function")) if len(FUNCTIONS[n].args) == 1 and getattr(FUNCTIONS[n], "range", "")])
def test_ranges(name: str) -> None:
    assert outside(name, plain_range(FUNCTIONS[name].range)) == []


def test_a_wrong_range_is_found() -> None:
    assert outside("sigmoid", "(0, 1)") == [] and outside("sigmoid", "(0, 2)") == [2.0]
    assert outside("tanh", "(0, 1)") and outside("relu", "[0, infinity)") == [] and outside("relu", "(0, infinity)")
    assert outside("atan", plain_range(r"\left(-\tfrac{\pi}{2}, \tfrac{\pi}{2}\right)")) == []
    assert plain_range(r"[-\lambda\alpha, \infty)") == "[-lambda alpha, infinity)"


# ---------------------------------------------------------------- plots

def test_a_jump_is_not_joined() -> None:
    step = sample(lambda x: float(x > 0), -1, 1, kinks=(0,))
    assert [len({y for _, y in piece}) for piece in step.pieces] == [1, 1]
    assert step.open == ((0.0, 1.0),) and step.closed == ((0.0, 0.0),)
    sign = sample(lambda x: float(np.sign(x)), -1, 1, kinks=(0,))
    assert set(sign.open) == {(0.0, -1.0), (0.0, 1.0)} and sign.closed == ((0.0, 0.0),)


def test_a_bend_is_joined_and_marked() -> None:
    bend = sample(abs, -1, 1, kinks=(0,))
    assert len(bend.pieces) == 1 and bend.open == bend.closed == ()
    assert marked(bend, abs, (0,)).closed == ((0.0, 0.0),)


def test_a_curve_ends_where_its_function_does() -> None:
    def root(x: float) -> float:
        if x < 0.123:
            raise ArithmeticError
        return math.sqrt(x - 0.123)

    (piece,) = sample(root, -1, 1).pieces
    assert abs(piece[0][0] - 0.123) < 1e-9 and piece[-1][0] == 1


def test_a_pole_is_not_crossed() -> None:
    box = Box((-2, 2), (-4, 4), 60, 40)
    paths = [p for piece in sample(math.tan, -2, 2).pieces for p in clipped([box.at(q) for q in piece], box.height)]
    assert len(paths) == 3 and all(abs(a[0] - b[0]) < 2 for path in paths for a, b in zip(path, path[1:], strict=False))


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(-50, 90)), min_size=2, max_size=40))
def test_clipping_stays_inside(points: list[tuple[float, float]]) -> None:
    points = sorted(points)
    for path in clipped(points, 40):
        assert all(-1e-9 <= y <= 40 + 1e-9 for _, y in path) and len(path) >= 2


@given(st.lists(st.floats(0, 40), min_size=2, max_size=60))
def test_simplifying_keeps_the_curve(ys: list[float]) -> None:
    """Every point that is left out lies as close to the drawn line as was promised."""
    points = [(float(k), y) for k, y in enumerate(ys)]
    kept = simplified(points)
    assert kept[0] == points[0] and kept[-1] == points[-1] and set(kept) <= set(points)
    for x, y in points:
        a, b = next((p, q) for p, q in zip(kept, kept[1:], strict=False) if p[0] <= x <= q[0])
        drawn = a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0])
        assert abs(drawn - y) * (b[0] - a[0]) / math.dist(a, b) <= FINE + 1e-9


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_round(low: float, wide: float) -> None:
    found = ticks(low, low + wide)
    assert 2 <= len(found) <= 9 and all(low - wide * 1e-6 <= t <= low + wide * (1 + 1e-6) for t in found)
    step = found[1] - found[0]
    assert math.isclose(float(f"{step:.0e}"), step, rel_tol=1e-3) and f"{step:.0e}"[0] in "125"


@pytest.mark.parametrize(("table", "name"), [x for x in EVERY if entry(*x).graph is not None])
def test_a_plot_lies_in_its_frame_and_on_its_function(table: str, name: str) -> None:
    graph = entry(table, name).graph()  # type: ignore[misc]
    curve = sample(graph.f, *graph.span, kinks=graph.kinks, label="f")
    assert curve.pieces and all(math.isclose(graph.f(x), y, abs_tol=1e-12) for piece in curve.pieces for x, y in piece[::20])
    box = frame([curve], graph.span, 58, 40)
    tikz = plot([curve], box)
    for x, y in re.findall(r"\((-?[\d.]+),(-?[\d.]+)\)", tikz):
        assert -0.01 <= float(x) <= 58.01 and -0.01 <= float(y) <= 43.01
    if graph.slope is not None:
        inside = [x for piece in curve.pieces for x, _ in piece[5:-5:9] if all(abs(x - k) > 1e-3 for k in graph.kinks)]
        for x in inside:  # the dashed curve is the slope of the solid one
            assert math.isclose((graph.f(x + 1e-6) - graph.f(x - 1e-6)) / 2e-6, graph.slope(x), rel_tol=1e-3, abs_tol=1e-5)


def test_two_curves_are_told_apart_without_colour() -> None:
    tikz = cataloguepages._figure(entry("activation", "relu").graph(), 58, 40)  # type: ignore[misc]
    assert tikz.count("plot dashed") == 2 and "plot open=fTwo" in tikz and "plot closed=fOne" in tikz  # the curve and its legend


# ---------------------------------------------------------------- new rows, new tables, wrong rows

@pytest.fixture
def cube() -> Iterator[Row]:
    yield row("cube_demo", z**3, activation=True)
    _forget("cube_demo")


def _forget(name: str) -> None:
    del FUNCTIONS[name]
    functions.slope_form.cache_clear()
    functions.definition.cache_clear()
    getattr(slope_lesson, "cache_clear", lambda: None)()


def test_a_new_row_needs_nothing(cube: Row) -> None:
    assert "cube_demo" in run("list", "activations").stdout
    text = run("show", "cube_demo").stdout
    assert "cube_demo(z) = z**3" in text and "3*z**2" in text and "a = z**3" in text
    source = cataloguepages.reference(only("activation", "cube_demo"))
    assert r"cube\_demo" in source and r"3z^{2}" in source


def test_a_wrong_row_is_not_shown(tmp_path: Path) -> None:
    """A slope off by a tenth of a percent stops the card, the page and the catalogue, and nothing is written."""
    try:
        row("cube_demo", z**3, slope=Fraction(3003, 1000) * z**2, activation=True)
        with pytest.raises(CheckError):
            card(find("cube_demo")[0])
        result = run("show", "cube_demo", "-o", str(tmp_path / "out"), "--to", "tex")
        assert result.exit_code == 1 and "failed its check" in result.stderr and not (tmp_path / "out").exists()
    finally:
        _forget("cube_demo")


def test_a_new_optimizer_and_a_new_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    """One row each: listed, shown, printed and, as its first step, proved."""
    made = Optimizer("newest", "Newest", {"v": "beta*v + g", "w": "w - eta*v"}, "w - eta*g", "Old gradients add up.", "somewhere", "None.",
                     {"v": Fraction(0)}, {"beta": Option(Fraction(9, 10))}, at="w + v")
    monkeypatch.setitem(OPTIMIZERS, "newest", made)
    monkeypatch.setitem(SCHEDULES, "halving", Schedule("halving", "eta/2**k", "Half of it.", "here", {"every": Option(Fraction(5))}, {"k": "(t - 1)/every"}))
    text = run("show", "newest").stdout
    assert all(part in text for part in ("v <- beta*v + g", "w <- w - eta*v", "beta = 0.9", "taken at w + v", "w <- w - eta*g"))
    found = evaluated(find("newest")[0].code, beta=0.9, v=1.0, g=2.0, w=1.0, eta=0.5)
    assert found["v"] == 2.9 and math.isclose(found["w"], -0.45)
    assert "w_{t} = w_{t-1}" in data(find("newest")[0])["latex"][-1]
    (schedule,) = find("halving")
    assert evaluated(schedule.code, t=12, every=5, eta=1.0)["eta_t"] == 0.25 and schedule.graph().f(12.0) == 0.25  # type: ignore[misc]
    assert r"k \;" not in card(schedule) and "k is the whole part of (t - 1)/every" in card(schedule)
    assert "{newest}" in cataloguepages.reference(only("optimizer", "newest")) and "{halving}" in cataloguepages.reference(only("schedules", "halving"))
    monkeypatch.setitem(OPTIMIZERS, "newest", replace(made, first="w - 2*eta*g"))
    assert run("show", "newest").exit_code == 1


ROWS: dict[str, tuple[Any, Any, str]] = {
    "equation": (equation_entry(lambda name, r: f"{r.factor}*sum({r.entry})", "R", "w"),
                 SimpleNamespace(factor="lam/2", entry="w**2", because="Small weights."), "R = lam/2*sum(w**2)"),
    "sentence": (sentence_entry, SimpleNamespace(sentence="`d{L}` was forgotten.", kind="rule", step="loss"), ""),
}


@pytest.mark.parametrize("kind", ROWS)
def test_a_new_table_is_one_line(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read, stand_in, formula = ROWS[kind]
    monkeypatch.setattr(catalogue, "TABLES", [*TABLES, Table(kind, f"{kind}s", lambda: {"new": stand_in}, read)])
    (e,) = find("new")
    assert e.formula == formula and run("list", f"{kind}s").stdout.split()[1] == "new"
    text = run("show", "new").stdout
    assert f"new  ({kind})" in text and formula in text
    assert all(well_formed(x.right) for x in definition_lines(e)) and data(e)["name"] == "new"
    assert "{new}" in cataloguepages.reference(tables(kind))
    assert "dL was forgotten." in text if kind == "sentence" else "dR/dw = lam*w" in text and "checked: proved" in text


def test_a_name_in_two_tables_is_shown_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    other = SimpleNamespace(because="Another sigmoid.")
    monkeypatch.setattr(catalogue, "TABLES", [*TABLES, Table("other", "Others", lambda: {"sigmoid": other}, sentence_entry)])
    assert [e.table for e in find("sigmoid")] == ["activation", "other"]
    assert len(json.loads(run("show", "sigmoid", "--to", "json").stdout)) == 2


def test_unknown_names() -> None:
    with pytest.raises(SpecError):
        find("")
    assert [t.key for t in tables()] == [t.key for t in TABLES]


# ---------------------------------------------------------------- the printed catalogue

CONTENTS = 2  # pages


@needs_tex
def test_the_catalogue() -> None:
    """Compiled once (the contents take CONTENTS pages): nothing sticks out, every entry is there and in the table of contents, every word inside the margins."""
    engine = find_engine()
    assert engine is not None
    made = compile_pdf(cataloguepages.reference(tables()), engine=engine)
    assert made.complaints == () and "Missing character" not in made.log
    found = subprocess.run(["pdftotext", "-bbox", "-", "-"], input=made.pdf, capture_output=True, check=True).stdout.decode()
    pages = found.split("<page ")[1:]
    assert len(EVERY) / 4 < len(pages) < len(EVERY)
    words = re.compile(r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">([^<]*)<')
    texts = []
    for number, page in enumerate(pages, 1):
        boxes = [(*(float(m[k]) * 25.4 / 72 for k in (1, 2, 3, 4)), m[5]) for m in words.finditer(page)]
        assert boxes, f"page {number} is empty"
        for left, over, right, _, word in boxes:
            assert left >= 19 and right <= 191 and over >= 14, f"page {number}: {word!r} at {left:.1f}..{right:.1f}, {over:.1f} mm"
        texts.append([word for *_, word in boxes])
    for _, name in EVERY:
        assert any(name in page for page in texts[:CONTENTS]), f"{name} is not in the table of contents"
        assert any(name in page for page in texts[CONTENTS:]), f"{name} has no entry"
    assert "??" not in texts[0] and not {"None", "nan", "Fraction("} & {w for page in texts for w in page}


def test_the_same_bytes_again() -> None:
    some = only("loss", "mse", "huber", "cross_entropy")
    first = cataloguepages.reference(some)
    getattr(slope_lesson, "cache_clear", lambda: None)()
    assert cataloguepages.reference(some) == first


def test_the_same_name_of_network_symbols() -> None:
    """A definition is printed in the names of its own network."""
    for table in TABLES:
        for e in entries_of(table):
            assert e.network is None or isinstance(e.network, Network) and {n for _, right in e.equations for n in right.names} <= set(e.network.symbols)
