"""Commits and checkpoints of a table in a folder: when they are on disk, and what is left if not.

A library makes them visible before their bytes are on disk. What is acknowledged waits for that, so
a commit that is cut off never was: it goes, and the table is what it was before. A checkpoint only
repeats what commits say.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from deltalake import DeltaTable, PostCommitHookProperties
from deltalake.exceptions import DeltaError

from tallow.core.disk import sync_file, sync_folder
from tallow.core.errors import DamagedFileError
from tallow.core.limits import STORE_CHECKPOINT_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

ACTIONS = "tallow.actions"
"""In a commit's information: how many actions follow. One cut off between two lines lacks some."""

NO_CHECKPOINT = PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False)
"""Of every commit: a checkpoint is made when the commits are on disk, and is waited for."""

RESTORE = "restore it from a backup: tallow store restore"
_LOG = "_delta_log"
COMMIT_NAME = _LOG + "/{:020d}.json"
"""The name of a version's commit within its table."""
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.(?:.*\.)?parquet")
_HINT = "_last_checkpoint"


def commit_file(folder: Path, version: int) -> Path:
    """Return where the commit of a version lies."""
    return folder / COMMIT_NAME.format(version)


def has_log(folder: Path) -> bool:
    """Say whether a folder may be a store, and not one of files."""
    return (folder / _LOG).is_dir()


def require_log(folder: Path | None, root: str, version: int, reached: int) -> None:
    """Raise `DamagedFileError` if commits are missing: their rows would be missing too, silently.

    `folder` is the table's, None for a bucket; `version` the table's, by what lies there; `reached`
    is one that this machine has seen through.
    """
    if version < reached:
        raise DamagedFileError(
            f"store: {root}/{_LOG}: ends at version {version}, and was at {reached}; {RESTORE}; "
            "a folder that others write to is copied whole by tallow store backup"
        )
    for number in range(version + 1) if folder is not None else ():
        path = commit_file(folder, number)  # type: ignore[arg-type]
        # Old ones are cleaned up; a file that is there and empty would be a commit of nothing.
        if path.exists() and not path.stat().st_size:
            raise DamagedFileError(f"store: {path}: is empty; {RESTORE}")


def sync_commits(folder: Path | None, first: int, last: int) -> None:
    """Wait until the commits of versions are on disk, where the table is in a folder."""
    if folder is None:
        return
    for version in range(first, last):
        # Old ones are cleaned up.
        with suppress(FileNotFoundError):
            sync_file(commit_file(folder, version))
    sync_file(commit_file(folder, last))


def drop_unfinished(folder: Path, reached: Callable[[], int]) -> None:
    """Remove the newest commits, where a loss of power cut them off and none was acknowledged.

    `reached` says which version of the table in the folder was acknowledged last, -1 where that is
    not known. `DamagedFileError` if one was, or if whole ones follow it.
    """
    versions = _versions(folder, _COMMIT)
    if not versions or _is_whole(commit_file(folder, versions[-1])):
        return
    with _alone(folder):
        acknowledged = reached()
        for version in reversed(_versions(folder, _COMMIT)):
            path = commit_file(folder, version)
            if _is_whole(path):
                return
            if version <= acknowledged or acknowledged < 0 < version:
                raise DamagedFileError(f"store: {path}: is cut off; {RESTORE}")
            path.unlink()
            sync_folder(path.parent)


def make_checkpoint(table: DeltaTable, folder: Path | None, before: int, newest: int) -> None:
    """Write a checkpoint after so many versions, and clean up what is older; no commit waits.

    What commits of a month ago said is removed only when the checkpoint is on disk.
    """
    if (newest + 1) // STORE_CHECKPOINT_VERSIONS == (before + 1) // STORE_CHECKPOINT_VERSIONS:
        return
    # A full disk, for example: the next commit makes one.
    with suppress(DeltaError, OSError):
        table.update_incremental()
        table.create_checkpoint()
        if folder is not None:
            for path in (folder / _LOG).glob(f"{table.version():020d}.checkpoint*"):
                sync_file(path)
            sync_file(folder / _LOG / _HINT)
        table.cleanup_metadata()


def drop_broken_checkpoint(folder: Path) -> bool:
    """Remove the newest checkpoint, if it cannot be read and commits say the same; say whether."""
    with _alone(folder):
        log, found = folder / _LOG, _versions(folder, _CHECKPOINT)
        # One that was begun only: its name was written down, and is all that is left.
        named = _hinted(log / _HINT)
        newest = max([*found, -1 if named is None else named])
        files = list(log.glob(f"{newest:020d}.checkpoint*"))
        if newest < 0 or (files and all(map(_is_readable, files))):
            return False
        base = max((version for version in found if version < newest), default=-1)
        commits = _versions(folder, _COMMIT)
        if not commits or not set(range(base + 1, commits[-1] + 1)) <= set(commits):
            return False
        for path in (log / _HINT, *files):
            path.unlink(missing_ok=True)
        sync_folder(log)
        return True


def _versions(folder: Path, pattern: re.Pattern[str]) -> list[int]:
    with suppress(FileNotFoundError):
        names = map(pattern.fullmatch, (path.name for path in (folder / _LOG).iterdir()))
        return sorted({int(found[1]) for found in names if found})
    return []


def _is_whole(path: Path) -> bool:
    """Say whether a commit's file is as it was written, by what can be seen of it."""
    try:
        lines = [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
    except FileNotFoundError:
        return False
    except ValueError:
        return False
    if not lines or not all(isinstance(line, dict) for line in lines):
        return False
    said = [line["commitInfo"] for line in lines if isinstance(line.get("commitInfo"), dict)]
    return all(str(info.get(ACTIONS, len(lines) - 1)) == str(len(lines) - 1) for info in said)


def _hinted(path: Path) -> int | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        return int(json.loads(path.read_bytes())["version"])
    return None


def _is_readable(path: Path) -> bool:
    try:
        pl.read_parquet(path)
    # A damaged file can make Polars panic, and a panic is a BaseException.
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return False
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes, which may be a step behind, from repairing this log meanwhile."""
    if os.name != "posix":
        yield
        return
    import fcntl

    number = os.open(folder / _LOG, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield
    finally:
        os.close(number)
