"""Goal: under whatever a server does to a connection, nothing is lost and nothing is made up.

Method: a real server in this process plays a script. The key tests draw the script by chance:
messages are dropped, repeated, put out of order, mixed with rubbish, and the connection is cut,
left and stalled; what came and what was filled in must be what the market did, candle by candle.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from threading import Event, Thread
from typing import Any

import polars as pl
import pytest

from tallow.core.errors import FeedError, ParameterError
from tallow.data.feeds import waiting
from tallow.data.feeds.feed import FeedBatch, FeedEnded
from tallow.data.feeds.waiting import Mailbox
from tallow.data.feeds.websocket import WebSocketFeed
from tests.data.feeds.conftest import (
    PATIENCE_SECONDS,
    keyed,
    message,
    read_batches,
    read_until,
    wait_until,
)
from tests.data.feeds.server import ScriptedServer, Trick
from tests.frames import candles, market, minutes, moment

NAMES = ("A", "B", "C", "D", "E")
START = "2025-06-02T09:15+05:30"
SEEDS = [*range(4), *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(4, 50))]
BEFORE = dict.fromkeys(NAMES, moment(START) - timedelta(minutes=1))
RUBBISH = ("{", "[1, null]", b"\xff", '{"type": "heartbeat"}', '{"symbol": "A", "o": "x", "ts": 0}')


class History:
    """A vendor's history: the truth, given on request, and not at every request."""

    def __init__(self, truth: pl.DataFrame, failures: int = 0) -> None:
        self._truth, self._failures = truth, failures
        self.asked: list[tuple[tuple[str, ...], datetime, datetime]] = []

    def __call__(self, names: list[str], start: datetime, end: datetime) -> pl.DataFrame:
        self.asked.append((tuple(names), start, end))
        if self._failures:
            self._failures -= 1
            raise OSError("busy")
        within = pl.col("timestamp").is_between(start, end, closed="left")
        return self._truth.filter(within & pl.col("instrument").is_in(names))


def one_candle(minute: int = 0, count: int = 1) -> list[str]:
    """Return messages of consecutive minutes of one instrument."""
    times = minutes(START, minute + count)[minute:]
    return [message(row) for row in candles("A", times).iter_rows(named=True)]


def opens(batches: Sequence[FeedBatch]) -> list[str]:
    times = pl.concat([batch.frame["timestamp"] for batch in batches])
    return times.dt.convert_time_zone("Asia/Kolkata").dt.strftime("%H:%M").to_list()


def hostile(
    messages: Sequence[str], draw: random.Random, swap: bool
) -> Iterator[str | bytes | Trick]:
    """Yield a script that sends most of the messages, some of them twice or late."""
    late: list[str] = []
    for text in messages:
        chance = draw.random()
        if chance < 0.05:
            continue
        if swap and chance < 0.10:
            late.append(text)
            continue
        yield text
        if chance < 0.15:
            yield text
        elif chance < 0.20:
            yield draw.choice(RUBBISH)
        elif chance < 0.23:
            yield draw.choice([Trick.CUT, Trick.LEAVE])
        elif chance < 0.235:
            yield Trick.STALL
        elif chance < 0.5:
            yield from late
            late = []
    yield from late


def with_forming(truth: pl.DataFrame) -> list[str]:
    """Return each candle twice, half done before it is done, numbered as they are sent."""
    numbers = dict.fromkeys(NAMES, 0)
    messages = []
    for row in truth.sort("timestamp").iter_rows(named=True):
        half = row | {"high": max(row["open"], row["close"]), "volume": row["volume"] / 2}
        for version in (half, row):
            numbers[row["instrument"]] += 1
            messages.append(message(version, sequence=numbers[row["instrument"]]))
    return messages


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("forming", [False, True])
def test_a_hostile_feed_loses_nothing_and_makes_nothing_up(seed: int, forming: bool) -> None:
    draw = random.Random(seed)
    truth = market(NAMES, rows=60, seed=seed)
    end = [message(row) for row in tail(truth).iter_rows(named=True)]
    if forming:
        # Versions of one candle are not put out of order: their times do not tell them apart.
        script = hostile(with_forming(truth), draw, swap=False)
    else:
        rows = truth.sort("timestamp").iter_rows(named=True)
        script = hostile([message(row) for row in rows], draw, swap=True)
    history = History(truth, failures=3)
    whole = pl.concat([truth, tail(truth)])
    seen: dict[Any, Any] = {}
    with (
        ScriptedServer([*script, Trick.CUT, *end]) as server,
        WebSocketFeed(server.url, backfill=history, known=BEFORE, stall_seconds=0.1) as feed,
    ):
        everything = keyed(whole)
        read_until(
            feed,
            lambda: seen == everything and not feed.health.gaps_open,
            lambda batch: seen.update(keyed(batch.frame)),
        )
        health = feed.health
    assert health.gaps > 0
    assert health.backfilled > 0
    assert health.reconnects > 0
    assert health.lag_seconds is not None


def tail(truth: pl.DataFrame) -> pl.DataFrame:
    """Return one more candle of each instrument: what is missing shows by what comes after it."""
    times = minutes(START, 70)[-1:]
    return pl.concat([candles(name, times, seed=len(truth)) for name in NAMES])


def test_one_gap_is_asked_for_once_and_for_all_instruments_together() -> None:
    times = minutes(START, 6)
    truth = pl.concat([candles(name, times) for name in NAMES]).sort("timestamp")
    sent = [message(row) for row in truth.iter_rows(named=True)]
    history = History(truth)
    with (
        ScriptedServer(
            [
                json.dumps([json.loads(m) for m in sent[:5]]),
                Trick.CUT,
                json.dumps([json.loads(m) for m in sent[20:25]]),
            ]
        ) as server,
        WebSocketFeed(server.url, backfill=history) as feed,
    ):
        batches = read_batches(feed, 3)
        health = feed.health
    assert history.asked == [(NAMES, times[0], times[4])]
    assert [batch.backfill for batch in batches] == [False, False, True]
    assert keyed(batches[2].frame) == keyed(truth[:20])
    assert (health.gaps, health.gaps_open, health.backfilled, health.rows) == (5, 0, 20, 30)


