"""Goal: every row of an update is taken or refused with its reason, and the counts add up; what
fails for one instrument is its own; what was returned stays as it is.

Method: rows that break each rule, days and names that calendars do not know, a kernel that raises
on cue; arrays that are overwritten after the update.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tallow import AnalyticsEngine, LiveEngine, open_store
from tallow.core.errors import CandleInputError, ParameterError, RangeError
from tallow.data.reading import readers
from tallow.data.reading.schema import CANDLE_SCHEMA
from tests.frames import assert_same_frame, candles, flat_candle, market, minutes
from tests.runtime.live.markets import Values, frame_of, microseconds
from tests.runtime.test_batch import FRAGILE_SPEC

OPEN = microseconds(minutes("2025-06-02T09:15+05:30", 1)[0])
MINUTE_US = 60_000_000
GOOD = Values(10.0, 12.0, 9.0, 11.0, 5.0)
NAN = float("nan")
BROKEN = {
    "price_missing": GOOD._replace(open=NAN),
    "high_below_low": GOOD._replace(high=8.0),
    "open_outside_range": GOOD._replace(open=13.0),
    "close_outside_range": GOOD._replace(close=8.5),
    "volume_missing": GOOD._replace(volume=NAN),
    "volume_negative": GOOD._replace(volume=-1.0),
}


def arrays(live: LiveEngine, rows: list[tuple[str, int, Values]]) -> tuple[Any, ...]:
    """Return the arguments of `update_arrays`, without open interest."""
    numbers = live.numbers([name for name, _, _ in rows])
    times = np.array([time for _, time, _ in rows])
    return numbers, times, *np.array([said[:5] for _, _, said in rows]).T


def refused(update: Any) -> dict[tuple[str, int], str]:
    """Return the rule of each refused row."""
    held = update.report.quarantine
    assert len(held) == update.report.refused
    keys = held.select("instrument", pl.col("timestamp").to_physical()).rows()
    return dict(zip(keys, held["rule"], strict=True))


@pytest.mark.parametrize(("rule", "said"), BROKEN.items(), ids=BROKEN)
def test_a_broken_row_is_refused_and_the_others_are_taken(rule, said):
    rows = [("A", OPEN, GOOD), ("A", OPEN + MINUTE_US, said), ("B", OPEN, GOOD)]
    for face in ("arrays", "frame"):
        live = LiveEngine("5m", "ema(1)")
        if face == "arrays":
            update: Any = live.update_arrays(*arrays(live, rows))
        else:
            update = live.update(frame_of({row[:2]: row[2] for row in rows}, interest=False))
        assert refused(update) == {("A", OPEN + MINUTE_US): rule}
        assert (update.report.rows_in, update.report.appended) == (3, 2)
        assert live.latest()["candles"].to_list() == [1, 1]


def test_a_time_within_a_minute_is_refused():
    live = LiveEngine("5m", "ema(1)")
    update = live.update_arrays(*arrays(live, [("A", OPEN + 1, GOOD)]))
    assert list(refused(update).values()) == ["off_grid"]
    assert (update.revision, len(live.latest())) == (0, 0)


def test_a_day_that_no_calendar_knows_is_refused_with_the_reason():
    live = LiveEngine("5m", "ema(1)")
    late = microseconds(minutes("2199-01-07T09:15+05:30", 1)[0])
    update = live.update(frame_of({("A", late): GOOD, ("A", OPEN): GOOD}, interest=False))
    assert refused(update) == {("A", late): "not_covered"}
    assert live.latest()["timestamp"].to_physical().to_list() == [OPEN]


def test_an_instrument_without_a_calendar_is_refused():
    live = LiveEngine("5m", "ema(1)", calendar={"A": "XNSE"})
    update = live.update(frame_of({("A", OPEN): GOOD, ("B", OPEN): GOOD}, interest=False))
    assert refused(update) == {("B", OPEN): "no_calendar"}
    assert live.latest()["instrument"].to_list() == ["A"]


def test_the_last_version_of_a_candle_counts_however_it_comes():
    """By the order of rows or, where there is one, by a sequence number; in frames and arrays."""
    other, bad = GOOD._replace(close=10.0), GOOD._replace(low=1e9)
    both = pl.concat([frame_of({("A", OPEN): said}, interest=False) for said in (GOOD, other)])
    told = frame_of({("A", OPEN): bad}, interest=False)
    given = [
        (both, 10.0, 0),
        (both.reverse(), GOOD.close, 0),
        (both.reverse().with_columns(seq=pl.Series([12, 11])), 10.0, 0),
        (pl.concat([both, told]), 10.0, 1),
    ]
    for frame, close, aside in given:
        live = LiveEngine("5m", "ema(1)")
        assert live.peek(frame).frame["close"].to_list() == [close]
        report = live.update(frame).report
        assert (report.rows_in, report.appended, report.repeated) == (2 + aside, 1, 1)
        assert (report.quarantined, live.latest()["close"].to_list()) == (aside, [close])
    live = LiveEngine("5m", "ema(1)")
    counted = live.update_arrays(*arrays(live, [("A", OPEN, GOOD), ("A", OPEN, other)])).report
    assert (counted.rows_in, counted.appended, counted.repeated) == (2, 1, 1)
    assert live.latest()["close"].to_list() == [10.0]


def test_rows_ahead_of_the_clock_are_set_aside_and_move_nothing():
    """A candle 5:30 h ahead of what `advance` said, and one ahead of the machine's clock."""
    live = LiveEngine("5m", "", calendar="24/7")
    live.advance(OPEN)
    ahead, now = OPEN + 330 * MINUTE_US, time.time_ns() // 60_000_000_000 * MINUTE_US
    for keys in ([("A", OPEN), ("A", ahead), ("B", OPEN)], [("A", ahead)]):
        update = live.update(frame_of(dict.fromkeys(keys, GOOD), interest=False))
        assert refused(update) == {("A", ahead): "forming"}
        assert not live.latest()["is_final"].any()
    # One after the other they may run ahead, as after one call of `advance` a day.
    follow = {("A", OPEN + k * MINUTE_US): GOOD for k in range(0, 200, 40)}
    assert live.update(frame_of(follow, interest=False)).report.quarantined == 0
    for fresh in (live, LiveEngine("5m", "", calendar="24/7")):
        rows = arrays(fresh, [("A", now + 3 * MINUTE_US, GOOD)])
        assert fresh.update_arrays(*rows).report.quarantine["rule"].to_list() == ["forming"]


