"""From a file to files: read, derive, check, print; everything is made before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpmath import mp, nstr

from .calculus import check_assumed
from .derive import Derivation
from .errors import ChainruleError, SpecError, nearest
from .expr import Expr, walk
from .files import write_all
from .language.arithmetic import MP, entries
from .language.matrices import MATRIX_FUNCTIONS
from .lesson import plan
from .network import Network
from .problem import Problem, build
from .reading.specfile import load
from .request import Request
from .values import DIGITS, LARGEST
from .verify import Certified, certify


def solve(path: Path, request: Request) -> tuple[Problem, Certified]:
    """Read a spec, derive it, and check every line.

    Raises SpecError for what the person wrote, CheckError when a line fails its check.
    """
    request.check()
    spec = load(path)
    problem = build(spec)
    assumed = check_assumed(request.assume)
    try:
        lesson = plan(problem.network, request.levels, wrt=problem.wrt, all_entries=request.every, assume=assumed)
        certified = certify(lesson, problem.numbers())
    except SpecError as e:  # the mathematics knows no file
        raise problem.refused_at(problem.network.output, e.sentence, e.hint) from None
    except ArithmeticError as e:
        raise _uncomputable(problem, lesson.derivation, e) from None
    if not lesson.steps:  # after the check, which would have found a step that was lost
        *_, last = spec.equations or [""]
        if spec.wrt:
            raise SpecError(f"wrt: {last or 'L'} does not change with {' or '.join(spec.wrt)}", where=spec.where("wrt"), hint=nearest("", spec.free_names()))
        raise SpecError("there is nothing to derive: the last equation depends on no name", where=spec.where("equations", last))
    _check_range(problem, certified)
    return problem, certified


def _uncomputable(problem: Problem, derivation: Derivation, error: ArithmeticError) -> SpecError:
    """The line of the file at which its numbers cannot be computed with: the first equation, else the first gradient, that fails alone."""
    network, env = problem.network, dict(problem.numbers() or {})
    lines: list[tuple[str, Any, Expr]] = [(eq.name, eq.name, eq.rhs) for eq in network.equations]
    lines += [(s.wrt, (s.of, s.wrt), s.result) for s in derivation.steps.values()]
    with mp.workdps(DIGITS):
        for name, key, rhs in lines:
            try:
                env[key] = entries(rhs, env, MP)
            except ArithmeticError as e:
                hint = _written_out(network) if isinstance(key, tuple) else ""
                which = f"d{key[0]}/d{key[1]}: " if isinstance(key, tuple) else ""
                return problem.refused_at(name, f"{which}the given numbers cannot be computed with: {e}", hint)
            except KeyError:
                continue
    return problem.refused_at("", f"the given numbers cannot be computed with: {error}")


def _written_out(network: Network) -> str:
    """The way round a gradient that is written with the inverse of a singular matrix."""
    used = [n.data for eq in network.equations for n in walk(eq.rhs) if n.op == "matrix"]
    return next((MATRIX_FUNCTIONS[name].singular for name in used if MATRIX_FUNCTIONS[name].singular), "")


def _check_range(problem: Problem, certified: Certified) -> None:
    """Raises SpecError for a value that no float, and so no JSON file, can hold."""
    for key, rows in (certified.values or {}).items():
        for value in (v for row in rows for v in row):
            if mp.isfinite(value) and abs(value) < LARGEST:
                continue
            name = "d{}/d{}".format(*key) if isinstance(key, tuple) else str(key)
            raise problem.refused_at(str(key[1] if isinstance(key, tuple) else key), f"{name} comes to {nstr(value, 3)}, which is too large a number")


def produce(path: Path, folder: Path, request: Request, say: Callable[[str], None]) -> list[Path]:
    """Make all files of a request and write them at once; returns their paths.

    Raises ChainruleError; then nothing has been written.
    """
    problem, certified = solve(path, request)
    made: dict[Path, bytes] = {}
    sentences: list[str] = []
    if "json" in request.formats:
        from .pages.report import as_json  # brings SymPy, as does the sheet: a mistake in the file is answered before
        from .pages.sheet import Sheet

        made[folder / f"{path.stem}.json"] = as_json(Sheet(problem, certified, digits=request.digits)).encode()
    if set(request.formats) - {"json"}:
        from .render.documents import documents  # brings Jinja

        pages, sentences = documents(path.stem, problem, certified, request)
        made.update({folder / name: data for name, data in pages.items()})
    write_all(made)
    proved, agreed = certified.tally()
    parts = [f"{proved} proved"] * bool(proved) + [f"{agreed} agreed to 30 digits"] * bool(agreed)
    count = len(certified.lesson.steps)
    say(f"{count} step{'s' * (count != 1)} checked: {', '.join(parts)}; largest difference {certified.worst:.0e}")
    for note in certified.lesson.notes:
        say(note)
    for name in made:
        say(str(name))
    if sentences:
        raise ChainruleError(" ".join(sentences))
    return list(made)
