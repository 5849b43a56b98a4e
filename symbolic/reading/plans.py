"""What a file says about training: the keys optimizer, schedule and compare, read into plans.

>>> plan = planned({"name": "adam", "steps": "2"}, None, Fraction(1, 10), None)
>>> plan.optimizer.name, plan.steps, plan.options["beta1"]
('adam', 2, Fraction(9, 10))
>>> planned({"name": "adam", "epsilom": "0.9"}, None, Fraction(1, 10), None)
Traceback (most recent call last):
symbolic.reading.numbers.ValueProblem: unknown key 'epsilom' of adam; did you mean 'epsilon'?
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..errors import nearest
from ..optimizers import OPTIMIZERS, SCHEDULES, Optimizer, Option, Schedule
from .choices import named
from .numbers import Number, ValueProblem, leaf, whole

STEPS = 3        # without the key 'steps'
MOST_STEPS = 60  # more rows than this nobody reads
MOST_RIVALS = 6  # columns of a comparison
RUNNING = ("name", "steps", "batch", "order", "seed")  # keys of every optimizer


@dataclass(frozen=True)
class Plan:
    """How to go downhill. batches: the examples of each step, counted from 0; () takes all of them.

    rate: the first learning rate, exact; named: whether the file names an optimizer.
    """

    optimizer: Optimizer
    rate: Number
    steps: int
    options: Mapping[str, Number]
    schedule: Schedule
    schedule_options: Mapping[str, Number]
    batches: tuple[tuple[int, ...], ...] = ()
    named: bool = True

    @property
    def plain(self) -> bool:
        """Whether it is gradient descent with one rate on all examples: the case that curvature decides."""
        return self.optimizer.name == "gradient_descent" and self.schedule.name == "constant" and not self.batches


def planned(optimizer: Mapping[str, Any] | None, schedule: Mapping[str, Any] | None, rate: Number | None, examples: int | None, *,
            steps: int | None = None) -> Plan:
    """The plan of an optimizer and a schedule as the file gives them (a name and its options).

    examples: how many the input holds, None for a single one or for symbols; steps: takes the place of the key.
    Raises ValueProblem for an unknown name or key, or a number out of its range.
    """
    given = optimizer or {"name": "gradient_descent"}
    row = _row(OPTIMIZERS, "optimizer", given)
    _check_keys(given, row.name, (*RUNNING, *row.options), "optimizer")
    if rate is None:
        raise ValueProblem("missing learning_rate", "optimizer", hint=f"for example learning_rate: {row.rate}")
    count = steps if steps is not None else _number_of_steps(given, "optimizer")
    timing = _row(SCHEDULES, "schedule", schedule or {"name": "constant"})
    _check_keys(schedule or {}, timing.name, ("name", *timing.options), "schedule")
    return Plan(row, rate, count, _options(row.options, given, "optimizer", count), timing, _options(timing.options, schedule or {}, "schedule", count),
                _batches(given, examples, count), named=optimizer is not None)


def rivals(compare: Mapping[str, Any], optimizer: Mapping[str, Any] | None, schedule: Mapping[str, Any] | None, rate: Number | None,
           examples: int | None) -> list[Plan]:
    """The plans that are compared: one for each learning rate, or one for each optimizer.

    Raises ValueProblem, located under 'compare'.
    """
    _check_keys(compare, "compare", ("learning_rate", "optimizer", "steps"), "compare")
    steps = _number_of_steps(compare, "compare", 10)
    rates, names = compare.get("learning_rate"), compare.get("optimizer")
    if (rates is None) == (names is None):
        raise ValueProblem("expected learning rates or optimizers to compare", "compare", hint="as in {learning_rate: [0.1, 0.5], steps: 10}")
    key = "optimizer" if rates is None else "learning_rate"
    items = names if rates is None else rates
    if not isinstance(items, (list, tuple)) or not 2 <= len(items) <= MOST_RIVALS:
        raise ValueProblem(f"expected a list of 2 to {MOST_RIVALS}", "compare", key)
    if rates is not None:
        return [planned(optimizer, schedule, _positive(r, "compare", key, k), examples, steps=steps) for k, r in enumerate(items)]
    out = []
    for k, item in enumerate(items):
        try:
            out.append(planned(named(item), schedule, rate, examples, steps=steps))
        except ValueProblem as e:
            raise ValueProblem(e.sentence, "compare", key, k, hint=e.hint) from None
    return out


def _row(table: Mapping[str, Any], what: str, given: Mapping[str, Any]) -> Any:
    if given["name"] not in table:
        raise ValueProblem(f"unknown {what} {given['name'][:60]!r}", what, "name", hint=nearest(given["name"], table))
    return table[given["name"]]


def _check_keys(given: Mapping[str, Any], name: str, known: tuple[str, ...], *path: str) -> None:
    for key in given:
        if key not in known:
            raise ValueProblem(f"unknown key {str(key)[:60]!r}" + f" of {name}" * (name != "compare"), *path, str(key), hint=nearest(str(key), known))


def _number_of_steps(given: Mapping[str, Any], path: str, default: int = STEPS) -> int:
    return _whole(given["steps"], path, "steps", most=MOST_STEPS) if given.get("steps") is not None else default


def _whole(raw: Any, *path: str | int, least: int = 1, most: int) -> int:
    try:
        return whole(raw, least, most)
    except ValueProblem as e:
        raise ValueProblem(e.sentence, *path, hint=e.hint) from None


def _leaf(raw: Any, *path: str | int) -> Number:
    try:
        return leaf(raw)
    except ValueProblem as e:
        raise ValueProblem(e.sentence, *path, hint=e.hint) from None


def _positive(raw: Any, *path: str | int) -> Number:
    number = _leaf(raw, *path)
    if not float(number) > 0:
        raise ValueProblem(f"expected a positive number, not {str(raw)[:60]!r}", *path)
    return number


def _options(known: Mapping[str, Option], given: Mapping[str, Any], key: str, steps: int) -> dict[str, Number]:
    """Every option of a row: as given, or by default."""
    out: dict[str, Number] = {}
    for name, option in known.items():
        default = Fraction(steps) if option.default is None else option.default
        value = default if given.get(name) is None else _leaf(given[name], key, name)
        if option.whole and (not isinstance(value, Fraction) or value.denominator != 1):
            raise ValueProblem(f"expected a whole number, not {str(given[name])[:60]!r}", key, name)
        if float(value) < option.least or option.below is not None and not float(value) < option.below:
            bounds = f"at least {option.least}" + (f" and below {option.below}" if option.below is not None else "")
            raise ValueProblem(f"expected a number of {bounds}, not {str(given[name])[:60]!r}", key, name)
        out[name] = value
    return out


def _batches(given: Mapping[str, Any], examples: int | None, steps: int) -> tuple[tuple[int, ...], ...]:
    """The examples of every step: portions of the order, epoch after epoch; the last of an epoch may be smaller."""
    if given.get("batch") is None:
        for key in ("order", "seed"):
            if given.get(key) is not None:
                raise ValueProblem("needs the key 'batch'", "optimizer", key, hint="batch: 1 takes one example a step")
        return ()
    if examples is None:
        raise ValueProblem("needs an input with several examples", "optimizer", "batch", hint="a list of lists has one row an example")
    size = _whole(given["batch"], "optimizer", "batch", most=examples)
    order = _order(given.get("order"), examples)
    seed = None if given.get("seed") is None else _whole(given["seed"], "optimizer", "seed", least=0, most=2**31)
    portions: list[tuple[int, ...]] = []
    epoch = 0
    while len(portions) < steps:
        this = list(order)
        if seed is not None:
            random.Random(f"{seed}/{epoch}").shuffle(this)
        portions += [tuple(this[i:i + size]) for i in range(0, len(this), size)]
        epoch += 1
    return tuple(portions[:steps])


def _order(raw: Any, examples: int) -> list[int]:
    """The order of one epoch, counted from 1 in the file."""
    if raw is None:
        return list(range(examples))
    if not isinstance(raw, (list, tuple)) or not raw or len(raw) > 10 * examples:
        raise ValueProblem("expected a list of example numbers, as in [2, 1, 3]", "optimizer", "order")
    order = [_whole(item, "optimizer", "order", k, most=examples) - 1 for k, item in enumerate(raw)]
    if missing := sorted(set(range(examples)) - set(order)):
        raise ValueProblem(f"example {missing[0] + 1} is left out", "optimizer", "order", hint=f"an epoch takes every example from 1 to {examples}")
    return order
