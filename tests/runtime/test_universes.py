"""Goal: an answer has the bars of a universe's members on their dates, and no other; each bar is
that of the whole answer, to the bit, and what is left out is counted.

Method: small lists over hand-made sessions. What must be left is picked from the answer without a
universe by a loop over its rows, with dates of a wall clock; counts are worked by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import tallow
from tallow import AnalyticsEngine, read_universe
from tallow.core.errors import AllFailedError, EmptyWarning, RangeError, UniverseError
from tests.frames import assert_same_frame, candles, flat_candle, local
from tests.runtime.members import DAYS, LIST, market, of_members

# Two bars a session: of A on two days, of B on one.
LEFT_OUT = 2 * 2 + 2 * 1


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(LIST)
    return path


@pytest.fixture
def engine(tmp_path: Path, listed: Path) -> AnalyticsEngine:
    """Return an engine whose store has the candles, and the list under the name `kept`."""
    store = tallow.open_store(tmp_path / "store", create=True)
    store.write(market(), source_timeframe="1m")
    store.universes.record(read_universe(listed, "kept"))
    return AnalyticsEngine("XNSE", store=store, threads=1)


def of_frame(engine: AnalyticsEngine, folder: Path, **asked: Any) -> tuple[pl.DataFrame, Any]:
    result = engine.process_candles(market(), "15m", "ema(3)", **asked)
    return result.frame, result.report


def of_file(
    engine: AnalyticsEngine, folder: Path, by: tuple[str, ...] = (), **asked: Any
) -> tuple[pl.DataFrame, Any]:
    source, output = folder / "candles.parquet", folder / "bars.parquet"
    market().sort(by or ("instrument", "timestamp")).write_parquet(source)
    report = engine.process_files(source, output, "15m", "ema(3)", **asked)
    return pl.read_parquet(output), report


def of_file_in_time(engine: AnalyticsEngine, folder: Path, **asked: Any) -> Any:
    return of_file(engine, folder, ("timestamp", "instrument"), **asked)


def of_store(engine: AnalyticsEngine, folder: Path, **asked: Any) -> tuple[pl.DataFrame, Any]:
    result = engine.query(timeframe="15m", indicators="ema(3)", **asked)
    return result.frame, result.report


ENTRIES: Mapping[str, Callable[..., tuple[pl.DataFrame, Any]]] = {
    "frame": of_frame,
    "file": of_file,
    "file in time": of_file_in_time,
    "store": of_store,
}


@pytest.mark.parametrize("kind", ["path", "text", "name", "object"])
@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_has_the_bars_of_members(
    engine: AnalyticsEngine, listed: Path, tmp_path: Path, entry: str, kind: str
) -> None:
    ask = ENTRIES[entry]
    kinds = {"path": listed, "text": str(listed), "name": "kept", "object": read_universe(listed)}
    whole, report = ask(engine, tmp_path)
    assert report.universe is None
    found, report = ask(engine, tmp_path, universe=kinds[kind])
    assert_same_frame(found, of_members(whole))
    said = report.universe
    assert said.name == ("kept" if kind == "name" else "list")
    # The third instrument is never a member, and is not asked for.
    assert (said.members, said.unknown) == (3, ("Z",))
    assert (said.bars_left_out, report.bars) == (LEFT_OUT, len(found))
    assert said.dates_without == ()


def test_a_member_from_a_date_on_has_no_bar_before_and_the_values_of_its_whole_history(
    engine: AnalyticsEngine, tmp_path: Path
) -> None:
    for ask in ENTRIES.values():
        whole = ask(engine, tmp_path)[0].filter(pl.col("instrument") == "A")
        found = ask(engine, tmp_path, universe="kept")[0].filter(pl.col("instrument") == "A")
        assert local(found["timestamp"])[0] == "2025-07-10 09:15"
        first = whole.filter(pl.col("timestamp") == found["timestamp"][0])
        assert found["ema_3"][0] == first["ema_3"].item()
        # The third bar is the first with a value: by July 10th there were four.
        assert whole["ema_3"].null_count() == 2


def test_instruments_and_universe_together_are_what_is_in_both(
    engine: AnalyticsEngine, tmp_path: Path
) -> None:
    for ask in ENTRIES.values():
        whole = ask(engine, tmp_path)[0]
        found, report = ask(engine, tmp_path, instruments=["B", "C"], universe="kept")
        assert_same_frame(found, of_members(whole).filter(pl.col("instrument") == "B"))
        assert (report.universe.members, report.universe.bars_left_out) == (1, 2)
        with pytest.raises(RangeError, match="instrument: 'Q'; not in the"):
            ask(engine, tmp_path, instruments=["B", "Q"], universe="kept")
        with pytest.warns(EmptyWarning, match="no instrument that is asked for is ever in univ"):
            found, report = ask(engine, tmp_path, instruments="C", universe="kept")
        assert found.is_empty()


def test_a_range_counts_its_own_bars(engine: AnalyticsEngine, tmp_path: Path) -> None:
    for ask in ENTRIES.values():
        asked = {"start": "2025-07-09", "end": "2025-07-10", "universe": "kept"}
        found, report = ask(engine, tmp_path, **asked)
        days = [text[:10] for text in local(found["timestamp"])]
        assert set(zip(found["instrument"], days, strict=True)) == {
            ("A", "2025-07-10"),
            ("B", "2025-07-09"),
        }
        assert report.universe.bars_left_out == 4


def test_an_answer_without_a_member_says_so(engine: AnalyticsEngine, tmp_path: Path) -> None:
    for ask in ENTRIES.values():
        asked = {"start": "2025-07-10", "end": "2025-07-10", "instruments": "B"}
        with pytest.warns(EmptyWarning, match="of 2 in the range, none is of an instrument that w"):
            found, report = ask(engine, tmp_path, universe="kept", **asked)
        assert found.is_empty()
        assert "universe kept then, which has members on all dates" in report.why_empty


def test_dates_on_which_there_is_no_member_are_named(
    engine: AnalyticsEngine, tmp_path: Path
) -> None:
    path = tmp_path / "late.csv"
    path.write_text("symbol,from\nA,2025-07-10\nB,2025-07-11\nA,2025-07-11\n")
    for ask in ENTRIES.values():
        report = ask(engine, tmp_path, universe=path)[1]
        assert report.universe.dates_without == (date(2025, 7, 8), date(2025, 7, 9))
        assert report.sentences() == [
            "universe late: merged 1 row with others of the same instrument: A",
            "universe late: 10 bars left out, of instruments that were no members then",
            "universe late: no members on 2 dates with bars, 2025-07-08 to 2025-07-09",
        ]
        assert report.to_dict()["universe"]["dates_without"] == ["2025-07-08", "2025-07-09"]


def test_a_list_of_which_nothing_is_known_is_an_error(
    engine: AnalyticsEngine, tmp_path: Path
) -> None:
    path = tmp_path / "other.csv"
    path.write_text("AA\nY\n")
    for ask in ENTRIES.values():
        with pytest.raises(RangeError) as caught:
            ask(engine, tmp_path, universe=path)
        assert "universe: other; none of 2 members is in the" in str(caught.value)
        assert "the first is 'AA'; did you mean A?" in str(caught.value)
        with pytest.raises(UniverseError, match=r"the store does not know it; did you mean kept\?"):
            ask(engine, tmp_path, universe="kep")
    with pytest.raises(UniverseError, match="there is no store that may know the name"):
        AnalyticsEngine().process_candles(market(), "15m", "", universe="kept")


def test_only_members_can_fail(engine: AnalyticsEngine, tmp_path: Path) -> None:
    calendars = {"B": "XNSE", "C": "XNSE"}
    alone = AnalyticsEngine(calendars, threads=1)
    path = tmp_path / "a.csv"
    path.write_text("A\nZ\n")
    with pytest.raises(AllFailedError, match="A: calendar"):
        alone.process_candles(market(), "15m", "", universe=path)


# The date of a session


def test_the_date_is_that_of_the_session_and_not_of_the_clock(tmp_path: Path) -> None:
    # Currencies: Monday's session opens on Sunday evening in New York.
    times = [datetime(2025, 7, 13, 22, 0, tzinfo=UTC), datetime(2025, 7, 14, 14, 0, tzinfo=UTC)]
    frame = pl.concat([candles("EURUSD", [time], 3) for time in times])
    monday = read_universe(pl.DataFrame({"symbol": ["EURUSD"], "from": ["2025-07-14"]}), "m")
    found = AnalyticsEngine("FX").process_candles(frame, "1h", "", universe=monday)
    assert found.frame["timestamp"].to_list() == times
    # Another calendar for each: what trades round the clock goes by UTC.
    coin = candles("BTC", [datetime(2025, 7, 13, 22, 0, tzinfo=UTC), times[1]], 4)
    both = pl.concat([coin, frame])
    lists = pl.DataFrame({"symbol": ["BTC", "EURUSD"], "from": ["2025-07-14"] * 2})
    mixed = AnalyticsEngine({"BTC": "24/7", "*": "FX"})
    found = mixed.process_candles(both, "1h", "", universe=read_universe(lists, "both"))
    assert found.frame["instrument"].to_list() == ["BTC", "EURUSD", "EURUSD"]


def test_a_bar_of_days_counts_by_its_first_session(engine: AnalyticsEngine) -> None:
    wednesday = read_universe(pl.DataFrame({"symbol": ["A"], "from": ["2025-07-09"]}), "w")
    found = engine.query("A", ["1d", "1w"], indicators="", universe=wednesday)
    assert [text[:10] for text in local(found["1d"].frame["timestamp"])] == list(DAYS[1:])
    assert len(found["1w"].frame) == 0


# A store's names


def test_members_are_found_by_symbol_and_by_a_key_that_ended(tmp_path: Path) -> None:
    def day(key: str, symbol: str, text: str) -> pl.DataFrame:
        candle = flat_candle(key, f"2025-09-{text}T09:15+05:30", 100.0, 5.0)
        return candle.with_columns(symbol=pl.lit(symbol))

    with tallow.open_store(tmp_path / "store", create=True) as store:
        for text in ("17", "18", "19"):
            store.write(day("ISIN1", "OLD", text), source_timeframe="1m")
        for text in ("22", "23"):
            store.write(day("ISIN2", "NEW", text), source_timeframe="1m")
        store.write(day("ISIN3", "OTHER", "18"), source_timeframe="1m")
        ask = AnalyticsEngine("XNSE", store=store, threads=1).query

        def found(*rows: tuple[str, str | None, str | None]) -> list[tuple[str, str]]:
            table = pl.DataFrame(rows, ["symbol", "from", "to"], orient="row")
            bars = ask(timeframe="1d", indicators="", universe=read_universe(table, "u")).frame
            times = [text[8:10] for text in local(bars["timestamp"])]
            return list(zip(bars["instrument"], times, strict=True))

        assert found(("OLD", "2025-09-18", None)) == [("ISIN1", "18"), ("ISIN1", "19")]
        join = {"instrument": "ISIN2", "ex_date": "2025-09-22", "kind": "join"}
        store.actions.record(pl.DataFrame([join | {"predecessor": "ISIN1"}]))
        # The list names who was a member under the names of the day.
        old, new = ("OLD", "2025-09-18", "2025-09-21"), ("NEW", "2025-09-22", "2025-09-22")
        assert found(old) == [("ISIN2", "18"), ("ISIN2", "19")]
        assert found(old, new) == [("ISIN2", "18"), ("ISIN2", "19"), ("ISIN2", "22")]
        assert found(("ISIN2", None, "2025-09-17")) == [("ISIN2", "17")]
        # A key that went on is no member any more by the name that it had.
        assert found(("OLD", "2025-09-19", None)) == [("ISIN2", "19")]
        # And what it was before it was this one's is somebody else's.
        store.write(day("ISIN0", "FIRST", "16"), source_timeframe="1m")
        first = {"instrument": "ISIN1", "ex_date": "2025-09-18", "kind": "join"}
        store.actions.record(pl.DataFrame([first | {"predecessor": "ISIN0"}]))
        assert found(("OLD", None, None)) == [("ISIN2", "18"), ("ISIN2", "19")]
        assert found(("FIRST", None, None)) == [("ISIN2", "16")]
        # A name that is a key is meant as one, whosever symbol it is besides.
        store.write(day("OTHER", "OLD", "23"), source_timeframe="1m")
        assert found(("OTHER", None, None)) == [("OTHER", "23")]


def test_a_question_of_before_sees_the_list_of_before(engine: AnalyticsEngine) -> None:
    store = engine._queries.store  # type: ignore[union-attr]
    known = datetime.fromtimestamp(store.last_received() / 1e6, UTC)
    only = read_universe(pl.DataFrame({"symbol": ["C"]}), "kept")
    store.universes.record(only)

    def names(**asked: Any) -> list[str]:
        found = engine.query(timeframe="1d", indicators="", universe="kept", **asked).frame
        return found["instrument"].unique().sort().to_list()

    assert names() == ["C"]
    assert names(known_at=known) == ["A", "B"]


def test_a_file_is_read_again_for_each_question(engine: AnalyticsEngine, listed: Path) -> None:
    def names() -> list[str]:
        found = engine.query(timeframe="1d", indicators="", universe=str(listed)).frame
        return found["instrument"].unique().sort().to_list()

    assert names() == ["A", "B"]
    listed.write_text("C\n")
    assert names() == ["C"]
