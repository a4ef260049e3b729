"""From candles to bars: one compiled pass over sorted rows, resumable at any row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from tallow.core.arrays import Floats, Ints, Times
from tallow.core.errors import ParameterError, excerpt
from tallow.core.kernel import kernel, kernel_part
from tallow.core.time import MINUTE_US
from tallow.data.kernels.buckets import BucketTable

NoTrade = Literal["drop", "keep"]

BARS_VERSION = 2
"""Which rules make bars of candles: part of all that is kept, raised where a bar's numbers change.

2: once volume was traded, a candle without volume is a filler only where its prices repeat the
close of the row before it.
"""

STATE_SIZE = 15
HAS_BAR, OPENS, CLOSES, BAR = 0, 1, 2, 3
LAST_CLOSE, LAST_TIME, FAILED, LAST_END = 11, 12, 13, 14
"""Places in an instrument's state; the others are `_pass`'s own. `LAST_CLOSE` and `LAST_TIME` are
those of the row before, wherever it went."""

INSIDE, OUTSIDE, NO_TRADE, MISPLACED = 0, 1, 2, 3
"""Where a row goes, as columns of the counts: in a bar, outside the session, a filler, off grid."""

UNDECIDED, TRADED, VOLUMELESS = 0.0, 1.0, 2.0
"""What kind an instrument is, as far as its rows show."""

UNCOVERED, UNKNOWN = 4, 5
"""Why an instrument fails: a row outside the calendar's years, or in a session of unknown hours."""


def require_no_trade(no_trade: object) -> None:
    """Raise `ParameterError` unless it is one of `NoTrade`."""
    if no_trade not in ("drop", "keep"):
        raise ParameterError(f"engine: no_trade={excerpt(no_trade)}; must be 'drop' or 'keep'")


class CandleArrays(NamedTuple):
    """Candles as the kernels see them: rows ``offsets[i]:offsets[i + 1]`` are instrument ``i``'s.

    Each instrument's rows ascend strictly in time. ``timestamp`` is int64 microseconds UTC, the
    others float64; ``open_interest`` is empty where the input has none.
    """

    offsets: Ints
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

    offsets: Ints
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
class AggregateResult:
    """One pass's result: bars, counts ``[instruments, 4]``, and the rows off the source's grid."""

    bars: BarArrays
    counts: Ints
    off_grid: Ints


def new_state(instruments: int) -> Floats:
    """Return the state before any row, float64 ``[instruments, STATE_SIZE]``."""
    state = np.zeros((instruments, STATE_SIZE))
    state[:, LAST_CLOSE] = np.nan
    state[:, LAST_TIME] = -np.inf
    return state


def aggregate(
    state: Floats,
    candles: CandleArrays,
    calendar_of: Ints,
    closing: bool,
    table: BucketTable,
    no_trade: NoTrade,
    scratch: Scratch,
) -> AggregateResult:
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
    misplaced = out.counts[:, MISPLACED].sum() if len(out.off_grid) else 0
    return AggregateResult(built, out.counts, out.off_grid[:misplaced])


class _Out(NamedTuple):
    """Where the pass writes: bars ``[7, n]``, their times ``[2, n]``, offsets, counts, bad rows."""

    bars: Floats
    times: Times
    offsets: Ints
    counts: Ints
    off_grid: Ints


SCRATCH_NUMBERS = 9
"""Numbers of scratch memory for each row, and for each instrument."""


class Scratch:
    """Arrays that one worker reuses for bars: fresh memory costs more than the arithmetic.

    `memory`, float64, is used as long as it is large enough.
    """

    def __init__(self, memory: Floats | None = None) -> None:
        memory = np.empty(0) if memory is None else memory
        rows = len(memory) // SCRATCH_NUMBERS
        self._floats = memory[: 7 * rows].reshape(7, rows)
        self._times = memory[7 * rows : 9 * rows].view(np.int64).reshape(2, rows)

    def arrays(self, rows: int) -> tuple[Floats, Times]:
        """Return float64 ``[7, >= rows]`` and int64 ``[2, >= rows]``, with any content."""
        if self._floats.shape[1] < rows:
            self._floats = np.empty((7, rows))
            self._times = np.empty((2, rows), dtype=np.int64)
        return self._floats, self._times


