"""Blocks: ranges of sorted candles as arrays, small enough for memory to stay bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from tallow.core.arrays import Flags, Ints
from tallow.core.kernel import read_only
from tallow.core.limits import BLOCK_ROWS, THREAD_ROWS
from tallow.data.kernels.aggregate import CandleArrays
from tallow.data.kernels.rows import increasing_within
from tallow.data.reading.runs import Runs, instrument_runs
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST, time_view


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


class NeedsWholeInputError(Exception):
    """A stream meets rows that need the whole input, such as a step back in time."""


def frame_blocks(frame: pl.DataFrame, runs: Runs | None = None) -> Iterator[Block]:
    """Cut a sorted candle frame into blocks of whole instruments.

    Whole, so that an instrument which fails in its last row has no bars from its first ones. Cut
    where the frame's chunks end: a block within a chunk is not copied. Few rows are one block.
    `runs` are the frame's, where they are known.
    """
    if 0 < len(frame) <= THREAD_ROWS:
        names, offsets = instrument_runs(frame) if runs is None else runs
        return iter([Block(names, candle_arrays(frame, offsets), closing=True)])
    return whole_instruments(_chunks(frame), len(frame))


def _chunks(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    start = 0
    for length in frame["close"].chunk_lengths():
        for low in range(0, length, BLOCK_ROWS):
            yield frame.slice(start + low, min(BLOCK_ROWS, length - low))
        start += length


def whole_instruments(frames: Iterable[pl.DataFrame], limit: int) -> Iterator[Block]:
    """Cut frames into blocks of whole instruments; each frame's last one waits, as it may go on.

    An instrument of more than `limit` rows goes out in pieces. `NeedsWholeInputError` if the frames
    are not sorted by instrument and time, or not unique in them.
    """
    waiting: list[CandleArrays] = []
    name, last_time = "", 0
    for frame in filter(len, frames):
        names, offsets = instrument_runs(frame)
        rows, last = candle_arrays(frame, offsets), len(names) - 1
        times = rows.timestamp
        follows = names[0] > name or (names[0] == name and times[0] > last_time)
        ascend = sorted(set(names)) == list(names)
        if not (follows and ascend and increasing_within(times, offsets)):
            raise NeedsWholeInputError
        first = 0
        if name:
            if names[0] == name:
                waiting.append(rows.part(slice(0, 1)))
                first = 1
            if names[-1] != name:
                yield _one_instrument(name, waiting, closing=True)
                waiting = []
        if last > first:
            yield Block(names[first:last], rows.part(slice(first, last)), closing=True)
        if names[-1] != name:
            waiting = [rows.part(slice(last, last + 1))]
        name, last_time = names[-1], int(times[-1])
        if sum(len(piece.timestamp) for piece in waiting) > limit:
            yield _one_instrument(name, waiting, closing=False)
            waiting = []
    if name:
        yield _one_instrument(name, waiting, closing=True)


def group_blocks(blocks: Iterable[Block], size: int) -> Iterator[list[Block]]:
    """Gather up to `size` blocks that close their instruments, to run side by side."""
    group: list[Block] = []
    for block in blocks:
        if not block.closing or len(group) == size:
            yield group
            group = []
        group.append(block)
        if not block.closing:
            yield group
            group = []
    yield group


def _one_instrument(name: str, waiting: Sequence[CandleArrays], closing: bool) -> Block:
    if not waiting:
        return empty_block([name])
    # Joined as arrays: joining frames takes milliseconds for the texts alone.
    columns = [read_only(np.concatenate(pieces)) for pieces in list(zip(*waiting, strict=True))[1:]]
    offsets = np.array([0, len(columns[0])], dtype=np.int64)
    return Block([name], CandleArrays(offsets, *columns), closing)


def whole_block(frame: pl.DataFrame, closing: bool) -> Block:
    """Return all of a sorted frame as one block."""
    names, offsets = instrument_runs(frame)
    return Block(names, candle_arrays(frame, offsets), closing)


def cut_in_time(block: Block, cuts: Sequence[int]) -> list[Block]:
    """Cut a block at ascending instants; every piece has all instruments, the last one closes."""
    if not cuts:
        return [block]
    offsets, times = block.candles.offsets, block.candles.timestamp
    inner = [a + np.searchsorted(times[a:z], cuts) for a, z in pairwise(offsets.tolist())]
    edges = np.column_stack([offsets[:-1], np.array(inner), offsets[1:]])
    pieces = []
    for k in range(len(cuts) + 1):
        low, high = edges[:, k], edges[:, k + 1]
        candles = rows_between(block.candles, low, high)
        pieces.append(Block(block.names, candles, block.closing and k == len(cuts)))
    return pieces


def rows_between(candles: CandleArrays, low: Ints, high: Ints) -> CandleArrays:
    """Return rows ``low[i]:high[i]``, some of each instrument's; views if there is one only."""
    offsets = np.concatenate(([0], np.cumsum(high - low)))
    if len(low) == 1:
        return _take(candles, offsets, slice(int(low[0]), int(high[0])))
    return _take(
        candles, offsets, np.arange(offsets[-1]) + np.repeat(low - offsets[:-1], high - low)
    )


def filter_block(block: Block, keep: Flags) -> Block:
    """Return a block with some of its rows; every instrument stays, if without rows."""
    offsets = np.concatenate(([0], np.cumsum(keep)))[block.candles.offsets]
    return Block(block.names, _take(block.candles, offsets, keep), block.closing)


def _take(candles: CandleArrays, offsets: Ints, where: Any) -> CandleArrays:
    columns = (read_only(each[where]) if len(each) else each for each in candles[1:])
    return CandleArrays(offsets, *columns)  # type: ignore[arg-type]


def empty_block(names: Sequence[str]) -> Block:
    """Return the block that only says that no more rows of these instruments follow."""
    none = read_only(np.empty(0))
    times = read_only(np.empty(0, dtype=np.int64))
    offsets = np.zeros(len(names) + 1, dtype=np.int64)
    return Block(names, CandleArrays(offsets, times, *[none] * 6), True)


def candle_arrays(frame: pl.DataFrame, offsets: Ints) -> CandleArrays:
    """Return the columns as arrays; without a copy where a column is one chunk without nulls."""
    columns = dict(zip(frame.columns, frame.get_columns(), strict=True))
    numbers = [read_only(columns[name].to_numpy()) for name in NUMBERS]
    interest = columns.get(OPEN_INTEREST)
    numbers.append(read_only(np.empty(0) if interest is None else interest.to_numpy()))
    return CandleArrays(offsets, read_only(time_view(frame)), *numbers)
