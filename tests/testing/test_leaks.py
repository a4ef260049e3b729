"""Goal: whatever looks ahead is found by `check_leaks`, with the column, the first row, how far it
looks and by what it moved; and what cannot be checked is said.

Method: leaks that people make are planted in plain Polars, over candles of a few instruments in two
sessions; what must be told of each follows from how it was planted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import polars as pl
import pytest

from tallow.core.errors import LeakCheckError, ParameterError
from tallow.testing import Leak, LeakReport, check_leaks
from tests.frames import candles, minutes, moment

OPEN = "2025-07-17T09:15+05:30"
NAMES = ("A", "B", "C")
ROWS = 40
"""Candles of each instrument in a session."""


def of_market(names: tuple[str, ...] = NAMES) -> pl.DataFrame:
    """Return two sessions of one-minute candles of each instrument."""
    times = [*minutes(OPEN, ROWS), *minutes("2025-07-18T09:15+05:30", ROWS)]
    return pl.concat([candles(name, times, seed) for seed, name in enumerate(names)])


def checked(compute: Callable[[Any], Any], names: tuple[str, ...] = NAMES) -> LeakReport:
    return check_leaks(compute, of_market(names))


def only_leak(compute: Callable[[Any], Any], column: str) -> Leak:
    """Return the leak of a function that has one."""
    leaks = checked(compute).leaks
    assert [*leaks] == [column]
    return leaks[column]


def at(minute: int) -> datetime:
    """Return the open of a candle, counted from the first."""
    return moment(OPEN) + timedelta(minutes=minute)


def each(expression: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Return a function that adds a column, each instrument's by itself."""
    return lambda frame: frame.with_columns(x=expression.over("instrument"))


CLOSE = pl.col("close")


def test_what_looks_back_is_clean_and_the_report_says_how_much_was_checked() -> None:
    report = checked(each(CLOSE.rolling_mean(5) - CLOSE.cum_max()))
    assert report.is_clean
    assert [(c.column, c.verdict) for c in report.columns] == [("x", "ok"), ("(rows)", "ok")]
    assert (report.candles, report.instruments) == (6 * ROWS, 3)
    # Between all bars of one instrument.
    assert report.moments == report.moments_there == 2 * ROWS - 1
    assert report.futures > 2 * report.moments
    # Every value but those of the warm-up, at every moment, against one future at least.
    assert report.columns[0].values > sum(3 * (n - 4) for n in range(5, 2 * ROWS))


def test_a_centred_window() -> None:
    leak = only_leak(each(CLOSE.rolling_mean(5, center=True)), "x")
    assert (leak.instrument, leak.timestamp, leak.known_at) == ("A", at(2), at(3))
    assert (leak.nearest, leak.farthest, leak.until) == (1, 2, at(4))
    assert leak.before is None
    assert leak.after == pytest.approx(of_market()["close"][:5].mean(), rel=1e-12)
    assert leak.rows == 3 * (2 * ROWS - 4)
    assert "a centred window" in leak.reason
    # Its own instrument's candles move it, and no others'.
    assert leak.moved_by[:2] == ("later candles", "later prices")
    assert "other instruments' later candles" not in leak.moved_by


def test_a_longer_bar_joined_on_its_open() -> None:
    def joined(frame: pl.DataFrame) -> pl.DataFrame:
        quarter = pl.col("timestamp").dt.truncate("15m")
        return frame.with_columns(x=CLOSE.last().over("instrument", quarter))

    leak = only_leak(joined, "x")
    assert (leak.instrument, leak.timestamp) == ("A", at(0))
    assert (leak.nearest, leak.farthest, leak.until) == (14, 14, at(14))
    assert "a longer bar joined on its open" in leak.reason


def test_the_universe_of_today() -> None:
    def members(frame: pl.DataFrame) -> pl.DataFrame:
        newest = CLOSE.last().over("instrument")
        return frame.filter(newest > CLOSE.first().over("instrument")).select(
            "instrument", "timestamp", x="close"
        )

    report = checked(members)
    assert [*report.leaks] == ["(rows)"]
    leak = report.leaks["(rows)"]
    assert leak.timestamp == at(0)
    assert {leak.before, leak.after} == {"a row", "no row"}
    assert leak.farthest is not None
    assert leak.farthest > ROWS
    assert "chosen by what was known later" in leak.reason


