"""Connors' relative strength index."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_step
from tallow.core.operator import RECURSIVE, Indicator, Output, Values
from tallow.indicators._blocks import next_place
from tallow.indicators._changes import strength_step
from tallow.indicators._declare import length


@kernel_step
def _rank_step(state, i, first, n, place, x):  # type: ignore[no-untyped-def]
    """Return the percent of a ring that is not above `x`, which then takes the oldest's place."""
    lower = 0
    for k in range(first, first + n):
        lower += 1 if state[i, k] <= x else 0
    state[i, first + place] = x
    return 100.0 * lower / n


@kernel
def advance(state, params, offsets, close, out):  # type: ignore[no-untyped-def]
    """State: rows seen (0 or 1), close before, streak; count, gain, loss and strength of both.

    Then how many changes are known, the place in their ring, and the ring.
    """
    length, streak_n, n = params[0], params[1], int(params[2])
    for i in range(len(state)):
        seen, before, streak = state[i, 0], state[i, 1], state[i, 2]
        count, gain, loss, rsi = state[i, 3], state[i, 4], state[i, 5], state[i, 6]
        runs, longer, shorter, lasting = state[i, 7], state[i, 8], state[i, 9], state[i, 10]
        known, place = state[i, 11], int(state[i, 12])
        for row in range(offsets[i], offsets[i + 1]):
            x = close[row]
            out[row] = np.nan
            if x != x:
                continue
            old, before, change, is_first = before, x, x - before, seen == 0.0
            seen = 1.0
            if is_first:
                continue
            count, gain, loss, rsi = strength_step(count, gain, loss, rsi, change, length, 100.0)
            last = streak
            if change > 0.0:
                streak = max(streak, 0.0) + 1.0
            elif change < 0.0:
                streak = min(streak, 0.0) - 1.0
            else:
                streak = 0.0
            runs, longer, shorter, lasting = strength_step(
                runs, longer, shorter, lasting, streak - last, streak_n, 100.0
            )
            # A change of nothing is none: the ring waits.
            if old == 0.0:
                continue
            rank = _rank_step(state, i, 13, n, place, change / old)
            place, is_full = next_place(place, n), known == params[2]
            known = min(known + 1.0, params[2])
            if is_full and count == length and runs == streak_n:
                out[row] = (rsi + lasting + rank) / 3.0
        state[i, 0], state[i, 1], state[i, 2] = seen, before, streak
        state[i, 3], state[i, 4], state[i, 5], state[i, 6] = count, gain, loss, rsi
        state[i, 7], state[i, 8], state[i, 9], state[i, 10] = runs, longer, shorter, lasting
        state[i, 11], state[i, 12] = known, float(place)


def _warmup(p: Values) -> tuple[int, ...]:
    return (max(int(p["rsi_length"]), int(p["streak_length"]), int(p["rank_length"]) + 1),)


INDICATOR = Indicator(
    name="connors_rsi",
    title="Connors RSI",
    inputs=("close",),
    outputs=(
        Output(
            "connors_rsi",
            "connors_rsi_{rsi_length}_{streak_length}_{rank_length}",
            "0..100",
            "mean of three strengths",
            0.0,
            100.0,
        ),
    ),
    parameters=(
        length(3, minimum=2, name="rsi_length"),
        length(2, minimum=2, name="streak_length", text="rows of the averages of the streak"),
        length(100, name="rank_length", text="earlier changes that a change is ranked among"),
    ),
    memory=RECURSIVE,
    warmup=_warmup,
    state_size=lambda p: 13 + int(p["rank_length"]),
    advance=advance,
    formula="(rsi(close) + rsi(streak) + percent_rank(change in percent)) / 3; streak = rows that "
    "the close rose in a row, minus those it fell, 0 where it is unchanged",
    reference="Connors and Alvarez (2012), An Introduction to ConnorsRSI, as on TradingView",
    seed="as rsi; a streak of 0 at the first row",
    flat="100; null where the close before is zero",
    aliases=("crsi",),
)
