"""Steps downhill in high precision: an optimizer's equations read at the numbers, entry by entry, step after step.

Nothing is handed on unchecked. The gradient of every step is compared with differences of the forward pass; every
new number is computed a second time from the equations put into one formula by SymPy; the first-step formula of the
row is proved; and on a quadratic, gradient descent has to shrink every error by 1 - eta*lam.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from mpmath import mp

from ..derive import Derivation, derive
from ..errors import CheckError
from ..language.arithmetic import MP, Arithmetic, Matrix
from ..optimizers import AFTER, BEFORE, Optimizer, Schedule, formula
from ..problem import Problem
from ..proof.probe import Draw, kinks
from ..proof.prove import SYMPY
from ..reading.plans import Plan
from ..values import DIGITS, LARGEST, difference, forward, gradients, inner
from ..verify import AGREE
from .quadratic import Quadratic, fate, flat, quadratic

LIMIT = 10**6  # a loss this many times the first one (or 1) has left the picture
SECOND = 60   # digits to which the second computation has to agree


@dataclass(frozen=True)
class Moment:
    """The state after t steps. values: what is learned; loss: over all examples. Of the step that led here:
    rate, examples (() for all), batch_loss (over those, before the step), gradient, and state: for every name,
    what the optimizer computed beside it."""

    t: int
    values: Mapping[str, Matrix]
    loss: Any
    rate: Any = None
    examples: tuple[int, ...] = ()
    batch_loss: Any = None
    gradient: Mapping[str, Matrix] = field(default_factory=dict)
    state: Mapping[str, Mapping[str, Matrix]] = field(default_factory=dict)


@dataclass(frozen=True)
class Path:
    """A run of an optimizer. stopped: why it ended early, '' if it did not."""

    plan: Plan
    moments: tuple[Moment, ...]
    stopped: str = ""

    @property
    def last(self) -> Moment:
        return self.moments[-1]


def rate_at(plan: Plan, t: int, arithmetic: Arithmetic = MP) -> Any:
    """The learning rate of step t (from 1) by the schedule.

    Raises ArithmeticError where the formula has no value.
    """
    return scheduled(plan.schedule, {"eta": plan.rate, **plan.schedule_options}, t, arithmetic)


def scheduled(row: Schedule, options: Mapping[str, Any], t: float, arithmetic: Arithmetic = MP) -> Any:
    """The formula of a schedule at step t (a picture asks for what lies between steps)."""
    exact = {name: MP.number(v) for name, v in options.items()} | {"t": mp.mpf(t)}
    env = {name: arithmetic.number(v) for name, v in options.items()} | {"t": arithmetic.number(mp.mpf(t))}
    env |= {name: arithmetic.number(mp.floor(MP.scalar(formula(source), exact))) for name, source in row.whole.items()}
    return arithmetic.scalar(formula(row.rate), env)


# ---------------------------------------------------------------- one step

def entry_step(row: Optimizer, env: Mapping[str, Any], arithmetic: Arithmetic = MP) -> dict[str, Any]:
    """All that a step computes for one number; env: w, the states (both before), g, eta, t and the options."""
    out = dict(env)
    for target, rhs in row.trees:
        out[target] = arithmetic.scalar(rhs, out)
    return {target: out[target] for target, _ in row.trees}


def combined(row: Optimizer) -> tuple[list[str], sp.Expr]:
    """The new w as one formula in everything before the step, put together by SymPy; with the names it needs."""
    names = ["w" + BEFORE, "g" + AFTER, "eta", "t", *(s + BEFORE for s in row.states), *row.options]
    env: dict[str, Any] = {n: sp.Symbol(n, real=True) for n in names}
    for target, rhs in row.trees:
        env[target] = SYMPY.scalar(rhs, env)
    return names, env["w" + AFTER]


_opinions: dict[tuple[Any, ...], tuple[list[str], Callable[..., Any]]] = {}


def second_opinion(row: Optimizer) -> tuple[list[str], Callable[..., Any]]:
    """The new w as one function compiled by SymPy, with the names of its arguments in order."""
    key = (*row.equations.items(), *row.states.items(), *row.options)
    if key not in _opinions:
        names, after = combined(row)
        _opinions[key] = names, sp.lambdify([sp.Symbol(n, real=True) for n in names], after, "mpmath")
    return _opinions[key]


_proofs: dict[tuple[Any, ...], bool] = {}


def check_first(row: Optimizer) -> None:
    """The first step of a row in one formula, proved from its equations: t = 1 and every state at its start.

    Raises CheckError when the two do not agree.
    """
    key = (*row.equations.items(), row.first, *row.states.items())
    if key not in _proofs:
        _proofs[key] = _first_agrees(row)
    if not _proofs[key]:
        raise CheckError(f"the first step of {row.name} is not {row.first}; nothing was written")


def _first_agrees(row: Optimizer) -> bool:
    names, after = combined(row)
    claim = SYMPY.scalar(row.tree(row.first), {n: sp.Symbol(n, real=True) for n in names})
    meaning: dict[Any, Any] = {sp.Symbol("t", real=True): 1}
    meaning |= {sp.Symbol(s + BEFORE, real=True): SYMPY.number(v) for s, v in row.states.items()}
    for name, option in row.options.items():
        left = sp.Symbol(f"{name}_left", positive=True)
        meaning[sp.Symbol(name, real=True)] = 1 - left if option.below == 1 else left
    size = sp.Symbol("size", positive=True)  # the gradient is positive, negative or zero: |g| is proved for each
    return all(sp.simplify((after - claim).subs(meaning | {sp.Symbol("g" + AFTER, real=True): g}, simultaneous=True)) == 0 for g in (size, -size, sp.S.Zero))


class _Walker:
    """Takes the steps of one plan on one problem."""

    def __init__(self, problem: Problem, derivation: Derivation, plan: Plan) -> None:
        self.problem, self.derivation, self.plan, self.row = problem, derivation, plan, plan.optimizer
        self.leaves = problem.numbers() or {}
        self.names = problem.moved
        self.smaller: dict[tuple[int, ...], tuple[Derivation, Mapping[Any, Matrix]]] = {}
        check_first(self.row)
        self.order, self.again = second_opinion(self.row)

    def loss(self, values: Mapping[str, Matrix], examples: tuple[int, ...] = ()) -> Any:
        """Over all examples, or over some. Raises ArithmeticError where there is none."""
        derivation, leaves = self.scene(examples)
        found = forward(derivation.network, {**leaves, **values})[derivation.network.output][0][0]
        if not mp.isfinite(found) or abs(found) > LARGEST:
            raise ArithmeticError("the loss is too large")
        return found

    def scene(self, examples: tuple[int, ...]) -> tuple[Derivation, Mapping[Any, Matrix]]:
        """The derivation and the given numbers of some examples; () for all."""
        if not examples:
            return self.derivation, self.leaves
        if examples not in self.smaller:
            portion = self.problem.portions[examples]
            self.smaller[examples] = derive(portion.network), portion.numbers() or {}
            self._check_portion(examples)
        return self.smaller[examples]

    def _check_portion(self, examples: tuple[int, ...]) -> None:
        """The predictions for some examples are those that the whole batch gives them. Raises SpecError where examples depend on one another."""
        derivation, leaves = self.smaller[examples]
        name, rows = derivation.network.aliases["y_hat"], derivation.network.rows
        every, some = (forward(d.network, v)[name] for d, v in ((self.derivation, self.leaves), (derivation, leaves)))
        every, some = (m if rows else [list(c) for c in zip(*m, strict=True)] for m in (every, some))
        if any(abs(a - b) > mp.mpf(10) ** -SECOND for k, row in zip(examples, some, strict=True) for a, b in zip(every[k], row, strict=True)):
            raise self.problem.refused("optimizer", "in this network one example changes what is predicted for another, so no batch can be taken", "", "batch")

    def step(self, before: Moment) -> Moment:
        """Raises ArithmeticError where a number cannot be computed, CheckError where it is wrong."""
        t = before.t + 1
        examples = self.plan.batches[before.t] if self.plan.batches else ()
        rate = rate_at(self.plan, t)
        old = before.state or {n: {s: _filled(before.values[n], MP.number(v)) for s, v in self.row.states.items()} for n in self.names}
        ahead = {n: self._each(n, before, old, lambda env: {"w": MP.scalar(self.row.point, env)}, rate, t)["w"] for n in self.names}
        derivation, leaves = self.scene(examples)
        values = gradients(derivation, forward(derivation.network, {**leaves, **ahead}))
        output = derivation.network.output
        slopes = {n: values.get((output, n), _filled(ahead[n], mp.mpf(0))) for n in self.names}
        self._check_slopes(derivation, values, ahead, slopes, t)
        new = {n: self._each(n, before, old, lambda env: self._checked(env, t), rate, t, slopes[n]) for n in self.names}
        after = {n: new[n].pop("w" + AFTER) for n in self.names}
        if not all(mp.isfinite(v) and abs(v) < LARGEST for v in flat(list(after.values()))):
            raise ArithmeticError("the numbers are too large")
        return Moment(t, after, self.loss(after), rate, examples, self.loss(before.values, examples) if examples else before.loss, slopes,
                      {n: {name.removesuffix(AFTER): m for name, m in new[n].items()} for n in self.names})

    def _each(self, name: str, before: Moment, state: Any, one: Any, rate: Any, t: int, slope: Matrix | None = None) -> dict[str, Matrix]:
        """Something computed for every entry of a value, gathered by name."""
        fixed = {n: MP.number(v) for n, v in self.plan.options.items()} | {"eta": rate, "t": mp.mpf(t)}
        out: dict[str, Matrix] = {}
        for i, row in enumerate(before.values[name]):
            for j, w in enumerate(row):
                env = {**fixed, "w" + BEFORE: w, **{s + BEFORE: state[name][s][i][j] for s in self.row.states}}
                if slope is not None:
                    env["g" + AFTER] = slope[i][j]
                for key, value in one(env).items():
                    rows = out.setdefault(key, [])
                    if j == 0:
                        rows.append([])
                    rows[i].append(value)
        return out

    def _checked(self, env: Mapping[str, Any], t: int) -> dict[str, Any]:
        """One number's step, computed twice."""
        out = entry_step(self.row, env)
        got, second = out["w" + AFTER], self.again(*(env[n] for n in self.order))
        if not mp.isfinite(second) or abs(got - second) > mp.mpf(10) ** -SECOND * max(abs(got), abs(second), abs(env["w" + BEFORE]), mp.mpf(10) ** -20):
            raise CheckError(f"step {t} of {self.row.name}: {mp.nstr(got, 12)} and {mp.nstr(second, 12)} do not agree; nothing was written")
        return out

    def _check_slopes(self, derivation: Derivation, values: Mapping[Any, Matrix], at: Mapping[str, Matrix], slopes: Mapping[str, Matrix], t: int) -> None:
        """The gradient of a step along a random direction, against differences of the forward pass."""
        network = derivation.network
        if kinks(network, values):
            return  # there the one-sided slope is a convention
        directions = {n: Draw(f"{t}/{n}").matrix((len(m), len(m[0]))) for n, m in at.items()}

        def along(s: Matrix) -> Matrix:
            moved = {n: [[x + s[0][0] * d for x, d in zip(xs, ds, strict=True)] for xs, ds in zip(at[n], directions[n], strict=True)] for n in at}
            return [[forward(network, {**values, **moved})[network.output][0][0]]]

        found = difference(along, [[mp.mpf(0)]], [[mp.mpf(1)]])[0][0]
        claimed = sum(inner(slopes[n], directions[n]) for n in at)
        # differences of a product of three weights at 0 are h squared, no 0: hence the floor
        size = max(abs(found), *(abs(inner(slopes[n], directions[n])) for n in at), mp.mpf(10) ** -25)
        if abs(found - claimed) > size * mp.mpf(10) ** -AGREE:
            raise CheckError(f"the gradient of step {t} is not the slope of the loss; nothing was written")


