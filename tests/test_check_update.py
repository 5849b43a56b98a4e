"""The function that applies the gradients: judged by itself, at two learning rates, in every interface; slips planted into it are named."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from symbolic.check.report import Report
from symbolic.check.session import Options, Session
from symbolic.check.subject import subject
from symbolic.network import Network
from symbolic.optimizers import OPTIMIZERS, Optimizer
from symbolic.slips import SLIPS
from tests import optimizerfiles
from tests.lecturecode import LISTING
from tests.optimizerfiles import INTERFACES, Style, written
from tests.test_check_planted import in_this_process  # noqa: F401 - used by every test

DICTIONARIES = """
import numpy as np

def forward(X, parameters):
    A1 = np.tanh(X @ parameters["W1"] + parameters["b1"])
    return A1 @ parameters["W2"] + parameters["b2"], {"A1": A1}

def backward(X, Y, y_pred, cache, parameters):
    A1 = cache["A1"]
    dZ2 = 2 * (y_pred - Y) / Y.size
    dZ1 = dZ2 @ parameters["W2"].T * (1 - A1**2)
    return {"dW1": X.T @ dZ1, "db1": dZ1.sum(axis=0), "dW2": A1.T @ dZ2, "db2": dZ2.sum(axis=0)}

def update_parameters(parameters, grads, learning_rate=1.2):
    for l in range(1, 3):
        parameters["W" + str(l)] = parameters["W" + str(l)] - learning_rate * grads["dW" + str(l)]
        parameters["b" + str(l)] = parameters["b" + str(l)] - learning_rate * grads["db" + str(l)]
    return parameters
"""
OBJECT = """
import numpy as np

class Net:
    def __init__(self, n_in, n_hidden, n_out):
        self.W1, self.b1 = np.zeros((n_in, n_hidden)), np.zeros(n_hidden)
        self.W2, self.b2 = np.zeros((n_hidden, n_out)), np.zeros(n_out)

    def forward(self, X):
        self.A1 = np.tanh(X @ self.W1 + self.b1)
        return self.A1 @ self.W2 + self.b2

    def backward(self, X, Y, y_pred):
        dZ2 = 2 * (y_pred - Y) / Y.size
        self.dW2, self.db2 = self.A1.T @ dZ2, dZ2.sum(axis=0)
        dZ1 = dZ2 @ self.W2.T * (1 - self.A1**2)
        self.dW1, self.db1 = X.T @ dZ1, dZ1.sum(axis=0)

    def step(self, lr):
        self.W1 -= lr * self.dW1
        self.b1 -= lr * self.db1
        self.W2 -= lr * self.dW2
        self.b2 -= lr * self.db2
"""
ADAM = OBJECT.split("    def step")[0] + """    def step(self, lr, beta1=0.9, beta2=0.999):
        self.t = getattr(self, "t", 0) + 1
        self.m = getattr(self, "m", {})
        self.v = getattr(self, "v", {})
        for n in ("W1", "b1", "W2", "b2"):
            g = getattr(self, "d" + n)
            self.m[n] = beta1 * self.m.get(n, 0) + (1 - beta1) * g
            self.v[n] = beta2 * self.v.get(n, 0) + (1 - beta2) * g**2
            m_hat, v_hat = self.m[n] / (1 - beta1**self.t), self.v[n] / (1 - beta2**self.t)
            setattr(self, n, getattr(self, n) - lr * m_hat / (np.sqrt(v_hat) + 1e-8))
        self.W1 = self.W1 + 0
"""
LISTS = DICTIONARIES.split("def update")[0] + """
def step(W1, b1, W2, b2, dW1, db1, dW2, db2, lr):
    for p, g in ((W1, dW1), (b1, db1), (W2, dW2), (b2, db2)):
        p -= lr * g
