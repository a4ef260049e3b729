"""The bars of one instrument that an indicator may have been computed from, as arrays.

Those of the request's candles, and those that a side reported, with corrected labels.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.operator import OF_CALENDAR
from tallow.core.time import MINUTE_US, SECOND_US
from tallow.core.timeframe import parse_timeframe
from tallow.data.kernels.anchors import (
    anchor_columns,
    anchor_table,
    moment_columns,
    moment_starts,
)
from tallow.data.reading.schema import NUMBERS
from tallow.migrate.causes.rounding import PrintedValues
from tallow.migrate.engines.bars import analytics_engine, bars_of
from tallow.migrate.protocol import Request
from tallow.plan.plan import make_plan

ZONE_US = 330 * MINUTE_US
"""India's offset from UTC: labels that were read in the wrong zone are off by it."""

LABEL_STEPS = 3
"""Most bars by which a shift of the labels is looked for, in both directions."""


@dataclass(frozen=True, eq=False)
class Bars:
    """Bars of one instrument, in the order of computation: oldest first, or newest if reversed."""

    time: Times
    """Shape (rows,), int64, microseconds since 1970 in UTC."""
    columns: dict[str, Floats]
    """Float64 (rows,) by name, NaN where there is no value: `NUMBERS`, or those in the answer."""
    periods: dict[str, Floats]
    """Number of each row's session, week and month, and which moments are past, float64 (rows,)."""

    def __len__(self) -> int:
        return len(self.time)

    @cached_property
    def key(self) -> bytes:
        """A key that is equal for bars with the same content."""
        return b"".join([self.time.tobytes(), *(c.tobytes() for c in self.columns.values())])

    @cached_property
    def backward(self) -> Bars:
        """The same bars, newest first."""
        parts = ({k: v[::-1].copy() for k, v in d.items()} for d in (self.columns, self.periods))
        return Bars(self.time[::-1].copy(), *parts)

    @cached_property
    def typical(self) -> Bars:
        """The bars with the mean of high, low and close instead of the close."""
        mean = (self.columns["high"] + self.columns["low"] + self.columns["close"]) / 3.0
        return replace(self, columns=self.columns | {"close": mean})

    def equals(self, other: Bars, names: Collection[str]) -> bool:
        """Return whether the times and the named columns are the same in both."""
        same = [np.array_equal(self.columns[n], other.columns[n], equal_nan=True) for n in names]
        return np.array_equal(self.time, other.time) and all(same)

    def select(self, rows: slice) -> Bars:
        """Return some rows, as views."""
        parts = ({k: v[rows] for k, v in d.items()} for d in (self.columns, self.periods))
        return Bars(self.time[rows], *parts)

    def find_rows(self, times: Times) -> Ints:
        """Return each time's row, or -1 where no bar opens then; for bars in rising order."""
        if not len(self.time):
            return np.full(len(times), -1)
        rows = np.minimum(np.searchsorted(self.time, times), len(self.time) - 1)
        return np.where(self.time[rows] == times, rows, -1)


def read_bars(frame: pl.DataFrame) -> Bars:
    """Return the bars in a frame of one instrument, with the columns that it has."""
    names = [name for name in NUMBERS if name in frame.columns]
    columns = {n: frame[n].cast(pl.Float64).fill_null(float("nan")).to_numpy() for n in names}
    times = frame["timestamp"].dt.timestamp("us").to_numpy()
    return Bars(times, columns, {})


def overlay(below: Bars, above: Bars) -> Bars:
    """Return `below`, with all rows between the first and last time of `above` replaced by it."""
    if not len(above):
        return below
    first, last = np.searchsorted(below.time, [above.time[0], above.time[-1] + 1])
    columns = {
        name: np.concatenate([below.columns[name][:first], column, below.columns[name][last:]])
        for name, column in above.columns.items()
        if name in below.columns
    }
    time = np.concatenate([below.time[:first], above.time, below.time[last:]])
    return Bars(time, columns, {})


class RequestBars:
    """The bars of a request's candles, with and without fillers, and its minutes."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.minutes = split_by_instrument(request.candles)
        self._calendars = analytics_engine(request).calendars
        # On this thread alone: a worker of a shadow has little memory, and threads reserve some.
        self._dropped: dict[str, pl.DataFrame] = {}
        if len(request.candles):
            self._dropped = split_by_instrument(bars_of(request, "drop", 1))
        self._kept = self._dropped
        # A filler has no volume: where every candle has some, both kinds of bars are the same.
        if len(request.candles) and not (request.candles["volume"] > 0.0).all():
            self._kept = split_by_instrument(bars_of(request, "keep", 1))

    def of(self, instrument: str) -> tuple[Bars, Bars]:
        """Return an instrument's bars: without fillers, and of all its candles."""
        frames = [each.get(instrument) for each in (self._dropped, self._kept)]
        dropped, kept = (NO_BARS if frame is None else frame for frame in frames)
        without = self.with_periods(instrument, read_bars(dropped))
        if kept is dropped:
            return without, without
        return without, self.with_periods(instrument, read_bars(kept))

    def with_periods(self, instrument: str, bars: Bars) -> Bars:
        """Return the bars with what calendars say of them, and the moments asked for."""
        known, size = self._calendars.calendars, parse_timeframe(self.request.timeframe)
        where = bars.time, np.array([0, len(bars)]), self._calendars.indices([instrument])
        periods = anchor_columns(anchor_table(known, size), OF_CALENDAR, *where)
        moments = make_plan(self.request.indicators).moments
        periods |= moment_columns(moments, moment_starts(moments, known), *where)
        return replace(bars, periods=periods)


