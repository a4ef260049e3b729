"""Goal: a store keeps its promises, wherever it lies.

Method: every test runs on a folder, on a bucket behind a real server of S3's protocol, and in a
real PostgreSQL database. What is expected is written down by hand, or comes from a dictionary model
that knows of no backend. With lowered limits a few rows take all ways: tail, flush, file, merge.
"""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from tallow.core.errors import RangeError, StoreError
from tallow.data.store.store import open_store
from tests.data.store.conftest import Clock
from tests.data.store.model import (
    ONE,
    RAW,
    Model,
    at,
    candle_frame,
    counts,
    flat,
    keys_frame,
    log,
    read,
)

A0, A1, A2, B0 = ("A", at(0)), ("A", at(1)), ("A", at(2)), ("B", at(0))


def row(key, price, interest=None):
    return (*key, *flat(price, interest))


def test_what_is_said_of_a_key_is_new_the_same_a_correction_or_a_deletion(place):
    store = place.open()
    first = {A0: flat(1), A1: flat(2), B0: flat(3)}
    assert counts(store.write(candle_frame(first), **ONE)) == (3, 0, 0)
    assert counts(store.write(candle_frame(first), **ONE)) == (0, 3, 0)
    mixed = {A0: flat(1), A1: flat(7), A2: flat(4)}
    assert counts(store.write(candle_frame(mixed), **ONE)) == (1, 1, 1)
    assert counts(store.delete(keys_frame([A0, A0, ("C", at(0))]))) == (0, 2, 1)
    assert read(store) == [row(A1, 7), row(A2, 4), row(B0, 3)]
    # A candle that comes back is one of a known key, even where it says what it said before.
    assert counts(store.write(candle_frame({A0: flat(1)}), **ONE)) == (0, 0, 1)
    assert read(store) == [row(A0, 1), row(A1, 7), row(A2, 4), row(B0, 3)]
    assert [(r[2], r[4]) for r in log(store) if r[:2] == A0] == [(1, 1.0), (2, None), (3, 1.0)]


def test_every_moment_of_the_past_can_be_read(place, tiny_limits):
    clock, model = Clock(), Model()
    store = place.open(clock=clock)
    writes = [
        {A0: flat(1), A1: flat(2)},
        {A1: flat(3), A2: flat(4), B0: flat(5), ("B", at(1)): flat(6), ("B", at(2)): flat(6)},
        {A0: flat(1)},
        {A0: flat(9), B0: flat(5)},
    ]
    for number, candles in enumerate(writes):
        clock.now += 10
        assert counts(store.write(candle_frame(candles), **ONE)) == model.write(candles, clock.now)
        clock.now += 10
        gone = [A1] if number == 1 else []
        store.delete(keys_frame(gone))
        model.delete(gone, clock.now)
    assert log(store) == model.log()
    for receipt in model.receipts():
        for moment in (receipt - 1, receipt):
            assert read(store, known_at=moment) == model.read(known_at=moment)
    assert read(store, start=-(2**62), end=2**62, known_at=2**62) == model.read()
    assert read(store, start=-(10**30), end=10**30, known_at=10**30) == model.read()
    # Nothing was pruned: nothing was known then.
    for before_all in (-(10**30), -1, 0, store.log()["received_at"].to_physical().min() - 1):
        assert read(store, known_at=before_all) == []
    with pytest.raises(RangeError, match=r"known_at: 1\.5; must be whole microseconds"):
        store.read(known_at=1.5)


@pytest.mark.parametrize("step", [0, -5_000_000])
def test_receipts_rise_when_the_clock_does_not(place, step):
    clock = Clock(step=step)
    first, writes = clock.now + step, [candle_frame({A0: flat(price)}) for price in range(1, 6)]
    received = [place.open(clock=clock).write(frame, **ONE).received_at for frame in writes]
    assert received == [first, first + 1, first + 2, first + 3, first + 4]
    assert place.open().last_received() == first + 4


def test_series_of_another_timeframe_or_adjustment_are_others(place):
    store = place.open()
    kinds = [("1m", "raw"), ("5m", "raw"), ("1m", "split")]
    for price, (timeframe, adjustment) in enumerate(kinds, 1):
        frame = candle_frame({A0: flat(price)})
        report = store.write(frame, source_timeframe=timeframe, adjustment=adjustment)
        assert counts(report) == (1, 0, 0)
    store.delete(keys_frame([A0]), source_timeframe="5m")
    assert [read(store, kind) for kind in kinds] == [[row(A0, 1)], [], [row(A0, 3)]]
    found = store.series().with_columns(pl.col(pl.Datetime).to_physical()).rows()
    assert found == [("1m", "raw", "A", at(0), at(0), 1), ("1m", "split", "A", at(0), at(0), 1)]
    assert store.changed_since(0, source_timeframe="5m") == {"A": at(0)}


