"""Mistakes in files and templates, the schema, and what the options of the commands do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import Result
from test_documents import HOSTILE, KINDS, ONE, ROOT, SMALL, TWO, WRITTEN, run

from symbolic.errors import ChainruleError
from symbolic.produce import Request, solve
from symbolic.render.documents import source_of
from symbolic.render.engine import find_engine, install_hint
from symbolic.render.filling import make_environment, render

# ---------------------------------------------------------------- mistakes, in one sentence

def files_in(place: Path) -> list[str]:
    return sorted(str(p.relative_to(place)) for p in place.rglob("*"))


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, current; temporary files go to a folder beside it, which has to end empty."""
    place, temporary = tmp_path / "here", tmp_path / "temporary"
    place.mkdir()
    temporary.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    yield place
    assert files_in(temporary) == []


def one_sentence(done: Result, status: int, *parts: str) -> None:
    """Exit status, nothing on standard output, one line on standard error, no traceback."""
    assert done.exit_code == status, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert done.stdout == ""
    line = done.stderr
    assert line.startswith("chainrule: ") and line.count("\n") == 1 and line.endswith("\n"), line
    assert "Traceback" not in line and "Error" not in line
    for part in parts:
        assert part in line, line


@pytest.mark.parametrize(("options", "parts"), [
    (["--engine", "nosuch"], ["--engine nosuch", "pdflatex"]),
    (["--engine", "pdftex"], ["did you mean 'pdflatex'?"]),
    (["--to", "nosuch"], ["--to nosuch", "slides"]),
    (["--to", "slides,jsn"], ["--to jsn", "'json'"]),
    (["--to", ","], ["--to"]),
    (["--level", "nosuch"], ["--level nosuch", "matrix"]),
    (["--level", "matrx"], ["did you mean 'matrix'?"]),
    (["--assume", "nosuch"], ["--assume nosuch", "power"]),
    (["--digits", "99"], ["--digits", "99", "15"]),
    (["--digits", "many"], ["--digits", "many"]),
    (["--nosuch"], ["--nosuch"]),
    (["--templates", "nosuch"], ["--templates", "nosuch"]),
], ids=lambda v: " ".join(v))
def test_a_wrong_option(options: list[str], parts: list[str], private: Path) -> None:
    one_sentence(run("derive", ONE, *options), 2, *parts)
    assert files_in(private) == []


def test_a_wrong_command(private: Path) -> None:
    one_sentence(run("deriv"), 2, "deriv")
    one_sentence(run("derive"), 2, "FILE")
    one_sentence(run("net.yaml"), 2, "chainrule derive net.yaml")
    one_sentence(run("derive", ONE, "--digits", "four"), 2, "'four' is not a whole number")
    one_sentence(run("train", ONE, "--rate", "0,5"), 2, "'0,5' is not a number; write 0.5")


def test_a_missing_file(private: Path) -> None:
    one_sentence(run("derive", "nosuch.yaml", "-o", "out"), 2, "nosuch.yaml", "no such file")
    assert files_in(private) == []


def test_a_folder_as_file(private: Path) -> None:
    one_sentence(run("derive", private, "-o", "out"), 2, "folder")
    assert files_in(private) == []


@pytest.mark.parametrize("formats", ["json", "json,md,tex"])
def test_output_into_a_file(formats: str, private: Path) -> None:
    (private / "out").write_text("mine")
    one_sentence(run("derive", ONE, "-o", "out", "--to", formats), 1, "out", "not a folder")
    assert files_in(private) == ["out"] and (private / "out").read_text() == "mine"


