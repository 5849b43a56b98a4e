"""Lock this very process: Landlock, seccomp, limits on resources, no way back. Standard library only; nobody needs to be root.

Everything here can only be tightened later, never loosened, also not by native code in the process:

* ``landlock``: files can be opened in one folder only; there, plain files can be made, written and removed, but no folders, links or devices;
  no TCP, no signals to other processes, no memory of other processes (what of it the kernel knows, see `FILE_RIGHTS`).
* ``seccomp``: a filter in front of every system call (`CALLS`): what is not named fails with "Operation not permitted", so no sockets, processes,
  signals to others, tracing, mounting, changed rights or owners. Without Landlock it also refuses to open any file, so the promise about files holds.
* ``rlimits``: memory, time of the processor, size of a file, open files, processes, no core dumps.
* ``no_new_privs`` and no capabilities; a process of root becomes the user ``nobody``.

Sources: Documentation/userspace-api/landlock.rst, seccomp_filter.rst and no_new_privs.rst of the Linux kernel; the system calls' numbers from its
asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64).
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress

if sys.platform != "win32":
    import resource

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column in the tables of system calls, AUDIT_ARCH
NOBODY = 65534
_CALL_NUMBERS = {"landlock_create_ruleset": 444, "landlock_add_rule": 445, "landlock_restrict_self": 446}  # the same on both

# name: number on x86_64, on aarch64 (-1: not there)
CALLS = {name: (int(x86), int(arm)) for name, x86, arm in (entry.split(":") for entry in """
read:0:63 write:1:64 futex:202:98 mmap:9:222 munmap:11:215 mprotect:10:226 mremap:25:216 brk:12:214 madvise:28:233 close:3:57 lseek:8:62
fstat:5:80 newfstatat:262:79 stat:4:-1 lstat:6:-1 statx:332:291 readv:19:65 writev:20:66 pread64:17:67 pwrite64:18:68
clock_gettime:228:113 clock_getres:229:114 clock_nanosleep:230:115 nanosleep:35:101 gettimeofday:96:169 time:201:-1 times:100:153
getrusage:98:165 sched_yield:24:124 sched_getaffinity:204:123 getcpu:309:168 rt_sigaction:13:134 rt_sigprocmask:14:135 rt_sigreturn:15:139
rt_sigpending:127:136 rt_sigtimedwait:128:137 rt_sigsuspend:130:133 sigaltstack:131:132 restart_syscall:219:128 getitimer:36:102
setitimer:38:103 alarm:37:-1 pause:34:-1 exit:60:93 exit_group:231:94 getpid:39:172 gettid:186:178 getppid:110:173 getuid:102:174
geteuid:107:175 getgid:104:176 getegid:108:177 getgroups:115:158 getpgrp:111:-1 getpgid:121:155 getsid:124:156 getresuid:118:148
getresgid:120:150 uname:63:160 sysinfo:99:179 umask:95:166 getcwd:79:17 getrlimit:97:163 getrandom:318:278 set_robust_list:273:99
get_robust_list:274:100 rseq:334:293 membarrier:324:283 set_tid_address:218:96 arch_prctl:158:-1 sched_getparam:143:121
sched_getscheduler:145:120 access:21:-1 faccessat:269:48 faccessat2:439:439 readlink:89:-1 readlinkat:267:78 getdents:78:-1
getdents64:217:61 dup:32:23 dup2:33:-1 dup3:292:24 pipe:22:-1 pipe2:293:59 eventfd2:290:19 poll:7:-1 ppoll:271:73 select:23:-1
pselect6:270:72 epoll_create1:291:20 epoll_ctl:233:21 epoll_wait:232:-1 epoll_pwait:281:22 flock:73:32 fsync:74:82 fdatasync:75:83
ftruncate:77:46 fallocate:285:47 fadvise64:221:223 sendfile:40:71 copy_file_range:326:285 msync:26:227 mincore:27:232
get_mempolicy:239:236 capget:125:90
""".split())}
# Only where Landlock watches the folder; else no file is opened at all. (truncate by path: Landlock knows it from version 3 on, so it stays out.)
FILE_CALLS = {"open": (2, -1), "creat": (85, -1), "openat": (257, 56), "openat2": (437, 437), "unlink": (87, -1), "unlinkat": (263, 35),
              "rename": (82, -1), "renameat": (264, 38), "renameat2": (316, 276)}
# Allowed for some values of one argument: (numbers, which argument, the values). "self": this process.
# fcntl without F_SETOWN and F_SETSIG, ioctl without FIOASYNC and TIOCSTI: those send signals and keystrokes to others.
CHOOSY: dict[str, tuple[tuple[int, int], int, tuple[int | str, ...]]] = {
    "fcntl": ((72, 25), 1, (0, 1, 2, 3, 4, 5, 6, 7, 1030, 1032)),  # F_DUPFD F_GETFD F_SETFD F_GETFL F_SETFL F_GETLK F_SETLK F_SETLKW ...
    "ioctl": ((16, 29), 1, (0x5401, 0x5413, 0x541B, 0x5450, 0x5451)),  # TCGETS TIOCGWINSZ FIONREAD FIONCLEX FIOCLEX
    "prctl": ((157, 167), 0, (15, 16, 0x53564D41)),  # PR_SET_NAME PR_GET_NAME PR_SET_VMA
    "prlimit64": ((302, 261), 0, (0, "self")),
    "kill": ((62, 129), 0, ("self",)),
    "tgkill": ((234, 131), 0, ("self",)),
}
CLONE, CLONE3, CLONE_THREAD = (56, 220), (435, 435), 0x10000

_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06  # BPF: LD|W|ABS, JMP|JEQ, JMP|JGE, JMP|JSET, RET
_OFFSET_NUMBER, _OFFSET_ARCH, _OFFSET_ARGS = 0, 4, 16  # struct seccomp_data; the low half of an argument comes first (little endian)

# Rights of files that each version of Landlock handles: 1 has bits 0 to 12, 2 adds REFER, 3 TRUNCATE, 5 IOCTL_DEV.
FILE_RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}
_WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE, _MAKE_REG, _TRUNCATE = 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 8, 1 << 14
OWN_FOLDER = _WRITE_FILE | _READ_FILE | _READ_DIR | _REMOVE_FILE | _MAKE_REG | _TRUNCATE
READ_ONLY = _READ_FILE | _READ_DIR

Layer = tuple[str, bool, str]  # its name, whether it is active, what it does or why it does not


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _column() -> int | None:
    """The column of this machine in the tables; nothing where the tables do not hold."""
    if sys.platform != "linux" or platform.machine() not in MACHINES or struct.calcsize("P") != 8:
        return None
    return MACHINES[platform.machine()][0]


def filter_program(column: int, arch: int, own: int, *, files: bool, threads: bool) -> list[tuple[int, int, int, int]]:
    """The filter as BPF instructions (code, jump if true, jump if false, constant).

    Args:
        column: which machine's numbers. arch: its AUDIT_ARCH. own: the id of this process.
        files: whether files may be opened (Landlock watches which). threads: whether threads may be started.
    """
    refuse = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    out = [(_LOAD, 0, 0, _OFFSET_ARCH), (_EQUAL, 1, 0, arch), (_RETURN, 0, 0, _KILL),
           (_LOAD, 0, 0, _OFFSET_NUMBER), (_AT_LEAST, 0, 1, 0x40000000), (_RETURN, 0, 0, _KILL)]  # x32 numbers on x86_64
    for numbers in [*CALLS.values(), *(FILE_CALLS.values() if files else ())]:
        if numbers[column] >= 0:
            out += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, _ALLOW)]
    for numbers, argument, values in CHOOSY.values():
        tests = [(_EQUAL, 0, 1, own if v == "self" else int(v)) for v in values]
        body = [(_LOAD, 0, 0, _OFFSET_ARGS + 8 * argument), *(line for t in tests for line in (t, (_RETURN, 0, 0, _ALLOW))), refuse]
        out += [(_EQUAL, 0, len(body), numbers[column]), *body]
    if threads:
        body = [(_LOAD, 0, 0, _OFFSET_ARGS), (_ANY_BIT, 0, 1, CLONE_THREAD), (_RETURN, 0, 0, _ALLOW), refuse]
        out += [(_EQUAL, 0, len(body), CLONE[column]), *body]
    # clone3 hides its flags in memory; "not there" makes the C library fall back to clone.
    out += [(_EQUAL, 0, 1, CLONE3[column]), (_RETURN, 0, 0, _ERRNO | errno.ENOSYS), refuse]
    return out


def seccomp(*, files: bool, threads: bool) -> Layer:
    """Put the filter in front of every system call of all threads of this process."""
    column = _column()
    if column is None:
        return ("seccomp", False, f"there is no filter for {sys.platform} on {platform.machine()}")
    program = filter_program(column, MACHINES[platform.machine()][1], os.getpid(), files=files, threads=threads)
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    call = (317, 277)[column]
    if _libc().syscall(call, 1, 1, header) != 0:  # SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC
        return ("seccomp", False, f"the kernel refuses the filter: {os.strerror(ctypes.get_errno() or errno.EINVAL)}")
    return ("seccomp", True, "no sockets, processes or signals to others" + ("" if files else "; no file can be opened"))


def landlock(folder: str, readable: Iterable[str] = ()) -> Layer:
    """From here on, this thread and those it starts open files in ``folder`` only, and read those under ``readable``."""
    if _column() is None:
        return ("landlock", False, f"there is none for {sys.platform} on {platform.machine()}")
    libc = _libc()
    create, add, restrict = _CALL_NUMBERS.values()
    version = libc.syscall(create, None, ctypes.c_size_t(0), 1)  # LANDLOCK_CREATE_RULESET_VERSION
    if version < 1:
        return ("landlock", False, "the kernel has none" if ctypes.get_errno() == errno.ENOSYS else "it is switched off in the kernel")
    handled = FILE_RIGHTS[max(v for v in FILE_RIGHTS if v <= version)]
    network, scopes = (3 if version >= 4 else 0), (3 if version >= 6 else 0)  # bind and connect of TCP; abstract sockets and signals
    rules = struct.pack("=QQQ", handled, network, scopes)[:8 if version < 4 else 16 if version < 6 else 24]
    ruleset = libc.syscall(create, rules, ctypes.c_size_t(len(rules)), 0)
    if ruleset < 0:
        return ("landlock", False, f"the kernel refuses its rules: {os.strerror(ctypes.get_errno())}")
    try:
        for path, rights in [(folder, OWN_FOLDER), *((r, READ_ONLY) for r in readable)]:
            if not _allow_beneath(libc, add, ruleset, path, rights & handled):
                return ("landlock", False, f"the kernel refuses the rule for {path}: {os.strerror(ctypes.get_errno())}")
        if libc.syscall(restrict, ruleset, 0) != 0:
            return ("landlock", False, f"the kernel refuses to restrict: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(ruleset)
    return ("landlock", True, "files: its own folder only" + (", and reading the libraries" if readable else "") + f" (version {version})")


def _allow_beneath(libc: ctypes.CDLL, add: int, ruleset: int, path: str, rights: int) -> bool:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return True  # what is not there needs no rule
    try:
        kept = rights if os.path.isdir(path) else rights & ~_READ_DIR
        return bool(libc.syscall(add, ruleset, 1, struct.pack("=Qi", kept, handle), 0) == 0)  # LANDLOCK_RULE_PATH_BENEATH
    finally:
        os.close(handle)


def sizes() -> int:
    """A handle on what the kernel tells of this process's size, opened before Landlock closes it; -1 where there is none."""
    with suppress(OSError):
        return os.open("/proc/self/statm", os.O_RDONLY)
    return -1


