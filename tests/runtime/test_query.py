"""Goal: a range query has the same bits as the whole history cut to the range, whatever was asked,
written, corrected or deleted before, and as of any moment.

Method: random questions to a store over a market of several calendars, against a batch run over all
that the store gives; the snapshots that queries leave behind are in use all the time.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow import AnalyticsEngine
from tallow.core.errors import AllFailedError, ParameterError, RangeError, TimeframeError
from tallow.data.reading import known_times
from tallow.data.reading.readers import read_candles
from tallow.testing.cases import Case
from tests.contract.cases import CASES, SHARPEST, of_cases
from tests.frames import assert_same_frame, candles, flat_candle, minutes, moment
from tests.runtime.histories import (
    assert_as_whole,
    market,
    new_engine,
    new_store,
    questions,
    received,
    whole,
)
from tests.runtime.test_batch import FRAGILE_SPEC

MARKET = market()
FRAGILE = [FRAGILE_SPEC, "ema(3)"]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Return a store that holds the market, part of it in its tail."""
    with new_store(tmp_path_factory.mktemp("store")) as opened:
        opened.write(MARKET[::2], source_timeframe="1m")
        opened.flush()
        opened.write(MARKET[1::2], source_timeframe="1m")
        yield opened


@pytest.fixture(scope="module")
def engine(store):
    return new_engine(store)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_a_query_is_the_whole_history_cut(store, seed):
    draw = random.Random(seed)
    engine = new_engine(store, no_trade=draw.choice(["drop", "drop", "keep"]))
    for _ in range(2):
        assert_as_whole(engine, store, *questions(draw, [received(store)], MARKET))


def change(store, draw: random.Random) -> None:
    """Write something: late candles, corrections, repeats, deletions, an older beginning."""
    some = MARKET.sample(draw.randrange(1, 40), seed=draw.randrange(2**32))
    if draw.random() < 0.3:
        some = some.sort("timestamp").head(3)
    match draw.randrange(4):
        case 0:
            store.write(some, source_timeframe="1m")
        case 1:
            store.write(
                some.with_columns(pl.col("volume") * draw.choice([0.0, 3.0])), source_timeframe="1m"
            )
        case 2:
            store.write(
                some.with_columns(close=pl.col("low"), open=pl.col("high")), source_timeframe="1m"
            )
        case _:
            store.delete(some.select("instrument", "timestamp"))
    if draw.random() < 0.2:
        store.flush()


def check_while_writing(folder: Path, seed: int) -> None:
    """Ask the same before and after each of ten changes."""
    draw = random.Random(seed)
    with new_store(folder) as store:
        store.write(MARKET.sample(fraction=0.8, seed=seed), source_timeframe="1m")
        engine, receipts = new_engine(store), [received(store)]
        for _ in range(10):
            question = questions(draw, receipts, MARKET)
            assert_as_whole(engine, store, *question)
            change(store, draw)
            receipts.append(received(store))
            assert_as_whole(engine, store, *question)


@settings(max_examples=8)
@given(st.integers(0, 2**32 - 1))
def test_whatever_is_written_in_between(tmp_path_factory, seed):
    check_while_writing(tmp_path_factory.mktemp("store"), seed)


@pytest.mark.nightly
@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1))
def test_whatever_is_written_in_between_at_length(tmp_path_factory, seed):
    check_while_writing(tmp_path_factory.mktemp("store"), seed)


def test_known_at_every_receipt(tmp_path):
    """The first answers leave snapshots, which serve, or do not, for all the other moments."""
    draw = random.Random(5)
    with new_store(tmp_path) as store:
        store.write(MARKET, source_timeframe="1m")
        receipts = [received(store)]
        for _ in range(8):
            change(store, draw)
            receipts.append(received(store))
        engine = new_engine(store)
        question = (["A", "IDX", "N"], "1h", date(2025, 3, 20), date(2025, 3, 25), "ema(9), sma(5)")
        for _ in range(2):
            draw.shuffle(receipts)
            for at in (*receipts, None, receipts[0] - timedelta(microseconds=1)):
                assert_as_whole(engine, store, *question, at)


@pytest.fixture(scope="module")
def two_weeks(tmp_path_factory):
    """Return a store with a stock and an index over the end of a month, long enough for windows."""
    frames = []
    for place, (name, volume) in enumerate((("A", None), ("IDX", 0.0))):
        days = [date(2025, 5, 26) + timedelta(days=k) for k in range(12)]
        times = [t for d in days if d.weekday() < 5 for t in minutes(f"{d}T09:15+05:30", 180, 2)]
        frames.append(candles(name, times, place, volume))
    with new_store(tmp_path_factory.mktemp("store")) as opened:
        # Its steps are those of candles of two minutes, which a write would ask about.
        opened.append(read_candles(pl.concat(frames)), source="a thin market")
        yield opened


