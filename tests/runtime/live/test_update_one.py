"""Goal: a candle in plain numbers changes what the same candle in arrays changes, whatever it is;
and what an update says does not depend on when it is looked at.

Method: two engines, one fed by arrays; candles of sessions, between and beyond them, twice, late,
wrong and of instruments without a calendar. The answers of one are kept, and looked at in the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tallow
from tallow import LiveEngine
from tallow.core.errors import CandleInputError
from tallow.core.time import MINUTE_US

OPENS = 1_752_810_300_000_000  # 2025-07-18 09:15 in Mumbai
DAY = 1_440
NAMES = ("RAYMOND", "TCS", "NOWHERE")
CALENDARS = {"RAYMOND": "XNSE", "TCS": "XNSE"}


def candles(shares: list[float]) -> list[tuple[Any, ...]]:
    random = np.random.default_rng(7)
    minute, found = 0, list[tuple[Any, ...]]()
    for _ in range(1_200):
        kind = random.random()
        if found and kind > 0.98:
            found.append(found[-1])
            continue
        minute += 1
        if minute % DAY == 375:
            # Past the close, then on to the next session, which may be a holiday's.
            minute += int(random.choice([1, DAY - 375]))
        at = minute - int(random.integers(1, 90)) if kind < 0.08 else minute
        close = float(np.round(100.0 + random.normal(0.0, 1.0), 2))
        high = close + 0.5 if kind < 0.95 else close - 0.5
        volume = float(random.integers(0, 4)) if kind < 0.97 else float("nan")
        shift = 1 if 0.08 < kind < 0.1 else 0
        name = str(random.choice(NAMES, p=shares))
        interest = 7.0 if kind > 0.6 else None
        time = OPENS + at * MINUTE_US + shift
        found.append((name, time, close, high, close - 0.25, close, volume, interest))
    return found


@pytest.mark.parametrize(
    ("timeframes", "shares"), [("5m", [0.6, 0.4, 0.0]), (["1m", "15m", "1d"], [0.6, 0.37, 0.03])]
)
def test_a_candle_in_plain_numbers_is_the_candle_in_arrays(timeframes, shares):
    one, arrays = (LiveEngine(timeframes, calendar=CALENDARS, keep=100) for _ in range(2))
    kept = []
    for candle in candles(shares):
        name, *values = candle
        update = one.update_one(*candle)
        columns = [None if each is None else [each] for each in values]
        expected = arrays.update_arrays(arrays.numbers([name]), *columns)
        kept.append((update, expected))
    assert one.latest(one.timeframes[0]).equals(
        arrays.latest(one.timeframes[0]).with_columns(one.latest(one.timeframes[0])["revision"])
    )
    went = {"appended": 0, "late": 0, "revised": 0, "repeated": 0, "quarantined": 0}
    for update, expected in kept:
        for size, rows in expected.rows.items():
            found = update.rows[size]
            np.testing.assert_array_equal(found.times, rows.times)
            np.testing.assert_array_equal(found.is_final, rows.is_final)
            np.testing.assert_array_equal(found.values, rows.values)
            assert update.frames[size]["candles"].len() == len(rows)
        for count in went:
            assert getattr(update.report, count) == getattr(expected.report, count)
            went[count] += getattr(update.report, count)
        assert update.report.quarantine.equals(expected.report.quarantine)
    assert all(went.values()), went


def test_the_clock_holds_for_a_single_candle():
    live = LiveEngine("5m", "ema(1)")
    live.advance(OPENS + 5 * MINUTE_US)
    assert live.update_one("TCS", OPENS, 1.0, 1.0, 1.0, 1.0, 1.0).report.appended == 1
    for minute in range(1, 4):
        live.update_one("TCS", OPENS + minute * MINUTE_US, 1.0, 1.0, 1.0, 1.0, 1.0)
    ahead = live.update_one("TCS", OPENS + 300 * MINUTE_US, 1.0, 1.0, 1.0, 1.0, 1.0)
    assert ahead.report.quarantine["rule"].to_list() == ["forming"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("TCS", 1.5, 1, 1, 1, 1, 1), "must be numbers, a whole one as time"),
        (("TCS", OPENS, "x", 1, 1, 1, 1), "could not convert string to float"),
        (("TCS", "09:15", 1, 1, 1, 1, 1), "must be numbers, a whole one as time"),
        (("TCS", OPENS, 1, 1, 1, 1, 1, "x"), "must be numbers, a whole one as time"),
        ((4, OPENS, 1, 1, 1, 1, 1), "must be numbers that `numbers` gave"),
    ],
)
def test_what_is_no_candle_is_an_error(given, message):
    live = LiveEngine("5m", "ema(1)")
    with pytest.raises(CandleInputError, match=message):
        live.update_one(*given)
    assert live.names == []
    # A candle of a known instrument goes another way.
    live.update_one("TCS", OPENS, 1.0, 1.0, 1.0, 1.0, 1.0)
    with pytest.raises(CandleInputError, match=message):
        live.update_one(*given)
    assert live.latest()["candles"].to_list() == [1]


def test_open_interest_that_is_no_finite_number_is_missing():
    live = LiveEngine("1m", "ema(1)")
    for minute, interest in enumerate((None, 7.0, float("inf"))):
        live.update_one("TCS", OPENS + minute * MINUTE_US, 1.0, 1.0, 1.0, 1.0, 1.0, interest)
        expected = interest if interest == 7.0 else None
        assert live.latest().to_dicts()[0].get("open_interest") == expected


def test_a_store_has_the_candle(tmp_path):
    live = LiveEngine("5m", store=tallow.open_store(tmp_path / "store", create=True))
    live.update_one("TCS", OPENS, 1.0, 2.0, 1.0, 2.0, 1.0)
    assert tallow.open_store(tmp_path / "store").read(["TCS"])["close"].to_list() == [2.0]
