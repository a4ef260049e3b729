"""What a live update does besides the kernels of bars and indicators, as compiled passes."""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.kernel import kernel, kernel_part, read_only
from tallow.data.kernels.aggregate import BAR, CLOSES, HAS_BAR, INSIDE, LAST_TIME, OPENS

UPDATES_VERSION = 7
"""What these passes do to a live state: part of a saved one, raised where they do otherwise."""


@kernel
def ascends(numbers: Ints) -> bool:
    """Say whether each number is greater than the one before it."""
    # No early exit: it would cost the vector instructions.
    others = 0
    for k in range(1, len(numbers)):
        others += numbers[k] <= numbers[k - 1]
    return others == 0


@kernel
def all_later(which: Ints, times: Floats, closes: Floats, state: Floats) -> bool:
    """Say whether rows are candles, each later than all before of its instrument.

    One row each of `which`; `state` is the bars' state of all, float64 ``[instruments, size]``.
    """
    for k in range(len(which)):
        # A row without a close deletes a candle.
        if not times[k] > state[which[k], LAST_TIME] or closes[k] != closes[k]:
            return False
    return True


@kernel
def put_candles(ring: Floats, position: Ints, which: Ints, columns: Floats) -> None:
    """Write one candle each of `which` into a ring, float64 ``[slots, instruments, fields]``.

    `position` are the candles' numbers; `columns` are float64 ``[fields, candles]``.
    """
    for k in range(len(which)):
        slot = position[k] % len(ring)
        for field in range(len(columns)):
            ring[slot, which[k], field] = columns[field, k]


@kernel
def any_multiple(position: Ints, stride: int) -> bool:
    """Say whether any of some candles' numbers is a multiple of `stride`."""
    found = 0
    for number in position:
        found += number % stride == 0
    return found > 0


@kernel
def _span(values: Floats) -> tuple[float, float]:
    low = high = values[0]
    for value in values:
        low, high = min(low, value), max(high, value)
    return low, high


def span_of(values: Floats | Ints) -> tuple[float, float] | None:
    """Return the least and the greatest of some numbers, None where there is none.

    Takes a third of NumPy's time for a few.
    """
    if not len(values):
        return None
    found: tuple[float, float] = _span(read_only(np.ascontiguousarray(values)))
    return found


@kernel
def roll_states(closed: Floats, forming: Floats, which: Ints, opened: Flags) -> None:
    """Prepare instruments' states for their open bars' rows.

    ``closed`` are the states after each instrument's last closed bar and ``forming`` those after
    its open one, float64 ``[instruments, state_size]``. Where a bar was `opened`, the one before it
    has closed; where not, the open bar's row runs again from the last closed one.
    """
    for k in range(len(which)):
        i = which[k]
        target, source = (closed, forming) if opened[k] else (forming, closed)
        for j in range(closed.shape[1]):
            target[i, j] = source[i, j]


@kernel_part
def find_rows(
    which: Ints,
    before: Floats,
    offsets: Ints,
    counts: Ints,
    final: Flags,
    told: Flags,
    touched: Flags,
    opened: Flags,
) -> tuple[int, int]:
    """Find the rows that a candle of each of `which` changes; return how many of either kind.

    Parameters
    ----------
    before
        float64 ``[instruments, STATE_SIZE]``, the bars' states before the candles.
    offsets, counts
        Of the pass over the candles: bars that closed, and where the candles went.
    final
        Which instruments' last bars were known to be closed.
    told, touched, opened
        Filled in, per instrument of `which`: whether the closed bar is reported; whether the candle
        is in the open bar; whether it opened that.
    """
    closing = opening = 0
    for k in range(len(which)):
        i = which[k]
        rolled = offsets[k + 1] > offsets[k]
        told[k] = rolled and not final[i]
        touched[k] = counts[k, INSIDE] > 0
        opened[k] = rolled or before[i, HAS_BAR] == 0.0
        closing += told[k]
        opening += touched[k]
    return closing, opening


