"""How wide and how high TeX will set a formula, without running TeX.

Pages break their formulas into lines by these numbers, so a formula judged to fit must fit.  pylatexenc reads
the LaTeX; the layout then follows the rules of TeX (The TeXbook, appendix G) with the metrics of Latin Modern,
so the result is TeX's own to a fraction of a point.  `check` is also the test that a formula is well formed.

>>> [round(width(f), 1) for f in ("x+y", "-x", r"\\pd{L}{w_1}", r"\\sum_{i=1}^{n} x_i")]
[25.4, 14.8, 21.4, 25.9]
>>> round(height(r"\\pd{L}{w_1}"), 1)
24.2
>>> check(r"\\frac{a}{b")
Traceback (most recent call last):
ValueError: malformed LaTeX at position 10: Unexpected end of stream, was expecting '}'
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from math import ceil
from typing import Any, NamedTuple, cast

from pylatexenc.latexwalker import LatexWalker, LatexWalkerParseError
from pylatexenc.macrospec import EnvironmentSpec, LatexContextDb, MacroSpec

__all__ = ["check", "height", "width"]

# Glyphs: @font.class, #height,depth, then name=width[,width in the small design][,italic], in 1/1000 em.
_METRICS = """
@lmmi.Ord #683,0 A=750,924 B=759,927,50 C=715,884,72 D=828,998,28 E=738,900,58 F=643,775,139 G=786,953 H=831,1000,81
I=440,548,78 J=555,682,96 K=849,1026,72 L=681,846 M=970,1162,109 N=803,967,109 O=763,934,28 P=642,780,139
R=759,922,8 S=613,757,58 T=584,731,139 U=683,838,109 V=583,730,222 W=944,1151,139 X=828,1001,78 Y=581,726,222
Z=683,838,72 #683,194 Q=791,966 #431,0 a=529,675 c=433,559 e=466,589 m=878,1094 n=600,770 o=485,612 r=451,580,28
s=469,584 u=572,737 v=485,625,36 w=716,893,27 x=572,698 z=465,596,44 alpha=640,805,4 epsilon=406,523 iota=354,466
kappa=576,726 nu=494,622,64 pi=570,727,36 sigma=571,717,36 tau=437,582,113 upsilon=540,690,36 omega=622,780,36
varepsilon=466,587 varpi=828,1022,28 imath=322,446 #694,0 b=429,548 d=520,642 h=576,726 k=521,661,31 l=298,402,20
delta=444,566,38 theta=469,590,28 lambda=583,736 vartheta=591,751 partial=531,659,56 ell=417,519 #694,194
f=490,601,108 beta=566,698,53 zeta=438,572,74 xi=438,572,46 phi=596,742 psi=651,819,36 #431,194 g=477,608,36
p=503,642 q=446,571,36 y=490,633,36 gamma=518,652,56 eta=497,644,36 mu=603,750 rho=517,639 chi=626,767
varrho=517,639 varphi=654,812 #660,0 i=345,446 #660,194 j=412,512,57 #615,0 t=361,477 #431,97 varsigma=363,488,80
#106,0 .=278,380 #750,250 /=500,639 @lmmi.Rel #539,39 <=778,963 >=778,963 @lmmi.Punct #106,194 ,=278,380 @lmr.Ord
#630,0 0=500,611 1=500,611 2=500,611 3=500,611 4=500,611 5=500,611 6=500,611 7=500,611 8=500,611 9=500,611 #689,0
Gamma=625,754 Theta=778,935 Xi=667,806 Pi=750,896 Sigma=722,870 Upsilon=778,935 Phi=722,870 Psi=778,935
Omega=722,870 #716,0 Delta=833,1000 Lambda=694,832 @lmr.Open #750,250 (=389,482 [=278,352,5 @lmr.Close #750,250
)=389,482 ]=278,352 #689,0 !=278,352 ?=472,579 @lmr.Bin #583,83 +=778,935 @lmr.Rel #381,0 ==778,935 #431,0 :=278,352
@lmr.Punct #431,194 ;=278,352 @lmr.text #689,0 A=750,896 B=708,851 C=722,870 D=764,916 E=681,818 F=653,786 G=785,942
H=750,896 I=361,443 J=514,624 K=778,929 L=625,754 M=917,1091 N=750,896 O=778,935 P=681,818 R=736,883,24 S=556,676
T=722,870 U=750,896 V=750,896,8 W=1028,1220,9 X=750,896,4 Y=750,896,16 Z=611,741 b=556,676 d=556,676 f=306,384,79
h=556,676,7 k=528,643,11 l=278,352,5 '=278,352 `=278,352 @=778,935 &=778,935 "=472,579 #689,194 Q=778,935 #=833,1000
#431,0 a=500,611,11 c=444,546 e=444,546 m=833,1000,7 n=556,676,7 o=500,611 r=392,482 s=394,488 u=556,676,7
v=528,643,8 w=722,870,9 x=528,643,16 z=444,546 #431,194 g=500,611,13 p=556,676 q=528,643,27 y=528,643,8 #630,0
i=278,352 t=389,482 #630,194 j=306,384 #242,0 -=333,417 #750,0 *=500,611 #750,250 /=500,611 #750,56 %=833,1000
$=500,611 #106,0 .=278,352 #106,194 ,=278,352 #492,194 <=278,352 >=472,579 @lmsy.Bin #583,83 -=778,963 times=778,963
div=778,963 pm=778,963 mp=778,963 oplus=778,963 otimes=778,963 odot=778,963 #444,-56 cdot=278,380 circ=500,639
bullet=500,639 #465,-35 *=500,639 #556,0 cup=667,833 cap=667,833 wedge=667,833 vee=667,833 #750,250 setminus=500,639
@lmsy.Rel #464,-36 equiv=778,963 simeq=778,963 #636,136 subseteq=778,963 supseteq=778,963 leq=778,963 geq=778,963
#367,-133 sim=778,963 leftarrow=1000,1222 rightarrow=1000,1222 leftrightarrow=1000,1222 Leftarrow=1000,1222
Rightarrow=1000,1222 Leftrightarrow=1000,1222 #483,-17 approx=778,963 #539,39 subset=778,963 supset=778,963
ll=1000,1222 gg=1000,1222 in=667,833 ni=667,833 #431,0 propto=778,963 #750,250 mid=278,380 parallel=500,639
@lmsy.Ord #556,0 prime=275,366 #431,0 infty=1000,1222 neg=667,833 #694,0 forall=556,704 exists=556,704 top=778,963
bot=778,963 #750,56 emptyset=500,639 #40,960 surd=833,1000 #683,0 nabla=833,1028 #750,250 |=278,380 Vert=500,639
#694,194 dagger=444,574 @lmsy.Open #750,250 lfloor=444,574 lceil=444,574 lbrace=500,639 langle=389,509 @lmsy.Close
#750,250 rfloor=444,574 rceil=444,574 rbrace=500,639 rangle=389,509 @lmsy.cal #683,0 A=798,990 B=657,813,30
C=527,678,58 D=771,961,28 E=528,671,89 F=719,880,99 H=845,1059,10 I=545,709,74 K=762,939,14 L=690,855 M=1201,1427
N=820,1006,147 O=796,973,28 P=696,878,82 R=848,1061 S=606,762,75 T=545,711,254 U=626,774,99 V=613,785,82
W=988,1223,82 X=713,884,146 Z=725,884,79 #683,97 G=595,747,59 J=678,846,185 Q=817,1008 Y=668,824,82 @lmbx.bold
#686,0 A=869,1029 B=818,974 C=831,994 D=882,1049 E=756,900 F=724,862 G=904,1077 H=900,1065 I=436,506 J=594,711
K=901,1066 L=692,825 M=1092,1290 N=900,1065 O=864,1032 P=786,936 R=862,1019,23 S=639,768 T=800,957 U=885,1047
V=869,1029 W=1189,1404,3 X=869,1029 Y=869,1029,7 Z=703,844 b=639,768 d=639,768 f=351,431,113 h=639,768,4 i=319,393
k=607,731,8 l=319,393,1 Gamma=692,825 Delta=958,1143 Theta=894,1068 Lambda=806,954 Xi=767,918 Pi=900,1065
Sigma=831,994 Upsilon=894,1068 Phi=831,994 Psi=894,1068 Omega=831,994 #686,194 Q=864,1032 j=351,431 #433,0
a=559,675,22 c=511,618 e=527,634 m=958,1143,4 n=639,768,4 o=575,694 r=474,571 s=454,551 u=639,768,4 v=607,731,1
w=831,994,2 x=607,731,6 z=511,618 #433,194 g=575,694,11 p=639,768 q=607,731,22 y=607,731,1 #653,0 t=447,544
0=575,694 1=575,694 2=575,694 3=575,694 4=575,694 5=575,694 6=575,694 7=575,694 8=575,694 9=575,694 #653,132
+=894,1068 @msbm.bb #689,0 A=722 B=667 C=722 D=722 E=667 F=611 G=778 H=778 I=389 K=778 L=667 M=944 N=722 P=611 R=722
S=556 T=667 U=722 V=722 W=1000 X=722 Y=722 Z=667 #689,167 J=500 O=778 Q=778
@lmsy.Rel #716,215 neq=778,1000 notin=667,889 #589,0 cong=778,1000 coloneqq=989,1270 #511,11 mapsto=1000,1278
longrightarrow=1638,2056 #525,24 Longrightarrow=1638,2056 iff=2450,3000 implies=2230,2700
@lmsy.Open #750,250 lvert=278,398 lVert=500,676 @lmsy.Close #750,250 rvert=278,398 rVert=500,676
"""
# Other design sizes: width10 + t * (small - width10) + c, with (t, c) by font and size; exact to 0.005 em.
_DESIGNS: dict[str, dict[int, tuple[float, float]]] = {
    "lmmi": {5: (1.49, 28.3), 6: (1, 0), 7: (0.646, -3.9), 8: (0.375, -20), 9: (0.168, -9.1), 12: (-0.125, 5.8)},
    "lmr": {5: (1.5, 14), 6: (1, 0), 7: (0.643, -2), 8: (0.375, -10.4), 9: (0.167, -4.6), 12: (-0.125, 3.5)},
    "lmsy": {5: (1.5, 27.8), 6: (1, 0), 7: (0.643, -4), 8: (0.375, -20.8), 9: (0.167, -9.3)},
    "lmbx": {5: (1.5, 5.6), 6: (1, 0), 7: (0.643, -4), 8: (0.375, -6.9), 9: (0.167, -3.1), 12: (-0.128, 2.7)}}
# Font dimensions of lmsy: quad, num1 num2, denom1 denom2, sup1 sup2 sup3, sub1 sub2, sup drop, sub drop.
_SIGMA = {5: (1472, 925, 387, 1025, 532, 504, 404, 294, 200, 400, 494, 100),
          6: (1278, 813, 392, 864, 429, 503, 420, 287, 167, 333, 412, 83),
          7: (1171, 732, 384, 752, 344, 503, 431, 286, 143, 286, 353, 71),
          8: (1063, 696, 409, 749, 392, 415, 353, 285, 125, 250, 396, 63),
          9: (1028, 647, 410, 678, 339, 480, 425, 287, 111, 176, 352, 56),
          10: (1000, 677, 394, 686, 345, 413, 363, 289, 150, 247, 386, 50)}
# Kerns in 1/1000 em: the amount, then first letters:second letters.
_ROMAN = """-28 A:CGOQUcdeoqtu DO:AVWXY FVWX:CGOQ K:CGQow Py:aeo R:CGOQUtuvwy T:y a:vwy bop:vwxy c:hk hmn:btuvwy
kv:ceo t:wy u:w w:aceo -83 A:TYwy FVW:acdegmnoprsuvwyz K:v LR:TY P:,A TY:Aacdegnoprsuvwxz e:V hkmn:VW y:,
-111 A:VWv FVW:A LR:VW 28 I:I ag:j bop:cdejoq -56 v:a"""
_ITALIC = """-56 rNXCTfjKHMSZ:., UFPJKHMSZ:/ d:Z /:AMNZ -111 UFPJ:., d:j VWY:/ /:,.j -83 NX:/ -28 CT:/ 56 d/:Y
-167 d/:f VWY:.,"""
# The larger delimiters of lmex (a fixed 10 points): 1.2, 1.8, 2.4, 3.0 em high, then extensible.
_FENCES = {"( )": "458 597 736 792 875", "[ ]": "417 472 528 583 667", "lbrace rbrace": "583 667 750 806 889",
           "lfloor rfloor lceil rceil": "472 528 583 639 667", "langle rangle": "472 611 750 806 806",
           "/": "578 811 1044 1278 1278", "| lvert rvert": "333 333 333 333 333",
           "Vert lVert rVert": "556 556 556 556 556", "surd": "1000 1000 1000 1000 1056"}
_GROWN = {name: [int(w) / 100 for w in ws.split()] for names, ws in _FENCES.items() for name in names.split()}
# Operators of lmex: width and italic in text style, then in display style, and the two total heights.
_BIG = dict.fromkeys(("sum",), (1056, 0, 1444, 0, 1000, 1600)) | dict.fromkeys(
    ("prod", "coprod"), (944, 0, 1278, 0, 1000, 1600)) | dict.fromkeys(
    ("int", "oint"), (472, 194, 556, 444, 1111, 2222)) | dict.fromkeys(
    ("bigcup", "bigcap", "bigvee", "bigwedge"), (833, 0, 1111, 0, 1000, 1600)) | dict.fromkeys(
    ("bigoplus", "bigotimes", "bigodot"), (1111, 0, 1511, 0, 1000, 1600))
_NAMED = set("arg cos cosh cot deg dim exp hom ker lg ln log sec sin sinh tan tanh".split())
_LIMITS = set("det gcd inf lim max min Pr sup".split())
_ACCENTS = dict.fromkeys("tilde bar dot ddot check breve".split(), 630) | dict.fromkeys(
    "hat vec acute grave widehat widetilde".split(), 750)
_ALPHABETS = {"mathrm": "lmr", "mathbf": "lmbx", "mathcal": "lmsy", "mathbb": "msbm", "boldsymbol": "lmmib",
              "bm": "lmmib", "mathit": "lmmi", "mathnormal": "lmmi", "mathsf": "lmbx", "operatorname": "lmr"}
_ALIAS = {"le": "leq", "ge": "geq", "ne": "neq", "to": "rightarrow", "gets": "leftarrow", "ast": "*", "lnot": "neg",
          "land": "wedge", "lor": "vee", "{": "lbrace", "}": "rbrace", "lbrack": "[", "rbrack": "]", "vert": "|",
          "perp": "bot", "|": "Vert", "colon": ":", "longmapsto": "longrightarrow", "varnothing": "emptyset"}
_CLASSES = ("Ord", "Op", "Bin", "Rel", "Open", "Close", "Punct", "Inner")
_ORD, _OP, _BIN, _REL, _OPEN, _CLOSE, _PUNCT, _INNER = range(8)
# Space between neighbours by class: 2 thin, 1 thin, 3 medium, 4 thick, of which only 2 also in scripts.
_GAPS = "02340001 22*40001 33**3**3 44*04004 00*00000 02340001 11*11111 12341011".split()
_SPACES = {",": 3, "thinspace": 3, "!": -3, "negthinspace": -3, ":": 4, ">": 4, ";": 5, "thickspace": 5}  # in mu
_EMS = {" ": 1 / 3, "~": 1 / 3, "nobreakspace": 1 / 3, "enspace": 0.5, "quad": 1.0, "qquad": 2.0}
_STYLES = {"displaystyle": 0, "textstyle": 2, "scriptstyle": 4, "scriptscriptstyle": 6}
_MATRICES = {"matrix": ("", ""), "pmatrix": ("(", ")"), "bmatrix": ("[", "]"), "Bmatrix": ("lbrace", "rbrace"),
             "vmatrix": ("|", "|"), "Vmatrix": ("Vert", "Vert"), "cases": ("lbrace", "."), "array": ("", ""),
             "aligned": ("", ""), "gathered": ("", ""), "split": ("", "")}
_SCRIPTS = ((19, 14.4, 12), (16, 12, 10), (13, 10, 7), (10.5, 8, 6), (9.5, 7, 5), (7.5, 6, 5), (0, 5, 5))
_TEXT_SIZES = {"tiny": 0.55, "scriptsize": 0.731, "footnotesize": 0.83, "small": 0.92, "normalsize": 1.0}
_IGNORED = set("nonumber notag hline relax strut mathstrut allowbreak nobreak".split())
_ARITY = dict.fromkeys((*_ACCENTS, *_ALPHABETS, *"""sqrt text mbox textrm textbf textit overline underline underbrace
    overbrace phantom hphantom vphantom smash mathclap mathrlap mathllap boxed mk color substack mathop mathbin
    mathrel mathord mathopen mathclose mathpunct mathinner""".split()), 1) | dict.fromkeys(
    "frac tfrac dfrac pd hl textcolor overset underset stackrel".split(), 2) | {"fac": 3}
_FENCED = re.compile(r"(big|Big|bigg|Bigg)([lrm]?)$")
_UNITS = {"pt": 1.0, "mm": 2.845, "cm": 28.45, "em": 10.95, "ex": 4.72, "bp": 1.004, "in": 72.27}
_LENGTH = re.compile(r"(-?\d*\.?\d+)(pt|mm|cm|em|ex|bp|in)")
_CONTEXT = LatexContextDb()
_CONTEXT.set_unknown_macro_spec(MacroSpec(""))
_CONTEXT.set_unknown_environment_spec(EnvironmentSpec(""))


def _read_metrics() -> tuple[dict[tuple[str, str], tuple[int, ...]], dict[str, tuple[int, str]]]:
    """All glyphs by font and name, and the class and font of each symbol."""
    glyphs: dict[tuple[str, str], tuple[int, ...]] = {}
    symbols: dict[str, tuple[int, str]] = {}
    font, kind, extent = "", "", [0, 0]
    for token in _METRICS.split():
        if "=" not in token[1:]:
            if token[0] == "@":
                font, kind = token[1:].split(".")
            else:
                extent = [int(n) for n in token[1:].split(",")]
            continue
        name, _, numbers = token.rpartition("=")
        wide, small, italic = ([*map(int, numbers.split(",")), 0, 0])[:3]
        glyphs[font, name] = (wide, small or wide, *extent, italic)
        if kind in _CLASSES:
            symbols[name] = _CLASSES.index(kind), font
    return glyphs, symbols


def _read_kerns(text: str) -> dict[str, int]:
    """Kerns by pair of letters."""
    kerns, amount = {}, 0
    for token in text.split():
        if re.fullmatch(r"-?\d+", token):
            amount = int(token)
        else:
            first, second = token.split(":", 1)
            kerns.update({a + b: amount for a in first for b in second})
    return kerns


_GLYPHS, _SYMBOLS = _read_metrics()
_KERNS = {"lmr": _read_kerns(_ROMAN), "lmbx": _read_kerns(_ROMAN), "lmmi": _read_kerns(_ITALIC)}


class Box(NamedTuple):
    """A finished piece: width, height above and depth below the line, in points."""

    w: float = 0.0
    h: float = 0.0
    d: float = 0.0


class _Item(NamedTuple):
    """One token of mathematics: "c"haracter, "m"acro, "g"roup or "e"nvironment, with its place."""

    kind: str
    value: Any
    pos: int


class _Atom:
    """A nucleus with its class and its scripts; `glyph` if it is a single character."""

    __slots__ = ("box", "char", "glyph", "italic", "kind", "limits", "sub", "sup")

    def __init__(self, kind: int, box: Box, italic: float = 0.0, glyph: tuple[str, str] | None = None,
                 limits: bool = False) -> None:
        self.kind, self.box, self.italic, self.glyph, self.limits = kind, box, italic, glyph, limits
        self.char = glyph is not None
        self.sup: Box | None = None
        self.sub: Box | None = None


def _bad(pos: int, what: str) -> ValueError:
    return ValueError(f"malformed LaTeX at position {pos}: {what}")


def _items(nodes: Iterable[Any]) -> list[_Item]:
    """The tokens of a list of pylatexenc nodes."""
    items: list[_Item] = []
    for node in nodes:
        name = type(node).__name__
        if name == "LatexCharsNode":
            items += [_Item("c", c, node.pos + i) for i, c in enumerate(node.chars) if not c.isspace()]
        elif name == "LatexMacroNode":
            items.append(_Item("m", node.macroname, node.pos))
        elif name == "LatexGroupNode":
            items.append(_Item("g", node.nodelist, node.pos))
        elif name == "LatexEnvironmentNode":
            items.append(_Item("e", node, node.pos))
        else:
            raise _bad(node.pos, "a comment, or mathematics inside mathematics")
    return items


class _Reader:
    """Tokens taken one by one, and arguments as TeX takes them."""

    def __init__(self, items: list[_Item]) -> None:
        self.items, self.i = items, 0

    def next_is(self, *values: str) -> bool:
        return self.i < len(self.items) and self.items[self.i].kind in "cm" and self.items[self.i].value in values

    def take(self, pos: int, what: str) -> _Item:
        if self.i >= len(self.items):
            raise _bad(pos, f"nothing follows {what}")
        self.i += 1
        return self.items[self.i - 1]

    def argument(self, pos: int, what: str) -> list[_Item]:
        item = self.take(pos, what)
        if item.kind == "g":
            return _items(item.value)
        if item.kind == "c" and item.value in "^_&'" or item.value in ("right", "\\", "end"):
            raise _bad(item.pos, f"{item.value} cannot follow {what}")
        more = _ARITY.get(item.value, 0) if item.kind == "m" else 0
        return [item, *(self.take(item.pos, f"\\{item.value}") for _ in range(more))]

    def bracket(self) -> list[_Item] | None:
        """An optional argument, if one follows."""
        if not self.next_is("["):
            return None
        start = self.i + 1
        while not self.next_is("]"):
            self.take(self.items[start - 1].pos, "[")
        self.i += 1
        return self.items[start:self.i - 1]

    def fence(self, pos: int, what: str) -> str:
        """The delimiter after \\left, \\right, \\big and the like; "" for none."""
        item = self.take(pos, what)
        if item.kind in "cm":
            name = _ALIAS.get(item.value, item.value) if item.kind == "m" else str(item.value)
            name = {"<": "langle", ">": "rangle", ".": ""}.get(name, name)
            if not name or name in _GROWN:
                return name
        raise _bad(item.pos, f"no delimiter follows {what}")


class _Setter:
    """Sets formulas at one text size; level 0 is text, 1 script, 2 scriptscript; styles are TeX's 0 to 7."""

    def __init__(self, size: float) -> None:
        self.sizes = size, *next(s[1:] for s in _SCRIPTS if size >= s[0])
        self.sigma = [[n * s / 1000 for n in _SIGMA[max(5, min(10, int(s + 0.5)))]] for s in self.sizes]
        self.skip = {9: 11.0, 10: 12.0, 11: 13.6, 12: 14.5}.get(round(size), 1.2 * size)
        self.em = size * (0.979 if size >= 11 else 1.0)
        self.glyphs = [{key: self.metrics(*key, s) for key in _GLYPHS} for s in self.sizes]

    @staticmethod
    def metrics(font: str, name: str, size: float) -> tuple[float, float, float, float]:
        """Width, height, depth and italic correction of a glyph at any size."""
        wide, small, h, d, italic = _GLYPHS[font, name]
        design = 12 if size >= 11 else max(5, min(10, int(size + 0.5)))
        t, c = _DESIGNS.get(font, {}).get(design, (0.0, 0.0))
        grow = 56 * t if name in _SYMBOLS and _SYMBOLS[name][0] == _BIN else 15 * (name.isdigit() and 5 < design < 10)
        em = size / 1000
        return ((wide + t * (small - wide) + c) * em, (h + grow) * em, (d + grow * (not name.isdigit())) * em,
                italic * (1 + t / 6 if italic > 120 else 1) * em)

    def symbol(self, name: str, style: int, font: str) -> _Atom | None:
        """The atom of a character or named symbol in the wanted alphabet, or None if unknown."""
        glyphs, grow = self.glyphs[max(0, style // 2 - 1)], 1.0
        kind, home = _SYMBOLS.get(name, (_ORD, font))
        if font == "lmmib":
            home, grow = ("lmbx" if home == "lmr" else home), 1.0 if home == "lmr" else 1.215
        elif (font, name) in glyphs and kind == _ORD and (name.isalnum() and name.isascii()):
            home = font
        if (home, name) not in glyphs:
            return None
        w, h, d, italic = glyphs[home, name]
        return _Atom(kind, Box(w * grow, h, d), italic * grow, (home, name))

    def hlist(self, items: list[_Item], style: int, font: str = "") -> Box:
        return self.pack(*self.atoms(items, style, font))

    def group(self, items: list[_Item], style: int, font: str = "") -> _Atom:
        """A braced group: one ordinary atom stays what it is, as in TeX."""
        atoms, end = self.atoms(items, style, font)
        if len(atoms) == 1 and isinstance(only := atoms[0], _Atom) and only.kind == _ORD:
            if only.sup is None and only.sub is None:
                return only
        return _Atom(_ORD, self.pack(atoms, end))

    def atoms(self, items: list[_Item], style: int, font: str) -> tuple[list[_Atom | float], int]:
        """Atoms and spaces of a token list, and the style at its end."""
        out: list[_Atom | float] = []
        r = _Reader(items)
        while r.i < len(items):
            kind, value, pos = items[r.i]
            r.i += 1
            if kind == "c":
                if value in "^_'":
                    self.script(out, value, r, style, font, pos)
                elif value == "~":
                    out.append(self.em / 3)
                elif atom := self.symbol(value, style, font):
                    out.append(atom)
                else:
                    raise _bad(pos, f"character {value!r} outside its place")
            elif kind == "g":
                out.append(self.group(_items(value), style, font))
            elif kind == "e":
                out.append(self.environment(value))
            elif value in _STYLES:
                style = _STYLES[value] + (style & 1)
            elif value in ("limits", "nolimits"):
                if not out or not isinstance(out[-1], _Atom) or out[-1].kind != _OP:
                    raise _bad(pos, f"\\{value} must follow an operator")
                out[-1].limits = value == "limits"
            else:
                out += self.macro(value, r, style, font, pos)
        return out, style

    def script(self, out: list[_Atom | float], mark: str, r: _Reader, style: int, font: str, pos: int) -> None:
        """Attach a superscript, subscript or run of primes to the last atom."""
        if not out or not isinstance(out[-1], _Atom):
            out.append(_Atom(_ORD, Box()))
        atom = cast(_Atom, out[-1])
        if (atom.sub if mark == "_" else atom.sup) is not None:
            raise _bad(pos, f"double {'subscript' if mark == '_' else 'superscript'}")
        if mark == "_":
            atom.sub = self.hlist(r.argument(pos, mark), 2 * (style // 4) + 5, font)
            return
        content: list[_Item] = []
        if mark == "'":
            content.append(_Item("m", "prime", pos))
            while r.next_is("'"):
                content.append(_Item("m", "prime", r.take(pos, mark).pos))
        if mark == "^" or r.next_is("^"):
            r.i += mark == "'"
            content += r.argument(pos, mark)
        atom.sup = self.hlist(content, 2 * (style // 4) + 4 + (style & 1), font)

    def macro(self, name: str, r: _Reader, style: int, font: str, pos: int) -> list[_Atom | float]:
        """What a macro sets."""
        level = max(0, style // 2 - 1)
        known = _ALIAS.get(name, name)
        if (len(name) > 1 or name in _ALIAS) and (atom := self.symbol(known, style, font)):
            return [atom]
        if name in _SPACES:
            return [_SPACES[name] * self.sigma[level][0] / 18]
        if name in _EMS:
            return [_EMS[name] * self.em]
        if name in _IGNORED:
            return []
        if name in _BIG:
            w, ic, wd, icd, total, totald = (n / 100 for n in _BIG[name])
            w, ic, total = (wd, icd, totald) if style < 2 else (w, ic, total)
            return [_Atom(_OP, self.centred(w, total, level), ic, limits=style < 2 and "int" not in name)]
        if name in _NAMED or name in _LIMITS:
            box = self.hlist([_Item("c", c, pos) for c in name], style, "lmr")
            return [_Atom(_OP, box, limits=style < 2 and name in _LIMITS)]
        if name in ("ldots", "dots", "dotsc", "cdots", "dotsb", "dotsm", "vdots", "ddots"):
            w = 3 * self.glyphs[level]["lmr", ";"][0] + 2 * self.sigma[level][0] / 6
            rise = {"l": 0.11, "v": 1.4, "d": 1.4 if name == "ddots" else 0.31}.get(name[0], 0.31)
            return [_Atom(_INNER, Box(w, rise * self.sizes[level]))]
        if name == "left":
            return [self.fenced(r, style, font, pos)]
        if name in ("right", "middle", "\\", "begin", "end", "#", "verb"):
            raise _bad(pos, f"\\{name} outside its place")
        if found := _FENCED.match(name):
            fence = r.fence(pos, f"\\{name}")
            total = {"big": 1.2, "Big": 1.8, "bigg": 2.4, "Bigg": 3.0}[found[1]] * self.sizes[0]
            kind = {"l": _OPEN, "r": _CLOSE, "m": _REL, "": _ORD}[found[2]]
            sign = self.delimiter(fence, max(0.901 * total, total - 5), 0) if fence else Box()
            return [_Atom(kind, self.centred(sign.w, max(total, sign.h + sign.d), level))]
        if name in ("%", "$", "&", "_", "lq", "rq"):
            return [_Atom(_ORD, Box(self.sizes[level] * 0.9, self.sizes[level] * 0.75, self.sizes[level] * 0.06))]
        if name not in _ARITY:
            return [_Atom(_ORD, Box(self.sizes[level], 0.75 * self.sizes[level], 0.25 * self.sizes[level]))]
        return self.construct(name, r, style, font, pos)

    def construct(self, name: str, r: _Reader, style: int, font: str, pos: int) -> list[_Atom | float]:
        """A macro with arguments."""
        what, tight, level = f"\\{name}", style | 1, max(0, style // 2 - 1)
        option = r.bracket() if name in ("sqrt", "color", "textcolor", "smash") else None
        if name in ("operatorname", "underbrace", "overbrace") and r.next_is("*"):
            r.i += 1
            option = []
        if name in ("text", "mbox", "textrm", "textbf", "textit", "mk"):
            item = r.take(pos, what)
            if item.kind != "g":
                raise _bad(item.pos, f"{what} needs braces")
            bold = "lmbx" if name in ("textbf", "mk") else "lmr"
            if name == "mk":
                box = self.text(item.value, 0.83 * self.sizes[0], bold)
                return [_Atom(_ORD, Box(box.w + 0.83 * self.sizes[0] * 0.9 + 8.0, box.h + 3.0, box.d + 3.0))]
            return [_Atom(_ORD, self.text(item.value, self.sizes[level], bold))]
        args = [r.argument(pos, what) for _ in range(min(2, _ARITY[name]))]
        a, b = args[0], args[-1]
        if name == "color":
            return [0.0]
        if name in ("hl", "textcolor"):
            return [_Atom(_ORD, self.hlist(b, style, font))]
        if name == "pd":
            a, b = [_Item("m", "partial", pos), *a], [_Item("m", "partial", pos), *b]
        if name in ("pd", "frac", "tfrac", "dfrac"):
            style = {"tfrac": 2, "dfrac": 0}.get(name, style)
            return [_Atom(_ORD, self.fraction(a, b, style, font))]
        if name in _ACCENTS:
            atom = self.group(a, tight, font)
            w, h, d = atom.box
            rise = _ACCENTS[name] * self.sizes[level] / 1000 + h - min(h, 0.4306 * self.sizes[level])
            accented = _Atom(_ORD, Box(w, max(h, rise), d), atom.italic)
            accented.char = atom.char
            return [accented]
        if name == "operatorname":
            return [_Atom(_OP, self.hlist(a, style, "lmr"), limits=option is not None and style < 2)]
        if name in _ALPHABETS:
            return [self.group(a, style, _ALPHABETS[name])]
        if name == "sqrt":
            return [_Atom(_ORD, self.radical(self.hlist(a, tight, font), option, style))]
        if name in ("underbrace", "overbrace", "fac"):
            inner = self.hlist(args[1] if name == "fac" else a, 0, font)
            if name == "fac":
                strut = self.hlist(_items(_parse(r"\pd{\hat y}{z_1^{(2)}}")), 0)
                inner = Box(inner.w, max(inner.h, strut.h), max(inner.d, strut.d))
            up, down = (6.9, 0.0) if name == "overbrace" else (0.0, 6.9)
            brace = _Atom(_OP, Box(max(inner.w, 18.0), inner.h + up, inner.d + down), limits=True)
            if name == "fac":
                label = r.take(pos, what)
                brace.sub = self.text(label.value, self.sizes[1], "lmr")._replace(w=0.0)
                return [_Atom(_ORD, self.pack([brace], 0))]
            return [brace]
        if name in ("overset", "underset", "stackrel"):
            atoms, end = self.atoms(b, style, font)
            single = atoms[0] if len(atoms) == 1 else None
            kind = _REL if name == "stackrel" else single.kind if isinstance(single, _Atom) else _ORD
            op = _Atom(_OP, self.pack(atoms, end), limits=True)
            script = self.hlist(a, 2 * (style // 4) + 4, font)
            op.sup, op.sub = (None, script) if name == "underset" else (script, None)
            return [_Atom(kind, self.pack([op], style))]
        if name == "substack":
            rows = [self.hlist(row[0], 4, font) for row in _rows(a)[0]]
            return [_Atom(_ORD, self.stack(rows, 1.0, 3.0))]
        inner = self.hlist(a, tight if name == "overline" else style, font)
        if name.startswith("math") and name[4:].capitalize() in _CLASSES:
            return [_Atom(_CLASSES.index(name[4:].capitalize()), inner)]
        w, h, d = inner
        return [_Atom(_ORD, {"overline": Box(w, h + 2, d), "underline": Box(w, h, d + 2), "phantom": inner,
                             "hphantom": Box(w), "vphantom": Box(0, h, d), "smash": Box(w),
                             "boxed": Box(w + 6.8, h + 3.4, d + 3.4)}.get(name, Box(0, h, d)))]

    def centred(self, w: float, total: float, level: int) -> Box:
        """A box of a total height, centred on the axis."""
        axis = 0.25 * self.sizes[level]
        return Box(w, total / 2 + axis, total / 2 - axis)

    def delimiter(self, name: str, total: float, level: int) -> Box:
        """The smallest delimiter at least `total` points high."""
        if not name:
            return Box(1.2)
        font = "lmr" if ("lmr", name) in _GLYPHS and name in "()[]" else "lmmi" if name == "/" else "lmsy"
        for step in range(level, -1, -1):
            w, h, d, _ = self.glyphs[step][font, name]
            if h + d >= total:
                return self.centred(w, h + d, level)
        for w, size in zip(_GROWN[name], (12, 18, 24, 30), strict=False):
            if size >= total and w < _GROWN[name][4] or name == "surd" and size >= total:
                return self.centred(w, size, level)
        least = 6.0 if _GROWN[name][0] == _GROWN[name][4] else 24.0 if name == "surd" else 36.0
        return self.centred(_GROWN[name][4], least + 6 * ceil(max(0.0, total - least) / 6), level)

    def enclose(self, segments: list[Box], fences: list[str], level: int) -> Box:
        """\\left ... \\right around its content."""
        axis = 0.25 * self.sizes[level]
        reach = max(max(s.h - axis, s.d + axis) for s in segments) + 0.06  # on the edge, take the larger one
        need = max(reach / 500 * 901, 2 * reach - 5)
        boxes = segments + [self.delimiter(f, need, level) for f in fences]
        return Box(sum(b.w for b in boxes), max(b.h for b in boxes), max(b.d for b in boxes))

    def fenced(self, r: _Reader, style: int, font: str, pos: int) -> _Atom:
        """\\left with its \\right, and \\middle between them."""
        fences, depth = [r.fence(pos, "\\left")], 1
        parts: list[list[_Item]] = [[]]
        while True:
            item = r.take(pos, "\\left that closes it (no \\right)")
            depth += (item.value == "left") - (item.value == "right") if item.kind == "m" else 0
            if item.kind == "m" and (depth == 0 or depth == 1 and item.value == "middle"):
                fences.append(r.fence(item.pos, f"\\{item.value}"))
                if depth == 0:
                    break
                parts.append([])
            else:
                parts[-1].append(item)
        boxes = []
        for part in parts:
            atoms, end = self.atoms(part, style, font)
            boxes.append(self.pack([_Atom(_OPEN, Box()), *atoms, _Atom(_CLOSE, Box())], end))
        return _Atom(_INNER, self.enclose(boxes, fences, max(0, style // 2 - 1)))

    def fraction(self, top: list[_Item], bottom: list[_Item], style: int, font: str) -> Box:
        level = max(0, style // 2 - 1)
        s, axis = self.sigma[level], 0.25 * self.sizes[level]
        step = 2 - 2 * (style // 6)
        num, den = self.hlist(top, style + step, font), self.hlist(bottom, 2 * (style // 2) + 1 + step, font)
        up, down, clear = (s[1], s[3], 1.2) if style < 2 else (s[2], s[4], 0.4)
        up = max(up, clear + num.d + axis + 0.2)
        down = max(down, clear + den.h - axis + 0.2)
        return Box(max(num.w, den.w) + 2.4, up + num.h, down + den.d)

    def radical(self, inner: Box, root: list[_Item] | None, style: int) -> Box:
        level = max(0, style // 2 - 1)
        clear = 0.4 + (0.4306 * self.sizes[level] if style < 2 else 0.4) / 4
        sign = self.delimiter("surd", inner.h + inner.d + clear + 0.4, level)
        total = sign.h + sign.d - 0.4
        clear = max(clear, (clear + total - inner.h - inner.d) / 2)
        w = sign.w + inner.w
        if root is not None:
            w += max(0.0, self.hlist(root, 6).w - 5 * self.sigma[level][0] / 18)
        return Box(w, inner.h + clear + 0.8, max(inner.d, total - inner.h - clear))

    def environment(self, node: Any) -> _Atom:
        """A matrix, cases, array or aligned block; its rows are centred on the axis."""
        name = node.environmentname
        if name not in _MATRICES:
            raise _bad(node.pos, f"unknown environment {name}")
        items, skip, gap, edges, style = _items(node.nodelist), self.skip, 10.0, 0.0, 2
        if name == "array":
            r = _Reader(items)
            r.bracket()
            spec = items[r.i] if r.i < len(items) else _Item("c", "", node.pos)
            if spec.kind != "g":
                raise _bad(spec.pos, "array needs its columns")
            letters = _items(spec.value)
            items, edges = items[r.i + 1:], 10.0 + 0.4 * sum(i.value == "|" for i in letters)
            at = [i for i, item in enumerate(letters) if item.value == "@"]
            edges -= 5.0 * sum(i in (0, len(letters) - 2) for i in at)  # @{} at an end takes its space away
            edges += sum(self.hlist(_items(i.value), 2).w for i in letters if i.kind == "g")
        elif name == "cases":
            skip, gap = 1.2 * skip, self.em
        elif name in ("aligned", "gathered", "split"):
            style, gap = 0, 0.0
        table, leads = _rows(items)
        prefix = [_Item("g", [], 0)] if style == 0 else []  # amsmath's {} that makes a relation keep its space
        boxes = [[self.hlist(prefix * (j % 2) + cell, style) for j, cell in enumerate(row)] for row in table]
        columns = [max((row[j].w for row in boxes if j < len(row)), default=0.0) for j in range(max(map(len, boxes)))]
        rows = [Box(0, max(b.h for b in row), max(b.d for b in row)) for row in boxes]
        block = self.stack(rows, skip, 3.0 if style == 0 else 0.0)
        w = sum(columns) + gap * (len(columns) - 1) + edges
        if style == 0:
            w += 10 * ((len(columns) - 1) // 2)
        block = Box(w, block.h + leads / 2, block.d + leads / 2)
        fences = _MATRICES[name]
        if not fences[0]:
            return _Atom(_ORD, block)
        return _Atom(_INNER, self.enclose([block], [f.rstrip(".") for f in fences], 0))

    def stack(self, rows: list[Box], skip: float, extra: float) -> Box:
        """Rows with their struts, centred on the axis."""
        total, before = 0.0, None
        for row in rows:
            h, d = max(row.h, 0.7 * skip), max(row.d, 0.3 * skip)
            if before is not None and extra:  # \\baselineskip, or \\lineskip where the rows come too near
                gap = skip - before - h
                total += extra + (gap if gap > -1e-3 else 1.0)
            total, before = total + h + d, d
        return self.centred(max(b.w for b in rows), total, 0)

    def text(self, nodes: Iterable[Any], size: float, font: str) -> Box:
        """Upright text."""
        box, before = Box(0, 0, 0), ""
        for node in nodes:
            name = type(node).__name__
            if name == "LatexCharsNode":
                for c in re.sub(r"\s+", " ", node.chars).replace("---", "—").replace("--", "–"):
                    if (font, c) not in _GLYPHS and ("lmr", c) not in _GLYPHS:
                        w, h, d = size * {" ": 1 / 3, "~": 1 / 3, "–": 0.5}.get(c, 1.0), 0.0, 0.0
                    else:
                        w, h, d, _ = self.metrics(font if (font, c) in _GLYPHS else "lmr", c, size)
                    w += _KERNS[font].get(before + c, 0) * size / 1000
                    box, before = Box(box.w + w, max(box.h, h), max(box.d, d)), c
                continue
            part = Box()
            if name == "LatexMathNode":
                part = _setter(size).hlist(_items(node.nodelist), 2)
            elif name == "LatexGroupNode":
                part = self.text(node.nodelist, size, font)
            elif name == "LatexMacroNode" and node.macroname in _TEXT_SIZES:
                size = self.sizes[0] * _TEXT_SIZES[node.macroname]
            elif name == "LatexMacroNode" and node.macroname in ("textbf", "bfseries"):
                font = "lmbx"
            elif name == "LatexMacroNode" and node.macroname not in ("textit", "emph", "textrm"):
                part = Box(0.9 * size if node.macroname in "%&_#$" else size / 3, 0.75 * size, 0.0)
            box, before = Box(box.w + part.w, max(box.h, part.h), max(box.d, part.d)), ""
        return box

    def pack(self, atoms: list[_Atom | float], style: int) -> Box:
        """Set atoms in a row with TeX's spaces and kerns."""
        level = max(0, style // 2 - 1)
        mu = self.sigma[level][0] / 18
        row = [a for a in atoms if isinstance(a, _Atom)]
        kinds = [a.kind for a in row]
        for i, kind in enumerate(kinds):  # a sign is not a binary operator
            if kind == _BIN and (i == 0 or kinds[i - 1] in (_OP, _BIN, _REL, _OPEN, _PUNCT)):
                kinds[i] = _ORD
            elif kind in (_REL, _CLOSE, _PUNCT) and i and kinds[i - 1] == _BIN:
                kinds[i - 1] = _ORD
        if kinds and kinds[-1] == _BIN:
            kinds[-1] = _ORD
        w, h, d, n, last = 0.0, 0.0, 0.0, 0, None
        for atom in atoms:
            if not isinstance(atom, _Atom):
                w, last = w + atom, None
                continue
            if n:
                gap = _GAPS[kinds[n - 1]][kinds[n]]
                if gap != "0" and (gap == "2" or style < 4):
                    w += {"1": 3, "2": 3, "3": 4, "4": 5, "*": 0}[gap] * mu
            if last and last.glyph and atom.glyph and last.glyph[0] == atom.glyph[0] and not (last.sup or last.sub):
                font = last.glyph[0]
                if kinds[n - 1] == _ORD and font in _KERNS:
                    w += _KERNS[font].get(last.glyph[1] + atom.glyph[1], 0) * self.sizes[level] / 1000
                    if font != "lmmi":
                        w -= last.italic
            box = self.scripted(atom, style, level) if atom.sup or atom.sub else atom.box
            w += box.w if atom.sup or atom.sub else box.w + atom.italic
            h, d, n, last = max(h, box.h), max(d, box.d), n + 1, atom
        return Box(w, h, d)

    def scripted(self, atom: _Atom, style: int, level: int) -> Box:
        """A nucleus with its scripts beside it, or above and below it."""
        s, ex = self.sigma[level], 0.4306 * self.sizes[level]
        w, h, d = atom.box
        sup, sub, italic = atom.sup, atom.sub, atom.italic
        if atom.limits:
            if sup:
                h += max(1.111, 2 - sup.d) + sup.h + sup.d + 1
            if sub:
                d += max(1.667, 6 - sub.h) + sub.h + sub.d + 1
            return Box(max(w + italic, sup.w if sup else 0, sub.w if sub else 0), h, d)
        drop = self.sigma[min(2, level + 1)]
        up, down = (0.0, 0.0) if atom.char else (h - drop[10], d + drop[11])
        if sup is None:
            sub = cast(Box, sub)
            down = max(down, s[8], sub.h - 0.8 * ex)
            return Box(w + sub.w + 0.5, max(h, sub.h - down), max(d, sub.d + down))
        up = max(up, s[7] if style & 1 else s[5] if style < 2 else s[6], sup.d + ex / 4)
        if sub is None:
            return Box(w + italic + sup.w + 0.5, max(h, sup.h + up), max(d, sup.d - up))
        down = max(down, s[9])
        if (clear := 1.6 - ((up - sup.d) - (sub.h - down))) > 0:
            down += clear
            if (rise := 0.8 * ex - (up - sup.d)) > 0:
                up, down = up + rise, down - rise
        return Box(w + 0.5 + max(sub.w, sup.w + italic), max(h, sup.h + up), max(d, sub.d + down))


def _rows(items: list[_Item]) -> tuple[list[list[list[_Item]]], float]:
    """Tokens split into rows and cells, an empty last row being none, and the points added by \\\\[4pt]."""
    table: list[list[list[_Item]]] = [[[]]]
    leads, r = 0.0, _Reader(items)
    while r.i < len(items):
        item = r.take(0, "")
        if item.kind == "m" and item.value == "\\":
            if r.i < len(items) and items[r.i].pos == item.pos + 2 and (option := r.bracket()):
                text = "".join(str(i.value) for i in option)
                if not (found := _LENGTH.fullmatch(text)):
                    raise _bad(item.pos, f"no length: {text}")
                leads += float(found[1]) * _UNITS[found[2]]
            table.append([[]])
        elif item.kind == "c" and item.value == "&":
            table[-1].append([])
        else:
            table[-1][-1].append(item)
    return (table[:-1] if len(table) > 1 and table[-1] == [[]] else table), leads


def _parse(formula: str) -> list[Any]:
    try:
        nodes, _, _ = LatexWalker(formula, latex_context=_CONTEXT, tolerant_parsing=False).get_latex_nodes()
    except LatexWalkerParseError as error:
        raise _bad(error.pos, str(error.msg)) from None
    return list(nodes)


@lru_cache(maxsize=32)
def _setter(size: float) -> _Setter:
    return _Setter(size)


@lru_cache(maxsize=65536)
def _measure(formula: str, size: float) -> Box:
    try:
        return _setter(size).hlist(_items(_parse(formula)), 0)
    except RecursionError:
        raise _bad(0, "nested too deep") from None


def width(formula: str, *, size: float = 10.95) -> float:
    """Width in TeX points of a formula in display style, given without its dollar signs."""
    return _measure(formula, size).w


def height(formula: str, *, size: float = 10.95) -> float:
    """Height and depth together, in TeX points."""
    return sum(_measure(formula, size)[1:])


def check(formula: str) -> None:
    """Raise ValueError, naming the position, if a formula is not well-formed LaTeX."""
    _measure(formula, 10.95)
