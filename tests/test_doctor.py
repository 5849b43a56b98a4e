"""Law: doctor names what is missing, with its remedy, and does not complain of what is there."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from symbolic import doctor
from symbolic.doctor import Finding, examine

ROOT = Path(__file__).parent.parent


def _by_name() -> dict[str, Finding]:
    return {finding.name: finding for finding in examine()}


def test_every_runtime_library_is_examined() -> None:
    lines = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dependencies"]
    found = _by_name()
    for line in lines:
        name, minimum = line.split(">=")
        assert found[name].ok and found[name].found == metadata.version(name), minimum


def test_an_old_and_a_missing_library_are_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "rich":
            raise metadata.PackageNotFoundError(name)
        return "1.9.1" if name == "sympy" else real(name)

    monkeypatch.setattr(doctor.metadata, "version", version)
    found = _by_name()
    assert not found["sympy"].ok and found["sympy"].found == "1.9.1" and "'sympy>=1.13'" in found["sympy"].remedy
    assert not found["rich"].ok and found["rich"].required and "pip install" in found["rich"].remedy
    assert found["numpy"].ok and not found["numpy"].remedy


def test_an_old_python_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 2, "final", 0))
    assert not _by_name()["Python"].ok


def test_an_installed_package_reads_its_own_metadata(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(doctor, "_PACKAGE", tmp_path / "symbolic")
    lines = ["sympy>=1.13", "numpy >= 1.26", 'pytest>=8; extra == "test"']
    monkeypatch.setattr(doctor.metadata, "requires", lambda name: lines)
    assert doctor._requirements() == [("sympy", "1.13"), ("numpy", "1.26")]
    assert not _by_name()["templates"].ok


def test_without_any_engine_one_fault_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    faults = [f for f in examine() if f.required and not f.ok]
    assert [f.name for f in faults] == ["pdflatex"]
    assert "install" in faults[0].remedy


def _program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.skipif(os.name != "posix", reason="shell scripts stand for programs")
def test_a_missing_latex_package_is_a_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _program(tmp_path, "lualatex", "echo LuaTeX of today")
    _program(tmp_path, "kpsewhich", 'for f in "$@"; do [ $f = tikz.sty ] || echo /tex/$f; done')
    monkeypatch.setenv("PATH", str(tmp_path))
    found = _by_name()
    assert found["lualatex"].found == "LuaTeX of today"
    assert found["pdflatex"] == Finding("pdflatex", "", False, "not needed: lualatex is here", required=False)
    assert found["beamer"].ok and found["beamer"].found == "/tex/beamer.cls"
    assert not found["tikz"].ok and found["tikz"].required and found["tikz"].remedy


@pytest.mark.skipif(os.name != "posix", reason="shell scripts stand for programs")
def test_fonts_for_other_scripts_are_optional(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _program(tmp_path, "lualatex", "echo LuaTeX")
    _program(tmp_path, "kpsewhich", 'for f in "$@"; do echo /tex/$f; done')
    _program(tmp_path, "fc-list", "true")
    monkeypatch.setenv("PATH", str(tmp_path))
    fonts = _by_name()["letters beyond Latin"]
    assert not fonts.ok and not fonts.required and "fonts-noto-core" in fonts.remedy
    _program(tmp_path, "fc-list", "echo Noto Sans")
    assert _by_name()["letters beyond Latin"].ok


def test_a_remedy_stands_exactly_where_something_is_missing() -> None:
    assert all(bool(finding.remedy) != finding.ok for finding in examine())


def test_no_heavy_library_is_imported() -> None:
    code = "import sys; from symbolic.doctor import examine; examine(); print({'sympy', 'numpy', 'pydantic'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.stdout.strip() == "set()", run.stderr
