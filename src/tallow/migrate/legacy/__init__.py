"""The old engine that is being replaced: its arithmetic, order, rounding and defects, in Python.

It is tested against values that the old system stored and answered. It is the control of
comparisons and the baseline of benchmarks; nothing else depends on it. When the migration is over,
one commit removes it: this folder, its tests, its line under ``tallow.engines`` in pyproject.toml,
and the benchmarks that use it.

1. Minutes become bars - `aggregation`.
2. Kernels of a library - `cinar` - are called by wrappers that each assume an order - `kernels`.
3. The API answers with five-minute candles - `answer`; it reads a trading day more - `days`.

4. Its analysers of days - `trends` - stand beside our indicators - `trends_engine`.

Its other stored values, its jobs and its monitor are part of the tests. The old system's filters
and orders are not re-created.
"""

from tallow.migrate.legacy.engine import LEGACY_SERIES, LegacyEngine
from tallow.migrate.legacy.trends_engine import LegacyTrendsEngine

__all__ = ["LEGACY_SERIES", "LegacyEngine", "LegacyTrendsEngine", "builtin"]


def builtin() -> tuple[LegacyEngine, LegacyTrendsEngine]:
    """Return the engines for the entry point ``tallow.engines``."""
    return LegacyEngine(), LegacyTrendsEngine()
