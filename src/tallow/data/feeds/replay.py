"""A replay: candles of the past, minute by minute, as fast as asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Unpack, cast

import numpy as np
import polars as pl

from tallow.core.errors import FeedError, ParameterError, StoreError, excerpt
from tallow.core.given import file_path
from tallow.core.limits import FEED_REPLAY_IDLE_SECONDS
from tallow.core.renamed import renamed
from tallow.core.time import MICROSECOND, MINUTE_US, SECOND_US, from_us, now_us, to_us
from tallow.data.feeds.feed import FeedBatch, FeedEnded, MeteredFeed
from tallow.data.feeds.quarantined import PendingQuarantine
from tallow.data.kernels.rows import TIME_MAX_US, TIME_MIN_US
from tallow.data.reading.assumptions import read_in_words
from tallow.data.reading.options import ReadKeywords
from tallow.data.reading.quarantine import empty_quarantine
from tallow.data.reading.readers import read_candles
from tallow.data.reading.schema import OPEN_INTEREST
from tallow.data.reading.session_rows import CalendarName
from tallow.data.store.commits import has_log
from tallow.data.store.store import Store, open_store

_DAY = timedelta(days=1)
_WORDS = {'pass source_timeframe="[^"]*"': "leave it out: a replay has candles of a minute"}


@dataclass(frozen=True)
class ReplayPosition:
    """What of a replay was taken: up to which minute, how many candles, and a digest of them.

    `until` is in microseconds since 1970 UTC; None before the first candle.
    """

    until: int | None = None
    rows: int = 0
    digest: int = 0

    @classmethod
    def of(cls, position: object) -> ReplayPosition | None:
        """Return what a saved position says; None where it is not one of a replay."""
        names = [field.name for field in fields(cls)]
        if not isinstance(position, dict) or sorted(position) != sorted(names):
            return None
        until, rows, digest = (position[name] for name in names)
        whole = all(type(each) is int and 0 <= each < 2**64 for each in (rows, digest))
        is_moment = until is None or (type(until) is int and TIME_MIN_US <= until <= TIME_MAX_US)
        return cls(until, rows, digest) if whole and is_moment else None

    def after(self, frame: pl.DataFrame) -> ReplayPosition:
        """Return this with more candles, in whatever parts they come."""
        until = pl.Series(frame["timestamp"]).dt.epoch("us").max()
        digest = int(frame.hash_rows().to_numpy().sum(dtype=np.uint64))
        return ReplayPosition(
            cast("int", until), self.rows + len(frame), (self.digest + digest) % 2**64
        )


class ReplayFeed(MeteredFeed):
    """Candles from a store, files or a frame, in the order of time.

    All candles of a minute come in one batch, as if received at the minute's end.

    Parameters
    ----------
    source
        An open `Store`, or where one is: a folder or a URL; else what `read_candles` takes.
    speed
        How much faster than time: 60 gives a minute each second. None: as fast as it is read. A
        long pause without candles, as a night, is waited through only in part.
    start, end
        Candles with ``start <= timestamp < end`` only; aware datetimes.
    clock, sleep
        In seconds, as `time.monotonic` and `time.sleep`.
    calendar
        Whose zone files' and frames' times may have, as in `read_candles`.
    reading
        Of files and frames whose rows do not say it, by name as in `read_candles`: `timezone`,
        `instrument_key` and the others. A store's candles have it all.

    Attributes
    ----------
    ignored_columns
        Columns of files and frames that no field was read from.
    repeated
        Rows of files and frames that say again what another row says; they are not replayed.

    Raises
    ------
    ParameterError
        If `speed` is not above 0, or a store's zone or instrument is given.
    TallowError
        If the source cannot be read.

    Notes
    -----
    A store is read a day at a time; files and frames are whole in memory.
    """

    @renamed(instrument="instrument_key")
    def __init__(
        self,
        source: Any,
        *,
        speed: float | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
        calendar: CalendarName = "XNSE",
        **reading: Unpack[ReadKeywords],
    ) -> None:
        if speed is not None and not speed > 0:
            raise ParameterError(f"feed: speed={speed}; must be above 0, or None for no waiting")
        self._speed, self._clock, self._sleep = speed, clock, sleep
        name = f"replay: {source}" if isinstance(source, str | Path) else "replay"
        super().__init__(name, now_us)
        self.ignored_columns: tuple[str, ...] = ()
        self.repeated = 0
        self._quarantine = empty_quarantine()
        is_place = isinstance(source, str | Path) and ("://" in str(source) or _is_folder(source))
        self._opened: Store | None = open_store(source) if is_place else None
        store = self._opened or source
        self._days: Callable[[], Iterator[pl.DataFrame]]
        if isinstance(store, Store):
            _require_unsaid(self._opened, reading)
            self._days = partial(_days_of, store, start, end)
        else:
            minutes = partial(read_candles, source_timeframe="1m", calendar=calendar, **reading)
            read = read_in_words(_WORDS, minutes, source)
            for record, rule in read.quarantine.select("record", "rule").iter_rows():
                self._meter.reject(record, rule)
            self._quarantine = read.quarantine
            self.ignored_columns = read.report.ignored_columns
            self.repeated = read.report.repeated
            whole = _within(read.frame, start, end)
            self._days = lambda: iter([whole])
        self._replayed = ReplayPosition()
        self._minutes = _minutes_of(self._days())
        self._next = next(self._minutes, None)
        self._due = self._clock()
        self._meter.note(connected=True)

    def hold_quarantined(self) -> None:
        """Keep the rows that were quarantined in reading until `quarantined` gives them, once."""
        self._meter.pending = PendingQuarantine("replay")
        self._meter.pending.add_rows(self._quarantine)

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
            idle = (_open_of(self._next) + MINUTE_US - received_at) / SECOND_US
            self._due += min(idle, FEED_REPLAY_IDLE_SECONDS) / self._speed
        self._meter.add(messages=1, batches=1, rows=len(frame))
        return FeedBatch("candles", frame, received_at)

    def acknowledge(self, batch: FeedBatch) -> None:
        """Remember that a minute was taken."""
        if batch.kind == "candles":
            self._replayed = self._replayed.after(batch.frame)

    def position(self) -> dict[str, Any] | None:
        """Return how far the replay was taken, with a digest of what was."""
        return asdict(self._replayed)

    def go_on(self, position: dict[str, Any]) -> str | None:
        """Go on after what was replayed before, if it is the same; else start again.

        Reads all of it again, to compare it.
        """
        before = ReplayPosition.of(position)
        if before is None:
            return (
                f"{self._name}: the state does not say how far this replay was taken, as after "
                "another feed; it begins with the first candle"
            )
        if before.until is None:
            return None
        end = from_us(before.until)
        seen = ReplayPosition()
        for day in self._days():
            part = day.filter(pl.col("timestamp") <= end)
            seen = seen.after(part) if len(part) else seen
        if seen != before:
            self._minutes = _minutes_of(self._days())
            self._next = next(self._minutes, None)
            return (
                f"{self._name}: candles up to {end.isoformat()} are not those that were replayed "
                "before; it begins again with the first one"
            )
        self._replayed = seen
        self._minutes = _minutes_of(d.filter(pl.col("timestamp") > end) for d in self._days())
        self._next = next(self._minutes, None)
        # What was quarantined in reading is in the store since the first time.
        self._quarantine, self.repeated = self._quarantine.clear(), 0
        if self._meter.pending is not None:
            self._meter.pending.take()
        self._meter.note(quarantined=0, rejections=())
        if self._next is None:
            return (
                f"{self._name}: was replayed to its end, {end.isoformat()}, and has nothing new; "
                "to play it again, give another state, or none"
            )
        return f"{self._name}: goes on after {end.isoformat()}"

    def close(self) -> None:
        """End the replay; a store that the feed opened is closed."""
        self._next = None
        self._minutes = iter(())
        self._meter.note(connected=False)
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _require_unsaid(opened: Store | None, reading: ReadKeywords) -> None:
    for name, value in reading.items():
        if value not in (None, False) and (name, value) != ("stamped", "open"):
            if opened is not None:
                opened.close()
            raise ParameterError(
                f"feed: {name}={excerpt(value)}; a store's candles have it already; leave it out"
            )


def _is_folder(source: str | Path) -> bool:
    folder = file_path("feed: replay", source, FeedError)
    if folder.is_dir() and not has_log(folder):
        raise StoreError(
            f"feed: replay: {source}: is a folder without a store; name files in it, such as "
            f"{Path(source) / '*.csv'}, or a store"
        )
    return folder.is_dir()


def _days_of(store: Store, start: datetime | None, end: datetime | None) -> Iterator[pl.DataFrame]:
    """Yield a store's one-minute candles day by day, in UTC; days without any are empty."""
    series = store.series().filter(timeframe="1m", adjustment="raw")
    if series.is_empty():
        return
    first, last = cast("datetime", series["first"].min()), cast("datetime", series["last"].max())
    day = max(first, start or first).astimezone(UTC)
    stop = min(last + MICROSECOND, end or datetime.max.replace(tzinfo=UTC))
    while day < stop:
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY
        until = min(midnight, stop)
        frame = store.read(start=to_us(day), end=to_us(until))
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
    return to_us(cast("datetime", frame["timestamp"][0]))
