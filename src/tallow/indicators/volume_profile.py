"""Volume profile: at which prices the volume of a window was traded."""

from __future__ import annotations

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.core.operator import WINDOW, Indicator, Output, Parameter
from tallow.indicators._declare import length
from tallow.indicators._windows import load_windows, next_stretch, start_stretches


@kernel_part
def _fill(x, v, first, side, rows, profile):  # type: ignore[no-untyped-def]
    """Fill in the volume of each bin of a window; return its lowest close, its reach, its sum."""
    lowest = highest = x[first]
    total = 0.0
    for k in range(rows):
        close, volume = x[first + k * side], v[first + k * side]
        if close != close or volume != volume:
            return np.nan, np.nan, np.nan
        lowest, highest = min(lowest, close), max(highest, close)
        total += volume
    bins, reach = len(profile), highest - lowest
    for b in range(bins):
        profile[b] = 0.0
    for k in range(rows):
        place, at = bins * (x[first + k * side] - lowest), 0
        if reach > 0.0:
            at = min(int(place / reach), bins - 1)
            # The quotient is rounded, and an edge belongs to the bin above it.
            if at < bins - 1 and place >= (at + 1) * reach:
                at += 1
            elif place < at * reach:
                at -= 1
        profile[at] += v[first + k * side]
    return lowest, reach, total


@kernel_part
def _value_area(profile, wanted):  # type: ignore[no-untyped-def]
    """Return the bin with the most volume, and the bins around it that hold what is wanted."""
    most = 0
    for b in range(1, len(profile)):
        if profile[b] > profile[most]:
            most = b
    low, high, held = most, most, profile[most]
    while 100.0 * held < wanted and (low > 0 or high < len(profile) - 1):
        above = profile[high + 1] if high < len(profile) - 1 else -1.0
        below = profile[low - 1] if low > 0 else -1.0
        if above >= below:
            high += 1
            held += above
        else:
            low -= 1
            held += below
    return most, low, high


@kernel
def advance(state, params, offsets, close, volume, poc, top, bottom):  # type: ignore[no-untyped-def]
    """State: the last ``length - 1`` closes, then as many volumes."""
    n, bins, share = int(params[0]), int(params[1]), params[2]
    rows, room, who, side = start_stretches(n)
    window, profile = np.empty((2, room)), np.empty(bins)
    a = offsets[0]
    while a < offsets[len(state)]:
        z, side = next_stretch(offsets, a, rows, who, side)
        x = load_windows(state, 0, n - 1, who, side, close[a:z], window[0])
        v = load_windows(state, n - 1, n - 1, who, side, volume[a:z], window[1])
        control, high, low = poc[a:z], top[a:z], bottom[a:z]
        for j in range(len(control)):
            lowest, reach, total = _fill(x, v, j, side, n, profile)
            control[j] = high[j] = low[j] = np.nan
            if total > 0.0:
                most, first, last = _value_area(profile, share * total)
                control[j] = lowest + (most + 0.5) * reach / bins
                high[j] = lowest + (last + 1) * reach / bins
                low[j] = lowest + first * reach / bins
        a = z


_N = "{length}_{bins}_{value_area}"

INDICATOR = Indicator(
    name="volume_profile",
    title="Volume profile",
    inputs=("close", "volume"),
    outputs=(
        Output("poc", f"vp_poc_{_N}", "price", "point of control: middle of the fullest bin"),
        Output("high", f"vp_high_{_N}", "price", "upper end of the value area"),
        Output("low", f"vp_low_{_N}", "price", "lower end of the value area"),
    ),
    parameters=(
        length(100),
        Parameter("bins", 24, "equal bins between lowest and highest close", 1, 1_000),
        Parameter("value_area", 70.0, "percent of the volume in the value area", 1.0, 100.0),
    ),
    memory=WINDOW,
    warmup=lambda p: (int(p["length"]) - 1,) * 3,
    state_size=lambda p: 2 * (int(p["length"]) - 1),
    advance=advance,
    formula="the volume of length rows by their closes, in equal bins; the value area grows from "
    "the fullest bin (of equal ones the lowest) to its fuller neighbour (of equal ones the upper)",
    reference="Steidlmayer (1984), CBOT Market Profile; of closes, as rows have no ticks",
    flat="null without any volume",
    version=2,
)
