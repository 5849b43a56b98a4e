"""What it costs to check a student's file: in the sandbox, from the start of the child to its arrays; a diagnosis; all of it.

    python benchmarks/check.py [--times 7]

Seconds of the processor, that of the child too (median and longest; the clock says more on a busy machine): an empty file; a forward and a backward
pass of two layers at one point and at twenty points in one child; the diagnosis of
one mistake and of two; a whole check of right and of wrong code, points included (with a corrected line too); the whole command, its imports and its end, by the clock too,
as the child starts beside it. The aims: a whole command under 2 s of the clock, one mistake in two layers under 0.5 s of that, two mistakes under 5 s. Every diagnosis starts from
a network nothing is known about.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from symbolic.check.judge import Case
from symbolic.check.points import Point, points
from symbolic.check.report import Report
from symbolic.check.sandbox import Outcome, run
from symbolic.check.session import Options, Session
from symbolic.check.subject import subject
from symbolic.check.why import Diagnosis, diagnose

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


def spent() -> float:
    """Seconds that this process and its children have used of the processor."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


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
        start = spent()
        out = run(source, plan, inputs)
        found.append(spent() - start)
        assert out.kind == "ok", out.message
    return found, out


def clocked(work: Callable[[], Any], times: int) -> tuple[list[float], Any]:
    found = []
    for _ in range(times):
        start = spent()
        out = work()
        found.append(spent() - start)
    return found, out


def wrong(point: Point, slips: int) -> dict[str, Any]:
    """Gradients of the two layers without one slope, or without both."""
    X, y, W1, b1, W2, b2 = (point.leaves[n] for n in ("x", "y", "W1", "b1", "W2", "b2"))
    Z1 = X @ W1 + b1
    A1 = np.maximum(Z1, 0)
    A2 = 1 / (1 + np.exp(-(A1 @ W2 + b2)))
    d2 = (A2 - y) * 2 / y.size * (1.0 if slips > 1 else A2 * (1 - A2))
    d1 = d2 @ W2.T
    return {"W1": X.T @ d1, "b1": d1.sum(0), "W2": A1.T @ d2, "b2": d2.sum(0)}


def diagnosed(slips: int) -> Diagnosis:
    against = subject("4-5-3 relu sigmoid", "mse")
    at = points(against.blueprint, 1)
    start = spent()
    found = diagnose([Case(p, wrong(p, slips)) for p in at])
    assert [len(both) for both in found.causes] and all(len(both) == slips for both in found.causes), found
    diagnosed.seconds.append(spent() - start)  # type: ignore[attr-defined]
    return found


def check(folder: Path, loss: str, mend: bool) -> Report:
    path = folder / "student.py"
    path.write_bytes(STUDENT)
    return Session(subject("4-5-3 relu sigmoid", loss), Options(seed=1, mend=mend)).check(path)


def more(times: int) -> None:
    """The diagnosis, and a check from beginning to end."""
    for name, slips in (("diagnosis, one mistake", 1), ("diagnosis, two mistakes", 2)):
        diagnosed.seconds = []  # type: ignore[attr-defined]
        for _ in range(min(times, 3) if slips > 1 else times):
            diagnosed(slips)
        found = diagnosed.seconds  # type: ignore[attr-defined]
        print(f"{name:32} median {statistics.median(found):.3f} s, longest {max(found):.3f} s")
    with tempfile.TemporaryDirectory() as folder:
        for name, loss, mend in (("a check, wrong", "mse", False), ("a check, wrong, corrected line", "mse", True), ("a check, one common constant", "bce", False)):
            found, report = clocked(lambda loss=loss, mend=mend: check(Path(folder), loss, mend), times)
            print(f"{name:32} median {statistics.median(found):.3f} s, longest {max(found):.3f} s: {report.status}, {report.message}")


def commands(times: int) -> None:
    """`chainrule check FILE` as a person calls it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "student.py"
        path.write_bytes(STUDENT)
        for name, loss, status in (("the command, right", "bce", 0), ("the command, wrong", "mse", 1)):
            seconds, clock = [], []
            for _ in range(times):
                start, begun = spent(), time.perf_counter()
                done = subprocess.run([sys.executable, "-m", "symbolic", "check", str(path), "--net", "4-5-1 relu sigmoid", "--loss", loss], capture_output=True, check=False)
                seconds.append(spent() - start)
                clock.append(time.perf_counter() - begun)
                assert done.returncode == status, done.stdout.decode()
            print(f"{name:32} median {statistics.median(seconds):.3f} s, longest {max(seconds):.3f} s, by the clock median {statistics.median(clock):.3f} s, shortest {min(clock):.3f} s")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--times", type=int, default=7)
    times = options.parse_args().times
    for name, source, (plan, inputs) in [("an empty file", b"", ({"steps": [{"do": "load"}]}, {})), ("two layers, 1 point", STUDENT, job(1)),
                                         ("two layers, 20 points", STUDENT, job(20))]:
        found, out = measured(source, plan, inputs, times)
        print(f"{name:32} median {statistics.median(found):.3f} s, longest {max(found):.3f} s, {len(out.arrays)} arrays back")
    more(times)
    commands(times)
    print("layers:", ", ".join(f"{x.name} ({'active' if x.active else 'not active'}: {x.note})" for x in out.layers))


if __name__ == "__main__":
    main()
