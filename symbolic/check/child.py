"""The child: a script that locks itself and then runs one student's file. Started by `sandbox`, never imported by it.

It waits for its job, a bundle (see `frames`), on its standard input; its standard output takes frames and nothing else: which layers are active (before any line
of the student runs), each step as it begins, and the results. What the student prints goes to standard error.

NumPy is imported first, then the modules of the standard library that the file names and those asked for; then `lockdown.lock`; then `steps.Machine`.
"""

from __future__ import annotations

import codecs
import faulthandler
import importlib
import importlib.machinery
import os
import re
import signal
import struct
import sys
import types
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

# Imported ahead when the file names them (they open no window, socket or file of their own when imported).
STANDARD = frozenset("""abc argparse array base64 bisect calendar cmath collections contextlib copy csv ctypes dataclasses datetime decimal enum fcntl fractions functools gc
getpass glob gzip hashlib heapq inspect io itertools json keyword logging math mmap multiprocessing numbers operator os pathlib pickle platform pprint
queue random re resource shutil signal socket statistics string struct subprocess sys tempfile textwrap threading time timeit traceback types typing
unittest urllib uuid warnings weakref zipfile zlib""".split())
PARTS = frozenset("random linalg fft polynomial ma testing lib typing".split())  # of NumPy, imported by it only when used
NEEDED = "warnings linecache tokenize zipfile encodings.latin_1 encodings.ascii numpy.linalg numpy.lib.format".split()  # what NumPy and messages need later
LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/etc/ld.so.cache", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu",
             "/dev/null", "/dev/random", "/dev/urandom")


class Inert(types.ModuleType):
    """Stands in for a module that only draws: whatever is asked of it does nothing and gives itself."""

    __path__: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *args: object, **kwargs: object) -> Inert:
        return self

    def __getitem__(self, key: object) -> Inert:
        return self

    def __iter__(self) -> Any:
        return iter((self, self))  # figure, axes = subplots()

    def __enter__(self) -> Inert:
        return self

    def __exit__(self, *args: object) -> None:
        return None


class Progress(Inert):
    """Stands in for a progress bar: what it is put around stays as it is."""

    def __call__(self, *args: object, **kwargs: object) -> Any:
        return range(args[0]) if args and isinstance(args[0], int) else args[0] if args else self


