"""Published numbers and formulas: every verdict, every way to be wrong, and what a file may say."""

from __future__ import annotations

import json
import re
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from course import TWO_LAYERS
from hypothesis import assume, given, settings, strategies as st
from mpmath import mp

from symbolic.claims.claimtext import Digits, read_claims
from symbolic.claims.judge import VERDICTS, Verdict, judge
from symbolic.claims.written import decimals, shown_value, significant, within
from symbolic.cli import main
from symbolic.errors import SpecError
from symbolic.lesson import plan
from symbolic.problem import build as problem_of
from symbolic.reading.numbers import parse_number
from symbolic.reading.specfile import build
from symbolic.reading.yamltext import parse
from symbolic.slips import SLIPS
from symbolic.spec import Spec
from symbolic.verify import certify

ERRATA = Path(__file__).parent.parent / "examples" / "errata"
OPEN = """\
inputs: {x: {size: 2}}
targets: {y: {}}
layers: [{units: 2, activation: sigmoid}, {units: 1, activation: sigmoid}]
loss: half_squared_error
"""
GRAPH = "equations: {b: 4*a, c: b + 3, d: a + 2, e: c*d}\nat: {a: 3}\n"


def spec(text: str) -> Spec:
    located = parse(text, "claims.yaml")
    return build(located.data, located)


@cache
def certified(text: str) -> Any:
    problem = problem_of(spec(text))
    return certify(plan(problem.network, ("matrix",)), problem.numbers())


def judged(text: str, claims: str) -> list[Verdict]:
    """The verdicts on a claims block behind a problem."""
    block = "".join(f"  {line}\n" for line in claims.strip().splitlines())
    return list(judge(problem_of(spec(f"{text}claims:\n{block}")), certified(text)))


def one(text: str, claim: str) -> Verdict:
    (found,) = judged(text, claim)
    return found


# ---------------------------------------------------------------- the published numbers of the lectures

FOUND = {  # file: claims that are not right, as (claim, verdict, slip, words of the reason)
    "two-layer-example": [("dL/dW1", "wrong", "transposed", "has the shape of `W1`")],
    "output-error": [("dL/dz1", "wrong", "output-slope", "`dL/dy_hat` was used as `dL/dz2`")],
    "numpy-listing": [("dL/dz2", "wrong", "other-loss", "binary cross entropy")],
    "four-houses": [("dO/dW", "wrong", "elementwise", "dU is 4 x 3 and dO is 4 x 1")],
    "forward-pass": [("W*Y + B", "wrong", "operand", "`X` was used in place of `Y`"), ("P", "wrong", "operand", "`Y` was used in place of `X`")],
    "rotation": [("angle(M)", "wrong", "sign", "turned around")],
    "epoch": [("One forward pass followed by one backward pass is an epoch.", "note", "", "full batch only")],
    "computational-graph": [], "cross-entropy-step": [], "primitives": [], "slopes": [], "chain-rule": [], "squared-error": [], "transforms": [],
}


@cache
def of_file(name: str) -> list[Verdict]:
    text = (ERRATA / f"{name}.yaml").read_text("utf-8")
    problem = problem_of(spec(text))
    return list(judge(problem, certify(plan(problem.network, ("matrix",)), problem.numbers())))


def test_every_file_of_errata_is_known() -> None:
    assert sorted(p.stem for p in ERRATA.glob("*.yaml")) == sorted(FOUND)


@pytest.mark.parametrize("name", FOUND)
def test_the_slips_of_the_lectures(name: str) -> None:
    off = [v for v in of_file(name) if v.verdict != "right"]
    assert [(v.claim, v.verdict, v.slip) for v in off] == [row[:3] for row in FOUND[name]]
    assert all(words in v.why for v, (*_, words) in zip(off, FOUND[name], strict=True))


@pytest.mark.parametrize(("name", "right"), [("two-layer-example", 13), ("computational-graph", 13), ("forward-pass", 2), ("numpy-listing", 6), ("output-error", 4), ("cross-entropy-step", 4), ("primitives", 11), ("slopes", 10), ("chain-rule", 1), ("squared-error", 6), ("transforms", 2), ("rotation", 3)])
def test_what_is_published_right_is_called_right(name: str, right: int) -> None:
    assert sum(v.verdict == "right" for v in of_file(name)) == right


def test_the_right_formula_stands_beside_the_wrong_one() -> None:
    assert [v.ours for v in of_file("four-houses")] == ["X.T @ dU"] * 2
    assert of_file("two-layer-example")[-1].ours == "dz1 @ x.T"
    assert of_file("numpy-listing")[0].ours == "dy_hat*y_hat*(1 - y_hat)"


