"""Changes of more than an instrument's newest candle: replayed from a state before them.

An edit holds the candles from some number on as they are, and as they were. Both versions run from
one state, over as few rows as possible; the bars that differ are the rows that change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.data.kernels.aggregate import CandleArrays
from tallow.runtime.blocks import rows_between
from tallow.runtime.live.bar_rows import BarRows, changed_rows, join_rows
from tallow.runtime.live.memory import CLOSE, INTEREST, TIME, CandleMemory, candles_of
from tallow.runtime.live.outcome import Past
from tallow.runtime.live.timeframe_state import StateArrays, TimeframeState, split_rows
from tallow.runtime.operations import join_states


@dataclass(frozen=True)
class Edit:
    """A change of an instrument's candles from number `position` on.

    Attributes
    ----------
    old, new
        The candles as they were and as they are, after the states before them.
    restart
        Forget the candles in memory: the new ones begin after their states.
    is_rebuild
        Forget where kernels failed, too.
    """

    number: int
    position: int
    old: Past
    new: Past
    restart: bool = False
    is_rebuild: bool = False


@dataclass(frozen=True)
class MergeResult:
    """Candles after a merge, and how many of the merged ones were of which kind."""

    rows: Floats
    late: int
    revised: int
    deleted: int
    repeated: int


def merge_candles(rows: Floats, given: Floats, is_complete: bool = False) -> MergeResult:
    """Merge candles into others; one without prices deletes the candle of its time.

    Both are ``[rows, fields]`` in ascending time, without repeats; see `UpdateRows.is_complete`.
    """
    place = np.searchsorted(rows[:, TIME], given[:, TIME])
    known = place < len(rows)
    known[known] = rows[place[known], TIME] == given[known, TIME]
    deletes = np.isnan(given[:, CLOSE])
    same = np.zeros(len(given), dtype=np.bool_)
    before = rows[place[known]]
    given = given.copy()
    if not is_complete:
        given[known] = with_interest(given[known], before)
    same[known] = equal_rows(before, given[known])
    same |= deletes & ~known
    revised, deleted = known & ~same & ~deletes, known & deletes
    kept = np.delete(rows, place[known], axis=0)
    result = np.concatenate([kept, given[~deletes]])
    result = result[np.argsort(result[:, TIME], kind="stable")]
    late = len(given) - int(known.sum()) - int((deletes & ~known).sum())
    return MergeResult(result, late, int(revised.sum()), int(deleted.sum()), int(same.sum()))


def with_interest(rows: Floats, before: Floats) -> Floats:
    """Return revised candles, with the earlier open interest where they have none.

    As in the store: many feeds send prices and open interest in separate messages.
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
    """Runs edits through every timeframe; commits them, or only says what would change."""

    def __init__(self, timeframes: Sequence[TimeframeState], memory: CandleMemory) -> None:
        self._timeframes, self._memory = timeframes, memory

    def apply(
        self, edits: Sequence[Edit], calendar_of: Ints, now: int, revision: int, *, commit: bool
    ) -> list[BarRows]:
        """Return per timeframe the rows that edits of ascending instruments change.

        `calendar_of` are the calendars of all instruments.
        """
        which = np.array([edit.number for edit in edits], dtype=np.int64)
        calendar = calendar_of[which]
        for edit in edits:
            if commit and edit.restart:
                self._memory.restart(edit.number, edit.new.states)
        old = self._old_rows(edits, which, calendar, now)
        for edit in edits:
            if commit and edit.is_rebuild:
                for each in self._timeframes:
                    each.forget_failures(edit.number)
        new = self._run(edits, which, calendar, now, revision, commit=commit)
        found = [changed_rows(a, b, which, revision) for a, b in zip(old, new, strict=True)]
        if commit:
            for each, rows in zip(self._timeframes, found, strict=True):
                each.set_revisions(rows)
            for edit in edits:
                self._memory.replace(edit.number, edit.position, edit.new.rows)
        return found

    def _start(self, pasts: Sequence[Past]) -> tuple[CandleArrays, list[StateArrays]]:
        """Return the candles of several pasts, and the states before them per timeframe."""
        states = split_rows(self._timeframes, np.stack([past.states for past in pasts]))
        return candles_of([past.rows for past in pasts]), states

    def newest_bars(self, which: Ints, calendar_of: Ints, now: int, candles: int) -> list[BarRows]:
        """Return each timeframe's bars of the newest candles in memory, with the open ones."""
        pasts = [self._memory.newest(number, candles) for number in which.tolist()]
        if not pasts:
            return [each.last_bars(which) for each in self._timeframes]
        rows, states = self._start(pasts)
        return self._bars(which, calendar_of[which], rows, states, now)

    def _old_rows(
        self, edits: Sequence[Edit], which: Ints, calendar: Ints, now: int
    ) -> list[BarRows]:
        """Return each timeframe's bars of the candles as they were, with the open ones."""
        candles, states = self._start([edit.old for edit in edits])
        if not len(candles.timestamp) and not any(edit.restart for edit in edits):
            return [each.last_bars(which) for each in self._timeframes]
        return self._bars(which, calendar, candles, states, now)

    def _bars(
        self,
        which: Ints,
        calendar: Ints,
        candles: CandleArrays,
        states: Sequence[StateArrays],
        now: int,
    ) -> list[BarRows]:
        rows = []
        for each, state in zip(self._timeframes, states, strict=True):
            closed, _ = each.closed_rows(state, which, calendar, candles, 0)
            opened = each.open_rows(which, calendar, state[0], state[1:], now, 0)
            rows.append(join_rows([closed, opened]).sort())
        return rows

    def _run(
        self,
        edits: Sequence[Edit],
        which: Ints,
        calendar: Ints,
        now: int,
        revision: int,
        *,
        commit: bool,
    ) -> list[BarRows]:
        """Run the new candles piece by piece, to keep snapshots between the pieces."""
        given, states = self._start([edit.new for edit in edits])
        start = np.array([edit.position for edit in edits], dtype=np.int64)
        edges = self._edges(start, start + np.diff(given.offsets))
        parts: list[list[BarRows]] = [[] for _ in self._timeframes]
        before = [state[0] for state in states]
        touched = [np.zeros(len(which), dtype=np.bool_) for _ in states]
        for piece, (low, high) in enumerate(pairwise(edges)):
            if commit:
                due = low % self._memory.stride == 0
                due &= (piece == 0) | (low > start)
                flat = join_states([part[due] for state in states for part in state])
                self._memory.put(which[due], low[due], flat)
            first = given.offsets[:-1] - start
            candles = rows_between(given, first + low, first + high)
            for k, each in enumerate(self._timeframes):
                before[k] = states[k][0].copy()
                rows, touched[k] = each.closed_rows(states[k], which, calendar, candles, revision)
                parts[k].append(rows)
        result = []
        for k, each in enumerate(self._timeframes):
            forming = [part.copy() for part in states[k][1:]]
            last = each.open_rows(which, calendar, states[k][0], forming, now, revision)
            result.append(join_rows([*parts[k], last]).sort())
            if commit:
                each.install(which, states[k], forming, before[k], touched[k], last)
        return result

    def _edges(self, start: Ints, end: Ints) -> list[Ints]:
        """Return the numbers of candles at which the pieces of each instrument begin and end.

        The last piece is the newest candle alone. The pieces before it end at snapshots, as many as
        the ring holds.
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
