"""Files and names on disk: made to last, and replaced whole, with the rights of the old file.

What is acknowledged is on disk and found there, by its name. Those who may read a file before it is
replaced may read it after: its owner, group, mode and access list are kept. A temporary file
has a name that nobody can guess, and is made so that no link is followed. Where
somebody else's file cannot be replaced so, it is written in place, or not at all.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

PRIVATE = 0o600
"""Mode of new files that hold what others need not see."""

USUAL = 0o666
"""Mode of new files, less what the process's own mask takes away."""

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_ALL = 0o7777
_ACCESS_LIST = "system.posix_acl_access"


class RightsLostError(OSError):
    """A file would be another's afterwards, and those who read it now could not any more."""


def may_access(path: Path, mode: int) -> bool:
    """Say whether this user may do so with what is there: `mode` as of `os.access`."""
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def sync_folder(folder: Path) -> None:
    """Wait until a folder's names are on disk; systems that cannot open one need no such thing."""
    if os.name == "posix":
        _sync(folder)


def sync_file(path: Path) -> None:
    """Wait until a file, and its name in its folder, are on disk."""
    _sync(path)
    sync_folder(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder, where it is missing, and wait until its name and those above are on disk.

    All of them, since another process may have made one a moment ago. A folder that this user may
    not read is somebody else's, and older.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sync_folder(folder)
    for above in folder.absolute().parents:
        with suppress(OSError):
            sync_folder(above)


def _sync(path: Path) -> None:
    # Windows syncs only what is open for writing.
    number = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def replacing(path: Path, *, mode: int = USUAL, shared: bool = False) -> Iterator[Path]:
    """Give the path of a file to write, empty; at the end it takes the place of another.

    On an error nothing is left behind, and the old file is as it was. `mode` is that of a file that
    is new; an old one's is kept. A new one may be `shared` with those who use its folder:
    `share_new_file`. `OSError` if it cannot be made, or be put in place; `RightsLostError` if the
    old file is somebody else's, and could not be read by them afterwards.
    """
    temporary = make_temporary(path, mode=mode, shared=shared)
    try:
        yield temporary
        rename_over(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def make_temporary(path: Path, *, mode: int = USUAL, shared: bool = False) -> Path:
    """Make an empty file beside another, with its rights; see `replacing`."""
    # Not after the file's own name: that may be as long as a name can be.
    temporary = path.with_name(f".tallow-{secrets.token_hex(8)}.partial")
    try:
        old = path.stat()
    except FileNotFoundError:
        number = os.open(temporary, _FLAGS, mode)
        if shared:
            share_new_file(number, path.parent)
        os.close(number)
        return temporary
    number = os.open(temporary, _FLAGS, PRIVATE)
    try:
        _copy_rights(path, old, number)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(number)
    return temporary


def rename_over(temporary: Path, path: Path) -> None:
    """Give a file of `make_temporary` the name of the one that it replaces, at once."""
    temporary.replace(path)


def replace_file(
    path: Path,
    content: bytes,
    *,
    mode: int = USUAL,
    shared: bool = False,
    fence: Callable[[], None] = lambda: None,
) -> None:
    """Put content in a file's place, durably; readers see the old one or the new one.

    `fence` is called right before the file is replaced, and raises if it must not be any more.
    Errors as in `replacing`; the old file is as it was.
    """
    with replacing(path, mode=mode, shared=shared) as temporary:
        _write(os.open(temporary, os.O_WRONLY | _NO_LINK), content)
        fence()
    with suppress(OSError):
        sync_folder(path.parent)


def overwrite_file(path: Path, content: bytes) -> None:
    """Write content where the old one is, with all of its rights; `OSError` if it cannot be."""
    _write(os.open(path, os.O_WRONLY | _NO_LINK), content)


def append_to_file(path: Path, content: bytes) -> None:
    """Add content at a file's end, durably; a new file is for those who use its folder.

    `OSError` if it cannot be written.
    """
    is_new = not path.exists()
    with path.open("ab") as file:
        if is_new:
            share_new_file(file.fileno(), path.parent)
        _write_through(file, content)
    if is_new:
        with suppress(OSError):
            sync_folder(path.parent)


def _write(number: int, content: bytes) -> None:
    with os.fdopen(number, "wb") as file:
        file.truncate(0)
        _write_through(file, content)


def _write_through(file: IO[bytes], content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def open_beside(path: Path, mode: int = USUAL) -> int:
    """Open a lock file, or another one with a known name; it is made if missing.

    Returns the descriptor, for reading and writing. No link is followed: `OSError` if it is one, or
    cannot be opened. One that only others may write is opened for reading, which is enough to lock
    it. A new one is given to those who use the folder: `share_new_file`.
    """
    is_new = not path.exists()
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | _NO_LINK, mode)
    except PermissionError:
        return os.open(path, os.O_RDONLY | _NO_LINK)
    if is_new:
        share_new_file(number, path.parent)
    return number


def share_new_file(number: int, folder: Path) -> None:
    """Give a new file to those who use its folder, as far as this user may.

    One that root makes in a user's folder belongs to that user. In a folder that a group
    writes to, the group may write the file, too.
    """
    with suppress(OSError, AttributeError):
        found = folder.stat()
        own = os.fstat(number)
        if os.geteuid() == 0 and (own.st_uid, own.st_gid) != (found.st_uid, found.st_gid):
            os.fchown(number, found.st_uid, found.st_gid)
        group = found.st_mode & (stat.S_IRGRP | stat.S_IWGRP)
        if group & stat.S_IWGRP and found.st_gid == os.fstat(number).st_gid:
            os.fchmod(number, stat.S_IMODE(own.st_mode) | group)


def _copy_rights(path: Path, old: os.stat_result, number: int) -> None:
    """Give an open file the owner, group, mode and access list of another."""
    if os.name != "posix":
        return
    own, mode = os.fstat(number), old.st_mode & _ALL
    if (own.st_uid, own.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.fchown(number, old.st_uid, old.st_gid)
        except OSError:
            _keep_group(path, old, number)
    os.fchmod(number, mode)
    _copy_access_list(path, number)


def _keep_group(path: Path, old: os.stat_result, number: int) -> None:
    """Do without the old owner, where all who read the file may read it as others or as a group."""
    group_is_kept = True
    try:
        os.fchown(number, -1, old.st_gid)
    except OSError:
        group_is_kept = os.fstat(number).st_gid == old.st_gid
    by_group = group_is_kept and old.st_mode & stat.S_IRGRP and _is_member(old.st_uid, old.st_gid)
    owner_reads = old.st_uid == os.fstat(number).st_uid or old.st_mode & stat.S_IROTH or by_group
    group_reads = group_is_kept or not old.st_mode & stat.S_IRGRP or old.st_mode & stat.S_IROTH
    if not (owner_reads and group_reads):
        raise RightsLostError(
            errno.EPERM,
            f"belongs to user {old.st_uid}, who could not read it any more; do it as that user",
            str(path),
        )


def _is_member(user: int, group: int) -> bool:
    import pwd

    try:
        found = pwd.getpwuid(user)
        return group in os.getgrouplist(found.pw_name, found.pw_gid)
    except (KeyError, OSError):
        return False


def _copy_access_list(path: Path, number: int) -> None:
    """Copy the access list, which adds to owner and group, where there is one."""
    try:
        listed = os.getxattr(path, _ACCESS_LIST)
    except (OSError, AttributeError):
        return
    os.setxattr(number, _ACCESS_LIST, listed)


def free_bytes(folder: Path) -> int | None:
    """Return what is free on a folder's disk; None where there is no such folder."""
    return shutil.disk_usage(folder).free if folder.is_dir() else None
