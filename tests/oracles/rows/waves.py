"""Ehlers' dominant cycle: its period and phase, and averages made of them."""

from __future__ import annotations

from tests.oracles.table import Converges, Row

STEP = "its prices before the first are zero"
EARLY, LATE = Converges(STEP, 13.0), Converges(STEP, 6.5)
STILL = dict.fromkeys(
    ("stops and goes on", "PREMEXPLN"), "of equal prices it takes what their sums' rounding leaves"
)
TICKING = STILL | {"ticking": STILL["PREMEXPLN"]}
EQUAL = TICKING | dict.fromkeys(("still", "zero", "zeros"), "it has a phase where all are equal")

ROWS = (
    Row("ht_dcperiod", "talib.HT_DCPERIOD(close)", ((),), converges=EARLY, differs_on=STILL),
    Row("ht_trendline", "talib.HT_TRENDLINE(close)", ((),), converges=LATE, differs_on=STILL),
    Row("ht_sine", "talib.HT_SINE(close)", ((),), converges=LATE, differs_on=EQUAL),
    Row(
        "ht_trendmode",
        "np.where(np.arange(len(close)) < 63, np.nan, talib.HT_TRENDMODE(close))",
        ((),),
        converges=LATE,
        differs_on=TICKING,
    ),
    Row(
        "mama({0}, {1})",
        "talib.MAMA(close, {0}, {1})",
        ((0.5, 0.05), (0.8, 0.1)),
        converges=EARLY,
        differs_on=TICKING,
    ),
)
