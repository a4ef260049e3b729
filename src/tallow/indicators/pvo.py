"""Percentage volume oscillator."""

from __future__ import annotations

from dataclasses import replace

from tallow.core.operator import Output
from tallow.indicators import ppo

_N = "{fast_length}_{slow_length}_{signal_length}"

INDICATOR = replace(
    ppo.INDICATOR,
    name="pvo",
    title="Percentage volume oscillator",
    inputs=("volume",),
    outputs=(
        Output("pvo", f"pvo_{_N}", "percent", "fast minus slow average, of the slow one"),
        Output("signal", f"pvo_signal_{_N}", "percent", "average of pvo"),
        Output("histogram", f"pvo_histogram_{_N}", "percent", "pvo minus signal"),
    ),
    formula="100 (ema(volume, fast) - ema(volume, slow)) / ema(volume, slow); "
    "signal = ema(pvo, signal)",
    reference="the definition, as TA-Lib's PVO",
    names={"talib": "PVO", "pandas_ta": "pvo"},
)