# ---------------------------------------------------------------- runs and angles

RUN = "equations: {y: x**2}\nat: {x: 3}\nlearning_rate: 0.3\n"
ADAM = "equations: {y: x**2 + b**2}\nat: {x: 3, b: 1}\nlearning_rate: 0.1\noptimizer: {name: adam, steps: 2}\n"


@pytest.mark.parametrize(("text", "claim", "verdict", "said"), [
    (RUN, "after 1 step: {x: 1.2}", "right", ""), (RUN, "after 3 steps: {x: 0.192}", "right", ""), (RUN, "after 3 steps: {x: 0.193}", "wrong", ""),
    (RUN, "after 3 steps: {loss: 0.0369}", "right", ""), (RUN, "after 3 steps: {y: 0.0370}", "wrong", ""),
    (RUN, "after 3 steps: {x: 12.288}", "wrong", "The gradient was added"), (RUN, "after 2 steps at 1.05: {x: 3.63}", "right", ""),
    (RUN, "after 7 steps at 1.05: {x: -5.84}", "rounding drift", "rounded to 2 decimals"),  # 3.3, 3.63, 3.99, ...: exactly 5.846
    (RUN, "after 2 steps at 0.9: {x: x**2}", "undecidable", "in numbers only"), (RUN, "after 1 step at 0.9: {x: x - 1.8*x}", "right", ""),
    (ADAM, "after 2 steps: {x: 2.80}", "right", ""), (ADAM, "after 2 steps: {x: 2.9}", "wrong", ""),
    (ADAM, "after 1 step at 0.5: {x: 2.5}", "right", ""), (ADAM, "after 9 steps: {x: 2.5}", "wrong", ""),
    ("equations: {y: x**2}\nlearning_rate: 0.3\n", "after 3 steps: {x: 1}", "undecidable", "no numbers to start from"),
    ("equations: {M: 2*R}\nat: {R: [[0, -1], [1, 0]]}\n", "angle(M): 90", "right", ""), ("equations: {M: 2*R}\nat: {R: [[0, -1], [1, 0]]}\n", "angle(M @ M): -180", "wrong", ""),
    ("equations: {M: 2*R}\nat: {R: [[0, -1], [1, 0]]}\n", "angle(M.T): 90", "wrong", "A positive angle turns counter-clockwise"),
    ("equations: {M: 2*R}\nat: {R: [[0, -1], [1, 1]]}\n", "angle(M): 90", "undecidable", "only turns and scales"),
])
def test_a_run_and_an_angle(text: str, claim: str, verdict: str, said: str) -> None:
    found = one(text, claim)
    assert found.verdict == verdict and said in found.why


@pytest.mark.parametrize(("claim", "said"), [("after 0 steps: {x: 1}", "1 to 60"), ("after 3 steps at -1: {x: 1}", "above 0"), ("after 3 steps: {z: 1}", "not known"),
                                             ("angle(z): 1", "not known"), ("after 3 stps: {x: 1}", "after 3 steps")])
