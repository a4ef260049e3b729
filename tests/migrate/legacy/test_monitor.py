"""Goal: the job of lowest widths, the dashboard and its alerts behave as the old ones did.

Method: bars whose bands are known by hand, and widths in the hand-picked orders that matter.
"""

from __future__ import annotations

import math
from datetime import date

import pytest

from tallow.migrate.legacy.kernels import bollinger
from tests.migrate.legacy.lowest import (
    QuietDay,
    quietest_day,
    sample_widths,
    smallest_positive,
)
from tests.migrate.legacy.made import OPEN, minutes
from tests.migrate.legacy.monitor import (
    Alert,
    AlertLimits,
    Watched,
    alerts,
    is_contracting_at_lowest,
    morning_range,
    watched,
)
from tests.migrate.legacy.reading import DAY, seconds

FALLING = [20.0, 16.0, 13.0, 11.0, 10.0, 9.5, 9.4]


def zigzag(reach: float) -> list[float]:
    return [500.0 + (reach if i % 2 else -reach) for i in range(75)]


def test_the_quietest_day_is_told_by_sample_widths() -> None:
    """Closes one rupee either side of 500: a population deviation of 1, a sample one of 1.026."""
    loud = minutes(zigzag(1.0), OPEN, 300)
    quiet = minutes(zigzag(0.5), OPEN + 3 * DAY, 300)
    still = minutes([500.0] * 75, OPEN + 4 * DAY, 300)
    width = 4.0 * math.sqrt(20.0 / 19.0)
    assert sample_widths(loud)[0][1] == pytest.approx(width)
    population = bollinger(loud[::-1])
    assert population[0][0][1] - population[2][0][1] == pytest.approx(4.0)
    day = quietest_day([*loud, *quiet])
    assert day == QuietDay(date(2025, 7, 21), 2.05, 2.05, 2.05)
    # Without a width, or without one that counts, there is no such day.
    assert quietest_day(loud[:19]) is quietest_day(still) is None


def test_the_smallest_positive_width_starts_at_the_first() -> None:
    assert smallest_positive([3.0, 0.0, 2.0, -1.0]) == 2.0
    assert smallest_positive([0.0, 2.0]) == 0.0


def test_what_the_dashboard_shows() -> None:
    shown = watched([0.0, *FALLING], [9.4, 20.0, 9.4, 9.4], 8.0)
    assert shown is not None
    assert (shown.current, shown.lowest, shown.contracting) == (9.4, 8.0, 6)
    assert shown.distance_percent == pytest.approx(17.5)
    # Three falls of five percent and more are no strength: the rate has the wrong sign.
    assert (shown.trend, shown.strength, shown.in_range) == ("contracting", "weak", 0)
    assert watched([0.0, 3.0], []) is None


def test_without_the_jobs_file_the_lowest_is_that_of_the_range() -> None:
    shown = watched([5.0, 4.0, 4.002], [4.0, 9.0, 4.0, 4.004, 3.996])
    assert shown is not None
    assert (shown.lowest, shown.contracting, shown.trend, shown.in_range) == (4.0, 0, "stable", 3)


@pytest.mark.parametrize(
    ("current", "was_triggered", "expected"),
    [
        (4.004, False, ["threshold"]),
        (4.004, True, []),
        (4.005, False, []),
        (0.2, False, ["squeeze"]),
    ],
)
def test_alerts(current: float, was_triggered: bool, expected: list[Alert]) -> None:
    shown = watched([9.0, 8.0, 7.0, 6.0, 5.0, 4.5, current], [], 4.0)
    assert shown is not None
    assert alerts(shown, was_triggered) == expected


def test_a_pattern_would_come_between_the_others() -> None:
    """If contraction could be strong, which no widths make it."""
    state = Watched(0.0, 0.0, 0.0, 5, "contracting", "strong", 0)
    assert alerts(state, was_triggered=False) == ["threshold", "pattern", "squeeze"]


def test_growing_widths_expand() -> None:
    shown = watched([1.0, 1.0, 1.0, 2.0, 2.0, 2.0], [])
    assert shown is not None
    assert (shown.trend, shown.contracting, shown.strength) == ("expanding", 0, "weak")
    steady = watched([1.0] * 6, [])
    assert steady is not None
    assert steady.trend == "stable"
    few = watched([2.0, 1.0], [])
    assert few is not None
    assert (few.trend, few.contracting, few.strength) == ("stable", 1, "weak")


def test_the_live_monitor_wants_three_falling_widths() -> None:
    assert is_contracting_at_lowest([6.0, 5.0, 4.0], 4.0)
    assert not is_contracting_at_lowest([5.0, 4.0], 4.0)
    assert not is_contracting_at_lowest([5.0, 5.0, 4.0], 4.0)


def test_the_first_alert_of_a_symbol_passes_every_limit() -> None:
    limits = AlertLimits(symbols_max=2)
    assert all(limits.admit(symbol, 0.0) for symbol in "ABC")
    assert not limits.admit("A", 299.0)
    assert not limits.admit("A", 300.0)
    # An hour later the others no longer count.
    assert limits.admit("A", 3_601.0)


def test_the_morning_is_in_the_afternoon() -> None:
    day = minutes([100.0, 110.0], seconds("2025-07-18T09:15+05:30"))
    day += minutes([100.0, 101.0, 105.0], seconds("2025-07-18T14:44+05:30"))
    assert morning_range(day, date(2025, 7, 18)) == 4.0
    assert morning_range(day, date(2025, 7, 17)) == 0.0
