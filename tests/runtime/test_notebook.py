"""Goal: in a notebook a result shows what is in it and what was left out, and no text of a file
becomes part of the page.

Method: candles with a row that breaks a rule, of an instrument whose name is HTML, shown as a
notebook would, are read back by an HTML parser.
"""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import polars as pl

import tallow

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
        "Candles(9 x 1m, 1 instruments": read,
        "ProcessingResult(2 bars, 1 outputs": result,
        "LiveUpdate(2 of 5m)": update,
    }
    for title, each in shown.items():
        page = Page(each._repr_html_())
        assert title in page.text
        assert NAME in page.text
        assert "script" not in page.tags
        assert {"p", "table"} <= page.tags
    for each in list(shown.values())[:2]:
        assert "quarantined: high_below_low 1" in Page(each._repr_html_()).text
