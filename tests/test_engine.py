"""Law: a page comes back whole and always the same, or as one sentence; it touches nothing else."""

from __future__ import annotations

import os
import platform
import stat
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from symbolic.errors import TexError
from symbolic.render import engine as module
from symbolic.render.engine import APT_PACKAGES, DETERMINISTIC, Compiled, Engine, compile_pdf, find_engine, install_hint

INSTALLED = [name for name in ("pdflatex", "lualatex") if module.shutil.which(name)]
needs_tex = pytest.mark.skipif("pdflatex" not in INSTALLED, reason="no pdflatex here")
every_engine = pytest.mark.parametrize("name", INSTALLED or [pytest.param("pdflatex", marks=needs_tex)])


def _engine(name: str = "pdflatex") -> Engine:
    engine = find_engine(name)
    assert engine is not None
    return engine


def _page(body: str, *, kind: str = "article", preamble: str = "") -> str:
    head = rf"\documentclass{{{kind}}}\usepackage[T1]{{fontenc}}\usepackage{{lmodern}}{preamble}"
    return f"{head}\n{DETERMINISTIC}\\begin{{document}}\n{body}\n\\end{{document}}\n"


def _compile(body: str, *, name: str = "pdflatex", timeout: float = 60, **page: str) -> Compiled:
    return compile_pdf(_page(body, **page), engine=_engine(name), timeout=timeout)


def _fails(body: str, *, name: str = "pdflatex", timeout: float = 60, **page: str) -> str:
    with pytest.raises(TexError) as caught:
        _compile(body, name=name, timeout=timeout, **page)
    sentence = str(caught.value)
    assert "\n" not in sentence and len(sentence) < 300
    return sentence


# -- finding ---------------------------------------------------------------------------------------


def _programs(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text("#!/bin/sh\nexit 0\n")
        (folder / name).chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="shell scripts stand for programs")
def test_order_of_preference(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_engine() is None and find_engine(unicode=True) is None
    for name in ("tectonic", "lualatex", "pdflatex"):
        _programs(tmp_path, name)
        found = find_engine()
        assert found is not None and found.name == name and found.path == str(tmp_path / name)
    found = find_engine(unicode=True)
    assert found is not None and found.name == "lualatex"


@pytest.mark.skipif(os.name != "posix", reason="shell scripts stand for programs")
def test_lualatex_without_its_font_loader_cannot_print_other_scripts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _programs(tmp_path, "lualatex")
    (tmp_path / "kpsewhich").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "kpsewhich").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_engine() is not None and find_engine(unicode=True) is None
    with pytest.raises(TexError, match="beyond T1"):
        find_engine("lualatex", unicode=True)


def test_a_named_engine_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TexError, match="'lualatex' is not on the PATH; .*install"):
        find_engine("lualatex")
    with pytest.raises(TexError, match="unknown TeX engine 'pdftex'; did you mean 'pdflatex'"):
        find_engine("pdftex")


@pytest.mark.parametrize(
    "system, release, said",
    [
        ("Linux", {"ID": "debian"}, f"apt-get install --no-install-recommends {APT_PACKAGES}"),
        ("Linux", {"ID": "pop", "ID_LIKE": "ubuntu debian"}, "apt-get install"),
        ("Linux", {"ID": "fedora"}, "tectonic"),
        ("Darwin", {}, "brew install tectonic"),
        ("Windows", {}, "MiKTeX"),
    ],
)
def test_how_to_install(monkeypatch: pytest.MonkeyPatch, system: str, release: dict[str, str], said: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
    assert said in install_hint()
    assert APT_PACKAGES == "texlive-latex-base texlive-latex-recommended texlive-pictures lmodern"


# -- a whole page --------------------------------------------------------------------------------


@every_engine
@pytest.mark.parametrize("kind", ["article", "beamer"])
def test_same_source_same_bytes_and_no_path(name: str, kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    body = r"\section{A}\begin{figure}\tikz\draw(0,0)--(1,1);\end{figure}\ref{a}\label{a}\today"
    if kind == "beamer":
        body = rf"\begin{{frame}}{body}\end{{frame}}"
    pdfs = []
    for folder in ("one", "another-and-longer"):
        (tmp_path / folder).mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / folder))
        pdfs.append(_compile(body, name=name, kind=kind, preamble=r"\usepackage{tikz,hyperref}").pdf)
        time.sleep(1.1)  # so that a clock in the file would show
    assert pdfs[0] == pdfs[1]
    assert pdfs[0].startswith(b"%PDF") and pdfs[0].rstrip().endswith(b"%%EOF")
    assert not any(trace in pdfs[0] for trace in (str(tmp_path).encode(), b"CreationDate", b"/ID", b"another-and"))


