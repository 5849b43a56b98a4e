"""The catalogue by law: every row of every table is listed, shown, plotted and printed, and its code computes what its formula says."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sympy as sp
from click.testing import CliRunner, Result
from hypothesis import given, strategies as st
from mpmath import mp
from trees import well_formed

from symbolic import functions
from symbolic.catalogue import tables as catalogue
from symbolic.catalogue.entries import limit, loss_network
from symbolic.catalogue.entry import Entry, plain_range
from symbolic.catalogue.entrytexts import equation_entry, sentence_entry
from symbolic.catalogue.models import METHODS
from symbolic.catalogue.tables import TABLES, Table, entries_of, find, tables
from symbolic.claims.scenes import LETTERS
from symbolic.cli import main
from symbolic.derive import derive
from symbolic.errors import CheckError, SpecError
from symbolic.functions import FUNCTIONS, VECTOR_FUNCTIONS, Row, row, z
from symbolic.language.arithmetic import MP, entries
from symbolic.lectures.slopes import slope_lesson
from symbolic.losses import LOSSES
from symbolic.network import Network
from symbolic.numeric.program import identifiers
from symbolic.optimizers import OPTIMIZERS, SCHEDULES, Optimizer, Option, Schedule
from symbolic.proof.probe import random_point, shrink
from symbolic.render import cataloguepages
from symbolic.render.cataloguetext import WIDTH, card, data, definition_lines, rows_as_table
from symbolic.render.engine import compile_pdf, find_engine
from symbolic.render.plots import FINE, Box, clipped, frame, marked, plot, sample, simplified, ticks
from symbolic.values import forward, gradients

EVERY = [(t.key, name) for t in TABLES for name in t.rows()]
POINTS = (-4.7, -2.5, -1.3, -0.6, -0.2, 0.15, 0.4, 0.7, 1.6, 3.4, 4.9)
needs_tex = pytest.mark.skipif(not any(map(shutil.which, ("pdflatex", "lualatex", "tectonic"))) or not shutil.which("pdftotext"), reason="needs TeX and poppler")


@cache
def entry(table: str, name: str) -> Entry:
    return next(e for e in find(name) if e.table == table)


def of(table: str) -> list[str]:
    return [name for key, name in EVERY if key == table]


def only(kind: str, *names: str) -> list[Table]:
    """A table with these rows alone."""
    (table,) = tables(kind)
    return [replace(table, rows=lambda: {n: table.rows()[n] for n in names})]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


# ---------------------------------------------------------------- list and show

def test_the_list_holds_every_row() -> None:
    rows = json.loads(run("list", "--to", "json").stdout)
    assert [(r["table"], r["name"]) for r in rows] == EVERY
    assert all(r["because"].endswith(".") for r in rows) and {tuple(r) for r in rows} == {("table", "name", "formula", "because")}
    assert {r["table"] for r in rows} >= {"activation", "vector function", "function", "loss", "layer", "optimizer", "schedule", "initialisation", "slip"}


def test_the_list_fits_a_terminal() -> None:
    shown = run("list").stdout
    assert max(map(len, shown.splitlines())) <= WIDTH
    names = {line.split(" ")[0] for line in shown.splitlines()}
    assert {name for _, name in EVERY} <= names
    assert "p[i]" not in rows_as_table([("T", [Entry("t", "x", "[bold]no markup[/].")])]) and "[bold]" in rows_as_table([("T", [Entry("t", "x", "[bold]no markup[/].")])])


@pytest.mark.parametrize("kind", ["losses", "loss", "Losses"])
def test_one_table(kind: str) -> None:
    assert [r["name"] for r in json.loads(run("list", kind, "--to", "json").stdout)] == of("loss")


@pytest.mark.parametrize(("table", "name"), EVERY)
def test_show(table: str, name: str) -> None:
    """In the terminal and as data: the formula, a derivation that ends in the row's own form, and how it was checked."""
    e = entry(table, name)
    text, shown = card(e), data(e)
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.startswith(f"{name}  ({table})") and shown["formula"] == e.formula
    json.dumps(shown, allow_nan=False)
    assert all(f.head in text for f in e.facts()) and all(well_formed(part.replace(r"\leftarrow", "=")) for f in e.facts() for part in f.tex.split("$")[1::2])
    assert all(well_formed(line) for line in shown["latex"]) and all(well_formed(line) for s in shown["steps"] for line in s["latex"])
    assert all(s["checked"] in ("proved", "30 digits") for s in shown["steps"])
    assert shown["steps"] or table in ("initialisation", "optimizer", "schedule", "slip", "data set", "study")
    assert not re.search(r"None|Expr\(|<lambda|Fraction\(", text)
    if name in FUNCTIONS and table not in ("loss", "schedule"):
        wanted = [functions.ex.text(functions.slope_form(name, k)) for k in range(len(FUNCTIONS[name].args))]
        assert [s["lines"][-1]["formula"] for s in shown["steps"]] == wanted


