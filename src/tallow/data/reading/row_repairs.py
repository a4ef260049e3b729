"""Rows that are nearly right: prices that arithmetic has moved by a rounding.

A high that is below the close by the last digits of a float is no other price: adjusting, averaging
and 32-bit columns make such rows. The range is then widened to its open and close.
"""

from __future__ import annotations

import polars as pl

ROUNDING, ROUNDING_SINGLE = 1e-9, 2.0**-22
"""How far apart prices may be that are the same but for a rounding, as a share of the price: of
64-bit numbers and of text, and where a column of prices is 32-bit."""


def widen_range(frame: pl.DataFrame, single: bool) -> pl.DataFrame:
    """Return candle columns whose high and low hold open and close, where a rounding is missing.

    `single`: some prices come from 32-bit numbers. Other rows stay as they are.
    """
    share = ROUNDING_SINGLE if single else ROUNDING
    high, low = pl.col("high"), pl.col("low")
    # Of text that is no number NaN or null comes, which no comparison lets through.
    top = pl.max_horizontal("open", "close", "low")
    floor = pl.min_horizontal("open", "close", "high")
    over = (top > high) & (top - high <= share * top.abs())
    under = (floor < low) & (low - floor <= share * low.abs())
    return frame.with_columns(
        pl.when(over).then(top).otherwise(high).alias("high"),
        pl.when(under).then(floor).otherwise(low).alias("low"),
    )