def test_a_run_is_asked_for_in_one_way(claim: str, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        one(RUN, claim)


# ---------------------------------------------------------------- numbers

@pytest.mark.parametrize(("claim", "verdict"), [
    ("y_hat: 0.7514", "right"), ("y_hat: [0.7514]", "right"), ("y_hat: [[0.7514]]", "right"), ("y_hat: 0.75", "right"), ("y_hat: 1", "right"),
    ("y_hat: 0.7513", "wrong"), ("y_hat: 0.7515", "wrong"), ("y_hat: 0.75137", "right"), ("y_hat: 0.7513650695523157", "right"), ("y_hat: 0.7513650695523150", "wrong"),
    ("y_hat: 7.514e-1", "right"), ("y_hat: 7.5e-1", "right"), ("y_hat: 7.6e-1", "wrong"), ("y_hat: 3/4", "wrong"), ("y_hat: 0.7514000", "wrong"),
    ("dL/dz1: [0.0134, 0.0150]", "right"), ("dL/dz1: [0.0134, 0.015]", "right"), ("dL/dz1: [0.0134, 0.01500]", "right"), ("dL/dz1: [0.0134, 0.015000]", "rounding drift"),
    ("dL/dW2: [[0.0822, 0.0827]]", "right"), ("dL/dW2: [0.0822, 0.0827]", "right"), ("W2_new: [0.3589, 0.4087]", "right"), ("W2_new: [0.3589, 0.4088]", "wrong"),
    ("loss_after: 0.2545", "wrong"), ("dz2: 0.1385", "right"), ("L: 0.2748", "right"), ("loss: 0.2748", "right"), ("dy_hat/dz2: 0.1868", "right"),
    ("dz2/da1: [[0.40, 0.45]]", "right"), ("dz1/dx: [[0.15, 0.20], [0.25, 0.30]]", "right"), ("dz1/dx: [[0.15, 0.25], [0.20, 0.30]]", "wrong"),
    ("da1/dz1: [0.2413, 0.2406]", "right"), ("W1 @ x: [0.0275, 0.0425]", "right"), ("dL/dz2*0.40: 0.0554", "right"), ("x: [0.05, 0.10]", "right"), ("W1[0, 1]: 0.20", "right"),
    ("dL/dW1[1, 0]: 0.00075", "right"), ("dL/dW1[0, 1]: 0.00075", "wrong"),
])
def test_a_number_is_judged_by_its_last_digit(claim: str, verdict: str) -> None:
    assert one(TWO_LAYERS, claim).verdict == verdict


def test_groups_say_the_same_as_keys() -> None:
    block = "gradients: {W2: [0.0822, 0.0827], z2: 0.1385}\nupdated: {b2: 0.5308, W2: [[0.3589, 0.4087]]}\n"
    found = judged(TWO_LAYERS, block)
    assert [(v.claim, v.verdict) for v in found] == [("dL/dW2", "right"), ("dL/dz2", "right"), ("b2_new", "right"), ("W2_new", "right")]


@pytest.mark.parametrize("claim", ["0.0412", "0.0413", "0.04125", "0.041250"])
def test_a_tie_counts_for_both_neighbours(claim: str) -> None:
    half = "equations: {e: a/b}\nat: {a: 0.33, b: 8}\n"
    assert one(half, f"e: {claim}").verdict == "right"


@pytest.mark.parametrize("claim", ["0.0411", "0.0414", "0.04124", "0.04126"])
def test_next_to_a_tie(claim: str) -> None:
    assert one("equations: {e: a/b}\nat: {a: 0.33, b: 8}\n", f"e: {claim}").verdict == "wrong"


def test_exact_claims_are_exact() -> None:
    thirds = "equations: {e: a/b}\nat: {a: 1, b: 3}\n"
    assert [one(thirds, f"e: {c}").verdict for c in ("1/3", "2/6", "0.3333", "33/100", "0.3334")] == ["right", "right", "right", "wrong", "wrong"]


PROBLEM = "equations: {z: w*x + b, a: sigmoid(z), L: (a - y)**2}\nat: {w: 0.6, x: 2, b: -0.3, y: 1}\n"


@cache
def values_of(text: str) -> dict[str, Any]:
    return {v.claim: v.values for v in judged(text, "z: 0\na: 0\nL: 0\ndL/dw: 0\ndL/dz: 0\ndL/dx: 0\n")}


def rounded(value: Any, places: int) -> Decimal:
    with mp.workdps(60):
        return Decimal(mp.nstr(value, 45)).quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


@settings(max_examples=25)
@given(st.sampled_from(["z", "a", "L", "dL/dw", "dL/dz", "dL/dx"]), st.integers(1, 14), st.sampled_from([-1, 1]))
def test_our_value_rounded_is_right_and_one_off_is_not(key: str, places: int, step: int) -> None:
    value = values_of(PROBLEM)[key]
    ours = rounded(value, places)
    unit = Decimal(1).scaleb(-places)
    assert one(PROBLEM, f"{key}: {ours:f}").verdict == "right"
    assume(abs(abs(Decimal(mp.nstr(value, 45)) - ours) - unit / 2) > unit / 10**6)  # a tie counts for both
    assert one(PROBLEM, f"{key}: {ours + step * unit:f}").verdict != "right"


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-1000, max_value=1000, places=6), st.integers(0, 8))
@settings(max_examples=200)
def test_within_is_the_law_of_the_last_digit(value: Decimal, places: int) -> None:
    unit = Decimal(1).scaleb(-places)
    near = value.quantize(unit, rounding=ROUND_HALF_UP)
    for k in (-2, -1, 0, 1, 2):
        text = f"{near + k * unit:f}"
        claimed = Digits(text, parse_number(text))
        with mp.workdps(90):
            assert within(claimed, mp.mpf(str(value))) == (abs(Decimal(text) - value) * 2 <= unit)


@pytest.mark.parametrize(("text", "places", "digits"), [("0.0150", 4, 3), ("35", 0, 2), ("1.5e3", 0, 2), ("-0.10", 2, 2), ("1/3", 0, 0), ("0", 0, 0), ("2.50e-3", 5, 3)])
def test_the_digits_of_a_number_as_written(text: str, places: int, digits: int) -> None:
    claimed = Digits(text, parse_number(text))
    assert (decimals(claimed), significant(claimed)) == (places, digits)


