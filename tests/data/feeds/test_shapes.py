"""Goal: live messages of each provider become the rows that a person reads in them; a quote is
never a candle, and what looks nearly like a message that is known is not taken for it.

Method: a message per shape, written after the source that `data.reading.message_shapes` names, with
prices of our own; beside each a near neighbour that differs in one thing, and what is said of it.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tallow.data.feeds.contents import items_of
from tallow.data.feeds.envelopes import laid_flat
from tallow.data.feeds.health import Meter
from tallow.data.feeds.messages import CANDLE, QUOTE, TRADE, Message, MessageRow, read_messages
from tallow.data.reading.message_shapes import MESSAGES
from tests.frames import moment

AT = "2025-07-18T09:15:01+05:30"
MS = 1_752_810_301_000
MINUTE_MS = 1_752_810_300_000
DAY = {"open": 1415.0, "high": 1432.5, "low": 1408.0, "close": 1409.0}
UPSTOX_LAST = {"ltp": 1424.0, "ltt": str(MS), "ltq": "5", "cp": 1409.0}
UPSTOX_FULL = {"ltpc": UPSTOX_LAST, "marketOHLC": {"ohlc": [{"interval": "1d"} | DAY]}}
KITE = {"mode": "quote", "instrument_token": 738561, "last_price": 1424.0}
KITE |= {"last_traded_quantity": 5, "volume_traded": 900, "ohlc": DAY, "change": 1.06}
ANGEL = {"subscription_mode": 1, "exchange_type": 1, "token": "2885", "sequence_number": 0}
ANGEL |= {"exchange_timestamp": MS, "last_traded_price": 142400}
ANGEL_QUOTE = {"last_traded_quantity": 5, "volume_trade_for_the_day": 900}
ANGEL_QUOTE |= {f"{name}_price_of_the_day": 141500 for name in ("open", "high", "low")}
FYERS = {"type": "sf", "symbol": "NSE:STOCK-EQ", "ltp": 1424.0, "vol_traded_today": 900}
FYERS |= {"last_traded_time": MS // 1000, "exch_feed_time": MS // 1000 + 9, "open_price": 1415.0}
DHAN = {"type": "Quote Data", "exchange_segment": 1, "security_id": 2885, "LTP": "1424.00"}
DHAN |= {"LTQ": 5, "LTT": "09:15:01", "volume": 900, "open": "1415.00", "close": "1409.00"}
KLINE = {"t": MINUTE_MS, "T": MINUTE_MS + 59_999, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 9}
KLINE |= {"o": "1.5", "c": "2.0", "h": "2.5", "l": "1.0", "v": "5.5", "n": 9, "x": True}
KLINE |= {"q": "9.9", "V": "3.3", "Q": "5.1", "B": "0"}
ALPACA = {"T": "b", "S": "SPY", "o": 1.5, "h": 2.5, "l": 1.0, "c": 2.0, "v": 5.5, "n": 3, "vw": 1.7}
ALPACA |= {"t": "2025-07-18T03:45:00Z"}
POLYGON = {"ev": "AM", "sym": "SPY", "v": 5.5, "av": 99, "op": 9.9, "vw": 1.7, "o": 1.5, "c": 2.0}
POLYGON |= {"h": 2.5, "l": 1.0, "a": 1.8, "z": 2, "s": MINUTE_MS, "e": MINUTE_MS + 60_000}
HEAD = {"ts_event": f"{MINUTE_MS}000000", "rtype": 33, "publisher_id": 1, "instrument_id": 15144}
DATABENTO = {"hd": HEAD, "open": "1500000000", "high": "2500000000", "low": "1000000000"}
DATABENTO |= {"close": "2000000000", "volume": "5"}
OPENALGO = {"type": "market_data", "symbol": "STOCK", "exchange": "NSE", "mode": 1}
OPENALGO_QUOTE = OPENALGO | {"mode": 2, "data": DAY | {"ltp": 1424.0, "volume": 900} | {"ltt": MS}}
OPENALGO_KITE = {"symbol": "STOCK", "exchange": "NSE", "ltp": 1424.0, "last_price": 1424.0}
OPENALGO_KITE |= {"volume": None, "open": None, "timestamp": None, "ltt": MS // 1000}
OPENALGO_FYERS = {"symbol": "NSE:STOCK", "exchange": "NSE", "ltp": 1424.0, "volume": 900}
OPENALGO_FYERS |= {"timestamp": AT, "ohlc": DAY}
YAHOO = {"id": "SPY", "price": 1424.0, "time": str(MS), "exchange": "PCX", "quote_type": 20}
BOOK = {"u": 4, "s": "BNBUSDT", "b": "25.35", "B": "31.2", "a": "25.36", "A": "40.6"}
DEPTH = {"lastUpdateId": 160, "bids": [["0.0024", "10"]], "asks": [["0.0026", "100"]]}

CANDLE_OF = (1.5, 2.5, 1.0, 2.0)
TICKS = {
    "openalgo, ltp": (
        OPENALGO | {"data": {"ltp": 1424.0, "timestamp": MS}}, "NSE:STOCK", TRADE, 0.0
    ),
    "openalgo, quote": (OPENALGO_QUOTE, "NSE:STOCK", QUOTE, 900.0),
    "openalgo, nulls": (OPENALGO | {"data": OPENALGO_KITE}, "NSE:STOCK", TRADE, 0.0),
    "openalgo, a broker's spelling": (
        OPENALGO | {"mode": 2, "data": OPENALGO_FYERS}, "NSE:STOCK", QUOTE, 900.0
    ),
    "kite, full": (KITE | {"exchange_timestamp": AT}, "738561", QUOTE, 900.0),
    "kite, index": (
        {"instrument_token": 256265, "last_price": 1424.0, "exchange_timestamp": AT, "ohlc": DAY},
        "256265", TRADE, 0.0,
    ),
    "upstox, ltpc": ({"type": "live_feed", "feeds": {"NSE_EQ|X": {"ltpc": UPSTOX_LAST}}},
                     "NSE_EQ|X", TRADE, 5.0),
    "upstox, full": (
        {"feeds": {"NSE_EQ|X": {"fullFeed": {"marketFF": UPSTOX_FULL | {"vtt": "900"}}}}},
        "NSE_EQ|X", QUOTE, 900.0,
    ),
    "upstox, index": ({"feeds": {"NSE_INDEX|X": {"fullFeed": {"indexFF": {"ltpc": {
        "ltp": 1424.0, "ltt": str(MS), "cp": 1409.0}}}}}}, "NSE_INDEX|X", TRADE, 0.0),
    "upstox, greeks": ({"feeds": {"NSE_FO|1": {"firstLevelWithGreeks": {
        "ltpc": UPSTOX_LAST, "vtt": "900"}}}}, "NSE_FO|1", QUOTE, 900.0),
    "fyers": (FYERS, "NSE:STOCK-EQ", QUOTE, 900.0),
    "fyers, index": (
        {"type": "if", "symbol": "NSE:X-INDEX", "ltp": 1424.0, "exch_feed_time": MS // 1000},
        "NSE:X-INDEX", TRADE, 0.0,
    ),
    "fyers, as text": (
        {"type": "if", "symbol": "NSE:X-INDEX", "ltp": "1424.0", "exch_feed_time": str(MS // 1000)},
        "NSE:X-INDEX", TRADE, 0.0,
    ),
    "angel, ltp": (ANGEL, "nse_cm|2885", TRADE, 0.0),
    "angel, quote": (ANGEL | ANGEL_QUOTE, "nse_cm|2885", QUOTE, 900.0),
    "angel, currency": (
        ANGEL | {"exchange_type": 13, "last_traded_price": 14_240_000_000},
        "cde_fo|2885", TRADE, 0.0,
    ),
    "binance, trade": (
        {"e": "trade", "E": MS + 5, "s": "BTCUSDT", "t": 7, "p": "1424.0", "q": "5", "T": MS},
        "BTCUSDT", TRADE, 5.0,
    ),
    "alpaca, trade": (
        [{"T": "t", "S": "SPY", "i": 9, "x": "D", "p": 1424.0, "s": 5, "c": ["@"], "t": AT}],
        "SPY", TRADE, 5.0,
    ),
    "polygon, trade": (
        [{"ev": "T", "sym": "SPY", "x": 4, "p": 1424.0, "s": 5, "c": [12], "t": MS, "q": 3}],
        "SPY", TRADE, 5.0,
    ),
    "ccxt, trade": (
        {"symbol": "BTC/USDT", "timestamp": MS, "price": 1424.0, "amount": 5, "side": "buy"},
        "BTC/USDT", TRADE, 5.0,
    ),
    "polygon, index": (
        [{"ev": "V", "val": 1424.0, "T": "I:SPX", "t": MS}], "I:SPX", TRADE, 0.0,
    ),
    "yfinance": (YAHOO | {"day_volume": "900", "market_hours": 1}, "SPY", QUOTE, 900.0),
    # What is 0 is not sent: before the market opens, market_hours.
    "yfinance, before the market": (YAHOO, "SPY", TRADE, 0.0),
    "yfinance, currency": (
        YAHOO | {"quote_type": 41, "day_volume": "900", "vol_24hr": "900"}, "SPY", TRADE, 0.0,
    ),
}  # fmt: skip
CANDLES = {
    "binance": ({"e": "kline", "E": MS, "s": "BTCUSDT", "k": KLINE}, "BTCUSDT", 5.5),
    "binance, combined": (
        {"stream": "x", "data": {"e": "kline", "s": "BTCUSDT", "k": KLINE}}, "BTCUSDT", 5.5,
    ),
    "alpaca": ([ALPACA], "SPY", 5.5),
    "alpaca, updated": ([ALPACA | {"T": "u"}], "SPY", 5.5),
    "polygon": ([POLYGON], "SPY", 5.5),
    "polygon, crypto": (
        [{k: v for k, v in POLYGON.items() if k != "sym"} | {"ev": "XA", "pair": "BTC-USD"}],
        "BTC-USD", 5.5,
    ),
    "databento": (DATABENTO, "15144", 5.0),
    "databento, with points": (
        {"hd": HEAD | {"ts_event": "2025-07-18T03:45:00.000000000Z"}, "open": "1.500000000",
         "high": "2.500000000", "low": "1.000000000", "close": "2.000000000", "volume": "5",
         "symbol": "ESH5"}, "ESH5", 5.0,
    ),
}  # fmt: skip
NEIGHBOURS = {
    "kite without a time": (KITE, "without timestamp"),
    "a quote without a last price": (
        DAY | {"symbol": "A", "ts": MINUTE_MS, "volume": 9, "prev_close": 1.0},
        "prev_close: a quote, whose open, high and low are the day's",
    ),
    "fyers, lite": ({"type": "sf", "symbol": "NSE:A", "ltp": 1424.0}, "without timestamp"),
    "fyers, depth": (
        {"type": "dp", "symbol": "NSE:A", "bid_price1": 1424.0, "bid_size1": 3},
        "bid_price1: a price, but no shape",
    ),
    "dhan": (DHAN, "LTT is a time of day without a date"),
    "upstox without a last price": (
        {"feeds": {"NSE_EQ|X": {"fullFeed": {"marketFF": {"atp": 1424.0, "ltpc": {"cp": 3.0}}}}}},
        "atp: a price, but no shape",
    ),
    "angel's token, and no exchange": (
        {"token": "2885", "exchange_timestamp": MS, "last_traded_price": 142400},
        "last_traded_price: a price, but no shape that is known",
    ),
    "angel's exchange, unknown": (ANGEL | {"exchange_type": 6}, "exchange_type=6; must be one of"),
    "openalgo without a time": (OPENALGO | {"data": {"ltp": 1424.0}}, "without timestamp"),
    "a trade with an id": ({"id": 7, "price": 1424.0, "time": MS, "size": 5}, "without instrument"),
    "a kline of an hour": (
        {"e": "kline", "s": "A", "k": KLINE | {"i": "1h"}}, "i='1h'; a candle must last a minute",
    ),
    "statistics": (
        {"e": "24hrTicker", "s": "A", "o": "1", "h": "2", "l": "1", "c": "2", "v": "5"},
        "statistics of a window",
    ),
    "a window of an hour": ({"e": "1hTicker", "s": "A", "o": "1", "c": "2"}, "of a window"),
    "a book": (BOOK, "b, a: the best bid and ask, is no trade"),
    "a book of another": ({"u": 4, "s": "BNB", "bid": "25.35"}, "bid: a price, but no shape"),
    "depth": (DEPTH, "bids, asks: depth"),
    "a bar of a day": ([ALPACA | {"T": "d"}], "a bar of a day, or a trade taken back, is no trade"),
    "a trade taken back": (
        [{"T": "x", "S": "SPY", "i": 9, "x": "D", "p": 1424.0, "s": 5, "a": "C", "t": AT}],
        "a trade taken back",
    ),
    "an aggregate of a second": ([POLYGON | {"ev": "A"}], "an aggregate of a second or another"),
    "limits of a price": (
        [{"ev": "LULD", "T": "SPY", "h": 2.5, "l": 1.0, "i": [1], "t": MS}], "or another value",
    ),
    "an index' aggregate": (
        [{k: v for k, v in POLYGON.items() if k not in ("v", "av")} | {"sym": "I:SPX"}],
        "without volume",
    ),
    "a record without a price": (
        DATABENTO | {"open": "9223372036854775807"}, "which means that there is none",
    ),
    "a record of a day": (
        DATABENTO | {"hd": HEAD | {"rtype": 35}}, "a record of another length than a minute",
    ),
    "two names for one field": (
        {"symbol": "A", "ts": MINUTE_MS, "o": 1, "h": 1, "l": 1, "C": 1, "close_": 1, "v": 1},
        None,
    ),
    "two spellings of one name": (
        {"symbol": "A", "ts": MINUTE_MS, "o": 1, "h": 1, "l": 1, "c": 1, "VOL": 1, "Vol": 2},
        "VOL, Vol: all fit volume; one must",
    ),
    "two last prices": (
        {"symbol": "A", "ts": MINUTE_MS, "ltp": 1, "last_price": 2},
        "ltp, last_price: all fit price; one must",
    ),
    "prices in a list": ({"event": "depth", "buy": [{"price": 1.5}]}, "price: a price, but"),
    "letters": ({"x": {"o": 1, "h": 2, "l": 1, "c": 1}}, "o, h, l, c: a price, but"),
}  # fmt: skip
NOTICES: list[Any] = [
    {"type": "success", "status": "authenticated"},
    [{"T": "subscription", "trades": ["SPY"], "bars": ["SPY"]}],
    [{"ev": "status", "status": "connected", "message": "Connected Successfully"}],
    {"type": "market_info", "currentTs": str(MS), "marketInfo": {"segmentStatus": {"NSE_EQ": "X"}}},
    {"e": "kline", "s": "BTCUSDT", "k": KLINE | {"x": False}},
    {"result": None, "id": 312},
]


def read(content: Any) -> tuple[list[MessageRow], Any]:
    meter = Meter()
    rows = read_messages([Message(json.dumps(content), 1, 0)], meter, "Asia/Kolkata")
    return rows, meter.health


@pytest.mark.parametrize("name", TICKS)
def test_a_tick_of_each_provider(name: str) -> None:
    content, instrument, fields, second = TICKS[name]
    (row,), health = read(content)
    assert (row.instrument, row.fields) == (instrument, fields)
    assert row.values == (1424.0, second)
    assert row.timestamp == MS * 1000
    assert (health.rejected, health.notices) == (0, 0)


@pytest.mark.parametrize("name", CANDLES)
def test_a_candle_of_each_provider(name: str) -> None:
    content, instrument, volume = CANDLES[name]
    (row,), _ = read(content)
    assert (row.instrument, row.fields, row.timestamp) == (instrument, CANDLE, MINUTE_MS * 1000)
    assert row.values == (*CANDLE_OF, volume, None)


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_a_near_neighbour_is_not_taken_for_it_and_says_why(name: str) -> None:
    content, why = NEIGHBOURS[name]
    rows, health = read(content)
    if why is None:
        assert len(rows) == 1, "the field's own name, spelled otherwise, leaves no doubt"
        return
    assert rows == []
    assert health.rejected == 1
    assert why in health.rejections[0].reason


@pytest.mark.parametrize("content", NOTICES)
def test_what_has_no_price_is_only_counted(content: Any) -> None:
    rows, health = read(content)
    assert (rows, health.rejected, health.notices) == ([], 0, 1)


def test_the_day_in_a_quote_is_never_a_candle() -> None:
    """Open, high and low of the day, yesterday's close: whatever the last price is called."""
    for last in ("ltp", "last_price", "price", "LTP"):
        quote = DAY | {"symbol": "A", "timestamp": MS, "volume": 900, last: 1424.0}
        (row,), _ = read({"type": "quote", "data": quote})
        assert (row.fields, row.values) == (QUOTE, (1424.0, 900.0))


