"""Blocks: stretches of sorted candles as arrays, small enough for memory to stay bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tallow.core.kernel import read_only
from tallow.core.limits import BLOCK_ROWS
from tallow.data.aggregate import CandleArrays
from tallow.data.readers import instrument_runs

_EMPTY = np.empty(0)


@dataclass(frozen=True)
class Block:
    """Candles of some instruments, sorted by instrument and time, and unique.

    `closing`: no more rows of these instruments follow.
    """

    names: Sequence[str]
    candles: CandleArrays
    closing: bool

    def __len__(self) -> int:
        return len(self.candles.timestamp)


def frame_blocks(frame: pl.DataFrame, rows: int = BLOCK_ROWS) -> Iterator[Block]:
    """Cut a sorted candle frame into blocks of about `rows`, whole instruments where they fit."""
    names, offsets = instrument_runs(frame) if len(frame) else ([], np.zeros(1, dtype=np.int64))
    first = 0
    while first < len(names):
        fit = int(np.searchsorted(offsets, offsets[first] + rows, side="right")) - 1
        if fit > first:
            yield _block(frame, names[first:fit], offsets[first : fit + 1], closing=True)
            first = fit
            continue
        # One instrument larger than a block: in pieces, its state carried from one to the next.
        start, stop = int(offsets[first]), int(offsets[first + 1])
        for low in range(start, stop, rows):
            high = min(low + rows, stop)
            piece = np.array([low, high])
            yield _block(frame, names[first : first + 1], piece, closing=high == stop)
        first += 1


def sorted_block(frame: pl.DataFrame, closing: bool) -> Block:
    """Return one block of a whole sorted frame."""
    names, offsets = instrument_runs(frame)
    return _block(frame, names, offsets, closing)


def _block(
    frame: pl.DataFrame, names: Sequence[str], offsets: NDArray[np.int64], closing: bool
) -> Block:
    part = frame.slice(int(offsets[0]), int(offsets[-1] - offsets[0]))
    return Block(names, candle_arrays(part, offsets - offsets[0]), closing)


def candle_arrays(frame: pl.DataFrame, offsets: NDArray[np.int64]) -> CandleArrays:
    """Return the columns as arrays; without a copy where a column is one chunk without nulls."""
    with_interest = "open_interest" in frame.columns
    names = ["open", "high", "low", "close", "volume"]
    columns = [read_only(frame[name].to_numpy()) for name in names]
    interest = frame["open_interest"].to_numpy() if with_interest else _EMPTY
    time = read_only(frame["timestamp"].to_physical().to_numpy())
    return CandleArrays(offsets, time, *columns, open_interest=read_only(interest))
