"""One compiled call for a candle more of many instruments, in every timeframe: bars and indicators.

What it works on lies behind addresses: a block for each timeframe, and a layout of all of it; so a
call hands over a few numbers, whatever the plan.
"""

from __future__ import annotations

from struct import Struct

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
from tallow.core.kernel import kernel, kernel_part, kernel_quick
from tallow.data.kernels.aggregate import BAR, LAST_TIME, STATE_SIZE, CandleArrays, _Out, _pass
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
from tallow.data.kernels.live_rows import _same, fill_rows, find_rows
from tallow.data.kernels.rows import TIME_MAX_US, rows_hold

BLOCKS, STARTS, TIMEFRAMES, CALENDARS, RING, SLOTS, PLACES, FIRST, FOLLOWING, STRIDE = range(10)
STATES, STATE_COUNT, STATE_SLOTS, OUT, SPARE = range(10, 15)
"""Places in a layout, int64: addresses of the timeframes' blocks and of where each begins; how many
there are; addresses of every instrument's calendar, and of the ring of kept candles, which has so
many slots of so many instruments; addresses of the numbers of each instrument's first candle there
and of its next one; at multiples of which number a snapshot is due; the address of where its states
lie, how many there are, in so many slots; the addresses of memory for the rows of a single candle,
and for what is of no use afterwards, where a single candle lies first, as `CANDLE` packs it.

States are int64 ``[states, 3]``: the address of all instruments', that of the first one's first
snapshot, the size; a snapshot is a row of all states."""

FIELDS = 7
"""Numbers of a candle: timestamp, open, high, low, close, volume, open interest."""

CANDLE = Struct(f"={FIELDS}dq")
"""A single candle in the spare memory, behind which its timestamp is a whole number."""

LOOK, APPENDED, REVISED, REPEATED = range(4)
"""What a candle was: something about it needs a closer look, and nothing has changed; later than
all before of its instrument; the newest one again, with other or with the same values."""


@kernel_part
def _step(block, which, places, candles, now, revision, again, out, spare):  # type: ignore[no-untyped-def]
    """Take a candle of each of `which` in one timeframe; `out` and `spare` are addresses of memory.

    Returns how many rows it fills in; how many are of closed bars or, where the newest candles come
    `again`, how many have changed; how many operations raised.
    """
    count, room, columns = len(which), block[ROOM], block[COLUMNS]
    states, before = (
        table_at(block[STATE], room, STATE_SIZE),
        table_at(block[BEFORE], room, STATE_SIZE),
    )
    state, spare = table_at(spare, count, STATE_SIZE), spare + 8 * count * STATE_SIZE
    source = before if again else states
    for k in range(count):
        for j in range(STATE_SIZE):
            before[which[k], j] = state[k, j] = source[which[k], j]
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
    if again:
        closing = _keep_last(block, which, told, opened, out)
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
    return rows, _mark_changed(block, which, out) if again else closing, failed


@kernel_part
def _kept_rows(count, fields, out):  # type: ignore[no-untyped-def]
    """Return where the last bars of instruments are kept: values, whether final, and revisions."""
    at = out + 8 * count * (4 + fields)
    final = flags_at(at + 8 * count * fields, count)
    return table_at(at, fields, count), final, integers_at(at + 8 * count * (fields + 1), count)


@kernel_part
def _keep_last(block, which, told, opened, out):  # type: ignore[no-untyped-def]
    """Keep the last bars of `which` behind the room of their rows, to compare these with them.

    They stay what they are: none closes or opens. Returns how many close.
    """
    count, room, columns = len(which), block[ROOM], block[COLUMNS]
    values, was_final, was_revision = _kept_rows(count, BAR_FIELDS + columns, out)
    final, revision = flags_at(block[FINAL], room), integers_at(block[REVISION], room)
    states, shown = table_at(block[STATE], room, STATE_SIZE), table_at(block[SHOWN], columns, room)
    for k in range(count):
        i = which[k]
        told[k] = opened[k] = False
        was_final[k], was_revision[k] = final[i], revision[i]
        for field in range(BAR_FIELDS):
            values[field, k] = states[i, BAR + field]
        for column in range(columns):
            values[BAR_FIELDS + column, k] = shown[column, i]
    return 0


