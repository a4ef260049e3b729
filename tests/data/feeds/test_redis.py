"""Goal: an entry of a Redis stream is read at least once, whoever dies when.

Method: a real server, which is killed and started again; consumers that are let go of before they
acknowledge; what arrived must be what was added, and nothing may stay pending.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

import pytest

from tallow.core.errors import FeedError
from tallow.data.feeds import exchanges, streams
from tallow.data.feeds.feed import FeedBatch, FeedEnded
from tallow.data.feeds.streams import RedisFeed
from tests.data.feeds.conftest import (
    PATIENCE_SECONDS,
    RedisServer,
    keyed,
    message,
    read_batches,
    read_until,
    wait_until,
)
from tests.frames import candles, market, minutes

CANDLES = candles("A", minutes("2025-06-02T09:15+05:30", 8))
Open = Callable[..., RedisFeed]


@pytest.fixture
def add(redis_server: RedisServer) -> Iterator[Callable[..., None]]:
    """Return what adds candles to the stream, by their rows in `CANDLES`, as JSON."""
    with redis_server.client() as client:

        def add(first: int, last: int) -> None:
            for row in CANDLES[first:last].iter_rows(named=True):
                client.xadd("candles", {"json": message(row)})

        yield add


@pytest.fixture
def feed_of(redis_server: RedisServer) -> Iterator[Open]:
    """Return what opens a feed, by its consumer's name; all are closed at the end."""
    feeds = []

    def open_one(consumer: str = "one", **options: Any) -> RedisFeed:
        feeds.append(RedisFeed(redis_server.url, consumer=consumer, **options))
        return feeds[-1]

    yield open_one
    for feed in feeds:
        feed.close()


def unacknowledged(feed: RedisFeed) -> FeedBatch:
    """Return the next batch as a reader has it who dies before it is durable."""
    end = monotonic() + PATIENCE_SECONDS
    while monotonic() < end:
        batch = feed.receive(timeout=0.1)
        if batch is not None:
            return batch
    pytest.fail("no batch came")


def pending(server: RedisServer) -> int:
    with server.client() as client:
        answer: Any = client.xpending("candles", "tallow")
        return int(answer["pending"])


def test_a_group_begins_with_the_first_entry_and_keeps_what_is_not_acknowledged(
    redis_server: RedisServer, add: Callable[..., None], feed_of: Open
) -> None:
    add(0, 3)
    feed = feed_of()
    batch = unacknowledged(feed)
    assert keyed(batch.frame) == keyed(CANDLES[:3])
    assert pending(redis_server) == 3
    feed.acknowledge(batch)
    assert pending(redis_server) == 0
    add(3, 5)
    assert keyed(read_batches(feed, 1)[0].frame) == keyed(CANDLES[3:5])
    assert (feed.health.messages, feed.health.rows, feed.health.redelivered) == (5, 5, 0)
    assert feed.health.connected


def test_fields_of_an_entry_are_a_row(redis_server: RedisServer, feed_of: Open) -> None:
    row = CANDLES.row(0, named=True)
    with redis_server.client() as client:
        client.xadd("candles", {k: str(v) for k, v in row.items()} | {"oi": ""})
    assert keyed(read_batches(feed_of(), 1)[0].frame) == keyed(CANDLES[:1])


def test_a_consumer_gets_again_what_it_did_not_acknowledge(
    add: Callable[..., None], feed_of: Open
) -> None:
    add(0, 4)
    first = feed_of()
    unacknowledged(first)
    first.close()
    second = feed_of()
    add(4, 5)
    old, new = read_batches(second, 2)
    assert keyed(old.frame) == keyed(CANDLES[:4])
    assert keyed(new.frame) == keyed(CANDLES[4:5])
    assert second.health.redelivered == 4


def test_what_a_dead_consumer_left_is_taken_over(
    monkeypatch: pytest.MonkeyPatch,
    redis_server: RedisServer,
    add: Callable[..., None],
    feed_of: Open,
) -> None:
    monkeypatch.setattr(streams, "FEED_CLAIM_SECONDS", 0.05)
    monkeypatch.setattr(streams, "FEED_BATCH_MESSAGES", 3)
    add(0, 8)
    dead = feed_of("dead")
    unacknowledged(dead)
    dead.receive(timeout=1.0)
    dead.close()
    seen: dict[Any, Any] = {}
    heir = feed_of("heir")
    read_until(heir, lambda: len(seen) == 8, lambda batch: seen.update(keyed(batch.frame)))
    assert seen == keyed(CANDLES)
    assert heir.health.redelivered == 6
    assert pending(redis_server) == 0


def test_what_the_reader_still_has_is_not_given_twice(
    monkeypatch: pytest.MonkeyPatch, add: Callable[..., None], feed_of: Open
) -> None:
    monkeypatch.setattr(streams, "FEED_CLAIM_SECONDS", 0.01)
    add(0, 2)
    feed = feed_of()
    unacknowledged(feed)
    assert [feed.receive(timeout=0.03) for _ in range(5)] == [None] * 5
    assert feed.health.redelivered == 0


def test_a_server_that_is_killed_again_and_again_loses_nothing(
    redis_server: RedisServer, feed_of: Open
) -> None:
    draw = random.Random(5)
    truth = market(["A", "B", "C"], rows=60)
    seen: dict[Any, Any] = {}
    feed = feed_of()
    added = 0
    for row in truth.sort("timestamp").iter_rows(named=True):
        with redis_server.client() as client:
            client.xadd("candles", {"json": message(row)})
        added += 1
        if draw.random() < 0.3 and (batch := feed.receive(timeout=0.01)) is not None:
            if draw.random() < 0.3:
                redis_server.kill()
            seen |= keyed(batch.frame)
            feed.acknowledge(batch)
            if not redis_server.alive:
                assert not feed.health.connected
                redis_server.start()
    read_until(feed, lambda: len(seen) == added, lambda batch: seen.update(keyed(batch.frame)))
    wait_until(lambda: feed.receive(timeout=0.01) is None and pending(redis_server) == 0)
    assert seen == keyed(truth)
    assert feed.health.reconnects > 2


