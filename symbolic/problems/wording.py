r"""The words of a question: a sandboxed template, in which names between backticks become formulas.

The template knows the parameters and three blocks, ``{{ equations }}``, ``{{ numbers }}`` and ``{{ update }}``; of Jinja it may use values, ``if``,
comparisons and ``and``, ``or``, ``not``: no loop, no arithmetic, no call, no attribute. What comes out is text and formulas by our own printer, never TeX of the author's.

>>> from ..network import from_equations
>>> w = Wording("Let {{ equations }} with `x = {{ a }}`.", ["a"])
>>> for p in w.pieces({"a": "3"}, from_equations({"y": "x**2"}, {})): print(p.kind, p.runs)
words (('words', 'Let'),)
equations ()
words (('words', 'with '), ('formula', 'x = 3'), ('words', '.'))
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import jinja2
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .. import expr as ex
from ..claims.claimtext import formula, slope_name
from ..decimals import matrix
from ..errors import SpecError, nearest
from ..latex import Printer
from ..network import Network
from ..pages.texparts import number
from ..reading.choices import short
from ..reading.numbers import ValueProblem, is_decimal, parse_number
from .format import RESERVED
from .spaces import Value

ALLOWED = (nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.If, nodes.Compare, nodes.Operand,
           nodes.And, nodes.Or, nodes.Not, nodes.CondExpr, nodes.Getitem)
MOST_LETTERS = 5_000
Runs: TypeAlias = "tuple[tuple[str, str], ...]"  # ('words', text) and ('formula', LaTeX)
_MARK = "\x00"
_SIGN = re.compile(r"\s+(=|<=|>=|<|>|->)\s+")
_SIGNS = {"=": "=", "<": "<", ">": ">", "<=": r"\le", ">=": r"\ge", "->": r"\to"}


@dataclass(frozen=True)
class Piece:
    """A part of a stem. kind: 'words' (runs of ('words', text) and ('formula', LaTeX)), or the name of a block."""

    kind: str
    runs: Runs = ()


class _Shown(str):
    """A parameter in a template: its text; entries by index."""

    value: Value = ""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(self.value, tuple) and isinstance(key, int):
            return shown(self.value[key])
        raise IndexError(key)


def shown(value: Value) -> str:
    """A parameter as text: 3, ln(2)/2, [1, 2]."""
    text = _Shown(value if isinstance(value, str) else "[" + ", ".join(map(shown, value)) + "]")
    text.value = value
    return text


class Wording:
    """A template, read once. Raises ValueProblem (with a line inside the text, from 0, as its path) for what it may not hold."""

    def __init__(self, text: str, parameters: Sequence[str]) -> None:
        environment = ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined, autoescape=False)
        environment.globals.clear()
        environment.filters.clear()
        environment.tests.clear()
        if len(text) > MOST_LETTERS:
            raise ValueProblem(f"a text of {len(text):,} letters; at most {MOST_LETTERS:,} are read")
        try:
            tree = environment.parse(text)
            _allowed(tree, [*parameters, *RESERVED])
            self.template = environment.from_string(tree)  # only now: whatever is constant is worked out here
        except jinja2.TemplateError as e:
            raise ValueProblem(f"the template cannot be read: {e.message}", max(getattr(e, "lineno", 1) - 1, 0)) from None
        except ValueProblem:
            raise
        except (RecursionError, MemoryError, SyntaxError, ValueError):
            raise ValueProblem("the template is nested too deeply, or holds too long a number") from None

    def pieces(self, given: Mapping[str, Value], network: Network) -> tuple[Piece, ...]:
        """The stem of one variant. Raises SpecError for a formula that the network does not know."""
        blocks = {name: f"{_MARK}{name}{_MARK}" for name in RESERVED}
        try:
            text = self.template.render({name: shown(v) for name, v in given.items()} | blocks)
        except (jinja2.TemplateError, IndexError, TypeError) as e:
            raise SpecError(f"the template cannot be filled in: {e}") from None
        out: list[Piece] = []
        for paragraph in re.split(r"\n\s*\n", text):
            for k, part in enumerate(paragraph.split(_MARK)):
                words = " ".join(part.split())
                if k % 2:
                    out.append(Piece(words))
                elif words:
                    out.append(Piece("words", runs(words, network)))
        return tuple(out)


@lru_cache(maxsize=1024)
def worded(text: str, parameters: tuple[str, ...]) -> Wording:
    """The template of a text, read once. Raises ValueProblem."""
    return Wording(text, parameters)


def sentence(wording: Wording, given: Mapping[str, Value], network: Network) -> Runs:
    """The words of one sentence, which holds no block. Raises SpecError."""
    pieces = wording.pieces(given, network)
    for piece in pieces:
        if piece.kind != "words":
            raise SpecError(f"{{{{ {piece.kind} }}}} cannot stand in a sentence", hint="it belongs into the text of the problem")
    return tuple(run for piece in pieces for run in piece.runs)


def _allowed(tree: nodes.Template, known: Sequence[str]) -> None:
    """Raises ValueProblem for the first thing in a template that may not be there, or is not known."""
    for node in tree.find_all(nodes.Node):
        line = (getattr(node, "lineno", None) or 1) - 1
        if not isinstance(node, ALLOWED):
            raise ValueProblem(f"a {type(node).__name__.lower()} is not allowed in a template", line, hint="values, if and comparisons are")
        if isinstance(node, nodes.Name) and node.name not in known:
            raise ValueProblem(f"{node.name!r} is no parameter", line, hint=nearest(node.name, known))
        if isinstance(node, nodes.Getitem) and type(getattr(node.arg, "value", None)) is not int:  # Jinja takes a word for an attribute
            raise ValueProblem("an entry is named by a number", line, hint="as in {{ w[0] }}")


def runs(text: str, network: Network) -> Runs:
    """Words and formulas of one paragraph."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        raise SpecError("a backtick is never closed", hint="formulas stand between two of them")
    return tuple(("formula", inline(part, network)) if k % 2 else ("words", part) for k, part in enumerate(parts) if part)


