"""The stream of a service to a hundred clients in another process: messages, rows, and how soon.

Candles of a thousand instruments become durable, and rows of five timeframes with the default set.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from urllib.parse import quote, urlencode

import numpy as np
import orjson
import polars as pl
import structlog
import uvicorn
from fastapi import FastAPI, WebSocket

from benchmarks.settings import Settings
from tallow.data.feeds.feed import FeedBatch
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.store.store import open_store
from tallow.runtime.live.bar_rows import BarRows
from tallow.runtime.live.updates import ArrayUpdate
from tallow.serve.service import make_server, settle
from tallow.service.read_settings import read_settings
from tallow.service.service import Service

INSTRUMENTS, CLIENTS, EACH = 1_000, 100, 20
MESSAGES, BLOCK = 3_000, 1_000
PLAN_COLUMNS = 12
"""Of the default set."""

MINUTE, DAY_US = 60_000_000, 86_400_000_000
START = 1_748_836_200_000_000
NAMES = [f"NSE_EQ|INE{number:06}" for number in range(INSTRUMENTS)]

CONNECT_SECONDS = 60.0
RANGES_A_SECOND, FIRST_ANSWERS, DAY = 20.0, 3, "2025-06-02"
SUBSCRIBE: dict[str, Any] = {"type": "subscribe", "id": "a"}
HISTORY = 540
"""Candles that each instrument has at the start: more than the live engine holds."""
WARM_SECONDS, SAMPLE_SECONDS, TURNS = 30, 5.0, 3
SCREEN = "close > ema(9) and rsi(14) < 70"


class Readers:
    """The clients, in their process."""

    def __init__(self, port: int) -> None:
        self._port = port
        command = [sys.executable, "-m", "benchmarks.stream_readers"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def ask(self, do: str, **what: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(orjson.dumps({"do": do, "port": self._port, **what}) + b"\n")
        self._process.stdin.flush()
        found: dict[str, Any] = orjson.loads(self._process.stdout.readline())
        return found

    def connect(self, asked: list[dict[str, Any] | None], path: str, **how: Any) -> None:
        before = self.ask("look")["subscribed"]
        self.ask("connect", asked=asked, path=path, **how)
        wanted = before + sum(each is not None for each in asked)
        until = time.monotonic() + CONNECT_SECONDS
        while (found := self.ask("look"))["subscribed"] < wanted:
            assert not found["refused"], found
            assert time.monotonic() < until, found
            time.sleep(0.05)
        time.sleep(0.3)

    def wait(self, messages: int) -> dict[str, Any]:
        """Return the counts once so many messages came, or none for a second."""
        before = -1
        while (found := self.ask("look"))["messages"] < messages and found["messages"] != before:
            before = found["messages"]
            time.sleep(1.0)
        return found


class PacedFeed(ReplayFeed):
    """Candles that are due one after the other, or a minute's at once; their volume counts them."""

    def __init__(self, seconds: int, is_burst: bool) -> None:
        super().__init__(_candles(np.arange(1)))
        self._total, self.is_burst = seconds * INSTRUMENTS, is_burst
        self.step, self.began, self._place = 1.0 / INSTRUMENTS, 0.0, 0
        self.went = threading.Event()

    def receive(self, timeout: float) -> FeedBatch | None:
        if not self.went.is_set() or self._place >= self._total:
            time.sleep(timeout)
            return None
        self._wait()
        due = int((time.monotonic() - self.began) / self.step) + 1
        if self.is_burst:
            due = (due // INSTRUMENTS + 1) * INSTRUMENTS
        # A minute at most: a candle and the next one of its instrument are two batches.
        due = min(due, (self._place // INSTRUMENTS + 1) * INSTRUMENTS, self._total)
        frame = _candles(np.arange(self._place, due))
        self._place = due
        return FeedBatch("candles", frame, int(START + (due - 1) // INSTRUMENTS * MINUTE + MINUTE))

    def _wait(self) -> None:
        at = self.began + self.step * self._place
        time.sleep(max(0.0, at - time.monotonic()))


def _candles(which: np.ndarray) -> pl.DataFrame:
    draw = np.random.default_rng(int(which[0]))
    closes = 100.0 + draw.random((len(which), 2)).round(2)
    opens = pl.Series("timestamp", START + which // INSTRUMENTS * MINUTE)
    return pl.DataFrame(
        {
            "instrument": [NAMES[each] for each in (which % INSTRUMENTS).tolist()],
            "timestamp": opens.cast(pl.Datetime("us", "UTC")),
            "open": closes[:, 0],
            "high": closes.max(axis=1),
            "low": closes.min(axis=1),
            "close": closes[:, 1],
            "volume": which + 1.0,
        }
    )


class BenchService(Service):
    """A service with a feed of its own, and a bare route that sends to all who are connected."""

    feed: PacedFeed | None = None

    def _open_feed(self) -> Any:
        return self.feed or super()._open_feed()


@contextmanager
def _serving(folder: Path, feed: PacedFeed | None) -> Iterator[tuple[BenchService, Bare, int]]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    settings = read_settings(store=str(folder / "candles"), calendar="24/7", port=0)
    service = BenchService(settings)
    service.feed = feed
    with service:
        server = make_server(service)
        bare = Bare(server)
        settle()
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield service, bare, server.servers[0].sockets[0].getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


class Bare:
    """The same server's bare send loop, at ``/bare``."""

    def __init__(self, server: uvicorn.Server) -> None:
        self.sockets: list[WebSocket] = []
        self.loop: asyncio.AbstractEventLoop | None = None
        app: FastAPI = server.config.app._app  # type: ignore[union-attr]

        @app.websocket("/bare")
        async def bare(websocket: WebSocket) -> None:
            self.loop = asyncio.get_running_loop()
            await websocket.accept("tallow.v1")
            self.sockets.append(websocket)
            await websocket.receive()

    async def send(self, text: str, times: int) -> None:
        for _ in range(times):
            for each in self.sockets:
                await each.send_text(text)
            await asyncio.sleep(0)


def _row_update(number: int, opened: int, rows: int, fields: tuple[str, ...]) -> ArrayUpdate:
    """Return an update of bars of several instruments."""
    which = (number + np.arange(rows)) % INSTRUMENTS
    times = np.stack([which, np.full(rows, opened), np.full(rows, opened + MINUTE)])
    values = np.random.default_rng(number).random((len(fields), rows)).round(4) * 100.0
    final, revision = np.ones(rows, dtype=np.bool_), np.full(rows, START)
    found = BarRows(times, final, revision, values, fields)
    return ArrayUpdate(START, {"1m": found}, None)  # type: ignore[arg-type]


def measure_messages(settings: Settings) -> tuple[float, float, float, int]:
    """Return the seconds of bare sends and of the hub's, of as many, and rows a second."""
    asked = [{"type": "subscribe", "id": "a", "timeframes": ["1m"]} for _ in range(CLIENTS)]
    with TemporaryDirectory() as folder, _serving(Path(folder), None) as (service, bare, port):
        service.live.numbers(NAMES)
        fields = ("open", "high", "low", "close", "volume", "open_interest", "candles")
        fields += tuple(service.live.latest("1m", []).columns[-PLAN_COLUMNS:])
        # The first message is counted as long as all: 300 bytes.
        text = "bare" + "x" * 296
        with Readers(port) as readers:
            readers.connect([None] * CLIENTS, "/bare")
            bare_seconds = _timed(readers, bare.loop, bare.send(text, MESSAGES))
            readers.ask("close")
            readers.connect(asked, "/v1/stream")
            loop = service.hub._loop
            updates = [_row_update(k, START + k * MINUTE, 1, fields) for k in range(MESSAGES)]
            hub_seconds = _timed(readers, loop, _take_all(service, updates))
            found = readers.ask("look")
            length = found["bytes"] // max(found["messages"], 1)
            readers.ask("close")
            readers.connect(asked[:1], "/v1/stream")
            blocks = [_row_update(0, START + k * MINUTE, BLOCK, fields) for k in range(200)]
            block_seconds = _timed(readers, loop, _take_all(service, blocks), 1)
            rows = readers.ask("look")["rows"] / block_seconds
    return bare_seconds, hub_seconds, rows, length


async def _take_all(service: Service, updates: list[ArrayUpdate]) -> None:
    for update in updates:
        service.hub.take(update)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def _timed(readers: Readers, loop: Any, work: Any, messages: int = MESSAGES * CLIENTS) -> float:
    """Return the seconds from the start of some work until its last message was read."""
    readers.ask("clear")
    began = time.monotonic()
    asyncio.run_coroutine_threadsafe(work, loop).result()
    found = readers.wait(messages)
    return float(found["last"] - began)


def _ask_beside(readers: Readers) -> None:
    """Ask for ranges and a screen beside the stream."""
    ranges = [
        f"/v1/candles/{quote(name, safe='')}?timeframe=5m&start={DAY}&end={DAY}" for name in NAMES
    ]
    screen = "/v1/screens?" + urlencode({"timeframe": "1m", "condition": SCREEN})
    readers.ask("ask", name="range", urls=ranges, times=RANGES_A_SECOND)
    readers.ask("ask", name="screen", urls=[screen], times=1.0)
    until = time.monotonic() + CONNECT_SECONDS
    while min(each["times"] for each in readers.ask("look")["asked"].values()) < FIRST_ANSWERS:
        assert time.monotonic() < until, "no answers"
        time.sleep(0.1)


def _history(folder: Path) -> None:
    """Write more candles of each instrument than the live engine holds, of the day before."""
    times = START - DAY_US + np.arange(HISTORY) * MINUTE
    with open_store(folder / "candles", create=True) as store:
        for name in np.array_split(np.array(NAMES), 10):
            frame = _candles(np.arange(len(name) * HISTORY) % INSTRUMENTS)
            frame = frame.with_columns(
                pl.Series("instrument", np.repeat(name, HISTORY).tolist()),
                pl.Series("timestamp", np.tile(times, len(name))).cast(pl.Datetime("us", "UTC")),
            )
            store.write(frame, source_timeframe="1m")


@contextmanager
def streaming(seconds: int, *, is_burst: bool = False) -> Iterator[Load]:
    """Serve all clients, and let candles come for so long; they have begun then."""
    feed = PacedFeed(seconds, is_burst)
    asked: list[dict[str, Any] | None] = [
        SUBSCRIBE | {"instruments": [NAMES[(k * EACH + j) % INSTRUMENTS] for j in range(EACH)]}
        for k in range(CLIENTS)
    ]
    with TemporaryDirectory() as folder:
        _history(Path(folder))
        with _serving(Path(folder), feed) as (service, _, port), Readers(port) as readers:
            # Each instrument has been there for a minute, which is over.
            earlier = pl.col("timestamp") - pl.duration(microseconds=MINUTE)
            service.live.update(_candles(np.arange(INSTRUMENTS)).with_columns(earlier))
            service.live.advance(START + 3_000_000)
            readers.connect(asked, "/v1/stream")
            _ask_beside(readers)
            load = Load(feed, readers)
            feed.began = time.monotonic() + 0.5
            feed.went.set()
            yield load


class Load:
    """A service under load, and what its clients see of it."""

    def __init__(self, feed: PacedFeed, readers: Readers) -> None:
        self._feed, self._readers = feed, readers

    def look(self, seconds: float, *, hindered: bool = False) -> dict[str, Any]:
        """Return what candles of the next seconds took until they were read, in milliseconds.

        And the process's memory, in bytes, every few seconds. Where it is `hindered`, a client that
        reads slowly and one that does not read are there all the time: that one is dropped and
        comes again.
        """
        feed, readers, memory = self._feed, self._readers, list[int]()
        if hindered:
            self._hinder("slow")
        # Of a burst, all of a second are due at its start.
        group = INSTRUMENTS if feed.is_burst else 1
        readers.ask("clear", began=feed.began, step=feed.step, group=group)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if hindered:
                self._hinder("dead")
            time.sleep(min(SAMPLE_SECONDS, left))
            memory.append(memory_bytes())
        return readers.ask("look") | {"memory": memory}

    def free(self) -> None:
        """Let those who hinder leave."""
        self._readers.ask("free")

    def _hinder(self, how: str) -> None:
        asked = SUBSCRIBE | {"instruments": NAMES}
        self._readers.ask("hinder", how=how, asked=asked, path="/v1/stream")


def measure_latency(seconds: int, *, is_burst: bool = False) -> dict[str, Any]:
    """Return what candles took until their rows were read, once the service was warm."""
    with streaming(WARM_SECONDS + seconds, is_burst=is_burst) as load:
        load.look(WARM_SECONDS)
        return load.look(seconds)


def measure_hindered(seconds: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what candles took without, and beside, clients that read slowly or not at all.

    Of one service, by turns: each part is warm.
    """
    parts: tuple[list[dict[str, Any]], ...] = [], []
    with streaming(WARM_SECONDS + 2 * TURNS * seconds) as load:
        load.look(WARM_SECONDS)
        for turn in range(2 * TURNS):
            parts[turn % 2].append(load.look(seconds, hindered=turn % 2 == 1))
            load.free()
    return _middle(parts[0]), _middle(parts[1])


def _middle(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the turn whose p99 is the middle one."""
    return sorted(found, key=lambda each: float(each["p99"]))[len(found) // 2]


def memory_bytes() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _print(found: dict[str, Any]) -> None:
    memory = [round(each / 1e6) for each in found["memory"]]
    print(" ".join(f"{name}={found[name]:.1f}" for name in ("p50", "p99", "worst")), found["seen"])
    print("resyncs", found["resyncs"], "MB", memory, found["asked"], flush=True)


if __name__ == "__main__":
    what = sys.argv[1]
    if what == "messages":
        bare, hub, rows, length = measure_messages(None)  # type: ignore[arg-type]
        print(
            f"{MESSAGES * CLIENTS / bare:,.0f} bare messages/s; {bare / hub:.2f} of it as rows of"
        )
        print(f"{length} bytes; {rows:,.0f} rows/s")
    elif what == "hindered":
        for each in measure_hindered(int(sys.argv[2])):
            _print(each)
    else:
        _print(measure_latency(int(sys.argv[2]), is_burst=what == "burst"))
