"""The facts that TeX measures with: glyphs of Latin Modern, font dimensions, delimiters, spaces and macros.

Nothing here computes; the two readers at the end only unpack the tables.

>>> GLYPHS["lmmi", "x"]  # width, width in the small design, height, depth, italic correction: in 1/1000 em
(572, 698, 431, 0, 0)
>>> CLASSES[SYMBOLS["leq"][0]], KERNS["lmr"]["AV"]
('Rel', -111)
"""

from __future__ import annotations

import re
from pathlib import Path

# Other design sizes: width10 + t * (small - width10) + c, with (t, c) by font and size; exact to 0.005 em.
DESIGNS: dict[str, dict[int, tuple[float, float]]] = {
    "lmmi": {5: (1.49, 28.3), 6: (1, 0), 7: (0.646, -3.9), 8: (0.375, -20), 9: (0.168, -9.1), 12: (-0.125, 5.8)},
    "lmr": {5: (1.5, 14), 6: (1, 0), 7: (0.643, -2), 8: (0.375, -10.4), 9: (0.167, -4.6), 12: (-0.125, 3.5)},
    "lmsy": {5: (1.5, 27.8), 6: (1, 0), 7: (0.643, -4), 8: (0.375, -20.8), 9: (0.167, -9.3)},
    "lmbx": {5: (1.5, 5.6), 6: (1, 0), 7: (0.643, -4), 8: (0.375, -6.9), 9: (0.167, -3.1), 12: (-0.128, 2.7)}}
# Font dimensions of lmsy: quad, num1 num2, denom1 denom2, sup1 sup2 sup3, sub1 sub2, sup drop, sub drop.
SIGMA = {5: (1472, 925, 387, 1025, 532, 504, 404, 294, 200, 400, 494, 100),
          6: (1278, 813, 392, 864, 429, 503, 420, 287, 167, 333, 412, 83),
          7: (1171, 732, 384, 752, 344, 503, 431, 286, 143, 286, 353, 71),
          8: (1063, 696, 409, 749, 392, 415, 353, 285, 125, 250, 396, 63),
          9: (1028, 647, 410, 678, 339, 480, 425, 287, 111, 176, 352, 56),
          10: (1000, 677, 394, 686, 345, 413, 363, 289, 150, 247, 386, 50)}
# Kerns in 1/1000 em: the amount, then first letters:second letters.
ROMAN = """-28 A:CGOQUcdeoqtu DO:AVWXY FVWX:CGOQ K:CGQow Py:aeo R:CGOQUtuvwy T:y a:vwy bop:vwxy c:hk hmn:btuvwy
kv:ceo t:wy u:w w:aceo -83 A:TYwy FVW:acdegmnoprsuvwyz K:v LR:TY P:,A TY:Aacdegnoprsuvwxz e:V hkmn:VW y:,
-111 A:VWv FVW:A LR:VW 28 I:I ag:j bop:cdejoq -56 v:a"""
ITALIC = """-56 rNXCTfjKHMSZ:., UFPJKHMSZ:/ d:Z /:AMNZ -111 UFPJ:., d:j VWY:/ /:,.j -83 NX:/ -28 CT:/ 56 d/:Y
-167 d/:f VWY:.,"""
# The larger delimiters of lmex (a fixed 10 points): 1.2, 1.8, 2.4, 3.0 em high, then extensible.
FENCES = {"( )": "458 597 736 792 875", "[ ]": "417 472 528 583 667", "lbrace rbrace": "583 667 750 806 889",
           "lfloor rfloor lceil rceil": "472 528 583 639 667", "langle rangle": "472 611 750 806 806",
           "/": "578 811 1044 1278 1278", "| lvert rvert": "333 333 333 333 333",
           "Vert lVert rVert": "556 556 556 556 556", "surd": "1000 1000 1000 1000 1056"}
GROWN = {name: [int(w) / 100 for w in ws.split()] for names, ws in FENCES.items() for name in names.split()}
# Operators of lmex: width and italic in text style, then in display style, and the two total heights.
BIG = dict.fromkeys(("sum",), (1056, 0, 1444, 0, 1000, 1600)) | dict.fromkeys(
    ("prod", "coprod"), (944, 0, 1278, 0, 1000, 1600)) | dict.fromkeys(
    ("int", "oint"), (472, 194, 556, 444, 1111, 2222)) | dict.fromkeys(
    ("bigcup", "bigcap", "bigvee", "bigwedge"), (833, 0, 1111, 0, 1000, 1600)) | dict.fromkeys(
    ("bigoplus", "bigotimes", "bigodot"), (1111, 0, 1511, 0, 1000, 1600))
