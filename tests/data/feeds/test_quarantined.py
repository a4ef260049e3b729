"""Goal: what a feed cannot understand is in the store's quarantine before the feed is told of it.

Method: entries of a real Redis stream, good, bad and mixed, go through a live session whose store
cannot be written at first; what is pending there and what is on disk are compared after each step.
A WebSocket server and a file send the same kinds of rubbish.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import LiveEngine, open_store
from tallow.core.errors import StoreError
from tallow.core.limits import QUARANTINE_RECORD_BYTES
from tallow.data.feeds.feed import Feed
from tallow.data.feeds.quarantined import PendingQuarantine
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.feeds.streams import RedisFeed
from tallow.data.feeds.websocket import WebSocketFeed
from tallow.data.store.store import Store
from tallow.runtime.live.session import LiveSession
from tallow.runtime.live.tally import WENT, LiveStatistics
from tests.data.feeds.conftest import RedisServer, message, wait_until
from tests.data.feeds.server import ScriptedServer
from tests.frames import candles, minutes

GOOD = candles("A", minutes("2025-06-02T09:15+05:30", 4))
ROWS = [json.loads(message(row)) for row in GOOD.iter_rows(named=True)]
BAD = ROWS[2] | {"high": 0.01}
SENT = ["{", json.dumps(ROWS[0]), "{", json.dumps([ROWS[1], {"open": 1}]), json.dumps(BAD)]
"""Two messages that are no JSON, two candles, one without its fields, one that breaks a rule."""

AT_REST = {"{": 2, '{"open": 1}': 1}
"""The records of what is not understood, and how often they came."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


def session_of(feed: Feed, store: Store) -> LiveSession:
    return LiveSession(LiveEngine("5m", "", store=store), feed, store=store)


def assert_adds_up(statistics: LiveStatistics, store: Store, expected: dict[str, int]) -> None:
    """Assert that statistics, ledger and quarantine tell the same."""
    entries, held = store.ledger.entries(), store.ledger.held()
    assert statistics.rows_in == sum(getattr(statistics, name) for name in WENT)
    assert statistics.rows_in == entries["rows_in"].sum()
    assert statistics.quarantined == entries["quarantined"].sum() == held["times"].sum()
    assert dict(statistics.by_rule) == dict(held.group_by("rule").agg(pl.col("times").sum()).rows())
    unread = held.filter(rule="not_understood")
    assert dict(unread.select("record", "times").iter_rows()) == expected
    assert unread["reason"].null_count() == 0


def test_entries_stay_pending_until_what_they_hold_is_on_disk(
    redis_server: RedisServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis_server.client() as client:
        for text in SENT:
            client.xadd("candles", {"json": text})

        def pending() -> int:
            answer: Any = client.xpending("candles", "tallow")
            return int(answer["pending"])

        with RedisFeed(redis_server.url, consumer="one") as feed:
            session = session_of(feed, store)
            with monkeypatch.context() as broken:
                fail = StoreError("store: no room")
                broken.setattr(Store, "append", lambda *_a, **_o: (_ for _ in ()).throw(fail))
                wait_until(lambda: session.step(0.01) == [] and feed.health.messages == 5)
                session.step(0.01)
                assert (pending(), session.statistics.error) == (5, "store: no room")
            wait_until(lambda: session.step(0.01) is not None and pending() == 0)
            statistics = session.statistics
    assert (statistics.rows_in, statistics.appended, statistics.quarantined) == (6, 2, 4)
    assert_adds_up(statistics, store, AT_REST)
    assert len(store.read()) == 2


def test_messages_of_a_server_are_kept_with_their_text(store: Store) -> None:
    with ScriptedServer(SENT) as server, WebSocketFeed(server.url) as feed:
        session = session_of(feed, store)
        wait_until(lambda: session.step(0.01) is not None and session.statistics.rows_in == 6)
    assert_adds_up(session.statistics, store, AT_REST)
    assert store.ledger.held()["source"].unique().sort().to_list() == ["live", server.url]


def test_rows_of_a_replayed_file_keep_their_places(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "day.parquet"
    bad = GOOD.tail(1).with_columns(high=pl.lit(0.01))
    pl.concat([GOOD.head(3), bad]).write_parquet(path)
    statistics = session_of(ReplayFeed(path), store).run()
    assert_adds_up(statistics, store, {})
    held = store.ledger.held().select("source", "row", "rule", "instrument")
    assert held.rows() == [(str(path), 4, "high_below_low", "A")]


def test_a_long_message_is_kept_within_bounds() -> None:
    held = PendingQuarantine("ws://host")
    held.add("\u20ac" * QUARANTINE_RECORD_BYTES, "no JSON", "")
    held.add(b"\xff{", "no JSON", "7")
    taken = held.take()
    assert taken is not None
    rows, tokens = taken
    long, short = rows.select("record", "reason").rows()
    # A sign of three bytes is not cut in two.
    assert len(long[0].encode()) == QUARANTINE_RECORD_BYTES // 3 * 3
    lacks = 3 * QUARANTINE_RECORD_BYTES - len(long[0].encode())
    assert long[1] == f"no JSON; the record lacks {lacks:,} bytes at its end"
    assert (short[0], tokens) == ("\\xff{", {"7"})
    assert held.take() is None
