"""The engine that is to be replaced: its arithmetic, order, rounding and defects, in plain Python.

What it computes is described by what it stored and answered, and proven on that. It is the control
of a comparison and the baseline of benchmarks; nothing else depends on it. When a migration is over
it goes in one commit: this folder, its tests, its line under ``tallow.engines`` in pyproject.toml,
and the benchmarks that use it.

1. Minutes become bars - `aggregation`.
2. Kernels of a library - `cinar` - are called by wrappers with their own idea of order - `kernels`.
3. The API answers for five-minute candles - `answer`; it reads a trading day before - `days`.

What it stored otherwise, its jobs and its monitor are with the tests that prove all of it.
Trends, filters and orders, which the old system also has, are not here.
"""

from tallow.migrate.legacy.engine import LEGACY_SERIES, LegacyEngine, builtin

__all__ = ["LEGACY_SERIES", "LegacyEngine", "builtin"]