@of_cases(CASES, now=SHARPEST.__contains__)
def test_every_indicator(two_weeks, case: Case):
    engine = new_engine(two_weeks, convention=case.convention)
    starts = ["2025-05-27", "2025-06-03T11:00+05:30", "2025-06-06T14:55+05:30"]
    for start in starts:
        assert_as_whole(engine, two_weeks, ["A", "IDX"], "1m", start, "2025-06-06", case.spec)


def test_real_candles_in_any_order(reference, tmp_path):
    """Chunks come shuffled, with repeats; some candles are wrong at first, and corrected later."""
    clean = read_candles(reference / "data" / "candles_1m.csv").frame
    draw, engine = random.Random(6), AnalyticsEngine("XNSE")
    shuffled = clean.sample(fraction=1.0, shuffle=True, seed=7)
    chunks = [*shuffled.iter_slices(1_500), *clean.sample(fraction=0.5, seed=8).iter_slices(2_000)]
    draw.shuffle(chunks)
    wrong = shuffled.head(600).with_columns(pl.col("high") * 2, pl.col("volume") + 1)
    with new_store(tmp_path) as store:
        store.write(wrong.head(300), source_timeframe="1m")
        for chunk in (*chunks[:5], wrong.tail(300), *chunks[5:], shuffled.head(600)):
            store.write(chunk, source_timeframe="1m")
        asking = AnalyticsEngine("XNSE", store=store)
        moments = clean["timestamp"].unique().sort().to_list()
        for timeframe in ("1m", "5m", "1h", "1d", "1w"):
            for _ in range(6):
                start, end = sorted(draw.sample(moments, 2))
                limits = {"start": start, "end": draw.choice([end, end.date(), None])}
                got = asking.query(None, timeframe, **limits).frame
                assert_same_frame(got, engine.process_candles(clean, timeframe, **limits).frame)


# Other sizes


@pytest.mark.parametrize(("source", "timeframe"), [("5m", "15m"), ("1d", "1d"), ("1d", "1w")])
def test_candles_of_other_sizes(tmp_path, source, timeframe):
    """Daily candles lie anywhere on their date, some before the session and some after it."""
    with new_store(tmp_path) as store:
        bars = AnalyticsEngine("XNSE", threads=1).process_candles(
            MARKET.filter(pl.col("instrument").is_in(["A", "B"])), source, ()
        )
        rows = bars.frame.drop("candles", "is_final")
        if source == "1d":
            midnight = pl.col("timestamp").dt.truncate("1d") - timedelta(hours=5.5)
            hours = pl.when(pl.int_range(pl.len()) % 2 == 0).then(0).otherwise(20)
            rows = rows.with_columns(midnight + pl.duration(hours=hours))
        store.write(rows, source_timeframe=source)
        engine = new_engine(store)
        for start, end in (
            ("2025-03-10", "2025-03-21"),
            (None, "2025-03-03"),
            ("2025-03-24", None),
        ):
            question = (None, timeframe, start, end, "sma(3), ema(4)")
            got = assert_as_whole(engine, store, *question, source_timeframe=source)
            assert len(got)


# What is asked


def test_several_timeframes_are_several_results(engine, store):
    answers = engine.query("A", ["5m", "60m", "1d"], "2025-03-10", "2025-03-14", "ema(9)")
    assert list(answers) == ["5m", "1h", "1d"]
    for timeframe, result in answers.items():
        question = (["A"], timeframe, "2025-03-10", "2025-03-14", "ema(9)")
        assert_same_frame(result.frame, whole(engine, store, *question))


def test_a_date_is_a_session_of_the_instruments_own_calendar(engine):
    """New York's clocks changed on 9 March: its sessions begin an hour earlier in UTC."""
    bars = engine.query(["A", "C", "N"], "1d", date(2025, 3, 7), date(2025, 3, 10), ()).frame
    opens = {name: own["timestamp"].to_list() for (name,), own in bars.group_by("instrument")}
    days = [date(2025, 3, 7) + timedelta(days=k) for k in range(4)]
    assert opens["C"] == [datetime(d.year, d.month, d.day, tzinfo=UTC) for d in days]
    assert opens["N"] == [moment("2025-03-07T09:30-05:00"), moment("2025-03-10T09:30-04:00")]
    assert opens["A"] == [moment("2025-03-07T09:15+05:30"), moment("2025-03-10T09:15+05:30")]


def test_an_instrument_without_candles_in_the_range_has_no_bars(engine):
    """B began in March."""
    assert len(engine.query("B", "5m", "2025-02-20", "2025-02-25").frame) == 0


def test_an_unknown_instrument_is_an_error_with_near_matches(engine):
    with pytest.raises(RangeError, match="'IDXX'; not in the store; did you mean IDX"):
        engine.query(["A", "IDXX"], "5m", "2025-03-10", "2025-03-14")


