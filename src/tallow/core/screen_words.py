"""Words of the language of screens: nothing else may be called so that a screen names."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tallow.core.operator import COLUMNS

BAR_FUNCTIONS = ("rising", "falling", "highest", "lowest", "change")
"""Functions of a number and of how many bars."""

VALUE_FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "abs": "abs(x)",
        "min": "min(x, y)",
        "max": "max(x, y)",
        "between": "between(x, low, high)",
    }
)
"""Functions of the values of one bar, each as it is written."""

BREADTH = "breadth"
"""The function over a population that is no indicator, too."""

PARTICLES = (
    *("and", "or", "not", "within", "for", "bars", "bar"),
    *("crosses", "above", "below", "forming", "in"),
)

FUNCTIONS_OF_SCREENS = (*BAR_FUNCTIONS, *VALUE_FUNCTIONS, BREADTH)

RESERVED = frozenset((*COLUMNS, *FUNCTIONS_OF_SCREENS, *PARTICLES))
"""What no indicator should be called: a screen means its own word."""
