"""Candles that change more than an instrument's newest row: replayed from a state before them.

An edit says which candles an instrument has from some number on, and had before. Both versions are
run from one state, as few rows as that takes; what differs between their bars is what has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.runtime.live.lane import Lane, State
from tallow.runtime.live.memory import CLOSE, INTEREST, TIME, CandleMemory, Table
from tallow.runtime.live.rows import Rows, changes, joined


@dataclass(frozen=True)
class Edit:
    """What becomes of an instrument's candles from number `position` on.

    Attributes
    ----------
    states
        Every lane's state before them.
    old, new
        The candles as they were and as they are, ``[rows, fields]``. Where `old` is None, the
        candles are added to those before, and nothing else can change than the last bar.
    restart
        Forget what is held: the candles begin anew, after these states.
    before
        Every lane's state before the old candles, where those begin elsewhere; the instrument is
        made anew then, its failures too.
    """

    number: int
    position: int
    states: list[State]
    old: Floats | None
    new: Floats
    restart: bool = False
    before: list[State] | None = None


@dataclass(frozen=True)
class Merged:
    """Candles with some of them changed, and how many of the changes were what."""

    rows: Floats
    late: int
    revised: int
    deleted: int
    repeated: int


def merge(rows: Floats, given: Floats) -> Merged:
    """Return candles with others among them; one without prices takes away what has its time.

    Both are ``[rows, fields]`` in ascending time, without repeats.
    """
    place = np.searchsorted(rows[:, TIME], given[:, TIME])
    known = place < len(rows)
    known[known] = rows[place[known], TIME] == given[known, TIME]
    gone = np.isnan(given[:, CLOSE])
    same = np.zeros(len(given), dtype=np.bool_)
    before = rows[place[known]]
    given = given.copy()
    given[known] = with_interest(given[known], before)
    same[known] = equal_rows(before, given[known])
    same |= gone & ~known
    revised, deleted = known & ~same & ~gone, known & gone
    kept = np.delete(rows, place[known], axis=0)
    result = np.concatenate([kept, given[~gone]])
    result = result[np.argsort(result[:, TIME], kind="stable")]
    late = len(given) - int(known.sum()) - int((gone & ~known).sum())
    return Merged(result, late, int(revised.sum()), int(deleted.sum()), int(same.sum()))


def with_interest(rows: Floats, before: Floats) -> Floats:
    """Return revised candles, with the open interest that was known where they do not say it.

    As in the store: many feeds send prices and open interest apart.
    """
    kept = np.isnan(rows[:, INTEREST]) & ~np.isnan(rows[:, CLOSE])
    result = rows.copy()
    result[kept, INTEREST] = before[kept, INTEREST]
    return result


def equal_rows(a: Floats, b: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Say which rows have the same values; NaN is one."""
    alike: np.ndarray[tuple[int], np.dtype[np.bool_]]
    alike = np.all((a == b) | (np.isnan(a) & np.isnan(b)), axis=1)
    return alike


class Replay:
    """Runs edits through every lane; commits them, or only tells what they would change."""

    def __init__(self, lanes: Sequence[Lane], memory: CandleMemory) -> None:
        self._lanes, self._memory = lanes, memory

    def apply(
        self, edits: Sequence[Edit], places: Ints, now: int, revision: int, *, commit: bool
    ) -> list[Rows]:
        """Return per lane the rows that edits of ascending instruments change.

        All of them have an old version, or none has. `places` are the instruments' calendars.
        """
        which = np.array([edit.number for edit in edits], dtype=np.int64)
        states = self._stacked([edit.states for edit in edits])
        for edit in edits:
            if commit and edit.restart:
                self._memory.restart(edit.number, [p for state in edit.states for p in state])
        if edits[0].old is None:
            old = [lane.last(which) for lane in self._lanes]
        else:
            table = Table.of([edit.old for edit in edits if edit.old is not None])
            copies = self._stacked([edit.before or edit.states for edit in edits])
            old = self._rows_of(table, which, places, copies, now)
            for edit in edits:
                if commit and edit.before is not None:
                    for lane in self._lanes:
                        lane.forget_failures(edit.number)
        new = self._run(edits, which, places, states, now, revision, commit=commit)
        found = [changes(a, b, which, revision) for a, b in zip(old, new, strict=True)]
        if commit:
            for lane, rows in zip(self._lanes, found, strict=True):
                lane.stamp(rows)
            for edit in edits:
                self._memory.replace(edit.number, edit.position, edit.new)
        return found

    def _stacked(self, states: Sequence[list[State]]) -> list[State]:
        """Return copies of the states of all edits, per lane."""
        return [
            [np.concatenate(parts) for parts in zip(*(each[k] for each in states), strict=True)]
            for k in range(len(self._lanes))
        ]

    def _rows_of(
        self, table: Table, which: Ints, places: Ints, states: list[State], now: int
    ) -> list[Rows]:
        """Return each lane's bars of candles, with the open ones; the states are used up."""
        candles = table.part(np.zeros(len(which), dtype=np.int64), np.diff(table.offsets))
        rows = []
        for lane, state in zip(self._lanes, states, strict=True):
            closed, _ = lane.closed_rows(state, which, places, candles, 0)
            opened = lane.open_rows(which, places, state[0], state[1:], now, 0)
            rows.append(joined([closed, opened]).in_order())
        return rows

    def _run(
        self,
        edits: Sequence[Edit],
        which: Ints,
        places: Ints,
        states: list[State],
        now: int,
        revision: int,
        *,
        commit: bool,
    ) -> list[Rows]:
        """Run the new candles piece by piece, so that states can be kept between the pieces."""
        table = Table.of([edit.new for edit in edits])
        start = np.array([edit.position for edit in edits], dtype=np.int64)
        edges = self._edges(start, start + np.diff(table.offsets))
        parts: list[list[Rows]] = [[] for _ in self._lanes]
        before = [state[0] for state in states]
        touched = [np.zeros(len(which), dtype=np.bool_) for _ in states]
        for piece, (low, high) in enumerate(pairwise(edges)):
            if commit:
                due = low % self._memory.stride == 0
                due &= (piece == 0) | (low > start)
                flat = [part[due] for state in states for part in state]
                self._memory.mark(which[due], low[due], flat)
            candles = table.part(low - start, high - start)
            for k, lane in enumerate(self._lanes):
                before[k] = states[k][0].copy()
                rows, touched[k] = lane.closed_rows(states[k], which, places, candles, revision)
                parts[k].append(rows)
        result = []
        for k, lane in enumerate(self._lanes):
            forming = [part.copy() for part in states[k][1:]]
            last = lane.open_rows(which, places, states[k][0], forming, now, revision)
            result.append(joined([*parts[k], last]).in_order())
            if commit:
                lane.install(which, states[k], forming, before[k], touched[k], last)
        return result

    def _edges(self, start: Ints, end: Ints) -> list[Ints]:
        """Return where the pieces of each instrument's candles begin and end, by their numbers.

        The last piece is the newest candle, alone. Before it, pieces end where a state is kept, as
        many as the ring holds.
        """
        stride = self._memory.stride
        newest = np.maximum(end - 1, start)
        edges, edge = [end, newest], newest // stride * stride
        longest = int(np.max(end - start)) if len(end) else 0
        for _ in range(min(self._memory.slots, longest // stride + 2)):
            edges.append(np.maximum(edge, start))
            edge = edge - stride
        edges.append(start)
        return edges[::-1]
