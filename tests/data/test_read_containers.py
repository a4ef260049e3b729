"""Goal: the same candles come out of every file format and every kind of frame, under every column
name that people use, and a user gets back the kind of frame that they gave.

Method: one small set of rows, written by each library's own writer; a pandas frame read in a
process that cannot import PyArrow.
"""

from __future__ import annotations

import gzip
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import narwhals
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from polars.testing import assert_frame_equal

from tallow.core.errors import CandleInputError, NaiveTimeError
from tallow.data.reading.files import expand_paths
from tallow.data.reading.interchange import to_native
from tallow.data.reading.readers import read_candles

OPENING = datetime(2025, 6, 2, 3, 45, tzinfo=UTC)
TIMES = [OPENING + timedelta(minutes=minute) for minute in (0, 1, 0)]
BARS = {
    "open": [1.5, 2.5, 100.0],
    "high": [2.0, 3.0, 101.0],
    "low": [1.0, 2.0, 99.0],
    "close": [1.25, 2.75, 100.5],
    "volume": [10.0, 0.0, 7.0],
}
TABLE: dict[str, list[Any]] = {
    "instrument": ["A", "A", "B"],
    "timestamp": TIMES,
    **BARS,
    "open_interest": [5.0, None, 6.0],
}
FRAME = pl.DataFrame(TABLE).with_columns(pl.col("timestamp").dt.convert_time_zone("UTC"))
PANDAS = pd.DataFrame(TABLE)
ARROW = pa.table(TABLE)


def write_csv(path: Path) -> None:
    mark = "\t" if ".tsv" in path.name else ","
    rows = zip(*TABLE.values(), strict=True)
    cells = [TABLE, *(["" if cell is None else str(cell) for cell in row] for row in rows)]
    data = "\n".join(mark.join(line) for line in cells).encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def write_stream(path: Path) -> None:
    with pa.ipc.new_stream(path, ARROW.schema) as stream:
        stream.write_table(ARROW)


