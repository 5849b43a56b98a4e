"""Published numbers and formulas against ours: right, rounding drift, wrong (with the slip behind it), undecidable.

A number is right within half a unit of its last digit as written, ties included. A formula is never compared as text: it is
evaluated at random points in 90-digit arithmetic, and proved entry by entry where it agrees there.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mpmath import mp

from .. import expr as ex
from ..errors import CheckError, ShapeError, SpecError
from ..expr import Expr
from ..language.arithmetic import MP, Matrix, entries, spread_out
from ..language.parse import names_in, tree
from ..lectures.descent import Moment, first_step, run
from ..lectures.transforms import turn
from ..network import Equation, Symbol
from ..problem import Problem
from ..reading.plans import Plan
from ..slips import SLIPS, Case, Slip, difference, misfit
from ..values import DIGITS
from ..verify import Certified
from .claimtext import Claim, Subject, flat, formula, slope_name, subject, without_slopes
from .drift import Habit, habits, rounded_values
from .scenes import Point, Scene, exclusive, jacobian, part
from .written import agree, aligned, decimals, like, nested, places_of, shown_value, significant, size_words, text, turned, which_off, within

VERDICTS = ("right", "rounding drift", "wrong", "undecidable", "note")
MOST_DECIMALS = 12  # rounding to more of them changes nothing that anybody prints
MOST_BY_HAND = 1000  # values and gradients that somebody may have worked out operation by operation
_SIGNS: Mapping[Any, str] = {ast.Mult: "*", ast.MatMult: "@"}


@dataclass(frozen=True)
class Verdict:
    """What is to be said of one claim.

    claim, claimed, ours: as plain text; why: sentences, with names between backticks; slip: the name of the row of SLIPS; checked: how it was decided;
    about: what the claim is about; formula, truth: the claimed formula and ours as trees, None where there are none;
    numbers, values: the claimed and our numbers in the shape of the file.
    """

    claim: str
    claimed: str
    verdict: str
    ours: str = ""
    why: str = ""
    slip: str = ""
    checked: str = ""
    about: Subject | None = None
    formula: Expr | None = None
    truth: Expr | None = None
    numbers: Any = None
    values: Any = None

    @property
    def said(self) -> str:
        """The reason as plain text."""
        return self.why if self.verdict == "note" else self.why.replace("`", "")

    @property
    def is_wrong(self) -> bool:
        return self.verdict == "wrong"


class _Undecidable(Exception):
    """Why a claim can be neither confirmed nor refuted."""


def judge(problem: Problem, certified: Certified) -> tuple[Verdict, ...]:
    """The verdict on every claim of a problem, in the order of the file."""
    with mp.workdps(DIGITS):
        return tuple(_Judge(problem, certified).verdicts())


@dataclass(frozen=True)
class _Place:
    """Where the value of a claim is found: a scene, its key there, and how the file writes it.

    value: a value that stands under no key, in the shape of the file.
    """

    scene: Scene
    key: Any
    form: Callable[[Matrix], Any] = nested
    value: Any = None


class _Judge:
    """All claims of one problem."""

    def __init__(self, problem: Problem, certified: Certified) -> None:
        network = certified.lesson.network
        self.problem, self.network = problem, network
        self.names = [*network.symbols, *network.other_names]
        self.trained = tuple(problem.moved)
        leaves = problem.numbers() or {}
        self.main = Scene(network, leaves, problem.learning_rate, self.trained, certified.lesson.derivation, exclusive(network, leaves))
        self.scenes: dict[str, Scene] = {network.output: self.main}
        given = [d for c in problem.claims if c.numbers is not None for d in flat(c.numbers)]
        self.decimals = sorted({k for d in given if 0 < (k := decimals(d)) <= MOST_DECIMALS}, reverse=True)
        self.by_hand = sum(len(m) * len(m[0]) for m in self.main.env.values()) <= MOST_BY_HAND
        self.rounding = next((int(c.formula) for c in problem.claims if c.group == "rounding"), None)

    def verdicts(self) -> Iterator[Verdict]:
        for claim in self.problem.claims:
            if claim.group == "notes":
                yield Verdict(claim.key, "", "note", why=claim.formula or "A statement in words: listed here, and not checked.")
            elif claim.group != "rounding":
                yield self._verdict(claim)

    def _verdict(self, claim: Claim) -> Verdict:
        about = subject(claim.name, self.names, self.network.output, claim.group)
        about = replace(about, of=self.network.resolve(about.of), wrt=self.network.resolve(about.wrt))
        name = f"d{self.network.output}/d{claim.name}" if claim.group == "gradients" else claim.key
        found = Verdict(name, claim.formula or text(claim.numbers, lambda d: d.text), "undecidable", about=about, numbers=claim.numbers)
        try:
            place = self._place(about)
            found = self._formula(found, claim.formula, place) if claim.formula else self._numbers(found, claim.numbers, place)
        except _Undecidable as reason:
            found = replace(found, why=str(reason))
        except ArithmeticError as reason:  # 1/(x - x) has no value anywhere
            found = replace(found, why=f"It has no value: {reason}.")
        return replace(found, ours=self._as_in_file(found.ours), why=self._as_in_file(found.why))

    def _as_in_file(self, said: str) -> str:
        """The names that the file knows: y_hat for the last activation, dz2 for a gradient in a formula."""
        named = re.compile(rf"\(d{re.escape(self.network.output)}/d(\w+)\)")
        said = named.sub(lambda m: m[0] if f"d{m[1]}" in self.names else f"d{m[1]}", said)
        for alias, name in self.network.aliases.items():
            said = re.sub(rf"\b(d?){name}\b", rf"\g<1>{alias}", said)
        return said

    # ------------------------------------------------------------ what a claim is about

    def _place(self, about: Subject) -> _Place:
        as_written = self.problem.as_written
        match about.kind:
            case "value":
                return _Place(self.main, about.of, lambda m: as_written(about.of, m))
            case "expression":
                return self._expression(about.text)
            case "angle":
                return self._angle(about.text)
            case "updated" | "after":
                return self._moved(about)
        self._check_moving(about.wrt)
        scene = self._scene(about.of)
        if scene is self.main or scene.entrywise(about.wrt):
            return _Place(scene, (about.of, about.wrt), lambda m: as_written(about.wrt, m))
        table = jacobian(scene, about.wrt)
        if isinstance(table, str):
            raise _Undecidable(table)
        return _Place(scene, None, value=table)

    def _moved(self, about: Subject) -> _Place:
        """A parameter, or the loss, after one step or several."""
        plan = self.problem.descent
        if self.problem.learning_rate is None:
            raise _Undecidable("The file gives no learning_rate, so nothing is updated.")
        if about.steps > 1 and any(n not in self.main.leaves for n in self.network.names("input", "target", "parameter", "constant")):
            raise _Undecidable("The file gives no numbers to start from.")
        if about.kind == "updated" and about.of not in self.trained:
            raise _Undecidable(f"`{about.of}` is not a parameter, so no update moves it.")
        if plan is None or plan.plain:
            main = self.main
            scene = Scene(self.network, main.leaves, about.rate or main.exact_rate, self.trained, main.working.derivation, main.shares, about.steps)
            scene = main if (about.steps, about.rate) == (1, None) else self.scenes.setdefault(f"{about.steps} {about.rate}", scene)
            return _Place(scene, (None, about.of), lambda m: self.problem.as_written(about.of, m))
        moment = self._last(replace(plan, rate=about.rate or plan.rate), about.steps)
        return _Place(self.main, None, value=moment.loss if about.kind == "after" else self.problem.as_written(about.of, moment.values[about.of]))

    def _last(self, plan: Plan, steps: int) -> Moment:
        """Where the optimizer that the file names stands after so many steps."""
        derivation = self.main.working.derivation
        if steps == 1 and plan == self.problem.descent:
            return first_step(self.problem, derivation)
        if plan.batches and len(plan.batches) < steps:
            raise _Undecidable(f"The file has batches for {len(plan.batches)} steps; write steps: {steps} under optimizer.")
        path = run(self.problem, derivation, plan, steps)
        if len(path.moments) <= steps:
            raise _Undecidable(path.stopped)
        return path.last

    def _angle(self, source: str) -> _Place:
        """How far a matrix turns, read off the matrix."""
        place = self._expression(source)
        found = turn(place.scene.env[place.key]) if place.key in place.scene.env and place.scene.network.symbols[place.key].shape == (2, 2) else None
        if found is None:
            raise _Undecidable(f"`{source}` is no matrix that only turns and scales alike, so it has no angle.")
        return _Place(place.scene, None, value=found[1])

    def _check_moving(self, name: str) -> None:
        if self.network.symbols[name].kind in ("target", "size"):
            raise _Undecidable(f"No gradient is taken with respect to `{name}`.")

    def _scene(self, of: str) -> Scene:
        """The network as far as one value, certified like the whole."""
        if of not in self.scenes:
            if self.network.symbols[of].kind != "value":
                raise _Undecidable(f"`{of}` is given, so nothing moves it.")
            self.scenes[of] = part(self.main, of)
        return self.scenes[of]

    def _expression(self, source: str) -> _Place:
        """What stands left of the colon: one more equation of the network, or gradients put together."""
        try:
            rhs = self._tree(source)
        except ShapeError as error:
            raise _Undecidable(f"It cannot be computed: {error.sentence}.") from None
        if any(e.op == "grad" for e in ex.walk(rhs)):
            try:
                return _Place(self.main, None, value=nested(spread_out(entries(rhs, self.main.env, MP), rhs.shape)))
            except (KeyError, ArithmeticError):
                raise _Undecidable("It has no value at the numbers of the file.") from None
        name = next(n for k in range(len(self.names) + 1) if (n := f"claimed_{k}") not in self.names)
        symbols = {**self.network.symbols, name: Symbol(name, rhs.shape)}
        scene = Scene(replace(self.network, equations=(*self.network.equations, Equation(name, rhs)), symbols=symbols), self.main.leaves)
        return _Place(scene, name)

    # ------------------------------------------------------------ numbers

    def _numbers(self, found: Verdict, numbers: Any, place: _Place) -> Verdict:
        ours = like(numbers, self._value(place))
        places = places_of(numbers)
        found = replace(found, values=ours, ours=text(ours, lambda x: shown_value(x, places)), checked=f"{DIGITS} digits")
        pairs = aligned(numbers, ours)
        if pairs is None:
            return self._misshapen(found, numbers, ours)
        off = [i for i, (d, x) in enumerate(pairs) if not within(d, x)]
        if not off:
            return replace(found, verdict="right")
        if (habit := self._drift(numbers, place, off)) is not None:
            return replace(found, verdict="rounding drift", why=f"It is what comes out when {habit}.")
        which = which_off(off, len(pairs)) if len(off) < len(pairs) else ""
        if found.about is not None and found.about.kind == "angle" and agree(numbers, -place.value):
            return _explained(found, (SLIPS["sign"], f"{SLIPS['sign'].sentence} A positive angle turns counter-clockwise."))
        case = Case(place.scene.leaves, lambda m: agree(numbers, place.form(m)))
        slip = None if place.value is not None else place.scene.suspects.explain(place.key, [case])
        if slip and found.about is not None and found.about.kind == "expression":
            slip = slip[0], f"The numbers come out with this slip: {slip[1]}"
        return _explained(replace(found, why=which), slip)

    def _misshapen(self, found: Verdict, numbers: Any, ours: Any) -> Verdict:
        found = replace(found, why=f"The claim has {size_words(numbers)}; `{found.claim}` has {size_words(ours)}.")
        other = turned(ours)
        return _explained(found, _transposed(found) if other is not None and agree(numbers, other) else None)

    def _value(self, place: _Place) -> Any:
        """Our value in the shape of the file, or why there is none."""
        scene, key = place.scene, place.key
        if place.value is not None:
            return place.value
        if key in scene.env:
            return place.form(scene.env[key])
        missing = [n for n in scene.network.names("input", "target", "parameter") if n not in scene.leaves]
        if missing:
            raise _Undecidable(f"The file gives no numbers for {', '.join(missing[:4])}{', ...' * (len(missing) > 4)}.")
        if isinstance(key, tuple) and key[0] is not None:  # no equation sends anything back to it
            rows, columns = scene.network.symbols[key[1]].shape or (1, 1)
            return place.form([[mp.mpf(0)] * int(columns) for _ in range(int(rows))])
        raise _Undecidable("It has no value at the numbers of the file.")

    def _drift(self, numbers: Any, place: _Place, off: Sequence[int]) -> Habit | None:
        """The way of rounding on the way that gives the claimed digits."""
        for habit in () if place.value is not None else self._habits(numbers):
            scene = place.scene
            if habit not in scene.rounded:
                try:
                    scene.rounded[habit] = rounded_values(scene.working, scene.leaves, habit, scene.rate, scene.trained, scene.steps)
                except (ArithmeticError, KeyError, ValueError):  # rounded so, there is no value
                    scene.rounded[habit] = {}
            if place.key in scene.rounded[habit]:
                again = aligned(numbers, place.form(scene.rounded[habit][place.key])) or []
                if again and all(within(*again[i]) for i in off):
                    return habit
        return None

    def _habits(self, numbers: Any) -> list[Habit]:
        if self.rounding is not None:
            return list(habits([self.rounding], [self.rounding], self.by_hand))
        own = [k for d in flat(numbers) if (k := decimals(d)) in self.decimals]
        return list(habits(list(dict.fromkeys([*own, *self.decimals])), list(dict.fromkeys(significant(d) for d in flat(numbers))), self.by_hand))

    # ------------------------------------------------------------ formulas

    def _tree(self, source: str, *, shown: bool = False) -> Expr:
        """A formula over the names and the gradients. shown: as it is printed, with du/dv in place of what it means."""
        exact = self.problem.learning_rate
        rate = None if exact is None else ex.num(exact).with_role("decimal")
        if rate is None and ({"learning_rate", "eta"} - set(self.names)) & set(names_in(without_slopes(source, self.names)[0])):
            raise _Undecidable("The file gives no learning_rate.")
        return formula(source, self.network, (lambda u, v: self._slope(u, v, shown)), rate)

    def _slope(self, u: str, v: str, shown: bool) -> Expr:
        """du/dv in a formula: the named gradient of the output, or what it means for another value."""
        self._check_moving(v)
        if u == self.network.output:
            return slope_name(self.network, u, v) if shown and self.network.symbols[u].shape else _gradient(self.main, v)
        scene = self._scene(u)
        if not scene.entrywise(v):
            sizes = [ex.show_shape(self.network.symbols[n].shape) for n in (u, v)]
            raise _Undecidable(f"`d{u}/d{v}` is a table of slopes, {sizes[0]} by {sizes[1]}; a formula holds one number for each entry.")
        return slope_name(self.network, u, v) if shown else scene.whole(v)

    def _formula(self, found: Verdict, source: str, place: _Place) -> Verdict:
        if place.value is not None:
            raise _Undecidable("Only its numbers can be compared.")
        truth, shape = self._truth(place)
        found = replace(found, truth=truth, ours=ex.text(truth))
        try:
            printed, claim = self._tree(source, shown=True), self._tree(source)
        except ShapeError as error:
            signs = [_SIGNS[type(n.op)] for n in ast.walk(tree(source)) if isinstance(n, ast.BinOp) and type(n.op) in _SIGNS]
            why = f"`{found.claim}` is {ex.show_shape(shape)}, and in the formula {error.sentence.rstrip('.')}."
            return _explained(replace(found, why=why, checked="shapes"), misfit(signs, truth))
        found = replace(found, formula=printed)
        points = self._points(place)
        if claim.shape != shape and ex.ZERO not in (claim, truth):
            return self._other_shape(found, claim, shape, points, place)
        try:
            gaps = [(p, difference(p.entries(claim, shape), p.env[place.key])) for p in points]
        except KeyError:
            raise _Undecidable("It mixes slopes of different values.") from None
        for point, gap in gaps:
            if gap is not None:
                why = point.counterexample(found.claim, gap, shape)
                found = replace(found, why=why, checked=f"counterexample, {DIGITS} digits")
                return _explained(found, place.scene.explain(place.key, claim, shape))
        said = ""
        if place.scene.shares and any(difference(p.entries(claim, shape), p.env[place.key]) for p in place.scene.without_shares()):
            said = "This holds where the targets of an example add up to one, as those of exclusive classes do."
        return replace(found, verdict="right", why=said, checked="proved" if place.scene.proves(claim, truth, shape) else "30 digits")

    def _points(self, place: _Place) -> list[Point]:
        try:
            points = [p for p in place.scene.points() if place.key in p.env]
        except (CheckError, SpecError) as error:
            raise _Undecidable(f"It cannot be compared: {error.sentence}.") from None
        if not points:
            raise _Undecidable("No point was found at which both sides are defined.")
        return points

    def _truth(self, place: _Place) -> tuple[Expr, ex.Shape]:
        """Our formula, and the shape of what it stands for."""
        network, scene = place.scene.network, place.scene
        if isinstance(place.key, str):
            symbol = network.symbols[place.key]
            if symbol.kind != "value":
                raise _Undecidable(f"`{place.key}` is given, not computed.")
            return network.equation(place.key).rhs, symbol.shape
        of, name = place.key
        symbol = network.symbols[name]
        if of is None and (name == network.output or scene.steps > 1):
            raise _Undecidable(f"{'The loss after the update' if name == network.output else 'What several steps come to'} is compared in numbers only.")
        if of is None:
            rate = ex.num(scene.exact_rate).with_role("decimal")
            return ex.add(symbol.expr, ex.neg(ex.mul(rate, _gradient(scene, name)))), symbol.shape
        step = scene.working.derivation.steps.get(name)
        return (step.result if step is not None and step.terms else _gradient(scene, name)), symbol.shape

    def _other_shape(self, found: Verdict, claim: Expr, shape: ex.Shape, points: Sequence[Point], place: _Place) -> Verdict:
        found = replace(found, why=f"The formula is {ex.show_shape(claim.shape)}; `{found.claim}` is {ex.show_shape(shape)}.", checked="shapes")
        if claim.shape and claim.shape == shape[::-1]:
            other = ex.transpose(claim)
            if all(difference(p.entries(other, shape), p.env[place.key]) is None for p in points):
                return _explained(found, _transposed(found))
        signs = ["@" if e.op == "matmul" else "*" for e in ex.walk(claim) if e.op in ("mul", "matmul")]
        return _explained(found, misfit(signs, found.truth or ex.ZERO))


# ---------------------------------------------------------------- words

def _gradient(scene: Scene, name: str) -> Expr:
    """The named gradient of a scene's output: its seed of ones, a name, or zero where nothing depends on it."""
    of, shape = scene.network.output, scene.network.symbols[name].shape
    if name == of:
        return ex.ones(shape) if shape else ex.ONE
    return ex.grad(of, name, shape) if name in scene.working.derivation.steps else ex.ZERO


def _explained(found: Verdict, slip: tuple[Slip, str] | None) -> Verdict:
    """A wrong claim, with the slip behind it where there is one."""
    said = found.why if slip is None else f"{found.why} {slip[1]}".strip()
    return replace(found, verdict="wrong", why=said, slip="" if slip is None else slip[0].name)


def _transposed(found: Verdict) -> tuple[Slip, str]:
    slip, about = SLIPS["transposed"], found.about
    whole = about is not None and about.kind == "gradient"
    return slip, slip.sentence.format(L=about.of, v=about.wrt) if whole and about else "It is transposed."
