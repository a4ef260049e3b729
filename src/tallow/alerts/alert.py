"""What is told: an alert, and the cause that it is told once for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Alert:
    """A rule that began to hold for an instrument.

    Attributes
    ----------
    cause
        Names why it is told: the rule with its condition and timeframe, the instrument, and the
        open of the bar. However often the bar is corrected, it is the same cause.
    rule, instrument, timeframe
        Whose, of whom, and of which bars.
    opened, moment
        When the bar opened, and when it ended: the time of the alert, UTC.
    reason
        Why, in words, with the numbers.
    numbers
        The numbers by name; None is unknown.
    """

    cause: str
    rule: str
    instrument: str
    timeframe: str
    opened: datetime
    moment: datetime
    reason: str
    numbers: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The alert as a line."""
        return f"{self.instrument}: {self.rule} ({self.timeframe}): {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON has them; times in ISO 8601."""
        return {
            "cause": self.cause,
            "rule": self.rule,
            "instrument": self.instrument,
            "timeframe": self.timeframe,
            "opened": self.opened.isoformat(),
            "moment": self.moment.isoformat(),
            "reason": self.reason,
            "numbers": dict(self.numbers),
            "text": self.text,
        }
