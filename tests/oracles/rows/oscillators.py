"""Oscillators."""

from __future__ import annotations

from tests.oracles.table import LENGTHS, Row

PAIRS = ((12, 26), (3, 10), (5, 34))
SHORT_LONG = ((13, 25), (2, 5), (14, 50))
CURVES = ((10, 14, 11), (5, 9, 4), (2, 3, 2))
THREE = ((7, 14, 28), (2, 3, 5), (5, 10, 50))

ROWS = (
    Row("williams_r({0})", "talib.WILLR(high, low, close, {0})"),
    Row("williams_r({0})", "wickra.WilliamsR({0}).batch(high, low, close)", null_is=-50.0),
    # Of two prices it is a sign, and at equal ones that of their rounding, which stays in theirs.
    Row("cci({0})", "talib.CCI(high, low, close, {0})", LENGTHS[1:], residue=1e-10),
    Row(
        "cci({0})",
        "wickra.CCI({0}).batch(high, low, close)",
        LENGTHS[1:],
        null_is=0.0,
        residue=1e-10,
        differs_on=dict.fromkeys(
            ("still", "stops and goes on", "PREMEXPLN"),
            "of equal prices its mean is rounded, and the distance from it is a value",
        ),
    ),
    Row("trix({0})", "talib.TRIX(close, {0})"),
    Row("trix({0})", "wickra.TRIX({0}).batch(close)", null_is=0.0),
    Row("apo({0}, {1})", "talib.APO(close, {0}, {1}, 1)", PAIRS),
    Row("apo({0}, {1})", "wickra.APO({0}, {1}).batch(close)", PAIRS),
    Row("ppo({0}, {1})", "talib.PPO(close, {0}, {1}, 1)", PAIRS),
    Row("ppo({0}, {1})", "wickra.PPO({0}, {1}).batch(close)", PAIRS, null_is=0.0),
    Row("pvo({0}, {1})", "talib.PVO(volume, {0}, {1}, 1)", PAIRS),
    Row("dpo({0})", "talib.DPO(close, {0})"),
    Row("dpo({0}, shift=close)", "wickra.DPO({0}).batch(close)"),
    Row("coppock({0}, {1}, {2})", "talib.COPPOCK(close, {0}, {2}, {1})", CURVES),
    Row(
        "coppock({0}, {1}, {2})", "wickra.Coppock({1}, {2}, {0}).batch(close)", CURVES, null_is=0.0
    ),
    Row("tsi({0}, {1})", "talib.TSI(close, {1}, {0})", SHORT_LONG),
    Row("tsi({0}, {1})", "wickra.TSI({1}, {0}).batch(close)", SHORT_LONG, null_is=0.0),
    Row("ultimate({0}, {1}, {2})", "talib.ULTOSC(high, low, close, {0}, {1}, {2})", THREE),
    Row(
        "ultimate({0}, {1}, {2})",
        "wickra.UltimateOscillator({0}, {1}, {2}).batch(high, low, close)",
        THREE,
        null_is=50.0,
        differs_on=dict.fromkeys(
            ("ticking", "stops and goes on", "PREMEXPLN", "IDEAFORGE"),
            "where some of the three have no range, it has a value all the same",
        ),
    ),
    Row("cmo({0})", "talib.CMO(close, {0})"),
    Row("cmo({0}, smoothing=sums)", "talib.CMOU(close, {0})", residue=1e-10),
    Row("cmo({0})", "wickra.CMO({0}).batch(close)", null_is=0.0, residue=1e-10),
)
