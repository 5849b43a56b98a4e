"""What the compiled derivations cost beside other libraries, as ratios of CPU time.

    python benchmarks/numeric.py [--only WORD] [--rounds 7] [--crossover]

BLAS runs on one thread. The contestants of a row take turns within this one process; each number is the median of
the rounds, and nobody is timed before agreeing with all others on the loss and every gradient. NumPy by hand is always
there; PyTorch, JAX, CasADi, micrograd, autograd and numba where they are installed.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import argparse
import importlib.util
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))

from contestants import (
    LIBRARIES,
    Model,
    by_hand,
    by_hand_tuned,
    floor,
    update_by_hand,
)

from symbolic.layers import stack
from symbolic.models.theorems import applied
from symbolic.network import LayerPlan, Network
from symbolic.numeric import compile
from symbolic.numeric.crosscheck import complex_step
from symbolic.numeric.data import split
from symbolic.numeric.datasets import load
from symbolic.numeric.update import Update
from symbolic.optimizers import OPTIMIZERS

Values = dict[str, Any]
Work = Callable[[], Any]
SLICE = 0.05  # seconds of one turn


@dataclass
class Row:
    """One line of the table: who takes part, what each gives, and how much faster we are to be."""

    title: str
    works: dict[str, Work]
    goals: list[tuple[str, str, float, bool]] = field(default_factory=list)  # ours, the other, the goal, whether the goal is a most instead of a least
    tolerance: float = 1e-10


def seconds(row: Row, rounds: int) -> dict[str, float]:
    """CPU seconds of one call of every contestant, taking turns."""
    counts, found = {}, {name: [] for name in row.works}
    for name, work in row.works.items():
        work()
        start, count = time.process_time(), 0
        while time.process_time() - start < SLICE / 5:
            work()
            count += 1
        counts[name] = max(1, count * 5)
    for _ in range(rounds):
        for name, work in row.works.items():
            turns = range(counts[name])
            start = time.process_time()
            for _ in turns:
                work()
            found[name].append((time.process_time() - start) / counts[name])
    return {name: statistics.median(times) for name, times in found.items()}


def agree(row: Row) -> None:
    """Everyone gives the same loss and gradients as the first."""
    first, *others = row.works
    expected = flat(row.works[first]())
    for name in others:
        found = flat(row.works[name]())
        if found.shape != expected.shape or not np.all(np.abs(found - expected) <= row.tolerance * max(1, np.max(np.abs(expected)))):
            raise SystemExit(f"{row.title}: {name} and {first} disagree, so nobody is timed")


def flat(result: Any) -> Any:
    """All numbers of a result, in order."""
    if isinstance(result, (tuple, list)):
        return np.concatenate([flat(r) for r in result]) if len(result) else np.empty(0)
    if isinstance(result, Mapping):
        return flat(list(result.values()))
    return np.ravel(np.asarray(result, dtype=np.float64))


def shown(row: Row, times: Mapping[str, float]) -> None:
    """The times, and every goal with what was measured."""
    print(f"\n{row.title}")
    for name, t in sorted(times.items(), key=lambda item: item[1]):
        print(f"  {name:<28} {t * 1e6:>12.2f} us")
    for ours, other, goal, at_most in row.goals:
        if ours not in times or other not in times:
            missing = ours if ours not in times else other
            print(f"  {'':<28} {missing}: not installed")
            continue
        ratio = times[ours] / times[other] if at_most else times[other] / times[ours]
        met = ratio <= goal if at_most else ratio >= goal
        print(f"  {ours + ' : ' + other:<40} {ratio:>8.2f} x   goal {'at most' if at_most else 'at least'} {goal:g} x   {'met' if met else 'NOT met'}")


# ---------------------------------------------------------------- the networks

def network(sizes: list[int], activation: str, last: str, loss: str, samples: Any) -> Network:
    plans = [LayerPlan(n, activation) for n in sizes[1:-1]] + [LayerPlan(sizes[-1], last)]
    return applied(stack(("x", sizes[0]), "y", plans, loss, samples=samples), loss)


def numbers(net: Network, dtype: str = "float64", n: int = 1) -> Values:
    """Weights, inputs and targets; targets of a cross-entropy count one class an example."""
    rng = np.random.default_rng(0)
    out: Values = {}
    for s in net.symbols.values():
        if s.kind in ("input", "target", "parameter"):
            shape = tuple(n if isinstance(d, str) else int(d) for d in s.shape)
            value = rng.normal(size=shape) * (0.05 if max(shape, default=1) > 100 and s.kind == "parameter" else 0.5)
            if s.kind == "target" and net.shortcuts:
                value = np.zeros(shape)
                value[rng.integers(shape[0], size=shape[1]), np.arange(shape[1])] = 1
            out[s.name] = np.asarray(value, dtype=dtype)
    return out


def model(sizes: list[int], activation: str, last: str, loss: str, samples: int | None, dtype: str = "float64") -> tuple[Model, Network, Values]:
    net = network(sizes, activation, last, loss, samples)
    values = numbers(net, dtype)
    return Model(tuple(sizes), activation, last, loss, dtype, values), net, values


# ---------------------------------------------------------------- the rows

def tiny() -> Iterator[Row]:
    made, net, values = model([2, 2, 2], "sigmoid", "sigmoid", "half_squared_error", None)
    compiled = compile(net)
    given = [float(v) for n in compiled.program.leaves for v in np.ravel(values[n])]
    works: dict[str, Work] = {"chainrule floats": lambda: compiled.floats(*given), "NumPy by hand": by_hand(made), **plain_lambdify(net, given, compiled.results)}
    if importlib.util.find_spec("numba"):
        quick = compile(net, backend="numba")
        works["chainrule numba"] = lambda: quick.floats(*given)
    works |= installed(made)
    yield Row("2-2-2 sigmoid, one example: plain floats in and out", works, [
        ("chainrule floats", "torch", 150, False), ("chainrule floats", "lambdify (cse)", 3, False), ("chainrule numba", "torch", 300, False)])
    arrays = {k: v for k, v in works.items() if not k.startswith(("chainrule", "lambdify"))}
    bound = compiled.bind(values)
    ours = {"chainrule arrays": lambda: (bound(), bound.gradients), "chainrule new arrays": lambda: compiled(values)}
    yield Row("2-2-2 sigmoid, one example: arrays in and out", {**ours, **arrays}, [
        ("chainrule arrays", "torch", 75, False), ("chainrule new arrays", "torch", 50, False), ("chainrule arrays", "NumPy by hand", 8, False), ("chainrule arrays", "jax", 6, False)])


def plain_lambdify(net: Network, given: list[float], results: tuple[str, ...]) -> dict[str, Work]:
    """SymPy differentiates the whole loss and shares what it finds: the usual way without steps."""
    import sympy as sp

    from symbolic.language.arithmetic import entries
    from symbolic.network import scalarize
    from symbolic.proof.prove import SYMPY

    flat_net = scalarize(net)
    names = [n for kind in (("input", "target"), ("parameter",)) for n in flat_net.names(*kind)]
    letters = {n: sp.Symbol(f"v{k}") for k, n in enumerate(names)}
    env: dict[Any, Any] = {n: [[s]] for n, s in letters.items()}
    for eq in flat_net.equations:
        env[eq.name] = entries(eq.rhs, env, SYMPY)
    loss = env[flat_net.output][0][0]
    slopes = [sp.diff(loss, letters[n]) for n in flat_net.names("parameter")]
    assert len(slopes) + 1 == len(results)
    made = {"lambdify (cse)": {}, "lambdify (cse, math)": {"modules": "math"}}
    runs = {name: sp.lambdify(list(letters.values()), [loss, *slopes], cse=True, **options) for name, options in made.items()}
    return {name: lambda run=run: run(*given) for name, run in runs.items()}


def installed(made: Model, *only: str) -> dict[str, Work]:
    """The libraries that are installed and can take the model."""
    out = {}
    for name, library in LIBRARIES.items():
        if only and name not in only or importlib.util.find_spec(library.module) is None:
            continue
        work = library.make(made)
        if work is not None:
            out[name] = work
    return out


def small() -> Iterator[Row]:
    for title, sizes, samples, goal in (("3-4-2 sigmoid, one example", [3, 4, 2], None, 90), ("2-8-1 sigmoid, batch 4", [2, 8, 1], 4, 17)):
        made, net, values = model(sizes, "sigmoid", "sigmoid", "half_squared_error", samples)
        compiled = compile(net)
        given = [float(v) for n in compiled.program.leaves for v in np.ravel(values[n])]
        works = {"chainrule floats": lambda c=compiled, g=given: c.floats(*g), "chainrule arrays": lambda c=compiled, v=values: c(v), "NumPy by hand": by_hand(made)}
        yield Row(title, works | installed(made), [("chainrule floats", "torch", goal, False)])


def middle() -> Iterator[Row]:
    made, net, values = model([16, 16, 16, 4], "tanh", "identity", "mse", 32)
    bound = compile(net).bind(values)
    works = {"chainrule": lambda: (bound(), bound.gradients), "NumPy by hand": by_hand(made), "NumPy tuned by hand": by_hand_tuned(made), **installed(made)}
    yield Row("16-16-16-4 tanh, batch 32", works, [
        ("chainrule", "torch", 6, False), ("chainrule", "NumPy by hand", 1.25, False), ("chainrule", "NumPy tuned by hand", 0.9, False)])


def step() -> Iterator[Row]:
    """Loss, gradients and the RMSprop update; the update moves the weights, so that each contestant has its own."""
    made, net, values = model([784, 512, 10], "relu", "softmax", "cross_entropy", 128, "float32")
    compiled = compile(net, dtype="float32")
    works = {"NumPy by hand": by_hand(made), "chainrule": lambda: compiled(values), **installed(made, "torch", "jax")}
    agree(Row("784-512-10, the gradients", works, tolerance=2e-4))
    works = {"chainrule": our_step(net, made), "NumPy by hand": update_by_hand(made), "five products (the floor)": floor(made)}
    for name in ("torch", "torch.compile", "jax"):
        library = LIBRARIES[name.split(".")[0]]
        if importlib.util.find_spec(library.module) and (work := library.step(made, name)) is not None:
            works[name] = work
    yield Row("784-512-10 ReLU, softmax: a training step, batch 128, float32, RMSprop", works, [
        ("chainrule", "torch", 1.1, False), ("chainrule", "NumPy by hand", 1.8, False), ("chainrule", "five products (the floor)", 1.6, True),
        ("five products (the floor)", "NumPy by hand", 1.8, False)])  # what no program can pass: below its goal, that of the line above is out of reach here


def our_step(net: Network, made: Model) -> Work:
    """A step as ``fit`` takes it: gradients in their arrays, the update of the catalogue's row."""
    compiled = compile(net, dtype=made.dtype)
    row, count = OPTIMIZERS["rmsprop"], [0]
    rule = Update(row, {n: o.default for n, o in row.options.items()}, {n: made.values[n] for n in compiled.program.parameters}, made.dtype)
    bound = compiled.bind({**made.values, **rule.values}, rule.gradients)

    def run() -> float:
        count[0] += 1
        loss = bound()
        rule.step(rule.gradients, 0.001, count[0])
        return loss

    return run


