"""Going downhill: schedules, batches, verdicts, what a file may say of it, and its pages."""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from course import example as course
from mpmath import mp
from test_optimizers import LOSS, PARABOLA, by_hand, path_of
from test_printed import check_line
from trees import well_formed

from symbolic.derive import derive
from symbolic.errors import SpecError
from symbolic.lectures.descent import comparison, scheduled, whole_path
from symbolic.lesson import plan as lesson_of
from symbolic.optimizers import OPTIMIZERS, SCHEDULES
from symbolic.pages.descentpages import row_lines
from symbolic.pages.report import report
from symbolic.pages.sheet import Sheet
from symbolic.problem import build
from symbolic.produce import Request, produce, solve
from symbolic.reading.specfile import build as read
from symbolic.render.documents import source_of
from symbolic.verify import certify

# ---------------------------------------------------------------- schedules

@pytest.mark.parametrize(("name", "options", "points"), [
    ("constant", {}, {1: "0.4", 9: "0.4"}),
    ("step", {"every": F(2), "factor": F(1, 2)}, {1: "0.4", 2: "0.4", 3: "0.2", 4: "0.2", 5: "0.1", 7: "0.05"}),
    ("exponential", {"factor": F(1, 2)}, {1: "0.4", 2: "0.2", 4: "0.05"}),
    ("cosine", {"least": F(1, 10), "period": F(8)}, {1: "0.4", 5: "0.25", 9: "0.1", 17: "0.4"}),
])
def test_schedules_at_their_points(name: str, options: dict[str, Any], points: dict[int, str]) -> None:
    assert set(options) == set(SCHEDULES[name].options)
    with mp.workdps(50):
        for t, rate in points.items():
            assert abs(scheduled(SCHEDULES[name], {"eta": F(2, 5), **options}, t) - mp.mpf(rate)) < mp.mpf(10) ** -40


def test_every_schedule_is_tested_and_starts_with_eta() -> None:
    for row in SCHEDULES.values():
        defaults = {o: v.default or F(5) for o, v in row.options.items()}
        assert abs(scheduled(row, {"eta": F(3, 10), **defaults}, 1) - mp.mpf("0.3")) < 1e-15


def test_a_schedule_reaches_the_steps() -> None:
    got = path_of("gradient_descent", 5, schedule={"name": "step", "every": 2, "factor": "1/2"})
    w, out = -1.0, [-1.0]
    for eta in (0.1, 0.1, 0.05, 0.05, 0.025):
        w -= eta * (w - 2)
        out.append(w)
    assert [float(v) for v in got] == pytest.approx(out, rel=1e-14)


# ---------------------------------------------------------------- batches

LINE: dict[str, Any] = {"inputs": {"x": [["1"], ["2"], ["4"], ["0.5"]]}, "targets": {"y": [["3"], ["5"], ["9"], ["1"]]},
                        "layers": [{"units": 1, "activation": "identity", "W": [["0.5"]], "b": ["0"]}], "loss": "mse", "learning_rate": "0.05"}


@pytest.mark.parametrize("convention", ["columns", "rows"])
@pytest.mark.parametrize(("keys", "portions"), [
    ({}, [(0, 1, 2, 3)] * 5), ({"batch": 1}, [(0,), (1,), (2,), (3,), (0,)]), ({"batch": 3}, [(0, 1, 2), (3,)] * 2 + [(0, 1, 2)]),
    ({"batch": 2, "order": [4, 1, 3, 2]}, [(3, 0), (2, 1), (3, 0), (2, 1), (3, 0)])])
def test_batches_beside_numpy(keys: dict[str, Any], portions: list[tuple[int, ...]], convention: str) -> None:
    problem = build(read({**LINE, "convention": convention, "optimizer": {"name": "gradient_descent", "steps": 5, **keys}}))
    path = whole_path(problem, derive(problem.network))
    X, Y = np.array([1, 2, 4, 0.5]), np.array([3, 5, 9, 1.0])
    w, b = 0.5, 0.0
    for moment, portion in zip(path.moments[1:], portions, strict=True):
        x, e = X[list(portion)], w * X[list(portion)] + b - Y[list(portion)]
        assert float(moment.batch_loss) == pytest.approx((e**2).mean(), rel=1e-13)
        w, b = w - 0.05 * (2 * e * x).mean(), b - 0.05 * (2 * e).mean()
        assert float(moment.values["W1"][0][0]) == pytest.approx(w, rel=1e-13)
        assert float(moment.loss) == pytest.approx(((w * X + b - Y) ** 2).mean(), rel=1e-13)
        assert moment.examples == (() if not keys else portion)


