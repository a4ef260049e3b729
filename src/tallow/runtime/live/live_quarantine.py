"""The quarantine of a live engine: rows that it does not take, each with its rule and record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints
from tallow.data.feeds.quarantined import NOT_UNDERSTOOD, NOT_UNDERSTOOD_HINT
from tallow.data.kernels.rows import TIME_MAX_US, TIME_MIN_US
from tallow.data.reading.quarantine import as_quarantine, empty_quarantine, records
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST, TIME_TYPE
from tallow.runtime.live.memory import TIME

SOURCE_NAME = "live"
"""What the store's ledger and its quarantine call a live engine."""

NO_CALENDAR, TOO_OLD = "no_calendar", "older_than_memory"
TOO_FAR_AHEAD = "too_far_ahead"
"""Rules of a live update, besides those of reading."""

HINTS = {
    NO_CALENDAR: 'the mapping of calendars does not name this instrument; add it, or "*"',
    TOO_OLD: "no candle and no state is held from before it; give the engine a store, or a larger "
    "keep=",
    NOT_UNDERSTOOD: NOT_UNDERSTOOD_HINT,
    TOO_FAR_AHEAD: "the tick is ahead of the clock; check for local times taken for UTC",
    "too_late": "the tick came long after its minute had closed; ingest the candles of that time",
}


def unbroken(rules: Sequence[str | None]) -> Flags:
    """Say which rows break no rule."""
    return np.array([rule is None for rule in rules], dtype=np.bool_)


def quarantine_candles(
    names: pl.Series, numbers: Ints, rows: Floats, rules: Sequence[str | None]
) -> pl.DataFrame:
    """Return the quarantine of those candles, ``[rows, fields]``, that break a rule."""
    bad = ~unbroken(rules)
    columns = [names[numbers[bad]], pl.Series("timestamp", rows[bad, TIME].astype(np.int64))]
    for place, name in enumerate((*NUMBERS, OPEN_INTEREST), start=1):
        if name != OPEN_INTEREST or not np.isnan(rows[bad, place]).all():
            columns.append(pl.Series(name, rows[bad, place]))
    return quarantine_rows(pl.DataFrame(columns), [rule for rule in rules if rule is not None])


def quarantine_rows(
    rows: pl.DataFrame, rules: Sequence[str], original: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the quarantine of rows that each break a rule.

    Parameters
    ----------
    rows
        `instrument` and `timestamp`, a time or microseconds since 1970 UTC, with all that their
        records are made of, unless the `original` rows are passed.
    """
    time = pl.col("timestamp").to_physical().cast(pl.Int64)
    # A time outside these years has no date; the record has its number.
    in_years = pl.when(time.is_between(TIME_MIN_US, TIME_MAX_US)).then(time)
    record = records(_with_times(rows, in_years) if original is None else original)
    located = rows.select("instrument", in_years.cast(TIME_TYPE).alias("timestamp"))
    return as_quarantine(
        located.with_columns(pl.Series("rule", rules, pl.String), record, row=pl.lit(None)),
        SOURCE_NAME,
    )


def join_quarantines(*parts: pl.DataFrame | None) -> pl.DataFrame | None:
    """Join quarantines; None where they have no row."""
    filled = [part for part in parts if part is not None and len(part)]
    return pl.concat(filled, how="diagonal") if filled else None


def quarantine_batch(rows: pl.DataFrame, reason: str) -> pl.DataFrame:
    """Return the quarantine of a batch that cannot be candles or ticks at all."""
    located = pl.DataFrame({"record": records(rows)}).with_columns(
        pl.lit(SOURCE_NAME).alias("source"), pl.lit(NOT_UNDERSTOOD).alias("rule")
    )
    whole = pl.concat([empty_quarantine(), located], how="diagonal")
    return whole.with_columns(pl.lit(reason).alias("reason"))


def named_live(quarantine: pl.DataFrame) -> pl.DataFrame:
    """Return a quarantine as a store keeps it: row numbers of a frame mean nothing later."""
    is_frame = pl.col("source").fill_null("frame") == "frame"
    return quarantine.with_columns(
        source=pl.when(is_frame).then(pl.lit(SOURCE_NAME)).otherwise("source"),
        row=pl.when(~is_frame).then("row"),
    )


def quarantine_too_old(
    names: Sequence[str], too_old: Sequence[tuple[int, int, str]]
) -> pl.DataFrame:
    """Return the quarantine of instruments' numbers, times and rules; it has no records."""
    if not too_old:
        return empty_quarantine()
    numbers, times, rules = zip(*too_old, strict=True)
    rows = pl.DataFrame({"instrument": [names[number] for number in numbers], "timestamp": times})
    return quarantine_rows(rows, rules)


def _with_times(rows: pl.DataFrame, in_years: pl.Expr) -> pl.DataFrame:
    """Return rows with their times as text that a person reads."""
    number = pl.col("timestamp").to_physical().cast(pl.String)
    text = in_years.cast(TIME_TYPE).dt.strftime("%Y-%m-%dT%H:%M:%S%.f%:z")
    return rows.with_columns(pl.coalesce(text, number).alias("timestamp"))
