"""Klinger volume oscillator."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import RECURSIVE, Indicator, Parameter, Values
from tallow.indicators._averages import average_step
from tallow.indicators._declare import check_fast_slow, length, outputs_with_signal
from tallow.indicators._flows import price_change


@kernel_part
def _force(s, high, low, close, volume, is_klinger):  # type: ignore[no-untyped-def]
    """Return the row's volume with the sign of its trend, and keep what the next row needs."""
    price, reach, before = (high + low + close) / 3.0, high - low, s[3]
    gap = price_change(price, s[1])
    if is_klinger:
        way = 1.0 if gap > 0.0 else -1.0 if gap < 0.0 else before
        s[4] = s[4] + reach if way == before else s[2] + reach
        part = 200.0 * (1.0 - reach / s[4]) if s[4] != 0.0 else 0.0
    else:
        way, part = 1.0 if gap >= 0.0 else -1.0, 1.0
    s[1], s[2], s[3] = price, reach, way
    return way * (volume * part)


@kernel
def advance(state, params, offsets, high, low, close, volume, line, signal, histogram):  # type: ignore[no-untyped-def]
    """State: seen; price, range, trend before; the trend's range; counts and values of averages."""
    n, m, r, is_klinger = params[0], params[1], params[2], params[3] == 1.0
    for i in range(len(state)):
        s = state[i]
        for row in range(offsets[i], offsets[i + 1]):
            line[row] = signal[row] = histogram[row] = np.nan
            h, l, c, units = high[row], low[row], close[row], volume[row]
            known = h + l + c + units
            if known != known:
                continue
            if s[0] == 0.0:
                s[0], s[1], s[2], s[4] = 1.0, (h + l + c) / 3.0, h - l, h - l
                continue
            force = _force(s, h, l, c, units, is_klinger)
            s[5], s[6] = average_step(s[5], s[6], force, n, 2.0 / (n + 1.0))
            s[7], s[8] = average_step(s[7], s[8], force, m, 2.0 / (m + 1.0))
            if s[7] < m:
                continue
            line[row] = s[6] - s[8]
            s[9], s[10] = average_step(s[9], s[10], line[row], r, 2.0 / (r + 1.0))
            if s[9] == r:
                signal[row], histogram[row] = s[10], line[row] - s[10]


def _warmup(p: Values) -> tuple[int, ...]:
    line = int(p["slow_length"])
    signal = line + int(p["signal_length"]) - 1
    return (line, signal, signal)


INDICATOR = Indicator(
    name="kvo",
    title="Klinger volume oscillator",
    inputs=("high", "low", "close", "volume"),
    outputs=outputs_with_signal("kvo", "units", "fast minus slow average of volume by its trend"),
    parameters=(
        length(34, name="fast_length"),
        length(55, minimum=2, name="slow_length"),
        length(13, name="signal_length"),
        Parameter(
            "force",
            "volume",
            "a row's volume, or Klinger's part of it: 200 (1 - range / range of the trend)",
            choices=("volume", "klinger"),
        ),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda _: 11,
    advance=advance,
    formula="ema(force, fast) - ema(force, slow); force = volume, negative where hlc3 falls; "
    "signal = ema(kvo, signal)",
    reference="Klinger (1997), Identifying Trends with Volume Analysis, S&C 15:12; as TradingView "
    "simplifies it",
    seed="each average by the mean of its first rows; TradingView counts the first row as a fall",
    flat="an hlc3 that stays within 1e-15 does not fall; to Klinger's force its trend goes on",
    check=check_fast_slow,
    names={"pandas_ta": "kvo"},
)
