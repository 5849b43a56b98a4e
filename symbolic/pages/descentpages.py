"""What pages say about going downhill: the optimizer's equations, its first step in numbers, the steps in a table, a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..decimals import Numbers, decimal, matrix
from ..derive import substituted
from ..language.arithmetic import MP, Matrix
from ..latex import Printer, letter, number
from ..lectures.descent import Comparison, Moment, Path, comparison, whole_path
from ..lectures.quadratic import flat
from ..network import Symbol, entry_symbols, from_equations
from ..optimizers import AFTER, BEFORE, OPTIMIZERS, formula
from ..reading.plans import Plan, planned
from ..values import DIGITS, as_data
from .descentfigure import figure
from .sheet import Section, Sheet, TexLine

MOST_COLUMNS = 8  # more numbers than this are shown by their norms
HERE = "@here"     # what the name of a parameter ends in where its gradient is taken
MOST_WORKED = 6   # parameters whose first step is worked out


class Timed(Printer):
    """Prints trees whose names stand in a table of LaTeX: v at step t, an option, the gradient."""

    def __init__(self, printer: Printer, names: Mapping[str, str]) -> None:
        super().__init__(printer.network, colour=False)
        self.names = names

    def name(self, name: str, sub: Any = (), *, transposed: bool = False) -> str:
        return self.names[name]


def timed(tex: str, time: str) -> str:
    """A name with the number of the step in its subscript.

    >>> timed("W^{(1)}", "t-1"), timed("w_{12}", "1")
    ('W^{(1)}_{t-1}', 'w_{12,1}')
    """
    if tex.endswith("}") and "_{" in tex:
        return tex[:-1] + f",{time}}}"
    return f"{tex}_{{{time}}}" if time else tex


def _plainly(name: str) -> str:
    """The letter of a state or an option."""
    body, below = letter(name)
    body = rf"\text{{{body}}}" if len(body) > 1 and body.isalpha() else body  # a word
    return f"{body}_{{{below}}}" if below else body


class Words:
    """The names of a plan's equations as the page writes them; own: the letter of the parameter."""

    def __init__(self, plan: Plan, printer: Printer, own: str = "w") -> None:
        self.plan, self.printer, self.own = plan, printer, own
        self.states = {s: self._state(s) for s in plan.optimizer.equations if s != "w"}

    def _state(self, name: str) -> str:
        """A letter of its own: beside a value called v, the velocity of w is v with the subscript w."""
        tex, taken = _plainly(name), {self.own, *(self.printer.symbol(s) for s in self.printer.network.symbols.values())}
        return rf"{tex}_{{{self.own}}}" if tex in taken else tex

    def table(self, t: int | None) -> dict[str, str]:
        """LaTeX of every timed name; t: the number of the step, None for t itself."""
        before, after = ("t-1", "t") if t is None else (str(t - 1), str(t))
        out = {"eta": timed(r"\eta", after) if self.plan.schedule.name != "constant" else r"\eta", "t": after}
        out |= {o: _plainly(o) for o in (*self.plan.options, *self.plan.schedule_options, *self.plan.schedule.whole)}
        for name, tex in {"w": self.own, "g": self._state("g"), **self.states}.items():
            out |= {name + BEFORE: timed(tex, before), name + AFTER: timed(tex, after)}
        return out

    def prints(self, t: int | None) -> Timed:
        return Timed(self.printer, self.table(t))


def descent_sections(sheet: Sheet) -> list[Section]:
    """The sections of a named optimizer and of a comparison."""
    problem = sheet.problem
    with mp.workdps(DIGITS):
        out = []
        if problem.descent is not None and problem.descent.named:
            out += [*_equations(sheet, problem.descent), *_first_steps(sheet, problem.descent), steps_section(sheet, whole_path(problem, sheet.lesson.derivation))]
        if problem.rivals:
            out += _comparison(sheet)
        return out


# ---------------------------------------------------------------- the equations