NO_BARS = pl.DataFrame(
    schema={"timestamp": pl.Datetime("us", "UTC"), **dict.fromkeys(NUMBERS, pl.Float64)}
)


def split_by_instrument(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Return the rows of each instrument, in their order."""
    if not len(frame):
        return {}
    parts = frame.partition_by("instrument", as_dict=True)
    return {str(name): part for (name,), part in parts.items()}


@dataclass(frozen=True)
class ReportedBars:
    """The bars that one side reported of one instrument, and those it may have computed from."""

    lag: int
    """Microseconds by which its labels are late; negative where they are early."""
    bars: Bars
    """Its bars with the columns it reported and corrected labels; none where it reported none."""
    histories: tuple[Bars, ...]
    """Whole histories of bars, each different: the candles' bars with its own in place of them
    where it reported any, those without fillers, those with them."""


def read_reported(
    instrument: str, answer: pl.DataFrame, request_bars: RequestBars, dropped: Bars, kept: Bars
) -> ReportedBars:
    """Read what one side reported of `instrument`: its rows of the answer, sorted by time.

    `dropped` and `kept` are the candles' bars, without fillers and with them.
    """
    agreement = _Agreement(read_bars(answer), dropped, kept)
    lag = _find_lag(agreement, request_bars.request.timeframe)
    bars = replace(agreement.reported, time=agreement.reported.time - lag)
    histories = [dropped, kept]
    if set(bars.columns) == set(NUMBERS):
        # Outside its own rows it is assumed to treat fillers as it does in them.
        without, with_them = agreement.at(lag)
        whole = overlay(kept if with_them > without else dropped, bars)
        histories.insert(0, request_bars.with_periods(instrument, whole))
    different = {each.key: each for each in histories if len(each)}
    return ReportedBars(lag, bars, tuple(different.values()))


class _Agreement:
    """The share of reported rows that are a bar with the same values, as far as reported."""

    def __init__(self, reported: Bars, dropped: Bars, kept: Bars) -> None:
        self.reported, self.dropped, self.kept = reported, dropped, kept
        self._printed = {n: PrintedValues(c, 0.0) for n, c in reported.columns.items()}
        self._found: dict[int, tuple[float, float]] = {}

    def at(self, lag: int) -> tuple[float, float]:
        """Return the share among bars without fillers, and with them, if labels are so late."""
        if lag not in self._found:
            share = self._share(self.dropped, lag)
            same = self.kept is self.dropped
            self._found[lag] = (share, share if same else self._share(self.kept, lag))
        return self._found[lag]

    def best_at(self, lag: int) -> float:
        """Return the larger share."""
        return max(self.at(lag))

    def _share(self, bars: Bars, lag: int) -> float:
        rows = bars.find_rows(self.reported.time - lag)
        found = rows >= 0
        same: Flags = found.copy()
        if len(bars):
            for name, printed in self._printed.items():
                same &= ~found | printed.fit(bars.columns[name][rows]).explained
        return float(same.mean()) if len(same) else 0.0


def _find_lag(agreement: _Agreement, timeframe: str) -> int:
    """Return by how much the labels are late: where the same bars are found among the candles'."""
    reported, kept = agreement.reported, agreement.kept
    if not len(reported) or not len(kept):
        return 0
    usual = agreement.best_at(0)
    if usual == 1.0:
        return 0
    best = max(_possible_lags(reported.time, kept.time, timeframe), key=agreement.best_at)
    # Half of the rows: a market that does not move agrees with itself at any label.
    return best if agreement.best_at(best) > max(usual, 0.5) else 0


def _possible_lags(reported: Times, times: Times, timeframe: str) -> list[int]:
    size = parse_timeframe(timeframe).minutes * MINUTE_US
    whole = [steps * size for n in range(1, LABEL_STEPS + 1) for steps in (n, -n)]
    ends = [size - MINUTE_US, size - SECOND_US, size - 1_000, size - 1] if size else []
    at_the_ends = [int(reported[0] - times[0]), int(reported[-1] - times[-1])]
    return [*whole, *ends, ZONE_US, -ZONE_US, *at_the_ends]
