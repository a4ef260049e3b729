"""Goal: a real browser opens the page without an error or a request, and everything is in it.

Method: two instruments, one with a name that would be a script, are compared; headless Chromium
(Debian's; the tests say so where it is not installed) loads the page as a file, and gives back its
document and what its console said. What the console would say is tried on a page that is broken.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from tallow.migrate.compare import Comparison, compare
from tallow.migrate.compare.charts import make_chart
from tallow.migrate.compare.counts import WorstRow
from tallow.migrate.compare.page import render
from tallow.migrate.compare.words import value_text
from tallow.migrate.protocol import Request
from tests.browser import opened
from tests.migrate.compare.answers import Fixed, answer, candles

EVIL = """<script>alert('x')</script>&"q"""
BARS = 60
SERIES = {"close": [100.0 + bar % 9 for bar in range(BARS)]}
AVERAGE = np.linspace(101.0, 103.0, BARS)


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    names = [EVIL, "B"]
    wrong = AVERAGE + np.where(np.arange(BARS) == 40, 3.5, 0.0)
    control = pl.concat([answer(BARS, 0, name, **SERIES, sma_9=AVERAGE) for name in names])
    candidate = pl.concat([answer(BARS, 0, name, **SERIES, sma_9=wrong) for name in names])
    engines = Fixed(control, "old & slow"), Fixed(candidate, "new", bad={"C": ValueError("<b>")})
    request = Request(candles([*names, "C"], 30), indicators="sma(9)")
    return compare(*engines, request, runs=0)


@pytest.fixture(scope="module")
def page(comparison: Comparison) -> str:
    return render(comparison)


def test_a_browser_shows_all_of_it_and_complains_of_nothing(page: str, tmp_path: Path) -> None:
    shown = opened(page, tmp_path)
    assert shown.console == []
    for table in ("series", "causes", "flips", "errors", "instruments"):
        assert f'<table id="{table}"' in shown.document
    assert shown.document.count("<svg") == 2
    assert "alert" not in re.sub(r"&lt;script&gt;alert", "", shown.document)


def test_the_console_would_tell_of_a_request_and_of_a_script(page: str, tmp_path: Path) -> None:
    broken = page.replace("</main>", '<img src="http://127.0.0.1:9/x"><script>1</script></main>')
    text = "\n".join(opened(broken, tmp_path).console)
    assert "http://127.0.0.1:9/x" in text
    assert "script" in text


def test_a_phone_shows_the_page_without_scrolling_it_sideways(page: str, tmp_path: Path) -> None:
    # The page, and each of its tables.
    each = "[document.documentElement, ...document.querySelectorAll('.scroll')]"
    ask = f"document.title = Math.max(...{each}.map(e => e.scrollWidth - e.clientWidth))"
    free = re.sub(r"<meta http-equiv.*?>", "", page)
    asking = free.replace("</body>", f"<script>{ask}</script></body>")
    assert "<title>0</title>" in opened(asking, tmp_path, width=500).document


def test_the_page_fetches_nothing_and_holds_no_script(page: str) -> None:
    assert re.findall(r"(?:src=|href=|url\(|@import)\s*(\S+)", page) == ['"data:,">']
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_what_users_name_is_escaped(page: str, comparison: Comparison) -> None:
    assert EVIL not in page
    assert "old &amp; slow" in page
    assert comparison.candidate.errors == {"C": "ValueError: <b>"}
    assert "ValueError: &lt;b&gt;" in page


def test_the_verdict_comes_first(page: str) -> None:
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).split()
    assert text.index("no-go") < text.index("Series")
    order = [page.index(f'id="{name}"') for name in ("verdict", "causes", "series", "flips")]
    assert order == sorted(order)


def test_drawings_are_well_formed(page: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(drawings) == 2
    for text in drawings:
        titles = ElementTree.fromstring(text).iter("title")
        assert sum(1 for _ in titles) == 50  # 30 bars before the worst, and the 19 behind it


def test_a_chart_shows_the_row_and_breaks_its_lines_at_gaps() -> None:
    nan = np.nan
    row = WorstRow(
        instrument="A",
        series="sma_9",
        weight=1.0,
        causes=(),
        at=2,
        timestamps=np.arange(5, dtype=np.int64) * 300_000_000,
        control=np.array([1.0, 2.0, 3.0, nan, 1.0]),
        candidate=np.array([1.0, 2.0, 1.0, nan, nan]),
        close=np.full(5, 7.0),
    )
    chart = make_chart(row, "Asia/Kolkata")
    # Left 62, right 410, and the values between 138 (1.0) and 10 (3.0).
    assert chart.control == "M62.0 138.0L149.0 74.0L236.0 10.0M410.0 138.0h0.1"
    assert chart.candidate == "M62.0 138.0L149.0 74.0L236.0 138.0"
    assert (chart.marker, chart.time) == (236.0, "1970-01-01 05:40")
    assert chart.bars[3].text == "1970-01-01 05:45\ncontrol none\ncandidate none\nclose 7"
    assert {float(y) for _, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", chart.close)} == {185.0}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-702.25, "-702.25"),
        (99.99999, "100"),
        (0.123456789012, "0.12345679"),
        (1e-12, "1e-12"),
        (1_250_000.0, "1,250,000"),
        (float("1e15"), "1e+15"),
    ],
)
def test_values_are_written_for_readers(value: float, text: str) -> None:
    assert value_text(value) == text
