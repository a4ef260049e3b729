"""Minus directional indicator."""

from __future__ import annotations

from dataclasses import replace

from tallow.core.kernel import kernel
from tallow.core.operator import Output
from tallow.indicators import plus_di
from tallow.indicators._directions import advance_direction


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: as `advance_direction` has it."""
    advance_direction(state, params, offsets, low, high, close, -1.0, out)


INDICATOR = replace(
    plus_di.INDICATOR,
    name="minus_di",
    title="Minus directional indicator",
    outputs=(Output("minus_di", "di_minus_{length}", "0..100", "downward movement", 0.0, 100.0),),
    advance=advance,
    formula="100 rma(downward movement, length) / rma(true range, length); as adx's output",
    version=2,
    names={"talib": "MINUS_DI"},
)
