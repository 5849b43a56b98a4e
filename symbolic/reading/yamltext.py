"""A YAML file as written: the text of every value and the line of every key.

Nothing is interpreted: `0.10` stays "0.10", `y`, `no` and `on` stay names, and only an empty
value (or `~`, `null`) becomes None. Whatever YAML cannot read is answered in one sentence.

>>> net = parse("inputs: {x: [0.05, 0.10]}\\nloss: mse\\n", "net.yaml")
>>> net.data
{'inputs': {'x': ['0.05', '0.10']}, 'loss': 'mse'}
>>> net.where("loss")
'net.yaml:2'
>>> parse("equations: {a: max(0, x)}", "net.yaml")
Traceback (most recent call last):
symbolic.errors.SpecError: net.yaml:1: YAML cuts max(0, x) at its comma; quote it: {a: "max(0, x)"}
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from ..errors import SpecError, one_line
from .paths import Step

MAX_BYTES = 5_000_000
MAX_NODES = 100_000  # counted after aliases are expanded, so that no "billion laughs" gets through
MAX_DEPTH = 50

Tree: TypeAlias = "dict[str, Tree] | list[Tree] | Text | None"


class Text(str):
    """A value as it stands in the file; `line` is where, `quoted` whether in quotes."""

    line: int = 0
    quoted: bool = False


@dataclass(frozen=True)
class Kind:
    """What a file is to be, for messages: what an empty one needs, and what to do about too many values."""

    needs: str
    many: str = ""


NETWORK = Kind("it needs 'layers:' or 'equations:'", "use 'init' to draw weights")


@dataclass(frozen=True)
class Located:
    """The contents of one file, and where each of its keys and list entries stands."""

    file: str
    data: dict[str, Tree]
    lines: dict[tuple[Step, ...], int] = field(default_factory=dict)
    halves: dict[tuple[Step, ...], str] = field(default_factory=dict)  # lists in which a comma without a blank may be that of a decimal: "0,5"

    def where(self, *path: Step) -> str:
        """File and line of a key; of the nearest key around it where it is not in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return f"{self.file}:{self.lines.get(path, 1)}"


def neighbour(missing: Path) -> str:
    """What to do about a file that is not there: the file beside it with nearly its name, where there is one."""
    with suppress(OSError, ValueError):
        beside = {p.stem: p.name for p in missing.parent.iterdir() if p.suffix == (missing.suffix or ".yaml") and p.is_file()}
        for stem in difflib.get_close_matches(missing.stem, beside, n=1):
            return f"did you mean {beside[stem]!r}?"
    return "check the name and the folder"


