"""Trees of every kind of node for hypothesis, and the leaves that their panels have."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from tallow.core.operator import COLUMNS
from tallow.core.spec import parse_specs
from tallow.screens.nodes import (
    ARITHMETIC,
    COMBINATIONS,
    CONDITION,
    CROSS_SECTIONS,
    CROSSINGS,
    OVER_BARS,
    RELATIONS,
    Combination,
    Constant,
    CrossSection,
    Leaf,
    OverBars,
)

SPECS = parse_specs("ema(3), bb(4, 2)[upper], sma(rsi(5), 2), vwap")
TIMEFRAMES = (None, "1h", "1d")
BASE = "15m"
POPULATIONS = ("sector", "NIFTY 50")

sources = st.sampled_from([*COLUMNS, *SPECS])
closed = st.builds(Leaf, sources, st.sampled_from(TIMEFRAMES))
forming = st.builds(Leaf, sources, st.sampled_from(TIMEFRAMES[1:]), st.just(True))
constants = st.builds(Constant, st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, 1e16]))
bars = st.integers(1, 4)
populations = st.sampled_from([None, *POPULATIONS])


def combinations(
    operators: Sequence[str], operand: st.SearchStrategy, least: int, most: int
) -> st.SearchStrategy:
    """Return nodes of operators with so many operands."""
    operands = st.lists(operand, min_size=least, max_size=most).map(tuple)
    return st.builds(Combination, st.sampled_from(operators), operands)


def over_bars(operators: Sequence[str], operand: st.SearchStrategy) -> st.SearchStrategy:
    return st.builds(OverBars, st.sampled_from(operators), operand, bars)


def numbers(depth: int) -> st.SearchStrategy:
    """Return trees of numbers up to a depth."""
    simple = st.one_of(closed, closed, constants, forming)
    if depth == 1:
        return simple
    number = numbers(depth - 1)
    ranks = st.builds(
        CrossSection, st.sampled_from(["cs_rank", "cs_pct_rank", "cs_zscore"]), number, populations
    )
    breadth = st.builds(CrossSection, st.just("breadth"), conditions(depth - 1), populations)
    return st.one_of(
        simple,
        combinations(ARITHMETIC, number, 2, 2),
        combinations(["negative", "abs"], number, 1, 1),
        combinations(["min", "max"], number, 2, 3),
        over_bars(["offset", "highest", "lowest", "change"], number),
        ranks,
        breadth,
    )


def conditions(depth: int) -> st.SearchStrategy:
    """Return trees of conditions up to a depth."""
    number = numbers(max(depth - 1, 1))
    simple = st.one_of(
        combinations(RELATIONS, number, 2, 2),
        combinations(CROSSINGS, number, 2, 2),
        combinations(["between"], number, 3, 3),
        over_bars(["rising", "falling"], number),
    )
    if depth <= 2:
        return simple
    condition = conditions(depth - 1)
    return st.one_of(
        simple,
        combinations(["not"], condition, 1, 1),
        combinations(["and", "or"], condition, 2, 3),
        over_bars(["offset", "within", "for"], condition),
    )


def trees_of(operator: str) -> st.SearchStrategy:
    """Return trees with an operator at their top."""
    signature = {**COMBINATIONS, **OVER_BARS, **CROSS_SECTIONS}[operator]
    operand = conditions(3) if signature.takes == CONDITION else numbers(2)
    if operator in OVER_BARS:
        return over_bars([operator], operand)
    if operator in CROSS_SECTIONS:
        return st.builds(CrossSection, st.just(operator), operand, populations)
    return combinations([operator], operand, signature.least, min(signature.most, 3))


OPERATORS = (*COMBINATIONS, *OVER_BARS, *CROSS_SECTIONS)
trees = st.one_of(numbers(4), conditions(4))
