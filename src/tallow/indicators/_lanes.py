"""Recursive indicators of eight instruments side by side: the same bits at vector speed.

Each row of an instrument waits for the one before it, and for no other instrument's. So rows of
eight are laid out as one column: row by row, and of each row the eight in turn. A value then goes
on from the one `LANES` before it, and a loop over the column takes several at once.

All columns of a kernel lie in one array, in sections of `ROOM` numbers: eight values from before
the first row, then `ROWS` rows. (Of columns in arrays of their own, each loop would have to find
out first whether they overlap.) Rows of which one is missing go one by one, as do the first ones.
"""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel_part

LANES = 8
ROWS = 128
ROOM = (ROWS + 1) * LANES


@kernel_part
def side_by_side(offsets, i):  # type: ignore[no-untyped-def]
    """Return how many instruments go on together from the i-th on: `LANES` of many rows, or one."""
    if i + LANES >= len(offsets):
        return np.int64(1)
    for k in range(i, i + LANES):
        if offsets[k + 1] - offsets[k] < 2 * ROWS:
            return np.int64(1)
    return np.int64(LANES)


@kernel_part
def count_pieces(offsets, i, starts):  # type: ignore[no-untyped-def]
    """Return how many times `ROWS` rows each lane has from its start on."""
    rows = offsets[i + 1] - starts[0]
    for k in range(1, LANES):
        rows = min(rows, offsets[i + k + 1] - starts[k])
    return rows // ROWS


@kernel_part
def load_lanes(x, starts, work, section):  # type: ignore[no-untyped-def]
    """Put the next rows of each lane into a section; return how many are missing."""
    # Unsigned: an index that cannot be negative costs no check.
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
    rows = work[section * ROOM + LANES : (section + 1) * ROOM]
    for k in range(np.uint64(ROWS)):
        at = k * np.uint64(LANES)
        rows[at], rows[at + np.uint64(1)] = x[a + k], x[b + k]
        rows[at + np.uint64(2)], rows[at + np.uint64(3)] = x[c + k], x[d + k]
        rows[at + np.uint64(4)], rows[at + np.uint64(5)] = x[e + k], x[f + k]
        rows[at + np.uint64(6)], rows[at + np.uint64(7)] = x[g + k], x[h + k]
    missing = 0
    for value in rows:
        missing += value != value
    return missing


@kernel_part
def store_lanes(work, section, starts, out):  # type: ignore[no-untyped-def]
    """Write the rows of a section to their places."""
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
    rows = work[section * ROOM + LANES : (section + 1) * ROOM]
    for k in range(np.uint64(ROWS)):
        at = k * np.uint64(LANES)
        out[a + k], out[b + k] = rows[at], rows[at + np.uint64(1)]
        out[c + k], out[d + k] = rows[at + np.uint64(2)], rows[at + np.uint64(3)]
        out[e + k], out[f + k] = rows[at + np.uint64(4)], rows[at + np.uint64(5)]
        out[g + k], out[h + k] = rows[at + np.uint64(6)], rows[at + np.uint64(7)]


@kernel_part
def load_states(state, i, column, work, section):  # type: ignore[no-untyped-def]
    """Put a number of each lane's state before the first row of a section."""
    for k in range(LANES):
        work[section * ROOM + k] = state[i + k, column]


@kernel_part
def save_states(state, i, column, work, section):  # type: ignore[no-untyped-def]
    """Keep what stands before the first row of a section."""
    for k in range(LANES):
        state[i + k, column] = work[section * ROOM + k]


@kernel_part
def next_piece(work, sections, starts):  # type: ignore[no-untyped-def]
    """Go on: the last row of each section is the one before the next."""
    for section in range(sections):
        for k in range(section * ROOM, section * ROOM + LANES):
            work[k] = work[k + ROWS * LANES]
    for k in range(LANES):
        starts[k] += ROWS
