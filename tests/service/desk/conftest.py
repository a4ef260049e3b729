"""What tests of the dashboard share: a service with keys and a rollout, and a browser.

Both end with the module: a service that goes on would look at stores, and draw random numbers,
amid the tests of others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import tallow
from tallow.core.calendars import load_calendar
from tallow.migrate.rollout.plan import EXAMPLE
from tallow.service.keys.key_file import KeyFile
from tallow.service.read_settings import read_settings
from tallow.service.service import Service
from tests.devtools import BrowserPage, browsing
from tests.frames import simulate_candles
from tests.service.inside import serving

SCREENS = '[upward]\ncondition = "close > ema(9)"\n'


@dataclass
class Desk:
    """A service with its pages."""

    service: Service
    url: str
    keys: dict[str, str]
    plan: Path
    names: list[str]

    def candle(self, name: str, opened: datetime, price: float) -> None:
        """Let a flat candle come."""
        row = {"instrument": name, "timestamp": opened, "volume": 5.0}
        row |= dict.fromkeys(("open", "high", "low", "close"), price)
        self.service.live.update(pl.DataFrame([row]))


def this_minute() -> datetime:
    """Return when the minute began: the bar that it is in forms still."""
    return datetime.now(UTC).replace(second=0, microsecond=0)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return a service whose market goes on to this minute."""
    pytest.importorskip("nicegui", reason="nicegui is not installed: there are no pages")
    folder = tmp_path_factory.mktemp("desk")
    now = this_minute()
    start = now.date() - timedelta(days=2)
    market = simulate_candles(3, 3, calendar=load_calendar("24/7"), start=start)
    market = market.filter(pl.col("timestamp") < now - timedelta(minutes=3))
    with tallow.open_store(folder / "candles", create=True) as store:
        store.write(market, source_timeframe="1m")
    plan, screens = folder / "rollout.toml", folder / "screens.toml"
    plan.write_text(EXAMPLE)
    screens.write_text(SCREENS)
    file = KeyFile(folder / "keys.json")
    keys = {role: file.create(role, role, None)[1] for role in ("read", "admin")}
    settings = read_settings(
        store=str(folder / "candles"),
        calendar="24/7",
        timeframes=["5m", "15m", "1d"],
        indicators="ema(9), ema(50), rsi(14)",
        keys=file.path,
        rollout=plan,
        screens=screens,
    )
    with serving(settings, desk=True) as (service, address):
        service.live.catch_up()
        names = sorted(service.live.names)
        yield Desk(service, f"http://{address}", keys, plan, names)


@pytest.fixture(scope="module")
def browser(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserPage]:
    """Return a tab of a browser, which has been on the service."""
    with browsing(tmp_path_factory.mktemp("browser")) as page:
        page.open(f"{desk.url}/healthz")
        page.see("document.contentType === 'application/json'")
        yield page


@pytest.fixture
def page(desk: Desk, browser: BrowserPage, request: pytest.FixtureRequest) -> Iterator[BrowserPage]:
    """Return the tab with an admin signed in; no script on its pages may have failed.

    What it shows at the end of a test is kept where somebody asks for pictures.
    """
    browser.console.clear()
    browser.resize(1280, 800)
    browser.ask(f"sessionStorage.setItem('tallow.key', '{desk.keys['admin']}')")
    yield browser
    if folder := os.environ.get("TALLOW_TEST_PICTURES"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.picture(Path(folder) / f"{request.node.name}.png")
    assert browser.console == []
