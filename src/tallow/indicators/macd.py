"""Moving average convergence and divergence."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Parameter, Values
from tallow.indicators._averages import average_step
from tallow.indicators._declare import (
    FAST_SLOW,
    SIGNAL,
    START,
    check_fast_slow,
    outputs_with_signal,
)


@kernel
def advance(state, params, offsets, close, line, signal, histogram):  # type: ignore[no-untyped-def]
    """State: rows seen, then count and average of the fast, slow and signal averages."""
    fast_n, slow_n, signal_n = params[0], params[1], params[2]
    skip = slow_n - fast_n if params[3] == 1.0 else 0.0
    together = params[4] == 1.0
    fast_weight, slow_weight = 2.0 / (fast_n + 1.0), 2.0 / (slow_n + 1.0)
    mean_weight = 2.0 / (signal_n + 1.0)
    for i in range(len(state)):
        seen, fast_count, fast = state[i, 0], state[i, 1], state[i, 2]
        slow_count, slow, mean_count, mean = state[i, 3], state[i, 4], state[i, 5], state[i, 6]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            if mean_count == signal_n and x == x:
                # As below, once all are past their warm-up.
                fast += fast_weight * (x - fast)
                slow += slow_weight * (x - slow)
                mean += mean_weight * (fast - slow - mean)
                line[row], signal[row] = fast - slow, mean
                histogram[row] = fast - slow - mean
                continue
            line[row] = signal[row] = histogram[row] = np.nan
            if x != x:
                continue
            if seen >= skip:
                fast_count, fast = average_step(fast_count, fast, x, fast_n, fast_weight)
            else:
                seen += 1.0
            slow_count, slow = average_step(slow_count, slow, x, slow_n, slow_weight)
            if slow_count < slow_n:
                continue
            gap = fast - slow
            mean_count, mean = average_step(mean_count, mean, gap, signal_n, mean_weight)
            if mean_count == signal_n:
                signal[row] = mean
                histogram[row] = gap - mean
            if mean_count == signal_n or not together:
                line[row] = gap
        state[i, 0], state[i, 1], state[i, 2] = seen, fast_count, fast
        state[i, 3], state[i, 4], state[i, 5], state[i, 6] = slow_count, slow, mean_count, mean


def _warmup(p: Values) -> tuple[int, ...]:
    line = int(p["slow_length"]) - 1
    signal = line + int(p["signal_length"]) - 1
    return (signal if p["start"] == "together" else line, signal, signal)


INDICATOR = Indicator(
    name="macd",
    title="Moving average convergence/divergence",
    inputs=("close",),
    outputs=outputs_with_signal("macd", "price difference", "fast average minus slow average"),
    parameters=(
        *FAST_SLOW,
        SIGNAL,
        Parameter(
            "seed",
            "own",
            "seed the fast average on its own first rows, or on those before the slow one's first",
            choices=("own", "aligned"),
        ),
        START,
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda _: 7,
    advance=advance,
    formula="ema(close, fast) - ema(close, slow); signal = ema(macd, signal)",
    reference="Appel (2005), Technical Analysis: Power Tools for Active Investors",
    seed="each average by the mean of its first rows; TA-Lib delays the fast one to the slow one's",
    check=check_fast_slow,
    presets={"talib": {"seed": "aligned", "start": "together"}},
    version=2,
    compared=("talib",),
    names={"talib": "MACD", "pine": "ta.macd", "pandas_ta": "macd"},
)
