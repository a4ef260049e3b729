"""Two series beside each other."""

from __future__ import annotations

from tests.oracles.table import LENGTHS, Row

ROWS = (
    Row("correlation({0})", "talib.CORREL(close, volume, {0})", LENGTHS[1:], residue=1e-9),
    Row(
        "correlation({0})",
        "wickra.PearsonCorrelation({0}).batch(close, volume)",
        LENGTHS[1:],
        null_is=0.0,
        residue=1e-9,
        differs_on=dict.fromkeys(
            ("ticking", "jumps", "stops and goes on", "PREMEXPLN"),
            "its running sums leave a deviation behind where there is none, or little",
        ),
    ),
    Row("beta({0})", "talib.BETA(open, close, {0})", LENGTHS[1:], residue=1e-9),
)
