"""Which indicators exist: everything found through the entry point group ``tallow.indicators``.

An entry point names an `Indicator`, or a callable that returns several. Tallow's own come the same
way, so a user's indicator, in a package of its own, is nothing special anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from tallow.core.errors import SpecError, excerpt, near_matches
from tallow.core.operator import Indicator
from tallow.core.plugins import load_plugins

ENTRY_POINT_GROUP = "tallow.indicators"


@dataclass(frozen=True, eq=False)
class Registry:
    """The indicators by name, and the entry points that could not be loaded, with their reasons."""

    indicators: dict[str, Indicator]
    failures: dict[str, str]

    def find(self, name: str) -> Indicator:
        """Return the indicator called `name`.

        Raises
        ------
        SpecError
            If there is none; the message lists near matches and packages that failed to load.
        """
        found = self.indicators.get(name.lower())
        if found is None:
            broken = "".join(
                f"; {entry} failed to load: {why}" for entry, why in self.failures.items()
            )
            hint = near_matches(name, self.indicators)
            raise SpecError(f"indicator: {excerpt(name)}; unknown; {hint}{broken}")
        return found


@cache
def registry() -> Registry:
    """Load every entry point, once per process."""
    return Registry(*load_plugins(ENTRY_POINT_GROUP, Indicator))
