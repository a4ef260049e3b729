"""A market that is corrected, a hub over it, and clients that stall, break off and come back.

A client holds what the page of the stream says that it should: a map from key to row. What it must
ask for again it is given by a computation from scratch of the candles as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import orjson
import polars as pl

from tallow import AnalyticsEngine, LiveEngine
from tallow.data.reading.schema import CANDLE_SCHEMA
from tallow.data.universe import Universe
from tallow.plan.plan import make_plan
from tallow.service.measures import Measures
from tallow.service.stream.answering import Answering
from tallow.service.stream.client import StreamClient
from tallow.service.stream.hub import Hub
from tallow.service.stream.live_bars import LiveBars
from tallow.service.stream.screens import Screens

T = TypeVar("T")
Held = dict[tuple[str, str, int], list[Any]]

NAMES = ("A", "B")
SIZES = ("1m", "3m")
SPECS = "ema(2)"
ZONE_START = 1_748_836_800_000_000  # 2025-06-02T04:00Z
MINUTE = 60_000_000


class Market:
    """The candles as they are, and a live engine that took them in the order in which they came."""

    def __init__(self) -> None:
        self.candles: dict[tuple[str, int], tuple[float, ...]] = {}
        self.live = LiveEngine(SIZES, SPECS, calendar="24/7")
        self._batch = AnalyticsEngine(calendar="24/7")

    def put(self, name: str, minute: int, close: float) -> None:
        opened = ZONE_START + minute * MINUTE
        self.candles[name, opened] = (close, close + 1.0, close - 1.0, close, 10.0)
        self.live.update(self._frame({(name, opened): self.candles[name, opened]}))

    def remove(self, name: str, minute: int) -> None:
        opened = ZONE_START + minute * MINUTE
        if self.candles.pop((name, opened), None) is not None:
            keys = self._frame({(name, opened): (1.0,) * 5})
            self.live.delete(keys.select("instrument", "timestamp"))

    def close(self) -> None:
        """Let the clock go on until all bars are final, as they are computed from scratch."""
        self.live.advance(ZONE_START + 60 * MINUTE)

    def held(self) -> Held:
        """Return what a client should hold, computed from scratch."""
        found: Held = {}
        if not self.candles:
            return found
        for size in SIZES:
            # All bars are over: the clock is the test's last step.
            given = self._frame(self.candles)
            frame = self._batch.process_candles(
                given, size, SPECS, final_at="2025-06-03T00:00Z"
            ).frame
            whole = frame.with_columns(pl.col("timestamp").cast(pl.Int64))
            for name, opened, *row in whole.select("instrument", "timestamp", *SHOWN).rows():
                found[size, name, opened] = row
        return found

    @staticmethod
    def _frame(candles: dict[tuple[str, int], tuple[float, ...]]) -> pl.DataFrame:
        rows = [(*key, *candle) for key, candle in sorted(candles.items())]
        schema = CANDLE_SCHEMA | {"timestamp": pl.Int64}
        frame = pl.DataFrame(rows, schema=schema, orient="row")
        return frame.with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))


SHOWN = ("open", "high", "low", "close", "volume", "candles", "is_final", "ema_2")


class FakeSocket:
    """Takes messages into a list, unless it stalls."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.room = asyncio.Event()
        self.room.set()
        self.closed: int | None = None

    async def receive(self) -> dict[str, Any]:
        return await self.incoming.get()

    async def send(self, text: str) -> None:
        await self.room.wait()
        self.sent.append(text)

    def push(self, text: str) -> bool:
        if self.room.is_set():
            self.sent.append(text)
        return self.room.is_set()

    async def close(self, code: int, reason: str) -> None:
        self.drop(code, reason)

    def drop(self, code: int, reason: str) -> None:
        self.closed = code
        self.incoming.put_nowait({"type": "websocket.disconnect"})


class Reader:
    """A client as the page describes it, over connections that come and go."""

    def __init__(
        self, market: Market, hub: Hub, answering: Answering, names: Sequence[str] | None = None
    ) -> None:
        self._market, self._hub, self._answering = market, hub, answering
        self._names = names
        self.rows: Held = {}
        self.columns: list[str] = []
        self.stream: str | None = None
        self.seq: int | None = None
        self.socket = FakeSocket()
        self._run: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        self.socket = FakeSocket()
        client = StreamClient(self.socket)
        self._hub.join(client)
        self._run = asyncio.create_task(self._serve(client))
        asked: dict[str, Any] = {"type": "subscribe", "id": "a"}
        if self._names is not None:
            asked["instruments"] = self._names
        if self.seq is not None:
            asked |= {"stream": self.stream, "seq": self.seq}
        text = orjson.dumps(asked).decode()
        self.socket.incoming.put_nowait({"type": "websocket.receive", "text": text})
        await settle()

    async def disconnect(self) -> None:
        """Break off: what was sent and not read is lost."""
        assert self._run is not None
        self.socket.sent.clear()
        self.socket.drop(0, "")
        await self._run

    def read(self) -> None:
        sent, self.socket.sent = self.socket.sent, []
        for text in sent:
            self._take(orjson.loads(text))

    async def _serve(self, client: StreamClient) -> None:
        try:
            await client.run(self._answering.answer)
        finally:
            self._hub.leave(client)

    def _take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "subscribed":
                self.columns, self.stream = message["columns"], self._hub.stream
            case "resync":
                self.rows.clear()
            case "snapshot":
                self._put(message["rows"])
                if not message.get("more"):
                    # Earlier bars are asked for; those of the snapshot are as new, or newer.
                    self.rows = self._market.held() | self.rows
            case "rows":
                assert self.seq is not None
                assert message["from_seq"] == self.seq + 1
                for size, name, since in message.get("changed", ()):
                    self._ask_again(size, name, since)
                self._put(message["rows"])
        if "seq" in message and not message.get("more"):
            self.seq = message["seq"]

    def _ask_again(self, size: str, name: str, since: int) -> None:
        def concerns(key: tuple[str, str, int]) -> bool:
            return key[:2] == (size, name) and key[2] >= since

        self.rows = {key: row for key, row in self.rows.items() if not concerns(key)}
        self.rows |= {key: row for key, row in self._market.held().items() if concerns(key)}

    def _put(self, rows: list[list[Any]]) -> None:
        for cells in rows:
            row = dict(zip(self.columns, cells, strict=True))
            key = (row["timeframe"], row["instrument"], row["timestamp"])
            self.rows.pop(key, None)
            if row["candles"]:
                self.rows[key] = [row[name] for name in SHOWN]


async def settle() -> None:
    """Let everybody who can go on do so."""
    for _ in range(30):
        await asyncio.sleep(0)


async def inline(work: Callable[[], T]) -> T:
    return work()


@asynccontextmanager
async def followed(market: Market, recent: int) -> AsyncIterator[Callable[..., Reader]]:
    """Give a function that makes readers of a hub over a market, of all or of some names."""

    async def no_members(_screen: str, _timeframe: str) -> frozenset[str]:
        return frozenset()

    def no_universe(name: str) -> Universe:
        raise AssertionError(name)

    bars = LiveBars(market.live, make_plan(SPECS), inline, no_universe)
    hub = Hub(bars, Measures(), Screens((), no_members), recent=recent)
    market.live.listen(hub.take)
    answering = Answering(hub, bars)
    yield partial(Reader, market, hub, answering)
    await hub.stop(0.0)
