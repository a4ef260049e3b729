"""Batches of all sources put together: what needs several rows of several batches is unique here.

Two rows of one key say the same, or contradict each other; and a row that shares its minute with a
finer one is not a minute, wherever the other stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl

from tallow.core.arrays import Ints
from tallow.data.reading.batches import Batch, read_batches
from tallow.data.reading.candles import Candles, ReadReport
from tallow.data.reading.file_names import OverlapWatch
from tallow.data.reading.files import RawSource
from tallow.data.reading.merge import UniqueRows, deduplicate, finer_minutes, in_minutes
from tallow.data.reading.options import ReadOptions
from tallow.data.reading.quarantine import as_quarantine, count_by_rule, gather, records
from tallow.data.reading.rules import OFF_GRID
from tallow.data.reading.runs import OrderWatch, instrument_runs


@dataclass
class _BatchPosition:
    """Where the accepted rows of one batch stand: in which source, and from which position."""

    source: int
    start: int
    batch: Batch


def assemble(
    raws: Sequence[RawSource],
    options: ReadOptions | Sequence[ReadOptions],
    native: str = "polars",
    deduplicate_rows: Callable[[pl.DataFrame], UniqueRows] = deduplicate,
) -> Candles:
    """Check every row of opened sources, and put them together; see `read_candles`.

    `options` are those of all, or of each. `deduplicate_rows` says which rows of one key count.
    """
    each = [options] * len(raws) if isinstance(options, ReadOptions) else options
    watch, batches, position = OrderWatch(), [], 0
    # By their names each file says whose it is.
    apart = OverlapWatch(options.instrument_key if isinstance(options, ReadOptions) else None)
    for place, raw in enumerate(raws):
        for batch in read_batches(raw, each[place]):
            apart.see(batch.source, batch.frame, each[place].instrument_key)
            watch.see(batch.frame)
            batches.append(_BatchPosition(place, position, batch))
            position += len(batch.frame)
    apart.check()
    # Not rechunked: that would copy everything once more.
    together = pl.concat([one.batch.frame for one in batches], how="diagonal", rechunk=False)
    together, finer = _without_finer(batches, together)
    unique = (
        UniqueRows(together, 0, together.clear()) if watch.in_order else deduplicate_rows(together)
    )
    contradicting = unique.contradicting
    if len(finer) and len(contradicting):
        contradicting = contradicting.with_columns(_among_all(contradicting, finer))
    parts = [(one.source, one.batch.quarantine) for one in batches]
    parts += _set_aside(raws, batches, finer, OFF_GRID)
    parts += _set_aside(raws, batches, contradicting, "repeated_key")
    quarantine = gather(parts)
    is_counted = watch.in_order and not len(finer)
    count = watch.instruments if is_counted else _count_instruments(unique.frame)
    report = _report(raws, batches, unique, quarantine, count)
    size, symbols = each[0].source_timeframe, _symbols([one.batch for one in batches])
    return Candles(unique.frame, quarantine, report, size, native, symbols=symbols)


def _symbols(batches: Sequence[Batch]) -> pl.DataFrame | None:
    found = [batch.symbols for batch in batches if batch.symbols is not None]
    return pl.concat(found).unique() if found else None


def _without_finer(
    batches: Sequence[_BatchPosition], together: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return rows without those whose minute has a finer row in another batch; and those.

    They have their `position` among all rows. Within a batch that was unique before.
    """
    finer = [finer_minutes(one.batch.quarantine) for one in batches]
    if len(batches) == 1 or not any(map(len, finer)):
        return together, together.clear().with_columns(position=pl.lit(None, pl.UInt32))
    shares = in_minutes(together, pl.concat(finer).unique())
    at = pl.int_range(pl.len(), dtype=pl.UInt32).alias("position")
    return together.filter(~shares), together.with_columns(at).filter(shares)


def _among_all(rows: pl.DataFrame, taken: pl.DataFrame) -> pl.Series:
    """Return the positions of rows among all, of those that they have without some taken out."""
    positions = rows["position"].to_numpy().astype(np.int64)
    # The k-th row that was taken out had k fewer rows before it.
    gone = taken["position"].to_numpy().astype(np.int64) - np.arange(len(taken))
    return pl.Series("position", positions + np.searchsorted(gone, positions, "right"))


def _set_aside(
    raws: Sequence[RawSource], batches: Sequence[_BatchPosition], rows: pl.DataFrame, rule: str
) -> list[tuple[int, pl.DataFrame]]:
    """Return the quarantine of rows, by their `position`, that break a rule, per source."""
    if not len(rows):
        return []
    rows = rows.sort("position")
    at = rows["position"].to_numpy().astype(np.int64)
    starts = np.array([each.start for each in batches])
    # An empty batch starts where the next one does: the last of equal starts holds the row.
    owner = np.searchsorted(starts, at, side="right") - 1
    numbers = [
        batches[held].batch.row_numbers()[at[owner == held] - starts[held]]
        for held in np.unique(owner)
    ]
    sources = np.array([each.source for each in batches])[owner]
    located = rows.with_columns(row=pl.Series(np.concatenate(numbers)), rule=pl.lit(rule))
    parts = []
    for source in np.unique(sources):
        mine = located.filter(pl.Series(sources == source))
        record = original_records(raws[source].rows, mine["row"].to_numpy())
        parts.append((int(source), as_quarantine(mine.with_columns(record), raws[source].name)))
    return parts


def original_records(rows: Callable[[], Iterator[pl.DataFrame]], wanted: Ints) -> pl.Series:
    """Read a source again and return the records of some of its rows, by ascending row number.

    Rows that contradict each other are known only after everything was read, and keeping every
    row's text until then would multiply memory for a few rare ones.
    """
    found, start = [], 1
    for raw in rows():
        local = wanted[(wanted >= start) & (wanted < start + len(raw))] - start
        found.append(records(raw[local]))
        start += len(raw)
    return pl.concat(found)


def _count_instruments(frame: pl.DataFrame) -> int:
    return len(instrument_runs(frame)[0]) if len(frame) else 0


def _report(
    raws: Sequence[RawSource],
    batches: Sequence[_BatchPosition],
    unique: UniqueRows,
    quarantine: pl.DataFrame,
    instruments: int,
) -> ReadReport:
    ignored = dict.fromkeys(name for each in batches for name in each.batch.ignored_columns)
    time = unique.frame["timestamp"]
    return ReadReport(
        rows_in=sum(each.batch.rows_in for each in batches),
        accepted=len(unique.frame),
        repeated=unique.repeated,
        quarantined=len(quarantine),
        by_rule=count_by_rule(quarantine),
        sources=tuple(raw.name for raw in raws),
        ignored_columns=tuple(ignored),
        instruments=instruments,
        first=cast("Any", time.min()),
        last=cast("Any", time.max()),
    )
