"""Goal: a thinned drawing has no more places than it may, and loses no extreme.

Method: bars of a market are drawn and thinned; each place is compared with what Polars says of
the bars that are in it.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

import tallow
from tallow.core.calendars import load_calendar
from tallow.plots.drawing import Drawing, Mark
from tallow.service.desk.thinning import thin
from tests.frames import simulate_candles

PER = 7


@pytest.fixture(scope="module")
def drawing() -> Drawing:
    calendar = load_calendar("XNSE")
    candles = simulate_candles(1, 2, calendar=calendar, start=date(2025, 6, 2))
    engine = tallow.AnalyticsEngine()
    result = engine.process_candles(candles, timeframe="5m", indicators="ema(9), macd, supertrend")
    return result.plot().drawing


@pytest.fixture(scope="module")
def groups(drawing: Drawing) -> pl.DataFrame:
    place = pl.int_range(pl.len()) // PER
    bars = pl.DataFrame({**drawing.candles, "volume": drawing.volume, "time": drawing.times})
    return bars.group_by(place.alias("place"), maintain_order=True).agg(
        pl.col("open", "time").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )


def test_one_bar_a_place_is_the_drawing_itself(drawing: Drawing) -> None:
    assert thin(drawing, 1) is drawing


def test_candles_are_those_of_their_bars(drawing: Drawing, groups: pl.DataFrame) -> None:
    thinned = thin(drawing, PER)
    assert thinned.bars == -(-drawing.bars // PER)
    for name, found in thinned.candles.items():
        assert found.tolist() == groups[name].to_list()
    assert thinned.volume.tolist() == pytest.approx(groups["volume"].to_list(), rel=1e-12)
    assert thinned.times.tolist() == groups["time"].to_list()


def test_lines_keep_their_extremes_and_have_one_point_a_place(drawing: Drawing) -> None:
    thinned = thin(drawing, PER)
    for pane, whole in zip(thinned.panes, drawing.panes, strict=True):
        for curve, values in zip(pane.curves, (each.values for each in whole.curves), strict=True):
            assert len(curve.values) == len(curve.ends) == thinned.points
            for pair in range(thinned.points // 2):
                bars = values[pair * 2 * PER : (pair + 1) * 2 * PER]
                shown = curve.values[2 * pair : 2 * pair + 2]
                if curve.kind == "line" and np.isfinite(bars).all():
                    assert sorted(shown) == [bars.min(), bars.max()]
                if curve.kind == "histogram" and np.isfinite(bars).any():
                    assert np.nanmax(np.abs(shown)) == np.nanmax(np.abs(bars))


def test_marks_move_to_their_place_once(drawing: Drawing) -> None:
    marks = tuple(Mark(row, "pattern", 1, "doji") for row in (0, PER - 1, PER))
    marked = Drawing(**{**vars(drawing), "marks": marks})
    assert [mark.row for mark in thin(marked, PER).marks] == [0, 1]
