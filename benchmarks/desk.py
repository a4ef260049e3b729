"""The dashboard in a real browser: first candles, search, panning, live charts, pages opened often.

Server and measuring are in this process, the browser beside it.
"""

from __future__ import annotations

import gc
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import polars as pl

import tallow
from benchmarks.market import CALENDAR
from benchmarks.measure import Figure, Outcome
from benchmarks.settings import Settings
from tallow.core.calendars import load_calendar
from tallow.data.simulate import simulate_blocks, simulated_key
from tallow.serve.service import make_server
from tallow.service.read_settings import read_settings
from tallow.service.service import Service
from tests.devtools import BrowserPage, browsing
from tests.service.program import free_port

INSTRUMENTS, YEAR, START = 2_000, 250, date(2024, 7, 1)
OPENS_PER_ROUND = 20
COLUMNS = ("", "median", "p95 or last", "most")

SEEN = """<script>new MutationObserver((_, watcher) => {
    if (!document.querySelector("[data-part=empty-page]")) return;
    watcher.disconnect();
    requestAnimationFrame(() => performance.mark("seen"));
}).observe(document, {childList: true, subtree: true})</script>"""

SEARCH = """(async () => {
    const input = document.querySelector("[data-part=search]");
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    const times = [];
    for (const text of ["i", "in", "ine", "ine1", "ine", "in", "i", "", "zz", "z", ""]) {
        const began = performance.now();
        input.value = text;
        input.dispatchEvent(new Event("input"));
        await frame();
        times.push(performance.now() - began);
    }
    return times;
})()"""

MOVE = """(async () => {
    const tasks = [];
    new PerformanceObserver((list) => tasks.push(...list.getEntries().map((each) => each.duration)))
        .observe({entryTypes: ["longtask"]});
    const scale = tallow.view.chart.timeScale();
    const times = [];
    let before = await new Promise(requestAnimationFrame);
    for (let k = 0; k < 240; k++) {
        const {from, to} = scale.getVisibleLogicalRange();
        const size = to - from, zooms = k % 120 >= 60, out = k % 240 < 120 ? 0.02 : -0.02;
        const next = zooms ? {from: from - out * size, to} : {from: from - 3, to: to - 3};
        scale.setVisibleLogicalRange(next);
        const now = await new Promise(requestAnimationFrame);
        times.push(now - before);
        before = now;
    }
    return {times, longest: Math.max(0, ...tasks)};
})()"""


CHARTS, CHARTS_SECONDS, CHANGES_A_SECOND = 20, 6, 10
PANNED, FOLLOWED = "frames of panning and zooming", f"frames of {CHARTS} charts, live"

# Many charts on a page, each of an instrument of its own, behind one connection.
FOLLOW = """(async (names) => {
    const {LiveChart} = await import("/desk/static/chart_live.js");
    const {ask} = await import("/desk/static/desk.js");
    const {rowsOf} = await import("/desk/static/stream.js");
    const grid = document.createElement("div");
    grid.style.cssText = "position:fixed;inset:0;z-index:9;display:grid;"
        + "grid-template:repeat(4,1fr)/repeat(5,1fr);background:white";
    document.body.append(grid);
    const views = new Map();
    const columns = new Set(["ema(9)", "ema(50)", "rsi(14)"]);
    for (const name of names) {
        const box = document.createElement("div"), values = document.createElement("div");
        box.style.minWidth = box.style.minHeight = 0;
        grid.append(box);
        box.append(values);
        const view = new LiveChart(box, values, {onRange() {}, onPick() {}});
        view.show(await ask(`/v1/desk/chart/${encodeURIComponent(name)}`,
            {timeframe: "5m", indicators: [...columns].join(","), pixels: 200}));
        views.set(name, view);
    }
    window.followed = {rows: 0, times: [], tasks: []};
    const take = (message, names) => {
        for (const row of rowsOf(message, names)) {
            const view = views.get(row.instrument);
            if (view.times.length) { view.apply(row, columns); followed.rows++; }
        }
    };
    await new Promise((done) => tallow.stream.subscribe("charts",
        {instruments: names, timeframes: ["5m"], indicators: [...columns]},
        {snapshot: (message, names) => { take(message, names); if (!message.more) done(); },
            rows: take}));
    new PerformanceObserver((list) =>
        followed.tasks.push(...list.getEntries().map((each) => each.duration)))
        .observe({entryTypes: ["longtask"]});
    // The first frames draw all that was there before.
    await new Promise((done) => setTimeout(done, 500));
    followed.tasks = [];
    let before = await new Promise(requestAnimationFrame);
    const look = (now) => {
        followed.times.push(now - before);
        before = now;
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
    followed.rows = 0;
    return views.size;
})"""


def _add_empty_page() -> None:
    """Add the empty page of the same server that others are held against."""
    from nicegui import ui

    @ui.page("/empty")
    def empty_page() -> None:
        ui.add_head_html(SEEN)
        ui.label("empty").props("data-part=empty-page")


