"""What chainrule needs on this machine, what is here, and how to get what is not.

Nothing heavy is imported: versions are read from the installed packages' metadata.

>>> [finding.name for finding in examine()][:2]
['Python', 'sympy']
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from symbolic.render.engine import APT_UNICODE, ENGINES, Engine, find_engine, install_hint

_PACKAGE = Path(__file__).parent
_PYTHON = "3.11"

LATEX_FILES = {
    "beamer": "beamer.cls",
    "tikz": "tikz.sty",
    "amsmath": "amsmath.sty",
    "mathtools": "mathtools.sty",
    "booktabs": "booktabs.sty",
    "microtype": "microtype.sty",
    "lmodern": "lmodern.sty",
}


@dataclass(frozen=True)
class Finding:
    """One thing looked for: what was found, whether it will do, and what to do if not.

    Without what is not ``required`` everything still works except what ``remedy`` names.
    """

    name: str
    found: str
    ok: bool
    remedy: str = ""
    required: bool = True


def examine() -> list[Finding]:
    """Look for everything that chainrule uses; never raises."""
    engine = find_engine()
    return [_python(), *_libraries(), *_engines(engine), *_latex_packages(engine), _fonts(), _templates(), _sandbox()]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return _finding("Python", version, _at_least(version, _PYTHON), f"install Python {_PYTHON} or newer")


def _libraries() -> list[Finding]:
    return [_library(name, minimum) for name, minimum in _requirements()]


def _library(name: str, minimum: str) -> Finding:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        version = ""
    remedy = f"run: python -m pip install '{name}>={minimum}'"
    return _finding(name, version, _at_least(version, minimum), remedy)


def _requirements() -> list[tuple[str, str]]:
    """Name and least version of each runtime dependency, from the checkout or the installed package."""
    project = _PACKAGE.parent / "pyproject.toml"
    if project.is_file():
        lines = tomllib.loads(project.read_text("utf-8"))["project"]["dependencies"]
    else:
        lines = [line for line in metadata.requires("chainrule") or [] if "extra ==" not in line]
    matches = [re.match(r"([\w.-]+)\s*>=\s*([\d.]+)", line) for line in lines]
    return [(m[1], m[2]) for m in matches if m]


def _at_least(version: str, minimum: str) -> bool:
    """Whether a version will do.

    >>> _at_least("1.13.2", "1.13"), _at_least("1.9", "1.13"), _at_least("", "1"), _at_least("2.0rc1", "2")
    (True, False, False, True)
    """

    def numbers(text: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", re.split(r"[a-z+]", text)[0])]

    return bool(version) and numbers(version) >= numbers(minimum)


def _engines(chosen: Engine | None) -> list[Finding]:
    """One row an engine. One engine is enough, so only having none at all is a fault."""
    rows = []
    for engine in ENGINES:
        path = shutil.which(engine.name)
        version = _first_line([path, "--version"]) if path else ""
        needed = chosen is None and engine is ENGINES[0]
        remedy = install_hint() if needed else ""
        if chosen and not path:
            remedy = f"not needed: {chosen.name} is here"
        rows.append(Finding(engine.name, version, bool(path), remedy, required=needed))
    return rows


def _latex_packages(engine: Engine | None) -> list[Finding]:
    if engine is None:
        return []
    if engine.name == "tectonic":
        return [Finding("LaTeX packages", "tectonic fetches them at first use", True)]
    if not (kpsewhich := shutil.which("kpsewhich")):
        return [Finding("LaTeX packages", "", False, "cannot be looked up without kpsewhich", required=False)]
    found = {Path(line).name: line for line in _lines([kpsewhich, *LATEX_FILES.values()])}
    return [_finding(name, found.get(file, ""), file in found, install_hint()) for name, file in LATEX_FILES.items()]


def _fonts() -> Finding:
    """What names in other scripts need: LuaLaTeX with its font loader, and fonts with the letters (Chinese ones in Droid Sans Fallback)."""
    name = "letters beyond Latin"
    engine = find_engine(unicode=True)
    if engine is None:
        return Finding(name, "", False, f"only for these, as in names of exams: {install_hint(unicode=True)}", required=False)
    here = {font: bool(shutil.which("fc-list") and _lines(["fc-list", font, "family"])) for font in ("Noto Sans", "Droid Sans Fallback")}
    found = ", ".join([engine.name, *(font if there else f"no {font}" for font, there in here.items())])
    ok = all(here.values())
    return Finding(name, found, ok, "" if ok else f"only for these, as in names of exams: install {APT_UNICODE.partition(' ')[2]}", required=False)


def _templates() -> Finding:
    """The installed package carries its templates inside, a checkout beside it."""
    places = (_PACKAGE / "templates", _PACKAGE.parent / "templates")
    found = next((place for place in places if place.is_dir() and any(place.iterdir())), None)
    return _finding("templates", str(found or ""), found is not None, "reinstall chainrule: its templates are missing")


def _finding(name: str, found: str, ok: bool, remedy: str) -> Finding:
    return Finding(name, found, ok, "" if ok else remedy)


def _first_line(command: list[str]) -> str:
    return next(iter(_lines(command)), "version unknown")


def _lines(command: list[str]) -> list[str]:
    try:
        # No input and a limit: a broken TeX installation may ask or hang, and doctor must still report.
        run = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return run.stdout.decode("utf-8", "replace").splitlines()


_LOOK = "import json; from symbolic.check.sandbox import TRUST, layers; print(json.dumps([TRUST, [[x.name, x.active] for x in layers()]]))"


def _sandbox() -> Finding:
    """The walls around the files that ``chainrule check`` runs, found by locking a child process that runs nothing (from a process that may import NumPy)."""
    lines = _lines([sys.executable, "-c", _LOOK])
    try:
        trust, found = json.loads(lines[-1])
    except (IndexError, ValueError):
        return Finding("sandbox", "", False, "only for chainrule check: its child process does not start here", required=False)
    complete = all(active for _, active in found)
    return Finding("sandbox", ", ".join(name for name, active in found if active), complete, "" if complete else trust, required=False)
