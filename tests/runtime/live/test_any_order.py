"""Goal: ticks of one minute make the same candle in whatever order they arrive.

Method: a session's first minutes as the day's volume so far, some of it at one instant, numbered,
and sent twice; in random orders and batches within the grace. The volumes are differences of
totals, worked out here.
"""

from __future__ import annotations

import random

import polars as pl
import pytest

from tallow import LiveEngine
from tests.frames import minutes
from tests.runtime.live.markets import microseconds

SECOND = 1_000_000
OPEN = microseconds(minutes("2025-07-18T09:15+05:30", 1)[0])
QUOTE = ("timestamp", "price", "day_volume", "sequence")


def quotes(first_second: int) -> list[tuple[int, float, float, int]]:
    """Return quotes of three minutes, two at each instant, told apart by their numbers."""
    draw, total, rows = random.Random(first_second), 40.0, []
    for number, second in enumerate(range(first_second, first_second + 180, 25)):
        for place in (0, 1):
            total += draw.choice([0.0, 5.0, 30.0])
            price = 100.0 + draw.randrange(40)
            rows.append((OPEN + second * SECOND, price, total, 2 * number + place))
    return rows


def by_hand(rows: list[tuple[int, float, float, int]], start: float) -> list[tuple[object, ...]]:
    """Return ``(minute, open, high, low, close, volume)``; `start` had traded before them."""
    found: list[tuple[object, ...]] = []
    for minute in sorted({time // (60 * SECOND) for time, *_ in rows}):
        mine = [row for row in rows if row[0] // (60 * SECOND) == minute]
        prices = [row[1] for row in mine]
        volume, start = mine[-1][2] - start, mine[-1][2]
        found.append((minute, prices[0], max(prices), min(prices), prices[-1], volume))
    return found


@pytest.mark.parametrize("clock", [False, True])
@pytest.mark.parametrize("first_second", [10, 3600])
def test_no_order_of_quotes_changes_a_candle(first_second, clock):
    rows = quotes(first_second)
    # An engine that begins within a session counts from its first quote on.
    expected = by_hand(rows, 0.0 if first_second < 60 else rows[0][2])
    for seed in range(12):
        draw, told = random.Random(seed), dict[int, tuple[object, ...]]()
        live = LiveEngine("1m", "", calendar="XNSE", no_trade="keep", grace=600.0)
        if clock:
            live.advance(OPEN + first_second * SECOND)
        sent = rows + draw.sample(rows, 5)
        draw.shuffle(sent)
        while sent:
            size = draw.choice([1, 2, 7])
            batch, sent = sent[:size], sent[size:]
            frame = pl.DataFrame(batch, schema=list(QUOTE), orient="row").select(
                pl.lit("A").alias("instrument"),
                pl.col("timestamp").cast(pl.Datetime("us", "UTC")),
                "price",
                "day_volume",
                "sequence",
            )
            update = live.update_ticks(frame)
            assert update.report.quarantined == 0
            for row in update.frame.iter_rows(named=True):
                minute = microseconds(row["timestamp"]) // (60 * SECOND)
                prices = (row[name] for name in ("open", "high", "low", "close", "volume"))
                told[minute] = (minute, *prices)
        assert [told[minute] for minute in sorted(told)] == expected