def test_a_range_is_read_as_if_all_were_read_and_cut(place, tiny_limits):
    clock, model = Clock(step=1), Model()
    store = place.open(clock=clock)
    names = ["A", "B", "Ca", "Cb", "D'"]
    for earliest in (0, 3, 5):
        candles = {(n, at(earliest + m)): flat(1 + m) for n in names for m in range(4)}
        store.write(candle_frame(candles), **ONE)
        model.write(candles, clock.now)
    limits: list[tuple[int | None, int | None]] = [
        (None, None),
        (at(3), at(6)),
        (at(8), None),
        (None, at(1)),
        (at(5), at(4)),
    ]
    for wanted in (None, [], ["B"], ["D'", "A"], ["A", "B", "Ca", "none"]):
        for start, end in limits:
            expected = [
                r
                for r in model.read()
                if (wanted is None or r[0] in wanted)
                and (start is None or r[1] >= start)
                and (end is None or r[1] < end)
            ]
            assert read(store, instruments=wanted, start=start, end=end) == expected


def test_changed_since_names_the_earliest_candle_that_changed(place):
    store = place.open()
    first = store.write(candle_frame({A0: flat(1), A1: flat(1), B0: flat(1)}), **ONE).received_at
    second = store.write(candle_frame({A1: flat(2), A2: flat(1)}), **ONE).received_at
    third = store.delete(keys_frame([B0])).received_at
    store.write(candle_frame({A0: flat(1)}), **ONE)
    assert store.changed_since(0) == {"A": at(0), "B": at(0)}
    assert store.changed_since(first) == {"A": at(1), "B": at(0)}
    assert store.changed_since(first, known_at=second) == {"A": at(1)}
    assert store.changed_since(second, ["A", "B"]) == {"B": at(0)}
    assert store.changed_since(first, ["A"]) == {"A": at(1)}
    assert store.changed_since(third) == {}


def test_a_candle_without_open_interest_says_nothing_about_it(place):
    store = place.open()
    plain = candle_frame({A0: flat(1), A1: flat(1)}).drop("open_interest")
    assert counts(store.write(plain, **ONE)) == (2, 0, 0)
    assert not store.has_interest()
    assert counts(store.write(candle_frame({A0: flat(1, 50.0)}), **ONE)) == (0, 0, 1)
    assert store.has_interest()
    assert not store.has_interest("5m")
    assert not store.has_interest("1m", "split")
    assert counts(store.write(plain, **ONE)) == (0, 2, 0)
    assert counts(store.write(candle_frame({A0: flat(2)}), **ONE)) == (0, 0, 1)
    assert read(store) == [row(A0, 2, 50.0), row(A1, 1)]
    # What was deleted has no open interest to keep.
    store.delete(keys_frame([A0]))
    store.write(plain, **ONE)
    assert read(store) == [row(A0, 1), row(A1, 1)]


BAD = pl.DataFrame(
    {
        "instrument": ["A", "A", "B"],
        "timestamp": [at(0), at(1), at(0)],
        "open": [1.0, 1.0, -1.0],
        "high": [1.0, 0.5, 1.0],
        "low": [1.0, 1.0, 1.0],
        "close": [1.0, 1.0, 1.0],
        "volume": [1.0, 1.0, 1.0],
    }
).cast({"timestamp": pl.Datetime("us", "UTC")})


def test_rows_set_aside_are_kept_once_and_can_be_settled(place):
    store = place.open()
    reports = [store.write(BAD, source="bad.csv", **ONE) for _ in range(2)]
    assert [(report.rows_in, report.quarantined) for report in reports] == [(3, 2), (3, 2)]
    aside = reports[0].quarantine
    held = store.ledger.held()
    assert held["ingest"].to_list() == [1, 1]
    assert held["row"].to_list() == [2, 3]
    assert held["instrument"].to_list() == ["A", "B"]
    assert held["source"].to_list() == aside["source"].to_list()
    assert held["record"].to_list() == aside["record"].to_list()
    assert held.select("timeframe", "adjustment").unique().rows() == [RAW]
    store.ledger.settle([held["id"][0]], entry=2)
    assert store.ledger.held()["id"].to_list() == [held["id"][1]]
    assert store.ledger.held(everything=True)["settled_by"].to_list() == [2, None]


