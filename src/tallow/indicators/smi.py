"""Stochastic momentum index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Values
from tallow.indicators._averages import FAINT, average_step
from tallow.indicators._blocks import highest_step, next_place
from tallow.indicators._declare import START, length, zero_or_null


@kernel
def advance(state, params, offsets, high, low, close, line, signal):  # type: ignore[no-untyped-def]
    """State: rows counted, place, highest and lowest of the blocks; counts and averages.

    Those are of moves and of ranges, over the long length and then the short one, and the signal's;
    then come the blocks.
    """
    n, short_n, long_n, signal_n = int(params[0]), params[1], params[2], params[3]
    flat, together = 0.0 if params[4] == 1.0 else np.nan, params[5] == 1.0
    short_weight, long_weight = 2.0 / (short_n + 1.0), 2.0 / (long_n + 1.0)
    mean_weight = 2.0 / (signal_n + 1.0)
    for i in range(len(state)):
        seen, place, top, bottom = state[i, 0], int(state[i, 1]), state[i, 2], state[i, 3]
        long_count, move, size = state[i, 4], state[i, 5], state[i, 6]
        short_count, moves, sizes = state[i, 7], state[i, 8], state[i, 9]
        mean_count, mean = state[i, 10], state[i, 11]
        for row in range(offsets[i], offsets[i + 1]):
            h, l, c = high[row], low[row], close[row]
            line[row] = signal[row] = np.nan
            if h != h or l != l or c != c:
                continue
            top, highest = highest_step(state, i, 12, n, place, top, h)
            bottom, lowest = highest_step(state, i, 12 + n, n, place, bottom, -l)
            place, seen = next_place(place, n), min(seen + 1.0, params[0])
            if seen < params[0]:
                continue
            reach, now = highest + lowest, ((c - highest) + (c + lowest)) / 2.0
            # Faded away, both keep their relation: below this it would lose its digits.
            if reach > 0.0 or sizes > FAINT or short_count < short_n:
                _, move = average_step(long_count, move, now, long_n, long_weight)
                long_count, size = average_step(long_count, size, reach, long_n, long_weight)
                if long_count < long_n:
                    continue
                _, moves = average_step(short_count, moves, move, short_n, short_weight)
                short_count, sizes = average_step(short_count, sizes, size, short_n, short_weight)
                if short_count < short_n:
                    continue
            value = 200.0 * min(max(moves / sizes, -0.5), 0.5) if sizes > 0.0 else flat
            line[row] = value
            # A null is no value of the signal's: it waits.
            if value != value:
                continue
            mean_count, mean = average_step(mean_count, mean, value, signal_n, mean_weight)
            if mean_count == signal_n:
                signal[row] = mean
            elif together:
                line[row] = np.nan
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, float(place), top, bottom
        state[i, 4], state[i, 5], state[i, 6] = long_count, move, size
        state[i, 7], state[i, 8], state[i, 9] = short_count, moves, sizes
        state[i, 10], state[i, 11] = mean_count, mean


def _warmup(p: Values) -> tuple[int, ...]:
    line = int(p["length"]) + int(p["long_length"]) + int(p["short_length"]) - 3
    signal = line + int(p["signal_length"]) - 1
    return (signal if p["start"] == "together" else line, signal)


_N = "{length}_{short_length}_{long_length}_{signal_length}"

INDICATOR = Indicator(
    name="smi",
    title="Stochastic momentum index",
    inputs=("high", "low", "close"),
    outputs=(
        Output("smi", f"smi_{_N}", "percent", "place about the range's middle", -100.0, 100.0),
        Output("signal", f"smi_signal_{_N}", "percent", "average of smi", -100.0, 100.0),
    ),
    parameters=(
        length(10),
        length(3, minimum=2, name="short_length"),
        length(3, minimum=2, name="long_length"),
        length(3, name="signal_length"),
        zero_or_null("the smoothed range"),
        START,
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda p: 12 + 2 * int(p["length"]),
    advance=advance,
    formula="200 m(close - middle of the range) / m(range), the range over length rows; "
    "m(x) = ema(ema(x, long), short); signal = ema(smi, signal)",
    reference="Blau (1993), Stochastic Momentum, S&C 11:1; pandas-ta's smi is another: the true "
    "strength index of Blau's ergodic oscillator",
    seed="each average by the mean of its own first rows",
    flat="null until there was a range; 0 in TA-Lib",
    presets={"talib": {"flat": "zero", "start": "together"}},
    compared=("talib",),
    names={"talib": "SMI"},
)
