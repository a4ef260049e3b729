"""Indicators: one file each, named as its ``INDICATOR``; files that start with _ are parts.

Candle patterns are declared together, in ``patterns``.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from functools import partial
from pathlib import Path

from tallow.core.operator import Indicator
from tallow.core.plugins import LazyDeclaration
from tallow.indicators._pattern_names import NAMES, aliases

_ALIASES = re.compile(r"^    aliases=(\(.*?\)),$", re.MULTILINE | re.DOTALL)


def builtin() -> tuple[LazyDeclaration[Indicator], ...]:
    """Return every indicator of this package, by name; each is imported when it is asked for."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.name.startswith("_"))
    files = (LazyDeclaration(name, partial(_load, name), partial(_aliases, name)) for name in names)
    own = (
        LazyDeclaration(f"cdl_{name}", partial(_load_pattern, name), partial(aliases, name))
        for name in NAMES
    )
    return (*files, *own)


def _load_pattern(name: str) -> Indicator:
    found: Indicator = importlib.import_module(f"{__name__}.patterns").INDICATORS[name]
    return found


def _load(name: str) -> Indicator:
    found: Indicator = importlib.import_module(f"{__name__}.{name}").INDICATOR
    return found


def _aliases(name: str) -> tuple[str, ...]:
    """Return what a declaration says of its aliases, from its text: an import costs far more."""
    said = _ALIASES.search(Path(__file__).with_name(f"{name}.py").read_text("utf-8"))
    found: tuple[str, ...] = ast.literal_eval(said[1]) if said else ()
    return found
