"""One compiled call for a candle more of many instruments, in every timeframe: bars and indicators.

What it works on lies behind addresses, in a block for each timeframe; so a call hands over a few
arrays, whatever the plan.
"""

from __future__ import annotations

import numpy as np

from tallow.core.entries import (
    counts_at,
    flags_at,
    floats_at,
    inputs_at,
    integers_at,
    table_at,
    times_at,
)
from tallow.core.kernel import kernel, kernel_part
from tallow.data.kernels.aggregate import LAST_TIME, STATE_SIZE, CandleArrays, _Out, _pass
from tallow.data.kernels.blocks import (
    BAR_FIELDS,
    BEFORE,
    COLUMNS,
    DROP,
    FINAL,
    GRACE,
    REVISION,
    ROOM,
    SHOWN,
    STATE,
    TOUCHED,
    block_buckets,
    fill_indicators,
)
from tallow.data.kernels.live_rows import fill_rows, find_rows
from tallow.data.kernels.rows import TIME_MAX_US, rows_hold


@kernel_part
def _step(block, which, places, candles, now, revision, out, spare):  # type: ignore[no-untyped-def]
    """Take a candle of each of `which` in one timeframe; `out` and `spare` are addresses of memory.

    Returns how many rows it changes, how many of these are of closed bars, how many operations
    raised.
    """
    count, room, columns = len(which), block[ROOM], block[COLUMNS]
    states, before = (
        table_at(block[STATE], room, STATE_SIZE),
        table_at(block[BEFORE], room, STATE_SIZE),
    )
    state, spare = table_at(spare, count, STATE_SIZE), spare + 8 * count * STATE_SIZE
    for k in range(count):
        for j in range(STATE_SIZE):
            before[which[k], j] = state[k, j] = states[which[k], j]
    bars, spare = table_at(spare, BAR_FIELDS, count), spare + 8 * count * BAR_FIELDS
    times, spare = counts_at(spare, 2, count), spare + 8 * count * 2
    offsets, spare = integers_at(spare, count + 1), spare + 8 * (count + 1)
    counts, spare = counts_at(spare, count, 4), spare + 8 * count * 4
    offsets[0] = 0
    counts[:] = 0
    nowhere = integers_at(spare, 0)
    _pass(
        state,
        candles,
        places,
        block_buckets(block),
        False,
        block[DROP] != 0,
        _Out(bars, times, offsets, counts, nowhere),
    )
    told, spare = flags_at(spare, count), spare + 8 * count
    touched, spare = flags_at(spare, count), spare + 8 * count
    opened, spare = flags_at(spare, count), spare + 8 * count
    final, in_bar = flags_at(block[FINAL], room), flags_at(block[TOUCHED], room)
    closing, opening = find_rows(which, before, offsets, counts, final, told, touched, opened)
    for k in range(count):
        in_bar[which[k]] = touched[k]
        for j in range(STATE_SIZE):
            states[which[k], j] = state[k, j]
    rows, fields = closing + opening, BAR_FIELDS + columns
    stamps, is_final = counts_at(out, 3, rows), flags_at(out + 8 * 3 * rows, rows)
    first = out + 8 * 4 * rows
    values, shown = table_at(first, fields, rows), table_at(block[SHOWN], columns, room)
    ended = now - block[GRACE]
    fill_rows(
        which,
        told,
        touched,
        offsets,
        times,
        bars,
        state,
        shown,
        ended,
        closing,
        stamps,
        is_final,
        values,
    )
    failed = 0
    if opening:
        failed = _open_bars(
            block, which, places, touched, opened, opening, rows, out, is_final, revision, spare
        )
    return rows, closing, failed


@kernel_part
def _open_bars(  # type: ignore[no-untyped-def]
    block, which, places, touched, opened, opening, rows, out, is_final, revision, spare
):
    """Fill in the indicators of open bars, the last rows of `out`, and keep what is known of them.

    Returns how many operations raised.
    """
    some, spare = integers_at(spare, opening), spare + 8 * opening
    calendars, spare = integers_at(spare, opening), spare + 8 * opening
    m = 0
    for k in range(len(which)):
        if touched[k]:
            some[m], calendars[m], opened[m] = which[k], places[k], opened[k]
            m += 1
    room, columns, closing, first = block[ROOM], block[COLUMNS], rows - opening, out + 8 * 4 * rows
    opens = times_at(out + 8 * (rows + closing), opening)
    failed = fill_indicators(
        block, some, calendars, opened, opens, first + 8 * closing, rows, spare
    )
    final, revisions = flags_at(block[FINAL], room), integers_at(block[REVISION], room)
    for m in range(opening):
        final[some[m]], revisions[some[m]] = is_final[closing + m], revision
    values = table_at(first, BAR_FIELDS + columns, rows)
    shown = table_at(block[SHOWN], columns, room)
    for column in range(columns):
        for m in range(opening):
            shown[column, some[m]] = values[BAR_FIELDS + column, closing + m]
    return failed


