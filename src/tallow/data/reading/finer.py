"""Rows that are finer than they are said to be: ten-second bars are no minutes.

The one of them that opens on the minute looks like the minute's candle, and is not. Where a minute
has a row that opens within it, its others are not certain: all are quarantined.
"""

from __future__ import annotations

import polars as pl

from tallow.core.errors import CandleInputError
from tallow.data.reading.rules import OFF_GRID
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import time_view

FINER_SHARE = 4
"""Where a row in so many opens within a minute, the input is finer than minutes: an error."""

_MINUTE = "1m"


_MINUTE_OF = pl.col("timestamp").dt.truncate(_MINUTE)


_AS_NUMBER = pl.col("timestamp").to_physical()


def finer_minutes(quarantine: pl.DataFrame) -> pl.DataFrame:
    """Return `instrument` and `timestamp` of the minutes within which quarantined rows open."""
    is_finer = (pl.col("rule") == OFF_GRID) & (pl.col("timestamp") != _MINUTE_OF)
    within = quarantine.filter(is_finer, pl.col("instrument").is_not_null())
    return within.select("instrument", _MINUTE_OF).unique()


def in_minutes(rows: pl.DataFrame, minutes: pl.DataFrame) -> pl.Series:
    """Say which rows lie in some minutes of their instruments, as `finer_minutes` returns them."""
    marked = minutes.with_columns(shares=pl.lit(value=True))
    keys = ["instrument", "timestamp"]
    joined = rows.select("instrument", _MINUTE_OF).join(
        marked, on=keys, how="left", maintain_order="left"
    )
    return joined["shares"].fill_null(value=False)


def require_minutes(source: str, rows: int, off_grid: int) -> None:
    """Raise `CandleInputError` where too many rows open within a minute to be strays."""
    if off_grid > 1 and off_grid * FINER_SHARE >= rows:
        raise CandleInputError(
            f"{source}: {off_grid} of {rows} rows open within a minute; candles must open on whole "
            "minutes, as finer rows are no minutes; build minutes of them first"
        )


class MinuteWatch:
    """Watches batches go by, in which each instrument's rows that are accepted ascend in time."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._finer: dict[str, int] = {}

    def is_shared(self, frame: pl.DataFrame, quarantine: pl.DataFrame) -> bool:
        """Say whether a row of a batch may be in one minute with a finer row of another batch.

        `frame` are the batch's accepted rows, sorted by instrument.
        """
        names, offsets = instrument_runs(frame)
        times = time_view(frame)
        found = False
        if self._finer:
            firsts = times[offsets[:-1]].tolist()
            found = any(
                first <= self._finer.get(name, first - 1)
                for name, first in zip(names, firsts, strict=True)
            )
        if len(quarantine):
            for name, minute in finer_minutes(quarantine).with_columns(_AS_NUMBER).iter_rows():
                found |= minute <= self._last.get(name, minute - 1)
                self._finer[name] = max(minute, self._finer.get(name, minute))
        self._last |= zip(names, times[offsets[1:] - 1].tolist(), strict=True)
        return found
