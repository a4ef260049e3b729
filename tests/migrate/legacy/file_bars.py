"""Minutes into bars of days, and as two queries that the old system keeps in files have them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime

from tallow.migrate.legacy.aggregation import BAR, begin_bar, extend_bar
from tallow.migrate.legacy.candles import INDIA, Candle, LegacyRow, in_india

FIXED_LENGTH = 20
COPIED = (
    "ma_9", "bb_upper", "bb_middle", "bb_lower", "vwap", "ema_5", "ema_9", "ema_50", "atr", "rsi",
    "bb_width", "lowest_bb_width",
)  # fmt: skip
"""Indicators that the query in the file takes over from a bucket's last minute."""


def daily_bars(minutes: Sequence[Candle]) -> list[Candle]:
    """Return a bar for each date in India, at its midnight."""
    bars: dict[int, Candle] = {}
    for minute in minutes:
        midnight = datetime.combine(in_india(minute.timestamp).date(), datetime.min.time(), INDIA)
        day = int(midnight.timestamp())
        if day in bars:
            extend_bar(bars[day], minute)
        else:
            bars[day] = begin_bar(day, minute)
    return list(bars.values())


def file_bars(minutes: Sequence[Candle], stored: Mapping[int, LegacyRow]) -> list[LegacyRow]:
    """Return the bars of the query kept in a file: with the last minute's indicators as their own.

    `stored` has the indicators of each minute. The time is that of the first minute there is, and
    open interest is added up.
    """
    return [_file_bar(bucket, stored) for bucket in _buckets(minutes)]


def fixed_bars(minutes: Sequence[Candle]) -> list[LegacyRow]:
    """Return the bars of the file's later query: bands over up to 20 buckets, the first 19 dropped.

    They are dropped by the clock: a gap does not count. ``minutes`` tells whether a bar is whole.
    """
    buckets = _buckets(minutes)
    rows: list[LegacyRow] = []
    closes = [bucket[-1].close for bucket in buckets]
    for place, bucket in enumerate(buckets):
        start = bucket[0].timestamp // BAR * BAR
        if start < buckets[0][0].timestamp // BAR * BAR + (FIXED_LENGTH - 1) * BAR:
            continue
        window = closes[max(0, place + 1 - FIXED_LENGTH) : place + 1]
        mean = sum(window) / len(window)
        reach = 2.0 * math.sqrt(sum((close - mean) ** 2 for close in window) / len(window))
        bands = {"bb_upper": mean + reach, "bb_middle": mean, "bb_lower": mean - reach}
        width = {"bb_width": 2.0 * reach / mean * 100.0, "minutes": float(len(bucket))}
        rows.append({**_prices(bucket), "timestamp": start, **bands, **width})
    return rows


def _buckets(minutes: Sequence[Candle]) -> list[list[Candle]]:
    buckets: dict[int, list[Candle]] = {}
    for minute in minutes:
        buckets.setdefault(minute.timestamp // BAR, []).append(minute)
    return list(buckets.values())


def _prices(bucket: Sequence[Candle]) -> LegacyRow:
    return {
        "open": bucket[0].open,
        "high": max(minute.high for minute in bucket),
        "low": min(minute.low for minute in bucket),
        "close": bucket[-1].close,
        "volume": sum(minute.volume for minute in bucket),
        "open_interest": sum(minute.open_interest for minute in bucket),
    }


def _file_bar(bucket: Sequence[Candle], stored: Mapping[int, LegacyRow]) -> LegacyRow:
    first, last = bucket[0], bucket[-1]
    row: LegacyRow = {
        "timestamp": first.timestamp,
        **_prices(bucket),
        "minutes": float(len(bucket)),
    }
    row |= {name: stored[last.timestamp][name] for name in COPIED}
    amount = sum(minute.close * minute.volume for minute in bucket)
    row["vwap_5min"] = amount / row["volume"] if row["volume"] else math.nan
    row["range"], row["change"] = row["high"] - row["low"], row["close"] - row["open"]
    row["change_percent"] = row["change"] / row["open"] * 100.0
    middle, lower, upper = row["bb_middle"], row["bb_lower"], row["bb_upper"]
    row["bb_position_percent"] = (row["close"] - middle) / middle * 100.0 if middle else math.nan
    wide = upper - lower
    row["bb_percentile"] = (row["close"] - lower) / wide * 100.0 if wide > 0.0 else 50.0
    return row
