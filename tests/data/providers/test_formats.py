"""Goal: a document in its provider's documented shape is recognised by looking, and gives exactly
its candles, and what it says of them; what is no such document is one clear error.

Method: documents written by hand, and their candles beside them; damaged and foreign ones.
"""

from __future__ import annotations

import json
import zipfile

import pandas as pd
import polars as pl
import pytest

from tallow.core.errors import CandleInputError, TimeframeError
from tallow.data.providers.document import read_document
from tests.data.providers.documents import (
    BHAVCOPY,
    BHAVCOPY_HEADER,
    BINANCE_2024,
    BINANCE_2025,
    BINANCE_HEADER,
    DOCUMENTS,
    KITE,
    SHARES,
    UPSTOX,
    YFINANCE_ADJUSTED,
    YFINANCE_HISTORY,
    YFINANCE_STACKED,
    Given,
    bhavcopy_line,
    gzipped,
    utc,
    zipped,
)

RAYMOND = "NSE_EQ|INE301A01014"

EXPECTED = {
    "upstox": [
        (RAYMOND, utc("2025-06-02T03:45"), 2410.0, 2412.0, 2409.55, 2411.05, 5210.0, 0.0),
        (RAYMOND, utc("2025-06-02T03:46"), 2411.05, 2412.5, 2410.9, 2412.1, 980.0, 0.0),
        (RAYMOND, utc("2025-06-02T03:47"), 2412.1, 2413.0, 2411.5, 2412.8, 1250.0, 0.0),
    ],
    "kite": [
        (RAYMOND, utc("2017-12-15T03:45"), 1704.5, 1705.0, 1699.25, 1702.8, 2499.0, 13667775.0),
        (RAYMOND, utc("2017-12-15T03:46"), 1702.0, 1702.0, 1698.15, 1698.15, 1271.0, 13667775.0),
    ],
    "ccxt": [
        ("BTC/USDT", utc("2025-01-01T00:00"), 93425.1, 93510.0, 93400.0, 93500.2, 12.5),
        ("BTC/USDT", utc("2025-01-01T00:01"), 93500.2, 93500.2, 93490.0, 93495.0, 3.25),
    ],
    "binance": [
        ("LINKUSDT", utc("2025-01-01T00:00"), 4.1507, 4.1587, 4.1506, 4.1554, 539.23),
        ("LINKUSDT", utc("2025-01-01T00:01"), 4.1554, 4.1554, 4.15, 4.151, 12.5),
    ],
    "yfinance": [
        ("MSFT", utc("2023-02-17T05:00"), 255.8, 256.5, 252.5, 254.5, 30000100.0),
        ("MSFT", utc("2023-02-20T05:00"), 255.0, 255.0, 255.0, 255.0, 0.0),
        ("TSLA", utc("2023-02-17T05:00"), 199.9, 208.4, 197.5, 208.3, 213738500.0),
    ],
    "bhavcopy": [
        ("NSE_BL|INE002A01018", utc("2025-01-01T18:30"), 10.2, 10.2, 10.2, 10.2, 900.0),
        ("NSE_EQ|INE002A01018", utc("2025-01-01T18:30"), 10.1, 11.0, 9.95, 10.45, 5000.0),
        ("NSE_EQ|INE358U01012", utc("2025-01-01T18:30"), 7.0, 7.35, 6.9, 7.2, 10.0),
    ],
    "generic": [
        ("A", utc("2025-06-02T03:45"), 1.0, 2.0, 0.5, 1.5, 10.0),
        ("B", utc("2025-06-02T03:45"), 3.0, 4.0, 2.5, 3.5, 20.0),
    ],
}
TIMEFRAMES = dict.fromkeys(EXPECTED, "1m") | {"yfinance": "1d", "bhavcopy": "1d"}
ADJUSTMENTS = dict.fromkeys(EXPECTED, "raw") | {"yfinance": "total"}


@pytest.fixture
def save(tmp_path):
    """Return what writes a file and gives its path."""

    def write(name, data):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write


def refused(source, told, **given):
    with pytest.raises(CandleInputError, match=told) as raised:
        read_document(source, **given)
    message = str(raised.value)
    assert message.startswith(f"{source}: ")
    assert "failed: " not in message
    return message


@pytest.mark.parametrize("form", EXPECTED)
def test_a_document_is_recognised_and_gives_its_candles(form, save):
    name, text, given = DOCUMENTS[form]
    document = read_document(save(name, text), **given)
    assert document.format == form
    assert (str(document.timeframe), document.adjustment) == (TIMEFRAMES[form], ADJUSTMENTS[form])
    assert document.candles.frame.rows() == EXPECTED[form]
    assert len(document.candles.quarantine) == 0


