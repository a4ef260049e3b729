"""A log in a Delta table, in a folder or a bucket, with its durable tail in a local SQLite file.

Whole and consistent reads need no lock: a reader takes the tail first and the table after it, so
that a flush in between shows a batch twice, never not at all; and the table names the last batch it
holds, so that twice becomes once. Writers of one machine wait for each other at SQLite's lock;
those of several meet at the table's commit, where the second one fails, looks again and repeats.
Commits have a table object of their own: a reader waits for none of them, and sees one when it is
on disk.
"""

from __future__ import annotations

import math
import os
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from tallow.core.errors import TallowWarning
from tallow.core.limits import STORE_AHEAD_SECONDS, STORE_LOOK_SECONDS, STORE_VIEW_ATTEMPTS
from tallow.core.time import SECOND_US
from tallow.data.store.batches import Tail
from tallow.data.store.commits import (
    ACTIONS,
    COMMIT_NAME,
    NO_CHECKPOINT,
    make_checkpoint,
    sync_commits,
)
from tallow.data.store.ends import SeriesEnds
from tallow.data.store.files import TableLocation
from tallow.data.store.index import Examiner, FileIndex
from tallow.data.store.ledger import SqliteLedger
from tallow.data.store.lineage import lineage_of, tails_of
from tallow.data.store.location import SNAPSHOT_FILE, STATE_FOLDER
from tallow.data.store.receipts import SqliteReceipts
from tallow.data.store.table import (
    TABLE_SCHEMA,
    delta_errors,
    has_landed,
    open_table,
    properties_of,
)
from tallow.data.store.tail import STATE_FILE, TailCopy, open_tail, reached_by
from tallow.data.store.view import DeltaView


