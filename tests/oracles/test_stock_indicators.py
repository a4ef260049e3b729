"""Goal: our columns are those of the spreadsheets that Stock.Indicators worked out by hand.

Method: `SHEETS` says of every result column of every sheet which of our outputs it is, or why it is
none; a test fails where a sheet or a column is in neither. Compared at 1e-8, null rows included.
Source: DaveSkender/Stock.Indicators, Apache-2.0.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import tallow
from tallow.core.operator import Convention
from tests.oracles.reading import CANDLE, candles, columns, header, records
from tests.running import all_indicators, case, outputs

TOLERANCE = 1e-8
LAST_DIGITS = 1e-15
"""Relative: volumes in sums of 1e8 have no eighth decimal."""


@dataclass(frozen=True)
class Ours:
    """The output that equals a sheet's column.

    `source` is the sheet's column that is fed as the close. `later` rows: the sheet shows our value
    of a row that much later. `scale`: ours are so many of the sheet's.
    """

    spec: str
    output: str
    source: str = "close"
    convention: Convention = "tradingview"
    later: int = 0
    scale: float = 1.0


NOT_BUILT = "belongs to no indicator that is built"
STEP = "a step of the sheet's working, which its compared columns contain"

SHEETS: dict[str, str | dict[str, Ours | str]] = {
    "aroon25": {
        # On one row there are two highest highs; ours is TA-Lib's and Wickra's there.
        **dict.fromkeys(
            ("up", "down", "osc"), "of equal extremes the first counts, not the latest"
        ),
        **dict.fromkeys(("max", "min", "i2", "dsHigh", "dsLow"), STEP),
    },
    "atr14": {
        "TR": Ours("true_range", "true_range"),
        # The sheet's first row has no range, as in TA-Lib.
        "ATR": Ours("atr(14)", "atr", convention="talib"),
        "ATR%": "the sheet's own ATR in percent of the close; " + NOT_BUILT,
        "H-L": STEP,
        "|H-pC|": STEP,
        "|L-pC|": STEP,
    },
    "bollinger_20_2": {
        "stdev": Ours("stddev(20)", "stddev"),
        "sma": Ours("bollinger(20, 2)", "middle"),
        "upper": Ours("bollinger(20, 2)", "upper"),
        "lower": Ours("bollinger(20, 2)", "lower"),
        "%b": Ours("bollinger(20, 2)", "percent_b"),
        "width": Ours("bollinger(20, 2)", "width_percent", scale=100.0),
        "z-score": Ours("zscore(20)", "zscore"),
    },
    "correlation20": NOT_BUILT,
    "donchian20": {
        # Declared difference: the sheet's channel leaves out the current row, so it is our channel
        # of the row before.
        "Upper": Ours("donchian(20)", "upper", later=1),
        "Center": Ours("donchian(20)", "middle", later=1),
        "Lower": Ours("donchian(20)", "lower", later=1),
        "Width": NOT_BUILT,
    },
    "ema20": {
        "ema": Ours("ema(20)", "ema"),
        "ema(O)": Ours("ema(20)", "ema", source="open"),
    },
    "obv": {
        "obv": Ours("obv", "obv"),
        "sma": Ours("sma(20)", "sma", source="obv"),
        "upDown": STEP,
    },
    "roc20": {
        "roc": Ours("roc(20)", "roc"),
        "sma(5)": Ours("sma(5)", "sma", source="roc"),
        "ema(3)": Ours("ema(3)", "ema", source="roc"),
        "rocDev": "the root of the mean of roc^2; " + NOT_BUILT,
        "mom": STEP,
        "roc^2": STEP,
    },
    "rsi14": {
        "RSI(14)": Ours("rsi(14)", "rsi"),
        "AvgGain": Ours("rma(14)", "rma", source="Gain"),
        "AvgLoss": Ours("rma(14)", "rma", source="Loss"),
        "EMA(20)": Ours("ema(20)", "ema", source="RSI(14)"),
        "Gain": STEP,
        "Loss": STEP,
        "RS": STEP,
    },
    "slope20": {
        "m": Ours("linreg(20)", "slope"),
        "r2": Ours("r_squared(20)", "r_squared"),
        "stdev": Ours("stddev(20)", "stddev"),
        "b": "the line at the first row of all, not at that of the window",
        "line": "the line of the last row only",
        "output": STEP,
        "index": STEP,
    },
    "sma20_close": {
        "SMA": Ours("sma(20)", "sma"),
        "SMA(O)": Ours("sma(20)", "sma", source="open"),
        "Upper": "an envelope of 2.5 percent; " + NOT_BUILT,
        "Lower": "an envelope of 2.5 percent; " + NOT_BUILT,
    },
    "stddev10": {
        "stddev": Ours("stddev(10)", "stddev"),
        "mean": Ours("sma(10)", "sma"),
        "sma": Ours("sma(5)", "sma", source="stddev"),
        "zscore": Ours("zscore(10)", "zscore"),
    },
    "true_range": {
        "TR": Ours("true_range", "true_range"),
        "H-L": STEP,
        "|H-pC|": STEP,
        "|L-pC|": STEP,
    },
    "vwap_anchored_day": {
        "VWAP": Ours("vwap", "vwap"),
        "TP": STEP,
        "V×TP": STEP,  # noqa: RUF001 - the sheet's own word
        "CumVTP": STEP,
        "CumVol": STEP,
    },
    "vwma10": {"vwma": Ours("vwma(10)", "vwma")},
}

COMPARED = [
    pytest.param(sheet, column, ours, id=f"{sheet}-{column}")
    for sheet, table in SHEETS.items()
    if not isinstance(table, str)
    for column, ours in table.items()
    if isinstance(ours, Ours)
]
GIVEN = {"i", "date", "open", "high", "low", "close", "volume"}


@pytest.fixture(scope="module")
def folder(reference: Path) -> Path:
    return reference / "oracles" / "stock_indicators"


def test_every_sheet_and_column_is_accounted_for(folder: Path) -> None:
    found = {path.stem.removeprefix("sheet_"): header(path) for path in folder.glob("sheet_*.csv")}
    assert set(found) == set(SHEETS)
    for sheet, table in SHEETS.items():
        if not isinstance(table, str):
            assert set(table) == set(found[sheet]) - GIVEN, sheet


@pytest.mark.parametrize(("sheet", "column", "ours"), COMPARED)
def test_sheet(folder: Path, sheet: str, column: str, ours: Ours) -> None:
    rows = records(folder / f"sheet_{sheet}.csv")
    # Some sheets leave out columns that the kernel does not need.
    names = [name for name in CANDLE if name in rows[0]]
    given = columns(rows, *names) | {"session": np.ones(len(rows))}
    given["close"] = columns(rows, ours.source)[ours.source.lower()]
    expected = columns(rows, column)[column.lower()]

    column_of_ours = outputs(ours.spec, given, ours.convention)[ours.output] / ours.scale
    shifted = np.concatenate([np.full(ours.later, np.nan), column_of_ours])[: len(rows)]
    np.testing.assert_array_equal(np.isnan(shifted), np.isnan(expected), "null rows")
    np.testing.assert_allclose(shifted, expected, rtol=LAST_DIGITS, atol=TOLERANCE)
    assert np.isfinite(expected).any()


# Whole sets of quotes without expected values


QUOTES = ("default", "intraday", "bitcoin", "longish", "penny", "max", "toobig", "mismatch")
HOLLOW = ("zeros", "bad")
"""Without prices, or with blank cells: most values are null."""


def test_every_set_of_quotes_is_used(folder: Path) -> None:
    found = {path.stem.removeprefix("quotes_") for path in folder.glob("quotes_*.csv")}
    assert found == {*QUOTES, *HOLLOW}


@pytest.mark.parametrize("convention", ["tradingview", "talib"])
@pytest.mark.parametrize("name", [*QUOTES, *HOLLOW])
def test_quotes_give_finite_values(folder: Path, name: str, convention: Convention) -> None:
    """Huge, tiny, all-zero and incomplete quotes: nothing crashes, nothing is infinite."""
    given = candles(records(folder / f"quotes_{name}.csv"))
    for indicator in all_indicators():
        warmup = max(50, *case(indicator, convention).first_rows(given))
        for column in outputs(indicator, given, convention).values():
            assert not np.isinf(column).any(), indicator
            assert name in HOLLOW or not np.isnan(column[warmup:]).any(), indicator


def test_fifteen_minute_bars(folder: Path) -> None:
    """108 published bars from one-minute quotes in New York's time.

    Declared difference: there the 16:00 minute makes a bar of its own; on XNYS it is after the
    close, outside the session, and counted as such: four of them.
    """
    read = tallow.read_candles(
        folder / "quotes_intraday.csv", timezone="America/New_York", instrument_key="SPY"
    )
    result = tallow.AnalyticsEngine(calendar="XNYS").process_candles(read, "15m", ())
    published = [
        (row["ts_start"], *(float(row[name]) for name in CANDLE))
        for row in records(folder / "aggregate_intraday_15min.csv")
    ]
    after_close = [row for row in published if str(row[0]).endswith("T16:00:00")]
    local = pl.col("timestamp").dt.convert_time_zone("America/New_York")
    bars = result.frame.select(local.dt.strftime("%Y-%m-%dT%H:%M:%S"), *CANDLE).rows()
    assert len(published) == 108
    assert len(after_close) == result.report.candles.outside_session == 4
    assert bars == [row for row in published if row not in after_close]
