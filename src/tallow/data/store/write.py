"""One write, under a backend's lock: compared, appended, and entered in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from tallow.data.candles import Candles
from tallow.data.quarantine import empty_quarantine
from tallow.data.store.classify import Classified
from tallow.data.store.ledger import LedgerEntry
from tallow.data.store.log import LOG_SCHEMA, VALUES, Writing, around, latest, moment

_KNOWN = ("instrument", "timestamp", *VALUES, "revision", "deleted")


@dataclass(frozen=True)
class WriteReport:
    """Where the rows of a write went: ``rows_in = new + identical + revised + quarantined``.

    Attributes
    ----------
    identical
        Rows that say what the store, or another row of the same write, says.
    received_at
        The write's receipt time, in microseconds since 1970 UTC; None where nothing changed.
    quarantine
        The rows set aside; the store's ledger keeps them, too.
    entry
        The write's number in the ledger.
    """

    rows_in: int
    new: int
    identical: int
    revised: int
    quarantined: int
    received_at: int | None
    quarantine: pl.DataFrame
    entry: int


def write_rows(
    writing: Writing,
    rows: pl.DataFrame,
    series: tuple[str, str, str],
    compare: Callable[[pl.DataFrame, pl.DataFrame], Classified],
    read: Candles | None,
    repeated: int,
) -> WriteReport:
    """Classify rows under the lock, append what changes something, and enter it in the ledger."""
    timeframe, adjustment, source = series
    known = latest(writing.scan(around(rows, timeframe, adjustment), _KNOWN))
    found = compare(rows, known)
    if len(found.rows):
        writing.append(_log_rows(found.rows, series, writing.received_at))
    quarantine = read.quarantine if read is not None else empty_quarantine()
    repeated += read.report.repeated if read is not None else 0
    entry = LedgerEntry(
        received_at=writing.received_at,
        source=source,
        timeframe=timeframe,
        adjustment=adjustment,
        rows_in=len(rows) + repeated + len(quarantine),
        new=found.new,
        identical=found.identical + repeated,
        revised=found.revised,
        quarantined=len(quarantine),
    )
    number = writing.record(entry, quarantine)
    return WriteReport(
        entry.rows_in,
        entry.new,
        entry.identical,
        entry.revised,
        entry.quarantined,
        entry.received_at if len(found.rows) else None,
        quarantine,
        number,
    )


def _log_rows(rows: pl.DataFrame, series: tuple[str, str, str], received_at: int) -> pl.DataFrame:
    timeframe, adjustment, source = series
    fixed = {
        "timeframe": pl.lit(timeframe),
        "adjustment": pl.lit(adjustment),
        "received_at": moment(received_at),
        "source": pl.lit(source),
        "deleted": pl.col("close").is_null(),
    }
    return rows.select(fixed.get(name, pl.col(name)).alias(name) for name in LOG_SCHEMA)
