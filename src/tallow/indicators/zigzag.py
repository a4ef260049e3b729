"""Zigzag."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter


@kernel
def advance(state, params, offsets, high, low, pivot, extreme, direction):  # type: ignore[no-untyped-def]
    """State: direction, turning point, extreme of the leg."""
    part = params[0] / 100.0
    for i in range(len(state)):
        way, point, best = state[i, 0], state[i, 1], state[i, 2]
        for row in range(offsets[i], offsets[i + 1]):
            h, l = high[row], low[row]
            if h != h or l != l:
                pivot[row] = extreme[row] = direction[row] = np.nan
                continue
            if way == 0.0:
                way, point, best = 1.0, l, h
            elif way > 0.0:
                if h >= best:
                    best = h
                elif l <= best - part * best:
                    way, point, best = -1.0, best, l
            elif l <= best:
                best = l
            elif h >= best + part * best:
                way, point, best = 1.0, best, h
            pivot[row], extreme[row], direction[row] = point, best, way
        state[i, 0], state[i, 1], state[i, 2] = way, point, best


INDICATOR = Indicator(
    name="zigzag",
    title="Zigzag",
    inputs=("high", "low"),
    outputs=(
        Output(
            "pivot",
            "zigzag_{deviation}",
            "price",
            "the last turning point that is confirmed",
            at_extreme=True,
        ),
        Output(
            "extreme",
            "zigzag_extreme_{deviation}",
            "price",
            "extreme of the leg since then",
            at_extreme=True,
        ),
        Output("direction", "zigzag_direction_{deviation}", "sign", "1 up, -1 down", -1.0, 1.0),
    ),
    parameters=(
        Parameter(
            "deviation", 5.0, "percent that a price comes back by", minimum=0.01, maximum=100.0
        ),
    ),
    memory=RECURSIVE,
    warmup=lambda _: (0,) * 3,
    state_size=lambda _: 3,
    advance=advance,
    formula="a leg's extreme becomes the pivot at the row whose low, or high, is deviation percent "
    "off it; charts draw it at the extreme's own row",
    reference="Achelis (2001), Technical Analysis from A to Z, of highs and lows",
    seed="upward from the first row's low",
    flat="the price itself",
)
