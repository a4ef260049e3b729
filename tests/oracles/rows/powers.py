"""Who was stronger in a row, swings of middles, and what is made of deviations and falls."""

from __future__ import annotations

from tests.oracles.table import Row

HLC = "high, low, close"
PAIRS = ((5, 34), (3, 10), (2, 3))

ROWS = (
    Row("bop", f"talib.BOP(open, {HLC})", ((),)),
    Row("bop", f"wickra.BalanceOfPower().batch(open, {HLC})", ((),), null_is=0.0),
    Row("ao({0}, {1})", "talib.AO(high, low, {0}, {1})", PAIRS),
    Row("ao({0}, {1})", "wickra.AwesomeOscillator({0}, {1}).batch(high, low)", PAIRS),
    Row("elder_ray({0})", f"talib.ERI({HLC}, {{0}})"),
    Row("elder_ray({0})", f"wickra.ElderRay({{0}}).batch({HLC}).tolist()"),
    Row(
        "smi({0}, {1}, {2}, {3})",
        f"talib.SMI({HLC}, {{0}}, {{1}}, {{2}}, {{3}})",
        ((13, 2, 25, 9), (10, 3, 3, 3), (5, 4, 7, 2)),
    ),
    Row(
        "smi({0}, {1}, {1})",
        f"wickra.SMI({{0}}, {{1}}, {{1}}).batch({HLC})",
        ((5, 3), (14, 2)),
        differs_on={"stops and goes on": "once its averages have faded away it has no value"},
    ),
    Row(
        "kst",
        "wickra.KST(10, 15, 20, 30, 10, 10, 10, 15, 9).batch(close).tolist()",
        ((),),
        starts="its first values come together",
        null_is=0.0,
    ),
    Row(
        "historical_volatility({0}, 252)",
        # Its deviation is a sample's.
        "np.sqrt(1.0 - 1.0 / {0}) * np.asarray(wickra.HistoricalVolatility({0}, 252).batch(close))",
        residue=1e-8,
    ),
    Row(
        "hurst({0})",
        # It takes what it is given as returns, and has parts of a half, a third, ... of them.
        "inside(wickra.HurstExponent({0}, 2).batch(returns(close)), 0.0, 1.0)",
        ((16,), (24,), (31,)),
        starts="what is not within 0 and 1 is 0 or 1",
    ),
    Row("rvi({0}, {1})", "talib.RVI(close, {1}, {0})", ((10, 14), (2, 5), (20, 7)), residue=1e-8),
    Row(
        "rvi({0}, {0}, smoothing=wilder, unchanged=neither)",
        "wickra.RVIVolatility({0}).batch(close)",
        null_is=50.0,
        residue=1e-8,
    ),
    Row(
        "rvgi({0})",
        f"wickra.RVI({{0}}).batch(open, {HLC})",
        differs_on=dict.fromkeys(
            ("stops and goes on", "PREMEXPLN"),
            "without any range it divides what sums leave behind",
        ),
    ),
    Row(
        "ulcer({0})",
        "wickra.UlcerIndex({0}).batch(close)",
        ((14,), (50,)),
        null_is=0.0,
        # The root of what its running sums leave behind.
        residue=1e-9,
        differs_on=dict.fromkeys(
            ("ticking", "PREMEXPLN"), "its running sum falls below zero, and has no root"
        ),
    ),
)
