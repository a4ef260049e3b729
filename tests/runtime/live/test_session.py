"""Goal: a session gives each batch to the engine once, and acknowledges it when it is durable and
not before; whatever goes wrong is counted with its reason, and ends nothing.

Method: a feed that plays a list of batches and, at each acknowledgement, looks into the store from
outside; a store that fails when told to; a clock that the test moves. A replay's rows, put together
as a reader would, are compared with the batch run of the same candles.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine, Store, open_store
from tallow.core.errors import StateError, StoreError
from tallow.core.time import to_us
from tallow.data.feeds.feed import Feed, FeedBatch, FeedEnded
from tallow.data.feeds.health import FeedHealth
from tallow.data.feeds.replay import ReplayFeed
from tallow.runtime.live import session as module
from tallow.runtime.live.session import LiveSession
from tallow.runtime.live.updates import LiveUpdate
from tests.frames import MINUTE, assert_same_frame, candles, market, minutes, moment

OPEN = "2025-06-02T09:15+05:30"
KEY = ["instrument", "timestamp"]
ROWS = candles("A", minutes(OPEN, 12))


class Script(Feed):
    """Plays batches, None for a wait; `later` are there only once the feed was closed.

    `seen` holds, for each acknowledgement, what a reader of the store finds at that moment.
    """

    def __init__(
        self,
        batches: Iterable[FeedBatch | None],
        later: Iterable[FeedBatch] = (),
        store: Store | None = None,
    ) -> None:
        self._batches, self._later, self._store = deque(batches), deque(later), store
        self.acknowledged: list[FeedBatch] = []
        self.seen: list[int] = []
        self.closed = False

    @property
    def health(self) -> FeedHealth:
        return FeedHealth(connected=not self.closed)

    def receive(self, timeout: float) -> FeedBatch | None:
        queue = self._batches or (self._later if self.closed else None)
        if not queue:
            raise FeedEnded
        return queue.popleft()

    def acknowledge(self, batch: FeedBatch) -> None:
        self.acknowledged.append(batch)
        if self._store is not None:
            self.seen.append(len(self._store.read()))

    def close(self) -> None:
        self.closed = True


def batch(frame: pl.DataFrame, received: datetime | None = None) -> FeedBatch:
    """Return candles as if received when the last one was complete, or then."""
    last = max(frame["timestamp"]) + MINUTE if received is None else received
    return FeedBatch("candles", frame, to_us(last))


def one_by_one(frame: pl.DataFrame) -> list[FeedBatch]:
    return [batch(frame[k : k + 1]) for k in range(len(frame))]


def drive(session: LiveSession, steps: int) -> list[LiveUpdate]:
    return [update for _ in range(steps) for update in session.step(0.0)]


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


def test_what_a_replay_gives_out_is_the_batch_run() -> None:
    frame = pl.concat(
        [
            market(["A", "B"], "2025-06-02T15:00+05:30", rows=30),
            market(["A", "B", "C"], "2025-06-04T09:15+05:30", rows=47, seed=8),
        ]
    ).sort(KEY)
    kept: dict[Any, dict[str, Any]] = {}
    revisions = []

    def keep(updates: list[LiveUpdate]) -> None:
        for update in updates:
            revisions.append(update.revision)
            kept.update({(r["instrument"], r["timestamp"]): r for r in update.frame.to_dicts()})

    statistics = LiveSession(LiveEngine("5m", "ema(2), vwap"), ReplayFeed(frame)).run(on_step=keep)
    end = max(frame["timestamp"]) + MINUTE
    expected = AnalyticsEngine().process_candles(frame, "5m", "ema(2), vwap", final_at=end).frame
    given = pl.DataFrame(list(kept.values()), schema_overrides={"candles": pl.UInt32})
    given = given.cast({"timestamp": expected.schema["timestamp"]}).sort(KEY)
    assert_same_frame(given.select(expected.columns), expected)
    assert (statistics.rows_in, statistics.appended) == (len(frame), len(frame))
    assert revisions == sorted(set(revisions))
    assert statistics.now == to_us(end)


def test_a_batch_is_in_the_store_before_it_is_acknowledged(store: Store) -> None:
    feed = Script(one_by_one(ROWS), store=store)
    statistics = LiveSession(LiveEngine("5m", "", store=store), feed, store=store).run()
    assert feed.seen == list(range(1, len(ROWS) + 1))
    assert (statistics.batches, feed.closed) == (len(ROWS), True)
    assert store.read().select(ROWS.columns).equals(ROWS)


def test_while_the_store_fails_a_batch_waits_and_is_neither_lost_nor_acknowledged(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Script(one_by_one(ROWS[:3]), store=store)
    session = LiveSession(LiveEngine("5m", "", store=store), feed, store=store)
    drive(session, 1)
    with monkeypatch.context() as broken:
        broken.setattr(store, "append", fails)
        drive(session, 3)
        assert len(feed.acknowledged) == 1
        assert session.statistics.error == "store: no room"
        assert session.statistics.rows_in == 1
    drive(session, 2)
    assert feed.seen == [1, 2, 3]
    after = session.statistics
    assert (after.error, after.appended, after.repeated) == (None, 3, 0)


def test_a_store_that_fails_after_a_write_has_the_batch_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Script(one_by_one(ROWS[:2]), store=store)
    session = LiveSession(LiveEngine("5m", "", store=store), feed, store=store)
    monkeypatch.setattr(store, "point", fails)
    drive(session, 2)
    assert (feed.seen, session.statistics.repeated) == ([1, 2], 0)


def fails(*_arguments: Any, **_options: Any) -> None:
    raise StoreError("store: no room")


def test_a_session_that_cannot_write_in_the_end_says_so(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = Script([], later=one_by_one(ROWS[:1]), store=store)
    session = LiveSession(LiveEngine("5m", "", store=store), feed)
    monkeypatch.setattr(store, "append", fails)
    with pytest.raises(StoreError, match="no room"):
        session.run()
    assert (feed.acknowledged, feed.closed) == ([], True)


def test_what_had_come_is_taken_when_the_session_is_stopped() -> None:
    first, *rest = one_by_one(ROWS)
    feed = Script([first], later=rest)
    stop = Event()
    session = LiveSession(LiveEngine("5m", ""), feed)
    statistics = session.run(stop, lambda _updates: stop.set())
    assert statistics.appended == len(feed.acknowledged) == len(ROWS)


def test_bad_batches_and_bad_rows_are_counted_with_their_reasons() -> None:
    no_candles = FeedBatch("candles", pl.DataFrame({"symbol": ["A", "B"]}), 0)
    bad_row = ROWS[1:3].with_columns(high=pl.Series([0.0, 1e9]))
    uncovered = candles("A", [moment("2035-06-01T10:00+05:30")])
    feed = Script([batch(ROWS[:1]), no_candles, batch(bad_row), batch(uncovered), batch(ROWS[3:])])
    statistics = LiveSession(LiveEngine("5m", ""), feed).run()
    assert len(feed.acknowledged) == 5
    assert (statistics.rows_in, statistics.appended, statistics.refused) == (15, 11, 4)
    reasons = dict(statistics.by_reason)
    assert (reasons.pop("high_below_low"), reasons.pop("not_covered")) == (1, 1)
    assert reasons == {"not_understood": 2}
    assert "timestamp" in statistics.refusals[0].reason
    refused = [(each.instrument, each.timestamp) for each in statistics.refusals]
    assert refused == [
        (None, None),
        ("A", ROWS["timestamp"][1]),
        ("A", uncovered["timestamp"][0]),
    ]


def test_candles_of_before_any_clock_of_ticks_are_replayed() -> None:
    old = candles("A", minutes("1985-07-15T09:30-04:00", 3))
    engine = LiveEngine("1m", "", calendar="XNYS", beyond_coverage="weekdays")
    statistics = LiveSession(engine, ReplayFeed(old)).run()
    assert (statistics.appended, statistics.quarantined) == (3, 0)
    assert len(engine.latest("1m")) == 1


def test_instruments_that_were_not_asked_for_are_left_out() -> None:
    both = pl.concat([ROWS, candles("B", minutes(OPEN, 5))])
    engine = LiveEngine("5m", "")
    statistics = LiveSession(engine, ReplayFeed(both), instruments=["A"]).run()
    assert (statistics.rows_in, statistics.left_out, engine.names) == (12, 5, ["A"])


def test_the_clock_makes_a_bar_final_when_nothing_comes() -> None:
    now = moment("2025-06-02T09:19+05:30")
    feed = Script([batch(ROWS[:4], received=now), None, None])
    engine = LiveEngine("5m", "", grace=2.0)
    session = LiveSession(engine, feed, clock=lambda: to_us(now))
    given = []
    for seconds in (0, 61, 62):
        now = moment("2025-06-02T09:19+05:30") + timedelta(seconds=seconds)
        frames = [update.frame for update in session.step(0.0)]
        given.append([final for frame in frames for final in frame["is_final"]])
    assert given == [[False], [], [True]]
    assert session.statistics.lag_seconds == 62.0
    assert session.statistics.lagging == (("A", 62.0),)


def one_tick() -> FeedBatch:
    """Return a tick of the session's first instant."""
    opens = moment(OPEN)
    ticks = pl.DataFrame(
        {"instrument": ["A"], "timestamp": [opens], "price": [100.0], "quantity": [5.0]}
    )
    return FeedBatch("ticks", ticks, to_us(opens))


