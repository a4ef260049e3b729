"""Engines on our own bars: ours, and TA-Lib, which therefore differs only in the indicators."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import polars as pl

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import TallowWarning
from tallow.core.limits import CALENDARS_MAX
from tallow.core.timeframe import parse_timeframe
from tallow.data.kernels.aggregate import NoTrade
from tallow.data.kernels.anchors import anchor_columns, anchor_table
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import CANDLE_KEY, NUMBERS, time_view
from tallow.engine import AnalyticsEngine
from tallow.migrate.engines.library import TalibLibrary
from tallow.migrate.engines.talib_calls import DERIVED, calls_for
from tallow.migrate.protocol import Request
from tallow.plan.plan import Operation, make_plan
from tallow.runtime.bar_frames import BAR_COLUMNS
from tallow.runtime.ranges import Range
from tallow.runtime.results import failure_text

BARS = (*CANDLE_KEY, *NUMBERS)

NO_SERIES = ("open_interest", "candles", "is_final")
"""Columns of bars that are no part of an answer."""


def analytics_engine(request: Request) -> AnalyticsEngine:
    """Return this process's engine for the calendar and the conventions of a request."""
    return _engine_of(request.no_trade, None, convention=request.convention, **request.venue)


@lru_cache(maxsize=CALENDARS_MAX)
def _engine_of(no_trade: NoTrade, threads: int | None, **others: Any) -> AnalyticsEngine:
    return AnalyticsEngine(**others, no_trade=no_trade, threads=threads)


_shared: ContextVar[dict[tuple[Any, ...], tuple[pl.DataFrame, pl.DataFrame]] | None]
_shared = ContextVar("shared", default=None)


@contextmanager
def shared_bars() -> Iterator[None]:
    """Aggregate the candles of a request once while this lasts, whoever asks `bars_of`."""
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def bars_of(
    request: Request, no_trade: NoTrade | None = None, threads: int | None = None
) -> pl.DataFrame:
    """Return the bars of all candles of a request, without indicators."""
    no_trade = no_trade or request.no_trade
    sizes = (request.timeframe, request.source_timeframe)
    # By the frame itself, which is kept with its bars: no other frame gets its number meanwhile.
    shared = _shared.get()
    key = (id(request.candles), *sizes, no_trade, *request.venue.values())
    if shared is not None and key in shared:
        return shared[key][1]
    engine = _engine_of(no_trade, threads, **request.venue)
    bars: pl.DataFrame = engine.process_candles(
        request.candles, sizes[0], (), source_timeframe=sizes[1]
    ).frame
    if shared is not None:
        shared[key] = (request.candles, bars)
    return bars


class TallowEngine:
    """`AnalyticsEngine.process_candles`, as a request wants it."""

    name = "tallow"

    @property
    def version(self) -> str:
        """The package's version."""
        return f"tallow {version('tallow')}"

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the requested bars; see `Engine.answer`. Warns of failed instruments."""
        result = analytics_engine(request).process_candles(
            request.candles,
            request.timeframe,
            request.indicators,
            start=request.start,
            end=request.end,
            source_timeframe=request.source_timeframe,
        )
        if result.report.failures:
            warnings.warn(failure_text(result.report.failures), TallowWarning, stacklevel=2)
        frame: pl.DataFrame = result.frame.drop(NO_SERIES, strict=False)
        return frame


class TalibEngine:
    """Our bars with TA-Lib's indicators, with its seeds and flat cases."""

    def __init__(self, library: TalibLibrary) -> None:
        self._library = library
        self.name = library.name

    @property
    def version(self) -> str:
        """The versions of TA-Lib and Tallow."""
        return f"{self._library.version}, tallow {version('tallow')}"

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the requested bars; see `Engine.answer`."""
        engine = analytics_engine(request)
        bars = bars_of(request).select(BARS)
        plan = make_plan(request.indicators, "talib", BAR_COLUMNS)
        bars = bars.hstack(_anchors(bars, plan.anchors, engine.calendars, request.timeframe))
        for operation in plan.operations:
            bars = self._add_indicator(bars, operation)
        columns = [column for column in plan.columns if column in bars.columns]
        wanted = Range.of(request.start, request.end, None)
        return wanted.cut(bars.select(*BARS, *columns), engine.calendars)

    def _add_indicator(self, bars: pl.DataFrame, operation: Operation) -> pl.DataFrame:
        """Return `bars` with an indicator's columns, if TA-Lib has it, and all it is made of."""
        name, values = operation.indicator.name, operation.values
        calls = calls_for(name, values)
        is_family = operation.indicator.family is not None
        if not calls or not (is_family or {operation.source} <= {None, *bars.columns}):
            return bars
        rows, places = (bars, None) if is_family else _source_rows(bars, operation)
        answers = [self._library.outputs(rows, call, values) for call in calls]
        found = pl.concat([rows.select(bar_close="close"), *answers], how="horizontal")
        there = {output for call in calls for output in call.outputs}
        outputs = _output_names(operation)
        columns = {
            column: DERIVED.get((name, output), pl.col(output))
            for output, column in zip(outputs, operation.columns, strict=True)
            if column is not None and (output in there or (name, output) in DERIVED)
        }
        made = found.select(**columns).fill_nan(None)
        return bars.hstack(made if places is None else made.select(pl.all().gather(places)))


def _output_names(operation: Operation) -> list[str]:
    """Return the outputs that an operation has columns for: of a family's member, one."""
    outputs, given = operation.indicator.outputs, tuple(operation.parameters.tolist())
    is_family = operation.indicator.family is not None
    return [
        output.name
        for output in outputs
        if not is_family or (output.packed is not None and output.packed[1] == given)
    ]


def _source_rows(bars: pl.DataFrame, operation: Operation) -> tuple[pl.DataFrame, pl.Series | None]:
    """Return the rows that an operation sees, its source in the place of its own input.

    And each bar's place among them, null where it is none; None where they are all bars.
    """
    own = operation.indicator.input_names(operation.values)
    given = zip(own, operation.inputs, strict=True)
    others = {name: pl.col(taken) for name, taken in given if name != taken}
    if operation.source is None:
        return bars.with_columns(**others), None
    known = bars[operation.source].is_not_null()
    places = bars.select(pl.when(known).then(known.cum_sum() - 1)).to_series()
    return bars.filter(known).with_columns(**others), places


def _anchors(
    bars: pl.DataFrame, wanted: Sequence[str], calendars: CalendarAssignment, timeframe: str
) -> pl.DataFrame:
    """Return what calendars say of each bar, such as its session, for indicators that take it."""
    names, offsets = instrument_runs(bars)
    columns = anchor_columns(
        anchor_table(calendars.calendars, parse_timeframe(timeframe)),
        wanted,
        time_view(bars),
        offsets,
        calendars.indices(names),
    )
    return pl.DataFrame(columns)
