"""Goal: a replay gives every candle once, minute by minute, at the asked-for speed.

Method: candles with holes, a night and several instruments go into a file, a frame and a store, and
come back through the feed; time is a number that the test itself moves.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow.core.errors import ParameterError, StoreError
from tallow.core.time import to_us
from tallow.data.feeds.feed import FeedBatch, FeedEnded
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.store.store import open_store
from tests.data.feeds.conftest import keyed
from tests.frames import candles, market, minutes, moment

TRUTH = pl.concat(
    [
        market(["A", "B", "C"], "2025-06-02T15:00+05:30", rows=30),
        market(["A", "B"], "2025-06-04T09:15+05:30", rows=30, seed=8),
    ]
).sort("instrument", "timestamp")


class Time:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def play(feed: ReplayFeed, timeout: float = 0.0) -> Iterator[FeedBatch | None]:
    """Yield what a feed gives, up to its end."""
    with feed:
        while True:
            try:
                yield feed.receive(timeout)
            except FeedEnded:
                return


def in_file(folder: Path) -> Path:
    TRUTH.write_parquet(folder / "candles.parquet")
    return folder / "candles.parquet"


def in_store(folder: Path) -> Path:
    with open_store(folder, create=True) as store:
        store.write(TRUTH, source_timeframe="1m")
    return folder


@pytest.mark.parametrize("where", [in_file, in_store, lambda _: TRUTH, lambda _: TRUTH.to_arrow()])
def test_minute_by_minute_everything_once(where: Callable[[Path], Any], tmp_path: Path) -> None:
    feed = ReplayFeed(where(tmp_path))
    batches = [batch for batch in play(feed) if batch is not None]
    opens = [batch.frame["timestamp"].unique().to_list() for batch in batches]
    assert opens == [[time] for time in TRUTH["timestamp"].unique().sort()]
    assert all(batch.frame["instrument"].is_sorted() for batch in batches)
    together = pl.concat([batch.frame for batch in batches])
    assert keyed(together) == keyed(TRUTH)
    assert len(together) == len(TRUTH)
    closes = [to_us(times[0] + timedelta(minutes=1)) for times in opens]
    assert [batch.received_at for batch in batches] == closes
    assert (feed.health.rows, feed.health.batches) == (len(TRUTH), len(batches))
    assert not feed.health.connected


@pytest.mark.parametrize("where", [in_store, lambda _: TRUTH])
def test_a_part_of_it(where: Callable[[Path], Any], tmp_path: Path) -> None:
    start, end = moment("2025-06-02T15:10+05:30"), moment("2025-06-04T09:20+05:30")
    feed = ReplayFeed(where(tmp_path), start=start, end=end)
    together = pl.concat([batch.frame for batch in play(feed) if batch is not None])
    within = TRUTH.filter(pl.col("timestamp").is_between(start, end, closed="left"))
    assert keyed(together) == keyed(within)


def test_open_interest_is_kept_where_there_is_some(tmp_path: Path) -> None:
    held = TRUTH.with_columns(open_interest=pl.lit(7.0))
    with open_store(tmp_path, create=True) as store:
        store.write(held, source_timeframe="1m")
        batches = [batch for batch in play(ReplayFeed(store)) if batch is not None]
        # A store that was open before the feed is open after it.
        assert len(store.read()) == len(TRUTH)
    assert keyed(pl.concat([batch.frame for batch in batches])) == keyed(held)


def test_a_store_without_candles_is_over_at_once(tmp_path: Path) -> None:
    with open_store(tmp_path, create=True) as store:
        assert list(play(ReplayFeed(store))) == []


def test_at_sixty_times_the_speed_a_minute_is_a_second() -> None:
    time = Time()
    three = candles("A", [*minutes("2025-06-02T09:15+05:30", 2), moment("2025-06-02T09:19+05:30")])
    came = [
        (batch is not None, time.now)
        for batch in play(ReplayFeed(three, speed=60, clock=time, sleep=time.sleep), timeout=1.0)
    ]
    assert came == [(True, 100.0), (True, 101.0), (False, 102.0), (False, 103.0), (True, 104.0)]


def test_a_night_is_not_waited_through() -> None:
    time = Time()
    two = candles("A", [moment("2025-06-02T15:29+05:30"), moment("2025-06-03T09:15+05:30")])
    feed = ReplayFeed(two, speed=1, clock=time, sleep=time.sleep)
    assert len([batch for batch in play(feed, timeout=10_000.0) if batch]) == 2
    assert time.now == 100.0 + 300.0


def test_a_reader_who_is_slow_sees_how_late_he_is() -> None:
    time = Time()
    frame = candles("A", minutes("2025-06-02T09:15+05:30", 3))
    feed = ReplayFeed(frame, speed=60, clock=time, sleep=time.sleep)
    lags = []
    for _ in play(feed, timeout=5.0):
        lags.append(feed.health.lag_seconds)
        time.now += 3.0
    assert lags == [0.0, 2.0, 4.0]


def test_mistakes_are_told(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"^feed: speed=0; must be above 0, or None"):
        ReplayFeed(TRUTH, speed=0)
    with pytest.raises(StoreError):
        ReplayFeed(tmp_path)


def played_in_part(frame: pl.DataFrame, minutes_taken: int) -> dict[str, Any]:
    """Return the position of a replay of which so many minutes were acknowledged, one was not."""
    feed = ReplayFeed(frame)
    for _ in range(minutes_taken):
        batch = feed.receive(0.0)
        assert batch is not None
        feed.acknowledge(batch)
    with contextlib.suppress(FeedEnded):
        feed.receive(0.0)
    position = feed.position()
    assert position is not None
    read: dict[str, Any] = json.loads(json.dumps(position))
    return read


def rest_of(feed: ReplayFeed) -> pl.DataFrame:
    frames = []
    with contextlib.suppress(FeedEnded):
        while (batch := feed.receive(0.0)) is not None:
            frames.append(batch.frame)
    return pl.concat(frames) if frames else CANDLES.clear()


CANDLES = market(["A", "B"], rows=20)
TIMES = CANDLES["timestamp"].unique().sort()


def test_a_replay_goes_on_after_what_was_acknowledged(tmp_path: Path) -> None:
    position = played_in_part(CANDLES, 7)
    rest = CANDLES.filter(pl.col("timestamp") > TIMES[6]).sort("timestamp", "instrument")
    CANDLES.sort("timestamp").write_parquet(tmp_path / "day.parquet")
    with open_store(tmp_path / "store", create=True) as store:
        store.write(CANDLES, source_timeframe="1m")
        # The same candles, in whatever they lie.
        for source in (CANDLES, tmp_path / "day.parquet", store):
            feed = ReplayFeed(source)
            assert f"goes on after {TIMES[6].isoformat()}" in str(feed.go_on(position))
            assert rest_of(feed).sort("timestamp", "instrument").equals(rest)


def test_candles_that_came_since_are_played_and_a_replay_at_its_end_says_so() -> None:
    earlier = CANDLES.filter(pl.col("timestamp") <= TIMES[8])
    position = played_in_part(earlier, 9)
    again = ReplayFeed(earlier)
    assert "was replayed to its end" in str(again.go_on(position))
    assert len(rest_of(again)) == 0
    longer = ReplayFeed(CANDLES)
    longer.go_on(position)
    assert len(rest_of(longer)) == len(CANDLES) - len(earlier)


def test_what_is_not_the_same_as_before_is_told_and_played_from_the_start() -> None:
    position = played_in_part(CANDLES, 7)
    one = pl.int_range(pl.len()) == 3
    changed = CANDLES.with_columns(volume=pl.when(one).then(1.0).otherwise("volume"))
    for other in (changed, CANDLES.filter(~one), CANDLES.filter(pl.col("timestamp") > TIMES[6])):
        feed = ReplayFeed(other)
        assert "begins again" in str(feed.go_on(position))
        assert len(rest_of(feed)) == len(other)
