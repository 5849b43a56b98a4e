"""Reading YAML: text, lines, and a sentence with the line for whatever YAML cannot read."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from symbolic.errors import SpecError, one_line
from symbolic.reading.yamltext import MAX_BYTES, Located, Text, parse, read

LAUGHS = "a: &a [0,0,0,0,0,0,0,0,0]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 9)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True))  # fmt: skip

MISTAKES = [  # text, line, fragment
    ("a: 1\nb: {points: 6,5}", 2, "YAML cuts 6,5 at its comma; a decimal has a point: 6.5"),
    ("a: 1\n\tb: 2", 2, "tab"),
    ("\ta: 1", 1, "tab"),
    ("layers:\n\t- {units: 2}", 2, "tab"),
    ("a:\t1", 1, "tab"),
    ("a: 1\nb: 2\na: 3", 3, "'a' stands twice (first in line 1)"),
    ("a: {x: 1, x: 2}", 1, "'x' stands twice"),
    ("a: {a: max(0, x)}", 1, 'quote it: {a: "max(0, x)"}'),
    ("at: 1\na: {b: 2, a: max(0, min(x, 1)), c: 3}", 2, 'quote it: {a: "max(0, min(x, 1))"}'),
    ("a: {m: sum(X, axis=0), b: 2}", 1, 'quote it: {m: "sum(X, axis=0)"}'),
    ("a: {f(x, y): 2}", 1, 'quote it: {"f(x, y)": 2}'),
    ("a: [max(0, x), 2]", 1, 'quote it: ["max(0, x)"]'),
    ("a: @x", 1, "cannot begin with @"),
    ("a: %x", 1, "cannot begin with %"),
    ("a: `x`", 1, "cannot begin with `"),
    ("a: *x", 1, "cannot begin with *"),
    ("a: & b", 1, "& or *"),
    ("a: !x", 1, "cannot begin with !"),
    ("a: !!python/object:os.system 1", 1, "cannot begin with !"),
    ("a: >x", 1, "cannot begin with > or |"),
    ("%x: 2", 1, "%"),
    ("%YAML 2.0\n---\na: 1", 1, "cannot begin with %"),
    ("a: [1, 2\nb: 2", 1, "never closed"),
    ("a: 1\nb: {b: 2", 2, "opened in line 2 is never closed"),
    ("a: 1\nb: [1,\n", 2, "opened in line 2 is never closed"),
    ("a: [1, 2]]", 1, "] closes nothing"),
    ("a: }", 1, "} closes nothing"),
    ("a: {b: [1}", 1, "} does not close"),
    ("a: [,]", 1, "a comma with nothing before it"),
    ("a: {b: X[0, 1]}", 1, "put the value in quotes"),
    ("a: 'x\nb: 2\n", 1, "never closed"),
    ('a: "b" c', 1, "text after closing quotes"),
    ("a: {'f'(x)': 2}", 1, "f'(x)"),
    ('a: "\\q"', 1, "use single quotes"),
    ('a: "\\UFFFFFFFF"', 1, "stands for no character"),
    ('a: "\\ud800"', 1, "stands for no character"),
    ("a: b: c", 1, "second colon"),
    ("a: 1\n  b: 2", 2, "line up"),
    ("  a: 1\nb: 2", 2, "line up"),
    ("a:\n  - 1\n b: 2", 3, "line up"),
    ("a: 1\nb\nc: 2", 2, "without 'key: value'"),
    ("key:value", 1, "write a blank after the colon"),
    ("a: {x:1}", 1, "write 'x: 1'"),
    ("", 1, "the file is empty"),
    ("# nothing\n", 1, "the file is empty"),
    ("- 1\n- 2", 1, "key: value"),
    ("just text", 1, "key: value"),
    ("a: 1\n---\nb: 2", 2, "second document"),
    ("a: 1\n...\nb: 2", 3, "second document"),
    ("a: {{b: 1}: 2}", 1, "a key must be one word"),
    ("a: &x {b: 1}\nc:\n  <<: *x", 3, "merge keys"),
    ("a: &a [*a]", 1, "deeper than 50"),
    ("a: " + "[" * 60 + "]" * 60, 1, "deeper than 50"),
    (LAUGHS, 6, "more than 100,000 values"),
    ("a: 1\nb: \x01", 2, "a character that no text has"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "fragment"), MISTAKES)
def test_one_sentence_with_the_line(text: str, line: int, fragment: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse(text, "net.yaml")
    if text != LAUGHS:
        assert caught.value.where == f"net.yaml:{line}"
    assert fragment in str(caught.value) and "\n" not in str(caught.value)


def test_text_stays_as_written() -> None:
    found = parse("n: 0.10\ny: 1e-3\nno: yes\non: [010, 0x1F, 2020-01-01, 1:30, 1_000]\nnull: 'null'\n", "f")
    assert found.data == {"n": "0.10", "y": "1e-3", "no": "yes", "on": ["010", "0x1F", "2020-01-01", "1:30", "1_000"], "null": "null"}


def test_only_nothing_is_nothing() -> None:
    assert parse("a:\nb: ~\nc: null\nd: ''\ne: {y}\n", "f").data == {"a": None, "b": None, "c": None, "d": "", "e": {"y": None}}


def test_every_key_and_value_has_its_line() -> None:
    found = parse("# head\nlayers:\n  - units: 2\n    W:\n      - [1, 2]\n      - [3,\n         4]\nloss: mse\n", "n.yaml")
    places = {(): 1, ("layers",): 2, ("layers", 0): 3, ("layers", 0, "W"): 4, ("layers", 0, "W", 1, 1): 7, ("loss",): 8}
    assert {path: found.where(*path) for path in places} == {path: f"n.yaml:{line}" for path, line in places.items()}
    assert found.where("layers", 0, "b") == "n.yaml:3"  # not in the file: where it would stand
    leaf = found.data["loss"]
    assert isinstance(leaf, Text) and leaf.line == 8 and not leaf.quoted


def test_aliases_and_windows_line_ends_are_read() -> None:
    assert parse("\ufeffa: &x [1, 2]\r\nb: *x\r\n".removeprefix("\ufeff"), "f").data == {"a": ["1", "2"], "b": ["1", "2"]}


@pytest.mark.parametrize(
    ("raw", "fragment"),
    [(b"a: \xff", "not UTF-8"), ("a: 1".encode("utf-16"), "UTF-16"), (b"a\0b", "not a text file"), (b"%PDF-1.4\n\0", "not a text"),
     (b"a" * (MAX_BYTES + 1), "larger than 5 MB")],
)  # fmt: skip
def test_files_that_are_no_text(tmp_path: Path, raw: bytes, fragment: str) -> None:
    file = tmp_path / "net.yaml"
    file.write_bytes(raw)
    with pytest.raises(SpecError, match=fragment):
        read(file)


def test_the_line_of_a_wrong_byte(tmp_path: Path) -> None:
    file = tmp_path / "net.yaml"
    file.write_bytes(b"a: 1\nb: \xe9\n")
    with pytest.raises(SpecError, match="net.yaml:2: the file is not UTF-8"):
        read(file)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    for path, fragment in ((tmp_path / "no.yaml", "no such file"), (tmp_path, "folder"), ("a\0b", "cannot be read")):
        with pytest.raises(SpecError, match=fragment):
            read(path)
    file = tmp_path / "bom.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read(file).data == {"a": "1"}


def test_messages_stay_on_one_line() -> None:
    assert one_line("a\n\tb\x1b[31m") == "a b?[31m" and len(one_line("x" * 1000)) == 300


YAML_LIKE = st.text("ab:{}[],-\n\t '\"#&*!|>%@?()~<.1", max_size=60)


@given(st.one_of(st.text(max_size=80), YAML_LIKE, YAML_LIKE.map("a: {}".format)))
def test_any_text_is_read_or_answered(text: str) -> None:
    start = time.perf_counter()
    try:
        assert isinstance(parse(text, "net.yaml"), Located)
    except SpecError as error:
        assert error.where.startswith("net.yaml:") and str(error).isprintable()
    assert time.perf_counter() - start < 1