class DeltaLog:
    """A Delta table and a tail as one log: its states, and commits to it."""

    def __init__(
        self,
        location: Path | str,
        state: Path,
        options: Mapping[str, str] | None,
        create: bool,
        clock: Callable[[], int],
        to_fill: bool = False,
    ) -> None:
        table = TableLocation.at(location, options)
        self.state_folder = state
        self.clock = clock
        self._table = open_table(table, create, lambda: reached_by(state / STATE_FILE), to_fill)
        self.location = replace(table, table_id=str(self._table.metadata().id))
        self._table_lock, self._commit_lock = threading.RLock(), threading.RLock()
        self.flush_lock, self.ends = threading.Lock(), SeriesEnds()
        self._own_table: DeltaTable | None = None
        # A file of the commit that is not on disk yet.
        self._unsynced = ""
        self._examiner = Examiner(self.location, self._latest_receipt)
        lost = is_lost(table.folder, state, self._table.version())
        self.tail_file = open_tail(state / STATE_FILE)
        if lost:
            say_lost(table.root, state)
        if isinstance(self.tail_file, TailCopy):
            # What is derived has no room beside it.
            self.state_folder = self.tail_file.home
        self._index: FileIndex | None = None
        self._generation = ""
        self._looked = -math.inf
        # A tail that lies elsewhere may be one of several.
        self._has_others = table.folder is None or state != table.folder / STATE_FOLDER

    def _latest_receipt(self) -> int:
        """Return the latest receipt that rows of another tool can have."""
        known = max(self.clock(), self.tail_file.fact("received"))
        return known + STORE_AHEAD_SECONDS * SECOND_US

    def is_alone(self, view: DeltaView) -> bool:
        """Say whether nobody else, with a tail elsewhere, may have committed; inside `locked`.

        A commit of this tail that is not noted is of a process that was killed.
        """
        if self._has_others:
            return False
        version, reached = view.files.version, view.tail.reached
        tails = tails_of(self.location, reached, version)
        return all(tail == self.tail_file.identity for tail in tails)

    def is_replaced(self) -> bool:
        """Say whether the store that was opened has been replaced or removed."""
        return self.tail_file.is_replaced()

    def begin_generation(self) -> None:
        """Change the epoch, as this process sees it."""
        self._generation = f" {uuid.uuid4().hex}"

    def transaction_version(self, name: str) -> int | None:
        """Return the number that the log remembers under a name, as it was when it was opened."""
        return self._table.transaction_version(name)

    def files(self) -> FileIndex:
        """Return the newest version's files."""
        with self._table_lock:
            index = self._index
            if index is not None and not self._has_newer(index.version):
                return index
            with delta_errors(self.location.root):
                self._table.update_incremental()
                self._looked = time.monotonic()
                version = self._table.version()
                if index is None or index.version != version:
                    index = self._index = FileIndex.of(
                        version,
                        self._table.transaction_version(self.tail_file.identity) or 0,
                        properties_of(self._table, self.location.root),
                        lineage_of(self.location, version),
                        self._table.get_add_actions(flatten=True),
                        self._examiner,
                    )
                return index

    def _has_newer(self, version: int) -> bool:
        # Versions have no gaps: where the next one is not there, this is the newest. But old ones
        # are cleaned up, and a process may sleep for weeks.
        if self.location.folder is None or time.monotonic() - self._looked > STORE_LOOK_SECONDS:
            return True
        # Every question asks this: Path.exists takes six times as long.
        if not os.access(f"{self.location.root}/{COMMIT_NAME.format(version + 1)}", os.F_OK):
            return False
        unsynced = self._unsynced
        return not unsynced or unsynced.encode() not in self.location.commit(version + 1)

    def view(self) -> DeltaView:
        """Return one consistent state of tail and table."""
        known, tail, files = self._index, self.tail_file.tail(), self.files()
        for _ in range(STORE_VIEW_ATTEMPTS):
            # Where the table is the same as before the look at the tail, both are of that moment.
            if files is known or self.tail_file.is_now(tail):
                break
            known, tail, files = files, self.tail_file.tail(), self.files()
        return self.view_of(tail, files, self.view)

    def view_of(
        self, tail: Tail, files: FileIndex, renew: Callable[[], DeltaView] | None = None
    ) -> DeltaView:
        """Return the state of a tail and of files that were there at one moment."""
        own = tail.after(files.flushed)
        identity = self.tail_file.identity if self._has_others else None
        return DeltaView(self.location, own, files, self._generation, identity, renew)

    def _newest_table(self) -> DeltaTable:
        """Return the table that commits go on with, at its newest version; inside their lock."""
        if self._own_table is None:
            options = dict(self.location.options) if self.location.options else None
            self._own_table = DeltaTable(self.location.table, storage_options=options)
        else:
            self._own_table.update_incremental()
        return self._own_table

    @contextmanager
    def changing(self) -> Iterator[tuple[DeltaTable, CommitProperties]]:
        """Take the locks for a change of the newest version; make it durable at the end."""
        with self.tail_file.locked(), self._commit_lock, delta_errors(self.location.root):
            # What others committed meanwhile is no remains to a vacuum.
            table, files = self._newest_table(), self.files()
            yield table, CommitProperties(self._mark(files), max_commit_retries=0)
            table.update_incremental()
            self._make_durable(table, files.version, table.version())
            self.note_version(files.version, table.version())

    def _mark(
        self,
        files: FileIndex,
        actions: Sequence[AddAction | RemoveAction] = (),
        known: Sequence[Transaction] = (),
    ) -> dict[str, str]:
        """Return the mark of a commit that follows a version; inside the locks."""
        checked = files.is_checked
        if not checked:
            # Then the tail's rows may be revisions of what another tool removed since.
            own = self.tail_file.identity
            flushed = max([files.flushed, *(each.version for each in known if each.app_id == own)])
            waiting = self.tail_file.written.after(flushed).batches
            gone = {each.path for each in actions if isinstance(each, RemoveAction)}
            checked = not waiting and files.own_without(gone)
        return files.lineage.with_checked(checked).commit_facts(
            files.version, self.tail_file.identity
        )

    def ledger(self) -> SqliteLedger:
        """Return where ingests and quarantined rows are kept."""
        return SqliteLedger(self.tail_file)

    def receipts(self) -> SqliteReceipts:
        """Return where the receipts of writes are kept."""
        return SqliteReceipts(self.tail_file)

    def commit(
        self,
        actions: Sequence[AddAction | RemoveAction],
        files: FileIndex,
        known: Sequence[Transaction] = (),
        *,
        again: bool = False,
    ) -> None:
        """Add one version to the table, if that of `files` is still its newest; durable if local.

        `known` are the numbers that the log remembers with it. `ConflictError` if it is not; the
        files that were to be added are removed then, unless they are to be committed `again`. The
        tail's file is told of the version by `note_version`.
        """
        with self._commit_lock, delta_errors(self.location.root):
            table = self._newest_table()
            try:
                self._unsynced = next((each.path for each in actions), "")
                self._add_version(table, actions, files, known, again)
                self._make_durable(table, files.version, files.version + 1)
            finally:
                self._unsynced = ""

    def _add_version(
        self,
        table: DeltaTable,
        actions: Sequence[AddAction | RemoveAction],
        files: FileIndex,
        known: Sequence[Transaction],
        again: bool,
    ) -> None:
        try:
            if table.version() != files.version:
                # A commit that moved on with the table would go through, and be wrong.
                raise CommitFailedError
            info = {ACTIONS: str(len(actions) + len(known))} | self._mark(files, actions, known)
            # No retries: what these rows are was decided by what this version holds.
            table.create_write_transaction(
                list(actions),
                "append",
                TABLE_SCHEMA,
                commit_properties=CommitProperties(info, 0, list(known)),
                post_commithook_properties=NO_CHECKPOINT,
            )
        except (DeltaError, OSError) as error:
            if has_landed(table, actions):
                return
            if not (again and isinstance(error, CommitFailedError)):
                self.location.discard([each for each in actions if isinstance(each, AddAction)])
            raise

    def _make_durable(self, table: DeltaTable, version: int, newest: int) -> None:
        """Make durable what was committed after a version; inside the commits' lock."""
        # What it goes on with may be a commit that another process still waits for.
        first = min(version, self.tail_file.fact("reached")) + 1
        sync_commits(self.location.folder, first, newest)
        make_checkpoint(table, self.location.folder, version, newest)

    def make_durable(self, version: int) -> None:
        """Wait until what others committed up to a version is on disk; inside `locked`."""
        with delta_errors(self.location.root):
            sync_commits(self.location.folder, self.tail_file.written.reached + 1, version)

    def note_version(self, after: int, version: int) -> None:
        """Remember the version that a commit made, `after` another one; inside `locked`."""
        known = self.tail_file.written.reached
        if version > known:
            # Commits of this tail between the two are noted a moment later, or their process died.
            tails = tails_of(self.location, known, after)
            is_alone = all(tail == self.tail_file.identity for tail in tails)
            self.tail_file.reached(version, is_alone)

    def close(self) -> None:
        """Close the tail's file."""
        self.tail_file.close()


