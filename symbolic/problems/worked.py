"""One variant worked out: its derivation proved once for its structure, its numbers checked each time by differences.

>>> from ..reading.specfile import build as spec
>>> from ..problem import build
>>> w = work(build(spec({"equations": {"y": "x**3"}, "at": {"x": 2}})), [("y", "x")])
>>> int(w.value(("y", "x"))[0][0]), w.how
(12, 'proved')
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from math import exp
from typing import Any, TypeAlias

from mpmath import mp
from sympy import Rational, log

from .. import expr as ex
from ..derive import Derivation, derive
from ..errors import CheckError, SpecError, nearest
from ..expr import Expr
from ..language.arithmetic import MP, Arithmetic, Env, Matrix, ten
from ..lesson import Lesson, plan
from ..network import Network
from ..pages.sheet import Sheet, TexLine
from ..problem import Problem
from ..proof.lookup import AGREE
from ..proof.probe import Draw, kinks
from ..values import DIGITS, difference, downstream, forward, gradients, inner
from ..verify import Certified, certify
from . import stepping
from .second import QUANTITIES, checked as checked_quantity, names_of, quantity

LARGEST_BELOW, LARGEST_ABOVE = 1000, 10**6  # of fractions that are printed as such
LARGEST_INSIDE, LARGEST_LOGARITHM = 200, 6  # of logarithms: of what is inside, and of themselves
NEAR = 1e-6  # to which a float of that size agrees with its fraction
SHARP = 40  # digits to which a number agrees with its fraction

# What is asked for: a value by its name, a gradient or Jacobian (of, wrt), what an update leads to (None, name), a quantity of problems.second ("", name).
Key: TypeAlias = "str | tuple[str | None, str]"


class Rejected(Exception):
    """A draw that makes no question: reason says why, in a few words that do not depend on its numbers."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True)
class Machine:
    """A network whose derivation is proved, for all numbers that are put into it.

    lesson: its certified steps; long: the same walk without theorems, as a student may go; worst: the largest difference seen.
    """

    lesson: Lesson
    long: Derivation
    worst: float

    @property
    def network(self) -> Network:
        return self.lesson.network

    @cached_property
    def ways(self) -> tuple[Derivation, ...]:
        """The derivation with its theorems, and without them where that is another one."""
        first = self.lesson.derivation
        return (first,) if {n: s.result for n, s in first.steps.items()} == {n: s.result for n, s in self.long.steps.items()} else (first, self.long)

    @property
    def how(self) -> str:
        """How its steps were checked."""
        proved = all(s.checked == "proved" for s in self.lesson.steps)
        return "proved" if proved else f"{AGREE} digits"


_machines: dict[Any, Machine] = {}


def machine(problem: Problem) -> Machine:
    """The proved machine of a problem's structure; proved anew only for a structure that was not seen before.

    Raises CheckError for a line that does not survive.
    """
    n = problem.network
    key = (n.equations, tuple(n.symbols.items()), n.shortcuts, n.layers, n.rows, n.ones, problem.wrt)
    if key not in _machines:
        lesson = plan(n, ("matrix", "numbers") if not n.is_scalar else ("scalar", "numbers"), wrt=problem.wrt)
        certified = certify(lesson, problem.numbers())
        _machines[key] = Machine(certified.lesson, derive(replace(n, shortcuts=())), certified.worst)
    return _machines[key]


