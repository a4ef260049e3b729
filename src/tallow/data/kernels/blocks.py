"""Blocks: where a timeframe's states lie, and its operations, as int64 for the compiled driver.

Kernels are called by the addresses of their entries; see `tallow.core.entries`.
"""

from __future__ import annotations

import numpy as np

from tallow.core.entries import (
    ENTRY,
    SIZE,
    call_entry,
    flags_at,
    floats_at,
    integers_at,
    table_at,
)
from tallow.core.kernel import kernel_part
from tallow.core.operator import MINUTE, OF_CALENDAR
from tallow.core.time import MINUTE_US
from tallow.data.kernels.anchors import AnchorTable, _anchor_ids
from tallow.data.kernels.buckets import BucketTable
from tallow.data.kernels.live_rows import roll_states

(
    STATE,
    BEFORE,
    TOUCHED,
    FINAL,
    REVISION,
    SHOWN,
    ROOM,
    COLUMNS,
    GRACE,
    DROP,
    CALENDARS,
    SEGMENTS,
    STEP,
    SOURCE,
    ANCHORS,
    PERIODS,
    MOMENTS,
    STARTS,
    BESIDE,
    OPERATIONS,
    HEADER,
) = range(21)
"""Places in a block, in this order: addresses of the states of bars now and before the newest
candle, of the flags whether that is in a bar and whether the last bar is final, of revisions and
of the last bars' indicators; for how many instruments there is room; how many indicators' columns;
the grace in microseconds, whether fillers are dropped; how many calendars, segments; the two
numbers of a `BucketTable`; how many boundaries an `AnchorTable` has; which of session, week, month,
rows of a year and minute any operation takes, as bits; how many moments, and the address of their
starts by calendar; how many columns are computed that are no fields of rows, with those five and
the moments, which are the last; how many operations. Then come the addresses of both tables'
arrays, and the operations."""

BUCKET_ARRAYS, ANCHOR_ARRAYS = 9, 9

NOW, FORMING, INPUTS, OUTPUTS, CODES = range(SIZE + 1, SIZE + 6)
"""Places of an operation, after those of `tallow.core.entries`: addresses of its states after the
last closed bar and after the open one, how many inputs and outputs, and which: fields of bars by
number; `NOBODY` asked for an output; the session of a row, its week (the number before), its month,
the rows of a year and its minute are inputs; from `HIDDEN` on, each the number before, columns that
are no fields of rows, from one operation to another."""
NOBODY, SESSION, HIDDEN = -1, -2, -7

BAR_FIELDS = 7

MINUTES = OF_CALENDAR.index(MINUTE)
"""Which of the columns beside rows has minutes."""

SPARE_EACH, SPARE_FIXED = 44, 16
"""Numbers of spare memory for each instrument, and for all, besides those of an operation: as many
as its outputs that nobody asked for, its state, and all of its inputs and outputs; and the columns
that are no fields of rows."""


@kernel_part
def block_buckets(block):  # type: ignore[no-untyped-def]
    """Return the buckets of a block's timeframe."""
    many, at = block[CALENDARS], HEADER
    count = block[SEGMENTS]
    return BucketTable(
        integers_at(block[at], many + 1),
        integers_at(block[at + 1], count),
        integers_at(block[at + 2], count),
        integers_at(block[at + 3], count),
        integers_at(block[at + 4], count),
        integers_at(block[at + 5], count),
        flags_at(block[at + 6], count),
        integers_at(block[at + 7], many),
        integers_at(block[at + 8], many),
        block[STEP],
        block[SOURCE],
    )


@kernel_part
def _anchors(block):  # type: ignore[no-untyped-def]
    many, at, count = block[CALENDARS], HEADER + BUCKET_ARRAYS, block[ANCHORS]
    return AnchorTable(
        integers_at(block[at], many + 1),
        integers_at(block[at + 1], count),
        integers_at(block[at + 2], many),
        integers_at(block[at + 3], many),
        floats_at(block[at + 4], count),
        floats_at(block[at + 5], count),
        floats_at(block[at + 6], count),
        floats_at(block[at + 7], count),
        floats_at(block[at + 8], count),
    )


