"""One timeframe of all instruments: states in flat arrays, bars and indicators as they change.

Every operation has two states: after the last closed bar, and after the open one. A candle that
opens a bar turns the second into the first; one that goes into the open bar runs the bar's row
again, from the first. So an update costs one row per instrument, whatever the timeframe.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.timeframe import Timeframe, parse_timeframe, require_multiple
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.buckets import bucket_table
from tallow.data.kernels.live_rows import roll_states
from tallow.plan.plan import Plan
from tallow.runtime.live.bar_rows import BAR_FIELDS, BarRows
from tallow.runtime.live.indicator_kernels import IndicatorKernels, StateArrays
from tallow.runtime.operations import fresh_states

SOURCE = parse_timeframe("1m")
_BAR = slice(bars.BAR, bars.BAR + len(BAR_FIELDS))
"""Where the open bar lies in an instrument's state of `tallow.data.kernels.aggregate`."""


class TimeframeState:
    """The states of one timeframe.

    Attributes
    ----------
    now
        State of all instruments; see `StateArrays`.
    forming
        Per operation, the state after the open bar.
    before, touched
        State of the bars before each instrument's newest candle, and whether that is in a bar.
    shown
        float64 ``[columns, instruments]``, the indicators of each instrument's last bar.
    final, revision
        Whether that bar has closed, and the update that changed it last.
    kernels
        Fill in the indicators.
    """

    def __init__(
        self,
        size: Timeframe,
        plan: Plan,
        calendars: CalendarAssignment,
        no_trade: bars.NoTrade,
        grace_us: int,
    ) -> None:
        self.size, self.plan = size, plan
        self.kernels = IndicatorKernels(plan, calendars)
        self.fields = self.kernels.fields
        self._no_trade: bars.NoTrade = no_trade
        self.drops_fillers = no_trade == "drop"
        self.grace_us = grace_us
        self.buckets = bucket_table(calendars.calendars, size, SOURCE)
        self._new_states = [bars.new_state, *fresh_states(plan)]
        self._scratch = bars.Scratch()
        self.now: StateArrays = self.new_state(0)
        self.forming: StateArrays = self.new_state(0)[1:]
        self.before = bars.new_state(0)
        self.touched = np.empty(0, dtype=np.bool_)
        self.shown = np.empty((len(plan.columns), 0))
        self.final = np.empty(0, dtype=np.bool_)
        self.revision = np.empty(0, dtype=np.int64)

    def new_state(self, count: int) -> StateArrays:
        """Return the state of instruments before any candle."""
        return [make(count) for make in self._new_states]

    def grow(self, count: int) -> None:
        """Make room for `count` instruments in all."""
        more = count - len(self.final)
        fresh = self.new_state(more)
        self.now = _append(self.now, fresh)
        self.forming = _append(self.forming, fresh[1:])
        self.before = np.concatenate([self.before, fresh[0]])
        self.touched = np.concatenate([self.touched, np.zeros(more, dtype=np.bool_)])
        self.shown = np.concatenate([self.shown, np.full((len(self.shown), more), np.nan)], axis=1)
        self.final = np.concatenate([self.final, np.zeros(more, dtype=np.bool_)])
        self.revision = np.concatenate([self.revision, np.zeros(more, dtype=np.int64)])

    # One candle more for each of some instruments

    def refill_open_bars(self, rows: BarRows, calendar_of: Ints) -> None:
        """Fill in the indicators of open bars once more, for kernels that the driver cannot run."""
        which = rows.instrument
        again = np.zeros(len(which), dtype=np.bool_)
        self._fill_open_bars(which, as_slice(which), calendar_of[which], again, rows)

    def _fill_open_bars(
        self, which: Ints, at: Any, calendar: Ints, opened: Flags, rows: BarRows
    ) -> None:
        """Fill in the indicators in the rows of open bars; `at` is where these are."""
        self._roll_states(which, at, opened)
        forming = [each[at] for each in self.forming]
        offsets = np.arange(len(which) + 1)
        inputs = self.kernels.inputs(calendar, offsets, rows.timestamp, rows.values)
        try:
            self.kernels.run_all(forming, offsets, inputs, rows.values)
        except Exception:  # noqa: BLE001
            # A user's kernel may raise anything: once more, to find out for whom.
            self._roll_states(which, at, np.zeros(len(which), dtype=np.bool_))
            forming = [each[at] for each in self.forming]
            self.kernels.run_by_instrument(which, forming, offsets, inputs, rows.values)
        if not isinstance(at, slice):
            for kept, part in zip(self.forming, forming, strict=True):
                kept[at] = part
        self.kernels.remove_failed(which, offsets, rows.values)
        self._keep_last_bars(at, rows)

    def _roll_states(self, which: Ints, at: Any, opened: Flags) -> None:
        """Prepare the operations' states for the open bars' rows; see the kernel."""
        all_alike = isinstance(at, slice) and np.count_nonzero(opened) in (0, len(opened))
        for before, after in zip(self.now[1:], self.forming, strict=True):
            if not all_alike:
                roll_states(before, after, which, opened)
            elif opened[0]:
                before[at] = after[at]
            else:
                after[at] = before[at]

    def _keep_last_bars(self, at: Any, rows: BarRows) -> None:
        """Keep the indicators of open bars, and whether these are final."""
        self.shown[:, at] = rows.values[len(BAR_FIELDS) :]
        self.final[at] = rows.is_final

    def _empty_rows(self, count: int, revision: int) -> BarRows:
        """Return rows of one revision, to be filled in."""
        times, final = np.empty((3, count), dtype=np.int64), np.empty(count, dtype=np.bool_)
        values = np.empty((len(self.fields), count))
        return BarRows(times, final, np.full(count, revision), values, self.fields)

    def set_revisions(self, changed: BarRows) -> None:
        """Note which update changed the last bars, which may be among the changed rows."""
        last = changed.timestamp == self.now[0][changed.instrument, bars.OPENS]
        self.revision[changed.instrument[last]] = changed.revision[last]

    # The last bars

    def last_bars(self, which: Ints) -> BarRows:
        """Return the row of each instrument's last bar, where it has one."""
        which = which[self.now[0][as_slice(which), bars.HAS_BAR] != 0.0]
        at = as_slice(which)
        values = np.concatenate([self.now[0][at, _BAR].T, self.shown[:, at]])
        opens, closes = self.now[0][at, bars.OPENS], self.now[0][at, bars.CLOSES]
        times = np.array([which, opens, closes], dtype=np.int64)
        final, revision = self.final[at].copy(), self.revision[at].copy()
        return BarRows(times, final, revision, values, self.fields)

    def finalise(self, now: int, revision: int) -> BarRows:
        """Make the bars final that the clock has reached, and return them."""
        ended = self.now[0][:, bars.CLOSES] + self.grace_us <= now
        which = np.flatnonzero(ended & ~self.final & (self.now[0][:, bars.HAS_BAR] != 0.0))
        self.final[which] = True
        self.revision[which] = revision
        return self.last_bars(which)

    # Any number of candles

    def closed_rows(
        self,
        state: StateArrays,
        which: Ints,
        calendar: Ints,
        candles: bars.CandleArrays,
        revision: int,
    ) -> tuple[BarRows, Flags]:
        """Run candles from a state, which changes in place; return the bars that closed.

        And, per instrument, whether its candles went into a bar.
        """
        result = self._aggregate(state[0], candles, calendar)
        built = result.bars
        numbers = np.repeat(which, np.diff(built.offsets))
        values = np.empty((len(self.fields), len(numbers)))
        for field, name in enumerate(BAR_FIELDS):
            values[field] = getattr(built, name)
        inputs = self.kernels.inputs(calendar, built.offsets, built.timestamp, values)
        self.kernels.run_by_instrument(which, state[1:], built.offsets, inputs, values)
        rows = BarRows(
            np.array([numbers, built.timestamp, built.end]),
            np.ones(len(numbers), dtype=np.bool_),
            np.full(len(numbers), revision),
            values,
            self.fields,
        )
        return rows, result.counts[:, bars.INSIDE] > 0

    def open_rows(
        self,
        which: Ints,
        calendar: Ints,
        state: Floats,
        forming: StateArrays,
        now: int,
        revision: int,
    ) -> BarRows:
        """Return the rows of open bars; `state` are the states of the bars.

        `forming` are the operations' states before these bars, and change in place.
        """
        has_bar = state[:, bars.HAS_BAR] != 0.0
        which, calendar, state = which[has_bar], calendar[has_bar], state[has_bar]
        rows = self._empty_rows(len(which), revision)
        some = [part[has_bar] for part in forming]
        self._fill_bars(which, state, now, rows)
        offsets = np.arange(len(which) + 1)
        inputs = self.kernels.inputs(calendar, offsets, rows.timestamp, rows.values)
        self.kernels.run_by_instrument(which, some, offsets, inputs, rows.values)
        for part, filled in zip(forming, some, strict=True):
            part[has_bar] = filled
        return rows

    def _fill_bars(self, which: Ints, state: Floats, now: int, rows: BarRows) -> None:
        """Fill in the rows of open bars, all but the indicators, from the states of the bars."""
        rows.instrument[:] = which
        rows.timestamp[:], rows.end[:] = state[:, bars.OPENS], state[:, bars.CLOSES]
        rows.is_final[:] = rows.end + self.grace_us <= now
        rows.values[: len(BAR_FIELDS)] = state[:, _BAR].T

    def install(
        self,
        which: Ints,
        state: StateArrays,
        forming: StateArrays,
        before: Floats,
        touched: Flags,
        last: BarRows,
    ) -> None:
        """Replace all that is kept of `which`."""
        for whole, part in zip(
            [*self.now, *self.forming, self.before, self.touched],
            [*state, *forming, before, touched],
            strict=True,
        ):
            whole[which] = part
        self._keep_last_bars(as_slice(last.instrument), last)

    def _aggregate(
        self, state: Floats, candles: bars.CandleArrays, calendar: Ints
    ) -> bars.AggregateResult:
        return bars.aggregate(
            state, candles, calendar, False, self.buckets, self._no_trade, self._scratch
        )


def timeframe_states(
    timeframes: str | Timeframe | Iterable[str | Timeframe],
    plan: Plan,
    calendars: CalendarAssignment,
    no_trade: bars.NoTrade,
    grace_us: int,
) -> list[TimeframeState]:
    """Return the states of some timeframes, each once."""
    given = [timeframes] if isinstance(timeframes, str | Timeframe) else timeframes
    sizes = dict.fromkeys(parse_timeframe(each) for each in given)
    for size in sizes:
        require_multiple(size, SOURCE)
    return [TimeframeState(size, plan, calendars, no_trade, grace_us) for size in sizes]


def as_slice(which: Ints) -> Any:
    """Return ascending numbers as a slice where there is no gap: a view needs no copy."""
    if not len(which):
        return slice(0, 0)
    first, last = int(which[0]), int(which[-1])
    return slice(first, last + 1) if last - first + 1 == len(which) else which


def _append(state: StateArrays, more: StateArrays) -> StateArrays:
    return [np.concatenate(pair) for pair in zip(state, more, strict=True)]
