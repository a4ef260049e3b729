"""Ehlers' measure of the dominant cycle: prices against themselves a quarter of a cycle before.

A Hilbert transform of four terms, each two rows from the next, takes a smoothed price apart into
what is in phase and what is in quadrature; how fast the angle between them turns is the period.
What came before the first row counts as its price, and the first period as 6 rows: a market that
stands still has no cycle from the start. (TA-Lib's prices before are zero, and its first hundred
values contain that step.)

Prices enter as differences of prices, which are exact: a smoothed price would have lost the digits
of small moves on large prices.
"""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel_part, kernel_step

FAR, NEAR = 0.0962, 0.5769
"""Weights of the transform: of the rows 0 and 6, and of the rows 2 and 4."""

SHORTEST, LONGEST = 6.0, 50.0
"""Rows of a period."""

ROUNDING = 1e-12
"""Of the sizes that a sum is made of: what is left of those that cancel."""

PRICES, SERIES = 64, 16
"""Rows kept of prices, which is more than the longest period and its smoothing, and of others."""

HEAD = 7
HILBERT = HEAD + PRICES + 2 * SERIES
"""Numbers of state of a measure."""

WARMUP = 63
"""The first row that is shown of what a phase or a trendline makes, as in TA-Lib."""


@kernel_step
def _price(state, i, first, t):  # type: ignore[no-untyped-def]
    """Return the price of row `t`."""
    return state[i, first + HEAD + (t & (PRICES - 1))]


@kernel_step
def _smooth_gap(state, i, first, t, back):  # type: ignore[no-untyped-def]
    """Return the smoothed price of row `t` minus that of so many rows `back`."""
    total = 0.0
    for k in range(4):
        gap = _price(state, i, first, t - k) - _price(state, i, first, t - back - k)
        total += (4 - k) * gap
    return total / 10.0


@kernel_step
def smooth_price(state, i, first, t):  # type: ignore[no-untyped-def]
    """Return the mean of the four prices up to row `t`, weighted 4, 3, 2, 1."""
    newest, total = _price(state, i, first, t), 0.0
    for k in range(1, 4):
        total += (4 - k) * (_price(state, i, first, t - k) - newest)
    return newest + total / 10.0


@kernel_step
def _transform(state, i, series, t):  # type: ignore[no-untyped-def]
    """Return the transform of a kept series at its row `t`."""
    mask = SERIES - 1
    outer = state[i, series + (t & mask)] - state[i, series + ((t - 6) & mask)]
    inner = state[i, series + ((t - 2) & mask)] - state[i, series + ((t - 4) & mask)]
    return FAR * outer + NEAR * inner


@kernel_part
def _begin(state, i, first, x):  # type: ignore[no-untyped-def]
    """Let all prices before the first be as that one."""
    for k in range(PRICES):
        state[i, first + HEAD + k] = x
    state[i, first + 1] = state[i, first + 2] = SHORTEST


