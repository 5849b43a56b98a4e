"""The steps of a certified lesson as LaTeX lines, with numbers put in: what every page and file shares.

A renderer adds layout; it never adds mathematics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import sympy as sp
from mpmath import mp

from ..decimals import Numbers, without_roles
from ..derive import Step
from ..errors import CheckError
from ..expr import ONE, Expr
from ..language.arithmetic import MP, Matrix, entries, spread_out, ten
from ..language.tree import shapes
from ..latex import Printer
from ..lectures.descent import first_step
from ..lesson import Line, Shown
from ..models.layertypes import LAYERS
from ..network import split_values
from ..problem import Problem
from ..proof.prove import SYMPY
from ..values import DIGITS, gradients
from ..verify import Certified


@dataclass(frozen=True)
class TexLine:
    """One displayed line. left: '' continues the line above; pieces: where it may be broken."""

    left: str
    right: str
    because: str = ""
    kind: str = "gradient"

    @property
    def text(self) -> str:
        """The line as one piece of LaTeX."""
        return f"{self.left} = {self.right}" if self.left else f"= {self.right}"


@dataclass(frozen=True)
class TexStep:
    """A step ready for the page. value: rows at high precision, None without numbers."""

    shown: Shown
    lines: tuple[TexLine, ...]
    numbers: tuple[TexLine, ...]
    value: Matrix | None


@dataclass(frozen=True)
class Section:
    """A part of a page beside the derivation (a table of optimizer steps, a Hessian, an errata list).

    title, said: plain text, escaped by the page; lines: displayed formulas; heads, cells: a table of LaTeX cells
    (mathematics between dollars); figure: TikZ, for slides and paper; checked: how the section was verified;
    data: its twin in the JSON file; blanks: (LaTeX name, shape) that a worksheet asks for; keys: how many columns say what a row is about.
    """

    title: str
    said: str = ""
    lines: tuple[TexLine, ...] = ()
    heads: tuple[str, ...] = ()
    cells: tuple[tuple[str, ...], ...] = ()
    figure: str = ""
    checked: str = ""
    data: Any = None
    blanks: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    keys: int = 1


class Sheet:
    """Everything that a page says about one problem.

    digits: significant digits of results; colour: paint the parts of products.
    Raises SpecError when the given numbers have no loss (the logarithm of zero, an overflow).
    """

    def __init__(self, problem: Problem, certified: Certified, *, digits: int = 4, colour: bool = False, widest: int = 6,
                 like: Sheet | None = None, exact: Mapping[Any, list[list[Any]]] | None = None,
                 between: Callable[[Matrix], list[list[Any]] | None] | None = None) -> None:
        """like: a sheet of the same problem and digits whose numbers are worked out already; exact: exact forms found elsewhere; between: finds those of numbers within a line."""
        self.between = between
        self.problem, self.certified, self.digits, self.colour, self.widest = problem, certified, digits, colour, widest
        self.lesson, self.network = certified.lesson, certified.lesson.network
        self.values = certified.values or {}
        self.scalar_network = self.lesson.scalar.network if self.lesson.scalar else self.network
        self.printer = Printer(self.network, colour=False)
        self.exact: dict[Any, list[list[Any]]] = like.exact if like else dict(exact) if exact is not None else exact_values(problem, self.lesson.derivation.steps) if problem.exact else {}
        if like is None:
            self._check_exact()
        for name, cells in problem.leaves.items():
            self.exact.setdefault(name, [[_shown_exactly(v, problem.exact) for v in row] for row in cells])
        self._scalar_values: dict[Any, Matrix] | None = like._scalar_values if like else None
        self.memo: dict[Expr, Any] = like.memo if like else {}

    def _check_exact(self) -> None:
        """Every exact form against the number that it stands for. Raises CheckError."""
        with mp.workdps(DIGITS):
            for key, rows in self.exact.items():
                for i, row in enumerate(rows if key in self.values else []):
                    for j, exact in enumerate(row):
                        value = self.values[key][i][j]
                        if exact is not None and abs(MP.number(exact) - value) > max(abs(value), ten(-30)) * ten(-40):
                            raise CheckError(f"the exact form {exact} of {key} is not {mp.nstr(value, 8)}; nothing was written")

    # ------------------------------------------------------------ numbers

    def has(self, key: Any) -> bool:
        return key in self.values

    def numbers(self, printer: Printer, *, scalar: bool = False) -> Numbers:
        if scalar and not self.network.is_scalar:
            return Numbers(printer, self.scalar_values, self.digits, None, self.widest, self.memo)
        return Numbers(printer, self.values, self.digits, self.exact, self.widest, self.memo, self.between)

    @property
    def scalar_values(self) -> dict[Any, Matrix]:
        """Values and gradients of every entry by its own name."""
        if self._scalar_values is None:
            self._scalar_values = split_values(self.network, self.values)
        return self._scalar_values

    @property
    def notes(self) -> list[str]:
        """Sentences for the top of the page: the file's own remarks, what was left out, the conventions of the layers."""
        types = dict.fromkeys(p.type for p in self.network.layers if p.type != "dense")
        return [*self.problem.notes, *self.lesson.notes, *(f"Layers of type {t}: {LAYERS[t].because[0].lower()}{LAYERS[t].because[1:]}" for t in types)]

    # ------------------------------------------------------------ the forward pass

    def forward_lines(self) -> list[tuple[str, TexLine, TexLine | None]]:
        """(name, equation in symbols, equation in numbers or None) in order."""
        out = []
        p = Printer(self.network, colour=False)
        for eq in self.network.equations:
            left = p.name(eq.name)
            symbols = TexLine(left, p(eq.rhs), shapes(eq.rhs) or ("{}×{}".format(*eq.rhs.shape) if eq.rhs.shape else ""), kind="forward")
            line = None
            if self.has(eq.name):
                with mp.workdps(DIGITS):
                    filled, result = self.numbers(p).line(eq.rhs, self.values[eq.name], self.exact.get(eq.name))
                line = TexLine(left, result if filled == result else f"{filled} = {result}", kind="numbers")
            out.append((eq.name, symbols, line))
        return out

    # ------------------------------------------------------------ the steps

    def steps(self) -> list[TexStep]:
        return [self.step(s) for s in self.lesson.steps]

    def step(self, s: Shown) -> TexStep:
        """One step as LaTeX lines."""
        with mp.workdps(DIGITS):
            return self._step(s)

    def _step(self, s: Shown) -> TexStep:
        scalar = s.level == "scalar" and not self.network.is_scalar
        p = Printer(self.scalar_network if scalar else self.network, colour=self.colour and s.level != "index")
        plain = Printer(p.network, colour=False)
        left = plain.gradient_name(s.of, s.wrt)
        lines: list[TexLine] = []
        started = False
        before: Expr | None = None
        for line in s.lines:
            shown = self._line(p, plain, s, line, left if not started else "")
            if line.kind in ("local", "jacobian") and line.lhs == before:
                shown = TexLine("", shown.right, shown.because, shown.kind)
            if not (lines and not shown.left and shown.right == lines[-1].right):  # the same line on paper
                lines.append(shown)
            before = line.lhs
            started = started or line.kind in ("gradient", "path", "index")
        value = self._value(s, scalar)
        numbers = self._number_line(p, s, value, scalar) if value is not None and "numbers" in self.lesson.levels else ()
        if lines and lines[-1].right == "0" == "".join(x.right for x in numbers):  # zero is said once
            numbers = ()
        return TexStep(s, tuple(lines), numbers, value)

    def _line(self, p: Printer, plain: Printer, s: Shown, line: Line, left: str) -> TexLine:
        if line.lhs is not None:
            return TexLine(plain(line.lhs), plain(line.rhs), line.because, line.kind)
        if line.kind == "index" and left:
            left = plain.grad(s.of, s.wrt, tuple(x for x in line.free if x))
        because = line.because
        if s.level == "matrix" and s.shape and not because.startswith("theorem"):
            because = shapes(line.rhs) or "{}×{}".format(*s.shape)
        return TexLine(left, p(line.rhs), because, line.kind)

    def _value(self, s: Shown, scalar: bool) -> Matrix | None:
        values = self.scalar_values if scalar else self.values
        return values.get((s.of, s.wrt))

    def _number_line(self, p: Printer, s: Shown, value: Matrix, scalar: bool) -> tuple[TexLine, ...]:
        expression = next((x.rhs for x in reversed(s.lines) if x.kind in ("gradient", "path")), s.source.result)
        if all(t.upstream == ONE for t in s.source.terms):  # nothing is multiplied yet, so the slope is no number by itself
            expression, p = without_roles(expression), Printer(p.network, colour=False)
        numbers = self.numbers(p, scalar=scalar)
        try:
            filled, result = numbers.line(expression, value, self.exact.get((s.of, s.wrt)) if not scalar else None)
        except KeyError:  # a value without a number stands in the expression
            return ()
        if filled == result:
            return (TexLine("", result, kind="numbers"),)
        return (TexLine("", f"{filled} = {result}", kind="numbers"),)

    # ------------------------------------------------------------ vector-valued equations

    def jacobians(self) -> dict[str, list[Matrix]]:
        """For an output that is not a single number: for each entry of it, row by row, its gradient by name.

        Empty without numbers.
        """
        network, derivation = self.network, self.lesson.derivation
        if not all(n in self.values for n, s in network.symbols.items() if s.kind != "size"):
            return {}
        rows, columns = (int(d) for d in network.symbols[network.output].shape)
        leaves = {k: v for k, v in self.values.items() if not isinstance(k, tuple)}
        found: dict[str, list[Matrix]] = {n: [] for n, s in derivation.steps.items() if s.terms}
        with mp.workdps(DIGITS):
            for i in range(rows):
                for j in range(columns):
                    seed = [[mp.mpf((p, q) == (i, j)) for q in range(columns)] for p in range(rows)]
                    env = gradients(derivation, leaves, seed)
                    for name, cells in found.items():
                        cells.append(env[network.output, name])
        return found

    # ------------------------------------------------------------ the update

    def update(self) -> Update | None:
        """New parameters and the loss after one step, when there are numbers and a learning rate."""
        p = self.problem
        names = p.moved
        if p.descent is None or self.network.symbols[self.network.output].shape or not names:
            return None
        if not all(self.has(n) for n in names) or not self.has(self.network.output):
            return None
        moment = first_step(p, self.lesson.derivation)
        return Update(moment.values, moment.loss, self.values[self.network.output][0][0], moment.gradient if moment.examples else {})


