r"""Numbers as a person writes them, and lines of numbers that multiply out as printed.

A result is shown at the asked digits. The factors of a line get the fewest digits with which
the printed product rounds to the printed result: ``2.00 x 0.20 = 0.39`` never happens.

>>> decimal(mp.mpf("0.59326999210718"), 4), decimal(mp.mpf("0.5"), 4), decimal(mp.mpf("0.000012345678"), 4)
('0.5933', '0.5', '1.235\\cdot 10^{-5}')
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from math import floor, log10
from typing import Any

from mpmath import mp

from . import expr as ex
from .expr import Expr
from .functions import FUNCTIONS
from .language.arithmetic import MP, Matrix, entries, ten
from .language.takes import MOVES
from .language.tree import signed
from .latex import COLOURS, MUL, NEG, POW, Printer
from .pages.texparts import around, number, parens

_DECIMAL = re.compile(r"-?(10\^\{-?\d+\}|[\d.]+(\\cdot 10\^\{-?\d+\})?)")
_TIE = mp.mpf(10) ** -30  # what the arithmetic may have lost on an exact tie
MOST_DIGITS = 24
MOST_TERMS = 6  # a sum over more entries than this has dots
MOST_SUMMED = 200  # and beyond this it is one number
SMALL, LARGE = -4, 7  # powers of ten outside which a number is written with one


def decimal(value: Any, digits: int) -> str:
    """A real number at so many significant digits; an exact short decimal keeps no zeros.

    0.5 stays 0.5, a rounded 0.59999 becomes 0.6000: the zeros say that it was rounded.
    """
    if value == 0:
        return "0"
    sign, value = ("-", -value) if value < 0 else ("", value)
    power = leading(value)
    scaled = value * ten(digits - 1 - power)
    whole = int(mp.floor(scaled + mp.mpf(1) / 2 + _TIE))  # a tie is rounded up, as students do
    if whole >= 10**digits:  # 0.99996 -> 1.000
        whole, power = whole // 10, power + 1
    exact = abs(scaled - mp.nint(scaled)) < ten(-20)
    if not SMALL < power < LARGE:
        head = _point(whole, digits - 1)
        head = _bare(head) if exact else head
        return sign + (rf"{head}\cdot " if head != "1" else "") + f"10^{{{power}}}"
    places = digits - 1 - power
    if places < 0:  # more digits before the point than asked: whole numbers are never cut
        return sign + str(int(mp.nint(value)))
    text = _point(whole, places)
    return sign + (_bare(text) if exact else text)


def leading(value: Any) -> int:
    """The power of ten of the leading digit of a positive number (floats first: a logarithm in high precision is slow)."""
    near = float(value)
    power = floor(log10(near)) if 1e-300 < near < 1e300 else int(mp.floor(mp.log10(value)))
    return power + (value >= ten(power + 1)) - (value < ten(power))


def _point(whole: int, places: int) -> str:
    text = f"{whole:0{places + 1}d}"
    return text[:-places] + "." + text[-places:] if places else text


def _bare(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_back(text: str) -> Any:
    """The number that a printed decimal says, at working precision.

    >>> read_back("-1.235\\\\cdot 10^{-5}") == mp.mpf("-1.235e-5"), read_back("-10^{-5}") == mp.mpf("-1e-5")
    (True, True)
    """
    plain = re.sub(r"^(-?)10\^", r"\g<1>1\\cdot 10^", text)
    return mp.mpf(re.sub(r"\\cdot 10\^\{(-?\d+)\}", r"e\1", plain))


class Numbers:
    """Prints lines of numbers for one network.

    values: names and gradients (of, wrt) at high precision; exact: exact forms where there are any
    (rows of Fractions, SymPy numbers or None); memo: lines worked out before, for a page that
    shows the same line at several widths; between: finds the exact forms of numbers that have no name, such
    as a slope a(1 - a).
    """

    def __init__(self, printer: Printer, values: Mapping[Any, Matrix], digits: int,
                 exact: Mapping[Any, list[list[Any]]] | None = None, widest: int = 6, memo: dict[Expr, Any] | None = None,
                 between: Callable[[Matrix], list[list[Any]] | None] | None = None) -> None:
        self.printer, self.values, self.digits = printer, values, digits
        self.memo = memo if memo is not None else {}
        self.exact, self.between = exact or {}, between
        self.widest = widest
        self._in_sum = False

    # ------------------------------------------------------------ single values

    def value(self, key: Any, *, transposed: bool = False) -> str:
        """The printed value of a name or a gradient: a number or a matrix."""
        shown = self.cells(key)
        return matrix(list(map(list, zip(*shown, strict=True))) if transposed else shown, self.widest)

    def cells(self, key: Any) -> list[list[str]]:
        """The printed entries of a value."""
        exact = self.exact.get(key)
        return [[self.cell(v, exact[i][j] if exact else None) for j, v in enumerate(row)] for i, row in enumerate(self.values[key])]

    def cell(self, value: Any, exact: Any = None) -> str:
        return number(exact) if exact is not None else decimal(value, self.digits)

    # ------------------------------------------------------------ a line of numbers

    def line(self, e: Expr, target: Matrix, exact: list[list[Any]] | None = None) -> tuple[str, str]:
        """(substituted, result): the expression with numbers put in, and what it comes to.

        target: the value of the expression at high precision; exact: its exact form if known.
        """
        if e not in self.memo:
            shown = [[self.cell(v, exact[i][j] if exact else None) for j, v in enumerate(row)] for i, row in enumerate(target)]
            filled = self._fill(e)
            digits = self.digits
            while digits < MOST_DIGITS and not self._multiplies_out(filled, target, shown, digits):
                digits += 1
            self.memo[e] = filled, digits, shown
        filled, digits, shown = self.memo[e]
        if digits >= MOST_DIGITS:  # nothing printable multiplies out, so only the result is shown
            return matrix(shown, self.widest), matrix(shown, self.widest)
        result = matrix(shown, self.widest)
        if (filled.op == "num" and filled.data == 0) or filled.op == "val" and matrix(self._cells(filled, digits), self.widest) == result:
            return result, result
        return self._show(filled, digits, 0), result

    def _multiplies_out(self, filled: Expr, target: Matrix, shown: list[list[str]], digits: int) -> bool:
        """Whether what is printed on the left, computed, rounds to what is printed on the right."""
        with mp.workdps(40):
            try:
                got = entries(self._rounded(filled, digits), {}, MP)
            except ArithmeticError:  # rounded to so few digits a matrix has no inverse
                return False
            if len(got) == 1 == len(got[0]):
                got = [[got[0][0]] * len(target[0]) for _ in target]
            for i, row in enumerate(target):
                for j, value in enumerate(row):
                    if not self._agrees(got[i][j], value, shown[i][j]):
                        return False
        return True

    def _agrees(self, got: Any, value: Any, shown: str) -> bool:
        if not _DECIMAL.fullmatch(shown):  # an exact form such as \frac{3}{4}
            return bool(abs(got - value) <= abs(value) * ten(-self.digits))
        if value == 0:
            return bool(abs(got) < ten(-self.digits))
        significant = max(self.digits, len(re.sub(r"\\cdot.*|\^.*|[-.]", "", shown).lstrip("0")))
        return read_back(decimal(got, significant)) == read_back(shown)

    def _fill(self, e: Expr) -> Expr:
        """Put numbers in: names become values, and the parts that belong together (a slope, one local
        derivative) become one number."""
        if e.role is not None and e.role != "decimal" and e.op != "num" and not (self.between and e.op == "call" and e.args[0].op == "sym"):
            return self._block([e])  # in exact numbers e^2 stays e^2 wherever it stands
        if e.op in ("sym", "grad"):
            return Expr("val", (), (self._key(e), self.values[self._key(e)], self.exact.get(self._key(e))), e.shape, e.role)
        if e.op == "T" and e.args[0].op in ("sym", "grad"):
            inner = self._fill(e.args[0])
            key, value, exact = inner.data
            return Expr("val", (), (key, _turned(value), _turned(exact) if exact else None), e.shape)
        if e.op == "mul":
            return Expr("mul", tuple(self._grouped(e.args)), None, e.shape)
        if e.op == "div" and e.args[1].op == "matrix":
            return Expr(e.op, (self._fill(e.args[0]), self._block([e.args[1]])), e.data, e.shape)
        if e.op == "take" and not e.data.word and e.args[0].op == "sym":
            return self._block([e])  # x_2 is a number by itself
        if e.op == "add":  # sums of sums need no brackets
            filled = [(a.op, self._fill(a)) for a in e.args]
            return Expr("add", tuple(x for op, f in filled for x in (f.args if op == "sum" and f.op == "add" and f.data is None else (f,))), e.data, e.shape)
        if e.op in ("neg", "matmul", "div", "T", "matrix", *MOVES):
            return Expr(e.op, tuple(map(self._fill, e.args)), e.data, e.shape)
        if e.op == "pow" and e.args[1].op in ("num", "sym"):
            return Expr(e.op, tuple(map(self._fill, e.args)), e.data, e.shape)
        if e.op in ("num", "ones", "eye"):
            return e
        if e.op == "sum" and e.data is None and (terms := self._terms(e.args[0])):
            return terms
        if e.op == "call" and e.data == "xlogx":
            return self._fill(Expr("mul", (e.args[0], Expr("call", e.args, "log", e.shape)), None, e.shape))
        if e.op == "call" and len(e.args) == 1:
            return Expr(e.op, (self._fill(e.args[0]),), e.data, e.shape)
        return self._block([e])

    def _terms(self, e: Expr) -> Expr | None:
        """A sum over the entries of a tree, written out, or with dots where it is long; None where that cannot be. In exact numbers every sum can."""
        rows, columns = (int(d) for d in e.shape)
        written = e.op in ("mul", "pow", "sym", "grad", "neg", "add")
        if rows * columns > MOST_SUMMED or not (written or self.between):
            return None
        filled = self._fill(e) if written else self._block([e])
        if not all(x.op in ("val", "num") or x.op in ex.ENTRYWISE for x in ex.walk(filled)):
            return None  # an entry of a matrix product is not the product of two entries
        terms = tuple(self._without_zeros(_cell(filled, i, j)) for i in range(rows) for j in range(columns))
        return Expr("add", terms, "dots" if len(terms) > MOST_TERMS else None)

    def _without_zeros(self, e: Expr) -> Expr:
        """A sum without its products with 0, such as (1 - y) ln(1 - p) where y is 1; e is one entry, filled in."""
        if e.op != "add":
            return e
        kept = [t for t in e.args if (inner := signed(t)[1]).op != "mul" or
                all(entries(self._rounded(f, MOST_DIGITS), {}, MP)[0][0] != 0 for f in inner.args if f.op in ("val", "add"))]
        return e if not kept else kept[0] if len(kept) == 1 else Expr("add", tuple(kept), e.data, e.shape, e.role)

    def _grouped(self, factors: tuple[Expr, ...]) -> list[Expr]:
        """Neighbouring factors with the same role are one number: a(1 - a) is a slope."""
        out: list[Expr] = []
        run: list[Expr] = []
        for f in factors:
            if run and f.role is not None and f.role == run[-1].role:
                run.append(f)
                continue
            out += self._run(run)
            run = [f]
        return out + self._run(run)

    def _run(self, run: list[Expr]) -> list[Expr]:
        return [] if not run else [self._fill(run[0])] if len(run) == 1 else [self._block(run)]

    def _block(self, factors: list[Expr]) -> Expr:
        e = factors[0] if len(factors) == 1 else Expr("mul", tuple(factors), None, ex.common_shape("mul", factors))
        key = self._key(e) if e.op in ("sym", "grad") else None
        value = entries(e, self.values, MP)
        exact = self.exact.get(key) if key is not None else self.between(value) if self.between else None
        return Expr("val", (), (key, value, exact), e.shape, factors[0].role)

    def _key(self, e: Expr) -> Any:
        return e.data

    def _rounded(self, e: Expr, digits: int) -> Expr:
        if e.op == "val":
            key, value, exact = e.data
            cells = [[value[i][j] if exact and exact[i][j] is not None else read_back(decimal(v, digits)) for j, v in enumerate(row)]
                     for i, row in enumerate(value)]
            return Expr("val", (), cells, e.shape)
        return Expr(e.op, tuple(self._rounded(a, digits) for a in e.args), e.data, e.shape) if e.args else e

    # ------------------------------------------------------------ LaTeX of a filled tree

    def _show(self, e: Expr, digits: int, least: int) -> str:
        body, precedence = self._body(e, digits)
        body = parens(body) if precedence < least else body
        if e.op == "val" and self.printer.colour:
            hue = self._hue(e)
            return rf"\hl{{{hue}}}{{{body}}}" if hue else body
        return body

    def _hue(self, e: Expr) -> str:
        key = e.data[0]
        if e.role is not None:
            return self.printer.hue(Expr("val", (), None, (), e.role))
        if isinstance(key, tuple):
            return COLOURS[0]
        return self.printer.hue(ex.sym(key)) if key is not None and not self._in_sum else ""

    def _cells(self, e: Expr, digits: int) -> list[list[str]]:
        _, value, exact = e.data
        return [[number(exact[i][j]) if exact and exact[i][j] is not None else decimal(v, digits) for j, v in enumerate(row)]
                for i, row in enumerate(value)]

    def _body(self, e: Expr, digits: int) -> tuple[str, int]:
        before = self._in_sum
        if e.args:
            self._in_sum = e.op == "add"  # as in the printer: bare terms of a sum play no part of their own
        try:
            return self._formula(e, digits)
        finally:
            self._in_sum = before

    def _formula(self, e: Expr, digits: int) -> tuple[str, int]:
        match e.op:
            case "val":
                cells = self._cells(e, digits)
                lone = len(cells) == 1 == len(cells[0])
                return matrix(cells, self.widest), _binding(cells[0][0]) if lone else 9
            case "add":
                out = self._show(e.args[0], digits, NEG)
                for t in e.args[1:] if e.data is None else (e.args[1], None, e.args[-1]):
                    if t is None:
                        out += r" + \cdots"
                        continue
                    minus, inner = signed(t)
                    if inner.op == "val" and not inner.shape and inner.data[1][0][0] < 0 and not minus:
                        minus, inner = True, _negated(inner)
                    out += (" - " if minus else " + ") + self._show(inner, digits, MUL)
                return out, 1
            case "neg":
                return "-" + self._show(e.args[0], digits, MUL), NEG
            case "mul":
                return self._product(e, digits), MUL
            case "matmul":
                # (A o B) C keeps its brackets: it is not A o (B C)
                return self._show(e.args[0], digits, MUL if e.args[0].op == "matmul" else POW) + r"\, " + self._show(e.args[1], digits, POW), MUL
            case "div":
                return rf"\frac{{{self._show(e.args[0], digits, 0)}}}{{{self._show(e.args[1], digits, 0)}}}", 9
            case "pow":
                base = self._show(e.args[0], digits, 9)
                return f"{parens(base) if e.args[0].op == 'div' else base}^{{{self._show(e.args[1], digits, 0)}}}", 5
            case "T":
                return rf"\left({self._show(e.args[0], digits, 0)}\right)^{{\top}}", 9
            case "call":
                return self._call(e, digits)
            case op if op in MOVES:
                return self.printer.moved(e, [self._show(a, digits, 9 if e.op != "concat" else 0) for a in e.args])
            case "matrix":
                return around(e.data, lambda least: self._show(e.args[0], digits, least)), 9
        return self.printer(e), 9 if not (e.op == "num" and isinstance(e.data, Fraction) and e.data < 0) else NEG

    def _product(self, e: Expr, digits: int) -> str:
        parts = [self._show(f, digits, MUL if i == 0 else MUL if f.op == "mul" else NEG + 1) for i, f in enumerate(e.args)]
        signs = [r" \odot " if b.shape and any(a.shape for a in e.args[:i]) else r" \cdot " for i, b in enumerate(e.args[1:], 1)]
        return parts[0] + "".join(s + p for s, p in zip(signs, parts[1:], strict=True))

    def _call(self, e: Expr, digits: int) -> tuple[str, int]:
        inner = self._show(e.args[0], digits, 0)
        match e.data:
            case "exp": return f"e^{{{inner}}}", 5
            case "sqrt": return rf"\sqrt{{{inner}}}", 9
            case "abs": return rf"\left|{inner}\right|", 9
            case "identity": return self._body(e.args[0], digits)
        return FUNCTIONS[e.data].tex + parens(inner), 9


def _binding(text: str) -> int:
    """How tightly a printed number binds: 1 + sqrt(2) and -3 need brackets in a product, 1/2 under a power."""
    outside = text
    while "{" in outside:
        shorter = re.sub(r"\{[^{}]*\}", "", outside)
        if shorter == outside:
            break
        outside = shorter
    if re.search(r"\S\s*[+-]", outside.replace("^-", "")):
        return 1
    return NEG if text.startswith("-") else MUL if "\\" in text else POW if "^" in text else 9


def _negated(e: Expr) -> Expr:
    """A filled number with its sign turned, for a sum that subtracts it."""
    key, value, exact = e.data
    return Expr("val", (), (key, [[-value[0][0]]], [[-exact[0][0] if exact[0][0] is not None else None]] if exact else None), (), e.role)


def _cell(e: Expr, i: int, j: int) -> Expr:
    """One entry of a filled entrywise tree."""
    if e.op == "val":
        key, value, exact = e.data
        lone = not e.shape
        return Expr("val", (), (key, [[value[0][0] if lone else value[i][j]]], [[(exact[0][0] if lone else exact[i][j])]] if exact else None), (), e.role)
    return Expr(e.op, tuple(_cell(a, i, j) for a in e.args), e.data, (), e.role)


def without_roles(e: Expr) -> Expr:
    """A tree in which nothing is a part of a chain of slopes; numbers keep how they are printed."""
    return Expr(e.op, tuple(map(without_roles, e.args)), e.data, e.shape, e.role if e.op == "num" else None)


def _turned(rows: list[list[Any]]) -> list[list[Any]]:
    return [list(c) for c in zip(*rows, strict=True)]


def matrix(cells: list[list[str]], widest: int) -> str:
    """Printed entries as a number or a matrix; more than ``widest`` rows or columns are left out by dots."""
    if len(cells) == 1 == len(cells[0]):
        return cells[0][0]
    keep_rows, keep_columns = _kept(len(cells), widest), _kept(len(cells[0]), widest)
    rows = []
    for i in keep_rows:
        if i is None:
            rows.append(" & ".join(r"\vdots" if j is not None else r"\ddots" for j in keep_columns))
        else:
            rows.append(" & ".join(cells[i][j] if j is not None else r"\cdots" for j in keep_columns))
    air = r" \\[5pt] " if any(r"\frac" in row for row in rows) else r" \\ "  # fractions one below the other would touch
    return r"\begin{bmatrix}" + air.join(rows) + r"\end{bmatrix}"


def _kept(count: int, widest: int) -> list[int | None]:
    return list(range(count)) if count <= widest else [*range(widest - 2), None, count - 1]

