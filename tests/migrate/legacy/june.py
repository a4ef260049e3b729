"""The indicators of June 2025, when every kernel ran from the newest candle to the oldest."""

from __future__ import annotations

from collections.abc import Sequence

from tallow.migrate.legacy.answer import fields
from tallow.migrate.legacy.candles import Candle, LegacyRow
from tallow.migrate.legacy.kernels import bollinger, sma, vwap, widths
from tests.migrate.legacy import textbook

BAND = 20


def stored_in_june(minutes: Sequence[Candle]) -> list[LegacyRow]:
    """Return a whole table of ascending minutes with its indicators, ascending.

    Every value looks ahead; the newest rows, where a kernel has no seed yet, hold zeros.
    """
    backwards = minutes[::-1]
    # The bands reverse what they are given, so they are given what is to be run through backwards.
    upper, middle, lower = bollinger(minutes)
    _, normalized, _ = widths(upper, middle, lower)
    maps = {
        "ma_9": dict(sma(backwards, 9)[8:]),
        "bb_upper": dict(upper),
        "bb_middle": dict(middle),
        "bb_lower": dict(lower),
        "vwap": dict(vwap(backwards)),
        "bb_width": dict(normalized),
    }
    for name, kernel, length, least in (
        ("ema_5", textbook.ema, 5, 5),
        ("ema_9", textbook.ema, 9, 9),
        ("ema_50", textbook.ema, 50, 50),
        ("atr", textbook.atr, 14, 15),
        ("rsi", textbook.rsi, 14, 15),
    ):
        maps[name] = dict(kernel(backwards, length)) if len(backwards) >= least else {}
    return [
        {**fields(minute), **{name: of.get(minute.timestamp, 0.0) for name, of in maps.items()}}
        for minute in minutes
    ]
