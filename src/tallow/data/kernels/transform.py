"""Bars that end by price or by what was traded, not by the clock: compiled passes over candles."""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Floats, Ints, Times
from tallow.core.kernel import kernel, kernel_part

TRANSFORMS_VERSION = 1
"""Raised where bars of the same candles become others."""

STATE = 7
"""float64 of an instrument's state, zero before its first candle. Bricks: 1, the first close, the
newest brick's number and direction, candles and volume since. Others: candles, the first one's time
and open, high, low, volume, and what is counted."""

RENKO, VOLUME_BARS, DOLLAR_BARS = range(3)

PRICES = 5
"""Columns of prices and volume, in and out: open, high, low, close, volume."""


@kernel_part
def _put(times, count, instrument, first, end, candles):  # type: ignore[no-untyped-def]
    if count < times.shape[1]:
        times[0, count] = instrument
        times[1, count] = first
        times[2, count] = end
        times[3, count] = candles


@kernel
def make_bricks(
    state: Floats,
    size: float,
    offsets: Ints,
    time_us: Times,
    given: Floats,
    times: Ints,
    out: Floats,
) -> int:
    """Write Renko bricks as long as there is room; return how many there are, or one too many.

    `given` and `out` are ``[PRICES, rows]``, `times` ``[4, rows]``: instrument, time, last candle's
    time, candles. A brick is known with the candle that completes it. Where that completes
    several, they are a microsecond apart, and the first has the volume.
    """
    count, room = 0, times.shape[1]
    for i in range(len(offsets) - 1):
        own = state[i]
        for row in range(offsets[i], offsets[i + 1]):
            close = given[3, row]
            if own[0] == 0.0:
                own[0], own[1] = 1.0, close
            own[4] += 1.0
            own[5] += given[4, row]
            made = 0
            while count <= room:
                number = own[2]
                # Against the last brick's direction it takes two sizes: one of them is that brick.
                up = number + 1.0 if own[3] >= 0.0 else number + 2.0
                down = number - 1.0 if own[3] <= 0.0 else number - 2.0
                if close >= own[1] + up * size:
                    first, last = up - 1.0, up
                elif close <= own[1] + down * size:
                    first, last = down + 1.0, down
                else:
                    break
                _put(times, count, i, time_us[row] + made, time_us[row], np.int64(own[4]))
                if count < room:
                    a, z = own[1] + first * size, own[1] + last * size
                    out[0, count], out[3, count] = a, z
                    out[1, count], out[2, count] = max(a, z), min(a, z)
                    out[4, count] = own[5]
                own[2], own[3] = last, last - first
                own[4], own[5] = 0.0, 0.0
                count += 1
                made += 1
    return count


@kernel
def make_traded_bars(
    state: Floats,
    kind: int,
    size: float,
    offsets: Ints,
    time_us: Times,
    given: Floats,
    times: Ints,
    out: Floats,
) -> int:
    """Write bars that end with the candle by which so much was traded; return how many.

    As `make_bricks`; there is room for a bar a candle.
    """
    count = 0
    for i in range(len(offsets) - 1):
        own = state[i]
        for row in range(offsets[i], offsets[i + 1]):
            high, low, close, volume = given[1, row], given[2, row], given[3, row], given[4, row]
            if own[0] == 0.0:
                own[1], own[2], own[3], own[4] = time_us[row], given[0, row], high, low
                own[5], own[6] = 0.0, 0.0
            own[0] += 1.0
            own[3], own[4] = max(own[3], high), min(own[4], low)
            own[5] += volume
            own[6] += volume * close if kind == DOLLAR_BARS else volume
            if own[6] >= size:
                _put(times, count, i, np.int64(own[1]), time_us[row], np.int64(own[0]))
                out[0, count], out[1, count], out[2, count] = own[2], own[3], own[4]
                out[3, count], out[4, count] = close, own[5]
                own[0] = 0.0
                count += 1
    return count
