r"""LaTeX read back: tokens, arguments as TeX takes them, rows and cells.

>>> [item.value for item in tokens(parse(r"a+\hat y"))]
['a', '+', 'hat', 'y']
>>> table, points_added = rows_of(tokens(parse(r"1&2\\[4pt]3&4")))
>>> [len(row) for row in table], points_added
([2, 2], 4.0)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from .texmetrics import ALIAS, ARITY, GROWN, LENGTH, UNITS

_TOKEN = re.compile(r"\\(begin|end)\s*\{([^{}\\]*)\}|\\([A-Za-z]+)\s*|\\(.)|(\s+)|(.)", re.DOTALL)


class Item(NamedTuple):
    """One token, with its place: "c"haracter, "m"acro, "g"roup, "e"nvironment (its name and tokens), " " blank, "$" mathematics in text."""

    kind: str
    value: Any
    pos: int


def bad(pos: int, what: str) -> ValueError:
    """The error that names the place."""
    return ValueError(f"malformed LaTeX at position {pos}: {what}")


def tokens(items: Iterable[Item]) -> list[Item]:
    """The tokens that count in mathematics."""
    out = [item for item in items if item.kind != " "]
    if inside := next((item for item in out if item.kind == "$"), None):
        raise bad(inside.pos, "mathematics inside mathematics")
    return out


class Reader:
    """Tokens taken one by one, and arguments as TeX takes them."""

    def __init__(self, items: list[Item]) -> None:
        self.items, self.i = items, 0

    def next_is(self, *values: str) -> bool:
        return self.i < len(self.items) and self.items[self.i].kind in "cm" and self.items[self.i].value in values

    def take(self, pos: int, what: str) -> Item:
        if self.i >= len(self.items):
            raise bad(pos, f"nothing follows {what}")
        self.i += 1
        return self.items[self.i - 1]

    def argument(self, pos: int, what: str) -> list[Item]:
        item = self.take(pos, what)
        if item.kind == "g":
            return tokens(item.value)
        if item.kind == "c" and item.value in "^_&'" or item.value in ("right", "\\", "end"):
            raise bad(item.pos, f"{item.value} cannot follow {what}")
        more = ARITY.get(item.value, 0) if item.kind == "m" else 0
        return [item, *(self.take(item.pos, f"\\{item.value}") for _ in range(more))]

    def bracket(self) -> list[Item] | None:
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
            name = ALIAS.get(item.value, item.value) if item.kind == "m" else str(item.value)
            name = {"<": "langle", ">": "rangle", ".": ""}.get(name, name)
            if not name or name in GROWN:
                return name
        raise bad(item.pos, f"no delimiter follows {what}")


def rows_of(items: list[Item]) -> tuple[list[list[list[Item]]], float]:
    """Tokens split into rows and cells, an empty last row being none, and the points added by \\\\[4pt]."""
    table: list[list[list[Item]]] = [[[]]]
    leads, r = 0.0, Reader(items)
    while r.i < len(items):
        item = r.take(0, "")
        if item.kind == "m" and item.value == "\\":
            if r.i < len(items) and items[r.i].pos == item.pos + 2 and (option := r.bracket()):
                text = "".join(str(i.value) for i in option)
                if not (found := LENGTH.fullmatch(text)):
                    raise bad(item.pos, f"no length: {text}")
                leads += float(found[1]) * UNITS[found[2]]
            table.append([[]])
        elif item.kind == "c" and item.value == "&":
            table[-1].append([])
        else:
            table[-1][-1].append(item)
    return (table[:-1] if len(table) > 1 and table[-1] == [[]] else table), leads


@lru_cache(maxsize=4096)
def parse(formula: str) -> tuple[Item, ...]:
    """All tokens of a formula, blanks included; what stands in braces, between dollar signs or in an environment is one. Raises ValueError."""
    top: list[Item] = []
    here, still_open = top, list[tuple[str, list[Item]]]()  # what closes it, and what it stands in
    for found in _TOKEN.finditer(formula):
        edge, name, word, sign, blank, char = found.groups()
        pos = found.start()
        closes = rf"\end{{{name}}}" if edge == "end" else char if char in ("}", "$") else None
        if closes and still_open and still_open[-1][0] == closes:
            here = still_open.pop()[1]
        elif closes in ("}", rf"\end{{{name}}}"):
            raise bad(pos, f"{closes} closes nothing" + (f", {still_open[-1][0]} was expected" if still_open else ""))
        elif edge or char in ("{", "$"):
            inner: list[Item] = []
            here.append(Item("e", (name, inner), pos) if edge else Item("g" if char == "{" else "$", inner, pos))
            still_open.append((rf"\end{{{name}}}" if edge else "}" if char == "{" else "$", here))
            here = inner
        elif char == "%":
            raise bad(pos, "a comment")
        else:
            here.append(Item("m", word or sign, pos) if word or sign else Item(" ", " ", pos) if blank else Item("c", char, pos))
    if still_open:
        raise bad(len(formula), f"it ends where {still_open[-1][0]} was expected")
    return tuple(top)