@pytest.mark.parametrize("interest", [None, 7.0, NAN, np.inf])
def test_a_clean_frame_is_read_once_and_arrays_not_at_all(interest, tmp_path, monkeypatch):
    """The engine knows B before A; what is read slowly would call `assemble`."""
    rows = [("B", OPEN, GOOD), ("B", OPEN + MINUTE_US, GOOD), ("A", OPEN, GOOD)]
    keys = sorted(row[:2] for row in rows)
    frame = frame_of(dict.fromkeys(keys, GOOD), interest=False).select(list(CANDLE_SCHEMA))
    if interest is not None:
        frame = frame.with_columns(open_interest=pl.lit(interest))
    for face in ("frame", "arrays"):
        with open_store(tmp_path / face, create=True) as store:
            live = LiveEngine("5m", "ema(1)", store=store)
            live.numbers(["B", "A"])
            with monkeypatch.context() as patched:
                patched.setattr(readers, "assemble", None)
                if face == "frame":
                    live.update(frame)
                else:
                    live.update_arrays(*[*arrays(live, rows), np.full(3, interest or NAN)])
            stored = store.read()
        assert stored.select("instrument", pl.col("timestamp").to_physical()).rows() == keys
        known = interest if interest == 7.0 else None
        assert stored["open_interest"].to_list() == [known] * 3
        assert stored.row(0)[2:7] == GOOD[:5]


@pytest.mark.parametrize("number", [-1, 1, 2**40])
def test_a_number_that_was_not_given_is_an_error(number):
    live = LiveEngine("5m", "ema(1)")
    numbers, *columns = arrays(live, [("A", OPEN, GOOD)])
    with pytest.raises(CandleInputError, match=rf"instrument={number}\.\..*must be numbers that"):
        live.update_arrays(numbers * 0 + number, *columns)
    assert len(live.latest()) == 0


NO_NUMBERS = [["many"], ["5"], [True], [[5.0]], 5.0, [5 + 0j], [[1.0, 2.0], [3.0]], None, [b"5"]]
NOT_WHOLE = [[0.5], [NAN], [np.inf], [2.0**63], [None]]
TIMES = np.array(["2025-06-02T03:45"], dtype="datetime64[ns]")


@pytest.mark.parametrize("place", range(8))
def test_what_is_no_array_of_numbers_is_an_error_and_changes_nothing(place):
    live = LiveEngine("5m", "ema(1)")
    good: list[Any] = [*arrays(live, [("A", OPEN, GOOD)]), np.array([7.0])]
    live.update_arrays(*good)
    before = live.latest()
    name = ("instrument", "timestamp", *GOOD._fields)[place]
    wrong = [*NO_NUMBERS, TIMES, np.repeat(good[place], 2)] + (NOT_WHOLE if place < 2 else [])
    for given in wrong:
        if place == 7 and given is None:
            continue
        # Where it is the instruments that are two, it is their times that do not fit.
        with pytest.raises(CandleInputError, match=rf"^update: ({name}|timestamp)\b.*must be"):
            live.update_arrays(*[*good[:place], given, *good[place + 1 :]])
    assert live.latest().equals(before)
    assert live.update_arrays(*good).report.repeated == 1


