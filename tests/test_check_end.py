"""From a file to what a person reads: correct code is never accused, planted mistakes are found and named, in every interface and format."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from studentfiles import FILES

from symbolic.check.adapter import Adapter
from symbolic.check.points import Blueprint
from symbolic.check.report import Report
from symbolic.check.session import Options, Session
from symbolic.check.shortnet import network
from symbolic.check.subject import Subject, loss_of
from tests.test_check_planted import in_this_process  # noqa: F401 - used by every test: the sandbox has its own

FUNCTIONS, CLASS, SCRIPT, LAYERS = "functions and tuples, helpers missing", "class with params and loss, classes as numbers", "flat script", "layer objects"
COLUMNS, STEP = "dictionaries, columns", "class with a learning rate and a training step"

# interface: the mistake, the correct text, the wrong text
PLANTED: dict[str, list[tuple[str, str, str]]] = {
    FUNCTIONS: [
        ("hidden-slope", "np.dot(dz2, W2.T) * sigmoid_derivative(z1)", "np.dot(dz2, W2.T)"),
        ("output-slope", "(y_pred - y) * sigmoid_derivative(z2)", "y_pred - y"),
        ("slope-twice", "* sigmoid_derivative(z1)", "* sigmoid_derivative(z1)**2"),
        ("slope-elsewhere", "sigmoid_derivative(z1)", "sigmoid_derivative(a1)"),
        ("function-for-slope", "sigmoid_derivative(z1)", "sigmoid(z1)"),
        ("slope-of-another", "sigmoid_derivative(z1)", "(1 - np.tanh(z1)**2)"),
        ("bias-mean", "np.sum(dz1, axis=0)", "np.mean(dz1, axis=0)"),
        ("mean-forgotten", "m = X.shape[0]", "m = 1"),
        ("mean-on-some", "axis=0) / m", "axis=0)"),
        ("sign", "(y_pred - y)", "(y - y_pred)"),
        ("factor-doubled", "(y_pred - y)", "2 * (y_pred - y)"),
        ("raw-error", "np.dot(dz2, W2.T)", "np.dot(y_pred - y, W2.T)"),
        ("wrong-input", "np.dot(a1.T, dz2)", "np.dot(z1.T, dz2)"),
        ("not-stored", "np.sum(dz1, axis=0)", "0 * np.sum(dz1, axis=0)"),
    ],
    CLASS: [
        ("hidden-slope", " * (hidden > 0)", ""),
        ("mean-forgotten", "p /= N\n        grads", "grads"),
        ("bias-mean", "back.sum(axis=0)", "back.mean(axis=0)"),
        ("sign", "p /= N", "p /= -N"),
        ("not-stored", "back.sum(axis=0)", "np.zeros(back.shape[1])"),
        ("factor-doubled", "p /= N", "p *= 2 / N"),
    ],
    SCRIPT: [
        ("hidden-slope", " * (1 - A1**2)", ""),
        ("slope-incomplete", "(1 - A1**2)", "(1 - A1)"),
        ("slope-elsewhere", "(1 - A1**2)", "(1 - Z1**2)"),
        ("factor-halved", "dZ2 = 2 * (Z2 - Y)", "dZ2 = (Z2 - Y)"),
        ("mean-twice", "(m * 2)", "(m * m * 2)"),
        ("bias-mean", "dZ1.sum(axis=0)", "dZ1.mean(axis=0)"),
        ("updated-first", "    dZ1 = dZ2 @ W2", "    W2 = W2 - lr * dW2\n    dZ1 = dZ2 @ W2"),
    ],
    LAYERS: [
        ("hidden-slope", "return dout * self.on", "return dout"),
        ("output-slope", "return dout * self.a * (1 - self.a)", "return dout"),
        ("mask-of-gradient", "return dout * self.on", "return dout * (dout > 0)"),
        ("slope-incomplete", "dout * self.a * (1 - self.a)", "dout * (1 - self.a)"),
        ("bias-mean", "dout.sum(axis=0, keepdims=True)", "dout.mean(axis=0, keepdims=True)"),
        ("slope-twice", "dout * self.a * (1 - self.a)", "dout * (self.a * (1 - self.a))**2"),
    ],
    COLUMNS: [
        ("hidden-slope", " * (1 - cache[\"A1\"]**2)", ""),
        ("mean-forgotten", "m = X.shape[1]", "m = 1"),
        ("slope-twice", "(1 - cache[\"A1\"]**2)", "(1 - cache[\"A1\"]**2)**2"),
    ],
    STEP: [
        ("hidden-slope", " * self.a[i] * (1 - self.a[i])", ""),
        ("sign", "delta = (out - y)", "delta = (y - out)"),
        ("output-slope", "(out - y) * out * (1 - out)", "(out - y)"),
    ],
    "forward returns its backward": [("hidden-slope", " * (h > 0)", "")],
    "layers that return their pullbacks": [("slope-incomplete", "(1 - out * out)", "(1 - out)")],
    "affine_forward and affine_backward": [("hidden-slope", "return dout * (x > 0)", "return dout")],
    "layers as dictionaries in a list": [("hidden-slope", " * (self.a[k] > 0)", "")],
    "pairs in a list, the last layer first": [("hidden-slope", " * (1 - acts[k] ** 2)", "")],
    "lists that count from 1": [("bias-mean", "delta.sum(axis=1, keepdims=True)", "delta.mean(axis=1, keepdims=True)")],
    "local gradients of one layer after another": [("mean-on-some", "delta.mean(axis=0)", "delta.sum(axis=0)")],
}


@cache
def session(name: str, mend: bool = False) -> Session:
    file = FILES[name]
    made = Blueprint.of(network(file.net, file.loss, rows=file.rows, reduction=file.reduction), loss_of(file.loss), reduction=file.reduction)
    return Session(Subject(file.net, made, Adapter.model_validate(file.adapter)), Options(seed=5, mend=mend))


def checked(name: str, text: str, folder: Path, mend: bool = False) -> Report:
    path = folder / "student.py"
    path.write_text(text)
    return session(name, mend).check(path)


@pytest.mark.parametrize("name", FILES)
def test_correct_code_is_never_accused(name: str, tmp_path: Path) -> None:
    report = checked(name, FILES[name].text, tmp_path)
    assert (report.status, report.causes) == ("right", ()), report.text()
    assert {r.verdict.verdict for r in report.rows} <= {"OK", "KINK"} and report.rows


@pytest.mark.parametrize(("name", "slip", "good", "bad"), [(n, *p) for n, planted in PLANTED.items() for p in planted])
def test_a_planted_mistake_is_found_and_named(name: str, slip: str, good: str, bad: str, tmp_path: Path) -> None:
    text = FILES[name].text
    assert good in text
    report = checked(name, text.replace(good, bad), tmp_path)
    named = {r.slip for both in report.causes for r in both}
    assert slip in named and all(len(both) == 1 for both in report.causes), report.text()
    assert report.status == "wrong" or all(r.verdict.verdict == "SCALE" for r in report.rows)


def test_enough_is_planted() -> None:
    assert len({slip for planted in PLANTED.values() for slip, *_ in planted}) >= 15
    assert len(PLANTED) >= 4


def test_code_that_holds_a_size_is_right_for_that_size(tmp_path: Path) -> None:
    text = FILES[FUNCTIONS].text.replace("(y_pred - y) *", "(y_pred - y) * 2 / 2 *").replace("/ 2 *", "/ y.shape[1] *")
    path = tmp_path / "student.py"
    made = Subject("4-3-2 sigmoid sigmoid", Blueprint.of(network("4-3-2 sigmoid sigmoid", "mse"), "mse"))
    path.write_text(text)
    assert Session(made, Options(seed=1, mend=False)).check(path).right
    path.write_text(text.replace("y.shape[1]", "2"))
    report = Session(made, Options(seed=1, mend=False)).check(path)
    assert report.right and any("right for the sizes of the spec only" in w for w in report.warnings), report.text()
    assert not Session(made, Options(seed=1, mend=False, strict=True)).check(path).right


def test_gradients_left_from_the_call_before_are_told(tmp_path: Path) -> None:
    text = FILES[LAYERS].text.replace("self.dW = ", "self.dW = getattr(self, 'dW', 0) + ").replace("self.db = ", "self.db = getattr(self, 'db', 0) + ")
    report = checked(LAYERS, text, tmp_path)
    assert report.right and any("Called a second time" in w and "were added" in w for w in report.warnings), report.text()


RETURNED = """
import numpy as np
def gradients(X, y, W1, b1):
    d = 2 * (X @ W1 + b1 - y) / y.size
    return ({})
