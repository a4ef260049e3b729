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
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from tallow.core.errors import StoreError
from tallow.core.limits import (
    STORE_AHEAD_SECONDS,
    STORE_FLUSH_ROWS,
    STORE_LOOK_SECONDS,
    STORE_VIEW_ATTEMPTS,
)
from tallow.core.time import SECOND_US
from tallow.data.store.commits import (
    ACTIONS,
    NO_CHECKPOINT,
    has_commit,
    make_checkpoint,
    require_log,
    sync_commits,
)
from tallow.data.store.copying import contents, load, take_ledger
from tallow.data.store.files import Place, damaged
from tallow.data.store.flush import DeltaWriting, flush, tidy
from tallow.data.store.index import Examiner, FileIndex
from tallow.data.store.ledger import SqliteLedger
from tallow.data.store.lineage import lineage_of, tails_of
from tallow.data.store.location import STATE_FOLDER
from tallow.data.store.log import (
    Compacted,
    Contents,
    LogPoint,
    Selection,
    StoreStats,
)
from tallow.data.store.lost import is_lost, say_lost
from tallow.data.store.maintenance import compact, prune
from tallow.data.store.reading import TailCopy, open_tail
from tallow.data.store.table import (
    COPIED,
    EPOCH,
    HORIZON,
    TABLE_SCHEMA,
    delta_errors,
    has_landed,
    open_table,
    properties_of,
)
from tallow.data.store.tail import STATE_FILE, reached_by
from tallow.data.store.view import View


