"""Goal: tables of each provider are read by their own names, in files and frames; what a table does
not say is asked for; what looks nearly like one of them is not taken for it.

Method: a row per provider, written after the source that `reading.shapes` names, with prices of
our own; beside it a near neighbour that differs in one thing.
"""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tallow import AnalyticsEngine, open_store
from tallow.core.errors import CandleInputError, TallowWarning
from tallow.data.feeds.replay import ReplayFeed
from tallow.data.ingest.documents import ingest
from tallow.data.providers.document import read_document
from tallow.data.reading.readers import read_candles
from tallow.data.reading.shapes import TABLES, table_shape
from tests.data.providers.documents import utc
from tests.data.scanning import scan_batches

FIRST = utc("2025-07-18T03:45")
S = 1_752_810_300
PRICES = (100.0, 102.0, 99.0, 101.0, 900.0)
SAID: dict[str, Any] = {"instrument_key": "X", "timezone": "Asia/Kolkata"}
NAMES = ("open", "high", "low", "close", "volume")


def write(folder, text, name):
    path = folder / name
    path.write_text(text)
    return path


STOOQ = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
TEXTS = {
    "metatrader5": "time,open,high,low,close,tick_volume,spread,real_volume\n{s},{p},{v},5,0\n",
    "stooq, of minutes": STOOQ + "X,1,20250718,091500,{p},{v},0\n",
    "dukascopy": "Gmt time,Open,High,Low,Close,Volume\n18.07.2025 03:45:00.000,{p},{v}\n",
    "cryptodatadownload, with capitals": "https://www.example.com\nUnix,Date,Symbol,Open,High,Low,"
    "Close,Volume BTC,Volume USDT,tradecount\n{s}000,2025-07-18 03:45:00,X,{p},{v},99,3\n",
    "cryptodatadownload": "https://www.example.com\nunix,date,symbol,open,high,low,close,"
    "Volume BTC,Volume USDT\n{s}000,2025-07-18 09:15:00,X,{p},{v},99\n",
    "polygon": "ticker,volume,open,close,high,low,window_start,transactions\n"
    "X,{v},{q},{s}000000000,3\n",
    "tradingview": "time,open,high,low,close,EMA,Volume\n{s},{p},100.5,{v}\n",
    "several spellings": "Time,OPEN,High,low,Close,V,v\n{s},{p},1,{v}\n",
    "slashes": "Ticker,Date/Time,Open,High,Low,Close,Volume,Open Interest\n"
    "X,2025/07/18 09:15,{p},{v},0\n",
    "trailing comma": "time,open,high,low,close,volume,\n{s},{p},{v},\n",
}


ENTRIES = {
    "file": lambda path: read_candles(path, **SAID).frame,
    "polars": lambda path: read_candles(framed(path), **SAID).frame,
    "pandas": lambda path: read_candles(framed(path).to_pandas(), **SAID).frame,
    "arrow": lambda path: read_candles(framed(path).to_arrow(), **SAID).frame,
    "ingest": lambda path: (
        read_document(path, source_timeframe="1m", adjustment="raw", **SAID).candles.frame
    ),
    "batches": lambda path: pl.concat(batch.frame for batch in scan_batches([path], **SAID)),
    "replay": lambda path: next(filter(None, [ReplayFeed(path, **SAID).receive(0)])).frame,
}


def framed(path):
    """Return the table as people read it: numbers as numbers, a column without a name left out."""
    is_address = path.read_text().startswith("http")
    frame = pl.read_csv(path, skip_rows=int(is_address))
    return frame.select(name for name in frame.columns if name)


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("name", TEXTS)
def test_a_table_by_its_own_names(name, entry, tmp_path):
    first = {"s": S, "p": "100,102,99,101", "q": "100,101,102,99", "v": 900}
    path = write(tmp_path, TEXTS[name].format(**first), "a.csv")
    read = ENTRIES[entry](path)
    assert read.select("instrument", "timestamp", *NAMES).rows() == [("X", FIRST, *PRICES)]


def test_each_table_has_a_source_and_is_told_by_all_of_its_names():
    for shape in TABLES:
        several = [f"{start}{end}" for start in shape.patterns.values() for end in "AB"]
        names = (*shape.first, *sorted(shape.names), *sorted(shape.some)[:1], *several)
        assert table_shape(names) is shape
        assert shape.sources
        for name in {*shape.names, *shape.first}:
            assert table_shape(tuple(each for each in names if each != name)) is not shape


def test_stooq_says_how_long_its_rows_last(tmp_path):
    path = write(tmp_path, STOOQ + "X,5,20250718,091500,100,102,99,101,900,0\n", "a.csv")
    read = read_candles(path, source_timeframe="5m", timezone="Asia/Kolkata").frame
    assert read["timestamp"].to_list() == [FIRST]
    with pytest.raises(CandleInputError, match="<PER>='5' rows last 5m, and candles of 1m"):
        read_candles(path, source_timeframe="1m", timezone="Asia/Kolkata")
    with pytest.warns(TallowWarning, match="<PER>='5' rows last 5m, and are read as candles of 1m"):
        read_candles(path, timezone="Asia/Kolkata")
    # What ingest reads is told, too.
    assert str(read_document(path, timezone="Asia/Kolkata", adjustment="raw").timeframe) == "5m"
    # Finam's file has no <OPENINT>, and its periods are its own.
    finam = STOOQ.replace(",<OPENINT>", "") + "X,5,20250718,091500,100,102,99,101,900\n"
    assert len(read_candles(write(tmp_path, finam, "b.csv"), timezone="Asia/Kolkata")) == 1


