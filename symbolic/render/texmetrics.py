"""The facts that TeX measures with: glyphs of Latin Modern, font dimensions, delimiters, spaces and macros.

Nothing here computes; the two readers at the end only unpack the tables.

>>> GLYPHS["lmmi", "x"]  # width, width in the small design, height, depth, italic correction: in 1/1000 em
(572, 698, 431, 0, 0)
>>> CLASSES[SYMBOLS["leq"][0]], KERNS["lmr"]["AV"]
('Rel', -111)
"""

from __future__ import annotations

import re

# Glyphs: @font.class, #height,depth, then name=width[,width in the small design][,italic], in 1/1000 em.
METRICS = """
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
$=500,611 #106,0 .=278,352 #106,194 ,=278,352 #492,194 <=278,352 >=472,579
#0,0 ~=333,410 @lmsy.Bin #583,83 -=778,963 times=778,963
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
W=988,1223,82 X=713,884,146 Z=725,884,79 #683,97 G=595,747,59 J=678,846,185 Q=817,1008 Y=668,824,82 @lmbx.bold #0,0 ~=383,459
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
            "vmatrix": ("|", "|"), "Vmatrix": ("Vert", "Vert"), "cases": ("lbrace", "."), "array": ("", ""),
            "aligned": ("", ""), "gathered": ("", ""), "split": ("", "")}
SCRIPTS = ((19, 14.4, 12), (16, 12, 10), (13, 10, 7), (10.5, 8, 6), (9.5, 7, 5), (7.5, 6, 5), (0, 5, 5))
TEXT_SIZES = {"tiny": 6, "scriptsize": 8, "footnotesize": 9, "small": 10, "normalsize": 10.95}  # of an 11pt document
IGNORED = set("nonumber notag hline relax strut mathstrut allowbreak nobreak".split())
ARITY = dict.fromkeys((*ACCENTS, *ALPHABETS, *"""sqrt text mbox textrm textbf textit overline underline underbrace
    overbrace phantom hphantom vphantom smash mathclap mathrlap mathllap boxed mk color substack mathop mathbin
    mathrel mathord mathopen mathclose mathpunct mathinner""".split()), 1) | dict.fromkeys(
    "frac tfrac dfrac pd hl textcolor overset underset stackrel".split(), 2) | {"fac": 3}
FENCED = re.compile(r"(big|Big|bigg|Bigg)([lrm]?)$")
UNITS = {"pt": 1.0, "mm": 2.845, "cm": 28.45, "em": 10.95, "ex": 4.72, "bp": 1.004, "in": 72.27}
LENGTH = re.compile(r"(-?\d*\.?\d+)(pt|mm|cm|em|ex|bp|in)")


def _read_metrics() -> tuple[dict[tuple[str, str], tuple[int, ...]], dict[str, tuple[int, str]]]:
    """All glyphs by font and name, and the class and font of each symbol."""
    glyphs: dict[tuple[str, str], tuple[int, ...]] = {}
    symbols: dict[str, tuple[int, str]] = {}
    font, kind, extent = "", "", [0, 0]
    for token in METRICS.split():
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
