"""Kernel states on disk, so that a range query need not start at an instrument's first candle.

Derived data: nothing here is worth waiting for the disk, and where anything is wrong with the file,
it is replaced by an empty one, and queries start further back.
"""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from tallow.core.arrays import Floats
from tallow.core.errors import TallowWarning
from tallow.core.limits import SNAPSHOT_BYTES, SNAPSHOTS_KNOWN

T = TypeVar("T")

_TABLE = """
CREATE TABLE IF NOT EXISTS snapshot (
    series BLOB, boundary INTEGER, known_until INTEGER, used INTEGER, state BLOB, checksum BLOB,
    PRIMARY KEY (series, boundary, known_until)
)
"""
_WHERE = "WHERE series = ? AND boundary = ? AND known_until = ?"
_ASKED_AT_ONCE = 1_000
"""SQLite takes some thousands of values in a statement."""
_DAY_SECONDS = 86_400


class SnapshotKey(NamedTuple):
    """What a state is of.

    `series` is a digest of the instrument and of everything else that makes the numbers; the state
    has seen the rows before `boundary`, as they were known at `known_until` (both in microseconds
    since 1970 UTC).
    """

    series: bytes
    boundary: int
    known_until: int


class _DamagedError(sqlite3.DatabaseError):
    """A state is not what was written."""


class Snapshots:
    """States by key, in one SQLite file; bounded in size, what was not used longest goes first.

    May be used by several threads, and by several processes at once.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._known: dict[SnapshotKey, tuple[int, int]] = {}

    def interval(self, key: SnapshotKey) -> tuple[int, int]:
        """Return the first and the last moment of receipt at which a state is known to hold.

        The log is not asked twice: a process that asks all day would else look through the whole
        day's rows every time.
        """
        return self._known.get(key, (key.known_until, key.known_until))

    def widen(self, key: SnapshotKey, moment: int) -> None:
        """Remember that nothing happened between the interval and a moment."""
        low, high = self.interval(key)
        if len(self._known) >= SNAPSHOTS_KNOWN:
            self._known.clear()
        self._known[key] = min(low, moment), max(high, moment)

    def find(self, series: Sequence[bytes], until: int) -> dict[bytes, list[SnapshotKey]]:
        """Return what there is of each series with boundaries up to `until`, the latest first."""

        def look(connection: sqlite3.Connection) -> dict[bytes, list[SnapshotKey]]:
            found: dict[bytes, list[SnapshotKey]] = {}
            for place in range(0, len(series), _ASKED_AT_ONCE):
                some = series[place : place + _ASKED_AT_ONCE]
                rows = connection.execute(
                    "SELECT series, boundary, known_until FROM snapshot "
                    f"WHERE series IN ({', '.join('?' * len(some))}) AND boundary <= ? "
                    "ORDER BY boundary DESC, known_until DESC",
                    (*some, until),
                )
                for row in rows:
                    found.setdefault(row[0], []).append(SnapshotKey(*row))
            return found

        return self._attempt(look, {})

    def load(self, key: SnapshotKey) -> Floats | None:
        """Return a state, float64 and read-only; None where it is gone, or damaged."""
        today = _today()

        def look(connection: sqlite3.Connection) -> Floats | None:
            row = connection.execute(
                f"SELECT state, checksum, used FROM snapshot {_WHERE}", key
            ).fetchone()
            if row is None:
                return None
            state, checksum, used = row
            if checksum != _checksum(key, state):
                raise _DamagedError
            if used < today:
                with connection:
                    connection.execute(f"UPDATE snapshot SET used = ? {_WHERE}", (today, *key))
            return np.frombuffer(state)

        return self._attempt(look, None)

    def save(self, states: Iterable[tuple[SnapshotKey, Floats]]) -> None:
        """Keep float64 states; make room where they are too many."""
        today = _today()
        rows = [
            (*key, today, content := state.tobytes(), _checksum(key, content))
            for key, state in states
        ]

        def write(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany(
                    "INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?, ?, ?)", rows
                )
                _make_room(connection)

        if rows:
            self._attempt(write, None)

    def _attempt(self, act: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        with self._lock:
            try:
                return act(self._open())
            except sqlite3.OperationalError as error:
                # A full disk, or another process that holds the lock: nothing is wrong with what
                # is there, and a query is only slower without it.
                warnings.warn(
                    f"snapshots: file={self._path}; {error}; queries start further back, and take "
                    "longer; is there room on its disk?",
                    TallowWarning,
                    stacklevel=4,
                )
            except sqlite3.DatabaseError:
                self._discard()
            return otherwise

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            # A database's store has nothing else on this machine. Where it cannot be, SQLite says.
            with suppress(OSError):
                self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=1.0, check_same_thread=False)
            self._connection = connection
            weakref.finalize(self, connection.close)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute(_TABLE)
        return self._connection

    def _discard(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        for ending in ("", "-wal", "-shm"):
            Path(f"{self._path}{ending}").unlink(missing_ok=True)


def _make_room(connection: sqlite3.Connection) -> None:
    """Drop a quarter of the states, those not used longest, where the file is too large."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    if (pages - free) * size > SNAPSHOT_BYTES:
        connection.execute(
            "DELETE FROM snapshot WHERE rowid IN (SELECT rowid FROM snapshot "
            "ORDER BY used, known_until LIMIT (SELECT count(*) / 4 + 1 FROM snapshot))"
        )


def _checksum(key: SnapshotKey, state: bytes) -> bytes:
    """Return what shows that a state is damaged, or stored under another's key."""
    place = f"{key.series.hex()} {key.boundary} {key.known_until} "
    return hashlib.blake2b(place.encode() + state, digest_size=8).digest()


def _today() -> int:
    """Return the date's number: use is written down once a day, not with every query."""
    return int(time.time() // _DAY_SECONDS)