def _equations(sheet: Sheet, plan: Plan) -> list[Section]:
    """The update equations in general, then the convention with the first step in one formula."""
    row = plan.optimizer
    words = Words(plan, sheet.printer)
    first = words.prints(1)
    lines = update_lines(plan, words)
    said = [row.because, *([plan.schedule.because] if plan.schedule.name != "constant" else []), "Every line holds for each parameter w, entry by entry."]
    source = f"{row.convention} Source: {row.source}."
    data = {"optimizer": row.name, "equations": [f"{target} = {source}" for target, source in row.equations.items()], "gradient_at": row.at,
            "first_step": row.first, "options": {o: as_data(v) for o, v in plan.options.items()}, "source": row.source, "convention": row.convention}
    start = stated(plan, words, sheet.digits)
    given = [TexLine(start[0].left, r",\quad ".join([start[0].right, *(f"{x.left}={x.right}" for x in start[1:])]))] if start else []
    if row.first == row.equations["w"]:  # nothing is remembered, so the first step is like every other
        return [Section(row.title, " ".join([*said, source]), (*lines, *given), checked="proved", data=data)]
    one = TexLine(first.name("w" + AFTER), first(row.tree(row.first)))
    return [Section(row.title, " ".join(said), tuple(lines), checked="proved", data=data),
            Section(f"{row.title}: its convention", f"{source} The first step in one formula:", (*given, one), checked="proved")]


def stated(plan: Plan, words: Words, digits: int) -> list[TexLine]:
    """The first values of the states, and the options."""
    start = [TexLine(timed(words.states[s], "0"), number(v)) for s, v in plan.optimizer.states.items()]
    return start + [TexLine(_plainly(o), _exactly(v, digits)) for o, v in {**plan.options, **plan.schedule_options}.items()]


def update_lines(plan: Plan, words: Words) -> list[TexLine]:
    """The learning rate where it changes, the gradient, and the update equations."""
    table, prints, printer = words.table(None), words.prints(None), words.printer
    gradient = TexLine(table["g" + AFTER], f"{printer.fraction(printer.name(printer.network.output), 'w')}({prints(plan.optimizer.point)})")
    return [*_schedule_lines(plan, words), gradient, *(TexLine(table[target], prints(rhs)) for target, rhs in plan.optimizer.trees)]


def row_lines(optimizer: str, schedule: str = "constant") -> list[TexLine]:
    """The equations of a row of the tables by themselves, for a loss L of w.

    >>> [f"{x.left} = {x.right}" for x in row_lines("momentum")][1:]
    ['v_{t} = \\\\beta\\\\,v_{t-1} + g_{t}', 'w_{t} = w_{t-1} - \\\\eta\\\\,v_{t}']
    """
    plan = planned({"name": optimizer}, {"name": schedule}, Fraction(OPTIMIZERS[optimizer].rate), None)
    return update_lines(plan, Words(plan, Printer(from_equations({"L": "w"}, {}))))


def _schedule_lines(plan: Plan, words: Words) -> list[TexLine]:
    """The learning rate of step t, where it changes."""
    if plan.schedule.name == "constant":
        return []
    table = words.table(None) | {"eta": r"\eta"}
    prints = Timed(words.printer, table)
    whole = [TexLine(table[n], rf"\left\lfloor {prints(formula(source))} \right\rfloor") for n, source in plan.schedule.whole.items()]
    return [TexLine(r"\eta_{t}", prints(formula(plan.schedule.rate))), *whole]


def _exactly(value: Any, digits: int) -> str:
    return decimal(MP.number(value), max(digits, 4))


# ---------------------------------------------------------------- the first step in numbers

def _first_steps(sheet: Sheet, plan: Plan) -> list[Section]:
    """One section for every parameter, worked at its first entry."""
    path = whole_path(sheet.problem, sheet.lesson.derivation)
    if len(path.moments) < 2:
        return []
    names = sheet.problem.moved
    return [step_section(sheet, plan, path, name) for name in names[:MOST_WORKED]]


