"""Relative volatility index."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Values
from tallow.indicators._averages import average_step, keep_faint
from tallow.indicators._blocks import next_place
from tallow.indicators._declare import length


@kernel_step
def _deviation(state, i, first, n, x):  # type: ignore[no-untyped-def]
    """Return the deviation of a ring's values, from their differences from the newest, `x`."""
    total = squares = 0.0
    for k in range(n):
        gap = state[i, first + k] - x
        total += gap
        squares += gap * gap
    return math.sqrt(max(squares - total * (total / n), 0.0) / n)


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: rows seen, place, close before; count and average of deviations up and down; value.

    Then the last closes. Where these have no deviation both averages shrink alike, so the value
    stays what it was.
    """
    n, length, wilder = int(params[0]), params[1], params[2] == 1.0
    lower, flat = params[3] == 0.0, 50.0 if params[4] == 1.0 else np.nan
    weight = 1.0 / length if wilder else 2.0 / (length + 1.0)
    for i in range(len(state)):
        seen, place, before, count = state[i, 0], int(state[i, 1]), state[i, 2], state[i, 3]
        up, down, value = state[i, 4], state[i, 5], state[i, 6]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            out[row] = np.nan
            if x != x:
                continue
            change, before = x - before, x
            state[i, 7 + place] = x
            place, seen = next_place(place, n), min(seen + 1.0, params[0])
            if seen < params[0]:
                continue
            reach = _deviation(state, i, 7, n, x)
            is_first = count < length
            rise, fall = reach if change > 0.0 else 0.0, reach if change < 0.0 else 0.0
            if change == 0.0 and lower:
                fall = reach
            _, up = average_step(count, up, rise, length, weight)
            count, down = average_step(count, down, fall, length, weight)
            up, down = keep_faint(up), keep_faint(down)
            both = up + down
            if reach > 0.0 or is_first or both == 0.0:
                value = 100.0 * (up / both) if both > 0.0 else flat
            if count == length:
                out[row] = value
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, float(place), before, count
        state[i, 4], state[i, 5], state[i, 6] = up, down, value


def _warmup(p: Values) -> tuple[int, ...]:
    return (int(p["length"]) + int(p["mean_length"]) - 2,)


INDICATOR = Indicator(
    name="rvi",
    title="Relative volatility index",
    inputs=("close",),
    outputs=(
        Output(
            "rvi", "rvi_{length}_{mean_length}", "0..100", "share of upward deviation", 0.0, 100.0
        ),
    ),
    parameters=(
        length(10, minimum=2),
        length(14, name="mean_length", text="rows of the averages of deviations"),
        Parameter(
            "smoothing",
            "ema",
            "of deviations: exponential averages, or Wilder's means",
            choices=("ema", "wilder"),
        ),
        Parameter(
            "unchanged",
            "down",
            "an unchanged close counts as one that fell, or as neither",
            choices=("down", "neither"),
        ),
        Parameter(
            "flat",
            "null",
            "value while no deviation has occurred",
            choices=("null", "middle"),
        ),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda p: 7 + int(p["length"]),
    advance=advance,
    formula="100 m(up) / (m(up) + m(down)); up, down = stddev(close, length) where the close rose, "
    "fell, else 0; m(x) = ema(x, mean)",
    reference="Dorsey (1993), The Relative Volatility Index, S&C 11:6; the vigor index is rvgi",
    seed="means of the first values",
    flat="null on TradingView; 50 in TA-Lib, which has Wilder's means",
    version=2,
    presets={"talib": {"smoothing": "wilder", "unchanged": "neither", "flat": "middle"}},
    compared=("talib",),
    names={"talib": "RVI", "pandas_ta": "rvi"},
)
