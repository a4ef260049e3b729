"""Watching band widths: what the old dashboard shows of an instrument, and its alerts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import Literal

from tallow.migrate.legacy.candles import Candle, between
from tests.migrate.legacy.reading import MINUTE

NEAR = 0.001
"""Share of the lowest width by which another one may differ and still be at it."""

RANGE_BARS = 20
HOUR = 60 * MINUTE
Trend = Literal["contracting", "expanding", "stable"]
Strength = Literal["strong", "moderate", "weak"]
Alert = Literal["threshold", "pattern", "squeeze"]


@dataclass(frozen=True)
class Watched:
    """What the dashboard shows; widths in rupees.

    Attributes
    ----------
    contracting
        Strict decreases, counted back from the newest width.
    strength
        Always ``weak`` while widths contract: the old sign makes their rate negative.
    in_range
        Newest stored bars without a break whose width is at the lowest.
    """

    current: float
    lowest: float
    distance_percent: float
    contracting: int
    trend: Trend
    strength: Strength
    in_range: int


def watched(
    recent: Sequence[float], stored: Sequence[float], lowest: float | None = None
) -> Watched | None:
    """Return what the dashboard makes of an instrument; None with fewer than two widths.

    Parameters
    ----------
    recent
        Widths of the last half hour, ascending in time; those that are not above 0 are left out.
    stored
        Widths of the stored bars, ascending in time, for the count at the lowest.
    lowest
        That of the job's file; by default the lowest of `recent`.
    """
    widths = [width for width in recent if width > 0.0]
    if len(widths) < 2:
        return None
    current, least = widths[-1], min(widths) if lowest is None else lowest
    falls = _falls(widths)
    return Watched(
        current,
        least,
        100.0 * (current - least) / least if least else 0.0,
        falls,
        _trend(widths),
        _strength(widths, falls),
        _in_range(stored, least),
    )


def alerts(state: Watched, was_triggered: bool) -> list[Alert]:
    """Return an instrument's alerts, in the order that they are sent.

    The last two never come: contraction is never strong, and no width is a twentieth of the lowest.
    """
    found: list[Alert] = []
    if _is_at(state.current, state.lowest) and not was_triggered:
        found.append("threshold")
    if state.contracting >= 5 and state.strength == "strong":
        found.append("pattern")
    if state.current <= 0.05 * state.lowest:
        found.append("squeeze")
    return found


def is_contracting_at_lowest(widths: Sequence[float], lowest: float) -> bool:
    """Say whether the live monitor sends an alert for the widths of the bars that it is given.

    It is given two at most, so it never does.
    """
    falling = all(new < old for old, new in pairwise(widths))
    return len(widths) >= 3 and falling and _is_at(widths[-1], lowest)


@dataclass
class AlertLimits:
    """When an alert may be sent: a pause for each symbol, and so many symbols in an hour.

    Parameters
    ----------
    pause_seconds, symbols_max
        As configured; without a configuration the old system takes 180 and 100.
    """

    pause_seconds: float = 300.0
    symbols_max: int = 10
    _sent: dict[str, float] = field(default_factory=dict)

    def admit(self, symbol: str, now: float) -> bool:
        """Say whether `symbol` may alert now, and remember it; its first alert always may."""
        last = self._sent.get(symbol)
        in_hour = sum(now - sent <= HOUR for sent in self._sent.values())
        paused = last is not None and now - last < self.pause_seconds
        if last is not None and (paused or in_hour >= self.symbols_max):
            return False
        self._sent[symbol] = now
        return True


def morning_range(minutes: Sequence[Candle], day: date) -> float:
    """Return the range of what the old system takes for the first six minutes of a session.

    It reads the clock in UTC, so these are 14:45 to 14:50; 0 where there are none.
    """
    start = datetime.combine(day, time(9, 15), UTC).timestamp()
    first = between(minutes, start, start + 5 * MINUTE)
    if not first:
        return 0.0
    return max(minute.high for minute in first) - min(minute.low for minute in first)


def _is_at(width: float, lowest: float) -> bool:
    return lowest * (1.0 - NEAR) <= width <= lowest * (1.0 + NEAR)


def _falls(widths: Sequence[float]) -> int:
    count = 0
    for newer, older in pairwise(reversed(widths)):
        if newer >= older:
            break
        count += 1
    return count


def _trend(widths: Sequence[float]) -> Trend:
    if len(widths) < 6:
        return "stable"
    before, now = sum(widths[-6:-3]) / 3.0, sum(widths[-3:]) / 3.0
    change = (now - before) / before
    if change < -0.05:
        return "contracting"
    return "expanding" if change > 0.05 else "stable"


def _strength(widths: Sequence[float], falls: int) -> Strength:
    if len(widths) < 3:
        return "weak"
    rate = 100.0 * (widths[-1] - widths[-3]) / widths[-1]
    if falls >= 5 and rate > 10.0:
        return "strong"
    return "moderate" if falls >= 3 and rate > 5.0 else "weak"


def _in_range(stored: Sequence[float], lowest: float) -> int:
    count = 0
    for width in reversed(stored[-RANGE_BARS:]):
        if not _is_at(width, lowest):
            break
        count += 1
    return count
