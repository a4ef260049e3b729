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
import shutil
import sqlite3
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import polars as pl

from tallow.core.disk import PRIVATE, may_access, open_beside
from tallow.core.errors import StoreError
from tallow.core.limits import (
    STORE_ROOM_BYTES,
    STORE_SWEEP_SECONDS,
    STORE_UNMOVED_PAGES,
    STORE_VIEW_ATTEMPTS,
)
from tallow.data.store.batches import Tail, TailBatch, fold
from tallow.data.store.location import private_folder
from tallow.data.store.state import (
    DAMAGED,
    StateFile,
    checked,
    connect,
    fact,
    naming,
    require_whole_copy,
)
from tallow.data.store.tail_tables import prepare

STATE_FILE = "state.sqlite"
"""In a store's state folder: the tail, the ledger, and what this machine knows of the table."""

_PAGES_BYTES = 16_384
"""What a write changes beside its rows: pages of the ledger and the facts."""
_FACTS = ("received", "dropped", "reached", "alone", "sealed")
_SAID = f"""
SELECT name, value FROM facts WHERE name IN {_FACTS}
UNION ALL SELECT 'made', seq FROM sqlite_sequence WHERE name = 'batches'
"""
"""What the file says of the tail; of the newest batch that was ever made: as many writes were."""
_ADD = "INSERT INTO batches (writes, digest, body) VALUES (?, ?, ?)"
_SWEEP = "DELETE FROM batches WHERE id = (SELECT min(id) FROM batches WHERE id <= ?)"
_MOVE = "PRAGMA wal_checkpoint(PASSIVE)"
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


