"""The estimated widths against TeX itself: one pdflatex run sets every formula into a box and writes its size."""

import random
import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import pytest

from symbolic.render import width as module
from symbolic.render.texboxes import Sizes
from symbolic.render.texmetrics import GLYPHS, SYMBOLS
from symbolic.render.texread import parse
from symbolic.render.width import check, height, measure, width

ROOT = Path(__file__).parent.parent
[FAC] = [line for line in (ROOT / "templates" / "style.tex").read_text().splitlines() if r"\newcommand{\fac}" in line]

PREAMBLE = r"""\documentclass[11pt]{article}
\usepackage[T1]{fontenc}\usepackage[utf8]{inputenc}\usepackage{lmodern}
\usepackage{amsmath,amssymb,bm,mathtools,array}\usepackage{tikz}
\definecolor{fOne}{HTML}{00639C}\definecolor{fTwo}{HTML}{B34700}\definecolor{fThree}{HTML}{00745A}
\newcommand{\pd}[2]{\frac{\partial #1}{\partial #2}}
\newcommand{\hl}[2]{{\color{#1}#2}}
\newcommand{\measure}[2]{\setbox0\hbox{$\displaystyle #1$}\message{^^J@#2 \the\wd0 \the\ht0 \the\dp0^^J}}
\begin{document}\makeatletter
"""
# As they stand in slides and answer keys, and what a generator would seldom hit.
PLAIN = r"""
x+y | -x | a-b | (-x) | x=-1 | x=y | x\cdot y | 2x | xy | f(x) | x,y | [x] | x/y | x<y | x\le y\ge z | x\ne y | \infty
x^2 | x_1 | x_1^2 | x^{2}_{1} | f^2 | f_1 | f_1^2 | x' | f'(x) | x'^2 | \sigma'(z^{(1)}_{2}) | {x}^2 | {ab}^2 | {a+b}_2 | f''
\ln x | \ln(x) | \exp(-x) | \max(0,x) | \max_i x_i | \log\sum_j e^{s_j} | \operatorname{softmax}(s)_i | \operatorname{ReLU}(z)
\operatorname*{softmax}_{i} x_i | \tanh^2 x | 1-\tanh^2(z) | \mathrm{d}x | \mathrm{softmax} | \frac{\mathrm{d}f}{\mathrm{d}x}
\frac{df}{dx} | \frac12 | \frac{1}{2n}\sum_{i,j}(\hat y_{ij}-y_{ij})^{2} | 10^{-5} | 3.1\cdot 10^{-10} | 1{,}234 | \tfrac{1}{2}x^2
\dfrac{1}{2} | \sqrt{x} | \sqrt{x+1} | \sqrt{\frac{a}{b}} | \sqrt{v_1}+\varepsilon | \frac{1}{\sqrt{2\pi}} | \sqrt{\hat v_1}
\hat y | \hat y_1 | \hat{y}^{2} | \hat y_{1}^{2} | \bar x | \tilde W | \hat{xy} | \vec v | \widehat{W} | \bar{\mathbf{x}} | \dot x_i | \hat f
\left(x\right) | \left(\frac{a}{b}\right) | \left[\frac{a}{b}\right]^2 | \left\{\frac{a}{b}\right\} | \left|x\right| | \left\|\frac{x}{y}\right\|
\left(\sum_i x_i\right)^2 | \left.\frac{a}{b}\right|_{x=0} | \left(\left(\frac{a}{b}\right)^2+1\right)
\bigl(x\bigr) | \Bigl(x\Bigr) | \biggl[x\biggr] | \Biggl(x\Biggr) | \bigl[y\ln\hat y\bigr] | \bigl\{x\bigr\} | \big|x\big| | \lvert x\rvert
\lVert x\rVert | \langle x,y\rangle | \lfloor x\rfloor | |x| | \|x\|_2^2 | \mathbb{R}^{n} | \mathbb{E}[X] | \mathcal{L} | \mathcal{L}(w)
\begin{bmatrix}1&2\\3&4\end{bmatrix} | \begin{pmatrix}a\\b\end{pmatrix} | \begin{bmatrix}0.25&-1.50\\\frac12&x\end{bmatrix}^\top
\begin{cases}x&x>0\\0&\text{otherwise}\end{cases} | \begin{cases}1&\text{if }x>0\\0.01&\text{if }x\le 0\end{cases} | \begin{matrix}a&b\end{matrix}
\begin{vmatrix}a&b\\c&d\end{vmatrix}
\begin{bmatrix}1\\2\\3\end{bmatrix} | \begin{bmatrix}1\\2\\3\\4\\5\end{bmatrix} | \begin{pmatrix}1\\2\\3\\4\\5\\6\end{pmatrix} | \begin{Bmatrix}1\\2\\3\\4\end{Bmatrix}
\begin{bmatrix}1&0\\[4pt]0&1\end{bmatrix} | \begin{bmatrix}\frac{a}{b}\\\pd{L}{w}\end{bmatrix} | \prod_{i=1}^{n}x_i | \int_0^1 x\,dx | \int f | \bigcup_i A_i
\underbrace{x}_{a} | \underbrace{x+y+z+w}_{\text{sum}} | \overbrace{a+b+c}^{n} | \underbrace{x}_{\text{a long label}} | \overbrace{x+y}
\fac{fOne}{\pd{L}{\hat y}}{loss} | \fac{fOne}{x}{in} | \fac{fTwo}{\hat y(1-\hat y)}{sigmoid} | \hl{fOne}{x_1}^2 | \hl{fTwo}{-}x | \hl{fOne}{+}
\textcolor{red}{x+y} | \textcolor{fOne}{f}_1 | x\quad y | x\qquad y | x\,y | x\;y | x\!y | x\:y | x\ y | x~y
\mathbf{-1.1244} | \mathbf{W}\mathbf{x}+\mathbf{b} | \boldsymbol{\delta} | \bm{x} | \bm{\theta}_1 | \boldsymbol{x}^{\top} | \mathbf 1[j=k] | \mathbf{W}^{(1)}
a\odot b | A\otimes B | A^{\top}B | x\times y | x\in\mathbb{R} | x\to y | x\mapsto y | x\approx y | x\sim y | x\propto y | x\pm y | \nabla_w L | \lnot p | x\notin A | x\iff y | x\implies y
x_{i_j} | x^{y^z} | x_{i_{j_k}} | e^{-\frac{x^2}{2}} | e^{-(x-\mu)^2/2\sigma^2} | \frac{\frac{a}{b}}{c} | \frac{a}{b}/\frac{c}{d} | \ldots | x_1,\ldots,x_n | x_1+\cdots+x_n | a\dots b
\sum x | \textstyle\sum_{i}x_i | \frac{\sum_i x_i}{n} | \sum_{i=1}^{\text{width of it}} x_i | \min_{w\in\mathbb{R}^{n}} L
\text{if } x | \text{for all $i$ in } A | \text{sum of the products} | \text{AVAW} | \text{average of keys} | \textbf{b} | \text{\small x} | x_{\text{max}} | x_{\mathrm{out}} | L_{\mathrm{val}} | x\text{--}y
\beta_1\cdot0+(1-\beta_1)\,g_1 | m_1/(1-\beta_1),\ \ v_1/(1-\beta_2) | \theta_0-\eta\,\hat m_1/(\sqrt{\hat v_1}+\varepsilon) | x! | n!/k! | a:b | a;b | \{x\} | \partial x | x\cdot(-y) | x\cdot-y | -(-x) | =-1 | (+) | a\cup b | x*y
-\bigl[y\ln\hat y+(1-y)\ln(1-\hat y)\bigr] | (0.4378-1)\cdot 2.0=\mathbf{-1.1244} | -s_k+\ln\sum_{i}e^{s_i} | -\mathbf 1[j=k]+\frac{e^{s_j}}{\sum_i e^{s_i}} | \eta\,(1-\beta_1)/\sqrt{1-\beta_2}\approx3.16\,\eta
\Gamma+\Delta\Theta\Lambda\Xi\Pi\Sigma\Phi\Psi\Omega | Y, U, T. | YZdY | W/V | VAX | jT, fT | \ell(\theta) | \varepsilon\varphi\vartheta | \| | | |
"""