@kernel_part
def first_after(values: Ints, low: int, high: int, limit: int) -> int:
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
def _without_volume(kind, before, o, h, l, c):  # type: ignore[no-untyped-def]
    """Say what a candle without volume shows of its instrument, and whether it is a filler.

    `before` is the close of the row before it, NaN where there is none. A filler repeats that close
    in all prices. Until volume was seen, the instrument may be one that has none at all (an index,
    a currency): it shows itself by prices that move, and keeps all its candles from then on.
    The decision looks back only, so a longer history changes nothing.
    """
    moved = h > l or (before == before and (c != before or o != before))
    if kind == UNDECIDED and moved:
        kind = VOLUMELESS
    return kind, kind != VOLUMELESS and not moved


@kernel_part
def _segment(table, calendar, j, t):  # type: ignore[no-untyped-def]
    """Find the segment of a time: near segment `j`, or else anywhere.

    Returns what is the matter with the time (`INSIDE`: nothing), the segment, its open and close,
    and those of its bucket. Called once a session: taking arrays out of a table costs 100 ns.
    """
    first, last, closes = table.starts[calendar], table.starts[calendar + 1], table.segment_close
    j = min(max(j, first), last)
    if j < last and closes[j] <= t:
        j += 1
    if (j > first and closes[j - 1] > t) or (j < last and closes[j] <= t):
        j = first_after(closes, first, last, t)
    if t < table.covered_from[calendar] or t >= table.covered_until[calendar]:
        return UNCOVERED, j, t, t, (t, t)
    if j == last or t < table.segment_open[j]:
        return OUTSIDE, j, t, t, (t, t)
    if not table.known[j]:
        return UNKNOWN, j, t, t, (t, t)
    bucket = table.bucket_open[j], table.bucket_close[j]
    return INSIDE, j, table.segment_open[j], closes[j], bucket


@kernel_part
def _bucket(t, anchor, until, step, given):  # type: ignore[no-untyped-def]
    """Return the bucket of a time: so many steps from its segment's open, or the given one."""
    if step == 0:
        return given
    opens = anchor + (t - anchor) // step * step
    return opens, min(opens + step, until)


@kernel_part
def _load(s):  # type: ignore[no-untyped-def]
    """Return an instrument's open bar, if it has one, with its times; its kind; its last close.

    A bar is o, h, l, c, v, oi, candles.
    """
    begin, end = np.int64(s[OPENS]), np.int64(s[CLOSES])
    bar = (s[3], s[4], s[5], s[6], s[7], s[8], s[9])
    return s[HAS_BAR] != 0.0, begin, end, bar, s[10], s[LAST_CLOSE]


@kernel_part
def _save(s, has_bar, begin, end, bar, kind, before):  # type: ignore[no-untyped-def]
    s[HAS_BAR], s[OPENS], s[CLOSES] = 1.0 if has_bar else 0.0, begin, end
    s[3], s[4], s[5], s[6], s[7], s[8], s[9] = bar
    s[10], s[LAST_CLOSE] = kind, before


@kernel_part
def _added(bar, high, low, close, volume, interest):  # type: ignore[no-untyped-def]
    """Return a bar with one more candle in it."""
    o, h, l, _, v, oi, count = bar
    h = high if high > h else h
    l = low if low < l else l
    return o, h, l, close, v + volume, interest if interest == interest else oi, count + 1.0


