r"""Our trees in the house notation: one printer, for every page.

Superscript the layer, subscript the unit; the error signal dL/dz of a layer is written delta;
a sum runs over indices; a matrix of a batch takes the capital.

>>> from .layers import stack
>>> from .network import LayerPlan
>>> net = stack(("x", 2), "y", [LayerPlan(2, "sigmoid"), LayerPlan(1)], "half_squared_error")
>>> show = Printer(net)
>>> show(net.equations[0].rhs)
'W^{(1)} x + b^{(1)}'
>>> show(net.equations[-1].rhs)
'\\frac{1}{2}(\\hat{y} - y)^{2}'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache

from . import expr as ex, index
from .expr import Expr, Shape
from .functions import FUNCTIONS, VECTOR_FUNCTIONS
from .language.tree import signed
from .network import Network, Symbol
from .pages.texparts import ATOM, around, number, parens

GREEK = frozenset("alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi "
                  "chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split())
ACCENTS = {"hat": r"\hat", "bar": r"\bar", "tilde": r"\tilde", "dot": r"\dot"}
COLOURS = ("fOne", "fTwo", "fThree", "fFour", "fFive")
RELATION = {">": ">", ">=": r"\ge", "<": "<", "<=": r"\le"}
ADD, NEG, MUL, POW = 1, 2, 3, 5


@lru_cache(maxsize=4096)
def letter(name: str) -> tuple[str, str]:
    """A name as the board writes it: (letter, subscript).

    >>> letter("y_hat"), letter("x12"), letter("theta_0"), letter("speed")
    (('\\\\hat{y}', ''), ('x', '12'), ('\\\\theta', '0'), ('\\\\mathit{speed}', ''))
    """
    stem, *rest = name.split("_")
    accent = ""
    if rest and rest[-1] in ACCENTS:
        accent = ACCENTS[rest.pop()]
    digits = stem[len(stem.rstrip("0123456789")):]
    stem = stem[:len(stem) - len(digits)]
    stem = "lambda" if stem == "lam" else stem  # lambda itself is a word of Python
    body = "\\" + stem if stem in GREEK else stem if len(stem) == 1 else rf"\mathit{{{stem}}}"
    subscript = ",".join([digits] * bool(digits) + [s if len(s) == 1 or s.isdigit() else rf"\mathit{{{s}}}" for s in rest if s])
    return (f"{accent}{{{body}}}" if accent else body), subscript


def matrix_like(shape: Shape) -> bool:
    """Whether a value has more than one row and more than one column."""
    return bool(shape) and all(d != 1 for d in shape)


class Printer:
    """Writes trees of one network as LaTeX.

    colour: 'roles' paints the parts of a gradient (error signal, slope, weight, input), '' nothing.
    """

    def __init__(self, network: Network, symbols: Mapping[str, Symbol] | None = None, *, colour: bool = False) -> None:
        self.network, self.colour = network, colour
        self.symbols = symbols if symbols is not None else network.symbols
        self._in_sum = False
        self._reach: dict[str, frozenset[str]] = {}
        self.bar = bool(network.symbols[network.output].shape)
        self.straight = not network.layers and all(len(eq.rhs.names) == 1 for eq in network.equations)
        self.decimal = not network.layers and any(e.op == "num" and e.role == "decimal" for eq in network.equations for e in ex.walk(eq.rhs))

    def __call__(self, e: Expr) -> str:
        return self.show(e, 0)

    # ------------------------------------------------------------ names

    def symbol(self, s: Symbol, sub: Sequence[str] = (), *, transposed: bool = False) -> str:
        """A named value; sub: running indices, transposed: with the transpose in the superscript."""
        body, own = letter(s.base or s.name)
        if not s.as_written and not s.index and not sub and (matrix_like(s.shape) or (s.base == "w" and s.shape)):
            body = body[:-2] + body[-2].upper() + "}" if body.startswith("\\hat{") else body.upper() if len(body) == 1 else body
        below = [own] if own else []
        places = [str(i + 1) for i in s.index] + list(sub)
        below.append((",".join if any(len(p) > 1 for p in places) else "".join)(places))
        above = (f"({s.layer})" if s.layer is not None else "") + (r"\top" if transposed else "")
        return body + (f"^{{{above}}}" if above else "") + (f"_{{{','.join(b for b in below if b)}}}" if any(below) else "")

    def name(self, name: str, sub: Sequence[str] = (), *, transposed: bool = False) -> str:
        return self.symbol(self.symbols[name], sub, transposed=transposed)

    def grad(self, of: str, wrt: str, sub: Sequence[str] = (), *, transposed: bool = False) -> str:
        """dL/dv, or delta for the error signal of a layer."""
        s = self.symbols[wrt]
        if self.bar:
            return rf"\bar{{{self.symbol(s, sub, transposed=transposed)}}}"
        if self.network.layers and s.base.split("_")[0] == "z":
            delta = Symbol(s.name, s.shape, base="delta" + s.base[1:], layer=s.layer, index=s.index)
            return self.symbol(delta, sub, transposed=transposed)
        out = self.fraction(self.name(of), self.symbol(s, sub))
        return rf"\left({out}\right)^{{\top}}" if transposed else out

    def gradient_name(self, of: str, wrt: str) -> str:
        """The left side of a step: dL/dv, and delta = dL/dz where delta is introduced."""
        plain = self.fraction(self.name(of), self.name(wrt)) if not self.bar else self.grad(of, wrt)
        short = self.grad(of, wrt)
        return plain if short == plain else f"{short} = {plain}"

    def fraction(self, above: str, below: str) -> str:
        d = "d" if self.straight else r"\partial "
        return rf"\frac{{{d}{above}}}{{{d}{below}}}"

    # ------------------------------------------------------------ trees

    def show(self, e: Expr, least: int) -> str:
        """A tree as LaTeX, in brackets where it binds less than ``least``; painted once, as a whole."""
        hue = self.hue(e) if self.colour else ""
        if hue:
            self.colour = False
        body, precedence = self._show(e)
        if precedence < least:
            body = parens(body)
        if not hue:
            return body
        self.colour = True
        if e.op == "partial" and not (e.role or ":").endswith(":") and ":" in (e.role or ""):
            return rf"\fac{{{hue}}}{{{body}}}{{{self._part(e)}}}"
        return rf"\hl{{{hue}}}{{{body}}}"

    def _part(self, e: Expr) -> str:
        """The word under a factor of a path."""
        word = (e.role or "").split(":", 1)[1]
        if word.startswith("slope "):
            name = word[6:]
            return f"${FUNCTIONS[name].tex}'$" if name in FUNCTIONS and FUNCTIONS[name].prime else "slope"
        return word

    def hue(self, e: Expr) -> str:
        """The colour of a part of a gradient, '' for none: one per factor of a path, else one per part."""
        if e.role not in (None, "decimal") and e.op != "mul":
            place = e.role.split(":")[0]
            return COLOURS[int(place) % len(COLOURS)] if place.isdigit() else COLOURS[1]
        leaf = e.args[0] if e.op in ("T", "entry") and e.args[0].op in ("sym", "grad") else e
        if leaf.op == "grad":
            return COLOURS[0]
        if leaf.op == "sym" and leaf.data in self.symbols:
            kind = self.symbols[leaf.data].kind if e.op != "sym" or not self._in_sum else ""
            return COLOURS[2] if kind == "parameter" else COLOURS[3] if kind in ("input", "value") and self.network.layers else ""
        return ""

    def _show(self, e: Expr) -> tuple[str, int]:
        method = getattr(self, f"_{e.op}", None)
        if method is None:
            raise ValueError(f"no LaTeX for {e.op!r}")
        out = method(e)
        return out if isinstance(out, tuple) else (out, ATOM)

    def _sym(self, e: Expr) -> str:
        return self.name(e.data)

    def _grad(self, e: Expr) -> str:
        return self.grad(*e.data)

    def _partial(self, e: Expr) -> str:
        """du/dv; where u reaches v by other ways too, it says what is held fixed."""
        u, v = e.data[:2]
        plain = self.fraction(self.name(u), self.name(v))
        held = self._held(u, v)
        return rf"\left.{plain}\right|_{{{','.join(map(self.name, held))}}}" if held else plain

    def _held(self, u: str, v: str) -> list[str]:
        if self.network.plain_stack:
            return []  # its layers never skip one
        return [n for n in sorted(self.network.equation(u).rhs.names - {v}) if v in self._below(n)]

    def _below(self, name: str) -> frozenset[str]:
        """Every name that a value depends on."""
        if name not in self._reach:
            own = next((eq.rhs.names for eq in self.network.equations if eq.name == name), frozenset())
            self._reach[name] = own.union(*(self._below(n) for n in own))
        return self._reach[name]

    def _num(self, e: Expr) -> tuple[str, int]:
        return number(e.data, decimal=self.decimal or e.role == "decimal"), NEG if isinstance(e.data, Fraction) and e.data < 0 else ATOM

    def _ones(self, e: Expr) -> str:
        rows, columns = e.shape
        return r"\mathbf{1}" if columns == 1 else r"\mathbf{1}^{\top}" if rows == 1 else r"\mathbf{1}\mathbf{1}^{\top}"

    def _eye(self, e: Expr) -> str:
        return r"\mathbf{I}"

    def _diag(self, e: Expr) -> str:
        return r"\operatorname{diag}" + parens(self.show(e.args[0], 0))

    def _grid(self, e: Expr) -> str:
        """Entries written out, row by row."""
        shown, wide = [self.show(x, 0) for x in e.args], int(e.shape[1])
        return r"\begin{bmatrix}" + r" \\ ".join(" & ".join(shown[k:k + wide]) for k in range(0, len(shown), wide)) + r"\end{bmatrix}"

    def _matrix(self, e: Expr) -> str:
        """A function of a whole matrix: a sign of its own, or a word before brackets."""
        return around(e.data, lambda least: self.show(e.args[0], least))

    def _add(self, e: Expr) -> tuple[str, int]:
        before, self._in_sum = self._in_sum, True  # the bare terms of a sum play no part of their own
        out = self.show(e.args[0], NEG)
        for t in e.args[1:]:
            minus, inner = signed(t)
            out += (" - " if minus else " + ") + self.show(inner, MUL if minus else NEG)
        self._in_sum = before
        return out, ADD

    def _neg(self, e: Expr) -> tuple[str, int]:
        return "-" + self.show(e.args[0], 0 if self._is_sum(e.args[0]) else MUL), NEG

    def _is_sum(self, e: Expr) -> bool:
        return e.op == "bigsum" or (e.op == "sum" and e.data is None)

    def _mul(self, e: Expr) -> tuple[str, int]:
        before, self._in_sum = self._in_sum, False
        factors = list(e.args)
        lead = factors[0] if factors[0].op == "num" and isinstance(factors[0].data, Fraction) else None
        quotient = next((f for f in factors[1:] if f.op == "div"), None) if lead is not None and not self.decimal else None
        if lead is not None and quotient is not None:  # 1/2 * (y/x) is y/(2x) on paper
            above = ex.mul(ex.num(lead.data.numerator), quotient.args[0])
            below = _times_number(lead.data.denominator, quotient.args[1])
            factors = [f if f is not quotient else Expr("div", (above, below), None, quotient.shape, quotient.role) for f in factors[1:]]
        if len(factors) == 1:
            self._in_sum = before
            return self.show(factors[0], MUL), MUL
        first = factors[0]
        out = self._log(first) if first.op == "call" and first.data == "log" else self.show(first, MUL)
        for i in range(1, len(factors)):
            last = i == len(factors) - 1
            right = self.show(factors[i], 0 if last and self._is_sum(factors[i]) else MUL)
            if not last and factors[i].op == "call" and factors[i].data == "log":
                right = self._log(factors[i])  # a factor follows: where ln ends must be plain
            entrywise = factors[i].shape and any(f.shape for f in factors[:i])
            between = r" \odot " if entrywise else self._between(factors[i - 1], factors[i])
            out += (between or " " * (out[-1].isalpha() and right[0].isalpha())) + right  # never pi and r run together
        self._in_sum = before
        return out, MUL

    def _between(self, a: Expr, b: Expr) -> str:
        """The sign between two factors: a dot only where juxtaposition would mislead."""
        if _leading_number(b) or (a == b and a.op == "sym"):
            return r" \cdot "
        if a.op == "num":
            return "" if b.op != "div" else r" \cdot "
        if _tall(a, self) or _tall(b, self):
            return r" \cdot " if not (a.op == "div" and b.op in ("bigsum", "sum", "add", "pow", "sym")) else r"\,"
        return r"\,"

    def _div(self, e: Expr) -> str:
        return rf"\frac{{{self.show(e.args[0], 0)}}}{{{self.show(e.args[1], 0)}}}"

    def _pow(self, e: Expr) -> tuple[str, int]:
        base, n = e.args
        least = ATOM if base.op != "call" or base.data in ("exp", "sqrt", "log", "identity") else 0
        body = self.show(base, least)
        if base.op in ("sym", "entry") and "^" in body or base.op in ("grad", "partial", "apply", "div", "matrix") or (base.op == "num" and "frac" in body):
            body = parens(body)
        return f"{body}^{{{self.show(n, 0)}}}", POW

    def _matmul(self, e: Expr) -> tuple[str, int]:
        left, right = e.args
        a = self.show(left, MUL) if left.op == "matmul" else self.show(left, ATOM if left.op != "pow" else POW)
        b = self.show(right, ATOM)
        return f"{a} {b}" if not b.startswith("\\mathbf") else rf"{a}\, {b}", MUL

    def _T(self, e: Expr) -> str:
        (x,) = e.args
        if x.op == "sym":
            return self.name(x.data, transposed=True)
        if x.op == "grad":
            return self.grad(*x.data, transposed=True)
        if x.op == "matrix" and x.data == "inv":
            return self._matrix(x).removesuffix("^{-1}") + r"^{-\top}"
        return rf"{self.show(x, 0) if x.op == 'over' else parens(self.show(x, 0))}^{{\top}}"

    def _call(self, e: Expr) -> tuple[str, int] | str:
        inner = [self.show(a, 0) for a in e.args]
        match e.data:
            case "exp": return f"e^{{{inner[0]}}}", POW
            case "sqrt": return rf"\sqrt{{{inner[0]}}}"
            case "abs": return rf"\left|{inner[0]}\right|"
            case "identity": return inner[0], self._show(e.args[0])[1]
            case "xlogx": return rf"{self.show(e.args[0], POW)} {FUNCTIONS['log'].tex}{' ' + inner[0] if e.args[0].op in ('sym', 'entry', 'num') else parens(inner[0])}", MUL
        if e.data in ("max", "min") and e.args[0].op == "call" and e.args[0].data == e.data:  # max(max(a, b), c) is max(a, b, c)
            inner[0] = self.show(e.args[0], 0)[len(FUNCTIONS[e.data].tex) + 1:-1]
        tex = FUNCTIONS[e.data].tex
        if e.data == "log" and e.args[0].op in ("sym", "entry", "num"):
            return rf"{tex} {inner[0]}", MUL
        return tex + parens(", ".join(inner))

    def _log(self, e: Expr) -> str:
        body = FUNCTIONS["log"].tex + parens(self.show(e.args[0], 0))
        hue = self.hue(e) if self.colour else ""
        return rf"\hl{{{hue}}}{{{body}}}" if hue else body

    def _apply(self, e: Expr) -> str:
        return letter(e.data)[0] + parens(self.show(e.args[0], 0))

    def _slope(self, e: Expr) -> str:
        name = e.data[0]
        tex = FUNCTIONS[name].tex if name in FUNCTIONS else letter(name)[0]
        return f"{tex}'" + parens(", ".join(self.show(a, 0) for a in e.args))

    def _over(self, e: Expr) -> str:
        return VECTOR_FUNCTIONS[e.data[0]].tex + parens(self.show(e.args[0], 0))

    def _pick(self, e: Expr) -> str:
        name, k = e.data
        shown = [self.show(a, 0) for a in e.args]
        inner = ", ".join(shown if len(shown) <= 4 else [*shown[:2], r"\dots", shown[-1]])
        return rf"{VECTOR_FUNCTIONS[name].tex}_{{{k + 1}}}" + parens(inner)

    def _cases(self, e: Expr) -> str | tuple[str, int]:
        if len(e.data) == 1 and e.args[2] == ex.ONE and e.args[3] == ex.ZERO:
            return rf"\mathbf{{1}}[{self(e.args[0])} {RELATION[e.data[0]]} {self(e.args[1])}]"
        if len(e.data) == 2 and e.args[2] == ex.ZERO == e.args[6] and e.args[0] == e.args[3] and e.data == ("<=", "<"):
            where = rf"\mathbf{{1}}[{self(e.args[1])} < {self(e.args[0])} < {self(e.args[4])}]"
            return (where, ATOM) if e.args[5] == ex.ONE else (rf"{self.show(e.args[5], MUL)}\,{where}", MUL)
        if e.data == (">", "<") and e.args[0] == e.args[3] and [e.args[k] for k in (1, 4, 2, 5, 6)] == [ex.ZERO, ex.ZERO, ex.ONE, ex.num(-1), ex.ZERO]:
            return rf"\operatorname{{sign}}{parens(self(e.args[0]))}"
        rows = [f"{self(e.args[3 * i + 2])} & {self(e.args[3 * i])} {RELATION[s]} {self(e.args[3 * i + 1])}" for i, s in enumerate(e.data)]
        return r"\begin{cases}" + r" \\ ".join([*rows, rf"{self(e.args[-1])} & \text{{otherwise}}"]) + r"\end{cases}"

    def _sum(self, e: Expr) -> tuple[str, int]:
        if e.data is None:
            return self._show(index.entry(e, None, None))
        inner = self.show(e.args[0], ATOM)
        return (rf"\mathbf{{1}}^{{\top}} {inner}" if e.data == 0 else rf"{inner}\, \mathbf{{1}}"), MUL

    def _most(self, e: Expr) -> str:
        where = "" if e.data is None else "_{\\text{%s}}" % ("rows" if e.data == 0 else "columns")
        return (r"\max" if e.op == "most" else r"\min") + where + parens(self.show(e.args[0], 0))

    _least = _most

    def _moved(self, e: Expr) -> tuple[str, int]:
        return self.moved(e, [self.show(a, 0 if e.op == "concat" else ATOM) for a in e.args])

    _take = _put = _concat = _slide = _moved

    def moved(self, e: Expr, shown: Sequence[str]) -> tuple[str, int]:
        """A slice, a block matrix or a convolution, given its arguments as LaTeX."""
        how, first = e.data, shown[0]
        if e.op == "concat":
            return r"\begin{bmatrix}" + (r" \ " if how == 0 else " & ").join(shown) + r"\end{bmatrix}", ATOM
        if e.op == "slide":
            below = ",".join([f"s={how.stride}"] * (how.stride > 1) + [f"p={how.padding}"] * (how.padding > 0))
            star = r"\star" + (r"^{\top}" if how.gives == "x" else "") + (f"_{{{below}}}" if below else "")
            return f"{shown[0]} {star} {shown[1]}" if how.gives != "x" else f"{shown[1]} {star} {shown[0]}", MUL
        if how.word:
            return rf"\operatorname{{{how.word}}}" + (r"^{\top}" if e.op == "put" else "") + self._round(first), ATOM
        if e.op == "put":
            return rf"\operatorname{{put}}_{{{how.label}}}" + self._round(first), ATOM
        return (first if "_" not in first and r"\left" not in first else parens(first)) + f"_{{{how.label}}}", ATOM

    def _round(self, body: str) -> str:
        return body if body.startswith(("(", r"\left(")) and body.endswith(")") else parens(body)

    def _onehot(self, e: Expr) -> str:
        """The indicator of the largest (smallest) entry."""
        x = self.show(e.args[0], ATOM)
        return rf"\mathbf{{1}}_{{\text{{first}}}}[{x} = {self._most(Expr(e.data[0], e.args, e.data[1]))}]"

    # ------------------------------------------------------------ index level

    def _entry(self, e: Expr) -> str:
        (x,) = e.args
        if x.op == "sym":
            return self.name(x.data, e.data)
        if x.op == "grad":
            of, wrt = x.data
            return self.grad(of, wrt, e.data)
        if not e.data:  # a single value has no index
            return self.show(x, ATOM)
        body = self.show(x, 0)
        return rf"{body if x.op in ('eye', 'over') else parens(body)}_{{{''.join(e.data)}}}"

    def _bigsum(self, e: Expr) -> tuple[str, int]:
        letters = ",".join(x for x, _ in e.data)
        return rf"\sum_{{{letters}}} {self.show(e.args[0], NEG)}", NEG

    def _best(self, e: Expr) -> str:
        word = r"\max" if e.data[0] == "most" else r"\min"
        return rf"{word}_{{{','.join(x for x, _ in e.data[1])}}} {self.show(e.args[0], ATOM)}"

    def _local(self, e: Expr) -> str:
        (u, at), (v, of) = e.data
        return self.fraction(self.name(u, at), self.name(v, of))

    def _first(self, e: Expr) -> str:
        """The indicator of the first best entry along an index."""
        op, k, _, own = e.data
        return rf"\mathbf{{1}}\Bigl[{own} = \operatorname*{{arg\,{'max' if op == 'most' else 'min'}}}_{{{k}}} {self.show(e.args[0], ATOM)}\Bigr]"

    def _same(self, e: Expr) -> str:
        return r"\mathbf{1}[%s = %s]" % e.data

    def _diff(self, e: Expr) -> tuple[str, int]:
        d = "d" if self.straight else r"\partial"
        return rf"\frac{{{d}}}{{{d} {self.name(e.data)}}}\left[{self.show(e.args[0], 0)}\right]", MUL


def _times_number(n: int, e: Expr) -> Expr:
    return e if n == 1 else Expr("mul", (ex.num(n), *(e.args if e.op == "mul" else (e,))), None, e.shape)


def _leading_number(e: Expr) -> bool:
    """Whether a factor starts with a digit on paper."""
    while e.op in ("mul", "pow", "bigsum") and e.args:
        e = e.args[0]
    return e.op == "num" and isinstance(e.data, Fraction)


def _tall(e: Expr, printer: Printer) -> bool:
    """Whether a factor is a fraction on paper."""
    if e.op == "entry":
        e = e.args[0]
    if e.op == "grad":
        return not printer.grad(*e.data).startswith(("\\delta", "\\bar"))
    return e.op in ("partial", "local", "div", "diff")