class DeltaBackend:
    """Keeps a log in a Delta table and a tail; see `tallow.data.store.log.Backend`."""

    def __init__(
        self,
        location: Path | str,
        state: Path,
        options: Mapping[str, str] | None,
        create: bool,
        clock: Callable[[], int],
        to_fill: bool = False,
    ) -> None:
        place = Place.at(location, options)
        self.state_folder = state
        self._clock = clock
        self._table = open_table(place, create, lambda: reached_by(state / STATE_FILE), to_fill)
        self.place = replace(place, table_id=str(self._table.metadata().id))
        self._table_lock = threading.RLock()
        self._examiner = Examiner(self.place, self._latest_receipt)
        lost = is_lost(place.folder, state, self._table.version())
        self.tail_file = open_tail(state / STATE_FILE)
        if lost:
            say_lost(place.root, state)
        if isinstance(self.tail_file, TailCopy):
            # What is derived has no place beside it.
            self.state_folder = self.tail_file.home
        self._index: FileIndex | None = None
        self._generation = ""
        self._looked = -math.inf
        self.tidy_from = -math.inf
        # A tail that lies elsewhere may be one of several.
        self._has_others = place.folder is None or state != place.folder / STATE_FOLDER
        # In this order: meanwhile, others may commit.
        reached = self.tail_file.fact("reached")
        take_ledger(self, self._table.transaction_version(COPIED))
        require_log(self.place.folder, self.place.root, self.files().version, reached)

    def _latest_receipt(self) -> int:
        """Return the latest receipt that rows of another tool can have."""
        known = max(self._clock(), self.tail_file.fact("received"))
        return known + STORE_AHEAD_SECONDS * SECOND_US

    @property
    def horizon(self) -> int:
        """The moment before which `as_of` cannot reach: superseded revisions were pruned."""
        return int(self.files().properties.get(HORIZON, "0"))

    @property
    def epoch(self) -> str:
        """What changes where history is taken away, so that nothing derived from it is trusted."""
        files = self.files()
        mark = f"{files.properties[EPOCH]} {files.lineage.id}{self._generation}"
        if not self._has_others:
            return mark
        # Another machine's rows may have been received before the last ones that this one saw.
        own = files.version <= self.tail_file.fact("reached")
        return f"{mark} {self.tail_file.fact('alone') if own else files.version}"

    def is_alone(self, files: FileIndex) -> bool:
        """Say whether nobody else, with a tail elsewhere, may have committed; inside `locked`.

        A commit of this tail that is not noted is of a process that was killed.
        """
        if self._has_others:
            return False
        reached, own = self.tail_file.fact("reached"), {self.tail_file.identity}
        return reached >= files.version or tails_of(self.place, reached, files.version) <= own

    def is_replaced(self) -> bool:
        """Say whether another store, or none, lies where the one lay that was opened."""
        return self.tail_file.is_replaced()

    def begin_generation(self) -> None:
        """Change the epoch, as this process sees it."""
        self._generation = f" {uuid.uuid4().hex}"

    def files(self) -> FileIndex:
        """Return the newest version's files."""
        with self._table_lock, delta_errors(self.place.root):
            if self._index is None or self._has_newer(self._index.version):
                self._table.update_incremental()
                self._looked = time.monotonic()
                version = self._table.version()
                self._index = FileIndex.of(
                    version,
                    self._table.transaction_version(self.tail_file.identity) or 0,
                    properties_of(self._table, self.place.root),
                    lineage_of(self.place, version),
                    self._table.get_add_actions(flatten=True),
                    self._examiner,
                )
            return self._index

    def _has_newer(self, version: int) -> bool:
        # Versions have no gaps: where the next one is not there, this is the newest. But old ones
        # are cleaned up, and a process may sleep for weeks.
        if self.place.folder is None or time.monotonic() - self._looked > STORE_LOOK_SECONDS:
            return True
        return has_commit(self.place.root, version + 1)

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
        return compact(self, keep_hours)

    def prune(
        self, before: int | None, superseded_before: int | None, keep_hours: float
    ) -> Compacted:
        """Take rows away; see `tallow.data.store.store.Store.prune`."""
        return prune(self, before, superseded_before, keep_hours)

    def contents(self) -> AbstractContextManager[Contents]:
        """Give all that there is, of one moment, whatever is written in the block."""
        return contents(self)

    def load(self, found: Contents) -> None:
        """Take over all of another store, as it is, in one commit; this one is empty."""
        load(self, found)

    @contextmanager
    def changing(self) -> Iterator[tuple[DeltaTable, CommitProperties]]:
        """Take the locks for a change of the newest version; make it durable at the end."""
        with self.tail_file.locked(), self._table_lock, delta_errors(self.place.root):
            # What others committed meanwhile is no remains to a vacuum.
            self._table.update_incremental()
            files = self.files()
            yield self._table, CommitProperties(self._mark(files), max_commit_retries=0)
            self._table.update_incremental()
            self._settle(files.version, self._table.version())

    def _mark(
        self,
        files: FileIndex,
        actions: Sequence[AddAction | RemoveAction] = (),
        known: Sequence[Transaction] = (),
    ) -> dict[str, str]:
        """Return the mark of a commit that follows a version; inside the locks."""
        checked = files.is_checked
        if not checked:
            # Then the tail's rows may be revisions of what another tool took away since.
            own = self.tail_file.identity
            flushed = max([files.flushed, *(each.version for each in known if each.app_id == own)])
            waiting = self.tail_file.tail().after(flushed).batches
            gone = {each.path for each in actions if isinstance(each, RemoveAction)}
            checked = not waiting and files.own_without(gone)
        return files.lineage.with_checked(checked).mark(files.version, self.tail_file.identity)

    def stats(self) -> StoreStats:
        """Return how much there is, and how it lies."""
        return self.view().stats(self.horizon)

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
            if tail.made < files.flushed:
                # The tail's file is an older copy: no number may be used again.
                self.tail_file.drop(files.flushed)
            last = max(tail.last_received, files.last_received)
            view = View(self.place, tail.after(files.flushed), files)
            # A flush beside other tails may move each write of this one to after the newest there.
            moved = 0 if self.is_alone(files) else files.last_received + view.tail.writes
            received = max(self._clock(), max(last, moved) + 1)
            yield DeltaWriting(self, view, received, LogPoint(self.epoch, last))
        if self.tail_file.tail().rows >= STORE_FLUSH_ROWS and time.monotonic() >= self.tidy_from:
            tidy(self)

    def commit(
        self,
        actions: Sequence[AddAction | RemoveAction],
        version: int,
        known: Sequence[Transaction] = (),
    ) -> None:
        """Add one version to the table, if `version` is still its newest; durable where local.

        `known` are the numbers that the log remembers with it.

        Raises
        ------
        ConflictError
            If it is not; the files that were to be added are removed then.
        """
        with self._table_lock, delta_errors(self.place.root):
            try:
                files = self.files()
                if files.version != version:
                    # A reader of this process moved on: the commit would go through, and be wrong.
                    raise CommitFailedError
                told = {ACTIONS: str(len(actions) + len(known))}
                told |= self._mark(files, actions, known)
                # No retries: what these rows are was decided by what this version holds.
                properties = CommitProperties(told, 0, list(known))
                self._table.create_write_transaction(
                    list(actions),
                    "append",
                    TABLE_SCHEMA,
                    commit_properties=properties,
                    post_commithook_properties=NO_CHECKPOINT,
                )
            except (DeltaError, OSError):
                if not has_landed(self._table, actions):
                    self.place.discard([each for each in actions if isinstance(each, AddAction)])
                    raise
            self._settle(version, version + 1)

    def _settle(self, version: int, newest: int) -> None:
        """Make durable what was committed after a version; inside the locks."""
        sync_commits(self.place.folder, version + 1, newest)
        self.tail_file.reached(newest, after=version)
        make_checkpoint(self._table, self.place.folder, version, newest)

    def flush(self) -> None:
        """Move the tail into a file of the table."""
        flush(self)

    def close(self) -> None:
        """Close the tail's file."""
        self.tail_file.close()
