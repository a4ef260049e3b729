"""Goal: how candles are cut into blocks, and on how many threads they run, never shows in the bars;
a longer history changes no final bar; one instrument's failure is its own.

Method: one run over everything is compared, bit by bit, with runs over random stretches; kernels
that raise on cue stand in for a user's broken ones.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.core.calendars.assignment import CalendarAssignment
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.core.registry import registry
from tallow.core.spec import Spec, make_spec
from tallow.core.timeframe import parse_timeframe
from tallow.data.kernels.buckets import bucket_table
from tallow.data.reading.quarantine import empty_quarantine
from tallow.plan.plan import make_plan
from tallow.runtime import batch, blocks, row_checks
from tallow.runtime.bar_frames import BAR_COLUMNS
from tallow.runtime.batch import BarOptions, BarRun
from tallow.runtime.blocks import NeedsWholeInputError, empty_block, frame_blocks, whole_block
from tallow.runtime.operations import split_evenly
from tests.frames import assert_same_frame, candles, flat_candle, market, minutes, moment

CALENDARS = CalendarAssignment({"N": "XNYS", "*": "XNSE"})
NAMES = ("A", "B", "C", "D", "N")
INDICATORS = "default, macd(3, 5, 2), vwap(week), supertrend(4), ema(rsi(3), 4), sma(vwap, 3)"
TIMEFRAMES = ("1m", "7m", "1h", "1d", "1w")


def two_weeks(seed: int = 1) -> pl.DataFrame:
    """Return gapped candles of five instruments, with fillers and open interest here and there."""
    draw = random.Random(seed)
    frames = []
    for place, name in enumerate(NAMES):
        times = [
            time
            for day in ("2025-05-30", "2025-06-02", "2025-06-03", "2025-06-09")
            for time in minutes(f"{day}T09:05+05:30", 120, step=4)
            if draw.random() < 0.6
        ]
        frame = candles(name, times, seed + place)
        quiet = pl.Series([draw.random() < 0.2 for _ in times])
        known = pl.Series([draw.random() < 0.5 for _ in times])
        frames.append(
            frame.with_columns(
                pl.when(quiet).then(0.0).otherwise("volume").alias("volume"),
                pl.when(known).then(pl.col("volume").round()).alias("open_interest"),
            )
        )
    return pl.concat(frames).sort("instrument", "timestamp")


def new_run(
    timeframe="7m", indicators=INDICATORS, pool=None, threads=1, final_at=None, interest=True
):
    plan = make_plan(indicators, "tradingview", BAR_COLUMNS)
    source = parse_timeframe("1m")
    options = BarOptions(parse_timeframe(timeframe), source, CALENDARS, "drop", final_at)
    return BarRun(plan, options, pool, threads, interest)


def at_once(frame, timeframe="7m", **options):
    run = new_run(timeframe, **options)
    frames = run.feed(whole_block(frame, closing=True)) if len(frame) else []
    return pl.concat([run.empty_frame(), *frames]), run


def stretches(frame: pl.DataFrame, cuts: list[float]) -> list[pl.DataFrame]:
    """Cut a frame in time, at shares of its rows in order of time."""
    by_time = frame.sort("timestamp", "instrument")
    bounds = [0, *sorted(int(cut * len(frame)) for cut in cuts), len(frame)]
    pieces = [by_time[a:b] for a, b in pairwise(bounds)]
    return [piece.sort("instrument", "timestamp") for piece in pieces if len(piece)]


def in_stretches(run: BarRun, pieces: list[pl.DataFrame]) -> pl.DataFrame:
    frames = [bars for piece in pieces for bars in run.feed(whole_block(piece, closing=False))]
    frames += run.finish()
    return run.corrected(pl.concat(frames)).sort("instrument", maintain_order=True)


@settings(max_examples=25)
@given(
    st.sampled_from(TIMEFRAMES),
    st.lists(st.floats(0.0, 1.0), max_size=12),
    st.integers(0, 50),
)
def test_stretches_of_time_do_not_show(timeframe, cuts, seed):
    frame = two_weeks(seed)
    whole, one = at_once(frame, timeframe)
    other = new_run(timeframe)
    assert_same_frame(in_stretches(other, stretches(frame, cuts)), whole)
    assert other.counts == one.counts
    assert one.counts.rows == len(frame)


def test_row_by_row_is_the_same():
    frame = two_weeks()[::5]
    cuts = [place / len(frame) for place in range(len(frame))]
    whole, _ = at_once(frame)
    assert_same_frame(in_stretches(new_run(), stretches(frame, cuts)), whole)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_threads_do_not_show(threads, monkeypatch):
    monkeypatch.setattr(batch, "THREAD_ROWS", 100)
    frame = two_weeks()
    whole, one = at_once(frame)
    with ThreadPoolExecutor(threads) as pool:
        run = new_run(pool=pool, threads=threads)
        parts = run.feed(whole_block(frame, closing=True))
        assert len(parts) > 1
        assert_same_frame(pl.concat(parts), whole)
        assert run.counts == one.counts
        again = new_run(pool=pool, threads=threads)
        assert_same_frame(in_stretches(again, stretches(frame, [0.2, 0.5, 0.51])), whole)


@pytest.mark.parametrize("rows", [1, 50, 90, 10_000])
@pytest.mark.parametrize("chunk", [7, 200, 10_000])
def test_blocks_of_a_frame_do_not_show(rows, chunk, monkeypatch):
    """Each instrument is in one block, whatever the frame's own chunks are."""
    monkeypatch.setattr(blocks, "BLOCK_ROWS", rows)
    whole = two_weeks()
    frame = pl.concat(list(whole.iter_slices(chunk)), rechunk=False)
    found = list(frame_blocks(frame))
    assert [name for block in found for name in block.names] == list(NAMES)
    run = new_run()
    assert_same_frame(pl.concat([b for each in found for b in run.feed(each)]), at_once(whole)[0])


