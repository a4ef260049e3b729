"""Goal: what the cache covers is cut out, gone on with or repaired, and not recomputed; and every
answer has the bits of the whole history.

Method: each way of answering and each trap by itself, by what is counted, and by the rows that a
store says it was asked for, against a batch run over all that the store gives.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from tallow import AnalyticsEngine
from tallow.core.errors import RangeError
from tallow.data.store import store as store_module
from tallow.data.store.reader import StoreState
from tallow.data.store.store import open_store
from tallow.runtime import stored
from tallow.runtime.cache import IndicatorCache
from tests.frames import MINUTE, assert_same_frame, candles, minutes, moment
from tests.runtime.histories import assert_as_whole, new_engine, new_store, received, whole

DAYS = ("2025-06-02", "2025-06-03", "2025-06-04")
OPENS = "T09:15+05:30"


# Each way of answering


@dataclass
class Desk:
    """A store that notes the rows of each read, an engine with a cache, and what is asked."""

    store: Any
    engine: Any
    reads: list[int]

    def ask(self, start: str | None = DAYS[0], end: str | None = None, name: str = "A") -> Any:
        """Ask, compare with the whole history, and return the bars; `reads` are of this."""
        question = ([name], "5m", start, end, "ema(9), sma(5)")
        expected = whole(self.engine, self.store, *question)
        self.reads.clear()
        frame = self.engine.query(*question).frame
        assert_same_frame(frame, expected)
        return frame

    def counts(self) -> tuple[int, int, int, int]:
        """Return hits, extensions, repairs and misses so far."""
        now = self.engine.cache.counters
        return now.hits, now.extensions, now.repairs, now.misses


class Noting(StoreState):
    """A state of a store that notes how many rows each read gave."""

    reads: list[int]

    def read(self, *args: Any, **options: Any) -> pl.DataFrame:
        frame = super().read(*args, **options)
        self.reads.append(len(frame))
        return frame


SESSIONS = pl.concat(
    candles(name, [t for day in DAYS for t in minutes(day + OPENS, 375)], seed)
    for seed, name in enumerate("AB")
)
NOON = moment("2025-06-04T12:02+05:30")
"""Two minutes into a bar."""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """Two instruments, two sessions and a half."""
    monkeypatch.setattr(store_module, "StoreState", Noting)
    monkeypatch.setattr(Noting, "reads", [], raising=False)
    with new_store(tmp_path) as store:
        store.write(SESSIONS.filter(pl.col("timestamp") < NOON), source_timeframe="1m")
        yield Desk(store, new_engine(store), Noting.reads)


def at(time: Any, name: str = "A", rows: int = 1) -> pl.DataFrame:
    """Return an instrument's next candles from a time on."""
    own = SESSIONS.filter((pl.col("instrument") == name) & (pl.col("timestamp") >= time))
    return own.head(rows)


def corrected(time: Any, name: str = "A") -> pl.DataFrame:
    return at(time, name).with_columns(close=pl.col("low"), volume=pl.col("volume") + 1.0)


def test_what_an_entry_covers_is_cut_out(desk):
    desk.ask(DAYS[0])
    for start, end in ((DAYS[0], None), (DAYS[1], None), (DAYS[1], DAYS[1]), (DAYS[2], DAYS[2])):
        desk.ask(start, end)
        assert desk.reads == []
    assert desk.counts() == (4, 0, 0, 1)


def test_appended_candles_alone_are_read(desk):
    """The bar of 12:00 is forming; with the candle of 12:05 it turns final."""
    assert desk.ask()["is_final"][-1] is False
    for count in (1, 3, 1):
        newest = desk.store.read(["A"])["timestamp"][-1]
        desk.store.write(at(newest + MINUTE, rows=count), source_timeframe="1m")
        desk.ask()
        assert desk.reads == [count]
    assert desk.ask()["timestamp"][-1] == moment("2025-06-04T12:05+05:30")
    assert desk.counts() == (4, 3, 0, 1)


