"""Kinds of questions whose answer is a verdict: which gate, whether any perceptron can, what a learning rate does, which lines are right.

>>> from .format import KINDS
>>> sorted(ROWS) == sorted(KINDS)
True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mpmath import mp

from ..decimals import Numbers, decimal
from ..derive import Derivation
from ..errors import SpecError
from ..language.arithmetic import MP
from ..latex import Printer
from ..lectures import gates
from ..lectures.descent import rate_at
from ..lectures.quadratic import factors, fate, flat, quadratic
from ..network import Network
from ..optimizers import formula
from ..pages.descentpages import Timed, Words
from ..pages.gatepages import linear
from ..pages.sheet import TexLine
from ..reading.plans import Plan
from ..values import DIGITS
from . import kinds, programs
from .distractors import mistakes
from .format import Ask
from .kinds import Asking, Made, Row
from .question import Answer, CommonError, Line, Option
from .solution import said
from .tolerance import DIGITS as KEPT, Rounded, apart, rounded_up
from .worked import Key, Rejected

WORDS = "words"


def _refused(a: Asking, sentence: str, hint: str = "") -> SpecError:
    return SpecError(sentence, where=a.file.where_is("ask", a.place, a.ask.kind), hint=hint)


# ---------------------------------------------------------------- truth tables

def _table(a: Asking, key: Key) -> gates.Table:
    """A value as the outputs of a truth table, whose inputs are given numbers."""
    flat_values = [int(v) if v in (0, 1) else -1 for row in a.work.value(key) for v in row]
    table = tuple(flat_values)
    if len(table) not in gates.SIZES or -1 in table:
        raise _refused(a, f"{a.ask.target} is no truth table of two or three inputs", "its entries are 0 or 1, one for each of 00, 01, 10, 11")
    rows = [list(x) for x in gates.inputs(table)]
    if not any(m in (rows, [list(c) for c in zip(*rows, strict=True)]) for m in a.work.problem.leaves.values()):
        raise _refused(a, "the inputs of the truth table are not given", f"give a matrix {rows}")
    return table


def _gate(a: Asking) -> Made:
    """The name of the gate; the wrong options are those whose tables are nearest."""
    table = _table(a, a.key)
    if table not in gates.KNOWN:
        raise Rejected("the truth table has no name")
    rows = gates.inputs(table)
    others = [t for t in gates.KNOWN if len(t) == len(table) and t != table]
    mixed = a.order("gates", len(others))
    near = sorted(mixed, key=lambda k: sum(x != y for x, y in zip(others[k], table, strict=True)))[:a.ask.options - 1]
    options = [Option(((WORDS, gates.KNOWN[table]),), True)]
    for other in (others[k] for k in near):
        wrong = [x for x, u, v in zip(rows, other, table, strict=True) if u != v]
        options.append(Option(((WORDS, gates.KNOWN[other]),), False, ((WORDS, f"It differs at the input{'s' * (len(wrong) > 1)} {_listed(wrong)}."),)))
    return Made(kinds.choice(a, options), solution=kinds.solution(a, [a.key]))


def _listed(rows: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(f"({', '.join(map(str, x))})" for x in rows)


def _separable(a: Asking) -> Made:
    """Yes with weights that are checked on every row, or no with demands that add up to 0 > 0."""
    table = _table(a, a.key)
    if len(set(table)) == 1:
        raise Rejected("the truth table is constant")
    unit, rows = gates.separator(table), gates.inputs(table)
    names = [f"w_{k + 1}" for k in range(len(rows[0]))] + ["b"]
    lines = _weights(unit, rows) if unit else _demands(table, rows, names)
    *first, last = lines
    solution = (*first, Line(last.left, last.right, last.because, marks=a.ask.worth))
    options = [Option(((WORDS, "Yes, with the right weights."),), unit is not None), Option(((WORDS, "No, with no weights at all."),), unit is None)]
    right = tuple(k for k, o in enumerate(options) if o.right)
    return Made(Answer("single_choice", options=tuple(options), right=right), solution=solution)


def _weights(unit: gates.Unit, rows: Sequence[tuple[int, ...]]) -> list[Line]:
    formula = linear((*unit.weights, unit.bias), [*(f"x_{k + 1}" for k in range(len(rows[0]))), ""])
    return [Line("z", formula, "such as these"), *(Line(_at(x), f"{unit.z(x)} {'>' if unit.z(x) > 0 else '<'} 0", f"gives {int(unit.z(x) > 0)}") for x in rows)]


def _demands(table: gates.Table, rows: Sequence[tuple[int, ...]], names: Sequence[str]) -> list[Line]:
    multipliers = gates.certificate(table)
    if multipliers is None or not gates.contradicts(table, multipliers):
        raise Rejected("neither weights nor a proof were found")
    used = [(x, y, m) for x, y, m in zip(rows, table, multipliers, strict=True) if m]
    lines = [Line(_at(x), rf"{linear((*x, 1), list(names))} {'>' if y else chr(92) + 'le'} 0", f"has to give {y}") for x, y, _ in used]
    left = "".join(f"{' + ' if y and k else ' - ' if not y else ''}{m if m > 1 else ''}{_at(x)}" for k, (x, y, m) in enumerate(sorted(used, key=lambda u: -u[1])))
    return [*lines, Line(left, "0", "and has to be positive: impossible")]


def _at(x: Sequence[int]) -> str:
    return f"z({', '.join(map(str, x))})"


# ---------------------------------------------------------------- learning rates

# What a rate does, in the words of quadratic.fate: the option, and when it is true, for the key.
FATES = {
    "crawls": ("It creeps towards the minimum: after {steps} steps more than half of the way is left.", "That needs a factor just below 1."),
    "converges": ("It comes down to the minimum on one side and is close after {steps} steps.", "That needs a factor between 0 and 1, not close to 1."),
    "oscillates": ("It jumps from one side of the minimum to the other and comes nearer.", "That needs a factor between -1 and 0."),
    "diverges": ("It jumps from one side of the minimum to the other, further away each time.", "That needs a factor below -1."),
}


def _fate(a: Asking) -> Made:
    """What gradient descent does on a quadratic; its curvature decides."""
    problem = a.work.problem
    with mp.workdps(DIGITS):
        found = quadratic(problem)
        if problem.descent is None or not problem.descent.plain or found is None or found.lowest is None or a.key != a.work.network.output:
            raise _refused(a, "expected gradient descent with a constant rate on a quadratic with a minimum", "as in L: c*(w - m)**2/2 with a learning_rate")
        rate, steps = MP.number(problem.descent.rate), problem.descent.steps
        start = flat([a.work.value((a.work.network.output, n)) for n in problem.moved])
        word = fate(found, rate, start, steps)
        if word not in FATES:
            raise Rejected(f"gradient descent {word}")
        several = len(found.curvatures) > 1
        lines = []
        for k, (lam, factor) in enumerate(zip(found.curvatures, factors(found, rate, start), strict=True), 1):
            name = rf"\lambda_{{{k}}}" if several else r"\lambda"
            lines += [Line(name, decimal(lam, a.file.digits), "curvature"),
                      Line(rf"1 - \eta\,{name}", rf"1 - {decimal(rate, a.file.digits)} \cdot {decimal(lam, a.file.digits)} = {decimal(factor, a.file.digits)}",
                           "factor of the distance in every step")]
    *first, last = lines
    options = [Option(((WORDS, said.format(steps=steps)),), w == word, () if w == word else ((WORDS, when),)) for w, (said, when) in FATES.items()]
    return Made(kinds.choice(a, options), solution=(*first, Line(last.left, last.right, last.because, marks=a.ask.worth)))


# Other rates that people write down for that of step t: what went wrong, and the rate.
OTHER_RATES: tuple[tuple[str, Callable[[Plan, int], Any]], ...] = (
    ("The steps were counted from 0; the first one is step 1.", lambda plan, t: rate_at(plan, t + 1)),
    ("This is the rate of the step before.", lambda plan, t: rate_at(plan, max(t - 1, 1))),
    ("The schedule was not applied.", lambda plan, t: MP.number(plan.rate)),
)


def _rate(a: Asking) -> Made:
    """The learning rate of the last step by the schedule, first in symbols."""
    plan, digits = a.work.problem.descent, a.file.digits
    if plan is None or a.ask.target != "last":
        raise _refused(a, "expected 'last': the rate of the last step of the optimizer", "as in optimizer: {name: gradient_descent, steps: 20} with rate: last")
    t = plan.steps
    with mp.workdps(DIGITS):
        right = rate_at(plan, t)
        try:
            interval = rate_at(plan, t, Rounded(KEPT))
        except ArithmeticError:
            raise Rejected("rounding decides the learning rate") from None
        tolerance = rounded_up(max(mp.mpf(interval.b) - right, right - mp.mpf(interval.a)))
        wrong = [(said, value) for said, made in OTHER_RATES if (value := made(plan, t)) != right]
        if any(not apart([[value]], [[right]], [[tolerance]]) for _, value in wrong):
            raise Rejected("a wrong learning rate comes too near to the right one")
        errors = {decimal(value, digits): CommonError("schedule", ((WORDS, said),), decimal(value, digits), kinds.rows([[value]])) for said, value in reversed(wrong)}
        line = rate_line(plan, Words(plan, Printer(a.work.network)), digits)
    return Made(Answer("numeric", decimal(right, digits), kinds.rows([[right]]), kinds.rows([[tolerance]])), tuple(reversed(errors.values())),
                solution=(*(Line(x.left, x.right) for x in line[:-1]), Line(line[-1].left, line[-1].right, marks=a.ask.worth)))


def rate_line(plan: Plan, words: Words, digits: int) -> list[TexLine]:
    """The learning rate of the plan's last step in numbers, what is a whole part first."""
    t, options = plan.steps, {"eta": plan.rate, **plan.schedule_options}
    table = words.table(None) | {"eta": r"\eta", "t": "t"}
    values = {n: [[MP.number(v)]] for n, v in options.items()} | {"t": [[mp.mpf(t)]]}
    values |= {n: [[mp.floor(MP.scalar(formula(source), {k: v[0][0] for k, v in values.items()}))]] for n, source in plan.schedule.whole.items()}
    numbers = Numbers(Timed(words.printer, table), values, digits)
    lines = [TexLine(table[n],
                     rf"\left\lfloor {numbers.line(formula(source), [[MP.scalar(formula(source), {k: v[0][0] for k, v in values.items()})]])[0]} \right\rfloor = {numbers.value(n)}")
             for n, source in plan.schedule.whole.items()]
    return [*lines, TexLine(rf"\eta_{{{t}}}", " = ".join(dict.fromkeys(numbers.line(formula(plan.schedule.rate), [[rate_at(plan, t)]]))))]


