"""A student's file runs locked: hostile files are stopped, each with the right report, and the steps of a plan do what they say."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from symbolic.check import frames, lockdown, sandbox
from symbolic.check.sandbox import Limits, Outcome, run
from symbolic.check.steps import tokens

linux = pytest.mark.skipif(sys.platform != "linux", reason="the layers are those of Linux")
CALL: dict[str, Any] = {"steps": [{"do": "load"}, {"do": "call", "target": "file.f", "args": [{"input": "x"}], "save": "r", "point": 0},
                                  {"do": "get", "value": {"saved": "r"}, "as": "y", "point": 0}]}
X = np.arange(3.0)


def tried(source: str, limits: Limits | None = None, plan: dict[str, Any] | None = None, **more: Any) -> Outcome:
    return run(source.encode(), plan or CALL, {"x": X}, limits, **more)


def test_right_code_gives_its_arrays() -> None:
    out = tried("import numpy as np\nprint('hello')\ndef f(x):\n    return np.exp(x)")
    assert (out.kind, out.text, out.message, out.line) == ("ok", "hello\n", "", 0)
    assert np.array_equal(out.arrays["y"], np.exp(X))
    assert [s["status"] for s in out.steps] == ["done"] * 3


@linux
def test_every_layer_is_told() -> None:
    out = tried("def f(x): return x", require=True)
    assert out.complete and {x.name for x in out.layers if x.active} >= {"rlimits", "no_new_privs", "seccomp"}
    assert all(x.note for x in out.layers)


# Each body tries one thing; it must not come to its end.
FILES = {
    "reads a file of the system": "return len(open('/etc/passwd').read())",
    "reads the parent's file": "return len(open(r'{secret}').read())",
    "reads the parent's memory": "return len(open(f'/proc/{{os.getppid()}}/mem', 'rb').read(1))",
    "reads the parent's environment": "return len(open(f'/proc/{{os.getppid()}}/environ', 'rb').read())",
    "reads its own memory map": "return len(open('/proc/self/maps').read())",
    "lists a folder": "return len(os.listdir('/'))",
    "reads the checker": "return len(open({checker!r}).read())",
    "writes outside": "open(r'{outside}', 'w').write('x'); return 1",
    "writes beside its folder": "open('../outside.txt', 'w').write('x'); return 1",
    "follows its own link": "os.symlink(r'{secret}', 'link'); return len(open('link').read())",
    "links a file": "os.link(r'{secret}', 'link'); return 1",
    "removes a file": "os.remove(r'{secret}'); return 1",
    "changes rights": "os.chmod(r'{secret}', 0o777); return 1",
    "makes a folder": "os.mkdir('deep'); return 1",
    "makes a device": "os.mkfifo('pipe'); return 1",
    "opens a socket": "socket.socket().connect(('127.0.0.1', 9)); return 1",
    "sends a datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9)); return 1",
    "opens a local socket": "socket.socketpair(); return 1",
    "forks": "os.fork(); return 1",
    "starts a program": "return len(subprocess.run(['/bin/echo', 'x'], capture_output=True).stdout)",
    "becomes a program": "os.execv('/bin/echo', ['echo'])",
    "starts a process of Python": "multiprocessing.get_context('fork').Process(target=print).start(); return 1",
    "starts a shell": "assert os.system('echo x') == 0; return 1",
    "starts a thread": "threading.Thread(target=print).start(); return 1",
    "kills its parent": "os.kill(os.getppid(), 9); return 1",
    "stops its parent's group": "os.killpg(os.getpgid(os.getppid()), 19); return 1",
    "kills everybody": "os.kill(-1, 9); return 1",
    "leaves its session": "os.setsid(); return 1",
    "raises its limits": "resource.setrlimit(resource.RLIMIT_AS, (-1, -1)); return 1",
    "lowers the parent's limits": "resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (0, 0)); return 1",
    "loads a file as a module": "import symbolic; return 1",
    "returns objects": "return np.array([print, open])",
    "returns a bomb": "return np.array([Bomb()], dtype=object)",
    "returns text": "return 'all right'",
    "returns nothing": "return None",
    "leaves": "sys.exit(0)",
    "is interrupted": "raise KeyboardInterrupt",
    "recurses": "return f(x)",
}
HEAD = """
import os, socket, subprocess, multiprocessing, threading, resource, sys, ctypes
import numpy as np
class Bomb:
    def __reduce__(self):
        return (os.system, ('touch {outside}',))