@dataclass(frozen=True)
class Work:
    """A variant with all its numbers. keys: what is asked for; worst: the largest difference of its own check, None before it."""

    problem: Problem
    machine: Machine
    keys: tuple[Key, ...]
    values: Mapping[Any, Matrix]
    worst: float | None = None

    @property
    def network(self) -> Network:
        return self.machine.network

    @property
    def how(self) -> str:
        """How the derivation was checked."""
        return self.machine.how

    def value(self, key: Key) -> Matrix:
        """The rows of a value, gradient, Jacobian or updated parameter."""
        return self.values[key]

    @cached_property
    def sheet(self) -> Sheet:
        """The lines of the worked solution."""
        known = {k: v for k, v in self.values.items() if not (isinstance(k, tuple) and not k[0])}
        exact = {k: rows for k, m in known.items() if not isinstance(k, Expr) and k not in self.problem.leaves and (rows := exactly(m))} if self.problem.exact else {}
        return Sheet(self.problem, Certified(self.machine.lesson, known, max(self.machine.worst, self.worst or 0)), digits=4, widest=8, exact=exact,
                     between=exactly if self.problem.exact else None)

    @cached_property
    def forward_lines(self) -> list[tuple[str, TexLine, TexLine | None]]:
        """The forward pass, in symbols and in numbers."""
        return self.sheet.forward_lines()


def work(problem: Problem, keys: Iterable[Key]) -> Work:
    """All numbers of a variant, checked. Raises Rejected where a number does not exist or stands at a kink, CheckError for a wrong one."""
    return checked(unchecked(problem, keys))


def unchecked(problem: Problem, keys: Iterable[Key]) -> Work:
    """All numbers of a variant, by its proved derivation; many draws are turned down before their numbers are worth the check."""
    wanted = tuple(dict.fromkeys(keys))
    leaves = problem.numbers()
    if leaves is None and not wanted:  # shapes and counts: no number is worked out
        found = machine(problem)
        return Work(replace(problem, network=found.network), found, (), {})
    if leaves is None:
        raise SpecError("the spec of a problem needs numbers", where=problem.spec.where() if problem.spec else "")
    with mp.workdps(DIGITS):
        try:
            if kinks(problem.network, leaves):
                raise Rejected("a value stands exactly at a kink")
            found = machine(problem)
            problem = replace(problem, network=found.network)
            values = evaluated(problem, found.lesson.derivation, leaves, wanted)
        except (ArithmeticError, ValueError) as e:
            raise Rejected(f"a number does not exist ({type(e).__name__})") from None
        for key in wanted:
            if key not in values:
                raise SpecError(f"{spoken(key, problem.network)} has no number here")
    return Work(problem, found, wanted, values)


def checked(work: Work) -> Work:
    """The same work, every gradient compared with differences. Raises CheckError for a wrong one, Rejected where differences do not exist."""
    with mp.workdps(DIGITS):
        try:
            return replace(work, worst=_checked(work.problem, work.machine.lesson.derivation, work.values, work.keys))
        except (ArithmeticError, ValueError) as e:
            raise Rejected(f"a number does not exist ({type(e).__name__})") from None


def exactly(value: Matrix) -> list[list[Any]] | None:
    """The exact forms of high-precision numbers, None unless every entry has a short one: a matrix is printed in one way.

    >>> with mp.workdps(DIGITS):
    ...     exactly([[mp.mpf(3)/4, mp.log(9)/4]]), exactly([[mp.mpf(3)/4, +mp.pi]])
    ([[Fraction(3, 4), log(3)/2]], None)
    """
    rows = [[_exact(v) for v in row] for row in value]
    return rows if all(x is not None for row in rows for x in row) else None


@lru_cache(maxsize=8192)
def _exact(v: Any) -> Any:
    """A fraction, or the logarithm of one or half of it, that agrees with a number to 40 digits."""
    about = float(v)
    if not abs(about) < LARGEST_ABOVE:
        return None
    with mp.workdps(DIGITS):
        if (found := _fraction(about, lambda: v, LARGEST_BELOW)) is not None:
            return found
        for parts in (1, 2) if abs(about) < LARGEST_LOGARITHM else ():
            inside = _fraction(exp(parts * about), lambda: mp.exp(parts * v), LARGEST_INSIDE)  # noqa: B023
            if inside is not None and inside.numerator <= LARGEST_INSIDE:
                return log(Rational(inside.numerator, inside.denominator)) / parts
    return None


