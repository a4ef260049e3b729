"""Goal: levels of a period before are those of its bar, from its end on and not before.

Method: pivots beside quarter hours are worked out by hand from the bars of days and weeks, which
come another way: through aggregation.
"""

from __future__ import annotations

import polars as pl
import pytest

from tallow import AnalyticsEngine
from tests.frames import candles, minutes

ROWS = candles("A", minutes("2025-07-01T00:00:00+00:00", 24 * 4 * 20, step=15))


@pytest.mark.parametrize(("anchor", "timeframe"), [("session", "1d"), ("week", "1w")])
def test_pivots_are_those_of_the_bar_before(anchor: str, timeframe: str) -> None:
    engine = AnalyticsEngine(calendar="24/7")
    asked = [f"pivots(anchor={anchor})[pivot, r1, s3]", f"cpr(anchor={anchor})[top]"]
    rows = engine.process_candles(ROWS, "15m", asked).frame
    before = engine.process_candles(ROWS, timeframe, ()).frame.select(
        pl.col("timestamp").shift(-1).alias("timestamp"),
        mean=(pl.col("high") + pl.col("low") + pl.col("close")) / 3,
        top="high",
        bottom="low",
    )
    joined = rows.join_asof(before.drop_nulls("timestamp"), on="timestamp")
    got = joined.select(pl.col("^pivot.*$|^cpr.*$"))
    p, top, bottom = pl.col("mean"), pl.col("top"), pl.col("bottom")
    middle = (top + bottom) / 2
    want = joined.select(
        p, 2 * p - bottom, bottom - 2 * (top - p), pl.max_horizontal(middle, 2 * p - middle)
    )
    assert 0 < want.null_count().row(0)[0] < len(want) / 2
    for one, other in zip(got, want, strict=True):
        assert one.is_null().equals(other.is_null(), check_names=False)
        assert (one - other).abs().max() < 1e-9
