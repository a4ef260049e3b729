"""One request the way that the old system answers it: loops over rows, and a dictionary per value.

Candles come as dictionaries, as a database hands them out, with one trading day before the range
for warm-up. They are put into five-minute bars by their time, reversed, and looped over once per
indicator: thirteen maps from time to value, with its formulas (which are not ours: the averages
look ahead, `rsi` is the relative strength, `atr` is high minus low). The maps are joined into one
dictionary per bar, rounded half away from zero. Of each bar, a file with a row per instrument tells
the lowest band width; it is read again for every bar.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

Candle = dict[str, Any]
Values = dict[int, float]

BAR_SECONDS = 300
INDIA = timezone(timedelta(hours=5.5))
UNROUNDED, FOUR_DIGITS = ("ma_9",), ("bb_width_normalized", "bb_width_normalized_percentage")


def answer(
    minutes: Iterable[Candle], start: int, end: int, widths: Path | None = None
) -> list[Candle]:
    """Return the bars with ``start <= timestamp <= end`` (seconds since 1970), newest first.

    `widths` is the file of lowest band widths; without it these are left out.
    """
    bars = _newest_first(_aggregated(minutes))
    maps = _indicators(bars)
    return [_joined(bar, maps, widths) for bar in bars if start <= bar["timestamp"] <= end]


def _aggregated(minutes: Iterable[Candle]) -> list[Candle]:
    buckets: dict[int, Candle] = {}
    for row in minutes:
        begin = row["timestamp"] // BAR_SECONDS * BAR_SECONDS
        bar = buckets.get(begin)
        if bar is None:
            buckets[begin] = {**row, "timestamp": begin}
            continue
        bar["high"] = max(bar["high"], row["high"])
        bar["low"] = min(bar["low"], row["low"])
        bar["close"] = row["close"]
        bar["volume"] += row["volume"]
    return [buckets[begin] for begin in sorted(buckets)]


def _newest_first(bars: Sequence[Candle]) -> list[Candle]:
    newest_first = list(reversed(bars))
    for newer, older in pairwise(newest_first):
        assert newer["timestamp"] > older["timestamp"]
    return newest_first


def _indicators(bars: Sequence[Candle]) -> dict[str, Values]:
    upper, middle, lower = _bands(bars, 20, 2.0)
    width, normalized, percentage = _widths(upper, middle, lower)
    return {
        "ma_9": _sma(bars, 9),
        "bb_upper": upper,
        "bb_middle": middle,
        "bb_lower": lower,
        "vwap": _vwap(bars),
        "ema_5": _ema(bars, 5),
        "ema_9": _ema(bars, 9),
        "ema_50": _ema(bars, 50),
        "atr": {bar["timestamp"]: bar["high"] - bar["low"] for bar in bars},
        "rsi": _relative_strength(bars, 14),
        "bb_width": width,
        "bb_width_normalized": normalized,
        "bb_width_normalized_percentage": percentage,
    }


def _sma(bars: Sequence[Candle], length: int) -> Values:
    """Return means in the order given: of a bar and the newer ones."""
    values, total = {}, 0.0
    for place, bar in enumerate(bars):
        total += bar["close"]
        if place >= length:
            total -= bars[place - length]["close"]
        values[bar["timestamp"]] = total / min(place + 1, length)
    return values


def _ema(bars: Sequence[Candle], length: int) -> Values:
    values, weight, mean = {}, 2.0 / (length + 1), None
    for bar in reversed(bars):
        mean = bar["close"] if mean is None else mean + weight * (bar["close"] - mean)
        values[bar["timestamp"]] = mean
    return values


def _bands(bars: Sequence[Candle], length: int, multiplier: float) -> tuple[Values, Values, Values]:
    upper: Values = {}
    middle: Values = {}
    lower: Values = {}
    closes: list[float] = []
    for bar in reversed(bars):
        closes.append(bar["close"])
        time, mean, deviation = bar["timestamp"], 0.0, 0.0
        if len(closes) >= length:
            window = closes[-length:]
            mean = sum(window) / length
            squares = 0.0
            for close in window:
                squares += (close - mean) * (close - mean)
            deviation = multiplier * math.sqrt(squares / length)
        upper[time], middle[time], lower[time] = mean + deviation, mean, mean - deviation
    return upper, middle, lower


def _vwap(bars: Sequence[Candle]) -> Values:
    values: Values = {}
    day, amount, volume = -1, 0.0, 0.0
    for bar in bars:
        today = datetime.fromtimestamp(bar["timestamp"], INDIA).timetuple().tm_yday
        if today != day:
            day, amount, volume = today, 0.0, 0.0
        amount += bar["close"] * bar["volume"]
        volume += bar["volume"]
        values[bar["timestamp"]] = amount / volume if volume else 0.0
    return values


def _relative_strength(bars: Sequence[Candle], length: int) -> Values:
    values: Values = {}
    gain = loss = 0.0
    before: float | None = None
    for place, bar in enumerate(reversed(bars)):
        change = 0.0 if before is None else bar["close"] - before
        before, seen = bar["close"], min(place, length - 1)
        gain = (gain * seen + max(change, 0.0)) / (seen + 1)
        loss = (loss * seen + max(-change, 0.0)) / (seen + 1)
        values[bar["timestamp"]] = gain / loss if loss else math.nan
    return values


def _widths(upper: Values, middle: Values, lower: Values) -> tuple[Values, Values, Values]:
    width: Values = {}
    normalized: Values = {}
    percentage: Values = {}
    for time, high in upper.items():
        wide = high - lower[time] if middle[time] else 0.0
        share = wide / middle[time] if middle[time] else 0.0
        width[time], normalized[time] = min(wide, 100.0), min(share, 10.0)
        percentage[time] = min(share * 100.0, 1_000.0)
    return width, normalized, percentage


def _joined(bar: Candle, maps: Mapping[str, Values], widths: Path | None) -> Candle:
    joined = dict(bar)
    for name, values in maps.items():
        value = values.get(bar["timestamp"], 0.0)
        if math.isnan(value) or math.isinf(value):
            value = 0.0
        if name not in UNROUNDED:
            value = _rounded(value, 4 if name in FOUR_DIGITS else 2)
        joined[name] = value
    if widths is not None:
        joined["lowest_bb_width"] = _lowest_width(widths, bar["instrument"])
    return joined


def _rounded(value: float, digits: int) -> float:
    """Round half away from zero."""
    scale = 10.0**digits
    return math.copysign(math.floor(abs(value) * scale + 0.5) / scale, value)


def _lowest_width(widths: Path, instrument: str) -> float:
    with widths.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["instrument_key"] == instrument:
                return float(row["lowest_min_bb_width"])
    raise KeyError(instrument)