@needs_tex
def test_nothing_is_left_behind_and_the_folder_is_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    modes, run = [], module._run

    def watched(engine: Engine, directory: Path, *rest: object) -> str:
        modes.append(stat.S_IMODE(directory.stat().st_mode))
        return run(engine, directory, *rest)

    monkeypatch.setattr(module, "_run", watched)
    _compile("x")
    _fails(r"\nosuch")
    assert modes == [0o700, 0o700]
    assert list(tmp_path.iterdir()) == []


@needs_tex
@pytest.mark.parametrize(
    "body, kind, passes",
    [
        (r"\begin{frame}x\end{frame}", "beamer", 1),
        (r"\begin{frame}\inserttotalframenumber\end{frame}", "beamer", 2),
        (r"x\label{a}\ref{a}", "article", 2),
        (r"\tableofcontents\section{A}", "article", 2),
        # Its label changes with every pass.
        (r"\makeatletter\ifx\r@a\undefined\def\n{1}\else\edef\n{\expandafter\@firstoftwo\r@a1}\fi"
         r"\edef\@currentlabel{\n1}\label{a}x", "article", 4),
    ],
)  # fmt: skip
def test_passes_only_when_needed(body: str, kind: str, passes: int) -> None:
    compiled = _compile(body, kind=kind)
    assert compiled.passes == passes
    assert bool(compiled.complaints) == (passes == 4)


@needs_tex
def test_overfull_boxes_are_reported() -> None:
    assert _compile(r"\hbox to 1cm{\hss x}").complaints == ()
    (complaint,) = _compile(r"\noindent\hbox to 1cm{\hbox to 2cm{}}").complaints
    assert complaint.startswith(r"Overfull \hbox (28.4")
    assert _compile(r"\noindent\hbox to 1cm{\hbox to 1.002cm{}}").complaints == ()
    assert "Overfull \\vbox" in _compile(r"\vbox to 1cm{\vbox to 2cm{}}").complaints[0]


@needs_tex
def test_pages_can_be_made_in_threads() -> None:
    made: dict[int, bytes] = {}

    def work(number: int) -> None:
        made[number] = _compile(f"page {number}").pdf

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made.values())) == 3


# -- failures --------------------------------------------------------------------------------------


@every_engine
@pytest.mark.parametrize(
    "body, kind, said",
    [
        ("\n\n$x = \\nosuch{2}$", "article", r"line 10: Undefined control sequence \nosuch, in: $x = \nosuch{2}$"),
        ("\\begin{frame}\na\n\\nosuch{} b\n\nc\n\\end{frame}", "beamer", r"line 10: Undefined control sequence \nosuch"),
        (r"a b_1 c", "article", "line 8: Missing $ inserted, in: a b_1 c"),
        (r"\begin{nosuch}", "article", "line 8: LaTeX Error: Environment nosuch undefined"),
        (r"\PackageError{pkg}{bad\MessageBreak thing}{}", "article", "line 8: Package pkg Error: bad thing"),
        (r"\begin{frame}", "beamer", "File ended while scanning"),
        (r"\end{document}", "article", "no whole PDF"),
    ],
)
def test_the_message_and_the_line(name: str, body: str, kind: str, said: str) -> None:
    sentence = _fails(body, name=name, kind=kind)
    assert sentence.startswith(name) and said in sentence


@every_engine
def test_an_endless_loop_is_stopped(name: str) -> None:
    start = time.monotonic()
    assert _fails(r"\def\x{\x}\x", name=name, timeout=2) == f"{name} did not finish within 2 s"
    assert time.monotonic() - start < 5


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_a_timeout_ends_the_children_too(tmp_path: Path) -> None:
    script = tmp_path / "slow"
    script.write_text(f"#!/bin/sh\nsleep 60 & echo $! >{tmp_path}/child; wait\n")
    script.chmod(0o755)
    with pytest.raises(TexError, match="did not finish within 1 s"):
        compile_pdf("x", engine=Engine("slow", (), unicode=False, path=str(script)), timeout=1)
    child = int((tmp_path / "child").read_text())
    time.sleep(0.2)
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(child)], capture_output=True, text=True).stdout
    assert state.strip()[:1] in ("", "Z")


