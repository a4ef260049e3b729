"""The state of a live engine, and what changes it: rows in, changed rows out, nothing else.

An update goes one of three ways, per instrument:

- one candle, later than all before: a step, for all such instruments in one call;
- another version of the newest candle: that step again;
- anything else - many candles at once, late or deleted ones: an edit, which is replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints
from tallow.core.time import BEGIN_OF_TIME, now_us
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.live_rows import all_later, any_multiple
from tallow.data.state_file import Arrays
from tallow.runtime.live.bar_rows import BarRows
from tallow.runtime.live.edits import Edit, Replay, equal_rows, merge_candles, with_interest
from tallow.runtime.live.kept_bars import KeptBars
from tallow.runtime.live.live_quarantine import TOO_OLD
from tallow.runtime.live.machine import Candle, LiveMachine, StepRows, Tick
from tallow.runtime.live.memory import CLOSE, TIME, VOLUME, CandleMemory
from tallow.runtime.live.outcome import Outcome, Past
from tallow.runtime.live.timeframe_state import (
    TimeframeState,
    as_slice,
    current_rows,
    new_rows,
)
from tallow.runtime.live.update_rows import UpdateRows
from tallow.runtime.operations import join_states, split_states

PastBefore = Callable[[int, int], Past | None]
"""Returns an instrument's past from before a moment; None where it cannot be known."""


_TIMEFRAME = ("before", "touched", "shown", "final", "revision")
_MEMORY = {
    "candles": "candles",
    "first": "first",
    "next": "next",
    "told_from": "reported_from",
    "states": "snapshots",
}
"""Arrays of the memory by their names in a file, which stay what they are."""