def digits() -> tuple[Any, Any]:
    """1,438 handwritten digits and their classes, one column each; where scikit-learn is missing, random numbers of that shape."""
    if importlib.util.find_spec("sklearn"):
        data = split(load("digits"), 0.2, seed=0)[0]
        return data.x.T, np.eye(10)[:, data.y]
    rng = np.random.default_rng(1)
    return rng.uniform(0, 1, (64, 1438)), np.eye(10)[:, rng.integers(10, size=1438)]


def epoch() -> Iterator[Row]:
    """64-64-10 on the digits in batches of 32, gradient descent by the catalogue's row, from the same start."""
    made, *_ = model([64, 64, 10], "relu", "softmax", "cross_entropy", 32)
    X, Y = digits()
    batches = [(np.ascontiguousarray(X[:, k:k + 32]), np.ascontiguousarray(Y[:, k:k + 32])) for k in range(0, X.shape[1] - 31, 32)]
    compiled = compile(network([64, 64, 10], "relu", "softmax", "cross_entropy", "n"))

    rule = Update(OPTIMIZERS["gradient_descent"], {}, {n: made.values[n] for n in compiled.program.parameters})
    bound = compiled.bind({**rule.values, "x": batches[0][0], "y": batches[0][1]}, rule.gradients)

    def ours() -> Values:
        for name, value in rule.values.items():
            np.copyto(value, made.values[name])
        for t, (x, y) in enumerate(batches, 1):
            bound(x, y)
            rule.step(rule.gradients, 0.1, t)
        return dict(rule.values)

    works: dict[str, Work] = {"chainrule": ours}
    for name in ("torch", "jax"):
        if importlib.util.find_spec(LIBRARIES[name].module):
            works[name] = LIBRARIES[name].epoch(made, batches)
    yield Row(f"64-64-10 ReLU, softmax: one epoch of {len(batches)} batches, the weights at its end", works, [("chainrule", "torch", 5, False)], tolerance=1e-9)


