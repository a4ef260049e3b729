"""Indicators as the old system stores them with the minutes it fetches."""

from __future__ import annotations

from collections.abc import Sequence

from tallow.migrate.legacy.answer import EMAS, fields
from tallow.migrate.legacy.candles import Candle, LegacyRow, between
from tallow.migrate.legacy.kernels import indicators
from tests.migrate.legacy.reading import MINUTE

ENOUGH = 200
"""Candles of a day from which on no history is fetched."""


def ingested(chunk: Sequence[Candle]) -> list[LegacyRow]:
    """Return a fetched chunk, newest first, with its indicators.

    Nothing before the chunk is known, so each starts its warm-up anew. Nothing is rounded but
    ``rsi``, and what is not finite stays.
    """
    return _with_indicators(chunk, chunk)


def intraday(latest: Sequence[Candle], stored: Sequence[Candle]) -> list[LegacyRow]:
    """Return today's minutes, newest first, with their indicators.

    Where there are few, older ones of `stored` (ascending) are put before them, which mixes the
    orders: kernels that reverse run through today first, and know no history.
    """
    if len(latest) >= ENOUGH:
        return ingested(latest)
    newest = latest[0].timestamp
    history = between(stored, newest - (ENOUGH - len(latest)) * MINUTE, newest)
    return _with_indicators(latest, [*history, *latest])


def latest_time(latest: Sequence[Candle]) -> int:
    """Return what the old system takes for the newest time of minutes that come newest first.

    It is the oldest, so that bars are always made for 09:15, of one minute.
    """
    return latest[-1].timestamp


def _with_indicators(wanted: Sequence[Candle], known: Sequence[Candle]) -> list[LegacyRow]:
    # Of a time that comes twice the later row wins: today's.
    maps = {name: dict(series) for name, series in indicators(known, *EMAS).items()}
    return [
        {**fields(candle), **{name: of.get(candle.timestamp, 0.0) for name, of in maps.items()}}
        for candle in wanted
    ]
