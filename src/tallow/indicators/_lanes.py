"""Recursive indicators of eight instruments side by side: the same bits at vector speed.

Each row of an instrument waits for the one before it, and for no other instrument's. So rows of
eight are laid out as one column: row by row, and of each row the eight in turn. A value then goes
on from the one `LANES` before it, and a loop over the column takes several at once.

All columns of a kernel lie in one array, in sections of `ROOM` numbers: eight values from before
the first row, then the rows of a piece: `ROWS` of each lane, or several times that, up to `MOST`,
so that what is read and written of each instrument lies together for a while. (Of columns in
arrays of their own, each loop would have to find out first whether they overlap.)

Where an instrument ends, the next one takes its lane. Alone, row by row, go: an instrument's rows
until its averages have values, its last ones, those of which one is missing, and everything where
fewer than `FEW` instruments are left.
"""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel_part

LANES = 8
ROWS = 96
MOST = 4 * ROWS
ROOM = (MOST + 1) * LANES

FEW = 3
"""Fewest instruments side by side: a lane without one costs as much as any."""

WHO, ROW, STOP, UNTIL, BUSY, SHARED = 0, 1, 2, 3, 4, 5
"""Of each lane: its instrument, next row, and end; up to where it goes alone; whether it has rows.

Shared by all: the next instrument, how many lanes have rows, whether they go together at all, how
many times `ROWS` rows they go, and how many times so they go in the shortest pieces.
"""
NEXT, COUNT, TOGETHER, PIECES, SHORT = 0, 1, 2, 3, 4


@kernel_part
def start_lanes(together):  # type: ignore[no-untyped-def]
    """Return lanes without rows, int64; `together` says whether they may go side by side."""
    lanes = np.zeros((6, LANES), dtype=np.int64)
    lanes[SHARED, TOGETHER] = together
    return lanes


@kernel_part
def fill_lanes(offsets, lanes):  # type: ignore[no-untyped-def]
    """Give each lane without rows the next instrument; return whether any lane has rows."""
    waiting, count = lanes[SHARED, NEXT], 0
    for k in range(LANES):
        lanes[BUSY, k] = lanes[BUSY, k] == 1 and lanes[ROW, k] < lanes[STOP, k]
        while lanes[BUSY, k] == 0 and waiting < len(offsets) - 1:
            start, stop = offsets[waiting], offsets[waiting + 1]
            lanes[WHO, k], lanes[ROW, k], lanes[STOP, k] = waiting, start, stop
            # Until it has a value, wherever that is.
            lanes[UNTIL, k], lanes[BUSY, k] = -1, start < stop
            waiting += 1
        count += lanes[BUSY, k]
    lanes[SHARED, NEXT], lanes[SHARED, COUNT] = waiting, count
    return count > 0


@kernel_part
def lone_rows(lanes, k):  # type: ignore[no-untyped-def]
    """Return a lane's instrument, next row, up to where it goes alone, and if only to a value."""
    i, start, stop, until = lanes[WHO, k], lanes[ROW, k], lanes[STOP, k], lanes[UNTIL, k]
    few = lanes[SHARED, COUNT] < FEW or stop - start < ROWS or lanes[SHARED, TOGETHER] == 0
    lanes[UNTIL, k] = 0
    if lanes[BUSY, k] == 0:
        return i, start, start, False
    if few or until < 0:
        return i, start, stop, not few
    return i, start, until, False


@kernel_part
def join_lanes(offsets, lanes):  # type: ignore[no-untyped-def]
    """Return whether all lanes go on together now, each by at least `ROWS` rows.

    One without rows takes those of another once more, to the same places.
    """
    one, rows = 0, offsets[len(offsets) - 1]
    for k in range(LANES):
        if lanes[BUSY, k]:
            one, rows = k, min(rows, lanes[STOP, k] - lanes[ROW, k])
        elif lanes[SHARED, NEXT] < len(offsets) - 1:
            rows = 0
    for k in range(LANES):
        if not lanes[BUSY, k]:
            lanes[WHO, k], lanes[ROW, k] = lanes[WHO, one], lanes[ROW, one]
    lanes[SHARED, PIECES] = rows // ROWS
    return rows >= ROWS


@kernel_part
def has_piece(lanes):  # type: ignore[no-untyped-def]
    """Say whether each lane has more rows that all go together."""
    return lanes[SHARED, PIECES] > 0


@kernel_part
def piece_rows(lanes):  # type: ignore[no-untyped-def]
    """Return how many rows of each lane the next piece has: `ROWS` to `MOST`."""
    return ROWS if lanes[SHARED, SHORT] > 0 else min(ROWS * lanes[SHARED, PIECES], MOST)


@kernel_part
def piece_parts(lanes):  # type: ignore[no-untyped-def]
    """Return of how many parts of `ROWS` rows the next piece is."""
    return piece_rows(lanes) // ROWS


