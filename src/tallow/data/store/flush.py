"""From the tail to the table: a flush, and a write under the lock, which may be one as well."""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
from deltalake import Transaction

from tallow.core.errors import ConflictError, StoreError, TallowWarning
from tallow.core.limits import STORE_COMMIT_ATTEMPTS, STORE_TAIL_BATCH_ROWS, STORE_TIDY_SECONDS
from tallow.data.store.batches import Tail
from tallow.data.store.classify import rebase, receive_after
from tallow.data.store.ledger import LedgerEntry
from tallow.data.store.log import LOG_ORDER, LOG_SCHEMA, LogPoint, Selection, around, latest
from tallow.data.store.order import in_log_order
from tallow.data.store.rewrite import merge_small
from tallow.data.store.view import View

if TYPE_CHECKING:
    from tallow.data.store.delta import DeltaBackend


def flush(backend: DeltaBackend) -> None:
    """Move the tail into a file of the table."""
    for _ in range(STORE_COMMIT_ATTEMPTS):
        with backend.tail_file.locked() as tail:
            if not tail.batches:
                return
            files, last = backend.files(), tail.batches[-1].id
            view = View(backend.place, tail.after(files.flushed), files)
            try:
                if view.tail.batches:
                    commit_with_tail(backend, None, view)
            except ConflictError:
                continue
            backend.tail_file.drop(last)
            return
    raise ConflictError(f"store: {backend.place.root}: others keep committing; try again later")


def commit_with_tail(backend: DeltaBackend, rows: pl.DataFrame | None, view: View) -> None:
    """Commit the tail's rows, and rows that were compared with them, as files."""
    tail = view.tail.scan(Selection(None, None, None), list(LOG_SCHEMA))
    both = tail if rows is None else in_log_order(pl.concat([tail, rows]))
    actions = backend.place.write(_rebased(backend, both, view))
    flushed = Transaction(backend.tail_file.identity, view.tail.batches[-1].id)
    backend.commit(actions, view.files.version, [flushed])


def _rebased(backend: DeltaBackend, rows: pl.DataFrame, view: View) -> pl.DataFrame:
    """Return the tail's rows as revisions of what others committed meanwhile.

    Where only other tools did, readers saw the tail's rows already: these keep their receipt times.
    """
    if backend.is_alone(view.files) and view.files.is_checked:
        return rows
    table, parts = View(view.place, Tail(), view.files), []
    if not backend.is_alone(view.files):
        rows = receive_after(rows, view.files.last_received)
    for (timeframe, adjustment), part in rows.group_by(
        "timeframe", "adjustment", maintain_order=True
    ):
        selection = around(part, str(timeframe), str(adjustment))
        known = latest(table.scan(selection, [*LOG_ORDER]))
        parts.append(rebase(part, known))
    return pl.concat(parts)


def tidy(backend: DeltaBackend) -> None:
    """Flush and merge after a write, which is durable whatever becomes of this."""
    try:
        flush(backend)
        merge_small(backend)
    except StoreError as error:
        backend.tidy_from = time.monotonic() + STORE_TIDY_SECONDS
        warnings.warn(
            f"{error} (the write itself is safe; the tail grows until this works)",
            TallowWarning,
            stacklevel=2,
        )


@dataclass
class DeltaWriting:
    """One write under the lock; see `tallow.data.store.log.Writing`."""

    backend: DeltaBackend
    view: View
    received_at: int
    follows: LogPoint

    def scan(self, selection: Selection, columns: Sequence[str]) -> pl.DataFrame:
        """Return rows of the state that this write adds to."""
        return self.view.scan(selection, columns)

    def append(self, rows: pl.DataFrame) -> None:
        """Commit rows: few to the tail, many as files."""
        file, place = self.backend.tail_file, self.backend.place
        if len(rows) < STORE_TAIL_BATCH_ROWS:
            file.add(rows, self.view.tail)
        elif self.view.tail.batches:
            # Nobody, nor a process after a kill, must find these before what they are revisions of.
            with file.room():
                commit_with_tail(self.backend, rows, self.view)
            file.drop(self.view.tail.batches[-1].id)
        else:
            with file.room():
                self.backend.commit(place.write(rows), self.view.files.version)
        file.received(self.received_at)

    def record(self, entry: LedgerEntry, quarantine: pl.DataFrame) -> int:
        """Enter a write in the ledger, in one transaction with a write to the tail."""
        return self.backend.ledger().record(entry, quarantine)
