"""What is told: an alert, and the cause that it is told once for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Self

BEGAN, OVER = "began", "over"
"""Whether an alert says that something began, or that it is over."""


@dataclass(frozen=True)
class Alert:
    """A rule that began to hold for an instrument, or no longer does; or a cause of a service.

    Attributes
    ----------
    cause
        Names why it is told: the rule with its condition and timeframe, the instrument, and the
        open of the bar. However often the bar is corrected, it is the same cause. Where it is
        over, the cause of its beginning and ``:over``.
    rule, instrument, timeframe
        Whose, of whom, and of which bars; the last two are empty of what is no instrument's.
    opened, moment
        When the bar opened, and when it ended: the time of the alert, UTC.
    reason
        Why, in words, with the numbers.
    numbers
        The numbers by name; None is unknown.
    state
        ``began`` or ``over``.
    """

    cause: str
    rule: str
    instrument: str
    timeframe: str
    opened: datetime
    moment: datetime
    reason: str
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    state: str = BEGAN

    @property
    def text(self) -> str:
        """The alert as a line."""
        reason = f"is over: {self.reason}" if self.state == OVER else self.reason
        if not self.instrument:
            return f"{self.rule}: {reason}"
        return f"{self.instrument}: {self.rule} ({self.timeframe}): {reason}"

    def ended(self, moment: datetime, reason: str = "") -> Alert:
        """Return what says that it is over since a moment; by default for the reason it had."""
        cause = cause_of_end(self.cause)
        return replace(self, cause=cause, moment=moment, reason=reason or self.reason, state=OVER)

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
            "state": self.state,
            "text": self.text,
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Self:
        """Return the alert that `to_dict` wrote; before there were ends, all were beginnings."""
        said = {each.name: facts[each.name] for each in fields(cls) if each.name in facts}
        times = {name: datetime.fromisoformat(facts[name]) for name in ("opened", "moment")}
        return cls(**(said | times))


def cause_of_end(cause: str) -> str:
    """Return the cause of what says that another one is over."""
    return f"{cause}:{OVER}"