def test_bars_that_became_longer_keep_the_text_of_their_names_once(tmp_path):
    name = "longer than a view of twelve bytes"
    found = pl.DataFrame()
    with new_store(tmp_path) as store:
        engine = new_engine(store)
        for part in candles(name, minutes(DAYS[0] + OPENS, 300)).iter_slices(50):
            store.write(part, source_timeframe="1m")
            found = engine.query([name], "5m").frame
        assert engine.cache.counters.extensions == 5
    names = found["instrument"]
    validity, _, *texts = names.to_arrow(compat_level=pl.CompatLevel.newest()).buffers()
    assert (validity, len(texts)) == (None, 1)


def test_another_instruments_candles_cost_nothing(desk):
    desk.ask()
    for rows in (at(NOON, "B"), corrected(moment(DAYS[0] + OPENS), "B")):
        desk.store.write(rows, source_timeframe="1m")
        desk.ask()
        assert desk.reads == []
    assert desk.counts() == (2, 0, 0, 1)


def test_a_correction_is_repaired_from_the_last_mark_before_it(desk):
    """The bars before it stay; marks lie 64 bars apart, and where earlier answers ended."""
    desk.ask()
    desk.store.write(at(NOON), source_timeframe="1m")
    desk.ask()
    desk.store.write(corrected(NOON), source_timeframe="1m")
    desk.ask()
    assert desk.reads == [1]
    desk.store.write(corrected(NOON - timedelta(minutes=30)), source_timeframe="1m")
    desk.ask()
    assert 30 < sum(desk.reads) < 375
    assert desk.counts() == (1, 1, 2, 1)


def test_a_deletion_is_a_correction(desk):
    desk.ask()
    desk.store.delete(at(NOON - MINUTE).select("instrument", "timestamp"))
    desk.ask()
    assert 0 < sum(desk.reads) < 375
    assert desk.counts() == (0, 0, 1, 1)


@pytest.mark.parametrize("time", [DAYS[0] + OPENS, DAYS[1] + "T09:20+05:30"])
def test_a_candle_older_than_every_mark_makes_an_entry_anew(desk, time):
    """Before the entry's first bar, or soon after it."""
    desk.ask(DAYS[1])
    desk.store.write(corrected(moment(time)), source_timeframe="1m")
    desk.ask(DAYS[1])
    assert desk.counts() == (0, 0, 0, 2)


def test_a_candle_before_the_first_one_moves_every_value(desk):
    desk.store.write(
        at(moment(DAYS[0] + OPENS)).with_columns(pl.lit("C").alias("instrument")),
        source_timeframe="1m",
    )
    for day in (DAYS[2], DAYS[1]):
        first = at(moment(day + OPENS), rows=30).with_columns(pl.lit("D").alias("instrument"))
        desk.store.write(first, source_timeframe="1m")
        desk.ask(DAYS[2], name="D")
    assert desk.counts() == (0, 0, 0, 2)


def test_a_longer_range_is_an_entry_of_its_own_from_then_on(desk):
    for start in (DAYS[2], DAYS[0], DAYS[2], DAYS[1]):
        desk.ask(start)
    assert desk.counts() == (2, 0, 0, 2)


def test_a_range_that_goes_on_reads_on(desk):
    """Only what came after the first range is read, whoever wrote it when."""
    desk.ask(DAYS[0], DAYS[0])
    desk.ask(DAYS[0], DAYS[1])
    assert desk.reads == [375]
    assert desk.counts() == (1, 1, 0, 1)


def test_a_bar_may_turn_final_by_a_candle_after_the_range(desk):
    end = "2025-06-04T12:05+05:30"
    assert desk.ask(DAYS[2], end)["is_final"][-1] is False
    later = at(NOON + 10 * MINUTE)
    desk.store.write(later, source_timeframe="1m")
    assert desk.ask(DAYS[2], end)["is_final"][-1] is True
    desk.store.delete(later.select("instrument", "timestamp"))
    assert desk.ask(DAYS[2], end)["is_final"][-1] is False
    desk.store.write(at(NOON, rows=3), source_timeframe="1m")
    assert desk.ask(DAYS[2], end)["is_final"][-1] is True


