"""The catalogue by law: every row of every table is listed, shown, plotted and printed, and its code computes what its formula says."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from click.testing import CliRunner, Result
from mpmath import mp
from trees import well_formed

from symbolic import functions
from symbolic.catalogue.entries import loss_network
from symbolic.catalogue.entry import Entry
from symbolic.catalogue.models import METHODS
from symbolic.catalogue.tables import TABLES, Table, find, tables
from symbolic.claims.scenes import LETTERS
from symbolic.cli import main
from symbolic.derive import derive
from symbolic.functions import FUNCTIONS, VECTOR_FUNCTIONS
from symbolic.language.arithmetic import MP, entries
from symbolic.losses import LOSSES
from symbolic.numeric.program import identifiers
from symbolic.proof.probe import random_point, shrink
from symbolic.render import cataloguepages
from symbolic.render.cataloguetext import WIDTH, card, data, rows_as_table
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
    e, data = entry("method", name), METHODS[name].spec
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
