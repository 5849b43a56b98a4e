"""Where the work is done: in this process, in several, or on a cluster. All of them answer alike.

>>> sorted(Here().each(divmod, [(7, 2), (7, 0)]), key=lambda found: found[0])
[(0, (3, 1)), (1, ZeroDivisionError('integer division or modulo by zero'))]
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol

Task = tuple[Any, ...]
Found = tuple[int, Any]  # the place of a task, and what came of it or why nothing did
AHEAD = 2                # tasks a worker that wait for it, so that memory does not grow with their number


class Workers(Protocol):
    """Something that works: ``each`` calls a function with every task and yields place and result (or exception), as they come."""

    count: int

    def each(self, function: Callable[..., Any], tasks: Iterable[Task]) -> Iterator[Found]:
        """What a function makes of every task."""
        ...

    def close(self) -> None:
        """The work is done."""
        ...


class Here:
    """One task after the other, in this process."""

    count = 1

    def each(self, function: Callable[..., Any], tasks: Iterable[Task]) -> Iterator[Found]:
        """What a function makes of every task."""
        for k, task in enumerate(tasks):
            try:
                yield k, function(*task)
            except Exception as e:
                yield k, e

    def close(self) -> None:
        """Nothing is left open."""


class Processes:
    """Several processes on this machine. One that dies takes no other's work with it: what was under way is done again, task by task."""

    def __init__(self, count: int) -> None:
        self.count = count

    def each(self, function: Callable[..., Any], tasks: Iterable[Task]) -> Iterator[Found]:
        """What a function makes of every task."""
        source = enumerate(tasks)
        broken: list[tuple[int, Task]] | None = []  # None: there are no more tasks
        while broken is not None:
            broken = yield from self._pool(function, source, self.count)
            for k, task in broken or ():  # whichever of these killed its process is found by itself
                again = yield from self._pool(function, iter([(k, task)]), 1)
                if again:
                    yield k, BrokenProcessPool("its process died")

    def close(self) -> None:
        """Nothing is left open: every pool ends with its tasks."""

    def _pool(self, function: Callable[..., Any], source: Iterator[tuple[int, Task]], count: int) -> Generator[Found, None, list[tuple[int, Task]] | None]:
        """Tasks in one pool, until there are no more (None) or a process dies: then those that were under way."""
        # A forked process has the proofs and tables of this one; where forking is not safe, each makes its own.
        context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        under_way: dict[Future[Any], tuple[int, Task]] = {}
        with ProcessPoolExecutor(count, context) as pool, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of Python 3.12 about threads: those here are NumPy's, which know of forks
            while True:
                for k, task in source:
                    under_way[pool.submit(function, *task)] = k, task
                    if len(under_way) >= AHEAD * count:
                        break
                if not under_way:
                    return None
                for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        return list(under_way.values())
                    k, _ = under_way.pop(future)
                    yield k, future.result() if error is None else error


def local(jobs: int) -> Workers:
    """Workers on this machine; 0 for one a core."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = jobs or cores
    return Here() if count == 1 else Processes(count)
