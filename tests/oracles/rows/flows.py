"""Money that flows: volume with a sign, or by where in its range a row closed."""

from __future__ import annotations

from tests.oracles.table import Row

HLCV = "high, low, close, volume"
PAIRS = ((3, 10), (2, 5))
ROUNDED = dict.fromkeys(
    ("ticking", "intraday", "penny", "PREMEXPLN", "IDEAFORGE"),
    "it takes the rounding of a mean of three prices for a change",
)
ROWS = (
    Row(
        "mfi({0})",
        f"talib.MFI({HLCV}, {{0}})",
        residue=1e-10,
    ),
    Row(
        "mfi({0})",
        f"wickra.MFI({{0}}).batch({HLCV})",
        null_is=50.0,
        differs_on=ROUNDED
        | {
            "RAYMOND": ROUNDED["ticking"],
            "stops and goes on": "its running sums keep a residue of what was",
        },
    ),
    Row("cmf({0})", f"talib.CMF({HLCV}, {{0}})"),
    Row("cmf({0}, zero)", f"wickra.ChaikinMoneyFlow({{0}}).batch({HLCV})"),
    Row("efi({0})", "talib.EFI(close, volume, {0})"),
    Row("efi({0})", "wickra.ForceIndex({0}).batch(close, volume)"),
    Row("ad", f"talib.AD({HLCV})", ((),)),
    Row("ad", f"wickra.ADL().batch({HLCV})", ((),)),
    Row("adosc({0}, {1})", f"talib.ADOSC({HLCV}, {{0}}, {{1}})", PAIRS),
    Row("adosc({0}, {1})", f"wickra.ChaikinOscillator({{0}}, {{1}}).batch({HLCV})", PAIRS),
    Row("pvt", "talib.PVT(close, volume)", ((),)),
    Row("pvt", "wickra.VolumePriceTrend().batch(close, volume)", ((),)),
    Row(
        "kvo({0}, {1}, force=klinger)",
        f"wickra.KVO({{0}}, {{1}}).batch({HLCV})",
        PAIRS,
        differs_on=ROUNDED | {"AVANTEL": ROUNDED["ticking"]},
    ),
    Row("chaikin_volatility({0}, {1})", "talib.CVI(high, low, {0}, {1})", ((10, 10), (3, 7))),
    Row(
        "chaikin_volatility({0}, {1}, zero)",
        "wickra.ChaikinVolatility({0}, {1}).batch(high, low)",
        ((10, 10), (3, 7)),
    ),
    Row("rvol({0})", "finite(talib.RVOL(volume, {0}))"),
)
