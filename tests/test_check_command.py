"""``chainrule check`` as a person uses it: files, notebooks and folders, every format, hints, exit statuses, and the functions for one's own code."""

from __future__ import annotations

import json
import re
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import symbolic
from symbolic.check.folder import COLUMNS
from symbolic.check.formats import FORMATS, Paper
from symbolic.check.reading import parse
from symbolic.check.report import Report
from symbolic.check.session import Options, Session
from symbolic.check.subject import subject
from symbolic.cli import main
from symbolic.derive import derive
from symbolic.errors import ChainruleError, SpecError
from symbolic.latex import Printer
from symbolic.layers import stack
from symbolic.losses import LOSSES
from symbolic.network import LayerPlan
from symbolic.render.mathml import mathml
from tests.lecturecode import ENGINE, LISTING

ROOT = Path(__file__).parent.parent
SAMPLE, NET = ROOT / "examples/check/student.py", ROOT / "examples/check/net.yaml"


def check(*words: Any) -> Result:
    return CliRunner().invoke(main, ["check", *map(str, words), "--seed", "1"])


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    path = tmp_path / "listing.py"
    path.write_text(LISTING)
    return path


SHORT = """
import numpy as np

{before}
def forward(X, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.tanh(Z1)
    return A1 @ W2 + b2, (Z1, A1)

def loss(y_pred, y):
    return ((y_pred - y) ** 2).sum() {divided}

def backward(X, y, y_pred, cache, W1, W2):
    Z1, A1 = cache
    d2 = 2 * (y_pred - y) {divided}
    d1 = (d2 @ W2.T) * {slope}
    return {{"dW1": X.T @ d1, "db1": d1.sum(0), "dW2": A1.T @ d2, "db2": d2.sum(0)}}
"""


def short(tmp_path: Path, *words: str, before: str = "", divided: str = "/ y.size", slope: str = "(1 - A1**2)") -> Result:
    path = tmp_path / "short.py"
    path.write_text(SHORT.format(before=before, divided=divided, slope=slope))
    return check(path, "--net", "3-2-1 tanh identity", "--loss", "mse", *words)


@pytest.mark.parametrize(("before", "divided"), [("M = 7", "/ M / y.shape[1]"), ("M = 2  # the power", "* M / 2 / y.size"), ("M = 7", "/ (2 * M) * 2 / y.shape[1]")])
def test_a_name_of_the_file_is_the_number_of_examples_where_it_divides(before: str, divided: str, tmp_path: Path) -> None:
    done = short(tmp_path, before=before, divided=divided)
    assert done.exit_code == 0, done.output


def test_a_function_that_is_defined_again_counts_once(tmp_path: Path) -> None:
    """As files grow that are only ever added to; one that something calls in between stays."""
    again = "def backward(X, y, y_pred, cache, W1, W2):\n    return {}\n"
    start = time.process_time()
    done = short(tmp_path, before=again * 5000)
    assert done.exit_code == 0 and time.process_time() - start < 10, done.output
    tree = parse("def f(): return 1\nx = f()\ndef f(): return 2\nimport os\ndef f(): return 3\n@g\ndef f(): return 4\n", "a.py").tree
    assert [s.lineno for s in tree.body] == [1, 2, 4, 5, 7]


def test_what_cannot_be_told_apart_is_counted(tmp_path: Path) -> None:
    """The slopes of relu, relu6 and step at a few points: the first is shown, JSON has all."""
    words = ("--net", "3-2-1 tanh identity", "--loss", "mse")
    path = tmp_path / "one.py"
    path.write_text(SHORT.format(before="", divided="/ y.size", slope="(Z1 > 0)").replace("    Z1, A1 = cache\n", "    Z1, A1 = cache\n    assert len(X) == 1\n"))
    data = json.loads(check(path, *words, "--format", "json").stdout)
    data = data[0] if isinstance(data, list) else data
    assert [both[0]["slip"] for both in data["causes"]] == ["slope-of-another"] * len(data["causes"]) and len(data["causes"]) > 1 == data["shown"]
    assert "The slope of the relu was" in data["causes"][0][0]["said"]
    for form in ("table", "md", "html"):
        assert f"And {len(data['causes']) - 1} other" in check(path, *words, "--format", form).stdout, form


# ---------------------------------------------------------------- the lectures' own code

