"""The old analysers as an engine: their numbers for our bars of days, under our names."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TypeVar

import polars as pl

from tallow.core.errors import EngineError
from tallow.core.spec import Spec, parse_specs
from tallow.core.time import SECOND_US
from tallow.core.timeframe import parse_timeframe
from tallow.data.reading.schema import NUMBERS
from tallow.migrate.engines.bars import BARS, analytics_engine, bars_of
from tallow.migrate.legacy import trends
from tallow.migrate.legacy.candles import Candle
from tallow.migrate.protocol import Request
from tallow.runtime.ranges import Range

T = TypeVar("T")

OWN = {"length": trends.EMA_LENGTH, "threshold": trends.THRESHOLD}
"""Of `trend_state`: what the old system has no other values of."""


class LegacyTrendsEngine:
    """The old trend strength, volatility and trend, beside `trend_strength` and so on of ours.

    Each row is what the old system answers for as many days as our indicator looks back on, or for
    those that there are.
    """

    name = "legacy_trends"

    @property
    def version(self) -> str:
        """The state of the old system, and the version that re-creates it."""
        return f"July 2025, by tallow {version('tallow')}"

    def answer(self, request: Request) -> pl.DataFrame:
        """Return the requested bars; see `Engine.answer`.

        `EngineError` if the timeframe is not a day.
        """
        if parse_timeframe(request.timeframe).text != "1d":
            raise EngineError(
                f"legacy_trends: timeframe={request.timeframe}; the old system analyses candles of "
                "1d only; compare at 1d"
            )
        bars = bars_of(request).select(BARS)
        specs = parse_specs(request.indicators)
        parts = bars.partition_by("instrument", maintain_order=True)
        frame = pl.concat([_analysed(part, specs) for part in parts or [bars]])
        return Range.of(request.start, request.end, None).cut(
            frame, analytics_engine(request).calendars
        )


def _analysed(bars: pl.DataFrame, specs: Sequence[Spec]) -> pl.DataFrame:
    """Return an instrument's bars with what the old system has of each spec."""
    times = (bars["timestamp"].to_physical() // SECOND_US).to_list()
    rows = zip(times, *(bars[name].to_list() for name in NUMBERS), strict=True)
    days = [Candle(*row) for row in rows]
    columns = []
    for spec in specs:
        named = dict(zip(spec.outputs, spec.columns, strict=True))
        made = {named[o]: values for o, values in _series(spec, days).items() if o in named}
        columns += [pl.Series(name, values, pl.Float64) for name, values in made.items()]
    return bars.with_columns(columns).fill_nan(None)


def _series(spec: Spec, days: list[Candle]) -> dict[str, list[float]]:
    """Return what the old system has of an indicator's outputs."""
    values, name = dict(spec.values), spec.indicator.name
    if spec.source is not None:
        return {}
    closes = [day.close for day in days]
    if name == "trend_strength":
        windows = _newest_first(closes, int(values["length"]))
        return {"strength": [trends.trend_strength(window) for window in windows]}
    if name == "realised_volatility":
        windows = _newest_first(closes, int(values["length"]) + 1)
        return {name: [trends.volatility(window) for window in windows]}
    if name == "trend_state" and OWN.items() <= values.items():
        count = int(values["window"])
        averages = _newest_first(trends.last_averages(days), count)
        pairs = zip(averages, _newest_first(closes, count), strict=True)
        states = [trends.trend(*pair) for pair in pairs]
        return {name: [state for state, _ in states], "share": [share for _, share in states]}
    return {}


def _newest_first(values: list[T], count: int) -> list[list[T]]:
    """Return of each row the last `count` values, or those there are, the newest first."""
    return [values[max(0, row + 1 - count) : row + 1][::-1] for row in range(len(values))]
