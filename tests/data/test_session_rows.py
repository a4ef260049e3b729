"""Goal: what rows do not say is taken from their sessions where these leave no doubt, else asked.

Method: real candles of whole sessions, with their offsets and without; hand-made rows just enough
and one too few; and every way in which rows and what is said of them may contradict each other.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from tallow import open_store, read_candles
from tallow.core.errors import (
    CandleInputError,
    NaiveTimeError,
    TallowWarning,
    TimeframeError,
)
from tallow.data.ingest.documents import ingest
from tallow.data.providers.document import read_document
from tests.frames import assert_same_frame, candles, minutes

OPEN = "2025-06-02T09:15+05:30"


def rows(count: int, step: int = 1, name: str = "A") -> pl.DataFrame:
    return candles(name, minutes(OPEN, count, step=step))


def naive(frame: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Return candles whose times are those of a zone's clocks, without saying so."""
    local = pl.col("timestamp").dt.convert_time_zone(zone).dt.replace_time_zone(None)
    return frame.with_columns(local)


def test_real_candles_are_of_the_step_between_them(reference: Path, tmp_path: Path) -> None:
    """12,758 rows of 35 sessions without a gap: all but the first of each follow another one."""
    with open_store(tmp_path / "store", create=True) as store:
        report = ingest(store, reference / "data" / "candles_1m.csv", adjustment="raw")
    (file,) = report.files
    assert (file.timeframe, file.new) == ("1m", 12_758)
    assert file.notes == ("candles last 1m, the commonest step within sessions: 12,723 of 12,723",)


def test_real_times_without_an_offset_are_of_the_calendars_zone(reference: Path) -> None:
    whole = read_candles(reference / "data" / "candles_1m.csv")
    with pytest.warns(TallowWarning, match="times carry no zone; Asia/Kolkata, the calendar's"):
        local = read_candles(naive(whole.frame, "Asia/Kolkata"))
    assert_same_frame(local.frame, whole.frame)
    for frame, venue in ((naive(whole.frame, "UTC"), "XNSE"), (naive(whole.frame, "UTC"), "24/7")):
        with pytest.raises(NaiveTimeError, match="has no zone"):
            read_candles(frame, calendar=venue)


@pytest.mark.parametrize(("outside", "is_told"), [(1, True), (2, False)])
def test_one_row_in_twenty_may_be_outside_of_sessions(outside: int, is_told: bool) -> None:
    inside = naive(rows(21 - outside), "Asia/Kolkata")
    before = naive(candles("A", minutes("2025-06-02T08:00+05:30", outside)), "Asia/Kolkata")
    frame = pl.concat([before, inside])
    assert len(frame) == 21
    if is_told:
        with pytest.warns(TallowWarning, match="95 % of the rows"):
            assert len(read_candles(frame)) == 21
    else:
        with pytest.raises(NaiveTimeError):
            read_candles(frame)


@pytest.mark.parametrize("step", [1, 3, 15])
def test_twenty_equal_steps_say_how_long_candles_last(step: int, tmp_path: Path) -> None:
    """15 minutes: 24 of a session's 25 bars follow another one of it."""
    frame = rows(21, step)
    assert str(read_document(frame, adjustment="raw").timeframe) == f"{step}m"
    with open_store(tmp_path, create=True) as store:
        wrote = store.write(frame)
    assert (wrote.source_timeframe, wrote.new) == (f"{step}m", 21)
    assert wrote.notes == (f"candles last {step}m, the commonest step within sessions: 20 of 20",)


def test_fewer_steps_are_asked_about(tmp_path: Path) -> None:
    asked = "last is not said; 20 equal steps within sessions would tell the timeframe; give it"
    with open_store(tmp_path, create=True) as store:
        with pytest.warns(TallowWarning, match=asked):
            wrote = store.write(rows(20))
        assert (wrote.source_timeframe, wrote.new) == ("1m", 20)
    with pytest.raises(
        CandleInputError, match="; 20 equal steps within sessions would tell the time"
    ):
        read_document(rows(20), adjustment="raw")
    nights = candles("A", minutes("2025-06-02T20:00+05:30", 40))
    with pytest.raises(CandleInputError, match="timeframe not said by the document"):
        read_document(nights, adjustment="raw")


def test_steps_that_others_are_no_multiples_of_say_nothing() -> None:
    """Of a share that trades now and then, two minutes may be the commonest step by chance."""
    now_and_then = rows(60, 2).filter(pl.int_range(pl.len()) % 3 < 2)
    odd = candles("A", minutes("2025-06-03T09:15+05:30", 10, step=3))
    with pytest.raises(CandleInputError, match="timeframe not said by the document"):
        read_document(pl.concat([rows(30, 2), odd, now_and_then.clear()]), adjustment="raw")


def test_instruments_of_several_timeframes_are_asked_about() -> None:
    both = pl.concat([rows(40, 1, "A"), rows(30, 5, "B")])
    with pytest.raises(CandleInputError, match="; 'B' has steps of 5m, others of 1m; add"):
        read_document(both, adjustment="raw")


@pytest.mark.parametrize(("step", "said"), [(1, "5m"), (5, "1m"), (1, "1d")])
def test_steps_that_contradict_what_is_said_are_an_error(
    step: int, said: str, tmp_path: Path
) -> None:
    told = f"source_timeframe={said}; candles last {step}m, the commonest step within sessions: "
    with pytest.raises(TimeframeError, match=re.escape(told)):
        read_document(rows(30, step), source_timeframe=said, adjustment="raw")
    with (
        open_store(tmp_path, create=True) as store,
        pytest.raises(TimeframeError, match=re.escape(told)),
    ):
        store.write(rows(30, step), source_timeframe=said)


def test_what_a_store_has_of_an_instrument_is_no_other_timeframe_without_a_word(
    tmp_path: Path,
) -> None:
    with open_store(tmp_path / "store", create=True) as store:
        store.write(rows(30))
        with pytest.raises(
            CandleInputError, match="are of 5m, and the store has candles of 1m for 'A'"
        ):
            store.write(rows(30, 5))
        source = tmp_path / "five.parquet"
        rows(30, 5).write_parquet(source)
        with pytest.raises(CandleInputError, match="are of 5m, and the store has candles of 1m"):
            ingest(store, source, adjustment="raw")
        assert store.write(rows(30, 5), source_timeframe="5m").new == 30
        # Days beside minutes are no contradiction.
        store.write(rows(1, name="B"), source_timeframe="1d")
        assert store.write(rows(30, name="B")).source_timeframe == "1m"
