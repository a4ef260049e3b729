"""Which indicators, parameters and histories the contract is checked on; all found by discovery.

The parameter sets come from the declarations, so a new indicator is checked without a new line
here: its defaults, its smallest values, odd ones with the last of every choice, windows longer than
the stretches that kernels work in, and TA-Lib's preset.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pytest

from tallow.core.operator import WINDOW, Convention, Indicator, Parameter, Value
from tests.running import Case, Floats, Mask, Rows, all_indicators, joined

WALK_ROWS: Final = 700
"""More than two stretches of 256 rows, which is what window kernels work on at a time."""

LONG_ROWS: Final = 1_600
"""More than the longest warm-up of the cases with windows above 256 rows."""


# Parameters


def _smallest(parameter: Parameter, _: int) -> Value:
    if parameter.choices:
        return parameter.choices[0]
    return type(parameter.default)(parameter.minimum)


def _odd(parameter: Parameter, place: int) -> Value:
    """Return odd lengths that grow from one parameter to the next, as macd wants them."""
    if parameter.choices:
        return parameter.choices[-1]
    return 7 + 6 * place if isinstance(parameter.default, int) else 2.5


def _long(parameter: Parameter, place: int) -> Value:
    if isinstance(parameter.default, int):
        return 300 + 13 * place
    return parameter.default


_SETS: Final[tuple[tuple[Convention, Callable[[Parameter, int], Value] | None], ...]] = (
    ("tradingview", None),
    ("tradingview", _smallest),
    ("tradingview", _odd),
    ("tradingview", _long),
    ("talib", None),
    ("talib", _odd),
)


def _cases(indicator: Indicator) -> list[Case]:
    found: dict[str, Case] = {}
    for convention, choose in _SETS:
        preset = indicator.presets.get(convention, {})
        named: dict[str, Value] = {}
        for place, parameter in enumerate(indicator.parameters):
            # A preset's words stay as they are: they are what makes it one.
            if choose is not None and parameter.name not in preset:
                named[parameter.name] = choose(parameter, place)
        case = Case(indicator, indicator.values((), named, convention), convention)
        found.setdefault(case.spec, case)
    return list(found.values())


CASES: Final = tuple(case for each in all_indicators().values() for case in _cases(each))
WINDOW_CASES: Final = tuple(case for case in CASES if case.indicator.memory == WINDOW)
RECURSIVE_CASES: Final = tuple(case for case in CASES if case.indicator.memory != WINDOW)

every_case: Final = pytest.mark.parametrize("case", CASES, ids=str)
every_window_case: Final = pytest.mark.parametrize("case", WINDOW_CASES, ids=str)
every_recursive_case: Final = pytest.mark.parametrize("case", RECURSIVE_CASES, ids=str)
every_indicator: Final = pytest.mark.parametrize(
    "indicator", all_indicators().values(), ids=lambda each: each.name
)


# Histories


def walk(rows: int = WALK_ROWS, seed: int = 1, price: float = 546.2) -> Rows:
    """Return a random walk without special cases: prices move and volume trades on every row."""
    random = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(random.normal(0.0, 0.002, rows)))
    opened = np.concatenate([[price], close[:-1]]) * np.exp(random.normal(0.0, 0.0005, rows))
    high = np.maximum(opened, close) * (1.0 + np.abs(random.normal(0.0, 0.001, rows)))
    low = np.minimum(opened, close) * (1.0 - np.abs(random.normal(0.0, 0.001, rows)))
    return _candles(opened, high, low, close, random.integers(1, 50_000, rows).astype(np.float64))


def ticking(rows: int = WALK_ROWS, seed: int = 2) -> Rows:
    """Return candles shaped like an illiquid stock's: few ticks, frozen stretches, no volume."""
    random = np.random.default_rng(seed)
    close = (546.2 + 0.05 * np.cumsum(random.integers(-1, 2, rows))).astype(np.float64)
    for start in random.integers(0, rows, 4):
        close[start : start + 40] = close[start]
    opened = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(opened, close) + 0.05 * random.integers(0, 2, rows)
    low = np.minimum(opened, close) - 0.05 * random.integers(0, 2, rows)
    volume = random.integers(0, 500, rows).astype(np.float64) * random.integers(0, 2, rows)
    return _candles(opened, high, low, close, volume)


def wild(rows: int = WALK_ROWS, seed: int = 3) -> Rows:
    """Return huge, tiny and jumping prices, one after the other."""
    stretch = rows // 4
    parts = [
        walk(stretch, seed, price=1e-5),
        walk(stretch, seed + 1, price=1e12),
        walk(stretch, seed + 2, price=0.05),
    ]
    rest = walk(rows - 3 * stretch, seed + 3, price=1.0)
    random = np.random.default_rng(seed)
    jumps = 10.0 ** random.integers(-5, 6, rows - 3 * stretch)
    for name in ("open", "high", "low", "close", "volume"):
        rest[name][:] *= jumps
    return joined([*parts, rest])


def flat(rows: int = WALK_ROWS, price: float = 546.2, volume: float = 100.0) -> Rows:
    """Return candles that never move."""
    still = np.full(rows, price)
    return _candles(still, still.copy(), still.copy(), still.copy(), np.full(rows, volume))


def with_gaps(rows: Rows, missing: Mask) -> Rows:
    """Return `rows` with nothing known of those that `missing` marks."""
    return {name: np.where(missing, np.nan, column) for name, column in rows.items()}


def gaps(rows: int, seed: int = 5) -> Mask:
    """Mark a few single rows and a stretch; two thirds stay whole, for long windows."""
    missing = np.zeros(rows, dtype=np.bool_)
    missing[np.random.default_rng(seed).integers(20, rows // 3, 5)] = True
    missing[rows // 8 : rows // 8 + 6] = True
    missing[0] = True
    return missing


def _candles(opened: Floats, high: Floats, low: Floats, close: Floats, volume: Floats) -> Rows:
    row = np.arange(len(close))
    return {
        "open": opened,
        "high": high,
        "low": low,
        "close": close,
        "volume": volume,
        # The sessions of five days make a week; numbers as anchors have them.
        "session": (20_000 + row // 75).astype(np.float64),
        "week": (2_800 + row // 375).astype(np.float64),
        "month": (600 + row // 1_000).astype(np.float64),
    }


def rows_for(case: Case) -> int:
    """Return how many rows show a case's values well after its warm-up."""
    return LONG_ROWS if max(case.warmup) > WALK_ROWS // 3 else WALK_ROWS


def histories(case: Case) -> dict[str, Rows]:
    """Return the histories that values are compared on, by name."""
    rows = rows_for(case)
    whole = walk(rows)
    return {
        "walk": whole,
        "gaps": with_gaps(whole, gaps(rows)),
        "ticking": ticking(rows),
    }
