"""Run a student's file in a locked child process and take back arrays.

What it protects from. The file is hostile or only broken: it may try to read or change files, reach the network, start processes, disturb this
process, use up the machine, print or forge results. It never runs, and nothing it made is ever unpickled, here. The child (`child`) locks itself
(`lockdown`) before the first line of the file runs; this side limits the time of the clock, the text, the results and the folder.

What it does not do. Inside the child the file shares one process with the code that calls it, so it can change whatever stands there (``np.allclose``,
``np.savez``, the caller itself) and can send any arrays under our digest if it searches the memory for the key. This gains it nothing: the child never
holds an answer, only inputs that are drawn anew for each run, and every verdict is made here. A forged result is judged like any other numbers, so at worst it is WRONG.
No result, an incomplete one or one of another form is a failure, whatever the exit status.

Which layers are active depends on the system: `Outcome.layers` says. On systems without Landlock and seccomp (not Linux, or an old kernel)
only the limits hold: there, run only code you trust, or refuse with ``require=True``.

>>> import numpy as np
>>> out = run(b"def double(x):\\n    return 2 * x", {"steps": [{"do": "load"},
...     {"do": "call", "target": "file.double", "args": [{"input": "x"}], "save": "r"}, {"do": "get", "value": {"saved": "r"}, "as": "y"}]}, {"x": np.ones(2)})
>>> out.kind, out.arrays["y"].tolist()
('ok', [2.0, 2.0])
"""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shutil
import signal
import sysconfig
import tempfile
import threading
import time
import unicodedata
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from symbolic.check import frames, lockdown, starting
from symbolic.errors import ChainruleError

TRUST = "the sandbox is not complete on this system: run only code you trust"
CLOSED = "other files, the network and other processes are closed while a file is checked"
GRACE = 1.5  # seconds after the child's own alarm, in which it may still report
START = 60.0  # seconds in which the child must be locked (a slow disk, a large library)
DRAWING = ("matplotlib", "seaborn", "plotly", "IPython", "pylab", "tqdm")


class SandboxError(ChainruleError):
    """The file could not be run at all: the child does not start, or the sandbox is not complete and was required."""

    exit_status = 2


@dataclass(frozen=True)
class Limits:
    """What one run may use.

    Args:
        wall: seconds of the clock, from the lock on. cpu: seconds of the processor. memory: bytes beyond what Python and NumPy take.
        output: bytes of printed text; more ends the run. shown: letters of it that are kept. result: bytes of arrays.
        file: bytes of one file. files: files in its folder. folder: bytes in its folder. handles: open files. threads: whether threads may be started.
    """

    wall: float = 10.0
    cpu: float = 10.0
    memory: int = 512 << 20
    output: int = 1 << 20
    shown: int = 20_000
    result: int = 16 << 20
    file: int = 8 << 20
    files: int = 64
    folder: int = 64 << 20
    handles: int = 32
    threads: bool = False


LIBRARY = Limits(wall=30.0, cpu=60.0, memory=8 << 30, handles=256, threads=True)  # for PyTorch and JAX