@pytest.mark.parametrize(("value", "places", "text"), [("0.041249", 6, "0.041249"), ("0.5", 6, "0.5"), ("0.59999999", 4, "0.6000"), ("-2", 3, "-2"), ("0", 3, "0"),
                                                       ("123.456", 0, "123"), ("0.00000012", 4, "1.2e-7"), ("12345678901", 2, "1.23e10")])
def test_values_are_shown_as_a_person_writes_them(value: str, places: int, text: str) -> None:
    with mp.workdps(90):
        assert shown_value(mp.mpf(value), places) == text


# ---------------------------------------------------------------- rounding drift

CHAIN = "equations: {p: a/b, q: p*c, r: q*c}\nat: {a: 1, b: 3, c: 100}\n"  # 0.333... rounded to 2 decimals, times 100, times 100


def test_drift_is_found_and_says_to_how_many_digits() -> None:
    found = one(CHAIN, "r: 3300.00")
    assert found.verdict == "rounding drift" and "rounded to 2 decimals" in found.why
    assert judged(CHAIN, "p: 0.3333\nr: 3333.0")[1].why.endswith("rounded to 4 decimals.")


def test_drift_with_the_digits_stated() -> None:
    assert judged(CHAIN, "rounding: 2\nr: 3300")[0].verdict == "rounding drift"
    assert judged(CHAIN, "rounding: 4\nr: 3300")[0].verdict == "wrong"


def test_drift_in_significant_digits() -> None:
    large = "equations: {p: a/b, q: p*c, r: q*c}\nat: {a: 1000, b: 3, c: 100}\n"
    assert judged(large, "rounding: 3\nr: 3330000")[0].why.endswith("rounded to 3 significant digits.")


def test_drift_of_every_operation() -> None:
    text = "equations: {e: (a/b)*c}\nat: {a: 1, b: 3, c: 300}\n"
    found = one(text, "e: 99.90")
    assert found.verdict == "wrong"
    found = judged(text, "rounding: 3\ne: 99.900")[0]
    assert found.verdict == "rounding drift" and "the result of every operation" in found.why


def test_what_rounding_does_not_explain_is_wrong() -> None:
    assert one(CHAIN, "r: 3200.00").verdict == "wrong"


def test_a_right_number_is_never_called_drift() -> None:
    assert one(CHAIN, "r: 3333.33").verdict == "right"


# ---------------------------------------------------------------- formulas

@pytest.mark.parametrize(("claim", "verdict", "checked"), [
    ("dL/dz2: dy_hat*y_hat*(1 - y_hat)", "right", "proved"), ("dL/dz2: (y_hat - y)*y_hat*(1 - y_hat)", "right", "proved"),
    ("dL/dz2: (sigmoid(z2) - y)*sigmoid(z2)*(1 - sigmoid(z2))", "right", "proved"), ("dL/dz2: (y_hat - y)*exp(-z2)/(1 + exp(-z2))**2", "right", "proved"),
    ("dL/dz2: dL/dy_hat * dy_hat/dz2", "right", "proved"), ("dL/dW2: dz2*a1.T", "right", "proved"), ("dL/dW1: dz1 @ x.T", "right", "proved"),
    ("dL/dz1: (W2.T*dz2)*da1/dz1", "right", "proved"), ("dL/db1: dz1", "right", "proved"), ("z1: W1 @ x + b1", "right", "proved"), ("z1: b1 + W1 @ x", "right", "proved"),
    ("L: (y - y_hat)**2/2", "right", "proved"), ("dz2: dy_hat*(y_hat - y_hat**2)", "right", "proved"), ("dL/dz2: dL*da2*a2*(1 - a2)", "right", "proved"),
    ("dL/dz2: y_hat - y", "wrong", "counterexample"), ("dL/dW1: x @ dz1.T", "wrong", "counterexample"), ("dL/dW2: a1*dz2", "wrong", "shapes"), ("dL/dW1: dz1*x.T", "wrong", "shapes"),
    ("z1: W1.T @ x + b1", "wrong", "counterexample"), ("dL/dW1: dz1.T @ x", "wrong", "shapes"), ("dy_hat/dz2: 1 - y_hat**2", "wrong", "counterexample"),
])
@pytest.mark.parametrize("text", [OPEN, TWO_LAYERS], ids=["letters", "numbers"])
def test_a_formula_is_proved_or_refuted(text: str, claim: str, verdict: str, checked: str) -> None:
    found = one(text, claim)
    assert found.verdict == verdict and found.checked.startswith(checked), found


