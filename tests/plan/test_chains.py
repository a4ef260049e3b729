"""Goal: an indicator of another one is planned after it, and made of what it gives.

Method: specs with sources, with the operations, columns, warm-ups and reaches written out.
"""

from __future__ import annotations

import re

import pytest

from tallow.core.errors import SpecError
from tallow.core.registry import registry
from tallow.plan.plan import make_plan


def test_a_source_that_nobody_asked_for_is_hidden():
    plan = make_plan("sma(bollinger(20, 2)[upper], 5)")
    bollinger, sma = plan.operations
    (hidden,) = plan.hidden
    assert hidden == "bollinger(length=20, multiplier=2.0)[upper]"
    assert bollinger.columns == (hidden, None, None, None, None, None)
    assert (sma.inputs, sma.source) == ((hidden,), hidden)
    assert plan.columns == ("sma_5_of_bb_upper_20_2",)
    assert plan.warmup == {"sma_5_of_bb_upper_20_2": 19 + 4}


def test_a_source_comes_first_and_is_computed_once():
    plan = make_plan("ema(rsi(14), 9), rsi(14), sma(9, source=rsi(14)), sma(ema(rsi, 9), 5)")
    assert [o.indicator.name for o in plan.operations] == ["rsi", "ema", "sma", "sma"]
    assert plan.hidden == ()
    assert [o.source for o in plan.operations] == [None, "rsi_14", "rsi_14", "ema_9_of_rsi_14"]
    names = ("ema_9_of_rsi_14", "rsi_14", "sma_9_of_rsi_14", "sma_5_of_ema_9_of_rsi_14")
    assert plan.columns == names
    assert [plan.warmup[name] for name in names] == [14 + 8, 14, 14 + 8, 14 + 8 + 4]
    assert set(plan.operations[0].affects) == set(names)
    assert set(plan.operations[1].affects) == {names[0], names[3]}


def test_a_column_of_the_candles_needs_no_operation():
    (sma,) = make_plan("sma(volume, 20)").operations
    assert (sma.inputs, sma.source) == (("volume",), None)


def test_periods_stay_inputs():
    assert make_plan("sma(vwap(week), 3)").anchors == ("week",)


def test_how_far_back_chains_reach():
    """A mean of prices is there on every row; of others, rows may be skipped without end."""
    assert make_plan("sma(hl2, 20), sma(9)").history_rows == 19
    assert make_plan("wma(sma(hlc3, 5), 4)").history_rows is None
    assert make_plan("sma(roc(3), 4)").history_rows is None
    assert make_plan("ema(hl2, 20)").history_rows is None


def test_what_identifies_numbers_tells_the_whole_chain():
    texts = ["sma(5)", "sma(volume, 5)", "sma(hl2, 5)", "sma(rsi(14), 5)", "sma(rsi(13), 5)"]
    texts += ["sma(bb(20, 2)[upper], 5)", "sma(bb(20, 2)[lower], 5)", "sma(sma(rsi(14), 2), 5)"]
    found = [make_plan(text).operations[-1].identity for text in texts]
    assert len(set(found)) == len(texts)
    sma, rsi = (registry().find(name).version for name in ("sma", "rsi"))
    assert found[0] == f"sma {sma} [('length', 5)] in 4"
    inner = f"rsi {rsi} [('flat', 100.0), ('length', 14)] in 6"
    assert found[3] == f"sma {sma} [('length', 5)] in 4 of ({inner})[rsi]"


def test_two_chains_cannot_have_one_column():
    text = "sma(bb(20, 2)[upper], 5), sma(bb(20, 2.0000001)[upper], 5)"
    message = "both want column 'sma_5_of_bb_upper_20_2'; ask for them in two runs"
    with pytest.raises(SpecError, match=re.escape(message)):
        make_plan(text)
