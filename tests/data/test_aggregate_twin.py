"""Goal: bars are what the design says they are, for any candles on any calendar.

Method: a twin in plain Python aggregates the same candles; hypothesis draws the days, which minutes
there are, fillers, rows outside the hours, the timeframe and the policies. Values are compared
exactly, counts add up, and what a bucket holds is conserved.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow import AnalyticsEngine, load_calendar, read_candles
from tests.data.slow_bars import Candle, Slow, is_intraday, session_on, size, slow_bars
from tests.frames import MINUTE

DAYS = {
    "nse plain": ("XNSE", ["2025-06-02", "2025-06-03", "2025-06-05"]),
    "nse split session": ("XNSE", ["2024-03-01", "2024-03-02", "2024-03-04"]),
    "nse muhurat evening": ("XNSE", ["2024-10-31", "2024-11-01", "2024-11-04"]),
    "nse weekend budget": ("XNSE", ["2025-01-31", "2025-02-01", "2025-02-03"]),
    "nse outage": ("XNSE", ["2021-02-24", "2021-02-25"]),
    "nse holiday Monday": ("XNSE", ["2025-03-28", "2025-03-31", "2025-04-01"]),
    "nse auction": ("XNSE:cash-eligible-for-closing-auction", ["2026-07-31", "2026-08-03"]),
    "new york clocks": ("XNYS", ["2025-03-07", "2025-03-10", "2025-10-31", "2025-11-03"]),
    "new york half day": ("XNYS", ["2024-11-27", "2024-11-28", "2024-11-29"]),
    "tokyo lunch": ("XTKS", ["2025-06-02", "2025-06-03"]),
    "always": ("24/7", ["2025-05-31", "2025-06-01", "2025-06-02"]),
}
TIMEFRAMES = ("1m", "3m", "5m", "7m", "15m", "30m", "1h", "2h", "4h", "1d", "1w", "1mo")
COARSE = (
    ("5m", ("5m", "15m", "1h", "1d", "1w")),
    ("15m", ("15m", "30m", "45m", "4h", "1mo")),
    ("1h", ("1h", "2h", "1d")),
)
NAMES = ("A", "NSE_EQ|INE301A01014", "é")


def days_of(case: str) -> tuple[str, list[date]]:
    calendar, days = DAYS[case]
    return calendar, [date.fromisoformat(day) for day in days]


def instants(calendar: str, days: list[date], draw: random.Random, step: int) -> list[datetime]:
    """Return some minutes of each day: in the session, in its breaks, and around it."""
    found = []
    loaded = load_calendar(calendar)
    for day in days:
        session = session_on(loaded, day)
        anchor = datetime.fromisoformat(f"{day}T04:00+00:00")
        first = session.segments[0][0] if session else anchor
        last = session.segments[-1][1] if session else anchor + timedelta(hours=2)
        length = min((last - first) // MINUTE, 460)
        share = draw.choice([0.02, 0.3, 1.0])
        marks = range(-20 // step * step, length + 20, step)
        found += [first + k * MINUTE for k in marks if draw.random() < share]
    return sorted(set(found))


def drawn(times: list[datetime], draw: random.Random) -> list[Candle]:
    """Return candles at the times: traded ones, fillers, an index without volume, gaps in OI."""
    kind = draw.choice(["traded", "traded", "index", "frozen"])
    close, rows = 500.0, []
    for time in times:
        opened = close if kind == "frozen" else close + draw.choice([0.0, 0.0, 0.05, -0.1])
        close = opened if kind == "frozen" else opened + draw.choice([0.0, 0.15, -0.15])
        high, low = max(opened, close), min(opened, close)
        volume = draw.uniform(0.1, 1e6)
        if kind != "traded" or draw.random() < 0.3:
            volume, close, high, low = 0.0, opened, opened, opened
        if kind == "index" and draw.random() < 0.5:
            high += 0.05
        interest = draw.choice([None, float(draw.randrange(99))])
        rows.append(Candle(time, opened, high, low, close, volume, interest))
    return rows


def as_frame(drawn_rows: dict[str, list[Candle]], draw: random.Random) -> pl.DataFrame:
    """Return the candles of all instruments, shuffled."""
    rows = [(name, *vars(row).values()) for name, held in drawn_rows.items() for row in held]
    draw.shuffle(rows)
    names = ["symbol", "ts", "open", "high", "low", "close", "volume", "open_interest"]
    types = [pl.String(), pl.Datetime("us", "UTC"), *[pl.Float64()] * 6]
    return pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row")


def check(
    frame: pl.DataFrame,
    rows: dict[str, list[Candle]],
    calendar: str,
    timeframe: str,
    source: str,
    **options: Any,
) -> None:
    """Compare a run with the twin, and check that nothing was lost or made up."""
    final_at = options.pop("final_at", None)
    engine = AnalyticsEngine(calendar, threads=2, **options)
    read = read_candles(frame, source_timeframe=source)
    result = engine.process_candles(read, timeframe, (), final_at=final_at)
    policy = options["no_trade"]
    slow = {
        name: slow_bars(held, load_calendar(calendar), timeframe, source, policy, final_at)
        for name, held in sorted(rows.items())
        if held
    }
    expected = [
        (name, bar.begin, *bar.values(), final)
        for name, each in slow.items()
        for bar, final in each.bars
    ]
    assert result.frame.rows() == expected
    check_counts(result.report, slow)
    check_conserved(result.frame, slow)


def check_counts(report: Any, slow: dict[str, Slow]) -> None:
    went = sum((each.went for each in slow.values()), Counter[str]())
    counts = vars(report.candles)
    assert {name: counts[name] for name in went} == dict(went)
    assert report.candles.rows == sum(went.values()) == report.read.accepted
    assert report.bars == report.candles.bars == sum(len(each.bars) for each in slow.values())
    rows = report.quarantine.select("instrument", "timestamp", "rule").rows()
    assert sorted(rows) == sorted(
        (name, time, "off_grid") for name, each in slow.items() for time in each.off_grid
    )


def check_conserved(frame: pl.DataFrame, slow: dict[str, Slow]) -> None:
    """Check sums and extremes over everything, apart from any bucket."""
    rows = [row for each in slow.values() for bar, _ in each.bars for row in bar.rows]
    assert frame["candles"].sum() == len(rows)
    assert frame["volume"].sum() == pytest.approx(sum(row.volume for row in rows), rel=1e-12)
    assert frame["high"].max() == max((row.high for row in rows), default=None)
    assert frame["low"].min() == min((row.low for row in rows), default=None)


cases = st.fixed_dictionaries(
    {
        "case": st.sampled_from(sorted(DAYS)),
        "seed": st.integers(0, 2**32 - 1),
        "no_trade": st.sampled_from(["drop", "keep"]),
        "moment": st.one_of(st.none(), st.floats(0.0, 1.0)),
    }
)


def run(timeframe: str, source: str, case: str, seed: int, no_trade: str, moment: Any) -> None:
    calendar, days = days_of(case)
    draw = random.Random(seed)
    step = size(source) // MINUTE
    # Now and then a minute off the source's grid.
    slip = timedelta(minutes=1) if step > 1 and seed % 3 == 0 else timedelta(0)
    rows = {}
    for name in NAMES:
        times = instants(calendar, days, draw, step)
        times = sorted({time + (slip if draw.random() < 0.1 else timedelta(0)) for time in times})
        rows[name] = drawn(times, draw)
    every = [row.time for held in rows.values() for row in held]
    final_at = None
    if moment is not None and every:
        final_at = min(every) + moment * (max(every) - min(every) + timedelta(days=1))
    frame = as_frame(rows, draw)
    if every:
        check(frame, rows, calendar, timeframe, source, no_trade=no_trade, final_at=final_at)


@settings(max_examples=60)
@given(st.sampled_from(TIMEFRAMES), cases)
def test_bars_from_minutes_are_the_twins(timeframe, case):
    run(timeframe, "1m", **case)


@settings(max_examples=30)
@given(st.sampled_from([(a, b) for a, every in COARSE for b in every]), cases)
def test_bars_from_coarser_candles_are_the_twins(timeframes, case):
    source, timeframe = timeframes
    run(timeframe, source, **case)


@pytest.mark.nightly
@given(st.sampled_from(TIMEFRAMES), cases)
def test_bars_from_minutes_are_the_twins_at_length(timeframe, case):
    run(timeframe, "1m", **case)


@pytest.mark.twin
@pytest.mark.parametrize("case", sorted(DAYS))
@pytest.mark.parametrize("timeframe", ["7m", "1h", "1w"])
def test_every_calendar_with_each_kind_of_bucket(case, timeframe):
    for no_trade in ("drop", "keep"):
        run(timeframe, "1m", case, 11, no_trade, None)


@pytest.mark.twin
@pytest.mark.parametrize(
    ("source", "timeframe"),
    [("1d", "1d"), ("1d", "1w"), ("1d", "1mo"), ("1w", "1w"), ("1mo", "1mo")],
)
@pytest.mark.parametrize("calendar", ["XNSE", "XNYS", "24/7"])
def test_bars_from_daily_and_longer_candles_are_the_twins(source, timeframe, calendar):
    """Dates as files have them: local midnights, of holidays and weekends too."""
    draw = random.Random(3)
    loaded = load_calendar(calendar)
    first = datetime.fromisoformat("2024-02-26T00:00").replace(tzinfo=zone_of(loaded.timezone))
    step = {"1d": 1, "1w": 7, "1mo": 31}[source]
    times = [first + timedelta(days=step * k) for k in range(60 if step < 31 else 11)]
    rows = {"A": drawn(times, draw), "B": drawn(times[:40:2], draw)}
    for no_trade in ("drop", "keep"):
        check(as_frame(rows, draw), rows, calendar, timeframe, source, no_trade=no_trade)


def zone_of(name: str) -> Any:
    from zoneinfo import ZoneInfo

    return ZoneInfo(name)


@pytest.mark.parametrize("source", ["5m", "15m"])
def test_by_way_of_coarser_bars_is_the_direct_way(source):
    """Bars of bars equal bars of minutes: one bucket's minutes lie in one coarser bucket's."""
    draw = random.Random(5)
    calendar, days = days_of("nse split session")
    rows = {name: drawn(instants(calendar, days, draw, 1), draw) for name in NAMES}
    engine = AnalyticsEngine(calendar, no_trade="keep")
    minutes = as_frame(rows, draw)
    coarse = engine.process_candles(minutes, source, ()).frame.drop("candles", "is_final")
    between = read_candles(coarse, source_timeframe=source)
    for timeframe in ("30m", "1h", "1d", "1w", "1mo"):
        direct = engine.process_candles(minutes, timeframe, ()).frame
        detour = engine.process_candles(between, timeframe, ()).frame
        # Volumes are summed in another order.
        same = direct.drop("volume", "candles", "is_final")
        assert same.equals(detour.drop("volume", "candles", "is_final"))
        assert detour["volume"].to_list() == pytest.approx(direct["volume"].to_list(), rel=1e-12)


def test_the_cases_hold_what_they_promise():
    """Breaks, short and evening sessions, and clocks that change are all there."""
    sessions = {
        (case, day): session_on(load_calendar(calendar), date.fromisoformat(day))
        for case, (calendar, days) in DAYS.items()
        for day in days
    }
    assert any(session is None for session in sessions.values())
    assert max(len(session.segments) for session in sessions.values() if session) == 2
    opens = {s.segments[0][0].time() for (case, _), s in sessions.items() if s and "york" in case}
    assert len(opens) == 2
    assert all(is_intraday(each) for each, _ in COARSE)
