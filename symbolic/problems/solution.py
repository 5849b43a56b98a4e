"""The worked solution of a variant: the lines of the sheet, key by key, with the marks that stand at each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..decimals import Numbers, decimal, matrix, read_back
from ..derive import derive
from ..errors import SpecError
from ..functions import FUNCTIONS
from ..language.arithmetic import MP, Matrix, ten
from ..latex import Printer
from ..lectures.descent import Moment
from ..network import Network
from ..pages.curvature import Writer, checked_entries, in_symbols
from ..pages.descentpages import Words, listed, stated as start_lines, step_section, update_lines
from ..pages.sheet import TexLine
from ..pages.texparts import number
from ..values import DIGITS, forward, gradients
from . import stepping
from .question import Line
from .second import QUANTITIES, given, names_of
from .wording import runs
from .worked import SHARP, Key, Work, exactly, spoken

WIDEST = 8


def printed(work: Work, value: Matrix, digits: int) -> str:
    """A value as it is printed, a right or a wrong one: in fractions and logarithms where the problem is exact and they are short."""
    return cells(value, digits, exactly(value) if work.problem.exact else None)


def answered(work: Work, value: Matrix, digits: int) -> str:
    """A right answer: where it is exact also as the decimals of a calculator, beside which the tolerance makes sense."""
    exact, decimals = printed(work, value, digits), cells(value, digits)
    if exact == decimals:
        return exact
    with mp.workdps(DIGITS):
        ends = all(abs(read_back(decimal(v, digits)) - v) < ten(-SHARP) for row in value for v in row)
    return f"{exact} {'=' if ends else chr(92) + 'approx'} {decimals}"


def cells(value: Matrix, digits: int, exact: Sequence[Sequence[Any]] | None = None) -> str:
    """Any rows of numbers as they are printed."""
    with mp.workdps(DIGITS):
        shown = [[number(exact[i][j]) if exact and exact[i][j] is not None else decimal(v, digits) for j, v in enumerate(row)] for i, row in enumerate(value)]
    return matrix(shown, WIDEST)


def name_of(work: Work, key: Key) -> str:
    """A key as a formula: a name, its gradient, its new value."""
    if ("name", key) not in work.network.memo:
        work.network.memo["name", key] = _name_of(work, key)
    return str(work.network.memo["name", key])


def _name_of(work: Work, key: Key) -> str:
    printer = Printer(work.network)
    if isinstance(key, str):
        return printer.name(key)
    if key[0] == "":
        return QUANTITIES[key[1]].symbol
    return _new(printer.name(key[1])) if key[0] is None else printer.fraction(printer.name(key[0]), printer.name(key[1]))


def lines_of(work: Work, keys: Sequence[Key], marks: Mapping[Key, int], *, symbols: bool = False) -> tuple[Line, ...]:
    """The lines that work out some keys, in their order; the marks of a key stand at its last line. symbols: gradients without their numbers."""
    forward = {name: (symbols, numbers) for name, symbols, numbers in work.forward_lines} if any(isinstance(k, str) for k in keys) else {}
    shown = {s.wrt: s for s in work.machine.lesson.steps if not s.parent}
    out: list[Line] = []
    for key in keys:
        if isinstance(key, str):
            found = _forward(work, key, *forward[key])
        elif key[0] == "":
            found = _quantity(work, key)
        elif key[0] is None:
            found = _updated(work, key[1])
        elif work.network.symbols[work.network.output].shape:
            name = _jacobian_name(work, key)
            rule = [x for x in work.sheet.step(shown[key[1]]).lines if x.kind == "jacobian" and x.left == name]
            found = [*rule, TexLine("" if rule else name, printed(work, work.value(key), work.sheet.digits))]
        else:
            step = work.sheet.step(shown[key[1]])
            found = [*step.lines, *(() if symbols else step.numbers)]
        name = spoken(key, work.network)
        for k, x in enumerate(found):
            last = k == len(found) - 1
            out.append(Line(x.left, x.right, x.because, name, marks.get(key, 0) if last else 0))
    return tuple(out)


def _jacobian_name(work: Work, key: Any) -> str:
    return Printer(work.network).fraction(work.sheet.printer.name(key[0]), work.sheet.printer.name(key[1]))


def _forward(work: Work, name: str, symbols: TexLine, numbers: TexLine | None) -> list[TexLine]:
    whole = work.network.equation(name).rhs.op == "over"  # a function of a whole vector: nothing is put in
    if numbers is None or whole:
        return [TexLine(symbols.left, symbols.right), TexLine("", printed(work, work.value(name), work.sheet.digits))]
    return [TexLine(symbols.left, symbols.right), TexLine("", numbers.right)]


def _quantity(work: Work, key: Any) -> list[TexLine]:
    """The second derivatives in symbols and the Hessian, or the equations of a quantity with their numbers."""
    derivation, name = work.machine.lesson.derivation, key[1]
    writer, row = Writer(work.sheet), QUANTITIES[name]
    if not row.equations:  # the Hessian itself
        where = ("entries", names_of(work.problem, name))
        if where not in work.network.memo:
            work.network.memo[where] = checked_entries(work.network, derivation, where[1])
        found = work.network.memo[where]
        lines = list(in_symbols(writer, *found).lines) if found else []
        return [*lines, TexLine(row.symbol, printed(work, work.value(key), work.sheet.digits))]
    with mp.workdps(DIGITS):
        lines, _ = writer.worked(row.equations, given(work.problem, derivation, work.values, name))
    names = [n for n in row.equations for _ in range(2)]
    told = [replace(x, because=row.because.get(n, "") if x.left else "") for x, n in zip(lines, names, strict=True)]
    return told if len(row.answer) == 1 else [*told, TexLine(row.symbol, printed(work, work.value(key), work.sheet.digits))]


def _updated(work: Work, name: str) -> list[TexLine]:
    """How a parameter, or the loss, gets its new value."""
    sheet, problem = work.sheet, work.problem
    plan = problem.descent
    assert plan is not None
    own = sheet.printer.name(name)
    if name == work.network.output:
        return [TexLine(rf"{own}_{{\text{{new}}}}", printed(work, work.value((None, name)), sheet.digits))]
    if plan.named:
        path = stepping.path(problem, work.machine.lesson.derivation)
        return [line for t in range(1, path.last.t + 1) for line in (*_of_examples(work, path.moments[t - 1], path.moments[t]), *step_section(sheet, plan, path, name, t).lines)]
    shape = work.network.symbols[name].shape
    rate = ex.num(problem.learning_rate).with_role("decimal")
    step = ex.node("add", (ex.sym(name, shape), ex.node("neg", (ex.node("mul", (rate, ex.grad(work.network.output, name, shape))),))))
    with mp.workdps(DIGITS):
        filled, result = sheet.numbers(sheet.printer).line(step, work.value((None, name)))
    new = _new(own)
    first = TexLine(new, rf"{own} - \eta\, {sheet.printer.grad(work.network.output, name)}", "against the gradient")
    return [first, TexLine("", f"{filled} = {result}" if filled != result else result)]


def _of_examples(work: Work, before: Moment, after: Moment) -> list[TexLine]:
    """The gradient of a step that uses some of the examples, in numbers."""
    if not after.examples:
        return []
    portion = work.problem.portions[after.examples]
    derivation, printer = derive(portion.network), Printer(portion.network, colour=False)
    with mp.workdps(DIGITS):
        values = gradients(derivation, forward(portion.network, {**(portion.numbers() or {}), **before.values}))
        numbers = Numbers(printer, values, work.sheet.digits, widest=WIDEST)
        lines = [TexLine(printer.name(n), numbers.value(n), listed(after.examples)) for n in portion.network.names("input", "target")]
        known: list[tuple[str, Any, Any]] = [(printer.name(eq.name), eq.rhs, eq.name) for eq in portion.network.equations[:-1]]
        known += [(printer.fraction(printer.name(s.of), printer.name(n)), s.result, (s.of, n)) for n, s in derivation.steps.items()
                  if s.terms and (n in work.problem.moved or portion.network.symbols[n].kind == "value")]
        for left, rhs, key in known:
            lines.append(TexLine(left, " = ".join(dict.fromkeys((printer(rhs), *numbers.line(rhs, values[key]))))))
    return lines


def _new(own: str) -> str:
    """The name of an updated parameter."""
    return own[:-1] + r",\text{new}}" if "_{" in own and own.endswith("}") else rf"{own}_{{\text{{new}}}}"


def stated(work: Work) -> dict[str, tuple[Line, ...]]:
    """The lines of the problem itself: its equations, its given numbers, and the update equations of its optimizer."""
    equations = tuple(Line(x.left, x.right) for _, x, _ in work.forward_lines)
    sheet, problem = work.sheet, work.problem
    numbers = sheet.numbers(sheet.printer)
    given = []
    with mp.workdps(DIGITS):
        for name in problem.leaves:
            given.append(Line(sheet.printer.name(name), _given(work, name)))
        for node, value in problem.known.items():
            given.append(Line(sheet.printer(node), numbers.cell(MP.number(value), value)))
        if problem.learning_rate is not None:
            given.append(Line(r"\eta", numbers.cell(MP.number(problem.learning_rate))))
    update: list[TexLine] = []
    if (plan := problem.descent) is not None:
        words = Words(plan, sheet.printer, sheet.printer.name(problem.moved[0]) if len(problem.moved) == 1 and not problem.network.symbols[problem.moved[0]].shape else "w")
        update = update_lines(plan, words)
        given += [Line(x.left, x.right) for x in start_lines(plan, words, sheet.digits)] if plan.named or plan.schedule_options else []
    return {"equations": equations, "numbers": tuple(given), "update": tuple(Line(x.left, x.right) for x in update)}


def _given(work: Work, name: str) -> str:
    """A given number in full, whatever its size: the reader has to work with it."""
    given = work.values or work.problem.numbers() or {}
    return cells(given[name], 12, work.sheet.exact.get(name))


# ---------------------------------------------------------------- sentences

SPOKEN = {n: m[1] for n, row in FUNCTIONS.items() if (m := re.fullmatch(r"\\operatorname\{(\w+)\}", row.tex)) and m[1].lower() == n and m[1] != n}  # relu: ReLU
SPOKEN |= {"sqrt": "root", "exp": "exponential", "log": "logarithm", "sin": "sine", "cos": "cosine"}
_NAMES = re.compile(r"\b(" + "|".join(SPOKEN) + r")\b")


def said(sentence: str, work: Work) -> tuple[tuple[str, str], ...]:
    """A marker's sentence with its names as formulas; a name that the network does not know stays as it is."""
    if ("said", sentence) not in work.network.memo:
        work.network.memo["said", sentence] = _said(sentence, work.network)
    found: tuple[tuple[str, str], ...] = work.network.memo["said", sentence]
    return found


def _said(sentence: str, network: Network) -> tuple[tuple[str, str], ...]:
    out: list[tuple[str, str]] = []
    for k, part in enumerate(sentence.split("`")):
        try:
            out += runs(f"`{part}`", network) if k % 2 else [("words", _NAMES.sub(lambda m: SPOKEN[m[0]], part))] if part else []
        except (SpecError, KeyError):
            out.append(("words", part))
    return tuple(out)
