"""The numbers that the issue names, exact numbers, and sizes that are letters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from course import TWO_LAYERS, example as course

from symbolic.errors import SpecError
from symbolic.lesson import LEVELS
from symbolic.models.initial import INITS
from symbolic.produce import Request, produce

ROOT = Path(__file__).parent.parent
SYMBOLIC = "inputs: {x: {size: 2, batch: n}}\ntargets: {y: {}}\nlayers: [{units: 3, activation: tanh}, {units: 1, activation: sigmoid}]\nloss: mse\n"


@pytest.fixture
def report(tmp_path: Path) -> Any:
    """A function from YAML text to the report as plain data."""
    def run(text: str, **request: Any) -> dict[str, Any]:
        (tmp_path / "spec.yaml").write_text(text)
        (made,) = produce(tmp_path / "spec.yaml", tmp_path / "out", Request(("json",), **request), lambda line: None)
        return json.loads(made.read_text(), parse_constant=pytest.fail)

    return run


def near(*expected: float) -> Any:
    return pytest.approx(expected if len(expected) > 1 else expected[0], abs=5.0000001e-5)


def example(name: str) -> str:
    return course(name).read_text()


# ---------------------------------------------------------------- the six examples

def test_two_layers(report: Any) -> None:
    out = report(example("two-layers"))
    assert {k: out["forward"][k] for k in ("z1", "y_hat")} == {"z1": [near(0.3775), near(0.3925)], "y_hat": [near(0.7514)]}
    assert list(out["forward"]) == ["z1", "a1", "z2", "a2", "y_hat"]
    g = out["gradients"]
    assert out["loss"] == near(0.2748) and g["z2"] == [near(0.1385)] and g["W2"] == [[near(0.0822), near(0.0827)]] and g["z1"] == [near(0.0134), near(0.0150)]
    assert g["W1"] == [[pytest.approx(d * x) for x in (0.05, 0.10)] for d in g["z1"]] and g["b1"] == g["z1"] and g["b2"] == g["z2"]
    assert out["updated"]["W2"] == [[pytest.approx(0.40 - 0.5 * g["W2"][0][0]), pytest.approx(0.45 - 0.5 * g["W2"][0][1])]]
    assert set(out["updated"]) == {"W1", "b1", "W2", "b2"} and out["loss_after"] == near(0.2580)
    assert {s["checked"] for s in out["steps"]} == {"proved"}


def test_one_neuron(report: Any) -> None:
    out = report(example("one-neuron"))
    assert out["forward"]["z1"] == [near(0.9)] and out["forward"]["y_hat"] == [near(0.7109)]
    assert out["gradients"]["W1"] == [[near(-0.1188)]] and out["gradients"]["b1"] == [near(-0.0594)]
    assert out["updated"] == {"W1": [[near(0.6119)]], "b1": [near(-0.2941)]} and out["loss"] == near(0.0418)


def test_graph(report: Any) -> None:
    out = report(example("graph"))
    assert out["forward"] == {"b": 12, "c": 15, "d": 5, "e": 75} and out["loss"] == 75
    assert out["gradients"] == {"a": 35, "b": 5, "c": 5, "d": 15, "e": 1} and out["updated"] == {} and out["loss_after"] is None


def test_chain_rule_from_two_slopes(report: Any) -> None:
    out = report(example("chain-rule"))
    assert out["gradients"]["x"] == 6 and out["loss"] is None
    assert any("= 3 \\cdot 2 = 6" in line for s in out["steps"] for line in s["latex"])


def test_surface(report: Any) -> None:
    out = report(example("surface"))
    assert out["gradients"] == {"x": 2, "y": 4, "z": 1} and out["loss"] == 5


def test_batch(report: Any) -> None:
    out = report(example("batch"))
    assert out["loss"] == pytest.approx(0.04125) and out["gradients"]["W1"] == [[pytest.approx(-0.175)]] and out["gradients"]["b1"] == [pytest.approx(-0.35)]
    assert out["forward"]["y_hat"] == [[0.05], [0.15], [0.3], [0.35]] and out["gradients"]["a1"] == [[-0.075], [-0.05], [-0.05], [-0.175]]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("path", list(map(course, ("derivative", "chain-rule", "surface", "graph", "one-neuron", "two-layers", "batch", "recurrent"))),
                         ids=lambda p: p.stem)  # the others: test_examples.py
def test_every_example_at_every_level(path: Path, level: str, report: Any) -> None:
    out = report(path.read_text(), levels=(level,), every=True)
    assert list(out)[:7] == ["title", "forward", "loss", "gradients", "updated", "loss_after", "steps"]
    assert out["steps"] or (level == "numbers" and out["loss"] is None)  # without numbers there are none to show
    assert out["gradients"] == report(path.read_text())["gradients"]
    for s in out["steps"]:
        assert list(s) == ["of", "wrt", "rule", "because", "latex", "value", "shape", "checked", "level"]
        assert s["latex"] and s["checked"] in ("proved", "30 digits") and s["because"].endswith(".")


# ---------------------------------------------------------------- exact numbers

def test_sigmoid_of_ln_3_is_three_quarters(report: Any) -> None:
    out = report("equations: {p: sigmoid(t)}\nat: {t: ln(3)}\n")
    assert out["forward"]["p"] == 0.75 and out["gradients"]["t"] == 0.1875
    assert any(r"\frac{3}{16}" in line for s in out["steps"] for line in s["latex"])


def test_exact_numbers_stay_exact_in_a_network(report: Any) -> None:
    out = report("inputs: {x: [1]}\ntargets: {y: [0]}\nlayers: [{activation: sigmoid, W: [[ln(3)]]}]\nloss: squared_error\nlearning_rate: 1/3\n")
    numbers = [line for s in out["steps"] for line in s["latex"] if s["level"] == "numbers"]
    assert out["forward"]["y_hat"] == [0.75] and out["gradients"]["a1"] == [1.5] and out["gradients"]["W1"] == [[0.28125]]
    assert any(r"\frac{3}{2}" in line for line in numbers) and any(r"\frac{9}{32}" in line for line in numbers)
    assert not any("0." in line.split("=")[-1] for line in numbers)


def test_a_decimal_anywhere_prints_decimals(report: Any) -> None:
    out = report("equations: {p: sigmoid(t)*0.5}\nat: {t: ln(3)}\n")
    assert any("0.09375" in line for s in out["steps"] for line in s["latex"])


# ---------------------------------------------------------------- given, wrt, leaving out numbers

def test_given_at_its_name_or_at_its_point(report: Any) -> None:
    for key in ("f'(x)", "f'(1)"):
        out = report(f"equations: {{h: g(f(x))*x}}\nat: {{x: 1}}\ngiven: {{\"{key}\": 2, \"g'(f(x))\": 3, \"g(f(x))\": 5}}\n")
        assert out["gradients"]["x"] == 11 and out["loss"] == 5


def test_wrt_limits_the_steps_alone(report: Any) -> None:
    text = example("graph").replace("wrt: [a]", "")
    everything, limited = report(text + "wrt: [a, b, c, d]"), report(text + "wrt: [d]")
    assert limited["gradients"] == everything["gradients"] and {s["wrt"] for s in limited["steps"]} == {"d"} < {s["wrt"] for s in everything["steps"]}


def test_a_vector_valued_last_equation_has_jacobians(report: Any) -> None:
    out = report("equations: {u: W @ x, v: u*u}\nat: {x: [1, 2], W: [[1, 0], [3, 1]]}\n")
    assert "gradients" not in out and out["loss"] is None and out["forward"] == {"u": [1, 5], "v": [1, 25]}
    assert out["jacobians"]["x"] == [[2, 0], [30, 10]] and out["jacobians"]["u"] == [[2, 0], [0, 10]]
    assert out["jacobians"]["W"] == [[[2, 4], [0, 0]], [[0, 0], [10, 20]]]


def test_missing_weights_leave_expressions(report: Any) -> None:
    out = report("inputs: {x: [1, 2]}\ntargets: {y: [1]}\nlayers: [{units: 1, activation: sigmoid}]\nloss: half_squared_error\nlearning_rate: 0.1\n")
    assert out["loss"] is None and out["updated"] == {} and out["loss_after"] is None
    assert out["forward"]["z1"] == "W1 @ x + b1" and out["gradients"]["W1"] == "(dL/dz1)*x.T" and out["gradients"]["a1"] == "a1 - y"
    assert all(s["value"] is None for s in out["steps"])


def test_a_batch_of_n(report: Any) -> None:
    out = report(SYMBOLIC)
    assert out["forward"]["z1"] == "W1 @ x + b1 @ ones(1, n)" and out["gradients"]["W1"] == "(dL/dz1) @ x.T"
    assert out["gradients"]["b1"] == "(dL/dz1) @ ones(n, 1)" and out["gradients"]["a2"] == "2*(a2 - y)/n"
    assert {s["level"] for s in out["steps"]} == {"matrix"} and "the size n is a letter" in out["notes"][0]


def test_a_value_that_is_never_used_has_gradient_zero_and_hides_nothing(report: Any) -> None:
    out = report("equations: {q: 3*a*b, e: a + a}\nat: {a: 2, b: 5}\n")
    assert out["gradients"] == {"a": 2, "b": 0, "q": 0, "e": 1}
    out = report("equations: {u: \"sum((W - W)*V, axis=1)\", e: sum(u)}\nat: {V: [[1, 2], [5, 0]], W: [[1, 0], [3, 1]]}\n")
    assert out["gradients"]["W"] == [[0, 0], [0, 0]] == out["gradients"]["V"]


@pytest.mark.parametrize(("source", "at", "slope"), [
    ("relu(a)", "{a: 0}", 0), ("leaky_relu(a)", "{a: 0}", 0.01), ("abs(a)", "{a: 0}", 0), ("max(a, b)", "{a: 1, b: 1}", 0), ("min(a, b)", "{a: 1, b: 1}", 1),
    ("max(a, a)", "{a: 1}", 1), ("relu(a - a)", "{a: 1}", 0),
])
def test_the_slope_at_a_kink_is_the_one_of_the_table(source: str, at: str, slope: float, report: Any) -> None:
    assert report(f'equations: {{e: "{source}"}}\nat: {at}\n')["gradients"]["a"] == slope


# ---------------------------------------------------------------- what used to be refused, or to hang

def test_features_that_are_not_normalized(report: Any) -> None:
    out = report("inputs: {x: [250000]}\ntargets: {y: [1]}\nlayers: [{activation: tanh, W: [[0.00001]], b: [0.1]}]\nloss: half_squared_error\n")
    assert out["gradients"]["W1"] == [[pytest.approx(250000 * out["gradients"]["b1"][0])]]


DEAD = "layers: [{activation: relu, W: [[-1, -1], [-1, -2]]}, {activation: relu, W: [[1, 1]]}, {activation: sigmoid, W: [[1]], b: [0.5]}]"


@pytest.mark.parametrize("text", [
    f"inputs: {{x: [1, 2]}}\ntargets: {{y: [1]}}\n{DEAD}\nloss: half_squared_error\n", "equations: {q: 'sum(a*W, axis=1)', e: sum(q**2)}\nat: {a: 2, W: [[1, 2], [3, 5]]}\n",
    "equations: {q: 'mean((a*W), axis=0).T', e: sum(q**2)}\nat: {a: 2, W: [[1, 2], [3, 5]]}\n", "equations: {y: sin(1000000*x)}\nat: {x: 1}\n",
    "equations: {p: '(a*x) @ ones(1, 2)', e: sum(p*W)}\nat: {a: 2, x: [1, 2], W: [[1, 2], [3, 5]]}\n", "equations: {q: 'softmax(a*W, axis=1)', e: sum(q*W)}\nat: {a: 2, W: [[1, 2], [3, 5]]}\n",
    "equations: {q: '(W*W) @ W', e: sum(q*W)}\nat: {W: [[1, 2], [3, 5]]}\n", "equations: {q: 'max(x @ ones(1, 2), axis=1)', e: sum(q**2)}\nat: {x: [1, 2]}\n",
])
def test_what_once_failed_its_own_check(text: str, report: Any) -> None:
    assert report(text, levels=LEVELS, every=True)["steps"]


def test_a_domain_far_from_zero(report: Any) -> None:
    assert report("equations: {y: log(a - 10)*sqrt(b - 500)}\nat: {a: 20, b: 600}\n")["gradients"]["a"] == 1


@pytest.mark.parametrize(("text", "sentence"), [
    ("equations: {y: exp(a)}\nat: {a: 800}", "too large"), ("equations: {y: exp(exp(exp(a)))}\nat: {a: 10}", "too large"),
    ("equations: {y: 2**a}\nat: {a: 100000000}", "too large"), ("equations: {y: 9**9**9*a}\nat: {a: 1}", "too large"), ("equations: {y: 1/a}\nat: {a: 0}", "division by zero"),
    ("equations: {y: a**0.5}\nat: {a: 0}", "division by zero"), ("equations: {y: log(a)}\nat: {a: -1}", "log(-1.0) is not a finite real number"),
    ("equations: {y: a*1e99999999}\nat: {a: 1}", "too large"),
    (TWO_LAYERS.replace("half_squared_error", "cross_entropy").replace("sigmoid, W: [[0.40", "relu, W: [[-4.0"), "log(0.0)"),
    ("inputs: {x: [1]}\ntargets: {y: [0]}\nlayers: [{W: [[2]]}, {W: [[3]]}, {W: [[2]]}]\nloss: mse\nlearning_rate: 1.0e+120", "too large"),
])
def test_numbers_without_an_answer_are_one_sentence(text: str, sentence: str, report: Any, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as e:
        report(text)
    assert sentence in str(e.value) and e.value.exit_status == 2 and not (tmp_path / "out").exists()


# ---------------------------------------------------------------- first weights

DRAWN = "inputs: {x: [1, 2, 3]}\ntargets: {y: [1, 0]}\nlayers: [{units: 3, activation: silu}, {units: 2, activation: softmax}]\nloss: cross_entropy\n"


@pytest.mark.parametrize("scheme", INITS)
def test_a_seed_draws_the_same_weights_and_another_draws_others(scheme: str, report: Any) -> None:
    first, again, other = (report(DRAWN + f"init: {{scheme: {scheme}, seed: {seed}}}\nlearning_rate: 1\n", levels=("matrix",)) for seed in (7, 7, 8))
    assert first == again and (first == other) == (scheme == "zeros")
