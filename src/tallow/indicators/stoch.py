"""Stochastic oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output, Parameter, Values
from tallow.indicators._declare import START, length
from tallow.indicators._windows import (
    copy_into,
    load_window,
    stretch_rows,
    window_highest,
    window_lowest,
    window_sums,
)


@kernel_part
def _place(close, highest, lowest, flat, out):  # type: ignore[no-untyped-def]
    """Where the close lies in the window's range, in percent."""
    for j in range(len(out)):
        reach = highest[j] - lowest[j]
        out[j] = 100.0 * (close[j] - lowest[j]) / reach if reach != 0.0 else flat


@kernel_part
def _mean(x, n, work, out):  # type: ignore[no-untyped-def]
    sums, newest = window_sums(x, n, work), x[n - 1 :]
    for j in range(len(out)):
        out[j] = newest[j] + sums[j] / n


@kernel
def advance(state, params, offsets, high, low, close, out_k, out_d):  # type: ignore[no-untyped-def]
    """State: the last highs, lows and closes of all three windows together."""
    n, smooth_k, smooth_d = int(params[0]), int(params[1]), int(params[2])
    flat = 0.0 if params[3] == 1.0 else np.nan
    kept = n + smooth_k + smooth_d - 3
    step = stretch_rows(kept + 1)
    window, work = np.empty((3, kept + step)), np.empty((3, kept + step))
    extreme = np.empty((4, kept + step))
    raw, k, d = np.empty(kept + step), np.empty(kept + step), np.empty(step)
    for i in range(len(state)):
        tail = state[i].reshape(3, kept)
        for a in range(offsets[i], offsets[i + 1], step):
            z = min(a + step, offsets[i + 1])
            highs = load_window(tail[0], high[a:z], window[0])
            lows = load_window(tail[1], low[a:z], window[1])
            closes = load_window(tail[2], close[a:z], window[2])
            highest = window_highest(highs, n, extreme[:2])
            lowest = window_lowest(lows, n, extreme[2:])
            rows = z - a
            place = raw[: len(highest)]
            _place(closes[n - 1 :], highest, lowest, flat, place)
            smooth = k[: rows + smooth_d - 1]
            _mean(place, smooth_k, work, smooth)
            _mean(smooth, smooth_d, work, d[:rows])
            copy_into(out_d[a:z], d[:rows])
            copy_into(out_k[a:z], smooth[smooth_d - 1 :])
            if params[4] == 1.0:
                for j in range(rows):
                    if d[j] != d[j]:
                        out_k[a + j] = np.nan


def _warmup(p: Values) -> tuple[int, ...]:
    k = int(p["length"]) + int(p["smooth_k"]) - 2
    d = k + int(p["smooth_d"]) - 1
    return (d if p["start"] == "together" else k, d)


_N = "{length}_{smooth_k}_{smooth_d}"

INDICATOR = Indicator(
    name="stoch",
    title="Stochastic oscillator",
    inputs=("high", "low", "close"),
    outputs=(
        Output("k", f"stoch_k_{_N}", "percent", "smoothed place in the range", 0.0, 100.0),
        Output("d", f"stoch_d_{_N}", "percent", "mean of k", 0.0, 100.0),
    ),
    parameters=(
        length(14),
        length(1, name="smooth_k"),
        length(3, name="smooth_d"),
        Parameter("flat", "null", "value where the range is zero", choices=("null", "zero")),
        START,
    ),
    memory=WINDOW,
    warmup=_warmup,
    state_size=lambda p: 3 * (int(p["length"]) + int(p["smooth_k"]) + int(p["smooth_d"]) - 3),
    advance=advance,
    formula="k = sma(100 (close - lowest low) / (highest high - lowest low)); d = sma(k)",
    reference="Lane (1984), Lane's Stochastics, Stocks & Commodities 2:3",
    flat="null on TradingView, 0 in TA-Lib",
    presets={"talib": {"flat": "zero", "start": "together"}},
)
