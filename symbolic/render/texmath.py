"""How LaTeX sets mathematics: what each macro, environment and piece of text becomes, as boxes.

>>> [round(n, 1) for n in Setter(10.95).formula(r"\\pd{L}{w_1}", 0)]  # width, height, depth
[21.4, 15.0, 9.2]
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, cast

from . import texmetrics as tm
from .texboxes import Atom, Box, Sizes
from .texread import Item, Reader, bad, parse, rows_of, tokens


class Setter(Sizes):
    """Sets formulas at one text size."""

    def formula(self, formula: str, style: int) -> Box:
        """The box of a formula; 0 is display style, 2 is text style."""
        return self.hlist(tokens(parse(formula)), style)

    def hlist(self, items: list[Item], style: int, font: str = "") -> Box:
        return self.pack(*self.atoms(items, style, font))

    def group(self, items: list[Item], style: int, font: str = "") -> Atom:
        """A braced group: one ordinary atom stays what it is, as in TeX."""
        atoms, end = self.atoms(items, style, font)
        if len(atoms) == 1 and isinstance(only := atoms[0], Atom) and only.kind == tm.ORD and only.sup is None and only.sub is None:
            return only
        return Atom(tm.ORD, self.pack(atoms, end))

    def atoms(self, items: list[Item], style: int, font: str) -> tuple[list[Atom | float], int]:
        """Atoms and spaces of a token list, and the style at its end."""
        out: list[Atom | float] = []
        r = Reader(items)
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
                    raise bad(pos, f"character {value!r} outside its place")
            elif kind == "g":
                out.append(self.group(tokens(value), style, font))
            elif kind == "e":
                out.append(self.environment(value))
            elif value in tm.STYLES:
                style = tm.STYLES[value] + (style & 1)
            else:
                out += self.macro(value, r, style, font, pos)
        return out, style

    def script(self, out: list[Atom | float], mark: str, r: Reader, style: int, font: str, pos: int) -> None:
        """Attach a superscript, subscript or run of primes to the last atom."""
        if not out or not isinstance(out[-1], Atom):
            out.append(Atom(tm.ORD, Box()))
        atom = cast(Atom, out[-1])
        if (atom.sub if mark == "_" else atom.sup) is not None:
            raise bad(pos, f"double {'subscript' if mark == '_' else 'superscript'}")
        if mark == "_":
            atom.sub = self.hlist(r.argument(pos, mark), 2 * (style // 4) + 5, font)
            return
        content: list[Item] = []
        if mark == "'":
            content.append(Item("m", "prime", pos))
            while r.next_is("'"):
                content.append(Item("m", "prime", r.take(pos, mark).pos))
        if mark == "^" or r.next_is("^"):
            r.i += mark == "'"
            content += r.argument(pos, mark)
        atom.sup = self.hlist(content, 2 * (style // 4) + 4 + (style & 1), font)

    def macro(self, name: str, r: Reader, style: int, font: str, pos: int) -> list[Atom | float]:
        """What a macro sets."""
        level = max(0, style // 2 - 1)
        known = tm.ALIAS.get(name, name)
        if (len(name) > 1 or name in tm.ALIAS) and (atom := self.symbol(known, style, font)):
            return [atom]
        if name in tm.SPACES:
            return [tm.SPACES[name] * self.sigma[level][0] / 18]
        if name in tm.EMS:
            return [tm.EMS[name] * self.em]
        if name in tm.IGNORED:
            return []
        if name in tm.BIG:
            w, ic, wd, icd, total, totald = (n / 100 for n in tm.BIG[name])
            w, ic, total = (wd, icd, totald) if style < 2 else (w, ic, total)
            return [Atom(tm.OP, self.centred(w, total, level), ic, limits=style < 2 and "int" not in name)]
        if name in tm.NAMED or name in tm.LIMITS:
            box = self.hlist([Item("c", c, pos) for c in name], style, "lmr")
            return [Atom(tm.OP, box, limits=style < 2 and name in tm.LIMITS)]
        if name in ("ldots", "dots", "dotsc", "cdots", "dotsb", "dotsm", "vdots", "ddots"):
            w = 3 * self.metrics("lmr", ";", self.sizes[level])[0] + 2 * self.sigma[level][0] / 6
            rise = {"l": 0.11, "v": 1.4, "d": 1.4 if name == "ddots" else 0.31}.get(name[0], 0.31)
            return [Atom(tm.INNER, Box(w, rise * self.sizes[level]))]
        if name == "left":
            return [self.fenced(r, style, font, pos)]
        if name in ("right", "\\", "begin", "end", "#", "verb"):
            raise bad(pos, f"\\{name} outside its place")
        if found := tm.FENCED.match(name):
            fence = r.fence(pos, f"\\{name}")
            total = {"big": 1.2, "Big": 1.8, "bigg": 2.4, "Bigg": 3.0}[found[1]] * self.sizes[0]
            kind = {"l": tm.OPEN, "r": tm.CLOSE, "m": tm.REL, "": tm.ORD}[found[2]]
            sign = self.delimiter(fence, max(0.901 * total, total - 5), 0) if fence else Box()
            return [Atom(kind, self.centred(sign.w, max(total, sign.h + sign.d), level))]
        if name in ("%", "$", "&", "_", "lq", "rq"):
            return [Atom(tm.ORD, Box(self.sizes[level] * 0.9, self.sizes[level] * 0.75, self.sizes[level] * 0.06))]
        if name not in tm.ARITY:
            return [Atom(tm.ORD, Box(self.sizes[level], 0.75 * self.sizes[level], 0.25 * self.sizes[level]))]
        return self.construct(name, r, style, font, pos)

    def construct(self, name: str, r: Reader, style: int, font: str, pos: int) -> list[Atom | float]:
        """A macro with arguments."""
        what, tight, level = f"\\{name}", style | 1, max(0, style // 2 - 1)
        below = name == "operatorname" and r.next_is("*")  # its scripts stand above and below it
        r.i += below
        if name in ("text", "mbox", "textrm", "textbf", "textit"):
            item = r.take(pos, what)
            if item.kind != "g":
                raise bad(item.pos, f"{what} needs braces")
            return [Atom(tm.ORD, self.text(item.value, self.sizes[level], "lmbx" if name == "textbf" else "lmr"))]
        args = [r.argument(pos, what) for _ in range(min(2, tm.ARITY[name]))]
        a, b = args[0], args[-1]
        if name in ("hl", "textcolor"):
            return [Atom(tm.ORD, self.hlist(b, style, font))]
        if name == "pd":
            a, b = [Item("m", "partial", pos), *a], [Item("m", "partial", pos), *b]
        if name in ("pd", "frac", "tfrac", "dfrac"):
            style = {"tfrac": 2, "dfrac": 0}.get(name, style)
            return [Atom(tm.ORD, self.over(a, b, style, font))]
        if name in tm.ACCENTS:
            atom = self.group(a, tight, font)
            w, h, d = atom.box
            rise = tm.ACCENTS[name] * self.sizes[level] / 1000 + h - min(h, 0.4306 * self.sizes[level])
            accented = Atom(tm.ORD, Box(w, max(h, rise), d), atom.italic)
            accented.char = atom.char
            return [accented]
        if name == "operatorname":
            return [Atom(tm.OP, self.hlist(a, style, "lmr"), limits=below and style < 2)]
        if name in tm.ALPHABETS:
            return [self.group(a, style, tm.ALPHABETS[name])]
        if name == "sqrt":
            return [Atom(tm.ORD, self.radical(self.hlist(a, tight, font), style))]
        inner = self.hlist(args[1] if name == "fac" else a, 0, font)
        if name == "fac":
            strut = self.hlist(tokens(parse(r"\pd{\hat y}{z_1^{(2)}}")), 0)
            inner = Box(inner.w, max(inner.h, strut.h), max(inner.d, strut.d))
        tall = 0.66 + 0.57 * self.sizes[0]
        up, down = (tall, 0.0) if name == "overbrace" else (0.0, tall)
        brace = Atom(tm.OP, Box(max(inner.w, 18.0), inner.h + up, inner.d + down), limits=True)
        if name != "fac":
            return [brace]
        label, small = r.take(pos, what), tm.TEXT_SIZES["scriptsize"]
        words = self.text(label.value, small, "lmr")
        brace.sub = words._replace(w=words.w + 0.334 * small)  # a thin space on either side
        return [Atom(tm.ORD, self.pack([brace], 0))]

    def over(self, top: list[Item], bottom: list[Item], style: int, font: str) -> Box:
        """A fraction of two token lists, in the styles of TeX."""
        step = 2 - 2 * (style // 6)
        return self.fraction(self.hlist(top, style + step, font), self.hlist(bottom, 2 * (style // 2) + 1 + step, font), style)

    def fenced(self, r: Reader, style: int, font: str, pos: int) -> Atom:
        """\\left with its \\right."""
        fences, depth = [r.fence(pos, "\\left")], 1
        part: list[Item] = []
        while True:
            item = r.take(pos, "\\left that closes it (no \\right)")
            depth += (item.value == "left") - (item.value == "right") if item.kind == "m" else 0
            if not depth:
                break
            part.append(item)
        fences.append(r.fence(item.pos, "\\right"))
        atoms, end = self.atoms(part, style, font)
        inner = self.pack([Atom(tm.OPEN, Box()), *atoms, Atom(tm.CLOSE, Box())], end)
        return Atom(tm.INNER, self.enclose(inner, fences, max(0, style // 2 - 1)))

    def environment(self, node: Any) -> Atom:
        """A matrix or cases; its rows are centred on the axis."""
        name = node.environmentname
        if name not in tm.MATRICES:
            raise bad(node.pos, f"unknown environment {name}")
        skip, gap = (1.2 * self.skip, self.em) if name == "cases" else (self.skip, 10.0)
        table, leads = rows_of(tokens(node.nodelist))
        boxes = [[self.hlist(cell, 2) for cell in row] for row in table]
        columns = [max((row[j].w for row in boxes if j < len(row)), default=0.0) for j in range(max(map(len, boxes)))]
        w = sum(columns) + gap * max(name == "cases", len(columns) - 1)
        block = self.stack([Box(w, max(b.h for b in row), max(b.d for b in row)) for row in boxes], skip)
        block = Box(w, block.h + leads / 2, block.d + leads / 2)
        fences = tm.MATRICES[name]
        return Atom(tm.INNER, self.enclose(block, [f.rstrip(".") for f in fences], 0)) if fences[0] else Atom(tm.ORD, block)

    def text(self, nodes: Iterable[Any], size: float, font: str) -> Box:
        """Upright text."""
        box, before = Box(0, 0, 0), ""
        for node in nodes:
            name = type(node).__name__
            if name == "LatexCharsNode":
                for c in re.sub(r"\s+", "~", node.chars).replace("---", "—").replace("--", "–"):
                    if (font, c) not in tm.GLYPHS and ("lmr", c) not in tm.GLYPHS:
                        w, h, d = size * (0.5 if c == "–" else 1.0), 0.0, 0.0
                    else:
                        w, h, d, _ = self.metrics(font if (font, c) in tm.GLYPHS else "lmr", c, size)
                    if c == "~" and before and before in ".?!:":  # the end of a sentence
                        w += size / 9
                    w += tm.KERNS[font].get(before + c, 0) * size / 1000
                    box, before = Box(box.w + w, max(box.h, h), max(box.d, d)), c
                continue
            part = Box()
            if name == "LatexMathNode":
                part = Setter(size).hlist(tokens(node.nodelist), 2)
            elif name == "LatexGroupNode":
                part = self.text(node.nodelist, size, font)
            elif name == "LatexMacroNode" and node.macroname in tm.TEXT_SIZES:
                size = tm.TEXT_SIZES[node.macroname]
            elif name == "LatexMacroNode" and node.macroname in ("textbf", "bfseries"):
                font = "lmbx"
            elif name == "LatexMacroNode" and node.macroname not in ("textit", "emph", "textrm"):
                part = Box(0.9 * size if node.macroname in "%&_#$" else size / 3, 0.75 * size, 0.0)
            box, before = Box(box.w + part.w, max(box.h, part.h), max(box.d, part.d)), ""
        return box
