"""Sequences of moves of one kind, what came after each, and what equal ones have in common.

Compiled passes over the closed bars of all instruments. What comes of a sequence is counted from
the close of the bar by which it is known to be over: until then nobody knows how long it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tallow.core.arrays import Flags, Floats, Ints, Times
from tallow.core.kernel import kernel, kernel_step, read_only

SEQUENCES_VERSION = 4
"""Raised where the same bars make other sequences, patterns or scores."""

STRONG, UP = 1, 2
"""Bits of a kind: weak and down where they are not set."""

KINDS = 4
OVER, OVER_FIRST, IN_FIRST, IN_REST, ASKED = 1, 2, 4, 8, 16
"""Bits of a stage: over; by the split; outcome known by the split; begun since; asked for."""

SHORTEST = 2
"""Bars of the shortest pattern: one bar alone is none."""


class MoveRows(NamedTuple):
    """Closed bars with their moves: rows ``offsets[i]:offsets[i + 1]`` are of instrument ``i``.

    `opens` and `ends` are microseconds; `is_asked` says of which bars is asked; the others are
    float64.
    """

    offsets: Ints
    opens: Times
    ends: Times
    is_asked: Flags
    open: Floats
    close: Floats
    volume: Floats
    direction: Floats
    strong: Floats
    strength: Floats
    bars: Floats


class Sequences(NamedTuple):
    """Sequences as columns, instrument after instrument; `offsets` as of `MoveRows`.

    `kind` and `stage` are int8; `start` and `end` are the opens of the first and last bar, and
    `over_at` is the end of that by which a sequence is known to be over, 0 for one that goes on.
    `gap` counts rows since the one before of this kind; -1 without one. `gain` is in percent, and
    so is `outcome`, in the sequence's direction; NaN while not known.
    """

    offsets: Ints
    kind: Any
    stage: Any
    start: Times
    end: Times
    over_at: Times
    length: Ints
    gap: Ints
    strength: Floats
    gain: Floats
    volume: Floats
    outcome: Floats


class Patterns(NamedTuple):
    """Sequences of one kind and length, by group: where each group's begin, and sums over each."""

    group: Ints
    kind: Ints
    length: Ints
    sums: Floats


SUMS = (
    *("frequency", "strength", "gain", "gap", "gaps"),
    *("first_frequency", "first_strength", "first_outcomes", "first_successes"),
    *("outcomes", "successes", "outcome"),
)
"""Rows of the sums of patterns: of all, of those known by the split, and of outcomes since."""

(
    FREQUENCY,
    STRENGTH,
    GAIN,
    GAP,
    GAPS,
    FIRST_FREQUENCY,
    FIRST_STRENGTH,
    FIRST_OUTCOMES,
    FIRST_SUCCESSES,
    OUTCOMES,
    SUCCESSES,
    OUTCOME,
) = range(len(SUMS))

OUTCOME_COUNTS = 6
FIRST_RISES, FIRST_FALLS, FIRST_ALL, RISES, FALLS, ALL = range(OUTCOME_COUNTS)
"""Columns of what is counted of all bars: outcomes up, down and in all, by the split and since."""


def room_for_sequences(rows: MoveRows) -> Sequences:
    """Return columns for all sequences of bars, to be filled in by `find_sequences`."""
    offsets = np.zeros(len(rows.offsets), np.int64)
    _count(rows, offsets)
    count = int(offsets[-1])
    # In one block: a system gives it large pages, which are ready sooner than as many small ones.
    block, bits = np.empty((9, count)), np.empty((2, count), np.int8)
    return Sequences(offsets, *bits, *block[:5].view(np.int64), *block[5:])


def of_those_asked(rows: MoveRows, found: Sequences) -> Sequences:
    """Return the sequences of which the last bar is asked for."""
    if rows.is_asked.all():
        return found
    kept = (found.stage & ASKED) > 0
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(kept)])
    columns: list[Any] = list(found[1:])
    return Sequences(before[found.offsets], *(column[kept] for column in columns))


def split_time(rows: MoveRows, split: float) -> int:
    """Return by when this share of all bars had closed."""
    return int(_time_at(rows, int(split * (len(rows.ends) - 1)))) if len(rows.ends) else 0