def _filled(like: Matrix, value: Any) -> Matrix:
    return [[value for _ in row] for row in like]


# ---------------------------------------------------------------- runs

def run(problem: Problem, derivation: Derivation, plan: Plan, steps: int | None = None) -> Path:
    """The path of a plan from the given numbers; it ends early where the loss is lost.

    Raises ArithmeticError when not even the start has a loss, CheckError for a number that is wrong.
    """
    with mp.workdps(DIGITS):
        walker = _Walker(problem, derivation, plan)
        start = {n: walker.leaves[n] for n in walker.names}
        moments = [Moment(0, start, walker.loss(start))]
        most = LIMIT * max(mp.mpf(1), abs(moments[0].loss))
        for t in range(1, (steps or plan.steps) + 1):
            try:
                moments.append(walker.step(moments[-1]))
            except ArithmeticError as e:
                return Path(plan, tuple(moments), f"Step {t} cannot be taken: {e}.")
            if abs(moments[-1].loss) > most:
                return Path(plan, tuple(moments), f"After step {t} the loss is beyond {int(most):,}: the run stops here.")
        return Path(plan, tuple(moments))


def first_step(problem: Problem, derivation: Derivation) -> Moment:
    """What one step of the plan leads to. Raises SpecError where there is no loss after it."""
    plan = problem.descent
    assert plan is not None
    path = problem.once("first", lambda: run(problem, derivation, plan, 1))
    if len(path.moments) < 2:
        why = path.stopped.partition(": ")[2].rstrip(".")
        rate = mp.nstr(MP.number(plan.rate), 4, min_fixed=-6, max_fixed=7)
        raise problem.refused("learning_rate", f"after one step with the learning rate {rate} there is no loss: {why}", "take a smaller one")
    return path.last


