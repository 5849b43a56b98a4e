"""Law: what a person typed is printed as typed, and nothing of it acts."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings, strategies as st

from symbolic.render.engine import DETERMINISTIC, compile_pdf, find_engine
from symbolic.render.text import _T1, clean, directed, escape, fallback_fonts, markdown, needs_unicode

# Every control sequence that `escape` may write. Whatever else follows a backslash is a hole.
HARMLESS = (
    r"\\(?:textbackslash|textasciicircum|textasciitilde|textquotedbl|textasciigrave|textless|textgreater"
    r"|textbar|nobreakspace)\{\}|\\[{}$&#%_]|\{\\kern0pt\}|\{[\[\]*]\}"
)
NASTY = st.text(st.sampled_from("\\{}$&#%_^~\"'`<>|[]*-?!,= \n\t\r\x00\x7f%^^41ab\u2028\u202e\u00a0é"), max_size=40)


@given(st.one_of(st.text(max_size=40), NASTY))
@example("\\input{/etc/passwd}")
@example("^^5cinput")
@example("% comment\n\n\\par")
def test_only_harmless_commands_are_left(text: str) -> None:
    rest = re.sub(HARMLESS, "", escape(text))
    assert not re.search(r"[\\{}$&#%_^~\"`<>|\[\]*\n\r\t]", rest)
    assert not [c for c in rest if unicodedata.category(c) in ("Cc", "Cs")]


@given(st.one_of(st.text(max_size=40), NASTY))
def test_no_two_characters_melt_into_one(text: str) -> None:
    assert not re.search(r"--|''|``|,,|\?`|!`|<<|>>", escape(text))
    signs = re.sub(r"\\text(less|greater|asciigrave)\{\}", lambda m: {"less": "<", "greater": ">"}.get(m[1], "`"), escape(text))
    assert not re.search(r"--|''|``|,,|\?`|!`|<<|>>", signs)


@given(st.text(max_size=40))
def test_cleaned_text_is_one_composed_line(text: str) -> None:
    line = clean(text)
    assert unicodedata.is_normalized("NFC", line)
    assert len(f"a{line}a".splitlines()) == 1
    assert clean(line) == line


@pytest.mark.parametrize("name", ["Łukasz", "Şimşek", "Erdős", "Ștefan", "Þóra", "Ĝivulo", "Ŵyn", "naïve – “x” €", "e\u0301"])
def test_names_that_pdflatex_prints(name: str) -> None:
    assert not needs_unicode(name)


@pytest.mark.parametrize("name", ["Ελένη", "Иван", "李小龍", "שרה", "محمد", "🎓", "Nguyễn", "Ħal", "ŉ", "x\u0302", "α"])
def test_names_that_need_lualatex(name: str) -> None:
    assert needs_unicode(name)


def _page(body: str) -> str:
    return (
        r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{lmodern}\pagestyle{empty}\parindent0pt\raggedright"
        + DETERMINISTIC
        + "\\begin{document}\n"
        + body
        + "\n\\end{document}\n"
    )


def _words(pdf: bytes, tmp_path: Path) -> str:
    (tmp_path / "page.pdf").write_bytes(pdf)
    command = ["pdftotext", "-raw", "-enc", "UTF-8", str(tmp_path / "page.pdf"), "-"]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode()


needs_tex = pytest.mark.skipif(not shutil.which("pdflatex") or not shutil.which("pdftotext"), reason="no TeX here")


@needs_tex
def test_the_whole_repertoire_compiles_and_no_letter_is_missing() -> None:
    engine = find_engine("pdflatex")
    assert engine is not None
    compile_pdf(_page(" ".join(escape(c) for c in sorted(_T1))), engine=engine)


@needs_tex
@pytest.mark.parametrize("typed", ["\\input{x} $a_b^2$ 50% #1 & ~/q {z}", "?`!` -- --- <<a>> ''b'' ,,c `d` |e| \"f\"", "[1] *x* ^^41"])
def test_a_page_shows_what_was_typed(typed: str, tmp_path: Path) -> None:
    engine = find_engine("pdflatex")
    assert engine is not None
    # In front of it stands what would take `[1]` or `*` as its option.
    pdf = compile_pdf(_page("x\\\\\n" + escape(typed)), engine=engine).pdf
    shown = " ".join(_words(pdf, tmp_path).split()[1:])
    assert shown.replace("’", "'") == typed


@needs_tex
@settings(max_examples=3, deadline=None)
@given(st.lists(NASTY, min_size=60, max_size=60))
def test_nothing_typed_stops_tex(texts: list[str]) -> None:
    engine = find_engine("pdflatex")
    assert engine is not None
    body = "\n\n".join(rf"\textbf{{{escape(text)}}}\\{escape(text)} \emph{{x}}" for text in texts)
    assert compile_pdf(_page(body), engine=engine).pdf


@given(st.text(max_size=40))
def test_markdown_keeps_the_text(text: str) -> None:
    safe = markdown(text)
    assert html.unescape(safe) == clean(text).strip()
    assert not re.search(r"[\\`*_{}\[\]<>~$|\"'^]|&(?!#\d+;)", safe)
    assert not re.match(r"[-+#=]|\d+[.)]", re.sub(r"&#\d+;", "x", safe))


@pytest.mark.parametrize("name, fonts", [
    ("Łukasz", []), ("Αλέξανδρος Дмитрий", []), ("שרה", ["NotoSansHebrew"]), ("李雷", ["DroidSansFallback"]), ("김민준", ["Noto Sans CJK KR"]),
    ("สมชาย محمد", ["NotoSansArabic", "NotoSansThai"])])
def test_only_the_fonts_of_the_scripts_are_loaded(name: str, fonts: list[str]) -> None:
    assert re.findall(r'"([^":]+):mode', fallback_fonts(name)) == ["NotoSans", *fonts]


def test_hebrew_runs_from_the_right_and_greek_is_in_one_font() -> None:
    assert directed("Αλέξης (שרה) x") == r"\greek{Αλέξης} (\rtl{שרה}) x"
