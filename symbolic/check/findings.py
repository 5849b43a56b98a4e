"""From what came out of the sandbox to a report: how the run ended, what the forward pass says, verdicts with lines, causes with steps."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from .. import expr as ex
from ..network import Network
from .engines import Engine, EngineReached
from .judge import Case, TensorVerdict
from .layouts import Plain
from .mending import Again, mended
from .names import parts
from .points import Point
from .readback import Found, PointRead, Read
from .reading import Code
from .report import CAUSE, FORMULA, WHERE, Reason, Report, Row, Source, counted
from .routines import Routine
from .sandbox import CLOSED, TRUST, Outcome
from .stepping import Stepped
from .suspects import field_of
from .updates import PER_EXAMPLE, judged
from .why import Cause, Diagnosis, diagnose

SHOWN = 3  # entries of a recovered signal


def source(code: Code, line: int) -> Source:
    """A line of the file."""
    lines = code.text.split("\n")
    return Source(line, code.where(line), lines[line - 1].strip()) if 1 <= line <= len(lines) else Source()


def run_facts(outcome: Outcome) -> dict[str, Any]:
    """What every report says of the run itself."""
    return {"layers": tuple((x.name, x.active, x.note) for x in outcome.layers), "printed": outcome.text}


def run_notes(outcome: Outcome) -> list[str]:
    """Sentences about the run: what was stood in for, what protects."""
    notes = [f"{', '.join(outcome.inert)} did nothing: drawing is left out"] if outcome.inert else []
    return notes + ([] if outcome.complete else [TRUST])


# ---------------------------------------------------------------- networks

def network_report(found: Found, strict: bool, pairs: bool, mend: bool, again: Again | None) -> Report:
    """The report on a file that gives the gradients of a network.

    strict, pairs: as for `diagnose`; mend: whether the right formula is written as code; again: runs a changed file, None where that cannot be done.
    """
    facts = {**run_facts(found.outcome), "loss": found.subject.loss, "dtype": found.dtype, "network": found.subject.network}
    notes = (f"taken as {found.way.spoken}", *found.got.notes, *run_notes(found.outcome))
    name, title = found.code.name, found.subject.title
    used = [(p, r) for p, r in zip(found.at, found.got.points, strict=False) if r is not None]
    if not used or used[0][1].failure is not None or not found.cases:
        return Report(name, title, *_not_run(found, used), notes=notes, **facts)
    if found.way.update and _of_one_size(found.cases):
        return Report(name, title, "could not run", f"{name}: every parameter moves by the same amount, as with the first step of Adam or RMSprop, so its gradient cannot be "
                      "recovered from the update; return the gradients, or take plain steps of gradient descent", notes=notes, **facts)
    d = diagnose(found.cases, found.dtype, strict=strict, pairs=pairs)
    lines = {**_returned(found), **found.way.lines()}
    rows = tuple(Row(v, "", source(found.code, _line(lines, v.name)), _shape(v, used), _entry(v, found)) for v in d.verdicts)
    warnings = _warnings(found, used, d)
    causes = tuple(tuple(_reason(c, found, lines, rows) for c in both) for both in d.causes)
    if mend:
        causes = mended(causes, found, again)
        causes = tuple(both for both in causes if not any(_as_written(r) for r in both)) or causes
    means = found.subject.blueprint.batched and found.subject.blueprint.reduction == "mean" and all(v.verdict == "OK" for v in d.verdicts)
    moves = updates(found.code, found.got.moved, strict, means=means)
    status = "right" if d.right and moves["updates"] is not False and not (strict and (found.left or any(r.failure for _, r in used))) else "wrong"
    if all(v.verdict == "UNTESTED" for v in d.verdicts):
        status = "could not run"
    first = next((r for r in rows if r.verdict.name == d.first_wrong), None)
    message = _message(d, rows, status) + (" The update is wrong." if moves["updates"] is False else "")
    return Report(name, title, status, message, forward=_forward(d, found), equals=_equals(d, found), rows=rows, causes=causes, where=_where(first, found.at[0].network),
                  first=first.source if first else Source(), recovered=_recovered(d, found.at[0].network.output), warnings=warnings, notes=notes, **moves, **facts)


def _of_one_size(cases: Sequence[Case]) -> bool:
    """Whether what was recovered from an update is of one size everywhere, but for its sign: each gradient was divided by itself."""
    sizes = numpy.concatenate([numpy.abs(numpy.asarray(a, dtype=float)).ravel() for c in cases for a in c.claimed.values() if a is not None] or [numpy.zeros(0)])
    sizes = sizes[sizes > 0]
    return sizes.size > 3 and bool(numpy.all(numpy.abs(sizes - sizes.max()) < 1e-3 * sizes.max()))


def _as_written(r: Reason) -> bool:
    """Whether the line of a mistake is already as it should be, so that it is not made there."""
    try:
        return bool(r.written) and ast.dump(ast.parse(r.written)) == ast.dump(ast.parse(r.source.text))
    except SyntaxError:  # a part of a statement
        return False


def updates(code: Code, moved: Sequence[Stepped], strict: bool, *, means: bool = False) -> dict[str, Any]:
    """The fields of a report on everything that applies gradients: whether it is right (None where nothing of it could be judged), and sentences.

    means: whether the file's own gradients are means over the examples, so that nothing is left to divide.
    """
    right: list[bool | None] = []
    told: list[tuple[int, str]] = []
    for s in (s for s in moved if s.moved):
        j, name = judged(s.moved, s.stepper.meant, lenient=s.stepper.lenient, keeps=s.stepper.keeps), s.stepper.spoken
        if j.wrong and (s.stepper.unknown or s.stepper.guessed and not j.formulas or not j.said and (s.stepper.keeps or s.stepper.bent)):
            told.append((WHERE, f"The update is not judged: {name} takes no step of an optimizer that is known here, nor one with a known mistake."))
            right.append(False if strict else None)
            continue
        if means and PER_EXAMPLE in j.said:
            told.append((WHERE, f"The update is wrong: {name} divides by the number of examples, and the gradients of this file are means already."))
            right.append(False)
            continue
        right.append(not j.wrong and not (strict and j.may))
        if not j.wrong:
            told.append((WHERE, f"The update is right: {name} takes the step of {j.title}, with any gradients{' and learning rate' * s.rated}."))
            told += [(CAUSE, f"{said} That may be meant, so it passes; with --strict it does not.") for said in j.said]
            continue
        at = source(code, s.stepper.line(j.targets, j.wrong))
        ruled = f"this is not the step of {j.title}" if s.stepper.keeps and j.title else "the learning rate times the gradient is to be taken off"
        told.append((WHERE, f"The update is wrong for {', '.join(f'`{n}`' for n in j.wrong)}: {ruled} ({at.where}: `{at.text}`)."))
        told += [*((CAUSE, said) for said in j.said), *((FORMULA, said) for said in j.formulas)]
    return {"steps": tuple(told), "updates": False if False in right else None if None in right or not right else True}


def _not_run(found: Found, used: Sequence[tuple[Point, PointRead]]) -> tuple[str, str]:
    """The status and the sentence of a file that gave nothing to judge."""
    outcome = found.outcome
    if outcome.kind == "limit":
        return "limit hit", f"{found.code.name}: {outcome.message}"
    if outcome.kind in ("killed", "no-result"):
        return "could not run", f"{found.code.name}: {outcome.message}"
    report: Mapping[str, Any] | None = next((r.failure for _, r in used if r.failure is not None), None)
    report = report or next((s for s in outcome.steps if s["status"] == "failed"), None)
    if report is None:
        return "could not run", f"{found.code.name}: the file ran, but no gradient of {', '.join(found.at[0].wanted)} came back"
    return "could not run", failure_sentence(found.code, report, outcome)


def failure_sentence(code: Code, report: Mapping[str, Any], outcome: Outcome) -> str:
    """What a failed step says, with the line of the file."""
    line = int(report.get("line", 0))
    where = code.where(line) if line else code.name
    said = f"{report.get('type', 'error')}: {report.get('message', '')}".rstrip(": .")
    written = source(code, line).text
    closed = {"PermissionError": f" ({CLOSED})", "FileNotFoundError": " (no other file is there while yours is checked)",
              "EOFError": " (nobody types anything while it is checked)"}.get(str(report.get("type")), "")
    return f"{where}: {said}{closed}" + (f", in `{written}`" if written else "")


def _returned(found: Found) -> dict[str, int]:
    """The lines of gradients that are worked out in the return statement itself."""
    routine: Routine | None = getattr(found.way, "backward", None)
    out: dict[str, int] = {}
    if routine is None or routine.returned is None:
        return out
    used = {name: t.path for r in found.got.points if r is not None for name, t in r.gradients.items()}
    for name, path in used.items():
        e: Any = routine.returned
        for part in parts(path.removeprefix("backward")) if path.startswith("backward") else ():
            inside: dict[Any, Any] = dict(enumerate(e.elts)) if isinstance(e, (ast.Tuple, ast.List)) else \
                {k.value: v for k, v in zip(e.keys, e.values, strict=True) if isinstance(k, ast.Constant)} if isinstance(e, ast.Dict) else {}
            e = inside.get(part, e)
        if path.startswith("backward") and not isinstance(e, (ast.Name, ast.Attribute)):
            out[name] = e.lineno
    return out


def _line(lines: Mapping[str, int], name: str) -> int:
    return lines.get(name) or name[0] in "Wb" and lines.get(f"{name[0]}*") or 0


def _shape(v: TensorVerdict, used: Sequence[tuple[Point, PointRead]]) -> tuple[int, ...]:
    """The shape that the file gives a gradient."""
    raw = next((r.gradients[v.name].raw for _, r in used if v.name in r.gradients), None)
    return v.shape if raw is None else tuple(numpy.shape(raw))


def _entry(v: TensorVerdict, found: Found) -> tuple[int, ...]:
    """Where the largest error is, as an index of the file's own array."""
    layout, plain = found.got.layout, Plain(found.at[0].network) if found.at[0].network.plain_stack else None
    point = next((p for p in found.at if v.at and p.label == v.at[0]), None)
    if v.at is None or not v.at[1] or layout is None or layout.as_is or plain is None or point is None or layout.bias in ("first", "last"):
        return v.at[1] if v.at else ()
    count = plain.turned(v.name, numpy.arange(point.leaves[v.name].size).reshape(point.leaves[v.name].shape))
    own = layout.biases(count) if v.name[0] == "b" else layout.weights(count, None)
    flat = numpy.ravel_multi_index(v.at[1], point.leaves[v.name].shape)
    return tuple(int(i) for i in numpy.argwhere(own == flat)[0])


