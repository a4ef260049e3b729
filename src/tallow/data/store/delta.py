"""A log in a Delta table, in a folder or a bucket, with its durable tail in a local SQLite file.

Whole and consistent reads need no lock: a reader takes the tail first and the table after it, so
that a flush in between shows a batch twice, never not at all; and the table names the last batch it
holds, so that twice becomes once. Writers of one machine wait for each other at SQLite's lock;
those of several meet at the table's commit, where the second one fails, looks again and repeats.
"""

from __future__ import annotations

import math
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from tallow.core.errors import ConflictError, StoreError, TallowWarning
from tallow.core.limits import (
    STORE_COMMIT_ATTEMPTS,
    STORE_FLUSH_ROWS,
    STORE_LOOK_SECONDS,
    STORE_TAIL_BATCH_ROWS,
    STORE_VIEW_ATTEMPTS,
)
from tallow.data.store.classify import rebase
from tallow.data.store.files import (
    FileIndex,
    Place,
    damaged,
    require_whole,
)
from tallow.data.store.ledger import LedgerEntry, SqliteLedger
from tallow.data.store.log import (
    LOG_ORDER,
    LOG_SCHEMA,
    Compacted,
    Selection,
    StoreStats,
    around,
    latest,
)
from tallow.data.store.order import in_log_order
from tallow.data.store.rewrite import (
    Keep,
    gathered,
    merge_small,
    overlapping,
    pruning,
    rewrite,
    stretches,
)
from tallow.data.store.table import (
    EPOCH,
    HORIZON,
    TABLE_SCHEMA,
    commit_file,
    delta_errors,
    has_landed,
    open_table,
    properties_of,
    require_log,
    sync_commits,
)
from tallow.data.store.tail import Tail, TailFile
from tallow.data.store.view import View