def test_an_instrument_beside_the_data_names_what_is_in_it_and_no_more() -> None:
    ticks = [{"ltp": 1.0, "timestamp": MS}, {"ltp": 2.0, "timestamp": MS, "symbol": "B"}]
    rows, _ = read({"symbol": "A", "data": ticks})
    assert [(row.instrument, row.values[0]) for row in rows] == [("A", 1.0), ("B", 2.0)]
    # The time of sending is none of a row.
    assert read({"symbol": "A", "timestamp": MS, "data": {"ltp": 1.0}})[0] == []


def test_one_symbol_of_two_exchanges_is_two_instruments() -> None:
    both = [OPENALGO_QUOTE, OPENALGO_QUOTE | {"exchange": "BSE"}]
    assert [read(each)[0][0].instrument for each in both] == ["NSE:STOCK", "BSE:STOCK"]
    rows, _ = read([ANGEL, ANGEL | {"exchange_type": 3}, ANGEL | {"exchange_type": 5}])
    assert [row.instrument for row in rows] == ["nse_cm|2885", "bse_cm|2885", "mcx_fo|2885"]


def test_each_declared_shape_has_a_source_and_a_message_here() -> None:
    assert all(each.sources for each in MESSAGES)
    contents = [each[0] for each in (*TICKS.values(), *CANDLES.values(), *NEIGHBOURS.values())]
    items = [item for each in contents for item in items_of(json.dumps(each))]
    flat = [each for item in items if isinstance(item, dict) for each in laid_flat(item)]
    for shape in MESSAGES:
        assert any(shape.fits(list(item)) and shape.agrees(item) for item in flat), shape.text
    assert moment(AT).timestamp() * 1000 == MS
