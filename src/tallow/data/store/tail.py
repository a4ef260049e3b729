"""The durable tail: small writes, each on disk before it is acknowledged, in one SQLite file.

A write is one row: its candles as an Arrow stream. Readers keep what they decoded, and ask SQLite
only for what came since. The number of a batch is never used twice, so that a table can say up to
which one it holds the tail: a batch that is in both, after a kill in between, is seen once.
"""

from __future__ import annotations

import io
import sqlite3
import threading
import uuid
import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.limits import (
    STORE_FILTER_INSTRUMENTS,
    STORE_LOCK_SECONDS,
    STORE_ROOM_BYTES,
    STORE_TAIL_LOOSE,
)
from tallow.data.durable import make_folder
from tallow.data.runs import instrument_runs
from tallow.data.schema import OPEN_INTEREST
from tallow.data.store.ledger import SqliteLedger
from tallow.data.store.log import LOG_SCHEMA, Selection
from tallow.data.store.order import in_log_order
from tallow.data.store.state import DAMAGED, checked, fact, naming

STATE_FILE = "state.sqlite"
"""In a store's state folder: the tail, the ledger, and what this machine knows of the table."""

NO_ROWS = pl.DataFrame(schema=LOG_SCHEMA)
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT, digest INTEGER NOT NULL, body BLOB NOT NULL
);
"""
_MADE = "SELECT seq FROM sqlite_sequence WHERE name = 'batches'"
"""The number of the newest batch that was ever made."""


@dataclass(frozen=True)
class TailBatch:
    """One write: its number, its rows in the log's order, the span of their times, its receipt.

    `with_interest` are the timeframes and adjustments of rows that have open interest.
    """

    id: int
    frame: pl.DataFrame
    first: int
    last: int
    received: int
    with_interest: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class SortedBatches:
    """The rows of batches `first` to `last` in the log's order, and where each name's are."""

    first: int
    last: int
    frame: pl.DataFrame
    places: dict[str, list[tuple[int, int]]]

    @classmethod
    def of(cls, batches: Sequence[TailBatch]) -> SortedBatches:
        """Sort the rows of batches."""
        frame = in_log_order(pl.concat([batch.frame for batch in batches]))
        names, offsets = instrument_runs(frame)
        places: dict[str, list[tuple[int, int]]] = {}
        for name, span in zip(names, pairwise(offsets.tolist()), strict=True):
            places.setdefault(name, []).append(span)
        return cls(batches[0].id, batches[-1].id, frame, places)


class TailIndex:
    """What successive states of a tail share: most of their rows, sorted."""

    def __init__(self) -> None:
        self._held: SortedBatches | None = None

    def of(self, batches: Sequence[TailBatch]) -> SortedBatches:
        """Return the sorted rows of all of these batches but the last few."""
        held = self._held
        fits = held is not None and held.first == batches[0].id and held.last <= batches[-1].id
        if held is None or not fits or len(batches) - self._rank(held, batches) > STORE_TAIL_LOOSE:
            held = self._held = SortedBatches.of(batches)
        return held

    @staticmethod
    def _rank(held: SortedBatches, batches: Sequence[TailBatch]) -> int:
        return bisect_right(batches, held.last, key=lambda batch: batch.id)


@dataclass(frozen=True)
class Tail:
    """One state of the tail. Immutable, so that readers share it."""

    batches: tuple[TailBatch, ...] = ()
    last_received: int = 0
    index: TailIndex = field(default_factory=TailIndex, compare=False)

    @property
    def token(self) -> tuple[int, int, int]:
        """What changes with every change of the tail."""
        ends = (self.batches[0].id, self.batches[-1].id) if self.batches else (0, 0)
        return (*ends, self.last_received)

    @cached_property
    def rows(self) -> int:
        """Rows of all batches."""
        return sum(len(batch.frame) for batch in self.batches)

    def after(self, flushed: int) -> Tail:
        """Return the tail without the batches that a table holds already."""
        if not self.batches or self.batches[0].id > flushed:
            return self
        return Tail(tuple(b for b in self.batches if b.id > flushed), self.last_received)

    def scan(self, selection: Selection, columns: Sequence[str]) -> pl.DataFrame:
        """Return the rows of a selection in the log's order."""
        low, high = selection.start, selection.end
        since = selection.received_from
        hit = [
            batch
            for batch in self.batches
            if (low is None or batch.last >= low)
            and (high is None or batch.first < high)
            and (since is None or batch.received >= since)
        ]
        if not hit:
            return NO_ROWS.select(columns)
        names = selection.instruments
        if names is not None and len(names) <= STORE_FILTER_INSTRUMENTS:
            frames = self._of_names(names, hit)
        else:
            frames = [batch.frame for batch in hit]
        found = pl.concat([NO_ROWS, *frames], rechunk=False)
        return in_log_order(found.filter(selection.where()).select(columns))

    def _of_names(self, names: Sequence[str], hit: Sequence[TailBatch]) -> list[pl.DataFrame]:
        """Return frames that hold all rows of a few names, and little else."""
        if len(hit) <= STORE_TAIL_LOOSE:
            return [batch.frame for batch in hit]
        held = self.index.of(self.batches)
        spans = [span for name in names for span in held.places.get(name, ())]
        loose = [batch.frame for batch in hit if batch.id > held.last]
        return [held.frame[low:high] for low, high in spans] + loose