def step_section(sheet: Sheet, plan: Plan, path: Path, name: str, t: int = 1) -> Section:
    """A step of an optimizer in numbers, worked at the first entry of a parameter."""
    row, symbol = plan.optimizer, sheet.network.symbols[name]
    start, moment = path.moments[t - 1], path.moments[t]
    entry = entry_symbols(symbol)[0][0]
    own = sheet.printer.symbol(entry)
    words = Words(plan, sheet.printer, own)
    prints, values = words.prints(t), _numbers_of(plan, start, moment, name)
    numbers = Numbers(prints, values, sheet.digits)
    loss = sheet.printer.name(sheet.network.output)
    place = f"({prints(row.point)})" if t > 1 or row.point.op != "sym" else ""
    lines = [TexLine(prints.name("g" + AFTER), f"{sheet.printer.fraction(loss, own)}{place} = {_slope_filled(sheet, name, values)}{numbers.value('g' + AFTER)}")]
    if plan.schedule.name != "constant":
        lines.insert(0, TexLine(prints.name("eta"), numbers.value("eta")))
    for target, rhs in row.trees:
        now = substituted(rhs, {ex.sym("t"): ex.num(t)})
        filled, result = numbers.line(now, values[target])
        parts = [prints(now), *([filled] if filled != result else []), result]
        lines.append(TexLine(prints.name(target), " = ".join(parts)))
    if symbol.shape:
        whole = sheet.printer.name(name)
        lines.append(TexLine(timed(whole, str(t)), matrix([[decimal(v, sheet.digits) for v in r] for r in moment.values[name]], sheet.widest)))
    said = "Worked at the first entry; every other one goes the same way." if symbol.shape else ""
    if moment.examples:
        said = f"The gradient is that of {listed(moment.examples)}. {said}".strip()
    blanks = () if sheet.problem.ask else tuple((prints.name(target), ()) for target, _ in row.trees)
    return Section(f"{row.title}: step {t} for {_name_of(symbol)}", said, tuple(lines), checked="30 digits", blanks=blanks)


def _name_of(symbol: Symbol) -> str:
    """The name of a parameter in a title: as in the file, without a number where there is one layer."""
    if symbol.as_written or symbol.layer is not None:
        return symbol.name
    return symbol.base.upper() if symbol.shape and symbol.base == "w" else symbol.base


def listed(examples: tuple[int, ...]) -> str:
    """The examples of a step in words, counted from 1."""
    return f"example{'s' * (len(examples) > 1)} " + ", ".join(str(k + 1) for k in examples)


def _slope_filled(sheet: Sheet, name: str, values: Mapping[str, Matrix]) -> str:
    """The gradient with numbers put in, where it is one formula in a single number that is learned and in given ones."""
    step, leaves = sheet.lesson.derivation.steps[name], sheet.problem.leaves
    if step.shape or len(sheet.problem.moved) > 1 or not step.result.names <= leaves.keys() or any(e.op == "grad" for e in ex.walk(step.result)):
        return ""
    point = dict(sheet.problem.numbers() or {}) | {name: values["w" + HERE]}
    filled, result = Numbers(sheet.printer, point, sheet.digits).line(step.result, values["g" + AFTER])
    return f"{filled} = " * (filled != result)


def _numbers_of(plan: Plan, start: Moment, moment: Moment, name: str) -> dict[str, Matrix]:
    """The numbers behind the names of a step, at the first entry."""
    def first(m: Matrix) -> Matrix:
        return [[m[0][0]]]

    out = {o: [[MP.number(v)]] for o, v in plan.options.items()} | {"eta": [[moment.rate]]}
    out |= {"w" + BEFORE: first(start.values[name]), "w" + AFTER: first(moment.values[name]), "g" + AFTER: first(moment.gradient[name])}
    out |= {s + BEFORE: first(start.state[name][s]) if start.state else [[MP.number(v)]] for s, v in plan.optimizer.states.items()}
    out["w" + HERE] = [[MP.scalar(plan.optimizer.point, {n: m[0][0] for n, m in out.items()})]]
    return out | {s + AFTER: first(m) for s, m in moment.state[name].items()}


# ---------------------------------------------------------------- step by step

def steps_section(sheet: Sheet, path: Path) -> Section:
    """The table of all steps."""
    plan = path.plan
    heads, columns = _columns(sheet, path)
    loss = sheet.printer.name(sheet.network.output)
    heads = ["$t$", *(["examples", rf"${loss}$ of these"] if plan.batches else []), *([r"$\eta_{t}$"] if plan.schedule.name != "constant" else []), f"${loss}$", *heads]
    cells = []
    for moment, row in zip(path.moments, columns, strict=True):
        line = [f"${moment.t}$"]
        if plan.batches:
            line += [", ".join(str(k + 1) for k in moment.examples) or "---", _cell(moment.batch_loss if moment.t else None, sheet.digits)]
        if plan.schedule.name != "constant":
            line.append(_cell(moment.rate, sheet.digits))
        cells.append((*line, _cell(moment.loss, sheet.digits), *row))
    first, last = path.moments[0], path.last
    said = [f"The loss goes from {_brief(first.loss)} to {_brief(last.loss)} in {last.t} step{'s' * (last.t != 1)}."]
    if plan.batches:
        said.append(f"Each step uses the examples named in its row; {sheet.network.output} is over all of them, after the step.")
    if path.stopped:
        said.append(path.stopped)
    return Section(f"{plan.optimizer.title}, step by step", " ".join(said), (), tuple(heads), tuple(cells), figure(sheet, [path], [""]), "30 digits",
                   _path_data(sheet, path))


