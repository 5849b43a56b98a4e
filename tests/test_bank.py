"""The problem bank: every key against a second opinion, every tolerance against people who round, every check against a planted mistake."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from math import factorial, prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy as sp
from click.testing import CliRunner
from hypothesis import given, strategies as st
from mpmath import mp
from oracle import DIGITS as ORACLE_DIGITS, Forward
from test_optimizers import BY_HAND
from trees import well_formed

from symbolic.cli import main
from symbolic.commands.new import KINDS as STARTERS, starter
from symbolic.errors import CheckError, SpecError
from symbolic.exam.pages import _writer
from symbolic.language.arithmetic import HighPrecision, Matrix
from symbolic.problems import distractors, kinds, library, programs, stepping, tolerance, verdicts, worked
from symbolic.problems.format import KINDS, read_text
from symbolic.problems.library import Bank, sound, trial, trial_seed
from symbolic.problems.make import Maker
from symbolic.problems.question import Question, as_json, canonical, unlike
from symbolic.problems.spaces import SPACES, filled, space
from symbolic.problems.variants import Variants, placed, seed_of
from symbolic.problems.wording import Wording
from symbolic.problems.worked import Rejected, key_of
from symbolic.render.engine import compile_pdf, find_engine
from symbolic.render.questionpages import laid_out, source
from symbolic.render.view import SHEET

BANK = Bank()
NAMES = sorted(BANK.makers)
SEEDS = 2
SAMPLE = 60  # draws whose conditions are looked at
ALL = [(name, seed) for name in NAMES for seed in range(SEEDS)]
NUMBERED = [(name, seed) for name, seed in ALL if any(a.kind not in ("shape", "count", "order") for a in BANK[name].file.ask)]


@cache
def question(name: str, seed: int) -> Question:
    return BANK[name].make(trial_seed(seed))


@cache
def work_of(name: str, seed: int) -> Any:
    """The numbers behind a question."""
    maker = BANK[name]
    return maker._worked(question(name, seed).index)[0]


@cache
def allowed_in(name: str, seed: int) -> Any:
    """The tolerances of a question."""
    return tolerance.tolerances(work_of(name, seed))


def test_no_problem_file_is_broken() -> None:
    assert BANK.broken == [] and len(NAMES) >= 10


def spaces_in(raw: Any) -> set[str]:
    """The kinds of spaces that parameters are drawn from."""
    return {name for key, inner in raw.items() for name in ({key} & set(SPACES)) | spaces_in(inner)} if isinstance(raw, dict) else set()


def test_every_kind_of_question_and_of_space_is_in_use() -> None:
    assert {a.kind for name in NAMES for a in BANK[name].file.ask} == set(KINDS)
    assert set().union(*(spaces_in(BANK[name].file.parameters) for name in NAMES)) == set(SPACES)
    types = {p.answer.type for name in ("softmax-jacobian", "true-or-false-lines", "order-the-steps", "chain-rule-choice", "batch-numpy", "bce-cancels") for p in question(name, 0).parts}
    assert types == {"numeric", "vector", "matrix", "symbolic", "single_choice", "multiple_choice", "ordering", "code"}


@pytest.mark.parametrize("name", NAMES)
def test_every_problem_has_hundreds_of_variants_and_turns_few_draws_down(name: str) -> None:
    variants, made = BANK[name].variants, [question(name, s) for s in range(SEEDS)]
    orders = prod(factorial(len(p.answer.options)) for p in made[0].parts if p.answer.type == "ordering")
    share = sum(variants.plain(k) for k, _ in zip(variants.walk(1), range(SAMPLE), strict=False)) / min(SAMPLE, variants.size)
    assert variants.size * share * orders >= 500
    conditions = {f"not {text}" for text in BANK[name].file.where if "{" in text}
    assert sum(n for why, n in BANK[name].refused.items() if why not in conditions) <= 5 * SEEDS


def test_variants_are_equally_hard() -> None:
    maker = Maker(read_text(SMALL.replace("{a: {integers: [2, 9]}}", "{f: [exp, sigmoid], a: {integers: [1, 4]}}").replace("x**2", "{f}(x)").replace('"3"', '"{a}/4"')
                            .replace("`y = {f}(x)`", "{{ equations }}"), "two.yaml"))
    made = [maker.make(k) for k in range(6)]
    assert len({(q.figures.steps, q.figures.operations, q.figures.active) for q in made}) == 1 and maker.refused["it is harder or easier than the others"]


def test_a_variant_is_named_by_what_it_shows() -> None:
    q, ordered = question("chain-rule-choice", 0), question("order-the-steps", 0)

    def turned(q: Question) -> str:
        parts = [replace(p, answer=replace(p.answer, options=p.answer.options[::-1])) for p in q.parts]
        return canonical(q.stem, q.blocks, parts)

    assert turned(q) == q.canonical and turned(ordered) != ordered.canonical
    assert canonical(q.stem, {}, q.parts) != q.canonical != canonical((), q.blocks, q.parts)


@pytest.mark.parametrize("name", ["attention-one-query", "bce-cancels", "elu-pieces", "find-the-error-softmax", "gradient-plane", "newton-step", "one-neuron", "residual-paths", "vanishing-slopes"])
def test_no_line_mixes_fractions_and_decimals(name: str) -> None:
    """sigma(ln 4) = 4/5, not sigma(1.386): numbers are exact up to the last one."""
    for x in (x for p in question(name, 0).parts for x in p.solution):
        assert not re.search(r"\d\.\d", x.right.rpartition(" = ")[0]) or not re.search(r"\\ln \d|\\frac\{\d+\}\{\d+\}", x.right), x.right


@pytest.mark.parametrize("name", NAMES)
def test_every_question_is_sound(name: str) -> None:
    made = [question(name, s) for s in range(SEEDS)]
    assert [told for q in made for told in sound(q)] == []
    assert as_json(BANK[name].at(made[0].index, trial_seed(0))) == as_json(made[0])
    assert len({q.canonical for q in made}) == SEEDS and len({q.figures.operations for q in made}) == 1


def test_a_trial_counts_what_it_made() -> None:
    found = trial(BANK["graph-fork"], 3)
    assert found.passed and found.made == 3 == found.distinct


# ---------------------------------------------------------------- keys: a second opinion

def high(value: Any) -> Any:
    """The numbers of a filled spec as fractions that the oracle reads; ln 3 to 70 digits."""
    if isinstance(value, dict):
        return {k: high(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [high(v) for v in value]
    if str(value).isidentifier():
        return str(value)
    return Fraction(str(sp.N(sp.sympify(str(value).replace("ln(", "log("), rational=True), 70)))


def opinion(name: str, seed: int) -> Forward:
    variants = BANK[name].variants
    data = dict(filled(BANK[name].file.spec, variants.given(question(name, seed).index)))
    for key in ("inputs", "targets", "at", "layers"):
        if key in data:
            data[key] = high(data[key])
    return Forward(data)


def same(ours: Matrix, theirs: Any, digits: int = 12) -> bool:
    """Equal, in whichever layout."""
    a, b = np.array([[float(v) for v in row] for row in ours]), np.array(theirs, dtype=float)
    return any(x.shape == b.shape and np.allclose(x, b, rtol=10.0**-digits, atol=1e-15) for x in (a, a.T, a.reshape(-1, 1)))


def beyond(f: Forward, name: str) -> Any:
    """Hessian, eigenvalues, slopes and curvatures of two numbers, from values at points nearby alone."""
    names, h = f.spec["wrt"], mp.mpf(10) ** -15
    assert len(names) == 2

    def at(*steps: Any) -> Any:
        moved = {n: f.leaves[n] + s for n, s in zip(names, steps, strict=True)}
        return f.run({**f.leaves, **moved})[f.output].item()

    def along(u: Any) -> tuple[Any, Any]:
        up, here, down = (at(*(s * h * x for x in u)) for s in (1, 0, -1))
        return (up - down) / (2 * h), (up - 2 * here + down) / h**2

    corners = (at(h, h) - at(h, -h) - at(-h, h) + at(-h, -h)) / (4 * h**2)
    a, b, c = along((1, 0))[1], corners, along((0, 1))[1]
    g = [along((1, 0))[0], along((0, 1))[0]]
    v = [mp.mpf(f.spec["direction"][n]) for n in names] if "direction" in f.spec else [1, 0]
    u = [x / mp.hypot(*v) for x in v]
    root = mp.sqrt((a - c) ** 2 / 4 + b * b)
    return {"hessian": [[a, b], [b, c]], "eigenvalues": [[(a + c) / 2 - root], [(a + c) / 2 + root]], "slope": [[along(u)[0]]],
            "curvature": [[along(u)[1]]], "steepest": [[mp.hypot(*g)]],
            "newton": [[f.leaves[n].item() - d] for n, d in zip(names, mp.lu_solve(mp.matrix([[a, b], [b, c]]), mp.matrix(g)), strict=True)]}[name]


def stepped(f: Forward, work: Any) -> dict[str, Any]:
    """What the parameters are after the steps of a plan, by the transcriptions of the optimizers and differences alone."""
    plan, state = work.problem.descent, {}
    options = {n: float(v) for n, v in plan.options.items()}
    here = {n: f.leaves[n] for n in work.problem.moved}
    for t in range(1, (plan.steps if plan.named else 1) + 1):
        parts = {key: {n: [rows[k] for k in plan.batches[t - 1]] for n, rows in f.spec[key].items()} for key in ("inputs", "targets")} if plan.batches else {}
        one = Forward({**f.spec, **parts})
        ahead = options["beta"] if plan.optimizer.name == "nesterov_lookahead" else 0
        one.leaves |= {n: m + ahead * np.array([[state.get((n, i, j), {}).get("velocity", 0) for j in range(m.shape[1])] for i in range(m.shape[0])]) for n, m in here.items()}
        slopes = {n: one.differences(n) for n in here}
        here = {n: np.array([[BY_HAND[plan.optimizer.name](m[i, j], slopes[n][i, j], state.setdefault((n, i, j), {}), t, float(plan.rate), **options)
                              for j in range(m.shape[1])] for i in range(m.shape[0])]) for n, m in here.items()}
    assert plan.schedule.name == "constant"
    return here


def second(f: Forward, work: Any, key: Any) -> Any:
    """A value, gradient, Jacobian or new parameter by the oracle alone."""
    with mp.workdps(ORACLE_DIGITS):
        values = f.run(f.leaves)
        if isinstance(key, str):
            return values[key]
        if key[0] == "":
            return beyond(f, key[1])
        if key[0] is None:
            return stepped(f, work)[key[1]]
        if values[f.output].shape == (1, 1):
            return f.differences(key[1], values)
        columns = []
        for place in np.ndindex(values[key[1]].shape):
            h, at = mp.mpf(10) ** -20, values[key[1]]
            ends = []
            for sign in (1, -1):
                moved = at.copy()
                moved[place] += sign * h
                ends.append(f.run({**f.leaves, key[1]: moved})[f.output].flatten())
            columns.append((ends[0] - ends[1]) / (2 * h))
        return np.array(columns, dtype=object).T


@pytest.mark.parametrize(("name", "seed"), NUMBERED)
def test_keys_agree_with_differences_of_an_independent_forward_pass(name: str, seed: int) -> None:
    f, work = opinion(name, seed), work_of(name, seed)
    for key in work.keys:
        assert same(work.value(key), second(f, work, key)), key
    for part, ask in zip(question(name, seed).parts, BANK[name].file.ask, strict=True):
        if ask.kind in ("find", "choose"):
            assert same(part.answer.value, [[float(v) for v in row] for row in work.value(key_of(ask.target, work.network, work.problem))], 11)


def test_the_benchmark_of_keys_counts_every_answer() -> None:
    source = spec_from_file_location("keys", Path(__file__).parent.parent / "benchmarks" / "keys.py")
    benchmark = module_from_spec(source)
    source.loader.exec_module(benchmark)
    assert benchmark.compared("one-neuron", 0) == (2, []) and benchmark.compared("adam-two-steps", 0) == (2, [])


def test_the_second_opinion_would_notice() -> None:
    value = work_of("one-neuron", 0).value(("L", "W1"))
    assert not same([[v * mp.mpf("1.000001") for v in row] for row in value], value)


@pytest.mark.parametrize("name", [n for n in NAMES if any(a.kind == "code" for a in BANK[n].file.ask)])
def test_a_program_is_tried_on_further_points_and_copied_numbers_are_found_out(name: str) -> None:
    answer = next(p.answer for p in question(name, 0).parts if p.answer.type == "code")
    assert len(answer.hidden) == 4 and len({json.dumps(dict(point)) for point in answer.hidden}) == 4
    assert len({json.dumps(p["given"][n]) for p in answer.hidden for n in p["given"] if n.lower() == "y"}) > 1, "other labels too"
    other = next(p.answer for p in BANK[name].at(question(name, 0).index, trial_seed(1)).parts if p.answer.type == "code")
    assert other.hidden[0] == answer.hidden[0] and other.hidden[1:] != answer.hidden[1:], "the seed decides"
    assert programs.judged(answer.text, answer) == []
    assert compile(answer.stub, "stub", "exec") and answer.stub.count("...") == 1 and answer.text.startswith(answer.stub.partition("    ...")[0])
    lines = "".join(f"    {n} = np.array({[[float(v) for v in row] for row in rows]})\n" for n, rows in answer.hidden[0]["returns"].items())
    told = programs.judged(answer.stub.replace("    ...\n", lines), answer)
    assert len(told) == 3 and all("they were copied" in sentence for sentence in told)


def test_what_is_wrong_with_a_program_is_told() -> None:
    answer = next(p.answer for p in question("batch-numpy", 0).parts if p.answer.type == "code")
    turned = programs.judged(answer.text.replace("dW1 = dz1", "dW1 = -dz1"), answer)
    assert turned[0] == "at the numbers of the paper dW1 is wrong" and len(turned) == 4
    assert programs.judged(answer.stub, answer) == ["the program did not run: line 25 of student.py: NameError: name 'dW1' is not defined"]


def test_a_mistake_of_a_value_is_one_that_can_be_made_there() -> None:
    """No factor 1/2 stands before a mean of three squares, and no sign before a square; the slope of a square has a factor 2."""
    first, second, *_ = question("regression-mse", 0).parts
    assert not {"sign", "factor-doubled", "factor-halved"} & {e.slip for e in first.errors} and first.errors
    assert "factor-doubled" not in {e.slip for e in second.errors} and "factor-halved" in {e.slip for e in second.errors}
    logarithm = Maker(read_text((library.OWN / "bce-cancels.yaml").read_text().replace("find: dL/dz1, points: 2, mistakes: [slope-twice, sign]", "find: L, points: 2"), "b.yaml")).make(0)
    assert "sign" in {e.slip for e in logarithm.parts[1].errors}


def test_symbolic_answers_are_the_gradient() -> None:
    part = next(p for p in question("cross-entropy-formula", 0).parts if p.answer.type == "symbolic")
    values = work_of("cross-entropy-formula", 0).values
    claimed = eval(part.answer.text, {n: np.array(m, dtype=float) for n, m in values.items() if isinstance(n, str)})
    assert np.allclose(claimed, np.array(values["L", "z1"], dtype=float))


# ---------------------------------------------------------------- verdicts

GATES = {"AND": lambda a, b: a & b, "OR": lambda a, b: a | b, "NAND": lambda a, b: 1 - (a & b), "NOR": lambda a, b: 1 - (a | b), "XOR": lambda a, b: a ^ b,
         "XNOR": lambda a, b: 1 - (a ^ b), "x1 and not x2": lambda a, b: a & (1 - b), "x2 and not x1": lambda a, b: b & (1 - a), "always 0": lambda a, b: 0, "always 1": lambda a, b: 1}
VERDICT_SEEDS = 6


def chosen(part: Any) -> str:
    """The words of the right option."""
    return next(o.runs[0][1] for o in part.answer.options if o.right)


@pytest.mark.parametrize("name", ["gate-of-a-perceptron", "xor-hidden-units"])
@pytest.mark.parametrize("seed", range(VERDICT_SEEDS))
def test_the_gate_is_the_one_that_is_named(name: str, seed: int) -> None:
    outputs = [int(v > 0) for row in work_of(name, seed).values["z"] for v in row]
    said = chosen(question(name, seed).parts[-1])
    assert outputs == [GATES[said](a, b) for a in (0, 1) for b in (0, 1)]


@pytest.mark.parametrize("seed", range(VERDICT_SEEDS))
def test_a_table_is_separable_where_some_weights_of_a_grid_part_it(seed: int) -> None:
    table = np.array([float(v) for v in work_of("separable-or-not", seed).values["y"][0]])
    grid = np.stack(np.meshgrid(*[np.arange(-3, 4)] * 3, np.arange(-6.5, 7)), -1).reshape(-1, 4)
    rows = np.array([[*map(int, f"{k:03b}"), 1] for k in range(8)])
    part = question("separable-or-not", seed).parts[1]
    assert chosen(part).startswith("Yes") == bool((((grid @ rows.T) > 0) == table).all(axis=1).any())
    assert sum(x.marks for x in part.solution) == part.points


@pytest.mark.parametrize("seed", range(VERDICT_SEEDS))
def test_the_fate_of_a_rate_is_what_ten_steps_do(seed: int) -> None:
    work = work_of("learning-rate-fate", seed)
    c, m, w = (float(work.values[n][0][0]) for n in "cmw")
    gaps = [w - m]
    for _ in range(10):
        gaps.append(gaps[-1] - float(work.problem.descent.rate) * c * gaps[-1])
    sides, left = gaps[1] * gaps[0] < 0, abs(gaps[-1] / gaps[0])
    said = chosen(question("learning-rate-fate", seed).parts[1])
    assert said.startswith("It jumps" if sides else "It c") and ("further" in said) == (left > 1) and ("half of the way" in said) == (0.5 < left < 1 and not sides)


@pytest.mark.parametrize(("name", "rate"), [
    ("learning-rate-schedule", lambda eta, t, o: eta * o["factor"] ** ((t - 1) // o["every"])),
    ("cosine-schedule", lambda eta, t, o: o["least"] + (eta - o["least"]) * (1 + np.cos(np.pi * (t - 1) / o["period"])) / 2)])
def test_the_rate_of_a_step_by_its_formula(name: str, rate: Any) -> None:
    for seed in range(SEEDS):
        plan = work_of(name, seed).problem.descent
        expected = rate(float(plan.rate), plan.steps, {n: float(v) for n, v in plan.schedule_options.items()})
        assert abs(float(question(name, seed).parts[0].answer.value[0][0]) - expected) < 1e-12


@pytest.mark.parametrize("seed", range(VERDICT_SEEDS))
def test_some_lines_are_right_and_wrong_ones_say_why(seed: int) -> None:
    options = question("true-or-false-lines", seed).parts[0].answer.options
    assert {o.right for o in options} == {True, False} and all(bool(o.said) != o.right for o in options)


def test_without_a_mistake_no_line_can_be_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "mistakes", lambda *a, **more: ())
    with pytest.raises(Rejected, match="no line is wrong"):
        BANK["true-or-false-lines"].at(question("true-or-false-lines", 0).index)


def test_a_batch_that_is_not_used_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = stepping.updated
    monkeypatch.setattr(stepping, "updated", lambda problem, *a, **more: honest(problem, *a, **{**more, "plan": replace(problem.descent, batches=())}))
    with pytest.raises(CheckError, match="do not agree"):
        Bank(only="mini-batch-epoch")["mini-batch-epoch"].make(trial_seed(0))


# ---------------------------------------------------------------- tolerances: people who round

class Rounder(HighPrecision):
    """Every result of every operation at so many significant digits."""

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def cut(self, x: Any) -> Any:
        return mp.mpf(mp.nstr(x, self.digits, strip_zeros=False)) if x else x

    def number(self, value: Any) -> Any:
        found = super().number(value)
        return found if isinstance(value, (int, mp.mpf)) else self.cut(found)

    def add(self, terms: Any) -> Any:
        out = terms[0]
        for t in terms[1:]:
            out = self.cut(out + t)
        return out

    def mul(self, factors: Any) -> Any:
        out = factors[0]
        for t in factors[1:]:
            out = self.cut(out * t)
        return out

    def dot(self, xs: Any, ys: Any) -> Any:
        return self.add([self.mul((x, y)) for x, y in zip(xs, ys, strict=True)])

    def div(self, x: Any, y: Any) -> Any:
        return self.cut(super().div(x, y))

    def pow(self, x: Any, y: Any) -> Any:
        return self.cut(super().pow(x, y))

    def primitive(self, name: str, x: Any) -> Any:
        return self.cut(super().primitive(name, x))


class Backwards(Rounder):
    """The same person, adding and multiplying from the other end."""

    def add(self, terms: Any) -> Any:
        return super().add(list(reversed(terms)))


@pytest.mark.parametrize(("name", "seed", "person"), [*((name, seed, Rounder(4)) for name, seed in NUMBERED), *((name, seed, Backwards(4)) for name, seed in NUMBERED if not seed)])
def test_whoever_keeps_four_digits_passes(name: str, seed: int, person: Rounder) -> None:
    work, allowed = work_of(name, seed), allowed_in(name, seed)
    for derivation in (work.machine.lesson.derivation, work.machine.long):
        found = worked.evaluated(work.problem, derivation, stepping.numbers(work.problem, person), work.keys, person)
        assert all(tolerance.passes(found[key], work.value(key), allowed[key]) for key in work.keys)


def test_whoever_keeps_two_digits_may_fail_and_no_tolerance_is_needlessly_wide() -> None:
    failed, shares = 0, []
    for name, seed in NUMBERED:
        work, allowed = work_of(name, seed), allowed_in(name, seed)
        try:
            found = worked.evaluated(work.problem, work.machine.long, stepping.numbers(work.problem, Rounder(2)), work.keys, Rounder(2))
        except ArithmeticError:  # so few digits leave a zero to divide by
            failed += 1
            continue
        failed += any(not tolerance.passes(found[key], work.value(key), allowed[key]) for key in work.keys)
        shares += [t / abs(v) for key in work.keys for ts, vs in zip(allowed[key], work.value(key), strict=True) for t, v in zip(ts, vs, strict=True) if v]
    assert failed >= len(NUMBERED) // 3 and max(shares) < 0.2 and sorted(shares)[len(shares) // 2] < 0.01


# ---------------------------------------------------------------- checks that can fail

def one() -> tuple[Maker, int]:
    return BANK["one-neuron"], question("one-neuron", 0).index


def test_a_wrong_gradient_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    maker, index = one()
    honest = worked.gradients

    def slanted(*args: Any, **more: Any) -> Any:
        env = honest(*args, **more)
        env["L", "W1"] = [[v * mp.mpf("1.0001") for v in row] for row in env["L", "W1"]]
        return env

    monkeypatch.setattr(worked, "gradients", slanted)
    with pytest.raises(CheckError, match="by the derivation and .* by differences"):
        maker.at(index)


def test_a_wrong_step_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = stepping.entry_step
    monkeypatch.setattr(stepping, "entry_step", lambda row, env, arithmetic: (out := honest(row, env, arithmetic)) | {"w@t": out["w@t"] + mp.mpf("0.001")})
    with pytest.raises(CheckError, match="do not agree"):
        BANK["adam-two-steps"].at(question("adam-two-steps", 0).index)


def test_a_mistake_near_the_truth_rejects_the_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    maker, index = one()
    near = {k: [[v * (1 + mp.mpf("1e-6")) for v in row] for row in m] for k, m in work_of("one-neuron", 0).values.items()}
    _ = maker.reference
    monkeypatch.setattr(kinds, "values", lambda work, mistake: near)
    with pytest.raises(Rejected, match="comes too near"):
        maker.at(index)


@pytest.mark.parametrize("name", NAMES[::9])
def test_a_question_does_not_depend_on_those_before_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A paper that is printed again is alone; the first time it was one of many."""
    later = [as_json(BANK[name].make(trial_seed(k))) for k in (3, 2)]
    monkeypatch.setattr(worked, "_machines", {})
    assert as_json(Maker(BANK[name].file).make(trial_seed(2))) == later[1]


