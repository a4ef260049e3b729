"""Squeeze: how near the Bollinger bands are to their narrowest, and when they leave it."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part, kernel_step
from tallow.core.operator import WINDOW, Indicator, Output, Parameter
from tallow.indicators._declare import length, multiplier
from tallow.indicators._extremes import window_lowest
from tallow.indicators._short_windows import short_moments
from tallow.indicators._windows import (
    SIDE,
    load_windows,
    next_stretch,
    start_stretches,
    window_moments,
)

EQUAL = 1e-9
"""Widths that differ by less than this share of them are equal: rounding makes no squeeze."""


@kernel_part
def _widths(squares, n, times, wide):  # type: ignore[no-untyped-def]
    """Write upper minus lower band, to the bits of `bollinger`."""
    share = 1.0 / n
    for j in range(len(wide)):
        wide[j] = 2.0 * (times * np.sqrt(squares[j] * share))


@kernel_part
def _contracting(w, m, side, state, who, contracting, contraction):  # type: ignore[no-untyped-def]
    """Write how often widths fell in a row, and by how much; the newest count stays in the state.

    A count goes no further back than the window, so it is one of the window alone.
    """
    first, last = (m - 1) * side, state.shape[1] - 2
    for j in range(len(contracting)):
        before = state[who[j], last] if j < side else contracting[j - side]
        now, count, fell = w[first + j], 0.0, 0.0
        if now < w[first + j - side] * (1.0 - EQUAL):
            count = min(before + 1.0, m - 1.0) if before >= 0.0 else 1.0
            begin = w[first + j - int(count) * side]
            fell = 100.0 * (begin - now) / begin
        contracting[j], contraction[j] = count, fell
    for j in range(side):
        state[who[j], last] = contracting[len(contracting) - side + j]


@kernel_part
def _distances(w, m, side, near, work, lowest, distance, in_range, release):  # type: ignore[no-untyped-def]
    """Write the lowest width of each window, how far the newest is from it, and for how long."""
    least, first = window_lowest(w, m, side, work), (m - 1) * side
    for j in range(len(lowest)):
        low, now, before = least[j], w[first + j], w[first + j - side]
        limit, back = low * (1.0 + near + EQUAL), 0
        while back < m and w[first + j - back * side] <= limit:
            back += 1
        lowest[j], in_range[j] = low, float(back)
        distance[j] = np.nan if low == 0.0 < now else 0.0
        if low > 0.0:
            distance[j] = 100.0 * (now - low) / low
        release[j] = 1.0 if before <= limit < now else 0.0


@kernel_part
def _percentile(w, m, side, work, out):  # type: ignore[no-untyped-def]
    """Write the percent of a window's earlier widths that are below its newest."""
    now, limit = w[(m - 1) * side :], work[: len(out)]
    for j in range(len(out)):
        limit[j], out[j] = now[j] * (1.0 - EQUAL), 0.0
    for back in range(m - 1):
        old = w[back * side :]
        for j in range(len(out)):
            out[j] += 1.0 if old[j] < limit[j] else 0.0
    for j in range(len(out)):
        out[j] = 100.0 * out[j] / (m - 1.0)


@kernel_part
def _keep_lowest(w, m, who, state, lowest):  # type: ignore[no-untyped-def]
    """Keep the lowest of the widths in the state; NaN where it was the one that leaves now."""
    low, oldest = lowest[len(lowest) - 1], w[len(w) - m]
    state[who[0], state.shape[1] - 1] = low if oldest > low else np.nan


@kernel_step
def _lowest(s, count, now):  # type: ignore[no-untyped-def]
    """Return the lowest of `now` and the first widths of `s`; NaN where any is missing."""
    a, b, c, d, missing, whole = now, now, now, now, np.int64(now != now), count // 4 * 4
    for k in range(0, whole, 4):
        # Four by four: each minimum waits for the one before it.
        a, b = s[k] if s[k] < a else a, s[k + 1] if s[k + 1] < b else b
        c, d = s[k + 2] if s[k + 2] < c else c, s[k + 3] if s[k + 3] < d else d
    for k in range(whole, count):
        a = s[k] if s[k] < a else a
    for k in range(count):
        missing += s[k] != s[k]
    return np.nan if missing else min(a, b, c, d)


