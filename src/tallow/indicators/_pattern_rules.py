"""What else must hold for a candle pattern, besides the words of its candles.

A rule looks at the newest candle `r`, and at those before it; `s` is 1 or -1, the side of the form.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.core.kernel import kernel_part
from tallow.indicators import _pattern_table as rules
from tallow.indicators._pattern_measures import (
    BODY,
    BOTTOM,
    CLOSE,
    HIGH,
    LOW,
    LOWER,
    NEAR_MEAN,
    OPEN,
    PAST,
    RANGE_HIGHER,
    RANGE_INSIDE,
    RANGE_LOWER,
    RANGE_MEAN,
    SHADOWS_MEAN,
    TOP,
    UPPER,
)

Truth = Any
"""A bool, or NumPy's: where nothing is compiled, comparisons of numbers in arrays give that."""


@kernel_part
def holds(rule: int, s: int, x: Floats, r: int, penetration: float) -> Truth:
    """Say whether a rule holds."""
    if rule == rules.TAKURI:
        return x[LOWER, r] > 2.0 * x[BODY, r]
    if rule in _OF_TWO:
        return _of_two(rule, s, x, r, penetration)
    if rule in _OF_THREE:
        return _of_three(rule, s, x, r, penetration)
    return _of_more(rule, s, x, r, penetration)


_OF_TWO = (
    rules.EQUAL_OPEN,
    rules.DARK_CLOUD,
    rules.IN_NECK,
    rules.ON_NECK,
    rules.THRUSTING,
    rules.PIERCING,
    rules.KICKING,
    rules.KICKING_BY_SECOND,
    rules.KICKING_BY_FIRST,
)
_OF_THREE = (
    rules.TWO_CROWS,
    rules.INSIDE,
    rules.ABANDONED,
    rules.STAR,
    rules.SIDE_BY_SIDE,
    rules.IDENTICAL,
    rules.SANDWICH,
    rules.TASUKI,
    rules.TRISTAR,
    rules.RIVER,
    rules.UPSIDE_CROWS,
    rules.GAP_METHODS,
)


@kernel_part
def _near(x: Floats, value: float, target: float, share: float, j: int) -> Truth:
    """Say whether values differ by no more than a share of the ranges before a candle."""
    slack = share * x[NEAR_MEAN, j]
    return (value >= target - slack) & (value <= target + slack)


@kernel_part
def _of_two(rule: int, s: int, x: Floats, r: int, penetration: float) -> Truth:
    a = r - 1
    open_, close, before, body = x[OPEN, r], x[CLOSE, r], x[CLOSE, a], x[BODY, a]
    equal = 0.05 * x[NEAR_MEAN, a]
    if rule == rules.EQUAL_OPEN:
        return _near(x, open_, x[OPEN, a], 0.05, a)
    if rule == rules.DARK_CLOUD:
        return (close > x[OPEN, a]) & (close < before - body * penetration)
    if rule == rules.KICKING:
        return _is_apart(x, a, r, s)
    if rule == rules.KICKING_BY_SECOND:
        return _is_apart(x, a, r, 1 if x[CLOSE, r] >= x[OPEN, r] else -1) & (x[BODY, r] > body)
    if rule == rules.KICKING_BY_FIRST:
        return _is_apart(x, a, r, 1 if x[CLOSE, r] >= x[OPEN, r] else -1) & (x[BODY, r] <= body)
    if rule == rules.IN_NECK:
        return (close <= before + equal) & (close >= before)
    if rule == rules.ON_NECK:
        return _near(x, close, x[LOW, a], 0.05, a)
    if rule == rules.THRUSTING:
        return (close > before + equal) & (close <= before + body * 0.5)
    return (close < x[OPEN, a]) & (close > before + body * 0.5)


@kernel_part
def _is_apart(x: Floats, a: int, r: int, s: int) -> Truth:
    """Say whether the range of `r` lies beyond that of `a`: above it where `s` is 1."""
    return x[LOW, r] > x[HIGH, a] if s > 0 else x[HIGH, r] < x[LOW, a]


@kernel_part
def _is_between(value: float, low: float, high: float) -> Truth:
    return (value > low) & (value < high)


@kernel_part
def _enters(x: Floats, r: int, s: int, penetration: float) -> Truth:
    """Say whether the third closes inside the first's body by more than a share of that."""
    depth = x[BODY, r - 2] * penetration
    if s > 0:
        return x[CLOSE, r] > x[CLOSE, r - 2] + depth
    return x[CLOSE, r] < x[CLOSE, r - 2] - depth