def test_the_listing_is_right_under_binary_cross_entropy(listing: Path) -> None:
    done = check(listing, "--net", "3-4-1 sigmoid sigmoid", "--loss", "bce")
    assert done.exit_code == 0 and done.output.startswith("RIGHT"), done.output
    for helper in ("np was not imported; supplied", "sigmoid(z) is not in the file; supplied", "sigmoid_derivative(z) is not in the file; supplied, as the slope at its input z"):
        assert helper in done.output.replace("\n", " ")


@pytest.mark.parametrize("outputs", [1, 2])
def test_the_listing_is_wrong_under_the_mean_squared_error(listing: Path, outputs: int) -> None:
    done = check(listing, "--net", f"3-4-{outputs} sigmoid sigmoid", "--loss", "mse")
    assert done.exit_code == 1 and done.output.startswith("WRONG")
    assert "This is the gradient under binary cross entropy" in done.output
    assert re.search(r"listing.py:\d+  dz2 = y_pred - y", done.output)
    factor = "2 * " if outputs == 1 else ""
    assert f"corrected line  dz2 = {factor}(y_pred - y) * y_pred * (1 - y_pred)" in done.output


def test_the_engine_is_right_where_each_node_is_used_once(tmp_path: Path) -> None:
    path = tmp_path / "engine.py"
    path.write_text(ENGINE)
    once = tmp_path / "once.yaml"
    once.write_text("equations: {b: a*4, c: b + 3}\n")
    assert check(path, "--spec", once).exit_code == 0
    shared = tmp_path / "shared.yaml"
    shared.write_text("equations: {c: a*b, e: c*b + c}\n")
    done = check(path, "--spec", shared)
    assert done.exit_code == 1 and "A value that is used more than once (c) sends all that it has gathered at every visit" in done.output
    every = json.loads(check(path, "--format", "json").output)
    verdicts = {g["group"]: g["verdict"] for g in every["gradients"]}
    assert verdicts["c = a*a"] == verdicts["c = a + a"] == "OK" and verdicts["c = a*b; d = c*b; e = d + c"] == "WRONG"
    assert [both[0]["slip"] for both in every["causes"]] == ["resent"]


# ---------------------------------------------------------------- formats and hints

def test_the_sample_says_what_its_readme_says() -> None:
    done = check(SAMPLE, "--spec", NET)
    assert done.exit_code == 1
    shown = (ROOT / "examples/check/README.md").read_text("utf-8").split("Why\n")[1].split("```")[0]
    assert shown.strip() in done.output


@pytest.mark.parametrize("form", ["table", "html"])
def test_the_sample_reports_are_what_a_check_prints(form: str, tmp_path: Path) -> None:
    """But for rounding errors and the walls of this machine, which differ from one to the next."""
    out = tmp_path / "report"
    assert check(SAMPLE, "--spec", NET, "--format", form, "-o", out).exit_code == 1
    told = [re.sub(r"\d\.\de-1\d|\d\.\d · 10<sup>−1\d</sup>|sandbox: [\w, ]+", "...", text)
            for text in (out.read_text("utf-8"), (SAMPLE.parent / f"report.{'txt' if form == 'table' else form}").read_text("utf-8"))]
    assert told[0].split() == told[1].split() and "corrected line" in told[0]


def test_json_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    assert check(SAMPLE, "--spec", NET, "--format", "json", "-o", out).exit_code == 1
    first = out.read_text()
    assert first == made("json").decode()
    data = json.loads(first)
    (cause,), = data["causes"]
    assert (cause["slip"], cause["source"]["line"], cause["corrected"]) == ("slope-elsewhere", 31, "dZ1 = dA1 * A1 * (1 - A1)")
    assert "mathml" not in first and cause["right"]["latex"] and data["seed"] == 1


@cache
def sample() -> Report:
    return Session(subject(NET), Options(seed=1)).check(SAMPLE)


def made(form: str) -> bytes:
    return FORMATS[form].make([sample().told()], Paper())


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_names_the_mistake(form: str) -> None:
    content = made(form)
    if form == "pdf":
        assert content.startswith(b"%PDF")
    else:
        assert "taken at the wrong value" in content.decode()


