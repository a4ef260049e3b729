"""Goal: a query reads the candles that it needs and no others, whatever became of its snapshots;
what was asked already is not computed again, unless something was written.

Method: a store that notes down every read; the rows that must be read are counted in the market
itself. Snapshots are removed, damaged, out-dated and refused.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from tallow import read_candles
from tallow.core.errors import TallowWarning
from tallow.data import snapshots
from tallow.data.store.delta import DeltaLog
from tallow.data.store.tail import TailFile
from tallow.runtime import ranged
from tests.frames import MINUTE, assert_same_frame, candles, minutes, moment
from tests.runtime.histories import assert_as_whole, market, new_engine, new_store, received, whole

MARCH = moment("2025-03-03T00:00+05:30")
"""From here on rows belong to the first session of March, a Monday."""
LAST_MINUTE = moment("2025-03-13T15:29+05:30")
MARKET = (
    pl.concat([market(), candles("A", [LAST_MINUTE]).with_columns(open_interest=5.0)])
    .unique(["instrument", "timestamp"])
    .sort("instrument", "timestamp")
)
"""With the last candle of the range, so that its bar is final without another look."""
QUESTION = (["A"], "5m", date(2025, 3, 11), date(2025, 3, 13), "ema(9), rsi(14)")
BEGIN, END = moment("2025-01-01T00:00+00:00"), moment("2025-03-13T15:30+05:30")


class Watched:
    """A store that notes down how many rows each read gave."""

    def __init__(self, store, **facts) -> None:
        self._store, self._facts = store, facts
        self.__dict__.update(facts)
        self.reads: list[int] = []

    def __getattr__(self, name):
        return getattr(self._store, name)

    def state(self):
        """Return a state of the store, the reads of which are noted down here."""
        seen = type(self)(self._store.state(), **self._facts)
        seen.reads = self.reads
        return seen

    def read(self, *args, **options):
        frame = self._store.read(*args, **options)
        self.reads.append(len(frame))
        return frame


@pytest.fixture
def store(tmp_path):
    with new_store(tmp_path) as opened:
        opened.write(MARKET, source_timeframe="1m")
        yield opened


def asked(store, *question, **options) -> list[int]:
    """Ask with an engine of its own, compare with the whole history, return the rows read."""
    watched = Watched(store)
    got = new_engine(watched, **options).query(*question).frame
    assert_same_frame(got, whole(new_engine(store, **options), store, *question))
    return watched.reads


def rows(instrument: str, start: datetime = BEGIN, end: datetime = END) -> int:
    """Return how many candles of the market lie in a range."""
    own = MARKET.filter(pl.col("instrument") == instrument)
    return len(own.filter(pl.col("timestamp").is_between(start, end, closed="left")))


FROM_ORIGIN, FROM_MARCH = [rows("A")], [rows("A", MARCH)]


def test_a_question_looks_at_its_store_once(store, monkeypatch):
    looks = []

    def note(owner, name):
        look = getattr(owner, name)

        def noted(self):
            looks.append(name)
            return look(self)

        monkeypatch.setattr(owner, name, noted)

    note(DeltaLog, "view")
    note(TailFile, "tail")
    engine = new_engine(store)
    for _ in range(2):
        engine.query(*QUESTION)
        assert looks == ["view", "tail"]
        looks.clear()


# Snapshots


def test_the_first_query_reads_all_that_came_before_the_next_one_a_part(store):
    assert asked(store, *QUESTION) == FROM_ORIGIN
    assert asked(store, *QUESTION) == FROM_MARCH


def test_a_run_over_everything_leaves_snapshots_too(store):
    asked(store, None, "5m", None, None, "ema(9), rsi(14)")
    assert asked(store, *QUESTION) == FROM_MARCH


@pytest.mark.parametrize(
    ("other", "reads"),
    [
        ((["A"], "5m", date(2025, 3, 11), date(2025, 3, 13), "ema(9), rsi(15)"), FROM_ORIGIN),
        ((["A"], "7m", date(2025, 3, 11), date(2025, 3, 13), "ema(9), rsi(14)"), FROM_ORIGIN),
        ((["A"], "5m", date(2025, 3, 12), date(2025, 3, 13), "ema(9), rsi(14)[rsi]"), FROM_MARCH),
    ],
)
def test_a_snapshot_serves_one_kind_of_run(store, other, reads):
    asked(store, *QUESTION)
    assert asked(store, *other) == reads


def test_a_snapshot_serves_one_engine_setting(store):
    asked(store, *QUESTION)
    assert asked(store, *QUESTION, no_trade="keep") == FROM_ORIGIN
    assert asked(store, *QUESTION, convention="talib") == FROM_ORIGIN
    assert asked(store, *QUESTION, calendar="XNSE:derivatives") == FROM_ORIGIN


def revised(instrument: str, day: date) -> pl.DataFrame:
    """Return the first candle of an instrument from a date on, with another close."""
    begin = moment(f"{day}T10:00+05:30")
    own = MARKET.filter((pl.col("instrument") == instrument) & (pl.col("timestamp") >= begin))
    return own.head(1).with_columns(high=pl.col("high") + 1.0, close=pl.col("low"))


def test_a_late_row_before_a_snapshot_makes_it_invalid(store):
    asked(store, *QUESTION)
    store.write(revised("A", date(2025, 2, 25)), source_timeframe="1m")
    assert asked(store, *QUESTION) == FROM_ORIGIN
    assert asked(store, *QUESTION) == FROM_MARCH


@pytest.mark.parametrize("row", [("A", date(2025, 3, 4)), ("B", date(2025, 3, 6))])
def test_other_late_rows_do_not(store, row):
    asked(store, *QUESTION)
    store.write(revised(*row), source_timeframe="1m")
    assert asked(store, *QUESTION) == FROM_MARCH


def test_a_deletion_before_a_snapshot_makes_it_invalid(store):
    asked(store, *QUESTION)
    store.delete(revised("A", date(2025, 2, 25)).select("instrument", "timestamp"))
    assert asked(store, *QUESTION) == [FROM_ORIGIN[0] - 1]


def test_snapshots_of_the_past_serve_the_past(store):
    first = received(store)
    store.write(revised("A", date(2025, 2, 25)), source_timeframe="1m")
    second = received(store)
    for at in (first, second):
        assert asked(store, *QUESTION, at) == FROM_ORIGIN
    for moments in ([first], [second], []):
        assert asked(store, *QUESTION, *moments) == FROM_MARCH


def test_the_log_is_asked_once_about_what_was_written(store):
    """A process that asks all day looks at what is new, not at the whole day."""
    asked(store, *QUESTION)
    calls = []

    class Asked(Watched):
        def changed_since(self, received_at, *args, **options):
            calls.append((received_at, options["known_at"]))
            return self._store.changed_since(received_at, *args, **options)

    engine, moments = new_engine(Asked(store)), [store.last_received()]
    for day in (4, 5):
        store.write(revised("A", date(2025, 3, day)), source_timeframe="1m")
        moments.append(store.last_received())
        engine.query(*QUESTION)
    assert calls == [(moments[0], moments[1]), (moments[1], moments[2])]


def test_what_is_known_of_snapshots_is_bounded(store, monkeypatch):
    monkeypatch.setattr(snapshots, "SNAPSHOTS_KNOWN", 1)
    engine = new_engine(store)
    for instrument in ("A", "IDX", "A"):
        assert_as_whole(engine, store, [instrument], *QUESTION[1:])
        store.write(revised(instrument, date(2025, 2, 25)), source_timeframe="1m")
        store.write(revised("B", date(2025, 3, 6)), source_timeframe="1m")


def test_where_history_was_taken_away_no_snapshot_is_trusted(store):
    asked(store, *QUESTION)
    watched = Watched(store, epoch="another")
    new_engine(watched).query(*QUESTION)
    assert watched.reads == FROM_ORIGIN


def damage_nothing_is_there(file):
    file.unlink()


def damage_no_database(file):
    file.write_bytes(b"no database" * 1000)


def damage_short(file):
    file.write_bytes(file.read_bytes()[:5000])


def damage_bytes(file):
    content = bytearray(file.read_bytes())
    for place in range(4096, len(content), 97):
        content[place] ^= 0x55
    file.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "damage", [damage_nothing_is_there, damage_no_database, damage_short, damage_bytes]
)
def test_damaged_snapshots_cost_time_only(store, damage):
    asked(store, *QUESTION)
    damage(store.state_folder / "snapshots.sqlite")
    assert asked(store, *QUESTION) == FROM_ORIGIN
    assert asked(store, *QUESTION) == FROM_MARCH


def test_snapshots_that_cannot_be_kept_are_a_warning(store):
    (store.state_folder / "snapshots.sqlite").mkdir()
    with pytest.warns(TallowWarning, match=r"snapshots\.sqlite; unable to open"):
        assert asked(store, *QUESTION) == FROM_ORIGIN


# Windows


def test_windows_read_their_own_length(tmp_path):
    """Every minute is there, so eight bars of five minutes are forty candles."""
    days = [date(2025, 6, 2) + timedelta(days=k) for k in range(4)]
    frame = pl.concat(candles("A", minutes(f"{day}T09:15+05:30", 375), 1) for day in days)
    question = (["A"], "5m", "2025-06-04T10:00+05:30", "2025-06-04T11:00+05:30", "sma(9)")
    with new_store(tmp_path) as store:
        store.write(frame, source_timeframe="1m")
        assert asked(store, *question) == [40 + 60]
        at_open = (*question[:2], date(2025, 6, 4), date(2025, 6, 4), "sma(9), stddev(20)")
        assert asked(store, *at_open) == [19 * 5 + 375]
        assert asked(store, *question[:4], ()) == [60]


def test_windows_go_further_back_where_candles_are_missing(tmp_path):
    """A candle every ten minutes: half of the bars are there, and more have to be looked at."""
    times = [t for d in (2, 3, 4) for t in minutes(f"2025-06-0{d}T09:15+05:30", 37, 10)]
    times += [moment("2025-06-05T09:15+05:30")]
    with new_store(tmp_path) as store:
        store.append(read_candles(candles("A", times)), source="a thin market")
        question = (["A"], "5m", date(2025, 6, 4), date(2025, 6, 4), "sma(9)")
        assert asked(store, *question) == [37 + 3, 37 + 15, 1]


def test_an_index_needs_more_than_its_windows(store):
    """Only what came before tells whether a candle without volume counts."""
    question = (["IDX"], "5m", date(2025, 3, 11), date(2025, 3, 13), "sma(9)")
    assert asked(store, *question)[1:] == [rows("IDX")]
    assert asked(store, *question)[1:] == [rows("IDX", MARCH)]
    assert len(asked(store, *question, no_trade="keep")) <= 3


# The last bar


def test_a_later_candle_is_looked_for_only_where_finality_hangs_on_it(tmp_path):
    times = [*minutes("2025-06-02T09:15+05:30", 14), moment("2025-06-02T09:30+05:30")]
    times += [moment("2025-07-02T09:15+05:30")]
    with new_store(tmp_path) as store:
        store.write(candles("A", times), source_timeframe="1m")

        def reads(start: str, end: str) -> list[int]:
            limits = (f"2025-06-02T{start}+05:30", f"2025-06-02T{end}+05:30")
            return asked(store, ["A"], "5m", *limits, ())

        assert reads("09:15", "09:25") == [10]
        # The last minute is missing, the next candle comes soon.
        assert reads("09:15", "09:30") == [14, 1]
        # The next candle comes a month later.
        assert reads("09:15", "09:35") == [15, 0, 1]
        store.delete(pl.DataFrame({"instrument": ["A"], "timestamp": times[-1:]}))
        assert reads("09:15", "09:35") == [15, 0, 0]


# Many instruments


def test_instruments_are_read_in_groups(store, monkeypatch):
    """A limit of few rows: the calendar's minutes are what is counted beforehand."""
    question = (None, "5m", date(2025, 3, 4), date(2025, 3, 5), "ema(9)", received(store))
    together = asked(store, *question)
    monkeypatch.setattr(ranged, "QUERY_ROWS", 1)
    apart = asked(store, *question)
    # New York, NSE and the calendar that never closes.
    assert len(together) == 3
    assert len(apart) == 5


