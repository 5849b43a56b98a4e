"""Published numbers and formulas: every verdict, every way to be wrong, and what a file may say."""

from __future__ import annotations

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

from symbolic.claims.claimtext import Digits
from symbolic.claims.judge import Verdict, judge
from symbolic.claims.written import decimals, shown_value, significant, within
from symbolic.cli import main
from symbolic.errors import SpecError
from symbolic.lesson import plan
from symbolic.problem import build as problem_of
from symbolic.reading.numbers import parse_number
from symbolic.reading.specfile import build
from symbolic.reading.yamltext import parse
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