@kernel_part
def part_of(work, part):  # type: ignore[no-untyped-def]
    """Return the sections from the row before a part on.

    A loop over as many rows as a constant says goes at vector speed; over others, not always.
    """
    return work[part * ROWS * LANES :]


@kernel_part
def part_lanes(lanes):  # type: ignore[no-untyped-def]
    """Let the next rows of each lane go alone; of a longer piece, the shortest pieces first."""
    rows = piece_rows(lanes)
    if rows > ROWS:
        lanes[SHARED, SHORT] = rows // ROWS
        return
    lanes[SHARED, SHORT] = max(lanes[SHARED, SHORT] - 1, 0)
    for k in range(LANES):
        lanes[UNTIL, k] = lanes[ROW, k] + ROWS


@kernel_part
def next_piece(work, sections, lanes):  # type: ignore[no-untyped-def]
    """Go on: the last row of each section is the one before the next."""
    rows = piece_rows(lanes)
    for section in range(sections):
        for k in range(section * ROOM, section * ROOM + LANES):
            work[k] = work[k + rows * LANES]
    for k in range(LANES):
        lanes[ROW, k] += rows
    lanes[SHARED, PIECES] -= rows // ROWS
    lanes[SHARED, SHORT] = max(lanes[SHARED, SHORT] - 1, 0)


@kernel_part
def at(k, section):  # type: ignore[no-untyped-def]
    """Return where element `k` of a section lies; unsigned, as an index that costs no check."""
    return k + np.uint64(section * ROOM)


@kernel_part
def load_lanes(x, lanes, work, section):  # type: ignore[no-untyped-def]
    """Put the next rows of each lane into a section; return 1 if any is missing, else 0.

    Infinite rows may count as missing: alone they have the same values.
    """
    # Unsigned: an index that cannot be negative costs no check.
    a, b, c, d = (
        np.uint64(lanes[ROW, 0]),
        np.uint64(lanes[ROW, 1]),
        np.uint64(lanes[ROW, 2]),
        np.uint64(lanes[ROW, 3]),
    )
    e, f, g, h = (
        np.uint64(lanes[ROW, 4]),
        np.uint64(lanes[ROW, 5]),
        np.uint64(lanes[ROW, 6]),
        np.uint64(lanes[ROW, 7]),
    )
    first = np.uint64(section * ROOM + LANES)
    for k in range(np.uint64(piece_rows(lanes))):
        j = first + k * np.uint64(LANES)
        p, q, r, s = x[a + k], x[b + k], x[c + k], x[d + k]
        t, u, v, w = x[e + k], x[f + k], x[g + k], x[h + k]
        work[j], work[j + np.uint64(1)] = p, q
        work[j + np.uint64(2)], work[j + np.uint64(3)] = r, s
        work[j + np.uint64(4)], work[j + np.uint64(5)] = t, u
        work[j + np.uint64(6)], work[j + np.uint64(7)] = v, w
        total = ((p + q) + (r + s)) + ((t + u) + (v + w))
        if total != total:
            # A way out also keeps LLVM from taking rows together, and scattering them.
            return 1
    return 0


@kernel_part
def store_lanes(work, section, lanes, out):  # type: ignore[no-untyped-def]
    """Write the rows of a section to their places."""
    a, b, c, d = (
        np.uint64(lanes[ROW, 0]),
        np.uint64(lanes[ROW, 1]),
        np.uint64(lanes[ROW, 2]),
        np.uint64(lanes[ROW, 3]),
    )
    e, f, g, h = (
        np.uint64(lanes[ROW, 4]),
        np.uint64(lanes[ROW, 5]),
        np.uint64(lanes[ROW, 6]),
        np.uint64(lanes[ROW, 7]),
    )
    first = np.uint64(section * ROOM + LANES)
    for k in range(np.uint64(piece_rows(lanes))):
        j = first + k * np.uint64(LANES)
        out[a + k], out[b + k] = work[j], work[j + np.uint64(1)]
        out[c + k], out[d + k] = work[j + np.uint64(2)], work[j + np.uint64(3)]
        out[e + k], out[f + k] = work[j + np.uint64(4)], work[j + np.uint64(5)]
        out[g + k], out[h + k] = work[j + np.uint64(6)], work[j + np.uint64(7)]


@kernel_part
def load_states(state, lanes, columns, work):  # type: ignore[no-untyped-def]
    """Put numbers of each lane's state before the first rows of the first sections."""
    for section in range(len(columns)):
        for k in range(LANES):
            work[section * ROOM + k] = state[lanes[WHO, k], columns[section]]


@kernel_part
def save_states(state, lanes, columns, work):  # type: ignore[no-untyped-def]
    """Keep what stands before the first rows of the first sections."""
    for section in range(len(columns)):
        for k in range(LANES):
            state[lanes[WHO, k], columns[section]] = work[section * ROOM + k]
