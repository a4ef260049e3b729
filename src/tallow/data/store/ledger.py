"""What was ingested, and which rows are quarantined until they are repaired."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, Protocol

import polars as pl

from tallow.data.reading.quarantine import QUARANTINE_SCHEMA
from tallow.data.reading.schema import TIME_TYPE
from tallow.data.store.state import StateFile


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
STORED_QUARANTINE_SCHEMA: dict[str, Any] = {
    "id": pl.Int64,
    "ingest": pl.Int64,
    "timeframe": pl.String,
    "adjustment": pl.String,
    **QUARANTINE_SCHEMA,
    "reason": pl.String,
    "times": pl.Int64,
    "settled_by": pl.Int64,
}
"""Columns of the quarantine as a store keeps it: `ingest` and `settled_by` are entries' numbers.

`reason` says more where the rule alone says little. A row has no number where it came from a feed;
the same of such rows is kept once, and `times` counts how often it came."""

ONCE = ("timeframe", "adjustment", "coalesce(source, '')", "coalesce(row, -1)", "rule")
"""What, beside its record, makes a row of the quarantine one of its own."""

_NULLABLE = (*QUARANTINE_SCHEMA, "reason", "settled_by")
_OWN = (*QUARANTINE_SCHEMA, "reason", "times")
_TABLES = f"""
CREATE TABLE IF NOT EXISTS ingests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, received_at INTEGER, source TEXT, timeframe TEXT,
    adjustment TEXT, rows_in INTEGER, new INTEGER, identical INTEGER, revised INTEGER,
    quarantined INTEGER
);
CREATE TABLE IF NOT EXISTS quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, ingest INTEGER, timeframe TEXT, adjustment TEXT,
    source TEXT, row INTEGER, rule TEXT, instrument TEXT, timestamp INTEGER, record TEXT,
    settled_by INTEGER, reason TEXT, times INTEGER NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX IF NOT EXISTS quarantine_once ON quarantine ({", ".join(ONCE)}, record);
