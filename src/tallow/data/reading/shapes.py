"""Every shape of a file or a frame that is known, and the page that lists them.

A shape is known by what only it has. Where a shape names the column of a field, that column it is;
the other fields are found by `tallow.data.reading.schema.ALIASES`. Live messages are declared in
`data.reading.message_shapes`. `docs/shapes.md` is made of both; what is not read at all is named in
`LEFT_OUT`.
"""

from __future__ import annotations

from functools import lru_cache

from tallow.core.limits import COLUMN_NAMES_KNOWN
from tallow.data.reading.shape import OPENED, Shape, git, page, table

_CDD = git("xenking/exchange-emulator/internal/parser/state.go", "441dcde")
_STOOQ = "lukaszwojtow/alis/alis/src/main/java/com/alphatica/alis/data/loader/stooq"

STUDIES = frozenset({"Basis", "EMA", "MA", "MACD", "RSI", "RSI-based MA", "Signal line"})
"""What TradingView calls plots of its own studies. One called Plot may be the volume."""

TABLES: tuple[Shape, ...] = (
    table(
        "metatrader5",
        "MetaTrader 5, Export Bars, with tabs in a .csv, too; the volume is the tick volume",
        (git("Nils3600/modularer-backtester/load_mt5_data.py", "3cabe54"),),
        frozenset({"<DATE>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>", "<TICKVOL>", "<VOL>"}),
        {"volume": ("<TICKVOL>",)},
    ),
    table(
        "metatrader5",
        "MetaTrader 5, copy_rates_from() of Python; the volume is the tick volume",
        (page("docs.MQL4.com/constants/structures/mqlrates"),),
        frozenset({"time", "open", "high", "low", "close", "tick_volume", "real_volume"}),
        {"volume": ("tick_volume",)},
    ),
    table(
        "stooq",
        "Stooq, files of its database, .txt and .csv; <PER> says how long a row lasts",
        (git(f"{_STOOQ}/StooqLoader.java", "01642d6"), git(f"{_STOOQ}/README.md", "01642d6")),
        frozenset(
            {"<TICKER>", "<PER>", "<DATE>", "<TIME>", "<OPEN>", "<CLOSE>", "<VOL>", "<OPENINT>"}
        ),
        {"volume": ("<VOL>",), "open_interest": ("<OPENINT>",)},
        periods=("<PER>", {"5": "5m", "60": "1h", "D": "1d"}),
    ),
    table(
        "dukascopy",
        "Dukascopy, Historical Data Export in GMT; dates begin with their day",
        (
            git("jprm610/Trading_Strategy_Analyzer/Model/prueba.py", "2916a41"),
            git("ppanicali/Pattern-machine-learning/dukascopyConverter.py", "097f16f"),
        ),
        frozenset({"Gmt time", "Open", "High", "Low", "Close", "Volume"}),
        {"timestamp": ("Gmt time",)},
        timezone="UTC",
        day_first=True,
    ),
    table(
        "cryptodatadownload",
        "CryptoDataDownload; the volume is that of the currency which is traded",
        (_CDD,),
        frozenset({"unix", "date", "symbol", "open", "high", "low", "close"}),
        {"timestamp": ("unix",)},
        patterns={"volume": "Volume "},
        timezone="UTC",
    ),
    table(
        "cryptodatadownload",
        "CryptoDataDownload, the same with capitals",
        (_CDD,),
        frozenset({"Unix", "Date", "Symbol", "Open", "High", "Low", "Close"}),
        {"timestamp": ("Unix",)},
        patterns={"volume": "Volume "},
        timezone="UTC",
    ),
    table(
        "polygon",
        "Polygon, flat files of aggregates; those of indices have no volume, which is asked for",
        (
            page("massive.com/docs/flat-files/options/day-aggregates.md"),
            page("massive.com/docs/flat-files/indices/minute-aggregates.md"),
        ),
        frozenset({"ticker", "window_start", "open", "high", "low", "close"}),
        {"timestamp": ("window_start",)},
        timezone="UTC",
    ),
    table(
        "tradingview",
        "TradingView, a chart's data with a study of its own and no volume: 0 is taken, and told",
        (
            page("smartswingtools.com/docs/ssi-pro/csv-export"),
            git("revenant-doom/luxalgo/src/examples/sample_data.csv", "0776a0d"),
        ),
        some=STUDIES,
        first=("time", "open", "high", "low", "close"),
        lacks=("vol", "vwap", "vwma", "plot"),
        without_volume=True,
    ),
)
"""Columns of files and frames that mean something else than their names alone would say."""

PLAIN: tuple[Shape, ...] = (
    table(
        "metatrader4",
        "MetaTrader 4, History Center's export without a header: 2026.11.02,09:15,O,H,L,C,V",
        (git("mementum/backtrader/backtrader/feeds/mt4csv.py", "0555b1a"),),
    ),
    table(
        "tradingview",
        "TradingView, other charts' data; a volume that they have not is asked for",
        (page("smartswingtools.com/docs/ssi-pro/csv-export"),),
    ),
)
"""Tables that are read by the names of their columns alone, or by their places."""

_OPENALGO = "marketcalls/openalgo"


def _document(provider: str, text: str, *sources: str) -> Shape:
    return Shape("document", provider, text, sources)


