"""The same work on a Dask cluster: whoever does it, the bytes are the same.

A worker needs chainrule and, for PDFs, TeX of the same version; exam, problems and students come with each task. A worker that dies has its tasks
done by the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..errors import ChainruleError
from .workers import AHEAD, Found, Task

WAIT = 30      # seconds for a scheduler to answer


class Cluster:
    """The workers of a scheduler. Raises ChainruleError where there is no Dask, no scheduler or no worker."""

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise ChainruleError("--scheduler needs Dask", hint="run: python -m pip install 'chainrule[dask]'") from None
        try:
            self.client: Any = Client(address, timeout=WAIT)
        except (OSError, ValueError, TimeoutError) as e:
            raise ChainruleError(f"--scheduler {address}: no scheduler answers ({type(e).__name__})") from None
        self.count = sum(self.client.nthreads().values())
        if not self.count:
            raise ChainruleError(f"--scheduler {address}: the cluster has no worker")

    def each(self, function: Callable[..., Any], tasks: Iterable[Task]) -> Iterator[Found]:
        """What a function makes of every task."""
        from distributed import as_completed

        source = enumerate(tasks)
        places: dict[str, int] = {}
        under_way = as_completed()

        def more() -> None:
            for k, task in source:
                future = self.client.submit(function, *task, pure=False)
                places[future.key] = k
                under_way.add(future)
                return

        for _ in range(AHEAD * self.count):
            more()
        for future in under_way:
            more()
            error = future.exception()
            yield places.pop(future.key), future.result() if error is None else error
            future.release()

    def close(self) -> None:
        """Leave the cluster as it was."""
        self.client.close()
