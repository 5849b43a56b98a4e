"""Training: updates against high precision, runs against plain loops, checkpoints, the promises about XOR and the digits."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from click.testing import CliRunner
from mpmath import mp

from symbolic.cli import main
from symbolic.derive import derive
from symbolic.errors import SpecError
from symbolic.lectures import descent
from symbolic.network import from_equations
from symbolic.numeric import checkpoint, studies
from symbolic.numeric.data import SHUFFLING, Data, order
from symbolic.numeric.job import Job, Wish, job_of
from symbolic.numeric.task import task_of
from symbolic.numeric.train import Diverged, fit
from symbolic.numeric.update import Update, rates
from symbolic.optimizers import OPTIMIZERS, SCHEDULES
from symbolic.pages.tracing import traced
from symbolic.problem import build as problem_of
from symbolic.reading.plans import planned
from symbolic.reading.specfile import build, load

EXAMPLES = Path(__file__).parent.parent / "examples"
VALLEY = {"equations": {"L": "(a - 1)**2 + 4*(b - 1/2)**2 + a*b/3"}, "at": {"a": -2, "b": 2}, "learning_rate": "0.05"}
MOONS = {"title": "Moons", "data": {"name": "moons", "examples": 60}, "layers": [{"units": 6, "activation": "tanh"}, {"units": 1, "activation": "sigmoid"}],
         "loss": "binary_cross_entropy", "learning_rate": "0.05", "optimizer": "adam", "train": {"epochs": 12, "batch": 16, "seed": 3, "test": 0.25}}


# ---------------------------------------------------------------- updates

@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("schedule", ["constant", "step"])
def test_an_update_follows_the_trajectory_in_high_precision(name: str, schedule: str) -> None:
    """Every optimizer from its equations, beside the 90-digit path that the pages print."""
    timing = {"name": schedule, **({"every": "2", "factor": "1/2"} if schedule == "step" else {})}
    spec = build({**VALLEY, "optimizer": {"name": name, "steps": 6}, "schedule": timing})
    problem = problem_of(spec)
    path = descent.run(problem, derive(problem.network), problem.descent)
    for dtype, close in (("float64", 1e-13), ("float32", 3e-6)):
        job = job_of(spec)
        run = replace(job, settings=replace(job.settings, epochs=6, dtype=dtype)).run()
        history = run.go()
        assert run.update.values["a"].dtype == dtype and len(history.path) == len(path.moments) == 7
        for got, moment in zip(history.path, path.moments, strict=True):
            exact = [float(moment.values[n][0][0]) for n in problem.moved]
            assert got == pytest.approx(exact, rel=close, abs=close)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_blocks_and_groups_change_nothing(name: str) -> None:
    """Tensors larger than a block, several small ones in one piece of memory, a scalar: bit for bit what one entry alone gives."""
    row, draw = OPTIMIZERS[name], numpy.random.default_rng(5)
    options = {o: v.default for o, v in row.options.items()}
    start = {"W": draw.normal(size=(7, 9)), "b": draw.normal(size=()), "c": draw.normal(size=(4, 1))}
    whole, alone = Update(row, options, start, block=10), Update(row, options, {"w": start["W"][3, 4]})
    for t in (1, 2, 3):
        assert set(whole.point(0.1, t)) == set(start)
        assert float(alone.point(0.1, t)["w"]) == whole.point(0.1, t)["W"][3, 4]
        gradients = {n: draw.normal(size=v.shape) for n, v in start.items()}
        whole.step(gradients, 0.1, t)
        alone.step({"w": gradients["W"][3, 4]}, 0.1, t)
        assert float(alone.values["w"]) == whole.values["W"][3, 4] != start["W"][3, 4]
    assert all(whole.values[n].shape == v.shape and not numpy.shares_memory(whole.values[n], v) for n, v in start.items())


@pytest.mark.parametrize("name", SCHEDULES)
def test_rates(name: str) -> None:
    plan = planned({"name": "gradient_descent", "steps": "9"}, {"name": name, **({"every": "4"} if name == "step" else {})}, OPTIMIZERS["adam"].options["beta1"].default, None)
    at = rates(plan.schedule, plan.rate, plan.schedule_options)
    for t in range(1, 13):
        assert at(t) == pytest.approx(float(descent.rate_at(plan, t)), rel=1e-14)
    assert (at(9) == at(1)) == (name == "constant")


def test_a_wrong_equation_is_seen() -> None:
    """The comparison with high precision can fail: a row with another sign leaves the path."""
    row = replace(OPTIMIZERS["momentum"], equations={"v": "beta*v - g", "w": "w - eta*v"})
    wrong, right = (Update(r, {"beta": 0.9}, {"w": numpy.array([1.0])}) for r in (row, OPTIMIZERS["momentum"]))
    for u in (wrong, right):
        u.step({"w": numpy.array([1.0])}, 0.1, 1)
    assert wrong.values["w"][0] == pytest.approx(1.1) and right.values["w"][0] == pytest.approx(0.9)


# ---------------------------------------------------------------- runs

def test_the_two_layer_example_after_ten_thousand_rounds() -> None:
    """From the stated weights, all updates at once: the loss equals that of a plain loop to 10 digits."""
    history = job_of(load(EXAMPLES / "41-two-layers.yaml"), Wish(epochs=10_000)).run().go()
    x, y, eta = (0.05, 0.10), 0.01, 0.5
    w, b, v, c = [[0.15, 0.20], [0.25, 0.30]], [0.35, 0.35], [0.40, 0.45], 0.60

    def sigmoid(z: float) -> float:
        return 1 / (1 + math.exp(-z))

    def predicted() -> tuple[list[float], float]:
        a = [sigmoid(w[j][0] * x[0] + w[j][1] * x[1] + b[j]) for j in range(2)]
        return a, sigmoid(v[0] * a[0] + v[1] * a[1] + c)

    for _ in range(10_000):
        a, out = predicted()
        d = (out - y) * out * (1 - out)
        e = [d * v[j] * a[j] * (1 - a[j]) for j in range(2)]
        v = [v[j] - eta * d * a[j] for j in range(2)]
        c -= eta * d
        w = [[w[j][i] - eta * e[j] * x[i] for i in range(2)] for j in range(2)]
        b = [b[j] - eta * e[j] for j in range(2)]
    expected = (predicted()[1] - y) ** 2 / 2
    assert f"{history.rows[-1].loss:.9e}" == f"{expected:.9e}" and history.rows[-1].steps == 10_000 and expected < 2e-5
    assert history.parameters["W1"] == pytest.approx(numpy.array(w), rel=1e-10)


def test_xor_is_learnt_from_almost_every_start() -> None:
    spec = load(EXAMPLES / "62-xor-trained.yaml")
    assert [(x.units, x.activation) for x in spec.layers] == [(4, "tanh"), (1, "sigmoid")] and spec.train is not None and spec.train.threshold
    learnt = [job_of(spec, Wish(seed=seed)).run().go().rows[-1].accuracy == 1 for seed in range(100)]
    assert sum(learnt) >= 95


@pytest.mark.parametrize("seed", range(5))
def test_the_digits_are_learnt_from_every_seed(seed: int) -> None:
    pytest.importorskip("sklearn")
    job = job_of(load(EXAMPLES / "63-digits-trained.yaml"), Wish(seed=seed, epochs=20))
    assert job.train is not None and job.held_out is not None and (len(job.train), len(job.held_out)) == (1438, 359)
    history = job.run().go()
    assert [v.shape for v in history.parameters.values()] == [(64, 512), (1, 512), (512, 10), (1, 10)]
    after_five, after_twenty = history.rows[5].held_accuracy, history.rows[20].held_accuracy
    assert after_five is not None and after_twenty is not None and after_five >= 0.88 and after_twenty >= 0.95


def test_a_mini_batch_run_against_numpy_by_hand() -> None:
    """A line fitted with batches of 3 out of 8, shuffled by the seed: the last portion is smaller."""
    from symbolic.numeric.data import SHUFFLING, order

    draw = numpy.random.default_rng(0)
    x, y = draw.normal(size=(8, 1)), draw.normal(size=(8, 1))
    task = task_of(build({"inputs": {"x": {"size": 1, "batch": "n"}}, "targets": {"y": {}}, "layers": [{"units": 1}], "loss": "mse"}), seed=4)
    history = fit(task, Data(x, y), optimizer="gradient_descent", learning_rate=0.1, epochs=3, batch=3, seed=7)
    w, b = float(task.start["W1"].item()), float(task.start["b1"].item())
    for epoch in (1, 2, 3):
        mixed = order(8, 7, SHUFFLING, epoch)
        for chosen in (mixed[:3], mixed[3:6], mixed[6:]):
            error = w * x[chosen, 0] + b - y[chosen, 0]
            w, b = w - 0.1 * float(2 * (error * x[chosen, 0]).mean()), b - 0.1 * float(2 * error.mean())
    assert float(history.parameters["W1"].item()) == pytest.approx(w, rel=1e-12) and float(history.parameters["b1"].item()) == pytest.approx(b, rel=1e-12)
    assert history.rows[-1].steps == 9 and history.rows[-1].loss == pytest.approx(float(((w * x + b - y) ** 2).mean()), rel=1e-12)


@pytest.mark.parametrize("changes", [{}, {"patience": 5}, {"dtype": "float32", "optimizer": "nesterov_lookahead"}], ids=["plain", "patience", "float32"])
def test_a_resumed_run_is_the_uninterrupted_one(tmp_path: Path, changes: dict[str, Any]) -> None:
    keys = {k: v for k, v in changes.items() if k != "optimizer"}
    spec = build({**MOONS, "optimizer": changes.get("optimizer", "adam"), "train": {**MOONS["train"], **keys}})
    through = job_of(spec).run().go(checkpoint=tmp_path / "a.npz")
    job_of(spec, Wish(epochs=5)).run().go(checkpoint=tmp_path / "b.npz")
    again = job_of(spec).run().go(checkpoint=tmp_path / "b.npz", resume=True)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert all(through.parameters[n].tobytes() == v.tobytes() for n, v in again.parameters.items()) and again.rows == through.rows
    assert through.as_csv() == again.as_csv() and through.as_json() == again.as_json() and len(through.rows) > 6
    assert not list(tmp_path.glob(".*"))


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    spec, path = build(MOONS), tmp_path / "c.npz"
    with pytest.raises(SpecError, match="no such checkpoint"):
        job_of(spec).run().go(checkpoint=path, resume=True)
    job_of(spec, Wish(epochs=1)).run().go(checkpoint=path)
    with pytest.raises(SpecError, match="of another run: its seed is 3, and this run's is 4"):
        job_of(spec, Wish(seed=4)).run().go(checkpoint=path, resume=True)
    with pytest.raises(SpecError, match="its learning_rate is 0.05"):
        job_of(spec, Wish(rate=0.1)).run().go(checkpoint=path, resume=True)
    for broken in (b"", b"PK\x03\x04 nonsense", path.read_bytes()[:300]):
        path.write_bytes(broken)
        with pytest.raises(SpecError, match="is no checkpoint"):
            checkpoint.load(path)
    numpy.savez(path, about=numpy.array([{"format": 1}], dtype=object))
    with pytest.raises(SpecError, match="is no checkpoint"):  # a pickle is never opened
        checkpoint.load(path)


def test_early_stopping_goes_back_to_the_best_parameters() -> None:
    spec = build({**MOONS, "train": {**MOONS["train"], "epochs": 400, "patience": 3}})
    run = job_of(spec, Wish(rate=0.5)).run()
    history = run.go()
    losses = [r.held_loss for r in history.rows]
    assert "no lower held-out loss for 3 epochs" in history.stopped and len(losses) < 400
    assert history.best == len(losses) - 4 == losses.index(min(x for x in losses if x is not None)) and history.last.epoch == history.best
    for name, value in history.parameters.items():
        run.update.values[name][...] = value
    assert run.measure(run.held)[0] == pytest.approx(history.last.held_loss)


def test_goal_callback_and_tick() -> None:
    network, seen, ticks = from_equations({"L": "(w - 3)**2"}, {}), list[int](), list[int]()
    history = fit(network, start={"w": 0.0}, optimizer="gradient_descent", learning_rate=0.25, epochs=50, goal=0.1)
    assert history.rows[-1].loss < 0.1 <= history.rows[-2].loss and "below 0.1" in history.stopped
    stopped = fit(network, start={"w": 0.0}, optimizer="gradient_descent", learning_rate=0.25, callback=lambda row, _: seen.append(row.epoch) or row.epoch == 4)
    assert seen == [1, 2, 3, 4] and stopped.rows[-1].epoch == 4 and stopped.rows[-1].norms == {"w": pytest.approx(2 * 3 * 0.5**3)}
    job_of(build(MOONS), Wish(epochs=2)).run().go(tick=lambda epoch, step, loss, rate: ticks.append(step))
    assert ticks == list(range(1, 7))  # 45 examples in batches of 16, twice


def test_divergence_says_step_tensor_and_what_to_try() -> None:
    network = from_equations({"z": "w**2", "L": "(z - 3)**2"}, {})
    with pytest.raises(Diverged, match=r"step \d+: .* the learning rate 10 may be too large: try 1") as e:
        fit(network, start={"w": 5.0}, optimizer="gradient_descent", learning_rate=10.0)
    assert e.value.exit_status == 1 and e.value.step >= 1 and e.value.tensor == "L" and len(e.value.rows) >= 1
    with pytest.raises(Diverged, match="before the first step: z holds a value that is no number"):
        fit(from_equations({"z": "log(w)", "L": "z**2"}, {}), start={"w": -1.0})


def test_penalties_and_sums_are_measured_once() -> None:
    """The loss over many portions is that of one: the penalty is not added for each."""
    from symbolic.numeric import train

    x, y = numpy.arange(10.0).reshape(10, 1) / 10, numpy.ones((10, 1))
    for reduction in ("mean", "sum"):
        spec = build({"inputs": {"x": {"size": 1, "batch": "n"}}, "targets": {"y": {}}, "layers": [{"units": 1}], "loss": "mse", "reduction": reduction,
                      "regularization": {"l2": "0.5"}})
        losses = []
        for size in (3, 4096):
            before, train.AT_ONCE = train.AT_ONCE, size
            try:
                losses.append(fit(task_of(spec, seed=1), Data(x, y), epochs=1).rows[0].loss)
            finally:
                train.AT_ONCE = before
        assert losses[0] == pytest.approx(losses[1], rel=1e-13)


# ---------------------------------------------------------------- studies

def test_the_learning_rates_of_a_parabola_are_what_its_curvature_says() -> None:
    spec = build({"equations": {"y": "x**2"}, "at": {"x": 3}, "learning_rate": "0.3", "train": {"epochs": 12}})
    found = studies.study("learning-rate", spec)
    assert [t.verdict for t in found] == ["crawls", "converges", "oscillates", "diverges"]
    rates_ = [float(t.value) for t in found]
    assert rates_ == sorted(rates_) and rates_[1] <= 0.5 < rates_[2] < 1 < rates_[3]  # 1 - 2 eta: below 0 it changes sides, below -1 it grows
    chosen = studies.study("learning-rate", spec, values=("0.01", "0.3", "0.9", "1.05"))
    assert [t.verdict for t in chosen] == ["crawls", "converges", "oscillates", "diverges"]


@pytest.mark.parametrize("name", [n for n in studies.STUDIES if n != "learning-rate"])
def test_a_study(name: str) -> None:
    found = studies.study(name, build(MOONS), Wish(epochs=3))
    assert len(found) >= 4 and all(len(t.rows) == 4 for t in found)
    assert len({t.rows[-1].loss for t in found}) == len(found)  # the changed thing changes the run


def test_values_of_a_study_are_checked() -> None:
    for name, values, said in (("learning-rate", ("0",), "positive"), ("activation", ("rellu",), "did you mean 'relu'"), ("batch-size", ("a",), "whole numbers"),
                               ("learning-rat", (), "did you mean 'learning-rate'")):
        with pytest.raises(SpecError, match=said):
            studies.study(name, build(MOONS), Wish(epochs=1), values)


# ---------------------------------------------------------------- commands

def called(*arguments: Any) -> Any:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def test_train_writes_history_checkpoint_and_figures(tmp_path: Path) -> None:
    file = tmp_path / "moons.yaml"
    file.write_text(json.dumps(MOONS))
    done = called("train", file, "--epochs", 3, "--to", "csv,json,tex", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "2-6-1, 45 examples, 15 held out; Adam, learning rate 0.05" in done.output and "3 epochs, 9 steps" in done.output
    rows = list(csv.DictReader((tmp_path / "out" / "moons-history.csv").read_text().splitlines()))
    assert [r["epoch"] for r in rows] == ["0", "1", "2", "3"] and float(rows[3]["training_loss"]) < float(rows[0]["training_loss"])
    assert {"held_out_accuracy", "learning_rate", "gradient_norm_1", "gradient_norm_2"} <= set(rows[0]) and not {"time", "seconds"} & set(rows[0])
    data = json.loads((tmp_path / "out" / "moons-history.json").read_text())
    assert data["settings"]["optimizer"] == "adam" and data["history"][3]["training_loss"] == float(rows[3]["training_loss"])
    for name in ("loss", "gradients", "boundary"):
        assert r"\begin{axis}" in (tmp_path / "out" / f"moons-{name}.tex").read_text()
    more = called("train", file, "--epochs", 5, "--resume", "--to", "csv", "-o", tmp_path / "out")
    assert more.exit_code == 0 and "5 epochs, 15 steps" in more.output


def test_figures_compile_and_convert(tmp_path: Path) -> None:
    import shutil

    file = tmp_path / "valley.yaml"
    file.write_text(json.dumps({"title": "A valley & 100%", **VALLEY, "train": {"epochs": 8}}))
    formats = "pdf,svg,png" if shutil.which("pdftocairo") else "pdf"
    for out in ("one", "two"):
        done = called("study", "learning-rate", file, "--values", "0.01,0.1,0.3", "--to", formats, "-o", tmp_path / out)
        assert done.exit_code == 0, done.output
    assert "crawls" in done.output and "diverges" in done.output
    for form in formats.split(","):
        one, two = ((tmp_path / out / f"valley-learning-rate.{form}").read_bytes() for out in ("one", "two"))
        assert one == two and len(one) > 2000
    done = called("train", file, "--to", "pdf", "-o", tmp_path / "out")
    assert done.exit_code == 0 and (tmp_path / "out" / "valley-path.pdf").read_bytes().startswith(b"%PDF")


def test_a_lost_run_ends_with_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "valley.yaml"
    file.write_text(json.dumps({**VALLEY, "train": {"epochs": 400}}))
    done = called("train", file, "--rate", 0.3, "-o", tmp_path / "out")
    assert done.exit_code == 1 and done.output.count("chainrule:") == 1 and "try 0.03" in done.output and "step " in done.output
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if "checkpoint" not in p.name) == ["valley-history.csv", "valley-history.json"]
    losses = [float(r["training_loss"]) for r in csv.DictReader((tmp_path / "out" / "valley-history.csv").read_text().splitlines())]
    assert f"the history up to epoch {len(losses) - 1} is in" in done.output and losses[-1] > 1000 * losses[0] and len(losses) > 5
    data = json.loads((tmp_path / "out" / "valley-history.json").read_text())
    assert data["stopped"] in done.output and len(data["history"]) == len(losses)


@pytest.mark.parametrize(("change", "said"), [
    ({"data": "mons"}, "data: unknown data 'mons'; did you mean 'moons'?"), ({"data": {"name": "moons", "noice": 1}}, "did you mean 'noise'?"),
    ({"data": {"name": "moons", "folder": "x"}}, "has no option 'folder'"), ({"train": {"epoch": 3}}, "did you mean 'epochs'?"),
    ({"train": {"epochs": 0}}, "train epochs: expected a whole number from 1"), ({"train": {"test": 1}}, "train test: expected a number from 0 to 1"),
    ({"inputs": {"x": [[1, 2]]}}, "data gives the examples"), ({"data": {}}, "expected a name or a file"), ({"train": {"dtype": "float16"}}, "float16")])
def test_keys_are_checked(change: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError) as e:
        build({**MOONS, **change})
    assert said in str(e.value)


def test_trace_prints_the_steps_of_training(tmp_path: Path) -> None:
    file = EXAMPLES / "41-two-layers.yaml"
    done = called("trace", file, "--steps", 2, "--digits", 6, "-o", tmp_path, "--to", "tex")
    assert done.exit_code == 0, done.output
    history = job_of(load(file), Wish(epochs=2)).run().go()
    shown = [line.split() for line in done.output.splitlines()]
    last = {line[-4]: float(line[-1]) for line in shown if len(line) >= 4 and line[-4][:1] in "Wb"}
    assert last["W2[1]"] == pytest.approx(history.parameters["W2"][0, 1], rel=1e-5) and last["b2"] == pytest.approx(float(history.parameters["b2"]), rel=1e-5)
    assert float(next(line for line in shown if line[:1] == ["end"])[1]) == pytest.approx(history.rows[2].loss, rel=1e-5)
    page = (tmp_path / "41-two-layers-trace.tex").read_text()
    assert r"\heading{Step 1}" in page and r"\heading{Step 2}" in page and "30 digits" in page
    assert called("trace", EXAMPLES / "63-digits-trained.yaml").exit_code == 2


def test_a_job_says_what_it_does() -> None:
    job: Job = job_of(load(EXAMPLES / "26-mini-batches.yaml"), Wish(optimizer="adam"))
    assert job.settings.plan.optimizer.name == "adam" and float(job.settings.plan.rate) == 0.001 and job.settings.batch == 2
    assert mp.dps and "Adam, learning rate 0.001" in job.said[-1]


CSV = "hours,slept,passed\n1,2,0\n3,4,1\n5,6,1\n"


@pytest.mark.parametrize(("text", "change", "said"), [
    (CSV, {"data": {"file": "s.csv", "target": "scroe"}}, "s.csv:1: no column is called 'scroe'; valid names: hours, slept, passed"),
    (CSV, {"data": {"file": "s.csv", "inputs": ["hors"]}}, "s.csv:1: no column is called 'hors'; did you mean 'hours'?"),
    (CSV.replace("4", "four"), {}, "s.csv:3: column 'slept': 'four' is not a number"), (CSV.replace("4", "NaN"), {}, "s.csv:3: column 'slept': 'NaN' is not a number"),
    (CSV, {"data": "missing.csv"}, "missing.csv: no such file"), (CSV.replace("0\n", "a\n").replace("4,1", "4,b").replace("6,1", "6,c"), {}, "s.csv has 3 classes, and one unit tells"),
    (CSV, {"data": "blobs"}, "blobs has 3 classes, and one unit tells only two apart; give the last layer 3 units"),
    (CSV, {"data": {"name": "moons", "examples": 1}}, "s.yaml:1: a share of 0.25 of 1 examples")])
def test_a_mistake_with_the_data_is_one_located_sentence(tmp_path: Path, text: str, change: dict[str, Any], said: str) -> None:
    (tmp_path / "s.csv").write_text(text)
    file = tmp_path / "s.yaml"
    file.write_text(json.dumps({**MOONS, "data": "s.csv", **change}))
    done = called("train", file, "-o", tmp_path / "out")
    assert done.exit_code == 2 and said in done.output and done.output.count("chainrule:") == 1 and not (tmp_path / "out").exists()


def test_a_csv_file_says_how_many_inputs_there_are(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(CSV)
    (tmp_path / "s.yaml").write_text(json.dumps({**MOONS, "data": "s.csv", "train": {"epochs": 2, "batch": 500}}))
    done = called("train", tmp_path / "s.yaml", "--to", "csv", "-o", tmp_path / "out")
    assert done.exit_code == 0 and "2-6-1, 3 examples" in done.output and "2 epochs, 2 steps" in done.output


def test_a_trace_works_through_the_first_steps_of_a_run() -> None:
    """Of a data set: the same examples in the same order from the same weights, so that parameters after the steps agree."""
    path, steps = EXAMPLES / "64-moons.yaml", 3
    _, found = traced(path, steps, 4, batch=2)
    seen: list[dict[str, Any]] = []
    job = job_of(load(path), Wish(batch=2))
    run = job.run()
    mixed = order(len(run.examples), job.settings.seed, SHUFFLING, 1)
    for t in range(1, steps + 1):
        values = run.examples.some(mixed[2 * (t - 1):2 * t], run.update.values)
        _, slopes = run.program(values)
        run.update.step(slopes, run.rate(t), t)
        seen.append({n: v.copy() for n, v in run.update.values.items()})
    for moment, values in zip(found.moments[1:], seen, strict=True):
        for name, array in values.items():
            assert np_array(moment.values[name]).ravel() == pytest.approx(array.ravel(), rel=1e-12, abs=1e-14)
    with pytest.raises(SpecError, match="32 examples a step and 3 steps are more than one works through"):
        traced(path, steps, 4)


def np_array(cells: Any) -> Any:
    """Exact numbers as an array."""
    return numpy.array([[float(v) for v in row] for row in cells])
