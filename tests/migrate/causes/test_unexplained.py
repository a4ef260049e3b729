"""Goal: what no known cause reproduces is unexplained, and what is equal has no cause.

Method: values of our engine's answer are made wrong in random rows, by every amount from a
billionth upward, by ticks, by null and by zero; a small wrong value must not pass for rounding or
for a seed, and its neighbours must stay equal. Series whose formula is unknown are made by hand.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from tallow.core.calendars import load_calendar
from tallow.migrate.causes import Classifier
from tallow.migrate.pairs import Cause, SeriesPair
from tallow.migrate.protocol import Request
from tests.frames import simulate_candles
from tests.migrate.causes.pairing import pairs
from tests.migrate.causes.planted import answer

Floats = NDArray[np.float64]

SERIES = ("close", "volume", "sma_9", "ema_9", "rsi_14", "atr_14", "vwap", "bb_upper_20_2")
NOISES = ("scaled", "ticks", "missing", "zero")


@pytest.fixture(scope="module")
def request_() -> Request:
    calendar = load_calendar("XNSE")
    return Request(simulate_candles(1, 2, calendar=calendar, start=date(2025, 6, 2), seed=11))


@pytest.fixture(scope="module")
def control(request_: Request) -> pl.DataFrame:
    return answer(request_)


def made_wrong(values: Floats, rows: NDArray[np.int64], noise: str, seed: int) -> Floats:
    draw, wrong = np.random.default_rng(seed), values.copy()
    signs = draw.choice([-1.0, 1.0], len(rows))
    if noise == "scaled":
        wrong[rows] *= 1.0 + signs * 10.0 ** draw.uniform(-9.0, 0.0, len(rows))
    elif noise == "ticks":
        wrong[rows] = np.round(wrong[rows] + 0.05 * signs * draw.integers(1, 30, len(rows)), 2)
    else:
        wrong[rows] = np.nan if noise == "missing" else 0.0
    return wrong


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("series", SERIES)
def test_a_random_wrong_value_is_never_explained(
    request_: Request, control: pl.DataFrame, series: str, noise: str
) -> None:
    (pair,) = (pair for pair in pairs(control, control) if pair.series == series)
    # Not among the first: a missing value there is what a series looks like that begins later.
    rows = np.random.default_rng(7).choice(np.arange(30, len(pair.control)), 4, replace=False)
    wrong = made_wrong(pair.candidate, rows, noise, seed=5)
    frame = control.with_columns(pl.Series(series, wrong, nan_to_null=True))
    found = Classifier(request_, control, frame).causes(replace(pair, candidate=wrong))
    expected = np.zeros(len(wrong), dtype=np.int64)
    expected[rows] = int(Cause.UNEXPLAINED)
    np.testing.assert_array_equal(found, expected)


def test_equal_answers_have_no_cause(request_: Request, control: pl.DataFrame) -> None:
    classifier = Classifier(request_, control, control)
    for pair in pairs(control, control):
        assert not classifier.causes(pair).any()


def test_a_bar_that_one_side_lacks_for_no_reason_is_unexplained(
    request_: Request, control: pl.DataFrame
) -> None:
    less = control.filter(pl.int_range(pl.len()) != 40)
    classifier = Classifier(request_, control, less)
    for pair in pairs(control, less):
        assert classifier.causes(pair)[40] == Cause.UNEXPLAINED


def test_a_value_cut_off_at_a_limit_is_capped(request_: Request, control: pl.DataFrame) -> None:
    limit = float(np.quantile(control["rsi_14"].drop_nulls(), 0.8))
    capped = control.with_columns(pl.col("rsi_14").clip(upper_bound=limit))
    (pair,) = (pair for pair in pairs(control, capped) if pair.series == "rsi_14")
    found = Classifier(request_, control, capped).causes(pair)
    np.testing.assert_array_equal(found, np.where(pair.control > limit, int(Cause.CAPPED), 0))


def unknown(control: Floats, candidate: Floats) -> list[Cause]:
    """Classify a series that no request names, without candles and without bars."""
    rows, minute = len(control), 60_000_000
    there = np.ones(rows, dtype=np.bool_)
    times = np.arange(rows, dtype=np.int64) * minute + 1_748_836_500_000_000
    frame = pl.DataFrame(
        {"instrument": ["A"] * rows, "timestamp": pl.Series(times).cast(pl.Datetime("us", "UTC"))}
    )
    none = frame.clear().with_columns(close=pl.lit(None, pl.Float64))
    pair = SeriesPair("A", "own", times, control, candidate, there, there)
    return [Cause(f) for f in Classifier(Request(none), frame, frame).causes(pair).tolist()]


WALK = 100.0 + np.cumsum(np.random.default_rng(1).normal(size=40))


@pytest.mark.parametrize(
    ("candidate", "cause"),
    [
        (np.round(WALK, 2), Cause.ROUNDING),
        (WALK / 100.0, Cause.RATIO_AGAINST_PERCENT),
        (np.round(WALK / 100.0, 4), Cause.RATIO_AGAINST_PERCENT | Cause.ROUNDING),
        (WALK + 3.0 * 0.8 ** np.arange(40), Cause.OTHER_SEED),
        (WALK + np.random.default_rng(2).normal(size=40), Cause.UNEXPLAINED),
        (WALK + 1.0, Cause.UNEXPLAINED),
    ],
    ids=["rounded", "ratio", "rounded ratio", "converging", "noise", "offset"],
)
def test_of_an_unknown_series_the_values_alone_tell(candidate: Floats, cause: Cause) -> None:
    assert unknown(WALK, candidate) == [cause] * 40


def test_of_an_unknown_series_a_shift_and_leading_zeros_are_found() -> None:
    late, empty = np.roll(WALK, 1), WALK.copy()
    late[0], empty[:5] = np.nan, np.nan
    assert unknown(WALK, late) == [Cause.SHIFTED_LABEL] * 40
    assert unknown(empty, np.nan_to_num(empty)) == [Cause.ZERO_IN_WARM_UP] * 5 + [Cause(0)] * 35
