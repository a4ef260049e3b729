"""Mass index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.limits import LENGTH_MAX
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Values
from tallow.indicators._averages import FAINT, LIFT, average_step
from tallow.indicators._declare import length
from tallow.indicators._windows import load_windows, start_stretches, window_sums


@kernel_part
def _ratios(s, n, flat, high, low, ratios, places):  # type: ignore[no-untyped-def]
    """Write the ratio of each row that has both averages, and its place; return how many."""
    one_count, one, two_count, two = s[0], s[1], s[2], s[3]
    weight, found = 2.0 / (n + 1.0), 0
    for row in range(len(high)):
        reach = high[row] - low[row]
        if reach != reach:
            continue
        one_count, one = average_step(one_count, one, reach, n, weight)
        if one_count < n:
            continue
        two_count, two = average_step(two_count, two, one, n, weight)
        if 0.0 < one < FAINT:
            one, two = one * LIFT, two * LIFT
        if two_count == n:
            ratios[found] = one / two if two != 0.0 else flat
            places[found] = row
            found += 1
    s[0], s[1], s[2], s[3] = one_count, one, two_count, two
    return found


@kernel
def advance(state, params, offsets, high, low, out):  # type: ignore[no-untyped-def]
    """State: count and average of ranges, of these averages; whether any row was; last ratios."""
    n, m, flat = params[0], int(params[1]), 1.0 if params[2] == 1.0 else np.nan
    rows, room, who, side = start_stretches(m)
    window, work, ratios = np.empty(room), np.empty((3, room)), np.empty(rows)
    places = np.empty(rows, dtype=np.int64)
    for i in range(len(state)):
        who[0] = i
        if state[i, 4] == 0.0:
            state[i, 4] = 1.0
            for k in range(m - 1):
                state[i, 5 + k] = np.nan
        for a in range(offsets[i], offsets[i + 1], rows):
            z = min(a + rows, offsets[i + 1])
            index = out[a:z]
            for j in range(len(index)):
                index[j] = np.nan
            found = _ratios(state[i], n, flat, high[a:z], low[a:z], ratios, places)
            if found == 0:
                continue
            x = load_windows(state, 5, m - 1, who, side, ratios[:found], window)
            sums, newest = window_sums(x, m, side, work), x[m - 1 :]
            for j in range(found):
                index[places[j]] = m * newest[j] + sums[j]


def _warmup(p: Values) -> tuple[int, ...]:
    return (2 * (int(p["length"]) - 1) + int(p["sum_length"]) - 1,)


INDICATOR = Indicator(
    name="mass",
    title="Mass index",
    inputs=("high", "low"),
    outputs=(Output("mass", "mass_{length}_{sum_length}", "ratio", "sum of ratios", 0.0),),
    parameters=(
        length(9, minimum=2),
        Parameter("sum_length", 25, "rows whose ratios are added", minimum=1, maximum=LENGTH_MAX),
        Parameter("flat", "null", "ratio while there is no range", choices=("null", "one")),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda p: 4 + int(p["sum_length"]),
    advance=advance,
    formula="sum(e1 / e2) over sum_length rows; e1 = ema(high - low, length), e2 = ema(e1, length)",
    reference="Dorsey (1992), The Mass Index, S&C 10:6",
    flat="null while a ratio is of no range; 1 each in TA-Lib",
    seed="each average by the mean of its first length values",
    presets={"talib": {"flat": "one"}},
    compared=("talib",),
    aliases=("massi",),
    names={"talib": "MASSI", "pandas_ta": "massi"},
)
