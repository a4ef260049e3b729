"""Goal: files reach a store once, every row is counted, and a mended one leaves the quarantine.

Method: small documents written by hand in the shapes of their providers; what the store and its
ledger hold is compared with what was written into the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tallow.core.errors import CandleInputError
from tallow.data.ingest.documents import FileReport, IngestReport, ingest
from tallow.data.ingest.repair_table import repair_table
from tallow.data.store.store import Store, open_store

HEADER = "symbol,ts,o,h,l,c,v\n"
GOOD = "A,2025-07-18T09:15+05:30,10,12,9,11,100\n"
REPEATED = GOOD
HIGH_BELOW_LOW = "A,2025-07-18T09:16+05:30,10,9,11,10,100\n"
MENDED = "A,2025-07-18T09:16+05:30,10,11,9,10,100\n"
LATER = "A,2025-07-18T09:17+05:30,11,15,10,14,50\n"
CONTRADICTING = "B,2025-07-18T09:15+05:30,1,1,1,1,1\nB,2025-07-18T09:15+05:30,2,2,2,2,2\n"
SAID: dict[str, Any] = {"source_timeframe": "1m", "adjustment": "raw"}

# 09:17:30 in India on that day, in microseconds since 1970 UTC.
DURING_THE_THIRD_MINUTE = 1_752_810_450_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "store", create=True) as opened:
        yield opened


def counts(report: IngestReport | FileReport) -> tuple[int, ...]:
    """Return rows in, new, identical, revised and quarantined."""
    names = ("rows_in", "new", "identical", "revised", "quarantined")
    if isinstance(report, IngestReport):
        return tuple(report.total(name) for name in names)
    return tuple(getattr(report, name) for name in names)


def upstox(*candles: list[Any]) -> str:
    return json.dumps({"status": "success", "data": {"candles": candles}})


def test_rows_are_counted_per_file_and_in_all(store: Store, tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text(HEADER + GOOD + REPEATED + HIGH_BELOW_LOW)
    second.write_text(HEADER + GOOD.replace("11,100", "11,101") + LATER)
    done: list[tuple[int, int]] = []
    report = ingest(store, str(tmp_path / "*.csv"), **SAID, progress=lambda *at: done.append(at))
    assert [(file.source, *counts(file)) for file in report.files] == [
        (str(first), 3, 1, 1, 0, 1),
        (str(second), 2, 1, 0, 1, 0),
    ]
    assert counts(report) == (5, 2, 1, 1, 1)
    assert report.by_rule == {"high_below_low": 1}
    assert report.quarantine["row"].to_list() == [3]
    assert done == [(1, 2), (2, 2)]
    assert store.read()["volume"].to_list() == [101, 50]
    entries = store.ledger.entries()
    assert entries["source"].to_list() == [str(first), str(second)]
    assert entries["rows_in"].to_list() == [3, 2]


def test_the_same_again_changes_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER + GOOD + HIGH_BELOW_LOW + CONTRADICTING)
    ingest(store, path, **SAID)
    log, held = store.log(), store.ledger.held()
    # Named in another way, too: it is the same file.
    monkeypatch.chdir(tmp_path)
    assert counts(ingest(store, "a.csv", **SAID)) == (4, 0, 1, 0, 3)
    assert store.log().equals(log)
    assert store.ledger.held().equals(held)
    assert len(held) == 3


def test_a_file_that_cannot_be_read_stops_no_other(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("what is this\n")
    (tmp_path / "b.csv").write_text(HEADER + GOOD)
    (tmp_path / "c.json").write_text('{"status": "success", "data": {"candles": [[')
    report = ingest(store, [str(tmp_path / "*.csv"), str(tmp_path / "c.json")], **SAID)
    assert sorted(report.failures) == [str(tmp_path / "a.csv"), str(tmp_path / "c.json")]
    assert counts(report) == (1, 1, 0, 0, 0)


@pytest.mark.parametrize(
    ("inputs", "said", "words"),
    [
        ("nothing.csv", SAID, "no such file"),
        ("*.parquet", SAID, "no file matches"),
        (".", SAID, "is a folder"),
        ([], SAID, "must name at least one file"),
        ("*.csv", {**SAID, "format": "upstok"}, "did you mean upstox"),
        ("*.csv", {}, 'add source_timeframe="1m", adjustment="raw" (and 1 more file)'),
    ],
)
def test_what_is_wrong_with_all_is_an_error(
    store: Store, tmp_path: Path, inputs: str | list[str], said: dict[str, Any], words: str
) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(HEADER + GOOD)
    where = str(tmp_path / inputs) if isinstance(inputs, str) else inputs
    with pytest.raises(CandleInputError) as caught:
        ingest(store, where, **said)
    assert words in str(caught.value)
    assert len(store.ledger.entries()) == 0


def test_a_candle_that_was_forming_settles_its_row_when_it_has_ended(
    store: Store, tmp_path: Path
) -> None:
    path = tmp_path / "a.json"
    forming = ["2025-07-18T09:17:00+05:30", 10, 10.5, 10, 10.5, 7, 0]
    second = ["2025-07-18T09:16:00+05:30", 10, 11, 9, 10, 100, 0]
    said = {**SAID, "instrument_key": "A"}
    path.write_text(upstox(forming, second))
    report = ingest(store, path, **said, now=DURING_THE_THIRD_MINUTE)
    assert report.by_rule == {"forming": 1}
    # It is not for mending: as it is, it would pass for a whole candle now.
    assert len(repair_table(store.ledger.held())) == 0
    whole = ["2025-07-18T09:17:00+05:30", 10, 12, 10, 11, 70, 0]
    path.write_text(upstox(whole, second))
    report = ingest(store, path, **said)
    assert (counts(report), report.total("settled")) == ((2, 1, 1, 0, 0), 1)
    assert store.read()["volume"].to_list() == [100, 70]
    assert len(store.ledger.held()) == 0


def test_a_file_mended_in_place_settles_its_rows(store: Store, tmp_path: Path) -> None:
    path, other = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_text(HEADER + GOOD + HIGH_BELOW_LOW + CONTRADICTING)
    ingest(store, path, **SAID)
    # Another file with a candle of that key says nothing about the row that was set aside.
    other.write_text(HEADER + MENDED)
    assert ingest(store, other, **SAID).total("settled") == 0
    path.write_text(HEADER + GOOD + MENDED + CONTRADICTING)
    assert ingest(store, path, **SAID).total("settled") == 1
    assert store.ledger.held()["rule"].to_list() == ["repeated_key"] * 2


def test_rows_are_exported_mended_and_accepted(store: Store, tmp_path: Path) -> None:
    path, table = tmp_path / "a.csv", tmp_path / "mend.csv"
    nameless = ",2025-07-18T09:18+05:30,1,1,1,1,1\n"
    path.write_text(HEADER + GOOD + HIGH_BELOW_LOW + CONTRADICTING + nameless)
    ingest(store, path, **SAID)
    exported = repair_table(store.ledger.held())
    assert exported.columns[:4] == ["quarantine_id", "source", "row", "rule"]
    by_row = {row["row"]: row for row in exported.to_dicts()}
    assert sorted(by_row) == [2, 3, 4, 5]
    assert by_row[2]["timestamp"].startswith("2025-07-18T03:46:00")
    names = ("open", "high", "low", "close", "volume", "open_interest", "record")
    assert [by_row[2][name] for name in names] == [
        *("10", "9", "11", "10", "100", None),
        '{"symbol":"A","ts":"2025-07-18T09:16+05:30","o":"10","h":"9","l":"11","c":"10","v":"100"}',
    ]

    # Two cells are mended, one of the two that contradict each other goes, the last stays bad.
    by_row[2] |= {"high": "11", "low": "9"}
    kept = [by_row[2], by_row[4], by_row[5]]
    pl.DataFrame(kept).write_csv(table)
    report = ingest(store, table)
    assert [(file.format, file.timeframe, file.adjustment) for file in report.files] == [
        ("repaired", "1m", "raw")
    ]
    assert (counts(report), report.total("settled")) == ((3, 2, 0, 0, 1), 3)
    assert report.by_rule == {"instrument_missing": 1}
    assert store.read().select("instrument", "high").rows() == [("A", 12), ("A", 11), ("B", 2)]
    held = store.ledger.held()
    assert held.select("source", "row", "rule").rows() == [(str(path), 5, "instrument_missing")]

    # Again: nothing changes, and nothing is set aside twice.
    again = ingest(store, table)
    assert (counts(again), again.total("settled")) == ((3, 0, 2, 0, 1), 0)
    assert store.ledger.held().equals(held)


def test_records_of_every_shape_become_the_same_columns(store: Store, tmp_path: Path) -> None:
    broker, bhavcopy = tmp_path / "a.json", tmp_path / "bhavcopy.csv"
    arrays = [
        '["2025-07-18T09:15:00+05:30", 10.50, 9, 11, 10, 100, 5]',
        '["2025-07-18T09:16:00+05:30", 1]',
        '["2025-07-18T09:17:00+05:30", 1, 2, 3, 4, 5, 6, 7]',
    ]
    broker.write_text('{"status": "success", "data": {"candles": [' + ", ".join(arrays) + "]}}")
    ingest(store, broker, **SAID, instrument_key="A")
    names = "TradDt,Sgmt,Src,ISIN,SctySrs,OpnPric,HghPric,LwPric,ClsPric,TtlTradgVol"
    bhavcopy.write_text(f"{names}\n2025-07-18,CM,NSE,INE1,EQ,10,9,11,10,100\n")
    ingest(store, bhavcopy)
    rows = repair_table(store.ledger.held()).drop("quarantine_id", "source", "rule", "record")
    nothing = (None,) * 5
    assert rows.rows() == [
        (1, "A", "2025-07-18T03:45:00+00:00", "10.50", "9", "11", "10", "100", "5"),
        (2, "A", "2025-07-18T09:16:00+05:30", "1", *nothing),
        # Cells that have lost their columns are the person's to place.
        (3, "A", None, None, *nothing),
        (1, "NSE_EQ|INE1", "2025-07-17T18:30:00+00:00", "10", "9", "11", "10", "100", None),
    ]


def test_a_spreadsheet_may_add_its_mark_and_leave_nothing(store: Store, tmp_path: Path) -> None:
    path, table = tmp_path / "a.csv", tmp_path / "mend.csv"
    path.write_text(HEADER + HIGH_BELOW_LOW)
    ingest(store, path, **SAID)
    exported = repair_table(store.ledger.held())
    exported.clear().write_csv(table)
    assert ingest(store, table).files == ()
    text = exported.with_columns(high=pl.lit("12"), low=pl.lit("9")).write_csv()
    table.write_text("\ufeff" + text.replace("\n", "\r\n"), "utf-8")
    assert ingest(store, table).total("settled") == 1


@pytest.mark.parametrize("record", ["no JSON", "[" * 50_000, '"text"', "null", '{"note": [1]}'])
def test_a_record_of_no_known_shape_has_no_cells(record: str) -> None:
    row = {"id": 1, "source": "theirs", "row": 1, "rule": "row_unreadable", "record": record}
    held = pl.DataFrame([row]).with_columns(
        instrument=pl.lit("A"), timestamp=pl.lit(None, pl.Datetime("us", "UTC"))
    )
    (cells,) = repair_table(held).select(pl.col("instrument", "timestamp", "close")).rows()
    assert cells == ("A", None, None)


def test_numbers_that_are_none_of_the_quarantine_s_are_refused(
    store: Store, tmp_path: Path
) -> None:
    path, table = tmp_path / "a.csv", tmp_path / "mend.csv"
    path.write_text(HEADER + HIGH_BELOW_LOW)
    ingest(store, path, **SAID)
    exported = repair_table(store.ledger.held())
    for rows, words in (
        (exported.with_columns(quarantine_id=pl.lit("7")), "quarantine_id='7'; is no row"),
        (exported.with_columns(quarantine_id=pl.lit("x")), "quarantine_id='x'; is no row"),
        (pl.concat([exported, exported]), "row=2, quarantine_id='1'; comes twice"),
    ):
        rows.write_csv(table)
        with pytest.raises(CandleInputError, match=words):
            ingest(store, table)
    assert len(store.ledger.entries()) == 1
