"""Goal: where the old system's analysers and our indicators differ, every row has its true causes.

Method: simulated days of NSE, which the old formulas are run on; the causes are those of their
definitions: a fixed year, all rows as the divisor, a ratio; rows counted from the newest; averages
of 60 weekdays, and the larger of two shares. A year of 252 rows is planted into each volatility.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from tallow.core.calendars import load_calendar
from tallow.migrate.causes import Classifier
from tallow.migrate.engines import load_engine
from tallow.migrate.pairs import Cause, SeriesPair
from tallow.migrate.protocol import Request
from tests.migrate.causes.pairing import pairs

OF_ANALYSERS = {
    Cause.FIXED_YEAR,
    Cause.REVERSED_WINDOW,
    Cause.SHORT_HISTORY,
    Cause.LARGER_SHARE,
}
DAYS = 220
ASKED = "trend_strength(20), realised_volatility(20), trend_state(50, 20)"


def days() -> pl.DataFrame:
    """Return candles of NSE's sessions, whose closes drift up, then down."""
    dates = load_calendar("XNSE").sessions().day_date
    first = int(np.searchsorted(dates, np.datetime64("2024-01-01")))
    times = [
        datetime.fromisoformat(str(each)).replace(tzinfo=UTC) + timedelta(hours=3, minutes=45)
        for each in dates[first : first + DAYS]
    ]
    random = np.random.default_rng(18)
    drift = np.where(np.arange(DAYS) < 120, 0.002, -0.003)
    close = np.round(500.0 * np.exp(np.cumsum(drift + random.normal(0.0, 0.015, DAYS))), 2)
    prices = {"open": close - 1.0, "high": close + 3.0, "low": close - 4.0, "close": close}
    return pl.DataFrame(
        {"instrument": ["A"] * DAYS, "timestamp": times, **prices, "volume": [1_000.0] * DAYS}
    ).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))


def request(indicators: str) -> Request:
    return Request(days(), "1d", indicators, source_timeframe="1d")


@pytest.fixture(scope="module")
def found() -> dict[str, tuple[SeriesPair, list[Cause]]]:
    """Return each series of both sides, and the causes of its rows."""
    asked = request(ASKED)
    old, ours = (load_engine(name).answer(asked) for name in ("legacy_trends", "tallow"))
    classifier = Classifier(asked, old, ours)
    return {
        pair.series: (pair, [Cause(each) for each in classifier.causes(pair).tolist()])
        for pair in pairs(old, ours)
    }


def test_nothing_is_unexplained(found: dict[str, tuple[SeriesPair, list[Cause]]]) -> None:
    assert {"trend_strength_20", "realised_volatility_20", "trend_share_50_20"} <= set(found)
    for series, (_, causes) in found.items():
        assert not any(Cause.UNEXPLAINED in each for each in causes), series


@pytest.mark.parametrize(
    ("series", "first", "always"),
    [
        ("trend_strength_20", 19, Cause.REVERSED_WINDOW),
        (
            "realised_volatility_20",
            20,
            Cause.FIXED_YEAR | Cause.SAMPLE_AGAINST_POPULATION | Cause.RATIO_AGAINST_PERCENT,
        ),
    ],
)
def test_windows(
    found: dict[str, tuple[SeriesPair, list[Cause]]], series: str, first: int, always: Cause
) -> None:
    """Before the window is full the old system takes what there is; of one day it says zero."""
    _, causes = found[series]
    assert causes[0] == Cause.ZERO_IN_WARM_UP
    assert all(Cause.OTHER_SEED in each for each in causes[2:first])
    assert set(causes[first:]) == {always}


def test_states(found: dict[str, tuple[SeriesPair, list[Cause]]]) -> None:
    pair, causes = found["trend_state_50_20"]
    assert set(causes[:68]) == {Cause.ZERO_IN_WARM_UP}
    differ = [k for k in range(68, DAYS) if pair.control[k] != pair.candidate[k]]
    assert differ
    assert {causes[k] for k in differ} == {Cause.SHORT_HISTORY}
    assert {causes[k] for k in range(68, DAYS) if k not in differ} == {Cause(0)}


def test_shares(found: dict[str, tuple[SeriesPair, list[Cause]]]) -> None:
    pair, causes = found["trend_share_50_20"]
    old, ours = pair.control, pair.candidate
    told = {causes[k] for k in range(68, DAYS) if old[k] != ours[k]}
    both = Cause.SHORT_HISTORY | Cause.LARGER_SHARE
    assert told == {Cause.SHORT_HISTORY, Cause.LARGER_SHARE, both}
    # Of the days that fell: the same closes on the other side of the same averages.
    other_side = np.flatnonzero((ours < 50.0) & (old == 100.0 - ours))
    assert {causes[k] for k in other_side} == {Cause.LARGER_SHARE}
    opposite = np.flatnonzero((ours < 50.0) & (old > 50.0))
    assert all(Cause.LARGER_SHARE in causes[k] for k in opposite)


@pytest.mark.parametrize("name", ["parkinson", "garman_klass", "rogers_satchell", "yang_zhang"])
def test_a_fixed_year_is_found_in_every_volatility(name: str) -> None:
    asked, ours = request(f"{name}(20)"), load_engine("tallow")
    control, column = ours.answer(asked), f"{name}_20"
    other = ours.answer(request(f"{name}(20, 252)")).rename({f"{column}_252": column})
    (pair,) = [each for each in pairs(control, other) if each.series == column]
    causes = Classifier(asked, control, other).causes(pair)
    differs = np.flatnonzero(~np.isclose(pair.control, pair.candidate, 1e-9, equal_nan=True))
    assert len(differs) > 150
    assert {Cause(each) for each in causes[differs].tolist()} == {Cause.FIXED_YEAR}