def test_the_ledger_tells_where_the_rows_of_every_write_went(place):
    store = place.open()
    token = store.token()
    reports = [
        store.write(BAD, source="bad.csv", **ONE),
        store.write(candle_frame({A0: flat(2), A1: flat(1)}), source="it's.csv", **ONE),
        store.write(candle_frame({A1: flat(1)}), source_timeframe="5m", source=""),
        store.delete(keys_frame([A0, A2])),
    ]
    assert store.token() != token
    names = ["source", "timeframe", "rows_in", "new", "identical", "revised", "quarantined"]
    entries = store.ledger.entries()
    assert entries["id"].to_list() == [report.entry for report in reports] == [1, 2, 3, 4]
    assert entries["received_at"].to_physical().to_list() == [r.received_at for r in reports]
    assert entries.select(names).rows()[0] == ("bad.csv", "1m", 3, 1, 0, 0, 2)
    assert entries.select(names).rows()[1] == ("it's.csv", "1m", 2, 1, 0, 1, 0)
    assert entries.select(names).rows()[2][1:] == ("5m", 1, 1, 0, 0, 0)
    assert entries.select(names).rows()[3] == ("delete", "1m", 2, 0, 1, 1, 0)


def test_the_token_changes_when_something_does(place):
    store, reader = place.open(), place.open()
    token = store.token()
    for number, changed in [(1, True), (1, False), (2, True), (2, False)]:
        store.write(candle_frame({A0: flat(number)}), **ONE)
        assert (store.token() != token) == changed
        token = store.token()
        assert reader.token() == store.token()
    store.delete(keys_frame([A1]))
    assert store.token() == token
    store.delete(keys_frame([A0]))
    assert store.token() != token


def seen(store):
    """Return what a reader sees of a store."""
    return read(store), log(store), store.last_received(), store.epoch


def test_a_state_stays_as_it_was_whatever_is_written(place):
    store = place.open()
    store.write(candle_frame({A0: flat(1), A1: flat(1)}), **ONE)
    state = store.state()
    before, token = seen(state), state.token()
    store.write(candle_frame({A0: flat(2), ("B", at(0)): flat(1)}), **ONE)
    store.delete(keys_frame([A1]))
    assert (seen(state), state.token()) == (before, token)
    store.flush()
    store.compact(keep_hours=0)
    assert (seen(state), state.token()) == (before, token)
    assert state.view().is_of_one_epoch()
    assert seen(store.state()) == seen(store) != before
    assert state.changed_since(0) == {"A": at(0)}


def test_a_flush_and_a_compaction_change_nothing_that_a_reader_sees(place):
    store, reader = place.open(), place.open()
    for number in range(3):
        store.write(candle_frame({A0: flat(number + 1), ("B", at(number)): flat(1)}), **ONE)
        before = seen(reader)
        store.flush()
        assert seen(reader) == before
    before = seen(reader)
    store.compact(keep_hours=0)
    assert seen(reader) == before
    assert counts(store.write(candle_frame({A0: flat(3)}), **ONE)) == (0, 1, 0)
    assert reader.damaged() == []


def test_a_store_is_the_same_after_it_was_closed(place, tiny_limits):
    store = place.open()
    store.write(candle_frame({A0: flat(1), A1: flat(2)}), **ONE)
    store.write(candle_frame({(n, at(m)): flat(1) for n in "AB" for m in range(4)}), **ONE)
    store.write(BAD, source="bad.csv", **ONE)
    before = seen(store)
    entries, held = store.ledger.entries(), store.ledger.held()
    store.close()
    again = place.open()
    assert seen(again) == before
    assert again.ledger.entries().equals(entries)
    assert again.ledger.held().equals(held)


def test_pruning_takes_away_what_is_old_and_nothing_else(place):
    clock = Clock(step=10)
    store = place.open(clock=clock)
    store.write(candle_frame({A0: flat(1), A1: flat(1), A2: flat(1)}), **ONE)
    store.write(candle_frame({A1: flat(2), A2: flat(2)}), **ONE)
    superseded = clock.now
    store.write(candle_frame({A2: flat(3)}), **ONE)
    epoch, token, current = store.epoch, store.token(), read(store)
    assert store.prune(superseded_before=superseded, keep_hours=0).rows_removed == 2
    assert [(r[0], r[1], r[2], r[4]) for r in log(store)] == [
        (*A0, 1, 1.0),
        (*A1, 2, 2.0),
        (*A2, 2, 2.0),
        (*A2, 3, 3.0),
    ]
    assert read(store) == current
    assert store.epoch != epoch
    assert store.token() != token
    assert read(store, known_at=superseded) == [row(A0, 1), row(A1, 2), row(A2, 2)]
    with pytest.raises(
        RangeError, match=r"known_at: earlier than .*pruned; ask for a later moment"
    ):
        store.read(known_at=superseded - 1)
    assert store.prune(before=at(2), keep_hours=0).rows_removed == 2
    assert read(store) == [row(A2, 3)]
    assert counts(store.write(candle_frame({A1: flat(2), A2: flat(3)}), **ONE)) == (1, 1, 0)


