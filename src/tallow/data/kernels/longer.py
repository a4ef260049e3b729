"""From bars to longer bars: the same bits as from the candles that they were made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.core.kernel import kernel, read_only
from tallow.data.kernels.aggregate import BarArrays, CandleArrays, Scratch, _bucket, _Out, _segment
from tallow.data.kernels.buckets import BucketTable

EXACT = 2.0**53
"""Up to here whole numbers add up to the same sum in any order."""


class ShorterBars(NamedTuple):
    """Whole bars of minutes, as if they were candles, and how many candles each is made of.

    They are made of all candles of their instruments; ``candles`` is float64.
    """

    bars: CandleArrays
    candles: Floats


def join_shorter(parts: Sequence[ShorterBars]) -> ShorterBars:
    """Return bars of instruments after instruments as one."""
    bars = [part.bars for part in parts]
    ends = np.concatenate([np.diff(each.offsets) for each in bars])
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(ends)])
    columns = (read_only(np.concatenate(each)) for each in list(zip(*bars, strict=True))[1:])
    candles = read_only(np.concatenate([part.candles for part in parts]))
    return ShorterBars(CandleArrays(offsets, *columns), candles)


def longer_bars(
    shorter: ShorterBars,
    calendar_of: Ints,
    table: BucketTable,
    scratch: Scratch,
) -> BarArrays | None:
    """Join bars to longer ones of which each holds whole ones; None where bits might differ.

    Parameters
    ----------
    calendar_of
        int64 ``[instruments]``, each instrument's place in `table`, that of the longer bars.
    """
    floats, times = scratch.arrays(len(shorter.bars.timestamp))
    offsets = np.zeros(len(calendar_of) + 1, dtype=np.int64)
    out = _Out(floats, times, offsets, np.zeros((0, 4), np.int64), np.zeros(0, np.int64))
    if not _join(shorter, calendar_of, table, out):
        return None
    n = int(offsets[-1])
    return BarArrays(offsets, *(column[:n] for column in (*times, *floats)))


@kernel
def are_whole(values):  # type: ignore[no-untyped-def]
    """Say whether all values are whole numbers."""
    fractions = 0
    for row in range(len(values)):
        fractions += np.floor(values[row]) != values[row]
    return fractions == 0


@kernel
def _join(shorter, calendar_of, table, out):  # type: ignore[no-untyped-def]
    """Write the longer bars; say whether their volumes are exact."""
    given, bars, times = shorter.bars, out.bars, out.times
    stamps, offsets = given.timestamp, given.offsets
    n = j = anchor = until = np.int64(0)
    calendar, bucket, largest = np.int64(-1), (anchor, until), 0.0
    for i in range(len(calendar_of)):
        if calendar_of[i] != calendar:
            calendar, anchor, until = calendar_of[i], np.int64(0), np.int64(0)
        first, leave = n, np.int64(0)
        for row in range(np.uint64(offsets[i]), np.uint64(offsets[i + 1])):
            t, interest = stamps[row], np.nan
            if len(given.open_interest) > 0:
                interest = given.open_interest[row]
            if n == first or t >= leave:
                if t >= until or t < anchor:
                    _, j, anchor, until, bucket = _segment(table, calendar, j, t)
                opens, closes = _bucket(t, anchor, until, table.step_us, bucket)
                leave = min(closes, until)
                if n == first or opens != times[0, n - 1]:
                    times[0, n], times[1, n] = opens, closes
                    bars[0, n], bars[1, n] = given.open[row], given.high[row]
                    bars[2, n], bars[3, n] = given.low[row], given.close[row]
                    bars[4, n], bars[5, n] = given.volume[row], interest
                    bars[6, n] = shorter.candles[row]
                    n += 1
                    continue
            k = n - 1
            bars[1, k] = max(bars[1, k], given.high[row])
            bars[2, k] = min(bars[2, k], given.low[row])
            bars[3, k] = given.close[row]
            bars[4, k] += given.volume[row]
            bars[5, k] = interest if interest == interest else bars[5, k]
            bars[6, k] += shorter.candles[row]
            largest = max(largest, bars[4, k])
        out.offsets[i + 1] = n
    return largest < EXACT