@settings(max_examples=25)
@given(st.sampled_from(TIMEFRAMES), st.floats(0.0, 1.0))
def test_a_longer_history_changes_no_final_bar(timeframe, share):
    frame = two_weeks()
    now = frame["timestamp"].sort()[int(share * (len(frame) - 1))]
    short, _ = at_once(frame.filter(pl.col("timestamp") <= now), timeframe)
    final = short.filter("is_final")
    whole, _ = at_once(frame, timeframe)
    same = whole.join(final, on=["instrument", "timestamp"], how="semi", maintain_order="left")
    assert_same_frame(same, final)


@settings(max_examples=25)
@given(st.sampled_from(TIMEFRAMES), st.floats(0.0, 1.0))
def test_what_is_final_as_of_a_moment_was_known_then(timeframe, share):
    """A final bar of a later query is the bar of a query at that moment, whatever came later."""
    frame = two_weeks()
    now = frame["timestamp"].sort()[int(share * (len(frame) - 1))]
    micros = int(now.timestamp()) * 1_000_000
    final = at_once(frame, timeframe, final_at=micros)[0].filter("is_final")
    then, _ = at_once(frame.filter(pl.col("timestamp") < now), timeframe, final_at=micros)
    assert_same_frame(then.filter("is_final"), final)


def test_rows_out_of_order_need_the_whole_input():
    frame = candles("A", minutes("2025-06-02T09:15+05:30", 4))
    for first, then in ((frame[2:], frame[:2]), (frame[:2], frame[1:])):
        run = new_run(interest=False)
        run.feed(whole_block(first, closing=False))
        with pytest.raises(NeedsWholeInputError):
            run.feed(whole_block(then, closing=False))
    closed = new_run(interest=False)
    closed.feed(whole_block(frame[:2], closing=True))
    with pytest.raises(NeedsWholeInputError):
        closed.feed(whole_block(frame[2:], closing=True))