def checking() -> Iterator[Row]:
    made, net, values = model([16, 16, 16, 4], "tanh", "identity", "mse", 32)
    compiled = compile(net)
    works = {"chainrule, exact": lambda: compiled(values)[1], "chainrule, complex step": lambda: complex_step(compiled, values)}
    row = Row("16-16-16-4: checking its 612 gradients", works, [("chainrule, complex step", "torch gradcheck", 0.3, True)], tolerance=1e-11)
    agree(row)
    if importlib.util.find_spec("torch"):
        row.works["torch gradcheck"] = LIBRARIES["torch"].gradcheck(made)
    yield Row(row.title, row.works, row.goals, tolerance=np.inf)


def cold() -> None:
    """A fresh process up to its first gradient, imports included."""
    ours = """
from symbolic.layers import stack
from symbolic.network import LayerPlan
from symbolic.numeric import compile
import numpy as np
net = stack(("x", 2), "y", [LayerPlan(2, "sigmoid"), LayerPlan(2, "sigmoid")], "half_squared_error")
print(compile(net)({s.name: np.ones(s.shape) for s in net.symbols.values() if s.kind != "value"})[0])
"""
    theirs = """
import torch
x, W, V = torch.ones(2, 1), torch.ones(2, 2, requires_grad=True), torch.ones(2, 2, requires_grad=True)
(torch.sigmoid(V @ torch.sigmoid(W @ x)) ** 2).sum().backward()
print(W.grad)
"""
    def once(source: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", source], check=True, capture_output=True, cwd=Path(__file__).parent.parent)
        return time.perf_counter() - start

    works = {"chainrule": ours, **({"torch": theirs} if importlib.util.find_spec("torch") else {})}
    times = {name: statistics.median(once(source) for _ in range(3)) for name, source in works.items()}
    shown(Row("a cold start to the first gradient (seconds of the clock)", {}, [("chainrule", "torch", 0.5, True)]), times)


def deriving() -> Iterator[Row]:
    from derive import bare, limited_one_shot, network as deep, operations, recorded

    from symbolic.derive import derive
    from symbolic.network import scalarize

    for depth in (4, 8):
        net = scalarize(deep(depth))
        print(f"\nderive, {depth} layers of 3: {operations(derive(net)):.2f} operations a parameter (goal at most 6)")
        yield Row(f"derive with recorded steps, {depth} layers of 3, scalar level", {"chainrule": lambda net=net: recorded(net), "bare reverse mode": lambda net=net: bare(net)},
                  [("chainrule", "bare reverse mode", 2, True)] if depth == 8 else [], tolerance=np.inf)
        if depth == 4 and (shot := limited_one_shot(4, 120)):
            times = {"chainrule": statistics.median(seconds(Row("", {"x": lambda net=net: recorded(net)}), 3).values()), "SymPy one-shot": shot[0]}
            shown(Row("the same beside SymPy's diff of the whole loss", {}, [("chainrule", "SymPy one-shot", 500, False)]), times)


def crossover() -> None:
    """Plain floats beside buffers, by the number of scalar operations: what ``MOST_SCALAR`` is read from."""
    from symbolic.numeric.backends import work

    print(f"{'network':<20} {'operations':>10} {'floats':>10} {'buffers':>10}")
    for units in (2, 3, 4, 6, 8):
        for samples in (1, 2, 4, 8):
            _, net, values = model([units, units, units], "sigmoid", "sigmoid", "half_squared_error", samples)
            both = {b: compile(net, backend=b) for b in ("floats", "buffers")}
            times = seconds(Row("", {b: lambda c=c, values=values: c(values) for b, c in both.items()}), 3)
            print(f"{f'{units}-{units}-{units}, batch {samples}':<20} {work(both['floats'].program):>10} {times['floats'] * 1e6:>10.1f} {times['buffers'] * 1e6:>10.1f}")


ROWS: dict[str, Callable[[], Iterator[Row]]] = {"derive": deriving, "tiny": tiny, "small": small, "middle": middle, "step": step, "epoch": epoch, "checking": checking}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--only", nargs="*", choices=[*ROWS, "cold"], default=[])
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--crossover", action="store_true", help="plain floats beside buffers, by size")
    given = options.parse_args()
    if given.crossover:
        crossover()
        return
    absent = [name for name, library in LIBRARIES.items() if importlib.util.find_spec(library.module) is None]
    print("CPU time, one BLAS thread, medians" + (f"; not installed: {', '.join(absent)}" if absent else ""))
    for name, rows in ROWS.items():
        if not given.only or name in given.only:
            for row in rows():
                if np.isfinite(row.tolerance) and name != "step":
                    agree(row)
                shown(row, seconds(row, given.rounds))
    if not given.only or "cold" in given.only:
        cold()


if __name__ == "__main__":
    main()
