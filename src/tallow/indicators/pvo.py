"""Percentage volume oscillator."""

from __future__ import annotations

from dataclasses import replace

from tallow.indicators import ppo
from tallow.indicators._declare import outputs_with_signal

INDICATOR = replace(
    ppo.INDICATOR,
    name="pvo",
    title="Percentage volume oscillator",
    inputs=("volume",),
    outputs=outputs_with_signal("pvo", "percent", "fast minus slow average, of the slow one"),
    formula="100 (ema(volume, fast) - ema(volume, slow)) / ema(volume, slow); "
    "signal = ema(pvo, signal)",
    reference="the definition, as TA-Lib's PVO",
    version=2,
    names={"talib": "PVO", "pandas_ta": "pvo"},
)