def f(x):
    {body}
"""


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """All attacks, one after the other in one child: each is stopped, so the next one is still tried."""
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "answers.txt").write_text("dW1 = 1")
    body = [b.format(secret=folder / "answers.txt", outside=folder / "outside.txt", checker=sandbox.__file__) for b in FILES.values()]
    source = HEAD.format(body="return x", outside=folder / "outside.txt") + "".join(f"def f{k}(x):\n    {b.replace('f(x)', f'f{k}(x)')}\n" for k, b in enumerate(body))
    steps: list[dict[str, Any]] = [{"do": "load"}]
    for k in range(len(FILES)):
        steps += [{"do": "call", "target": f"file.f{k}", "args": [{"input": "x"}], "save": "r", "point": k},
                  {"do": "get", "value": {"saved": "r"}, "as": f"y{k}", "point": k}]
    return tried(source, plan={"steps": steps}), folder


@linux
@pytest.mark.parametrize("name", FILES)
def test_hostile_code_is_stopped(name: str, attacked: tuple[Outcome, Path]) -> None:
    out, folder = attacked
    k = list(FILES).index(name)
    assert out.kind == "error" and f"y{k}" not in out.arrays, out.message
    call, get = out.steps[1 + 2 * k:3 + 2 * k]
    # The line of the attack, or what it returned is nothing that can be sent.
    assert call["line"] == 10 + 2 * k if call["status"] == "failed" else (get["status"], get["type"]) == ("failed", "TypeError"), (call, get)
    secret = folder / "answers.txt"
    assert secret.read_text() == "dW1 = 1" and not (folder / "outside.txt").exists() and not secret.stat().st_mode & 0o001


ENDS: dict[str, tuple[str, str, str, Limits | None]] = {
    "loops": ("while True: pass", "limit", "wall", Limits(wall=0.4)),
    "loops and catches": ("""
    while True:
        try:
            while True: pass
        except BaseException: pass""", "limit", "wall", Limits(wall=0.3)),
    "burns the processor": ("import signal; signal.signal(signal.SIGALRM, signal.SIG_IGN); signal.signal(signal.SIGXCPU, lambda *a: None)\n    while True: pass",
                            "limit", "cpu", Limits(cpu=0.3, wall=6)),
    "sleeps": ("import time; time.sleep(1e6)", "limit", "wall", Limits(wall=0.3)),
    "stops itself": ("import os; os.kill(os.getpid(), 19)", "limit", "wall", Limits(wall=0.2)),
    "fills memory with lists": ("a = [0]\n    while True: a = a + a", "limit", "memory", None),
    "fills memory with an array": ("return np.ones((100_000, 100_000))", "limit", "memory", None),
    "returns too much": ("return np.ones(3_000_000)", "limit", "result", None),
    "floods": ("while True: print('x' * 1000)", "limit", "output", None),
    "writes many files": ("""
    for k in range(10**9):
        open(f'{k}.txt', 'w').close()""", "limit", "files", None),
    "leaves at once": ("os._exit(0)", "no-result", "", None),
    "closes its outputs": ("os.closerange(0, 64); return 1", "no-result", "", None),
    "crashes": ("import ctypes; ctypes.string_at(0)", "killed", "", None),
    "overflows the stack": ("""
    sys.setrecursionlimit(10**9)
    a, b = [], []
    for k in range(10**6): a, b = [a], [b]
    return a == b""", "killed", "", None),
    "forges by printing": ("""
    import io
    for h in range(20):
        try:
            b = io.BytesIO(); np.savez(b, y=np.zeros(3)); os.write(h, b.getvalue())
        except OSError: pass
    os._exit(0)""", "no-result", "", None),
    "spoils the way back": ("""
    import numpy.lib.format as npy, pickle
    def write(member, array, **more):
        import io
        npy_head = io.BytesIO()
        npy.write_array_header_1_0(npy_head, {'descr': '|O', 'fortran_order': False, 'shape': (1,)})
        member.write(npy_head.getvalue() + pickle.dumps([Bomb()]))
    npy.write_array = write
    return x""", "no-result", "", None),
}


@linux
@pytest.mark.parametrize("name", ENDS)
def test_what_does_not_end_well_is_told(name: str, tmp_path: Path) -> None:
    body, kind, limit, limits = ENDS[name]
    out = tried(HEAD.format(body=body, outside=tmp_path / "bomb"), limits)
    assert (out.kind, out.limit) == (kind, limit), (out.message, out.text)
    assert out.message and "y" not in out.arrays and not (tmp_path / "bomb").exists()
    assert len(out.text) <= Limits().shown + 4


def test_a_line_is_named_where_the_time_was_over() -> None:
    out = tried("def f(x):\n    k = 0\n    while True:\n        k += 1", Limits(wall=0.3))
    assert out.line in (3, 4) and out.message.startswith("it was still running after 0.3 s (line")


def test_a_crash_names_its_line() -> None:
    assert tried("import ctypes\ndef f(x):\n    ctypes.string_at(0)").line == 3


@linux
def test_system_calls_by_hand() -> None:
    """Raw calls, past Python: all fail with "not permitted" (or "not there" for clone3, so that the C library falls back to clone)."""
    if os.uname().machine != "x86_64":
        pytest.skip("the numbers are those of x86_64")
    numbers = {"socket": 41, "socketpair": 53, "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "shmget": 29, "ptrace": 101, "setuid": 105, "setpgid": 109,
               "setsid": 112, "truncate": 76, "mkdir": 83, "link": 86, "symlink": 88, "chmod": 90, "chown": 92, "mknod": 133, "personality": 135, "mount": 165,
               "setxattr": 188, "tkill": 200, "unshare": 272, "add_key": 248, "inotify_init": 253, "perf_event_open": 298, "name_to_handle_at": 303,
               "process_vm_readv": 310, "process_vm_writev": 311, "memfd_create": 319, "bpf": 321, "execveat": 322, "userfaultfd": 323,
               "pidfd_send_signal": 424, "io_uring_setup": 425, "pidfd_open": 434, "clone3": 435, "setitimer of another": 62}
    out = tried(f"import ctypes, os\ndef f(x):\n    libc = ctypes.CDLL(None, use_errno=True)\n    out = []\n    for n in {list(numbers.values())}:\n"
                "        ctypes.set_errno(0)\n        r = libc.syscall(n, os.getppid(), 0, 0, 0, 0, 0)\n        out.append(ctypes.get_errno() if r == -1 else -1)\n    return out")
    assert out.kind == "ok", out.message
    wrong = {n: got for n, got in zip(numbers, out.arrays["y"].tolist(), strict=True) if got != (errno.ENOSYS if n == "clone3" else errno.EPERM)}
    assert not wrong


@linux
def test_signals_through_a_file_handle_are_refused() -> None:
    out = tried("import fcntl, os\ndef f(x):\n    r, w = os.pipe()\n    fcntl.fcntl(r, fcntl.F_SETOWN, os.getppid())")
    assert out.kind == "error" and "PermissionError" in out.message


@linux
def test_numbers_of_another_machine_end_the_process() -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("x32 is of x86_64")
    out = tried("import ctypes\ndef f(x):\n    ctypes.CDLL(None).syscall(0x40000000 + 39)")
    assert out.kind == "killed" and "SIGSYS" in out.message


@linux
@pytest.mark.parametrize("body", ["return len(open('/etc/passwd').read())", "open('own.txt', 'w'); return 1", "os.fork()", "socket.socket()", "os.kill(os.getppid(), 9)"])
def test_without_landlock_the_filter_holds(body: str) -> None:
    out = tried(HEAD.format(body=body, outside="x"), without=["landlock"], require=True)
    assert out.kind == "error" and "PermissionError" in out.message and out.complete
    assert ("landlock", False) in [(x.name, x.active) for x in out.layers] and "no file can be opened" in out.layers[-1].note


@linux
@pytest.mark.parametrize("body", ["return len(open('/etc/passwd').read())", "open('../own.txt', 'w'); return 1", "os.fork(); return 1", "os.kill(os.getppid(), 9); return 1",
                                  "os.mkdir('deep'); return 1", "os.symlink('/etc/passwd', 'link'); return 1", "socket.socket().connect(('127.0.0.1', 9)); return 1"])
def test_without_the_filter_the_rest_holds_and_says_it_is_not_all(body: str) -> None:
    """Landlock and the limits: files, processes, signals and TCP are still stopped; datagrams are not, so it does not count as complete."""
    out = tried(HEAD.format(body=body, outside="x"), without=["seccomp"])
    assert out.kind == "error" and "y" not in out.arrays and not out.complete, out
    assert ("BlockingIOError" if "fork" in body else "PermissionError") in out.message
    with pytest.raises(sandbox.SandboxError, match="run only code you trust"):
        tried("def f(x): return x", without=["seccomp"], require=True)


@pytest.mark.parametrize("layer", ["rlimits", "no_new_privs"])
def test_a_missing_layer_is_refused_where_all_are_required(layer: str) -> None:
    with pytest.raises(sandbox.SandboxError, match=f"{layer}: left out"):
        tried("print('never')", without=[layer], require=True)


def test_its_own_folder_is_open_and_gone_afterwards() -> None:
    out = tried("import os\ndef f(x):\n    open('a.txt', 'w').write('abc')\n    os.rename('a.txt', 'b.txt')\n    print(os.getcwd())\n    return float(len(open('b.txt').read()))")
    assert out.kind == "ok" and out.arrays["y"] == 3 and not Path(out.text.strip()).exists()


@linux
def test_a_large_file_is_cut() -> None:
    out = tried("def f(x):\n    open('a', 'wb').write(bytes(20_000_000))", Limits(file=1 << 20))
    assert out.kind == "error" and "File too large" in out.message


def test_what_the_file_patches_stays_with_it() -> None:
    out = tried("import numpy as np\nnp.allclose = np.array_equal = lambda *a, **k: True\nnp.savez = np.save = lambda *a, **k: None\ndef f(x): return x * 0")
    assert out.kind == "ok" and not np.allclose(out.arrays["y"], X) and np.allclose.__module__ == "numpy"


FORGER = """
import os, sys
import numpy as np
def f(x):
    frame = sys._getframe()
    while 'send' not in frame.f_locals:
        frame = frame.f_back
    here = frame.f_locals
    frames, report = here['frames'], [{'step': k, 'status': 'done'} for k in range(%d)]
    here['send'](frames.framed(b'R', frames.packed({'steps': report, 'limit': '', 'inert': []}, {%s}), here['key']))
    os._exit(0)
