"""Every shape that is known by its names: the one place where they are declared.

A shape is known by what only it has. Where a shape names the column of a field, that column it is;
the other fields are found by `tallow.data.schema.ALIASES`. `docs/shapes.md` is made of this table.
Each source says whether it was opened; what is not read at all is named in `LEFT_OUT`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from tallow.core.limits import COLUMN_NAMES_KNOWN
from tallow.data.shape import Shape, Source

READ = "opened 2026-11-29"
NOT_OPENED = "named 2026-11-29, not opened"
"""Whether a source was opened when its shape was written down, or is only where it should stand."""


def _opened(path: str) -> Source:
    return Source(f"https://github.com/{path}", READ)


def _git(path: str) -> Source:
    return Source(f"https://github.com/{path}", NOT_OPENED)


def _page(address: str) -> Source:
    return Source(f"https://{address}", NOT_OPENED)


_KLINES = _page("binance-docs.github.io/apidocs/spot/en/")
_ALPACA = _page("docs.alpaca.markets/docs/real-time-stock-pricing-data")
_POLYGON = _git("polygon-io/client-python/blob/master/polygon/websocket/models/models.py")
_MT5_API = _page("www.mql5.com/en/docs/python_metatrader5/mt5copyratesfrom_py")
_DATABENTO = _git("databento/databento-python/blob/main/databento/common/constants.py")
_PAISE, _CURRENCY = 100.0, 10_000_000.0

STUDIES = frozenset(
    {
        "Basis", "EMA", "Histogram", "Lower", "MA", "MACD", "Plot", "RSI", "RSI-based MA",
        "Signal", "Signal line", "Smoothing Line", "Smoothed MA", "Upper", "VWAP",
    }
)  # fmt: skip
"""What TradingView calls the plots of its own studies in a chart's data."""

TABLES: tuple[Shape, ...] = (
    Shape(
        "metatrader5",
        "MetaTrader 5, Export Bars; the volume is the tick volume",
        "table",
        (_page("www.metatrader5.com/en/terminal/help/trading_advanced/custom_instruments"),),
        frozenset({"<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>", "<VOL>"}),
        {"volume": ("<TICKVOL>",)},
    ),
    Shape(
        "metatrader5",
        "MetaTrader 5, copy_rates_from() of Python; the volume is the tick volume",
        "table",
        (_MT5_API,),
        frozenset({"time", "open", "high", "low", "close", "tick_volume", "real_volume"}),
        {"volume": ("tick_volume",)},
    ),
    Shape(
        "stooq",
        "Stooq, files of its database",
        "table",
        (_page("stooq.com/db/h/"),),
        frozenset({"<TICKER>", "<PER>", "<DATE>", "<TIME>", "<OPEN>", "<CLOSE>", "<VOL>"}),
        {"volume": ("<VOL>",), "open_interest": ("<OPENINT>",)},
    ),
    Shape(
        "dukascopy",
        "Dukascopy, Historical Data Export in GMT",
        "table",
        (_page("www.dukascopy.com/swiss/english/marketwatch/historical/"),),
        frozenset({"Gmt time", "Open", "High", "Low", "Close", "Volume"}),
        {"timestamp": ("Gmt time",)},
        timezone="UTC",
    ),
    Shape(
        "cryptodatadownload",
        "CryptoDataDownload; the volume is that of the currency which is traded",
        "table",
        (_page("www.cryptodatadownload.com/data/"),),
        frozenset({"unix", "date", "symbol", "open", "high", "low", "close"}),
        {"timestamp": ("unix",)},
        patterns={"volume": "Volume "},
        timezone="UTC",
    ),
    Shape(
        "polygon",
        "Polygon, flat files of aggregates",
        "table",
        (_page("polygon.io/docs/flat-files/stocks/minute-aggregates"),),
        frozenset({"ticker", "window_start", "open", "high", "low", "close", "volume"}),
        {"timestamp": ("window_start",)},
        timezone="UTC",
    ),
    Shape(
        "tradingview",
        "TradingView, a chart's data with a plot of its studies and without volume: it is 0",
        "table",
        (_page("www.tradingview.com/support/solutions/43000537255/"),),
        frozenset({"time", "open", "high", "low", "close"}),
        some=STUDIES,
        without_volume=True,
    ),
)
"""Columns of files and frames."""

