"""All candle patterns by one kernel, which measures each candle once."""

from __future__ import annotations

import math

import numpy as np

from tallow.core.kernel import kernel, kernel_part
from tallow.indicators._pattern_forms import (
    ALLOWED,
    BIT,
    CANDLES,
    COLUMNS,
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
    SHIFT,
    SIDE,
    USABLE,
    WORD,
    trend_place,
)
from tallow.indicators._pattern_measures import (
    MEASURES,
    PAST,
    count_complete,
    describe,
    find_trends,
    measure,
)
from tallow.indicators._pattern_rules import confirm_hikkake, find_hikkake, find_hikkake_mod, holds
from tallow.indicators._pattern_table import TREND_ROWS

_ROWS = 128
"""Candles that are looked at together: the table of their measures stays in the nearest memory."""
_MASK = (1 << PART) - 1
_TREND_WORD, _TREND_SHIFT = trend_place(1) // IN_A_WORD, 3 * (trend_place(1) % IN_A_WORD)


@kernel
def advance(  # type: ignore[no-untyped-def]
    state, params, offsets, open_, high, low, close, a, b, c, d, bullish, bearish, neutral
):
    """State: the prices of the last 14 rows, NaN before there are as many."""
    x = np.empty((MEASURES, PAST + _ROWS))
    words, complete = np.zeros((2, PAST + _ROWS), dtype=np.int64)
    trends, turns, modified = np.zeros((3, PAST + _ROWS), dtype=np.int64)
    found = np.empty((7, _ROWS), dtype=np.int64)
    has_trend, has_turns, has_modified = (
        params[2] == 1.0,
        _asks_for(params, FIRST_HIKKAKE),
        _asks_for(params, FIRST_HIKKAKE_MOD),
    )
    for i in range(len(state)):
        for j in range(4 * PAST):
            x[j // PAST, j % PAST] = state[i, j]
        row, last = offsets[i], offsets[i + 1]
        while row < last:
            count = min(_ROWS, last - row)
            for j in range(count):
                x[0, PAST + j], x[1, PAST + j] = open_[row + j], high[row + j]
                x[2, PAST + j], x[3, PAST + j] = low[row + j], close[row + j]
            measure(x, PAST + count)
            describe(x, words, PAST + count)
            count_complete(x, complete, PAST + count)
            _begin(complete, found, count)
            _find(x, words, complete, params, found, count)
            if has_turns:
                find_hikkake(x, turns, PAST + count)
                confirm_hikkake(x, turns, PAST + count)
                _add_hikkake(turns, complete, found, count, FIRST_HIKKAKE)
            if has_modified:
                find_hikkake_mod(x, modified, PAST + count)
                confirm_hikkake(x, modified, PAST + count)
                _add_hikkake(modified, complete, found, count, FIRST_HIKKAKE_MOD)
            if has_trend:
                find_trends(x, trends, PAST + count)
                _add_trends(trends, complete, found, count)
            for j in range(count):
                a[row + j], b[row + j] = found[0, j], found[1, j]
                c[row + j], d[row + j] = found[2, j], found[3, j]
            for j in range(count):
                is_null = complete[PAST + j] <= NULL_ROWS
                bullish[row + j] = np.nan if is_null else found[4, j]
                bearish[row + j] = np.nan if is_null else found[5, j]
                neutral[row + j] = np.nan if is_null else found[6, j]
            for k in range(4):
                for j in range(PAST):
                    x[k, j] = x[k, count + j]
            row += count
        for j in range(4 * PAST):
            state[i, j] = x[j // PAST, j % PAST]


@kernel_part
def _asks_for(params, form):  # type: ignore[no-untyped-def]
    return (np.int64(params[form // IN_A_NUMBER]) >> (form % IN_A_NUMBER)) & 1 == 1


@kernel_part
def _begin(complete, found, count):  # type: ignore[no-untyped-def]
    """Write columns in which nothing occurs."""
    for j in range(count):
        known = min(complete[PAST + j], PAST + 1)
        for k in range(COLUMNS):
            found[k, j] = NULLS[known, k]
        for k in range(COLUMNS, COLUMNS + 3):
            found[k, j] = 0


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
                left &= ALLOWED[number, back, 2, bits >> (2 * PART)]
            while left != 0:
                lowest = left & -left
                left ^= lowest
                form = BIT[lowest % POWERS] + number * IN_A_NUMBER
                level = 1
                if RULE[form]:
                    deep = params[3 + DEPTH[form]]
                    level = holds(RULE[form], SIDE[form], x, PAST + j, deep)
                if level > 0:
                    _note(found, j, form, level)


@kernel_part
def _add_hikkake(turns, complete, found, count, first):  # type: ignore[no-untyped-def]
    for j in range(count):
        value = turns[PAST + j]
        if value != 0:
            known = min(complete[PAST + j], PAST + 1)
            if (USABLE[known, first // IN_A_NUMBER] >> (first % IN_A_NUMBER)) & 1 == 1:
                _note(found, j, first + np.int64(value < 0), abs(value))


@kernel_part
def _add_trends(trends, complete, found, count):  # type: ignore[no-untyped-def]
    """Add the trends before patterns of one to five candles; null before there are rows for one."""
    for back in range(1, CANDLES + 1):
        for j in range(count):
            is_null = complete[PAST + j] < TREND_ROWS + back
            code = NULL if is_null else trends[PAST + j - back]
            found[_TREND_WORD, j] |= code << (_TREND_SHIFT + 3 * (back - 1))


@kernel_part
def _note(found, j, form, level):  # type: ignore[no-untyped-def]
    code = np.int64(1) | (np.int64(SIDE[form] < 0) << 1) | (np.int64(level > 1) << 2)
    found[WORD[form], j] |= code << SHIFT[form]
    found[COLUMNS + SET[form], j] |= MEMBER[form]


@kernel
def unpack(state, params, offsets, codes, out):  # type: ignore[no-untyped-def]
    """State: none. A code lies `params[0]` bits up; its sizes are the other two."""
    shift, size, other = np.int64(params[0]), params[1], params[2]
    values = np.array([0.0, size, 0.0, -size, math.nan, other, math.nan, -other])
    for row in range(offsets[0], offsets[len(state)]):
        out[row] = values[(np.int64(codes[row]) >> shift) & 7]


assert PAST == NULL_ROWS
