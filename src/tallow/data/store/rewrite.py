"""Fewer, sorted files: merging small ones, compaction, and taking away what is too old.

A rewrite reads files whose keys overlap, and replaces them by files that do not: one instrument's
range then lies in one piece of one file. It needs no lock: others only add files, and where they
commit first, it commits after them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
from deltalake import Transaction

from tallow.core.errors import ConflictError, StoreError
from tallow.core.limits import (
    STORE_COMMIT_ATTEMPTS,
    STORE_FILE_ROWS,
    STORE_REWRITE_ROWS,
    STORE_SMALL_FILES,
)
from tallow.data.store.files import TableLocation, damaged, remove_action, require_whole
from tallow.data.store.log import (
    KEY,
    LOG_ORDER,
    LOG_SCHEMA,
    SERIES_KEY,
    TIMELESS,
    is_superseded,
    moment,
)
from tallow.data.store.order import in_log_order, unique_rows
from tallow.data.store.table import PRUNED

if TYPE_CHECKING:
    from deltalake.transaction import AddAction, RemoveAction

    from tallow.data.store.delta import DeltaLog
    from tallow.data.store.index import FileIndex

Keep = Callable[[pl.DataFrame], pl.DataFrame]
"""What stays of rows that hold all revisions of their keys."""


def merge_small(log: DeltaLog) -> None:
    """Merge the files that flushes left, once there are many, into one."""
    facts = log.files().facts
    small = facts.filter(pl.col("rows") < STORE_FILE_ROWS // 2)
    if len(small) >= STORE_SMALL_FILES:
        rewrite(log, small)


def rewrite(log: DeltaLog, facts: pl.DataFrame, keep: Keep | None = None) -> bool:
    """Replace files by sorted ones; say whether it was done, or another rewrite came first."""
    added = _write_sorted(log, facts, keep)
    if added is None:
        return False
    removed = [remove_action(*row) for row in facts.select("path", "size").iter_rows()]
    actions: list[AddAction | RemoveAction] = [
        *(replace(action, data_change=False) for action in added),
        *removed,
    ]
    for _ in range(STORE_COMMIT_ATTEMPTS):
        # Where another tool wrote, the commit says whether rows of the tail need a closer look.
        with nullcontext() if log.files().is_checked else log.tail_file.locked():
            files = log.files()
            if not set(facts["path"]) <= set(files.facts["path"]):
                break
            # In one commit with what is gone: nothing derived from it is trusted from there on.
            known = [] if keep is None else [Transaction(PRUNED, files.version + 1)]
            is_done = _try_commit(log, actions, files, known)
        if is_done:
            with log.tail_file.locked():
                log.note_version(files.version, files.version + 1)
            return True
    log.location.discard(added)
    return False


def _try_commit(
    log: DeltaLog,
    actions: Sequence[AddAction | RemoveAction],
    files: FileIndex,
    known: Sequence[Transaction],
) -> bool:
    with suppress(ConflictError):
        log.commit(actions, files, known, again=True)
        return True
    return False


def _write_sorted(log: DeltaLog, facts: pl.DataFrame, keep: Keep | None) -> list[AddAction] | None:
    """Rewrite the rows of files, sorted; None where another rewrite removed files meanwhile."""
    added: list[AddAction] = []
    try:
        require_whole(damaged(log.location, facts))
        for rows in join_short(sorted_chunks(log.location, facts["path"].to_list(), keep)):
            added += log.location.write(rows)
    except BaseException as error:
        log.location.discard(added)
        is_taken = isinstance(error.__cause__, FileNotFoundError)
        if isinstance(error, StoreError) and (is_taken or not _is_current(log, facts)):
            return None
        raise
    return added


def _is_current(log: DeltaLog, facts: pl.DataFrame) -> bool:
    return set(facts["path"]) <= set(log.files().facts["path"])


def join_short(pieces: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Join short chunks that follow each other to the length of a file."""
    waiting: list[pl.DataFrame] = []
    for rows in filter(len, pieces):
        is_long = sum(map(len, waiting)) + len(rows) > STORE_FILE_ROWS
        if waiting and (is_long or not _follows(rows, waiting[-1])):
            yield pl.concat(waiting)
            waiting = []
        waiting.append(rows)
    if waiting:
        yield pl.concat(waiting)


def _follows(rows: pl.DataFrame, before: pl.DataFrame) -> bool:
    return bool(before.select(LOG_ORDER).row(-1) < rows.select(LOG_ORDER).row(0))


def sorted_chunks(
    location: TableLocation, paths: list[str], keep: Keep | None
) -> Iterator[pl.DataFrame]:
    """Return the rows of files in the log's order, whole series, a bounded number at a time."""
    series = location.read(
        paths, lambda rows: rows.group_by(SERIES_KEY).len().collect(engine="streaming")
    ).sort(SERIES_KEY)
    number = (pl.col("len").cum_sum() - 1) // STORE_REWRITE_ROWS
    for (timeframe, adjustment, _), part in series.with_columns(number=number).group_by(
        "timeframe", "adjustment", "number", maintain_order=True
    ):
        where = (
            (pl.col("timeframe") == timeframe)
            & (pl.col("adjustment") == adjustment)
            & (pl.col("instrument") >= part["instrument"][0])
            & (pl.col("instrument") <= part["instrument"][-1])
        )
        rows = unique_rows(in_log_order(_read_where(location, paths, where)))
        yield rows if keep is None else keep(rows)


def _read_where(location: TableLocation, paths: list[str], where: pl.Expr) -> pl.DataFrame:
    return location.read(paths, lambda rows: rows.filter(where).select(list(LOG_SCHEMA)).collect())


def pruning(before: int | None, superseded_before: int | None) -> Keep:
    """Return what keeps rows that are not older, and revisions that were not superseded by then."""

    def keep(rows: pl.DataFrame) -> pl.DataFrame:
        if superseded_before is not None:
            old = pl.col("received_at").shift(-1) <= moment(superseded_before)
            rows = rows.filter(~(is_superseded(KEY) & old).fill_null(False))
        if before is None:
            return rows
        is_timeless = pl.col("timeframe").is_in(TIMELESS)
        return rows.filter((pl.col("timestamp") >= moment(before)) | is_timeless)

    return keep