@dataclass(frozen=True)
class Update:
    """One step of the optimizer (gradient descent where none is named): new parameters, the loss after and before;
    batch: the gradients of the examples that the step used, where those are not all."""

    after: Mapping[str, Matrix]
    loss: Any
    loss_before: Any
    batch: Mapping[str, Matrix] = field(default_factory=dict)


def _shown_exactly(value: Any, exact: bool) -> Any:
    """The exact form in which a given number is printed, None where it is printed as a decimal."""
    if not isinstance(value, Fraction):
        return value
    return value if value.denominator == 1 or exact or _endless(value) else None


def _endless(value: Fraction) -> bool:
    d = value.denominator
    while d % 2 == 0:
        d //= 2
    while d % 5 == 0:
        d //= 5
    return d != 1


def exact_values(problem: Problem, steps: Mapping[str, Step]) -> dict[Any, list[list[Any]]]:
    """Exact forms of all values of a problem in which every number is exact, where they are short enough to print."""
    env: dict[Any, Any] = {n: [[SYMPY.number(v) for v in row] for row in cells] for n, cells in problem.leaves.items()}
    env.update({node: [[SYMPY.number(v)]] for node, v in problem.known.items()})
    if sum(len(c) * len(c[0]) for c in env.values()) > 60:
        return {}
    lines = [(eq.name, eq.rhs) for eq in problem.network.equations] + [((s.of, k), s.result) for k, s in steps.items()]
    shapes = {eq.name: eq.rhs.shape for eq in problem.network.equations} | {(s.of, k): s.shape for k, s in steps.items()}
    for key, rhs in lines:
        try:
            env[key] = spread_out([[_settled(v) for v in row] for row in entries(rhs, env, SYMPY)], shapes[key])
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return {k: [[_short(v) for v in row] for row in rows] for k, rows in env.items() if not isinstance(k, Expr)}


def _settled(v: Any) -> Any:
    return sp.nsimplify(v) if v.is_Rational else v


def _short(v: Any) -> Any:
    """An exact form worth printing: a rational with a small denominator, or a single root or logarithm."""
    if v.is_Rational:
        return Fraction(int(v.p), int(v.q)) if v.q <= 10_000 and abs(v.p) < 10**9 else None
    plain = all(isinstance(f, sp.log) for f in v.atoms(sp.Function)) and not v.has(sp.exp, sp.Piecewise)
    return v if plain and sp.count_ops(v) <= 3 and v.is_finite else None