def test_an_empty_store_has_no_bars(tmp_path):
    with new_store(tmp_path) as store:
        engine = new_engine(store)
        result = engine.query()
        assert result.frame.columns[-1] == "rsi_14"
        assert len(result.frame) == 0
        with pytest.raises(RangeError, match="the store has none"):
            engine.query("A")


def test_an_engine_without_a_store_says_so():
    with pytest.raises(ParameterError, match=r"store=None.*AnalyticsEngine\(store="):
        AnalyticsEngine("XNSE").query("A")


def test_a_store_may_be_given_by_its_place(store, tmp_path):
    folder = tmp_path / "here"
    with new_store(folder) as made:
        made.write(MARKET.filter(pl.col("instrument") == "A"), source_timeframe="1m")
    result = AnalyticsEngine("XNSE", store=folder).query("A", "1d", "2025-03-10", "2025-03-14", ())
    assert len(result.frame) > 0


def test_bad_arguments_are_errors(engine):
    with pytest.raises(TimeframeError):
        engine.query("A", "7m", source_timeframe="5m")
    with pytest.raises(RangeError, match="must be an instant"):
        engine.query("A", known_at="2025-03-10")
    with pytest.raises(RangeError, match="must not be before"):
        engine.query("A", "5m", "2025-03-10", "2025-03-07")


# What fails


def test_stored_rows_of_unknown_times_are_set_aside_in_every_query(tmp_path, monkeypatch):
    """Two of 1970, one ahead of the clock by two days: no bar is another one, or final for them."""
    today = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    good = candles("C", [today - timedelta(minutes=k) for k in (2, 1)])
    ahead = candles("C", [today + timedelta(days=2)])
    early = candles("C", minutes("1970-01-01T05:30+05:30", 2))
    with new_store(tmp_path) as store, new_store(tmp_path / "good") as right:
        right.write(good, source_timeframe="1m")
        assert store.write(ahead, source_timeframe="1m").quarantine["rule"].to_list() == ["forming"]
        with monkeypatch.context() as before:
            # As a store took them that knew no clock.
            before.setattr(known_times, "latest_open", lambda: 2**62)
            store.write(pl.concat([early, good, ahead]), source_timeframe="1m")
        ranges: tuple[dict[str, Any], ...] = ({}, {"start": today - timedelta(hours=3)})
        for asked in ranges:
            engines = (AnalyticsEngine("24/7", store=each) for each in (store, right))
            got, expected = (each.query("C", "1h", **asked) for each in engines)
            assert_same_frame(got.frame, expected.frame)
            got.report.candles.check()
            rules = got.report.quarantine["rule"].to_list()
            assert rules == ["not_covered", "not_covered", "forming"]


def test_an_instrument_whose_candles_all_lie_beyond_the_calendar_fails_alone(tmp_path):
    early = candles("B", minutes("1999-03-01T09:15+05:30", 3))
    with new_store(tmp_path) as store:
        store.write(
            pl.concat([MARKET.filter(instrument="A"), early], how="diagonal"), source_timeframe="1m"
        )
        engine = new_engine(store)
        result = engine.query(["A", "B"], "1h", None, "2025-03-21")
        assert result.frame["instrument"].unique().to_list() == ["A"]
        assert "1999-03-01" in result.report.failures["B"]
        with pytest.raises(AllFailedError, match="1999-03-01"):
            engine.query(["B"], "1h", None, "2025-03-21")


def test_a_kernel_that_raises_raises_again_from_a_snapshot(tmp_path):
    """It raises in the middle of the range, whose values are then missing from its beginning."""
    high = flat_candle("B", "2025-03-12T11:00+05:30", 950.0, 5.0)
    few = MARKET.filter(pl.col("instrument").is_in(["A", "B"])).drop("open_interest")
    with new_store(tmp_path) as store:
        store.write(
            pl.concat([few, high]).unique(["instrument", "timestamp"], keep="last"),
            source_timeframe="1m",
        )
        engine = new_engine(store)
        question: Any = (["A", "B"], "5m", date(2025, 3, 10), date(2025, 3, 13), FRAGILE)
        for _ in range(2):
            bars = assert_as_whole(new_engine(store), store, *question)
            fragile = bars.filter(pl.col("instrument") == "B")["fragile"]
            assert fragile.is_null().all()
        assert "fragile: ArithmeticError" in engine.query(*question).report.failures["B"]


def test_an_instrument_without_a_calendar_fails(store):
    engine = AnalyticsEngine({"A": "XNSE"}, store=store)
    result = engine.query(["A", "B"], "1h", "2025-03-10", "2025-03-21")
    assert list(result.report.failures) == ["B"]
    assert result.frame["instrument"].unique().to_list() == ["A"]
