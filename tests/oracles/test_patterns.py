"""Goal: each candle pattern is TA-Lib's, to the integer, and null where TA-Lib has no value yet.

Method: drawn candles, in which every pattern occurs in every size and sign that it has; a few that
are rare among these are built. Their prices are multiples of a power of two, and so are those of
real candles once they are counted in ticks: sums of such numbers are exact. Where they are not,
TA-Lib's running sums may decide a tie by what they lost, and then - and only then - we differ.
Trends are compared with their rule in plain Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from talib import abstract

from tallow import AnalyticsEngine
from tallow.core.arrays import Floats
from tallow.core.registry import registry
from tests.candle_patterns import BUILT, COLUMNS, NAMES, PRICES, TICK, built, drawn, theirs
from tests.oracles.reading import candles, records

FUNCTIONS: Any = vars(abstract)
ALL = (*COLUMNS.values(), "patterns")
PENETRATIONS = {name: FUNCTIONS[name].parameters.get("penetration") for name in NAMES}
SYMBOLS = ("PREMEXPLN", "AVANTEL", "IDEAFORGE", "RAYMOND", "JAICORPLTD")


def ours(rows: Mapping[str, Floats], *specs: str) -> pl.DataFrame:
    minute = pl.datetime_range(
        pl.datetime(2024, 1, 1), pl.datetime(2025, 1, 1), "1m", time_zone="UTC", eager=True
    )
    count = len(rows["close"])
    frame = pl.DataFrame({name: rows[name] for name in PRICES}).with_columns(
        instrument=pl.lit("A"), timestamp=minute.head(count), volume=pl.lit(1.0)
    )
    return AnalyticsEngine(calendar="24/7").calculate_indicators(frame, list(specs))


def values(column: pl.Series) -> Floats:
    found: Floats = column.fill_null(0).cast(pl.Float64).to_numpy()
    return found


@pytest.fixture(scope="module")
def histories() -> list[tuple[dict[str, Floats], pl.DataFrame]]:
    rows = [*(drawn(100_000, seed) for seed in range(3)), *map(built, BUILT)]
    return [(each, ours(each, *ALL)) for each in rows]


def sizes(name: str) -> set[float]:
    """Return the values that a pattern may have, besides 0, as its declaration says."""
    output, *_ = registry().find(name).outputs
    found = {100.0, -100.0, output.minimum, output.maximum}
    found |= {80.0, -80.0} if "80" in output.description else set()
    return {each for each in found if output.minimum <= each <= output.maximum} - {0.0}


@pytest.mark.parametrize("name", NAMES)
def test_a_pattern_is_talibs_and_occurs_in_every_size(name, histories):
    column, seen = COLUMNS[name], set()
    for rows, frame in histories:
        wanted = theirs(name, rows)
        np.testing.assert_array_equal(values(frame[column]), wanted)
        assert frame[column].null_count() == FUNCTIONS[name].lookback
        assert frame[column].is_not_null().arg_max() == FUNCTIONS[name].lookback
        assert frame[column].dtype == (pl.Int16 if "HIKKAKE" in name else pl.Int8)
        seen |= set(np.unique(wanted).tolist()) - {0.0}
    assert seen == sizes(name)


@pytest.mark.parametrize("name", BUILT)
def test_a_rare_pattern_occurs_where_it_was_built(name):
    found = ours(built(name), COLUMNS[name])[COLUMNS[name]]
    assert found[-1] == 100


@pytest.mark.parametrize("name", [name for name in NAMES if PENETRATIONS[name]])
def test_a_penetration_is_theirs(name):
    rows, column = drawn(100_000, 5), COLUMNS[name]
    depths = [0.0, 0.1, 0.7]
    specs = [f"{column}({depth})" for depth in depths]
    frame = ours(rows, column, *specs)
    for depth, found in zip([PENETRATIONS[name], *depths], frame.columns[-4:], strict=True):
        np.testing.assert_array_equal(values(frame[found]), theirs(name, rows, penetration=depth))
    assert frame.columns[-4:] == [column, *(f"{column}_{d:g}".replace(".", "p") for d in depths)]


def test_real_candles_give_the_same_in_ticks_and_in_prices(reference: Path):
    rows = records(reference / "data" / "candles_1m.csv")
    for symbol in SYMBOLS:
        prices = candles([row for row in rows if row["symbol"] == symbol])
        ticks = {name: np.round(prices[name] * 20.0) for name in PRICES}
        for given in (ticks, prices):
            found = ours(given, *ALL)
            for name, column in COLUMNS.items():
                np.testing.assert_array_equal(values(found[column]), theirs(name, given), name)


def before(column: np.ndarray, rows: int) -> np.ndarray:
    """Return the sum of the rows before each one."""
    sums = np.concatenate([[0], np.cumsum(column)])
    return sums[:-1] - np.concatenate([np.zeros(rows, dtype=int), sums[: -rows - 1]])


def has_tie(ticks: Mapping[str, np.ndarray]) -> np.ndarray:
    """Say which rows have a length of exactly an average's, themselves or in the four before."""
    opened, high, low, close = (ticks[name] for name in PRICES)
    body, spread = abs(close - opened), before(high - low, 10)
    upper, lower = high - np.maximum(opened, close), np.minimum(opened, close) - low
    shadows, near = before(upper + lower, 10), before(high - low, 5)
    own = (10 * body == before(body, 10)) | (100 * body == spread)
    for shadow in (upper, lower):
        own |= (100 * shadow == spread) | (20 * shadow == shadows)
    middle = 25 * (low + high)
    own |= 50 * np.minimum(opened, close) == middle + 2 * near
    own |= 50 * np.maximum(opened, close) == middle - 2 * near
    for price in (opened, close):
        step = 100 * abs(np.diff(price, prepend=price[0]))
        own |= (step == np.roll(near, 1)) | (step == 4 * np.roll(near, 1))
    return np.convolve(own, np.ones(5, dtype=int))[: len(own)] > 0


