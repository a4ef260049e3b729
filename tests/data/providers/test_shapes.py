"""Goal: files and frames of each provider give exactly their candles, wherever candles are read; a
near neighbour is not taken for one of them; an answer of a holiday is no rows, and no error.

Method: a few rows per provider, written after the source that `data.reading.shapes` names, with
prices of our own; the candles beside them; the same frame in every container.
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tallow
from tallow.core.errors import CandleInputError, TallowWarning, TimeframeError
from tallow.core.limits import DOCUMENT_HEAD_BYTES
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.providers.document import read_document
from tallow.data.reading.readers import read_candles
from tests.data.providers.documents import gzipped, utc, zipped
from tests.data.scanning import scan_batches

FIRST, SECOND = utc("2025-07-18T03:45"), utc("2025-07-18T03:46")
S = 1_752_810_300
PRICES = [(100.0, 102.0, 99.0, 101.0, 900.0), (101.0, 101.5, 100.5, 101.0, 40.0)]
NAMES = ("open", "high", "low", "close", "volume")
ROWS: list[list[Any]] = [[S + 60 * place, *prices] for place, prices in enumerate(PRICES)]
OBJECTS = [
    {"timestamp": S + 60 * place} | dict(zip(NAMES, prices, strict=True))
    for place, prices in enumerate(PRICES)
]
SHORT = [
    {"t": (S + 60 * place) * 1000, "n": 3, "vw": 100.5} | dict(zip("ohlcv", prices, strict=True))
    for place, prices in enumerate(PRICES)
]
ARRAYS = {name: [row[name] for row in OBJECTS] for name in (*NAMES, "timestamp")}
IN_INDIA: list[list[Any]] = [
    [f"2025-07-18T09:1{5 + place}:00+05:30", *row[1:]] for place, row in enumerate(ROWS)
]
ALPACA = [row | {"t": f"2025-07-18T03:4{5 + place}:00Z"} for place, row in enumerate(SHORT)]
KLINES = [
    [at, *map(str, prices), at + 59_999, "9", 3, "1", "2", "0"]
    for at, prices in zip((S * 1000, S * 1000 + 60_000), PRICES, strict=True)
]
RECORDS = "ts_event,rtype,publisher_id,instrument_id,open,high,low,close,volume,symbol\n" + "".join(
    f"{(S + 60 * place) * 10**9},33,1,7,"
    + ",".join(str(round(price * 1e9)) for price in prices[:4])
    + f",{prices[4]:.0f},X\n"
    for place, prices in enumerate(PRICES)
)
DOCUMENTS: dict[str, Any] = {
    "openalgo": {"status": "success", "data": OBJECTS},
    "openalgo, keys in order": {
        "data": [dict(sorted(row.items())) for row in OBJECTS], "status": "success",
    },
    "openalgo, times as text": {"status": "success", "data": [
        row | {"timestamp": f"2025-07-18 09:1{5 + place}:00+05:30"}
        for place, row in enumerate(OBJECTS)]},
    "dhan": ARRAYS | {"open_interest": []},
    "dhan, by the client": {"status": "success", "remarks": "", "data": ARRAYS},
    "fyers": {"s": "ok", "candles": ROWS},
    "fyers, status last": {"candles": ROWS, "s": "ok"},
    "angel": {"status": True, "message": "SUCCESS", "errorcode": "", "data": IN_INDIA},
    "ccxt": [[row[0] * 1000, *row[1:]] for row in ROWS],
    "ccxt, with counts": [[row[0] * 1000, *row[1:], 7] for row in ROWS],
    "binance": KLINES,
    "alpaca": {"bars": {"X": ALPACA}, "next_page_token": None},
    "alpaca, one symbol": {"bars": ALPACA, "symbol": "X", "next_page_token": None},
    "polygon": {"ticker": "X", "queryCount": 2, "resultsCount": 2, "adjusted": False,
                "results": SHORT, "status": "OK"},
    "polygon, ticker last": {"adjusted": False, "queryCount": 2, "results": SHORT, "ticker": "X"},
    "databento": RECORDS,
    "kite": {"status": "success", "data": {"candles": [
        [row[0].replace("+05:30", "+0530"), *row[1:]] for row in IN_INDIA]}},
    "upstox": {"status": "success", "data": {"candles": [[*row, 0] for row in IN_INDIA[::-1]]}},
}  # fmt: skip
GIVEN: dict[str, Any] = {"instrument_key": "X", "source_timeframe": "1m", "adjustment": "raw"}


def write(folder, content, name="a.json"):
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def candles_of(frame):
    assert frame["timestamp"].to_list() == [FIRST, SECOND]
    assert frame["instrument"].to_list() == ["X", "X"]
    return frame.select(NAMES).rows()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_of_each_provider(name, tmp_path):
    path = write(tmp_path, DOCUMENTS[name], "a.csv" if name == "databento" else "a.json")
    document = read_document(path, **GIVEN)
    assert document.format == name.split(",")[0]
    assert candles_of(document.candles.frame) == PRICES
    assert document.candles.report.quarantined == 0
    # What `ingest` reads, every way of reading candles reads.
    assert candles_of(read_candles(path, instrument_key="X").frame) == PRICES
    (batch,) = scan_batches([path], instrument_key="X")
    assert sorted(candles_of(batch.frame.sort("timestamp"))) == PRICES
    replay = ReplayFeed(path, instrument_key="X")
    replayed = [given.frame for _ in PRICES if (given := replay.receive(0))]
    assert candles_of(pl.concat(replayed)) == PRICES


FILLING = {"openalgo, keys in order": "data", "fyers, status last": "candles",
           "polygon, ticker last": "results", "angel": "data", "alpaca": "bars"}  # fmt: skip


@pytest.mark.parametrize("name", FILLING)
def test_what_stands_after_many_rows_is_not_needed_to_know_a_document(name, tmp_path):
    """More rows than the part that is looked at; they repeat, so that two are left."""
    document, key = DOCUMENTS[name], FILLING[name]
    rows = document[key]
    many = {"X": rows["X"] * 999} if isinstance(rows, dict) else rows * 999
    path = write(tmp_path, document | {key: many})
    assert path.stat().st_size > DOCUMENT_HEAD_BYTES
    read = read_document(path, **GIVEN)
    assert read.format == name.split(",")[0]
    assert candles_of(read.candles.frame) == PRICES


def test_documents_go_through_the_engine(tmp_path):
    path = write(tmp_path, DOCUMENTS["kite"])
    engine = tallow.AnalyticsEngine("XNSE")
    report = engine.process_files(path, tmp_path / "o.csv", "5m", "", instrument_key="X")
    assert (report.read.rows_in, report.read.accepted) == (2, 2)


EMPTY = {
    "kite or upstox": {"status": "success", "data": {"candles": []}},
    "openalgo": {"status": "success", "data": []},
    "dhan": {name: [] for name in ARRAYS},
    "dhan, by the client": {"status": "success", "remarks": "", "data": {}},
    "fyers": {"s": "no_data", "candles": [], "nextTime": S},
    "angel": {"status": True, "message": "SUCCESS", "errorcode": "", "data": None},
    "ccxt": [],
    "alpaca": {"bars": None, "next_page_token": None, "symbol": "X"},
    "alpaca, several": {"bars": {}, "next_page_token": None},
    "polygon": {"ticker": "X", "queryCount": 0, "resultsCount": 0, "adjusted": False},
}


@pytest.mark.parametrize("name", EMPTY)
def test_an_answer_of_a_holiday_is_no_rows(name, tmp_path):
    path = write(tmp_path, EMPTY[name])
    candles = read_document(path, **GIVEN).candles
    assert (len(candles), candles.report.rows_in) == (0, 0)
    assert len(read_candles(path, instrument_key="X")) == 0


WRONG = {
    "an error of fyers": ({"s": "error", "code": -300, "message": "no"}, "must be"),
    "no data, anybody's": ({"s": "no_data", "nextTime": S}, "not recognised"),
    "an error, anybody's": ({"s": "error", "errmsg": "no"}, "not recognised"),
    "candles of objects": ({"candles": [{"start": S, "open": "1"}]}, "not recognised"),
    "a day of many tickers": (
        {"queryCount": 2, "adjusted": True, "results": [SHORT[0] | {"T": "X"}]},
        "of one ticker",
    ),
    "rows without the status": ({"data": OBJECTS, "status": "error"}, '"status": "success"'),
    "quotes of upstox": (
        {
            "status": "success",
            "data": {
                "NSE_FO:X": {
                    "last_price": 1.0,
                    "prev_ohlc": {"open": 1, "high": 2, "low": 1, "close": 1},
                }
            },
        },
        "not recognised",
    ),
    "quotes of dhan": (
        {
            "status": "success",
            "data": {
                "NSE_EQ": {
                    "11536": {
                        "last_price": 1.0,
                        "ohlc": {"open": 1, "high": 2, "low": 1, "close": 1},
                    }
                }
            },
        },
        "not recognised",
    ),
    "an error of dhan": (
        {"status": "failure", "remarks": {"error_code": "DH-905"}, "data": ""},
        "DH-905",
    ),
    "candles without offsets": (
        {
            "status": "success",
            "data": {"candles": [["2025-07-18T09:15:00", *row[1:]] for row in ROWS]},
        },
        "looks like upstox and like kite",
    ),
    "an error of angel": ({"status": False, "errorcode": "AB1", "data": None}, "must be"),
    "arrays of two lengths": (ARRAYS | {"close": [1.0]}, "an array of one length"),
    "short names in arrays": ({"s": "ok", "t": [S], "o": [1]}, "not recognised"),
    "objects of something else": ({"status": "success", "data": [{"name": "x"}]}, "not recognised"),
    "arrays of another order": ({"status": "success", "data": [[1, 2]]}, "not recognised"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_near_neighbour_of_a_document_is_not_read(name, tmp_path):
    content, told = WRONG[name]
    with pytest.raises(CandleInputError, match=told):
        read_document(write(tmp_path, content), **GIVEN)


LEVELS = pd.DataFrame(
    [[prices[at] for at in (3, 1, 2, 0, 4)] for prices in PRICES],
    index=pd.DatetimeIndex([FIRST, SECOND], name="Datetime").tz_convert("Asia/Kolkata"),
    columns=pd.MultiIndex.from_product(
        [["Close", "High", "Low", "Open", "Volume"], ["X"]], names=["Price", "Ticker"]
    ),
)
AS_POLARS: Any = pl.from_arrow(pa.Table.from_pandas(LEVELS))
CONTAINERS = {
    "pandas": LEVELS,
    "pandas, by ticker": LEVELS.swaplevel(axis=1),
    "pandas, index a column": LEVELS.reset_index(),
    "pyarrow": pa.Table.from_pandas(LEVELS),
    "polars": AS_POLARS,
    "csv": LEVELS.to_csv,
    "csv, by ticker": lambda path: LEVELS.swaplevel(axis=1).to_csv(path),
    "csv, index a column": lambda path: LEVELS.reset_index().to_csv(path, index=False),
    "parquet": LEVELS.to_parquet,
    "arrow": AS_POLARS.write_ipc,
    "arrows": AS_POLARS.write_ipc_stream,
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_columns_of_two_levels_in_every_container(name, tmp_path):
    held: Any = CONTAINERS[name]
    if callable(held):
        path = tmp_path / f"a.{name.split(',')[0]}"
        held(path)
        held = path
    assert candles_of(read_candles(held).frame) == PRICES
    document = read_document(held, source_timeframe="1m", adjustment="raw")
    assert document.format == "yfinance"
    assert candles_of(document.candles.frame) == PRICES


def test_columns_of_two_levels_reach_the_engine_and_live():
    bars = tallow.AnalyticsEngine("XNSE").process_candles(LEVELS, "5m", "").frame
    assert bars[list(NAMES)].to_numpy().tolist() == [[100.0, 102.0, 99.0, 101.0, 940.0]]
    live = tallow.LiveEngine("5m", "")
    assert live.update(LEVELS) is not None
    tuples = pl.DataFrame({"('Close', 'X')": [1.0], "('Name', 'X')": ["x"]})
    with pytest.raises(CandleInputError, match="missing"):
        read_candles(tuples)


UDIFF = (
    "TradDt,Sgmt,Src,ISIN,TckrSymb,SctySrs,OpnPric,HghPric,LwPric,ClsPric,TtlTradgVol\n"
    "2025-07-18,CM,BSE,INE000A00001,SYM,A ,100,102,99,101,900\n"
)
BSE_WITHOUT_ISIN = (
    "SC_CODE,SC_NAME,SC_GROUP,SC_TYPE,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,NO_TRADES,NO_OF_SHRS,"
    "NET_TURNOV,TDCLOINDI\n500000,SYM         ,A ,Q,100.00,102.00,99.00,101.00,101.00,99.00,12,"
    "900,90900.00,\n"
)
NSE_BEFORE = (
    "SYMBOL,SERIES,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,TOTTRDQTY,TOTTRDVAL,TIMESTAMP,TOTALTRADES,"
    "ISIN,\nSYM,EQ,100,102,99,101,101,99,900,90900,03-JUN-2024,12,INE000A00001,\n"
)
BSE_BEFORE = (
    "SC_CODE,SC_NAME,SC_GROUP,SC_TYPE,OPEN,HIGH,LOW,CLOSE,LAST,PREVCLOSE,NO_TRADES,NO_OF_SHRS,"
    "NET_TURNOV,TDCLOINDI,ISIN_CODE,TRADING_DATE,FILLER2,FILLER3\n"
    "500000,SYM ,A ,Q,100,102,99,101,101,99,12,900,90900,,INE000A00001,03-Jun-24,,\n"
)


@pytest.mark.parametrize(
    ("text", "key", "opened"),
    [
        (UDIFF, "BSE_EQ|INE000A00001", "2025-07-17T18:30"),
        (NSE_BEFORE, "NSE_EQ|INE000A00001", "2024-06-02T18:30"),
        (BSE_BEFORE, "BSE_EQ|INE000A00001", "2024-06-02T18:30"),
    ],
)
def test_bhavcopies_of_both_exchanges_new_and_old(text, key, opened, tmp_path):
    path = write(tmp_path, text, "b.csv")
    for held in (path, pd.read_csv(path), pl.read_csv(path)):
        document = read_document(held)
        assert (document.format, str(document.timeframe)) == ("bhavcopy", "1d")
        frame = document.candles.frame
        assert frame.rows() == [(key, utc(opened), *PRICES[0])]
    without = text.replace("ISIN", "I")
    with pytest.raises(CandleInputError):
        read_document(write(tmp_path, without, "c.csv"))


BSE_NAMES = {
    "EQ050221.CSV": "2021-02-04T18:30",
    "eq230707_csv.zip": "2007-07-22T18:30",
    "EQ170323_CSV.ZIP": "2023-03-16T18:30",
    "eq310198.csv": "1998-01-30T18:30",
}


@pytest.mark.parametrize("name", [*BSE_NAMES, *(f"{name}.gz" for name in ("EQ050221.CSV",))])
def test_the_name_of_bses_file_without_isin_says_its_date(name, tmp_path):
    packed = zipped("EQ.CSV", BSE_WITHOUT_ISIN) if name.lower().endswith(".zip") else None
    data = gzipped(BSE_WITHOUT_ISIN) if name.endswith(".gz") else packed
    (tmp_path / name).write_bytes(data or BSE_WITHOUT_ISIN.encode())
    frame = read_document(tmp_path / name).candles.frame
    opened = utc(BSE_NAMES[name.removesuffix(".gz")])
    assert frame.rows() == [("BSE|500000", opened, *PRICES[0])]
    assert read_candles(tmp_path / name, source_timeframe="1d").frame.equals(frame)


def test_bses_file_without_isin_under_another_name_or_as_a_frame_is_refused(tmp_path):
    path = write(tmp_path, BSE_WITHOUT_ISIN, "bse.csv")
    for held in (path, write(tmp_path, BSE_WITHOUT_ISIN, "EQ310299.CSV"), pl.read_csv(path)):
        with pytest.raises(CandleInputError, match="the name that BSE gave its file alone"):
            read_document(held)
    # With an ISIN, but without a date, it is neither of the two.
    other = BSE_WITHOUT_ISIN.replace("TDCLOINDI\n", "TDCLOINDI,ISIN_CODE\n")
    with pytest.raises(CandleInputError):
        read_document(
            write(tmp_path, other.replace("90900.00,\n", "90900.00,,I\n"), "EQ050221.CSV")
        )


def test_a_document_that_lasts_otherwise_than_is_said_is_refused(tmp_path):
    path = write(tmp_path, UDIFF, "b_1m.csv")
    assert len(read_candles(path, source_timeframe="1d")) == 1
    told = 'by the document rows last 1d, and candles of 1m are read; .*source_timeframe="1d"'
    engine = tallow.AnalyticsEngine("XBOM")
    said: dict[str, Any] = {"source_timeframe": "1m"}
    named: dict[str, Any] = {"pattern": r".+_(?P<timeframe>\w+)\.csv"}
    readings: dict[str, Any] = {
        "python": lambda: read_candles(path, **said),
        "by its name": lambda: read_candles(path, **named),
        "frame": lambda: read_candles(pl.read_csv(path), **said),
        "batches": lambda: list(scan_batches([path], **said)),
        "engine": lambda: engine.process_files(path, tmp_path / "o.csv", "5m", "", **said),
        # What is live lasts a minute, and is kept as such.
        "live": lambda: tallow.LiveEngine("5m", "", calendar="XBOM").update(path),
        "replay": lambda: ReplayFeed(path),
    }
    for name, read in readings.items():
        other = {
            "live": "rows last 1d",
            "replay": "a replay has candles of a minute",
            "by its name": "candles of '1m' by the file's name, read as candles of '1d'",
        }
        with pytest.raises(CandleInputError, match=other.get(name, told)):
            read()


def test_a_document_of_days_is_believed_where_nobody_says_how_long_rows_last(tmp_path):
    """A warning would be an error here."""
    path = write(tmp_path, UDIFF, "b.csv")
    frame, engine = pl.read_csv(path), tallow.AnalyticsEngine("24/7")
    right = read_candles(path, source_timeframe="1d").frame
    for source in (path, [path], frame):
        read = read_candles(source)
        assert str(read.source_timeframe) == "1d"
        assert read.frame.equals(right)
        assert len(engine.process_candles(source, "1d", "").frame) == 1
        assert len(engine.calculate_indicators(source, "ema(1)")) == 1
    assert next(scan_batches([path])).frame.equals(right)
    assert engine.process_files(path, tmp_path / "o.csv", "1d", "").bars == 1
    with pytest.raises(TimeframeError, match="timeframe: 5m from source_timeframe=1d"):
        engine.process_candles(path, "5m", "")


def test_beside_files_that_say_nothing_one_of_days_is_read_as_minutes_with_a_warning(tmp_path):
    days = write(tmp_path, UDIFF, "b.csv")
    (tmp_path / "c.csv").write_text("symbol,ts,o,h,l,c,v\nA,2025-07-18T09:15+05:30,1,1,1,1,5\n")
    told = 'b.csv: by the document rows last 1d, and are read as .* 1m; pass source_timeframe="1d"'
    with pytest.warns(TallowWarning, match=told):
        assert len(read_candles([days, tmp_path / "c.csv"])) == 2
