"""Rows that a live engine does not take, as a quarantine has them: with rule and record."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints
from tallow.data.feeds.quarantined import NOT_UNDERSTOOD
from tallow.data.kernels.rows import TIME_MAX_US, TIME_MIN_US
from tallow.data.reading.quarantine import as_quarantine, empty_quarantine, records
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST, TIME_TYPE
from tallow.runtime.live.memory import TIME

SOURCE_NAME = "live"
"""What the store's ledger and its quarantine call a live engine."""


def keep_the_rules(rules: Sequence[str | None]) -> Flags:
    """Say which rows break no rule."""
    return np.array([rule is None for rule in rules], dtype=np.bool_)


def candles_aside(
    names: pl.Series, numbers: Ints, rows: Floats, rules: Sequence[str | None]
) -> pl.DataFrame:
    """Return those of some candles, ``[rows, fields]``, that break a rule, as a quarantine."""
    bad = ~keep_the_rules(rules)
    columns = [names[numbers[bad]], pl.Series("timestamp", rows[bad, TIME].astype(np.int64))]
    for place, name in enumerate((*NUMBERS, OPEN_INTEREST), start=1):
        if name != OPEN_INTEREST or not np.isnan(rows[bad, place]).all():
            columns.append(pl.Series(name, rows[bad, place]))
    return rows_aside(pl.DataFrame(columns), [rule for rule in rules if rule is not None])


def rows_aside(
    rows: pl.DataFrame, rules: Sequence[str], original: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return rows, of which each breaks a rule, as a quarantine.

    Parameters
    ----------
    rows
        `instrument` and `timestamp`, a time or microseconds since 1970 UTC, with all that their
        records are made of, unless the `original` rows are given.
    """
    time = pl.col("timestamp").to_physical().cast(pl.Int64)
    # No calendar's date can be made of a time outside these years; the record has its number.
    in_years = pl.when(time.is_between(TIME_MIN_US, TIME_MAX_US)).then(time)
    told = records(_with_times(rows, in_years) if original is None else original)
    located = rows.select("instrument", in_years.cast(TIME_TYPE).alias("timestamp"))
    return as_quarantine(
        located.with_columns(pl.Series("rule", rules, pl.String), told, row=pl.lit(None)),
        SOURCE_NAME,
    )


def together(*parts: pl.DataFrame | None) -> pl.DataFrame | None:
    """Join quarantines; None where no row was set aside."""
    found = [part for part in parts if part is not None and len(part)]
    return pl.concat(found, how="diagonal") if found else None


def unreadable_rows(rows: pl.DataFrame, reason: str) -> pl.DataFrame:
    """Return the rows of a batch that cannot be candles or ticks at all, as a quarantine."""
    told = pl.DataFrame({"record": records(rows)}).with_columns(
        pl.lit(SOURCE_NAME).alias("source"), pl.lit(NOT_UNDERSTOOD).alias("rule")
    )
    whole = pl.concat([empty_quarantine(), told], how="diagonal")
    return whole.with_columns(pl.lit(reason).alias("reason"))


def from_live(quarantine: pl.DataFrame) -> pl.DataFrame:
    """Return rows set aside as a store keeps them: of a frame the numbers say nothing later."""
    is_frame = pl.col("source").fill_null("frame") == "frame"
    return quarantine.with_columns(
        source=pl.when(is_frame).then(pl.lit(SOURCE_NAME)).otherwise("source"),
        row=pl.when(~is_frame).then("row"),
    )


def late_rows(names: Sequence[str], refused: Sequence[tuple[int, int, str]]) -> pl.DataFrame:
    """Return rows without a record, by instruments' numbers, times and rules, as a quarantine."""
    if not refused:
        return empty_quarantine()
    numbers, times, rules = zip(*refused, strict=True)
    rows = pl.DataFrame({"instrument": [names[number] for number in numbers], "timestamp": times})
    return rows_aside(rows, rules)


def _with_times(rows: pl.DataFrame, in_years: pl.Expr) -> pl.DataFrame:
    """Return rows whose times are text, as a person reads them."""
    number = pl.col("timestamp").to_physical().cast(pl.String)
    text = in_years.cast(TIME_TYPE).dt.strftime("%Y-%m-%dT%H:%M:%S%.f%:z")
    return rows.with_columns(pl.coalesce(text, number).alias("timestamp"))