def test_gaps_wait_for_a_history_that_fails_and_are_one_when_it_answers() -> None:
    sent = one_candle(count=9)
    truth = candles("A", minutes(START, 9))
    history = History(truth, failures=2)
    with (
        ScriptedServer([sent[0], sent[3], sent[4], sent[8]]) as server,
        WebSocketFeed(server.url, backfill=history) as feed,
    ):
        found: list[FeedBatch] = []
        read_until(feed, lambda: feed.health.rows > 4 and not feed.health.gaps_open, found.append)
        error = feed.health.error
    filled = [batch.frame for batch in found if batch.backfill]
    assert error == "backfill: OSError: busy"
    assert keyed(pl.concat(filled)).keys() >= keyed(truth[:8]).keys() - keyed(truth[3:5]).keys()


def test_without_a_history_gaps_are_counted() -> None:
    sent = one_candle(count=4)
    with ScriptedServer([sent[0], sent[3]]) as server, WebSocketFeed(server.url) as feed:
        found: list[FeedBatch] = []
        read_until(feed, lambda: feed.health.rows == 2, found.append)
        assert (feed.health.gaps, feed.health.gaps_open) == (1, 0)


def test_silence_makes_a_new_connection() -> None:
    sent = one_candle(count=2)
    with (
        ScriptedServer([sent[0], Trick.STALL, sent[1]]) as server,
        WebSocketFeed(server.url, stall_seconds=0.1) as feed,
    ):
        assert opens(read_batches(feed, 2)) == ["09:15", "09:16"]
        assert feed.health.reconnects == 1
        assert feed.health.error == "no message for 0.1 s"


def test_each_connection_subscribes_and_carries_the_headers() -> None:
    sent = one_candle(count=2)
    wish = {"subscribe": ["A", "B"]}
    with (
        ScriptedServer([Trick.HEAR, sent[0], Trick.LEAVE, Trick.HEAR, sent[1]]) as server,
        WebSocketFeed(server.url, subscribe=wish, headers={"Authorization": "key"}) as feed,
    ):
        read_batches(feed, 2)
        assert [json.loads(text) for text in server.heard] == [wish, wish]
        assert [headers["Authorization"] for headers in server.headers] == ["key", "key"]


def test_a_reader_who_takes_his_time_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FEED_QUEUE_BYTES", 2_000)
    sent = one_candle(count=300)
    with ScriptedServer(sent) as server, WebSocketFeed(server.url) as feed:
        batches: list[FeedBatch] = []
        read_until(feed, lambda: feed.health.rows == 300, batches.append)
        assert feed.health.gaps == 0
    assert len(batches) > 20, "no batch holds more than the mailbox"
    assert pl.concat([batch.frame["timestamp"] for batch in batches]).is_sorted()


def test_a_server_that_is_not_there_is_waited_for() -> None:
    with ScriptedServer([]) as server:
        url = server.url
    with WebSocketFeed(url) as feed:
        wait_until(lambda: feed.health.error is not None)
        assert not feed.health.connected
        assert feed.receive(timeout=0) is None


def test_after_the_end_what_had_come_is_read_to_its_end() -> None:
    with ScriptedServer(one_candle(count=3)) as server:
        feed = WebSocketFeed(server.url)
        assert server.finished.wait(PATIENCE_SECONDS)
        wait_until(lambda: feed.health.messages == 3)
        feed.close()
    batch = feed.receive(timeout=0)
    assert batch is not None
    assert opens([batch]) == ["09:15", "09:16", "09:17"]
    with pytest.raises(FeedEnded):
        feed.receive(timeout=0)
    assert not feed.health.connected


def test_a_fault_of_our_own_reaches_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(WebSocketFeed, "_listen", broken)
    with (
        ScriptedServer([]) as server,
        WebSocketFeed(server.url) as feed,
        pytest.raises(ZeroDivisionError),
    ):
        feed.receive(timeout=PATIENCE_SECONDS)


def test_a_full_mailbox_makes_its_sender_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FEED_QUEUE_BYTES", 10)
    mailbox: Mailbox[str] = Mailbox()
    assert mailbox.put("longer than all the room", 25)
    done = Event()

    def send() -> None:
        mailbox.put("next", 5)
        done.set()

    sender = Thread(target=send)
    sender.start()
    assert not done.wait(0.05)
    assert mailbox.take(0, 10) == ["longer than all the room"]
    assert done.wait(PATIENCE_SECONDS)
    sender.join()
    mailbox.close()
    assert not mailbox.put("too late", 5)
    assert mailbox.take(0, 10) == ["next"]


def test_a_reader_takes_a_bounded_piece_of_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FEED_BATCH_BYTES", 10)
    mailbox: Mailbox[str] = Mailbox()
    for item in ("a", "b", "c", "d"):
        mailbox.put(item, 6)
    assert [mailbox.take(0, 10), mailbox.take(0, 1)] == [["a", "b"], ["c"]]


def test_mistakes_are_told() -> None:
    with pytest.raises(FeedError, match=r"^feed: http://localhost; must be such as ws://"):
        WebSocketFeed("http://me:secret@localhost?token=secret")
    with pytest.raises(ParameterError, match=r"^feed: stall_seconds=0; must be more than 0"):
        WebSocketFeed("ws://localhost", stall_seconds=0)
