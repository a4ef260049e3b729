"""The tail in memory: batches of rows, few whatever the number of writes, and found by name.

A small batch is folded with others of its kind, so that a tail of any number of one-row writes has
some dozens of batches; each row is copied twice on its way. Longer ones stay as they were written.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise

import polars as pl

from tallow.core.limits import (
    STORE_FILTER_INSTRUMENTS,
    STORE_TAIL_FOLD,
    STORE_TAIL_FOLD_ROWS,
    STORE_TAIL_LOOSE,
)
from tallow.core.time import BEGIN_OF_TIME
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import OPEN_INTEREST, time_view
from tallow.data.store.log import LOG_SCHEMA, Selection
from tallow.data.store.order import in_log_order

NO_ROWS = pl.DataFrame(schema=LOG_SCHEMA)


@dataclass(frozen=True)
class TailBatch:
    """The rows of some writes in the log's order: the newest one's number, how many there are.

    `first` and `last` are the ends of their times, `received` is the newest receipt.
    `with_interest` are the timeframes and adjustments of rows that have open interest.
    """

    id: int
    writes: int
    frame: pl.DataFrame
    first: int
    last: int
    received: int
    with_interest: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, number: int, writes: int, frame: pl.DataFrame) -> TailBatch:
        """Return a batch of so many writes by its rows."""
        time, received = time_view(frame), time_view(frame, "received_at")
        kinds: frozenset[tuple[str, str]] = frozenset()
        if frame[OPEN_INTEREST].null_count() < len(frame):
            known = frame.filter(pl.col(OPEN_INTEREST).is_not_null())
            kinds = frozenset(known.select("timeframe", "adjustment").unique().rows())
        first, last, newest = int(time.min()), int(time.max()), int(received.max())
        return cls(number, writes, frame, first, last, newest, kinds)

    @cached_property
    def rank(self) -> bool | None:
        """The kind of a small batch; None for one that is not folded. Each write asks."""
        return _rank(self.frame)

    @cached_property
    def _latest_times(self) -> dict[tuple[str, str], int]:
        kind = "timeframe", "adjustment"
        ends = self.frame.select(kind)
        # In the log's order, the first and the last row are of one kind where all are.
        if ends.row(0) == ends.row(-1):
            return {ends.row(0): self.last}
        latest = self.frame.group_by(kind).agg(pl.col("timestamp").max().to_physical())
        return {(size, name): last for size, name, last in latest.iter_rows()}

    def latest_time(self, kind: tuple[str, str]) -> int:
        """Return the latest time of a timeframe and adjustment."""
        return self._latest_times.get(kind, BEGIN_OF_TIME)


@dataclass(frozen=True)
class BatchPlan:
    """A batch to be: its rows, how many writes it holds, and the batches that it replaces."""

    rows: pl.DataFrame
    writes: int
    replaced: tuple[int, ...]


def fold(rows: pl.DataFrame, batches: Sequence[TailBatch]) -> BatchPlan:
    """Return a write's rows with those of the small batches that it completes a set of."""
    folded, rest = BatchPlan(rows, 1, ()), batches
    while (rank := _rank(folded.rows)) is not None:
        alike = [batch for batch in rest if batch.rank == rank]
        if len(alike) + 1 < STORE_TAIL_FOLD:
            break
        rest = [batch for batch in rest if batch.rank != rank]
        folded = BatchPlan(
            in_log_order(pl.concat([*(batch.frame for batch in alike), folded.rows])),
            folded.writes + sum(batch.writes for batch in alike),
            (*folded.replaced, *(batch.id for batch in alike)),
        )
    return folded


def _rank(rows: pl.DataFrame) -> bool | None:
    """Return the kind of a small batch; None for one that is not folded."""
    return len(rows) >= STORE_TAIL_FOLD if len(rows) < STORE_TAIL_FOLD_ROWS else None


@dataclass(frozen=True)
class SortedBatches:
    """The rows of batches `first` to `last` in the log's order, and where each name's are."""

    first: int
    last: int
    count: int
    frame: pl.DataFrame
    spans: dict[str, list[tuple[int, int]]]

    @classmethod
    def of(cls, first: int, last: int, count: int, parts: Sequence[Framed]) -> SortedBatches:
        """Sort the rows of so many batches."""
        frame = in_log_order(pl.concat([part.frame for part in parts]))
        names, offsets = instrument_runs(frame)
        spans: dict[str, list[tuple[int, int]]] = {}
        for name, span in zip(names, pairwise(offsets.tolist()), strict=True):
            spans.setdefault(name, []).append(span)
        return cls(first, last, count, frame, spans)

    def of_names(self, names: Sequence[str]) -> list[pl.DataFrame]:
        """Return the rows of some instruments."""
        return [self.frame[low:high] for name in names for low, high in self.spans.get(name, ())]


Framed = TailBatch | SortedBatches