@pytest.mark.parametrize("form", sorted(set(EXPECTED) - {"generic"}))
def test_a_packed_document_is_looked_into(form, save):
    name, text, given = DOCUMENTS[form]
    for packed in (save(f"{name}.zip", zipped(name, text)), save(f"{name}.gz", gzipped(text))):
        document = read_document(packed, **given)
        assert document.format == form
        assert document.candles.frame.rows() == EXPECTED[form]


def test_the_name_of_a_file_decides_nothing(save):
    assert read_document(save("upstox.csv", UPSTOX), **SHARES).format == "upstox"
    assert read_document(save("\ufeffmarked", "\ufeff" + KITE), **SHARES).format == "kite"


def test_rows_without_open_interest_are_whole_rows_of_kite(save):
    text = KITE.replace(", 13667775]", "]", 1)
    frame = read_document(save("a.json", text), **SHARES).candles.frame
    assert frame["open_interest"].to_list() == [None, 13667775.0]


def test_binance_with_a_header_in_milliseconds_and_by_the_hour(save):
    document = read_document(save("ETHUSDT-1h-2024-01.csv", BINANCE_HEADER + BINANCE_2024))
    assert str(document.timeframe) == "1h"
    assert document.candles.frame["timestamp"].to_list() == [
        utc("2024-01-01T00:00"),
        utc("2024-01-01T01:00"),
    ]


def test_binance_changes_its_unit_within_a_file(save):
    new_year = "1735689540000,4,4,4,4,1,1735689599999,2,1,1,1,0\n"
    times = read_document(save("A-1m-2024-12.csv", new_year + BINANCE_2025)).candles.frame
    assert times["timestamp"].to_list() == [
        utc("2024-12-31T23:59"),
        utc("2025-01-01T00:00"),
        utc("2025-01-01T00:01"),
    ]


def test_months_and_a_candle_that_an_outage_cut_short(save):
    february = "1738368000000000,1,2,1,2,5,1740787199999999,2,1,1,1,0\n"
    assert str(read_document(save("A-1mo-2025-02.zip", february)).timeframe) == "1mo"
    cut = BINANCE_2025.replace("1735689719999999", "1735689690000000")
    whole = BINANCE_2025 + "1735689720000000,4,4,4,4,1,1735689779999999,2,1,1,1,0\n"
    for text in (cut + whole.splitlines()[2], whole):
        assert len(read_document(save("A-1m-2025-01-01.csv", text)).candles) == 3


def test_what_binance_has_and_we_have_not(save):
    second = BINANCE_2025.splitlines()[0].replace("1735689659999999", "1735689600999999")
    with pytest.raises(TimeframeError, match=r"A-1s-2025-01\.csv: timeframe: '1s'"):
        read_document(save("A-1s-2025-01.csv", second))
    refused(save("A-5m-2025-01.csv", BINANCE_2025), "its name says 5m, most of its rows last 1m")


def test_a_stock_that_moves_to_another_series_keeps_its_key_and_nobody_wins_by_chance(save):
    prices = "1,2,1,2"
    text = BHAVCOPY_HEADER + "".join(
        bhavcopy_line(isin, series, prices, volume)
        for isin, series, volume in [
            ("INE1", "EQ", 1), ("INE1", "T0", 2), ("INE2", "BZ", 3), ("INE3", "EQ", 4),
            ("INE3", "BE", 5), ("", "EQ", 6), ("INE4", "", 7),
        ]
    )  # fmt: skip
    candles = read_document(save("b.csv", text)).candles
    assert candles.frame["instrument"].to_list() == ["NSE_EQ|INE1", "NSE_EQ|INE2", "NSE_T0|INE1"]
    assert candles.report.by_rule == {"instrument_missing": 2, "repeated_key": 2}
    record = json.loads(candles.quarantine["record"][0])
    assert len(record) == 34
    assert (record["ISIN"], record["SctySrs"], record["TtlTradgVol"]) == ("INE3", "EQ", "4")


def test_contracts_are_no_securities(save):
    line = bhavcopy_line("INE1", "", "1,2,1,2", 1, segment="FO")
    refused(save("fo.csv", BHAVCOPY_HEADER + line), "Sgmt='FO'; must be CM")


def test_saved_frames_of_one_ticker(save):
    told: Given = {"instrument_key": "A", "source_timeframe": "1d", "timezone": "America/New_York"}
    adjusted = read_document(save("a.csv", YFINANCE_ADJUSTED), **told)
    assert (adjusted.format, adjusted.adjustment) == ("yfinance", "split")
    assert adjusted.candles.report.ignored_columns == ("Adj Close",)
    history = read_document(
        save("h.csv", YFINANCE_HISTORY),
        instrument_key="A",
        source_timeframe="1m",
        adjustment="total",
    )
    assert history.format == "yfinance"
    assert history.candles.frame.rows() == [
        ("A", utc("2025-06-02T13:30"), 201.0, 202.5, 200.5, 202.0, 1500.0),
        ("A", utc("2025-06-02T13:31"), 202.0, 202.0, 202.0, 202.0, 0.0),
    ]


