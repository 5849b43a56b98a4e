r"""The LaTeX that our printer writes, as MathML for pages in a browser.

Only what `latex.Printer` uses is known; anything else raises ValueError, and the page shows the formula as text instead.

>>> mathml(r"\frac{1}{n} W^{(1)\top}")
'<math><mfrac><mn>1</mn><mi>n</mi></mfrac><msup><mi>W</mi><mrow><mo>(</mo><mn>1</mn><mo>)</mo><mo>\u22a4</mo></mrow></msup></math>'
"""

from __future__ import annotations

import re
from html import escape

TOKEN = re.compile(r"\\[a-zA-Z]+\*?|\\.|\d+(?:\.\d+)?|\s+|.", re.DOTALL)
LETTERS = {f"\\{n}": s for n, s in {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε", "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ",
    "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "zeta": "ζ", "Phi": "Φ", "Gamma": "Γ", "Delta": "Δ",
    "Theta": "Θ", "Lambda": "Λ", "Sigma": "Σ", "Omega": "Ω", "ell": "ℓ", "partial": "∂", "infty": "∞"}.items()}
WORDS = {f"\\{n}" for n in "ln log exp sin cos tan tanh sinh cosh max min det arctan arcsin sign".split()}
SIGNS = {f"\\{n}": s for n, s in {
    "odot": "⊙", "cdot": "·", "times": "×", "top": "⊤", "sum": "∑", "prod": "∏", "le": "≤", "ge": "≥", "leq": "≤", "geq": "≥", "ne": "≠", "neq": "≠", "lVert": "‖", "rVert": "‖", "lvert": "|",
    "rvert": "|", "Vert": "‖", "vert": "|", "ldots": "…", "dots": "…", "cdots": "⋯", "to": "→", "mid": "|", "prime": "′", "approx": "≈", "lfloor": "⌊", "rfloor": "⌋", "in": "∈",
    "{": "{", "}": "}", "|": "‖", "#": "#", "%": "%", "_": "_", "leftarrow": "←", "mapsto": "↦", "langle": "⟨", "rangle": "⟩", "circ": "∘", "ast": "∗", "star": "⋆", "otimes": "⊗"}.items()}
SPACES = {"\\,": "0.17em", "\\;": "0.28em", "\\:": "0.22em", "\\!": "0", "\\ ": "0.3em", "\\quad": "1em", "\\qquad": "2em", "~": "0.3em"}
STYLED = {"\\mathbf": "bold", "\\boldsymbol": "bold", "\\mathcal": "script", "\\mathrm": "normal", "\\mathbb": "normal", "\\operatorname": "normal", "\\operatorname*": "normal",
          "\\text": "normal", "\\mathit": "italic", "\\textrm": "normal"}
OVER = {"\\hat": "^", "\\widehat": "^", "\\bar": "¯", "\\overline": "¯", "\\tilde": "~", "\\widetilde": "~", "\\vec": "→", "\\dot": "˙"}
APPLY = "\u2061"  # between a function and its argument, for readers aloud
IGNORED = {"\\displaystyle", "\\textstyle", "\\limits", "\\nolimits", "\\big", "\\Big", "\\bigl", "\\bigr", "\\Bigl", "\\Bigr", "\\biggl", "\\biggr", "\\strut"}


def mathml(latex: str, *, display: bool = False) -> str:
    """The MathML of a formula. Raises ValueError for LaTeX that our printer does not write."""
    reader = _Reader([t for t in TOKEN.findall(latex) if not t.isspace()], latex)
    body = reader.row(())
    return ("<math display='block'>" if display else "<math>") + body + "</math>"