@kernel_part
def _of_three(rule: int, s: int, x: Floats, r: int, penetration: float) -> Truth:
    a, b = r - 1, r - 2
    open_, close, second, first = x[OPEN, r], x[CLOSE, r], x[OPEN, a], x[OPEN, b]
    is_within = _is_between(open_, x[BOTTOM, a], x[TOP, a])
    if rule == rules.STAR:
        return _enters(x, r, s, penetration)
    if rule == rules.ABANDONED:
        is_alone = _is_apart(x, b, a, -s) & _is_apart(x, a, r, s)
        return is_alone & _enters(x, r, s, penetration)
    if rule == rules.TWO_CROWS:
        return is_within & _is_between(close, first, x[CLOSE, b])
    if rule == rules.INSIDE:
        return s * close > s * first
    if rule == rules.SIDE_BY_SIDE:
        is_gap = x[BOTTOM, r] > x[TOP, b] if s > 0 else x[TOP, r] < x[BOTTOM, b]
        is_size = _near(x, x[BODY, r], x[BODY, a], 0.2, a)
        return is_gap & is_size & _near(x, open_, second, 0.05, a)
    if rule == rules.IDENTICAL:
        return _near(x, second, x[CLOSE, b], 0.05, b) & _near(x, open_, x[CLOSE, a], 0.05, a)
    if rule == rules.SANDWICH:
        return _near(x, close, x[CLOSE, b], 0.05, b)
    if rule == rules.TASUKI:
        is_size = abs(x[BODY, a] - x[BODY, r]) < 0.2 * x[NEAR_MEAN, a]
        edge = x[TOP, b] if s > 0 else x[BOTTOM, b]
        return is_within & is_size & (s * close < s * second) & (s * close > s * edge)
    if rule == rules.TRISTAR:
        doji = 0.1 * x[RANGE_MEAN, b]
        goes_back = x[BOTTOM, r] > x[BOTTOM, a] if s > 0 else x[TOP, r] < x[TOP, a]
        return goes_back & (x[BODY, a] <= doji) & (x[BODY, r] <= doji)
    if rule == rules.RIVER:
        return (second <= first) & (x[LOW, a] < x[LOW, b]) & (open_ > x[LOW, a])
    if rule == rules.UPSIDE_CROWS:
        return close > x[CLOSE, b]
    return is_within & _is_between(close, x[BOTTOM, b], x[TOP, b])


@kernel_part
def _opens_near(x: Floats, j: int) -> Truth:
    """Say whether a white candle opens above the open before, at most near above the close."""
    highest = x[CLOSE, j - 1] + 0.2 * x[NEAR_MEAN, j - 1]
    return (x[OPEN, j] > x[OPEN, j - 1]) & (x[OPEN, j] <= highest)


@kernel_part
def _opens_in_or_near(x: Floats, j: int) -> Truth:
    """Say whether a candle opens in or near the body before, whatever its colour."""
    slack = 0.2 * x[NEAR_MEAN, j - 1]
    return (x[OPEN, j] >= x[BOTTOM, j - 1] - slack) & (x[OPEN, j] <= x[TOP, j - 1] + slack)


@kernel_part
def _of_more(rule: int, s: int, x: Floats, r: int, penetration: float) -> Truth:
    """Tell of patterns with four or five candles, and of three with a rule of many parts."""
    a, b, c, d = r - 1, r - 2, r - 3, r - 4
    open_, close = x[OPEN, r], x[CLOSE, r]
    if rule == rules.SOLDIERS:
        is_kept = (x[BODY, a] > x[BODY, b] - 0.6 * x[NEAR_MEAN, b]) & (
            x[BODY, r] > x[BODY, a] - 0.6 * x[NEAR_MEAN, a]
        )
        return _opens_near(x, a) & _opens_near(x, r) & is_kept
    if rule == rules.ADVANCE:
        return _opens_near(x, a) & _opens_near(x, r) & _weakens(x, r)
    if rule == rules.STALLED:
        lowest = x[CLOSE, a] - x[BODY, r] - 0.2 * x[NEAR_MEAN, a]
        return _opens_near(x, a) & (open_ >= lowest)
    if rule == rules.SOUTH:
        return _is_smaller_each(x, r)
    if rule == rules.THREE_CROWS:
        opens = (x[OPEN, a] < x[OPEN, b]) & (x[OPEN, a] > x[CLOSE, b])
        opens &= (open_ < x[OPEN, a]) & (open_ > x[CLOSE, a])
        return opens & (x[HIGH, c] > x[CLOSE, b])
    if rule == rules.LINE_STRIKE:
        is_beyond = (s * open_ > s * x[CLOSE, a]) & (s * close < s * x[OPEN, c])
        return is_beyond & _opens_in_or_near(x, b) & _opens_in_or_near(x, a)
    if rule == rules.CONCEALED:
        engulfs = (x[HIGH, r] > x[HIGH, a]) & (x[LOW, r] < x[LOW, a])
        return (x[HIGH, a] > x[CLOSE, b]) & engulfs
    if rule == rules.BREAKAWAY:
        return _goes_on(x, b, s) & _goes_on(x, a, s) & _closes_in_gap(x, r, s)
    if rule == rules.LADDER:
        falls = (x[OPEN, d] > x[OPEN, c]) & (x[OPEN, c] > x[OPEN, b])
        return falls & (open_ > x[OPEN, a]) & (close > x[HIGH, a])
    if rule == rules.MAT_HOLD:
        highest = max(x[HIGH, c], x[HIGH, b], x[HIGH, a])
        return _holds_mat(x, r, penetration) & (open_ > x[CLOSE, a]) & (close > highest)
    for j in range(c, r):
        if not ((x[BOTTOM, j] < x[HIGH, d]) & (x[TOP, j] > x[LOW, d])):
            return False
    return (s * open_ > s * x[CLOSE, a]) & (s * close > s * x[CLOSE, d])