@kernel_part
def fill_rows(
    which: Ints,
    told: Flags,
    touched: Flags,
    offsets: Ints,
    closed_times: Times,
    closed: Floats,
    state: Floats,
    shown: Floats,
    final_before: int,
    closing: int,
    times: Times,
    final: Flags,
    values: Floats,
) -> None:
    """Fill in the rows that `find_rows` has found: first those of closed bars, then of open ones.

    Parameters
    ----------
    closed_times, closed
        Opens and ends, ``[2, bars]``, and fields, ``[fields, bars]``, of bars that closed.
    state
        float64 ``[len(which), STATE_SIZE]``, the bars' states after the candles.
    shown
        float64 ``[columns, instruments]``, the indicators of the bars that closed.
    final_before
        Open bars that end up to then are final, in microseconds.
    times, final, values
        Filled in: instrument, open and end, ``[3, rows]``; whether final; ``[fields, rows]``. The
        indicators of open bars are not.
    """
    row, last = 0, closing
    for k in range(len(which)):
        if told[k]:
            bar = offsets[k]
            times[0, row] = which[k]
            times[1, row], times[2, row] = closed_times[0, bar], closed_times[1, bar]
            final[row] = True
            row += 1
        if touched[k]:
            times[0, last] = which[k]
            times[1, last], times[2, last] = np.int64(state[k, OPENS]), np.int64(state[k, CLOSES])
            final[last] = times[2, last] <= final_before
            last += 1
    # Field by field: all fields of a row at once would write to as many places far apart.
    for field in range(len(values)):
        _fill_field(which, told, touched, offsets, closed, state, shown, closing, field, values)


@kernel_part
def _fill_field(
    which: Ints,
    told: Flags,
    touched: Flags,
    offsets: Ints,
    closed: Floats,
    state: Floats,
    shown: Floats,
    closing: int,
    field: int,
    values: Floats,
) -> None:
    """Fill in one field of the rows of `fill_rows`; the arguments are the same."""
    row, last, column = 0, closing, field - len(closed)
    out = values[field]
    for k in range(len(which)):
        if told[k]:
            out[row] = closed[field, offsets[k]] if column < 0 else shown[column, which[k]]
            row += 1
        if touched[k] and column < 0:
            out[last] = state[k, BAR + field]
            last += 1


@kernel_part
def _same(old: Floats, a: int, new: Floats, b: int) -> bool:
    """Say whether a row of either table, ``[fields, rows]``, has the same values; NaN is one."""
    for field in range(len(old)):
        x, y = old[field, a], new[field, b]
        if x != y and not (x != x and y != y):
            return False
        if x == 0.0 and np.signbit(x) != np.signbit(y):
            return False
    return True


@kernel
def differing(
    old_offsets: Ints,
    old_times: Times,
    old_final: Flags,
    old: Floats,
    new_offsets: Ints,
    new_times: Times,
    new_final: Flags,
    new: Floats,
    gone: Flags,
    changed: Flags,
) -> None:
    """Mark the rows of `old` that `new` does not have, and those of `new` that say something else.

    Rows ``offsets[i]:offsets[i + 1]`` are instrument ``i``'s, in ascending time; the tables are
    float64 ``[fields, rows]``.
    """
    for i in range(len(old_offsets) - 1):
        a, b = old_offsets[i], new_offsets[i]
        a_end, b_end = old_offsets[i + 1], new_offsets[i + 1]
        while a < a_end or b < b_end:
            if b == b_end or (a < a_end and old_times[a] < new_times[b]):
                gone[a] = True
                a += 1
            elif a == a_end or new_times[b] < old_times[a]:
                changed[b] = True
                b += 1
            else:
                changed[b] = old_final[a] != new_final[b] or not _same(old, a, new, b)
                a += 1
                b += 1
