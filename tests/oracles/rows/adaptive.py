"""Averages that weigh by a curve or adapt to the market, and where a close stands among others."""

from __future__ import annotations

from tests.oracles.table import Converges, Row

BELLS = ((9, 0.85, 6.0), (2, 0.5, 3.0), (50, 0.0, 6.0))

ROWS = (
    Row("kama({0})", "talib.KAMA(close, {0})"),
    Row(
        "kama({0})",
        "wickra.KAMA({0}, 2, 30).batch(close)",
        converges=Converges("it starts from the first value's own close", 60.0),
    ),
    Row("t3({0}, {1})", "talib.T3(close, {0}, {1})", ((2, 0.7), (5, 0.7), (14, 0.5))),
    Row("t3({0}, {1})", "wickra.T3({0}, {1}).batch(close)", ((2, 0.7), (5, 0.7), (14, 0.5))),
    Row("alma({0}, {1}, {2})", "wickra.ALMA({0}, {1}, {2}).batch(close)", BELLS),
    Row(
        "mcginley({0})",
        "wickra.McGinleyDynamic({1}).batch(close)",
        ((3, 5), (6, 10), (30, 50)),
        starts="its length counts as 0.6 of it",
        converges=Converges("it begins with the mean of all of its length", 60.0),
        differs_on=dict.fromkeys(
            ("jumps", "bitcoin"), "after a fall to less than half it goes beyond the close"
        ),
    ),
    Row(
        "zscore({0})",
        "wickra.ZScore({0}).batch(close)",
        null_is=0.0,
        # The root of what its running sums of squares leave behind.
        residue=1e-10,
        differs_on={"jumps": "its running sums keep a residue of what was"},
    ),
    Row("percent_rank({0})", "talib.PERCENTRANK(close, {0})"),
    Row(
        "stoch_rsi({0}, {1}, 1, {2})",
        "talib.STOCHRSI(close, {0}, {1}, {2}, SIMPLE)",
        ((14, 14, 3), (14, 5, 3), (5, 9, 1)),
    ),
    Row(
        "stoch_rsi({0}, {1}, 1)",
        "wickra.StochRSI({0}, {1}).batch(close)",
        ((14, 14), (5, 9)),
        null_is=50.0,
        differs_on=dict.fromkeys(
            ("ticking", "stops and goes on", "PREMEXPLN"),
            "where nothing changes its rsi wanders in its last digits",
        ),
    ),
)
