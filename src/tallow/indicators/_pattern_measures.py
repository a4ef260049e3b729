"""What is measured of each candle for patterns: its parts, averages of the candles before, words.

All are pure functions of a candle and the fourteen before it: sums are put together from pairs of
rows, never carried on. They lie in a table ``x[measure, row]``: loops run at vector speed, those
that begin at 0 and add where a row's neighbours are looked at; else none does.
"""

from __future__ import annotations

import numpy as np

from tallow.core.arrays import Floats, Ints
from tallow.core.kernel import kernel_part
from tallow.indicators._pattern_table import TREND_ROWS, WORDS

(
    OPEN,
    HIGH,
    LOW,
    CLOSE,
    TOP,
    BOTTOM,
    BODY,
    UPPER,
    LOWER,
    RANGE,
    SHADOWS,
    BODY_MEAN,
    RANGE_MEAN,
    SHADOWS_MEAN,
    NEAR_MEAN,
    PAIRS,
    FOURS,
) = range(17)
"""Rows of the table. A body is from its bottom to its top. Means are of the ten candles before, of
`NEAR_MEAN` of five; the last two are scratch."""

RANGE_INSIDE, RANGE_LOWER, RANGE_HIGHER = range(len(WORDS), len(WORDS) + 3)
MEASURES = 17
PAST = 14
"""Candles before the first new one in the table."""
FIRST = PAST - 5
"""The first candle whose averages are looked at by a pattern of a new one."""


@kernel_part
def measure(x: Floats, last: int) -> None:
    """Fill in the table for candles before `last`, from their prices."""
    for j in range(last):
        o, c = x[OPEN, j], x[CLOSE, j]
        top, bottom = (c, o) if c >= o else (o, c)
        x[TOP, j], x[BOTTOM, j] = top, bottom
        x[BODY, j] = top - bottom
        x[UPPER, j], x[LOWER, j] = x[HIGH, j] - top, bottom - x[LOW, j]
        x[RANGE, j] = x[HIGH, j] - x[LOW, j]
        x[SHADOWS, j] = x[UPPER, j] + x[LOWER, j]
    _mean_of_ten(x, BODY, BODY_MEAN, last)
    _mean_of_ten(x, SHADOWS, SHADOWS_MEAN, last)
    _mean_of_ten(x, RANGE, RANGE_MEAN, last)
    # Of the ranges, sums of four are still there.
    for k in range(last - FIRST):
        j = FIRST + k
        x[NEAR_MEAN, j] = (x[FOURS, j - 1] + x[RANGE, j - 5]) / 5.0


@kernel_part
def _mean_of_ten(x: Floats, of: int, to: int, last: int) -> None:
    """Write the mean of the ten candles before each one; leave the sums of two and of four."""
    for k in range(last - 1):
        j = 1 + k
        x[PAIRS, j] = x[of, j] + x[of, j - 1]
    for k in range(last - 3):
        j = 3 + k
        x[FOURS, j] = x[PAIRS, j] + x[PAIRS, j - 2]
    for k in range(last - 10):
        j = 10 + k
        eight = x[FOURS, j - 1] + x[FOURS, j - 5]
        x[to, j] = (eight + x[PAIRS, j - 9]) / 10.0


