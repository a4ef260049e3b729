"""Which indicators, parameters and histories the contract is checked on; all found by discovery.

The parameter sets come from the declarations, so a new indicator is checked without a new line
here: its defaults, its smallest values, odd ones with the last of every choice, windows longer than
the stretches that kernels work in, and TA-Lib's preset.
"""

from __future__ import annotations

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

every_case: Final = pytest.mark.parametrize("case", CASES, ids=str)
every_window_case: Final = pytest.mark.parametrize("case", WINDOW_CASES, ids=str)
every_recursive_case: Final = pytest.mark.parametrize("case", RECURSIVE_CASES, ids=str)
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
