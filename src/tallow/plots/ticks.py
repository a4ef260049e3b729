"""Where the axis of a picture has labels, and what they say: sessions first, then hours."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from tallow.core.arrays import Ints
from tallow.plots.drawing import Drawing


def ticks(drawing: Drawing, most: int) -> tuple[list[int], list[str]]:
    """Return bars that are labelled, at most about so many, and their labels by the venue's clocks.

    Of each kind of moment - a new year, month, session, three hours, an hour - all that have room
    are taken, before those of the next kind.
    """
    ranks = _ranks(drawing)
    room = max(1, drawing.points // most)
    chosen: list[int] = []
    for rank in sorted(set(ranks.tolist()), reverse=True):
        for row in np.flatnonzero(ranks == rank).tolist():
            if all(abs(row - other) >= room for other in chosen):
                chosen.append(row)
    chosen.sort()
    return chosen, [_label(drawing, row, int(ranks[row])) for row in chosen]


YEAR, MONTH, SESSION = 9, 8, 7


def _ranks(drawing: Drawing) -> Ints:
    """Return how much each bar is worth a label."""
    clock = drawing.clock.astype("datetime64[s]")
    ranks = np.zeros(len(clock), dtype=np.int64)
    minute = drawing.clock // 60 % 1_440
    for rank, step in enumerate((15, 30, 60, 180), 1):
        ranks[minute % step == 0] = rank
    if not drawing.is_intraday:
        ranks[:] = 0
    else:
        ranks[drawing.starts] = SESSION
    for rank, unit in ((MONTH, "M"), (YEAR, "Y")):
        parts = clock.astype(f"datetime64[{unit}]")
        ranks[1:][parts[1:] != parts[:-1]] = rank
    ranks[0] = max(int(ranks[0]), SESSION)
    return ranks


def _label(drawing: Drawing, row: int, rank: int) -> str:
    moment = datetime.fromtimestamp(int(drawing.clock[row]), UTC)
    if rank == YEAR:
        return f"{moment:%Y}"
    if not drawing.is_intraday:
        return f"{moment:%b}" if rank == MONTH else f"{moment.day} {moment:%b}"
    return f"{moment.day} {moment:%b}" if rank >= SESSION else f"{moment:%H:%M}"
