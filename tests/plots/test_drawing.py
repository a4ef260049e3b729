"""Goal: what is drawn is what the frame has, each output where its declaration says, and nothing
that a library of charts would draw wrongly, and be mute.

Method: few bars whose places are worked out by hand; every indicator there is on a market whose
prices are a thousand times its moves, where a level and a distance cannot be taken for each other.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

import tallow
from tallow.core.calendars import load_calendar
from tallow.core.errors import ParameterError
from tallow.core.spec import parse_specs
from tallow.core.timeframe import parse_timeframe
from tallow.plots.build import draw
from tallow.plots.drawing import Drawing, Mark
from tallow.plots.placing import placings
from tallow.testing.histories import walk
from tests.frames import simulate_candles
from tests.plots.bars import candles_of, curves_of, drawing_of, panes_of, simulated, values_at
from tests.running import all_indicators, case

DEFAULT_OVERLAYS = [
    "sma_9", "bb_upper_20_2", "bb_middle_20_2", "bb_lower_20_2", "vwap", "ema_5", "ema_9", "ema_50",
]  # fmt: skip
DEFAULT_PANES = [["bb_width_20_2"], ["bb_width_percent_20_2"], ["atr_14"], ["rsi_14"]]


def redrawn(bars: pl.DataFrame, indicators: str = "") -> Drawing:
    """Draw bars as they are, whatever is in them."""
    specs, size = parse_specs(indicators), parse_timeframe("1m")
    return draw(bars, specs, size, load_calendar("XNSE"), "Asia/Kolkata", {}, "A")


# Where


def test_levels_lie_over_the_candles_and_all_else_has_panes_below() -> None:
    drawn = drawing_of(simulated(), "default", "5m")
    assert panes_of(drawn) == [DEFAULT_OVERLAYS, [], *DEFAULT_PANES]


def test_a_level_of_another_source_lies_over_that() -> None:
    asked = "ema(rsi(14), 9), bollinger(rsi(14), 20)[upper, width], rsi(14), volume_sma(20)"
    asked += ", sma(20, source=volume), sma(5, source=hl2), sma(macd[signal], 5), macd"
    drawn = drawing_of(simulated(), asked, "5m")
    assert panes_of(drawn) == [
        ["sma_5_of_hl2"],
        ["volume_sma_20", "sma_20_of_volume"],
        ["ema_9_of_rsi_14", "bb_upper_20_2_of_rsi_14", "rsi_14"],
        ["bb_width_20_2_of_rsi_14"],
        ["sma_5_of_macd_signal_12_26_9", "macd_12_26_9", "macd_signal_12_26_9",
         "macd_histogram_12_26_9"],
    ]  # fmt: skip
    assert curves_of(drawn)["macd_histogram_12_26_9"].kind == "histogram"


@pytest.mark.parametrize("name", sorted(all_indicators()))
def test_a_level_of_price_is_near_the_prices_and_a_distance_is_not(name: str) -> None:
    rows = {**walk(400)}
    for column in ("open", "high", "low", "close"):
        rows[column] = 1e6 + rows[column]
    made = case(name)
    for output, values in zip(made.indicator.outputs, made.run(rows), strict=True):
        found = values[np.isfinite(values)]
        assert len(found), f"{output.name}: no value to judge by"
        if output.unit == "price":
            assert (np.abs(found - 1e6) < 1e5).all(), f"{output.name} is no level of price"
        elif output.unit == "price difference":
            assert (np.abs(found) < 1e5).all(), f"{output.name} is no difference of prices"


def test_a_direction_colours_its_line_and_has_no_pane() -> None:
    drawn = drawing_of(simulated(), "supertrend(3, 1)", "5m")
    assert panes_of(drawn) == [["supertrend_3_1"], []]
    frame = tallow.AnalyticsEngine().process_candles(simulated(), "5m", "supertrend(3, 1)").frame
    signs = curves_of(drawn)["supertrend_3_1"].signs
    assert signs is not None
    expected = frame["supertrend_direction_3_1"].fill_null(np.nan).to_numpy()
    np.testing.assert_array_equal(signs, expected)
    turns = np.flatnonzero(expected[1:] * expected[:-1] < 0)
    assert len(turns) > 2
    # No line goes from below the prices to above them.
    ends = curves_of(drawn)["supertrend_3_1"].ends
    assert np.flatnonzero(ends[: drawn.bars - 1] & ~np.isnan(signs[:-1])).tolist() == turns.tolist()
    alone = drawing_of(simulated(), "supertrend(3, 1)[direction]", "5m")
    assert panes_of(alone) == [[], [], ["supertrend_direction_3_1"]]


def test_a_market_without_volume_has_no_pane_for_it() -> None:
    quiet = candles_of([2.0, 3.0], [1.0, 2.0], volume=[0.0, 0.0])
    assert [pane.name for pane in drawing_of(quiet, "").panes] == ["price"]


def test_candles_that_an_indicator_makes_are_candles_where_all_four_are_asked_for() -> None:
    # Closes are means of four prices; the second opens in the middle of the body before.
    candles = candles_of([10.0, 20.0], [8.0, 16.0])
    drawn = drawing_of(candles, "heikin_ashi, sma(2, source=hl2)")
    (made,) = (pane for pane in drawn.panes if pane.candles is not None)
    assert made.candles is not None
    assert (made.candles.label, made.curves) == ("heikin_ashi", ())
    first, closes = candles.row(0, named=True), made.candles.values["close"]
    for row, each in enumerate(candles.select("open", "high", "low", "close").iter_rows()):
        assert closes[row] == sum(each) / 4
    middle = (first["open"] + first["close"]) / 2
    assert made.candles.values["open"].tolist() == [middle, (middle + closes[0]) / 2]
    drawn = drawing_of(candles, "heikin_ashi[close]")
    assert [pane.candles for pane in drawn.panes] == [None] * len(drawn.panes)
    assert "ha_close" in curves_of(drawn)


# At which bar


def test_a_cloud_is_drawn_later_by_the_declared_rows_beyond_the_last_bar() -> None:
    # Middles of one bar: 9, 18, 27, 36; of two: 14, 23, 32. Their means: 16, 25 (25), 34.
    cloud = "ichimoku(1, 2, 2)"
    candles = candles_of([10.0, 20.0, 30.0, 40.0], [8.0, 16.0, 24.0, 32.0])
    drawn, made = drawing_of(candles, cloud), case(cloud)
    assert made.indicator.shift is not None
    assert made.indicator.shift(made.values) == (0, 0, 1, 1)
    curves = curves_of(drawn)
    assert (drawn.bars, drawn.points) == (4, 5)
    assert values_at(curves["ichimoku_conversion_1_2_2"]) == {0: 9.0, 1: 18.0, 2: 27.0, 3: 36.0}
    assert values_at(curves["ichimoku_span_a_1_2_2"]) == {2: 16.0, 3: 25.0, 4: 34.0}
    assert values_at(curves["ichimoku_span_b_1_2_2"]) == {2: 14.0, 3: 23.0, 4: 32.0}


def test_a_fractal_is_marked_at_its_extreme_and_not_where_it_is_known() -> None:
    drawn = drawing_of(candles_of([5.0, 9.0, 6.0, 7.0], [4.0, 5.0, 3.0, 4.0]), "fractal(1, 1)")
    assert drawn.marks == (
        Mark(1, "extreme", -1, "fractal_up_1_1"),
        Mark(2, "extreme", 1, "fractal_down_1_1"),
    )


def test_a_zigzag_goes_through_its_extremes_to_the_newest_one() -> None:
    # 10 %: from 110, row 2 turns it at 98; from 95, row 4 turns it at 106.
    high, low = [100.0, 110.0, 108.0, 97.0, 106.0, 105.0], [100.0, 109.0, 98.0, 95.0, 100.0, 101.0]
    drawn = drawing_of(candles_of(high, low), "zigzag(10)")
    curve = curves_of(drawn)["zigzag_10"]
    assert curve.kind == "corners"
    assert values_at(curve) == {0: 100.0, 1: 110.0, 3: 95.0, 4: 106.0}
    assert panes_of(drawn) == [["zigzag_10"], []]


def test_a_line_ends_with_its_session_and_before_what_is_missing() -> None:
    drawn = drawing_of(simulated(2), "vwap, sma(3)", "15m")
    curves, first = curves_of(drawn), 25  # bars of a session
    assert np.flatnonzero(drawn.starts).tolist() == [0, first]
    assert np.flatnonzero(curves["vwap"].ends).tolist() == [first - 1]
    assert not curves["sma_3"].ends[2:].any()
    months = curves_of(drawing_of(simulated(30), "pivots(anchor=month)", "1d"))["pivot_month"]
    assert months.ends.sum() >= 1


# What is marked


def test_patterns_and_matches_are_marked_at_their_bars() -> None:
    candles, asked = simulated(), "cdl_engulfing, patterns[bullish]"
    engine = tallow.AnalyticsEngine()
    frame = engine.process_candles(candles, "5m", asked).frame.with_row_index("row")
    found = engine.screen("rsi(14) < 40", "5m", candles=candles, start="2025-07-14")
    drawn = engine.process_candles(candles, "5m", asked).plot(matches={"low": found}).drawing
    marks = [mark for mark in drawn.marks if mark.text == "engulfing" and mark.kind == "pattern"]
    value = pl.col("cdl_engulfing")
    expected = frame.filter(value != 0).select("row", value.sign().cast(pl.Int64)).rows()
    numbers = [(mark.row, mark.side) for mark in marks]
    assert set(expected) <= set(numbers)
    assert expected
    names = frame.filter(pl.col("patterns_bullish").str.len_chars() > 0)["row"].to_list()
    assert set(names) <= {mark.row for mark in drawn.marks if mark.side == 1}
    matched = frame.filter(pl.col("timestamp").is_in(found.frame["timestamp"].implode()))
    assert [m.row for m in drawn.marks if m.kind == "match"] == matched["row"].to_list() != []


def test_the_bar_that_is_still_forming_is_told() -> None:
    drawn = drawing_of(simulated(), "", "5m")
    assert np.flatnonzero(drawn.forming).tolist() == [drawn.bars - 1]


# Time


def test_nights_take_no_room_and_clocks_are_those_of_the_venue() -> None:
    drawn = drawing_of(simulated(2), "", "15m")
    assert drawn.points == drawn.bars == 50
    shown = drawn.clock.astype("datetime64[s]").astype(str).tolist()
    assert (shown[0], shown[24], shown[25]) == (
        "2025-07-14T09:15:00",
        "2025-07-14T15:15:00",
        "2025-07-15T09:15:00",
    )
    result = tallow.AnalyticsEngine().process_candles(
        simulated(2), "15m", "", output_zone="Europe/Berlin"
    )
    elsewhere = result.plot().drawing
    assert elsewhere.zone == "Europe/Berlin"
    assert elsewhere.clock[0] - drawn.clock[0] == -3.5 * 3600


def test_a_night_in_which_clocks_go_back_keeps_its_order() -> None:
    calendar, start = load_calendar("24/7"), date(2025, 10, 26)
    candles = simulate_candles(1, 1, calendar=calendar, start=start)
    engine = tallow.AnalyticsEngine(calendar="24/7")
    result = engine.process_candles(candles, "30m", "", output_zone="Europe/Berlin")
    drawn = result.plot().drawing
    assert (np.diff(drawn.times) > 0).all()
    assert (np.diff(drawn.clock) < 0).sum() == 1


# What is wrong


@pytest.mark.parametrize("order", [[0, 2, 1], [0, 1, 1]])
def test_bars_that_do_not_ascend_are_refused(order: list[int]) -> None:
    frame = tallow.AnalyticsEngine().process_candles(candles_of([2.0] * 3, [1.0] * 3), "1m", "")
    with pytest.raises(ParameterError, match=r"plot: row 2: timestamp=.*must be later"):
        redrawn(frame.frame[order])


def test_what_is_missing_or_infinite_is_left_out() -> None:
    frame = tallow.AnalyticsEngine().process_candles(
        candles_of([2.0] * 3, [1.0] * 3), "1m", "sma(1)"
    )
    broken = frame.frame.with_columns(
        close=pl.Series([1.5, None, 1.5]), sma_1=pl.Series([np.inf, np.nan, 1.5])
    )
    drawn = redrawn(broken, "sma(1)")
    assert np.isnan(drawn.candles["close"]).tolist() == [False, True, False]
    assert values_at(curves_of(drawn)["sma_1"]) == {2: 1.5}


def test_a_chart_is_of_one_instrument() -> None:
    both = pl.concat([candles_of([2.0], [1.0], name) for name in "AB"])
    result = tallow.AnalyticsEngine().process_candles(both, "1m", "")
    with pytest.raises(
        ParameterError, match=r"instrument=None; there are A .and 1 more instrument"
    ):
        result.plot()
    with pytest.raises(ParameterError, match="instrument=C; has no bars here; known: A, B"):
        result.plot("C")
    assert result.plot("B").drawing.title == "B"
    assert repr(result.plot("B", title="Bee")) == "Plot(1 bar of Bee, 2 panes)"


def test_a_declared_shift_is_where_the_output_is_placed() -> None:
    for text in ("ichimoku(9, 26, 52)", "fractal(2, 2)"):
        (spec,) = parse_specs(text)
        assert spec.indicator.shift is not None
        shifts = dict(zip(spec.columns, spec.indicator.shift(dict(spec.values)), strict=True))
        assert {each.column: each.shift for each in placings([spec])} == shifts
    assert replace(parse_specs("zigzag")[0], outputs=("pivot",)).indicator.outputs[0].at_extreme