class _Reader:
    """Reads tokens once, from left to right."""

    def __init__(self, tokens: list[str], latex: str) -> None:
        self.tokens, self.at, self.latex = tokens, 0, latex

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def row(self, ends: tuple[str, ...]) -> str:
        """Everything up to one of the ends, which is taken too."""
        out = []
        while self.peek() not in ends:
            if not self.peek():
                break
            out.append(self.scripted())
        if ends and not self.peek():
            raise ValueError(f"no end in {self.latex}")
        if self.peek():
            self.next()
        return "".join(out)

    def scripted(self) -> str:
        """One atom with what stands above and below it."""
        base = "<mrow></mrow>" if self.peek() in ("^", "_") else self.atom()
        over = under = ""
        while self.peek() in ("^", "_", "'"):
            if (mark := self.next()) == "^":
                over = self.argument()
            elif mark == "_":
                under = self.argument()
            else:
                over = "<mo>′</mo>"
        if over and under:
            return f"<msubsup>{base}{under}{over}</msubsup>"
        return f"<msup>{base}{over}</msup>" if over else f"<msub>{base}{under}</msub>" if under else base

    def argument(self) -> str:
        """What stands in braces, or one atom, as one element."""
        if self.peek() == "{":
            self.next()
            inner = self.row(("}",))
            return inner if _single(inner) else f"<mrow>{inner}</mrow>"
        return self.atom()

    def words(self) -> str:
        """Plain letters in braces."""
        if self.next() != "{":
            raise ValueError(f"expected braces in {self.latex}")
        out = ""
        while self.peek() not in ("}", ""):
            out += self.next().removeprefix("\\")
        self.next()
        return out

    def atom(self) -> str:
        t = self.next()
        if t == "{":
            inner = self.row(("}",))
            return inner if _single(inner) else f"<mrow>{inner}</mrow>"
        if t in ("\\frac", "\\tfrac", "\\dfrac"):
            return f"<mfrac>{self.argument()}{self.argument()}</mfrac>"
        if t == "\\sqrt":
            return f"<msqrt>{self.argument()}</msqrt>"
        if t in ("\\left", "\\right"):
            sign = self.next()
            return "" if sign == "." else f"<mo>{escape(SIGNS.get(sign, sign))}</mo>"
        if t in OVER:
            return f"<mover>{self.argument()}<mo stretchy='false'>{OVER[t]}</mo></mover>"
        if t in STYLED:
            return self.styled(STYLED[t])
        if t == "\\begin":
            return self.table(self.words())
        if t in IGNORED:
            return ""
        if t in SPACES:
            return f"<mspace width='{SPACES[t]}'/>"
        if t in LETTERS:
            return f"<mi>{LETTERS[t]}</mi>"
        if t in WORDS:
            return f"<mi>{t[1:]}</mi><mo>{APPLY}</mo>"
        if t in SIGNS:
            return f"<mo>{escape(SIGNS[t])}</mo>"
        if t[0] == "\\":
            raise ValueError(f"no MathML for {t} in {self.latex}")
        if t[0].isdigit():
            return f"<mn>{t}</mn>"
        return f"<mi>{t}</mi>" if t.isalpha() else f"<mo>{'−' if t == '-' else escape(t)}</mo>"

    def styled(self, style: str) -> str:
        if self.peek() == "{":
            text = self.words()
        else:
            text = self.next()
        if text == "1" and style == "bold":
            return "<mn>𝟏</mn>"
        if len(text) == 1:
            return f"<mi mathvariant='normal'>{escape(text)}</mi>"
        return f"<mi>{escape(text)}</mi><mo>{APPLY}</mo>"

    def table(self, name: str) -> str:
        """cases and matrices."""
        fences = {"cases": ("{", ""), "bmatrix": ("[", "]"), "pmatrix": ("(", ")"), "matrix": ("", "")}
        if name not in fences:
            raise ValueError(f"no MathML for {name} in {self.latex}")
        rows: list[str] = []
        cells: list[str] = []
        cell = ""
        while True:
            t = self.peek()
            if t in ("&", "\\\\", "\\end", ""):
                self.at += 1
                cells.append(f"<mtd>{cell}</mtd>")
                cell = ""
                if t != "&":
                    rows.append(f"<mtr>{''.join(cells)}</mtr>")
                    cells = []
                if t == "\\end":
                    self.words()
                    break
                if not t:
                    raise ValueError(f"no end in {self.latex}")
            else:
                cell += self.scripted()
        left, right = fences[name]
        body = f"<mtable>{''.join(r for r in rows if r != '<mtr><mtd></mtd></mtr>')}</mtable>"
        return "<mrow>" + (f"<mo stretchy='true'>{left}</mo>" if left else "") + body + (f"<mo stretchy='true'>{right}</mo>" if right else "") + "</mrow>"


def _single(inner: str) -> bool:
    """Whether a piece is one element."""
    m = re.match(r"<(\w+)", inner)
    if not m:
        return False
    depth, at = 0, 0
    for tag in re.finditer(r"<(/?)(\w+)[^>]*?(/?)>", inner):
        depth += 0 if tag[3] else -1 if tag[1] else 1
        at += 1
        if depth == 0:
            return tag.end() == len(inner)
    return False
