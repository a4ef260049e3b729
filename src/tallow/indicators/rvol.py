"""Relative volume."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length
from tallow.indicators._windows import load_windows, next_stretch, start_stretches, window_sums


@kernel
def advance(state, params, offsets, volume, out):  # type: ignore[no-untyped-def]
    """State: the last ``length`` volumes."""
    n, share = int(params[0]), 1.0 / params[0]
    rows, room, who, side = start_stretches(n + 1)
    window, work = np.empty(room), np.empty((3, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n, who, side, volume[a:z], window)
        before = x[: len(x) - side]
        sums, newest = window_sums(before, n, side, work), before[(n - 1) * side :]
        now, part = volume[a:z], out[a:z]
        for j in range(len(part)):
            mean = newest[j] + sums[j] * share
            part[j] = now[j] / mean if mean != 0.0 else np.nan
        a = z


INDICATOR = Indicator(
    name="rvol",
    title="Relative volume",
    inputs=("volume",),
    outputs=(Output("rvol", "rvol_{length}", "ratio", "volume by the mean of before", 0.0),),
    parameters=(length(20),),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: int(p["length"]),
    advance=advance,
    formula="volume / mean(volume of the length rows before)",
    reference="the definition, as TA-Lib's RVOL",
    flat="null where no volume was traded in the rows before",
    version=2,
    compared=("talib",),
    names={"talib": "RVOL"},
)
