"""Which indicators exist: everything found through the entry point group ``tallow.indicators``.

An entry point names an `Indicator`, or a callable that returns several. Tallow's own come the same
way, so a user's indicator, in a package of its own, is nothing special anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points

from tallow.core.errors import DeclarationError, SpecError, near_matches
from tallow.core.operator import Indicator

ENTRY_POINT_GROUP = "tallow.indicators"


@dataclass(frozen=True)
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
            raise SpecError(
                f"indicator: {name!r}; unknown; {near_matches(name, self.indicators)}{broken}"
            )
        return found


@cache
def registry() -> Registry:
    """Load every entry point once per process. One that fails is recorded, and harms no other."""
    found: dict[str, Indicator] = {}
    failures: dict[str, str] = {}
    # Tallow's own first, so that a plug-in cannot take the name of a built-in.
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name != "tallow"):
        try:
            loaded = entry.load()
            several = (loaded,) if isinstance(loaded, Indicator) else tuple(loaded())
            for indicator in several:
                _add(found, indicator)
        except Exception as error:  # noqa: BLE001
            # A plug-in may fail in any way; it is shown by `tallow doctor` and by unknown names.
            failures[f"{entry.name} = {entry.value}"] = f"{type(error).__name__}: {error}"
    return Registry(found, failures)


def _add(found: dict[str, Indicator], indicator: object) -> None:
    if not isinstance(indicator, Indicator):
        raise DeclarationError(f"{indicator!r} is no tallow.Indicator")
    if indicator.name in found:
        raise DeclarationError(f"{indicator.name}: the name is taken; choose another")
    found[indicator.name] = indicator