@kernel_part
def _in_place(  # type: ignore[no-untyped-def]
    state, kept, who, wide, near, lowest, distance, contracting, contraction, *rest
):
    """Do as `_look_back` for a row of each of `who`, where the widths lie.

    From `kept` on a state has the earlier widths, the newest count, and the lowest of these widths.
    One loop over instruments: a call for each, which counts references to all arrays, takes longer
    than the arithmetic.
    """
    in_range, percentile, release = rest
    m, last = state.shape[1] - kept - 1, state.shape[1] - kept - 2
    for j in range(len(wide)):
        s, now = state[who[j], kept:], wide[j]
        before, low = s[last - 1], s[m]
        low = min(low, now) if low == low and now == now else _lowest(s, last, now)
        s[m] = low if s[0] > low else np.nan
        count, fell, back = 0.0, 0.0, 0
        if now < before * (1.0 - EQUAL):
            count = min(s[last] + 1.0, m - 1.0) if s[last] >= 0.0 else 1.0
            begin = s[last - int(count)]
            fell = 100.0 * (begin - now) / begin
        limit, fewer = low * (1.0 + near + EQUAL), now * (1.0 - EQUAL)
        if now <= limit:
            back = 1
            while back < m and s[last - back] <= limit:
                back += 1
        below = np.int64(s[0] < fewer)
        for k in range(last - 1):
            s[k] = s[k + 1]
            below += s[k] < fewer
        s[last - 1], s[last] = now, count
        lowest[j] = low
        distance[j] = np.nan if low == 0.0 < now else low - low
        if low > 0.0:
            distance[j] = 100.0 * (now - low) / low
        gone = low != low
        contracting[j], contraction[j] = np.nan if gone else count, np.nan if gone else fell
        in_range[j] = np.nan if gone else float(back)
        percentile[j] = np.nan if gone else 100.0 * below / (m - 1.0)
        release[j] = np.nan if gone else (1.0 if before <= limit < now else 0.0)


@kernel_part
def _look_back(  # type: ignore[no-untyped-def]
    state, params, who, side, wide, window, work, lowest, distance, contracting, contraction, *rest
):
    """Write all outputs of the widths of new rows; those before them are in the state."""
    in_range, percentile, release = rest
    m, kept = int(params[2]), int(params[0]) - 1
    if side > 1:
        own = (lowest, distance, contracting, contraction)
        _in_place(state, kept, who, wide, 0.01 * params[3], *own, *rest)
        return
    w = load_windows(state, kept, m - 1, who, side, wide, window)
    _contracting(w, m, side, state, who, contracting, contraction)
    _distances(w, m, side, 0.01 * params[3], work[:2], lowest, distance, in_range, release)
    _percentile(w, m, side, work[2], percentile)
    _keep_lowest(w, m, who, state, lowest)
    for j in range(len(lowest)):
        if lowest[j] != lowest[j]:
            contracting[j] = contraction[j] = in_range[j] = percentile[j] = release[j] = np.nan
            distance[j] = np.nan