# ---------------------------------------------------------------- lines of a derivation

def _judge(a: Asking) -> Made:
    """Lines of the derivation, some as they are and some as a mistake leaves them."""
    way, printer = kinds.path_to(a), Printer(a.work.network)
    steps = a.work.machine.lesson.derivation.steps
    kept = [way[k] for k in sorted(a.order("lines", len(way))[:a.ask.options])]
    options: list[Option] = []
    fixed: list[Line] = []
    count = len(kept)
    wrong = set(a.order("wrong", count)[:1 + a.order("how many", count - 1)[0]])  # at least one is wrong, at least one is right
    for k, key in enumerate(kept):
        left, right = printer.gradient_name(*key), printer(steps[key[1]].result)
        found = _slipped(a, key) if k in wrong else []
        if not found:
            options.append(Option((("formula", f"{left} = {right}"),), True))
            continue
        slip, text, sentence = found[a.order(f"mistake {k}", len(found))[0]]
        options.append(Option((("formula", f"{left} = {text}"),), False, said(sentence, a.work), slip))
        fixed.append(Line(left, right))
    if not fixed:
        raise Rejected("no line is wrong")
    *first, last = fixed
    return Made(kinds.choice(a, options, several=True), solution=(*first, Line(last.left, last.right, marks=a.ask.worth)))


