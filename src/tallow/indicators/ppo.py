"""Percentage price oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Values
from tallow.indicators._averages import average_step
from tallow.indicators._declare import (
    FAST_SLOW,
    SIGNAL,
    check_fast_slow,
    outputs_with_signal,
    zero_or_null,
)


@kernel
def advance(state, params, offsets, close, line, signal, histogram):  # type: ignore[no-untyped-def]
    """State: count and value of the fast, slow and signal averages."""
    fast_n, slow_n, signal_n = params[0], params[1], params[2]
    flat = 0.0 if params[3] == 1.0 else np.nan
    fast_weight, slow_weight = 2.0 / (fast_n + 1.0), 2.0 / (slow_n + 1.0)
    mean_weight = 2.0 / (signal_n + 1.0)
    for i in range(len(state)):
        fast_count, fast, slow_count = state[i, 0], state[i, 1], state[i, 2]
        slow, mean_count, mean = state[i, 3], state[i, 4], state[i, 5]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            line[row] = signal[row] = histogram[row] = np.nan
            if x != x:
                continue
            fast_count, fast = average_step(fast_count, fast, x, fast_n, fast_weight)
            slow_count, slow = average_step(slow_count, slow, x, slow_n, slow_weight)
            if slow_count < slow_n:
                continue
            gap = 100.0 * ((fast - slow) / slow) if slow != 0.0 else flat
            line[row] = gap
            # A null is no value of the signal's: it waits.
            if gap != gap:
                continue
            mean_count, mean = average_step(mean_count, mean, gap, signal_n, mean_weight)
            if mean_count == signal_n:
                signal[row], histogram[row] = mean, gap - mean
        state[i, 0], state[i, 1], state[i, 2] = fast_count, fast, slow_count
        state[i, 3], state[i, 4], state[i, 5] = slow, mean_count, mean


def _warmup(p: Values) -> tuple[int, ...]:
    line = int(p["slow_length"]) - 1
    signal = line + int(p["signal_length"]) - 1
    return (line, signal, signal)


INDICATOR = Indicator(
    name="ppo",
    title="Percentage price oscillator",
    inputs=("close",),
    outputs=outputs_with_signal("ppo", "percent", "fast minus slow average, of the slow one"),
    parameters=(
        *FAST_SLOW,
        SIGNAL,
        zero_or_null("the slow average"),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda _: 6,
    advance=advance,
    formula="100 (ema(close, fast) - ema(close, slow)) / ema(close, slow); "
    "signal = ema(ppo, signal)",
    reference="Appel (2005), Technical Analysis: Power Tools for Active Investors; "
    "pandas-ta has simple means unless told otherwise",
    seed="each average by the mean of its own first rows",
    flat="null where the slow average is zero; 0 in TA-Lib",
    check=check_fast_slow,
    presets={"talib": {"flat": "zero"}},
    compared=("talib",),
    names={"talib": "PPO", "pandas_ta": "ppo"},
)
