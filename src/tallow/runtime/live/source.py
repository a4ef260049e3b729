"""A live engine's store: what the engine writes, what others wrote, and what was before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tallow.data.candles import with_more
from tallow.data.readers import read_candles
from tallow.data.runs import instrument_runs
from tallow.data.schema import CANDLE_SCHEMA, OPEN_INTEREST, TIME_TYPE
from tallow.runtime.live.aside import SOURCE_NAME, from_live
from tallow.runtime.live.history import History, Past, candle_rows
from tallow.runtime.live.lane import State
from tallow.runtime.live.rows import Floats
from tallow.runtime.operations import to_series

if TYPE_CHECKING:
    from tallow.data.store.store import Store
    from tallow.data.store.write import WriteReport


class LiveStore:
    """The store as a live engine sees it.

    Attributes
    ----------
    known_until
        The receipt, in microseconds, up to which the engine has seen everything.
    interest
        Whether candles of the store have open interest.
    """

    def __init__(self, store: Store, history: History) -> None:
        self.store = store
        self.known_until = store.last_received()
        self.interest = store.has_interest()
        self._history = history
        self._entry: int | None = None
        # Receipts, beyond `known_until`, of what the engine wrote and knows.
        self._own: set[int] = set()

    def write(
        self, candles: pl.DataFrame, repeated: int, aside: pl.DataFrame | None
    ) -> WriteReport:
        """Make candles durable, with what was repeated and what was set aside before them."""
        read = read_candles(candles)
        if repeated or aside is not None:
            read = with_more(read, repeated, None if aside is None else from_live(aside))
        return self.store.write(read, source=SOURCE_NAME)

    def delete(self, keys: pl.DataFrame) -> WriteReport:
        """Make deletions durable."""
        return self.store.delete(keys, source=SOURCE_NAME)

    def is_alone(self, report: WriteReport) -> bool:
        """Say whether nobody else has written since the engine's write before this one."""
        alone = self._entry is not None and report.entry == self._entry + 1
        self._entry = report.entry
        return alone

    def note(self, report: WriteReport) -> None:
        """Take note of a write of what the engine knows; the next one sees what others wrote."""
        alone = self.is_alone(report)
        if not alone:
            self._entry = None
        if report.received_at is not None:
            if alone:
                self.known_until = report.received_at
            else:
                self._own.add(report.received_at)

    @property
    def unknown(self) -> set[str]:
        """Instruments that had stored candles, and not one of a time that the calendar knows."""
        return self._history.unknown

    def past(self, name: str, keep: int) -> Past:
        """Return what is known of an instrument that the engine meets first."""
        return self._history.past(name, keep, self.known_until)

    def older(self, name: str, moment: int) -> tuple[list[State], Floats]:
        """Return states before a moment, and an instrument's candles from there on."""
        boundary, states = self._history.before(name, moment, self.known_until)
        return states, self._history.rows(name, boundary, self.known_until)

    def names(self) -> list[str]:
        """Return all instruments that ever had candles. Reads all keys."""
        return sorted(self.store.changed_since(0))

    def changed(self, until: int) -> dict[str, Floats]:
        """Return, per instrument, what others changed since `known_until`, up to a receipt.

        As ``[rows, fields]`` in ascending time; one that was deleted has no prices.
        """
        earliest = self.store.changed_since(self.known_until, as_of=until)
        if not earliest:
            return {}
        log = self.store.log(
            sorted(earliest),
            timeframe="1m",
            adjustment="raw",
            start=min(earliest.values()),
            as_of=until,
        )
        key = ("instrument", "timestamp")
        received = pl.col("received_at").to_physical()
        newest = log.filter(received > self.known_until)
        newest = newest.unique(key, keep="last", maintain_order=True)
        rows = newest.filter(~received.is_in(list(self._own))).sort(key)
        self._own = {receipt for receipt in self._own if receipt > until}
        if rows.is_empty():
            return {}
        self.interest |= rows[OPEN_INTEREST].is_not_null().any()
        names, offsets = instrument_runs(rows)
        parts = zip(names, np.split(candle_rows(rows), offsets[1:-1]), strict=True)
        return {name: part[self._history.is_right(name, part)] for name, part in parts}


def candle_frame(names: pl.Series, sizes: Sequence[int], rows: Floats) -> pl.DataFrame:
    """Return rows ``[rows, fields]`` of instruments, `sizes` of each, as a candle frame."""
    which = np.repeat(np.arange(len(names), dtype=np.uint32), sizes)
    columns = [names[which].alias("instrument")]
    columns.append(pl.Series("timestamp", rows[:, 0].astype(np.int64)).cast(TIME_TYPE))
    wanted = [*list(CANDLE_SCHEMA)[2:], OPEN_INTEREST]
    columns += [to_series(name, rows[:, k].copy()) for k, name in enumerate(wanted, start=1)]
    return pl.DataFrame(columns)
