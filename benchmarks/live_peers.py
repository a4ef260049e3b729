"""The default set kept up to date candle by candle by other libraries, one instrument at a time.

What they lack is written out: TA-Lib has no VWAP, Wickra's bands no width, and nobody's VWAP knows
when a session begins. Each returns the same twelve values per instrument, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import wickra
from talib import stream
from talipp.indicators import ATR, BB, EMA, RSI, SMA, VWAP
from talipp.ohlcv import OHLCV

Candle = tuple[float, float, float, float, float]
"""Open, high, low, close, volume."""

WARM_UP = 64
"""Candles of history that a TA-Lib handle is opened with: it takes at least its look-back."""


class Talipp:
    """Lists of values that grow, and are not purged: that would take time."""

    def __init__(self, instruments: int) -> None:
        self._all = [
            (SMA(9), BB(20, 2.0), VWAP(), EMA(5), EMA(9), EMA(50), ATR(14), RSI(14))
            for _ in range(instruments)
        ]

    def update(self, candles: Sequence[Candle]) -> list[tuple[Any, ...]]:
        """Take a candle of each instrument; return their values."""
        rows = []
        for each, (opens, high, low, close, volume) in zip(self._all, candles, strict=True):
            sma, bands, vwap, ema5, ema9, ema50, atr, rsi = each
            candle = OHLCV(opens, high, low, close, volume)
            for indicator in (sma, bands, ema5, ema9, ema50, rsi):
                indicator.add(close)
            vwap.add(candle)
            atr.add(candle)
            band = bands[-1]
            up, mid, down = (band.ub, band.cb, band.lb) if band else (None, None, None)
            wide = None if band is None else up - down
            percent = None if wide is None else 100.0 * wide / mid
            last = (ema5[-1], ema9[-1], ema50[-1], atr[-1], rsi[-1])
            rows.append((sma[-1], up, mid, down, wide, percent, vwap[-1], *last))
        return rows


class TalibHandles:
    """TA-Lib's handles, which do not look back; and two sums for the VWAP."""

    def __init__(self, history: Sequence[Any]) -> None:
        self._all = []
        for candles in history:
            high, low, close = (candles[:, place].copy() for place in (1, 2, 3))
            handles = (
                stream.SMA(close, 9),
                stream.BBANDS(close, 20, 2.0, 2.0),
                stream.EMA(close, 5),
                stream.EMA(close, 9),
                stream.EMA(close, 50),
                stream.ATR(high, low, close, 14),
                stream.RSI(close, 14),
            )
            typical = (candles[:, 1] + candles[:, 2] + candles[:, 3]) / 3.0
            sums = [float((typical * candles[:, 4]).sum()), float(candles[:, 4].sum())]
            self._all.append((*(handle.update for handle in handles), sums))

    def update(self, candles: Sequence[Candle]) -> list[tuple[Any, ...]]:
        """Take a candle of each instrument; return their values."""
        rows = []
        for each, (_, high, low, close, volume) in zip(self._all, candles, strict=True):
            sma, bands, ema5, ema9, ema50, atr, rsi, sums = each
            sums[0] += (high + low + close) / 3.0 * volume
            sums[1] += volume
            up, mid, down = bands(close)
            wide = up - down
            rows.append(
                (
                    sma(close),
                    up,
                    mid,
                    down,
                    wide,
                    100.0 * wide / mid,
                    sums[0] / sums[1],
                    ema5(close),
                    ema9(close),
                    ema50(close),
                    atr(high, low, close),
                    rsi(close),
                )
            )
        return rows


class Wickra:
    """Wickra's objects, their methods looked up once."""

    def __init__(self, instruments: int) -> None:
        def updates() -> tuple[Callable[..., Any], ...]:
            indicators = (
                wickra.SMA(9),
                wickra.BollingerBands(20, 2.0),
                wickra.VWAP(),
                wickra.EMA(5),
                wickra.EMA(9),
                wickra.EMA(50),
                wickra.ATR(14),
                wickra.RSI(14),
            )
            return tuple(indicator.update for indicator in indicators)

        self._all = [updates() for _ in range(instruments)]
        self._now = 0

    def update(self, candles: Sequence[Candle]) -> list[tuple[Any, ...]]:
        """Take a candle of each instrument; return their values."""
        rows, self._now = [], self._now + 1
        for each, (opens, high, low, close, volume) in zip(self._all, candles, strict=True):
            sma, bands, vwap, ema5, ema9, ema50, atr, rsi = each
            candle = (opens, high, low, close, volume, self._now)
            band = bands(close)
            up, mid, down = (None, None, None) if band is None else band[:3]
            wide = None if up is None else up - down
            percent = None if wide is None else 100.0 * wide / mid
            last = (ema5(close), ema9(close), ema50(close), atr(candle), rsi(close))
            rows.append((sma(close), up, mid, down, wide, percent, vwap(candle), *last))
        return rows
