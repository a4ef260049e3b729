"""The protocol of engines in a migration: candles in, one frame of bars with indicators out.

The old engine, this one, TA-Lib and users' engines all implement `Engine`, and comparisons use
nothing else of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import polars as pl

from tallow.core.calendars import Beyond
from tallow.core.moments import Moment
from tallow.data.kernels.aggregate import NoTrade
from tallow.data.universe import Universe


@dataclass(frozen=True)
class Request:
    """A request to an engine.

    Parameters
    ----------
    candles
        A frame of candles that last `source_timeframe`, sorted by instrument and timestamp, unique
        in them (`Candles.frame`): all that are known, also from before the range.
    start, end
        Bars to return, as in `tallow.AnalyticsEngine.process_candles`; in a comparison, engines
        get dates and instants in UTC.
    calendar_dates, beyond_coverage
        As in `tallow.core.calendars.load_calendar`, for Tallow's own bars and sessions.
    convention, no_trade
        As in `tallow.AnalyticsEngine`, for Tallow's own values and bars.
    universe
        In a comparison: a `Universe`, or a file of one. Engines are given the candles of those who
        are ever members, and of their answers the bars on whose dates they are so count.
    """

    candles: pl.DataFrame
    timeframe: str = "5m"
    indicators: str = "default"
    calendar: str = "XNSE"
    start: Moment | None = None
    end: Moment | None = None
    calendar_dates: str | None = None
    beyond_coverage: Beyond = "assume"
    source_timeframe: str = "1m"
    convention: str = "tradingview"
    no_trade: NoTrade = "drop"
    universe: str | Path | Universe | None = None

    @property
    def venue(self) -> dict[str, Any]:
        """When the venue trades, as keyword arguments of `tallow.AnalyticsEngine`."""
        names = ("calendar", "calendar_dates", "beyond_coverage")
        return {name: getattr(self, name) for name in names}


@runtime_checkable
class Engine(Protocol):
    """An engine, which answers a `Request`."""

    @property
    def name(self) -> str:
        """Short name for tables: ``legacy``."""

    @property
    def version(self) -> str:
        """The exact version of the engine; kept with every mismatch."""

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the requested bars.

        Returns
        -------
        polars.DataFrame
            Sorted by ``instrument`` (string) and ``timestamp`` (datetime[us, UTC], a bar's open),
            unique in them; float64 ``open`` to ``volume`` if the engine has them, and a float64
            column per series under our names (``sma_9``, ``rsi_14``). Null where there is no value;
            no column for a series that the engine does not have.

        Raises
        ------
        TallowError
            If the engine cannot answer, with the reason and what to do.
        """
