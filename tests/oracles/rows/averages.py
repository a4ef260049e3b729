"""Averages, the line of least squares, and what else smooths a price."""

from __future__ import annotations

from tests.oracles.table import LENGTHS, Row

ROWS = (
    Row("dema({0})", "talib.DEMA(close, {0})"),
    Row("dema({0})", "wickra.DEMA({0}).batch(close)"),
    Row("tema({0})", "talib.TEMA(close, {0})"),
    Row("tema({0})", "wickra.TEMA({0}).batch(close)"),
    Row("zlema({0})", "talib.ZLEMA(close, {0})"),
    Row("zlema({0})", "wickra.ZLEMA({0}).batch(close)"),
    Row("trima({0})", "talib.TRIMA(close, {0})"),
    Row("trima({0})", "wickra.TRIMA({0}).batch(close)"),
    Row("hma({0})", "talib.HMA(close, {0})", (*LENGTHS, (9,), (16,))),
    # It rounds the root to the nearest, and so has another length at 14.
    Row("hma({0})", "wickra.HMA({0}).batch(close)", ((2,), (5,), (9,), (50,))),
    # Without volume it divides by zero.
    Row("vwma({0})", "finite(talib.VWMA(close, volume, {0}))"),
    Row(
        "vwma({0})",
        "wickra.VWMA({0}).batch(close, volume)",
        differs_on=dict.fromkeys(
            ("ticking", "zero", "zeros", "PREMEXPLN"), "without volume it has the plain mean"
        ),
    ),
    Row("momentum({0})", "talib.MOM(close, {0})"),
    Row("momentum({0})", "wickra.MOM({0}).batch(close)"),
    Row("midpoint({0})", "talib.MIDPOINT(close, {0})"),
    Row("midpoint({0})", "wickra.MIDPOINT({0}).batch(close)"),
    Row("midprice({0})", "talib.MIDPRICE(high, low, {0})"),
    Row("midprice({0})", "wickra.MIDPRICE({0}).batch(high, low, close)"),
    Row(
        "linreg({0})",
        "(talib.LINEARREG(close, {0}), talib.LINEARREG_SLOPE(close, {0}), "
        "talib.LINEARREG_INTERCEPT(close, {0}), talib.LINEARREG_ANGLE(close, {0}))",
    ),
    Row(
        "linreg({0})",
        "(wickra.LinearRegression({0}).batch(close), wickra.LinRegSlope({0}).batch(close), "
        "wickra.LINEARREG_INTERCEPT({0}).batch(close), wickra.LinRegAngle({0}).batch(close))",
    ),
    Row("tsf({0})", "talib.TSF(close, {0})"),
    Row("tsf({0})", "wickra.TSF({0}).batch(close)"),
    Row(
        "r_squared({0})",
        "wickra.RSquared({0}).batch(close)",
        LENGTHS[1:],
        null_is=1.0,
        differs_on=dict.fromkeys(
            ("ticking", "jumps", "stops and goes on", "PREMEXPLN"),
            "its running sums keep a residue of what was",
        ),
    ),
)