"""


def test_a_forged_result_is_only_numbers() -> None:
    """It can be made (the file shares the process with its caller), but it is what any wrong answer is: numbers that are judged here."""
    out = tried(FORGER % (3, "'y': np.zeros(3)"))
    assert out.kind == "ok" and not np.allclose(out.arrays["y"], np.exp(X))


@pytest.mark.parametrize(("count", "arrays"), [(3, ""), (2, "'y': x"), (3, "'y': x, 'verdict': x"), (3, "'z': x")])
def test_a_forged_result_of_another_form_is_none(count: int, arrays: str) -> None:
    out = tried(FORGER % (count, arrays))
    assert out.kind == "no-result" and not out.arrays and out.message.startswith("the result is not whole")


def test_text_is_made_plain_and_cut() -> None:
    out = tried("import sys\nprint('\\x1b]0;title\\x07\\x1b[31mred\\x1b[0m \\u202edesrever \\x00\\x08end')\nprint('warned', file=sys.stderr)\nprint('y' * 90_000)\ndef f(x): return x")
    assert out.text.startswith("red desrever end\nwarned\nyyy") and out.text.endswith("y ...") and len(out.text) == Limits().shown + 4


def test_messages_are_made_plain() -> None:
    out = tried("def f(x):\n    raise ValueError('\\x1b[2J\\x1b[31mok')")
    assert out.message == "line 2 of student.py: ValueError: ok"
    assert tried("class E(Exception):\n    def __str__(self): raise SystemExit\ndef f(x):\n    raise E").message == "line 4 of student.py: E"


def test_a_file_that_is_no_python_names_its_line() -> None:
    out = tried("import numpy as np\ndef f(x)\n    return x")
    assert (out.kind, out.line) == ("error", 2) and "SyntaxError" in out.message
    assert tried("x = " + "-" * 200_000 + "1").kind in ("limit", "error", "killed")


PLANNED = """
import matplotlib.pyplot as plt
from tqdm import tqdm
class Net:
    def __init__(self, W):
        self.W, self.grads, self.name = W, {}, "net"
    def backward(self, x):
        self.grads["dW"] = x[:, None] * 2
        self.hidden = [x, {"b": 1.5}, None]
        return self
