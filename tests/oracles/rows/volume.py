"""What volume is part of, stops, and who was stronger in a row."""

from __future__ import annotations

from tests.oracles.table import Row

HLCV = "high, low, close, volume"
ROWS = (
    Row("sar({0}, {0}, {1})", "talib.SAR(high, low, {0}, {1})", ((0.02, 0.2), (0.1, 0.1))),
    Row("sar({0}, {0}, {1})", "wickra.PSAR({0}, {0}, {1}).batch(high, low, close)", ((0.02, 0.2),)),
    Row("ad", f"talib.AD({HLCV})", ((),)),
    Row("ad", f"wickra.ADL().batch({HLCV})", ((),)),
    Row("adosc({0}, {1})", f"talib.ADOSC({HLCV}, {{0}}, {{1}})", ((3, 10), (2, 5))),
    Row(
        "adosc({0}, {1})",
        f"wickra.ChaikinOscillator({{0}}, {{1}}).batch({HLCV})",
        ((3, 10), (2, 5)),
    ),
    Row("bop", "talib.BOP(open, high, low, close)", ((),)),
    Row("bop(flat=zero)", "wickra.BalanceOfPower().batch(open, high, low, close)", ((),)),
    Row("nvi", "talib.NVI(close, volume)", ((),)),
    Row("nvi(1000)", "wickra.NVI().batch(close, volume)", ((),)),
    Row("pvi", "talib.PVI(close, volume)", ((),)),
    Row("pvi(1000)", "wickra.PVI().batch(close, volume)", ((),)),
    Row("pvt", "talib.PVT(close, volume)", ((),)),
    Row("pvt", "wickra.VolumePriceTrend().batch(close, volume)", ((),)),
)
