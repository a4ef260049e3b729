"""Goal: in a notebook a result shows what is in it and what was left out, and no text of a file
becomes part of the page.

Method: candles with a row that breaks a rule, of an instrument and in a file whose names are HTML,
are shown as a notebook would, and read back by an HTML parser.
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tallow
from tallow.data.ingest.documents import ingest

NAME = "<script>A&B</script>"


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def candles() -> pl.DataFrame:
    times = [f"2025-06-02T09:{minute}:00+05:30" for minute in range(15, 25)]
    price = [float(100 + k) for k in range(10)]
    high = [99.0, *price[1:]]
    columns = {"open": price, "high": high, "low": price, "close": price, "volume": [5] * 10}
    return pl.DataFrame({"symbol": [NAME] * 10, "ts": times, **columns})


def test_results_show_their_counts_and_tables() -> None:
    read = tallow.read_candles(candles())
    result = tallow.AnalyticsEngine("XNSE").process_candles(read, "5m", "sma(1)")
    update = tallow.LiveEngine("5m", "sma(1)", calendar="XNSE").update(candles())
    shown: dict[str, Any] = {
        "Candles(9 x 1m, 1 instrument": read,
        "ProcessingResult(2 bars, 1 output": result,
        "LiveUpdate(2 of 5m; 1 quarantined)": update,
    }
    for title, each in shown.items():
        page = Page(each._repr_html_())
        assert title in page.text
        assert NAME in page.text
        assert "script" not in page.tags
        assert {"p", "table"} <= page.tags
    for each in list(shown.values())[:2]:
        assert "quarantined: high_below_low 1" in Page(each._repr_html_()).text


def test_reports_and_outputs_are_shown_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = tallow.AnalyticsEngine("XNSE").process_candles(candles(), "5m", "sma(1)")
    # A slash would make it a folder; a closing tag has one.
    file = Path("<script>.csv")
    candles().write_csv(file)
    with tallow.open_store("store", create=True) as store:
        written = store.write(candles(), source_timeframe="1m")
        ingested = ingest(store, file, source_timeframe="1m", adjustment="raw")
    shown: dict[str, Any] = {
        "RunReport(2 bars of 10 rows)": result.report,
        "IndicatorSet(sma_1; 2 rows)": result.indicators,
        "WriteReport(10 rows: 9 new, 0 identical, 0 revised, 1 quarantined)": written,
        "IngestReport(1 file: 0 new, 9 identical, 0 revised, 1 quarantined)": ingested,
    }
    for title, each in shown.items():
        page = Page(each._repr_html_())
        assert title in page.text
        assert "<script>" in page.text
        assert "script" not in page.tags
        assert {"p", "table"} <= page.tags
