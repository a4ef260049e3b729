"""Goal: a decision that differs is found in its bar, and one that does not is counted as the same.

Method: closes, averages and bands written by hand; the decisions are worked out in the comments.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from tallow.core.spec import parse_specs
from tallow.migrate.compare.flips import DecisionCounts, add_decisions, list_rules
from tallow.migrate.compare.pairing import Answer, join_rows
from tests.migrate.compare.answers import answer


def decided(
    rule_name: str,
    indicators: str,
    control: pl.DataFrame,
    candidate: pl.DataFrame,
    differs: Sequence[int] = (),
    lacking: Sequence[int] = (),
):
    """Decide over all rows; `differs` and `lacking` are the numbers of rows of each series."""
    sides = Answer.of("control", control), Answer.of("candidate", candidate)
    (rule,) = (rule for rule in list_rules(indicators, sides[0].columns) if rule.name == rule_name)
    total = DecisionCounts(rule)
    for rows in join_rows(*sides):
        number = np.arange(len(rows.timestamp))
        account = (np.isin(number, differs), np.isin(number, lacking))
        add_decisions(total, rows, dict.fromkeys(rule.series, account))
    return total


def bars_of(total: DecisionCounts) -> list[int]:
    """Return the numbers of the bars with flips."""
    first = int(answer(1)["timestamp"].to_physical()[0])
    return [(flip.timestamp - first) // 300_000_000 for flip in total.first]


def words(total: DecisionCounts) -> list[tuple[str, str]]:
    return [(flip.control, flip.candidate) for flip in total.first]


def test_crossings_of_the_close_and_an_average() -> None:
    close = [9.0, 11.0, 11.0, 10.0, 11.0, 9.0]
    # Up in bar 1; on the line in bar 3, and up from it in bar 4; down in bar 5.
    control = answer(6, close=close, sma_2=[10.0] * 6)
    # 11.5 is above the close until the end, so that it never crosses.
    candidate = answer(6, close=close, sma_2=[None, 11.5, 11.5, 11.5, 11.5, 11.5])
    total = decided("close x sma_2", "sma(2)", control, candidate)
    assert (total.control, total.candidate, total.same, total.flipped) == (3, 0, 0, 3)
    assert bars_of(total) == [1, 4, 5]
    assert words(total) == [("up", "none"), ("up", "none"), ("down", "none")]
    assert decided("close x sma_2", "sma(2)", control, control).same == 3


def test_averages_of_one_kind_cross_their_next_longer_ones() -> None:
    series = {"ema_9": [1.0, 3.0], "ema_5": [2.0, 2.0], "sma_4": [1.0, 1.0], "close": [1.0, 1.0]}
    names = [rule.name for rule in list_rules("ema(9), ema(5), sma(4)", series)]
    assert names == ["close x ema_9", "close x ema_5", "close x sma_4", "ema_5 x ema_9"]
    control = answer(2, **series)
    candidate = control.with_columns(ema_9=pl.Series([1.0, 1.5]))
    total = decided("ema_5 x ema_9", "ema(9), ema(5)", control, candidate)
    assert words(total) == [("down", "none")]


def test_overbought_and_oversold_count_in_every_bar_that_they_last() -> None:
    control = answer(4, rsi_14=[70.0, 70.5, 80.0, 29.0])
    candidate = answer(4, rsi_14=[71.0, 70.5, 20.0, None])
    total = decided("rsi_14 70/30", "rsi(14)", control, candidate)
    assert (total.control, total.candidate, total.same, total.flipped) == (3, 3, 1, 3)
    assert words(total) == [
        ("none", "overbought"),
        ("overbought", "oversold"),
        ("oversold", "none"),
    ]


def test_a_close_outside_the_bands() -> None:
    bands = {"close": [5.0, 5.0], "bb_upper_20_2": [4.0, 6.0], "bb_lower_20_2": [1.0, 1.0]}
    wide = answer(2, **(bands | {"bb_upper_20_2": [5.0, 6.0]}))
    name = "close outside bb_upper_20_2"
    total = decided(name, "bollinger(20, 2)[upper, lower]", answer(2, **bands), wide)
    assert words(total) == [("overbought", "none")]


def test_a_squeeze_needs_twenty_widths() -> None:
    falling = [40.0 - bar for bar in range(22)]
    control = answer(22, bb_width_20_2=falling)
    # The least of the window of bar 21 is bar 20's, and bar 0's gap leaves bar 19 undecided.
    candidate = answer(22, bb_width_20_2=[None, *falling[1:21], 30.0])
    total = decided("squeeze of bb_width_20_2", "bollinger(20, 2)", control, candidate)
    assert (total.control, total.candidate, total.same) == (3, 1, 1)
    assert bars_of(total) == [19, 21]


def test_a_flip_is_explained_by_the_values_that_its_rule_looked_at() -> None:
    close = [9.0, 11.0, 11.0, 9.0]
    control = answer(4, close=close, sma_2=[10.0] * 4)
    candidate = answer(4, close=close, sma_2=[12.0] * 4)
    sides = ("close x sma_2", "sma(2)", control, candidate)
    # The control crosses in bars 1 and 3, and a crossing looks back on one bar.
    assert decided(*sides, differs=[0, 2]).unexplained == 0
    assert decided(*sides, differs=[0]).unexplained == 1
    assert decided(*sides).unexplained == 2
    assert decided(*sides, differs=[0, 1, 2, 3], lacking=[2]).unexplained == 1
    assert decided(*sides, differs=[0, 1, 2, 3], lacking=[1]).unexplained == 1


def test_a_side_looks_back_over_bars_of_its_own() -> None:
    # The candidate has no bar 1: from bar 0 to bar 2 it crosses, the control did so in bar 1.
    control = answer(3, close=[9.0, 11.0, 11.0], sma_2=[10.0] * 3)
    candidate = control.filter(pl.int_range(pl.len()) != 1)
    total = decided("close x sma_2", "sma(2)", control, candidate)
    assert list(zip(bars_of(total), words(total), strict=True)) == [
        (1, ("up", "none")),
        (2, ("none", "up")),
    ]


def test_there_is_no_rule_without_its_series() -> None:
    assert list_rules("default", ["close"]) == ()
    chains = "ema(rsi(14), 9), sma(hl2, 20), bb(rsi(14), 20, 2), sma(volume, 5), ema(5)"
    columns = [c for spec in parse_specs(chains) for c in spec.columns]
    assert [rule.name for rule in list_rules(chains, ["close", *columns])] == [
        "close x sma_20_of_hl2",
        "squeeze of bb_width_20_2_of_rsi_14",
        "close x ema_5",
    ]
    assert [rule.name for rule in list_rules("rsi(14), ema(5)", ["rsi_14", "ema_5"])] == [
        "rsi_14 70/30"
    ]