def test_a_difference_that_hardly_shows_is_found() -> None:
    assert one(OPEN, "dL/dz2: (y_hat - y)*y_hat*(1 - y_hat)*1.00000000000000000001").verdict == "wrong"


def test_a_counterexample_has_its_numbers() -> None:
    found = one("equations: {y: x**2}\n", "dy/dx: x")
    assert found.verdict == "wrong" and (numbers := re.match(r"At x = (\S+) the formula gives (\S+), and `dy/dx` is (\S+)\.", found.why))
    x, claimed, ours = map(float, numbers.groups())
    assert claimed == pytest.approx(x, rel=1e-3) and ours == pytest.approx(2 * x, rel=1e-3)


def test_formulas_of_the_update() -> None:
    assert one(TWO_LAYERS, "updated: {W2: W2 - learning_rate*dW2}").verdict == "right"
    assert one(TWO_LAYERS, "updated: {W2: W2 + eta*dW2}").slip == "uphill"


def test_formulas_of_a_batch_whose_size_is_a_letter() -> None:
    batch = "inputs: {X: {size: 2, batch: n}}\ntargets: {Y: {}}\nlayers: [{units: 1, activation: sigmoid}]\nloss: mse\n"
    found = judged(batch, "- dL/dy_hat: 2*(y_hat - Y)/n\n- dL/dy_hat: 2*(y_hat - Y)\n- dL/db1: sum(dz1)\n- dL/db1: sum(dz1)/n\n- dL/dW1: dz1 @ X.T\n")
    assert [(v.verdict, v.slip) for v in found] == [("right", ""), ("wrong", "mean-forgotten"), ("right", ""), ("wrong", "bias-mean"), ("right", "")]


SOFTMAX = "inputs: {x: {size: 2}}\ntargets: {y: {}}\nlayers: [{units: 3, activation: softmax}]\nloss: cross_entropy\n"


@pytest.mark.parametrize("convention", ["columns", "rows"])
def test_targets_of_exclusive_classes_add_up_to_one(convention: str) -> None:
    text = SOFTMAX.replace("size: 2", "size: 2, batch: 4") + f"convention: {convention}\n"
    found = judged(text, "- dL/dz1: (y_hat - y)/4\n- dL/dz1: (y_hat - y)*y_hat*(1 - y_hat)/4\n- dL/dy_hat: -y/y_hat/4")
    assert [v.verdict for v in found] == ["right", "wrong", "right"]
    assert found[0].checked == "proved" and "add up to one" in found[0].why and found[2].why == ""


def test_targets_that_do_not_add_up_to_one_are_taken_as_they_are() -> None:
    given = SOFTMAX.replace("size: 2", "size: 2").replace("{y: {}}", "{y: [0.5, 0.1, 0.1]}")
    assert one(given, "dL/dz1: y_hat - y").verdict == "wrong"
    assert one(given.replace("0.5, 0.1, 0.1", "0.5, 0.4, 0.1"), "dL/dz1: y_hat - y").verdict == "right"


def test_a_name_of_the_file_comes_before_a_gradient() -> None:
    text = "equations: {y: x*dx}\nat: {x: 2, dx: 5}\n"
    assert [v.verdict for v in judged(text, "dy/dx: dx\ndx: 5\ndy/ddx: x\n")] == ["right", "right", "right"]


@pytest.mark.parametrize("text", [OPEN, TWO_LAYERS, OPEN.replace("size: 2", "size: 2, batch: n") + "convention: rows\n", GRAPH], ids=["letters", "numbers", "rows", "graph"])
def test_our_own_formula_claimed_is_right(text: str) -> None:
    output = "e" if text is GRAPH else "L"
    names = "abcd" if text is GRAPH else ["x", "W1", "b1", "z1", "a1", "W2", "b2", "z2", "y_hat"]
    ours = {v.claim: v.ours for v in judged(text, "".join(f"d{output}/d{n}: d{n}*2\n" for n in names))}
    again = judged(text, "".join(f"{key}: '{formula}'\n" for key, formula in ours.items() if not re.fullmatch(r"[\d.]+|ones.*", formula)))
    assert len(again) >= 4 and all((v.verdict, v.checked) == ("right", "proved") for v in again)


def test_nothing_is_judged_by_a_derivation_that_fails_its_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from symbolic import rules

    right = rules.RULES["mul"]
    monkeypatch.setitem(rules.RULES, "mul", replace(right, pull=lambda e, g, k: 2 * right.pull(e, g, k)))  # type: ignore[arg-type]
    done = CliRunner().invoke(main, ["verify", str(ERRATA / "computational-graph.yaml"), "--to", "json", "-o", str(tmp_path / "out")])
    assert done.exit_code == 1 and "failed its check" in done.output and "claims" not in done.output and not (tmp_path / "out").exists()


