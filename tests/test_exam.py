"""Exams: rosters, papers, keys, the same bytes in whatever company, runs that are killed, and people whose names are not ASCII."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from click.testing import CliRunner, Result

from symbolic.cli import main
from symbolic.errors import ChainruleError, SpecError
from symbolic.exam import bulk, draw, manifest, pages, printing, roster, spec, work
from symbolic.exam.bulk import produce, stem
from symbolic.exam.draw import Fingerprint, shared
from symbolic.exam.roster import Student
from symbolic.exam.settle import settle
from symbolic.exam.workers import Here, Processes
from symbolic.render import text as render_text
from symbolic.render.engine import compile_pdf, find_engine

ROOT = Path(__file__).parent.parent
MIDTERM = ROOT / "examples" / "exam" / "midterm.yaml"
NAMES = {"1001": "O'Brien", "1002": "Łukasz", "1003": "Ştefan", "1004": "Αλέξανδρος", "1005": "李雷", "1006": "שרה", "1007": r"$100_%&{}\input{x}", "1009": "Zoë"}
PLAIN = [Student("17", "Ada"), Student("18", "Łukasz"), Student("19", "Zoë", large=True)]


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


def small(*problems: object, **more: object) -> spec.Exam:
    return spec.build({"title": "Quiz", "secret": "not for students", "problems": list(problems or ["graph-fork", "chain-rule-choice"]), **more})


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def text(path: Path, *options: str) -> str:
    return subprocess.run(["pdftotext", "-enc", "UTF-8", *options, str(path), "-"], capture_output=True, check=True).stdout.decode()


@pytest.fixture(scope="module")
def midterm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The example, printed once."""
    folder = tmp_path_factory.mktemp("midterm")
    return folder, run("exam", MIDTERM, "-o", folder, "--to", "pdf,tex,json")


# ---------------------------------------------------------------- the roster

def test_two_bad_lines_are_named_and_nothing_else_is_lost(midterm: tuple[Path, Result]) -> None:
    folder, result = midterm
    assert result.exit_code == 1
    assert "students.csv:10: an empty line" in result.stderr
    assert "students.csv:11: the identifier 1003 stands already in line 4 (Ştefan); no paper for Twice" in result.stderr
    assert {p.stem for p in (folder / "papers").glob("*.pdf")} == {p.stem for p in (folder / "keys").glob("*.pdf")} == {*NAMES, "1008"}


@pytest.mark.parametrize(("content", "expected"), [
    ("name;id\nZoë;1\n", [("1", "Zoë")]),
    ("Student ID\tFull Name\n 1 \t Zoë  Z \n", [("1", "Zoë Z")]),
    ('"id","name"\n"1","Lovelace, Ada"\n', [("1", "Lovelace, Ada")]),
    ("id\n1\n2\n", [("1", ""), ("2", "")]),
    ("section,Name,ID,\nA,Zoë,1,\n", [("1", "Zoë")]),
    ("ID NUMBER;LAST NAME;FIRST NAME\n1;Groß;Zoë\n2;Groß;\n", [("1", "Zoë Groß"), ("2", "Groß")]),
])
def test_rosters_are_read_as_spreadsheets_write_them(content: str, expected: list[tuple[str, str]]) -> None:
    for mark in ("", "\ufeff"):
        found = roster.parse(mark + content.replace("\n", "\r\n"), "r.csv")
        assert [(s.id, s.name) for s in found.students] == expected and not found.complaints


@pytest.mark.parametrize(("content", "sentence"), [
    ("id,name\n,Zoë\n", "r.csv:2: the identifier is missing; no paper for Zoë"),
    ("id,name\n1,Lovelace, Ada\n", "r.csv:2: 3 cells under 2 columns; no paper for 1; a name with a delimiter needs quotes"),
    ("id,name\n1,\n", "r.csv:2: the name of 1 is missing; the paper has a line for it"),
    ("id,name\na1,X\nA1,Y\n", "r.csv:3: the identifier A1 stands already in line 2 (X); no paper for Y"),
    ("id,name\n , \n1,X\n", "r.csv:2: an empty line"),
    ('id,name\n1,"Zoë\n2,Ada\n3,"X"\n4,Y\n', "r.csv:2: a quotation mark joins lines 2 to 4; is it closed? No paper for 1 Zoë 2,Ada 3,X\""),
    ("id,name\n1,X\n1\u200b,Y\n", "r.csv:3: the identifier 1? stands already in line 2 (X); no paper for Y"),
    ("id,name,large print\n1,X,perhaps\n", "r.csv:2: large print of 1: expected true or false, not 'perhaps'; the paper is in ordinary print"),
])
def test_a_line_that_cannot_be_used_is_named(content: str, sentence: str) -> None:
    assert roster.parse(content, "r.csv").complaints == [sentence]