def reached_by(path: Path) -> int:
    """Return which version of the table a state file knows of, -1 where there is no such file."""
    if not path.exists() or not path.stat().st_size:
        return -1
    file = TailFile(path)
    try:
        return file.fact("reached")
    finally:
        file.close()


class TailFile:
    """The SQLite file of one store on one machine: the tail, its lock, and what stands beside.

    Threads share one connection for reading and one for writing; between processes SQLite's own
    lock decides.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.writer = self._connect()
            self._reader = self._connect()
            self.writer.executescript(_TABLES)
            SqliteLedger.create(self.writer)
            self._identify()
            self.identity: str = fact(self.writer, "identity", str)
        self._write_lock, self._read_lock = threading.RLock(), threading.Lock()
        self._known = Tail()
        self._seen: int | None = None

    def _identify(self) -> None:
        if self.writer.execute("SELECT name FROM facts LIMIT 1").fetchone() is None:
            # Only then: who opens a store to read need not wait for a writer's lock. And who finds
            # this knows that the file's name is on disk.
            make_folder(self.path.parent)
            self.writer.execute(
                "INSERT OR IGNORE INTO facts "
                "VALUES ('identity', ?), ('received', 0), ('reached', 0), ('alone', 0)",
                (uuid.uuid4().hex,),
            )

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, STORE_LOCK_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        # Acknowledged means on disk, not in the operating system's memory.
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def tail(self) -> Tail:
        """Return the tail as it is now."""
        with self._read_lock, naming(self.path):
            seen = self._reader.execute("PRAGMA data_version").fetchone()[0]
            if seen != self._seen:
                self._known, self._seen = self._look(self._reader), seen
            return self._known

    def is_now(self, tail: Tail) -> bool:
        """Say whether the tail is still this one."""
        return self.tail().token == tail.token

    @contextmanager
    def locked(self) -> Iterator[Tail]:
        """Take the write lock of this machine; what the block wrote is committed at its end."""
        with self._write_lock:
            with naming(self.path):
                self.writer.execute("BEGIN IMMEDIATE")
            try:
                with naming(self.path):
                    tail = self._look(self.writer)
                yield tail
                with naming(self.path):
                    self.writer.execute("COMMIT")
            except BaseException:
                with naming(self.path):
                    if self.writer.in_transaction:
                        self.writer.execute("ROLLBACK")
                raise

    @contextmanager
    def room(self) -> Iterator[None]:
        """Hold room on the disk for the commit that follows the block; inside `locked`.

        A table commits before this file does. Where the disk had room for the first only, a write
        would fail, and be there all the same.
        """
        held = self.path.with_suffix(".room")
        try:
            with naming(self.path):
                held.write_bytes(bytes(STORE_ROOM_BYTES))
            yield
        finally:
            held.unlink(missing_ok=True)

    def add(self, rows: pl.DataFrame) -> None:
        """Add a batch; inside `locked`."""
        body = io.BytesIO()
        rows.write_ipc_stream(body)
        batch = zlib.crc32(body.getbuffer()), body.getvalue()
        with naming(self.path):
            self.writer.execute("INSERT INTO batches (digest, body) VALUES (?, ?)", batch)

    def received(self, moment: int) -> None:
        """Remember the receipt time of the newest write; inside `locked`."""
        self._remember("received", moment)

    def reached(self, version: int, after: int) -> None:
        """Remember which version the table has, by commits after another one; inside `locked`."""
        if self.fact("reached") != after:
            self._remember("alone", version)
        self._remember("reached", version)

    def _remember(self, name: str, value: int) -> None:
        with naming(self.path):
            self.writer.execute("UPDATE facts SET value = ? WHERE name = ?", (value, name))

    def fact(self, name: str) -> int:
        """Return what was remembered: `received`, `reached`, `alone`.

        The last is the version since which all commits have been this machine's.
        """
        with self._read_lock, naming(self.path):
            return int(fact(self._reader, name, int))

    def drop(self, until: int) -> None:
        """Drop the batches up to a number: they are in the table; inside `locked`."""
        with naming(self.path):
            self.writer.execute("DELETE FROM batches WHERE id <= ?", (until,))

    def read(
        self, query: str, schema: dict[str, Any], nullable: Sequence[str] = ()
    ) -> pl.DataFrame:
        """Return the rows of a query of one of the other tables: texts, numbers and times."""
        stored = {n: pl.String if kind == pl.String else pl.Int64 for n, kind in schema.items()}
        plain = {n: str if kind == pl.String else int for n, kind in stored.items()}
        kinds = [kind | None if n in nullable else kind for n, kind in plain.items()]
        with self._read_lock, naming(self.path):
            rows = checked(self._reader.execute(query), kinds)
            return pl.DataFrame(rows, stored, orient="row").cast(schema)  # type: ignore[arg-type]

    def run(self, statement: str, rows: Sequence[Sequence[object]]) -> sqlite3.Cursor:
        """Run a statement of one of the other tables for each row; inside `locked`."""
        with naming(self.path):
            if len(rows) == 1:
                return self.writer.execute(statement, rows[0])
            return self.writer.executemany(statement, rows)

    def close(self) -> None:
        """Close the connections."""
        with self._write_lock, self._read_lock:
            self.writer.close()
            self._reader.close()

    def _look(self, connection: sqlite3.Connection) -> Tail:
        """Read what came since the last look."""
        # In one transaction: between two statements, another process may commit.
        known = self._known
        last = known.batches[-1].id if known.batches else 0
        own = not connection.in_transaction
        if own:
            connection.execute("BEGIN")
        try:
            received = fact(connection, "received", int)
            first = connection.execute("SELECT min(id) FROM batches").fetchone()[0]
            made = checked(connection.execute(_MADE), (int,))
            fresh = checked(
                connection.execute(
                    "SELECT id, digest, body FROM batches WHERE id > ? ORDER BY id", (last,)
                ),
                (int, int, bytes),
            )
        finally:
            if own:
                connection.execute("COMMIT")
        kept = () if first is None else tuple(b for b in known.batches if b.id >= first)
        batches = (*kept, *(_decoded(*row) for row in fresh))
        # Numbers are given without a gap, and the oldest batches are dropped first.
        if batches and made != [(batches[0].id + len(batches) - 1,)]:
            raise sqlite3.DatabaseError(f"{DAMAGED}: a batch is missing")
        return Tail(batches, received, known.index)


def _decoded(number: int, digest: int, body: bytes) -> TailBatch:
    if zlib.crc32(body) != digest:
        raise sqlite3.DatabaseError(f"{DAMAGED}: batch {number} does not match its digest")
    frame = pl.read_ipc_stream(io.BytesIO(body))
    time, received = (frame[name].to_physical() for name in ("timestamp", "received_at"))
    kinds: frozenset[tuple[str, str]] = frozenset()
    if frame[OPEN_INTEREST].null_count() < len(frame):
        known = frame.filter(pl.col(OPEN_INTEREST).is_not_null())
        kinds = frozenset(known.select("timeframe", "adjustment").unique().rows())
    span = int(time.min()), int(time.max())  # type: ignore[arg-type]
    return TailBatch(number, frame, *span, int(received.max()), kinds)  # type: ignore[arg-type]
