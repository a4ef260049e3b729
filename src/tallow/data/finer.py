"""Rows that are finer than they are said to be: ten-second bars are no minutes.

The one of them that opens on the minute looks like the minute's candle, and is not. Where a minute
has a row that opens within it, nobody can say what its others are: all are set aside.
"""

from __future__ import annotations

import polars as pl

from tallow.core.errors import CandleInputError

FINER_SHARE = 4
"""Where a row in so many opens within a minute, the input is finer than minutes: an error."""

_MINUTE = "1m"


def in_shared_minutes(frame: pl.DataFrame, off_grid: pl.Series) -> pl.Series:
    """Say which rows share their instrument's minute with one that opens within it.

    `off_grid` says which rows do open within a minute; of candle columns in any order.
    """
    minute = pl.col("timestamp").dt.truncate(_MINUTE)
    within = frame.select("instrument", minute).filter(off_grid).unique()
    keys = ["instrument", "timestamp"]
    marked = within.with_columns(shares=pl.lit(value=True))
    rows = frame.select("instrument", minute)
    joined = rows.join(marked, on=keys, how="left", maintain_order="left")
    return joined["shares"].fill_null(value=False)


def require_minutes(source: str, rows: int, off_grid: int) -> None:
    """Raise `CandleInputError` where too many rows open within a minute to be strays."""
    if off_grid > 1 and off_grid * FINER_SHARE >= rows:
        raise CandleInputError(
            f"{source}: {off_grid} of {rows} rows open within a minute; candles must open on whole "
            "minutes, as finer rows are no minutes; build minutes of them first"
        )