class TailFile(StateFile):
    """The SQLite file of one store on one machine: the tail, its lock, and what stands beside."""

    unmoved = 0
    """Bytes that were written since the last checkpoint, about."""

    def __init__(self, path: Path) -> None:
        self._known = Tail()
        self._seen: int | None = None
        super().__init__(path)
        with naming(path):
            self.identity: str = fact(self.writer, "identity", str)
            self._name = str(path)
            self._opened = _file_number(self._name)

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.writer = connect(self.path)
        prepare(self.writer, self.path)
        require_whole_copy(self.writer, self.path)
        # A commit that did it would take many times as long as the others.
        self.writer.execute(f"PRAGMA wal_autocheckpoint = {STORE_UNMOVED_PAGES}")
        self._reader = connect(self.path)

    def is_replaced(self) -> bool:
        """Say whether the file that was opened has been replaced or removed."""
        return _file_number(self._name) != self._opened

    def tail(self) -> Tail:
        """Return the tail as it is now."""
        with self._read_lock, naming(self.path):
            reader = self._reading()
            seen = reader.execute("PRAGMA data_version").fetchone()[0]
            if seen != self._seen:
                self._known, self._seen = self._look(reader), seen
            return self._known

    def is_now(self, tail: Tail) -> bool:
        """Say whether the tail, and what the file knows of the table, are still these."""
        now = self.tail()
        return (now.token, now.reached, now.alone) == (tail.token, tail.reached, tail.alone)

    @contextmanager
    def locked(self) -> Iterator[Tail]:
        """Take the write lock of this machine; what the block wrote is committed at its end.

        What it added is known then, and not read back.
        """
        with self.transaction():
            with naming(self.path):
                self.written = self._look(self.writer)
            yield self.written
            written = self.written
        with self._read_lock:
            # Others may have written since: a reader asks for that, and for nothing else.
            self._known, self._seen = written, None

    @contextmanager
    def part(self) -> Iterator[None]:
        """Take back what the block wrote where it fails, and nothing else; inside `locked`."""
        before = self.written
        with naming(self.path):
            self.writer.execute("SAVEPOINT part")
        try:
            yield
            with naming(self.path):
                self.writer.execute("RELEASE part")
        except BaseException:
            self.written = before
            if self.writer.in_transaction:
                with naming(self.path):
                    self.writer.execute("ROLLBACK TO part")
                    self.writer.execute("RELEASE part")
            raise

    @contextmanager
    def reserve_disk_space(self) -> Iterator[None]:
        """Hold room on the disk for the commit that follows the block; inside `locked`.

        A table commits before this file does. Where the disk had room for the first only, a write
        would fail, and be there all the same.
        """
        reserve = self.path.with_suffix(".room")
        try:
            with naming(self.path), os.fdopen(open_beside(reserve, PRIVATE), "r+b") as file:
                file.write(bytes(STORE_ROOM_BYTES))
            yield
        finally:
            reserve.unlink(missing_ok=True)

    def add(self, rows: pl.DataFrame, tail: Tail) -> None:
        """Add a write's rows to those of a tail, small batches folded into one; inside `locked`."""
        folded = fold(rows, tail.open_batches)
        stream = io.BytesIO()
        folded.rows.write_ipc_stream(stream)
        body = stream.getvalue()
        with naming(self.path):
            for number in folded.replaced:
                self.writer.execute("DELETE FROM batches WHERE id = ?", (number,))
            cursor = self.writer.execute(_ADD, (folded.writes, zlib.crc32(body), body))
        self.unmoved += len(body) + _PAGES_BYTES
        kept = (batch for batch in self.written.batches if batch.id not in folded.replaced)
        # Of these bytes: what was given may change in the caller's hands.
        fresh = TailBatch.of(int(cursor.lastrowid or 0), folded.writes, _rows(body))
        self.written = replace(self.written, batches=(*kept, fresh))

    def received(self, moment: int) -> None:
        """Remember the receipt time of the newest write; inside `locked`."""
        self._remember("received", moment)
        self.written = replace(self.written, last_received=moment)

    def reached(self, version: int, is_alone: bool) -> None:
        """Remember which version the table has; inside `locked`.

        `is_alone` says whether nobody else committed since the version that was remembered before.
        """
        if not is_alone:
            self._remember("alone", version)
            self.written = replace(self.written, alone=version)
        self._remember("reached", version)
        self.written = replace(self.written, reached=version)

    def _remember(self, name: str, value: int) -> None:
        with naming(self.path):
            self.writer.execute("UPDATE facts SET value = ? WHERE name = ?", (value, name))

    def seal(self, until: int) -> None:
        """Fold the batches up to a number no more: they are being flushed; inside `locked`."""
        with naming(self.path):
            self.writer.execute("INSERT OR REPLACE INTO facts VALUES ('sealed', ?)", (until,))
        self.written = replace(self.written, sealed=until)

    def drop(self, until: int) -> None:
        """Drop the batches up to a number: they are in the table; inside `locked`.

        Nobody sees them any more; their room is given back by `sweep`.
        """
        if until <= self.written.dropped:
            return
        # Of a file that is older than its table: a number is never used twice.
        with naming(self.path):
            self.writer.execute(
                "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'batches'", (until,)
            )
        self._remember("dropped", until)
        kept = tuple(batch for batch in self.written.batches if batch.id > until)
        self.written = replace(self.written, batches=kept, dropped=until)

    def sweep(self) -> bool:
        """Give back room of batches that were dropped, for some milliseconds; inside `locked`.

        Say whether there is more.
        """
        until, found = time.monotonic() + STORE_SWEEP_SECONDS, 1
        with naming(self.path):
            while found and time.monotonic() < until:
                found = self.writer.execute(_SWEEP, (self.written.dropped,)).rowcount
        return found > 0

    def checkpoint(self) -> None:
        """Move what waits beside the file into it; nobody waits for that but for its end.

        Once all is moved, the next write goes to the beginning of what lies beside the file. Where
        it grew instead, the disk would have more to do for each commit.
        """
        self.unmoved = 0
        with naming(self.path):
            connection = connect(self.path)
            try:
                connection.execute(_MOVE)
                # What was written meanwhile is little.
                with self._write_lock:
                    connection.execute(_MOVE)
            finally:
                connection.close()

    def _look(self, connection: sqlite3.Connection) -> Tail:
        """Read what came since the last look."""
        # In one transaction: between two statements, another process may commit.
        known = self._known
        last = known.batches[-1].id if known.batches else 0
        own = not connection.in_transaction
        if own:
            connection.execute("BEGIN")
        try:
            said = dict(checked(connection.execute(_SAID), (str, int)))
            gone = int(said.get("dropped", 0))
            fresh = checked(connection.execute(_FRESH, (max(last, gone),)), (int, int, int, bytes))
            kept = known.batches
            if any(writes > 1 for _, writes, _, _ in fresh):
                there = {number for (number,) in connection.execute("SELECT id FROM batches")}
                kept = tuple(batch for batch in kept if batch.id in there)
        finally:
            if own:
                connection.execute("COMMIT")
        try:
            # Of a file in which nothing was flushed yet.
            said.setdefault("sealed", 0)
            received, dropped, reached, alone, sealed = (said[name] for name in _FACTS)
        except KeyError as error:
            raise sqlite3.DatabaseError(f"{DAMAGED}: it does not say what {error} is") from error
        batches = [batch for batch in kept if batch.id > dropped]
        batches += (_decoded(*row) for row in fresh)
        tail = Tail(tuple(batches), received, dropped, reached, alone, sealed, known.index)
        if tail.newest_write != said.get("made", 0):
            raise sqlite3.DatabaseError(f"{DAMAGED}: a batch is missing")
        return tail


