"""From the tail to the table: a flush beside the writers, and a write, which may be one as well."""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import polars as pl
from deltalake import Transaction

from tallow.core.errors import ConflictError, StoreError, TallowWarning
from tallow.core.limits import (
    STORE_COMMIT_ATTEMPTS,
    STORE_FLUSH_ROWS,
    STORE_SEALED_SHORT,
    STORE_SWEEP_SECONDS,
    STORE_TAIL_BATCH_ROWS,
    STORE_TIDY_PATIENCE_SECONDS,
    STORE_TIDY_SECONDS,
    STORE_UNMOVED_BYTES,
)
from tallow.data.reading.runs import instrument_runs
from tallow.data.store.backend import LogPoint
from tallow.data.store.batches import Tail
from tallow.data.store.classify import rebase, receive_after
from tallow.data.store.delta import DeltaLog
from tallow.data.store.group import QueuedWrite
from tallow.data.store.index import FileIndex
from tallow.data.store.ledger import LedgerEntry
from tallow.data.store.log import (
    LOG_ORDER,
    LOG_SCHEMA,
    Selection,
    latest_revisions,
    selection_around,
)
from tallow.data.store.order import in_log_order
from tallow.data.store.receipts import Receipt
from tallow.data.store.rewrite import merge_small
from tallow.data.store.view import DeltaView


def flush(log: DeltaLog) -> None:
    """Move what the tail holds into files of the table; writers go on meanwhile."""
    goal = None
    with log.flush_lock:
        for _ in range(STORE_COMMIT_ATTEMPTS):
            with log.tail_file.locked() as tail:
                goal = tail.newest_write if goal is None else goal
                view = None if tail.dropped >= goal else _seal(log)
                if view is None:
                    break
                # Then the tail's rows may be revisions of what another tool removes meanwhile.
                is_held = not view.files.is_checked
                is_done = is_held and _try_commit(log, view)
            if is_done or (not is_held and _try_commit(log, view)):
                with log.tail_file.locked():
                    log.tail_file.drop(view.tail.batches[-1].id)
                    log.note_version(view.files.version, view.files.version + 1)
        else:
            raise ConflictError(
                f"store: {log.location.root}: others keep committing; try again later"
            )
        _sweep(log)


def _sweep(log: DeltaLog) -> None:
    """Give back the room of what was dropped, a little at a time."""
    is_more = True
    while is_more:
        with log.tail_file.locked():
            is_more = log.tail_file.sweep()
        # Who waits for the lock comes first.
        time.sleep(STORE_SWEEP_SECONDS)


def _seal(log: DeltaLog) -> DeltaView | None:
    """Return the state of the batches to be flushed, which stay as they are; inside `locked`.

    All of them; but where flushes keep failing, each leaves short batches that are folded no more,
    so that after some it is those of the last one. None if there are none.
    """
    file, files = log.tail_file, log.files()
    if files.flushed > file.written.dropped:
        # By a process that was killed then, or that still waits for the disk.
        log.make_durable(files.version)
        file.drop(files.flushed)
    batches = file.written.batches
    if not batches:
        return None
    if not files.is_checked or file.written.sealed_short < STORE_SEALED_SHORT:
        file.seal(batches[-1].id)
    return log.view_of(file.written.until(file.written.sealed), files)


def _try_commit(log: DeltaLog, view: DeltaView) -> bool:
    """Commit a tail's rows as files; say whether that was done, or others committed first."""
    try:
        commit_with_tail(log, None, view)
    except StoreError:
        # A compaction that keeps nothing removes files that these rows are compared with.
        if log.files().version == view.files.version:
            raise
        return False
    return True


def commit_with_tail(log: DeltaLog, rows: pl.DataFrame | None, view: DeltaView) -> None:
    """Commit the tail's rows, and rows that were compared with them, as files."""
    tail = view.tail.scan(Selection(None, None, None), list(LOG_SCHEMA))
    both = tail if rows is None else in_log_order(pl.concat([tail, rows]))
    actions = log.location.write(_rebased(log, both, view))
    flushed = Transaction(log.tail_file.identity, view.tail.batches[-1].id)
    log.commit(actions, view.files, [flushed])


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


def is_long(rows: int) -> bool:
    """Say whether a write of so many rows becomes files at once, which no transaction undoes."""
    return rows >= STORE_TAIL_BATCH_ROWS


def write_group(log: DeltaLog, group: Iterator[QueuedWrite]) -> None:
    """Do writes one after the other in one transaction of this machine's lock.

    One that fails leaves no trace, and the others go on; where the transaction fails, all do.
    """
    file = log.tail_file
    with file.locked():
        files = _newest_files(log)
        for number, each in enumerate(group):
            try:
                with file.part() if number else nullcontext():
                    each.result = each.work(_next_write(log, files))
            except Exception as error:
                # What was written before it is still there, unless the file took all back.
                if not number or not file.writer.in_transaction:
                    raise
                each.error = error


