"""Goal: the page is one file that a browser opens without a network, at any width, and its candles
are those of the frame, bit for bit; nothing that came with the data runs in it.

Method: an instrument whose name would be a script is drawn; headless Chromium (the tests say so
where it is not installed) opens the page as a file, and the chart's own series give back what they
hold. Around that, the page and its data are read as text.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import tallow
from tallow.plots import page
from tallow.plots.page import LIBRARY, LIBRARY_SHA256
from tests.browser import opened
from tests.plots.bars import EVIL, candles_of, simulated

PRICES = ["open", "high", "low", "close"]
INDICATORS = "ema(9), supertrend(3, 1), ichimoku(1, 2, 2), macd, heikin_ashi, cdl_engulfing"
# The library takes what a mouse does in the first half second for the echo of a touch.
ASK = """
setTimeout(() => {
const point = (each) => ["open", "high", "low", "close", "value"].map((name) => each[name] ?? null);
const read = (series) => series.data().map((each) => [each.time, ...point(each)]);
const told = {
  candles: read(tallow.candles),
  curves: Object.fromEntries(
    Object.entries(tallow.curves).map(([name, each]) => [name, read(each)])),
  times: Array.from(tallow.times),
  scales: tallow.data.panes.map((each) => each.scale),
  panes: tallow.chart.panes().length,
  legends: Array.from(document.querySelectorAll(".legend"), (each) => each.textContent),
  wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  link: document.getElementById("tv-attr-logo").href,
  evil: window.evil ?? null,
  title: document.querySelector("h1").textContent,
};
const area = tallow.chart.panes()[0].getHTMLElement().getBoundingClientRect();
const at = { bubbles: true, view: window, clientY: area.top + 60 };
at.clientX = area.left + tallow.chart.timeScale().logicalToCoordinate(told.times.length - 5);
const under = document.elementFromPoint(at.clientX, at.clientY);
for (const kind of ["mouseenter", "mousemove"]) under.dispatchEvent(new MouseEvent(kind, at));
told.crosshair = Array.from(document.querySelectorAll(".legend"), (each) => each.textContent);
const answer = document.createElement("pre");
answer.id = "answer";
answer.textContent = JSON.stringify(told);
document.body.append(answer);
}, 1500);
"""


class Scripts(HTMLParser):
    """The scripts of a page as a browser separates them, by their attributes; and all tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "script":
            self.found.append((dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and self.found[-1][1] == "":
            self.found[-1] = (self.found[-1][0], data)


def hashed(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def asked(text: str, folder: Path, width: int) -> Any:
    """Return what the page tells a script that its policy is made to let run."""
    allowed = text.replace("script-src ", f"script-src {hashed(ASK)} ", 1)
    shown = opened(allowed.replace("</body>", f"<script>{ASK}</script></body>"), folder, width)
    assert shown.console == []
    found = re.search(r'<pre id="answer">(.*?)</pre>', shown.document, re.DOTALL)
    assert found is not None
    return json.loads(unescape(found[1]))


def assert_is_the_frame(told: Any, result: tallow.runtime.results.ProcessingResult) -> None:
    """Compare what the page's series hold with the frame, bit for bit."""
    frame = result.frame
    candles = np.array(told["candles"], dtype=np.float64)[: len(frame)]
    assert candles[:, 0].tolist() == list(range(len(frame)))
    np.testing.assert_array_equal(
        (candles[:, 1:5] / told["scales"][0]).view(np.int64),
        frame.select(PRICES).to_numpy().view(np.int64),
    )
    assert told["times"] == frame["timestamp"].dt.epoch("us").to_list()
    values = {row: value for row, *_, value in told["curves"]["volume"]}
    assert values == dict(enumerate(frame["volume"].to_list()))


@pytest.mark.parametrize("width", [500, 1400])
def test_candles_read_back_from_a_browser_are_those_of_the_frame(
    width: int, tmp_path: Path
) -> None:
    candles = simulated(2, EVIL)
    if width == 1400:
        # Prices of a coin, none a round number, and too small for the library's scales.
        candles = candles.with_columns(pl.col(*PRICES) * 1.1e-11)
    result = tallow.AnalyticsEngine().process_candles(candles, "5m", INDICATORS)
    told = asked(result.plot().to_html(), tmp_path, width)
    assert_is_the_frame(told, result)
    scale = told["scales"][0]
    assert (scale == 1.0) == (width == 500)
    found = told["curves"]["ema_9"]
    average = {row: value / scale for row, *_, value in found if value is not None}
    known = result.frame["ema_9"].to_list()
    assert average == {row: value for row, value in enumerate(known) if value is not None}
    made = result.frame.select(f"ha_{name}" for name in PRICES).to_numpy()
    smoothed = np.array(told["curves"]["heikin_ashi"])[: len(made), 1:5].astype(np.float64)
    np.testing.assert_array_equal(smoothed / told["scales"][3], made)
    found = told["curves"]["ichimoku_span_a_1_2_2"]
    later = {row - 1: value / scale for row, *_, value in found if value is not None}
    span = result.frame["ichimoku_span_a_1_2_2"].to_list()
    assert [later[row] for row in range(1, len(span))] == span[1:]
    assert told["panes"] == 4
    assert told["wide"] <= 0
    assert told["evil"] is None
    assert told["title"].startswith("</script><script>window.evil")
    assert told["link"].startswith("https://www.tradingview.com/")
    assert told["legends"][0].startswith("15 Jul 2025 15:25")
    assert "forming" in told["legends"][0]
    assert told["legends"][1].startswith("volume")
    assert told["crosshair"][0].startswith("15 Jul 2025 15:05")
    units = f"{result.frame['volume'][-5] / 1e3:.2f}".rstrip("0").rstrip(".")
    assert told["crosshair"][1] == f"volume {units}K"


def plain() -> str:
    candles = candles_of([2.0, 3.0, 4.0], [1.0, 2.0, 3.0], EVIL)
    return tallow.AnalyticsEngine().process_candles(candles, "1m", "sma(2)").plot().to_html()


def test_a_page_holds_its_scripts_and_lets_no_other_run() -> None:
    text, kept = plain(), files("tallow.plots")
    library = kept.joinpath("vendor", LIBRARY).read_text("utf-8")
    parts, script = (kept.joinpath(name).read_text("utf-8") for name in ("parts.js", "page.js"))
    scripts = Scripts(text).found
    assert [about.get("type") for about, _ in scripts] == ["application/json", None, None, None]
    assert [body for _, body in scripts[1:]] == [library, parts, script]
    assert f"script-src {hashed(library)} {hashed(parts)} {hashed(script)};" in text
    assert "default-src 'none'" in text
    assert "window.evil = 1</script" not in text


def test_a_page_fetches_nothing() -> None:
    around = re.sub(r"<script.*?</script>", "", plain(), flags=re.DOTALL)
    fetched = re.findall(r"(?:src=|href=|url\(|@import)\s*(\S+)", around)
    assert fetched == ['"data:,">', '"https://www.tradingview.com/"']
    assert Scripts(around).tags.count("a") == 1


def test_data_are_the_bytes_of_the_frame() -> None:
    candles = candles_of([2.1, 3.3, 4.7], [1.1, 2.2, 3.4])
    result = tallow.AnalyticsEngine().process_candles(candles, "1m", "sma(2)")
    data = json.loads(page.data_text(result.plot().drawing))
    for name in PRICES:
        read = np.frombuffer(base64.b64decode(data["candles"][name]), "<f8")
        np.testing.assert_array_equal(read, result.frame[name].to_numpy())
    (average,) = data["panes"][0]["curves"]
    read = np.frombuffer(base64.b64decode(average["values"]), "<f8")
    np.testing.assert_array_equal(read, [np.nan, *result.frame["sma_2"].to_list()[1:]])


def test_the_library_is_the_one_that_was_published_with_its_notice() -> None:
    vendor = files("tallow.plots").joinpath("vendor")
    library = vendor.joinpath(LIBRARY).read_bytes()
    assert hashlib.sha256(library).hexdigest() == LIBRARY_SHA256
    # A carriage return, or bytes that are no UTF-8, would have another hash in the page.
    assert library.decode("utf-8").encode() == library
    assert b"\r" not in library
    assert b"</script" not in library.lower()
    assert "Copyright (c) 2026 TradingView, Inc." in vendor.joinpath("NOTICE.txt").read_text(
        "utf-8"
    )
    assert "Apache License" in vendor.joinpath("LICENSE.txt").read_text("utf-8")
    assert "TradingView Lightweight Charts™" in plain()


def test_a_notebook_shows_the_page_in_a_frame_of_its_own() -> None:
    candles = candles_of([2.0, 3.0], [1.0, 2.0], EVIL)
    plot = tallow.AnalyticsEngine().process_candles(candles, "1m", "").plot()
    shown = plot._repr_html_()
    assert Scripts(shown).tags == ["iframe"]
    (held,) = re.findall(r'srcdoc="([^"]*)"', shown)
    assert unescape(held) == plot.to_html()
    assert 'sandbox="allow-scripts allow-popups"' in shown
