"""The compiled driver of a live engine's timeframes: one call takes a candle of each instrument."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints
from tallow.core.entries import entry_of
from tallow.core.operator import OF_CALENDAR, SINCE
from tallow.data.kernels import blocks
from tallow.data.kernels.machine import (
    APPENDED,
    BLOCKS,
    CALENDARS,
    CANDLE,
    FIRST,
    FOLLOWING,
    LOOK,
    OUT,
    PLACES,
    REPEATED,
    REVISED,
    RING,
    SLOTS,
    SPARE,
    STARTS,
    STATE_COUNT,
    STATE_SLOTS,
    STATES,
    STRIDE,
    TIMEFRAMES,
    step_timeframes,
    take_candle,
)
from tallow.data.kernels.one_tick import MADE, take_tick
from tallow.data.reading.quarantine import empty_quarantine
from tallow.plan.plan import Operation
from tallow.runtime.live.bar_rows import BarRows, changed_rows, empty_rows
from tallow.runtime.live.memory import CandleMemory
from tallow.runtime.live.timeframe_state import TimeframeState
from tallow.runtime.live.updates import LiveReport

_ROW = 4
"""Numbers of a row besides its fields: its instrument and times, and the room of its flags."""

_COUNTS = 3
"""Numbers for each timeframe before all rows."""

Candle = tuple[int, float, float, float, float, float, float]
"""A candle as a row of the memory has it: microseconds, prices, volume, open interest."""

_pack = CANDLE.pack_into

Tick = tuple[int, int, float, float, float, bool]
"""A tick: microseconds, sequence number, price, quantity, session, whether that is a total."""


class StepRows:
    """The rows that a call of the driver has changed, and the memory they lie in.

    Attributes
    ----------
    kind
        What its candle was, where it took one: `APPENDED`, `REVISED` or `REPEATED`.
    count
        How many rows have changed, of all timeframes.
    """

    _refilled: list[BarRows] | None = None

    def __init__(
        self, machine: LiveMachine, kind: int, count: int, out: Floats, revision: int
    ) -> None:
        self._machine, self.kind, self.count = machine, kind, count
        self._out, self._revision = out, revision

    def report(self) -> LiveReport:
        """Return where the one row went."""
        appended, revised, repeated = (
            int(self.kind == each) for each in (APPENDED, REVISED, REPEATED)
        )
        return LiveReport(1, appended, 0, revised, 0, repeated, 0, empty_quarantine())

    @property
    def _again(self) -> bool:
        return self.kind == REVISED

    def by_timeframe(self) -> list[BarRows]:
        """Return the rows that have changed, of each timeframe."""
        if self._refilled is not None:
            return self._refilled
        if self.kind == REPEATED:
            return [empty_rows(fields) for fields in self._machine.fields]
        if self._again:
            return [rows.take(_changed(rows, part)) for rows, part in self._parts()]
        return [rows for rows, _ in self._parts()]

    def refill(self, timeframes: Sequence[TimeframeState], which: Ints, calendar_of: Ints) -> None:
        """Run kernels from Python where the driver could not, or not for all instruments."""
        done = []
        for each, (rows, part), (_, closing, raised) in zip(
            timeframes, self._parts(), self._found().tolist(), strict=True
        ):
            if not (raised or each.failed):
                done.append(rows.take(_changed(rows, part)) if self._again else rows)
            elif self._again:
                old = self._kept(rows, part)
                each.refill_open_bars(rows, calendar_of)
                done.append(changed_rows(old, rows, which, self._revision))
                each.revision[which] = old.revision
                each.set_revisions(done[-1])
            else:
                each.refill_open_bars(rows.take(slice(closing, None)), calendar_of)
                done.append(rows)
        self._refilled, self.count = done, sum(map(len, done))

    @property
    def has_closed(self) -> bool:
        """Whether the candle has closed a bar."""
        return not self._again and bool(self._found()[:, 1].any())

    @property
    def has_raised(self) -> bool:
        """Whether a kernel has raised in the driver."""
        return bool(self._found()[:, 2].any())

    def _found(self) -> Ints:
        sizes = len(self._machine.fields)
        counts: Ints = self._out[: _COUNTS * sizes].view(np.int64).reshape(sizes, _COUNTS)
        return counts

    def _parts(self) -> list[tuple[BarRows, Floats]]:
        """Return all rows that are filled in, of each timeframe, and the memory from them on."""
        parts, at = [], _COUNTS * len(self._machine.fields)
        for fields, count in zip(self._machine.fields, self._found()[:, 0].tolist(), strict=True):
            width = _ROW + len(fields)
            part = self._out[at : at + width * count * (1 + self._again)]
            table = part[: width * count].reshape(width, count)
            times, final = table[:3].view(np.int64), table[3].view(np.bool_)[:count]
            revisions = np.full(count, self._revision)
            parts.append((BarRows(times, final, revisions, table[_ROW:], fields), part))
            at += len(part)
        return parts

    @staticmethod
    def _kept(rows: BarRows, part: Floats) -> BarRows:
        """Return the rows as they were, which lie behind those that are filled in."""
        count, fields = len(rows), len(rows.fields)
        table = part[count * (_ROW + fields) :].reshape(-1, count)
        final, revision = table[fields].view(np.bool_)[:count], table[fields + 1].view(np.int64)
        return BarRows(rows.times, final, revision, table[:fields], rows.fields)


class TickRows(StepRows):
    """The rows that a tick has changed: whatever its minute was, it is a tick more."""

    def report(self) -> LiveReport:
        """Return where the tick went."""
        return LiveReport(1, 1, 0, 0, 0, 0, 0, empty_quarantine())


def _changed(rows: BarRows, part: Floats) -> Flags:
    count = len(rows)
    flags: Flags = part[3 * count : _ROW * count].view(np.bool_)[count : 2 * count]
    return flags


class LiveMachine:
    """The timeframes' states as blocks of addresses, and calls of the driver.

    A kernel that has no entry, and one that raised, is run from Python: bars and the rows of closed
    ones are the driver's all the same.
    """

    def __init__(self, timeframes: Sequence[TimeframeState], memory: CandleMemory) -> None:
        self._timeframes, self._memory = timeframes, memory
        self._layout = np.zeros(SPARE + 1, dtype=np.int64)
        self._kept: tuple[Ints, ...] = ()
        self._calendar_of = np.empty(0, dtype=np.int64)
        self._is_connected = self._has_entries = self._is_sound = False
        self._failed: list[dict[str, set[int]]] = []
        self._at = _address(self._layout)
        self._spare, self._spare_each, self._spare_fixed = np.empty(0), 0, 0
        self._single = self._spare.data
        self.fields = [each.fields for each in timeframes]
        self._row_size = sum(_ROW + len(fields) for fields in self.fields)
        self._out = np.empty(_COUNTS * len(timeframes) + 2 * self._row_size)
        self._layout[OUT] = _address(self._out)

    def disconnect(self) -> None:
        """Forget where the states lie: their arrays are others now."""
        self._is_connected = self._is_sound = False

    def know_calendars(self, calendar_of: Ints) -> None:
        """Note the numbers of all instruments' calendars."""
        self._calendar_of = calendar_of
        self._layout[CALENDARS] = _address(calendar_of)

    def _connect(self) -> None:
        """Look where all lies that a call works on."""
        parts, memory = [_block(each) for each in self._timeframes], self._memory
        found, starts = np.concatenate(parts), np.cumsum([0, *map(len, parts)])
        operations = self._timeframes[0].plan.operations
        widest = max((part.shape[1] for part in self._timeframes[0].now), default=0)
        unwanted = max((each.columns.count(None) for each in operations), default=0)
        plan = self._timeframes[0].plan
        beside = len(plan.hidden) + len(plan.moments)
        self._spare_each = blocks.SPARE_EACH + unwanted + widest + beside
        self._spare_fixed = blocks.SPARE_FIXED + max(map(_codes, operations), default=0)
        self._has_entries = all(map(_entry, operations))
        self._failed = [each.failed for each in self._timeframes]
        # What lies at the addresses must live as long as they.
        now = [part for each in self._timeframes for part in each.now]
        assert memory.snapshots.flags.c_contiguous
        sizes = np.array([part.shape[1] for part in now])
        first = _address(memory.snapshots) + 8 * (np.cumsum(sizes) - sizes)
        states = np.column_stack([[_address(part) for part in now], first, sizes])
        self._kept = found, starts, states
        self._layout[STATES], self._layout[STATE_COUNT] = _address(states), len(states)
        self._layout[STATE_SLOTS] = memory.slots
        assert memory.candles.flags.c_contiguous
        self._layout[BLOCKS], self._layout[STARTS] = _address(found), _address(starts)
        self._layout[TIMEFRAMES], self._layout[STRIDE] = len(parts), memory.stride
        self._layout[[SLOTS, PLACES]] = memory.candles.shape[:2]
        self._layout[RING] = _address(memory.candles)
        self._layout[FIRST], self._layout[FOLLOWING] = map(_address, (memory.first, memory.next))
        self._make_spare(1)
        self._is_connected, self._is_sound = True, self._has_entries

    def step(
        self, which: Ints, rows: Floats, now: int, revision: int, *, again: bool
    ) -> list[BarRows]:
        """Take one candle, later than all before, of each of `which`; return the changed rows.

        Of each timeframe. Of each instrument, the row of the bar that closes comes before the row
        of the open one.

        Parameters
        ----------
        which
            The instruments' numbers, ascending.
        rows
            float64 ``[instruments, fields]``.
        now, revision
            The clock; the number of the update.
        again
            They are the newest candles again, with other values; both are in a bar.
        """
        if not self._is_connected:
            self._connect()
        self._make_spare(len(which))
        out = np.empty(_COUNTS * len(self.fields) + 2 * len(which) * self._row_size)
        columns = np.ascontiguousarray(rows.T)
        step_timeframes(self._at, which, columns, now, revision, again, out)
        changed = StepRows(self, REVISED if again else APPENDED, 0, out, revision)
        if not self._has_entries or any(self._failed) or changed.has_raised:
            changed.refill(self._timeframes, which, self._calendar_of)
        return changed.by_timeframe()

    def take(self, number: int, candle: Candle, now: int, revision: int) -> StepRows | None:
        """Take one candle and keep it; None where something about it asks for a closer look.

        Its time must be known to be right, and its values may be anything; the others as in `step`.
        """
        if not self._can_alone():
            return None
        try:
            _pack(self._single, 0, *candle, candle[0])
        except struct.error:
            return None
        kind, count, raised = take_candle(self._at, number, now, revision)
        if kind == LOOK:
            return None
        rows = StepRows(self, kind, count, self._out.copy(), revision)
        if raised:
            rows.refill(self._timeframes, np.array([number]), self._calendar_of)
        return rows

    def take_tick(
        self, book: int, number: int, tick: Tick, now: int, revision: int, *, alone: bool
    ) -> TickRows | int | None:
        """Take a tick into its minute, at the address of a book's layout, and the minute as `take`.

        Returns how many minutes it changes or closes, where something about these asks for a closer
        look, or they are not to be taken `alone`; None where something about the tick does, and
        nothing has changed.
        """
        at = self._at if self._can_alone() and alone else 0
        count: int
        kind, count, raised = take_tick(at, book, number, *tick, now, revision)
        if kind == LOOK:
            return None
        if kind == MADE:
            return count
        rows = TickRows(self, kind, count, self._out.copy(), revision)
        if raised:
            rows.refill(self._timeframes, np.array([number]), self._calendar_of)
        return rows

    def _can_alone(self) -> bool:
        """Say whether the driver can do all by itself, once it knows where all lies."""
        if not self._is_connected:
            self._connect()
        return self._is_sound and not any(self._failed)

    def _make_spare(self, count: int) -> None:
        """Make spare memory for the candles of so many instruments."""
        wanted = self._spare_fixed + count * self._spare_each
        if len(self._spare) < wanted:
            self._spare = np.empty(wanted)
            self._layout[SPARE] = _address(self._spare)
            # Where the driver finds a single candle.
            self._single = self._spare.data


