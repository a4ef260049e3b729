"""Whose candles a question is about: those that are given with it, or the store of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import ParameterError, excerpt
from tallow.data.reading.candles import Candles
from tallow.data.reading.readers import open_candles

if TYPE_CHECKING:
    from tallow.runtime.query import StoreQueries


class AskedEngine(Protocol):
    """What an engine has whose store may be asked."""

    calendars: CalendarAssignment
    _queries: StoreQueries | None


def candles_or_store(
    engine: AskedEngine, candles: Any, given: Any, what: str
) -> Candles | StoreQueries:
    """Return the candles that are given, or the store's questions where there are none.

    `ParameterError` where there is neither, or a store is told how to read candles.
    """
    if candles is not None:
        opened = open_candles(candles, calendar=engine.calendars, **given)
        return opened if isinstance(opened, Candles) else opened.read()
    if engine._queries is None:
        raise ParameterError(
            f"{what}: candles=None, and the engine has no store; give candles=, or "
            'AnalyticsEngine(store="folder")'
        )
    for name, value in given.items():
        if name != "source_timeframe" and value not in (None, False, "open"):
            raise ParameterError(
                f"{what}: {name}={excerpt(value)}; says how candles are read that are given, "
                "and a store has read its own; leave it out"
            )
    return engine._queries
