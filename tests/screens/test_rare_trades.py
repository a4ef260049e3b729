"""Goal: of an instrument that trades seldom, a live engine's screens know as much as of others.

Method: it trades in a session's first hour and at its end; the candles say what is right.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine, load_calendar
from tallow.data.simulate import simulate_blocks

CANDLES = pl.concat(simulate_blocks(2, 1, calendar=load_calendar("XNSE"), start=date(2025, 7, 1)))
NAMES = CANDLES["instrument"].unique().sort().to_list()


@pytest.mark.parametrize("specs", ["ema(2)", "ema(2), cs_rank(ema(2))"], ids=["alone", "compared"])
def test_of_what_trades_seldom_a_live_engine_knows_the_last_bars(specs):
    """Those before its newest one are older than all at which instruments can still be compared."""
    opens, closes = datetime(2025, 7, 1, 3, 45, tzinfo=UTC), datetime(2025, 7, 1, 10, tzinfo=UTC)
    time, is_busy = pl.col("timestamp"), pl.col("instrument") == NAMES[0]
    is_rare = (time < opens + timedelta(hours=1)) | (time == closes - timedelta(minutes=1))
    seen = CANDLES.filter(time < closes, is_busy | is_rare)
    live = LiveEngine(["5m", "15m"], specs, keep=60)
    for rows in seen.sort("timestamp").iter_slices(50):
        live.update(rows)
    live.advance(closes + timedelta(minutes=2))
    asked: Any = {"columns": ["close", "close[1]", "ema(2)", "volume@15m[1]"]}
    found = live.screen("ema(2) > 0", **asked)
    expected = AnalyticsEngine().screen("ema(2) > 0", "5m", candles=seen, **asked)
    assert found.frame["instrument"].to_list() == NAMES
    assert found.frame.equals(expected.frame)