# ---------------------------------------------------------------- undecidable

@pytest.mark.parametrize(("text", "claim", "why"), [
    (OPEN, "y_hat: 0.75", "no numbers for x, W1, b1, W2, ..."), (OPEN, "dL/dW2: [0.1, 0.2]", "no numbers for"), (GRAPH, "a_new: 1", "learning_rate"), (GRAPH, "loss_after: 1", "learning_rate"),
    (TWO_LAYERS, "dL/dy: 0.7", "with respect to `y`"), (TWO_LAYERS, "dL/dy: y_hat", "with respect to `y`"), (TWO_LAYERS, "x: y_hat*x", "given, not computed"),
    (TWO_LAYERS, "dx/dz1: 1", "`x` is given"), (TWO_LAYERS, "dz1/dW1: [[1, 2]]", "no table on paper holds"), (TWO_LAYERS, "dz1/dx: W1", "Only its numbers"),
    (TWO_LAYERS, "dL/dx: dz1/dx*dz1", "a table of slopes"), (TWO_LAYERS, "loss_after: L - 1", "in numbers only"), (GRAPH, "updated: {a: a - eta*da}", "learning_rate"),
])
def test_what_cannot_be_decided_says_why(text: str, claim: str, why: str) -> None:
    found = one(text, claim)
    assert found.verdict == "undecidable" and why in found.why, found.why


def test_notes_are_listed_and_not_judged() -> None:
    found = judged(GRAPH, "notes: [An epoch is a cycle., 'The slope is 35.']\ne: 75\n")
    assert [(v.claim, v.verdict) for v in found] == [("An epoch is a cycle.", "note"), ("The slope is 35.", "note"), ("e", "right")]
    assert "not checked" in found[0].why


def test_claims_about_the_step_of_a_named_optimizer() -> None:
    adam = "equations: {L: (w - 1)**2}\nat: {w: 3}\nlearning_rate: 0.1\noptimizer: {name: adam}\n"
    found = judged(adam, "w_new: 2.9\nloss_after: 3.61\nupdated: {w: w - 0.1*dw}")
    assert [v.verdict for v in found] == ["right", "right", "undecidable"]
    assert one(adam, "w_new: 2.6").verdict == "wrong"
    assert one(adam.replace("adam", "gradient_descent"), "w_new: 2.6").verdict == "right"


# ---------------------------------------------------------------- shapes of numbers

@pytest.mark.parametrize(("claim", "slip", "why"), [
    ("dL/dW1: [[0.000668, 0.000750], [0.001337, 0.001500]]", "transposed", "has the shape of `W1`"), ("dL/dW2: [[0.0822], [0.0827]]", "transposed", "2 x 1"),
    ("dL/dW2: [[0.9], [0.0827]]", "", "The claim has 2 x 1"), ("dL/dW1: [0.1, 0.2]", "", "2 numbers"), ("z1: 0.3775", "", "a single number"), ("y_hat: [0.75, 0.25]", "", "2 numbers"),
])
def test_another_shape_is_wrong_with_a_reason(claim: str, slip: str, why: str) -> None:
    found = one(TWO_LAYERS, claim)
    assert (found.verdict, found.slip) == ("wrong", slip) and why in found.why


def test_which_numbers_are_off() -> None:
    assert one(TWO_LAYERS, "dL/dz1: [0.0134, 0.0160]").why == "Number 2 of 2 is off."


# ---------------------------------------------------------------- what a file may say

MISTAKES = [
    ("z3: 0.5", ["claims z3", "'z3' is not known here", "valid names: x, y, W1"]), ("los: 0.5", ["did you mean 'loss'?"]), ("gradient: {W1: 2}", ["not braces", "gradients, updated and"]),
    ("gradients: {W9: [1, 2]}", ["claims gradients W9", "'W9' is not known", "'W"]), ("updated: {q: 1}", ["'q' is not known"]), ("dL/dz9: 1", ["'z9' is not known", "valid names"]),
    ("dL/dz2: y_hut - y", ["claims dL/dz2", "'y_hut' is not known", "did you mean 'y_hat'?"]), ("dL/dz2: sigmod(z2)", ["'sigmod' is not known", "did you mean 'sigmoid'?"]),
    ("dL/dz2: y_hat -", ["'y_hat -' is not an expression"]), ("dL/dz2:", ["claim is missing"]), ("z1: [0.3775, y]", ["entry 2", "'y' is not a number"]),
    ("z1: [[1, 2], [3]]", ["entry 2", "1 number, but the first row has 2"]), ("z1: []", ["an empty list"]), ("z1: 0,5", ["write 0.5"]), ("z1: 1e-3", ["1.0e-3"]),
    ("rounding: four", ["claims rounding", "whole number"]), ("rounding: 99", ["whole number from 0 to 30"]), ("notes: [[1]]", ["statement in words"]), ("z1: inf", ["'inf' is not known"]),
    ("dL/dz2: __import__('os')", ["dL/dz2"]), ("dL/dz2: y_hat.real", [".real is not known"]), ("y_hat.x: 1", [".x is not known"]), ("W1 < 2: 1", ["a comparison"]),
]


