"""LaTeX read back with pylatexenc: tokens, arguments as TeX takes them, rows and cells.

>>> [item.value for item in tokens(parse(r"a+\\hat y"))]
['a', '+', 'hat', 'y']
>>> table, points_added = rows_of(tokens(parse(r"1&2\\\\[4pt]3&4")))
>>> [len(row) for row in table], points_added
([2, 2], 4.0)
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from pylatexenc.latexwalker import LatexWalker, LatexWalkerParseError  # type: ignore[import-untyped]
from pylatexenc.macrospec import EnvironmentSpec, LatexContextDb, MacroSpec  # type: ignore[import-untyped]

from .texmetrics import ALIAS, ARITY, GROWN, LENGTH, UNITS

CONTEXT = LatexContextDb()  # every macro and environment without arguments: we take those ourselves
CONTEXT.set_unknown_macro_spec(MacroSpec(""))
CONTEXT.set_unknown_environment_spec(EnvironmentSpec(""))


class Item(NamedTuple):
    """One token of mathematics: "c"haracter, "m"acro, "g"roup or "e"nvironment, with its place."""

    kind: str
    value: Any
    pos: int


def bad(pos: int, what: str) -> ValueError:
    """The error that names the place."""
    return ValueError(f"malformed LaTeX at position {pos}: {what}")


def tokens(nodes: Iterable[Any]) -> list[Item]:
    """The tokens of a list of pylatexenc nodes."""
    items: list[Item] = []
    for node in nodes:
        name = type(node).__name__
        if name == "LatexCharsNode":
            items += [Item("c", c, node.pos + i) for i, c in enumerate(node.chars) if not c.isspace()]
        elif name == "LatexMacroNode":
            items.append(Item("m", node.macroname, node.pos))
        elif name == "LatexGroupNode":
            items.append(Item("g", node.nodelist, node.pos))
        elif name == "LatexEnvironmentNode":
            items.append(Item("e", node, node.pos))
        else:
            raise bad(node.pos, "a comment, or mathematics inside mathematics")
    return items


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


@lru_cache(maxsize=64)
def parse(formula: str) -> list[Any]:
    """The nodes of pylatexenc."""
    try:
        nodes, _, _ = LatexWalker(formula, latex_context=CONTEXT, tolerant_parsing=False).get_latex_nodes()
    except LatexWalkerParseError as error:
        raise bad(error.pos, str(error.msg)) from None
    return list(nodes)
