"""One timeframe of all instruments: states in flat arrays, bars and indicators as they change.

Of every operation there are two states: after the last bar that has closed, and after the open one.
A candle that opens a bar makes the second one the first; one that goes into the open bar runs its
row again from the first. So an update costs one row per instrument, whatever the timeframe.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.kernel import read_only
from tallow.core.timeframe import Timeframe, parse_timeframe
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.anchors import AnchorTable, anchor_columns, anchor_table
from tallow.data.kernels.buckets import bucket_table
from tallow.data.kernels.live_rows import fill_rows, find_rows, turn
from tallow.data.reading.schema import NUMBERS
from tallow.plan.plan import Plan
from tallow.runtime.live.rows import BAR_FIELDS, Rows, changes
from tallow.runtime.operations import fresh_states, run_operations

SOURCE = parse_timeframe("1m")
_BAR = slice(bars.BAR, bars.BAR + len(BAR_FIELDS))
"""Places of the open bar in an instrument's state of `tallow.data.kernels.aggregate`."""

State = list[Floats]
"""What a timeframe's values depend on, of some instruments: the state of the bars, with the open
one, and each operation's after the last closed bar; float64 ``[instruments, size]`` each."""


class Lane:
    """One timeframe's states.

    Attributes
    ----------
    now
        State of all instruments; see `State`.
    forming
        Per operation, the state after the open bar.
    before, touched
        State of the bars before each instrument's newest candle, and whether that is in a bar.
    shown
        float64 ``[columns, instruments]``, the indicators of each instrument's last bar.
    final, revision
        Whether that bar has closed, and which update changed it last.
    failed
        Of columns whose kernel raised, the instruments that have no values there any more.
    failures
        Why.
    """

    def __init__(
        self,
        timeframe: Timeframe,
        plan: Plan,
        calendars: CalendarAssignment,
        no_trade: bars.NoTrade,
        grace_us: int,
    ) -> None:
        self.timeframe, self.plan = timeframe, plan
        self.fields = (*BAR_FIELDS, *plan.columns)
        self.failed: dict[str, set[int]] = {}
        self.failures: dict[int, str] = {}
        self._no_trade: bars.NoTrade = no_trade
        self.grace_us = grace_us
        self._buckets = bucket_table(calendars.calendars, timeframe, SOURCE)
        self._anchors = anchor_table(calendars.calendars) if plan.anchors else None
        self._one_calendar = len(calendars.calendars) == 1
        self._session: tuple[int, int, dict[str, Floats]] = (0, 0, {})
        self._fresh = [bars.new_state, *fresh_states(plan)]
        self._scratch = bars.Scratch()
        places = {name: place for place, name in enumerate(self.fields)}
        self._outputs = [
            (operation, [None if name is None else places[name] for name in operation.columns])
            for operation in plan.operations
        ]
        self.now: State = self.fresh(0)
        self.forming: State = self.fresh(0)[1:]
        self.before = bars.new_state(0)
        self.touched = np.empty(0, dtype=np.bool_)
        self.shown = np.empty((len(plan.columns), 0))
        self.final = np.empty(0, dtype=np.bool_)
        self.revision = np.empty(0, dtype=np.int64)

    def fresh(self, count: int) -> State:
        """Return the state of instruments before any candle."""
        return [make(count) for make in self._fresh]

    def grow(self, count: int) -> None:
        """Make room for `count` instruments in all."""
        more = count - len(self.final)
        fresh = self.fresh(more)
        self.now = _appended(self.now, fresh)
        self.forming = _appended(self.forming, fresh[1:])
        self.before = np.concatenate([self.before, fresh[0]])
        self.touched = np.concatenate([self.touched, np.zeros(more, dtype=np.bool_)])
        self.shown = np.concatenate([self.shown, np.full((len(self.shown), more), np.nan)], axis=1)
        self.final = np.concatenate([self.final, np.zeros(more, dtype=np.bool_)])
        self.revision = np.concatenate([self.revision, np.zeros(more, dtype=np.int64)])

    # One candle more for each of some instruments

    def step(
        self, which: Ints, places: Ints, candles: bars.CandleArrays, now: int, revision: int
    ) -> Rows:
        """Take one candle, later than all before, of each of `which`; return the rows it changes.

        `which` are ascending numbers, `places` their calendars, `now` the clock. Per instrument,
        the row of the bar that this one closes comes before the row of the open one.
        """
        at, count = stretch(which), len(which)
        state = self.now[0][at]
        self.before[at] = state
        result = self._aggregate(state, candles, places)
        if not isinstance(at, slice):
            self.now[0][at] = state
        offsets = result.bars.offsets
        told, touched, opened = np.empty((3, count), dtype=np.bool_)
        closing, opening = find_rows(
            which, self.before, offsets, result.counts, self.final, told, touched, opened
        )
        self.touched[at] = touched
        rows = self._empty_rows(closing + opening, revision)
        floats, times = self._scratch.arrays(0)
        fill_rows(
            which,
            told,
            touched,
            offsets,
            times,
            floats,
            state,
            self.shown,
            now - self.grace_us,
            closing,
            rows.times,
            rows.is_final,
            rows.values,
        )
        if opening:
            if opening < count:
                which, places, opened = which[touched], places[touched], opened[touched]
                at = stretch(which)
            self._form(which, at, places, opened, rows.take(slice(closing, None)))
            self.revision[at] = revision
        return rows

    def redo(
        self, which: Ints, places: Ints, candles: bars.CandleArrays, now: int, revision: int
    ) -> Rows:
        """Take another version of the newest candle of each of `which`; return what it changes.

        Both versions must lie in a bar: then it is the same bar, opened by it or not.
        """
        state = self.before[which]
        result = self._aggregate(state, candles, places)
        assert self.touched[which].all(), "the candle was in no bar"
        assert (result.counts[:, bars.INSIDE] == 1).all(), "the candle is in no bar"
        old = self.last(which)
        self.now[0][which] = state
        new = self._empty_rows(len(which), revision)
        self._fill_bars(which, state, now, new)
        self._form(which, stretch(which), places, np.zeros(len(which), dtype=np.bool_), new)
        found = changes(old, new, which, revision)
        self.stamp(found)
        return found

    def _form(self, which: Ints, at: Any, places: Ints, opened: Flags, rows: Rows) -> None:
        """Fill in the indicators in the rows of open bars; `at` is where these are."""
        self._turn(which, at, opened)
        forming = [each[at] for each in self.forming]
        offsets = np.arange(len(which) + 1)
        inputs = self._inputs(places, offsets, rows.timestamp, rows.values)
        try:
            self._run_all(forming, offsets, inputs, rows.values)
        except Exception:  # noqa: BLE001
            # A user's kernel may raise anything: once more, to find out for whom.
            self._turn(which, at, np.zeros(len(which), dtype=np.bool_))
            forming = [each[at] for each in self.forming]
            self._run_kernels(which, forming, offsets, inputs, rows.values)
        if not isinstance(at, slice):
            for kept, part in zip(self.forming, forming, strict=True):
                kept[at] = part
        self._blank(which, offsets, rows.values)
        self._show(at, rows)

    def _turn(self, which: Ints, at: Any, opened: Flags) -> None:
        """Prepare the operations' states for the open bars' rows; see `turn`."""
        all_alike = isinstance(at, slice) and np.count_nonzero(opened) in (0, len(opened))
        for before, after in zip(self.now[1:], self.forming, strict=True):
            if not all_alike:
                turn(before, after, which, opened)
            elif opened[0]:
                before[at] = after[at]
            else:
                after[at] = before[at]

    def _run_all(
        self, state: State, offsets: Ints, inputs: dict[str, Floats], rows: Floats
    ) -> None:
        """Run every operation, for all instruments at once; whatever a kernel raises comes out."""
        for (operation, fields), each in zip(self._outputs, state, strict=True):
            operation.advance(
                each,
                operation.parameters,
                offsets,
                *[inputs[name] for name in operation.inputs],
                *[np.empty(rows.shape[1]) if k is None else rows[k] for k in fields],
            )

    def _show(self, at: Any, rows: Rows) -> None:
        """Keep what is known of open bars besides their states."""
        self.shown[:, at] = rows.values[len(BAR_FIELDS) :]
        self.final[at] = rows.is_final

    def _empty_rows(self, count: int, revision: int) -> Rows:
        """Return rows of one revision, to be filled in."""
        times, final = np.empty((3, count), dtype=np.int64), np.empty(count, dtype=np.bool_)
        values = np.empty((len(self.fields), count))
        return Rows(times, final, np.full(count, revision), values, self.fields)

    def stamp(self, changed: Rows) -> None:
        """Remember which update changed the last bars; other rows than theirs do not matter."""
        last = changed.timestamp == self.now[0][changed.instrument, bars.OPENS]
        self.revision[changed.instrument[last]] = changed.revision[last]

    def forget_failures(self, number: int) -> None:
        """Let an instrument that is made anew have values again where kernels failed."""
        self.failures.pop(number, None)
        for numbers in self.failed.values():
            numbers.discard(number)

    # The last bars

    def last(self, which: Ints) -> Rows:
        """Return the row of each instrument's last bar, where it has one."""
        which = which[self.now[0][stretch(which), bars.HAS_BAR] != 0.0]
        at = stretch(which)
        values = np.concatenate([self.now[0][at, _BAR].T, self.shown[:, at]])
        opens, closes = self.now[0][at, bars.OPENS], self.now[0][at, bars.CLOSES]
        times = np.array([which, opens, closes], dtype=np.int64)
        final, revision = self.final[at].copy(), self.revision[at].copy()
        return Rows(times, final, revision, values, self.fields)

    def settle(self, now: int, revision: int) -> Rows:
        """Return the last bars that the clock makes final."""
        ended = self.now[0][:, bars.CLOSES] + self.grace_us <= now
        which = np.flatnonzero(ended & ~self.final & (self.now[0][:, bars.HAS_BAR] != 0.0))
        self.final[which] = True
        self.revision[which] = revision
        return self.last(which)

    # Any number of candles

    def closed_rows(
        self, state: State, which: Ints, places: Ints, candles: bars.CandleArrays, revision: int
    ) -> tuple[Rows, Flags]:
        """Run candles from a state, which is changed in place; return the bars that closed.

        And whether each instrument's candles went into bars.
        """
        result = self._aggregate(state[0], candles, places)
        built = result.bars
        numbers = np.repeat(which, np.diff(built.offsets))
        values = np.empty((len(self.fields), len(numbers)))
        for field, name in enumerate(BAR_FIELDS):
            values[field] = getattr(built, name)
        inputs = self._inputs(places, built.offsets, built.timestamp, values)
        self._run_kernels(which, state[1:], built.offsets, inputs, values)
        rows = Rows(
            np.array([numbers, built.timestamp, built.end]),
            np.ones(len(numbers), dtype=np.bool_),
            np.full(len(numbers), revision),
            values,
            self.fields,
        )
        return rows, result.counts[:, bars.INSIDE] > 0

    def open_rows(
        self, which: Ints, places: Ints, state: Floats, forming: State, now: int, revision: int
    ) -> Rows:
        """Return the rows of open bars; `state` are the states of the bars.

        `forming`, changed in place, are the operations' states before them.
        """
        has_bar = state[:, bars.HAS_BAR] != 0.0
        which, places, state = which[has_bar], places[has_bar], state[has_bar]
        rows = self._empty_rows(len(which), revision)
        some = [part[has_bar] for part in forming]
        self._fill_bars(which, state, now, rows)
        offsets = np.arange(len(which) + 1)
        inputs = self._inputs(places, offsets, rows.timestamp, rows.values)
        self._run_kernels(which, some, offsets, inputs, rows.values)
        for part, filled in zip(forming, some, strict=True):
            part[has_bar] = filled
        return rows

    def _fill_bars(self, which: Ints, state: Floats, now: int, rows: Rows) -> None:
        """Fill in all but the indicators in the rows of open bars, of which `state` are states."""
        rows.instrument[:] = which
        rows.timestamp[:], rows.end[:] = state[:, bars.OPENS], state[:, bars.CLOSES]
        rows.is_final[:] = rows.end + self.grace_us <= now
        rows.values[: len(BAR_FIELDS)] = state[:, _BAR].T

    def install(
        self, which: Ints, state: State, forming: State, before: Floats, touched: Flags, last: Rows
    ) -> None:
        """Make what candles have led to the state of `which`."""
        for whole, part in zip(
            [*self.now, *self.forming, self.before, self.touched],
            [*state, *forming, before, touched],
            strict=True,
        ):
            whole[which] = part
        self._show(stretch(last.instrument), last)

    def _run_kernels(
        self,
        which: Ints,
        state: State,
        offsets: Ints,
        inputs: dict[str, Floats],
        rows: Floats,
    ) -> None:
        """Fill in the indicators of bars; `rows` are float64 ``[fields, bars]``."""
        done = run_operations(self.plan, state, offsets, inputs, rows[len(BAR_FIELDS) :])
        for failure in done.failures:
            number = int(which[failure.instrument])
            self.failures.setdefault(number, failure.reason)
            for column in failure.columns:
                self.failed.setdefault(column, set()).add(number)
        self._blank(which, offsets, rows)

    def _inputs(self, places: Ints, offsets: Ints, times: Times, rows: Floats) -> dict[str, Floats]:
        """Return what operations take, read-only."""
        inputs = dict(zip(NUMBERS, read_only(rows), strict=False))
        if self._anchors is not None:
            inputs |= self._anchor_columns(self._anchors, places, offsets, times)
        return inputs

    def _anchor_columns(
        self, table: AnchorTable, places: Ints, offsets: Ints, times: Times
    ) -> dict[str, Floats]:
        wanted, count = self.plan.anchors, len(times)
        if not self._one_calendar or not count or not _alike(times):
            columns = anchor_columns(table, wanted, times, offsets, places)
            return {name: read_only(column) for name, column in columns.items()}
        # A minute of all instruments: one of them tells, and mostly the minute before has told.
        first, until, told = self._session
        if first <= times[0] < until and len(next(iter(told.values()))) == count:
            return told
        numbers = anchor_columns(table, wanted, times[:1], np.array([0, 1]), places[:1])
        told = {name: read_only(np.full(count, each[0])) for name, each in numbers.items()}
        after = int(np.searchsorted(table.boundaries, times[0], "right"))
        if 0 < after < len(table.boundaries):
            self._session = int(table.boundaries[after - 1]), int(table.boundaries[after]), told
        return told

    def _blank(self, which: Ints, offsets: Ints, rows: Floats) -> None:
        """Take away the values of kernels that have failed."""
        for column, numbers in self.failed.items():
            lost = np.repeat(np.isin(which, list(numbers)), np.diff(offsets))
            rows[self.fields.index(column), lost] = np.nan

    def _aggregate(
        self, state: Floats, candles: bars.CandleArrays, places: Ints
    ) -> bars.Aggregated:
        return bars.aggregate(
            state, candles, places, False, self._buckets, self._no_trade, self._scratch
        )


def _alike(times: Times) -> bool:
    # Half the time of `all`, for a few.
    return int(np.count_nonzero(times == times[0])) == len(times)


def stretch(which: Ints) -> Any:
    """Return ascending numbers as a slice where they follow each other: a view needs no copy."""
    if not len(which):
        return slice(0, 0)
    first, last = int(which[0]), int(which[-1])
    return slice(first, last + 1) if last - first + 1 == len(which) else which


def _appended(state: State, more: State) -> State:
    return [np.concatenate(pair) for pair in zip(state, more, strict=True)]
