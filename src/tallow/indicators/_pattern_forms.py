"""The forms of all patterns as bits, so that a row is held against all of them at once.

Each form is a bit in one of two integers. For each place of a candle in a form, and each value of a
part of its words, a table has the forms that allow it; to look at a row is to join some of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from tallow.indicators._pattern_table import (
    HIKKAKE,
    HIKKAKE_MOD,
    OPPOSITES,
    PATTERNS,
    WORDS,
    Form,
    Pattern,
)

CANDLES = 5
"""The most candles of a form."""
PARTS = 3
PART = len(WORDS) // PARTS
"""Words that are looked up together: a third of them."""
IN_A_NUMBER = 50
"""Forms in one integer; a float holds such a one exactly, and so it may be a parameter."""
IN_A_WORD = 17
"""Patterns whose codes of three bits go into one column."""
COLUMNS = 4
"""Columns of codes: of the patterns, then of the trends before 1..5 candles."""
OCCURS, DOWN, OTHER, NULL = 1, 2, 4, 4
"""A code is 0, or 1 where the pattern occurs; then 2 more on the lower side, 4 more for its other
size; and 4 alone before there is a value."""

FORMS: tuple[tuple[Pattern, Form], ...] = tuple(
    (pattern, form) for pattern in PATTERNS for form in pattern.forms
)
HIKKAKE_FORMS = (HIKKAKE, HIKKAKE_MOD)
"""Forms that are found by another way than their words."""
SIDES = ("bullish", "bearish", "neutral")
NEUTRAL = (
    *("doji", "dragonflydoji", "gravestonedoji", "highwave", "longleggeddoji"),
    *("rickshawman", "spinningtop"),
)
"""Patterns that are of no side when they are considered alone, as TA-Lib says of them."""


def _allows(form: Form, place: int, part: int) -> np.ndarray:
    """Return which values of a part of a candle's words a form allows, of one `place` back."""
    values = np.arange(1 << PART)
    allowed = np.ones(len(values), dtype=np.bool_)
    if place >= len(form.candles):
        return allowed
    for word in form.candles[-1 - place].split():
        bit = WORDS.index(OPPOSITES.get(word, word)) - part * PART
        if 0 <= bit < PART:
            allowed &= (values >> bit & 1 == 1) != (word in OPPOSITES)
    return allowed


def _allowed_forms() -> np.ndarray:
    """Return the forms that allow a value: int64 ``[number, place, part, value]``."""
    table = np.zeros((2, CANDLES, PARTS, 1 << PART), dtype=np.int64)
    for number, (_, form) in enumerate(FORMS):
        if form.rule in HIKKAKE_FORMS:
            continue
        bit = 1 << number % IN_A_NUMBER
        for place in range(CANDLES):
            for part in range(PARTS):
                table[number // IN_A_NUMBER, place, part, _allows(form, place, part)] |= bit
    return table


def forms_of(patterns: Iterable[str]) -> tuple[int, int]:
    """Return the forms of some patterns as two integers."""
    wanted, numbers = set(patterns), [0, 0]
    for number, (pattern, _) in enumerate(FORMS):
        if pattern.name in wanted:
            numbers[number // IN_A_NUMBER] |= 1 << number % IN_A_NUMBER
    return numbers[0], numbers[1]


def side_of(pattern: Pattern, side: int) -> str:
    """Return of which of `SIDES` a pattern is where its value has a sign."""
    if pattern.name in NEUTRAL:
        return "neutral"
    return "bullish" if side > 0 else "bearish"


def names_of(side: str) -> tuple[str, ...]:
    """Return the patterns that occur on a side, in the order of their bits."""
    found = [pattern for pattern, form in FORMS if side_of(pattern, form.side) == side]
    return tuple(f"cdl_{pattern.name}" for pattern in dict.fromkeys(found))


def place_of(pattern: str) -> int:
    """Return where a pattern's code lies: its number among all codes."""
    return [each.name for each in PATTERNS].index(pattern)


def trend_place(candles: int) -> int:
    """Return where the code of the trend before so many candles lies."""
    return len(PATTERNS) + candles - 1


def _of_forms(values: Sequence[int]) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def _code(form: Form) -> int:
    return OCCURS | (DOWN if form.side < 0 else 0) | (OTHER if form.is_other else 0)


def _nulls() -> np.ndarray:
    """Return the columns by how many complete candles there are: null where these are too few."""
    table = np.zeros((16, COLUMNS), dtype=np.int64)
    for place, pattern in enumerate(PATTERNS):
        word, at = divmod(place, IN_A_WORD)
        table[: pattern.lookback + 1, word] |= NULL << 3 * at
    return table


def _usable() -> np.ndarray:
    """Return the forms that may be looked for, by how many complete candles there are."""
    rows = [forms_of(p.name for p in PATTERNS if p.lookback < count) for count in range(16)]
    return np.array(rows, dtype=np.int64)


ALLOWED = _allowed_forms()
NULLS, USABLE = _nulls(), _usable()
NULL_ROWS = max(pattern.lookback for pattern in PATTERNS)
RULE = _of_forms([form.rule for _, form in FORMS])
SIDE = _of_forms([form.side for _, form in FORMS])
WORD = _of_forms([place_of(pattern.name) // IN_A_WORD for pattern, _ in FORMS])
CODE = _of_forms([_code(form) << 3 * (place_of(p.name) % IN_A_WORD) for p, form in FORMS])
CONFIRMED = _of_forms([OTHER << 3 * (place_of(p.name) % IN_A_WORD) for p, _ in FORMS])
SET = _of_forms([COLUMNS + SIDES.index(side_of(pattern, form.side)) for pattern, form in FORMS])
MEMBER = _of_forms(
    [
        1 << names_of(side_of(pattern, form.side)).index(f"cdl_{pattern.name}")
        for pattern, form in FORMS
    ]
)
DEEP = tuple(pattern.name for pattern in PATTERNS if pattern.penetration is not None)
"""Patterns with a penetration, in the order of the kernel's parameters."""
DEPTH = _of_forms([DEEP.index(p.name) if p.name in DEEP else 0 for p, _ in FORMS])
POWERS = 67
"""A prime by which all powers of two leave different rests."""
BIT = np.zeros(POWERS, dtype=np.int64)
BIT[[(1 << bit) % POWERS for bit in range(IN_A_NUMBER)]] = np.arange(IN_A_NUMBER)
FIRST_HIKKAKE = [form.rule for _, form in FORMS].index(HIKKAKE)
FIRST_HIKKAKE_MOD = [form.rule for _, form in FORMS].index(HIKKAKE_MOD)
"""Their forms of the upper side; that of the lower side follows."""