@dataclass(frozen=True)
class Layer:
    """One wall of the sandbox: its name, whether it stands, and what it does or why it does not."""

    name: str
    active: bool
    note: str


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    ``kind`` is ``ok`` (all steps done), ``error`` (a step failed, the others' results are there), ``limit`` (a limit was hit), ``killed``
    (the process ended by a signal), or ``no-result`` (it ended without a result that is whole). ``message`` is one sentence, ``line`` the line of
    the student's file (0: none). ``steps`` are the reports of `steps`, ``text`` what was printed (cut), ``inert`` the modules that were stood in for.
    """

    kind: str
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    steps: tuple[dict[str, Any], ...] = ()
    text: str = ""
    layers: tuple[Layer, ...] = ()
    complete: bool = False
    message: str = ""
    line: int = 0
    limit: str = ""
    inert: tuple[str, ...] = ()
    seconds: float = 0.0


def run(source: bytes, plan: Mapping[str, Any], inputs: Mapping[str, np.ndarray], limits: Limits | None = None, *, require: bool = False, name: str = "student.py",
        preload: Iterable[str] = (), inert: Iterable[str] = DRAWING, without: Iterable[str] = ()) -> Outcome:
    """Run a file through a plan.

    Args:
        source: the file's bytes. plan: what to call, see `steps`. inputs: the arrays that the plan names. limits: `Limits`, or `LIBRARY` with ``preload``.
        require: refuse to run where the sandbox is not complete. name: what messages call the file.
        preload: libraries imported before the lock (``torch``); their files and those beside them stay readable. inert: modules replaced by one
            that does nothing. without: layers to leave out (to test the others).

    Raises:
        SandboxError: the child cannot start, or the sandbox is not complete and ``require`` is set.
    """
    preload = list(preload)
    limits = limits or (LIBRARY if preload else Limits())
    key = secrets.token_bytes(16)
    job = {"plan": plan, "source": source.hex(), "key": key.hex(), "limits": asdict(limits), "require": require, "name": name, "preload": preload,
           "inert": list(inert), "without": list(without), "paths": _paths(preload)}
    folder = tempfile.mkdtemp(prefix="chainrule-")
    try:
        if os.name == "posix" and os.geteuid() == 0 and not preload:  # with libraries it stays the user that it is
            with suppress(OSError):
                os.chown(folder, lockdown.NOBODY, lockdown.NOBODY)
        child = _Child(frames.packed({**job, "folder": folder}, inputs), folder, limits, key)
        child.watch()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _outcome(child, plan, limits, key, name, require)


def layers() -> tuple[Layer, ...]:
    """The layers of this system, found by locking a child that runs nothing."""
    return run(b"", {"steps": []}, {}).layers


def _paths(preload: Iterable[str]) -> list[str]:
    """Where the child finds the libraries: the folders of packages, never the one that somebody works in.

    Raises:
        SandboxError: a library is not installed.
    """
    found = []
    for root in dict.fromkeys(name.split(".")[0] for name in preload):
        spec = importlib.util.find_spec(root)
        if spec is None or not spec.origin:
            raise SandboxError(f"the library {root!r} is not installed here", hint=f"pip install {root}")
        package = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
        found += [str(package.parent), *(sysconfig.get_path(n) for n in ("purelib", "platlib"))]
    return list(dict.fromkeys(found))


class _Child:
    """The process, its three pipes, and what is watched while it runs."""

    def __init__(self, job: bytes, folder: str, limits: Limits, key: bytes) -> None:
        self.folder, self.limits, self.key, self.limit, self.begun = folder, limits, key, "", time.monotonic()
        try:
            self.process = starting.taken()
        except OSError as e:
            raise SandboxError(f"the child process cannot be started: {e.strerror}") from None
        self.answer, self.printed, self.news = bytearray(), bytearray(), threading.Event()
        # Steps are announced too: one short frame each, so there is room for many beside the arrays.
        room = 2 * limits.result + (4 << 20)
        self.readers = [self._reader(self.process.stdout, self.answer, room, "result"),
                        self._reader(self.process.stderr, self.printed, limits.output, "output")]
        threading.Thread(target=self._give, args=(job,), daemon=True).start()
        self.status, self.cpu, self.seconds = 0, 0.0, 0.0

    def _give(self, job: bytes) -> None:
        with suppress(OSError), self.process.stdin:  # type: ignore[union-attr]  # a child that ended reads no more
            self.process.stdin.write(job)  # type: ignore[union-attr]

    def _reader(self, pipe: IO[bytes] | None, into: bytearray, most: int, what: str) -> threading.Thread:
        assert pipe is not None

        def read() -> None:
            with pipe:
                while chunk := os.read(pipe.fileno(), 1 << 16):
                    into.extend(chunk[:max(0, most - len(into)) + 1])
                    if len(into) > most:
                        self.limit = self.limit or what
                        break
                    if what == "result":
                        self.news.set()
            self.news.set()

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return thread

    def watch(self) -> None:
        """Wait for the end of the child, or end it when a limit is hit; then no process of it is left."""
        locked: float | None = None
        while self.readers[0].is_alive() and not self.limit:
            self.news.wait(0.05)
            self.news.clear()
            now = time.monotonic()
            if locked is None and len(self.answer) > frames.HEAD.size:
                locked = now
            if now > (self.begun + START if locked is None else locked + self.limits.wall + GRACE):
                self.limit = "wall"
            elif locked is not None:
                self.limit = self.limit or self._folder_limit()
        self._end()

    def _folder_limit(self) -> str:
        size = count = 0
        with suppress(OSError), os.scandir(self.folder) as entries:
            for entry in entries:
                count += 1
                with suppress(OSError):
                    size += entry.stat(follow_symlinks=False).st_size
                if count > self.limits.files or size > self.limits.folder:
                    return "files"
        return ""

    def _end(self) -> None:
        # Also after its pipe was closed: if it is ending by itself, its status is fixed already; if it hides, this ends it. Killed
        # before it is waited for, as its number is its own only until then.
        with suppress(ProcessLookupError, PermissionError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        if hasattr(os, "wait4"):
            _, status, used = os.wait4(self.process.pid, 0)
            self.status = self.process.returncode = os.waitstatus_to_exitcode(status)
            self.cpu = used.ru_utime + used.ru_stime
        else:
            self.status = self.process.wait()
        for reader in self.readers:
            reader.join(1.0)
        self.seconds = time.monotonic() - self.begun


_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?", re.DOTALL)


def plain(text: str, most: int | None = None) -> str:
    """Text that is safe to print: no control characters but tab and line end, no escape sequences, nothing that turns its direction; cut at ``most`` letters.

    >>> plain("a\\x1b[31mb\\x07c\\r\\n\\u202ed")
    'abc\\nd'
    """
    short = text if most is None else text[:8 * most]
    kept = "".join(c for c in _ESCAPES.sub("", short) if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn"))
    return kept if most is None or len(kept) <= most else kept[:most] + " ..."


def _outcome(child: _Child, plan: Mapping[str, Any], limits: Limits, key: bytes, name: str, require: bool) -> Outcome:
    received = frames.frames(bytes(child.answer), key)
    # After a crash, where it happened is printed too, through our own files: not what the student wants to see.
    text = plain("\n".join(line for line in child.printed.decode("utf-8", "replace").split("\n") if str(starting.CHILD.parent) not in line), limits.shown)
    if not received or received[0][0] != frames.LAYERS:
        last_words = (text.strip() or f"it ended with status {child.status}").splitlines()[-1]
        raise SandboxError(f"the child process could not be made ready, so nothing was run: {last_words[:300]}")
    told, _ = frames.unpacked(received[0][1], 0)
    layers, complete = tuple(Layer(*layer) for layer in told["layers"]), bool(told["complete"])
    if require and not complete:
        gone = "; ".join(f"{x.name}: {x.note}" for x in layers if not x.active)
        raise SandboxError(f"{TRUST} ({gone})")
    known: dict[str, Any] = {"text": text, "layers": layers, "complete": complete, "seconds": child.seconds}
    last = received[-1]
    if child.limit or last[0] != frames.RESULT:
        return Outcome(**_ended(child, plan, limits, received, text, name), **known)
    try:
        report, arrays = frames.unpacked(last[1], 2 * limits.result)
        steps = _checked(report, arrays, plan)
    except frames.Garbled as e:
        return Outcome("no-result", message=f"the result is not whole: {e}", **known)
    return Outcome(**_judged(report, steps, limits, name), arrays=arrays, steps=steps, inert=tuple(plain(str(i), 40) for i in report["inert"][:20]), **known)


def _checked(report: Mapping[str, Any], arrays: Mapping[str, np.ndarray], plan: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    """The reports of the steps, if they are those of this plan and the arrays are those that it asked for."""
    steps, asked = report.get("steps"), plan["steps"]
    if not isinstance(steps, list) or len(steps) != len(asked) or report.get("limit") not in ("", "wall", "cpu") or not isinstance(report.get("inert"), list):
        raise frames.Garbled("it does not tell of every step")
    gathered = tuple(s["as"] for s in asked if s["do"] == "gather")
    got = {s["as"] for s in asked if s["do"] == "get"}
    if strange := [n for n in arrays if n not in got and not n.startswith(gathered)]:
        raise frames.Garbled(f"it holds {plain(strange[0], 60)!r}, which was not asked for")
    out = []
    for k, (step, want) in enumerate(zip(steps, asked, strict=True)):
        if not isinstance(step, dict) or step.get("step") != k or step.get("status") not in ("done", "failed", "skipped"):
            raise frames.Garbled("a step's report has another form")
        if want["do"] == "get" and step["status"] == "done" and want["as"] not in arrays:
            raise frames.Garbled(f"{want['as']!r} is missing")
        if type(step.get("line", 0)) is not int:
            raise frames.Garbled("a step's report has another form")
        out.append({k: _cleaned(v) for k, v in step.items() if k in ("step", "status", "changed", "left", "unseen", "type", "message", "line", "function")})
    return tuple(out)


def _cleaned(v: object, depth: int = 2) -> Any:
    if isinstance(v, list) and depth:
        return [_cleaned(x, depth - 1) for x in v[:1000]]
    return v if isinstance(v, (int, float)) else plain(v, 600) if isinstance(v, str) else ""


SAID = {"wall": "it was still running after {wall:g} s", "cpu": "it used more than {cpu:g} s of the processor", "memory": "it needs more than {megabytes} MB of memory",
        "result": "its results are larger than {results} MB", "output": "it printed more than {printed} kB", "files": "it wrote more than {files} files or {folder} MB"}
LIMIT_OF = {"MemoryError": "memory", "TooMuch": "result"}


def _said(limit: str, limits: Limits) -> str:
    return SAID[limit].format(wall=limits.wall, cpu=limits.cpu, megabytes=limits.memory >> 20, results=limits.result >> 20, printed=limits.output >> 10,
                              files=limits.files, folder=limits.folder >> 20)


def _judged(report: Mapping[str, Any], steps: tuple[dict[str, Any], ...], limits: Limits, name: str) -> dict[str, Any]:
    """Kind, sentence and line of a run that came back whole."""
    bad = next((s for s in steps if s["status"] == "failed"), None)
    if bad is None:
        return {"kind": "ok"} if not report["limit"] else {"kind": "limit", "limit": report["limit"], "message": _said(report["limit"], limits)}
    line = int(bad.get("line", 0))
    limit = report["limit"] or LIMIT_OF.get(str(bad.get("type")), "")
    where = f"line {line} of {name}" if line else f"step {bad['step']}"
    if limit:
        return {"kind": "limit", "limit": limit, "line": line, "message": f"{_said(limit, limits)} ({where})"}
    closed = f" ({CLOSED})" if bad.get("type") == "PermissionError" else ""
    return {"kind": "error", "line": line, "message": f"{where}: {bad.get('type')}: {bad.get('message')}".rstrip(": ") + closed}


def _ended(child: _Child, plan: Mapping[str, Any], limits: Limits, received: list[tuple[bytes, bytes]], text: str, name: str) -> dict[str, Any]:
    """Kind, sentence and line of a run that did not come back."""
    found = re.findall(rf'File "{re.escape(name)}", line (\d+)', text)  # what faulthandler prints when the process crashes
    begun = int.from_bytes(received[-1][1], "little") if received[-1][0] == frames.STEP else -1
    at = f" (while it came to {_what(plan['steps'][begun])})" if 0 <= begun < len(plan["steps"]) else ""
    over = child.limit or ("cpu" if child.status in (-9, -getattr(signal, "SIGXCPU", 24)) and child.cpu >= limits.cpu * 0.9 else "")
    if over:
        return {"kind": "limit", "limit": over, "message": _said(over, limits) + at}
    if child.status < 0 and child.status != -9:  # 9 is what this side sends once the pipe is closed
        with suppress(ValueError):
            cause = signal.Signals(-child.status).name
            return {"kind": "killed", "line": int(found[0]) if found else 0, "message": f"the process was ended by {cause}{at}"}
    return {"kind": "no-result", "message": f"it ended without a result{at}" + (f", with exit status {child.status}" if child.status >= 0 else "")}


def _what(step: Mapping[str, Any]) -> str:
    target = str(step.get("target", "")).removeprefix("file.")
    return f"{target}()" if target else "loading the file" if step["do"] == "load" else str(step.get("as") or step["do"])
