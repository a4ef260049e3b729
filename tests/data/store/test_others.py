"""Goal: other tools may work on a store's table; what comes out is right, or refused in words.

Method: Delta's own operations, by its own library and by Polars, at random between Tallow's,
against a plain model of lists; single operations with what is right written down by hand.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from functools import partial

import polars as pl
import pytest
from deltalake import DeltaTable, TableFeatures

from tallow import AnalyticsEngine, LiveEngine
from tallow.core.errors import DamagedFileError, StoreError, TallowWarning
from tallow.data.store.store import open_store
from tallow.data.store.view import DeltaView
from tallow.runtime import ranged
from tests.data.store.model import at, candle_frame, counts, flat, log, read
from tests.data.store.others import Shared
from tests.frames import assert_same_frame


def run(folder, seed: int, steps: int) -> None:
    shared = Shared(folder, seed)
    done = []
    try:
        for _ in range(steps):
            shared.step()
            done.append(shared.act.__name__)
    except BaseException as error:
        error.add_note(f"seed {seed}: {' '.join(done)} {shared.act.__name__}")
        raise
    finally:
        shared.store.close()


@pytest.mark.parametrize("seed", range(4))
def test_what_others_do_in_between(tmp_path, seed):
    run(tmp_path / "store", seed, 30)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(4, 204))
def test_what_others_do_in_between_at_length(tmp_path, seed):
    run(tmp_path / "store", seed, 60)


A0, A1, B0 = ("A", at(0)), ("A", at(1)), ("B", at(0))


def rows(store):
    """Return instrument, time and price of the candles."""
    return [row[:3] for row in read(store)]


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a store with two versions of rows: a first word, and a correction."""
    with open_store(tmp_path / "store", create=True) as store:
        store.write(candle_frame({A0: flat(1), A1: flat(2), B0: flat(3)}), source_timeframe="1m")
        store.flush()
        store.write(candle_frame({A0: flat(5)}), source_timeframe="1m")
        store.flush()
    return tmp_path / "store"


def test_a_flush_and_a_compaction_are_no_other_tool(folder):
    with open_store(folder) as store:
        epoch = store.epoch
        store.write(candle_frame({A1: flat(7)}), source_timeframe="1m")
        store.flush()
        store.compact(keep_hours=0)
        assert store.epoch == epoch
    with open_store(folder) as store:
        assert store.epoch == epoch


CHANGES = [
    lambda table: table.optimize.compact(),
    lambda table: table.delete("instrument = 'B'"),
    lambda table: table.restore(1),
    lambda table: table.alter.set_table_description("prices"),
]


@pytest.mark.parametrize("change", CHANGES, ids=["optimize", "delete", "restore", "describe"])
def test_nothing_that_was_derived_before_another_tools_commit_is_used(folder, change):
    """By a process that runs, and by one that did not; also after Tallow's own commits."""
    with open_store(folder) as store:
        epoch, token = store.epoch, store.token()
        change(DeltaTable(folder))
        later = store.epoch
        assert later != epoch
        assert store.token() != token
        store.write(candle_frame({A1: flat(9)}), source_timeframe="1m")
        store.flush()
        store.compact(keep_hours=1)
    with open_store(folder) as store:
        assert store.epoch == later


def test_a_correction_that_is_withdrawn_does_not_go_on(folder):
    """Kernel states of a month's end were left behind by a query that saw the correction."""
    ask = partial(AnalyticsEngine.query, instruments="A", timeframe="5m", indicators="ema(3)")
    may, june = datetime(2025, 5, 5, 10, tzinfo=UTC), datetime(2025, 6, 10, 10, tzinfo=UTC)
    stamps = [("A", int(each.timestamp()) * 1_000_000) for each in (may, june)]
    with open_store(folder) as store:
        store.write(
            candle_frame(dict(zip(stamps, (flat(10), flat(20)), strict=True))),
            source_timeframe="1m",
        )
        store.flush()
        version = DeltaTable(folder).version()
        store.write(candle_frame({stamps[0]: flat(1_000)}), source_timeframe="1m")
        store.flush()
        engine = AnalyticsEngine(calendar="24/7", store=store)
        # In: 1,000 in May, and the average moves half of the way to 20.
        assert ask(engine, start="2025-06-09", end="2025-06-11").frame["ema_3"][-1] > 100
        DeltaTable(folder).restore(version)
        for each in (engine, AnalyticsEngine(calendar="24/7", store=store)):
            frame = ask(each, start="2025-06-09", end="2025-06-11").frame
            assert frame["ema_3"][-1] < 100


def test_a_saved_live_state_of_before_is_rebuilt(folder, tmp_path):
    with open_store(folder) as store:
        live = LiveEngine("5m", "sma(1)", calendar="24/7", store=store)
        live.catch_up()
        live.save(tmp_path / "state")
        DeltaTable(folder).restore(1)
        with pytest.warns(TallowWarning, match="rebuild"):
            again = LiveEngine.load(
                tmp_path / "state", "5m", "sma(1)", calendar="24/7", store=store
            )
        again.catch_up()
        fresh = LiveEngine("5m", "sma(1)", calendar="24/7", store=store)
        fresh.catch_up()
        assert_same_frame(again.latest("5m").drop("revision"), fresh.latest("5m").drop("revision"))


