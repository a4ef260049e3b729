"""What a row says to a store: something new, the same again, or a correction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tallow.core.arrays import Ints
from tallow.data.reading.runs import Runs, instrument_runs
from tallow.data.reading.schema import NUMBERS, OPEN_INTEREST, TIME_TYPE, time_view
from tallow.data.store.log import VALUES, constant, latest_revisions


@dataclass(frozen=True)
class Classification:
    """The rows to write, candle columns and `revision`, in their order; and how many were which."""

    rows: pl.DataFrame
    new: int
    identical: int
    revised: int


def classify(candles: pl.DataFrame, known: pl.DataFrame, runs: Runs) -> Classification:
    """Compare candles with what the log knows of their keys.

    `candles` have `open_interest`, sorted and unique by instrument and time; `runs` are those of
    their instruments. `known` is the latest row of each key of that series, deletions too, sorted
    likewise.

    A candle without open interest says nothing about it: it does not correct a known one, and a
    correction of its prices keeps it.
    """
    if not len(known):
        return Classification(with_revision(candles, 1), len(candles), 0, 0)
    at = positions(candles, known, runs)
    met = at >= 0
    if not met.any():
        return Classification(with_revision(candles, 1), len(candles), 0, 0)
    mine = candles if met.all() else candles.filter(met)
    # Both are sorted: as many matches as there are known rows are these rows, in their order.
    stored = known if len(known) == len(mine) else known[at[met]]
    same = _same(mine, stored)
    changed = np.ones(len(candles), dtype=np.bool_)
    changed[met] = ~same.to_numpy()
    revision = np.ones(len(candles), dtype=np.int32)
    revision[met] = stored["revision"].to_numpy() + 1
    kept = ~same & mine[OPEN_INTEREST].is_null() & stored[OPEN_INTEREST].is_not_null()
    if kept.any():
        rows = np.flatnonzero(met)[kept.to_numpy()]
        interest = candles[OPEN_INTEREST].scatter(rows, stored[OPEN_INTEREST].filter(kept))
        candles = candles.with_columns(interest)
    identical, new = int(same.sum()), int((~met).sum())
    written = candles.with_columns(revision=pl.Series(revision)).filter(changed)
    return Classification(written, new, identical, len(candles) - identical - new)


def classify_deletions(keys: pl.DataFrame, known: pl.DataFrame, runs: Runs) -> Classification:
    """Return the deletions of those keys that have a candle; the others count as identical."""
    at = positions(keys, known, runs) if len(known) else np.full(len(keys), -1)
    found = known[at[at >= 0]].filter(~pl.col("deleted"))
    rows = found.select(
        "instrument",
        "timestamp",
        *(pl.lit(None, pl.Float64).alias(name) for name in VALUES),
        pl.col("revision") + 1,
    )
    return Classification(rows, 0, len(keys) - len(rows), len(rows))


def rebase(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return log rows as revisions that follow others', committed after these were classified.

    `rows` are in the log's order, of one series kind; there may be several revisions of a key.
    `known` is the latest row of each key by now, sorted and unique.
    """
    if not len(known):
        return rows
    at, key = positions(rows, known, instrument_runs(rows)), ("instrument", "timestamp")
    stored = pl.Series(np.where(at >= 0, known["revision"].to_numpy()[np.maximum(at, 0)], 0))
    is_late = pl.col("revision").min().over(key) <= stored
    moved = stored + pl.int_range(1, pl.len() + 1).over(key)
    revision = pl.when(is_late).then(moved).otherwise("revision").cast(pl.Int32)
    return rows.with_columns(revision.alias("revision"))


def receive_after(rows: pl.DataFrame, last_received: int) -> pl.DataFrame:
    """Return the log rows of some writes as received after the newest row by now.

    Who has read until then has not seen them. The n-th write's keep their time, or get that of n
    microseconds after it: no two writes have one.
    """
    turn = pl.col("received_at").rank("dense").cast(pl.Int64) + last_received
    received = pl.max_horizontal("received_at", turn.cast(TIME_TYPE))
    return rows.with_columns(received.alias("received_at"))


def following(rows: pl.DataFrame, table: pl.DataFrame) -> pl.DataFrame:
    """Return rows of the tail as revisions that come after a table's rows, which others changed.

    Both in the log's order, with the same columns; received when they were.
    """
    if not len(rows) or not len(table):
        return rows
    if "timeframe" not in rows.columns:
        return rebase(rows, latest_revisions(table))
    kind, parts = ("timeframe", "adjustment"), []
    tables = table.partition_by(kind, as_dict=True)
    for name, part in rows.partition_by(kind, as_dict=True, maintain_order=True).items():
        parts.append(rebase(part, latest_revisions(tables[name])) if name in tables else part)
    return pl.concat(parts)


def with_revision(candles: pl.DataFrame, revision: int) -> pl.DataFrame:
    """Return candles with one revision for all."""
    return candles.hstack([constant("revision", revision, len(candles))])


def positions(rows: pl.DataFrame, known: pl.DataFrame, runs: Runs) -> Ints:
    """Return for each row where its key stands in `known`, or -1; both sorted and unique.

    Each instrument's times are searched in those of the other side: the order is there already, and
    a join of millions of texts would take longer than reading them.
    """
    found = np.full(len(rows), -1, dtype=np.int64)
    names, offsets = runs
    known_names, known_offsets = instrument_runs(known)
    place = {name: i for i, name in enumerate(known_names)}
    times, known_times = time_view(rows), time_view(known)
    for name, low, high in zip(names, offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        i = place.get(name)
        if i is None:
            continue
        first, last = int(known_offsets[i]), int(known_offsets[i + 1])
        mine, theirs = times[low:high], known_times[first:last]
        at = np.minimum(np.searchsorted(theirs, mine), last - first - 1)
        found[low:high] = np.where(theirs[at] == mine, at + first, -1)
    return found


def _same(candles: pl.DataFrame, stored: pl.DataFrame) -> pl.Series:
    # A deletion's prices are null, and equal to nothing.
    same = pl.Series([True]).new_from_index(0, len(candles))
    for name in NUMBERS:
        same &= (candles[name] == stored[name]).fill_null(False)
    interest = candles[OPEN_INTEREST]
    return same & (interest.is_null() | interest.eq_missing(stored[OPEN_INTEREST]))
