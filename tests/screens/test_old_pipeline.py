"""Goal: the old filter pipeline on the page of screens is read, and says what it is said to say.

Method: the page's own file is asked of daily candles, simulated and real, and each day's answer is
compared with plain Python over textbook versions of the indicators.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, read_candles
from tallow.screens.files import SavedScreen, read_screens
from tallow.screens.parser import parse_screen
from tallow.textbook import averages, oscillators

PAGE = Path(__file__).resolve().parents[2] / "docs" / "screens.md"
FILES = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
Row = dict[str, Any]


@pytest.fixture
def saved(tmp_path: Path) -> dict[str, SavedScreen]:
    path = tmp_path / "screens.toml"
    (text,) = (each for each in FILES if "[bullish]" in each)
    path.write_text(text, "utf-8")
    return read_screens(path)


def texts(saved: dict[str, SavedScreen]) -> dict[str, str]:
    return {name: each.condition for name, each in saved.items()}


def test_all_files_of_the_page_are_read(tmp_path: Path):
    assert len(FILES) == 2
    for text in FILES:
        path = tmp_path / "screens.toml"
        path.write_text(text, "utf-8")
        found = read_screens(path)
        for each in found.values():
            parse_screen(each.condition, texts(found), kind="condition")
            numbers = [*each.columns.values(), *filter(None, [each.sort])]
            assert {parse_screen(number).kind for number in numbers} <= {"number"}


def daily() -> pl.DataFrame:
    """Return 130 days of six instruments; some trend so that both sides have strong days."""
    days = [
        date(2024, 7, 1) + timedelta(days=k)
        for k in range(183)
        if (date(2024, 7, 1) + timedelta(days=k)).weekday() < 5
    ]
    rows = []
    for code in range(6):
        draw, close = random.Random(code), 400.0
        for day in days:
            opened = close
            drift = 0.012 * (1 if code % 2 else -1)
            close = round(opened * (1 + draw.gauss(drift, 0.03)), 2)
            high, low = max(opened, close) + 0.5, min(opened, close) - 0.5
            rows.append((f"I{code}", day, opened, high, low, close, draw.uniform(2e5, 9e5)))
    names = ["instrument", "date", "open", "high", "low", "close", "volume"]
    return pl.DataFrame(rows, names, orient="row")


def bars_of(engine: AnalyticsEngine, candles: Any, **said: Any) -> list[list[Row]]:
    frame = engine.process_candles(candles, "1d", "", final_at="2026-01-01T00:00+05:30", **said)
    parts = frame.frame.partition_by("instrument", maintain_order=True)
    return [part.rows(named=True) for part in parts]


def is_mamba(rows: list[Row], at: int, sign: int, length: int = 10) -> bool | None:
    if at < length - 1:
        return None
    row = rows[at]
    first, last = (row["open"], row["close"]) if sign > 0 else (row["close"], row["open"])
    move = (last - first) / first
    mean = sum(each["volume"] for each in rows[at - length + 1 : at + 1]) / length
    strength = 0.7 * min(move / 0.1, 1) + 0.3 * min(row["volume"] / mean - 1, 1)
    return bool(last > first and move > 0.02 and strength >= 0.2)


def matches(rows: list[Row], sign: int) -> list[bool]:
    """Return whether each day matches on one side, by loops; unknown is no match."""
    closes = [row["close"] for row in rows]
    (emas,) = averages.ema({"length": 50}, closes)
    (rsis,) = oscillators.rsi({"length": 14}, closes)
    found = []
    for at, close in enumerate(closes):
        ema, rsi = emas[at], rsis[at]
        if ema is None or rsi is None or at < 20:
            found.append(False)
            continue
        mean = sum(row["volume"] for row in rows[at - 9 : at + 1]) / 10
        strong = [is_mamba(rows, day, sign) for day in range(at - 9, at + 1)]
        runs = any(a and b for a, b in pairwise(strong))
        distance = sign * (close - ema) / ema
        agrees = rsi >= 50 if sign > 0 else rsi <= 55
        liquid = 20 <= close <= 1500 and mean >= 300_000
        found.append(bool(liquid and distance > 0.03 and agrees and runs))
    return found


@pytest.mark.parametrize(("name", "sign"), [("bullish", 1), ("bearish", -1)])
def test_each_side_is_what_loops_find(saved: dict[str, SavedScreen], name: str, sign: int):
    engine = AnalyticsEngine()
    said: Any = {"source_timeframe": "1d", "timezone": "Asia/Kolkata"}
    candles = read_candles(daily(), **said)
    answer = engine.screen(name, "1d", candles=candles, start="2024-07-01", end="2024-12-31",
                           saved=texts(saved))  # fmt: skip
    expected = {
        (row["instrument"], row["timestamp"])
        for rows in bars_of(engine, candles)
        for row, matched in zip(rows, matches(rows, sign), strict=True)
        if matched
    }
    assert len(expected) > 10
    assert set(answer.frame.select("instrument", "timestamp").iter_rows()) == expected


SHORT = {
    "ema(50)": "ema(6)",
    "rsi(14)": "rsi(4)",
    "volume_sma(10)": "volume_sma(3)",
    ">= 300000": ">= 20000",
    ">= 50": ">= 60",
    "<= 55": "<= 40",
    "within 9 bars": "within 4 bars",
    "for 2 bars": "for 1 bar",
    "0.03": "0.01",
}
"""Lengths and limits with which 25 days are enough, by what the page says in their place."""

DEFECTS = ("seed", "rsi", "run")


def old_side(rows: list[Row], at: int, mended: Collection[str]) -> int:
    """Return what the old filters found on a day, with some defects mended: 1, -1, or 0 for none.

    `seed`: the means began anew in a window of weekdays. `rsi`: nothing was refused by it. `run`: a
    run of days that were not strong was enough, too.
    """
    if at < 5:
        return 0
    day, mean = rows[at], sum(row["volume"] for row in rows[at - 2 : at + 1]) / 3
    closes = [row["close"] for row in rows[: at + 1]]
    (emas,) = averages.ema({"length": 6}, closes if "seed" in mended else closes[-7:])
    (rsis,) = oscillators.rsi({"length": 4}, closes)
    ema, rsi = emas[-1], rsis[-1]
    assert ema is not None
    assert rsi is not None
    distance = (day["close"] - ema) / ema
    side = 1 if distance > 0.01 else -1 if distance < -0.01 else 0
    agrees = rsi >= 60 if side > 0 else rsi <= 40
    strong = [is_mamba(rows, each, side or 1, 3) for each in range(at - 3, at + 1)]
    has_run = any(strong) or ("run" not in mended and not any(strong[-2:]))
    liquid = 20 <= day["close"] <= 1500 and mean >= 20_000
    return side if liquid and has_run and (agrees or "rsi" not in mended) else 0


def test_the_old_result_on_real_days_differs_by_the_listed_defects_alone(
    saved: dict[str, SavedScreen], reference: Path
):
    """Mended one by one they lead from the old result to the saved screens; each one counts."""
    short = texts(saved)
    for name in short:
        for long, new in SHORT.items():
            short[name] = short[name].replace(long, new)
    assert not set(SHORT) & set(" ".join(short.values()).split())
    engine, candles = AnalyticsEngine(), read_candles(reference / "data" / "candles_1m.csv")
    asked: Any = {"candles": candles, "start": "2025-05-01", "end": "2025-07-31", "saved": short}
    found = {
        (row["instrument"], row["timestamp"], side)
        for name, side in (("bullish", 1), ("bearish", -1))
        for row in engine.screen(name, "1d", **asked).frame.iter_rows(named=True)
    }

    def old(*mended: str) -> set[tuple[str, Any, int]]:
        return {
            (rows[at]["instrument"], rows[at]["timestamp"], side)
            for rows in bars_of(engine, candles)
            for at in range(len(rows))
            if (side := old_side(rows, at, mended))
        }

    assert old(*DEFECTS) == found
    assert len(found) > 3
    for defect in DEFECTS:
        others = [each for each in DEFECTS if each != defect]
        some = [(), (others[0],), (others[1],), tuple(others)]
        assert any(old(*each) != old(*each, defect) for each in some), defect


def test_real_days_are_liquid_as_loops_find_and_their_warm_up_is_unknown(
    saved: dict[str, SavedScreen], reference: Path
):
    engine, candles = AnalyticsEngine(), read_candles(reference / "data" / "candles_1m.csv")
    asked: Any = {"candles": candles, "start": "2025-05-01", "end": "2025-07-31"}
    expected, days = set(), 0
    for rows in bars_of(engine, candles):
        days += len(rows)
        for at in range(9, len(rows)):
            mean = sum(row["volume"] for row in rows[at - 9 : at + 1]) / 10
            if 20 <= rows[at]["close"] <= 1500 and mean >= 300_000:
                expected.add((rows[at]["instrument"], rows[at]["timestamp"]))
    found = engine.screen("liquid", "1d", saved=texts(saved), **asked)
    assert set(found.frame.select("instrument", "timestamp").iter_rows()) == expected
    assert sum(found.counts.values()) == days
    # There are 25 days at most: no EMA of 50, so nobody is bullish, and most cannot be told.
    bullish = engine.screen("bullish", "1d", saved=texts(saved), **asked)
    assert bullish.counts["matched"] == 0
    assert "ema(length=50)" in bullish.why_unknown
