"""What is asked of a point beyond its gradient: the Hessian, its eigenvalues, slope and curvature along a direction.

Each is a few equations in the language itself, over the gradient g, the Hessian H and the direction v of the spec, so that the same rows
give its value in any arithmetic, its lines, and what a wrong gradient or a wrong equation makes of it.

>>> from ..reading.specfile import build as spec
>>> from ..problem import build
>>> from .worked import work
>>> w = work(build(spec({"equations": {"f": "x**2*y"}, "at": {"x": 3, "y": 4}, "hessian": ["x", "y"], "direction": {"x": 3, "y": 4}})), [("", "hessian"), ("", "slope")])
>>> [[int(v) for v in row] for row in w.value(("", "hessian"))], int(w.value(("", "slope"))[0][0]*5)
([[8, 6], [6, 0]], 108)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mpmath import mp

from ..derive import Derivation
from ..errors import SpecError
from ..language.arithmetic import MP, Arithmetic, Env, Matrix
from ..lectures.second import Twice, checked_hessian, close, curvature, differentiated_again, leaves_of, output_at, second_difference, size_of
from ..network import Network, from_equations
from ..problem import Problem
from ..values import difference, forward


@dataclass(frozen=True)
class Point:
    """A function at a point, for checks that know nothing of derivatives: its output as a function of all places, and the unit direction."""

    twice: Twice
    leaves: Env
    unit: list[Any]

    def slope(self, u: Sequence[Any]) -> Any:
        f, at = output_at(self.twice, self.leaves), self.twice.flat(self.leaves)
        return difference(lambda m: [[f([x + m[0][0] * d for x, d in zip(at, u, strict=True)])]], [[mp.mpf(0)]], [[mp.mpf(1)]])[0][0]

    def steepest(self) -> Any:
        count = len(self.twice.places())
        return mp.norm([self.slope([mp.mpf(i == k) for i in range(count)]) for k in range(count)])

    def newton(self) -> list[Any]:
        """Where a step of Newton's method leads, by differences and a general solver."""
        at = self.twice.flat(self.leaves)
        g = mp.matrix([self.slope([mp.mpf(i == k) for i in range(len(at))]) for k in range(len(at))])
        return [x - d for x, d in zip(at, mp.lu_solve(mp.matrix(checked_hessian(self.twice, self.leaves)), g), strict=True)]

    def eigenvalues(self) -> list[Any]:
        hessian = checked_hessian(self.twice, self.leaves)
        return list(curvature(hessian, self.twice.gradient(self.leaves), size_of(forward(self.twice.base, self.leaves))).values)


@dataclass(frozen=True)
class Wrong:
    """A mistake in one of the equations: what stands there, and what a marker writes."""

    name: str
    put: Mapping[str, str]
    said: str


@dataclass(frozen=True)
class Quantity:
    """One thing to ask. uses: which of g, H, v and the point p; equations: from these; answer: the names of its entries; because: reasons, by name; check: a second opinion."""

    say: str
    symbol: str
    uses: str
    equations: Mapping[str, str]
    answer: tuple[str, ...]
    check: Callable[[Point], list[Any]]
    because: Mapping[str, str]
    wrong: tuple[Wrong, ...] = ()


_UNSCALED = Wrong("direction-unscaled", {"u": "v"}, "The direction was not scaled to length 1.")
_SCALED = {"u": "the direction at length 1"}

QUANTITIES: dict[str, Quantity] = {
    "hessian": Quantity("Compute the Hessian matrix.", "H", "H", {}, (),
                        lambda p: [v for row in checked_hessian(p.twice, p.leaves) for v in row], {}),
    "eigenvalues": Quantity("Compute the eigenvalues of the Hessian, the smaller one first.", r"\lambda", "H",
                            {"m": "trace(H)/2", "d": "sqrt(m**2 - det(H))", "lambda1": "m - d", "lambda2": "m + d"},
                            ("lambda1", "lambda2"), Point.eigenvalues, {"m": "the mean of the eigenvalues", "d": "half their distance"},
                            (Wrong("root-of-eigenvalues", {"d": "m**2 - det(H)"}, "The root was not taken."),
                             Wrong("trace-whole", {"m": "trace(H)"}, "The trace was not halved."),
                             Wrong("diagonal-of-hessian", {"d": "sqrt(m**2 - H[0,0]*H[1,1])"}, "These are the entries on the diagonal; the mixed derivative counts too."))),
    "newton": Quantity("Take one step of Newton's method.", r"p_{\text{new}}", "gHp",
                       {"d1": "(H[1,1]*g[0] - H[0,1]*g[1])/det(H)", "d2": "(H[0,0]*g[1] - H[1,0]*g[0])/det(H)", "n1": "p[0] - d1", "n2": "p[1] - d2"}, ("n1", "n2"), Point.newton,
                       {"d1": "from H d = g", "n1": "the step is subtracted"},
                       (Wrong("gradient-for-newton", {"n1": "p[0] - g[0]", "n2": "p[1] - g[1]"}, "The gradient itself was subtracted; it has to be divided by the Hessian."),
                        Wrong("newton-added", {"n1": "p[0] + d1", "n2": "p[1] + d2"}, "The step was added; it is subtracted."),
                        Wrong("diagonal-alone", {"d1": "g[0]/H[0,0]", "d2": "g[1]/H[1,1]"}, "Each entry was divided by its own second derivative; the mixed one counts too."))),
    "slope": Quantity("Compute the directional derivative.", "D", "gv", {"u": "v/norm(v)", "D": "dot(g, u)"}, ("D",), lambda p: [p.slope(p.unit)],
                      {**_SCALED, "D": "the gradient along it"}, (_UNSCALED,)),
    "curvature": Quantity("Compute the second derivative along the direction.", "k", "Hv", {"u": "v/norm(v)", "k": "dot(u, H @ u)"}, ("k",),
                          lambda p: [second_difference(output_at(p.twice, p.leaves), p.twice.flat(p.leaves), p.unit, p.unit)],
                          {**_SCALED, "k": "the curvature along it"}, (_UNSCALED,)),
    "steepest": Quantity("Compute the length of the gradient.", r"\|g\|", "g", {"r": "norm(g)"}, ("r",), lambda p: [p.steepest()], {"r": "the length of the gradient"},
                         (Wrong("squares-not-rooted", {"r": "norm(g)**2"}, "The root was not taken."),)),
}


