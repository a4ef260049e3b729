"""Goal: a plan computes each thing once, and gives the columns in the order asked for.

Method: specs that overlap, repeat and contradict each other, with what must come of them.
"""

from __future__ import annotations

import re

import pytest

from tallow.core.errors import SpecError
from tallow.core.spec import DEFAULT_SET
from tallow.plan.plan import make_plan


def test_each_computation_is_there_once():
    plan = make_plan("bollinger(20)[upper], ema(9), bollinger[lower, upper], ema(length=9)")
    assert plan.columns == ("bb_upper_20_2", "ema_9", "bb_lower_20_2")
    bollinger, ema = plan.operations
    assert (bollinger.indicator.name, ema.indicator.name) == ("bollinger", "ema")
    assert bollinger.columns == ("bb_upper_20_2", None, "bb_lower_20_2", None, None, None)


def test_the_default_plan():
    plan = make_plan("default")
    assert len(plan.operations) == len(DEFAULT_SET)
    assert len(plan.columns) == 12
    assert plan.warmup["ema_50"] == 49
    assert plan.warmup["bb_width_percent_20_2"] == 19
    assert plan.anchors == ("session",)
    assert plan.history_rows is None


def test_how_far_back_values_reach():
    """Windows need their own length; one recursive indicator makes it the whole history."""
    assert make_plan("sma(9), roc(30), bollinger(20)").history_rows == 30
    assert make_plan("").history_rows == 0
    assert make_plan("sma(9), ema(2)").history_rows is None


def test_anchors_are_those_that_some_indicator_takes():
    assert make_plan("ema(9)").anchors == ()
    assert make_plan("vwap(month), vwap(week)").anchors == ("week", "month")


def test_conventions_differ_in_what_is_computed_not_in_the_columns():
    one, other = make_plan("atr(14)"), make_plan("atr(14)", "talib")
    assert one.columns == other.columns == ("atr_14",)
    assert (one.warmup, other.warmup) == ({"atr_14": 13}, {"atr_14": 14})


def test_two_things_cannot_have_one_column():
    """A column shows six digits."""
    message = (
        "indicators: bollinger(length=20, multiplier=2.0000001) and bollinger(length=20, "
        "multiplier=2.0) both want column 'bb_upper_20_2'; ask for them in two runs"
    )
    with pytest.raises(SpecError, match=re.escape(message)):
        make_plan("bollinger(20, 2)[upper], bollinger(20, 2.0000001)[upper]")


def test_a_column_of_the_candles_is_not_overwritten():
    with pytest.raises(
        SpecError, match=r"ema\(length=9\) and the candles both want column 'ema_9'"
    ):
        make_plan("ema(9)", taken=["close", "ema_9"])