@pytest.mark.parametrize(("content", "sentence"), [
    (b"", "the roster is empty"), (b"who,name\n1,X\n", "no column is called 'id'; the first line names the columns, as in id,name; here it is 'who', 'name'"), (b"id,id\n1,2\n", "two columns hold the id"),
    ("id,name\n1,Zoë\n".encode("latin-1"), "not UTF-8"), ("id,name\n1,Ann\n".encode("utf-16-le"), "bytes that are 0: is it UTF-16 without its mark?"),
])
def test_what_is_no_roster_is_said(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    with pytest.raises(SpecError, match=re.escape(sentence)):
        roster.read(path)
    path.write_bytes(b"id,name\n")
    assert roster.read(path).complaints == [f"{path}: nobody is named"]
    path.write_bytes("id,name\n1,Zoë\n".encode("utf-16"))
    assert roster.read(path).students[0].name == "Zoë"


# ---------------------------------------------------------------- the exam file

@pytest.mark.parametrize(("change", "sentence"), [
    ({"problems": ["one-nuron"]}, "problems, entry 1: no problem is called 'one-nuron'; did you mean 'one-neuron'?"),
    ({"problems": [{"name": "one-neuron", "point": 3}]}, "problems, entry 1: unknown key 'point'; did you mean 'points'?"),
    ({"titel": "x"}, "unknown key 'titel'; did you mean 'title'?"),
    ({"secret": "short"}, "secret: expected at least 8 letters"),
    ({"secret": {"file": None}}, "secret: expected a text, {file: NAME} or {env: NAME}"),
    ({"secret": ["a long enough word"]}, "secret: expected a text, {file: NAME} or {env: NAME}"),
    ({"large_print": [["1001"]]}, "large_print, entry 1: expected an identifier"),
    ({"secret": {"file": "/dev/zero"}}, "no text of at most 10,000 letters"),
    ({"secret": {"env": "NO_SUCH_VARIABLE"}}, "secret: the environment variable 'NO_SUCH_VARIABLE' is not set"),
    ({"bank": "nowhere"}, "bank, entry 1: no such folder"),
    ({"large_print": "perhaps"}, "large_print: expected true or false"),
])
def test_a_mistake_in_the_exam_is_named(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(SpecError, match=re.escape(sentence)):
        spec.build({"title": "Quiz", "secret": "not for students", "problems": ["one-neuron"], **change})


def test_a_file_that_is_empty_or_too_large_is_told_what_an_exam_needs(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    for text, told in (("", "'title:', 'secret:' and 'problems:'"), (f"a: &a [{'1,' * 99}1]\nb: &b [{'*a,' * 99}*a]\nc: [{'*b,' * 99}*b]\n", "an alias (*) counts"),
                       ("title:Quiz\nsecret: not for students\n", "write 'title: Quiz'"), ("title: Q\nsecret: not for students\nproblems: [one-neuron]\nlarge_print: 4711\n", "[4711]")):
        path.write_text(text)
        with pytest.raises(SpecError, match=re.escape(told)) as error:
            spec.load(path)
        assert "layers" not in str(error.value) and "init" not in str(error.value)


def test_a_mistake_in_the_file_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text("title: Quiz\nsecret: not for students\nproblems:\n  - one-neuron\n  - {name: grap-fork}\n")
    result = run("exam", path, "--variants", 1)
    assert result.exit_code == 2 and f"{path}:5: problems, entry 2: no problem is called 'grap-fork'" in result.stderr


def test_a_problem_of_the_course_stands_beside_the_bank(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    shutil.copy(spec.OWN / "graph-fork.yaml", tmp_path / "own" / "ours.yaml")
    exam = spec.build({"title": "Quiz", "secret": "not for students", "bank": "own", "problems": ["ours"]}, tmp_path)
    assert draw.paper(exam, PLAIN[0]).questions[0].problem == "ours"


def test_points_are_shared_out() -> None:
    q = draw.question(small({"name": "one-neuron", "points": 12}), PLAIN[0], 0)
    assert q.points == 12 and [sum(x.marks for x in p.solution) for p in q.parts] == [p.points for p in q.parts]
    with pytest.raises(SpecError, match="cannot be worth 1 point"):
        draw.checked(small({"name": "one-neuron", "points": 1}))
    assert shared(6, [2, 1]) == [4, 2] and shared(5, [1, 0, 1], least=0) == [3, 0, 2]


# ---------------------------------------------------------------- draws

def test_a_draw_depends_on_its_identifiers_alone() -> None:
    exam = small("one-neuron", "graph-fork")
    alone = draw.question(small("graph-fork"), PLAIN[0], 0)
    assert draw.paper(exam, PLAIN[0]).questions[1] == alone
    for other in (small("graph-fork", secret="another secret"), small("graph-fork", id="retake")):
        assert draw.question(other, PLAIN[0], 0).canonical != alone.canonical
    twice = draw.paper(small("graph-fork", "graph-fork"), PLAIN[0])
    assert len({q.canonical for q in twice.questions}) == 2


def prints(*papers: str) -> list[list[Fingerprint]]:
    """Papers of one question: a canonical form and a final answer, as in 'a1'."""
    return [[Fingerprint(p[0], (p[1],))] for p in papers]


def test_no_two_papers_alike_and_no_neighbours_that_end_alike() -> None:
    asked: list[tuple[int, int]] = []

    def redraw(k: int, place: int, attempt: int) -> Fingerprint:
        asked.append((k, attempt))
        return Fingerprint(f"new{k}{attempt}", (f"{k}{attempt}",))

    found = settle(prints("a1", "b2", "a3", "c3", "d4"), [None] * 5, redraw)
    assert found.tries == [(0,), (0,), (1,), (0,), (0,)] and asked == [(2, 1)] and not found.twins
    assert settle(prints("a1", "b1", "c2", "d3"), [None] * 4, redraw).tries[1] == (1,)
    assert settle(prints("a1", "b1", "c1", "d1"), [None] * 4, redraw).tries == [(0,)] * 4, "a part with one answer is left alone"


def test_a_problem_without_enough_draws_is_said_and_not_tried_forever() -> None:
    asked: list[int] = []

    def redraw(k: int, place: int, attempt: int) -> Fingerprint:
        asked.append(k)
        return Fingerprint("a", ("1",))

    found = settle(prints(*["a1"] * 50), [None] * 50, redraw)
    assert len(found.twins) == 49 and len(asked) < 50


def test_papers_that_are_printed_keep_their_draws() -> None:
    fixed = [((2,), prints("a1")[0]), None]
    found = settle([prints("z9")[0], prints("a3")[0]], fixed, lambda k, place, attempt: Fingerprint("b", ("4",)))
    assert found.tries == [(2,), (1,)]


def test_positions_of_right_options_are_balanced() -> None:
    exam = small("chain-rule-choice")
    places = [draw.question(exam, Student(str(k)), 0).parts[0].answer.right[0] for k in range(60)]
    assert all(6 <= places.count(k) <= 26 for k in range(4)), places


# ---------------------------------------------------------------- pages

@pytest.mark.parametrize("student", NAMES)
def test_every_name_is_right_on_its_page(student: str, midterm: tuple[Path, Result]) -> None:
    name = NAMES[student]
    for kind in ("papers", "keys"):
        found = text(midterm[0] / kind / f"{student}.pdf", "-l", "1").replace("’", "'")
        assert name in found or name[::-1] in found, (kind, found[:300])  # letters from the right may come in the order of the page


def test_a_very_long_name_stays_within_the_margins(midterm: tuple[Path, Result]) -> None:
    boxes = text(midterm[0] / "papers" / "1008.pdf", "-bbox", "-l", "1")
    assert "ancestors" in boxes and max(float(x) for x in re.findall(r'xMax="([\d.]+)"', boxes)) < 595 - 50


def test_all_words_of_all_pages_are_within_the_margins(midterm: tuple[Path, Result]) -> None:
    for path in sorted(midterm[0].rglob("*.pdf")):
        boxes = re.findall(r'xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)"', text(path, "-bbox"))
        for box in boxes:
            left, top, right, bottom = map(float, box)
            assert left > 50 and top > 35 and right < 595 - 50 and bottom < 842 - 15, (path.name, box)


def test_large_print_is_large(midterm: tuple[Path, Result]) -> None:
    def tallest(student: str) -> float:
        words = re.findall(r'yMin="([\d.]+)" xMax="[\d.]+" yMax="([\d.]+)">Compute<', text(midterm[0] / "papers" / f"{student}.pdf", "-bbox"))
        return max(float(b) - float(a) for a, b in words)

    assert tallest("1006") == pytest.approx(1.6 * tallest("1004"), rel=0.02)
    assert json.loads((midterm[0] / "keys" / "1006.json").read_text())["large_print"] is True


def test_a_paper_holds_no_answer_and_its_key_all_of_them(midterm: tuple[Path, Result]) -> None:
    folder = midterm[0]
    paper, key = text(folder / "papers" / "1001.pdf"), text(folder / "keys" / "1001.pdf")
    assert "Solution" not in paper and "Common error" not in paper and "Marker" not in paper
    assert all(word in key for word in ("Solution", "Common error", "Marker’s table", "right within", "+1"))
    assert all(word in paper for word in ("Midterm examination", "Identifier", "Reached", "Total", "End of the exam", "Draw"))
    data = json.loads((folder / "keys" / "1001.json").read_text())
    assert data["points"] == sum(q["points"] for q in data["questions"]) and re.search(rf"Points[\s\d]*\b{data['points']}\b", paper)


def test_the_markers_table_carries_errors_forward() -> None:
    """Its numbers, worked out again by hand: b = p a, c = b + r, d = a + q, e = c d, and so de/da = d p + c."""
    from symbolic.render.questionpages import level, marker

    q = draw.question(small("graph-fork"), PLAIN[0], 0)
    table = marker(q)
    assert table is not None
    truth = {level(name): value for p in q.parts for _, name, value in p.steps}
    c, d, p = float(truth["c"]), float(truth["d"]), float(truth["b"]) / float(next(x.right for x in q.blocks["numbers"] if x.left == "a"))
    slope = r"\partial e/\partial a"
    assert float(truth["e"]) == c * d and float(truth[slope]) == d * p + c
    seen = 0
    for grid in table["grids"]:
        rows = {row["name"]: row["cells"] for row in grid["rows"]}
        assert all(cells[0] == truth[name] for name, cells in rows.items())
        for k in range(1, len(grid["heads"])):
            value = {name: float(truth[name] if cells[k] == r"\cdot" else cells[k]) for name, cells in {**dict.fromkeys(truth, ["", *[r"\cdot"] * 20]), **rows}.items()}
            if value["c"] != c and grid["heads"][k] in {m["name"] for m in table["mistakes"] if m["part"] == "a"}:
                assert value["e"] == value["c"] * value["d"] and value[slope] == value["d"] * p + value["c"], "the right formulas at the wrong c"
                seen += 1
    assert seen


def test_no_stem_is_split(midterm: tuple[Path, Result]) -> None:
    """From the title of a question to the sentence of its first part is one page."""
    exam = spec.load(MIDTERM)
    for student in ("1001", "1006"):
        sheets = text(midterm[0] / "papers" / f"{student}.pdf").split("\f")
        data = json.loads((midterm[0] / "keys" / f"{student}.json").read_text())
        for k, q in enumerate(data["questions"], 1):
            page = next(s for s in sheets if re.search(rf"^{k}\s+{re.escape(q['title'])}", s, re.MULTILINE))
            assert "(a)" in page.partition(q["title"])[2].partition(f"\n{k + 1} ")[0], (student, q["title"])
    assert len(exam.entries) == 3


@pytest.mark.parametrize("kind", ["papers", "keys"])
def test_a_source_compiles_by_itself(kind: str, midterm: tuple[Path, Result]) -> None:
    source = (midterm[0] / kind / "1002.tex").read_text()
    made = compile_pdf(source, engine=find_engine("pdflatex"))  # type: ignore[arg-type]
    assert not made.complaints and made.pdf.startswith(b"%PDF")


def test_a_name_that_cannot_be_printed_names_package_and_person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("symbolic.render.engine._loads_system_fonts", lambda engine: not engine.unicode or engine.name != "lualatex")
    printing._engine.cache_clear()
    try:
        out = produce(work.Job(small("graph-fork"), ("pdf",)), [PLAIN[0], Student("5", "李雷")], tmp_path, Here())
    finally:
        printing._engine.cache_clear()
    assert out.made == 2 and len(out.failures) == 1
    told = r"5 \(李雷\): printed with a box in place of '李' \(CJK UNIFIED IDEOGRAPH-674E, U\+674E\), '雷' \(.*texlive-luatex fonts-noto-core fonts-droid-fallback"
    assert re.match(told, out.failures[0])
    assert "U+674E" in text(tmp_path / "papers" / "5.pdf")


def test_a_letter_that_no_font_has_is_a_box_and_is_told_until_a_font_has_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(render_text, "_SCRIPTS", (("\U0001f469", "No Such Font", ""), *render_text._SCRIPTS))
    job, people = work.Job(small("graph-fork"), ("pdf",)), [Student("5", "Šar \U0001f393\U00012000"), Student("6", "Zoë \U0001f469")]
    out = produce(job, people, tmp_path)
    assert out.made == 2 and out.failures[0] == "5 (Šar \U0001f393\U00012000): printed with a box in place of '\U00012000' (CUNEIFORM SIGN A, U+12000; no font known here has it)"
    assert "6 (Zoë \U0001f469): printed with a box in place of" in out.failures[1] and "WOMAN" in out.failures[1]
    assert all("U+12000" in text(tmp_path / kind / "5.pdf") for kind in ("papers",)) and "U+1F393" not in text(tmp_path / "papers" / "5.pdf")
    again = produce(job, people, tmp_path)
    assert (again.made, again.kept, again.failures) == (2, 0, out.failures)


@pytest.mark.parametrize("word", ["Сила", r"\u0421\u0438\u043b\u0430"])
def test_problems_in_any_script_are_printed(word: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "p.yaml").write_text('title: A\ntopics: [b]\nparameters: {a: {integers: [2, 9]}}\nspec: {equations: {y: "x**2"}, at: {x: "{a}"}}\n'
                                              'text: "%s {{ a }}"\nask: [{find: dy/dx}]\n' % word)
    exam = spec.build({"title": "Quiz", "secret": "not for students", "bank": "mine", "problems": ["p"]}, tmp_path)
    out = produce(work.Job(exam, ("pdf",)), [PLAIN[0]], tmp_path / "o", Here())
    assert out.made == 1 and not out.failures and "Сила" in text(tmp_path / "o" / "papers" / "17.pdf")


# ---------------------------------------------------------------- the same bytes

@pytest.mark.parametrize("student", ["1002", "1005", "1006", "1007"])
def test_a_reprint_is_byte_for_byte_the_first_print(student: str, midterm: tuple[Path, Result], tmp_path: Path) -> None:
    result = run("exam", "reprint", MIDTERM, "--student", student, "--first", midterm[0], "-o", tmp_path, "--to", "pdf,tex,json")
    assert result.exit_code == 0 and "byte for byte what was printed first" in result.stdout and not result.stderr, result.output
    found = files(tmp_path)
    assert len(found) == 5 and all((midterm[0] / path).read_bytes() == content for path, content in found.items())


def test_a_reprint_needs_no_record(midterm: tuple[Path, Result], tmp_path: Path) -> None:
    result = run("exam", "reprint", MIDTERM, "--student", "1007", "--first", tmp_path / "none", "--draw", "0-0-0", "-o", tmp_path / "o", "--to", "json")
    assert "nothing is on record about 1007" in result.stderr
    assert (tmp_path / "o" / "keys" / "1007.json").read_bytes() == (midterm[0] / "keys" / "1007.json").read_bytes()
    assert "expected 3 numbers" in run("exam", "reprint", MIDTERM, "--student", "1007", "--draw", "0-0").stderr
    unknown = run("exam", "reprint", MIDTERM, "--student", "10077", "--first", tmp_path / "none")
    assert unknown.exit_code == 2 and "did you mean '1007'?" in unknown.stderr


def test_a_reprint_with_another_bank_says_so(midterm: tuple[Path, Result], tmp_path: Path) -> None:
    manifest = json.loads((midterm[0] / "manifest.json").read_text())
    assert set(manifest["versions"]) == {"exam", "bank", "program", "pdflatex", "lualatex"} and "not for" not in json.dumps(manifest)
    manifest["versions"] |= {"bank": "0000", "pdflatex": "pdfTeX 1.0"}
    manifest["papers"]["1001"]["files"]["keys/1001.json"] = "1111"
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    result = run("exam", "reprint", MIDTERM, "--student", "1001", "--first", tmp_path, "-o", tmp_path / "o", "--to", "pdf,json")
    assert result.exit_code == 1
    for sentence in ("the problems have changed (bank 0000, now ", "pdfLaTeX is another version (pdflatex pdfTeX 1.0, now ", "keys/1001.json is not what it was"):
        assert sentence in result.stderr


def test_papers_do_not_depend_on_their_company(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Together in two other processes, and in this one with a run of TeX for each."""
    job = work.Job(small("graph-fork", "one-neuron", "softmax-jacobian"), ("pdf", "json", "tex"))
    together = produce(job, PLAIN, tmp_path / "a", Processes(2))
    monkeypatch.setattr(bulk, "BATCH", 1)
    produce(job, PLAIN, tmp_path / "b")
    assert together.made == 3 and not together.failures
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_the_letters_of_the_first_page_are_all_that_pages_use() -> None:
    """No font and no letter that the page of letters lacks, so that papers in one run do not touch each other."""
    names = sorted(p.stem for p in spec.OWN.glob("*.yaml"))
    exam = small(*names[::-(-len(names) // 5)])
    made = work.draw_some(work.Job(exam, ("pdf",)), Student("1", "Zoë Łukasz"), (0,) * len(exam.entries))
    bodies = [pages.body(kind, exam, made.student, [p.texts for p in made.pieces], made.points, made.tries) for kind in pages.KINDS]
    whole = compile_pdf(pages.document(bodies, glyphs=True, letters=pages.letters_of(exam)), engine=find_engine("pdflatex"), timeout=300)  # type: ignore[arg-type]
    pieces, foreign = printing.cut(whole.pdf, whole.log, 2, glyphs=True)
    empty = compile_pdf(pages.document([r"\paperbegins{100}{}{}x\paperends"], glyphs=True, letters=pages.letters_of(exam)), engine=find_engine("pdflatex"))  # type: ignore[arg-type]
    assert not any(foreign) and not whole.complaints
    assert subsets(whole.pdf) == subsets(empty.pdf), "a letter of a page is missing on the first one"
    assert all(len(p) < 700_000 for p in pieces)


def subsets(pdf: bytes) -> dict[str, str]:
    import io

    with pikepdf.open(io.BytesIO(pdf)) as found:
        fonts = [o for o in found.objects if isinstance(o, pikepdf.Dictionary) and o.get("/Type") == "/FontDescriptor"]
        return {str(o.FontName): str(o.CharSet) for o in fonts}


def test_a_program_is_tried_on_the_hidden_points_of_its_key(tmp_path: Path) -> None:
    produce(work.Job(small("batch-numpy", "graph-fork", "hidden-layer-numpy"), ("json",)), [PLAIN[0]], tmp_path, Here())
    key = tmp_path / "keys" / "17.json"
    answer = json.loads(key.read_text())["questions"][0]["parts"][1]["answer"]
    (tmp_path / "right.py").write_text(answer["text"])
    (tmp_path / "wrong.py").write_text(answer["stub"].replace("...", "dW1, db1 = np.array([[0.1, 0.2]]), 0.3"))
    layered = json.loads(key.read_text())["questions"][2]["parts"][1]["answer"]["text"]  # its arguments do not stand in the order of the alphabet
    (tmp_path / "layered.py").write_text(layered)
    assert run("exam", "code", key, tmp_path / "layered.py", "--part", "3b").exit_code == 0
    right, wrong = run("exam", "code", key, tmp_path / "right.py", "--part", "1b"), run("exam", "code", key, tmp_path / "wrong.py", "--part", "1b")
    assert (right.exit_code, wrong.exit_code) == (0, 1) and "right at the numbers" in right.stdout and "at the numbers of the paper dW1, db1 are wrong" in wrong.stdout
    for arguments, sentence in [((key, tmp_path / "none.py"), "cannot be read"), ((tmp_path / "right.py", key), "this is no key of a paper"),
                                ((key, tmp_path / "right.py", "--part", "2a"), "no program is asked for there; valid names: 1b, 3b")]:
        result = run("exam", "code", *arguments)
        assert result.exit_code == 2 and sentence in result.stderr


# ---------------------------------------------------------------- bulk

def test_a_second_run_does_what_is_missing(tmp_path: Path) -> None:
    job = work.Job(small(), ("json", "tex"))
    produce(job, PLAIN, tmp_path)
    before = files(tmp_path)
    (tmp_path / "keys" / "18.json").write_text("half")
    (tmp_path / "papers" / "19.tex").unlink()
    again = produce(job, PLAIN, tmp_path)
    assert (again.made, again.kept) == (2, 1) and files(tmp_path) == before
    renamed = produce(job, [replace(PLAIN[0], name="Bea"), *PLAIN[1:]], tmp_path)
    assert (renamed.made, renamed.kept) == (1, 2) and b"Bea" in (tmp_path / "keys" / "17.json").read_bytes()
    before = files(tmp_path)
    changed = replace(job, exam=small(date="later"))
    with pytest.raises(SpecError, match=r"the papers here are of an earlier printing, and the exam has changed \(.*\); give another folder with -o, or --overwrite"):
        produce(changed, PLAIN, tmp_path)
    assert files(tmp_path) == before
    other = produce(changed, PLAIN[:2], tmp_path, overwrite=True)
    assert other.made == 2 and "the exam has changed" in other.notes[0] and "names them no longer: 19" in other.notes[1]
    assert produce(changed, PLAIN[:2], tmp_path).kept == 2


def test_a_killed_run_leaves_nothing_half_written_and_is_resumed(tmp_path: Path) -> None:
    exam = tmp_path / "e.yaml"
    exam.write_text("title: Quiz\nsecret: not for students\nproblems: [graph-fork, one-neuron]\n")
    (tmp_path / "r.csv").write_text("id,name\n" + "".join(f"{k},Student {k}\n" for k in range(6)))
    command = [sys.executable, "-m", "symbolic", "exam", str(exam), "--roster", str(tmp_path / "r.csv"), "--to", "json,tex", "--jobs", "1", "-o"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([*command, str(tmp_path / "killed")], env=environment, start_new_session=True)
    making, limit = tmp_path / "killed" / bulk.MAKING, time.monotonic() + 60
    while len(list(making.glob("*.json"))) < 2 and time.monotonic() < limit and process.poll() is None:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    started = {p.name: p.stat().st_mtime_ns for p in making.glob("*.json")}
    assert started and all(json.loads(p.read_text()) for p in making.glob("*.json")) and not list(tmp_path.glob("killed/*/*.tex"))
    run("exam", exam, "--roster", tmp_path / "r.csv", "--to", "json,tex", "--jobs", "1", "-o", tmp_path / "killed")
    run("exam", exam, "--roster", tmp_path / "r.csv", "--to", "json,tex", "--jobs", "1", "-o", tmp_path / "whole")
    assert files(tmp_path / "killed") == files(tmp_path / "whole") and len(files(tmp_path / "whole")) == 6 * 3 + 1


def test_one_broken_student_stops_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    honest, drawn = work.body, work.question

    def body(kind: str, exam: spec.Exam, student: Student, *more: object) -> str:
        return honest(kind, exam, student, *more).replace("Draw 0", r"\nosuch" if student.id == "18" else "Draw 0")  # type: ignore[arg-type]

    def question(exam: spec.Exam, student: Student, place: int, attempt: int) -> object:
        return drawn(exam, student, place, attempt if student.id != "19" else 1 // 0)

    monkeypatch.setattr(work, "body", body)
    monkeypatch.setattr(work, "question", question)
    out = produce(work.Job(small("chain-rule-choice"), ("pdf",)), [*PLAIN, Student("20", "Last")], tmp_path)
    assert out.made == 2 and {p.stem for p in tmp_path.glob("papers/*.pdf")} == {"17", "20"}
    assert [f.partition(":")[0] for f in out.failures] == ["no paper for 18 (Łukasz)", "no paper for 19 (Zoë)"]
    assert "Undefined control sequence" in out.failures[0] and "ZeroDivisionError" in out.failures[1]


def mortal(k: int, marker: str) -> int:
    """Work that kills its process: once, or every time."""
    if k == 3 or (k == 1 and not os.path.exists(marker)):
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return k * k


@pytest.mark.skipif(sys.platform != "linux", reason="needs fork")
def test_a_process_that_dies_takes_no_other_work_with_it(tmp_path: Path) -> None:
    found = dict(Processes(2).each(mortal, ((k, str(tmp_path / "once")) for k in range(8))))
    assert {k: v for k, v in found.items() if k != 3} == {k: k * k for k in range(8) if k != 3}
    assert isinstance(found[3], Exception) and "died" in str(found[3])


def test_files_have_names_that_every_system_takes() -> None:
    odd = ["../x", "a/b", "a:b", "CON.", "con", "LPT1.x", "李", ".hidden", "a b", "x" * 200, r"$100_%&{}\input{x}"]
    names = [stem(i) for i in odd]
    assert len(set(names)) == len(odd) and all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", n) for n in names)
    assert not {n.split(".")[0].lower() for n in names} & {"con", "lpt1"}


@pytest.mark.parametrize(("path", "value"), [(["versions"], [1]), (["papers"], []), (["papers", "A", "tries"], "0"), (["papers", "A", "prints"], [[1, 2]]), (["papers", "A", "files"], None)])
def test_a_record_that_was_changed_by_hand_is_said(path: list[str], value: object, tmp_path: Path) -> None:
    record: dict[str, Any] = {"title": "Q", "versions": {}, "papers": {"A": {"name": "", "large": False, "tries": [0], "first": [["a", ["b"]]], "prints": [["a", ["b"]]], "files": {}}}}
    (tmp_path / manifest.NAME).write_text(json.dumps(record))
    assert manifest.read(tmp_path).papers["A"].prints == [("a", ["b"])]
    reduce(dict.__getitem__, path[:-1], record)[path[-1]] = value
    (tmp_path / manifest.NAME).write_text(json.dumps(record))
    with pytest.raises(ChainruleError, match="no manifest of an exam"):
        manifest.read(tmp_path)


def test_variants_have_letters_and_a_line_for_the_name(tmp_path: Path) -> None:
    exam = tmp_path / "e.yaml"
    exam.write_text("title: Quiz\nsecret: not for students\nproblems: [graph-fork]\n")
    result = run("exam", exam, "--variants", 3, "--to", "tex,json", "-o", tmp_path / "o")
    assert result.exit_code == 0 and sorted(p.name for p in (tmp_path / "o" / "papers").iterdir()) == ["A.tex", "B.tex", "C.tex"]
    assert r"Name & \writeline" in (tmp_path / "o" / "papers" / "A.tex").read_text()
    assert "--roster FILE or --variants N" in run("exam", exam).stderr
    assert "no such format" in run("exam", exam, "--variants", 1, "--to", "pdff").stderr


def test_html_holds_what_the_paper_holds(tmp_path: Path) -> None:
    exam = small("graph-fork", "relu-pattern", "order-the-steps", "batch-numpy", "adam-two-steps", "softmax-jacobian", title="Quiz <b>", cover="a & b")
    out = produce(work.Job(exam, ("html",)), [Student("7", "<i>O'Brien</i> שרה")], tmp_path)
    paper, key = ((tmp_path / f / "7.html").read_text() for f in ("papers", "keys"))
    assert out.made == 1 and "&lt;i&gt;O&#39;Brien&lt;/i&gt; שרה" in paper and "Quiz &lt;b&gt;" in key and "a &amp; b" in paper
    assert "Solution" not in paper and "Common error" in key and key.count("<math") > paper.count("<math") > 10
    assert not re.search(r"\\(frac|begin|partial)|<script|https?://(?!www\.w3)", paper + key)


# ---------------------------------------------------------------- a cluster

@pytest.fixture(scope="module")
def scheduler() -> Iterator[object]:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50) as cluster:
        yield cluster


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_same_bytes_also_when_a_worker_is_killed(scheduler: object, tmp_path: Path) -> None:
    from symbolic.exam.cluster import Cluster

    job = work.Job(small("graph-fork"), ("pdf", "json"))
    students = [Student(str(k), f"Student {k}") for k in range(8)]
    produce(job, students, tmp_path / "here", Here())
    workers = Cluster(scheduler.scheduler_address)  # type: ignore[attr-defined]
    victim = next(iter(scheduler.workers.values())).pid  # type: ignore[attr-defined]

    def kill(what: str, done: int, of: int) -> None:
        if done == 2:
            os.kill(victim, signal.SIGKILL)

    out = produce(job, students, tmp_path / "there", workers, kill)
    workers.close()
    assert out.made == 8 and not out.failures
    assert files(tmp_path / "here") == files(tmp_path / "there")


def test_a_cluster_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    from symbolic.exam.cluster import Cluster

    with pytest.raises(ChainruleError, match=r"--scheduler needs Dask; run: python -m pip install 'chainrule\[dask\]'"):
        Cluster("tcp://127.0.0.1:1")