@kernel_part
def _goes_on(x: Floats, j: int, s: int) -> Truth:
    """Say whether high and low are further on than before: lower, for the upper side."""
    if s > 0:
        return (x[HIGH, j] < x[HIGH, j - 1]) & (x[LOW, j] < x[LOW, j - 1])
    return (x[HIGH, j] > x[HIGH, j - 1]) & (x[LOW, j] > x[LOW, j - 1])


@kernel_part
def _closes_in_gap(x: Floats, r: int, s: int) -> Truth:
    return (s * x[CLOSE, r] > s * x[OPEN, r - 3]) & (s * x[CLOSE, r] < s * x[CLOSE, r - 4])


@kernel_part
def _weakens(x: Floats, r: int) -> Truth:
    """Tell of an advance whether it blocks."""
    a, b = r - 1, r - 2
    if not x[UPPER, b] < x[SHADOWS_MEAN, b] / 2.0:
        return False
    third, second, first = x[BODY, r], x[BODY, a], x[BODY, b]
    if (second < first - 0.6 * x[NEAR_MEAN, b]) & (third < second + 0.2 * x[NEAR_MEAN, a]):
        return True
    if third < second - 0.6 * x[NEAR_MEAN, a]:
        return True
    is_shadow = (x[UPPER, r] > x[SHADOWS_MEAN, r] / 2.0) | (x[UPPER, a] > x[SHADOWS_MEAN, a] / 2.0)
    if (third < second) & (second < first) & is_shadow:
        return True
    return (third < second) & (x[UPPER, r] > third)


@kernel_part
def _is_smaller_each(x: Floats, r: int) -> Truth:
    """Tell of three stars in the south whether each is smaller than the one before."""
    a, b = r - 1, r - 2
    opens = (x[OPEN, a] > x[CLOSE, b]) & (x[OPEN, a] <= x[HIGH, b])
    lows = (x[LOW, a] < x[CLOSE, b]) & (x[LOW, a] >= x[LOW, b])
    is_inside = (x[LOW, r] > x[LOW, a]) & (x[HIGH, r] < x[HIGH, a])
    return (x[BODY, a] < x[BODY, b]) & opens & lows & is_inside


@kernel_part
def _holds_mat(x: Floats, r: int, penetration: float) -> Truth:
    """Tell of a mat hold whether the short ones fall within the upper part of the first."""
    a, b, c, d = r - 1, r - 2, r - 3, r - 4
    lowest = x[CLOSE, d] - x[BODY, d] * penetration
    second, third = x[BOTTOM, b], x[BOTTOM, a]
    is_held = (third < x[CLOSE, d]) & (second < x[CLOSE, d]) & (second > lowest) & (third > lowest)
    return is_held & (x[TOP, b] < x[OPEN, c]) & (x[TOP, a] < x[TOP, b])


# Hikkake: a form that is confirmed, or not, by later rows


@kernel_part
def find_hikkake(words: Ints, found: Ints, last: int) -> None:
    """Write the side of each candle that completes the form, or 0."""
    for k in range(last - (PAST - 3)):
        r = PAST - 3 + k
        falls, rises = words[r] >> RANGE_LOWER & 1, words[r] >> RANGE_HIGHER & 1
        found[r] = (words[r - 1] >> RANGE_INSIDE & 1) * (falls - rises)


@kernel_part
def find_hikkake_mod(x: Floats, words: Ints, found: Ints, last: int) -> None:
    """Do as `find_hikkake`, of a range in a range in a range, with a close near one of its ends."""
    for k in range(last - (PAST - 3)):
        r = PAST - 3 + k
        b = r - 2
        slack, close = 0.2 * x[NEAR_MEAN, b], x[CLOSE, b]
        falls = (words[r] >> RANGE_LOWER & 1) * np.int64(close <= x[LOW, b] + slack)
        rises = (words[r] >> RANGE_HIGHER & 1) * np.int64(close >= x[HIGH, b] - slack)
        inside = (words[r - 1] >> RANGE_INSIDE) & (words[b] >> RANGE_INSIDE) & 1
        found[r] = inside * (falls - rises)


@kernel_part
def confirm_hikkake(x: Floats, found: Ints, last: int) -> None:
    """Write 2 or -2 where one of the three rows after a form confirms it, for the first time."""
    form, side = PAST - 7, np.int64(0)
    for k in range(last - (PAST - 3)):
        r = PAST - 3 + k
        if found[r] != 0:
            form, side = r, found[r]
        elif r <= form + 3:
            edge = x[HIGH, form - 1] if side > 0 else x[LOW, form - 1]
            if side * x[CLOSE, r] > side * edge:
                found[r] = 2 * side
                form = PAST - 7
