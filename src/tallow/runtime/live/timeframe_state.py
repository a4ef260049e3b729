"""One timeframe of all instruments: states in flat arrays, bars and indicators as they change.

Every operation has two states: after the last closed bar, and after the open one. A candle that
opens a bar turns the second into the first; one that goes into the open bar runs the bar's row
again, from the first. So an update costs one row per instrument, whatever the timeframe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.timeframe import Timeframe, parse_timeframe, require_multiple
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.buckets import bucket_table
from tallow.data.reading.schema import NUMBERS
from tallow.plan.plan import Plan
from tallow.runtime.live.bar_rows import BAR_FIELDS, BarRows
from tallow.runtime.operations import Failure, Machine, join_states, split_states

StateArrays = list[Floats]
"""What a timeframe's values depend on, of some instruments: the state of the bars, with the open
one, and each operation's after the last closed bar; float64 ``[instruments, size]`` each."""

SOURCE = parse_timeframe("1m")
_BAR = slice(bars.BAR, bars.BAR + len(BAR_FIELDS))
"""Where the open bar lies in an instrument's state of `tallow.data.kernels.aggregate`."""


class TimeframeState:
    """The states of one timeframe.

    A user's kernel may raise anything. The instruments for which it does have no values in its
    columns any more, until they are rebuilt.

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
    fields
        The fields of a bar's row: those of the bar, then the indicators' columns.
    failed, failures
        Of columns whose kernel raised, the instruments without values there; why, by instrument.
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
        self.fields = (*BAR_FIELDS, *plan.columns)
        self.failed: dict[str, set[int]] = {}
        self.failures: dict[int, str] = {}
        self.drops_fillers = no_trade == "drop"
        self.grace_us = grace_us
        self.buckets = bucket_table(calendars.calendars, size, SOURCE)
        self.machine = Machine(plan, calendars.calendars, self.buckets, no_trade, size)
        self._scratch = bars.Scratch()
        self.now: StateArrays = self.machine.new_states(0)
        self.forming: StateArrays = self.machine.new_states(0)[1:]
        self.before = bars.new_state(0)
        self.touched = np.empty(0, dtype=np.bool_)
        self.shown = np.empty((len(plan.columns), 0))
        self.final = np.empty(0, dtype=np.bool_)
        self.revision = np.empty(0, dtype=np.int64)

    def grow(self, count: int) -> None:
        """Make room for `count` instruments in all."""
        more = count - len(self.final)
        fresh, no = self.machine.new_states(more), np.zeros(more, dtype=np.bool_)
        self.now = _append(self.now, fresh)
        self.forming = _append(self.forming, fresh[1:])
        self.before = np.concatenate([self.before, fresh[0]])
        self.touched, self.final = np.append(self.touched, no), np.append(self.final, no)
        self.shown = np.concatenate([self.shown, np.full((len(self.shown), more), np.nan)], axis=1)
        self.revision = np.append(self.revision, np.zeros(more, dtype=np.int64))

    # One candle more for each of some instruments

    def refill_open_bars(self, rows: BarRows, calendar_of: Ints) -> None:
        """Fill in the indicators of open bars once more, for kernels that the driver cannot run."""
        which = rows.instrument
        forming = [part[as_slice(which)].copy() for part in self.now[1:]]
        self._fill_indicators(which, calendar_of[which], forming, rows)
        _put(self.forming, which, forming)
        self._keep_last_bars(rows)

    def _keep_last_bars(self, rows: BarRows) -> None:
        """Keep the indicators of open bars, and whether these are final."""
        at = as_slice(rows.instrument)
        self.shown[:, at], self.final[at] = rows.values[len(BAR_FIELDS) :], rows.is_final

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
        made = self.machine.run(state, candles, calendar, self._scratch, lead=len(BAR_FIELDS))
        result, values = made.result, made.values
        built = result.bars
        numbers = np.repeat(which, np.diff(built.offsets))
        for field, name in enumerate(BAR_FIELDS):
            values[field] = getattr(built, name)
        self._note_failures(made.failures, which, built.offsets, values)
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
        times = np.array([which, state[:, bars.OPENS], state[:, bars.CLOSES]], dtype=np.int64)
        values = np.empty((len(self.fields), len(which)))
        values[: len(BAR_FIELDS)] = state[:, _BAR].T
        final, revisions = times[2] + self.grace_us <= now, np.full(len(which), revision)
        rows = BarRows(times, final, revisions, values, self.fields)
        some = [part[has_bar] for part in forming]
        self._fill_indicators(which, calendar, some, rows)
        for part, filled in zip(forming, some, strict=True):
            part[has_bar] = filled
        return rows

    def _fill_indicators(
        self, which: Ints, calendar: Ints, forming: StateArrays, rows: BarRows
    ) -> None:
        """Fill in the indicators in the rows of open bars, one of each of `which`."""
        offsets, inputs = np.arange(len(which) + 1), dict(zip(NUMBERS, rows.values, strict=False))
        out = rows.values[len(BAR_FIELDS) :]
        found = self.machine.fill(forming, offsets, inputs, out, rows.timestamp, calendar)
        self._note_failures(found, which, offsets, rows.values)

    def _note_failures(
        self, found: Sequence[Failure], which: Ints, offsets: Ints, values: Floats
    ) -> None:
        """Note for whom kernels fail; remove their values, and those of earlier failures."""
        for failure in found:
            number = int(which[failure.instrument])
            self.failures.setdefault(number, failure.reason)
            for column in failure.columns:
                self.failed.setdefault(column, set()).add(number)
        for column, numbers in self.failed.items():
            lost = np.repeat(np.isin(which, list(numbers)), np.diff(offsets))
            values[self.fields.index(column), lost] = np.nan

    def forget_failures(self, number: int) -> None:
        """Let a rebuilt instrument have values again where kernels failed."""
        self.failures.pop(number, None)
        for numbers in self.failed.values():
            numbers.discard(number)

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
        _put([*self.now, *self.forming, self.before], which, [*state, *forming, before])
        self.touched[which] = touched
        self._keep_last_bars(last)


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


def new_rows(timeframes: Sequence[TimeframeState], count: int) -> Floats:
    """Return the states of instruments before any candle, those of all timeframes in one row."""
    return join_states([part for each in timeframes for part in each.machine.new_states(count)])


def current_rows(timeframes: Sequence[TimeframeState], which: Ints) -> Floats:
    """Return the states of instruments as they are, those of all timeframes in one row."""
    at = as_slice(which)
    return join_states([part[at] for each in timeframes for part in each.now])


def split_rows(timeframes: Sequence[TimeframeState], rows: Floats) -> list[StateArrays]:
    """Return such rows as each timeframe's states."""
    parts = iter(split_states(rows, [part for each in timeframes for part in each.now]))
    return [[next(parts) for _ in each.now] for each in timeframes]


def as_slice(which: Ints) -> Any:
    """Return ascending numbers as a slice where there is no gap: a view needs no copy."""
    if not len(which):
        return slice(0, 0)
    first, last = int(which[0]), int(which[-1])
    return slice(first, last + 1) if last - first + 1 == len(which) else which


def _put(whole: StateArrays, which: Ints, parts: StateArrays) -> None:
    at = as_slice(which)
    for kept, part in zip(whole, parts, strict=True):
        kept[at] = part


def _append(state: StateArrays, more: StateArrays) -> StateArrays:
    return [np.concatenate(pair) for pair in zip(state, more, strict=True)]
