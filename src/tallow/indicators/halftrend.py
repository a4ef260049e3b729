"""HalfTrend."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.limits import LENGTH_MAX
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Values
from tallow.indicators._declare import FIRST_RANGE, length, multiplier
from tallow.indicators._extremes import window_highest, window_lowest
from tallow.indicators._known import known_ranges, start_known
from tallow.indicators._windows import load_windows, start_stretches, window_means


@kernel_part
def _trend_step(s, high, low, close, highest, lowest, mean_high, mean_low):  # type: ignore[no-untyped-def]
    """Move the line with its trend, or turn the trend.

    State: trend; whether its end is looked for; highest low, lowest high; line; high, low before.
    """
    way, falls = s[0], s[1] == 1.0
    if way == 0.0:
        s[0], s[1], s[2], s[3], s[4] = 1.0, 0.0, lowest, highest, lowest
    elif falls:
        s[2] = max(lowest, s[2])
        if mean_high < s[2] and close < s[6]:
            s[0], s[1], s[3] = -1.0, 0.0, highest
    else:
        s[3] = min(highest, s[3])
        if mean_low > s[3] and close > s[5]:
            s[0], s[1], s[2] = 1.0, 1.0, lowest
    # A trend that turns begins at the line of the one before.
    if s[0] == way:
        s[4] = max(s[2], s[4]) if way > 0.0 else min(s[3], s[4])
    s[5], s[6] = high, low


@kernel
def advance(state, params, offsets, high, low, close, line, direction, upper, lower):  # type: ignore[no-untyped-def]
    """State: as `known_ranges` and `_trend_step` have it; the last highs, then as many lows."""
    n, times = int(params[0]), params[1]
    rows, room, who, side = start_stretches(n)
    window, work, known = np.empty((2, room)), np.empty((7, room)), np.empty((4, rows))
    means, places = np.empty((2, rows)), np.empty(rows, dtype=np.int64)
    for i in range(len(state)):
        s = state[i]
        who[0] = i
        start_known(s, 2 * (n - 1))
        for a in range(offsets[i], offsets[i + 1], rows):
            z = min(a + rows, offsets[i + 1])
            for row in range(a, z):
                line[row] = direction[row] = upper[row] = lower[row] = np.nan
            found = known_ranges(
                s, params[2], params[3], high[a:z], low[a:z], close[a:z], known, places
            )
            if found == 0:
                continue
            highs = load_windows(state, 12, n - 1, who, side, known[0, :found], window[0])
            lows = load_windows(state, 11 + n, n - 1, who, side, known[1, :found], window[1])
            window_means(highs, n, side, work[:3], means[0, :found])
            window_means(lows, n, side, work[:3], means[1, :found])
            highest = window_highest(highs, n, side, work[3:5])
            lowest = window_lowest(lows, n, side, work[5:])
            for j in range(found):
                if means[0, j] != means[0, j]:
                    continue
                _trend_step(
                    s[5:12],
                    known[0, j],
                    known[1, j],
                    known[2, j],
                    highest[j],
                    lowest[j],
                    means[0, j],
                    means[1, j],
                )
                row, gap = a + places[j], times * (0.5 * known[3, j])
                line[row], direction[row] = s[9], s[5]
                upper[row], lower[row] = s[9] + gap, s[9] - gap


def _warmup(p: Values) -> tuple[int, ...]:
    line = int(p["amplitude"]) - 1
    band = max(line, int(p["atr_length"]) - (p["first_range"] == "high_low"))
    return (line, line, band, band)


_N = "{amplitude}_{multiplier}_{atr_length}"

INDICATOR = Indicator(
    name="halftrend",
    title="HalfTrend",
    inputs=("high", "low", "close"),
    outputs=(
        Output("line", f"halftrend_{_N}", "price", "the extreme that trails the trend"),
        Output(
            "direction", f"halftrend_direction_{_N}", "sign", "1 upward, -1 downward", -1.0, 1.0
        ),
        Output("upper", f"halftrend_upper_{_N}", "price", "upper band"),
        Output("lower", f"halftrend_lower_{_N}", "price", "lower band"),
    ),
    parameters=(
        Parameter("amplitude", 2, "rows of extremes and means", minimum=1, maximum=LENGTH_MAX),
        multiplier(2.0),
        length(100, name="atr_length"),
        FIRST_RANGE,
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda p: 12 + 2 * (int(p["amplitude"]) - 1),
    advance=advance,
    formula="the highest of lowest lows while upward, the lowest of highest highs while downward; "
    "down where mean high < it and close < low before, up where mean low > it and close > high "
    "before; "
    "bands: line +- multiplier x atr(atr_length) / 2",
    reference="HalfTrend (2018), as everget has it on TradingView",
    seed="upward from the lowest low of the first amplitude rows, until a rise is confirmed",
    version=4,
    presets={"talib": {"first_range": "none"}},
)
