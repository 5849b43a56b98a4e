"""The shape of the code: imports point upward only, no LaTeX in the mathematics, small files, no eval."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "symbolic"
FILES = {path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}

# From the ground up; a room imports from rooms named earlier. Rooms in one string know each other.
ROOMS = """
errors
files
language.plain expr language.takes
language.run language.constants
language.rows
language.places
functions
language.matrices
language.arithmetic
language.floats
rules
language.parsemoves
language.parse
optimizers
network
models.primitives
losses
models.layertypes
layers
models.theorems
models.initial
derive
lectures.forward_mode
calculus
index
lesson
values
proof.probe
proof.lookup
proof.prove
verify
lectures.slopes
wrong.changes
wrong.ways
wrong.rules
wrong.losses wrong.gathered wrong.steps
slips
check.arrays
check.points
check.judge
check.suspects
check.updates
check.recovered
check.why
claims.drift
claims.scenes
lectures.second
pages.texparts
latex
decimals
reading.numbers
reading.choices
reading.plans
reading.yamltext
lectures.gates lectures.transforms
claims.claimtext
check.adapter
reading.beyond reading.training
numeric.data numeric.idx
numeric.datasets numeric.tables
models.stacked spec reading.givens reading.speccheck reading.stackcheck reading.losscheck reading.specmodels
reading.wanted
problem
lectures.quadratic lectures.descent lectures.linear
claims.written
claims.judge
pages.sheet
pages.modes
pages.curvature
pages.lagrange
pages.through_time
pages.descentfigure
pages.descentpages
render.plane
pages.gatepages pages.jacobianpages pages.linearpages pages.transformpages
pages.losspage
pages.tracepages
pages.sections
pages.report
numpycode numpytree
numeric.passes numeric.program numeric.sources numeric.scalar numeric.buffers numeric.backends numeric.compiled numeric.crosscheck
numeric.history numeric.checkpoint numeric.update
numeric.task
numeric.train
numeric.job
numeric.studies
pages.tracing
numeric.listing
numeric.spelling numeric.targets
numeric.codetext numeric.coding
catalogue.entry
catalogue.models
catalogue.entrytexts
catalogue.entries
catalogue.tables
check.lockdown
check.frames check.steps
check.child
check.sandbox
render.mathml render.engine render.text render.texmetrics render.texread render.texboxes render.texmath
render.width
render.lines render.layered render.netfigure render.graph render.words
render.view
render.filling
render.plots
render.figures
render.sectionpages
render.documents
render.tracepage
render.chart
render.trainfigures render.studyfigure
problems.spaces
problems.format
problems.starter
problems.wording
problems.second problems.stepping
problems.worked
problems.tolerance
problems.distractors
problems.question
problems.variants
problems.solution
problems.kinds
problems.programs
problems.verdicts
problems.make
problems.library
render.questionpages
check.terminal
render.checkpage
exam.spec
exam.roster
exam.draw
exam.pages
exam.html
exam.printing
exam.settle
exam.manifest
exam.work
exam.workers
exam.cluster
exam.bulk
exam.reprint
render.errata
render.cataloguetext render.cataloguepages
doctor
produce
claims.errata
catalogue.reference
check.names check.reading
check.rewriting check.helpers check.layouts check.presets check.shortnet
check.routines
check.calls
check.stepping
check.setting
check.ways
check.layerobjects
check.frameworks
check.scripts
check.shapes
check.readback
check.engines check.interfaces
commands.shared
commands.study commands.trace commands.train
commands.bank commands.new commands.code commands.exam
check.subject
check.telling check.report
check.graphs
check.mending check.findings
check.session
check.folder check.formats check.api
check.fixture
commands.check
cli
__main__
""".strip().splitlines()
PLACE = {name: k for k, room in enumerate(ROOMS) for name in room.split()}
MATHEMATICS = """expr language.plain language.takes language.places language.matrices language.arithmetic language.floats rules language.parsemoves language.parse optimizers
network models.primitives models.layertypes losses layers models.theorems models.initial derive lectures.forward_mode calculus index lesson
values proof.probe proof.lookup proof.prove verify wrong.changes wrong.ways wrong.rules wrong.losses wrong.gathered wrong.steps slips check.arrays check.points check.judge check.suspects check.updates check.recovered check.why claims.drift claims.scenes lectures.second lectures.gates lectures.transforms
lectures.linear lectures.slopes""".split()
# Where source is run: the student's file, in the locked child process; and what our own printers wrote, every node of it looked at first.
RUNS = {"check.steps": {"exec", "compile"}, "language.run": {"exec", "compile"}}
LONG = {"expr": 450, "latex": 450}  # every node of the language, and how each is printed
MOST_LINES = 400


def for_types_only(tree: ast.Module) -> set[int]:
    """The imports under ``if TYPE_CHECKING``: they are not there when the program runs."""
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If) and getattr(n.test, "id", "") == "TYPE_CHECKING"]
    return {id(n) for block in blocks for child in block.body for n in ast.walk(child)}


def imported(name: str) -> Iterator[str]:
    """The rooms that a room imports, also inside functions."""
    skip = for_types_only(TREES[name])
    for n in ast.walk(TREES[name]):
        if id(n) in skip:
            continue
        if isinstance(n, ast.Import):
            yield from (a.name.removeprefix("symbolic.") for a in n.names if a.name.startswith("symbolic."))
        elif isinstance(n, ast.ImportFrom):
            whole = n.module or ""
            if n.level:
                package = ["symbolic", *name.split(".")][:-1]
                whole = ".".join([*package[:len(package) - n.level + 1], *([n.module] if n.module else [])])
            if whole.split(".")[0] == "symbolic":
                for alias in n.names:
                    found = [x.removeprefix("symbolic.") for x in (f"{whole}.{alias.name}", whole) if x.removeprefix("symbolic.") in FILES]
                    yield from found[:1]


def test_every_module_has_a_room() -> None:
    assert {name for name in FILES if not name.endswith("__init__")} == set(PLACE)


@pytest.mark.parametrize("name", PLACE)
def test_imports_point_upward(name: str) -> None:
    for other in imported(name):
        assert PLACE[other] <= PLACE[name], f"symbolic/{name} imports {other}, which comes later"


def test_the_reader_of_imports_sees_them() -> None:
    assert {"expr", "network", "proof.prove", "index"} <= set(imported("verify")) and "render.engine" in set(imported("doctor"))
    assert "problem" not in set(imported("render.documents")), "only for types"


@pytest.mark.parametrize("name", MATHEMATICS)
def test_no_latex_in_the_mathematics(name: str) -> None:
    tree = TREES[name]
    docs = {id(n.body[0].value) for n in ast.walk(tree) if isinstance(n, (ast.Module, ast.ClassDef, ast.FunctionDef)) and isinstance(n.body[0], ast.Expr)}
    for n in ast.walk(tree):
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in docs:
            assert not re.search(r"\\[a-zA-Z]{2,}|\\[,;!]|\$", n.value), f"symbolic/{name}.py, line {n.lineno}: {n.value!r}"


@pytest.mark.parametrize("name", FILES)
def test_files_are_short(name: str) -> None:
    assert len(FILES[name].read_text().splitlines()) <= LONG.get(name, MOST_LINES)


@pytest.mark.parametrize("name", FILES)
def test_what_is_public_says_what_it_is(name: str) -> None:
    assert ast.get_docstring(TREES[name]), f"symbolic/{name} begins with what it is"
    missing = [n.name for n in TREES[name].body if isinstance(n, (ast.FunctionDef, ast.ClassDef)) and not n.name.startswith("_") and not ast.get_docstring(n)]
    assert not missing, f"no docstring: {missing}"


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_evaluated(name: str) -> None:
    called = {ast.unparse(n.func) for n in ast.walk(TREES[name]) if isinstance(n, ast.Call)}
    assert not (called - RUNS.get(name, set())) & {"eval", "exec", "compile", "sympify", "sp.sympify", "sympy.sympify", "parse_expr", "sp.parse_expr", "__import__", "os.system"}


def test_only_the_child_has_what_runs_a_students_file() -> None:
    """The locked process loads it by its path; no module of ours imports it."""
    assert [name for name in FILES if "check.steps" in imported(name)] == []
    assert "check.child" in FILES and "check.child" not in {x for name in FILES for x in imported(name)}


def test_templates_hold_no_mathematics() -> None:
    for path in sorted((PACKAGE.parent / "templates").glob("*")):
        assert not re.search(r"sympy|numpy|import ", path.read_text()), path.name
