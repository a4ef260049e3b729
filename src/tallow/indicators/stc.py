"""Schaff trend cycle."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output, Parameter, Values
from tallow.indicators._averages import FAINT
from tallow.indicators._blocks import highest_step, next_place
from tallow.indicators._declare import check_fast_slow, length

FIRST, HEAD = 5, 6
"""Numbers of state before the first stage, and of a stage before its blocks."""


@kernel_step
def _gap_step(count, gap, change, length, weight):  # type: ignore[no-untyped-def]
    """Take one more close into an average, of which its distance from the close is kept.

    A distance has digits where two averages of large prices have lost them. `change` is the close
    before minus this one.
    """
    count = min(count + 1.0, length + 1.0)
    gap = (gap + change) * (1.0 - (1.0 / count if count <= length else weight))
    return count, gap if abs(gap) > FAINT else 0.0


@kernel_step
def _stage(state, i, head, n, factor, x):  # type: ignore[no-untyped-def]
    """Take one more `x`; return its place in its window's range, smoothed; NaN while that is short.

    Without a range the place stays what it was. State at `head`: values counted, place in the
    blocks, highest, lowest, place in the range, smoothed one; then the blocks.
    """
    known, place = state[i, head], int(state[i, head + 1])
    blocks = head + HEAD
    state[i, head + 2], highest = highest_step(state, i, blocks, n, place, state[i, head + 2], x)
    blocks += n
    state[i, head + 3], lowest = highest_step(state, i, blocks, n, place, state[i, head + 3], -x)
    state[i, head], state[i, head + 1] = min(known + 1.0, n + 1.0), float(next_place(place, n))
    reach, smooth = highest + lowest, np.nan
    if known + 1.0 >= n:
        if reach > 0.0:
            state[i, head + 4] = 100.0 * ((x + lowest) / reach)
        share, smooth = state[i, head + 4], state[i, head + 5]
        smooth = share if known + 1.0 == n else smooth + factor * (share - smooth)
        state[i, head + 5] = smooth
    return smooth


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: close before; count and distance of both averages; two stages."""
    n, fast_n, slow_n, factor = int(params[0]), params[1], params[2], params[3]
    fast_weight, slow_weight = 2.0 / (fast_n + 1.0), 2.0 / (slow_n + 1.0)
    second = FIRST + HEAD + 2 * n
    for i in range(len(state)):
        before, fast_count, fast = state[i, 0], state[i, 1], state[i, 2]
        slow_count, slow = state[i, 3], state[i, 4]
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            out[row] = np.nan
            if x != x:
                continue
            change, before = before - x, x
            fast_count, fast = _gap_step(fast_count, fast, change, fast_n, fast_weight)
            slow_count, slow = _gap_step(slow_count, slow, change, slow_n, slow_weight)
            if slow_count < slow_n:
                continue
            smooth = _stage(state, i, FIRST, n, factor, fast - slow)
            if smooth == smooth:
                out[row] = _stage(state, i, second, n, factor, smooth)
        state[i, 0], state[i, 1], state[i, 2] = before, fast_count, fast
        state[i, 3], state[i, 4] = slow_count, slow


def _warmup(p: Values) -> tuple[int, ...]:
    return (int(p["slow_length"]) + 2 * int(p["length"]) - 3,)


INDICATOR = Indicator(
    name="stc",
    title="Schaff trend cycle",
    inputs=("close",),
    outputs=(
        Output(
            "stc",
            "stc_{length}_{fast_length}_{slow_length}_{factor}",
            "0..100",
            "place of macd in its range, twice",
            0.0,
            100.0,
        ),
    ),
    parameters=(
        length(10),
        length(23, name="fast_length"),
        length(50, minimum=2, name="slow_length"),
        Parameter("factor", 0.5, "weight of a new place in its average", 0.01, 1.0),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda p: FIRST + 2 * (HEAD + 2 * int(p["length"])),
    advance=advance,
    formula="s(s(ema(close, fast) - ema(close, slow))); s(x) smooths 100 (x - lowest) / (highest - "
    "lowest) over length values: s before + factor (place - s before)",
    reference="Schaff (1999), The Schaff Trend Cycle",
    seed="averages by the mean of their first closes, s by its first place",
    flat="the place before, at first 0, where there is no range",
    version=2,
    check=check_fast_slow,
    names={"pandas_ta": "stc"},
)
