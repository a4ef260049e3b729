"""From candles to bars: one compiled pass over sorted rows, resumable at any row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tallow.core.kernel import kernel, kernel_part
from tallow.data.buckets import MINUTE_US, BucketTable

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
NoTrade = Literal["drop", "keep"]

STATE_SIZE = 15
LAST_CLOSE, LAST_TIME, FAILED, LAST_END = 11, 12, 13, 14
"""Places in an instrument's state; the others are `_pass`'s own."""

INSIDE, OUTSIDE, NO_TRADE, MISPLACED = 0, 1, 2, 3
"""Where a row goes, as columns of the counts: in a bar, outside the session, a filler, off grid."""

UNDECIDED, TRADED, VOLUMELESS = 0.0, 1.0, 2.0
"""What an instrument is, as far as its rows have told."""

UNCOVERED, UNKNOWN = 4, 5
"""Why an instrument fails: a row outside the calendar's years, or in a session of unknown hours."""


class CandleArrays(NamedTuple):
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

    def part(self, where: slice) -> CandleArrays:
        """Return the candles of some instruments, as views."""
        offsets = self.offsets[where.start : where.stop + 1]
        low, high = int(offsets[0]), int(offsets[-1])
        return CandleArrays(
            offsets - low,
            self.timestamp[low:high],
            self.open[low:high],
            self.high[low:high],
            self.low[low:high],
            self.close[low:high],
            self.volume[low:high],
            self.open_interest[low:high],
        )


@dataclass(frozen=True)
class BarArrays:
    """Bars, instrument after instrument; all but `offsets` are views of scratch memory.

    ``end`` is the calendar's end of the bar, ``candles`` the source rows counted in it.
    """

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
    state[:, LAST_CLOSE] = np.nan
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
    out = _Out(
        bars=floats,
        times=times,
        offsets=np.zeros(instruments + 1, dtype=np.int64),
        counts=np.zeros((instruments, 4), dtype=np.int64),
        off_grid=np.empty(rows if table.source_us > MINUTE_US else 0, dtype=np.int64),
    )
    _pass(state, candles, calendar_of, table, closing, no_trade == "drop", out)
    n = int(out.offsets[-1])
    built = BarArrays(out.offsets, *(column[:n] for column in (*times, *floats)))
    return Aggregated(built, out.counts, out.off_grid[: out.counts[:, MISPLACED].sum()])


class _Out(NamedTuple):
    """Where the pass writes: bars ``[7, n]``, their times ``[2, n]``, offsets, counts, bad rows."""

    bars: Floats
    times: Times
    offsets: Times
    counts: Times
    off_grid: Times


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


@kernel_part
def first_after(values: Times, low: int, high: int, limit: int) -> int:
    """Return the first place in ``low:high`` of ascending `values` that is above `limit`.

    As np.searchsorted from the right, which takes Numba two seconds to compile.
    """
    while low < high:
        middle = (low + high) // 2
        if values[middle] > limit:
            high = middle
        else:
            low = middle + 1
    return low


@kernel_part
def _kind_without_volume(kind, before, o, h, l, c):  # type: ignore[no-untyped-def]
    """Learn from a candle of zero volume what its instrument is; `before` is the close before.

    Once volume was seen (`TRADED`), such a candle only fills a minute without trades. Before that,
    the instrument may be one that has no volume at all (an index, a currency): it shows itself by
    prices that move, which a filler's never do. The decision looks back only, so a longer history
    changes nothing.
    """
    moved = h > l or (before == before and (c != before or o != before))
    return VOLUMELESS if kind == UNDECIDED and moved else kind


@kernel_part
def _segment(table, calendar, j, t):  # type: ignore[no-untyped-def]
    """Find the segment of a time, from segment `j` on.

    Returns what is the matter with the time (`INSIDE`: nothing), the segment, its open and close,
    and those of its bucket. Called once a session: taking arrays out of a table costs 100 ns.
    """
    last = table.starts[calendar + 1]
    while j < last and table.segment_close[j] <= t:
        j += 1
    if t < table.covered_from[calendar] or t >= table.covered_until[calendar]:
        return UNCOVERED, j, t, t, t, t
    if j == last or t < table.segment_open[j]:
        return OUTSIDE, j, t, t, t, t
    if not table.known[j]:
        return UNKNOWN, j, t, t, t, t
    edges = table.segment_open[j], table.segment_close[j]
    return INSIDE, j, edges[0], edges[1], table.bucket_open[j], table.bucket_close[j]


@kernel_part
def _bucket(t, anchor, until, step, bucket_open, bucket_close):  # type: ignore[no-untyped-def]
    """Return the bucket of a time: so many steps from its segment's open, or the given one."""
    if step == 0:
        return bucket_open, bucket_close
    opens = anchor + (t - anchor) // step * step
    return opens, min(opens + step, until)