def _file_number(path: str) -> tuple[int, int] | None:
    try:
        # Not Path.stat: every question asks this.
        status = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _decoded(number: int, writes: int, digest: int, body: bytes) -> TailBatch:
    if zlib.crc32(body) != digest:
        raise sqlite3.DatabaseError(f"{DAMAGED}: batch {number} does not match its digest")
    return TailBatch.of(number, writes, _rows(body))


def _rows(body: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(body))


_ENDINGS = ("", "-wal")
_BESIDE = ("", "-wal", "-shm")

Stamp = tuple[tuple[int, int, int] | None, ...]
"""What changes with every change of the file: inode, size and time, of each part."""


def may_write(path: Path) -> bool:
    """Say whether this user may write to a state file, or make it where there is none."""
    there = [part for ending in _BESIDE if (part := _beside(path, ending)).exists()]
    above = next(each for each in path.parents if each.exists())
    return all(may_access(each, os.W_OK) for each in (*there, above))


def open_tail(path: Path) -> TailFile:
    """Open a state file, to write where this user may."""
    return TailFile(path) if may_write(path) else TailCopy(path)


class TailCopy(TailFile):
    """A state file that this user may only read, seen through a copy; see `TailFile`.

    SQLite wants to write beside a file that it only reads. So the file, and what waits beside it to
    be moved in, are copied to a folder of this process; again whenever they changed.
    """

    may_write = False

    def __init__(self, path: Path) -> None:
        self.home = private_folder(self)
        self._stamp: Stamp | None = None
        self._copies = 0
        super().__init__(path)

    def _open(self) -> None:
        self._refresh()
        self.writer = self._reader

    def _reading(self) -> sqlite3.Connection:
        if self._stamp != _stamp(self.path):
            self._refresh()
        return self._reader

    def _refresh(self) -> None:
        """Copy the file as it is at one moment."""
        for _ in range(STORE_VIEW_ATTEMPTS):
            stamp, folder = _stamp(self.path), self.home / str(self._copies)
            self._copies += 1
            folder.mkdir()
            for part, ending in zip(stamp, _ENDINGS, strict=True):
                if part is not None:
                    shutil.copyfile(_beside(self.path, ending), _beside(folder / "copy", ending))
            if stamp == _stamp(self.path):
                break
            shutil.rmtree(folder)
        else:
            raise StoreError(f"store: {self.path}: others keep writing; try again")
        if self._stamp is not None:
            self._reader.close()
            shutil.rmtree(self.home / str(self._copies - 2), ignore_errors=True)
        self._reader = connect(folder / "copy")
        prepare(self._reader, folder / "copy")
        self._stamp, self._seen, self._known = stamp, None, Tail()

    def transaction(self) -> NoReturn:
        """Refuse to write: always a `StoreError`."""
        raise StoreError(
            f"store: {self.path}: this user may only read it; ask its owner for the right to write "
            "to its folder and files, or write to a copy of your own: tallow store backup"
        )


def _stamp(path: Path) -> Stamp:
    found: list[tuple[int, int, int] | None] = []
    for ending in _ENDINGS:
        try:
            with naming(path):
                status = _beside(path, ending).stat()
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except StoreError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
            found.append(None)
    return tuple(found)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
