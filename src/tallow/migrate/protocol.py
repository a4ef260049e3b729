"""What an engine is to a migration: candles in, one frame of bars with indicators out.

The old engine, this one, TA-Lib and a user's own all stand behind `Engine`; whatever compares
them sees nothing else of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import polars as pl

from tallow.core.calendars import Beyond
from tallow.runtime.ranges import Moment


@dataclass(frozen=True)
class Request:
    """What is asked of an engine.

    Parameters
    ----------
    candles
        A candle frame of one-minute candles, sorted by instrument and timestamp, unique in them
        (`Candles.frame`): all that is known, from before the range too.
    start, end
        Bars to answer: ``start <= open < end``; a bare date is a session, included at both ends.
    calendar_dates, beyond_coverage
        As in `tallow.core.calendars.load_calendar`, for Tallow's own bars and sessions.
    """

    candles: pl.DataFrame
    timeframe: str = "5m"
    indicators: str = "default"
    calendar: str = "XNSE"
    start: Moment | None = None
    end: Moment | None = None
    calendar_dates: str | None = None
    beyond_coverage: Beyond = "assume"

    @property
    def venue(self) -> dict[str, Any]:
        """When the venue trades, as keyword arguments of `tallow.AnalyticsEngine`."""
        names = ("calendar", "calendar_dates", "beyond_coverage")
        return {name: getattr(self, name) for name in names}


@runtime_checkable
class Engine(Protocol):
    """Something that answers a `Request`."""

    @property
    def name(self) -> str:
        """Short name for tables: ``legacy``."""

    @property
    def version(self) -> str:
        """What exactly answers; kept beside every mismatch."""

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the bars asked for.

        Returns
        -------
        polars.DataFrame
            Sorted by ``instrument`` (string) and ``timestamp`` (datetime[us, UTC], a bar's open),
            unique in them; float64 ``open`` to ``volume`` where the engine tells them, and a
            float64 column per series under this engine's names (``sma_9``, ``rsi_14``). Null where
            there is no value; a series that the engine does not have is no column.

        Raises
        ------
        TallowError
            Where the engine cannot answer: what, and what to do.
        """