def test_going_back_and_forth_with_a_tail_loses_nothing_and_doubles_nothing(folder):
    """The tail's correction is a second revision; then there is a second one in the table, too."""
    with open_store(folder) as store:
        DeltaTable(folder).restore(1)
        assert rows(store) == [(*A0, 1), (*A1, 2), (*B0, 3)]
        received = store.last_received()
        report = store.write(candle_frame({A0: flat(6), A1: flat(2)}), source_timeframe="1m")
        assert counts(report) == (0, 1, 1)
        assert report.received_at is not None
        assert report.received_at > received
        DeltaTable(folder).restore(2)
        for _ in range(2):
            assert rows(store) == [(*A0, 6), (*A1, 2), (*B0, 3)]
            assert [(r[2], r[4]) for r in log(store) if r[:2] == A0] == [(1, 1), (2, 5), (3, 6)]
            assert counts(store.write(candle_frame({A0: flat(6)}), source_timeframe="1m")) == (
                0,
                1,
                0,
            )
            store.flush()
        assert store.stats().tail_rows == 0


def test_what_was_flushed_and_taken_back_is_new_again(folder):
    with open_store(folder) as store:
        DeltaTable(folder).restore(0)
        assert rows(store) == []
        assert counts(store.write(candle_frame({A0: flat(1)}), source_timeframe="1m")) == (1, 0, 0)
        store.flush()
    with open_store(folder) as store:
        assert rows(store) == [(*A0, 1)]


def test_a_store_of_before_the_marks_is_read_and_then_known(folder):
    """Its files have names that vouch for nothing, and its commits no mark."""
    for path in (folder / "_delta_log").iterdir():
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            info = line.get("commitInfo", {})
            for name in [name for name in info if name.startswith("tallow.")]:
                del info[name]
            if "add" in line:
                old, new = line["add"]["path"], f"{uuid.uuid4().hex}.parquet"
                (folder / old).rename(folder / new)
                line["add"]["path"] = new
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with open_store(folder) as store:
        assert rows(store) == [(*A0, 5), (*A1, 2), (*B0, 3)]
        store.compact(keep_hours=1)
        assert rows(store) == [(*A0, 5), (*A1, 2), (*B0, 3)]
        epoch = store.epoch
    with open_store(folder) as store:
        assert store.epoch == epoch


def test_a_newest_commit_that_was_cleaned_up_is_taken_for_another_tools(folder):
    with open_store(folder) as store:
        epoch, known = store.epoch, rows(store)
    DeltaTable(folder).create_checkpoint()
    for version in range(3):
        (folder / "_delta_log" / f"{version:020d}.json").unlink()
    with open_store(folder) as store:
        assert store.epoch != epoch
        assert rows(store) == known


def _polars(change, **options):
    def act(folder):
        rows = change(pl.read_delta(str(folder)))
        rows.write_delta(str(folder), mode="overwrite", delta_write_options=options)

    return act


def _feature(name):
    def act(folder):
        feature = getattr(TableFeatures, name)
        DeltaTable(folder).alter.add_feature(feature, allow_protocol_versions_increase=True)

    return act


ANEW = {"schema_mode": "overwrite"}
REFUSED = {
    "a column more": (_polars(lambda f: f.with_columns(x=1), **ANEW), "columns: x"),
    "a column less": (_polars(lambda f: f.drop("close"), **ANEW), "columns: close"),
    "another type": (
        _polars(lambda f: f.with_columns(pl.col("volume").cast(pl.Float32)), **ANEW),
        "columns: volume",
    ),
    "partitions": (
        _polars(lambda f: f, **ANEW, partition_by=["instrument"]),
        "partitioned it by instrument",
    ),
    "deletion vectors": (_feature("DeletionVectors"), "deletionVectors"),
    "column mapping": (_feature("ColumnMapping"), "columnMapping"),
}


@pytest.mark.parametrize(("change", "told"), REFUSED.values(), ids=REFUSED)
def test_what_would_be_read_wrong_is_refused_in_words_until_it_is_undone(folder, change, told):
    with open_store(folder) as store:
        known = rows(store)
        version = DeltaTable(folder).version()
        change(folder)
        for use in (store.read, lambda: open_store(folder), store.last_received):
            with pytest.raises(StoreError, match=rf"{folder}.*another tool.*{told}.*restore"):
                use()
        DeltaTable(folder).restore(version, protocol_downgrade_allowed=True)
        assert rows(store) == known