# Answers that are known


def test_the_same_question_is_answered_from_memory(store):
    watched = Watched(store)
    engine = new_engine(watched)
    first = engine.query(*QUESTION)
    assert first.cache_hits == 0
    watched.reads.clear()
    again = engine.query(["A"], "5m", "2025-03-11", "2025-03-13", "ema(9), rsi(14)")
    assert again.cache_hits == 2
    assert watched.reads == []
    assert_same_frame(again.frame, first.frame)
    assert again.report == first.report


def test_what_is_written_is_seen_at_once(store):
    engine = new_engine(store)
    before = engine.query(*QUESTION)
    store.write(revised("A", date(2025, 3, 12)), source_timeframe="1m")
    after = engine.query(*QUESTION)
    assert after.cache_hits == 0
    assert not after.frame.equals(before.frame)
    assert_as_whole(engine, store, *QUESTION)


def test_an_answer_may_be_changed_in_place(store):
    engine = new_engine(store)
    for _ in range(2):
        frame = engine.query(*QUESTION).frame
        assert frame.columns[-1] == "rsi_14"
        frame.insert_column(0, pl.Series("mine", [1] * len(frame)))
        frame.drop_in_place("rsi_14")


def test_many_threads_may_ask_at_once(store):
    engine = new_engine(store)
    asked_for = [
        (names, timeframe, date(2025, 3, day), date(2025, 3, day + 3), "ema(9), sma(5)")
        for names in (["A"], ["IDX", "N"], None)
        for timeframe in ("5m", "1h")
        for day in (4, 11)
    ]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda q: engine.query(*q).frame, asked_for * 2))
    for question, frame in zip(asked_for * 2, results, strict=True):
        assert_same_frame(frame, whole(engine, store, *question))


def test_the_report_counts_what_was_read(store):
    report = new_engine(store).query(*QUESTION).report
    assert report.read.rows_in == report.candles.rows == FROM_ORIGIN[0]
    own = MARKET.filter((pl.col("instrument") == "A") & (pl.col("timestamp") < END))
    assert report.read.first == own["timestamp"].min()
    assert report.read.last == own["timestamp"].max()
    assert END - report.read.last < 60 * MINUTE