def test_dukascopy_begins_with_the_day_also_where_no_date_shows_it(tmp_path):
    text = "Gmt time,Open,High,Low,Close,Volume\n03.02.2025 09:15:00.000,1,1,1,1,5\n"
    frame = read_candles(write(tmp_path, text, "a.csv"), instrument_key="X").frame
    assert frame["timestamp"].to_list() == [utc("2025-02-03T09:15")]
    # A header of one's own says neither zone nor order.
    other = write(tmp_path, text.replace("Gmt time", "Time"), "b.csv")
    with pytest.raises(CandleInputError, match="day and month cannot be told apart"):
        read_candles(other, instrument_key="X", timezone="UTC")


CHART = "time,open,high,low,close,EMA,Upper\n1752810300,100,102,99,101,100.5,103\n"


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_chart_without_volume_has_none_and_says_so(entry, tmp_path):
    path = write(tmp_path, CHART, "a.csv")
    with pytest.warns(TallowWarning, match="has no volume; 0 is taken, as TradingView.*no_volume="):
        read = ENTRIES[entry](path)
    assert read.select("timestamp", *NAMES).rows() == [(FIRST, *PRICES[:4], 0.0)]


def test_who_says_that_a_chart_has_no_volume_is_told_nothing(tmp_path):
    """A warning would be an error here."""
    path = write(tmp_path, CHART, "a.csv")
    for source in (path, framed(path)):
        read = read_candles(source, instrument_key="X", no_volume=True)
        assert read.frame["volume"].to_list() == [0.0]
    # Any name of a volume holds it.
    held = write(tmp_path, CHART.replace("Upper", "v").replace(",103", ",900"), "b.csv")
    assert read_candles(held, instrument_key="X").frame["volume"].to_list() == [900.0]


@pytest.mark.parametrize(
    "names",
    [
        "time,open,high,low,close,Upper",
        "time,open,high,low,close,ema",
        "Time,Open,High,Low,Close,EMA",
        "timestamp,open,high,low,close,EMA",
        "EMA,time,open,high,low,close",
        # An instrument is no part of a chart.
        "symbol,time,open,high,low,close,EMA",
        # Such a chart has a volume, under a name that does not say so, or hidden.
        "time,open,high,low,close,EMA,Plot",
        "time,open,high,low,close,EMA,VWAP",
        "time,open,high,low,close,EMA,Relative Volume",
    ],
)
def test_what_is_no_such_chart_is_asked_for_its_volume(names, tmp_path):
    cells = ",".join(["1752810300"] + ["100"] * names.count(","))
    path = write(tmp_path, f"{names}\n{cells}\n", "a.csv")
    with pytest.raises(CandleInputError, match="missing: volume; pass no_volume=True"):
        read_candles(path, instrument_key="X")


def test_of_many_files_one_warning_tells(tmp_path):
    """Also where they overlap, so that they are read again to be sorted."""
    paths = [write(tmp_path, CHART, f"{name}.csv") for name in "abc"]
    said: dict[str, Any] = {"pattern": r"(?P<instrument>.)\.csv"}
    with pytest.warns(TallowWarning) as of_run:
        AnalyticsEngine("XNSE").process_files(paths[::-1], tmp_path / "o.csv", "5m", "", **said)
    with pytest.warns(TallowWarning) as of_ingest, open_store(tmp_path / "s", create=True) as store:
        ingest(store, paths, source_timeframe="1m", adjustment="raw", **said)
    for (told,) in (of_run, of_ingest):
        assert "(and 2 more files): has no volume" in str(told.message)


def test_a_doubt_about_a_column_is_an_error(tmp_path):
    text = "symbol,time,open,high,low,close,VOL,Vol\nX,1752810300,1,1,1,1,5,6\n"
    with pytest.raises(CandleInputError, match="columns 'VOL', 'Vol' all fit volume; one must"):
        read_candles(write(tmp_path, text, "a.csv"))
    two = text.replace("VOL,Vol", "Volume BTC,Volume USDT")
    with pytest.raises(CandleInputError, match="missing: volume"):
        read_candles(write(tmp_path, two, "b.csv"))
    # Of CryptoDataDownload's two volumes only one is left: nobody says in which currency.
    one = "unix,date,symbol,open,high,low,close,Volume USD\n1752810300,2025-07-18,X,1,1,1,1,5\n"
    with pytest.raises(CandleInputError, match="missing: volume"):
        read_candles(write(tmp_path, one, "c.csv"))


def test_a_file_without_volume_is_asked_about(tmp_path):
    text = "symbol,time,open,high,low,close\nX,1752810300,1,1,1,1\n"
    path = write(tmp_path, text, "a.csv")
    with pytest.raises(CandleInputError, match="missing: volume; pass no_volume=True"):
        read_candles(path)
    assert read_candles(path, no_volume=True).frame["volume"].to_list() == [0.0]
    held = write(tmp_path, text.replace("close", "close,volume").replace("1\n", "1,5\n"), "b.csv")
    with pytest.raises(CandleInputError, match="'volume' holds volumes; leave out no_volume="):
        read_candles(held, no_volume=True)
