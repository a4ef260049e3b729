"""Reading the SQLite file that lies beside a table: what a damaged one says is refused here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from tallow.core.errors import DamagedFileError, StoreError
from tallow.core.limits import STORE_LOCK_SECONDS

DAMAGED = "is damaged"
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
