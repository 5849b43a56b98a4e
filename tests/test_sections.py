"""Sections beside the derivation: printed alike by every page and by the JSON."""

import json
from pathlib import Path

import pytest
from course import example

from symbolic.pages import sections
from symbolic.pages.sheet import Section, Sheet, TexLine
from symbolic.produce import Request, produce, solve
from symbolic.render.documents import source_of

SPEC = example("two-layers")
MADE = Section("Steps & words", "Said 100% plainly.", (TexLine("v", r"\beta v + g"),), ("step", "$w$"),
               tuple((str(k), f"$0.{k}$") for k in range(30)), checked="proved", data=[1, 2], blanks=(("v", ()),))


@pytest.fixture
def one_section(monkeypatch: pytest.MonkeyPatch) -> None:
    def reader(sheet: Sheet) -> list[Section]:
        return [MADE]

    monkeypatch.setattr(sections, "READERS", [reader])


@pytest.mark.parametrize("kind", ["slides", "key"])
def test_every_row_reaches_the_page_escaped(one_section: None, kind: str) -> None:
    request = Request()
    source = source_of(kind, *solve(SPEC, request), request)
    assert r"Steps \& words" in source and r"100\% plainly" in source
    assert all(f"{k} & $0.{k}$" in source for k in range(30))


def test_a_worksheet_asks_for_the_blanks(one_section: None) -> None:
    request = Request()
    assert r"$\displaystyle v = {}$" in source_of("handout", *solve(SPEC, request), request)


def test_markdown_and_json(one_section: None, tmp_path: Path) -> None:
    produce(SPEC, tmp_path, Request(formats=("md", "json")), lambda line: None)
    found = json.loads((tmp_path / "41-two-layers.json").read_text())["sections"]
    assert found[0]["data"] == [1, 2] and found[0]["latex"] == [r"v = \beta v + g"] and len(found[0]["cells"]) == 30
    assert "## Steps &#38; words" in (tmp_path / "41-two-layers.md").read_text()


def test_without_a_section_the_file_stays_as_it_was(tmp_path: Path) -> None:
    produce(SPEC.parent / "05-graph.yaml", tmp_path, Request(formats=("json",)), lambda line: None)
    assert "sections" not in json.loads((tmp_path / "05-graph.json").read_text())