def _columns(sheet: Sheet, path: Path) -> tuple[list[str], list[list[str]]]:
    """Heads and cells of the parameters: every number, or the norm of each where there are many."""
    names = sheet.problem.moved
    symbols = [s for n in names for row in entry_symbols(sheet.network.symbols[n]) for s in row]
    if len(symbols) <= MOST_COLUMNS:
        heads = [f"${sheet.printer.symbol(s)}$" for s in symbols]
        return heads, [[_cell(v, sheet.digits) for n in names for v in flat([m.values[n]])] for m in path.moments]
    heads = [rf"$\lVert {sheet.printer.name(n)}\rVert$" for n in names]
    return heads, [[_cell(mp.norm(flat([m.values[n]])), sheet.digits) for n in names] for m in path.moments]


def _cell(value: Any, digits: int) -> str:
    return "---" if value is None else f"${decimal(value, digits)}$"


def _brief(value: Any) -> str:
    """A number inside a sentence."""
    return str(mp.nstr(value, 4, strip_zeros=True)).removesuffix(".0")


def _as_written(sheet: Sheet, values: Mapping[str, Matrix]) -> dict[str, Any]:
    return {n: as_data(sheet.problem.as_written(n, m)) for n, m in values.items()}


def _path_data(sheet: Sheet, path: Path) -> dict[str, Any]:
    steps = []
    for m in path.moments:
        line: dict[str, Any] = {"t": m.t, "loss": as_data(m.loss), "values": _as_written(sheet, m.values)}
        if m.t:
            states = {s for found in m.state.values() for s in found}
            line |= {"learning_rate": as_data(m.rate), "gradients": _as_written(sheet, m.gradient),
                     "state": {s: _as_written(sheet, {n: found[s] for n, found in m.state.items()}) for s in sorted(states)}}
        if m.examples:
            line |= {"examples": [k + 1 for k in m.examples], "batch_loss": as_data(m.batch_loss)}
        steps.append(line)
    return {"optimizer": path.plan.optimizer.name, "learning_rate": as_data(path.plan.rate), "steps": steps, "stopped": path.stopped}


# ---------------------------------------------------------------- side by side

def _comparison(sheet: Sheet) -> list[Section]:
    """The verdicts with what they rest on and the picture, then the numbers step by step."""
    made = comparison(sheet.problem, sheet.lesson.derivation)
    plans = [p.plan for p in made.paths]
    rates = len({MP.number(p.rate) for p in plans}) == len(plans)
    labels = [rf"$\eta = {_exactly(p.rate, sheet.digits)}$" if rates else _label(p, plans, sheet.digits) for p in plans]
    said = [*_why(sheet, made), *(f"{f'Rate {_brief(MP.number(p.plan.rate))}' if rates else p.plan.optimizer.title}: {p.stopped[0].lower()}{p.stopped[1:]}" for p in made.paths if p.stopped)]
    drawn = figure(sheet, list(made.paths), [f"{label.replace(' = ', '=')}: {v}" for label, v in zip(labels, made.verdicts, strict=True)])
    data: dict[str, Any] = {"verdicts": [{"learning_rate": as_data(p.plan.rate), "optimizer": p.plan.optimizer.name, "verdict": v} for p, v in zip(made.paths, made.verdicts, strict=True)],
            "decided_by": "curvature" if made.found else "sequence", "paths": [_path_data(sheet, p) for p in made.paths]}
    if made.found:
        data["curvatures"] = [as_data(v) for v in made.found.curvatures]
    named = "" if plans[0].optimizer.name == "gradient_descent" else f", {plans[0].optimizer.title}"
    title = f"Learning rates compared{named}" if rates else "Optimizers compared"
    heads, cells = _verdicts(sheet, made, labels)
    return [Section(title, " ".join(said), tuple(_curvature_lines(sheet, made)), heads, cells, drawn, "30 digits", data),
            Section(f"{title}: the steps", "", (), ("$t$", *labels), _side_by_side(sheet, made), checked="30 digits")]