@pytest.mark.twin
def test_the_end_may_be_announced_alone():
    frame = two_weeks()
    run = new_run()
    begun = run.feed(whole_block(frame, closing=False))
    ended = run.feed(empty_block(list(NAMES)))
    together = pl.concat(begun + ended).sort("instrument", maintain_order=True)
    assert_same_frame(together, at_once(frame)[0])
    assert run.finish() == []


def test_a_run_without_candles_has_the_columns_of_one_with():
    for interest in (True, False):
        frame = two_weeks() if interest else two_weeks().drop("open_interest")
        with_rows, _ = at_once(frame, interest=interest)
        assert new_run(interest=interest).empty_frame().schema == with_rows.schema


# Rows of times that nobody knows


def with_bad_stamps() -> pl.DataFrame:
    """Return candles of A and B; some of B are of 1970, of a date before the facts, ahead."""
    good = [candles(name, minutes("2026-11-06T09:15+05:30", 30)) for name in "AB"]
    stamps = ["1970-01-01T05:30+05:30", "2012-06-04T10:00+05:30", "2026-12-30T10:00+05:30"]
    bad = [candles("B", minutes(stamp, 2)) for stamp in stamps]
    return pl.concat([*good, *bad]).sort("instrument", "timestamp")


@pytest.mark.twin
def test_rows_of_unknown_times_are_set_aside_and_take_nobody_along(monkeypatch):
    """Whole or in stretches: the bars are those of the good rows alone, the last one forming."""
    now = round(moment("2026-11-09T12:00+05:30").timestamp()) * 10**6
    monkeypatch.setattr(row_checks, "latest_open", lambda _final_at: now)
    frame = with_bad_stamps()
    good = frame.filter(pl.col("timestamp").dt.date() == date(2026, 11, 6))
    expected, _ = at_once(good, interest=False)
    whole, one = at_once(frame, interest=False)
    assert_same_frame(whole, expected)
    assert not one.failures
    counts = one.counts
    assert (counts.rows, counts.in_bars, counts.not_covered, counts.forming) == (66, 60, 4, 2)
    run = new_run(interest=False)
    assert_same_frame(in_stretches(run, stretches(frame, [0.3, 0.6, 0.95, 0.97])), whole)
    assert (run.counts, run.failures) == (one.counts, one.failures)
    aside = run.quarantine(empty_quarantine())
    assert aside.equals(one.quarantine(empty_quarantine()))
    assert aside["rule"].to_list() == ["not_covered"] * 4 + ["forming"] * 2
    assert set(aside["instrument"]) == {"B"}


def test_an_instrument_without_a_row_of_a_known_time_fails_with_the_reason():
    frame = candles("B", minutes("2035-07-18T09:15+05:30", 2))
    _, run = at_once(frame, interest=False)
    assert "date=2035-07-18; covers 2015-01-01..2026-12-31" in run.failures["B"]
    # A row that counts comes later than one that does not: the instrument goes on.
    run = new_run(interest=False)
    run.feed(whole_block(candles("A", minutes("1970-01-01T05:30+05:30", 1)), closing=False))
    run.feed(whole_block(candles("A", minutes("2025-06-02T09:15+05:30", 1)), closing=False))
    assert [len(bars) for bars in run.finish()] == [1]
    assert not run.failures


# Failures


def fragile(state, params, offsets, close, out):
    """Count rows in Python, and break on a close above 900."""
    for i in range(len(state)):
        for row in range(offsets[i], offsets[i + 1]):
            state[i, 0] += 1.0
            out[row] = state[i, 0]
            if close[row] > 900.0:
                raise ArithmeticError(f"close={close[row]}")


