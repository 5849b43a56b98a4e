"""How TeX joins boxes: The TeXbook, appendix G, with the metrics of Latin Modern.

>>> sizes = Sizes(10.95)
>>> x = sizes.symbol("x", 0, "")
>>> x.box.w == sizes.metrics("lmmi", "x", 10.95)[0]
True
>>> [round(n, 1) for n in sizes.fraction(x.box, x.box, 0)]  # width, height, depth
[8.7, 12.1, 7.5]
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import NamedTuple, cast

from .texmetrics import BIN, CLOSE, DESIGNS, GAPS, GLYPHS, GROWN, KERNS, OP, OPEN, ORD, PUNCT, REL, SCRIPTS, SIGMA, SYMBOLS


class Box(NamedTuple):
    """A finished piece: width, height above and depth below the line, in points."""

    w: float = 0.0
    h: float = 0.0
    d: float = 0.0


class Atom:
    """A nucleus with its class and its scripts; `glyph` if it is a single character."""

    __slots__ = ("box", "char", "glyph", "italic", "kind", "limits", "sub", "sup")

    def __init__(self, kind: int, box: Box, italic: float = 0.0, glyph: tuple[str, str] | None = None,
                 limits: bool = False) -> None:
        self.kind, self.box, self.italic, self.glyph, self.limits = kind, box, italic, glyph, limits
        self.char = glyph is not None
        self.sup: Box | None = None
        self.sub: Box | None = None


class Sizes:
    """Joins boxes at one text size; level 0 is text, 1 script, 2 scriptscript; styles are TeX's 0 to 7."""

    def __init__(self, size: float) -> None:
        self.sizes = size, *next(s[1:] for s in SCRIPTS if size >= s[0])
        self.sigma = [[n * s / 1000 for n in SIGMA[max(5, min(10, int(s + 0.5)))]] for s in self.sizes]
        self.skip = {9: 11.0, 10: 12.0, 11: 13.6, 12: 14.5}.get(round(size), 1.2 * size)
        self.em = size * (0.979 if size >= 11 else 1.0)

    @staticmethod
    @lru_cache(maxsize=4096)
    def metrics(font: str, name: str, size: float) -> tuple[float, float, float, float]:
        """Width, height, depth and italic correction of a glyph at any size."""
        wide, small, h, d, italic = GLYPHS[font, name]
        design = 12 if size >= 11 else max(5, min(10, int(size + 0.5)))
        t, c = DESIGNS.get(font, {}).get(design, (0.0, 0.0))
        grow = 56 * t if name in SYMBOLS and SYMBOLS[name][0] == BIN else 15 * (name.isdigit() and 5 < design < 10)
        em = size / 1000
        return ((wide + t * (small - wide) + c) * em, (h + grow) * em, (d + grow * (not name.isdigit())) * em,
                italic * (1 + t / 6 if italic > 120 else 1) * em)

    def symbol(self, name: str, style: int, font: str) -> Atom | None:
        """The atom of a character or named symbol in the wanted alphabet, or None if unknown."""
        grow = 1.0
        kind, home = SYMBOLS.get(name, (ORD, font))
        if font == "lmmib":
            home, grow = ("lmbx" if home == "lmr" else home), 1.0 if home == "lmr" else 1.215
        elif (font, name) in GLYPHS and kind == ORD and (name.isalnum() and name.isascii()):
            home = font
        if (home, name) not in GLYPHS:
            return None
        w, h, d, italic = self.metrics(home, name, self.sizes[max(0, style // 2 - 1)])
        return Atom(kind, Box(w * grow, h, d), italic * grow, (home, name))

    def centred(self, w: float, total: float, level: int) -> Box:
        """A box of a total height, centred on the axis."""
        axis = 0.25 * self.sizes[level]
        return Box(w, total / 2 + axis, total / 2 - axis)

    def delimiter(self, name: str, total: float, level: int) -> Box:
        """The smallest delimiter at least `total` points high."""
        if not name:
            return Box(1.2)
        font = "lmr" if ("lmr", name) in GLYPHS and name in "()[]" else "lmmi" if name == "/" else "lmsy"
        for step in range(level, -1, -1):
            w, h, d, _ = self.metrics(font, name, self.sizes[step])
            if h + d >= total:
                return self.centred(w, h + d, level)
        for w, size in zip(GROWN[name], (12, 18, 24, 30), strict=False):
            if size >= total and w < GROWN[name][4] or name == "surd" and size >= total:
                return self.centred(w, size, level)
        least = 6.0 if GROWN[name][0] == GROWN[name][4] else 24.0 if name == "surd" else 36.0
        return self.centred(GROWN[name][4], least + 6 * ceil(max(0.0, total - least) / 6), level)

    def enclose(self, inner: Box, fences: list[str], level: int) -> Box:
        """\\left ... \\right around its content."""
        axis = 0.25 * self.sizes[level]
        reach = max(inner.h - axis, inner.d + axis) + 0.06  # on the edge, take the larger one
        need = max(reach / 500 * 901, 2 * reach - 5)
        boxes = [inner, *(self.delimiter(f, need, level) for f in fences)]
        return Box(sum(b.w for b in boxes), max(b.h for b in boxes), max(b.d for b in boxes))

    def fraction(self, num: Box, den: Box, style: int) -> Box:
        """One box over another."""
        level = max(0, style // 2 - 1)
        s, axis = self.sigma[level], 0.25 * self.sizes[level]
        up, down, clear = (s[1], s[3], 1.2) if style < 2 else (s[2], s[4], 0.4)
        up = max(up, clear + num.d + axis + 0.2)
        down = max(down, clear + den.h - axis + 0.2)
        return Box(max(num.w, den.w) + 2.4, up + num.h, down + den.d)

    def radical(self, inner: Box, style: int) -> Box:
        """A root sign over a box."""
        level = max(0, style // 2 - 1)
        clear = 0.4 + (0.4306 * self.sizes[level] if style < 2 else 0.4) / 4
        sign = self.delimiter("surd", inner.h + inner.d + clear + 0.4, level)
        total = sign.h + sign.d - 0.4
        clear = max(clear, (clear + total - inner.h - inner.d) / 2)
        return Box(sign.w + inner.w, inner.h + clear + 0.8, max(inner.d, total - inner.h - clear))

    def stack(self, rows: list[Box], strut: float) -> Box:
        """Rows that touch, each with its strut, centred on the axis."""
        total = sum(part for row in rows for part in (max(row.h, 0.7 * strut), max(row.d, 0.3 * strut)))
        return self.centred(max(b.w for b in rows), total, 0)

    def pack(self, atoms: list[Atom | float], style: int) -> Box:
        """Set atoms in a row with TeX's spaces and kerns."""
        level = max(0, style // 2 - 1)
        mu = self.sigma[level][0] / 18
        row = [a for a in atoms if isinstance(a, Atom)]
        kinds = [a.kind for a in row]
        for i, kind in enumerate(kinds):  # a sign is not a binary operator
            if kind == BIN and (i == 0 or kinds[i - 1] in (OP, BIN, REL, OPEN, PUNCT)):
                kinds[i] = ORD
            elif kind in (REL, CLOSE, PUNCT) and i and kinds[i - 1] == BIN:
                kinds[i - 1] = ORD
        if kinds and kinds[-1] == BIN:
            kinds[-1] = ORD
        w, h, d, n, last = 0.0, 0.0, 0.0, 0, None
        for atom in atoms:
            if not isinstance(atom, Atom):
                w, last = w + atom, None
                continue
            if n:
                gap = GAPS[kinds[n - 1]][kinds[n]]
                if gap != "0" and (gap == "2" or style < 4):
                    w += {"1": 3, "2": 3, "3": 4, "4": 5, "*": 0}[gap] * mu
            if last and last.glyph and atom.glyph and last.glyph[0] == atom.glyph[0] and not (last.sup or last.sub):
                font = last.glyph[0]
                if kinds[n - 1] == ORD and font in KERNS:
                    w += KERNS[font].get(last.glyph[1] + atom.glyph[1], 0) * self.sizes[level] / 1000
                    if font != "lmmi":
                        w -= last.italic
            box = self.scripted(atom, style, level) if atom.sup or atom.sub else atom.box
            w += box.w if atom.sup or atom.sub else box.w + atom.italic
            h, d, n, last = max(h, box.h), max(d, box.d), n + 1, atom
        return Box(w, h, d)

    def scripted(self, atom: Atom, style: int, level: int) -> Box:
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