def test_open_interest_that_comes_up_is_in_every_answer(desk):
    """Of another instrument first: the column is there, without values."""
    assert "open_interest" not in desk.ask().columns
    desk.store.write(at(NOON, "B").with_columns(open_interest=7.0), source_timeframe="1m")
    assert desk.ask()["open_interest"].null_count() == len(desk.ask())


def test_another_process_is_noticed(desk, tmp_path):
    desk.ask()
    with open_store(tmp_path) as other:
        other.write(corrected(NOON - MINUTE), source_timeframe="1m")
    desk.ask()
    assert desk.counts() == (0, 0, 1, 1)


def test_the_log_is_asked_once_for_all_instruments(desk, monkeypatch):
    asked: list[Any] = []
    ask = StoreState.changed_since

    def noted(store: StoreState, received_at: int, names: Any = None, **options: Any) -> Any:
        asked.append(names)
        return ask(store, received_at, names, **options)

    for name in "AB":
        desk.ask(name=name)
    monkeypatch.setattr(StoreState, "changed_since", noted)
    desk.store.write(SESSIONS.filter(pl.col("timestamp") == NOON), source_timeframe="1m")
    for name in "ABAB":
        desk.ask(name=name)
    assert asked == [None]
    assert desk.counts() == (4, 2, 0, 2)


def test_changes_too_old_to_be_remembered_are_asked_of_the_log(desk, monkeypatch):
    monkeypatch.setattr(stored, "CHANGES_PER_INSTRUMENT", 2)
    desk.ask(DAYS[2], name="A")
    for k in range(4):
        desk.store.write(
            SESSIONS.filter(pl.col("timestamp") == NOON + k * MINUTE), source_timeframe="1m"
        )
        desk.ask(name="B")
    desk.ask(DAYS[2], name="A")
    assert desk.reads == [4]


def test_a_compaction_changes_nothing(desk):
    desk.ask()
    desk.store.flush()
    desk.store.compact()
    desk.ask()
    assert desk.reads == []


def test_where_history_was_taken_away_nothing_is_trusted(desk):
    desk.ask(DAYS[2])
    desk.store.prune(before=int(moment(DAYS[1] + OPENS).timestamp() * 1e6))
    desk.ask(DAYS[2])
    assert desk.counts() == (0, 0, 0, 2)


# What does not come from an entry


def test_questions_about_the_past_or_several_instruments_are_kept_whole(desk):
    several = (["A", "B"], "5m", DAYS[0], None, "ema(9)")
    then = (["A"], "5m", DAYS[0], None, "ema(9)", received(desk.store))
    for question in (several, then):
        assert [desk.engine.query(*question).cache_hits for _ in range(2)] == [0, 1]
        assert_as_whole(desk.engine, desk.store, *question)
        desk.store.write(
            at(desk.store.read(["A"])["timestamp"][-1] + MINUTE), source_timeframe="1m"
        )
        assert desk.engine.query(*question).cache_hits == 0
        assert_as_whole(desk.engine, desk.store, *question)


def test_an_error_leaves_no_entry(desk):
    for _ in range(2):
        with pytest.raises(RangeError):
            desk.engine.query("NOBODY")
    assert desk.engine.cache.counters.entries == 0


# Sharing, bounds, harm


def test_engines_share_what_is_the_same_for_both(desk):
    engines = [
        new_engine(desk.store, cache=desk.engine.cache, **options)
        for options in ({}, {"no_trade": "keep"}, {"convention": "talib"}, {"calendar": "24/7"})
    ]
    desk.ask()
    for engine, hits in zip(engines, (1, 1, 1, 1), strict=True):
        question = (["A"], "5m", DAYS[0], None, "ema(9), sma(5)")
        assert_as_whole(engine, desk.store, *question)
        assert desk.counts()[0] == hits
    assert desk.counts()[3] == 4


def test_two_stores_are_never_mixed(desk, tmp_path_factory):
    desk.ask()
    with new_store(tmp_path_factory.mktemp("other")) as other:
        other.write(SESSIONS.with_columns(pl.col("volume") * 2.0), source_timeframe="1m")
        engine = new_engine(other, cache=desk.engine.cache)
        assert_as_whole(engine, other, ["A"], "5m", DAYS[0], None, "ema(9), sma(5)")
        desk.ask()


