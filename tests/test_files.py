"""Law: all files change, or none; and nothing is left behind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

import symbolic.files
from symbolic.errors import ChainruleError
from symbolic.files import alone_in, at_most, tidy_up, write_all


def _tree(folder: Path) -> dict[str, bytes | None]:
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def test_everything_is_written_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    write_all({tmp_path / "a": b"new", tmp_path / "deep" / "er" / "b": b"\x00\xff", tmp_path / "c": b""})
    assert _tree(tmp_path) == {"a": b"new", "deep": None, "deep/er": None, "deep/er/b": b"\x00\xff", "c": b""}


def test_a_new_file_has_the_usual_rights(tmp_path: Path) -> None:
    (tmp_path / "usual").write_bytes(b"")
    write_all({tmp_path / "a": b"x"})
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_a_failing_rename_takes_back_the_earlier_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: int) -> None:
    (tmp_path / "a").write_bytes(b"old a")
    before = _tree(tmp_path)
    rename, calls = os.replace, []

    def replace(source: Path, target: Path) -> None:
        calls.append(target)
        if len(calls) == failing:
            raise OSError(errno.ENOSPC, "No space left on device")
        rename(source, target)

    monkeypatch.setattr(symbolic.files.os, "replace", replace)
    with pytest.raises(ChainruleError, match="no space is left on the disk"):
        write_all({tmp_path / "a": b"1", tmp_path / "new" / "b": b"2", tmp_path / "c": b"3"})
    assert len(calls) >= failing
    assert _tree(tmp_path) == before


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(symbolic.files.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_all({tmp_path / "new" / "a": b"1"})
    assert _tree(tmp_path) == {}


def test_a_failing_undo_does_not_hide_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.replace

    def replace(source: Path, target: Path) -> None:
        if Path(target).name == "b":
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)
        Path(target).unlink()  # so that taking it back fails

    monkeypatch.setattr(symbolic.files.os, "replace", replace)
    with pytest.raises(ChainruleError, match=r"cannot write .*b: Input/output error"):
        write_all({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert _tree(tmp_path) == {}


def test_a_later_bad_target_leaves_the_earlier_ones(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ChainruleError, match="folder: it is a folder"):
        write_all({tmp_path / "new" / "a": b"1", tmp_path / "folder": b"2"})
    assert _tree(tmp_path) == {"folder": None}


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ChainruleError, match="a part of its path is a file"):
        write_all({tmp_path / "a": b"1", tmp_path / "file" / "below" / "b": b"2"})
    with pytest.raises(ChainruleError, match="a part of its path is a file"):
        write_all({tmp_path / "file" / "b": b"2"})
    assert _tree(tmp_path) == {"file": b"x"}


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_rights(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(ChainruleError, match="you may not write there"):
            write_all({tmp_path / "a": b"1"})
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such lock")
def test_one_run_at_a_time_in_a_folder(tmp_path: Path) -> None:
    with alone_in(tmp_path / "new"), pytest.raises(ChainruleError, match="another run is at work"), alone_in(tmp_path / "new"):
        raise AssertionError
    with alone_in(tmp_path / "new"):
        pass
    assert _tree(tmp_path) == {"new": None}


def test_only_what_we_left_behind_is_tidied_up(tmp_path: Path) -> None:
    for name in (".a.pdf.0123abcd.tmp", ".mine.tmp", "b.tmp"):
        (tmp_path / name).write_bytes(b"")
    tidy_up(tmp_path)
    assert set(_tree(tmp_path)) == {".mine.tmp", "b.tmp"}


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device here")
def test_a_file_without_an_end_is_read_to_the_limit() -> None:
    assert at_most(Path("/dev/zero"), 10) == bytes(11)
