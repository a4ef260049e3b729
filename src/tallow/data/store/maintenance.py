"""What is done to a whole table: compaction and pruning."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import polars as pl

from tallow.core.errors import ConflictError
from tallow.core.limits import STORE_COMMIT_ATTEMPTS
from tallow.data.store.backend import CompactionReport
from tallow.data.store.commits import NO_CHECKPOINT
from tallow.data.store.flush import flush
from tallow.data.store.index import overlapping
from tallow.data.store.remains import remove_remains
from tallow.data.store.rewrite import Keep, pruning, rewrite
from tallow.data.store.table import HORIZON

if TYPE_CHECKING:
    from tallow.data.store.delta_log import DeltaLog


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
