"""The old system's wrappers around `cinar`, each of which assumes an order of the candles.

EMA, RSI, ATR and the bands reverse their input and their result: they are right for candles with
the newest first. SMA and VWAP do not, and are right for ascending ones. No order is right for all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from tallow.migrate.legacy import cinar
from tallow.migrate.legacy.candles import Candle, TimedValues, in_india, rounded

RSI_LENGTH = 14
BAND_LENGTH, BAND_MULTIPLIER = 20, 2.0
WIDTH_MAX, NORMALIZED_MAX, PERCENTAGE_MAX = 100.0, 10.0, 1_000.0
WIDTHS = ("bb_width", "bb_width_normalized", "bb_width_normalized_percentage")


def sma(candles: Sequence[Candle], length: int) -> TimedValues:
    """Return simple means in the given order: with the newest first, each looks ahead."""
    if len(candles) < length:
        return []
    return _with_times(candles, cinar.sma(length, [candle.close for candle in candles]))


def ema(candles: Sequence[Candle], length: int) -> TimedValues:
    """Return exponential means, computed from the last given candle to the first."""
    if len(candles) < length:
        return []
    return _with_times(candles, cinar.ema(length, _reversed_closes(candles))[::-1])


def rsi(candles: Sequence[Candle], length: int) -> TimedValues:
    """Return the old system's RSI: the relative strength over 14 rows, with two digits.

    There must be more than `length` candles; it has no other effect.
    """
    if len(candles) <= length:
        return []
    strength, _ = cinar.rsi(RSI_LENGTH, _reversed_closes(candles))
    return _with_times(candles, [rounded(value, 2) for value in reversed(strength)])


def atr(candles: Sequence[Candle], length: int) -> TimedValues:
    """Return the old system's ATR: high minus low; see `rsi` for `length`."""
    if len(candles) <= length:
        return []
    backwards = candles[::-1]
    ranges, _ = cinar.atr(
        length, [c.high for c in backwards], [c.low for c in backwards], _reversed_closes(candles)
    )
    return _with_times(candles, ranges[::-1])


def bollinger(
    candles: Sequence[Candle], length: int = BAND_LENGTH, multiplier: float = BAND_MULTIPLIER
) -> tuple[TimedValues, TimedValues, TimedValues]:
    """Return upper, middle and lower band, computed from the last given candle; zero in warm-up."""
    if len(candles) < length:
        return [], [], []
    bands = [(0.0, 0.0, 0.0)] * (length - 1)
    closes = _reversed_closes(candles)
    for last in range(length, len(closes) + 1):
        window = closes[last - length : last]
        mean = sum(window) / length
        squares = 0.0
        for close in window:
            squares += (close - mean) * (close - mean)
        width = multiplier * math.sqrt(squares / length)
        bands.append((mean + width, mean, mean - width))
    upper, middle, lower = zip(*reversed(bands), strict=True)
    return _with_times(candles, upper), _with_times(candles, middle), _with_times(candles, lower)


def vwap(candles: Sequence[Candle]) -> TimedValues:
    """Return the close averaged by volume in the given order; it restarts with the day of year."""
    values: TimedValues = []
    day, amount, volume = 0, 0.0, 0.0
    for candle in candles:
        today = in_india(candle.timestamp).timetuple().tm_yday
        if today != day:
            day, amount, volume = today, 0.0, 0.0
        amount += candle.close * candle.volume
        volume += candle.volume
        values.append((candle.timestamp, amount / volume if volume else 0.0))
    return values


def widths(
    upper: TimedValues, middle: TimedValues, lower: TimedValues
) -> tuple[TimedValues, TimedValues, TimedValues]:
    """Return the width in rupees, as a share and as percent of the middle, all with a limit."""
    width: TimedValues = []
    normalized: TimedValues = []
    percentage: TimedValues = []
    for (time, high), (_, mid), (_, low) in zip(upper, middle, lower, strict=True):
        is_band = mid != 0.0 and high >= low
        share = _limit((high - low) / mid, NORMALIZED_MAX) if is_band else 0.0
        width.append((time, _limit(high - low, WIDTH_MAX) if is_band else 0.0))
        normalized.append((time, share))
        percentage.append((time, _limit(100.0 * share, PERCENTAGE_MAX)))
    return width, normalized, percentage


def indicators(candles: Sequence[Candle], *emas: int) -> dict[str, TimedValues]:
    """Return every series by its old name, as its kernel computes it from the given order."""
    upper, middle, lower = bollinger(candles)
    bands = {"bb_upper": upper, "bb_middle": middle, "bb_lower": lower}
    series = {"ma_9": sma(candles, 9), **bands, "vwap": vwap(candles)}
    series |= {f"ema_{length}": ema(candles, length) for length in emas}
    series |= {"atr": atr(candles, 14), "rsi": rsi(candles, 14)}
    wide = widths(upper, middle, lower)
    return series | dict(zip(WIDTHS, wide, strict=True))


def _limit(value: float, most: float) -> float:
    return min(value, most) if math.isfinite(value) and value >= 0.0 else 0.0


def _reversed_closes(candles: Sequence[Candle]) -> list[float]:
    return [candle.close for candle in reversed(candles)]


def _with_times(candles: Sequence[Candle], values: Iterable[float]) -> TimedValues:
    return [(candle.timestamp, value) for candle, value in zip(candles, values, strict=True)]
