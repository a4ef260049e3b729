"""Goal: at the edge of what floats can hold, every value is what exact arithmetic gives.

Method: the textbook runs once more, on numbers of 60 digits instead of floats, over histories that
are hard for floats: standing still for thousands of rows after a move, tiny, huge, alternating by
one tick, and of sizes that have nothing to do with each other. How long a market stood still must
not matter at all. Of a very long history, exact arithmetic sees the end only: what lies further
back than some hundred lengths has been forgotten, to less than the tolerance.

Tolerance: `RELATIVE`, or `ROUNDING` of the largest number that went in (of 1 for a ratio, of 100
for a percentage): a price of 1e12 is known to 1e-4, and so is what is made of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import mpmath
import numpy as np
import pytest

from tallow.core.arrays import Floats
from tallow.testing.cases import Case
from tallow.testing.contract import ANCHORS
from tallow.testing.histories import Rows, flat, joined, part, ticking, walk
from tests.contract.cases import RECURSIVE_CASES, SHARPEST, every_sharpest_case, of_cases
from tests.contract.digits import Exact, exact, many_digits
from tests.running import case

RELATIVE = 1e-9
ROUNDING = 1e-12
CUMULATIVE = {"obv", "ad", "nvi", "pvi", "pvt", "zigzag", "anchored_vwap"}
"""They remember what was since their first row."""

ANCHORED_ROWS = {"session": 75, "week": 150, "month": 300}
"""Rows of a period in a very long history: an anchored value sees one or two of them, no more."""


@pytest.fixture(autouse=True)
def _exact() -> Iterator[None]:
    """Let the textbook compute with many digits."""
    with many_digits():
        yield


def assert_exact(case: Case, rows: Rows, got: list[Floats], want: Exact) -> None:
    """Compare null masks exactly, and values to the tolerance; digits are lost by us alone."""
    numbers = set(case.inputs) - ANCHORS
    largest = max(float(np.max(np.abs(rows[name]))) for name in numbers)
    scales = {"percent": 100.0, "0..100": 100.0, "ratio": 1.0, "sign": 1.0}
    for output, column, values in zip(case.indicator.outputs, got, want, strict=True):
        scale = scales.get(output.unit, largest)
        assert [x is None for x in values] == np.isnan(column).tolist(), output.name
        for row, value in enumerate(values):
            if value is not None:
                slack = max(RELATIVE * abs(value), ROUNDING * scale)
                assert abs(mpmath.mpf(column[row]) - value) <= slack, (output.name, row)


def alternating(rows: int) -> Rows:
    """Return prices that go up and down by one tick, which a large price hardly resolves."""
    price = np.where(np.arange(rows) % 2, 1e11, 1e11 + 0.05)
    return {**walk(rows), "open": price, "high": price + 0.05, "low": price - 0.05, "close": price}


def of_all_sizes(rows: int, smallest: int = -6) -> Rows:
    """Return rows of prices from 1e-6 to 1e9, each as large as it likes."""
    size = 10.0 ** np.random.default_rng(4).integers(smallest, 10, rows)
    return {
        name: column * size if name in {"open", "high", "low", "close"} else column
        for name, column in walk(rows).items()
    }


HISTORIES: dict[str, Callable[[int], Rows]] = {
    "tiny": lambda rows: walk(rows, 7, price=1e-9),
    "huge": lambda rows: walk(rows, 8, price=1e12),
    "alternating": alternating,
    "of all sizes": of_all_sizes,
    "moves, then stands still": lambda rows: joined([ticking(rows - 40), flat(40, 546.2)]),
}


@pytest.mark.parametrize("history", HISTORIES)
@every_sharpest_case
def test_every_value_is_exact(case: Case, history: str) -> None:
    count = max(case.warmup) + (20 if max(case.warmup) > 100 else 80)
    if (case.indicator.name, history) == ("connors_rsi", "of all sizes"):
        # Falls by more than fifteen digits are all -1 to a float, and rank alike.
        rows = of_all_sizes(count, smallest=0)
    else:
        rows = HISTORIES[history](count)
    assert_exact(case, rows, case.run(rows), exact(case, rows))


@pytest.mark.parametrize("convention", ["tradingview", "talib"])
@pytest.mark.parametrize("spec", ["rsi(2)", "adx(2)", "atr(2)", "ema(2)", "macd(2, 3, 2)"])
def test_a_market_may_stand_still_for_long_and_go_on(spec: str, convention: Any) -> None:
    """After 1,500 equal rows a mean that halves with each has left what a float can hold."""
    still = case(spec, convention)
    before, after = walk(60), walk(30, 9, price=545.0)
    rows = joined([before, flat(1_500, float(before["close"][-1])), after])
    assert_exact(still, rows, still.run(rows), exact(still, rows))


@pytest.mark.parametrize("spec", ["rsi(2)", "rsi(14)", "adx(2)", "adx(14)"])
def test_how_long_a_market_stands_still_does_not_matter(spec: str) -> None:
    """By hand: all means shrink by the same factor on each such row, so no ratio of them moves."""
    before = walk(100)
    after = flat(20_000, float(before["close"][-1]))
    columns = case(spec).run(joined([before, after]))
    settled = columns if spec.startswith("rsi") else columns[1:]
    for column in settled:
        # The first flat row may still have a range: the one before it closed off its high and low.
        assert np.ptp(column[102:]) == 0.0, spec


@of_cases(
    [
        each
        for each in RECURSIVE_CASES
        if max(each.warmup) < 60 and each.indicator.name not in CUMULATIVE
    ],
    now=SHARPEST.__contains__,
)
@pytest.mark.parametrize(
    "rows", [50_000, pytest.param(10_000_000, marks=pytest.mark.nightly)], ids=["short", "long"]
)
def test_a_very_long_history_drifts_nowhere(case: Case, rows: int) -> None:
    seen = 2_000
    history = walk(seen, 11)
    whole = joined([walk(rows - seen, 10, price=float(history["close"][0])), history])
    end = part(whole, rows - seen)
    for anchor in ANCHORED_ROWS.keys() & set(case.inputs):
        length = ANCHORED_ROWS[anchor]
        whole = {**whole, anchor: np.float64(20_000.0) + np.arange(rows) // length}
        # From the first row of the period before the oldest value that is compared.
        end = part(whole, (rows - 200) // length * length - length)
    if "minute" in case.inputs:
        # Beside the session, an average of all rows: so much of it is forgotten.
        whole = {**whole, "minute": np.float64(5.0) * (np.arange(rows) % 75)}
        end = part(whole, rows // 75 * 75 - 1_950)
    got = [column[-200:] for column in case.run(whole)]
    want = [column[-200:] for column in exact(case, end)]
    assert_exact(case, part(end, len(end["close"]) - 200), got, want)