@kernel
def _time_at(rows, place):  # type: ignore[no-untyped-def]
    """Return the time at a place among the ends of all bars in order, which is 0 for the first.

    The bars of an instrument are in order: how many had closed by a time is found by halving.
    """
    low, high = rows.ends[0], rows.ends[0]
    for i in range(len(rows.offsets) - 1):
        if rows.offsets[i] < rows.offsets[i + 1]:
            low = min(low, rows.ends[rows.offsets[i]])
            high = max(high, rows.ends[rows.offsets[i + 1] - 1])
    while low < high:
        middle = low + (high - low) // 2
        # The last close by then, and the first one after it: between them nothing changes.
        count, last, later = 0, low, high
        for i in range(len(rows.offsets) - 1):
            ends = rows.ends[rows.offsets[i] : rows.offsets[i + 1]]
            closed = np.searchsorted(ends, middle, side="right")
            count += closed
            if closed > 0:
                last = max(last, ends[closed - 1])
            if closed < len(ends):
                later = min(later, ends[closed])
        if count > place:
            high = last
        else:
            low = later
    return low


@kernel
def _count(rows, offsets):  # type: ignore[no-untyped-def]
    """Fill in where the sequences of each instrument begin; the first is 0 before."""
    for i in range(len(rows.offsets) - 1):
        count = 0
        for row in range(rows.offsets[i], rows.offsets[i + 1]):
            count += rows.bars[row] == 1.0
        offsets[i + 1] = offsets[i] + count


@kernel
def find_sequences(
    rows: MoveRows, found: Sequences, begin: int, end: int, horizon: int, split_at: int
) -> None:
    """Fill in the sequences of instruments ``begin:end``.

    One that began before an instrument's first row is none.
    """
    before = np.empty(KINDS, np.int64)
    for i in range(begin, end):
        n, row, stop = found.offsets[i], rows.offsets[i], rows.offsets[i + 1]
        before[:] = -1
        while row < stop:
            if rows.bars[row] != 1.0:
                row += 1
                continue
            first, last, known, length = row, row, -1, 1
            strength, volume = rows.strength[row], rows.volume[row]
            row += 1
            # A row without a move is passed over.
            while row < stop:
                bars = rows.bars[row]
                if bars <= 1.0:
                    known = row
                    break
                if bars > 1.0:
                    last = row
                    length += 1
                    strength += rows.strength[row]
                    volume += rows.volume[row]
                row += 1
            kind = STRONG * int(rows.strong[first]) + UP * int(rows.direction[first] > 0.0)
            outcome, over_at, stage = np.nan, 0, ASKED if rows.is_asked[last] else 0
            if known >= 0:
                over_at, close, after = rows.ends[known], rows.close[known], known + horizon
                stage += OVER + (OVER_FIRST if over_at <= split_at else 0)
                if after < stop and close > 0.0:
                    change = rows.close[after] - close
                    side = 1.0 if kind & UP else -1.0
                    outcome = 100.0 * (side * change / close)
                    stage += IN_FIRST if rows.ends[after] <= split_at else 0
                    stage += IN_REST if over_at >= split_at else 0
            found.kind[n], found.stage[n], found.length[n] = kind, stage, length
            found.start[n], found.end[n] = rows.opens[first], rows.opens[last]
            found.over_at[n] = over_at
            found.gap[n] = first - before[kind] - 1 if before[kind] >= 0 else -1
            found.strength[n], found.volume[n] = strength / length, volume / length
            found.gain[n] = 100.0 * ((rows.close[last] - rows.open[first]) / rows.open[first])
            found.outcome[n] = outcome
            before[kind] = last
            n += 1


def group_patterns(found: Sequences, begin: int, end: int) -> Patterns:
    """Return the patterns of instruments ``begin:end``, the most frequent of each first.

    Equally frequent ones by strength, then the earliest first.
    """
    own = slice(found.offsets[begin], found.offsets[end])
    length, stage = found.length[own], found.stage[own]
    places = np.full(KINDS * (int(length.max(initial=0)) + 1), -1, np.int64)
    most = int(np.count_nonzero((length >= SHORTEST) & (stage & OVER > 0)))
    keys, sums = np.empty((3, most), np.int64), np.zeros((most, len(SUMS)))
    count = int(_group(found, begin, end, places, keys, sums))
    order = np.arange(count)
    _rank(keys[0, :count], sums[:count], order)
    group, kind, length = keys[:, order]
    return Patterns(group, kind, length, np.ascontiguousarray(sums[order].T))


def join_patterns(parts: Sequence[Patterns]) -> Patterns:
    """Return the patterns of instruments after instruments as one."""
    group, kind, length = (np.concatenate(each) for each in list(zip(*parts, strict=True))[:3])
    return Patterns(group, kind, length, np.concatenate([part.sums for part in parts], axis=1))


