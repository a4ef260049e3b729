"""Goal: every input row is accepted, collapsed or quarantined under the rule it breaks first, and
neither the order of the rows nor the size of the batches changes that.

Method: one row per rule, its number and record written out; random rows, shuffled, repeated, gapped
and corrupted, judged a second time by plain Python; the kernel against the rules' expressions.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tallow.core.errors import CandleInputError
from tallow.data.reading import candle_files, readers, runs
from tallow.data.reading.quarantine import QUARANTINE_SCHEMA
from tallow.data.reading.readers import read_candles
from tallow.data.reading.rules import RULES, all_rows_hold, first_broken
from tallow.data.reading.runs import instrument_runs
from tallow.data.reading.schema import CANDLE_SCHEMA
from tests.data.scanning import scan_batches

NAN, INF = math.nan, math.inf
OPENING = datetime(2025, 6, 2, 3, 45, tzinfo=UTC)
COLUMNS = [*CANDLE_SCHEMA, "open_interest"]
SCHEMA = {**CANDLE_SCHEMA, "open_interest": pl.Float64()}
Row = tuple[Any, ...]

GOOD: Row = ("A", OPENING, 2.0, 3.0, 1.0, 2.5, 10.0, 0.0)
SECOND = OPENING + timedelta(seconds=1)


def candle_frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def changed(**values: Any) -> Row:
    return tuple(values.get(name, held) for name, held in zip(COLUMNS, GOOD, strict=True))


BROKEN = [
    ("row_unreadable", dict.fromkeys(("timestamp", "open", "high", "low", "close", "volume"))),
    ("instrument_missing", {"instrument": None}),
    ("instrument_missing", {"instrument": ""}),
    ("instrument_too_long", {"instrument": "A" * 1_025}),
    ("time_unreadable", {"timestamp": None}),
    ("time_out_of_range", {"timestamp": datetime(1, 1, 1, tzinfo=UTC)}),
    ("time_out_of_range", {"timestamp": datetime(1799, 12, 31, 23, 59, tzinfo=UTC)}),
    ("time_out_of_range", {"timestamp": datetime(2200, 1, 1, tzinfo=UTC)}),
    ("price_missing", {"open": None}),
    ("price_missing", {"close": NAN}),
    ("price_missing", {"high": INF}),
    ("price_missing", {"low": -INF}),
    ("high_below_low", {"high": 0.5}),
    ("open_outside_range", {"open": 3.1}),
    ("open_outside_range", {"open": 0.9}),
    ("close_outside_range", {"close": 3.1}),
    ("close_outside_range", {"close": 0.9}),
    ("volume_missing", {"volume": None}),
    ("volume_missing", {"volume": NAN}),
    ("volume_missing", {"volume": INF}),
    ("volume_negative", {"volume": -1.0}),
    ("off_grid", {"timestamp": SECOND + timedelta(minutes=1)}),
]


@pytest.mark.parametrize(("rule", "values"), BROKEN)
def test_each_rule_names_the_row_and_keeps_its_values(rule, values):
    bad = changed(**{"timestamp": OPENING + timedelta(minutes=1), **values})
    candles = read_candles(candle_frame([GOOD, bad]))
    assert candles.report.by_rule == {rule: 1}
    assert candles.frame.rows() == [GOOD]
    (row,) = candles.quarantine.to_dicts()
    assert (row["source"], row["row"], row["rule"]) == ("frame", 2, rule)
    assert (row["instrument"], row["timestamp"]) == bad[:2]
    shown = {name: str(held) if held in (INF, -INF) else held for name, held in values.items()}
    shown = {name: "NaN" if held != held else held for name, held in shown.items()}
    shown = {name: held for name, held in shown.items() if name != "timestamp"}
    assert json.loads(row["record"]).items() >= shown.items()


def test_every_rule_of_the_table_is_tested_above_or_below():
    # These depend on clocks, calendars and other rows, and are tested with them.
    apart = {"repeated_key", "repeated_period", "forming", "not_covered"}
    assert {rule for rule, _ in BROKEN} | apart == {rule.name for rule in RULES}


def test_the_longest_name_is_counted_in_characters():
    longest = changed(instrument="€" * 1_024)
    assert read_candles(candle_frame([longest])).frame.rows() == [longest]


def test_the_first_broken_rule_wins():
    bad = changed(instrument=None, timestamp=SECOND, open=None, volume=-1.0)
    candles = read_candles(candle_frame([GOOD, bad]))
    assert candles.report.by_rule == {"instrument_missing": 1}


def test_zero_and_negative_prices_are_legal():
    oil = changed(open=-37.63, high=0.0, low=-40.32, close=-37.63)
    assert read_candles(candle_frame([oil])).frame.rows() == [oil]


def test_whole_minutes_are_asked_of_intraday_candles_only():
    for timeframe, accepted in {"1m": 0, "5m": 0, "1d": 1, "1w": 1, "1mo": 1}.items():
        read = read_candles(candle_frame([changed(timestamp=SECOND)]), source_timeframe=timeframe)
        assert read.report.accepted == accepted


def test_times_beyond_the_years_of_python_are_unreadable():
    # Nanoseconds in a column that says microseconds.
    later = pl.Series([1_748_835_960_000_000_000]).cast(pl.Datetime("us", "UTC"))
    rows = pl.concat([candle_frame([GOOD]), candle_frame([GOOD]).with_columns(timestamp=later)])
    assert read_candles(rows).quarantine["rule"].to_list() == ["time_unreadable"]


def test_the_first_and_the_last_year_of_candles_are_taken_whole():
    ends = [datetime(1800, 1, 1, tzinfo=UTC), datetime(2199, 12, 31, 23, 59, tzinfo=UTC)]
    rows = [changed(timestamp=each) for each in ends]
    assert read_candles(candle_frame(rows)).frame["timestamp"].to_list() == ends


def test_equal_repeats_collapse_and_contradicting_rows_all_go():
    minute = [OPENING + timedelta(minutes=number) for number in range(3)]
    rows = [
        changed(timestamp=minute[1], close=2.0),
        changed(timestamp=minute[0], open_interest=NAN),
        changed(timestamp=minute[1]),
        changed(timestamp=minute[2]),
        changed(timestamp=minute[0], open_interest=None),
        changed(timestamp=minute[1]),
    ]
    candles = read_candles(candle_frame(rows))
    assert candles.frame["timestamp"].to_list() == [minute[0], minute[2]]
    assert candles.frame["open_interest"].to_list() == [None, 0.0]
    assert candles.report.repeated == 1
    expected = [(1, "repeated_key"), (3, "repeated_key"), (6, "repeated_key")]
    assert candles.quarantine.select("row", "rule").rows() == expected
    closes = [json.loads(record)["close"] for record in candles.quarantine["record"]]
    assert closes == [2.0, 2.5, 2.5]


def test_contradictions_across_files_name_file_and_row(tmp_path):
    other = changed(timestamp=OPENING + timedelta(minutes=1))
    candle_frame([other, changed(volume=None), GOOD]).write_parquet(tmp_path / "a.parquet")
    candle_frame([]).write_parquet(tmp_path / "b.parquet")
    late = candle_frame([changed(close=1.5)]).rename({"close": "C", "instrument": "Symbol"})
    late.write_csv(tmp_path / "c.csv")
    candles = read_candles([tmp_path / "*.parquet", tmp_path / "c.csv"])
    named = [(str(tmp_path / "a.parquet"), row) for row in (2, 3)]
    assert candles.quarantine.select("source", "row").rows() == [
        *named,
        (str(tmp_path / "c.csv"), 1),
    ]
    assert json.loads(candles.quarantine["record"][2])["C"] == "1.5"
    assert candles.frame.rows() == [other]
    assert len(candles.report.sources) == 3


PRICE = st.sampled_from([1.0, 2.0, 2.0, 3.0, -1.0, NAN, INF, None])
ROWS = st.lists(
    st.builds(
        lambda key, minute, second, low, span, body, volume, interest, breach: (
            key,
            None if breach == "time" else OPENING + timedelta(minutes=minute, seconds=second),
            low + body[0] * span,
            breach if isinstance(breach, float) else low + span,
            low,
            low + body[1] * span,
            volume,
            interest,
        ),
        st.sampled_from(["A", "A", "B", "B", "C", "", None]),
        st.integers(0, 4),
        st.sampled_from([0, 0, 0, 0, 30]),
        st.sampled_from([1.0, 2.0]),
        st.sampled_from([0.0, 4.0]),
        st.sampled_from([(0.0, 1.0), (0.5, 0.5), (0.5, 0.5), (2.0, 0.5), (0.5, -1.0)]),
        st.sampled_from([0.0, 5.0, 5.0, -1.0, NAN, INF, None]),
        st.sampled_from([0.0, None, NAN]),
        st.sampled_from([None, None, None, None, None, "time", -9.0, NAN, INF]),
    ),
    max_size=30,
)


def broken_rule(row: Row) -> str | None:
    """Return the first broken rule, as a person would check it."""
    key, time, open_, high, low, close, volume, _ = row
    if not key:
        return "instrument_missing"
    if time is None:
        return "time_unreadable"
    if not all(price is not None and math.isfinite(price) for price in (open_, high, low, close)):
        return "price_missing"
    checks = {
        "high_below_low": high >= low,
        "open_outside_range": low <= open_ <= high,
        "close_outside_range": low <= close <= high,
        "volume_missing": volume is not None and math.isfinite(volume),
        "volume_negative": volume is not None and not volume < 0,
        "off_grid": time.second == 0,
    }
    return next((name for name, held in checks.items() if not held), None)


def judged(rows: list[Row]) -> tuple[list[Row], list[tuple[int, str]], int]:
    """Return the candles, the quarantine's rows and rules, and the count of equal repeats."""
    bad, by_key = [], defaultdict(list)
    for number, row in enumerate(rows, start=1):
        rule = broken_rule(row)
        if rule is None:
            plain = row[7] if row[7] == row[7] else None
            by_key[row[:2]].append((number, (*row[:7], plain)))
        else:
            bad.append((number, rule))
    good, repeated = [], 0
    for held in by_key.values():
        if len({row for _, row in held}) == 1:
            good.append(held[0][1])
            repeated += len(held) - 1
        else:
            bad += [(number, "repeated_key") for number, _ in held]
    return sorted(good, key=lambda row: row[:2]), sorted(bad), repeated


