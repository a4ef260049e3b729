"""What charts draw at another row than that at which it is known."""

from __future__ import annotations

from tests.oracles.table import Row

ROWS = (
    Row(
        "ichimoku({0}, {1}, {2})",
        "cloud(wickra.Ichimoku({0}, {1}, {2}, {1}).batch(high, low, close), {1})",
        ((9, 26, 52), (3, 7, 11)),
        starts="it shows spans where charts draw them",
    ),
    # It has 0 before its first row, too.
    Row(
        "fractal({0}, {1})",
        "flags(talib.FRACTAL(high, low, {0}, {1}), {0} + {1})",
        ((2, 2), (3, 1)),
    ),
    Row("heikin_ashi", "talib.HA(open, high, low, close)", ((),)),
    Row("heikin_ashi", "wickra.HeikinAshi().batch(open, high, low, close)", ((),)),
)
