"""What is shipped and started: templates inside the package, a light command line."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jinja2.meta
import pytest
from course import example

from symbolic import __version__
from symbolic.render.checkpage import html_environment
from symbolic.render.documents import KINDS
from symbolic.render.filling import make_environment

ROOT = Path(__file__).parent.parent
TEMPLATES = sorted(p.name for p in (ROOT / "templates").iterdir())
HEAVY = ("sympy", "numpy", "pydantic", "mpmath", "jinja2", "yaml", "igraph", "pylatexenc", "rich")


def project() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def start(*args: str, path: Path = ROOT, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(path), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, *args], env=env, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_the_wheel_carries_the_templates() -> None:
    wheel = project()["tool"]["hatch"]["build"]["targets"]["wheel"]  # type: ignore[index]
    assert wheel["packages"] == ["symbolic"]
    assert wheel["force-include"] == {"templates": "symbolic/templates"}
    sdist = project()["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]  # type: ignore[index]
    for needed in ("symbolic", "templates", "examples", "tests", "README.md", "LICENSE"):
        assert needed in sdist and (ROOT / needed).exists()


def test_the_script_and_the_version() -> None:
    about = project()["project"]
    module, name = about["scripts"]["chainrule"].split(":")  # type: ignore[index]
    assert callable(getattr(importlib.import_module(module), name))
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?([a-z]+\d+)?", __version__)


def test_every_import_is_a_declared_dependency() -> None:
    """Whatever the package imports from outside is in pyproject, and the other way round."""
    used = set()
    for source in (ROOT / "symbolic").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            names += [str(k.value.value) for k in node.keywords if k.arg == "modules" and isinstance(k.value, ast.Constant)] if isinstance(node, ast.Call) else []
            used |= {name.partition(".")[0] for name in names} - set(sys.stdlib_module_names) - {"symbolic"}  # lambdify imports its modules
    used = {"pyyaml" if name == "yaml" else name for name in used}
    declared = {re.split(r"[>=<\[ ]", line)[0] for line in project()["project"]["dependencies"]}  # type: ignore[index]
    extras = project()["project"]["optional-dependencies"]  # type: ignore[index]
    optional = {re.split(r"[>=<\[ ]", line)[0] for name, lines in extras.items() if name != "test" for line in lines}
    used = {{"sklearn": "scikit-learn", "math_core": "math-core"}.get(name, name) for name in used}
    assert used - optional - {"pytest"} == declared and optional <= used  # check.fixture is loaded by pytest alone


def environment_of(name: str) -> jinja2.Environment:
    return html_environment() if name.endswith(".html") else make_environment()


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_is_found_and_can_be_read(name: str) -> None:
    environment = environment_of(name)
    source, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]
    used = jinja2.meta.find_referenced_templates(environment.parse(source))
    assert all(other in TEMPLATES for other in used)
    assert environment.get_template(name).filename


def test_every_page_has_its_template_and_none_is_unused() -> None:
    sources = "".join(path.read_text("utf-8") for path in sorted((ROOT / "symbolic").rglob("*.py")))
    reached, todo = set(), [name for name in TEMPLATES if name in KINDS.values() or f'"{name}"' in sources]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            environment = environment_of(name)
            source, _, _ = environment.loader.get_source(environment, name)  # type: ignore[union-attr]
            todo += [t for t in jinja2.meta.find_referenced_templates(environment.parse(source)) if t]
    assert reached == set(TEMPLATES)


def test_the_command_line_is_light() -> None:
    """Help needs none of the heavy libraries, neither at import nor when it is shown."""
    for action in ("", "; from click.testing import CliRunner; r = CliRunner().invoke(symbolic.cli.main, ['derive', '--help']); assert r.exit_code == 0"):
        done = start("-c", f"import symbolic.cli, sys{action}; print(*[m for m in {HEAVY!r} if m in sys.modules])")
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip() == ""
    # the same look finds what is there
    assert start("-c", f"import mpmath, sys; print(*[m for m in {HEAVY!r} if m in sys.modules])").stdout.strip() == "mpmath"


def test_a_check_needs_no_sympy() -> None:
    """Not even to say why a file is wrong: it would cost a third of the command."""
    code = ("import sys; from symbolic.cli import main; from click.testing import CliRunner; "
            f"r = CliRunner().invoke(main, ['check', {str(ROOT / 'examples/check/student.py')!r}, '--net', '4-3-1 sigmoid identity', '--seed', '1']); "
            "assert r.exit_code == 1 and 'Why' in r.output, r.output; print(*[m for m in ('sympy', 'jinja2', 'yaml', 'igraph', 'pylatexenc') if m in sys.modules])")
    done = start("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_json_needs_no_tex_and_no_template() -> None:
    code = ("import sys; from symbolic.cli import main; from click.testing import CliRunner; import tempfile; "
            f"r = CliRunner().invoke(main, ['derive', {str(example('graph'))!r}, '--to', 'json', '-o', tempfile.mkdtemp()]); "
            "assert r.exit_code == 0, r.output; print(*[m for m in ('jinja2', 'igraph', 'pylatexenc', 'rich') if m in sys.modules])")
    done = start("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_help_and_version() -> None:
    done = start("-m", "symbolic", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: chainrule ")
    for command in ("derive", "schema", "doctor"):
        assert re.search(rf"^  {command} ", done.stdout, re.M)
    assert start("-m", "symbolic", "--version").stdout.strip().endswith(__version__)
    options = start("-m", "symbolic", "derive", "--help").stdout
    for option in ("--output", "--to", "--level", "--assume", "--all", "--digits", "--engine", "--templates", "--quiet"):
        assert option in options


def test_the_installed_layout_works(tmp_path: Path) -> None:
    """As in a wheel: the templates inside the package, no checkout around it."""
    site = tmp_path / "site"
    shutil.copytree(ROOT / "symbolic", site / "symbolic", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "templates", site / "symbolic" / "templates")
    spec = shutil.copy(example("surface"), tmp_path / "f.yaml")
    done = start("-m", "symbolic", "derive", str(spec), "--to", "tex,md", "-o", "out", path=site, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["f-handout.tex", "f-key.tex", "f-slides.tex", "f.md"]
    shutil.rmtree(site / "symbolic" / "templates")
    without = start("-m", "symbolic", "derive", str(spec), "--to", "md", "-o", "other", path=site, cwd=tmp_path)
    assert without.returncode == 1 and without.stderr.count("\n") == 1 and "page.md" in without.stderr