def test_an_interval_without_the_truth_is_caught() -> None:
    work = work_of("one-neuron", 0)
    moved = replace(work, values={**work.values, "a1": [[work.values["a1"][0][0] + 1]]})
    with pytest.raises(CheckError, match="does not hold its value"):
        tolerance.tolerances(moved)


@pytest.mark.parametrize(("name", "seed"), ALL)
def test_mistakes_differ_from_the_truth_and_from_each_other(name: str, seed: int) -> None:
    for part in question(name, seed).parts:
        every = [part.answer.value, *(e.value for e in part.errors)] if part.errors else []
        assert len(set(every)) == len(every) and len({e.latex for e in part.errors}) == len(part.errors)
        assert len({o.runs for o in part.answer.options}) == len(part.answer.options)


@pytest.mark.parametrize("name", NAMES[::4])
def test_what_a_mistake_leaves_alone_need_not_be_worked_out_again(name: str) -> None:
    """The same numbers as from nothing but the given ones; to forget an equation that is moved would show."""
    work = work_of(name, 0)
    for mistake in distractors.mistakes(work, work.keys[-1]):
        with mp.workdps(distractors.WORKING):
            whole = distractors.everything(work, mistake, {n: work.values[n] for n in work.problem.leaves}, work.keys)
        quick = distractors.values(work, mistake)
        assert quick.keys() == whole.keys()
        assert not any(distractors.moved(quick[k], whole[k]) for k in whole), (name, mistake.slip)