def names_of(problem: Problem, name: str) -> tuple[str, ...]:
    """The variables that a quantity is about. Raises SpecError where the spec does not say."""
    wanted = problem.wanted
    names = wanted.hessian or tuple(wanted.direction)
    if not names or ("v" in QUANTITIES[name].uses and not wanted.direction):
        raise SpecError(f"{name!r} needs a key in the spec", hint="as in hessian: [x, y] and direction: {x: 3, y: 4}")
    if len(QUANTITIES[name].answer) == 2 and sum(1 for _ in _places(problem.network, names)) != 2:
        raise SpecError(f"{name} is asked for of two numbers only", hint="name two in hessian: [x, y]")
    return names


def _places(network: Network, names: Sequence[str]) -> list[tuple[str, int, int]]:
    return Twice(network, network, tuple(names), {}).places()


MOST_SEEN = 64  # derivations kept, so that memory does not grow with an exam
_seen: dict[int, tuple[Derivation, Twice]] = {}


def twice_of(derivation: Derivation, names: tuple[str, ...]) -> Twice:
    """The derivation differentiated again, once."""
    found = _seen.get(id(derivation))
    if found is None or found[0] is not derivation or found[1].wrt != names:
        if len(_seen) >= MOST_SEEN:
            _seen.clear()
        found = _seen[id(derivation)] = derivation, differentiated_again(derivation, names)
    return found[1]


def given(problem: Problem, derivation: Derivation, env: Env, name: str, arithmetic: Arithmetic = MP) -> dict[str, Matrix]:
    """The gradient, the Hessian and the direction at a point, in any arithmetic, as far as a quantity uses them."""
    names, zero = names_of(problem, name), arithmetic.number(0)
    places, output = _places(derivation.network, names), derivation.network.output
    out, uses = dict[str, Matrix](), QUANTITIES[name].uses
    if "g" in uses:
        out["g"] = [[env[output, n][i][j] if (output, n) in env else zero] for n, i, j in places]
    if "p" in uses:
        out["p"] = [[env[n][i][j]] for n, i, j in places]
    if "v" in uses:
        out["v"] = [[arithmetic.number(x)] for x in _direction(problem, places)]
    if "H" in uses:
        out["H"] = twice_of(derivation, names).hessian(leaves_of(derivation.network, env), arithmetic)
    return out


def _direction(problem: Problem, places: Sequence[tuple[str, int, int]]) -> list[Any]:
    along = problem.wanted.direction
    return [along[n][i][j] if n in along else 0 for n, i, j in places]


def equations(name: str, start: Mapping[str, Matrix], put: Mapping[str, str] | None = None) -> Network:
    """The equations of a quantity as a network, with those that are put in place of its own."""
    return from_equations({n: (put or {}).get(n, e) for n, e in QUANTITIES[name].equations.items()}, {n: (len(m), len(m[0])) for n, m in start.items()})


def quantity(problem: Problem, derivation: Derivation, env: Env, name: str, arithmetic: Arithmetic = MP, put: Mapping[str, str] | None = None) -> Matrix:
    """A quantity at a point where values and gradients are known; put: wrong equations."""
    start = given(problem, derivation, env, name, arithmetic)
    if not QUANTITIES[name].equations:  # the Hessian itself
        return start["H"]
    found = forward(equations(name, start, put), start, arithmetic)
    return [found[n][0] for n in QUANTITIES[name].answer]


def checked(problem: Problem, derivation: Derivation, values: Env, name: str) -> Any:
    """A quantity against first or second differences of the forward pass, the largest difference. Raises CheckError."""
    names = names_of(problem, name)
    twice = twice_of(derivation, names)
    v = [MP.number(x) for x in _direction(problem, twice.places())]
    point = Point(twice, leaves_of(derivation.network, values), [x / (mp.norm(v) or 1) for x in v])
    got = [x for row in values["", name] for x in row]
    scale = size_of(values, *got)
    worst = mp.mpf(0)
    for x, y in zip(got, QUANTITIES[name].check(point), strict=True):
        close(x, y, scale, name)
        worst = max(worst, abs(x - y) / max(abs(x), mp.mpf(1)))
    return worst
