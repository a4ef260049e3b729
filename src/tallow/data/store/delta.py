"""A log in a Delta table, in a folder or a bucket, with its durable tail in a local SQLite file.

Whole and consistent reads need no lock: a reader takes the tail first and the table after it, so
that a flush in between shows a batch twice, never not at all; and the table names the last batch it
holds, so that twice becomes once. Writers of one machine wait for each other at SQLite's lock;
those of several meet at the table's commit, where the second one fails, looks again and repeats.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.schema import Field, PrimitiveType, Schema
from deltalake.transaction import AddAction, RemoveAction

from tallow.core.errors import ConflictError, StoreError
from tallow.core.limits import (
    STORE_COMMIT_ATTEMPTS,
    STORE_FLUSH_ROWS,
    STORE_TAIL_BATCH_ROWS,
    STORE_VIEW_ATTEMPTS,
)
from tallow.data.schema import OPEN_INTEREST
from tallow.data.store.classify import rebase
from tallow.data.store.files import (
    FileIndex,
    Place,
    damaged,
    naming,
    require_whole,
    sync_file,
)
from tallow.data.store.ledger import LedgerEntry, SqliteLedger
from tallow.data.store.log import LOG_ORDER, LOG_SCHEMA, Selection, around, latest
from tallow.data.store.order import in_log_order
from tallow.data.store.rewrite import merge_small
from tallow.data.store.tail import Tail, TailFile

FORMAT = "1"
_FORMAT, _EPOCH = "tallow.format", "tallow.epoch"
_PRIMITIVES = {
    pl.String: "string",
    pl.Float64: "double",
    pl.Int32: "integer",
    pl.Boolean: "boolean",
    pl.Datetime: "timestamp",
}
TABLE_SCHEMA = Schema(
    [Field(name, PrimitiveType(_PRIMITIVES[type(t)])) for name, t in LOG_SCHEMA.items()]
)


@dataclass(frozen=True)
class View:
    """One state of the log: a tail and the files, each batch in one of the two."""

    place: Place
    tail: Tail
    files: FileIndex

    def scan(
        self, selection: Selection, columns: Sequence[str], skip_damaged: bool = False
    ) -> pl.DataFrame:
        """Return the rows of a selection in the log's order."""
        facts = self.files.select(selection)
        if (broken := damaged(self.place, facts)) and not skip_damaged:
            require_whole(broken)
        if broken:
            facts = facts.filter(~pl.col("path").is_in(list(broken)))
        parts = [self._read(facts["path"].to_list(), selection, columns)] if len(facts) else []
        if len(late := self.tail.scan(selection, columns)):
            parts.append(late)
        if not parts:
            return self.tail.frame.clear().select(columns)
        rows = parts[0] if len(parts) == 1 else pl.concat(parts, rechunk=False)
        return rows if len(parts) == len(facts) == 1 else in_log_order(rows)

    def _read(self, paths: list[str], selection: Selection, columns: Sequence[str]) -> pl.DataFrame:
        with naming(self.place.of(paths[0] if len(paths) == 1 else "")):
            rows = self.place.scan(paths).filter(selection.where()).select(columns)
            return rows.collect()


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
        self._table = self._open(create)
        self._table_lock = threading.Lock()
        self.tail_file = TailFile(state / "state.sqlite")
        self._index: FileIndex | None = None

    def _open(self, create: bool) -> DeltaTable:
        options = dict(self.place.options) if self.place.options else None
        root = self.place.root
        with self._delta_errors():
            try:
                table = DeltaTable(root, storage_options=options)
            except TableNotFoundError:
                if not create:
                    raise StoreError(
                        f"store: {root}: holds no store; check the name, or create one with "
                        f"tallow ingest INPUT... --store {root}"
                    ) from None
                table = self._create(root, options)
        if table.metadata().configuration.get(_FORMAT) != FORMAT:
            raise StoreError(
                f"store: {root}: is a Delta table that tallow did not make, or that a newer one "
                "did; name another folder, or update tallow"
            )
        return table

    @staticmethod
    def _create(root: str, options: dict[str, str] | None) -> DeltaTable:
        return DeltaTable.create(
            root,
            TABLE_SCHEMA,
            mode="ignore",
            configuration={_FORMAT: FORMAT, _EPOCH: uuid.uuid4().hex},
            storage_options=options,
            raise_if_key_not_exists=False,
        )

    @property
    def epoch(self) -> str:
        """What changes where history is taken away, so that nothing derived from it is trusted."""
        return self.files().properties[_EPOCH]

    def files(self) -> FileIndex:
        """Return the newest version's files."""
        with self._table_lock, self._delta_errors():
            if self._index is None or self._has_newer(self._index.version):
                self._table.update_incremental()
                self._index = FileIndex.of(
                    self._table.version(),
                    self._table.transaction_version(self.tail_file.identity) or 0,
                    self._table.metadata().configuration,
                    self._table.get_add_actions(flatten=True),
                )
            return self._index

    def _has_newer(self, version: int) -> bool:
        # Versions have no gaps: where the next one is not there, this is the newest.
        if self.place.folder is None:
            return True
        return (self.place.folder / "_delta_log" / f"{version + 1:020d}.json").exists()

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
        return self.view().scan(selection, columns, skip_damaged)

    def has_interest(self, selection: Selection) -> bool:
        """Say whether any row of a series' timeframe and adjustment has open interest."""
        view = self.view()
        tail = view.tail.scan(selection, [OPEN_INTEREST])[OPEN_INTEREST]
        return bool(view.files.select(selection)["interest"].any()) or bool(
            tail.null_count() < len(tail)
        )

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
            self.flush()
            merge_small(self)

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
            If it is not.
        """
        known = [] if flushed is None else [Transaction(self.tail_file.identity, flushed)]
        with self._table_lock, self._delta_errors():
            if self._table.version() != version:
                # A reader of this process moved on: the commit would go through, and be wrong.
                raise ConflictError(f"store: {self.place.root}: others committed first; try again")
            try:
                self._table.create_write_transaction(
                    list(actions),
                    "append",
                    TABLE_SCHEMA,
                    # No retries: what these rows are was decided by what this version holds.
                    commit_properties=CommitProperties(
                        max_commit_retries=0, app_transactions=known
                    ),
                )
            except CommitFailedError as error:
                raise ConflictError(
                    f"store: {self.place.root}: others committed first; try again later"
                ) from error
        if self.place.folder is not None:
            sync_file(self.place.folder / "_delta_log" / f"{version + 1:020d}.json")

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
                        rows = self._rebased(in_log_order(view.tail.frame), view)
                        self.commit(self.place.write(rows), files.version, last)
                except ConflictError:
                    continue
                self.tail_file.drop(last)
                return
        raise ConflictError(f"store: {self.place.root}: others keep committing; try again later")

    def _rebased(self, rows: pl.DataFrame, view: View) -> pl.DataFrame:
        """Return the tail's rows as revisions of what other machines committed meanwhile."""
        if self.place.folder is not None:
            return rows
        table = View(view.place, Tail(), view.files)
        received = max(self._clock(), view.tail.last_received, view.files.last_received) + 1
        parts = []
        for (timeframe, adjustment), part in rows.group_by(
            "timeframe", "adjustment", maintain_order=True
        ):
            selection = around(part, str(timeframe), str(adjustment))
            known = latest(table.scan(selection, [*LOG_ORDER]))
            parts.append(rebase(part, known, received))
        return pl.concat(parts)

    def close(self) -> None:
        """Close the tail's file."""
        self.tail_file.close()

    @contextmanager
    def _delta_errors(self) -> Iterator[None]:
        """Turn the library's errors into one that names the store."""
        try:
            yield
        except StoreError:
            raise
        except (DeltaError, OSError, ValueError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise StoreError(
                f"store: {self.place.root}: {reason}; check its name, the disk and its rights"
            ) from error


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
        if len(rows) < STORE_TAIL_BATCH_ROWS:
            self.backend.tail_file.add(rows)
        else:
            self.backend.commit(self.backend.place.write(rows), self.view.files.version)
        self.backend.tail_file.received(self.received_at)

    def record(self, entry: LedgerEntry, quarantine: pl.DataFrame) -> int:
        """Enter a write in the ledger, in one transaction with a write to the tail."""
        return self.backend.ledger().record(entry, quarantine)
