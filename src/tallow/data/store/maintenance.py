"""What is done to a whole table: compaction, pruning, and removing the files that these leave.

Nothing else is ever removed. A store's folder may hold a person's files, and the backups that lie
in it; so what goes is what the table's own log once named, or what bears a name that only this
table gives: files that were replaced, and those of unfinished writes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import polars as pl

from tallow.core.errors import ConflictError
from tallow.core.limits import STORE_COMMIT_ATTEMPTS, STORE_UNFINISHED_HOURS
from tallow.data.store.backend import CompactionReport
from tallow.data.store.commits import NO_CHECKPOINT
from tallow.data.store.files import WRITING, TableLocation, naming
from tallow.data.store.flush import flush
from tallow.data.store.index import overlapping
from tallow.data.store.rewrite import Keep, pruning, rewrite
from tallow.data.store.statistics import is_own_name
from tallow.data.store.table import HORIZON

if TYPE_CHECKING:
    from tallow.data.store.delta import DeltaLog


def compact(log: DeltaLog, keep_hours: float) -> CompactionReport:
    """Rewrite files that overlap, and remove those that no version of late needs."""
    return _rewritten(log, keep_hours, None, lambda group: len(group) > 1)


def prune(
    log: DeltaLog, before: int | None, superseded_before: int | None, keep_hours: float
) -> CompactionReport:
    """Take rows away; see `tallow.data.store.store.Store.prune`."""
    if superseded_before is not None:
        # First, so that no reader asks for a state while it is taken apart.
        set_property(log, HORIZON, str(max(superseded_before, log.view().horizon)))

    def wanted(group: pl.DataFrame) -> bool:
        late = before is not None and bool((group["min.timestamp"] < before).any())
        return late or (superseded_before is not None and group["max.revision"].max() != 1)

    return _rewritten(log, keep_hours, pruning(before, superseded_before), wanted)


def _rewritten(
    log: DeltaLog,
    keep_hours: float,
    keep: Keep | None,
    wanted: Callable[[pl.DataFrame], bool],
) -> CompactionReport:
    flush(log)
    before = log.files().facts
    for _ in range(STORE_COMMIT_ATTEMPTS):
        groups = [
            group
            for group in overlapping(log.files().facts)
            # What others wrote is sorted, whatever else is asked for.
            if wanted(group) or not group["own"].all()
        ]
        if all(rewrite(log, group, keep) for group in groups):
            break
    else:
        raise ConflictError(f"store: {log.location.root}: others keep compacting; try later")
    after = log.files().facts
    gone = remove_remains(log, keep_hours)
    removed = int(before["rows"].sum()) - int(after["rows"].sum())
    return CompactionReport(len(before), len(after), removed, gone)


def set_property(log: DeltaLog, name: str, value: str) -> None:
    """Change a property of the table."""
    for _ in range(STORE_COMMIT_ATTEMPTS):
        with suppress(ConflictError), log.changing() as (table, properties):
            table.alter.set_table_properties(
                {name: value},
                raise_if_not_exists=False,
                commit_properties=properties,
                post_commithook_properties=NO_CHECKPOINT,
            )
            return
    raise ConflictError(f"store: {log.location.root}: others keep committing; try again later")


_HOUR_SECONDS = 3_600


def remove_remains(log: DeltaLog, keep_hours: float) -> int:
    """Remove the files that no version of late needs; return how many there were.

    Replaced files stay for `keep_hours`, counted from their replacement. Those of unfinished writes
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
