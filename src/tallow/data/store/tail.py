"""The durable tail: small writes, each on disk before it is acknowledged, in one SQLite file.

A write is one row: its candles as an Arrow stream. The sixteenth small one takes the place of all
sixteen, in the transaction that adds it, so that there are never many. Readers keep what they
decoded, and ask SQLite only for what came since. The number of a batch is never used twice, so that
a table can say up to which one it holds the tail: a batch that is in both, after a kill in between,
is seen once.
"""

from __future__ import annotations

import io
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.disk import PRIVATE, open_beside
from tallow.core.limits import STORE_ROOM_BYTES
from tallow.data.reading.schema import OPEN_INTEREST, time_view
from tallow.data.store.batches import Tail, TailBatch, fold
from tallow.data.store.state import (
    DAMAGED,
    checked,
    connect,
    fact,
    naming,
    prepare,
    require_whole_copy,
)

STATE_FILE = "state.sqlite"
"""In a store's state folder: the tail, the ledger, and what this machine knows of the table."""

_MADE = "SELECT seq FROM sqlite_sequence WHERE name = 'batches'"
"""The number of the newest batch that was ever made: as many writes were."""
_ADD = "INSERT INTO batches (writes, digest, body) VALUES (?, ?, ?)"
_FRESH = "SELECT id, writes, digest, body FROM batches WHERE id > ? ORDER BY id"


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

    may_write = True

    def __init__(self, path: Path) -> None:
        self.path = path
        self._write_lock, self._read_lock = threading.RLock(), threading.Lock()
        self._known = Tail()
        self._seen: int | None = None
        with naming(path):
            self._open()
            self.identity: str = fact(self.writer, "identity", str)
            self._opened = _file_number(self.path)

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.writer = connect(self.path)
        prepare(self.writer, self.path)
        require_whole_copy(self.writer, self.path)
        self._reader = connect(self.path)

    def _reading(self) -> sqlite3.Connection:
        return self._reader

    def is_replaced(self) -> bool:
        """Say whether another file, or none, lies where the one lay that was opened."""
        return _file_number(self.path) != self._opened

    def tail(self) -> Tail:
        """Return the tail as it is now."""
        with self._read_lock, naming(self.path):
            reader = self._reading()
            seen = reader.execute("PRAGMA data_version").fetchone()[0]
            if seen != self._seen:
                self._known, self._seen = self._look(reader), seen
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
            with naming(self.path), os.fdopen(open_beside(held, PRIVATE), "r+b") as file:
                file.write(bytes(STORE_ROOM_BYTES))
            yield
        finally:
            held.unlink(missing_ok=True)

    def add(self, rows: pl.DataFrame, tail: Tail) -> None:
        """Add a write's rows to those of a tail, small batches folded into one; inside `locked`."""
        folded = fold(rows, tail.batches)
        body = io.BytesIO()
        folded.rows.write_ipc_stream(body)
        batch = folded.writes, zlib.crc32(body.getbuffer()), body.getvalue()
        with naming(self.path):
            for number in folded.replaced:
                self.writer.execute("DELETE FROM batches WHERE id = ?", (number,))
            self.writer.execute(
                "INSERT INTO batches (writes, digest, body) VALUES (?, ?, ?)", batch
            )

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
            return int(fact(self._reading(), name, int))

    def drop(self, until: int) -> None:
        """Drop the batches up to a number: they are in the table; inside `locked`."""
        with naming(self.path):
            self.writer.execute("DELETE FROM batches WHERE id <= ?", (until,))
            # Of a file that is older than its table: a number is never used twice.
            self.writer.execute(
                "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'batches'", (until,)
            )
        self._remember("dropped", until)

    def read(
        self, query: str, schema: dict[str, Any], nullable: Sequence[str] = ()
    ) -> pl.DataFrame:
        """Return the rows of a query of one of the other tables: texts, numbers and times."""
        stored = {n: pl.String if kind == pl.String else pl.Int64 for n, kind in schema.items()}
        plain = {n: str if kind == pl.String else int for n, kind in stored.items()}
        kinds = [kind | None if n in nullable else kind for n, kind in plain.items()]
        with self._read_lock, naming(self.path):
            rows = checked(self._reading().execute(query), kinds)
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
            received, dropped = (fact(connection, name, int) for name in ("received", "dropped"))
            made = checked(connection.execute(_MADE), (int,))
            fresh = checked(connection.execute(_FRESH, (last,)), (int, int, int, bytes))
            kept = tuple(batch for batch in known.batches if batch.id > dropped)
            if any(writes > 1 for _, writes, _, _ in fresh):
                there = {number for (number,) in connection.execute("SELECT id FROM batches")}
                kept = tuple(batch for batch in kept if batch.id in there)
        finally:
            if own:
                connection.execute("COMMIT")
        tail = Tail((*kept, *(_decoded(*row) for row in fresh)), received, dropped, known.index)
        if tail.made != sum(number for (number,) in made):
            raise sqlite3.DatabaseError(f"{DAMAGED}: a batch is missing")
        return tail


def _file_number(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _decoded(number: int, writes: int, digest: int, body: bytes) -> TailBatch:
    if zlib.crc32(body) != digest:
        raise sqlite3.DatabaseError(f"{DAMAGED}: batch {number} does not match its digest")
    frame = pl.read_ipc_stream(io.BytesIO(body))
    time, received = time_view(frame), time_view(frame, "received_at")
    kinds: frozenset[tuple[str, str]] = frozenset()
    if frame[OPEN_INTEREST].null_count() < len(frame):
        known = frame.filter(pl.col(OPEN_INTEREST).is_not_null())
        kinds = frozenset(known.select("timeframe", "adjustment").unique().rows())
    first, last, newest = int(time.min()), int(time.max()), int(received.max())
    return TailBatch(number, writes, frame, first, last, newest, kinds)