def measure(settings: Settings) -> Outcome:
    """Measure first candles in turns with an empty page; the rest by itself."""
    _add_empty_page()
    name = simulated_key(0)
    since = (START + timedelta(days=1)).isoformat()
    chart = f"/desk/chart?instrument={quote(name, safe='')}&timeframe=5m&from={since}T00:00Z"
    with (
        _served(settings.market.folder / "desk") as (service, coming, url),
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        browsing(Path(folder)) as page,
    ):
        found: dict[str, list[float]] = {"empty page": [], "chart of a year": []}
        for _ in range(settings.rounds + 1):
            found["empty page"].append(_open(page, f"{url}/desk/empty", "seen"))
            found["chart of a year"].append(_open(page, url + chart, "candles"))
        moved = page.ask(MOVE)
        followed = _follow(page, service, coming)
        _open(page, f"{url}/desk/", "")
        page.see("document.querySelector('.grid-row .number')?.textContent.includes('.')")
        found["search, key press to result"] = page.ask(SEARCH)
        found[PANNED] = moved["times"]
        found[FOLLOWED] = followed["times"]
        opens = OPENS_PER_ROUND * settings.rounds
        grown = {path: _grown(page, url + path, opens) for path in ("/desk/empty", "/desk/")}
    last = {each: sorted(times[1:])[int(0.95 * (len(times) - 1))] for each, times in found.items()}
    rows: list[tuple[str | float, ...]] = [
        (each, median(times[1:]), last[each], max(times[1:])) for each, times in found.items()
    ]
    tasks = max([0, *followed["tasks"]])
    rows.append(("longest task of panning, ms", moved["longest"], "", ""))
    rows.append((f"longest task of {CHARTS} charts, ms", tasks, "", ""))
    rows.append((f"rows that {CHARTS} charts took", followed["rows"], "", ""))
    for path, (memory, files) in grown.items():
        rows.append((f"{opens} opens of {path}: MB, descriptors", memory / 1e6, files, ""))
    first = median(found["chart of a year"][1:]) / median(found["empty page"][1:])
    return Outcome(
        "desk",
        f"Pages in Chromium, in ms: {INSTRUMENTS} instruments, a chart of {YEAR} sessions",
        COLUMNS,
        rows,
        [
            Figure("first candles of a year / empty page", first, "x", 3.0),
            Figure(
                "search of 2,000 instruments",
                max(found["search, key press to result"]),
                "ms",
                100.0,
            ),
            Figure("pan and zoom, frames p95", last[PANNED], "ms", 50.0),
            Figure("pan and zoom, longest task", moved["longest"], "ms", 200.0),
            Figure(f"{CHARTS} charts live, frames p95", last[FOLLOWED], "ms", 50.0),
            Figure(f"{CHARTS} charts live, longest task", tasks, "ms", 200.0),
        ],
    )


@contextmanager
def _served(folder: Path) -> Iterator[tuple[Service, pl.DataFrame, str]]:
    """Serve many instruments, the first with a year; give it, what comes next, and the address."""
    calendar = load_calendar(CALENDAR)
    with tallow.open_store(folder, create=True) as store:
        year = pl.concat(simulate_blocks(1, YEAR, calendar=calendar, start=START))
        last = year["timestamp"].dt.date().max()
        blocks = simulate_blocks(INSTRUMENTS, 2, calendar=calendar, start=last)  # type: ignore[arg-type]
        market = pl.concat(blocks)
        is_old = pl.col("timestamp").dt.date() == last
        others = market.filter(is_old, pl.col("instrument") != simulated_key(0))
        coming = market.filter(~is_old, pl.col("instrument").is_in(_charted()))
        store.write(pl.concat([year, others]), source_timeframe="1m")
        store.flush()
    settings = read_settings(
        store=str(folder),
        timeframes=["5m", "1d"],
        indicators="ema(9), ema(50), rsi(14)",
        port=free_port(),
        log="json",
    )
    with Service(settings) as service:
        server = make_server(service, desk=True)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                time.sleep(0.05)
            yield service, coming, f"http://127.0.0.1:{settings.port}"
        finally:
            server.should_exit = True
            thread.join()


def _charted() -> list[str]:
    return [simulated_key(number) for number in range(1, CHARTS + 1)]


def _follow(page: BrowserPage, service: Service, coming: pl.DataFrame) -> dict[str, Any]:
    """Let candles come to many charts on a page; return its frames, tasks, and rows taken."""
    assert page.ask(f"{FOLLOW}({json.dumps(_charted())})") == CHARTS
    minutes = coming.sort("timestamp").partition_by("timestamp", maintain_order=True)
    for minute in minutes[: CHARTS_SECONDS * CHANGES_A_SECOND]:
        service.live.update(minute)
        time.sleep(1 / CHANGES_A_SECOND)
    found: dict[str, Any] = page.ask("followed")
    return found


def _open(page: BrowserPage, url: str, mark: str) -> float:
    """Open a page, and return after how many milliseconds it had set a mark."""
    page.open("about:blank")
    page.open(url)
    page.see(f"location.href === {json.dumps(url)}")
    if not mark:
        return 0.0
    seen = page.see(f"performance.getEntriesByName('{mark}')[0]?.startTime")
    return float(seen)


def _grown(page: BrowserPage, url: str, opens: int) -> tuple[float, int]:
    """Return by how many bytes and descriptors this process grew while a page was opened often."""
    for _ in range(20):
        _shown(page, url)
    before = _held()
    for _ in range(opens):
        _shown(page, url)
    page.open("about:blank")
    # Pages whose socket has gone are forgotten after the time that a reconnect may take.
    time.sleep(5)
    after = _held()
    return after[0] - before[0], after[1] - before[1]


def _shown(page: BrowserPage, url: str) -> None:
    page.open("about:blank")
    page.open(url)
    page.see("document.querySelector('[data-part=empty-page], .grid-row')")


def _held() -> tuple[int, int]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(list(Path("/proc/self/fd").iterdir()))