def whole_path(problem: Problem, derivation: Derivation) -> Path:
    """The path of the optimizer that the file names."""
    plan = problem.descent
    assert plan is not None
    return problem.once("path", lambda: run(problem, derivation, plan))


@dataclass(frozen=True)
class Comparison:
    """Paths side by side, a verdict on each, and what the verdicts rest on (None: the sequences themselves)."""

    paths: tuple[Path, ...]
    verdicts: tuple[str, ...]
    found: Quadratic | None
    start: tuple[Any, ...]


def comparison(problem: Problem, derivation: Derivation) -> Comparison:
    """Every rival's path with its verdict."""
    return problem.once("rivals", lambda: _compared(problem, derivation))


def _compared(problem: Problem, derivation: Derivation) -> Comparison:
    with mp.workdps(DIGITS):
        paths = tuple(run(problem, derivation, plan) for plan in problem.rivals)
        found = quadratic(problem) if all(plan.plain for plan in problem.rivals) else None
        start = tuple(_slope(problem, derivation, paths[0].moments[0].values))
        if found is None:
            return Comparison(paths, tuple(_judged(problem, derivation, p, start) for p in paths), found, start)
        for path in paths:
            _check_factors(found, path)
        return Comparison(paths, tuple(fate(found, MP.number(p.plan.rate), start, p.plan.steps) for p in paths), found, start)