def test_a_seed_shuffles_every_epoch_alike_in_every_run() -> None:
    def taken(seed: int) -> list[tuple[int, ...]]:
        plan = build(read({**LINE, "optimizer": {"name": "adam", "steps": 8, "batch": 2, "seed": seed}})).descent
        assert plan is not None
        return list(plan.batches)

    assert taken(3) == taken(3) and len({tuple(taken(k)) for k in range(6)}) > 3
    assert all(sorted(taken(3)[k] + taken(3)[k + 1]) == [0, 1, 2, 3] for k in (0, 2, 4, 6))


@pytest.mark.parametrize("convention", ["columns", "rows"])
def test_a_batch_takes_its_rows_of_a_mask(convention: str) -> None:
    layers = [{"type": "dropout", "mask": [["1", "0"], ["1", "1"], ["0", "1"]]}, {"units": 1, "W": [["2", "3"]] if convention == "columns" else [["2"], ["3"]]}]
    spec = {**LINE, "layers": layers, "inputs": {"x": [["1", "5"], ["2", "1"], ["3", "1"]]}, "targets": {"y": [["1"], ["0"], ["4"]]}, "convention": convention}
    problem = build(read({**spec, "optimizer": {"name": "gradient_descent", "batch": 1, "order": [3, 1, 2]}}))
    first = whole_path(problem, derive(problem.network)).moments[1]
    assert first.examples == (2,) and first.batch_loss == (2 * 3 * 1 - 4) ** 2  # the second unit alone, doubled


def test_examples_that_depend_on_each_other_make_no_batch() -> None:
    layers = [{"units": 2, "activation": "tanh"}, {"type": "batch_norm"}, {"units": 1}]
    spec = {**LINE, "layers": layers, "init": {"scheme": "normal", "seed": 1}}
    problem = build(read({**spec, "optimizer": "adam"}))
    assert len(whole_path(problem, derive(problem.network)).moments) == 4
    with pytest.raises(SpecError, match="one example changes what is predicted for another"):
        problem = build(read({**spec, "optimizer": {"name": "adam", "batch": 2}}))
        whole_path(problem, derive(problem.network))


# ---------------------------------------------------------------- verdicts

def verdicts(spec: dict[str, Any]) -> Any:
    problem = build(read(spec))
    return comparison(problem, derive(problem.network))


@pytest.mark.parametrize(("rate", "word"), [("0.02", "crawls"), ("0.3", "converges"), ("0.5", "converges"), ("0.9", "oscillates"), ("1", "never settles"), ("1.05", "diverges")])
def test_the_parabola(rate: str, word: str) -> None:
    found = verdicts({"equations": {"y": "x**2"}, "at": {"x": 3}, "compare": {"learning_rate": ["0.1", rate], "steps": 10}})
    assert found.found.curvatures == (2,) and found.verdicts[1] == word
    assert float(found.paths[1].last.values["x"][0][0]) == pytest.approx(3 * (1 - 2 * float(rate)) ** 10, rel=1e-12)


def test_curvature_of_a_network_is_numpys() -> None:
    found = verdicts({**LINE, "compare": {"learning_rate": ["0.01", "0.1", "0.2"], "steps": 6}})
    X = np.array([[1, 1], [2, 1], [4, 1], [0.5, 1]])
    H = 2 * X.T @ X / 4
    assert [float(v) for v in found.found.curvatures] == pytest.approx(np.linalg.eigvalsh(H), rel=1e-12)
    assert [float(v) for v in found.found.lowest] == pytest.approx(np.linalg.lstsq(X, [3, 5, 9, 1], rcond=None)[0], rel=1e-12)
    top = np.linalg.eigvalsh(H)[-1]
    assert [v == "diverges" for v in found.verdicts] == [rate * top > 2 for rate in (0.01, 0.1, 0.2)]


