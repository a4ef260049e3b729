"""Goal: every value is right, there from the declared row on, in its bounds, and null if unknown.

Method: every discovered indicator is compared with its plain-Python textbook version, on walks, on
an illiquid stock's ticks and across gaps; its declaration (warm-up, memory, bounds) is taken at its
word; what a market that stands still must give is written down by hand.
"""

from __future__ import annotations

import numpy as np
import pytest

from tallow.core.arrays import Floats
from tallow.core.operator import RECURSIVE, Indicator
from tallow.testing.cases import Case
from tallow.testing.contract import ANCHORS
from tallow.testing.histories import Rows, flat, joined, walk
from tallow.textbook import ORACLES, PRICE, VOLUME, Column, Still
from tests.contract.cases import (
    every_indicator,
    every_telling_case,
    every_window_case,
    histories,
)
from tests.contract.digits import exact, many_digits
from tests.running import all_indicators, assert_same_bits, case

RELATIVE = 1e-9
ROUNDING = 1e-12
"""Of the largest number that went in: what a sum of such numbers may lose."""


VWAPS = {"vwap", "vwap_bands", "anchored_vwap", "event_vwap"}


def as_lists(rows: Rows, names: tuple[str, ...]) -> list[Column]:
    """Return columns for the textbook: lists, None where a value is missing."""
    return [[None if x != x else x for x in rows[name].tolist()] for name in names]


def expected(case: Case, rows: Rows) -> list[Floats]:
    """Return the textbook's outputs, NaN where it has none."""
    columns = ORACLES[case.indicator.name](case.values, *as_lists(rows, case.inputs))
    return [np.array([np.nan if x is None else x for x in column]) for column in columns]


def largest(case: Case, rows: Rows) -> float:
    """Return the largest number among the inputs that are no periods."""
    numbers = set(case.inputs) - ANCHORS
    return max(float(np.nanmax(np.abs(rows[name]))) for name in numbers)


def assert_textbook(case: Case, rows: Rows) -> None:
    """Compare all outputs with the textbook's: null masks exactly, values to rounding."""
    got, want = case.run(rows), expected(case, rows)
    for place, output in enumerate(case.indicator.outputs):
        # Shares and percentages are of a size of their own, whatever the prices.
        scale = 100.0 if output.unit in {"percent", "0..100", "ratio"} else largest(case, rows)
        a, b = got[place], want[place]
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b), f"{output.name}: null masks")
        if not np.allclose(a, b, RELATIVE, ROUNDING * scale, equal_nan=True):
            # Floats lose digits in the textbook's steps, too: exact arithmetic decides.
            with many_digits():
                b = np.array([np.nan if x is None else float(x) for x in exact(case, rows)[place]])
        np.testing.assert_allclose(a, b, RELATIVE, ROUNDING * scale, err_msg=output.name)


def test_every_indicator_has_a_textbook_version() -> None:
    assert sorted(all_indicators()) == sorted(ORACLES)


@every_indicator
def test_textbook_agrees_about_memory(indicator: Indicator) -> None:
    """A gap is skipped by recursive indicators, and makes windows null."""
    assert ORACLES[indicator.name].skips_missing_rows == (indicator.memory == RECURSIVE)


@pytest.mark.parametrize("history", ["walk", "gaps", "ticking"])
@every_telling_case
def test_textbook(case: Case, history: str) -> None:
    assert_textbook(case, histories(case)[history])


@pytest.mark.parametrize("price", [1e-5, 1e12])
@every_telling_case
def test_textbook_at_any_price_level(case: Case, price: float) -> None:
    assert_textbook(case, walk(case.rows, price=price))


@every_telling_case
def test_warmup_is_exact(case: Case) -> None:
    """On rows without special cases: as many leading nulls as declared, and no null after them."""
    rows, given = case.rows, walk(case.rows)
    usual = case.indicator.name != "bollinger" or case.values["multiplier"] != 0.0
    for output, column, warmup in zip(
        case.indicator.outputs, case.run(given), case.first_rows(given), strict=True
    ):
        # Bands without width have no place between them, at any row.
        wanted = warmup if usual or output.name != "percent_b" else rows
        np.testing.assert_array_equal(
            np.isnan(column), (np.arange(rows) < wanted) | case.waits(given), output.name
        )


@every_telling_case
def test_zero_prices_give_zero_null_or_the_flat_value(case: Case) -> None:
    """A feed's all-zero candles crash nothing and make no infinity, whatever the parameters."""
    oracle = ORACLES[case.indicator.name]
    stills = (oracle.zeros, oracle.talib)
    usual = {x for still in stills for x in (still if isinstance(still, tuple) else (still,))}
    for column in case.run(flat(case.rows, price=0.0, volume=0.0)):
        values = np.unique(column[~np.isnan(column)])
        stated = {case.values.get(name) for name in ("flat", "base", "sum_length", "lookback")}
        assert set(values) <= {0.0, -1.0, 1.0, *stated, *usual}


@pytest.mark.parametrize("kind", ["still", "talib", "zeros"])
@every_indicator
def test_a_market_that_stands_still(indicator: Indicator, kind: str) -> None:
    """Every value from the warm-up on is exactly the textbook's; of vwaps, within a rounding."""
    still = case(indicator.name, "talib" if kind == "talib" else "tradingview")
    values: Still = getattr(ORACLES[indicator.name], kind)
    prices = (0.0, 0.0) if kind == "zeros" else (PRICE, VOLUME)
    rows = flat(max(700, max(still.warmup) + 50), *prices)
    columns = still.run(rows)
    slack = 1e-12 * PRICE if indicator.name in VWAPS else 0.0
    each = values if isinstance(values, tuple) else (values,) * len(columns)
    for output, column, warmup, value in zip(
        indicator.outputs, columns, still.first_rows(rows), each, strict=True
    ):
        wanted = np.full(len(column) - warmup, np.nan if value is None else value)
        wanted[still.waits(rows)[warmup:]] = np.nan
        np.testing.assert_allclose(column[warmup:], wanted, 0.0, slack, err_msg=output.name)


@every_window_case
def test_a_window_that_stands_still_forgets_what_moved_before(case: Case) -> None:
    """No residue of earlier rows: a frozen day has a width of exactly zero, in each of its rows."""
    warmup = max(case.warmup)
    moved = joined([walk(400, price=97.3), flat(warmup + 50, PRICE, VOLUME)])
    never_moved = case.run(flat(warmup + 50, PRICE, VOLUME))
    later = [column[400 + warmup :] for column in case.run(moved)]
    assert_same_bits(later, [column[warmup:] for column in never_moved])
