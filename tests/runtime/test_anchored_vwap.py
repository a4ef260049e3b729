"""Goal: a mean price begins where it is told: at a moment by each venue's clocks, or at an event.

Method: prices and volumes are added up in Polars from the row on that the test names, for two
venues, whose clocks differ; then the same candles go minute by minute, some late and some
corrected, into a live engine, which must have the same bits.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine
from tallow.core.errors import ParameterError, RangeError
from tests.frames import assert_same_frame, candles, minutes, moment

VENUES = {"A": "XNSE", "B": "XNYS"}
CANDLES = pl.concat(
    [candles("A", minutes(f"2025-07-0{day}T09:15+05:30", 60), seed=day) for day in (1, 2)]
    + [candles("B", minutes(f"2025-07-0{day}T09:30-04:00", 60), seed=day + 5) for day in (1, 2)]
).sort("instrument", "timestamp")


def engine() -> AnalyticsEngine:
    return AnalyticsEngine(calendar=VENUES, threads=1)


def since(rows: pl.DataFrame, starts: dict[str, datetime]) -> pl.Series:
    """Return the mean price of a unit, of the rows from an instrument's start on."""
    start = pl.col("instrument").replace_strict(starts, return_dtype=pl.Datetime("us", "UTC"))
    units = pl.when(pl.col("timestamp") >= start).then(pl.col("volume")).fill_null(0.0)
    price = (pl.col("high") + pl.col("low") + pl.col("close")) / 3
    means = (price * units).cum_sum() / units.cum_sum()
    return rows.select(means.over("instrument").fill_nan(None)).to_series()


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("2025-07-02T09:40", ("2025-07-02T09:40+05:30", "2025-07-02T09:40-04:00")),
        ("2025-07-01T14:00:00+00:00", ("2025-07-01T14:00+00:00",) * 2),
        ("2025-07-02", ("2025-07-02T00:00+05:30", "2025-07-02T00:00-04:00")),
        ("2031-01-01", ("2031-01-01T00:00+00:00",) * 2),
    ],
)
@pytest.mark.parametrize("timeframe", ["1m", "5m"])
def test_a_mean_begins_at_the_first_row_from_its_moment_on(text, starts, timeframe):
    rows = engine().process_candles(CANDLES, timeframe, f'anchored_vwap("{text}")').frame
    want = since(rows, dict(zip("AB", map(moment, starts), strict=True)))
    found = rows.to_series(rows.columns.index(f"anchored_vwap_{_name(text)}"))
    assert found.is_null().equals(want.is_null())
    assert found.is_null().any()
    assert (found - want).abs().max() in (None, pytest.approx(0.0, abs=1e-9))


def _name(text: str) -> str:
    return text.replace("-", "_").replace(":", "_").replace("+", "_")


SPECS = 'anchored_vwap("2025-07-02T09:40"), anchored_vwap("2025-07-02"), vwap, '
SPECS += "event_vwap(fractal(2, 2)[up]), event_vwap(cdl_doji)"


def test_live_bits_are_those_of_all_candles_with_what_came_late_and_was_corrected():
    live = LiveEngine(["1m", "5m"], SPECS, calendar=VENUES)
    late = pl.col("timestamp") == moment("2025-07-02T09:47+05:30")
    wrong = pl.col("timestamp") == moment("2025-07-02T09:41+05:30")
    held: dict[str, dict[Any, Any]] = {size: {} for size in ("1m", "5m")}
    first = CANDLES.filter(~late).with_columns(
        pl.when(wrong).then(7.0).otherwise("volume").alias("volume")
    )
    for part in (*first.sort("timestamp").partition_by("timestamp"), CANDLES.filter(late | wrong)):
        for size, frame in live.update(part).frames.items():
            held[size] |= {
                (r["instrument"], r["timestamp"]): r for r in frame.iter_rows(named=True)
            }
    for size, rows in held.items():
        want = engine().process_candles(CANDLES, size, SPECS).frame
        found = pl.DataFrame(list(rows.values()), infer_schema_length=None)
        found = found.sort("instrument", "timestamp").select(want.columns)
        assert_same_frame(found.cast(want.schema).drop("is_final"), want.drop("is_final"))


def test_an_event_begins_the_mean_anew_in_its_own_row():
    rows = engine().calculate_indicators(CANDLES, "cdl_doji, event_vwap(cdl_doji), hlc3")
    at = rows.filter(pl.col("cdl_doji") != 0, pl.col("volume") > 0)
    assert len(at) > 3
    assert (at["event_vwap_of_cdl_doji"] - at["hlc3"]).abs().max() < 1e-9
    after = rows.filter(pl.col("cdl_doji").is_not_null(), pl.col("cdl_doji") == 0)
    assert ((after["event_vwap_of_cdl_doji"] - after["hlc3"]).abs() > 1e-9).mean() > 0.9


@pytest.mark.parametrize("text", ["soon", "yesterday", "-5d", "2025-13-01", "09:15"])
def test_what_is_no_moment_or_another_one_tomorrow_is_refused(text):
    with pytest.raises(ParameterError, match=r"anchored_vwap: moment='.*must be a date such as"):
        engine().process_candles(CANDLES, "5m", f'anchored_vwap("{text}")')


def test_a_time_that_a_venues_clocks_skip_is_refused():
    with pytest.raises(RangeError, match=r"moment: 2025-03-09T02:30.*add an offset"):
        engine().process_candles(CANDLES, "5m", 'anchored_vwap("2025-03-09T02:30")')
