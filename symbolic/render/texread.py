"""LaTeX read back with pylatexenc: tokens, arguments as TeX takes them, rows and cells.

>>> [item.value for item in tokens(parse(r"a+\\hat y"))]
['a', '+', 'hat', 'y']
>>> [len(row) for row in rows_of(tokens(parse(r"1&2\\\\3&4")))]
[2, 2]
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from pylatexenc.latexwalker import LatexWalker, LatexWalkerParseError  # type: ignore[import-untyped]
from pylatexenc.macrospec import EnvironmentSpec, LatexContextDb, MacroSpec  # type: ignore[import-untyped]

from .texmetrics import ALIAS, ARITY, GROWN

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

    def fence(self, pos: int, what: str) -> str:
        """The delimiter after \\left, \\right, \\big and the like; "" for none."""
        item = self.take(pos, what)
        if item.kind in "cm":
            name = ALIAS.get(item.value, item.value) if item.kind == "m" else str(item.value)
            name = {"<": "langle", ">": "rangle", ".": ""}.get(name, name)
            if not name or name in GROWN:
                return name
        raise bad(item.pos, f"no delimiter follows {what}")


def rows_of(items: list[Item]) -> list[list[list[Item]]]:
    """Tokens split into rows and cells, an empty last row being none."""
    table: list[list[list[Item]]] = [[[]]]
    for item in items:
        if item.kind == "m" and item.value == "\\":
            table.append([[]])
        elif item.kind == "c" and item.value == "&":
            table[-1].append([])
        else:
            table[-1][-1].append(item)
    return table[:-1] if len(table) > 1 and table[-1] == [[]] else table


@lru_cache(maxsize=64)
def parse(formula: str) -> list[Any]:
    """The nodes of pylatexenc."""
    try:
        nodes, _, _ = LatexWalker(formula, latex_context=CONTEXT, tolerant_parsing=False).get_latex_nodes()
    except LatexWalkerParseError as error:
        raise bad(error.pos, str(error.msg)) from None
    return list(nodes)