def test_rows_that_are_taken_away_later() -> None:
    falls = (CLOSE.shift(-3) < CLOSE).over("instrument")
    leak = only_leak(lambda frame: frame.filter(~falls.fill_null(False)), "(rows)")
    closes = of_market().filter(instrument="A")["close"].to_list()
    first = next(i for i, close in enumerate(closes) if closes[i + 3] < close)
    assert leak.timestamp <= at(first)
    assert (leak.before, leak.after) == ("a row", "no row")


def five_minutes(frame: pl.DataFrame) -> pl.DataFrame:
    """Return bars of five minutes: of the last one, what there is of it."""
    grouped = frame.group_by_dynamic("timestamp", every="5m", group_by="instrument")
    return grouped.agg(pl.col("high").max(), x=CLOSE.last(), count=pl.len())


def test_a_forming_bar_taken_as_closed() -> None:
    report = checked(five_minutes)
    assert [*report.leaks] == ["high", "x", "count"]
    leak = report.leaks["count"]
    assert (leak.nearest, leak.farthest) == (0, 0)
    assert "a forming bar taken as closed" in leak.reason
    # The row itself says so; or it is left out.
    ends = pl.col("timestamp") + pl.duration(minutes=5)
    last = pl.col("timestamp").max() + pl.duration(minutes=1)
    assert checked(
        lambda f: five_minutes(f).with_columns(is_final=ends <= f.select(last).item())
    ).is_clean
    assert checked(lambda f: five_minutes(f).filter(ends <= f.select(last).item())).is_clean


def test_a_forming_row_may_use_the_candles_of_its_own_bar_alone() -> None:
    def with_next_open(frame: pl.DataFrame) -> pl.DataFrame:
        bars = five_minutes(frame).with_columns(
            is_final=pl.col("timestamp") < pl.col("timestamp").max().over("instrument")
        )
        # Only where the bar has fewer candles than it could have: a final one has all of them.
        following = pl.col("x").shift(-1).over("instrument")
        return bars.with_columns(x=pl.when(pl.col("count") < 5).then(following))

    leak = only_leak(with_next_open, "x")
    assert "a forming bar's row depends on candles after its bar" in leak.reason


def test_a_scaler_over_all_rows() -> None:
    leak = only_leak(each((CLOSE - CLOSE.mean()) / CLOSE.std()), "x")
    assert (leak.instrument, leak.timestamp) == ("A", at(0))
    assert (leak.nearest, leak.farthest) == (1, 2 * ROWS - 1)
    assert leak.rows == 3 * 2 * ROWS - 3
    assert "something of all rows" in leak.reason


def test_values_filled_backward() -> None:
    tenth = pl.when(pl.int_range(pl.len()) % 10 == 7).then(CLOSE)
    leak = only_leak(each(tenth.fill_null(strategy="backward")), "x")
    assert (leak.instrument, leak.timestamp) == ("A", at(0))
    assert (leak.nearest, leak.farthest, leak.until) == (7, 7, at(7))
    assert "filled backward" in leak.reason


def test_a_rank_over_others_later_rows() -> None:
    def ranked(frame: pl.DataFrame) -> pl.DataFrame:
        is_own = pl.col("instrument") == "A"
        later = frame.select("timestamp", is_own, y=CLOSE.shift(-1).over("instrument"))
        pairs = frame.filter(is_own).join(later.filter(~pl.col("instrument")), on="timestamp")
        below = (pl.col("y") < CLOSE).sum()
        return pairs.group_by("instrument", "timestamp").agg(x=below)

    leak = only_leak(ranked, "x")
    assert leak.instrument == "A"
    assert (leak.nearest, leak.farthest) == (1, 1)
    assert "other instruments' later candles" in leak.moved_by
    assert "ranked or joined over others' later rows" in leak.reason


