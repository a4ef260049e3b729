"""Rows of frames by their keys, to compare bit by bit."""

from __future__ import annotations

from typing import Any

import polars as pl

from tests.runtime.live.markets import Key

Table = dict[Key, tuple[Any, ...]]
"""Rows of a timeframe by key: floats as int64 views, so that equal means equal bits."""


def table(frame: pl.DataFrame) -> Table:
    """Return rows by key: candles, `is_final` unless the bar is gone, then the values' bits."""
    kept = [name for name in frame.columns[2:] if name not in ("candles", "is_final", "revision")]
    bits = [
        pl.col(each).reinterpret(signed=True) if frame.schema[each] == pl.Float64 else pl.col(each)
        for each in kept
    ]
    rows = frame.select(
        "instrument",
        pl.col("timestamp").to_physical(),
        "candles",
        "is_final",
        *bits,
    ).rows()
    found = {row[:2]: row[2:] for row in rows}
    assert len(found) == len(rows), "a row was told twice"
    return found