def test_a_page_stands_alone_and_is_escaped(tmp_path: Path) -> None:
    page = made("html").decode()
    assert not re.search(r"https?://|<script|<link|src=", page.replace("http://www.w3.org", "")) and page.count("<math") > 8
    assert page.count("<th scope=") >= 12 and "<caption>" in page and '<html lang="en">' in page and page.count("<h1") == 1
    path = tmp_path / "x<b>.py"
    path.write_text("def backward(X, y, W1, b1):\n    raise ValueError('<script>alert(1)</script> \\x1b[31m \\\\input{x}')\n    return {'dW1': 0, 'db1': 0}\n")
    report = Session(subject("3-2 identity"), Options(seed=1)).check(path)
    assert report.status == "could not run" and "<script>" in report.message
    for form in ("html", "latex", "md", "table"):
        text = FORMATS[form].make([report.told()], Paper()).decode()
        assert "<script" not in text.replace("<script>alert(1)</script> ", "" if form == "table" else "<script") and "\x1b" not in text
        assert r"\input{x}" not in text or form in ("html", "table")


def test_platforms_read_their_results() -> None:
    scope = json.loads(made("gradescope"))
    assert scope["score"] == 50 and [t["status"] for t in scope["tests"]] == ["passed", "passed", "failed", "failed"] and sum(t["max_score"] for t in scope["tests"]) == 100
    learn = json.loads(made("prairielearn"))
    assert learn["gradable"] and learn["score"] == 0.5 and len(learn["tests"]) == 4
    root = ElementTree.fromstring(made("junit"))
    assert root.find("testsuite").get("failures") == "2" and len(root.findall(".//failure")) == 2  # type: ignore[union-attr]


def test_a_hint_says_no_more_than_it_may(tmp_path: Path) -> None:
    said = [sample().text(h) for h in range(5)]
    keys = ("dL/dW1", "taken at the wrong value", "yours", "corrected line")  # what each level adds
    for level, text in enumerate(said):
        assert [k in text for k in keys] == [level > k for k in range(4)], text
    assert "enters in this line:\n  student.py:31  dZ1" in said[1] and "enters in this line" not in said[2]
    strict = tmp_path / "net.yaml"
    strict.write_text(NET.read_text().replace("max_hint: 4", "max_hint: 1"))
    data = check(SAMPLE, "--spec", strict, "--format", "json").output
    assert "slope" not in data and "sigmoid_prime" not in data.replace("dA1 * sigmoid_prime(A1)", "") and json.loads(data)["hint"] == 1


def test_formulas_become_mathml() -> None:
    """Every loss and its gradients, at whole matrices."""
    for loss in LOSSES:
        net = stack(("x", 3), "y", [LayerPlan(4, "leaky_relu"), LayerPlan(2)], loss, samples="n")
        trees = [eq.rhs for eq in net.equations] + [s.result for s in derive(net).steps.values()]
        assert all(mathml(Printer(net)(tree)).startswith("<math><") for tree in trees)
    with pytest.raises(ChainruleError, match="no MathML: "):
        mathml(r"\unknown{x}")


# ---------------------------------------------------------------- what goes wrong

@pytest.mark.parametrize(("text", "status", "says"), [
    ("def backward(", 2, r"student.py:1: this is not Python"),
    ("def backward(X, y, W1, b1, W2, b2):\n    dW1 = X.summ()\n    return dW1, b1, W2, b2\n", 2, "student.py:2: AttributeError: 'numpy.ndarray' object has no attribute 'summ'"),
    ("x = " + 60_000 * "1, ", 2, "the file is too long to be looked through"),
    ("def hello(): pass\n", 2, "no gradients are found in this file: it defines hello"),
    ("import os\ndef backward(X, y, W1, b1, W2, b2):\n    dW1 = open('/etc/passwd').read()\n    return dW1, b1, W2, b2\n", 2, "other files, the network and other processes are closed"),
    ("import os, signal\ndef backward(X, y, W1, b1, W2, b2):\n    dW1 = W1\n    os._exit(0)\n    return dW1, b1, W2, b2\n", 2, "it ended without a result"),
])
def test_a_file_that_cannot_be_checked_is_one_sentence(text: str, status: int, says: str, tmp_path: Path) -> None:
    path = tmp_path / "student.py"
    path.write_text(text)
    done = check(path, "--net", "4-3-2 tanh identity")
    assert done.exit_code == status and says in " ".join(done.output.split()), done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize("change", [lambda t: t.replace("\n", "\r"), lambda t: t.replace("def ", "\f\ndef "), lambda t: t.replace("import numpy as np", "import numpy as np; S = 'a\f\u2028\x1d'"),
                                    lambda t: t.replace("import numpy as np", "import numpy as np; S = [1,\n2]; ONE = S[0]").replace("* sigmoid", "* ONE * sigmoid")])