class LiveState:
    """The timeframes and candles of all instruments, by number."""

    def __init__(self, timeframes: Sequence[TimeframeState], keep: int) -> None:
        self.timeframes = timeframes
        self.memory = CandleMemory(keep, new_rows(timeframes, 0).shape[1])
        self.kept = KeptBars(len(timeframes))
        self.calendar_of = np.empty(0, dtype=np.int64)
        self.now = BEGIN_OF_TIME
        self.revision = 0
        # Where instruments are compared and no store is there: nothing earlier can be corrected.
        self.floor = BEGIN_OF_TIME
        # How far the feed was taken, in the feed's own terms.
        self.position: dict[str, Any] | None = None
        self.past_before: PastBefore = lambda _number, _moment: None
        self._replay = Replay(timeframes, self.memory)
        self.machine = LiveMachine(timeframes, self.memory)

    def grow(self, calendar: Ints) -> None:
        """Add instruments, each with the number of its calendar."""
        self.calendar_of = np.append(self.calendar_of, calendar)
        room = len(self.memory.next)
        if len(self.calendar_of) > room:
            # Doubled, so that instruments may also come one by one.
            count = max(len(self.calendar_of), 2 * room)
            self.memory.grow(new_rows(self.timeframes, count - room))
            for each in self.timeframes:
                each.grow(count)
            self.kept.grow(count)
            self.machine.disconnect()
        self.machine.know_calendars(self.calendar_of)

    def begin_instrument(self, number: int, past: Past) -> Outcome:
        """Give a new instrument its past; return its last bar."""
        edit, revision = Edit(number, 0, past.without_rows(), past, restart=True), self._next()
        self._edit([edit], revision, commit=True)
        self.memory.reported_from[number] = self._newest(number)
        outcome = self.no_change()
        outcome.add([each.last_bars(np.array([number])) for each in self.timeframes])
        return self._finish(outcome, revision)

    def past_in_memory(self, number: int, whole: bool) -> Past:
        """Return an instrument's past in memory; an empty one where that is not `whole`."""
        _, past = self.memory.before(number, BEGIN_OF_TIME)
        fresh = new_rows(self.timeframes, 1)[0]
        return past if whole else replace(past.without_rows(), states=fresh)

    def rebuild(self, number: int, new: Past, old: Past) -> Outcome:
        """Replace an instrument by another past; return how its bars differ from those of `old`.

        Bars that end before all of `old`, and were never reported, are left out.
        """
        edit = Edit(number, 0, old, new, restart=True, is_rebuild=True)
        reported_from, revision = self.memory.reported_from, self._next()
        since = min([reported_from[number], *old.rows[:1, TIME]])
        found = self._edit([edit], revision, commit=True)
        reported_from[number] = min(since, self._newest(number))
        outcome = self.no_change()
        outcome.add([bar_rows.take(bar_rows.end > since) for bar_rows in found])
        return self._finish(outcome, revision)

    def _newest(self, number: int) -> int:
        """Return the time of an instrument's newest candle, or one before all candles."""
        return int(max(self.timeframes[0].now[0][number, bars.LAST_TIME], BEGIN_OF_TIME))

    def _next(self) -> int:
        """Return a revision above all before, of earlier engines too: the time in microseconds."""
        now = now_us()
        return now if now > self.revision else self.revision + 1

    def newest_bars(self, which: Ints, candles: int) -> list[BarRows]:
        """Return each timeframe's bars of instruments' newest candles, so many or more."""
        return self._replay.newest_bars(which, self.calendar_of, self.now, candles)

    def reach(self, number: int) -> float:
        """Return the time of an instrument's last candle before those in memory."""
        return float(self._reaches(np.array([number]))[0])

    def _reaches(self, which: Ints) -> Floats:
        slots = self.memory.slot(self.memory.first[which])
        reaches: Floats = self.memory.snapshots[slots, which, bars.LAST_TIME]
        return np.maximum(reaches, self.floor)

    def advance(self, now: int) -> Outcome:
        """Set the clock, never back; bars that have ended become final."""
        self.now = max(self.now, now)
        revision = self._next()
        found = [each.finalise(self.now, revision) for each in self.timeframes]
        self.kept.take(found)
        outcome = self.no_change()
        outcome.add(found)
        return self._finish(outcome, revision)

    def take_one(self, number: int, candle: Candle) -> StepRows | None:
        """Take one candle, unless it asks for a closer look; see `LiveMachine.take`."""
        revision = self._next()
        rows = self.machine.take(number, candle, self.now, revision)
        if rows is not None:
            self._took_one(number, rows, revision)
        return rows

    def take_tick(
        self, book: int, number: int, tick: Tick, *, alone: bool
    ) -> StepRows | int | None:
        """Take a tick and the candle of its minute; see `LiveMachine.take_tick`."""
        revision = self._next()
        rows = self.machine.take_tick(book, number, tick, self.now, revision, alone=alone)
        if isinstance(rows, StepRows):
            self._took_one(number, rows, revision)
        return rows

    def _took_one(self, number: int, rows: StepRows, revision: int) -> None:
        if not rows.count:
            return
        self.revision = revision
        # To look at rows takes longer than to take a candle; most close no bar.
        if self.kept.is_used and (
            rows.has_closed or any(each.final[number] for each in self.timeframes)
        ):
            self.kept.take(rows.by_timeframe())

    def apply(self, given: UpdateRows, *, commit: bool = True) -> Outcome:
        """Take candles and deletions; all that is given of an instrument, or nothing.

        Raises
        ------
        TallowError
            Without `commit`, if what lies before the rows cannot be read.
        """
        outcome, revision = self.no_change(), self._next()
        outcome.repeated = given.repeated
        if not len(given.which):
            return outcome
        firsts, state = given.rows, self.timeframes[0].now[0]
        one_each = len(given.rows) == len(given.which)
        if commit and one_each:
            times, closes = (np.ascontiguousarray(firsts[:, field]) for field in (TIME, CLOSE))
            if all_later(given.which, times, closes, state):
                outcome.add(self._step(given.which, firsts, revision))
                outcome.appended = len(given.which)
                return self._finish(outcome, revision)
        single = np.ones(len(given.which), dtype=np.bool_)
        if not one_each:
            firsts, single = given.rows[given.offsets[:-1]], np.diff(given.offsets) == 1
        pasts, unread = self._pasts(given, firsts)
        if unread:
            if not commit:
                raise unread[0][1]
            outcome = self.apply(given.without(dict(unread)))
            outcome.unread += unread
            return outcome
        newest = state[as_slice(given.which), bars.LAST_TIME]
        single &= ~np.isnan(firsts[:, CLOSE])
        step, again = single & (firsts[:, TIME] > newest), single & (firsts[:, TIME] == newest)
        rest = ~step if commit else np.ones(len(step), dtype=np.bool_)
        if commit and step.any():
            outcome.add(self._step(given.which[step], firsts[step], revision))
            outcome.appended += int(step.sum())
        if commit and again.any():
            rest[again] = self._replace_newest(given, np.flatnonzero(again), revision, outcome)
        self._edits(given, np.flatnonzero(rest), pasts, revision, outcome, commit=commit)
        return self._finish(outcome, revision) if commit else outcome

    def _pasts(
        self, given: UpdateRows, firsts: Floats
    ) -> tuple[dict[int, Past | None], list[tuple[int, Exception]]]:
        """Return, by number, the past of rows that are older than memory; and what cannot be read.

        All is read before anything changes.
        """
        reach = self._reaches(given.which)
        found: dict[int, Past | None] = {}
        unread: list[tuple[int, Exception]] = []
        for place in np.flatnonzero(firsts[:, TIME] <= reach).tolist():
            number = int(given.which[place])
            try:
                found[number] = self.past_before(number, int(firsts[place, TIME]))
            except Exception as error:  # noqa: BLE001
                # A damaged file, a server that is down, no memory: the other instruments go on.
                unread.append((number, error))
        return found, unread

    # The state as named arrays

    def arrays(self) -> Arrays:
        """Return the state of all instruments as named arrays."""
        arrays = {f"memory/{name}": getattr(self.memory, own) for name, own in _MEMORY.items()}
        for place, timeframe in enumerate(self.timeframes):
            arrays |= {f"lane/{place}/{name}": getattr(timeframe, name) for name in _TIMEFRAME}
            states = [*timeframe.now, *timeframe.forming]
            arrays[f"lane/{place}/states"] = join_states(states)
        return arrays

    def restore(self, arrays: Arrays) -> None:
        """Restore a state whose arrays fit; the caller sets the instruments' calendars."""
        for name, own in _MEMORY.items():
            setattr(self.memory, own, arrays[f"memory/{name}"])
        for place, timeframe in enumerate(self.timeframes):
            for name in _TIMEFRAME:
                setattr(timeframe, name, arrays[f"lane/{place}/{name}"])
            like, count = [*timeframe.now, *timeframe.forming], len(timeframe.now)
            states = split_states(arrays[f"lane/{place}/states"], like)
            timeframe.now, timeframe.forming = states[:count], states[count:]
        self.kept.grow(len(self.memory.next))
        self.kept.doubt(slice(None))
        self.machine.disconnect()

    # The three ways

    def _step(self, which: Ints, rows: Floats, revision: int) -> list[BarRows]:
        memory, at = self.memory, as_slice(which)
        position = memory.next[at]
        if any_multiple(position, memory.stride):
            due = position % memory.stride == 0
            some = which[due]
            memory.put(some, position[due], current_rows(self.timeframes, some))
        memory.append(which, position, rows)
        return self._stepped(which, rows, revision, again=False)

    def _stepped(self, which: Ints, rows: Floats, revision: int, *, again: bool) -> list[BarRows]:
        try:
            changed = self.machine.step(which, rows, self.now, revision, again=again)
            self.kept.take(changed)
        except BaseException:
            self.kept.doubt(which)
            raise
        return changed

    def _replace_newest(
        self, given: UpdateRows, some: Ints, revision: int, outcome: Outcome
    ) -> Flags:
        """Replace newest candles; say which need a replay instead."""
        memory, which = self.memory, given.which[some]
        rows = given.rows[given.offsets[:-1][some]]
        slots = (memory.next[which] - 1) % memory.capacity
        old = memory.candles[slots, which]
        known = old[:, TIME] == rows[:, TIME]
        if not given.is_complete:
            rows[known] = with_interest(rows[known], old[known])
        same = equal_rows(old, rows)
        outcome.repeated += int(same.sum())
        in_bars = np.logical_and.reduce([each.touched[which] for each in self.timeframes])
        # A candle of zero volume may be a filler, which decides what follows it.
        good = ~same & in_bars & (rows[:, VOLUME] > 0.0) & (old[:, VOLUME] > 0.0)
        if good.any():
            numbers, newest = which[good], rows[good]
            memory.candles[slots[good], numbers] = newest
            outcome.add(self._stepped(numbers, newest, revision, again=True))
            outcome.revised += len(numbers)
        replayed: Flags = ~same & ~good
        return replayed

    def _edits(
        self,
        given: UpdateRows,
        some: Ints,
        pasts: Mapping[int, Past | None],
        revision: int,
        outcome: Outcome,
        *,
        commit: bool,
    ) -> None:
        """Make edits of the rows of some instruments, and replay them."""
        edits: list[Edit] = []
        numbers, firsts = given.which[some], given.rows[given.offsets[some], TIME]
        new = numbers[firsts > self.timeframes[0].now[0][numbers, bars.LAST_TIME]]
        states = dict(zip(new.tolist(), current_rows(self.timeframes, new), strict=True))
        for place, number in zip(some.tolist(), numbers.tolist(), strict=True):
            rows, known = given.of(place), (states.get(number), pasts.get(number))
            edit = self._edit_of(number, rows, *known, outcome, given.is_complete)
            if edit is not None:
                edits.append(edit)
                if commit:
                    since = min(self.memory.reported_from[number], int(rows[0, TIME]))
                    self.memory.reported_from[number] = since
        if edits:
            outcome.add(self._edit(edits, revision, commit=commit))

    def _edit_of(
        self,
        number: int,
        rows: Floats,
        state: Floats | None,
        past: Past | None,
        outcome: Outcome,
        is_complete: bool,
    ) -> Edit | None:
        """Return the edit for new, late, revised or deleted candles; None if nothing changes.

        New candles go on from the `state` as it is, all others from the snapshot before them, or
        from a `past` before memory.
        """
        reach, position = self.reach(number), 0
        is_older = rows[0, TIME] <= reach
        if is_older and past is not None:
            # A minute that ticks still build is in memory only.
            kept = self.memory.candles_of(number)
            known = past.rows[past.rows[:, TIME] <= reach]
            old = replace(past, rows=np.concatenate([known, kept]))
        else:
            is_older, times = False, rows[:, TIME].astype(np.int64)
            outcome.too_old += [(number, time, TOO_OLD) for time in times[times <= reach].tolist()]
            rows = rows[times > reach]
            if not len(rows):
                return None
            position, old = self.memory.before(number, int(rows[0, TIME]), state)
        merged = self._merge(number, old.rows, rows, outcome, is_complete)
        if merged is None:
            return None
        return Edit(number, position, old, replace(old, rows=merged), restart=is_older)

    def _merge(
        self, number: int, old: Floats, rows: Floats, outcome: Outcome, is_complete: bool
    ) -> Floats | None:
        """Merge an update's candles into others, and count them; None where nothing changes."""
        newest = self.timeframes[0].now[0][number, bars.LAST_TIME]
        if not len(old) and rows[0, TIME] > newest and not np.isnan(rows[:, CLOSE]).any():
            outcome.appended += len(rows)
            return rows
        merged = merge_candles(old, rows, is_complete)
        appended = int(((rows[:, TIME] > newest) & ~np.isnan(rows[:, CLOSE])).sum())
        outcome.appended += appended
        outcome.late += merged.late - appended
        outcome.revised += merged.revised
        outcome.deleted += merged.deleted
        outcome.repeated += merged.repeated
        return merged.rows if merged.late + merged.revised + merged.deleted else None

    def _edit(self, edits: list[Edit], revision: int, *, commit: bool) -> list[BarRows]:
        if commit:
            self.kept.doubt(np.array([edit.number for edit in edits]))
        return self._replay.apply(edits, self.calendar_of, self.now, revision, commit=commit)

    def no_change(self) -> Outcome:
        """Return an outcome without changes."""
        return Outcome([[] for _ in self.timeframes])

    def _finish(self, outcome: Outcome, revision: int) -> Outcome:
        """Set the revision, if the update changed a row."""
        if any(len(rows) for kept in outcome.rows for rows in kept):
            self.revision = revision
        return outcome