@every_engine
def test_the_shell_is_out_of_reach(name: str, tmp_path: Path) -> None:
    command = rf"touch {tmp_path}/evil"
    try:
        _compile(rf"\ifdefined\directlua\directlua{{os.execute('{command}')}}\fi\immediate\write18{{{command}}}x", name=name)
    except TexError:
        pass
    assert not (tmp_path / "evil").exists()


@every_engine
def test_no_file_outside_is_read_or_written(name: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.tex"
    secret.write_text("SECRET")
    assert "not found" in _fails(rf"\input{{{secret}}}", name=name)
    assert "not found" in _fails(r"\input{/etc/passwd}", name=name)
    evil = tmp_path / "evil.tex"
    sentence = _fails(rf"\newwrite\w\immediate\openout\w={evil} \immediate\write\w{{x}}x", name=name)
    assert "I can't write on file" in sentence
    assert "I can't write" in _fails(r"\newwrite\w\immediate\openout\w=../evil.tex x", name=name)
    assert not evil.exists()


@needs_tex
def test_the_environment_is_not_passed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "secret.tex").write_text("SECRET")
    monkeypatch.setenv("TEXINPUTS", f"{tmp_path}:")
    monkeypatch.setenv("openin_any", "a")
    monkeypatch.setenv("openout_any", "a")
    assert "not found" in _fails(r"\input{secret}")
    assert "I can't write" in _fails(rf"\newwrite\w\immediate\openout\w={tmp_path}/evil x")


@needs_tex
def test_runaway_memory_is_stopped() -> None:
    assert "capacity exceeded" in _fails(r"\edef\a{xxxxxxxxxxxx}\loop\edef\a{\a\a}\iftrue\repeat")


@pytest.mark.skipif("lualatex" not in INSTALLED, reason="no lualatex here")
def test_runaway_memory_of_lua_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMORY_MB", 1024)
    grow = r"\directlua{local t = 'xxxxxxxxxx' while true do t = t .. t end}"
    assert "not enough memory" in _fails(grow, name="lualatex")


@needs_tex
def test_a_runaway_file_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILE_MB", 2)
    body = rf"\newwrite\w\immediate\openout\w=big \def\x{{{'x' * 900}}}\loop\immediate\write\w{{\x}}\iftrue\repeat"
    assert "more than 2 MB" in _fails(body)


@needs_tex
def test_a_letter_without_a_glyph_is_an_error() -> None:
    hint = "compile with lualatex and install fonts-noto-core"
    assert f"the font has no letter 'α'; {hint}" in _fails("α")
    sentence = _fails(r"\font\x=cmr10 \x\char200 ")
    assert sentence.startswith("the font has no letter") and hint in sentence


@pytest.mark.skipif("lualatex" not in INSTALLED, reason="no lualatex here")
def test_a_letter_without_a_glyph_is_an_error_in_lualatex() -> None:
    assert "the font has no letter 'È'; install fonts-noto-core" in _fails(r"\font\x=cmr10 \x\char200 ", name="lualatex")


@pytest.mark.parametrize("font, package", [("NotoSansThai", "fonts-noto-core"), ("DroidSansFallback", "fonts-droid-fallback"), ("Noto Sans CJK KR", "fonts-noto-cjk")])
def test_a_font_that_is_missing_is_named_with_its_package(font: str, package: str) -> None:
    log = f'luaotfload | db : Reload initiated (formats: otf,ttf,ttc); reason: Font "{font}" not found.\n./page.tex:3:  ==> Fatal error occurred'
    assert str(module._failure(module.ENGINES[1], "", log, 1, 1.0)) == f"the font {font} is not installed; install {package}"


@pytest.mark.skipif(os.name != "posix", reason="shell scripts stand for programs")
@pytest.mark.parametrize("content", ["", "%PDF-1.5 cut off", "rubbish %%EOF"])
def test_half_a_pdf_is_no_pdf(tmp_path: Path, content: str) -> None:
    script = tmp_path / "half"
    script.write_text(f"#!/bin/sh\nprintf '{content.replace('%', '%%')}' >page.pdf\n")
    script.chmod(0o755)
    with pytest.raises(TexError, match="no whole PDF"):
        compile_pdf("x", engine=Engine("half", (), unicode=False, path=str(script)))