def _slipped(a: Asking, key: tuple[str, str]) -> list[tuple[str, str, str]]:
    """Every mistake that changes a line of its own: its name, the line with it, its sentence."""
    printer = Printer(a.work.network)

    def shown(derivation: Derivation) -> str:
        known = derivation.network.symbols.keys() == a.work.network.symbols.keys() and key[1] in derivation.steps
        return printer((derivation if known else a.work.machine.long).steps[key[1]].result)

    return [(m.slip, shown(m.working.derivation), m.said) for m in mistakes(a.work, key, a.ask.mistakes, kinds.TRIED, shown)]


def _value(ask: Ask, network: Network, problem: Any) -> list[Key]:
    return []


ROWS: dict[str, Row] = {
    **kinds.ROWS,
    "code": programs.CODE,
    "gate": Row("Which gate does it compute?", _value, _gate),
    "separable": Row("Is there a single perceptron that computes the truth table `{target}`? Give weights, or a reason why there are none.", _value, _separable, reasons=True),
    "fate": Row("What does gradient descent do with this learning rate? Give the reason.", _value, _fate, reasons=True),
    "rate": Row("Compute the learning rate of the last step.", _value, _rate),
    "judge": Row("True or false? Give the reason for each line that is wrong.", _value, _judge, reasons=True),
}
