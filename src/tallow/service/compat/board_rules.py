"""When the old dashboard raises an alert, as rules over the indicator `squeeze`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tallow.alerts import AlertRule, pattern, threshold
from tallow.core.limits import ALERTS_KEPT
from tallow.service.compat.old_bars import LONG, WIDTH

TIMEFRAME = "5m"
SQUEEZE_PERCENT = 5.0
"""How near the lowest width is a squeeze."""

STRENGTHS = (("strong", 5, 10.0), ("moderate", 3, 5.0))
"""How many falls of the width in a row, and by how much percent, make a pattern that strong."""

_MOST = 1e6
_NUMBERS = {
    "width": WIDTH,
    **{name: f"{LONG}[{name}]" for name in ("lowest", "distance", "contracting", "contraction")},
}


@dataclass(frozen=True)
class BoardRules:
    """What is set of alerts.

    Attributes
    ----------
    within
        Percent above the lowest width that raises one.
    contracting
        Falls of the width in a row that are a pattern.
    """

    within: float = 0.1
    contracting: int = 5

    def rules(self) -> list[AlertRule]:
        """Return the rules by the old types of alerts, the first that holds counts."""
        how: dict[str, Any] = {
            "squeeze": LONG,
            "timeframe": TIMEFRAME,
            "cooldown": 0,
            "hourly_cap": ALERTS_KEPT,
        }
        found = [
            threshold(min(self.within, _MOST), **how),
            pattern(min(self.contracting, int(_MOST)), STRENGTHS[0][2], **how),
            threshold(SQUEEZE_PERCENT, name="squeeze", **how),
        ]
        return [replace(rule, numbers={**_NUMBERS, **rule.numbers}) for rule in found]

    def kind_of(self, numbers: Mapping[str, float | None]) -> str | None:
        """Return the type of the alert that a bar's numbers are a cause for; None without one."""
        distance, falls = numbers["distance"], numbers["contracting"]
        if distance is None or falls is None:
            return None
        if distance <= self.within:
            return "threshold"
        if falls >= self.contracting and (numbers["contraction"] or 0.0) >= STRENGTHS[0][2]:
            return "pattern"
        return "squeeze" if distance <= SQUEEZE_PERCENT else None


def strength_of(numbers: Mapping[str, float | None]) -> str:
    """Return how strong a contraction is."""
    falls, fell = numbers["contracting"] or 0.0, numbers["contraction"] or 0.0
    found = (name for name, least, percent in STRENGTHS if falls >= least and fell > percent)
    return next(found, "weak")