@kernel_part
def _emit(times, bars, n, begin, end, bar):  # type: ignore[no-untyped-def]
    times[0, n], times[1, n] = begin, end
    bars[0, n], bars[1, n], bars[2, n], bars[3, n], bars[4, n], bars[5, n], bars[6, n] = bar
    return n + 1


@kernel
def _pass(state, candles, calendar_of, table, closing, drop, out):  # type: ignore[no-untyped-def]
    """Run each instrument's rows; after a failure it makes no more bars.

    In one piece: live, an instrument has one row, and handing an array over costs it 10 ns.
    """
    offsets, stamps, opn, high = candles.offsets, candles.timestamp, candles.open, candles.high
    low, close, volume, interest = candles.low, candles.close, candles.volume, candles.open_interest
    counts, bars, times, source = out.counts, out.bars, out.times, table.source_us
    # Typed, or Numba compiles everything twice: for a literal and for a number.
    n = wrong = j = anchor = until = np.int64(0)
    calendar, bucket = np.int64(-1), (anchor, until)
    for i in range(len(calendar_of)):
        out.offsets[i + 1] = first = n
        s, rows, where = state[i], offsets[i + 1] - offsets[i], INSIDE
        if s[FAILED] != 0.0:
            continue
        # A row is likely in the segment of the row before, also of the instrument before.
        if calendar_of[i] != calendar:
            calendar, anchor, until = calendar_of[i], np.int64(0), np.int64(0)
        has_bar, begin, end, bar, kind, before = _load(s)
        # Rows in [enter, leave) lie in the segment and the bucket of the row before.
        enter = leave = opens = closes = np.int64(0)
        # Unsigned: an index that cannot be negative costs no check.
        for row in range(np.uint64(offsets[i]), np.uint64(offsets[i + 1])):
            t, x, units = stamps[row], close[row], volume[row]
            kind = TRADED if units > 0.0 else kind
            fresh = t < enter or t >= leave
            if fresh:
                if t >= until or t < anchor:
                    where, j, anchor, until, bucket = _segment(table, calendar, j, t)
                if where >= UNCOVERED:
                    s[LAST_TIME], s[FAILED] = t, where
                    break
                if where != INSIDE:
                    counts[i, where] += 1
                    continue
                # One-minute candles are on the grid: reading has checked that they are.
                if source > MINUTE_US and (t - anchor) % source != 0:
                    out.off_grid[wrong], wrong = row, wrong + 1
                    counts[i, MISPLACED] += 1
                    continue
                opens, closes = _bucket(t, anchor, until, table.step_us, bucket)
            if drop and not units > 0.0:
                earlier = close[row - np.uint64(1)] if row > np.uint64(offsets[i]) else before
                kind, fills = _without_volume(kind, earlier, opn[row], high[row], low[row], x)
                if fills:
                    counts[i, NO_TRADE] += 1
                    continue
            if fresh:
                enter = max(opens, anchor)
                leave = min(closes, until) if source <= MINUTE_US else enter
                if has_bar and opens != begin:
                    n, has_bar = _emit(times, bars, n, begin, end, bar), False
                if not has_bar:
                    has_bar, begin, end = True, opens, closes
                    bar = (opn[row], high[row], low[row], x, 0.0, np.nan, 0.0)
            oi = interest[row] if len(interest) > 0 else np.nan
            bar = _added(bar, high[row], low[row], x, units, oi)
        if where >= UNCOVERED:
            n = first
            continue
        counts[i, INSIDE] = rows - counts[i, OUTSIDE] - counts[i, NO_TRADE] - counts[i, MISPLACED]
        if rows > 0:
            before, last = close[offsets[i + 1] - 1], stamps[offsets[i + 1] - 1]
            s[LAST_TIME] = last
            s[LAST_END] = last + source if source or until <= last else table.row_end[j]
        if closing and has_bar:
            n, has_bar = _emit(times, bars, n, begin, end, bar), False
        _save(s, has_bar, begin, end, bar, kind, before)
        out.offsets[i + 1] = n