def yfinance_frame(by_ticker):
    columns = [("Open", 1.0), ("High", 3.0), ("Low", 0.5), ("Close", 2.0), ("Volume", 0)]
    missing = float("nan")
    data = {(name, "MSFT"): [value, value + 1] for name, value in columns}
    data |= {(name, "TSLA"): [value, missing] for name, value in columns}
    frame = pd.DataFrame(data, index=pd.DatetimeIndex(["2023-02-17", "2023-02-20"], name="Date"))
    frame.columns = frame.columns.set_names(["Price", "Ticker"])
    return frame.swaplevel(axis=1) if by_ticker else frame


@pytest.mark.parametrize("by_ticker", [False, True])
def test_a_frame_of_several_tickers(by_ticker):
    told: Given = {"source_timeframe": "1d", "timezone": "UTC", "adjustment": "total"}
    document = read_document(yfinance_frame(by_ticker), **told)
    assert (document.format, document.candles.native) == ("yfinance", "pandas")
    assert document.candles.frame.rows() == [
        ("MSFT", utc("2023-02-17T00:00"), 1.0, 3.0, 0.5, 2.0, 0.0),
        ("MSFT", utc("2023-02-20T00:00"), 2.0, 4.0, 1.5, 3.0, 1.0),
        ("TSLA", utc("2023-02-17T00:00"), 1.0, 3.0, 0.5, 2.0, 0.0),
    ]
    assert document.candles.report.rows_in == 3


def test_a_frame_of_one_ticker_and_any_other_frame():
    one = yfinance_frame(by_ticker=True)["MSFT"].tz_localize("America/New_York")
    told: Given = {"instrument_key": "MSFT", "source_timeframe": "1d", "adjustment": "total"}
    document = read_document(one, **told)
    assert document.format == "yfinance"
    assert document.candles.frame["timestamp"][0] == utc("2023-02-17T05:00")
    other = pl.DataFrame({"t": [1]})
    assert read_document(document.candles.frame, **told).format == "generic"
    with pytest.raises(CandleInputError, match="frame: must be a pandas frame"):
        read_document(other, format="yfinance", **told)
    with pytest.raises(CandleInputError, match="frame: is a frame; this format comes as a file"):
        read_document(other, format="binance")


ROW = '["2025-06-02T09:15:00+05:30", 1, 2, 0.5, 1.50, 10, 0]'
BROKEN_ROWS = [
    ("row_unreadable", '["2025-06-02T09:16:00+05:30", 1, 2, 0.5, 1.50, 10]'),
    ("row_unreadable", '["2025-06-02T09:16:00+05:30", 1, 2, 0.5, 1.50, 10, 0, 0]'),
    ("row_unreadable", "[]"),
    ("row_unreadable", "null"),
    ("row_unreadable", '{"open": "1.50", "of": [1.50]}'),
    ("time_unreadable", "[1748835900000, 1, 2, 0.5, 1.50, 10, 0]"),
    ("time_unreadable", '["\\ud800", 1, 2, 0.5, 1.50, 10, 0]'),
    ("price_missing", '["2025-06-02T09:16:00+05:30", "1", 2, 0.5, 1.50, 10, 0]'),
    ("price_missing", '["2025-06-02T09:16:00+05:30", 1, true, 0.5, 1.50, 10, 0]'),
    ("price_missing", '["2025-06-02T09:16:00+05:30", 1, 2, [0.5], 1.50, 10, 0]'),
    ("price_missing", f'["2025-06-02T09:16:00+05:30", 1{"0" * 9_999}, 2, 0.5, 1.50, 10, 0]'),
    ("volume_missing", '["2025-06-02T09:16:00+05:30", 1, 2, 0.5, 1.50, null, 0]'),
    ("volume_missing", '["2025-06-02T09:16:00+05:30", 1, 2, 0.5, 1.50, 1e999, 0]'),
]


@pytest.mark.parametrize(("rule", "row"), BROKEN_ROWS)
def test_a_row_of_another_shape_is_quarantined_word_for_word(rule, row, save):
    text = f'{{"status": "success", "data": {{"candles": [{ROW}, {row}]}}}}'
    candles = read_document(save("a.json", text), **SHARES).candles
    assert candles.report.rows_in == 2
    assert candles.quarantine.select("row", "rule", "record").rows() == [(2, rule, row)]


def test_infinite_literals_are_no_json_and_no_price(save):
    text = UPSTOX.replace("2413", "Infinity").replace("2410.9", "NaN")
    candles = read_document(save("a.json", text), **SHARES).candles
    assert candles.report.by_rule == {"price_missing": 2}
    assert '"Infinity"' in candles.quarantine["record"][0]


