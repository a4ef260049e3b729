"""Documents in the shapes that their providers document, written by hand, and what was given."""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import UTC, datetime
from typing import Any

UPSTOX = """{"status": "success", "data": {"candles": [
["2025-06-02T09:17:00+05:30", 2412.1, 2413, 2411.5, 2412.8, 1250, 0],
["2025-06-02T09:16:00+05:30", 2411.05, 2412.5, 2410.9, 2412.1, 980, 0],
["2025-06-02T09:15:00+05:30", 2410.0, 2412.0, 2409.55, 2411.05, 5210, 0]
]}}"""

KITE = """{"status": "success", "data": {"candles": [
["2017-12-15T09:15:00+0530", 1704.5, 1705, 1699.25, 1702.8, 2499, 13667775],
["2017-12-15T09:16:00+0530", 1702, 1702, 1698.15, 1698.15, 1271, 13667775]
]}}"""

CCXT = """[[1735689600000, 93425.1, 93510.0, 93400.0, 93500.2, 12.5],
[1735689660000, 93500.2, 93500.2, 93490.0, 93495.0, 3.25]]"""

BINANCE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
BINANCE_2025 = """\
1735689600000000,4.1507,4.1587,4.1506,4.1554,539.23,1735689659999999,2240.39,13,401.82,1669.98,0
1735689660000000,4.1554,4.1554,4.15,4.151,12.5,1735689719999999,51.9,4,1.5,6.22,0
"""
BINANCE_2024 = """\
1704067200000,2281.87,2297.73,2281.27,2295.51,29632.62,1704070799999,6.7,3,1.5,3.2,0
1704070800000,2295.51,2310.0,2290.0,2301.0,100.0,1704074399999,6.7,3,1.5,3.2,0
"""

BHAVCOPY_HEADER = (
    "TradDt,BizDt,Sgmt,Src,FinInstrmTp,FinInstrmId,ISIN,TckrSymb,SctySrs,XpryDt,"
    "FininstrmActlXpryDt,StrkPric,OptnTp,FinInstrmNm,OpnPric,HghPric,LwPric,ClsPric,LastPric,"
    "PrvsClsgPric,UndrlygPric,SttlmPric,OpnIntrst,ChngInOpnIntrst,TtlTradgVol,TtlTrfVal,"
    "TtlNbOfTxsExctd,SsnId,NewBrdLotQty,Rmks,Rsvd1,Rsvd2,Rsvd3,Rsvd4\n"
)


def bhavcopy_line(isin: str, series: str, prices: str, volume: int, segment: str = "CM") -> str:
    """Return a line of 34 cells."""
    return (
        f"2025-01-02,2025-01-02,{segment},NSE,STK,11,{isin},SYM,{series},,,,,NAME OF IT,{prices},"
        f"10.40,10.00,,10.45,,,{volume},1050.00,10,F1,1,,,,,\n"
    )


BHAVCOPY = (
    BHAVCOPY_HEADER
    + bhavcopy_line("INE002A01018", "EQ", "10.10,11.00,9.95,10.45", 5_000)
    + bhavcopy_line("INE002A01018", "BL", "10.20,10.20,10.20,10.20", 900)
    + bhavcopy_line("INE358U01012", "BE", "7.00,7.35,6.90,7.20", 10)
)

YFINANCE_ADJUSTED = """\
Date,Open,High,Low,Close,Adj Close,Volume
2023-02-07,548.0,551.4,540.0,547.0,527.8,16195947
2023-02-08,547.0,547.0,547.0,547.0,527.8,0
"""
YFINANCE_HISTORY = """\
Datetime,Open,High,Low,Close,Volume,Dividends,Stock Splits
2025-06-02 09:30:00-04:00,201.0,202.5,200.5,202.0,1500,0.0,0.0
2025-06-02 09:31:00-04:00,202.0,202.0,202.0,202.0,0,0.0,0.0
"""
YFINANCE_STACKED = """\
Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume
Ticker,MSFT,TSLA,MSFT,TSLA,MSFT,TSLA,MSFT,TSLA,MSFT,TSLA
Date,,,,,,,,,,
2023-02-17,254.5,208.3,256.5,208.4,252.5,197.5,255.8,199.9,30000100,213738500
2023-02-20,255.0,,255.0,,255.0,,255.0,,0,
"""

GENERIC = """\
symbol,time,open,high,low,close,volume
A,2025-06-02T09:15:00+05:30,1,2,0.5,1.5,10
B,2025-06-02T09:15:00+05:30,3,4,2.5,3.5,20
"""

Given = dict[str, Any]

SHARES: Given = {
    "instrument_key": "NSE_EQ|INE301A01014",
    "source_timeframe": "1m",
    "adjustment": "raw",
}

# Format: name of a file, its text, and what has to be said besides.
DOCUMENTS: dict[str, tuple[str, str, Given]] = {
    "upstox": ("intraday.json", UPSTOX, SHARES),
    "kite": ("history.json", KITE, SHARES),
    "ccxt": ("ohlcv.json", CCXT, {"instrument_key": "BTC/USDT", "source_timeframe": "1m"}),
    "binance": ("LINKUSDT-1m-2025-01.csv", BINANCE_2025, {}),
    "yfinance": ("saved.csv", YFINANCE_STACKED, {
        "source_timeframe": "1d", "timezone": "America/New_York", "adjustment": "total",
    }),
    "bhavcopy": ("BhavCopy_NSE_CM_0_0_0_20250102_F_0000.csv", BHAVCOPY, {}),
    "generic": ("table.csv", GENERIC, {"source_timeframe": "1m", "adjustment": "raw"}),
}  # fmt: skip


def zipped(name: str, text: str) -> bytes:
    """Return a zip archive with one file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), text)
    return out.getvalue()


def gzipped(text: str) -> bytes:
    """Return packed text, the same bytes every time."""
    return gzip.compress(text.encode(), mtime=0)


def utc(text: str) -> datetime:
    """Return an instant from its date and time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def microseconds(text: str) -> int:
    """Return an instant in microseconds since 1970."""
    return int(utc(text).timestamp()) * 1_000_000
