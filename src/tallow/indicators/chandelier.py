"""Chandelier exits."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._declare import FIRST_RANGE, length, multiplier
from tallow.indicators._extremes import window_highest, window_lowest
from tallow.indicators._known import known_ranges, start_known
from tallow.indicators._windows import load_windows, start_stretches


@kernel
def advance(state, params, offsets, high, low, close, long, short):  # type: ignore[no-untyped-def]
    """State: as `known_ranges` has it; the last ``length - 1`` highs, then as many lows."""
    n, times = int(params[0]), params[1]
    rows, room, who, side = start_stretches(n)
    window, work, known = np.empty((2, room)), np.empty((2, room)), np.empty((4, rows))
    places = np.empty(rows, dtype=np.int64)
    for i in range(len(state)):
        who[0] = i
        start_known(state[i], 2 * (n - 1))
        for a in range(offsets[i], offsets[i + 1], rows):
            z = min(a + rows, offsets[i + 1])
            exits, entries = long[a:z], short[a:z]
            for j in range(len(exits)):
                exits[j] = entries[j] = np.nan
            found = known_ranges(
                state[i], params[0], params[2], high[a:z], low[a:z], close[a:z], known, places
            )
            if found == 0:
                continue
            reach = known[3, :found]
            x = load_windows(state, 5, n - 1, who, side, known[0, :found], window[0])
            highest = window_highest(x, n, side, work)
            for j in range(found):
                exits[places[j]] = highest[j] - times * reach[j]
            x = load_windows(state, 4 + n, n - 1, who, side, known[1, :found], window[1])
            lowest = window_lowest(x, n, side, work)
            for j in range(found):
                entries[places[j]] = lowest[j] + times * reach[j]


_N = "{length}_{multiplier}"

INDICATOR = Indicator(
    name="chandelier",
    title="Chandelier exits",
    inputs=("high", "low", "close"),
    outputs=(
        Output("long", f"chandelier_long_{_N}", "price", "where a long position ends"),
        Output("short", f"chandelier_short_{_N}", "price", "where a short position ends"),
    ),
    parameters=(length(22), multiplier(3.0), FIRST_RANGE),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]) - (p["first_range"] == "high_low"),) * 2,
    state_size=lambda p: 5 + 2 * (int(p["length"]) - 1),
    advance=advance,
    formula="highest high - multiplier x atr(length); lowest low + multiplier x atr(length); of "
    "length rows",
    reference="LeBeau, as described by Elder (2002), Come into My Trading Room",
    seed="as atr",
    version=4,
    presets={"talib": {"first_range": "none"}},
)
