"""The steps of a plan in any arithmetic: what the parameters are after them, and a second opinion on it.

>>> from ..reading.specfile import build as spec
>>> from ..problem import build
>>> p = build(spec({"equations": {"L": "w**2"}, "at": {"w": 8}, "learning_rate": "1/4", "optimizer": {"name": "momentum", "steps": 2, "beta": "1/2"}}))
>>> int(updated(p, derive(p.network), {}, numbers(p, MP))["w"][0][0])   # 8 - 4 = 4, then 4 - (8 + 8)/4
0
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mpmath import mp

from ..derive import Derivation, derive
from ..errors import CheckError
from ..language.arithmetic import MP, Arithmetic, Env, Matrix
from ..lectures.descent import SECOND, Path, entry_step, rate_at, run
from ..optimizers import AFTER, BEFORE
from ..problem import Problem
from ..reading.plans import Plan
from ..values import forward, gradients


def count(plan: Plan) -> int:
    """How many steps lead to the new parameters: those of the optimizer's key ``steps``, one where no optimizer is named."""
    return plan.steps if plan.named else 1


def numbers(problem: Problem, arithmetic: Arithmetic) -> dict[Any, Matrix]:
    """The given numbers in another arithmetic."""
    env: dict[Any, Matrix] = {n: [[arithmetic.number(v) for v in row] for row in cells] for n, cells in problem.leaves.items()}
    return env | {node: [[arithmetic.number(v)]] for node, v in problem.known.items()}


def updated(problem: Problem, derivation: Derivation, env: Mapping[Any, Matrix], leaves: Env, arithmetic: Arithmetic = MP, plan: Plan | None = None) -> dict[str, Matrix]:
    """The parameters after the steps of the problem's plan, or of a wrong one, from gradients that may be wrong too.

    env: values and gradients where the first step starts, if they are known.
    """
    plan = plan or problem.descent
    assert plan is not None
    row = plan.optimizer
    options = {n: arithmetic.number(v) for n, v in plan.options.items()}
    here: dict[str, Matrix] = {n: leaves[n] for n in problem.moved}
    state = {n: {s: _each(lambda w, v=v: arithmetic.number(v), m) for s, v in row.states.items()} for n, m in here.items()}
    for t in range(1, count(plan) + 1):
        fixed = {**options, "eta": rate_at(plan, t, arithmetic), "t": arithmetic.number(mp.mpf(t))}

        def at(n: str, i: int, j: int, fixed: Mapping[str, Any] = fixed) -> dict[str, Any]:
            return {**fixed, "w" + BEFORE: here[n][i][j], **{s + BEFORE: state[n][s][i][j] for s in row.states}}  # noqa: B023

        ahead = {n: _placed(lambda i, j, n=n: arithmetic.scalar(row.point, at(n, i, j)), m) for n, m in here.items()}
        examples = plan.batches[t - 1] if plan.batches else ()
        slopes = _slopes(problem, derivation, {} if t > 1 or examples or row.point.op != "sym" else env, leaves, ahead, examples, arithmetic)
        made = {n: _placed(lambda i, j, n=n: entry_step(row, {**at(n, i, j), "g" + AFTER: slopes[n][i][j]}, arithmetic), m)  # noqa: B023
                for n, m in here.items()}
        here = {n: _each(lambda out: out["w" + AFTER], m) for n, m in made.items()}
        state = {n: {s: _each(lambda out, s=s: out[s + AFTER], m) for s in row.states} for n, m in made.items()}
    return here


def _slopes(problem: Problem, derivation: Derivation, env: Mapping[Any, Matrix], leaves: Env, ahead: Mapping[str, Matrix], examples: tuple[int, ...],
            arithmetic: Arithmetic) -> dict[str, Matrix]:
    """The gradient of a step, of some examples where it uses only those."""
    if examples:
        portion = problem.portions[examples]
        if examples not in problem.memo:
            problem.memo[examples] = derive(portion.network)
        derivation, leaves = problem.memo[examples], numbers(portion, arithmetic)
    values = env or gradients(derivation, forward(derivation.network, {**leaves, **ahead}, arithmetic), None, arithmetic)
    zero = arithmetic.number(mp.mpf(0))
    return {n: values.get((derivation.network.output, n)) or _each(lambda w: zero, m) for n, m in ahead.items()}


def _each(one: Callable[[Any], Any], rows: Matrix) -> Matrix:
    return [[one(v) for v in row] for row in rows]


def _placed(one: Callable[[int, int], Any], rows: Matrix) -> Matrix:
    return [[one(i, j) for j in range(len(row))] for i, row in enumerate(rows)]


def path(problem: Problem, derivation: Derivation) -> Path:
    """The same steps with everything in between, each checked; worked out once. Raises CheckError."""
    if "bank path" not in problem.memo:
        assert problem.descent is not None
        problem.memo["bank path"] = run(problem, derivation, problem.descent, count(problem.descent))
    found: Path = problem.memo["bank path"]
    return found


def check(problem: Problem, derivation: Derivation, name: str, value: Matrix) -> Any:
    """An updated parameter against the path, whose every number is computed a second time by SymPy; the largest difference. Raises CheckError."""
    found = path(problem, derivation)
    if found.stopped:
        raise ArithmeticError(found.stopped)
    worst = mp.mpf(0)
    for ws, vs in zip(found.last.values[name], value, strict=True):
        for expected, got in zip(ws, vs, strict=True):
            if abs(expected - got) > mp.mpf(10) ** -SECOND * max(abs(expected), mp.mpf(10) ** -20):
                raise CheckError(f"the new {name}: {mp.nstr(got, 12)} and {mp.nstr(expected, 12)} do not agree; no question was made")
            worst = max(worst, abs(expected - got))
    return worst