WRITERS = {
    "polars.parquet": FRAME.write_parquet,
    "pandas.pq": PANDAS.to_parquet,
    "arrow.parquet": lambda path: pa.parquet.write_table(ARROW, path),
    "polars.arrow": FRAME.write_ipc,
    "arrow.feather": lambda path: pa.feather.write_feather(ARROW, path),
    "stream.ipc": write_stream,
    "polars.csv": FRAME.write_csv,
    "pandas.csv": PANDAS.to_csv,
    "plain.CSV": write_csv,
    "plain.tsv": write_csv,
    "plain.csv.gz": write_csv,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_file_format(name, tmp_path):
    WRITERS[name](tmp_path / name)
    candles = read_candles(tmp_path / name)
    assert_frame_equal(candles.frame, FRAME)
    assert (candles.native, candles.report.instruments) == ("polars", 2)
    assert (candles.report.first, candles.report.last) == (OPENING, TIMES[1])
    assert candles.report.sources == (str(tmp_path / name),)


class Capsule:
    """A frame of an unknown library that speaks the Arrow C stream."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return ARROW.__arrow_c_stream__(requested_schema)


FRAMES = {
    "polars": (FRAME, "polars"),
    "lazy": (FRAME.lazy(), "polars"),
    "pandas": (PANDAS, "pandas"),
    "arrow-backed pandas": (PANDAS.convert_dtypes(dtype_backend="pyarrow"), "pandas"),
    "nullable pandas": (PANDAS.convert_dtypes(), "pandas"),
    "table": (ARROW, "pyarrow"),
    "record batch": (ARROW.to_batches()[0], "pyarrow"),
    "narwhals over pandas": (narwhals.from_native(PANDAS), "pandas"),
    "narwhals over lazy": (narwhals.from_native(FRAME.lazy()), "polars"),
    "capsule": (Capsule(), "polars"),
}


@pytest.mark.parametrize("name", FRAMES)
def test_every_kind_of_frame(name):
    frame, native = FRAMES[name]
    candles = read_candles(frame)
    assert_frame_equal(candles.frame, FRAME)
    assert (candles.native, candles.report.sources) == (native, ("frame",))


def test_a_stream_of_record_batches():
    candles = read_candles(ARROW.to_reader(max_chunksize=2))
    assert_frame_equal(candles.frame, FRAME)
    assert candles.native == "pyarrow"


def test_candles_are_returned_as_they_are():
    candles = read_candles(FRAME)
    assert read_candles(candles) is candles


def test_the_input_is_left_unchanged():
    shuffled = FRAME.reverse()
    before = shuffled.clone()
    assert_frame_equal(read_candles(shuffled).frame, FRAME)
    assert_frame_equal(shuffled, before)


def test_a_frame_in_uneven_chunks():
    halves = pl.concat([FRAME[:1], FRAME[1:]], rechunk=False)
    uneven = halves.with_columns(halves["close"].rechunk())
    assert_frame_equal(read_candles(uneven).frame, FRAME)


@pytest.mark.parametrize(
    "names",
    [
        ["instrument_key", "ts", "o", "h", "l", "c", "v", "oi"],
        ["Symbol", "Datetime", "Open", "High", "Low", "Close", "Volume", "Open Interest"],
        ["TICKER", "Open time", "OPEN", "HIGH", "LOW", "CLOSE", "VOL", "OI"],
        ["\ufeffsymbol", " date ", "O", "H", "L", "C", "V", "openInterest"],
        ["'instrument'", "time", "open", "high", "low", "close", "volume", "open_interest"],
    ],
)
def test_column_names_people_have(names):
    candles = read_candles(FRAME.rename(dict(zip(TABLE, names, strict=True))))
    assert_frame_equal(candles.frame, FRAME)
    assert candles.report.ignored_columns == ()


def test_of_two_columns_for_one_field_the_better_name_wins_and_the_other_is_told():
    others = FRAME.select(
        pl.lit("x").alias("symbol"), pl.lit(0).alias("date"), pl.lit(0).alias("c"), pl.all()
    )
    candles = read_candles(others, instrument_key="unused")
    assert_frame_equal(candles.frame, FRAME)
    assert candles.report.ignored_columns == ("date", "c")
    assert candles.symbols is not None
    assert set(candles.symbols["symbol"]) == {"x"}


def test_an_input_without_instruments_is_given_one():
    single = FRAME.head(2).drop("instrument")
    assert read_candles(single, instrument_key="A").frame["instrument"].to_list() == ["A", "A"]
    for wrong in ("", 5):
        with pytest.raises(CandleInputError, match="instrument_key="):
            read_candles(single, instrument_key=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("whole", [1, 2, 3]),
        ("decimal", [Decimal("1.0"), Decimal("2.00"), Decimal(3)]),
        ("text", ["1", " 2.0 ", "+3e0"]),
        ("single", pl.Series([1, 2, 3], dtype=pl.Float32)),
        ("categorical", pl.Series(["1", "2", "3"], dtype=pl.Categorical)),
    ],
)
def test_numbers_of_any_type(kind, values):
    bars = pl.DataFrame(dict.fromkeys(BARS, values))
    frame = FRAME.select("instrument", "timestamp").hstack(bars)
    assert read_candles(frame).frame["close"].to_list() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("text", ["1,000", "1_000", "0x10", "1 000", "1.2.3", "--", "N/A", "null"])
def test_text_that_is_no_plain_number_spoils_its_row_only(text):
    frame = FRAME.with_columns(pl.Series("close", ["1.25", text, "100.5"]))
    candles = read_candles(frame)
    assert candles.report.by_rule == {"price_missing": 1}
    assert f'"close":"{text}"' in candles.quarantine["record"][0]


@pytest.mark.parametrize("keys", [[256265, 738561, 1], ["a", "b", "c"]])
def test_instruments_that_are_tokens_or_categories(keys):
    frame = FRAME.with_columns(pl.Series("instrument", keys))
    kinds = [frame]
    if keys[0] == "a":
        kinds.append(frame.cast({"instrument": pl.Categorical}))
    for kind in kinds:
        read = read_candles(kind).frame["instrument"].to_list()
        assert read == sorted(str(key) for key in keys)


def test_odd_columns_are_ignored_and_recorded():
    odd = FRAME.with_columns(
        pl.Series("close", [None, 2.75, 100.5]),
        pl.lit(b"\xff").alias("raw"),
        pl.lit([1, 2], dtype=pl.List(pl.Int64)).alias("list"),
        pl.Series("object", [Path("x"), None, None], dtype=pl.Object),
    )
    candles = read_candles(odd)
    assert candles.report.ignored_columns == ("raw", "list", "object")
    assert candles.quarantine["record"][0].endswith('"raw":"ff","list":[1,2],"object":"x"}')


def pandas_bars(index: Any) -> Any:
    return pd.DataFrame({name: values[:2] for name, values in BARS.items()}, index=index)


STAMPS = pd.DatetimeIndex(TIMES[:2])


@pytest.mark.parametrize(
    "index",
    [
        STAMPS,
        STAMPS.rename("Date"),
        STAMPS.rename("whatever"),
        STAMPS.tz_convert("Asia/Kolkata"),
        STAMPS.as_unit("s"),
        pd.MultiIndex.from_arrays([["A", "A"], STAMPS], names=["symbol", "ts"]),
    ],
)
def test_a_pandas_index_that_holds_the_time(index):
    candles = read_candles(pandas_bars(index), instrument_key="A")
    assert_frame_equal(candles.frame, FRAME.head(2).drop("open_interest"))


def test_a_pandas_index_beside_a_time_column_is_left_alone():
    frame = pandas_bars(STAMPS.shift(5, freq="min").rename("ts")).assign(time=STAMPS)
    candles = read_candles(frame, instrument_key="A")
    assert candles.frame["timestamp"].to_list() == TIMES[:2]
    assert read_candles(PANDAS.set_index("close", drop=False)).report.accepted == 3


def test_pandas_columns_of_one_name():
    noted = PANDAS.assign(note="")
    candles = read_candles(pd.concat([noted, noted[["note"]]], axis=1))
    assert_frame_equal(candles.frame, FRAME)
    assert candles.report.ignored_columns == ("note", "note_duplicated_9")
    with pytest.raises(CandleInputError, match="columns 'close', 'close_duplicated_8' all fit"):
        read_candles(pd.concat([PANDAS, PANDAS[["close"]] * 2], axis=1))


CLOSE_TWICE = pa.Table.from_arrays([*ARROW.columns, ARROW["close"]], [*ARROW.column_names, "close"])


def test_arrow_columns_of_one_name(tmp_path):
    with pytest.raises(CandleInputError, match="columns must have different names"):
        read_candles(CLOSE_TWICE)
    pa.feather.write_feather(CLOSE_TWICE, tmp_path / "twice.feather")
    pa.parquet.write_table(CLOSE_TWICE, tmp_path / "twice.parquet")
    for path in tmp_path.iterdir():
        with pytest.raises(CandleInputError, match=r"different names|more than one occurrence"):
            read_candles(path)


def test_a_header_with_one_name_twice(tmp_path):
    path = tmp_path / "twice.csv"
    path.write_text("symbol,ts,o,h,l,c,c,v\nA,2025-06-02T03:45Z,1,2,1,1.5,9,3\n")
    with pytest.raises(CandleInputError, match="columns 'c', 'c_duplicated_0' all fit close"):
        read_candles(path)


def test_types_that_polars_does_not_read(tmp_path):
    wide = ARROW.set_column(2, "open", ARROW["open"].cast(pa.decimal256(60, 3)))
    with pytest.raises(CandleInputError, match="cast or leave out the column"):
        read_candles(wide)
    pa.feather.write_feather(wide, tmp_path / "wide.feather", compression="uncompressed")
    with pytest.raises(CandleInputError, match="0 of its 3 rows can be read"):
        read_candles(tmp_path / "wide.feather")


def test_a_naive_pandas_index_needs_a_zone():
    naive = pandas_bars(STAMPS.tz_localize(None))
    with pytest.raises(NaiveTimeError, match="column 'timestamp'='2025-06-02 03:45:00'"):
        read_candles(naive, instrument_key="A")
    candles = read_candles(naive, instrument_key="A", timezone="UTC")
    assert candles.frame["timestamp"].to_list() == TIMES[:2]


def test_pandas_columns_of_mixed_objects():
    mixed = PANDAS.astype(object)
    mixed.loc[1, "timestamp"] = TIMES[1].isoformat()
    mixed.loc[2, "close"] = "n/a"
    candles = read_candles(mixed)
    assert candles.frame.rows() == FRAME.head(2).rows()
    assert candles.quarantine.select("row", "rule").rows() == [(3, "price_missing")]


ANSWER = FRAME.with_columns(
    is_final=pl.lit(value=True), doubt=pl.Series([True, None, False]), candles=pl.lit(3)
)


def test_frames_back_to_the_caller():
    assert to_native(ANSWER, "polars") is ANSWER
    table = to_native(ANSWER, "pyarrow")
    assert isinstance(table, pa.Table)
    assert table.to_pylist() == ANSWER.to_dicts()
    frame = to_native(ANSWER, "pandas")
    assert frame["timestamp"].tolist() == TIMES
    assert str(frame["timestamp"].dtype) == "datetime64[us, UTC]"
    assert frame["open_interest"].isna().tolist() == [False, True, False]
    assert frame["doubt"].isna().tolist() == [False, True, False]
    assert frame["is_final"].dtype == bool
    assert frame["instrument"].tolist() == ["A", "A", "B"]
    frame.loc[:, "close"] = 0.0
    assert ANSWER["close"].to_list() == BARS["close"]


def test_pandas_without_pyarrow():
    script = """
import sys
sys.modules["pyarrow"] = None
import pandas as pd
from tallow.data.reading.interchange import to_native
from tallow.data.reading.readers import read_candles
times = pd.to_datetime(["2025-06-02T03:45Z", "2025-06-02T03:46Z"])
bar = {name: [1.0, 2.0] for name in "ohlcv"}
bar["oi"] = pd.array([1, None], "Int64")
frame = pd.DataFrame({"symbol": ["A", None], "ts": times, **bar})
candles = read_candles(frame)
back = to_native(candles.frame, candles.native)
assert back["timestamp"].tolist() == times[:1].tolist()
assert back["instrument"].tolist() == ["A"], back
assert candles.report.by_rule == {"instrument_missing": 1}
assert to_native(candles.quarantine, "pandas")["row"].tolist() == [2]
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_globs_are_sorted_by_name_and_lists_keep_their_order(tmp_path):
    (tmp_path / "deep.csv").mkdir()
    for name in ("b.csv", "a.csv", "deep.csv/c.csv", "x[1].csv"):
        write_csv(tmp_path / name)

    def names(source: Any) -> list[str]:
        return [path.name for path in expand_paths(source)]

    assert names(str(tmp_path / "*.csv")) == ["a.csv", "b.csv", "x[1].csv"]
    assert names(tmp_path / "**" / "*.csv") == ["a.csv", "b.csv", "c.csv", "x[1].csv"]
    assert names([tmp_path / "b.csv", str(tmp_path / "[a].csv")]) == ["b.csv", "a.csv"]
    assert names(tmp_path / "x[1].csv") == ["x[1].csv"]