@pytest.mark.parametrize("name", ["layer-norm", "attention-one-query", "recurrent-two-steps", "ridge-gradient"])
def test_a_turned_sign_turns_the_gradient_and_is_followed_into_earlier_parts(name: str) -> None:
    q = question(name, 0)
    turned = [e for p in q.parts for e in p.errors if e.slip == "sign"]
    rights = [p.answer.value for p in q.parts if any(e.slip == "sign" for e in p.errors)]
    assert turned and all(mp.mpf(x) == -mp.mpf(y) for e, right in zip(turned, rights, strict=True) for xs, ys in zip(e.value, right, strict=True) for x, y in zip(xs, ys, strict=True))
    later = {key for c in q.parts[-1].carried if c.slip == "sign" for key, *_ in c.cells}
    shown = {key for p in q.parts for c in p.carried if c.slip == "sign" for key, *_ in c.cells}
    assert later and all("/d" in key or key.startswith("d") for key in shown)  # no value of the forward pass
    assert name != "recurrent-two-steps" or "dL/du" in shown


def test_a_sum_has_no_mean_to_forget() -> None:
    assert not [e for p in question("convolution-row", 0).parts for e in p.errors if e.slip == "mean-forgotten"]
    assert [m.slip for m in distractors.mistakes(work_of("regression-mse", 0), ("L", "b1"), ["mean-forgotten"])] == ["mean-forgotten"]


