"""A live engine's store: what the engine writes, what others wrote, and what was before."""

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
from tallow.runtime.live.core import Past
from tallow.runtime.live.history import History
from tallow.runtime.live.lane import SOURCE
from tallow.runtime.live.memory import TIME, candle_rows
from tallow.runtime.operations import to_series

if TYPE_CHECKING:
    from tallow.data.store.backend import LogPoint
    from tallow.data.store.store import Store


class LiveStore:
    """The store as a live engine sees it.

    Attributes
    ----------
    point
        The state of the store that the engine has seen.
    interest
        Whether candles of the store have open interest.
    """

    def __init__(self, store: Store, history: History) -> None:
        self.store = store
        self._history = history
        self.point = store.point()
        self.interest = store.has_interest()

    def begin(self, point: LogPoint) -> None:
        """Begin anew where history was taken away: nothing of before is used any more."""
        self.interest = self.store.has_interest()
        epoch = point.epoch
        if epoch == self.point.epoch:
            # A copy of before was put back: what is kept under its epoch may be of what is gone.
            epoch = f"{epoch} {uuid.uuid4().hex}"
        self._history.epoch = epoch
        self.point = point

    def is_rewritten(self, now: LogPoint) -> bool:
        """Say whether a state of the store is another one than what was seen with more added."""
        return not goes_on(self.store, self.point, now)

    def past(self, name: str, keep: int, received: int | None = None) -> Past:
        """Return what is known of an instrument that the engine meets first; as of a receipt."""
        if received == 0:
            return self._history.nothing()
        return self._history.past(name, keep, received or self.point.received)

    def past_from(self, name: str, keep: int, moment: int) -> Past:
        """Return an instrument's past from a moment on, of `keep` candles at least."""
        past = self.past(name, keep)
        if not len(past.rows) or past.rows[0, TIME] <= moment:
            return past
        return self.older(name, moment)

    @property
    def unknown(self) -> set[str]:
        """Instruments that had stored candles, and not one of a time that the calendar knows."""
        return self._history.unknown

    def older(self, name: str, moment: int) -> Past:
        """Return an instrument's past from before a moment on."""
        known_until = self.point.received
        boundary, states = self._history.before(name, moment, known_until)
        return Past(states, self._history.rows(name, boundary, known_until))

    def versions(self, name: str, received: int, whole: bool) -> tuple[Past, Past] | None:
        """Return an instrument's past as it is now, and as it was at a receipt.

        From before all in which they differ; None where they do not, if the state is `whole`.
        """
        until = self.point.received
        earliest = self._history.changed_since(name, received, until)
        if earliest is None and whole:
            return None
        moment = END_OF_TIME if earliest is None else earliest
        boundary, states = self._history.before(name, moment, until)
        new = Past(states, self._history.rows(name, boundary, until))
        if not received:
            return new, self._history.nothing()
        return new, Past(states, self._history.rows(name, boundary, received))

    def names(self, received: int | None = None, of: Sequence[str] | None = None) -> set[str]:
        """Return those instruments, of some or all, that had candles by a receipt, or ever.

        Reads all their keys.
        """
        return set(self.store.changed_since(0, of, as_of=received))

    def rejoined(self, changed: Collection[str], until: int) -> set[str]:
        """Return the instruments whose history others changed by what lies under another key."""
        return self._history.rejoined(changed, self.point.received, until)

    def successors(self) -> dict[str, set[str]]:
        """Return by key the instruments whose history is that of the key, before their own."""
        return self._history.joined(self.point.received).successors()

    def changed(self, until: int) -> dict[str, Floats]:
        """Return, per instrument, what was changed since the engine's point, up to a receipt.

        As ``[rows, fields]`` in ascending time; one that was deleted has no prices.
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
        return {name: part[self._history.is_right(name, part)] for name, part in parts}


def goes_on(store: Store, seen: LogPoint, now: LogPoint) -> bool:
    """Say whether a store, as it is now, is one that was seen before with more added or nothing.

    Receipts are never used twice: who has the newest that was seen, has all before it.
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