def _fraction(about: float, value: Callable[[], Any], largest: int) -> Fraction | None:
    """The fraction with a small denominator that a number is; value: the number at all its digits."""
    near = Fraction(about).limit_denominator(largest)
    if abs(about * near.denominator - near.numerator) > NEAR:  # most numbers are none, and a glance shows it
        return None
    return near if abs(value() * near.denominator - near.numerator) < ten(-SHARP) else None


def evaluated(problem: Problem, derivation: Derivation, leaves: Env, keys: Sequence[Key], arithmetic: Arithmetic = MP) -> dict[Any, Matrix]:
    """Every value and gradient, the Jacobians and updates that are asked for, in any arithmetic."""
    network = derivation.network
    env = forward(network, leaves, arithmetic)
    if network.symbols[network.output].shape:
        env.update(_jacobians(derivation, env, [k for k in keys if isinstance(k, tuple)], arithmetic))
        return env
    env = gradients(derivation, env, None, arithmetic)
    if any(isinstance(k, tuple) and k[0] is None for k in keys):
        after = stepping.updated(problem, derivation, env, leaves, arithmetic)
        env.update({(None, n): m for n, m in after.items()})
        env[None, network.output] = forward(network, {**leaves, **after}, arithmetic)[network.output]
    return env | {key: quantity(problem, derivation, env, key[1], arithmetic) for key in keys if isinstance(key, tuple) and key[0] == ""}


def _jacobians(derivation: Derivation, env: Env, keys: Sequence[Any], arithmetic: Arithmetic) -> dict[Any, Matrix]:
    """For an output with several entries: one row an entry of the output, one column an entry of the other."""
    rows, columns = (int(d) for d in derivation.network.symbols[derivation.network.output].shape)
    out: dict[Any, Matrix] = {key: [] for key in keys}
    for i in range(rows):
        for j in range(columns):
            seed = [[arithmetic.number(mp.mpf((p, q) == (i, j))) for q in range(columns)] for p in range(rows)]
            found = gradients(derivation, env, seed, arithmetic)
            for key in keys:
                out[key].append([v for row in found[key] for v in row])
    return out


# ---------------------------------------------------------------- the check of one variant's numbers

def _checked(problem: Problem, derivation: Derivation, values: Mapping[Any, Matrix], keys: Sequence[Key]) -> float:
    """Every gradient against central differences of the forward pass, those asked for entry by entry; the largest relative difference.

    Raises CheckError. Differences know nothing of any derivative table.
    """
    network, worst = derivation.network, mp.mpf(0)
    if not values:
        return float(worst)
    if network.symbols[network.output].shape:
        for of, wrt in (k for k in keys if isinstance(k, tuple)):
            worst = max(worst, _jacobian_checked(network, values, (of, wrt)))
        return float(worst)
    for step in derivation.steps.values():
        if step.terms:
            each = (step.of, step.wrt) in keys
            for direction in _directions(values[step.wrt], step.wrt, each=each):
                slope = _slope(network, values, step.wrt, direction)[0][0]
                worst = max(worst, _compared(inner(values[step.of, step.wrt], direction), slope, (step.of, step.wrt), network))
    for key in keys:
        if isinstance(key, tuple) and key[0] is None and key[1] in problem.moved:
            worst = max(worst, stepping.check(problem, derivation, key[1], values[key]))
        elif isinstance(key, tuple) and key[0] == "":
            worst = max(worst, checked_quantity(problem, derivation, values, key[1]))
    return float(worst)


def _slope(network: Network, values: Mapping[Any, Matrix], name: str, direction: Matrix) -> Matrix:
    reached = downstream(network, name)
    return difference(lambda m: forward(network, values, override={name: m}, only=reached)[network.output], values[name], direction)


def _directions(value: Matrix, name: str, *, each: bool) -> list[Matrix]:
    rows, columns = len(value), len(value[0])
    if not each:
        return [Draw(f"bank/{name}").matrix((rows, columns))]
    return [[[mp.mpf((i, j) == (p, q)) for j in range(columns)] for i in range(rows)] for p in range(rows) for q in range(columns)]


