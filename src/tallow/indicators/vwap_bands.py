"""Bands around the volume-weighted average price."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import PERIODS, RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._declare import multiplier


@kernel
def advance(state, params, offsets, high, low, close, volume, period, upper, middle, lower):  # type: ignore[no-untyped-def]
    """State: period; traded value and volume since its start; mean, sum of squared distances.

    The distances are from a mean that moves by each row's share, as West (1979) has it: of equal
    prices they are exactly zero.
    """
    times = params[1]
    for i in range(len(state)):
        now, value, units, mean, squares = (
            state[i, 0],
            state[i, 1],
            state[i, 2],
            state[i, 3],
            state[i, 4],
        )
        for row in range(offsets[i], offsets[i + 1]):
            upper[row] = middle[row] = lower[row] = np.nan
            price = (high[row] + low[row] + close[row]) / 3.0
            traded = price * volume[row]
            if traded != traded or period[row] != period[row]:
                continue
            if period[row] != now:
                now, value, units, mean, squares = period[row], 0.0, 0.0, price, 0.0
            before, gap = units, price - mean
            value += traded
            units += volume[row]
            if units <= 0.0:
                mean = price
                continue
            step = gap * (volume[row] / units)
            mean += step
            squares += before * gap * step
            reach = times * math.sqrt(squares / units)
            middle[row] = value / units
            upper[row], lower[row] = middle[row] + reach, middle[row] - reach
        state[i, 0], state[i, 1], state[i, 2] = now, value, units
        state[i, 3], state[i, 4] = mean, squares


INDICATOR = Indicator(
    name="vwap_bands",
    title="Bands around the volume-weighted average price",
    inputs=("high", "low", "close", "volume", "{anchor}"),
    outputs=(
        Output("upper", "vwap_upper_{multiplier}", "price", "middle plus the deviations"),
        Output("middle", "vwap_middle_{multiplier}", "price", "vwap itself"),
        Output("lower", "vwap_lower_{multiplier}", "price", "middle minus the deviations"),
    ),
    parameters=(
        Parameter("anchor", "session", "where the sums start anew", choices=PERIODS),
        multiplier(1.0),
    ),
    memory=RECURSIVE,
    warmup=lambda _: (0,) * 3,
    state_size=lambda _: 5,
    advance=advance,
    formula="vwap +- multiplier x sqrt(sum(volume (hlc3 - vwap)^2) / sum(volume)) since the anchor",
    reference="the definition, as TradingView's ta.vwap with a multiplier",
    flat="null while no volume was traded since the anchor",
)
