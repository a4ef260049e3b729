"""Quantitative qualitative estimation: a smoothed RSI, and a line that trails it."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.limits import MULTIPLIER_MAX
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Values
from tallow.indicators._averages import average_step
from tallow.indicators._changes import strength_step
from tallow.indicators._declare import length


@kernel
def advance(state, params, offsets, close, line, trail):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before; count, gain, loss, strength; count and smoothed one.

    Then count and value of both averages of its changes; the trend, 0 before there is one, and the
    line below and the one above.
    """
    length, smooth_n, times = params[0], params[1], params[2]
    smooth_weight, slow_n = 2.0 / (smooth_n + 1.0), 2.0 * length - 1.0
    slow_weight = 2.0 / (slow_n + 1.0)
    for i in range(len(state)):
        seen, before, count, gain, loss = (
            state[i, 0],
            state[i, 1],
            state[i, 2],
            state[i, 3],
            state[i, 4],
        )
        rsi, smooth_count, smooth = state[i, 5], state[i, 6], state[i, 7]
        once_count, once, twice_count, twice = state[i, 8], state[i, 9], state[i, 10], state[i, 11]
        trend, below, above = state[i, 12], state[i, 13], state[i, 14]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            line[row] = trail[row] = np.nan
            if x != x:
                continue
            change, before, is_first = x - before, x, seen == 0.0
            seen = 1.0
            if is_first:
                continue
            count, gain, loss, rsi = strength_step(count, gain, loss, rsi, change, length, 100.0)
            if count < length:
                continue
            last, was_known = smooth, smooth_count == smooth_n
            smooth_count, smooth = average_step(smooth_count, smooth, rsi, smooth_n, smooth_weight)
            if smooth_count < smooth_n:
                continue
            line[row] = smooth
            if not was_known:
                continue
            move = abs(smooth - last)
            once_count, once = average_step(once_count, once, move, slow_n, slow_weight)
            if once_count < slow_n:
                continue
            twice_count, twice = average_step(twice_count, twice, once, slow_n, slow_weight)
            if twice_count < slow_n:
                continue
            low, high = smooth - times * twice, smooth + times * twice
            if trend == 0.0 or (smooth > above and last <= above):
                trend = 1.0
            elif smooth < below and last >= below:
                trend = -1.0
            below = max(below, low) if last > below and smooth > below else low
            above = min(above, high) if last < above and smooth < above else high
            trail[row] = below if trend > 0.0 else above
        state[i, 0], state[i, 1], state[i, 2] = seen, before, count
        state[i, 3], state[i, 4], state[i, 5] = gain, loss, rsi
        state[i, 6], state[i, 7], state[i, 8] = smooth_count, smooth, once_count
        state[i, 9], state[i, 10], state[i, 11] = once, twice_count, twice
        state[i, 12], state[i, 13], state[i, 14] = trend, below, above


def _warmup(p: Values) -> tuple[int, ...]:
    line = int(p["length"]) + int(p["smooth_length"]) - 1
    return (line, line + 1 + 2 * (2 * int(p["length"]) - 2))


_N = "{length}_{smooth_length}_{multiplier}"

INDICATOR = Indicator(
    name="qqe",
    title="Quantitative qualitative estimation",
    inputs=("close",),
    outputs=(
        Output("qqe", f"qqe_{_N}", "0..100", "smoothed rsi", 0.0, 100.0),
        Output("line", f"qqe_line_{_N}", "percent", "line that trails it"),
    ),
    parameters=(
        length(14, minimum=2),
        length(5, name="smooth_length"),
        Parameter(
            "multiplier", 4.236, "distance of the line, in mean changes", 0.0, MULTIPLIER_MAX
        ),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda _: 15,
    advance=advance,
    formula="q = ema(rsi(close), smooth); reach = multiplier ema(ema(|q - q before|)), each over "
    "2 length - 1; the line is q - reach, which does not fall while q is above it, or q + reach, "
    "which does not rise while q is below it; q crosses to the other one",
    reference="Blinov and Nagorniy, QQE; as colinmck's script on TradingView",
    seed="each average by the mean of its own first values; at first the line is below",
    flat="both 100",
    names={"pandas_ta": "qqe"},
)
