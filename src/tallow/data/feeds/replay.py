"""A replay: candles of the past, minute by minute, as fast as asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from tallow.core.errors import ParameterError
from tallow.core.limits import FEED_REPLAY_IDLE_SECONDS
from tallow.data.days import microseconds
from tallow.data.feeds.feed import Feed, FeedBatch, FeedEnded, now_us, quarantine_batch
from tallow.data.feeds.health import FeedHealth, Meter
from tallow.data.feeds.held import HeldRows
from tallow.data.quarantine import empty_quarantine
from tallow.data.readers import read_candles
from tallow.data.rules import MINUTE_US
from tallow.data.schema import OPEN_INTEREST
from tallow.data.store.store import Store, open_store

_DAY = timedelta(days=1)
_US = 1_000_000


class ReplayFeed(Feed):
    """Candles from a store, files or a frame, in the order of time.

    All candles of a minute come in one batch, as if received at the minute's end.

    Parameters
    ----------
    source
        An open `Store`, or where one is: a folder or a URL; else what `read_candles` takes.
    speed
        How much faster than time: 60 gives a minute each second. None: as fast as it is read. A
        long stretch without candles, as a night, is waited through only in part.
    start, end
        Candles with ``start <= timestamp < end`` only; aware datetimes.
    clock, sleep
        In seconds, as `time.monotonic` and `time.sleep`.

    Raises
    ------
    ParameterError
        If `speed` is not above 0.
    TallowError
        If the source cannot be read.

    Notes
    -----
    A store is read a day at a time; files and frames are held whole.
    """

    def __init__(
        self,
        source: Any,
        *,
        speed: float | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        if speed is not None and not speed > 0:
            raise ParameterError(f"feed: speed={speed}; must be above 0, or None for no waiting")
        self._speed, self._clock, self._sleep = speed, clock, sleep
        self._meter, self._aside = Meter(), empty_quarantine()
        is_place = isinstance(source, str | Path) and ("://" in str(source) or _is_folder(source))
        self._opened: Store | None = open_store(source) if is_place else None
        store = self._opened or source
        if isinstance(store, Store):
            days = _days_of(store, start, end)
        else:
            read = read_candles(source)
            for record, rule in read.quarantine.select("record", "rule").iter_rows():
                self._meter.reject(record, rule)
            self._aside = read.quarantine
            days = iter([_within(read.frame, start, end)])
        self._minutes = _minutes_of(days)
        self._next = next(self._minutes, None)
        self._due = self._clock()
        self._meter.note(connected=True)

    @property
    def health(self) -> FeedHealth:
        """The counts so far."""
        return self._meter.health

    def hold_quarantined(self) -> None:
        """Keep the rows that were set aside in reading until `quarantined` gives them."""
        self._meter.held = HeldRows("replay")
        self._meter.held.add_rows(self._aside)

    def quarantined(self) -> FeedBatch | None:
        """Return the rows that were set aside in reading; the second time nothing."""
        return quarantine_batch(self._meter, now_us())

    def receive(self, timeout: float) -> FeedBatch | None:
        """Return the next minute's candles, or None if they are not due within `timeout`."""
        frame = self._next
        if frame is None:
            self.close()
            raise FeedEnded
        if self._speed is not None:
            early = self._due - self._clock()
            if early > 0:
                self._sleep(min(early, timeout))
            if early > timeout:
                return None
            self._meter.note(lag_seconds=max(0.0, self._clock() - self._due))
        received_at = _open_of(frame) + MINUTE_US
        self._next = next(self._minutes, None)
        if self._next is not None and self._speed is not None:
            idle = (_open_of(self._next) + MINUTE_US - received_at) / _US
            self._due += min(idle, FEED_REPLAY_IDLE_SECONDS) / self._speed
        self._meter.add(messages=1, batches=1, rows=len(frame))
        return FeedBatch("candles", frame, received_at)

    def close(self) -> None:
        """End the replay; a store that the feed opened is closed."""
        self._next = None
        self._minutes = iter(())
        self._meter.note(connected=False)
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _is_folder(source: str | Path) -> bool:
    return Path(source).expanduser().is_dir()


def _days_of(store: Store, start: datetime | None, end: datetime | None) -> Iterator[pl.DataFrame]:
    """Yield a store's one-minute candles day by day, in UTC; days without any are empty."""
    series = store.series().filter(timeframe="1m", adjustment="raw")
    if series.is_empty():
        return
    first, last = cast("datetime", series["first"].min()), cast("datetime", series["last"].max())
    day = max(first, start or first).astimezone(UTC)
    stop = min(last + timedelta(microseconds=1), end or datetime.max.replace(tzinfo=UTC))
    while day < stop:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY
        until = min(midnight, stop)
        frame = store.read(start=microseconds(day), end=microseconds(until))
        empty = frame[OPEN_INTEREST].null_count() == len(frame)
        yield frame.drop(OPEN_INTEREST) if empty else frame
        day = until


def _within(frame: pl.DataFrame, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    if start is not None:
        frame = frame.filter(pl.col("timestamp") >= start)
    return frame if end is None else frame.filter(pl.col("timestamp") < end)


def _minutes_of(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Cut frames that follow each other in time into one per minute, sorted by instrument."""
    for frame in frames:
        ordered = frame.sort("timestamp", maintain_order=True)
        times = ordered["timestamp"].dt.epoch("us").to_numpy()
        bounds = [0, *(np.flatnonzero(np.diff(times)) + 1).tolist(), len(times)]
        for first, last in pairwise(bounds):
            if first < last:
                yield ordered[first:last]


def _open_of(frame: pl.DataFrame) -> int:
    return microseconds(cast("datetime", frame["timestamp"][0]))
