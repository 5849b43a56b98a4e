"""Write several files so that either all of them change or none.

>>> import tempfile
>>> folder = Path(tempfile.mkdtemp())
>>> write_all({folder / "new" / "a.txt": b"one", folder / "b.txt": b"two"})
>>> sorted(path.name for path in folder.rglob("*.txt"))
['a.txt', 'b.txt']
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from symbolic.errors import ChainruleError


def write_all(files: Mapping[Path, bytes]) -> None:
    """Write every content to its path; missing folders are created.

    Args:
        files: path and whole content of each file.

    Raises:
        ChainruleError: a file cannot be written; then nothing has changed.
    """
    with ExitStack() as tidy, ExitStack() as undo:
        staged = [(path, *_stage(path, files[path], tidy, undo)) for path in files]
        # Only renames are left: what could fail (folders, rights, space) has already worked.
        for path, new, old in staged:
            with _explained(path):
                os.replace(new, path)
            _on_exit(undo, lambda path=path, old=old: os.replace(old, path) if old else path.unlink())
        undo.pop_all()


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """One run at a time in a folder, which is made where it is missing. The system lets go of the lock however a run ends; Windows has none.

    Raises:
        ChainruleError: another run is at work there, or the folder cannot be made.
    """
    _make_folder(folder, ExitStack())
    try:
        import fcntl
    except ImportError:
        yield
        return
    with _explained(folder):
        handle = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network disks know no locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ChainruleError(f"another run is at work in {folder}", hint="wait for it, or choose another folder with -o") from None
        yield
    finally:
        os.close(handle)


def at_most(path: Path, most: int) -> bytes:
    """The first bytes of a file, one more than the most, so that a longer one shows; also of a pipe or a device that never ends. Raises OSError."""
    with path.open("rb") as stream:
        return stream.read(most + 1)


def _stage(path: Path, content: bytes, tidy: ExitStack, undo: ExitStack) -> tuple[Path, Path | None]:
    """Beside the target: a file with its new content, and one with the old content, if any."""
    _make_folder(path.parent, undo)
    new, old = _beside(path), _beside(path)
    with _explained(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "")
        _on_exit(undo, new.unlink)
        with new.open("xb") as stream:
            stream.write(content)
        if not path.exists():
            return new, None
        _on_exit(tidy, old.unlink)
        shutil.copy2(path, old)
    return new, old


def _make_folder(folder: Path, undo: ExitStack) -> None:
    with _explained(folder):
        for missing in reversed([f for f in (folder, *folder.parents) if not f.exists()]):
            missing.mkdir()
            _on_exit(undo, missing.rmdir)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(4)}.tmp")


def tidy_up(folder: Path) -> None:
    """Away with what a run that was killed while it wrote left in a folder."""
    for path in folder.glob(".*.tmp"):
        if re.fullmatch(r"\..+\.[0-9a-f]{8}\.tmp", path.name):
            path.unlink(missing_ok=True)


def _on_exit(stack: ExitStack, action: Callable[[], object]) -> None:
    def attempt() -> None:
        # What cannot be taken back must not keep the rest from being taken back.
        with suppress(OSError):
            action()

    stack.callback(attempt)


_NO_RIGHT = "you may not write there"
_FILE_IN_PATH = "a part of its path is a file, not a folder"
_REASONS = {
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: "the disk is read-only",
    errno.ENOSPC: "no space is left on the disk",
    errno.EDQUOT: "your disk quota is used up",
    errno.ENOTDIR: _FILE_IN_PATH,
    errno.EEXIST: _FILE_IN_PATH,
    errno.EISDIR: "it is a folder",
    errno.ENAMETOOLONG: "its name is too long",
}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror or str(error))
        raise ChainruleError(f"cannot write {path}: {reason}", hint="choose another folder with -o") from error