@pytest.mark.parametrize(("claim", "words"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_in_the_block_is_one_sentence(claim: str, words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(f"{TWO_LAYERS}claims:\n  {claim}\n", "utf-8")
    done = CliRunner().invoke(main, ["verify", str(path), "-o", str(tmp_path / "out")])
    assert done.exit_code == 2 and len(done.output.strip().splitlines()) == 1, done.output
    assert "net.yaml:9" in done.output and all(w in done.output for w in words), done.output
    assert not (tmp_path / "out").exists()


def test_claims_that_are_no_keys() -> None:
    for block in ("claims: 3\n", "claims: [1, 2]\n", "claims: words\n"):
        with pytest.raises(SpecError, match="claims"):
            spec(GRAPH + block)


def test_a_claim_may_be_made_twice_in_a_list() -> None:
    assert [v.verdict for v in judged(GRAPH, "- {e: 75}\n- {e: 76}\n")] == ["right", "wrong"]


def test_many_claims_are_refused() -> None:
    with pytest.raises(SpecError, match="at most 500"):
        spec(GRAPH + "claims:\n" + "  - {e: 1}\n" * 501)


def test_the_text_of_a_claim_is_never_evaluated(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    for claim in (f"e: open('{flag}', 'w')", f"open('{flag}', 'w'): 3", "e: (lambda: 1)()", "e: [x for x in (1,)]", "e: a.__class__", f"e: exec('{flag}')"):
        path = tmp_path / "net.yaml"
        path.write_text(f"{GRAPH}claims:\n  {json.dumps(claim.split(': ')[0])}: {json.dumps(claim.split(': ', 1)[1])}\n", "utf-8")
        assert CliRunner().invoke(main, ["verify", str(path)]).exit_code == 2, claim
        assert not flag.exists()


def test_the_block_is_read_once_for_python_programs() -> None:
    claims = read_claims({"e": 75, "dL/dz": "x*y", "z": [0.5, "0.50"]})
    assert read_claims(claims) is claims
    assert [c.formula for c in claims] == ["", "x*y", ""] and [d.text for d in claims[2].numbers] == ["0.5", "0.50"]  # type: ignore[union-attr]


def test_derive_leaves_claims_alone(tmp_path: Path) -> None:
    for name, text in (("plain", GRAPH), ("claimed", GRAPH + "claims: {e: 80, nonsense_free: 1}\n".replace(", nonsense_free: 1", ""))):
        (tmp_path / f"{name}.yaml").write_text(text, "utf-8")
        assert CliRunner().invoke(main, ["derive", str(tmp_path / f"{name}.yaml"), "--to", "json,md", "-o", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "plain.json").read_bytes() == (tmp_path / "claimed.json").read_bytes()


def test_the_schema_holds_claims() -> None:
    claims = json.loads(CliRunner().invoke(main, ["schema"]).output)["properties"]["claims"]
    assert {"gradients", "updated", "notes", "rounding"} <= set(claims["anyOf"][0]["properties"])


# ---------------------------------------------------------------- the command

def verify(path: Path, out: Path, *options: str) -> Any:
    return CliRunner().invoke(main, ["verify", str(path), "-o", str(out), *options])


@pytest.mark.parametrize(("claim", "status"), [("e: 75", 0), ("e: 76", 1), ("a_new: 1", 0), ("notes: [words]", 0), ("e: f", 2)])
def test_the_exit_status(claim: str, status: int, tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(f"{GRAPH}claims:\n  {claim}\n", "utf-8")
    assert verify(tmp_path / "g.yaml", tmp_path).exit_code == status


def test_a_file_without_claims_cannot_be_verified(tmp_path: Path) -> None:
    (tmp_path / "g.yaml").write_text(GRAPH, "utf-8")
    done = verify(tmp_path / "g.yaml", tmp_path)
    assert done.exit_code == 2 and "claims nothing" in done.output


@pytest.mark.parametrize("options", [("--to", "slides"), ("--to", "pfd"), ("--engine", "wordstar")])
def test_an_unknown_option_is_one_sentence(options: tuple[str, str], tmp_path: Path) -> None:
    done = verify(ERRATA / "rotation.yaml", tmp_path / "out", *options)
    assert done.exit_code == 2 and "no such" in done.output and not (tmp_path / "out").exists()


def test_the_table(tmp_path: Path) -> None:
    done = verify(ERRATA / "rotation.yaml", tmp_path)
    assert done.exit_code == 1 and "The sign is turned around." in done.output and "`" not in done.output
    assert done.output.rstrip().endswith("4 claims: 3 right, 1 wrong.") and not list(tmp_path.iterdir())
    assert verify(ERRATA / "rotation.yaml", tmp_path, "-q").output == ""


def test_the_json(tmp_path: Path) -> None:
    verify(ERRATA / "forward-pass.yaml", tmp_path, "--to", "json", "-q")
    found = json.loads((tmp_path / "forward-pass-errata.json").read_text("utf-8"))
    assert list(found) == ["title", "counts", "claims"] and list(found["counts"]) == list(VERDICTS)
    assert found["counts"]["right"] == 2 == found["counts"]["wrong"]
    first = found["claims"][0]
    assert first["claim"] == "W*Y + B" and first["right"] == [0.1, 0.125, 0.2, 0.35] and first["slip"] == {"name": "operand", "kind": "forward", "step": "any equation"}
    assert {c["verdict"] for c in found["claims"]} <= set(VERDICTS) and all(set(c) == set(first) for c in found["claims"])


def test_a_page_for_every_kind_of_verdict_fits(tmp_path: Path) -> None:
    from symbolic.render.engine import compile_pdf, find_engine

    if (engine := find_engine()) is None:
        pytest.skip("no TeX engine")
    long = "(y_hat - y)*sigmoid(z2)*(1 - sigmoid(z2))" + "*sigmoid(z2)*(1 - sigmoid(z2))" * 6
    wide = "[" + ", ".join(["[" + ", ".join(["0.12345678"] * 9) + "]"] * 3) + "]"
    claims = [f"dL/dz2: {long}", f"dL/dW1: {wide}", "z1: [0.3775, 0.3925]", "dL/dy: 3", "y_hat: 0.7520", "dL/dW1: dz1*x.T",
              r"notes: {'100% of $R&D_1$ \input{/etc/passwd} `x` <b> #~^': '\end{document} {'}", f"{long}: 0.7", "dy_hat/dz2: dz2/da1", *["loss: 0.2748"] * 30]
    path = tmp_path / "many.yaml"
    path.write_text(f"title: Published & checked, 100%\n{TWO_LAYERS}claims:\n" + "".join(f"  - {c}\n" for c in claims), "utf-8")
    done = verify(path, tmp_path, "--to", "tex,pdf,json", "-q")
    assert done.exit_code == 1, done.output
    source = (tmp_path / "many-errata.tex").read_text("utf-8")
    assert r"100\% of \$R\&D" in source and r"\textbackslash{}input" in source and r"\input{/etc" not in source
    log = compile_pdf(source, engine=engine).log
    assert "Overfull" not in log
    assert (tmp_path / "many-errata.pdf").read_bytes() == compile_pdf(source, engine=engine).pdf


def test_nothing_is_written_where_a_file_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "rotation-errata.tex").mkdir()
    done = verify(ERRATA / "rotation.yaml", tmp_path, "--to", "json,tex")
    assert done.exit_code == 1 and "cannot write" in done.output and [p.name for p in tmp_path.iterdir()] == ["rotation-errata.tex"]


def test_every_slip_that_a_verdict_names_is_in_the_table() -> None:
    assert {v.slip for name in FOUND for v in of_file(name) if v.slip} <= set(SLIPS)


def test_a_single_layer_is_claimed_by_its_printed_names() -> None:
    """The page writes z, w and b where the file's own names are z1, W1 and b1; both are understood."""
    text = "inputs: {x: [2]}\ntargets: {y: [1]}\nlayers: [{units: 1, activation: sigmoid, W: [[0.6]], b: [-0.3]}]\nloss: half_squared_error\nlearning_rate: 0.1\n"
    for claim in ("z: 0.9", "z1: 0.9", "dL/dW: -0.1188", "dy_hat/dz: y_hat*(1 - y_hat)", "dL/dW: dz*x", "W_new: 0.6119", "gradients: {b: -0.0594}"):
        assert one(text, claim).verdict == "right", claim
    assert one(text, "z: 0.8").verdict == "wrong"
