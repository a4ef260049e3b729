"""The old system's own kernels: ascending candles in, values from their seed on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tallow.core.errors import EngineError
from tallow.migrate.legacy.candles import Candle, TimedValues


def ema(candles: Sequence[Candle], length: int) -> TimedValues:
    """Return the exponential mean, seeded by the mean of the first `length` closes."""
    _require(candles, length)
    mean = sum(candle.close for candle in candles[:length]) / length
    values, weight = [(candles[length - 1].timestamp, mean)], 2.0 / (length + 1)
    for candle in candles[length:]:
        mean += (candle.close - mean) * weight
        values.append((candle.timestamp, mean))
    return values


def rsi(candles: Sequence[Candle], length: int) -> TimedValues:
    """Return Wilder's index; 100 where nothing falls, which a flat series is, too."""
    _require(candles, length + 1)
    changes = [new.close - old.close for old, new in pairwise(candles)]
    gain = sum(max(change, 0.0) for change in changes[:length]) / length
    loss = sum(max(-change, 0.0) for change in changes[:length]) / length
    values = [(candles[length].timestamp, _index(gain, loss))]
    for candle, change in zip(candles[length + 1 :], changes[length:], strict=True):
        gain = (gain * (length - 1) + max(change, 0.0)) / length
        loss = (loss * (length - 1) + max(-change, 0.0)) / length
        values.append((candle.timestamp, _index(gain, loss)))
    return values


def atr(candles: Sequence[Candle], length: int) -> TimedValues:
    """Return Wilder's mean of the true range, which starts at the second candle."""
    _require(candles, length + 1)
    ranges = [
        max(new.high - new.low, abs(new.high - old.close), abs(new.low - old.close))
        for old, new in pairwise(candles)
    ]
    mean = sum(ranges[:length]) / length
    values = [(candles[length].timestamp, mean)]
    for candle, each in zip(candles[length + 1 :], ranges[length:], strict=True):
        mean = (mean * (length - 1) + each) / length
        values.append((candle.timestamp, mean))
    return values


def volume_ma(candles: Sequence[Candle], length: int) -> TimedValues:
    """Return the mean of the last `length` volumes."""
    _require(candles, length)
    return [
        (candles[last - 1].timestamp, sum(c.volume for c in candles[last - length : last]) / length)
        for last in range(length, len(candles) + 1)
    ]


def _index(gain: float, loss: float) -> float:
    return 100.0 if loss == 0.0 else 100.0 - 100.0 / (1.0 + gain / loss)


def _require(candles: Sequence[Candle], least: int) -> None:
    if len(candles) < least:
        raise EngineError(
            f"legacy: {len(candles)} candles; must be {least} at least; ask for an earlier start"
        )