@kernel_part
def _mark_changed(block, which, out):  # type: ignore[no-untyped-def]
    """Mark the rows that differ from what was kept, behind the flags whether they are final.

    Returns how many do. The others keep their revision.
    """
    count, fields = len(which), BAR_FIELDS + block[COLUMNS]
    old, was_final, was_revision = _kept_rows(count, fields, out)
    values, final = (
        table_at(out + 8 * 4 * count, fields, count),
        flags_at(out + 8 * 3 * count, count),
    )
    changed, revision = flags_at(out + 25 * count, count), integers_at(block[REVISION], block[ROOM])
    many = 0
    for k in range(count):
        changed[k] = final[k] != was_final[k] or not _same(old, k, values, k)
        if changed[k]:
            many += 1
        else:
            revision[which[k]] = was_revision[k]
    return many


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
def step_timeframes(layout, which, columns, now, revision, again, out):  # type: ignore[no-untyped-def]
    """Take one candle, later than all before, of each of `which`, in every timeframe.

    Parameters
    ----------
    layout
        The address of a layout.
    which
        int64, the instruments' numbers, ascending.
    columns
        float64 ``[FIELDS, len(which)]``.
    now, revision
        The clock, int64 microseconds, and the number of the update.
    again
        The candles are the newest ones again, with other values; both are in a bar.
    out
        float64, filled in. First int64 ``[timeframes, 3]``: how many rows a timeframe has, how many
        of them of closed bars, and how many operations raised. Then each timeframe's rows: int64
        ``[3, rows]``, the flags whether they are final in the room of `rows` numbers, and float64
        ``[fields, rows]``. Where candles come again, none is of a closed bar, and the second
        number, and flags after the others, say which have changed; behind the rows as many numbers
        are others, with the rows as they were: float64 ``[fields, rows]``, flags, revisions.
    """
    spare = integers_at(layout, SPARE + 1)[SPARE]
    at = out.ctypes.data
    _step_all(layout, which, columns.ctypes.data, now, revision, again, at, spare)


@kernel_part
def _step_all(layout, which, first, now, revision, again, out, memory):  # type: ignore[no-untyped-def]
    """Do as `step_timeframes`, where columns and memory lie at addresses.

    Returns how many rows have changed, and how many operations raised.
    """
    given, count = integers_at(layout, SPARE + 1), len(which)
    sizes = given[TIMEFRAMES]
    starts, found = integers_at(given[STARTS], sizes + 1), counts_at(out, sizes, 3)
    places_of = integers_at(given[CALENDARS], which[count - 1] + 1)
    ends, memory = integers_at(memory, count + 1), memory + 8 * (count + 1)
    places, memory = integers_at(memory, count), memory + 8 * count
    stamps, times = integers_at(memory, count), times_at(memory, count)
    memory += 8 * count
    moments = floats_at(first, count)
    for k in range(count):
        ends[k], places[k], stamps[k] = k, places_of[which[k]], np.int64(moments[k])
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
    at, many, failures = out + 8 * 3 * sizes, 0, 0
    for k in range(sizes):
        block = integers_at(given[BLOCKS] + 8 * starts[k], starts[k + 1] - starts[k])
        rows, part, failed = _step(block, which, places, candles, now, revision, again, at, memory)
        found[k, 0], found[k, 1], found[k, 2] = rows, part, failed
        many += part if again else rows
        failures += failed
        at += 8 * rows * (4 + BAR_FIELDS + block[COLUMNS]) * (2 if again else 1)
    return many, failures