def test_ticks_are_acknowledged_when_their_minute_is_durable(store: Store) -> None:
    now = moment(OPEN)
    feed = Script([one_tick(), *[None] * 4], store=store)
    engine = LiveEngine("5m", "", store=store)
    session = LiveSession(engine, feed, store=store, clock=lambda: to_us(now))
    for seconds in (0, 30, 61, 200):
        now = moment(OPEN) + timedelta(seconds=seconds)
        session.step(0.0)
        assert len(feed.acknowledged) == (seconds == 200)
    assert feed.seen == [1]


def test_a_minute_that_still_runs_is_in_the_store_when_the_session_ends(store: Store) -> None:
    feed = Script([one_tick()], store=store)
    engine = LiveEngine("5m", "", store=store)
    LiveSession(engine, feed, store=store, clock=lambda: to_us(moment(OPEN))).run()
    assert store.read().select("open", "close", "volume").rows() == [(100.0, 100.0, 5.0)]
    # It was not closed: a feed that can give its ticks again gives them to the next session.
    assert feed.acknowledged == []
    later = one_tick().frame.with_columns(pl.col("timestamp") + timedelta(seconds=9), price=101.0)
    engine.update_ticks(later)
    engine.advance(to_us(moment(OPEN) + timedelta(minutes=2)))
    assert store.read().select("open", "close", "volume").rows() == [(100.0, 101.0, 10.0)]


