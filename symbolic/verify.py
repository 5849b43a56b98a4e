"""Every line is checked before it can be printed: renderers take a ``Certified``, nothing else.

Three checks, of which the last two use no derivative table at all:
a proof of each step against SymPy's ``diff`` on explicit entries at a small shape; every line
of it at random points against central differences of the forward equation, in 90-digit
arithmetic; and each whole gradient against central differences of the whole forward pass.

>>> from .lesson import plan
>>> from .network import from_equations
>>> certified = certify(plan(from_equations({"b": "4*a", "e": "b*a"}, {})))
>>> sorted({s.checked for s in certified.lesson.steps})
['proved']
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mpmath import mp

from . import expr as ex
from .derive import Derivation, Step, composed
from .errors import CheckError
from .expr import Expr
from .functions import FUNCTIONS, slope_form
from .index import at_index
from .language.arithmetic import MP, Matrix, entries, spread_out
from .lesson import Lesson, Line, Shown
from .network import FIXED, Network, split_values, sums_of_one
from .proof.lookup import AGREE, Lookup, agreement
from .proof.probe import (
    Draw,
    dimensions,
    kinks,
    random_point,
    resized,
    resizer,
    row_points,
    shrink,
)
from .values import DIGITS, difference, downstream, forward, gradients, inner

POINTS = 2        # random points for every line
ONE_BY_ONE = 50   # up to this many parameters each is compared, beyond it random directions


@dataclass(frozen=True)
class Certified:
    """A lesson in which every line was checked, and the numbers that go with it.

    values: forward values and gradients at the given numbers, None without numbers;
    worst: the largest relative difference that was seen.
    """

    lesson: Lesson
    values: Mapping[Any, Matrix] | None
    worst: float

    def tally(self) -> tuple[int, int]:
        """How many steps were proved, and how many agreed to 30 digits."""
        proved = sum(s.checked == "proved" for s in self.lesson.steps)
        return proved, len(self.lesson.steps) - proved


def certify(lesson: Lesson, leaves: Mapping[Any, Matrix] | None = None) -> Certified:
    """Check every step and every line of a lesson.

    leaves: the given numbers (name -> rows, mpmath), when there are any.
    Raises CheckError for the first line that does not survive; nothing may be printed then.
    """
    with mp.workdps(DIGITS):
        checker = _Checker(lesson, leaves or {})
        checker.rows()
        steps = tuple(replace(s, checked=checker.step(s)) for s in lesson.steps)
        checker.every_step(lesson.derivation)
        for derivation in filter(None, (lesson.derivation, lesson.scalar)):
            checker.complete(derivation)
        values = None
        if leaves is not None:
            values = gradients(lesson.derivation, forward(lesson.network, leaves, partly=True), partly=True)
        checker.whole(lesson, values)
        return Certified(replace(lesson, steps=steps), values, float(checker.worst))


@dataclass
class _Scene:
    """A network at a size that can be checked, with random points in it."""

    network: Network
    resize: Callable[[Expr], Expr]
    points: list[dict[Any, Matrix]]


@dataclass
class _Local:
    """One step at one point: the environment, the direction asked about, the true slope along it."""

    env: Lookup
    direction: Matrix
    expected: Any


class _Checker:
    def __init__(self, lesson: Lesson, leaves: Mapping[Any, Matrix]) -> None:
        self.lesson, self.leaves = lesson, leaves
        self.worst = mp.mpf(0)
        self.scenes: dict[int, _Scene] = {}
        self.proofs: dict[Any, bool] = {}
        self.seen: set[Any] = set()

    # ------------------------------------------------------------ the rows of the table

    def rows(self) -> None:
        """Every slope in use against differences of its formula, on every piece of it.

        The points of a network may all lie on one side of a kink; these do not.
        """
        for name in sorted({e.data for eq in self.lesson.network.equations for e in ex.walk(eq.rhs) if e.op == "call"}):
            names, tried = list(FUNCTIONS[name].names), 0
            for point in row_points(name):
                try:
                    self._row(name, names, point)
                except ArithmeticError:
                    continue  # outside its domain
                tried += 1
            if not tried:
                raise CheckError(f"no point was found at which {name} is defined, so its slope cannot be checked")

    def _row(self, name: str, names: list[str], point: dict[str, Matrix]) -> None:
        call = Expr("call", tuple(map(ex.sym, names)), name)
        for k, n in enumerate(names):
            expected = difference(lambda m, n=n: entries(call, {**point, n: m}, MP), point[n], [[mp.mpf(1)]])[0][0]
            got = entries(slope_form(name, k), {**point, "a": entries(call, point, MP)}, MP)[0][0]
            self._compare(got, expected, name, n, slope_form(name, k))

    # ------------------------------------------------------------ one step

    def step(self, shown: Shown) -> str:
        """Check all lines of a step; the label says how."""
        scalar = self.lesson.scalar
        derivation = scalar if shown.level == "scalar" and scalar is not None else self.lesson.derivation
        scene = self._scene(derivation.network)
        for k, env in enumerate(scene.points):
            def check(k: int = k, env: dict[Any, Matrix] = env) -> None:
                local = self._local(scene, shown.source, env, k)
                for line in shown.lines:
                    self._line(scene, shown, line, local, env)
            _sharply(check)
        return "proved" if self._proved(derivation.network, shown.source) else f"{AGREE} digits"

    def every_step(self, derivation: Derivation) -> None:
        """The steps that carry the numbers, also those that are not shown."""
        scene = self._scene(derivation.network)
        for step in derivation.steps.values():
            if step.terms and not self._alike(derivation.network, step):
                def check(step: Step = step) -> None:
                    local = self._local(scene, step, scene.points[0], 0)
                    for claim in dict.fromkeys((step.general, step.result)):
                        self._compare(self._directed(scene, claim, local), local.expected, step.of, step.wrt, claim)
                _sharply(check)

    def complete(self, derivation: Derivation) -> None:
        """No term is missing: what an equation does not send back to a value in it has the slope zero."""
        scene, network = self._scene(derivation.network), derivation.network
        reached = {network.output}
        for eq in reversed(scene.network.equations):
            for name in sorted(eq.rhs.names if eq.name in reached else ()):
                if network.symbols[name].kind in FIXED:
                    continue
                step = derivation.steps.get(name)
                if step is not None and any(t.through == eq.name for t in step.terms):
                    reached.add(name)
                    continue
                for env in scene.points:
                    point, value = Lookup(scene.network, env), env[name]
                    direction = Draw(f"missing/{name}").matrix((len(value), len(value[0])))
                    slopes = difference(lambda m, eq=eq, name=name, point=point: entries(eq.rhs, point.moved(name, m), MP), value, direction)
                    for slope in (s for row in slopes for s in row):
                        self._compare(mp.mpf(0), slope, eq.name, name, ex.ZERO)

    def _alike(self, network: Network, step: Step) -> bool:
        """Whether an equal step (same rules, expressions and shapes) has been compared already."""
        key = self._key(network, step)
        seen = key in self.seen
        self.seen.add(key)
        return seen

    def _line(self, scene: _Scene, shown: Shown, line: Line, local: _Local, point: Mapping[Any, Matrix]) -> None:
        if line.kind == "gradient":
            self._compare(self._directed(scene, line.rhs, local), local.expected, shown.of, shown.wrt, line.rhs)
        elif line.kind == "path":
            expected = self._whole_path(scene, shown.source, point, local.direction)
            self._compare(self._directed(scene, line.rhs, local), expected, shown.of, shown.wrt, line.rhs)
        elif line.kind == "local" and line.lhs is not None and line.lhs.op == "partial":
            (got,), = entries(scene.resize(line.rhs), local.env, MP)
            of, wrt = line.lhs.data[:2]
            self._compare(got, local.env[line.lhs.data][0][0], of, wrt, line.rhs)
        elif line.kind == "jacobian" and line.lhs is not None:
            self._as_a_matrix(scene, line, line.lhs, local.env)
        elif line.kind == "local" and line.lhs is not None:
            self._jacobian(scene, line, line.lhs, local.env)
        else:
            self._entries(scene, shown, line, local.env)

    def _directed(self, scene: _Scene, claim: Expr, local: _Local) -> Any:
        got = entries(scene.resize(claim), local.env, MP)
        if len(got) == 1 == len(got[0]):
            got = [[got[0][0] for _ in row] for row in local.direction]
        return inner(got, local.direction)

    def _entries(self, scene: _Scene, shown: Shown, line: Line, env: Lookup) -> None:
        """An index line: every entry of it."""
        if line.over and line.lhs is not None:
            for places in itertools.product(*(range(int(d)) for _, d in line.over)):
                at = {letter: p for (letter, _), p in zip(line.over, places, strict=True)}
                right, left = (at_index(scene.resize(x), env, at, MP) for x in (line.rhs, line.lhs))
                self._compare(right, left, shown.of, shown.wrt, line.rhs)
            return
        i, j = line.free
        if line.kind == "forward" and line.lhs is not None:
            expected = env[line.lhs.args[0].data if line.lhs.op == "entry" else line.lhs.data]
        else:
            expected = spread_out(entries(scene.resize(shown.source.result), env, MP), scene.network.symbols[shown.wrt].shape)
        rhs = scene.resize(line.rhs)
        for p, row in enumerate(expected):
            for q, value in enumerate(row):
                where = {letter: at for letter, at in ((i, p), (j, q)) if letter}
                self._compare(at_index(rhs, env, where, MP), value, shown.of, shown.wrt, line.rhs)

    def _jacobian(self, scene: _Scene, line: Line, left: Expr, env: Lookup) -> None:
        """du_i/dv_j with running indices: every entry of it."""
        sizes = {letter: int(d) for name, letters in left.data
                 for letter, d in zip(letters, (d for d in scene.network.symbols[name].shape if d != 1), strict=True)}
        rhs = scene.resize(line.rhs)
        for places in itertools.product(*map(range, sizes.values())):
            where = dict(zip(sizes, places, strict=True))
            self._compare(at_index(rhs, env, where, MP), env[left.data](where), left.data[0][0], left.data[1][0], line.rhs)

    def _as_a_matrix(self, scene: _Scene, line: Line, left: Expr, env: Lookup) -> None:
        """All slopes of a vector by a vector as one matrix: every entry of it."""
        (u, _), (v, _) = left.data
        rhs = scene.resize(line.rhs)
        counted = {str(k + 1): k for k in range(max(map(int, rhs.shape)))}
        cells = [at_index(x, env, counted, MP) for x in rhs.args] if rhs.op == "grid" else [x for row in entries(rhs, env, MP) for x in row]
        outputs, inputs = (max(map(int, scene.network.symbols[n].shape), default=1) for n in (u, v))
        if len(cells) != outputs * inputs:
            raise CheckError(f"d{u}/d{v} has {outputs * inputs} entries, and {ex.text(line.rhs)} has {len(cells)}; nothing was written")
        for got, (p, q) in zip(cells, itertools.product(range(outputs), range(inputs)), strict=True):
            self._compare(got, env[(u, ("p",) * (outputs > 1)), (v, ("q",))]({"p": p, "q": q}), u, v, line.rhs)

    def _compare(self, got: Any, expected: Any, of: str, wrt: str, claim: Expr) -> None:
        self.worst = max(self.worst, agreement(got, expected, of, wrt, claim))

    # ------------------------------------------------------------ random points

    def _scene(self, network: Network) -> _Scene:
        if id(network) not in self.scenes:
            small, resize = shrink(network)
            self.scenes[id(network)] = _Scene(small, resize, [random_point(small, k, self._near(network, small)) for k in range(POINTS)])
        return self.scenes[id(network)]

    def _near(self, network: Network, small: Network) -> Mapping[Any, Matrix] | None:
        """The given numbers by the names of this network; None for a smaller copy, which they do not fit."""
        if small is not network:
            return None
        return self.leaves if network is self.lesson.network else split_values(self.lesson.network, self.leaves)

    def _local(self, scene: _Scene, step: Step, point: Mapping[Any, Matrix], k: int) -> _Local:
        """Random upstream gradients, and what the step must then be, by central differences.

        A theorem holds at the true upstream gradients only, so there they are found by differences too.
        """
        draw = Draw(f"{k}/{step.wrt}")
        network = scene.network
        env = Lookup(network, point)
        direction = draw.matrix(network.symbols[step.wrt].shape)
        total = mp.mpf(0)
        for name in {n.data[1] for n in ex.walk(step.result) if n.op == "grad"} if step.shortcut else ():
            env[step.of, name] = self._true(network, name, point)
        for term in step.terms:
            slope = difference(lambda m, rhs=network.equation(term.through).rhs: entries(rhs, env.moved(step.wrt, m), MP),
                               point[step.wrt], direction)
            if term.upstream.op == "grad":
                env[term.upstream.data] = self._true(network, term.through, point) if step.shortcut else \
                    draw.matrix(network.symbols[term.through].shape)
                total += inner(env[term.upstream.data], slope)
            else:
                total += slope[0][0]
        return _Local(env, direction, total)

    def _true(self, network: Network, name: str, point: Mapping[Any, Matrix]) -> Matrix:
        """The gradient of the output with respect to a value, by central differences."""
        value, reached = point[name], downstream(network, name)

        def output(m: Matrix) -> Matrix:
            return forward(network, point, override={name: m}, only=reached)[network.output]

        flat = [difference(output, value, d)[0][0] for d in _directions(value, True, name)]
        return [flat[i:i + len(value[0])] for i in range(0, len(flat), len(value[0]))]

    def _whole_path(self, scene: _Scene, step: Step, point: Mapping[Any, Matrix], direction: Matrix) -> Any:
        network = scene.network
        reached = downstream(network, step.wrt)
        return difference(lambda m: forward(network, point, override={step.wrt: m}, only=reached)[network.output],
                          point[step.wrt], direction)[0][0]

    # ------------------------------------------------------------ proof

    def _key(self, network: Network, step: Step) -> Any:
        """A step up to the names in it: equal keys have equal rules, expressions and shapes."""
        names: dict[str, str] = {}

        def anonymous(e: Expr) -> Any:
            data = e.data
            if e.op in ("sym", "grad"):
                data = tuple(names.setdefault(n, f"v{len(names)}") for n in (e.data if e.op == "grad" else (e.data,)))
            return e.op, data, e.shape, tuple(anonymous(a) for a in e.args)

        uses = tuple((names.setdefault(t.through, f"v{len(names)}"), anonymous(network.equation(t.through).rhs)) for t in step.terms)
        ends, claim = composed(network, step) if step.shortcut else ([], ex.ZERO)
        theorem = (*(anonymous(e) for _, e in ends), anonymous(claim))
        return uses, names.get(step.wrt), anonymous(step.general), step.rule, step.of in names, theorem

    def _proved(self, network: Network, step: Step) -> bool:
        """Prove the general form from the equations that use the value, and a theorem from the loss itself."""
        from .proof.prove import proves

        key = self._key(network, step)
        if key not in self.proofs:
            resize = resizer({d: 2 + i % 2 for i, d in enumerate(dimensions(network, 2))})
            shapes = {n: resize(s.expr).shape for n, s in network.symbols.items()}
            uses = [(t.through, resize(network.equation(t.through).rhs)) for t in step.terms]
            direct = {t.through for t in step.terms if t.upstream == ex.ONE}
            done = proves(uses, step.of, direct, step.wrt, shapes[step.wrt], resize(step.general), shapes)
            if step.shortcut and done:
                ends, claim = composed(network, step)
                ones = sums_of_one(replace(network, ones=tuple(map(resize, network.ones))))
                done = proves([(n, resize(e)) for n, e in ends], step.of, {step.of}, step.wrt, shapes[step.wrt], resize(claim), shapes, ones)
            self.proofs[key] = done
        return self.proofs[key]

    # ------------------------------------------------------------ whole gradients

    def whole(self, lesson: Lesson, values: Mapping[Any, Matrix] | None) -> None:
        """Every gradient against central differences of the forward pass, at the given numbers where there are any."""
        derivation, network = lesson.derivation, lesson.network
        # A given value of f(x) does not move with x, so it is no point to take differences at.
        complete = values is not None and all(n in values for n in network.symbols) and not any(isinstance(k, Expr) for k in values)
        if values is None or not complete or kinks(network, values):
            network, resize = shrink(network)
            point = random_point(network, 97, self._near(lesson.network, network))
            seed = Draw("seed").matrix(network.symbols[network.output].shape)
            derivation = Derivation(network, {k: resized(s, resize) for k, s in derivation.steps.items()})
            values = gradients(derivation, point, seed if network.symbols[network.output].shape else None)
        elif network.symbols[network.output].shape:
            seed = Draw("seed").matrix(network.symbols[network.output].shape)
            values = gradients(derivation, values, seed)
        few = sum(len(m) * len(m[0]) for n in network.names("parameter", "input") for m in [values[n]]) <= ONE_BY_ONE
        for step in derivation.steps.values():
            # In a large network the leaves suffice: their gradients are made of all the others.
            if step.terms and (few or network.symbols[step.wrt].kind != "value"):
                self._whole_step(network, step, values, few)

    def _whole_step(self, network: Network, step: Step, values: Mapping[Any, Matrix], each: bool) -> None:
        value, g = values[step.wrt], values[step.of, step.wrt]
        reached = downstream(network, step.wrt)
        for direction in _directions(value, each, step.wrt):
            def slope(direction: Matrix = direction) -> Any:
                change = difference(lambda m: forward(network, values, override={step.wrt: m}, only=reached)[network.output], value, direction)
                return inner(change, values[network.output, network.output]) if network.symbols[network.output].shape else change[0][0]

            got = inner(g, direction)
            _sharply(lambda got=got, slope=slope: self._compare(got, slope(), step.of, step.wrt, step.result))


def _sharply(check: Callable[[], None]) -> None:
    """A check, made again with a smaller step and more digits where it fails: close to a pole differences need them."""
    try:
        check()
    except CheckError:
        with mp.workdps(3 * DIGITS):
            check()


def _directions(value: Matrix, each: bool, name: str) -> list[Matrix]:
    rows, columns = len(value), len(value[0])
    if not each:
        return [Draw(f"direction/{name}").matrix((rows, columns))]
    return [[[mp.mpf(i == p and j == q) for j in range(columns)] for i in range(rows)] for p in range(rows) for q in range(columns)]