class TailIndex:
    """What successive states of a tail share: most rows of its long batches, sorted."""

    def __init__(self) -> None:
        self._sorted: tuple[SortedBatches, ...] = ()

    def of(self, batches: Sequence[TailBatch]) -> tuple[SortedBatches, ...]:
        """Return the sorted rows of all of these batches but the last few, in a few pieces."""
        pieces = self._sorted
        if pieces and (pieces[0].first != batches[0].id or pieces[-1].last > batches[-1].id):
            pieces = ()
        known = pieces[-1].last if pieces else 0
        loose = batches[bisect_right(batches, known, key=lambda batch: batch.id) :]
        while len(loose) >= STORE_TAIL_LOOSE:
            # As many as a power of two times that: joined by twos, a row is moved a few times.
            count = STORE_TAIL_LOOSE << (len(loose) // STORE_TAIL_LOOSE).bit_length() - 1
            part, loose = loose[:count], loose[count:]
            pieces = (*pieces, SortedBatches.of(part[0].id, part[-1].id, count, part))
            while len(pieces) > 1 and pieces[-2].count <= pieces[-1].count:
                low, high = pieces[-2:]
                both = SortedBatches.of(low.first, high.last, low.count + high.count, (low, high))
                pieces = (*pieces[:-2], both)
        self._sorted = pieces
        return pieces


@dataclass(frozen=True)
class Tail:
    """One state of the tail. Immutable, so that readers share it.

    Attributes
    ----------
    dropped
        The number of the newest write that was taken out of it.
    reached, alone
        The newest version of the table that this machine committed, and the one since which all
        commits have been its own.
    sealed
        The number of the newest batch that is being flushed: those up to it stay as they are.
    """

    batches: tuple[TailBatch, ...] = ()
    last_received: int = 0
    dropped: int = 0
    reached: int = 0
    alone: int = 0
    sealed: int = 0
    index: TailIndex = field(default_factory=TailIndex, compare=False)

    @property
    def token(self) -> tuple[int, int]:
        """What changes with every change of the tail's rows."""
        return (self.batches[-1].id if self.batches else 0, self.last_received)

    @cached_property
    def rows(self) -> int:
        """Rows of all batches."""
        return sum(len(batch.frame) for batch in self.batches)

    @cached_property
    def long(self) -> tuple[TailBatch, ...]:
        """The batches that are not folded."""
        return tuple(batch for batch in self.batches if _rank(batch.frame) is None)

    @property
    def open_batches(self) -> tuple[TailBatch, ...]:
        """The batches that may be folded."""
        return tuple(batch for batch in self.batches if batch.id > self.sealed)

    @property
    def sealed_short(self) -> int:
        """How many short batches are folded no more."""
        return sum(b.id <= self.sealed and _rank(b.frame) is not None for b in self.batches)

    @cached_property
    def writes(self) -> int:
        """Writes that these rows came by."""
        return sum(batch.writes for batch in self.batches)

    @property
    def newest_write(self) -> int:
        """The number of the newest write that ever was in the tail."""
        return self.dropped + self.writes

    def until(self, number: int) -> Tail:
        """Return the tail with the batches up to a number only."""
        kept = tuple(batch for batch in self.batches if batch.id <= number)
        return replace(self, batches=kept, index=TailIndex())

    def after(self, flushed: int) -> Tail:
        """Return the tail without the batches that a table holds already."""
        if not self.batches or self.batches[0].id > flushed:
            return self
        kept = tuple(batch for batch in self.batches if batch.id > flushed)
        gone = self.writes - sum(batch.writes for batch in kept)
        dropped = self.dropped + gone
        return replace(self, batches=kept, dropped=dropped, index=TailIndex())

    def scan(self, selection: Selection, columns: Sequence[str]) -> pl.DataFrame:
        """Return the rows of a selection in the log's order."""
        low, high = selection.start, selection.end
        since = selection.received_from
        hit = [
            batch
            for batch in self.batches
            if (low is None or batch.last >= low)
            and (high is None or batch.first < high)
            and (since is None or batch.received >= since)
        ]
        if not hit:
            return NO_ROWS[list(columns)]
        names = selection.instruments
        if names is not None and len(names) <= STORE_FILTER_INSTRUMENTS:
            frames = self._of_names(names, hit)
        else:
            frames = [batch.frame for batch in hit]
        found = pl.concat([NO_ROWS, *frames], rechunk=False)
        return in_log_order(found.filter(selection.where()).select(columns))

    def _of_names(self, names: Sequence[str], hit: Sequence[TailBatch]) -> list[pl.DataFrame]:
        """Return frames that hold all rows of a few names, and little else."""
        if len(hit) <= STORE_TAIL_LOOSE or not self.long:
            return [batch.frame for batch in hit]
        # Short batches come and go; there are never many.
        pieces = self.index.of(self.long)
        found = [rows for piece in pieces for rows in piece.of_names(names)]
        frames = [pl.concat(found, rechunk=True)] if found else []
        last = pieces[-1].last if pieces else 0
        return frames + [b.frame for b in hit if b.id > last or _rank(b.frame) is not None]