def _verdicts(sheet: Sheet, made: Comparison, labels: list[str]) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """One row a path: the factor by which the curvature shrinks the error, where that is known; the last loss; the verdict."""
    columns = [labels]
    heads = [""]
    if made.found is not None:
        lam = _lambda(made)
        products = [MP.number(p.plan.rate) * made.found.curvatures[-1] for p in made.paths]
        heads += [rf"$\eta {lam}$", rf"$1 - \eta {lam}$"]
        columns += [[f"${_settled(x, sheet.digits)}$" for x in products], [f"${_settled(1 - x, sheet.digits)}$" for x in products]]
    heads += [f"${sheet.printer.name(sheet.network.output)}$ at the end", "verdict"]
    columns += [[_cell(p.last.loss, sheet.digits) for p in made.paths], list(made.verdicts)]
    return tuple(heads), tuple(zip(*columns, strict=True))


def _lambda(made: Comparison) -> str:
    return r"\lambda" if made.found and len(made.found.curvatures) == 1 else r"\lambda_{\max}"


def _label(plan: Plan, plans: list[Plan], digits: int) -> str:
    """An optimizer's title, and the options in which it differs from others of its name."""
    alike = [p for p in plans if p.optimizer.name == plan.optimizer.name]
    apart = [rf"${_plainly(o)} = {_exactly(v, digits)}$" for o, v in plan.options.items() if any(p.options[o] != v for p in alike)]
    return ", ".join([*([plan.optimizer.title] if len(alike) < len(plans) or not apart else []), *apart])


def _why(sheet: Sheet, made: Comparison) -> list[str]:
    """What the verdicts rest on."""
    if made.found is None:
        return ["Each verdict is read off the sequence itself. Only for plain gradient descent on a quadratic loss would the curvature decide."]
    along = " along each direction" if len(made.found.curvatures) > 1 else ""
    return [f"{sheet.network.output} is a quadratic, so its curvature decides: a step multiplies the distance from the lowest point{along} "
            "by one minus rate times curvature. Below 0 it changes sides; below -1 it grows."]


def _curvature_lines(sheet: Sheet, made: Comparison) -> list[TexLine]:
    """The curvature, and the rates at which the steps begin to change sides and to grow."""
    if made.found is None:
        return []
    lams, digits, name = made.found.curvatures, sheet.digits, _lambda(made)
    if len(lams) == 1:
        loss, own = sheet.printer.name(sheet.network.output), _own(sheet)
        d = "d" if sheet.printer.straight else r"\partial"
        below = f"{own}^{{2}}" if own.isalpha() else rf"({own})^{{2}}"
        out = [TexLine(r"\lambda", rf"\frac{{{d}^{{2}} {loss}}}{{{d} {below}}} = {_settled(lams[0], digits)}")]
    else:
        out = [TexLine(r"\lambda_{\min}", rf"{_settled(lams[0], digits)},\quad \lambda_{{\max}}={_settled(lams[-1], digits)}")]
    if lams[-1] > 0:
        out.append(TexLine(rf"\frac{{1}}{{{name}}}", rf"{_settled(1 / lams[-1], digits)},\quad \frac{{2}}{{{name}}}={_settled(2 / lams[-1], digits)}"))
    return out


def _settled(value: Any, digits: int) -> str:
    """A computed number; what only rounding has left of zero is zero."""
    return decimal(mp.mpf(0) if abs(value) < mp.mpf(10) ** -40 else value, digits)


def _own(sheet: Sheet) -> str:
    """The letter of the first number that is learned."""
    return sheet.printer.symbol(entry_symbols(sheet.network.symbols[sheet.problem.moved[0]])[0][0])


def _side_by_side(sheet: Sheet, made: Comparison) -> tuple[tuple[str, ...], ...]:
    """One row a step, one column a path: the value of a single number, else the loss."""
    single = len(flat(list(made.paths[0].moments[0].values.values()))) == 1
    own = _own(sheet) if single else sheet.printer.name(sheet.network.output)

    def shown(path: Path, t: int) -> str:
        if t >= len(path.moments):
            return "---"
        m = path.moments[t]
        return _cell(flat(list(m.values.values()))[0] if single else m.loss, sheet.digits)

    most = max(len(p.moments) for p in made.paths)
    return tuple((f"${timed(own, str(t))}$", *(shown(p, t) for p in made.paths)) for t in range(most))
