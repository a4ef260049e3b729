"""Simple moving average of the volume."""

from __future__ import annotations

from dataclasses import replace

from tallow.core.operator import Output
from tallow.indicators import sma
from tallow.indicators._declare import length

INDICATOR = replace(
    sma.INDICATOR,
    name="volume_sma",
    title="Simple moving average of volume",
    inputs=("volume",),
    outputs=(
        Output("volume_sma", "volume_sma_{length}", "units", "mean of the last volumes", 0.0),
    ),
    parameters=(length(20),),
    formula="mean(volume over length rows)",
    names={},
)