def test_a_direction_in_which_nothing_has_to_move_does_not_count() -> None:
    """The steep direction has no error, so a rate too large for it does no harm."""
    spec = {"equations": {"L": "a**2 + 100*b**2"}, "at": {"a": 1, "b": 0}, "compare": {"learning_rate": ["0.1", "0.3"], "steps": 5}}
    assert verdicts(spec).verdicts == ("converges", "converges")
    assert verdicts({**spec, "at": {"a": 1, "b": "0.001"}}).verdicts == ("diverges", "diverges")


@pytest.mark.parametrize(("loss", "at", "rates", "words"), [
    ("w**4/4", "1", ["0.001", "0.3"], ["crawls", "converges"]), ("w**2 + w**4/10", "1", ["0.2", "0.8"], ["converges", "oscillates"]), ("exp(w) + exp(-w)", "3", ["0.05", "0.3"], ["converges", "diverges"])])
def test_other_losses_are_judged_by_the_sequence(loss: str, at: str, rates: list[str], words: list[str]) -> None:
    found = verdicts({"equations": {"L": loss}, "at": {"w": at}, "compare": {"learning_rate": rates, "steps": 10}})
    assert found.found is None and list(found.verdicts) == words


def test_a_loss_that_runs_away_is_a_sentence() -> None:
    found = verdicts({"equations": {"L": "w**4"}, "at": {"w": 3}, "compare": {"learning_rate": ["0.01", "0.5"], "steps": 20}})
    assert found.verdicts[1] == "diverges" and re.fullmatch(r"After step \d the loss is beyond 81,000,000: the run stops here\.", found.paths[1].stopped)
    assert len(found.paths[0].moments) == 21 and found.paths[0].stopped == ""
    lost = verdicts({"equations": {"L": "w - log(w)"}, "at": {"w": 3}, "compare": {"learning_rate": ["0.1", "9"], "steps": 5}})
    assert re.match(r"Step 1 cannot be taken: log", lost.paths[1].stopped) and lost.verdicts[1] == "diverges"


# ---------------------------------------------------------------- the file

