"""Stops and lines that follow a trend, and bands and products that tell one."""

from __future__ import annotations

from tests.oracles.table import LENGTHS, Row

HLC = "high, low, close"
ROWS = (
    Row("sar({0}, {0}, {1})", "talib.SAR(high, low, {0}, {1})", ((0.02, 0.2), (0.1, 0.1))),
    Row("sar({0}, {0}, {1})", "wickra.PSAR({0}, {0}, {1}).batch(high, low, close)", ((0.02, 0.2),)),
    Row("nvi", "talib.NVI(close, volume)", ((),)),
    Row("nvi(1000)", "wickra.NVI().batch(close, volume)", ((),)),
    Row("pvi", "talib.PVI(close, volume)", ((),)),
    Row("pvi(1000)", "wickra.PVI().batch(close, volume)", ((),)),
    Row("accbands({0})", f"talib.ACCBANDS({HLC}, {{0}})", LENGTHS[1:]),
    Row("accbands({0})", f"wickra.AccelerationBands({{0}}).batch({HLC})"),
    Row(
        "chandelier({0}, {1})",
        f"wickra.ChandelierExit({{0}}, {{1}}).batch({HLC})",
        ((22, 3.0), (5, 2.0)),
    ),
)