def test_an_unwritable_folder(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for root, who may write everywhere: the second file cannot be opened."""
    (private / "out").mkdir()
    opened = Path.open
    count: list[Path] = []

    def refuse(self: Path, mode: str = "r", *args: Any, **kw: Any) -> Any:
        if "x" in mode:
            count.append(self)
            if len(count) > 1:
                raise PermissionError(13, "Permission denied", str(self))
        return opened(self, mode, *args, **kw)

    monkeypatch.setattr(Path, "open", refuse)
    one_sentence(run("derive", ONE, "-o", "out", "--to", "json,md"), 1, "cannot write", "out", "-o")
    assert len(count) == 2 and files_in(private) == ["out"]


def test_a_mistake_in_the_file(private: Path) -> None:
    (private / "net.yaml").write_text(ONE.read_text().replace("sigmoid", "sigmod"))
    one_sentence(run("derive", "net.yaml", "-o", "out"), 2, "net.yaml:5", "'sigmoid'")
    assert files_in(private) == ["net.yaml"]


def test_nothing_is_left_beside_the_files(private: Path) -> None:
    done = run("derive", SMALL, "--to", "json,md", "-o", "a/b")
    assert done.exit_code == 0 and done.stderr == ""
    assert files_in(private) == ["a", "a/b", "a/b/02-chain-rule.json", "a/b/02-chain-rule.md"]
    assert run("derive", SMALL, "--to", "json", "-o", "a/b", "--quiet").output == ""


def test_without_an_engine(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sources are written, and one sentence says how to get TeX here."""
    (private / "bin").mkdir()
    monkeypatch.setenv("PATH", str(private / "bin"))
    done = run("derive", SMALL, "-o", "out")
    assert done.exit_code == 1
    assert install_hint() in done.stderr and "install" in done.stderr and done.stderr.count("\n") == 1
    assert install_hint() not in done.stdout
    assert files_in(private / "out") == sorted(f"02-chain-rule-{kind}.tex" for kind in KINDS)
    one_sentence(run("derive", SMALL, "-o", "other", "--engine", "pdflatex"), 1, "pdflatex", "not on the PATH", install_hint())
    assert not (private / "other").exists()
    assert run("derive", SMALL, "-o", "third", "--to", "tex,json").exit_code == 0  # needs no engine


# ---------------------------------------------------------------- templates of one's own

def test_own_templates_come_first(private: Path) -> None:
    own = private / "mycourse"
    own.mkdir()
    (own / "style.tex").write_text("% my own style\n" + (ROOT / "templates" / "style.tex").read_text())
    assert run("derive", ONE, "--to", "tex", "-o", "out", "--templates", own).exit_code == 0
    assert run("derive", ONE, "--to", "tex", "-o", "plain").exit_code == 0
    for kind in KINDS:
        name = f"31-one-neuron-{kind}.tex"
        mine, usual = (Path(f, name).read_text() for f in ("out", "plain"))
        assert mine.replace("% my own style\n", "") == usual != mine


@pytest.mark.parametrize(("broken", "said"), [
    ("<% if %>", "cannot be read"),
    ("<< nosuch >>", "'nosuch'"),
    ("<< steps[0].nosuch >>", "nosuch"),
    ('<% include "elsewhere.tex" %>', "elsewhere.tex"),
    ("<< 1/0 >>", "division by zero"),
])
def test_a_broken_template(broken: str, said: str, private: Path) -> None:
    own = private / "own"
    own.mkdir()
    (own / "key.tex").write_text(f"first line\nsecond line\n{broken}\n")
    one_sentence(run("derive", ONE, "--to", "tex,json,md", "-o", "out", "--templates", own), 1, "key.tex:3", said)
    assert files_in(private) == ["own", "own/key.tex"]


def test_a_template_that_tex_turns_down(private: Path) -> None:
    if find_engine() is None:
        pytest.skip("needs TeX")
    own = private / "own"
    own.mkdir()
    (own / "handout.tex").write_text("\\documentclass{article}\n\\begin{document}\n\\nosuch\n\\end{document}\n")
    one_sentence(run("derive", ONE, "--to", "handout", "-o", "out", "--templates", own), 1, "handout", "line 3", r"\nosuch")
    assert files_in(private) == ["own", "own/handout.tex"]


@pytest.mark.parametrize("printed", [
    "<< evil >>", "<< evil | upper >>", "<< evil | safe >>", "<< 'a' ~ evil >>", "<< [evil] >>", "<< {'k': evil} >>", "<< evil * 2 >>",
    "<< formula ~ evil >>", "<< formula + evil >>", "<< '%s' | format(evil) >>", "<% set x %><< evil >><% endset %><< x >>",
    "<% for x in [evil] %><< x >><% endfor %>", "<< evil if true >>", "<< [evil, evil] | join(', ') >>",
])
def test_a_template_cannot_print_an_unescaped_value(printed: str, tmp_path: Path) -> None:
    (tmp_path / "own.tex").write_text(printed)
    from symbolic.render.view import Tex

    formula = Tex(r"\alpha_1")
    made = render(make_environment(tmp_path), "own.tex", {"evil": r"\input{x} 5% $y$ #1 ~&", "formula": formula})
    shown = re.sub(r"\\text[a-z]+\{\}|\\[{}$&#%_]|\{\\kern0pt\}", "", made)
    assert not re.search(r"[\\$&#%~_^]", shown), made
    (tmp_path / "own.tex").write_text("<< formula >>")
    assert render(make_environment(tmp_path), "own.tex", {"formula": formula}) == formula


def test_every_text_of_a_page_is_escaped(private: Path) -> None:
    """A course template that prints every plain value of the pages, on the hostile title."""
    (private / "spec.yaml").write_text(f"title: '{HOSTILE}'\nequations: {{y: x**2}}\n")
    problem, certified = solve(private / "spec.yaml", Request())
    for kind in KINDS:
        (private / f"{kind}.tex").write_text("<< title >> << foot >> << summary >> << checked >>")
        made = source_of(kind, problem, certified, Request(templates=private))
        assert r"\input" not in made and "$" not in made.replace(r"\$", "")
        assert "x**2" not in made


# ---------------------------------------------------------------- schema and doctor

def schema() -> dict[str, Any]:
    done = run("schema")
    assert done.exit_code == 0
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


def complaints(value: Any, rule: Any, root: dict[str, Any], at: str = "") -> list[str]:
    """What JSON Schema has against a value: the keywords that our schema uses, and an error for any other."""
    if rule is True:
        return []
    if "$ref" in rule:
        target: Any = root
        for step in rule["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return complaints(value, target, root, at)
    known = {"title", "description", "examples", "default", "type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "minimum",
             "minItems", "$defs", "$schema"}
    assert set(rule) <= known, set(rule) - known
    kinds: dict[str, Any] = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    out: list[str] = []
    if "anyOf" in rule and all(complaints(value, r, root, at) for r in rule["anyOf"]):
        out.append(f"{at}: none of the forms")
    if "type" in rule and (not isinstance(value, kinds[rule["type"]]) or isinstance(value, bool) and rule["type"] != "boolean"):
        return [f"{at}: not of type {rule['type']}"]
    if "enum" in rule and value not in rule["enum"]:
        out.append(f"{at}: not one of {rule['enum']}")
    if "minimum" in rule and value < rule["minimum"]:
        out.append(f"{at}: too small")
    if isinstance(value, list):
        out += [f"{at}: too short"] * (len(value) < rule.get("minItems", 0))
        out += [c for k, v in enumerate(value) for c in complaints(v, rule.get("items", True), root, f"{at}[{k}]")]
    if isinstance(value, dict):
        named = rule.get("properties", {})
        out += [f"{at}: {name} is missing" for name in rule.get("required", []) if name not in value]
        for name, v in value.items():
            other = rule.get("additionalProperties", True)
            if name not in named and other is False:
                out.append(f"{at}.{name}: unknown key")
            else:
                out += complaints(v, named.get(name, other), root, f"{at}.{name}")
    return out


def test_the_schema_takes_every_spec() -> None:
    found = schema()
    assert found["type"] == "object" and found["additionalProperties"] is False
    specs = {p.stem: p.read_text("utf-8") for p in (ROOT / "examples").glob("*.yaml")} | WRITTEN
    for name, text in specs.items():
        data = yaml.safe_load(text)
        assert complaints(data, found, found, name) == []
        if find_spec("jsonschema"):
            import_module("jsonschema").validate(data, found)


@pytest.mark.parametrize("change", [{"losss": "mse"}, {"layers": "two"}, {"convention": "diagonal"}, {"layers": [{"units": 0}]}, {"layers": [{"unit": 2}]},
                                    {"reduction": "median"}, {"inputs": {"x": []}}, {"learning_rate": [1]}], ids=str)
def test_the_schema_turns_mistakes_down(change: dict[str, Any]) -> None:
    found = schema()
    data = yaml.safe_load(ONE.read_text("utf-8")) | change
    assert complaints(data, found, found) != []


def test_doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = run("doctor")
    for name in ("Python", "sympy", "pydantic", "pdflatex", "lualatex", "tectonic", "templates"):
        assert re.search(rf"^(ok|missing|-) +{name} ", done.stdout, re.M), done.stdout
    assert done.exit_code == (0 if find_engine() is not None and "missing" not in done.stdout else 1)
    monkeypatch.setenv("PATH", str(tmp_path))
    without = run("doctor")
    assert without.exit_code == 1
    assert re.search(r"^missing +pdflatex ", without.stdout, re.M)
    assert install_hint().split()[-1] in without.stdout


# ---------------------------------------------------------------- what the options do

def derived(spec: Path, out: Path, *options: str) -> dict[str, Any]:
    done = run("derive", spec, "--to", "json,tex,md", "-o", out, *options)
    assert done.exit_code == 0, done.stderr
    found = json.loads((out / f"{spec.stem}.json").read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def asked(out: Path, stem: str) -> list[str]:
    """The names in front of the blanks of a worksheet."""
    return re.findall(r"^\$\\displaystyle (.*?) = \{\}\$", (out / f"{stem}-handout.tex").read_text("utf-8"), re.M)


def test_ask_limits_the_blanks(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(TWO.read_text() + "ask: [y_hat, dL/dW1, b2_new]\n")
    derived(spec, tmp_path)
    few = asked(tmp_path, "net")
    assert len(few) == 3
    assert few[0] == r"\hat{y}"
    assert "W^{(1)}" in few[1] and few[1].startswith(r"\frac{\partial L}")
    assert "b^{(2)}" in few[2] and "new" in few[2]
    derived(TWO, tmp_path)
    assert len(asked(tmp_path, TWO.stem)) == 5 + 8 + 4  # values, gradients, new parameters


def test_wrt_limits_the_steps(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    everything = derived(TWO, tmp_path, "--level", "matrix")
    spec.write_text(TWO.read_text() + "wrt: [W2]\n")
    few = derived(spec, tmp_path, "--level", "matrix")
    assert {s["wrt"] for s in everything["steps"]} >= {"W1", "b1", "W2", "b2", "z1", "z2"}
    assert {s["wrt"] for s in few["steps"]} == {"a2", "z2", "W2"}
    assert few["gradients"] == everything["gradients"]
    assert few["updated"] == everything["updated"]


def test_assume_removes_lines(tmp_path: Path) -> None:
    spec = tmp_path / "f.yaml"
    spec.write_text("equations: {y: 3*x**2 + 5*x + sin(x**2)}\nat: {x: 2}\n")
    long = derived(spec, tmp_path)
    short = derived(spec, tmp_path, "--assume", "constant,sum,power")

    def lines(report: dict[str, Any]) -> list[str]:
        return [line for s in report["steps"] for line in s["latex"] if s["level"] == "scalar"]

    assert len(lines(short)) < len(lines(long))
    assert lines(short)[-1].split("= ")[-1] == lines(long)[-1].split("= ")[-1]
    assert any(r"\left[x^{2}\right]" in line for line in lines(long))
    assert not any(r"\left[5x\right]" in line or r"\left[3x^{2}\right]" in line for line in lines(short))
    assert short["gradients"] == long["gradients"]


def test_all_shows_every_weight(tmp_path: Path) -> None:
    one = {s["wrt"] for s in derived(TWO, tmp_path, "--level", "scalar")["steps"]}
    every = {s["wrt"] for s in derived(TWO, tmp_path, "--level", "scalar", "--all")["steps"]}
    weights = {f"W1[{i},{j}]" for i in (0, 1) for j in (0, 1)}
    assert weights <= every and len(weights & one) == 1
    assert {"W2[0]", "W2[1]"} <= every
    assert one < every


def test_index_level_shows_where_a_transpose_comes_from(tmp_path: Path) -> None:
    report = derived(TWO, tmp_path, "--level", "index")
    assert {s["level"] for s in report["steps"]} == {"index"}
    back = next(s for s in report["steps"] if s["wrt"] == "a1")
    assert re.search(r"\\sum_\{", " ".join(next(s for s in report["steps"] if s["wrt"] == "W1")["latex"] + back["latex"]))
    assert any(r"\top" in line for line in back["latex"])
    key = (tmp_path / f"{TWO.stem}-key.tex").read_text("utf-8")
    assert "row by column" in key and "entry by entry" in key


def test_digits(tmp_path: Path) -> None:
    derived(TWO, tmp_path / "four")
    derived(TWO, tmp_path / "nine", "--digits", "9")
    four, nine = ((tmp_path / f / f"{TWO.stem}.md").read_text("utf-8") for f in ("four", "nine"))
    assert "0.7514" in four and "0.751365070" not in four
    assert re.search(r"0\.75136507(0|\b)", nine)


def test_a_failed_check_writes_nothing(private: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of mathematics that is wrong stops the run with status 1."""
    from symbolic import produce
    from symbolic.errors import CheckError

    def wrong(*args: Any, **kw: Any) -> Any:
        raise CheckError("step dL/dW1 does not agree with the difference")

    monkeypatch.setattr(produce, "certify", wrong)
    one_sentence(run("derive", ONE, "-o", "out"), 1, "dL/dW1")
    assert files_in(private) == []
    with pytest.raises(ChainruleError):
        solve(ONE, Request())