@pytest.mark.parametrize(("change", "told"), [
    (lambda p: replace(p, errors=(replace(p.errors[0], value=p.answer.value),)), "within twice the tolerance"),
    (lambda p: replace(p, errors=p.errors[:1] * 2), "two mistakes give the same"),
    (lambda p: replace(p, points=p.points + 1), "marks stand in the solution"),
    (lambda p: replace(p, answer=replace(p.answer, type="single_choice")), "0 options are right"),
    (lambda p: replace(p, answer=replace(p.answer, options=(kinds.Option((("words", "a"),), True),) * 2)), "two options are the same"),
])
def test_the_check_of_questions_complains(change: Any, told: str) -> None:
    q = question("one-neuron", 0)
    assert not list(sound(q))
    assert told in " ".join(sound(replace(q, parts=(change(q.parts[0]), *q.parts[1:]))))


# ---------------------------------------------------------------- seeds and spaces

def test_seeds_tell_names_apart() -> None:
    assert len({seed_of("s", "e", "1", "p"), seed_of("s", "e1", "", "p"), seed_of("s", "e", "1p", ""), seed_of("t", "e", "1", "p")}) == 4


@given(st.integers(0, 2**256), st.integers(1, 400))
def test_a_walk_comes_to_every_draw_once(seed: int, size: int) -> None:
    variants = Variants(read_text(SMALL, "small.yaml"))
    variants.size = size
    assert sorted(variants.walk(seed)) == list(range(size))


