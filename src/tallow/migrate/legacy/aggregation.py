"""The old API's bars of minutes.

Buckets are multiples of their length since 1970, as 09:15 in India is of five minutes. So minutes
before the open or after the close make bars of their own, zero-volume fillers count, empty buckets
are absent, and an incomplete bucket is not marked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tallow.migrate.legacy.candles import Candle

BAR = 300
"""Seconds of a bar."""


def five_minute_bars(minutes: Sequence[Candle]) -> list[Candle]:
    """Return the ascending bars of ascending minutes; open interest is the last one."""
    bars: list[Candle] = []
    end = -math.inf
    for minute in minutes:
        if minute.timestamp >= end:
            start = minute.timestamp // BAR * BAR
            end = start + BAR
            bars.append(begin_bar(start, minute))
        else:
            extend_bar(bars[-1], minute)
    return bars


def begin_bar(start: int, first: Candle) -> Candle:
    """Return a bar of one minute with a given start."""
    # Field by field: dataclasses.replace takes four times as long.
    return Candle(
        start, first.open, first.high, first.low, first.close, first.volume, first.open_interest
    )


def extend_bar(bar: Candle, minute: Candle) -> None:
    """Add a later minute to a bar."""
    if minute.high > bar.high:
        bar.high = minute.high
    if minute.low < bar.low:
        bar.low = minute.low
    bar.close = minute.close
    bar.volume += minute.volume
    bar.open_interest = minute.open_interest