def _warnings(found: Found, used: Sequence[tuple[Point, PointRead]], d: Diagnosis) -> tuple[str, ...]:
    out = [f"It does not run with {_spoken(p.label)}: {failure_sentence(found.code, r.failure, found.outcome)}." for p, r in used if r.failure is not None]
    said: dict[str, list[str]] = {}
    for v in d.verdicts:
        if v.verdict in ("KINK", "UNTESTED") and v.said:
            said.setdefault(v.said, []).append(f"`d{found.at[0].network.output}/d{v.name}`")
    out += [f"{', '.join(names)}: {_lower(s)}" for s, names in said.items()]
    out += stopped(found.code, found.got.moved, found.outcome)
    out += found.left
    if found.fixed_sizes:
        out.append("Only the sizes of the spec were tried: the file holds them as numbers.")
    if found.singles:
        out.append("Only single examples were tried: the file does not run with more at once.")
    return tuple(dict.fromkeys(out))


def stopped(code: Code, moved: Sequence[Stepped], outcome: Outcome) -> list[str]:
    """Sentences about updates that do not run."""
    return [f"The update does not run with gradients of ours, so it is not judged: {failure_sentence(code, s.stopped, outcome)}." for s in moved if s.stopped is not None]


def _spoken(label: str) -> str:
    return {"square": "square matrices", "distinct sizes": "sizes that are all different", "at a kink": "a unit at its kink",
            "with regularization": "regularization"}.get(label, label)


