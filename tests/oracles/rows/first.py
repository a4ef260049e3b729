"""Averages, ranges, channels and oscillators that were there first."""

from __future__ import annotations

from tests.oracles.table import LENGTHS, Row

HLC = "high, low, close"
ROWS = (
    Row("sma({0})", "talib.SMA(close, {0})"),
    Row("sma({0})", "wickra.SMA({0}).batch(close)"),
    Row("volume_sma({0})", "talib.SMA(volume, {0})"),
    Row("ema({0})", "talib.EMA(close, {0})"),
    Row("ema({0})", "wickra.EMA({0}).batch(close)"),
    Row("wma({0})", "talib.WMA(close, {0})"),
    Row("wma({0})", "wickra.WMA({0}).batch(close)"),
    Row("rma({0})", "talib.RMA(close, {0})"),
    Row("rma({0})", "wickra.SMMA({0}).batch(close)"),
    Row("rsi({0})", "talib.RSI(close, {0})"),
    Row("rsi({0}, flat=50)", "wickra.RSI({0}).batch(close)"),
    Row("atr({0})", f"talib.ATR({HLC}, {{0}})", ((1,), *LENGTHS)),
    Row("atr({0})", f"wickra.ATR({{0}}).batch({HLC})"),
    Row("stddev({0})", "talib.STDDEV(close, {0}, 1.0)"),
    # The root of what its running sums of squares leave behind.
    Row(
        "stddev({0})",
        "wickra.StdDev({0}).batch(close)",
        residue=1e-8,
    ),
    Row(
        "bollinger({0}, {1})", "talib.BBANDS(close, {0}, {1}, {1})", ((2, 2.0), (5, 0.5), (50, 2.0))
    ),
    Row("roc({0})", "talib.ROC(close, {0})"),
    Row("roc({0}, flat=zero)", "wickra.ROC({0}).batch(close)"),
    Row("donchian({0})", "talib.DONCHIAN(high, low, {0})"),
    Row(
        "supertrend(length={0}, multiplier={1})",
        f"(talib.SUPERTREND({HLC}, {{0}}, {{1}})[0], "
        f"known(talib.SUPERTREND({HLC}, {{0}}, {{1}})[1]))",
        ((2, 3.0), (14, 0.5), (50, 3.0)),
    ),
    Row(
        "keltner({0}, {1}, {2})",
        f"talib.KC({HLC}, {{0}}, {{2}}, {{1}})",
        ((2, 2.0, 10), (14, 2.0, 10), (50, 0.5, 10), (5, 2.0, 14)),
    ),
    Row(
        "adx({0})",
        f"(talib.ADX({HLC}, {{0}}), talib.PLUS_DI({HLC}, {{0}}), talib.MINUS_DI({HLC}, {{0}}))",
    ),
    Row("true_range", f"talib.TRANGE({HLC})", ((),)),
    # It knows no sessions, and has 0 without volume.
    Row("vwap", f"np.where(np.cumsum(volume) > 0.0, talib.VWAP({HLC}, volume), np.nan)", ((),)),
    Row("obv", "talib.OBV(close, volume)", ((),)),
    Row("obv", "wickra.OBV().batch(close, volume)", ((),)),
    Row("hl2", "talib.MEDPRICE(high, low)", ((),)),
    Row("hlc3", f"talib.TYPPRICE({HLC})", ((),)),
    Row("ohlc4", f"talib.AVGPRICE(open, {HLC})", ((),)),
    Row(
        "macd({0}, {1}, {2})",
        "talib.MACD(close, {0}, {1}, {2})",
        ((12, 26, 9), (3, 17, 5)),
    ),
    Row(
        "stoch({0}, {1}, {2})",
        f"talib.STOCH({HLC}, {{0}}, {{1}}, SIMPLE, {{2}}, SIMPLE)",
        ((14, 1, 3), (5, 3, 3)),
    ),
)
