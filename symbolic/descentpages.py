"""What pages say about going downhill: the optimizer's equations, its first step in numbers, the steps in a table, a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mpmath import mp

from . import expr as ex
from .arithmetic import MP, Matrix
from .decimals import Numbers, decimal, matrix
from .descent import Comparison, Moment, Path, comparison, whole_path
from .descentfigure import figure
from .expr import Expr
from .latex import Printer, letter, number
from .network import entry_symbols
from .optimizers import AFTER, BEFORE, formula, read, updates
from .plans import Plan
from .quadratic import flat
from .sheet import Section, Sheet, TexLine
from .values import DIGITS

MOST_COLUMNS = 8  # more numbers than this are shown by their norms
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
    return f"{body}_{{{below}}}" if below else body


class Words:
    """The names of a plan's equations as the page writes them; own: the letter of the parameter."""

    def __init__(self, plan: Plan, printer: Printer, own: str = "w") -> None:
        self.plan, self.printer, self.own = plan, printer, own
        self.states = {s: self._state(s) for s in plan.optimizer.equations if s != "w"}

    def _state(self, name: str) -> str:
        tex = _plainly(name)
        return tex if tex != self.own else rf"{tex}_{{{self.own}}}"  # a parameter called v beside the velocity v

    def table(self, t: int | None) -> dict[str, str]:
        """LaTeX of every timed name; t: the number of the step, None for t itself."""
        before, after = ("t-1", "t") if t is None else (str(t - 1), str(t))
        out = {"eta": timed(r"\eta", after) if self.plan.schedule.name != "constant" else r"\eta", "t": after}
        out |= {o: _plainly(o) for o in (*self.plan.options, *self.plan.schedule_options, *self.plan.schedule.whole)}
        for name, tex in {"w": self.own, "g": "g" if self.own != "g" else r"g_{g}", **self.states}.items():
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
            out += [*_equations(sheet, problem.descent), *_first_steps(sheet, problem.descent), _steps(sheet, whole_path(problem, sheet.lesson.derivation))]
        if problem.rivals:
            out.append(_comparison(sheet))
        return out


# ---------------------------------------------------------------- the equations

def _equations(sheet: Sheet, plan: Plan) -> list[Section]:
    """The update equations in general, then the convention with the first step in one formula."""
    row = plan.optimizer
    words = Words(plan, sheet.printer)
    table, prints, first = words.table(None), words.prints(None), words.prints(1)
    loss = sheet.printer.fraction(sheet.printer.name(sheet.network.output), "w")
    lines = [*_schedule_lines(plan, words), TexLine(table["g" + AFTER], f"{loss}({prints(read(row, row.at, frozenset()))})")]
    lines += [TexLine(table[target], prints(rhs)) for target, rhs in updates(row)]
    said = [row.because, *([plan.schedule.because] if plan.schedule.name != "constant" else []), "Every line holds for each parameter w, entry by entry."]
    data = {"optimizer": row.name, "equations": [f"{target} = {source}" for target, source in row.equations.items()], "gradient_at": row.at,
            "first_step": row.first, "options": {o: _plain(v) for o, v in plan.options.items()}, "source": row.source, "convention": row.convention}
    start = [(timed(words.states[s], "0"), number(v)) for s, v in row.states.items()]
    start += [(_plainly(o), _exactly(v, sheet.digits)) for o, v in {**plan.options, **plan.schedule_options}.items()]
    given = [TexLine(start[0][0], r",\quad ".join([start[0][1], *(f"{left}={right}" for left, right in start[1:])]))] if start else []
    one = TexLine(first.name("w" + AFTER), first(read(row, row.first, frozenset())))
    return [Section(row.title, " ".join(said), tuple(lines), checked="proved", data=data),
            Section(f"{row.title}: its convention", f"{row.convention} Source: {row.source}. The first step in one formula:", (*given, one), checked="proved")]


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
    return [_first_step(sheet, plan, path, name) for name in names[:MOST_WORKED]]