DOCUMENTS: tuple[Shape, ...] = (
    _document(
        "alpaca",
        "bars, JSON",
        git("alpacahq/alpaca-py/tests/data/test_historical_stock_data.py", "1952baa"),
    ),
    _document(
        "angel",
        "candle data, JSON",
        git(f"{_OPENALGO}/broker/angel/api/data.py", "0870c9b"),
        git("angel-one/smartapi-python/README.md", "cd4ecb1"),
        page("smartapi.angelbroking.com/user/s63128103"),
    ),
    _document(
        "bhavcopy",
        "NSE's and BSE's, UDiFF and before, CSV and zip",
        git("jugaad-py/jugaad-data/tests/test_bhav.py", "1fce84a"),
    ),
    _document(
        "bhavcopy",
        "BSE's with ISIN_CODE, before 2024-07",
        git("sandeep-sandhu/NewsLookout/newslookout/plugins/mod_in_bse.py", "0418927"),
    ),
    _document(
        "bhavcopy",
        "BSE's without ISIN, under its own name EQ050221.CSV; its keys are BSE|<SC_CODE>",
        git("imvab/bse-bhavcopy/EQ050221.CSV", "0155920"),
        page("github.com/bluechipcode/fetchbhavcopy"),
    ),
    _document(
        "binance",
        "public files and klines",
        git("binance/binance-public-data/README.md", "13ad8c5"),
    ),
    _document(
        "ccxt",
        "rows of six, and of seven with a count, JSON",
        git("ccxt/ccxt/wiki/Manual.md", "000990b"),
    ),
    _document(
        "databento",
        "ohlcv records, CSV and frames",
        page("databento.com/docs/schemas/ohlcv.md"),
        git("databento/dbn/rust/dbn/src/encode/json/sync.rs", "07b766a"),
    ),
    _document(
        "dhan",
        "charts, JSON",
        page("dhanhq.co/docs/v2/historical-data/"),
        git("dhan-oss/DhanHQ-py/tests/data/intraday_minute_data.json", "ff2ea96"),
    ),
    _document(
        "fyers",
        "history, JSON",
        git("SPRAGE/fyers-rs/fixtures/rest/data/history/response_success.json", "3a21e21"),
        page("docs.rs/crate/fyers/latest/source/src/models/history/history_response.rs"),
    ),
    _document(
        "kite",
        "historical candles, JSON",
        page("kite.trade/docs/connect/v3/historical/"),
        git("manikpandita23/kiteconnect-mocks/historical_minute.json", "fd728bc"),
    ),
    _document(
        "openalgo",
        "history, JSON",
        page("docs.openalgo.in/api-documentation/v1/data-api/history"),
        git(f"{_OPENALGO}/docs/api/market-data/history.md", "032ee7d"),
    ),
    _document(
        "polygon",
        "aggregates, JSON",
        git("polygon-io/client-python/test_rest/test_aggs.py", "03e97a2"),
        page("docs.rs/crate/pt/latest/source/src/models/agg_response.rs"),
    ),
    _document(
        "upstox",
        "historical candles V2, V3, JSON",
        page("upstox.com/developer/api-documentation/v3/get-historical-candle-data"),
        page("upstox.com/developer/api-documentation/get-intra-day-candle-data"),
    ),
    _document(
        "yfinance",
        "frames, in every container",
        git("ranaroussi/yfinance/yfinance/multi.py", "02c1c60"),
    ),
)
"""What the readers of `tallow.data.providers` read."""

SECOND_HAND = (
    "MetaTrader 5's header with its angle brackets",
    "Stooq's header, and its periods 5, 60 and D",
    "the header of BSE's file with ISIN_CODE",
    "ccxt's rows of seven (`build_ohlcvc`)",
    "the names of TradingView's studies (EMA, MA, RSI, MACD, Basis), with and without a volume",
)
"""What was read in excerpts only that name neither repository nor file."""

LEFT_OUT = (
    "NSE's full bhavcopy with deliveries, which has no ISIN",
    "BSE's old file without ISIN under another name than its own, which alone says its date",
    "Polygon's grouped bars of a day, whose times are of its end",
    "Databento's own format (.dbn), and documents of JSON packed with Zstandard",
    "live messages of TradingView, whose alerts are free text",
    "binary frames of brokers before their clients decode them",
)
"""What is not read."""


def markdown() -> str:
    """Return the page of all shapes."""
    from tallow.data.reading.message_shapes import MESSAGES

    rows = [
        f"| {shape.provider} | {shape.form} | {_escaped(shape.text)} | "
        f"{', '.join(f'<{source}>' for source in shape.sources)} |"
        for shape in sorted((*DOCUMENTS, *TABLES, *PLAIN, *MESSAGES), key=lambda it: it.provider)
    ]
    head = "# Shapes\n\nFiles, frames and live messages that are known by what only they have.\n"
    head += (
        f"Files of repositories were opened on {OPENED}, in the state that their address names;\n"
    )
    head += (
        "pages were read that day in stored copies, in the excerpts that a search gives of them.\n"
    )
    table = "| provider | form | what | source |\n|---|---|---|---|\n"
    return (
        f"{head}\n{table}" + "\n".join(rows) + "\n"
        f"\nRead only in excerpts of files that nobody named:\n\n{_listed(SECOND_HAND)}"
        f"\nLeft out:\n\n{_listed(LEFT_OUT)}"
    )


def _escaped(text: str) -> str:
    return text.replace("|", r"\|").replace("<", r"\<")


def _listed(items: tuple[str, ...]) -> str:
    return "".join(f"- {each}\n" for each in items)


@lru_cache(maxsize=COLUMN_NAMES_KNOWN)
def table_shape(columns: tuple[str, ...]) -> Shape | None:
    """Return the shape of a table with these columns, or None where no shape knows them."""
    return next((shape for shape in TABLES if shape.fits(columns)), None)
