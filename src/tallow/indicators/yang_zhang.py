"""Yang and Zhang's volatility: of whole candles and of the gaps between them."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import YEAR_ROWS
from tallow.indicators._volatilities import (
    _returns,
    annualise,
    in_percent,
    volatility,
    write_drift_free,
)
from tallow.indicators._windows import (
    load_windows,
    next_stretch,
    start_stretches,
    window_means,
    window_moments,
)


@kernel
def advance(state, params, offsets, open_, high, low, close, year_rows, out):  # type: ignore[no-untyped-def]
    """State: the close before; the last ``length - 1`` gaps, moves and variances of rows."""
    n = int(params[0])
    rows, room, who, side = start_stretches(n + 1)
    windows, work, fresh = np.empty((4, room)), np.empty((3, 6, room)), np.empty(room)
    share = 0.34 / (1.34 + (n + 1.0) / (n - 1.0))
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        part, variances = fresh[: z - a], out[a:z]
        before = load_windows(state, 0, 1, who, side, close[a:z], windows[0])
        _returns(before, open_[a:z], part)
        gaps = load_windows(state, 1, n - 1, who, side, part, windows[1])
        _, between = window_moments(gaps, n, side, work[0])
        _returns(open_[a:z], close[a:z], part)
        moves = load_windows(state, n, n - 1, who, side, part, windows[2])
        _, within = window_moments(moves, n, side, work[1])
        write_drift_free(open_[a:z], high[a:z], low[a:z], close[a:z], part)
        spreads = load_windows(state, 2 * n - 1, n - 1, who, side, part, windows[3])
        window_means(spreads, n, side, work[2, :3], variances)
        for j in range(len(variances)):
            samples = (between[j] + share * within[j]) / (n - 1.0)
            variances[j] = samples + (1.0 - share) * variances[j]
        annualise(variances, params[1], year_rows[a:z], variances)
        a = z


INDICATOR = volatility(
    name="yang_zhang",
    title="Yang and Zhang's volatility",
    inputs=("open", "high", "low", "close", YEAR_ROWS),
    outputs=in_percent("yang_zhang", "volatility of a year, of candles and gaps"),
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda p: 1 + 3 * (int(p["length"]) - 1),
    advance=advance,
    formula="100 sqrt(rows per year x (v(log(open / close before)) + k v(log(close / open)) + "
    "(1 - k) rs)); v: sample variance; rs: Rogers and Satchell's; n = length; "
    "k = 0.34 / (1.34 + (n + 1) / (n - 1))",
    reference="Yang and Zhang (2000), Drift-Independent Volatility Estimation Based on High, Low, "
    "Open, and Close Prices, Journal of Business 73:3",
    version=2,
)
