"""Goal: a year has as many rows as the calendar's sessions had in the twelve months before.

Method: each candle's variance is known by hand, so that a volatility tells the rows of a year. They
are counted from NSE's own lists of holidays and special sessions, and by hand for a market that
never closes. The estimators are worked out by hand on prices that are powers of two.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from math import log, sqrt
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine
from tests.frames import minutes

LOG2 = log(2.0)
SPEC = "rogers_satchell(2)"


def swinging(times: Sequence[datetime]) -> pl.DataFrame:
    """Return candles from 4 to 8, to 2 and back to 4: each has a variance of 2 log(2)^2."""
    prices = {"open": 4.0, "high": 8.0, "low": 2.0, "close": 4.0, "volume": 1.0}
    return pl.DataFrame({"timestamp": times}).with_columns(
        pl.lit("A").alias("instrument"), *(pl.lit(x).alias(name) for name, x in prices.items())
    )


def rows_of_a_year(volatility: float) -> float:
    """Return with how many rows of a year the volatility of such candles was made."""
    return (volatility / 100.0) ** 2 / (2.0 * LOG2**2)


@pytest.mark.parametrize(
    ("timeframe", "before", "time", "rows"),
    [
        ("1d", "2025-02-28", "2025-03-01", 365),
        ("1d", "2024-12-30", "2024-12-31", 366),
        ("1d", "2024-02-28", "2024-02-29", 365),
        ("5m", "2025-03-01", "2025-03-01T00:05", 365 * 288),
        # 205 bars of seven minutes and a short one make a day.
        ("7m", "2025-03-01", "2025-03-01T00:07", 365 * 206),
        ("1w", "2025-02-24", "2025-03-03", 52),
        ("1mo", "2025-02-01", "2025-03-01", 12),
    ],
)
def test_a_market_that_never_closes(timeframe: str, before: str, time: str, rows: int) -> None:
    times = [datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (before, time)]
    made = AnalyticsEngine(calendar="24/7").process_candles(swinging(times), timeframe, SPEC)
    first, last = made.frame["rogers_satchell_2"]
    assert first is None
    assert rows_of_a_year(last) == pytest.approx(rows, rel=1e-12)


def nse_minutes(reference: Path, first: date, end: date) -> list[int]:
    """Return the minutes of each segment of trading on NSE, from one date to before another."""
    folder = reference / "nse"
    with (folder / "holidays.csv").open(newline="") as file:
        closed = {date.fromisoformat(row["date"]) for row in csv.DictReader(file)}
    days = [first + timedelta(days=k) for k in range((end - first).days)]
    with (folder / "special_sessions.csv").open(newline="") as file:
        special = [row for row in csv.DictReader(file) if row["segment"] in {"all", "cash"}]
    dates = {date.fromisoformat(row["date"]) for row in special}
    found = [375 for day in days if day.weekday() < 5 and day not in closed | dates]
    for row in special:
        if first <= date.fromisoformat(row["date"]) < end:
            (h, m), (hour, minute) = (map(int, row[name].split(":")) for name in ("open", "close"))
            found.append(60 * (hour - h) + minute - m)
    return found


def test_nse_with_its_holidays_and_short_sessions(reference: Path) -> None:
    """Among them a Saturday in two parts, of 45 and 60 minutes, and an evening at Diwali."""
    segments = nse_minutes(reference, date(2024, 3, 3), date(2025, 3, 3))
    assert {45, 60} < set(segments)
    engine = AnalyticsEngine(calendar="XNSE")
    start = datetime(2025, 3, 3, 3, 45, tzinfo=UTC)
    candles = swinging([start + timedelta(minutes=k) for k in range(10)])
    five = engine.process_candles(candles, "5m", SPEC).frame["rogers_satchell_2"][1]
    assert rows_of_a_year(five) == pytest.approx(sum(-(-each // 5) for each in segments), rel=1e-12)
    minutes_ = engine.calculate_indicators(candles, SPEC)["rogers_satchell_2"][1]
    assert rows_of_a_year(minutes_) == pytest.approx(sum(segments), rel=1e-12)


def test_days_of_nse_and_its_first_year(reference: Path) -> None:
    engine = AnalyticsEngine(calendar="XNSE")
    known = [datetime(2024, 7, day, tzinfo=UTC) for day in (1, 2)]
    daily = engine.process_candles(swinging(known), "1d", SPEC, source_timeframe="1d").frame
    # The Saturdays of 2024-03-02 and 2024-05-18 have two segments each.
    sessions = len(nse_minutes(reference, date(2023, 7, 2), date(2024, 7, 2))) - 2
    assert rows_of_a_year(daily["rogers_satchell_2"][1]) == pytest.approx(sessions, rel=1e-12)
    early = swinging([datetime(2015, 7, day, tzinfo=UTC) for day in (1, 2)])
    asked = [SPEC, "rogers_satchell(2, 252)"]
    first = engine.process_candles(early, "1d", asked, source_timeframe="1d").frame
    given = 100.0 * sqrt(252 * 2.0) * LOG2
    assert first.row(1)[-2:] == (None, pytest.approx(given, rel=1e-12))


def test_a_session_that_is_announced_later_changes_no_earlier_row(tmp_path: Path) -> None:
    """An extra Saturday of 100 minutes is counted from the next session on."""
    facts = tmp_path / "dates.toml"
    facts.write_text('[[session]]\ndate = 2025-03-08\nopen = "10:00"\nclose = "11:40"\n')
    days = [datetime(2025, 3, day, 3, 45, tzinfo=UTC) for day in (6, 7, 10, 11)]
    candles = swinging([day + timedelta(minutes=k) for day in days for k in range(5)])
    plain, told = (
        AnalyticsEngine(calendar="XNSE", calendar_dates=given).calculate_indicators(candles, SPEC)
        for given in (None, facts)
    )
    before, after = (
        [rows_of_a_year(x) for x in frame["rogers_satchell_2"].drop_nulls().gather_every(5, 3)]
        for frame in (plain, told)
    )
    assert np.subtract(after, before) == pytest.approx([0.0, 0.0, 100.0, 100.0], abs=1e-6)


def test_live_rows_have_the_years_of_batch_runs() -> None:
    times = minutes("2025-03-03T03:45:00+00:00", 12)
    asked = "realised_volatility(2), yang_zhang(2)"
    frame = swinging(times).with_columns(close=pl.Series([4.0 + k % 3 for k in range(12)]))
    live = LiveEngine(timeframes=["1m", "5m"], indicators=asked, calendar="XNSE")
    shown = [live.update(frame[k]).frames for k in range(12)]
    columns = ["realised_volatility_2", "yang_zhang_2"]
    for size in ("1m", "5m"):
        wanted = AnalyticsEngine(calendar="XNSE").process_candles(frame, size, asked).frame
        rows = pl.concat([each[size] for each in shown if size in each])
        got = rows.unique("timestamp", keep="last").sort("timestamp").select(columns)
        assert got.equals(wanted.select(columns))
        assert got["yang_zhang_2"].null_count() == 2


def test_estimators_on_powers_of_two() -> None:
    """Two days that open a doubling above the close before, in logarithms to the base of two.

    Of day one: o 2, h 4, l 1, c 2; of day two: o 3, h 5, l 2, c 4. By the papers' formulas:
    Parkinson 9 log 2 / 4 of each; Garman and Klass 9/2 and 9/2 - (2 log 2 - 1), times log(2)^2;
    Rogers and Satchell 2·2 + 1·1 = 5 and 1·2 + 2·1 = 4, times log(2)^2.
    """
    candles = pl.DataFrame(
        {
            "instrument": ["A"] * 3,
            "timestamp": [datetime(2025, 3, day, tzinfo=UTC) for day in (1, 2, 3)],
            "open": [2.0, 4.0, 8.0],
            "high": [2.0, 16.0, 32.0],
            "low": [2.0, 2.0, 4.0],
            "close": [2.0, 4.0, 16.0],
            "volume": [1.0] * 3,
        }
    )
    names = ("parkinson", "garman_klass", "rogers_satchell", "yang_zhang", "realised_volatility")
    asked = [f"{name}(2, 1)" for name in names]
    row = AnalyticsEngine(calendar="24/7").calculate_indicators(candles, asked).row(2)
    square = LOG2**2
    k = 0.34 / (1.34 + 3.0)
    variances = (
        9.0 * LOG2 / 4.0,
        (4.5 + 4.5 - (2.0 * LOG2 - 1.0)) / 2.0 * square,
        4.5 * square,
        # Gaps of 1 and 1, moves of 0 and 1, whose sample variance is 1/2.
        (k * 0.5 + (1.0 - k) * 4.5) * square,
        # Returns of 1 and 2.
        0.5 * square,
    )
    assert row[-5:] == pytest.approx([100.0 * sqrt(each) for each in variances], rel=1e-12)