def _message(d: Diagnosis, rows: Sequence[Row], status: str) -> str:
    if status == "could not run":
        return "Every right gradient is 0 at these points, so nothing was tested."
    ahead = "" if d.forward is None or d.guarded else "The loss is another one. " if d.forward.name == d_loss(d) else "The forward pass is another one. "
    scaled = " Right but for one constant." if d.right and any(v.verdict == "SCALE" for v in d.verdicts) else ""
    return f"{ahead}{counted(rows)}.{scaled}"


def d_loss(d: Diagnosis) -> str:
    """The name of the loss, if that is the first value that is another one."""
    return d.forward.name if d.forward is not None and d.forward.equation.startswith(("L =", "D =")) else ""


def _where(row: Row | None, network: Network) -> str:
    if row is None:
        return ""
    v, output, sizes = row.verdict, network.output, list(network.sizes)
    if v.verdict == "SCALE":
        letter = f" (`{sizes[0]}` in the formulas)" if sizes and sizes[0] != "m" else ""
        letters = [w for c, w in (("m", f"`m` the number of examples{letter}"), ("K", "`K` the number of outputs")) if c in v.constant]
        return (f"Every gradient is right but for one constant. It is {v.constant} times the right one{', ' * bool(letters)}{' and '.join(letters)}. "
                "That may be meant, so it passes; with --strict it does not.")
    shown = v.at and row.entry and v.error > v.limit and v.error != float("inf")
    at = f" The largest error is in its entry {list(row.entry)}, at the test point with {_spoken(v.at[0])}." if v.at and shown else ""
    return f"Going back from the output, the first gradient that is wrong is `d{output}/d{v.name}`. {'' if v.said == 'It is wrong.' else v.said}{at}".replace("  ", " ").strip()


