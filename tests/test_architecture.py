"""The shape of the code: imports point upward only, no LaTeX in the mathematics, small files, no eval."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "symbolic"
FILES = {path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", "."): path for path in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}

# From the ground up: a file imports only from files named before it, so there are no circles.
FILES_IN_ORDER = """
errors files
language.tree
expr
language.scalars language.symbols language.takes language.run language.constants language.rows language.places
functions
language.matrices language.arithmetic language.floats
rules
language.parsemoves language.parse
optimizers network
models.primitives
losses
models.layertypes
layers
models.theorems models.initial
derive
lectures.forward_mode
calculus index lesson values
proof.probe proof.lookup proof.prove
verify
lectures.slopes
wrong.changes wrong.ways wrong.rules wrong.losses wrong.gathered wrong.steps
slips
check.arrays
pages.texparts
latex
reading.numbers reading.choices reading.plans reading.paths reading.yamltext reading.keys
claims.claimtext
check.adapter
reading.beyond reading.training
spec
models.stacked
reading.givens reading.losscheck reading.wanted
problem
check.points check.judge check.suspects check.updates check.recovered check.why
claims.drift claims.scenes
lectures.second
decimals
lectures.gates lectures.transforms
numeric.data numeric.idx numeric.datasets numeric.tables
reading.stackcheck reading.specmodels reading.speccheck reading.specfile
lectures.quadratic lectures.descent lectures.linear
claims.written claims.judge
pages.sheet pages.modes pages.curvature pages.lagrange pages.through_time pages.descentfigure pages.descentpages
render.plane
pages.gatepages pages.jacobianpages pages.linearpages pages.transformpages pages.losspage pages.sections pages.report
numpycode numpytree
numeric.passes numeric.program numeric.sources numeric.scalar numeric.buffers numeric.backends numeric.compiled numeric.crosscheck
numeric.history numeric.checkpoint numeric.update numeric.task numeric.train numeric.job numeric.studies
pages.tracing
numeric.listing numeric.spelling numeric.targets numeric.codetext numeric.coding
catalogue.entry catalogue.models catalogue.entrytexts catalogue.entries catalogue.tables
check.lockdown check.starting check.frames check.steps check.child check.sandbox
render.mathml render.text render.engine render.texmetrics render.texread render.texboxes render.texmath render.width render.lines
render.layered render.netfigure render.graph render.words render.view render.filling render.plots render.figures render.sectionpages
request
render.documents render.chart render.trainfigures render.studyfigure
problems.spaces problems.format problems.wording problems.second problems.stepping problems.worked problems.tolerance
problems.distractors problems.question problems.variants problems.solution problems.kinds problems.programs problems.verdicts problems.make
problems.library
render.questionpages
check.terminal
render.checkpage
exam.spec exam.roster exam.draw exam.pages exam.html exam.printing exam.settle exam.manifest exam.work exam.workers exam.cluster exam.bulk
exam.reprint
render.errata render.cataloguetext render.cataloguepages
doctor produce
claims.errata
catalogue.reference
check.names check.reading check.rewriting check.helpers check.layouts check.presets check.shortnet check.routines check.calls check.setting
check.ways check.steppers check.stepping check.layerobjects check.layerfunctions check.frameworks check.scripts check.shapes check.subject check.readback check.engines
check.interfaces
commands.shared commands.study commands.trace commands.train commands.bank commands.new commands.code commands.exam
check.report check.graphs check.mending check.findings check.session check.folder check.formats check.api check.fixture
commands.check
cli __main__
""".split()
PLACE = {name: k for k, name in enumerate(FILES_IN_ORDER)}
MATHEMATICS = """expr language.tree language.scalars language.symbols language.takes language.places language.matrices language.arithmetic language.floats rules language.parsemoves language.parse optimizers
network models.primitives models.layertypes losses layers models.theorems models.initial derive lectures.forward_mode calculus index lesson
values proof.probe proof.lookup proof.prove verify wrong.changes wrong.ways wrong.rules wrong.losses wrong.gathered wrong.steps slips check.arrays check.points check.judge check.suspects check.updates check.recovered check.why claims.drift claims.scenes lectures.second lectures.gates lectures.transforms
lectures.linear lectures.slopes""".split()
# Where source is run: the student's file, in the locked child process; and what our own printers wrote, every node of it looked at first.
RUNS = {"check.steps": {"exec", "compile"}, "language.run": {"exec", "compile"}}
LONG = {"expr": 410, "latex": 430}  # every node of the language, and how each is printed
MOST_LINES = 400


def imports(name: str, tree: ast.AST, *, late: bool | None = None) -> Iterator[str]:
    """What a file imports: files of ours by their names, libraries by theirs; late: only inside functions (True) or only outside (False, and
    not for types alone)."""
    inside = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    if late is False:
        inside |= {id(n) for f in ast.walk(tree) if isinstance(f, ast.If) and getattr(f.test, "id", "") == "TYPE_CHECKING" for n in ast.walk(f)}
    for n in ast.walk(tree):
        if not isinstance(n, (ast.Import, ast.ImportFrom)) or late is not None and late != (id(n) in inside):
            continue
        if isinstance(n, ast.Import):
            yield from (a.name.removeprefix("symbolic.") if a.name.startswith("symbolic.") else a.name.split(".")[0] for a in n.names)
            continue
        package = ["symbolic", *name.split(".")][:-n.level] if n.level else []
        whole = ".".join([*package, *([n.module] if n.module else [])])
        if whole.split(".")[0] != "symbolic":
            yield whole.split(".")[0]
            continue
        for alias in n.names:
            found = [x.removeprefix("symbolic.") for x in (f"{whole}.{alias.name}", whole) if x.removeprefix("symbolic.") in FILES]
            yield from found[:1]


def later(name: str, tree: ast.AST) -> list[str]:
    """What a file imports though it does not stand before it; inside a function, or for types only, is no excuse."""
    return [other for other in imports(name, tree) if PLACE.get(other, -1) >= PLACE[name]]


@cache
def slow(name: str) -> frozenset[str]:
    """The libraries that are loaded with a file, or the library itself if it is one; subprocess and multiprocessing take their time as well."""
    if name not in FILES:
        return frozenset({name}) - sys.stdlib_module_names | ({name} & {"subprocess", "multiprocessing", "fcntl"})  # the last is not everywhere
    return frozenset().union(*map(slow, imports(name, TREES[name], late=False)))


def test_every_module_has_a_place() -> None:
    assert {name for name in FILES if not name.endswith("__init__")} == set(PLACE)


@pytest.mark.parametrize("name", PLACE)
def test_imports_point_upward(name: str) -> None:
    assert not later(name, TREES[name]), f"symbolic/{name}"


@pytest.mark.parametrize("planted", ["from . import verify", "def f():\n    from .verify import certify", "if TYPE_CHECKING:\n    from .verify import Certified"])
def test_a_circle_is_found(planted: str) -> None:
    assert "expr" in set(imports("verify", TREES["verify"])) and later("expr", ast.parse(planted)) == ["verify"]


def needless(name: str, tree: ast.AST) -> list[str]:
    """What a file imports inside a function though it would not start more slowly with it at its top."""
    return [other for other in imports(name, tree, late=True) if slow(other) <= slow(name)]


@pytest.mark.parametrize("name", PLACE)
def test_imports_inside_functions_wait_for_what_is_slow_to_start(name: str) -> None:
    assert not needless(name, TREES[name]), f"symbolic/{name}: these belong at its top"


def test_a_needless_import_inside_a_function_is_found() -> None:
    assert needless("verify", ast.parse("def f():\n    import math, sympy\n    from .values import forward\n    from .proof import prove")) == ["math", "values"]


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
    assert [name for name in FILES if "check.steps" in imports(name, TREES[name])] == []
    assert "check.child" in FILES and "check.child" not in {x for name in FILES for x in imports(name, TREES[name])}


def test_templates_hold_no_mathematics() -> None:
    for path in sorted((PACKAGE.parent / "templates").glob("*")):
        assert not re.search(r"sympy|numpy|import ", path.read_text()), path.name
