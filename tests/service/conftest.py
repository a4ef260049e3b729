"""What tests of the service share: a market in a store, and a service over it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tallow
from tallow.core.calendars import load_calendar
from tallow.service.read_settings import read_settings
from tallow.service.service import Service
from tests.frames import simulate_candles

Serve = Callable[[pl.DataFrame], Service]


@pytest.fixture(scope="session")
def market() -> pl.DataFrame:
    """Return real candles of five instruments; where there are none, simulated ones."""
    folder = os.environ.get("TALLOW_REFERENCE_DATA")
    if folder:
        return tallow.read_candles(Path(folder) / "data" / "candles_1m.csv").frame
    return simulate_candles(5, 4, calendar=load_calendar("XNSE"), start=date(2025, 6, 2))


@pytest.fixture(scope="module")
def service(market: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return a service that nobody writes to."""
    with opened(market, tmp_path_factory.mktemp("store")) as service:
        # What the feed's thread does a moment later, whichever test runs then.
        service.live.catch_up()
        service.live.advance(datetime.now(UTC))
        yield service


@pytest.fixture
def own_service(market: pl.DataFrame, tmp_path: Path) -> Iterator[Service]:
    """Return a service for a test that writes."""
    with opened(market, tmp_path / "candles") as service:
        yield service


def opened(candles: pl.DataFrame, folder: Path, **more: Any) -> Service:
    """Return a service over candles, not entered yet; `more` are settings."""
    with tallow.open_store(folder, create=True) as store:
        store.write(candles, source_timeframe="1m")
    # By this name an application is asked without a network.
    hosts = ["testserver"]
    return Service(read_settings(store=str(folder), timeframes=["5m", "15m"], hosts=hosts, **more))


def compute_here(service: Service) -> None:
    """Let a service compute in this process: a worker takes seconds to start."""

    async def compute(function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.to_thread(function, service.engine, *arguments)

    service.compute = compute  # type: ignore[method-assign]