def generated(seed: int, count: int) -> list[str]:
    """Formulas of the kinds that the pages of a backpropagation course contain."""
    r = random.Random(seed)
    pick = r.choice

    def number() -> str:
        text = f"{r.uniform(-9, 9):.{r.randint(0, 4)}f}"
        return pick([text, text, f"{text}\\cdot 10^{{{r.randint(-9, 9)}}}"])

    def var() -> str:
        base = pick([*"abcwxyzLWhsfuvVJT", r"\delta", r"\theta", r"\hat y", r"\mathbf{W}", r"\beta", r"\mathcal{L}", r"\hat m"])
        layer, index = f"({r.randint(1, 4)})", pick(["i", "ij", "j", "1", "12", "t-1", "i,j", "k_1", r"\mathrm{out}"])
        power = pick(["2", layer, r"\top"])
        return pick([base, f"{base}_{{{index}}}", f"{base}^{{{layer}}}_{{{index}}}", f"{base}^{{{layer}}}",
                     f"{base}_{{{index}}}^{{{power}}}"])

    def call() -> str:
        return pick([f"\\sigma'({var()})", f"\\sigma({var()})", f"\\ln {var()}", f"\\exp(-{var()})", f"\\tanh({var()})",
                     f"\\operatorname{{{pick(['ReLU', 'softmax', 'diag', 'LeakyReLU'])}}}({var()})", f"\\max(0,{var()})",
                     f"e^{{-{var()}}}", f"\\sqrt{{{var()}}}", f"\\sqrt{{{var()}+\\varepsilon}}"])

    def partial() -> str:
        return pick([r"\pd", r"\pd", r"\frac"]) + f"{{{var()}}}{{{var()}}}"

    def matrix() -> str:
        rows, columns, cell = r.randint(1, 5), r.randint(1, 4), pick([number, var, number])
        body = r"\\".join("&".join(cell() for _ in range(columns)) for _ in range(rows))
        kind = pick(["bmatrix", "pmatrix", "bmatrix"])
        return f"\\begin{{{kind}}}{body}\\end{{{kind}}}" + pick(["", r"^{\top}"])

    def total() -> str:
        low, high = pick(["i", "i,j", "i=1", "j", "k=0"]), pick(["", "^{n}", "^{n_{1}}"])
        front, sign = pick(["", r"\frac{1}{2n}", r"\frac{1}{n}", "-"]), pick([r"\sum", r"\sum", r"\prod"])
        return f"{front}{sign}_{{{low}}}{high}{factor()}"

    def factor() -> str:
        return pick([var, call, partial, number_in_parens, coloured, difference, var])()

    def number_in_parens() -> str:
        return f"({number()})"

    def difference() -> str:
        left, right = pick([("(", ")"), (r"\left(", r"\right)"), (r"\bigl[", r"\bigr]"), (r"\left[", r"\right]")])
        return f"{left}{var()}-{pick([var, partial])()}{right}" + pick(["", "^{2}", r"^{\top}"])

    def coloured() -> str:
        body, label = pick([var, partial, call])(), pick([var(), number(), r"\text{error}"])
        return pick([f"\\fac{{fOne}}{{{body}}}{{{pick(['loss', 'activation', 'in'])}}}", f"\\hl{{fTwo}}{{{body}}}",
                     f"\\underbrace{{{body}}}_{{{label}}}", f"\\textcolor{{fThree}}{{{body}}}"])

    def product() -> str:
        return pick([r"\cdot ", r"\odot ", r"\,", r"\times ", " "]).join(factor() for _ in range(r.randint(2, 4)))

    def result() -> str:
        return pick([f"\\mathbf{{{number().split(chr(92))[0]}}}", number(), f"\\hl{{fOne}}{{{number()}}}"])

    def line() -> str:
        left = pick([partial, var])()
        parts = [pick([product, total, matrix, call, product])() for _ in range(r.randint(1, 3))]
        right = pick(["+", "-", "+"]).join(parts)
        return pick([right, f"{left}={right}", f"{left}={right}={result()}", f"{left}\\approx{result()}",
                     f"\\left\\{{{right}\\right\\}}", f"\\frac{{{right}}}{{{product()}}}"])

    return [line() for _ in range(count)]