def _first_step(sheet: Sheet, plan: Plan, path: Path, name: str) -> Section:
    row, symbol = plan.optimizer, sheet.network.symbols[name]
    start, moment = path.moments[0], path.moments[1]
    entry = entry_symbols(symbol)[0][0]
    own = sheet.printer.symbol(entry)
    words = Words(plan, sheet.printer, own)
    prints, values = words.prints(1), _numbers_of(plan, start, moment, name)
    numbers = Numbers(prints, values, sheet.digits)
    loss = sheet.printer.name(sheet.network.output)
    lines = [TexLine(prints.name("g" + AFTER), f"{sheet.printer.fraction(loss, own)} = {numbers.value('g' + AFTER)}")]
    if plan.schedule.name != "constant":
        lines.insert(0, TexLine(prints.name("eta"), numbers.value("eta")))
    targets = updates(row)
    for target, rhs in targets:
        filled, result = numbers.line(_at_one(rhs), values[target])
        parts = [prints(_at_one(rhs)), *([filled] if filled != result else []), result]
        lines.append(TexLine(prints.name(target), " = ".join(parts)))
    if symbol.shape:
        whole = sheet.printer.name(name)
        lines.append(TexLine(timed(whole, "1"), matrix([[decimal(v, sheet.digits) for v in r] for r in moment.values[name]], sheet.widest)))
    said = "Worked at the first entry; every other one goes the same way." if symbol.shape else ""
    if moment.examples:
        said = f"The gradient is that of {_listed(moment.examples)}. {said}".strip()
    blanks = () if sheet.problem.ask else tuple((prints.name(target), ()) for target, _ in targets)
    return Section(f"{row.title}: step 1 for {name}", said, tuple(lines), checked="30 digits", blanks=blanks)


def _listed(examples: tuple[int, ...]) -> str:
    return f"example{'s' * (len(examples) > 1)} " + ", ".join(str(k + 1) for k in examples)


def _at_one(e: Expr) -> Expr:
    """The tree with the number 1 for the step t."""
    if e.op == "sym" and e.data == "t":
        return ex.ONE
    return Expr(e.op, tuple(map(_at_one, e.args)), e.data, e.shape, e.role) if e.args else e


def _numbers_of(plan: Plan, start: Moment, moment: Moment, name: str) -> dict[str, Matrix]:
    """The numbers behind the names of the first step, at the first entry."""
    def first(m: Matrix) -> Matrix:
        return [[m[0][0]]]

    out = {o: [[MP.number(v)]] for o, v in plan.options.items()} | {"eta": [[moment.rate]]}
    out |= {"w" + BEFORE: first(start.values[name]), "w" + AFTER: first(moment.values[name]), "g" + AFTER: first(moment.gradient[name])}
    out |= {s + BEFORE: [[MP.number(v)]] for s, v in plan.optimizer.states.items()}
    return out | {s + AFTER: first(m) for s, m in moment.state[name].items()}


# ---------------------------------------------------------------- step by step

def _steps(sheet: Sheet, path: Path) -> Section:
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
    return mp.nstr(value, 4, strip_zeros=True).removesuffix(".0")


def _plain(value: Any) -> int | float:
    """The nearest float, or the integer where it is one."""
    v = MP.number(value) if not isinstance(value, mp.mpf) else value
    return int(v) if mp.isint(v) and abs(v) < 2**53 else float(v)


def _as_written(sheet: Sheet, values: Mapping[str, Matrix]) -> dict[str, Any]:
    def plain(v: Any) -> Any:
        return [plain(x) for x in v] if isinstance(v, list) else _plain(v)

    return {n: plain(sheet.problem.as_written(n, m)) for n, m in values.items()}


def _path_data(sheet: Sheet, path: Path) -> dict[str, Any]:
    steps = []
    for m in path.moments:
        line: dict[str, Any] = {"t": m.t, "loss": _plain(m.loss), "values": _as_written(sheet, m.values)}
        if m.t:
            states = {s for found in m.state.values() for s in found}
            line |= {"learning_rate": _plain(m.rate), "gradients": _as_written(sheet, m.gradient),
                     "state": {s: _as_written(sheet, {n: found[s] for n, found in m.state.items()}) for s in sorted(states)}}
        if m.examples:
            line |= {"examples": [k + 1 for k in m.examples], "batch_loss": _plain(m.batch_loss)}
        steps.append(line)
    return {"optimizer": path.plan.optimizer.name, "learning_rate": _plain(path.plan.rate), "steps": steps, "stopped": path.stopped}


# ---------------------------------------------------------------- side by side

