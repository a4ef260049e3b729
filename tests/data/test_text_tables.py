"""Goal: a table of text is read as its first line tells: parted by tabs, without a header as
MetaTrader 4 writes it, packed with Zstandard; a line that looks nearly so is not taken for it, and
a packed file takes no more memory than it may.

Method: files as MetaTrader 4 and 5, Stooq and Databento write them, with prices of our own, through
every way of reading files; their near neighbours; packed files by Arrow's own writer, and hostile
ones of hand-made blocks.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import tallow
from tallow.core.errors import CandleInputError
from tallow.data.providers.document import read_document
from tallow.data.reading import zstandard
from tallow.data.reading.readers import read_candles
from tests.data.scanning import scan_batches

METATRADER4 = "2026.11.02,09:15,100,102,99,101,900\n2026.11.02,09:16,101,101.5,100.5,101,40\n"
METATRADER5 = (
    "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
    "2026.11.02\t09:15:00\t100\t102\t99\t101\t900\t7\t2\n"
    "2026.11.02\t09:16:00\t101\t101.5\t100.5\t101\t40\t0\t2\n"
)
STOOQ = (
    "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
    "X,1,20261102,091500,100,102,99,101,900,0\nX,1,20261102,091600,101,101.5,100.5,101,40,0\n"
)
PLAIN = "time,open,high,low,close,volume\n" + "".join(
    f"2026-11-02 09:1{5 + place}:00,{prices}\n"
    for place, prices in enumerate(("100,102,99,101,900", "101,101.5,100.5,101,40"))
)
PRICES = [(100.0, 102.0, 99.0, 101.0, 900.0), (101.0, 101.5, 100.5, 101.0, 40.0)]
FIRST = datetime(2026, 11, 2, 3, 45, tzinfo=UTC)
SAID: dict[str, Any] = {"instrument_key": "X", "timezone": "Asia/Kolkata"}

FILES = {
    "a.csv": METATRADER4,
    "a.txt": METATRADER4,
    "crlf.csv": METATRADER4.replace("\n", "\r\n"),
    "marked.csv": "\ufeff" + METATRADER4,
    "packed.csv.zst": METATRADER4,
    "mt5.csv": METATRADER5,
    "mt5.txt": METATRADER5,
    "mt5.tsv": METATRADER5,
    "mt5.csv.zst": METATRADER5,
    "stooq.txt": STOOQ,
    "stooq.txt.zst": STOOQ,
    "plain.txt": PLAIN,
    "plain.csv.zst": PLAIN,
    "plain.tsv.zst": PLAIN.replace(",", "\t"),
}


def packed(text: str | bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(text.encode() if isinstance(text, str) else text)
    return sink.getvalue().to_pybytes()


def write(folder, name, text):
    path = folder / name
    path.write_bytes(packed(text) if name.endswith(".zst") else text.encode())
    return path


@pytest.mark.parametrize("name", FILES)
def test_a_table_of_text_by_every_way_of_reading_files(name, tmp_path):
    path = write(tmp_path, name, FILES[name])
    document = read_document(path, source_timeframe="1m", adjustment="raw", **SAID).candles
    (batch,) = scan_batches([path], **SAID)
    for frame in (read_candles(path, **SAID).frame, document.frame, batch.frame):
        assert frame["timestamp"][0] == FIRST
        assert frame["instrument"].to_list() == ["X", "X"]
        assert frame.select("open", "high", "low", "close", "volume").rows() == PRICES
    engine = tallow.AnalyticsEngine("XNSE")
    report = engine.process_files(path, tmp_path / "o.parquet", "5m", "", **SAID)
    assert report.read.accepted == 2
    bars = pl.read_parquet(tmp_path / "o.parquet").select("open", "high", "low", "close", "volume")
    assert bars.rows() == [(100.0, 102.0, 99.0, 101.0, 940.0)]


NEIGHBOURS = {
    "other dates": METATRADER4.replace("2026.11.02", "2026-11-02"),
    "seconds": METATRADER4.replace("09:15", "09:15:00"),
    "a cell more": METATRADER4.replace(",900\n", ",900,3\n"),
    "a price too few": METATRADER4.replace(",100,", ","),
}


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_a_table_without_a_header_that_nobody_knows_is_refused(name, tmp_path):
    with pytest.raises(CandleInputError, match="the first line looks like data: add a header"):
        read_candles(write(tmp_path, "a.csv", NEIGHBOURS[name]), **SAID)


def test_the_first_line_of_metatrader4_is_row_one(tmp_path):
    path = write(tmp_path, "a.csv", METATRADER4.replace("102,99", "98,99"))
    read = read_candles(path, **SAID)
    assert read.quarantine.select("row", "rule").rows() == [(1, "high_below_low")]
    assert (read.report.rows_in, read.report.accepted) == (2, 1)


def test_ticks_of_metatrader5_are_no_candles(tmp_path):
    text = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n"
    text += "2026.11.02\t09:15:00.123\t1.1\t1.2\t\t\t6\n"
    with pytest.raises(CandleInputError, match="missing: open, high, low, close"):
        read_candles(write(tmp_path, "a.csv", text), **SAID)


def test_a_comma_in_the_header_is_what_parts_it(tmp_path):
    text = PLAIN.replace("time", "the\ttime").replace("the\t", '"\t"', 1).replace('"\t"', "")
    assert len(read_candles(write(tmp_path, "a.csv", text), **SAID)) == 2
    tabs = PLAIN.replace("volume", "volume\tof,it", 1)
    with pytest.raises(CandleInputError, match=r"'volume\\tof'"):
        read_candles(write(tmp_path, "b.csv", tabs), **SAID)


def test_databento_packed_is_read_by_its_reader(tmp_path):
    text = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n"
    text += "1793591100000000000,33,1,7,100000000000,102000000000,99000000000,101000000000,900,X\n"
    path = write(tmp_path, "a.csv.zst", text)
    assert read_candles(path).frame.rows()[0][1:] == (FIRST, *PRICES[0])
    assert read_document(path).format == "databento"


def test_a_packed_file_that_is_cut_or_damaged_is_an_error(tmp_path):
    whole = packed(PLAIN * 999)
    path = tmp_path / "a.csv.zst"
    for end in (4, 9, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(CandleInputError, match=r"a\.csv\.zst: .*whole"):
            read_candles(path, **SAID)
    for at in range(4, len(whole), 7):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
        try:
            report = read_candles(path, **SAID).report
        except CandleInputError as error:
            assert "a.csv.zst" in str(error)  # noqa: PT017
        else:
            assert report.rows_in == report.accepted + report.repeated + report.quarantined


def test_a_small_packed_file_may_not_unpack_to_a_huge_line(tmp_path, monkeypatch):
    monkeypatch.setattr(zstandard, "FILE_UNPACKED_BYTES", 1_000_000)
    path = tmp_path / "a.csv.zst"
    path.write_bytes(packed(b"x" * 50_000_000))
    with pytest.raises(CandleInputError, match="may unpack to more than 1,"):
        read_candles(path, **SAID)
    # Header of a frame, then one block that repeats a byte 2,097,151 times, twice.
    block = (2_097_151 << 3 | 1 << 1).to_bytes(3, "little") + b"x"
    last = (2_097_151 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"x"
    path.write_bytes(zstandard.MARK + b"\x00\x58" + block + last)
    with pytest.raises(CandleInputError, match="may unpack to more than 1,"):
        read_candles(path, **SAID)
    # A frame that is skipped says nothing of what is in the next.
    skipped = bytes.fromhex("502a4d18") + (3).to_bytes(4, "little") + b"abc"
    path.write_bytes(skipped + packed(PLAIN))
    assert zstandard._bound(path) >= len(PLAIN)


def test_what_a_packed_file_may_unpack_to_is_never_too_low(tmp_path):
    path = tmp_path / "a.zst"
    for text in (b"", b"a", b"ab" * 70_000, bytes(range(256)) * 4_000, PLAIN.encode() * 9_999):
        path.write_bytes(packed(text))
        assert zstandard._bound(path) >= len(text)