WRONG = {
    "no instrument": (pl.col("instrument").replace("B", None), "rows without instrument"),
    "no price": (pl.lit(None, pl.Float64).alias("close"), "candles without"),
    "no number": (pl.lit(float("nan")).alias("close"), "candles without"),
    "no revision": (pl.lit(0, pl.Int32).alias("revision"), "revisions below 1"),
}


@pytest.mark.parametrize(("wrong", "told"), WRONG.values(), ids=WRONG)
def test_rows_that_no_log_holds_shut_out_nothing_else(folder, wrong, told):
    """Another tool appends them, all of B; what the log says of A's files still holds."""
    bad = pl.read_delta(str(folder)).filter(instrument="B").with_columns(wrong)
    bad.write_delta(str(folder), mode="append")
    with open_store(folder) as store:
        (damage,) = store.damaged()
        assert told in damage
        with pytest.raises(DamagedFileError, match=told):
            store.read(["B"])
        assert [row[:3] for row in read(store, partial=True)] == [(*A0, 5), (*A1, 2), (*B0, 3)]
        assert store.stats().last_received == store.last_received()


@pytest.mark.parametrize("said", ["{}", '{"numRecords": 4}', "null", "cut"])
def test_a_file_of_which_the_log_says_little_is_looked_into(folder, said):
    """Another tool wrote no statistics, or few, or cut texts off and rounded times."""
    far = flat(8)
    names = ["x" * 70 + "a", "x" * 70 + "z"]
    others = pl.read_delta(str(folder)).filter(instrument="B")
    others = pl.concat([others.with_columns(instrument=pl.lit(name)) for name in names])
    others.write_delta(str(folder), mode="append")
    path = folder / "_delta_log" / f"{3:020d}.json"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if "add" in line and said != "cut":
            line["add"]["stats"] = None if said == "null" else said
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with open_store(folder) as store:
        for name in names:
            assert [row[2] for row in read(store, instruments=[name])] == [3]
        assert store.last_received() == store.log()["received_at"].to_physical().max()
        assert counts(
            store.write(candle_frame({(names[0], at(0)): far}), source_timeframe="1m")
        ) == (0, 0, 1)
        store.compact(keep_hours=1)
        assert [row[2] for row in read(store, instruments=names)] == [8, 3]


@pytest.mark.parametrize("names", ["A", ["A", "B"]], ids=["one", "several"])
def test_an_answer_is_of_one_state_when_a_correction_is_withdrawn_meanwhile(
    folder, names, monkeypatch
):
    """Half of the rows are read before another tool's restore, and half after it."""
    with open_store(folder) as store:
        store.write(candle_frame({A0: flat(5_000), B0: flat(5_000)}), source_timeframe="1m")
        store.flush()
        scan, left = DeltaView.scan, [2]

        def scan_then_restore(view, *arguments, **options):
            rows = scan(view, *arguments, **options)
            if len(rows) and left[0]:
                left[0] -= 1
                DeltaTable(folder).restore(2 - left[0])
            return rows

        # Each instrument is read by itself.
        monkeypatch.setattr(ranged, "QUERY_ROWS", 1)
        monkeypatch.setattr(DeltaView, "scan", scan_then_restore)
        engine = AnalyticsEngine(calendar="24/7", store=store)
        ask = partial(engine.query, names, "5m", "2025-06-01", "2025-06-02", "ema(2)")
        first, _, later = (ask().frame for _ in range(3))
        assert left == [0]
        # Of before it: no row is of after.
        assert first["high"].unique().to_list() == [5_000]
        assert later["high"].max() < 5_000
        fresh = AnalyticsEngine(calendar="24/7", store=open_store(folder))
        assert_same_frame(
            fresh.query(names, "5m", "2025-06-01", "2025-06-02", "ema(2)").frame, later
        )


def test_two_machines_notice_what_another_tool_does_to_a_bucket(new_place):
    """One of them has a correction in its tail, of a revision that is withdrawn."""
    place = new_place("bucket")
    table = partial(DeltaTable, place.location, storage_options=place.options)
    one, two = place.open("one"), place.open("two")
    one.write(candle_frame({A0: flat(1), B0: flat(3)}), source_timeframe="1m")
    one.flush()
    version = table().version()
    one.write(candle_frame({A0: flat(5)}), source_timeframe="1m")
    one.flush()
    assert rows(two) == [(*A0, 5), (*B0, 3)]
    two.write(candle_frame({A0: flat(6)}), source_timeframe="1m")
    epochs = one.epoch, two.epoch
    table().restore(version)
    table().optimize.z_order(["close"])
    assert (rows(one), rows(two)) == ([(*A0, 1), (*B0, 3)], [(*A0, 6), (*B0, 3)])
    assert counts(one.write(candle_frame({A0: flat(1), B0: flat(4)}), source_timeframe="1m")) == (
        0,
        1,
        1,
    )
    one.flush()
    two.flush()
    two.compact(keep_hours=1)
    assert rows(one) == rows(two) == rows(place.open("three")) == [(*A0, 6), (*B0, 4)]
    assert not {one.epoch, two.epoch} & set(epochs)
