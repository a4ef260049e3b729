"""Recursive averages: one step, shared by every indicator that smooths."""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.core.kernel import kernel_part


@kernel_part
def average_step(
    count: float, value: float, x: float, length: float, weight: float
) -> tuple[float, float]:
    """Take one more `x`: a plain mean of the first `length`, then ``value += weight (x - value)``.

    Both forms leave an average of equal values exactly at that value.
    """
    if count < length:
        count += 1.0
        value += (x - value) / count
    else:
        value += weight * (x - value)
    return count, value


FAINT = 1e-300
"""The least that is left of a mean of sizes which has known one that is not zero."""


@kernel_part
def keep_faint(value: float) -> float:
    """Return a mean of sizes, kept from fading away.

    On rows without change it shrinks for ever. Below this its digits would go one by one, and
    arithmetic would crawl; any later change is so much larger that nothing depends on it.
    """
    return FAINT if 0.0 < value < FAINT else value


LIFT = 1e150
"""What averages that only make a ratio are multiplied by, all of them, before they fade away."""


LANES = 8
"""How many averages go side by side: each waits for its row before, and for nothing else."""


@kernel_part
def forgets_after(weight: float) -> int:
    """Return after how many rows an average of any beginning mostly has the same bits."""
    return int(45.0 / weight)


@kernel_part
def advance_average(
    state: Floats, length: float, weight: float, offsets: Ints, x: Floats, out: Floats
) -> None:
    """Run `average_step` over every row; state is ``[count, value]``.

    Instruments go side by side, or parts of a long one: the same bits in a fifth of the time. An
    instrument with a single new row goes alone: taking views of arrays would cost ten times its
    step.
    """
    # Typed, or Numba compiles what it calls twice: for a literal and for a number.
    i = np.int64(0)
    while i < len(state):
        start, stop = offsets[i], offsets[i + 1]
        if stop - start > 1:
            _average_lanes(state, i, length, weight, offsets, x, out)
            break
        count, value = state[i, 0], state[i, 1]
        for row in range(start, stop):
            count, value, out[row] = _average_row(count, value, x[row], length, weight)
        state[i, 0], state[i, 1] = count, value
        i += 1


@kernel_part
def _average_lanes(state, i, length, weight, offsets, x, out):  # type: ignore[no-untyped-def]
    """Run the rows of the instruments from ``i`` on, in lanes that take one after the other."""
    owner, values = np.empty(LANES, dtype=np.int64), np.empty(LANES)
    starts, stops = np.empty(LANES, dtype=np.int64), np.empty(LANES, dtype=np.int64)
    for k in range(LANES):
        owner[k] = -1
    while True:
        for k in range(LANES):
            while owner[k] < 0 and i < len(state):
                stop = offsets[i + 1]
                start = _average_short(state, i, length, weight, x, offsets[i], stop, out)
                # To start early costs rows: not where others are there to go side by side.
                alone = len(state) - i + _count_busy(owner) < LANES
                if alone and stop - start >= LANES * forgets_after(weight):
                    start = _average_long(state, i, weight, x, start, stop, out)
                if start < stop:
                    owner[k], starts[k], stops[k], values[k] = i, start, stop, state[i, 1]
                i += 1
        if _count_busy(owner) == 0:
            break
        _average_busy(owner, starts, stops, values, weight, x, out)
        for k in range(LANES):
            if owner[k] >= 0 and starts[k] == stops[k]:
                state[owner[k], 1], owner[k] = values[k], -1


@kernel_part
def _count_busy(owner: Ints) -> int:
    """Return how many lanes have an owner."""
    busy = 0
    for k in range(LANES):
        busy += owner[k] >= 0
    return busy


@kernel_part
def _average_busy(owner, starts, stops, values, weight, x, out):  # type: ignore[no-untyped-def]
    """Run the lanes that have an owner, until the first of them is at its end."""
    one, busy = 0, _count_busy(owner)
    for k in range(LANES):
        one = k if owner[k] >= 0 else one
    rows = stops[one] - starts[one]
    for k in range(LANES):
        if owner[k] < 0:
            # The same once more, to the same places.
            starts[k], values[k] = starts[one], values[one]
        else:
            rows = min(rows, stops[k] - starts[k])
    if busy > 1:
        _average_eight(weight, x, starts, rows, values, out)
    else:
        values[one] = _average_one(weight, x, starts[one], stops[one], values[one], out)
    for k in range(LANES):
        starts[k] += rows


@kernel_part
def _average_long(state, i, weight, x, start, stop, out):  # type: ignore[no-untyped-def]
    """Run most of many rows of an instrument in parts side by side; return where the rest begins.

    An average forgets: each part starts early, from anything, and has reached the bits of the one
    before when that ends. Where it has not, the one before goes on until they are the same.
    """
    early, part = forgets_after(weight), (stop - start) // LANES
    starts, values = np.empty(LANES, dtype=np.int64), np.empty(LANES)
    for k in range(LANES):
        # The first part needs no start of that kind; what is written here is written anew.
        starts[k] = start + max(k, 1) * part - early
        first = x[starts[k]]
        values[k] = first if first == first else state[i, 1]
    _average_eight(weight, x, starts, early, values, out)
    values[0] = state[i, 1]
    begun = np.empty(LANES)
    for k in range(LANES):
        starts[k], begun[k] = start + k * part, values[k]
    _average_eight(weight, x, starts, part, values, out)
    value = values[0]
    for k in range(1, LANES):
        same = value == begun[k] and value != 0.0
        row = starts[k]
        while not same and row < starts[k] + part:
            if x[row] == x[row]:
                value += weight * (x[row] - value)
                same = value == out[row] and value != 0.0
                out[row] = value
            row += 1
        value = values[k] if same else value
    state[i, 1] = value
    return start + LANES * part


