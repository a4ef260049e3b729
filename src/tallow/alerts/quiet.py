"""Quiet hours: when alerts are held, and which are not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time
from zoneinfo import ZoneInfo

from tallow.alerts.alert import Alert
from tallow.core.errors import AlertError, excerpt

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True)
class QuietHours:
    """Hours of each day in which alerts wait for their end.

    Attributes
    ----------
    first, last
        From when to when, by the clock of `zone`; over midnight where `last` is not after `first`.
    zone
        Whose clock.
    urgent
        Names of rules and causes that do not wait.
    """

    first: time
    last: time
    zone: ZoneInfo
    urgent: frozenset[str] = frozenset()

    @classmethod
    def of(cls, text: str, zone: str, urgent: frozenset[str] = frozenset()) -> QuietHours:
        """Read ``22:00-07:00``; `AlertError` if these are no hours, or that is no time zone."""
        found = _HOURS.fullmatch(text.strip())
        if found is None:
            raise AlertError(
                f"quiet hours: {excerpt(text)}; must be two times of day, such as 22:00-07:00"
            )
        first, last = (time(int(found[k]), int(found[k + 1])) for k in (1, 3))
        if first == last:
            raise AlertError(
                f"quiet hours: {excerpt(text)}; begin and end are the same; name two times of day"
            )
        return cls(first, last, zone_of(zone), urgent)

    def is_quiet(self, now: datetime) -> bool:
        """Say whether a moment is in them."""
        clock = now.astimezone(self.zone).time()
        if self.first < self.last:
            return self.first <= clock < self.last
        return clock >= self.first or clock < self.last

    def holds(self, alert: Alert, now: datetime) -> bool:
        """Say whether an alert waits for their end."""
        return alert.rule not in self.urgent and self.is_quiet(now)


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone; `AlertError` if there is none of this name."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise AlertError(
            f"quiet zone: {excerpt(name)}; is no time zone; name one such as Asia/Kolkata"
        ) from error
