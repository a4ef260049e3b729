"""The compiled driver of a live engine's timeframes: one call takes a candle of each instrument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.core.entries import entry_of
from tallow.data.kernels import blocks
from tallow.data.kernels.machine import step_timeframes, take_candle
from tallow.plan.plan import Operation
from tallow.runtime.live.bar_rows import BarRows
from tallow.runtime.live.memory import CandleMemory
from tallow.runtime.live.timeframe_state import TimeframeState

_PERIODS = ("session", "week", "month")
_ROW = 4
"""Numbers of a row besides its fields: its instrument and times, and the room of a flag."""


Candle = tuple[int, float, float, float, float, float, float]
"""A candle as a row of the memory has it: microseconds, prices, volume, open interest."""


@dataclass(frozen=True, slots=True)
class StepRows:
    """The rows that a call of the driver has changed: how many, and the memory they lie in."""

    machine: LiveMachine
    count: int
    out: Floats
    found: Ints
    revision: int

    def by_timeframe(self) -> list[BarRows]:
        """Return them as rows of each timeframe."""
        at, changed = 0, []
        for fields, (count, _, _) in zip(self.machine.fields, self.found.tolist(), strict=True):
            width = _ROW + len(fields)
            part = self.out[at : at + width * count].reshape(width, count)
            times, final = part[:3].view(np.int64), part[3].view(np.bool_)[:count]
            revisions = np.full(count, self.revision)
            changed.append(BarRows(times, final, revisions, part[_ROW:], fields))
            at += width * count
        return changed


class LiveMachine:
    """The timeframes' states as blocks of addresses, and calls of the driver.

    A kernel that has no entry, and one that raised, is run from Python: bars and the rows of closed
    ones are the driver's all the same.
    """

    def __init__(self, timeframes: Sequence[TimeframeState], memory: CandleMemory) -> None:
        self._timeframes, self._memory = timeframes, memory
        self._blocks = self._starts = np.empty(0, dtype=np.int64)
        self._spare, self._spare_each, self._spare_fixed = np.empty(0), 0, 0
        self.fields = [each.fields for each in timeframes]
        self._row_size = sum(_ROW + len(fields) for fields in self.fields)
        self._is_connected = self._has_entries = False

    def disconnect(self) -> None:
        """Forget where the states lie: their arrays are others now."""
        self._is_connected = False

    def _connect(self) -> None:
        parts = [_block(each) for each in self._timeframes]
        self._blocks = np.concatenate(parts)
        self._starts = np.cumsum([0, *map(len, parts)])
        plan = self._timeframes[0].plan
        widest = max((part.shape[1] for part in self._timeframes[0].now), default=0)
        unwanted = max((each.columns.count(None) for each in plan.operations), default=0)
        self._spare_each = blocks.SPARE_EACH + unwanted + widest
        self._spare_fixed = blocks.SPARE_FIXED + max(map(_codes, plan.operations), default=0)
        self._has_entries = all(map(_entry, plan.operations))
        self._is_connected = True

    def step(
        self, which: Ints, calendar_of: Ints, rows: Floats, now: int, revision: int
    ) -> list[BarRows]:
        """Take one candle, later than all before, of each of `which`; return the changed rows.

        Of each timeframe. Of each instrument, the row of the bar that closes comes before the row
        of the open one.

        Parameters
        ----------
        which, calendar_of
            The instruments' numbers, ascending; the numbers of all instruments' calendars.
        rows
            float64 ``[instruments, fields]``.
        now, revision
            The clock; the number of the update.
        """
        out, spare = self._memory_for(len(which))
        found = np.empty((len(self._timeframes), 3), dtype=np.int64)
        columns = np.ascontiguousarray(rows.T)
        step_timeframes(
            self._blocks,
            self._starts,
            which,
            calendar_of,
            columns,
            now,
            revision,
            out,
            spare,
            found,
        )
        changed = StepRows(self, 0, out, found, revision).by_timeframe()
        self._refill(changed, found, calendar_of)
        return changed

    def take(
        self,
        number: int,
        calendar_of: Ints,
        candle: Candle,
        sure_from: int,
        sure_until: int,
        now: int,
        revision: int,
    ) -> StepRows | None:
        """Take one candle and keep it; None where something about it asks for a closer look.

        From `sure_from` to before `sure_until` a time is known to be right; the others as in
        `step`.
        """
        out, spare = self._memory_for(1)
        if not self._has_entries or any(each.kernels.failed for each in self._timeframes):
            return None
        found = np.empty((len(self._timeframes), 3), dtype=np.int64)
        memory = self._memory
        count = take_candle(
            self._blocks,
            self._starts,
            calendar_of,
            memory.candles,
            memory.next,
            memory.stride,
            number,
            *candle,
            sure_from,
            sure_until,
            now,
            revision,
            out,
            spare,
            found,
        )
        if count < 0:
            return None
        rows = StepRows(self, count, out, found, revision)
        if found[:, 2].any():
            self._refill(rows.by_timeframe(), found, calendar_of)
        return rows

    def _refill(self, changed: Sequence[BarRows], found: Ints, calendar_of: Ints) -> None:
        """Run kernels from Python where the driver could not, or not for all instruments."""
        for timeframe, rows, (_, closing, raised) in zip(
            self._timeframes, changed, found.tolist(), strict=True
        ):
            if raised or timeframe.kernels.failed:
                timeframe.refill_open_bars(rows.take(slice(closing, None)), calendar_of)

    def _memory_for(self, count: int) -> tuple[Floats, Floats]:
        """Return fresh memory for the rows that `count` candles change, and spare memory."""
        if not self._is_connected:
            self._connect()
        wanted = self._spare_fixed + count * self._spare_each
        if len(self._spare) < wanted:
            self._spare = np.empty(wanted)
        return np.empty(2 * count * self._row_size), self._spare


def _entry(operation: Operation) -> int:
    sizes = len(operation.parameters), len(operation.inputs), len(operation.columns)
    return entry_of(operation.advance, *sizes) or 0


def _codes(operation: Operation) -> int:
    return len(operation.inputs) + len(operation.columns)


def _block(state: TimeframeState) -> Ints:
    """Return a timeframe's block; see `tallow.data.kernels.blocks`."""
    table, anchors = state.buckets, state.kernels.anchors
    kept = (state.now[0], state.before, state.touched, state.final, state.revision, state.shown)
    assert all(each.flags.c_contiguous for each in (*kept, *state.now, *state.forming))
    numbers = [_address(each) for each in kept]
    numbers += [len(state.final), len(state.shown), state.grace_us, state.drops_fillers]
    numbers += [len(table.covered_from), len(table.segment_open), table.step_us, table.source_us]
    numbers += [0 if anchors is None else len(anchors.boundaries), len(state.plan.operations)]
    numbers += map(_address, table[: blocks.BUCKET_ARRAYS])
    numbers += [0] * blocks.ANCHOR_ARRAYS if anchors is None else map(_address, anchors)
    places = {name: place for place, name in enumerate(state.fields)}
    for operation, now, forming in zip(
        state.plan.operations, state.now[1:], state.forming, strict=True
    ):
        numbers += [_entry(operation), _address(now), _address(forming), now.shape[1]]
        numbers += [_address(operation.parameters), len(operation.inputs), len(operation.columns)]
        numbers += [
            blocks.SESSION - _PERIODS.index(name) if name in _PERIODS else places[name]
            for name in operation.inputs
        ]
        numbers += [blocks.NOBODY if name is None else places[name] for name in operation.columns]
    return np.array(numbers, dtype=np.int64)


def _address(array: Any) -> int:
    address: int = array.ctypes.data
    return address
