"""Goal: what a screen needs is said before it is judged: no more columns, and no fewer bars.

Method: texts with their needs by hand; and random trees, judged of panels from which all is taken
that they do not need: other columns, and bars further back.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.screens.evaluation import Evaluation
from tallow.screens.needs import TimeframeNeeds, leaves, population_names
from tallow.screens.parser import parse_screen
from tests.screens.test_evaluation import members, sector
from tests.screens.trees import BASE, trees
from tests.screens.worlds import make_world, panels_of
from tests.sizes import sized

NEEDS = {
    "close > 1": {None: (["close"], 0, 0)},
    "close > highest(high, 20)[1]": {None: (["close", "high"], 20, 20)},
    "close > highest(high, 20)": {None: (["close", "high"], 19, 19)},
    "rising(close, 3) and change(low) > 0": {None: (["close", "low"], 3, 3)},
    "close crosses above ema(9) within 5 bars": {None: (["close", "ema_9"], 5, 5)},
    "rsi(14)@1h[2] < 30": {"1h": (["rsi_14"], 2, 0)},
    "rsi(14)@1h < 30 for 3 bars": {"1h": (["rsi_14"], 2, 0)},
    "close > open@1h[1] for 3 bars": {None: (["close"], 2, 2), "1h": (["open"], 1, 2)},
    "close@15m > open": {None: (["close", "open"], 0, 0)},
    "cs_rank(change(close@1d, 2))[1] > 5": {"1d": (["close"], 2, 1)},
    "forming close@1h > close@1h": {"1h": (["close"], 0, 0)},
    "(forming close@1h)[3] > 2": {"1h": (["close"], 0, 3)},
    "1 > 2": {},
}


def shown(needs: TimeframeNeeds) -> tuple[list[str], int, int]:
    names = [*needs.columns, *(spec.columns[0] for spec in needs.specs)]
    return names, needs.bars, needs.base_bars


@pytest.mark.parametrize("text", NEEDS)
def test_the_needs_of_a_text(text):
    found = leaves(parse_screen(text), base=BASE)
    assert {name: shown(needs) for name, needs in found.items()} == NEEDS[text]
    has_forming = [needs.has_forming for needs in found.values()]
    assert any(has_forming) == ("forming" in text)


def test_of_several_trees_the_needs_are_put_together():
    found = leaves(*map(parse_screen, ("close > 1", "ema(3)[4]", "cs_rank(close@1h, in=x)")))
    assert {name: shown(needs) for name, needs in found.items()} == {
        None: (["close", "ema_3"], 4, 4),
        "1h": (["close"], 0, 0),
    }


def test_the_populations_of_trees():
    texts = ("cs_rank(close, in=x) > 1", "breadth(cs_zscore(low, in='y z') > 0)")
    assert population_names(*map(parse_screen, texts)) == {"x", "y z", None}
    assert population_names(parse_screen("close > 1")) == set()


def answer(tree: Any, panels: Any) -> Any:
    evaluation = Evaluation(panels, BASE, {"sector": sector, "NIFTY 50": members})
    return (
        evaluation.condition(tree).states if tree.kind == "condition" else evaluation.number(tree)
    )


@settings(max_examples=sized(60, 200))
@given(trees, st.integers(0, 2**32))
def test_what_is_not_needed_can_be_taken_away(tree, seed):
    panels = panels_of(make_world(seed))
    needs = {name or BASE: each for name, each in leaves(tree, base=BASE).items()}
    fewer = {
        name: replace(panel, columns={each: panel.columns[each] for each in shown(needs[name])[0]})
        for name, panel in panels.items()
        if name in needs
    } | ({} if BASE in needs else {BASE: replace(panels[BASE], columns={})})
    np.testing.assert_array_equal(answer(tree, fewer), answer(tree, panels))


@settings(max_examples=sized(60, 200))
@given(trees, st.integers(0, 2**32))
def test_bars_further_back_than_needed_decide_nothing(tree, seed):
    panels = panels_of(make_world(seed))
    needs = {name or BASE: each for name, each in leaves(tree, base=BASE).items()}
    # Of a population, a member's bar at the same time may be further back than one's own.
    if set(needs) != {BASE} or population_names(tree):
        return
    # The newest bar of each instrument, and as many before it as are looked at.
    panel, bars = panels[BASE], needs[BASE].bars
    last = np.repeat(np.diff(panel.closed.offsets), np.diff(panel.closed.offsets))
    is_near = np.zeros(len(panel.opens), np.bool_)
    is_near[panel.closed.rows] = panel.closed.numbers >= last - 1 - bars
    changed = {name: np.where(is_near, each, 77.0) for name, each in panel.columns.items()}
    newest = panel.closed.rows[panel.closed.numbers == last - 1]
    again = answer(tree, {BASE: replace(panel, columns=changed)})
    np.testing.assert_array_equal(again[newest], answer(tree, panels)[newest])
