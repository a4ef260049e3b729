"""Opening range: high and low of a session's first minutes."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import MINUTE, RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._averages import average_step, range_step
from tallow.indicators._declare import length


@kernel
def advance(state, params, offsets, high, low, close, session, minute, top, bottom, wide, in_atrs):  # type: ignore[no-untyped-def]
    """State: session, whether its range began, high, low; rows seen, close, ranges, ATR."""
    minutes, n = params[0], params[1]
    for i in range(len(state)):
        now, has, h, l = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
        seen, before, count, value = state[i, 4], state[i, 5], state[i, 6], state[i, 7]
        for row in range(offsets[i], offsets[i + 1]):
            top[row] = bottom[row] = wide[row] = in_atrs[row] = np.nan
            missing = high[row] + low[row] + close[row] + session[row] + minute[row]
            if missing != missing:
                continue
            x = range_step(high[row], low[row], before if seen > 0.0 else np.nan)
            count, value = average_step(count, value, x, n, 1.0 / n)
            seen, before = 1.0, close[row]
            if session[row] != now:
                now, has = session[row], 0.0
            if minute[row] >= minutes:
                if has > 0.0:
                    top[row], bottom[row], wide[row] = h, l, h - l
                    if count == n and value > 0.0:
                        in_atrs[row] = (h - l) / value
            elif minute[row] >= 0.0:
                h = max(h, high[row]) if has > 0.0 else high[row]
                l = min(l, low[row]) if has > 0.0 else low[row]
                has = 1.0
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = now, has, h, l
        state[i, 4], state[i, 5], state[i, 6], state[i, 7] = seen, before, count, value


_N = "{minutes}_{atr_length}"

INDICATOR = Indicator(
    name="opening_range",
    title="Opening range",
    inputs=("high", "low", "close", "session", MINUTE),
    outputs=(
        Output("high", f"opening_high_{_N}", "price", "highest high of the session's start"),
        Output("low", f"opening_low_{_N}", "price", "lowest low of the session's start"),
        Output("range", f"opening_range_{_N}", "price difference", "high - low", 0.0),
        Output("range_atr", f"opening_range_atr_{_N}", "ratio", "range by the row's ATR", 0.0),
    ),
    parameters=(
        Parameter("minutes", 15, "minutes of the range, from the session's start", 1, 1_440),
        length(14, minimum=2, name="atr_length"),
    ),
    memory=RECURSIVE,
    warmup=lambda p: (0, 0, 0, int(p["atr_length"]) - 1),
    state_size=lambda _: 8,
    advance=advance,
    formula="of the bars that open in the first minutes of a session: max(high), min(low), high - "
    "low, and that by atr(atr_length) of the row; null until a bar opens after these minutes, and "
    "where none opened in them",
    reference="Crabel (1990), Day Trading with Short Term Price Patterns",
    flat="range 0; range_atr null at an ATR of 0",
    seed="as atr, whose first range is high - low",
    waits="minutes",
)