DOCUMENTS: tuple[Shape, ...] = tuple(
    Shape(provider, text, "document", (_page(address),))
    for provider, text, address in (
        ("alpaca", "bars, JSON", "docs.alpaca.markets/reference/stockbars"),
        ("angel", "candle data, JSON", "smartapi.angelbroking.com/docs/Historical"),
        ("bhavcopy", "NSE and BSE, UDiFF and before, CSV", "www.nseindia.com/all-reports"),
        ("binance", "public files and klines", "github.com/binance/binance-public-data"),
        ("ccxt", "rows of six and seven, JSON", "github.com/ccxt/ccxt/wiki/manual"),
        ("databento", "ohlcv records, CSV and frames", "databento.com/docs/"),
        ("dhan", "charts, JSON", "dhanhq.co/docs/v2/historical-data/"),
        ("fyers", "history, JSON", "myapi.fyers.in/docsv3"),
        ("kite", "historical candles, JSON", "kite.trade/docs/connect/v3/historical/"),
        ("openalgo", "history, JSON", "docs.openalgo.in/api-documentation/v1/data-api/history"),
        ("polygon", "aggregates, JSON", "polygon.io/docs/rest/stocks/aggregates/custom-bars"),
        ("upstox", "historical candles V2, V3, JSON", "upstox.com/developer/api-documentation"),
        ("yfinance", "frames, in every container", "github.com/ranaroussi/yfinance"),
    )
)
"""What the readers of `tallow.data.providers` read."""

LEFT_OUT = (
    "MetaTrader 4's export without a header",
    "BSE's old file without ISIN and date",
    "NSE's full bhavcopy with deliveries, which has no ISIN",
    "live messages of TradingView, whose alerts are free text",
    "binary frames of brokers before their clients decode them",
)
"""What is not read."""


def markdown() -> str:
    """Return the page of all shapes."""
    rows = [
        f"| {shape.provider} | {shape.form} | {shape.text} | "
        f"{', '.join(f'<{source.address}> ({source.read})' for source in shape.sources)} |"
        for shape in sorted((*DOCUMENTS, *TABLES, *MESSAGES), key=lambda each: each.provider)
    ]
    head = "# Shapes\n\nFiles, frames and live messages that are known by what only they have.\n"
    table = "| provider | form | what | source |\n|---|---|---|---|\n"
    left = "\n".join(f"- {each}" for each in LEFT_OUT)
    return f"{head}\n{table}" + "\n".join(rows) + f"\n\nLeft out:\n\n{left}\n"


QUOTE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "instrument": ("instrument_token",),
    "timestamp": ("exchange_timestamp", "timestamp", "last_trade_time"),
    "price": ("last_price",),
    "quantity": ("last_traded_quantity", "last_quantity"),
    "day_volume": ("volume_traded", "volume"),
}
_BINANCE_CANDLE = {
    "instrument": ("s",),
    "timestamp": ("t",),
    "open": ("o",),
    "high": ("h",),
    "low": ("l",),
    "close": ("c",),
    "volume": ("v",),
}
_BINANCE_TRADE = {"instrument": ("s",), "timestamp": ("T",), "price": ("p",), "quantity": ("q",)}
_POLYGON_CANDLE = _BINANCE_CANDLE | {"instrument": ("sym", "pair"), "timestamp": ("s",)}
_POLYGON_TRADE = {
    "instrument": ("sym", "pair"),
    "timestamp": ("t",),
    "price": ("p",),
    "quantity": ("s",),
}
_NO_TRADE = "is no trade and no candle of a minute"