@kernel_quick
def take_candle(layout, number, now, revision):  # type: ignore[no-untyped-def]
    """Take the candle that lies first in the spare memory, if it breaks no rule; see `take_kept`.

    `number` is the instrument's. A call costs more for each argument than for what it reads itself.
    """
    memory = integers_at(layout, SPARE + 1)[SPARE]
    candle = floats_at(memory, FIELDS)
    if not rows_hold(
        inputs_at(memory + 8, 1),
        inputs_at(memory + 16, 1),
        inputs_at(memory + 24, 1),
        inputs_at(memory + 32, 1),
        inputs_at(memory + 40, 1),
        times_at(memory + 8 * FIELDS, 1),
        True,
        TIME_MAX_US,
    ):
        return LOOK, 0, 0
    if not np.isfinite(candle[6]):
        # As in reading: what is not a finite number is missing.
        candle[6] = np.nan
    return take_kept(layout, number, now, revision)


@kernel_part
def take_kept(layout, number, now, revision):  # type: ignore[no-untyped-def]
    """Take the candle that lies first in the spare memory in every timeframe, and keep it.

    Returns what it was, how many rows have changed, and how many operations raised. It asks for a
    closer look where it is earlier than another one of its instrument, or replaces one and either
    has no volume, or is in no bar.
    """
    given = integers_at(layout, SPARE + 1)
    memory, places = given[SPARE], given[PLACES]
    candle, following = floats_at(memory, FIELDS), integers_at(given[FOLLOWING], places)
    first = integers_at(given[BLOCKS], ROOM + 1)
    newest = table_at(first[STATE], first[ROOM], STATE_SIZE)[number, LAST_TIME]
    ring, position = table_at(given[RING], given[SLOTS] * places, FIELDS), following[number]
    again = candle[0] == newest
    if again:
        place = (position - 1) % given[SLOTS] * places + number
        kind = _compare(given, number, ring, place, candle)
    else:
        place = position % given[SLOTS] * places + number
        kind = APPENDED if candle[0] > newest else LOOK
    if kind in (LOOK, REPEATED):
        return kind, 0, 0
    for field in range(FIELDS):
        ring[place, field] = candle[field]
    if not again:
        if position % given[STRIDE] == 0:
            _keep_snapshot(given, number, position)
        following[number] = position + 1
    which = integers_at(memory + 8 * FIELDS, 1)
    which[0] = number
    behind = memory + 8 * (FIELDS + 1)
    rows, failed = _step_all(layout, which, memory, now, revision, again, given[OUT], behind)
    return kind, rows, failed


@kernel_part
def _keep_snapshot(given, number, position):  # type: ignore[no-untyped-def]
    """Keep an instrument's states before a candle, as `CandleMemory.put` does."""
    slots, places = given[STATE_SLOTS], given[PLACES]
    states = counts_at(given[STATES], given[STATE_COUNT], 3)
    place, width = position // given[STRIDE] % slots * places + number, 0
    for k in range(len(states)):
        width += states[k, 2]
    for k in range(len(states)):
        size = states[k, 2]
        now = table_at(states[k, 0], places, size)
        kept = floats_at(states[k, 1] + 8 * place * width, size)
        for j in range(size):
            kept[j] = now[number, j]
    first = integers_at(given[FIRST], places)
    first[number] = max(first[number], position - (slots - 1) * given[STRIDE])


@kernel_part
def _compare(given, number, ring, place, candle):  # type: ignore[no-untyped-def]
    """Say what a candle of the newest one's time is; it keeps the open interest, if it has none."""
    if ring[place, 0] != candle[0]:
        return LOOK
    if candle[6] != candle[6]:
        candle[6] = ring[place, 6]
    is_same = True
    for field in range(FIELDS):
        old, new = ring[place, field], candle[field]
        is_same = is_same and (old == new or (old != old and new != new))
    if is_same:
        return REPEATED
    # A candle of zero volume may be a filler, which decides what follows it.
    in_bars, starts = ring[place, 5] > 0.0 and candle[5] > 0.0, given[STARTS]
    for k in range(given[TIMEFRAMES]):
        at = integers_at(starts, k + 1)[k]
        block = integers_at(given[BLOCKS] + 8 * at, ROOM + 1)
        in_bars = in_bars and flags_at(block[TOUCHED], block[ROOM])[number]
    return REVISED if in_bars else LOOK
