"""Which indicators exist: everything found through the entry point group ``tallow.indicators``."""

from __future__ import annotations

from functools import cache

from tallow.core.errors import SpecError
from tallow.core.operator import Indicator
from tallow.core.plugins import Registry


@cache
def registry() -> Registry[Indicator]:
    """Load every entry point, once per process."""
    return Registry.load("tallow.indicators", Indicator, "indicator", SpecError)