NAMED = set("arg cos cosh cot deg dim exp hom ker lg ln log sec sin sinh tan tanh".split())
LIMITS = set("det gcd inf lim max min Pr sup".split())
ACCENTS = dict.fromkeys("tilde bar dot ddot check breve".split(), 630) | dict.fromkeys(
    "hat acute grave".split(), 694) | dict.fromkeys("vec widehat widetilde".split(), 750)
ALPHABETS = {"mathrm": "lmr", "mathbf": "lmbx", "mathcal": "lmsy", "mathbb": "msbm", "boldsymbol": "lmmib",
             "bm": "lmmib", "mathit": "lmmi", "mathnormal": "lmmi", "mathsf": "lmbx", "operatorname": "lmr"}
ALIAS = {"le": "leq", "ge": "geq", "ne": "neq", "to": "rightarrow", "gets": "leftarrow", "ast": "*", "lnot": "neg",
         "land": "wedge", "lor": "vee", "{": "lbrace", "}": "rbrace", "lbrack": "[", "rbrack": "]", "vert": "|",
         "perp": "bot", "|": "Vert", "colon": ":", "longmapsto": "longrightarrow", "varnothing": "emptyset"}
CLASSES = ("Ord", "Op", "Bin", "Rel", "Open", "Close", "Punct", "Inner")
ORD, OP, BIN, REL, OPEN, CLOSE, PUNCT, INNER = range(8)
# Space between neighbours by class: 2 thin, 1 thin, 3 medium, 4 thick, of which only 2 also in scripts.
GAPS = "02340001 22*40001 33**3**3 44*04004 00*00000 02340001 11*11111 12341011".split()
SPACES = {",": 3, "thinspace": 3, "!": -3, "negthinspace": -3, ":": 4, ">": 4, ";": 5, "thickspace": 5}  # in mu
EMS = {" ": 1 / 3, "~": 1 / 3, "nobreakspace": 1 / 3, "enspace": 0.5, "quad": 1.0, "qquad": 2.0}
STYLES = {"displaystyle": 0, "textstyle": 2, "scriptstyle": 4, "scriptscriptstyle": 6}
MATRICES = {"matrix": ("", ""), "pmatrix": ("(", ")"), "bmatrix": ("[", "]"), "Bmatrix": ("lbrace", "rbrace"),
            "vmatrix": ("|", "|"), "Vmatrix": ("Vert", "Vert"), "cases": ("lbrace", ".")}
SCRIPTS = ((19, 14.4, 12), (16, 12, 10), (13, 10, 7), (10.5, 8, 6), (9.5, 7, 5), (7.5, 6, 5), (0, 5, 5))
TEXT_SIZES = {"tiny": 6, "scriptsize": 8, "footnotesize": 9, "small": 10, "normalsize": 10.95}  # of an 11pt document
IGNORED = set("nonumber notag hline relax strut mathstrut allowbreak nobreak".split())
ARITY = dict.fromkeys((*ACCENTS, *ALPHABETS, *"sqrt text mbox textrm textbf textit underbrace overbrace".split()), 1) | dict.fromkeys(
    "frac tfrac dfrac pd hl textcolor".split(), 2) | {"fac": 3}
FENCED = re.compile(r"(big|Big|bigg|Bigg)([lrm]?)$")
UNITS = {"pt": 1.0, "mm": 2.845, "cm": 28.45, "em": 10.95, "ex": 4.72, "bp": 1.004, "in": 72.27}
LENGTH = re.compile(r"(-?\d*\.?\d+)(pt|mm|cm|em|ex|bp|in)")


def _read_metrics() -> tuple[dict[tuple[str, str], tuple[int, ...]], dict[str, tuple[int, str]]]:
    """All glyphs by font and name, and the class and font of each symbol.

    The file: @font.class, #height,depth, then name=width[,width in the small design][,italic], in 1/1000 em.
    """
    glyphs: dict[tuple[str, str], tuple[int, ...]] = {}
    symbols: dict[str, tuple[int, str]] = {}
    font, kind, extent = "", "", [0, 0]
    for token in Path(__file__).with_name("latinmodern.txt").read_text("ascii").split():
        if "=" not in token[1:]:
            if token[0] == "@":
                font, kind = token[1:].split(".")
            else:
                extent = [int(n) for n in token[1:].split(",")]
            continue
        name, _, numbers = token.rpartition("=")
        wide, small, italic = ([*map(int, numbers.split(",")), 0, 0])[:3]
        glyphs[font, name] = (wide, small or wide, *extent, italic)
        if kind in CLASSES:
            symbols[name] = CLASSES.index(kind), font
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


GLYPHS, SYMBOLS = _read_metrics()
KERNS = {"lmr": _read_kerns(ROMAN), "lmbx": _read_kerns(ROMAN), "lmmi": _read_kerns(ITALIC)}