_FRAMES = 7
"""Calls from `open_store`'s caller to where the warning is raised."""


def is_lost(folder: Path | None, state: Path, version: int) -> bool:
    """Say whether this machine's state file of a table is there no more.

    In a table's folder there is one from the first write on. One that is kept elsewhere, as of a
    bucket, is each machine's own: who opens the table for the first time has none, and nothing else
    of it either.
    `folder` is the table's, None for a bucket; `state` is where the state file is to be; `version`
    is the table's, 0 where nothing was written.
    """
    try:
        if not version or (state / STATE_FILE).stat().st_size:
            return False
    except FileNotFoundError:
        pass
    except OSError:
        return False
    inside = folder is not None and state == folder / STATE_FOLDER
    return inside or any(state.glob("*.sqlite*"))


def say_lost(root: str, state: Path) -> None:
    """Warn of what may be missing; what was derived from it goes."""
    # A snapshot may have seen what is missing.
    for path in state.glob(f"{SNAPSHOT_FILE}*"):
        with suppress(OSError):
            path.unlink()
    warnings.warn(
        f"store: {root}: {state / STATE_FILE} is not there, and is made anew; all that the table "
        "holds is whole, but writes that were not flushed into it, the ledger and the quarantine "
        "may be missing; where that file was only moved, put it back, or name its folder: "
        "open_store(..., state=FOLDER); else write again what came last, or restore a backup: "
        "tallow store restore",
        TallowWarning,
        stacklevel=_FRAMES,
    )
