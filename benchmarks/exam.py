"""What an exam costs: seconds of CPU and the largest process, for 20 papers and 20 keys of five questions as PDF, and for more.

    python benchmarks/exam.py [--papers 20 100 500] [--jobs 1]

Each size is a fresh ``chainrule exam``, everything included: starting Python, proving each problem, checking every number, TeX, one PDF a paper and key.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROBLEMS = ("one-neuron", "graph-fork", "chain-rule-choice", "relu-pattern", "softmax-jacobian")
EXAM = """title: Midterm examination
course: Deep Learning
secret: benchmark secret
problems: [{problems}]
"""


def measured(papers: int, jobs: int) -> tuple[float, float, float]:
    """Seconds of CPU, seconds of the clock, megabytes of the largest process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "exam.yaml").write_text(EXAM.format(problems=", ".join(PROBLEMS)))
        (folder / "roster.csv").write_text("id,name\n" + "".join(f"{1000 + k},Student {k}\n" for k in range(papers)))
        command = [sys.executable, "-m", "symbolic", "exam", str(folder / "exam.yaml"), "--roster", str(folder / "roster.csv"),
                   "-o", str(folder / "out"), "--jobs", str(jobs), "-q"]
        start = time.perf_counter()
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent) + os.pathsep + os.environ.get("PYTHONPATH", "")})
        _, status, used = os.wait4(process.pid, 0)
        took = time.perf_counter() - start
        if status:
            raise SystemExit(f"chainrule exam ended with status {os.waitstatus_to_exitcode(status)}")
        made = len(list((folder / "out").glob("*/*.pdf")))
        if made != 2 * papers:
            raise SystemExit(f"{made} PDFs, not {2 * papers}")
    return used.ru_utime + used.ru_stime, took, used.ru_maxrss / 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--papers", type=int, nargs="+", default=[20, 100, 500])
    options.add_argument("--jobs", type=int, default=1)
    given = options.parse_args()
    print(f"{len(PROBLEMS)} questions a paper, {given.jobs} process{'es' if given.jobs > 1 else ''}")
    print(f"{'papers':>7} {'CPU s':>8} {'clock s':>8} {'ms CPU a paper':>15} {'MB':>6}")
    for papers in given.papers:
        cpu, clock, memory = measured(papers, given.jobs)
        print(f"{papers:>7} {cpu:>8.1f} {clock:>8.1f} {1000 * cpu / papers:>15.0f} {memory:>6.0f}")


if __name__ == "__main__":
    main()