def inline(text: str, network: Network) -> str:
    """LaTeX of a formula between backticks: names, du/dv, numbers, lists, joined by = < > or ->. Raises SpecError."""
    sides = _SIGN.split(text.strip())
    return "".join(f" {_SIGNS[side]} " if k % 2 else _side(side, network) for k, side in enumerate(sides))


def _side(text: str, network: Network) -> str:
    if text.startswith("["):
        return _list(text)
    known: dict[str, str] = network.memo.setdefault("sides", {})
    if text not in known:
        try:
            return number(parse_number(text), decimal=is_decimal(text))
        except ValueProblem:
            known[text] = _formula(text, network)
    return known[text]


def _formula(text: str, network: Network) -> str:
    """A name, a slope or an expression of names."""
    if text in ("learning_rate", "eta"):
        return r"\eta"
    if text.endswith("_new") and network.resolve(text[:-4]) in network.symbols:
        return Printer(network).name(network.resolve(text[:-4])) + r"_{\text{new}}"
    if slope := re.fullmatch(r"d(\w+)/d(\w+)", text):
        u, v = (network.resolve(n) for n in slope.groups())
        if u in network.symbols and v in network.symbols:  # written out, also where it has a short name
            return Printer(network).fraction(Printer(network).name(u), Printer(network).name(v))
    return Printer(network)(formula(text, network, lambda u, v: slope_name(network, u, v), ex.sym("eta")))


def _list(text: str) -> str:
    """A list of numbers as a column, a list of lists as a matrix."""
    inside = text.strip()
    rows = re.findall(r"\[([^\[\]]*)\]", inside)
    if not re.fullmatch(r"\[[^\[\]]*\]|\[\s*\[[^\[\]]*\](\s*(,\s*)?\[[^\[\]]*\])*\s*(,\s*)?\]", inside):
        raise SpecError(f"{short(text)} is no list of numbers")
    cells = [[_cell(c) for c in row.split(",")] for row in rows]
    if len(set(map(len, cells))) > 1:
        raise SpecError(f"{short(text)} has rows of different lengths")
    return matrix([[c] for c in cells[0]] if not inside.startswith("[[") else cells, 8)


def _cell(text: str) -> str:
    return number(parse_number(text.strip()), decimal=is_decimal(text))