def spoil(x):
    x += 1
    return len(x)
def train(W, steps):
    plt.figure().add_subplot()
    for k in tqdm(range(steps)):
        dW = W * (k + 1)
        W = W - dW
    return W
def wrong(x):
    return x @ x + undefined
lost = lr
"""


def test_the_steps_of_a_plan() -> None:
    x = {"input": "x"}
    out = tried(PLANNED, plan={"steps": [
        {"do": "load", "names": {"lr": 0.1}, "before": "def helper(a):\n    return a * 3"},
        {"do": "call", "target": "file.Net", "args": [], "kwargs": {"W": {"input": "x"}}, "save": "net"},
        {"do": "set", "path": "net.W", "value": {"call": "file.helper", "args": [x]}},
        {"do": "set", "path": "net.grads['old']", "value": {"list": [1, {"tuple": [2, 3]}]}},
        {"do": "let", "save": "before", "value": {"copy": {"saved": "net"}}},
        {"do": "call", "target": "net.backward", "args": [x], "save": "r"},
        {"do": "gather", "value": {"saved": "r"}, "as": "net"},
        {"do": "get", "value": {"saved": "r.grads['dW'][0]"}, "as": "first"},
        {"do": "gather", "value": {"saved": "before.grads"}, "as": "old"},
        {"do": "call", "target": "file.spoil", "args": [x], "point": 1},
        {"do": "call", "target": "file.wrong", "args": [x], "point": 2, "save": "w"},
        {"do": "get", "value": {"saved": "w"}, "as": "w", "point": 2},
        {"do": "call", "target": "file.missing", "optional": True, "point": 3},
        {"do": "call", "target": "file.train", "args": [x, 3], "watch": {"function": "train", "names": ["dW"], "at": "return", "save": "s1"}, "point": 3},
        {"do": "call", "target": "file.train", "args": [x, 10**9], "watch": {"function": "train", "names": ["dW"], "at": "first", "stop": True, "save": "s2"}, "point": 3},
        {"do": "call", "target": "file.train", "args": [x, 2], "watch": {"function": "train", "names": ["dW", "no"], "at": 18, "stop": True, "save": "s3"}, "point": 3},
        *({"do": "get", "value": {"saved": f"s{k}['dW']"}, "as": f"dW{k}", "point": 3} for k in (1, 2, 3)),
        {"do": "get", "value": {"call": "operator.mul", "args": [{"input": "x", "as": "list"}, 2]}, "as": "twice"},
        {"do": "load", "save": "other", "source": "a = [k * lr for k in range(3)]\ntotal = sum(a)", "names": {"lr": 2},
         "watch": {"function": "<module>", "names": ["a"], "at": "return", "save": "s4"}},
        {"do": "gather", "value": {"saved": "s4"}, "as": "script"},
    ]})
    status = {s["step"]: s for s in out.steps}
    assert (out.kind, out.line) == ("error", 21) and "undefined" in out.message and out.inert == ("matplotlib", "tqdm")
    assert [k for k, s in status.items() if s["status"] == "failed"] == [10, 12] and [k for k, s in status.items() if s["status"] == "skipped"] == [11]
    assert status[9]["changed"] == ["x"] and status[12]["type"] == "AttributeError" and status[15]["unseen"] == ["no"]
    assert status[6]["left"] == [[".name", "str"], [".hidden[2]", "NoneType"]]
    got = {n: a.tolist() for n, a in out.arrays.items()}
    assert got == {"net.W": [0, 3, 6], "net.grads['old'][0]": 1, "net.grads['old'][1][0]": 2, "net.grads['old'][1][1]": 3, "net.grads['dW']": [[0], [2], [4]],
                   "net.hidden[0]": [0, 1, 2], "net.hidden[1]['b']": 1.5, "first": [0], "old['old'][0]": 1, "old['old'][1][0]": 2, "old['old'][1][1]": 3,
                   "dW1": [0, 0, 0], "dW2": [0, 1, 2], "dW3": [0, 1, 2], "twice": [0, 1, 2, 0, 1, 2], "script['a']": [0, 2, 4]}


def test_a_path_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="no path"):
        tokens("net.W1 + 1")


def test_every_kind_of_number_comes_back_as_it_was() -> None:
    kinds = [np.float32(1.5), np.arange(4, dtype=np.int8).reshape(2, 2).T, np.array([True]), np.zeros((0, 3)), np.array([np.nan, np.inf]), np.array(1 + 2j)]
    plan = {"steps": [{"do": "load", "source": "def f(x):\n    return x"}, *({"do": "get", "value": {"call": "file.f", "args": [{"input": f"i{k}"}]}, "as": str(k)} for k in range(len(kinds)))]}
    out = run(b"", plan, {f"i{k}": np.asarray(v) for k, v in enumerate(kinds)})
    for k, v in enumerate(kinds):
        assert out.arrays[str(k)].dtype == np.asarray(v).dtype and np.array_equal(out.arrays[str(k)], v, equal_nan=np.asarray(v).dtype.kind == "f")


LIBRARIES = {
    "autograd": "import autograd.numpy as anp\nfrom autograd import grad\ndef f(x):\n    return grad(lambda a: anp.sum(a ** 3))(x)",
    "jax": "import jax\ndef f(x):\n    return jax.jit(jax.grad(lambda a: (a ** 3).sum()))(x)",
    "torch": "import torch\ndef f(x):\n    t = torch.tensor(x, requires_grad=True)\n    (t ** 3).sum().backward()\n    return t.grad",
}


@linux
@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_are_imported_before_the_lock(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is asked for works behind the lock, may read its own files, and nothing else: also not the folder somebody works in."""
    pytest.importorskip(library)
    (tmp_path / "answers.py").write_text("dW1 = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    for body in ("open('/etc/passwd')", "import os; os.fork()", "import answers", "import symbolic", f"open({str(tmp_path / 'answers.py')!r})"):
        out = tried(f"{LIBRARIES[library]}\nr = f(np.arange(3.0))\n{body}".replace("import", "import numpy as np; import", 1), preload=[library],
                    plan={"steps": [{"do": "load", "point": 0}, {"do": "get", "value": {"saved": "file.r"}, "as": "y"}]}, require=True)
        assert out.kind == "error" and out.steps[0]["type"] in ("PermissionError", "ModuleNotFoundError"), out
        assert np.allclose(out.arrays["y"], 3 * X ** 2)


def test_a_library_that_is_not_asked_for_is_closed() -> None:
    out = tried(LIBRARIES["autograd"])
    assert out.kind == "error" and "'autograd' cannot be imported while your file is checked" in out.message


def test_a_library_that_is_not_there_is_said() -> None:
    with pytest.raises(sandbox.SandboxError, match="'no_such_library' is not installed"):
        tried("def f(x): return x", preload=["no_such_library"])


def test_runs_side_by_side() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda k: run(b"def f(x): return x + 1", CALL, {"x": X * k}), range(4)))
    assert all(out.kind == "ok" and np.array_equal(out.arrays["y"], X * k + 1) for k, out in enumerate(found))