def _comparison(sheet: Sheet) -> Section:
    made = comparison(sheet.problem, sheet.lesson.derivation)
    plans = [p.plan for p in made.paths]
    rates = len({p.optimizer.name for p in plans}) == 1
    labels = [rf"$\eta = {_exactly(p.rate, sheet.digits)}$" if rates else p.optimizer.title for p in plans]
    short = [x.replace(" = ", "=") for x in labels]
    cells = _side_by_side(sheet, made)
    said = _why(sheet, made)
    said += [f"{_name(p.plan, rates)}: {p.stopped[0].lower()}{p.stopped[1:]}" for p in made.paths if p.stopped]
    drawn = figure(sheet, list(made.paths), [f"{s}: {v}" for s, v in zip(short, made.verdicts, strict=True)])
    data = {"verdicts": [{"learning_rate": _plain(p.plan.rate), "optimizer": p.plan.optimizer.name, "verdict": v} for p, v in zip(made.paths, made.verdicts, strict=True)],
            "decided_by": "curvature" if made.found else "sequence", "paths": [_path_data(sheet, p) for p in made.paths]}
    if made.found:
        data["curvatures"] = [_plain(v) for v in made.found.curvatures]
    named = "" if plans[0].optimizer.name == "gradient_descent" else f", {plans[0].optimizer.title}"
    title = f"Learning rates compared{named}" if rates else "Optimizers compared"
    return Section(title, " ".join(said), tuple(_curvature_lines(sheet, made)), ("$t$", *(h for h in labels)), cells, drawn, "30 digits", data)


def _name(plan: Plan, rates: bool) -> str:
    return f"Rate {_brief(MP.number(plan.rate))}" if rates else plan.optimizer.title


def _why(sheet: Sheet, made: Comparison) -> list[str]:
    loss = sheet.network.output
    if made.found is None:
        return [f"Each verdict is read off the sequence itself: {loss} is no quadratic, or the steps are not those of plain gradient descent with all examples."
                if len({p.plan.optimizer.name for p in made.paths}) == 1 else "Each verdict is read off the sequence itself."]
    several = len(made.found.curvatures) > 1
    return [f"{loss} is a quadratic, so its curvature{'s decide' if several else ' decides'}: a step multiplies the distance from the lowest point"
            f"{' along each direction' if several else ''} by 1 - rate x curvature. Below 0 it changes sides; beyond -1 it grows."]


def _curvature_lines(sheet: Sheet, made: Comparison) -> list[TexLine]:
    if made.found is None:
        return []
    lams = made.found.curvatures
    if len(lams) == 1:
        (name,) = sheet.problem.moved
        loss, own = sheet.printer.name(sheet.network.output), sheet.printer.symbol(entry_symbols(sheet.network.symbols[name])[0][0])
        d = "d" if sheet.printer.straight else r"\partial"
        below = own if own.isalpha() or "_" not in own and "^" not in own else rf"({own})"
        out = [TexLine(rf"\lambda = \frac{{{d}^{{2}} {loss}}}{{{d} {below}^{{2}}}}", _exactly_near(lams[0], sheet.digits))]
    else:
        out = [TexLine(r"\lambda_{\min}", rf"{_exactly_near(lams[0], sheet.digits)},\quad \lambda_{{\max}}={_exactly_near(lams[-1], sheet.digits)}")]
    if lams[-1] > 0:
        name = r"\lambda" if len(lams) == 1 else r"\lambda_{\max}"
        out.append(TexLine(rf"\frac{{1}}{{{name}}}", rf"{_exactly_near(1 / lams[-1], sheet.digits)},\quad \frac{{2}}{{{name}}}={_exactly_near(2 / lams[-1], sheet.digits)}"))
    return out


def _exactly_near(value: Any, digits: int) -> str:
    return decimal(mp.mpf(0) if abs(value) < mp.mpf(10) ** -40 else value, digits)


def _side_by_side(sheet: Sheet, made: Comparison) -> tuple[tuple[str, ...], ...]:
    """One row a step, one column a path; for a single number its value, else the loss; then the verdicts."""
    names = sheet.problem.moved
    count = len(flat([made.paths[0].moments[0].values[n] for n in names]))
    loss = sheet.printer.name(sheet.network.output)
    own = sheet.printer.symbol(entry_symbols(sheet.network.symbols[names[0]])[0][0]) if count == 1 else loss

    def shown(path: Path, t: int) -> str:
        if t >= len(path.moments):
            return "---"
        m = path.moments[t]
        return _cell(flat([m.values[n] for n in names])[0] if count == 1 else m.loss, sheet.digits)

    most = max(len(p.moments) for p in made.paths)
    rows = [(f"${timed(own, str(t))}$", *(shown(p, t) for p in made.paths)) for t in range(most)]
    if count == 1:
        rows.append((f"${loss}$ at the end", *(_cell(p.last.loss, sheet.digits) for p in made.paths)))
    if made.found is not None:
        lam = r"\lambda" if len(made.found.curvatures) == 1 else r"\lambda_{\max}"
        rows.append((rf"$\eta {lam}$", *(f"${_exactly_near(MP.number(p.plan.rate) * made.found.curvatures[-1], sheet.digits)}$" for p in made.paths)))
    rows.append(("verdict", *made.verdicts))
    return tuple(rows)