def _angel_divisor(item: Mapping[str, Any]) -> float:
    """Prices of Angel are whole numbers: of paise, for currencies of 10^-7 rupees."""
    return _CURRENCY if item["exchange_type"] == _ANGEL_CURRENCIES else _PAISE


_ANGEL_CURRENCIES = 13

MESSAGES: tuple[Shape, ...] = (
    Shape(
        "upstox",
        "Upstox v3, decoded feeds of every mode, laid flat",
        "tick",
        (
            _opened(
                "upstox/upstox-python/blob/42fa80c/upstox_client/feeder/proto/"
                "MarketDataFeedV3.proto"
            ),
        ),
        frozenset({"instrument_key", "ltp", "ltt"}),
        {"instrument": ("instrument_key",), "timestamp": ("ltt",), "price": ("ltp",)},
    ),
    Shape(
        "kite",
        "Kite Connect, ticks of every mode that say a time; the volume is the day's",
        "tick",
        (_opened("zerodha/pykiteconnect/blob/master/kiteconnect/ticker.py"),),
        frozenset({"instrument_token", "last_price"}),
        QUOTE_FIELDS,
    ),
    Shape(
        "fyers",
        "Fyers API v3, SymbolUpdate; the volume is the day's",
        "tick",
        (_git("FyersDev/fyers-api-sample-code"), _page("myapi.fyers.in/docsv3")),
        frozenset({"symbol", "ltp", "exch_feed_time"}),
        {
            "timestamp": ("last_traded_time", "exch_feed_time"),
            "price": ("ltp",),
            "quantity": ("last_traded_qty",),
            "day_volume": ("vol_traded_today",),
        },
    ),
    Shape(
        "angel",
        "Angel One SmartAPI, WebSocket 2.0, all modes; prices are divided as its page says",
        "tick",
        (_git("angel-one/smartapi-python/blob/main/SmartApi/smartWebSocketV2.py"),),
        frozenset({"token", "exchange_type", "exchange_timestamp", "last_traded_price"}),
        {
            "instrument": ("token",),
            "timestamp": ("exchange_timestamp",),
            "price": ("last_traded_price",),
            "quantity": ("last_traded_quantity",),
            "day_volume": ("volume_trade_for_the_day",),
            "sequence": (),
        },
        divisor=_angel_divisor,
    ),
    Shape(
        "dhan",
        "Dhan, Ticker, Quote and Full Data of the Python client: a time of day without its date",
        "refused",
        (_git("dhan-oss/DhanHQ-py/blob/main/src/dhanhq/marketfeed.py"),),
        frozenset({"security_id", "exchange_segment", "LTP", "LTT"}),
        why="LTT is a time of day without a date; add one as timestamp",
    ),
    Shape(
        "ccxt",
        "ccxt, trades of watchTrades()",
        "tick",
        (_git("ccxt/ccxt/wiki/manual#trade-structure"),),
        frozenset({"symbol", "timestamp", "price", "amount", "side"}),
        {"timestamp": ("timestamp",), "quantity": ("amount",)},
    ),
    Shape(
        "yfinance",
        "yfinance, WebSocket pricing data; the volume is the day's",
        "tick",
        (_git("ranaroussi/yfinance/blob/main/yfinance/live.py"),),
        frozenset({"id", "price", "time", "market_hours"}),
        {"instrument": ("id",), "timestamp": ("time",), "day_volume": ("day_volume",)},
    ),
    Shape(
        "binance",
        "Binance, kline stream of one minute; a candle that still forms is passed over",
        "candle",
        (_KLINES,),
        frozenset({"e", "s", "t", "o", "h", "l", "c", "v", "x"}),
        _BINANCE_CANDLE,
        {"e": frozenset({"kline"})},
        closed="x",
        lasting=("i", "1m"),
    ),
    Shape(
        "binance",
        "Binance, trade and aggregate trade streams",
        "tick",
        (_KLINES,),
        frozenset({"e", "s", "p", "q", "T"}),
        _BINANCE_TRADE,
        {"e": frozenset({"trade", "aggTrade"})},
    ),
    Shape(
        "binance",
        "Binance, statistics of 24 hours and depth",
        "refused",
        (_KLINES,),
        frozenset({"e", "s"}),
        says={"e": frozenset({"24hrTicker", "24hrMiniTicker", "depthUpdate", "avgPrice"})},
        why=f"e: statistics of 24 hours, or depth, {_NO_TRADE}",
    ),
    Shape(
        "alpaca",
        "Alpaca, bars of a minute and their updates",
        "candle",
        (_ALPACA,),
        frozenset({"T", "S", "o", "h", "l", "c", "v", "t"}),
        _BINANCE_CANDLE | {"instrument": ("S",)},
        {"T": frozenset({"b", "u"})},
    ),
    Shape(
        "alpaca",
        "Alpaca, trades",
        "tick",
        (_ALPACA,),
        frozenset({"T", "S", "p", "s", "t"}),
        {"instrument": ("S",), "timestamp": ("t",), "price": ("p",), "quantity": ("s",)},
        {"T": frozenset({"t"})},
    ),
    Shape(
        "alpaca",
        "Alpaca, quotes and bars of a day",
        "refused",
        (_ALPACA,),
        frozenset({"T", "S", "t"}),
        says={"T": frozenset({"d", "q"})},
        why=f"T: bid and ask, or a bar of a day, {_NO_TRADE}",
    ),
    Shape(
        "polygon",
        "Polygon, aggregates of a minute of stocks, currencies and crypto",
        "candle",
        (_POLYGON,),
        frozenset({"ev", "s", "e", "o", "h", "l", "c", "v"}),
        _POLYGON_CANDLE,
        {"ev": frozenset({"AM", "CA", "XA"})},
    ),
    Shape(
        "polygon",
        "Polygon, trades",
        "tick",
        (_POLYGON,),
        frozenset({"ev", "p", "s", "t"}),
        _POLYGON_TRADE,
        {"ev": frozenset({"T", "XT"})},
    ),
    Shape(
        "polygon",
        "Polygon, quotes and aggregates of a second",
        "refused",
        (_POLYGON,),
        frozenset({"ev"}),
        says={"ev": frozenset({"A", "AS", "CAS", "XAS", "Q", "C", "XQ"})},
        why=f"ev: bid and ask, or an aggregate of a second, {_NO_TRADE}",
    ),
    Shape(
        "databento",
        "Databento, ohlcv-1m records as JSON; prices are divided by 10^9",
        "candle",
        (_git("databento/dbn/blob/main/rust/dbn/src/encode/json/sync.rs"),),
        frozenset({"ts_event", "rtype", "publisher_id", "instrument_id", "open", "volume"}),
        {"instrument": ("symbol", "instrument_id"), "timestamp": ("ts_event",)},
        {"rtype": frozenset({33})},
        divisor=lambda _: 1e9,
    ),
    Shape(
        "databento",
        "Databento, ohlcv records of another length as JSON",
        "refused",
        (_git("databento/dbn/blob/main/rust/dbn/src/encode/json/sync.rs"),),
        frozenset({"ts_event", "rtype", "publisher_id", "instrument_id", "open", "volume"}),
        says={"rtype": frozenset({32, 34, 35, 36})},
        why=f"rtype: a record of another length than a minute {_NO_TRADE}",
    ),
)
"""Objects of live messages. What is nested is laid flat first (`tallow.data.feeds.envelopes`)."""


@lru_cache(maxsize=COLUMN_NAMES_KNOWN)
def table_shape(columns: tuple[str, ...]) -> Shape | None:
    """Return the shape of a table with these columns, or None where no shape knows them."""
    return next((shape for shape in TABLES if shape.fits(columns)), None)


def message_shapes(keys: tuple[str, ...]) -> tuple[Shape, ...]:
    """Return the shapes that an object with these keys may have; its values tell which."""
    return tuple(shape for shape in MESSAGES if shape.fits(keys))