def test_show_on_the_command_line(tmp_path: Path) -> None:
    text = run("show", "sigmoid").stdout
    assert "sigmoid(z) = 1/(1 + exp(-z))" in text and "a*(1 - a)" in text and "checked: proved" in text and "NumPy" in text
    assert json.loads(run("show", "sigmoid", "--to", "json").stdout)["name"] == "sigmoid"
    assert r"\frac{1}{1 + e^{-z}}" in run("show", "sigmoid", "--to", "md").stdout
    assert run("show", "tanh", "--to", "tex,json", "-o", str(tmp_path)).exit_code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tanh.json", "tanh.tex"]
    assert (tmp_path / "tanh.tex").read_text() == cataloguepages.card_source(find("tanh"))


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["show", "sigmod"], "chainrule: nothing is called 'sigmod'; did you mean 'sigmoid'?"),
    (["list", "los"], "chainrule: no table is called 'los'; did you mean 'loss'?"),
    (["show", "relu", "--to", "jsn"], "chainrule: --to jsn: no such format; did you mean 'json'?"),
    (["list", "--to", "yaml"], "chainrule: --to yaml: no such format; valid names: table, json"),
    (["catalogue", "--to", "md"], "chainrule: --to md: no such format; valid names: pdf, tex"),
    (["catalogue", "--to", ","], "chainrule: --to names nothing"),
])
def test_a_mistake_is_one_sentence(arguments: list[str], sentence: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2 and result.stderr.strip() == sentence and not result.stdout


def test_models_methods_and_operations_are_listed() -> None:
    assert {"linear_regression", "multiple_regression", "matrix_regression", "perceptron", "logistic_regression", "xor_network", "deep_linear_network",
            "residual_network", "recurrent_network", "lstm_network", "transformer_block"} <= set(of("model"))
    assert {"newton", "lagrange", "hessian", "directional_derivative", "normal_equations"} <= set(of("method"))
    slopes = {name: [s["lines"][-1]["formula"] for s in data(entry("operation", name))["steps"]] for name in of("operation")}
    assert slopes["add"] == ["1", "1"] and slopes["subtract"] == ["1", "-1"] and slopes["multiply"] == ["b", "a"] and slopes["divide"] == ["1/b", "-a/b**2"]


@pytest.mark.parametrize("name", of("method"))
def test_a_method_shows_its_sections(name: str) -> None:
    shown, text = data(entry("method", name)), card(entry("method", name))
    assert shown["sections"] and all(s["checked"] or not s["latex"] for s in shown["sections"])
    assert all(s["title"] in text for s in shown["sections"])
    marks = sum(bool(s["checked"]) for s in shown["sections"])
    assert marks and cataloguepages.card_source([entry("method", name)]).count(r"\checkmarkbox{") >= marks + 1
    assert all(s["title"].split(":")[0].replace("'", "&#39;") in cataloguepages.markdown_of([entry("method", name)]) for s in shown["sections"])


# ---------------------------------------------------------------- the code that is printed

NAMES = {"np": np, "erf": np.vectorize(math.erf), "erfc": np.vectorize(math.erfc)}


def evaluated(lines: tuple[str, ...], **values: Any) -> dict[str, Any]:
    """The names that the printed lines give, when they are run."""
    env: dict[str, Any] = {**NAMES, **values}
    with np.errstate(all="ignore"):
        exec("\n".join(lines), env)  # noqa: S102 - the lines are ours
    return env


@pytest.mark.parametrize("name", [n for n in (*of("activation"), *of("function"))])
def test_the_code_of_a_function_runs(name: str) -> None:
    """Value and slopes of the printed code, against the formula and the slope of the row in high precision."""
    r = FUNCTIONS[name]
    letters = [s.name for s in r.args]
    e = entry("activation" if r.activation else "function", name)
    tried = 0
    for x in POINTS:
        point = dict(zip(letters, (x, 0.83 - x / 3), strict=False))
        with mp.workdps(30):
            env = {n: [[mp.mpf(v)]] for n, v in point.items()}
            try:
                value = MP.call(name, [mp.mpf(point[n]) for n in letters])
                slopes = [entries(functions.slope_form(name, k), {**env, "a": [[value]]}, MP)[0][0] for k in range(len(letters))]
            except ArithmeticError:
                continue
        found = evaluated(e.code, **{n: np.array(v) for n, v in point.items()})
        got = [found["a"], *([found["da"]] if len(letters) == 1 else [found[f"da_d{n}"] for n in letters])]
        assert np.allclose(np.array(got, dtype=float), [float(value), *map(float, slopes)], rtol=1e-10, atol=1e-13), (x, e.code)
        tried += 1
    assert tried >= 3, "no point in its domain"


@pytest.mark.parametrize("shares", [("0.2", "0.7", "0.1"), (0, 1, 0)], ids=["between", "certain"])
@pytest.mark.parametrize("name", of("loss"))
def test_the_code_of_a_loss_runs(name: str, shares: tuple[Any, ...]) -> None:
    """Also where a prediction is exactly 0 or 1 and right: 0 ln 0 counts as 0, so that it is the limit, without a warning."""
    e = entry("loss", name)
    y_hat, y = np.array([[float(v)] for v in shares]), np.array([[0.0], [1.0], [0.0]])
    network = loss_network(name, 3)
    (certified,) = (c for c in e.parts() if c.lesson.network.symbols["y_hat"].shape)
    with mp.workdps(90):
        near = mp.mpf(10) ** -40 if "log(y_hat)" in LOSSES[name].entry else 0  # from within: there log(0) is never asked for
        point = forward(network, {"y_hat": [[min(max(mp.mpf(v), near), 1 - near)] for v in shares], "y": [[mp.mpf(v[0])] for v in y]})
        env = gradients(certified.lesson.derivation, point)
    with np.errstate(all="raise"):
        found = evaluated(e.code, y_hat=y_hat, y=y)
    assert np.isclose(float(found["L"]), float(env["L"][0][0]), rtol=1e-10, atol=1e-14), e.code
    assert np.allclose(found["dy_hat"], np.array(env["L", "y_hat"], dtype=float), rtol=1e-10, atol=1e-14), e.code


@pytest.mark.parametrize("name", of("vector function"))
def test_the_code_of_a_vector_function_runs(name: str) -> None:
    e = entry("vector function", name)
    z = np.array([[0.3], [-1.2], [2.5]])
    with mp.workdps(30):
        expected = np.array(entries(e.equations[0][1], {"z": [[mp.mpf(v[0])] for v in z]}, MP), dtype=float)
    found = evaluated(e.code[:1], z=z)
    assert np.allclose(found["a"], expected, rtol=1e-12)


CODED = [x for x in EVERY if x[0] in ("matrix function", "penalty", "theorem", "layer", "operation", "model", "method")]


@pytest.mark.parametrize(("table", "name"), CODED)
def test_the_code_of_a_network_runs(table: str, name: str) -> None:
    """Every value and every gradient that the printed lines set, at a random point, against the derivation in high precision."""
    e = entry(table, name)
    assert e.network is not None
    (small, _), code = shrink(e.network), identifiers(e.network)
    with mp.workdps(40):
        env = forward(small, {**random_point(small, 1), **{n: [[mp.mpf(LETTERS)]] for n in e.network.sizes}})
        rows, columns = small.symbols[small.output].shape or (1, 1)
        seed = [[mp.mpf(1 + i + 2 * j) for j in range(columns)] for i in range(rows)] if rows * columns > 1 else None
        env = gradients(derive(small), env, seed)
    arrays = {k: np.array(m, dtype=float) for k, m in env.items() if k in code or isinstance(k, tuple) and k[0] == small.output}
    exact = {(code[k] if isinstance(k, str) else f"d{code[k[1]]}"): m if m.size > 1 or small.symbols[k if isinstance(k, str) else k[1]].shape else m[0, 0] for k, m in arrays.items()}
    made = [line.split(" = ")[0] for line in e.code]
    leaves = small.names("input", "parameter", "constant", "target")
    given = {code[n] for n in leaves} | {f"d{code[eq.name]}" for eq in small.equations[-2:]} | ({"z1", "a1"} if table == "theorem" else set())
    table_of = {n: r.numpy for n, r in (*FUNCTIONS.items(), *VECTOR_FUNCTIONS.items())}
    found = evaluated(e.code, **table_of, **{n: v for n, v in exact.items() if n in given - set(made)})
    for n in made:
        assert n not in exact or np.allclose(found[n], exact[n], rtol=1e-9, atol=1e-12), (n, e.code)
    assert len({n for n in made if n in exact}) >= 2 and any(n.startswith("d") for n in made), made


METHOD_RESULTS: dict[str, Callable[[Any, Any, Any, Any], dict[str, Any]]] = {  # by SymPy's point, gradient and Hessian, and the design matrix
    "newton": lambda p, g, H, D: dict(zip("xy", p - H.inv() * g, strict=True)),
    "hessian": lambda p, g, H, D: {"H": H, "eigenvalues": sorted(H.eigenvals())},
    "directional_derivative": lambda p, g, H, D: {"slope": g.dot(sp.Matrix([3, 4])) / 5, "curvature": (sp.Matrix([3, 4]).T * H * sp.Matrix([3, 4]))[0] / 25, "ascent": g / g.norm()},
    "normal_equations": lambda p, g, H, D: {"theta": (D[:, :2].T * D[:, :2]).inv() * D[:, :2].T * D[:, 2]},
}


@pytest.mark.parametrize("name", METHOD_RESULTS)
def test_the_code_of_a_method_does_what_it_says(name: str) -> None:
    """The printed lines at the row's own numbers, against SymPy."""
    e, data = entry("method", name), METHODS[name].data
    x, y = sp.symbols("x y")
    table = sp.Matrix([[a, 1, b] for (a,), (b,) in zip(data["inputs"]["x"], data["targets"]["y"], strict=True)]) if "inputs" in data else None
    at = {k: sp.Rational(v) for k, v in data.get("at", {}).items()}
    f = sp.sympify(data["equations"]["f"]) if "equations" in data else sp.S.Zero
    expected = METHOD_RESULTS[name](sp.Matrix(list(at.values())), sp.Matrix([f.diff(x), f.diff(y)]).subs(at), sp.hessian(f, (x, y)).subs(at), table)
    given = {k: float(v) for k, v in at.items()} or {k: np.array(v, dtype=float) for k, v in (("x", data["inputs"]["x"]), ("y", data["targets"]["y"]))}
    found = evaluated(e.code, **given, **({} if at else {"W1": 0.0, "b1": 0.0}))
    for key, value in expected.items():
        assert np.allclose(np.ravel(found[key]), np.ravel(np.array(value, dtype=float)), rtol=1e-12), (key, e.code)


@pytest.mark.parametrize("name", of("initialisation"))
def test_the_variance_of_first_weights(name: str) -> None:
    """What the card says the variance is, against weights that the printed code draws."""
    e = entry("initialisation", name)
    found = evaluated(e.code, rng=np.random.default_rng(1), fan_in=300, fan_out=200)
    variance = sp.Float(eval(next(f.said for f in e.facts() if f.head == "Variance"), {"fan_in": 300, "fan_out": 200}))  # noqa: S307
    assert np.isclose(found["W"].var(), float(variance), rtol=0.05)


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
