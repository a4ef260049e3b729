"""A SQLite file that lies beside a table: how it is read and written; a damaged one is refused."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.errors import DamagedFileError, StoreError
from tallow.core.limits import STORE_LOCK_SECONDS, STORE_RETRY_SECONDS

DAMAGED = "is damaged"
TORN = (
    "it was copied while it was written to; copy it again while nobody writes, or with "
    "tallow store backup, which may run at any time"
)
_OUTSIDE = {
    sqlite3.SQLITE_AUTH,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"""SQLite's errors that say nothing against a file's content."""


class StateFile:
    """A SQLite file of one machine. Processes wait for each other at SQLite's own lock.

    Threads share one connection for reading and one for writing.
    """

    may_write = True
    writer: sqlite3.Connection
    _reader: sqlite3.Connection

    def __init__(self, path: Path) -> None:
        self.path = path
        self._write_lock, self._read_lock = threading.RLock(), threading.Lock()
        with naming(path):
            self._open()

    def _open(self) -> None:
        """Open both connections."""
        raise NotImplementedError

    def _reading(self) -> sqlite3.Connection:
        return self._reader

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Take the write lock of this machine; what the block wrote is committed at its end."""
        with self._write_lock:
            with naming(self.path):
                self.writer.execute("BEGIN IMMEDIATE")
            try:
                yield
                with naming(self.path):
                    self.writer.execute("COMMIT")
            except BaseException:
                with naming(self.path):
                    if self.writer.in_transaction:
                        self.writer.execute("ROLLBACK")
                raise

    def fact(self, name: str) -> int:
        """Return a number that was remembered."""
        with self._read_lock, naming(self.path):
            return int(fact(self._reading(), name, int))

    def read(
        self, query: str, schema: dict[str, Any], nullable: Sequence[str] = ()
    ) -> pl.DataFrame:
        """Return the rows of a query: texts, numbers and times."""
        stored = {n: pl.String if kind == pl.String else pl.Int64 for n, kind in schema.items()}
        plain = {n: str if kind == pl.String else int for n, kind in stored.items()}
        kinds = [kind | None if n in nullable else kind for n, kind in plain.items()]
        with self._read_lock, naming(self.path):
            rows = checked(self._reading().execute(query), kinds)
            return pl.DataFrame(rows, stored, orient="row").cast(schema)  # type: ignore[arg-type]

    def rows(self, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        """Return the few rows of a query with values in it, unchecked."""
        with self._read_lock, naming(self.path):
            return self._reading().execute(query, values).fetchall()

    def run(self, statement: str, rows: Sequence[Sequence[object]]) -> sqlite3.Cursor:
        """Run a statement for each row; inside `transaction`."""
        with naming(self.path):
            if len(rows) == 1:
                return self.writer.execute(statement, rows[0])
            return self.writer.executemany(statement, rows)

    def close(self) -> None:
        """Close the connections."""
        with self._write_lock, self._read_lock:
            self.writer.close()
            self._reader.close()


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, or make an empty one; what is committed is on disk."""
    connection = sqlite3.connect(
        path, STORE_LOCK_SECONDS, isolation_level=None, check_same_thread=False
    )
    until = time.monotonic() + STORE_LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            # For this lock alone SQLite does not wait, where others make the file at this moment.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(STORE_RETRY_SECONDS)
    # Acknowledged means on disk, not in the operating system's memory.
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def require_whole_copy(connection: sqlite3.Connection, path: Path) -> None:
    """Look through a file that lies elsewhere than when it was written; `DamagedFileError` if torn.

    A folder that is copied while it is written to has parts of several moments.
    """
    status = path.stat()
    here = f"{status.st_dev}:{status.st_ino}"
    known = connection.execute("SELECT value FROM facts WHERE name = 'home'").fetchone()
    if known == (here,):
        return
    if known is not None and connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        raise sqlite3.DatabaseError(f"{DAMAGED}: {TORN}")
    connection.execute("INSERT OR REPLACE INTO facts VALUES ('home', ?)", (here,))


def checked(rows: Iterable[tuple[Any, ...]], kinds: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a query, each value of its kind; SQLite gives what a bad page says."""
    found = list(rows)
    for row in found:
        if not all(map(isinstance, row, kinds)):
            raise sqlite3.DatabaseError(f"{DAMAGED}: a value is of a wrong kind")
    return found


def fact(connection: sqlite3.Connection, name: str, kind: type) -> Any:
    """Return what is remembered under a name."""
    query = "SELECT value FROM facts WHERE name = ?"
    if found := checked(connection.execute(query, (name,)), (kind,)):
        return found[0][0]
    raise sqlite3.DatabaseError(f"{DAMAGED}: it does not say what {name!r} is")


_OVER_THE_FILE = (sqlite3.Error, OSError, pl.exceptions.PolarsError, UnicodeDecodeError)
"""Of a damaged one, Polars refuses what cannot be a column, and Python the words that SQLite quotes
from it where they are not text."""


class naming:  # noqa: N801 - it stands after `with`, and a generator takes three times as long
    """Turn what is raised over SQLite's file into an error that names it and what to do."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        if not isinstance(error, _OVER_THE_FILE) or isinstance(error, StoreError):
            return
        said = str(getattr(error, "strerror", None) or error).partition("\n")[0]
        reason = f"store: {self.path}: {said}"
        if "locked" in str(error):
            held = f"another process held it for {STORE_LOCK_SECONDS} s; stop that one"
            raise StoreError(f"{reason}; {held}") from error
        if _is_damage(error):
            restore = "restore it from a backup: tallow store restore"
            raise DamagedFileError(f"{reason}; {restore}") from error
        hint = "is there room on its disk, and may this user write to its folder?"
        raise StoreError(f"{reason}; {hint}") from error


def _is_damage(error: Exception) -> bool:
    """Say whether a file's content is to blame, not its disk, nor how it is used."""
    outside = isinstance(error, OSError | sqlite3.ProgrammingError)
    return not outside and getattr(error, "sqlite_errorcode", 0) & 0xFF not in _OUTSIDE
