"""The move of a row: its size, direction and strength, and how many of its kind are in a row."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter
from tallow.indicators._blocks import next_place, sum_step
from tallow.indicators._declare import length


@kernel
def advance(state, params, offsets, open_, close, volume, size, direction, strength, strong, bars):  # type: ignore[no-untyped-def]
    """State: rows counted, place; own and whole sums of sizes, of volumes; sign, kind, bars.

    Then the blocks of sizes, and those of volumes.
    """
    n, threshold, weight = int(params[0]), params[1], params[2]
    for i in range(len(state)):
        seen, place = state[i, 0], int(state[i, 1])
        sizes, all_sizes, units, all_units = state[i, 2], state[i, 3], state[i, 4], state[i, 5]
        sign, kind, run = state[i, 6], state[i, 7], state[i, 8]
        for row in range(offsets[i], offsets[i + 1]):
            o, c, v = open_[row], close[row], volume[row]
            size[row] = direction[row] = strength[row] = strong[row] = bars[row] = np.nan
            base = min(o, c)
            if o != o or c != c or v != v or base <= 0.0:
                continue
            x = 100.0 * (abs(c - o) / base)
            side = 1.0 if c > o else 0.0
            side = -1.0 if c < o else side
            size[row], direction[row] = x, side
            if seen == params[0]:
                value = x / (x + all_sizes / n) if x > 0.0 else 0.0
                traded = v + all_units / n
                if traded > 0.0:
                    value = (1.0 - weight) * value + weight * (v / traded)
                own = 1.0 if value >= threshold else 0.0
                is_same = side == sign and own == kind
                run = run + 1.0 if is_same else 1.0
                run = run if side != 0.0 else 0.0
                sign, kind = side, own
                strength[row], strong[row], bars[row] = value, own, run
            sizes, all_sizes = sum_step(state, i, 9, n, place, sizes, x)
            units, all_units = sum_step(state, i, 9 + n, n, place, units, v)
            place, seen = next_place(place, n), min(seen + 1.0, params[0])
        state[i, 0], state[i, 1] = seen, float(place)
        state[i, 2], state[i, 3], state[i, 4], state[i, 5] = sizes, all_sizes, units, all_units
        state[i, 6], state[i, 7], state[i, 8] = sign, kind, run


_N = "{length}_{threshold}_{volume_weight}"

INDICATOR = Indicator(
    name="move",
    title="Move",
    inputs=("open", "close", "volume"),
    outputs=(
        Output("size", f"move_size_{_N}", "percent", "from open to close, of the lower", 0.0),
        Output("direction", f"move_direction_{_N}", "sign", "1 up, -1 down, 0 flat", -1.0, 1.0),
        Output("strength", f"move_strength_{_N}", "ratio", "beside the rows before", 0.0, 1.0),
        Output("strong", f"move_strong_{_N}", "sign", "1 from the threshold on, else 0", 0.0, 1.0),
        Output("bars", f"move_bars_{_N}", "rows", "rows of its kind and direction so far", 0.0),
    ),
    parameters=(
        length(20),
        Parameter("threshold", 0.55, "strength from which a move is strong", 0.0, 1.0),
        Parameter("volume_weight", 0.3, "share of the volume in a strength", 0.0, 1.0),
    ),
    memory=RECURSIVE,
    warmup=lambda p: (0, 0, *(int(p["length"]),) * 3),
    state_size=lambda p: 9 + 2 * int(p["length"]),
    advance=advance,
    formula="size = 100 |close - open| / min(open, close); price = size / (size + mean size of the "
    "length rows before); traded = volume / (volume + mean volume of these); strength = "
    "(1 - volume_weight) price + volume_weight traded; strong: strength >= threshold; bars: rows "
    "up to this one that are all strong, or all not, and all up, or all down",
    reference="Tallow's own: strengths without a unit, 0.5 for what is usual",
    flat="a row without a size has a price of 0, and 0 bars; where nothing was traded, then and "
    "before, the strength is the price's; null where a price is not above 0",
)