def singles() -> dict[str, tuple[str, str]]:
    """For every glyph a formula in which it stands nine times, at the three sizes; and the glyph."""
    glyphs = {name if len(name) == 1 else f"\\{name}": (font, name) for name, (_, font) in SYMBOLS.items()}
    for alphabet, font in {"mathrm": "lmr", "mathbf": "lmbx", "mathcal": "lmsy", "mathbb": "msbm"}.items():
        for key in GLYPHS:
            name = key[1] if len(key[1]) == 1 else f"\\{key[1]}"
            if key[0] == font and key[1].isalnum() and (len(key[1]) == 1 or alphabet == "mathbf"):
                glyphs[f"\\{alphabet}{{{name}}}"] = key
    return {f"{{{g}}}{{{g}}}{{{g}}}x_{{{{{g}}}{{{g}}}{{{g}}}}}x_{{y_{{{{{g}}}{{{g}}}{{{g}}}}}}}": key for g, key in glyphs.items()}


SINGLE = singles()


def formulas() -> list[str]:
    plain = [f.strip() for f in re.split(r" \| |\n", PLAIN) if f.strip() not in ("", "|")]
    return list(dict.fromkeys(plain + generated(20261121, 600) + [*SINGLE]))


def blocks() -> list[str]:
    """What is several lines high: matrices, cases, alone, in fences, over braces."""
    r = random.Random(7)
    cells = [lambda: str(r.randint(0, 9)), lambda: f"{r.uniform(-9, 9):.4f}", lambda: rf"\pd{{L}}{{w_{r.randint(1, 9)}}}",
             lambda: r"\hat y_1^{(2)}", lambda: r"\frac{1}{n}", lambda: r"\sum_{i=1}^{n} x_i"]
    out = []
    for kind in ("bmatrix", "pmatrix", "cases"):
        for rows in range(1, 7):
            for cell in r.sample(cells, 3):
                body = r"\\".join(f"{cell()}&{cell()}" for _ in range(rows))
                block = rf"\begin{{{kind}}}{body}\end{{{kind}}}"
                out += [block, rf"\left({block}\right)", rf"\underbrace{{{block}}}_{{A}}",
                        rf"\left[-\left({block}\right)^\top\right]", rf"\frac{{{block}}}{{x}}"]
    inner, label = ["x", r"x+y", r"\frac{a}{b}", r"\hat y", r"W^{(1)}_{2}", r"\sum_i x_i"], ["a", r"\text{loss}", r"x_1^2", r"\frac ab"]
    return out + [rf"\{side}brace{{{x}}}{mark}{{{y}}}" for side, mark in (("under", "_"), ("over", "^")) for x in inner for y in label]


