"""What the feeds' tests share: candles as messages, quick retries, and a Redis server."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import polars as pl
import pytest
import redis

from tallow.data.feeds import waiting
from tallow.data.feeds.feed import Feed, FeedBatch

PATIENCE_SECONDS = 30.0
"""How long a test waits for what must come; it comes in milliseconds."""

Key = tuple[Any, Any]


def message(row: dict[str, Any], **more: Any) -> str:
    """Return a candle as a broker would send it."""
    return json.dumps(row | {"timestamp": row["timestamp"].isoformat()} | more)


def keyed(frame: pl.DataFrame) -> dict[Key, tuple[Any, ...]]:
    """Return each candle's values by its key."""
    return {(row[0], row[1]): row[2:] for row in frame.iter_rows()}


def read_until(feed: Feed, enough: Callable[[], bool], take: Callable[[FeedBatch], object]) -> None:
    """Give all batches to `take` until it was enough."""
    end = monotonic() + PATIENCE_SECONDS
    while not enough():
        assert monotonic() < end, f"what was waited for did not come: {feed.health}"
        batch = feed.receive(timeout=0.05)
        if batch is not None:
            take(batch)
            feed.acknowledge(batch)


def wait_until(happened: Callable[[], bool]) -> None:
    """Wait for what another thread or process does."""
    end = monotonic() + PATIENCE_SECONDS
    while not happened():
        assert monotonic() < end, "what was waited for did not happen"
        sleep(0.001)


def read_batches(feed: Feed, count: int) -> list[FeedBatch]:
    """Read and acknowledge `count` batches."""
    found: list[FeedBatch] = []
    read_until(feed, lambda: len(found) >= count, found.append)
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again after milliseconds."""
    monkeypatch.setattr(waiting, "FEED_RETRY_SECONDS", 0.005)
    monkeypatch.setattr(waiting, "FEED_RETRY_SECONDS_MAX", 0.05)


class RedisServer:
    """A real server in a temporary folder, on a socket there, that writes each entry to disk."""

    def __init__(self, program: str) -> None:
        self._program = program
        self.folder = Path(tempfile.mkdtemp(prefix="redis"))
        self.url = f"unix://{self.folder}/socket"
        self.alive = False
        self.start()

    def start(self) -> None:
        durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
        place = ("--port", "0", "--unixsocket", f"{self.folder}/socket", "--dir", str(self.folder))
        self._process = subprocess.Popen(
            [self._program, *place, *durable], stdout=subprocess.DEVNULL
        )
        wait_until(self._answers)
        self.alive = True

    def kill(self) -> None:
        """End the server as a power cut would."""
        self._process.kill()
        self._process.wait()
        self.alive = False

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, protocol=2)

    def _answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.exceptions.ConnectionError:
                return False


@pytest.fixture(scope="module")
def redis_process() -> Iterator[RedisServer]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no Redis server is installed (Debian's package: redis-server)")
    server = RedisServer(program)
    yield server
    server.remove()


@pytest.fixture
def redis_server(redis_process: RedisServer) -> RedisServer:
    """Return the server, empty."""
    with redis_process.client() as client:
        client.flushall()
    return redis_process