@contextmanager
def writing(log: DeltaLog) -> Iterator[DeltaWriting]:
    """Take this machine's lock for one write."""
    with log.tail_file.locked():
        yield _next_write(log, _newest_files(log))


def _newest_files(log: DeltaLog) -> FileIndex:
    files = log.files()
    if log.tail_file.written.newest_write < files.flushed:
        # The tail's file is an older copy: no number may be used again.
        log.tail_file.drop(files.flushed)
    return files


def _next_write(log: DeltaLog, files: FileIndex) -> DeltaWriting:
    view = log.view_of(log.tail_file.written, files)
    # A flush beside other tails may move each write of this one to after the newest there.
    moved = 0 if log.is_alone(view) else files.last_received + view.tail.writes
    last = view.last_received
    received = max(log.clock(), max(last, moved) + 1)
    return DeltaWriting(log, view, received, LogPoint(view.epoch, last))


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

    def all_new(
        self, timeframe: str, adjustment: str, names: Sequence[str], firsts: Sequence[int]
    ) -> bool:
        """Say whether it is known that no row of instruments is there, from given times on."""
        return self.log.ends.all_before(self.view, (timeframe, adjustment), names, firsts)

    def append(self, rows: pl.DataFrame) -> None:
        """Commit rows: few to the tail, many as files."""
        file, view = self.log.tail_file, self.view
        if not is_long(len(rows)):
            file.add(rows, view.tail)
            self.log.ends.note(view, self.received_at, rows)
        else:
            with file.reserve_disk_space():
                self._append_files(rows)
            self.log.note_version(view.files.version, view.files.version + 1)
        file.received(self.received_at)

    def _append_files(self, rows: pl.DataFrame) -> None:
        waiting = self.view.tail.batches
        if not waiting:
            self.log.commit(self.log.location.write(rows), self.view.files)
            return
        # Nobody, nor a process after a kill, must find these before what they are revisions of.
        commit_with_tail(self.log, rows, self.view)
        self.log.tail_file.drop(waiting[-1].id)
        while self.log.tail_file.sweep():
            pass

    def record(self, entry: LedgerEntry, quarantine: pl.DataFrame) -> int:
        """Enter a write in the ledger, in one transaction with a write to the tail."""
        return self.log.ledger().record(entry, quarantine)

    def keep(self, name: str, receipt: Receipt) -> None:
        """Keep the write's receipt, in the transaction of its entry."""
        self.log.receipts().keep(name, receipt, self.received_at)


class Tidier:
    """Flushes and merges beside the writers, in one thread that lasts from the first time on.

    Each new thread would take memory of its own for what a flush needs, and the C library keeps it.
    What it cannot do is said by the write that it began with, where that shows at once, or by the
    next one; both are durable all the same.
    """

    def __init__(self, log: DeltaLog) -> None:
        self._log, self._lock = log, threading.Lock()
        self._thread = ThreadPoolExecutor(1, "tallow-store-tidier")
        self._work: Future[None] | None = None
        self._error: Exception | None = None
        self._pause_until = -math.inf

    def look(self, rows: int) -> None:
        """Begin after a write of so many rows, where there is something to do; say what went wrong.

        Who wrote many waits for it; nobody may write faster than files are written for long.
        """
        file = self._log.tail_file
        waiting = file.written.rows
        if waiting >= STORE_FLUSH_ROWS:
            if self._begin(_flush_and_merge):
                self._wait(STORE_TIDY_PATIENCE_SECONDS * (10 + rows))
            if waiting >= 2 * STORE_FLUSH_ROWS:
                self._wait()
        elif file.unmoved >= STORE_UNMOVED_BYTES:
            self._begin(_checkpoint)
        self._warn()

    def end(self) -> None:
        """Wait until it has come to its end, and say what went wrong; it begins no more."""
        self._thread.shutdown()
        self._warn()

    def _begin(self, work: Callable[[DeltaLog], None]) -> bool:
        """Begin work, unless it is at work, or failed a moment ago; say whether it did."""
        with self._lock:
            is_at_work = self._work is not None and not self._work.done()
            if is_at_work or time.monotonic() < self._pause_until:
                return False
            self._work = self._thread.submit(self._run, work)
            return True

    def _wait(self, seconds: float | None = None) -> None:
        work = self._work
        if work is not None:
            wait([work], seconds)

    def _warn(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            note = "the write itself is safe; the tail grows until this works"
            warnings.warn(f"{error} ({note})", TallowWarning, stacklevel=5)

    def _run(self, work: Callable[[DeltaLog], None]) -> None:
        try:
            work(self._log)
        except Exception as error:  # noqa: BLE001 - said by the next write
            self._error = error
            self._pause_until = time.monotonic() + STORE_TIDY_SECONDS


def _flush_and_merge(log: DeltaLog) -> None:
    flush(log)
    merge_small(log)


def _checkpoint(log: DeltaLog) -> None:
    log.tail_file.checkpoint()