def test_a_server_without_memory_is_read_from_its_first_entry(
    redis_server: RedisServer, add: Callable[..., None], feed_of: Open
) -> None:
    add(0, 2)
    feed = feed_of()
    read_batches(feed, 1)
    with redis_server.client() as client:
        client.flushall()
    add(2, 4)
    assert keyed(read_batches(feed, 1)[0].frame) == keyed(CANDLES[2:4])


def test_what_was_trimmed_unread_is_told(
    redis_server: RedisServer, add: Callable[..., None], feed_of: Open
) -> None:
    add(0, 2)
    first = feed_of()
    unacknowledged(first)
    first.close()
    with redis_server.client() as client:
        client.xtrim("candles", maxlen=0)
    second = feed_of()
    add(2, 3)
    read_batches(second, 1)
    reasons = [each.reason for each in second.health.rejections]
    assert reasons == ["trimmed from the stream before it was read"] * 2
    assert pending(redis_server) == 0


def test_what_is_not_understood_does_not_come_for_ever(
    redis_server: RedisServer, add: Callable[..., None], feed_of: Open
) -> None:
    with redis_server.client() as client:
        client.xadd("candles", {"json": "{"})
        client.xadd("candles", {"json": b"\xff"})
        client.xadd("candles", {"json": json.dumps({"type": "heartbeat"})})
    feed = feed_of()
    add(0, 1)
    read_batches(feed, 1)
    assert (feed.health.messages, feed.health.rejected, feed.health.notices) == (4, 2, 1)
    assert pending(redis_server) == 0


def test_a_wrong_key_is_an_error_that_can_be_mended(
    redis_server: RedisServer, add: Callable[..., None], feed_of: Open
) -> None:
    with redis_server.client() as client:
        client.set("candles", "no stream")
        feed = feed_of()
        wait_until(lambda: feed.receive(timeout=0.01) is None and feed.health.error is not None)
        assert "WRONGTYPE" in str(feed.health.error)
        client.delete("candles")
    add(0, 1)
    assert len(read_batches(feed, 1)) == 1


def test_a_reader_who_acknowledges_nothing_is_stopped(
    monkeypatch: pytest.MonkeyPatch, add: Callable[..., None], feed_of: Open
) -> None:
    monkeypatch.setattr(streams, "FEED_UNACKNOWLEDGED_MAX", 2)
    add(0, 2)
    feed = feed_of()
    unacknowledged(feed)
    with pytest.raises(FeedError, match="2 entries are not acknowledged; must be fewer than 2;"):
        feed.receive(timeout=0.1)


def test_a_closed_feed_is_read_to_its_end_and_then_over(
    redis_server: RedisServer, add: Callable[..., None], feed_of: Open
) -> None:
    add(0, 2)
    add(0, 1)
    feed = feed_of()
    first = unacknowledged(feed)
    feed.close()
    second = feed.receive(timeout=1.0)
    assert second is not None
    assert [keyed(first.frame), keyed(second.frame)] == [keyed(CANDLES[:2]), keyed(CANDLES[:1])]
    feed.acknowledge(first)
    feed.acknowledge(second)
    assert pending(redis_server) == 0
    with pytest.raises(FeedEnded):
        feed.receive(timeout=1.0)


def test_a_server_that_is_not_there_is_waited_for() -> None:
    with RedisFeed("unix:///nowhere/socket") as feed:
        wait_until(lambda: feed.receive(timeout=0.01) is None and feed.health.error is not None)
        assert not feed.health.connected


@pytest.mark.parametrize("url", ["http://localhost", "redis://localhost/0?steam=candles"])
def test_what_is_no_url_of_redis_is_told(url: str) -> None:
    with pytest.raises(FeedError, match=r"^feed: .*; must be such as redis://localhost:6379/0"):
        RedisFeed(url)


@pytest.mark.parametrize("url", ["redis://:s3/cret@localhost/0", "redis://:s3cret#@localhost/0"])
def test_a_password_with_bare_signs_is_refused_untold(url: str) -> None:
    with pytest.raises(FeedError, match=r"must be escaped; write %40 for @") as refused:
        RedisFeed(url)
    assert "s3" not in repr(refused.value)
    assert refused.value.__context__ is None


def test_a_proxy_that_does_not_wait_is_asked_with_pauses(
    feed_of: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, read = [], exchanges.Exchanges.read

    def read_at_once(self: Any, start: str, count: int, block: int | None = None) -> Any:
        asked.append(block)
        return read(self, start, count)

    monkeypatch.setattr(exchanges.Exchanges, "read", read_at_once)
    monkeypatch.setattr(streams, "FEED_ASK_AGAIN_SECONDS", 0.2)
    assert feed_of().receive(timeout=0.6) is None
    # Once for what was its own, twice where the group was made; then every fifth of a second.
    assert len(asked) <= 6


def test_an_acknowledgement_waits_for_the_server(
    redis_server: RedisServer, add: Callable[..., None], feed_of: Open
) -> None:
    add(0, 2)
    feed = feed_of()
    batch = unacknowledged(feed)
    redis_server.kill()
    feed.acknowledge(batch)
    redis_server.start()
    wait_until(lambda: feed.receive(timeout=0.01) is None and pending(redis_server) == 0)
    assert feed.health.redelivered == 0