"""
FILES = {"functions": LISTING, "dictionaries": DICTIONARIES, "class": OBJECT, "class with Adam": ADAM, "in place": LISTS}
RATES = {"functions": "learning_rate * ", "dictionaries": "learning_rate * ", "class": "lr * ", "in place": "lr * "}


def checked(interface: str, text: str, folder: Path) -> Report:
    path = folder / "student.py"
    path.write_text(text)
    against = subject("3-4-2 sigmoid sigmoid", "bce") if interface == "functions" else subject("3-4-2 tanh identity", "mse")
    return Session(against, Options(seed=4, mend=False)).check(path)


@pytest.mark.parametrize("interface", FILES)
def test_a_right_update_is_right(interface: str, tmp_path: Path) -> None:
    report = checked(interface, FILES[interface], tmp_path)
    assert report.right and report.updates, report.text()
    assert ("Adam" if interface.endswith("Adam") else "gradient descent") in report.update[0]


@pytest.mark.parametrize(("gradients", "right"), [("/ Y.shape[0]", False), ("", True)])
def test_a_mean_is_not_divided_again(gradients: str, right: bool, tmp_path: Path) -> None:
    """The number of examples belongs in the gradients or in the update, once."""
    text = DICTIONARIES.replace("/ Y.size", f"/ 2 {gradients}").replace("grads, learning_rate", "grads, m, learning_rate").replace("- learning_rate *", "- learning_rate / m *")
    report = checked("dictionaries", text, tmp_path)
    assert (report.right, report.updates) == (right, right) and "number of examples" in " ".join(report.update), report.text()


@pytest.mark.parametrize("interface", RATES)
@pytest.mark.parametrize(("slip", "change"), [
    ("step-backwards", lambda t, rate: t.replace(f"- {rate}", f"+ {rate}").replace(f"-= {rate}", f"+= {rate}")),
    ("rate-forgotten", lambda t, rate: t.replace(rate, "")),
    ("bias-fixed", lambda t, rate: t.replace(f"{rate}db", f"0 * {rate}db").replace(f'{rate}grads["db"', f'0 * {rate}grads["db"').replace(f"{rate}self.db", f"0 * {rate}self.db")
     .replace("(b1, db1)", "(b1, 0 * db1)").replace("(b2, db2)", "(b2, 0 * db2)")),
    ("", lambda t, rate: t.replace(rate, f"0.01 * {rate}")),
    ("", lambda t, rate: t.replace(rate, "0.01 * ")),
])
def test_a_wrong_update_is_named(interface: str, slip: str, change: object, tmp_path: Path) -> None:
    text = change(FILES[interface], RATES[interface])  # type: ignore[operator]
    assert text != FILES[interface]
    report = checked(interface, text, tmp_path)
    assert report.status == "wrong" and report.updates is False and all(r.verdict.passed for r in report.rows), text + report.text()
    said = SLIPS[slip].sentence if slip else "0.01 times what it should be" if "0.01 * l" in text else "multiplied by 0.01, whatever the learning rate is"
    assert said in " ".join(report.update), report.text()
    assert report.score == 4 / 5 and "The update is wrong" in report.message


@pytest.mark.parametrize(("slip", "good", "bad"), [
    ("no-correction", "self.m[n] / (1 - beta1**self.t), self.v[n] / (1 - beta2**self.t)", "self.m[n], self.v[n]"),
    ("correction-upside-down", "self.m[n] / (1 - beta1**self.t), self.v[n] / (1 - beta2**self.t)", "self.m[n] * (1 - beta1**self.t), self.v[n] * (1 - beta2**self.t)"),
    ("share-forgotten", "(1 - beta1) * g\n            self.v[n] = beta2 * self.v.get(n, 0) + (1 - beta2) * g**2", "g\n            self.v[n] = beta2 * self.v.get(n, 0) + g**2"),
    ("root-forgotten", "np.sqrt(v_hat)", "v_hat"),
    ("step-backwards", "- lr * m_hat", "+ lr * m_hat"),
    ("gradient-again", "- lr * m_hat", "- g * lr * m_hat"),
    ("memory-lost", "self.m.get(n, 0) +", "0 +"),
])
def test_a_wrong_optimizer_is_named(slip: str, good: str, bad: str, tmp_path: Path) -> None:
    text = ADAM.replace(good, bad)
    if slip == "memory-lost":
        text = text.replace("self.v.get(n, 0) +", "0 +").replace("self.m[n] / (1", "self.m[n] / (1")
    assert text != ADAM
    report = checked("class with Adam", text, tmp_path)
    assert report.updates is False and SLIPS[slip].sentence in report.update, report.text()


def test_what_does_not_run_is_said_and_not_judged(tmp_path: Path) -> None:
    report = checked("functions", LISTING.replace("learning_rate * dW2", "learning_rate * dW1"), tmp_path)
    assert report.right and report.updates is None and any("The update does not run" in w and "student.py:37" in w for w in report.warnings), report.text()
    report = checked("functions", LISTING.replace("learning_rate):", "learning_rate, velocity):"), tmp_path)
    assert report.right and report.updates is None and any("not judged" in n and "velocity" in n for n in report.notes)


# ---------------------------------------------------------------- optimizers by themselves, in every interface

ALONE = Session(None, Options(seed=3))
PLANTED = {n: s for n, s in SLIPS.items() if s.kind == "optimizer"}
PASSES = {"epsilon-moved"}  # known both ways, so it is named and passes; with --strict it does not
WORDS = {"eta": ["learning_rate", "lr", "alpha", "step_size"], "beta": ["beta", "momentum", "mu", "gamma"], "rho": ["rho", "decay_rate", "beta"], "epsilon": ["epsilon", "eps"],
         "beta1": ["beta1", "beta_1", "b1"], "beta2": ["beta2", "beta_2", "b2"], "lam": ["weight_decay", "wd", "lam"]}


def alone(text: str, folder: Path, session: Session = ALONE) -> Report:
    path = folder / "optimizer.py"
    path.write_text(text)
    return session.check(path)


def planted(slip: str) -> list[tuple[Optimizer, Optimizer]]:
    """Optimizers with a slip in each of its ways, beside the right ones; Adam before simpler ones, which know more conventions."""
    found = [(row, wrong) for changed in PLANTED[slip].change(Network((), {})) for row in reversed(OPTIMIZERS.values()) if changed.row and (wrong := changed.row(row))]
    return [(row, wrong) for row, wrong in found if list(wrong.equations.items()) not in [list(r.equations.items()) for r in OPTIMIZERS.values()]]


@pytest.mark.parametrize("slip", PLANTED)
def test_every_slip_of_an_optimizer_is_named_in_three_interfaces(slip: str, tmp_path: Path) -> None:
    """In the first optimizer that shows it; its other ways and places in one interface each, in turn."""
    first, *more = planted(slip)
    at = list(PLANTED).index(slip)
    names = [list(INTERFACES)[(at + k) % len(INTERFACES)] for k in range(len(INTERFACES))]
    for k, ((row, wrong), interface) in enumerate([*((first, i) for i in names[:3]), *((m, names[k % len(names)]) for k, m in enumerate(more[::4]))]):
        report = alone(written(interface, wrong, row.name), tmp_path)
        assert PLANTED[slip].sentence in " ".join(report.update), (k, interface, wrong.equations, report.text())
        assert report.updates is (slip in PASSES) and report.exit_status == (slip not in PASSES)
        changed = [f"`{t} = {s}`" for t, s in wrong.equations.items() if s != row.equations[t]]
        assert not changed or any(changed[0] in said for said in report.update), report.text()


def test_what_may_be_meant_is_wrong_where_strict(tmp_path: Path) -> None:
    ((row, wrong), *_) = planted("epsilon-moved")
    assert alone(written("class", wrong, row.name), tmp_path, Session(None, Options(strict=True))).exit_status == 1
    inside = OPTIMIZERS["rmsprop_inside"]
    assert alone(written("class", inside, "rmsprop"), tmp_path, Session(None, Options(strict=True))).right  # a row of its own


def test_hints_tell_no_more_than_they_may(tmp_path: Path) -> None:
    row, wrong = planted("no-correction")[0]
    report = alone(written("settings", wrong, row.name), tmp_path)
    told = [" ".join(report.told(hint).get("update", [])) for hint in range(4)]
    assert not told[0] and "optimizer.py:" in told[1] and "start at 0" in told[2] and "In place of" not in told[2] and "`m_hat = m/(1 - beta1**t)`" in told[3]


@settings(max_examples=24, deadline=None)
@given(st.sampled_from(list(OPTIMIZERS.values())), st.sampled_from(list(INTERFACES)), st.booleans(), st.booleans(), st.data())
def test_right_optimizers_are_never_accused(row: Optimizer, interface: str, defaults: bool, named: bool, data: st.DataObject) -> None:
    """Every optimizer, in every interface, with options by any of their names, under its own name or one that says nothing."""
    words = {n: data.draw(st.sampled_from(WORDS[n])) for n in ("eta", *row.options)}
    text = written(interface, row, row.name if named else "optimizer", Style(defaults, words))
    with TemporaryDirectory() as folder:
        report = alone(text, Path(folder))
    assert report.right and report.updates and report.exit_status == 0, text + report.text()


@pytest.mark.parametrize("name", optimizerfiles.FILES)
def test_optimizers_as_courses_and_libraries_write_them_are_right(name: str, tmp_path: Path) -> None:
    text, titles = optimizerfiles.FILES[name]
    report = alone(text, tmp_path, Session(None, Options(seed=5)))
    assert report.right, report.text()
    assert [re.search(r"the step of (.*), with any", said)[1] for said in report.update if "The update is right" in said] == titles  # type: ignore[index]


@pytest.mark.parametrize("name", optimizerfiles.STRANGE)
def test_optimizers_that_are_not_known_are_not_judged(name: str, tmp_path: Path) -> None:
    report = alone(optimizerfiles.STRANGE[name], tmp_path)
    assert report.updates is None and report.exit_status == 2 and "not judged" in report.message, report.text()


def test_an_optimizer_beside_a_network_is_judged_too(tmp_path: Path) -> None:
    row, wrong = planted("root-forgotten")[0]
    for optimizer, right in ((row, True), (wrong, False)):
        report = checked("dictionaries", DICTIONARIES + written("dictionaries", optimizer, "adam"), tmp_path)
        assert report.updates is right and len(report.update) >= 2 and all(r.verdict.passed for r in report.rows), report.text()


HELD = OBJECT.replace("n_out):\n", "n_out, lr=0.1, beta=0.9):\n        self.lr, self.beta, self.v = lr, beta, {}\n", 1).split("    def step")[0] + """    def step(self):
        for n in ("W1", "b1", "W2", "b2"):
            self.v[n] = self.beta * self.v.get(n, 0) + getattr(self, "d" + n)
        self.W1 -= self.lr * self.v["W1"]
        self.b1 -= self.lr * self.v["b1"]
        self.W2 -= self.lr * self.v["W2"]
        self.b2 -= self.lr * self.v["b2"]
"""


@pytest.mark.parametrize(("good", "bad", "slip"), [("", "", ""), ("+ getattr", "- getattr", "step-backwards"), ("self.v.get(n, 0)", "0", "memory-lost"), ('self.v["', 'self.d["', "memory-unused")])
def test_momentum_within_the_class_of_the_network(good: str, bad: str, slip: str, tmp_path: Path) -> None:
    text = HELD.replace(good, bad).replace('self.d["W1"]', "self.dW1").replace('self.d["b1"]', "self.db1").replace('self.d["W2"]', "self.dW2").replace('self.d["b2"]', "self.db2") if good else HELD
    report = checked("class", text, tmp_path)
    assert report.updates is not bool(slip) and all(r.verdict.passed for r in report.rows), report.text()
    assert (SLIPS[slip].sentence if slip else "Momentum") in " ".join(report.update), report.text()
