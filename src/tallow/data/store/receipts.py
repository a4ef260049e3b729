"""Receipts: what a write's request was answered, kept by the request's name.

A receipt is in the transaction that makes its rows durable: after a crash both are there, or
neither is. So whoever never got the answer asks again under the same name, and is told what was
done, or has it done now.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from tallow.core.errors import RepeatedWriteError
from tallow.core.limits import STORE_RECEIPT_SECONDS
from tallow.core.time import SECOND_US
from tallow.data.store.state import StateFile, checked, naming


class Receipt(NamedTuple):
    """What a request was answered, and the digest of what it asked."""

    digest: str
    answer: str


class Receipts(Protocol):
    """Where receipts are kept; part of no backup, as they are kept for a day only."""

    def find(self, name: str, now: int) -> Receipt | None:
        """Return the receipt of a name that was kept in the last `STORE_RECEIPT_SECONDS`."""
        ...

    def keep(self, name: str, receipt: Receipt, now: int) -> None:
        """Keep a receipt, in the transaction of its write; `RepeatedWriteError` if one is there."""
        ...


def oldest_kept(now: int) -> int:
    """Return the moment before which receipts are no longer kept; microseconds, as `now` is."""
    return now - STORE_RECEIPT_SECONDS * SECOND_US


def require_first(is_known: bool) -> None:
    """Raise `RepeatedWriteError` where a name is known."""
    if is_known:
        raise RepeatedWriteError(
            "store: a write of this name has been done already; its receipt says what it did"
        )


class SqliteReceipts:
    """Receipts in the state file of a store; see `Receipts`."""

    def __init__(self, file: StateFile) -> None:
        self._file = file

    @staticmethod
    def create(connection: Any) -> None:
        """Make the table where it is missing, in a transaction."""
        connection.execute(_TABLE)

    def find(self, name: str, now: int) -> Receipt | None:
        """Return the receipt of a name."""
        with naming(self._file.path):
            rows = self._file.rows(_FIND, (name, oldest_kept(now)))
            found = checked(rows, (str, str))
        return Receipt(*found[0]) if found else None

    def keep(self, name: str, receipt: Receipt, now: int) -> None:
        """Keep a receipt; those that are too old make room, two at a time."""
        self._file.run(_FORGET, [(oldest_kept(now), name)])
        known = self._file.run("SELECT 1 FROM receipts WHERE name = ?", [(name,)]).fetchone()
        require_first(known is not None)
        self._file.run(_KEEP, [(name, now, *receipt)])


_TABLE = """
CREATE TABLE IF NOT EXISTS receipts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, kept_at INTEGER NOT NULL,
    digest TEXT NOT NULL, answer TEXT NOT NULL
)
"""
_FIND = "SELECT digest, answer FROM receipts WHERE name = ? AND kept_at >= ?"
_FORGET = """
DELETE FROM receipts WHERE kept_at < ?
AND (name = ? OR id IN (SELECT id FROM receipts ORDER BY id LIMIT 2))
"""
_KEEP = "INSERT INTO receipts (name, kept_at, digest, answer) VALUES (?, ?, ?, ?)"
