"""Goal: no server holds a feed: it comes back, takes what is right, and closes in any case.

Method: servers in plain sockets, whose first connection misbehaves, in each way of a table, and
whose next one behaves. Deadlines are small here. Nothing is measured; a feed that is held fails by
the guard of `read_batches`, or of `closed`.
"""

from __future__ import annotations

import socket
import time
from threading import Event, Thread

import pytest

from tallow.data.feeds import exchanges, websocket
from tallow.data.feeds.feed import Feed
from tallow.data.feeds.streams import RedisFeed
from tallow.data.feeds.websocket import WebSocketFeed
from tests.data.feeds.conftest import (
    PATIENCE_SECONDS,
    RedisServer,
    message,
    read_batches,
    wait_until,
)
from tests.data.feeds.hostile import (
    PAGE,
    TLS_ALERT,
    Behaviour,
    HostileServer,
    after_upgrade,
    answer,
    answer_and_leave,
    answer_reads,
    drip,
    flood,
    forward_to,
    frame,
    keep_silent,
    packed_without_end,
    ping_for_ever,
    reset,
    say_candle,
)
from tests.frames import candles, minutes

CANDLE = message(next(candles("A", minutes("2025-06-02T09:15+05:30", 1)).iter_rows(named=True)))
STALL_SECONDS = 0.3
REDIRECT = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n"
ELSEWHERE = REDIRECT.replace(b"/again", b"ws://" + b"a" * 70 + b".example/")
FRAGMENT = frame(b"", opcode=0, first_bits=0)


@pytest.fixture(autouse=True)
def small_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "FEED_CONNECT_SECONDS", 0.5)
    monkeypatch.setattr(websocket, "FEED_CLOSE_SECONDS", 0.1)
    monkeypatch.setattr(exchanges, "FEED_CONNECT_SECONDS", 0.3)
    monkeypatch.setattr(exchanges, "FEED_REPLY_SECONDS", 0.15)
    monkeypatch.setattr(exchanges, "FEED_REPLY_BYTES_MAX", 100_000)


def closed(feed: Feed) -> None:
    """Close a feed; fail where that does not return."""
    closer = Thread(target=feed.close, daemon=True)
    closer.start()
    closer.join(PATIENCE_SECONDS)
    assert not closer.is_alive(), "the feed does not close"


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        pytest.param(keep_silent, "timed out|no answer", id="silent"),
        pytest.param(reset, "Connection|InvalidMessage|EOFError", id="reset"),
        pytest.param(answer(PAGE), "HTTP 200", id="a page"),
        pytest.param(answer_and_leave(TLS_ALERT), "InvalidMessage", id="TLS"),
        pytest.param(drip(b"HTTP/1.1 101 X\r\n", b"A"), "timed out|no answer", id="drops"),
        pytest.param(
            flood(b"HTTP/1.1 101 X\r\n", b"A: b\r\n" * 999),
            "Invalid|timed out|no answer",
            id="headers",
        ),
        pytest.param(answer_and_leave(ELSEWHERE), "empty or too long", id="a redirect to no name"),
        pytest.param(after_upgrade(b""), "no message", id="silent later"),
        pytest.param(after_upgrade(frame(b"{", size=9)), "no message", id="half a frame"),
        pytest.param(after_upgrade(frame(b"", size=2**62)), "1009", id="a huge frame"),
        pytest.param(after_upgrade(b"\xff" * 99), "1002", id="no frame"),
        pytest.param(
            after_upgrade(packed_without_end(), "Sec-WebSocket-Extensions: permessage-deflate\r\n"),
            "1009",
            id="a small frame that unpacks to a huge one",
        ),
        pytest.param(ping_for_ever(), "no message", id="pings"),
        pytest.param(
            ping_for_ever(frame(b"[", first_bits=0) + FRAGMENT * 50_000), "", id="fragments"
        ),
    ],
)
def test_a_web_socket_feed_comes_back(behave: Behaviour, reason: str) -> None:
    with HostileServer([behave, say_candle(CANDLE), behave]) as server:
        # Where a wait is not what ends it, a slow machine must not end it first.
        is_waited_for = any(word in reason for word in ("no answer", "no message"))
        stall_seconds = STALL_SECONDS if is_waited_for or not reason else 20 * STALL_SECONDS
        feed = WebSocketFeed(f"ws://127.0.0.1:{server.port}", stall_seconds=stall_seconds)
        (batch,) = read_batches(feed, 1)
        error = str(feed.health.error)
        # The next connection misbehaves again while the feed is closed.
        closed(feed)
    assert batch.frame["instrument"].to_list() == ["A"]
    assert any(part in error for part in reason.split("|")), error


