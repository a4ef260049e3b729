"""The later phases of a live engine's plan: instruments are compared at equal bar times.

A candle of one instrument changes the values of all whose bars open with its bar. So the bars of
the newest bar times are here, of all instruments, with the states of the kernels that go on over
what was compared; a correction is replayed from the first bar time that it changes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.time import BEGIN_OF_TIME
from tallow.core.timeframe import Timeframe
from tallow.data.reading.schema import NUMBERS
from tallow.plan.plan import Plan
from tallow.runtime.cross import Phases, Rows
from tallow.runtime.live.bar_rows import BAR_FIELDS, CANDLES, BarRows, empty_rows, join_rows


def _wider(table: Floats, more: int) -> Floats:
    """Return a table with more columns, in which all is missing."""
    return np.concatenate([table, np.full((len(table), more), np.nan)], axis=1)


def _by_time(rows: BarRows) -> dict[int, BarRows]:
    """Return rows by the times at which they open, ascending."""
    order = np.argsort(rows.timestamp, kind="stable")
    opens, starts = np.unique(rows.timestamp[order], return_index=True)
    parts = np.split(order, starts[1:])
    return {int(opens[k]): rows.take(parts[k]) for k in range(len(opens))}


def _open(bar_time: BarTime) -> int:
    return bar_time.open


@dataclass
class BarTime:
    """All instruments' bars that open at one time.

    Attributes
    ----------
    end, final, revision
        Of each instrument's bar, ``[instruments]``.
    values
        float64 ``[fields, instruments]``: the bar, and what the plan's own operations make of it;
        0 candles where the instrument has none.
    made
        float64 ``[columns, instruments]``, those of the later phases.
    before
        float64 ``[instruments, size]``, the kernels' states before these bars.
    """

    open: int
    end: Times
    final: Flags
    revision: Ints
    values: Floats
    made: Floats
    before: Floats

    def there(self) -> Ints:
        """Return the instruments that have a bar."""
        return np.flatnonzero(self.values[CANDLES] > 0.0)

    def grown(self, fresh: Floats) -> BarTime:
        """Return this with room for more instruments, of which these are the states."""
        more = len(fresh)
        zeros, values = np.zeros(more, dtype=np.int64), _wider(self.values, more)
        values[CANDLES, len(self.end) :] = 0.0
        return BarTime(
            self.open,
            np.append(self.end, zeros),
            np.append(self.final, zeros.astype(np.bool_)),
            np.append(self.revision, zeros),
            values,
            _wider(self.made, more),
            np.concatenate([self.before, fresh]),
        )

    def copied(self) -> BarTime:
        """Return bars that may change while these stay."""
        return replace(
            self,
            end=self.end.copy(),
            final=self.final.copy(),
            revision=self.revision.copy(),
            values=self.values.copy(),
        )

    def put(self, rows: BarRows) -> None:
        """Replace the bars of some instruments."""
        which = rows.instrument
        self.end[which], self.final[which] = rows.end, rows.is_final
        self.revision[which], self.values[:, which] = rows.revision, rows.values


class ComparedBars:
    """The newest bar times of one timeframe.

    Attributes
    ----------
    fields
        Of the rows that the engine's caller gets.
    gone, gone_end
        The open of the newest bar time that is not here any more; when the bars of such ended.
    last_open, last_made, last_revision, last_values
        Of each instrument's newest bar that is not here any more.
    """

    def __init__(
        self, plan: Plan, calendars: CalendarAssignment, size: Timeframe, keep: int
    ) -> None:
        self._phases, self._keep = Phases(plan, calendars, size), keep
        self._own = (*BAR_FIELDS, *plan.columns)
        self._made = tuple(name for phase in plan.phases for name in phase.columns)
        self.fields = (*BAR_FIELDS, *plan.outputs)
        shown = (*self._own, *self._made)
        self._inputs = [
            (k, name) for k, name in enumerate(self._own) if name in NUMBERS or name in plan.columns
        ]
        self._places = [shown.index(name) for name in self.fields]
        self._size = self._phases.new_states(0).shape[1]
        self.names: list[str] = []
        self.bar_times: list[BarTime] = []
        self.after = np.empty((0, self._size))
        self.gone = BEGIN_OF_TIME
        self.gone_end = BEGIN_OF_TIME
        self.last_open = np.empty(0, dtype=np.int64)
        self.last_made = np.empty((len(self._made), 0))
        self.last_revision = np.empty(0, dtype=np.int64)
        self.last_values = np.empty((len(self._own), 0))
        self.failures: dict[str, str] = {}

    def grow(self, names: Sequence[str]) -> None:
        """Make room for more instruments: these are the names of all, by number."""
        more = len(names) - len(self.names)
        if not more:
            return
        fresh = self._phases.new_states(more)
        self.names = list(names)
        self.bar_times = [each.grown(fresh) for each in self.bar_times]
        self.after = np.concatenate([self.after, fresh])
        self.last_open = np.append(self.last_open, np.full(more, BEGIN_OF_TIME))
        self.last_revision = np.append(self.last_revision, np.zeros(more, dtype=np.int64))
        self.last_made = _wider(self.last_made, more)
        self.last_values = _wider(self.last_values, more)

    def begin(self, rows: BarRows) -> BarRows:
        """Take all rows of all instruments there are; return those that are not kept here."""
        rows = rows.take(rows.values[CANDLES] > 0.0)
        opens = np.unique(rows.timestamp)
        first = opens[-self._keep] if len(opens) > self._keep else BEGIN_OF_TIME
        earlier, later = rows.take(rows.timestamp < first), rows.take(rows.timestamp >= first)
        gone = self._compare_whole(earlier.sort()) if len(earlier) else empty_rows(self.fields)
        self.take(later)
        for bar_time, part in zip(self.bar_times, _by_time(later).values(), strict=True):
            bar_time.revision[part.instrument] = part.revision
        return gone

    def set_revisions(self, old: ComparedBars, changed: BarRows) -> None:
        """Note which updates changed the bars: as in older ones, but for rows that change now."""
        before = {each.open: each for each in old.bar_times}
        now = _by_time(changed)
        for each in self.bar_times:
            if each.open in before:
                each.revision[: len(old.names)] = before[each.open].revision
            if each.open in now:
                each.revision[now[each.open].instrument] = now[each.open].revision

    def _compare_whole(self, rows: BarRows) -> BarRows:
        """Compute rows by instrument and time, all at once; nothing of them is kept but states."""
        which = np.arange(len(self.names))
        offsets = np.searchsorted(rows.instrument, [*which, len(which)])
        states = self._phases.new_states(len(which))
        columns = dict(zip(self._own, rows.values, strict=True))
        given = Rows(self.names, offsets, rows.timestamp, columns)
        found, failures = self._phases.compute(given, states)
        self.failures |= failures
        self.after = states
        made = np.array([found[name] for name in self._made])
        last = offsets[1:][offsets[1:] > offsets[:-1]] - 1
        there = rows.instrument[last]
        self.last_open[there], self.last_made[:, there] = rows.timestamp[last], made[:, last]
        self.last_revision[there] = rows.revision[last]
        self.last_values[:, there] = rows.values[:, last]
        self.gone, self.gone_end = int(rows.timestamp.max()), int(rows.end.max())
        values = np.concatenate([rows.values, made])[self._places]
        return replace(rows, values=values, fields=self.fields)

    def is_known(self, rows: BarRows) -> Flags:
        """Say which older rows are last bars as they were, though they may be final now."""
        which = rows.instrument
        old = self.last_values[:, which]
        same = np.all((old == rows.values) | (np.isnan(old) & np.isnan(rows.values)), axis=0)
        known: Flags = same & (self.last_open[which] == rows.timestamp)
        return known

    def take(self, rows: BarRows) -> BarRows:
        """Take rows that changed, none older than the bar times here; return all that change."""
        if not len(rows):
            return empty_rows(self.fields)
        revision = int(rows.revision.max())
        given = _by_time(rows)
        for moment, part in given.items():
            self._bar_time(moment).put(part)
        told = self._replay(given, revision)
        self._forget()
        return told

    def _replay(self, given: dict[int, BarRows], revision: int) -> BarRows:
        """Compute from the first bar time that changed on; return the rows that change."""
        told, states = [empty_rows(self.fields)], None
        first = bisect_left(self.bar_times, min(given), key=_open)
        for bar_time in self.bar_times[first:]:
            if states is not None and not np.array_equal(states, bar_time.before, equal_nan=True):
                bar_time.before = states
            elif bar_time.open not in given:
                states = None
                continue
            changed, states = self._compute(bar_time)
            if bar_time.open in given:
                changed[given[bar_time.open].instrument] = True
            which = np.flatnonzero(changed)
            bar_time.revision[which] = revision
            told.append(self._rows_of(bar_time, which))
        if states is not None:
            self.after = states
        return join_rows(told)

    def _compute(self, bar_time: BarTime) -> tuple[Flags, Floats]:
        """Compute a bar time; return whose values changed, and the states after it."""
        there, states = bar_time.there(), bar_time.before.copy()
        values, made = bar_time.values, np.full_like(bar_time.made, np.nan)
        some = states[there]
        rows = Rows(
            [self.names[number] for number in there.tolist()],
            np.arange(len(there) + 1),
            np.full(len(there), bar_time.open),
            {name: values[k, there] for k, name in self._inputs},
        )
        found, failures = self._phases.compute(rows, some)
        self.failures |= failures
        for k, name in enumerate(self._made):
            made[k, there] = found[name]
        states[there] = some
        old, bar_time.made = bar_time.made, made
        changed: Flags = np.any((old != made) & ~(np.isnan(old) & np.isnan(made)), axis=0)
        return changed, states

    def _rows_of(self, bar_time: BarTime, which: Ints) -> BarRows:
        """Return the rows of some instruments, as the engine's caller gets them."""
        values = np.concatenate([bar_time.values[:, which], bar_time.made[:, which]])
        times = np.array([which, np.full(len(which), bar_time.open), bar_time.end[which]])
        values = values[self._places]
        values[:, values[CANDLES] == 0.0] = np.nan
        values[CANDLES] = np.nan_to_num(values[CANDLES])
        final, revisions = bar_time.final[which], bar_time.revision[which]
        return BarRows(times, final, revisions, values, self.fields)

    def shown(self, rows: BarRows) -> BarRows:
        """Return the last bars as the engine's caller gets them."""
        which, opens = rows.instrument, rows.timestamp
        made, revision = self.last_made[:, which].copy(), self.last_revision[which].copy()
        made[:, self.last_open[which] != opens] = np.nan
        revision = np.where(self.last_open[which] != opens, rows.revision, revision)
        for bar_time in self.bar_times:
            here = opens == bar_time.open
            made[:, here] = bar_time.made[:, which[here]]
            revision[here] = bar_time.revision[which[here]]
        values = np.concatenate([rows.values, made])[self._places]
        return replace(rows, values=values, revision=revision, fields=self.fields)

    def all_rows(self) -> BarRows:
        """Return all bars that are here, by instrument and time."""
        parts = [self._rows_of(each, each.there()) for each in self.bar_times]
        return join_rows([empty_rows(self.fields), *parts]).sort()

    def copied(self) -> ComparedBars:
        """Return bars that may change while these stay."""
        same = copy(self)
        same.bar_times = [each.copied() for each in self.bar_times]
        for name in ("last_open", "last_made", "last_revision", "last_values"):
            setattr(same, name, getattr(self, name).copy())
        return same

    # Bar times, and states

    def _bar_time(self, moment: int) -> BarTime:
        """Return a bar time; a new one begins with the states before the next."""
        place = bisect_left(self.bar_times, moment, key=_open)
        if place < len(self.bar_times) and self.bar_times[place].open == moment:
            return self.bar_times[place]
        is_last = place == len(self.bar_times)
        before = self.after if is_last else self.bar_times[place].before
        made = self.bar_time_of(moment)
        made.before = before.copy()
        self.bar_times.insert(place, made)
        return made

    def bar_time_of(self, moment: int) -> BarTime:
        """Return a bar time without bars."""
        numbers = np.empty(0, dtype=np.int64)
        flags = np.empty(0, dtype=np.bool_)
        values, made = np.empty((len(self._own), 0)), np.empty((len(self._made), 0))
        before = np.empty((0, self._size))
        none = BarTime(moment, numbers, flags, numbers, values, made, before)
        return none.grown(self._phases.new_states(len(self.names)))

    def _forget(self) -> None:
        """Forget the oldest bar times where there are too many."""
        while len(self.bar_times) > self._keep:
            oldest = self.bar_times.pop(0)
            there, self.gone = oldest.there(), oldest.open
            self.last_open[there], self.last_made[:, there] = oldest.open, oldest.made[:, there]
            self.last_revision[there] = oldest.revision[there]
            self.last_values[:, there] = oldest.values[:, there]
            self.gone_end = max(self.gone_end, int(oldest.end.max(initial=BEGIN_OF_TIME)))
