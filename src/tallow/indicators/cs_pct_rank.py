"""Rank among all instruments, as a share."""

from __future__ import annotations

from tallow.core.kernel import kernel
from tallow.core.operator import CROSS, Indicator, Output
from tallow.indicators._cross import average_ranks


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: none."""
    for moment in range(len(state)):
        a, z = offsets[moment], offsets[moment + 1]
        average_ranks(close[a:z], out[a:z])
        for row in range(a, z):
            out[row] = (out[row] - 1.0) / (z - a - 1) if z - a > 1 else 0.5


INDICATOR = Indicator(
    name="cs_pct_rank",
    title="Cross-sectional percent rank",
    inputs=("close",),
    outputs=(
        Output(
            "rank", "cs_pct_rank", "0..1", "place among the instruments", minimum=0.0, maximum=1.0
        ),
    ),
    parameters=(),
    memory=CROSS,
    warmup=lambda _: (0,),
    state_size=lambda _: 0,
    advance=advance,
    formula="(cs_rank - 1) / (instruments - 1)",
    flat="0.5 where all values are equal, or there is one instrument",
    reference="PERCENT_RANK of ISO/IEC 9075-2, with ties averaged",
)