def test_redirects_in_a_circle_are_left() -> None:
    with HostileServer([*[answer(REDIRECT)] * 15, say_candle(CANDLE)]) as server:
        feed = WebSocketFeed(f"ws://127.0.0.1:{server.port}")
        read_batches(feed, 1)
        assert "redirects" in str(feed.health.error)
        closed(feed)


@pytest.mark.parametrize("behave", [keep_silent, ping_for_ever(), after_upgrade(b"")])
def test_a_web_socket_feed_closes_in_the_midst(behave: Behaviour) -> None:
    begun = Event()

    def noted(connection: socket.socket, over: Event) -> None:
        begun.set()
        behave(connection, over)

    with HostileServer([noted]) as server:
        feed = WebSocketFeed(f"ws://127.0.0.1:{server.port}", subscribe="x" * 2**24)
        assert begun.wait(PATIENCE_SECONDS)
        closed(feed)


def test_a_name_server_that_says_nothing_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    over, asked = Event(), []

    def look_up(*_: object, **__: object) -> list[object]:
        asked.append(time)
        over.wait()
        raise OSError("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    feed = WebSocketFeed("ws://candles.example")
    try:
        wait_until(lambda: len(asked) >= 2)
        assert feed.health.error == "no answer for 0.5 s"
        closed(feed)
    finally:
        over.set()


NOTHING = b"*1\r\n*2\r\n$7\r\ncandles\r\n"


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        pytest.param(keep_silent, "Timeout", id="silent"),
        pytest.param(reset, "Connection", id="reset"),
        pytest.param(answer(PAGE), "InvalidResponse", id="a page"),
        pytest.param(answer_and_leave(TLS_ALERT), "Connection", id="TLS"),
        pytest.param(drip(b"+", b"O"), "Timeout", id="drops"),
        pytest.param(flood(b"+", b"O" * 9_999), "more than 100,000 bytes", id="a line without end"),
        pytest.param(answer_reads(b"+OK\r\n"), "wrong shape", id="a word"),
        pytest.param(answer_reads(b":7\r\n"), "wrong shape", id="a number"),
        pytest.param(answer_reads(b":x\r\n"), "wrong shape", id="a number that is none"),
        pytest.param(answer_reads(b"*1\r\n:7\r\n"), "wrong shape", id="a number in a list"),
        pytest.param(answer_reads(b"$99999999999\r\nx"), "Timeout", id="a huge text"),
        pytest.param(answer_reads(b"*99999999999\r\n"), "Timeout", id="a huge list"),
        pytest.param(answer_reads(b"$" + b"9" * 5_000 + b"\r\n"), "wrong", id="huge beyond sense"),
        pytest.param(answer_reads(b"*1\r\n" * 9_999), "wrong shape", id="a deep list"),
        pytest.param(answer_reads(NOTHING + b":1\r\n"), "wrong shape", id="no entries"),
        pytest.param(answer_reads(NOTHING + b"*1\r\n*2\r\n$1\r\nx\r\n*0\r\n"), "wrong", id="no id"),
        pytest.param(
            answer_reads(NOTHING + b"*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n:1\r\n:2\r\n"),
            "wrong shape",
            id="no text",
        ),
        pytest.param(answer_reads(b"-NOGROUP for ever\r\n"), "Timeout|NOGROUP", id="no group"),
        pytest.param(answer_reads(b"-" + b"E" * 50_000 + b"\r\n"), "EEE", id="a long reason"),
    ],
)
def test_a_redis_feed_comes_back(behave: Behaviour, reason: str, redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        client.xadd("candles", {"candle": CANDLE})
    good = forward_to(f"{redis_server.folder}/socket")
    with HostileServer([behave, good]) as server:
        feed = RedisFeed(f"redis://127.0.0.1:{server.port}", consumer="me")
        (batch,) = read_batches(feed, 1)
        error = str(feed.health.error)
        closed(feed)
    assert batch.frame["instrument"].to_list() == ["A"]
    assert any(part in error for part in reason.split("|")), error


def test_entries_that_are_too_long_together_come_and_one_alone_is_set_aside(
    redis_server: RedisServer,
) -> None:
    with redis_server.client() as client:
        for _ in range(5):
            client.xadd("candles", {"candle": CANDLE + " " * 20_000})
        long = client.xadd("candles", {"candle": CANDLE + " " * 200_000}).decode()
        for _ in range(5):
            client.xadd("candles", {"candle": CANDLE + " " * 20_000})
    with RedisFeed(redis_server.url, consumer="me") as feed:
        rows = 0
        while rows < 10:
            rows += sum(len(batch.frame) for batch in read_batches(feed, 1))
        wait_until(lambda: feed.receive(0.01) is None)
        health = feed.health
    assert (health.rows, health.rejected) == (10, 1)
    assert health.rejections[0].text == long
    assert "more than 100,000 bytes" in health.rejections[0].reason
    with redis_server.client() as client:
        assert client.xpending("candles", "tallow")["pending"] == 0