@pytest.mark.parametrize("raw", [["1", "2"], {"integers": ["-3", "3"], "zero": "false"}, {"decimals": ["0.1", "0.5"]}, {"fractions": ["2", "3"], "signs": "true"},
                                 {"ln": ["2", "3"]}, {"half_ln": ["2", "3"], "signs": "true"}, {"pythagorean": "13", "signs": "true"},
                                 {"list": "3", "of": ["1", "2", "3", "4"], "distinct": "true"}, {"matrix": ["2", "2"], "of": {"integers": ["0", "2"]}}])
def test_a_space_has_as_many_values_as_it_says(raw: Any) -> None:
    s = space(raw)
    assert len({s.at(k) for k in range(s.size)}) == s.size > 1


@pytest.mark.parametrize(("low", "step", "values"), [("0.25", "0.5", "0.25 0.75 1.25"), ("0.05", "0.4", "0.05 0.45 0.85 1.25"), ("1/3", "0.5", "1/3 5/6"), ("-0.5", "0.75", "-0.50 0.25 1.00"), ("0", "1/2", "0 1/2 1")])
def test_decimals_are_those_of_the_bounds_and_the_step(low: str, step: str, values: str) -> None:
    found = space({"decimals": [low, "1.3"], "step": step})
    assert [found.at(k) for k in range(found.size)] == values.split()