"""


@pytest.mark.parametrize("returned", ["X.T @ d,\n            d.mean(axis=0)", "{'dW1': X.T @ d,\n            'db1': d.mean(axis=0)}"])
def test_a_gradient_worked_out_in_the_return_statement_has_a_line(returned: str, tmp_path: Path) -> None:
    path = tmp_path / "student.py"
    path.write_text(RETURNED.format(returned))
    report = Session(Subject("3-2 identity", Blueprint.of(network("3-2 identity", "mse"), "mse")), Options(seed=1)).check(path)
    assert {r.verdict.name: r.source.line for r in report.rows} == {"W1": 5, "b1": 6}
    (cause,), *_ = report.causes
    assert cause.slip == "bias-mean" and cause.source.line == 6


DIFFERENCES = """
import numpy as np
def forward(X, W1, b1, W2, b2):
    return np.maximum(0, X @ W1 + b1) @ W2 + b2
def numerical(f, p, eps=1e-5):
    g = np.zeros_like(p)
    for i in np.ndindex(p.shape):
        old = p[i]
        p[i] = old + eps; up = f()
        p[i] = old - eps; down = f()
        p[i] = old
        g[i] = (up - down) / (2 * eps)
    return g
def gradients(X, y, W1, b1, W2, b2):
    f = lambda: 0.5 * np.sum((forward(X, W1, b1, W2, b2) - y)**2) / len(X)
    dW1, db1 = numerical(f, W1), numerical(f, b1)
    dW2, db2 = numerical(f, W2), numerical(f, b2)
    return dW1, db1, dW2, db2
