"""Goal: minutes become bars as in each of the old queries, and days follow the old calendar.

Method: a few minutes by hand for each rule; what real minutes become is in test_stored_values.
"""

from __future__ import annotations

import math
from datetime import datetime

import pytest

from tallow.core.errors import EngineError
from tallow.migrate.legacy import days
from tallow.migrate.legacy.aggregation import five_minute_bars
from tallow.migrate.legacy.answer import five_minute_candles
from tallow.migrate.legacy.candles import INDIA, Candle, rounded
from tests.migrate.legacy import textbook, weekdays
from tests.migrate.legacy.file_bars import COPIED, daily_bars, file_bars, fixed_bars
from tests.migrate.legacy.made import OPEN, minutes, walk
from tests.migrate.legacy.reading import DAY, seconds
from tests.migrate.legacy.stored import requested_window


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=INDIA)


def test_a_bar_starts_at_its_bucket_and_keeps_the_last_open_interest() -> None:
    two = [
        Candle(OPEN + 60, 10.0, 12.0, 9.0, 11.0, 5.0, 100.0),
        Candle(OPEN + 180, 11.0, 11.5, 8.0, 9.0, 0.0, 90.0),
    ]
    assert five_minute_bars(two) == [Candle(OPEN, 10.0, 12.0, 8.0, 9.0, 5.0, 90.0)]
    [row] = file_bars(two, {OPEN + 180: dict.fromkeys(COPIED, 7.0)})
    assert (row["timestamp"], row["open_interest"]) == (OPEN + 60, 190.0)
    assert (row["vwap_5min"], row["ema_9"], row["bb_percentile"]) == (11.0, 7.0, 50.0)


def test_nothing_traded_has_no_vwap() -> None:
    filler = Candle(OPEN, 10.0, 10.0, 10.0, 10.0, 0.0)
    [row] = file_bars([filler], {OPEN: dict.fromkeys(COPIED, 0.0)})
    assert math.isnan(row["vwap_5min"])
    assert math.isnan(row["bb_position_percent"])


def test_minutes_outside_the_session_make_bars_and_gaps_do_not() -> None:
    early, late = seconds("2025-07-18T09:07+05:30"), seconds("2025-07-18T15:31+05:30")
    bars = five_minute_bars(minutes([1.0], early) + minutes([2.0], OPEN) + minutes([3.0], late))
    assert [bar.timestamp for bar in bars] == [early - 120, OPEN, late - 60]


def test_a_day_ends_at_midnight_in_india() -> None:
    first, second = daily_bars(minutes([1.0, 3.0, 2.0], seconds("2025-07-18T23:58+05:30")))
    assert first == Candle(seconds("2025-07-18T00:00+05:30"), 1.0, 3.0, 1.0, 3.0, 3.0)
    assert second.timestamp == seconds("2025-07-19T00:00+05:30")


def test_the_later_query_drops_bars_by_the_clock() -> None:
    """After an hour's gap the first bar it keeps has a window of two bars: deviation 1, mean 11."""
    rows = fixed_bars(minutes([10.0]) + minutes([12.0], OPEN + 19 * 300))
    assert [row["timestamp"] for row in rows] == [OPEN + 19 * 300]
    assert (rows[0]["bb_upper"], rows[0]["bb_lower"], rows[0]["minutes"]) == (13.0, 9.0, 1.0)
    assert rows[0]["bb_width"] == pytest.approx(100.0 * 4.0 / 11.0)


def test_the_calendar_knows_weekends_only() -> None:
    monday = at("2025-07-21T10:00")
    assert days.previous(monday) == at("2025-07-18T10:00")
    assert days.previous(at("2025-07-20T10:00")) == at("2025-07-18T10:00")
    assert weekdays.following(at("2025-07-18T10:00")) == monday
    # 15 August is a holiday, and counts.
    assert weekdays.days_between(at("2025-08-14T09:00"), at("2025-08-18T01:00")) == 3
    assert days.warm_up_start(int(monday.timestamp())) == int(at("2025-07-18T10:00").timestamp())


def test_an_answer_knows_one_trading_day_before_it() -> None:
    """From a Monday's start, Friday's bars seed the mean, and Thursday's are not seen."""
    thursday, friday, monday = (OPEN + n * DAY for n in (-1, 0, 3))
    known = walk(375, friday) + walk(60, monday)
    rows = five_minute_candles(walk(375, thursday) + known, monday, monday + 40 * 60)
    assert [row["timestamp"] for row in rows] == [monday + 300 * i for i in range(8, -1, -1)]
    alone = five_minute_candles(known[: 375 + 41])
    assert rows == alone[: len(rows)]


def test_a_start_without_an_end_fails_and_an_end_alone_means_a_week() -> None:
    assert requested_window(0, OPEN) == (OPEN - 7 * DAY, OPEN)
    with pytest.raises(EngineError, match="must not be after the end"):
        requested_window(OPEN, 0)


def test_rounding_is_half_away_from_zero() -> None:
    assert [rounded(value, 2) for value in (0.125, -0.125, 2.5e-3)] == [0.13, -0.13, 0.0]
    assert rounded(0.49999999999999994, 0) == 0.0
    assert math.isinf(rounded(math.inf, 2))


def test_textbook_kernels_begin_where_they_are_seeded() -> None:
    """By hand; the true range of the second candle reaches to the close before it."""
    three = minutes([10.0, 12.0, 11.0])
    assert textbook.ema(three, 2) == [(OPEN + 60, 11.0), (OPEN + 120, 11.0)]
    [(time, index)] = textbook.rsi(three, 2)
    assert (time, index) == (OPEN + 120, 100.0 - 100.0 / 3.0)
    assert textbook.rsi(minutes([10.0, 10.0]), 1) == [(OPEN + 60, 100.0)]
    assert textbook.atr(three, 1) == [(OPEN + 60, 2.0), (OPEN + 120, 1.0)]
    assert textbook.volume_ma(three, 2) == [(OPEN + 60, 1.5), (OPEN + 120, 2.5)]
    with pytest.raises(EngineError, match="3 candles; must be 4 at least"):
        textbook.atr(three, 3)
