"""The child process, started and waiting for its job: it loads NumPy while this process still reads what is asked.

Standard library only, so that a command starts it before it imports anything else. The child runs nothing of a student until its job has come; a child
whose job never comes ends by itself, as its input is closed.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

CHILD = Path(__file__).with_name("child.py")
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS")
Process = subprocess.Popen[bytes]
_WAITING: dict[int, Process] = {}  # by this process's number: one that was forked off starts its own


def begin() -> None:
    """Start the child that the next run will take; where it cannot be started, that run says so."""
    if os.getpid() not in _WAITING:
        with suppress(OSError):
            _WAITING[os.getpid()] = _started()


def taken() -> Process:
    """The child that waits, or else a new one. Raises OSError where none can be started."""
    waiting = _WAITING.pop(os.getpid(), None)
    return waiting if waiting is not None and waiting.poll() is None else _started()


@atexit.register
def dismiss() -> None:
    """End the child that waits, if no run has taken it."""
    waiting = _WAITING.pop(os.getpid(), None)
    if waiting is not None:
        with waiting:  # which closes its pipes and waits for it
            waiting.kill()


def _started() -> Process:
    numpy = importlib.util.find_spec("numpy")
    packages = [str(Path(numpy.origin).parents[1])] if numpy is not None and numpy.origin else []
    kept = {n: os.environ[n] for n in ("LD_LIBRARY_PATH", "SYSTEMROOT") if n in os.environ}
    return subprocess.Popen([sys.executable, "-I", "-S", "-B", "-X", "utf8", str(CHILD), *packages], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            cwd=CHILD.parent, env={**kept, **dict.fromkeys(THREADS, "1"), "LC_ALL": "C.UTF-8", "MPLBACKEND": "Agg"},
                            close_fds=True, start_new_session=os.name == "posix")
