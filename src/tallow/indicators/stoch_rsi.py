"""Stochastic oscillator of the relative strength index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output, Values
from tallow.indicators._blocks import highest_step, next_place, sum_step
from tallow.indicators._changes import strength_step
from tallow.indicators._declare import START, length, zero_or_null


@kernel_step
def _take(state, i, head, first, n, x):  # type: ignore[no-untyped-def]
    """Take one more `x` into a mean of `n`; return it, NaN while there are fewer.

    Its count, place and sum are at `head`, its block at `first`.
    """
    place = int(state[i, head + 1])
    state[i, head] = min(state[i, head] + 1.0, float(n))
    state[i, head + 2], whole = sum_step(state, i, first, n, place, state[i, head + 2], x)
    state[i, head + 1] = next_place(place, n)
    return whole / n if state[i, head] == n else np.nan


@kernel
def advance(state, params, offsets, close, out_k, out_d):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before, count, gain, loss, rsi; of blocks what follows.

    Count, place, highest and lowest of rsi's; count, place and sum of those of its place and of k;
    and all of their numbers.
    """
    length, n, smooth_k, smooth_d = params[0], int(params[1]), int(params[2]), int(params[3])
    flat, still = (0.0, 0.0) if params[4] == 1.0 else (np.nan, 100.0)
    together, means = params[5] == 1.0, 16 + 2 * n
    for i in range(len(state)):
        seen, before, count = state[i, 0], state[i, 1], state[i, 2]
        gain, loss, rsi = state[i, 3], state[i, 4], state[i, 5]
        known, place, top, bottom = state[i, 6], int(state[i, 7]), state[i, 8], state[i, 9]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            out_k[row] = out_d[row] = np.nan
            if x != x:
                continue
            change, is_first = x - before, seen == 0.0
            seen, before = 1.0, x
            if is_first:
                continue
            count, gain, loss, rsi = strength_step(count, gain, loss, rsi, change, length, still)
            if count < length:
                continue
            top, highest = highest_step(state, i, 16, n, place, top, rsi)
            bottom, lowest = highest_step(state, i, 16 + n, n, place, bottom, -rsi)
            place, known = next_place(place, n), min(known + 1.0, params[1])
            reach = highest + lowest
            # A null is no value of the averages': they wait.
            if known < params[1] or (reach == 0.0 and flat != flat):
                continue
            share = 100.0 * ((rsi + lowest) / reach) if reach > 0.0 else flat
            k = _take(state, i, 10, means, smooth_k, share)
            if k == k:
                d = _take(state, i, 13, means + smooth_k, smooth_d, k)
                out_k[row], out_d[row] = d if together and d != d else k, d
        state[i, 0], state[i, 1], state[i, 2] = seen, before, count
        state[i, 3], state[i, 4], state[i, 5] = gain, loss, rsi
        state[i, 6], state[i, 7], state[i, 8], state[i, 9] = known, float(place), top, bottom


def _warmup(p: Values) -> tuple[int, ...]:
    k = int(p["rsi_length"]) + int(p["length"]) + int(p["smooth_k"]) - 2
    d = k + int(p["smooth_d"]) - 1
    return (d if p["start"] == "together" else k, d)


def _state_size(p: Values) -> int:
    return 16 + 2 * int(p["length"]) + int(p["smooth_k"]) + int(p["smooth_d"])


_N = "{rsi_length}_{length}_{smooth_k}_{smooth_d}"

INDICATOR = Indicator(
    name="stoch_rsi",
    title="Stochastic RSI",
    inputs=("close",),
    outputs=(
        Output("k", f"stoch_rsi_k_{_N}", "percent", "smoothed place in rsi's range", 0.0, 100.0),
        Output("d", f"stoch_rsi_d_{_N}", "percent", "mean of k", 0.0, 100.0),
    ),
    parameters=(
        length(14, minimum=2, name="rsi_length"),
        length(14, minimum=2),
        length(3, name="smooth_k"),
        length(3, name="smooth_d"),
        zero_or_null("the range of rsi"),
        START,
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=_state_size,
    advance=advance,
    formula="k = sma(100 (rsi - lowest rsi) / (highest rsi - lowest rsi)); d = sma(k); "
    "rsi over rsi_length",
    reference="Chande and Kroll (1994), The New Technical Trader; TA-Lib does not smooth k",
    seed="as rsi",
    flat="null on TradingView, where rsi is 100 while nothing has changed; both 0 in TA-Lib",
    presets={"talib": {"smooth_k": 1, "flat": "zero", "start": "together"}},
    compared=("talib",),
    aliases=("stochrsi",),
    names={"talib": "STOCHRSI", "pandas_ta": "stochrsi"},
)
