"""The function that applies the gradients: judged by itself, at two learning rates, in every interface; slips planted into it are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from symbolic.check.report import Report
from symbolic.check.session import Options, Session
from symbolic.check.subject import subject
from symbolic.slips import SLIPS
from tests.lecturecode import LISTING
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


@pytest.mark.parametrize("interface", RATES)
@pytest.mark.parametrize(("slip", "change"), [
    ("uphill", lambda t, rate: t.replace(f"- {rate}", f"+ {rate}").replace(f"-= {rate}", f"+= {rate}")),
    ("no-rate", lambda t, rate: t.replace(rate, "")),
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
