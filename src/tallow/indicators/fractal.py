"""Williams' fractals."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.limits import LENGTH_MAX
from tallow.core.operator import WINDOW, Indicator, Output, Parameter
from tallow.indicators._extremes import window_highest
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel_part
def _flag(x, before, after, side, work, out):  # type: ignore[no-untyped-def]
    """Write 1 where the row `after` rows ago is above all others of its window, else 0."""
    rows = len(out)
    middle = x[before * side :]
    earlier = window_highest(x[: (before - 1) * side + rows], before, side, work[:2])
    later = window_highest(x[(before + 1) * side :], after, side, work[2:])
    for j in range(rows):
        missing = middle[j] + earlier[j] + later[j]
        is_highest = middle[j] > earlier[j] and middle[j] > later[j]
        out[j] = (1.0 if is_highest else 0.0) if missing == missing else np.nan


@kernel
def advance(state, params, offsets, high, low, up, down):  # type: ignore[no-untyped-def]
    """State: the highs of all rows of a window but the newest, then as many lows, negative."""
    before, after = int(params[0]), int(params[1])
    kept = before + after
    rows, room, who, side = start_stretches(kept + 1)
    window, work, fallen = np.empty(room), np.empty((4, room)), np.empty(rows)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        for j in range(z - a):
            fallen[j] = -low[a + j]
        for k in range(2):
            source, out = high[a:z] if k == 0 else fallen[: z - a], up[a:z] if k == 0 else down[a:z]
            x = load_windows(state, k * kept, kept, who, side, source, window)
            _flag(x, before, after, side, work, out)
        a = z


def _rows(name: str, text: str) -> Parameter:
    return Parameter(name, 2, f"rows {text} the extreme", minimum=1, maximum=LENGTH_MAX)


INDICATOR = Indicator(
    name="fractal",
    title="Fractals",
    inputs=("high", "low"),
    outputs=(
        Output("up", "fractal_up_{before}_{after}", "sign", "1: a high was one", 0.0, 1.0),
        Output("down", "fractal_down_{before}_{after}", "sign", "1: a low was one", 0.0, 1.0),
    ),
    parameters=(_rows("before", "before"), _rows("after", "after, which confirm")),
    memory=WINDOW,
    warmup=lambda p: (int(p["before"]) + int(p["after"]),) * 2,
    state_size=lambda p: 2 * (int(p["before"]) + int(p["after"])),
    advance=advance,
    formula="1 at the row which confirms that the high, or low, after rows ago is beyond all the "
    "rows before and after it",
    reference="Williams (1995), Trading Chaos",
    flat="0: an extreme that others equal is none",
    shift=lambda p: (-int(p["after"]),) * 2,
    version=4,
    compared=("talib",),
    names={"talib": "FRACTAL"},
)
