"""Bands around an average."""

from __future__ import annotations

from tests.oracles.table import Row

ROWS = (
    Row("anchored_vwap", "wickra.AnchoredVWAP().batch(high, low, close, volume)", ((),)),
    Row(
        "vwap_bands(multiplier={0})",
        "np.array([*wickra.VwapStdDevBands({0}).batch(high, low, close, volume)])[:, :3]",
        ((1.0,), (2.0,)),
    ),
)
