"""Optimizers: every row beside a transcription of its source, laws between the rows, and planted mistakes that must be caught."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings, strategies as st
from mpmath import mp

from symbolic.derive import derive
from symbolic.errors import CheckError
from symbolic.language.arithmetic import MP
from symbolic.lectures import descent
from symbolic.lectures.descent import check_first, comparison, entry_step, run, whole_path
from symbolic.optimizers import AFTER, BEFORE, OPTIMIZERS, Optimizer
from symbolic.problem import Problem, build
from symbolic.produce import Request, produce
from symbolic.reading.specfile import build as read

PARABOLA = {"equations": {"L": "(w - 2)**2/2"}, "at": {"w": "-1"}, "learning_rate": "0.1"}
State = dict[str, float]
size, rates, shares = st.floats(-5, 5), st.floats(1e-3, 0.5), st.floats(0.05, 0.95)


# ---------------------------------------------------------------- transcriptions, from the sources, in plain floats

def _adam(w: float, g: float, s: State, t: int, eta: float, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8, lam: float = 0.0) -> float:
    """Algorithm 1 of Kingma and Ba; with lam, PyTorch's AdamW, which shrinks the weight first."""
    w = w * (1 - eta * lam)
    s["m"] = beta1 * s.get("m", 0) + (1 - beta1) * g
    s["v"] = beta2 * s.get("v", 0) + (1 - beta2) * g * g
    return w - eta * (s["m"] / (1 - beta1**t)) / (math.sqrt(s["v"] / (1 - beta2**t)) + epsilon)


def _torch_sgd(w: float, g: float, s: State, t: int, eta: float, beta: float = 0.9, nesterov: bool = False) -> float:
    buffer = g if t == 1 else beta * s["buffer"] + g  # torch.optim.SGD starts its buffer with the first gradient
    s["buffer"] = buffer
    return w - eta * (g + beta * buffer if nesterov else buffer)


def _keras_sgd(w: float, g: float, s: State, t: int, eta: float, beta: float = 0.9) -> float:
    s["velocity"] = s.get("velocity", 0) * beta - g * eta
    return w + s["velocity"]


def _average(w: float, g: float, s: State, t: int, eta: float, beta: float = 0.9) -> float:
    s["a"] = beta * s.get("a", 0) + (1 - beta) * g
    return w - eta * s["a"]


def _adagrad(w: float, g: float, s: State, t: int, eta: float, epsilon: float = 1e-10) -> float:
    s["sum"] = s.get("sum", 0) + g * g
    return w - eta * g / (math.sqrt(s["sum"]) + epsilon)


def _rms(w: float, g: float, s: State, t: int, eta: float, rho: float = 0.9, epsilon: float = 1e-8, inside: bool = False) -> float:
    s["square"] = rho * s.get("square", 0) + (1 - rho) * g**2
    return w - eta * g / (math.sqrt(s["square"] + epsilon) if inside else math.sqrt(s["square"]) + epsilon)


BY_HAND: dict[str, Callable[..., float]] = {
    "gradient_descent": lambda w, g, s, t, eta: w - eta * g,
    "momentum": _torch_sgd, "momentum_velocity": _keras_sgd, "momentum_average": _average,
    "nesterov": lambda *a, **more: _torch_sgd(*a, nesterov=True, **more), "nesterov_lookahead": _keras_sgd,
    "adagrad": _adagrad, "rmsprop": _rms, "rmsprop_inside": lambda *a, **more: _rms(*a, **{"epsilon": 1e-7, **more}, inside=True),
    "adam": _adam, "adamw": lambda *a, **more: _adam(*a, **{"lam": 0.01, **more}),
}


def slope(w: float) -> float:
    """Of the loss below."""
    return 1.5 * w**2 * math.copysign(1, w) - math.cos(w)


LOSS = "abs(w)**3/2 - sin(w)"


def by_hand(name: str, w: float, eta: float, steps: int, g: Callable[[float], float] = slope) -> list[float]:
    """The path of a transcription; the look-ahead form takes the gradient where its velocity leads."""
    state: State = {}
    out = [w]
    for t in range(1, steps + 1):
        ahead = 0.9 * state.get("velocity", 0) if name == "nesterov_lookahead" else 0.0
        w = BY_HAND[name](w, g(w + ahead), state, t, eta)
        out.append(w)
    return out


def problem_of(optimizer: Any, steps: int = 6, **changes: Any) -> Problem:
    chosen = {"name": optimizer} if isinstance(optimizer, str) else optimizer
    return build(read({**PARABOLA, **changes, "optimizer": {**chosen, "steps": steps}}))


