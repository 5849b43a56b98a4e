"""Which optimizer moves parameters as claimed, or which mistake in one: its equations on arrays, right and wrong.

>>> w, g = numpy.array([[1.0], [2.0]]), [numpy.array([[0.5], [0.25]]), numpy.array([[1.0], [-0.5]])]
>>> wrong = next(changed for slip, changed in mistakes(OPTIMIZERS["adam"]) if slip.name == "no-correction")
>>> moved = Moved(0.1, {"W1": w}, tuple({"W1": x} for x in g), tuple({"W1": x} for x in walk(wrong, {}, 0.1, w, g)))
>>> found = judged([moved], "adam")
>>> found.wrong, found.formulas
(('W1',), ('In place of `m_hat = m/(1 - beta1**t)` it takes `m_hat = m`.', 'In place of `v_hat = v/(1 - beta2**t)` it takes `v_hat = v`.'))
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice, product
from typing import Any

import numpy

from ..network import Network
from ..optimizers import AFTER, BEFORE, OPTIMIZERS, Optimizer
from ..slips import SLIPS, Slip
from ..wrong.steps import G, edited
from .arrays import READER, Array, matrix
from .judge import error_of, fitted
from .suspects import AGREE

LIMIT = 1e-9
TIME_FOR_PAIRS = 2.0  # seconds of the processor
MOST_SETTINGS = 24, 4  # ways to read the numbers in the code as options: to find what is right, to find a mistake
# What an option of a row is called: the roles of the arguments that can stand for it, the surest first, and where a number in the code may stand for it.
ROLES: dict[str, tuple[tuple[str, ...], tuple[float, float]]] = {
    "beta": (("share", "decay", "beta1", "beta2"), (0.5, 1)), "rho": (("share", "decay", "beta2", "beta1"), (0.5, 1)), "beta1": (("beta1", "share", "decay"), (0.5, 1)),
    "beta2": (("beta2",), (0.5, 1)), "epsilon": (("epsilon",), (1e-18, 2e-3)), "lam": (("lam", "decay"), (1e-6, 0.5))}
PER_EXAMPLE = "The gradient is divided by the number of examples, which is right where it is their sum and wrong where it is their mean."
SHARES = {"beta", "rho", "beta1", "beta2"}


@dataclass(frozen=True)
class Moved:
    """Steps from one start, in the file's own layout: the parameters by name, the gradients of every step, and the parameters after it (those that were found).

    rate: None where the file takes none; options: the numbers that were given, by role; constants: those that stand in the code.
    """

    rate: float | None
    start: Mapping[str, Any]
    gradients: tuple[Mapping[str, Any], ...]
    claimed: tuple[Mapping[str, Any], ...]
    options: Mapping[str, float] = field(default_factory=dict)
    constants: tuple[float, ...] = ()


@dataclass(frozen=True)
class Judged:
    """wrong: the parameters that are moved wrongly; title: the optimizer whose step is taken, or was meant; said: what else is to be said of it, or what
    explains a wrong one; formulas: the same as equations; targets: what these give; may: whether it may be meant so."""

    wrong: tuple[str, ...] = ()
    title: str = ""
    said: tuple[str, ...] = ()
    formulas: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    may: bool = False


def walk(row: Optimizer, options: Mapping[str, Any], rate: float, start: Any, gradients: Sequence[Any]) -> list[Array]:
    """The parameter after every step, from the gradients that the steps were given.

    options: numbers for the options of the row; its own defaults for the others; examples: a number that the learning rate is divided by.
    """
    env: dict[str, Any] = {"w": matrix(start), **{n: matrix(float(v)) for n, v in row.states.items()}}
    fixed = {n: matrix(float(options.get(n, o.default) or 0)) for n, o in row.options.items()} | {"eta": matrix(options.get("eta", rate) / options.get("examples", 1))}
    out = []
    with numpy.errstate(all="ignore"):
        for t, g in enumerate(gradients, 1):
            step = {**fixed, "t": matrix(float(t)), "g" + AFTER: matrix(g), **{n + BEFORE: v for n, v in env.items()}}
            for target, tree in row.trees:
                step[target] = READER.value(tree, step)
            env = {n: step.get(n + AFTER, v) for n, v in env.items()}
            out.append(env["w"])
    return out


def mistakes(row: Optimizer) -> Iterator[tuple[Slip, Optimizer]]:
    """Every mistake that can be made in an optimizer, and the row that it leaves."""
    nothing = Network((), {})
    for slip in (s for s in SLIPS.values() if s.kind == "optimizer"):
        for changed in slip.change(nothing):
            if changed.row is not None and (wrong := changed.row(row)) is not None:
                yield slip, wrong


@cache
def _wrong(name: str) -> tuple[tuple[Slip, Optimizer], ...]:
    """The mistakes of an optimizer or of a convention of it, read once."""
    return tuple(mistakes(next(r for r, _ in forms("") if r.name == name)))


# ---------------------------------------------------------------- what is right

FORMS = {  # conventions of weight decay: a name, a title, what is replaced in a row
    "l2": ("{}, the decay of the weights in the gradient", edited(("", G, "(g + lam*w)"))),
    "twice": ("{}, twice the decay of the weights in the gradient, as of lambda times the sum of squares", edited(("", G, "(g + 2*lam*w)"))),
    "beside": ("{}, the decay of the weights beside it", edited(("w", r"^w - eta\*(.+)", r"w - eta*(\1 + lam*w)"))),
    "unrated": ("{}, the decay without the learning rate", edited(("w", r"^w - eta\*\((.+) \+ lam\*w\)", r"w - eta*\1 - lam*w"))),
}


@cache
def forms(meant: str) -> tuple[tuple[Optimizer, str], ...]:
    """The rows of the table of an optimizer (adam: also adamw; empty: all), with the conventions of decay; then what differs only in where epsilon stands, with that said."""
    out = [r for r in OPTIMIZERS.values() if r.name.startswith(meant)]
    lam = {"lam": OPTIMIZERS["adamw"].options["lam"]}
    for name, (title, change) in FORMS.items():
        plain = [r for r in OPTIMIZERS.values() if r.name.startswith(meant) and r.name + name != "adambeside" and ("lam" in r.options) == (name == "unrated")]
        out += [replace(w, name=f"{r.name} {name}", title=title.format(r.title), options={**r.options, **lam}) for r in plain if (w := change(r)) is not None]
    moved = SLIPS["epsilon-moved"]
    also = [replace(w, name=f"{r.name} {k}") for r in out for k, c in enumerate(moved.change(Network((), {}))) if c.row is not None and (w := c.row(r)) is not None]
    return (*((r, "") for r in out), *((r, f"{moved.sentence} Here the step is `w = {r.equations['w']}`.") for r in also if r.name.split(" ")[0] != "rmsprop_inside"))


def takes(row: Optimizer, m: Moved, lenient: bool) -> bool:
    """Whether an optimizer has a place for every number that it was given, and a number for the decay."""
    sure = {r for r in m.options if r in ("share", "beta1", "beta2")}
    least, most = ROLES["lam"][1]
    decays = {"lam", "decay"} & set(m.options) or any(least <= c < most for c in m.constants)
    fits = len(sure) <= len(SHARES & set(row.options)) and all(n not in m.options or n in row.options for n in ("epsilon", "lam"))
    return (lenient or fits) and bool("lam" not in row.options or decays)


def settings(row: Optimizer, m: Moved) -> Iterator[dict[str, float]]:
    """The numbers that the options of a row may have: those that were given, else its default or a number that stands in the code.

    Last, the same with the learning rate divided by the number of examples, where that was given.
    """
    every: dict[str, list[float]] = {}
    for name, option in row.options.items():
        roles, (least, most) = ROLES[name]
        named = [m.options[r] for r in roles if r in m.options]
        if named:
            every[name] = named[:1] if roles[0] in m.options else named
        else:
            inside = [c for c in m.constants if least <= c < most]
            every[name] = list(dict.fromkeys([*inside, float(option.default or 0), *([0.0] if name == "epsilon" else [])]))
    if m.rate is None:
        every["eta"] = [c for c in m.constants if c > 0] or [1.0]
    for shared in ({}, {"examples": m.options["examples"]}) if "examples" in m.options else ({},):
        for chosen in product(*every.values()):
            yield {**dict(zip(every, chosen, strict=True)), **shared}


class _Runs:
    """Steps with all parameters in one column, as optimizers go entry by entry; claimed moves of what was not found, or has another shape, are nan."""

    def __init__(self, moved: Sequence[Moved], names: Sequence[str]) -> None:
        self.moved, self.names = moved, names
        ends = numpy.cumsum([0, *(numpy.size(moved[0].start[n]) for n in names)])
        self.places = {n: slice(a, b) for n, a, b in zip(names, ends, ends[1:], strict=False)}
        self.starts = [self._column(m.start, m.start) for m in moved]
        self.gradients = [[self._column(g, m.start) for g in m.gradients] for m in moved]
        self.claimed = [_moves(s, [self._column(c, m.start) for c in m.claimed]) for s, m in zip(self.starts, moved, strict=True)]

    def _column(self, arrays: Mapping[str, Any], like: Mapping[str, Any]) -> Array:
        shapes = {n: matrix(like[n]).shape for n in self.names}
        parts = [fitted(arrays.get(n), shapes[n]) for n in self.names]
        return numpy.concatenate([(numpy.full(shapes[n], numpy.nan) if p is None else p).reshape(-1, 1) for n, p in zip(self.names, parts, strict=True)])

    def walked(self, row: Optimizer, options: Mapping[str, float], count: int | None = None) -> list[list[Array]]:
        """The moves of an optimizer in every run, or in so many."""
        return [_moves(s, walk(row, options, m.rate or 1.0, s, g)) for s, g, m in zip(self.starts[:count], self.gradients, self.moved, strict=False)]

    def off(self, guess: Sequence[Sequence[Array]], limit: float = LIMIT) -> list[str]:
        """The parameters whose moves are others."""
        return [n for n, at in self.places.items() if any(_error(c[at], g[at]) > limit for cs, gs in zip(self.claimed, guess, strict=False) for c, g in zip(cs, gs, strict=True))]

    def explains(self, guess: list[list[Array]], off: Sequence[str]) -> bool:
        """Whether moves are the claimed ones where these are wrong, and say something."""
        return bool(numpy.isfinite(guess[0][0]).any()) and not set(self.off(guess, AGREE)) & set(off)

    def taken(self, row: Optimizer, asked: Optimizer, off: Sequence[str]) -> bool:
        """Whether a wrong optimizer explains the moves, with the numbers that the right one was given; the second run only where the first one fits."""
        return any(self.explains(self.walked(row, o, 1), off) and self.explains(self.walked(row, o), off) for o in islice(settings(asked, self.moved[0]), MOST_SETTINGS[1]))

    def factor(self, guess: Sequence[Sequence[Array]], names: Sequence[str]) -> str:
        """How the moves differ by one number, in a sentence; nothing where they do not."""
        found = set()
        with numpy.errstate(all="ignore"):
            for m, cs, gs in zip(self.moved, self.claimed, guess, strict=True):
                ratio = numpy.concatenate([c[self.places[n]] / g[self.places[n]] for n in names for c, g in zip(cs, gs, strict=True)])
                if not (numpy.ptp(ratio) <= AGREE * abs(ratio).max()):
                    return ""
                found.add((m.rate, float(f"{ratio.mean():.6g}")))
        factors, constants = {k for _, k in found}, {float(f"{k * (r or 1):.6g}") for r, k in found}
        if len(constants) == 1 and not constants & {0.0, 1.0} and len(factors) > 1:
            return f"The gradient is multiplied by {constants.pop():g}, whatever the learning rate is."
        return f"The step is {factors.pop():g} times what it should be." if len(factors) == 1 and not factors & {0.0, -1.0} else ""


def _moves(start: Array, path: Sequence[Array]) -> list[Array]:
    with numpy.errstate(all="ignore"):
        return [b - a for a, b in zip([start, *path[:-1]], path, strict=True)]


def _error(claimed: Array, guess: Array) -> float:
    """As of gradients; what is no number must be none in both (a root of something negative)."""
    none = ~numpy.isfinite(guess)
    if (none != ~numpy.isfinite(claimed)).any():
        return float("inf")
    return 0.0 if none.all() else error_of(claimed[~none], guess[~none])


# ---------------------------------------------------------------- verdict and cause

def judged(moved: Sequence[Moved], meant: str = "", *, lenient: bool = False, keeps: bool = True) -> Judged:
    """Whether an update takes the steps of an optimizer, or which mistake in one explains them. The plainest comes first.

    meant: the optimizer that its name says (the beginning of the names of rows); lenient: whether it may leave numbers unused that it is given;
    keeps: whether it remembers anything, so that it may be meant as an optimizer that does.
    """
    first = moved[0]
    names = [n for n in first.start if any(n in c for m in moved for c in m.claimed)]
    missing = tuple(n for n in first.start if n not in names)
    runs = _Runs(moved, names)
    rows = [(r, remark) for r, remark in forms(meant) if takes(r, first, lenient)] or list(forms(meant))
    best: tuple[list[str], list[list[Array]]] | None = None
    for row, remark in rows:
        for options in islice(settings(row, first), MOST_SETTINGS[0]):
            guess = runs.walked(row, options)
            off = runs.off(guess)
            spared = {"lam": 0.0} if "lam" in row.options and off and all(n[0] == "b" for n in off) else {}  # no decay of biases is a convention too
            if not missing and (not off or spared and not set(off) & set(runs.off(runs.walked(row, {**options, **spared})))):
                same = [s for s in (remark, PER_EXAMPLE if "examples" in options else "") if s]
                title = row.title[:1].lower() + row.title[1:] if row.name == "gradient_descent" else row.title
                return Judged((), title + ", the biases without decay" * bool(spared), tuple(same), may=bool(same))
            if best is None or len(off) < len(best[0]):
                best = off, guess
    assert best is not None
    off, guess = best
    if not off:
        return Judged(missing, said=(f"It gives nothing for {', '.join(f'`{n}`' for n in missing)}.",))
    found = _explained(runs, off, [r for r, remark in rows if not remark and (keeps or meant or not r.states)])
    said = tuple(dict.fromkeys(s for s, _, _ in found))[:3] or tuple(s for s in (runs.factor(guess, off) or _endless(moved),) if s)
    pairs = dict(e for s, p, _ in found if s in said for e in p)
    title = found[0][2].title if found else ""
    return Judged((*off, *missing), title, said, tuple(f"In place of `{right}` it takes `{yours}`." for yours, right in pairs.items()), tuple(yours.split(" ")[0] for yours in pairs))


def _explained(runs: _Runs, off: list[str], rows: Sequence[Optimizer]) -> list[tuple[str, list[tuple[str, str]], Optimizer]]:
    """Sentences of the mistakes that give the wrong moves, with equations (theirs, ours) and the optimizer; two at once where no single one does."""
    found: list[tuple[str, list[tuple[str, str]], Optimizer]] = []
    if runs.explains([[0 * g for g in gs] for gs in runs.gradients], off):
        return [(SLIPS["bias-fixed"].sentence if all(n[0] == "b" for n in off) else "It stays as it is.", [], rows[0])]
    stop = time.process_time() + TIME_FOR_PAIRS
    one = (([slip], row, wrong) for row in rows for slip, wrong in _wrong(row.name))
    two = (([a, b], row, both) for row in rows if row.states for a, wrong in _wrong(row.name) for b, both in mistakes(wrong) if b is not a)
    for tried in (one, two):
        for slips, row, wrong in tried:
            if runs.taken(wrong, row, off):
                found.append((" ".join(s.sentence for s in slips), [(f"{t} = {wrong.equations[t]}", f"{t} = {s}") for t, s in row.equations.items() if wrong.equations[t] != s], row))
            if tried is two and (found or time.process_time() > stop):
                break
        if found:
            break
    return found


def _endless(moved: Sequence[Moved]) -> str:
    """Where parameters become what is no number, the sentence that says so."""
    endless = any(not numpy.isfinite(a).all() for m in moved for c in m.claimed for a in c.values())
    return "It gives what is no number: something is divided by 0, or has no root." if endless else ""
