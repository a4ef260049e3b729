"""Goal: the squeeze is what the old monitor meant to watch; where the two differ, it is known why.

Method: the old job's definition (tests/migrate/legacy/lowest.py) over real candles, beside ours;
and its real file, which must contradict no day of which there are candles.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tallow
from tallow.core.calendars import load_calendar
from tallow.migrate.legacy.candles import Candle, in_india
from tests.migrate.legacy.lowest import P10_MIN, WIDTH_MIN, sample_widths

SYMBOLS = ("PREMEXPLN", "IDEAFORGE", "AVANTEL", "RAYMOND")
BARS_A_DAY = 75
SAMPLE = math.sqrt(20.0 / 19.0)
"""The job's deviation is that of a sample, ours that of the population of 20 closes."""


@pytest.fixture(scope="module")
def bars(reference: Path) -> dict[str, pl.DataFrame]:
    """Return five-minute bars with a squeeze over a day, by symbol."""
    candles = pl.read_csv(reference / "data" / "candles_1m.csv")
    engine = tallow.AnalyticsEngine(calendar="XNSE", no_trade="keep")
    found = {}
    for symbol in SYMBOLS:
        own = candles.filter(symbol=symbol).drop("source")
        found[symbol] = engine.process_candles(own, "5m", "squeeze(20, 2, 75, 0.1)").frame
    return found


def widths_by_day(frame: pl.DataFrame) -> dict[date, list[float]]:
    """Return the widths that the job saw, by day; windows go on over nights."""
    seconds = frame["timestamp"].dt.epoch("s").to_list()
    closes = frame["close"].to_list()
    made = [Candle(at, x, x, x, x, 0.0) for at, x in zip(seconds, closes, strict=True)]
    days: dict[date, list[float]] = {}
    for time, width in sample_widths(made):
        days.setdefault(in_india(time).date(), []).append(width)
    return days


def whole_days(frame: pl.DataFrame) -> Iterator[tuple[date, list[float], float]]:
    """Yield days with a width at every bar, these, and our lowest at the day's last bar."""
    local = frame.with_columns(
        day=pl.col("timestamp").dt.convert_time_zone("Asia/Kolkata").dt.date()
    )
    column = next(name for name in frame.columns if name.startswith("squeeze_lowest"))
    last = dict(local.group_by("day").agg(pl.col(column).last()).iter_rows())
    for day, widths in widths_by_day(frame).items():
        if len(widths) == BARS_A_DAY and last[day] is not None:
            yield day, widths, last[day]


@pytest.mark.parametrize("symbol", SYMBOLS[:3])
def test_our_lowest_width_of_a_day_is_the_jobs_but_for_its_deviation(
    bars: dict[str, pl.DataFrame], symbol: str
) -> None:
    compared = 0
    for _, widths, ours in whole_days(bars[symbol]):
        # The job leaves out what stands still; we say that it does.
        least = min((width for width in widths if width > WIDTH_MIN), default=0.0)
        if min(widths) > WIDTH_MIN:
            assert ours * SAMPLE == pytest.approx(least, rel=1e-9)
            assert round(ours * SAMPLE, 2) == round(least, 2)
            compared += 1
        else:
            assert ours == pytest.approx(min(widths) / SAMPLE, abs=WIDTH_MIN)
    assert compared >= 3


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_no_day_is_quieter_than_the_one_in_the_jobs_file(
    bars: dict[str, pl.DataFrame], reference: Path, symbol: str
) -> None:
    """It chose the day with the lowest tenth percentile of those that it looked at."""
    file = pl.read_csv(reference / "data" / "lowest_bb_width_by_instrument.csv")
    told = file.filter(symbol=symbol).row(0, named=True)
    dates = load_calendar("XNSE").sessions().day_date.astype("datetime64[D]").astype(object)
    before = [day for day in dates if day <= date.fromisoformat(told["analysis_date"][:10])]
    first = before[-told["total_days_analyzed"]]
    compared = 0
    for day, widths in widths_by_day(bars[symbol]).items():
        able = [width for width in widths if width > WIDTH_MIN]
        if day >= first and able:
            p10 = round(float(np.quantile(able, 0.1)), 2)
            assert p10 >= told["lowest_p10_bb_width"] or p10 < P10_MIN, day
            compared += 1
    assert compared >= 1


def test_the_jobs_file_keeps_its_own_rules(reference: Path) -> None:
    file = pl.read_csv(reference / "data" / "lowest_bb_width_by_instrument.csv")
    assert len(file) == 801
    column = "lowest_{}_bb_width".format
    assert (file[column("p10")] >= P10_MIN).all()
    assert (file[column("p15")] > 0).all()
    order = [column(name) for name in ("min", "p10", "p15", "p20", "p25", "p50", "max")]
    for less, more in itertools.pairwise(order):
        assert (file[less] <= file[more]).all(), (less, more)
