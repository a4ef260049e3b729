"""Beta: how far a price moves with another one."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output
from tallow.indicators._declare import length, zero_or_null
from tallow.indicators._pairs import window_products
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel_part
def _to_returns(x, side, flat):  # type: ignore[no-untyped-def]
    """Write the change of each row but the first over the price before, or `flat`."""
    later = x[side:]
    for j in range(len(later)):
        x[j] = (later[j] - x[j]) / x[j] if x[j] != 0.0 else flat
    return x[: len(later)]


@kernel
def advance(state, params, offsets, close, other, out):  # type: ignore[no-untyped-def]
    """State: the last ``length`` closes, then as many of the other series."""
    n = int(params[0])
    flat = 0.0 if params[1] == 1.0 else np.nan
    rows, room, who, side = start_stretches(n + 1)
    window, work = np.empty((2, room)), np.empty((5, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = _to_returns(load_windows(state, 0, n, who, side, close[a:z], window[0]), side, flat)
        y = _to_returns(load_windows(state, n, n, who, side, other[a:z], window[1]), side, flat)
        _, yy, xy = window_products(x, y, n, side, work)
        slope = out[a:z]
        for j in range(len(slope)):
            if yy[j] > 0.0:
                slope[j] = xy[j] / yy[j]
            else:
                slope[j] = flat if xy[j] == xy[j] else np.nan
        a = z


INDICATOR = Indicator(
    name="beta",
    title="Beta against another series",
    inputs=("close", "open"),
    outputs=(Output("beta", "beta_{length}", "ratio", "change for a change of the other"),),
    parameters=(length(20, minimum=2), zero_or_null("the other's deviation")),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: 2 * int(p["length"]),
    advance=advance,
    formula="covariance of the returns of close and source, over the variance of the source's, "
    "over length returns; the source is another instrument's close, security(KEY); or the open",
    reference="Sharpe (1964), Capital Asset Prices; simple returns, as TA-Lib's BETA, of which "
    "the first argument is the market",
    flat="null where the source stands still, or a price was zero; 0 in TA-Lib",
    presets={"talib": {"length": 5, "flat": "zero"}},
    version=3,
    compared=("talib",),
    source="open",
    names={"talib": "BETA"},
)