def _slope(problem: Problem, derivation: Derivation, at: Mapping[str, Matrix]) -> list[Any]:
    """The whole gradient at a point, as one list."""
    network = derivation.network
    values = gradients(derivation, forward(network, {**(problem.numbers() or {}), **at}))
    return flat([values.get((network.output, n), _filled(m, mp.mpf(0))) for n, m in at.items()])


def _check_factors(found: Quadratic, path: Path) -> None:
    """On a quadratic every step multiplies the error along each direction by 1 - eta*lam. Raises CheckError."""
    if found.lowest is None:
        return
    eta = MP.number(path.plan.rate)
    errors = [[a - b for a, b in zip(flat(list(m.values.values())), found.lowest, strict=True)] for m in path.moments]
    for lam, direction in zip(found.curvatures, found.directions, strict=True):
        first = mp.fdot(direction, errors[0])
        for t, error in enumerate(errors):
            expected = first * (1 - eta * lam) ** t
            if abs(mp.fdot(direction, error) - expected) > mp.mpf(10) ** -AGREE * max(mp.mpf(1), *map(abs, errors[0]), *map(abs, error)):
                raise CheckError(f"step {t} with the rate {path.plan.rate} is not what the curvature says; nothing was written")


def _judged(problem: Problem, derivation: Derivation, path: Path, start: Sequence[Any]) -> str:
    """What a sequence did, in the words of the quadratic case."""
    losses = [m.loss for m in path.moments]
    if path.stopped or losses[-1] > losses[0]:
        return "diverges"
    points = [flat(list(m.values.values())) for m in path.moments]
    moves = [[b - a for a, b in zip(p, q, strict=True)] for p, q in zip(points, points[1:], strict=False)]
    turns = sum(mp.fdot(a, b) < 0 for a, b in zip(moves, moves[1:], strict=False))
    if 2 * turns >= len(moves) - 1 > 0 or any(b > a for a, b in zip(losses, losses[1:], strict=False)):
        return "oscillates"
    left = mp.norm(_slope(problem, derivation, path.last.values))
    return "crawls" if 2 * left > mp.norm(list(start)) else "converges"
