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
from tallow.data.runs import instrument_runs


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
    """Cut a sorted candle frame into blocks of whole instruments, of about `rows`.

    Whole, so that an instrument which fails in its last row has no bars from its first ones.
    """
    names, offsets = instrument_runs(frame) if len(frame) else ([], np.zeros(1, dtype=np.int64))
    first = 0
    while first < len(names):
        fit = int(np.searchsorted(offsets, offsets[first] + rows, side="right")) - 1
        last = max(fit, first + 1)
        yield cut_block(frame, names, offsets, first, last, closing=True)
        first = last


def whole_block(frame: pl.DataFrame, closing: bool) -> Block:
    """Return all of a sorted frame as one block."""
    names, offsets = instrument_runs(frame)
    return cut_block(frame, names, offsets, 0, len(names), closing)


def empty_block(names: Sequence[str]) -> Block:
    """Return the block that only says that no more rows of these instruments follow."""
    none = read_only(np.empty(0))
    times = read_only(np.empty(0, dtype=np.int64))
    offsets = np.zeros(len(names) + 1, dtype=np.int64)
    return Block(names, CandleArrays(offsets, times, none, none, none, none, none, none), True)


def cut_block(
    frame: pl.DataFrame,
    names: Sequence[str],
    offsets: NDArray[np.int64],
    first: int,
    last: int,
    closing: bool,
) -> Block:
    """Return instruments ``first:last`` of a frame whose runs are known."""
    own = offsets[first : last + 1]
    part = frame.slice(int(own[0]), int(own[-1] - own[0]))
    return Block(names[first:last], candle_arrays(part, own - own[0]), closing)


def candle_arrays(frame: pl.DataFrame, offsets: NDArray[np.int64]) -> CandleArrays:
    """Return the columns as arrays; without a copy where a column is one chunk without nulls."""
    with_interest = "open_interest" in frame.columns

    def column(name: str) -> NDArray[np.float64]:
        return read_only(frame[name].to_numpy())

    return CandleArrays(
        offsets,
        read_only(frame["timestamp"].to_physical().to_numpy()),
        column("open"),
        column("high"),
        column("low"),
        column("close"),
        column("volume"),
        column("open_interest") if with_interest else read_only(np.empty(0)),
    )