def test_lines_end_where_python_ends_them(change: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "student.py").write_text(change(SAMPLE.read_text().replace("sigmoid_prime(A1)", "sigmoid_prime(Z1)")), newline="")
    done = check(tmp_path / "student.py", "--spec", NET)
    assert done.exit_code == 0, done.output


PER_EXAMPLE = '''
import numpy as np
def grads(X, Y, params):
    W1, b1, W2, b2 = params["W1"], params["b1"], params["W2"], params["b2"]
    g = {k: np.zeros_like(v) for k, v in params.items()}
    for x, y in zip(X, Y):
        z1 = x @ W1 + b1.ravel()
        a1 = np.maximum(z1, 0)
        d2 = 2 * (a1 @ W2 + b2.ravel() - y) / y.size / X.shape[0]
        d1 = (d2 @ W2.T) * (z1 > 0)
        g["W2"] += np.outer(a1, d2)
        g["b2"] += d2.reshape(b2.shape)
        g["W1"] += np.outer(x, d1)
        g["b1"] += d1.reshape(b1.shape)
    return g
'''


@pytest.mark.parametrize(("change", "status", "says"), [
    ("", 0, "4 OK"),  # an entry of g is no parameter that is moved
    ("/ X.shape[0]|/ 5", 1, "divided by the number of examples of the first call"),  # its tree has a name that no page knows
    ('["W1"] +=|["W1"] =', 1, "Only the last example counts"),
])
def test_sums_over_examples(change: str, status: int, says: str, tmp_path: Path) -> None:
    (tmp_path / "s.py").write_text(PER_EXAMPLE.replace(*change.split("|")) if change else PER_EXAMPLE)
    done = check(tmp_path / "s.py", "--net", "3-2-2 relu identity", "--hint", 3)
    assert done.exit_code == status and says in " ".join(done.output.split()), done.output


def test_a_link_is_nobodys_own_work(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.py").write_text("x = 1\n")
    (tmp_path / "b" / "other.py").symlink_to(SAMPLE)
    done = check(tmp_path / "b", "--spec", NET)
    assert done.exit_code == 2 and "other.py: this is no file of its own but a link" in done.output


@pytest.mark.parametrize(("words", "says"), [
    (("nowhere.py", "--net", "3-2"), "nowhere.py: there is no such file or folder"),
    ((SAMPLE,), "a network is needed to check this file against"),
    ((SAMPLE, "--net", "3-2 sigmod"), "unknown activation 'sigmod'; did you mean 'sigmoid'?"),
    ((SAMPLE, "--net", "3-2", "--loss", "msee"), "unknown loss 'msee'"),
    ((SAMPLE, "--net", "3-2", "--spec", NET), "both say what the network is"),
    ((SAMPLE, "--spec", NET, "--loss", "mse"), "a spec names its own loss"),
    ((SAMPLE, "--spec", NET, "--format", "jsn"), "no such format; did you mean 'json'?"),
    ((SAMPLE, "--spec", NET, "--format", "pdf"), "a PDF needs a file"),
    ((SAMPLE, "--spec", "nowhere.yaml"), "nowhere.yaml"),
    ((SAMPLE, "--spec", SAMPLE), "a spec is a YAML file"),
])
def test_a_wrong_option_is_one_sentence(words: tuple[Any, ...], says: str) -> None:
    done = check(*words)
    assert done.exit_code == 2 and says in " ".join(done.output.split()) and "Traceback" not in done.output


def test_a_folder_is_told_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "good.py").write_text(SAMPLE.read_text().replace("sigmoid_prime(A1)", "sigmoid_prime(Z1)"))
    (tmp_path / "a.py").write_text(SAMPLE.read_text())
    (tmp_path / "c=.py").write_text("x = (")
    cells = [{"cell_type": "code", "source": SAMPLE.read_text()}]
    (tmp_path / "d.ipynb").write_text(json.dumps({"cells": cells}))
    (tmp_path / ".hidden.py").write_text("x = (")
    table = tmp_path / "out" / "report.csv"
    done = check(tmp_path, "--spec", NET, "--csv", table, "--hint", 2)
    assert done.exit_code == 2 and "4 files: 1 right, 2 wrong, 1 could not run." in done.output
    lines = table.read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS) and [line.split(",")[:2] for line in lines[1:]] == [["a.py", "wrong"], ["b/good.py", "right"], ["c=.py", "could not run"], ["d.ipynb", "wrong"]]
    assert "slope-elsewhere" in lines[1] and lines[1].endswith(",1")
    before = table.read_bytes()
    again = check(tmp_path, "--spec", NET, "--csv", table, "--hint", 2, "--jobs", 2)
    assert again.exit_code == 2 and table.read_bytes() == before