def read(path: Path | str, kind: Kind = NETWORK) -> Located:
    """The contents of a YAML file, or a SpecError that says what is wrong with it."""
    file = str(path)
    try:
        with open(path, "rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise SpecError("no such file", where=file, hint=neighbour(Path(file))) from None
    except IsADirectoryError:
        raise SpecError("this is a folder", where=file, hint="give the name of a YAML file in it") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SpecError(f"the file cannot be read ({reason.lower()})", where=file) from None
    return parse(_decoded(raw, file), file, kind)


def _decoded(raw: bytes, file: str) -> str:
    if len(raw) > MAX_BYTES:
        raise SpecError("the file is larger than 5 MB", where=file, hint="is it the right file?")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SpecError("the file is UTF-16", where=file, hint="save it as UTF-8")
    if b"\0" in raw:
        raise SpecError("this is not a text file", where=file, hint="give the name of a YAML file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SpecError("the file is not UTF-8", where=f"{file}:{line}", hint="save it as UTF-8") from None


def parse(text: str, file: str, kind: Kind = NETWORK) -> Located:
    """The same for a text at hand; `file` is the name used in messages."""
    try:
        loader = _Loader(text, file, kind)
        node = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        sentence = f"a character that no text has (number {error.character})"
        raise SpecError(sentence, where=f"{file}:{line}", hint="delete it") from None
    except yaml.MarkedYAMLError as error:
        raise _sentence(error, text, file) from None
    except (ValueError, OverflowError):  # PyYAML lets "\UFFFFFFFF" through to chr()
        raise SpecError("a backslash code that stands for no character", where=f"{file}:1") from None
    if node is None:
        raise SpecError("the file is empty", where=f"{file}:1", hint=kind.needs)
    if not isinstance(node, yaml.MappingNode):
        raise SpecError("expected lines of the form 'key: value'", where=f"{file}:{_line(node)}", hint=_colon(node))
    reader = _Reader(file)
    data = reader.mapping(node, ())
    return Located(file, data, reader.lines, reader.halves)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _colon(node: yaml.Node) -> str:
    """The usual reason why a file is one text and not keys with values."""
    if isinstance(node, yaml.ScalarNode) and re.search(r"\w:\S", node.value):
        return "write a blank after the colon"
    return "for example 'title: My network'"


class _Loader(yaml.SafeLoader):
    """PyYAML's reader, stopped before it can recurse too deeply or grow without bound."""

    def __init__(self, text: str, file: str, kind: Kind) -> None:
        super().__init__(text)
        self.file, self.kind, self.depth, self.nodes = file, kind, 0, 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        where = f"{self.file}:{event.start_mark.line + 1}"
        if tag := getattr(event, "tag", None):
            raise SpecError(one_line(f"a value cannot begin with ! ({tag})"), where=where, hint="quote it")
        self.depth, self.nodes = self.depth + 1, self.nodes + 1
        _check_size(self.depth, self.nodes, where, self.kind.many)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def _check_size(depth: int, nodes: int, where: str, hint: str) -> None:
    if depth > MAX_DEPTH:
        raise SpecError(f"brackets or lists nested deeper than {MAX_DEPTH} levels", where=where)
    if nodes > MAX_NODES:
        raise SpecError(f"more than {MAX_NODES:,} values", where=where, hint=hint)


class _Reader:
    """Turns YAML nodes into dict, list and Text, noting lines on the way."""

    def __init__(self, file: str) -> None:
        self.file, self.nodes = file, 0
        self.lines: dict[tuple[Step, ...], int] = {}
        self.halves: dict[tuple[Step, ...], str] = {}

    def tree(self, node: yaml.Node, path: tuple[Step, ...]) -> Tree:
        self.nodes += 1
        _check_size(len(path), self.nodes, f"{self.file}:{_line(node)}", "an alias (*) counts as all that it stands for")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return self.sequence(node, path)
        if _plain(node) is not None and node.tag == "tag:yaml.org,2002:null":
            return None
        return self.text(node)

    def text(self, node: yaml.Node) -> Text:
        text = Text(node.value)
        text.line, text.quoted = _line(node), _plain(node) is None
        if any("\ud800" <= char <= "\udfff" for char in text):  # "\ud800": half a character
            raise SpecError("a backslash code that stands for no character", where=f"{self.file}:{text.line}")
        return text

    def sequence(self, node: yaml.SequenceNode, path: tuple[Step, ...]) -> list[Tree]:
        if node.flow_style:
            self.check_commas([(item, None) for item in node.value], "[{}]")
            self.check_decimals(node.value, path)
        entries = []
        for index, item in enumerate(node.value):
            self.lines[*path, index] = _line(item)
            entries.append(self.tree(item, (*path, index)))
        return entries

    def mapping(self, node: yaml.MappingNode, path: tuple[Step, ...]) -> dict[str, Tree]:
        if node.flow_style:
            self.check_commas(node.value, "{{{}}}")
        found: dict[str, Tree] = {}
        for key_node, value in node.value:
            key = self.key(key_node, value)
            if key in found:
                first = self.lines[*path, key]
                sentence = f"the key '{one_line(key)}' stands twice (first in line {first})"
                raise SpecError(sentence, where=f"{self.file}:{_line(key_node)}", hint="delete or rename one")
            self.lines[*path, key] = _line(key_node)
            found[key] = self.tree(value, (*path, key))
        return found

    def key(self, node: yaml.Node, value: yaml.Node) -> str:
        where = f"{self.file}:{_line(node)}"
        if not isinstance(node, yaml.ScalarNode):
            raise SpecError("a key must be one word, not a list or braces", where=where, hint="quote it")
        if node.tag == "tag:yaml.org,2002:merge" and node.style is None:
            raise SpecError("merge keys (<<) are not read here", where=where, hint="write the keys out")
        pair = re.fullmatch(r"(\w+):(\S.*)", node.value)
        if pair and node.style is None and value.start_mark.index == value.end_mark.index:
            hint = one_line(f"write '{pair[1]}: {pair[2]}'")
            raise SpecError(one_line(f"a blank is missing after the colon of '{node.value}'"), where=where, hint=hint)
        return str(self.text(node))

    def check_decimals(self, items: Sequence[yaml.Node], path: tuple[Step, ...]) -> None:
        """`[0,5, 1]` has three entries, and two were meant: a comma without a blank, beside one with a blank."""
        gaps = [(a, b, b.start_mark.index - a.end_mark.index) for a, b in pairwise(items) if a.end_mark.line == b.start_mark.line]
        halves = [f"{_plain(a)},{_plain(b)}" for a, b, gap in gaps if gap == 1 and re.fullmatch(r"-?\d+ \d+", f"{_plain(a)} {_plain(b)}")]
        if halves and any(gap > 1 for *_, gap in gaps):
            pointed = halves[0].replace(",", ".")
            hint = f"a decimal has a point: {pointed}; two numbers have a blank between them: {halves[0].replace(',', ', ')}"
            raise SpecError(f"{halves[0]} may be one number or two", where=f"{self.file}:{_line(items[0])}", hint=hint)
        if halves:
            self.halves[path] = halves[0]

    def check_commas(self, pairs: Sequence[tuple[yaml.Node, yaml.Node | None]], braces: str) -> None:
        """`{a: max(0, x)}` reaches us as `a: max(0` and `x): (nothing)`."""
        for place, (key, value) in enumerate(pairs):
            before = _plain(pairs[place - 1][1]) if place and pairs[place - 1][1] is not None else None
            if value is not None and _plain(value) == "" and re.fullmatch(r"-?\d+", before or "") and re.match(r"\d", _plain(key) or ""):  # {points: 1,5}
                raise SpecError(f"YAML cuts {before},{_plain(key)} at its comma", where=f"{self.file}:{_line(key)}", hint=f"a decimal has a point: {before}.{_plain(key)}")
            value = None if value is None or _plain(value) == "" else value
            start = _plain(value or key)
            if start is None or _opened([start]) <= 0:
                continue
            pieces, closing = [start], ""
            for next_key, next_value in pairs[place + 1 :]:
                pieces.append(_plain(next_key) or "")
                if _opened(pieces) <= 0:
                    closing = f": {_plain(next_value) or '...'}" if next_value and _plain(next_value) != "" else ""
                    break
            if len(pieces) > 1 and _opened(pieces) <= 0:
                whole = ", ".join(pieces)
                quoted = f'{_plain(key)}: "{whole}"' if value else f'"{whole}"{closing}'
                numbers = re.fullmatch(r"\(([-\d., ]+)\)", whole)
                hint = f"a list has square brackets: [{numbers[1]}]" if numbers else one_line(f"quote it: {braces.format(quoted)}")
                where = f"{self.file}:{_line(value or key)}"
                raise SpecError(one_line(f"YAML cuts {whole} at its comma"), where=where, hint=hint)


def _plain(node: yaml.Node | None) -> str | None:
    """The text of an unquoted value; None for quotes, lists and braces."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) and node.style is None else None


def _opened(pieces: Iterable[str]) -> int:
    return sum(piece.count("(") - piece.count(")") for piece in pieces)


_QUOTES = "use double quotes around single ones: \"f'(x)\""

# What PyYAML says (a pattern for its problem), what we say, and what to do about it.
# {char}: the character it stopped at; {line}: the line in which the unfinished part began.
_SENTENCES: tuple[tuple[str, str, str], ...] = (
    (r"found character '\\t'", "a tab where YAML wants blanks", "use spaces"),
    (r"found character", "a value cannot begin with {char}", "put it in quotes"),
    (r"undefined alias", "a value cannot begin with * (YAML takes it for a reference)", "put it in quotes"),
    (r"expected alphabetic or numeric|duplicate anchor", "a value cannot begin with & or * or %", "put it in quotes"),
    (r"chomping|comment or a line break", "a value cannot begin with > or |", "put it in quotes"),
    (r"directive|incompatible YAML", "a line cannot begin with %", "put it in quotes"),
    (r"another document|<document start>", "a second document begins here", "leave one in the file"),
    (r"end of stream", "the quotes opened in line {line} are never closed", "close them"),
    (r"found '<stream end>'", "the bracket opened in line {line} is never closed", "close it"),
    (r"expected ',' or '.', but got '[}\]]'", "{char} does not close the bracket opened in line {line}", "close it"),
    (r"expected ',' or '.', but got '<scalar>'", "text after closing quotes", _QUOTES),
    (r"expected ',' or", "a comma or a closing bracket is missing", "or put the value in quotes"),
    (r"(but )?found '[}\]]'", "{char} closes nothing", "delete it"),
    (r"found ','", "a comma with nothing before it", "delete it"),
    (r"but found '<scalar>'", "text after closing quotes", "put the whole value in quotes"),
    (r"unknown escape|hexadecimal", "a backslash in double quotes", "use single quotes around it"),
    (r"expected ':'", "a line without 'key: value'", "write a colon and a blank after the key"),
    (r"not allowed here$", "a second colon or dash", "put the value in quotes, or begin a new line"),
    (r"block", "the line does not line up with the lines above it", "indent it like its neighbours"),
)


def _unclosed(lines: Sequence[str]) -> int:
    """The line of the last bracket that nothing closes (quotes are rare enough to be ignored)."""
    closed = 0
    for number in range(len(lines) - 1, -1, -1):
        for char in reversed(lines[number]):
            closed += (char in "]}") - (char in "[{")
            if closed < 0:
                return number
    return max(len(lines) - 1, 0)


def _sentence(error: yaml.MarkedYAMLError, text: str, file: str) -> SpecError:
    """One sentence for whatever PyYAML stumbled over."""
    problem, mark = error.problem or "", error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    opened = error.context_mark.line + 1 if error.context_mark else line + 1
    lines = re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text)  # as PyYAML counts them
    source = lines[line] if line < len(lines) else ""
    char = source[column : column + 1] or "the end of the line"
    if "expected ':'" in problem:  # noticed one line too late
        line = opened - 1
    elif "<stream end>" in problem or ("got ':'" in problem and opened <= line):  # noticed far below
        line = opened - 1 if "expected ','" in problem else _unclosed(lines)
        problem, opened = "found '<stream end>'", line + 1
    elif "end of stream" in problem:
        line = opened - 1
    rows = _SENTENCES
    if "\t" in source[: len(source) - len(source.lstrip())]:
        rows = _SENTENCES[:1]
        problem = r"found character '\t'"
    elif "<document start>" in problem and not any(above[:3] in ("...", "---") for above in lines[:line]):
        problem = "block"
    elif problem.endswith("not allowed here") and ": " not in source[:column]:
        if line and (pair := re.fullmatch(r"(\w+):([^\s\[{].*)", lines[line - 1])):  # `title:Quiz` reads as one word, and so do the lines below it
            return SpecError(one_line(f"a blank is missing after the colon of '{pair[0]}'"), where=f"{file}:{line}", hint=one_line(f"write '{pair[1]}: {pair[2]}'"))
        problem = "block"  # the first colon of its line: it is the indentation that is wrong
    for pattern, sentence, hint in rows:
        if re.search(pattern, problem):
            return SpecError(sentence.format(char=char, line=opened), where=f"{file}:{line + 1}", hint=hint)
    return SpecError(one_line(f"not valid YAML ({problem})"), where=f"{file}:{line + 1}")