def test_a_line_of_another_width_is_quarantined(save):
    text = BHAVCOPY + "2025-01-02,short\n" + BHAVCOPY.splitlines()[1] + ",long\n\n"
    candles = read_document(save("b.csv", text)).candles
    assert candles.report.by_rule == {"row_unreadable": 2}
    assert candles.report.rows_in == 5
    assert json.loads(candles.quarantine["record"][0]) == ["2025-01-02", "short"]


JUNK = [
    ("cut.json", UPSTOX[:-20], "must be a whole JSON document"),
    ("twice.json", UPSTOX.replace("}}", ', "candles": []}}'), "'candles' comes twice"),
    ("deep.json", UPSTOX.replace("[\n[", "[" * 9_999), "must be a whole JSON document"),
    ("latin.json", UPSTOX.replace("success", "ä").encode("latin-1"), "not UTF-8 text; byte 12"),
    ("other.json", '{"candles": []}', "its format is not recognised"),
    ("rows.json", UPSTOX.replace(", 0]", "]"), r"not one row is an array \[timestamp, open"),
    ("page.html", "<html><body>Too many requests</body></html>", "its format is not recognised"),
    ("nothing.csv", b"", "size=0"),
    ("cut.zip", zipped("a.csv", BHAVCOPY)[:-30], "must be readable, and whole"),
    ("twice.csv", BHAVCOPY.replace("BizDt", "TradDt"), "column='TradDt'; may come once"),
    ("again.csv", YFINANCE_STACKED.replace("TSLA", "MSFT"), "a ticker's column comes twice"),
    ("quote.csv", BHAVCOPY.replace("SYM", '"SYM', 1), "must be whole CSV"),
    ("error.json", '{"status":"error","errors":[{"errorCode":"UDAPI1021"}]}', "UDAPI1021"),
    (
        "token.json",
        '{"status":"error","message":"Token expired","error_type":"TokenException"}',
        "the provider answered with an error.*Token expired",
    ),
]


@pytest.mark.parametrize(("name", "data", "told"), JUNK)
def test_what_is_no_document(name, data, told, save):
    refused(save(name, data), told, **SHARES)


def test_what_is_no_single_file(save, tmp_path):
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("a.csv", BHAVCOPY)
        archive.writestr("b.csv", BHAVCOPY)
    refused(tmp_path / "b.zip", "the archive holds 2 files, not one")
    refused(tmp_path, "is a folder")
    refused(tmp_path / "none.csv", "no such file")
    with pytest.raises(CandleInputError, match="input=list; must be one file or one frame"):
        read_document([tmp_path / "a", tmp_path / "b"])


@pytest.mark.parametrize("text", ['{"data": {"candles": [DEEP]}}', '{"data": {"x": [DEEP]}}'])
def test_what_is_nested_is_refused_at_any_depth(text, save):
    for depth in (1, 300, 600, 800, 900, 950, 990, 3_000):
        path = save("deep.json", text.replace("DEEP", "[" * depth + "]" * depth))
        refused(path, "not one row is|must be|nested too deeply", format="upstox", **SHARES)


@pytest.mark.parametrize("form", ["upstox", "kite", "ccxt"])
def test_an_answer_without_candles_is_none(form, save):
    text = "[]" if form == "ccxt" else '{"status": "success", "data": {"candles": []}}'
    candles = read_document(save("a.json", text), format=form, **SHARES).candles
    assert (len(candles), candles.report.rows_in) == (0, 0)


@pytest.mark.parametrize("form", ["binance", "bhavcopy"])
def test_a_header_alone_is_no_candles(form, save):
    text = BINANCE_HEADER if form == "binance" else BHAVCOPY_HEADER
    candles = read_document(save("A-1m-2025-01.csv", text)).candles
    assert candles.report.rows_in == 0


def test_a_forced_format_is_not_asked_whether_it_knows_the_document(save):
    path = save("a.json", UPSTOX.replace("+05:30", ""))
    refused(path, "looks like upstox and like kite", **SHARES)
    assert read_document(path, format="Upstox", **SHARES).candles.report.accepted == 3
    refused(path, "must be an array of arrays", format="ccxt", **SHARES)
    refused(path, "columns missing: Sgmt", format="bhavcopy")
    other = save("b.csv", "Price,Open\nx,1\n")
    refused(other, "lines must begin with Price and Ticker", format="yfinance", **SHARES)
    other = save("c.json", '{"data": {"candles": {}}}')
    refused(other, 'must be {"status": "success"', format="kite", **SHARES)
    with pytest.raises(CandleInputError, match="format: 'upstocks'; unknown; did you mean upstox"):
        read_document(path, format="upstocks", **SHARES)
