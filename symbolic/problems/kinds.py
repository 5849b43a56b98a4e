"""The kinds of questions: what each needs to be worked out, and how its key is made. One row a kind.

>>> ROWS["find"].say
'Compute `{target}`.'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from mpmath import nstr

from .. import expr as ex
from ..derive import Derivation
from ..errors import SpecError, nearest
from ..language.arithmetic import Matrix
from ..language.tree import text as plain
from ..latex import Printer
from ..network import Network
from .distractors import FILLER, LISTED, Mistake, mistakes, moved, values
from .format import Ask, ProblemFile
from .question import SIGNIFICANT, Answer, CommonError, Line, Option
from .solution import answered, cells, lines_of, printed, said
from .spaces import Value
from .tolerance import apart
from .variants import judge, placed
from .wording import Runs, sentence, worded
from .worked import Key, Rejected, Work, exactly, key_of, needed, spoken

TRIED = 40  # mistakes looked through for wrong options
ZERO = "0"


@dataclass
class Asking:
    """One part of one variant while its key is made. wrong: what mistakes come to, worked out once each."""

    file: ProblemFile
    ask: Ask
    place: int
    given: Mapping[str, Value]
    work: Work
    tolerances: Mapping[Key, Matrix]
    seed: int
    wrong: dict[int, Mapping[Any, Matrix]] = field(default_factory=dict)

    @cached_property
    def key(self) -> Key:
        return key_of(self.ask.target, self.work.network, self.work.problem)

    def values(self, mistake: Mistake) -> Mapping[Any, Matrix]:
        if id(mistake) not in self.wrong:
            self.wrong[id(mistake)] = values(self.work, mistake)
        return self.wrong[id(mistake)]

    def filled(self, text: str) -> Runs:
        """A sentence of the file with the parameters of this variant. Raises SpecError."""
        return sentence(worded(text, tuple(self.file.parameters)), self.given, self.work.network)

    def order(self, what: str, count: int) -> list[int]:
        return placed(self.seed, f"{self.file.name}/{self.place}/{what}", count)


@dataclass(frozen=True)
class Made:
    """The key of a part: its answer, its common errors with the mistakes behind them, its solution and the lines shown with it."""

    answer: Answer
    errors: tuple[CommonError, ...] = ()
    behind: tuple[Mistake, ...] = ()
    solution: tuple[Line, ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Row:
    """One kind. say: the question where the file has no words; keys: what has to be worked out; make: the key; reasons: whether a choice wants some too."""

    say: str
    keys: Callable[[Ask, Network, Any], list[Key]]
    make: Callable[[Asking], Made]
    reasons: bool = False


# ---------------------------------------------------------------- numbers

def rows(value: Matrix) -> tuple[tuple[str, ...], ...]:
    """Numbers as decimal strings."""
    return tuple(tuple(nstr(v, SIGNIFICANT) if v else ZERO for v in row) for row in value)


def _type(value: Matrix) -> str:
    return "numeric" if len(value) == 1 == len(value[0]) else "vector" if 1 in (len(value), len(value[0])) else "matrix"


def solution(a: Asking, keys: Sequence[Key], *, symbols: bool = False) -> tuple[Line, ...]:
    """The lines of a part, with the marks that the file gives, or all points at the last line. symbols: gradients without their numbers."""
    wanted = needed(a.work, keys)
    named = {spoken(k, a.work.network): k for k in wanted}
    named |= {alias: named[name] for alias, name in a.work.network.aliases.items() if name in named}
    named |= {f"d{k[0]}/d{alias}": k for alias, name in a.work.network.aliases.items() for k in wanted if isinstance(k, tuple) and k[0] and k[1] == name}
    for key in a.ask.marks:
        if key not in named:
            raise SpecError(f"ask, entry {a.place + 1}: marks: {key!r} is no step of this solution", where=a.file.where_is("ask", a.place, "marks", key),
                            hint=nearest(key, named))
    marks = {named[k]: v for k, v in a.ask.marks.items()} if a.ask.marks else {keys[-1]: a.ask.worth}
    return lines_of(a.work, [k for k in wanted if not symbols or not isinstance(k, str)], marks, symbols=symbols)


def _find(a: Asking) -> Made:
    key = a.key
    value, tolerance = a.work.value(key), a.tolerances[key]
    listed = mistakes(a.work, key, a.ask.mistakes)
    if a.ask.mistakes and not listed:
        raise SpecError("none of these mistakes changes the answer", where=a.file.where_is("ask", a.place, "mistakes"))
    errors: list[CommonError] = []
    behind: list[Mistake] = []
    for m in listed:
        wrong = a.values(m).get(key)
        if not moved(wrong, value) if wrong is not None else not a.ask.mistakes:
            continue  # at these numbers it changes nothing, or leads to no number
        if not a.ask.mistakes and (len(errors) == LISTED or (m.slip == FILLER and errors)):
            break
        if a.ask.mistakes and m.slip in {e.slip for e in errors}:
            continue  # each that is named stands once
        if wrong is None or not apart(wrong, value, tolerance):
            raise Rejected(f"the mistake {m.slip} comes too near to the right answer")
        error = CommonError(m.slip, said(m.said, a.work), printed(a.work, wrong, a.file.digits), rows(wrong))
        if error.latex not in {e.latex for e in errors}:  # at these numbers two mistakes may come to the same: the simpler one is listed
            errors.append(error)
            behind.append(m)
        elif a.ask.mistakes:
            raise Rejected(f"the mistake {m.slip} cannot be told from another")
    answer = Answer(_type(value), answered(a.work, value, a.file.digits), rows(value), rows(tolerance))
    return Made(answer, tuple(errors), tuple(behind), solution(a, [key]))


def _choose(a: Asking) -> Made:
    key = a.key
    value, tolerance = a.work.value(key), a.tolerances[key]
    wrong: list[tuple[Mistake, Matrix]] = []
    shown = {cells(value, a.file.digits)}
    for m in mistakes(a.work, key, a.ask.mistakes, TRIED if not a.ask.mistakes else len(a.ask.mistakes)):
        found = a.values(m).get(key)
        if found is not None and apart(found, value, tolerance) and (tex := cells(found, a.file.digits)) not in shown:
            shown.add(tex)
            wrong.append((m, found))
        if len(wrong) == a.ask.options - 1:
            break
    if len(wrong) < a.ask.options - 1:
        raise Rejected(f"fewer than {a.ask.options - 1} mistakes give different wrong answers")
    every = [value, *(found for _, found in wrong)]
    exact = a.work.problem.exact and all(exactly(m) for m in every)  # else only the right one might be a fraction
    first, *others = (printed(a.work, m, a.file.digits) if exact else cells(m, a.file.digits) for m in every)
    options = [Option((("formula", first),), True), *(Option((("formula", tex),), False, said(m.said, a.work), m.slip)
                                                      for (m, _), tex in zip(wrong, others, strict=True))]
    errors = tuple(CommonError(m.slip, said(m.said, a.work), tex, rows(found)) for (m, found), tex in zip(wrong, others, strict=True))
    return Made(choice(a, options, value=rows(value), tolerance=rows(tolerance)), errors, tuple(m for m, _ in wrong), solution(a, [key]))


def choice(a: Asking, options: Sequence[Option], *, several: bool = False, **more: Any) -> Answer:
    """Options in an order that the seed decides."""
    order = a.order("options", len(options))
    placed_options = tuple(options[k] for k in order)
    return Answer("multiple_choice" if several else "single_choice", options=placed_options,
                  right=tuple(k for k, o in enumerate(placed_options) if o.right), **more)


# ---------------------------------------------------------------- formulas

def _gradient(a: Asking) -> tuple[str, str]:
    key = a.key
    if isinstance(key, str) or not key[0] or a.work.network.symbols[a.work.network.output].shape:
        raise SpecError("expected a gradient of a single number", where=a.file.where_is("ask", a.place, a.ask.kind), hint="as in dL/dW1")
    return str(key[0]), key[1]


def _formula(a: Asking) -> Made:
    of, wrt = _gradient(a)
    step = a.work.machine.lesson.derivation.steps[wrt]
    printer = Printer(a.work.network)
    answer = Answer("symbolic", f"{printer.gradient_name(of, wrt)} = {printer(step.result)}", text=plain(step.result))
    return Made(answer, solution=solution(a, [(of, wrt)], symbols=True))


def _choose_formula(a: Asking) -> Made:
    of, wrt = _gradient(a)
    printer = Printer(replace(a.work.network, layers=()))  # the options do not say what a delta is

    def shown(derivation: Derivation) -> str:
        step = derivation.steps.get(wrt)
        known = derivation.network.symbols.keys() == a.work.network.symbols.keys()
        return printer((step or a.work.machine.long.steps[wrt]).result if known else a.work.machine.long.steps[wrt].result)

    found = mistakes(a.work, (of, wrt), a.ask.mistakes, a.ask.options - 1, shown)
    if len(found) < a.ask.options - 1:
        raise SpecError(f"only {len(found)} mistakes change this formula, and {a.ask.options - 1} are needed",
                        where=a.file.where_is("ask", a.place, a.ask.kind), hint=f"write options: {max(len(found) + 1, 2)}")
    options = [Option((("formula", shown(a.work.machine.lesson.derivation)),), True)]
    options += [Option((("formula", shown(m.working.derivation)),), False, said(m.said, a.work), m.slip) for m in found]
    return Made(choice(a, options), solution=solution(a, [(of, wrt)], symbols=True))


# ---------------------------------------------------------------- statements, order, errors

def _select(a: Asking) -> Made:
    options = []
    for k, s in enumerate(a.ask.select or []):
        try:
            holds = judge(s.when, a.given, a.work, a.file)
            options.append(Option(a.filled(s.say), bool(holds), a.filled(s.because)))
            if [o.runs for o in options].count(options[-1].runs) > 1:
                raise SpecError("a statement stands twice")
        except SpecError as e:
            raise SpecError(e.sentence, where=a.file.where_is("ask", a.place, "select", k), hint=e.hint) from None
    if len(options) > 1 and not any(o.right for o in options):
        raise Rejected("no statement is true")
    return Made(choice(a, options, several=True))


def _select_keys(ask: Ask, network: Network, problem: Any) -> list[Key]:
    """The gradients that conditions name: all values are there anyway."""
    return []


def path_to(a: Asking, derivation: Derivation | None = None) -> list[tuple[str, str]]:
    """The gradients on the way to the one that is asked for, of another derivation than the shortest where one is given."""
    steps = (derivation or a.work.machine.lesson.derivation).steps
    names = {_gradient(a)[1]}
    for name, step in reversed(list(steps.items())):
        names |= {e.data[1] for e in ex.walk(step.result) if e.op == "grad"} if name in names and step.terms else set()
    found = [(s.of, n) for n, s in steps.items() if n in names and s.terms]
    if len(found) < 3:
        raise SpecError(f"only {len(found)} steps lead there, and at least 3 are needed", where=a.file.where_is("ask", a.place, a.ask.kind))
    return found


def _order(a: Asking) -> Made:
    way, printer = path_to(a), Printer(a.work.network)
    steps = a.work.machine.lesson.derivation.steps
    mixed = a.order("pieces", len(way))
    pieces = [Option((("formula", f"{printer.gradient_name(*way[k])} = {printer(steps[way[k][1]].result)}"),), True) for k in mixed]
    at = {way[k]: place for place, k in enumerate(mixed)}
    before = tuple(sorted((at[e.data], at[key]) for key in way for e in ex.walk(steps[key[1]].result) if e.op == "grad" and e.data in at))
    return Made(Answer("ordering", options=tuple(pieces), right=tuple(at[k] for k in way), before=before), solution=solution(a, [way[-1]], symbols=True))


def _error_in(a: Asking) -> Made:
    """A derivation with one mistake, each line with its numbers; which line is the first wrong one?"""
    printer, long = Printer(a.work.network), a.work.machine.long
    way = path_to(a, long)
    candidates = []
    for m in mistakes(a.work, way[-1], a.ask.mistakes, TRIED):
        steps = m.working.derivation.steps
        if m.working.network.equations != a.work.network.equations or any(k[1] not in steps for k in way):
            continue
        changed = [k for k in way if steps[k[1]].result != long.steps[k[1]].result]
        if changed and printer(steps[changed[0][1]].result) != printer(long.steps[changed[0][1]].result):
            candidates.append((m, changed[0]))
    if not candidates:
        raise SpecError("no mistake known here changes a line of this derivation", where=a.file.where_is("ask", a.place, a.ask.kind))
    mistake, first = candidates[a.order("mistake", len(candidates))[0]]
    found = a.values(mistake)
    if any(k not in found for k in way):
        raise Rejected("the derivation with the mistake has no numbers")
    lines = tuple(Line(printer.gradient_name(*k), f"{printer(mistake.working.derivation.steps[k[1]].result)} = {printed(a.work, found[k], a.file.digits)}", key=spoken(k, a.work.network))
                  for k in way)
    left = printer.gradient_name(*first)
    right = f"{printer(long.steps[first[1]].result)} = {printed(a.work, a.work.value(first), a.file.digits)}"
    options = tuple(Option((("words", f"Line {n}"),), k == first, said(mistake.said, a.work) if k == first else ()) for n, k in enumerate(way, 1))
    answer = Answer("single_choice", f"{left} = {right}", options=options, right=tuple(n for n, o in enumerate(options) if o.right))
    return Made(answer, lines=lines, solution=(Line(left, right, key=spoken(first, a.work.network), marks=a.ask.worth),))


# ---------------------------------------------------------------- counts, shapes

def _count(a: Asking) -> Made:
    if a.ask.target not in COUNTS:
        raise SpecError(f"{a.ask.target!r} cannot be counted", where=a.file.where_is("ask", a.place, "count"), hint=nearest(a.ask.target, COUNTS))
    total, terms = COUNTS[a.ask.target].make(a)
    working = Line(r"\text{" + a.ask.target + "}", " + ".join(terms) + f" = {total}" if len(terms) > 1 else str(total), key=a.ask.target, marks=a.ask.worth)
    wrong = [(name, n, sentence) for name, count, sentence in COUNTS[a.ask.target].wrong if (n := count(a)) not in (0, total)]
    errors = tuple(CommonError(name, (("words", sentence),), str(n), ((str(n),),)) for name, n, sentence in wrong)
    return Made(Answer("numeric", str(total), ((str(total),),), ((ZERO,),)), errors, solution=(working,))


def _parameters(a: Asking) -> tuple[int, list[str]]:
    n = a.work.network
    shapes = [n.symbols[p].shape for p in n.names("parameter")]
    return sum(_size(s) for s in shapes), [r" \cdot ".join(str(int(d)) for d in s if d != 1) or "1" for s in shapes]


def _size(shape: ex.Shape) -> int:
    out = 1
    for d in shape:
        out *= int(d)
    return out


def _unbiased(a: Asking) -> int:
    """The parameters that are multiplied by another name."""
    n = a.work.network
    multiplied = {name for eq in n.equations for e in ex.walk(eq.rhs) if e.op in ("mul", "matmul") and len(e.names) > 1 for name in e.names}
    return sum(_size(n.symbols[p].shape) for p in n.names("parameter") if p in multiplied)


@dataclass(frozen=True)
class Count:
    """One thing to count: the sum with its terms, and wrong counts with what a marker writes."""

    make: Callable[[Asking], tuple[int, list[str]]]
    wrong: tuple[tuple[str, Callable[[Asking], int], str], ...] = ()


COUNTS: dict[str, Count] = {
    "parameters": Count(_parameters, (("biases-uncounted", _unbiased, "The biases were not counted."),)),
    "equations": Count(lambda a: (len(a.work.network.equations), [])),
    "values": Count(lambda a: (sum(_size(s.shape) for s in a.work.network.symbols.values() if s.kind == "value"), [])),
}


def _unworked(ask: Ask, network: Network, problem: Any) -> list[Key]:
    """No number is worked out for a shape or for steps in symbols; the name is looked up all the same."""
    key_of(ask.target, network, problem)
    return []


def _shape(a: Asking) -> Made:
    """A gradient has the shape of what it is taken for; a Jacobian a row for each entry above and a column for each below."""
    symbols, key = a.work.network.symbols, a.key
    above = symbols[a.work.network.output].shape
    if isinstance(key, tuple) and key[0] and above:
        found: tuple[str, ...] = (str(_size(above)), str(_size(symbols[key[1]].shape)))
    else:
        found = tuple(str(int(d)) for d in symbols[key if isinstance(key, str) else key[1]].shape) or ("1", "1")
    answer = Answer("vector", rf"{found[0]} \times {found[1]}", (found,), ((ZERO, ZERO),))
    turned = tuple(reversed(found))
    errors = () if turned == found else (CommonError("shape-turned", (("words", "Rows and columns are exchanged."),), rf"{turned[0]} \times {turned[1]}", (turned,)),)
    return Made(answer, errors, solution=(Line(r"\text{shape}", answer.latex, key=a.ask.target, marks=a.ask.worth),))


def _target(ask: Ask, network: Network, problem: Any) -> list[Key]:
    return [key_of(ask.target, network, problem)]


def _none(ask: Ask, network: Network, problem: Any) -> list[Key]:
    return []


ROWS: dict[str, Row] = {
    "find": Row("Compute `{target}`.", _target, _find),
    "choose": Row("Which of these is `{target}`?", _target, _choose),
    "formula": Row("Derive `{target}` in symbols, without the numbers.", _target, _formula),
    "choose_formula": Row("Which formula gives `{target}`?", _target, _choose_formula),
    "select": Row("Which of these statements are true? Tick all of them.", _select_keys, _select),
    "order": Row("Put the steps that lead to `{target}` in order: write down their letters.", _unworked, _order),
    "error_in": Row("One line of this derivation is wrong, and those below follow from it. Which line is the first wrong one, and what should it say?", _target, _error_in, reasons=True),
    "count": Row("Count the {target}.", _none, _count),
    "shape": Row("Give the shape of `{target}` as rows and columns.", _unworked, _shape),
}
