"""Goal: a service is ready, or says each reason why it is not; and bars are timed from their close.

Method: services without a server, one for each reason, and a feed whose candles close now.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow.core.errors import StoreError
from tallow.data.feeds.feed import Feed, FeedBatch
from tallow.data.feeds.idle import IdleFeed
from tallow.service.read_settings import read_settings
from tallow.service.readiness import ready_parts, reasons
from tallow.service.service import Service
from tallow.service.settings import ServiceSettings
from tests.service.asking import Client
from tests.service.inside import wait_until


def settings_for(folder: Path, **more: object) -> ServiceSettings:
    said: dict[str, object] = {"timeframes": ["1m"], "indicators": "", "calendar": "24/7"}
    return read_settings(None, store=str(folder / "store"), **said, **more)


def test_a_service_is_ready_and_stopping_is_said_alone(tmp_path: Path) -> None:
    with Service(settings_for(tmp_path)) as service:
        assert reasons(service) == []
        service.is_stopping = True
        assert reasons(service) == ["stopping"]


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    with Service(settings_for(tmp_path, disk_free_min=10**18)) as service:
        (found,) = reasons(service)
        assert ready_parts(service) == {"feed": 1.0, "live": 1.0, "store": 1.0, "disk": 0.0}
    assert found.startswith("disk: free=")
    assert found.endswith(" bytes; must be at least 1,000,000,000,000,000,000")


def test_a_store_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise StoreError("candles: read-only")

    with Service(settings_for(tmp_path)) as service:
        monkeypatch.setattr(service.store, "require_writable", refuse)
        assert reasons(service) == ["store: candles: read-only"]


class LateFeed(IdleFeed):
    """Gives one candle of the minute before this one, and says that it came late."""

    def __init__(self) -> None:
        super().__init__()
        opened = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)
        row = {"instrument": "A", "timestamp": opened, "volume": 1.0}
        prices = dict.fromkeys(("open", "high", "low", "close"), 1.0)
        self._frame: pl.DataFrame | None = pl.DataFrame(row | prices)

    def receive(self, timeout: float) -> FeedBatch | None:
        frame, self._frame = self._frame, None
        if frame is None:
            return super().receive(timeout)
        self._meter.note(connected=True, lag_seconds=90.0)
        return FeedBatch("candles", frame, round(time.time() * 1e6))


class LateService(Service):
    def _open_feed(self) -> Feed:
        return LateFeed()


def test_a_feed_that_lags_is_said_and_its_bar_is_timed_from_its_close(tmp_path: Path) -> None:
    with LateService(settings_for(tmp_path)) as service:
        wait_until(lambda: service.watch.statistics.health.lag_seconds is not None)
        assert reasons(service) == ["feed: lag_seconds=90.0; must be at most 60"]
        wait_until(lambda: sum(service.measures.durations("visible", ["1m"])["1m"].counts) == 1)
        # The minute closed when this one began, so less than one before it was seen, or just so.
        assert 0.0 < service.measures.durations("visible", ["1m"])["1m"].seconds < 65.0


def test_after_a_replay_it_is_ready_and_takes_what_clients_write(tmp_path: Path) -> None:
    opened = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=1)
    prices = dict.fromkeys(("open", "high", "low", "close"), 1.0)
    row: dict[str, Any] = {"instrument": "A", "volume": 1.0} | prices
    replayed = pl.DataFrame(row | {"timestamp": datetime(2025, 6, 2, 9, tzinfo=UTC)})
    replayed.write_parquet(tmp_path / "one.parquet")
    feed = {"feed": f"replay:{tmp_path / 'one.parquet'}", "speed": 0, "state": tmp_path / "state"}
    settings = settings_for(tmp_path, **feed, hosts=["localhost"])
    with Service(settings) as service:
        wait_until(lambda: service.watch.is_over)
        client = Client(service)
        answer = client.get("/readyz")
        assert answer.json() == {"status": "ready", "notes": ["feed: was read to its end"]}
        body = [row | {"timestamp": opened.isoformat()}]
        assert client.ask("POST", "/v1/candles", json=body).json()["new"] == 1
        # Its bar closes by the clock, or had closed: it was timed in either thread.
        wait_until(lambda: sum(service.measures.durations("visible", ["1m"])["1m"].counts) == 1)
    with Service(settings) as service:
        wait_until(lambda: service.watch.is_over)
        assert service.watch.statistics.rows_in == 0
