"""From a spec to its code: derived, checked, in the layout that was asked for, said in a language.

>>> from ..reading.specfile import build
>>> spec = build({"inputs": {"x": [2]}, "targets": {"y": [1]}, "layers": [{"activation": "tanh", "W": [["1/2"]], "b": [0]}], "loss": "mse"})
>>> print(coded(spec, "python").splitlines()[5])
    z1 = W1 * x + b1
"""

from __future__ import annotations

from typing import Any

from ..derive import Derivation
from ..errors import SpecError, nearest
from ..lectures.descent import rate_at
from ..lesson import plan
from ..models.stacked import keys_of
from ..network import Network
from ..problem import Problem, build
from ..spec import Spec
from ..verify import certify
from .backends import work
from .codetext import Start, code_text
from .listing import Listing, listing
from .program import program
from .targets import TARGETS, target

LAYOUTS = ("columns", "rows")
MOST_WRITTEN_OUT = 4000  # operations: beyond that, code entry by entry is nothing that one reads
KERNEL = ("p", "q")      # running letters of a kernel's rows and columns
RATE = 0.1               # where the file names no learning rate


def coded(spec: Spec, to: str = "numpy", *, layout: str | None = None, script: bool = False, steps: int | None = None) -> str:
    """The code of a spec in a language.

    layout: 'columns' or 'rows', the spec's own where None; script: with the numbers of the file and some training steps, so that it runs.
    Raises SpecError for what the language or the spec cannot give, CheckError where a line of the derivation fails its check.
    """
    target(to)  # before anything is worked out
    problem = build(spec if layout is None else turned(spec, layout))
    check(problem, to, script)
    certified = certify(plan(problem.network, ("matrix",), wrt=problem.wrt), problem.numbers())
    return text_of(problem, certified.lesson.derivation, to, script=script, steps=steps)


def text_of(problem: Problem, derivation: Derivation, to: str, *, script: bool = False, steps: int | None = None) -> str:
    """The code of a problem that is derived already. Raises SpecError for what the language cannot say."""
    apart = target(to).apart
    try:
        return code_text(functions_of(problem, derivation, apart), to, problem.title, start_of(problem, steps) if script else None)
    except SpecError as error:
        where = problem.spec.where() if problem.spec else ""
        raise SpecError(error.sentence, where=error.where or where, hint=error.hint or ("--to numpy works with whole arrays" if apart else "")) from None


def functions_of(problem: Problem, derivation: Derivation, apart: bool) -> Listing:
    """The functions of a problem, in no language yet; apart: every entry written out."""
    way = problem.descent
    return listing(problem.network, derivation, _wrt(problem), apart=apart, update=bool(problem.network.layers or way),
                   optimizer=way.optimizer if way else None, options=way.options if way else None)


def _wrt(problem: Problem) -> list[str] | None:
    """What gradients are given: of all parameters; of plain equations, of the names that the file asks for."""
    if problem.network.layers:
        return None
    return [n for n in problem.wrt if n in problem.network.names("input")] or (problem.moved if problem.descent else None)


def check(problem: Problem, to: str, script: bool) -> None:
    """Raises SpecError where the language writes every entry out and cannot here, or where a script lacks a number."""
    _check_size(problem, to)
    if script:
        _check_numbers(problem)


def _check_size(problem: Problem, to: str) -> None:
    """Code entry by entry needs sizes that are numbers, and few of them."""
    if not TARGETS[to].apart:
        return
    whole = [name for name, row in TARGETS.items() if not row.apart]
    where, hint = problem.spec.where() if problem.spec else "", f"--to {', '.join(whole[:-1])} or {whole[-1]} works with whole arrays"
    if problem.network.sizes:
        raise SpecError(f"--to {to} writes every entry out, and the size {problem.network.sizes[0]} is a letter", where=where, hint=hint)
    count = work(program(problem.network, wrt=_wrt(problem)))
    if count > MOST_WRITTEN_OUT:
        raise SpecError(f"--to {to} writes every entry out, and here are about {count:,} operations; at most {MOST_WRITTEN_OUT:,} are", where=where, hint=hint)


def _check_numbers(problem: Problem) -> None:
    """A script needs a number for everything that comes in."""
    where = problem.spec.where() if problem.spec else ""
    if problem.spec and problem.spec.data is not None:
        raise SpecError("--script writes the examples into the code, and the file takes them from elsewhere (data)", where=problem.spec.where("data"),
                        hint="chainrule train works with them; or write inputs and targets, or leave --script out")
    if problem.network.sizes:
        raise SpecError(f"--script needs the data, and the size {problem.network.sizes[0]} is a letter", where=where, hint="give numbers under inputs and targets, or leave --script out")
    for name in program(problem.network, wrt=_wrt(problem)).leaves:
        if name not in problem.leaves:
            kind = problem.network.symbols[name].kind
            hint = "write its numbers, or draw them by init: {scheme: glorot_uniform}" if kind == "parameter" else "write its numbers"
            raise SpecError(f"--script needs a number for everything, and {name} has none", where=where, hint=hint + ", or leave --script out")


def start_of(problem: Problem, steps: int | None) -> Start:
    """The numbers of the file, and the learning rate of every step."""
    numbers = problem.numbers() or {}
    values = {name: [[float(v) for v in row] for row in rows] for name, rows in numbers.items() if isinstance(name, str)}
    way = problem.descent
    count = steps if steps is not None else way.steps if way else 3
    rates = tuple(float(rate_at(way, t)) for t in range(1, count + 1)) if way else (RATE,) * count
    said = [f"The file names no learning rate; {RATE} is a usual one."] * bool(problem.network.layers and way is None)
    training = problem.spec.train if problem.spec else None
    said += ["Every step uses all examples."] * bool(way and way.batches or training and training.batch)
    said += ["The keys of train are those of the command chainrule train."] * bool(training)
    return Start(values, rates, tuple(said))


# ---------------------------------------------------------------- the other layout

def turned(spec: Spec, layout: str) -> Spec:
    """The same network in columns or rows: built anew, with its matrices on their sides. Raises SpecError for plain equations."""
    if layout not in LAYOUTS:
        raise SpecError(f"--layout {layout}: no such layout", hint=nearest(layout, LAYOUTS))
    if not spec.is_network:
        raise SpecError("--layout is for layers; equations stand as they are written", where=spec.where())
    if spec.convention == layout:
        return spec
    problem = build(spec)
    empty = [layer.model_copy(update={"W": None, "b": None, "weights": {}, "bias": p.bias}) for layer, p in zip(spec.layers, problem.network.layers, strict=True)]
    other = spec.model_copy(update={"convention": layout, "layers": empty, "init": None})
    network = build(other.model_copy(update={"learning_rate": None, "optimizer": None, "schedule": None, "compare": None})).network
    layers = []
    for number, layer in enumerate(empty, 1):
        names = keys_of(other, network).get(number, {})
        weights = {key: _sided(problem.leaves[n], problem.network, network, n) for key, n in names.items() if n in problem.leaves}
        layers.append(layer.model_copy(update={"weights": weights}))
    return other.model_copy(update={"layers": layers})


def _sided(cells: Any, one: Network, other: Network, name: str) -> tuple[tuple[Any, ...], ...]:
    """A parameter as the other layout has it: on its side, but for a kernel, which lies as its image lies."""
    kernel = one.symbols[name].letters == KERNEL and one.symbols[name].shape == other.symbols[name].shape
    return tuple(map(tuple, cells if kernel else zip(*cells, strict=True)))