"""


@pytest.mark.parametrize(("slope", "verdict"), [("(up - down) / (2 * eps)", "KINK"), ("(up - f()) / eps", "WRONG")])
def test_differences_taken_across_a_kink_are_not_judged_there(slope: str, verdict: str, tmp_path: Path) -> None:
    path = tmp_path / "student.py"
    path.write_text(DIFFERENCES.replace("(up - down) / (2 * eps)", slope))
    report = Session(Subject("", Blueprint.of(network("4-3-2 relu identity", "half_mse"), loss_of("half_mse"))), Options(seed=3, mend=False, pairs=False)).check(path)
    assert {r.verdict.verdict for r in report.rows if r.verdict.name in ("W1", "b1")} == {verdict}, report.text()
    assert report.right == (verdict == "KINK")


ADAM = """
import numpy as np
class Net:
    def __init__(self, n_in, n_out, lr=0.1):
        self.W1, self.b1, self.lr = np.random.randn(n_in, n_out), np.zeros(n_out), lr
    def train_step(self, X, y):
        d = 2 * (X @ self.W1 + self.b1 - y) / y.size
        g, h = X.T @ d, d.sum(0)
        self.W1 -= self.lr * g / (np.sqrt(g**2) + 1e-8)
        self.b1 -= self.lr * h / (np.sqrt(h**2) + 1e-8)
"""


def test_gradients_that_an_update_divides_away_are_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "student.py"
    path.write_text(ADAM)
    made = Session(Subject("", Blueprint.of(network("3-2 identity", "mse"), "mse")), Options(seed=3, mend=False))
    report = made.check(path)
    assert report.status == "could not run" and "cannot be recovered" in report.message
    path.write_text(ADAM.replace(" / (np.sqrt(g**2) + 1e-8)", "").replace(" / (np.sqrt(h**2) + 1e-8)", ""))
    assert made.check(path).right


def test_a_guarded_logarithm_passes_and_is_said(tmp_path: Path) -> None:
    good = FILES["class with params and loss, classes as numbers"]
    text = good.text.replace("np.log(", "np.log(1e-7 + ")
    assert text != good.text
    report = checked("class with params and loss, classes as numbers", text, tmp_path)
    assert report.right and any("keeps the logarithm from 0" in s for s in report.forward), report.text()
    report = checked("class with params and loss, classes as numbers", text.replace(" * (hidden > 0)", ""), tmp_path)
    assert report.status == "wrong"


def test_a_file_without_gradients_is_told_the_three_lines_to_add(tmp_path: Path) -> None:
    path = tmp_path / "student.py"
    path.write_text("def solve(x): return x")
    report = Session(Subject("", Blueprint.of(network("3-2 identity", "mse"), "mse")), Options(seed=3)).check(path)
    assert report.exit_status == 2 and "def gradients(x, y, W1, b1), returning dW1, db1" in report.message
    path.write_text("import numpy as np\ndef backward(x, y, W1, b1): pass")
    assert "backward() returns nothing" in Session(Subject("", Blueprint.of(network("3-2 identity", "mse"), "mse")), Options(seed=3)).check(path).message