def test_only_a_tie_that_their_running_sums_decide_differs():
    ticks = {name: np.round(each / TICK).astype(int) for name, each in drawn(100_000, 4).items()}
    prices = {name: each * 0.05 for name, each in ticks.items()}
    frame, ties, differing = ours(prices, *ALL), has_tie(ticks), 0
    for name, column in COLUMNS.items():
        differs = values(frame[column]) != theirs(name, prices)
        assert not (differs & ~ties).any(), name
        differing += differs.sum()
    assert 0 < differing < 200 < ties.sum() < 50_000


def test_names_are_those_of_the_patterns_that_occur(histories):
    for _, frame in histories:
        shown = frame.tail(3_000)
        texts = shown.select("patterns_bullish", "patterns_bearish", "patterns_neutral")
        for row, said in zip(shown.iter_rows(named=True), texts.iter_rows(), strict=True):
            if row["cdl_ladderbottom"] is None:
                assert said == (None, None, None)
                continue
            both = {name for text in said for name in text.split()}
            assert both == {name for name in COLUMNS.values() if row[name]}
            assert all(row[name] > 0 for name in said[0].split())
            assert all(row[name] < 0 for name in said[1].split())


@pytest.mark.parametrize(
    ("spec", "candles_of"),
    [("cdl_hammer", 1), ("cdl_engulfing", 2), ("cdl_3inside", 3), ("cdl_mathold", 5)],
)
def test_the_trend_before_ends_at_the_candle_before_a_pattern(spec, candles_of):
    rows = drawn(2_000, 9)
    frame = ours(rows, f"{spec}[trend]")
    ticks = (rows["close"] / TICK).astype(int).tolist()
    for row, found in enumerate(frame[f"{spec}_trend"]):
        last = row - candles_of
        if last < 9:
            assert found is None
            continue
        over = 10 * ticks[last] - sum(ticks[last - 9 : last + 1])
        assert found == (over > 0) - (over < 0)
    assert set(frame[f"{spec}_trend"].drop_nulls()) == {-1, 0, 1}


def test_names_of_others_are_understood():
    for name in NAMES:
        short = name.removeprefix("CDL")
        for text in (name, name.lower(), f"CDL_{short}", COLUMNS[name]):
            assert registry().find(text).name == COLUMNS[name]
