"""The state of a live engine, and what changes it: rows in, changed rows out, nothing else.

An update splits its rows by what they ask for:

- one candle, later than all before: a step, for all such instruments in one call;
- another version of the newest candle: that step once more;
- anything else - many candles at once, late or deleted ones: an edit, which is replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Floats, Ints
from tallow.core.time import BEGIN_OF_TIME, now_us
from tallow.data.kernels import aggregate as bars
from tallow.data.kernels.live_rows import all_later, any_multiple
from tallow.runtime.live.admit import TOO_OLD, Given
from tallow.runtime.live.edits import Edit, Merged, Replay, equal_rows, merge, with_interest
from tallow.runtime.live.lane import Lane, State, stretch
from tallow.runtime.live.memory import CLOSE, TIME, VOLUME, CandleMemory, candle_arrays
from tallow.runtime.live.rows import Rows, joined, newest


@dataclass(frozen=True)
class Past:
    """An instrument's candles from some moment on, and every lane's state before them.

    The candles are float64 ``[rows, fields]``.
    """

    states: list[State]
    rows: Floats


Older = Callable[[int, int], Past | None]
"""From an instrument and a moment to its past from before that moment; None where nobody knows."""


@dataclass
class Outcome:
    """What an update did, by the lanes' order; and where its rows went.

    `aside` are rows that were set aside, as a quarantine has them; `refused` the instruments, times
    and rules of those that came too late for an engine without a store. `unread` are instruments
    of which nothing was taken, since what lies before their rows cannot be read, and why.
    """

    rows: list[list[Rows]]
    appended: int = 0
    late: int = 0
    revised: int = 0
    deleted: int = 0
    repeated: int = 0
    refused: list[tuple[int, int, str]] = field(default_factory=list)
    aside: pl.DataFrame | None = None
    unread: list[tuple[int, Exception]] = field(default_factory=list)

    def add(self, rows: Sequence[Rows]) -> None:
        """Take the rows that a part of the update changed, one lane's after the other."""
        for kept, new in zip(self.rows, rows, strict=True):
            kept.append(new)

    def extend(self, other: Outcome) -> None:
        """Take the rows that other instruments changed."""
        for kept, new in zip(self.rows, other.rows, strict=True):
            kept.extend(new)

    def after(self, earlier: Outcome | None) -> Outcome:
        """Return this with the rows that were changed before it; of a bar, the last row counts."""
        return self if earlier is None else replace(self, rows=_last_of(earlier, self))

    def then(self, later: Outcome) -> Outcome:
        """Return this with the rows that were changed after it; of a bar, the last row counts."""
        return replace(self, rows=_last_of(self, later))


def _last_of(earlier: Outcome, later: Outcome) -> list[list[Rows]]:
    both = [[*old, *new] for old, new in zip(earlier.rows, later.rows, strict=True)]
    return [[newest(joined(rows))] if rows else [] for rows in both]