def test_statements_hold_the_numbers_of_the_variant() -> None:
    maker = Maker(read_text(SMALL.replace("find: dy/dx", 'select: [{say: "`x` is below {{ a }}", when: "x < {a}"}, {say: "`y` is positive", when: y > 0}]'), "b.yaml"))
    for seed in range(4):
        q = maker.make(seed)
        a = int(q.index) + 2
        assert {"".join(text for _, text in o.runs): o.right for o in q.parts[0].answer.options} == {f"x is below {a}": a > 3, "y is positive": True}


def test_every_row_of_spaces_shows_an_example_that_works() -> None:
    for name, row in SPACES.items():
        maker = Maker(read_text(SMALL.replace("{integers: [2, 9]}", row.example), "x.yaml"))
        assert maker.variants.size > 1 and name in row.example


def test_right_options_stand_everywhere_alike() -> None:
    counts = np.bincount([placed(seed_of("s", str(k)), "p/0/options", 4).index(0) for k in range(4000)], minlength=4)
    assert ((counts - 1000) ** 2 / 1000).sum() < 16.3  # chi-square, 3 degrees of freedom, 0.1%
    assert len({BANK["chain-rule-choice"].make(trial_seed(k)).parts[0].answer.right for k in range(12)}) >= 3


def test_a_variant_is_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONHASHSEED": "7"}
    subprocess.run([sys.executable, "-m", "symbolic", "bank", "preview", "relu-pattern", "--to", "json", "-o", str(tmp_path)], check=True, env=env,
                   cwd=Path(__file__).parent.parent, capture_output=True)
    assert (tmp_path / "relu-pattern-0.json").read_text() == as_json(question("relu-pattern", 0))


