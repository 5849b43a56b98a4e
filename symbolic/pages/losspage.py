"""What a page says about the loss beside its equation: conventions, options, classes, and weight decay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mpmath import mp

from .. import expr as ex, index
from ..derive import derive
from ..errors import CheckError
from ..expr import Expr
from ..functions import FUNCTIONS, VECTOR_FUNCTIONS, definition
from ..language.arithmetic import MP, entries
from ..language.parse import parse
from ..latex import Printer
from ..losses import LOSSES, PENALTIES, WEIGHTS, total_is_one
from ..models.theorems import HYPOTHESIS, turned
from ..network import Network, Symbol
from ..problem import LossPlan
from ..proof.probe import random_point, shrink
from ..values import DIGITS, gradients
from ..verify import AGREE
from .sheet import Section, Sheet, TexLine
from .texparts import terminating

PRINTED = frozenset({"exp", "sqrt", "abs", "identity", "xlogx", "log", "max", "min"})  # read without a definition


def loss_section(sheet: Sheet) -> list[Section]:
    """The loss of a network: the idea, its conventions, what its functions mean, how classes were given."""
    plan = sheet.problem.loss
    if plan is None:
        return []
    row = LOSSES[plan.name]
    said = [row.because, f"Convention: {row.convention}; {_reduced(sheet.network, plan)}."]
    said += [f"Here {o.name} = {terminating(plan.options[o.name]) or plan.options[o.name]}: {o.says}." for o in row.options]
    if sheet.network.ones and not sheet.has(sheet.network.names("target")[0]):
        said.append(f"Taken for granted here: {HYPOTHESIS}.")
    said += _classes(sheet, plan) + _shares(sheet, plan)
    said += [f"{PENALTIES[p].because} Convention: {PENALTIES[p].convention}." for p in plan.penalties]
    data = {"loss": plan.name, "options": {k: float(v) for k, v in plan.options.items()}, "reduction": plan.reduction,
            "classes": list(plan.classes), "regularization": list(plan.penalties)}
    return [Section("The loss", " ".join(said), _definitions(sheet), data=data)]


def _reduced(network: Network, plan: LossPlan) -> str:
    y = network.symbols[network.names("target")[0]]  # a recurrent network reads many rows and answers once
    if not any(ex.is_samples(d) for d in y.shape):
        return "one example"
    return f"the {plan.reduction} over the examples"


def _classes(sheet: Sheet, plan: LossPlan) -> list[str]:
    """Which class each example has, where the file gives classes as numbers."""
    if not plan.classes:
        return []
    shape = sheet.network.symbols[sheet.network.aliases["y_hat"]].shape
    count = shape[1 if sheet.network.rows else 0]
    first = plan.classes[0]
    said = f"The target is class {first}." if len(plan.classes) == 1 else f"The targets are the classes {', '.join(map(str, plan.classes))}."
    return [said, f"Classes are counted from 0 to {int(count) - 1}, outputs on these pages from 1 to {count}: class {first} has its 1 at output {first + 1}."]


def _shares(sheet: Sheet, plan: LossPlan) -> list[str]:
    """What follows where the targets of a loss over classes do not sum to 1."""
    network = sheet.network
    (name,) = network.names("target")
    if not LOSSES[plan.name].classes or LOSSES[plan.name].domain != "unit" or name not in sheet.problem.leaves:
        return []
    examples = turned(sheet.problem.leaves[name], network.rows)
    odd = next((k for k, row in enumerate(examples) if not total_is_one(row)), None)
    if odd is None:
        return []
    which = f"The targets of example {odd + 1}" if len(examples) > 1 else "The targets"
    return [f"{which} do not sum to 1, so they are no probabilities of classes, and the short form of the gradient, prediction minus target, does not hold. "
            f"For several answers that may be right together, use {'binary_cross_entropy_with_logits' if LOSSES[plan.name].logits else 'binary_cross_entropy'}."]


def _definitions(sheet: Sheet) -> tuple[TexLine, ...]:
    """What the functions in the loss mean."""
    targets = set(sheet.network.names("target"))
    trees = [n for eq in sheet.network.equations if eq.rhs.names & targets for n in ex.walk(eq.rhs)]
    calls = dict.fromkeys(n.data for n in trees if n.op == "call" and n.data not in PRINTED)
    vectors = dict.fromkeys(n.data[0] for n in trees if n.op == "over")
    lines = []
    for name in calls:
        form = definition(name)
        if form is not None:
            args = list(FUNCTIONS[name].names)
            p = _printer(sheet.network, [Symbol(a, base=a) for a in args])
            lines.append(TexLine(p(Expr("call", tuple(map(ex.sym, args)), name)), p(form), kind="forward"))
    for name in vectors:
        z = Symbol("u", (3, 1), base="u", letters=("j", "m"))
        p = _printer(sheet.network, [z])
        left = index.entry(Expr("over", (z.expr,), (name, 0), z.shape), "j", None)
        lines.append(TexLine(p(left), p(index.entry(VECTOR_FUNCTIONS[name].define(z.expr, 0), "j", None)), kind="forward"))
    return tuple(lines)


def _printer(network: Network, symbols: list[Symbol]) -> Printer:
    return Printer(network, {s.name: s for s in symbols} | {network.output: network.symbols[network.output]})


# ---------------------------------------------------------------- regularization

DECAY = {"l2": "(1 - eta*lam)*w - eta*d", "ridge": "(1 - 2*eta*lam)*w - eta*d"}  # d: the gradient of the data loss


def decay_section(sheet: Sheet) -> list[Section]:
    """Weight decay: a step of gradient descent as a shrinking of every weight, then a step of the data loss alone."""
    plan, network = sheet.problem.loss, sheet.network
    split = len(network.equations) < 2 or network.equations[-2].name != "D"  # one operation a line leaves no D to speak of
    if plan is None or len(plan.penalties) != 1 or plan.penalties[0] not in DECAY or split:
        return []
    eta = Symbol("eta", (), "constant", "eta")
    p = Printer(network, {**network.symbols, "eta": eta})
    lines = []
    steps = {}
    for s in (s for s in network.symbols.values() if s.kind == "parameter" and s.base.split("_")[0] in WEIGHTS):
        values = {"w": s.expr, "lam": network.symbols["lam"].expr, "eta": eta.expr, "d": ex.grad("D", s.name, s.shape), "g": ex.grad("L", s.name, s.shape)}
        steps[s.name] = (parse("w - eta*g", values), parse(DECAY[plan.penalties[0]], values))
        lines.append(TexLine(rf"{p.name(s.name)} \leftarrow {p(steps[s.name][0])}", p(steps[s.name][1]), kind="forward"))
    check_decay(network, steps)
    said = "A step of gradient descent first shrinks every weight by the same factor, then follows the gradient of the data loss D alone."
    return [Section("Weight decay", said, tuple(lines), checked=f"{AGREE} digits")]


def check_decay(network: Network, steps: Mapping[str, tuple[Expr, Expr]]) -> None:
    """Both forms of the step at a random point; the gradient of D comes from a derivation of D alone.

    Raises CheckError when they differ.
    """
    with mp.workdps(DIGITS):
        small, resize = shrink(network)
        alone = replace(small, equations=small.equations[:-1], symbols={k: s for k, s in small.symbols.items() if k != "L"}, shortcuts=(), ones=())
        point = random_point(small, 5)
        env = {**gradients(derive(small), point), **gradients(derive(alone), point), "eta": [[mp.mpf(3) / 8]]}
        for name, (left, right) in steps.items():
            for a, b in zip(*([v for row in entries(resize(e), env, MP) for v in row] for e in (left, right)), strict=True):
                if abs(a - b) > mp.mpf(10) ** -AGREE * max(1, abs(a)):
                    raise CheckError(f"weight decay of {name}: {ex.text(right)} gives {mp.nstr(b, 8)} where {ex.text(left)} gives {mp.nstr(a, 8)}; nothing was written")