def test_a_script_runs_as_main() -> None:
    out = tried("if __name__ == '__main__':\n    y = 3", plan={"steps": [{"do": "load", "main": True}, {"do": "get", "value": {"saved": "file.y"}, "as": "y"}]})
    assert out.kind == "ok" and out.arrays["y"] == 3


def test_the_layers_can_be_asked_for() -> None:
    assert [x.name for x in sandbox.layers()] == ["rlimits", "no_new_privs", "landlock", "seccomp"]


# frames


def simulated(program: list[tuple[int, int, int, int]], data: dict[int, int]) -> int:
    """What a filter returns: a BPF machine with the six instructions that are used."""
    at, value = 0, 0
    while True:
        code, true, false, k = program[at]
        at += 1
        if code == 0x06:
            return k
        if code == 0x20:
            value = data.get(k, 0)
        else:
            at += true if {0x15: value == k, 0x35: value >= k, 0x45: bool(value & k)}[code] else false


@pytest.mark.parametrize("machine", lockdown.MACHINES)
def test_the_filter_on_both_machines(machine: str) -> None:
    column, arch = lockdown.MACHINES[machine]
    allow, refuse, kill, absent = 0x7FFF0000, 0x00050001, 0x80000000, 0x00050000 | errno.ENOSYS

    def answer(number: int, args: dict[int, int] | None = None, *, files: bool = True, threads: bool = False, arch: int = arch) -> int:
        program = lockdown.filter_program(column, lockdown.MACHINES[machine][1], 77, files=files, threads=threads)
        assert len(program) < 4096 and all(jump <= 255 for line in program for jump in line[1:3])
        return simulated(program, {0: number, 4: arch, **{16 + 8 * k: v for k, v in (args or {}).items()}})

    named = {n: c[column] for n, c in {**lockdown.CALLS, **lockdown.FILE_CALLS}.items() if c[column] >= 0}
    assert len(set(named.values())) == len(named)
    assert all(answer(n) == allow for n in named.values()) and answer(named["openat"], files=False) == refuse
    special = {c[0][column] for c in lockdown.CHOOSY.values()} | {lockdown.CLONE3[column]}
    assert all(answer(n) == refuse for n in range(500) if n not in set(named.values()) | special)
    for numbers, argument, values in lockdown.CHOOSY.values():
        assert all(answer(numbers[column], {argument: 77 if v == "self" else int(v)}) == allow for v in values) and answer(numbers[column], {argument: 999}) == refuse
    assert answer(lockdown.CLONE3[column]) == absent and answer(0x40000000) == kill and answer(named["read"], arch=0x40000003) == kill
    assert answer(lockdown.CLONE[column], {0: 0x10000}) == refuse and answer(lockdown.CLONE[column], {0: 0x10000}, threads=True) == allow
    assert answer(lockdown.CLONE[column], {0: 17}, threads=True) == refuse