FRAGILE = Indicator(
    name="fragile",
    title="Breaks on cue",
    inputs=("close",),
    outputs=(Output("count", "fragile", "rows", "rows so far"),),
    parameters=(),
    memory=RECURSIVE,
    warmup=lambda _: (0,),
    state_size=lambda _: 1,
    advance=fragile,
    formula="count",
    reference="none",
)
FRAGILE_SPEC = Spec(FRAGILE, (), ("count",), ("fragile",))


def with_a_high_close() -> pl.DataFrame:
    frame = market(["A", "B", "C"])
    high = flat_candle("B", "2025-06-02T11:00+05:30", 950.0, 5.0)
    later = candles("B", minutes("2025-06-02T11:20+05:30", 30))
    rest = frame.filter(
        (pl.col("instrument") != "B") | (pl.col("timestamp") < high["timestamp"][0])
    )
    return pl.concat([rest, high, later]).sort("instrument", "timestamp")


def test_a_kernel_that_raises_fails_its_instrument_only():
    frame = with_a_high_close()
    bars, run = at_once(frame, indicators=[FRAGILE_SPEC, "ema(3)"], interest=False)
    assert run.failures == {"B": "fragile: ArithmeticError: close=950.0"}
    values = {name: own for (name,), own in bars.group_by("instrument")}
    assert values["B"]["fragile"].is_null().all()
    for name in "AC":
        assert values[name]["fragile"].to_list() == [1.0 + k for k in range(len(values[name]))]
    plain, _ = at_once(frame, indicators="ema(3)", interest=False)
    assert_same_frame(bars.drop("fragile"), plain)


def test_a_kernel_that_raises_late_takes_its_earlier_values_along():
    frame = with_a_high_close()
    whole, one = at_once(frame, indicators=[FRAGILE_SPEC, "ema(3)"], interest=False)
    run = new_run(indicators=[FRAGILE_SPEC, "ema(3)"], interest=False)
    bars = in_stretches(run, stretches(frame, [0.2, 0.4, 0.75, 0.9]))
    assert run.revised
    assert_same_frame(bars, whole)
    assert run.failures == one.failures


def test_what_is_computed_of_a_kernel_that_raises_fails_with_it():
    frame = with_a_high_close()
    chain = make_spec(registry().find("ema"), {"length": 3}, "tradingview", (), FRAGILE_SPEC)
    whole, one = at_once(frame, indicators=[chain, "ema(3)"], interest=False)
    run = new_run(indicators=[chain, "ema(3)"], interest=False)
    assert_same_frame(in_stretches(run, stretches(frame, [0.2, 0.4, 0.75, 0.9])), whole)
    assert run.failures == one.failures == {"B": "fragile: ArithmeticError: close=950.0"}
    values = {name: own for (name,), own in whole.group_by("instrument")}
    assert values["B"]["ema_3_of_fragile"].is_null().all()
    assert values["A"]["ema_3_of_fragile"].to_list()[:4] == [None, None, 2.0, 3.0]
    assert_same_frame(
        whole.drop("ema_3_of_fragile"), at_once(frame, indicators="ema(3)", interest=False)[0]
    )


# Parts


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 8))
def test_a_split_among_threads_is_even_and_whole(sizes, parts):
    offsets = np.cumsum([0, *sizes])
    pieces = split_evenly(offsets, parts)
    assert len(pieces) <= parts
    assert [i for piece in pieces for i in range(piece.start, piece.stop)] == list(
        range(len(sizes))
    )
    largest = max((int(offsets[p.stop] - offsets[p.start]) for p in pieces), default=0)
    assert largest <= sum(sizes) / parts + max(sizes, default=0)


def test_buckets_of_every_calendar_follow_each_other():
    table = bucket_table(CALENDARS.calendars, parse_timeframe("1h"), parse_timeframe("1m"))
    for first, last in pairwise(table.starts):
        assert (table.segment_open[first:last] < table.segment_close[first:last]).all()
        assert (table.segment_close[first : last - 1] <= table.segment_open[first + 1 : last]).all()
    assert table.step_us == timedelta(hours=1) // timedelta(microseconds=1)