def _forward(d: Diagnosis, found: Found) -> tuple[str, ...]:
    """What the forward pass says, the first thing of a report."""
    loss = found.at[0].network.output
    compared = list(dict.fromkeys(n for c in found.cases for n in [*c.values, *([loss] if c.loss is not None else [])]))
    said = []
    if d.forward is None and compared:
        order = [e.name for e in found.at[0].network.equations]
        names = sorted(compared, key=lambda n: order.index(n) if n in order else len(order))
        said.append(f"The forward pass is right: {', '.join(f'`{n}`' for n in names)} agree{'s' * (len(names) == 1)}.")
    elif d.forward is None:
        said.append("No value of the forward pass came back, so only gradients were compared.")
    else:
        f = d.forward
        off = "is another one" if f.error == float("inf") else f"is off by {f.error:.2g} of its size"
        said.append(f"Your loss {off}." if f.name == loss else f"`{f.name}` {off}, and everything before it is right: here `{f.equation}`.")
        if f.guarded:
            said.append("That keeps the logarithm from 0 and changes no gradient here, so it passes.")
        if f.consistent:
            said.append("Your gradients are right for what your code computes on the way forward.")
    return tuple(said)


def _equals(d: Diagnosis, found: Found) -> tuple[str, ...]:
    """Which loss, or which other forward pass, the numbers belong to."""
    f, said = d.forward, []
    if f is not None:
        said = [f"{'Your loss' if f.name == found.at[0].network.output else 'Your forward pass'}: {_lower(s)}" for s in (d.loss_equals or f.equals)]
    return (*said, *(f"Your gradients: {_lower(s)}" for s in d.gradient_equals if " under " in s))


def _lower(sentence: str) -> str:
    """A sentence after a colon."""
    return sentence[:1].lower() + sentence[1:]


def _recovered(d: Diagnosis, output: str) -> tuple[str, ...]:
    """The error signal where no known mistake explains it: its first entries, beside the slope."""
    r = d.recovered
    if d.causes or not d.first_wrong or all(v.passed or v.verdict in ("SHAPE", "MISSING", "NONFINITE") for v in d.verdicts):
        return ()
    said = [f"No single known mistake gives these numbers, and no pair{'' if d.complete else ' of those that were tried in time'}."]
    said += [f"`d{output}/d{d.first_wrong}` by itself, but not all that follows: {_lower(s)}" for s in d.nearest]
    if r is None:
        return tuple(said)
    said.append(f"Behind `d{output}/d{r.tensor}` stands `d{output}/d{r.value}` = {_entries(r.claimed)}; right is {_entries(r.right)}.")
    if r.ratio is not None and r.slope is not None and r.slope.shape == r.ratio.shape:
        said.append(f"Divided by the gradient from above it is {_entries(r.ratio)}, where the slope of the activation is {_entries(r.slope)}.")
    return tuple(said)


def _entries(a: Any) -> str:
    flat = numpy.asarray(a, dtype=float).reshape(-1)
    return ", ".join(f"{x:.4g}" for x in flat[:SHOWN]) + (", ..." if flat.size > SHOWN else "")


def _reason(cause: Cause, found: Found, lines: Mapping[str, int], rows: Sequence[Row]) -> Reason:
    """A cause in the sizes of the spec, with the line where it enters: that of the first gradient on the way back that the file names."""
    network = found.subject.network
    shown = cause.within(network, found.at[0].network)
    field = field_of(network if shown is not cause else found.at[0].network)
    after = field.order[field.order.index(shown.value):]
    name = next((n for n in after if _line(lines, n) and shown.value in field.below(n)), "")
    wrong = next((r.source for r in rows if not r.verdict.passed and r.source.line), Source())
    return reason(shown, field.network, source(found.code, _line(lines, name)) if name else wrong, name)


def reason(cause: Cause, network: Network, at: Source, assigned: str = "") -> Reason:
    """A cause as the report tells it."""
    steps = len(field_of(network).order) - 1
    return Reason(cause.slip, cause.said, cause.value, cause.step, steps, cause.equation, cause.yours_tree, cause.right_tree, network, at, assigned or cause.value)


