"""Ichimoku cloud."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import WINDOW, Indicator, Output, Values
from tallow.indicators._declare import length
from tallow.indicators._extremes import window_highest, window_lowest
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel
def advance(state, params, offsets, high, low, conversion, base, span_a, span_b):  # type: ignore[no-untyped-def]
    """State: the highs of all windows' rows but the newest, then as many lows."""
    n = int(max(params[0], params[1], params[2]))
    rows, room, who, side = start_stretches(n)
    window, work = np.empty((2, room)), np.empty((4, room))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        highs = load_windows(state, 0, n - 1, who, side, high[a:z], window[0])
        lows = load_windows(state, n - 1, n - 1, who, side, low[a:z], window[1])
        for k in range(3):
            m = int(params[k])
            first = (n - m) * side
            highest = window_highest(highs[first:], m, side, work[:2])
            lowest = window_lowest(lows[first:], m, side, work[2:])
            middle = conversion[a:z] if k == 0 else base[a:z] if k == 1 else span_b[a:z]
            for j in range(len(middle)):
                middle[j] = 0.5 * (highest[j] + lowest[j])
        for row in range(a, z):
            span_a[row] = 0.5 * (conversion[row] + base[row])
        a = z


def _warmup(p: Values) -> tuple[int, ...]:
    conversion, base = int(p["conversion_length"]) - 1, int(p["base_length"]) - 1
    return (conversion, base, max(conversion, base), int(p["span_length"]) - 1)


def _shift(p: Values) -> tuple[int, ...]:
    return (0, 0, int(p["base_length"]) - 1, int(p["base_length"]) - 1)


_N = "{conversion_length}_{base_length}_{span_length}"

INDICATOR = Indicator(
    name="ichimoku",
    title="Ichimoku cloud",
    inputs=("high", "low"),
    outputs=(
        Output("conversion", f"ichimoku_conversion_{_N}", "price", "middle of a short range"),
        Output("base", f"ichimoku_base_{_N}", "price", "middle of a longer range"),
        Output("span_a", f"ichimoku_span_a_{_N}", "price", "mean of both: an edge of the cloud"),
        Output(
            "span_b", f"ichimoku_span_b_{_N}", "price", "middle of a long range: the other edge"
        ),
    ),
    parameters=(
        length(9, name="conversion_length"),
        length(26, name="base_length"),
        length(52, name="span_length"),
    ),
    memory=WINDOW,
    warmup=_warmup,
    state_size=lambda p: (
        2 * (max(int(p[f"{name}_length"]) for name in ("conversion", "base", "span")) - 1)
    ),
    advance=advance,
    formula="(highest high + lowest low) / 2 over each length; span a = (conversion + base) / 2",
    reference="Hosoda (1969), Ichimoku Kinko Hyo; its lagging span is the close, which charts draw "
    "base_length - 1 rows earlier",
    flat="the price itself",
    shift=_shift,
    version=4,
    names={"pandas_ta": "ichimoku"},
)
