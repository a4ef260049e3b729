"""The rule that needs several rows: one candle per instrument and time."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from tallow.data.kernels.rows import increasing_within
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import CANDLE_KEY, time_view


@dataclass(frozen=True)
class UniqueRows:
    """What `deduplicate` gives.

    Attributes
    ----------
    frame
        Rows in order and unique.
    repeated
        Rows that equal a row of `frame`, and were dropped.
    contradicting
        Rows of keys that come with several values, with their `position` among the rows given.
    """

    frame: pl.DataFrame
    repeated: int
    contradicting: pl.DataFrame


def deduplicate(frame: pl.DataFrame) -> UniqueRows:
    """Sort candle rows, collapse equal repeats, and take out rows that contradict each other.

    The result does not depend on the order of the rows.
    """
    at = pl.int_range(pl.len(), dtype=pl.UInt32).alias("position")
    # The stable sort is also the faster one here: 1.4 s for 7.5 million rows against 4.4 s; by the
    # instrument alone, where rows are in the order of time, it takes a third of that.
    key = ("instrument",) if frame["timestamp"].is_sorted() else CANDLE_KEY
    ordered = frame.with_columns(at).sort(key, maintain_order=True)
    if increasing_within(time_view(ordered), instrument_runs(ordered)[1]):
        return UniqueRows(ordered.drop("position"), 0, ordered.clear())
    again = pl.all_horizontal(
        pl.col(name) == pl.col(name).shift() for name in CANDLE_KEY
    ).fill_null(False)
    repeats = ordered.filter(again | again.shift(-1, fill_value=False))
    distinct = repeats.unique(frame.columns, keep="first", maintain_order=True)
    several = distinct.group_by(CANDLE_KEY).len().filter(pl.col("len") > 1)
    contradicting = repeats.join(several, on=CANDLE_KEY, how="semi")
    kept = distinct.join(several, on=CANDLE_KEY, how="anti")
    dropped = repeats.join(kept, on="position", how="anti")
    unique = ordered.join(dropped, on="position", how="anti", maintain_order="left")
    repeated = len(repeats) - len(contradicting) - len(kept)
    return UniqueRows(unique.drop("position"), repeated, contradicting)


def keep_latest(frame: pl.DataFrame) -> UniqueRows:
    """Sort candle rows; of one key the last counts, and the others are repeated."""
    ordered = frame.sort(CANDLE_KEY, maintain_order=True)
    latest = ordered.unique(CANDLE_KEY, keep="last", maintain_order=True)
    nothing = frame.clear().with_columns(position=pl.lit(None, pl.UInt32))
    return UniqueRows(latest, len(frame) - len(latest), nothing)
