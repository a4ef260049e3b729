"""What was ingested, and which rows were set aside until somebody mends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from tallow.data.quarantine import QUARANTINE_SCHEMA
from tallow.data.schema import TIME_TYPE

if TYPE_CHECKING:
    from tallow.data.store.tail import TailFile


@dataclass(frozen=True)
class LedgerEntry:
    """One write: when, from which source, of which series, and where its rows went."""

    received_at: int
    source: str
    timeframe: str
    adjustment: str
    rows_in: int
    new: int
    identical: int
    revised: int
    quarantined: int

    def __post_init__(self) -> None:
        parts = self.new + self.identical + self.revised + self.quarantined
        assert self.rows_in == parts, self


ENTRY_COLUMNS = tuple(field.name for field in fields(LedgerEntry))
ENTRY_SCHEMA: dict[str, Any] = {
    "id": pl.Int64,
    **{
        n: pl.String if n in ("source", "timeframe", "adjustment") else pl.Int64
        for n in ENTRY_COLUMNS
    },
    "received_at": TIME_TYPE,
}
HELD_SCHEMA: dict[str, Any] = {
    "id": pl.Int64,
    "ingest": pl.Int64,
    "timeframe": pl.String,
    "adjustment": pl.String,
    **QUARANTINE_SCHEMA,
    "settled_by": pl.Int64,
}
"""Columns of the quarantine as a store keeps it: `ingest` and `settled_by` are entries' numbers."""

_NULLABLE = (*QUARANTINE_SCHEMA, "settled_by")
_TABLES = """
CREATE TABLE IF NOT EXISTS ingests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, received_at INTEGER, source TEXT, timeframe TEXT,
    adjustment TEXT, rows_in INTEGER, new INTEGER, identical INTEGER, revised INTEGER,
    quarantined INTEGER
);
CREATE TABLE IF NOT EXISTS quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, ingest INTEGER, timeframe TEXT, adjustment TEXT,
    source TEXT, row INTEGER, rule TEXT, instrument TEXT, timestamp INTEGER, record TEXT,
    settled_by INTEGER,
    UNIQUE (source, row, rule, record)
);
"""


class Ledger(Protocol):
    """Where ingests and quarantined rows are kept."""

    def record(self, entry: LedgerEntry, quarantine: pl.DataFrame) -> int:
        """Enter a write and the rows it set aside; return its number. Part of that write."""
        ...

    def entries(self) -> pl.DataFrame:
        """Return all writes, columns `ENTRY_SCHEMA`, oldest first."""
        ...

    def held(self, everything: bool = False) -> pl.DataFrame:
        """Return the rows set aside and not settled, or all, columns `HELD_SCHEMA`."""
        ...

    def settle(self, numbers: Sequence[int], entry: int) -> None:
        """Mark rows as settled by a later write."""
        ...

    def load(self, entries: pl.DataFrame, held: pl.DataFrame) -> None:
        """Take over another ledger, its numbers too; this one is empty."""
        ...


class SqliteLedger:
    """A ledger in the state file of a store; see `Ledger`."""

    def __init__(self, file: TailFile) -> None:
        self._file = file

    @staticmethod
    def create(connection: Any) -> None:
        """Make the tables, where they are missing."""
        connection.executescript(_TABLES)

    def record(self, entry: LedgerEntry, quarantine: pl.DataFrame) -> int:
        """Enter a write; rows that were set aside before stay as they are."""
        marks = ", ".join("?" * len(ENTRY_COLUMNS))
        names = ", ".join(ENTRY_COLUMNS)
        insert = f"INSERT INTO ingests ({names}) VALUES ({marks})"
        cursor = self._file.run(insert, [astuple(entry)])
        number = int(cursor.lastrowid or 0)
        rows = quarantine.with_columns(pl.col("timestamp").to_physical()).iter_rows()
        own = (number, entry.timeframe, entry.adjustment)
        self._file.run(
            "INSERT OR IGNORE INTO quarantine (ingest, timeframe, adjustment, "
            f"{', '.join(QUARANTINE_SCHEMA)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [own + row for row in rows],
        )
        return number

    def entries(self) -> pl.DataFrame:
        """Return all writes."""
        return self._file.read(f"SELECT {', '.join(ENTRY_SCHEMA)} FROM ingests", ENTRY_SCHEMA)

    def held(self, everything: bool = False) -> pl.DataFrame:
        """Return the rows set aside."""
        query = f"SELECT {', '.join(HELD_SCHEMA)} FROM quarantine"
        unsettled = "" if everything else " WHERE settled_by IS NULL"
        return self._file.read(query + unsettled, HELD_SCHEMA, _NULLABLE)

    def settle(self, numbers: Sequence[int], entry: int) -> None:
        """Mark rows as settled by a later write."""
        with self._file.locked():
            self._file.run(
                "UPDATE quarantine SET settled_by = ? WHERE id = ?",
                [(entry, number) for number in numbers],
            )

    def load(self, entries: pl.DataFrame, held: pl.DataFrame) -> None:
        """Take over another ledger."""
        with self._file.locked():
            for table, frame in (("ingests", entries), ("quarantine", held)):
                rows = frame.with_columns(pl.col(pl.Datetime).to_physical()).rows()
                marks = ", ".join("?" * frame.width)
                names = ", ".join(frame.columns)
                self._file.run(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)
