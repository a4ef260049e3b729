"""Indicators: one file each, found by their ``INDICATOR``; files that start with _ are parts."""

from __future__ import annotations

import importlib
import pkgutil

from tallow.core.operator import Indicator


def builtin() -> tuple[Indicator, ...]:
    """Return every indicator of this package, by name."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    return tuple(importlib.import_module(f"{__name__}.{name}").INDICATOR for name in names)
