"""Every shape of a live message's object that is known: the one place where they are declared.

Where a shape names the keys of a field, it is one of those, best first, and where it names none,
nothing; the other fields are found by `data.reading.schema.ALIASES`. What is nested is laid flat
first (`tallow.data.feeds.envelopes`). Of several shapes that fit, the first counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tallow.data.reading.shape import Shape, candle, git, page, refused, tick

_KLINES = git("binance/binance-spot-api-docs/web-socket-streams.md", "060fe48")
_ALPACA = (
    git("alpacahq/alpaca-py/tests/data/test_websockets.py", "04950f7"),
    git("alpacahq/alpaca-py/alpaca/data/live/websocket.py", "038fc40"),
)
_POLYGON = git("polygon-io/client-python/polygon/websocket/models/models.py", "29e0590")
_DATABENTO = git("databento/dbn/rust/dbn/src/encode/json/sync.rs", "07b766a")
_YAHOO = (
    git("ranaroussi/yfinance/tests/test_live.py", "4e8cbc3"),
    git("ranaroussi/yfinance/yfinance/pricing.proto", "a9238e2"),
    git("ranaroussi/yfinance/yfinance/live.py", "0b15247"),
)
_OPENALGO = "marketcalls/openalgo"

_CANDLE_KEYS = {
    "instrument": ("s",),
    "timestamp": ("t",),
    "open": ("o",),
    "high": ("h",),
    "low": ("l",),
    "close": ("c",),
    "volume": ("v",),
}
_NO_VOLUME: Mapping[str, tuple[str, ...]] = {"quantity": (), "day_volume": ()}
_NO_TRADE = "is no trade and no candle of a minute"
_ANGEL_SEGMENTS = {
    1: "nse_cm", 2: "nse_fo", 3: "bse_cm", 4: "bse_fo", 5: "mcx_fo", 7: "ncx_fo", 13: "cde_fo",
}  # fmt: skip
_PAISE, _CURRENCY = 100.0, 10_000_000.0
_RECORD = frozenset({"ts_event", "rtype", "publisher_id", "instrument_id", "open", "volume"})
_UNDEFINED = str(2**63 - 1)


def _angel_divisor(item: Mapping[str, Any]) -> float:
    """Prices of Angel are whole numbers: of paise, for currencies of 10^-7 rupees."""
    return _CURRENCY if _ANGEL_SEGMENTS.get(item["exchange_type"]) == "cde_fo" else _PAISE


def _angel_key(item: Mapping[str, Any]) -> str:
    """Return the segment and the token: a token alone may be of another exchange."""
    segment = _ANGEL_SEGMENTS.get(item["exchange_type"])
    if segment is None:
        known = ", ".join(f"{number} {name}" for number, name in _ANGEL_SEGMENTS.items())
        raise ValueError(f"exchange_type={item['exchange_type']!r}; must be one of {known}")
    return f"{segment}|{item['token']}"


def _databento_divisor(item: Mapping[str, Any]) -> float:
    """Prices of Databento are whole numbers of 10^-9, or written with their point."""
    prices = [str(item.get(name)) for name in ("open", "high", "low", "close")]
    if _UNDEFINED in prices:
        raise ValueError(f"a price is {_UNDEFINED}, which means that there is none")
    return 1.0 if any("." in price for price in prices) else 1e9


MESSAGES: tuple[Shape, ...] = (
    tick(
        "openalgo",
        "OpenAlgo, market data of every mode; its key is NSE:RELIANCE; the volume is the day's",
        (
            git(f"{_OPENALGO}/docs/api/websocket-streaming/quote.md", "4ba9af9"),
            git(f"{_OPENALGO}/docs/api/websocket-streaming/ltp.md", "4ba9af9"),
            git(f"{_OPENALGO}/websocket_proxy/server.py", "042c6e2"),
            git(f"{_OPENALGO}/websocket_proxy/tick_contract.py", "51f1f10"),
            git(f"{_OPENALGO}/broker/zerodha/streaming/zerodha_mapping.py", "25ca354"),
            git(f"{_OPENALGO}/broker/fyers/streaming/fyers_mapping.py", "032ee7d"),
            page("docs.openalgo.in/cli/streaming"),
        ),
        frozenset({"type", "symbol", "exchange"}),
        {
            "instrument": ("symbol",),
            "timestamp": ("timestamp", "ltt", "exchange_timestamp", "last_trade_time"),
            "price": ("ltp", "last_price"),
            "day_volume": ("volume",),
        },
        {"type": frozenset({"market_data"})},
        key=lambda item: f"{item['exchange']}:{item['symbol']}",
    ),
    tick(
        "upstox",
        "Upstox v3, decoded feeds of every mode, laid flat",
        (git("upstox/upstox-python/upstox_client/feeder/proto/MarketDataFeedV3.proto", "42fa80c"),),
        frozenset({"instrument_key", "ltp", "ltt"}),
        {"instrument": ("instrument_key",), "timestamp": ("ltt",), "price": ("ltp",)},
    ),
    tick(
        "kite",
        "Kite Connect, ticks of every mode that say a time; the volume is the day's",
        (git("zerodha/pykiteconnect/kiteconnect/ticker.py", "022600f"),),
        frozenset({"instrument_token", "last_price"}),
        {
            "instrument": ("instrument_token",),
            "timestamp": ("exchange_timestamp", "timestamp", "last_trade_time"),
            "price": ("last_price",),
            "quantity": ("last_traded_quantity", "last_quantity"),
            "day_volume": ("volume_traded", "volume"),
        },
    ),
    tick(
        "fyers",
        "Fyers API v3, events of symbols and indices; the volume is the day's",
        (
            git("SPRAGE/fyers-rs/fixtures/ws/data/event_symbol_update.json", "3a21e21"),
            git("SPRAGE/fyers-rs/fixtures/ws/data/event_index_update.json", "3a21e21"),
        ),
        frozenset({"symbol", "ltp", "exch_feed_time"}),
        {
            "timestamp": ("last_traded_time", "exch_feed_time"),
            "price": ("ltp",),
            "quantity": ("last_traded_qty",),
            "day_volume": ("vol_traded_today",),
        },
    ),
    tick(
        "angel",
        "Angel One SmartAPI, WebSocket 2.0, all modes; its key is nse_cm|2885; prices are divided",
        (
            git("angel-one/smartapi-python/SmartApi/smartWebSocketV2.py", "00434dd"),
            page(
                "smartapi.angelbroking.com/smartapi/forum/topic/3378/"
                "data-format-issue-with-websocket-v2-version"
            ),
        ),
        frozenset({"token", "exchange_type", "exchange_timestamp", "last_traded_price"}),
        {
            "instrument": ("token",),
            "timestamp": ("exchange_timestamp",),
            "price": ("last_traded_price",),
            "quantity": ("last_traded_quantity",),
            "day_volume": ("volume_trade_for_the_day",),
            "sequence": (),
        },
        key=_angel_key,
        divisor=_angel_divisor,
    ),
    refused(
        "dhan",
        "Dhan, Ticker, Quote and Full Data of the Python client: a time of day without its date",
        (git("dhan-oss/DhanHQ-py/src/dhanhq/marketfeed.py", "06c830c"),),
        frozenset({"security_id", "exchange_segment", "LTP", "LTT"}),
        why="LTT is a time of day without a date; add one as timestamp",
    ),
    tick(
        "ccxt",
        "ccxt, trades of watchTrades()",
        (
            git("ccxt/ccxt/wiki/Manual.md", "000990b"),
            page("hexdocs.pm/ccxt_client/CCXT.Trade.html"),
        ),
        frozenset({"symbol", "timestamp", "price", "amount", "side"}),
        {"timestamp": ("timestamp",), "quantity": ("amount",)},
    ),
    tick(
        "yfinance",
        "yfinance, WebSocket pricing data of a currency: its volume is that of 24 hours, and left",
        _YAHOO,
        frozenset({"id", "price", "time"}),
        {"instrument": ("id",), "timestamp": ("time",), **_NO_VOLUME},
        {"quote_type": frozenset({41})},
    ),
    tick(
        "yfinance",
        "yfinance, WebSocket pricing data; the volume is the day's",
        _YAHOO,
        frozenset({"id", "price", "time"}),
        {"instrument": ("id",), "timestamp": ("time",), "day_volume": ("day_volume",)},
        some=frozenset({"quote_type", "market_hours", "change_percent", "price_hint"}),
    ),
    candle(
        "binance",
        "Binance, kline stream of one minute; a candle that still forms is passed over",
        (_KLINES,),
        frozenset({"e", "s", "t", "o", "h", "l", "c", "v", "x"}),
        _CANDLE_KEYS,
        {"e": frozenset({"kline"})},
        closed="x",
        lasting=("i", "1m"),
    ),
    tick(
        "binance",
        "Binance, trade and aggregate trade streams",
        (_KLINES,),
        frozenset({"e", "s", "p", "q", "T"}),
        {"instrument": ("s",), "timestamp": ("T",), "price": ("p",), "quantity": ("q",)},
        {"e": frozenset({"trade", "aggTrade"})},
    ),
    refused(
        "binance",
        "Binance, statistics of a window, average prices and depth",
        (_KLINES,),
        frozenset({"s"}),
        says={
            "e": frozenset(
                {"24hrTicker", "24hrMiniTicker", "1hTicker", "4hTicker", "1dTicker", "avgPrice"}
                | {"depthUpdate"}
            )
        },
        why=f"e: statistics of a window, such as 24 hours, or depth, {_NO_TRADE}",
    ),
    refused(
        "binance",
        "Binance, the best bid and ask (bookTicker)",
        (_KLINES,),
        frozenset({"u", "s", "b", "B", "a", "A"}),
        why=f"b, a: the best bid and ask, {_NO_TRADE}",
    ),
    refused(
        "binance",
        "Binance, partial depth",
        (_KLINES,),
        frozenset({"lastUpdateId", "bids", "asks"}),
        why=f"bids, asks: depth, {_NO_TRADE}",
    ),
    candle(
        "alpaca",
        "Alpaca, bars of a minute and their updates",
        _ALPACA,
        frozenset({"T", "S", "o", "h", "l", "c", "v", "t"}),
        _CANDLE_KEYS | {"instrument": ("S",)},
        {"T": frozenset({"b", "u"})},
    ),
    tick(
        "alpaca",
        "Alpaca, trades",
        _ALPACA,
        frozenset({"T", "S", "p", "s", "t"}),
        {"instrument": ("S",), "timestamp": ("t",), "price": ("p",), "quantity": ("s",)},
        {"T": frozenset({"t"})},
    ),
    refused(
        "alpaca",
        "Alpaca, quotes, books, bars of a day, corrections and cancellations",
        (
            *_ALPACA,
            page(
                "alpaca.markets/deprecated/docs/api-documentation/api-v2/market-data/"
                "alpaca-data-api-v2/real-time/"
            ),
        ),
        frozenset({"S", "t"}),
        says={"T": frozenset({"d", "q", "o", "c", "x"})},
        why=f"T: bid and ask, a bar of a day, or a trade taken back, {_NO_TRADE}",
    ),
    candle(
        "polygon",
        "Polygon, aggregates of a minute of stocks, currencies and crypto",
        (_POLYGON, page("massive.com/docs/websocket/stocks/aggregates-per-minute.md")),
        frozenset({"s", "e", "o", "h", "l", "c"}),
        _CANDLE_KEYS | {"instrument": ("sym", "pair"), "timestamp": ("s",)},
        {"ev": frozenset({"AM", "CA", "XA"})},
    ),
    tick(
        "polygon",
        "Polygon, trades",
        (_POLYGON, page("massive.com/docs/websocket/stocks/trades.md")),
        frozenset({"p", "s", "t"}),
        {
            "instrument": ("sym", "pair"),
            "timestamp": ("t",),
            "price": ("p",),
            "quantity": ("s",),
        },
        {"ev": frozenset({"T", "XT"})},
    ),
    tick(
        "polygon",
        "Polygon, values of indices",
        (_POLYGON,),
        frozenset({"val", "T", "t"}),
        {"instrument": ("T",), "timestamp": ("t",), "price": ("val",), **_NO_VOLUME},
        {"ev": frozenset({"V"})},
    ),
    refused(
        "polygon",
        "Polygon, quotes, books, imbalances, limits, fair values and aggregates of a second",
        (_POLYGON, page("massive.com/docs/websocket/stocks/aggregates-per-second.md")),
        says={"ev": frozenset({"A", "CAS", "XAS", "Q", "C", "XQ", "XL2", "NOI", "LULD", "FMV"})},
        why=f"ev: bid and ask, an aggregate of a second or another value, {_NO_TRADE}",
    ),
    candle(
        "databento",
        "Databento, ohlcv-1m records as JSON; prices without a point are divided by 10^9",
        (_DATABENTO,),
        _RECORD,
        {"instrument": ("symbol", "instrument_id"), "timestamp": ("ts_event",)},
        {"rtype": frozenset({33})},
        divisor=_databento_divisor,
    ),
    refused(
        "databento",
        "Databento, ohlcv records of another length as JSON",
        (_DATABENTO,),
        _RECORD,
        says={"rtype": frozenset({32, 34, 35, 36})},
        why=f"rtype: a record of another length than a minute {_NO_TRADE}",
    ),
)
"""Objects of live messages."""


def message_shapes(keys: tuple[str, ...]) -> tuple[Shape, ...]:
    """Return the shapes that an object with these keys may have; its values show which."""
    return tuple(shape for shape in MESSAGES if shape.fits(keys))
