"""Candles streamed into bars, block by block; files in the order of their rows.

Three ways, each tried when the one before meets rows that it cannot take:

1. whole instruments, one after the other: a bar goes out as soon as its instrument has ended;
2. in time order, for all instruments at once: states are kept per instrument, bars are spilled to
   disk and merged at the end (where the bars go to a file);
3. anything else: everything is read, sorted, and run from memory.

However many timeframes are asked for, candles are read and checked once: each block goes through
one run after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import polars as pl

from tallow.core.limits import BLOCK_ROWS
from tallow.data.reading.assumptions import warn_once
from tallow.data.reading.batches import Batch
from tallow.data.reading.candle_files import CandleFiles
from tallow.data.reading.candles import Candles, ReadReport
from tallow.data.reading.merge import MinuteWatch, deduplicate
from tallow.data.reading.quarantine import count_by_rule, empty_quarantine
from tallow.data.reading.runs import OrderWatch, instrument_runs
from tallow.data.reading.schema import OPEN_INTEREST, time_view
from tallow.runtime.blocks import (
    NeedsWholeInputError,
    frame_blocks,
    group_blocks,
    whole_block,
    whole_instruments,
)
from tallow.runtime.outputs import Job, Outputs, Reports


@dataclass
class _ReadCounts:
    """Counts of a streamed input, gathered as its batches go by."""

    rows_in: int = 0
    accepted: int = 0
    repeated: int = 0
    quarantine: list[pl.DataFrame] = field(default_factory=list)
    sources: dict[str, None] = field(default_factory=dict)
    ignored: dict[str, None] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    first: datetime | None = None
    last: datetime | None = None

    def see(self, batch: Batch, frame: pl.DataFrame, repeated: int) -> None:
        """Count a batch, of which `frame` is accepted; the caller adds its instruments."""
        self.rows_in += batch.rows_in
        self.accepted += len(frame)
        self.repeated += repeated
        if len(batch.quarantine):
            self.quarantine.append(batch.quarantine)
        self.sources |= dict.fromkeys([batch.source])
        self.ignored |= dict.fromkeys(batch.ignored_columns)
        if len(frame):
            low, high = cast("Any", frame["timestamp"].min()), cast("Any", frame["timestamp"].max())
            self.first = min(self.first or low, low)
            self.last = max(self.last or high, high)

    def report(self) -> tuple[ReadReport, pl.DataFrame]:
        quarantine = pl.concat(self.quarantine) if self.quarantine else empty_quarantine()
        report = ReadReport(
            rows_in=self.rows_in,
            accepted=self.accepted,
            repeated=self.repeated,
            quarantined=len(quarantine),
            by_rule=count_by_rule(quarantine),
            sources=tuple(self.sources),
            ignored_columns=tuple(self.ignored),
            instruments=len(self.names),
            first=self.first,
            last=self.last,
        )
        return report, quarantine


def run_job(candles: Candles | CandleFiles, job: Job) -> Reports:
    """Run candles, in memory or in files, into bars, sorted by instrument and time."""
    return run_candles(candles, job) if isinstance(candles, Candles) else run_files(candles, job)


@warn_once
def run_files(files: CandleFiles, job: Job) -> Reports:
    """Stream candle files into bars, sorted by instrument and time.

    Peak memory grows with the size of a block, for inputs sorted by instrument or by time.
    `TallowError` if the input cannot be read or the bars not be written; nothing is left behind.
    """
    ways = (_run_by_instrument, _by_time) if job.spill_folder else (_run_by_instrument,)
    for way in ways:
        try:
            return way(files, job)
        except NeedsWholeInputError:
            continue
    return run_candles(files.read(), job)


def run_candles(candles: Candles, job: Job) -> Reports:
    """Run candles that are in memory into bars, sorted by instrument and time."""
    rows = 0
    with Outputs(job, OPEN_INTEREST in candles.frame.columns, candles.__len__) as outputs:
        frame = job.pick(candles.frame)
        blocks = frame_blocks(frame, candles.runs if frame is candles.frame else None)
        for group in group_blocks(blocks, 2 * job.threads):
            outputs.feed(group)
            rows += sum(map(len, group))
            outputs.show_progress(rows)
        names = set() if job.wanted.names is None else set(candles.frame["instrument"].unique())
        return outputs.finished(candles.report, candles.quarantine, names)


def _run_by_instrument(files: CandleFiles, job: Job) -> Reports:
    seen = _ReadCounts()
    with Outputs(job, files.has_interest, lambda: files.row_count) as outputs:
        blocks = whole_instruments(_ordered(files, job, seen), BLOCK_ROWS)
        for group in group_blocks(blocks, 2 * job.threads):
            seen.names.update(name for block in group for name in block.names)
            outputs.feed(group)
            if outputs.revised:
                # What was written cannot be taken back.
                raise NeedsWholeInputError
            outputs.show_progress(seen.rows_in)
        return outputs.finished(*seen.report(), seen.names)


def _ordered(files: CandleFiles, job: Job, seen: _ReadCounts) -> Iterator[pl.DataFrame]:
    """Return the rows that are wanted; of the others, too, the order is checked."""
    watch, minutes = OrderWatch(), MinuteWatch()
    for batch in files.batches():
        if not batch.frame["instrument"].is_sorted():
            raise NeedsWholeInputError
        if minutes.is_shared(batch.frame, batch.quarantine):
            raise NeedsWholeInputError
        seen.see(batch, batch.frame, 0)
        if job.wanted.names is not None:
            watch.see(batch.frame)
            if not watch.in_order:
                raise NeedsWholeInputError
            seen.names.update(batch.frame["instrument"].unique())
        yield job.pick(batch.frame)


def _by_time(files: CandleFiles, job: Job) -> Reports:
    seen, order, minutes = _ReadCounts(), _TimeOrder(), MinuteWatch()
    with Outputs(job, files.has_interest, lambda: files.row_count) as outputs:
        for batch in files.batches():
            unique = deduplicate(batch.frame)
            is_shared = minutes.is_shared(unique.frame, batch.quarantine)
            if is_shared or len(unique.contradicting):
                # Only the whole input shows all rows of a key, and their original text.
                raise NeedsWholeInputError
            seen.see(batch, unique.frame, unique.repeated)
            seen.names.update(unique.frame["instrument"].unique())
            frame = job.pick(unique.frame)
            if len(frame) < len(unique.frame):
                order.check(unique.frame)
            if len(frame):
                outputs.spill(whole_block(frame, closing=False))
            outputs.show_progress(seen.rows_in)
        outputs.sort_spilled()
        return outputs.finished(*seen.report(), seen.names)


class _TimeOrder:
    """Each instrument's last time. Rows before it may come again, and are counted."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def check(self, frame: pl.DataFrame) -> None:
        """Raise `NeedsWholeInputError` if rows of a unique batch are not after those before."""
        names, offsets = instrument_runs(frame)
        times = time_view(frame)
        firsts, lasts = times[offsets[:-1]].tolist(), times[offsets[1:] - 1].tolist()
        for name, first, last in zip(names, firsts, lasts, strict=True):
            if first <= self._last.get(name, first - 1):
                raise NeedsWholeInputError
            self._last[name] = last
