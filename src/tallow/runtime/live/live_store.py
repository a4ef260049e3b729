"""The store as a live engine sees it: what others wrote, and the past of instruments."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tallow.core.arrays import Floats, Ints
from tallow.core.time import END_OF_TIME
from tallow.data.reading.candles import Candles
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import CANDLE_SCHEMA, OPEN_INTEREST, TIME_TYPE
from tallow.runtime.live.history import History
from tallow.runtime.live.memory import TIME, candle_rows
from tallow.runtime.live.outcome import Past
from tallow.runtime.live.timeframe_state import SOURCE
from tallow.runtime.operations import to_series

if TYPE_CHECKING:
    from tallow.data.store.backend import LogPoint
    from tallow.data.store.store import Store


class LiveStore:
    """The store as a live engine sees it.

    Attributes
    ----------
    point
        The point of the store that the engine has seen.
    interest
        Whether candles of the store have open interest.
    """

    def __init__(self, store: Store, history: History) -> None:
        self.store = store
        self._history = history
        self.point = store.point()
        self.interest = store.has_interest()

    def restart(self, point: LogPoint) -> None:
        """Start again where history was removed: nothing of before is used any more."""
        self.interest = self.store.has_interest()
        epoch = point.epoch
        if epoch == self.point.epoch:
            # An older copy was restored: snapshots of its epoch may be of rows that are gone.
            epoch = f"{epoch} {uuid.uuid4().hex}"
        self._history.epoch = epoch
        self.point = point

    def is_rewritten(self, now: LogPoint) -> bool:
        """Say whether the store is not what was seen, with more added."""
        return not is_continuation(self.store, self.point, now)

    def past(self, name: str, keep: int, received: int | None = None) -> Past:
        """Return the past of an instrument that is new to the engine, as of a receipt."""
        if received == 0:
            return self._history.empty_past()
        return self._history.past(name, keep, received or self.point.received)

    def past_from(self, name: str, keep: int, moment: int) -> Past:
        """Return an instrument's past from a moment on, with at least `keep` candles."""
        past = self.past(name, keep)
        if not len(past.rows) or past.rows[0, TIME] <= moment:
            return past
        return self.past_before(name, moment)

    @property
    def unknown(self) -> set[str]:
        """Instruments whose stored candles all have times that the calendar does not know."""
        return self._history.unknown

    def past_before(self, name: str, moment: int) -> Past:
        """Return an instrument's past that begins before a moment."""
        known_until = self.point.received
        boundary, states = self._history.states_before(name, moment, known_until)
        return Past(states, self._history.rows(name, boundary, known_until))

    def versions(self, name: str, received: int, whole: bool) -> tuple[Past, Past] | None:
        """Return an instrument's past as it is now, and as it was at a receipt.

        Both begin before the first difference; None if there is none, and the state is `whole`.
        """
        until = self.point.received
        earliest = self._history.changed_since(name, received, until)
        if earliest is None and whole:
            return None
        moment = END_OF_TIME if earliest is None else earliest
        boundary, states = self._history.states_before(name, moment, until)
        new = Past(states, self._history.rows(name, boundary, until))
        if not received:
            return new, self._history.empty_past()
        return new, Past(states, self._history.rows(name, boundary, received))

    def names(self, received: int | None = None, of: Sequence[str] | None = None) -> set[str]:
        """Return the instruments that had candles by a receipt, or ever; reads all their keys."""
        return set(self.store.changed_since(0, of, as_of=received))

    def rejoined(self, changed: Collection[str], until: int) -> set[str]:
        """Return the instruments whose history changed through another key."""
        return self._history.rejoined(changed, self.point.received, until)

    def successors(self) -> dict[str, set[str]]:
        """Return by key the instruments whose history begins with that of the key."""
        return self._history.joined(self.point.received).successors()

    def changes(self, until: int) -> dict[str, Floats]:
        """Return, per instrument, the rows that changed since the engine's point up to a receipt.

        ``[rows, fields]`` in ascending time; a deleted candle has no prices.
        """
        since = self.point.received
        earliest = self.store.changed_since(since, as_of=until)
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
        newest = log.filter(received > since)
        rows = newest.unique(key, keep="last", maintain_order=True).sort(key)
        if rows.is_empty():
            return {}
        self.interest |= rows[OPEN_INTEREST].is_not_null().any()
        names, offsets = instrument_runs(rows)
        parts = zip(names, np.split(candle_rows(rows), offsets[1:-1]), strict=True)
        return {name: part[self._history.has_known_times(name, part)] for name, part in parts}


def is_continuation(store: Store, seen: LogPoint, now: LogPoint) -> bool:
    """Say whether a store is one that was seen before, with nothing or more added.

    Receipts are never used twice: a store with the newest one seen has all before it.
    """
    if now.epoch != seen.epoch or now.received < seen.received:
        return False
    return now.received == seen.received or not seen.received or store.has_received(seen.received)


def as_candles(names: pl.Series, ranks: Ints, rows: Floats) -> Candles:
    """Return rows ``[rows, fields]`` that keep every rule as candles.

    Parameters
    ----------
    names, ranks
        Each row's instrument, and its place among the sorted names. The rows of one instrument are
        in ascending time.
    """
    order = np.argsort(ranks, kind="stable")
    rows = rows[order]
    columns = [names[order.astype(np.uint32)].alias("instrument")]
    columns.append(pl.Series("timestamp", rows[:, TIME].astype(np.int64)).cast(TIME_TYPE))
    wanted = [*list(CANDLE_SCHEMA)[2:], OPEN_INTEREST]
    columns += [to_series(name, rows[:, k].copy()) for k, name in enumerate(wanted, start=1)]
    frame = pl.DataFrame(columns)
    return Candles.of(frame, instrument_runs(frame), SOURCE)
