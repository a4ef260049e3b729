"""Products of the changes of closes, on rows of less volume than before, or of more."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel_part
from tallow.core.operator import Parameter
from tallow.indicators._averages import FAINT

BASE = Parameter("base", 1.0, "value of the first row", minimum=1e-9, maximum=1e9)
MOST = 1.0 / FAINT


@kernel_part
def advance_index(state, base, offsets, close, volume, way, out):  # type: ignore[no-untyped-def]
    """Write the index of rows whose volume moved by `way`, 1 or -1.

    State: rows seen (0 or 1), close and volume before, index. A product of quotients: each costs a
    last bit, however far prices jump.
    """
    for i in range(len(state)):
        seen, before, units_before, index = state[i, 0], state[i, 1], state[i, 2], state[i, 3]
        for row in range(offsets[i], offsets[i + 1]):
            x, units = close[row], volume[row]
            if x != x or units != units:
                out[row] = np.nan
                continue
            if seen == 0.0:
                index = base
            elif way * units > way * units_before and before != 0.0 and x != 0.0:
                index = min(max(index * (x / before), FAINT), MOST)
            seen, before, units_before = 1.0, x, units
            out[row] = index
        state[i, 0], state[i, 1], state[i, 2], state[i, 3] = seen, before, units_before, index
