"""Positive volume index."""

from __future__ import annotations

from dataclasses import replace

from tallow.core.kernel import kernel
from tallow.core.operator import Output
from tallow.indicators import nvi
from tallow.indicators._volume_index import advance_index


@kernel
def advance(state, params, offsets, close, volume, out):  # type: ignore[no-untyped-def]
    """State: as `advance_index` has it."""
    advance_index(state, params[0], offsets, close, volume, 1.0, out)


INDICATOR = replace(
    nvi.INDICATOR,
    name="pvi",
    title="Positive volume index",
    outputs=(Output("pvi", "pvi", "index", "growth on rows of more volume than before", 0.0),),
    advance=advance,
    formula="product of close / close before, of rows whose volume rose",
    version=2,
    names={"talib": "PVI", "pine": "ta.pvi", "pandas_ta": "pvi"},
)
