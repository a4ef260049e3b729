"""Goal: the dashboard's pages show what the service has, follow what changes, and do what they say.

Method: a real browser opens the pages of a real server in this process. What they show is held
against what the live engine and the store say; what they do, against the store and files.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from tallow.migrate.evidence import Totals
from tallow.migrate.flags.setting import read_setting
from tallow.migrate.rollout.controller import Controller
from tallow.migrate.rollout.plan import read_plan
from tallow.migrate.rollout.rollout import Rollout
from tests.devtools import BrowserPage
from tests.migrate.rollout.acting import GOOD, Clock
from tests.service.desk.conftest import Desk, this_minute

LOADED = "window.tallow?.view?.source && document.querySelectorAll('.legend button').length"
ROWS = "document.querySelectorAll('.grid-row').length"


def text(name: str) -> str:
    return f"document.querySelector('[data-part={name}]').textContent"


def open_chart(desk: Desk, page: BrowserPage, name: str, **words: str) -> None:
    query = "".join(f"&{key}={value}" for key, value in words.items())
    page.open(f"{desk.url}/desk/chart?instrument={name.replace('|', '%7C')}{query}")
    page.see(f"window.tallow?.state.instrument === '{name}' && {LOADED}")
    page.see("document.querySelector('[data-part=connection]').dataset.state === 'live'")


def drawn(page: BrowserPage) -> dict[str, Any]:
    """Return the bars that the chart's library has, and the chart's own curves."""
    script = """JSON.stringify({
        times: tallow.view.times, close: tallow.view.candles.close,
        bars: tallow.view.series.candles.data().map((bar) => bar.close ?? null),
        ema: tallow.view.curves.get('ema_9').numbers,
    })"""
    found: dict[str, Any] = json.loads(page.ask(script))
    return found


def test_the_market_shows_and_searches_the_last_bars(desk: Desk, page: BrowserPage) -> None:
    page.open(f"{desk.url}/")
    assert page.see(ROWS) == len(desk.names)
    latest = desk.service.live.latest("5m").sort("instrument")
    shown = [f"{close:,.2f}" for close in latest["close"]]
    cells = "[...document.querySelectorAll('.grid-row')].map((row) => row.children[1].textContent)"
    page.see(f"JSON.stringify({cells}) === '{json.dumps(shown, separators=(',', ':'))}'")
    page.see("document.querySelectorAll('.grid-row polyline').length === 3")
    page.ask("document.querySelector('[data-part=search]').focus()")
    page.type(desk.names[1][-6:].lower())
    page.see(f"{ROWS} === 1")
    assert page.ask(text("count")) == "1 of 3 instruments"
    assert page.ask("location.search").endswith("search=" + desk.names[1][-6:].lower())
    page.press("Enter")
    page.see(f"location.pathname === '/desk/chart' && {LOADED}")
    assert page.ask("tallow.state.instrument") == desk.names[1]


def test_a_screen_is_typed_in(desk: Desk, page: BrowserPage) -> None:
    page.open(f"{desk.url}/desk/")
    page.see(ROWS)
    page.ask("document.querySelector('[data-part=screen]').focus()")
    page.type("clsoe > 1")
    page.press("Enter")
    assert "clsoe" in page.see(text("told"))
    page.ask("document.querySelector('[data-part=screen]').value = ''")
    page.type("close > 0 and ema(50) > 1e9")
    page.press("Enter")
    page.see(f"{ROWS} === 0")
    page.see(f"{text('screened')}.startsWith('0 match')")
    page.ask("document.querySelector('.chip').click()")
    page.see(f"{text('screened')}.includes('in the screen upward, live')")
    page.ask("document.querySelector('[data-part=squeezes]').click()")
    # Its kernel may have to be compiled.
    page.see(f"{text('screened')}.includes('in a squeeze')", 60.0)


def test_what_a_page_does_by_itself_takes_back_nothing_else(desk: Desk, page: BrowserPage) -> None:
    page.open(f"{desk.url}/desk/")
    page.see(ROWS)
    told = page.ask("""import('/desk/static/desk.js').then(async ({ part, tell, tried }) => {
        const seen = [];
        const look = () => seen.push(part('told').textContent);
        tell('for a person'); await tried(() => 1, tell, 'aside'); look();
        await tried(() => 1); look();
        tell('of aside', 'problem', 'aside'); await tried(() => 1); look();
        await tried(() => 1, tell, 'aside'); look();
        return seen.join();
    })""")
    assert told == "for a person,,of aside,"


def test_a_chart_has_the_bits_of_the_store(desk: Desk, page: BrowserPage) -> None:
    name = desk.names[0]
    open_chart(desk, page, name)
    found = drawn(page)
    bars = desk.service.engine.query(name, "5m", indicators="ema(9)").frame.tail(len(found["bars"]))
    assert len(found["bars"]) > 100
    assert found["bars"] == found["close"] == bars["close"].to_list()
    assert found["times"] == bars["timestamp"].dt.epoch("us").to_list()
    assert found["ema"] == bars["ema_9"].to_list()


def test_another_timeframe_and_the_same_view_by_its_link(desk: Desk, page: BrowserPage) -> None:
    name = desk.names[0]
    open_chart(desk, page, name)
    page.ask("document.querySelector('[data-part=timeframes] [value=\"15m\"]').click()")
    page.see("tallow.state.timeframe === '15m' && location.search.includes('timeframe=15m')")
    quarter = 15 * 60 * 1_000_000
    page.see(f"tallow.view.times[1] - tallow.view.times[0] === {quarter}")
    page.ask("tallow.view.chart.timeScale().setVisibleLogicalRange({from: 20, to: 60})")
    since = page.see("location.search.includes('to=') && tallow.state.since")
    link = page.ask("location.href")
    page.open(f"{desk.url}/desk/")
    page.see(ROWS)
    page.open(link)
    page.see(LOADED)
    shown = page.see("tallow.view.timeAt(tallow.view.range.from + 0.5)")
    assert (abs(shown - since) <= quarter, page.ask("tallow.state.timeframe")) == (True, "15m")


def test_a_long_range_is_thinned_to_the_screen(desk: Desk, page: BrowserPage) -> None:
    page.resize(400, 700)
    open_chart(desk, page, desk.names[0])
    page.ask("document.querySelector('[data-part=ranges] [value=All]').click()")
    per = page.see("tallow.view.data.per > 1 && tallow.view.data.per")
    assert page.ask("tallow.view.times.length <= 2 * tallow.view.places")
    highs = desk.service.engine.query(desk.names[0], "5m", indicators="").frame["high"].to_numpy()
    shown = page.ask("tallow.view.candles.high")
    assert shown == [float(highs[k : k + per].max()) for k in range(0, len(highs), per)]


def test_a_live_bar_and_a_correction_arrive(desk: Desk, page: BrowserPage) -> None:
    name = desk.names[1]
    open_chart(desk, page, name)
    desk.candle(name, this_minute(), 123.25)
    page.see("tallow.view.newest.close === 123.25")
    last = desk.service.live.latest("5m", [name])
    page.see(f"{text('values')}.includes('forming') === {str(not last['is_final'][0]).lower()}")
    held = drawn(page)
    assert held["bars"][-1] == 123.25
    assert held["ema"][-1] == last["ema_9"][0]
    earlier = this_minute() - timedelta(minutes=60)
    desk.candle(name, earlier, 1.5)
    page.see("tallow.view.corrected.size === 1 && tallow.view.candles.low.includes(1.5)")
    place = page.ask("[...tallow.view.corrected][0]")
    bars = desk.service.engine.query(name, "5m", indicators="ema(9)").frame
    assert page.ask("tallow.view.candles.low.indexOf(1.5)") == place
    ema = bars["ema_9"].tail(len(held["ema"])).to_list()
    page.see(f"tallow.view.curves.get('ema_9').numbers.at(-1) === {ema[-1]!r}")
    # The store knows it, too, for whoever comes later.
    open_chart(desk, page, name)
    page.see("tallow.view.corrected.size === 1")


def test_a_value_is_explained(desk: Desk, page: BrowserPage) -> None:
    name = desk.names[0]
    open_chart(desk, page, name)
    # The crosshair says which bar is told of.
    at = "({ logical: 100, point: {} })"
    time = page.ask(f"tallow.view.onCross{at}, tallow.view.times[100]")
    page.ask("document.querySelector('[data-column=rsi_14]').click()")
    value = page.see("document.querySelector('aside .value')?.textContent")
    bars = desk.service.engine.query(name, "5m", indicators="rsi(14)").frame
    row = bars.filter(pl.col("timestamp").dt.epoch("us") == time)
    assert float(value) == row["rsi_14"][0]
    assert "textbook" in page.ask("document.querySelector('aside').textContent")


def test_an_indicator_is_picked_by_its_declaration(desk: Desk, page: BrowserPage) -> None:
    name = desk.names[2]
    open_chart(desk, page, name, indicators="none")
    page.ask("document.querySelector('[data-part=picker] summary').click()")
    page.see("document.querySelector('.choice')")
    page.ask("document.querySelector('[data-part=picker-list] input').focus()")
    page.type("macd")
    page.see("document.querySelectorAll('.choice').length < 5")
    page.ask("document.querySelector('.choice').click()")
    assert page.see("document.querySelectorAll('.parameters label').length") >= 3
    page.ask("document.querySelector('.parameters [type=submit]').click()")
    page.see("tallow.view.curves?.has('macd_12_26_9')")
    shown = page.ask("tallow.view.curves.get('macd_12_26_9').numbers.at(-1)")
    bars = desk.service.engine.query(name, "5m", indicators="macd").frame
    assert shown == bars["macd_12_26_9"][-1]
    # The live engine does not compute it: it is asked for again.
    desk.candle(name, this_minute(), 77.75)
    page.see("tallow.view.newest.close === 77.75")
    bars = desk.service.engine.query(name, "5m", indicators="macd").frame
    page.see(
        f"tallow.view.curves.get('macd_12_26_9').numbers.at(-1) === {bars['macd_12_26_9'][-1]!r}"
    )


def test_a_lost_connection_comes_back_and_nothing_is_missing(desk: Desk, page: BrowserPage) -> None:
    name = desk.names[0]
    open_chart(desk, page, name)
    page.ask("tallow.stream.delay = 300; tallow.stream.socket.close()")
    page.see("document.querySelector('[data-part=connection]').dataset.state !== 'live'")
    desk.candle(name, this_minute(), 246.5)
    page.see("document.querySelector('[data-part=connection]').dataset.state === 'live'")
    page.see("tallow.view.newest.close === 246.5")
    page.see("tallow.view.series.candles.data().at(-1).close === 246.5")


def test_a_wrong_key_is_refused_and_a_good_one_taken(desk: Desk, page: BrowserPage) -> None:
    page.ask("sessionStorage.clear()")
    page.open(f"{desk.url}/desk/")
    page.see("document.querySelector('[data-part=sign-in]').open")
    assert page.ask(ROWS) == 0
    page.ask("document.querySelector('[data-part=sign-in-key]').focus()")
    page.type("tallow_wrong")
    page.press("Enter")
    assert "not known" in page.see(text("sign-in-problem"))
    page.type(desk.keys["read"])
    page.press("Enter")
    page.see(f"{ROWS} === {len(desk.names)} && !document.querySelector('[data-part=sign-in]').open")
    page.see("document.querySelector('[data-part=connection]').dataset.state === 'live'")


class FewErrors:
    """Evidence of calls of which one failed."""

    def totals(self, _experiment: str, _since: datetime, _until: datetime) -> Totals:
        return replace(GOOD, errors=1)


def test_a_rollout_is_reverted_by_an_admin_alone(desk: Desk, page: BrowserPage) -> None:
    plan, clock = read_plan(desk.plan), Clock(datetime.now(UTC) - timedelta(hours=1))
    Rollout(plan, "me", clock).start()
    clock.wait(plan.stages[0].interval_seconds + 1)
    Controller(plan, FewErrors(), "me", clock).step()
    flags = desk.plan.with_name("flags.toml")
    assert str(read_setting(flags, "new-engine")) != "off"

    def press_revert() -> None:
        page.open(f"{desk.url}/desk/migration")
        page.see("document.querySelector('[data-act=revert]')")
        page.ask("document.querySelector('[data-act=revert]').click()")
        page.type("wrong VWAP")
        page.ask("document.querySelector('[data-part=confirm-do]').click()")

    page.ask(f"sessionStorage.setItem('tallow.key', '{desk.keys['read']}')")
    press_revert()
    rows = "[...document.querySelectorAll('[data-part=gates] tr')]"
    row = page.see(f"{rows}.find((row) => row.innerText.startsWith('errors')).innerText")
    assert row.split("\t") == ["errors", "success: 0.5000% (1 of 200 calls)", "0.01", "0.01"]
    assert "admin" in page.see(text("confirm-problem"))
    assert str(read_setting(flags, "new-engine")) != "off"
    page.ask(f"sessionStorage.setItem('tallow.key', '{desk.keys['admin']}')")
    press_revert()
    page.see(f"{text('state')}.includes('reverted')")
    assert str(read_setting(flags, "new-engine")) == "off"
    assert "wrong VWAP" in page.see(text("log"))


def test_operations_show_the_service_and_mend_a_row(desk: Desk, page: BrowserPage) -> None:
    opened = this_minute() - timedelta(minutes=200)
    name = desk.names[2]
    row = {"instrument": name, "timestamp": opened, "open": 10.0, "high": 5.0, "low": 9.0}
    desk.service.live.update(pl.DataFrame([row | {"close": 9.5, "volume": 1.0}]))
    page.open(f"{desk.url}/desk/operations")
    assert page.see("document.querySelectorAll('.tile').length") == 10
    page.see("document.querySelector('[data-part=echart-here] canvas')")
    assert page.see("document.querySelectorAll('[data-part=coverage] tbody tr').length") >= 1
    page.see("document.querySelector('[data-cell=high]')")
    page.ask("document.querySelector('[data-cell=high]').value = '10.5'")
    page.ask("document.querySelector('[data-part=quarantine] td button').click()")
    page.see(f"{text('told')}.includes('is a candle')")
    kept = desk.service.store.read(name).filter(pl.col("timestamp") == opened)
    assert kept["high"].to_list() == [10.5]


def test_operations_send_a_test_of_alerts(desk: Desk, page: BrowserPage) -> None:
    """The service of these pages has no sink: the page says what to set."""
    page.open(f"{desk.url}/desk/operations")
    page.see("typeof document.querySelector('[data-part=alerts-test]')?.onclick === 'function'")
    page.ask("document.querySelector('[data-part=alerts-test]').click()")
    page.see(f"{text('told')}.includes('name one in the settings alerts_webhook')")
    page.see("!document.querySelector('[data-part=alerts-test]').disabled")


@pytest.mark.parametrize("path", ["", "chart", "migration", "operations"])
def test_pages_fit_a_phone_in_both_looks(desk: Desk, page: BrowserPage, path: str) -> None:
    page.resize(390, 844)
    page.open(f"{desk.url}/desk/{path}")
    page.see("document.querySelector('[data-part=look]')")
    page.see("document.querySelector('.grid-row, .legend button, .stages, .tile')")
    assert page.ask("document.documentElement.scrollWidth") == 390
    looks = []
    for _ in range(2):
        page.ask("document.querySelector('[data-part=look]').click()")
        looks.append(page.ask("getComputedStyle(document.body).backgroundColor"))
    assert np.unique(looks).size == 2