def test_neighbours_are_told_apart() -> None:
    a, b = question("one-neuron", 0), question("one-neuron", 1)
    assert not unlike(a, a) and unlike(a, b) == all(p.answer.value != q.answer.value for p, q in zip(a.parts, b.parts, strict=True))


# ---------------------------------------------------------------- the file

SMALL = '''
title: The slope of a square
topics: [chain rule]
parameters: {a: {integers: [2, 9]}}
spec: {equations: {y: "x**2"}, at: {x: "3"}}
text: "Let `y = x**2`."
ask: [{find: dy/dx, points: 2}]
'''


@pytest.mark.parametrize(("old", "new", "told"), [
    ("topics:", "topic:", "b.yaml:3: unknown key 'topic'; did you mean 'topics'?"),
    ("integers", "integrs", "b.yaml:4: parameters a: 'integrs' is no kind of space; did you mean 'integers'?"),
    ("[2, 9]", "[9, 2]", "b.yaml:4: parameters a integers: expected the least and the largest number; as in [-3, 3]"),
    ("{a: {integers: [2, 9]}}", "{a: {integers: [2, 9]}, c: {is: ln(a)}}", "b.yaml:4: parameters c is: the parameter a stands there without braces; write {a}"),
    ("{integers: [2, 9]}", "{integers: [2, 9], zero: nein}", "b.yaml:4: parameters a: expected true or false, not 'nein'"),
    ('"3"', '"{b}"', "b.yaml:5: spec: {b} is no parameter; valid names: a"),
    ('"x**2"}', '"x**"}', "b.yaml:5: equations y: 'x**' is not an expression"),
    ("dy/dx", "dy/dz", "b.yaml:7: ask, entry 1: 'dy/dz' is not known here; did you mean 'dy/dx'?"),
    ("find", "fnd", "b.yaml:7: ask, entry 1: unknown key 'fnd'; did you mean 'find'?"),
    ("{find: dy/dx,", "{find: dy/dx, mistakes: [sgn],", "b.yaml:7: ask, entry 1, mistakes, entry 1: 'sgn' is no mistake known here; did you mean 'sign'?"),
    ("points: 2", "marks: {dy/du: 1}", "b.yaml:7: ask, entry 1: marks: 'dy/du' is no step of this solution; did you mean 'dy/dx'?"),
    ("`y = x**2`", "`y = q`", "b.yaml:6: text: unknown name 'q'"),
    ("`y = x**2`", "{{ b }}", "b.yaml:6: text: 'b' is no parameter; valid names: a, equations, numbers"),
    ("`y = x**2`", "{{ a.__class__ }}", "b.yaml:6: text: a getattr is not allowed in a template"),
    ("`y = x**2`", "`[" + 26 * "[1] " + "x`", "b.yaml:6: text: '[[1] [1]"),
    ("`y = x**2`", "`[[1, 2], [3]]`", "b.yaml:6: text: '[[1, 2], [3]]' has rows of different lengths"),
    ("{find: dy/dx,", "{find: dy/dx, say: '{{ numbers }}: `y`',", "b.yaml:7: ask, entry 1, say: {{ numbers }} cannot stand in a sentence"),
    ("{find: dy/dx,", "{select: [{say: a, when: y > 0}, {say: a, when: y < 0}],", "b.yaml:7: a statement stands twice"),
    ("{integers: [2, 9]}", "[1/2, 0.5]", "b.yaml:4: parameters a: a value stands twice"),
    ("{integers: [2, 9]}", "{fractions: 1000000}", "b.yaml:4: parameters a: expected a whole number from 2 to 1,000, not '1000000'"),
    ("spec:", "where: ['{a}[0] < 3']\nspec:", "b.yaml:5: where, entry 1: '{a}[0]': '"),
    ("spec:", "where: [a < ]\nspec:", "b.yaml:5: where, entry 1: 'a <' is no comparison"),
    ("spec:", "where: [y > 10]\nspec:", "b.yaml:5: none of 8 draws makes a question; 8 times: not y > 10"),
])
def test_a_broken_file_says_where_and_what(old: str, new: str, told: str) -> None:
    with pytest.raises(SpecError) as caught:
        maker = Maker(read_text(SMALL.replace(old, new, 1), "b.yaml"))
        maker.check()
        maker.make(0)
    assert told in str(caught.value)


def test_the_unbroken_file_works() -> None:
    maker = Maker(read_text(SMALL, "b.yaml"))
    maker.check()
    assert maker.make(1).parts[0].answer.value == (("6.0",),)


@pytest.mark.parametrize("text", ["{% for x in a %}{% endfor %}", "{{ a*9**9 }}", "{{ a|upper }}", "{{ range(9) }}", "{% set a = 1 %}", "{% include 'x' %}", "{{ a['x'].b }}", "{{ '%1000000000d' % 3 }}",
                                  "{{ a['upper'] }}", "{{ " + 4400 * "9" + " }}", "{{ " + 1200 * "not " + "a }}", "{% autoescape true %}{% endautoescape %}"])