@kernel_part
def _average_short(state, i, length, weight, x, start, stop, out):  # type: ignore[no-untyped-def]
    """Run as many rows as an instrument's average is short of; return where the others begin."""
    count, value = state[i, 0], state[i, 1]
    while start < stop and count < length:
        count, value, out[start] = _average_row(count, value, x[start], length, weight)
        start += 1
    state[i, 0], state[i, 1] = count, value
    return start


@kernel_part
def _average_row(count, value, x, length, weight):  # type: ignore[no-untyped-def]
    """Take one row; return count and value, and what is shown of it: null before the warm-up."""
    if x != x:
        return count, value, np.nan
    count, value = average_step(count, value, x, length, weight)
    return count, value, value if count == length else np.nan


@kernel_part
def _average_one(weight, x, start, stop, value, out):  # type: ignore[no-untyped-def]
    """Run rows of one average that is whole; return it after them."""
    for row in range(np.uint64(start), np.uint64(stop)):
        value, out[row] = _kept_and_shown(value, x[row], weight)
    return value


@kernel_part
def _average_eight(weight, x, starts, rows, values, out):  # type: ignore[no-untyped-def]
    """Run so many rows from each of `starts` of averages that are whole.

    A missing row makes a missing value, which is shown but not kept.
    """
    # Unsigned: an index that cannot be negative costs no check, and compiles faster than a view.
    a, b, c, d = (
        np.uint64(starts[0]),
        np.uint64(starts[1]),
        np.uint64(starts[2]),
        np.uint64(starts[3]),
    )
    e, f, g, h = (
        np.uint64(starts[4]),
        np.uint64(starts[5]),
        np.uint64(starts[6]),
        np.uint64(starts[7]),
    )
    va, vb, vc, vd = values[0], values[1], values[2], values[3]
    ve, vf, vg, vh = values[4], values[5], values[6], values[7]
    for k in range(np.uint64(rows)):
        va, out[a + k] = _kept_and_shown(va, x[a + k], weight)
        vb, out[b + k] = _kept_and_shown(vb, x[b + k], weight)
        vc, out[c + k] = _kept_and_shown(vc, x[c + k], weight)
        vd, out[d + k] = _kept_and_shown(vd, x[d + k], weight)
        ve, out[e + k] = _kept_and_shown(ve, x[e + k], weight)
        vf, out[f + k] = _kept_and_shown(vf, x[f + k], weight)
        vg, out[g + k] = _kept_and_shown(vg, x[g + k], weight)
        vh, out[h + k] = _kept_and_shown(vh, x[h + k], weight)
    values[0], values[1], values[2], values[3] = va, vb, vc, vd
    values[4], values[5], values[6], values[7] = ve, vf, vg, vh


@kernel_part
def _kept_and_shown(value, x, weight):  # type: ignore[no-untyped-def]
    shown = value + weight * (x - value)
    return shown if x == x else value, shown


FEW = 4
"""Up to so many rows of an instrument go alone, one after the other."""

TILE = 65_536
"""Rows whose intermediate values are kept at a time: they stay in a core's own cache."""


@kernel_part
def tile_rows(weight: float) -> int:
    """Return how many rows make a tile: enough for averages to run in parts side by side."""
    return int(max(TILE, 2 * LANES * forgets_after(weight)))


@kernel_part
def next_tile(offsets, i, start, rows):  # type: ignore[no-untyped-def]
    """Return up to which instrument, and which row, a tile reaches from row `start` of ``i``.

    It holds whole instruments or, from row `start` on, a part of one.
    """
    if offsets[i + 1] - start > rows:
        return i + 1, start + rows
    j = i + 1
    while j < len(offsets) - 1 and offsets[j + 1] - start <= rows:
        j += 1
    return j, offsets[j]


@kernel_part
def tile_ends(offsets, i, j, start, stop):  # type: ignore[no-untyped-def]
    """Return the offsets of a tile's instruments from its first row."""
    ends = np.empty(j - i + 1, dtype=np.int64)
    ends[0] = 0
    for k in range(i, j):
        ends[k - i + 1] = min(offsets[k + 1], stop) - start
    return ends


@kernel_part
def range_step(high: float, low: float, previous_close: float) -> float:
    """True range: the row's range, stretched to the close before it (NaN: high minus low)."""
    result = high - low
    # Comparisons with NaN are false, so a missing close leaves high minus low.
    above, below = abs(high - previous_close), abs(low - previous_close)
    if above > result:
        result = above
    if below > result:
        result = below
    return result