@kernel_part
def describe(x: Floats, words: Ints, last: int) -> None:
    """Write the words of each candle up to `inside_flush` as bits, in the order of `WORDS`."""
    for k in range(last - (PAST - 4)):
        j = PAST - 4 + k
        body, tiny = x[BODY, j], 0.1 * x[RANGE_MEAN, j]
        top, bottom, close = x[TOP, j], x[BOTTOM, j], x[CLOSE, j]
        top_before, bottom_before, before = x[TOP, j - 1], x[BOTTOM, j - 1], x[CLOSE, j - 1]
        bits = np.int64(close >= x[OPEN, j])
        bits |= np.int64(body > x[BODY_MEAN, j]) << 1
        bits |= np.int64(body < x[BODY_MEAN, j]) << 2
        bits |= np.int64(body <= tiny) << 3
        bits |= np.int64(x[UPPER, j] < tiny) << 4
        bits |= np.int64(x[LOWER, j] < tiny) << 5
        bits |= np.int64(x[UPPER, j] > body) << 6
        bits |= np.int64(x[LOWER, j] > body) << 7
        bits |= np.int64(bottom > top_before) << 8
        bits |= np.int64(top < bottom_before) << 9
        bits |= np.int64(close > before) << 10
        bits |= np.int64(close < before) << 11
        is_over, is_under = top >= top_before, bottom <= bottom_before
        is_flush = (top == top_before) != (bottom == bottom_before)
        bits |= np.int64((top > top_before) & (bottom < bottom_before)) << 12
        bits |= np.int64(is_over & is_under & is_flush) << 13
        bits |= np.int64((top < top_before) & (bottom > bottom_before)) << 14
        is_over, is_under = top <= top_before, bottom >= bottom_before
        is_flush = (top == top_before) | (bottom == bottom_before)
        bits |= np.int64(is_over & is_under & is_flush) << 15
        words[j] = bits


@kernel_part
def describe_more(x: Floats, words: Ints, last: int) -> None:
    """Add the words from `same_close` on, and three about ranges, which no form has."""
    for k in range(last - (PAST - 4)):
        j = PAST - 4 + k
        body, tiny = x[BODY, j], 0.1 * x[RANGE_MEAN, j]
        top, bottom, close, open_ = x[TOP, j], x[BOTTOM, j], x[CLOSE, j], x[OPEN, j]
        upper, lower, high, low = x[UPPER, j], x[LOWER, j], x[HIGH, j], x[LOW, j]
        high_before, low_before, before = x[HIGH, j - 1], x[LOW, j - 1], x[CLOSE, j - 1]
        slack, short = 0.05 * x[NEAR_MEAN, j - 1], x[SHADOWS_MEAN, j] / 2.0
        near, middle = 0.2 * x[NEAR_MEAN, j - 1], low + x[RANGE, j] / 2.0
        around = 0.2 * x[NEAR_MEAN, j]
        bits = np.int64((close >= before - slack) & (close <= before + slack)) << 16
        bits |= np.int64(open_ < low_before) << 17
        bits |= np.int64(open_ > high_before) << 18
        bits |= np.int64(upper > tiny) << 19
        bits |= np.int64(lower > tiny) << 20
        bits |= np.int64((upper < short) & (lower < short)) << 21
        bits |= np.int64((upper > 2.0 * body) & (lower > 2.0 * body)) << 22
        bits |= np.int64(bottom <= low_before + near) << 23
        bits |= np.int64(bottom >= high_before - near) << 24
        bits |= np.int64((bottom <= middle + around) & (top >= middle - around)) << 25
        bits |= np.int64(low > before) << 26
        bits |= np.int64((high < high_before) & (low > low_before)) << RANGE_INSIDE
        bits |= np.int64((high < high_before) & (low < low_before)) << RANGE_LOWER
        bits |= np.int64((high > high_before) & (low > low_before)) << RANGE_HIGHER
        words[j] |= bits


@kernel_part
def count_complete(x: Floats, complete: Ints, last: int) -> None:
    """Write how many candles in a row, up to each one, have all prices."""
    count = np.int64(0)
    for j in range(last):
        total = (x[OPEN, j] + x[HIGH, j]) + (x[LOW, j] + x[CLOSE, j])
        count = count + 1 if total == total else np.int64(0)
        complete[j] = count


@kernel_part
def find_trends(x: Floats, trends: Ints, last: int) -> None:
    """Write the code of the trend at each candle: up, down, or neither."""
    for k in range(last - FIRST):
        j = FIRST + k
        total = 0.0
        for back in range(1, TREND_ROWS):
            total += x[CLOSE, j - back] - x[CLOSE, j]
        # The mean lies above the close where the closes before do.
        trends[j] = 3 if total > 0.0 else (1 if total < 0.0 else 0)