class DeltaBackend:
    """Keeps a log in a Delta table and a tail; see `tallow.data.store.log.Backend`."""

    def __init__(
        self,
        location: str,
        state: Path,
        options: Mapping[str, str] | None,
        create: bool,
        clock: Callable[[], int],
    ) -> None:
        self.place = Place(location, options)
        self.state_folder = state
        self._clock = clock
        self._table = open_table(self.place, create)
        self._table_lock = threading.Lock()
        self.tail_file = TailFile(state / "state.sqlite")
        self._index: FileIndex | None = None
        self._looked = -math.inf
        # In this order: meanwhile, others may commit.
        reached = self.tail_file.fact("reached")
        require_log(self.place, self.files().version, reached)

    @property
    def horizon(self) -> int:
        """The moment before which `as_of` cannot reach: superseded revisions were pruned."""
        return int(self.files().properties.get(HORIZON, "0"))

    @property
    def epoch(self) -> str:
        """What changes where history is taken away, so that nothing derived from it is trusted."""
        files = self.files()
        if self.place.folder is not None:
            return files.properties[EPOCH]
        # Another machine's rows may have been received before the last ones that this one saw.
        own = files.version <= self.tail_file.fact("reached")
        return f"{files.properties[EPOCH]} {self.tail_file.fact('alone') if own else files.version}"

    def files(self) -> FileIndex:
        """Return the newest version's files."""
        with self._table_lock, delta_errors(self.place.root):
            if self._index is None or self._has_newer(self._index.version):
                self._table.update_incremental()
                self._looked = time.monotonic()
                self._index = FileIndex.of(
                    self._table.version(),
                    self._table.transaction_version(self.tail_file.identity) or 0,
                    properties_of(self._table, self.place.root),
                    self._table.get_add_actions(flatten=True),
                )
            return self._index

    def _has_newer(self, version: int) -> bool:
        # Versions have no gaps: where the next one is not there, this is the newest. But old ones
        # are cleaned up, and a process may sleep for weeks.
        if self.place.folder is None or time.monotonic() - self._looked > STORE_LOOK_SECONDS:
            return True
        return commit_file(self.place.folder, version + 1).exists()

    def view(self) -> View:
        """Return one consistent state of tail and table."""
        tail, files = self.tail_file.tail(), self.files()
        for _ in range(STORE_VIEW_ATTEMPTS):
            if self.tail_file.is_now(tail):
                break
            tail, files = self.tail_file.tail(), self.files()
        return View(self.place, tail.after(files.flushed), files)

    def token(self) -> Hashable:
        """Return what changes with every change of the log."""
        view = self.view()
        return (view.files.version, *view.tail.token)

    def last_received(self) -> int:
        """Return the receipt time of the newest write, or 0."""
        view = self.view()
        return max(view.tail.last_received, view.files.last_received)

    def scan(
        self, selection: Selection, columns: Sequence[str], skip_damaged: bool = False
    ) -> pl.DataFrame:
        """Return rows of one state of the log, in `LOG_ORDER`."""
        for _ in range(STORE_VIEW_ATTEMPTS):
            view = self.view()
            try:
                return view.scan(selection, columns, skip_damaged)
            except StoreError:
                # A compaction that keeps nothing removes files that this state needs.
                if self.files().version == view.files.version:
                    raise
        return self.view().scan(selection, columns, skip_damaged)

    def has_interest(self, selection: Selection) -> bool:
        """Say whether any row of a series' timeframe and adjustment has open interest."""
        return self.view().has_interest(selection)

    def compact(self, keep_hours: float) -> Compacted:
        """Rewrite files that overlap, and remove those that no version of late needs."""
        return self._rewritten(keep_hours, None, lambda group: len(group) > 1)

    def prune(
        self, before: int | None, superseded_before: int | None, keep_hours: float
    ) -> Compacted:
        """Take rows away; see `tallow.data.store.store.Store.prune`."""
        if superseded_before is not None:
            # First, so that nobody asks for a state that is being taken apart.
            self._set(HORIZON, str(max(superseded_before, self.horizon)))

        def wanted(group: pl.DataFrame) -> bool:
            late = before is not None and bool((group["min.timestamp"] < before).any())
            return late or (superseded_before is not None and group["max.revision"].max() != 1)

        try:
            return self._rewritten(keep_hours, pruning(before, superseded_before), wanted)
        finally:
            # Last, so that nothing derived from what is gone has the new mark.
            self._set(EPOCH, uuid.uuid4().hex)

    def _rewritten(
        self, keep_hours: float, keep: Keep | None, wanted: Callable[[pl.DataFrame], bool]
    ) -> Compacted:
        self.flush()
        before = self.files().facts
        for _ in range(STORE_COMMIT_ATTEMPTS):
            groups = list(filter(wanted, overlapping(self.files().facts)))
            if all(rewrite(self, group, keep) for group in groups):
                break
        else:
            raise ConflictError(f"store: {self.place.root}: others keep compacting; try later")
        after = self.files().facts
        with self._changing() as table:
            gone = table.vacuum(
                # Hours, whole; rounded up, so that nothing goes too early.
                math.ceil(keep_hours),
                dry_run=False,
                enforce_retention_duration=False,
                full=True,
            )
        removed = int(before["rows"].sum()) - int(after["rows"].sum())
        return Compacted(len(before), len(after), removed, len(gone))

    def _set(self, name: str, value: str) -> None:
        """Change a property of the table."""
        with self._changing() as table:
            table.alter.set_table_properties({name: value}, raise_if_not_exists=False)

    @contextmanager
    def _changing(self) -> Iterator[DeltaTable]:
        """Take the locks for a change of the newest version; make it durable at the end."""
        with self.tail_file.locked(), self._table_lock, delta_errors(self.place.root):
            # What others committed meanwhile is no remains to a vacuum.
            self._table.update_incremental()
            version = self._table.version()
            yield self._table
            self._table.update_incremental()
            self._settle(version, self._table.version())

    def stats(self) -> StoreStats:
        """Return how much there is, and how it lies."""
        return self.view().stats(self.horizon)

    def pieces(self) -> Iterator[pl.DataFrame]:
        """Return all rows of one state, in `LOG_ORDER`, a bounded number at a time."""
        self.flush()
        facts = self.files().facts
        require_whole(damaged(self.place, facts))
        if len(facts):
            yield from stretches(self.place, facts["path"].to_list(), None)

    def load(self, pieces: Iterable[pl.DataFrame], horizon: int) -> None:
        """Take over all rows of another log, as they are, in one commit; this one is empty."""
        if horizon:
            self._set(HORIZON, str(horizon))
        with self.tail_file.locked():
            version = self.files().version
            if self.view().tail.rows or len(self.files().facts):
                raise StoreError(
                    f"store: {self.place.root}: is not empty; restore into a new folder"
                )
            actions = [action for rows in gathered(pieces) for action in self.place.write(rows)]
            if actions:
                self.commit(actions, version)

    def damaged(self) -> list[str]:
        """Return what is wrong with which files."""
        return list(damaged(self.place, self.files().facts).values())

    def ledger(self) -> SqliteLedger:
        """Return where ingests and quarantined rows are kept."""
        return SqliteLedger(self.tail_file)

    @contextmanager
    def writing(self) -> Iterator[DeltaWriting]:
        """Take this machine's lock for one write; flush the tail after it where that is long."""
        with self.tail_file.locked() as tail:
            files = self.files()
            last = max(tail.last_received, files.last_received)
            view = View(self.place, tail.after(files.flushed), files)
            yield DeltaWriting(self, view, max(self._clock(), last + 1))
        if self.tail_file.tail().rows >= STORE_FLUSH_ROWS:
            self._tidy()

    def _tidy(self) -> None:
        """Flush and merge after a write, which is durable whatever becomes of this."""
        try:
            self.flush()
            merge_small(self)
        except StoreError as error:
            warnings.warn(
                f"{error} (the write itself is safe; the tail grows until this works)",
                TallowWarning,
                stacklevel=2,
            )

    def commit(
        self,
        actions: Sequence[AddAction | RemoveAction],
        version: int,
        flushed: int | None = None,
    ) -> None:
        """Add one version to the table, if `version` is still its newest; durable where local.

        Raises
        ------
        ConflictError
            If it is not; the files that were to be added are removed then.
        """
        known = [] if flushed is None else [Transaction(self.tail_file.identity, flushed)]
        # No retries: what these rows are was decided by what this version holds.
        properties = CommitProperties(max_commit_retries=0, app_transactions=known)
        with self._table_lock, delta_errors(self.place.root):
            try:
                if self._table.version() != version:
                    # A reader of this process moved on: the commit would go through, and be wrong.
                    raise CommitFailedError
                self._table.create_write_transaction(
                    list(actions), "append", TABLE_SCHEMA, commit_properties=properties
                )
            except (DeltaError, OSError):
                if not has_landed(self._table, actions):
                    self.place.discard([each for each in actions if isinstance(each, AddAction)])
                    raise
            self._settle(version, version + 1)

    def _settle(self, version: int, newest: int) -> None:
        """Make durable what was committed after a version; inside the locks."""
        sync_commits(self.place, version + 1, newest)
        self.tail_file.reached(newest, after=version)

    def flush(self) -> None:
        """Move the tail into a file of the table."""
        for _ in range(STORE_COMMIT_ATTEMPTS):
            with self.tail_file.locked() as tail:
                if not tail.batches:
                    return
                files, last = self.files(), tail.batches[-1].id
                view = View(self.place, tail.after(files.flushed), files)
                try:
                    if view.tail.batches:
                        self.commit_with_tail(None, view)
                except ConflictError:
                    continue
                self.tail_file.drop(last)
                return
        raise ConflictError(f"store: {self.place.root}: others keep committing; try again later")

    def commit_with_tail(self, rows: pl.DataFrame | None, view: View) -> None:
        """Commit the tail's rows, and rows that were compared with them, as files."""
        tail = view.tail.scan(Selection(None, None, None), list(LOG_SCHEMA))
        both = tail if rows is None else in_log_order(pl.concat([tail, rows]))
        actions = self.place.write(self._rebased(both, view))
        self.commit(actions, view.files.version, view.tail.batches[-1].id)

    def _rebased(self, rows: pl.DataFrame, view: View) -> pl.DataFrame:
        """Return the tail's rows as revisions of what other machines committed meanwhile."""
        if self.place.folder is not None:
            return rows
        table, parts = View(view.place, Tail(), view.files), []
        for (timeframe, adjustment), part in rows.group_by(
            "timeframe", "adjustment", maintain_order=True
        ):
            selection = around(part, str(timeframe), str(adjustment))
            known = latest(table.scan(selection, [*LOG_ORDER]))
            parts.append(rebase(part, known, view.files.last_received))
        return pl.concat(parts)

    def close(self) -> None:
        """Close the tail's file."""
        self.tail_file.close()


@dataclass
class DeltaWriting:
    """One write under the lock; see `tallow.data.store.log.Writing`."""

    backend: DeltaBackend
    view: View
    received_at: int

    def scan(self, selection: Selection, columns: Sequence[str]) -> pl.DataFrame:
        """Return rows of the state that this write adds to."""
        return self.view.scan(selection, columns)

    def append(self, rows: pl.DataFrame) -> None:
        """Commit rows: few to the tail, many as files."""
        file, place = self.backend.tail_file, self.backend.place
        if len(rows) < STORE_TAIL_BATCH_ROWS:
            file.add(rows)
        elif place.folder is None and self.view.tail.batches:
            # Another machine must not find these before what they are revisions of.
            with file.room():
                self.backend.commit_with_tail(rows, self.view)
            file.drop(self.view.tail.batches[-1].id)
        else:
            with file.room():
                self.backend.commit(place.write(rows), self.view.files.version)
        file.received(self.received_at)

    def record(self, entry: LedgerEntry, quarantine: pl.DataFrame) -> int:
        """Enter a write in the ledger, in one transaction with a write to the tail."""
        return self.backend.ledger().record(entry, quarantine)
