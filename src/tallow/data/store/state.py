"""The SQLite file that lies beside a table: its making; what a damaged one says is refused."""

from __future__ import annotations

import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.disk import make_folder
from tallow.core.errors import DamagedFileError, StoreError
from tallow.core.limits import STORE_LOCK_SECONDS, STORE_RETRY_SECONDS
from tallow.data.store.ledger import SqliteLedger

DAMAGED = "is damaged"
TORN = (
    "it was copied while it was written to; copy it again while nobody writes, or with "
    "tallow store backup, which may run at any time"
)
LAYOUT = 1
"""Number of the tables' layout, as the file says it: it grows with every change to them."""

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT, digest INTEGER NOT NULL, body BLOB NOT NULL
);
ALTER TABLE batches ADD COLUMN writes INTEGER NOT NULL DEFAULT 1;
INSERT INTO sqlite_sequence
    SELECT 'batches', 0 WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'batches');
INSERT OR IGNORE INTO facts VALUES ('received', 0), ('reached', 0), ('alone', 0);
INSERT OR IGNORE INTO facts SELECT 'dropped', coalesce(
    (SELECT min(id) - 1 FROM batches),
    (SELECT seq FROM sqlite_sequence WHERE name = 'batches'),
    0
);
"""
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


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables where they are missing or older: nobody sees some of them."""
    if _layout(connection) >= LAYOUT:
        # Who opens a store to read need not wait for a writer's lock.
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _layout(connection) < LAYOUT:
            # Who finds the tables knows that the file's name is on disk.
            make_folder(path.parent)
            for statement in _TABLES.split(";"):
                connection.execute(statement)
            SqliteLedger.create(connection)
            made = "INSERT OR IGNORE INTO facts VALUES ('identity', ?)"
            connection.execute(made, (uuid.uuid4().hex,))
            connection.execute(f"PRAGMA user_version = {LAYOUT}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def require_whole_copy(connection: sqlite3.Connection, path: Path) -> None:
    """Look through a file that lies elsewhere than when it was written: it may be torn.

    A folder that is copied while it is written to has parts of several moments.

    Raises
    ------
    DamagedFileError
        If it is.
    """
    status = path.stat()
    here = f"{status.st_dev}:{status.st_ino}"
    known = connection.execute("SELECT value FROM facts WHERE name = 'home'").fetchone()
    if known == (here,):
        return
    if known is not None and connection.execute("PRAGMA integrity_check(1)").fetchone() != ("ok",):
        raise sqlite3.DatabaseError(f"{DAMAGED}: {TORN}")
    connection.execute("INSERT OR REPLACE INTO facts VALUES ('home', ?)", (here,))


def _layout(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


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


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn what is raised over SQLite's file into an error that names it and what to do.

    Of a damaged one, Polars refuses what cannot be a column, and Python the words that SQLite
    quotes from it where they are no text.
    """
    try:
        yield
    except (sqlite3.Error, OSError, pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        if isinstance(error, StoreError):
            raise
        said = str(getattr(error, "strerror", None) or error).partition("\n")[0]
        reason = f"store: {path}: {said}"
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
