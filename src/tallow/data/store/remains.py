"""What a table leaves behind: the files that compaction replaced, and those of unfinished writes.

Nothing else is ever removed. A store's folder may hold a person's files, and the backups that lie
in it; so what goes is what the table's own log once named, or what bears a name that only this
table gives.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import polars as pl

from tallow.core.limits import STORE_UNFINISHED_HOURS
from tallow.data.store.files import WRITING, TableLocation, naming
from tallow.data.store.statistics import is_own_name

if TYPE_CHECKING:
    from tallow.data.store.delta_log import DeltaLog

_HOUR_SECONDS = 3_600


def remove_remains(log: DeltaLog, keep_hours: float) -> int:
    """Remove the files that no version of late needs; return how many there were.

    Parameters
    ----------
    keep_hours
        Replaced files stay for so long, counted from their replacement. Those of unfinished writes
        stay for a day at least: another machine may be writing one.
    """
    with log.changing() as (table, _):
        current = set(pl.DataFrame(table.get_add_actions())["path"])
        # Only what the log says was removed, and nothing is done. Hours are whole here; rounded
        # up, so that nothing goes too early.
        replaced, due = (
            set(table.vacuum(hours, dry_run=True, enforce_retention_duration=False))
            for hours in (0, math.ceil(keep_hours))
        )
    born_before = time.time() - max(keep_hours, STORE_UNFINISHED_HOURS) * _HOUR_SECONDS
    location = log.location
    with naming(location.root, WRITING):
        unfinished = {
            name
            for name, born in _files(location)
            if born < born_before and name not in replaced and is_own_name(name, location.table_id)
        }
        return sum(_remove(location, path) for path in sorted((due | unfinished) - current))


def _files(location: TableLocation) -> Iterator[tuple[str, float]]:
    """Return the files beside each other in a location, with the times of their last change."""
    if location.folder is not None:
        for path in location.folder.iterdir():
            with suppress(FileNotFoundError):
                yield path.name, path.lstat().st_mtime
        return
    import obstore

    for each in obstore.list_with_delimiter(location.bucket)["objects"]:
        yield each["path"], each["last_modified"].timestamp()


def _remove(location: TableLocation, path: str) -> bool:
    """Remove a file of the table; say whether it was there."""
    parts = PurePosixPath(path).parts
    # Another tool's log may name what is not below the table.
    if not parts or "://" in path or path.startswith("/") or ".." in parts or parts[0][0] in "_.":
        return False
    if location.folder is None:
        return _remove_object(location, path)
    file = location.folder / path
    if not file.parent.resolve().is_relative_to(location.folder):
        return False
    try:
        file.unlink()
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        # Gone already, or a folder that somebody gave its name.
        if not file.exists() or file.is_dir():
            return False
        raise
    return True


def _remove_object(location: TableLocation, path: str) -> bool:
    import obstore

    try:
        obstore.head(location.bucket, path)
    except FileNotFoundError:
        return False
    obstore.delete(location.bucket, path)
    return True
