"""All candle patterns by one kernel, which measures each candle once."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.arrays import SMALL_NULL
from tallow.core.kernel import kernel, kernel_part
from tallow.indicators._pattern_forms import (
    ALLOWED,
    BIT,
    CANDLES,
    CODE,
    COLUMNS,
    CONFIRMED,
    DEPTH,
    FIRST_HIKKAKE,
    FIRST_HIKKAKE_MOD,
    IN_A_NUMBER,
    IN_A_WORD,
    MEMBER,
    NULL,
    NULL_ROWS,
    NULLS,
    PART,
    POWERS,
    RULE,
    SET,
    SIDE,
    SIDES,
    USABLE,
    WORD,
    trend_place,
)
from tallow.indicators._pattern_measures import (
    CLOSE,
    HIGH,
    LOW,
    MEASURES,
    OPEN,
    PAST,
    count_complete,
    describe,
    describe_more,
    find_trends,
    measure,
)
from tallow.indicators._pattern_rules import confirm_hikkake, find_hikkake, find_hikkake_mod, holds
from tallow.indicators._pattern_table import TREND_ROWS

_ROWS = 128
"""Candles that are looked at together: the table of their measures stays in the nearest memory."""
_UNPACKED = 512
"""Codes that are unpacked together: they are bits where the values will be."""
_MASK = (1 << PART) - 1
_EXACT = 2.0**52
_BITS = 0x433 << 52
"""A float of this size, as bits: whole numbers below it may be set as bits, and it be taken off."""
_NAN = 0x7FF8 << 48
_TREND_WORD, _TREND_SHIFT = trend_place(1) // IN_A_WORD, 3 * (trend_place(1) % IN_A_WORD)


@kernel
def advance(  # type: ignore[no-untyped-def]
    state, params, offsets, open_, high, low, close, a, b, c, d, bullish, bearish, neutral
):
    """State: the prices of the last 14 rows, NaN before there are as many.

    Where nobody asks for names, they are not written: that would take as long as all else.
    """
    x = np.empty((MEASURES, PAST + _ROWS))
    marks = np.zeros((5, PAST + _ROWS), dtype=np.int64)
    found = np.zeros((COLUMNS + len(SIDES), _ROWS), dtype=np.int64)
    numbers = found.view(np.float64)
    for i in range(len(state)):
        for j in range(4 * PAST):
            x[j // PAST, j % PAST] = state[i, j]
        row, last = offsets[i], offsets[i + 1]
        while row < last:
            count = min(_ROWS, last - row)
            _take(x, OPEN, open_, row, count)
            _take(x, HIGH, high, row, count)
            _take(x, LOW, low, row, count)
            _take(x, CLOSE, close, row, count)
            _look(x, marks, params, found, count)
            _give(numbers[0], a, row, count)
            _give(numbers[1], b, row, count)
            _give(numbers[2], c, row, count)
            _give(numbers[3], d, row, count)
            if params[3] == 1.0:
                _give(numbers[4], bullish, row, count)
                _give(numbers[5], bearish, row, count)
                _give(numbers[6], neutral, row, count)
            for k in range(4):
                for j in range(PAST):
                    x[k, j] = x[k, count + j]
            row += count
        for j in range(4 * PAST):
            state[i, j] = x[j // PAST, j % PAST]


@kernel_part
def _take(x, field, column, row, count):  # type: ignore[no-untyped-def]
    given = column[row : row + count]
    for j in range(count):
        x[field, PAST + j] = given[j]


@kernel_part
def _give(numbers, column, row, count):  # type: ignore[no-untyped-def]
    out = column[row : row + count]
    for j in range(count):
        out[j] = numbers[j] - _EXACT


@kernel_part
def _look(x, marks, params, found, count):  # type: ignore[no-untyped-def]
    """Find what is wanted of new candles."""
    words, complete, trends, turns = marks[0], marks[1], marks[2], marks[3]
    last = PAST + count
    measure(x, last)
    describe(x, words, last)
    describe_more(x, words, last)
    count_complete(x, complete, last)
    is_whole = complete[last - 1] >= NULL_ROWS + count
    _begin(complete, found, count, is_whole)
    _find(x, words, complete, params, found, count)
    if _asks_for(params, FIRST_HIKKAKE):
        find_hikkake(words, turns, last)
        confirm_hikkake(x, turns, last)
        _add_hikkake(turns, complete, found, count, FIRST_HIKKAKE)
    if _asks_for(params, FIRST_HIKKAKE_MOD):
        find_hikkake_mod(x, words, turns, last)
        confirm_hikkake(x, turns, last)
        _add_hikkake(turns, complete, found, count, FIRST_HIKKAKE_MOD)
    if params[2] == 1.0:
        find_trends(x, trends, last)
        _add_trends(trends, complete, found, count)
    if not is_whole:
        _blank_names(complete, found, count)


@kernel_part
def _asks_for(params, form):  # type: ignore[no-untyped-def]
    return (np.int64(params[form // IN_A_NUMBER]) >> (form % IN_A_NUMBER)) & 1 == 1


@kernel_part
def _begin(complete, found, count, is_whole):  # type: ignore[no-untyped-def]
    """Write columns in which nothing occurs; `is_whole`: and of which none is null."""
    for k in range(COLUMNS + len(SIDES)):
        for j in range(count):
            found[k, j] = _BITS
    for j in range(0 if is_whole else count):
        known = min(complete[PAST + j], PAST + 1)
        for k in range(COLUMNS):
            found[k, j] |= NULLS[known, k]


@kernel_part
def _blank_names(complete, found, count):  # type: ignore[no-untyped-def]
    """Make the names of rows null before which there are too few."""
    for j in range(count):
        if complete[PAST + j] <= NULL_ROWS:
            for k in range(COLUMNS, COLUMNS + len(SIDES)):
                found[k, j] = _NAN


@kernel_part
def _find(x, words, complete, params, found, count):  # type: ignore[no-untyped-def]
    """Add the patterns of rows: those whose words allow it, if their rules hold."""
    for number in range(2):
        wanted = np.int64(params[number])
        for j in range(count if wanted else 0):
            left = wanted & USABLE[min(complete[PAST + j], PAST + 1), number]
            for back in range(CANDLES):
                bits = words[PAST + j - back]
                left &= ALLOWED[number, back, 0, bits & _MASK]
                left &= ALLOWED[number, back, 1, (bits >> PART) & _MASK]
                left &= ALLOWED[number, back, 2, (bits >> (2 * PART)) & _MASK]
            while left != 0:
                lowest = left & -left
                left ^= lowest
                form = BIT[lowest % POWERS] + number * IN_A_NUMBER
                rule, deep = RULE[form], params[4 + DEPTH[form]]
                if rule == 0 or holds(rule, SIDE[form], x, PAST + j, deep):
                    found[WORD[form], j] |= CODE[form]
                    found[SET[form], j] |= MEMBER[form]


@kernel_part
def _add_hikkake(turns, complete, found, count, first):  # type: ignore[no-untyped-def]
    for j in range(count):
        value = turns[PAST + j]
        if value != 0:
            known, form = min(complete[PAST + j], PAST + 1), first + np.int64(value < 0)
            if (USABLE[known, first // IN_A_NUMBER] >> (first % IN_A_NUMBER)) & 1 == 1:
                found[WORD[form], j] |= CODE[form] | (CONFIRMED[form] if abs(value) > 1 else 0)
                found[SET[form], j] |= MEMBER[form]


@kernel_part
def _add_trends(trends, complete, found, count):  # type: ignore[no-untyped-def]
    """Add the trends before patterns of one to five candles; null before there are rows for one."""
    for back in range(1, CANDLES + 1):
        for j in range(count):
            is_null = complete[PAST + j] < TREND_ROWS + back
            code = NULL if is_null else trends[PAST + j - back]
            found[_TREND_WORD, j] |= code << (_TREND_SHIFT + 3 * (back - 1))


@kernel
def unpack_small(state, params, offsets, codes, out):  # type: ignore[no-untyped-def]
    """Do as `unpack`, in whole numbers of 8 bits."""
    work = np.empty(_UNPACKED)
    bits, shift = work.view(np.int64), np.int64(params[0])
    size, other = np.int8(params[1]), np.int8(params[2])
    row, last = offsets[0], offsets[len(state)]
    while row < last:
        count = min(_UNPACKED, last - row)
        given, made = codes[row : row + count], out[row : row + count]
        for j in range(count):
            work[j] = given[j] + _EXACT
        for j in range(count):
            made[j] = (bits[j] >> shift) & 7
        for j in range(count):
            code = made[j]
            value = other if code & 4 else size
            value = -value if code & 2 else value
            none = SMALL_NULL if code & 4 else 0
            made[j] = value if code & 1 else none
        row += count


@kernel
def unpack(state, params, offsets, codes, out):  # type: ignore[no-untyped-def]
    """State: none. A code lies `params[0]` bits up; its sizes are the other two."""
    shift, size, other = np.int64(params[0]), params[1], params[2]
    row, last = offsets[0], offsets[len(state)]
    while row < last:
        count = min(_UNPACKED, last - row)
        given, made = codes[row : row + count], out[row : row + count]
        bits = made.view(np.int64)
        for j in range(count):
            made[j] = given[j] + _EXACT
        for j in range(count):
            code = (bits[j] >> shift) & 7
            value = other if code & 4 else size
            value = -value if code & 2 else value
            none = math.nan if code & 4 else 0.0
            made[j] = value if code & 1 else none
        row += count


assert PAST == NULL_ROWS
