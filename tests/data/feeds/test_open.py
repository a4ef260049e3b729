"""Goal: a feed's text opens that feed, and a mistake in it is told.

Method: texts as somebody types them; where a server would be needed, none is there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

from tallow.core.errors import FeedError, ParameterError
from tallow.data.feeds.feed import Feed, FeedBatch
from tallow.data.feeds.health import FeedHealth
from tallow.data.feeds.open import FORMS, open_feed
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.feeds.streams import RedisFeed
from tallow.data.feeds.websocket import WebSocketFeed
from tests.frames import candles, minutes

# Port 9 is reserved for a service that nobody runs.
NOBODY = "localhost:9"


def test_a_text_opens_its_feed(tmp_path: Path) -> None:
    candles("A", minutes("2025-06-02T09:15+05:30", 2)).write_csv(tmp_path / "candles.csv")
    with open_feed(f"replay:{tmp_path}/*.csv", speed=60.0) as replay:
        batch = replay.receive(timeout=0)
        assert isinstance(replay, ReplayFeed)
        assert batch is not None
        assert replay.receive(timeout=0) is None
    with open_feed(f"ws://{NOBODY}/candles", stall_seconds=5.0) as socket:
        assert isinstance(socket, WebSocketFeed)
    with open_feed(f"redis://{NOBODY}/0?stream=x&group=y&protocol=2", consumer="z") as stream:
        assert isinstance(stream, RedisFeed)
        assert stream.receive(timeout=0) is None
        assert stream.health.error is not None


@pytest.mark.parametrize("text", ["replays:x", "candles.parquet", "kafka://localhost", ""])
def test_an_unknown_feed_lists_what_there_is(text: str) -> None:
    with pytest.raises(FeedError) as caught:
        open_feed(text)
    assert all(form in str(caught.value) for form in FORMS.values())


def test_an_unknown_option_is_told_without_secrets() -> None:
    with pytest.raises(ParameterError) as caught:
        open_feed("wss://me:secret@server/candles?token=secret", stall_secs=3)
    assert str(caught.value) == (
        "feed: wss://server/candles: stall_secs=; no option of it; did you mean stall_seconds?"
    )


def test_an_option_of_another_feed_is_no_slip_of_one_that_looks_like_it() -> None:
    with pytest.raises(ParameterError, match="time_format=; no option of it; leave it out"):
        open_feed(f"ws://{NOBODY}", timezone="UTC", time_format="%d-%m-%Y")


@pytest.mark.parametrize(("text", "library"), [("ws://x", "websockets"), ("redis://x", "redis")])
def test_a_missing_extra_is_told(text: str, library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    for name in ("websocket", "streams"):
        monkeypatch.delitem(sys.modules, f"tallow.data.feeds.{name}")
    with pytest.raises(FeedError, match=rf"needs {library}.*; install it with: .*tallow\[live\]"):
        open_feed(text)


def test_a_feed_of_ones_own_needs_no_acknowledgement() -> None:
    class Silent(Feed):
        closed = False
        health = FeedHealth()

        def receive(self, timeout: float) -> None:
            return None

        def close(self) -> None:
            self.closed = True

    with Silent() as feed:
        feed.acknowledge(FeedBatch("candles", pl.DataFrame(), 0))
    assert feed.closed