# ---------------------------------------------------------------- optimizers and scalar engines by themselves

def steps_report(code: Code, got: Read, outcome: Outcome, strict: bool) -> Report:
    """The report on a file that only applies gradients."""
    moves, warnings = updates(code, got.moved, strict), stopped(code, got.moved, outcome)
    judged, facts = moves["updates"], {**run_facts(outcome), "notes": (*got.notes, *run_notes(outcome)), "warnings": tuple(warnings)}
    status = "limit hit" if outcome.kind == "limit" else "could not run" if judged is None else "right" if judged else "wrong"
    message = f"{code.name}: {outcome.message}" if status == "limit hit" else "The update is wrong." if judged is False else "The update is right." if judged else \
        " ".join([*warnings, *(s for _, s in moves["steps"] if "not judged" in s), *(f"{n[:1].upper()}{n[1:]}." for n in got.notes)][:1])
    return Report(code.name, "what applies gradients", status, message, **moves, **facts)


def engine_report(engine: Engine, reached: EngineReached, outcome: Outcome, got: Read, cases: Mapping[str, Sequence[Case]], title: str, strict: bool) -> Report:
    """The report on a scalar engine: one group of verdicts a graph; causes that explain every graph that is wrong."""
    code, facts = engine.code, run_facts(outcome)
    notes = (f"taken as a scalar engine, class {engine.name}: graphs of its own operators", *got.notes, *run_notes(outcome))
    shown = title or f"class {engine.name}"
    broken = {p.name: r.failure for p, r in zip(reached.points, got.points, strict=False) if r is not None and r.failure is not None}
    if not cases:
        report = next(iter(broken.values()), None)
        status = "limit hit" if outcome.kind == "limit" else "could not run"
        message = failure_sentence(code, report, outcome) if report and status != "limit hit" else f"{code.name}: {outcome.message or 'it gave no gradients'}"
        return Report(code.name, shown, status, message, notes=notes, **facts)
    found = {name: diagnose(own, strict=True, pairs=False) for name, own in cases.items()}  # no loss of an engine is a mean: a constant is wrong
    at = source(code, engine.backward.node.lineno)
    rows = tuple(Row(v, _graph(name, reached), at) for name, d in found.items() for v in d.verdicts)
    wrong = {name: d for name, d in found.items() if not d.right}
    warnings = tuple(f"The graph {_graph(name, reached)} does not run: {failure_sentence(code, r, outcome)}." for name, r in broken.items() if r)
    status = "wrong" if wrong or (strict and broken) else "limit hit" if outcome.kind == "limit" else "right"
    groups = len(found)
    message = f"{groups} graph{'s' * (groups != 1)}: {groups - len(wrong)} right, {len(wrong)} wrong." if status != "limit hit" else f"{code.name}: {outcome.message}"
    forward = tuple(f"In {_graph(n, reached)}, `{d.forward.name}` is another value: {', '.join(d.forward.equals) or d.forward.equation}" for n, d in found.items() if d.forward is not None)
    first = next(iter(wrong), "")
    where = f"The first graph that is wrong is {_graph(first, reached)}. {next((v.said for v in wrong[first].verdicts if not v.passed), '')}".strip() if first else ""
    once = {n: d for n, d in wrong.items() if not any(p.twice for p in reached.points if p.name == n)}
    return Report(code.name, shown, status, message, forward=forward or ("The values of all graphs are right.",), rows=rows, causes=_common(once or wrong, cases, at),
                  where=where, first=at, warnings=warnings, notes=notes, **facts)


def _graph(name: str, reached: EngineReached) -> str:
    point = next(p for p in reached.points if p.name == name)
    said = "; ".join(f"{e.name} = {ex.text(e.rhs)}" for e in point.network.equations)
    return f"{said}{', backward twice' if point.twice else ''}"


def _common(wrong: Mapping[str, Diagnosis], cases: Mapping[str, Sequence[Case]], at: Source) -> tuple[tuple[Reason, ...], ...]:
    """The mistakes that explain every wrong graph; where there is none, those of the first that has any."""
    sets = [{both[0].slip for both in d.causes if len(both) == 1} for d in wrong.values()]
    every = set.intersection(*sets) if sets else set()
    name = next((n for n, d in wrong.items() if d.causes), "")
    told = [both[0] for both in wrong[name].causes if not every or both[0].slip in every] if name else []
    return tuple((reason(c, cases[name][0].point.network, at),) for c in {c.slip: c for c in reversed(told)}.values())[::-1]
