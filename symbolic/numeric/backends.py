"""The backends: one program, run in several ways, and which of them to choose.

>>> from ..layers import stack
>>> from ..network import LayerPlan
>>> from .program import program
>>> [chosen(at_size(program(stack(("x", k), "y", [LayerPlan(k)], "mse", samples="n")), {"n": 2})) for k in (2, 200)]
['floats', 'buffers']
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .. import expr as ex
from ..expr import Expr, Shape
from ..network import Network
from ..numpytree import Names, tree_code
from .buffers import BuffersRunner
from .program import Program
from .scalar import FloatsRunner, NumbaRunner
from .sources import NumpyRunner, Runner

BACKENDS: dict[str, Callable[[Program, str], Runner]] = {"numpy": NumpyRunner, "buffers": BuffersRunner, "floats": FloatsRunner, "numba": NumbaRunner}

# Below so many scalar operations plain floats are quicker than buffers. Measured by `python benchmarks/numeric.py --crossover`
# (CPython 3.11, NumPy 2.4, one BLAS thread): sigmoid networks of 2 to 8 units
# and 1 to 8 examples, arrays in and out: 4-4-4 in batches of 8 and 6-6-6 in batches of 4 take the same time either way.
MOST_SCALAR = 1800


def chosen(made: Program) -> str:
    """The backend that is likely the quickest for a program whose sizes are all numbers."""
    return "buffers" if work(made) > MOST_SCALAR else "floats"


def work(made: Program) -> int:
    """How many scalar operations a program takes, about: an exact count is not needed to choose by it."""
    return sum(_cost(n) for s in made.statements for n in ex.walk(s.expr))


def _cost(e: Expr) -> int:
    cells = int(e.shape[0]) * int(e.shape[1]) if e.shape else 1
    if e.op == "matmul":
        return 2 * cells * int(e.args[0].shape[1])
    if not e.args or e.op in ("T", "take", "concat"):
        return 0
    return max(cells, *(int(a.shape[0]) * int(a.shape[1]) if a.shape else 1 for a in e.args)) * max(1, len(e.args) - 1)


def at_size(made: Program, sizes: Mapping[str, int]) -> Program:
    """The program with numbers for its symbolic sizes."""
    network = made.network
    shapes = {n: _sized(s.shape, sizes) for n, s in network.symbols.items()}
    symbols = {n: replace(s, shape=shapes[n]) for n, s in network.symbols.items() if n not in sizes}
    tables: dict[str, list[Any]] = {}
    names = Names(made.names.__getitem__, lambda of, name: made.slopes[name], tables)
    trees = [(s, _at(s.expr, sizes, shapes)) for s in made.statements]
    statements = tuple(replace(s, expr=e, code=tree_code(e, names)) for s, e in trees)
    fixed = Network(network.equations, symbols, network.aliases, constants=network.constants)
    return replace(made, network=fixed, statements=statements, tables=tables)


def _sized(shape: Shape, sizes: Mapping[str, int]) -> Shape:
    return ex.sym("_", tuple(sizes.get(d, d) if isinstance(d, str) else d for d in shape)).shape


def _at(e: Expr, sizes: Mapping[str, int], shapes: Mapping[str, Shape]) -> Expr:
    """A tree with numbers for sizes; where a size is 1, products and sums over it collapse as they do when built."""
    if e.op == "sym":
        return ex.num(sizes[e.data]) if e.data in sizes else ex.sym(e.data, shapes[e.data])
    if e.op == "grad":
        of, wrt = e.data
        return ex.grad(of, wrt, shapes[wrt])
    if e.op == "ones":
        return ex.ones(_sized(e.shape, sizes))
    if e.op == "eye":
        return ex.eye(_sized(e.shape, sizes))
    args = [_at(a, sizes, shapes) for a in e.args]
    if e.op in ex.ENTRYWISE or e.op in ("matmul", "T", "sum", "most", "least", "over"):
        return ex.node(e.op, args, e.data) if args else e
    return Expr(e.op, tuple(args), e.data, _sized(e.shape, sizes))


class AutoRunner:
    """The quickest backend for the sizes at hand, chosen anew for every batch size."""

    def __init__(self, made: Program, dtype: str, batch: int | None = None) -> None:
        self.program, self.dtype = made, dtype
        self.letters: dict[str, tuple[int, int]] = {}  # where each symbolic size is found: which leaf, which axis
        for k, name in enumerate(made.leaves):
            for axis, d in enumerate(made.network.symbols[name].shape):
                if isinstance(d, str):
                    self.letters.setdefault(d, (k, axis))
        self.source = NumpyRunner(made, dtype).source
        self.buffers = BuffersRunner(made, dtype)
        self._found: dict[tuple[int, ...], Runner] = {}
        self._last: FloatsRunner | None = None
        if batch is not None and len(self.letters) == 1:
            self._at((batch,))

    def pick(self, leaves: Sequence[Any]) -> Runner:
        """The runner for the sizes of these arrays."""
        return self._at(tuple(leaves[k].shape[axis] for k, axis in self.letters.values()))

    def _at(self, sizes: tuple[int, ...]) -> Runner:
        if sizes not in self._found:
            fixed = at_size(self.program, dict(zip(self.letters, sizes, strict=True)))
            self._found[sizes] = FloatsRunner(fixed, self.dtype) if chosen(fixed) == "floats" else self.buffers
        found = self._found[sizes]
        self._last = found if isinstance(found, FloatsRunner) and 1 not in sizes else None
        return found

    def call(self, values: Mapping[str, Any]) -> Any:
        """By the floats of the last sizes, which say None where the sizes have changed."""
        return None if self._last is None else self._last.call(values)

    def run(self, leaves: Sequence[Any]) -> tuple[float, list[Any]]:
        """The loss and new arrays of gradients."""
        runner = self.pick(leaves)
        if not isinstance(runner, FloatsRunner):
            return runner.run(leaves)
        loss, gradients = runner.run(self._reshaped(runner, leaves))
        sizes = {d: leaves[k].shape[axis] for d, (k, axis) in self.letters.items()}
        shapes = [tuple(sizes.get(d, d) if isinstance(d, str) else d for d in self.program.network.symbols[n].shape) for n in self.program.gradients]
        return loss, [g.reshape(shape) for g, shape in zip(gradients, shapes, strict=True)]

    def _reshaped(self, runner: FloatsRunner, leaves: Sequence[Any]) -> list[Any]:
        """Leaves in the shapes of the sizes at hand: a batch of one example may turn a row into a number."""
        fixed = runner.program.network.symbols
        return [x.reshape(fixed[n].shape) for n, x in zip(self.program.leaves, leaves, strict=False)]

    def bound(self, leaves: Sequence[Any], data: int, into: Sequence[Any]) -> Callable[..., float]:
        """See ``Runner``."""
        runner = self.pick(leaves)
        if not isinstance(runner, FloatsRunner):
            return runner.bound(leaves, data, into)
        fixed = self._reshaped(runner, leaves)
        run = runner.bound(fixed, data, into)
        if all(x.shape == y.shape for x, y in zip(fixed, leaves, strict=True)):
            return run
        return lambda *given: run(*self._reshaped(runner, given))


def runner_for(made: Program, dtype: str, backend: str, batch: int | None) -> tuple[str, Runner]:
    """The runner for a backend by name, and the name of what was chosen where it says 'auto'."""
    if backend == "auto":
        if made.network.sizes:
            return "auto", AutoRunner(made, dtype, batch)
        backend = chosen(made)
    if backend in ("floats", "numba") and made.network.sizes and batch is not None:
        made = at_size(made, dict.fromkeys(made.network.sizes, batch))
    return backend, BACKENDS[backend](made, dtype)