@given(ROWS, st.sampled_from([1, 2, 7, 1_000]))
def test_any_rows_are_judged_as_plain_python_does(rows, block):
    assume(not rows or any(row[1] for row in rows))
    with patch.object(readers, "BLOCK_ROWS", block):
        candles = read_candles(candle_frame(rows))
    good, bad, repeated = judged(rows)
    assert candles.frame.rows() == good
    assert candles.quarantine.select("row", "rule").rows() == bad
    report = candles.report
    assert (report.rows_in, report.accepted) == (len(rows), len(good))
    assert (report.repeated, report.quarantined) == (repeated, len(bad))
    assert report.instruments == len({row[0] for row in good})
    assert candles.frame.schema == SCHEMA
    assert candles.quarantine.schema == QUARANTINE_SCHEMA


@given(ROWS, st.randoms(use_true_random=False))
def test_order_of_rows_changes_row_numbers_only(rows, random):
    assume(not rows or any(row[1] for row in rows))
    first = read_candles(candle_frame(rows))
    random.shuffle(rows)
    second = read_candles(candle_frame(rows))
    assert_frame_equal(first.frame, second.frame)
    told = [pl.exclude("row")]
    assert_frame_equal(
        first.quarantine.select(told), second.quarantine.select(told), check_row_order=False
    )