def address_space(handle: int) -> int:
    """Bytes of address space that this process has now (from a handle of `sizes`); 0 where the system does not say."""
    if handle < 0:
        return 0
    with suppress(OSError, ValueError):
        return int(os.pread(handle, 100, 0).split()[0]) * resource.getpagesize()
    return 0


def rlimits(limits: Mapping[str, float], used: int, *, threads: bool) -> Layer:
    """Limit what this process may use: bytes of ``memory`` beyond what is ``used`` now (0: unknown), ``cpu`` seconds, ``file`` bytes, ``handles``."""
    if sys.platform == "win32":
        return ("rlimits", False, "Windows has none")
    seconds = max(1, round(limits["cpu"]))
    wanted = {"RLIMIT_CPU": (seconds, seconds + 1), "RLIMIT_FSIZE": (int(limits["file"]),) * 2,
              "RLIMIT_NOFILE": (int(limits["handles"]),) * 2, "RLIMIT_CORE": (0, 0), "RLIMIT_MEMLOCK": (0, 0), "RLIMIT_MSGQUEUE": (0, 0)}
    if used:  # elsewhere it is not kept to, or cannot be set
        wanted["RLIMIT_AS"] = (used + int(limits["memory"]),) * 2
    if not threads:
        wanted["RLIMIT_NPROC"] = (0, 0)
    failed = []
    for name, (soft, hard) in wanted.items():
        kind = getattr(resource, name, None)
        try:
            if kind is not None:
                now = resource.getrlimit(kind)[1]
                most = hard if now == resource.RLIM_INFINITY else min(hard, now)
                resource.setrlimit(kind, (min(soft, most), most))
        except (ValueError, OSError):
            failed.append(name)
    real = sys.platform == "linux" and used > 0 and not failed
    return ("rlimits", real, "memory, processor time, size and number of files" if real
            else "the system does not hold to " + (", ".join(failed) or "a limit on memory"))