"""
_OLD_COLUMNS = (
    "id, ingest, timeframe, adjustment, source, row, rule, instrument, timestamp, record, "
    "settled_by"
)
_RENEW = f"""
ALTER TABLE quarantine RENAME TO old_quarantine;
{_TABLES}
INSERT INTO quarantine ({_OLD_COLUMNS}) SELECT {_OLD_COLUMNS} FROM old_quarantine ORDER BY id;
DROP TABLE old_quarantine;
"""
"""Takes the rows of a table that kept one row where two series had the same one."""


class Ledger(Protocol):
    """Where ingests and quarantined rows are kept."""

    def record(self, entry: LedgerEntry, quarantine: pl.DataFrame) -> int:
        """Enter a write and the rows it quarantined; return its number. Part of that write."""
        ...

    def entries(self) -> pl.DataFrame:
        """Return all writes, columns `ENTRY_SCHEMA`, oldest first."""
        ...

    def entries_of(self, received: Sequence[int]) -> pl.DataFrame:
        """Return the writes that were received then, in microseconds since 1970 UTC."""
        ...

    def held(self, everything: bool = False, after: int = 0) -> pl.DataFrame:
        """Return the rows not settled, or all; columns `STORED_QUARANTINE_SCHEMA`.

        Those whose numbers come `after` one only; no number is used twice.
        """
        ...

    def settle(self, numbers: Sequence[int], entry: int) -> None:
        """Mark rows as settled by a later write."""
        ...


def count_repeats(quarantine: pl.DataFrame) -> pl.DataFrame:
    """Return quarantined rows with their `reason` and `times`; the same of a feed's rows once.

    `quarantine` has the columns `QUARANTINE_SCHEMA`, and may have these two.
    """
    rows = quarantine
    if "reason" not in rows.columns:
        rows = rows.with_columns(reason=pl.lit(None, pl.String))
    if "times" not in rows.columns:
        rows = rows.with_columns(times=pl.lit(1, pl.Int64))
    rows = rows.select(_OWN).with_columns(pl.col("times").fill_null(1))
    if len(rows) < 2 or not rows["row"].null_count():
        return rows
    key = ("source", "row", "rule", "record")
    others = [pl.col(name).first() for name in ("instrument", "timestamp", "reason")]
    same = rows.group_by(key, maintain_order=True).agg(*others, pl.col("times").sum())
    return same.select(_OWN)


class SqliteLedger:
    """A ledger in the state file of a store; see `Ledger`."""

    def __init__(self, file: StateFile) -> None:
        self._file = file

    @staticmethod
    def create(connection: Any) -> None:
        """Make the tables where they are missing, in a transaction; an older one keeps its rows."""
        for statement in (_RENEW if _is_old(connection) else _TABLES).split(";"):
            connection.execute(statement)

    def record(self, entry: LedgerEntry, quarantine: pl.DataFrame) -> int:
        """Enter a write; rows that were quarantined before stay as they are, counted again."""
        marks = ", ".join("?" * len(ENTRY_COLUMNS))
        names = ", ".join(ENTRY_COLUMNS)
        insert = f"INSERT INTO ingests ({names}) VALUES ({marks})"
        cursor = self._file.run(insert, [astuple(entry)])
        number = int(cursor.lastrowid or 0)
        if not len(quarantine):
            return number
        rows = count_repeats(quarantine).with_columns(pl.col("timestamp").to_physical()).iter_rows()
        own = (number, entry.timeframe, entry.adjustment)
        self._file.run(
            f"INSERT INTO quarantine (ingest, timeframe, adjustment, {', '.join(_OWN)}) "
            f"VALUES ({', '.join('?' * (3 + len(_OWN)))}) ON CONFLICT ({', '.join(ONCE)}, record) "
            "DO UPDATE SET times = times + excluded.times WHERE row IS NULL",
            [own + row for row in rows],
        )
        return number

    def entries(self) -> pl.DataFrame:
        """Return all writes."""
        return self._file.read(f"SELECT {', '.join(ENTRY_SCHEMA)} FROM ingests", ENTRY_SCHEMA)

    def entries_of(self, received: Sequence[int]) -> pl.DataFrame:
        """Return the writes that were received then."""
        among = ", ".join(map(str, map(int, received)))
        query = f"SELECT {', '.join(ENTRY_SCHEMA)} FROM ingests WHERE received_at IN ({among})"
        return self._file.read(query, ENTRY_SCHEMA)

    def held(self, everything: bool = False, after: int = 0) -> pl.DataFrame:
        """Return the quarantined rows."""
        query = f"SELECT {', '.join(STORED_QUARANTINE_SCHEMA)} FROM quarantine WHERE id > {after}"
        unsettled = "" if everything else " AND settled_by IS NULL"
        return self._file.read(query + unsettled, STORED_QUARANTINE_SCHEMA, _NULLABLE)

    def settle(self, numbers: Sequence[int], entry: int) -> None:
        """Mark rows as settled by a later write."""
        with self._file.transaction():
            self._file.run(
                "UPDATE quarantine SET settled_by = ? WHERE id = ?",
                [(entry, number) for number in numbers],
            )

    def load(self, entries: pl.DataFrame, quarantine: pl.DataFrame) -> None:
        """Take over another ledger, its numbers too; this one is empty. Under the lock."""
        for table, frame in (("ingests", entries), ("quarantine", quarantine)):
            rows = frame.with_columns(pl.col(pl.Datetime).to_physical()).rows()
            marks = ", ".join("?" * frame.width)
            names = ", ".join(frame.columns)
            self._file.run(f"INSERT INTO {table} ({names}) VALUES ({marks})", rows)


def _is_old(connection: Any) -> bool:
    columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(quarantine)")}
    return bool(columns) and "times" not in columns
