"""Rows of several sorted files and batches, put in the log's order with as little work as it takes.

Each file is sorted, so its rows of one instrument are one run. Most runs follow each other as they
are, and moving runs costs a tenth of sorting rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Ints, Times
from tallow.core.errors import DamagedFileError
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import time_view
from tallow.data.store.log import LOG_ORDER

ROWS_PER_RUN_MIN = 64
"""With shorter runs than this on average, sorting rows is cheaper than moving runs."""


def in_log_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows sorted by those columns of `LOG_ORDER` that they have.

    Rows without `timeframe` are of one timeframe and adjustment.
    """
    if len(rows) < 2:
        return rows
    if "timeframe" in rows.columns and len(rows.select("timeframe", "adjustment").unique()) > 1:
        return rows.sort(LOG_ORDER)
    names, offsets = instrument_runs(rows)
    if len(names) * ROWS_PER_RUN_MIN <= len(rows) or len(names) == 1:
        return _runs_in_order(rows, names, offsets)
    return _sorted(rows)


def unique_rows(rows: pl.DataFrame, skip_contradicting: bool = False) -> pl.DataFrame:
    """Return rows in the log's order, those that another tool put there twice only once.

    `DamagedFileError` if two rows of one key and revision say different things; with
    `skip_contradicting`, rows of such keys are left out instead.
    """
    key = [name for name in LOG_ORDER if name in rows.columns]
    again = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in reversed(key))
    twice = rows.select(again.fill_null(False)).to_series()
    if not twice.any():
        return rows
    same = pl.all_horizontal(pl.all().eq_missing(pl.all().shift()))
    against = rows.filter(twice & ~rows.select(same).to_series())
    if len(against) and not skip_contradicting:
        where = ", ".join(f"{name}={against[name][0]}" for name in key)
        raise DamagedFileError(
            f"store: {where}; another tool wrote a second row of this key and revision, which says "
            f"something else ({len(against):,} such rows); with that tool, delete the wrong ones, "
            "or restore an earlier version"
        )
    once = rows.filter(~twice)
    return once.join(against, on=key[:-1], how="anti", maintain_order="left")


def _sorted(rows: pl.DataFrame) -> pl.DataFrame:
    """Sort rows of one kind. By numbers: sorting texts takes five times as long."""
    names = rows["instrument"].unique().sort()
    order = np.arange(len(rows))
    keys = [rows["revision"].to_numpy(), time_view(rows)]
    if len(names) > 1:
        keys.append(rows["instrument"].cast(pl.Enum(names)).to_physical().to_numpy())
    # From the least of the keys to the first one, each sort keeping the order of the one before.
    for key in keys:
        order = order[np.argsort(key[order], kind="stable")]
    return rows[order]


def _runs_in_order(rows: pl.DataFrame, names: Sequence[str], offsets: Ints) -> pl.DataFrame:
    times = time_view(rows)
    broken = _broken_runs(times, offsets)
    if not broken.any() and all(a < b for a, b in pairwise(names)):
        return rows
    firsts = times[offsets[:-1]].tolist()
    order = sorted(range(len(names)), key=lambda run: (names[run], firsts[run]))
    pieces = [
        piece
        for _, runs in groupby(order, key=names.__getitem__)
        for piece in _one_series(rows, list(runs), times, offsets, broken)
    ]
    return pl.concat(_joined(rows, pieces))


def _broken_runs(times: Times, offsets: Ints) -> Flags:
    """Say for each run whether its times do not rise strictly."""
    falls = np.flatnonzero(times[1:] <= times[:-1]) + 1
    run = np.searchsorted(offsets, falls, side="right") - 1
    broken = np.zeros(len(offsets) - 1, dtype=np.bool_)
    broken[run[offsets[run] != falls]] = True
    return broken


def _one_series(
    rows: pl.DataFrame,
    runs: Sequence[int],
    times: Times,
    offsets: Ints,
    broken: Flags,
) -> Iterator[tuple[int, int] | pl.DataFrame]:
    """Return one instrument's runs as they are, or its rows sorted where the runs overlap."""
    spans = [(int(offsets[run]), int(offsets[run + 1])) for run in runs]
    apart = all(times[a[1] - 1] < times[b[0]] for a, b in pairwise(spans))
    if apart and not broken[runs].any():
        yield from spans
    else:
        yield _sorted(pl.concat([rows[low:high] for low, high in spans]))


def _joined(
    rows: pl.DataFrame, pieces: Sequence[tuple[int, int] | pl.DataFrame]
) -> Iterator[pl.DataFrame]:
    """Return the frames of pieces; neighbours that follow each other in `rows` as one."""
    low = high = 0
    for piece in pieces:
        if isinstance(piece, tuple) and piece[0] == high:
            high = piece[1]
            continue
        if high > low:
            yield rows[low:high]
        low, high = piece if isinstance(piece, tuple) else (0, 0)
        if isinstance(piece, pl.DataFrame):
            yield piece
    if high > low:
        yield rows[low:high]
