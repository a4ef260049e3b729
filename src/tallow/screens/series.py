"""Operators on arrays: values of one bar, and of the bars of one instrument before it.

A number is float64, unknown where NaN. A condition is int8 (`NOT`, `UNKNOWN`, `MATCHED`), in this
order: then ``and`` is the least of its operands, ``or`` the greatest, as in Kleene's logic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from types import MappingProxyType
from typing import Any

import numpy as np

from tallow.core.arrays import Codes, Flags, Floats, Ints

NOT, UNKNOWN, MATCHED = range(3)

Values = Any
"""Floats or Codes of each bar, or one of it for all."""


def known_only(values: Floats) -> Floats:
    """Return numbers with NaN for what is not finite: a division by zero is unknown."""
    is_infinite = np.isinf(values)
    return np.where(is_infinite, np.nan, values) if is_infinite.any() else values


def states(is_true: Flags, is_false: Flags) -> Codes:
    """Return the states of what is true, what is false, and what is neither."""
    return np.int8(UNKNOWN) + np.asarray(is_true).view(np.int8) - np.asarray(is_false).view(np.int8)


def _equal(x: Floats, y: Floats) -> Codes:
    return states(x == y, (x < y) | (x > y))


RELATIONS: Mapping[str, Callable[[Floats, Floats], Codes]] = MappingProxyType(
    {
        "<": lambda x, y: states(x < y, x >= y),
        "<=": lambda x, y: states(x <= y, x > y),
        ">": lambda x, y: states(x > y, x <= y),
        ">=": lambda x, y: states(x >= y, x < y),
        "==": _equal,
        "!=": lambda x, y: np.int8(MATCHED) - _equal(x, y),
    }
)

COMBINED: Mapping[str, Callable[..., Values]] = MappingProxyType(
    {
        "+": lambda x, y: known_only(x + y),
        "-": lambda x, y: known_only(x - y),
        "*": lambda x, y: known_only(x * y),
        "/": lambda x, y: known_only(np.divide(x, y)),
        "negative": np.negative,
        "abs": np.abs,
        "min": lambda *all_of: reduce(np.minimum, all_of),
        "max": lambda *all_of: reduce(np.maximum, all_of),
        "between": lambda x, low, high: np.minimum(
            states(x >= low, x < low), states(x <= high, x > high)
        ),
        "not": lambda x: np.int8(MATCHED) - x,
        "and": lambda *all_of: reduce(np.minimum, all_of),
        "or": lambda *all_of: reduce(np.maximum, all_of),
        **RELATIONS,
    }
)
"""Operators of one bar, by name."""


def shift(values: Values, numbers: Ints, bars: int) -> Values:
    """Return the values of so many bars before; unknown in an instrument's first ones.

    `numbers` says which row of its instrument each one is.
    """
    values = np.broadcast_to(values, numbers.shape)
    unknown = np.nan if values.dtype == np.float64 else UNKNOWN
    before = np.empty_like(values)
    before[bars:] = values[: max(len(values) - bars, 0)]
    return np.where(numbers < bars, values.dtype.type(unknown), before)


def rolling(pick: np.ufunc, values: Values, numbers: Ints, bars: int) -> Values:
    """Return the least or greatest, as `pick` picks, of so many bars: each and those before."""
    window, width = np.broadcast_to(values, numbers.shape), 1
    # Windows of twice the width are made of two, so that long ones cost little more.
    while width < bars:
        step = min(width, bars - width)
        window = pick(window, shift(window, numbers, step))
        width += step
    return window


def crossing(operator: str, left: Floats, right: Floats, follows: Flags, numbers: Ints) -> Codes:
    """Return where one number crosses another: was at most, is more, on bars that follow."""
    if operator == "crosses below":
        left, right = right, left
    before_left, before_right = shift(left, numbers, 1), shift(right, numbers, 1)
    was, now = RELATIONS["<="](before_left, before_right), RELATIONS[">"](left, right)
    is_known = follows & (was != UNKNOWN) & (now != UNKNOWN)
    return np.where(is_known, np.minimum(was, now), np.int8(UNKNOWN))


OVER_BARS: Mapping[str, Callable[[Values, Ints, int], Values]] = MappingProxyType(
    {
        "offset": shift,
        "highest": lambda x, numbers, bars: rolling(np.maximum, x, numbers, bars),
        "lowest": lambda x, numbers, bars: rolling(np.minimum, x, numbers, bars),
        "within": lambda x, numbers, bars: rolling(np.maximum, x, numbers, bars),
        "for": lambda x, numbers, bars: rolling(np.minimum, x, numbers, bars),
        "change": lambda x, numbers, bars: known_only(x - shift(x, numbers, bars)),
        "rising": lambda x, numbers, bars: _steps(">", x, numbers, bars),
        "falling": lambda x, numbers, bars: _steps("<", x, numbers, bars),
    }
)
"""Operators over bars, by name."""


def _steps(relation: str, values: Floats, numbers: Ints, bars: int) -> Codes:
    """Return where each of the last steps goes up, or down."""
    step = RELATIONS[relation](values, shift(values, numbers, 1))
    steps: Codes = rolling(np.minimum, step, numbers, bars)
    return steps
