"""Which open rows of a quarantine a write answers: it has good candles of their keys.

These are candles that were forming, and rows that were repaired at their source: the same source
brings a good row of the key now, and does not bring the bad one again. It is the same for files,
frames and a live engine.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tallow.core.errors import StoreError, TallowWarning
from tallow.data.reading.rules import FORMING
from tallow.data.reading.schema import time_view
from tallow.data.store.ledger import STORED_QUARANTINE_SCHEMA

if TYPE_CHECKING:
    from tallow.data.reading.candles import Candles
    from tallow.data.store.backend import Backend
    from tallow.data.store.write import WriteReport

_KEY, _ROW = ("instrument", "timestamp"), ("source", "row", "rule")
_DIGEST = pl.col("record").hash().alias("record")
"""A digest of a row's text: millions of texts need not stay in memory to compare rows."""


def open_rows(quarantine: pl.DataFrame) -> pl.DataFrame:
    """Return those of a ledger's rows that a candle may answer, for `answered`."""
    text = pl.col("record").str
    quantity = text.contains('"quantity":', literal=True) | text.contains(
        '"day_volume":', literal=True
    )
    # A tick on a full minute is not a candle of it.
    is_tick = pl.col("row").is_null() & text.contains('"price":', literal=True) & quantity
    has_key = pl.col("instrument").is_not_null() & pl.col("timestamp").is_not_null()
    rows = quarantine.filter(pl.col("settled_by").is_null() & has_key & ~is_tick.fill_null(False))
    return rows.select("id", "timeframe", "adjustment", *_KEY, *_ROW, _DIGEST)


def answered_rows(
    rows: pl.DataFrame, candles: Candles, sources: Sequence[str], timeframe: str, adjustment: str
) -> list[int]:
    """Return the numbers of those of `open_rows` that candles of these sources answer."""
    if not len(rows) or not len(candles.frame):
        return []
    times = time_view(candles.frame)
    first, last = int(times.min()), int(times.max())
    own = rows.filter(
        pl.col("timestamp").to_physical().is_between(first, last)
        & (pl.col("timeframe") == timeframe)
        & (pl.col("adjustment") == adjustment)
        & ((pl.col("rule") == FORMING) | pl.col("source").is_in(list(sources)))
    )
    if not len(own):
        return []
    # First by their times: millions of names need not be compared for a few rows.
    near = candles.frame.filter(pl.col("timestamp").is_in(own["timestamp"].implode()))
    again = candles.quarantine.with_columns(_DIGEST)
    found = own.join(near, on=_KEY, how="semi").join(
        again, on=[*_ROW, "record"], how="anti", nulls_equal=True
    )
    return found["id"].to_list()


class OpenRows:
    """The open rows of one store's quarantine, as far as one process has seen it.

    The ledger is asked where a write quarantined rows, or others wrote since the last one. Who
    settled a row meanwhile settled it as well.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._backend: Backend | None = None
        self._rows = open_rows(pl.DataFrame(schema=STORED_QUARANTINE_SCHEMA))
        self._entry = self._last = 0

    def settle(
        self, backend: Backend, candles: Candles, series: tuple[str, str, str], wrote: WriteReport
    ) -> WriteReport:
        """Settle the rows that a write answers, which is durable by now; return its report.

        `series` are its timeframe, adjustment and source.
        """
        try:
            with self._lock:
                self._look(backend, wrote)
                found = answered_rows(self._rows, candles, [series[2]], *series[:2])
                if not found:
                    return wrote
                backend.ledger().settle(found, wrote.entry)
                self._rows = self._rows.filter(~pl.col("id").is_in(found))
        except StoreError as error:
            note = "the write itself is safe; rows of the quarantine that it answers stay open"
            warnings.warn(f"{error} ({note})", TallowWarning, stacklevel=4)
            return wrote
        return replace(wrote, settled=tuple(found))

    def _look(self, backend: Backend, wrote: WriteReport) -> None:
        """Read the rows that were quarantined since the last write, or all of another backend."""
        is_next = backend is self._backend and wrote.entry == self._entry + 1
        if not is_next or wrote.quarantined:
            if backend is not self._backend:
                self._rows, self._last = self._rows.clear(), 0
            fresh = backend.ledger().held(after=self._last)
            if len(fresh):
                self._last = int(fresh["id"].max())  # type: ignore[arg-type]
                self._rows = pl.concat([self._rows, open_rows(fresh)])
            self._backend = backend
        self._entry = wrote.entry