def test_the_numbers_are_those_of_the_kernel() -> None:
    headers = [Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"), Path("/usr/include/asm-generic/unistd.h")]
    if not all(h.exists() for h in headers):
        pytest.skip("the kernel's headers are not installed")
    import re

    tables = [dict(re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", " ".join([h.read_text().replace("\t", " ")]))) for h in headers]
    tables[1]["newfstatat"] = tables[1]["fstatat"]
    for name, numbers in {**lockdown.CALLS, **lockdown.FILE_CALLS, **{n: c[0] for n, c in lockdown.CHOOSY.items()}, "clone": lockdown.CLONE, "clone3": lockdown.CLONE3}.items():
        for table, number in zip(tables, numbers, strict=True):
            assert number == int(table.get(name, -1)), name


BUNDLE = frames.packed({"steps": []}, {"X": np.arange(6.0).reshape(2, 3), "n": np.array(3)})


@settings(max_examples=150)
@given(st.data())
def test_spoiled_bundles_are_garbled_and_nothing_worse(data: st.DataObject) -> None:
    spoiled = bytearray(BUNDLE)
    for _ in range(data.draw(st.integers(1, 4))):
        spoiled[data.draw(st.integers(0, len(spoiled) - 1))] = data.draw(st.integers(0, 255))
    try:
        text, arrays = frames.unpacked(bytes(spoiled[:data.draw(st.integers(0, len(spoiled)))]), 10_000)
    except frames.Garbled:
        return
    assert isinstance(text, dict) and all(isinstance(a, np.ndarray) and a.dtype.kind in frames.KINDS for a in arrays.values())


def test_a_bundle_is_refused_for_its_size_and_kind() -> None:
    import io
    import json
    import zipfile

    with pytest.raises(frames.Garbled, match="too large"):
        frames.unpacked(BUNDLE, 100)

    def made(member: bytes, compression: int = zipfile.ZIP_STORED) -> bytes:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", compression) as archive:
            archive.writestr("0.npy", member)
        words = json.dumps({"arrays": ["X"]}).encode()
        return len(words).to_bytes(8, "little") + words + out.getvalue()

    def head(descr: str, shape: tuple[int, ...]) -> bytes:
        out = io.BytesIO()
        np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": shape})
        return out.getvalue()

    for member, compression, why in [(head("<f8", (10**12,)), zipfile.ZIP_STORED, "size and its content differ"), (head("|O", (1,)), zipfile.ZIP_STORED, "not plain numbers"),
                                     (head("<U5", (0,)), zipfile.ZIP_STORED, "not plain numbers"), (head("<f8", (0,)) , zipfile.ZIP_DEFLATED, "compressed")]:
        with pytest.raises(frames.Garbled, match=why):
            frames.unpacked(made(member, compression), 10_000)


def test_frames_end_at_the_first_that_is_not_ours() -> None:
    key, other = b"k" * 16, b"o" * 16
    good = frames.framed(b"S", b"one", key)
    assert frames.frames(good + frames.framed(b"R", b"two", other) + good, key) == [(b"S", b"one")]
    assert frames.frames(good + good[:-1], key) == [(b"S", b"one")] and frames.frames(b"", key) == []
