"""Regime of the average directional index: a trend, its direction, or a range."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Values
from tallow.indicators._declare import WILDER, length
from tallow.indicators._directions import FIRST_SUMS
from tallow.indicators._states import side_of, state_of
from tallow.indicators.adx import INDICATOR as ADX
from tallow.indicators.adx import advance as advance_adx


@kernel
def advance(state, params, offsets, high, low, close, regime, direction):  # type: ignore[no-untyped-def]
    """State: that of `adx`."""
    strength, plus, minus = np.empty(len(close)), np.empty(len(close)), np.empty(len(close))
    # Its parameters: length, seed, flat.
    own = np.array([params[0], params[3], params[4]])
    advance_adx(state, own, offsets, high, low, close, strength, plus, minus)
    for row in range(offsets[0], offsets[len(state)]):
        regime[row] = direction[row] = np.nan
        if strength[row] == strength[row]:
            regime[row] = state_of(strength[row], params[2], params[1])
        if plus[row] == plus[row]:
            direction[row] = side_of(plus[row], minus[row])


def _check(p: Values) -> str | None:
    if float(p["range"]) <= float(p["trend"]):
        return None
    return f"range={p['range']}; must be at most trend={p['trend']}"


def _warmup(p: Values) -> tuple[int, ...]:
    return ADX.warmup(p)[:2]


INDICATOR = Indicator(
    name="adx_regime",
    title="Regime of the average directional index",
    inputs=("high", "low", "close"),
    outputs=(
        Output(
            "regime",
            "adx_regime_{length}",
            "sign",
            "1 a trend, -1 a range, 0 between",
            -1,
            1,
            is_integer=True,
        ),
        Output(
            "direction",
            "adx_direction_{length}",
            "sign",
            "1 upward, -1 downward movement, 0 as much",
            -1,
            1,
            is_integer=True,
        ),
    ),
    parameters=(
        length(14, minimum=2),
        Parameter("trend", 25.0, "adx above which there is a trend", 0.0, 100.0),
        Parameter("range", 20.0, "adx below which there is a range", 0.0, 100.0),
        FIRST_SUMS,
        next(each for each in ADX.parameters if each.name == "flat"),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=ADX.state_size,
    advance=advance,
    check=_check,
    formula="regime = 1 where adx > trend, -1 where adx < range, else 0; direction: which di of "
    "adx is larger, 1 the plus one, -1 the minus one",
    reference=f"{WILDER}, for adx; the thresholds are in common use",
    seed=ADX.seed,
    flat=ADX.flat,
    version=4,
    presets=ADX.presets,
    compared=("talib",),
)
