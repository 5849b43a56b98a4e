"""What it costs to run a student's file in the sandbox: from the start of the child to its arrays.

    python benchmarks/check.py [--times 7]

Seconds of the clock (median and longest): an empty file; a forward and a backward pass of two layers at one point and at twenty points in one child.
The aim: a whole check under 2 s, so most of that must be left for judging.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np

from symbolic.check.sandbox import Outcome, run

STUDENT = b"""
import numpy as np

def forward(X, W1, b1, W2, b2):
    Z1 = X @ W1 + b1
    A1 = np.maximum(Z1, 0)
    Z2 = A1 @ W2 + b2
    return 1 / (1 + np.exp(-Z2)), (Z1, A1)

def backward(X, y, y_pred, cache, W1, W2):
    Z1, A1 = cache
    d2 = (y_pred - y) / len(X)
    d1 = (d2 @ W2.T) * (Z1 > 0)
    return {"dW1": X.T @ d1, "db1": d1.sum(0), "dW2": A1.T @ d2, "db2": d2.sum(0)}
"""
SHAPES = {"X": (7, 4), "W1": (4, 5), "b1": (5,), "W2": (5, 3), "b2": (3,), "y": (7, 3)}


def job(points: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The plan and the inputs of so many test points."""
    draw = np.random.default_rng(0)
    steps: list[dict[str, Any]] = [{"do": "load"}]
    inputs = {}
    for p in range(points):
        given = {n: {"input": f"{p}/{n}"} for n in SHAPES}
        inputs.update({f"{p}/{n}": draw.standard_normal(shape) for n, shape in SHAPES.items()})
        steps += [{"do": "call", "target": "file.forward", "args": [given[n] for n in ("X", "W1", "b1", "W2", "b2")], "save": "r", "point": p},
                  {"do": "call", "target": "file.backward", "save": "g", "point": p,
                   "args": [given["X"], given["y"], {"saved": "r[0]"}, {"saved": "r[1]"}, given["W1"], given["W2"]]},
                  {"do": "gather", "value": {"saved": "g"}, "as": f"{p}", "point": p}]
    return {"steps": steps}, inputs


def measured(source: bytes, plan: dict[str, Any], inputs: dict[str, np.ndarray], times: int) -> tuple[list[float], Outcome]:
    found = []
    for _ in range(times):
        start = time.perf_counter()
        out = run(source, plan, inputs)
        found.append(time.perf_counter() - start)
        assert out.kind == "ok", out.message
    return found, out


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--times", type=int, default=7)
    times = options.parse_args().times
    for name, source, (plan, inputs) in [("an empty file", b"", ({"steps": [{"do": "load"}]}, {})), ("two layers, 1 point", STUDENT, job(1)),
                                         ("two layers, 20 points", STUDENT, job(20))]:
        found, out = measured(source, plan, inputs, times)
        print(f"{name:24} median {statistics.median(found):.3f} s, longest {max(found):.3f} s, {len(out.arrays)} arrays back")
    print("layers:", ", ".join(f"{x.name} ({'active' if x.active else 'not active'}: {x.note})" for x in out.layers))


if __name__ == "__main__":
    main()
