"""Questions that ask for a function in NumPy: what is given, the function, and the points that it is tried on: the paper's own and random ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mpmath import mp

from ..derive import Derivation
from ..errors import SpecError, nearest
from ..language.arithmetic import Matrix
from ..network import Network
from ..proof.probe import Draw, random_point
from ..values import DIGITS
from . import kinds
from .format import Ask
from .kinds import Asking, Made, Row
from .question import Answer, function_of
from .worked import Key, evaluated

if TYPE_CHECKING:
    from ..numeric.listing import Function, Listing

FURTHER = 3         # random points
NEAR = mp.mpf("1e-6")


def _code(a: Asking) -> Made:
    """A function of the listing that ``chainrule code`` prints, with the numbers of the variant that it is tried on; what comes before it is given."""
    from ..numeric.codetext import code_text

    found, name = _listing(a.work.problem, a.work.machine.lesson.derivation), a.ask.target
    function = next((f for f in found.functions if f.name == name), None)
    if function is None:
        raise SpecError(f"{name!r} is no function of this network", where=a.file.where_is("ask", a.place, "code"), hint=nearest(name, [f.name for f in found.functions]))
    keys: dict[str, Key] = {code: n for n, code in found.program.names.items()} | {code: (a.work.network.output, n) for n, code in found.program.slopes.items()}
    own = {n: a.tolerances[keys[n]] for n in function.gives}
    hidden = [_point(function, keys, values, own if values is a.work.values else None) for values in (a.work.values, *_further(a))]
    whole = code_text(found, "numpy")
    opened, body = whole.split(f"def {name}(")[0], f"def {name}(" + whole.split(f"def {name}(")[1].split("\n\n\n")[0].rstrip()
    signature, returned = body.partition('"""')[0], body[body.rindex("    return "):]
    stub = f'{opened}{signature}"""{function.said}"""\n    ...\n{returned}\n'
    return Made(Answer("code", text=f"{opened}{body}\n", stub=stub, hidden=tuple(hidden)))


def _point(function: Function, keys: Mapping[str, Key], values: Mapping[Any, Matrix], tolerance: Mapping[str, Matrix] | None) -> dict[str, Any]:
    """What a function takes and must give at one point; without a tolerance it must be exact to 6 digits."""
    exact = {n: [[NEAR * max(1, abs(v)) for v in row] for row in values[keys[n]]] for n in function.gives}
    return {"given": {n: kinds.rows(values[keys[n]]) for n in function.takes}, "returns": {n: kinds.rows(values[keys[n]]) for n in function.gives},
            "tolerance": {n: kinds.rows(rows) for n, rows in (tolerance or exact).items()}}


def _further(a: Asking) -> list[Mapping[Any, Matrix]]:
    """All values at random numbers of three decimals, which the seed of the draw decides; labels stay labels. A program that knows only the paper's numbers is found out."""
    network = a.work.network
    out: list[Mapping[Any, Matrix]] = []
    for k in range(FURTHER):
        with mp.workdps(DIGITS):
            point, draw = random_point(network, a.seed + k), Draw(f"labels/{a.seed}/{k}")
            leaves = {n: [[mp.nint(1000 * v) / 1000 for v in row] for row in point[n]] for n in a.work.problem.leaves}
            leaves |= {n: _labels(a.work.value(n), draw, k) for n in network.names("target") if all(v in (0, 1) for row in a.work.value(n) for v in row)}
            out.append(evaluated(a.work.problem, a.work.machine.lesson.derivation, leaves, []))
    return out


def _labels(own: Matrix, draw: Draw, k: int) -> Matrix:
    """Other labels of the same kind: a class a column or a row where it was so, else zeros and ones, a single one in turn."""
    if len(own) > 1 and all(sum(column) == 1 for column in zip(*own, strict=True)):
        return [list(row) for row in zip(*_labels([list(c) for c in zip(*own, strict=True)], draw, k), strict=True)]
    if len(own[0]) > 1 and all(sum(row) == 1 for row in own):
        right = [draw.generator.randrange(len(row)) for row in own]
        return [[mp.mpf(j == r) for j in range(len(own[0]))] for r in right]
    return [[mp.mpf(draw.generator.randrange(2) if len(own) * len(row) > 1 else k % 2) for _ in row] for row in own]


def judged(source: str, answer: Answer) -> list[str]:
    """What is wrong with a student's program, one sentence a point; nothing where it is right. It runs in the locked child process.

    Raises SandboxError where that cannot be started.
    """
    import numpy as np

    from ..check.sandbox import run

    name, _, behind = function_of(answer).removeprefix("def ").partition("(")
    takes = behind.partition(")")[0].split(", ")  # in its own order: JSON has sorted the points
    gives = behind.rpartition("return ")[2].strip().split(", ")
    steps: list[dict[str, Any]] = [{"do": "load"}]
    inputs: dict[str, Any] = {}
    for k, point in enumerate(answer.hidden):
        inputs |= {f"{k}/{n}": np.array(rows, dtype=float) for n, rows in point["given"].items()}
        one = len(point["returns"]) == 1
        steps += [{"do": "call", "target": f"file.{name}", "args": [{"input": f"{k}/{n}"} for n in takes], "save": f"r{k}", "point": k},
                  *({"do": "get", "value": {"saved": f"r{k}" if one else f"r{k}[{i}]"}, "as": f"{k}/{n}", "point": k} for i, n in enumerate(gives))]
    found = run(source.encode(), {"steps": steps}, inputs)
    if found.kind not in ("ok", "error") or not found.arrays:
        return [f"the program did not run: {found.message}"]
    out = []
    for k, point in enumerate(answer.hidden):
        where = "at the numbers of the paper" if not k else f"at other numbers ({k})"
        wrong = [n for n, rows in point["returns"].items() if not _agrees(found.arrays.get(f"{k}/{n}"), rows, point["tolerance"][n])]
        if wrong:
            out.append(f"{where} {', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} wrong")
    return [f"{s}; at the numbers of the paper all is right: they were copied" for s in out] if out and "paper" not in out[0] else out


def _agrees(got: Any, right: Sequence[Sequence[str]], tolerance: Sequence[Sequence[str]]) -> bool:
    """Whether an array holds these numbers; a single row may be a plain vector."""
    import numpy as np

    wanted, near = np.array(right, dtype=float), np.array(tolerance, dtype=float)
    if got is None or got.size != wanted.size or (got.ndim == 2 and got.shape != wanted.shape):
        return False
    return bool(np.all(np.abs(got.reshape(wanted.shape) - wanted) <= near))


def _listing(problem: Any, derivation: Derivation) -> Listing:
    """The functions of a network; of plain equations with the gradients that the spec asks for."""
    from ..numeric.listing import listing  # late: NumPy is for this kind alone

    return listing(problem.network, derivation, None if problem.network.layers else list(problem.wrt) or None, update=False)


def _code_keys(ask: Ask, network: Network, problem: Any) -> list[Key]:
    """The gradients of the parameters, or of the names that the spec asks for."""
    return [(network.output, n) for n in (network.names("parameter") or problem.wrt or network.names("input")) if n in problem.leaves]


CODE = Row("Write the function {target} in NumPy, without a loop. It is tried on the numbers above and on others.", _code_keys, _code)
