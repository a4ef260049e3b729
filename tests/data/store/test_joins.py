"""Goal: a key that goes on where another ended does so wherever the store lies.

Method: one story of joins - recorded, asked, corrected, withdrawn, known at a moment - is told on a
folder, on a bucket and in a database, with limits so low that records move from the tail to files.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

import tallow
from tallow.core.errors import ActionError
from tests.frames import flat_candle

OLD, NEW, FIRST = "OLD", "NEW", "FIRST"


def joined(name: str, day: str, predecessor: str) -> pl.DataFrame:
    row = {"instrument": [name], "ex_date": [day], "kind": ["join"], "predecessor": [predecessor]}
    return pl.DataFrame(row)


def daily(name: str, **closes: float) -> pl.DataFrame:
    """Return candles of days in September 2025, given as `d18=701.0`."""
    return pl.concat(
        flat_candle(name, f"2025-09-{day[1:]}T00:00+05:30", close, 10.0)
        for day, close in closes.items()
    )


def asked(store: tallow.Store, adjustment: str = "raw", known_at: int | None = None) -> list[float]:
    moment = None if known_at is None else datetime.fromtimestamp(known_at / 1e6, UTC)
    frame = tallow.AnalyticsEngine("XNSE", store=store).query(
        NEW,
        "1d",
        indicators="ema(1)",
        source_timeframe="1d",
        adjustment=adjustment,
        known_at=moment,
    )
    return frame.frame["close"].to_list()


@pytest.mark.usefixtures("tiny_limits")
def test_a_story_of_joins(place):
    store = place.open()
    store.write(daily(FIRST, d15=690.0, d16=695.0), source_timeframe="1d")
    store.write(daily(OLD, d17=700.0, d18=701.0, d19=711.0), source_timeframe="1d")
    store.write(daily(NEW, d22=143.0, d23=144.0), source_timeframe="1d")
    assert asked(store) == [143.0, 144.0]

    wrong = store.actions.record(joined(NEW, "2025-09-22", FIRST))["join"]
    assert (wrong.new, wrong.revised) == (1, 0)
    assert asked(store) == [690.0, 695.0, 143.0, 144.0]
    known = store.last_received()
    right = store.actions.record(joined(NEW, "2025-09-22", OLD))["join"]
    assert (right.new, right.identical, right.revised) == (0, 0, 1)
    assert store.actions.record(joined(NEW, "2025-09-22", OLD))["join"].identical == 1
    store.actions.record(joined(OLD, "2025-09-17", FIRST))
    whole = [690.0, 695.0, 700.0, 701.0, 711.0, 143.0, 144.0]
    assert asked(store) == whole
    assert asked(store, known_at=known) == [690.0, 695.0, 143.0, 144.0]
    with pytest.raises(ActionError, match="a key cannot go on where it ended itself"):
        store.actions.record(joined(FIRST, "2025-09-10", NEW))

    split = {"ex_date": ["2025-09-22"], "kind": ["split"], "new": [5], "old": [1]}
    store.actions.record(pl.DataFrame({"instrument": [OLD]} | split))
    assert asked(store, "split") == [
        690 * 0.2,
        695 * 0.2,
        700 * 0.2,
        701 * 0.2,
        711 * 0.2,
        *whole[5:],
    ]
    store.write(daily(OLD, d19=712.0), source_timeframe="1d")
    assert asked(store)[4] == 712.0

    # Another process, and after a compaction.
    store.compact()
    other = place.open("two")
    assert asked(other) == [*whole[:4], 712.0, *whole[5:]]
    assert other.actions.joins().rows() == [
        (NEW, date(2025, 9, 22), OLD),
        (OLD, date(2025, 9, 17), FIRST),
    ]
    other.actions.withdraw(joined(NEW, "2025-09-22", OLD))
    # A machine's tail is its own where the store is a bucket.
    other.compact()
    assert asked(store) == [143.0, 144.0]


def test_a_live_engine_on_any_store_goes_on_from_the_old_key(place):
    store = place.open()
    store.write(flat_candle(OLD, "2025-09-19T15:28+05:30", 100.0, 5.0), source_timeframe="1m")
    store.write(flat_candle(NEW, "2025-09-22T09:15+05:30", 104.0, 5.0), source_timeframe="1m")
    store.actions.record(joined(NEW, "2025-09-22", OLD))
    live = tallow.LiveEngine("1m", "sma(2)", calendar="XNSE", store=store)
    live.catch_up([NEW])
    assert live.latest("1m")["sma_2"].to_list() == [102.0]
    live.update(flat_candle(OLD, "2025-09-19T15:28+05:30", 96.0, 5.0))
    assert live.latest("1m", [NEW])["sma_2"].to_list() == [100.0]
