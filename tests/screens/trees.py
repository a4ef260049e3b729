"""Trees of every kind of node for hypothesis, and the leaves that their panels have."""

from __future__ import annotations

from hypothesis import strategies as st

from tallow.core.operator import COLUMNS
from tallow.core.spec import parse_specs
from tallow.screens.nodes import (
    CONDITION,
    NUMBER,
    Combination,
    Constant,
    CrossSection,
    Leaf,
    NodeKind,
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


def combinations(operators: str, operand: st.SearchStrategy, least: int, most: int | None = None):
    """Return nodes of operators, which are given as words, with so many operands."""
    operands = st.lists(operand, min_size=least, max_size=most or least).map(tuple)
    return st.builds(Combination, st.sampled_from(operators.split()), operands)


def over_bars(operators: str, operand: st.SearchStrategy):
    return st.builds(OverBars, st.sampled_from(operators.split()), operand, bars)


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
        combinations("+ - * /", number, 2),
        combinations("negative abs", number, 1),
        combinations("min max", number, 2, 3),
        over_bars("offset highest lowest change", number),
        ranks,
        breadth,
    )


def conditions(depth: int) -> st.SearchStrategy:
    """Return trees of conditions up to a depth."""
    number = numbers(max(depth - 1, 1))
    crossings = st.builds(
        Combination,
        st.sampled_from(["crosses above", "crosses below"]),
        st.tuples(number, number),
    )
    simple = st.one_of(
        combinations("< <= > >= == !=", number, 2),
        crossings,
        combinations("between", number, 3),
        over_bars("rising falling", number),
    )
    if depth <= 2:
        return simple
    condition = conditions(depth - 1)
    return st.one_of(
        simple,
        combinations("not", condition, 1),
        combinations("and or", condition, 2, 3),
        over_bars("offset within for", condition),
    )


trees = st.one_of(numbers(4), conditions(4))
KINDS: tuple[NodeKind, ...] = (NUMBER, CONDITION)