def _jacobian_checked(network: Network, values: Mapping[Any, Matrix], key: Any) -> Any:
    worst = mp.mpf(0)
    for k, direction in enumerate(_directions(values[key[1]], key[1], each=True)):
        column = [v for row in _slope(network, values, key[1], direction) for v in row]
        for row, slope in zip(values[key], column, strict=True):
            worst = max(worst, _compared(row[k], slope, key, network))
    return worst


def _compared(got: Any, expected: Any, key: Key, network: Network) -> Any:
    """The relative difference of two numbers. Raises CheckError beyond 30 digits."""
    error = abs(got - expected) / max(abs(got), abs(expected), mp.mpf(1))
    if not error < ten(-AGREE):
        raise CheckError(f"{spoken(key, network)} is {mp.nstr(got, 12)} by the derivation and {mp.nstr(expected, 12)} by differences; no question was made")
    return error


# ---------------------------------------------------------------- names of what is asked

def key_of(text: str, network: Network, problem: Problem) -> Key:
    """What a name of the file stands for: y_hat, dL/dW1, W1_new, L_new. Raises SpecError with the nearest name."""
    names = [*network.symbols, *network.aliases]
    if text in names:
        return network.resolve(text)
    if text in QUANTITIES:
        names_of(problem, text)
        return "", text
    if text.endswith("_new") and problem.descent is not None:
        own = [*problem.moved, network.output]
        if (name := network.resolve(text[:-4])) in own:
            return None, name
        raise SpecError(f"{text!r} is not changed by a step", hint=nearest(text, [f"{n}_new" for n in own]))
    gradients = {f"d{network.output}/d{n}": (network.output, network.resolve(n)) for n in names
                 if network.symbols[network.resolve(n)].kind not in ("target", "size", "constant") and network.resolve(n) != network.output}
    if text in gradients:
        return gradients[text]
    raise SpecError(f"{text!r} is not known here", hint=nearest(text, [*names, *gradients]))


def spoken(key: Key, network: Network) -> str:
    """A key as a person writes it."""
    return key if isinstance(key, str) else f"{key[1]}_new" if key[0] is None else "d{}/d{}".format(*key) if key[0] else key[1]


def needed(work: Work, keys: Iterable[Key]) -> list[Key]:
    """What has to be worked out for some keys, in order: values of the forward pass, gradients, updates."""
    asked = tuple(keys)
    where = ("needed", asked, tuple(work.problem.moved) if work.problem.descent else ())
    if where not in work.network.memo:
        work.network.memo[where] = _needed(work, asked)
    return list(work.network.memo[where])


def _needed(work: Work, keys: Iterable[Key]) -> list[Key]:
    derivation, network = work.machine.lesson.derivation, work.network
    forward_names, slopes = set[str](), set[str]()
    after: list[Key] = []
    for key in keys:
        if isinstance(key, str):
            forward_names.add(key)
        elif key[0] is None:
            after.append(key)
            if not (work.problem.descent and work.problem.descent.batches):  # a gradient of some examples is no step here
                slopes.update(n for n in (work.problem.moved if key[1] == network.output else [key[1]]))
        elif not key[0]:
            after.append(key)
            if not network.is_scalar or "g" in QUANTITIES[key[1]].uses:
                slopes.update(names_of(work.problem, key[1]))
        else:
            slopes.add(key[1])
    for name, step in reversed(list(derivation.steps.items())):
        if name in slopes:
            used = step.result.names if step.terms else frozenset[str]()
            forward_names |= {n for n in used if n in network.symbols}
            slopes |= {e[1] for e in _gradients_in(step.result)}
    for eq in reversed(network.equations):
        if eq.name in forward_names:
            forward_names |= eq.rhs.names
    order: list[Key] = [eq.name for eq in network.equations if eq.name in forward_names]
    order += [(s.of, n) for n, s in derivation.steps.items() if n in slopes and s.terms]
    return order + after


def _gradients_in(e: Expr) -> list[tuple[str, str]]:
    return [x.data for x in ex.walk(e) if x.op == "grad"]