def _entry(operation: Operation) -> tuple[int, int] | None:
    return entry_of(operation.advance, len(operation.inputs), len(operation.columns))


def _codes(operation: Operation) -> int:
    return len(operation.inputs) + len(operation.columns)


def _block(state: TimeframeState) -> Ints:
    """Return a timeframe's block; see `tallow.data.kernels.blocks`."""
    table, anchors = state.buckets, state.machine.anchors
    kept = (state.now[0], state.before, state.touched, state.final, state.revision, state.shown)
    assert all(each.flags.c_contiguous for each in (*kept, *state.now, *state.forming))
    numbers = [_address(each) for each in kept]
    numbers += [len(state.final), len(state.shown), state.grace_us, state.drops_fillers]
    numbers += [len(table.covered_from), len(table.segment_open), table.step_us, table.source_us]
    numbers += [0 if anchors is None else len(anchors.boundaries)]
    numbers += [sum(1 << OF_CALENDAR.index(name) for name in state.plan.anchors)]
    starts, moments = state.machine.starts, [f"{SINCE} {each}" for each in state.plan.moments]
    numbers += [len(moments), 0 if starts is None else _address(starts)]
    beside = (*state.plan.hidden, *moments)
    numbers += [len(OF_CALENDAR) + len(beside), len(state.plan.operations)]
    numbers += map(_address, table[: blocks.BUCKET_ARRAYS])
    numbers += [0] * blocks.ANCHOR_ARRAYS if anchors is None else map(_address, anchors)
    places = {name: place for place, name in enumerate(state.fields)}
    places |= {name: blocks.HIDDEN - place for place, name in enumerate(beside)}
    for operation, now, forming in zip(
        state.plan.operations, state.now[1:], state.forming, strict=True
    ):
        numbers += _entry(operation) or (0, 0)
        numbers += [_address(operation.parameters), len(operation.parameters), now.shape[1]]
        numbers += [_address(now), _address(forming)]
        numbers += [len(operation.inputs), len(operation.columns)]
        numbers += [
            blocks.SESSION - OF_CALENDAR.index(name) if name in OF_CALENDAR else places[name]
            for name in operation.inputs
        ]
        numbers += [blocks.NOBODY if name is None else places[name] for name in operation.columns]
    return np.array(numbers, dtype=np.int64)


def _address(array: Any) -> int:
    address: int = array.ctypes.data
    return address
