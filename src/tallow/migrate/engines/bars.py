"""Engines over our own bars: ours, and TA-Lib, which thus differs from it in indicators alone."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import version

import polars as pl

from tallow.core.calendars import Beyond
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import TallowWarning
from tallow.core.limits import CALENDARS_MAX
from tallow.data.anchors import anchor_columns, anchor_table
from tallow.data.rules import time_view
from tallow.data.runs import instrument_runs
from tallow.engine import AnalyticsEngine
from tallow.migrate.engines.library import DERIVED, Library, calls_for
from tallow.migrate.protocol import Request
from tallow.plan.plan import Operation, make_plan
from tallow.runtime.batch import BAR_COLUMNS
from tallow.runtime.ranges import Range
from tallow.runtime.results import failure_text

BARS = ("instrument", "timestamp", "open", "high", "low", "close", "volume")


def analytics_engine(request: Request) -> AnalyticsEngine:
    """Return this process's engine for the calendar of a request."""
    return _engine_of(*request.venue.values())


@lru_cache(maxsize=CALENDARS_MAX)
def _engine_of(calendar: str, calendar_dates: str | None, beyond: Beyond) -> AnalyticsEngine:
    return AnalyticsEngine(calendar, calendar_dates=calendar_dates, beyond_coverage=beyond)


class TallowEngine:
    """`AnalyticsEngine.process_candles`, with its defaults."""

    name = "tallow"

    @property
    def version(self) -> str:
        """The package's version."""
        return f"tallow {version('tallow')}"

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the bars asked for; see `Engine.answer`. A failed instrument is warned of."""
        result = analytics_engine(request).process_candles(
            request.candles,
            request.timeframe,
            request.indicators,
            start=request.start,
            end=request.end,
        )
        if result.report.failures:
            warnings.warn(failure_text(result.report.failures), TallowWarning, stacklevel=2)
        others = ("open_interest", "candles", "is_final")
        frame: pl.DataFrame = result.frame.drop(others, strict=False)
        return frame


class TalibEngine:
    """Our bars and TA-Lib's indicators, with its own seeds and flat cases."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self.name = library.name

    @property
    def version(self) -> str:
        """The versions of both packages."""
        return f"{self._library.version}, tallow {version('tallow')}"

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the bars asked for; see `Engine.answer`."""
        engine = analytics_engine(request)
        made = engine.aggregate_timeframes(request.candles, request.timeframe)
        bars = next(iter(made.values())).select(BARS)
        plan = make_plan(request.indicators, "talib", BAR_COLUMNS)
        bars = bars.hstack(_anchors(bars, plan.anchors, engine.calendars))
        for operation in plan.operations:
            bars = self._with(bars, operation)
        known = [column for column in plan.columns if column in bars.columns]
        wanted = Range.of(request.start, request.end, None)
        return wanted.cut(bars.select(*BARS, *known), engine.calendars)

    def _with(self, bars: pl.DataFrame, operation: Operation) -> pl.DataFrame:
        """Return `bars` with the columns of an indicator, where TA-Lib has it."""
        name = operation.indicator.name
        calls = calls_for(name, operation.values)
        if not calls:
            return bars
        answers = [self._library.outputs(bars, call, operation.values) for call in calls]
        made = pl.concat([bars.select("close"), *answers], how="horizontal")
        outputs = [output.name for output in operation.indicator.outputs]
        columns = {
            column: DERIVED.get((name, output), pl.col(output))
            for output, column in zip(outputs, operation.columns, strict=True)
            if column is not None
        }
        return bars.hstack(made.select(**columns).fill_nan(None))


def _anchors(
    bars: pl.DataFrame, wanted: Sequence[str], calendars: CalendarAssignment
) -> pl.DataFrame:
    """Return the session, week or month of each bar, where an indicator begins anew with it."""
    names, offsets = instrument_runs(bars)
    found = anchor_columns(
        anchor_table(calendars.calendars), wanted, time_view(bars), offsets, calendars.places(names)
    )
    return pl.DataFrame(found)
