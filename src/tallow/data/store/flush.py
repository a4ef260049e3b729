"""From the tail to the table: a flush, and a write under the lock, which may be one as well."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import polars as pl
from deltalake import Transaction

from tallow.core.errors import ConflictError, StoreError, TallowWarning
from tallow.core.limits import (
    STORE_COMMIT_ATTEMPTS,
    STORE_FLUSH_ROWS,
    STORE_TAIL_BATCH_ROWS,
    STORE_TIDY_SECONDS,
)
from tallow.data.reading.runs import instrument_runs
from tallow.data.store.backend import LogPoint
from tallow.data.store.batches import Tail
from tallow.data.store.classify import rebase, receive_after
from tallow.data.store.delta import DeltaLog
from tallow.data.store.ledger import LedgerEntry
from tallow.data.store.log import (
    LOG_ORDER,
    LOG_SCHEMA,
    Selection,
    latest_revisions,
    selection_around,
)
from tallow.data.store.order import in_log_order
from tallow.data.store.rewrite import merge_small
from tallow.data.store.view import DeltaView


def flush(log: DeltaLog) -> None:
    """Move the tail into a file of the table."""
    for _ in range(STORE_COMMIT_ATTEMPTS):
        with log.tail_file.locked() as tail:
            if not tail.batches:
                return
            files, last = log.files(), tail.batches[-1].id
            view = log.view_of(tail, files)
            try:
                if view.tail.batches:
                    commit_with_tail(log, None, view)
            except ConflictError:
                continue
            log.tail_file.drop(last)
            return
    raise ConflictError(f"store: {log.location.root}: others keep committing; try again later")


def commit_with_tail(log: DeltaLog, rows: pl.DataFrame | None, view: DeltaView) -> None:
    """Commit the tail's rows, and rows that were compared with them, as files."""
    tail = view.tail.scan(Selection(None, None, None), list(LOG_SCHEMA))
    both = tail if rows is None else in_log_order(pl.concat([tail, rows]))
    actions = log.location.write(_rebased(log, both, view))
    flushed = Transaction(log.tail_file.identity, view.tail.batches[-1].id)
    log.commit(actions, view.files.version, [flushed])


def _rebased(log: DeltaLog, rows: pl.DataFrame, view: DeltaView) -> pl.DataFrame:
    """Return the tail's rows as revisions of what others committed meanwhile.

    Where only other tools did, readers saw the tail's rows already: these keep their receipt times.
    """
    is_alone = log.is_alone(view)
    if is_alone and view.files.is_checked:
        return rows
    table, parts = replace(view, tail=Tail()), []
    if not is_alone:
        rows = receive_after(rows, view.files.last_received)
    for (timeframe, adjustment), part in rows.group_by(
        "timeframe", "adjustment", maintain_order=True
    ):
        selection = selection_around(
            part, instrument_runs(part)[0], str(timeframe), str(adjustment)
        )
        known = latest_revisions(table.scan(selection, [*LOG_ORDER]))
        parts.append(rebase(part, known))
    return pl.concat(parts)


def tidy(log: DeltaLog) -> None:
    """Flush and merge after a write, which is durable even if this fails."""
    try:
        flush(log)
        merge_small(log)
    except StoreError as error:
        log.tidy_from = time.monotonic() + STORE_TIDY_SECONDS
        warnings.warn(
            f"{error} (the write itself is safe; the tail grows until this works)",
            TallowWarning,
            stacklevel=2,
        )


@contextmanager
def writing(log: DeltaLog) -> Iterator[DeltaWriting]:
    """Take this machine's lock for one write; flush the tail after it where that is long."""
    file = log.tail_file
    with file.locked() as tail:
        files = log.files()
        if tail.newest_write < files.flushed:
            # The tail's file is an older copy: no number may be used again.
            file.drop(files.flushed)
        view = log.view_of(tail, files)
        # A flush beside other tails may move each write of this one to after the newest there.
        moved = 0 if log.is_alone(view) else files.last_received + view.tail.writes
        last = view.last_received
        received = max(log.clock(), max(last, moved) + 1)
        yield DeltaWriting(log, view, received, LogPoint(view.epoch, last))
    if file.written.rows >= STORE_FLUSH_ROWS and time.monotonic() >= log.tidy_from:
        tidy(log)


@dataclass
class DeltaWriting:
    """One write under the lock; see `tallow.data.store.backend.Writing`."""

    log: DeltaLog
    view: DeltaView
    received_at: int
    follows: LogPoint

    def scan(self, selection: Selection, columns: Sequence[str]) -> pl.DataFrame:
        """Return rows of the state that this write adds to."""
        return self.view.scan(selection, columns)

    def append(self, rows: pl.DataFrame) -> None:
        """Commit rows: few to the tail, many as files."""
        file, location = self.log.tail_file, self.log.location
        if len(rows) < STORE_TAIL_BATCH_ROWS:
            file.add(rows, self.view.tail)
        elif self.view.tail.batches:
            # Nobody, nor a process after a kill, must find these before what they are revisions of.
            with file.reserve_disk_space():
                commit_with_tail(self.log, rows, self.view)
            file.drop(self.view.tail.batches[-1].id)
        else:
            with file.reserve_disk_space():
                self.log.commit(location.write(rows), self.view.files.version)
        file.received(self.received_at)

    def record(self, entry: LedgerEntry, quarantine: pl.DataFrame) -> int:
        """Enter a write in the ledger, in one transaction with a write to the tail."""
        return self.log.ledger().record(entry, quarantine)