@pytest.mark.twin
@given(ROWS)
def test_the_kernel_says_what_the_expressions_say(rows):
    frame = candle_frame(rows)
    for on_grid in (True, False):
        kept = frame.select(first_broken(on_grid)).to_series().null_count() == len(rows)
        assert all_rows_hold(frame, on_grid) is kept


@pytest.mark.twin
@given(
    st.lists(st.tuples(st.sampled_from("AAAABC"), st.integers(0, 40)), max_size=60),
    st.sampled_from([0, runs.ROWS_PER_FALL_MIN]),
)
def test_runs_of_instruments(keys, rows_per_fall):
    for order in (keys, sorted(keys), sorted(set(keys))):
        times = [OPENING + timedelta(minutes=minute) for _, minute in order]
        frame = pl.DataFrame({"instrument": [key for key, _ in order], "timestamp": times})
        frame = frame.cast({"instrument": pl.String, "timestamp": pl.Datetime("us", "UTC")})
        with patch.object(runs, "ROWS_PER_FALL_MIN", rows_per_fall):
            values, offsets = instrument_runs(frame)
        assert (offsets[0], offsets[-1]) == (0, len(order))
        assert all(a != b for a, b in pairwise(values))
        spelled = np.repeat(values, np.diff(offsets)).tolist() if values else []
        assert spelled == [key for key, _ in order]


def test_streaming_gives_the_same_rows_in_input_order(tmp_path, monkeypatch):
    monkeypatch.setattr(candle_files, "BLOCK_ROWS", 4)
    minutes = [4, 0, 2, 2, 1]
    rows = [changed(timestamp=OPENING + timedelta(minutes=minute)) for minute in minutes]
    rows.insert(3, changed(low=9.0))
    candle_frame(rows).write_parquet(tmp_path / "candles.parquet")
    batches = list(scan_batches([tmp_path / "candles.parquet"]))
    assert [batch.rows_in for batch in batches] == [4, 2]
    assert [batch.first_row for batch in batches] == [1, 5]
    assert [batch.row_numbers().tolist() for batch in batches] == [[1, 2, 3], [5, 6]]
    assert pl.concat(batch.frame for batch in batches).rows() == rows[:3] + rows[4:]
    assert batches[0].quarantine.select("row", "rule").rows() == [(4, "high_below_low")]


def test_when_no_time_at_all_can_be_read_it_is_an_error():
    rows = [changed(timestamp=None)] * 5
    with pytest.raises(CandleInputError, match="not one of 5 times can be read"):
        read_candles(candle_frame(rows))


def test_a_report_is_short():
    shown = repr(read_candles(candle_frame([GOOD, changed(volume=-1.0)])))
    assert shown == (
        "Candles(1 x 1m, 1 instrument, 2025-06-02 03:45 to 2025-06-02 03:45 UTC, 1 quarantined)"
    )
    assert repr(read_candles(candle_frame([]))) == "Candles(0 x 1m, 0 instruments, 0 quarantined)"
