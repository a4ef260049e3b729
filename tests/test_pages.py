"""Goal: the pages on feeds and on the environment say what the code does.

Method: messages on the page are read as a feed reads them, its tables of names are compared with
the names that are understood, and variables with those that the source names.
"""

from __future__ import annotations

import re
from pathlib import Path

from tallow.data.feeds.batches import batches_of
from tallow.data.feeds.health import Meter
from tallow.data.feeds.messages import TICK_ALIASES, Message, read_messages
from tallow.data.reading.schema import ALIASES, SEQUENCE
from tests.frames import moment

ROOT = Path(__file__).resolve().parent.parent
FEEDS = (ROOT / "docs" / "feeds.md").read_text("utf-8")


def names(field: str) -> list[tuple[str, ...]]:
    """Return the names in the page's rows that begin so, as code shows them."""
    rows = re.findall(rf"^\| {field}[^|]*\|([^|]*)\|$", FEEDS, re.MULTILINE)
    return [tuple(re.findall(r"`(\w+)`", row)) for row in rows]


def test_messages_of_the_page_are_read_as_it_says() -> None:
    candle, trade, quote = re.findall(r"```json\n(.*?)```", FEEDS, re.DOTALL)
    meter = Meter()
    messages = [Message(text, 1, 1) for text in (candle, trade, quote)]
    batches = batches_of(read_messages(messages, meter, None))
    (bar,), ticks = batches[0].frame.rows(), [row for b in batches[1:] for row in b.frame.rows()]
    opened = moment("2025-07-18T09:15+05:30")
    assert bar == ("RAYMOND", opened, 711.0, 712.5, 710.2, 712.0, 1840.0)
    traded = moment("2025-07-18T09:15:00.250+05:30")
    assert ticks == [("RAYMOND", traded, 711.4, 25.0), ("RAYMOND", traded, 711.4, 61840.0)]
    assert [batch.kind for batch in batches] == ["candles", "ticks", "ticks"]
    assert meter.health.rejected == 0


def test_the_names_of_the_page_are_those_that_are_understood() -> None:
    assert names("instrument ") == [ALIASES["instrument"]]
    assert names("time of the open") == [ALIASES["timestamp"]]
    assert names("volume ") == [ALIASES["volume"], TICK_ALIASES["day_volume"]]
    prices = tuple(name for field in ("open", "high", "low", "close") for name in ALIASES[field])
    assert names("prices") == [prices]
    assert names("open interest") == [ALIASES["open_interest"]]
    assert names("number of the version") == [SEQUENCE]
    assert names("price ") == [TICK_ALIASES["price"]]
    assert names("quantity ") == [TICK_ALIASES["quantity"]]
    assert names("time of the trade") == [TICK_ALIASES["timestamp"]]


def test_every_variable_of_the_source_is_on_the_page() -> None:
    page = (ROOT / "docs" / "environment.md").read_text("utf-8")
    sources = (ROOT / "src" / "tallow").rglob("*.py")
    text = "\n".join(source.read_text("utf-8") for source in sources)
    # Set by Tallow for its own worker, and for Polars.
    own = {"TALLOW_SHADOW_WORKER"}
    assert set(re.findall(r"TALLOW_[A-Z_]+", text)) - own <= set(re.findall(r"`(\w+)`", page))
    looked_up = set(re.findall(r"environ(?:\.get\(|\.pop\(|\[)\s*([^],)\s]+)", text))
    looked_up |= set(re.findall(r"(\S+) (?:not )?in os\.environ", text))
    for name in {each for each in looked_up if each[0] == '"'}:
        assert f"`{name[1:-1]}`" in page, name
    # What is looked up by another name: Polars' switch and the worker's mark, which Tallow sets
    # itself; the cache's folder; a bucket's ALLOW_HTTP.
    by_name = {each for each in looked_up if each[0] != '"'}
    assert by_name == {"_SWITCH", "IN_WORKER", "name", "name.upper("}
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "ALLOW_HTTP", "AWS_ALLOW_HTTP"):
        assert f"`{name}`" in page, name
