"""Goal: whoever could read a file before it was replaced can read it after; no link is followed.

Method: files of another user's, replaced by root as that user's service would find them; links laid
where a file aside, or a lock, might be made. What needs two users needs root, and skips without.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tallow.core.disk import (
    RightsLostError,
    open_beside,
    overwrite_file,
    replace_file,
    replacing,
    share_new_file,
    sync_file,
)

NOBODY = 65_534
two_users = pytest.mark.skipif(os.geteuid() != 0, reason="only root acts for two users")


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def rights(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755])
def test_a_mode_is_kept(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "flags.toml"
    path.write_bytes(b"old")
    path.chmod(mode)
    inode = path.stat().st_ino
    replace_file(path, b"new")
    assert (path.read_bytes(), rights(path)[2]) == (b"new", mode)
    assert path.stat().st_ino != inode
    assert names(tmp_path) == ["flags.toml"]


def test_a_new_file_has_the_mode_that_is_asked_for(tmp_path: Path) -> None:
    replace_file(tmp_path / "state", b"", mode=0o600)
    assert rights(tmp_path / "state")[2] == 0o600


@two_users
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_owner_and_group_are_kept(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "flags.toml"
    path.write_bytes(b"old")
    os.chown(path, NOBODY, NOBODY)
    path.chmod(mode)
    replace_file(path, b"new")
    assert rights(path) == (NOBODY, NOBODY, mode)


@two_users
def test_what_would_be_hidden_from_its_owner_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a user who may write to the folder, and may give no file away."""

    def refuse(*_args: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = tmp_path / "flags.toml"
    path.write_bytes(b"old, and longer")
    os.chown(path, NOBODY, NOBODY)
    path.chmod(0o600)
    monkeypatch.setattr(os, "fchown", refuse)
    with pytest.raises(RightsLostError, match="user 65534, who could not read it any more"):
        replace_file(path, b"new")
    assert path.read_bytes() == b"old, and longer"
    overwrite_file(path, b"new")
    assert (path.read_bytes(), rights(path)) == (b"new", (NOBODY, NOBODY, 0o600))
    # What all may read stays readable whoever owns it.
    path.chmod(0o644)
    replace_file(path, b"newer")
    assert (path.read_bytes(), rights(path)[2]) == (b"newer", 0o644)
    assert names(tmp_path) == ["flags.toml"]


@two_users
def test_what_root_makes_in_a_folder_of_others_is_theirs(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    replace_file(tmp_path / "flags.toml", b"", shared=True)
    os.close(open_beside(tmp_path / "log.lock"))
    assert rights(tmp_path / "flags.toml")[:2] == (NOBODY, NOBODY)
    assert rights(tmp_path / "log.lock")[:2] == (NOBODY, NOBODY)


def test_a_group_that_writes_a_folder_writes_what_is_shared_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o770)
    path = folder / "log"
    with path.open("ab") as file:
        path.chmod(0o600)
        share_new_file(file.fileno(), folder)
    assert rights(path)[2] == 0o660


def test_no_link_is_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"theirs")
    for name in ("lock", "flags.toml"):
        (tmp_path / name).symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        open_beside(tmp_path / "lock")
    with pytest.raises(OSError, match="symbolic link"):
        overwrite_file(tmp_path / "flags.toml", b"mine")
    assert victim.read_bytes() == b"theirs"


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "bars.json"
    path.write_bytes(b"old")

    def fence() -> None:
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        replace_file(path, b"new", fence=fence)
    with pytest.raises(UnicodeEncodeError), replacing(path) as aside:
        aside.write_text("half \ud800", "utf-8")
    assert (path.read_bytes(), names(tmp_path)) == (b"old", ["bars.json"])


def test_a_name_as_long_as_names_may_be_can_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".csv")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"


def test_windows_syncs_a_file_that_is_open_for_writing_and_no_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"line")
    opened: list[tuple[Path, int]] = []
    real = os.open

    def spy(name: Path, flags: int) -> int:
        opened.append((name, flags))
        return real(name, flags)

    monkeypatch.setattr(os, "open", spy)
    sync_file(path)
    monkeypatch.setattr(os, "name", "nt")
    sync_file(path)
    monkeypatch.undo()
    assert opened == [(path, os.O_RDONLY), (tmp_path, os.O_RDONLY), (path, os.O_RDWR)]