@pytest.mark.parametrize(("changes", "said"), [
    ({"optimizer": "adma"}, "optimizer name: unknown optimizer 'adma'; did you mean 'adam'?"),
    ({"optimizer": {"name": "adam", "betta1": "0.9"}}, "optimizer: unknown key 'betta1' of adam; did you mean 'beta1'?"),
    ({"optimizer": {"name": "gradient_descent", "beta": "0.9"}}, "unknown key 'beta' of gradient_descent"),
    ({"optimizer": {"name": "momentum", "beta": "1"}}, "optimizer beta: expected a number of at least 0 and below 1, not '1'"),
    ({"optimizer": {"name": "adam", "epsilon": "-1"}}, "optimizer epsilon: expected a number of at least 0"),
    ({"optimizer": {"name": "adam", "steps": "0"}}, "optimizer steps: expected a whole number from 1 to 60"),
    ({"optimizer": {"name": "adam", "steps": "99"}}, "from 1 to 60"),
    ({"optimizer": {"steps": "2"}}, "optimizer: the name is missing"),
    ({"optimizer": ["adam"]}, "optimizer: expected a name, or braces"),
    ({"optimizer": {"name": "adam", "batch": "2"}}, "optimizer batch: needs an input with several examples"),
    ({"optimizer": {"name": "adam", "seed": "2"}}, "optimizer seed: needs the key 'batch'"),
    ({**LINE, "equations": None, "at": None, "optimizer": {"name": "adam", "batch": "1", "order": ["1", "3", "1", "2"]}},
     "optimizer order: example 4 is left out; an epoch takes every example from 1 to 4"),
    ({"optimizer": "adam", "learning_rate": None}, "optimizer: missing learning_rate; for example learning_rate: 0.001"),
    ({"optimizer": "adam", "schedule": "cosin"}, "schedule name: unknown schedule 'cosin'; did you mean 'cosine'?"),
    ({"optimizer": "adam", "schedule": {"name": "step", "every": "1.5"}}, "schedule every: expected a whole number, not '1.5'"),
    ({"schedule": "cosine"}, "schedule: needs an optimizer"),
    ({"compare": {"rates": ["1", "2"]}}, "compare: unknown key 'rates'"),
    ({"compare": {"learning_rate": "0.1"}}, "compare learning_rate: expected a list of 2 to 6"),
    ({"compare": {"learning_rate": ["0.1", "-2"]}}, "compare learning_rate, entry 2: expected a positive number, not '-2'"),
    ({"compare": {"optimizer": ["adam", "momentun"]}}, "compare optimizer, entry 2: unknown optimizer 'momentun'; did you mean 'momentum'?"),
    ({"compare": {"steps": "4"}}, "compare: expected learning rates or optimizers to compare"),
    ({"compare": ["0.1"]}, "compare: expected keys with values"),
    ({"equations": {"L": "sum(A**2)"}, "at": {"A": [["1"] * 20] * 20}, "optimizer": {"name": "adam", "steps": "51"}}, "optimizer: 20,400 new numbers; at most 20,000"),
    ({"optimizer": "adam", "at": {}}, "optimizer: w has no number, so no step can be taken"),
    ({"optimizer": "adam", "equations": {"L": "[w]"}}, ""),
])
def test_a_mistake_is_answered(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        build(read({k: v for k, v in {**PARABOLA, **changes}.items() if v is not None}))
    assert said in str(caught.value) and caught.value.exit_status == 2


def test_a_mistake_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text("equations: {L: w**2}\nat: {w: 1}\nlearning_rate: 0.1\noptimizer:\n  name: momentum\n  bta: 0.5\n")
    with pytest.raises(SpecError, match=r"net\.yaml:6: optimizer: unknown key 'bta' of momentum; did you mean 'beta'\?"):
        solve(path, Request())


def test_only_the_names_of_wrt_are_learned() -> None:
    spec = {"equations": {"p": "w*x + b", "L": "(p - y)**2"}, "at": {"w": "1/2", "b": 0, "x": 2, "y": 3}, "learning_rate": "0.1"}
    assert set(made(spec)["updated"]) == {"w", "b", "x", "y"}
    assert set(made({**spec, "wrt": ["w", "b"]})["updated"]) == {"w", "b"}
    assert "x_new" not in read({**spec, "wrt": ["w", "b"]}).ask_names()


# ---------------------------------------------------------------- pages and JSON

def sheet_of(spec: dict[str, Any]) -> Sheet:
    problem = build(read(spec))
    return Sheet(problem, certify(lesson_of(problem.network, ("matrix", "numbers"), wrt=problem.wrt), problem.numbers()))


def made(spec: dict[str, Any]) -> dict[str, Any]:
    return report(sheet_of(spec))


TWO = {"inputs": {"x": [["0.05", "0.10"], ["0.4", "-0.2"]]}, "targets": {"y": [["0.01"], ["0.6"]]}, "loss": "half_squared_error", "learning_rate": "0.5",
       "layers": [{"activation": "sigmoid", "W": [["0.15", "0.20"], ["0.25", "0.30"]], "b": ["0.35", "0.35"]},
                  {"activation": "sigmoid", "W": [["0.40", "0.45"]], "b": ["0.60"]}]}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_printed_lines_multiply_out(name: str) -> None:
    """The first step in numbers, read back out of the LaTeX; every line is well formed."""
    for spec in (TWO, {**PARABOLA, "equations": {"L": LOSS}, "at": {"w": "1.37"}}):
        sections = made({**spec, "optimizer": {"name": name, "steps": 2}})["sections"]
        every = [line for s in sections for line in s["latex"]]
        for line in every:
            well_formed(line.replace(r"\left\lfloor", "(").replace(r"\right\rfloor", ")"))
        first = [line for s in sections if ": step 1 for" in s["title"] for line in s["latex"][1:]]
        read_lines = 0
        with mp.workdps(40):
            for line in first:
                parts = line.split(" = ")
                if len(parts) == 4:  # name = symbols = numbers = result
                    read_lines += check_line(f"{parts[0]} = {parts[2]} = {parts[3]}")
        assert read_lines >= len(OPTIMIZERS[name].equations) - 1 + (name == "gradient_descent")
        assert all(s["checked"] in ("proved", "30 digits") for s in sections if s["title"] != "The loss")  # that one defines


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_row_by_itself(name: str) -> None:
    lines = row_lines(name, "cosine")
    assert [x.left for x in lines[:2]] == [r"\eta_{t}", "g_{t}"] and len(lines) == 2 + len(OPTIMIZERS[name].equations)
    assert lines[-1].left == "w_{t}" and r"\eta_{t}" in "".join(x.right for x in lines[2:])
    for line in lines:
        well_formed(f"{line.left} = {line.right}")


def test_one_optimizer_with_several_options() -> None:
    compared = [{"name": "momentum", "beta": b} for b in ("0.5", "0.9")]
    sections = made({**PARABOLA, "compare": {"optimizer": compared, "steps": 4}})["sections"]
    assert [row[0] for row in sections[0]["cells"]] == [r"$\beta = 0.5$", r"$\beta = 0.9$"]
    sections = made({**PARABOLA, "compare": {"optimizer": [*compared, "adam"], "steps": 4}})["sections"]
    assert [row[0] for row in sections[0]["cells"]] == [r"Momentum, $\beta = 0.5$", r"Momentum, $\beta = 0.9$", "Adam"]


def test_updated_follows_the_optimizer() -> None:
    plain, adam = made(TWO), made({**TWO, "optimizer": {"name": "adam", "steps": 3}})
    assert plain["updated"]["W1"][0][0] == pytest.approx(0.15 - 0.5 * plain["gradients"]["W1"][0][0], rel=1e-14)
    assert adam["updated"]["W1"][0][0] == pytest.approx(0.15 - 0.5, rel=1e-4) and [s["title"] for s in plain["sections"]] == ["The loss"]
    table = next(s for s in adam["sections"] if s["title"] == "Adam, step by step")
    assert table["data"]["steps"][1]["values"] == adam["updated"] and table["data"]["steps"][1]["loss"] == adam["loss_after"]
    assert [s["t"] for s in table["data"]["steps"]] == [0, 1, 2, 3] and set(table["data"]["steps"][1]["state"]) == {"m", "v", "m_hat", "v_hat"}
    assert made({**TWO, "optimizer": "gradient_descent"})["updated"] == plain["updated"]


def test_the_table_holds_the_path() -> None:
    sections = made({**PARABOLA, "optimizer": {"name": "momentum", "steps": 4}})["sections"]
    table = next(s for s in sections if s["title"] == "Momentum, step by step")
    shown = [float(row[-1].strip("$")) for row in table["cells"]]
    assert shown == pytest.approx(by_hand("momentum", -1.0, 0.1, 4, lambda w: w - 2), abs=5e-4) and len(shown) == 5


def test_a_page_of_many_numbers_shows_norms() -> None:
    table = next(s for s in made({**TWO, "optimizer": "adagrad"})["sections"] if "step by step" in s["title"])
    assert table["heads"][2:] == [rf"$\lVert {n}\rVert$" for n in ("W^{(1)}", "b^{(1)}", "W^{(2)}", "b^{(2)}")]
    assert float(table["cells"][0][2].strip("$")) == pytest.approx(math.sqrt(0.15**2 + 0.2**2 + 0.25**2 + 0.3**2), abs=5e-5)


def test_a_value_called_v_beside_the_velocity() -> None:
    sections = made({"equations": {"L": "v**2"}, "at": {"v": 3}, "learning_rate": "0.1", "optimizer": "momentum"})["sections"]
    lines = [line for s in sections if "step 1" in s["title"] for line in s["latex"]]
    assert lines[1].startswith(r"v_{v,1} = \beta\,v_{v,0} + g_{1}") and lines[2].startswith(r"v_{1} = v_{0} - \eta\,v_{v,1}")


def test_a_worksheet_asks_for_the_first_step(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(json.dumps({**PARABOLA, "optimizer": "adam"}))
    page = source_of("handout", *solve(path, Request()), Request())
    for left in ("m_{1}", r"\hat{v}_{1}", "w_{1}"):
        assert rf"$\displaystyle {left} = {{}}$" in page
    assert "Subtract the learning rate" not in page and "-0.9" not in page
    path.write_text(json.dumps({**PARABOLA, "optimizer": "adam", "ask": ["w_new"]}))
    page = source_of("handout", *solve(path, Request()), Request())
    assert "w^{\\text{new}}" in page and "Use the optimizer" in page and "m_{1}" not in page


def points(tikz: str) -> list[list[tuple[float, float]]]:
    return [[(float(x), float(y)) for x, y in re.findall(r"\(([-\d.]+),([-\d.]+)\)", line)] for line in tikz.splitlines() if line.startswith(r"\draw[soft")]


def test_the_curve_is_the_parabola_and_the_path_lies_on_it() -> None:
    from symbolic.pages.sections import sections

    figure = next(s.figure for s in sections(sheet_of({**PARABOLA, "optimizer": {"name": "gradient_descent", "steps": 4}})) if s.figure)
    (curve,) = points(figure)
    xs, ys = np.array(curve).T
    fit = np.polyfit(xs, ys, 2)
    assert len(curve) > 40 and abs(np.polyval(fit, xs) - ys).max() < 0.02 < fit[0] * 10
    dots = [tuple(map(float, m)) for m in re.findall(r"\\fill\[fOne\] \(([-\d.]+),([-\d.]+)\)", figure)]
    assert len(dots) == 4 and all(abs(np.polyval(fit, x) - y) < 0.03 for x, y in dots)
    falls = [y for _, y in dots]
    assert falls == sorted(falls, reverse=True)


def test_contour_lines_are_lines_of_equal_loss() -> None:
    """Circles for a^2 + b^2: every point of a line is equally far from the lowest point."""
    from symbolic.pages.sections import sections

    spec = {"equations": {"L": "a**2 + b**2"}, "at": {"a": 1, "b": 1}, "learning_rate": "0.1", "compare": {"learning_rate": ["0.1", "0.9"], "steps": 4}}
    figure = next(s.figure for s in sections(sheet_of(spec)) if s.figure)
    lines = points(figure)
    assert len(lines) >= 8 and figure.count("begin{scope}[shift") == 2
    closed = [np.array(line) for line in lines if line[0] == line[-1]]
    assert closed
    box = re.search(r"rectangle \(([\d.]+),([\d.]+)\)", figure)
    assert box is not None
    for line in closed:
        x, y = line.T / np.array([[float(box[1])], [float(box[2])]])
        assert np.ptp(np.hypot(x - (x.max() + x.min()) / 2, y - (y.max() + y.min()) / 2)) < 0.03


def test_three_numbers_have_no_picture() -> None:
    spec = {"equations": {"L": "a**2 + b**2 + c**2"}, "at": {"a": 1, "b": 1, "c": 2}, "learning_rate": "0.1", "optimizer": "adam"}
    from symbolic.pages.sections import sections

    found = sections(sheet_of(spec))
    assert found and not any(s.figure for s in found)


@pytest.mark.parametrize("name", ["optimizers", "learning-rates", "parabola"])
def test_the_examples(name: str, tmp_path: Path) -> None:
    path = course(name)
    produce(path, tmp_path, Request(formats=("json", "md")), lambda line: None)
    sections = json.loads((tmp_path / f"{path.stem}.json").read_text())["sections"]
    compared = next(s for s in sections if "compared" in s["title"])
    words = [v["verdict"] for v in compared["data"]["verdicts"]]
    if name != "optimizers":
        assert words == ["crawls", "converges", "oscillates", "diverges"] and compared["data"]["decided_by"] == "curvature"


def test_the_table_of_a_mini_batch_shows_the_gradient_that_the_step_used(tmp_path: Path) -> None:
    """W 0.5 on x = 1..4, y = 2x + 1: new W = W - rate * the gradient of the batch, which is not that of all examples."""
    produce(Path(__file__).parent.parent / "examples" / "26-mini-batches.yaml", tmp_path, Request(("md",)), lambda line: None)
    page = (tmp_path / "26-mini-batches.md").read_text("utf-8")
    assert "| value | gradient of $L$ | gradient of the batch | after the step |" in page
    (row,) = re.findall(r"^\| \$w\$ \| \$(.*?)\$ \| \$(.*?)\$ \| \$(.*?)\$ \| \$(.*?)\$ \|", page, re.M | re.I)
    value, whole, batch, after = map(float, row)
    assert after == pytest.approx(value - 0.05 * batch, rel=1e-3) and after != pytest.approx(value - 0.05 * whole, rel=1e-3)
