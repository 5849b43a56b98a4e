"""What a derivation costs, beside SymPy's one-shot ``diff`` of the whole network.

    python benchmarks/derive.py [--deepest 32] [--one-shot 4]

Seconds of CPU (median of three), operation counts of all gradients, and the time of the
verification beside it; at the end, seconds of the clock for the whole catalogue. The one-shot derivative is run in a child process with a limit.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable

from symbolic import expr as ex
from symbolic.derive import Derivation, derive, passes
from symbolic.language.arithmetic import entries
from symbolic.layers import stack
from symbolic.lesson import plan
from symbolic.network import LayerPlan, Network, scalarize
from symbolic.rules import RULES
from symbolic.values import DIGITS
from symbolic.verify import certify

WIDTH = 3


def network(depth: int, width: int = WIDTH) -> Network:
    """A sigmoid network of so many layers."""
    return stack(("x", width), "y", [LayerPlan(width, "sigmoid")] * depth, "half_squared_error")


def seconds(work: Callable[[], object], times: int = 3) -> float:
    found = []
    for _ in range(times):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return statistics.median(found)


def recorded(net: Network) -> Derivation:
    """Derive, with every step's expression built."""
    derivation = derive(net)
    for step in derivation.steps.values():
        step.result  # noqa: B018
    return derivation


def bare(net: Network) -> dict[str, ex.Expr]:
    """Reverse mode with nothing recorded: the local rules of every equation on the named gradient, and their sums."""
    bars: dict[str, list[ex.Expr]] = {net.output: [ex.ONE]}
    for eq in reversed(net.equations):
        upstream = ex.ONE if eq.name == net.output else ex.grad(net.output, eq.name, eq.rhs.shape)
        for name, sent, _ in passes(eq.rhs, upstream, (), RULES):
            bars.setdefault(name, []).append(sent)
    return {name: ex.add(*terms) for name, terms in bars.items()}


def count(e: ex.Expr) -> int:
    """How many scalar operations the tree asks for (a shared name counts once, where it is made)."""
    own = max(len(e.args) - 1, 0) if e.op in ("add", "mul", "div", "pow", "matmul") else \
        1 if e.op in ("neg", "call", "slope", "apply", "over", "cases") else 0
    return own + sum(count(a) for a in e.args)


def operations(derivation: Derivation) -> float:
    """Operations a parameter in all gradient equations of the scalar network."""
    total = sum(count(s.result) for s in derivation.steps.values())
    return total / len(derivation.network.names("parameter"))


def numbers(net: Network) -> dict[str, list[list[object]]]:
    from symbolic.proof.probe import Draw

    draw = Draw("benchmark")
    return {n: draw.matrix(net.symbols[n].shape) for n in net.names("input", "target", "parameter")}


def one_shot(depth: int, width: int = WIDTH) -> tuple[float, int]:
    """SymPy differentiates the whole loss with respect to every weight: (seconds, operations)."""
    import sympy as sp

    from symbolic.proof.prove import SYMPY

    net = scalarize(network(depth, width))
    env = {s.name: [[sp.Symbol(s.name.replace("[", "_").replace("]", "").replace(",", "_"))]] for s in net.symbols.values() if s.kind != "value"}
    for eq in net.equations:
        env[eq.name] = entries(eq.rhs, env, SYMPY)
    loss = env["L"][0][0]
    start = time.process_time()
    found = [sp.diff(loss, env[n][0][0]) for n in net.names("parameter")]
    spent = time.process_time() - start
    return spent, sum(int(sp.count_ops(g)) for g in found) if depth < 4 else 0


def _child(depth: int, out: multiprocessing.Queue[tuple[float, int]]) -> None:
    out.put(one_shot(depth))


def limited_one_shot(depth: int, limit: float) -> tuple[float, int] | None:
    queue: multiprocessing.Queue[tuple[float, int]] = multiprocessing.Queue()
    child = multiprocessing.Process(target=_child, args=(depth, queue))
    child.start()
    child.join(limit)
    if child.is_alive():
        child.kill()
        return None
    return queue.get()


def catalogue() -> str:
    """What the printed catalogue costs: its derivations and checks, then TeX."""
    from symbolic.catalogue.tables import TABLES, tables
    from symbolic.render.cataloguepages import pdf, reference

    start = time.perf_counter()
    source = reference(tables())
    derived = time.perf_counter() - start
    size = len(pdf(source))
    rows = sum(len(t.rows()) for t in TABLES)
    return f"catalogue: {rows} rows derived in {derived:.1f} s, printed in {time.perf_counter() - start - derived:.1f} s, {size // 1000} kB"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--deepest", type=int, default=32)
    options.add_argument("--one-shot", type=int, default=4, help="deepest network given to SymPy's diff")
    options.add_argument("--limit", type=float, default=120, help="seconds for one one-shot derivative")
    given = options.parse_args()
    recorded(network(2))  # warm up
    print(f"width {WIDTH}, sigmoid; seconds of CPU, digits of the check {DIGITS}")
    print(f"{'layers':>6} {'scalar':>9} {'ops/param':>9} {'matrix':>9} {'verify':>9} {'matrix+verify':>13} {'one-shot':>10} {'ratio':>8}")
    depth = 1
    while depth <= given.deepest:
        flat, net = scalarize(network(depth)), network(depth)
        scalar = seconds(lambda flat=flat: recorded(flat))
        matrix = seconds(lambda net=net: recorded(net))
        leaves = numbers(net)
        lesson = plan(net, ("matrix", "numbers"))
        verify = seconds(lambda lesson=lesson, leaves=leaves: certify(lesson, leaves))
        shot = limited_one_shot(depth, given.limit) if depth <= given.one_shot else None
        print(f"{depth:>6} {scalar:>9.4f} {operations(derive(flat)):>9.2f} {matrix:>9.4f} {verify:>9.3f} {matrix + verify:>13.3f} "
              + (f"{shot[0]:>10.2f} {shot[0] / scalar:>7.0f}x" if shot else f"{'-':>10} {'-':>8}"))
        depth *= 2
    print(catalogue())


if __name__ == "__main__":
    main()