def test_templates_are_locked(text: str) -> None:
    with pytest.raises(SpecError):  # and nothing of it is worked out
        Wording(text, ["a"])


def test_words_never_reach_tex_unescaped() -> None:
    q = Maker(read_text(SMALL.replace("Let `y", r"50% of \\input{x} & $1: `y"), "b.yaml")).make(0)
    page = source([q], "T_1")
    assert r"50\% of \textbackslash{}input\{x\} \& \$1:" in page and r"\input{x}" not in page and r"T\_1" in page


def test_the_starter_works() -> None:
    maker = Maker(read_text(starter("problem"), "starter.yaml"))
    assert all(kind in starter("problem") for kind in KINDS)
    maker.check()
    assert not list(sound(maker.make(0)))


# ---------------------------------------------------------------- pages

@pytest.mark.parametrize("name", NAMES)
def test_formulas_are_well_formed(name: str) -> None:
    q = question(name, 0)
    lines = [*(x for lines in q.blocks.values() for x in lines), *(x for p in q.parts for x in (*p.solution, *p.lines))]
    runs = [r for p in q.parts for r in (*p.say, *(r for o in p.answer.options for r in o.runs), *(r for e in p.errors for r in e.said))]
    assert lines and all(well_formed(x.left or "x") and well_formed(x.right) for x in lines)
    assert all(well_formed(text) for kind, text in [*runs, *(r for piece in q.stem for r in piece.runs)] if kind == "formula")


@pytest.mark.parametrize("name", ["find-the-error-softmax", "learning-rate-fate", "separable-or-not", "true-or-false-lines"])
def test_a_choice_that_wants_reasons_has_room_for_them_and_every_line_its_number(name: str) -> None:
    q = question(name, 0)
    *_, part = laid_out(q, SHEET.width / 1.6, _writer(None, 160))["parts"]
    assert part["room"] >= 30 and not part["line"]
    assert [r["why"] for r in part["lines"] if r.get("why")] == [f"line {k}" for k in range(1, len(q.parts[-1].lines) + 1)]
    assert laid_out(question("chain-rule-choice", 0), write=_writer(None, 100))["parts"][0]["room"] == 0


def test_the_whole_bank_can_be_set() -> None:
    engine = find_engine()
    assert engine is not None
    made = compile_pdf(source([question(n, 0) for n in NAMES], "The bank"), engine=engine)
    assert made.pdf.startswith(b"%PDF") and not made.complaints, made.complaints


# ---------------------------------------------------------------- commands

def run(*args: str) -> Any:
    return CliRunner().invoke(main, ["bank", *args])


def test_commands(tmp_path: Path) -> None:
    listed = json.loads(run("list", "--json").output)
    assert [row["name"] for row in listed] == NAMES and all(row["draws"] > 1 for row in listed)
    shown = run("show", "one-neuron", "--seeds", "2").output
    assert "41,472 draws" in shown and "active units" in shown
    assert json.loads(run("show", "one-neuron", "--json").output)["problem"] == "one-neuron"
    assert json.loads(run("test", "graph-fork", "--seeds", "2", "--json").output)[0]["failures"] == []
    made = run("preview", "graph-fork", "-o", str(tmp_path), "--to", "tex")
    assert made.exit_code == 0 and r"\begin{document}" in (tmp_path / "graph-fork-0.tex").read_text()
    assert run("show", "one-nueron").exit_code == run("show", "/tmp/one-neuron").exit_code == 2


def test_one_broken_file_leaves_the_bank_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (own := tmp_path / "own").mkdir()
    (own / "graph-fork.yaml").write_text((library.OWN / "graph-fork.yaml").read_text())
    monkeypatch.setattr(library, "OWN", own)
    (tmp_path / "good.yaml").write_text(SMALL)
    (tmp_path / "bad.yaml").write_text(SMALL.replace("find", "fnd"))
    listed = run("list", "--json", "--bank", str(tmp_path))
    assert listed.exit_code == 2 and "bad.yaml:7: ask, entry 1: unknown key 'fnd'; did you mean 'find'?" in listed.stderr
    assert {row["name"] for row in json.loads(listed.stdout)} == {"graph-fork", "good"}
    assert run("test", "good", "--seeds", "2", "--bank", str(tmp_path)).exit_code == 2, "made, and the broken file is not forgotten"
    (tmp_path / "twin.yaml").write_text(SMALL)
    (tmp_path / "bad.yaml").unlink()
    assert "the same model and the same question as 'good'" in run("list", "--bank", str(tmp_path)).stderr
    assert run("list", "--bank", str(tmp_path / "none")).exit_code == 2


@pytest.mark.parametrize("kind", STARTERS)
def test_new(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every starter does what its last line says."""
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(main, ["new", kind, "mine.yaml"])
    assert made.exit_code == 0 and (tmp_path / "mine.yaml").read_text() == starter(kind)
    tried = CliRunner().invoke(main, [*made.stdout.strip().rstrip("'").partition("'chainrule ")[2].split(), "--to", "tex"])
    assert tried.exit_code == 0, tried.output
    assert CliRunner().invoke(main, ["new", kind, "mine.yaml"]).exit_code == 2
    assert CliRunner().invoke(main, ["new", kind, "mine.txt"]).exit_code == 2