@kernel_part
def _save(s, has_bar, begin, end, o, h, l, c, v, oi, count, kind, before):  # type: ignore[no-untyped-def]
    """Store an instrument's state; see `_instrument`."""
    s[0], s[1], s[2] = 1.0 if has_bar else 0.0, begin, end
    s[3], s[4], s[5], s[6], s[7], s[8], s[9] = o, h, l, c, v, oi, count
    s[10], s[11] = kind, before


@kernel_part
def _emit(times, bars, n, begin, end, o, h, l, c, v, oi, count):  # type: ignore[no-untyped-def]
    times[0, n], times[1, n] = begin, end
    bars[0, n], bars[1, n], bars[2, n], bars[3, n] = o, h, l, c
    bars[4, n], bars[5, n], bars[6, n] = v, oi, count
    return n + 1


@kernel_part
def _instrument(s, i, calendar, candles, table, closing, drop, n, wrong, out):  # type: ignore[no-untyped-def]
    """Run one instrument's rows; return the numbers of bars and of misplaced rows so far.

    State: bar open?, its open and close times, o, h, l, c, v, oi, candles; kind of instrument;
    then `LAST_CLOSE`, `LAST_TIME`, `FAILED`, `LAST_END`. After a failure it makes no more bars.
    """
    first, counts, bars, times = n, out.counts[i], out.bars, out.times
    source = table.source_us
    has_bar, begin, end = s[0] != 0.0, np.int64(s[1]), np.int64(s[2])
    o, h, l, c, v, oi, count = s[3], s[4], s[5], s[6], s[7], s[8], s[9]
    kind, before = s[10], s[11]
    ts, opn, high, low, close, volume, interest = _own_rows(candles, i)
    j = table.starts[calendar]
    if len(ts):
        j = first_after(table.segment_close, j, table.starts[calendar + 1], ts[0])
    # Rows in [enter, leave) lie in the segment and the bucket of the row before.
    enter = leave = opens = closes = np.int64(0)
    anchor = until = bucket_open = bucket_close = np.int64(0)
    kept = fillers = 0
    for row in range(len(ts)):
        t, x, units = ts[row], close[row], volume[row]
        fresh = t < enter or t >= leave
        if fresh:
            if t >= until or t < anchor:
                where, j, anchor, until, bucket_open, bucket_close = _segment(table, calendar, j, t)
                if where >= UNCOVERED:
                    s[12], s[13] = t, where
                    return first, wrong
                if where != INSIDE:
                    counts[where] += 1
                    continue
            # One-minute candles are on the grid: reading has checked that they are whole minutes.
            if source > MINUTE_US and (t - anchor) % source != 0:
                out.off_grid[wrong] = candles.offsets[i] + row
                wrong += 1
                counts[MISPLACED] += 1
                continue
            opens, closes = _bucket(t, anchor, until, table.step_us, bucket_open, bucket_close)
        if units > 0.0:
            kind = TRADED
        elif drop:
            kind = _kind_without_volume(kind, before, opn[row], high[row], low[row], x)
            if kind != VOLUMELESS:
                before = x
                fillers += 1
                continue
        before = x
        if fresh:
            enter, leave = max(opens, anchor), min(closes, until)
            if source > MINUTE_US:
                leave = enter
            if not has_bar or opens != begin:
                if has_bar:
                    n = _emit(times, bars, n, begin, end, o, h, l, c, v, oi, count)
                has_bar, begin, end = True, opens, closes
                o, h, l, v, oi, count = opn[row], high[row], low[row], 0.0, np.nan, 0.0
        h = high[row] if high[row] > h else h
        l = low[row] if low[row] < l else l
        c, v, count, kept = x, v + units, count + 1.0, kept + 1
        if len(interest) > 0 and interest[row] == interest[row]:
            oi = interest[row]
    counts[INSIDE] += kept
    counts[NO_TRADE] += fillers
    if len(ts) > 0:
        s[12] = ts[-1]
        s[14] = s[12] + source if source or until <= ts[-1] else table.row_end[j]
    if closing and has_bar:
        n, has_bar = _emit(times, bars, n, begin, end, o, h, l, c, v, oi, count), False
    _save(s, has_bar, begin, end, o, h, l, c, v, oi, count, kind, before)
    return n, wrong


@kernel_part
def _own_rows(candles, i):  # type: ignore[no-untyped-def]
    """Return an instrument's rows as views: an index that cannot be negative costs no check."""
    a, z = candles.offsets[i], candles.offsets[i + 1]
    return (
        candles.timestamp[a:z],
        candles.open[a:z],
        candles.high[a:z],
        candles.low[a:z],
        candles.close[a:z],
        candles.volume[a:z],
        candles.open_interest[a:z],
    )


@kernel
def _pass(state, candles, calendar_of, table, closing, drop, out):  # type: ignore[no-untyped-def]
    # Typed, or Numba compiles everything twice: for a literal and for a number.
    n = wrong = np.int64(0)
    for i in range(len(calendar_of)):
        if state[i, FAILED] == 0.0:
            n, wrong = _instrument(
                state[i], i, calendar_of[i], candles, table, closing, drop, n, wrong, out
            )
        out.offsets[i + 1] = n