class Closed:
    """The last finder of modules: nothing can be imported any more, and it says so."""

    def __init__(self, inert: Sequence[str]) -> None:
        self.inert, self.used = frozenset(inert), set[str]()

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        root = name.split(".")[0]
        if root in self.inert:
            self.used.add(root)
            return importlib.machinery.ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]
        if root in sys.modules:
            return None
        raise ModuleNotFoundError(f"the module {name!r} cannot be imported while your file is checked; "
                                  "it may use NumPy and the common modules of the standard library", name=name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return (Progress if spec.name.startswith("tqdm") else Inert)(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        return None


def private_output() -> Callable[[bytes], None]:
    """Take standard output for the frames; what is printed from now on goes to standard error."""
    handle = os.dup(1)
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    write = os.write

    def send(content: bytes) -> None:
        view = memoryview(content)
        while view:
            view = view[write(handle, view[:1 << 20]):]

    return send


def words(source: bytes) -> set[str]:
    """Every word of the file: cheaper and surer than parsing it, and what is imported for nothing costs only time."""
    return {w.decode() for w in re.findall(rb"[A-Za-z_]\w*", source[:1_000_000])}


def load(names: Sequence[str]) -> None:
    """Import what is there of some modules."""
    for name in names:
        with suppress(ImportError):
            importlib.import_module(name)


def imported(job: dict[str, Any], source: bytes) -> dict[str, types.ModuleType]:
    """Import whatever will be needed; the modules that were asked for, by name."""
    known = words(source) | set(re.findall(r"[A-Za-z_]\w*", str(job["plan"])))
    reading = ["urllib.request"] if known & {"loadtxt", "genfromtxt"} else []  # else NumPy cannot even say that a file is not there
    load([*(f"numpy.{part}" for part in sorted(known & PARTS)), *reading, *sorted(known & STANDARD)])
    for codec in ("utf-8", "latin-1", "ascii"):
        codecs.lookup(codec)
    for name in job["preload"]:
        importlib.import_module(name)
    return {root: sys.modules[root] for root in {name.split(".")[0] for name in job["preload"]}}


def alarms(time_up: type[BaseException], wall: float) -> Callable[[], None]:
    """Break off the student's code when the time is over, so that its line can be named; returns what stops the alarm.

    The file can undo this; then the parent kills the process a little later, and the kernel when its processor time is over.
    """
    if not hasattr(signal, "setitimer"):
        return lambda: None
    active = [True]

    def over(which: str) -> Callable[[int, types.FrameType | None], None]:
        def handler(number: int, frame: types.FrameType | None) -> None:
            if active[0]:
                active[0] = False
                error = time_up("the time was over")
                error.which = which  # type: ignore[attr-defined]
                raise error
        return handler

    def stop() -> None:
        active[0] = False

    signal.signal(signal.SIGALRM, over("wall"))
    signal.signal(signal.SIGXCPU, over("cpu"))
    signal.setitimer(signal.ITIMER_REAL, wall)
    return stop


def ours() -> list[Any]:
    """The modules beside this script, found under no name afterwards; NumPy comes from the folder that the command names."""
    sys.path.extend([*sys.argv[1:], os.path.dirname(os.path.abspath(__file__))])
    del sys.argv[1:]  # not for the student's own parser of arguments
    names = ("frames", "lockdown", "steps")
    found = [importlib.import_module(name) for name in names]
    sys.path.pop()
    for name in names:
        del sys.modules[name]
    return found


def locked(lockdown: Any, job: dict[str, Any], source: bytes, closed: Closed) -> tuple[list[Any], dict[str, types.ModuleType]]:
    """Import all that is needed and lock the process: the layers, and the libraries that were asked for."""
    preload, limits, sizes, done = job["preload"], job["limits"], lockdown.sizes(), []
    if preload:
        # Such libraries start threads, which Landlock would not reach later, and open files of their own at any time.
        done = lockdown.close_files(".", [*LIBRARIES, *sys.path, sys.prefix, sys.base_prefix + "/lib"], without=job["without"])
    modules = imported(job, source)
    sys.modules["symbolic"] = None  # type: ignore[assignment]  # it may stand beside a library that stays readable; no file checks itself with it
    sys.meta_path[:] = [f for f in sys.meta_path if preload or f is not importlib.machinery.PathFinder] + [closed]
    used = lockdown.address_space(sizes)
    if sizes >= 0:
        os.close(sizes)
    done = done or lockdown.close_files(".", without=job["without"])
    return lockdown.lock(limits, used, done, threads=limits["threads"], without=job["without"]), modules


def main() -> None:
    """Load NumPy, read the job, import, lock, run, send, end."""
    frames, lockdown, steps = ours()
    load(NEEDED)
    job_bytes = sys.stdin.buffer.read()
    if not job_bytes:  # nobody needs this child
        return
    send = private_output()
    job, inputs = frames.unpacked(job_bytes, sys.maxsize)
    os.chdir(job["folder"])
    os.environ.update(HOME=job["folder"], TMPDIR=job["folder"])
    sys.path.extend(p for p in job["paths"] if p not in sys.path)
    key, source, limits, closed = bytes.fromhex(job["key"]), bytes.fromhex(job["source"]), job["limits"], Closed(job["inert"])
    faulthandler.enable(2, all_threads=False)
    sys.stdout.reconfigure(line_buffering=True, errors="replace")  # type: ignore[union-attr]
    layers, modules = locked(lockdown, job, source, closed)
    whole = lockdown.complete(layers)
    send(frames.framed(frames.LAYERS, frames.packed({"layers": layers, "complete": whole}, {}), key))
    leave = os._exit
    if job["require"] and not whole:
        leave(3)
    machine = steps.Machine(source, job["name"], inputs, modules, int(limits["result"]),
                            lambda k: send(frames.framed(frames.STEP, struct.pack("<Q", k), key)))
    stop = alarms(steps.TimeUp, limits["wall"])
    try:
        machine.run(job["plan"]["steps"])
        stop()
    except steps.TimeUp as e:  # between two steps
        machine.limit = e.which
    report = machine.report + [{"step": k, "status": "skipped"} for k in range(len(machine.report), len(job["plan"]["steps"]))]
    for stream in (sys.stdout, sys.stderr):
        with suppress(BaseException):
            stream.flush()
    send(frames.framed(frames.RESULT, frames.packed({"steps": report, "limit": machine.limit, "inert": sorted(closed.used)}, machine.results), key))
    leave(0)


if __name__ == "__main__":
    main()
