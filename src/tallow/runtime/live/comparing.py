"""Between a live engine's state and its answers: rows with the columns of a plan's later phases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.errors import StateError
from tallow.data.reading.schema import time_view
from tallow.data.state_file import Arrays
from tallow.runtime.live.bar_rows import BarRows, changed_rows, join_rows, latest_rows
from tallow.runtime.live.compared import ComparedBars
from tallow.runtime.live.compared_state import arrays_of, restore, what_is_wrong
from tallow.runtime.live.intake import Intake
from tallow.runtime.live.live_state import LiveState
from tallow.runtime.live.live_store import LiveStore
from tallow.runtime.live.timeframe_state import TimeframeState
from tallow.runtime.output_kinds import as_numbers


class Comparing:
    """The compared bars of each timeframe, which follow the state.

    With a store, what is older than the bars here is read from it: where an instrument begins with
    a past, or a correction reaches further back. Rows that were returned then, and how they differ,
    are those of the store at the receipts before and after.
    """

    def __init__(self, state: LiveState, intake: Intake, calendars: CalendarAssignment) -> None:
        self._state, self._intake = state, intake
        minutes = state.memory.capacity
        self._new: list[Callable[[], ComparedBars]] = [
            partial(
                ComparedBars,
                each.plan,
                calendars,
                each.size,
                2 + minutes // (each.size.minutes or minutes),
            )
            for each in state.timeframes
        ]
        self.bars = [make() for make in self._new]
        self.received = 0
        # How often bars were told that are closed, or all were made anew.
        self.closed = 0

    def take(self, rows: list[BarRows]) -> list[BarRows]:
        """Take the rows that an update changed; return all that change with them."""
        source, names = self._intake.source, self._intake.names
        told = [
            self._take_stored(place, part, source)
            if source is not None and self._is_deep(bars, part)
            else self._take(bars, part)
            for place, (bars, part) in enumerate(zip(self.bars, rows, strict=True))
        ]
        self._note_reach()
        self.closed += any(part.is_final.any() for part in told)
        assert all(len(each.names) == len(names) for each in self.bars)
        return told

    def peek(self, rows: list[BarRows]) -> list[BarRows]:
        """Return what `take` would, and change nothing."""
        kept, floor, received = self.bars, self._state.floor, self.received
        self.bars = [each.copied() for each in kept]
        try:
            return self.take(rows)
        finally:
            self.bars, self._state.floor, self.received = kept, floor, received

    def _take(self, bars: ComparedBars, rows: BarRows) -> BarRows:
        bars.grow(self._intake.names)
        is_older = rows.timestamp <= bars.gone
        if not is_older.any():
            return bars.take(rows)
        # As they are before newer bar times take the place of theirs.
        older = bars.shown(rows.take(is_older))
        return join_rows([bars.take(rows.take(~is_older)), older])

    # The state on disk

    def arrays(self) -> Arrays:
        """Return all that is kept as named arrays."""
        return arrays_of(self.bars)

    def require(self, path: Path, arrays: Arrays, names: Sequence[str]) -> None:
        """Raise `StateError` unless arrays fit, of a file of an engine with these instruments."""
        wrong = what_is_wrong(self.bars, arrays, names)
        if wrong is not None:
            raise StateError(f"state: file={path}; {wrong} is not as it was saved; rebuild it")

    def restore(self, arrays: Arrays) -> None:
        """Restore what arrays that fit say."""
        restore(self.bars, arrays, self._intake.names)
        self.closed += 1
        self._note_reach()

    def _note_reach(self) -> None:
        """Note how far back bars can be compared again: in the store, or here alone."""
        source = self._intake.source
        if source is None:
            self._state.floor = max(each.gone_end for each in self.bars) - 1
        else:
            self.received = source.point.received

    # With a store

    def _is_deep(self, bars: ComparedBars, rows: BarRows) -> bool:
        """Say whether bars that are not here may change."""
        if len(bars.names) < len(self._intake.names):
            return True
        older = rows.take(rows.timestamp <= bars.gone)
        return not bars.is_known(older).all()

    def _take_stored(self, place: int, rows: BarRows, source: LiveStore) -> BarRows:
        """Begin again from the store; return the rows that changed with these."""
        old, known = self.bars[place], len(self.bars[place].names)
        new, names = self._new[place](), self._intake.names
        new.grow(names)
        state, received = self._state.timeframes[place], source.point.received
        # What a peek would change is not in the store.
        stored = [self._stored(state, names, source, received), rows]
        gone = new.begin(latest_rows(join_rows(stored)))
        before, after = [old.all_rows()], [gone, new.all_rows()]
        since = max(old.gone, new.gone) + 1
        if known and len(rows) and rows.timestamp.min() < since:
            since = int(rows.timestamp.min())
            earlier = self._new[place]()
            earlier.grow(names[:known])
            lost = earlier.begin(self._stored(state, names[:known], source, self.received))
            before = [lost, earlier.all_rows(), *before]
        was, now = (
            each.take((each.timestamp >= since) & (each.instrument < known))
            for each in (latest_rows(join_rows(parts)) for parts in (before, after))
        )
        revision = int(max(rows.revision, default=self._state.revision))
        changed = changed_rows(was, now, np.arange(known), revision)
        changed = replace(changed, revision=np.full(len(changed), revision))
        told = latest_rows(join_rows([changed, _those_of(join_rows(after), rows, new)]))
        new.set_revisions(old, told)
        self.bars[place] = new
        self.closed += 1
        return told

    def _stored(
        self, state: TimeframeState, names: Sequence[str], source: LiveStore, received: int
    ) -> BarRows:
        """Return all bars of a timeframe as the store had them, the last ones as the state has."""
        frame, ends = source.bars(state, names, received)
        numbers = {name: number for number, name in enumerate(names)}
        which = [numbers[name] for name in frame["instrument"]]
        times = np.array([which, time_view(frame), ends], dtype=np.int64).reshape(3, -1)
        kinds = state.plan.kinds
        values = [as_numbers(frame[name], kinds.get(name)) for name in state.fields]
        rows = BarRows(
            times,
            np.ones(len(frame), dtype=np.bool_),
            np.zeros(len(frame), dtype=np.int64),
            np.array(values),
            state.fields,
        )
        if received < source.point.received:
            return rows.sort()
        return latest_rows(join_rows([rows, state.last_bars(np.arange(len(names)))]))


def _those_of(all_rows: BarRows, rows: BarRows, bars: ComparedBars) -> BarRows:
    """Return rows as the engine's caller gets them, with the values that all rows have."""
    places = {key: place for place, key in enumerate(_keys(all_rows))}
    found = [places.get(key) for key in _keys(rows)]
    there = np.array([place is not None for place in found], dtype=np.bool_)
    some = all_rows.take(np.array([place for place in found if place is not None], dtype=np.int64))
    some = replace(some, is_final=rows.is_final[there], revision=rows.revision[there])
    return join_rows([some, bars.shown(rows.take(~there))])


def _keys(rows: BarRows) -> list[tuple[int, int]]:
    return list(zip(rows.instrument.tolist(), rows.timestamp.tolist(), strict=True))