def test_whole_numbers_may_be_floats_and_lists_may_lack_some():
    live = LiveEngine("5m", "")
    numbers, times, *prices = arrays(live, [("A", OPEN, GOOD), ("B", OPEN, GOOD)])
    lists: list[Any] = [*(column.tolist() for column in prices), [None, np.inf]]
    update = live.update_arrays(numbers.astype(float), times.astype(float), *lists)
    assert update.report.appended == 2
    assert live.latest()["open_interest"].to_list() == [None, None]
    lists[4] = [None, 5]
    assert live.update_arrays(numbers, times, *lists).report.quarantined == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (pl.DataFrame({"instrument": ["A"]}), "columns=instrument; must be instrument and times"),
        (pl.DataFrame({"timestamp": [OPEN]}), "columns=timestamp; must be instrument and times"),
        ({"instrument": ["A"], "timestamp": ["then"]}, "timestamp='then'; every key has a name"),
        ({"instrument": ["A"], "timestamp": ["2025-06-02T09:15"]}, "has no zone"),
        ({"instrument": [None], "timestamp": [OPEN]}, "row=1, instrument=None; every key has a"),
        ({"instrument": [["A"]], "timestamp": [OPEN]}, "must be text; cast it"),
        ({"instrument": ["A"], "timestamp": [[OPEN]]}, "times must be"),
        ([("A", OPEN)], "must be a"),
        (None, "must be a"),
    ],
)
def test_keys_that_name_no_candle_are_an_error(keys, message, tmp_path):
    frame = pl.DataFrame(keys, strict=False) if isinstance(keys, dict) else keys
    with open_store(tmp_path / "store", create=True) as store:
        for owner in (store, LiveEngine("5m", ""), LiveEngine("5m", "", store=store)):
            with pytest.raises(CandleInputError, match=message):
                owner.delete(frame)


def test_keys_may_be_written_as_candles_are(tmp_path):
    rows = candles("A", minutes("2025-06-02T09:15+05:30", 3))
    keys = pd.DataFrame({"symbol": ["A", "A"], "time": ["2025-06-02 09:15+05:30", "1748835960"]})
    with open_store(tmp_path / "store", create=True) as store:
        live = LiveEngine("5m", "", store=store)
        live.update(rows)
        assert live.delete(keys).report.deleted == 2
        assert store.read()["timestamp"].to_list() == rows["timestamp"].to_list()[2:]
        assert store.delete(keys).identical == 2


@pytest.mark.parametrize("now", [0, 10**12, -1, 2**63, 10**30, np.int64(5), 1.5, None, "now"])
def test_a_time_of_another_unit_moves_no_clock(now):
    live = LiveEngine("5m", "")
    for tell in (live.note_time, live.advance):
        # The first microseconds since 1970 are a time, if one of no live bar.
        if tell == live.note_time and now in (0, 10**12, -1, 5):
            continue
        with pytest.raises((ParameterError, RangeError), match=r"now[=:] ?.*must be"):
            tell(now)
    live.advance(OPEN)
    assert live.update(candles("A", minutes("2025-06-02T09:15+05:30", 1))).report.appended == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0}, "keep=0; must be 1"),
        ({"no_trade": "fill"}, "no_trade='fill'; must be 'drop' or 'keep'"),
        ({"grace": -1.0}, "grace=-1.0; must be"),
        ({"timeframes": []}, r"timeframes=\[\]; must name one"),
    ],
)
def test_an_option_that_cannot_be_is_an_error(options, message):
    with pytest.raises(ParameterError, match=message):
        LiveEngine(**options)


def test_a_bar_before_everything_kept_is_refused_and_nothing_changes():
    live = LiveEngine("5m", "ema(3)", keep=1)
    frame = candles("A", minutes("2025-06-02T09:15+05:30", 30))
    live.update(frame[1:])
    before = live.latest()
    update = live.update(frame[:1])
    assert set(refused(update).values()) == {"older_than_memory"}
    assert_same_frame(live.latest(), before)
    # What came with it is taken.
    mixed = live.update(pl.concat([frame[:1], candles("A", minutes("2025-06-02T09:45+05:30", 2))]))
    assert (mixed.report.appended, mixed.report.refused) == (2, 1)
    assert live.latest()["candles"].to_list() == [2]