# ---------------------------------------------------------------- functions of one's own

PLAN = [LayerPlan(3, "relu"), LayerPlan(1, "sigmoid")]
OWN = stack(("X", 4), "Y", PLAN, "binary_cross_entropy", samples="n", rows=True)


def forward(X: Any, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
    A1 = np.maximum(X @ W1 + b1, 0)
    return 1 / (1 + np.exp(-(A1 @ W2 + b2))), (A1,)


def backward(X: Any, y: Any, y_pred: Any, cache: Any, W2: Any, slip: str = "") -> Any:
    (A1,) = cache
    d2 = (y_pred - y) / len(X)
    d1 = (d2 @ W2.T) * (A1 > 0)
    return X.T @ d1, d1.sum(0), A1.T @ d2, d2.mean(0) if slip else d2.sum(0)


def wrong(X: Any, y: Any, y_pred: Any, cache: Any, W2: Any) -> Any:
    return backward(X, y, y_pred, cache, W2, "bias")


def test_functions_of_ones_own_are_checked() -> None:
    report = symbolic.check_gradients(OWN, backward, forward=forward)
    assert report.right and str(report).startswith("RIGHT") and "chainrule-check" in report._repr_html_()
    report = symbolic.check_gradients(OWN, wrong, forward=forward, seed=3)
    assert [r.verdict.verdict for r in report.rows] == ["OK", "WRONG", "OK", "OK"] and report.causes[0][0].slip == "bias-mean"


def test_an_assertion_is_short() -> None:
    assert symbolic.assert_gradients(OWN, backward, forward=forward).right
    with pytest.raises(AssertionError) as caught:
        symbolic.assert_gradients(OWN, wrong, forward=forward)
    said = str(caught.value)
    assert len(said.splitlines()) <= 9 and "The gradient of b2 is the sum over the examples; their mean was taken." in said and "Reproduce with seed=" in said


def test_columns_specs_and_memory() -> None:
    spec = {"inputs": {"x": {"size": "3"}}, "targets": {"y": None}, "layers": [{"units": "2", "activation": "tanh"}, {"units": "1"}], "loss": "half_squared_error"}
    left: dict[str, Any] = {}

    def column(x: Any, y: Any, params: Any) -> Any:
        a1 = np.tanh(params["W1"] @ x + params["b1"])
        d = params["W2"] @ a1 + params["b2"] - y
        e = (params["W2"].T @ d) * (1 - a1**2)
        return {"W1": e @ x.T, "b1": e, "W2": d @ a1.T, "b2": d}

    def remembering(x: Any, y: Any, params: Any) -> Any:
        for name, g in column(x, y, params).items():
            left[name] = left[name] + g if name in left and left[name].shape == g.shape else g
        return dict(left)

    assert symbolic.check_gradients(spec, column, layout="columns").right
    assert not symbolic.check_gradients(spec, remembering, layout="columns").right
    stopped = symbolic.check_gradients(spec, lambda x, y, W1: W1 @ y @ x, layout="columns")
    assert stopped.status == "could not run" and "ValueError" in stopped.message
    with pytest.raises(SpecError, match=r"takes 'foo', which stands for nothing known here; say what it is, as in rename=\{'foo': 'W1'\}"):
        symbolic.check_gradients(spec, lambda x, foo: foo, layout="columns")
    with pytest.raises(SpecError, match="layout: unknown word 'row'; did you mean 'rows'"):
        symbolic.check_gradients(spec, column, layout="row")
    with pytest.raises(AttributeError):
        symbolic.check_gradient  # noqa: B018


pytest_plugins = ["symbolic.check.fixture"]


def test_the_fixture_is_the_assertion(check_gradients: Any) -> None:
    assert check_gradients(OWN, backward, forward=forward).right
    with pytest.raises(AssertionError, match="their mean was taken"):
        check_gradients(OWN, wrong, forward=forward)
