"""Know sure thing."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output, Values
from tallow.indicators._declare import SIGNAL, length
from tallow.indicators._windows import (
    hide_missing,
    load_windows,
    next_stretch,
    start_stretches,
    window_means,
)


@kernel_part
def _changes(old, new, out):  # type: ignore[no-untyped-def]
    for j in range(len(out)):
        out[j] = 100.0 * ((new[j] - old[j]) / old[j]) if old[j] != 0.0 else np.nan


@kernel_part
def _reach(params):  # type: ignore[no-untyped-def]
    """Return how many rows before its own one a value needs."""
    most = 0
    for k in range(4):
        most = max(most, int(params[k]) + int(params[4 + k]) - 1)
    return most


@kernel
def advance(state, params, offsets, close, line, signal):  # type: ignore[no-untyped-def]
    """State: the closes of the changes, of their means and of the signal together."""
    reach, mean_n = _reach(params), int(params[8])
    kept = reach + mean_n - 1
    rows, room, who, side = start_stretches(kept + 1)
    window, work = np.empty((4, room)), np.empty((3, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, kept, who, side, close[a:z], window[0])
        count = len(x) - reach * side
        total, part = window[1, :count], window[2, :count]
        for j in range(count):
            total[j] = 0.0
        for k in range(4):
            late, n = int(params[k]), int(params[4 + k])
            first = (reach - n + 1) * side
            change = window[3, : len(x) - first]
            _changes(x[first - late * side :], x[first:], change)
            window_means(change, n, side, work, part)
            for j in range(count):
                total[j] += (k + 1.0) * part[j]
        window_means(total, mean_n, side, work, signal[a:z])
        for row in range(a, z):
            line[row] = total[count - z + row]
        hide_missing(x[(mean_n - 1) * side :], reach + 1, side, work, line[a:z])
        hide_missing(x, kept + 1, side, work, signal[a:z])
        a = z


def _rows(p: Values) -> tuple[int, int]:
    """Return the rows before a value, and before its signal."""
    line = max(int(p[f"roc_{k}"]) + int(p[f"mean_{k}"]) - 1 for k in range(1, 5))
    return line, line + int(p["signal_length"]) - 1


_PLACES = ("first", "second", "third", "fourth")
_N = "_".join(f"{{roc_{k}}}_{{mean_{k}}}" for k in range(1, 5))

INDICATOR = Indicator(
    name="kst",
    title="Know sure thing",
    inputs=("close",),
    outputs=(
        Output("kst", f"kst_{_N}_{{signal_length}}", "percent", "changes over four lengths"),
        Output("signal", f"kst_signal_{_N}_{{signal_length}}", "percent", "mean of kst"),
    ),
    parameters=(
        *(
            length(rows, name=f"roc_{k}", text=f"rows of the {place} change")
            for k, rows, place in zip(range(1, 5), (10, 15, 20, 30), _PLACES, strict=True)
        ),
        *(
            length(rows, name=f"mean_{k}", text=f"rows of the {place} change's mean")
            for k, rows, place in zip(range(1, 5), (10, 10, 10, 15), _PLACES, strict=True)
        ),
        SIGNAL,
    ),
    memory=WINDOW,
    warmup=_rows,
    state_size=lambda p: _rows(p)[1],
    advance=advance,
    formula="c1 + 2 c2 + 3 c3 + 4 c4; c = sma(roc(close, roc), mean); signal = sma(kst, signal)",
    reference="Pring (1992), Rate of Change, S&C 10:9",
    flat="exactly 0; null where an older close is zero",
    version=2,
    names={"pandas_ta": "kst"},
)