def test_new_candles_beside_one_that_is_too_old_are_added_to_those_in_memory():
    frame = candles("A", minutes("2025-06-02T09:15+05:30", 33))
    live = LiveEngine("5m", "ema(3)", keep=1)
    live.update(frame[1:31])
    mixed = live.update(pl.concat([frame[:1], frame[31:]]))
    assert (mixed.report.appended, mixed.report.refused) == (2, 1)
    last = AnalyticsEngine("XNSE").process_candles(frame[1:], "5m", "ema(3)").frame.tail(1)
    assert_same_frame(live.latest().select(last.columns), last)


def test_no_bar_opens_while_nobody_trades():
    """Over a night, a weekend, a holiday and a gap."""
    live = LiveEngine(["1m", "1d"], "ema(1)")
    live.update(candles("A", minutes("2025-03-13T15:25+05:30", 5)))
    rows = [
        len(frame)
        for time in ("2025-03-13T15:40+05:30", "2025-03-14T12:00+05:30", "2025-03-17T11:00+05:30")
        for frame in live.advance(time).frames.values()
    ]
    assert rows == [1, 1, 0, 0, 0, 0]
    assert live.latest("1m")["is_final"].to_list() == [True]


def test_the_clock_never_goes_back():
    live = LiveEngine("5m", "ema(1)")
    live.advance("2025-06-02T10:00+05:30")
    live.advance("2025-06-02T09:00+05:30")
    assert live.update(candles("A", minutes("2025-06-02T09:15+05:30", 1))).frame["is_final"].all()


# A kernel that raises


def market_with_a_high_close() -> pl.DataFrame:
    high = flat_candle("B", "2025-06-02T11:30+05:30", 950.0, 5.0)
    closing = candles("B", minutes("2025-06-02T11:40+05:30", 1))
    return pl.concat([market(["A", "B", "C"]), high, closing]).sort("instrument", "timestamp")


@pytest.mark.parametrize("resumed", [False, True])
def test_a_kernel_that_raises_is_its_instruments_own(tmp_path, resumed):
    def engine(specs: Any) -> LiveEngine:
        return LiveEngine("5m", specs, keep=50)

    live, plain = engine([FRAGILE_SPEC, "ema(3)"]), engine("ema(3)")
    frame = market_with_a_high_close()
    times = frame["timestamp"].unique().sort()
    for part in (times[:30], times[30:]):
        piece = frame.filter(pl.col("timestamp").is_in(part.implode()))
        live.update(piece)
        plain.update(piece)
    if resumed:
        live.save(tmp_path / "state")
        live = LiveEngine.load(tmp_path / "state", "5m", [FRAGILE_SPEC, "ema(3)"], keep=50)
    for name in "ABC":
        more = candles(name, minutes("2025-06-02T11:45+05:30", 12))
        told = [each.update(more).frame.drop("revision") for each in (live, plain)]
        assert_same_frame(told[0].drop("fragile"), told[1])
        assert told[0]["fragile"].is_null().all() == (name == "B")
    assert live.failures == {"B": "fragile: ArithmeticError: close=950.0"}


# What was returned


def overwrite(live: LiveEngine) -> None:
    """Write nonsense into all arrays that the engine holds."""
    for timeframe in live._state.timeframes:
        for part in [*timeframe.now, *timeframe.forming, timeframe.before, timeframe.shown]:
            part[:] = 4321.0
        timeframe.revision[:] = -1
        timeframe.final[:] = False
        for scratch in vars(timeframe._scratch).values():
            if isinstance(scratch, np.ndarray):
                scratch[:] = 77
    live._state.memory.candles[:] = 1234.0


@pytest.mark.parametrize("pieces", [1, 7, 40])
def test_what_is_returned_owns_its_memory(pieces):
    frame = market(["A", "B"], rows=40)
    engine = AnalyticsEngine("XNSE", threads=1)
    live = LiveEngine("5m", "ema(3), bollinger(4)")
    size = -(-len(frame) // pieces)
    by_time = frame.sort("timestamp")
    updates = [live.update(by_time[at : at + size]).frame for at in range(0, len(frame), size)]
    latest = live.latest()
    one = live.update_arrays(*arrays(live, [("C", OPEN, GOOD)]))
    overwrite(live)
    wanted = engine.process_candles(frame, "5m", "ema(3), bollinger(4)").frame.drop("is_final")
    told = pl.concat(updates).unique(["instrument", "timestamp"], keep="last")
    told = told.sort("instrument", "timestamp").select(wanted.columns)
    assert_same_frame(told, wanted)
    last = wanted.group_by("instrument", maintain_order=True).last()
    assert_same_frame(latest.select(wanted.columns), last.select(wanted.columns))
    assert one.rows["5m"]["close"].tolist() == [11.0]
    assert one.rows["5m"].is_final.tolist() == [False]
    assert one.rows["5m"].revision.tolist() == [one.revision]