@pytest.mark.parametrize("bytes_max", [0, 3_000, 20_000])
def test_a_cache_smaller_than_an_entry_or_the_look_back_is_only_slow(desk, bytes_max):
    cache = IndicatorCache(bytes_max)
    engine = new_engine(desk.store, cache=cache)
    for k in range(3):
        for name in "ABA":
            for start in (DAYS[0], "2025-06-04T11:55+05:30"):
                assert_as_whole(engine, desk.store, [name], "5m", start, None, "default")
                assert cache.counters.bytes <= bytes_max
        desk.store.write(at(NOON + k * MINUTE), source_timeframe="1m")


def test_what_was_used_last_stays(desk):
    desk.ask(name="A")
    size = desk.engine.cache.counters.bytes
    engine = new_engine(desk.store, cache=IndicatorCache(int(1.5 * size)))
    for name, hits in (("A", 0), ("A", 2), ("B", 0), ("A", 0)):
        result = engine.query([name], "5m", DAYS[0], None, "ema(9), sma(5)")
        assert result.cache_hits == hits
    assert engine.cache.counters.evictions == 2


def test_a_caller_may_change_an_answer_in_place(desk):
    for _ in range(3):
        frame = desk.ask()
        frame[3, "close"] = -1.0
        frame.insert_column(0, pl.Series("mine", [1] * len(frame)))
        frame.drop_in_place("ema_9")
        desk.store.write(
            at(desk.store.read(["A"])["timestamp"][-1] + MINUTE), source_timeframe="1m"
        )


def test_threads_ask_while_others_write(desk):
    """Each answer is the whole history of one state that the store had while it was asked."""
    states = [whole(desk.engine, desk.store, *(["A"], "5m", DAYS[0], None, "ema(9), sma(5)"))]
    later = at(NOON, rows=6)
    known = SESSIONS.filter(pl.col("timestamp") < NOON)
    for k in range(6):
        rows = pl.concat([known, later.head(k + 1)]).sort("instrument", "timestamp")
        frame = rows.filter(pl.col("instrument") == "A")
        states.append(
            desk.engine.process_candles(frame, "5m", "ema(9), sma(5)", start=DAYS[0]).frame
        )
    answers: list[pl.DataFrame] = []

    def ask(_: int) -> None:
        answers.append(desk.engine.query(["A"], "5m", DAYS[0], None, "ema(9), sma(5)").frame)

    with ThreadPoolExecutor(4) as pool:
        asking = pool.map(ask, range(60))
        for k in range(6):
            desk.store.write(later[k : k + 1], source_timeframe="1m")
        list(asking)
    for answer in answers:
        assert any(answer.equals(state, null_equal=True) for state in states)
    desk.ask()


# The same words again


def test_a_frame_that_a_caller_changes_is_whole_for_the_next(desk):
    desk.ask()
    frame = desk.engine.query("A", "5m", DAYS[0], None, "ema(9), sma(5)").frame
    frame.insert_column(0, pl.lit(0.0).alias("mine"))
    frame.columns = [f"my_{name}" for name in frame.columns]
    desk.ask()
    assert desk.counts()[0] >= 2


def test_moments_that_are_equal_an_hour_apart_are_two_questions(tmp_path):
    """Clocks go back: 01:30 comes twice, and Python says that both are equal."""
    times = minutes("2025-11-02T00:00-04:00", 300)
    with open_store(tmp_path / "store", create=True) as store:
        store.write(candles("A", times), source_timeframe="1m")
        engine = AnalyticsEngine("24/7", store=store)
        for hour in (0, 1, 0):
            start = datetime(2025, 11, 2, 1, 30, fold=hour, tzinfo=ZoneInfo("America/New_York"))
            opens = engine.query("A", "5m", start, None, "").frame["timestamp"]
            assert opens[0] == moment(f"2025-11-02T01:30-0{4 + hour}:00")
