"""Which indicators exist: everything found through the entry point group ``tallow.indicators``."""

from __future__ import annotations

from functools import cache

from tallow.core.errors import SpecError, TallowWarning, warn_caller
from tallow.core.operator import Indicator
from tallow.core.plugins import Registry
from tallow.core.screen_words import RESERVED


@cache
def registry() -> Registry[Indicator]:
    """Load every entry point, once per process.

    `TallowWarning` where an indicator is called as a word of the language of screens.
    """
    found = Registry.load("tallow.indicators", Indicator, "indicator", SpecError)
    # A built-in's are checked by a test: to look for its aliases would cost each start.
    theirs = [each for each in found.declared.values() if isinstance(each, Indicator)]
    for name in sorted(RESERVED & {name for each in theirs for name in (each.name, *each.aliases)}):
        warn_caller(name_is_a_word(name), TallowWarning)
    return found


def name_is_a_word(name: str) -> str:
    """Return what to say of an indicator whose name is a word of screens."""
    return (
        f"indicator: {name}; is a word of the language of screens, and none can ask for an "
        "indicator of this name; rename it"
    )
