"""Goal: a sweep is the screens of all combinations of its values, and is refused where it is none.

Method: combinations are written out by hand; answers are compared with those of the single screens,
and with counts from plain closes; wrong ranges have the place that is at fault under the caret.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, open_store
from tallow.core.errors import EmptyWarning, ParameterError, RangeError, ScreenError
from tallow.screens.parser import parse_screen
from tallow.screens.sweeps import read_sweep
from tests.frames import market

NAMES = ("A", "B", "C", "D")
DAY, END = "2025-06-02", "2025-06-02T15:30+05:30"


def texts(text: str) -> list[str]:
    return [each for _, each in read_sweep(text).combinations()]


def test_every_combination_is_written_the_last_range_changing_first():
    swept = read_sweep("ema(10..30 step 10) > 1..2 + close")
    assert swept.names == ("10..30 step 10", "1..2")
    assert list(swept.combinations()) == [
        ((10, 1), "ema(10) > 1 + close"),
        ((10, 2), "ema(10) > 2 + close"),
        ((20, 1), "ema(20) > 1 + close"),
        ((20, 2), "ema(20) > 2 + close"),
        ((30, 1), "ema(30) > 1 + close"),
        ((30, 2), "ema(30) > 2 + close"),
    ]


def test_decimals_are_exact_and_the_end_is_left_out_where_no_step_meets_it():
    assert texts("close > 0.1..0.3 step 0.1") == ["close > 0.1", "close > 0.2", "close > 0.3"]
    assert texts("close > 10 .. 24 STEP 10") == ["close > 10", "close > 20"]


def test_a_range_that_is_written_twice_is_two():
    assert read_sweep("rsi(2..3) > rsi(2..3)").names == ("2..3", "2..3 #2")


def test_what_is_in_quotes_is_no_range():
    assert texts('cs_rank(close, in="1..5") > 1..2') == [
        'cs_rank(close, in="1..5") > 1',
        'cs_rank(close, in="1..5") > 2',
    ]


@pytest.mark.parametrize(
    ("text", "column", "why"),
    [
        ("close > ema(10..)", 15, "must be a range of numbers"),
        ("close > 5..1", 9, "must go up"),
        ("close > 1..5 step 0", 9, "the step must be more than 0"),
        ("close > 1..5 step x", 9, "must be a range of numbers"),
        ("close > 1..5 step -1", 9, "must be a range of numbers"),
        ("close > -5..5", 10, "from -5 to 5 is (0..10 step 1) - 5"),
        ("max(close, - 1..3 step 0.5) > 2", 14, "from -1 to 3 is (0..4 step 0.5) - 1"),
        ("close > 0..1000", 9, "has 1,001 values; a sweep has at most 1,000"),
        ("1..40 < 1..40", 9, "makes 1,600 combinations; a sweep has at most 1,000"),
    ],
)
def test_what_is_no_range_is_told_with_its_place(text: str, column: int, why: str):
    with pytest.raises(ScreenError) as caught:
        read_sweep(text)
    message, _, caret = str(caught.value).splitlines()
    assert message.startswith(f"screen, column {column}: ")
    assert why in message
    assert caret.index("^") == column + 1


def test_a_range_elsewhere_says_where_one_may_stand():
    for read in (
        lambda: parse_screen("close > ema(10..50)"),
        lambda: parse_screen("swept", {"swept": "close > 1..3"}),
    ):
        with pytest.raises(ScreenError, match="in the condition of a sweep alone"):
            read()


@pytest.mark.parametrize("piece", ["1..", "..", "1..2 step "])
def test_points_without_end_are_refused(piece: str):
    with pytest.raises(ScreenError):
        read_sweep(piece * (200_000 // len(piece)))


def test_a_sweep_answers_what_its_screens_answer():
    engine, candles = AnalyticsEngine(), market(NAMES)
    swept = engine.sweep("close > sma(2..4) and close > 1..2", "5m", candles=candles)
    assert swept.frame.columns == ["2..4", "1..2", "matched", "not", "unknown", "instruments"]
    assert swept.frame["2..4"].to_list() == [2, 2, 3, 3, 4, 4]
    for length, above, *counts, names in swept.frame.iter_rows():
        alone = engine.screen(f"close > sma({length:.0f}) and close > {above}", "5m",
                              candles=candles)  # fmt: skip
        assert counts == list(alone.counts.values())
        assert names == sorted(alone.frame["instrument"])
        assert swept.judged_at == alone.judged_at


def test_a_sweep_counts_what_plain_closes_say():
    candles = market(NAMES)
    closes = candles.sort("timestamp").group_by("instrument").agg(pl.col("close").last())
    above = [
        sorted(closes.filter(pl.col("close") > limit)["instrument"])
        for limit in (200, 250, 300, 350, 400)
    ]
    closed = AnalyticsEngine().sweep("close > 200..400 step 50", "1d", candles=candles, at=DAY)
    assert closed.frame["instruments"].to_list() == above


def test_over_a_range_bars_are_counted():
    engine, candles = AnalyticsEngine(), market(NAMES)
    found = engine.sweep("close > 1..2", "5m", candles=candles, start=DAY, end=DAY)
    bars = engine.process_candles(candles, "5m", "", final_at=END).frame.filter("is_final")
    assert found.frame["matched"].to_list() == [len(bars)] * 2
    assert found.frame["instruments"].to_list() == [list(NAMES)] * 2
    assert found.judged_at is None


def test_what_has_no_range_or_is_no_text_is_refused():
    given: Any
    for given in ("close > 3", parse_screen("close > 3")):
        with pytest.raises(ScreenError, match="sweep"):
            AnalyticsEngine().sweep(given, candles=market(NAMES))


def test_what_cannot_be_judged_is_warned_of_and_said():
    with pytest.warns(EmptyWarning, match="could be judged") as caught:
        found = AnalyticsEngine().sweep("ema(5000) > 1..2", "5m", candles=market(NAMES))
    assert [each.filename for each in caught] == [__file__]
    assert "could be judged" in found.why_empty
    with pytest.warns(EmptyWarning, match="could be judged"):
        one = AnalyticsEngine().screen("ema(5000) > 1", "5m", candles=market(NAMES))
    assert "could be judged" in one.why_empty


def test_an_instrument_that_is_not_there_is_refused():
    with pytest.raises(RangeError, match="'E'; not in the input"):
        AnalyticsEngine().screen("close > 1", "5m", candles=market(NAMES), instruments=["E"])


def test_how_candles_are_read_is_not_said_to_a_store(tmp_path: Path):
    engine = AnalyticsEngine(store=open_store(tmp_path / "store", create=True))
    with pytest.raises(ParameterError, match="timezone='UTC'; says how candles are read"):
        engine.screen("close > 1", timezone="UTC")
