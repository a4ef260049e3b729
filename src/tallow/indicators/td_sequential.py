"""DeMark's setup and countdown."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._declare import length

SETUP, COUNTDOWN = 4, 2
"""Rows back to the close of a setup's comparison, and to the high or low of a countdown's."""

EIGHTH = 8
"""The row of a countdown whose close its last row must reach."""


@kernel
def advance(state, params, offsets, high, low, close, setup, countdown):  # type: ignore[no-untyped-def]
    """State: rows seen, setup, countdown, its side, the close of its eighth row.

    Then the last four closes, two highs and two lows.
    """
    most, last = params[0], params[1]
    for i in range(len(state)):
        seen, run, count, side = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
        eighth = state[i, 4]
        place = int(seen) % SETUP
        for row in range(offsets[i], offsets[i + 1]):
            h, l, c = high[row], low[row], close[row]
            setup[row] = countdown[row] = np.nan
            if h != h or l != l or c != c:
                continue
            old, pair = state[i, 5 + place], place % COUNTDOWN
            top, bottom = state[i, 9 + pair], state[i, 11 + pair]
            state[i, 5 + place], state[i, 9 + pair], state[i, 11 + pair] = c, h, l
            place = (place + 1) % SETUP
            if seen < SETUP:
                seen += 1.0
                continue
            if c < old:
                run = min(max(run, 0.0) + 1.0, most)
            elif c > old:
                run = max(min(run, 0.0) - 1.0, -most)
            else:
                run = 0.0
            if abs(run) == most and run * side <= 0.0:
                side, count = 1.0 if run > 0.0 else -1.0, 0.0
            is_next = (side > 0.0 and c <= bottom) or (side < 0.0 and c >= top)
            if abs(count) == last - 1.0 and last > EIGHTH:
                is_next = is_next and (l <= eighth if side > 0.0 else h >= eighth)
            if is_next and abs(count) < last:
                count += side
                eighth = c if abs(count) == EIGHTH else eighth
            setup[row], countdown[row] = run, count
        # Once four are there, where the ring stands: so many more than four.
        state[i, 0] = seen if seen < SETUP else float(SETUP + place)
        state[i, 1], state[i, 2], state[i, 3], state[i, 4] = run, count, side, eighth


_N = "{setup_length}_{countdown_length}"

INDICATOR = Indicator(
    name="td_sequential",
    title="TD Sequential",
    inputs=("high", "low", "close"),
    outputs=(
        Output("setup", f"td_setup_{_N}", "rows", "rows of a setup: of a buy, minus of a sell"),
        Output("countdown", f"td_countdown_{_N}", "rows", "rows counted since; minus of a sell"),
    ),
    parameters=(
        length(9, name="setup_length", text="rows of a whole setup"),
        length(13, name="countdown_length", text="rows of a whole countdown"),
    ),
    memory=RECURSIVE,
    warmup=lambda _: (SETUP, SETUP),
    state_size=lambda _: 13,
    advance=advance,
    formula="setup: rows in a row whose close is below that of 4 rows before, or minus those "
    "above; countdown: from a whole setup on, rows whose close is not above the low of 2 rows "
    "before, or minus those not below that high; the last one's low, or high, must reach the close "
    "of the eighth; it stays until a whole setup of the other side",
    reference="DeMark (1994), The New Science of Technical Analysis; nothing is recycled",
    flat="both 0",
    aliases=("td_seq",),
    names={"pandas_ta": "td_seq"},
)