def test_one_row_of_five_hundred() -> None:
    one = pl.when(pl.int_range(pl.len()) == 77).then(CLOSE.shift(-1)).otherwise(CLOSE.shift(1))
    frame = pl.concat([candles(name, minutes(OPEN, 250)) for name in ("A", "B")])
    by_name = pl.when(pl.col("instrument") == "B").then(one.over("instrument")).otherwise(CLOSE)
    report = check_leaks(lambda frame: frame.with_columns(x=by_name), frame)
    leak = report.leaks["x"]
    assert (leak.instrument, leak.timestamp, leak.rows) == ("B", at(77), 1)
    assert (leak.nearest, leak.farthest) == (1, 1)


@pytest.mark.parametrize(
    ("expression", "moved_by"),
    [
        (1.0 / pl.col("instrument").n_unique(), ("instruments that appear later",)),
        (
            pl.col("volume") / pl.col("volume").max(),
            ("later candles", "later volumes", "later corrections", "other instruments' later"),
        ),
    ],
    ids=["share", "volume"],
)
def test_by_what_it_moved(expression: pl.Expr, moved_by: tuple[str, ...]) -> None:
    leak = only_leak(lambda frame: frame.with_columns(x=expression), "x")
    assert all(any(each.startswith(said) for each in leak.moved_by) for said in moved_by)
    assert "later prices" not in leak.moved_by


def test_what_moves_by_rounding_alone_is_told_so() -> None:
    leak = only_leak(each(CLOSE * (1.0 + 1e-14 * pl.len())), "x")
    assert 0.0 < leak.largest < 1e-9
    assert "no value moved by more than rounding does" in leak.reason


def test_a_column_without_any_value_is_not_checked_and_that_is_not_clean() -> None:
    report = checked(each(CLOSE.rolling_mean(1_000)))
    assert report.not_checked == ("x",)
    assert not report.leaks
    assert not report.is_clean
    assert "x: not checked: it has no value in any row" in str(report)


def test_pandas_in_and_out_and_columns_without_keys() -> None:
    def centred(frame: pd.DataFrame) -> pd.DataFrame:
        window = frame.groupby("instrument")["close"].rolling(3, center=True)
        return pd.DataFrame({"x": window.mean().to_numpy()})

    report = check_leaks(centred, of_market().to_pandas())
    assert (report.leaks["x"].timestamp, report.leaks["x"].farthest) == (at(1), 1)


def test_the_same_seed_gives_the_same_report_and_few_moments_are_said() -> None:
    def twice() -> LeakReport:
        return check_leaks(each(CLOSE.shift(-1)), of_market(), moments=10, seed=3)

    report = twice()
    assert report == twice()
    assert (report.moments, report.moments_there) == (10, 2 * ROWS - 1)
    assert "10 of 79 moments" in str(report)


@pytest.mark.parametrize(
    ("compute", "said"),
    [
        (lambda frame: frame.height, "the answer is int; must be a frame"),
        (lambda frame: frame.select(x=CLOSE.head(3)), "has 3 rows without a timestamp, of 240"),
        (lambda frame: pl.concat([frame, frame]), "A at 2025-07-17T03:45:00+00:00 more than once"),
        (lambda frame: frame.head(0), "answers no row"),
        (lambda frame: frame.drop("instrument"), "no column instrument; 3 were given"),
        (
            lambda frame: frame.with_columns(pl.col("timestamp").dt.to_string()),
            "timestamp is String; must be the bar's open",
        ),
        (lambda frame: frame.select("nothing"), "the function raised ColumnNotFoundError"),
    ],
)
def test_what_cannot_be_checked_says_why(compute: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(LeakCheckError, match=re.escape(said)):
        checked(compute)


def test_a_function_that_answers_otherwise_each_time_is_refused() -> None:
    asked: list[int] = []

    def counting(frame: pl.DataFrame) -> pl.DataFrame:
        asked.append(1)
        return frame.with_columns(x=CLOSE + len(asked))

    with pytest.raises(LeakCheckError, match="x; the function answers otherwise"):
        checked(counting)


def test_wrong_numbers_of_moments_and_no_candles() -> None:
    with pytest.raises(ParameterError, match=r"moments=0; must be 1\.\.1000000"):
        check_leaks(each(CLOSE), of_market(), moments=0)
    with pytest.raises(LeakCheckError, match="no candles"):
        check_leaks(each(CLOSE), of_market().head(0))
    with pytest.raises(LeakCheckError, match="one bar; there must be others after it"):
        check_leaks(each(CLOSE), of_market(("A",)).head(1))