SIZES = {6: 7, 8: 9.5, 9: 11, 10: 12, 10.95: 13.6, 12: 14.5}  # and the distance of lines at each
IN_FIGURES = [r"-0.001234", r"1.234\cdot10^{-5}", r"w^{(1)}_{12}", r"\hat y", r"\tanh(u_1)", r"\sigma'(z)", r"W^\top\delta", "",
              r"-1.2345\cdot10^{-12}", r"\frac{a+b}{c}", r"\log(1-y)", r"a+b-c", r"\mathrm{softmax}(z)_i", "x_{1}^{2}", "MW",
              r"(\hat y-y)^{2}", r"128\times 64", r"\max(0,z)", r"\sum_i y_i\log p_i", "75", r"\exp", r"\sqrt{1+x}", r"4\,a",
              r"\text{hidden, leaky relu}", r"\text{512 units}"]
Sized = tuple[str, float]


def tex(every: list[Sized], folder: Path) -> dict[Sized, tuple[float, float]]:
    """Width and total height of every formula at its size, from one run of pdflatex."""
    if not shutil.which("pdflatex"):
        pytest.skip("pdflatex is not installed")
    lines = [rf"\fontsize{{{size}}}{{{SIZES[size]}}}\selectfont\measure{{{f}}}{{{i}}}" for i, (f, size) in enumerate(every)]
    (folder / "all.tex").write_text("\n".join([PREAMBLE + FAC, *lines, r"\end{document}"]), encoding="utf-8")
    run = subprocess.run(["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
                         cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=300, check=False)
    log = run.stdout.decode("latin-1")
    assert run.returncode == 0, log[-1500:]
    found = re.findall(r"@(\d+) ([-\d.]+)pt ?([-\d.]+)pt ?([-\d.]+)pt", log)
    assert len(found) == len(every)
    return {every[int(i)]: (float(w), float(h) + float(d)) for i, w, h, d in found}


OTHERS = (8, 9, 10, 12)


@pytest.fixture(scope="module")
def true(tmp_path_factory: pytest.TempPathFactory) -> dict[Sized, tuple[float, float]]:
    every = [(f, 10.95) for f in (*formulas(), *blocks(), *FACTORS)]
    every += [(f, size) for size in OTHERS for f in generated(9, 300)]
    every += [(rf"\textstyle {f}", size) for size in (6, 8, 9, 10) for f in IN_FIGURES]
    return tex(list(dict.fromkeys(every)), tmp_path_factory.mktemp("tex"))


@pytest.fixture(scope="module")
def measured(true: dict[Sized, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    return {f: true[f, 10.95] for f in formulas()}


def wrong(measured: dict[str, tuple[float, float]], size: float = 10.95) -> list[str]:
    """The formulas whose estimated width is more than 0.5 pt under TeX's, or over it by 3% and 0.5 pt."""
    pairs = ((f, width(f, size=size) - true, true) for f, (true, _) in measured.items())
    return [f"{f}: {error:+.2f} of {true:.2f}" for f, error, true in pairs if not -0.5 <= error <= max(0.5, 0.03 * true)]


def test_enough_formulas() -> None:
    assert len(set(generated(20261121, 600))) >= 400
    assert len(formulas()) >= 1000


def test_widths_are_those_of_tex(measured: dict[str, tuple[float, float]]) -> None:
    assert wrong(measured) == []


def test_on_average_a_tenth_of_a_point(measured: dict[str, tuple[float, float]]) -> None:
    assert statistics.mean(abs(width(f) - true) for f, (true, _) in measured.items()) < 0.1


def test_heights(measured: dict[str, tuple[float, float]]) -> None:
    off = {f: (height(f), true) for f, (_, true) in measured.items() if not -1.0 <= height(f) - true <= max(2.2, 0.03 * true)}
    assert off == {}


def test_heights_of_blocks(true) -> None:
    off = {f: (height(f), true[f, 10.95][1]) for f in blocks() if abs(height(f) - true[f, 10.95][1]) > 1.5}
    assert off == {}
    assert {f: (width(f), true[f, 10.95][0]) for f in blocks() if abs(width(f) - true[f, 10.95][0]) > 0.5} == {}


WORDS = ["in", "loss", "upstream gradient", r"sum of the products $w_ix_i$", "slope at $z_1^{(2)}$"]
FACTORS = [rf"\fac{{fOne}}{{x}}{{{word}}}{after}" for word in WORDS for after in ("", r"\,\fac{fTwo}{y}{loss}", r"\fac{fTwo}{y}{loss}")]


@pytest.mark.parametrize("formula", FACTORS)
def test_a_label_wider_than_its_factor_keeps_its_room(true, formula: str) -> None:
    """TeX gives each label its own width and a little air, so none sticks out and no two touch."""
    assert width(formula) == pytest.approx(true[formula, 10.95][0], abs=0.5)
    labels = [rf"\text{{\scriptsize {word}}}" for word in re.findall(r"\{([^{}]*(?:\{\(2\)\}[^{}]*)?)\}(?=\\|$)", formula)]
    assert len(labels) == formula.count(r"\fac")
    assert width(formula) > sum(max(18.0, width(label) + 2) for label in labels) - 0.5


@pytest.mark.parametrize("size", [6, 8, 9, 10])
def test_measured_for_a_figure_never_too_small(true, size: float) -> None:
    for formula in IN_FIGURES:
        (wide, high), guess = true[rf"\textstyle {formula}", size], measure(formula, size)
        assert wide * .3515 <= guess[0] <= wide * .3515 * 1.03 + .5, (formula, wide * .3515, guess[0])
        assert high * .3515 <= guess[1] <= high * .3515 * 1.1 + .5, (formula, high * .3515, guess[1])


def forget() -> None:
    for cache in (module._box, Sizes.metrics):
        cache.cache_clear()


@pytest.fixture
def mutant(monkeypatch: pytest.MonkeyPatch):
    """A width table in which some entries are changed."""
    def mutate(change: dict[tuple[str, str], tuple[int, ...]]) -> None:
        monkeypatch.undo()
        for key, numbers in change.items():
            monkeypatch.setitem(GLYPHS, key, numbers)
        forget()
    yield mutate
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize("font", ["lmmi", "lmr", "lmsy", "lmbx", "msbm"])
@pytest.mark.parametrize("factor", [0.97, 1.1])
def test_a_wrong_table_is_noticed(measured, mutant, font: str, factor: float) -> None:
    mutant({key: (round(v[0] * factor), round(v[1] * factor), *v[2:]) for key, v in GLYPHS.items() if key[0] == font})
    assert len(wrong({f: measured[f] for f, key in SINGLE.items() if key[0] == font})) > 10


def test_every_single_wrong_width_is_noticed(measured, mutant) -> None:
    """Each glyph 8% narrower, one at a time, in the line that holds it."""
    original, unseen = dict(GLYPHS), []
    for formula, key in SINGLE.items():
        wide, small, *rest = original[key]
        alike = [k for k in original if k[0] == key[0] and k[1].isdigit()] if key[1].isdigit() else [key]
        assert {original[k] for k in alike} == {original[key]}  # digits are measured as one, so they must be alike
        mutant(dict.fromkeys(alike, (round(wide * 0.92), round(small * 0.92), *rest)))
        if not wrong({formula: measured[formula]}):
            unseen.append(key)
    assert unseen == []
    left = {key for key in original if key not in SINGLE.values()}
    assert {font for font, _ in left} <= {"lmr", "lmbx"}  # only the punctuation of running text
    assert not any(name.isalnum() for _, name in left)


@pytest.mark.parametrize("formula, position", [
    ("a{b", 3), ("a}", 1), (r"\frac{a}", 0), ("x^", 1), (r"\begin{bmatrix}x", 16), (r"\left(x", 0), (r"x\right)", 1),
    ("x $y$", 2), ("x%y", 1), ("a&b", 1), (r"a\\b", 1), ("x^2^3", 3), ("x_1_2", 3), (r"x'^{2}'", 6), (r"\hat", 0),
    ("σ", 0), ("x#", 1), (r"\left x y", 6), (r"\begin{foo}a\end{foo}", 0), (r"\pd{L}", 0), ("x^_", 2),
    (r"\fac{a}{b}", 0), (r"\text{a $x^$}", 10)])
def test_malformed(formula: str, position: int) -> None:
    with pytest.raises(ValueError, match=f"at position {position}:"):
        check(formula)


def test_cut_anywhere_is_a_value_or_a_value_error() -> None:
    r = random.Random(3)
    for formula in generated(5, 60):
        cut = r.randrange(len(formula))
        for broken in (formula[:cut], formula[cut:], formula[:cut] + r.choice("{}^_&\\'$[]") + formula[cut:]):
            try:
                assert width(broken) >= 0
            except ValueError as error:
                assert "position" in str(error)


def test_unknown_macro_is_one_em() -> None:
    assert width(r"\unheardof") == pytest.approx(10.95)
    assert width("") == 0


def test_nested_too_deep_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="position 0: nested too deep"):
        check("{" * 3000 + "}" * 3000)


@pytest.mark.parametrize("size", OTHERS)
def test_other_sizes(true, size: float) -> None:
    assert wrong({f: true[f, size] for f in generated(9, 300)}, size) == []


def test_under_a_millisecond() -> None:
    typical = [r"\pd{L}{w^{(1)}_{12}}=\delta^{(1)}_{1}\,x_{2}", r"(\hat y-y)\cdot\sigma'(z^{(1)}_{2})", r"0.4378\cdot 2.0=\mathbf{-1.1244}"]
    for f in typical:
        width(f)
    best = float("inf")
    for _ in range(5):
        module._box.cache_clear()
        parse.cache_clear()
        start = time.perf_counter()
        for f in typical:
            width(f)
        best = min(best, (time.perf_counter() - start) / len(typical))
    assert best < 0.001