@kernel_part
def _mark_past(times, places, starts, out):  # type: ignore[no-untyped-def]
    """Write 1 where a moment is past that each calendar has its own start of, else NaN."""
    for k in range(len(times)):
        is_past = places[k] >= 0 and times[k] >= starts[places[k]]
        out[k] = 1.0 if is_past else np.nan


@kernel_part
def _run(block, at, which, count, fields, rows, beside, ends, spare):  # type: ignore[no-untyped-def]
    """Run an operation over the rows of the open bars of `which`; return its status.

    `fields` is the address of the first of these rows' first field, `rows` how far a field lies
    from the next, `spare` that of memory for what nobody asked for, for a copy of states, and for
    the addresses of inputs and outputs, `beside` that of sessions, weeks, months, rows of years,
    minutes, and the columns that are no fields of rows. A row in which a column of an earlier
    operation has no value is none to this one: it has no values there, and its state stays.
    """
    size, taken, made = block[at + SIZE], block[at + INPUTS], block[at + OUTPUTS]
    words = integers_at(spare, taken + made)
    spare, source = spare + 8 * (taken + made), 0
    for k in range(taken + made):
        code = block[at + CODES + k]
        if code >= 0:
            words[k] = fields + 8 * code * rows
        elif code == NOBODY:
            words[k] = spare
            spare += 8 * count
        else:
            words[k] = beside + 8 * (SESSION - code) * count
        if k < taken and (code >= BAR_FIELDS or code <= HIDDEN):
            source = words[k]
    skips = source != 0 and _has_missing(floats_at(source, count))
    given = words.ctypes.data
    filled, operation = given + 8 * taken, block.ctypes.data + 8 * at
    if which[count - 1] - which[0] + 1 == count and not skips:
        state = block[at + FORMING] + 8 * which[0] * size
        return call_entry(operation, state, count, ends, given, filled)
    forming, part = table_at(block[at + FORMING], block[ROOM], size), table_at(spare, count, size)
    for k in range(count):
        for j in range(size):
            part[k, j] = forming[which[k], j]
    status = call_entry(operation, spare, count, ends, given, filled)
    for k in range(count):
        if skips and np.isnan(floats_at(source, count)[k]):
            for output in range(made):
                floats_at(words[taken + output], count)[k] = np.nan
            continue
        for j in range(size):
            forming[which[k], j] = part[k, j]
    return status


@kernel_part
def _has_missing(column):  # type: ignore[no-untyped-def]
    """Say whether any value is missing."""
    found = 0
    for value in column:
        found += value != value
    return found > 0


@kernel_part
def fill_indicators(block, which, places, opened, times, fields, rows, spare):  # type: ignore[no-untyped-def]
    """Fill in the indicators in the rows of open bars of `which`; return the number that raised.

    `times` are those rows' opens, the others as in `_run`.
    """
    count, failed = len(which), 0
    ends = integers_at(spare, count + 1)
    for k in range(count + 1):
        ends[k] = k
    spare += 8 * (count + 1)
    beside, spare = spare, spare + 8 * count * block[BESIDE]
    for k in range(block[MOMENTS]):
        own = integers_at(block[STARTS] + 8 * k * block[CALENDARS], block[CALENDARS])
        at = beside + 8 * (block[BESIDE] - block[MOMENTS] + k) * count
        _mark_past(times, places, own, floats_at(at, count))
    if block[PERIODS]:
        table = _anchors(block)
        ids = (table.session, table.week, table.month, table.year_rows, table.minute)
        for unit in range(MINUTES + 1):
            if block[PERIODS] >> unit & 1:
                at = beside + 8 * unit * count
                found = floats_at(at, count)
                _anchor_ids(times, ends, places, table, ids[unit], found)
                if unit == MINUTES:
                    for k in range(count):
                        found[k] = (times[k] - found[k]) / MINUTE_US
    at = HEADER + BUCKET_ARRAYS + ANCHOR_ARRAYS
    for _ in range(block[OPERATIONS]):
        size = block[at + SIZE]
        closed = table_at(block[at + NOW], block[ROOM], size)
        roll_states(closed, table_at(block[at + FORMING], block[ROOM], size), which, opened)
        status = 1
        if block[at + ENTRY]:
            status = _run(block, at, which, count, fields, rows, beside, ends.ctypes.data, spare)
        failed += status != 0
        at += CODES + block[at + INPUTS] + block[at + OUTPUTS]
    return failed
