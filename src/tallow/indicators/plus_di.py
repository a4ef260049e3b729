"""Plus directional indicator."""

from __future__ import annotations

from tallow.core.kernel import kernel
from tallow.core.operator import RECURSIVE, Indicator, Output
from tallow.indicators._declare import WILDER, length, zero_or_null
from tallow.indicators._directions import FIRST_SUMS, advance_direction


@kernel
def advance(state, params, offsets, high, low, close, out):  # type: ignore[no-untyped-def]
    """State: as `advance_direction` has it."""
    advance_direction(state, params, offsets, high, low, close, 1.0, out)


INDICATOR = Indicator(
    name="plus_di",
    title="Plus directional indicator",
    inputs=("high", "low", "close"),
    # A column of its own name: adx has one for its output, and both may be asked for.
    outputs=(Output("plus_di", "di_plus_{length}", "0..100", "upward movement", 0.0, 100.0),),
    parameters=(length(14, minimum=2), FIRST_SUMS, zero_or_null("the mean range")),
    memory=RECURSIVE,
    warmup=lambda p: (int(p["length"]),),
    state_size=lambda _: 8,
    advance=advance,
    formula="100 rma(upward movement, length) / rma(true range, length); as adx's output",
    reference=WILDER,
    seed="means of the first length values; TA-Lib's first sums have one term less",
    flat="null while the mean range is zero; 0 in TA-Lib",
    version=4,
    presets={"talib": {"seed": "short", "flat": "zero"}},
    compared=("talib",),
    names={"talib": "PLUS_DI"},
)