@kernel_step
def hilbert_step(state, i, first, x):  # type: ignore[no-untyped-def]
    """Take one more price; return the part in phase, the one in quadrature, the smoothed period.

    State from `first` on: rows counted, period, smoothed period, both parts before, and the
    smoothed products of both; then prices, moves, quadratures.
    """
    t, mask = int(state[i, first]), SERIES - 1
    if t == 0:
        _begin(state, i, first, x)
    state[i, first] = t + 1.0
    state[i, first + HEAD + (t & (PRICES - 1))] = x
    moves, turns = first + HEAD + PRICES, first + HEAD + PRICES + SERIES
    period, last_in, last_across = state[i, first + 1], state[i, first + 3], state[i, first + 4]
    scale = 0.075 * period + 0.54
    outer, inner = _smooth_gap(state, i, first, t, 6), _smooth_gap(state, i, first, t - 2, 2)
    state[i, moves + (t & mask)] = scale * (FAR * outer + NEAR * inner)
    quadrature = scale * _transform(state, i, moves, t)
    state[i, turns + (t & mask)] = quadrature
    phase = state[i, moves + ((t - 3) & mask)]
    in_phase = phase - scale * _transform(state, i, turns, t)
    across = quadrature + scale * _transform(state, i, moves, t - 3)
    in_phase, across = 0.2 * in_phase + 0.8 * last_in, 0.2 * across + 0.8 * last_across
    real, imaginary = in_phase * last_in + across * last_across, in_phase * last_across
    imaginary -= across * last_in
    real = 0.2 * real + 0.8 * state[i, first + 5]
    imaginary = 0.2 * imaginary + 0.8 * state[i, first + 6]
    period = _next_period(period, real, imaginary)
    smooth = state[i, first + 2]
    smooth += 0.33 * (period - smooth)
    state[i, first + 1], state[i, first + 2] = period, smooth
    state[i, first + 3], state[i, first + 4] = in_phase, across
    state[i, first + 5], state[i, first + 6] = real, imaginary
    return phase, quadrature, smooth


@kernel_step
def _next_period(before, real, imaginary):  # type: ignore[no-untyped-def]
    """Return the period of the angle between a row and the one before, near the last period."""
    period = before
    # What rounding makes of no turn is none: its sign would decide.
    if abs(imaginary) > ROUNDING * abs(real) and real != 0.0:
        period = 2.0 * math.pi / math.atan(imaginary / real)
    period = max(min(period, 1.5 * before), 0.67 * before)
    return before + 0.2 * (min(max(period, SHORTEST), LONGEST) - before)


@kernel_step
def phase_step(state, i, first, t, smooth):  # type: ignore[no-untyped-def]
    """Return the phase of the dominant cycle at row `t`, in degrees; NaN where there is none.

    The smoothed prices of a period are weighed by its sine and its cosine. Both add up to zero, so
    differences from the newest price do as well.
    """
    rows, newest = int(smooth + 0.5), _price(state, i, first, t)
    half, half_turn = math.pi / rows, math.pi / 2.0
    less, turn = 2.0 * math.sin(half) * math.sin(half), math.sin(2.0 * half)
    real = imaginary = size = sine = a = 0.0
    cosine = 1.0
    b, c = _price(state, i, first, t - 1) - newest, _price(state, i, first, t - 2) - newest
    for k in range(rows):
        d = _price(state, i, first, t - 3 - k) - newest
        smoothed = (4.0 * a + 3.0 * b + 2.0 * c + d) / 10.0
        a, b, c = b, c, d
        real += sine * smoothed
        imaginary += cosine * smoothed
        size += abs(smoothed)
        # The next angle, from differences: over many of them it stays exact.
        more, cosine = (
            sine - (less * sine - turn * cosine),
            cosine - (less * cosine + turn * sine),
        )
        sine = more
    if max(abs(real), abs(imaginary)) <= ROUNDING * size:
        return np.nan
    angle = math.atan(real / imaginary) if imaginary != 0.0 else math.copysign(half_turn, real)
    phase = angle * (180.0 / math.pi) + 90.0 + 360.0 / smooth
    if imaginary < 0.0:
        phase += 180.0
    return phase - 360.0 if phase > 315.0 else phase


@kernel_step
def trend_step(state, i, first, t, trends, smooth):  # type: ignore[no-untyped-def]
    """Return the smoothed mean of a period's prices.

    State at `trends`: that mean of the last three rows.
    """
    rows, newest, total = int(smooth + 0.5), _price(state, i, first, t), 0.0
    for k in range(1, rows):
        total += _price(state, i, first, t - k) - newest
    mean = newest + total / rows
    one, two, three = state[i, trends], state[i, trends + 1], state[i, trends + 2]
    state[i, trends], state[i, trends + 1], state[i, trends + 2] = mean, one, two
    return mean + (3.0 * (one - mean) + 2.0 * (two - mean) + (three - mean)) / 10.0