@pytest.mark.parametrize("later", [0, 1, 10**15], ids=["the newest", "a moment later", "decades"])
def test_pruning_up_to_a_moment_after_the_newest_write_leaves_what_is_known_now(place, later):
    store = place.open(clock=Clock(step=10))
    store.write(candle_frame({A0: flat(1)}), **ONE)
    store.write(candle_frame({A0: flat(2), A1: flat(3)}), **ONE)
    newest = store.last_received()
    assert store.prune(superseded_before=newest + later, keep_hours=0).rows_removed == 1
    known = [row(A0, 2), row(A1, 3)]
    assert (
        read(store) == read(store, known_at=newest) == read(store, known_at=newest + later) == known
    )
    with pytest.raises(RangeError, match="pruned"):
        store.read(known_at=newest - 1)
    # What comes later is superseded later: nothing of it was pruned.
    store.write(candle_frame({A0: flat(4)}), **ONE)
    assert read(store, known_at=newest) == known


NAMES = ["é", "\t\n\x01", '"\\', "\U0001f600", "\uffff", "x" * 1_024, "x" * 1_023 + "y", "%41"]


def test_names_and_years_come_back_as_they_were_written(place):
    store = place.open()
    times = [datetime(1800, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)]
    candles = {
        (name, int(time.timestamp()) * 1_000_000): flat(price)
        for price, name in enumerate(NAMES, 1)
        for time in times
    }
    store.write(candle_frame(candles), adjustment="a\tb'", source="\x02\U0001f600", **ONE)
    store.flush()
    store = place.open()
    wanted = sorted((*key, *values) for key, values in candles.items())
    assert read(store, ("1m", "a\tb'")) == wanted
    for name in NAMES:
        found = read(store, ("1m", "a\tb'"), instruments=[name])
        assert found == [each for each in wanted if each[0] == name]


def test_a_time_that_no_market_has_is_set_aside_and_the_store_opens_again(place):
    store = place.open()
    zero = datetime(1, 1, 1, tzinfo=UTC)
    rows = candle_frame({A0: flat(1), A1: flat(2)})
    bad = rows.head(1).with_columns(timestamp=pl.lit(zero, rows["timestamp"].dtype))
    report = store.write(pl.concat([rows, bad]), **ONE)
    assert (report.new, report.quarantined) == (2, 1)
    assert store.ledger.held()["rule"].to_list() == ["time_out_of_range"]
    store.flush()
    assert read(place.open()) == [row(A0, 1), row(A1, 2)]


@pytest.mark.parametrize("other", ["folder", "database"])
def test_a_backup_is_a_store_with_the_same_log_and_ledger(place, new_place, tiny_limits, other):
    store, target = place.open(), new_place(other)
    for number in (1, 2):
        candles = {(n, at(m)): flat(number * m + 1) for n in ("A", "B'") for m in range(4)}
        store.write(candle_frame(candles), **ONE)
    store.delete(keys_frame([A0]))
    store.write(BAD, source="bad.csv", **ONE)
    store.prune(superseded_before=1, keep_hours=0)
    stats = store.backup(target.location, state=target.state())
    copy = target.open()
    everything = store.log()
    assert stats.rows == len(everything) == 8 + 6 + 1 + 1
    assert copy.log().equals(everything)
    assert read(copy) == read(store)
    assert copy.last_received() == store.last_received()
    assert copy.ledger.entries().equals(store.ledger.entries())
    assert copy.ledger.held().equals(store.ledger.held())
    with pytest.raises(RangeError):
        copy.read(known_at=0)
    assert copy.write(candle_frame({A0: flat(8)}), **ONE).entry == 5
    with pytest.raises(StoreError, match="is not empty"):
        store.backup(target.location, state=target.state())


def test_stats_say_how_much_there_is(place):
    store = place.open()
    empty = store.stats()
    assert (empty.rows, empty.first, empty.last, empty.last_received) == (0, None, None, 0)
    store.write(candle_frame({A0: flat(1), A2: flat(1)}), **ONE)
    received = store.write(candle_frame({A0: flat(2)}), **ONE).received_at
    stats = store.stats()
    assert (stats.rows, stats.first, stats.last) == (3, at(0), at(2))
    assert (stats.last_received, stats.horizon) == (received, 0)


def test_a_store_is_made_on_request_only(place):
    def find():
        return open_store(place.location, state=place.state(), storage_options=place.options)

    with pytest.raises(StoreError, match="holds no store; check the name, or create one with"):
        find()
    place.open().write(candle_frame({A0: flat(1)}), **ONE)
    with find() as store:
        assert read(store) == [row(A0, 1)]