def unprivileged(*, become_nobody: bool) -> list[Layer]:
    """No new privileges, no capabilities; root becomes ``nobody`` where that works."""
    if sys.platform != "linux":
        return [("no_new_privs", False, f"{sys.platform} has none")]
    libc = _libc()
    root, switched = os.geteuid() == 0, False
    if root and become_nobody:
        with suppress(OSError):
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            switched = True
    header, nothing = struct.pack("=Ii", 0x20080522, 0), bytes(24)  # _LINUX_CAPABILITY_VERSION_3, this thread; no capability of any kind
    column = _column()
    bare = column is not None and libc.syscall((126, 91)[column], header, nothing) == 0
    fixed = libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    libc.prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG: when the parent is gone, so is this
    note = "no way to gain rights" + (", and it runs as nobody" if switched else ", and without root's capabilities" if root and bare else "")
    return [("no_new_privs", fixed and (bare or not root), note if fixed else "the kernel refuses")]


def _left_out(name: str) -> Layer:
    return (name, False, "left out")


def close_files(folder: str, readable: Iterable[str] = (), *, without: Iterable[str]) -> list[Layer]:
    """No privileges, and no files but those of ``folder`` (and those under ``readable``, to be read; then it does not become nobody, who might not)."""
    skip, readable = set(without), list(readable)
    # In this order: without "no new privileges" only root may use Landlock.
    layers = unprivileged(become_nobody=not readable) if "no_new_privs" not in skip else [_left_out("no_new_privs")]
    return [*layers, landlock(folder, readable) if "landlock" not in skip else _left_out("landlock")]


def lock(limits: Mapping[str, float], used: int, closed: list[Layer], *, threads: bool, without: Iterable[str]) -> list[Layer]:
    """Lock the rest; the process must have read all that it needs.

    Args:
        limits, used: see `rlimits`. closed: what `close_files` has done. threads: whether threads may be started.
        without: layers left out, to see what the others hold alone.

    Returns:
        Every layer, active or not.
    """
    skip = set(without)
    files = any(name == "landlock" and active for name, active, _ in closed)
    first = rlimits(limits, used, threads=threads) if "rlimits" not in skip else _left_out("rlimits")
    return [first, *closed, seccomp(files=files, threads=threads) if "seccomp" not in skip else _left_out("seccomp")]


def complete(layers: Iterable[Layer]) -> bool:
    """Whether the layers hold all promises: limits, no privileges, no files of others, no processes or sockets."""
    # Without Landlock the filter opens no file at all, so it is enough.
    return {"rlimits", "no_new_privs", "seccomp"} <= {name for name, active, _ in layers if active}
