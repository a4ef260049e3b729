"""Goal: a client of the stream holds the newest row of each key, over breaks of the connection.

Method: a server that speaks the messages of docs/stream.md from a script, on a real socket; after
some of them it breaks off. What the client then asks is read, and the rows that it holds are those
of a map from key to row made by hand.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from threading import Thread
from typing import Any

import polars as pl
import pytest
from websockets.sync.server import ServerConnection, serve

from tallow.client.errors import ServiceError, UnreachableError
from tallow.client.streams import AsyncStream, Stream

COLUMNS = ["timeframe", "instrument", "timestamp", "close", "candles", "is_final", "ema_9"]
OPEN = 1_752_810_300_000_000
NEXT = OPEN + 300_000_000
WELCOME: dict[str, Any] = {"type": "welcome", "stream": "first run", "seq": 4}
SUBSCRIBED: dict[str, Any] = {"type": "subscribed", "id": "a", "seq": 4, "columns": COLUMNS}


def row(name: str, opens: int, close: float, candles: int = 1, final: bool = False) -> list[Any]:
    return ["5m", name, opens, close, candles, final, None]


class Script:
    """What a server says on each connection, and what it was told."""

    def __init__(self, *connections: list[dict[str, Any]]) -> None:
        self._connections, self.heard = list(connections), list[dict[str, Any]]()

    def handle(self, socket: ServerConnection) -> None:
        welcome, *rest = self._connections.pop(0)
        socket.send(json.dumps(welcome))
        self.heard.append(json.loads(socket.recv()))
        for message in rest:
            if message["type"] == "break":
                # Without a word, as a network does.
                socket.socket.close()
                return
            if message["type"] == "close":
                socket.close(message["code"], message["reason"])
                return
            socket.send(json.dumps(message))
        socket.recv(timeout=10)


@contextmanager
def scripted(script: Script) -> Iterator[str]:
    with serve(script.handle, "127.0.0.1", 0) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()


BREAKS: dict[str, Any] = {"type": "break"}
FIRST: list[dict[str, Any]] = [
    WELCOME,
    SUBSCRIBED,
    {"type": "snapshot", "id": "a", "seq": 4, "rows": [row("A", OPEN, 10.0)], "more": True},
    {"type": "snapshot", "id": "a", "seq": 4, "rows": [row("B", OPEN, 20.0)]},
    {"type": "rows", "id": "a", "from_seq": 5, "seq": 7, "rows": [row("A", OPEN, 11.0)]},
    {"type": "heartbeat", "seq": 9},
    {"type": "rows", "id": "a", "from_seq": 10, "seq": 12, "rows": [row("B", OPEN, 0.0, 0)],
     "more": True},
    BREAKS,
]  # fmt: skip
RESUMED: list[dict[str, Any]] = [
    WELCOME | {"seq": 20},
    SUBSCRIBED | {"seq": 20, "resumed": True},
    {"type": "rows", "id": "a", "from_seq": 10, "seq": 20,
     "rows": [row("B", OPEN, 0.0, 0), row("A", OPEN, 12.0, 5, True), row("A", NEXT, 13.0)],
     "changed": [["5m", "B", OPEN]]},
]  # fmt: skip
NEWEST = [("A", OPEN, 12.0, True), ("A", NEXT, 13.0, False)]
"""By hand: A has a final bar and a forming one; the bar of B is no longer there."""


def newest(stream: Stream | AsyncStream) -> list[tuple[Any, ...]]:
    return [
        (name, round(opened.timestamp() * 1_000_000), close, final)
        for name, opened, close, final in stream.frame()
        .select("instrument", "timestamp", "close", "is_final")
        .rows()
    ]


def opened(url: str, patience: float = 10.0) -> Stream:
    return Stream(url, {"instruments": ["A", "B"], "timeframes": None}, lambda: None, patience)


def test_what_is_held_goes_on_after_a_break_from_the_last_whole_change() -> None:
    script = Script(FIRST, RESUMED)
    with scripted(script) as url, opened(url) as stream:
        seen = list(islice(stream, 5))
        assert newest(stream) == NEWEST
    assert script.heard == [
        {"type": "subscribe", "id": "a", "instruments": ["A", "B"]},
        # A message whose second part did not come counts for nothing.
        {
            "type": "subscribe",
            "id": "a",
            "instruments": ["A", "B"],
            "stream": "first run",
            "seq": 9,
        },
    ]
    assert [update.kind for update in seen] == ["snapshot", "snapshot", "rows", "rows", "rows"]
    since = datetime.fromtimestamp(OPEN / 1e6, UTC)
    assert seen[-1].changed.rows() == [("5m", "B", since)]


def test_columns_have_the_types_that_the_service_says() -> None:
    columns = {"columns": ["instrument", "a", "b", "c"]}
    types = {"a": "int8", "b": "string", "c": "of a later version"}
    rows = {"type": "snapshot", "id": "a", "seq": 4, "rows": [["A", -100, "doji", 1.5]]}
    script = Script([WELCOME | {"types": types}, SUBSCRIBED | columns, rows])
    with scripted(script) as url, opened(url) as stream:
        found = next(iter(stream)).frame
    assert found.schema == {"instrument": pl.String, "a": pl.Int8, "b": pl.String, "c": pl.Float64}


def test_coroutines_hold_the_same() -> None:
    async def follow(url: str) -> list[tuple[Any, ...]]:
        async def no_ticket() -> None:
            return None

        async with AsyncStream(url, {"instruments": ["A", "B"]}, no_ticket, 10.0) as stream:
            left = 5
            async for _ in stream:
                left -= 1
                if not left:
                    return newest(stream)
        return []

    with scripted(Script(FIRST, RESUMED)) as url:
        assert asyncio.run(follow(url)) == NEWEST


def test_what_was_held_is_forgotten_where_the_service_cannot_say_what_changed() -> None:
    again = [
        WELCOME | {"stream": "second run", "seq": 1},
        SUBSCRIBED | {"seq": 1},
        {"type": "resync", "id": "a", "seq": 1, "reason": "the service was started anew"},
        {"type": "snapshot", "id": "a", "seq": 1, "rows": [row("A", NEXT, 14.0)]},
    ]
    with scripted(Script(FIRST, again)) as url, opened(url) as stream:
        kinds = [(update.kind, update.reason) for update in islice(stream, 6)]
        assert newest(stream) == [("A", NEXT, 14.0, False)]
    assert kinds[-2] == ("resync", "the service was started anew")


def test_a_subscription_that_is_not_taken_is_an_error_with_the_reason() -> None:
    error: dict[str, Any] = {
        "type": "error",
        "id": "a",
        "title": "Spec",
        "detail": "ema(10): not live",
    }
    with (
        scripted(Script([WELCOME, error])) as url,
        opened(url) as stream,
        pytest.raises(ServiceError, match=r"ema\(10\): not live"),
    ):
        next(iter(stream))


def test_a_close_that_would_come_again_is_no_reason_to_connect_again() -> None:
    closes: dict[str, Any] = {
        "type": "close",
        "code": 4400,
        "reason": "16 messages in a row were errors",
    }
    with (
        scripted(Script([WELCOME, closes])) as url,
        opened(url) as stream,
        pytest.raises(ServiceError, match="16 messages in a row were errors"),
    ):
        next(iter(stream))


def test_a_service_that_is_not_there_is_waited_for_and_then_an_error() -> None:
    with (
        opened("http://127.0.0.1:9", patience=0.2) as stream,
        pytest.raises(UnreachableError, match=r"not reached for 0\.2 s"),
    ):
        next(iter(stream))
