"""Rank among all instruments."""

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


INDICATOR = Indicator(
    name="cs_rank",
    title="Cross-sectional rank",
    inputs=("close",),
    outputs=(Output("rank", "cs_rank", "place", "place among the instruments", minimum=1.0),),
    parameters=(),
    memory=CROSS,
    warmup=lambda _: (0,),
    state_size=lambda _: 0,
    advance=advance,
    formula="1 + instruments below + half of the others that are equal",
    flat="equal values share the mean of their places",
    reference="fractional ranking, as pandas ranks with ties averaged",
)