def test_a_minute_of_ticks_that_cannot_be_written_is_written_later(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = moment(OPEN)
    feed = Script([one_tick(), *[None] * 4], store=store)
    engine = LiveEngine("5m", "", store=store)
    session = LiveSession(engine, feed, clock=lambda: to_us(now))
    session.step(0.0)
    with monkeypatch.context() as broken:
        broken.setattr(store, "append", fails)
        for seconds in (70, 300):
            now = moment(OPEN) + timedelta(seconds=seconds)
            session.step(0.0)
            assert session.statistics.error == "store: no room"
            assert feed.acknowledged == []
    now = moment(OPEN) + timedelta(seconds=400)
    session.step(0.0)
    after = session.statistics
    assert (feed.seen, after.error) == ([1], None)


def test_late_and_changed_candles_are_named_with_the_bars_that_they_changed() -> None:
    late = ROWS[3:4]
    changed = ROWS[0:1].with_columns(volume=pl.lit(1.0))
    repeated = ROWS[5:6]
    others = pl.concat([ROWS[:3], ROWS[4:]])
    batches = [*one_by_one(others), batch(late), batch(changed), batch(repeated)]
    # The session's first bar, and the day's; the minute 09:18 is in them, too.
    session = LiveSession(LiveEngine(["5m", "1d"], ""), Script(batches))
    statistics = session.run()
    assert (statistics.late, statistics.revised, statistics.repeated) == (1, 1, 1)
    assert [(each.timestamp, each.bars) for each in statistics.corrections] == [
        (ROWS["timestamp"][3], 2),
        (ROWS["timestamp"][0], 2),
    ]


def test_every_row_of_a_replay_is_counted() -> None:
    bad = ROWS[4:5].with_columns(timestamp=pl.col("timestamp") + timedelta(hours=1), volume=-1.0)
    feed = ReplayFeed(pl.concat([ROWS, ROWS[7:8], bad]))
    statistics = LiveSession(LiveEngine("5m", ""), feed).run()
    went = (statistics.appended, statistics.repeated, statistics.quarantined)
    assert (statistics.rows_in, *went) == (14, 12, 1, 1)


def test_what_others_write_to_the_store_is_taken(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIVE_CATCH_UP_SECONDS", 0.0)
    engine = LiveEngine("5m", "", store=store)
    feed = Script([batch(ROWS[:2]), None, None])
    session = LiveSession(engine, feed, store=store, clock=lambda: 0)
    drive(session, 1)
    with open_store(tmp_path / "store") as other:
        other.write(ROWS[2:4], source_timeframe="1m")
    with monkeypatch.context() as broken:
        broken.setattr(store, "point", fails)
        assert drive(session, 1) == []
        assert session.statistics.error == "store: no room"
    (update,) = drive(session, 1)
    assert update.frame["candles"].to_list() == [4]
    statistics = session.statistics
    assert (statistics.rows_in, statistics.from_store) == (2, 2)


def test_the_state_is_saved_in_between_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "live.state"
    engine = LiveEngine("5m", "ema(2)")
    session = LiveSession(engine, ReplayFeed(ROWS), state=state)
    drive(session, 1)
    assert not state.exists()
    monkeypatch.setattr(module, "LIVE_SAVE_SECONDS", 0.0)
    drive(session, 1)
    assert LiveEngine.load(state, "5m", "ema(2)").latest()["candles"].to_list() == [2]
    statistics = session.run()
    assert statistics.saved_at is not None
    resumed = LiveEngine.load(state, "5m", "ema(2)")
    assert_same_frame(resumed.latest(), engine.latest())


def test_a_state_that_cannot_be_saved_ends_the_session_only_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LIVE_SAVE_SECONDS", 0.0)
    nowhere = tmp_path / "missing" / "live.state"
    session = LiveSession(LiveEngine("5m", ""), ReplayFeed(ROWS), state=nowhere)
    drive(session, 12)
    assert session.statistics.rows_in == 12
    assert "missing" in str(session.statistics.error)
    with pytest.raises(StateError, match="missing"):
        session.run()
