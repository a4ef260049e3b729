"""From candles to bars: one compiled pass over sorted rows, resumable at any row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tallow.core.kernel import kernel
from tallow.data.buckets import BucketTable

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
NoTrade = Literal["drop", "keep"]

STATE_SIZE = 16
LAST_TIME, FAILED, LAST_END = 13, 14, 15
"""Places in an instrument's state; the others are `_pass`'s own."""

OUTSIDE_COVERAGE = 1.0
HOURS_UNKNOWN = 2.0

IN_BARS, OUTSIDE_SESSION, NO_TRADE, OFF_GRID = 0, 1, 2, 3
"""Columns of the counts."""


@dataclass(frozen=True)
class CandleArrays:
    """Candles as the kernels see them: rows ``offsets[i]:offsets[i + 1]`` are instrument ``i``'s.

    Each instrument's rows ascend strictly in time. ``timestamp`` is int64 microseconds UTC, the
    others float64; ``open_interest`` is empty where the input has none.
    """

    offsets: Times
    timestamp: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    open_interest: Floats


@dataclass(frozen=True)
class BarArrays:
    """Bars as the kernel writes them, instrument after instrument (views of a scratch buffer)."""

    offsets: Times
    timestamp: Times
    end: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    open_interest: Floats
    candles: Floats


@dataclass(frozen=True)
class Aggregated:
    """One pass's result: bars, counts ``[instruments, 4]``, and the rows off the source's grid."""

    bars: BarArrays
    counts: Times
    off_grid: Times


def new_state(instruments: int) -> Floats:
    """Return the state before any row, float64 ``[instruments, STATE_SIZE]``."""
    state = np.zeros((instruments, STATE_SIZE))
    state[:, LAST_TIME] = -np.inf
    return state


def aggregate(
    state: Floats,
    candles: CandleArrays,
    calendar_of: Times,
    closing: bool,
    table: BucketTable,
    no_trade: NoTrade,
    scratch: Scratch,
) -> Aggregated:
    """Run candles into bars; a bar is returned once a later one opens or its instrument closes.

    Parameters
    ----------
    state
        float64 ``[instruments, STATE_SIZE]``, changed in place.
    calendar_of
        int64 ``[instruments]``, each instrument's place in `table`.
    closing
        The rows are the last ones of every instrument: return the open bars, too.
    """
    rows, instruments = len(candles.timestamp), len(calendar_of)
    floats, times = scratch.arrays(rows + instruments)
    offsets = np.zeros(instruments + 1, dtype=np.int64)
    counts = np.zeros((instruments, 4), dtype=np.int64)
    off_grid = np.empty(rows if table.source_us > MINUTE_GRID_US else 0, dtype=np.int64)
    _pass(
        state,
        candles.offsets,
        candles.timestamp,
        candles.open,
        candles.high,
        candles.low,
        candles.close,
        candles.volume,
        candles.open_interest,
        calendar_of,
        table.starts,
        table.segment_open,
        table.segment_close,
        table.bucket_open,
        table.bucket_close,
        table.row_end,
        table.known,
        table.covered_from,
        table.covered_until,
        table.step_us,
        table.source_us,
        closing,
        no_trade == "drop",
        floats,
        times,
        offsets,
        counts,
        off_grid,
    )
    n = offsets[-1]
    bars = BarArrays(
        offsets,
        times[0, :n],
        times[1, :n],
        floats[0, :n],
        floats[1, :n],
        floats[2, :n],
        floats[3, :n],
        floats[4, :n],
        floats[5, :n],
        floats[6, :n],
    )
    return Aggregated(bars, counts, off_grid[: counts[:, OFF_GRID].sum()])


MINUTE_GRID_US = 60_000_000
"""Times are whole minutes already (a rule of reading), so one-minute candles need no check."""


class Scratch:
    """Arrays that one worker reuses for bars: fresh memory costs more than the arithmetic."""

    def __init__(self) -> None:
        self._floats = np.empty((7, 0))
        self._times = np.empty((2, 0), dtype=np.int64)

    def arrays(self, rows: int) -> tuple[Floats, Times]:
        """Return float64 ``[7, >= rows]`` and int64 ``[2, >= rows]``, with any content."""
        if self._floats.shape[1] < rows:
            self._floats = np.empty((7, rows))
            self._times = np.empty((2, rows), dtype=np.int64)
        return self._floats, self._times


@kernel
def _is_filler(state, o, h, l, c, v):  # type: ignore[no-untyped-def]
    """Say whether a candle only fills a minute without trades; learn what the instrument is.

    Once volume was seen, a candle without volume is a filler. Before that, the instrument may be
    one that has no volume at all (an index, a currency): it shows itself by prices that move,
    which a filler's never do. The decision looks back only, so a longer history changes nothing.
    """
    if v > 0.0:
        state[10] = 1.0
        return False
    if state[10] == 1.0:
        return True
    if h > l or (state[12] == 1.0 and (c != state[11] or o != state[11])):
        state[10] = 2.0
    return state[10] == 0.0


@kernel
def _pass(  # type: ignore[no-untyped-def]
    state,
    offsets,
    timestamp,
    open_,
    high,
    low,
    close,
    volume,
    open_interest,
    calendar_of,
    starts,
    segment_open,
    segment_close,
    bucket_open,
    bucket_close,
    row_end,
    known,
    covered_from,
    covered_until,
    step,
    source,
    closing,
    drop,
    bars,
    times,
    bar_offsets,
    counts,
    off_grid,
):
    """State: bar open?, its open and close times, o, h, l, c, v, oi, candles; 10-12 `_is_filler`'s."""
    n = wrong = 0
    has_oi = len(open_interest) > 0
    for i in range(len(calendar_of)):
        s, calendar, first_bar = state[i], calendar_of[i], n
        has_bar, begin, end = s[0] != 0.0, int(s[1]), int(s[2])
        o, h, l, c, v, oi, candles = s[3], s[4], s[5], s[6], s[7], s[8], s[9]
        last_segment = starts[calendar + 1]
        j = starts[calendar]
        # Rows in [enter, leave) lie in the open bar's segment and bucket.
        enter = leave = np.int64(0)
        start = offsets[i]
        stop = offsets[i + 1] if s[14] == 0.0 else start
        if stop > start:
            t = timestamp[start]
            j += np.searchsorted(segment_close[j:last_segment], t, side="right")
        for row in range(start, stop):
            t = timestamp[row]
            if t < enter or t >= leave:
                while j < last_segment and segment_close[j] <= t:
                    j += 1
                if t < covered_from[calendar] or t >= covered_until[calendar]:
                    s[14], s[13] = 1.0, t
                    break
                s[13] = t
                if j == last_segment or t < segment_open[j]:
                    counts[i, 1] += 1
                    continue
                if not known[j]:
                    s[14] = 2.0
                    break
                if source > 60_000_000 and (t - segment_open[j]) % source != 0:
                    off_grid[wrong] = row
                    wrong += 1
                    counts[i, 3] += 1
                    continue
            if drop:
                filler = _is_filler(s, open_[row], high[row], low[row], close[row], volume[row])
                s[11], s[12] = close[row], 1.0
                if filler:
                    counts[i, 2] += 1
                    continue
            if t < enter or t >= leave:
                opens, closes = bucket_open[j], bucket_close[j]
                if step > 0:
                    opens = segment_open[j] + (t - segment_open[j]) // step * step
                    closes = min(opens + step, segment_close[j])
                enter, leave = max(opens, segment_open[j]), min(closes, segment_close[j])
                if source > 60_000_000:
                    leave = enter
                if not has_bar or opens != begin:
                    if has_bar:
                        times[0, n], times[1, n] = begin, end
                        bars[0, n], bars[1, n], bars[2, n], bars[3, n] = o, h, l, c
                        bars[4, n], bars[5, n], bars[6, n] = v, oi, candles
                        n += 1
                    has_bar, begin, end = True, opens, closes
                    o, h, l, c = open_[row], high[row], low[row], close[row]
                    v, candles = 0.0, 0.0
                    oi = np.nan
            h, l, c = max(h, high[row]), min(l, low[row]), close[row]
            v += volume[row]
            candles += 1.0
            if has_oi and open_interest[row] == open_interest[row]:
                oi = open_interest[row]
            counts[i, 0] += 1
        if s[14] != 0.0:
            n = first_bar
        else:
            if stop > start:
                s[13] = timestamp[stop - 1]
                inside = j < last_segment and s[13] >= segment_open[j]
                s[15] = s[13] + source if source > 0 else row_end[j] if inside else s[13]
            if closing and has_bar:
                times[0, n], times[1, n] = begin, end
                bars[0, n], bars[1, n], bars[2, n], bars[3, n] = o, h, l, c
                bars[4, n], bars[5, n], bars[6, n] = v, oi, candles
                n += 1
                has_bar = False
        s[0], s[1], s[2] = 1.0 if has_bar else 0.0, float(begin), float(end)
        s[3], s[4], s[5], s[6], s[7], s[8], s[9] = o, h, l, c, v, oi, candles
        bar_offsets[i + 1] = n


@kernel
def anchor_ids(  # type: ignore[no-untyped-def]
    timestamp, offsets, calendar_of, starts, boundaries, ids, covered_from, covered_until, out
):
    """Number each row's session, week or month (`ids` per session), by a merge with `boundaries`.

    NaN where no calendar (-1 in `calendar_of`) knows the row's session.
    """
    for i in range(len(calendar_of)):
        calendar = calendar_of[i]
        if calendar < 0:
            out[offsets[i] : offsets[i + 1]] = np.nan
            continue
        if offsets[i] == offsets[i + 1]:
            continue
        first, last = starts[calendar], starts[calendar + 1]
        begin, end = covered_from[calendar], covered_until[calendar]
        start = timestamp[offsets[i]]
        j = first + np.searchsorted(boundaries[first:last], start, side="right") - 1
        for row in range(offsets[i], offsets[i + 1]):
            t = timestamp[row]
            while j + 1 < last and boundaries[j + 1] <= t:
                j += 1
            out[row] = ids[max(j, first)] if begin <= t < end else np.nan