def pool_patterns(found: Patterns) -> Patterns:
    """Return the patterns of all groups as those of one, in the order of `group_patterns`."""
    all_cells = KINDS * found.length + found.kind
    cells = np.flatnonzero(np.bincount(all_cells))
    sums: Floats = np.stack([np.bincount(all_cells, own)[cells] for own in found.sums])
    group, order = np.zeros(len(cells), np.int64), np.arange(len(cells))
    _rank(group, np.ascontiguousarray(sums.T), order)
    return Patterns(group, cells[order] % KINDS, cells[order] // KINDS, sums[:, order])


@kernel
def _group(found, begin, end, places, keys, sums):  # type: ignore[no-untyped-def]
    """Fill in patterns; return how many there are."""
    count = 0
    for group in range(begin, end):
        first = count
        for n in range(found.offsets[group], found.offsets[group + 1]):
            length, kind = found.length[n], found.kind[n]
            if length < SHORTEST or found.stage[n] & OVER == 0:
                continue
            cell = KINDS * length + kind
            if places[cell] < first:
                places[cell] = count
                keys[0, count], keys[1, count], keys[2, count] = group, kind, length
                count += 1
            _add(found, n, sums, places[cell])
    return count


@kernel
def _rank(group, sums, order):  # type: ignore[no-untyped-def]
    """Sort numbers of patterns within their groups; `order` ascends before.

    Groups are small: each pattern is moved up to its place.
    """
    for n in range(1, len(order)):
        own, k = order[n], n
        while k > 0 and group[order[k - 1]] == group[own] and _is_before(sums, own, order[k - 1]):
            order[k] = order[k - 1]
            k -= 1
        order[k] = own


@kernel_step
def _is_before(sums, a, b):  # type: ignore[no-untyped-def]
    """Say whether a pattern is more frequent than another, or as frequent and stronger."""
    if sums[a, FREQUENCY] != sums[b, FREQUENCY]:
        return sums[a, FREQUENCY] > sums[b, FREQUENCY]
    return sums[a, STRENGTH] / sums[a, FREQUENCY] > sums[b, STRENGTH] / sums[b, FREQUENCY]


@kernel_step
def _add(found, n, sums, p):  # type: ignore[no-untyped-def]
    """Add a sequence to the sums of its pattern, ``sums[p]``.

    Chosen, not branched: nobody can guess what came of a sequence.
    """
    stage, outcome, gap = found.stage[n], found.outcome[n], found.gap[n]
    early = 1.0 if stage & OVER_FIRST else 0.0
    first = 1.0 if stage & IN_FIRST else 0.0
    rest = 1.0 if stage & IN_REST else 0.0
    won = 1.0 if outcome > 0.0 else 0.0
    sums[p, FREQUENCY] += 1.0
    sums[p, STRENGTH] += found.strength[n]
    sums[p, GAIN] += found.gain[n]
    sums[p, GAP] += max(gap, 0)
    sums[p, GAPS] += 1.0 if gap >= 0 else 0.0
    sums[p, FIRST_FREQUENCY] += early
    sums[p, FIRST_STRENGTH] += early * found.strength[n]
    sums[p, FIRST_OUTCOMES] += first
    sums[p, FIRST_SUCCESSES] += first * won
    sums[p, OUTCOMES] += rest
    sums[p, SUCCESSES] += rest * won
    sums[p, OUTCOME] += outcome if rest > 0.0 else 0.0


@kernel
def count_outcomes(
    rows: MoveRows, counts: Ints, begin: int, end: int, horizon: int, split_at: int
) -> None:
    """Count how often closes are higher, or lower, so many bars later, whatever the moves.

    `counts` are int64 ``[instruments, OUTCOME_COUNTS]``, zero before; of bars of which is asked,
    and whose move's strength is known.
    """
    for i in range(begin, end):
        for row in range(rows.offsets[i], rows.offsets[i + 1] - horizon):
            now, later = rows.close[row], rows.close[row + horizon]
            if rows.bars[row] != rows.bars[row] or not rows.is_asked[row] or now <= 0.0:
                continue
            if rows.ends[row + horizon] <= split_at:
                counts[i, FIRST_RISES] += later > now
                counts[i, FIRST_FALLS] += later < now
                counts[i, FIRST_ALL] += 1
            if rows.ends[row] >= split_at:
                counts[i, RISES] += later > now
                counts[i, FALLS] += later < now
                counts[i, ALL] += 1


def as_read_only(rows: MoveRows) -> MoveRows:
    """Return rows as kernels take their inputs."""
    columns: list[Any] = list(rows)
    return MoveRows(*map(read_only, columns))
