"""Which indicators, parameters and histories the contract is checked on; all found by discovery.

The parameter sets come from the declarations, so a new indicator is checked without a new line
here: its defaults, its smallest values, odd ones with the last of every choice, windows longer than
the stretches that kernels work in, and TA-Lib's preset.

Indicators are many, so a test says how much of it a change has to wait for: all but the long cases
of each, the usual and the sharpest one, or the sharpest one. The rest of them run at night.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import pytest

from tallow.core.operator import CROSS, WINDOW
from tallow.core.registry import registry
from tallow.testing.cases import Case, cases_of
from tallow.testing.histories import Rows, gaps, ticking, walk, with_gaps
from tests.running import all_indicators

CASES: Final = tuple(case for each in all_indicators().values() for case in cases_of(each))
CROSS_CASES: Final = tuple(
    case for each in registry().by_name.values() if each.memory == CROSS for case in cases_of(each)
)
WINDOW_CASES: Final = tuple(case for case in CASES if case.indicator.memory == WINDOW)
RECURSIVE_CASES: Final = tuple(case for case in CASES if case.indicator.memory != WINDOW)

LONG = 100
"""Rows of a warm-up from which a case is long."""


def is_short(case: Case) -> bool:
    """Say whether a case takes few rows."""
    return max(case.warmup) < LONG


def _sharpest(cases: Sequence[Case]) -> Case:
    """Return the case with the most values that are not the usual ones, a short one if any is."""
    usual = cases[0].values

    def unusual(case: Case) -> int:
        return sum(case.values[name] != usual[name] for name in usual)

    return max([case for case in cases if is_short(case)] or cases, key=unusual)


SHARPEST: Final = tuple(
    _sharpest([case for case in CASES if case.indicator is each])
    for each in all_indicators().values()
)


USUAL: Final = tuple(
    next(case for case in CASES if case.indicator is each) for each in all_indicators().values()
)


def is_telling(case: Case) -> bool:
    """Say whether a case is an indicator's usual or sharpest one, and short."""
    return is_short(case) and (case in USUAL or case in SHARPEST)


def of_cases(cases: Iterable[Case], now: Callable[[Case], bool] = is_short) -> pytest.MarkDecorator:
    """Run a test on cases: on some of them now, and on the others at night."""
    night = pytest.mark.nightly
    given = [pytest.param(each, id=str(each), marks=() if now(each) else night) for each in cases]
    return pytest.mark.parametrize("case", given)


every_short_case: Final = of_cases(CASES)
every_telling_case: Final = of_cases(CASES, now=is_telling)
every_sharpest_case: Final = of_cases(CASES, now=SHARPEST.__contains__)
every_window_case: Final = of_cases(WINDOW_CASES)
every_indicator: Final = pytest.mark.parametrize(
    "indicator", all_indicators().values(), ids=lambda each: each.name
)


# Histories


def histories(case: Case) -> dict[str, Rows]:
    """Return the histories that values are compared on, by name."""
    whole = walk(case.rows)
    return {
        "walk": whole,
        "gaps": with_gaps(whole, gaps(case.rows)),
        "ticking": ticking(case.rows),
    }
