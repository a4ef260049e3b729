"""Volume-weighted average price from a moment on."""

from __future__ import annotations

from dataclasses import replace

from tallow.core.errors import RangeError, excerpt
from tallow.core.moments import is_relative, read_limit
from tallow.core.operator import Output, Parameter, Values
from tallow.indicators.vwap import INDICATOR as VWAP


def _check(p: Values) -> str | None:
    """Say what is wrong with the moment: it must mean the same tomorrow."""
    moment = str(p["moment"])
    try:
        read_limit("moment", moment)
        is_fixed = not is_relative(moment)
    except RangeError:
        is_fixed = False
    if is_fixed:
        return None
    return (
        f"moment={excerpt(moment)}; must be a date such as 2026-11-02, or a time such as "
        "2026-11-02T09:15 by the venue's clocks, or with its offset, 2026-11-02T09:15:00+05:30"
    )


_, _SOURCE = VWAP.parameters

INDICATOR = replace(
    VWAP,
    name="anchored_vwap",
    title="Volume-weighted average price from a moment on",
    inputs=("high", "low", "close", "volume", "since"),
    outputs=(
        Output("vwap", "anchored_vwap_{moment}", "price", "mean price of a unit traded since then"),
    ),
    parameters=(
        Parameter("moment", "1970-01-01", "date of a session, or time of a row", is_text=True),
        _SOURCE,
    ),
    formula="sum(price x volume) / sum(volume) of the rows that open at the moment or later; a "
    "date is its session's first row",
    flat="null before the moment, and while no volume was traded since",
    check=_check,
    version=1,
    compared=(),
    names={},
)