@kernel_part
def _start(n, m):  # type: ignore[no-untyped-def]
    """Return what `start_stretches` does of bands of `n` rows and a look-back of `m`.

    As many instruments go side by side as bands alone have room for: of widths none is needed then.
    """
    rows, room, _, side = start_stretches(max(n, m))
    return rows, room, np.zeros(min(SIDE, room // n), np.int64), side


@kernel_part
def _squeezes(  # type: ignore[no-untyped-def]
    state, params, who, side, squares, a, z, wide, window, work, *outputs
):
    """Write the rows from `a` to `z`: of sums of squares about the mean of each band's closes."""
    lowest, distance, contracting, contraction, in_range, rank, out = outputs
    _widths(squares, int(params[0]), params[1], wide)
    low, far, falls, fell = lowest[a:z], distance[a:z], contracting[a:z], contraction[a:z]
    rest = in_range[a:z], rank[a:z], out[a:z]
    _look_back(state, params, who, side, wide, window, work, low, far, falls, fell, *rest)


@kernel
def advance(  # type: ignore[no-untyped-def]
    state, params, offsets, close, lowest, distance, contracting, contraction, in_range, rank, out
):
    """State: the last ``length - 1`` closes, ``lookback - 1`` widths, the newest count.

    And the lowest of these widths, NaN while it is not known.
    """
    n = int(params[0])
    rows, room, who, side = _start(n, int(params[2]))
    window, widths, work = np.empty((2, room)), np.empty(room), np.empty((6, room))
    own, rest = (lowest, distance, contracting, contraction), (in_range, rank, out)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window[0])
        _, squares = short_moments(x, n, side, work)
        wide = widths[: z - a]
        _squeezes(state, params, who, side, squares, a, z, wide, window[1], work, *own, *rest)
        a = z


@kernel
def advance_long(  # type: ignore[no-untyped-def]
    state, params, offsets, close, lowest, distance, contracting, contraction, in_range, rank, out
):
    """As `advance`, for long bands."""
    n = int(params[0])
    rows, room, who, side = _start(n, int(params[2]))
    window, widths, work = np.empty((2, room)), np.empty(room), np.empty((6, room))
    own, rest = (lowest, distance, contracting, contraction), (in_range, rank, out)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window[0])
        _, squares = window_moments(x, n, side, work)
        wide = widths[: z - a]
        _squeezes(state, params, who, side, squares, a, z, wide, window[1], work, *own, *rest)
        a = z


_N = "{length}_{multiplier}_{lookback}_{tolerance}"

INDICATOR = Indicator(
    name="squeeze",
    title="Squeeze of the Bollinger bands",
    inputs=("close",),
    outputs=(
        Output(
            "lowest",
            f"squeeze_lowest_{_N}",
            "price difference",
            "lowest width of the look-back",
            0.0,
        ),
        Output("distance", f"squeeze_distance_{_N}", "percent", "width above the lowest", 0.0),
        Output("contracting", f"squeeze_contracting_{_N}", "rows", "falls of the width so far", 0),
        Output(
            "contraction", f"squeeze_contraction_{_N}", "percent", "fall over these rows", 0, 100
        ),
        Output("in_range", f"squeeze_in_range_{_N}", "rows", "last rows in the tolerance", 0.0),
        Output("percentile", f"squeeze_percentile_{_N}", "0..100", "narrower widths", 0.0, 100.0),
        Output("release", f"squeeze_release_{_N}", "sign", "1 where the range is left", 0.0, 1.0),
    ),
    parameters=(
        length(20, minimum=2),
        multiplier(2.0),
        length(125, minimum=2, name="lookback", text="widths among which the lowest is"),
        Parameter("tolerance", 5.0, "percent above the lowest that is in range", 0.0, 1_000.0),
    ),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) + int(p["lookback"]) - 2,) * 7,
    state_size=lambda p: int(p["length"]) + int(p["lookback"]),
    advance=advance,
    advance_long=advance_long,
    formula="w = upper - lower of bollinger(length, multiplier); lowest = least w of lookback "
    "rows; distance = 100 (w - lowest) / lowest; contracting = rows in a row, up to this one, "
    "whose w is below the one before; contraction = 100 (1 - w / w before the first of them); "
    "in_range = rows in a row, up to this one, whose w is at most tolerance percent above lowest; "
    "percentile = 100 (rows before whose w is below) / (lookback - 1); release = 1 where the row "
    "before was in range and this one is not; widths that differ by a billionth are equal",
    reference="Bollinger (2001), Bollinger on Bollinger Bands: The Squeeze; his is a look-back of "
    "six months of days",
    version=6,
    flat="width and lowest exactly 0, all rows in range; distance null where the lowest alone is 0",
)
