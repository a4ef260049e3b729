"""Fisher transform."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._blocks import highest_step, next_place
from tallow.indicators._declare import length

LIMIT = 0.99
"""Of the smoothed place: beyond it the place is at `BEYOND`."""

BEYOND = 0.999

ROUNDING = 1e-15
"""Of a price: middles that are no further apart than the rounding of their sums are equal."""


@kernel
def advance(state, params, offsets, high, low, line, trigger):  # type: ignore[no-untyped-def]
    """State: rows counted, place, highest and lowest of the blocks; smoothed place, fisher before.

    Then the blocks.
    """
    n = int(params[0])
    for i in range(len(state)):
        seen, place, top, bottom = state[i, 0], int(state[i, 1]), state[i, 2], state[i, 3]
        where, before = state[i, 4], state[i, 5]
        for row in range(offsets[i], offsets[i + 1]):
            x = (high[row] + low[row]) / 2.0
            line[row] = trigger[row] = np.nan
            if x != x:
                continue
            top, highest = highest_step(state, i, 6, n, place, top, x)
            bottom, lowest = highest_step(state, i, 6 + n, n, place, bottom, -x)
            place, seen = next_place(place, n), seen + 1.0
            if seen < params[0]:
                continue
            reach = highest + lowest
            share = (x + lowest) / reach - 0.5 if reach > ROUNDING * abs(x) else 0.0
            where = 0.66 * share + 0.67 * where
            if abs(where) > LIMIT:
                where = BEYOND if where > 0.0 else -BEYOND
            value = 0.5 * math.log((1.0 + where) / (1.0 - where)) + 0.5 * before
            line[row] = value
            if seen > params[0]:
                trigger[row] = before
            seen, before = params[0] + 1.0, value
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, float(place), top, bottom
        state[i, 4], state[i, 5] = where, before


INDICATOR = Indicator(
    name="fisher",
    title="Fisher transform",
    inputs=("high", "low"),
    outputs=(
        Output("fisher", "fisher_{length}", "ratio", "place in the range, as a bell curve has it"),
        Output("trigger", "fisher_trigger_{length}", "ratio", "fisher of the row before"),
    ),
    parameters=(length(9, minimum=2),),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) - 1, int(p["length"])),
    state_size=lambda p: 6 + 2 * int(p["length"]),
    advance=advance,
    formula="0.5 log((1 + v) / (1 - v)) + 0.5 fisher before; v = 0.66 (place - 0.5) + 0.67 v "
    "before, 0.999 where above 0.99; place of (high + low) / 2 in its range over length rows",
    reference="Ehlers (2002), Using the Fisher Transform, S&C 20:11, as on TradingView",
    seed="0 for both of before",
    flat="a place of 0.5 where there is no range; one within 1e-15 of the price is none",
    names={"pandas_ta": "fisher"},
)