class LiveState:
    """Lanes and candles of all instruments, by number."""

    def __init__(self, lanes: Sequence[Lane], keep: int) -> None:
        self.lanes = lanes
        self.memory = CandleMemory(keep)
        self.places = np.empty(0, dtype=np.int64)
        self.now = BEGIN_OF_TIME
        self.revision = 0
        # How far the feed was taken, as it tells it itself.
        self.position: dict[str, Any] | None = None
        self.older: Older = lambda _number, _moment: None
        self._replay = Replay(lanes, self.memory)

    def grow(self, places: Ints) -> None:
        """Add instruments, of which each calendar is given."""
        self.places = np.append(self.places, places)
        room = len(self.memory.next)
        if len(self.places) > room:
            # Doubled, so that instruments may also come one by one.
            count = max(len(self.places), 2 * room)
            fresh = [part for lane in self.lanes for part in lane.fresh(count - room)]
            self.memory.grow(count, fresh)
            for lane in self.lanes:
                lane.grow(count)

    def begin(self, number: int, states: list[State], rows: Floats) -> Outcome:
        """Begin an instrument with the candles of its past, after states; tell its last bar."""
        edit, revision = Edit(number, 0, states, None, rows, restart=True), self._next()
        which = np.array([number])
        self._edit([edit], which, revision, commit=True)
        self.memory.told_from[number] = self._newest(number)
        outcome = self.nothing()
        outcome.add([lane.last(which) for lane in self.lanes])
        return self._done(outcome, revision)

    def held(self, number: int, whole: bool) -> Past:
        """Return what is in memory of an instrument; nothing where that is not `whole`."""
        if not whole:
            return Past([lane.fresh(1) for lane in self.lanes], self.memory.kept(number)[:0])
        first = self.memory.first[number]
        flat = self.memory.state(np.array([number]), np.array([first]))
        return Past(self._per_lane(flat), self.memory.kept(number))

    def renew(self, number: int, states: list[State], rows: Floats, old: Past) -> Outcome:
        """Make an instrument of these candles, after these states; tell how it differs from `old`.

        Bars that end before all of `old`, and were never told, are not told.
        """
        edit = Edit(number, 0, states, old.rows, rows, restart=True, before=old.states)
        told_from, revision = self.memory.told_from, self._next()
        since = min([told_from[number], *old.rows[:1, TIME]])
        found = self._edit([edit], np.array([number]), revision, commit=True)
        told_from[number] = min(since, self._newest(number))
        outcome = self.nothing()
        outcome.add([told.take(told.end > since) for told in found])
        return self._done(outcome, revision)

    def _newest(self, number: int) -> int:
        """Return the time of an instrument's newest candle, or of before all candles."""
        return int(max(self.lanes[0].now[0][number, bars.LAST_TIME], BEGIN_OF_TIME))

    def _next(self) -> int:
        """Return a revision higher than all before, of this engine and of earlier ones: the time.

        In microseconds since 1970 UTC.
        """
        return max(self.revision + 1, now_us())

    def reach(self, number: int) -> float:
        """Return the time of an instrument's newest candle that is older than all that is held."""
        slot = self.memory.slot(self.memory.first[number])
        before: float = self.memory.states[0][slot, number, bars.LAST_TIME]
        return before

    def advance(self, now: int) -> Outcome:
        """Move the clock, never back; bars that have ended are final."""
        self.now = max(self.now, now)
        revision = self._next()
        found = [lane.settle(self.now, revision) for lane in self.lanes]
        outcome = self.nothing()
        outcome.add(found)
        return self._done(outcome, revision)

    def apply(self, given: Given, *, commit: bool = True) -> Outcome:
        """Take candles, and deletions; of an instrument all that is given, or nothing.

        Raises
        ------
        TallowError
            Unless it is to `commit`: if what lies before rows cannot be read.
        """
        outcome, revision = self.nothing(), self._next()
        outcome.repeated = given.repeated
        if not len(given.which):
            return outcome
        firsts, state = given.rows, self.lanes[0].now[0]
        one_each = len(given.rows) == len(given.which)
        if commit and one_each:
            times, closes = (np.ascontiguousarray(firsts[:, field]) for field in (TIME, CLOSE))
            if all_later(given.which, times, closes, state):
                outcome.add(self._step(given.which, firsts, revision))
                outcome.appended = len(given.which)
                return self._done(outcome, revision)
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
        newest = state[stretch(given.which), bars.LAST_TIME]
        single &= ~np.isnan(firsts[:, CLOSE])
        step, again = single & (firsts[:, TIME] > newest), single & (firsts[:, TIME] == newest)
        rest = ~step if commit else np.ones(len(step), dtype=np.bool_)
        if commit and step.any():
            outcome.add(self._step(given.which[step], firsts[step], revision))
            outcome.appended += int(step.sum())
        if commit and again.any():
            rest[again] = self._again(given, np.flatnonzero(again), revision, outcome)
        self._edits(given, np.flatnonzero(rest), pasts, revision, outcome, commit=commit)
        return self._done(outcome, revision) if commit else outcome

    def _pasts(
        self, given: Given, firsts: Floats
    ) -> tuple[dict[int, Past | None], list[tuple[int, Exception]]]:
        """Return, by number, what lies before rows that are older than memory; and what fails.

        All is read before anything changes.
        """
        slots = self.memory.slot(self.memory.first[given.which])
        reach = self.memory.states[0][slots, given.which, bars.LAST_TIME]
        found: dict[int, Past | None] = {}
        unread: list[tuple[int, Exception]] = []
        for place in np.flatnonzero(firsts[:, TIME] <= reach).tolist():
            number = int(given.which[place])
            try:
                found[number] = self.older(number, int(firsts[place, TIME]))
            except Exception as error:  # noqa: BLE001
                # A damaged file, a server that is away, no memory: the others need not wait.
                unread.append((number, error))
        return found, unread

    # The three ways

    def _step(self, which: Ints, rows: Floats, revision: int) -> list[Rows]:
        memory, at = self.memory, stretch(which)
        position = memory.next[at]
        if any_multiple(position, memory.stride):
            due = position % memory.stride == 0
            some = which[due]
            states = [part[some] for lane in self.lanes for part in lane.now]
            memory.mark(some, position[due], states)
        memory.append(which, position, rows)
        candles, places = candle_arrays(rows, np.arange(len(which) + 1)), self.places[at]
        return [lane.step(which, places, candles, self.now, revision) for lane in self.lanes]

    def _again(self, given: Given, some: Ints, revision: int, outcome: Outcome) -> Flags:
        """Take other versions of newest candles; say which are to be replayed nevertheless."""
        memory, which = self.memory, given.which[some]
        rows = given.rows[given.offsets[:-1][some]]
        slots = (memory.next[which] - 1) % memory.capacity
        held = memory.candles[slots, which]
        known = held[:, TIME] == rows[:, TIME]
        rows[known] = with_interest(rows[known], held[known])
        same = equal_rows(held, rows)
        outcome.repeated += int(same.sum())
        in_bars = np.logical_and.reduce([lane.touched[which] for lane in self.lanes])
        # A candle of zero volume may be a filler; what it was decides what comes after it.
        good = ~same & in_bars & (rows[:, VOLUME] > 0.0) & (held[:, VOLUME] > 0.0)
        if good.any():
            numbers, places = which[good], self.places[which[good]]
            candles = candle_arrays(rows[good], np.arange(len(numbers) + 1))
            memory.candles[slots[good], numbers] = rows[good]
            outcome.add(
                [lane.redo(numbers, places, candles, self.now, revision) for lane in self.lanes]
            )
            outcome.revised += len(numbers)
        replayed: Flags = ~same & ~good
        return replayed

    def _edits(
        self,
        given: Given,
        some: Ints,
        pasts: Mapping[int, Past | None],
        revision: int,
        outcome: Outcome,
        *,
        commit: bool,
    ) -> None:
        """Make edits of what is asked of some of the instruments, and replay them."""
        added: list[Edit] = []
        changed: list[Edit] = []
        for place in some.tolist():
            number, rows = int(given.which[place]), given.of(place)
            newest = self.lanes[0].now[0][number, bars.LAST_TIME]
            if rows[0, TIME] > newest and not np.isnan(rows[:, CLOSE]).any():
                at = slice(number, number + 1)
                states = [[part[at].copy() for part in lane.now] for lane in self.lanes]
                added.append(Edit(number, int(self.memory.next[number]), states, None, rows))
                outcome.appended += len(rows)
            else:
                edit = self._correction(number, rows, pasts.get(number), outcome)
                if edit is not None:
                    changed.append(edit)
                    if commit:
                        self._told(number, rows)
        for edits in (added, changed):
            if edits:
                which = np.array([edit.number for edit in edits])
                outcome.add(self._edit(edits, which, revision, commit=commit))

    def _told(self, number: int, rows: Floats) -> None:
        """Remember from when on an instrument's bars may have been told."""
        told_from = self.memory.told_from
        told_from[number] = min(told_from[number], int(rows[0, TIME]))

    def _correction(
        self, number: int, rows: Floats, past: Past | None, outcome: Outcome
    ) -> Edit | None:
        """Return the edit that candles, late or other than they were, make."""
        memory, first = self.memory, int(self.memory.first[number])
        kept = memory.kept(number)
        reach = self.reach(number)
        if rows[0, TIME] <= reach:
            if past is not None:
                # A minute that ticks are making is in memory only.
                old = np.concatenate([past.rows[past.rows[:, TIME] <= reach], kept])
                new = self._merged(number, old, rows, outcome)
                return None if new is None else Edit(number, 0, past.states, old, new, restart=True)
            times = rows[:, TIME].astype(np.int64)
            known = times > reach
            outcome.refused += [(number, time, TOO_OLD) for time in times[~known].tolist()]
            rows = rows[known]
            if not len(rows):
                return None
        moment = int(rows[0, TIME])
        # Before the next candle to come there may be no state yet.
        place = min(int(np.searchsorted(kept[:, TIME], moment)), max(len(kept) - 1, 0))
        position = max((first + place) // memory.stride * memory.stride, first)
        old = kept[position - first :]
        new = self._merged(number, old, rows, outcome)
        if new is None:
            return None
        flat = memory.state(np.array([number]), np.array([position]))
        return Edit(number, position, self._per_lane(flat), old, new)

    def _merged(self, number: int, old: Floats, rows: Floats, outcome: Outcome) -> Floats | None:
        """Return candles with an update's among them, counted; None where nothing changes."""
        merged = merge(old, rows)
        self._count(outcome, number, rows, merged)
        return merged.rows if merged.late + merged.revised + merged.deleted else None

    def _count(self, outcome: Outcome, number: int, rows: Floats, merged: Merged) -> None:
        """Count what became of an instrument's rows."""
        newest = self.lanes[0].now[0][number, bars.LAST_TIME]
        appended = int(((rows[:, TIME] > newest) & ~np.isnan(rows[:, CLOSE])).sum())
        outcome.appended += appended
        outcome.late += merged.late - appended
        outcome.revised += merged.revised
        outcome.deleted += merged.deleted
        outcome.repeated += merged.repeated

    def _edit(self, edits: list[Edit], which: Ints, revision: int, *, commit: bool) -> list[Rows]:
        return self._replay.apply(edits, self.places[which], self.now, revision, commit=commit)

    def _per_lane(self, flat: State) -> list[State]:
        parts = iter(flat)
        return [[next(parts) for _ in lane.now] for lane in self.lanes]

    def nothing(self) -> Outcome:
        """Return the outcome of an update that changes nothing."""
        return Outcome([[] for _ in self.lanes])

    def _done(self, outcome: Outcome, revision: int) -> Outcome:
        """Count the update if it changed anything."""
        if any(len(rows) for kept in outcome.rows for rows in kept):
            self.revision = revision
        return outcome
