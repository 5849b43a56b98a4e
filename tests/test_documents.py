"""The pages, end to end with real TeX: nothing sticks out, nothing is left over, the same file gives the same bytes.

Slides are compiled with their overlays collapsed (beamer's handout mode) where overlays are not what is tested.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from course import example

from symbolic.cli import main
from symbolic.problem import Problem
from symbolic.produce import Request, solve
from symbolic.render.documents import markdown_context, source_of
from symbolic.render.engine import Compiled, compile_pdf, find_engine
from symbolic.render.filling import make_environment, render
from symbolic.render.text import markdown
from symbolic.render.width import check
from symbolic.verify import Certified

ROOT = Path(__file__).parent.parent
EXAMPLES = [example(n) for n in (  # one of each kind; test_examples.py runs them all
    "chain-rule", "surface", "autodiff", "graph", "one-neuron", "two-layers", "batch", "transforms", "learning-rates", "optimizers", "hessian-bowl", "regression",
    "xor-impossible", "four-houses", "numpy-listing", "batch-norm", "convolution", "attention", "vanishing")]
ONE = ROOT / "examples" / "31-one-neuron.yaml"
TWO, SMALL = example("two-layers"), example("chain-rule")
KINDS = ("slides", "handout", "key")
HOSTILE = r"100% & $x_1$ \input{/etc/passwd} {}~^#"
TEN = ", ".join(f"[{k / 10}, {k % 3 - 1}]" for k in range(1, 11))

WRITTEN = {
    "symbolic-batch": """
        title: A batch of n examples
        inputs: {x: {size: 2, batch: n}}
        targets: {y: {}}
        layers:
          - {units: 3, activation: tanh}
          - {units: 1, activation: sigmoid}
        loss: binary_cross_entropy
        """,
    "rows": """
        title: Three classes by rows
        inputs: {x: [[1, 2], [0, -1]]}
        targets: {y: [[0, 1, 0], [1, 0, 0]]}
        layers:
          - {units: 2, activation: relu, W: [[0.1, -0.2], [0.3, 0.4]], b: [0.1, 0.2]}
          - {units: 3, activation: softmax}
        loss: cross_entropy
        init: {scheme: glorot_normal, seed: 7}
        learning_rate: 0.1
        convention: rows
        """,
    "deep": """
        title: Three layers of eight units, drawn at random, with a title of some length
        inputs: {x: [0.1, -0.2, 0.3, 0.4, -0.5, 0.6, 0.7, 0.8]}
        targets: {y: [0, 1, 0, 1, 0, 1, 0, 1]}
        layers:
          - {units: 8, activation: tanh}
          - {units: 8, activation: relu}
          - {units: 8, activation: sigmoid}
        loss: squared_error
        init: {scheme: glorot_uniform, seed: 0}
        learning_rate: 0.1
        """,
    "ten": f"""
        title: A batch of ten
        inputs: {{x: [{TEN}]}}
        targets: {{y: [[1], [0], [1], [1], [0], [1], [1], [0], [1], [0]]}}
        layers:
          - {{units: 2, activation: tanh, W: [[0.5, -0.25], [0.125, 0.75]], b: [0.1, -0.1]}}
          - {{units: 1, activation: sigmoid, W: [[0.3, -0.6]], b: [0.05]}}
        loss: mse
        learning_rate: 0.5
        """,
    "vector": """
        title: A vector at the end
        equations: {u: "A @ x", v: tanh(u)}
        at: {A: [[0.5, -1], [2, 0.25]], x: [1, -0.5]}
        """,
    "least-squares": """
        title: Least squares with a penalty
        equations: {r: "X @ w - y", L: "sum(r*r)/2 + sum(w**2)*lam"}
        at: {X: [[1, 2], [1, 3], [1, 5]], w: [0.5, -0.25], y: [1, 2, 2], lam: 0.1}
        learning_rate: 0.01
        """,
    "long": """
        title: A long expression
        equations: {y: "exp(x*sin(x))*(x**3 + 2*x**2 - 5*x + 7)/(1 + x**2) + ln(1 + exp(-3*x)) - sqrt(x**4 + 1)*cos(2*x) + x**x"}
        at: {x: 1.3}
        """,
    "fractions": """
        title: Exact fractions
        inputs: {x: [1/2, 1/3]}
        targets: {y: [1]}
        layers:
          - {units: 2, activation: relu, W: [[1/2, 1/3], [-1/4, 2]], b: [1/6, 0]}
          - {units: 1, W: [[3, -1/2]], b: [1/5]}
        loss: half_squared_error
        learning_rate: 1/10
        """,
    "hostile": f"""
        title: '{HOSTILE}'
        inputs: {{x: [1]}}
        targets: {{y: [0.5]}}
        layers:
          - {{units: 1, activation: sigmoid, W: [[0.5]]}}
        loss: mse
        """,
    "names": """
        title: WWWWWWWW MMMMMMMM WWWWWWWW MMMMMMMM WWWWWWWW
        equations: {alpha_1: "sigma0*x + mu", y_hat: "max(0, alpha_1)", loss: "abs(y_hat - y) + log(1 + alpha_1**2)/2"}
        at: {sigma0: 2, x: 1.5, mu: -0.5, y: 4}
        wrt: [mu, sigma0]
        """,
}
ALL_LEVELS = {  # the two-layer network, read in other ways
    "index": Request(levels=("index", "numbers")),
    "every-weight": Request(levels=("scalar", "numbers"), every=True, digits=6),
}
NAMES = [*(p.stem for p in EXAMPLES), *WRITTEN, *ALL_LEVELS]

needs_tex = pytest.mark.skipif(find_engine() is None or shutil.which("pdftotext") is None, reason="needs TeX and pdftotext")


@dataclass(frozen=True)
class Page:
    """One kind of page of one spec: its source and what TeX made of it."""

    source: str
    made: Compiled

    @property
    def text(self) -> str:
        return said(self.made.pdf)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("specs")
    for name, text in WRITTEN.items():
        (where / f"{name}.yaml").write_text("\n".join(line[8:] for line in text.strip("\n").splitlines()), "utf-8")
    for path in EXAMPLES:
        shutil.copy(path, where)
    for name in ALL_LEVELS:
        shutil.copy(TWO, where / f"{name}.yaml")
    return where


def compiled(problem: Problem, certified: Certified, request: Request) -> dict[str, Page]:
    """Every kind of page of a spec."""
    with ThreadPoolExecutor(2) as pool:
        sources = {kind: source_of(kind, problem, certified, request) for kind in KINDS}
        jobs = {kind: pool.submit(compile_pdf, collapsed(source), engine=find_engine()) for kind, source in sources.items()}
        return {kind: Page(source, jobs[kind].result()) for kind, source in sources.items()}


def collapsed(source: str) -> str:
    """Slides without overlays: every frame is one page, as it stands at its end."""
    return re.sub(r"\A(?:%.*\n|\s)*\\documentclass\[(?=[^]]*\]\{beamer\})", r"\\documentclass[handout,", source)


def test_the_slides_can_be_collapsed() -> None:
    source = source_of("slides", *solve(ONE, Request()), Request())
    assert "[handout,aspectratio=169" in collapsed(source)


@lru_cache(maxsize=4)
def bbox(pdf: bytes) -> str:
    return subprocess.run(["pdftotext", "-bbox", "-", "-"], input=pdf, capture_output=True, check=True).stdout.decode()


def boxes(pdf: bytes) -> list[list[tuple[float, float, float, float, str]]]:
    """The word boxes of every page in millimetres (left, top, right, bottom, word)."""
    word = re.compile(r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" yMax="([-\d.]+)">([^<]*)<')
    return [[(*(float(m[k]) * 25.4 / 72 for k in (1, 2, 3, 4)), html.unescape(m[5])) for m in word.finditer(page)] for page in bbox(pdf).split("<page ")[1:]]  # type: ignore[misc]


def sizes(pdf: bytes) -> set[tuple[int, int]]:
    """Width and height of the pages in whole millimetres."""
    return {(round(float(w) * 25.4 / 72), round(float(h) * 25.4 / 72)) for w, h in re.findall(r'<page width="([\d.]+)" height="([\d.]+)"', bbox(pdf))}


def said(pdf: bytes) -> str:
    """All words of a PDF, one blank between two."""
    return " ".join(word for page in boxes(pdf) for *_, word in page)


# ---------------------------------------------------------------- the look of every page

@pytest.mark.parametrize("name", NAMES)
def test_every_page(name: str, folder: Path) -> None:
    """Derived and typeset once: the Markdown, and where there is TeX every kind of page, with what is special to a spec."""
    request = ALL_LEVELS.get(name, Request())
    problem, certified = solve(folder / f"{name}.yaml", request)
    markdown_renders_by_itself(problem, certified, request)
    if find_engine() is None or shutil.which("pdftotext") is None:
        pytest.skip("needs TeX and pdftotext")
    pages = compiled(problem, certified, request)
    for kind, page in pages.items():
        looks_right(kind, page)
        no_two_signs_in_a_row(kind, page)
    SPECIAL.get(name, len)(pages)


def looks_right(kind: str, page: Page) -> None:
    """No overfull box, no missing letter, every word inside the margins, nothing that a program would write."""
    assert page.made.complaints == ()
    assert "Missing character" not in page.made.log
    width, height, side, top, bottom = (160, 90, 9 - 1, 4, 6) if kind == "slides" else (210, 297, 20 - 1, 15, 15)
    assert sizes(page.made.pdf) == {(width, height)}
    words = boxes(page.made.pdf)
    assert all(words), "an empty page"
    for number, found in enumerate(words, 1):
        for left, over, right, under, word in found:
            place = f"page {number}: {word!r} at {left:.1f}..{right:.1f} x {over:.1f}..{under:.1f} mm"
            assert left >= side and right <= width - side, place
            assert over >= top, place
            if under - over < 10:  # poppler gives the boxes of tall brackets the height of their font
                footer = over >= height - bottom - 1.5
                assert footer or under <= height - bottom, f"into the footer, {place}"
    text = page.text
    for left_over in ("None", "Undefined", r"\hl", r"\fac", "--0", "nan", "StrictUndefined", "Fraction(", "mpf(", "<<", "<%"):
        assert left_over not in text.split() if left_over == "nan" else left_over not in text
    assert not re.search(r"(?<![\d.])1\.0 ?·? ?[A-Za-zŷα-ω]", text), "a factor of 1.0"


def no_two_signs_in_a_row(kind: str, page: Page) -> None:
    """Neither `+ -3` nor `--3` nor `- -3` in any formula."""
    body = page.source.split(r"\begin{document}", 1)[1]
    formulas = re.findall(r"\\begin\{align\*\}(.*?)\\end\{align\*\}", body, re.S)
    assert formulas, kind
    for formula in formulas:
        bare = re.sub(r"<\d+->|\\tag\*\{.*", "", formula)
        assert not re.search(r"[+-]\s*-(?!>)|[+-]\s*\+", bare), (kind, bare)


def markdown_renders_by_itself(problem: Problem, certified: Certified, request: Request) -> None:
    """Well-formed mathematics without macros of ours; blocks as GitHub and pandoc read them."""
    text = render(make_environment(), "page.md", markdown_context(problem, certified, request))
    assert text.startswith(f"# {markdown(problem.title)}\n")
    assert not re.search(r"\\(hl|fac|blank|checkmarkbox|uncover|mathclap|vphantom|pd)\b|<<|<%|None|Undefined", text)
    blocks = re.findall(r"^\$\$\n(.*?)\n\$\$$", text, re.S | re.M)
    assert len(blocks) >= 3 and text.count("$$") == 2 * len(blocks)
    for block in blocks:
        check(block.replace("{aligned}", "{cases}"))  # the rows and cells of it
        assert block.startswith("\\begin{aligned}\n") and block.endswith(r"\end{aligned}")
        assert "\n\n" not in block, "an empty line ends a formula"
        rows = re.sub(r"\\begin\{([bp]matrix|cases)\}.*?\\end\{\1\}", "", block, flags=re.S).split("\n")[1:-1]
        assert all(row.count("&") == 1 for row in rows), rows
        assert not re.search(r"[+-]\s*-|= *$|= \\\\", block)
    rest = re.sub(r"^\$\$\n.*?\n\$\$$", "", text, flags=re.S | re.M)
    for formula in re.findall(r"\$([^$]+)\$", rest):
        check(formula)
    tables = re.findall(r"(?:^\|.*\n)+", rest, re.M)
    assert all(len({line.count("|") for line in table.splitlines()}) == 1 for table in tables)


def a_hostile_title_is_text(pages: dict[str, Page]) -> None:
    for page in pages.values():
        assert HOSTILE in " ".join(word for *_, word in boxes(page.made.pdf)[0])
        assert "root:" not in page.text


def the_worksheet_has_blanks_and_no_answers(pages: dict[str, Page]) -> None:
    assert pages["handout"].source.count(r"\blank") > 15
    for answer in ("0.7514", "0.2748", "0.1385"):
        assert answer in pages["key"].text and answer in pages["slides"].text
        assert answer not in pages["handout"].text


SPECIAL = {"hostile": a_hostile_title_is_text, "41-two-layers": the_worksheet_has_blanks_and_no_answers}


def test_what_is_special_is_looked_at() -> None:
    assert set(SPECIAL) <= set(NAMES)


@needs_tex
def test_overlays_reveal_line_after_line() -> None:
    """Pages of one frame differ only by what comes in, and a chain rule comes in factor by factor."""
    problem, certified = solve(ONE, Request())
    source = source_of("slides", problem, certified, Request())
    engine = find_engine()
    assert engine is not None
    shown = boxes(compile_pdf(source, engine=engine).pdf)
    frames: list[list[list[str]]] = [[]]
    number = ""
    for page in shown[1:]:
        # the number of the frame stands at the foot of each page
        foot = max(page, key=lambda w: (round(w[1]), w[0]))[4]
        if foot != number:
            frames.append([])
        number = foot
        frames[-1].append([word for *_, word in page])
    assert len(shown) > 2 * len(frames)
    for frame in frames:
        for before, after in zip(frame, frame[1:], strict=False):
            assert len(before) < len(after), "an overlay that shows nothing new"
    path = re.search(r"\\begin\{frame\}\{How does \$w\$ move.*?\\end\{frame\}", source, re.S)
    assert path is not None
    first_row = path[0].split(r"\begin{align*}")[1].split(r"\\")[0]
    assert re.findall(r"<(\d)->", first_row) == ["1", "1", "2", "3"]


# ---------------------------------------------------------------- the same bytes

def fresh(args: list[str], cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    return subprocess.run([sys.executable, "-m", "symbolic", *args], cwd=cwd, env=variables, capture_output=True, text=True, timeout=300, check=False)


def test_same_bytes_in_every_process(tmp_path: Path, folder: Path) -> None:
    """Whatever the hash seed and the folder: .tex, .md and JSON."""
    def made(name: str, k: int) -> dict[str, bytes]:
        place = tmp_path / f"{name}-{k}" / ("deeper" * k or "x")
        place.mkdir(parents=True)
        given = shutil.copy(folder / f"{name}.yaml", place) if k else folder / f"{name}.yaml"
        done = fresh(["derive", Path(given).name if k else str(given), "--to", "tex,md,json", "-o", "out", *levels],
                     place, PYTHONHASHSEED=("1", "77")[k], LC_ALL=("C.UTF-8", "C")[k])
        assert done.returncode == 0, done.stderr
        return {p.name: p.read_bytes() for p in (place / "out").iterdir()}

    for name, levels in (("rows", ("--level", "scalar,index,matrix,numbers")), ("names", ())):
        with ThreadPoolExecutor(2) as pool:
            first, second = pool.map(made, (name, name), (0, 1))
        assert len(first) == 5
        assert first == second


@needs_tex
def test_same_pdf_in_every_process(tmp_path: Path) -> None:
    def made(seed: str) -> dict[str, bytes]:
        place = tmp_path / seed
        place.mkdir()
        done = fresh(["derive", str(SMALL), "-o", f"out{seed}", "--to", "handout"], place, PYTHONHASHSEED=seed)
        assert done.returncode == 0, done.stderr
        return {p.name: p.read_bytes() for p in (place / f"out{seed}").iterdir()}

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(made, ("3", "4"))
    assert list(first) == [f"{SMALL.stem}-handout.pdf"] and first == second


def run(*args: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in args])


# ---------------------------------------------------------------- sources that stand alone

@needs_tex
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_tex_files_compile_outside(tmp_path: Path) -> None:
    """What --to tex writes needs nothing of ours: plain pdflatex in a folder with nothing else."""
    made = CliRunner().invoke(main, ["derive", str(SMALL), "--to", "tex", "-o", str(tmp_path / "out")])
    assert made.exit_code == 0, made.output
    sources = sorted((tmp_path / "out").iterdir())
    assert [p.name for p in sources] == sorted(f"{SMALL.stem}-{kind}.tex" for kind in KINDS)
    for source in sources:
        alone = tmp_path / source.stem
        alone.mkdir()
        shutil.copy(source, alone / "file.tex")
        done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "file.tex"], cwd=alone, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 0, done.stdout[-1500:]
        assert (alone / "file.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.skipif(find_engine(unicode=True) is None, reason="needs an engine for letters beyond Latin")
def test_other_scripts_go_to_another_engine(tmp_path: Path) -> None:
    spec = tmp_path / "letters.yaml"
    spec.write_text("title: Ελένη\nequations: {y: x**2}\n", "utf-8")
    done = run("derive", spec, "--to", "handout", "-o", tmp_path)
    assert done.exit_code == 0, done.output
    assert "Ελένη" in said((tmp_path / "letters-handout.pdf").read_bytes())
