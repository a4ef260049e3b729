"""Coppock curve."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output, Values
from tallow.indicators._declare import length, zero_or_null
from tallow.indicators._lines import window_weighted_means
from tallow.indicators._windows import hide_missing, load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: the closes of the changes and of their mean together."""
    n, long, short = int(params[0]), int(params[1]), int(params[2])
    flat = 0.0 if params[3] == 1.0 else np.nan
    reach = max(long, short)
    kept = reach + n - 1
    rows, room, who, side = start_stretches(kept + 1)
    window, work, both = np.empty(room), np.empty((6, room)), np.empty(room)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, kept, who, side, close[a:z], window)
        late, far, near = x[reach * side :], x[(reach - long) * side :], x[(reach - short) * side :]
        changes, curve = both[: len(late)], out[a:z]
        for j in range(len(changes)):
            one = 100.0 * (late[j] - far[j]) / far[j] if far[j] != 0.0 else flat
            two = 100.0 * (late[j] - near[j]) / near[j] if near[j] != 0.0 else flat
            changes[j] = one + two
        window_weighted_means(changes, n, side, work, curve)
        hide_missing(x, kept + 1, side, work, curve)
        a = z


def _kept(p: Values) -> int:
    return max(int(p["long_length"]), int(p["short_length"])) + int(p["length"]) - 1


INDICATOR = Indicator(
    name="coppock",
    title="Coppock curve",
    inputs=("close",),
    outputs=(
        Output(
            "coppock",
            "coppock_{length}_{long_length}_{short_length}",
            "percent",
            "weighted mean of two changes",
        ),
    ),
    parameters=(
        length(10),
        length(14, name="long_length"),
        length(11, name="short_length"),
        zero_or_null("an older close"),
    ),
    memory=WINDOW,
    warmup=lambda p: (_kept(p),),
    state_size=_kept,
    advance=advance,
    formula="wma(roc(close, long) + roc(close, short), length)",
    reference="Coppock (1962), Practical Relative Strength Charting, in Barron's",
    flat="null where an older close is zero; 0 in TA-Lib",
    version=2,
    presets={"talib": {"flat": "zero"}},
    compared=("talib",),
    names={"talib": "COPPOCK", "pandas_ta": "coppock"},
)