@kernel
def step_timeframes(blocks, starts, which, places_of, columns, now, revision, out, spare, found):  # type: ignore[no-untyped-def]
    """Take one candle, later than all before, of each of `which`, in every timeframe.

    Parameters
    ----------
    blocks, starts
        int64, the timeframes' blocks, and where each begins.
    which, places_of
        int64, the instruments' numbers, ascending, and the place of every instrument's calendar.
    columns
        float64 ``[7, len(which)]``: timestamp, open, high, low, close, volume, open interest.
    now, revision
        The clock, int64 microseconds, and the number of the update.
    out, spare
        float64, memory for the changed rows, and for what is of no use afterwards.
    found
        int64 ``[timeframes, 3]``: filled in, how many rows each timeframe has in `out`, how many of
        them of closed bars, and how many operations raised. A timeframe's rows are, one after the
        other, int64 ``[3, rows]``, the flags whether they are final in the room of `rows` numbers,
        and float64 ``[fields, rows]``.
    """
    _step_all(
        blocks,
        starts,
        which,
        places_of,
        columns.ctypes.data,
        now,
        revision,
        out.ctypes.data,
        spare.ctypes.data,
        found,
    )


@kernel_part
def _step_all(blocks, starts, which, places_of, first, now, revision, at, memory, found):  # type: ignore[no-untyped-def]
    """Do as `step_timeframes`, where columns and memory lie at addresses."""
    count = len(which)
    ends, memory = integers_at(memory, count + 1), memory + 8 * (count + 1)
    places, memory = integers_at(memory, count), memory + 8 * count
    stamps, times = integers_at(memory, count), times_at(memory, count)
    memory += 8 * count
    given = floats_at(first, count)
    for k in range(count):
        ends[k], places[k], stamps[k] = k, places_of[which[k]], np.int64(given[k])
    ends[count] = count
    row = 8 * count
    candles = CandleArrays(
        ends,
        times,
        inputs_at(first + row, count),
        inputs_at(first + 2 * row, count),
        inputs_at(first + 3 * row, count),
        inputs_at(first + 4 * row, count),
        inputs_at(first + 5 * row, count),
        inputs_at(first + 6 * row, count),
    )
    for k in range(len(starts) - 1):
        block = blocks[starts[k] : starts[k + 1]]
        rows, closing, failed = _step(block, which, places, candles, now, revision, at, memory)
        found[k, 0], found[k, 1], found[k, 2] = rows, closing, failed
        at += 8 * rows * (4 + BAR_FIELDS + block[COLUMNS])


@kernel
def take_candle(  # type: ignore[no-untyped-def]
    blocks,
    starts,
    places_of,
    ring,
    following,
    stride,
    number,
    time,
    open_,
    high,
    low,
    close,
    volume,
    interest,
    sure_from,
    sure_until,
    now,
    revision,
    out,
    spare,
    found,
):
    """Take one candle in every timeframe, and keep it, if nothing about it needs a closer look.

    Returns how many rows it changed. -1 where it was not taken: it breaks a rule, its time is not
    from `sure_from` to before `sure_until`, or not later than all before of its instrument, or a
    state is due before it.

    Parameters
    ----------
    ring, following, stride
        float64 ``[slots, instruments, fields]``, the candles that are kept; int64, the numbers of
        each instrument's next one; at multiples of `stride` a state is due.
    number, time
        The instrument's number; int64 microseconds.
    """
    memory = spare.ctypes.data
    column, stamp = floats_at(memory, 7), integers_at(memory + 56, 1)
    column[0], column[1], column[2], column[3] = time, open_, high, low
    column[4], column[5], column[6] = close, volume, interest
    stamp[0] = time
    if not sure_from <= time < sure_until or not rows_hold(
        inputs_at(memory + 8, 1),
        inputs_at(memory + 16, 1),
        inputs_at(memory + 24, 1),
        inputs_at(memory + 32, 1),
        inputs_at(memory + 40, 1),
        times_at(memory + 56, 1),
        True,
        TIME_MAX_US,
    ):
        return -1
    states, position = table_at(blocks[STATE], blocks[ROOM], STATE_SIZE), following[number]
    if not column[0] > states[number, LAST_TIME] or position % stride == 0:
        return -1
    slot = position % len(ring)
    for field in range(7):
        ring[slot, number, field] = column[field]
    following[number] = position + 1
    which = integers_at(memory + 64, 1)
    which[0] = number
    at = out.ctypes.data
    _step_all(blocks, starts, which, places_of, memory, now, revision, at, memory + 72, found)
    rows = 0
    for k in range(len(found)):
        rows += found[k, 0]
    return rows
