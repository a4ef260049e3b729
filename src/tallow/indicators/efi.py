"""Elder's force index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._averages import average_step
from tallow.indicators._declare import length


@kernel
def advance(state, params, offsets, close, volume, out):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before, forces counted up to ``length``, average."""
    n, weight = params[0], 2.0 / (params[0] + 1.0)
    for i in range(len(state)):
        seen, before, count, value = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
        for row in range(offsets[i], offsets[i + 1]):
            out[row] = np.nan
            x, units = close[row], volume[row]
            if x != x or units != units:
                continue
            if seen > 0.0:
                count, value = average_step(count, value, (x - before) * units, n, weight)
            seen, before = 1.0, x
            out[row] = value if count == n else np.nan
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, before, count, value


INDICATOR = Indicator(
    name="efi",
    title="Elder's force index",
    inputs=("close", "volume"),
    outputs=(Output("efi", "efi_{length}", "force", "average of change times volume"),),
    parameters=(length(13),),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda _: 4,
    advance=advance,
    formula="ema((close - close before) x volume, length)",
    reference="Elder (1993), Trading for a Living",
    seed="mean of the first length forces",
    compared=("talib",),
    names={"talib": "EFI", "pandas_ta": "efi"},
)