def path_of(optimizer: Any, steps: int = 6, **changes: Any) -> list[Any]:
    """The values of the one number that is learned."""
    problem = problem_of(optimizer, steps, **changes)
    return [m.values["w"][0][0] for m in whole_path(problem, derive(problem.network)).moments]


def same(a: Any, b: Any, digits: int = 40) -> bool:
    return len(a) == len(b) and all(abs(x - y) <= mp.mpf(10) ** -digits * max(1, abs(x)) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_row_beside_its_transcription(name: str) -> None:
    got = path_of(name, 7, equations={"L": LOSS}, at={"w": "1.25"}, learning_rate="0.07")
    assert [float(v) for v in got] == pytest.approx(by_hand(name, 1.25, 0.07, 7), rel=1e-12)
    assert len({float(v) for v in got}) == 8


def test_the_transcriptions_cover_the_table() -> None:
    assert list(BY_HAND) == list(OPTIMIZERS)


@pytest.mark.parametrize(("name", "w", "printed"), [("rmsprop_inside", "10", ["9.683772"]), ("adam", "10", ["9.9"]), ("momentum_velocity", "1", ["0.9", "0.72"])])
def test_published_numbers(name: str, w: str, printed: list[str]) -> None:
    """The values in the documentation of Keras: the loss w^2/2, the learning rate 0.1."""
    found = path_of(name, len(printed), equations={"L": "w**2/2"}, at={"w": w})[1:]
    assert all(abs(v - mp.mpf(p)) < mp.mpf("5.1e-7") for v, p in zip(found, printed, strict=True))


# ---------------------------------------------------------------- laws

def stepped(row: str, w: float, gradients: list[float], eta: float, **options: float) -> list[Any]:
    """The path of a row for gradients that are given, with its states."""
    optimizer = OPTIMIZERS[row]
    with mp.workdps(60):
        env = {o: MP.number(v.default) for o, v in optimizer.options.items()} | {k: mp.mpf(v) for k, v in options.items()}
        state: dict[str, Any] = {s + BEFORE: MP.number(v) for s, v in optimizer.states.items()} | {"w" + BEFORE: mp.mpf(w)}
        out = []
        for t, g in enumerate(gradients, 1):
            got = entry_step(optimizer, {**env, **state, "eta": mp.mpf(eta), "t": mp.mpf(t), "g" + AFTER: mp.mpf(g)})
            state = {name: got[name.replace(BEFORE, AFTER)] for name in state}
            out.append({k.removesuffix(AFTER): v for k, v in got.items()})
        return out


def weights(found: list[Any]) -> list[Any]:
    return [x["w"] for x in found]


lists = st.lists(size, min_size=1, max_size=6)


@settings(max_examples=30)
@given(size, lists, rates)
def test_without_momentum_it_is_gradient_descent(w: float, gradients: list[float], eta: float) -> None:
    plain = weights(stepped("gradient_descent", w, gradients, eta))
    for name in ("momentum", "momentum_velocity", "momentum_average", "nesterov", "nesterov_lookahead"):
        assert same(weights(stepped(name, w, gradients, eta, beta=0)), plain), name


@settings(max_examples=30)
@given(size, lists, rates, shares)
def test_the_conventions_of_momentum(w: float, gradients: list[float], eta: float, beta: float) -> None:
    """Velocity form: the same path; averaged form: the path with the rate (1 - beta) eta."""
    path = weights(stepped("momentum", w, gradients, eta, beta=beta))
    assert same(weights(stepped("momentum_velocity", w, gradients, eta, beta=beta)), path)
    with mp.workdps(60):
        assert same(weights(stepped("momentum_average", w, gradients, mp.mpf(eta) / (1 - mp.mpf(beta)), beta=beta)), path)


@settings(max_examples=30)
@given(size, size, rates, shares)
def test_adam(w: float, g: float, eta: float, share: float) -> None:
    """The corrected averages of a constant gradient are the gradient and its square; the first step has the size eta."""
    assume(abs(g) > 1e-3)
    found = stepped("adam", w, [g] * 5, eta, beta1=share)
    with mp.workdps(60):
        assert all(same([x["m_hat"], x["v_hat"]], [mp.mpf(g), mp.mpf(g) ** 2]) for x in found)
    assert abs(abs(found[0]["w"] - mp.mpf(w)) - mp.mpf(eta)) < mp.mpf(eta) * mp.mpf("1e-4")
    with mp.workdps(60):
        exact = mp.mpf(eta) * abs(mp.mpf(g)) / (abs(mp.mpf(g)) + mp.mpf("1e-8"))
        assert same([abs(found[0]["w"] - mp.mpf(w))], [exact])
    assert same(weights(stepped("adamw", w, [g, -g, 2 * g], eta, lam=0)), weights(stepped("adam", w, [g, -g, 2 * g], eta)))
    assert not same(weights(stepped("adamw", w + 6, [g], eta)), weights(stepped("adam", w + 6, [g], eta)), 12)


@settings(max_examples=30)
@given(size, lists, rates)
def test_the_place_of_epsilon(w: float, gradients: list[float], eta: float) -> None:
    """Without epsilon, inside and outside the root are the same."""
    assume(all(abs(g) > 1e-3 for g in gradients))
    assert same(weights(stepped("rmsprop", w, gradients, eta, epsilon=0)), weights(stepped("rmsprop_inside", w, gradients, eta, epsilon=0)))


def test_the_two_forms_of_nesterov_are_one_path() -> None:
    """What PyTorch calls w is the point ahead, w + beta v, of the other form."""
    w, v, eta, beta = 1.25, 0.0, 0.05, 0.9
    ahead = [w]
    for _ in range(6):
        v = beta * v - eta * slope(w + beta * v)
        w += v
        ahead.append(w + beta * v)
    got = path_of("nesterov", 6, equations={"L": LOSS}, at={"w": "1.25"}, learning_rate="0.05")
    assert [float(x) for x in got] == pytest.approx(ahead, rel=1e-12)


# ---------------------------------------------------------------- planted mistakes

@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_first_step_is_proved(name: str) -> None:
    check_first(OPTIMIZERS[name])


SLIPS = [("momentum", "v", "beta*v - g"), ("momentum_velocity", "v", "beta*v + eta*g"), ("momentum_average", "v", "beta*v + beta*g"), ("nesterov", "w", "w - eta*v"),
         ("adagrad", "w", "w - eta*g/(s + epsilon)"), ("rmsprop", "s", "rho*s + (1 - rho)*g"), ("rmsprop", "w", "w - eta*g/sqrt(s + epsilon)"),
         ("adam", "m_hat", "m"), ("adam", "v_hat", "v/(1 - beta1**t)"), ("adamw", "w", "w - eta*m_hat/(sqrt(v_hat) + epsilon) - lam*w"), ("gradient_descent", "w", "w + eta*g")]


@pytest.mark.parametrize(("name", "target", "wrong"), SLIPS)
def test_a_wrong_equation_stops_the_run(name: str, target: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = OPTIMIZERS[name]
    planted = replace(row, equations={**row.equations, target: wrong}, first="w - eta*g*1" if name == "gradient_descent" else row.first)
    monkeypatch.setitem(OPTIMIZERS, name, planted)
    spec = tmp_path / "slip.yaml"
    spec.write_text(json.dumps({**PARABOLA, "optimizer": name}))
    with pytest.raises(CheckError, match="the first step"):
        produce(spec, tmp_path / "out", Request(formats=("json",)), lambda line: None)
    assert not (tmp_path / "out").exists()


def test_a_step_that_is_computed_wrongly_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second computation sees what the first one does: an old value for a new one, a digit lost."""
    def late(row: Optimizer, env: Any) -> dict[str, Any]:
        old = {target: env.get(target.replace(AFTER, BEFORE), mp.mpf(0)) for target, _ in row.trees}
        return {target: MP.scalar(rhs, {**env, **old}) for target, rhs in row.trees}

    def rounded(row: Optimizer, env: Any) -> dict[str, Any]:
        return {k: v + mp.mpf(10) ** -50 for k, v in entry_step(row, env).items()}

    for wrong in (late, rounded):
        monkeypatch.setattr(descent, "entry_step", wrong)
        with pytest.raises(CheckError, match="do not agree"):
            path_of("momentum")


def test_a_wrong_gradient_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = problem_of("adam")
    right = descent.gradients

    def planted(*args: Any, **more: Any) -> Any:
        return {k: [[v * mp.mpf("1.0000000001") for v in row] for row in m] if isinstance(k, tuple) else m for k, m in right(*args, **more).items()}

    monkeypatch.setattr(descent, "gradients", planted)
    with pytest.raises(CheckError, match="not the slope"):
        run(problem, derive(problem.network), problem.descent)  # type: ignore[arg-type]


def test_the_curvature_judges_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = build(read({**PARABOLA, "compare": {"learning_rate": ["0.1", "0.2"], "steps": 3}}))
    found = descent.quadratic(problem)
    assert found is not None
    monkeypatch.setattr(descent, "quadratic", lambda p: replace(found, curvatures=(found.curvatures[0] * mp.mpf("1.0001"),)))
    with pytest.raises(CheckError, match="curvature"):
        comparison(problem, derive(problem.network))
